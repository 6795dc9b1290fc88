//! Who does which item: the protocol between the thread that leads a team and its helpers.
//!
//! The leader takes items from the front, helpers from the back. One counter says how many items were taken by anybody, so
//! the front and the back never meet. The leader borrows what the items work on, and must keep this borrow until every
//! item that a helper took is done. So it *closes* the counter, which tells how many items helpers took, and waits until
//! as many are done.
//!
//! Nothing here is unsafe, but the safety of `team` rests on it. So `tests/claims.rs` compiles this very file with the atomics of
//! a model checker, which runs every interleaving of the threads. That is why atomics come from `super::atomic`.

use super::atomic::{AtomicUsize, Ordering};

/// The items of one team.
pub(super) struct Claims {
    count: usize,
    /// Items that were asked for; those asked for beyond `count` do not exist.
    claimed: AtomicUsize,
    /// Items that helpers took: the last ones.
    back: AtomicUsize,
    /// Items that helpers took and that are done.
    done: AtomicUsize,
}

impl Claims {
    /// Of items that are numbered below `count`.
    pub(super) fn new(count: usize) -> Self {
        Claims { count, claimed: AtomicUsize::new(0), back: AtomicUsize::new(0), done: AtomicUsize::new(0) }
    }

    /// Whether an item was left, which now is the caller's. Relaxed, since a claim has to be ordered only with other claims.
    fn claim(&self) -> bool {
        self.claimed.fetch_add(1, Ordering::Relaxed) < self.count
    }

    /// The leader's next item; it has taken `front` items so far.
    pub(super) fn next_front(&self, front: usize) -> Option<usize> {
        self.claim().then_some(front)
    }

    /// A helper's next item; when it is done, the helper says so by [`done`](Self::done).
    pub(super) fn next_back(&self) -> Option<usize> {
        self.claim().then(|| self.count - 1 - self.back.fetch_add(1, Ordering::Relaxed))
    }

    /// An item that a helper took is done, and the helper will not touch what it worked on.
    pub(super) fn done(&self) {
        self.done.fetch_add(1, Ordering::Release);
    }

    /// Lets no more items be taken, and waits for the items that helpers took. The leader has taken `front` items.
    pub(super) fn close(&self, front: usize, mut pause: impl FnMut()) {
        let claimed = self.claimed.fetch_max(self.count, Ordering::Relaxed).min(self.count);
        while self.done.load(Ordering::Acquire) < claimed - front {
            pause();
        }
    }
}
