//! Order along one axis.

use crate::buffer::Buffer;
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// NaN is the largest of all, as in PyTorch, and −0 equals 0. Equal elements keep their order, also where the largest
/// come first.
impl<T: Element> Tensor<T> {
    /// The elements in ascending order along `axis`, or descending, and the indices along `axis` from which they come.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (values, indices) = Tensor::from([3.0, 1.0, 2.0, 1.0]).sort(0, false);
    /// assert_eq!(values, Tensor::from([1.0, 1.0, 2.0, 3.0]));
    /// assert_eq!(indices, Tensor::from([1, 3, 2, 0]));
    /// ```
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> (Self, Tensor<i64>) {
        let axis = self.shape().axis("sort", axis).or_panic();
        T::ordered(self, axis, self.dims()[axis], descending)
    }

    /// The indices along `axis` in the order in which their elements ascend, or descend.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([3.0, 1.0, 2.0]).argsort(0, true), Tensor::from([0, 2, 1]));
    /// ```
    #[track_caller]
    pub fn argsort(&self, axis: isize, descending: bool) -> Tensor<i64> {
        let axis = self.shape().axis("argsort", axis).or_panic();
        T::ordered(self, axis, self.dims()[axis], descending).1
    }

    /// The `k` largest elements along `axis`, or the smallest, with their indices: the first is the extreme. Of equal
    /// ones, those with the lowest indices are taken, and come in that order.
    ///
    /// # Panics
    /// The axis is out of range, or has fewer than `k` elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (values, indices) = Tensor::from([3.0, 1.0, 3.0, 2.0]).topk(2, -1, true);
    /// assert_eq!(values, Tensor::from([3.0, 3.0]));
    /// assert_eq!(indices, Tensor::from([0, 2]));
    /// ```
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> (Self, Tensor<i64>) {
        topk(self, k, axis, largest).or_panic()
    }
}

fn topk<T: Element>(x: &Tensor<T>, k: usize, axis: isize, largest: bool) -> Result<(Tensor<T>, Tensor<i64>), Error> {
    let axis = x.shape().axis("topk", axis)?;
    let size = x.dims()[axis];
    if k > size {
        let why =
            format!("{k} elements along axis {axis} of {}, which has {size}: at most that many would do", x.shape());
        return Err(Error::new("topk", Reason::Argument { why }));
    }
    Ok(T::ordered(x, axis, k, largest))
}

/// The first `k` elements along `axis` in ascending or descending order, and where they come from.
pub(crate) fn ordered<T: Element>(x: &Tensor<T>, axis: usize, k: usize, descending: bool) -> (Tensor<T>, Tensor<i64>) {
    let strides = x.layout().strides();
    let again = (0..x.rank()).find(|&other| strides[other] == 0 && x.dims()[other] > 1 && other != axis);
    let mut dims = x.dims().to_vec();
    dims[axis] = k;
    if let Some(other) = again {
        // What is repeated is sorted once.
        let (values, indices) = ordered(&x.narrow(other as isize, 0, 1), axis, k, descending);
        return (values.expand(&dims).copied(), indices.expand(&dims).copied());
    }
    if strides[axis] == 0 {
        // Equal elements keep their order.
        let mut along = vec![1; x.rank()];
        along[axis] = k;
        return (x.narrow(axis as isize, 0, k).copied(), Tensor::arange(k).reshape(along).expand(&dims).copied());
    }
    // The axis becomes the last one, so that what is sorted lies together.
    let rows = x.transpose(axis as isize, -1).contiguous();
    let (rows, mut dims) = (rows.as_slice().expect("made contiguous"), rows.dims().to_vec());
    let Some(last) = dims.last_mut() else { unreachable!("there is an axis") };
    let size = std::mem::replace(last, k);
    let shape = Shape::try_new(&dims).expect("no larger than the input");
    let (mut values, mut indices) = (Buffer::stale(shape.numel()), Buffer::stale(shape.numel()));
    if shape.numel() > 0 {
        let out = (&mut values[..], &mut indices[..]);
        // An element's key and its index are one number. So no two are equal, and of equal elements the lower index comes first.
        if size_of::<T>() <= 4 && u32::try_from(size).is_ok() {
            let flip = if descending { u64::from(u32::MAX) } else { 0 };
            order_rows(rows, size, out, k, |x, i| (x.key() ^ flip) << 32 | i as u64, |key| key as u32 as usize);
        } else {
            let flip = if descending { u64::MAX } else { 0 };
            let pack = |x: T, i: usize| u128::from(x.key() ^ flip) << 64 | i as u128;
            order_rows(rows, size, out, k, pack, |key| key as u64 as usize);
        }
    }
    let back = |axis: usize| axis as isize;
    (
        Tensor::from_buffer(values, shape.clone()).transpose(back(axis), -1),
        Tensor::from_buffer(indices, shape).transpose(back(axis), -1),
    )
}

/// Up to so many keys are kept sorted, while all others go by: few of them are less than the last that is kept.
const FEW: usize = 32;

/// The `k` least keys in order.
fn first_keys<K: Ord + Copy>(mut all: impl Iterator<Item = K>, k: usize, first: &mut Vec<K>) {
    /// How many times as many keys as are kept are sorted in without a branch: of these, many are less than the last.
    const AT_FIRST: usize = 16;
    first.extend(all.by_ref().take(k));
    first.sort_unstable();
    for mut key in all.by_ref().take(AT_FIRST * k) {
        for kept in &mut *first {
            (*kept, key) = ((*kept).min(key), (*kept).max(key));
        }
    }
    let mut last = first[k - 1];
    for key in all {
        if key < last {
            let at = first.partition_point(|kept| *kept < key);
            first.copy_within(at..k - 1, at + 1);
            first[at] = key;
            last = first[k - 1];
        }
    }
}

/// The first `k` elements of each row in the order of their keys.
fn order_rows<T: Element, K: Ord + Copy + Send>(
    rows: &[T],
    size: usize,
    out: (&mut [T], &mut [i64]),
    k: usize,
    pack: impl Fn(T, usize) -> K + Sync,
    index: impl Fn(K) -> usize + Sync,
) {
    let cost = size as f64 + k as f64 * f64::from(size.max(1).ilog2()) * par::SORT;
    par::split_rows(out, [k, k], cost, &|first, values, indices| {
        let mut keys = Vec::with_capacity(size);
        let rows = rows[first * size..].chunks_exact(size);
        for ((row, values), indices) in rows.zip(values.chunks_exact_mut(k)).zip(indices.chunks_exact_mut(k)) {
            keys.clear();
            let all = row.iter().enumerate().map(|(i, &x)| pack(x, i));
            if k <= FEW && k < size {
                first_keys(all, k, &mut keys);
            } else {
                keys.extend(all);
                if k < size {
                    keys.select_nth_unstable(k - 1);
                }
                par::sort(&mut keys[..k]);
            }
            for ((value, at), &key) in values.iter_mut().zip(indices).zip(&keys) {
                let i = index(key);
                (*value, *at) = (row[i], i as i64);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

    /// The oracle: a stable sort of the indices by comparing elements.
    fn naive<T: Element>(row: &[T], descending: bool) -> Vec<i64> {
        let is_nan = |x: T| x.partial_cmp(&x).is_none();
        let compare = |x: T, y: T| x.partial_cmp(&y).unwrap_or_else(|| is_nan(x).cmp(&is_nan(y)));
        let mut order: Vec<i64> = (0..row.len() as i64).collect();
        order.sort_by(|&i, &j| match compare(row[i as usize], row[j as usize]) {
            order if descending => order.reverse(),
            order => order,
        });
        order
    }

    fn check<T: Element>(x: &Tensor<T>, axis: isize) {
        for descending in [false, true] {
            let (values, indices) = x.sort(axis, descending);
            assert_eq!(x.argsort(axis, descending), indices);
            let rows = x.transpose(axis, -1);
            let want: Vec<i64> = rows
                .contiguous()
                .as_slice()
                .unwrap()
                .chunks(x.size(axis).max(1))
                .flat_map(|row| naive(row, descending))
                .collect();
            assert_eq!(indices.transpose(axis, -1).to_vec(), want, "{x:?}");
            same(&values, &x.gather(axis, &indices));
            for k in 0..=x.size(axis) {
                let (first, from) = x.topk(k, axis, descending);
                assert_eq!(from, indices.narrow(axis, 0, k));
                same(&first, &values.narrow(axis, 0, k));
            }
        }
    }

    /// The same elements to the letter: NaN and the signs of zeros too.
    fn same<T: Element>(x: &Tensor<T>, y: &Tensor<T>) {
        assert_eq!(x.shape(), y.shape());
        assert!(x.iter().zip(y).all(|(x, y)| format!("{x:?}") == format!("{y:?}")), "{x:?} {y:?}");
    }

    proptest! {
        #[test]
        fn every_type_is_sorted_stably_along_any_axis(x in any_view(1..4)) {
            // With ties, NaN, infinities and both zeros.
            let odd = [0.0, -0.0, f64::NAN, 1.5, -2.5, f64::INFINITY, f64::NEG_INFINITY, 1e-40];
            let floats = x.map(|i| odd[(i * 5 % 8) as usize]);
            for axis in 0..x.rank() as isize {
                check(&x.map(|i| i * 7 % 5 - 2), axis);
                check(&floats, axis);
                check(&floats.cast::<f32>(), axis);
                check(&x.map(|i| i * 7 % 5 - 2).cast::<i32>(), axis);
                check(&x.map(|i| i * 7 % 5).cast::<u8>(), axis);
                check(&x.map(|i| i % 3 == 0), axis);
            }
        }
    }

    #[test]
    fn what_is_repeated_is_sorted_as_its_copy_is() {
        let x = Tensor::from([[3.0_f32, f32::NAN, -1.0, 3.0]]);
        for x in [x.expand([5, 4]), x.t().expand([4, 5]), x.slice(1, ..1).expand([3, 3]), x.expand([0, 4])] {
            for axis in 0..2 {
                check(&x, axis);
                assert_eq!(x.argsort(axis, true), x.copied().argsort(axis, true));
            }
        }
    }

    #[test]
    fn nan_is_the_largest_and_equal_elements_keep_their_order() {
        let x = Tensor::from([f32::NAN, 1.0, f32::INFINITY, 1.0, -0.0, 0.0]);
        assert_eq!(x.argsort(0, false), Tensor::from([4, 5, 1, 3, 2, 0]));
        assert_eq!(x.argsort(0, true), Tensor::from([0, 2, 1, 3, 4, 5]));
        assert_eq!(x.topk(2, 0, true).1, Tensor::from([0, 2]));
    }

    #[test]
    fn long_rows_and_many_rows_are_shared_among_threads_without_a_trace() {
        for dims in [[2, 100_000], [3000, 50]] {
            let x = Tensor::from_fn(dims, |i| ((i[0] * 7919 + i[1] * 104_729) % 10_007) as f32);
            let (values, indices) = crate::with_threads(1, || x.sort(1, true)).unwrap();
            assert_eq!(crate::with_threads(3, || x.sort(1, true)).unwrap(), (values.clone(), indices));
            assert!(values.axis_iter(0).all(|row| row.as_slice().unwrap().is_sorted_by(|x, y| x >= y)));
            assert_eq!(x.topk(30, 1, true).0, values.narrow(1, 0, 30));
        }
    }
}
