//! What remedies are made of: factors for weights, and gains.

use tensor::Float;

use super::Judge;
use crate::finding::Action;
use crate::pass::Affine;

impl<'t, T: Float> Judge<'_, 't, T> {
    /// Multiplies what an op with weights gives, and sets its bias to zero.
    pub(super) fn rescale(&self, affine: &Affine<'t, T>, factor: f64) -> Vec<Action> {
        let mut actions = Vec::new();
        if factor.is_finite() && factor > 0.0 && factor != 1.0 {
            actions.push(Action::Scale { parameter: self.pass.place(affine.weight), factor });
        }
        if let Some(bias) = affine.bias.filter(|bias| bias.value().iter().any(|x| x != T::ZERO)) {
            actions.push(Action::Zero { parameter: self.pass.place(bias) });
        }
        actions
    }
}

/// The standard deviation of the output of an op with weights, without its bias; `None` where it is not known.
pub(super) fn without_bias<T: Float>(affine: &Affine<'_, T>) -> Option<f64> {
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

/// The gain that makes up for a non-linearity.
pub(super) fn gain(kind: &str) -> init::Gain {
    match kind {
        "tanh" => init::Gain::Tanh,
        "sigmoid" => init::Gain::Sigmoid,
        "relu" => init::Gain::Relu,
        "gelu" => init::Gain::Gelu,
        _ => init::Gain::Linear,
    }
}

/// What that gain is called, as in `init::Gain::Tanh`.
pub(super) fn gain_name(kind: &str) -> String {
    format!("{:?}", gain(kind))
}

/// √E\[f(z)²] for a standard normal z.
pub(super) fn rms_of_standard_normal(kind: &str) -> f64 {
    let f: fn(f64) -> f64 = match kind {
        "tanh" => Float::tanh,
        "sigmoid" => Float::sigmoid,
        "relu" => |z| z.max(0.0),
        "gelu" => return 1.0 / init::Gain::Gelu.value(),
        _ => return 1.0,
    };
    // The gain of the way forward makes up for this too.
    init::gain_of(f).forward().map_or(1.0, |gain| 1.0 / gain)
}

pub(super) fn in_words(actions: &[Action]) -> String {
    if actions.is_empty() {
        return "make the weights before it smaller".into();
    }
    actions.iter().map(Action::to_string).collect::<Vec<_>>().join(", ")
}
