//! Sums whose rounding error grows with the logarithm of the length, in an order that the length alone fixes.

use super::Row;
use crate::element::Number;

/// Elements that are summed straight; longer runs are halved (pairwise summation).
const BLOCK: usize = 256;

/// Rows that are added straight: fewer, since each has a single partial sum.
const ROWS: usize = 32;

/// Independent partial sums within a block: what the compiler can keep in vector registers.
const LANES: usize = 16;

/// The sum of a row of `len` elements.
pub(crate) fn sum<T: Number>(row: Row<'_, T>, len: usize) -> T {
    sum_range(row, 0, len)
}

fn sum_range<T: Number>(row: Row<'_, T>, start: usize, len: usize) -> T {
    if len > BLOCK {
        let half = halved(len, BLOCK);
        return sum_range(row, start, half) + sum_range(row, start + half, len - half);
    }
    match row {
        Row::Contiguous(x) => sum_block(&x[start..][..len]),
        row => {
            let mut block = [T::ZERO; BLOCK];
            for (i, x) in block[..len].iter_mut().enumerate() {
                *x = row.get(start + i);
            }
            sum_block(&block[..len])
        }
    }
}

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
    lanes.into_iter().sum()
}

/// out\[j] = Σ row(i)\[j] for i in 0..rows, by halves.
pub(crate) fn add_rows<'a, T: Number>(out: &mut [T], rows: usize, row: &impl Fn(usize) -> &'a [T]) {
    out.fill(T::ZERO);
    add_row_range(out, 0, rows, row);
}

/// Adds a range of rows to `out`, which is zero.
fn add_row_range<'a, T: Number>(out: &mut [T], start: usize, rows: usize, row: &impl Fn(usize) -> &'a [T]) {
    if rows <= ROWS {
        for i in start..start + rows {
            add(out, row(i));
        }
        return;
    }
    let half = halved(rows, ROWS);
    add_row_range(out, start, half, row);
    let mut rest = vec![T::ZERO; out.len()];
    add_row_range(&mut rest, start + half, rows - half, row);
    add(out, &rest);
}

fn add<T: Number>(out: &mut [T], x: &[T]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out += x;
    }
}

/// About half of `len`, in whole blocks; less than `len` where that is more than a block.
fn halved(len: usize, block: usize) -> usize {
    (len / 2).next_multiple_of(block)
}
