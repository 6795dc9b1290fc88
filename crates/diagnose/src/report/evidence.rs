//! What showed a fault: its kind, with the numbers as numbers.

use super::fault::Fault;
use crate::read::anomaly::Anomaly;

/// What showed a fault, with its numbers. The sentences of a [`Finding`](crate::Finding) are made of it. In JSON, `kind` is the variant's
/// name in snake case, beside its fields.
///
/// # Example
/// ```
/// use diagnose::Evidence;
/// use tensor::Tensor;
///
/// let report = diagnose::inspect_graph(|tape| tape.leaf(Tensor::full([64, 8], 4.0)).tanh().tanh().mean(..));
/// let shares: Vec<f64> = report.findings.iter().filter_map(|finding| match finding.evidence {
///     Evidence::Saturated { share, .. } => Some(share),
///     _ => None,
/// }).collect();
/// assert!(!shares.is_empty() && shares.iter().all(|share| *share > 0.3));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "kind", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Evidence {
    /// A value or a gradient is NaN or infinite.
    NotFinite {
        /// Where the first was made.
        anomaly: Anomaly,
        /// At which step of a training, if one was watched.
        step: Option<u64>,
    },
    /// The loss depends on no trained parameter.
    ConstantLoss,
    /// No example of the batch differs from another.
    ExamplesAlike {
        /// Whether all of them are zero.
        zero: bool,
    },
    /// Windows lie so far apart that some of the data are in none.
    SkippedData {
        /// The op whose windows they are, such as `conv2d`.
        op: &'static str,
    },
    /// Features of the input are far larger than most.
    LargeFeatures {
        /// Which, with what standardizes them.
        columns: Vec<Column>,
        /// How many times as large as most the largest is.
        times: f64,
    },
    /// Features whose mean is many of their deviations away from 0.
    OffsetFeatures {
        /// Which, with what standardizes them.
        columns: Vec<Column>,
    },
    /// Features that are the same for all examples.
    ConstantFeatures {
        /// Which.
        columns: Vec<usize>,
    },
    /// A feature in which one value, far from all others, says that there is none.
    Code {
        /// Which.
        index: usize,
        /// The value.
        value: f64,
        /// In which share of the examples it stands.
        share: f64,
    },
    /// A feature that names its example, and measures nothing.
    Identifier {
        /// Which.
        index: usize,
        /// Its mean.
        mean: f64,
    },
    /// The first layer does not make up for the scale of its input.
    InputScale {
        /// The root mean square of the input.
        rms: f64,
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        std: f64,
        /// What standardizes each of its columns, where these are of several scales.
        columns: Vec<Column>,
    },
    /// Predictions and targets were broadcast against each other.
    Broadcast {
        /// The op.
        op: &'static str,
        /// The shape of the predictions.
        predictions: Vec<usize>,
        /// The shape of the targets.
        targets: Vec<usize>,
        /// The shape of the result.
        result: Vec<usize>,
    },
    /// A loss that takes logits is given probabilities.
    Probabilities {
        /// The op of the loss.
        loss: &'static str,
        /// The op that made the probabilities.
        by: &'static str,
    },
    /// A loss of probabilities is given something else.
    NotProbabilities {
        /// The op of the loss.
        loss: &'static str,
        /// The op that made its input.
        by: &'static str,
        /// The least of its input.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// A loss of logarithms of probabilities is given something else.
    NotLogShares {
        /// The op of the loss.
        loss: &'static str,
        /// The op that made its input.
        by: &'static str,
        /// What the exponentials of a row add up to, as a geometric mean.
        sum: f64,
    },
    /// Probabilities were made as x / Σ x, of an x that is not above zero.
    SharesByHand {
        /// The op that made x.
        by: &'static str,
        /// The share of x that is 0 or less.
        share: f64,
    },
    /// A softmax over one value, which is always 1.
    SoftmaxOfOne {
        /// The op.
        op: &'static str,
    },
    /// A softmax over the examples of the batch.
    SoftmaxOverBatch {
        /// The op.
        op: &'static str,
        /// How many examples there are.
        examples: usize,
    },
    /// A softmax for labels that do not exclude each other.
    SoftmaxOfLabels {
        /// How many labels an example has, as a mean.
        labels: f64,
    },
    /// Targets lie beyond what the output can be.
    OutputRange {
        /// The op that bounds the output.
        by: &'static str,
        /// The least that it can give.
        low: f64,
        /// The largest.
        high: f64,
        /// The least target.
        least: f64,
        /// The largest.
        most: f64,
        /// The share of targets that it cannot reach.
        share: f64,
    },
    /// Logits come from an op that bounds them.
    BoundedLogits {
        /// The op of the loss.
        loss: &'static str,
        /// The op that bounds its input.
        by: &'static str,
        /// The least that it can give.
        low: f64,
        /// The largest.
        high: f64,
        /// The least that the loss can become, as a share of what it costs to know nothing.
        floor: f64,
    },
    /// Targets lie beyond what the loss takes.
    TargetsOutside {
        /// The op of the loss.
        loss: &'static str,
        /// The least target.
        least: f64,
        /// The largest.
        most: f64,
        /// The share of them that lie beyond.
        share: f64,
    },
    /// Targets are meant to be shares of a whole, and do not add up to 1.
    TargetsNotShares {
        /// The op of the loss.
        loss: &'static str,
        /// What those of one example add up to.
        sum: f64,
    },
    /// All targets are the same.
    TargetsAlike {
        /// What they are.
        value: f64,
        /// Whether that is a class.
        class: bool,
        /// How many there are.
        examples: usize,
    },
    /// The targets give all classes the same share.
    TargetsEven {
        /// How many classes there are.
        classes: usize,
    },
    /// Classes that no example is of.
    ClassesMissing {
        /// How many.
        missing: usize,
        /// How many there are.
        classes: usize,
        /// How many examples there are.
        examples: usize,
    },
    /// Most examples are of one class.
    Imbalance {
        /// The share of them.
        share: f64,
        /// What it costs to know the shares of the classes and no more, in nats.
        entropy: f64,
    },
    /// Training makes the loss larger, since there is a minus before it.
    WrongSign {
        /// The op of the loss.
        loss: &'static str,
    },
    /// Penalties of weights are far larger than the loss of the data.
    Penalty {
        /// The penalties.
        penalty: f64,
        /// The loss without them.
        loss: f64,
    },
    /// Units have the same weights, and get the same gradients.
    UnitsAlike {
        /// The weights.
        parameters: Vec<String>,
        /// The share of units in the first of them that are copies of others.
        share: f64,
        /// Whether all units of one of them are the same.
        all: bool,
        /// Whether all of their elements are zero.
        zero: bool,
        /// The gain by which to draw them.
        gain: String,
    },
    /// The first loss is above what it should be.
    Excess {
        /// The loss.
        loss: f64,
        /// What it should be.
        expected: f64,
        /// The number of classes C, where it should be ln C.
        classes: Option<usize>,
        /// The last layer's weight, where that is too large.
        weight: Option<String>,
    },
    /// The targets are far from the outputs.
    FarTargets {
        /// The mean of the outputs.
        outputs: f64,
        /// The mean of the targets.
        targets: f64,
        /// The standard deviation of the targets.
        std: f64,
        /// The bias that could begin at their mean.
        bias: Option<String>,
    },
    /// The targets are far larger than the outputs.
    LargeTargets {
        /// The root mean square of the outputs.
        outputs: f64,
        /// The standard deviation of the targets.
        targets: f64,
    },
    /// Most units of an activation are where it is flat.
    Saturated {
        /// The op of the activation.
        activation: &'static str,
        /// The share of its outputs that are saturated.
        share: f64,
        /// The standard deviation of its input.
        std: f64,
        /// How many units there are.
        units: usize,
        /// How many of them are saturated for every example, where the batch can tell.
        dead: Option<usize>,
        /// Whether it is flat on one side alone, as relu is.
        one_sided: bool,
        /// The weight before it, if one scales its input.
        weight: Option<String>,
        /// Whether that is the weight of a normalization.
        normalizes: bool,
        /// The gain by which to draw it.
        gain: String,
    },
    /// Units are saturated for every example.
    DeadUnits {
        /// How many.
        dead: usize,
        /// How many there are.
        units: usize,
        /// How many examples there are.
        examples: usize,
        /// How many lie so far off that nothing brings them back.
        stuck: usize,
        /// Whether the activation is flat on one side alone.
        one_sided: bool,
    },
    /// A softmax inside of the network sees little but its largest input.
    SureSoftmax {
        /// Its entropy, as a share of that of even shares.
        entropy: f64,
        /// The standard deviation of its input.
        std: f64,
    },
    /// What a place gives is the same for all examples.
    SignalDies {
        /// The gain by which to draw its weights.
        gain: String,
    },
    /// The signal grows or fades from layer to layer.
    SignalScale {
        /// By what it is multiplied with each layer.
        factor: f64,
        /// Whether that is what layers multiply it by, and not how its standard deviation changes.
        by_gain: bool,
        /// Whether branches are added to a trunk on the way.
        joined: bool,
        /// Where it dies.
        dies_at: Option<String>,
        /// The gain by which to draw the weights.
        gain: String,
    },
    /// Recurrent layers with half open gates let less of the signal through with each layer.
    GatesFade {
        /// By what it is multiplied with each layer.
        factor: f64,
        /// The weight of the state of the first of them.
        weight: String,
    },
    /// A weight makes a state larger at each step of a sequence.
    RecurrentGain {
        /// By what: √fan_in times its root mean square.
        gain: f64,
        /// How many steps there are.
        uses: usize,
    },
    /// No gradient comes back through an op.
    GradientDies {
        /// The op.
        op: &'static str,
    },
    /// The gradient grows or fades from layer to layer on the way back.
    GradientScale {
        /// By what it is multiplied with each layer back.
        factor: f64,
        /// The gain by which to draw the weights.
        gain: String,
    },
    /// A parameter gets no gradient.
    NoGradient,
    /// A leaf gets a gradient, and the model does not list it.
    Unlisted {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Two linear layers with nothing between them.
    LinearPair {
        /// The first.
        first: String,
        /// The second.
        second: String,
        /// How many such pairs there are.
        pairs: usize,
    },
    /// The batch has one example.
    OneExample {
        /// How many tell more.
        needed: usize,
    },
    /// A segment that is computed again on the way back is not on the tape.
    Segment,
    /// What scopes have computed is gone.
    Scopes {
        /// How many there were.
        count: u64,
    },
    /// The judgement failed, which is a fault of this crate.
    NotJudged {
        /// Why.
        why: String,
    },
    /// Steps of a training draw the same numbers, one after the other.
    SameDraws {
        /// The seed that they draw by.
        seed: u64,
        /// The step that they draw by.
        step: u64,
        /// How many steps there were.
        steps: u64,
    },
    /// The scale of an activation has changed in a training.
    Drift {
        /// Its standard deviation at first.
        from: f64,
        /// At last.
        to: f64,
    },
    /// No step moves any weight, though there are gradients.
    NoWeightMoves,
    /// Steps move weights too far, or not far enough.
    StepSize {
        /// The median of log₁₀ std(update) / std(weight).
        log10: f64,
        /// Whether it is too large.
        high: bool,
        /// Whether the loss rose by it at some time.
        overshoots: bool,
    },
    /// A training has come no farther than to what it costs to know nothing.
    NothingLearned {
        /// The loss of the last steps, as a mean.
        loss: f64,
        /// That of the first.
        first: f64,
        /// What it costs to know nothing, if the loss says so.
        baseline: Option<f64>,
        /// How many steps there were.
        steps: u64,
        /// Whether no gradient comes to any weight.
        no_gradient: bool,
        /// Whether another finding says why.
        is_explained: bool,
    },
    /// One batch was not learned by heart.
    NotMemorized {
        /// Its first loss.
        first: f64,
        /// Its last.
        last: f64,
        /// What it costs to know nothing, if the loss says so.
        known: Option<f64>,
        /// In so many steps.
        steps: u64,
    },
    /// A model learns as much without its inputs.
    InputsUnused {
        /// The last loss with inputs.
        with: f64,
        /// And without.
        without: f64,
        /// In so many steps.
        steps: u64,
    },
    /// The output for one example depends on the inputs of others.
    ExamplesMix {
        /// For how many.
        mixed: usize,
        /// How many there are.
        examples: usize,
    },
    /// The output at a time depends on later inputs.
    FutureSeen {
        /// Whether the next symbol is what is predicted.
        next: bool,
    },
    /// A loss that is never below zero is.
    BelowZero {
        /// The op of the loss.
        op: &'static str,
        /// What it is.
        loss: f64,
    },
    /// The loss is higher at the end than at the beginning.
    LossRises {
        /// Its mean over the first steps.
        first: f64,
        /// And over the last.
        last: f64,
    },
    /// Units have died in a training.
    UnitsDied {
        /// How many.
        died: usize,
        /// How many there are.
        units: usize,
        /// By which step.
        step: u64,
    },
}

/// A feature of the input, with what standardizes it: (x − mean) / std.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Column {
    /// Its place along the last axis.
    pub index: usize,
    /// Its mean over the examples.
    pub mean: f64,
    /// Its standard deviation.
    pub std: f64,
}

impl Evidence {
    /// What is wrong.
    pub fn fault(&self) -> Fault {
        match self {
            Evidence::NotFinite { .. } => Fault::NotFinite,
            Evidence::ConstantLoss => Fault::Constant,
            Evidence::ExamplesAlike { .. } | Evidence::InputScale { .. } | Evidence::LargeFeatures { .. } => {
                Fault::Data
            }
            Evidence::OffsetFeatures { .. } | Evidence::ConstantFeatures { .. } | Evidence::SkippedData { .. } => {
                Fault::Data
            }
            Evidence::Code { .. } | Evidence::Identifier { .. } => Fault::Data,
            Evidence::Broadcast { .. } => Fault::Broadcast,
            Evidence::Probabilities { .. }
            | Evidence::NotProbabilities { .. }
            | Evidence::NotLogShares { .. }
            | Evidence::SharesByHand { .. } => Fault::Logits,
            Evidence::SoftmaxOfOne { .. } | Evidence::SoftmaxOverBatch { .. } | Evidence::SoftmaxOfLabels { .. } => {
                Fault::Output
            }
            Evidence::OutputRange { .. } | Evidence::BoundedLogits { .. } => Fault::Output,
            Evidence::TargetsOutside { .. } | Evidence::TargetsNotShares { .. } => Fault::Targets,
            Evidence::TargetsAlike { .. } | Evidence::TargetsEven { .. } => Fault::Targets,
            Evidence::ClassesMissing { .. } | Evidence::Imbalance { .. } => Fault::Targets,
            Evidence::WrongSign { .. } | Evidence::Penalty { .. } | Evidence::BelowZero { .. } => Fault::Objective,
            Evidence::NothingLearned { .. } | Evidence::NotMemorized { .. } => Fault::NotLearning,
            Evidence::InputsUnused { .. } => Fault::NotLearning,
            Evidence::ExamplesMix { .. } | Evidence::FutureSeen { .. } => Fault::Leak,
            Evidence::UnitsAlike { .. } => Fault::Symmetry,
            Evidence::Excess { .. } | Evidence::FarTargets { .. } | Evidence::LargeTargets { .. } => Fault::Loss,
            Evidence::Saturated { .. } | Evidence::SureSoftmax { .. } => Fault::Saturation,
            Evidence::DeadUnits { .. } | Evidence::UnitsDied { .. } => Fault::Dead,
            Evidence::SignalDies { .. } | Evidence::SignalScale { .. } | Evidence::Drift { .. } => Fault::Signal,
            Evidence::RecurrentGain { .. } | Evidence::GatesFade { .. } => Fault::Signal,
            Evidence::GradientDies { .. } | Evidence::GradientScale { .. } => Fault::Gradient,
            Evidence::NoGradient => Fault::Unused,
            Evidence::Unlisted { .. } => Fault::Unlisted,
            Evidence::LinearPair { .. } => Fault::Linear,
            Evidence::SameDraws { .. } => Fault::SameDraws,
            Evidence::OneExample { .. } => Fault::Batch,
            Evidence::Segment | Evidence::Scopes { .. } | Evidence::NotJudged { .. } => Fault::Unseen,
            Evidence::LossRises { .. } | Evidence::StepSize { high: true, .. } => Fault::RateTooHigh,
            Evidence::NoWeightMoves | Evidence::StepSize { .. } => Fault::RateTooLow,
        }
    }
}
