//! The product of a matrix and a vector, where rows of the matrix are contiguous: one dot product for each row. And that of a row and a
//! column which are not.

use super::{CHUNK, Matrix, Vectorized};
use crate::buffer::Buffer;
use crate::kernel::isa::kernel;
use crate::par;

/// Partial sums of a dot product. They are four vectors of AVX-512, which keep its multiply-add unit busy.
const LANES: usize = 64;

/// C = A · x, or C + A · x where `add`; rows of A are contiguous.
///
/// The order of additions in a dot product depends on its length alone.
pub(super) fn rows_by_vector<T: Vectorized>(a: Matrix<'_, T>, x: Matrix<'_, T>, c: &mut [T], add: bool) {
    let k = a.columns;
    // The vector may have any stride.
    let mut copy = Buffer::stale(if x.strides[0] == 1 { 0 } else { k });
    for (p, out) in copy.iter_mut().enumerate() {
        *out = x.data[x.position(p, 0)];
    }
    let x = if copy.is_empty() { &x.data[x.at..][..k] } else { &copy[..] };
    par::split(c, 1, k as f64 * par::STREAM, |start, c| dots(a, x, start, c, add));
}

kernel! {
    /// The dot products of x and rows of A, from row `start` on.
    fn dots[T: Vectorized](a: Matrix<'_, T>, x: &[T], start: usize, c: &mut [T], add: bool), arithmetic T {
        // Short rows have fewer lanes: the others would be 0, and add nothing.
        match x.len() {
            0..=16 => dots_of::<16, T>(a, x, start, c, add),
            17..=32 => dots_of::<32, T>(a, x, start, c, add),
            _ => dots_of::<LANES, T>(a, x, start, c, add),
        }
    }
}

kernel! {
    /// C = A · B, or C + A · B where `add`, of a row and a column whose elements are apart: in each chunk one chain of multiply-adds, as a
    /// tile computes it, which would copy the column into a panel of whole vectors before.
    pub(super) fn row_by_column[T: Vectorized](a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut T, add: bool), arithmetic T {
        for start in (0..a.columns).step_by(CHUNK) {
            let mut sum = T::ZERO;
            for p in start..a.columns.min(start + CHUNK) {
                sum = a.data[a.position(0, p)].mul_add(b.data[b.position(p, 0)], sum);
            }
            *c = if add || start > 0 { *c + sum } else { sum };
        }
    }
}

#[inline(always)]
fn dots_of<const N: usize, T: Vectorized>(a: Matrix<'_, T>, x: &[T], start: usize, c: &mut [T], add: bool) {
    for (i, c) in c.iter_mut().enumerate() {
        let dot = dot::<N, T>(&a.data[a.position(start + i, 0)..][..x.len()], x);
        *c = if add { *c + dot } else { dot };
    }
}

#[inline(always)]
fn dot<const N: usize, T: Vectorized>(x: &[T], y: &[T]) -> T {
    let mut lanes = lanes_of::<N, T>(x, y);
    // The upper half of the lanes is added to the lower one until one lane is left.
    halve::<32, T>(&mut lanes);
    halve::<16, T>(&mut lanes);
    halve::<8, T>(&mut lanes);
    halve::<4, T>(&mut lanes);
    halve::<2, T>(&mut lanes);
    halve::<1, T>(&mut lanes);
    lanes[0]
}

/// The sums of every Nth product.
#[inline(always)]
fn lanes_of<const N: usize, T: Vectorized>(x: &[T], y: &[T]) -> [T; N] {
    let mut lanes = [T::ZERO; N];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<N>(), y.as_chunks::<N>());
    let mut add = |x: &[T; N], y: &[T; N]| {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane = x.mul_add(y, *lane);
        }
    };
    x.iter().zip(y).for_each(|(x, y)| add(x, y));
    // With zeros behind it, the rest is vectors too: one by one, its lanes would have to leave their registers.
    if !x_rest.is_empty() {
        add(&padded(x_rest), &padded(y_rest));
    }
    lanes
}

#[inline(always)]
fn padded<const N: usize, T: Vectorized>(x: &[T]) -> [T; N] {
    let mut row = [T::ZERO; N];
    row[..x.len()].copy_from_slice(x);
    row
}

/// Adds the upper half of 2 · HALF lanes to the lower, if there are so many lanes: both are vectors.
#[inline(always)]
fn halve<const HALF: usize, T: Vectorized>(lanes: &mut [T]) {
    if lanes.len() > HALF {
        for j in 0..HALF {
            lanes[j] += lanes[j + HALF];
        }
    }
}
