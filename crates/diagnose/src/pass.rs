//! One pass through a model, read off its tape.

use std::collections::HashMap;

use autograd::{Gradients, Tape, Var};
use tensor::{Float, Tensor};

use crate::stats::{all_finite, elements};

/// A tape after its backward pass.
pub(crate) struct Pass<'t, T: Float> {
    pub(crate) vars: Vec<Var<'t, T>>,
    pub(crate) inputs: Vec<Vec<usize>>,
    pub(crate) loss: Var<'t, T>,
    /// `None` where the loss depends on nothing that is trained.
    pub(crate) gradients: Option<Gradients<T>>,
    /// What the loss was computed from, and the loss itself.
    behind_the_loss: Vec<bool>,
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
        let gradients = loss.needs_gradient().then(|| loss.backward());
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
            // The statistics stand between its input and its weight.
            "batch_norm_by" => {
                return Some(Affine { output, input: input(0)?, weight: input(3)?, bias: input(4), normalizes: true });
            }
            _ => return None,
        };
        Some(Affine { output, input: input(0)?, weight: input(1)?, bias: input(2), normalizes })
    }

    /// Whether a normalization takes a value, be it after a bias is added.
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

    /// Where the first value that is NaN or infinite was made, forward or else backward.
    pub(crate) fn anomaly(&self) -> Option<Anomaly> {
        self.anomaly_forward().or_else(|| self.anomaly_backward())
    }

    fn anomaly_forward(&self) -> Option<Anomaly> {
        let kinds: Vec<NonFinite> = self.vars.iter().map(|var| NonFinite::of(&var.value())).collect();
        let made = |&index: &usize| {
            let (own, inputs) = (kinds[index], &self.inputs[index]);
            let given = inputs.iter().fold(NonFinite::NONE, |given, &input| given.or(kinds[input]));
            // An infinite constant is meant to be there, such as the mask of an attention.
            let meant = self.vars[index].op() == "constant" && !own.nan;
            (own.nan && !given.nan || own.infinite && given == NonFinite::NONE) && !meant
        };
        let index = (0..kinds.len()).find(made)?;
        Some(self.name(Direction::Forward, index, kinds[index]))
    }

    fn anomaly_backward(&self) -> Option<Anomaly> {
        let gradients = self.gradients.as_ref()?;
        // From the loss back, the first gradient that is not finite; it was made by a result that the value went into.
        let kind = |index: usize| {
            let needed = self.behind_the_loss[index] && self.vars[index].needs_gradient();
            let gradient = needed.then(|| gradients.get(self.vars[index])).flatten();
            gradient.map_or(NonFinite::NONE, NonFinite::of)
        };
        let index = (0..self.vars.len()).rev().find(|&index| kind(index) != NonFinite::NONE)?;
        let user = (index + 1..self.vars.len())
            .rev()
            .find(|&user| self.behind_the_loss[user] && self.inputs[user].contains(&index))
            .unwrap_or(index);
        Some(self.name(Direction::Backward, user, kind(index)))
    }

    fn name(&self, direction: Direction, index: usize, kind: NonFinite) -> Anomaly {
        let var = self.vars[index];
        let inputs = self.inputs[index].iter().map(|&input| self.vars[input].shape().dims().to_vec()).collect();
        Anomaly {
            direction,
            what: if kind.nan { "NaN" } else { "infinity" },
            op: var.op(),
            place: self.place(var),
            inputs,
            shape: var.shape().dims().to_vec(),
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

/// Which numbers that are none a tensor holds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct NonFinite {
    nan: bool,
    infinite: bool,
}

impl NonFinite {
    const NONE: Self = NonFinite { nan: false, infinite: false };

    fn of<T: Float>(values: &Tensor<T>) -> Self {
        let slice = &elements(values);
        if all_finite(slice) {
            return NonFinite::NONE;
        }
        NonFinite {
            nan: slice.iter().any(|x| x.to_f64().is_nan()),
            infinite: slice.iter().any(|x| x.to_f64().is_infinite()),
        }
    }

    fn or(self, other: Self) -> Self {
        NonFinite { nan: self.nan || other.nan, infinite: self.infinite || other.infinite }
    }
}

/// Where a number first stopped being one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Anomaly {
    /// On the way to the loss, or back from it.
    pub direction: Direction,
    /// `"NaN"` or `"infinity"`.
    pub what: &'static str,
    /// The op whose result it was, or whose pullback: `"leaf"` and `"constant"` for what was put on the tape as such.
    pub op: &'static str,
    /// The module that the op belongs to.
    pub place: String,
    /// The shapes of the op's inputs.
    pub inputs: Vec<Vec<usize>>,
    /// The shape of its result.
    pub shape: Vec<usize>,
}

/// Which way a pass goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Direction {
    /// From the parameters to the loss.
    Forward,
    /// From the loss to the parameters.
    Backward,
}

impl Anomaly {
    /// That of a parameter's gradient, where those of intermediates were not kept.
    pub(crate) fn of_gradient(name: &str, dims: &[usize]) -> Self {
        Anomaly {
            direction: Direction::Backward,
            what: "a gradient that is no number",
            op: "leaf",
            place: name.to_owned(),
            inputs: Vec::new(),
            shape: dims.to_vec(),
        }
    }
}

impl std::fmt::Display for Anomaly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Anomaly { what, op, inputs, shape, .. } = self;
        let inputs: Vec<String> = inputs.iter().map(|dims| format!("{dims:?}")).collect();
        let inputs = inputs.join(", ");
        match self.direction {
            Direction::Forward if inputs.is_empty() => write!(f, "the {op} {shape:?} holds {what}"),
            Direction::Forward => write!(f, "`{op}` of {inputs} is the first to give {what}"),
            Direction::Backward if inputs.is_empty() => write!(f, "the {op} {shape:?} gets {what}"),
            Direction::Backward => write!(f, "the pullback of `{op}` of {inputs} is the first to give {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::Tape;

    fn of(build: impl Fn(&Tape) -> Var<'_>) -> Option<Anomaly> {
        let tape = Tape::new();
        tape.retain_gradients(true);
        Pass::new(build(&tape)).anomaly()
    }

    /// y = √x, whose pullback divides by 0 at 0.
    fn sqrt(x: Var<'_>) -> Var<'_> {
        let y = x.value().sqrt();
        x.record("sqrt", y.clone()).wrt(x, move |g| g / &y * 0.5).done()
    }

    #[test]
    fn the_first_op_that_makes_a_nan_is_named_with_the_shapes_of_its_inputs() {
        let anomaly = of(|tape| {
            let x = tape.leaf(Tensor::from([[1e30, 1.0]]));
            (x * x).matmul(tape.leaf(Tensor::ones([2, 3]))).tanh().sum(..)
        });
        let anomaly = anomaly.unwrap();
        assert_eq!((anomaly.op, anomaly.what, anomaly.direction), ("mul", "infinity", Direction::Forward));
        assert_eq!(anomaly.to_string(), "`mul` of [1, 2], [1, 2] is the first to give infinity");
        // What passes one on is not what made it.
        let anomaly = of(|tape| sqrt(tape.leaf(Tensor::from([-1.0]))).scale(2.0).sum(..)).unwrap();
        assert_eq!((anomaly.op, anomaly.what), ("sqrt", "NaN"));
        let anomaly = of(|tape| (tape.constant(Tensor::from([f32::NAN])) * tape.leaf(Tensor::from([1.0]))).sum(..));
        assert_eq!(anomaly.unwrap().to_string(), "the constant [1] holds NaN");
    }

    #[test]
    fn a_pullback_that_makes_an_infinity_is_named() {
        let anomaly = of(|tape| sqrt(tape.leaf(Tensor::from([0.0, 1.0])).scale(3.0)).sum(..)).unwrap();
        assert_eq!((anomaly.direction, anomaly.op), (Direction::Backward, "sqrt"));
        assert_eq!(anomaly.to_string(), "the pullback of `sqrt` of [2] is the first to give infinity");
    }

    #[test]
    fn finite_passes_and_masks_of_infinity_are_let_through() {
        assert_eq!(of(|tape| sqrt(tape.leaf(Tensor::from([1.0]))).sum(..)), None);
        let masked = of(|tape| {
            let mask = tape.constant(Tensor::from([[0.0, f32::NEG_INFINITY]]));
            ((tape.leaf(Tensor::from([[1.0, 2.0]])) + mask).softmax(-1) * tape.constant(Tensor::from([[1.0, 2.0]])))
                .sum(..)
        });
        assert_eq!(masked, None);
    }
}
