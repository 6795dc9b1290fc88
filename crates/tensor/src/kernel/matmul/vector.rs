//! The product of a matrix and a vector, where rows of the matrix are contiguous: one dot product for each row.

use super::Matrix;
use super::Vectorized;
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

#[inline(always)]
fn dots_of<const N: usize, T: Vectorized>(a: Matrix<'_, T>, x: &[T], start: usize, c: &mut [T], add: bool) {
    for (i, c) in c.iter_mut().enumerate() {
        let dot = dot::<N, T>(&a.data[a.position(start + i, 0)..][..x.len()], x);
        *c = if add { *c + dot } else { dot };
    }
}

#[inline(always)]
fn dot<const N: usize, T: Vectorized>(x: &[T], y: &[T]) -> T {
    // Of as many elements as there are lanes, there is nothing to go round.
    let whole = <&[T; N]>::try_from(x).ok().zip(<&[T; N]>::try_from(y).ok());
    let mut lanes = match whole {
        Some((x, y)) => std::array::from_fn(|i| x[i].mul_add(y[i], T::ZERO)),
        None => lanes_of::<N, T>(x, y),
    };
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
    for (x, y) in x.iter().zip(y) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane = x.mul_add(y, *lane);
        }
    }
    for ((lane, &x), &y) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
        *lane = x.mul_add(y, *lane);
    }
    lanes
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
