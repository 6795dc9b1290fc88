//! A short list of one entry per axis, inline up to rank 4, so that making a view allocates nothing.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// How many axes are kept without the heap.
const INLINE: usize = 4;

#[derive(Clone)]
enum Repr<I> {
    Inline { rank: u8, axes: [I; INLINE] },
    Heap(Vec<I>),
}

/// One entry per axis; reads as a slice.
#[derive(Clone)]
pub(crate) struct Dims<I>(Repr<I>);

impl<I: Copy + Default> Dims<I> {
    pub(crate) fn new() -> Self {
        Dims(Repr::Inline { rank: 0, axes: [I::default(); INLINE] })
    }

    #[inline]
    pub(crate) fn filled(value: I, rank: usize) -> Self {
        match u8::try_from(rank) {
            Ok(rank) if usize::from(rank) <= INLINE => Dims(Repr::Inline { rank, axes: [value; INLINE] }),
            _ => Dims(Repr::Heap(vec![value; rank])),
        }
    }

    pub(crate) fn push(&mut self, entry: I) {
        match &mut self.0 {
            Repr::Inline { rank, axes } if usize::from(*rank) < INLINE => {
                axes[usize::from(*rank)] = entry;
                *rank += 1;
            }
            Repr::Inline { axes, .. } => {
                let mut heap = Vec::with_capacity(2 * INLINE);
                heap.extend_from_slice(axes);
                heap.push(entry);
                self.0 = Repr::Heap(heap);
            }
            Repr::Heap(heap) => heap.push(entry),
        }
    }
}

impl<I: Copy> Dims<I> {
    /// Puts the entries in the order of their keys; those of equal keys keep theirs. By insertion: there are few.
    pub(crate) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(I) -> K) {
        for end in 1..self.len() {
            let mut at = end;
            while at > 0 && key(self[at - 1]) > key(self[at]) {
                self.swap(at - 1, at);
                at -= 1;
            }
        }
    }
}

impl<I> Deref for Dims<I> {
    type Target = [I];

    fn deref(&self) -> &[I] {
        match &self.0 {
            Repr::Inline { rank, axes } => &axes[..usize::from(*rank)],
            Repr::Heap(heap) => heap,
        }
    }
}

impl<I> DerefMut for Dims<I> {
    fn deref_mut(&mut self) -> &mut [I] {
        match &mut self.0 {
            Repr::Inline { rank, axes } => &mut axes[..usize::from(*rank)],
            Repr::Heap(heap) => heap,
        }
    }
}

impl<I: Copy + Default> FromIterator<I> for Dims<I> {
    fn from_iter<A: IntoIterator<Item = I>>(entries: A) -> Self {
        let mut entries = entries.into_iter();
        let (mut rank, mut axes) = (0, [I::default(); INLINE]);
        // These are all entries of all but very few tensors.
        for (axis, entry) in axes.iter_mut().zip(&mut entries) {
            *axis = entry;
            rank += 1;
        }
        let mut dims = Dims(Repr::Inline { rank, axes });
        if usize::from(rank) == INLINE {
            entries.for_each(|entry| dims.push(entry));
        }
        dims
    }
}

impl<I: PartialEq> PartialEq for Dims<I> {
    fn eq(&self, other: &Self) -> bool {
        // Slices are compared by a call of the library, which takes longer than this.
        self.len() == other.len() && self.iter().zip(&**other).all(|(own, other)| own == other)
    }
}

impl<I: Eq> Eq for Dims<I> {}

impl<I: fmt::Debug> fmt::Debug for Dims<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_vec_below_at_and_above_the_inline_limit() {
        for rank in 0..=2 * INLINE + 1 {
            let mut dims: Dims<usize> = (0..rank).collect();
            let mut want: Vec<usize> = (0..rank).collect();
            assert_eq!(dims[..], want[..]);
            dims.push(7);
            dims[0] = 9;
            want.push(7);
            want[0] = 9;
            assert_eq!(dims[..], want[..]);
        }
    }
}
