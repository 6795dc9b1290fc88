//! Names for things that outlive a tape.

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
