//! Variance and standard deviation.

use super::{Axes, Over, over, parts, read, reduce};
use crate::buffer::Buffer;
use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::{Moment, Moments};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The variance over `axes`: Σ (x − mean)² / (n − correction) of n elements. A correction of 1 makes it unbiased; 0
    /// is the mean square of deviations.
    ///
    /// Accurate to a few ulp even where the mean is far larger than the deviations. As in PyTorch, n − correction counts as
    /// 0 where it is negative: the variance of one element is NaN, and infinite where there is anything to divide.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 3.0], [2.0, 8.0]]);
    /// assert_eq!(x.var(1, 1), Tensor::from([2.0, 18.0]));
    /// assert_eq!(x.var(1, 0), Tensor::from([1.0, 9.0]));
    /// ```
    #[track_caller]
    pub fn var<A: Axes>(&self, axes: A, correction: usize) -> Self {
        let over = over("var", self.shape(), &axes).or_panic();
        T::variance(self, &over, correction)
    }

    /// The standard deviation over `axes`: the square root of [`var`](Self::var), also where the variance itself is too large or too
    /// small for `T`.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 5.0]).std(.., 0).item(), 2.0);
    /// ```
    #[track_caller]
    pub fn std<A: Axes>(&self, axes: A, correction: usize) -> Self {
        let over = over("std", self.shape(), &axes).or_panic();
        T::deviation(self, &over, correction)
    }

    /// The variance and the mean over `axes`, for little more than the price of one.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (var, mean) = Tensor::from([[1.0, 3.0], [2.0, 8.0]]).var_mean(-1, 1);
    /// assert_eq!((var, mean), (Tensor::from([2.0, 18.0]), Tensor::from([2.0, 5.0])));
    /// ```
    #[track_caller]
    pub fn var_mean<A: Axes>(&self, axes: A, correction: usize) -> (Self, Self) {
        T::var_mean(self, &over("var_mean", self.shape(), &axes).or_panic(), correction)
    }
}

pub(crate) fn variance<T: Float>(x: &Tensor<T>, over: &Over, correction: usize) -> Tensor<T> {
    moments(x, over, &|moment| moment.variance(correction))
}

pub(crate) fn deviation<T: Float>(x: &Tensor<T>, over: &Over, correction: usize) -> Tensor<T> {
    moments(x, over, &|moment| moment.deviation(correction))
}

/// What `of` makes of the moments.
fn moments<T: Float>(x: &Tensor<T>, over: &Over, of: &(dyn Fn(Moment) -> f64 + Sync)) -> Tensor<T> {
    let of_nothing = T::from_f64(of(Moment::default()));
    reduce(x, over, 2.0 * read::<T>(), &Moments, of_nothing, &|moments, out: &mut [T]| {
        for (out, &moment) in out.iter_mut().zip(moments) {
            *out = T::from_f64(of(moment));
        }
    })
}

pub(crate) fn var_mean<T: Float>(x: &Tensor<T>, over: &Over, correction: usize) -> (Tensor<T>, Tensor<T>) {
    let shape = over.shape(x.shape());
    let moments = match x.numel() {
        0 => vec![Moment::default(); shape.numel()],
        _ => parts(x, over, 2.0 * read::<T>(), &Moments),
    };
    let all = |f: &dyn Fn(&Moment) -> f64| {
        let mut out = Buffer::stale(moments.len());
        for (out, moment) in out.iter_mut().zip(&moments) {
            *out = T::from_f64(f(moment));
        }
        Tensor::from_buffer(out, shape.clone())
    };
    (all(&|m| m.variance(correction)), all(&|m| m.mean()))
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::keepdim;
    use crate::ops::reduce::tests::{base, naive, sets, views};

    /// The oracle: two passes over the elements of each result, in f64.
    fn definition(x: &[f64], correction: usize) -> (f64, f64) {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let squares: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
        (squares / (x.len() as f64 - correction as f64).max(0.0), mean)
    }

    #[test]
    fn agrees_with_the_definition_over_any_axes_and_strides() {
        for x in views(&base()) {
            for axes in sets() {
                for correction in [0, 1, 2] {
                    let want = naive(&x, axes, |x| definition(x, correction));
                    let (var, mean) = x.var_mean(axes, correction);
                    for (i, &(want_var, want_mean)) in want.iter().enumerate() {
                        let got = [&var, &mean, &x.std(keepdim(axes), correction)].map(|t| t.to_vec()[i]);
                        for (got, want) in got.into_iter().zip([want_var, want_mean, want_var.sqrt()]) {
                            // Of elements that are all the same, rounding leaves one or the other a little.
                            let near = (got - want).abs() < 1e-12 * want.abs() + 1e-14;
                            assert!(near || got == want || (got.is_nan() && want.is_nan()), "{got} {want}");
                        }
                    }
                    assert_eq!(x.var(keepdim(axes), correction).to_vec().len(), want.len());
                }
            }
        }
    }

    #[test]
    fn a_mean_far_larger_than_the_deviations_costs_no_digits() {
        for len in [3, 20, 3000, 100_000] {
            for (mean, step) in [(1e8, 8.0), (1e4, 0.01), (-3e7, 4.0), (0.0, 1.0)] {
                let noise = |i: usize| ((i * 7919 + i / 3) % 13) as f64 - 6.0;
                let x = Tensor::from_fn([len], |i| (mean + step * noise(i[0])) as f32);
                let (want, _) = definition(&x.iter().map(f64::from).collect::<Vec<_>>(), 1);
                for x in [x.reshape([1, len]), x.reshape([len, 1]).expand([len, 70]).t().copied(), x.expand([5, len])] {
                    for var in x.var(1, 1).iter().chain(x.t().copied().var(0, 1).iter()) {
                        assert_relative_eq!(f64::from(var), want, max_relative = 4.0 * f64::from(f32::EPSILON));
                    }
                }
            }
        }
    }

    /// `len` numbers of which half are `size` and half −`size`, or 0 from `len` / 2 on, times `scale`.
    fn of_size(len: usize, size: f64, halves: [f64; 2]) -> Tensor<f64> {
        Tensor::from_fn([len], |i| size * halves[usize::from(i[0] >= len / 2)] * if i[0] % 2 == 0 { 1.0 } else { -1.0 })
    }

    #[test]
    fn a_deviation_that_fits_the_type_neither_overflows_nor_underflows() {
        fn check<T: Float>(sizes: &[f64], epsilon: f64) {
            for &size in sizes {
                for len in [4, 16, 40, 2048, 5000, 300_000] {
                    // All alike; the rest zeros; the rest far smaller.
                    for halves in [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1e-20]] {
                        let x = of_size(len, size, halves).cast::<T>();
                        let size = T::from_f64(size).to_f64();
                        let want = size * if halves == [1.0, 1.0] { 1.0 } else { 0.5_f64.sqrt() };
                        let mut views = vec![x.reshape([1, len])];
                        if len <= 5000 {
                            let columns = x.reshape([len, 1]).expand([len, 70]).contiguous();
                            views.extend([columns.t().contiguous(), columns.t()]);
                        }
                        for x in views {
                            for std in x.std(1, 0).iter() {
                                // The least numbers have few digits.
                                let least = if T::DTYPE == crate::Dtype::F32 { 1.5e-45 } else { 5e-324 };
                                let near = (std.to_f64() - want).abs() <= epsilon * want + least;
                                assert!(near, "{std:?}, not {want:e}: {len} of {halves:?}");
                            }
                            let mean = x.var_mean(1, 0).1.to_vec()[0].to_f64();
                            assert!(mean.abs() <= epsilon * size, "{mean:e} of {size:e}");
                        }
                    }
                }
            }
        }
        check::<f32>(&[1e-45, 1e-38, 1e-30, 1e-25, 1e-20, 1e-17, 1e-10, 1.0, 1e10, 1e18, 1e19, 1e25, 3e38], 1e-6);
        check::<f64>(
            &[5e-324, 1e-310, 1e-200, 1e-160, 1e-150, 1e-130, 1.0, 1e130, 1e150, 1e160, 1e200, 1.7e308],
            1e-14,
        );
    }

    #[test]
    fn means_of_blocks_that_are_far_apart_or_hardly_are() {
        for (a, b) in
            [(1e160, 3e160), (1e-200, 3e-200), (1.7e308, -1.7e308), (0.0, 1e200), (1e-300, 0.0), (1e160, -1.0)]
        {
            let x = Tensor::from_fn([10_000], |i| if i[0] < 5_000 { a } else { b });
            let columns = x.reshape([10_000, 1]).expand([10_000, 70]).contiguous();
            for std in x.std(0, 0).reshape([1]).iter().chain(columns.std(0, 0).iter()) {
                assert_relative_eq!(std, (a / 2.0 - b / 2.0_f64).abs(), max_relative = 1e-12);
            }
        }
        // Deviations that are in range of means whose squares are not.
        let x =
            Tensor::from_fn([4096], |i| if i[0] < 2048 { 1e160 } else { 3e160 } * (1.0 + (i[0] % 2) as f64 * 1e-16));
        assert_relative_eq!(x.std(0, 0).item(), 1e160, max_relative = 1e-12);
    }

    #[test]
    fn too_few_elements_have_no_variance() {
        assert!(Tensor::from([5.0_f32]).var(0, 1).item().is_nan());
        assert_eq!(Tensor::from([5.0_f32]).var(0, 0).item(), 0.0);
        assert!(Tensor::<f32>::zeros([0]).std(0, 0).item().is_nan());
        assert!(Tensor::<f32>::zeros([0, 2]).var_mean(0, 0).1.iter().all(f32::is_nan));
        assert_eq!(Tensor::from([1.0_f32, 2.0]).var(0, 2).item(), f32::INFINITY);
        for len in [1, 4, 40, 3000] {
            let infinite = Tensor::full([len], f32::NEG_INFINITY);
            assert!(infinite.var(0, 0).item().is_nan(), "{len}");
            assert!(infinite.std(0, 0).item().is_nan(), "{len}");
            assert!(infinite.reshape([len, 1]).expand([len, 3]).var(0, 0).isnan().all(..).item(), "{len}");
        }
    }

    #[test]
    fn infinities_have_the_mean_that_they_have_elsewhere_in_any_order() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let x = Tensor::from([[-inf, 1.0], [1.0, -inf]]);
        assert_eq!(x.var_mean(0, 0).1, Tensor::from([-inf, -inf]));
        for len in [2, 40, 1000, 300_000] {
            for [one, other] in [[inf, 1.0], [inf, inf], [-inf, 2.0], [nan, 1.0], [inf, -inf], [inf, nan]] {
                for at in [[0, len - 1], [len - 1, 0], [len / 2, len / 3]] {
                    let mut x = Tensor::from_fn([len], |i| (i[0] % 7) as f64);
                    x.as_mut_slice()[at[1]] = other;
                    x.as_mut_slice()[at[0]] = one;
                    let twice = Tensor::from_fn([len, 2], |i| x.get(&i[..1]).unwrap());
                    let (var, mean) = x.var_mean(0, 1);
                    let (vars, means) = twice.var_mean(0, 1);
                    let want = x.mean(0).item();
                    for got in means.iter().chain([mean.item()]) {
                        assert!(
                            got == want || got.is_nan() && want.is_nan(),
                            "{got}, not {want}: {one} {other} of {len}"
                        );
                    }
                    assert!(var.item().is_nan() && vars.iter().all(f64::is_nan));
                }
            }
        }
        // What overflows on the way only.
        let x = Tensor::from([3e38_f32, -3e38, 3e38, -3e38]);
        assert_eq!((x.var_mean(0, 0).1.item(), x.std(0, 0).item()), (0.0, 3e38));
    }
}
