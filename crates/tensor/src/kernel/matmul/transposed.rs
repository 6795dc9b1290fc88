//! The other way round: C = (Bᵀ · Aᵀ)ᵀ, where that is cheaper.

use super::{Matrix, TileSizes, Vectorized, is_far_apart, tiled};
use crate::buffer::Buffer;
use crate::kernel::copy::{Plane, TRANSPOSED_SIDE, copy_plane};
use crate::par;

/// What it costs to copy an element of A so that tiles find it near, in nanoseconds; and to transpose one of C. Fitted to products with k
/// of 30 to 1024, 2 to 2048 rows and 4 to 1024 columns, whose A was transposed in memory (Granite Rapids, one thread): the other way is
/// up to 6 times as fast where it is taken.
const PACK: f64 = 0.21;
const TRANSPOSE: f64 = 0.35;

/// Transposed only if the estimate is 1.2 times better; at 1.1 some products became 1.2 times slower.
const GAIN: f64 = 1.2;

/// Whether the product is cheaper the other way round.
pub(super) fn pays<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>, sizes: TileSizes) -> bool {
    let elements = (a.rows * b.columns) as f64;
    cost(a, b, sizes) > GAIN * cost(b.t(), a.t(), sizes) + TRANSPOSE * elements
}

/// Roughly what [`tiled`] takes where rows of B are contiguous, in nanoseconds.
fn cost<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>, sizes: TileSizes) -> f64 {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let products = m as f64 * k as f64 * n.next_multiple_of(sizes.lanes) as f64 * par::MULTIPLY_ADD;
    let packed = if is_far_apart(a) && n > sizes.lanes { m * k } else { 0 };
    products + packed as f64 * PACK
}

/// C = (Bᵀ · Aᵀ)ᵀ, whose elements are the same sums in the same order.
pub(super) fn transposed<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T], sizes: TileSizes) {
    let (m, n) = (a.rows, b.columns);
    let mut product = Buffer::<T>::stale(m * n);
    tiled(b.t(), a.t(), &mut product, false, None, sizes);
    let data = &*product;
    par::split(c, TRANSPOSED_SIDE * n, par::STREAM, |start, c| {
        let plane = Plane { data, at: start / n, stride: m as isize, reversed: false, rows: c.len() / n, columns: n };
        copy_plane(plane, c, n);
    });
}
