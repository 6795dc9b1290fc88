//! The product of two matrices of which parts are copied as they are needed, into a result of any strides.
//!
//! Cut as that of two matrices in memory (`kernel::matmul`), and with the same tiles: each element is, in chunks of 512 along k, one
//! chain of fused multiply-adds in the order of k, so no cut leaves a trace in its bits.

use std::marker::PhantomData;
use std::ops::Range;

use super::runs::Runs;
use crate::buffer::Buffer;
use crate::kernel::matmul::{
    BLOCK_ROWS, CHUNK, Parts, PrefetchCopy, Tile, TileSizes, TileSizesOf, Vectorized, height, is_far,
};
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};
use crate::par::{self, Hands, Shared};

/// The fewest rows of a task, if there are more than threads: with 18 rows for each of eight tasks, all of which copied all of the right side,
/// two threads took longer than one (3 × 3 windows of 16 channels, 32 outputs, 14², batch 64).
const SERVED: usize = 64;

/// A matrix of which tiles read some rows.
pub(super) trait Left<T: Vectorized>: Sync {
    fn rows(&self) -> usize;

    /// How many elements a copy of some rows takes, for a chunk of this width.
    fn room(&self, rows: usize, width: usize) -> usize;

    /// Where some rows of a chunk are read, and from one row and one k to the next: in place, or copied to `room`.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    unsafe fn block<S: Simd>(&self, rows: Range<usize>, k: Range<usize>, room: &mut [T]) -> (*const T, [isize; 2]);
}

/// A matrix of which tiles read a panel of columns, from a copy.
pub(super) trait Right<T: Vectorized>: Sync {
    fn k(&self) -> usize;

    fn columns(&self) -> usize;

    /// Copies rows `k` of these columns, of which some may be beyond the last one, row by row.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    unsafe fn panel<S: Simd>(&self, k: Range<usize>, columns: Range<usize>, out: &mut [T]);
}

/// Where the result goes: row c and column (image, z, y, x) to the place `at + c · row + image · strides[0] + z · strides[1] + …`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) at: usize,
    pub(crate) row: usize,
    /// From one image, z, y and x to the next.
    pub(crate) strides: [usize; 4],
    /// How many columns there are along z, y and x.
    pub(crate) counts: [usize; 3],
}

impl Placed {
    /// A matrix in row-major order.
    pub(super) fn matrix(columns: usize) -> Self {
        Placed { at: 0, row: columns, strides: [0, 0, 0, 1], counts: [1, 1, columns] }
    }

    /// Whether all of these rows and columns lie within `len` elements.
    pub(super) fn fits(&self, rows: usize, columns: usize, len: usize) -> bool {
        let [z, y, x] = self.counts;
        let sizes = [columns / (z * y * x).max(1), z, y, x];
        let last = sizes.iter().zip(self.strides).map(|(&size, stride)| size.saturating_sub(1) * stride).sum::<usize>();
        rows == 0 || columns == 0 || self.at + (rows - 1) * self.row + last < len
    }

    /// Whether each image is a matrix in row-major order, of so many columns for all images.
    pub(super) fn is_images(&self, columns: usize) -> bool {
        let [z, y, x] = self.counts;
        let joined = self.strides[3] == 1 && (y == 1 || self.strides[2] == x) && (z == 1 || self.strides[1] == x * y);
        joined && self.row == x * y * z && (columns <= x * y * z || self.strides[0] > 0)
    }

    /// Where a row of these columns begins, if it is contiguous.
    #[inline(always)]
    fn contiguous(&self, columns: Range<usize>) -> Option<usize> {
        let [image, z, y, x] = self.strides;
        let [of_z, of_y, of_x] = self.counts;
        let run = Runs::new(self.counts, columns.clone()).next_run()?;
        let joined = run.len == columns.len()
            || (y == of_x
                && (z == of_y * of_x || of_z == 1)
                && run.z * of_y * of_x + run.y * of_x + run.x + columns.len() <= of_z * of_y * of_x);
        (x == 1 && joined).then(|| self.at + run.image * image + run.z * z + run.y * y + run.x)
    }
}

/// The product of `left` and `right`, and a bias for each row.
///
/// # Panics
/// The sizes do not fit.
pub(super) fn product<T: Vectorized, L: Left<T>, R: Right<T>>(
    left: &L,
    right: &R,
    out: &mut [T],
    place: Placed,
    bias: Option<&[T]>,
) {
    let (m, k, n) = (left.rows(), right.k(), right.columns());
    assert!(place.fits(m, n, out.len()) && bias.is_none_or(|bias| bias.len() == m), "the sizes of a product must fit");
    if m == 0 || n == 0 {
        return;
    }
    let out = Shared::new(out);
    let TileSizes { lanes, rows } = simd::dispatch(TileSizesOf(PhantomData::<T>));
    let height = rows[rows.len() - 1];
    let panels = Parts { len: n, unit: lanes, parts: n.div_ceil(lanes * rows.len()) };
    let product = Product { left, right, out, place, bias, k, n, panels };
    // Columns are parted first: each part of the right side is then copied once. Else a copy serves some rows at least.
    let hands = Hands::for_work(m as f64 * n as f64 * k as f64 * par::MULTIPLY_ADD);
    let (tasks, least) = (hands.tasks(), m.div_ceil(BLOCK_ROWS));
    let across = Parts { len: panels.parts, unit: 1, parts: tasks.div_ceil(least).min(panels.parts) };
    let most = (m / SERVED).max(hands.threads().div_ceil(across.parts)).min(m.div_ceil(height));
    let down = Parts { len: m, unit: height, parts: tasks.div_ceil(across.parts).min(most).max(least) };
    hands.each(down.parts * across.parts, &|block| {
        let rows = down.range(block / across.parts);
        let panels = across.range(block % across.parts);
        simd::dispatch(Block { product: &product, rows: rows.start..rows.end.min(m), panels });
    });
}

struct Product<'a, T, L, R> {
    left: &'a L,
    right: &'a R,
    out: Shared<T>,
    place: Placed,
    bias: Option<&'a [T]>,
    k: usize,
    n: usize,
    panels: Parts,
}

/// A block of the result, which is the work of one task.
struct Block<'a, T, L, R> {
    product: &'a Product<'a, T, L, R>,
    rows: Range<usize>,
    panels: Range<usize>,
}

impl<T: Vectorized, L: Left<T>, R: Right<T>> VectorKernel for Block<'_, T, L, R> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let Product { left, right, out, place, bias, k, n, panels } = *self.product;
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let width = k.min(CHUNK);
        let mut left_room = Buffer::<T>::stale(left.room(self.rows.len(), width));
        let mut right_room = Buffer::<T>::stale(S::TILES.len() * lanes * width);
        let (left_room, right_room) = (&mut *left_room, &mut *right_room);
        let panel_len = S::TILES.len() * lanes;
        let mut scratch = Buffer::<T>::stale(self.rows.len() * panel_len);
        let scratch = &mut *scratch;
        // Where the left side is copied, each copy serves all panels; else each panel goes through all of k.
        let whole = if left_room.is_empty() { 1 } else { self.panels.len() };
        for first in self.panels.clone().step_by(whole) {
            // Without a k there is one chunk of nothing, for the bias.
            for start in (0..k.max(1)).step_by(CHUNK) {
                let end = k.min(start + CHUNK);
                // SAFETY: the caller has the instructions.
                let (a, a_strides) = unsafe { left.block::<S>(self.rows.clone(), start..end, left_room) };
                for panel in first..first + whole {
                    let columns = panels.range(panel);
                    // SAFETY: the caller has the instructions.
                    unsafe { right.panel::<S>(start..end, columns.clone(), right_room) }
                    let inside = columns.start..columns.end.min(n);
                    let contiguous = place.contiguous(inside.clone());
                    if contiguous.is_none() && start > 0 && whole > 1 {
                        // SAFETY: as that of the tile below.
                        unsafe { gather(out, place, self.rows.clone(), inside.clone(), scratch, panel_len) }
                    }
                    let (c, c_row) = match contiguous {
                        Some(at) => (out.pointer().wrapping_add(at + self.rows.start * place.row), place.row),
                        None => (scratch.as_mut_ptr(), panel_len),
                    };
                    let most = S::TILES[columns.len() / lanes - 1];
                    let mut row = self.rows.start;
                    while row < self.rows.end {
                        let rows = height(self.rows.end - row, most);
                        let tile = Tile {
                            k: end - start,
                            a: a.wrapping_offset((row - self.rows.start) as isize * a_strides[0]),
                            a_strides,
                            b: right_room.as_ptr(),
                            b_k: columns.len() as isize,
                            b_offsets: std::ptr::null(),
                            far: is_far::<T>(end - start, columns.len()),
                            tail_rows: 0,
                            copy: std::ptr::null_mut(),
                            prefetch: PrefetchCopy::none(),
                            c: c.wrapping_add((row - self.rows.start) * c_row),
                            c_row,
                            add: start > 0,
                            bias: std::ptr::null(),
                        };
                        // SAFETY: the caller has the instructions. `left` and `right` give what a tile reads of a chunk, the copy of a
                        // panel has its columns in whole vectors; `product` has checked that the result has room for each row and
                        // column, whose places no other task has, and the length of the bias. The scratch has room for a panel.
                        unsafe {
                            let (c, c_row) = (tile.c, tile.c_row);
                            tile.compute::<S>(rows, inside.len(), false);
                            if let Some(bias) = bias.filter(|_| end == k) {
                                add_to_rows::<T, S>(&bias[row..row + rows], c, c_row, inside.len());
                            }
                        }
                        row += rows;
                    }
                    if contiguous.is_none() && (end == k || whole > 1) {
                        // SAFETY: as that of the tile above.
                        unsafe { scatter(out, place, self.rows.clone(), inside.clone(), scratch, panel_len) }
                    }
                }
            }
        }
    }
}

/// Adds a number to all elements of each row, which is contiguous.
///
/// # Safety
/// The processor has the instructions of `S`; there are as many rows, `pitch` elements apart, and they have so many columns.
#[inline(always)]
pub(super) unsafe fn add_to_rows<T: Vectorized, S: Simd>(bias: &[T], c: *mut T, pitch: usize, columns: usize) {
    let lanes = <T::Vector<S> as Vector<T>>::LANES;
    for (row, &bias) in bias.iter().enumerate() {
        // SAFETY: the processor has the instructions: this function's caller ensures it.
        let bias = unsafe { T::Vector::<S>::splat(bias) };
        for column in (0..columns).step_by(lanes) {
            let (c, count) = (c.wrapping_add(row * pitch + column), columns - column);
            // SAFETY: this function's caller ensures it; no vector reaches beyond the last column.
            unsafe {
                if count >= lanes {
                    T::Vector::<S>::add(T::Vector::<S>::load(c), bias).store(c);
                } else {
                    T::Vector::<S>::add(T::Vector::<S>::load_first(c, count), bias).store_first(c, count);
                }
            }
        }
    }
}

/// Copies rows of the result to `scratch`, each `pitch` elements after the one before.
///
/// # Safety
/// The rows and columns are within the result, and nobody else has them.
#[inline(always)]
unsafe fn gather<T: Copy>(
    out: Shared<T>,
    place: Placed,
    rows: Range<usize>,
    columns: Range<usize>,
    scratch: &mut [T],
    pitch: usize,
) {
    let step = place.strides[3];
    let mut runs = Runs::new(place.counts, columns);
    while let Some(run) = runs.next_run() {
        let [image, z, y, x] = place.strides;
        let at = place.at + run.image * image + run.z * z + run.y * y + run.x * x;
        for (i, row) in rows.clone().enumerate() {
            let to = &mut scratch[i * pitch + run.at..][..run.len];
            let from = out.pointer().wrapping_add(at + row * place.row);
            for (j, to) in to.iter_mut().enumerate() {
                // SAFETY: this function's caller ensures it.
                *to = unsafe { *from.add(j * step) };
            }
        }
    }
}

/// The way back.
///
/// # Safety
/// As [`gather`].
#[inline(always)]
unsafe fn scatter<T: Copy>(
    out: Shared<T>,
    place: Placed,
    rows: Range<usize>,
    columns: Range<usize>,
    scratch: &[T],
    pitch: usize,
) {
    let step = place.strides[3];
    let mut runs = Runs::new(place.counts, columns);
    while let Some(run) = runs.next_run() {
        let [image, z, y, x] = place.strides;
        let at = place.at + run.image * image + run.z * z + run.y * y + run.x * x;
        for (i, row) in rows.clone().enumerate() {
            let from = &scratch[i * pitch + run.at..][..run.len];
            let to = out.pointer().wrapping_add(at + row * place.row);
            for (j, &from) in from.iter().enumerate() {
                // SAFETY: this function's caller ensures it.
                unsafe { *to.add(j * step) = from };
            }
        }
    }
}
