//! Closures that panic, with payloads whose `Drop` panics in turn, cost no memory safety: for the address sanitizer and
//! Miri to watch, and for a release build to survive.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{mem, thread};

use tensor::Tensor;

/// Large enough to be shared among threads, in more than ten tasks, whatever it costs to ask a helper here.
const LEN: usize = if cfg!(miri) { 1 << 18 } else { 1 << 21 };

const ROUNDS: usize = if cfg!(miri) { 1 } else { 100 };

/// A payload whose `Drop` panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("dropped");
        }
    }
}

/// Runs an op that panics on two threads, over and over; its closure reads what is freed at the end of each round.
fn survive(op: impl Fn(&Tensor, &(dyn Fn() + Sync)) + Sync) {
    tensor::with_threads(2, || {
        for _ in 0..ROUNDS {
            let (x, borrowed) = (Tensor::zeros([LEN]), vec![1_usize; 1000]);
            let calls = AtomicUsize::new(0);
            let caught = catch_unwind(AssertUnwindSafe(|| {
                op(&x, &|| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    for _ in 0..if cfg!(miri) { 1 } else { 20 } {
                        assert_eq!(black_box(&borrowed).iter().sum::<usize>(), 1000);
                    }
                    panic_any(Bomb);
                });
            }));
            drop(borrowed);
            let payload = caught.expect_err("the closure panics");
            assert!(payload.is::<Bomb>());
            mem::forget(payload);
            assert!(calls.into_inner() > 10, "the work was shared");
        }
    })
    .unwrap();
}

#[test]
fn map() {
    survive(|x, hostile| {
        x.map(|x| {
            hostile();
            x
        });
    });
}

#[test]
fn map_assign() {
    survive(|x, hostile| x.clone().map_assign(|_| [hostile()].len() as f32));
}

#[test]
fn update_by() {
    survive(|x, hostile| {
        x.clone().update_by(x, &mut [x.clone()], |w, g, [kept]| {
            hostile();
            (*w, *kept) = (g, *w);
        });
    });
}

#[test]
fn zip() {
    survive(|x, hostile| {
        x.zip(&x.slice(0, ..1), |x, _| {
            hostile();
            x
        });
    });
}

#[test]
fn zip_assign_within_another_op() {
    let inner = Tensor::<f32>::ones([if cfg!(miri) { 64 } else { LEN }]);
    survive(|x, hostile| {
        x.clone().zip_assign(x, |x, _| {
            let sum = (&inner + &inner).sum(..).item();
            hostile();
            x + sum
        });
    });
}

/// What an op changes in place holds numbers afterwards, old or new ones, and can be used.
#[test]
fn a_tensor_is_whole_after_a_panic() {
    tensor::with_threads(2, || {
        let mut x = Tensor::<f32>::zeros([LEN]);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            x.map_assign(|_| if black_box(true) { panic!("within") } else { 1.0 });
        }));
        assert!(caught.is_err());
        assert_eq!(x.numel(), LEN);
        assert_eq!((&x * 0.0).sum(..).item(), 0.0);
    })
    .unwrap();
}
