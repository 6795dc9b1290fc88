//! Functions of two elements.

use crate::element::{Float, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{ElementwiseLoss, OfFloats, OfNumbers};
use crate::operand::Operand;
use crate::tensor::Tensor;

impl<T: Number> Tensor<T> {
    /// x − ⌊x / y⌋ y of each pair of elements, which has the sign of y; the shapes broadcast.
    ///
    /// A zero has the sign of y too, as in Python and NumPy: the remainder of −0 by 3 is 0, which in PyTorch is −0.
    ///
    /// # Panics
    /// The shapes do not broadcast, or an integer is divided by 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([5, -5]).remainder(3), Tensor::from([2, 1]));
    /// assert_eq!(Tensor::from([5.5, -5.5]).remainder(-2.0), Tensor::from([-0.5, -1.5]));
    /// ```
    #[track_caller]
    pub fn remainder(&self, other: impl Operand<T>) -> Self {
        let other = other.tensor();
        if !T::DTYPE.is_float() && self.numel() > 0 && other.iter().any(|y| y == T::ZERO) {
            let why = format!("{} by {} of {}: a divisor is 0; none may be", self.shape(), other.shape(), T::DTYPE);
            Err(Error::new("remainder", Reason::Argument { why })).or_panic()
        }
        T::zip_numbers("remainder", self, &other, OfNumbers::Remainder).or_panic()
    }

    /// The larger one of each pair; the shapes broadcast. NaN if either is.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 5]).maximum(3), Tensor::from([3, 5]));
    /// ```
    #[track_caller]
    pub fn maximum(&self, other: impl Operand<T>) -> Self {
        T::zip_numbers("maximum", self, &other.tensor(), OfNumbers::Maximum).or_panic()
    }

    /// The smaller one of each pair; the shapes broadcast. NaN if either is.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 5]).minimum(&Tensor::from([2, 2])), Tensor::from([1, 2]));
    /// ```
    #[track_caller]
    pub fn minimum(&self, other: impl Operand<T>) -> Self {
        T::zip_numbers("minimum", self, &other.tensor(), OfNumbers::Minimum).or_panic()
    }
}

impl<T: Float> Tensor<T> {
    /// xʸ of each pair of elements; the shapes broadcast. NaN below 0 unless y is whole.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([2.0, 9.0]).pow(&Tensor::from([3.0, 0.5])), Tensor::from([8.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn pow(&self, other: impl Operand<T>) -> Self {
        T::zip_floats("pow", self, &other.tensor(), OfFloats::Pow).or_panic()
    }

    /// The angle of the point (x, y) for each pair of elements, y from this tensor and x from `other`, between −π and π; the shapes
    /// broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let angles = Tensor::from([0.0, 1.0]).atan2(&Tensor::from([-1.0, 0.0]));
    /// assert_eq!(angles, Tensor::from([std::f64::consts::PI, std::f64::consts::FRAC_PI_2]));
    /// ```
    #[track_caller]
    pub fn atan2(&self, other: impl Operand<T>) -> Self {
        T::zip_floats("atan2", self, &other.tensor(), OfFloats::Atan2).or_panic()
    }
}

impl<T: Float> Tensor<T> {
    /// x above 0, else x times its slope, for the tape.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[doc(hidden)]
    #[track_caller]
    pub fn prelu(&self, slopes: &Self) -> Self {
        T::zip_floats("prelu", self, slopes, OfFloats::PRelu).or_panic()
    }

    /// The slope of [`prelu`](Self::prelu) with respect to each element of this tensor.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[doc(hidden)]
    #[track_caller]
    pub fn prelu_slope(&self, slopes: &Self) -> Self {
        T::zip_floats("prelu", self, slopes, OfFloats::PReluSlope).or_panic()
    }

    /// A loss of each element and its target in one pass, for the tape.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[doc(hidden)]
    #[track_caller]
    pub fn elementwise_loss(&self, target: &Self, loss: ElementwiseLoss<T>) -> Self {
        T::loss("loss", self, target, loss).or_panic()
    }

    /// The slope of [`elementwise_loss`](Self::elementwise_loss) with respect to each element of this tensor.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[doc(hidden)]
    #[track_caller]
    pub fn elementwise_loss_slope(&self, target: &Self, loss: ElementwiseLoss<T>) -> Self {
        T::loss_slope("loss", self, target, loss.slope()).or_panic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remainder_of_zero_has_the_sign_of_the_divisor() {
        fn check<T: Float>() {
            let of = |x: &[f64]| Tensor::from_iter(x.iter().map(|&x| T::from_f64(x)));
            let (x, y) = (of(&[-0.0, 0.0, 3.0, -3.0, -0.0, 6.0]), of(&[3.0, -3.0, -3.0, 3.0, -3.0, f64::INFINITY]));
            // math.copysign(1, x % y) in Python, and 6 % inf.
            let signs = x.remainder(&y).map(|rest| if rest == T::ZERO { T::ONE / rest } else { rest });
            let inf = f64::INFINITY;
            assert_eq!(signs, of(&[inf, -inf, -inf, inf, -inf, 6.0]));
        }
        check::<f32>();
        check::<f64>();
    }
}
