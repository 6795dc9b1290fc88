//! What a model is trained to make small: the losses on the way to the result, and what the best constant prediction costs.

use std::collections::HashMap;

use autograd::{Baseline, Distance, Role};

use crate::read::graph::Graph;
use crate::read::numbers::{mean, root_mean_square};

/// A loss, as it is before it is scaled and added to others; or all of one end of the network, as their mean.
#[derive(Clone)]
pub(crate) struct LossTerm {
    /// The op that computes it.
    pub(crate) op: usize,
    /// What the loss is of, such as logits.
    pub(crate) predictions: usize,
    /// What they are compared with, where that is on the tape.
    pub(crate) targets: Option<usize>,
    pub(crate) value: f64,
    /// What the best constant prediction costs.
    pub(crate) expected: Option<f64>,
    /// How many classes are told apart, if it is a classifier.
    pub(crate) classes: Option<usize>,
    /// Whether it is a mean of squares, which has no upper end.
    pub(crate) squares: bool,
    /// How many examples it is the mean of.
    pub(crate) examples: usize,
    /// By what it is multiplied in the result.
    pub(crate) weight: f64,
    /// The standard deviation of the predictions.
    pub(crate) std: f64,
}

impl Graph {
    /// The ops that are losses by their role, and means of squared differences.
    pub(crate) fn loss_terms(&self) -> Vec<LossTerm> {
        self.relevant().filter_map(|index| self.by_role(index).or_else(|| self.by_squares(index))).collect()
    }

    fn by_role(&self, index: usize) -> Option<LossTerm> {
        let Role::Loss { predictions, baseline } = self.nodes[index].role else { return None };
        let predictions = self.input(index, predictions)?;
        let values = &self.nodes[predictions].value;
        let named = match baseline {
            Baseline::Variance(targets) | Baseline::Constant { targets, .. } => self.input(index, targets),
            _ => None,
        };
        let is_target = |&&input: &&usize| {
            input != predictions && !self.route[input].model && self.nodes[input].value.numel() == values.numel()
        };
        let targets = named.or_else(|| self.nodes[index].inputs.iter().find(is_target).copied());
        let classes = if let Baseline::Classes(classes) = baseline { Some(classes) } else { None };
        let expected = match baseline {
            // Of those that are masked, nothing is to be known.
            Baseline::Classes(_) if self.is_masked(predictions) => Some(values.ln_unmasked()),
            Baseline::Classes(classes) => (classes > 0).then(|| (classes as f64).ln()),
            Baseline::Value(value) => Some(value),
            Baseline::Weighted { value, factors } => {
                let factors = factors.into_iter().flatten().filter_map(|place| self.input(index, place));
                let factors = factors.map(|factor| self.nodes[factor].value.values().clone());
                factors.reduce(|a, b| a * b).map(|factor| value * factor.mean(..).item())
            }
            Baseline::Variance(_) => targets.and_then(|targets| self.variance(targets)),
            Baseline::Constant { distance, .. } => targets.and_then(|targets| self.constant(targets, distance)),
            _ => None,
        };
        let losses = &self.nodes[index].value;
        let examples = match (classes, values.dims().first()) {
            (Some(classes), _) => values.numel() / classes.max(1),
            // One loss per element: the mean of n losses has a standard error of std / √n.
            (None, _) if losses.numel() > 1 => losses.numel(),
            (None, first) => first.copied().unwrap_or(1),
        };
        // Of the losses of all elements, the mean is compared, by what the result is for each of them.
        let count = losses.numel() as f64;
        let weight = self.nodes[index].gradient.as_ref().map_or(1.0, |gradient| gradient.mean_std().0 * count);
        let value = if losses.numel() == 1 { losses.first() } else { losses.mean_std().0 };
        // A divergence is one of an example, and not of each of its shares.
        let whole = match baseline {
            Baseline::Constant { distance: Distance::Divergence, .. } => {
                values.dims().last().map_or(1.0, |&size| size as f64)
            }
            _ => 1.0,
        };
        Some(LossTerm {
            op: index,
            predictions,
            targets,
            value: value * whole,
            expected: expected.filter(|expected| expected.is_finite()).map(|expected| expected * whole),
            classes,
            squares: matches!(baseline, Baseline::Variance(_)),
            examples,
            weight: weight / whole,
            std: values.mean_std().1,
        })
    }

    /// What the best constant prediction costs, of the targets too where they are on the tape: of answers that are mostly no, less than
    /// ln 2.
    pub(crate) fn best_constant(&self, part: &LossTerm) -> Option<f64> {
        let is_choice = matches!(self.nodes[part.op].role, Role::Loss { baseline: Baseline::Value(value), .. } if value == std::f64::consts::LN_2);
        let Some(targets) = part.targets.filter(|_| is_choice) else { return part.expected };
        let values = &self.nodes[targets].value;
        let shares = values.units(values.dims().len().checked_sub(1).filter(|last| *last > 0)).mean;
        let entropy = |p: f64| if p > 0.0 && p < 1.0 { -p * p.ln() - (1.0 - p) * (1.0 - p).ln() } else { 0.0 };
        Some(mean(shares.into_iter().map(entropy)))
    }

    /// A sum or mean of d · d, where d is what a prediction lacks of its target.
    fn by_squares(&self, index: usize) -> Option<LossTerm> {
        let is_last = matches!(self.nodes[index].role, Role::Reducing) && self.nodes[index].value.numel() == 1;
        let mut square = is_last.then(|| self.input(index, 0))??;
        while matches!(self.nodes[square].role, Role::Reducing | Role::Scaling | Role::Keeping) {
            square = self.input(square, 0)?;
        }
        let (d, same) = match (self.nodes[square].role, &self.nodes[square].inputs[..]) {
            (Role::Multiplying, [d, same]) => (d, same),
            (Role::Squaring, [d]) => (d, d),
            _ => return None,
        };
        let (predictions, targets) = self.difference(*d).filter(|_| d == same)?;
        Some(LossTerm {
            op: index,
            predictions,
            targets: Some(targets),
            value: self.nodes[*d].value.rms().powi(2),
            expected: self.variance(targets),
            classes: None,
            squares: true,
            examples: self.nodes[predictions].value.dims().first().copied().unwrap_or(1),
            weight: 1.0,
            std: self.nodes[predictions].value.mean_std().1,
        })
    }

    /// What is compared in a difference of predictions and targets, after which no layer comes.
    pub(crate) fn difference(&self, index: usize) -> Option<(usize, usize)> {
        let (Role::Adding, [one, other]) = (self.nodes[index].role, &self.nodes[index].inputs[..]) else { return None };
        if self.reach[index].hidden {
            return None;
        }
        let is_target = |index: usize| self.route[index].data && !self.route[index].model;
        match (self.route[*one].model, self.route[*other].model) {
            (true, false) if is_target(*other) => Some((*one, *other)),
            (false, true) if is_target(*one) => Some((*other, *one)),
            _ => None,
        }
    }

    /// The variance of each unit of targets over the examples, and over the units the mean.
    fn variance(&self, targets: usize) -> Option<f64> {
        let values = &self.nodes[targets].value;
        let axis = values.dims().len().checked_sub(1).filter(|last| *last > 0);
        // Where all targets are the same, as where a residual is to be 0, there is nothing to compare with.
        Some(root_mean_square(&values.units(axis).std).powi(2))
            .filter(|variance| variance.is_finite() && *variance > 0.0)
    }

    /// What the best constant prediction of each unit costs, as a mean over all elements.
    fn constant(&self, targets: usize, distance: Distance) -> Option<f64> {
        let values = &self.nodes[targets].value;
        let axis = values.dims().len().checked_sub(1);
        let units = values.columns(axis.filter(|last| *last > 0 || distance == Distance::Divergence));
        // Shares of a whole are the last axis; all others are examples.
        let cost = match distance {
            Distance::Divergence => {
                let even = (values.dims().last().copied().unwrap_or(1).max(1) as f64).ln();
                let term = |t: f64| if t > 0.0 { t * (t.ln() + even) } else { 0.0 };
                mean(units.iter().flatten().map(|&t| term(t)))
            }
            Distance::Gaussian(more) => {
                let of = |unit: &Vec<f64>| {
                    let middle = mean(unit.iter().copied());
                    0.5 * (mean(unit.iter().map(|t| (t - middle).powi(2))).ln() + 1.0) + more
                };
                mean(units.iter().map(of))
            }
            Distance::Poisson { full } => {
                let stirling =
                    |t: f64| if t > 1.0 { t * t.ln() - t + 0.5 * (std::f64::consts::TAU * t).ln() } else { 0.0 };
                let of = |unit: &Vec<f64>| {
                    let rate = mean(unit.iter().copied());
                    let cost = if rate > 0.0 { rate - rate * rate.ln() } else { 0.0 };
                    cost + if full { mean(unit.iter().map(|&t| stirling(t))) } else { 0.0 }
                };
                mean(units.iter().map(of))
            }
            Distance::NegativeBinomial { total_count } => {
                let of = |unit: &Vec<f64>| {
                    let logits = (mean(unit.iter().copied()) / total_count).ln();
                    mean(unit.iter().map(|&count| distance.of_count(logits, count).unwrap_or(f64::NAN)))
                };
                mean(units.iter().map(of))
            }
            Distance::Absolute => {
                let of = |unit: &Vec<f64>| mean(unit.iter().map(|t| (t - median(unit)).abs()));
                mean(units.iter().map(of))
            }
            Distance::Huber(delta) | Distance::SmoothL1(delta) => {
                let cost = |d: f64| if d <= delta { 0.5 * d * d } else { delta * (d - 0.5 * delta) };
                let scale = if distance == Distance::Huber(delta) { 1.0 } else { 1.0 / delta };
                let of = |unit: &Vec<f64>| {
                    let best = least_slope(unit, delta);
                    scale * mean(unit.iter().map(|t| cost((t - best).abs())))
                };
                mean(units.iter().map(of))
            }
            _ => return None,
        };
        Some(cost).filter(|cost| cost.is_finite())
    }

    /// Losses of what the same layer predicts, together.
    pub(crate) fn by_end<'p>(&self, parts: &'p [LossTerm]) -> Vec<Vec<&'p LossTerm>> {
        let (mut places, mut ends): (HashMap<usize, usize>, Vec<Vec<&LossTerm>>) = Default::default();
        for part in parts {
            let by = self.output_layer(part.predictions).map_or(part.predictions, |(affine, _)| affine.weight);
            let at = *places.entry(by).or_insert(ends.len());
            if at == ends.len() {
                ends.push(Vec::new());
            }
            ends[at].push(part);
        }
        ends
    }

    /// The ends of the network: losses of what the same layer predicts are one, however often.
    pub(crate) fn heads(&self, parts: &[LossTerm]) -> Vec<LossTerm> {
        let mean = |parts: &[&LossTerm], of: &dyn Fn(&LossTerm) -> f64| mean(parts.iter().map(|part| of(part)));
        let of = |parts: Vec<&LossTerm>| {
            let known = parts.iter().all(|part| part.expected.is_some());
            let farthest = parts.iter().copied().max_by_key(|part| self.route[part.predictions].layers)?;
            Some(LossTerm {
                value: mean(&parts, &|part| part.value),
                expected: known.then(|| mean(&parts, &|part| part.expected.unwrap_or(f64::NAN))),
                examples: parts.iter().map(|part| part.examples).sum(),
                std: mean(&parts, &|part| part.std),
                ..farthest.clone()
            })
        };
        self.by_end(parts).into_iter().filter_map(of).collect()
    }
}

fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The c at which the mean of t − c between −δ and δ is 0: that of the least loss of Huber, by halving.
fn least_slope(numbers: &[f64], delta: f64) -> f64 {
    let (mut low, mut high) =
        numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &t| (low.min(t), high.max(t)));
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        let rises = numbers.iter().map(|t| (t - middle).clamp(-delta, delta)).sum::<f64>() > 0.0;
        (low, high) = if rises { (middle, high) } else { (low, middle) };
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_constant_of_hubers_loss_is_between_the_mean_and_the_median() {
        let numbers = [0.0, 1.0, 2.0, 3.0, 100.0];
        assert!((least_slope(&numbers, 1e3) - 21.2).abs() < 1e-9);
        assert!((least_slope(&numbers, 1e-3) - median(&numbers)).abs() < 2e-3);
        // At the best one the slope of the loss is 0.
        let best = least_slope(&numbers, 1.0);
        let slope: f64 = numbers.iter().map(|t| (t - best).clamp(-1.0, 1.0)).sum();
        assert!(slope.abs() < 1e-9, "{best}");
    }
}
