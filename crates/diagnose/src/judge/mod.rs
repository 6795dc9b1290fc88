//! From figures to findings: the rules, and where they begin to hold.

mod depth;
mod scale;
mod units;

use std::cmp::Ordering;

use scale::{gain_name, in_words, without_bias};
use tensor::{Float, Tensor};

use crate::finding::{Fault, Finding, Severity, sort};
use crate::graph::{Graph, Parameter};
use crate::limits::Limits;
use crate::report::{Activation, Report, Weight};
use crate::saturation::Curve;

/// The standard deviation that the logits are brought to. The loss is then 0.005 above ln C.
const LOGITS: f64 = 0.1;

/// All that is wrong, the most harmful first.
pub(crate) fn judge<T: Float>(
    limits: &Limits,
    pass: &Graph<'_, T>,
    report: &Report,
    weights: &[Parameter<'_, T>],
) -> Vec<Finding> {
    let judge = Judge { limits, pass, report };
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
    limits: &'a Limits,
    pass: &'a Graph<'t, T>,
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
                _ if anomaly.inputs.is_empty() => "look for it where this tensor comes from".into(),
                _ if anomaly.inputs.iter().any(|dims| dims.contains(&0)) => "give it a batch with examples".into(),
                _ => "make its inputs smaller (a lower learning rate, smaller weights), or keep them inside the op's domain".into(),
            },
            actions: Vec::new(),
        })
    }

    /// Weights whose columns are all the same, and get the same gradients.
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
        // NaN and infinity are another finding.
        let above = (excess - noise).partial_cmp(&(self.limits.loss * scale));
        if above != Some(Ordering::Greater) {
            return None;
        }
        let objective = self.pass.objective();
        let affine = objective.as_ref().and_then(|objective| self.pass.scaled_by(objective.predictions));
        let place = match (&affine, &objective) {
            (Some(affine), _) => self.pass.place(affine.output),
            (None, Some(objective)) => self.pass.place(objective.predictions),
            (None, None) => self.pass.place(self.pass.loss),
        };
        let (actions, remedy) = match (&affine, loss.logits_std) {
            (Some(affine), Some(std)) => {
                // Weights that are small enough stay as they are: the bias alone may be the cause.
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
        let uniform = loss.classes.filter(|&classes| (scale - (classes as f64).ln()).abs() < 1e-12);
        let (what, of, rule) = match uniform {
            Some(classes) => (
                format!("ln {classes}"),
                format!("ln {classes} = {expected:.4}"),
                "a classifier that knows nothing gives all of C classes the same probability, and loses ln C",
            ),
            None => {
                (format!("{expected:.4}"), format!("the {expected:.4} expected"), "the first loss is what was expected")
            }
        };
        // An expected loss of 0 has no multiples.
        let times = Some(loss.compared / expected).filter(|times| times.is_finite() && *times > 0.0);
        let value = loss.compared;
        Some(Finding {
            severity: if excess > scale { Severity::Error } else { Severity::Warn },
            fault: Fault::Loss,
            place,
            figure: value,
            brief: times.map_or(format!("loss {value:.4}, not {what}"), |times| format!("loss {times:.1} × {what}")),
            message: match times {
                Some(times) => format!("the first loss is {value:.4}, {times:.1} times {of}"),
                None => format!("the first loss is {value:.4}, not {of}"),
            },
            rule,
            remedy,
            actions,
        })
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
            remedy: "use it in `forward`, or freeze it, or make it `nn::Param::state`".into(),
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

    /// The gain of the first activation, which stands for the others.
    fn gain_name(&self) -> String {
        gain_name(self.report.activations.first().map_or(Curve::Unknown, |activation| activation.curve))
    }
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
