//! From figures to findings: the rules, and where they begin to hold.

use std::cmp::Ordering;

use autograd::Var;
use tensor::{Float, Tensor};

use crate::finding::{Action, Fault, Finding, Severity, sort};
use crate::inspect::Inspector;
use crate::pass::{Affine, Parameter, Pass};
use crate::report::{Activation, Report, Weight};
use crate::table::{figure, percent};

/// From where on a figure is a fault. [`Inspector::with_limits`] takes others.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The first loss is a fault from this share above what it should be: 0.1, where logits have a standard deviation of
    /// about 0.8 for 27 classes, since normal logits of deviation s cost about s²/2. From the whole above, it is an error.
    /// What chance explains in a small batch, two standard errors, is let through.
    pub loss: f64,
    /// A layer is saturated when fewer units are live than this share of what a standard normal input leaves live: 0.7. So
    /// tanh is accused from 32 % of |t| > 0.97 on: the lecture's gain of 5/3 gives 20 % (Karpathy, 2022) and is not, a gain
    /// of 3 gives 48 % and is. Relu is accused from 65 % of zeros on.
    pub live: f64,
    /// Below this share, saturation is an error: 0.5.
    pub live_error: f64,
    /// A stack fades or grows when the standard deviation changes by this factor from layer to layer: e^0.3 = 1.35, which
    /// in ten layers is 20. A tanh stack of gain 1 fades by 1.18 at first and ever more slowly, and is not accused. From a factor
    /// of 2 on, it is an error.
    pub growth: f64,
    /// It also does when it changes by this factor over all layers together: 30.
    pub growth_in_all: f64,
    /// Linear layers are out of scale when each multiplies the root mean square by more than this, or by less than its
    /// inverse: 3. Every gain in use is between 1/2 and 1.8 (see `init::Gain`). It is judged over two or more hidden layers.
    pub gain: f64,
    /// Units of tanh or sigmoid that are saturated for every example are a fault from this share on, and a note below: 0.05.
    pub dead: f64,
    /// Units of relu or gelu that are off for every example: 0.5. The examples of a batch are alike in deep layers, so that
    /// many units are off for all of them in a network that is well.
    pub dead_one_sided: f64,
    /// Dead units are looked for in batches of at least so many examples: 32. In smaller ones some are so by chance.
    pub dead_examples: usize,
    /// Weights move too fast when the median of log₁₀ update:data is above this: −2, and too slowly when it is below
    /// [`update_low`](Self::update_low). About −3 is healthy (Karpathy, 2022).
    pub update_high: f64,
    /// −5.
    pub update_low: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            loss: 0.1,
            live: 0.7,
            live_error: 0.5,
            growth: 0.3_f64.exp(),
            growth_in_all: 30.0,
            gain: 3.0,
            dead: 0.05,
            dead_one_sided: 0.5,
            dead_examples: 32,
            update_high: -2.0,
            update_low: -5.0,
        }
    }
}

/// The standard deviation that the logits are brought to: they then cost 0.005 above ln C.
const LOGITS: f64 = 0.1;

/// All that is wrong, the most harmful first.
pub(crate) fn judge<T: Float>(
    inspector: &Inspector,
    limits: &Limits,
    pass: &Pass<'_, T>,
    report: &Report,
    weights: &[Parameter<'_, T>],
) -> Vec<Finding> {
    let judge = Judge { inspector, limits, pass, report };
    let mut findings = Vec::new();
    findings.extend(judge.not_finite());
    findings.extend(judge.symmetry(weights));
    findings.extend(judge.loss());
    findings.extend(judge.saturation());
    findings.extend(report.activations.iter().filter_map(|activation| judge.dead(activation)));
    findings.extend(judge.signal());
    findings.extend(judge.gradient());
    findings.extend(report.weights.iter().filter_map(|weight| judge.unused(weight)));
    findings.extend(judge.batch());
    sort(&mut findings);
    findings
}

struct Judge<'a, 't, T: Float> {
    inspector: &'a Inspector,
    limits: &'a Limits,
    pass: &'a Pass<'t, T>,
    report: &'a Report,
}

impl<'t, T: Float> Judge<'_, 't, T> {
    fn not_finite(&self) -> Option<Finding> {
        let anomaly = self.report.anomaly.as_ref()?;
        Some(Finding {
            severity: Severity::Error,
            fault: Fault::NotFinite,
            place: anomaly.place.clone(),
            figure: f64::NAN,
            brief: format!("{} in {}", anomaly.what, anomaly.place),
            message: anomaly.to_string(),
            rule: "every value and every gradient is a finite number",
            remedy: match anomaly.op {
                "leaf" | "constant" => "look for it where this tensor comes from".into(),
                _ if anomaly.inputs.iter().any(|dims| dims.contains(&0)) => "give it a batch with examples".into(),
                _ => "make its inputs smaller (a lower learning rate, smaller weights), or keep them inside the op's domain".into(),
            },
            actions: Vec::new(),
        })
    }

    /// Weights all of whose columns are alike, and get alike gradients.
    fn symmetry(&self, weights: &[Parameter<'_, T>]) -> Option<Finding> {
        let alike = |weight: &&Parameter<'_, T>| {
            columns_are_alike(&weight.data) && weight.gradient.is_some_and(columns_are_alike)
        };
        let alike: Vec<_> = weights.iter().filter(alike).collect();
        let names: Vec<&str> = alike.iter().map(|weight| weight.name.as_str()).collect();
        let first = names.first()?;
        let zero = alike.iter().all(|weight| weight.data.iter().all(|x| x == T::ZERO));
        let what = if zero { "are all zero" } else { "are alike" };
        Some(Finding {
            severity: Severity::Error,
            fault: Fault::Symmetry,
            place: (*first).to_owned(),
            figure: names.len() as f64,
            brief: "units all alike".into(),
            message: format!(
                "the units of {} {what} and get alike gradients: they stay alike for ever",
                names.join(", ")
            ),
            rule: "units differ from the start, or they learn the same thing",
            remedy: format!("draw {} at random, by init::kaiming_normal(Gain::{})", names.join(", "), self.gain_name()),
            actions: Vec::new(),
        })
    }

    fn loss(&self) -> Option<Finding> {
        let loss = &self.report.loss;
        let (expected, excess) = (loss.expected?, loss.excess()?);
        let noise = match (loss.logits_std, loss.examples) {
            (Some(std), Some(examples)) => 2.0 * std / (examples.max(1) as f64).sqrt(),
            _ => 0.0,
        };
        let scale = expected.abs();
        // What is no number is another finding.
        let above = (excess - noise).partial_cmp(&(self.limits.loss * scale));
        if above != Some(Ordering::Greater) {
            return None;
        }
        let classifier = self.pass.classifier();
        let affine = classifier.as_ref().and_then(|classifier| self.pass.scaled_by(classifier.logits));
        let place = match (&affine, &classifier) {
            (Some(affine), _) => self.pass.place(affine.output),
            (None, Some(classifier)) => self.pass.place(classifier.logits),
            (None, None) => self.pass.place(self.pass.loss),
        };
        let (actions, remedy) = match (&affine, loss.logits_std) {
            (Some(affine), Some(std)) => {
                // What is small enough stays as it is: it may be the bias alone.
                let factor = (LOGITS / without_bias(affine).unwrap_or(std)).min(1.0);
                let actions = self.rescale(affine, factor);
                let mut remedy = in_words(&actions);
                if !affine.normalizes && factor < 1.0 {
                    remedy += &format!("; or draw {} by init::normal(0.01)", self.pass.place(affine.weight));
                }
                (actions, remedy)
            }
            _ => (Vec::new(), "make the last layer's weights small, and its bias zero".into()),
        };
        let (what, of) = match loss.classes {
            Some(classes) if (scale - (classes as f64).ln()).abs() < 1e-12 => {
                (format!("ln {classes}"), format!("ln {classes} = {expected:.4}"))
            }
            _ => (format!("{expected:.4}"), format!("the {expected:.4} expected")),
        };
        let times = loss.compared / expected;
        Some(Finding {
            severity: if excess > scale { Severity::Error } else { Severity::Warn },
            fault: Fault::Loss,
            place,
            figure: loss.compared,
            brief: format!("loss {times:.1} × {what}"),
            message: format!("the first loss is {:.4}, {times:.1} times {of}", loss.compared),
            rule: "a classifier that knows nothing gives all of C classes the same probability, and loses ln C",
            remedy,
            actions,
        })
    }

    fn saturation(&self) -> Vec<Finding> {
        let accused: Vec<(&Activation, Severity)> = self
            .report
            .activations
            .iter()
            .filter_map(|activation| Some((activation, self.is_saturated(activation)?)))
            .collect();
        let find = |(activation, severity): &(&Activation, Severity)| {
            let healthy = |place: &str| !accused.iter().any(|(other, _)| other.place == place);
            let (actions, remedy) = self.unsaturate(activation, healthy);
            let what = if self.inspector.rule(activation.kind).is_some_and(|rule| rule.is_one_sided()) {
                "off"
            } else {
                "saturated"
            };
            Finding {
                severity: *severity,
                fault: Fault::Saturation,
                place: activation.place.clone(),
                figure: activation.saturated,
                brief: format!("{:.0} % of {} {what}", 100.0 * activation.saturated, activation.kind),
                message: format!(
                    "{} of {} are {what} (input std {}){}",
                    percent(activation.saturated),
                    activation.kind,
                    figure(activation.input.std),
                    match activation.dead {
                        dead if dead > 0 && self.tells_dead(activation) => {
                            format!(", {dead} of {} units for every example", activation.units)
                        }
                        _ => String::new(),
                    }
                ),
                rule: "most units are where their activation is steep: a flat one passes no gradient",
                remedy,
                actions,
            }
        };
        accused.iter().map(find).collect()
    }

    fn is_saturated(&self, activation: &Activation) -> Option<Severity> {
        let rule = self.inspector.rule(activation.kind)?;
        let live = (1.0 - activation.saturated) / (1.0 - rule.at_rest);
        // The share is a mean over units, each of which may be off by some 0.3: two standard errors are let through.
        let noise = 0.6 / (activation.units.max(1) as f64).sqrt();
        if live < self.limits.live_error - noise {
            Some(Severity::Error)
        } else if live < self.limits.live - noise {
            Some(Severity::Warn)
        } else {
            None
        }
    }

    /// Brings the input of an activation to a standard deviation of 1.
    ///
    /// What a saturated layer before it gives will be smaller once that is mended, so that this one is scaled for what a
    /// standard normal input gives there.
    fn unsaturate(&self, activation: &Activation, healthy: impl Fn(&str) -> bool) -> (Vec<Action>, String) {
        let gain = gain_name(activation.kind);
        let input = self.pass.input(self.pass.vars[activation.index], 0);
        let Some(affine) = input.and_then(|input| self.pass.scaled_by(input)) else {
            return (
                Vec::new(),
                format!(
                    "scale what goes in down to a standard deviation of 1, as init::kaiming_normal(Gain::{gain}) does"
                ),
            );
        };
        let std = without_bias(&affine).unwrap_or(activation.input.std);
        let before = self.report.activations.iter().find(|other| other.index == affine.input.index());
        let shrinks = match before {
            Some(before) if !affine.normalizes && !healthy(&before.place) => {
                rms_of_standard_normal(before.kind) / before.output.rms()
            }
            _ => 1.0,
        };
        let actions = self.rescale(&affine, 1.0 / (std * shrinks));
        let mut remedy = in_words(&actions);
        if !affine.normalizes {
            let weight = self.pass.place(affine.weight);
            remedy += &format!("; or draw {weight} by init::kaiming_normal(Gain::{gain})");
        }
        (actions, remedy)
    }

    /// Whether the batch is large enough to tell dead units from those that are saturated by chance.
    fn tells_dead(&self, activation: &Activation) -> bool {
        activation.map.examples >= self.limits.dead_examples
    }

    fn dead(&self, activation: &Activation) -> Option<Finding> {
        let rule = self.inspector.rule(activation.kind)?;
        // In a saturated layer they are a part of that, and are cured with it.
        if activation.dead == 0 || !self.tells_dead(activation) || self.is_saturated(activation).is_some() {
            return None;
        }
        let share = activation.dead as f64 / activation.units as f64;
        let one_sided = rule.is_one_sided();
        let limit = if one_sided { self.limits.dead_one_sided } else { self.limits.dead };
        let severity = if share > limit { Severity::Warn } else { Severity::Note };
        if one_sided && severity == Severity::Note {
            return None;
        }
        Some(Finding {
            severity,
            fault: Fault::Dead,
            place: activation.place.clone(),
            figure: activation.dead as f64,
            brief: format!("{} of {} units dead", activation.dead, activation.units),
            message: format!(
                "{} of {} units are {} for all {} examples",
                activation.dead,
                activation.units,
                if one_sided { "off" } else { "saturated" },
                activation.map.examples
            ),
            rule: "a unit that is flat for every example gets no gradient and does not learn",
            remedy: "start with smaller weights and a bias of zero, and train with a lower learning rate".into(),
            actions: Vec::new(),
        })
    }

    fn signal(&self) -> Option<Finding> {
        let depth = &self.report.depth;
        let limits = self.limits;
        let by_gain = depth.gain.filter(|gain| *gain > limits.gain || *gain < 1.0 / limits.gain);
        let by_slope = depth.signal.filter(|slope| self.is_steep(*slope));
        let factor = match (by_gain, by_slope) {
            (Some(gain), Some(slope)) if slope.abs() > gain.ln().abs() => slope.exp(),
            (Some(gain), _) => gain,
            (None, slope) => slope?.exp(),
        };
        let actions = self.keep_scale();
        let gain = self.gain_name();
        let names: Vec<&str> = actions.iter().map(Action::parameter).collect();
        Some(Finding {
            severity: if factor.ln().abs() >= 2_f64.ln() { Severity::Error } else { Severity::Warn },
            fault: Fault::Signal,
            place: self.stack(),
            figure: factor,
            brief: format!("signal × {} per layer", figure(factor)),
            message: if by_gain.is_some_and(|gain| gain == factor) {
                format!("each layer multiplies the signal by {}", figure(factor))
            } else {
                format!("the signal {} to ×{} with each layer", change(factor), figure(factor))
            },
            rule: "x·W multiplies the standard deviation by √fan_in times that of W: weights of gain / √fan_in keep it",
            remedy: if names.is_empty() {
                format!("draw the weights by init::kaiming_normal(Gain::{gain})")
            } else {
                format!("{}; or draw them by init::kaiming_normal(Gain::{gain})", in_words(&actions))
            },
            actions,
        })
    }

    /// Brings every hidden layer to the gain that makes up for the non-linearity after it.
    fn keep_scale(&self) -> Vec<Action> {
        let layers: Vec<_> = self.pass.affines().into_iter().filter(|affine| !affine.normalizes).collect();
        let hidden = layers.iter().zip(&self.report.signal).filter(|(_, signal)| signal.hidden && !signal.normalized);
        let mut actions = Vec::new();
        for (linear, signal) in hidden {
            let ratio = self.gain_after(linear) / signal.gain();
            // A layer that is in scale stays as it is: within what differs by chance from one draw to the next.
            if ratio.ln().abs() > 0.1 {
                actions.extend(
                    self.rescale(linear, ratio).into_iter().filter(|action| matches!(action, Action::Scale { .. })),
                );
            }
        }
        actions
    }

    fn gradient(&self) -> Option<Finding> {
        let slope = self.report.depth.gradient.filter(|slope| self.is_steep(*slope))?;
        let factor = (-slope).exp();
        let name = if factor < 1.0 { "vanishes" } else { "explodes" };
        Some(Finding {
            severity: if slope.abs() >= 2_f64.ln() { Severity::Error } else { Severity::Warn },
            fault: Fault::Gradient,
            place: self.stack(),
            figure: factor,
            brief: format!("gradient {name}"),
            message: format!("the gradient {name}: it {} to ×{} with each layer back", change(factor), figure(factor)),
            rule: "gradients have about the same scale in every layer, so that one learning rate suits all",
            remedy: format!(
                "draw the weights by init::kaiming_normal(Gain::{}), or normalize the layers (nn::BatchNorm1d)",
                self.gain_name()
            ),
            actions: self.keep_scale(),
        })
    }

    /// Whether a slope of the logarithm along depth is a fault.
    fn is_steep(&self, slope: f64) -> bool {
        let layers = self.report.depth.layers.saturating_sub(1) as f64;
        slope.abs() >= self.limits.growth.ln() || slope.abs() * layers >= self.limits.growth_in_all.ln()
    }

    fn unused(&self, weight: &Weight) -> Option<Finding> {
        if weight.gradient.is_some() || weight.shape.contains(&0) {
            return None;
        }
        Some(Finding {
            severity: Severity::Warn,
            fault: Fault::Unused,
            place: weight.name.clone(),
            figure: 0.0,
            brief: format!("{} unused", weight.name),
            message: format!("{} gets no gradient: the loss does not depend on it", weight.name),
            rule: "every trained parameter has a share in the loss",
            remedy: "use it in `forward`, or make it `nn::Param::state`".into(),
            actions: Vec::new(),
        })
    }

    fn batch(&self) -> Option<Finding> {
        let single = |activation: &&Activation| activation.map.examples == 1;
        let activation = self.report.activations.iter().find(single)?;
        Some(Finding {
            severity: Severity::Note,
            fault: Fault::Batch,
            place: activation.place.clone(),
            figure: 1.0,
            brief: "a batch of one".into(),
            message: "the batch has one example: how examples differ, and which units are dead, cannot be told".into(),
            rule: "a standard deviation takes two numbers, and a unit is dead when it is so for many examples",
            remedy: format!("inspect with {} examples or more", self.limits.dead_examples),
            actions: Vec::new(),
        })
    }

    /// Multiplies what an op with weights gives, and sets its bias to zero.
    fn rescale(&self, affine: &Affine<'t, T>, factor: f64) -> Vec<Action> {
        let mut actions = Vec::new();
        if factor.is_finite() && factor > 0.0 && factor != 1.0 {
            actions.push(Action::Scale { parameter: self.pass.place(affine.weight), factor });
        }
        if let Some(bias) = affine.bias.filter(|bias| bias.value().iter().any(|x| x != T::ZERO)) {
            actions.push(Action::Zero { parameter: self.pass.place(bias) });
        }
        actions
    }

    /// The gain that makes up for the non-linearity after a linear layer.
    fn gain_after(&self, linear: &Affine<'t, T>) -> f64 {
        let is_next = |var: &Var<'t, T>| {
            let input = self.pass.input(*var, 0).and_then(|input| self.pass.scaled_by(input));
            self.inspector.rule(var.op()).is_some()
                && input.is_some_and(|by| by.output.index() == linear.output.index())
        };
        self.pass.relevant().find(is_next).map_or(init::Gain::Linear, |var| gain(var.op())).value()
    }

    /// The gain of the activation that there is most of.
    fn gain_name(&self) -> &'static str {
        gain_name(self.report.activations.first().map_or("", |activation| activation.kind))
    }

    /// From the first layer of a stack to its last.
    fn stack(&self) -> String {
        let hidden = || self.report.signal.iter().filter(|layer| layer.hidden);
        match (hidden().next(), hidden().next_back()) {
            (Some(first), Some(last)) if first.place != last.place => format!("{} … {}", first.place, last.place),
            (Some(only), _) => only.place.clone(),
            _ => "the model".into(),
        }
    }
}

/// The standard deviation of what an op with weights gives, but for its bias; `None` where that cannot be told.
fn without_bias<T: Float>(affine: &Affine<'_, T>) -> Option<f64> {
    let output = affine.output.value();
    let values = match affine.bias {
        // The bias of a matrix product that is added later is not in its output.
        Some(bias) if affine.output.op() != "matmul" && output.dims().ends_with(bias.shape().dims()) => {
            &output - &bias.value()
        }
        _ => output,
    };
    Some(crate::stats::mean_std(&values).1).filter(|std| std.is_finite() && *std > 0.0)
}

/// Whether a matrix has two or more columns, and all are the same.
fn columns_are_alike<T: Float>(matrix: &Tensor<T>) -> bool {
    matrix.rank() == 2
        && matrix.size(1) > 1
        && matrix.size(0) > 0
        && matrix.axis_iter(0).all(|row| {
            let first = row.get(&[0]);
            row.iter().all(|x| Some(x) == first)
        })
}

fn gain(kind: &str) -> init::Gain {
    match kind {
        "tanh" => init::Gain::Tanh,
        "sigmoid" => init::Gain::Sigmoid,
        "relu" => init::Gain::Relu,
        "gelu" => init::Gain::Gelu,
        _ => init::Gain::Linear,
    }
}

fn gain_name(kind: &str) -> &'static str {
    match kind {
        "tanh" => "Tanh",
        "sigmoid" => "Sigmoid",
        "relu" => "Relu",
        "gelu" => "Gelu",
        _ => "Linear",
    }
}

/// √E\[f(z)²] for a standard normal z.
fn rms_of_standard_normal(kind: &str) -> f64 {
    match kind {
        // Those of `init::gain_of`.
        "tanh" => 0.6279,
        "sigmoid" => 0.5415,
        "relu" => 0.5_f64.sqrt(),
        "gelu" => 1.0 / init::Gain::Gelu.value(),
        _ => 1.0,
    }
}

fn change(factor: f64) -> &'static str {
    if factor < 1.0 { "fades" } else { "grows" }
}

fn in_words(actions: &[Action]) -> String {
    if actions.is_empty() {
        return "make the weights before it smaller".into();
    }
    actions.iter().map(Action::to_string).collect::<Vec<_>>().join(", ")
}
