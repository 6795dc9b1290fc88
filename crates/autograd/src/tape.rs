//! The tape: an arena of values and pullbacks, in the order in which they were computed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use tensor::{Float, Shape, Tensor};

use crate::id::Id;

/// Turns the gradient of a result into its share of the gradient of one input. It comes by value: its buffer can be
/// reused when this is its last use.
pub(crate) type Pullback<T> = Box<dyn Fn(Tensor<T>) -> Tensor<T> + Send>;

/// A recording of a computation, from which gradients are taken.
///
/// Values are kept in order of creation, which is a topological order: going backward is a loop, and no graph is too
/// deep for it. [`reset`](Tape::reset) empties the tape and keeps its memory, for the next step of a training loop.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use tensor::Tensor;
///
/// let mut tape = Tape::new();
/// let mut w = Tensor::from([3.0, -4.0]);
/// for _ in 0..100 {
///     let v = tape.leaf(w.clone());
///     let gradients = (v * v).sum(..).backward();
///     w.axpy(-0.1, gradients.get(v).unwrap());
///     tape.reset();
/// }
/// assert!(w.iter().all(|x: f32| x.abs() < 1e-6));
/// ```
pub struct Tape<T: Float = f32> {
    /// Changes with every reset, so that gradients can tell the tape's present values from past ones.
    pub(crate) id: Id,
    pub(crate) graph: RefCell<Graph<T>>,
    wants_gradients: bool,
}

pub(crate) struct Graph<T: Float> {
    pub(crate) nodes: Vec<Node<T>>,
    pub(crate) edges: Vec<Edge<T>>,
    /// Where the leaves that have a name of their own are.
    named: HashMap<Id, u32>,
}

pub(crate) struct Node<T: Float> {
    pub(crate) op: &'static str,
    pub(crate) value: Tensor<T>,
    pub(crate) needs_gradient: bool,
    /// The name of a leaf that has one.
    pub(crate) name: Option<Id>,
    /// The last edge to an input; each edge points on to the one before it.
    pub(crate) edge: Option<u32>,
}

/// From a result to one of its inputs that needs a gradient.
pub(crate) struct Edge<T: Float> {
    pub(crate) input: u32,
    pub(crate) pullback: Pullback<T>,
    pub(crate) next: Option<u32>,
}

impl<T: Float> Tape<T> {
    /// An empty tape.
    pub fn new() -> Self {
        Tape::with_gradients(true)
    }

    /// A tape for evaluation: no leaf on it needs a gradient, so no pullback is kept.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::no_grad();
    /// let x = tape.leaf(Tensor::from([2.0]));
    /// assert!(!(x * x).needs_gradient());
    /// ```
    pub fn no_grad() -> Self {
        Tape::with_gradients(false)
    }

    fn with_gradients(wants_gradients: bool) -> Self {
        let graph = Graph { nodes: Vec::new(), edges: Vec::new(), named: HashMap::new() };
        Tape { id: Id::new(), graph: RefCell::new(graph), wants_gradients }
    }

    /// A value whose gradient is wanted.
    pub fn leaf(&self, value: Tensor<T>) -> Var<'_, T> {
        self.push("leaf", value, self.wants_gradients, None, None)
    }

    /// The leaf that is named `id`: made of `value` at its first use, the same one ever after. What is shared between
    /// several places of a model so has one gradient.
    ///
    /// # Panics
    /// The leaf was made of another value: it has changed since, and the tape must be reset before it is used again.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (id, w) = (Id::new(), Tensor::from([3.0]));
    /// let y = (tape.named_leaf(id, &w) * tape.named_leaf(id, &w)).sum(..);
    /// assert_eq!(y.backward().named(id), Some(&Tensor::from([6.0])));
    /// ```
    #[track_caller]
    pub fn named_leaf(&self, id: Id, value: &Tensor<T>) -> Var<'_, T> {
        let graph = self.graph.borrow();
        if let Some(&index) = graph.named.get(&id) {
            let leaf = Var { tape: self, index };
            let known = &graph.nodes[index as usize].value;
            let same = known.shares_storage(value) && known.layout() == value.layout();
            assert!(same, "named_leaf: the value has changed since its first use on this tape; reset the tape before");
            return leaf;
        }
        drop(graph);
        let leaf = self.push("leaf", value.clone(), self.wants_gradients, Some(id), None);
        self.graph.borrow_mut().named.insert(id, leaf.index);
        leaf
    }

    /// A value whose gradient is not wanted, such as a batch of data.
    pub fn constant(&self, value: Tensor<T>) -> Var<'_, T> {
        self.push("constant", value, false, None, None)
    }

    /// How many values are on the tape.
    pub fn len(&self) -> usize {
        self.graph.borrow().nodes.len()
    }

    /// Whether nothing is on the tape.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes everything off the tape and keeps its memory. No handle survives it: using one is a compile error.
    ///
    /// ```compile_fail
    /// # use autograd::Tape;
    /// # use tensor::Tensor;
    /// let mut tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0]));
    /// tape.reset();
    /// x.tanh(); // error: `tape` is borrowed
    /// ```
    pub fn reset(&mut self) {
        self.id = Id::new();
        let graph = self.graph.get_mut();
        graph.nodes.clear();
        graph.edges.clear();
        graph.named.clear();
    }

    fn push(
        &self,
        op: &'static str,
        value: Tensor<T>,
        needs_gradient: bool,
        name: Option<Id>,
        edge: Option<u32>,
    ) -> Var<'_, T> {
        let nodes = &mut self.graph.borrow_mut().nodes;
        let index = number(nodes.len());
        nodes.push(Node { op, value, needs_gradient, name, edge });
        Var { tape: self, index }
    }
}

/// An index of the arena: 32 bits keep edges small.
fn number(len: usize) -> u32 {
    u32::try_from(len).expect("a tape holds at most 2³² values: reset it between steps")
}

impl<T: Float> Default for Tape<T> {
    fn default() -> Self {
        Tape::new()
    }
}

impl<T: Float> fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.graph.borrow();
        let mut list = f.debug_list();
        for (index, node) in graph.nodes.iter().enumerate() {
            list.entry(&format_args!("{index} {} {}", node.op, node.value.shape()));
        }
        list.finish()
    }
}

/// A value on a tape: a handle to copy about and compute with.
#[derive(Clone, Copy)]
pub struct Var<'t, T: Float = f32> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) index: u32,
}

impl<'t, T: Float> Var<'t, T> {
    /// The tape that it is on.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// The value; sharing it copies nothing.
    pub fn value(self) -> Tensor<T> {
        self.tape.graph.borrow().nodes[self.index as usize].value.clone()
    }

    /// The shape of the value.
    pub fn shape(self) -> Shape {
        self.tape.graph.borrow().nodes[self.index as usize].value.shape().clone()
    }

    /// The only element of a value that has one.
    ///
    /// # Panics
    /// There are more elements, or none.
    #[track_caller]
    pub fn item(self) -> T {
        self.value().item()
    }

    /// The name of the op that computed it; `"leaf"` and `"constant"` for what was put on the tape.
    pub fn op(self) -> &'static str {
        self.tape.graph.borrow().nodes[self.index as usize].op
    }

    /// Whether it depends on a leaf whose gradient is wanted.
    pub fn needs_gradient(self) -> bool {
        self.tape.graph.borrow().nodes[self.index as usize].needs_gradient
    }

    /// Begins to record `value` as the result of the op `op`, on this handle's tape; see the
    /// [crate's page](crate#writing-an-op).
    pub fn record(self, op: &'static str, value: Tensor<T>) -> Record<'t, T> {
        Record { tape: self.tape, op, value, edge: None }
    }
}

impl<T: Float> fmt::Debug for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({} {} {})", self.index, self.op(), self.shape())
    }
}

/// A result on its way onto the tape.
#[must_use = "nothing is on the tape before `done`"]
pub struct Record<'t, T: Float> {
    tape: &'t Tape<T>,
    op: &'static str,
    value: Tensor<T>,
    edge: Option<u32>,
}

impl<'t, T: Float> Record<'t, T> {
    /// Gives the pullback of one input: from the gradient of the result to that of the input, in the input's shape.
    ///
    /// It is dropped at once where the input needs no gradient. An op that uses an input twice gives two pullbacks.
    ///
    /// # Panics
    /// The input is on another tape.
    #[track_caller]
    pub fn wrt(mut self, input: Var<'t, T>, pullback: impl Fn(Tensor<T>) -> Tensor<T> + Send + 'static) -> Self {
        assert!(
            std::ptr::eq(self.tape, input.tape),
            "{}: its inputs are on two tapes; put them on one with `leaf` or `constant`",
            self.op
        );
        let graph = &mut *self.tape.graph.borrow_mut();
        if graph.nodes[input.index as usize].needs_gradient {
            let next = self.edge.replace(number(graph.edges.len()));
            graph.edges.push(Edge { input: input.index, pullback: Box::new(pullback), next });
        }
        self
    }

    /// Puts the result on the tape.
    pub fn done(self) -> Var<'t, T> {
        self.tape.push(self.op, self.value, self.edge.is_some(), None, self.edge)
    }
}
