//! Lines whose elements are a row apart: whole rows are computed at once.

use super::{Normalize, Terms};
use crate::buffer::{Buffer, Pooled};
use crate::kernel::Real;
use crate::kernel::isa::kernel;
use crate::kernel::reduce::{WIDE, larger};
use crate::par::{self, Shared};

/// Columns of a block. With fewer columns, more rows fall into the same sets of the cache where their distance is a power of
/// two, and push each other out: 1024 × 1024 in f32 takes 1470 µs with 64 columns, 790 with 256, 700 with 512 (Zen 4).
const COLUMNS: usize = 512;

/// Lines along the middle axis of x and y, both of shape [outer, len, inner].
pub(crate) fn normalize_columns<T: Real + Pooled, N: Normalize<T>>(
    x: &mut [T],
    y: &[T],
    [outer, len, inner]: [usize; 3],
    op: N,
) {
    assert!(x.len() == y.len() && x.len() == outer * len * inner && !x.is_empty(), "lines must be whole");
    // Several narrow rows are read at once.
    let many = if inner < WIDE { (4 * WIDE / inner).min(len) } else { 1 };
    let columns = COLUMNS.min(inner);
    let across = inner.div_ceil(columns);
    let shared = Shared::new(x);
    par::ranges(outer * across, 1, (len * columns) as f64 * N::COST, &|from, to| {
        for block in from..to {
            let (outer, column) = (block / across, block % across * columns);
            let period = columns.min(inner - column);
            let block = Block {
                x: shared,
                y,
                at: outer * len * inner + column,
                pitch: many * inner,
                rows: len.div_ceil(many),
                width: many * period,
                last: ((len - 1) % many + 1) * period,
                period,
            };
            normalize_block(block, op);
        }
    });
}

/// Some columns of x and y.
struct Block<'a, T> {
    x: Shared<T>,
    y: &'a [T],
    at: usize,
    /// Elements from one row to the next.
    pitch: usize,
    rows: usize,
    width: usize,
    /// How long the last row is.
    last: usize,
    /// Elements of a row that are this far apart belong to the same line.
    period: usize,
}

impl<'a, T> Block<'a, T> {
    #[inline(always)]
    fn y(&self, i: usize) -> &'a [T] {
        let len = if i + 1 == self.rows { self.last } else { self.width };
        &self.y[self.at + i * self.pitch..][..len]
    }

    /// # Safety
    /// There is no other reference to row i of the block.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "rows are apart, and the caller has one reference to each")]
    unsafe fn x(&self, i: usize) -> &mut [T] {
        // SAFETY: x is as long as y, within which this row lies; it is borrowed until all blocks are done, and no other block has
        // elements of this one.
        unsafe { std::slice::from_raw_parts_mut(self.x.pointer().add(self.at + i * self.pitch), self.y(i).len()) }
    }
}

kernel! {
    fn normalize_block[T: Real + Pooled, N: Normalize<T>](block: Block<'_, T>, op: N), functions T {
        /// Rows that are summed one after the other; then their sum is added to that of the rows before.
        const ROWS: usize = 64;
        let _ = op;
        let mut rows: [_; 3] = std::array::from_fn(|_| Buffer::<T>::stale(block.width));
        let [largest, part, sums] = rows.each_mut().map(|row| &mut **row);
        if N::SHIFT {
            largest.copy_from_slice(&block.y(0)[..block.width]);
            for i in 1..block.rows {
                for (largest, &y) in largest.iter_mut().zip(block.y(i)) {
                    *largest = larger(*largest, y);
                }
            }
            by_period(largest, block.period, larger);
        }
        sums.fill(T::ZERO);
        for start in (0..block.rows).step_by(ROWS) {
            part.fill(T::ZERO);
            for i in start..(start + ROWS).min(block.rows) {
                // SAFETY: the only reference within this pass of the loop.
                let x = unsafe { block.x(i) };
                add_terms::<T, N>(part, x, block.y(i), largest);
            }
            for (sum, &part) in sums.iter_mut().zip(&*part) {
                *sum += part;
            }
        }
        by_period(sums, block.period, |a, b| a + b);
        for sum in sums.iter_mut() {
            *sum = N::total(*sum);
        }
        for i in 0..block.rows {
            // SAFETY: the only reference within this pass of the loop.
            let x = unsafe { block.x(i) };
            finished_columns::<T, N>(x, block.y(i), largest, sums);
        }
    }
}

/// Adds a row's terms to the sums of their columns, and writes them in the place of x for `Terms::InPlace`.
#[inline(always)]
fn add_terms<T: Real + Pooled, N: Normalize<T>>(sums: &mut [T], x: &mut [T], y: &[T], shifts: &[T]) {
    for (((sum, x), &y), &shift) in sums.iter_mut().zip(x).zip(y).zip(shifts) {
        let term = N::term(*x, if N::SHIFT { y - shift } else { y });
        if N::TERMS == Terms::InPlace {
            *x = term;
        }
        *sum += term;
    }
}

/// The results of a row.
#[inline(always)]
fn finished_columns<T: Real + Pooled, N: Normalize<T>>(x: &mut [T], y: &[T], shifts: &[T], totals: &[T]) {
    for (((x, &y), &shift), &total) in x.iter_mut().zip(y).zip(shifts).zip(totals) {
        *x = N::finish(*x, if N::SHIFT { y - shift } else { y }, total);
    }
}

/// Joins elements that are `period` apart, and writes the result in each of their places.
#[inline(always)]
fn by_period<T: Copy>(x: &mut [T], period: usize, join: impl Fn(T, T) -> T) {
    for j in period..x.len() {
        x[j % period] = join(x[j % period], x[j]);
    }
    for j in period..x.len() {
        x[j] = x[j - period];
    }
}
