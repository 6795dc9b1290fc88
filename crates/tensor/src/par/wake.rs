//! What it costs to ask a helper, and how many to ask.
//!
//! A helper that sleeps is woken by a system call of the thread that asks, and begins some microseconds later; one that is still looking
//! for work, as rayon's threads do for 5 to 20 µs after their last, begins at once. So small works in a chain share what alone they
//! would not. What either costs is measured where the program runs, the first time that an op could be shared.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{hint, sync::Arc};

/// In nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WakeCost {
    /// What the calling thread spends on each helper.
    pub(super) ask: f64,
    /// After what time a helper begins.
    pub(super) latency: f64,
}

impl WakeCost {
    /// Where it could not be measured, as every thread of the pool was busy. From an Intel Xeon (Emerald Rapids, 2 cores, a virtual
    /// machine).
    const ASLEEP: WakeCost = WakeCost { ask: 3_000.0, latency: 14_000.0 };
    const AWAKE: WakeCost = WakeCost { ask: 200.0, latency: 1_500.0 };

    /// How long work of `cost` nanoseconds takes with so many helpers: until they come, the calling thread works alone.
    fn time(self, cost: f64, helpers: usize) -> f64 {
        // Beyond that, differences would be lost to rounding.
        let cost = cost.min(1e15);
        let alone = cost.min(self.latency);
        helpers as f64 * self.ask + alone + (cost - alone) / (helpers + 1) as f64
    }

    /// The fewest of at most `most` helpers with which work of `cost` nanoseconds takes the least time. Each of them saves more than
    /// asking it costs.
    pub(super) fn helpers(self, cost: f64, most: usize) -> usize {
        let worth = |helpers: usize| self.time(cost, helpers) < self.time(cost, helpers - 1);
        (1..=most).take_while(|&helpers| worth(helpers)).last().unwrap_or(0)
    }
}

/// What asking costs on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Machine {
    asleep: WakeCost,
    awake: WakeCost,
    /// For how many nanoseconds after their last work helpers are awake: none where that could not be measured.
    awake_for: u64,
}

/// When the last work that could be shared ends, in nanoseconds since the first question.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Shared loops in a row with no gap long enough for a worker to park. Set to [`BURST_LEN`] when workers were asked.
static BURST: AtomicU64 = AtomicU64::new(0);

/// A burst of so many is taken to go on: the next work wakes helpers, which stay awake while it lasts.
const BURST_LEN: u64 = 16;

/// Work is taken to last so many nanoseconds at most, until helpers could fall asleep again: a user's estimate may be anything.
const LONGEST: f64 = 1e9;

/// How many helpers to ask for work of `cost` nanoseconds, at most `most`. The answer counts as asking them.
pub(super) fn helpers(cost: f64, most: usize) -> usize {
    #[cfg(test)]
    QUESTIONS.set(QUESTIONS.get() + 1);
    static MEASURED: OnceLock<Machine> = OnceLock::new();
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let machine = MEASURED.get_or_init(Machine::measured);
    // Not soon after 0, which is never.
    let now = BEGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1_000_000_000;
    let last = LAST.swap(now + cost.min(LONGEST) as u64, Ordering::Relaxed);
    let burst = if now.saturating_sub(last) < machine.awake_for { BURST.load(Ordering::Relaxed) + 1 } else { 0 };
    let cost_now = if burst > BURST_LEN { machine.awake } else { machine.asleep };
    let helpers = cost_now.helpers(cost, most);
    BURST.store(if helpers > 0 { BURST_LEN } else { burst.min(BURST_LEN) }, Ordering::Relaxed);
    helpers
}

#[cfg(test)]
thread_local! {
    /// How often this thread has asked.
    pub(super) static QUESTIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Machine {
    /// Asks a helper some times that has slept, or worked so long ago. It takes about 2 ms.
    fn measured() -> Self {
        let unknown = Machine { asleep: WakeCost::ASLEEP, awake: WakeCost::AWAKE, awake_for: 0 };
        // By the clock of an interpreter, everything is late.
        if cfg!(miri) {
            return unknown;
        }
        let Some(asleep) = median(200) else { return unknown };
        let Some(awake) = median(0) else { return unknown };
        let is_awake = |&micros: &u64| {
            median(micros).is_some_and(|now| now.ask + now.latency < 0.5 * (asleep.ask + asleep.latency))
        };
        let awake_for = [2, 5, 10, 15, 20].into_iter().take_while(is_awake).last().unwrap_or(0);
        Machine { asleep, awake, awake_for: awake_for * 1_000 }
    }
}

/// Each of [`WakeCost`]'s times is the median of so many.
const ROUNDS: usize = 5;

/// What it costs to ask a helper that had nothing to do for so many microseconds; nothing where it does not come soon.
fn median(micros: u64) -> Option<WakeCost> {
    let (mut asks, mut lates) = ([0.0; ROUNDS], [0.0; ROUNDS]);
    for (ask, latency) in asks.iter_mut().zip(&mut lates) {
        let (begin, idle) = (Instant::now(), Duration::from_micros(micros));
        while begin.elapsed() < idle {
            hint::spin_loop();
        }
        let round = round()?;
        (*ask, *latency) = (round.ask, round.latency);
    }
    asks.sort_by(f64::total_cmp);
    lates.sort_by(f64::total_cmp);
    Some(WakeCost { ask: asks[ROUNDS / 2], latency: lates[ROUNDS / 2] })
}

/// A helper that comes later has had something else to do, or its processor had.
const SOON: Duration = Duration::from_micros(100);

/// Asks a helper; nothing where it does not come soon.
fn round() -> Option<WakeCost> {
    let (begun, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let theirs = Arc::clone(&begun);
    rayon::spawn(move || theirs.store(start.elapsed().as_nanos() as u64, Ordering::Release));
    let ask = start.elapsed();
    loop {
        match begun.load(Ordering::Acquire) {
            0 if start.elapsed() > SOON => return None,
            0 => hint::spin_loop(),
            latency => return Some(WakeCost { ask: ask.as_nanos() as f64, latency: latency as f64 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::par::{MULTIPLY_ADD, STREAM, TRANSCENDENTAL, WORTH_SHARING};

    /// What ops cost, the lecture's step and the wide one first.
    fn ops() -> [(&'static str, f64); 14] {
        let product = |m: usize, k: usize, n: usize| (m * k * n) as f64 * MULTIPLY_ADD;
        let of = |len: usize, cost: f64| len as f64 * cost;
        [
            ("x W₁, 32×30×200", product(32, 30, 200)),
            ("tanh of 32×200", of(6_400, TRANSCENDENTAL)),
            ("h W₂, 32×200×27", product(32, 200, 27)),
            ("cross-entropy of 32×27", of(864, TRANSCENDENTAL)),
            ("x W₁, 512×30×1024", product(512, 30, 1024)),
            ("tanh of 512×1024", of(1 << 19, TRANSCENDENTAL)),
            ("the bias's gradient of 512×1024", of(1 << 19, STREAM)),
            ("cross-entropy of 512×27", of(512 * 27, TRANSCENDENTAL)),
            ("an embedding of 1536×10", of(15_360, STREAM)),
            ("a step of 27,648 weights", of(27_648, STREAM)),
            ("128³", product(128, 128, 128)),
            ("256³", product(256, 256, 256)),
            ("1024³", product(1024, 1024, 1024)),
            ("tanh of 1 Mi", of(1 << 20, TRANSCENDENTAL)),
        ]
    }

    /// As `par` asks.
    fn asked(cost: f64, threads: usize, wake: WakeCost) -> usize {
        if cost < WORTH_SHARING { 0 } else { wake.helpers(cost, threads - 1) }
    }

    const THREADS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

    /// Of helpers that sleep, and of those that are awake, where asking costs what it does on the machine of `WakeCost`'s constants.
    #[test]
    fn helpers_are_asked_in_proportion_to_the_work() {
        let table: Vec<(&str, [[usize; 7]; 2])> = ops()
            .into_iter()
            .map(|(op, cost)| {
                (op, [WakeCost::ASLEEP, WakeCost::AWAKE].map(|wake| THREADS.map(|n| asked(cost, n, wake))))
            })
            .collect();
        let small = [[0; 7]; 2];
        assert_eq!(
            table,
            [
                ("x W₁, 32×30×200", small),
                ("tanh of 32×200", small),
                ("h W₂, 32×200×27", small),
                ("cross-entropy of 32×27", small),
                ("x W₁, 512×30×1024", [[0, 1, 3, 7, 7, 7, 7], [0, 1, 3, 7, 15, 31, 31]]),
                ("tanh of 512×1024", [[0, 1, 3, 7, 7, 7, 7], [0, 1, 3, 7, 15, 29, 29]]),
                ("the bias's gradient of 512×1024", [[0, 1, 3, 5, 5, 5, 5], [0, 1, 3, 7, 15, 24, 24]]),
                ("cross-entropy of 512×27", small),
                ("an embedding of 1536×10", small),
                ("a step of 27,648 weights", small),
                ("128³", [[0, 1, 1, 1, 1, 1, 1], [0, 1, 3, 7, 10, 10, 10]]),
                ("256³", [[0, 1, 3, 7, 7, 7, 7], [0, 1, 3, 7, 15, 31, 32]]),
                ("1024³", [[0, 1, 3, 7, 15, 31, 63], [0, 1, 3, 7, 15, 31, 63]]),
                ("tanh of 1 Mi", [[0, 1, 3, 7, 10, 10, 10], [0, 1, 3, 7, 15, 31, 42]]),
            ]
        );
    }

    /// By the model: no number of threads makes an op slower than one does, and no other number of helpers would be faster by a thirtieth.
    #[test]
    fn more_threads_make_nothing_slower() {
        for wake in [WakeCost::ASLEEP, WakeCost::AWAKE, WakeCost { ask: 20_000.0, latency: 100_000.0 }] {
            for (op, cost) in ops() {
                for threads in 1..=64 {
                    let time = wake.time(cost, asked(cost, threads, wake));
                    assert!(time <= wake.time(cost, 0), "{op}, {threads} threads");
                    let best = (0..threads).map(|helpers| wake.time(cost, helpers)).fold(f64::INFINITY, f64::min);
                    assert!(cost < WORTH_SHARING || time <= best * 1.03, "{op}, {threads} threads: {time} and {best}");
                }
            }
        }
    }

    #[test]
    fn asking_is_measured_where_it_can_be() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        // The machine may be busy with other tests, for a while.
        let (begin, mut found) = (Instant::now(), None);
        while found.is_none() && begin.elapsed() < Duration::from_secs(60) {
            found = pool.install(|| median(100));
        }
        let found = found.expect("the other thread has nothing else to do");
        assert!(found.ask > 0.0 && found.latency > 0.0, "{found:?}");
        // The only thread of this pool is busy with the question itself.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let unknown = Machine { asleep: WakeCost::ASLEEP, awake: WakeCost::AWAKE, awake_for: 0 };
        assert_eq!(pool.install(Machine::measured), unknown);
    }
}
