//! The first NaN or infinity, and the op that made it.

use autograd::{NonFinite, Op, Role};

use crate::read::graph::Graph;

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
        let forward = self.lost.map(|(index, lost)| self.anomaly_at(Direction::Forward, index, lost));
        forward.or_else(|| self.lost_backward.map(|(index, lost)| self.anomaly_at(Direction::Backward, index, lost)))
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

#[cfg(test)]
mod tests {
    use autograd::Var;

    use autograd::Tape;
    use tensor::Tensor;

    use super::*;

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
