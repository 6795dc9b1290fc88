//! Norms.

use super::logic::count_true;
use super::{Axes, Over, over, read, reduce, reduced};
use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::{Largest, Powers, Real, Reduction, Sizes, Smallest, Squares};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The `p`-norm over `axes`: (Σ |x|ᵖ)^(1/p). For p = ∞ it is the largest |x|, for p = −∞ the smallest, and for p = 0
    /// the number of elements that are not 0. Of nothing it is 0, or ∞
    /// for a negative p.
    ///
    /// Powers are summed in f64: a norm of f32 that fits an f32 neither overflows nor underflows on the way. Squares of
    /// f64 overflow from 1e154 on.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[3.0, -4.0], [0.0, 2.0]]);
    /// assert_eq!(x.norm(2.0, 1), Tensor::from([5.0, 2.0]));
    /// assert_eq!(x.norm(1.0, 1), Tensor::from([7.0, 2.0]));
    /// assert_eq!(x.norm(f64::INFINITY, ..).item(), 4.0);
    /// assert_eq!(Tensor::from([3e30_f32, 4e30]).norm(2.0, ..).item(), 5e30);
    /// ```
    #[track_caller]
    pub fn norm<A: Axes>(&self, p: f64, axes: A) -> Self {
        T::norm(self, &over("norm", self.shape(), &axes).or_panic(), p)
    }
}

pub(crate) fn norm<T: Float>(x: &Tensor<T>, over: &Over, p: f64) -> Tensor<T> {
    /// What a power in f64 costs, in nanoseconds: 20 to 40.
    const POWER: f64 = 30.0;
    let of_nothing = T::from_f64(if p < 0.0 { f64::INFINITY } else { 0.0 });
    let powers = |cost: f64, r: &dyn Reduction<T, Part = f64>, root: &(dyn Fn(f64) -> f64 + Sync)| {
        reduce(x, over, read::<T>() + cost, r, of_nothing, &|sums, out: &mut [T]| {
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = T::from_f64(root(sum));
            }
        })
    };
    match p {
        f64::INFINITY => reduced(&x.abs(), over, &Largest, of_nothing),
        f64::NEG_INFINITY => reduced(&x.abs(), over, &Smallest, of_nothing),
        0.0 => count_true(&x.cast(), over, of_nothing, &|counts, out: &mut [T]| {
            for (out, &count) in out.iter_mut().zip(counts) {
                *out = T::from_f64(count as f64);
            }
        }),
        1.0 => powers(0.0, &Sizes, &|sum| sum),
        2.0 => powers(0.0, &Squares, &f64::sqrt),
        _ => powers(POWER, &Powers(p), &|sum| Real::powf(sum, 1.0 / p)),
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::ops::reduce::tests::{base, naive, sets, views};

    #[test]
    fn agrees_with_the_definition_over_any_axes_and_strides() {
        for x in views(&base()) {
            for axes in sets() {
                for p in [0.5, 1.0, 2.0, 3.0, -1.0] {
                    let want =
                        naive(&x, axes, |x| x.iter().map(|x| x.abs().powf(p)).fold(0.0, |a, b| a + b).powf(1.0 / p));
                    for (got, want) in x.norm(p, axes).iter().zip(want) {
                        assert_relative_eq!(got, want, max_relative = 1e-12);
                    }
                }
                let abs = |x: &[f64]| x.iter().map(|x| x.abs()).collect::<Vec<_>>();
                let most = naive(&x, axes, |x| abs(x).into_iter().fold(0.0, f64::max));
                assert_eq!(x.norm(f64::INFINITY, axes).to_vec(), most);
                let least = naive(&x, axes, |x| abs(x).into_iter().fold(f64::INFINITY, f64::min));
                assert_eq!(x.norm(f64::NEG_INFINITY, axes).to_vec(), least);
                let some = naive(&x, axes, |x| x.iter().filter(|x| **x != 0.0).count() as f64);
                assert_eq!(x.norm(0.0, axes).to_vec(), some);
            }
        }
    }

    #[test]
    fn what_fits_an_f32_neither_overflows_nor_underflows() {
        for scale in [1e-42_f32, 1e-30, 1.0, 1e30, 3e37] {
            let x = Tensor::<f32>::full([100], scale);
            assert_relative_eq!(x.norm(2.0, 0).item(), 10.0 * scale, max_relative = 1e-3);
        }
        assert_eq!(Tensor::<f32>::full([4], 3e38).norm(2.0, 0).item(), f32::INFINITY);
    }

    #[test]
    fn a_nan_is_handed_on() {
        for p in [f64::NEG_INFINITY, -1.0, 1.0, 2.0, 3.0, f64::INFINITY] {
            assert!(Tensor::from([1.0, f32::NAN, 0.0]).norm(p, 0).item().is_nan(), "{p}");
        }
    }
}
