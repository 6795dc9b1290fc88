//! Copies of parts of A and B in the order in which tiles read them.

use std::ops::Range;

use super::Matrix;
use crate::element::Float;

/// The rows `k` of the columns `columns` of B as panels of `width` columns, one after the other; the last is padded with
/// zeros. Each panel holds its rows one after the other.
pub(super) fn pack_b<T: Float>(b: Matrix<'_, T>, k: Range<usize>, columns: Range<usize>, width: usize, out: &mut [T]) {
    let panel_len = k.len() * width;
    if b.strides[1] == 1 {
        // Whole rows at a time, through all panels: neighbours in memory are read together.
        for (i, p) in k.enumerate() {
            let row = &b.data[b.position(p, columns.start)..][..columns.len()];
            for (panel, part) in row.chunks(width).enumerate() {
                let out = &mut out[panel * panel_len + i * width..][..width];
                out[..part.len()].copy_from_slice(part);
                out[part.len()..].fill(T::ZERO);
            }
        }
        return;
    }
    for (start, out) in columns.clone().step_by(width).zip(out.chunks_exact_mut(panel_len)) {
        pack_panel(b, k.clone(), start..columns.end.min(start + width), width, out);
    }
}

/// One panel of columns that do not lie side by side.
fn pack_panel<T: Float>(b: Matrix<'_, T>, k: Range<usize>, columns: Range<usize>, width: usize, out: &mut [T]) {
    let mut done = 0;
    if b.strides[0] == 1 {
        // Columns are contiguous: read several side by side, and write whole cache lines.
        while done + SIDE <= columns.len() {
            let column = |i: usize| &b.data[b.position(k.start, columns.start + done + i)..][..k.len()];
            interleave(std::array::from_fn(column), &mut out[done..], width);
            done += SIDE;
        }
    }
    for (p, out) in k.zip(out.chunks_exact_mut(width)) {
        for (j, out) in out.iter_mut().enumerate().skip(done) {
            *out = if j < columns.len() { b.data[b.position(p, columns.start + j)] } else { T::ZERO };
        }
    }
}

/// The rows `rows` of the columns `k` of A, one column after the other.
pub(super) fn pack_a<T: Float>(a: Matrix<'_, T>, rows: Range<usize>, k: Range<usize>, out: &mut [T]) {
    let height = rows.len();
    pack_b(a.transposed(), k, rows, height, out);
}

/// Columns that are read side by side: a block of as many rows fits the registers.
const SIDE: usize = 8;

/// out\[p · width + j] = columns\[j]\[p]
#[inline(always)]
fn interleave<T: Copy>(columns: [&[T]; SIDE], out: &mut [T], width: usize) {
    let len = columns[0].len();
    for p in 0..len {
        let row = &mut out[p * width..][..SIDE];
        for (out, column) in row.iter_mut().zip(columns) {
            *out = column[p];
        }
    }
}
