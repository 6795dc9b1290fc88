//! The first NaN or infinity, and the op that made it.

use autograd::{Gradients, Op, Role, Var};
use tensor::{Float, Tensor};

use crate::read::graph::Graph;
use crate::read::numbers::NonFinite;

/// Where the first NaN or infinity was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Anomaly {
    /// On the way to the loss, or back from it.
    pub direction: Direction,
    /// `"NaN"` or `"infinity"`.
    pub what: &'static str,
    /// The op whose result it was, or whose pullback; that of [`Op::LEAF`] or [`Op::CONSTANT`] for what was put on the tape as
    /// such.
    pub op: &'static str,
    /// The module that the op belongs to.
    pub place: String,
    /// The shapes of the op's inputs.
    pub inputs: Vec<Vec<usize>>,
    /// The shape of its result.
    pub shape: Vec<usize>,
    /// Whether it came in with the data.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) is_data: bool,
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
            is_data: false,
        }
    }

    /// Whether it comes of the batch, and not of the model.
    pub(crate) fn is_of_the_batch(&self) -> bool {
        self.is_data || self.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inputs.iter().any(|dims| dims.contains(&0))
    }
}

impl Graph {
    /// Where the first value that is NaN or infinite was made, forward or else backward.
    pub(crate) fn anomaly(&self) -> Option<Anomaly> {
        if let Some(index) = (0..self.nodes.len()).find(|&index| self.makes_loss_of_numbers(index)) {
            return Some(self.anomaly_at(Direction::Forward, index, self.nodes[index].value.lost()));
        }
        let (index, lost) = self.lost_backward?;
        Some(self.anomaly_at(Direction::Backward, index, lost))
    }

    /// Whether a value is not finite where what it was computed from is; and not on purpose.
    fn makes_loss_of_numbers(&self, index: usize) -> bool {
        let (node, own) = (&self.nodes[index], self.nodes[index].value.lost());
        if !own.any() {
            return false;
        }
        let given: Vec<NonFinite> = node.inputs.iter().map(|&input| self.nodes[input].value.lost()).collect();
        let none_given = |of: fn(&NonFinite) -> bool| !given.iter().any(of);
        let made = own.nan && none_given(|given| given.nan)
            || (own.positive || own.negative) && none_given(|given| given.any())
            // Of a mask, a loss may be infinite: an example's class is one of those that are left out.
            || matches!(node.role, Role::Loss { .. }) && none_given(|given| given.nan || given.positive);
        // A mask is −∞ on purpose.
        let is_mask = match node.role {
            Role::Constant => !own.positive && !self.flow[index].enters,
            Role::Masking => true,
            _ => false,
        };
        made && (own.nan || !is_mask)
    }

    fn anomaly_at(&self, direction: Direction, index: usize, lost: NonFinite) -> Anomaly {
        let node = &self.nodes[index];
        let dims = |index: usize| self.nodes[index].value.dims().to_vec();
        Anomaly {
            direction,
            what: lost.what(),
            op: node.op,
            place: self.place(index),
            inputs: node.inputs.iter().map(|&input| dims(input)).collect(),
            shape: dims(index),
            is_data: matches!(node.role, Role::Constant) && node.parameter.is_none(),
        }
    }
}

/// The op whose pullback gives the first share of a gradient that is not finite, going back from the loss.
pub(crate) fn first_lost<T: Float>(loss: Var<'_, T>, gradients: &Gradients<T>) -> Option<(usize, NonFinite)> {
    let lost = |gradient: &Tensor<T>| NonFinite::of(gradient);
    let vars: Vec<Var<'_, T>> = loss.tape().vars().take(loss.index() + 1).collect();
    // What comes to no leaf does no harm.
    let mut leaves = vars.iter().filter(|var| matches!(var.role(), Role::Leaf)).filter_map(|var| gradients.get(*var));
    if leaves.all(Tensor::all_finite) {
        return None;
    }
    let of = |var: &Var<'_, T>| gradients.get(*var).map(lost).filter(|lost| lost.any());
    let (first, whole) = vars.iter().rev().find_map(|var| Some((var.index(), of(var)?)))?;
    // Several ops may share the value: it is the one whose own share is not finite.
    let share = |user: &Var<'_, T>| {
        let shares = user.inputs().iter().any(|input| input.index() == first).then(|| gradients.get(*user))?;
        let lost =
            user.pull(shares?).into_iter().filter(|(input, _)| input.index() == first).map(|(_, share)| lost(&share));
        Some((user.index(), lost.into_iter().find(|lost| lost.any())?))
    };
    Some(vars.iter().rev().find_map(share).unwrap_or((first, whole)))
}

#[cfg(test)]
mod tests {
    use autograd::Var;

    use super::*;
    use autograd::Tape;

    fn of(build: impl Fn(&Tape) -> Var<'_>) -> Option<Anomaly> {
        let tape = Tape::new();
        tape.retain_gradients(true);
        let loss = build(&tape);
        let gradients = loss.backward();
        Graph::read(loss, Some(&gradients), None).anomaly()
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
        assert_eq!(anomaly.unwrap().to_string(), "the data hold NaN: the constant [1]");
        // So is an infinity that goes into a layer, and not the layer.
        let x = [[1.0, f32::NEG_INFINITY]];
        let anomaly =
            of(|tape| tape.constant(Tensor::from(x)).matmul(tape.leaf(Tensor::ones([2, 3]))).sum(..)).unwrap();
        assert_eq!(anomaly.to_string(), "the data hold infinity: the constant [1, 2]");
    }

    #[test]
    fn a_pullback_that_makes_an_infinity_is_named() {
        let anomaly = of(|tape| sqrt(tape.leaf(Tensor::from([0.0, 1.0])).scale(3.0)).sum(..)).unwrap();
        assert_eq!((anomaly.direction, anomaly.op), (Direction::Backward, "sqrt"));
        assert_eq!(anomaly.to_string(), "the pullback of `sqrt` of [2] is the first to give infinity");
    }

    #[test]
    fn of_several_ops_with_one_input_the_one_is_named_whose_share_it_is() {
        let anomaly = of(|tape| {
            let x = tape.leaf(Tensor::from([0.0, 0.0]));
            let roots = sqrt(x * x).sum(..);
            let squares = (x * x).sum(..);
            sqrt(x).sum(..) + roots * 0.0 + squares
        });
        assert_eq!(anomaly.unwrap().op, "sqrt");
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
