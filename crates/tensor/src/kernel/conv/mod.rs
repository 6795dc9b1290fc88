//! Convolutions: products of which one side are the windows of an input.
//!
//! The matrix of all windows (im2col) is nowhere in memory: a panel of it is copied when its tiles are computed (`windows`), and stays in
//! the caches meanwhile. Of the three products of a layer,
//!
//! - the result is W · windows of x,
//! - the gradient of x is Wᵀ · windows of ȳ, for each remainder of the places by the stride: only the taps that meet them,
//! - the gradient of W is the windows of x · ȳᵀ, a sum over all windows of all images in their order.
//!
//! All have the bits of the chains that `kernel::matmul` promises, whatever the threads, the instruction set, and how the work is cut.

mod near;
mod planes;
mod product;
mod runs;
mod windows;

use std::ops::Range;

pub(crate) use self::planes::{Maximum, PlaneWindows, Spots, Total, Weighted, fold_windows, largest_taps};
pub(crate) use self::product::Placed;
use self::product::{Left, Right, product};
pub(crate) use self::windows::{WindowAxis, Windows, add_windows, copy_windows};
use crate::buffer::Buffer;
use crate::kernel::copy::{Lines, Plane, copy_plane, copy_rows};
use crate::kernel::matmul::{Matrix, Onto, Vectorized, matmul, pack};
use crate::kernel::simd::{SIDE, Simd};
use crate::par;

/// The weights of one group, `[out, in · taps]`, in row-major order.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) rows: usize,
    /// Elements of a row.
    pub(crate) width: usize,
}

/// out = W · windows + bias, with an element of the bias for each row.
pub(crate) fn correlate<T: Vectorized>(
    weights: Weights<'_, T>,
    windows: &Windows<'_, T>,
    out: &mut [T],
    place: Placed,
    bias: Option<&[T]>,
) {
    assert!(
        weights.width == windows.rows() && weights.data.len() == weights.rows * weights.width,
        "weights fit their windows"
    );
    if let Some(images) = windows.as_images().filter(|_| place.is_images(windows.columns())) {
        let matrix = Matrix::new(weights.data, 0, [weights.rows, weights.width], [weights.width as isize, 1]);
        for (image, x) in images.enumerate() {
            let at = place.at + image * place.strides[0];
            let out = &mut out[at..][..weights.rows * x.columns()];
            matmul(matrix, x, out, Onto::Nothing);
            for (row, &bias) in out.chunks_exact_mut(place.row).zip(bias.unwrap_or(&[])) {
                row.iter_mut().for_each(|y| *y += bias);
            }
        }
    } else if near::pays(weights.rows, windows) {
        near::correlate(weights, windows, out, place, bias);
    } else {
        product(&weights, windows, out, place, bias);
    }
}

/// out = Wᵀ · windows + bias, where W is `[windows' channels, rows · all taps]` and the windows have the taps `taps` of each row.
pub(crate) fn correlate_turned<T: Vectorized>(
    weights: Turned<'_, T>,
    windows: &Windows<'_, T>,
    out: &mut [T],
    place: Placed,
    bias: Option<&[T]>,
) {
    let used = weights.taps.len();
    assert!(
        windows.rows().checked_rem(used).unwrap_or(0) == 0
            && weights.data.len()
                == windows.rows().checked_div(used).map_or(weights.data.len(), |o| o * weights.rows * weights.all_taps)
            && weights.taps.iter().all(|&tap| tap < weights.all_taps),
        "weights fit their windows"
    );
    let turned = if windows.rows() == 0 { Buffer::stale(0) } else { weights.turned(windows.rows()) };
    correlate(Weights { data: &turned, rows: weights.rows, width: windows.rows() }, windows, out, place, bias);
}

/// The windows of x times ȳᵀ: the gradient of the weights of all groups, `[groups · out, in · taps]` in row-major order. Both are those of the
/// first group.
pub(crate) fn weight_gradient<T: Vectorized>(
    windows: &Windows<'_, T>,
    gradient: &Channels<'_, T>,
    groups: usize,
    out: &mut [T],
) {
    if near::gradient_pays(gradient.channels, windows) {
        return near::weight_gradient(windows, gradient, groups, out);
    }
    let len = windows.rows() * gradient.channels;
    for (group, out) in out.chunks_exact_mut(len.max(1)).enumerate() {
        gradient_of_group(&windows.group(group), &gradient.group(group), out);
    }
}

fn gradient_of_group<T: Vectorized>(windows: &Windows<'_, T>, gradient: &Channels<'_, T>, out: &mut [T]) {
    let (rows, columns) = (Left::rows(windows), gradient.channels);
    assert!(
        out.len() == rows * columns && windows.columns() == gradient.images * gradient.len,
        "a gradient for each window"
    );
    if let Some(images) = windows.as_images().filter(|_| gradient.images > 0) {
        for (image, x) in images.enumerate() {
            let at = gradient.at + image * gradient.image;
            let gradient = Matrix::new(gradient.data, at, [columns, gradient.len], [gradient.len as isize, 1]);
            matmul(gradient, x.t(), out, if image == 0 { Onto::Nothing } else { Onto::C });
        }
        return;
    }
    let mut turned = Buffer::<T>::stale(rows * columns);
    product(windows, gradient, &mut turned, Placed::matrix(columns), None);
    if rows > 0 {
        let turned = &*turned;
        par::split(out, rows, par::STREAM, |start, out| {
            let at = start / rows;
            let plane = Plane {
                data: turned,
                at,
                stride: columns as isize,
                reversed: false,
                rows: out.len() / rows,
                columns: rows,
            };
            copy_plane(plane, out, rows);
        });
    }
}

impl<T: Vectorized> Left<T> for Weights<'_, T> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn room(&self, _: usize, _: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn block<S: Simd>(&self, rows: Range<usize>, k: Range<usize>, _: &mut [T]) -> (*const T, [isize; 2]) {
        (self.data[rows.start * self.width + k.start..].as_ptr(), [self.width as isize, 1])
    }
}

/// The weights of one group, `[out, rows, taps]` in row-major order, as the matrix `[rows, out · some taps]`.
#[derive(Clone, Copy)]
pub(crate) struct Turned<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) rows: usize,
    pub(crate) all_taps: usize,
    /// Which of them the matrix has.
    pub(crate) taps: &'a [usize],
}

/// Rows of turned weights that are copied at a time: so many neighbours are read before the next output channel, whose weights lie far away.
/// 16 and 32 make the input's gradient of 512 channels 8 and 4 % slower (Zen 5, one thread).
const TURNED_ROWS: usize = 64;

impl<T: Vectorized> Turned<'_, T> {
    /// The whole matrix, of so many columns: at least one tap of each output channel.
    fn turned(&self, width: usize) -> Buffer<T> {
        let mut turned = Buffer::<T>::stale(self.rows * width);
        let used = self.taps.len();
        let in_order = self.taps.iter().enumerate().all(|(i, &tap)| tap == self.taps[0] + i);
        par::split(&mut turned, width, par::STREAM, |start, out| {
            for (block, out) in out.chunks_mut(TURNED_ROWS * width).enumerate() {
                let first = start / width + block * TURNED_ROWS;
                for o in 0..width / used {
                    let at = (o * self.rows + first) * self.all_taps;
                    if in_order {
                        let from = Lines { at: at + self.taps[0], pitch: self.all_taps as isize, stride: 1 };
                        let to = Lines { at: o * used, pitch: width as isize, stride: 1 };
                        let rows = out.len() / width;
                        copy_rows(self.data, from, out, to, rows, used);
                    } else {
                        let rows = self.data[at..].chunks_exact(self.all_taps);
                        for (out, from) in out.chunks_exact_mut(width).zip(rows) {
                            for (out, &tap) in out[o * used..].iter_mut().zip(self.taps) {
                                *out = from[tap];
                            }
                        }
                    }
                }
            }
        });
        turned
    }
}

/// A copied row of A of 2 KiB and no more would begin in one of two sets of the L1 cache.
fn pitch(width: usize) -> usize {
    width.next_multiple_of(SIDE) + SIDE
}

impl<T: Vectorized> Right<T> for Windows<'_, T> {
    fn k(&self) -> usize {
        self.rows()
    }

    fn columns(&self) -> usize {
        self.columns()
    }

    #[inline(always)]
    unsafe fn panel<S: Simd>(&self, k: Range<usize>, columns: Range<usize>, out: &mut [T]) {
        let pitch = columns.len();
        // SAFETY: this function's caller ensures it.
        unsafe { self.copy::<S>(k, columns, out, pitch) }
    }
}

impl<T: Vectorized> Left<T> for Windows<'_, T> {
    fn rows(&self) -> usize {
        self.rows()
    }

    fn room(&self, rows: usize, width: usize) -> usize {
        rows * pitch(width)
    }

    #[inline(always)]
    unsafe fn block<S: Simd>(&self, rows: Range<usize>, k: Range<usize>, room: &mut [T]) -> (*const T, [isize; 2]) {
        let pitch = pitch(k.len());
        // SAFETY: this function's caller ensures it.
        unsafe { self.copy::<S>(rows, k, room, pitch) }
        (room.as_ptr(), [pitch as isize, 1])
    }
}

/// A batch `[images, channels, len]` as the matrix `[images · len, channels]`.
#[derive(Clone, Copy)]
pub(crate) struct Channels<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) at: usize,
    pub(crate) images: usize,
    pub(crate) channels: usize,
    pub(crate) len: usize,
    /// From one image to the next; channels are `len` elements apart.
    pub(crate) image: usize,
}

impl<T> Channels<'_, T> {
    /// Those of that group of as many channels, where these are the first one's.
    fn group(&self, group: usize) -> Self {
        Channels { at: self.at + group * self.channels * self.len, ..*self }
    }

    /// Whether the channels of all groups lie within the data.
    fn fits(&self, groups: usize) -> bool {
        let channels = groups * self.channels * self.len;
        self.images == 0 || channels == 0 || self.at + (self.images - 1) * self.image + channels <= self.data.len()
    }
}

impl<T: Vectorized> Right<T> for Channels<'_, T> {
    fn k(&self) -> usize {
        self.images * self.len
    }

    fn columns(&self) -> usize {
        self.channels
    }

    #[inline(always)]
    unsafe fn panel<S: Simd>(&self, k: Range<usize>, columns: Range<usize>, out: &mut [T]) {
        let (mut row, width) = (k.start, columns.len());
        while row < k.end {
            let (image, from) = (row / self.len, row % self.len);
            let to = self.len.min(from + k.end - row);
            let sizes = [self.len, self.channels];
            let matrix = Matrix::new(self.data, self.at + image * self.image, sizes, [1, self.len as isize]);
            let out = &mut out[(row - k.start) * width..];
            // SAFETY: this function's caller ensures it.
            unsafe { pack::<T, S>(matrix, from..to, columns.clone(), out, width) }
            row += to - from;
        }
    }
}
