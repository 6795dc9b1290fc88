//! Reading and writing rows whose elements lie where an index tensor says.

use super::copy::copy_row;
use super::elementwise::Row;
use super::isa::kernel;

/// Where the elements of a row lie along an axis: element i at index j of the axis is `data[at + i · step + j · stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) at: usize,
    pub(crate) step: isize,
    pub(crate) stride: isize,
}

impl Line {
    #[inline(always)]
    fn position(self, i: usize, index: i64) -> usize {
        self.at.wrapping_add_signed(i as isize * self.step + index as isize * self.stride)
    }
}

/// Whether each index is below `size` and none is negative.
pub(crate) fn all_within(indices: &[i64], size: usize) -> bool {
    kernel! {
        /// The signs of i and of size − 1 − i, of which none is set. Without an early end, so that the loop is vectorized.
        fn signs[](indices: &[i64], last: i64, signs: &mut i64), memory {
            *signs = indices.iter().fold(0, |signs, &index| signs | index | last.wrapping_sub(index));
        }
    }
    let mut any = 0;
    signs(indices, size as i64 - 1, &mut any);
    any >= 0
}

/// out\[i] = the element i of the line at index\[i]
#[inline]
pub(crate) fn gather_row<T: Copy>(data: &[T], line: Line, index: Row<'_, i64>, out: &mut [T]) {
    match index {
        // Within one line of neighbours, an index is a place.
        Row::Contiguous(index) if (line.step, line.stride) == (0, 1) => {
            let line = &data[line.at..];
            for (out, &index) in out.iter_mut().zip(index) {
                *out = line[index as usize];
            }
        }
        Row::Contiguous(index) => {
            for (i, (out, &index)) in out.iter_mut().zip(index).enumerate() {
                *out = data[line.position(i, index)];
            }
        }
        Row::Splat(index) => copy_row(data, line.position(0, index), line.step, out),
    }
}

/// x = f(x, source\[i]) in turn for i below `len`, where x is the element i of the line at index\[i].
#[inline]
pub(crate) fn scatter_row<T: Copy>(
    data: &mut [T],
    line: Line,
    index: Row<'_, i64>,
    source: Row<'_, T>,
    len: usize,
    f: impl Fn(T, T) -> T,
) {
    match (index, source) {
        (Row::Contiguous(index), Row::Contiguous(source)) if (line.step, line.stride) == (0, 1) => {
            let line = &mut data[line.at..];
            for (&index, &y) in index.iter().zip(source) {
                let x = &mut line[index as usize];
                *x = f(*x, y);
            }
        }
        (Row::Contiguous(index), Row::Contiguous(source)) => {
            for (i, (&index, &y)) in index.iter().zip(source).enumerate() {
                let x = &mut data[line.position(i, index)];
                *x = f(*x, y);
            }
        }
        (Row::Splat(index), Row::Contiguous(source)) if line.step == 1 => {
            for (x, &y) in data[line.position(0, index)..][..len].iter_mut().zip(source) {
                *x = f(*x, y);
            }
        }
        (index, source) => {
            for i in 0..len {
                let x = &mut data[line.position(i, index.get(i))];
                *x = f(*x, source.get(i));
            }
        }
    }
}
