//! How much a weight must make up for the non-linearity that follows it.

/// The factor by which a non-linearity shrinks the standard deviation of a signal, inverted: what the weights before it
/// are multiplied with. The values are those of PyTorch's `torch.nn.init.calculate_gain`.
///
/// # Example
/// ```
/// use init::Gain;
///
/// assert_eq!(Gain::Tanh.value(), 5.0 / 3.0);
/// assert_eq!(Gain::LeakyRelu(0.0).value(), Gain::Relu.value());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Gain {
    /// 1: nothing follows.
    Linear,
    /// 1
    Sigmoid,
    /// 5/3: keeps the signal of a deep stack of tanh layers from fading; a single layer saturates more than it must.
    Tanh,
    /// √2: half of a symmetric signal is cut off (He et al., 2015, *Delving Deep into Rectifiers*).
    Relu,
    /// √(2 / (1 + slope²)), for this slope below 0 (He et al., 2015).
    LeakyRelu(f64),
    /// 3/4: together with SELU's own scale it gives a stable fixed point (Klambauer et al., 2017, *Self-Normalizing
    /// Neural Networks*).
    Selu,
    /// A number of your own.
    Custom(f64),
}

impl Gain {
    /// The factor.
    pub fn value(self) -> f64 {
        match self {
            Gain::Linear | Gain::Sigmoid => 1.0,
            Gain::Tanh => 5.0 / 3.0,
            Gain::Relu => 2.0_f64.sqrt(),
            Gain::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Gain::Selu => 0.75,
            Gain::Custom(gain) => gain,
        }
    }
}
