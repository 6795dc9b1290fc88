//! Functions of one element that make a network more than a product of matrices.

use tensor::Float;

use crate::Var;

impl<T: Float> Var<'_, T> {
    /// Hyperbolic tangent of each element: y = tanh x,  x̄ = ȳ (1 − y²).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0, 20.0]));
    /// let gradients = x.tanh().sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([1.0, 0.0]))); // the second is saturated
    /// ```
    pub fn tanh(self) -> Self {
        let y = self.value().tanh();
        self.record("tanh", y.clone()).wrt(self, move |g| g.tanh_backward(&y)).done()
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::assert_gradients;

    #[test]
    fn tanh() {
        for dims in [&[3, 4][..], &[], &[0, 4]] {
            assert_gradients(&[dims], |x| x[0].tanh());
        }
    }
}
