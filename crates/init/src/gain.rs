//! How much a weight must make up for the non-linearity that follows it.

use std::fmt;

use tensor::Activation;

/// By what the weights before a non-linearity are multiplied, so that it does not shrink the standard deviation of the signal. The values
/// are those of PyTorch's `torch.nn.init.calculate_gain`, and for GELU, SiLU and softplus, which it does not know, the forward gain of
/// [`gain_of`](crate::gain_of), which computes that of any function.
///
/// # Example
/// ```
/// use init::Gain;
///
/// assert_eq!(Gain::Tanh.value(), 5.0 / 3.0);
/// assert_eq!(Gain::LeakyRelu(0.0).value(), Gain::Relu.value());
/// ```
#[doc(alias = "nonlinearity")]
#[doc(alias = "calculate_gain")]
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Gain {
    /// 1: nothing follows.
    Linear,
    /// That of an activation of the family's list: PyTorch's, where it has one, or else the forward gain.
    Of(Activation),
    /// 3/4: what PyTorch found to keep gradients steady. With 1 and a linear start SELU normalizes itself (Klambauer et al.,
    /// 2017, *Self-Normalizing Neural Networks*).
    Selu,
    /// A number of your own.
    Custom(f64),
}

/// The usual ones by their short names.
#[allow(non_upper_case_globals, non_snake_case, reason = "they read as the variants of an enum, which they name")]
impl Gain {
    /// 1
    pub const Sigmoid: Gain = Gain::Of(Activation::Sigmoid);
    /// 5/3: keeps the signal of a deep stack of tanh layers from fading; a single layer saturates more than it must. The
    /// forward gain of tanh is 1.5925.
    pub const Tanh: Gain = Gain::Of(Activation::Tanh);
    /// √2: half of a symmetric signal is cut off, E\[relu(z)²] = ½ (He et al., 2015, *Delving Deep into Rectifiers*).
    pub const Relu: Gain = Gain::Of(Activation::Relu);
    /// 1.5335, for GELU(z) = z Φ(z) (Hendrycks and Gimpel, 2016, *Gaussian Error Linear Units*): 1 / √E\[z² Φ(z)²].
    ///
    /// Φ(z) is the probability that a normal number x is below z, so Φ(z)² is that of two, x and y, of which z is then the
    /// largest: E\[z² Φ(z)²] = E\[z² 1(z > x) 1(z > y)] = ⅓ E\[max(x, y, z)²], and the square of the largest of three has the
    /// mean 1 + √3 / (2π). So the gain is √(3 / (1 + √3 / (2π))).
    pub const Gelu: Gain = Gain::Of(Activation::Gelu);
    /// 1.6765, for SiLU(z) = z / (1 + e⁻ᶻ), also called Swish (Ramachandran et al., 2017, *Searching for Activation
    /// Functions*): 1 / √E\[SiLU(z)²]. The expectation, 0.355776, has no closed form; it is computed by quadrature, as
    /// [`gain_of`](crate::gain_of) does.
    pub const Silu: Gain = Gain::Of(Activation::Silu);
    /// 1.0419, for softplus(z) = ln(1 + eᶻ): 1 / √E\[softplus(z)²], by quadrature too.
    pub const Softplus: Gain = Gain::Of(Activation::Softplus);

    /// √(2 / (1 + slope²)), for this slope below 0 (He et al., 2015).
    pub const fn LeakyRelu(slope: f64) -> Gain {
        Gain::Of(Activation::LeakyRelu(slope))
    }

    /// The factor.
    pub fn value(self) -> f64 {
        match self {
            Gain::Linear => 1.0,
            Gain::Of(activation) => activation.gain(),
            Gain::Selu => 0.75,
            Gain::Custom(gain) => gain,
        }
    }
}

impl From<Activation> for Gain {
    fn from(activation: Activation) -> Self {
        Gain::Of(activation)
    }
}

impl fmt::Debug for Gain {
    /// As it is written after `Gain::`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Activation::{Gelu, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh};
        match self {
            Gain::Linear => f.write_str("Linear"),
            Gain::Of(short @ (Sigmoid | Tanh | Relu | Gelu | Silu | Softplus | LeakyRelu(_))) => short.fmt(f),
            Gain::Of(activation) => write!(f, "Of(Activation::{activation:?})"),
            Gain::Selu => f.write_str("Selu"),
            Gain::Custom(gain) => write!(f, "Custom({gain:?})"),
        }
    }
}
