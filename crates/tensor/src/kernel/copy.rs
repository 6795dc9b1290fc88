//! Copies of rows of any stride, and of planes whose rows are columns in memory.

use std::ops::Range;

use super::isa::kernel;

/// The edge of the blocks in which planes are transposed: 16 f32 are a cache line.
pub(crate) const TRANSPOSED_SIDE: usize = 16;

/// Copies `x` to `out`, which has as many elements. Rows are often so short that a call of memcpy would take longer than the
/// copy.
#[inline(always)]
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

/// As [`copy_ends`], of one element.
#[inline(always)]
fn fill_ends<T: Copy, const N: usize>(out: &mut [T], x: T) {
    let last = out.len() - N;
    out[..N].copy_from_slice(&[x; N]);
    out[last..].copy_from_slice(&[x; N]);
}

/// out\[i] = data\[at + i · stride]
#[inline(always)]
pub(crate) fn copy_row<T: Copy>(data: &[T], at: usize, stride: isize, out: &mut [T]) {
    match stride {
        _ if out.is_empty() => {}
        0 => out.fill(data[at]),
        1 => copy_slice(&data[at..][..out.len()], out),
        2 => {
            // Two vectors of neighbours, of which each gives half.
            let (pairs, last) = data[at..][..2 * out.len() - 1].as_chunks::<2>();
            let (end, out) = out.split_last_mut().expect("not empty");
            out.iter_mut().zip(pairs).for_each(|(out, pair)| *out = pair[0]);
            *end = last[0];
        }
        // Reversed within registers.
        -1 => out.iter_mut().zip(data[..=at].iter().rev()).for_each(|(out, &x)| *out = x),
        3.. => out.iter_mut().zip(data[at..].iter().step_by(stride as usize)).for_each(|(out, &x)| *out = x),
        _ => out.iter_mut().zip(data[..=at].iter().rev().step_by(-stride as usize)).for_each(|(out, &x)| *out = x),
    }
}

/// Where rows lie: the first element, from one row to the next, and from one element to the next.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    pub(crate) at: usize,
    pub(crate) pitch: isize,
    pub(crate) stride: isize,
}

impl Lines {
    /// Rows of neighbours, one after the other.
    pub(crate) fn of(len: usize) -> Self {
        Lines { at: 0, pitch: len as isize, stride: 1 }
    }

    #[inline(always)]
    fn row(&self, i: usize) -> usize {
        self.at.wrapping_add_signed(i as isize * self.pitch)
    }
}

kernel! {
    /// Copies as many rows of `len` elements, at least one each, from where `from` says to where `to` says.
    pub(crate) fn copy_rows[T: Copy](data: &[T], from: Lines, out: &mut [T], to: Lines, rows: usize, len: usize), memory {
        // What a row is copied by is settled before the loop over rows.
        match (to.stride, from.stride, len) {
            (1, 0, 2) if to.pitch == 2 => repeat_each::<T, 2>(data, from, out, to, rows),
            (1, 0, 3) if to.pitch == 3 => repeat_each::<T, 3>(data, from, out, to, rows),
            (1, 0, 4) if to.pitch == 4 => repeat_each::<T, 4>(data, from, out, to, rows),
            (1, 0, 5..=8) => fill_each::<T, 4>(data, from, out, to, rows, len),
            (1, 0, 9..=16) => fill_each::<T, 8>(data, from, out, to, rows, len),
            (1, 0, 17..=32) => fill_each::<T, 16>(data, from, out, to, rows, len),
            (1, 0, 33..=64) => fill_each::<T, 32>(data, from, out, to, rows, len),
            (1, 1, 2..=4) => copy_each::<T, 2, 1>(data, from, out, to, rows, len),
            (1, 1, 5..=8) => copy_each::<T, 4, 1>(data, from, out, to, rows, len),
            (1, 1, 9..=16) => copy_each::<T, 8, 1>(data, from, out, to, rows, len),
            (1, 1, 17..=32) => copy_each::<T, 16, 1>(data, from, out, to, rows, len),
            (1, 1, 33..=64) => copy_each::<T, 32, 1>(data, from, out, to, rows, len),
            (1, 2, 5..=8) => copy_each::<T, 4, 2>(data, from, out, to, rows, len),
            (1, 2, 9..=16) => copy_each::<T, 8, 2>(data, from, out, to, rows, len),
            (1, 2, 17..=32) => copy_each::<T, 16, 2>(data, from, out, to, rows, len),
            (1, ..) => {
                // As a loop: the function of a `for_each` may be compiled by itself, for the baseline.
                for i in 0..rows {
                    copy_row(data, from.row(i), from.stride, &mut out[to.row(i)..][..len]);
                }
            }
            _ => {
                for i in 0..rows {
                    for j in 0..len as isize {
                        out[to.row(i).wrapping_add_signed(j * to.stride)] = data[from.row(i).wrapping_add_signed(j * from.stride)];
                    }
                }
            }
        }
    }
}

/// Rows of N to 2 N elements that are `STEP` apart.
#[inline(always)]
fn copy_each<T: Copy, const N: usize, const STEP: usize>(
    data: &[T],
    from: Lines,
    out: &mut [T],
    to: Lines,
    rows: usize,
    len: usize,
) {
    for i in 0..rows {
        let (x, out) = (&data[from.row(i)..][..STEP * (len - 1) + 1], &mut out[to.row(i)..][..len]);
        let (first, last) = (&x[..STEP * (N - 1) + 1], &x[STEP * (len - N)..]);
        out[..N].copy_from_slice(&std::array::from_fn::<T, N, _>(|j| first[STEP * j]));
        out[len - N..].copy_from_slice(&std::array::from_fn::<T, N, _>(|j| last[STEP * j]));
    }
}

/// Rows of one element, N to 2 N times.
#[inline(always)]
fn fill_each<T: Copy, const N: usize>(data: &[T], from: Lines, out: &mut [T], to: Lines, rows: usize, len: usize) {
    for i in 0..rows {
        fill_ends::<T, N>(&mut out[to.row(i)..][..len], data[from.row(i)]);
    }
}

/// Rows of one element, N times, which become neighbours.
#[inline(always)]
fn repeat_each<T: Copy, const N: usize>(data: &[T], from: Lines, out: &mut [T], to: Lines, rows: usize) {
    let (out, _) = out[to.at..][..N * rows].as_chunks_mut::<N>();
    if from.pitch == 1 {
        for (out, &x) in out.iter_mut().zip(&data[from.at..][..rows]) {
            *out = [x; N];
        }
        return;
    }
    for (i, out) in out.iter_mut().enumerate() {
        *out = [data[from.row(i)]; N];
    }
}

/// The edge of the tiles in which blocks are visited. Without tiles, transposing 2000² in f32 took two to three times as long
/// (AMD EPYC). Tiles of half this edge were as good.
const TILE: usize = 8 * TRANSPOSED_SIDE;

fn tiles(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(TILE).map(move |start| start..len.min(start + TILE))
}

/// A plane in which the elements of a column are neighbours in memory, from the first on or from the last.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a, T> {
    pub(crate) data: &'a [T],
    /// Where the first element lies.
    pub(crate) at: usize,
    /// From one column to the next.
    pub(crate) stride: isize,
    /// Whether the last element of a column lies first.
    pub(crate) reversed: bool,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

kernel! {
    /// Writes the rows of a plane, one after the other at distances of `pitch`:
    /// out\[i · pitch + j] = data\[at ± i + j · stride].
    pub(crate) fn copy_plane[T: Copy](plane: Plane<'_, T>, out: &mut [T], pitch: usize), memory {
        if plane.columns < TRANSPOSED_SIDE {
            return plane.copy_columns(0..plane.rows, 0, plane.columns, out, pitch);
        }
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
        let (rows, columns) = (TRANSPOSED_SIDE.min(self.rows - i), TRANSPOSED_SIDE.min(self.columns - j));
        if (rows, columns) == (TRANSPOSED_SIDE, TRANSPOSED_SIDE) {
            let mut block: [[T; TRANSPOSED_SIDE]; TRANSPOSED_SIDE] =
                std::array::from_fn(|l| *self.part_of_column(j + l, i, rows).first_chunk().expect("a whole block"));
            if self.reversed {
                block.iter_mut().for_each(|column| column.reverse());
            }
            for i in 0..TRANSPOSED_SIDE {
                let out: &mut [T; TRANSPOSED_SIDE] = out[i * pitch..].first_chunk_mut().expect("a whole block");
                *out = std::array::from_fn(|l| block[l][i]);
            }
            return;
        }
        self.copy_columns(i..i + rows, j, columns, out, pitch);
    }

    /// The columns from j on, at most as many as a block has, some of which at a time become parts of rows.
    #[inline(always)]
    fn copy_columns(&self, rows: Range<usize>, j: usize, columns: usize, out: &mut [T], pitch: usize) {
        let mut done = 0;
        if columns & 16 != 0 {
            self.copy_strip::<16>(&rows, j, out, pitch);
            done += 16;
        }
        if columns & 8 != 0 {
            self.copy_strip::<8>(&rows, j + done, &mut out[done..], pitch);
            done += 8;
        }
        if columns & 4 != 0 {
            self.copy_strip::<4>(&rows, j + done, &mut out[done..], pitch);
            done += 4;
        }
        if columns & 2 != 0 {
            self.copy_strip::<2>(&rows, j + done, &mut out[done..], pitch);
            done += 2;
        }
        if columns & 1 != 0 {
            self.copy_strip::<1>(&rows, j + done, &mut out[done..], pitch);
        }
    }

    /// N columns from j on.
    #[inline(always)]
    fn copy_strip<const N: usize>(&self, rows: &Range<usize>, j: usize, out: &mut [T], pitch: usize) {
        let len = rows.len();
        let columns: [&[T]; N] = std::array::from_fn(|l| self.part_of_column(j + l, rows.start, len));
        for (i, out) in out.chunks_mut(pitch).take(len).enumerate() {
            let out: &mut [T; N] = out.first_chunk_mut().expect("as many columns");
            let at = if self.reversed { len - 1 - i } else { i };
            *out = std::array::from_fn(|l| columns[l][at]);
        }
    }

    /// The `len` elements of column j from row i on, as they lie in memory.
    #[inline(always)]
    fn part_of_column(&self, j: usize, i: usize, len: usize) -> &[T] {
        let at = self.at.wrapping_add_signed(j as isize * self.stride);
        &self.data[if self.reversed { at + 1 - i - len } else { at + i }..][..len]
    }
}
