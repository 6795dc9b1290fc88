//! Copies of rows of any stride, and of planes whose rows are columns in memory.

/// The edge of the blocks in which planes are transposed: 16 elements of an f32 are a cache line.
pub(crate) const BLOCK: usize = 16;

/// out\[i] = data\[at + i · stride]
#[inline]
pub(crate) fn copy_row<T: Copy>(data: &[T], at: usize, stride: isize, out: &mut [T]) {
    match stride {
        1 => out.copy_from_slice(&data[at..][..out.len()]),
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

impl<T: Copy> Plane<'_, T> {
    /// Writes the rows, one after the other at distances of `pitch`: out\[i · pitch + j] = data\[at + i + j · stride].
    pub(crate) fn copy_rows(self, out: &mut [T], pitch: usize) {
        for i in (0..self.rows).step_by(BLOCK) {
            for j in (0..self.columns).step_by(BLOCK) {
                self.copy_block(i, j, &mut out[i * pitch + j..], pitch);
            }
        }
    }

    /// The block from (i, j) on.
    #[inline]
    fn copy_block(&self, i: usize, j: usize, out: &mut [T], pitch: usize) {
        let column = |j: usize| self.at.wrapping_add_signed(j as isize * self.stride) + i;
        let (rows, columns) = (BLOCK.min(self.rows - i), BLOCK.min(self.columns - j));
        if (rows, columns) == (BLOCK, BLOCK) {
            let block: [[T; BLOCK]; BLOCK] =
                std::array::from_fn(|l| *self.data[column(j + l)..].first_chunk().expect("a whole block"));
            for i in 0..BLOCK {
                let out: &mut [T; BLOCK] = out[i * pitch..].first_chunk_mut().expect("a whole block");
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
