//! Sums whose rounding error grows with the logarithm of the length, in an order that the length alone fixes.

use super::Row;
use super::isa::{self, Kernel};
use super::simd::Simd;
use crate::buffer::Buffer;
use crate::element::Number;

/// Elements that are summed straight; the sums of blocks are added in pairs (pairwise summation).
const BLOCK: usize = 256;

/// Rows that are added straight: fewer, since each has a single partial sum.
const ROWS: usize = 32;

/// Independent partial sums within a block: what the compiler can keep in vector registers.
const LANES: usize = 16;

/// The sum of a row of `len` elements.
pub(crate) fn sum<T: Number>(row: Row<'_, T>, len: usize) -> T {
    isa::dispatch(Sum { row, len })
}

struct Sum<'a, T> {
    row: Row<'a, T>,
    len: usize,
}

impl<T: Number> Kernel for Sum<'_, T> {
    type Output = T;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> T {
        let Sum { row, len } = self;
        if let Row::Contiguous(x) = row {
            return sum_slice(x);
        }
        by_halves(len, |start, len| {
            let mut block = [T::ZERO; BLOCK];
            for (i, x) in block[..len].iter_mut().enumerate() {
                *x = row.get(start + i);
            }
            sum_block(&block[..len])
        })
    }
}

/// The sum of a slice.
#[inline(always)]
pub(super) fn sum_slice<T: Number>(x: &[T]) -> T {
    by_halves(x.len(), |start, len| sum_block(&x[start..][..len]))
}

/// The sum of the sums of blocks, by halves: a stack of partial sums in place of a recursion, which would not be compiled
/// for the caller's instruction set.
#[inline(always)]
fn by_halves<T: Number>(len: usize, block: impl Fn(usize, usize) -> T) -> T {
    // Two sums of the same number of blocks become one: entry i of the stack stands for 2ⁱ blocks.
    let mut stack = [T::ZERO; usize::BITS as usize];
    let mut count = 0_usize;
    for start in (0..len).step_by(BLOCK) {
        let mut sum = block(start, BLOCK.min(len - start));
        let mut level = 0;
        while count >> level & 1 == 1 {
            sum = stack[level] + sum;
            level += 1;
        }
        stack[level] = sum;
        count += 1;
    }
    let levels = (0..usize::BITS as usize).filter(|level| count >> level & 1 == 1);
    levels.map(|level| stack[level]).reduce(|sum, next| next + sum).unwrap_or(T::ZERO)
}

#[inline(always)]
fn sum_block<T: Number>(x: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for x in whole {
        for (lane, &x) in lanes.iter_mut().zip(x) {
            *lane += x;
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += x;
    }
    // Halves of the lanes, again and again.
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// out\[j] = Σ row(i)\[j] for i in 0..rows, by halves.
pub(crate) fn add_rows<'a, T: Number>(out: &mut [T], rows: usize, row: &impl Fn(usize) -> &'a [T]) {
    out.fill(T::ZERO);
    add_row_range(out, 0, rows, row);
}

/// Adds a range of rows to `out`, which is zero.
fn add_row_range<'a, T: Number>(out: &mut [T], start: usize, rows: usize, row: &impl Fn(usize) -> &'a [T]) {
    if rows <= ROWS {
        return isa::dispatch(AddRows { out, start, rows, row });
    }
    // Whole blocks, and fewer than all.
    let half = (rows / 2).next_multiple_of(ROWS);
    add_row_range(out, start, half, row);
    let mut rest = Buffer::stale(out.len());
    rest.fill(T::ZERO);
    add_row_range(&mut rest, start + half, rows - half, row);
    isa::dispatch(AddRows { out, start: 0, rows: 1, row: &|_| &rest[..] });
}

struct AddRows<'a, T, R> {
    out: &'a mut [T],
    start: usize,
    rows: usize,
    row: &'a R,
}

impl<'a, 'r, T: Number, R: Fn(usize) -> &'r [T]> Kernel for AddRows<'a, T, R> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for i in self.start..self.start + self.rows {
            for (out, &x) in self.out.iter_mut().zip((self.row)(i)) {
                *out += x;
            }
        }
    }
}
