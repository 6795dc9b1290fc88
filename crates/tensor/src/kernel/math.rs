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
pub(crate) fn horner<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
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

/// eˣ = 2ⁿ 2ᶠ with n + f = x log₂ e. At most 2 ulp off; overflows to infinity and underflows gradually.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let [part, power] = exp_in_parts(x, None);
    part * power
}

/// eˣ as the product of a normal number and a power of two: with what is between them multiplied first, a result below the normal
/// numbers is rounded once. To x comes `low`, which it has lost by rounding.
#[inline(always)]
pub(crate) fn exp_in_parts(x: f32, low: Option<f32>) -> [f32; 2] {
    /// log₂ e in two parts.
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LOG2_E_LOW: f32 = (std::f64::consts::LOG2_E - LOG2_E as f64) as f32;
    // Beyond, the result is infinite or 0 already, and in parts it is 0 whatever is multiplied with it. Written so that a NaN passes.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -170.0 { -170.0 } else { x };
    let rounded = x.mul_add(LOG2_E, ROUND_TO_EXPONENTS);
    let n = rounded - ROUND_TO_EXPONENTS;
    let f = x.mul_add(LOG2_E_LOW, x.mul_add(LOG2_E, -n));
    let f = low.map_or(f, |low| low.mul_add(LOG2_E, f));
    let [one, other] = powers(rounded);
    [exp2_fraction(f) * one, other]
}

/// 2ˣ = 2ⁿ 2ᶠ with n + f = x. At most 2 ulp off; overflows to infinity and underflows gradually.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    // Beyond, the result is infinite or 0 already. Written so that a NaN passes.
    let x = if x > 129.0 { 129.0 } else { x };
    let x = if x < -160.0 { -160.0 } else { x };
    let rounded = x + ROUND_TO_EXPONENTS;
    let f = x - (rounded - ROUND_TO_EXPONENTS);
    let [one, other] = powers(rounded);
    exp2_fraction(f) * one * other
}

/// Rounds like `ROUND`, and leaves n + 254 in the lowest bits: the exponents of two factors, together.
const ROUND_TO_EXPONENTS: f32 = ROUND + 254.0;

/// 2ⁿ in two factors: together they may leave the range of normal numbers, which each of them does not.
#[inline(always)]
fn powers(rounded: f32) -> [f32; 2] {
    let both = rounded.to_bits();
    let one = both >> 1;
    [f32::from_bits(one << 23), f32::from_bits(both.wrapping_sub(one) << 23)]
}

/// (e²ˢ − 1) / 2 = s + s² Q(s) for |s| ≤ ¼ ln 2.
#[inline(always)]
fn half_exp_m1_fraction(s: f32) -> f32 {
    const Q: [f32; 5] = [
        0.999_999_940_395_355_224_61,
        0.666_661_858_558_654_785_16,
        0.333_339_542_150_497_436_52,
        0.133_860_051_631_927_490_23,
        0.044_383_864_849_805_831_909,
    ];
    (s * s).mul_add(horner(s, Q), s)
}

/// eˣ − 1 = 2ⁿ p + (2ⁿ − 1) with p = eᵗ − 1 and n ln 2 + t = x. At most 2 ulp off; overflows to infinity; −0 gives −0.
#[inline(always)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    /// Rounds like `ROUND`, and leaves n + 126 in the lowest bits: the exponent of 2ⁿ⁻¹.
    const ROUND_TO_EXPONENT: f32 = ROUND + 126.0;
    /// ln 2 in two parts.
    const LN_2: f32 = std::f32::consts::LN_2;
    const LN_2_LOW: f32 = (std::f64::consts::LN_2 - LN_2 as f64) as f32;
    // Beyond, the result is infinite or −1 already. Written so that a NaN passes.
    let near = if x > 89.0 { 89.0 } else { x };
    let near = if near < -30.0 { -30.0 } else { near };
    let rounded = near.mul_add(std::f32::consts::LOG2_E, ROUND_TO_EXPONENT);
    let n = rounded - ROUND_TO_EXPONENT;
    let t = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2, near));
    // Half of 2ⁿ, which is in the range of normal numbers where 2ⁿ may not be: for n = 128 the result may still be finite.
    let half_power = f32::from_bits(rounded.to_bits() << 23);
    let quarter = half_exp_m1_fraction(0.5 * t).mul_add(half_power, 0.5 * half_power - 0.25);
    // Where it is x to all digits, the parts might be below the normal numbers.
    if x.abs() < 1e-20 { x } else { 4.0 * quarter }
}

/// tanh x = E / D with E = (e²ˣ − 1) / 2 and D = E + 1, as y − y · y / D with y = E near 0 and y = 1 above. At most
/// 2 ulp off; odd and monotone; ±1 where tanh rounds to it; −0 gives −0.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    /// Rounds like `ROUND`, and leaves n + 127 in the lowest bits: the exponent of 2ⁿ.
    const ROUND_TO_EXPONENT: f32 = ROUND + 127.0;
    /// Where y = E gives way to y = 1. Above a half, E² / D would not be monotone; far below, 1 / D is not accurate.
    const SMALL: f32 = 0.5;
    const TWO_LOG2_E: f32 = 2.0 * std::f32::consts::LOG2_E;
    /// The f32 nearest to it is 400 times nearer than it need be: one step reduces x.
    const HALF_LN_2: f32 = std::f32::consts::LN_2 / 2.0;
    let size = x.abs();
    // From 9.02 on the result is 1. Written so that a NaN passes.
    let size = if size > 10.0 { 10.0 } else { size };
    let rounded = size.mul_add(TWO_LOG2_E, ROUND_TO_EXPONENT);
    let s = (rounded - ROUND_TO_EXPONENT).mul_add(-HALF_LN_2, size);
    let fraction = half_exp_m1_fraction(s);
    let power = f32::from_bits(rounded.to_bits() << 23);
    let half = f32::from_bits((rounded.to_bits() << 23).wrapping_sub(1 << 23));
    let e = fraction.mul_add(power, half - 0.5);
    let d = fraction.mul_add(power, half + 0.5);
    let y = if e < SMALL { e } else { 1.0 };
    (y / d).mul_add(-y, y).copysign(x)
}

/// ln x = n ln 2 + ln(1 + f), where 1 + f is between √½ and √2. At most 2 ulp off.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    /// ln(1 + f) = f − f²/2 + f³ R(f)
    const R: [f32; 9] = [
        0.333_333_134_651_184_082_03,
        -0.250_000_089_406_967_163_09,
        0.200_020_730_495_452_880_86,
        -0.166_679_963_469_505_310_06,
        0.142_203_271_389_007_568_36,
        -0.124_060_340_225_696_563_72,
        0.118_835_724_890_232_086_18,
        -0.116_714_246_571_063_995_36,
        0.067_509_017_884_731_292_725,
    ];
    /// ln 2 in two parts, the first so short that its products with n are exact.
    const LN_2_HIGH: f32 = 0.693_359_375;
    const LN_2_LOW: f32 = (std::f64::consts::LN_2 - LN_2_HIGH as f64) as f32;
    const ROOT_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    // Numbers below the normal ones, times 2²³.
    let tiny = x < f32::MIN_POSITIVE;
    let (normal, shift) = if tiny { (x * 8_388_608.0, 23.0) } else { (x, 0.0) };
    let n = normal.to_bits().wrapping_sub(ROOT_HALF) as i32 >> 23;
    let f = f32::from_bits(normal.to_bits().wrapping_sub((n as u32) << 23)) - 1.0;
    let n = n as f32 - shift;
    let square = f * f;
    let low = n.mul_add(LN_2_LOW, (square * f) * horner(f, R));
    let result = n.mul_add(LN_2_HIGH, square.mul_add(-0.5, low) + f);
    let result = if x == f32::INFINITY { x } else { result };
    let result = if x == 0.0 { f32::NEG_INFINITY } else { result };
    if x < 0.0 || x.is_nan() { f32::NAN } else { result }
}

/// How far into its tail the normal distribution is more than 0 in f32: beyond, e^(−z²/2) is 0.
const TAIL: f32 = 15.0;

/// e^(−z²/2) in two parts, with what z² loses by rounding; and q = z / (z + c) with c = 3/2 and u = 2q − 1, which goes from −1 to 1 and
/// in which the rest of the tail is a polynomial. With a smaller c more terms are needed, with a larger one the polynomial is steeper
/// near z = 0.
#[inline(always)]
fn normal_tail(z: f32) -> [f32; 4] {
    let square = z * z;
    let [e, power] = exp_in_parts(-0.5 * square, Some(-0.5 * z.mul_add(z, -square)));
    let q = z / (z + 1.5);
    [e, power, q.mul_add(2.0, -1.0), q]
}

/// x Φ(x) = max(x, 0) − z Q(z) with z = |x| and the share Q of the normal distribution beyond z, which is e^(−z²/2) P(u) / (z + c) with
/// u = (z − c) / (z + c). At most 4 ulp off; 0 at −∞.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    const P: [f32; 12] = [
        0.617342,
        -0.1950995,
        -0.057495415,
        0.017896853,
        0.017640341,
        0.003986747,
        -0.0024347275,
        -0.0027079182,
        -0.0010403753,
        0.00024839627,
        0.00046467042,
        0.00015190602,
    ];
    // Written so that a NaN passes.
    let z = if x.abs() > TAIL { TAIL } else { x.abs() };
    let [e, power, u, q] = normal_tail(z);
    (if x > 0.0 { x } else { 0.0 }) - e * (horner(u, P) * q) * power
}

/// Φ(x) + x φ(x), which is w or 1 − w with w = e^(−z²/2) (z₀ − z) G(u), as x is below 0 or not: z₀ is where it vanishes, so that nothing
/// is lost there. At most 4 ulp off; 0 at −∞, 1 at ∞.
#[inline(always)]
pub(crate) fn gelu_slope(x: f32) -> f32 {
    /// z₀ in two parts.
    const ROOT: f32 = 0.751_791_536_808_013_9;
    const ROOT_LOW: f32 = -1.211_444_945_855_772e-8;
    /// The first coefficient of G in two parts: its rounding would be half of the error.
    const FIRST: f32 = 0.524_763_8;
    const FIRST_LOW: f32 = 2.044_076_7e-8;
    const G: [f32; 10] = [
        -0.142_541_63,
        0.005_736_422_7,
        0.010_451_226,
        0.002_253_177_6,
        -0.000_805_122_95,
        -0.000_833_879_6,
        -0.000_271_726_95,
        0.000_059_813_498,
        0.000_100_325_75,
        0.000_031_690_073,
    ];
    let z = if x.abs() > TAIL { TAIL } else { x.abs() };
    let [e, power, u, _] = normal_tail(z);
    let g = horner(u, G).mul_add(u, FIRST_LOW) + FIRST;
    let w = e * g * ((ROOT - z) + ROOT_LOW) * power;
    if x > 0.0 { 1.0 - w } else { w }
}

/// The error function, 1 − exp(−z p(z)) with z = |x| and the sign of x. At most 4 ulp off; ±1 where it rounds to that.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    const P: [f32; 11] = [
        1.128_379_225_730_895_996_1,
        0.636_616_468_429_565_429_69,
        0.102_802_187_204_360_961_91,
        -0.019_224_131_479_859_352_112,
        -0.000_074_426_628_998_048_873_720_9,
        0.001_636_358_094_401_658_058_1,
        -0.000_657_472_526_654_601_097_11,
        0.000_145_032_332_511_618_733_41,
        -0.000_019_013_994_460_692_629_218,
        0.000_001_348_361_138_298_059_813_7,
        -3.770_215_428_744_450_036_9e-8,
    ];
    // From 3.92 on the result is 1. Written so that a NaN passes.
    let z = if x.abs() > 3.95 { 3.95 } else { x.abs() };
    (-exp_m1(-z * horner(z, P))).copysign(x)
}

/// The functions of f64 that `libm` does not have.
pub(crate) mod double {
    use super::{density, distribution};

    /// |x|ᵖ
    pub(crate) fn power_of_size(x: f64, p: f64) -> f64 {
        libm::pow(x.abs(), p)
    }

    /// x Φ(x)
    pub(crate) fn gelu(x: f64) -> f64 {
        // Below, Φ(x) is 0: nothing becomes ∞ · 0. Written so that a NaN passes.
        let near = if x < -40.0 { -40.0 } else { x };
        near * distribution(near)
    }

    /// Φ(x) + x φ(x)
    pub(crate) fn gelu_slope(x: f64) -> f64 {
        // Beyond, φ(x) is 0.
        let near = if x < -40.0 { -40.0 } else { x };
        let near = if near > 40.0 { 40.0 } else { near };
        distribution(near) + near * density(near)
    }
}

/// Φ(x) = ½ erfc(−x/√2) = ½ − ½ erf(−x/√2), the standard normal distribution function.
pub(crate) fn distribution(x: f64) -> f64 {
    use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};
    /// √½ less the f64 nearest to it.
    const LOW: f64 = -4.833_646_656_726_457e-17;
    let z = -x * FRAC_1_SQRT_2;
    // The sum loses two bits at most, and takes half the time.
    if x > -1.0 {
        return 0.5 - 0.5 * libm::erf(z);
    }
    // In the tail, what z has lost by rounding would be multiplied by 2z.
    let lost = rounding(-x, FRAC_1_SQRT_2) - x * LOW;
    0.5 * libm::erfc(z) - SQRT_2 * density(x) * lost
}

/// φ(x) = exp(−x²/2) / √2π, the standard normal density.
fn density(x: f64) -> f64 {
    libm::exp(-0.5 * (x * x)) * (1.0 - 0.5 * rounding(x, x)) * (1.0 / std::f64::consts::TAU.sqrt())
}

/// What a · b loses by rounding (Dekker, 1971, *A Floating-Point Technique for Extending the Available Precision*), without the fused
/// multiply-add, which the baseline has in software.
fn rounding(a: f64, b: f64) -> f64 {
    /// The lower half of the digits.
    const LOWER: u64 = (1 << 27) - 1;
    let upper = |x: f64| f64::from_bits(x.to_bits() & !LOWER);
    let [a_upper, b_upper] = [upper(a), upper(b)];
    let [a_lower, b_lower] = [a - a_upper, b - b_upper];
    ((a_upper * b_upper - a * b) + a_upper * b_lower + a_lower * b_upper) + a_lower * b_lower
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Activation;
    use crate::kernel::elementwise::Unary;

    /// How many units in the last place of the f32 nearest to `want` the result is off.
    pub(crate) fn ulps(got: f32, want: f64) -> f64 {
        let nearest = want as f32;
        if got == nearest || got.is_nan() && want.is_nan() {
            return 0.0;
        }
        let size = nearest.abs().clamp(f32::MIN_POSITIVE, f32::MAX);
        let ulp = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
        (f64::from(got) - want).abs() / ulp
    }

    /// Checks the floats whose bits are multiples of `step`, and returns the largest error in ulp.
    pub(crate) fn largest_error(step: usize, f: fn(f32) -> f32, oracle: fn(f64) -> f64) -> f64 {
        let all = (0..=u32::MAX).step_by(step).map(f32::from_bits);
        let errors = all.map(|x| ulps(f(x), oracle(f64::from(x))));
        errors.fold(0.0, |largest: f64, error| if error > largest || error.is_nan() { error } else { largest })
    }

    /// `EVENKEEL_EXHAUSTIVE=1` checks every float (some minutes), otherwise one in 1021.
    pub(crate) fn step() -> usize {
        if std::env::var_os("EVENKEEL_EXHAUSTIVE").is_some() { 1 } else { 1021 }
    }

    #[test]
    fn tanh_is_off_by_at_most_2_ulp() {
        let error = largest_error(step(), tanh, f64::tanh);
        assert!(error <= 2.0, "{error} ulp");
    }

    #[test]
    fn exp2_is_off_by_at_most_2_ulp() {
        let error = largest_error(step(), exp2, libm::exp2);
        assert!(error <= 2.0, "{error} ulp");
        assert_eq!(
            [0.0, -1.0, 127.0, 128.0, -149.0, -151.0].map(exp2),
            [1.0, 0.5, 1.7014118e38, f32::INFINITY, 1e-45, 0.0]
        );
        assert!(exp2(f32::NAN).is_nan());
    }

    #[test]
    fn exp_is_off_by_at_most_2_ulp() {
        let error = largest_error(step(), exp, f64::exp);
        assert!(error <= 2.0, "{error} ulp");
    }

    #[test]
    fn exp_m1_is_off_by_at_most_2_ulp() {
        let error = largest_error(step(), exp_m1, libm::expm1);
        assert!(error <= 2.0, "{error} ulp");
        assert_eq!([exp_m1(f32::NEG_INFINITY), exp_m1(f32::INFINITY), exp_m1(0.0)], [-1.0, f32::INFINITY, 0.0]);
        assert!(exp_m1(-0.0).is_sign_negative() && exp_m1(f32::NAN).is_nan());
        assert_eq!(exp_m1(88.722_84), libm::expm1(f64::from(88.722_84_f32)) as f32);
    }

    #[test]
    fn erf_and_gelu_and_its_slope_are_off_by_at_most_4_ulp() {
        let errors = [
            largest_error(step(), erf, libm::erf),
            largest_error(step(), gelu, double::gelu),
            largest_error(step(), gelu_slope, double::gelu_slope),
        ];
        assert!(errors.iter().all(|&error| error <= 4.0), "{errors:?} ulp");
        let inf = f32::INFINITY;
        assert_eq!([erf(inf), erf(-inf), erf(0.0), gelu(inf), gelu(-inf), gelu(0.0)], [1.0, -1.0, 0.0, inf, 0.0, 0.0]);
        assert_eq!([gelu_slope(inf), gelu_slope(-inf), gelu_slope(0.0), gelu_slope(-0.0)], [1.0, 0.0, 0.5, 0.5]);
        assert!(erf(f32::NAN).is_nan() && gelu(f32::NAN).is_nan() && gelu_slope(f32::NAN).is_nan());
    }

    /// All of the list, those too that are made of several functions.
    #[test]
    fn every_activation_is_off_by_at_most_4_ulp() {
        for &f in Activation::ALL {
            let all: Vec<f32> = (0..=u32::MAX).step_by(step()).map(f32::from_bits).collect();
            let mut y = vec![0.0; 4096];
            let mut largest: f64 = 0.0;
            for x in all.chunks(4096) {
                let y = &mut y[..x.len()];
                Unary::<f32>::map(&f, x, y);
                let errors = x.iter().zip(y.iter()).map(|(&x, &y)| ulps(y, f.at(f64::from(x))));
                largest = errors.fold(largest, |a, b| if b > a || b.is_nan() { b } else { a });
            }
            assert!(largest <= 4.0, "{f:?}: {largest} ulp");
        }
    }

    /// Near where the slope vanishes too, every float is tried.
    #[test]
    fn the_slope_of_gelu_keeps_its_digits_where_it_vanishes() {
        let root = (-0.751_791_5_f32).to_bits();
        let error = (root - 20_000..root + 20_000).map(f32::from_bits);
        let error = error.map(|x| ulps(gelu_slope(x), double::gelu_slope(f64::from(x)))).fold(0.0, f64::max);
        assert!(error <= 4.0, "{error} ulp");
    }

    #[test]
    fn ln_is_off_by_at_most_2_ulp() {
        let error = largest_error(step(), ln, f64::ln);
        assert!(error <= 2.0, "{error} ulp");
    }

    #[test]
    fn ln_at_the_ends_of_its_range() {
        assert_eq!(
            [ln(1.0), ln(0.0), ln(-0.0), ln(f32::INFINITY)],
            [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY]
        );
        assert!(ln(-1.0).is_nan() && ln(f32::NAN).is_nan() && ln(f32::NEG_INFINITY).is_nan());
        assert_eq!(ln(f32::from_bits(1)), f64::from(f32::from_bits(1)).ln() as f32);
    }

    #[test]
    fn sigmoid_is_off_by_at_most_3_ulp() {
        let error = largest_error(step(), crate::Real::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        assert!(error <= 3.0, "{error} ulp");
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY, 0.0].map(crate::Real::sigmoid), [1.0, 0.0, 0.5]);
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
