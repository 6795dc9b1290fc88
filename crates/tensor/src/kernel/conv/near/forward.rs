//! The results of few channels: tiles that read all of their windows from a strip.

use std::ops::Range;

use super::{STRIP, Strips};
use crate::buffer::Buffer;
use crate::kernel::conv::Weights;
use crate::kernel::conv::product::Placed;
use crate::kernel::conv::windows::Windows;
use crate::kernel::matmul::{CHUNK, PrefetchCopy, Tile, Vectorized, height};
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};
use crate::kernel::vector::MAX_LANES;
use crate::par::{self, Hands, Shared};

/// The most output channels: weights of more leave no room for a strip in the L2 cache.
const ROWS: usize = 128;

/// What it costs to copy a panel, beside two multiply-adds a cycle: cycles for each vector of a row of the windows' matrix, and for each run
/// of columns and each tap. Fitted to images of 7 to 320 pixels a side and 1 to 128 channels (Zen 5, AVX-512, one thread): where it is taken,
/// this way is 1.05 to 6 times as fast.
const COPY: f64 = 2.0;
const RUN: f64 = 10.0;

/// Columns that a vector reads beyond the last one.
const BEYOND: usize = 4 * MAX_LANES;

/// Whether a convolution of so many output channels is computed here.
pub(in crate::kernel::conv) fn pays<T>(rows: usize, windows: &Windows<'_, T>) -> bool {
    let [_, y, x] = windows.axes();
    if windows.taps() == 1 || rows > ROWS || windows.rows() == 0 || windows.columns() == 0 {
        return false;
    }
    // Columns that are computed for nothing, between rows and in the last panel, each against the copies of those that are needed.
    let needed = (y.windows * x.windows) as f64;
    let columns = (y.windows - 1) * Strips::new(windows).part + x.windows;
    let computed = columns.next_multiple_of(MAX_LANES) + if columns.is_multiple_of(BEYOND) { 0 } else { MAX_LANES / 2 };
    let wasted = rows as f64 / 2.0 * (computed as f64 / needed - 1.0);
    let copied = COPY * (x.windows.next_multiple_of(MAX_LANES) * x.step) as f64 / x.windows as f64;
    wasted < copied + RUN / windows.channels().max(1) as f64
}

/// out = W · windows + bias, where [`pays`] has said so.
pub(in crate::kernel::conv) fn correlate<T: Vectorized>(
    weights: Weights<'_, T>,
    windows: &Windows<'_, T>,
    out: &mut [T],
    place: Placed,
    bias: Option<&[T]>,
) {
    assert!(
        place.fits(weights.rows, windows.columns(), out.len())
            && bias.is_none_or(|bias| bias.len() == weights.rows)
            && place.counts == windows.counts(),
        "the sizes of a convolution must fit"
    );
    let strips = Strips::new(windows);
    let (of_y, planes) = (windows.axes()[1].windows, windows.planes());
    if weights.rows == 0 || windows.columns() == 0 {
        return;
    }
    let rows = (STRIP / strips.row(windows).max(1)).clamp(1, of_y);
    // Even ones.
    let rows = of_y.div_ceil(of_y.div_ceil(rows));
    let count = of_y.div_ceil(rows);
    let cost = weights.rows as f64 * weights.width as f64 * windows.columns() as f64 * par::MULTIPLY_ADD;
    let shared = Shared::new(out);
    let all = [strips.offsets(windows, rows), strips.offsets(windows, of_y - (count - 1) * rows)];
    Hands::for_work(cost).each(planes * count, &|task| {
        let (plane, first) = (task / count, task % count * rows);
        let rows_of_strip = first..of_y.min(first + rows);
        let offsets = &all[usize::from(rows_of_strip.len() < rows)];
        simd::dispatch(Strip {
            weights,
            windows,
            strips: &strips,
            offsets,
            plane,
            rows: rows_of_strip,
            out: shared,
            place,
            bias,
        });
    });
}

/// The windows of some rows of a plane, which are the work of one task.
struct Strip<'a, T> {
    weights: Weights<'a, T>,
    windows: &'a Windows<'a, T>,
    strips: &'a Strips,
    offsets: &'a [usize],
    plane: usize,
    rows: Range<usize>,
    out: Shared<T>,
    place: Placed,
    bias: Option<&'a [T]>,
}

impl<T: Vectorized> VectorKernel for Strip<'_, T> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let Strip { weights, windows, strips, offsets, plane, rows, out, place, bias } = self;
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let panel = S::TILES.len() * lanes;
        let (width, part) = (windows.axes()[2].windows, strips.part);
        let mut copy = Buffer::<T>::stale(strips.plane(windows, rows.len()) + BEYOND);
        let mut scratch = Buffer::<T>::stale(weights.rows * panel);
        let (copy, scratch) = (&mut *copy, &mut *scratch);
        strips.copy(windows, plane, rows.clone(), copy);
        let len = (rows.len() - 1) * part + width;
        let mut start = 0;
        while start < len {
            let columns = panel.min(len - start);
            let most = S::TILES[columns.div_ceil(lanes) - 1];
            let mut k = 0;
            while k < weights.width {
                let end = weights.width.min(k + CHUNK);
                let mut row = 0;
                while row < weights.rows {
                    let rows = height(weights.rows - row, most);
                    let tile = Tile {
                        k: end - k,
                        a: weights.data[row * weights.width + k..].as_ptr(),
                        a_strides: [weights.width as isize, 1],
                        b: copy[start..].as_ptr(),
                        b_k: 0,
                        b_offsets: offsets[k..].as_ptr(),
                        far: false,
                        tail_rows: 0,
                        copy: std::ptr::null_mut(),
                        prefetch: PrefetchCopy::none(),
                        c: scratch[row * panel..].as_mut_ptr(),
                        c_row: panel,
                        add: k > 0,
                        bias: std::ptr::null(),
                        row_bias: match bias {
                            Some(bias) if end == weights.width => bias[row..].as_ptr(),
                            _ => std::ptr::null(),
                        },
                    };
                    // SAFETY: the caller has the instructions. `correlate` has checked the weights and the bias. Of the copy, a tile reads
                    // whole vectors from `start` + an offset on, of which the last begins within it and ends in what is beyond. The scratch
                    // has room for a panel of all rows.
                    unsafe { tile.compute::<S>(rows, columns, false) }
                    row += rows;
                }
                k = end;
            }
            // Columns of a row of windows go where they belong, those between two rows nowhere.
            let mut column = 0;
            while column < columns {
                let (y, x) = ((start + column) / part, (start + column) % part);
                let all = (part - x).min(columns - column);
                let count = width.saturating_sub(x).min(all);
                let [of_image, of_z, of_y, of_x] = place.strides;
                let (image, z) = (plane / place.counts[0], plane % place.counts[0]);
                let at = place.at + image * of_image + z * of_z + (rows.start + y) * of_y + x * of_x;
                for row in 0..weights.rows {
                    let from = &scratch[row * panel + column..][..count];
                    let to = out.pointer().wrapping_add(at + row * place.row);
                    // SAFETY: the caller has the instructions. `correlate` has checked that the place of each window of each row is within
                    // the result; this task has those of its strip, and no other task has them.
                    unsafe {
                        if of_x == 1 {
                            store::<T, S>(from, to);
                        } else {
                            for (i, &from) in from.iter().enumerate() {
                                *to.add(i * of_x) = from;
                            }
                        }
                    }
                }
                column += all;
            }
            start += columns;
        }
    }
}

/// Copies a run by vectors.
///
/// # Safety
/// The processor has the instructions of `S`, and as many elements may be written.
#[inline(always)]
unsafe fn store<T: Vectorized, S: Simd>(from: &[T], to: *mut T) {
    let lanes = <T::Vector<S> as Vector<T>>::LANES;
    let mut i = 0;
    // SAFETY: this function's caller ensures it; no vector reaches beyond the run.
    unsafe {
        while i + lanes <= from.len() {
            T::Vector::<S>::load(from.as_ptr().add(i)).store(to.add(i));
            i += lanes;
        }
        if i < from.len() {
            let left = from.len() - i;
            T::Vector::<S>::load_first(from.as_ptr().add(i), left).store_first(to.add(i), left);
        }
    }
}
