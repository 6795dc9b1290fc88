//! The one module that decides about threads.
//!
//! An op hands over its work and what it costs. Whether and how the work is cut into tasks is decided here, by the size of
//! the problem and not by the number of threads: so a result has the same bits at any number of threads. Outputs are
//! split. A reduction is cut only into pieces of a fixed size, whose results are outputs too. (A product may be cut for
//! the threads at hand, since its bits do not depend on how it is cut.)

#[allow(unsafe_code, reason = "tasks share a slice, each a part of its own")]
mod chunks;
mod claims;
mod pools;
#[allow(unsafe_code, reason = "helpers call what the calling thread has borrowed")]
mod team;
mod wake;

use std::sync::atomic;

use rayon::prelude::*;

pub(crate) use chunks::Shared;
use chunks::{OnAll, OnPairs, all, chunks, pairs};
pub use pools::{threads, with_threads};

// Costs are rough: they decide what is shared, not what is computed. All were measured on one core of an Intel Xeon
// (Emerald Rapids, AVX-512, 2 cores, a virtual machine), f32, in nanoseconds.

/// Work below this many nanoseconds stays on the calling thread. Sharing costs 1.5 µs while the pool is awake, which it is for
/// about 20 µs after it last had work. Otherwise it costs 14 µs, for the system call that wakes the pool. In a loop of ops,
/// sharing a 20 µs op saves 8 µs; alone, a 20 µs op loses 4 µs.
const WORTH_SHARING: f64 = 20_000.0;

/// The least that a task should be worth, in nanoseconds. Handing one out costs about 100.
const TASK: f64 = 5_000.0;

/// What an element of a simple arithmetic op costs. relu took 0.12 in the L2 cache and 0.3 beyond it.
pub(crate) const STREAM: f64 = 0.25;

/// What an element costs that is found by an index: gathering along rows of 1000 took 1.3.
pub(crate) const RANDOM: f64 = 1.0;

/// What a step of sorting costs; n elements take n log₂ n steps. In rows of 1000 and of a million, a step took 1.2 to 1.9.
pub(crate) const SORT: f64 = 1.5;

/// Sorting that costs less is not shared: rayon's sort moves into the pool, and the calling thread sleeps meanwhile, which takes
/// 36 µs.
const WORTH_ENTERING: f64 = 100_000.0;

/// What reading a byte costs: sums of 4 MiB ran at 28 GB/s.
pub(crate) const READ: f64 = 0.03;

/// What a transcendental function costs in vectors: tanh took 0.35.
pub(crate) const TRANSCENDENTAL: f64 = 0.35;

/// What a function by way of f64 costs in vectors: pow took 0.9 (Zen 5, AVX-512).
pub(crate) const POWER: f64 = 1.0;

/// What a division or a root costs in vectors.
pub(crate) const DIVISION: f64 = 0.35;

/// What a multiply-add of a matrix product costs: 150 GFLOP/s.
pub(crate) const MULTIPLY_ADD: f64 = 0.0133;

// What is generic over closures hands them on behind a reference, so that the rest is compiled once and not for each op.

/// Calls `work(start, chunk)` for consecutive chunks of `out`, which begin at multiples of `unit` elements; on several
/// threads where `cost` nanoseconds for each element add up to enough.
#[inline(always)]
pub(crate) fn split<T: Send>(out: &mut [T], unit: usize, cost: f64, work: impl Fn(usize, &mut [T]) + Sync) {
    split_by(out, unit, cost, &work);
}

fn split_by<T: Send>(out: &mut [T], unit: usize, cost: f64, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
    let len = task_len(out.len(), unit, cost);
    let hands = if len.is_some() { Hands::for_work(out.len() as f64 * cost) } else { Hands::NONE };
    hands.split(out, unit, cost, work);
}

/// Calls `work(row, a, b)` for consecutive chunks of whole rows of two outputs that have as many: `widths` elements each.
/// `cost` is a row's, in nanoseconds.
pub(crate) fn split_rows<T: Send, U: Send>(
    (a, b): (&mut [T], &mut [U]),
    widths: [usize; 2],
    cost: f64,
    work: &OnPairs<'_, T, U>,
) {
    debug_assert_eq!(a.len() / widths[0], b.len() / widths[1]);
    match task_len(a.len() / widths[0], 1, cost) {
        Some(rows) => {
            let hands = Hands::for_work((a.len() / widths[0]) as f64 * cost);
            pairs((a, b), widths.map(|width| rows * width), hands, &|i, a, b| work(i * rows, a, b))
        }
        None => work(0, a, b),
    }
}

/// As [`split`], for a slice and N others that are as long: calls `work(start, chunk, chunks)`.
pub(crate) fn split_with<T: Send, const N: usize>(
    slice: &mut [T],
    mut others: [&mut [T]; N],
    cost: f64,
    work: &OnAll<'_, T, N>,
) {
    match task_len(slice.len(), 1, cost) {
        Some(len) => {
            let hands = Hands::for_work(slice.len() as f64 * cost);
            all(slice, &mut others, len, hands, &|i, slice, others| work(i * len, slice, others))
        }
        None => work(0, slice, others),
    }
}

/// Sorts keys of which no two are equal: there is only one order, whatever the threads do.
pub(crate) fn sort<K: Ord + Send>(keys: &mut [K]) {
    let cost = keys.len() as f64 * f64::from(keys.len().max(1).ilog2()) * SORT;
    if cost >= WORTH_ENTERING && pools::threads() > 1 { keys.par_sort_unstable() } else { keys.sort_unstable() }
}

/// Calls `work(start, end)` for consecutive ranges that make up `0..len`, as [`split`] calls it for the parts of a slice.
pub(crate) fn ranges(len: usize, unit: usize, cost: f64, work: &(dyn Fn(usize, usize) + Sync)) {
    let task = task_len(len, unit, cost).unwrap_or(len.max(1));
    each(len.div_ceil(task), task as f64 * cost, &|i| work(i * task, ((i + 1) * task).min(len)));
}

/// Calls `work` once with each number below `count`, on the threads at hand: those of [`with_threads`], or of the global pool. An item
/// costs about `cost` nanoseconds, which decides how many threads it pays to ask.
///
/// # Panics
/// `work` panics for one of the numbers. It is called with all others nevertheless; of several panics the first is handed on.
///
/// # Example
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let sum = AtomicUsize::new(0);
/// tensor::for_each(100, 1e4, &|i| _ = sum.fetch_add(i, Ordering::Relaxed));
/// assert_eq!(sum.into_inner(), 4950);
/// ```
pub fn for_each(count: usize, cost: f64, work: &(dyn Fn(usize) + Sync)) {
    each(count, cost, work);
}

/// Calls `work` once with each number below `count`, which costs so many nanoseconds each time; potentially parallel.
pub(crate) fn each(count: usize, cost: f64, work: &(dyn Fn(usize) + Sync)) {
    let hands = if count > 1 { Hands::for_work(count as f64 * cost) } else { Hands::NONE };
    hands.each(count, work);
}

/// How many helpers are asked for a piece of work. To answer that has an effect, as the next work finds these awake: so it is settled once
/// for each, and handed down.
#[derive(Clone, Copy)]
pub(crate) struct Hands {
    helpers: usize,
    /// What the work costs, in nanoseconds.
    cost: f64,
}

impl Hands {
    /// Those of the calling thread alone.
    pub(crate) const NONE: Hands = Hands { helpers: 0, cost: 0.0 };

    /// How many to ask for work of `cost` nanoseconds: in proportion to it, never more than pay for themselves, and none for small work,
    /// however many there are.
    pub(crate) fn for_work(cost: f64) -> Self {
        if cost.is_nan() || cost < WORTH_SHARING {
            return Hands::NONE;
        }
        let threads = pools::threads();
        Hands { helpers: if threads == 1 { 0 } else { wake::helpers(cost, threads - 1) }, cost }
    }

    /// How many tasks it pays to cut the work into: 1 where sharing does not pay, else a few for each thread. The number depends on the
    /// threads, so it is only for work whose result does not depend on the cut.
    pub(crate) fn tasks(self) -> usize {
        match self.helpers {
            0 => 1,
            helpers => ((self.cost / (2.0 * TASK)) as usize).min(4 * (helpers + 1)),
        }
    }

    /// How many threads share the work, at most.
    pub(crate) fn threads(self) -> usize {
        self.helpers + 1
    }

    /// [`split`] by these.
    pub(crate) fn split<T: Send>(self, out: &mut [T], unit: usize, cost: f64, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
        match task_len(out.len(), unit, cost) {
            // One thread goes through the same tasks.
            Some(len) => chunks(out, len, self, &|i, chunk| work(i * len, chunk)),
            None => work(0, out),
        }
    }

    /// Calls `work` once with each number below `count`; potentially parallel.
    ///
    /// The one place where work is shared among threads. It is not generic, so it is compiled once and not for each loop.
    pub(crate) fn each(self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        match self.helpers.min(count.saturating_sub(1)) {
            0 => (0..count).for_each(work),
            helpers => team::each(count, helpers, work),
        }
    }
}

/// How many elements make a task, or `None` where sharing does not pay.
fn task_len(len: usize, unit: usize, cost: f64) -> Option<usize> {
    if len <= unit || len as f64 * cost < WORTH_SHARING {
        return None;
    }
    let task = ((TASK / cost) as usize).max(1).next_multiple_of(unit);
    (task < len).then_some(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_visited_once_in_its_place() {
        for (len, unit, cost) in [(0, 1, 1e9), (1, 1, 1e9), (1000, 7, 1e6), (1000, 1, 1e9), (123_457, 16, 10.0)] {
            let mut out = vec![0usize; len];
            with_threads(3, || {
                split(&mut out, unit, cost, |start, chunk| {
                    assert_eq!(start % unit, 0);
                    for (i, x) in chunk.iter_mut().enumerate() {
                        *x += start + i + 1;
                    }
                });
            })
            .unwrap();
            assert!(out.iter().enumerate().all(|(i, &x)| x == i + 1));

            let mut pairs = (vec![0usize; len * unit], vec![0usize; len]);
            with_threads(3, || {
                split_rows((&mut pairs.0[..], &mut pairs.1[..]), [unit, 1], cost, &|start, a, b| {
                    for (i, (a, b)) in a.chunks_mut(unit).zip(b).enumerate() {
                        a.fill(start + i);
                        *b = start + i;
                    }
                });
            })
            .unwrap();
            assert!(pairs.0.iter().enumerate().all(|(i, &x)| x == i / unit));
            assert!(pairs.1.iter().enumerate().all(|(i, &x)| x == i));

            let seen = std::sync::Mutex::new(vec![0; len]);
            with_threads(3, || ranges(len, unit, cost, &|from, to| seen.lock().unwrap()[from..to].fill(1))).unwrap();
            assert!(seen.into_inner().unwrap().iter().all(|&n| n == 1));
        }
    }

    #[test]
    fn rows_of_two_outputs_go_together() {
        for (rows, cost) in [(0, 1e9), (1, 1e9), (1000, 1e3), (1000, 1e9), (1000, 1.0)] {
            let (mut a, mut b) = (vec![0; rows * 3], vec![0; rows * 2]);
            with_threads(3, || {
                split_rows((&mut a, &mut b), [3, 2], cost, &|first, a, b| {
                    assert_eq!(a.len() / 3, b.len() / 2);
                    for (row, (a, b)) in a.chunks_mut(3).zip(b.chunks_mut(2)).enumerate() {
                        a.fill(first + row + 1);
                        b.fill(first + row + 1);
                    }
                });
            })
            .unwrap();
            assert!(a.chunks(3).zip(b.chunks(2)).enumerate().all(|(i, (a, b))| a == [i + 1; 3] && b == [i + 1; 2]));
        }
    }

    #[test]
    fn each_op_asks_once() {
        use crate::Tensor;
        let questions = |op: &dyn Fn()| {
            wake::QUESTIONS.set(0);
            op();
            wake::QUESTIONS.get()
        };
        let x = Tensor::<f32>::ones([256, 256]);
        let many: Tensor<i64> = (0..4096).map(|i| i % 256).collect();
        let rows = Tensor::<f32>::ones([4096, 256]);
        let ops: [(&str, &(dyn Fn() + Sync)); 5] = [
            ("a product", &|| _ = x.matmul(&x)),
            ("exp", &|| _ = rows.exp()),
            ("a sum", &|| _ = rows.sum(1)),
            ("index_add", &|| _ = x.clone().index_add(0, &many, &rows)),
            ("softmax", &|| _ = rows.softmax(1)),
        ];
        for (name, op) in ops {
            // On the calling thread of a pool, where the counter is its own.
            assert_eq!(with_threads(2, || questions(op)).unwrap(), 1, "{name}");
        }
        assert_eq!(with_threads(1, || questions(&|| _ = x.matmul(&x))).unwrap(), 0);
    }

    #[test]
    fn costs_may_be_anything() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        for cost in [1e30, f64::MAX, f64::INFINITY, f64::NAN, -1e30, 0.0] {
            let calls = AtomicUsize::new(0);
            with_threads(3, || for_each(4, cost, &|_| _ = calls.fetch_add(1, Ordering::Relaxed))).unwrap();
            assert_eq!(calls.into_inner(), 4, "{cost}");
        }
        let asked = |cost| with_threads(3, || Hands::for_work(cost).helpers).unwrap();
        assert_eq!([1e30, f64::INFINITY, f64::NAN, -1.0].map(asked), [2, 2, 0, 0]);
    }

    #[test]
    fn tasks_are_cut_by_the_size_of_the_problem_alone() {
        assert_eq!(task_len(1000, 1, 1.0), None);
        let cut = |threads| with_threads(threads, || task_len(1_000_000, 16, 1.0)).unwrap();
        assert_eq!((cut(1), cut(8)), (Some(5008), Some(5008)));
    }
}
