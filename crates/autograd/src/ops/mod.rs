//! The ops: one function each, with its formula, pullback and tests, in the file of its family.
//!
//! In the formulas, x̄ is the gradient with respect to x, and ȳ the one that a pullback is given.

mod activation;
mod arithmetic;
mod dropout;
mod index;
mod loss;
mod matmul;
mod norm;
mod reduce;
mod softmax;
mod view;

pub use arithmetic::{Operand, Right};
