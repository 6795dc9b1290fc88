//! What an op is to a reader of the tape.

use tensor::{Activation, Saved};

/// What an op is called, and what it is to a reader of the tape, such as a diagnosis.
///
/// A `&'static str` is an op without a role.
///
/// # Example
/// An activation of one's own, recorded so that a diagnosis knows when it is flat:
///
/// ```
/// use autograd::{Op, Role, Saved, Tape, Var};
/// use tensor::{Float, Tensor};
///
/// /// y = x / (1 + |x|),  x̄ = ȳ / (1 + |x|)²
/// fn softsign<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
///     let role = Role::Function {
///         f: |x| x / (1.0 + x.abs()),
///         slope: |x| (1.0 + x.abs()).powi(-2),
///         saves: Saved::Input,
///     };
///     let size = x.value().abs() + T::ONE;
///     x.record(Op { name: "softsign", role }, x.value() / &size)
///         .wrt(x, move |g| g / (&size * &size))
///         .done()
/// }
///
/// let tape = Tape::new();
/// let y = softsign(tape.leaf(Tensor::from([1.0, -3.0])));
/// assert_eq!(y.value(), Tensor::from([0.5, -0.75]));
/// assert!(matches!(y.role(), Role::Function { .. }));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Its name, such as `"tanh"`.
    pub name: &'static str,
    /// What it does to a signal.
    pub role: Role,
}

impl Op {
    /// What is on the tape as a value whose gradient may be wanted.
    pub const LEAF: Op = Op::new("leaf", Role::Leaf);
    /// What is on the tape as a value whose gradient is not wanted.
    pub const CONSTANT: Op = Op::new("constant", Role::Constant);

    /// An op with a role.
    pub const fn new(name: &'static str, role: Role) -> Self {
        Op { name, role }
    }
}

impl Op {
    /// Why the role does not fit an op of `count` inputs, if it does not.
    pub(crate) fn misfit(&self, count: usize) -> Option<String> {
        let needed = self.role.inputs();
        if count >= needed {
            return None;
        }
        let (name, plural) = (self.name, if count == 1 { "input" } else { "inputs" });
        Some(match self.role.places().into_iter().flatten().find(|&(_, place)| place >= count) {
            Some((what, place)) => {
                format!("{name}: its role says that input {place} is its {what}, but it has {count} {plural}")
            }
            None => format!("{name}: its role is that of an op of at least {needed}, but it has {count} {plural}"),
        })
    }
}

impl From<&'static str> for Op {
    fn from(name: &'static str) -> Self {
        Op { name, role: Role::Other }
    }
}

impl From<Activation> for Op {
    fn from(activation: Activation) -> Self {
        Op { name: activation.name(), role: Role::Activation(activation) }
    }
}

/// What an op does to a signal. Numbers are places among the op's inputs, from 0, in the order in which it was given their
/// pullbacks; the signal itself is input 0.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Role {
    /// Nothing that a reader knows of.
    Other,
    /// None: a value that was put on the tape, and whose gradient may be wanted.
    Leaf,
    /// None: a value that was put on the tape, and whose gradient is not wanted.
    Constant,
    /// A product with a weight, so that the weight's scale is that of the result; and maybe a bias.
    Affine {
        /// The place of the weight.
        weight: usize,
        /// The place of the bias.
        bias: Option<usize>,
    },
    /// A product of windows with a weight, such as a convolution, as [`Affine`](Role::Affine). Its units are the channels, which stand before
    /// the spatial axes.
    AffineChannels {
        /// The place of the weight.
        weight: usize,
        /// The place of the bias.
        bias: Option<usize>,
        /// How many spatial axes there are.
        axes: usize,
        /// Whether windows are so far apart that some elements of the input are in none.
        skips: bool,
    },
    /// The steps of a recurrent network through a weight of its state. What gates let through stands on the tape as activations before.
    Recurrent {
        /// The place of the weight.
        weight: usize,
    },
    /// A normalization, whose result has the scale of its weight, whatever the scale of its input; and maybe a bias. Its units are
    /// the last axis.
    Normalizing {
        /// The place of the weight.
        weight: usize,
        /// The place of the bias.
        bias: Option<usize>,
    },
    /// A normalization of channels, which are axis 1, such as batch norm.
    NormalizingChannels {
        /// The place of the weight.
        weight: usize,
        /// The place of the bias.
        bias: usize,
    },
    /// Rows of a table by number, such as an embedding: where a signal begins.
    Lookup,
    /// The result has the scale of the input: a reshape, a transpose, a slice, dropout.
    Keeping,
    /// The input, times a number.
    Scaling,
    /// A sum or a difference of its two inputs, such as a residual branch and its trunk, or a value and its bias.
    Adding,
    /// A product of its two inputs, element by element, such as a gate and what it lets through.
    Multiplying,
    /// Its inputs, side by side.
    Joining,
    /// The square of each element.
    Squaring,
    /// A sum or a mean over axes.
    Reducing,
    /// Shares along this axis that add up to 1.
    Softmax(usize),
    /// An activation of the family's list.
    Activation(Activation),
    /// An activation of one's own: a function of each element.
    Function {
        /// y of x.
        f: fn(f64) -> f64,
        /// dy/dx, of x or of y as `saves` says.
        slope: fn(f64) -> f64,
        /// What the slope is computed from.
        saves: Saved,
    },
    /// What a model is trained to make small.
    Loss {
        /// The place of the model's predictions.
        predictions: usize,
        /// What the best constant prediction costs.
        baseline: Baseline,
    },
    /// Some elements are replaced by a constant, which may be infinite on purpose.
    Masking,
    /// What a segment gives that is computed again on the way back: what it is made of is not on the tape.
    Segment,
}

/// The loss of an untrained model: what the best constant prediction costs. A reader of the tape computes it; a step of training does not.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Baseline {
    /// ln C, for this number of classes C: all of them have the same probability.
    Classes(usize),
    /// This number, such as ln 2 for a choice of two.
    Value(f64),
    /// This number, times the mean of the product of the inputs at these places: what each element's loss is multiplied by.
    Weighted {
        /// What it is without weights.
        value: f64,
        /// The places of the factors, which broadcast to the losses.
        factors: [Option<usize>; 2],
    },
    /// The variance of the targets, which are the input at this place: the mean is predicted for all.
    Variance(usize),
    /// What the best constant prediction costs, by this distance of a prediction from its target.
    Constant {
        /// The place of the targets.
        targets: usize,
        /// What a prediction costs.
        distance: Distance,
    },
    /// Nobody can say.
    Unknown,
}

/// What a prediction costs, by its difference d from the target.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Distance {
    /// |d|
    Absolute,
    /// d²/2 up to this |d|, which is δ, and δ (|d| − δ/2) beyond.
    Huber(f64),
    /// The same, divided by δ.
    SmoothL1(f64),
    /// ½ (ln σ² + d²/σ²), where the variance σ² is predicted too, and the best one is that of the targets; and this number.
    Gaussian(f64),
    /// Σ t (ln t − ln p) of shares t of a whole along the last axis and predicted ones p, divided by their number: all of them predicted
    /// equal.
    Divergence,
    /// λ − t ln λ of counts t, where the rate λ is predicted; and the rest of −ln p(t) by Stirling's formula for t above 1, if it is `full`.
    Poisson {
        /// Whether that is in the loss.
        full: bool,
    },
    /// −ln p(t) of counts t under a negative binomial distribution, of which the logits of success are predicted.
    NegativeBinomial {
        /// How many failures there are.
        total_count: f64,
    },
}

impl Distance {
    /// What a prediction costs whose target is this count, of distributions of counts: a reader of the tape asks.
    #[doc(hidden)]
    pub fn of_count(self, prediction: f64, count: f64) -> Option<f64> {
        match self {
            Distance::NegativeBinomial { total_count } => {
                Some(crate::ops::negative_binomial(prediction, total_count, count))
            }
            _ => None,
        }
    }
}

impl Role {
    /// How many inputs it needs, for all that it names to be there. Each op is asked.
    fn inputs(&self) -> usize {
        match *self {
            Role::Other | Role::Leaf | Role::Constant | Role::Masking | Role::Segment => 0,
            Role::Keeping | Role::Scaling | Role::Squaring | Role::Reducing | Role::Softmax(_) => 1,
            Role::Lookup | Role::Joining => 1,
            Role::Activation(_) | Role::Function { .. } => 1,
            Role::Adding | Role::Multiplying => 2,
            Role::Affine { .. }
            | Role::AffineChannels { .. }
            | Role::Recurrent { .. }
            | Role::Normalizing { .. }
            | Role::NormalizingChannels { .. }
            | Role::Loss { .. } => self.places().into_iter().flatten().map(|(_, place)| place + 1).fold(1, usize::max),
        }
    }

    /// The places of inputs that it names, each with what it says is there.
    fn places(&self) -> [Option<(&'static str, usize)>; 2] {
        match *self {
            Role::Affine { weight, bias }
            | Role::AffineChannels { weight, bias, .. }
            | Role::Normalizing { weight, bias } => [Some(("weight", weight)), bias.map(|bias| ("bias", bias))],
            Role::Recurrent { weight } => [Some(("weight", weight)), None],
            Role::NormalizingChannels { weight, bias } => [Some(("weight", weight)), Some(("bias", bias))],
            Role::Loss { predictions, baseline: Baseline::Variance(targets) | Baseline::Constant { targets, .. } } => {
                [Some(("predictions", predictions)), Some(("targets", targets))]
            }
            Role::Loss { predictions, .. } => [Some(("predictions", predictions)), None],
            _ => [None, None],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tensor::Tensor;

    use super::*;
    use crate::{Id, Tape};

    #[test]
    fn an_op_of_the_family_says_what_it_is() {
        let tape = Tape::new();
        let x = tape.constant(Tensor::ones([2, 2]));
        let (w, named) = (tape.leaf(Tensor::ones([2, 2])), tape.named_constant(Id::new(), &Tensor::ones([2, 2])));
        assert!(matches!(x.role(), Role::Constant) && matches!(w.role(), Role::Leaf));
        for weight in [w, named] {
            assert!(matches!(x.matmul(weight).role(), Role::Affine { weight: 1, bias: None }));
        }
        // A product of two activations has no weight.
        assert!(matches!(x.matmul(x).role(), Role::Other) && matches!(x.matmul(w.tanh()).role(), Role::Other));
        assert!(matches!(w.tanh().role(), Role::Activation(Activation::Tanh)));
        assert!(matches!((x + w).role(), Role::Adding) && matches!((x + 1.0).role(), Role::Keeping));
        assert!(matches!((x * w).role(), Role::Multiplying) && matches!((x / 2.0).role(), Role::Scaling));
        assert!(matches!(x.softmax(-1).role(), Role::Softmax(1)) && matches!(x.mean(0).role(), Role::Reducing));
        let loss = w.cross_entropy(&Tensor::from([0, 1]));
        assert!(matches!(loss.role(), Role::Loss { predictions: 0, baseline: Baseline::Classes(2) }));
    }

    #[test]
    fn a_role_that_names_a_place_without_an_input_is_refused_and_nothing_is_on_the_tape() {
        let tape = Tape::new();
        let id = Id::new();
        tape.set_path(id, "mine.weight");
        let w = tape.named_leaf(id, &Tensor::ones([2]));
        let cases = [
            (
                Role::Affine { weight: 3, bias: None },
                "mine: its role says that input 3 is its weight, but it has 1 input",
            ),
            (
                Role::Affine { weight: 0, bias: Some(1) },
                "mine: its role says that input 1 is its bias, but it has 1 input",
            ),
            (
                Role::Loss { predictions: 0, baseline: Baseline::Variance(2) },
                "mine: its role says that input 2 is its targets, but it has 1 input",
            ),
            (Role::Adding, "mine: its role is that of an op of at least 2, but it has 1 input"),
        ];
        for (role, want) in cases {
            let record = w.record(Op::new("mine", role), w.value()).wrt(w, |g| g);
            let panic = catch_unwind(AssertUnwindSafe(|| record.done())).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), &format!("{want} (at mine.weight)"));
            assert_eq!(tape.len(), 1);
        }
        let none = w.record(Op::new("mine", Role::Keeping), w.value());
        assert!(catch_unwind(AssertUnwindSafe(|| none.done())).is_err());
        // Roles that fit are let through.
        w.record(Op::new("mine", Role::Keeping), w.value()).wrt(w, |g| g).done();
    }
}
