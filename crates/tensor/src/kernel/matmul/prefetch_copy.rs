//! Copying the next panel of B while the tiles of one are computed.
//!
//! A large B is not in the L2 cache, and its rows are so far apart that the processor does not foresee the next one. To copy
//! a whole panel at once is to wait for memory: 6 of the 100 µs that a panel of 64 columns and 256 rows of A takes (Emerald
//! Rapids). So every tile copies some rows of the next panel, a few at a time, between its products: the processor computes
//! while the rows arrive.

use super::Vectorized;
use crate::kernel::simd::{Simd, Vector, prefetch, prefetch_far};

/// The least number of products between two copied rows. A product takes some ten cycles.
const STEPS: usize = 4;

/// A row is asked for this many rows before it is copied: early enough to have arrived, and late enough to be still in the L1
/// cache.
const DISTANCE: isize = 2;

/// And this many rows before, into the L2 cache: a page that is not in the TLB takes longer to find than two rows are apart. One thread's
/// 2048³ became 1.12 times as fast, that of two 1.08 (AMD EPYC of Zen 5).
const FAR: isize = 16;

/// Rows of B to be copied in whole vectors.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct PrefetchCopy<T> {
    pub(super) from: *const T,
    /// From one row of B to the next.
    pub(super) stride: isize,
    pub(super) to: *mut T,
    /// Elements of a row of B.
    pub(super) columns: usize,
    /// Elements of a row of the copy.
    pub(super) width: usize,
    /// How many rows are to be copied.
    pub(super) rows: usize,
}

impl<T: Vectorized> PrefetchCopy<T> {
    /// Nothing.
    #[inline(always)]
    pub(in crate::kernel) fn none() -> Self {
        PrefetchCopy { from: std::ptr::null(), stride: 0, to: std::ptr::null_mut(), columns: 0, width: 0, rows: 0 }
    }

    /// Takes the share of the rows that a tile copies which computes `rows` of the `left` rows of A.
    #[inline(always)]
    pub(super) fn share(&mut self, rows: usize, left: usize) -> Self {
        let rows = (self.rows * rows).div_ceil(left);
        let share = PrefetchCopy { rows, ..*self };
        self.from = self.from.wrapping_offset(rows as isize * self.stride);
        self.to = self.to.wrapping_add(rows * self.width);
        self.rows -= rows;
        share
    }

    /// How many of `k` products lie between two rows.
    #[inline(always)]
    pub(super) fn steps(&self, k: usize) -> usize {
        k.checked_div(self.rows).unwrap_or(k).max(STEPS)
    }

    /// Copies the first row, and returns the rows after it.
    ///
    /// # Safety
    /// The processor has the instructions of `S`; there is a row, the rows are valid, and so is the room for them.
    #[inline(always)]
    pub(super) unsafe fn copy_row<S: Simd>(self) -> Self {
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let last = self.width - lanes;
        let (soon, later) =
            (self.from.wrapping_offset(DISTANCE * self.stride), self.from.wrapping_offset(FAR * self.stride));
        // A row that does not begin with a line of the cache ends in one more. Without it, B of [256, 3136] that lies so took 2.2 times as long.
        prefetch(soon.wrapping_add(self.columns - 1));
        prefetch_far(later.wrapping_add(self.columns - 1));
        for v in (0..self.width).step_by(lanes) {
            prefetch(soon.wrapping_add(v));
            prefetch_far(later.wrapping_add(v));
            // SAFETY: the processor has the instructions of `S`, and the row and the room for it are valid: this
            // function's caller ensures it. Of the last vector, no more is read than the row of B has.
            unsafe {
                let row = if v < last {
                    T::Vector::<S>::load(self.from.add(v))
                } else {
                    T::Vector::<S>::load_first(self.from.add(v), self.columns - last)
                };
                row.store(self.to.add(v));
            }
        }
        let (from, to) = (self.from.wrapping_offset(self.stride), self.to.wrapping_add(self.width));
        PrefetchCopy { from, to, rows: self.rows - 1, ..self }
    }
}
