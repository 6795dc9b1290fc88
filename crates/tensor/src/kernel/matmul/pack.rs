//! Copies of parts of B in the order in which tiles read them.

use std::ops::Range;

use super::Matrix;
use crate::element::Float;
use crate::kernel::simd::{SIDE, Simd};

/// The rows `k` of the columns `columns` of B as panels of `width` columns, one after the other. Each panel holds its
/// rows one after the other; what pads the last one is unspecified, and no tile stores what it makes of it.
///
/// # Safety
/// The processor has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn pack<T: Float, S: Simd>(
    b: Matrix<'_, T>,
    k: Range<usize>,
    columns: Range<usize>,
    width: usize,
    out: &mut [T],
) {
    let panel_len = k.len() * width;
    if b.strides[1] == 1 {
        // Whole rows at a time, through all panels: neighbours in memory are read together.
        for (i, p) in k.enumerate() {
            let row = &b.data[b.position(p, columns.start)..][..columns.len()];
            for (panel, part) in row.chunks(width).enumerate() {
                out[panel * panel_len + i * width..][..part.len()].copy_from_slice(part);
            }
        }
        return;
    }
    for (start, out) in columns.clone().step_by(width).zip(out.chunks_exact_mut(panel_len)) {
        // Past the last column, the last one again.
        let column = |j: usize| (start + j).min(columns.end - 1);
        if b.strides[0] == 1 && width.is_multiple_of(SIDE) {
            // Columns are contiguous: several side by side, so that whole cache lines are written.
            for j in (0..width).step_by(SIDE) {
                let sides = std::array::from_fn(|i| &b.data[b.position(k.start, column(j + i))..][..k.len()]);
                // SAFETY: the caller's promise.
                unsafe { T::interleave::<S>(sides, &mut out[j..], width) }
            }
        } else {
            for (p, out) in k.clone().zip(out.chunks_exact_mut(width)) {
                for (j, out) in out.iter_mut().enumerate() {
                    *out = b.data[b.position(p, column(j))];
                }
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
