//! What a report finds fault with, and what cures it.

use std::fmt;

use tensor::{Float, Tensor};

pub use super::evidence::{Column, Evidence};
pub use super::fault::Fault;
use crate::say::words::{self, Words};

/// One fault: how bad it is, where, by which figure and rule, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub fault: Fault,
    /// The module or parameter that it is about.
    pub place: String,
    /// What showed it, with its numbers.
    pub evidence: Evidence,
    /// What was found, in a few words, such as `61 % of tanh saturated`.
    pub brief: String,
    /// What was found, in one sentence.
    pub message: String,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What to do, in this family's own API.
    pub remedy: String,
    /// What [`Report::cure`](crate::Report::cure) does about it; empty where a person must choose.
    pub actions: Vec<Action>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Severity {
    /// Worth knowing; does no harm by itself.
    Note,
    /// Training is slower than it has to be.
    Warn,
    /// Training fails, or wastes most of its time.
    Error,
}

impl Finding {
    /// Of what no change of a parameter mends, so far. All that it says is made of the evidence.
    pub(crate) fn new(severity: Severity, place: impl Into<String>, evidence: Evidence) -> Self {
        let place = place.into();
        let Words { brief, message, rule, remedy } = words::of(&place, &evidence);
        let fault = evidence.fault();
        Finding { severity, fault, place, evidence, brief, message, rule, remedy, actions: Vec::new() }
    }

    pub(crate) fn actions(self, actions: Vec<Action>) -> Self {
        Finding { actions, ..self }
    }
}

/// A change of one parameter that needs no human choice.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Action {
    /// Multiply it.
    Scale {
        /// Its path, such as `hidden.weight`.
        parameter: String,
        /// By this.
        factor: f64,
    },
    /// Set it to zero.
    Zero {
        /// Its path.
        parameter: String,
    },
}

impl Action {
    /// The path of the parameter that it changes.
    pub fn parameter(&self) -> &str {
        match self {
            Action::Scale { parameter, .. } | Action::Zero { parameter } => parameter,
        }
    }

    /// Changes the parameter's value.
    pub(crate) fn apply<T: Float>(&self, value: &mut Tensor<T>) {
        match self {
            Action::Scale { factor, .. } => value.map_assign(|x| x * T::from_f64(*factor)),
            Action::Zero { .. } => *value = Tensor::zeros(value.shape()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Scale { parameter, factor } => write!(f, "{parameter} × {}", crate::say::text::figure(*factor)),
            Action::Zero { parameter } => write!(f, "{parameter} to zero"),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Note => "note",
            Severity::Warn => "warn",
            Severity::Error => "error",
        })
    }
}

/// Sorts findings by harm: the worst first.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.fault.cmp(&b.fault)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_zero_whatever_was_there() {
        let mut value = Tensor::from([1.0_f32, f32::NAN, f32::INFINITY]);
        Action::Zero { parameter: "b".into() }.apply(&mut value);
        assert_eq!(value, Tensor::zeros([3]));
    }
}
