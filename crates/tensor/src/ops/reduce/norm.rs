//! Norms.

use super::logic::count_true;
use super::{Axes, Over, over, read, reduce, reduced};
use crate::dims::Dims;
use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::{Dtype, Largest, OfSize, Real, Reduction, Sizes, Smallest, Squares, Sum};
use crate::ops::map;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The `p`-norm over `axes`: (Σ |x|ᵖ)^(1/p). For p = ∞ it is the largest |x|, for p = −∞ the smallest, and for p = 0
    /// the number of elements that are not 0. Of nothing it is 0, or ∞
    /// for a negative p.
    ///
    /// A norm that fits `T` neither overflows nor underflows on the way: powers are summed in f64, and where these leave its range,
    /// those of |x| / m, where m is the largest |x|, or the smallest for a negative p.
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

    /// The 2-norm of all elements, √Σ x², in f64: of `f32`s it is as exact as of the same numbers in f64, and never infinite unless one is.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([3.0_f32, -4.0]).norm_f64(), 5.0);
    /// ```
    pub fn norm_f64(&self) -> f64 {
        T::norm_f64(self)
    }
}

/// What makes results of sums.
type Finish<'a, T> = dyn Fn(&[f64], &mut [T]) + Sync + 'a;

pub(crate) fn norm_f64<T: Float>(x: &Tensor<T>) -> f64 {
    let all = Over { reduced: Dims::filled(true, x.rank()), keep: false };
    let sum: f64 = reduced(x, &all, &Squares, 0.0).item();
    // No square of an f32 leaves the range of f64.
    if T::DTYPE == Dtype::F32 || in_range(sum) { sum.sqrt() } else { norm(&x.cast::<f64>(), &all, 2.0).item() }
}

pub(crate) fn norm<T: Float>(x: &Tensor<T>, over: &Over, p: f64) -> Tensor<T> {
    let of_nothing = T::from_f64(if p < 0.0 { f64::INFINITY } else { 0.0 });
    // No power of an f32 up to this one leaves the range of f64.
    let bounded = T::DTYPE == Dtype::F32 && (0.0..=6.0).contains(&p);
    let powers = |sums: &dyn Fn(&Finish<'_, T>) -> Tensor<T>, root: &(dyn Fn(f64) -> f64 + Sync)| {
        let norms = sums(&|sums, out: &mut [T]| {
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = T::from_f64(if bounded || in_range(sum) { root(sum) } else { f64::NAN });
            }
        });
        if !bounded && norms.iter().any(T::is_nan) { by_ratios(x, over, p, norms) } else { norms }
    };
    match p {
        f64::INFINITY => reduced(&x.abs(), over, &Largest, of_nothing),
        f64::NEG_INFINITY => reduced(&x.abs(), over, &Smallest, of_nothing),
        0.0 => count_true(&x.cast(), over, of_nothing, &|counts, out: &mut [T]| {
            for (out, &count) in out.iter_mut().zip(counts) {
                *out = T::from_f64(count as f64);
            }
        }),
        1.0 => powers(&|finish| reduce(x, over, read::<T>(), &Sizes, of_nothing, finish), &|sum| sum),
        2.0 => powers(&|finish| reduce(x, over, read::<T>(), &Squares, of_nothing, finish), &f64::sqrt),
        _ => {
            let all = map(x, OfSize::Power { p });
            let sums = |finish: &Finish<'_, T>| reduce(&all, over, read::<f64>(), &Sum, of_nothing, finish);
            powers(&sums, &|sum| Real::powf(sum, 1.0 / p))
        }
    }
}

/// Whether no term that counts of a sum of powers has overflowed or lost digits.
fn in_range(sum: f64) -> bool {
    (f64::MIN_POSITIVE / f64::EPSILON..=f64::MAX).contains(&sum)
}

/// `norms`, and for those that are NaN, since the sum of powers has left the range of f64: m (Σ (|x| / m)ᵖ)^(1/p). Of these
/// powers none is above 1, and one is 1.
#[cold]
fn by_ratios<T: Float>(x: &Tensor<T>, over: &Over, p: f64, norms: Tensor<T>) -> Tensor<T> {
    let sizes = x.cast::<f64>().abs();
    let end: &dyn Reduction<f64, Part = f64> = if p < 0.0 { &Smallest } else { &Largest };
    let kept = Over { keep: true, reduced: over.reduced.clone() };
    let m = reduced(&sizes, &kept, end, 0.0);
    // Where m is 0, infinite or NaN, so is the norm.
    let divisor = m.map(|m| if m > 0.0 && m < f64::INFINITY { m } else { 1.0 });
    let sums = reduced(&map(&(sizes / &divisor), OfSize::Power { p }), &kept, &Sum, 0.0);
    let again =
        m.zip(&sums, |m, sum| T::from_f64(if m > 0.0 && m < f64::INFINITY { m * Real::powf(sum, 1.0 / p) } else { m }));
    norms.zip(&again.reshape(norms.shape()), |norm, again| if norm.is_nan() { again } else { norm })
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
    fn the_norm_in_f64_is_that_of_the_same_numbers_in_f64() {
        for len in [0, 1, 3, 100, 10_007, 300_000] {
            let x = Tensor::<f32>::from_fn([len], |i| (i[0] as f32 * 0.37).sin() * 1e30);
            for x in [x.clone(), x.slice_step(0, .., 3), x.clone() * 1e-38 * 1e-37] {
                assert_eq!(x.norm_f64(), x.cast::<f64>().norm(2.0, ..).item(), "{len}");
            }
        }
        for scale in [1e-310, 1e-200, 1.0, 1e200, 1e308] {
            let x = Tensor::from([0.3, -0.4]) * scale;
            assert_eq!(x.norm_f64(), x.norm(2.0, ..).item(), "{scale}");
            assert_relative_eq!(x.norm_f64(), 0.5 * scale, max_relative = 1e-12);
        }
        assert!(Tensor::from([1.0, f64::NAN]).norm_f64().is_nan());
        assert_eq!(Tensor::from([1.0, f32::NEG_INFINITY]).norm_f64(), f64::INFINITY);
    }

    #[test]
    fn a_norm_that_fits_neither_overflows_nor_underflows() {
        for scale in [1e-42_f32, 1e-30, 1.0, 1e30, 3e37] {
            let x = Tensor::<f32>::full([100], scale);
            assert_relative_eq!(x.norm(2.0, 0).item(), 10.0 * scale, max_relative = 1e-3);
        }
        assert_eq!(Tensor::<f32>::full([4], 3e38).norm(2.0, 0).item(), f32::INFINITY);
        fn norm<T: Float>(x: &[f64], p: f64) -> f64 {
            Tensor::from_iter(x.iter().map(|&x| T::from_f64(x))).norm(p, ..).item().to_f64()
        }
        // In the order of Σ: 4 (1 + (3/4)^p)^(1/p), and so on.
        let cases: [(&[f64], f64, f64); 9] = [
            (&[3.0, 4.0], 1000.0, 4.0),
            (&[3.0, 4.0], 1e6, 4.0),
            (&[3e30, -4e30], 20.0, 4e30 * (1.0 + 0.75_f64.powi(20)).powf(0.05)),
            (&[1e-35, 1e-35], 10.0, 1e-35 * 2_f64.powf(0.1)),
            (&[100.0], -200.0, 100.0),
            (&[100.0, -200.0], -1000.0, 100.0),
            (&[1e-30, 1e30], -20.0, 1e-30),
            (&[1e-30, 0.0], -20.0, 0.0),
            (&[0.0, 0.0], 20.0, 0.0),
        ];
        for (x, p, want) in cases {
            assert_relative_eq!(norm::<f32>(x, p), want, max_relative = 1e-6);
            assert_relative_eq!(norm::<f64>(x, p), want, max_relative = 1e-14);
        }
        for scale in [1e-320, 1e-308, 1e-200, 1e-162, 1e154, 1e200, 3e307] {
            assert_relative_eq!(norm::<f64>(&[3.0 * scale, -4.0 * scale], 2.0) / scale, 5.0, max_relative = 1e-3);
        }
        assert_relative_eq!(norm::<f64>(&[3e200, 4e200], 2.0), 5e200, max_relative = 1e-15);
        let inf = f64::INFINITY;
        assert_eq!([norm::<f32>(&[inf, 1.0], 20.0), norm::<f64>(&[-inf, 0.0], 2.0)], [inf, inf]);
        assert_eq!([norm::<f32>(&[inf, 1.0], -2.0), norm::<f64>(&[inf, inf], -20.0)], [1.0, inf]);
    }

    #[test]
    fn of_many_norms_those_in_range_keep_their_bits() {
        let x = Tensor::from([[3.0, 4.0], [3e200, 4e200], [0.0, 0.0], [f64::NAN, 1.0], [1e-300, 0.0]]);
        let norms = x.norm(2.0, 1);
        let want = [5.0, 5e200, 0.0, f64::NAN, 1e-300];
        for (row, (norm, want)) in norms.iter().zip(want).enumerate() {
            let near = (norm / want - 1.0).abs() < 1e-15 || norm == want || norm.is_nan() && want.is_nan();
            assert!(near, "{norm}, not {want}, of row {row}");
        }
        let three = [0.1, 0.7, 0.2];
        let alone = Tensor::from([three]).norm(3.0, 1);
        assert_eq!(Tensor::from([three, [1e200; 3]]).norm(3.0, 1).slice(0, ..1), alone);
        assert_eq!(Tensor::from([[3e200], [4e200]]).norm(2.0, crate::keepdim(0)).dims(), [1, 1]);
    }

    #[test]
    fn a_nan_is_handed_on() {
        for p in [f64::NEG_INFINITY, -1.0, 1.0, 2.0, 3.0, f64::INFINITY] {
            assert!(Tensor::from([1.0, f32::NAN, 0.0]).norm(p, 0).item().is_nan(), "{p}");
        }
    }
}
