//! What an inspection found.

use tensor::Tensor;

use crate::anomaly::Anomaly;
use crate::finding::{Fault, Finding, Severity};
use crate::saturation::{Curve, Saturation};
use crate::stats::Stats;

/// How a model starts, or stands: what [`inspect`](crate::inspect) reads off one pass.
///
/// Figures are `f64`, whatever the model computes with. One that is not defined, such as the standard deviation of a single
/// number, is NaN here, a dash where it is printed, and `null` in JSON.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// The step of training that it is of: 0 before the first.
    pub step: u64,
    /// The loss, beside what it should be.
    pub loss: Loss,
    /// Every activation that the loss depends on, in the order of the pass.
    pub activations: Vec<Activation>,
    /// Every linear layer: what comes in, and what goes out.
    pub signal: Vec<Signal>,
    /// Every weight and bias, in the model's order.
    pub weights: Vec<Weight>,
    /// How signal and gradient change along depth.
    pub depth: Depth,
    /// The first value or gradient that is NaN or infinite.
    pub anomaly: Option<Anomaly>,
    /// What is wrong, the most harmful first; nothing where the model is on an even keel.
    pub findings: Vec<Finding>,
}

/// The loss of a batch.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Loss {
    /// The loss, as the model gave it.
    pub value: f64,
    /// The part of it that is compared: the op whose role is that of a loss, if there is one such, else the loss.
    pub compared: f64,
    /// What it should be at step 0: what the caller said, or what the loss costs those who know nothing, such as ln C for C
    /// classes.
    pub expected: Option<f64>,
    /// How many classes there are, if it is a classifier.
    pub classes: Option<usize>,
    /// How many examples it is the mean of.
    pub examples: Option<usize>,
    /// The standard deviation of the logits: about √(2 (loss − ln C)) for normal ones.
    pub logits_std: Option<f64>,
}

impl Loss {
    /// How far it is above what it should be.
    pub fn excess(&self) -> Option<f64> {
        Some(self.compared - self.expected?)
    }
}

/// The output of a non-linearity, for a batch.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Activation {
    /// Where it is on the tape.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) index: usize,
    /// When its units are saturated.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) rule: Saturation,
    /// What function it is.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) curve: Curve,
    /// The module that it belongs to.
    pub place: String,
    /// The name of its op, such as tanh.
    pub kind: &'static str,
    /// The output.
    pub output: Stats,
    /// What goes in.
    pub input: Stats,
    /// The share of outputs that are saturated, by the [`Saturation`](crate::Saturation) of its op.
    pub saturated: f64,
    /// How many units there are: the last axis.
    pub units: usize,
    /// How many units are saturated for every example; 0 where there is but one, which cannot tell.
    pub dead: usize,
    /// Which units are saturated for which example.
    pub map: Map,
    /// The gradient of the loss with respect to the output.
    pub gradient: Option<Stats>,
}

/// Which units are saturated (white in pictures) for which example: a white column is a dead unit.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Map {
    /// How many rows there are. All axes but the last of an activation are examples.
    pub examples: usize,
    /// How many columns there are.
    pub units: usize,
    /// Row by row; not part of the JSON.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub saturated: Vec<bool>,
}

impl Map {
    pub(crate) fn new(saturated: &Tensor<bool>) -> Self {
        let (examples, units) = (saturated.size(0), saturated.size(1));
        Map { examples, units, saturated: saturated.to_vec() }
    }

    /// The row of one example.
    ///
    /// # Panics
    /// There are not as many examples.
    pub fn row(&self, example: usize) -> &[bool] {
        &self.saturated[example * self.units..][..self.units]
    }
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Map({} × {})", self.examples, self.units)
    }
}

/// What a linear layer makes of the scale of its input.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Signal {
    /// The layer.
    pub place: String,
    /// The standard deviation of its input.
    pub std_in: f64,
    /// The root mean square of its input, which is what a weight of mean 0 multiplies.
    pub rms_in: f64,
    /// The mean of its output.
    pub mean_out: f64,
    /// The standard deviation of its output.
    pub std_out: f64,
    /// The standard deviation of the gradient of the loss with respect to its output.
    pub gradient_std: Option<f64>,
    /// Whether its output is on its way to another layer: it is not the one that makes the logits.
    pub hidden: bool,
    /// Whether a normalization takes its output, so that its scale does not matter.
    pub normalized: bool,
}

impl Signal {
    /// By how much it multiplies the standard deviation.
    pub fn factor(&self) -> f64 {
        self.std_out / self.std_in
    }

    /// By how much it multiplies the root mean square of its input: √fan_in times the standard deviation of its weights.
    pub fn gain(&self) -> f64 {
        self.std_out / self.rms_in
    }
}

/// A weight or bias, and its gradient.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Weight {
    /// Its path, such as `hidden.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The standard deviation of its elements.
    pub std: f64,
    /// The gradient of the loss; `None` where the loss does not depend on it.
    pub gradient: Option<Stats>,
}

impl Weight {
    /// std(gradient) / std(data): `None` where there is no gradient, or the data does not vary, as that of a bias of zeros.
    pub fn grad_data_ratio(&self) -> Option<f64> {
        let ratio = self.gradient.as_ref()?.std / self.std;
        ratio.is_finite().then_some(ratio)
    }

    /// log₁₀ of std(lr · gradient) / std(data): how far a step of plain gradient descent moves it, in powers of ten of its
    /// own size. About −3 is healthy. `None` where there is no gradient, or it is 0, or the data does not vary.
    pub fn update_data_log10(&self, lr: f64) -> Option<f64> {
        let log = (lr * self.grad_data_ratio()?).log10();
        log.is_finite().then_some(log)
    }
}

/// How standard deviations change from one layer to the next: the slope of their natural logarithm by least squares, over
/// the activations, or over the hidden linear layers of a model without. `None` for fewer than three.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Depth {
    /// How many layers there are.
    pub layers: usize,
    /// Of the outputs: positive where the signal grows.
    pub signal: Option<f64>,
    /// Of the gradients, by depth: positive where they fade on the way back.
    pub gradient: Option<f64>,
    /// The geometric mean of what each hidden linear layer multiplies the root mean square with (see [`Signal::gain`]); layers
    /// that a normalization follows are left out. `None` for fewer than two.
    pub gain: Option<f64>,
}

impl Report {
    /// Whether nothing is wrong: there is no finding above a note.
    pub fn is_healthy(&self) -> bool {
        self.worst().is_none_or(|severity| severity == Severity::Note)
    }

    /// The severity of the worst finding, if there is one.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether a finding is about this fault, even as a note.
    pub fn has(&self, fault: Fault) -> bool {
        self.findings.iter().any(|finding| finding.fault == fault)
    }

    /// The verdict in one line.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::Param;
    /// use tensor::Tensor;
    ///
    /// let logits = Param::new(Tensor::<f32>::zeros([4, 3]));
    /// let report = diagnose::inspect(&logits, |logits, tape| logits.on(tape).cross_entropy(&Tensor::from([0, 1, 2, 0])));
    /// assert_eq!(report.verdict(), "on an even keel: loss 1.0986, ln 3 = 1.0986");
    /// ```
    pub fn verdict(&self) -> String {
        let loss = self.loss.in_words();
        let of = |least: Severity| self.findings.iter().filter(move |finding| finding.severity >= least);
        if self.is_healthy() {
            return format!("on an even keel: {loss}");
        }
        // One of each kind stands for all.
        let mut kinds: Vec<Fault> = of(Severity::Warn).map(|finding| finding.fault).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let first = |kind: &Fault| of(Severity::Warn).find(|finding| finding.fault == *kind);
        let words: Vec<&str> = kinds.iter().filter_map(first).map(|finding| finding.brief.as_str()).collect();
        format!("not on an even keel: {}", words.join(", "))
    }
}

impl Loss {
    /// The loss beside what it should be.
    pub(crate) fn in_words(&self) -> String {
        let value = if self.value.is_finite() { format!("loss {:.4}", self.value) } else { "no loss".into() };
        match (self.classes, self.expected) {
            (Some(classes), Some(expected)) if ((classes as f64).ln() - expected).abs() < 1e-12 => {
                format!("{value}, ln {classes} = {expected:.4}")
            }
            (_, Some(expected)) => format!("{value}, expected {expected:.4}"),
            (_, None) => value,
        }
    }
}
