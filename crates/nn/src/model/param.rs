//! The tensors that a model owns: weights and state.

use std::fmt;
use std::sync::Weak;

use autograd::{Id, Tape, Updates, Var};
use tensor::{Float, Tensor};

/// What a model owns a tensor for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be trained.
    Weight,
    /// A weight that is not trained for now; PyTorch's `requires_grad = False`.
    Frozen,
    /// State, such as a running mean: saved, and never trained. PyTorch's buffers.
    State,
}

/// A tensor that a model owns, with a name of its own: a weight, which is trained unless it is frozen, or state, such as a
/// running mean. All belong to what is saved of a model.
///
/// A weight's gradient is found by its name. Used in several places of a model, it is one leaf on the tape and has one
/// gradient. A clone is a parameter of its own; an optimizer that has moved the one goes on with its clone, if that is trained in its
/// place.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::Param;
/// use tensor::Tensor;
///
/// let w = Param::new(Tensor::from([2.0, 3.0]));
/// let tape = Tape::new();
/// let y = (w.on(&tape) * w.on(&tape)).sum(..);
/// assert_eq!(y.backward().named(w.id()), Some(&Tensor::from([4.0, 6.0])));
/// ```
#[doc(alias = "Parameter")]
#[doc(alias = "register_parameter")]
pub struct Param<T: Float = f32> {
    id: Id,
    /// The name of the first of all that are clones of each other.
    root: Id,
    value: Tensor<T>,
    kind: Kind,
    /// The row that stands for nothing, and is 0.
    padding: Option<usize>,
    /// Of a count, what it is exactly: as a value, it is rounded from 2²⁴ on in f32.
    count: Option<u64>,
    /// Lives as long as the average that has put its own value in this one's place.
    lent_to: Weak<()>,
}

impl<T: Float> Param<T> {
    /// A weight that starts at `value`.
    pub fn new(value: Tensor<T>) -> Self {
        let id = Id::new();
        Param { id, root: id, value, kind: Kind::Weight, padding: None, count: None, lent_to: Weak::new() }
    }

    /// State that starts at `value`: no gradient, and no optimizer moves it. PyTorch's buffers.
    ///
    /// A pass changes it by [`Tape::defer_update`], which optimizers and [`Module::apply`](crate::Module::apply) carry out.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Module, Param};
    /// use tensor::Tensor;
    ///
    /// let mut passes = Param::state(Tensor::scalar(0.0));
    /// let tape = Tape::new();
    /// tape.defer_update(passes.id(), 1.0, Tensor::scalar(1.0)); // passes ← 1 · passes + 1
    /// passes.apply(&tape.updates());
    /// assert_eq!(passes.value(), &Tensor::scalar(1.0));
    /// ```
    #[doc(alias = "register_buffer")]
    pub fn state(value: Tensor<T>) -> Self {
        Param { kind: Kind::State, ..Param::new(value) }
    }

    /// State that counts, from 0.
    pub(crate) fn counter() -> Self {
        Param { count: Some(0), ..Param::state(Tensor::scalar(T::ZERO)) }
    }

    /// What a count stands at.
    pub(crate) fn count(&self) -> u64 {
        let value = self.value.item().to_f64();
        // The value may have come from elsewhere, such as a file.
        self.count.filter(|&count| T::from_f64(count as f64).to_f64() == value).unwrap_or(value as u64)
    }

    /// Carries out the changes that passes have deferred.
    #[track_caller]
    pub(crate) fn apply_updates(&mut self, updates: &Updates<T>) {
        let more = updates.count(self.id) as u64;
        if self.count.is_some() && more > 0 {
            let count = self.count() + more;
            self.count = Some(count);
            self.value = Tensor::scalar(T::from_f64(count as f64));
        } else {
            updates.apply(self.id, &mut self.value);
        }
    }

    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is trained: a weight, neither frozen nor state.
    pub fn is_trained(&self) -> bool {
        self.kind == Kind::Weight
    }

    /// Trains the weight no longer, or again; state stays what it is. [`Module::freeze`](crate::Module::freeze) does so by path.
    pub fn set_frozen(&mut self, frozen: bool) {
        if self.kind != Kind::State {
            self.kind = if frozen { Kind::Frozen } else { Kind::Weight };
        }
    }

    /// Its name, by which [`Gradients::named`](autograd::Gradients::named) finds its gradient.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Makes a row stand for nothing: it is 0, also after a file was read.
    pub(crate) fn set_padding(&mut self, row: usize) {
        self.padding = Some(row);
        self.clear_padding();
    }

    /// Makes the row 0 that stands for nothing, if there is one.
    pub(crate) fn clear_padding(&mut self) {
        if let Some(row) = self.padding {
            let width = self.value.numel() / self.value.size(0);
            self.value.as_mut_slice()[row * width..][..width].fill(T::ZERO);
        }
    }

    /// What its clones have in common with it.
    pub(crate) fn root(&self) -> Id {
        self.root
    }

    /// Whether the value is that of an [average](crate::WeightAverage), which is to be swapped out again.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent_to.strong_count() > 0
    }

    /// Takes note of the average whose value this is now, or that it is its own again.
    pub(crate) fn lend(&mut self, to: Weak<()>) {
        self.lent_to = to;
    }

    /// Its present value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// Its value, to be changed. What tapes and clones hold stays as it is.
    pub fn value_mut(&mut self) -> &mut Tensor<T> {
        &mut self.value
    }

    /// The leaf that it is on a tape; what is not trained is a constant there.
    ///
    /// # Panics
    /// The value has changed since its first use on this tape, which must be reset before.
    #[track_caller]
    pub fn on<'t>(&self, tape: &'t Tape<T>) -> Var<'t, T> {
        self.used_by("Param::on", "a parameter", tape)
    }

    /// As [`on`](Self::on), where a panic says by which call of the user's it is used, and which parameter of the layer it is.
    #[track_caller]
    pub(crate) fn used_by<'t>(&self, call: &str, name: &str, tape: &'t Tape<T>) -> Var<'t, T> {
        tape.named_by(self.id, &self.value, self.is_trained(), [call, name])
    }
}

impl<T: Float> Clone for Param<T> {
    /// The same value under a new name.
    fn clone(&self) -> Self {
        let Param { root, kind, padding, count, .. } = *self;
        Param { root, kind, padding, count, ..Param::new(self.value.clone()) }
    }
}

impl<T: Float> fmt::Debug for Param<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Param").field("kind", &self.kind).field("value", &self.value).finish()
    }
}
