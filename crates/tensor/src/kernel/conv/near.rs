//! Convolutions of few channels, whose panels would take as long to copy as to compute with.
//!
//! A strip of an image is copied once, with the zeros around it, and tiles read all of its windows there: a tap is the same place in each
//! row, so that a list says where the rows of the windows' matrix begin. Columns go through the strip without regard to its edges; those
//! between two rows of results are computed for nothing. For a stride, what has the same remainder by it lies side by side.
//!
//! Each element is the chain that `product` makes: which of the two computes it leaves no trace.

use std::ops::Range;

use super::Weights;
use super::planes::copy_line;
use super::product::Placed;
use super::windows::Windows;
use crate::buffer::Buffer;
use crate::kernel::matmul::{CHUNK, PrefetchCopy, Tile, Vectorized, height};
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};
use crate::kernel::vector::MAX_LANES;
use crate::par::{self, Hands, Shared};

/// The most bytes of a strip, which stays in the L2 cache.
const STRIP: usize = 192 << 10;

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
pub(super) fn pays<T>(rows: usize, windows: &Windows<'_, T>) -> bool {
    let [z, y, x] = windows.axes();
    let is_plane = z.size == 1 && z.windows == 1 && z.taps == [0];
    let is_empty = x.windows == 0 || y.windows == 0 || windows.channels() == 0;
    if !is_plane || y.taps.len() * x.taps.len() == 1 || rows > ROWS || is_empty {
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

/// How an image is cut into strips, and how a strip lies in its copy.
struct Strips {
    /// Zeros before the input along y and x.
    before: [usize; 2],
    step: [usize; 2],
    /// Elements of a row that have the same remainder by the step.
    part: usize,
    /// Rows of the input from the first of a window to its last, and one.
    span: usize,
}

impl Strips {
    fn new<T>(windows: &Windows<'_, T>) -> Self {
        let [_, y, x] = windows.axes();
        let before = [y, x].map(|axis| axis.taps.iter().min().map_or(0, |&tap| (-tap).max(0).unsigned_abs()));
        let last = |axis: usize| {
            let taps = [y, x][axis].taps.iter().max();
            taps.map_or(0, |&tap| before[axis].saturating_add_signed(tap))
        };
        let part = (x.windows.saturating_sub(1) * x.step + last(1) + 1).div_ceil(x.step);
        Strips { before, step: [y.step, x.step], part, span: last(0) + 1 }
    }

    /// Rows of each remainder, for so many rows of windows.
    fn rows(&self, windows: usize) -> usize {
        ((windows - 1) * self.step[0] + self.span).div_ceil(self.step[0])
    }

    /// Elements of a channel's copy.
    fn channel(&self, windows: usize) -> usize {
        self.step[0] * self.step[1] * self.rows(windows) * self.part
    }

    /// Where each row of the windows' matrix begins in the copy of a strip.
    fn offsets<T>(&self, windows: &Windows<'_, T>, rows: usize) -> Vec<usize> {
        let [_, y, x] = windows.axes();
        let [step_y, step_x] = self.step;
        let plane = self.rows(rows) * self.part;
        let mut offsets = Vec::with_capacity(windows.rows());
        for channel in 0..windows.channels() {
            for &tap_y in &y.taps {
                for &tap_x in &x.taps {
                    let [at_y, at_x] =
                        [self.before[0].wrapping_add_signed(tap_y), self.before[1].wrapping_add_signed(tap_x)];
                    let remainders = at_y % step_y * step_x + at_x % step_x;
                    let at = channel * step_y * step_x + remainders;
                    offsets.push(at * plane + at_y / step_y * self.part + at_x / step_x);
                }
            }
        }
        offsets
    }

    /// Copies what some rows of windows of an image are of.
    fn copy<T: Vectorized>(&self, windows: &Windows<'_, T>, image: usize, rows: Range<usize>, copy: &mut [T]) {
        let [step_y, step_x] = self.step;
        let (of_remainder, channel) = (self.rows(rows.len()) * self.part, self.channel(rows.len()));
        for (c, copy) in copy[..windows.channels() * channel].chunks_exact_mut(channel).enumerate() {
            for (remainders, copy) in copy.chunks_exact_mut(of_remainder).enumerate() {
                let [first, remainder] = [remainders / step_x, remainders % step_x];
                for (i, out) in copy.chunks_exact_mut(self.part).enumerate() {
                    let y = (rows.start * step_y + first + i * step_y).checked_sub(self.before[0]);
                    match y.and_then(|y| windows.line(image, c, y)) {
                        Some(line) => copy_line(line, [self.before[1], remainder], step_x, T::ZERO, out),
                        None => out.fill(T::ZERO),
                    }
                }
            }
        }
    }
}

/// out = W · windows + bias, where [`pays`] has said so.
pub(super) fn correlate<T: Vectorized>(
    weights: Weights<'_, T>,
    windows: &Windows<'_, T>,
    out: &mut [T],
    place: Placed,
    bias: Option<&[T]>,
) {
    assert!(
        place.fits(weights.rows, windows.columns(), out.len())
            && bias.is_none_or(|bias| bias.len() == weights.rows)
            && place.counts[1..] == [windows.axes()[1].windows, windows.axes()[2].windows],
        "the sizes of a convolution must fit"
    );
    let strips = Strips::new(windows);
    let (of_y, images) = (windows.axes()[1].windows, windows.images());
    if weights.rows == 0 || windows.columns() == 0 {
        return;
    }
    let a_row = strips.step[0] * strips.step[1] * strips.part * windows.channels() * size_of::<T>() * strips.step[0];
    let rows = (STRIP / a_row.max(1)).clamp(1, of_y);
    // Even ones.
    let rows = of_y.div_ceil(of_y.div_ceil(rows));
    let count = of_y.div_ceil(rows);
    let cost = weights.rows as f64 * weights.width as f64 * windows.columns() as f64 * par::MULTIPLY_ADD;
    let shared = Shared::new(out);
    let all = [strips.offsets(windows, rows), strips.offsets(windows, of_y - (count - 1) * rows)];
    Hands::for_work(cost).each(images * count, &|task| {
        let (image, first) = (task / count, task % count * rows);
        let rows_of_strip = first..of_y.min(first + rows);
        let offsets = &all[usize::from(rows_of_strip.len() < rows)];
        simd::dispatch(Strip {
            weights,
            windows,
            strips: &strips,
            offsets,
            image,
            rows: rows_of_strip,
            out: shared,
            place,
            bias,
        });
    });
}

/// The windows of some rows of an image, which are the work of one task.
struct Strip<'a, T> {
    weights: Weights<'a, T>,
    windows: &'a Windows<'a, T>,
    strips: &'a Strips,
    offsets: &'a [usize],
    image: usize,
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
        let Strip { weights, windows, strips, offsets, image, rows, out, place, bias } = self;
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let panel = S::TILES.len() * lanes;
        let (width, part) = (windows.axes()[2].windows, strips.part);
        let mut copy = Buffer::<T>::stale(windows.channels() * strips.channel(rows.len()) + BEYOND);
        let mut scratch = Buffer::<T>::stale(weights.rows * panel);
        let (copy, scratch) = (&mut *copy, &mut *scratch);
        strips.copy(windows, image, rows.clone(), copy);
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
                let [of_image, _, of_y, of_x] = place.strides;
                let at = place.at + image * of_image + (rows.start + y) * of_y + x * of_x;
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
