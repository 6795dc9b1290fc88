//! How other libraries start a linear layer when they are not told otherwise: for comparing.

use crate::fan::FanMode;
use crate::uniform::{Uniform, uniform};
use crate::variance::{Distribution, VarianceScaling, named};

/// The default weight of PyTorch's `nn.Linear` and `nn.Conv2d`: uniform within ±1 / √fan_in.
///
/// It is written there as `kaiming_uniform_(a=√5)`, which has the gain √(1/3): each layer shrinks the signal's variance to a
/// third, and a ReLU to a sixth. Its bias is [`torch_linear_bias`].
///
/// For a matrix `[fan_in, fan_out]`, used as x · W, or a convolution; PyTorch itself stores a linear weight the other way
/// round, which is [`FanAxes::OutIn`](crate::FanAxes::OutIn). The rule is that of LeCun et al., 1998, *Efficient BackProp*,
/// with a uniform distribution's bound in the place of its standard deviation.
///
/// # Errors
/// On use: the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::torch_linear().init(&Shape::from([100, 7]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(w.iter().all(|x| x.abs() <= 0.1));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "Linear")]
pub fn torch_linear() -> VarianceScaling {
    named("torch_linear", (1.0_f64 / 3.0).sqrt(), FanMode::In, Distribution::Uniform)
}

/// The default bias of PyTorch's `nn.Linear`, and of candle's: uniform within ±1 / √fan_in, with the fan_in of the weight,
/// since a bias has none.
///
/// # Errors
/// On use: `fan_in` is 0.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let b: Tensor = init::torch_linear_bias(100).init(&Shape::from([7]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(b.iter().all(|x| x.abs() <= 0.1));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "Linear")]
pub fn torch_linear_bias(fan_in: usize) -> Uniform {
    let bound = 1.0 / (fan_in as f64).sqrt();
    uniform(-bound, bound)
}

/// The default weight of candle's `linear`: normal with standard deviation √(2 / fan_in), which is √6 times that of
/// PyTorch.
///
/// As [`kaiming_normal`](crate::kaiming_normal) for ReLU, whatever follows: without a ReLU, each layer doubles the signal's
/// variance. For a matrix `[fan_in, fan_out]`, used as x · W. As of candle-nn 0.11; the formula is that of He et al., 2015,
/// *Delving Deep into Rectifiers*.
///
/// # Errors
/// On use: the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use tensor::Shape;
///
/// let shape = Shape::from([100, 7]);
/// let ratio = init::candle_linear().std(&shape)? / init::torch_linear().std(&shape)?;
/// assert!((ratio - 6.0_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), init::Error>(())
/// ```
pub fn candle_linear() -> VarianceScaling {
    named("candle_linear", 2.0_f64.sqrt(), FanMode::In, Distribution::Normal)
}
