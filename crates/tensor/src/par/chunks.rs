//! A slice in the hands of several tasks, each with a part of its own.

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

/// What is done with parts of two slices, each time with where they lie.
pub(crate) type OnPairs<'a, T, U> = dyn Fn(usize, &mut [T], &mut [U]) + Sync + 'a;

/// Calls `work(i, a, b)` for the i-th chunks of two slices, which have the same number of them: `lens` elements each, the
/// last one maybe less. Potentially parallel.
pub(super) fn chunks<T: Send, U: Send>((a, b): (&mut [T], &mut [U]), lens: [usize; 2], work: &OnPairs<'_, T, U>) {
    let count = a.len().div_ceil(lens[0]);
    assert_eq!(count, b.len().div_ceil(lens[1]), "as many chunks of one as of the other");
    let ends = [a.len(), b.len()];
    let (a, b) = (Shared::new(a), Shared::new(b));
    super::each(count, &|i| {
        let [a_range, b_range] = [0, 1].map(|side| i * lens[side]..ends[side].min((i + 1) * lens[side]));
        // SAFETY: `each` calls this once with each number below the count, so that chunks are apart, and within the slices;
        // these are borrowed until it returns.
        let (a, b) = unsafe {
            (
                std::slice::from_raw_parts_mut(a.pointer().add(a_range.start), a_range.len()),
                std::slice::from_raw_parts_mut(b.pointer().add(b_range.start), b_range.len()),
            )
        };
        work(i, a, b);
    });
}
