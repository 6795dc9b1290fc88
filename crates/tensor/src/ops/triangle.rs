//! Triangles of matrices.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::layout::Layout;
use crate::par;
use crate::tensor::Tensor;

/// Of the last two axes; those before them are a batch. The diagonals are counted from the main one, 0, upwards.
impl<T: Element> Tensor<T> {
    /// The elements on the given diagonal and below it, and zeros above: yᵢⱼ = xᵢⱼ where j − i ≤ `diagonal`.
    ///
    /// # Panics
    /// There are fewer than two axes.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.tril(0), Tensor::from([[1, 0, 0], [4, 5, 0]]));
    ///
    /// // Which positions may see which: a causal mask.
    /// let mask = Tensor::full([2, 2], true).tril(0);
    /// assert_eq!(mask, Tensor::from([[true, false], [true, true]]));
    /// ```
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Self {
        T::triangle("tril", self, Side::Lower, diagonal).or_panic()
    }

    /// The elements on the given diagonal and above it, and zeros below: yᵢⱼ = xᵢⱼ where j − i ≥ `diagonal`.
    ///
    /// # Panics
    /// There are fewer than two axes.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.triu(1), Tensor::from([[0, 2, 3], [0, 0, 6]]));
    /// ```
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Self {
        T::triangle("triu", self, Side::Upper, diagonal).or_panic()
    }
}

/// The part of a matrix on one side of a diagonal, which belongs to it.
#[derive(Clone, Copy)]
pub enum Side {
    Lower,
    Upper,
}

impl Side {
    /// The columns that row i keeps, however many there are.
    fn kept(self, i: usize, diagonal: isize) -> Range<usize> {
        let on = (i as isize).saturating_add(diagonal);
        match self {
            Side::Lower => 0..on.saturating_add(1).max(0) as usize,
            Side::Upper => on.max(0) as usize..usize::MAX,
        }
    }
}

/// The tensor with zeros on the other side.
pub(crate) fn triangle<T: Element>(
    op: &'static str,
    x: &Tensor<T>,
    side: Side,
    diagonal: isize,
) -> Result<Tensor<T>, Error> {
    let &[.., rows, columns] = x.dims() else {
        return Err(Error::new(op, Reason::Rank { want: "at least two axes", got: x.shape().clone() }));
    };
    let mut out = Buffer::stale(x.numel());
    // The columns that any row keeps.
    let ends = [0, rows.saturating_sub(1)].map(|i| side.kept(i, diagonal));
    let (from, to) = (ends[0].start.min(columns), ends[1].end.min(columns));
    if 2 * to.saturating_sub(from) >= columns {
        T::copy_into(x, &mut out);
    } else if from < to {
        let target = Layout::contiguous(x.shape().clone()).slice(-1, from, to, 1)?;
        T::write(&mut out, &target, &x.view(x.layout().slice(-1, from, to, 1)?));
    }
    // Without elements there are no rows.
    let width = columns.max(1);
    par::split(&mut out, width, par::STREAM, |start, out| {
        let first = start / width;
        for (i, row) in out.chunks_exact_mut(width).enumerate() {
            let kept = side.kept((first + i) % rows, diagonal);
            row[..kept.start.min(columns)].fill(T::default());
            row[kept.end.min(columns)..].fill(T::default());
        }
    });
    Ok(Tensor::from_buffer(out, x.shape().clone()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

    proptest! {
        #[test]
        fn triangles_agree_with_their_definition(x in any_view(2..5), diagonal in -6isize..6) {
            let keep = |low: bool| {
                Tensor::from_fn(x.shape(), |index| {
                    let &[.., i, j] = index else { unreachable!() };
                    let above = j as isize - i as isize;
                    let kept = if low { above <= diagonal } else { above >= diagonal };
                    if kept { x.get(index).unwrap() } else { 0 }
                })
            };
            prop_assert_eq!(x.tril(diagonal), keep(true));
            prop_assert_eq!(x.triu(diagonal), keep(false));
        }
    }

    #[test]
    fn the_farthest_diagonals_keep_all_or_nothing() {
        let x = Tensor::from([[1, 2], [3, 4]]);
        let none = Tensor::zeros([2, 2]);
        assert_eq!((x.tril(isize::MAX), x.tril(isize::MIN)), (x.clone(), none.clone()));
        assert_eq!((x.triu(isize::MIN), x.triu(isize::MAX)), (x, none));
    }

    #[test]
    fn threads_leave_no_trace() {
        let x = Tensor::from_fn([5, 300, 400], |i| (i[0] + 3 * i[1] + i[2]) as f32).transpose(1, 2);
        let want = crate::with_threads(1, || x.tril(-2)).unwrap();
        assert_eq!(crate::with_threads(3, || x.tril(-2)).unwrap(), want);
        assert_eq!(&want + x.triu(-1), x);
    }
}
