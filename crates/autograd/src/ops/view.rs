//! Other shapes of the same elements.

use tensor::{Float, IntoShape};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// The same elements in another shape: y = x,  x̄ = ȳ in the shape of x.
    ///
    /// # Panics
    /// The numbers of elements differ.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::zeros([32, 3, 10]));
    /// assert_eq!(x.reshape([32, 30]).shape().dims(), [32, 30]);
    /// ```
    #[track_caller]
    pub fn reshape(self, shape: impl IntoShape) -> Self {
        let own = self.shape();
        self.record(Op::new("reshape", Role::Keeping), self.value().reshape(shape))
            .wrt(self, move |g| g.reshape(&own))
            .done()
    }

    /// The axes from `start` on joined into one.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::zeros([32, 3, 10]));
    /// assert_eq!(x.flatten(1).shape().dims(), [32, 30]);
    /// ```
    #[track_caller]
    pub fn flatten(self, start: isize) -> Self {
        let own = self.shape();
        self.record(Op::new("flatten", Role::Keeping), self.value().flatten(start))
            .wrt(self, move |g| g.reshape(&own))
            .done()
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::assert_gradients;

    #[test]
    fn reshape() {
        assert_gradients(&[&[2, 6]], |x| x[0].reshape([3, 4]));
        assert_gradients(&[&[]], |x| x[0].reshape([1, 1]));
        assert_gradients(&[&[0, 3]], |x| x[0].reshape([0]));
    }

    #[test]
    fn flatten() {
        assert_gradients(&[&[2, 3, 2]], |x| x[0].flatten(1));
        assert_gradients(&[&[2, 0]], |x| x[0].flatten(0));
    }
}
