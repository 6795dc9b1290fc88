//! The loops over numbers, on slices: nothing here knows of tensors and their shapes.
//!
//! Most of the crate's `unsafe` is in this folder; the rest is in `par`.

mod activation;
mod blocks;
mod by_f64;
mod conv;
mod copy;
mod elementwise;
mod finite;
mod functions;
mod gather;
#[cfg(target_arch = "x86_64")]
mod in_f64;
mod isa;
pub(crate) mod math;
mod matmul;
mod power;
mod random;
mod recurrent;
mod reduce;
mod resample;
mod scalar;
mod scan;
mod simd;
mod softmax;
pub(crate) mod update;
mod vector;

pub(crate) use activation::Slope;
#[allow(unreachable_pub, reason = "re-exported at the root")]
pub use activation::{Activation, Live, Saved};
pub(crate) use blocks::{add_blocks, copy_blocks};
pub(crate) use conv::{
    Channels, Maximum, Placed, PlaneWindows, Spots, Total, Turned, Weighted, Weights, WindowAxis, Windows, add_windows,
    copy_windows, correlate, correlate_turned, fold_windows, largest_taps, weight_gradient,
};
pub(crate) use copy::{Lines, Plane, TRANSPOSED_SIDE, copy_plane, copy_row, copy_rows};
pub(crate) use elementwise::{
    Binary, BinaryAssign, Block, Closure, GATHERED, Reader, Row, Several, Unary, asks_ahead, choose, fill_where, map,
    map_assign, map_counted, zip, zip_assign,
};
pub(crate) use finite::find_lost;
pub(crate) use functions::{Affine, Centered, Normalized, OfSize, Standardized, WeightedCentered, negate};
#[allow(unreachable_pub, reason = "in the supertraits that keep the public `Element` sealed")]
pub use functions::{
    Comparison, ElementwiseLoss, LossSlope, OfFloat, OfFloats, OfNumber, OfNumbers, OfSigned, TestOfFloat,
};
pub(crate) use gather::{Line, all_within, gather_row, scatter_row};
#[allow(unreachable_pub, reason = "re-exported at the root")]
pub use isa::{Isa, isa};
#[allow(unreachable_pub, reason = "a supertrait of the public `Float`, which keeps it sealed")]
pub use matmul::Vectorized;
pub(crate) use matmul::{Matrix, Onto, matmul};
pub(crate) use power::IntegerPower;
#[allow(unreachable_pub, reason = "a supertrait of the public `Float`, which keeps it sealed")]
pub use random::Drawn;
pub(crate) use random::{GROUP, Law, Mask, Normal, Uniform, draw};
#[allow(unreachable_pub, reason = "re-exported at the root")]
pub use recurrent::Cell;
pub(crate) use recurrent::{Backward, Course, Forward, Gradients};
pub(crate) use reduce::{
    Count, Largest, LogSumExp, Moment, Moments, Product, ROWS, Reduction, Run, Sizes, Smallest, Squares, Sum, WIDE,
    arg, finish_log_sum_exp, join, reduce_columns, reduce_rows,
};
pub(crate) use resample::{Mixture, mix};
#[allow(unreachable_pub, reason = "re-exported at the root")]
pub use scalar::{Arithmetic, Dtype, Real, Scalar, WithSign};
#[allow(unreachable_pub, reason = "a supertrait of the public `Number`, which keeps it sealed")]
pub use scan::Carried;
pub(crate) use scan::{Join, RunningProduct, RunningSum, scan_columns, scan_rows};
pub(crate) use softmax::{
    LogSoftmax, LogSoftmaxBackward, Normalize, Softmax, SoftmaxBackward, add_logarithms, normalize_columns,
    normalize_rows, scale_rows,
};
#[allow(unreachable_pub, reason = "re-exported at the root")]
pub use update::Update;
pub(crate) use update::{Step, update};
