//! Running sums and products along one axis.

use crate::element::Number;
use crate::error::{Error, OrPanic};
use crate::kernel::{self, Join, RunningProduct, RunningSum};
use crate::par;
use crate::tensor::Tensor;

impl<T: Number> Tensor<T> {
    /// The running sums along `axis`: yᵢ = x₀ + … + xᵢ. Those of f32 are carried in f64. Integers stay of their
    /// type, as in [`sum`](Self::sum).
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.cumsum(1), Tensor::from([[1, 3, 6], [4, 9, 15]]));
    /// assert_eq!(x.cumsum(0), Tensor::from([[1, 2, 3], [5, 7, 9]]));
    /// ```
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Self {
        T::running("cumsum", self, axis, Running::Sum).or_panic()
    }

    /// The running products along `axis`: yᵢ = x₀ · … · xᵢ. Those of f32 are carried in f64.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2, 3, 4]).cumprod(0), Tensor::from([1, 2, 6, 24]));
    /// ```
    #[track_caller]
    pub fn cumprod(&self, axis: isize) -> Self {
        T::running("cumprod", self, axis, Running::Product).or_panic()
    }
}

/// What runs along an axis.
#[derive(Clone, Copy)]
pub enum Running {
    Sum,
    Product,
}

pub(crate) fn scan<T: Number>(op: &'static str, x: &Tensor<T>, axis: isize, join: Running) -> Result<Tensor<T>, Error> {
    match join {
        Running::Sum => scan_by(op, x, axis, RunningSum),
        Running::Product => scan_by(op, x, axis, RunningProduct),
    }
}

fn scan_by<T: Number>(op: &'static str, x: &Tensor<T>, axis: isize, join: impl Join<T>) -> Result<Tensor<T>, Error> {
    /// What an element costs, in nanoseconds: one addition after the other, four lines at once.
    const COST: f64 = 0.5;
    let axis = x.shape().axis(op, axis)?;
    let mut x = x.copied();
    if x.numel() == 0 {
        return Ok(x);
    }
    let (len, inner) = (x.dims()[axis], x.dims()[axis + 1..].iter().product::<usize>());
    par::split(x.as_mut_slice(), len * inner, COST, |_, x| {
        if inner == 1 {
            return kernel::scan_rows(x, len, join);
        }
        for x in x.chunks_exact_mut(len * inner) {
            kernel::scan_columns(x, inner, join);
        }
    });
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::reduce::tests::views;

    #[test]
    fn agree_with_the_definition_along_any_axis_and_strides() {
        let base = Tensor::from_fn([4, 5, 6], |i| (i[0] * 30 + i[1] * 6 + i[2]) as i64 % 13 - 6);
        for x in views(&base) {
            for axis in [0, 1, 2, -1] {
                let (sums, products) = (x.cumsum(axis), x.cumprod(axis));
                for i in 0..x.size(axis) {
                    let part = x.slice(axis, ..i + 1);
                    assert_eq!(sums.select(axis, i), part.sum(axis));
                    assert_eq!(products.select(axis, i), part.prod(axis));
                }
            }
        }
        assert_eq!(Tensor::<f32>::zeros([0, 3]).cumsum(0).dims(), [0, 3]);
    }

    #[test]
    fn long_sums_keep_their_digits() {
        let x = Tensor::<f32>::full([300_001], 0.1);
        let last = x.cumsum(0).get(&[300_000]).unwrap();
        assert!((last - 30_000.1).abs() < 0.004, "{last}");
    }

    #[test]
    fn a_product_that_is_zero_stays_zero() {
        let mut x = Tensor::<f32>::full([300], 1e4);
        x.as_mut_slice()[3] = 0.0;
        assert_eq!(x.cumprod(0).slice(0, 3..).sum(..).item(), 0.0);
    }
}
