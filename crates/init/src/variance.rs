//! Variance scaling: one formula behind the schemes that have names, Var\[w] = scale / fan.

use tensor::{Float, Shape, Tensor};

use crate::check;
use crate::draws::{Bell, Draws};
use crate::error::Error;
use crate::fan::{FanAxes, FanMode, fans_of};
use crate::gain::Gain;
use crate::scheme::{Sealed, initializer};

/// Mean 0 and variance scale / fan; made by [`variance_scaling`] and by all schemes that are named after their authors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceScaling {
    scheme: &'static str,
    /// The root of the scale.
    gain: f64,
    /// What was given, and which number: the gain or the scale.
    given: (&'static str, f64),
    mode: FanMode,
    distribution: Distribution,
    axes: FanAxes,
    /// For μP's output layers: the fan at which the standard deviation is that of other layers.
    base_fan: Option<f64>,
}

/// What a distribution of a given variance looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Normal.
    Normal,
    /// Normal, cut off at two standard deviations of the uncut distribution, which is wider to make up for the cut: the variance is
    /// what it should be.
    TruncatedNormal,
    /// Uniform within ±√3 standard deviations.
    Uniform,
}

/// The standard deviation of a standard normal distribution that is cut off at ±2:
/// √(1 − 4 φ(2) / (Φ(2) − Φ(−2))).
const CUT_STD: f64 = 0.879_625_661_034_239_8;

/// Where it is cut.
const CUT: f64 = 2.0;

/// The formula behind all of the named ones: mean 0 and variance `scale` / fan.
///
/// For a matrix `[fan_in, fan_out]`, used as x · W, or a convolution; [`FanAxes`] has the rest. It is
/// `VarianceScaling(scale, mode, distribution)` of Keras and JAX; PyTorch has no name for it.
///
/// | named scheme | scale | fan | distribution |
/// |---|---|---|---|
/// | [`kaiming_normal`], [`kaiming_uniform`] | gain² | in | normal, uniform |
/// | [`xavier_normal`], [`xavier_uniform`] | gain² | average | normal, uniform |
/// | [`lecun_normal`], [`lecun_uniform`] | gain² | in | truncated normal, uniform |
/// | [`torch_linear`](crate::torch_linear) | 1/3 | in | uniform |
/// | [`candle_linear`](crate::candle_linear) | 2 | in | normal |
///
/// # Errors
/// On use: the scale is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Distribution, FanMode, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let scheme = init::variance_scaling(2.0, FanMode::Out, Distribution::TruncatedNormal);
/// let w: Tensor = scheme.init(&Shape::from([400, 200]), &mut ChaCha8Rng::seed_from_u64(42))?;
/// assert!((w.std(.., 1).item() - 0.1).abs() < 1e-3); // √(2 / 200)
/// # Ok::<(), init::Error>(())
/// ```
pub fn variance_scaling(scale: f64, mode: FanMode, distribution: Distribution) -> VarianceScaling {
    VarianceScaling { given: ("the scale", scale), ..named("variance_scaling", scale.sqrt(), mode, distribution) }
}

pub(crate) fn named(scheme: &'static str, gain: f64, mode: FanMode, distribution: Distribution) -> VarianceScaling {
    let (given, axes) = (("the gain", gain), FanAxes::Standard);
    VarianceScaling { scheme, gain, given, mode, distribution, axes, base_fan: None }
}

/// Normal with standard deviation gain / √fan_in; PyTorch's `kaiming_normal_`, also called He normal.
///
/// For layers that ReLU and its kin follow ([`Gain::Relu`]), and the usual choice for all that are followed by a
/// non-linearity: the signal keeps its variance on the way forward. [`mode`](VarianceScaling::mode) takes another fan.
///
/// For a matrix `[fan_in, fan_out]`, used as x · W, or a convolution ([`FanAxes`]). Source: He et al., 2015, *Delving Deep
/// into Rectifiers*.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::kaiming_normal(Gain::Relu).init(&Shape::from([512, 256]), &mut rng)?;
/// assert!((w.std(.., 1).item() - (2.0_f32 / 512.0).sqrt()).abs() < 1e-3);
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "kaiming_normal_")]
pub fn kaiming_normal(gain: Gain) -> VarianceScaling {
    named("kaiming_normal", gain.value(), FanMode::In, Distribution::Normal)
}

/// Uniform within ±gain √(3 / fan_in); PyTorch's `kaiming_uniform_`, also called He uniform.
///
/// As [`kaiming_normal`], for those who prefer weights with a bound.
///
/// For a matrix `[fan_in, fan_out]`, used as x · W, or a convolution ([`FanAxes`]). Source: He et al., 2015, *Delving Deep
/// into Rectifiers*.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::kaiming_uniform(Gain::Linear).init(&Shape::from([300, 100]), &mut rng)?;
/// assert!(w.iter().all(|x| x.abs() <= 0.1));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "kaiming_uniform_")]
pub fn kaiming_uniform(gain: Gain) -> VarianceScaling {
    named("kaiming_uniform", gain.value(), FanMode::In, Distribution::Uniform)
}

/// Normal with standard deviation gain √(2 / (fan_in + fan_out)); PyTorch's `xavier_normal_`, also called Glorot normal.
///
/// A compromise between the signal's variance on the way forward and the gradient's on the way back, for layers that
/// tanh, sigmoid or nothing follows.
///
/// Both fans enter alike, so the layout does not matter. Source: Glorot and Bengio, 2010, *Understanding the Difficulty of
/// Training Deep Feedforward Neural Networks*.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::xavier_normal(Gain::Linear).init(&Shape::from([150, 50]), &mut rng)?;
/// assert!((w.std(.., 1).item() - 0.1).abs() < 3e-3);
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "xavier_normal_")]
pub fn xavier_normal(gain: Gain) -> VarianceScaling {
    named("xavier_normal", gain.value(), FanMode::Average, Distribution::Normal)
}

/// Uniform within ±gain √(6 / (fan_in + fan_out)); PyTorch's `xavier_uniform_`, also called Glorot uniform.
///
/// The form in which the paper has it; in all else as [`xavier_normal`].
///
/// Both fans enter alike, so the layout does not matter. Source: Glorot and Bengio, 2010, *Understanding the Difficulty of
/// Training Deep Feedforward Neural Networks*, equation 16.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::xavier_uniform(Gain::Linear).init(&Shape::from([500, 100]), &mut rng)?;
/// assert!(w.iter().all(|x| x.abs() <= 0.1));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "xavier_uniform_")]
pub fn xavier_uniform(gain: Gain) -> VarianceScaling {
    named("xavier_uniform", gain.value(), FanMode::Average, Distribution::Uniform)
}

/// Normal with standard deviation gain / √fan_in, cut off at two standard deviations of the uncut distribution; JAX's and
/// Keras's `lecun_normal`. PyTorch has no name for it.
///
/// With [`Gain::Linear`], for inputs of variance 1 and layers that SELU follows, which needs Var\[w] = 1 / fan_in
/// (Klambauer et al., 2017, *Self-Normalizing Neural Networks*); the cut keeps outliers out.
///
/// For a matrix `[fan_in, fan_out]`, used as x · W, or a convolution ([`FanAxes`]). Source: LeCun et al., 1998, *Efficient
/// BackProp*, section 4.6.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::lecun_normal(Gain::Linear).init(&Shape::from([100, 300]), &mut rng)?;
/// assert!((w.std(.., 1).item() - 0.1).abs() < 2e-3);
/// assert!(w.iter().all(|x| x.abs() <= 0.1 * 2.0 / 0.8796));
/// # Ok::<(), init::Error>(())
/// ```
pub fn lecun_normal(gain: Gain) -> VarianceScaling {
    named("lecun_normal", gain.value(), FanMode::In, Distribution::TruncatedNormal)
}

/// Uniform within ±gain √(3 / fan_in); JAX's and Keras's `lecun_uniform`. PyTorch has no name for it.
///
/// The same numbers as [`kaiming_uniform`]; with [`Gain::Linear`] it is what the name stands for.
///
/// For a matrix `[fan_in, fan_out]`, used as x · W, or a convolution ([`FanAxes`]). Source: LeCun et al., 1998, *Efficient
/// BackProp*, section 4.6.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::lecun_uniform(Gain::Linear).init(&Shape::from([300, 100]), &mut rng)?;
/// assert!(w.iter().all(|x| x.abs() <= 0.1));
/// # Ok::<(), init::Error>(())
/// ```
pub fn lecun_uniform(gain: Gain) -> VarianceScaling {
    named("lecun_uniform", gain.value(), FanMode::In, Distribution::Uniform)
}

impl VarianceScaling {
    /// Sets the fan.
    ///
    /// # Example
    /// ```
    /// use init::{FanMode, Gain};
    ///
    /// let keeps_gradients = init::kaiming_normal(Gain::Relu).mode(FanMode::Out);
    /// # let _ = keeps_gradients;
    /// ```
    #[must_use]
    pub fn mode(self, mode: FanMode) -> Self {
        VarianceScaling { mode, ..self }
    }

    /// Sets the order in which weights are stored.
    ///
    /// # Example
    /// ```
    /// use init::{Gain, FanAxes, kaiming_normal};
    /// use tensor::Shape;
    ///
    /// let w_transposed = Shape::from([7, 100]); // [fan_out, fan_in], used as x · Wᵀ
    /// assert_eq!(kaiming_normal(Gain::Linear).fan_axes(FanAxes::OutIn).std(&w_transposed)?, 0.1);
    /// # Ok::<(), init::Error>(())
    /// ```
    #[must_use]
    pub fn fan_axes(self, axes: FanAxes) -> Self {
        VarianceScaling { axes, ..self }
    }

    /// Follows μP's rule for an output layer: √base / fan in place of 1 / √fan.
    pub(crate) fn falling(self, base_fan: f64) -> Self {
        VarianceScaling { base_fan: Some(base_fan), ..self }
    }

    /// The standard deviation √(scale / fan) for a weight of this shape.
    ///
    /// # Errors
    /// The gain is not a number above 0, or the shape has fewer than two axes or no elements.
    ///
    /// # Example
    /// ```
    /// use init::Gain;
    /// use tensor::Shape;
    ///
    /// assert_eq!(init::kaiming_normal(Gain::Linear).std(&Shape::from([100, 7]))?, 0.1);
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn std(&self, shape: &Shape) -> Result<f64, Error> {
        check::positive(self.scheme, self.given)?;
        let [fan_in, fan_out] = fans_of(self.scheme, shape, self.axes)?;
        let fan = match self.mode {
            FanMode::In => fan_in,
            FanMode::Out => fan_out,
            FanMode::Average => (fan_in + fan_out) / 2.0,
        };
        match self.base_fan {
            None => Ok(self.gain / fan.sqrt()),
            Some(base) if base >= 1.0 => Ok(self.gain * base.sqrt() / fan),
            Some(base) => Err(Error::number(self.scheme, "the fan_in of the base model", base, "at least 1")),
        }
    }
}

initializer!(VarianceScaling);

impl Sealed for VarianceScaling {
    fn draw<T: Float>(&self, shape: &Shape, draws: &mut impl Draws) -> Result<Tensor<T>, Error> {
        let std = self.std(shape)?;
        check::std::<T>(self.scheme, std)?;
        let drawn = match self.distribution {
            Distribution::Normal => draws.normal(shape, Bell { mean: 0.0, std }),
            Distribution::TruncatedNormal => {
                let uncut = Bell { mean: 0.0, std: std / CUT_STD };
                draws.truncated(shape, uncut, [-CUT * uncut.std, CUT * uncut.std])
            }
            Distribution::Uniform => {
                let bound = 3.0_f64.sqrt() * std;
                draws.uniform(shape, [-bound, bound])
            }
        };
        drawn.map_err(Error::tensor(self.scheme))
    }
}
