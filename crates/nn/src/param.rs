//! The tensors that a model owns: weights, which are trained, and state.

use autograd::{Id, Tape, Var};
use tensor::{Float, Tensor};

/// A tensor that a model owns, with a name of its own: a weight, which is trained, or state, which is not, such as a
/// running mean. Both belong to what is saved of a model.
///
/// A weight's gradient is found by its name. Used in several places of a model, it is one leaf on the tape and has one
/// gradient. A clone is a parameter of its own.
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
#[derive(Debug)]
pub struct Param<T: Float = f32> {
    id: Id,
    value: Tensor<T>,
    trained: bool,
}

impl<T: Float> Param<T> {
    /// A weight that starts at `value`.
    pub fn new(value: Tensor<T>) -> Self {
        Param { id: Id::new(), value, trained: true }
    }

    /// State that starts at `value`: no gradient, and no optimizer moves it. PyTorch's buffers.
    ///
    /// A pass changes it by [`Tape::put_aside`], which optimizers and [`Module::apply`](crate::Module::apply) carry out.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Module, Param};
    /// use tensor::Tensor;
    ///
    /// let mut passes = Param::state(Tensor::scalar(0.0));
    /// let tape = Tape::new();
    /// tape.put_aside(passes.id(), |passes| *passes += 1.0);
    /// passes.apply(&tape.updates());
    /// assert_eq!(passes.value(), &Tensor::scalar(1.0));
    /// ```
    pub fn state(value: Tensor<T>) -> Self {
        Param { trained: false, ..Param::new(value) }
    }

    /// Whether it is a weight, and not state.
    pub fn is_trained(&self) -> bool {
        self.trained
    }

    /// Its name, by which [`Gradients::named`](autograd::Gradients::named) finds its gradient.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Its present value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// Its value, to be changed. What tapes and clones hold stays as it is.
    pub fn value_mut(&mut self) -> &mut Tensor<T> {
        &mut self.value
    }

    /// The leaf that it is on a tape; state is a constant there.
    ///
    /// # Panics
    /// The value has changed since its first use on this tape, which must be reset before.
    #[track_caller]
    pub fn on<'t>(&self, tape: &'t Tape<T>) -> Var<'t, T> {
        if self.trained { tape.named_leaf(self.id, &self.value) } else { tape.named_constant(self.id, &self.value) }
    }
}

impl<T: Float> Clone for Param<T> {
    /// The same value under a new name.
    fn clone(&self) -> Self {
        Param { trained: self.trained, ..Param::new(self.value.clone()) }
    }
}
