//! The functions of one element and of two: what each is called, what it costs, what it computes.
//!
//! A list is an enum of names. A generic method of `Tensor` hands on the name, and the loop behind it is compiled in this
//! crate, once for each type of element, and not in the crate that calls the method. To add a function is to add a line
//! here, and the method in `ops` that names it.

#![allow(non_snake_case, reason = "a loop has the name of its function, so that a profile says which ran")]

use super::elementwise::{Binary, BinaryAssign, Row, Several, Unary};
use super::isa::kernel;
use crate::kernel::{Arithmetic, Real, Scalar, WithSign};
use crate::par;

/// Stamps a list of functions of one element: `Name { parameters } COST |x| formula;`, with a cost of `par`. `far condition => other` is for
/// what the formula is not good for: where any element is, all are taken one by one.
///
/// A loop takes parameters by value. Behind a reference they might be changed by what the loop writes, as far as the compiler
/// knows, and the loop is not vectorized: an axpy took five times as long.
macro_rules! functions_of_one {
    (
        $(#[$doc:meta])*
        $List:ident $(<$Parameter:ident>)? [$T:ident: $Bound:path] -> $Output:ty {
            $($Name:ident $({ $($p:ident: $P:ty),* })? $cost:ident |$x:ident| $formula:expr $(, far $far:expr => $slow:expr)?;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        #[allow(unreachable_pub, reason = "in the private bounds that keep the public `Float` sealed")]
        pub enum $List $(<$Parameter>)? {
            $($Name $({ $($p: $P),* })?,)*
        }

        impl<$T: $Bound> Unary<$T> for $List $(<$Parameter>)? {
            type Output = $Output;

            fn cost(&self) -> f64 {
                match self {
                    $(Self::$Name { .. } => par::$cost,)*
                }
            }

            fn map(&self, x: &[$T], out: &mut [$Output]) {
                match *self {
                    $(Self::$Name $({ $($p),* })? => {
                        kernel! {
                            fn $Name[$T: $Bound](x: &[$T], out: &mut [$Output] $($(, $p: $P)*)?), $cost $T {
                                $(if x.iter().fold(false, |any, &$x| any | $far) {
                                    for (out, &$x) in out.iter_mut().zip(x) {
                                        *out = if $far { $slow } else { $formula };
                                    }
                                    return;
                                })?
                                for (out, &$x) in out.iter_mut().zip(x) {
                                    *out = $formula;
                                }
                            }
                        }
                        $Name(x, out $($(, $p)*)?)
                    })*
                }
            }
        }
    };
}

/// Stamps a list of functions of two elements: `Name { parameters } COST |x, y| formula;`.
macro_rules! functions_of_two {
    (
        $(#[$doc:meta])*
        $List:ident $(<$Parameter:ident>)? [$T:ident: $Bound:path] -> $Output:ty {
            $($Name:ident $({ $($p:ident: $P:ty),* })? $cost:ident |$x:ident, $y:ident| $formula:expr $(, far $far:expr => $slow:expr)?;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub enum $List $(<$Parameter>)? {
            $($Name $({ $($p: $P),* })?,)*
        }

        impl<$T: $Bound> Binary<$T, $T> for $List $(<$Parameter>)? {
            type Output = $Output;

            fn cost(&self) -> f64 {
                match self {
                    $(Self::$Name { .. } => par::$cost,)*
                }
            }

            fn zip(&self, x: &[$T], y: &[$T], out: &mut [$Output]) {
                match *self {
                    $(Self::$Name $({ $($p),* })? => {
                        kernel! {
                            fn $Name[$T: $Bound](x: &[$T], y: &[$T], out: &mut [$Output] $($(, $p: $P)*)?), $cost $T {
                                $(if x.iter().zip(y).fold(false, |any, (&$x, &$y)| any | $far) {
                                    for ((out, &$x), &$y) in out.iter_mut().zip(x).zip(y) {
                                        *out = if $far { $slow } else { $formula };
                                    }
                                    return;
                                })?
                                for ((out, &$x), &$y) in out.iter_mut().zip(x).zip(y) {
                                    *out = $formula;
                                }
                            }
                        }
                        $Name(x, y, out $($(, $p)*)?)
                    })*
                }
            }
        }
    };
    // A list whose results may take the place of the first element.
    (
        in place: $(#[$doc:meta])*
        $List:ident $(<$Parameter:ident>)? [$T:ident: $Bound:path] {
            $($Name:ident $({ $($p:ident: $P:ty),* })? $cost:ident |$x:ident, $y:ident| $formula:expr $(, far $far:expr => $slow:expr)?;)*
        }
    ) => {
        functions_of_two! {
            $(#[$doc])*
            $List $(<$Parameter>)? [$T: $Bound] -> $T {
                $($Name $({ $($p: $P),* })? $cost |$x, $y| $formula $(, far $far => $slow)?;)*
            }
        }

        impl<$T: $Bound> BinaryAssign<$T, $T> for $List $(<$Parameter>)? {
            fn zip_assign(&self, x: &mut [$T], y: &[$T]) {
                match *self {
                    $(Self::$Name $({ $($p),* })? => {
                        kernel! {
                            fn $Name[$T: $Bound](x: &mut [$T], y: &[$T] $($(, $p: $P)*)?), $cost $T {
                                $(if x.iter().zip(y).fold(false, |any, (&$x, &$y)| any | $far) {
                                    for (out, &$y) in x.iter_mut().zip(y) {
                                        let $x = *out;
                                        *out = if $far { $slow } else { $formula };
                                    }
                                    return;
                                })?
                                for (out, &$y) in x.iter_mut().zip(y) {
                                    let $x = *out;
                                    *out = $formula;
                                }
                            }
                        }
                        $Name(x, y $($(, $p)*)?)
                    })*
                }
            }
        }
    };
}

functions_of_one! {
    /// Of one number.
    OfNumber<T>[T: Arithmetic] -> T {
        Square STREAM |x| x * x;
        Clamp { least: T, most: T } STREAM |x| minimum(maximum(x, least), most);
    }
}

functions_of_one! {
    /// Of one number with a sign.
    OfSigned[T: WithSign] -> T {
        Abs STREAM |x| x.abs();
        Neg STREAM |x| -x;
        Sign STREAM |x| sign(x);
    }
}

functions_of_one! {
    /// Of one float.
    OfFloat<T>[T: Real] -> T {
        Exp TRANSCENDENTAL |x| x.exp();
        Exp2 TRANSCENDENTAL |x| x.exp2();
        ExpM1 TRANSCENDENTAL |x| x.exp_m1();
        Ln TRANSCENDENTAL |x| x.ln();
        Log2 POWER |x| x.log2();
        Ln1p POWER |x| x.ln_1p();
        Sqrt DIVISION |x| x.sqrt();
        Rsqrt DIVISION |x| T::ONE / x.sqrt();
        Recip DIVISION |x| T::ONE / x;
        Sin POWER |x| x.sin(), far x.is_far() => x.far_sin();
        Cos POWER |x| x.cos(), far x.is_far() => x.far_cos();
        Tan POWER |x| x.tan(), far x.is_far() => x.far_tan();
        Erf TRANSCENDENTAL |x| x.erf();
        Root POWER |x| root(x);
        RootRecip POWER |x| T::ONE / root(x);
        Powf { y: T } POWER |x| x.powf(y);
        Floor STREAM |x| x.floor();
        Ceil STREAM |x| x.ceil();
        Trunc STREAM |x| x.trunc();
        Round STREAM |x| x.round_ties_even();
        NanToNum { nan: T, most: T, least: T } STREAM |x| match () {
            _ if x.is_nan() => nan,
            _ if x == T::INFINITY => most,
            _ if x == -T::INFINITY => least,
            _ => x,
        };
    }
}

functions_of_one! {
    /// Of the size of a float, in f64.
    OfSize[T: Real] -> f64 {
        Power { p: f64 } POWER |x| x.power_of_size(p);
    }
}

functions_of_one! {
    /// What a float may be.
    TestOfFloat[T: Real] -> bool {
        Nan STREAM |x| x.is_nan();
        Infinite STREAM |x| x == T::INFINITY || x == -T::INFINITY;
        Finite STREAM |x| x.is_finite();
    }
}

functions_of_two! {
    in place:
    /// Of two numbers.
    OfNumbers[T: Arithmetic] {
        Add STREAM |x, y| x + y;
        Sub STREAM |x, y| x - y;
        ReverseSub STREAM |x, y| y - x;
        Mul STREAM |x, y| x * y;
        Div DIVISION |x, y| x / y;
        ReverseDiv DIVISION |x, y| y / x;
        Remainder POWER |x, y| x.near_remainder(y), far x.is_far_beyond(y) => x.remainder(y);
        MaskedMul STREAM |x, m| if m == T::ZERO { T::ZERO } else { x * m };
        Maximum STREAM |x, y| maximum(x, y);
        Minimum STREAM |x, y| minimum(x, y);
    }
}

functions_of_two! {
    in place:
    /// Of two floats.
    OfFloats<T>[T: Real] {
        Pow POWER |x, y| x.powf(y);
        Atan2 POWER |x, y| x.atan2(y);
        Axpy { alpha: T } STREAM |x, y| x + alpha * y;
        Lerp { weight: T } STREAM |x, y| lerp(x, y, weight);
        PRelu STREAM |x, slope| if x > T::ZERO { x } else { x * slope };
        PReluSlope STREAM |x, slope| if x > T::ZERO { T::ONE } else { slope };
    }
}

functions_of_two! {
    /// The loss of a prediction x and its target t.
    #[allow(missing_docs, reason = "hidden: the tape's losses have these names, and documentation")]
    ElementwiseLoss<T>[T: Real] -> T {
        Squared STREAM |x, t| (x - t) * (x - t);
        Absolute STREAM |x, t| (x - t).abs();
        Huber { delta: T } STREAM |x, t| {
            let size = (x - t).abs();
            let within = minimum(size, delta);
            within * (size - within * T::from_f64(0.5))
        };
        // Divided first: the product of two small numbers may be none.
        SmoothL1 { beta: T } DIVISION |x, t| {
            let size = (x - t).abs();
            let within = minimum(size, beta);
            within / beta * (size - within * T::from_f64(0.5))
        };
        Hinge STREAM |x, t| above_zero(T::ONE - x * t);
        HingeEmbedding { margin: T } STREAM |x, t| if t == T::ONE { x } else { above_zero(margin - x) };
    }
}

functions_of_two! {
    /// The slope of an [`ElementwiseLoss`] with respect to x.
    LossSlope<T>[T: Real] -> T {
        Squared STREAM |x, t| (x - t) * T::from_f64(2.0);
        Absolute STREAM |x, t| sign(x - t);
        Huber { delta: T } STREAM |x, t| minimum(maximum(x - t, -delta), delta);
        SmoothL1 { beta: T } DIVISION |x, t| minimum(maximum((x - t) / beta, -T::ONE), T::ONE);
        Hinge STREAM |x, t| -(t * is_above_zero(T::ONE - x * t));
        HingeEmbedding { margin: T } STREAM |x, t| if t == T::ONE { T::ONE } else { -is_above_zero(margin - x) };
    }
}

/// Stamps functions of several floats, which are passes of the norms: `Name |x, …; number, …| formula;`. Those behind the semicolon are
/// often one number for a whole row, for which there is a loop of its own: to write the number out took a third of a layer norm.
macro_rules! functions_of_several {
    ($($(#[$doc:meta])* $Name:ident $n:literal |$($x:ident),*; $($number:ident),*| $formula:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $Name;

        impl<T: Real> Several<T, $n> for $Name {
            fn map(&self, [$($x,)* $($number),*]: [&[T]; $n], out: &mut [T]) {
                kernel! {
                    fn $Name[T: Real]($($x: &[T],)* $($number: &[T],)* out: &mut [T]), memory {
                        // As long as the output, which the compiler then knows.
                        let ($($x,)* $($number),*) = ($(&$x[..out.len()],)* $(&$number[..out.len()]),*);
                        for (i, out) in out.iter_mut().enumerate() {
                            $(let $x = $x[i];)*
                            $(let $number = $number[i];)*
                            *out = $formula;
                        }
                    }
                }
                $Name($($x,)* $($number,)* out);
            }

            fn map_row(&self, operands: [Row<'_, T>; $n], out: &mut [T]) -> bool {
                let [$(Row::Contiguous($x),)* $(Row::Splat($number)),*] = operands else { return false };
                kernel! {
                    fn $Name[T: Real]($($x: &[T],)* $($number: T,)* out: &mut [T]), memory {
                        let ($($x,)*) = ($(&$x[..out.len()],)*);
                        for (i, out) in out.iter_mut().enumerate() {
                            $(let $x = $x[i];)*
                            *out = $formula;
                        }
                    }
                }
                $Name($($x,)* $($number,)* out);
                true
            }
        }
    )*};
}

functions_of_several! {
    /// (x − mean) · rstd
    Standardized 3 |x; mean, rstd| (x - mean) * rstd;
    /// x · weight + bias
    Affine 3 |x; weight, bias| x * weight + bias;
    /// (x − mean) · rstd · weight + bias
    Normalized 5 |x, weight, bias; mean, rstd| (x - mean) * rstd * weight + bias;
    /// (g − mean − x · along) · slope
    Centered 5 |g, x; mean, along, slope| (g - mean - x * along) * slope;
    /// (g · weight − mean − x · along) · slope
    WeightedCentered 6 |g, weight, x; mean, along, slope| (g * weight - mean - x * along) * slope;
}

impl<T: Real> ElementwiseLoss<T> {
    pub(crate) fn slope(self) -> LossSlope<T> {
        match self {
            Self::Squared => LossSlope::Squared,
            Self::Absolute => LossSlope::Absolute,
            Self::Huber { delta } => LossSlope::Huber { delta },
            Self::SmoothL1 { beta } => LossSlope::SmoothL1 { beta },
            Self::Hinge => LossSlope::Hinge,
            Self::HingeEmbedding { margin } => LossSlope::HingeEmbedding { margin },
        }
    }
}

/// 1, −1 or 0, as a number is above, below or neither.
#[inline(always)]
fn sign<T: WithSign>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        T::ZERO
    }
}

/// max(x, 0); NaN passes.
#[inline(always)]
fn above_zero<T: Real>(x: T) -> T {
    if x <= T::ZERO { T::ZERO } else { x }
}

/// 1 above 0, else 0.
#[inline(always)]
fn is_above_zero<T: Real>(x: T) -> T {
    if x > T::ZERO { T::ONE } else { T::ZERO }
}

functions_of_two! {
    /// Whether two elements are so. x > y is y < x.
    Comparison[T: Scalar] -> bool {
        Eq STREAM |x, y| x == y;
        Ne STREAM |x, y| x != y;
        Lt STREAM |x, y| x < y;
        Le STREAM |x, y| x <= y;
    }
}

/// x to the power of ½: its root, but for −∞ and −0, whose power is ∞ and 0.
#[inline(always)]
fn root<T: Real>(x: T) -> T {
    if x == -T::INFINITY { T::INFINITY } else { (x + T::ZERO).sqrt() }
}

/// The larger of two; NaN if either is.
#[inline(always)]
#[allow(clippy::eq_op, reason = "only NaN differs from itself")]
pub(super) fn maximum<T: Arithmetic>(x: T, y: T) -> T {
    if x > y || x != x { x } else { y }
}

/// The smaller of two; NaN if either is.
#[inline(always)]
#[allow(clippy::eq_op, reason = "only NaN differs from itself")]
pub(super) fn minimum<T: Arithmetic>(x: T, y: T) -> T {
    if x < y || x != x { x } else { y }
}

kernel! {
    /// x\[i] = −x\[i]
    pub(crate) fn negate[T: WithSign](x: &mut [T]), memory {
        for x in x {
            *x = -*x;
        }
    }
}

/// From x to y by a share: of what does not count, nothing is multiplied, as 0 · ∞ is NaN.
#[inline(always)]
fn lerp<T: Real>(x: T, y: T, weight: T) -> T {
    let apart = y - x;
    // Where the two are infinitely far apart, what is infinite stays so.
    let between = if apart.is_finite() { x + weight * apart } else { (T::ONE - weight) * x + weight * y };
    match () {
        () if weight == T::ZERO => x,
        () if weight == T::ONE => y,
        () => between,
    }
}
