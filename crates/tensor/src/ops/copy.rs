//! Copying the elements of any layout into row-major order.

use std::borrow::Cow;
use std::ops::Range;

use crate::buffer::Buffer;
use crate::dims::Dims;
use crate::element::Element;
use crate::error::Error;
use crate::kernel::{self, Lines, Plane};
use crate::layout::Layout;
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

impl<T: Element> Tensor<T> {
    /// The elements in row-major order in storage of their own.
    pub(crate) fn copied(&self) -> Self {
        let mut out = Buffer::stale(self.numel());
        T::copy_into(self, &mut out);
        Tensor::from_buffer(out, self.shape().clone())
    }

    /// This tensor, or a copy of it, so that its rows are neighbours in memory or one element repeated, as loops over indices and masks
    /// need them.
    pub(super) fn readable(&self) -> Cow<'_, Self> {
        if self.layout().has_rows() { Cow::Borrowed(self) } else { Cow::Owned(self.copied()) }
    }

    /// As [`readable`](Self::readable), expanded to `shape`.
    pub(super) fn readable_as(&self, shape: &Shape) -> Result<Self, Error> {
        let wide = self.view(self.layout().broadcast_to(shape)?);
        if wide.layout().has_rows() {
            return Ok(wide);
        }
        let copy = self.copied();
        Ok(copy.view(copy.layout().broadcast_to(shape)?))
    }
}

impl<T: Element> Tensor<T> {
    /// The elements at `layout`, one of this tensor's that may be broadcast; copied where neighbours in memory lie along another axis than
    /// the last, as to read each from another cache line takes longer than to transpose them before.
    pub(super) fn readable_at(&self, layout: Layout) -> Self {
        if Planes::new(&layout).is_none() {
            return self.view(layout);
        }
        // What is repeated is copied once.
        let copy = self.view(layout.once()).copied();
        let wide = copy.layout().broadcast_to(layout.shape()).expect("sizes of 1 broadcast");
        copy.into_view(wide)
    }
}

/// Writes all elements in row-major order.
pub(crate) fn copy_into<T: Element>(x: &Tensor<T>, out: &mut [T]) {
    let data = x.storage();
    if let Some(planes) = Planes::new(x.layout()) {
        // A task has whole blocks of planes.
        let unit = kernel::TRANSPOSED_SIDE * planes.pitch;
        par::split(out, unit, par::STREAM, |start, out| planes.copy(data, start, out));
        return;
    }
    let walk = Walk::new([x.layout()]);
    par::split(out, 1, par::STREAM, |start, out| copy_run(&walk, data, start, out));
}

/// Writes the elements from the row-major position `start` on that fit `out`.
pub(super) fn copy_run<T: Copy>(walk: &Walk<1>, data: &[T], start: usize, out: &mut [T]) {
    let ([stride], [pitch]) = (walk.row_strides(), walk.pitches());
    walk.blocks(start..start + out.len(), usize::MAX, false, &mut |flat, rows, [at]| {
        let len = flat.len() / rows;
        let out = &mut out[flat.start - start..flat.end - start];
        kernel::copy_rows(data, Lines { at, pitch, stride }, out, Lines::of(len), rows, len);
    });
}

/// Writes the elements of the row-major positions `range`, where in `out` the first layout of the walk says, from where in `data` the second
/// does; `out` begins `before` elements after what that layout is of.
pub(super) fn copy_to<T: Copy>(walk: &Walk<2>, range: Range<usize>, data: &[T], out: &mut [T], before: usize) {
    let (strides, pitches) = (walk.row_strides(), walk.pitches());
    walk.blocks(range, usize::MAX, false, &mut |flat, rows, [to, at]| {
        let [to, from] = [(to - before, 0), (at, 1)].map(|(at, i)| Lines { at, pitch: pitches[i], stride: strides[i] });
        kernel::copy_rows(data, from, out, to, rows, flat.len() / rows);
    });
}

/// A layout whose neighbours in memory lie along another axis than the last: planes over these two axes. They are transposed
/// block by block, so that each cache line is read and written once.
struct Planes {
    /// The other axes, row-major.
    others: Walk<1>,
    rows: usize,
    columns: usize,
    /// From one column to the next in memory; from one row to the next it is 1, or −1 if rows are reversed.
    stride: isize,
    reversed: bool,
    /// How many planes lie between neighbours in a row of the output.
    between: usize,
    /// From one row to the next in the output.
    pitch: usize,
}

impl Planes {
    fn new(layout: &Layout) -> Option<Self> {
        /// Fewer elements stay in the L1 cache whatever the order. (Chosen, not measured.)
        const LEAST: usize = 1024;
        if layout.shape().numel() < LEAST || layout.is_contiguous() {
            return None;
        }
        let &[.., last] = layout.strides() else { return None };
        if matches!(last, -1..=1) {
            return None;
        }
        let layout = layout.joined();
        let (dims, strides) = (layout.shape().dims(), layout.strides());
        let last = layout.shape().rank() - 1;
        if matches!(strides[last], -1..=1) {
            return None;
        }
        let row = strides.iter().position(|&stride| stride.abs() == 1)?;
        let others: Dims<usize> = (0..last).filter(|&axis| axis != row).collect();
        let between = dims[row + 1..last].iter().product();
        Some(Planes {
            others: Walk::new([&layout.reorder(&others)]),
            rows: dims[row],
            columns: dims[last],
            stride: strides[last],
            reversed: strides[row] < 0,
            between,
            pitch: between * dims[last],
        })
    }

    /// Writes the elements from the row-major position `start`, a multiple of the pitch, on that fit `out`.
    fn copy<T: Copy>(&self, data: &[T], start: usize, out: &mut [T]) {
        let (mut row, end) = (start / self.pitch, (start + out.len()) / self.pitch);
        let mut out = out;
        while row < end {
            let (outer, first) = (row / self.rows, row % self.rows);
            let rows = (self.rows - first).min(end - row);
            let (now, rest) = std::mem::take(&mut out).split_at_mut(rows * self.pitch);
            let planes = outer * self.between..(outer + 1) * self.between;
            let [stride] = self.others.row_strides();
            self.others.rows(planes.clone(), |flat, [at]| {
                for (i, plane) in flat.enumerate() {
                    let first = if self.reversed { -(first as isize) } else { first as isize };
                    let at = at.wrapping_add_signed(i as isize * stride + first);
                    let now = &mut now[(plane - planes.start) * self.columns..];
                    let plane =
                        Plane { data, at, stride: self.stride, reversed: self.reversed, rows, columns: self.columns };
                    kernel::copy_plane(plane, now, self.pitch);
                }
            });
            (out, row) = (rest, row + rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

    /// The oracle: one element after the other.
    fn naive(x: &Tensor<i64>) -> Vec<i64> {
        let mut elements = Vec::new();
        Tensor::from_fn(x.shape(), |index| {
            elements.push(x.get(index).unwrap());
            false
        });
        elements
    }

    proptest! {
        #[test]
        fn a_copy_of_any_view_has_its_elements_in_order(x in any_view(0..5)) {
            let copy = x.copied();
            prop_assert!(copy.is_contiguous() && !copy.shares_storage(&x));
            prop_assert_eq!(copy.as_slice().unwrap(), naive(&x));
        }
    }

    #[test]
    fn planes_are_transposed_around_the_edges_of_blocks_at_any_number_of_threads() {
        let sizes = [1, 2, 15, 16, 17, 33, 70];
        let mut planes = 0;
        for a in sizes {
            for b in sizes {
                for c in [1, 3, 17, 90] {
                    let x = Tensor::<i64>::arange(a * b * c).reshape([a, b, c]);
                    for order in [[0, 2, 1], [2, 0, 1], [2, 1, 0], [1, 0, 2]] {
                        let x = x.permute(&order);
                        for x in [x.slice(1, ..x.size(1).min(40)), x.flip(&[0]), x.flip(&[2]), x.flip(&[0, 1, 2])] {
                            planes += usize::from(Planes::new(x.layout()).is_some());
                            assert!(x.copied().iter().eq(x.iter()), "{:?}", x.layout());
                        }
                    }
                }
            }
        }
        assert!(planes > 300, "{planes}");
        let x = Tensor::<i64>::arange(3 * 700 * 501).reshape([3, 700, 501]).permute(&[2, 0, 1]);
        for threads in [1, 2, 3] {
            assert!(crate::with_threads(threads, || x.copied()).unwrap().iter().eq(x.iter()));
        }
    }
}
