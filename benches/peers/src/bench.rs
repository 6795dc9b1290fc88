//! What a row is, and how it is timed.
//!
//! All contenders of a row take turns within each round, so whatever slows the machine for a while slows all of them;
//! a contender's figure is its median over the rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::data::{Values, moments};

/// A turn lasts at least this long, or one call.
const TURN: Duration = Duration::from_millis(2);

/// How far a peer's result may lie from ours, as a part of the largest number in ours: some sum a million numbers one
/// after the other, and lose four digits.
const TOLERANCE: f32 = 1e-3;

/// Work that contenders can be timed at; they and their data are made only when its turn comes.
pub struct Row {
    pub work: String,
    pub bound: Bound,
    /// For a number of threads; the first contender is Evenkeel.
    pub contenders: Box<dyn Fn(usize) -> Vec<Contender>>,
}

/// What the machine lets no contender go below.
#[derive(Clone, Copy)]
pub enum Bound {
    /// So many floating-point operations.
    Flops(usize),
    /// So many floating-point operations among others, in a step of training.
    Step(usize),
    /// As many elements through memory as [`Stream`] says.
    Elements(Stream, usize),
}

/// How elements go through memory.
#[derive(Clone, Copy)]
pub enum Stream {
    /// Σ a: one read.
    Read,
    /// a = b, by the system's `memcpy`: one read, one write.
    Copy,
    /// a = b + s c: two reads, one write.
    Triad,
    /// a = a + s b: two reads, one write, in place.
    Update,
}

impl Row {
    pub fn new(work: String, bound: Bound, contenders: impl Fn(usize) -> Vec<Contender> + 'static) -> Self {
        Row { work, bound, contenders: Box::new(contenders) }
    }
}

/// A name, and the work as that library does it.
pub struct Contender {
    pub name: &'static str,
    pub result: Vec<f32>,
    /// The time that so many calls take.
    run: Box<dyn FnMut(usize) -> Duration>,
}

impl Contender {
    /// Each call makes a fresh result; dropping it is part of the work.
    pub fn new<O: Values>(name: &'static str, mut work: impl FnMut() -> O + 'static) -> Self {
        let result = work().values();
        Contender::timed(name, result, move |calls| timed(calls, || drop(black_box(work()))))
    }

    /// Each call makes a fresh result of random numbers, of which only the distribution is compared.
    pub fn drawing<O: Values>(name: &'static str, mut work: impl FnMut() -> O + 'static) -> Self {
        let result = moments(&work());
        Contender::timed(name, result, move |calls| timed(calls, || drop(black_box(work()))))
    }

    /// Each call consumes an input of its own, which is made outside of the time.
    pub fn consuming<I, O: Values>(
        name: &'static str,
        mut input: impl FnMut() -> I + 'static,
        mut work: impl FnMut(I) -> O + 'static,
    ) -> Self {
        let result = work(input()).values();
        let mut call = move || {
            let input = black_box(input());
            let start = Instant::now();
            drop(black_box(work(input)));
            start.elapsed()
        };
        Contender::timed(name, result, move |calls| std::iter::repeat_with(&mut call).take(calls).sum())
    }

    /// Each call overwrites the same `len` numbers.
    pub fn overwriting(name: &'static str, len: usize, mut work: impl FnMut(&mut [f32]) + 'static) -> Self {
        let mut out = vec![0.0; len];
        work(&mut out);
        Contender::timed(name, out.clone(), move |calls| timed(calls, || work(black_box(&mut out))))
    }

    /// One that takes the time itself.
    pub fn timed(name: &'static str, result: Vec<f32>, run: impl FnMut(usize) -> Duration + 'static) -> Self {
        Contender { name, result, run: Box::new(run) }
    }

    /// How many calls make a turn; warms up on the way.
    fn calls(&mut self) -> usize {
        let mut calls = || {
            let mut calls = 1;
            while (self.run)(calls) < TURN {
                calls *= 2;
            }
            calls
        };
        // The first attempt may have met with a start of threads, or with another program.
        calls().max(calls())
    }
}

fn timed(calls: usize, mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed()
}

/// Refuses contenders that do other work than the first.
pub fn check(work: &str, contenders: &mut [Contender]) -> Result<(), String> {
    let [ours, peers @ ..] = contenders else { return Ok(()) };
    let ours = std::mem::take(&mut ours.result);
    peers.iter_mut().try_for_each(|peer| compare(work, &ours, &std::mem::take(&mut peer.result), peer.name))
}

/// Refuses one whose numbers are not ours.
pub fn compare(work: &str, ours: &[f32], theirs: &[f32], name: &str) -> Result<(), String> {
    let off = difference(ours, theirs);
    if off.is_nan() || off > TOLERANCE {
        return Err(format!("{work}: {name} differs from Evenkeel by {off:.0e} of the largest number"));
    }
    Ok(())
}

/// The largest difference, as a part of the largest number in ours.
fn difference(ours: &[f32], theirs: &[f32]) -> f32 {
    if ours.len() != theirs.len() {
        return f32::INFINITY;
    }
    // In this order, NaN is the largest.
    let largest = |numbers: &mut dyn Iterator<Item = f32>| numbers.max_by(f32::total_cmp).unwrap_or(0.0);
    let scale = largest(&mut ours.iter().map(|x| x.abs()));
    largest(&mut ours.iter().zip(theirs).map(|(x, y)| (x - y).abs())) / scale
}

/// Seconds per call of each contender.
pub fn measure(contenders: &mut [Contender], rounds: usize) -> Vec<f64> {
    let calls: Vec<usize> = contenders.iter_mut().map(Contender::calls).collect();
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            // Nobody always follows the same neighbour's end of a round.
            let i = (turn + round) % contenders.len();
            // Whoever had the turn before has left the caches full of its own data.
            (contenders[i].run)(1);
            times[i].push((contenders[i].run)(calls[i]).as_secs_f64() / calls[i] as f64);
        }
    }
    times.into_iter().map(median).collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_work_is_told_from_rounding() {
        assert!(difference(&[1000.0, 0.0], &[1000.01, -0.01]) < 2e-5);
        assert_eq!(difference(&[1000.0, 0.0], &[1000.0, 200.0]), 0.2);
        assert_eq!(difference(&[1.0, 2.0], &[2.0, 1.0]), 0.5);
        assert_eq!(difference(&[1.0], &[1.0, 1.0]), f32::INFINITY);
        assert!(difference(&[1.0, 1.0], &[f32::NAN, 1.0]).is_nan());
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(vec![5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), 3.0);
    }
}
