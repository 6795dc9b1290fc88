//! One pass through a model, read off its tape.

use std::collections::HashMap;

use autograd::{Gradients, Ignorance, Role, Tape, Var};
use tensor::{Float, Tensor};

use crate::stats::mean_std;

/// A tape after its backward pass.
pub(crate) struct Graph<'t, T: Float> {
    pub(crate) vars: Vec<Var<'t, T>>,
    pub(crate) inputs: Vec<Vec<usize>>,
    pub(crate) loss: Var<'t, T>,
    /// `None` where the loss depends on nothing that is trained.
    pub(crate) gradients: Option<Gradients<T>>,
    /// What the loss was computed from, and the loss itself, by their places on the tape.
    pub(crate) behind_the_loss: Vec<bool>,
}

/// An op with weights that scale its result: a linear layer, or a normalization.
#[derive(Clone, Copy)]
pub(crate) struct Affine<'t, T: Float> {
    pub(crate) output: Var<'t, T>,
    pub(crate) input: Var<'t, T>,
    pub(crate) weight: Var<'t, T>,
    pub(crate) bias: Option<Var<'t, T>>,
    /// Whether the bias is a part of the op, and not added to its result.
    pub(crate) bias_within: bool,
    /// Whether it is a normalization, so that its result does not depend on the scale of its input.
    pub(crate) normalizes: bool,
}

/// A parameter by its path, and its gradient if there is one.
pub(crate) struct Parameter<'a, T: Float> {
    pub(crate) name: String,
    pub(crate) data: Tensor<T>,
    pub(crate) gradient: Option<&'a Tensor<T>>,
}

/// What a model is trained to make small.
pub(crate) struct Objective<'t, T: Float> {
    pub(crate) loss: Var<'t, T>,
    /// What the loss is of, such as logits.
    pub(crate) predictions: Var<'t, T>,
    /// How many classes are told apart, if it is a classifier.
    pub(crate) classes: Option<usize>,
    /// What it costs to know nothing.
    pub(crate) ignorance: Option<f64>,
}

impl<T: Float> Objective<'_, T> {
    /// How many examples the loss is the mean of.
    pub(crate) fn examples(&self) -> usize {
        let shape = self.predictions.shape();
        match self.classes {
            Some(classes) => shape.numel() / classes.max(1),
            None => shape.dims().first().copied().unwrap_or(1),
        }
    }
}

impl<'t, T: Float> Graph<'t, T> {
    /// Reads the tape of `loss`, and goes backward if there is anything to go back to.
    #[track_caller]
    pub(crate) fn new(loss: Var<'t, T>) -> Self {
        // Not in a closure, which would lose the caller's line.
        let gradients = if loss.needs_gradient() { Some(loss.backward()) } else { None };
        Graph::with_gradients(loss, gradients)
    }

    pub(crate) fn with_gradients(loss: Var<'t, T>, gradients: Option<Gradients<T>>) -> Self {
        let tape: &'t Tape<T> = loss.tape();
        let vars: Vec<_> = tape.vars().take(loss.index() + 1).collect();
        let inputs: Vec<Vec<usize>> =
            vars.iter().map(|var| var.inputs().iter().map(|input| input.index()).collect()).collect();
        let mut behind_the_loss = vec![false; vars.len()];
        behind_the_loss[loss.index()] = true;
        for index in (0..vars.len()).rev() {
            if behind_the_loss[index] {
                inputs[index].iter().for_each(|&input| behind_the_loss[input] = true);
            }
        }
        Graph { vars, inputs, loss, gradients, behind_the_loss }
    }

    /// The values that the loss depends on, in the order in which they were computed.
    pub(crate) fn relevant(&self) -> impl Iterator<Item = Var<'t, T>> {
        self.vars.iter().copied().filter(|var| self.behind_the_loss[var.index()])
    }

    pub(crate) fn input(&self, var: Var<'t, T>, place: usize) -> Option<Var<'t, T>> {
        self.inputs[var.index()].get(place).map(|&index| self.vars[index])
    }

    /// The op that is a loss by its role: the loss itself, or what it depends on, if there is one such.
    pub(crate) fn objective(&self) -> Option<Objective<'t, T>> {
        let mut losses = self.relevant().filter_map(|var| match var.role() {
            Role::Loss { predictions, ignorance } => Some((var, predictions, ignorance)),
            _ => None,
        });
        let (loss, predictions, ignorance) = losses.next()?;
        if losses.next().is_some() {
            return None;
        }
        let classes = if let Ignorance::Classes(classes) = ignorance { Some(classes) } else { None };
        let ignorance = match ignorance {
            Ignorance::Classes(classes) => (classes > 0).then(|| (classes as f64).ln()),
            Ignorance::Value(value) => Some(value),
            Ignorance::Variance(targets) => Some(mean_std(&self.input(loss, targets)?.value()).1.powi(2)),
            _ => None,
        };
        let ignorance = ignorance.filter(|ignorance| ignorance.is_finite());
        Some(Objective { loss, predictions: self.input(loss, predictions)?, classes, ignorance })
    }

    /// The products with a weight, and the normalizations, that the loss depends on.
    pub(crate) fn affines(&self) -> Vec<Affine<'t, T>> {
        self.relevant().filter_map(|var| self.affine(var)).collect()
    }

    fn affine(&self, output: Var<'t, T>) -> Option<Affine<'t, T>> {
        let (weight, bias, normalizes) = match output.role() {
            Role::Affine { weight, bias } => (weight, bias, false),
            Role::Normalizing { weight, bias } => (weight, Some(bias), true),
            _ => return None,
        };
        let input = |place| self.input(output, place);
        let bias = bias.and_then(input);
        let bias_within = bias.is_some();
        Some(Affine { output, input: input(0)?, weight: input(weight)?, bias, bias_within, normalizes })
    }

    /// Whether a value goes into a normalization, directly or after a bias is added.
    pub(crate) fn feeds_a_normalization(&self, var: Var<'t, T>) -> bool {
        let normalizes = |affine: &Affine<'t, T>| {
            affine.normalizes && self.scaled_by(affine.input).is_some_and(|by| by.output.index() == var.index())
        };
        self.affines().iter().any(normalizes)
    }

    /// What scales a value: the nearest op with weights on the way to it, if only ops that leave the scale as it is lie
    /// between. A bias that is added on the way counts as its own.
    pub(crate) fn scaled_by(&self, var: Var<'t, T>) -> Option<Affine<'t, T>> {
        let (mut at, mut added) = (var, None);
        loop {
            if let Some(affine) = self.affine(at) {
                return Some(Affine { bias: affine.bias.or(added), ..affine });
            }
            at = match at.role() {
                Role::Keeping => self.input(at, 0)?,
                Role::Adding => {
                    let (one, other) = (self.input(at, 0)?, self.input(at, 1)?);
                    let (value, bias) = if one.is_parameter() { (other, one) } else { (one, other) };
                    if added.is_some() || !bias.is_parameter() {
                        return None;
                    }
                    added = Some(bias);
                    value
                }
                _ => return None,
            };
        }
    }

    /// The gradient of a value; `None` where the loss has none with respect to it, or did not keep it.
    pub(crate) fn gradient(&self, var: Var<'t, T>) -> Option<&Tensor<T>> {
        self.gradients.as_ref()?.get(var)
    }

    /// A name for every value: the module it belongs to, or its op and position where no module is known.
    pub(crate) fn place(&self, var: Var<'t, T>) -> String {
        match var.path() {
            Some(path) if !path.is_empty() => path.to_string(),
            _ => format!("{}({})", var.op(), var.index()),
        }
    }
}

/// Makes names distinct: the second `hidden` is `hidden #2`.
pub(crate) fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let number = |name: String| {
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name} #{times}") }
    };
    names.map(number).collect()
}
