//! Names for things that outlive a tape.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name that no other thing in this process has.
///
/// A parameter keeps one, so that every use of it on a tape is the same leaf and its gradient can be found afterwards.
///
/// # Example
/// ```
/// assert_ne!(autograd::Id::new(), autograd::Id::new());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

impl Id {
    /// A new name.
    #[allow(clippy::new_without_default, reason = "two calls differ, which nobody expects of a default")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Only distinctness matters, not the order among threads.
        Id(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

// What is not generic is compiled in this crate, and not in each that uses a tape.

/// Where named things are on a tape.
#[derive(Default)]
pub(crate) struct Places(HashMap<Id, u32>);

impl Places {
    pub(crate) fn get(&self, id: Id) -> Option<u32> {
        self.0.get(&id).copied()
    }

    pub(crate) fn insert(&mut self, id: Id, place: u32) {
        self.0.insert(id, place);
    }

    /// These and others.
    pub(crate) fn and(&self, others: &Self) -> Self {
        Places(self.0.iter().chain(&others.0).map(|(&id, &place)| (id, place)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Sorts places by name, so that [`find`] finds them.
pub(crate) fn sort(places: &mut [(Id, u32)]) {
    places.sort_unstable();
}

/// The place of that name among sorted ones.
pub(crate) fn find(places: &[(Id, u32)], id: Id) -> Option<u32> {
    let position = places.binary_search_by_key(&id, |&(id, _)| id).ok()?;
    Some(places[position].1)
}
