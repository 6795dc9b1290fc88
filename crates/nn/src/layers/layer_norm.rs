//! Layer normalization as a layer.

use autograd::Var;
use tensor::{Float, Shape, Tensor};

use super::of_size;
use crate::{Error, Layer, Param, module};

/// Layer normalization of the last axis (Ba, Kiros and Hinton, 2016, *Layer Normalization*):
/// y = w (x − μ) / √(σ² + eps) + b, with μ and σ² of each example by itself. PyTorch's `nn.LayerNorm`.
///
/// It begins with w = 1 and b = 0; eps is 1e-5. It does the same in training and in evaluation.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, LayerNorm};
/// use tensor::Tensor;
///
/// let norm = LayerNorm::new(2);
/// let tape = Tape::new();
/// let y = norm.forward(tape.constant(Tensor::from([[1.0, 3.0], [10.0, 30.0]])));
/// assert!(y.value().allclose(&Tensor::from([[-1.0, 1.0], [-1.0, 1.0]]), 0.0, 1e-4));
/// ```
#[doc(alias = "LayerNormalization")]
#[derive(Clone)]
pub struct LayerNorm<T: Float = f32> {
    /// w, `[features]`
    pub weight: Param<T>,
    /// b, `[features]`
    pub bias: Param<T>,
    eps: f64,
}

module!(impl<T> LayerNorm<T> { weight, bias, .. });

of_size!(
    LayerNorm,
    /// Makes a layer in f32 for this many features. For another float there is [`try_new`](LayerNorm::try_new).
    ///
    /// # Panics
    /// There are more features than memory can hold.
    features
);

impl<T: Float> LayerNorm<T> {
    /// A layer for any float, such as `LayerNorm::<f64>::try_new(64)?`; see [`new`](LayerNorm::new).
    ///
    /// # Errors
    /// There are more features than memory can hold.
    pub fn try_new(features: usize) -> Result<Self, Error> {
        let shape = Shape::try_new(&[features])?;
        let (ones, zeros) = (Tensor::try_full(&shape, T::ONE)?, Tensor::try_full(&shape, T::ZERO)?);
        Ok(LayerNorm { weight: Param::new(ones), bias: Param::new(zeros), eps: 1e-5 })
    }

    /// Sets eps, which is added to the variance.
    ///
    /// # Errors
    /// It is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<Self, Error> {
        Error::unless_at_least_0("the eps of layer norm", eps)?;
        Ok(LayerNorm { eps, ..self })
    }
}

impl<T: Float> Layer<T> for LayerNorm<T> {
    /// `[…, features]`, each row normalized, in the same shape.
    ///
    /// # Panics
    /// The last axis of the input has another length.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let weight = self.weight.used_by("LayerNorm::forward", "weight", x.tape());
        let bias = self.bias.used_by("LayerNorm::forward", "bias", x.tape());
        x.layer_norm(weight, bias, self.eps)
    }
}

#[cfg(test)]
mod tests {
    use autograd::{Tape, check};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn its_gradients_are_right_and_each_example_is_by_itself() {
        let mut norm: LayerNorm<f64> = LayerNorm::try_new(4).unwrap().with_eps(1e-3).unwrap();
        *norm.weight.value_mut() = Tensor::from([1.5, -0.5, 1.0, 2.0]);
        let x = Tensor::from_fn([3, 4], |i| ((i[0] * 7 + i[1] * 5) % 11) as f64 / 3.0);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(check::gradients(std::slice::from_ref(&x), &mut rng, |x| norm.forward(x[0]).tanh()), Ok(()));
        let apply = |x: Tensor<f64>| norm.forward(Tape::default().constant(x)).value();
        assert_eq!(apply(x.slice(0, 1..2)), apply(x).slice(0, 1..2));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for bad in [-1e-5, f64::NAN, f64::INFINITY] {
            assert!(LayerNorm::new(3).with_eps(bad).is_err(), "{bad}");
        }
        assert!(LayerNorm::<f32>::try_new(usize::MAX).is_err());
    }

    #[test]
    #[should_panic(expected = "LayerNorm::new: shape: a shape of [18446744073709551615]")]
    fn an_absurd_size_is_refused() {
        LayerNorm::new(usize::MAX);
    }

    #[test]
    #[should_panic(expected = "layer_norm")]
    fn another_length_is_refused() {
        LayerNorm::new(3).forward(Tape::new().constant(Tensor::zeros([2, 4])));
    }
}
