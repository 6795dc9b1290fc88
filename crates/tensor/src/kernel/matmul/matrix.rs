//! A matrix as the product reads it.

use std::ops::Range;

/// A strided matrix, all of it within `data`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) at: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) strides: [isize; 2],
}

impl<'a, T> Matrix<'a, T> {
    /// The element (i, j) is `data[at + i · strides[0] + j · strides[1]]`.
    ///
    /// # Panics
    /// An element lies outside `data`.
    pub(crate) fn new(data: &'a [T], at: usize, [rows, columns]: [usize; 2], strides: [isize; 2]) -> Self {
        if rows > 0 && columns > 0 {
            // Nothing overflows: neither for a product of a matrix that fits into memory, nor for one that is refused.
            let steps = [rows, columns].map(|size| isize::try_from(size - 1).expect("sizes below isize::MAX"));
            let reach = |axis: usize| steps[axis].saturating_mul(strides[axis]);
            let reach = [reach(0), reach(1)];
            let least = reach.map(|reach| reach.min(0)).iter().fold(at as isize, |at, &step| at.saturating_add(step));
            let most = reach.map(|reach| reach.max(0)).iter().fold(at as isize, |at, &step| at.saturating_add(step));
            assert!(least >= 0 && (most as usize) < data.len(), "a matrix must lie within its data");
        }
        Matrix { data, at, rows, columns, strides }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(in crate::kernel) fn t(self) -> Self {
        let ([row, column], Matrix { data, at, rows, columns, .. }) = (self.strides, self);
        Matrix { data, at, rows: columns, columns: rows, strides: [column, row] }
    }

    /// Where in the data the element (i, j) lies.
    #[inline(always)]
    pub(super) fn position(&self, i: usize, j: usize) -> usize {
        self.at.wrapping_add_signed(i as isize * self.strides[0] + j as isize * self.strides[1])
    }

    /// How many of the last of these rows would read past the data if these columns, some of which are beyond the matrix, were
    /// loaded as whole vectors. Where rows go backwards, the answer is all of them.
    pub(super) fn tail_rows(&self, rows: Range<usize>, columns: Range<usize>) -> usize {
        if columns.end <= self.columns {
            return 0;
        }
        let room = self.data.len().checked_sub(self.position(rows.start, columns.start) + columns.len());
        match (room, usize::try_from(self.strides[0])) {
            (Some(_), Ok(0)) => 0,
            (Some(room), Ok(stride)) => rows.len().saturating_sub(room / stride + 1),
            _ => rows.len(),
        }
    }

    /// The element (i, j), which must be within the matrix for it to be read.
    pub(super) fn pointer(&self, i: usize, j: usize) -> *const T {
        self.data.as_ptr().wrapping_add(self.position(i, j))
    }
}

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

    #[test]
    fn whole_vectors_are_read_only_within_the_data() {
        let data = [0.0; 50];
        let tail_rows = |columns: usize, strides, rows, width| {
            Matrix::new(&data, if strides == [-5, 1] { 45 } else { 0 }, [10, columns], strides)
                .tail_rows(rows, 0..width)
        };
        // Of 10 rows of 5, the last three have less than 16 elements from their beginning on.
        assert_eq!(tail_rows(5, [5, 1], 0..10, 16), 3);
        assert_eq!(tail_rows(5, [5, 1], 0..7, 16), 0);
        assert_eq!(tail_rows(5, [5, 1], 6..9, 16), 2);
        // Columns of the matrix alone need no more.
        assert_eq!(tail_rows(4, [5, 1], 0..10, 4), 0);
        assert_eq!(
            [tail_rows(5, [0, 1], 0..10, 16), tail_rows(5, [-5, 1], 0..10, 16), tail_rows(5, [5, 1], 0..10, 64)],
            [0, 10, 10]
        );
    }
}
