//! Elements by number: one index for each element of the result.

use crate::buffer::Buffer;
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Line, Row};
use crate::layout::Layout;
use crate::ops::index::check;
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::{Walk, moved};

impl<T: Element> Tensor<T> {
    /// For each entry of `indices`, the element at that index of `axis` and at the entry's own place along the others:
    /// for axis 0 of a matrix, yᵢⱼ = x\[indicesᵢⱼ, j].
    ///
    /// The result has the shape of `indices`, which may be smaller than this one.
    ///
    /// # Panics
    /// The axis is out of range, `indices` has another rank or is larger along another axis, or an index is negative or
    /// not below the axis's size.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// let picked = x.gather(1, &Tensor::from([[2, 2], [0, 1]]));
    /// assert_eq!(picked, Tensor::from([[3, 3], [4, 5]]));
    /// ```
    #[track_caller]
    pub fn gather(&self, axis: isize, indices: &Tensor<i64>) -> Self {
        T::gather(self, axis, indices).or_panic()
    }

    /// For each entry of `indices`, the element at that row-major position, whatever the shape; the result has the shape
    /// of `indices`.
    ///
    /// # Panics
    /// An index is negative or not below the number of elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.take(&Tensor::from([5, 0])), Tensor::from([6, 1]));
    /// ```
    #[track_caller]
    pub fn take(&self, indices: &Tensor<i64>) -> Self {
        T::take(self, indices).or_panic()
    }
}

pub(crate) fn take<T: Element>(x: &Tensor<T>, indices: &Tensor<i64>) -> Result<Tensor<T>, Error> {
    check("take", indices, x.numel())?;
    let x = x.contiguous();
    let line = Line { at: x.layout().offset(), step: 0, stride: 1 };
    let lines = Layout::contiguous(Shape::scalar()).broadcast_to(indices.shape())?;
    Ok(pick(x.storage(), line, &lines, indices))
}

pub(crate) fn gather<T: Element>(x: &Tensor<T>, axis: isize, indices: &Tensor<i64>) -> Result<Tensor<T>, Error> {
    let axis = x.shape().axis("gather", axis)?;
    fits("gather", x.shape(), axis, indices.shape())?;
    check("gather", indices, x.dims()[axis])?;
    let line = Line { at: 0, step: 0, stride: x.layout().strides()[axis] };
    Ok(pick(x.storage(), line, &lines(x.layout(), axis, indices.shape())?, indices))
}

/// The element at each index of its line; `lines` says where these begin.
fn pick<T: Element>(data: &[T], line: Line, lines: &Layout, indices: &Tensor<i64>) -> Tensor<T> {
    let indices = indices.readable();
    let mut out = Buffer::stale(indices.numel());
    let walk = Walk::new([indices.layout(), lines]);
    let ([index_stride, step], pitches) = (walk.row_strides(), walk.pitches());
    par::split(&mut out, 1, par::RANDOM, |start, out| {
        walk.blocks(start..start + out.len(), usize::MAX, false, &mut |flat, rows, at| {
            let len = flat.len() / rows;
            let rows = out[flat.start - start..flat.end - start].chunks_exact_mut(len);
            for (i, out) in rows.enumerate() {
                let [index_at, at] = moved(at, i, pitches);
                let index = Row::new(indices.storage(), index_at, index_stride, len);
                kernel::gather_row(data, Line { at: line.at + at, step, ..line }, index, out);
            }
        });
    });
    Tensor::from_buffer(out, indices.shape().clone())
}

/// An error unless `indices` has the rank of a tensor of `shape` and is no larger along the other axes than `axis`.
pub(super) fn fits(op: &'static str, shape: &Shape, axis: usize, indices: &Shape) -> Result<(), Error> {
    let mut sizes = shape.dims().iter().zip(indices.dims()).enumerate();
    if shape.rank() == indices.rank() && sizes.all(|(a, (size, index))| a == axis || index <= size) {
        return Ok(());
    }
    let why = format!("indices {indices} do not fit {shape} along axis {axis}: the same rank, and sizes that are no");
    Err(Error::new(op, Reason::Argument { why: format!("{why} larger along the other axes, would") }))
}

/// For each entry of an index tensor of `shape`, where the line begins from which it takes an element: the elements along `axis` at
/// the entry's place along all other axes.
pub(super) fn lines(layout: &Layout, axis: usize, shape: &Shape) -> Result<Layout, Error> {
    let mut lines = layout.clone();
    for (a, (&size, &wanted)) in layout.shape().dims().iter().zip(shape.dims()).enumerate() {
        // An axis without indices: either there are no entries, or they have been refused.
        let end = if a == axis { size.min(1) } else { wanted };
        lines = lines.slice(a as isize, 0, end, 1)?;
    }
    if shape.numel() == 0 { Ok(Layout::contiguous(shape.clone())) } else { lines.broadcast_to(shape) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{any_view, view};

    /// A tensor and, for one of its axes, index tensors that fit it.
    fn cases() -> impl Strategy<Value = (Tensor<i64>, usize, Tensor<i64>)> {
        (any_view(1..5), any::<u32>(), prop::collection::vec(0usize..5, 4)).prop_flat_map(|(x, axis, sizes)| {
            let axis = axis as usize % x.rank();
            let own = |(a, &size): (usize, &usize)| if a == axis { sizes[a] } else { sizes[a].min(size) };
            let mut dims: Vec<usize> = x.dims().iter().enumerate().map(own).collect();
            let size = x.dims()[axis] as i64;
            if size == 0 {
                dims[axis] = 0;
            }
            let indices = view(dims).prop_map(move |counts| counts.map(|i| i * 7 % size.max(1)));
            (Just(x), Just(axis), indices)
        })
    }

    proptest! {
        #[test]
        fn gather_agrees_with_its_definition((x, axis, indices) in cases()) {
            let want = Tensor::from_fn(indices.shape(), |index| {
                let mut at = index.to_vec();
                at[axis] = indices.get(index).unwrap() as usize;
                x.get(&at).unwrap()
            });
            prop_assert_eq!(x.gather(axis as isize, &indices), want);
        }

        #[test]
        fn take_counts_in_row_major_order(x in any_view(0..4), indices in any_view(0..3)) {
            prop_assume!(x.numel() > 0);
            let indices = &indices.map(|i| i * 5) - &(indices.map(|i| i * 5 / x.numel() as i64) * x.numel() as i64);
            let flat = x.to_vec();
            prop_assert_eq!(x.take(&indices), indices.map(|i| flat[i as usize]));
        }
    }

    #[test]
    fn one_index_for_a_whole_row_is_read_once_from_broadcast_indices() {
        let x = Tensor::<i64>::arange(12).reshape([3, 4]);
        let indices = Tensor::from([[2], [0]]).expand([2, 4]);
        assert_eq!(x.gather(0, &indices), x.index_select(0, &Tensor::from([2, 0])));
    }

    #[test]
    fn large_tensors_are_shared_among_threads_without_a_trace() {
        let x = Tensor::<i64>::arange(500 * 400).reshape([500, 400]);
        let indices = x.map(|i| i * 7919 % 400);
        let want = Tensor::from_fn([500, 400], |i| i[0] as i64 * 400 + indices.get(i).unwrap());
        for threads in [1, 3] {
            assert_eq!(crate::with_threads(threads, || x.gather(1, &indices)).unwrap(), want);
        }
    }

    #[test]
    #[should_panic(expected = "gather: index 3 (entry 1 of the indices) is out of range: 0 ≤ index < 3")]
    fn an_index_out_of_range_is_named() {
        Tensor::<f32>::zeros([2, 3]).gather(1, &Tensor::from([[0, 3]]));
    }
}
