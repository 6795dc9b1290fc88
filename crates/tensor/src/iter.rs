//! Reading a tensor element by element, and slice by slice.

use std::iter::FusedIterator;
use std::ops::Range;
use std::slice;

use crate::element::Element;
use crate::error::OrPanic;
use crate::tensor::Tensor;
use crate::walk::{Cursor, Walk};

/// The elements of a tensor in row-major order; see [`Tensor::iter`].
pub struct Iter<'a, T>(Repr<'a, T>);

enum Repr<'a, T> {
    Contiguous(slice::Iter<'a, T>),
    Strided(Strided<'a, T>),
}

struct Strided<'a, T> {
    data: &'a [T],
    at: usize,
    stride: isize,
    /// Elements left in this row.
    row: usize,
    /// Elements left in all, this row's included.
    left: usize,
    // Boxed, so that what each element needs stays in registers.
    rows: Box<Rows>,
}

/// The rows after the one at hand.
struct Rows {
    walk: Walk<1>,
    next: Cursor<1>,
}

impl Rows {
    /// How many elements the next row has, and where.
    #[cold]
    #[inline(never)]
    fn next(&mut self) -> (usize, [usize; 1]) {
        self.walk.next_run(&mut self.next)
    }
}

impl<T: Copy> Iterator for Iter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Repr::Contiguous(elements) => elements.next().copied(),
            Repr::Strided(elements) => elements.next(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Repr::Contiguous(elements) => elements.len(),
            Repr::Strided(elements) => elements.left,
        };
        (left, Some(left))
    }

    #[inline]
    fn fold<A, F: FnMut(A, T) -> A>(self, first: A, f: F) -> A {
        match self.0 {
            Repr::Contiguous(elements) => elements.copied().fold(first, f),
            Repr::Strided(elements) => elements.fold(first, f),
        }
    }
}

impl<T: Copy> ExactSizeIterator for Iter<'_, T> {}

impl<T: Copy> FusedIterator for Iter<'_, T> {}

impl<T: Copy> Strided<'_, T> {
    #[inline(always)]
    fn next(&mut self) -> Option<T> {
        if self.row == 0 {
            if self.left == 0 {
                return None;
            }
            (self.row, [self.at]) = self.rows.next();
        }
        let x = self.data[self.at];
        self.at = self.at.wrapping_add_signed(self.stride);
        self.row -= 1;
        self.left -= 1;
        Some(x)
    }

    fn fold<A>(mut self, first: A, mut f: impl FnMut(A, T) -> A) -> A {
        let mut total = first;
        loop {
            for i in 0..self.row as isize {
                total = f(total, self.data[self.at.wrapping_add_signed(i * self.stride)]);
            }
            self.left -= self.row;
            if self.left == 0 {
                return total;
            }
            (self.row, [self.at]) = self.rows.next();
        }
    }
}

impl<T: Element> Tensor<T> {
    /// The elements in row-major order, one by one, from where they lie: nothing is copied.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert!(x.t().iter().eq([1, 3, 2, 4]));
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        if let Some(elements) = self.as_slice() {
            return Iter(Repr::Contiguous(elements.iter()));
        }
        let walk = Walk::new([self.layout()]);
        let ([stride], next) = (walk.row_strides(), walk.cursor(0));
        let (data, left, rows) = (self.storage(), self.numel(), Box::new(Rows { walk, next }));
        Iter(Repr::Strided(Strided { data, at: 0, stride, row: 0, left, rows }))
    }

    /// The slices along `axis`, one by one, as views without that axis.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// let sums: Vec<i32> = x.axis_iter(0).map(|row| row.sum(..).item()).collect();
    /// assert_eq!(sums, [3, 7]);
    /// ```
    #[track_caller]
    pub fn axis_iter(&self, axis: isize) -> AxisIter<'_, T> {
        let axis = self.shape().axis("axis_iter", axis).or_panic();
        AxisIter { x: self, axis: axis as isize, left: 0..self.dims()[axis] }
    }
}

impl<'a, T: Element> IntoIterator for &'a Tensor<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    /// The elements in row-major order.
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The slices of a tensor along one axis; see [`Tensor::axis_iter`].
pub struct AxisIter<'a, T: Element> {
    x: &'a Tensor<T>,
    axis: isize,
    left: Range<usize>,
}

impl<T: Element> Iterator for AxisIter<'_, T> {
    type Item = Tensor<T>;

    fn next(&mut self) -> Option<Tensor<T>> {
        self.left.next().map(|index| self.x.select(self.axis, index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl<T: Element> DoubleEndedIterator for AxisIter<'_, T> {
    fn next_back(&mut self) -> Option<Tensor<T>> {
        self.left.next_back().map(|index| self.x.select(self.axis, index))
    }
}

impl<T: Element> ExactSizeIterator for AxisIter<'_, T> {}

impl<T: Element> FusedIterator for AxisIter<'_, T> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

    proptest! {
        #[test]
        fn elements_come_in_row_major_order(x in any_view(0..5), begun in 0usize..9) {
            let mut want = Vec::new();
            Tensor::from_fn(x.shape(), |index| {
                want.push(x.get(index).unwrap());
                false
            });
            prop_assert_eq!(x.iter().len(), x.numel());
            // One by one, all at once, and all at once after some one by one.
            let mut one_by_one = Vec::new();
            for element in &x {
                one_by_one.push(element);
            }
            prop_assert_eq!(&one_by_one, &want);
            let mut rest = x.iter();
            let mut both: Vec<i64> = rest.by_ref().take(begun).collect();
            prop_assert_eq!(rest.len(), want.len() - both.len());
            rest.for_each(|element| both.push(element));
            prop_assert_eq!(&both, &want);
            prop_assert_eq!(x.to_vec(), want);
        }

        #[test]
        fn slices_come_from_both_ends(x in any_view(1..4)) {
            for axis in 0..x.rank() as isize {
                let want: Vec<_> = (0..x.size(axis)).map(|index| x.select(axis, index)).collect();
                prop_assert_eq!(x.axis_iter(axis).len(), want.len());
                prop_assert!(x.axis_iter(axis).eq(want.iter().cloned()));
                prop_assert!(x.axis_iter(axis).rev().eq(want.into_iter().rev()));
            }
        }
    }

    #[test]
    fn an_iterator_at_its_end_stays_there() {
        let x = Tensor::from([[1, 2], [3, 4]]).t();
        let mut elements = x.iter();
        assert_eq!(elements.by_ref().count(), 4);
        assert_eq!((elements.next(), elements.len()), (None, 0));
        assert_eq!(x.slice(0, 1..1).iter().next(), None);
    }
}
