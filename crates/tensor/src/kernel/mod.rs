//! The loops over numbers, on slices: nothing here knows of tensors and their shapes.
//!
//! All of the crate's `unsafe` lives in this folder.

mod blocks;
mod chunks;
mod copy;
mod elementwise;
mod gather;
mod isa;
pub(crate) mod math;
mod matmul;
mod random;
mod reduce;
mod scan;
mod simd;
mod softmax;

pub(crate) use blocks::{add_blocks, copy_blocks};
pub(crate) use chunks::chunks;
pub(crate) use copy::{BLOCK, Plane, copy_between, copy_row};
pub(crate) use elementwise::{Binary, Row, Unary, map, map_assign, zip, zip_assign, zip3};
pub(crate) use gather::{Line, gather_row, scatter_row};
#[allow(unreachable_pub, reason = "re-exported at the root")]
pub use isa::{Isa, isa};
#[allow(unreachable_pub, reason = "a supertrait of the public `Float`, which keeps it sealed")]
pub use matmul::Vectorized;
pub(crate) use matmul::{Matrix, matmul};
#[allow(unreachable_pub, reason = "a supertrait of the public `Float`, which keeps it sealed")]
pub use random::Drawn;
pub(crate) use random::{GROUP, Law, Normal, Uniform, draw};
pub(crate) use reduce::{
    Fold, LogSumExp, Moment, Moments, ROWS, Reduction, Run, WIDE, arg, join, larger, nan_or, reduce_columns,
    reduce_rows, smaller,
};
#[allow(unreachable_pub, reason = "a supertrait of the public `Number`, which keeps it sealed")]
pub use scan::Carried;
pub(crate) use scan::{scan_columns, scan_rows};
pub(crate) use softmax::{
    LogSoftmax, LogSoftmaxBackward, Normalize, Softmax, SoftmaxBackward, normalize_columns, normalize_rows, scale_rows,
};
