//! What tensors can compute: shapes and strides are settled here, the loops are in `kernel`.

mod activation;
mod arithmetic;
mod close;
mod compare;
mod copy;
mod cross_entropy;
mod elementwise;
mod gather;
mod index;
mod join;
mod mask;
mod matmul;
mod reduce;
mod repeat;
mod scatter;
mod softmax;
mod sort;
mod triangle;
mod unary;

pub use compare::Operand;
pub use matmul::Accum;
pub use reduce::{Axes, KeepDim, keepdim};
