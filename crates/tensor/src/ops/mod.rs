//! What tensors can compute: shapes and strides are settled here, the loops are in `kernel`.

mod arithmetic;
mod cross_entropy;
mod elementwise;
mod index;
mod matmul;
mod reduce;
mod softmax;

pub use matmul::Accum;
pub use reduce::{Axes, KeepDim, keepdim};
