//! What a pass through a model is for, and the random stream that the pass draws from. A layer asks its tape for both, so that
//! `forward` takes no more than its input.

use std::cell::RefCell;

use rand::Rng;
use tensor::{Float, Tensor};

use crate::id::Id;
use crate::state::Updates;
use crate::tape::Tape;

/// What a pass is for: layers such as dropout and batch norm do one thing while a model is trained, and another when it
/// is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: dropout drops, batch norm measures the batch. That of [`Tape::new`].
    Train,
    /// Evaluation: dropout does nothing, batch norm uses its running statistics. That of [`Tape::no_grad`].
    Eval,
}

impl<T: Float> Tape<T> {
    /// The same tape in another mode: for gradients in evaluation, or for a pass of training without gradients.
    ///
    /// # Example
    /// ```
    /// use autograd::{Mode, Tape};
    ///
    /// assert!(Tape::<f32>::new().is_training());
    /// assert!(!Tape::<f32>::no_grad().is_training());
    /// assert!(!Tape::<f32>::new().with_mode(Mode::Eval).is_training());
    /// ```
    pub fn with_mode(self, mode: Mode) -> Self {
        Tape { mode, ..self }
    }

    /// The same tape with a random stream, which dropout draws from. [`reset`](Tape::reset) leaves it where it is: each
    /// step of a training loop draws anew, and the same seed gives the same run.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new().with_rng(ChaCha8Rng::seed_from_u64(42));
    /// let x = tape.constant(Tensor::<f32>::ones([1000]));
    /// let dropped = x.dropout(0.5).value().eq(0.0).count_nonzero(..).item();
    /// assert!((400..600).contains(&dropped));
    /// ```
    pub fn with_rng(self, rng: impl Rng + Send + 'static) -> Self {
        Tape { rng: RefCell::new(Some(Box::new(rng))), ..self }
    }

    /// Whether this is a pass of training.
    pub fn is_training(&self) -> bool {
        self.mode == Mode::Train
    }

    /// Calls `draw` with the tape's random stream, for the op `op`.
    ///
    /// # Panics
    /// The tape has no stream (see [`with_rng`](Self::with_rng)), or `draw` itself asks for the stream.
    #[track_caller]
    pub fn draw<R>(&self, op: &str, draw: impl FnOnce(&mut dyn Rng) -> R) -> R {
        let mut rng = self.rng.borrow_mut();
        let Some(rng) = rng.as_deref_mut() else {
            panic!("{op}: the tape has no random stream; make it by `Tape::new().with_rng(rng)`")
        };
        draw(rng)
    }

    /// Puts a change aside of the state that is named `id`, such as a running mean: a pass reads a model and does not
    /// change it. Whoever may change the model applies it, by [`Gradients::updates`](crate::Gradients::updates) or
    /// [`updates`](Self::updates); `nn`'s optimizers do. A reset forgets what was not applied.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (id, mut largest) = (Id::new(), Tensor::from([1.0]));
    /// let tape = Tape::new();
    /// let found = Tensor::from([3.0]);
    /// tape.put_aside(id, move |largest| *largest = largest.maximum(&found));
    /// tape.updates().apply(id, &mut largest);
    /// assert_eq!(largest, Tensor::from([3.0]));
    /// ```
    pub fn put_aside(&self, id: Id, change: impl FnOnce(&mut Tensor<T>) + Send + 'static) {
        self.updates.push((id, Box::new(change)));
    }

    /// The changes of state that were put aside since the last reset.
    pub fn updates(&self) -> Updates<T> {
        self.updates.clone()
    }
}
