//! How much a weight must make up for the non-linearity that follows it.

use tensor::Activation;

/// By what the weights before a non-linearity are multiplied, so that it does not shrink the standard deviation of the signal. The values are those of PyTorch's `torch.nn.init.calculate_gain`, and for GELU, SiLU and softplus, which it
/// does not know, the forward gain of [`gain_of`](crate::gain_of), which computes that of any function.
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
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Gain {
    /// 1: nothing follows.
    Linear,
    /// 1
    Sigmoid,
    /// 5/3: keeps the signal of a deep stack of tanh layers from fading; a single layer saturates more than it must. The
    /// forward gain of tanh is 1.5925.
    Tanh,
    /// √2: half of a symmetric signal is cut off, E\[relu(z)²] = ½ (He et al., 2015, *Delving Deep into Rectifiers*).
    Relu,
    /// √(2 / (1 + slope²)), for this slope below 0 (He et al., 2015).
    LeakyRelu(f64),
    /// 3/4: what PyTorch found to keep gradients steady. With 1 and a linear start SELU normalizes itself (Klambauer et al.,
    /// 2017, *Self-Normalizing Neural Networks*).
    Selu,
    /// 1.5335, for GELU(z) = z Φ(z) (Hendrycks and Gimpel, 2016, *Gaussian Error Linear Units*): 1 / √E\[z² Φ(z)²].
    ///
    /// Φ(z) is the probability that a normal number x is below z, so Φ(z)² is that of two, x and y, of which z is then the
    /// largest: E\[z² Φ(z)²] = E\[z² 1(z > x) 1(z > y)] = ⅓ E\[max(x, y, z)²], and the square of the largest of three has the
    /// mean 1 + √3 / (2π). So the gain is √(3 / (1 + √3 / (2π))).
    Gelu,
    /// 1.6765, for SiLU(z) = z / (1 + e⁻ᶻ), also called Swish (Ramachandran et al., 2017, *Searching for Activation
    /// Functions*): 1 / √E\[SiLU(z)²]. The expectation, 0.355776, has no closed form; it is computed by quadrature, as
    /// [`gain_of`](crate::gain_of) does.
    Silu,
    /// 1.0419, for softplus(z) = ln(1 + eᶻ): 1 / √E\[softplus(z)²], by quadrature too.
    Softplus,
    /// A number of your own.
    Custom(f64),
}

impl Gain {
    /// The factor.
    pub fn value(self) -> f64 {
        match self {
            Gain::Linear => 1.0,
            Gain::Selu => 0.75,
            Gain::Custom(gain) => gain,
            // Numbers that are more than PyTorch's belong to the activation.
            Gain::Sigmoid => Activation::Sigmoid.gain(),
            Gain::Tanh => Activation::Tanh.gain(),
            Gain::Relu => Activation::Relu.gain(),
            Gain::LeakyRelu(slope) => Activation::LeakyRelu(slope).gain(),
            Gain::Gelu => Activation::Gelu.gain(),
            Gain::Silu => Activation::Silu.gain(),
            Gain::Softplus => Activation::Softplus.gain(),
        }
    }
}

impl From<Activation> for Gain {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::Tanh => Gain::Tanh,
            Activation::Sigmoid => Gain::Sigmoid,
            Activation::Relu => Gain::Relu,
            Activation::Gelu => Gain::Gelu,
            Activation::Silu => Gain::Silu,
            Activation::LeakyRelu(slope) => Gain::LeakyRelu(slope),
            Activation::Softplus => Gain::Softplus,
            _ => Gain::Custom(activation.gain()),
        }
    }
}
