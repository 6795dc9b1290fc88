//! Arithmetic on scalars: what kernels know of the elements of a tensor.
//!
//! The public traits, `Element` and those above it, add to each of these the functions that are compiled for its types.

use std::fmt::{self, Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use super::{by_f64, math, power};

/// The types that a [`Tensor`](crate::Tensor) can hold, as values.
///
/// # Example
/// ```
/// use tensor::{Dtype, Scalar};
///
/// assert_eq!(i64::DTYPE, Dtype::I64);
/// assert_eq!((Dtype::F32.name(), Dtype::F32.size()), ("f32", 4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dtype {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// 32-bit integers.
    I32,
    /// 64-bit integers.
    I64,
    /// Bytes.
    U8,
    /// Truth values.
    Bool,
}

impl Dtype {
    /// Rust's name of it, such as `"f32"`.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::I32 => "i32",
            Dtype::I64 => "i64",
            Dtype::U8 => "u8",
            Dtype::Bool => "bool",
        }
    }

    /// The bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::F64 | Dtype::I64 => 8,
            Dtype::U8 | Dtype::Bool => 1,
        }
    }

    /// Whether it is a floating-point type.
    pub const fn is_float(self) -> bool {
        matches!(self, Dtype::F32 | Dtype::F64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A value that can be an element: a copy costs nothing, and its [`Default`] is the zero that fresh buffers are filled with.
pub trait Scalar: Copy + Default + PartialEq + PartialOrd + Debug + Display + Send + Sync + 'static {
    /// Which of the types it is.
    const DTYPE: Dtype;
}

/// A scalar with arithmetic.
///
/// Integers follow Rust's rules: overflow panics in a debug build and wraps in a release build, division truncates,
/// and dividing by zero panics.
pub trait Arithmetic:
    Scalar
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
{
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;

    /// x − ⌊x / y⌋ y, which has the sign of y, as Python's `%`: a zero too.
    #[doc(hidden)]
    fn remainder(self, y: Self) -> Self;

    /// The same where it is not far, of f32 in vectors.
    #[doc(hidden)]
    #[inline(always)]
    fn near_remainder(self, y: Self) -> Self {
        self.remainder(y)
    }

    /// Whether x / y is too large for [`near_remainder`](Self::near_remainder), or no number.
    #[doc(hidden)]
    #[inline(always)]
    fn is_far_beyond(self, _y: Self) -> bool {
        false
    }
}

/// A scalar with a sign.
pub trait WithSign: Arithmetic + Neg<Output = Self> {
    /// |x|; the least integer has none, and follows Rust's rules of overflow.
    fn abs(self) -> Self;
}

/// A floating-point scalar and its functions.
///
/// These have the same bits on every machine: none of them is the system's.
pub trait Real: WithSign {
    /// An unsigned number of as many bits.
    type Bits: Copy + Ord;
    /// ∞
    const INFINITY: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The least positive number of full precision.
    const MIN_POSITIVE: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;

    /// The nearest value to `x`, which may lose digits.
    fn from_f64(x: f64) -> Self;
    /// The same value as an `f64`, which loses nothing.
    fn to_f64(self) -> f64;
    /// The bits of |x|, which are ordered as the numbers are, NaN above ∞.
    fn magnitude(self) -> Self::Bits;
    /// eˣ
    fn exp(self) -> Self;
    /// eˣ as a product of two: what is multiplied with the first part before the second loses no digits below the normal numbers.
    fn exp_in_parts(self) -> [Self; 2];
    /// 2ˣ
    fn exp2(self) -> Self;
    /// eˣ − 1, accurate near 0.
    fn exp_m1(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The logarithm to base 2.
    fn log2(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;
    /// √x
    fn sqrt(self) -> Self;
    /// xʸ
    fn powf(self, y: Self) -> Self;
    /// xⁿ
    fn powi(self, n: i32) -> Self;
    /// Whether an angle is too large for [`sin`](Self::sin), [`cos`](Self::cos) and [`tan`](Self::tan): theirs are found one by one.
    fn is_far(self) -> bool;
    /// sin x, x in radians, unless it is far.
    fn sin(self) -> Self;
    /// cos x, x in radians, unless it is far.
    fn cos(self) -> Self;
    /// tan x, x in radians, unless it is far.
    fn tan(self) -> Self;
    /// sin x of any x.
    fn far_sin(self) -> Self;
    /// cos x of any x.
    fn far_cos(self) -> Self;
    /// tan x of any x.
    fn far_tan(self) -> Self;
    /// |x|ᵖ in f64, for as many digits as this type has.
    fn power_of_size(self, p: f64) -> f64;
    /// The angle of the point (x, y), y being this number: between −π and π.
    fn atan2(self, x: Self) -> Self;
    /// tanh x
    fn tanh(self) -> Self;
    /// 1 / (1 + e⁻ˣ) = eˣ / (1 + eˣ), which is 1 from 40 on. In f32 at most 3 ulp off.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let most = Self::from_f64(40.0);
        // Written so that a NaN passes.
        let e = (if self > most { most } else { self }).exp();
        e / (Self::ONE + e)
    }
    /// The error function, 2/√π ∫₀ˣ exp(−t²) dt. In f32 at most 4 ulp off.
    fn erf(self) -> Self;
    /// x Φ(x) with the standard normal distribution function Φ. In f32 at most 4 ulp off.
    fn gelu(self) -> Self;
    /// Φ(x) + x φ(x), the slope of [`gelu`](Self::gelu), with the standard normal density φ. In f32 at most 4 ulp off.
    fn gelu_slope(self) -> Self;
    /// x · a + b, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// The nearest integer that is no larger.
    fn floor(self) -> Self;
    /// The nearest integer that is no smaller.
    fn ceil(self) -> Self;
    /// The nearest integer towards 0.
    fn trunc(self) -> Self;
    /// The nearest integer; of two, the even one.
    fn round_ties_even(self) -> Self;
    /// Whether it is NaN.
    fn is_nan(self) -> bool;
    /// Whether it is neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

macro_rules! scalar {
    ($($t:ident $Dtype:ident;)*) => {$(
        impl Scalar for $t {
            const DTYPE: Dtype = Dtype::$Dtype;
        }
    )*};
}

macro_rules! number {
    ($($t:ident $zero:literal $one:literal $remainder:path, $zero_of:expr $(, $near:path, $is_far:path)?;)*) => {$(
        impl Arithmetic for $t {
            const ZERO: Self = $zero;
            const ONE: Self = $one;

            #[allow(unused_comparisons, reason = "no u8 is negative")]
            fn remainder(self, y: Self) -> Self {
                let rest = $remainder(self, y);
                match () {
                    _ if rest == $zero => $zero_of(y),
                    _ if (rest < $zero) != (y < $zero) => rest + y,
                    _ => rest,
                }
            }

            $(
                #[inline(always)]
                fn near_remainder(self, y: Self) -> Self {
                    $near(self, y)
                }

                #[inline(always)]
                fn is_far_beyond(self, y: Self) -> bool {
                    $is_far(self, y)
                }
            )?
        }
    )*};
}

macro_rules! signed {
    ($($t:ident)*) => {$(
        impl WithSign for $t {
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
        }
    )*};
}

/// Stamps the forwarding of `Real`: `$method: $function` for those of one argument.
macro_rules! float {
    ($t:ident $Bits:ident $powf:path, $atan2:path, $power_of_size:path, $is_far:expr, $in_parts:expr, $($method:ident: $function:expr;)*) => {
        impl Real for $t {
            type Bits = $Bits;
            const INFINITY: Self = $t::INFINITY;
            const MAX: Self = $t::MAX;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const EPSILON: Self = $t::EPSILON;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn magnitude(self) -> $Bits {
                self.abs().to_bits()
            }
            #[inline(always)]
            fn powf(self, y: Self) -> Self {
                $powf(self, y)
            }
            #[inline(always)]
            fn power_of_size(self, p: f64) -> f64 {
                $power_of_size(self, p)
            }
            #[inline(always)]
            fn is_far(self) -> bool {
                $is_far(self)
            }
            #[inline(always)]
            fn atan2(self, x: Self) -> Self {
                $atan2(self, x)
            }
            // In f64 also of f32: what fits the result neither overflows nor underflows on the way.
            fn powi(self, n: i32) -> Self {
                power::powi(self.into(), n) as $t
            }
            #[inline(always)]
            fn exp_in_parts(self) -> [Self; 2] {
                $in_parts(self)
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
            fn is_nan(self) -> bool {
                self.is_nan()
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

scalar!(f32 F32; f64 F64; i32 I32; i64 I64; u8 U8; bool Bool;);
number! {
    f32 0.0 1.0 libm::fmodf, |y: f32| 0.0_f32.copysign(y), by_f64::remainder, by_f64::is_far_beyond;
    f64 0.0 1.0 libm::fmod, |y: f64| 0.0_f64.copysign(y);
    i32 0 1 i32::wrapping_rem, |_| 0;
    i64 0 1 i64::wrapping_rem, |_| 0;
    u8 0 1 u8::wrapping_rem, |_| 0;
}
signed!(f32 f64 i32 i64);
float!(f32 u32 by_f64::pow, by_f64::atan2, by_f64::power_of_size, by_f64::is_far, |x| math::exp_in_parts(x, None),
    exp: math::exp; ln: math::ln; tanh: math::tanh;
    exp2: math::exp2; exp_m1: math::exp_m1; log2: by_f64::log2; ln_1p: by_f64::ln_1p;
    sin: by_f64::sin; cos: by_f64::cos; tan: by_f64::tan; far_sin: libm::sinf; far_cos: libm::cosf; far_tan: libm::tanf;
    erf: math::erf; gelu: math::gelu; gelu_slope: math::gelu_slope;
    floor: f32::floor; ceil: f32::ceil; trunc: f32::trunc; round_ties_even: f32::round_ties_even;
);
float!(f64 u64 libm::pow, libm::atan2, math::double::power_of_size, |_| false, |x| [libm::exp(x), 1.0],
    exp: libm::exp; ln: libm::log; tanh: libm::tanh;
    exp2: libm::exp2; exp_m1: libm::expm1; log2: libm::log2; ln_1p: libm::log1p;
    sin: libm::sin; cos: libm::cos; tan: libm::tan; far_sin: libm::sin; far_cos: libm::cos; far_tan: libm::tan;
    erf: libm::erf; gelu: math::double::gelu; gelu_slope: math::double::gelu_slope;
    floor: f64::floor; ceil: f64::ceil; trunc: f64::trunc; round_ties_even: f64::round_ties_even;
);
