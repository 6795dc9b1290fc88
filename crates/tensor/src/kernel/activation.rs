//! Activations, a row each: all that the family knows of one.
//!
//! From a row come the loop of the function and the loop of its pullback, which are compiled here like those in
//! [`functions`](super::functions); and the facts that initializers, diagnostics and tests ask for. To add an activation is
//! to add a row here, and its methods on `Tensor` and on the tape's `Var`.

#![allow(non_snake_case, reason = "a loop has the name of its function, so that a profile says which ran")]

use std::ops::RangeInclusive;

use super::elementwise::{Binary, BinaryAssign, Unary};
use super::functions::{maximum, minimum};
use super::isa::kernel;
use super::math;
use crate::kernel::Real;
use crate::par;

/// Which value of an activation something is computed from: its input x, or its output y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// x
    Input,
    /// y
    Output,
}

/// Where an activation lets a gradient pass: everywhere else its slope is below [`FLAT`](Live::FLAT) of its steepest, and stays
/// below.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Whether `range` is one of inputs or of outputs.
    pub of: Saved,
    /// The values at which a gradient passes.
    pub range: RangeInclusive<f64>,
    /// The share of a standard normal input that lies outside of it.
    pub flat_at_rest: f64,
}

impl Live {
    /// The share of the steepest slope below which hardly any gradient passes: 5.91 %, the slope of tanh, 1 − y², at |y| = 0.97
    /// (Karpathy, 2022).
    pub const FLAT: f64 = 1.0 - 0.97 * 0.97;
}

/// Stamps the list. A row is
///
/// ```text
/// /// documentation
/// Name(parameter = sample) "name" {
///     COST |x| y;
///     COST |ḡ, x or y| pullback, from Input or Output;
///     kinks: where the slope jumps; gain: f64; live: from Input or Output, range, flat at rest;
/// }
/// ```
///
/// with the costs of `par`. Formulas are generic in the float `T`, parameters are `f64`. The pullback is the whole product and
/// not the slope alone, since the order in which it multiplies is a part of its bits; the slope is the pullback of 1.
macro_rules! activations {
    ($(
        $(#[$doc:meta])*
        $Name:ident $(($p:ident = $sample:literal))? $name:literal {
            $cost:ident |$x:ident| $formula:expr;
            $slope_cost:ident |$g:ident, $saved:ident| $pullback:expr, from $Saved:ident;
            kinks: $kinks:expr; gain: $gain:expr; live: from $Live:ident, $live:expr, $at_rest:expr;
        }
    )*) => {
        /// An activation: a function of each element, its slope, and what is known of it.
        ///
        /// Each is also a method of `Tensor` and of the tape's `Var`, such as `tanh`.
        ///
        /// # Example
        /// ```
        /// use tensor::{Activation, Tensor};
        ///
        /// let x = Tensor::from([-1.0, 0.0, 2.0]);
        /// assert_eq!(x.activation(Activation::Relu), x.relu());
        /// assert_eq!(Activation::Relu.at(-1.0), 0.0);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Activation {
            $($(#[$doc])* $Name $((#[doc = concat!("The ", stringify!($p), ".")] f64))?,)*
        }

        impl Activation {
            /// All of them; those with a parameter at its usual value.
            pub const ALL: &'static [Activation] = &[$(Activation::$Name $(($sample))?),*];

            /// Its name, which is that of the methods, such as `"tanh"`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Name { .. } => $name,)*
                }
            }

            pub(crate) const fn pullback_name(self) -> &'static str {
                match self {
                    $(Self::$Name { .. } => concat!($name, "_backward"),)*
                }
            }

            /// What its slope is computed from, and so what is kept for the way back.
            pub const fn saves(self) -> Saved {
                match self {
                    $(Self::$Name { .. } => Saved::$Saved,)*
                }
            }

            /// y at one x.
            pub fn at(self, x: f64) -> f64 {
                match self {
                    $(Self::$Name $(($p))? => {
                        fn value<T: Real>($x: T $(, $p: f64)?) -> T {
                            $formula
                        }
                        value(x $(, $p)?)
                    })*
                }
            }

            /// dy/dx, given x or y as [`saves`](Self::saves) says.
            pub fn slope(self, saved: f64) -> f64 {
                match self {
                    $(Self::$Name $(($p))? => {
                        fn pulled<T: Real>($g: T, $saved: T $(, $p: f64)?) -> T {
                            $pullback
                        }
                        pulled(1.0, saved $(, $p)?)
                    })*
                }
            }

            /// Each x at which the slope jumps.
            pub fn kinks(self) -> &'static [f64] {
                match self {
                    $(Self::$Name $(($p))? => {
                        $(let _ = $p;)?
                        $kinks
                    })*
                }
            }

            /// By what the weights before it are multiplied, so that it does not shrink the standard deviation of the signal.
            /// `init::Gain` says where each number is from.
            pub fn gain(self) -> f64 {
                match self {
                    $(Self::$Name $(($p))? => $gain,)*
                }
            }

            /// Where it lets a gradient pass.
            pub fn live(self) -> Live {
                let (of, range, flat_at_rest) = match self {
                    $(Self::$Name $(($p))? => {
                        $(let _ = $p;)?
                        (Saved::$Live, $live, $at_rest)
                    })*
                };
                Live { of, range, flat_at_rest }
            }
        }

        impl<T: Real> Unary<T> for Activation {
            type Output = T;

            fn cost(&self) -> f64 {
                match self {
                    $(Self::$Name { .. } => par::$cost,)*
                }
            }

            fn map(&self, x: &[T], out: &mut [T]) {
                match *self {
                    $(Self::$Name $(($p))? => {
                        kernel! {
                            fn $Name[T: Real](x: &[T], out: &mut [T] $(, $p: f64)?), $cost T {
                                for (out, &$x) in out.iter_mut().zip(x) {
                                    *out = $formula;
                                }
                            }
                        }
                        $Name(x, out $(, $p)?)
                    })*
                }
            }
        }

        /// The pullback of an activation, as a function of two elements: of ȳ, the gradient with respect to the result, and of
        /// what the slope is computed from.
        #[derive(Clone, Copy)]
        pub(crate) struct Slope(pub(crate) Activation);

        impl<T: Real> Binary<T, T> for Slope {
            type Output = T;

            fn cost(&self) -> f64 {
                match self.0 {
                    $(Activation::$Name { .. } => par::$slope_cost,)*
                }
            }

            fn zip(&self, gradient: &[T], saved: &[T], out: &mut [T]) {
                match self.0 {
                    $(Activation::$Name $(($p))? => {
                        kernel! {
                            fn $Name[T: Real](g: &[T], saved: &[T], out: &mut [T] $(, $p: f64)?), $slope_cost T {
                                for ((out, &$g), &$saved) in out.iter_mut().zip(g).zip(saved) {
                                    *out = $pullback;
                                }
                            }
                        }
                        $Name(gradient, saved, out $(, $p)?)
                    })*
                }
            }
        }

        impl<T: Real> BinaryAssign<T, T> for Slope {
            fn zip_assign(&self, gradient: &mut [T], saved: &[T]) {
                match self.0 {
                    $(Activation::$Name $(($p))? => {
                        kernel! {
                            fn $Name[T: Real](g: &mut [T], saved: &[T] $(, $p: f64)?), $slope_cost T {
                                for (out, &$saved) in g.iter_mut().zip(saved) {
                                    let $g = *out;
                                    *out = $pullback;
                                }
                            }
                        }
                        $Name(gradient, saved $(, $p)?)
                    })*
                }
            }
        }
    };
}

// In formulas of two pieces, the comparison is such that NaN takes the piece that lets it pass.
activations! {
    /// tanh x, the hyperbolic tangent.
    Tanh "tanh" {
        TRANSCENDENTAL |x| x.tanh();
        STREAM |g, y| g * (T::ONE - y * y), from Output;
        kinks: &[]; gain: 5.0 / 3.0; live: from Output, -0.97..=0.97, 0.036_4;
    }

    /// σ(x) = 1 / (1 + e⁻ˣ), the logistic function.
    Sigmoid "sigmoid" {
        TRANSCENDENTAL |x| x.sigmoid();
        STREAM |g, y| g * y * (T::ONE - y), from Output;
        kinks: &[]; gain: 1.0; live: from Output, 0.015..=0.985, 0.000_03;
    }

    /// max(x, 0), the rectifier. At the kink its slope is 0.
    Relu "relu" {
        STREAM |x| if x <= T::ZERO { T::ZERO } else { x };
        STREAM |g, y| if y <= T::ZERO { T::ZERO } else { g }, from Output;
        kinks: &[0.0]; gain: 2.0_f64.sqrt(); live: from Output, f64::MIN_POSITIVE..=f64::INFINITY, 0.5;
    }

    /// x Φ(x), the Gaussian error linear unit, with the standard normal distribution function Φ (Hendrycks and Gimpel, 2016,
    /// *Gaussian Error Linear Units*).
    Gelu "gelu" {
        TRANSCENDENTAL |x| x.gelu();
        TRANSCENDENTAL |g, x| g * x.gelu_slope(), from Input;
        kinks: &[]; gain: (3.0 / (1.0 + 3.0_f64.sqrt() / std::f64::consts::TAU)).sqrt();
        live: from Input, -2.175_5..=f64::INFINITY, 0.014_8;
    }

    /// x σ(x), the sigmoid linear unit, also called Swish (Ramachandran et al., 2017, *Searching for Activation Functions*).
    Silu "silu" {
        // x is cut off where σ(x) is 0 or 1, so that nothing becomes ∞ · 0.
        TRANSCENDENTAL |x| silu(x);
        TRANSCENDENTAL |g, x| {
            let (s, x) = (x.sigmoid(), within(x, 750.0));
            g * s * (T::ONE + x * (T::ONE - s))
        }, from Input;
        kinks: &[]; gain: 1.676_532_470_331_092_4;
        live: from Input, -3.644_2..=f64::INFINITY, 0.000_134;
    }

    /// max(x, 0) + slope · min(x, 0), the leaky rectifier, with this slope below 0 (Maas et al., 2013, *Rectifier Nonlinearities
    /// Improve Neural Network Acoustic Models*). At the kink its slope is that below, as in PyTorch.
    LeakyRelu(slope = 0.01) "leaky_relu" {
        // A slope of 0 makes it relu, at −∞ too.
        STREAM |x| if x > T::ZERO || x.is_nan() { x } else if slope == 0.0 { T::ZERO } else { x * T::from_f64(slope) };
        STREAM |g, x| if x > T::ZERO || x.is_nan() { g } else { g * T::from_f64(slope) }, from Input;
        kinks: if slope == 1.0 { &[] } else { &[0.0] }; gain: (2.0 / (1.0 + slope * slope)).sqrt();
        live: from Input,
            if slope.abs() < Live::FLAT { f64::MIN_POSITIVE } else { f64::NEG_INFINITY }..=f64::INFINITY,
            if slope.abs() < Live::FLAT { 0.5 } else { 0.0 };
    }

    /// ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), an approximation of [`Gelu`](Self::Gelu) (Hendrycks and Gimpel, 2016).
    GeluTanh "gelu_tanh" {
        TRANSCENDENTAL |x| gelu_tanh(x);
        TRANSCENDENTAL |g, x| g * gelu_tanh_slope(x), from Input;
        kinks: &[]; gain: 1.533_580_521_666_147; live: from Input, -2.182_3..=f64::INFINITY, 0.014_54;
    }

    /// x tanh ln(1 + eˣ) (Misra, 2020, *Mish: A Self Regularized Non-Monotonic Activation Function*).
    Mish "mish" {
        TRANSCENDENTAL |x| mish(x);
        TRANSCENDENTAL |g, x| g * mish_slope(x), from Input;
        kinks: &[]; gain: 1.486_847_581_273_208; live: from Input, -3.712_1..=f64::INFINITY, 0.000_103;
    }

    /// x above 0, else α (eˣ − 1), the exponential linear unit (Clevert et al., 2016, *Fast and Accurate Deep Network Learning by
    /// Exponential Linear Units*). At the kink its slope is α, as in PyTorch.
    Elu(alpha = 1.0) "elu" {
        TRANSCENDENTAL |x| if x > T::ZERO { x } else { x.exp_m1() * T::from_f64(alpha) };
        TRANSCENDENTAL |g, x| if x > T::ZERO { g } else { g * (x.exp() * T::from_f64(alpha)) }, from Input;
        kinks: if alpha == 1.0 { &[] } else { &[0.0] };
        // E\[f²] is ½ above, and α² times this below.
        gain: 1.0 / (0.5 + 0.144_945_417_492_923_86 * alpha * alpha).sqrt();
        live: from Input, elu_live(alpha)..=f64::INFINITY, math::distribution(elu_live(alpha));
    }

    /// λ times the exponential linear unit of α, with λ = 1.0507… and α = 1.6733…, which keeps mean 0 and variance 1 of a normal
    /// signal (Klambauer et al., 2017, *Self-Normalizing Neural Networks*). At the kink its slope is λ α, as in PyTorch.
    Selu "selu" {
        TRANSCENDENTAL |x| if x > T::ZERO || x.is_nan() {
            x * T::from_f64(SELU_SCALE)
        } else {
            times(x.exp_m1(), SELU_SCALE * SELU_ALPHA)
        };
        TRANSCENDENTAL |g, x| if x > T::ZERO || x.is_nan() {
            g * T::from_f64(SELU_SCALE)
        } else {
            g * (x.exp() * T::from_f64(SELU_SCALE * SELU_ALPHA))
        }, from Input;
        kinks: &[0.0]; gain: 1.0; live: from Input, -2.828_5..=f64::INFINITY, 0.002_338;
    }

    /// ln(1 + eˣ), a smooth rectifier (Dugas et al., 2001, *Incorporating Second-Order Functional Knowledge for Better Option
    /// Pricing*).
    Softplus "softplus" {
        TRANSCENDENTAL |x| maximum(x, T::ZERO) + ln_1p((-x.abs()).exp());
        TRANSCENDENTAL |g, x| g * x.sigmoid(), from Input;
        kinks: &[]; gain: 1.041_866_835_535_305; live: from Input, -2.767_6..=f64::INFINITY, 0.002_823;
    }

    /// −ln(1 + e⁻ˣ), the logarithm of the logistic function.
    LogSigmoid "log_sigmoid" {
        TRANSCENDENTAL |x| minimum(x, T::ZERO) - ln_1p((-x.abs()).exp());
        TRANSCENDENTAL |g, x| g * (-x).sigmoid(), from Input;
        kinks: &[]; gain: 1.041_866_835_535_305; live: from Input, f64::NEG_INFINITY..=2.767_6, 0.002_823;
    }

    /// Each number between −1 and 1 (Collobert, 2004, *Large Scale Machine Learning*). At both kinks its slope is 0, as in PyTorch.
    Hardtanh "hardtanh" {
        STREAM |x| minimum(maximum(x, -T::ONE), T::ONE);
        STREAM |g, x| if x.abs() >= T::ONE { T::ZERO } else { g }, from Input;
        kinks: &[-1.0, 1.0]; gain: 1.392_036_140_448_309_8;
        live: from Input, (-1.0_f64).next_up()..=1.0_f64.next_down(), 0.317_311;
    }

    /// x/6 + ½ between 0 and 1 (Howard et al., 2019, *Searching for MobileNetV3*). At both kinks its slope is 0, as in PyTorch.
    HardSigmoid "hard_sigmoid" {
        STREAM |x| relu6(x + T::from_f64(3.0)) * T::from_f64(1.0 / 6.0);
        STREAM |g, x| if x.abs() >= T::from_f64(3.0) { T::ZERO } else { g * T::from_f64(1.0 / 6.0) }, from Input;
        kinks: &[-3.0, 3.0]; gain: 1.0; live: from Input, (-3.0_f64).next_up()..=3.0_f64.next_down(), 0.002_7;
    }

    /// x times the hard sigmoid (Howard et al., 2019, *Searching for MobileNetV3*). At −3 its slope is 0 and at 3 it is 1, as in PyTorch.
    HardSwish "hard_swish" {
        // Below −3 the factor is 0, and x may be infinite.
        DIVISION |x| maximum(x, T::from_f64(-3.0)) * (relu6(x + T::from_f64(3.0)) * T::from_f64(1.0 / 6.0));
        STREAM |g, x| if x >= T::from_f64(3.0) || x.is_nan() {
            g
        } else if x <= T::from_f64(-3.0) {
            T::ZERO
        } else {
            g * (x * T::from_f64(1.0 / 3.0) + T::from_f64(0.5))
        }, from Input;
        kinks: &[-3.0, 3.0]; gain: 1.736_657_212_766_541_6; live: from Input, (-3.0_f64).next_up()..=f64::INFINITY, 0.001_35;
    }
}

/// ln(1 + x) for x from 0 to 1, in vectors: the rounding of 1 + x is made up for by what it does to x (Kahan; as in Goldberg,
/// 1991, *What Every Computer Scientist Should Know About Floating-Point Arithmetic*, theorem 4).
#[inline(always)]
fn ln_1p<T: Real>(x: T) -> T {
    let sum = T::ONE + x;
    let rounded = sum - T::ONE;
    if rounded == T::ZERO { x } else { sum.ln() * (x / rounded) }
}

/// λ and α of the scaled exponential linear unit: with them, mean 0 and variance 1 are a fixed point.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// x c, where the digits of c that `T` does not have count too.
#[inline(always)]
fn times<T: Real>(x: T, c: f64) -> T {
    let high = T::from_f64(c);
    x.mul_add(high, x * T::from_f64(c - high.to_f64()))
}

/// From where on the exponential linear unit lets a gradient pass.
fn elu_live(alpha: f64) -> f64 {
    // Above 0 its slope is 1, and below α eˣ.
    (Live::FLAT * alpha.abs().max(1.0) / alpha.abs()).ln().min(f64::MIN_POSITIVE)
}

/// x between 0 and 6.
#[inline(always)]
fn relu6<T: Real>(x: T) -> T {
    minimum(maximum(x, T::ZERO), T::from_f64(6.0))
}

/// x between −b and b, where what is computed from it neither overflows nor becomes ∞ · 0.
#[inline(always)]
fn within<T: Real>(x: T, bound: f64) -> T {
    minimum(maximum(x, T::from_f64(-bound)), T::from_f64(bound))
}

/// x σ(x) = x eˣ / (1 + eˣ), where the power of two in eˣ comes last: so a small result is rounded once.
#[inline(always)]
fn silu<T: Real>(x: T) -> T {
    let near = maximum(x, T::from_f64(-750.0));
    // From 40 on σ(x) is 1.
    let [part, power] = minimum(near, T::from_f64(40.0)).exp_in_parts();
    near * (part / (T::ONE + part * power)) * power
}

/// tanh ln(1 + eˣ) = n / (n + 2) with n = eˣ (eˣ + 2), but for the power of two in eˣ, and this; and what it lacks of 1.
#[inline(always)]
fn mish_factor<T: Real>(x: T) -> [T; 3] {
    let two = T::from_f64(2.0);
    // From 40 on it is 1.
    let [part, power] = minimum(x, T::from_f64(40.0)).exp_in_parts();
    let e = part * power;
    let n = e * (e + two);
    [part * ((e + two) / (n + two)), power, two / (n + two)]
}

#[inline(always)]
fn mish<T: Real>(x: T) -> T {
    let near = maximum(x, T::from_f64(-750.0));
    let [t, power, _] = mish_factor(near);
    near * t * power
}

/// t + x σ(x) (1 − t²) with t = tanh ln(1 + eˣ)
#[inline(always)]
fn mish_slope<T: Real>(x: T) -> T {
    let near = within(x, 750.0);
    let [t, power, rest] = mish_factor(near);
    let t = t * power;
    // Beyond 40 nothing is left of the second part.
    t + minimum(near, T::from_f64(40.0)) * near.sigmoid() * (rest * (T::ONE + t))
}

/// σ(2u) with u = √(2/π) (x + 0.044715 x³), which is ½ (1 + tanh u), but for the power of two in e²ᵘ, and this; and what it lacks of 1.
#[inline(always)]
fn gelu_tanh_factor<T: Real>(x: T) -> [T; 3] {
    let x = x.to_f64();
    // The logarithm of eˣ must be exact to more digits than `T` has, which its second part brings.
    let twice = x * (TWO_ROOT_2_OVER_PI + TWO_ROOT_2_OVER_PI * 0.044_715 * (x * x));
    let twice = if twice > 80.0 { 80.0 } else { twice };
    let high = T::from_f64(twice);
    let low = T::from_f64(twice - high.to_f64());
    let [part, power] = high.exp_in_parts();
    let part = part + part * low;
    let rest = T::ONE / (T::ONE + part * power);
    [part * rest, power, rest]
}

/// 2 √(2/π)
const TWO_ROOT_2_OVER_PI: f64 = 1.595_769_121_605_730_7;

#[inline(always)]
fn gelu_tanh<T: Real>(x: T) -> T {
    // Below, the factor is 0.
    let near = maximum(x, T::from_f64(-40.0));
    let [share, power, _] = gelu_tanh_factor(near);
    near * share * power
}

#[inline(always)]
fn gelu_tanh_slope<T: Real>(x: T) -> T {
    let near = within(x, 40.0);
    let [share, power, rest] = gelu_tanh_factor(near);
    let share = share * power;
    let inner = T::from_f64(TWO_ROOT_2_OVER_PI) + T::from_f64(TWO_ROOT_2_OVER_PI * 3.0 * 0.044_715) * (near * near);
    share + near * share * (rest * inner)
}
