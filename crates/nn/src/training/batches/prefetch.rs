//! Batches that other threads make ahead of the training.

use std::fmt;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tensor::Tensor;

use super::Batches;

/// How many results of each thread wait at most.
const AHEAD: usize = 2;

/// What a closure makes of the rows of each step, ahead of the training, in the order of the steps;
/// [`Batches::prefetch`] makes one.
///
/// A panic of the closure comes to the thread that asks for its result. Dropped, it waits for what its threads are at. What a thread was to
/// make that the system does not start is made by the one that asks for it.
pub struct Prefetch<X> {
    steps: Range<u64>,
    first: u64,
    workers: Vec<Option<Worker<X>>>,
    batches: Batches,
    make: Make<X>,
}

type Make<X> = Arc<dyn Fn(u64, &Tensor<i64>) -> X + Send + Sync>;

impl<X> fmt::Debug for Prefetch<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch").field("steps", &self.steps).finish_non_exhaustive()
    }
}

struct Worker<X> {
    /// Taken when nothing more is wanted, so that the thread ends.
    results: Option<Receiver<X>>,
    thread: Option<JoinHandle<()>>,
}

impl<X: Send + 'static> Prefetch<X> {
    pub(super) fn new(
        batches: Batches,
        steps: Range<u64>,
        threads: usize,
        make: impl Fn(u64, &Tensor<i64>) -> X + Send + Sync + 'static,
    ) -> Self {
        let threads = threads.max(1);
        let make: Make<X> = Arc::new(make);
        let workers = (0..threads as u64).map(|own| {
            let (sender, results) = sync_channel(AHEAD);
            let (mut batches, make, steps) = (batches.clone(), Arc::clone(&make), steps.clone());
            let work = move || {
                // Each thread has every step whose turn it is.
                for step in steps.skip(own as usize).step_by(threads) {
                    if !send(&sender, &*make, step, &mut batches) {
                        return;
                    }
                }
            };
            let thread = std::thread::Builder::new().spawn(work).ok()?;
            Some(Worker { results: Some(results), thread: Some(thread) })
        });
        Prefetch { first: steps.start, workers: workers.collect(), steps, batches, make }
    }
}

fn send<X>(sender: &SyncSender<X>, make: &dyn Fn(u64, &Tensor<i64>) -> X, step: u64, batches: &mut Batches) -> bool {
    sender.send(make(step, batches.rows(step))).is_ok()
}

impl<X> Iterator for Prefetch<X> {
    type Item = X;

    fn next(&mut self) -> Option<X> {
        let step = self.steps.next()?;
        let turn = ((step - self.first) % self.workers.len() as u64) as usize;
        let Some(worker) = &mut self.workers[turn] else {
            return Some((self.make)(step, self.batches.rows(step)));
        };
        match worker.results.as_ref()?.recv() {
            Ok(result) => Some(result),
            Err(_) => {
                // Before its steps are done, a thread ends by a panic alone.
                self.steps.end = self.steps.start;
                match worker.thread.take()?.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => None,
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.steps.size_hint()
    }
}

impl<X> Drop for Prefetch<X> {
    fn drop(&mut self) {
        for worker in self.workers.iter_mut().flatten() {
            worker.results = None;
        }
        for worker in self.workers.iter_mut().flatten() {
            if let Some(thread) = worker.thread.take() {
                // The panic of a result that nobody asked for.
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn batches() -> Batches {
        Batches::new(0..10, 3).unwrap().shuffled(3)
    }

    #[test]
    fn any_number_of_threads_makes_the_same_in_the_same_order() {
        let mut own = batches();
        let want: Vec<(u64, Vec<i64>)> = (5..42).map(|step| (step, own.rows(step).to_vec())).collect();
        for threads in [0, 1, 2, 3, 8, 60] {
            let got: Vec<_> = batches().prefetch(5..42, threads, |step, rows| (step, rows.to_vec())).collect();
            assert_eq!(got, want, "{threads}");
        }
        assert_eq!(batches().prefetch(3..3, 2, |step, _| step).next(), None);
    }

    #[test]
    fn what_has_no_thread_is_made_by_who_asks_for_it() {
        let make = |step, rows: &Tensor<i64>| (step, rows.to_vec());
        let want: Vec<_> = batches().prefetch(5..42, 3, make).collect();
        for gone in [&[0][..], &[1, 2], &[0, 1, 2]] {
            let mut ahead = batches().prefetch(5..42, 3, make);
            // As where the system has not started them.
            gone.iter().for_each(|&thread| ahead.workers[thread] = None);
            assert_eq!(ahead.collect::<Vec<_>>(), want);
        }
    }

    #[test]
    fn no_more_is_made_ahead_than_is_bounded_and_a_dropped_one_ends() {
        let made = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&made);
        let mut ahead = batches().prefetch(0..u64::MAX, 2, move |step, _| {
            count.fetch_add(1, Ordering::SeqCst);
            step
        });
        assert_eq!([ahead.next(), ahead.next(), ahead.next()], [Some(0), Some(1), Some(2)]);
        drop(ahead);
        // Three were taken; of each thread so many wait, and one is in its hands.
        assert!(made.load(Ordering::SeqCst) <= 3 + 2 * (AHEAD as u64 + 1));
    }

    #[test]
    fn a_panic_comes_to_who_asks_for_the_result() {
        let mut ahead = batches().prefetch(0..9, 2, |step, _| if step == 3 { panic!("no file") } else { step });
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ahead.by_ref().collect::<Vec<_>>()));
        assert_eq!(asked.unwrap_err().downcast_ref::<&str>(), Some(&"no file"));
        assert_eq!(ahead.next(), None);
    }
}
