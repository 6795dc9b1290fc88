//! Sums and means over any axes.

use std::ops::RangeFull;

use crate::buffer::Buffer;
use crate::dims::Dims;
use crate::element::{Float, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Row};
use crate::layout::Layout;
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

/// The axes of a reduction: `..` for all of them, one such as `0` or `-1`, several as `[0, 2]`; wrapped in
/// [`keepdim`], the reduced axes stay with size 1.
pub trait Axes {
    /// Calls `push` with each axis; returns false where every axis is meant.
    #[doc(hidden)]
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool;

    #[doc(hidden)]
    const KEEP: bool = false;
}

impl Axes for RangeFull {
    fn each(&self, _: &mut dyn FnMut(isize)) -> bool {
        false
    }
}

impl Axes for isize {
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        push(*self);
        true
    }
}

impl<A: Axes> Axes for &A {
    const KEEP: bool = A::KEEP;

    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        (**self).each(push)
    }
}

impl Axes for &[isize] {
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        self.iter().for_each(|&axis| push(axis));
        true
    }
}

impl<const N: usize> Axes for [isize; N] {
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        self.as_slice().each(push)
    }
}

/// Axes that stay with size 1 when they are reduced; made by [`keepdim`].
#[derive(Clone, Copy, Debug)]
pub struct KeepDim<A>(A);

impl<A: Axes> Axes for KeepDim<A> {
    const KEEP: bool = true;

    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        self.0.each(push)
    }
}

/// The same axes, kept with size 1 by the reduction, so that its result broadcasts against its input.
///
/// # Example
/// ```
/// use tensor::{Tensor, keepdim};
///
/// let x = Tensor::from([[1.0, 3.0], [2.0, 6.0]]);
/// assert_eq!(&x - x.mean(keepdim(-1)), Tensor::from([[-1.0, 1.0], [-2.0, 2.0]]));
/// ```
pub fn keepdim<A: Axes>(axes: A) -> KeepDim<A> {
    KeepDim(axes)
}

impl Shape {
    /// This shape with `axes` reduced to size 1.
    ///
    /// # Errors
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Shape;
    ///
    /// assert_eq!(Shape::from([32, 200]).reduced(-1)?.dims(), [32, 1]);
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn reduced(&self, axes: impl Axes) -> Result<Shape, Error> {
        Ok(kept(self, &reduced("reduced", self, &axes)?))
    }
}

impl<T: Number> Tensor<T> {
    /// The sum over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`.
    ///
    /// Floats are summed pairwise, in an order that depends on the shape and strides alone. A sum of nothing is 0.
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
        let reduced = reduced("sum", self.shape(), &axes).or_panic();
        sum(self, &reduced, A::KEEP)
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
        if self.shape() == shape {
            return self;
        }
        // Fails unless the shape broadcasts.
        Layout::contiguous(shape.clone()).broadcast_in("sum_to", self.shape()).or_panic();
        let new = self.rank() - shape.rank();
        let grown = |(axis, &size): (usize, &usize)| axis < new || (shape.dims()[axis - new] == 1 && size != 1);
        let reduced: Dims<bool> = self.dims().iter().enumerate().map(grown).collect();
        sum(&self, &reduced, true).reshape(shape)
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
        let reduced = reduced("mean", self.shape(), &axes).or_panic();
        let count = self.dims().iter().zip(&*reduced).filter(|(_, reduced)| **reduced);
        let count: usize = count.map(|(&size, _)| size).product();
        sum(self, &reduced, A::KEEP) / T::from_f64(count as f64)
    }
}

/// Whether each axis is reduced.
fn reduced(op: &'static str, shape: &Shape, axes: &impl Axes) -> Result<Dims<bool>, Error> {
    let mut named = Dims::<isize>::new();
    if !axes.each(&mut |axis| named.push(axis)) {
        return Ok(Dims::filled(true, shape.rank()));
    }
    let mut reduced = Dims::filled(false, shape.rank());
    for &axis in &*named {
        let index = shape.axis(op, axis)?;
        if std::mem::replace(&mut reduced[index], true) {
            let (axes, shape) = (named.to_vec(), shape.clone());
            return Err(Error::new(op, Reason::Axes { axes, shape, rule: "name each axis at most once" }));
        }
    }
    Ok(reduced)
}

fn sum<T: Number>(x: &Tensor<T>, reduced: &[bool], keep: bool) -> Tensor<T> {
    let mut left: Dims<bool> = reduced.iter().copied().collect();
    let mut total = x.clone();
    while let Some(last) = left.iter().rposition(|&reduced| reduced) {
        // Neighbours that run on evenly in memory are one axis.
        let mut first = last;
        let (dims, strides) = (total.dims(), total.layout().strides());
        while first > 0 && left[first - 1] && strides[first - 1] == strides[first].wrapping_mul(dims[first] as isize) {
            first -= 1;
        }
        total = sum_run(&total, first, last);
        left = left.iter().enumerate().filter(|(axis, _)| !(first..=last).contains(axis)).map(|(_, &r)| r).collect();
    }
    if !keep {
        // Also where no axis was named.
        return total;
    }
    total.reshape(kept(x.shape(), reduced))
}

/// The shape in which the reduced axes have size 1.
fn kept(shape: &Shape, reduced: &[bool]) -> Shape {
    let kept = shape.dims().iter().zip(reduced).map(|(&size, &reduced)| if reduced { 1 } else { size });
    Shape::checked(kept.collect()).expect("a reduction has no larger shape than its input")
}

/// The sum over the axes from `first` to `last`, which lie evenly in memory; they are dropped.
fn sum_run<T: Number>(x: &Tensor<T>, first: usize, last: usize) -> Tensor<T> {
    let others: Dims<usize> = (0..x.rank()).filter(|axis| !(first..=last).contains(axis)).collect();
    let kept = x.layout().reorder(&others);
    let count: usize = x.dims()[first..=last].iter().product();
    let step = x.layout().strides()[last];
    let mut out = Buffer::stale(kept.shape().numel());
    if count == 0 {
        out.fill(T::ZERO);
        return Tensor::from_buffer(out, kept.shape().clone());
    }
    let data = x.storage();
    let walk = Walk::new([&kept]);
    let [stride] = walk.row_strides();
    // Neighbours in the result are neighbours in memory: add whole rows. Settled here, for all tasks alike: the two ways
    // add in different orders.
    let whole_rows = stride == 1 && step != 1;
    par::split(&mut out, 1, count as f64 * par::STREAM, |start, out| {
        walk.rows(start..start + out.len(), |flat, [at]| {
            let out = &mut out[flat.start - start..flat.end - start];
            let offset = |i: usize, step: isize| at.wrapping_add_signed(i as isize * step);
            if whole_rows {
                let len = out.len();
                kernel::add_rows(out, count, &|i| &data[offset(i, step)..][..len]);
            } else {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = kernel::sum(Row::new(data, offset(i, stride), step, count), count);
                }
            }
        });
    });
    Tensor::from_buffer(out, kept.shape().clone())
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    /// The oracle: every element added to the sum that its index belongs to.
    fn naive(x: &Tensor<f64>, reduced: &[usize]) -> Vec<f64> {
        let kept: Vec<usize> = (0..x.rank()).filter(|axis| !reduced.contains(axis)).collect();
        let mut sums = vec![0.0; kept.iter().map(|&axis| x.dims()[axis]).product()];
        Tensor::from_fn(x.shape(), |index| {
            let at = kept.iter().fold(0, |at, &axis| at * x.dims()[axis] + index[axis]);
            sums[at] += x.get(index).unwrap();
            0u8
        });
        sums
    }

    #[test]
    fn equals_the_naive_sum_over_any_axes_and_strides() {
        let base = Tensor::from_fn([4, 5, 6], |i| (i[0] * 30 + i[1] * 6 + i[2]) as f64 / 7.0 - 3.0);
        let views = [
            base.clone(),
            base.permute(&[2, 0, 1]),
            base.transpose(0, 1),
            base.slice(1, 1..4).slice_step(2, .., 2),
            base.slice(0, 0..1).expand([3, 5, 6]),
            base.slice(1, 2..2),
        ];
        let sets: [&[isize]; 8] = [&[], &[0], &[1], &[2], &[0, 1], &[-1, 0], &[1, 2], &[0, 1, 2]];
        for x in &views {
            for axes in sets {
                let reduced: Vec<usize> = axes.iter().map(|&axis| axis.rem_euclid(3) as usize).collect();
                let want = naive(x, &reduced);
                let got = x.sum(axes);
                assert_eq!(got.rank(), 3 - axes.len());
                for (got, want) in got.iter().zip(&want) {
                    assert_relative_eq!(got, *want, max_relative = 1e-12);
                }
                assert_eq!(x.sum(keepdim(axes)).to_vec(), got.to_vec());
                assert_eq!(x.sum(keepdim(axes)).rank(), 3);
                let count: usize = reduced.iter().map(|&axis| x.dims()[axis]).product();
                if count > 0 {
                    for (got, want) in x.mean(axes).iter().zip(&want) {
                        assert_relative_eq!(got, want / count as f64, max_relative = 1e-12);
                    }
                }
            }
            assert_eq!(x.sum(..).rank(), 0);
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
        for dims in [[200_000, 3], [1000, 401], [200, 2001], [40_000, 11], [3, 200_001]] {
            let x = Tensor::from_fn(dims, |i| ((i[0] * 7919 + i[1] * 31) % 1013) as f32 / 507.0 - 1.0);
            for x in [x.clone(), x.t()] {
                for axis in [0, 1] {
                    let want = crate::with_threads(1, || x.sum(axis)).unwrap();
                    for threads in [2, 3, 8] {
                        assert_eq!(crate::with_threads(threads, || x.sum(axis)).unwrap(), want, "{dims:?} {axis}");
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
        for (shape, reduced) in [([3, 1], vec![0, 2]), ([1, 4], vec![0, 1]), ([3, 4], vec![0])] {
            assert_eq!(x.clone().sum_to(&Shape::from(shape)).to_vec(), naive(&x, &reduced));
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
