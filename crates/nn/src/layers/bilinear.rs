//! The bilinear layer.

use autograd::Var;
use init::Initializer;
use rand::Rng;
use tensor::{Float, Shape, ensure};

use super::in_f32;
use crate::{Error, Param, module};

/// A linear layer of the products of two inputs, yₖ = Σᵢⱼ aᵢ Wᵢⱼₖ cⱼ + bₖ, with the weight stored as `[in_a, in_c,
/// fan_out]`. PyTorch's `nn.Bilinear`, which stores `[out_features, in1_features, in2_features]`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::Bilinear;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let layer = Bilinear::new([3, 4], 5, &init::torch_linear(), &mut ChaCha8Rng::seed_from_u64(42))?;
/// let tape = Tape::new();
/// let y = layer.forward(tape.constant(Tensor::ones([32, 3])), tape.constant(Tensor::ones([32, 4])));
/// assert_eq!(y.shape().dims(), [32, 5]);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Bilinear<T: Float = f32> {
    /// W, `[in_a, in_c, fan_out]`
    pub weight: Param<T>,
    /// b, `[fan_out]`, if the layer has one
    pub bias: Option<Param<T>>,
}

module!(impl<T> Bilinear<T> { weight [2, 0, 1], bias });

in_f32!(
    Bilinear,
    /// A layer in f32 whose weight is drawn by `weight`, as that of a linear layer of in_a · in_c inputs, and whose
    /// bias is 0. For another float there is [`try_new`](Bilinear::try_new).
    ///
    /// # Errors
    /// The initializer returns an error, or the weight is larger than memory can be.
    new => try_new(inputs: [usize; 2], fan_out: usize, weight: &dyn Initializer, rng: &mut impl Rng)
);

in_f32!(
    Bilinear,
    /// A layer in f32 with PyTorch's default: weight and bias uniform within ±1 / √in_a.
    ///
    /// # Errors
    /// As [`new`](Bilinear::new).
    new_torch => try_torch(inputs: [usize; 2], fan_out: usize, rng: &mut impl Rng)
);

impl<T: Float> Bilinear<T> {
    /// A layer for any float; see [`new`](Bilinear::new).
    ///
    /// # Errors
    /// As [`new`](Bilinear::new).
    pub fn try_new(
        [in_a, in_c]: [usize; 2],
        fan_out: usize,
        weight: &dyn Initializer<T>,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let shape = Shape::try_new(&[in_a, in_c, fan_out])?;
        // Each output is a sum over all products.
        let weight = weight.init(&Shape::from([in_a * in_c, fan_out]), rng)?.reshape(shape);
        let bias = init::zeros().init(&Shape::from([fan_out]), rng)?;
        Ok(Bilinear { weight: Param::new(weight), bias: Some(Param::new(bias)) })
    }

    /// A layer for any float; see [`new_torch`](Bilinear::new_torch).
    ///
    /// # Errors
    /// As [`new`](Bilinear::new).
    pub fn try_torch(inputs: [usize; 2], fan_out: usize, rng: &mut impl Rng) -> Result<Self, Error> {
        let within = init::torch_linear_bias(inputs[0]);
        Bilinear::try_new(inputs, fan_out, &within, rng)?.with_bias(&within, rng)
    }

    /// Draws the bias by `bias`.
    ///
    /// # Errors
    /// The initializer refuses.
    pub fn with_bias(self, bias: &dyn Initializer<T>, rng: &mut impl Rng) -> Result<Self, Error> {
        let bias = bias.init(&Shape::from([self.weight.value().size(2)]), rng)?;
        Ok(Bilinear { bias: Some(Param::new(bias)), ..self })
    }

    /// Leaves out the bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Bilinear { bias: None, ..self }
    }

    /// `[…, in_a]` and `[…, in_c]` give `[…, fan_out]`.
    ///
    /// # Panics
    /// The inputs differ before their last axes, or these are not in_a and in_c.
    #[track_caller]
    pub fn forward<'t>(&self, a: Var<'t, T>, c: Var<'t, T>) -> Var<'t, T> {
        let (of_a, of_c, weight) = (a.shape(), c.shape(), self.weight.value().shape());
        let &[in_a, in_c, fan_out] = weight.dims() else { panic!("Bilinear::forward: the weight is {weight}") };
        let fits = |shape: &Shape, width: usize| shape.dims().last() == Some(&width);
        let before = |shape: &Shape| shape.dims()[..shape.rank().saturating_sub(1)].to_vec();
        ensure!(
            fits(&of_a, in_a) && fits(&of_c, in_c) && before(&of_a) == before(&of_c),
            "Bilinear::forward: the inputs {of_a} and {of_c} do not fit the weight {weight}: [..., {in_a}] and [..., {in_c}]"
        );
        let tape = a.tape();
        let products = (a.unsqueeze(-1) * c.unsqueeze(-2)).reshape([before(&of_a), vec![in_a * in_c]].concat());
        let weight = self.weight.used_by("Bilinear::forward", "weight", tape).reshape([in_a * in_c, fan_out]);
        products.linear(weight, self.bias.as_ref().map(|bias| bias.used_by("Bilinear::forward", "bias", tape)))
    }
}
