//! A slice in the hands of several tasks, each with a part of its own.

use std::ops::Range;

use super::Hands;

/// A pointer to the beginning of a slice, which tasks share.
///
/// Its users ensure that no two tasks touch the same element, and that no task outlives the borrow of the slice.
pub(crate) struct Shared<T>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Shared(slice.as_mut_ptr())
    }

    pub(crate) fn pointer(self) -> *mut T {
        self.0
    }
}

// SAFETY: what it points to may be sent, and using it is as the type says.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// The part is within the slice, which is still borrowed, and nobody else has any of it.
    unsafe fn part<'a>(self, part: Range<usize>) -> &'a mut [T] {
        // SAFETY: as this function.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(part.start), part.len()) }
    }
}

/// Calls `work(i, chunk)` for the i-th chunk of a slice, of `len` elements, the last one maybe less. Potentially parallel.
pub(super) fn chunks<T: Send>(slice: &mut [T], len: usize, hands: Hands, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
    let (end, slice) = (slice.len(), Shared::new(slice));
    hands.each(end.div_ceil(len), &|i| {
        // SAFETY: `Hands::each` calls this once with each number below the count, so that chunks are apart, and within the slice; it is
        // borrowed until it returns.
        work(i, unsafe { slice.part(i * len..end.min((i + 1) * len)) });
    });
}

/// What is done with parts of two slices, each time with where they lie.
pub(crate) type OnPairs<'a, T, U> = dyn Fn(usize, &mut [T], &mut [U]) + Sync + 'a;

/// As [`chunks`], for two slices that have the same number of chunks, of `lens` elements each.
pub(super) fn pairs<T: Send, U: Send>(
    (a, b): (&mut [T], &mut [U]),
    lens: [usize; 2],
    hands: Hands,
    work: &OnPairs<'_, T, U>,
) {
    let count = a.len().div_ceil(lens[0]);
    assert_eq!(count, b.len().div_ceil(lens[1]), "as many chunks of one as of the other");
    let ends = [a.len(), b.len()];
    let (a, b) = (Shared::new(a), Shared::new(b));
    hands.each(count, &|i| {
        let [of_a, of_b] = [0, 1].map(|side| i * lens[side]..ends[side].min((i + 1) * lens[side]));
        // SAFETY: as in `chunks`.
        let (a, b) = unsafe { (a.part(of_a), b.part(of_b)) };
        work(i, a, b);
    });
}

/// What is done with a part of a slice and the same part of N others, each time with where they lie.
pub(crate) type OnAll<'a, T, const N: usize> = dyn Fn(usize, &mut [T], [&mut [T]; N]) + Sync + 'a;

/// As [`chunks`], for a slice and N others that are as long.
pub(super) fn all<T: Send, const N: usize>(
    slice: &mut [T],
    others: &mut [&mut [T]; N],
    len: usize,
    hands: Hands,
    work: &OnAll<'_, T, N>,
) {
    let end = slice.len();
    assert!(others.iter().all(|other| other.len() == end), "all are as long");
    let (slice, others) = (Shared::new(slice), others.each_mut().map(|other| Shared::new(other)));
    hands.each(end.div_ceil(len), &|i| {
        let part = i * len..end.min((i + 1) * len);
        // SAFETY: as in `chunks`; the slices are borrowed apart from each other.
        let (slice, others) = unsafe { (slice.part(part.clone()), others.map(|other| other.part(part.clone()))) };
        work(i, slice, others);
    });
}
