//! The first NaN or infinity, and the op that made it.

use autograd::{Op, Role};
use tensor::{Float, Tensor};

use crate::graph::Graph;
use crate::stats::{all_finite, elements};

/// Where the first NaN or infinity was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Anomaly {
    /// On the way to the loss, or back from it.
    pub direction: Direction,
    /// `"NaN"` or `"infinity"`.
    pub what: &'static str,
    /// The op whose result it was, or whose pullback; that of [`Op::LEAF`] or [`Op::CONSTANT`] for what was put on the tape as
    /// such. Where several ops share an input, each has a part in its gradient, and the last of them is named.
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
    /// The gradient of a parameter, where gradients of intermediates were not kept.
    pub(crate) fn of_gradient(name: &str, dims: &[usize]) -> Self {
        Anomaly {
            direction: Direction::Backward,
            what: "a gradient that is no number",
            op: Op::LEAF.name,
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

impl<T: Float> Graph<'_, T> {
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
            let meant = matches!(self.vars[index].role(), Role::Constant | Role::Masking) && !own.nan;
            (own.nan && !given.nan || own.infinite && given == NonFinite::NONE) && !meant
        };
        let index = (0..kinds.len()).find(made)?;
        Some(self.name(Direction::Forward, index, kinds[index]))
    }

    fn anomaly_backward(&self) -> Option<Anomaly> {
        let gradients = self.gradients.as_ref()?;
        // Backward from the loss, the first gradient that is not finite. The op that made it is one that took the value as input.
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

/// Which a tensor holds: NaN, infinity, or neither.
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

#[cfg(test)]
mod tests {
    use autograd::Var;

    use super::*;
    use autograd::Tape;

    fn of(build: impl Fn(&Tape) -> Var<'_>) -> Option<Anomaly> {
        let tape = Tape::new();
        tape.retain_gradients(true);
        Graph::new(build(&tape)).anomaly()
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
        assert_eq!((anomaly.what, anomaly.direction), ("infinity", Direction::Forward));
        assert_eq!(anomaly.to_string(), "`mul` of [1, 2], [1, 2] is the first to give infinity");
        // An op that passes a NaN on did not make it.
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
