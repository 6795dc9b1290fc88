//! Indices along an axis, and ranges of them; negative ones count from the end.

use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use crate::error::{Error, Reason};
use crate::shape::Shape;

/// An index along an axis: an integer, where −1 is the last one.
pub trait Position: Copy {
    #[doc(hidden)]
    fn position(self) -> isize;
}

macro_rules! position {
    ($($t:ident)*) => {$(
        impl Position for $t {
            // What fits no isize is beyond any axis too.
            fn position(self) -> isize {
                self.try_into().unwrap_or(isize::MAX)
            }
        }
    )*};
}

position!(i32 usize isize i64);

/// A range of indices along an axis, such as `1..3`, `..` or `-2..`; −1 is the last index.
pub trait Span {
    #[doc(hidden)]
    fn bounds(&self) -> [Bound<isize>; 2];

    /// The axis by number, and where the range begins and ends on it. The step is for the message.
    #[doc(hidden)]
    fn within(
        &self,
        op: &'static str,
        shape: &Shape,
        axis: isize,
        step: usize,
    ) -> Result<(usize, usize, usize), Error> {
        within(op, shape, axis, self.bounds(), step)
    }
}

macro_rules! span {
    ($($Range:ident)*) => {$(
        impl<P: Position> Span for $Range<P> {
            fn bounds(&self) -> [Bound<isize>; 2] {
                [self.start_bound().map(|at| at.position()), self.end_bound().map(|at| at.position())]
            }
        }
    )*};
}

span!(Range RangeFrom RangeInclusive RangeTo RangeToInclusive);

impl Span for RangeFull {
    fn bounds(&self) -> [Bound<isize>; 2] {
        [Bound::Unbounded; 2]
    }
}

fn within(
    op: &'static str,
    shape: &Shape,
    axis: isize,
    [first, last]: [Bound<isize>; 2],
    step: usize,
) -> Result<(usize, usize, usize), Error> {
    let axis = shape.axis(op, axis)?;
    let size = shape.dims()[axis] as isize;
    // As the caller wrote it, and how much further the index lies that is meant.
    let (start, after_start) = match first {
        Bound::Included(start) => (start, 0),
        Bound::Excluded(before) => (before, 1),
        Bound::Unbounded => (0, 0),
    };
    let (end, after_end) = match last {
        Bound::Included(last) => (last, 1),
        Bound::Excluded(end) => (end, 0),
        Bound::Unbounded => (size, 0),
    };
    let from_start = |at: isize, after: isize| if at < 0 { at + size + after } else { at.saturating_add(after) };
    let (first, last) = (from_start(start, after_start), from_start(end, after_end));
    if 0 <= first && first <= last && last <= size {
        return Ok((axis, first as usize, last as usize));
    }
    let end = if end < 0 { end } else { end.saturating_add(after_end) };
    Err(Error::new(op, Reason::Slice { start, end, step, axis, shape: shape.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_a_slice_and_count_from_the_end() {
        fn ends(range: impl Span) -> Option<(usize, usize)> {
            range.within("test", &Shape::from([2, 5]), 1, 1).ok().map(|(_, start, end)| (start, end))
        }
        assert_eq!(
            [ends(..), ends(1..3), ends(1..=3), ends(..4)].map(Option::unwrap),
            [(0, 5), (1, 3), (1, 4), (0, 4)]
        );
        assert_eq!(
            [ends(-2..), ends(..-1), ends(-5..=-1), ends(5..)].map(Option::unwrap),
            [(3, 5), (0, 4), (0, 5), (5, 5)]
        );
        assert_eq!([ends(-6..), ends(..6), ends(..=5), ends(..-6), ends(-9..=9)], [None; 5]);
        let (three, last) = (3, -1);
        assert_eq!([ends(three..2), ends(last..-2)], [None; 2]); // backwards
        assert_eq!([ends(0..usize::MAX), ends(..=isize::MAX), ends(isize::MIN..)], [None; 3]);
    }
}
