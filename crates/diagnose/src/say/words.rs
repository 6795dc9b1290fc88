//! Every sentence about a fault, made of its evidence.

use std::f64::consts::LN_2;

use crate::read::anomaly::{Anomaly, Direction};
use crate::report::evidence::{Column, Evidence};
use crate::say::text::{self, figure, percent};

/// What a finding says.
pub(crate) struct Words {
    /// What was found, in a few words.
    pub(crate) brief: String,
    /// And in a sentence.
    pub(crate) message: String,
    /// The rule that is broken.
    pub(crate) rule: &'static str,
    /// What a person can do about it.
    pub(crate) remedy: String,
}

const STEP_RULE: &str = "a step moves a weight by about a thousandth of itself";
const DEAD_RULE: &str = "a unit that is flat for every example gets no gradient and does not learn";
const UNSEEN: (&str, &str) = ("not all was looked into", "what is well is what was looked at");

const SHARES_RULE: &str = "a softmax shares 1 out among the classes of one example";

const COLUMN_RULE: &str = "features have about the same scale, and a mean of 0, so that each can be learned from";

/// The first of many.
fn list(all: impl ExactSizeIterator<Item = impl ToString>) -> String {
    const SAID: usize = 4;
    let more = all.len().saturating_sub(SAID);
    let first = all.take(SAID).map(|one| one.to_string()).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

fn features(columns: &[Column]) -> String {
    let list = list(columns.iter().map(|column| column.index));
    if columns.len() == 1 { format!("feature {list}") } else { format!("features {list}") }
}

/// What standardizes columns, each by itself: one scale for all would make those small that are well.
fn standardized(columns: &[Column]) -> String {
    let of = |column: &Column| {
        let [mean, std] = [column.mean, column.std].map(figure);
        format!("(x[{}] − {mean}) / {std}", column.index)
    };
    let all = list(columns.iter().map(of));
    format!("standardize each by itself, as `nn::Standardize` does: {all}; `Evidence` has all figures")
}

/// A number that may be a whole one.
fn number(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e5 { format!("{x:.0}") } else { figure(x) }
}

/// Where numbers end.
fn ends(low: f64, high: f64) -> String {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => format!("between {} and {}", number(low), number(high)),
        (true, false) => format!("from {} on", number(low)),
        _ => format!("up to {}", number(high)),
    }
}

fn span(least: f64, most: f64) -> String {
    format!("{} to {}", number(least), number(most))
}

fn words(brief: impl Into<String>, message: impl Into<String>, rule: &'static str, remedy: impl Into<String>) -> Words {
    Words { brief: brief.into(), message: message.into(), rule, remedy: remedy.into() }
}

/// What is said of evidence at a place.
pub(crate) fn of(place: &str, evidence: &Evidence) -> Words {
    match evidence {
        Evidence::NotFinite { anomaly, step } => {
            let what = anomaly.what;
            let (brief, message) = match step {
                None => (format!("{what} in {place}"), anomaly.to_string()),
                Some(step) => (format!("{what} at step {step}"), format!("at step {step}, {anomaly}")),
            };
            // What a batch brought, or was there before the first step, no learning rate has done.
            let remedy = match step.is_none_or(|step| step == 0) || anomaly.is_of_the_batch() {
                true => of_anomaly(anomaly),
                false => "begin again with a learning rate of a third, nn::Optimizer::new(rule, lr / 3.0)",
            };
            words(brief, message, "every value and every gradient is a finite number", remedy)
        }
        Evidence::ConstantLoss => words(
            "a constant loss",
            "the loss depends on no trained parameter, so that nothing can be learned",
            "training changes parameters to make the loss smaller",
            "compute the loss from what the model gives, with its parameters put on the tape by `Param::on`",
        ),
        Evidence::ExamplesAlike { zero } => {
            let what = if *zero { "zero" } else { "alike" };
            words(
                format!("examples all {what}"),
                format!("the examples of the batch are all {what}"),
                "what is to be learned is how examples differ",
                "inspect with a batch of real examples",
            )
        }
        Evidence::SkippedData { op } => words(
            "some of the data unread",
            format!("the windows of {op} lie so far apart that some elements of the data are in none of them"),
            "windows meet where the stride is at most the kernel, and overlap where it is less",
            "take a stride of at most the kernel's size, or a larger kernel",
        ),
        Evidence::LargeFeatures { columns, times } => words(
            match &columns[..] {
                [_] => format!("a feature × {}", figure(*times)),
                all => format!("{} features × up to {}", all.len(), figure(*times)),
            },
            format!(
                "{} of the input {} as large as most: {}",
                features(columns),
                match &columns[..] {
                    [_] => format!("is {} times", figure(*times)),
                    _ => format!("are up to {} times", figure(*times)),
                },
                if columns.len() == 1 { "it drowns them" } else { "they drown them" }
            ),
            COLUMN_RULE,
            standardized(columns),
        ),
        Evidence::OffsetFeatures { columns } => words(
            format!("{} far from 0", features(columns)),
            format!(
                "{} of the input {} far from 0, and hardly differs",
                features(columns),
                if columns.len() == 1 { "is" } else { "are" }
            ),
            COLUMN_RULE,
            standardized(columns),
        ),
        Evidence::ConstantFeatures { columns } => {
            let list = list(columns.iter());
            words(
                format!("feature {list} constant"),
                format!("feature {list} of the input is the same for all examples"),
                "what is to be learned is how examples differ",
                "leave it out, or look at how it is read",
            )
        }
        Evidence::Code { index, value, share } => words(
            format!("{} in feature {index}", figure(*value)),
            format!(
                "feature {index} of the input is {} in {} of the examples, far from all its other values: a code for what is missing",
                figure(*value),
                percent(*share)
            ),
            "a feature is a quantity, and a code among its values is taken for one",
            format!(
                "put the mean of the others in place of {}, and add a feature that says where it was",
                figure(*value)
            ),
        ),
        Evidence::Identifier { index, mean } => words(
            format!("feature {index} is an identifier"),
            format!(
                "feature {index} of the input has large whole numbers (mean {}), hardly any of them twice: it names examples, and measures nothing",
                figure(*mean)
            ),
            "a feature is a quantity, or a class of an embedding",
            "leave it out; digits that mean something are classes, one for each place (nn::Embedding)",
        ),
        Evidence::InputScale { rms, mean, std, columns } => {
            let shift = if mean.abs() > 0.1 * std { format!("(x − {})", figure(*mean)) } else { "x".into() };
            let [mean, std] = [*mean, *std].map(figure);
            words(
                format!("input of size {}", figure(*rms)),
                format!("the input has mean {mean} and std {std}"),
                "weights of gain / √fan_in are made for inputs of about mean 0 and standard deviation 1",
                match columns.is_empty() {
                    true => format!("scale the input: {shift} / {std}"),
                    false => standardized(columns),
                },
            )
        }
        Evidence::Broadcast { op, predictions, targets, result } => words(
            "predictions broadcast against targets",
            format!(
                "`{op}` of {predictions:?}, {targets:?} gives {result:?}: every prediction is compared with every target"
            ),
            "predictions and targets have the same shape",
            format!("reshape the targets to {predictions:?}"),
        ),
        Evidence::Probabilities { loss, by } => words(
            format!("{by} before {loss}"),
            format!(
                "`{loss}` takes logits, and is given the result of `{by}`: between 0 and 1, they can hardly differ"
            ),
            "a loss of logits makes the probabilities itself",
            format!("leave out `{by}`, or take a loss of probabilities"),
        ),
        Evidence::NotProbabilities { loss, by, least, most } => words(
            format!("{by} before {loss}"),
            format!(
                "`{loss}` takes probabilities, and is given the result of `{by}`, here {} to {}",
                figure(*least),
                figure(*most)
            ),
            "a probability is between 0 and 1",
            match *loss {
                "bce_loss" => "put `sigmoid` before it, or better take `bce_with_logits_loss` without it".to_owned(),
                loss => format!("put `sigmoid` or `softmax` before `{loss}`"),
            },
        ),
        Evidence::NotLogShares { loss, by, sum } => words(
            format!("{by} before {loss}"),
            format!(
                "`{loss}` takes logarithms of probabilities, and is given the result of `{by}`: of one example they add up to {}",
                figure(*sum)
            ),
            "the probabilities of all classes add up to 1",
            match *loss {
                "nll_loss" => "put `log_softmax(-1)` before it, or take `cross_entropy`, which does both".to_owned(),
                loss => format!("put `log_softmax(-1)` before `{loss}`"),
            },
        ),
        Evidence::SharesByHand { by, share } => words(
            format!("probabilities of {by}"),
            format!(
                "probabilities are made of the result of `{by}`, divided by its sum, of which {} are 0 or less: they have no logarithm, and get no gradient",
                percent(*share)
            ),
            "a probability is above zero",
            "make them by `softmax(-1)`, or take `cross_entropy` of what the last layer gives",
        ),
        Evidence::SoftmaxOfOne { op } => words(
            format!("{op} of one value"),
            format!("`{op}` over one value has one result, whatever the model gives: nothing can be learned"),
            SHARES_RULE,
            "take `sigmoid`, or `bce_with_logits_loss` of what comes before, or one output for each class",
        ),
        Evidence::SoftmaxOverBatch { op, examples } => words(
            format!("{op} over the batch"),
            format!("`{op}` is taken over the {examples} examples of the batch, and not over the classes"),
            SHARES_RULE,
            format!("take `{op}(-1)`, over the last axis"),
        ),
        Evidence::SoftmaxOfLabels { labels } => words(
            "softmax for several labels",
            format!(
                "an example has {} labels as a mean, and the probabilities of `softmax` add up to 1: no two can be sure at once",
                figure(*labels)
            ),
            "labels that do not exclude each other have a probability each",
            "take `sigmoid`, or `bce_with_logits_loss` of what comes before it",
        ),
        Evidence::OutputRange { by, low, high, least, most, share } => {
            let ends = ends(*low, *high);
            words(
                format!("{by} gives {ends}, targets {}", span(*least, *most)),
                format!(
                    "`{by}` gives numbers {ends}, and the targets are {}: {} of them cannot be reached",
                    span(*least, *most),
                    percent(*share)
                ),
                "an output can be all that the targets are",
                format!("leave out `{by}`, or bring the targets to numbers {ends}"),
            )
        }
        Evidence::BoundedLogits { loss, by, low, high, floor } => {
            let ends = ends(*low, *high);
            words(
                format!("{by} before {loss}"),
                match floor {
                    0.0 => format!(
                        "`{loss}` takes logits, and is given the result of `{by}`: what it cuts off gets no gradient"
                    ),
                    floor => format!(
                        "`{loss}` takes logits, and is given the result of `{by}`, {ends}: the loss stays above {} of what it costs to know nothing",
                        percent(*floor)
                    ),
                },
                "logits are any numbers: how sure a prediction can be depends on them",
                format!("leave out `{by}` after the last layer"),
            )
        }
        Evidence::TargetsOutside { loss, least, most, share } => words(
            format!("targets {} for {loss}", span(*least, *most)),
            format!(
                "`{loss}` takes targets of 0 to 1, and is given {}: {} of them are beyond, and the loss falls without end",
                span(*least, *most),
                percent(*share)
            ),
            "targets are what the loss takes: probabilities, and 0 or 1 where it is known",
            match (*least, *most) {
                (least, most) if least >= -1.0 && most <= 1.0 => "map them from −1 … 1 to 0 … 1: (t + 1) / 2",
                (least, _) if least >= 0.0 => {
                    "for several classes, give the model an output for each, and take `cross_entropy`"
                }
                _ => "take a loss of numbers, such as `mse_loss`, or map them to 0 … 1",
            },
        ),
        Evidence::TargetsNotShares { loss, sum } => words(
            format!("targets add up to {}", figure(*sum)),
            format!("`{loss}` takes probabilities of classes, and those of an example add up to {}", figure(*sum)),
            "the probabilities of all classes add up to 1",
            "for labels that do not exclude each other take `bce_with_logits_loss`, else divide each row by its sum",
        ),
        Evidence::TargetsAlike { value, class, examples } => words(
            "targets all alike",
            match class {
                true => format!("all {examples} examples are of class {value}"),
                false => format!("all {examples} targets are {}", figure(*value)),
            },
            "what is to be learned is how targets differ",
            "look at how labels are read (a division, a wrong column), and shuffle the examples",
        ),
        Evidence::TargetsEven { classes } => words(
            "targets that say nothing",
            format!("the targets give each of the {classes} classes the same share: the labels do not count"),
            "a target gives its class more than the others",
            "take a label smoothing of about 0.1",
        ),
        Evidence::ClassesMissing { missing, classes, examples } => words(
            format!("{missing} of {classes} classes missing"),
            format!("of {classes} classes {missing} have none of the {examples} examples"),
            "a class is learned from its examples",
            "look at how labels are read, and shuffle the examples; or give the model fewer outputs",
        ),
        Evidence::Imbalance { share, entropy } => words(
            format!("{} of one class", percent(*share)),
            format!(
                "{} of the examples are of one class: to say so always is right as often, and to know the shares costs {}",
                percent(*share),
                figure(*entropy)
            ),
            "a model that has learned is better than one that knows the shares of the classes",
            "compare with these figures, or weight the classes (`CrossEntropy::weight`, `Bce::pos_weight`)",
        ),
        Evidence::WrongSign { loss } => words(
            "a loss with the wrong sign",
            format!("a minus stands before `{loss}`: training makes it larger"),
            "training changes parameters to make the loss smaller",
            format!("leave out the minus: `{loss}` is made small as it is"),
        ),
        Evidence::Penalty { penalty, loss } => words(
            format!("penalty {} × the loss", figure(penalty / loss)),
            format!(
                "the penalty of the weights is {}, the loss of the data {}: training makes the weights small first",
                figure(*penalty),
                figure(*loss)
            ),
            "a penalty is small beside the loss that it is added to",
            format!("multiply it by {} or less", figure(0.1 * loss / penalty)),
        ),
        Evidence::UnitsAlike { parameters, share, all, zero, gain } => {
            let names = parameters.join(", ");
            let what = match (zero, all) {
                (true, _) => "are all zero".to_owned(),
                (_, true) => "are alike".to_owned(),
                _ => format!("are copies of others ({})", percent(*share)),
            };
            words(
                if *all { "units all alike" } else { "units that are copies" },
                format!("the units of {names} {what} and get alike gradients: they stay alike for ever"),
                "units differ from the start, or they learn the same thing",
                format!("draw {names} at random, by init::kaiming_normal(Gain::{gain})"),
            )
        }
        Evidence::Excess { loss, expected, classes, weight } => {
            let classes = classes.or((*expected == LN_2).then_some(2));
            let (what, of, rule) = match classes {
                Some(classes) => (
                    format!("ln {classes}"),
                    format!("ln {classes} = {expected:.4}"),
                    "a classifier that knows nothing gives all of C classes the same probability, and loses ln C",
                ),
                None => (
                    text::loss(*expected),
                    format!("the {} expected", text::loss(*expected)),
                    "the first loss is what was expected",
                ),
            };
            // An expected loss of 0 has no multiples.
            let many = |times: f64| if times < 1e5 { format!("{times:.1}") } else { figure(times) };
            let times = Some(loss / expected).filter(|times| times.is_finite() && *times > 0.0);
            let (brief, message) = match times {
                Some(times) => (
                    format!("loss {} × {what}", many(times)),
                    format!("the first loss is {}, {} times {of}", text::loss(*loss), many(times)),
                ),
                None => (
                    format!("loss {}, not {what}", text::loss(*loss)),
                    format!("the first loss is {}, not {of}", text::loss(*loss)),
                ),
            };
            let remedy = match weight {
                Some(weight) => format!("draw {weight} by init::normal(0.01)"),
                None => "make the last layer's weights small, and its bias zero".to_owned(),
            };
            words(brief, message, rule, remedy)
        }
        Evidence::FarTargets { outputs, targets, std, bias } => {
            let [outputs, targets, std] = [*outputs, *targets, *std].map(figure);
            words(
                format!("targets near {targets}, outputs near {outputs}"),
                format!("the targets are {targets} (std {std}), the outputs {outputs}: training begins with that way"),
                "outputs begin at the mean of the targets",
                match bias {
                    Some(bias) => format!("standardize the targets, or begin with {bias} at their mean, {targets}"),
                    None => format!("standardize the targets, or add their mean, {targets}, to the outputs"),
                },
            )
        }
        Evidence::LargeTargets { outputs, targets } => {
            let [outputs, targets] = [*outputs, *targets].map(figure);
            words(
                format!("targets of ±{targets}, outputs of ±{outputs}"),
                format!(
                    "the targets vary by {targets}, the outputs are of size {outputs}: weights have far to go, or overshoot"
                ),
                "outputs and targets have about the same size, which is about 1",
                "standardize the targets: (t − mean) / std, as `nn::Standardize` does, and back again",
            )
        }
        Evidence::Saturated { activation, share, std, units, dead, one_sided, weight, normalizes, gain } => {
            let what = if *one_sided { "off" } else { "saturated" };
            let dead = dead
                .filter(|dead| *dead > 0)
                .map_or(String::new(), |dead| format!(", {dead} of {units} units for every example"));
            words(
                format!("{:.0} % of {activation} {what}", 100.0 * share),
                format!("{} of {activation} are {what} (input std {}){dead}", percent(*share), figure(*std)),
                "most units are where their activation is steep: a flat one passes no gradient",
                match weight {
                    Some(weight) if *normalizes => format!("begin with {weight} at 1"),
                    Some(weight) => format!("draw {weight} by init::kaiming_normal(Gain::{gain})"),
                    None => format!(
                        "scale what goes in down to a standard deviation of 1, as init::kaiming_normal(Gain::{gain}) does"
                    ),
                },
            )
        }
        Evidence::DeadUnits { dead, units, examples, stuck, one_sided } => words(
            format!("{dead} of {units} units dead"),
            format!(
                "{dead} of {units} units are {} for all {examples} examples",
                if *one_sided { "off" } else { "saturated" }
            ),
            DEAD_RULE,
            match stuck {
                0 => "start with smaller weights and a bias of zero, and train with a lower learning rate",
                _ => "begin with these units again: random weights, and a bias of zero",
            },
        ),
        Evidence::SureSoftmax { entropy, std } => words(
            "softmax saturated",
            format!(
                "softmax sees little but the largest of its inputs (entropy {} of what is even)",
                percent(*entropy)
            ),
            "scores of attention have a standard deviation of about 1: a sure softmax passes no gradient",
            format!(
                "divide the scores (std {}) by √(width of the keys), or draw the weights before them smaller",
                figure(*std)
            ),
        ),
        Evidence::SignalDies { gain } => words(
            "the signal dies",
            format!("the signal dies: what {place} gives is the same for all examples"),
            "what differs from example to example comes to every layer",
            format!("draw its weights by init::kaiming_normal(Gain::{gain})"),
        ),
        Evidence::SignalScale { factor, by_gain, joined, dies_at, gain } => {
            let each = if *joined { "block" } else { "layer" };
            let message = match by_gain {
                true => format!("each layer multiplies the signal by {}", figure(*factor)),
                false => format!("the signal {} with each {each}", change(*factor)),
            };
            words(
                format!("signal × {} per layer", figure(*factor)),
                dies_at.iter().fold(message, |message, place| format!("{message}, and dies at {place}")),
                "x·W multiplies the standard deviation by √fan_in times that of W: weights of gain / √fan_in keep it",
                match joined {
                    true => {
                        "draw the last weight of each branch by init::residual, or normalize the sums (nn::LayerNorm)"
                            .into()
                    }
                    false => format!("draw them by init::kaiming_normal(Gain::{gain})"),
                },
            )
        }
        Evidence::GatesFade { factor, weight } => words(
            format!("signal × {} per recurrent layer", figure(*factor)),
            format!("each recurrent layer multiplies the signal by {}: its gates are half open", figure(*factor)),
            "what differs from example to example comes to every layer",
            format!(
                "if it learns slowly, begin the forget gates with a bias of 1 (`LSTM::with_forget_bias`), and draw {weight} and its like by init::orthogonal(Gain::Linear)"
            ),
        ),
        Evidence::RecurrentGain { gain, uses } => words(
            format!("state × {} each step", figure(*gain)),
            format!(
                "it multiplies the state by {} at each of {uses} steps: what comes of the first inputs is noise",
                figure(*gain)
            ),
            "a state is neither made larger nor smaller by the weight that it goes through at each step",
            format!("draw {place} by init::orthogonal(Gain::Linear)"),
        ),
        Evidence::GradientDies { op } => words(
            "no gradient",
            format!("the gradient dies: nothing comes back through `{op}`"),
            "a gradient comes to every layer",
            "look for what is multiplied by zero, flat, or too small for the float there",
        ),
        Evidence::GradientScale { factor, gain } => {
            let what = if *factor < 1.0 { "vanishes" } else { "explodes" };
            words(
                format!("gradient {what}"),
                format!("the gradient {what}: it {} with each layer back", change(*factor)),
                "gradients have about the same scale in every layer, so that one learning rate suits all",
                format!(
                    "draw the weights by init::kaiming_normal(Gain::{gain}), or normalize the layers (nn::BatchNorm1d)"
                ),
            )
        }
        Evidence::NoGradient => words(
            format!("{place} unused"),
            format!("{place} gets no gradient: the loss does not depend on it"),
            "every trained parameter has a share in the loss",
            "use it in `forward`, or freeze it, or make it `nn::Param::state`",
        ),
        Evidence::Unlisted { shape } => words(
            format!("{place} unlisted"),
            format!("a leaf {shape:?} has a gradient, and the model does not list it"),
            "an optimizer trains what the model lists",
            "name its field in `nn::module!`, or put it on the tape as a constant if it is not trained",
        ),
        Evidence::LinearPair { first, second, .. } => words(
            "linear layers in a row",
            format!("nothing is between {first} and {second}: together they are one linear layer"),
            "a product of two matrices is one matrix",
            "put an activation between them, or leave one out",
        ),
        Evidence::OneExample { needed } => words(
            "a batch of one",
            "the batch has one example: how examples differ, and which units are dead, cannot be told",
            "a standard deviation takes two numbers, and a unit is dead when it is so for many examples",
            format!("inspect with {needed} examples or more"),
        ),
        Evidence::Segment => words(
            UNSEEN.0,
            "what is computed again on the way back (`recomputed`) is not on the tape, and was not looked at",
            UNSEEN.1,
            "`diagnose::inspect` looks into it",
        ),
        Evidence::Scopes { count } => words(
            UNSEEN.0,
            match count {
                1 => "what a scope has computed is gone, and was not looked at".to_owned(),
                count => format!("what {count} scopes have computed is gone, and was not looked at"),
            },
            UNSEEN.1,
            "inspect what is computed in a scope (`Tape::scope`) by itself, or leave the scope out for an inspection",
        ),
        Evidence::NotJudged { why } => words(
            "not judged",
            format!("the model could not be judged: {why}"),
            UNSEEN.1,
            "this is a fault of `diagnose`: please report it with the model",
        ),
        Evidence::SameDraws { seed, step, steps } => words(
            "the same numbers at each step",
            format!("{steps} steps have drawn by the same seed {seed} and step {step}: the same masks, the same noise"),
            "what is drawn is a function of the seed and the step",
            "give each step its own number, `tape.seed(seed, step)` after each reset, as `nn::Fit` does",
        ),
        Evidence::Drift { from, to } => words(
            format!("scale × {}", figure(to / from)),
            format!("its scale went from {} to {}", figure(*from), figure(*to)),
            "what a layer gives keeps about its scale",
            "lower the learning rate of its nn::Optimizer",
        ),
        Evidence::NoWeightMoves => words(
            "no weight moves",
            "no step moves any weight, though there are gradients",
            STEP_RULE,
            "give nn::Optimizer::new a learning rate above 0",
        ),
        Evidence::StepSize { log10, high, overshoots } => {
            let words_of_size = if *high { "too high" } else { "too low" };
            let loss = if *overshoots { "overshoots" } else { "does not fall" };
            let change = match (high, overshoots) {
                (true, true) => "lower it",
                (true, false) => "lower it to a third",
                (false, _) => "raise it by a factor of about 10",
            };
            words(
                format!("learning rate {words_of_size}"),
                format!(
                    "the learning rate is {words_of_size}: a step moves weights by 10^{log10:.1} of themselves, and the loss {loss}"
                ),
                STEP_RULE,
                format!("{change}, nn::Optimizer::new(rule, lr)"),
            )
        }
        Evidence::NothingLearned { loss, first, baseline, steps, no_gradient, is_explained } => {
            let [loss, first] = [*loss, *first].map(figure);
            words(
                "nothing is learned",
                match no_gradient {
                    true => format!("after {steps} steps the loss is {loss}, and no gradient comes to any weight"),
                    false => match baseline {
                        Some(baseline) => format!(
                            "after {steps} steps the loss is {loss}, and to know nothing costs {}",
                            figure(*baseline)
                        ),
                        None => format!("after {steps} steps the loss is {loss}, and was {first} at first"),
                    },
                },
                "a model that learns is soon better than the best constant prediction",
                match no_gradient {
                    _ if *is_explained => "mend what the other findings say",
                    true => {
                        "look for what gives the same whatever the weights are; `Inspector::recipe` says where it stops"
                    }
                    false => {
                        "look whether inputs and targets belong together, and whether one batch can be learned by heart: `Inspector::recipe` tries both"
                    }
                },
            )
        }
        Evidence::NotMemorized { first, last, known, steps } => {
            let known = known.map_or(String::new(), |known| format!(" (to know nothing costs {})", figure(known)));
            words(
                "one batch is not learned",
                format!(
                    "in {steps} steps, the loss of one batch goes from {} to {}{known}",
                    figure(*first),
                    figure(*last)
                ),
                "a few examples can be learned by heart: where they cannot, the program is wrong, and not the data",
                "look at the loss and its targets, at what reaches them of the model, and at the learning rate",
            )
        }
        Evidence::InputsUnused { with, without, steps } => words(
            "inputs make no difference",
            format!(
                "in {steps} steps, the loss of one batch comes to {}, and to {} where all examples have the same inputs",
                figure(*with),
                figure(*without)
            ),
            "a model that learns from its inputs does better with them",
            "look at how inputs come to the model, and whether a layer is dead",
        ),
        Evidence::ExamplesMix { mixed, examples } => words(
            "examples depend on each other",
            format!("where one of {examples} examples is replaced, the outputs of {mixed} others change"),
            "in evaluation, what a model says of one example depends on that alone",
            "look for a reshape where a transpose is meant, or an op over axis 0",
        ),
        Evidence::FutureSeen { next } => words(
            "later inputs are seen",
            match next {
                true => "outputs depend on later inputs, and the next input is what they predict: it can be copied",
                false => "outputs depend on later inputs, which is right unless they are to predict them",
            },
            "who predicts the next symbol has not seen it",
            "take causal attention (`Attention::causal`) or a mask, one direction of a recurrent layer, padding on the left",
        ),
        Evidence::BelowZero { op, loss } => words(
            format!("loss {}, below zero", figure(*loss)),
            format!("`{op}` is never below zero of what it takes, and is {}", figure(*loss)),
            "a loss has a least value, to which training brings it",
            "look at what it is given: targets beyond what it takes, logits in place of logarithms, a minus",
        ),
        Evidence::LossRises { first, last } => words(
            "the loss rises",
            format!("the loss rises, from {} to {}", figure(*first), figure(*last)),
            "training makes the loss smaller",
            "lower the learning rate to a third, nn::Optimizer::new(rule, lr / 3.0)",
        ),
        Evidence::UnitsDied { died, units, step } => words(
            format!("{died} units died"),
            format!("{died} of {units} units have died by step {step}"),
            DEAD_RULE,
            "train with a lower learning rate, nn::Optimizer::new(rule, lr)",
        ),
    }
}

/// What to do about weights where the data are at fault.
pub(crate) const DATA_FIRST: &str = "mend the data first, and inspect again";

/// The remedy of what changes of parameters mend.
pub(crate) fn mended_by(actions: &[impl ToString], remedy: &str) -> String {
    /// So many are said; `Cure` has them all.
    const SAID: usize = 4;
    let mut done = actions.iter().take(SAID).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if actions.len() > SAID {
        done += &format!(" and {} more like these", actions.len() - SAID);
    }
    if remedy.is_empty() { done } else { format!("{done}; or {remedy}") }
}

/// The remedy of what goes away with other faults.
pub(crate) fn mended_with_others(remedy: &str) -> String {
    format!("what mends the others mends it; or {remedy}")
}

/// The remedy of what was left when changes of parameters were tried.
pub(crate) fn not_mended(remedy: &str) -> String {
    format!("no change of scale that was tried mends it: {remedy}")
}

/// How a factor changes what it multiplies.
fn change(factor: f64) -> String {
    format!("{} to ×{}", if factor < 1.0 { "fades" } else { "grows" }, figure(factor))
}

/// What to do about a value that is not finite.
fn of_anomaly(anomaly: &Anomaly) -> &'static str {
    match () {
        () if anomaly.is_data => "look for it in the data, and leave out or replace what holds it",
        () if anomaly.is_empty() => "give it a batch with examples",
        () if anomaly.inputs.is_empty() => "look for it where this tensor comes from",
        () => "make its inputs smaller (a lower learning rate, smaller weights), or keep them inside the op's domain",
    }
}

impl std::fmt::Display for Anomaly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Anomaly { what, op, inputs, shape, .. } = self;
        let list = inputs.iter().map(|dims| format!("{dims:?}")).collect::<Vec<_>>().join(", ");
        match self.direction {
            Direction::Forward if self.is_data => write!(f, "the data hold {what}: the {op} {shape:?}"),
            Direction::Forward if inputs.is_empty() => write!(f, "the {op} {shape:?} holds {what}"),
            Direction::Forward if self.is_empty() => {
                write!(f, "the batch has no examples: `{op}` of {list} is the first to give {what}")
            }
            Direction::Forward => write!(f, "`{op}` of {list} is the first to give {what}"),
            Direction::Backward if inputs.is_empty() => write!(f, "the {op} {shape:?} gets {what}"),
            Direction::Backward => write!(f, "the pullback of `{op}` of {list} is the first to give {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;

    fn anomaly(direction: Direction, inputs: &[&[usize]], is_data: bool) -> Anomaly {
        let (op, inputs) =
            (if is_data { "constant" } else { "linear" }, inputs.iter().map(|dims| dims.to_vec()).collect());
        Anomaly { direction, what: "NaN", op, place: "hidden".into(), inputs, shape: vec![32, 200], is_data }
    }

    /// Each kind, and each of the ways in which it is said.
    fn examples() -> Vec<Evidence> {
        use Direction::{Backward, Forward};
        use Evidence::*;
        let (gain, weight) = (|| "Tanh".to_owned(), || Some("hidden.weight".to_owned()));
        let saturated = |one_sided, dead, weight: Option<String>, normalizes| Saturated {
            activation: if one_sided { "relu" } else { "tanh" },
            share: 0.612,
            std: 5.19,
            units: 200,
            dead,
            one_sided,
            weight,
            normalizes,
            gain: gain(),
        };
        let scale = |factor, by_gain, joined, dies_at: Option<&str>| SignalScale {
            factor,
            by_gain,
            joined,
            dies_at: dies_at.map(str::to_owned),
            gain: gain(),
        };
        let alike = |all, zero| UnitsAlike {
            parameters: vec!["hidden.weight".into(), "output.weight".into()],
            share: 0.25,
            all,
            zero,
            gain: gain(),
        };
        let excess = |loss, expected, classes, weight| Excess { loss, expected, classes, weight };
        let far =
            |bias: Option<&str>| FarTargets { outputs: 0.1, targets: 53.0, std: 4.0, bias: bias.map(str::to_owned) };
        let dead = |stuck, one_sided| DeadUnits { dead: 40, units: 200, examples: 32, stuck, one_sided };
        let columns =
            |count: usize| (3..3 + count).map(|index| Column { index, mean: 38.0, std: 13.1 }).collect::<Vec<_>>();
        let nothing = |baseline, no_gradient, is_explained| NothingLearned {
            loss: 1.392,
            first: 1.401,
            baseline,
            steps: 500,
            no_gradient,
            is_explained,
        };
        let outside = |least, most| TargetsOutside { loss: "bce_loss", least, most, share: 0.5 };
        let step = |log10, high, overshoots| StepSize { log10, high, overshoots };
        vec![
            NotFinite { anomaly: anomaly(Forward, &[&[32, 30], &[30, 200]], false), step: None },
            NotFinite { anomaly: anomaly(Forward, &[&[0, 30], &[30, 200]], false), step: None },
            NotFinite { anomaly: anomaly(Forward, &[], true), step: Some(3) },
            NotFinite { anomaly: anomaly(Forward, &[], false), step: None },
            NotFinite { anomaly: anomaly(Backward, &[&[32, 30], &[30, 200]], false), step: Some(3) },
            NotFinite { anomaly: anomaly(Backward, &[], false), step: Some(0) },
            ConstantLoss,
            ExamplesAlike { zero: true },
            ExamplesAlike { zero: false },
            SkippedData { op: "conv2d" },
            LargeFeatures { columns: columns(1), times: 41.0 },
            LargeFeatures { columns: columns(7), times: 4120.0 },
            OffsetFeatures { columns: columns(1) },
            OffsetFeatures { columns: columns(2) },
            ConstantFeatures { columns: vec![2] },
            Code { index: 3, value: -999.0, share: 0.05 },
            Identifier { index: 0, mean: 3.0e9 },
            InputScale { rms: 130.7, mean: 127.0, std: 31.0, columns: Vec::new() },
            InputScale { rms: 130.7, mean: 127.0, std: 31.0, columns: columns(8) },
            InputScale { rms: 31.0, mean: 0.0, std: 31.0, columns: Vec::new() },
            Broadcast { op: "sub", predictions: vec![32, 1], targets: vec![32], result: vec![32, 32] },
            Probabilities { loss: "cross_entropy", by: "softmax" },
            NotProbabilities { loss: "bce_loss", by: "linear", least: -3.2, most: 2.8 },
            NotLogShares { loss: "nll_loss", by: "linear", sum: 41.3 },
            NotLogShares { loss: "kl_div", by: "softmax", sum: 13.1 },
            SharesByHand { by: "relu", share: 0.48 },
            SoftmaxOfOne { op: "softmax" },
            SoftmaxOverBatch { op: "softmax", examples: 64 },
            SoftmaxOfLabels { labels: 2.4 },
            OutputRange { by: "sigmoid", low: 0.0, high: 1.0, least: 3.0, most: 103.0, share: 1.0 },
            OutputRange { by: "relu", low: 0.0, high: f64::INFINITY, least: -2.6, most: 2.4, share: 0.5 },
            BoundedLogits { loss: "cross_entropy", by: "tanh", low: -1.0, high: 1.0, floor: 0.3455 },
            BoundedLogits { loss: "cross_entropy", by: "relu", low: 0.0, high: f64::INFINITY, floor: 0.0 },
            outside(-1.0, 1.0),
            outside(0.0, 2.0),
            outside(-7.0, 103.0),
            TargetsNotShares { loss: "soft_cross_entropy", sum: 2.0 },
            TargetsAlike { value: 0.0, class: true, examples: 64 },
            TargetsAlike { value: 0.5, class: false, examples: 64 },
            TargetsEven { classes: 10 },
            ClassesMissing { missing: 3, classes: 10, examples: 600 },
            Imbalance { share: 0.97, entropy: 0.1347 },
            WrongSign { loss: "cross_entropy" },
            Penalty { penalty: 512.0, loss: 2.3 },
            alike(true, true),
            alike(true, false),
            alike(false, false),
            excess(27.88, 27_f64.ln(), Some(27), weight()),
            excess(3.1, 1.0, None, None),
            excess(12.491, LN_2, None, weight()),
            excess(1.1113e15, 7.13e14, None, None),
            excess(3.1, 0.0, None, None),
            far(Some("output.bias")),
            far(None),
            LargeTargets { outputs: 0.4, targets: 3.1e7 },
            saturated(false, Some(0), weight(), false),
            saturated(true, Some(12), weight(), true),
            saturated(false, None, None, false),
            dead(0, false),
            dead(40, true),
            SureSoftmax { entropy: 0.21, std: 9.3 },
            SignalDies { gain: gain() },
            scale(3.02, true, false, None),
            scale(1.61, false, true, None),
            scale(0.44, false, false, Some("layers.4")),
            GatesFade { factor: 0.112, weight: "lstm.weight_hh".into() },
            RecurrentGain { gain: 5.66, uses: 30 },
            GradientDies { op: "relu" },
            GradientScale { factor: 0.44, gain: gain() },
            GradientScale { factor: 2.8, gain: gain() },
            NoGradient,
            Unlisted { shape: vec![30] },
            LinearPair { first: "hidden".into(), second: "output".into(), pairs: 1 },
            OneExample { needed: 32 },
            Segment,
            Scopes { count: 1 },
            Scopes { count: 3 },
            NotJudged { why: "cat: [32, 10] and [32, 20] do not fit along axis 0".into() },
            SameDraws { seed: 42, step: 0, steps: 3 },
            Drift { from: 1.0, to: 14.2 },
            NoWeightMoves,
            step(-1.2, true, true),
            step(-1.7, true, false),
            step(-6.3, false, false),
            LossRises { first: 2.3, last: 4.1 },
            nothing(Some(4_f64.ln()), false, false),
            nothing(None, false, false),
            nothing(None, true, false),
            nothing(None, true, true),
            BelowZero { op: "nll_loss", loss: -40.3 },
            NotMemorized { first: 2.32, last: 1.39, known: Some(4_f64.ln()), steps: 300 },
            NotMemorized { first: 2.32, last: 1.39, known: None, steps: 300 },
            InputsUnused { with: 1.38, without: 1.38, steps: 300 },
            ExamplesMix { mixed: 63, examples: 64 },
            FutureSeen { next: true },
            FutureSeen { next: false },
            UnitsDied { died: 50, units: 200, step: 400 },
        ]
    }

    /// To be read through by a person.
    #[test]
    fn every_sentence_is_in_the_golden_file() {
        let mut text = String::new();
        for evidence in examples() {
            let (kind, words) = (format!("{evidence:?}"), of("hidden", &evidence));
            let kind = kind.split([' ', '{']).next().unwrap_or_default();
            let Words { brief, message, rule, remedy } = words;
            let _ = writeln!(text, "{kind}\n  {brief}\n  {message}\n  rule: {rule}\n  cure: {remedy}\n");
        }
        let actions = ["hidden.weight × 0.321"; 5];
        let others = "draw hidden.weight by init::kaiming_normal(Gain::Tanh)";
        let _ = writeln!(text, "A cure that was tried");
        for cure in [
            mended_by(&actions[..1], ""),
            mended_by(&actions, others),
            mended_with_others(others),
            not_mended(others),
            DATA_FIRST.to_owned(),
        ] {
            let _ = writeln!(text, "  cure: {cure}");
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/say/sentences.txt");
        if std::env::var_os("EVENKEEL_WRITE_SENTENCES").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap_or_default();
        assert!(golden == text, "EVENKEEL_WRITE_SENTENCES=1 writes the sentences anew");
    }

    #[test]
    fn every_kind_has_an_example() {
        let source = include_str!("../report/evidence.rs");
        let variant =
            |line: &str| line.strip_prefix("    ")?.strip_suffix([',', '{']).map(|name| name.trim().to_owned());
        let is_name = |name: &String| name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
        let kinds: BTreeSet<String> = source.lines().filter_map(variant).filter(is_name).collect();
        let debug = examples().iter().map(|evidence| format!("{evidence:?}")).collect::<Vec<_>>();
        let shown: BTreeSet<String> =
            debug.iter().filter_map(|text| text.split([' ', '{']).next().map(str::to_owned)).collect();
        assert!(kinds.len() > 25 && kinds == shown, "{:?}", kinds.symmetric_difference(&shown).collect::<Vec<_>>());
    }
}
