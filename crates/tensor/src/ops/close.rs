//! Whether two tensors are nearly the same.

use crate::element::Float;
use crate::error::{Error, OrPanic};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Whether each pair of elements is close: |x − y| ≤ atol + rtol · |y|, where y is `other`'s; the shapes broadcast.
    ///
    /// Infinities are close to themselves only; a NaN is close to nothing. PyTorch's defaults are an `rtol` of 1e-5 and
    /// an `atol` of 1e-8.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 100.0]);
    /// assert!(x.allclose(&Tensor::from([1.0, 100.5]), 1e-2, 0.0));
    /// assert!(!x.allclose(&Tensor::from([1.5, 100.0]), 1e-2, 0.0));
    /// ```
    #[track_caller]
    pub fn allclose(&self, other: &Self, rtol: f64, atol: f64) -> bool {
        T::allclose(self, other, rtol, atol).or_panic()
    }
}

pub(crate) fn allclose<T: Float>(x: &Tensor<T>, y: &Tensor<T>, rtol: f64, atol: f64) -> Result<bool, Error> {
    let shape = x.shape().broadcast_in("allclose", y.shape())?;
    let close = |(x, y): (T, T)| {
        let (x, y) = (x.to_f64(), y.to_f64());
        let apart = (x - y).abs();
        x == y || (apart.is_finite() && apart <= atol + (rtol * y).abs())
    };
    Ok(x.expand(&shape).iter().zip(y.expand(&shape).iter()).all(close))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_is_relative_to_the_other() {
        let (x, y) = (Tensor::from([10.0]), Tensor::from([8.0]));
        assert!(!x.allclose(&y, 0.2, 0.0));
        assert!(y.allclose(&x, 0.2, 0.0));
        assert!(x.allclose(&y, 0.0, 2.0));
        assert!(!x.allclose(&y, 0.0, 1.9));
        assert!((-x).allclose(&-y, 0.2, 0.4));
    }

    #[test]
    fn infinities_equal_themselves_and_nan_nothing() {
        let x = Tensor::from([f32::INFINITY, f32::NEG_INFINITY, 0.0]);
        assert!(x.allclose(&x, 0.0, 0.0));
        assert!(!x.allclose(&-&x, 1.0, f64::INFINITY));
        assert!(!Tensor::scalar(1.0).allclose(&x, 1.0, 1e9));
        let nan = Tensor::scalar(f32::NAN);
        assert!(!nan.allclose(&nan, 1.0, f64::INFINITY));
    }

    #[test]
    fn shapes_broadcast_and_nothing_is_close_to_nothing() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        assert!(x.t().allclose(&x.t().contiguous(), 0.0, 0.0));
        assert!(Tensor::<f64>::ones([2, 1]).allclose(&Tensor::ones([3]), 0.0, 0.0));
        assert!(Tensor::<f64>::ones([0]).allclose(&Tensor::zeros([0]), 0.0, 0.0));
    }
}
