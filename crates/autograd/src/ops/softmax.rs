//! Softmax and its logarithm.

use tensor::{Float, Pullback};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// Softmax along an axis: yᵢ = exp xᵢ / Σₖ exp xₖ,  x̄ᵢ = yᵢ (ȳᵢ − Σₖ ȳₖ yₖ). The largest x of a line is taken off first, so
    /// that nothing overflows. A negative axis counts from the last.
    ///
    /// For a loss there is [`cross_entropy`](Self::cross_entropy), which takes logits.
    ///
    /// # Panics
    /// There is no such axis.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1000.0, 1000.0], [0.0, -1000.0]]));
    /// assert_eq!(x.softmax(-1).value(), Tensor::from([[0.5, 0.5], [1.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Self {
        let y = self.peek().softmax(axis);
        let place = if axis < 0 { axis + y.rank() as isize } else { axis };
        let op = Op::new("softmax", Role::Softmax(place as usize));
        self.record(op, y.clone()).wrt(self, move |g| g.pullback(Pullback::Softmax(axis), &y)).done()
    }

    /// The logarithm of softmax along an axis: yᵢ = xᵢ − ln Σₖ exp xₖ,  x̄ᵢ = ȳᵢ − exp(yᵢ) Σₖ ȳₖ. A negative axis counts from
    /// the last.
    ///
    /// # Panics
    /// There is no such axis.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0, -1000.0]));
    /// assert_eq!(x.log_softmax(0).value(), Tensor::from([0.0, -1000.0]));
    /// ```
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Self {
        let y = self.peek().log_softmax(axis);
        self.record(Op::new("log_softmax", Role::Keeping), y.clone())
            .wrt(self, move |g| g.pullback(Pullback::LogSoftmax(axis), &y))
            .done()
    }
}
