//! One pass through a model as a graph without element type: what each value is, what it was computed from, and how the signal
//! goes from the inputs to the losses.
//!
//! *The way back.* From each value one step leads back to where its signal comes from. Where several signals meet that come from
//! the same value, such as a residual branch and its trunk, the step leads there, past all branches: what counts is the sum.
//! Where they come from different inputs, it follows the one that went through more layers. So a path is a list, however wide the
//! network, and all of it is found in one pass over the tape.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use autograd::{Gradients, NonFinite, Role, Var, first_not_finite, first_not_finite_gradient};
use tensor::Float;

use crate::read::numbers::{Numbers, Units};

/// The values on a tape up to the loss, in the order in which they were computed.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) loss: usize,
    /// The op that gave the first value that is not finite, and what it gave.
    pub(crate) lost: Option<(usize, NonFinite)>,
    /// The op whose pullback gave the first gradient that is not finite, and what it gave.
    pub(crate) lost_backward: Option<(usize, NonFinite)>,
    /// How many scopes there were in the pass, whose values are gone.
    pub(crate) scopes: u64,
    /// How the signal comes to each.
    pub(crate) flow: Vec<Reach>,
}

/// A value, and what it was computed by.
pub(crate) struct Node {
    pub(crate) op: &'static str,
    pub(crate) role: Role,
    pub(crate) inputs: Vec<usize>,
    /// The module that it belongs to.
    pub(crate) path: Option<Arc<str>>,
    /// Whether it is a part of the model, and then whether that is trained.
    pub(crate) parameter: Option<bool>,
    /// Whether it is a leaf that the model does not list, and has a name.
    pub(crate) unlisted: Option<bool>,
    pub(crate) value: Numbers,
    /// That of the loss with respect to it.
    pub(crate) gradient: Option<Numbers>,
    pub(crate) units: OnceCell<Units>,
}

/// How the signal comes to a value, and where it goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Whether the loss depends on it.
    pub(crate) behind: bool,
    /// Whether it depends on data, and not on parameters alone.
    pub(crate) data: bool,
    /// Whether it depends on a parameter.
    pub(crate) model: bool,
    /// One step back on the way from the inputs; `None` at an input.
    pub(crate) back: Option<usize>,
    /// Where that way begins, how many steps ago, and through how many layers it went.
    root: usize,
    steps: u32,
    pub(crate) layers: u32,
    /// Whether branches from one value meet here.
    pub(crate) joins: bool,
    /// Whether another layer comes after it.
    pub(crate) hidden: bool,
    /// Whether it goes into a product with another value, as a gate does, and into any op with another value.
    pub(crate) gates: bool,
    pub(crate) mixes: bool,
    /// Which axis counts units; all others count examples. `None`: each element is an example of one unit.
    pub(crate) axis: Option<usize>,
    /// The latest layer before it, and how many activations ago.
    pub(crate) source: Option<usize>,
    after: u32,
}

/// An op with weights that scale its result: a linear layer, or a normalization.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) output: usize,
    pub(crate) input: usize,
    pub(crate) weight: usize,
    pub(crate) bias: Option<usize>,
    /// Whether the bias is a part of the op, and not added to its result.
    pub(crate) bias_within: bool,
    /// Whether it is a normalization, so that its result does not depend on the scale of its input.
    pub(crate) normalizes: bool,
}

impl Graph {
    /// Reads the tape of a loss. `listed` says whether a leaf with this name is the model's; without, all are.
    pub(crate) fn read<T: Float>(
        loss: Var<'_, T>,
        gradients: Option<&Gradients<T>>,
        listed: Option<&dyn Fn(autograd::Id) -> bool>,
    ) -> Self {
        let tape = loss.tape();
        let read = |(var, path): (Var<'_, T>, Option<Arc<str>>)| Node {
            op: var.op(),
            role: var.role(),
            inputs: var.inputs().iter().map(|input| input.index()).collect(),
            path: path.filter(|path| !path.is_empty()),
            parameter: var.is_parameter().then(|| matches!(var.role(), Role::Leaf)),
            unlisted: listed
                .filter(|listed| matches!(var.role(), Role::Leaf) && !var.id().is_some_and(listed))
                .map(|_| var.id().is_some()),
            value: Numbers::of(&var.value()),
            gradient: gradients.and_then(|gradients| gradients.get(var)).map(Numbers::of),
            units: OnceCell::new(),
        };
        let nodes = tape.vars().zip(tape.paths()).take(loss.index() + 1).map(read).collect();
        let by_index = |(var, held): (Var<'_, T>, NonFinite)| (var.index(), held);
        let lost_backward = gradients.and_then(|gradients| first_not_finite_gradient(loss, gradients)).map(by_index);
        let lost = first_not_finite(loss).map(by_index);
        Graph { lost, lost_backward, scopes: tape.scopes(), ..Graph::new(nodes) }
    }

    /// Makes the graph of nodes; the last is the loss.
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        let loss = nodes.len() - 1;
        let mut graph = Graph {
            flow: vec![Reach::default(); nodes.len()],
            nodes,
            loss,
            lost: None,
            lost_backward: None,
            scopes: 0,
        };
        graph.flow[loss].behind = true;
        graph.mark_backward();
        for index in 0..graph.nodes.len() {
            graph.flow[index] = graph.flow_into(index);
        }
        graph
    }

    /// What the loss depends on, and after what another layer comes.
    fn mark_backward(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            let Reach { behind, hidden, .. } = self.flow[index];
            if !behind {
                continue;
            }
            let hides = hidden || matches!(self.nodes[index].role, Role::Affine { .. });
            let (role, inputs) = (self.nodes[index].role, &self.nodes[index].inputs);
            let others = inputs.len() > 1 && inputs[0] != inputs[1] && !matches!(role, Role::Loss { .. });
            for &input in inputs {
                let flow = &mut self.flow[input];
                flow.behind = true;
                flow.hidden |= hides;
                flow.gates |= others && matches!(role, Role::Multiplying);
                flow.mixes |= others;
            }
        }
        // A leaf without a name that is put into a layer as its signal is data.
        for node in &self.nodes {
            let takes_signal = matches!(node.role, Role::Affine { .. } | Role::Activation(_) | Role::Function { .. });
            if let (true, Some(&input)) = (takes_signal, node.inputs.first()) {
                self.flow[input].data |= self.nodes[input].path.is_none();
            }
        }
    }

    fn flow_into(&self, index: usize) -> Reach {
        let (node, marked) = (&self.nodes[index], &self.flow[index]);
        let begins = match node.role {
            Role::Lookup => true,
            Role::Constant => node.parameter.is_none(),
            Role::Leaf => marked.data,
            _ => false,
        };
        let model = node.parameter == Some(true) || node.inputs.iter().any(|&input| self.flow[input].model);
        let mut flow = Reach { root: index, data: begins, model, axis: self.last_axis(index), ..marked.clone() };
        if begins {
            return flow;
        }
        let mut signals: Vec<usize> = node.inputs.iter().copied().filter(|&input| self.flow[input].data).collect();
        signals.dedup();
        let Some(&first) = signals.first() else { return flow };
        let mut back = first;
        for &other in &signals[1..] {
            if self.flow[other].root == self.flow[back].root {
                flow.joins = true;
                back = self.common_ancestor(back, other);
            } else if self.rank(other) > self.rank(back) {
                back = other;
            }
        }
        let before = &self.flow[back];
        (flow.back, flow.root, flow.steps) = (Some(back), before.root, before.steps + 1);
        let through = signals.iter().map(|&input| self.flow[input].layers).max().unwrap_or(0);
        flow.layers = through;
        // Of several layers whose results are added, the latest is it, as it is for paths.
        let latest = signals.iter().copied().max_by_key(|&input| self.flow[input].source).unwrap_or(back);
        (flow.source, flow.after) = (self.flow[latest].source, self.flow[latest].after);
        match node.role {
            Role::Affine { .. } => {
                flow.layers += 1;
                (flow.source, flow.after) = (Some(index), 0);
            }
            Role::Normalizing { .. } | Role::NormalizingChannels { .. } => {
                (flow.source, flow.after) = (Some(index), 0);
            }
            Role::Activation(_) | Role::Function { .. } => flow.after += 1,
            _ => {}
        }
        flow.axis = self.axis(index, latest);
        // At a loss the way ends: what many add up to is no place on it.
        let is_number = matches!(node.role, Role::Reducing) && node.value.numel() == 1 && !flow.hidden;
        flow.data = !(matches!(node.role, Role::Loss { .. }) || is_number);
        flow
    }

    /// Which of several ways is followed: one that carries something, and the one through more layers.
    fn rank(&self, index: usize) -> (bool, u32, u32) {
        let flow = &self.flow[index];
        (self.varies(flow.root), flow.layers, flow.steps)
    }

    /// The value from which both ways come.
    fn common_ancestor(&self, mut one: usize, mut other: usize) -> usize {
        while one != other {
            let (first, second) = (&self.flow[one], &self.flow[other]);
            match first.steps >= second.steps {
                true => one = first.back.unwrap_or(other),
                false => other = second.back.unwrap_or(one),
            }
        }
        one
    }

    fn last_axis(&self, index: usize) -> Option<usize> {
        self.nodes[index].value.dims().len().checked_sub(1)
    }

    /// Which axis counts units: by the op's own convention, else as in what it was computed from, else the last.
    fn axis(&self, index: usize, from: usize) -> Option<usize> {
        let (node, last) = (&self.nodes[index], self.last_axis(index));
        let (dims, before) = (node.value.dims(), self.nodes[from].value.dims());
        match node.role {
            Role::NormalizingChannels { .. } => return Some(1),
            // The weight of a convolution is [out, in, …].
            Role::Affine { weight, .. } => {
                let weight = self.nodes[node.inputs[weight]].value.dims();
                let is_convolution =
                    weight.len() > 2 && dims.len() > 2 && weight[0] == dims[1] && weight.last() != dims.last();
                return if is_convolution { Some(1) } else { last };
            }
            // A parameter that is a vector along one axis is one number for each unit.
            Role::Adding | Role::Multiplying => {
                let vector = |&input: &usize| {
                    let of = self.nodes[input].parameter.and(Some(self.nodes[input].value.dims()))?;
                    let mut wide = (0..of.len()).filter(|&axis| of[axis] > 1);
                    Some(wide.next()? + dims.len() - of.len()).filter(|_| wide.next().is_none())
                };
                if let Some(axis) = node.inputs.iter().find_map(vector) {
                    return Some(axis);
                }
            }
            _ => {}
        }
        let axis = self.flow[from].axis;
        let units = axis.map_or(1, |axis| before[axis]);
        match axis {
            _ if dims == before => axis,
            Some(axis) if dims.len() == before.len() && dims[axis] == units => Some(axis),
            _ if dims.iter().product::<usize>() == before.iter().product::<usize>() => match dims.last() {
                Some(&width) if units == 1 && width != 1 => None,
                _ => last,
            },
            _ => last,
        }
    }

    /// The values that the loss depends on, in the order in which they were computed.
    pub(crate) fn relevant(&self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.nodes.len()).filter(|&index| self.flow[index].behind)
    }

    pub(crate) fn input(&self, index: usize, place: usize) -> Option<usize> {
        self.nodes[index].inputs.get(place).copied()
    }

    /// The way from an input to a value, both included.
    pub(crate) fn path_to(&self, index: usize) -> Vec<usize> {
        let mut way: Vec<usize> = std::iter::successors(Some(index), |&index| self.flow[index].back).collect();
        way.reverse();
        way
    }

    /// The products with a weight, and the normalizations.
    pub(crate) fn affine(&self, output: usize) -> Option<Affine> {
        let (weight, bias, normalizes) = match self.nodes[output].role {
            Role::Affine { weight, bias } => (weight, bias, false),
            Role::Normalizing { weight, bias } => (weight, bias, true),
            Role::NormalizingChannels { weight, bias } => (weight, Some(bias), true),
            _ => return None,
        };
        let bias = bias.and_then(|bias| self.input(output, bias));
        let (input, weight) = (self.input(output, 0)?, self.input(output, weight)?);
        Some(Affine { output, input, weight, bias, bias_within: bias.is_some(), normalizes })
    }

    /// What scales a value: the nearest op with weights on the way to it, if only ops that leave the scale as it is lie
    /// between. A bias that is added on the way counts as its own.
    pub(crate) fn scaled_by(&self, index: usize) -> Option<Affine> {
        let (mut at, mut added) = (index, None);
        loop {
            if let Some(affine) = self.affine(at) {
                return Some(Affine { bias: affine.bias.or(added), ..affine });
            }
            at = match self.nodes[at].role {
                // The rows of a table are the weights themselves.
                Role::Lookup => {
                    let weight = self.input(at, 0)?;
                    return Some(Affine {
                        output: at,
                        input: at,
                        weight,
                        bias: added,
                        bias_within: false,
                        normalizes: false,
                    });
                }
                Role::Keeping | Role::Scaling | Role::Masking => self.input(at, 0)?,
                Role::Adding if !self.flow[at].joins => {
                    let (one, other) = (self.input(at, 0)?, self.input(at, 1)?);
                    let (value, more) =
                        if self.flow[one].data && self.flow[one].model { (one, other) } else { (other, one) };
                    if self.flow[more].data && self.flow[more].model {
                        return None;
                    }
                    added = added.or(Some(more).filter(|&more| self.nodes[more].parameter.is_some()));
                    value
                }
                _ => return None,
            };
        }
    }

    /// Each unit over the examples.
    pub(crate) fn units(&self, index: usize) -> &Units {
        let node = &self.nodes[index];
        node.units.get_or_init(|| node.value.units(self.flow[index].axis))
    }

    /// The signal: the root mean square over units of how much each varies over the examples. NaN for one example.
    pub(crate) fn spread(&self, index: usize) -> f64 {
        crate::read::numbers::root_mean_square(&self.units(index).std)
    }

    /// Whether a value differs from example to example, as far as it can be told.
    pub(crate) fn varies(&self, index: usize) -> bool {
        self.spread(index) != 0.0
    }

    pub(crate) fn gradient_rms(&self, index: usize) -> Option<f64> {
        self.nodes[index].gradient.as_ref().map(Numbers::rms)
    }

    /// A name: the module that it belongs to, or the last on the way to it, or its op and position where no module is known.
    pub(crate) fn place(&self, index: usize) -> String {
        let mut way = std::iter::successors(Some(index), |&index| self.flow[index].back);
        let path = way.find_map(|index| self.nodes[index].path.as_ref());
        path.map_or_else(|| format!("{}({index})", self.nodes[index].op), |path| path.to_string())
    }

    /// Values that are one and the same place in the model, used more than once: those of an op after the same weight.
    pub(crate) fn uses(&self, values: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
        let mut places: HashMap<(usize, &str, u32, usize), usize> = HashMap::new();
        let mut uses: Vec<Vec<usize>> = Vec::new();
        for index in values {
            let weight = self.flow[index].source.and_then(|source| self.affine(source)).map(|affine| affine.weight);
            // Parts of what a layer gives have units of their own, such as gates of several widths.
            let units = self.flow[index].axis.map_or(1, |axis| self.nodes[index].value.dims()[axis]);
            let key = (weight.unwrap_or(index), self.nodes[index].op, self.flow[index].after, units);
            match places.get(&key) {
                Some(&place) => uses[place].push(index),
                None => {
                    places.insert(key, uses.len());
                    uses.push(vec![index]);
                }
            }
        }
        uses
    }
}

/// Makes names distinct: the second `hidden` is `hidden #2`.
pub(crate) fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let number = |name: String| {
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name} #{times}") }
    };
    names.map(number).collect()
}

#[cfg(test)]
impl Node {
    /// Without a tape: leaves are trained.
    pub(crate) fn of_test(op: autograd::Op, inputs: &[usize], value: &tensor::Tensor<f32>) -> Self {
        Node {
            op: op.name,
            role: op.role,
            inputs: inputs.to_vec(),
            path: None,
            parameter: matches!(op.role, Role::Leaf).then_some(true),
            unlisted: None,
            value: Numbers::of(value),
            gradient: None,
            units: OnceCell::new(),
        }
    }
}
