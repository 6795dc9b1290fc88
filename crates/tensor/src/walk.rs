//! The common path through several operands of one shape.
//!
//! An elementwise op sees its operands as rows: runs along the innermost axis, in which each operand has one stride.
//! Axes of size 1 vanish, and neighbouring axes are joined where every operand allows it: so contiguous operands are a
//! single row. Any range of the row-major order can be walked by itself, which is how threads share the work.

use std::ops::Range;

use crate::axes::Axes;
use crate::dims::Dims;
use crate::layout::Layout;

/// The rows that `N` layouts of the same shape have in common.
pub(crate) struct Walk<const N: usize> {
    axes: Axes<N>,
    /// Where each operand's first element lies.
    starts: [usize; N],
}

impl<const N: usize> Walk<N> {
    #[inline(never)]
    pub(crate) fn new(layouts: [&Layout; N]) -> Self {
        debug_assert!(layouts.iter().all(|l| l.shape() == layouts[0].shape()));
        let mut axes = Axes::new();
        if layouts.iter().all(|l| l.is_contiguous()) {
            axes.push(layouts[0].shape().numel(), [1; N]);
        } else {
            for (axis, &size) in layouts[0].shape().dims().iter().enumerate() {
                axes.push(size, layouts.map(|l| l.strides()[axis]));
            }
        }
        Walk { axes, starts: layouts.map(Layout::offset) }
    }

    /// The stride of each operand within a row.
    pub(crate) fn row_strides(&self) -> [isize; N] {
        std::array::from_fn(|operand| self.axes.strides[operand].last().copied().unwrap_or(1))
    }

    /// How far each operand lies from one row to the next, of those along the last axis but one.
    pub(crate) fn pitches(&self) -> [isize; N] {
        std::array::from_fn(|operand| self.axes.strides[operand].iter().rev().nth(1).copied().unwrap_or(0))
    }

    /// Whether each operand has its elements of a row as neighbours or one element repeated.
    fn has_rows(&self) -> bool {
        self.row_strides().iter().all(|stride| matches!(stride, 0 | 1))
    }

    /// Calls `row(flat, at)` for each run of the row-major positions `range`: `flat` are the positions,
    /// `at[operand]` is where in its storage the operand's first element lies.
    #[inline(always)]
    pub(crate) fn rows(&self, range: Range<usize>, mut row: impl FnMut(Range<usize>, [usize; N])) {
        self.each_row(range, &mut row);
    }

    /// Behind a reference, so that this is compiled once and not for each op.
    #[inline(never)]
    fn each_row(&self, range: Range<usize>, row: &mut dyn FnMut(Range<usize>, [usize; N])) {
        let mut cursor = self.cursor(range.start);
        let mut flat = range.start;
        while flat < range.end {
            let (len, at) = self.next_run(&mut cursor);
            let end = range.end.min(flat + len);
            row(flat..end, at);
            flat = end;
        }
    }

    /// Calls `block(flat, rows, at)` for blocks of the row-major positions `range`: of as many whole rows, along the last axis but one,
    /// as `most` elements are; or, where rows are longer than an eighth of that and would have to be brought together, of all of them,
    /// each to be gone through by itself. A row longer than `most` is whole if the operands lie as neighbours and it is not to be `cut`.
    #[inline(never)]
    pub(crate) fn blocks(
        &self,
        range: Range<usize>,
        most: usize,
        cut: bool,
        block: &mut dyn FnMut(Range<usize>, usize, [usize; N]),
    ) {
        let (inner, outer) = match *self.axes.sizes {
            [.., outer, inner] => (inner, outer),
            _ => (range.len(), 1),
        };
        let (strides, pitches) = (self.row_strides(), self.pitches());
        // Rows that are not short are read in place, unless they follow each other there, or are the same row again.
        let is_one = |(stride, pitch)| pitch == 0 || (stride == 1 && pitch == inner as isize);
        let is_short = inner <= most / 8 || inner <= most / 2 && strides.into_iter().zip(pitches).all(is_one);
        let many = if is_short { most / inner.max(1) } else { outer };
        let piece = if self.has_rows() && !cut { usize::MAX } else { most };
        let mut cursor = self.cursor(range.start);
        let mut flat = range.start;
        while flat < range.end {
            if let [.., row, 0] = *cursor.index {
                let rows = many.min(outer - row).min((range.end - flat) / inner);
                if rows > 0 && inner <= piece {
                    block(flat..flat + rows * inner, rows, cursor.at);
                    self.skip(&mut cursor, rows);
                    flat += rows * inner;
                    continue;
                }
            }
            let (len, mut at) = self.next_run(&mut cursor);
            let end = range.end.min(flat + len);
            while flat < end {
                let next = end.min(flat.saturating_add(piece));
                block(flat..next, 1, at);
                for (at, stride) in at.iter_mut().zip(strides) {
                    *at = at.wrapping_add_signed((next - flat) as isize * stride);
                }
                flat = next;
            }
        }
    }

    /// The place of a row-major position.
    #[inline(never)]
    pub(crate) fn cursor(&self, flat: usize) -> Cursor<N> {
        let index = self.index(flat);
        let at = std::array::from_fn(|operand| {
            let steps: isize = index.iter().zip(&*self.axes.strides[operand]).map(|(&i, &s)| i as isize * s).sum();
            self.starts[operand].wrapping_add_signed(steps)
        });
        Cursor { index, at }
    }

    /// How many elements lie from the cursor to the end of its row, and where; the cursor goes on to the next row.
    #[inline]
    pub(crate) fn next_run(&self, cursor: &mut Cursor<N>) -> (usize, [usize; N]) {
        let start = cursor.at;
        let (Some(last), Some(&inner)) = (cursor.index.len().checked_sub(1), self.axes.sizes.last()) else {
            // Rank 0 once the axes of size 1 are gone: one element.
            return (1, start);
        };
        let len = inner - cursor.index[last];
        // Back to the beginning of the row.
        cursor.step(self, last, -(cursor.index[last] as isize));
        self.skip(cursor, 1);
        (len, start)
    }

    /// Goes on by so many rows, at most to the end of the last axis but one.
    #[inline]
    fn skip(&self, cursor: &mut Cursor<N>, rows: usize) {
        let mut by = rows;
        // Count up like an odometer.
        for axis in (0..self.axes.sizes.len() - 1).rev() {
            cursor.step(self, axis, by as isize);
            if cursor.index[axis] < self.axes.sizes[axis] {
                break;
            }
            cursor.step(self, axis, -(self.axes.sizes[axis] as isize));
            by = 1;
        }
    }

    /// The index, one entry per joined axis, of a row-major position.
    fn index(&self, mut flat: usize) -> Dims<usize> {
        let mut index = Dims::filled(0, self.axes.sizes.len());
        for (entry, &size) in index.iter_mut().zip(&*self.axes.sizes).rev() {
            *entry = flat % size.max(1);
            flat /= size.max(1);
        }
        index
    }
}

/// Where each operand lies `i` rows on.
#[inline(always)]
pub(crate) fn moved<const N: usize>(at: [usize; N], i: usize, pitches: [isize; N]) -> [usize; N] {
    std::array::from_fn(|operand| at[operand].wrapping_add_signed(i as isize * pitches[operand]))
}

/// A place in a [`Walk`], from which it goes on row by row.
pub(crate) struct Cursor<const N: usize> {
    /// One entry per joined axis.
    index: Dims<usize>,
    /// Where in its storage each operand's element lies.
    at: [usize; N],
}

impl<const N: usize> Cursor<N> {
    #[inline]
    fn step(&mut self, walk: &Walk<N>, axis: usize, by: isize) {
        self.index[axis] = self.index[axis].wrapping_add_signed(by);
        for (at, strides) in self.at.iter_mut().zip(&walk.axes.strides) {
            *at = at.wrapping_add_signed(by.wrapping_mul(strides[axis]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{dims, view};
    use crate::{Shape, Tensor};

    /// Layouts of one shape.
    fn two_layouts() -> impl Strategy<Value = (Layout, Layout)> {
        dims(0..5).prop_flat_map(|dims| {
            let layout = |x: Tensor<i64>| x.layout().clone();
            (view(dims.clone()).prop_map(layout), view(dims).prop_map(layout))
        })
    }

    /// The naive walk: every index in row-major order.
    fn positions(layout: &Layout) -> Vec<usize> {
        let dims = layout.shape().dims();
        (0..layout.shape().numel())
            .map(|mut flat| {
                let mut index = vec![0; dims.len()];
                for axis in (0..dims.len()).rev() {
                    index[axis] = flat % dims[axis];
                    flat /= dims[axis];
                }
                layout.position(&index).unwrap()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn visits_what_the_naive_walk_visits((a, b) in two_layouts(), cut in 0.0..1.0) {
            let walk = Walk::new([&a, &b]);
            let strides = walk.row_strides();
            let numel = a.shape().numel();
            let cut = (numel as f64 * cut) as usize;
            let mut got: [Vec<usize>; 2] = [vec![], vec![]];
            for range in [0..cut, cut..numel] {
                let mut next = range.start;
                walk.rows(range.clone(), |flat, at| {
                    assert_eq!(flat.start, next);
                    next = flat.end;
                    for i in 0..flat.len() {
                        for operand in 0..2 {
                            got[operand].push(at[operand].wrapping_add_signed(i as isize * strides[operand]));
                        }
                    }
                });
                prop_assert_eq!(next, range.end);
            }
            prop_assert_eq!(&got[0], &positions(&a));
            prop_assert_eq!(&got[1], &positions(&b));
        }

        #[test]
        fn blocks_of_rows_visit_the_same((a, b) in two_layouts(), cut in 0.0..1.0, most in 1usize..40, cut_rows: bool) {
            let walk = Walk::new([&a, &b]);
            let (strides, pitches) = (walk.row_strides(), walk.pitches());
            let numel = a.shape().numel();
            let cut = (numel as f64 * cut) as usize;
            let mut got: [Vec<usize>; 2] = [vec![], vec![]];
            for range in [0..cut, cut..numel] {
                let mut next = range.start;
                walk.blocks(range.clone(), most, cut_rows, &mut |flat, rows, at| {
                    assert_eq!(flat.start, next);
                    next = flat.end;
                    let len = flat.len() / rows;
                    assert!(rows == 1 || flat.len() <= most || len > most / 8);
                    assert!(len <= most || !cut_rows && strides.iter().all(|stride| matches!(stride, 0 | 1)));
                    for i in 0..flat.len() {
                        for operand in 0..2 {
                            let steps = (i / len) as isize * pitches[operand] + (i % len) as isize * strides[operand];
                            got[operand].push(at[operand].wrapping_add_signed(steps));
                        }
                    }
                });
                prop_assert_eq!(next, range.end);
            }
            prop_assert_eq!(&got[0], &positions(&a));
            prop_assert_eq!(&got[1], &positions(&b));
        }

        #[test]
        fn a_reshaped_layout_visits_the_same_positions((a, _) in two_layouts(), split in 0usize..6) {
            let numel = a.shape().numel();
            let dims = if split > 0 && numel.is_multiple_of(split) { vec![split, numel / split] } else { vec![numel] };
            if let Some(reshaped) = a.reshape(&Shape::try_new(&dims).unwrap()).unwrap() {
                prop_assert_eq!(positions(&reshaped), positions(&a));
            }
        }
    }

    #[test]
    fn contiguous_operands_are_one_row() {
        let a = Layout::contiguous(Shape::from([4, 5, 6]));
        let mut rows = 0;
        Walk::new([&a, &a]).rows(0..120, |flat, _| {
            assert_eq!(flat, 0..120);
            rows += 1;
        });
        assert_eq!(rows, 1);
    }
}
