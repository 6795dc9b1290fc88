//! The functions of one element and of two: what each is called, what it costs, what it computes.
//!
//! A list is an enum of names. A generic method of `Tensor` hands on the name, and the loop behind it is compiled in this
//! crate, once for each type of element, and not in the crate that calls the method. To add a function is to add a line
//! here, and the method in `ops` that names it.

#![allow(non_snake_case, reason = "a loop has the name of its function, so that a profile says which ran")]

use super::elementwise::{Binary, BinaryAssign, Unary};
use super::isa::kernel;
use crate::kernel::{Arithmetic, Real, Scalar, WithSign};
use crate::par;

/// Stamps a list of functions of one element: `Name { parameters } COST |x| formula;`, with a cost of `par`.
///
/// A loop takes parameters by value. Behind a reference they might be changed by what the loop writes, as far as the compiler
/// knows, and the loop is not vectorized: an axpy took five times as long.
macro_rules! functions_of_one {
    (
        $(#[$doc:meta])*
        $List:ident $(<$Parameter:ident>)? [$T:ident: $Bound:path] -> $Output:ty {
            $($Name:ident $({ $($p:ident: $P:ty),* })? $cost:ident |$x:ident| $formula:expr;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
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
            $($Name:ident $({ $($p:ident: $P:ty),* })? $cost:ident |$x:ident, $y:ident| $formula:expr;)*
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
            $($Name:ident $({ $($p:ident: $P:ty),* })? $cost:ident |$x:ident, $y:ident| $formula:expr;)*
        }
    ) => {
        functions_of_two! {
            $(#[$doc])*
            $List $(<$Parameter>)? [$T: $Bound] -> $T {
                $($Name $({ $($p: $P),* })? $cost |$x, $y| $formula;)*
            }
        }

        impl<$T: $Bound> BinaryAssign<$T, $T> for $List $(<$Parameter>)? {
            fn zip_assign(&self, x: &mut [$T], y: &[$T]) {
                match *self {
                    $(Self::$Name $({ $($p),* })? => {
                        kernel! {
                            fn $Name[$T: $Bound](x: &mut [$T], y: &[$T] $($(, $p: $P)*)?), $cost $T {
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
        Sign STREAM |x| if x > T::ZERO { T::ONE } else if x < T::ZERO { -T::ONE } else { T::ZERO };
    }
}

functions_of_one! {
    /// Of one float.
    OfFloat<T>[T: Real] -> T {
        Exp TRANSCENDENTAL |x| x.exp();
        Exp2 LIBRARY |x| x.exp2();
        ExpM1 TRANSCENDENTAL |x| x.exp_m1();
        Ln TRANSCENDENTAL |x| x.ln();
        Log2 LIBRARY |x| x.log2();
        Ln1p LIBRARY |x| x.ln_1p();
        Sqrt DIVISION |x| x.sqrt();
        Rsqrt DIVISION |x| T::ONE / x.sqrt();
        Recip DIVISION |x| T::ONE / x;
        Sin LIBRARY |x| x.sin();
        Cos LIBRARY |x| x.cos();
        Tan LIBRARY |x| x.tan();
        Erf TRANSCENDENTAL |x| x.erf();
        Powi { n: i32 } LIBRARY |x| x.powi(n);
        Powf { y: T } LIBRARY |x| x.powf(y);
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
        Remainder LIBRARY |x, y| x.remainder(y);
        MaskedMul STREAM |x, m| if m == T::ZERO { T::ZERO } else { x * m };
        Maximum STREAM |x, y| maximum(x, y);
        Minimum STREAM |x, y| minimum(x, y);
    }
}

functions_of_two! {
    in place:
    /// Of two floats.
    OfFloats<T>[T: Real] {
        Pow LIBRARY |x, y| x.powf(y);
        Atan2 LIBRARY |x, y| x.atan2(y);
        Axpy { alpha: T } STREAM |x, y| x + alpha * y;
        Lerp { weight: T } STREAM |x, y| lerp(x, y, weight);
    }
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
