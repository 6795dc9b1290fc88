//! The results of few channels: tiles that read all of their windows from a strip.

use std::ops::Range;

use super::{STRIP, Strips};
use crate::buffer::Buffer;
use crate::kernel::conv::Weights;
use crate::kernel::conv::product::{Placed, add_to_rows};
use crate::kernel::conv::windows::Windows;
use crate::kernel::matmul::{CHUNK, PrefetchCopy, Tile, Vectorized, height};
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};
use crate::kernel::vector::MAX_LANES;
use crate::par::{self, Hands, Shared};

/// The most output channels: weights of more leave no room for a strip in the L2 cache.
const ROWS: usize = 128;

/// What it costs to copy, beside two multiply-adds a cycle: cycles for each vector of a row of the windows' matrix in a panel, and for each run
/// of columns and each tap; in a strip that has a copy for each tap along x; and of a vector of results, where rows have gaps between them.
/// Fitted to images of 7 to 320 pixels a side and 1 to 128 channels (Zen 5, AVX-512, one thread): where it is taken, this way is up to 7 times
/// as fast as panels, and strips without gaps up to twice as fast as those that have them.
const COPY: f64 = 2.0;
const RUN: f64 = 10.0;
const COPY_STRIP: f64 = 5.0;
const COPY_RESULT: f64 = 11.0;

/// Columns that a vector reads beyond the last one.
const BEYOND: usize = 4 * MAX_LANES;

/// How a convolution of so many output channels is computed here, if that is faster than with panels.
fn strips<T>(rows: usize, windows: &Windows<'_, T>) -> Option<Strips> {
    let [_, y, x] = windows.axes();
    if windows.taps() == 1 || rows > ROWS || windows.rows() == 0 || windows.columns() == 0 {
        return None;
    }
    // Columns that are computed for nothing, between rows and in the last panel, each against the copies of those that are needed.
    let needed = (y.windows * x.windows) as f64;
    let wasted = |part: usize| {
        let columns = (y.windows - 1) * part + x.windows;
        let more = if columns.is_multiple_of(BEYOND) { 0 } else { MAX_LANES / 2 };
        rows as f64 / 2.0 * ((columns.next_multiple_of(MAX_LANES) + more) as f64 / needed - 1.0)
    };
    let vectors = (x.windows.next_multiple_of(MAX_LANES) * x.step) as f64 / x.windows as f64;
    let of_panels = COPY * vectors + RUN / windows.channels() as f64;
    let (sparse, dense) = (Strips::sparse(windows), Strips::dense(windows));
    let results = if y.windows == 1 { 0.0 } else { COPY_RESULT * rows as f64 / windows.rows() as f64 };
    let of_sparse = wasted(sparse.part) + results;
    let of_dense = wasted(dense.part) + COPY_STRIP * vectors / y.taps.len() as f64;
    let best = if of_sparse <= of_dense { sparse } else { dense };
    (of_sparse.min(of_dense) < of_panels).then_some(best)
}

/// Whether a convolution of so many output channels is computed here.
pub(in crate::kernel::conv) fn pays<T>(rows: usize, windows: &Windows<'_, T>) -> bool {
    strips(rows, windows).is_some()
}

/// out = W · windows + bias, where [`pays`] has said so.
pub(in crate::kernel::conv) fn correlate<T: Vectorized>(
    weights: Weights<'_, T>,
    windows: &Windows<'_, T>,
    out: &mut [T],
    place: Placed,
    bias: Option<&[T]>,
) {
    let strips = strips(weights.rows, windows).unwrap_or_else(|| Strips::sparse(windows));
    by_strips(&strips, weights, windows, out, place, bias);
}

fn by_strips<T: Vectorized>(
    strips: &Strips,
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
            strips,
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
        let [of_image, of_z, of_y, of_x] = place.strides;
        let at = place.at + plane / place.counts[0] * of_image + plane % place.counts[0] * of_z + rows.start * of_y;
        // Where rows follow each other in both, tiles write where it belongs.
        let joined = of_x == 1 && (rows.len() == 1 || (part == width && of_y == width));
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
                        c: if joined {
                            out.pointer().wrapping_add(at + row * place.row + start)
                        } else {
                            scratch[row * panel..].as_mut_ptr()
                        },
                        c_row: if joined { place.row } else { panel },
                        add: k > 0,
                        bias: std::ptr::null(),
                    };
                    // SAFETY: the caller has the instructions. `correlate` has checked the weights and the bias. Of the copy, a tile reads
                    // whole vectors from `start` + an offset on, of which the last begins within it and ends in what is beyond. The scratch
                    // has room for a panel of all rows, and the result for each window of a row, which no other task has.
                    unsafe {
                        let (c, c_row) = (tile.c, tile.c_row);
                        tile.compute::<S>(rows, columns, false);
                        if let Some(bias) = bias.filter(|_| end == weights.width) {
                            add_to_rows::<T, S>(&bias[row..row + rows], c, c_row, columns);
                        }
                    }
                    row += rows;
                }
                k = end;
            }
            // Columns of a row of windows go where they belong, those between two rows nowhere.
            let mut column = if joined { columns } else { 0 };
            while column < columns {
                let (y, x) = ((start + column) / part, (start + column) % part);
                let all = (part - x).min(columns - column);
                let count = width.saturating_sub(x).min(all);
                let at = at + y * of_y + x * of_x;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::conv::WindowAxis;
    use crate::kernel::conv::product::product;

    /// A convolution of two images by both kinds of strips, and by panels.
    fn by_both<T: Vectorized>(
        channels: [usize; 2],
        sizes: [usize; 2],
        kernel: [usize; 2],
        step: usize,
        dilation: usize,
    ) {
        let number = |i: usize| T::from_f64(((i * 7919) % 1013) as f64 / 507.0 - 1.0);
        let along = |axis: usize| {
            let taps = (0..kernel[axis]).map(|i| (i * dilation) as isize - 1).collect();
            let windows = (sizes[axis] + 2 - dilation * (kernel[axis] - 1) - 1) / step + 1;
            WindowAxis { size: sizes[axis], windows, step, taps }
        };
        let axes = [WindowAxis { size: 1, windows: 1, step: 1, taps: vec![0] }, along(0), along(1)];
        let ([of_in, of_out], plane, images) = (channels, sizes[0] * sizes[1], 2);
        let data: Vec<T> = (0..images * of_in * plane).map(number).collect();
        let strides = [of_in * plane, plane, plane, sizes[1]];
        let windows = Windows::new((&data, 0), [images, of_in], strides, &axes);
        let width = windows.rows();
        let weights: Vec<T> = (0..of_out * width).map(|i| number(i + 7)).collect();
        let bias: Vec<T> = (0..of_out).map(number).collect();
        let counts = [1, axes[1].windows, axes[2].windows];
        let positions = counts[1] * counts[2];
        // Every second element of a row too, as the gradient of a stride is laid.
        for x in [1, 2] {
            let place =
                Placed { at: 0, row: x * positions, strides: [of_out * x * positions, 0, x * counts[2], x], counts };
            let weights = Weights { data: &weights, rows: of_out, width };
            let mut right = vec![T::ZERO; images * of_out * positions * x];
            product(&weights, &windows, &mut right, place, Some(&bias));
            for strips in [Strips::sparse(&windows), Strips::dense(&windows)] {
                let mut out = vec![T::ZERO; right.len()];
                by_strips(&strips, weights, &windows, &mut out, place, Some(&bias));
                assert!(out == right, "{channels:?} {sizes:?} {kernel:?} {step} {dilation}");
            }
        }
    }

    #[test]
    fn all_ways_have_the_same_bits() {
        for channels in [[1, 1], [3, 6], [70, 33]] {
            for sizes in [[4, 5], [9, 40], [1, 200], [70, 17]] {
                for (kernel, step, dilation) in [([1, 3], 1, 1), ([3, 3], 2, 1), ([2, 2], 3, 2), ([3, 5], 1, 1)] {
                    by_both::<f32>(channels, sizes, kernel, step, dilation);
                }
            }
        }
        by_both::<f64>([60, 10], [20, 30], [3, 3], 1, 1);
        by_both::<f64>([3, 10], [20, 30], [3, 3], 2, 1);
    }
}
