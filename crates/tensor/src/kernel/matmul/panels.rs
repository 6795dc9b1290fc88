//! The panels of B as the tiles read them.

use std::ops::Range;

use super::prefetch_copy::PrefetchCopy;
use super::{CHUNK, FEW_ROWS, IN_PLACE, Matrix, Vectorized, is_far, pack};
use crate::kernel::simd::{Simd, Vector};

/// How the tiles of a panel read its rows.
#[derive(Clone, Copy, PartialEq)]
enum Rows {
    /// Where they lie in B.
    InPlace,
    /// Where they lie in B; the first tile copies them, in whole vectors.
    Copy,
    /// From a copy.
    Copied,
}

/// The panel of B at hand, and the next one.
pub(super) struct Panels<'a, T> {
    b: Matrix<'a, T>,
    rows: Rows,
    /// Whether the tiles of one panel copy the next.
    copies: bool,
    copy: &'a mut [T],
    next_copy: &'a mut [T],
}

/// Where a tile reads a panel.
pub(super) struct Source<T> {
    pub(super) at: *const T,
    /// From one row to the next.
    pub(super) stride: isize,
    /// How many of the last rows would read past B.
    pub(super) tail_rows: usize,
    /// Whether a copy of it is so large that tiles ask for it ahead.
    pub(super) far: bool,
    /// Where the tile copies the panel to, if it does.
    pub(super) copy: *mut T,
    pub(super) is_copied_by_tile: bool,
}

impl<'a, T: Vectorized> Panels<'a, T> {
    /// How many elements each of two copies takes, for blocks of this many rows of C.
    #[inline(always)]
    pub(super) fn room<S: Simd>(b: &Matrix<'_, T>, rows: usize) -> [usize; 2] {
        let room = S::TILES.len() * <T::Vector<S> as Vector<T>>::LANES * b.rows.min(CHUNK);
        match Self::rows(b, rows) {
            Rows::InPlace => [0, 0],
            Rows::Copy => [room, room],
            Rows::Copied => [room, 0],
        }
    }

    #[inline(always)]
    fn rows(b: &Matrix<'_, T>, rows: usize) -> Rows {
        match b.strides[1] {
            1 if b.rows.min(CHUNK) * b.columns * size_of::<T>() > IN_PLACE && rows > FEW_ROWS => Rows::Copy,
            1 => Rows::InPlace,
            _ => Rows::Copied,
        }
    }

    #[inline(always)]
    pub(super) fn new(b: Matrix<'a, T>, rows: usize, [copy, next_copy]: [&'a mut [T]; 2]) -> Self {
        let rows = Self::rows(&b, rows);
        Panels { b, rows, copies: rows == Rows::Copy, copy, next_copy }
    }

    /// Copies a panel, unless its tiles do, or it is read in place.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    #[inline(always)]
    pub(super) unsafe fn begin<S: Simd>(&mut self, k: Range<usize>, columns: Range<usize>) {
        if self.rows == Rows::Copied && !self.copies {
            let width = columns.len();
            // SAFETY: this function's caller ensures it.
            unsafe { pack::<T, S>(self.b, k, columns, self.copy, width) }
        }
    }

    /// What the tiles of a panel copy of the next one, which begins at row `start`.
    #[inline(always)]
    pub(super) fn next(&mut self, start: usize, columns: Range<usize>) -> PrefetchCopy<T> {
        PrefetchCopy {
            from: self.b.pointer(start, columns.start),
            stride: self.b.strides[0],
            to: self.next_copy.as_mut_ptr(),
            columns: columns.end.min(self.b.columns) - columns.start,
            width: columns.len(),
            rows: if self.copies { CHUNK.min(self.b.rows - start) } else { 0 },
        }
    }

    /// Whether the next tile copies the panel, which takes one of full height.
    #[inline(always)]
    pub(super) fn is_to_be_copied(&self) -> bool {
        self.rows == Rows::Copy
    }

    /// Where the next tile reads its panel.
    #[inline(always)]
    pub(super) fn source(&mut self, k: &Range<usize>, columns: &Range<usize>, tail_rows: usize) -> Source<T> {
        // Read and written through one pointer: to take another would end the first one's right to the memory.
        let copy = self.copy.as_mut_ptr();
        let far = self.rows == Rows::Copied && is_far::<T>(k.len(), columns.len());
        let (at, stride, tail_rows) = match self.rows {
            Rows::Copied => (copy.cast_const(), columns.len() as isize, 0),
            _ => (self.b.pointer(k.start, columns.start), self.b.strides[0], tail_rows),
        };
        Source { at, stride, tail_rows, far, copy, is_copied_by_tile: self.rows == Rows::Copy }
    }

    #[inline(always)]
    pub(super) fn end_tile(&mut self) {
        if self.copies {
            self.rows = Rows::Copied;
        }
    }

    #[inline(always)]
    pub(super) fn end(&mut self) {
        if self.copies {
            std::mem::swap(&mut self.copy, &mut self.next_copy);
        }
    }
}
