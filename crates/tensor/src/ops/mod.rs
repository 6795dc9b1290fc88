//! What tensors can compute: shapes and strides are settled here, the loops are in `kernel`.

mod activation;
mod arithmetic;
mod assign;
mod binary;
mod cast;
mod close;
mod columns;
mod compare;
mod contract;
mod conv;
mod copy;
mod cross_entropy;
mod diagonal;
mod elementwise;
mod finite;
mod gather;
mod index;
mod join;
mod mask;
mod matmul;
mod normal;
mod order;
mod pad;
mod pool;
mod pullback;
mod rank;
mod recurrent;
mod reduce;
mod repeat;
mod resample;
mod scatter;
mod softmax;
mod sort;
mod triangle;
mod unary;
mod update;

pub(crate) use activation::pullback as activation_pullback;
pub(crate) use arithmetic::integers_divisible;
pub(crate) use assign::{slice_add, write};
pub(crate) use cast::cast;
pub(crate) use close::allclose;
pub(crate) use columns::{col2im, im2col};
pub use conv::Moves;
pub(crate) use conv::{conv, conv_input, conv_weight};
pub(crate) use copy::copy_into;
pub(crate) use cross_entropy::{cross_entropy, cross_entropy_backward};
pub(crate) use elementwise::{
    choose, map, negate, with_number, with_number_assign, with_number_owned, zip, zip_assign, zip_owned,
};
pub(crate) use finite::all_finite;
pub(crate) use gather::{gather, take};
pub(crate) use index::{embedding, index_add, index_select};
pub(crate) use join::{cat, stack};
pub(crate) use mask::{masked_fill, masked_select, nonzero};
pub use matmul::Accum;
pub(crate) use matmul::{linear, matmul, matmul_into};
pub(crate) use normal::{affine, centered, normalized, standardized, weighted_centered};
pub use pad::Pad;
pub(crate) use pool::{pool_places, pooled, unpooled};
pub use pullback::Pullback;
pub use recurrent::{Recurrence, RecurrentGradients};
pub(crate) use recurrent::{recurrence, recurrence_back};
pub use reduce::{Axes, KeepDim, keepdim};
pub(crate) use reduce::{
    arg, count_nonzero, deviation, fold, log_sum_exp, mean, norm, norm_f64, scan, sum_to, var_mean, variance,
};
pub(crate) use resample::resampled;
pub use resample::{Resampling, adaptive_windows};
pub(crate) use scatter::{one_hot, scatter, scatter_add};
pub(crate) use softmax::normalize;
pub(crate) use sort::ordered;
pub(crate) use triangle::triangle;
pub(crate) use unary::integer_power;
pub(crate) use update::updated;
#[allow(unreachable_pub, reason = "in the traits that keep the public `Element` sealed")]
pub use {
    cast::Cast,
    pool::Windowed,
    reduce::{Fold, Over, Running},
    scatter::Scattered,
    softmax::Normalization,
    triangle::Side,
};
