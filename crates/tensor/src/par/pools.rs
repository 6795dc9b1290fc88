//! Pools of a chosen number of threads.

use std::error::Error as _;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Reason};

/// More threads than any machine has that this was made for. A mistaken number is refused at once: 5,000 threads would take 24 s
/// to start.
const MOST_THREADS: usize = 1024;

/// Pools that nobody uses, the last used one last. To start one takes 124 µs for 2 threads (AMD EPYC, 2 cores).
static IDLE: Mutex<Vec<Arc<ThreadPool>>> = Mutex::new(Vec::new());

/// How many pools are kept. Their threads sleep, but take memory.
const KEPT: usize = 8;

/// How many threads there are for what this thread does: those of [`with_threads`], or of the global pool. Where the system has no thread
/// to give, the calling one is all there is.
///
/// # Example
/// ```
/// assert_eq!(tensor::with_threads(3, tensor::threads)?, 3);
/// # Ok::<(), tensor::Error>(())
/// ```
pub fn threads() -> usize {
    static GLOBAL: OnceLock<bool> = OnceLock::new();
    // Rayon makes the global pool when it is first asked for, and panics where it cannot: here, and never again.
    let makes_global = || match ThreadPoolBuilder::new().build_global() {
        // Somebody else has made it, or has failed to.
        Err(error) if error.source().is_none() => catch_unwind(rayon::current_num_threads).is_ok(),
        made => made.is_ok(),
    };
    let is_outside = rayon::current_thread_index().is_none();
    if is_outside && !GLOBAL.get_or_init(makes_global) { 1 } else { rayon::current_num_threads() }
}

/// Runs `work` with at most `threads` threads for everything the tensors in it do.
///
/// Results do not depend on the number: it changes speed only. Outside of any such call the global rayon pool is used,
/// whose size the environment variable `RAYON_NUM_THREADS` sets. The threads of a call are its own, and are kept for later
/// calls.
///
/// # Errors
/// `threads` is 0 or above 1024, or the system refuses to start that many.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let x = Tensor::<f32>::ones([64, 64]);
/// let y = tensor::with_threads(1, || x.matmul(&x))?;
/// assert_eq!(y, x.matmul(&x));
/// # Ok::<(), tensor::Error>(())
/// ```
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let refused = |why: String| Error::new("with_threads", Reason::Threads { why });
    if threads == 0 {
        return Err(refused("0 threads do no work".into()));
    }
    if threads > MOST_THREADS {
        return Err(refused(format!("{threads} threads are more than any machine has")));
    }
    let pool = match idle(threads) {
        Some(pool) => pool,
        None => Arc::new(
            ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| refused(unavailable(threads, &e)))?,
        ),
    };
    // Given back also if `work` panics.
    let own = Own(pool);
    Ok(own.0.install(work))
}

/// What is said where the system starts no threads.
fn unavailable(threads: usize, error: &dyn std::error::Error) -> String {
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    format!(
        "the system does not start {threads} threads ({why}); without `with_threads`, the calling thread does all the work"
    )
}

/// A pool of that size that nobody uses.
fn idle(threads: usize) -> Option<Arc<ThreadPool>> {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let at = idle.iter().rposition(|pool| pool.current_num_threads() == threads)?;
    Some(idle.remove(at))
}

/// A pool that one call has to itself: two calls that wait for each other would never end if they shared a pool of one thread.
struct Own(Arc<ThreadPool>);

impl Drop for Own {
    fn drop(&mut self) {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Arc::clone(&self.0));
        if idle.len() > KEPT {
            idle.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn no_threads_and_too_many_are_errors() {
        let message = |threads| with_threads(threads, || ()).unwrap_err().to_string();
        assert!(message(0).contains("at least 1"), "{}", message(0));
        let start = std::time::Instant::now();
        assert!(message(5000).starts_with("with_threads: 5000 threads are more"), "{}", message(5000));
        assert!(start.elapsed().as_secs() < 1);
    }

    #[test]
    fn no_two_calls_share_a_pool() {
        // Each waits for the other, in pools of one thread.
        let ((to_a, at_a), (to_b, at_b)) = (mpsc::channel(), mpsc::channel());
        let other = thread::spawn(move || {
            with_threads(1, move || {
                to_b.send(()).unwrap();
                at_a.recv().unwrap();
            })
        });
        with_threads(1, move || {
            at_b.recv().unwrap();
            to_a.send(()).unwrap();
        })
        .unwrap();
        other.join().unwrap().unwrap();
    }

    /// One after the other in one test: each says what is kept, of which the others keep something else.
    #[test]
    fn pools_come_back_also_from_a_panic_and_few_are_kept() {
        // A size that no other test uses.
        let run = || with_threads(5, || thread::current().id()).unwrap();
        let seen: HashSet<_> = (0..100).map(|_| run()).collect();
        assert!(seen.len() <= 5, "{} threads of 5", seen.len());

        let caught = std::panic::catch_unwind(|| with_threads(6, || panic!("within")));
        assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "within");
        assert!(idle(6).is_some());

        for threads in 10..30 {
            with_threads(threads, || ()).unwrap();
        }
        assert!(IDLE.lock().unwrap().len() <= KEPT);
    }
}
