//! What an optimizer keeps of each weight, shared among ranks.

use std::ops::Range;

use super::part;

/// Which part of each weight a rank moves, and of whose moments it keeps no more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) rank: usize,
    pub(crate) size: usize,
}

impl Share {
    /// Its elements of a weight of so many, the weight with this number; of one that is not cut, all or none.
    pub(crate) fn of(self, number: usize, elements: usize, is_cut: bool) -> Range<usize> {
        match is_cut {
            true => part(elements, self.rank, self.size),
            false if number % self.size == self.rank => 0..elements,
            false => 0..0,
        }
    }
}
