//! Whole powers, by products in f64.

use super::elementwise::Unary;
use super::isa::kernel;
use crate::kernel::Real;
use crate::par;

/// |n| factors of each x by repeated squaring, a rounding for each of at most 2 log₂ |n| products.
#[inline(always)]
fn products<const LANES: usize>(x: [f64; LANES], n: i32) -> [f64; LANES] {
    let (mut powers, mut squares, mut left) = ([1.0; LANES], x, n.unsigned_abs());
    while left > 0 {
        if left & 1 == 1 {
            powers.iter_mut().zip(&squares).for_each(|(power, square)| *power *= square);
        }
        squares.iter_mut().for_each(|square| *square *= *square);
        left >>= 1;
    }
    powers
}

/// xⁿ
pub(crate) fn powi(x: f64, n: i32) -> f64 {
    match products([x], n) {
        [power] if n >= 0 => power,
        [power] if power.is_normal() => 1.0 / power,
        // It has left the normal numbers, which its reciprocal may not have.
        _ => libm::pow(x, n.into()),
    }
}

/// xⁿ of one float, for one n.
pub(crate) struct IntegerPower {
    pub(crate) n: i32,
}

impl<T: Real> Unary<T> for IntegerPower {
    type Output = T;

    fn cost(&self) -> f64 {
        par::TRANSCENDENTAL
    }

    fn map(&self, x: &[T], out: &mut [T]) {
        kernel! {
            fn powi[T: Real](x: &[T], out: &mut [T], n: i32), arithmetic T {
                // With an exponent that the compiler knows, the products of one element after the other become vectors.
                match n {
                    3 => each(x, out, 3),
                    4 => each(x, out, 4),
                    -1 => each(x, out, -1),
                    -2 => each(x, out, -2),
                    -3 => each(x, out, -3),
                    _ => x.chunks(LANES).zip(out.chunks_mut(LANES)).for_each(|(x, out)| block(x, out, n)),
                }
            }
        }
        powi(x, out, self.n);
    }
}

/// Elements whose products are computed together.
const LANES: usize = 32;

#[inline(always)]
fn each<T: Real>(x: &[T], out: &mut [T], n: i32) {
    let mut is_exact = true;
    for (out, &x) in out.iter_mut().zip(x) {
        let [power] = products([x.to_f64()], n);
        is_exact &= n > 0 || power.is_normal();
        *out = T::from_f64(if n > 0 { power } else { 1.0 / power });
    }
    if !is_exact {
        one_by_one(x, out, n);
    }
}

/// At most `LANES` elements.
#[inline(always)]
fn block<T: Real>(x: &[T], out: &mut [T], n: i32) {
    let mut lanes = [1.0; LANES];
    lanes.iter_mut().zip(x).for_each(|(lane, x)| *lane = x.to_f64());
    let powers = products(lanes, n);
    if n < 0 && !powers.iter().all(|power| power.is_normal()) {
        return one_by_one(x, out, n);
    }
    for (out, power) in out.iter_mut().zip(powers) {
        *out = T::from_f64(if n < 0 { 1.0 / power } else { power });
    }
}

#[inline(never)]
fn one_by_one<T: Real>(x: &[T], out: &mut [T], n: i32) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out = x.powi(n));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powi_keeps_what_is_below_the_normal_numbers() {
        for (x, n) in [(2.0, -1074), (2.0, -1050), (-2.0, -1073), (0.5, 1074), (3.0, -660), (8e-309, -1), (-8e-309, -1)]
        {
            let (got, want) = (powi(x, n), libm::pow(x, n.into()));
            assert!((got - want).abs() <= 1e-14 * want.abs() && got != 0.0, "{x} to the {n}: {got:e}, not {want:e}");
        }
        let f32_powi = |x: f32, n| crate::Real::powi(x, n);
        // torch.tensor(2.).pow(-130), and the least positive number.
        assert_eq!([f32_powi(2.0, -130), f32_powi(2.0, -149), f32_powi(2.0, -151)], [7.346_84e-40, 1e-45, 0.0]);
        assert_eq!(
            [f32_powi(-0.0, -3), f32_powi(0.0, -2), f32_powi(f32::NAN, 0)],
            [f32::NEG_INFINITY, f32::INFINITY, 1.0]
        );
        assert_eq!(f32_powi(2.0, i32::MIN), 0.0);
        assert_eq!(f32_powi(-1.0, i32::MIN), 1.0);
        assert!(f32_powi(f32::NAN, 2).is_nan());
    }
}
