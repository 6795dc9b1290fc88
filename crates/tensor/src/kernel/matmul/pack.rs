//! Copies of parts of A or B in the order in which tiles read them.

use std::ops::Range;

use super::Matrix;
use super::Vectorized;
use crate::buffer::Buffer;
use crate::kernel::copy::copy_row;
use crate::kernel::simd::{SIDE, Simd};

/// Copies the rows `k` of some columns of B, each `row` elements after the one before. Columns past the last one of B repeat that one.
///
/// # Safety
/// The processor has the instructions of `S`.
#[inline(always)]
pub(in crate::kernel) unsafe fn pack<T: Vectorized, S: Simd>(
    b: Matrix<'_, T>,
    k: Range<usize>,
    columns: Range<usize>,
    out: &mut [T],
    row: usize,
) {
    let width = columns.len();
    let column = |j: usize| (columns.start + j).min(b.columns - 1);
    let [step, pitch] = b.strides;
    if (step == 1 || step.abs() < pitch.abs()) && width.is_multiple_of(SIDE) {
        // Elements of a column are neighbours, or are brought together. Several columns are copied side by side, so that whole cache
        // lines are written.
        let mut room = Buffer::<T>::stale(if step == 1 { 0 } else { SIDE * k.len() });
        for j in (0..width).step_by(SIDE) {
            let at = |i: usize| b.position(k.start, column(j + i));
            for (i, side) in room.chunks_exact_mut(k.len()).enumerate() {
                copy_row(b.data, at(i), step, side);
            }
            let mut sides = [&b.data[..0]; SIDE];
            for (i, side) in sides.iter_mut().enumerate() {
                *side = if step == 1 { &b.data[at(i)..][..k.len()] } else { &room[i * k.len()..][..k.len()] };
            }
            // SAFETY: this function's caller ensures that the processor has the instructions of `S`.
            unsafe { T::interleave::<S>(sides, &mut out[j..], row) }
        }
    } else {
        for (p, out) in k.zip(out.chunks_exact_mut(row)) {
            for (j, out) in out[..width].iter_mut().enumerate() {
                *out = b.data[b.position(p, column(j))];
            }
        }
    }
}

/// out\[p · width + j] = columns\[j]\[p] for p in `rows`
#[inline(always)]
pub(super) fn interleave<T: Copy>(columns: [&[T]; SIDE], rows: Range<usize>, out: &mut [T], width: usize) {
    for p in rows {
        for (out, column) in out[p * width..][..SIDE].iter_mut().zip(columns) {
            *out = column[p];
        }
    }
}
