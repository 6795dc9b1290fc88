//! One pass through a model, read off its tape.

use std::collections::HashMap;

use autograd::{Gradients, Tape, Var};
use tensor::{Float, Tensor};

/// A tape after its backward pass.
pub(crate) struct Pass<'t, T: Float> {
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
    /// Whether it is a normalization, so that its result does not depend on the scale of its input.
    pub(crate) normalizes: bool,
}

/// A parameter by its path, and its gradient if there is one.
pub(crate) struct Parameter<'a, T: Float> {
    pub(crate) name: String,
    pub(crate) data: Tensor<T>,
    pub(crate) gradient: Option<&'a Tensor<T>>,
}

/// The end of a classifier.
pub(crate) struct Classifier<'t, T: Float> {
    /// The mean cross-entropy.
    pub(crate) loss: Var<'t, T>,
    pub(crate) logits: Var<'t, T>,
    pub(crate) classes: usize,
}

impl<'t, T: Float> Pass<'t, T> {
    /// Reads the tape of `loss`, and goes backward if there is anything to go back to.
    #[track_caller]
    pub(crate) fn new(loss: Var<'t, T>) -> Self {
        // Not in a closure, which would lose the caller's line.
        let gradients = if loss.needs_gradient() { Some(loss.backward()) } else { None };
        Pass::with_gradients(loss, gradients)
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
        Pass { vars, inputs, loss, gradients, behind_the_loss }
    }

    /// The values that the loss depends on, in the order in which they were computed.
    pub(crate) fn relevant(&self) -> impl Iterator<Item = Var<'t, T>> {
        self.vars.iter().copied().filter(|var| self.behind_the_loss[var.index()])
    }

    pub(crate) fn input(&self, var: Var<'t, T>, place: usize) -> Option<Var<'t, T>> {
        self.inputs[var.index()].get(place).map(|&index| self.vars[index])
    }

    /// The cross-entropy that the loss is, or depends on, if there is one such.
    pub(crate) fn classifier(&self) -> Option<Classifier<'t, T>> {
        let mut losses = self.relevant().filter(|var| var.op() == "cross_entropy");
        let loss = losses.next().filter(|_| losses.next().is_none())?;
        let logits = self.input(loss, 0)?;
        let classes = *logits.shape().dims().last()?;
        Some(Classifier { loss, logits, classes })
    }

    /// The products with a weight, and the normalizations, that the loss depends on.
    pub(crate) fn affines(&self) -> Vec<Affine<'t, T>> {
        self.relevant().filter_map(|var| self.affine(var)).collect()
    }

    fn affine(&self, output: Var<'t, T>) -> Option<Affine<'t, T>> {
        let input = |place| self.input(output, place);
        let normalizes = match output.op() {
            "linear" => false,
            // A product of two activations, as in attention, has no weight.
            "matmul" if is_parameter(input(1)?) => false,
            "batch_norm" | "layer_norm" => true,
            // Statistics of the batch stand between its input and its weight.
            "batch_norm_by" => {
                return Some(Affine { output, input: input(0)?, weight: input(3)?, bias: input(4), normalizes: true });
            }
            _ => return None,
        };
        Some(Affine { output, input: input(0)?, weight: input(1)?, bias: input(2), normalizes })
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
            at = match at.op() {
                "reshape" | "flatten" | "dropout" => self.input(at, 0)?,
                "add" => {
                    let (one, other) = (self.input(at, 0)?, self.input(at, 1)?);
                    let (value, bias) = if is_parameter(one) { (other, one) } else { (one, other) };
                    if added.is_some() || !is_parameter(bias) {
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

/// Whether a value is a leaf that is trained.
fn is_parameter<T: Float>(var: Var<'_, T>) -> bool {
    var.op() == "leaf"
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
