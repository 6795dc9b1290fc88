//! The product by the crate matrixmultiply: what the feature of that name puts in the place of our own, and another opinion for
//! our tests.

use super::Vectorized;
use super::{Matrix, Parts};
use crate::par::{self, Hands, Shared};

/// As that crate has it: C = α A · B + β C, of sizes m, k and n, each matrix with the strides of its rows and columns.
#[allow(unreachable_pub, reason = "in a supertrait of the public `Float`, which keeps it sealed")]
pub type Gemm<T> =
    unsafe fn(usize, usize, usize, T, *const T, isize, isize, *const T, isize, isize, T, *mut T, isize, isize);

/// C = A · B in row-major order, or C = C + A · B where `add`; none of them is empty, and their sizes fit.
pub(super) fn matmul<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T], add: bool) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let cost = m as f64 * n as f64 * k as f64 * par::MULTIPLY_ADD;
    // Rows are parted: each task copies all of B for itself, and that is the less, the more rows it has.
    let hands = Hands::for_work(cost);
    let parts = Parts { len: m, unit: 1, parts: hands.tasks().min(m) };
    let beta = if add { T::ONE } else { T::ZERO };
    let shared = Shared::new(c);
    hands.each(parts.parts, &|part| {
        let rows = parts.range(part);
        let c = shared.pointer().wrapping_add(rows.start * n);
        let ([a_row, a_column], [b_row, b_column]) = (a.strides, b.strides);
        let (a, b) = (a.pointer(rows.start, 0), b.pointer(0, 0));
        // SAFETY: `Matrix::new` has checked that A and B are within their data, and the caller that C has m · n elements. C is
        // borrowed mutably until all parts are done, and their rows are apart.
        unsafe { (T::GEMM)(rows.len(), k, n, T::ONE, a, a_row, a_column, b, b_row, b_column, beta, c, n as isize, 1) }
    });
}
