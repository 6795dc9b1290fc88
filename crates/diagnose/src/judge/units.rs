//! Units that are flat: saturated, or dead.

use autograd::Role;

use super::{Judge, gain_name};
use crate::read::graph::Affine;
use crate::read::saturation;
use crate::report::Activation;
use crate::report::finding::{Action, Evidence, Finding, Severity};

/// A unit is always off if it is off for all examples and lies this many times farther off than most units are large.
const STUCK: f64 = 10.0;

/// Attention is saturated when its shares tell fewer places apart than this share of their logarithm, and it is an error below half.
const SPREAD_OUT: f64 = 0.5;

/// A share is a mean over units, and each deviates by about 0.3 by chance: two standard errors are allowed.
fn noise(units: usize) -> f64 {
    0.6 / (units.max(1) as f64).sqrt()
}

impl Judge<'_> {
    pub(super) fn saturation(&self) -> Vec<Finding> {
        let accused: Vec<(&Activation, Severity)> = self
            .report
            .activations
            .iter()
            .filter_map(|activation| Some((activation, self.is_saturated(activation)?)))
            .collect();
        let find = |(activation, severity): &(&Activation, Severity)| {
            let healthy = |place: &str| !accused.iter().any(|(other, _)| other.place == place);
            let affine = self.graph.input(activation.nodes[0], 0).and_then(|input| self.graph.scaled_by(input));
            let evidence = Evidence::Saturated {
                activation: activation.kind,
                share: activation.saturated,
                std: activation.input.std,
                units: activation.units,
                dead: self.tells_dead(activation).then_some(activation.dead),
                one_sided: activation.rule.is_one_sided(),
                weight: affine.map(|affine| self.graph.place(affine.weight)),
                normalizes: affine.is_some_and(|affine| affine.normalizes),
                gain: gain_name(self.role(activation.nodes[0])),
            };
            let actions = affine.map_or(Vec::new(), |affine| self.unsaturate(activation, &affine, healthy));
            Finding::new(*severity, &activation.place, evidence).actions(actions)
        };
        accused.iter().map(find).collect()
    }

    /// Whether it has units to be judged: a gate lets through what it should, and an output may be sure of itself if it is a probability,
    /// or of a model that is trained, or whose loss is judged.
    fn has_units(&self, activation: &Activation) -> bool {
        let (graph, index) = (self.graph, activation.nodes[0]);
        let is_share = saturation::is_share(self.role(index));
        let is_gate = is_share && graph.reach[index].gates;
        let is_number = !graph.route[index].data || graph.nodes[index].value.numel() < 2;
        let is_end = !graph.reach[index].hidden;
        // A hinge is a part of the loss, and not of the network.
        let is_loss = is_end && self.graph.only_adds_up(index);
        let is_told = self.is_trained() || self.pass.heads.iter().any(|head| head.expected.is_some());
        !(is_gate || is_number || is_loss || is_end && (is_told || is_share))
    }

    fn is_saturated(&self, activation: &Activation) -> Option<Severity> {
        if !self.has_units(activation) || !self.always_off(activation).is_empty() {
            return None;
        }
        let live = (1.0 - activation.saturated) / activation.rule.live_at_rest();
        // Of few examples, each may be larger than most, and of very few all.
        let examples = activation.map.examples.max(1);
        let few = if (2..=8).contains(&examples) { 0.6 } else { 0.25 } / examples as f64;
        let noise = noise(activation.units) + few;
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
    fn unsaturate(&self, activation: &Activation, affine: &Affine, healthy: impl Fn(&str) -> bool) -> Vec<Action> {
        let input = self.graph.input(activation.nodes[0], 0);
        let std = input.and_then(|input| self.size_at(input, affine)).unwrap_or(activation.input.std);
        let before = self.report.activations.iter().find(|other| other.nodes.contains(&affine.input));
        let shrinks = match before {
            Some(before) if !affine.normalizes && !healthy(&before.place) => {
                saturation::rms_at_rest(self.role(before.nodes[0])) / before.output.rms()
            }
            _ => 1.0,
        };
        self.scale(affine, 1.0 / (std * shrinks)).into_iter().chain(self.zero_bias(affine)).collect()
    }

    /// Whether the batch is large enough to tell dead units from those that are saturated by chance.
    fn tells_dead(&self, activation: &Activation) -> bool {
        activation.map.examples >= self.limits.dead_examples
    }

    /// The units that are off for every example, and far from where most are, or the same for all.
    fn always_off(&self, activation: &Activation) -> Vec<usize> {
        let one_sided = activation.rule.is_one_sided();
        let Some(input) = self.graph.input(activation.nodes[0], 0) else { return Vec::new() };
        if activation.dead == 0 || activation.nodes.len() > 1 || !one_sided || !self.tells_dead(activation) {
            return Vec::new();
        }
        let units = self.graph.units(input);
        let mut sizes: Vec<f64> = units.mean.iter().zip(&units.std).map(|(mean, std)| mean.hypot(*std)).collect();
        if sizes.len() != activation.units {
            return Vec::new();
        }
        sizes.sort_by(f64::total_cmp);
        let typical = sizes[sizes.len() / 2];
        let is_dead = |unit: usize| (0..activation.map.examples).all(|example| activation.map.row(example)[unit]);
        let is_after_another = matches!(self.role(input), Role::Activation(_) | Role::Function { .. });
        let is_stuck = |&unit: &usize| {
            let is_idle = is_after_another && units.mean[unit] == 0.0 && units.std[unit] == 0.0;
            typical > 0.0
                && !is_idle
                && (units.std[unit] == 0.0 || units.mean[unit].abs() > STUCK * typical)
                && is_dead(unit)
        };
        (0..activation.units).filter(is_stuck).collect()
    }

    pub(super) fn dead(&self, activation: &Activation) -> Option<Finding> {
        // In a saturated layer, dead units are a part of the saturation, and are cured with it.
        let told = self.is_saturated(activation).is_some() || !self.has_units(activation);
        if activation.dead == 0 || !self.tells_dead(activation) || told {
            return None;
        }
        let one_sided = activation.rule.is_one_sided();
        let stuck = self.always_off(activation).len();
        let share = activation.dead as f64 / activation.units as f64;
        let limit = if one_sided { self.limits.dead_one_sided + noise(activation.units) } else { self.limits.dead };
        let severity = if share > limit || stuck > 0 { Severity::Warn } else { Severity::Note };
        if one_sided && severity == Severity::Note {
            return None;
        }
        let dead = if stuck > 0 && share <= limit { stuck } else { activation.dead };
        let bias = self.graph.input(activation.nodes[0], 0).and_then(|input| self.graph.scaled_by(input));
        let actions = bias.filter(|_| severity == Severity::Warn).and_then(|affine| self.zero_bias(&affine));
        let (units, examples) = (activation.units, activation.map.examples);
        let evidence = Evidence::DeadUnits { dead, units, examples, stuck, one_sided };
        Some(Finding::new(severity, &activation.place, evidence).actions(actions.into_iter().collect()))
    }

    /// Softmax inside of a network, such as that of attention, which looks at one place only.
    pub(super) fn attention(&self) -> Vec<Finding> {
        let graph = self.graph;
        let is_inside = |&index: &usize| {
            let rank = graph.nodes[index].value.dims().len();
            let by_row = matches!(graph.nodes[index].role, Role::Softmax(axis) if axis + 1 == rank && rank > 1);
            by_row && (graph.reach[index].hidden || graph.reach[index].mixes)
        };
        let find = |uses: Vec<usize>| {
            let share = |index: &usize| {
                let scores = graph.input(*index, 0)?;
                Some(graph.nodes[*index].value.entropy() / graph.nodes[scores].value.ln_unmasked())
            };
            let (index, scores) = (uses[0], graph.input(uses[0], 0)?);
            let share = uses.iter().filter_map(share).sum::<f64>() / uses.len() as f64;
            if share.is_nan() || share >= SPREAD_OUT || self.is_trained() {
                return None;
            }
            let severity = if share < SPREAD_OUT / 2.0 { Severity::Error } else { Severity::Warn };
            let std = graph.nodes[scores].value.mean_std().1;
            Some(Finding::new(severity, graph.place(index), Evidence::SureSoftmax { entropy: share, std }))
        };
        graph.uses(graph.relevant().filter(is_inside)).into_iter().filter_map(find).collect()
    }
}
