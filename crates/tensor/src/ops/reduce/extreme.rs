//! The smallest and the largest element, and where they are.

use super::{Axes, Fold, Over, over, read};
use crate::buffer::Buffer;
use crate::dims::Dims;
use crate::element::Number;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Run};
use crate::ops::order::{memory_order, out_of_order, reordered};
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

impl<T: Number> Tensor<T> {
    /// The smallest element over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`. A NaN among them is the
    /// result.
    ///
    /// # Panics
    /// An axis is out of range or named twice, or there is nothing to choose from.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[3, 1, 2], [4, 6, 5]]);
    /// assert_eq!(x.min(1), Tensor::from([1, 4]));
    /// assert_eq!(x.min(..).item(), 1);
    /// ```
    #[track_caller]
    pub fn min<A: Axes>(&self, axes: A) -> Self {
        let over = over("min", self.shape(), &axes).or_panic();
        expect_some("min", self.shape(), &over).or_panic();
        T::fold(self, &over, Fold::Smallest)
    }

    /// The largest element over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`. A NaN among them is the
    /// result.
    ///
    /// # Panics
    /// An axis is out of range or named twice, or there is nothing to choose from.
    ///
    /// # Example
    /// ```
    /// use tensor::{Tensor, keepdim};
    ///
    /// let x = Tensor::from([[3, 1, 2], [4, 6, 5]]);
    /// assert_eq!(x.max(keepdim(0)), Tensor::from([[4, 6, 5]]));
    /// assert!(Tensor::from([1.0, f32::NAN]).max(..).item().is_nan());
    /// ```
    #[track_caller]
    pub fn max<A: Axes>(&self, axes: A) -> Self {
        let over = over("max", self.shape(), &axes).or_panic();
        expect_some("max", self.shape(), &over).or_panic();
        T::fold(self, &over, Fold::Largest)
    }

    /// The index of the smallest element along one axis, or in row-major order of all with `..`. The first of equals; of
    /// NaNs, the first.
    ///
    /// # Panics
    /// The axis is out of range, several but not all are named, or there is nothing to choose from.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[3, 1, 1], [4, 6, 5]]);
    /// assert_eq!(x.argmin(1), Tensor::from([1, 0]));
    /// assert_eq!(x.argmin(..).item(), 1);
    /// ```
    #[track_caller]
    pub fn argmin<A: Axes>(&self, axis: A) -> Tensor<i64> {
        T::arg("argmin", self, &over("argmin", self.shape(), &axis).or_panic(), false).or_panic()
    }

    /// The index of the largest element along one axis, or in row-major order of all with `..`. The first of equals; of
    /// NaNs, the first.
    ///
    /// # Panics
    /// The axis is out of range, several but not all are named, or there is nothing to choose from.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[3, 1, 2], [4, 6, 5]]);
    /// assert_eq!(x.argmax(1), Tensor::from([0, 1]));
    /// assert_eq!(x.argmax(..).item(), 4);
    /// ```
    #[track_caller]
    pub fn argmax<A: Axes>(&self, axis: A) -> Tensor<i64> {
        T::arg("argmax", self, &over("argmax", self.shape(), &axis).or_panic(), true).or_panic()
    }

    /// The smallest elements along one axis, and the index of each: the first, if several are equal. A NaN is smaller than
    /// all numbers.
    ///
    /// # Panics
    /// The axis is out of range or has no indices.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (least, at) = Tensor::from([[3, 1, 2], [4, 6, 5]]).min_with_indices(1);
    /// assert_eq!((least, at), (Tensor::from([1, 4]), Tensor::from([1, 0])));
    /// ```
    #[track_caller]
    pub fn min_with_indices(&self, axis: isize) -> (Self, Tensor<i64>) {
        let at = T::arg("min_with_indices", self, &over("min_with_indices", self.shape(), &axis).or_panic(), false);
        picked(self, axis, at.or_panic())
    }

    /// The largest elements along one axis, and the index of each: the first, if several are equal. A NaN is larger than all
    /// numbers.
    ///
    /// # Panics
    /// The axis is out of range or has no indices.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (most, at) = Tensor::from([[3, 1, 2], [4, 6, 5]]).max_with_indices(1);
    /// assert_eq!((most, at), (Tensor::from([3, 6]), Tensor::from([0, 1])));
    /// ```
    #[track_caller]
    pub fn max_with_indices(&self, axis: isize) -> (Self, Tensor<i64>) {
        let at = T::arg("max_with_indices", self, &over("max_with_indices", self.shape(), &axis).or_panic(), true);
        picked(self, axis, at.or_panic())
    }
}

/// The elements at these indices of an axis, which is dropped.
fn picked<T: Number>(x: &Tensor<T>, axis: isize, at: Tensor<i64>) -> (Tensor<T>, Tensor<i64>) {
    let axis = if axis < 0 { axis + x.rank() as isize } else { axis };
    (x.gather(axis, &at.unsqueeze(axis)).squeeze(axis), at)
}

/// An error if there are results, but no elements to choose from.
fn expect_some(op: &'static str, shape: &Shape, over: &Over) -> Result<(), Error> {
    if over.shape(shape).numel() > 0 && over.count(shape) == 0 {
        return Err(Error::new(op, Reason::Nothing { shape: shape.clone() }));
    }
    Ok(())
}

/// Elements of a vector that are searched by one task.
const SEARCHED_AT_ONCE: usize = 1 << 16;

/// Where the largest or the smallest element is.
pub(crate) fn arg<T: Number>(
    op: &'static str,
    x: &Tensor<T>,
    over: &Over,
    largest: bool,
) -> Result<Tensor<i64>, Error> {
    expect_some(op, x.shape(), over)?;
    let shape = over.shape(x.shape());
    if over.reduced.iter().all(|&reduced| reduced) {
        let flat = x.reshape(x.numel());
        return Ok(Tensor::full(shape, flat_arg(&flat, largest)));
    }
    let axes: Vec<isize> = (0..x.rank()).filter(|&axis| over.reduced[axis]).map(|axis| axis as isize).collect();
    match axes[..] {
        [axis] => Ok(along(x, axis as usize, largest).reshape(shape)),
        _ => {
            let rule = "name one axis, or all of them with `..`";
            Err(Error::new(op, Reason::Axes { axes, shape: x.shape().clone(), rule }))
        }
    }
}

/// Where in a vector the best element is. Of a long one, the best of the best of its pieces.
fn flat_arg<T: Number>(x: &Tensor<T>, largest: bool) -> i64 {
    let (len, whole) = (x.numel(), x.numel() / SEARCHED_AT_ONCE);
    if whole < 2 {
        return along(x, 0, largest).item();
    }
    let x = x.contiguous();
    let pieces = along(&x.narrow(0, 0, whole * SEARCHED_AT_ONCE).reshape([whole, SEARCHED_AT_ONCE]), 1, largest);
    let rest = x.narrow(0, whole * SEARCHED_AT_ONCE, len - whole * SEARCHED_AT_ONCE);
    let rest = (rest.numel() > 0).then(|| along(&rest, 0, largest).item());
    let mut at: Vec<i64> =
        pieces.iter().chain(rest).enumerate().map(|(i, at)| (i * SEARCHED_AT_ONCE) as i64 + at).collect();
    let best: Tensor<T> = at.iter().map(|&at| x.get(&[at as usize]).expect("found in it")).collect();
    at.swap_remove(flat_arg(&best, largest) as usize)
}

/// Where along an axis the best element is.
fn along<T: Number>(x: &Tensor<T>, axis: usize, largest: bool) -> Tensor<i64> {
    let others: Dims<usize> = (0..x.rank()).filter(|&other| other != axis).collect();
    let kept = x.layout().reorder(&others);
    let order = memory_order(&[&kept]);
    let kept = reordered(&kept, &order);
    let (len, step) = (x.dims()[axis], x.layout().strides()[axis]);
    let walk = Walk::new([&kept]);
    let [stride] = walk.row_strides();
    let mut out = Buffer::stale(kept.shape().numel());
    par::split(&mut out, 1, len as f64 * 2.0 * read::<T>(), |start, out| {
        walk.rows(start..start + out.len(), |flat, [at]| {
            let run = Run { data: x.storage(), at, step, len };
            kernel::arg(largest, run, stride, &mut out[flat.start - start..flat.end - start]);
        });
    });
    out_of_order(Tensor::from_buffer(out, kept.shape().clone()), &order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::reduce::tests::{base, naive, sets, views};

    /// The oracles: the first element that no other beats, where a NaN beats all numbers.
    fn first(x: &[f64], beats: impl Fn(f64, f64) -> bool) -> usize {
        let beaten =
            |i: usize, x: &[f64]| x.iter().any(|&other| !x[i].is_nan() && (other.is_nan() || beats(other, x[i])));
        (0..x.len()).find(|&i| !beaten(i, x)).unwrap()
    }

    fn same(got: f64, want: f64) -> bool {
        got == want || (got.is_nan() && want.is_nan())
    }

    #[test]
    fn agree_with_the_definition_over_any_axes_and_strides() {
        let ties = base().map(|x| (x * 1.3).round());
        let nans = base().map(|x| if (x * 7.0).round() % 11.0 == 0.0 { f64::NAN } else { -x });
        for x in [base(), ties, nans].iter().flat_map(views).filter(|x| x.numel() > 0) {
            for axes in sets() {
                let (least, most) = (|a: f64, b: f64| a < b, |a: f64, b: f64| a > b);
                let want = naive(&x, axes, |x| (x[first(x, least)], x[first(x, most)]));
                let (min, max) = (x.min(axes), x.max(axes));
                for (got, want) in min.iter().zip(max.iter()).zip(want) {
                    assert!(same(got.0, want.0) && same(got.1, want.1));
                }
                if axes.len() == 1 {
                    assert_eq!(x.argmin(axes).to_vec(), naive(&x, axes, |x| first(x, least) as i64));
                    assert_eq!(x.argmax(axes).to_vec(), naive(&x, axes, |x| first(x, most) as i64));
                }
            }
            assert_eq!(x.argmax(..).item() as usize, first(&x.to_vec(), |a, b| a > b));
            assert_eq!(x.argmin(..).item() as usize, first(&x.to_vec(), |a, b| a < b));
        }
    }

    #[test]
    fn the_first_of_equals_is_found_in_vectors_of_any_length() {
        for len in (1..=20).chain([31, 32, 33, 64, 65, 2047, 2048, 2049, 5000, 131_072, 200_001]) {
            for at in [0, len / 3, len / 2, len - 1] {
                let mut x = Tensor::from_fn([len], |i| (i[0] % 97) as f32);
                for (value, least) in [(-1.0, true), (100.0, false), (f32::NAN, false), (f32::NAN, true)] {
                    x.as_mut_slice()[at] = value;
                    x.as_mut_slice()[len - 1] = value;
                    let twice = Tensor::from_fn([len, 2], |i| x.get(&i[..1]).unwrap());
                    for x in [x.clone(), twice.select(1, 1)] {
                        let got = if least { x.argmin(0) } else { x.argmax(..) };
                        assert_eq!(got.item(), at as i64, "{len}");
                    }
                    assert_eq!(if least { twice.argmin(0) } else { twice.argmax(0) }.to_vec(), [at as i64; 2]);
                }
            }
        }
    }

    #[test]
    fn integers_have_extremes_and_products_too() {
        let x = Tensor::from([[3_u8, 200, 7], [3, 0, 9]]);
        assert_eq!((x.min(0).to_vec(), x.max(1).to_vec()), (vec![3, 0, 7], vec![200, 9]));
        assert_eq!((x.argmin(0).to_vec(), x.argmax(1).to_vec()), (vec![0, 1, 0], vec![1, 2]));
    }

    #[test]
    fn without_results_nothing_is_chosen() {
        let x = Tensor::<f32>::zeros([0, 3]);
        assert_eq!((x.max(1).dims(), x.argmax(1).dims()), (&[0][..], &[0][..]));
        assert_eq!(Tensor::<f32>::zeros([0, 0]).min(0).dims(), [0]);
    }

    #[test]
    fn threads_leave_no_trace() {
        for dims in [[1, 700_000], [700, 1001], [100_000, 9]] {
            let x = Tensor::from_fn(dims, |i| ((i[0] * 7919 + i[1] * 31) % 10_007) as f32);
            let all = || (x.argmax(..), x.argmin(0), x.argmax(1), x.t().argmax(..));
            let want = crate::with_threads(1, all).unwrap();
            for threads in [2, 3, 8] {
                assert_eq!(crate::with_threads(threads, all).unwrap(), want, "{dims:?}");
            }
        }
    }
}
