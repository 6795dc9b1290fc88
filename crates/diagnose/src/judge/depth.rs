//! Signal and gradients along depth.

use autograd::Var;
use tensor::Float;

use super::Judge;
use super::scale::in_words;
use crate::finding::{Action, Fault, Finding, Severity};
use crate::graph::Affine;
use crate::text::figure;

impl<'t, T: Float> Judge<'_, 't, T> {
    pub(super) fn signal(&self) -> Option<Finding> {
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
            // A layer stays as it is if its scale is off by no more than two draws differ by chance.
            if ratio.ln().abs() > 0.1 {
                actions.extend(
                    self.rescale(linear, ratio).into_iter().filter(|action| matches!(action, Action::Scale { .. })),
                );
            }
        }
        actions
    }

    pub(super) fn gradient(&self) -> Option<Finding> {
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

    /// The gain that makes up for the non-linearity after a linear layer.
    fn gain_after(&self, linear: &Affine<'t, T>) -> f64 {
        let is_next = |var: &Var<'t, T>| {
            let input = self.pass.input(*var, 0).and_then(|input| self.pass.scaled_by(input));
            input.is_some_and(|by| by.output.index() == linear.output.index())
        };
        let mut activations =
            self.report.activations.iter().map(|activation| (activation, self.pass.vars[activation.index]));
        let next = activations.find(|(_, var)| is_next(var));
        next.map_or(init::Gain::Linear, |(activation, _)| activation.curve.gain()).value()
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

fn change(factor: f64) -> &'static str {
    if factor < 1.0 { "fades" } else { "grows" }
}
