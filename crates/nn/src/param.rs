//! A tensor that is trained.

use autograd::{Id, Tape, Var};
use tensor::{Float, Tensor};

/// A tensor that is trained, with a name of its own by which its gradient is found.
///
/// Used in several places of a model, it is one leaf on the tape and has one gradient. A clone is a parameter of its
/// own.
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
}

impl<T: Float> Param<T> {
    /// A parameter that starts at `value`.
    pub fn new(value: Tensor<T>) -> Self {
        Param { id: Id::new(), value }
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

    /// The leaf that it is on a tape.
    ///
    /// # Panics
    /// The value has changed since its first use on this tape, which must be reset before.
    #[track_caller]
    pub fn on<'t>(&self, tape: &'t Tape<T>) -> Var<'t, T> {
        tape.named_leaf(self.id, &self.value)
    }
}

impl<T: Float> Clone for Param<T> {
    /// The same value under a new name.
    fn clone(&self) -> Self {
        Param::new(self.value.clone())
    }
}
