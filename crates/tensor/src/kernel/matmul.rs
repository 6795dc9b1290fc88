//! The product of two matrices of any strides, in blocks under rayon.

use crate::element::Float;
use crate::par;

/// The packed, register-blocked product underneath: `matrixmultiply`, for f32 and f64.
pub trait Gemm: Copy {
    /// C = A · B + β C for strided A (m × k), B (k × n) and C (m × n); with β = 0, C is not read.
    ///
    /// # Safety
    /// Each pointer with its strides must stay within memory that is valid for reads (A, B) or for reads and writes
    /// (C); no two elements of C may coincide, and C may not overlap A or B.
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments, reason = "the signature of BLAS")]
    unsafe fn gemm(
        size: [usize; 3],
        a: *const Self,
        a_strides: [isize; 2],
        b: *const Self,
        b_strides: [isize; 2],
        beta: Self,
        c: *mut Self,
        c_strides: [isize; 2],
    );
}

macro_rules! gemm {
    ($($t:ident $gemm:path;)*) => {$(
        impl Gemm for $t {
            #[inline]
            unsafe fn gemm(
                [m, k, n]: [usize; 3],
                a: *const Self,
                [rsa, csa]: [isize; 2],
                b: *const Self,
                [rsb, csb]: [isize; 2],
                beta: Self,
                c: *mut Self,
                [rsc, csc]: [isize; 2],
            ) {
                // SAFETY: the caller's promise is matrixmultiply's own.
                unsafe { $gemm(m, k, n, 1.0, a, rsa, csa, b, rsb, csb, beta, c, rsc, csc) }
            }
        }
    )*};
}

gemm!(f32 matrixmultiply::sgemm; f64 matrixmultiply::dgemm;);

/// A strided matrix, all of it within `data`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    data: &'a [T],
    at: usize,
    rows: usize,
    columns: usize,
    strides: [isize; 2],
}

impl<'a, T> Matrix<'a, T> {
    /// The element (i, j) is `data[at + i · strides[0] + j · strides[1]]`.
    ///
    /// # Panics
    /// An element lies outside `data`.
    pub(crate) fn new(data: &'a [T], at: usize, [rows, columns]: [usize; 2], strides: [isize; 2]) -> Self {
        if rows > 0 && columns > 0 {
            let reach = |size: usize, stride: isize| (size as i128 - 1) * stride as i128;
            let steps = [reach(rows, strides[0]), reach(columns, strides[1])];
            let least = at as i128 + steps.iter().map(|s| s.min(&0)).sum::<i128>();
            let most = at as i128 + steps.iter().map(|s| s.max(&0)).sum::<i128>();
            assert!(least >= 0 && most < data.len() as i128, "a matrix must lie within its data");
        }
        Matrix { data, at, rows, columns, strides }
    }

    /// The rows or columns (`axis` 1) from `start` to `end`.
    fn part(self, axis: usize, start: usize, end: usize) -> Self {
        let size = if axis == 0 { [end - start, self.columns] } else { [self.rows, end - start] };
        let at = self.at.wrapping_add_signed(start as isize * self.strides[axis]);
        Matrix::new(self.data, at, size, self.strides)
    }

    fn as_ptr(&self) -> *const T {
        // Without elements `at` may lie anywhere; with some, `new` has checked it.
        self.data.as_ptr().wrapping_add(self.at)
    }
}

/// The least rows or columns of C that a task takes: a panel of B or A is packed anew for each of them, which is lost
/// in the arithmetic from about 64 on.
const PANEL: usize = 64;

/// C = A · B in row-major order.
///
/// C is cut along its longer side; each element is computed as a whole by one task, so the bits do not depend on the
/// cut.
///
/// # Panics
/// The sizes do not fit.
pub(crate) fn matmul<T: Float>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(b.rows == k && c.len() == m * n, "the sizes of a product must fit");
    if m >= n {
        par::split(c, PANEL * n.max(1), k as f64 * par::MULTIPLY_ADD, |start, c| {
            let first = start / n;
            let c_rows = c.len() / n;
            // SAFETY: `c` holds these rows of C alone, in row-major order; `Matrix` has checked A and B.
            unsafe { block(a.part(0, first, first + c_rows), b, c.as_mut_ptr(), n) }
        });
    } else {
        let out = Shared(c.as_mut_ptr());
        par::ranges(n, PANEL, (m * k) as f64 * par::MULTIPLY_ADD, |from, to| {
            // SAFETY: the columns `from..to` of C belong to this task alone and lie within `c`, whose length was
            // checked; `Matrix` has checked A and B.
            unsafe { block(a, b.part(1, from, to), out.pointer().add(from), n) }
        });
    }
}

/// C = A · B on one thread, where row i of C begins at `c + i · stride`.
///
/// # Safety
/// The rows of C must be valid for writes, and nobody else may use them meanwhile.
unsafe fn block<T: Float>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: *mut T, stride: usize) {
    let size = [a.rows, a.columns, b.columns];
    // SAFETY: A and B lie within their data (`Matrix::new`), C is the caller's promise, and an exclusive borrow cannot
    // overlap a shared one.
    unsafe { T::gemm(size, a.as_ptr(), a.strides, b.as_ptr(), b.strides, T::ZERO, c, [stride as isize, 1]) }
}

/// A pointer that tasks share, each for columns of its own.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);

impl<T> Shared<T> {
    fn pointer(self) -> *mut T {
        self.0
    }
}

// SAFETY: only `matmul` makes one, and its tasks write disjoint columns.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "within its data")]
    fn a_matrix_outside_its_data_is_refused() {
        Matrix::new(&[0.0; 6], 1, [2, 3], [3, 1]);
    }

    #[test]
    #[should_panic(expected = "within its data")]
    fn a_negative_stride_below_the_start_is_refused() {
        Matrix::new(&[0.0; 6], 1, [2, 3], [-3, 1]);
    }
}
