//! How many numbers each output of a weight sums.

use tensor::Shape;

use crate::error::Error;

/// Which fan of a weight divides the variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanMode {
    /// How many inputs each output sums: keeps the signal's variance on the way forward.
    In,
    /// How many outputs each input feeds: keeps the gradient's variance on the way back.
    Out,
    /// The mean of both.
    Average,
}

/// Which axis of a weight are its inputs, and which its outputs. All further axes are the receptive field of a
/// convolution, k₁ × k₂ × …, whose size multiplies both fans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FanAxes {
    /// `[fan_in, fan_out]` for a matrix, which is used as x · W, and `[out, in, k₁, k₂, …]` for a convolution, as in
    /// PyTorch.
    #[default]
    Standard,
    /// `[out, in, k₁, k₂, …]`, also for a matrix: PyTorch's `nn.Linear`, which computes x · Wᵀ.
    OutIn,
    /// `[in, out, k₁, k₂, …]`, also for a convolution: PyTorch's `nn.ConvTranspose2d`.
    InOut,
}

/// fan_in and fan_out of a weight: for a matrix its two sizes, for a convolution the channels times the size of the
/// receptive field.
///
/// # Errors
/// The shape has fewer than two axes, or no elements.
///
/// # Example
/// ```
/// use init::{FanAxes, fans};
/// use tensor::Shape;
///
/// assert_eq!(fans(&Shape::from([30, 200]), FanAxes::Standard)?, [30.0, 200.0]);
/// assert_eq!(fans(&Shape::from([30, 200]), FanAxes::OutIn)?, [200.0, 30.0]);
/// assert_eq!(fans(&Shape::from([64, 3, 7, 7]), FanAxes::Standard)?, [3.0 * 49.0, 64.0 * 49.0]);
/// # Ok::<(), init::Error>(())
/// ```
pub fn fans(shape: &Shape, axes: FanAxes) -> Result<[f64; 2], Error> {
    fans_of("fans", shape, axes)
}

/// The same for a scheme. In f64: a product that does not fit an integer is a fan all the same.
pub(crate) fn fans_of(scheme: &'static str, shape: &Shape, axes: FanAxes) -> Result<[f64; 2], Error> {
    let &[first, second, ref field @ ..] = shape.dims() else {
        return Err(Error::shape(scheme, shape, "have at least two axes, inputs and outputs, for a fan"));
    };
    if shape.numel() == 0 {
        return Err(Error::shape(scheme, shape, "have no axis of size 0, for a fan of at least 1"));
    }
    let field: f64 = field.iter().map(|&size| size as f64).product();
    let inputs_first = match axes {
        FanAxes::Standard => shape.rank() == 2,
        FanAxes::InOut => true,
        FanAxes::OutIn => false,
    };
    let (inputs, outputs) = if inputs_first { (first, second) } else { (second, first) };
    Ok([inputs, outputs].map(|channels| channels as f64 * field))
}
