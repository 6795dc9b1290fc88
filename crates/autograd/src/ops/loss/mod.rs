//! What a model is trained to make small.
//!
//! A loss is an op of its elements, which has the role; what is then made of them is a sum or a mean like any other. Only the plain
//! cross-entropy, which every step of a classifier takes, is one op with its mean.

mod binary;
mod classes;
mod counts;
mod ctc;
mod distance;
mod focal;
mod gamma;
mod likeness;

pub use binary::Bce;
pub use classes::{CrossEntropy, NllLoss};
pub use counts::PoissonNll;
pub(crate) use counts::negative_binomial;
pub use ctc::Ctc;
pub use focal::Focal;
pub use likeness::{GaussianNll, KlDiv, TripletMargin};

use tensor::{Float, Tensor, ensure};

use super::arithmetic::Operand;
use crate::Var;

/// What is made of the losses of all elements.
///
/// # Example
/// ```
/// use autograd::{Reduction, Tape};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// let (x, targets) = (tape.leaf(Tensor::from([1.0, 5.0])), Tensor::from([0.0, 2.0]));
/// assert_eq!(x.mse_loss(&targets).item(), 5.0);
/// assert_eq!(x.mse_loss_with(&targets, Reduction::Sum).item(), 10.0);
/// assert_eq!(x.mse_loss_with(&targets, Reduction::None).value(), Tensor::from([1.0, 9.0]));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean; of none it is NaN, as in PyTorch.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum, divided by the number of examples, which are axis 0; PyTorch's `batchmean`.
    BatchMean,
    /// Nothing: the losses themselves.
    None,
}

impl Reduction {
    #[track_caller]
    fn of<'t, T: Float>(self, losses: Var<'t, T>) -> Var<'t, T> {
        match self {
            Reduction::Mean => losses.mean(..),
            Reduction::Sum => losses.sum(..),
            Reduction::BatchMean => {
                let examples = losses.shape().dims().first().copied().unwrap_or(1);
                losses.sum(..) / T::from_f64(examples as f64)
            }
            Reduction::None => losses,
        }
    }
}

/// The targets of predictions as a value of the same shape: one that broadcasts hides a mistake.
#[track_caller]
fn targets<'t, T: Float>(op: &str, predictions: Var<'t, T>, targets: impl Operand<'t, T>) -> Var<'t, T> {
    let targets = targets.into_operand(predictions.tape()).into_var(predictions.tape());
    same_shape(op, predictions, targets.value());
    targets
}

#[track_caller]
fn same_shape<T: Float>(op: &str, predictions: Var<'_, T>, targets: Tensor<T>) {
    let (have, want) = (targets.shape(), predictions.shape());
    ensure!(*have == want, "{op}: the predictions are {want}, the targets {have}: both need the same shape");
}

/// Labels that are 1 and −1, of the shape of what they are for.
#[track_caller]
fn signs<T: Float>(op: &str, shape: &[usize], labels: &Tensor<T>) {
    ensure!(
        labels.dims() == shape,
        "{op}: labels of the shape {shape:?} are needed, one for each example, got {}",
        labels.shape()
    );
    if labels.abs().eq(T::ONE).all(..).item() {
        return;
    }
    if let Some((place, label)) = labels.iter().enumerate().find(|&(_, label)| label != T::ONE && label != -T::ONE) {
        panic!("{op}: the label of example {place} is {}, but must be 1 or -1", label.to_f64());
    }
}

/// Whether a shape grows to another by axes of size 1 and new ones in front.
fn broadcasts(from: &[usize], to: &[usize]) -> bool {
    from.len() <= to.len() && from.iter().rev().zip(to.iter().rev()).all(|(&from, &to)| from == 1 || from == to)
}
