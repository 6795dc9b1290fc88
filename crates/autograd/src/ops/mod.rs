//! The ops: one function each, with its formula, its role and its pullback, in the file of its family.
//!
//! In the formulas, x̄ is the gradient with respect to x, and ȳ the one that a pullback is given. That each is right is proven
//! by one table, `tests/it/table.rs`.

mod activation;
mod arithmetic;
mod attention;
mod chain;
mod chance;
mod choose;
mod conv;
mod dropout;
mod einsum;
mod function;
mod index;
mod join;
mod loss;
mod matmul;
mod norm;
mod pool;
mod power;
mod recomputed;
mod recurrent;
mod reduce;
mod resample;
mod softmax;
mod view;

pub use arithmetic::{Operand, OperandValue};
pub use attention::Attention;
pub(crate) use loss::negative_binomial;
pub use loss::{Bce, CrossEntropy, Ctc, Focal, GaussianNll, KlDiv, NllLoss, PoissonNll, Reduction, TripletMargin};
pub use recurrent::{CellParams, Steps};
