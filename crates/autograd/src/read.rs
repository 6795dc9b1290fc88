//! Reading a tape: what is on it, where it came from, and which module of a model it belongs to.
//!
//! Only the inputs of each node are recorded for this, 4 bytes each. Which module a value belongs to is found when it
//! is asked for: parameters have names of their own, and a model knows the path of each.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use tensor::Float;

use crate::id::Id;
use crate::tape::{Graph, Tape, Var};

impl<T: Float> Tape<T> {
    /// Every value on the tape, in the order in which they were computed.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, 2.0]]));
    /// let _ = x.matmul(tape.leaf(Tensor::from([[3.0], [4.0]]))).tanh();
    /// let ops: Vec<_> = tape.vars().map(|v| v.op()).collect();
    /// assert_eq!(ops, ["constant", "leaf", "matmul", "tanh"]);
    /// let inputs: Vec<_> = tape.vars().map(|v| v.inputs().len()).collect();
    /// assert_eq!(inputs, [0, 0, 2, 1]);
    /// ```
    pub fn vars(&self) -> impl ExactSizeIterator<Item = Var<'_, T>> {
        (0..self.len() as u32).map(|index| Var { tape: self, index })
    }

    /// Tells the tape the path of a named leaf or constant, such as `hidden.weight`; it is kept when the tape is reset.
    ///
    /// `nn` does so for all parameters of a model at once (`Module::label`).
    pub fn set_path(&self, id: Id, path: impl Into<Arc<str>>) {
        Arc::make_mut(&mut self.paths.borrow_mut()).insert(id, path.into());
    }

    /// The graph in the language of Graphviz, which `dot -Tsvg` draws: values are boxes, and arrows lead from inputs to
    /// results. Values that need a gradient have a solid border.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let _ = tape.leaf(Tensor::from([1.0, 2.0])).tanh();
    /// assert!(tape.to_dot().contains("0 -> 1"));
    /// ```
    pub fn to_dot(&self) -> String {
        let graph = self.graph.borrow();
        let mut dot = String::from("digraph tape {\n  node [shape=box, fontname=\"sans-serif\"];\n");
        for (index, (node, path)) in graph.nodes.iter().zip(self.all_paths(&graph)).enumerate() {
            let style = if node.needs_gradient { "solid" } else { "dashed" };
            let path = path.map(|path| format!("{path}\n")).unwrap_or_default();
            let label = format!("{path}{} {}", node.op.name, node.value.shape());
            let label = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(dot, "  {index} [label=\"{label}\", style={style}];");
            for input in graph.inputs_of(index) {
                let _ = writeln!(dot, "  {input} -> {index};");
            }
        }
        dot.push_str("}\n");
        dot
    }

    /// The path of every value, in the order in which they were computed; see [`Var::path`]. This asks once for all, in a time
    /// that is linear in the tape.
    pub fn paths(&self) -> Vec<Option<Arc<str>>> {
        self.all_paths(&self.graph.borrow())
    }

    /// The path of every value.
    fn all_paths(&self, graph: &Graph<T>) -> Vec<Option<Arc<str>>> {
        let mut paths: Vec<Option<Arc<str>>> = Vec::with_capacity(graph.nodes.len());
        for index in 0..graph.nodes.len() {
            let path = match self.origin(graph, index) {
                Origin::Path(path) => Some(path),
                // Inputs come before results.
                Origin::Input(input) => paths[input].clone(),
                Origin::Unknown => None,
            };
            paths.push(path);
        }
        paths
    }

    /// Where the path of a value comes from.
    fn origin(&self, graph: &Graph<T>, index: usize) -> Origin {
        let known = self.paths.borrow();
        let own = |index: usize| graph.nodes[index].name.and_then(|id| known.get(&id));
        if let Some(path) = own(index) {
            return Origin::Path(Arc::clone(path));
        }
        let inputs = graph.inputs_of(index);
        if let Some(path) = inputs.iter().rev().find_map(|&input| own(input as usize)) {
            return match path.rsplit_once('.') {
                Some((module, _)) => Origin::Path(module.into()),
                None => Origin::Path("".into()),
            };
        }
        inputs.iter().max().map_or(Origin::Unknown, |&input| Origin::Input(input as usize))
    }
}

enum Origin {
    Path(Arc<str>),
    /// The same as that of an input.
    Input(usize),
    Unknown,
}

impl<'t, T: Float> Var<'t, T> {
    /// What it was computed from, in the op's order: those too that need no gradient.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, c) = (tape.leaf(Tensor::from([1.0])), tape.constant(Tensor::from([2.0])));
    /// let values: Vec<_> = (x - c).inputs().into_iter().map(|v| v.value().item()).collect();
    /// assert_eq!(values, [1.0, 2.0]);
    /// ```
    pub fn inputs(self) -> Vec<Var<'t, T>> {
        let graph = self.tape.graph.borrow();
        graph.inputs_of(self.index as usize).iter().map(|&index| Var { index, ..self }).collect()
    }

    /// The path of the module that it belongs to, such as `hidden` or `layers.2`; of a parameter its own, such as
    /// `hidden.weight`. `None` where no path is known (see [`Tape::set_path`]).
    ///
    /// A result belongs to the module whose parameters it was computed with. Where an op has none, it belongs to where its
    /// input does, the latest if there are several: the tanh of what `hidden` computed is `hidden`'s, and so is a dropout
    /// of that. The path of a model that is itself a layer is empty.
    pub fn path(self) -> Option<Arc<str>> {
        let graph = self.tape.graph.borrow();
        let mut index = self.index as usize;
        loop {
            match self.tape.origin(&graph, index) {
                Origin::Path(path) => return Some(path),
                Origin::Input(input) => index = input,
                Origin::Unknown => return None,
            }
        }
    }
}

impl<T: Float> fmt::Debug for Tape<T> {
    /// A line for each value: its index, path, op with the indices of its inputs, and shape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.graph.borrow();
        let paths = self.all_paths(&graph);
        let path = |index: usize| paths[index].as_deref().unwrap_or("");
        let width = (0..paths.len()).map(|index| path(index).len()).max().unwrap_or(0);
        let digits = paths.len().saturating_sub(1).to_string().len();
        writeln!(f, "Tape of {} values, {}", paths.len(), if self.is_training() { "training" } else { "evaluating" })?;
        for (index, node) in graph.nodes.iter().enumerate() {
            write!(f, "{index:>digits$}  {:<width$}  {}", path(index), node.op.name)?;
            let inputs = graph.inputs_of(index);
            if !inputs.is_empty() {
                let inputs: Vec<String> = inputs.iter().map(u32::to_string).collect();
                write!(f, "({})", inputs.join(", "))?;
            }
            writeln!(f, " {}", node.value.shape())?;
        }
        Ok(())
    }
}

impl<T: Float> fmt::Debug for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({} {} {})", self.index, self.op(), self.shape())
    }
}

#[cfg(test)]
mod tests {
    use tensor::Tensor;

    use super::*;

    /// Two layers and a tanh between them, by hand, with the paths of their weights.
    fn record(tape: &Tape) {
        let [first, second] = [Id::new(), Id::new()];
        tape.set_path(first, "layers.0.weight");
        tape.set_path(second, "layers.1.weight");
        let w = Tensor::ones([2, 2]);
        let x = tape.constant(Tensor::ones([3, 2]));
        let h = x.matmul(tape.named_leaf(first, &w)).tanh();
        let y = h.matmul(tape.named_leaf(second, &w));
        // The first again, of which the leaf is older than the input.
        let _ = y.matmul(tape.named_leaf(first, &w)).scale(2.0);
    }

    #[test]
    fn every_value_belongs_to_the_module_that_made_it() {
        let tape = Tape::new();
        record(&tape);
        let paths: Vec<_> = tape.vars().map(|v| v.path().map(|path| path.to_string()).unwrap_or_default()).collect();
        let (weight_0, weight_1) = ("layers.0.weight", "layers.1.weight");
        let (at_0, at_1) = ("layers.0", "layers.1");
        assert_eq!(paths, ["", weight_0, at_0, at_0, weight_1, at_1, at_0, at_0]);
        // One by one and all at once is the same.
        let all = tape.all_paths(&tape.graph.borrow());
        assert!(tape.vars().map(Var::path).eq(all));
    }

    #[test]
    fn a_tape_prints_as_a_table() {
        let mut tape = Tape::new();
        record(&tape);
        let want = "\
Tape of 8 values, training
0                   constant [3, 2]
1  layers.0.weight  leaf [2, 2]
2  layers.0         matmul(0, 1) [3, 2]
3  layers.0         tanh(2) [3, 2]
4  layers.1.weight  leaf [2, 2]
5  layers.1         matmul(3, 4) [3, 2]
6  layers.0         matmul(5, 1) [3, 2]
7  layers.0         scale(6) [3, 2]
";
        assert_eq!(format!("{tape:?}"), want);
        tape.reset();
        assert_eq!(format!("{tape:?}"), "Tape of 0 values, training\n");
    }

    #[test]
    fn inputs_that_need_no_gradient_are_listed_too_and_without_gradients_all_are() {
        for tape in [Tape::new(), Tape::no_grad()] {
            record(&tape);
            let inputs: Vec<Vec<u32>> =
                tape.vars().map(|v| v.inputs().into_iter().map(|input| input.index).collect()).collect();
            assert_eq!(inputs, [&[][..], &[], &[0, 1], &[2], &[], &[3, 4], &[5, 1], &[6]]);
        }
    }

    #[test]
    fn dot_has_a_box_for_each_value_and_an_arrow_for_each_input() {
        let tape = Tape::new();
        record(&tape);
        let dot = tape.to_dot();
        assert_eq!((dot.matches("label=").count(), dot.matches("->").count()), (8, 8));
        assert!(dot.contains("2 [label=\"layers.0\\nmatmul [3, 2]\", style=solid];\n  0 -> 2;\n  1 -> 2;\n"), "{dot}");
        assert!(dot.contains("0 [label=\"constant [3, 2]\", style=dashed];"), "{dot}");
        // What a label says cannot end it.
        let (id, tape) = (Id::new(), Tape::new());
        tape.set_path(id, "a\"b\\c");
        tape.named_leaf(id, &Tensor::ones([1]));
        assert!(tape.to_dot().contains(r#"[label="a\"b\\c\nleaf [1]""#), "{}", tape.to_dot());
    }
}
