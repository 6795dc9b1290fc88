//! The protocol of `par::claims`, through every interleaving of its threads and every value that the memory model allows
//! an atomic to have: the same file, compiled with the atomics of the model checker loom.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic;
use loom::thread;

#[path = "../src/par/claims.rs"]
mod claims;

use claims::Claims;

/// A team: what its items write is the leader's, which touches it again as soon as it may.
struct Team {
    claims: Claims,
    items: Vec<UnsafeCell<u32>>,
}

// SAFETY: that the items may be shared is what is under test; loom watches each access.
unsafe impl Sync for Team {}

impl Team {
    fn call(&self, item: usize) {
        // SAFETY: loom fails the test where two accesses are not in order.
        self.items[item].with_mut(|x| unsafe { *x += 1 });
    }
}

/// What the leader leaves behind in an item.
const FREED: u32 = 9;

/// Runs `helpers` beside a leader that stops after `most` items, as one that unwinds would, and leaves by `close`.
fn explore(count: usize, helpers: usize, most: usize, close: fn(&Claims, usize)) {
    loom::model(move || {
        let items = (0..count).map(|_| UnsafeCell::new(0)).collect();
        let team = Arc::new(Team { claims: Claims::new(count), items });
        let helpers: Vec<_> = (0..helpers)
            .map(|_| {
                let team = Arc::clone(&team);
                thread::spawn(move || {
                    while let Some(item) = team.claims.next_back() {
                        team.call(item);
                        team.claims.done();
                    }
                })
            })
            .collect();
        let mut front = 0;
        while front < most {
            let Some(item) = team.claims.next_front(front) else { break };
            front += 1;
            team.call(item);
        }
        close(&team.claims, front);
        // The leader frees what was borrowed, before any helper is known to have ended.
        // SAFETY: as in `call`.
        let free = |x: &UnsafeCell<u32>| x.with_mut(|x| unsafe { std::mem::replace(&mut *x, FREED) });
        let calls: Vec<u32> = team.items.iter().map(free).collect();
        assert!(calls.iter().all(|&n| n <= 1), "an item was called twice: {calls:?}");
        if most > count {
            assert!(calls.iter().all(|&n| n == 1), "an item was left out: {calls:?}");
        }
        helpers.into_iter().for_each(|helper| helper.join().unwrap());
        // SAFETY: as above.
        let untouched = |x: &UnsafeCell<u32>| x.with(|x| unsafe { *x }) == FREED;
        assert!(team.items.iter().all(untouched), "an item was called after the close");
    });
}

fn close(claims: &Claims, front: usize) {
    claims.close(front, thread::yield_now);
}

#[test]
fn every_item_is_called_once_and_none_after_the_close() {
    for (count, helpers) in [(0, 1), (1, 1), (2, 1), (3, 1), (1, 2)] {
        explore(count, helpers, usize::MAX, close);
    }
}

#[test]
fn a_leader_that_unwinds_leaves_nobody_behind() {
    for (count, helpers) in [(1, 1), (2, 1), (3, 1), (1, 2)] {
        for most in 0..count {
            explore(count, helpers, most, close);
        }
    }
}

/// The control: a protocol that is broken is found to be.
#[test]
#[should_panic]
fn a_leader_that_does_not_wait_is_found_out() {
    explore(2, 1, usize::MAX, |_, _| ());
}
