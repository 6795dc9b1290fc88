//! Functions of one float, as plain arithmetic without branches, so that loops over them vectorize.
//!
//! Every multiply-add is fused and the order is fixed: the bits are the same on every instruction set.
//!
//! The polynomials are minimax in the relative error of the result: fitted by Lawson's iteratively reweighted least
//! squares (Lawson, 1961, *Contributions to the Theory of Linear Least Maximum Approximations*), each coefficient
//! rounded to f32 in turn, from the lowest, and the rest fitted again.

#![allow(clippy::excessive_precision, reason = "the digits of the f32 nearest to each coefficient")]

/// Adding it rounds to the nearest integer and leaves that in the lowest bits (1.5 · 2²³).
const ROUND: f32 = 12_582_912.0;

/// c₀ + x (c₁ + x (c₂ + …)). Pairing the terms (Estrin's scheme) shortens the chain but was 5 % slower for tanh, which
/// is bound by its number of operations (Zen 3, AVX2: 0.69 ns an element against 0.73).
#[inline(always)]
fn horner<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for &c in coefficients[..N - 1].iter().rev() {
        sum = sum.mul_add(x, c);
    }
    sum
}

/// 2ᶠ for |f| ≤ ½, to a relative error of 2⁻²⁸ before rounding.
#[inline(always)]
fn exp2_fraction(f: f32) -> f32 {
    const C: [f32; 7] = [
        1.0,
        0.693_147_182_464_599_6,
        0.240_226_477_384_567_26,
        0.055_503_599_345_684_05,
        0.009_618_505_835_533_142,
        0.001_339_080_627_076_327_8,
        0.000_153_264_627_442_695_2,
    ];
    horner(f, C)
}

/// 2ⁿ for n in −126..=127.
#[inline(always)]
fn exp2_integer(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// eˣ = 2ⁿ 2ᶠ with n + f = x log₂ e. At most 2 ulp off; overflows to infinity and underflows gradually.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// log₂ e in two parts.
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LOG2_E_LOW: f32 = (std::f64::consts::LOG2_E - LOG2_E as f64) as f32;
    // Beyond, the result is infinite or 0 already. Written so that a NaN passes.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    let rounded = x.mul_add(LOG2_E, ROUND);
    let n = rounded - ROUND;
    let f = x.mul_add(LOG2_E_LOW, x.mul_add(LOG2_E, -n));
    // 2ⁿ in two factors: together they may leave the range of normal numbers, which each of them does not.
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    exp2_fraction(f) * exp2_integer(half) * exp2_integer(n - half)
}

/// tanh x = x + x³ R(x²) below 0.625, and 1 − 2 / (e²ˣ + 1) above. At most 2 ulp off; odd and monotone; ±1 where tanh
/// rounds to it; −0 gives −0.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    const SMALL: f32 = 0.625;
    const R: [f32; 5] = [
        -0.333_332_806_825_637_8,
        0.133_314_058_184_623_72,
        -0.053_736_515_343_189_24,
        0.020_628_167_316_317_56,
        -0.005_692_296_661_436_558,
    ];
    const TWO_LOG2_E: f32 = 2.0 * std::f32::consts::LOG2_E;
    let size = x.abs();
    let square = size * size;
    let small = (size * square).mul_add(horner(square, R), size);

    // From 9.02 on the result is 1. Written so that a NaN passes.
    let capped = if size > 10.0 { 10.0 } else { size };
    let rounded = capped.mul_add(TWO_LOG2_E, ROUND);
    let f = capped.mul_add(TWO_LOG2_E, -(rounded - ROUND));
    // Adding n to the exponent multiplies by 2ⁿ.
    let exp = f32::from_bits(exp2_fraction(f).to_bits().wrapping_add(rounded.to_bits() << 23));
    let large = 1.0 - 2.0 / (exp + 1.0);

    // A NaN is not above anything, and `small` hands it on.
    let result = if size >= SMALL { large } else { small };
    result.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many units in the last place of the f32 nearest to `want` the result is off.
    fn ulps(got: f32, want: f64) -> f64 {
        let nearest = want as f32;
        if got == nearest || got.is_nan() && want.is_nan() {
            return 0.0;
        }
        let size = nearest.abs().clamp(f32::MIN_POSITIVE, f32::MAX);
        let ulp = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
        (f64::from(got) - want).abs() / ulp
    }

    /// Checks the floats whose bits are multiples of `step`, and returns the largest error in ulp.
    fn largest_error(step: usize, f: fn(f32) -> f32, oracle: fn(f64) -> f64) -> f64 {
        let all = (0..=u32::MAX).step_by(step).map(f32::from_bits);
        let errors = all.map(|x| ulps(f(x), oracle(f64::from(x))));
        errors.fold(0.0, |largest: f64, error| if error > largest || error.is_nan() { error } else { largest })
    }

    /// `EVENKEEL_EXHAUSTIVE=1` checks every float (some minutes), otherwise one in 1021.
    fn step() -> usize {
        if std::env::var_os("EVENKEEL_EXHAUSTIVE").is_some() { 1 } else { 1021 }
    }

    #[test]
    fn tanh_is_off_by_at_most_2_ulp() {
        let error = largest_error(step(), tanh, f64::tanh);
        assert!(error <= 2.0, "{error} ulp");
    }

    #[test]
    fn exp_is_off_by_at_most_2_ulp() {
        let error = largest_error(step(), exp, f64::exp);
        assert!(error <= 2.0, "{error} ulp");
    }

    #[test]
    fn the_measure_of_errors_rejects_a_function_that_is_worse() {
        assert!(largest_error(1021, |x| tanh(x) * (1.0 + 3.0 * f32::EPSILON), f64::tanh) > 2.0);
        assert!(largest_error(1021, |x| if x.is_nan() { 0.0 } else { tanh(x) }, f64::tanh).is_nan());
    }

    #[test]
    fn tanh_is_odd_and_monotone_and_reaches_one() {
        let mut last = 0.0;
        // Neighbours, in windows that cover each binade; all of them in an exhaustive run.
        let exhaustive = step() == 1;
        for bits in (0..=f32::INFINITY.to_bits()).filter(|bits| exhaustive || bits % 65_536 < 2_048) {
            let x = f32::from_bits(bits);
            let y = tanh(x);
            assert!(y >= last, "tanh falls at {x:e}");
            assert_eq!(tanh(-x).to_bits(), (-y).to_bits(), "tanh is not odd at {x:e}");
            assert_eq!(y == 1.0, f64::from(x).tanh() as f32 == 1.0, "at {x:e}");
            last = y;
        }
        assert_eq!(tanh(-0.0).to_bits(), (-0.0_f32).to_bits());
        assert_eq!((tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)), (1.0, -1.0));
        assert!(tanh(f32::NAN).is_nan() && tanh(-f32::NAN).is_nan());
    }

    #[test]
    fn exp_at_the_ends_of_its_range() {
        assert_eq!([exp(0.0), exp(-0.0), exp(f32::INFINITY), exp(f32::NEG_INFINITY)], [1.0, 1.0, f32::INFINITY, 0.0]);
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(exp(88.722_84), f64::from(88.722_84_f32).exp() as f32);
        assert_eq!((exp(88.8), exp(-104.0)), (f32::INFINITY, 0.0));
    }
}
