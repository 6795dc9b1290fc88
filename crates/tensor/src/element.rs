//! What a tensor may hold: the dtype is a type parameter.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::buffer::Pooled;
use crate::convert::Convert;
use crate::kernel::{Carried, Drawn, Vectorized, math};

/// A type that a [`Tensor`](crate::Tensor) can hold: `f32`, `f64`, `i32`, `i64`, `u8` and `bool`.
///
/// Sealed: its [`Default`] is the zero that fresh buffers are filled with.
pub trait Element:
    Pooled + Convert + Copy + Default + PartialEq + PartialOrd + Debug + Display + Send + Sync + 'static
{
    /// The name that Rust and PyTorch's `dtype` share, such as `"f32"`.
    const DTYPE: &'static str;

    /// The value of a floating-point element; `None` for the other types.
    #[doc(hidden)]
    fn as_float(self) -> Option<f64>;
}

/// An element with arithmetic.
///
/// Integers follow Rust's rules: overflow panics in a debug build and wraps in a release build, division truncates,
/// and dividing by zero panics.
pub trait Number:
    Element
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
    + Carried
{
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
}

/// An element with a sign: `f32`, `f64`, `i32` and `i64`.
pub trait Signed: Number + Neg<Output = Self> {
    /// |x|; the least integer has none, and follows Rust's rules of overflow.
    fn abs(self) -> Self;
}

/// A floating-point element: `f32`, in which models run, and `f64`, in which gradients can be checked.
///
/// Functions have the same bits on every machine: none of them is the system's.
pub trait Float: Signed + Vectorized + Drawn {
    /// The nearest value to `x`, which may lose digits.
    fn from_f64(x: f64) -> Self;
    /// The same value as an `f64`, which loses nothing.
    fn to_f64(self) -> f64;
    /// eˣ
    fn exp(self) -> Self;
    /// eˣ − 1, accurate near 0.
    fn exp_m1(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;
    /// √x
    fn sqrt(self) -> Self;
    /// xʸ
    fn powf(self, y: Self) -> Self;
    /// xⁿ
    fn powi(self, n: i32) -> Self;
    /// sin x, x in radians.
    fn sin(self) -> Self;
    /// cos x, x in radians.
    fn cos(self) -> Self;
    /// tanh x
    fn tanh(self) -> Self;
    /// 1 / (1 + e⁻ˣ)
    fn sigmoid(self) -> Self;
    /// The error function, 2/√π ∫₀ˣ exp(−t²) dt.
    fn erf(self) -> Self;
    /// x · a + b, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Whether it is neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

macro_rules! element {
    ($($t:ident $as_float:expr;)*) => {$(
        impl Element for $t {
            const DTYPE: &'static str = stringify!($t);

            fn as_float(self) -> Option<f64> {
                let as_float: fn($t) -> Option<f64> = $as_float;
                as_float(self)
            }
        }
    )*};
}

macro_rules! number {
    ($($t:ident $zero:literal $one:literal;)*) => {$(
        impl Number for $t {
            const ZERO: Self = $zero;
            const ONE: Self = $one;
        }
    )*};
}

macro_rules! signed {
    ($($t:ident)*) => {$(
        impl Signed for $t {
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
        }
    )*};
}

/// Stamps the forwarding of `Float`: `$method: $function` for those of one argument.
macro_rules! float {
    ($t:ident $powf:path, $($method:ident: $function:expr;)*) => {
        impl Float for $t {
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn powf(self, y: Self) -> Self {
                $powf(self, y)
            }
            // In f64 also of f32: what fits the result neither overflows nor underflows on the way.
            fn powi(self, n: i32) -> Self {
                math::powi(self.into(), n) as $t
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            $(
                #[inline(always)]
                fn $method(self) -> Self {
                    $function(self)
                }
            )*
        }
    };
}

element!(f32 |x| Some(x.into()); f64 Some; i32 |_| None; i64 |_| None; u8 |_| None; bool |_| None;);
number!(f32 0.0 1.0; f64 0.0 1.0; i32 0 1; i64 0 1; u8 0 1;);
signed!(f32 f64 i32 i64);
float!(f32 libm::powf,
    exp: math::exp; ln: math::ln; tanh: math::tanh; sigmoid: math::sigmoid;
    exp_m1: libm::expm1f; ln_1p: libm::log1pf; sin: libm::sinf; cos: libm::cosf; erf: libm::erff;
);
float!(f64 libm::pow,
    exp: libm::exp; ln: libm::log; tanh: libm::tanh; sigmoid: |x: f64| 1.0 / (1.0 + libm::exp(-x));
    exp_m1: libm::expm1; ln_1p: libm::log1p; sin: libm::sin; cos: libm::cos; erf: libm::erf;
);
