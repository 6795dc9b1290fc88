//! Work that the calling thread begins at once, and that threads of rayon's pool help with.
//!
//! When a thread outside of the pool calls one of rayon's parallel loops, its work moves into the pool, and the thread sleeps
//! meanwhile. This takes 36 µs, and leaves the caller's caches behind. Here, the caller takes items from the front. Helpers,
//! which are asked by [`rayon::spawn`] and may come late or never, take items from the back. The caller waits only for items
//! that helpers have taken, not for helpers that have not come.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{hint, mem, thread};

use super::claims::Claims;

/// How often the caller checks for the helpers' last items before it lets other threads run: about 20 µs, the time of an item.
const SPINS: usize = 1000;

thread_local! {
    /// Helpers that this thread has asked and that have not come yet. Where all threads of a pool are busy, they come late or
    /// never, and must not pile up.
    static ASKED: Arc<AtomicUsize> = Arc::default();
}

/// Calls `work` once with each number below `count`, on the calling thread and on up to `helpers` others.
///
/// # Panics
/// `work` panics for one of the numbers. It is called with all others nevertheless. Of several panics the first is handed
/// on; the payloads of the others are never dropped.
pub(super) fn each(count: usize, helpers: usize, work: &(dyn Fn(usize) + Sync)) {
    let work: *const (dyn Fn(usize) + Sync + '_) = work;
    // SAFETY: the same pointer without its lifetime; the documentation of `Work` says why it is not used beyond that.
    let work =
        Work(unsafe { mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync)>(work) });
    let team = Arc::new(Team { work, claims: Claims::new(count), panic: Mutex::new(None) });
    // From here on, nothing leaves this function before the helpers are done: not even a panic of `spawn`.
    let lead = Lead { team: &team, front: Cell::new(0) };
    // A thread that is ending asks nobody.
    let _ = ASKED.try_with(|asked| {
        for _ in 0..helpers.min(count.saturating_sub(1)) {
            if asked.load(Ordering::Relaxed) >= 2 * helpers {
                break;
            }
            asked.fetch_add(1, Ordering::Relaxed);
            let (team, asked) = (Arc::clone(&team), Arc::clone(asked));
            rayon::spawn(move || {
                asked.fetch_sub(1, Ordering::Relaxed);
                team.help();
            });
        }
    });
    lead.run();
    drop(lead);
    if let Some(panic) = team.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
        resume_unwind(panic);
    }
}

/// What the items are done by.
///
/// It is borrowed by the caller of [`each`], whose [`Lead`] does not let it return or unwind before every item that was
/// claimed is done; and nobody calls it without a claim.
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: it points to something `Sync`, which lives as long as the type's documentation says.
unsafe impl Send for Work {}
// SAFETY: as above.
unsafe impl Sync for Work {}

struct Team {
    work: Work,
    claims: Claims,
    /// The first panic of an item.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Team {
    fn help(&self) {
        while let Some(item) = self.claims.next_back() {
            // SAFETY: the item is claimed, and not yet done.
            unsafe { self.call(item) };
            self.claims.done();
        }
    }

    /// Does not unwind, whatever the item does.
    ///
    /// # Safety
    /// The item is claimed by the caller, and not yet done.
    unsafe fn call(&self, item: usize) {
        // SAFETY: until the item is done, `Lead` keeps what is borrowed.
        let work = unsafe { &*self.work.0 };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| work(item))) {
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_none() {
                *first = Some(payload);
            } else {
                // It is anything that a program can panic with, and its `Drop` may panic in turn: here, where a helper would
                // take the process along, or on the leader's way out. To leak it is safe.
                mem::forget(payload);
            }
        }
    }
}

/// The calling thread at work. While it exists, what [`Work`] points to is borrowed; dropping it, also when something
/// unwinds, waits for the items that helpers took.
struct Lead<'a> {
    team: &'a Team,
    /// Items that this thread took: the first ones.
    front: Cell<usize>,
}

impl Lead<'_> {
    fn run(&self) {
        while let Some(item) = self.team.claims.next_front(self.front.get()) {
            self.front.set(item + 1);
            // SAFETY: the item is claimed, and not yet done.
            unsafe { self.team.call(item) };
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut spins = 0;
        self.team.claims.close(self.front.get(), || {
            spins += 1;
            if spins < SPINS { hint::spin_loop() } else { thread::yield_now() }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each item was called, by whom it may be.
    fn calls(count: usize, helpers: usize) -> Vec<usize> {
        let calls: Vec<AtomicUsize> = std::iter::repeat_with(AtomicUsize::default).take(count).collect();
        each(count, helpers, &|i| {
            calls[i].fetch_add(1, Ordering::Relaxed);
        });
        calls.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn every_item_is_called_once() {
        for helpers in [0, 1, 2, 7] {
            for count in [0, 1, 2, 3, 10, 1000] {
                for _ in 0..100 {
                    assert_eq!(calls(count, helpers), vec![1; count]);
                }
            }
        }
    }

    #[test]
    fn helpers_come() {
        // The other tests keep the global pool busy.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| {
            let caller = thread::current().id();
            let elsewhere = AtomicUsize::new(0);
            let start = std::time::Instant::now();
            // The caller does not take the last item before a helper had time to come.
            each(2, 1, &|_| {
                if thread::current().id() != caller {
                    elsewhere.fetch_add(1, Ordering::Relaxed);
                }
                while elsewhere.load(Ordering::Relaxed) == 0 && start.elapsed().as_secs() < 10 {
                    thread::yield_now();
                }
            });
            assert_eq!(elsewhere.into_inner(), 1);
        });
    }

    #[test]
    fn teams_within_teams_and_beside_each_other() {
        let total = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let add = |i| _ = total.fetch_add(i, Ordering::Relaxed);
                    each(20, 3, &|_| each(20, 3, &|_| each(5, 3, &add)));
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 20 * 20 * 10);
    }

    #[test]
    fn a_busy_pool_is_not_flooded() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| {
            for _ in 0..1000 {
                assert_eq!(calls(3, 2), vec![1; 3]);
            }
            // Nobody has come: the only thread is here.
            assert_eq!(ASKED.with(|asked| asked.load(Ordering::Relaxed)), 4);
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_items_are_done() {
        for bad in 0..4 {
            let done = AtomicUsize::new(0);
            let caught = catch_unwind(AssertUnwindSafe(|| {
                each(4, 3, &|i| {
                    assert!(i != bad, "item {i}");
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }));
            assert_eq!(caught.unwrap_err().downcast_ref::<String>().unwrap(), &format!("item {bad}"));
            assert_eq!(done.into_inner(), 3);
        }
    }

    /// A payload whose `Drop` panics.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("dropped");
            }
        }
    }

    /// Of two items that panicked, the second payload was dropped while helpers still read what the closure had borrowed.
    #[test]
    fn a_payload_that_panics_when_dropped_does_not_let_the_caller_go_early() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let rounds = if cfg!(miri) { 3 } else { 100 };
        pool.install(|| {
            for _ in 0..rounds {
                let borrowed: Vec<usize> = (0..1000).collect();
                let started = AtomicUsize::new(0);
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    each(3, 1, &|_| {
                        started.fetch_add(1, Ordering::Relaxed);
                        for _ in 0..if cfg!(miri) { 1 } else { 50 } {
                            assert_eq!(hint::black_box(&borrowed).iter().sum::<usize>(), 499_500);
                        }
                        std::panic::panic_any(Bomb);
                    });
                }));
                assert_eq!(started.into_inner(), 3);
                let payload = caught.unwrap_err();
                assert!(payload.is::<Bomb>());
                mem::forget(payload);
                drop(borrowed);
            }
        });
    }
}
