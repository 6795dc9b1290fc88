//! μP, the parametrization in which a wide model learns like a narrow one, so that what was tuned on the narrow one (learning
//! rate, gains) holds for the wide one (Yang et al., 2022, *Tensor Programs V: Tuning Large Neural Networks via Zero-Shot
//! Hyperparameter Transfer*).

use crate::fan::FanMode;
use crate::gain::Gain;
use crate::variance::{Distribution, VarianceScaling, named};

/// μP's weights of an input layer, from a fixed number of inputs to a width that grows: normal with standard deviation
/// gain / √fan_in.
///
/// The table of the paper (table 3), in which the width n is the fan that grows. The learning rates are an optimizer's
/// affair (groups of `nn::Optimizer` have them), and stand here because a start alone is not μP:
///
/// | weights | variance of the start | learning rate of SGD | of Adam |
/// |---|---|---|---|
/// | input, [`mup_input`] (fan_out = n), and all biases | 1 / fan_in | × fan_out | × 1 |
/// | hidden, [`mup_hidden`] (both fans = n) | 1 / fan_in | × 1 | × 1 / fan_in |
/// | output, [`mup_output`] (fan_in = n) | 1 / fan_in² | × 1 / fan_in | × 1 / fan_in |
///
/// An embedding is an input layer whose inputs are one-hot: its fan_in is 1, and its start `normal(gain)`. PyTorch has no
/// name for any of them; the authors' package for it is `mup`.
///
/// For a matrix `[fan_in, fan_out]`, used as x · W, or a convolution ([`FanAxes`](crate::FanAxes)).
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, mup_input};
/// use tensor::Shape;
///
/// for width in [128, 1024] {
///     assert_eq!(mup_input(Gain::Linear).std(&Shape::from([100, width]))?, 0.1);
/// }
/// # Ok::<(), init::Error>(())
/// ```
pub fn mup_input(gain: Gain) -> VarianceScaling {
    named("mup_input", gain.value(), FanMode::In, Distribution::Normal)
}

/// μP's weights of a hidden layer, both of whose fans grow: normal with standard deviation gain / √fan_in.
///
/// As [`kaiming_normal`](crate::kaiming_normal): at the start, μP differs in the output layer only. [`mup_input`] has the
/// table, the fan convention and the paper.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, mup_hidden};
/// use tensor::Shape;
///
/// assert_eq!(mup_hidden(Gain::Linear).std(&Shape::from([100, 100]))?, 0.1);
/// assert_eq!(mup_hidden(Gain::Linear).std(&Shape::from([400, 400]))?, 0.05);
/// # Ok::<(), init::Error>(())
/// ```
pub fn mup_hidden(gain: Gain) -> VarianceScaling {
    named("mup_hidden", gain.value(), FanMode::In, Distribution::Normal)
}

/// μP's weights of an output layer, from a width that grows to a fixed number of outputs: normal with standard deviation
/// gain √base_fan_in / fan_in.
///
/// `base_fan_in` is that of the narrow model on which the rest was tuned: there the start is gain / √fan_in like any other,
/// and each doubling of the width halves it. [`mup_input`] has the table, the fan convention and the paper.
///
/// # Errors
/// On use: the gain is not a number above 0, `base_fan_in` is 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, mup_output};
/// use tensor::Shape;
///
/// assert_eq!(mup_output(Gain::Linear, 100).std(&Shape::from([100, 10]))?, 0.1);
/// assert_eq!(mup_output(Gain::Linear, 100).std(&Shape::from([400, 10]))?, 0.025);
/// # Ok::<(), init::Error>(())
/// ```
pub fn mup_output(gain: Gain, base_fan_in: usize) -> VarianceScaling {
    named("mup_output", gain.value(), FanMode::In, Distribution::Normal).falling(base_fan_in as f64)
}
