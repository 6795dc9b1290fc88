//! What an inspection found: data alone.

pub(crate) mod evidence;
pub(crate) mod fault;
pub(crate) mod finding;
pub(crate) mod history;
pub(crate) mod stats;

use tensor::Tensor;

use crate::read::anomaly::Anomaly;
use crate::read::saturation::Saturation;
use crate::report::finding::{Action, Fault, Finding, Severity};
use crate::report::stats::Stats;
use crate::say::text::loss;

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
    /// The ways of the signal from the inputs to each end of the network.
    pub paths: Vec<SignalPath>,
    /// Every weight and bias, in the model's order.
    pub weights: Vec<Weight>,
    /// How signal and gradient change along depth.
    pub depth: Depth,
    /// The first value or gradient that is NaN or infinite.
    pub anomaly: Option<Anomaly>,
    /// What is wrong, the most harmful first; nothing where the model is on an even keel.
    pub findings: Vec<Finding>,
    /// What mends it, in the order in which it was tried on a copy.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) cure: Vec<Action>,
    /// What is left after that.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) left: Vec<Finding>,
}

/// The loss of a batch.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Loss {
    /// The loss, as the model gave it.
    pub value: f64,
    /// The part of it that is compared: the op whose role is that of a loss, before it is scaled; several with their weights; the loss
    /// itself where there is none.
    pub compared: f64,
    /// What it should be at step 0: what the caller said, or what the best constant prediction costs, such as ln C for C
    /// classes, or of a mask as many as it leaves. `None` where nobody can tell: the first loss is then not judged.
    pub expected: Option<f64>,
    /// How many classes there are, if it is a classifier.
    pub classes: Option<usize>,
    /// How many examples it is the mean of.
    pub examples: Option<usize>,
    /// The standard deviation of the logits: about √(2 (loss − ln C)) for normal ones.
    pub logits_std: Option<f64>,
    /// How many losses are added up in it.
    pub parts: usize,
    /// Whether the caller said what to expect.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) given: bool,
    /// Whether it is of a model that is not trained yet.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) first: bool,
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
    /// Where its uses are on the tape.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) nodes: Vec<usize>,
    /// When its units are saturated.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) rule: Saturation,
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
    /// How often it is used, such as once for each step of a sequence; all figures are of all uses together.
    pub uses: usize,
    /// The least and the largest share over these uses.
    pub saturated_range: [f64; 2],
    /// How many units there are: channels where the op counts them on axis 1, else the last axis.
    pub units: usize,
    /// How many units are saturated for every example; 0 where there is but one, which cannot tell.
    pub dead: usize,
    /// Which units are saturated for which example, in the use with the most of them.
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
    /// Where its first use is on the tape.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) node: usize,
    /// The layer.
    pub place: String,
    /// The output, where no activation of the report is of this layer.
    pub output: Option<Stats>,
    /// How often it is used; figures are roots of mean squares over the uses.
    pub uses: usize,
    /// The standard deviation of its input.
    pub std_in: f64,
    /// The root mean square of its input, which is what a weight of mean 0 multiplies.
    pub rms_in: f64,
    /// The mean of its output.
    pub mean_out: f64,
    /// The standard deviation of its output.
    pub std_out: f64,
    /// The least and the largest over these uses.
    pub std_out_range: [f64; 2],
    /// The standard deviation of the gradient of the loss with respect to its output.
    pub gradient_std: Option<f64>,
    /// Whether another layer comes after it: it is not one that makes the logits.
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

/// The way of the signal from the inputs to one end of the network. Where a branch is added to a trunk, the sum is on it, and not
/// the branch.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SignalPath {
    /// The layer at its end.
    pub place: String,
    /// What it goes through on the way there.
    pub stages: Vec<Stage>,
}

/// A layer, a normalization or a sum on a path, with what follows up to the next.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stage {
    /// The module that it belongs to.
    pub place: String,
    /// `"layer"`, `"norm"` or `"sum"`.
    pub kind: &'static str,
    /// How often it is on the path.
    pub uses: usize,
    /// The standard deviation at its end, after its activation: the least and the largest over the uses.
    pub std: [f64; 2],
    /// By how much it multiplies what varies over examples; `None` where it does not matter.
    pub gain: Option<f64>,
    /// The standard deviation of the gradient there, where it is largest.
    pub gradient_std: Option<f64>,
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

/// How standard deviations change from one block of the longest path to the next: the slope of their natural logarithm by least
/// squares. A block is a layer with its activation, or a sum of branches. `None` for fewer than three.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Depth {
    /// How many blocks there are.
    pub layers: usize,
    /// Of the outputs: positive where the signal grows.
    pub signal: Option<f64>,
    /// Of the gradients, by depth: positive where they fade on the way back.
    pub gradient: Option<f64>,
    /// The geometric mean of what each block multiplies the signal with, which is what varies over examples; blocks before a
    /// normalization are left out. `None` for fewer than two.
    pub gain: Option<f64>,
}

/// The slope of ln y by its place, by least squares; `None` for fewer than three, and where one has no logarithm.
pub(crate) fn slope(y: &[f64]) -> Option<f64> {
    if y.len() < 3 {
        return None;
    }
    let middle = (y.len() - 1) as f64 / 2.0;
    let by_place = y.iter().enumerate().map(|(i, y)| (i as f64 - middle, y.ln()));
    let (products, squares) = by_place.fold((0.0, 0.0), |(xy, xx), (x, ln)| (xy + x * ln, xx + x * x));
    let slope = products / squares;
    slope.is_finite().then_some(slope)
}

impl Report {
    /// Whether it is layer after layer, each used once, with one end.
    pub(crate) fn is_stack(&self) -> bool {
        let plain = |stage: &Stage| stage.kind != "sum" && stage.uses == 1;
        self.paths.len() < 2 && self.paths.iter().flat_map(|path| &path.stages).all(plain)
    }

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
            let as_far = if self.has(Fault::Unseen) { ", as far as it was looked into" } else { "" };
            return format!("on an even keel{as_far}: {loss}");
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
    /// What to do about a first loss that nobody knows what to expect of.
    pub(crate) fn unjudged(&self) -> Option<&'static str> {
        let how = "the first loss was not judged: Inspector::with_expected_loss says what to expect";
        (self.first && self.expected.is_none() && self.value.is_finite()).then_some(how)
    }

    /// The loss beside what it should be.
    pub(crate) fn in_words(&self) -> String {
        if !self.value.is_finite() {
            return "no loss".into();
        }
        let (value, compared) = (self.value, self.compared);
        let scaled = (value - compared).abs() > 1e-6 * value.abs();
        let whole = match self.parts {
            0 | 1 if scaled && self.expected.is_some() => format!("loss {} (in all {})", loss(compared), loss(value)),
            0 | 1 => format!("loss {}", loss(value)),
            parts => format!("loss {} of {parts} parts", loss(value)),
        };
        let Some(expected) = self.expected else {
            return if self.first { format!("{whole}, not judged") } else { whole };
        };
        let prior = if compared < expected - 0.1 * expected.abs() && compared >= 0.0 { ", a good prior" } else { "" };
        match self.classes {
            Some(classes) if ((classes as f64).ln() - expected).abs() < 1e-12 => {
                format!("{whole}, ln {classes} = {expected:.4}{prior}")
            }
            _ if expected == std::f64::consts::LN_2 => format!("{whole}, ln 2 = {expected:.4}{prior}"),
            _ => format!("{whole}, expected {}{prior}", loss(expected)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_logarithm() {
        assert!((slope(&[1.0, 2.0, 4.0, 8.0]).unwrap() - 2_f64.ln()).abs() < 1e-12);
        assert_eq!(slope(&[3.0, 3.0, 3.0]), Some(0.0));
        assert_eq!(slope(&[1.0, 2.0]), None);
        assert_eq!(slope(&[1.0, 0.0, 2.0]), None);
    }
}
