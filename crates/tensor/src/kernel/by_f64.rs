//! Functions of f32 by way of f64, as plain arithmetic without branches: loops over them vectorize.
//!
//! No multiply-add is fused: where a processor has none, it would be a call, and f64 has digits to spare. So the bits are the same on every
//! instruction set, and but for the rounding to f32 hardly any is lost: each is off by at most 0.51 ulp.
//!
//! The polynomials are minimax in the relative error of the result, fitted as those of `math`.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, SQRT_2};

/// Adding it rounds to the nearest integer and leaves that in the lowest bits (1.5 · 2⁵²).
const ROUND: f64 = 6_755_399_441_055_744.0;

#[inline(always)]
fn horner<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    for &c in coefficients[..N - 1].iter().rev() {
        sum = sum * x + c;
    }
    sum
}

/// The nearest integer, of what is below 2⁵¹ or an integer.
#[inline(always)]
fn nearest(x: f64) -> f64 {
    x + ROUND - ROUND
}

/// n and f with x = 2ⁿ (1 + f) and 1 + f between √½ and √2, for a normal x > 0.
#[inline(always)]
fn split(x: f64) -> [f64; 2] {
    const ROOT_HALF: u64 = (0.5 * SQRT_2).to_bits();
    const BIAS: u64 = 1023;
    /// Its lowest bits are those of an integer that is put there.
    const INTEGER: f64 = 4_503_599_627_370_496.0;
    let bits = x.to_bits();
    let biased = bits.wrapping_add((BIAS << 52) - ROOT_HALF) >> 52;
    let n = f64::from_bits(biased | INTEGER.to_bits()) - (INTEGER + BIAS as f64);
    [n, f64::from_bits(bits.wrapping_sub(biased.wrapping_sub(BIAS) << 52)) - 1.0]
}

/// ½ ln(1 + f) = atanh s with s = f / (2 + f), for 1 + f between √½ and √2; to a relative error of 2⁻⁴⁴.
#[inline(always)]
fn half_ln(f: f64) -> f64 {
    const P: [f64; 5] =
        [0.3333333333793073, 0.19999997799451494, 0.14286055908597983, 0.11088034378139781, 0.09792998537997433];
    let s = f / (2.0 + f);
    let z = s * s;
    s * (1.0 + z * horner(z, P))
}

/// log₂ x for x ≥ 0 that f32 has; NaN gives NaN.
#[inline(always)]
fn log2_of(x: f64) -> f64 {
    let [n, f] = split(x);
    let log = n + half_ln(f) * (2.0 / LN_2);
    let log = if x == 0.0 { f64::NEG_INFINITY } else { log };
    // Infinity and NaN.
    if x < f64::INFINITY { log } else { x }
}

/// 2ˣ to a relative error of 2⁻³⁴; 0 where that is below the normal numbers.
#[inline(always)]
fn exp2_of(x: f64) -> f64 {
    const P: [f64; 8] = [
        0.9999999999594847,
        0.6931471805349907,
        0.2402265121420689,
        0.055504109762271416,
        0.009618025521149471,
        0.0013333422547944435,
        0.00015469758209523857,
        1.5316484704503206e-05,
    ];
    let rounded = x + ROUND;
    let f = x - (rounded - ROUND);
    let power = f64::from_bits(rounded.to_bits().wrapping_add(1023) << 52);
    let result = horner(f, P) * power;
    let result = if x < -1021.0 { 0.0 } else { result };
    let result = if x >= 1023.0 { f64::INFINITY } else { result };
    if x.is_nan() { x } else { result }
}

/// log₂ x; −∞ of 0, NaN of less.
#[inline(always)]
pub(crate) fn log2(x: f32) -> f32 {
    let log = log2_of(x.abs().into()) as f32;
    if x < 0.0 { f32::NAN } else { log }
}

/// ln(1 + x)
#[inline(always)]
pub(crate) fn ln_1p(x: f32) -> f32 {
    let wide = f64::from(x);
    let sum = 1.0 + wide;
    let [n, f] = split(sum);
    // Where nothing is split off, x has digits that the sum has lost.
    let f = if n == 0.0 { wide } else { f };
    let log = (n * LN_2 + 2.0 * half_ln(f)) as f32;
    // A zero keeps its sign, as infinity and NaN stay.
    let log = if x == 0.0 || x == f32::INFINITY { x } else { log };
    let log = if x == -1.0 { f32::NEG_INFINITY } else { log };
    if sum >= 0.0 { log } else { f32::NAN }
}

/// xʸ = 2^(y log₂ |x|), with the sign of x if y is odd: as the C standard's `pow`, also of 0, ∞ and NaN.
#[inline(always)]
pub(crate) fn pow(x: f32, y: f32) -> f32 {
    let [size, exponent] = [x.abs(), y].map(f64::from);
    let power = exp2_of(exponent * log2_of(size)) as f32;
    let is_one = (x == 1.0) | (y == 0.0) | (size == 1.0) & (exponent.abs() == f64::INFINITY);
    let power = if is_one { 1.0 } else { power };
    let half = 0.5 * exponent;
    let is_whole = nearest(exponent) == exponent;
    let is_odd = is_whole & (nearest(half) != half);
    let power = if is_odd { power.copysign(x) } else { power };
    if (x < 0.0) & !is_whole & (size < f64::INFINITY) { f32::NAN } else { power }
}

/// |x|ᵖ in f64.
#[inline(always)]
pub(crate) fn power_of_size(x: f32, p: f64) -> f64 {
    exp2_of(p * log2_of(x.abs().into()))
}

/// Beyond, what is left of an angle has too few digits.
const FAR: f32 = 1e7;

/// Whether an angle is too large for the functions below.
#[inline(always)]
pub(crate) fn is_far(x: f32) -> bool {
    x.abs() > FAR
}

/// r = x − q π/2 between ±π/4, and bits of which the lowest two are q's (Cody and Waite, 1980, *Software Manual for the Elementary
/// Functions*).
#[inline(always)]
fn reduced(x: f32) -> (f64, u64) {
    /// π/2 in two parts, the first so short that its products with q are exact.
    const HIGH: f64 = f64::from_bits(FRAC_PI_2.to_bits() >> 24 << 24);
    const LOW: f64 = (FRAC_PI_2 - HIGH) + 6.123_233_995_736_766e-17;
    let x = f64::from(x);
    let rounded = x * (1.0 / FRAC_PI_2) + ROUND;
    let q = rounded - ROUND;
    ((x - q * HIGH) - q * LOW, rounded.to_bits())
}

/// sin r and cos r between ±π/4.
#[inline(always)]
fn sin_cos(r: f64) -> [f64; 2] {
    const S: [f64; 4] = [-0.16666666641606462, 0.008333329383537811, -0.00019839334071797886, 2.718304140046373e-06];
    const C: [f64; 4] = [-0.4999999972488301, 0.041666623297931776, -0.0013886762935762075, 2.439036808382303e-05];
    let z = r * r;
    [r * (1.0 + z * horner(z, S)), 1.0 + z * horner(z, C)]
}

/// The sine in the quadrant of these bits.
#[inline(always)]
fn in_quadrant(r: f64, quadrant: u64) -> f32 {
    let [sin, cos] = sin_cos(r);
    let value = if quadrant & 1 == 0 { sin } else { cos };
    f64::from_bits(value.to_bits() ^ (quadrant & 2) << 62) as f32
}

/// sin x, unless it [`is_far`].
#[inline(always)]
pub(crate) fn sin(x: f32) -> f32 {
    let (r, quadrant) = reduced(x);
    in_quadrant(r, quadrant)
}

/// cos x = sin(x + π/2), unless it [`is_far`].
#[inline(always)]
pub(crate) fn cos(x: f32) -> f32 {
    let (r, quadrant) = reduced(x);
    in_quadrant(r, quadrant.wrapping_add(1))
}

/// tan x, unless it [`is_far`].
#[inline(always)]
pub(crate) fn tan(x: f32) -> f32 {
    let (r, quadrant) = reduced(x);
    let [sin, cos] = sin_cos(r);
    (if quadrant & 1 == 0 { sin / cos } else { -cos / sin }) as f32
}

/// The angle of the point (x, y): that of the smaller of both sizes over the larger, or π/4 and what is left of that, then by octants.
#[inline(always)]
pub(crate) fn atan2(y: f32, x: f32) -> f32 {
    const P: [f64; 6] = [
        -0.3333333251412733,
        0.19999905141785426,
        -0.14282040719393577,
        0.11045075942711852,
        -0.08478303402418644,
        0.04748053638202437,
    ];
    let [width, height] = [x.abs(), y.abs()].map(f64::from);
    let is_steep = height > width;
    let [low, high] = if is_steep { [width, height] } else { [height, width] };
    // Above tan π/8. Of two that are alike, as infinities are, nothing is left.
    let is_large = (low > (SQRT_2 - 1.0) * high) | (low == high) & (low > 0.0);
    let [above, below] = if is_large { [low - high, low + high] } else { [low, high] };
    let t = if (low == high) | (low == 0.0) { 0.0 } else { above / below };
    let z = t * t;
    let angle = t * (1.0 + z * horner(z, P)) + if is_large { FRAC_PI_4 } else { 0.0 };
    let angle = if is_steep { FRAC_PI_2 - angle } else { angle };
    let angle = if x.is_sign_negative() { 2.0 * FRAC_PI_2 - angle } else { angle };
    if x.is_nan() | y.is_nan() { f32::NAN } else { (angle as f32).copysign(y) }
}

/// Whether a quotient is too large for [`remainder`], or no number, or of infinity.
#[inline(always)]
pub(crate) fn is_far_beyond(x: f32, y: f32) -> bool {
    // Products of what is below with f32 are exact.
    let quotient = f64::from(x) / f64::from(y);
    let is_near = quotient.abs() < f64::from(1 << 28);
    !is_near | (y.abs() == f32::INFINITY)
}

/// x − ⌊x / y⌋ y, which has the sign of y, unless it [`is_far_beyond`].
#[inline(always)]
pub(crate) fn remainder(x: f32, y: f32) -> f32 {
    let [x, divisor] = [x, y].map(f64::from);
    let quotient = x / divisor;
    let near = nearest(quotient);
    let floor = if near > quotient { near - 1.0 } else { near };
    let exact = x - floor * divisor;
    // The quotient may have been rounded up to an integer.
    let is_beyond = (exact != 0.0) & ((exact < 0.0) != (divisor < 0.0));
    let rest = (if is_beyond { exact + divisor } else { exact }) as f32;
    if rest == 0.0 { 0.0_f32.copysign(y) } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::math::tests::{largest_error, step};

    #[test]
    fn functions_of_one_are_off_by_at_most_0_51_ulp() {
        type Case = (&'static str, fn(f32) -> f32, fn(f64) -> f64);
        let cases: [Case; 8] = [
            ("log2", log2, libm::log2),
            ("ln_1p", ln_1p, libm::log1p),
            ("sin", |x| if is_far(x) { libm::sin(x.into()) as f32 } else { sin(x) }, libm::sin),
            ("cos", |x| if is_far(x) { libm::cos(x.into()) as f32 } else { cos(x) }, libm::cos),
            ("tan", |x| if is_far(x) { libm::tan(x.into()) as f32 } else { tan(x) }, libm::tan),
            ("pow 2.5", |x| pow(x, 2.5), |x| libm::pow(x, 2.5)),
            ("pow -0.3", |x| pow(x, -0.3), |x| libm::pow(x, f64::from(-0.3_f32))),
            ("1.37 to the power", |y| pow(1.37, y), |y| libm::pow(f64::from(1.37_f32), y)),
        ];
        for (name, f, oracle) in cases {
            let error = largest_error(step(), f, oracle);
            assert!(error <= 0.51, "{name}: {error} ulp");
        }
    }

    /// Numbers at which functions of two have edges, and many between.
    fn numbers() -> Vec<f32> {
        let tiny = f32::from_bits(1);
        let edges = [0.0, tiny, f32::MIN_POSITIVE, 1e-30, 0.5, 1.0 - f32::EPSILON / 2.0, 1.0, 1.0 + f32::EPSILON, 1.5];
        let large = [2.0, 3.0, 7.25, 1001.0, 16_777_215.0, 16_777_216.0, 1e20, f32::MAX, f32::INFINITY, f32::NAN];
        let spread = (0..2000_u32).map(|i| f32::from_bits(i.wrapping_mul(2_654_435_761)));
        edges.into_iter().chain(large).flat_map(|x| [x, -x]).chain(spread).collect()
    }

    /// Checks a function of two against its oracle in f64, to 0.51 ulp.
    fn check(f: impl Fn(f32, f32) -> f32, oracle: impl Fn(f64, f64) -> f64) {
        for &x in &numbers() {
            for &y in &numbers() {
                let (got, want) = (f(x, y), oracle(x.into(), y.into()));
                let error = crate::kernel::math::tests::ulps(got, want);
                let same_sign = got.is_nan() || got.is_sign_negative() == want.is_sign_negative();
                assert!(error <= 0.51 && same_sign, "of {x:e} and {y:e}: {got:e}, not {want:e}: {error} ulp");
            }
        }
    }

    #[test]
    fn powers_and_angles_of_any_two_are_off_by_at_most_0_51_ulp() {
        check(pow, libm::pow);
        check(atan2, libm::atan2);
    }

    #[test]
    fn remainders_are_those_of_the_library() {
        let slow = crate::kernel::Arithmetic::remainder;
        for &x in &numbers() {
            for &y in &numbers() {
                let want: f32 = slow(x, y);
                let got = if is_far_beyond(x, y) { want } else { remainder(x, y) };
                assert!(
                    got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                    "{x:e} by {y:e}: {got:e} {want:e}"
                );
            }
        }
    }
}
