//! What a model is trained to make small: the losses on the way to the result, and what each costs those who know nothing.

use autograd::{Ignorance, Role};

use crate::graph::Graph;
use crate::numbers::root_mean_square;

/// A loss, as it is before it is scaled and added to others; or all of one end of the network, as their mean.
#[derive(Clone)]
pub(crate) struct Part {
    /// What the loss is of, such as logits.
    pub(crate) predictions: usize,
    /// What they are compared with, where that is on the tape.
    pub(crate) targets: Option<usize>,
    pub(crate) value: f64,
    /// What it costs to know nothing.
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
    pub(crate) fn parts(&self) -> Vec<Part> {
        self.relevant().filter_map(|index| self.by_role(index).or_else(|| self.by_squares(index))).collect()
    }

    fn by_role(&self, index: usize) -> Option<Part> {
        let Role::Loss { predictions, ignorance } = self.nodes[index].role else { return None };
        let predictions = self.input(index, predictions)?;
        let values = &self.nodes[predictions].value;
        let named = match ignorance {
            Ignorance::Variance(place) => self.input(index, place),
            _ => None,
        };
        let is_target = |&&input: &&usize| {
            input != predictions && !self.flow[input].model && self.nodes[input].value.numel() == values.numel()
        };
        let targets = named.or_else(|| self.nodes[index].inputs.iter().find(is_target).copied());
        let classes = if let Ignorance::Classes(classes) = ignorance { Some(classes) } else { None };
        let expected = match ignorance {
            // Of those that are masked, nothing is to be known.
            Ignorance::Classes(_) if values.lost().negative || values.range().0 < -1e4 => Some(values.ln_unmasked()),
            Ignorance::Classes(classes) => (classes > 0).then(|| (classes as f64).ln()),
            Ignorance::Value(value) => Some(value),
            Ignorance::Variance(_) => targets.and_then(|targets| self.variance(targets)),
            _ => None,
        };
        let examples = match (classes, values.dims().first()) {
            (Some(classes), _) => values.numel() / classes.max(1),
            (None, first) => first.copied().unwrap_or(1),
        };
        let weight = self.nodes[index].gradient.as_ref().map_or(1.0, |gradient| gradient.first());
        Some(Part {
            predictions,
            targets,
            value: self.nodes[index].value.first(),
            expected: expected.filter(|expected| expected.is_finite()),
            classes,
            squares: matches!(ignorance, Ignorance::Variance(_)),
            examples,
            weight,
            std: values.mean_std().1,
        })
    }

    /// A sum or mean of d · d, where d is what a prediction lacks of its target.
    fn by_squares(&self, index: usize) -> Option<Part> {
        let is_last = matches!(self.nodes[index].role, Role::Reducing) && self.nodes[index].value.numel() == 1;
        let mut square = is_last.then(|| self.input(index, 0))??;
        while matches!(self.nodes[square].role, Role::Reducing | Role::Scaling | Role::Keeping) {
            square = self.input(square, 0)?;
        }
        let (Role::Multiplying, [d, same]) = (self.nodes[square].role, &self.nodes[square].inputs[..]) else {
            return None;
        };
        let (predictions, targets) = self.difference(*d).filter(|_| d == same)?;
        Some(Part {
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
        if self.flow[index].hidden {
            return None;
        }
        let is_target = |index: usize| self.flow[index].data && !self.flow[index].model;
        match (self.flow[*one].model, self.flow[*other].model) {
            (true, false) if is_target(*other) => Some((*one, *other)),
            (false, true) if is_target(*one) => Some((*other, *one)),
            _ => None,
        }
    }

    /// The variance of each unit of targets over the examples, and over the units the mean.
    fn variance(&self, targets: usize) -> Option<f64> {
        let values = &self.nodes[targets].value;
        let axis = values.dims().len().checked_sub(1).filter(|last| *last > 0);
        Some(root_mean_square(&values.units(axis).std).powi(2)).filter(|variance| variance.is_finite())
    }

    /// The ends of the network: losses of what the same layer predicts are one, however often.
    pub(crate) fn heads(&self, parts: &[Part]) -> Vec<Part> {
        let mut heads: Vec<(usize, Vec<&Part>)> = Vec::new();
        for part in parts {
            let by = self.scaled_by(part.predictions).map_or(part.predictions, |affine| affine.weight);
            match heads.iter_mut().find(|(known, _)| *known == by) {
                Some((_, parts)) => parts.push(part),
                None => heads.push((by, vec![part])),
            }
        }
        let mean = |parts: &[&Part], of: &dyn Fn(&Part) -> f64| {
            parts.iter().map(|part| of(part)).sum::<f64>() / parts.len() as f64
        };
        let of = |(_, parts): (usize, Vec<&Part>)| {
            let known = parts.iter().all(|part| part.expected.is_some());
            let farthest = parts.iter().copied().max_by_key(|part| self.flow[part.predictions].layers)?;
            Some(Part {
                value: mean(&parts, &|part| part.value),
                expected: known.then(|| mean(&parts, &|part| part.expected.unwrap_or(f64::NAN))),
                examples: parts.iter().map(|part| part.examples).sum(),
                std: mean(&parts, &|part| part.std),
                ..farthest.clone()
            })
        };
        heads.into_iter().filter_map(of).collect()
    }
}
