//! Units that are flat: saturated, or dead.

use tensor::Float;

use super::Judge;
use super::scale::{gain_name, in_words, without_bias};
use crate::finding::{Action, Fault, Finding, Severity};
use crate::report::Activation;
use crate::text::{figure, percent};

impl<T: Float> Judge<'_, '_, T> {
    pub(super) fn saturation(&self) -> Vec<Finding> {
        let accused: Vec<(&Activation, Severity)> = self
            .report
            .activations
            .iter()
            .filter_map(|activation| Some((activation, self.is_saturated(activation)?)))
            .collect();
        let find = |(activation, severity): &(&Activation, Severity)| {
            let healthy = |place: &str| !accused.iter().any(|(other, _)| other.place == place);
            let (actions, remedy) = self.unsaturate(activation, healthy);
            let what = if activation.rule.is_one_sided() { "off" } else { "saturated" };
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
        let rule = &activation.rule;
        let live = (1.0 - activation.saturated) / (1.0 - rule.at_rest);
        // The share is a mean over units, each of which deviates by about 0.3 by chance: two standard errors are allowed.
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
    /// If the layer before is saturated too, its output shrinks when it is cured. The factor assumes that output, not today's.
    fn unsaturate(&self, activation: &Activation, healthy: impl Fn(&str) -> bool) -> (Vec<Action>, String) {
        let gain = gain_name(activation.curve);
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
                before.curve.rms_at_rest() / before.output.rms()
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

    pub(super) fn dead(&self, activation: &Activation) -> Option<Finding> {
        let rule = &activation.rule;
        // In a saturated layer, dead units are a part of the saturation, and are cured with it.
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
}
