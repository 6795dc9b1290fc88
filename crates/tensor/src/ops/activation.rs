//! Pullbacks of activations, fused.

use super::elementwise::zip_owned;
use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::Binary;
use crate::par;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The pullback of tanh: self · (1 − y²), where y = tanh x and self is the gradient with respect to y.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The shapes differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0, 0.5, 1.0]);
    /// let gradient = Tensor::from([2.0, 2.0, 2.0]);
    /// assert_eq!(gradient.tanh_backward(&y), Tensor::from([2.0, 1.5, 0.0]));
    /// ```
    #[track_caller]
    pub fn tanh_backward(self, y: &Self) -> Self {
        y.expect_shape("tanh_backward", self.shape()).or_panic();
        zip_owned("tanh_backward", self, y, TanhBackward).or_panic()
    }
}

/// ȳ (1 − y²)
#[derive(Clone, Copy)]
struct TanhBackward;

impl<T: Float> Binary<T, T> for TanhBackward {
    type Output = T;

    const COST: f64 = par::STREAM;

    #[inline(always)]
    fn apply(&self, g: T, y: T) -> T {
        g * (T::ONE - y * y)
    }
}
