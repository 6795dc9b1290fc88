//! Copies of rows of any stride, and of planes whose rows are columns in memory.

use std::ops::Range;

use super::isa::kernel;

/// The edge of the blocks in which planes are transposed: 16 f32 are a cache line.
pub(crate) const TRANSPOSED_SIDE: usize = 16;

/// Copies `x` to `out`, which has as many elements. Rows are often so short that a call of memcpy would take longer than the
/// copy.
#[inline]
fn copy_slice<T: Copy>(x: &[T], out: &mut [T]) {
    match x.len() {
        0 => {}
        1 => out[0] = x[0],
        2..=4 => copy_ends::<T, 2>(x, out),
        5..=8 => copy_ends::<T, 4>(x, out),
        9..=16 => copy_ends::<T, 8>(x, out),
        17..=32 => copy_ends::<T, 16>(x, out),
        _ => out.copy_from_slice(x),
    }
}

/// Copies N to 2 N elements by two moves of known length: the first N and the last N, which may overlap.
#[inline(always)]
pub(super) fn copy_ends<T: Copy, const N: usize>(x: &[T], out: &mut [T]) {
    let last = x.len() - N;
    out[..N].copy_from_slice(&x[..N]);
    out[last..].copy_from_slice(&x[last..][..N]);
}

/// out\[i] = data\[at + i · stride]
#[inline]
pub(crate) fn copy_row<T: Copy>(data: &[T], at: usize, stride: isize, out: &mut [T]) {
    match stride {
        1 => copy_slice(&data[at..][..out.len()], out),
        0 if !out.is_empty() => out.fill(data[at]),
        _ => {
            for (i, out) in out.iter_mut().enumerate() {
                *out = data[at.wrapping_add_signed(i as isize * stride)];
            }
        }
    }
}

/// out\[to + i · out_stride] = data\[at + i · stride] for i below `len`
#[inline]
pub(crate) fn copy_between<T: Copy>(
    (data, at, stride): (&[T], usize, isize),
    (out, to, out_stride): (&mut [T], usize, isize),
    len: usize,
) {
    if out_stride == 1 {
        return copy_row(data, at, stride, &mut out[to..][..len]);
    }
    for i in 0..len as isize {
        out[to.wrapping_add_signed(i * out_stride)] = data[at.wrapping_add_signed(i * stride)];
    }
}

/// The edge of the tiles in which blocks are visited. Without tiles, transposing 2000² in f32 took two to three times as long
/// (AMD EPYC). Tiles of half this edge were as good.
const TILE: usize = 8 * TRANSPOSED_SIDE;

fn tiles(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(TILE).map(move |start| start..len.min(start + TILE))
}

/// A plane in which the elements of a column are neighbours in memory.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a, T> {
    pub(crate) data: &'a [T],
    /// Where the first element lies.
    pub(crate) at: usize,
    /// From one column to the next.
    pub(crate) stride: isize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

kernel! {
    /// Writes the rows of a plane, one after the other at distances of `pitch`:
    /// out\[i · pitch + j] = data\[at + i + j · stride].
    pub(crate) fn copy_plane[T: Copy](plane: Plane<'_, T>, out: &mut [T], pitch: usize), memory {
        // In tiles of blocks: a block seldom uses the whole of a cache line, and never that of a page; the blocks beside it, which
        // use the rest, come soon after.
        for rows in tiles(plane.rows) {
            for columns in tiles(plane.columns) {
                for j in columns.step_by(TRANSPOSED_SIDE) {
                    for i in rows.clone().step_by(TRANSPOSED_SIDE) {
                        plane.copy_block(i, j, &mut out[i * pitch + j..], pitch);
                    }
                }
            }
        }
    }
}

impl<T: Copy> Plane<'_, T> {
    /// The block from (i, j) on.
    #[inline(always)]
    fn copy_block(&self, i: usize, j: usize, out: &mut [T], pitch: usize) {
        let column = |j: usize| self.at.wrapping_add_signed(j as isize * self.stride) + i;
        let (rows, columns) = (TRANSPOSED_SIDE.min(self.rows - i), TRANSPOSED_SIDE.min(self.columns - j));
        if (rows, columns) == (TRANSPOSED_SIDE, TRANSPOSED_SIDE) {
            let block: [[T; TRANSPOSED_SIDE]; TRANSPOSED_SIDE] =
                std::array::from_fn(|l| *self.data[column(j + l)..].first_chunk().expect("a whole block"));
            for i in 0..TRANSPOSED_SIDE {
                let out: &mut [T; TRANSPOSED_SIDE] = out[i * pitch..].first_chunk_mut().expect("a whole block");
                *out = std::array::from_fn(|l| block[l][i]);
            }
            return;
        }
        for l in 0..columns {
            let column = &self.data[column(j + l)..][..rows];
            for (i, &x) in column.iter().enumerate() {
                out[i * pitch + l] = x;
            }
        }
    }
}
