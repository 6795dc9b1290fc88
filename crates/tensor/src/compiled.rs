//! What is compiled in this crate, once for each type of element, and not in the crates that use it.
//!
//! Methods of `Tensor` are generic, and a generic function is compiled in the crate that calls it: anew at each build, and
//! without optimization in a dev build. So a method that runs loops hands its work to one of the functions below, which are
//! methods of the element and so belong to this crate. What they take to say which loop is meant is a name
//! (`kernel::functions`), not a closure.

use crate::element::{Element, Float, Number, Signed};
use crate::error::Error;
use crate::kernel::{
    Activation, Comparison, ElementwiseLoss, LossSlope, OfFloat, OfFloats, OfNumber, OfNumbers, OfSigned, TestOfFloat,
    Update,
};
use crate::layout::Layout;
use crate::ops::{
    self, Accum, Fold, Moves, Normalization, Over, Recurrence, RecurrentGradients, Resampling, Running, Scattered,
    Side, Windowed,
};
use crate::random::{self, Distribution};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Stamps a trait of functions, `name(arguments) -> Result = path of the generic function;`, and implements it for some types.
macro_rules! compiled {
    ($(#[$doc:meta])* $Trait:ident[$Bound:ident] for $($t:ident)* => $functions:tt) => {
        compiled!(@trait $(#[$doc])* $Trait[$Bound] $functions);
        $(compiled!(@impl $Trait[$Bound] for $t $functions);)*
    };
    (@trait $(#[$doc:meta])* $Trait:ident[$Bound:ident] {
        $(fn $name:ident($($arg:ident: $Arg:ty),*) $(-> $Out:ty)? = $path:path;)*
    }) => {
        $(#[$doc])*
        #[allow(unreachable_pub, reason = "a supertrait that keeps a public trait sealed")]
        pub trait $Trait: Sized {
            $(
                #[doc(hidden)]
                fn $name($($arg: $Arg),*) $(-> $Out)?
                where
                    Self: $Bound;
            )*
        }
    };
    (@impl $Trait:ident[$Bound:ident] for $t:ident {
        $(fn $name:ident($($arg:ident: $Arg:ty),*) $(-> $Out:ty)? = $path:path;)*
    }) => {
        impl $Trait for $t {
            $(
                fn $name($($arg: $Arg),*) $(-> $Out)?
                where
                    Self: $Bound,
                {
                    $path($($arg),*)
                }
            )*
        }
    };
}

compiled! {
    /// For every element.
    ElementOps[Element] for f32 f64 i32 i64 u8 bool => {
        fn copy_into(x: &Tensor<Self>, out: &mut [Self]) = ops::copy_into;
        fn compare(
            op: &'static str, x: &Tensor<Self>, y: &Tensor<Self>, f: Comparison
        ) -> Result<Tensor<bool>, Error> = ops::zip;
        fn write(out: &mut [Self], target: &Layout, source: &Tensor<Self>) = ops::write;
        fn masked_fill(x: Tensor<Self>, mask: &Tensor<bool>, value: Self) -> Result<Tensor<Self>, Error>
            = ops::masked_fill;
        fn choose(op: &'static str, mask: &Tensor<bool>, x: &Tensor<Self>, y: &Tensor<Self>) -> Result<Tensor<Self>, Error>
            = ops::choose;
        fn count_nonzero(x: &Tensor<Self>, over: &Over) -> Tensor<i64> = ops::count_nonzero;
        fn index_select(x: &Tensor<Self>, axis: isize, indices: &Tensor<i64>) -> Result<Tensor<Self>, Error>
            = ops::index_select;
        fn embedding(table: &Tensor<Self>, indices: &Tensor<i64>) -> Result<Tensor<Self>, Error> = ops::embedding;
        fn gather(x: &Tensor<Self>, axis: isize, indices: &Tensor<i64>) -> Result<Tensor<Self>, Error> = ops::gather;
        fn take(x: &Tensor<Self>, indices: &Tensor<i64>) -> Result<Tensor<Self>, Error> = ops::take;
        fn scatter(x: Tensor<Self>, axis: isize, what: Scattered<'_, Self>) -> Result<Tensor<Self>, Error>
            = ops::scatter;
        fn cat(op: &'static str, tensors: &[&Tensor<Self>], axis: isize) -> Result<Tensor<Self>, Error> = ops::cat;
        fn stack(tensors: &[&Tensor<Self>], axis: isize) -> Result<Tensor<Self>, Error> = ops::stack;
        fn triangle(op: &'static str, x: &Tensor<Self>, side: Side, diagonal: isize) -> Result<Tensor<Self>, Error>
            = ops::triangle;
        fn masked_select(x: &Tensor<Self>, mask: &Tensor<bool>) -> Result<Tensor<Self>, Error> = ops::masked_select;
        fn nonzero(x: &Tensor<Self>) -> Tensor<i64> = ops::nonzero;
        fn ordered(x: &Tensor<Self>, axis: usize, k: usize, descending: bool) -> (Tensor<Self>, Tensor<i64>)
            = ops::ordered;
        fn of_f32s(x: &Tensor<f32>) -> Tensor<Self> = ops::cast;
        fn of_f64s(x: &Tensor<f64>) -> Tensor<Self> = ops::cast;
        fn of_i32s(x: &Tensor<i32>) -> Tensor<Self> = ops::cast;
        fn of_i64s(x: &Tensor<i64>) -> Tensor<Self> = ops::cast;
        fn of_u8s(x: &Tensor<u8>) -> Tensor<Self> = ops::cast;
        fn of_bools(x: &Tensor<bool>) -> Tensor<Self> = ops::cast;
    }
}

compiled! {
    /// For every number.
    NumberOps[Number] for f32 f64 i32 i64 u8 => {
        fn map_number(x: &Tensor<Self>, f: OfNumber<Self>) -> Tensor<Self> = ops::map;
        fn zip_numbers(
            op: &'static str, x: &Tensor<Self>, y: &Tensor<Self>, f: OfNumbers
        ) -> Result<Tensor<Self>, Error> = ops::zip;
        fn zip_numbers_owned(
            op: &'static str, x: Tensor<Self>, y: &Tensor<Self>, f: OfNumbers
        ) -> Result<Tensor<Self>, Error> = ops::zip_owned;
        fn zip_numbers_assign(
            op: &'static str, x: &mut Tensor<Self>, y: &Tensor<Self>, f: OfNumbers
        ) -> Result<(), Error> = ops::zip_assign;
        fn with_number(x: &Tensor<Self>, number: Self, f: OfNumbers) -> Tensor<Self> = ops::with_number;
        fn with_number_owned(x: Tensor<Self>, number: Self, f: OfNumbers) -> Tensor<Self> = ops::with_number_owned;
        fn with_number_assign(x: &mut Tensor<Self>, number: Self, f: OfNumbers) = ops::with_number_assign;
        fn divisible(op: &'static str, x: &Tensor<Self>, y: &Tensor<Self>) -> Result<(), Error>
            = ops::integers_divisible;
        fn fold(x: &Tensor<Self>, over: &Over, fold: Fold) -> Tensor<Self> = ops::fold;
        fn sum_to(x: Tensor<Self>, shape: &Shape) -> Result<Tensor<Self>, Error> = ops::sum_to;
        fn arg(op: &'static str, x: &Tensor<Self>, over: &Over, largest: bool) -> Result<Tensor<i64>, Error> = ops::arg;
        fn running(op: &'static str, x: &Tensor<Self>, axis: isize, join: Running) -> Result<Tensor<Self>, Error>
            = ops::scan;
        fn index_add(x: Tensor<Self>, axis: isize, indices: &Tensor<i64>, source: &Tensor<Self>)
            -> Result<Tensor<Self>, Error> = ops::index_add;
        fn slice_add(x: Tensor<Self>, axis: usize, range: [usize; 2], source: &Tensor<Self>) -> Result<Tensor<Self>, Error>
            = ops::slice_add;
        fn scatter_add(x: Tensor<Self>, axis: isize, what: Scattered<'_, Self>) -> Result<Tensor<Self>, Error>
            = ops::scatter_add;
        fn one_hot(indices: &Tensor<i64>, classes: usize) -> Result<Tensor<Self>, Error> = ops::one_hot;
    }
}

compiled! {
    /// For every number with a sign.
    SignedOps[Signed] for f32 f64 i32 i64 => {
        fn map_signed(x: &Tensor<Self>, f: OfSigned) -> Tensor<Self> = ops::map;
        fn negate(x: Tensor<Self>) -> Tensor<Self> = ops::negate;
    }
}

compiled! {
    /// For every float.
    FloatOps[Float] for f32 f64 => {
        fn map_float(x: &Tensor<Self>, f: OfFloat<Self>) -> Tensor<Self> = ops::map;
        fn integer_power(x: &Tensor<Self>, n: i32) -> Tensor<Self> = ops::integer_power;
        fn activate(x: &Tensor<Self>, f: Activation) -> Tensor<Self> = ops::map;
        fn pullback(op: &'static str, gradient: Tensor<Self>, saved: &Tensor<Self>, f: Activation)
            -> Result<Tensor<Self>, Error> = ops::activation_pullback;
        fn test(x: &Tensor<Self>, f: TestOfFloat) -> Tensor<bool> = ops::map;
        fn zip_floats(
            op: &'static str, x: &Tensor<Self>, y: &Tensor<Self>, f: OfFloats<Self>
        ) -> Result<Tensor<Self>, Error> = ops::zip;
        fn zip_floats_owned(
            op: &'static str, x: Tensor<Self>, y: &Tensor<Self>, f: OfFloats<Self>
        ) -> Result<Tensor<Self>, Error> = ops::zip_owned;
        fn zip_floats_assign(
            op: &'static str, x: &mut Tensor<Self>, y: &Tensor<Self>, f: OfFloats<Self>
        ) -> Result<(), Error> = ops::zip_assign;
        fn standardized(x: &Tensor<Self>, mean: &Tensor<Self>, rstd: &Tensor<Self>) -> Result<Tensor<Self>, Error>
            = ops::standardized;
        fn affine(x: &Tensor<Self>, weight: &Tensor<Self>, bias: &Tensor<Self>) -> Result<Tensor<Self>, Error> = ops::affine;
        fn normalized(x: &Tensor<Self>, rest: [&Tensor<Self>; 4]) -> Result<Tensor<Self>, Error> = ops::normalized;
        fn centered(g: &Tensor<Self>, rest: [&Tensor<Self>; 4]) -> Result<Tensor<Self>, Error> = ops::centered;
        fn weighted_centered(g: &Tensor<Self>, rest: [&Tensor<Self>; 5]) -> Result<Tensor<Self>, Error> = ops::weighted_centered;
        fn loss(
            op: &'static str, x: &Tensor<Self>, target: &Tensor<Self>, f: ElementwiseLoss<Self>
        ) -> Result<Tensor<Self>, Error> = ops::zip;
        fn loss_slope(
            op: &'static str, x: &Tensor<Self>, target: &Tensor<Self>, f: LossSlope<Self>
        ) -> Result<Tensor<Self>, Error> = ops::zip;
        fn mean(x: &Tensor<Self>, over: &Over) -> Tensor<Self> = ops::mean;
        fn variance(x: &Tensor<Self>, over: &Over, correction: usize) -> Tensor<Self> = ops::variance;
        fn deviation(x: &Tensor<Self>, over: &Over, correction: usize) -> Tensor<Self> = ops::deviation;
        fn var_mean(x: &Tensor<Self>, over: &Over, correction: usize) -> (Tensor<Self>, Tensor<Self>) = ops::var_mean;
        fn log_sum_exp(x: &Tensor<Self>, over: &Over) -> Tensor<Self> = ops::log_sum_exp;
        fn norm(x: &Tensor<Self>, over: &Over, norm: f64) -> Tensor<Self> = ops::norm;
        fn norm_f64(x: &Tensor<Self>) -> f64 = ops::norm_f64;
        fn normalize(x: Tensor<Self>, y: &Tensor<Self>, axis: usize, how: Normalization) -> Tensor<Self>
            = ops::normalize;
        fn cross_entropy(x: &Tensor<Self>, classes: &Tensor<i64>) -> Result<(Tensor<Self>, Tensor<Self>), Error>
            = ops::cross_entropy;
        fn cross_entropy_backward(p: &Tensor<Self>, classes: &Tensor<i64>, gradient: &Tensor<Self>)
            -> Result<Tensor<Self>, Error> = ops::cross_entropy_backward;
        fn matmul(x: &Tensor<Self>, y: &Tensor<Self>) -> Result<Tensor<Self>, Error> = ops::matmul;
        fn linear(x: &Tensor<Self>, w: &Tensor<Self>, bias: &Tensor<Self>) -> Result<Tensor<Self>, Error> = ops::linear;
        fn matmul_into(x: &Tensor<Self>, y: &Tensor<Self>, out: &mut Tensor<Self>, accum: Accum) -> Result<(), Error>
            = ops::matmul_into;
        fn conv(x: &Tensor<Self>, w: &Tensor<Self>, bias: Option<&Tensor<Self>>, moves: &Moves) -> Result<Tensor<Self>, Error>
            = ops::conv;
        fn conv_input(gradient: &Tensor<Self>, w: &Tensor<Self>, bias: Option<&Tensor<Self>>, moves: &Moves)
            -> Result<Tensor<Self>, Error> = ops::conv_input;
        fn conv_weight(gradient: &Tensor<Self>, x: &Tensor<Self>, moves: &Moves) -> Result<Tensor<Self>, Error>
            = ops::conv_weight;
        fn pooled(op: &'static str, x: &Tensor<Self>, windowed: &Windowed, largest: bool) -> Result<Tensor<Self>, Error>
            = ops::pooled;
        fn pool_places(op: &'static str, x: &Tensor<Self>, windowed: &Windowed) -> Result<Tensor<i64>, Error> = ops::pool_places;
        fn unpooled(op: &'static str, gradient: &Tensor<Self>, x: Option<&Tensor<Self>>, windowed: &Windowed)
            -> Result<Tensor<Self>, Error> = ops::unpooled;
        fn im2col(x: &Tensor<Self>, moves: &Moves) -> Result<Tensor<Self>, Error> = ops::im2col;
        fn col2im(x: &Tensor<Self>, moves: &Moves) -> Result<Tensor<Self>, Error> = ops::col2im;
        fn resampled(x: &Tensor<Self>, how: &Resampling<Self>) -> Result<Tensor<Self>, Error> = ops::resampled;
        fn recurrence(of: Recurrence<Self>, inputs: &Tensor<Self>, bias: Option<&Tensor<Self>>, start: [Option<&Tensor<Self>>; 2], keeps: bool)
            -> Recurrence<Self> = ops::recurrence;
        fn recurrence_back(of: &Recurrence<Self>, gradient: &Tensor<Self>)
            -> RecurrentGradients<Self> = ops::recurrence_back;
        fn drawn(
            op: &'static str, key: &[u8; 32], shape: &Shape, distribution: Distribution<Self>
        ) -> Result<Tensor<Self>, Error> = random::drawn;
        fn updated(
            w: &mut Tensor<Self>, gradient: &Tensor<Self>, kept: &mut [Tensor<Self>], how: Update<Self>
        ) -> Result<(), Error> = ops::updated;
        fn all_finite(x: &Tensor<Self>) -> bool = ops::all_finite;
        fn allclose(x: &Tensor<Self>, y: &Tensor<Self>, rtol: f64, atol: f64) -> Result<bool, Error> = ops::allclose;
    }
}
