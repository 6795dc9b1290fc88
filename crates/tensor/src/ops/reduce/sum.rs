//! Sums, means and products.

use super::{Axes, Over, over, read, reduce, reduced};
use crate::element::{Float, Number};
use crate::error::{Error, OrPanic};
use crate::kernel;
use crate::layout::Layout;
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Number> Tensor<T> {
    /// The sum over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`.
    ///
    /// Floats are summed pairwise, in an order that depends on the shape and strides alone. Integers stay of their type and
    /// follow Rust's rules of overflow, where PyTorch's become `i64`: cast before, where a sum of `u8` or `i32` may not
    /// fit. A sum of nothing is 0.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::{Tensor, keepdim};
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.sum(..).item(), 21);
    /// assert_eq!(x.sum(0), Tensor::from([5, 7, 9]));
    /// assert_eq!(x.sum(keepdim(-1)), Tensor::from([[6], [15]]));
    /// ```
    #[track_caller]
    pub fn sum<A: Axes>(&self, axes: A) -> Self {
        let over = over("sum", self.shape(), &axes).or_panic();
        T::fold(self, &over, Fold::Sum)
    }

    /// The product over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`. A product of nothing is 1.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1, 2, 3], [4, 5, 6]]).prod(1), Tensor::from([6, 120]));
    /// ```
    #[track_caller]
    pub fn prod<A: Axes>(&self, axes: A) -> Self {
        let over = over("prod", self.shape(), &axes).or_panic();
        T::fold(self, &over, Fold::Product)
    }

    /// The pullback of broadcasting: sums over the axes that grew from `shape` to this one.
    ///
    /// # Panics
    /// `shape` does not broadcast to this one.
    ///
    /// # Example
    /// ```
    /// use tensor::{Shape, Tensor};
    ///
    /// let gradient = Tensor::<f32>::ones([32, 200]);
    /// assert_eq!(gradient.sum_to(&Shape::from([200])), Tensor::full([200], 32.0));
    /// ```
    #[track_caller]
    pub fn sum_to(self, shape: &Shape) -> Self {
        T::sum_to(self, shape).or_panic()
    }
}

impl<T: Float> Tensor<T> {
    /// The mean over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`. A mean of nothing is NaN.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.mean(1), Tensor::from([2.0, 5.0]));
    /// ```
    #[track_caller]
    pub fn mean<A: Axes>(&self, axes: A) -> Self {
        let over = over("mean", self.shape(), &axes).or_panic();
        T::mean(self, &over)
    }
}

/// A fold of numbers into one of their type.
#[derive(Clone, Copy)]
pub enum Fold {
    Sum,
    Product,
    /// Of nothing there is none: the callers see to it.
    Smallest,
    Largest,
}

pub(crate) fn fold<T: Number>(x: &Tensor<T>, over: &Over, fold: Fold) -> Tensor<T> {
    match fold {
        Fold::Sum => reduced(x, over, &kernel::Sum, T::ZERO),
        Fold::Product => reduced(x, over, &kernel::Product, T::ONE),
        Fold::Smallest => reduced(x, over, &kernel::Smallest, T::ZERO),
        Fold::Largest => reduced(x, over, &kernel::Largest, T::ZERO),
    }
}

/// Sums over the axes along which `x` grew from `shape`.
pub(crate) fn sum_to<T: Number>(x: Tensor<T>, shape: &Shape) -> Result<Tensor<T>, Error> {
    if x.shape() == shape {
        return Ok(x);
    }
    // Fails unless the shape broadcasts.
    Layout::contiguous(shape.clone()).broadcast_in("sum_to", x.shape())?;
    let new = x.rank() - shape.rank();
    let grown = |(axis, &size): (usize, &usize)| axis < new || (shape.dims()[axis - new] == 1 && size != 1);
    let over = Over { reduced: x.dims().iter().enumerate().map(grown).collect(), keep: true };
    fold(&x, &over, Fold::Sum).try_reshape(shape)
}

/// A mean of nothing is NaN.
pub(crate) fn mean<T: Float>(x: &Tensor<T>, over: &Over) -> Tensor<T> {
    let count = T::from_f64(over.count(x.shape()) as f64);
    reduce(x, over, read::<T>(), &kernel::Sum, T::from_f64(f64::NAN), &|sums: &[T], out: &mut [T]| {
        for (out, &sum) in out.iter_mut().zip(sums) {
            *out = sum / count;
        }
    })
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::keepdim;
    use crate::ops::reduce::tests::{base, naive, sets, views};

    #[test]
    fn equals_the_naive_sum_over_any_axes_and_strides() {
        for x in &views(&base()) {
            for axes in sets() {
                let want = naive(x, axes, |x| x.iter().sum::<f64>());
                let got = x.sum(axes);
                assert_eq!(got.rank(), 3 - axes.len());
                for (got, want) in got.iter().zip(&want) {
                    assert_relative_eq!(got, *want, max_relative = 1e-12);
                }
                assert_eq!(x.sum(keepdim(axes)).to_vec(), got.to_vec());
                assert_eq!(x.sum(keepdim(axes)).rank(), 3);
                let means = naive(x, axes, |x| x.iter().sum::<f64>() / x.len() as f64);
                for (got, want) in x.mean(axes).iter().zip(&means) {
                    assert!((got.is_nan() && want.is_nan()) || (got - want).abs() <= 1e-12 * want.abs());
                }
                let products = naive(x, axes, |x| x.iter().product::<f64>());
                for (got, want) in x.prod(axes).iter().zip(&products) {
                    assert_relative_eq!(got, *want, max_relative = 1e-12);
                }
            }
            assert_eq!(x.sum(..).rank(), 0);
        }
    }

    #[test]
    fn any_length_and_width_is_summed_once() {
        // Around lanes, blocks, pieces and rows that are read several at once; integers, of which nothing is rounded.
        let lengths =
            (0..=20).chain([31, 32, 33, 63, 64, 65, 255, 256, 2047, 2048, 2049, 4097, 6200, 131_072, 200_001]);
        for len in lengths {
            let widths: &[usize] = if len > 5000 { &[1, 3] } else { &[1, 2, 3, 7, 63, 64, 65, 130] };
            for &width in widths {
                let x = Tensor::from_fn([len, width], |i| ((i[0] * 31 + i[1] * 17) % 101) as i64);
                let want: Vec<i64> =
                    (0..width).map(|j| (0..len).map(|i| ((i * 31 + j * 17) % 101) as i64).sum()).collect();
                let padded = Tensor::from_fn([len, width + 2], |i| ((i[0] * 31 + i[1] * 17) % 101) as i64);
                for x in [x.clone(), x.t().contiguous().t(), padded.slice(1, ..width)] {
                    assert_eq!(x.sum(0).to_vec(), want, "{len} {width}");
                    assert_eq!(x.t().sum(1).to_vec(), want, "{len} {width}");
                    assert_eq!(x.sum(..).item(), want.iter().sum::<i64>());
                }
            }
        }
    }

    #[test]
    fn pieces_and_further_runs_are_joined() {
        let base = Tensor::from_fn([6, 140_003, 3], |i| ((i[0] * 31 + i[1] * 17 + i[2] * 7) % 101) as i64);
        for x in [base.clone(), base.permute(&[2, 1, 0]), base.permute(&[1, 0, 2]), base.slice_step(2, .., 2)] {
            for axes in sets() {
                assert_eq!(x.sum(axes).to_vec(), naive(&x, axes, |x| x.iter().sum::<i64>()), "{axes:?}");
            }
        }
    }

    #[test]
    fn large_sums_are_exact_to_a_few_ulp_whatever_the_strides() {
        // One after the other, a hundred thousand float additions of 0.1 would be off by 1e-3.
        let x = Tensor::<f32>::full([100_000, 3], 0.1);
        for sums in [x.sum(0), x.t().contiguous().sum(1), x.t().sum(-1)] {
            for sum in sums.iter() {
                assert_relative_eq!(sum, 10_000.0, max_relative = 1e-6);
            }
        }
    }

    #[test]
    fn threads_leave_no_trace() {
        // Widths that tasks do not divide, long and short columns.
        for dims in [[200_000, 3], [1000, 401], [200, 2001], [40_000, 11], [3, 200_001], [1000, 9000], [1, 3_000_001]] {
            let x = Tensor::from_fn(dims, |i| ((i[0] * 7919 + i[1] * 31) % 1013) as f32 / 507.0 - 1.0);
            for x in [x.clone(), x.t()] {
                for axis in [&[0][..], &[1], &[0, 1]] {
                    let want = crate::with_threads(1, || x.sum(axis)).unwrap();
                    for threads in [2, 3, 8] {
                        assert_eq!(crate::with_threads(threads, || x.sum(axis)).unwrap(), want, "{dims:?} {axis:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_sums_to_zero_and_has_no_mean() {
        let x = Tensor::<f32>::zeros([0, 2]);
        assert_eq!(x.sum(0), Tensor::from([0.0, 0.0]));
        assert_eq!(x.sum(1), Tensor::zeros([0]));
        assert!(x.mean(..).item().is_nan());
    }

    #[test]
    fn sum_to_undoes_broadcasting() {
        let x = Tensor::from_fn([2, 3, 4], |i| (i[0] * 12 + i[1] * 4 + i[2]) as f64);
        for (shape, reduced) in [([3, 1], [0, 2].as_slice()), ([1, 4], &[0, 1]), ([3, 4], &[0])] {
            assert_eq!(x.clone().sum_to(&Shape::from(shape)).to_vec(), naive(&x, reduced, |x| x.iter().sum::<f64>()));
        }
        assert_eq!(x.clone().sum_to(&Shape::scalar()), x.sum(..));
    }

    #[test]
    #[should_panic(expected = "sum: axis 2 is out of range for [4, 5]: it has -2..=1")]
    fn an_axis_out_of_range_is_named() {
        Tensor::<f32>::zeros([4, 5]).sum(2);
    }

    #[test]
    #[should_panic(expected = "mean: the axes [0, -2] do not fit [4, 5]: name each axis at most once")]
    fn an_axis_named_twice_is_refused() {
        Tensor::<f32>::zeros([4, 5]).mean([0, -2]);
    }
}
