//! The tape: an arena of values and pullbacks, in the order in which they were computed.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

use rand::Rng;
use tensor::{Float, Shape, Tensor};

use crate::draws::{KeyLog, Seed};
use crate::id::{Id, Places};
use crate::mode::Mode;
use crate::op::{Op, Role};
use crate::shards::OtherShards;
use crate::state::Updates;

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
#[doc(alias = "GradientTape")]
pub struct Tape<T: Float = f32> {
    /// Changes with every reset, so that gradients can distinguish the tape's present values from past ones.
    pub(crate) id: Id,
    pub(crate) graph: RefCell<Graph<T>>,
    pub(crate) wants_gradients: bool,
    pub(crate) mode: Mode,
    pub(crate) rng: RefCell<Option<Box<dyn Rng + Send>>>,
    /// What the pass draws by, if it was seeded; see `seed`.
    pub(crate) seed: Cell<Option<Seed>>,
    /// The place that was last drawn for, and how often.
    pub(crate) drawn: Cell<(u64, u32)>,
    pub(crate) updates: RefCell<Updates<T>>,
    /// Whether the gradients of all values are kept.
    pub(crate) retains_all: Cell<bool>,
    /// Whether segments stay on the tape, and are not computed again.
    pub(crate) keeps_segments: Cell<bool>,
    /// Where in a model the named leaves are.
    pub(crate) paths: RefCell<Arc<HashMap<Id, Arc<str>>>>,
    /// What stands in for named leaves and constants.
    pub(crate) substitutes: RefCell<Arc<HashMap<Id, Substitute<T>>>>,
    /// What is put on the tape in place of data, by its place there.
    pub(crate) stand_ins: RefCell<HashMap<usize, Tensor<T>>>,
    /// How many scopes there were since the last reset.
    pub(crate) scopes: Cell<u64>,
    /// Added to the tape's length when a random key is derived: the values inside recomputed segments, which are not on this tape.
    pub(crate) key_offset: Cell<i64>,
    /// Parameters already on the enclosing tape; they are not counted again.
    pub(crate) enclosing_names: Places,
    /// What the segment on this tape has drawn, or is to draw again.
    pub(crate) draws: RefCell<KeyLog>,
    pub(crate) other_shards: OtherShards<T>,
}

pub(crate) struct Graph<T: Float> {
    pub(crate) nodes: Vec<Node<T>>,
    /// The inputs of all nodes, one node's after the other's.
    inputs: Vec<u32>,
    /// Where the leaves that have a name of their own are.
    pub(crate) named: Places,
    /// The names that values on the tape stand in for.
    pub(crate) bound: Vec<Id>,
}

/// What stands in for a named leaf or constant.
#[derive(Clone)]
pub(crate) struct Substitute<T: Float> {
    pub(crate) value: Tensor<T>,
    /// Whether it is a leaf whose gradient is wanted: as what it stands in for, or, of a value that is bound outside, as that value.
    pub(crate) trained: Option<bool>,
}

pub(crate) struct Node<T: Float> {
    pub(crate) op: Op,
    pub(crate) value: Tensor<T>,
    pub(crate) needs_gradient: bool,
    /// Whether its gradient is kept though it is no leaf.
    pub(crate) retained: bool,
    /// The name of a leaf that has one.
    pub(crate) name: Option<Id>,
    /// Where it was recorded.
    pub(crate) by: &'static Location<'static>,
    /// Where its inputs end in [`Graph::inputs`]; they begin where those of the node before end.
    inputs_end: u32,
    /// From its gradient to those of its inputs, if any of them needs one.
    pub(crate) pullbacks: Option<Box<dyn Pullbacks<T>>>,
}

impl<T: Float> Default for Graph<T> {
    fn default() -> Self {
        Graph { nodes: Vec::new(), inputs: Vec::new(), named: Places::default(), bound: Vec::new() }
    }
}

impl<T: Float> Graph<T> {
    /// The indices of a node's inputs.
    pub(crate) fn inputs_of(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.nodes[index - 1].inputs_end };
        &self.inputs[start as usize..self.nodes[index].inputs_end as usize]
    }
}

impl Tape {
    /// An empty tape in f32, for training. For another float there is `Tape::<f64>::default()`.
    pub fn new() -> Self {
        Tape::in_mode(Mode::Train)
    }

    /// A tape in f32 for evaluation: its [`Mode`] is `Eval`, and no leaf on it needs a gradient, so no pullback is kept. For
    /// another float there is [`in_mode`](Tape::in_mode).
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
    #[doc(alias = "eval")]
    #[doc(alias = "inference_mode")]
    pub fn no_grad() -> Self {
        Tape::in_mode(Mode::Eval)
    }
}

impl<T: Float> Tape<T> {
    /// An empty tape for any float: [`new`](Tape::new) for `Mode::Train`, [`no_grad`](Tape::no_grad) for `Mode::Eval`.
    ///
    /// # Example
    /// ```
    /// use autograd::{Mode, Tape};
    /// use tensor::{Float, Tensor};
    ///
    /// fn double<T: Float>(x: Tensor<T>) -> Tensor<T> {
    ///     let tape = Tape::in_mode(Mode::Eval);
    ///     let x = tape.leaf(x);
    ///     (x + x).value()
    /// }
    /// assert_eq!(double(Tensor::from([1.0_f64])), Tensor::from([2.0]));
    /// ```
    pub fn in_mode(mode: Mode) -> Self {
        let id = Id::new();
        Tape {
            id,
            graph: RefCell::new(Graph::default()),
            wants_gradients: mode == Mode::Train,
            mode,
            rng: RefCell::new(None),
            seed: Cell::new(None),
            drawn: Cell::default(),
            updates: RefCell::new(Updates::of_pass(id)),
            retains_all: Cell::new(false),
            keeps_segments: Cell::new(false),
            paths: RefCell::default(),
            substitutes: RefCell::default(),
            stand_ins: RefCell::default(),
            scopes: Cell::new(0),
            key_offset: Cell::new(0),
            enclosing_names: Places::default(),
            draws: RefCell::default(),
            other_shards: OtherShards::none(),
        }
    }

    /// A value whose gradient is wanted.
    #[doc(alias = "requires_grad")]
    #[doc(alias = "requires_grad_")]
    pub fn leaf(&self, value: Tensor<T>) -> Var<'_, T> {
        self.push_leaf(Op::LEAF, self.stand_in_for(value), self.wants_gradients, None)
    }

    /// The leaf that is named `id`: made of `value` at its first use, the same one ever after. What is shared between
    /// several places of a model so has one gradient.
    ///
    /// # Panics
    /// The leaf was made of another value: the parameter has changed since then, and the tape has to be reset first.
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
        self.named_by(id, value, true, ["named_leaf", "the value"])
    }

    /// A value whose gradient is not wanted, such as a batch of data.
    pub fn constant(&self, value: Tensor<T>) -> Var<'_, T> {
        self.push_leaf(Op::CONSTANT, self.stand_in_for(value), false, None)
    }

    /// The constant that is named `id`, such as the state of a model: made of `value` at its first use, the same one ever
    /// after.
    ///
    /// # Panics
    /// It was made of another value, as for [`named_leaf`](Self::named_leaf).
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (tape, id, mean) = (Tape::new(), Id::new(), Tensor::from([0.5]));
    /// assert!(!tape.named_constant(id, &mean).needs_gradient());
    /// tape.named_constant(id, &mean);
    /// assert_eq!(tape.len(), 1);
    /// ```
    #[track_caller]
    pub fn named_constant(&self, id: Id, value: &Tensor<T>) -> Var<'_, T> {
        self.named_by(id, value, false, ["named_constant", "the value"])
    }

    /// [`named_leaf`](Self::named_leaf), or [`named_constant`](Self::named_constant) of what is not trained, where a panic says which call
    /// of the user's uses what: a layer's `forward`, and the name that the value has there, unless its path is known.
    ///
    /// # Panics
    /// As there.
    ///
    /// # Example
    /// ```should_panic
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (tape, id) = (Tape::new(), Id::new());
    /// let by = ["Mine::forward", "weight"];
    /// tape.named_by(id, &Tensor::from([1.0]), true, by);
    /// // Mine::forward: weight has changed since its first use on this tape …
    /// tape.named_by(id, &Tensor::from([2.0]), true, by);
    /// ```
    #[track_caller]
    pub fn named_by(&self, id: Id, value: &Tensor<T>, trained: bool, [call, name]: [&str; 2]) -> Var<'_, T> {
        let substitutes = self.substitutes.borrow();
        let substitute = substitutes.get(&id);
        let value = substitute.map_or(value, |substitute| &substitute.value);
        let trained = substitute.and_then(|substitute| substitute.trained).unwrap_or(trained);
        let graph = self.graph.borrow();
        if let Some(index) = graph.named.get(id) {
            let node = &graph.nodes[index as usize];
            let same = node.value.shares_storage(value) && node.value.layout() == value.layout();
            // What stands in for it is as it is.
            if !same && node.name == Some(id) {
                let paths = self.paths.borrow();
                let what = paths.get(&id).map_or(name, |path| path);
                panic!(
                    "{call}: {what} has changed since its first use on this tape; reset the tape after each step, before the next pass{}",
                    tensor::Whereabouts
                );
            }
            return Var { tape: self, index };
        }
        drop(graph);
        let (op, needs_gradient) = if trained { (Op::LEAF, self.wants_gradients) } else { (Op::CONSTANT, false) };
        let leaf = self.push_leaf(op, value.clone(), needs_gradient, Some(id));
        self.graph.borrow_mut().named.insert(id, leaf.index);
        if self.enclosing_names.get(id).is_some() {
            self.key_offset.set(self.key_offset.get() - 1);
        }
        leaf
    }

    /// Lets a value on the tape stand in for the leaf or constant with this name until the next reset, so that its gradient is that of what
    /// the value was computed from: weights that another network makes; PyTorch's `functional_call`.
    ///
    /// # Panics
    /// The name is on the tape already, or the value is on another tape.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (tape, id, weight) = (Tape::new(), Id::new(), Tensor::from([1.0]));
    /// let x = tape.leaf(Tensor::from([3.0]));
    /// tape.bind(id, x * x);
    /// let y = tape.named_leaf(id, &weight);
    /// assert_eq!((y.item(), y.backward().get(x)), (9.0, Some(&Tensor::from([6.0]))));
    /// ```
    #[doc(alias = "functional_call")]
    #[track_caller]
    pub fn bind(&self, id: Id, value: Var<'_, T>) {
        assert!(std::ptr::eq(self, value.tape), "bind: the value is on another tape");
        let graph = &mut *self.graph.borrow_mut();
        assert!(graph.named.get(id).is_none(), "bind: the name is on the tape already; bind it before its first use");
        graph.named.insert(id, value.index);
        graph.bound.push(id);
    }

    /// Lets another value stand in for that of the leaf or constant with this name, wherever it is put on the tape from now on: what
    /// a model would do with other weights, while it stays as it is. It holds for the tape's life.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (id, weight) = (Id::new(), Tensor::from([1.0]));
    /// let tape = Tape::new();
    /// tape.substitute(id, Tensor::from([5.0]));
    /// assert_eq!(tape.named_leaf(id, &weight).item(), 5.0);
    /// ```
    pub fn substitute(&self, id: Id, value: Tensor<T>) {
        Arc::make_mut(&mut self.substitutes.borrow_mut()).insert(id, Substitute { value, trained: None });
    }

    /// Lets another value of the same shape stand in for the data that are the `index`-th value on the tape: a leaf or a constant without a
    /// name, or rows of a table. What a model makes of other inputs, while what puts them on the tape stays as it is. It holds for the
    /// tape's life, and not within scopes and segments.
    ///
    /// # Panics
    /// Where such a value has another shape.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let double = |tape: &Tape| tape.constant(Tensor::from([1.0, 2.0])).scale(2.0).value();
    /// let tape = Tape::new();
    /// tape.stand_in(0, Tensor::zeros([2]));
    /// assert_eq!(double(&tape), Tensor::zeros([2]));
    /// ```
    pub fn stand_in(&self, index: usize, value: Tensor<T>) {
        self.stand_ins.borrow_mut().insert(index, value);
    }

    /// The next value on the tape, or what stands in for it.
    pub(crate) fn stand_in_for(&self, value: Tensor<T>) -> Tensor<T> {
        let stand_ins = self.stand_ins.borrow();
        if stand_ins.is_empty() {
            return value;
        }
        match stand_ins.get(&self.len()) {
            Some(other) => {
                let (old, new) = (value.shape(), other.shape());
                assert!(
                    old == new,
                    "stand_in: value {} on the tape is {old}, and {new} cannot stand in for it",
                    self.len()
                );
                other.clone()
            }
            None => value,
        }
    }

    /// Keeps the gradients of all values in every `backward` from now on, or no longer: for diagnostics. Each costs the
    /// memory of its value.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.retain_gradients(true);
    /// let h = tape.leaf(Tensor::from([0.0])).tanh();
    /// assert_eq!(h.scale(2.0).backward().get(h), Some(&Tensor::from([2.0])));
    /// ```
    pub fn retain_gradients(&self, all: bool) {
        self.retains_all.set(all);
    }

    /// Puts all that [segments](Var::recomputed) compute on the tape from now on, as if they were none, or no longer: for diagnostics.
    /// Values and gradients are the same; the memory that segments save is not.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.keep_segments(true);
    /// let y = tape.leaf(Tensor::from([1.0])).recomputed(|x| x.tanh().square());
    /// assert_eq!((y.op(), tape.len()), ("square", 3));
    /// ```
    pub fn keep_segments(&self, keep: bool) {
        self.keeps_segments.set(keep);
    }

    /// How many [scopes](Self::scope) there were since the last reset, whose values are on no tape any more.
    ///
    /// # Example
    /// ```
    /// let tape = autograd::Tape::new();
    /// tape.scope(|_| ());
    /// assert_eq!(tape.scopes(), 1);
    /// ```
    pub fn scopes(&self) -> u64 {
        self.scopes.get()
    }

    /// How many values are on the tape.
    pub fn len(&self) -> usize {
        self.graph.borrow().nodes.len()
    }

    /// Whether nothing is on the tape.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes everything off the tape and keeps its memory; the [seed](Self::seed) is forgotten too. No handle survives it: using one is a
    /// compile error.
    ///
    /// ```compile_fail
    /// # use autograd::Tape;
    /// # use tensor::Tensor;
    /// let mut tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0]));
    /// tape.reset();
    /// x.tanh(); // error: `tape` is borrowed
    /// ```
    #[doc(alias = "zero_grad")]
    pub fn reset(&mut self) {
        self.id = Id::new();
        let graph = self.graph.get_mut();
        graph.nodes.clear();
        graph.inputs.clear();
        graph.named.clear();
        graph.bound.clear();
        self.seed.set(None);
        self.drawn.set((0, 0));
        self.scopes.set(0);
        self.key_offset.set(0);
        *self.draws.get_mut() = KeyLog::default();
        self.other_shards = OtherShards::none();
        // The gradients of the pass carry its updates; what nobody took is forgotten.
        *self.updates.get_mut() = Updates::of_pass(self.id);
    }

    #[track_caller]
    fn push_leaf(&self, op: Op, value: Tensor<T>, needs_gradient: bool, name: Option<Id>) -> Var<'_, T> {
        let graph = &mut *self.graph.borrow_mut();
        let index = number(graph.nodes.len());
        let (inputs_end, by) = (number(graph.inputs.len()), Location::caller());
        graph.nodes.push(Node { op, value, needs_gradient, retained: false, name, by, inputs_end, pullbacks: None });
        Var { tape: self, index }
    }

    /// Puts a result on the tape; its pullbacks are kept if any input needs a gradient.
    #[track_caller]
    pub(crate) fn push(&self, op: Op, value: Tensor<T>, pullbacks: impl Pullbacks<T>) -> Var<'_, T> {
        let graph = &mut *self.graph.borrow_mut();
        let index = number(graph.nodes.len());
        pullbacks.list_inputs(&mut graph.inputs);
        let inputs_end = number(graph.inputs.len());
        let needs_gradient = pullbacks.needed();
        let pullbacks = needs_gradient.then(|| Box::new(pullbacks) as Box<dyn Pullbacks<T>>);
        let by = Location::caller();
        graph.nodes.push(Node { op, value, needs_gradient, retained: false, name: None, by, inputs_end, pullbacks });
        Var { tape: self, index }
    }
}

/// An index of the arenas, in 32 bits.
fn number(len: usize) -> u32 {
    u32::try_from(len).expect("a tape holds at most 2³² values and inputs: reset it between steps")
}

impl<T: Float> Default for Tape<T> {
    /// An empty tape for training, for any float.
    fn default() -> Self {
        Tape::in_mode(Mode::Train)
    }
}

/// The pullbacks of a node, and its inputs, which are all of them: those too that need no gradient.
pub trait Pullbacks<T: Float>: Send + 'static {
    /// How many inputs there are.
    fn count(&self) -> usize;

    /// Puts the inputs' indices into `to`.
    fn list_inputs(&self, to: &mut Vec<u32>);

    /// Whether any input needs a gradient.
    fn needed(&self) -> bool;

    /// Turns the gradient of the result into those of the inputs that need one.
    fn pull(&self, gradient: Tensor<T>, given: &mut PulledGradients<T>);
}

/// A gradient of some elements of a value: those of the others are 0. It is added where it belongs: a sequence that is taken apart step by
/// step gets as much as it has, and not all of it for each step; a table of words, the rows of those that were looked up.
pub(crate) struct PartGradient<T: Float> {
    pub(crate) gradient: Tensor<T>,
    pub(crate) place: Place,
}

/// Where in a value the elements of a [`PartGradient`] are.
#[derive(Clone)]
pub(crate) enum Place {
    /// At as many indices of an axis from `start` on.
    Slice { axis: usize, start: usize },
    /// At these indices of an axis, which may be there several times.
    Rows { axis: isize, indices: Tensor<i64> },
    /// Each at an index of its own along an axis, as `gather` takes them.
    Elements { axis: isize, indices: Tensor<i64> },
}

/// What the pullbacks of a node have given.
pub struct PulledGradients<T: Float> {
    /// By the inputs' indices, in their shapes.
    pub(crate) shares: Vec<(u32, Tensor<T>)>,
    /// By the inputs' indices.
    pub(crate) parts: Vec<(u32, PartGradient<T>)>,
    /// An input that a joint pullback left out.
    pub(crate) missing: Option<u32>,
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

    /// Its position on the tape, which is its place in [`Tape::vars`]: inputs come before results.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0]));
    /// assert_eq!((x.index(), x.tanh().index()), (0, 1));
    /// ```
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The value; sharing it copies nothing.
    pub fn value(self) -> Tensor<T> {
        self.tape.graph.borrow().nodes[self.index as usize].value.clone()
    }

    /// The value, for as long as a statement takes: nothing can be put on the tape meanwhile. It saves the two atomic operations of sharing
    /// it, 12 ns.
    pub(crate) fn peek(&self) -> Ref<'t, Tensor<T>> {
        Ref::map(self.tape.graph.borrow(), |graph| &graph.nodes[self.index as usize].value)
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
        self.tape.graph.borrow().nodes[self.index as usize].op.name
    }

    /// What the op that computed it does to a signal.
    pub fn role(self) -> Role {
        self.tape.graph.borrow().nodes[self.index as usize].op.role
    }

    /// Whether it was put on the tape as a part of a model: a leaf, or a constant that has a name of its own, such as a weight
    /// that is not trained.
    pub fn is_parameter(self) -> bool {
        let node = &self.tape.graph.borrow().nodes[self.index as usize];
        match node.op.role {
            Role::Leaf => true,
            Role::Constant => node.name.is_some(),
            _ => false,
        }
    }

    /// The name that it was put on the tape by, if it has one: that of a parameter.
    pub fn id(self) -> Option<Id> {
        self.tape.graph.borrow().nodes[self.index as usize].name
    }

    /// Whether it depends on a leaf whose gradient is wanted.
    pub fn needs_gradient(self) -> bool {
        self.tape.graph.borrow().nodes[self.index as usize].needs_gradient
    }

    /// Keeps its gradient in [`backward`](Self::backward), as if it were a leaf. Where it needs none, this does nothing.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let h = tape.leaf(Tensor::from([1.0, 2.0])).scale(3.0).retain_gradient();
    /// assert_eq!((h * h).sum(..).backward().get(h), Some(&Tensor::from([6.0, 12.0])));
    /// ```
    pub fn retain_gradient(self) -> Self {
        self.tape.graph.borrow_mut().nodes[self.index as usize].retained = true;
        self
    }
}
