//! What remedies are made of: factors for weights, and gains.

use autograd::{Role, Var};
use tensor::Float;

use super::Judge;
use crate::finding::Action;
use crate::graph::Affine;
use crate::saturation::Curve;

impl<'t, T: Float> Judge<'_, 't, T> {
    /// Multiplies what an op with weights gives, and sets its bias to zero.
    pub(super) fn rescale(&self, affine: &Affine<'t, T>, factor: f64) -> Vec<Action> {
        let mut actions = Vec::new();
        // What is frozen stays as it was trained elsewhere.
        let is_trained = |var: &Var<'t, T>| matches!(var.role(), Role::Leaf);
        if factor.is_finite() && factor > 0.0 && factor != 1.0 && is_trained(&affine.weight) {
            actions.push(Action::Scale { parameter: self.pass.place(affine.weight), factor });
        }
        if let Some(bias) = affine.bias.filter(is_trained).filter(|bias| bias.value().iter().any(|x| x != T::ZERO)) {
            actions.push(Action::Zero { parameter: self.pass.place(bias) });
        }
        actions
    }
}

/// The standard deviation of the output of an op with weights, without its bias; `None` where it is not known.
pub(super) fn without_bias<T: Float>(affine: &Affine<'_, T>) -> Option<f64> {
    let output = affine.output.value();
    let values = match affine.bias {
        // A bias that is added later is not in its output.
        Some(bias) if affine.bias_within && output.dims().ends_with(bias.shape().dims()) => &output - &bias.value(),
        _ => output,
    };
    Some(crate::stats::mean_std(&values).1).filter(|std| std.is_finite() && *std > 0.0)
}

/// What the gain that makes up for a non-linearity is called, as in `init::Gain::Tanh`.
pub(super) fn gain_name(curve: Curve) -> String {
    format!("{:?}", curve.gain())
}

pub(super) fn in_words(actions: &[Action]) -> String {
    if actions.is_empty() {
        return "make the weights before it smaller".into();
    }
    actions.iter().map(Action::to_string).collect::<Vec<_>>().join(", ")
}
