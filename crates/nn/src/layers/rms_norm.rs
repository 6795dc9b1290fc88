//! Normalization by the root mean square, as a layer.

use autograd::Var;
use tensor::{Float, Shape, Tensor};

use super::of_size;
use crate::{Error, Layer, Param, module};

/// Normalization of the last axis by its root mean square (Zhang and Sennrich, 2019, *Root Mean Square Layer
/// Normalization*): y = w x / √(Σ x²/n + eps). PyTorch's `nn.RMSNorm`.
///
/// It begins with w = 1; eps is the float's distance from 1 to the next number, as in PyTorch. It does the same in
/// training and in evaluation.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, RMSNorm};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// let y = RMSNorm::new(2).forward(tape.constant(Tensor::from([[3.0, -3.0]])));
/// assert!(y.value().allclose(&Tensor::from([[1.0, -1.0]]), 0.0, 1e-6));
/// ```
#[derive(Clone)]
pub struct RMSNorm<T: Float = f32> {
    /// w, `[features]`
    pub weight: Param<T>,
    eps: f64,
}

module!(impl<T> RMSNorm<T> { weight, .. });

of_size!(
    RMSNorm,
    /// Makes a layer in f32 for this many features. For another float there is [`try_new`](RMSNorm::try_new).
    ///
    /// # Panics
    /// There are more features than memory can hold.
    features
);

impl<T: Float> RMSNorm<T> {
    /// A layer for any float; see [`new`](RMSNorm::new).
    ///
    /// # Errors
    /// There are more features than memory can hold.
    pub fn try_new(features: usize) -> Result<Self, Error> {
        let ones = Tensor::try_full(Shape::try_new(&[features])?, T::ONE)?;
        Ok(RMSNorm { weight: Param::new(ones), eps: T::EPSILON.to_f64() })
    }

    /// Sets eps, which is added to the mean of squares.
    ///
    /// # Errors
    /// It is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<Self, Error> {
        Error::unless_at_least_0("the eps of rms norm", eps)?;
        Ok(RMSNorm { eps, ..self })
    }
}

impl<T: Float> Layer<T> for RMSNorm<T> {
    /// `[…, features]`, each row normalized, in the same shape.
    ///
    /// # Panics
    /// The last axis of the input has another length.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.rms_norm(self.weight.used_by("RMSNorm::forward", "weight", x.tape()), self.eps)
    }
}
