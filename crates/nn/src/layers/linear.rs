//! The linear layer.

use autograd::Var;
use init::Initializer;
use rand::Rng;
use tensor::{Float, Shape};

use super::in_f32;
use crate::{Error, Layer, Param, module};

/// A linear layer, y = x W + b, with the weight stored as `[fan_in, fan_out]`.
///
/// PyTorch's `nn.Linear` stores its transpose, `[out_features, in_features]`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use init::{Gain, kaiming_normal};
/// use nn::{Layer, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let layer = Linear::new(30, 200, &kaiming_normal(Gain::Tanh), &mut rng)?;
/// let tape = Tape::new();
/// let y = layer.forward(tape.constant(Tensor::ones([32, 30])));
/// assert_eq!(y.shape().dims(), [32, 200]);
/// # Ok::<(), nn::Error>(())
/// ```
///
/// Its parameters may also be existing tensors, such as those of a file or of PyTorch's generator:
///
/// ```
/// use init::torch::Generator;
/// use nn::{Linear, Param};
///
/// let mut g = Generator::manual_seed(2147483647);
/// let weight = g.randn([30, 200])? * 0.2; // torch.randn((30, 200), generator=g) * 0.2
/// let layer = Linear { weight: Param::new(weight), bias: None };
/// # let _ = layer;
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "Dense")]
#[derive(Clone)]
pub struct Linear<T: Float = f32> {
    /// W, `[fan_in, fan_out]`
    pub weight: Param<T>,
    /// b, `[fan_out]`, if the layer has one
    pub bias: Option<Param<T>>,
}

module!(impl<T> Linear<T> { weight [1, 0], bias });

in_f32!(
    Linear,
    /// A layer in f32 whose weight is drawn by `weight` and whose bias is 0. For another float there is
    /// [`try_new`](Linear::try_new).
    ///
    /// # Errors
    /// The initializer returns an error, for instance for a fan of 0, or the weight is larger than memory can be.
    new => try_new(fan_in: usize, fan_out: usize, weight: &dyn Initializer, rng: &mut impl Rng)
);

in_f32!(
    Linear,
    /// A layer in f32 with PyTorch's default: weight and bias uniform within ±1 / √fan_in, [`init::torch_linear`] and
    /// [`init::torch_linear_bias`].
    ///
    /// # Errors
    /// As [`new`](Linear::new).
    new_torch => try_torch(fan_in: usize, fan_out: usize, rng: &mut impl Rng)
);

impl<T: Float> Linear<T> {
    /// A layer for any float, such as `Linear::<f64>::try_new(…)`; see [`new`](Linear::new).
    ///
    /// # Errors
    /// As [`new`](Linear::new).
    pub fn try_new(
        fan_in: usize,
        fan_out: usize,
        weight: &dyn Initializer<T>,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let weight = weight.init(&Shape::try_new(&[fan_in, fan_out])?, rng)?;
        let bias = init::zeros().init(&Shape::from([fan_out]), rng)?;
        Ok(Linear { weight: Param::new(weight), bias: Some(Param::new(bias)) })
    }

    /// A layer for any float; see [`new_torch`](Linear::new_torch).
    ///
    /// # Errors
    /// As [`new`](Linear::new).
    pub fn try_torch(fan_in: usize, fan_out: usize, rng: &mut impl Rng) -> Result<Self, Error> {
        let layer = Linear::try_new(fan_in, fan_out, &init::torch_linear(), rng)?;
        layer.with_bias(&init::torch_linear_bias(fan_in), rng)
    }

    /// Draws the bias by `bias`.
    ///
    /// # Errors
    /// The initializer refuses.
    pub fn with_bias(self, bias: &dyn Initializer<T>, rng: &mut impl Rng) -> Result<Self, Error> {
        let fan_out = self.weight.value().size(1);
        let bias = bias.init(&Shape::from([fan_out]), rng)?;
        Ok(Linear { bias: Some(Param::new(bias)), ..self })
    }

    /// Leaves out the bias: y = x W.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Linear { bias: None, ..self }
    }
}

impl<T: Float> Layer<T> for Linear<T> {
    /// x W + b: `[…, fan_in]` gives `[…, fan_out]`.
    ///
    /// # Panics
    /// The last axis of `x` is not fan_in.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let weight = self.weight.used_by("Linear::forward", "weight", x.tape());
        match &self.bias {
            Some(bias) => x.linear(weight, bias.used_by("Linear::forward", "bias", x.tape())),
            None => x.linear(weight, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use autograd::Tape;
    use init::{Gain, kaiming_normal, normal};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tensor::Tensor;

    use super::*;
    use crate::Module;

    #[test]
    fn is_a_product_and_a_sum() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let layer: Linear<f64> = Linear::try_new(3, 4, &kaiming_normal(Gain::Linear), &mut rng).unwrap();
        let layer = layer.with_bias(&normal(1.0), &mut rng).unwrap();
        let x = Tensor::from_fn([2, 3], |i| (i[0] * 3 + i[1]) as f64);
        let tape = Tape::default();
        let product = x.matmul(layer.weight.value());
        let y = layer.forward(tape.constant(x.clone())).value();
        assert_eq!(y, &product + layer.bias.as_ref().unwrap().value());
        let layer = layer.without_bias();
        assert_eq!(layer.forward(tape.constant(x)).value(), product);
        assert_eq!(layer.parameter_count(), 12);
    }

    #[test]
    fn a_refusal_of_the_initializer_comes_through() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let result = Linear::new(0, 4, &kaiming_normal(Gain::Linear), &mut rng);
        assert!(matches!(result, Err(Error::Init(_))));
    }

    #[test]
    #[should_panic(expected = "linear: the input [2, 5] does not fit the weight [3, 4]: its last axis must be 3")]
    fn an_input_of_another_width_is_refused_with_both_shapes() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let layer = Linear::new(3, 4, &kaiming_normal(Gain::Linear), &mut rng).unwrap();
        layer.forward(Tape::new().constant(Tensor::zeros([2, 5])));
    }
}
