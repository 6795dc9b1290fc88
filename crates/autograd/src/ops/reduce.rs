//! Sums and means over axes; their pullbacks repeat the gradient along those axes.

use tensor::{Axes, Float};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// The sum over `axes` (`..` for all): y = Σ x,  x̄ = ȳ repeated.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.sum(0).value(), Tensor::from([4.0, 6.0]));
    /// ```
    #[track_caller]
    pub fn sum(self, axes: impl Axes) -> Self {
        let x = self.value();
        let y = x.sum(&axes);
        let (shape, kept) = (x.shape().clone(), reduced(&x, axes));
        self.record(Op::new("sum", Role::Reducing), y).wrt(self, move |g| g.reshape(&kept).expand(&shape)).done()
    }

    /// The mean over `axes` (`..` for all): y = Σ x / n,  x̄ = ȳ / n repeated.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.mean(..).item(), 2.5);
    /// ```
    #[track_caller]
    pub fn mean(self, axes: impl Axes) -> Self {
        let x = self.value();
        let y = x.mean(&axes);
        let (shape, kept) = (x.shape().clone(), reduced(&x, axes));
        let count = T::from_f64(shape.numel() as f64 / kept.numel() as f64);
        self.record(Op::new("mean", Role::Reducing), y)
            .wrt(self, move |g| (g / count).reshape(&kept).expand(&shape))
            .done()
    }
}

/// The shape with the axes, which the reduction has already checked, at size 1.
fn reduced<T: Float>(x: &tensor::Tensor<T>, axes: impl Axes) -> tensor::Shape {
    x.shape().reduced(axes).expect("the reduction checked the axes")
}

#[cfg(test)]
mod tests {
    use tensor::keepdim;

    use crate::check::testing::assert_gradients;

    #[test]
    fn sum() {
        for dims in [&[2, 3][..], &[2, 0]] {
            assert_gradients(&[dims], |x| x[0].sum(..));
            assert_gradients(&[dims], |x| x[0].sum(0));
            assert_gradients(&[dims], |x| x[0].sum(-1));
            assert_gradients(&[dims], |x| x[0].sum(keepdim(1)));
            assert_gradients(&[dims], |x| x[0].sum([1, 0]));
        }
        assert_gradients(&[&[]], |x| x[0].sum(..));
        assert_gradients(&[&[2, 3, 4]], |x| x[0].sum(keepdim([0, 2])));
    }

    #[test]
    fn mean() {
        assert_gradients(&[&[2, 3]], |x| x[0].mean(..));
        assert_gradients(&[&[2, 3]], |x| x[0].mean(0));
        assert_gradients(&[&[2, 3, 4]], |x| x[0].mean(keepdim([0, -1])));
        assert_gradients(&[&[]], |x| x[0].mean(..));
        assert_gradients(&[&[0, 3]], |x| x[0].mean(1));
    }
}
