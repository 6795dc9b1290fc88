//! Reading and writing rows whose elements lie where an index tensor says.

use super::copy::copy_row;
use super::elementwise::{self, Formula, Row};
use crate::element::Number;

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

/// out\[i] = the element i of the line at index\[i]
#[inline]
pub(crate) fn gather_row<T: Copy>(data: &[T], line: Line, index: Row<'_, i64>, out: &mut [T]) {
    match index {
        Row::Contiguous(index) => {
            for (i, (out, &index)) in out.iter_mut().zip(index).enumerate() {
                *out = data[line.position(i, index)];
            }
        }
        Row::Splat(index) => copy_row(data, line.position(0, index), line.step, out),
    }
}

/// The second of two: scattering replaces what was there.
#[derive(Clone, Copy)]
pub(crate) struct Replace;

impl<T: Copy> Formula<(T, T)> for Replace {
    type Output = T;

    #[inline(always)]
    fn apply(self, (_, y): (T, T)) -> T {
        y
    }
}

/// The sum of two: scattering adds to what was there.
#[derive(Clone, Copy)]
pub(crate) struct Accumulate;

impl<T: Number> Formula<(T, T)> for Accumulate {
    type Output = T;

    #[inline(always)]
    fn apply(self, (x, y): (T, T)) -> T {
        x + y
    }
}

/// x = f(x, source\[i]) in turn for i below `len`, where x is the element i of the line at index\[i].
#[inline]
pub(crate) fn scatter_row<T: Copy, F: Formula<(T, T), Output = T>>(
    data: &mut [T],
    line: Line,
    index: Row<'_, i64>,
    source: Row<'_, T>,
    len: usize,
    f: F,
) {
    match (index, source) {
        (Row::Contiguous(index), Row::Contiguous(source)) => {
            for (i, (&index, &y)) in index.iter().zip(source).enumerate() {
                let x = &mut data[line.position(i, index)];
                *x = f.apply((*x, y));
            }
        }
        (Row::Splat(index), source) if line.step == 1 => {
            elementwise::zip_assign(&mut data[line.position(0, index)..][..len], source, f);
        }
        (index, source) => {
            for i in 0..len {
                let x = &mut data[line.position(i, index.get(i))];
                *x = f.apply((*x, source.get(i)));
            }
        }
    }
}
