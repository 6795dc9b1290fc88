//! What the machine can do at most: arithmetic in registers, and streams through memory.
//!
//! They are contenders like the others and take their turns beside them, so that a share of the peak is one of the peak
//! at that moment.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Bound, Contender};

/// How elements go through memory. Bytes are counted as the STREAM benchmark counts them: what the program asks for.
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

impl Bound {
    /// The peak's own time for this much work, on so many threads.
    pub fn contender(self, threads: usize) -> Contender {
        match self {
            Bound::Flops(flops) => arithmetic(flops, threads),
            Bound::Elements(stream, len) => memory(stream, len, threads),
        }
    }

    /// Floating-point operations, or bytes.
    pub fn amount(self) -> f64 {
        let (accesses, elements) = match self {
            Bound::Flops(flops) => return flops as f64,
            Bound::Elements(Stream::Read, len) => (1, len),
            Bound::Elements(Stream::Copy, len) => (2, len),
            Bound::Elements(Stream::Triad | Stream::Update, len) => (3, len),
        };
        (accesses * elements * size_of::<f32>()) as f64
    }
}

/// The best vectors that this processor has.
#[derive(Clone, Copy)]
enum Vectors {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Baseline,
}

impl Vectors {
    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Vectors::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Vectors::Avx2;
            }
        }
        Vectors::Baseline
    }
}

/// Multiply-adds in flight at a time. Two units of a latency of four need eight; AVX2 has sixteen registers, of which
/// two hold the factors.
const CHAINS: usize = 12;

fn arithmetic(flops: usize, threads: usize) -> Contender {
    let vectors = Vectors::detect();
    let lanes = match vectors {
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => 16,
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => 8,
        Vectors::Baseline => LANES,
    };
    let steps_per_call = flops as f64 / (2 * CHAINS * lanes * threads) as f64;
    let multiply_adds = move |calls: usize| {
        let steps = (steps_per_call * calls as f64).ceil() as usize;
        black_box(match vectors {
            // SAFETY: `detect` has found these instructions.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512 => unsafe { multiply_adds_avx512(steps) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx2 => unsafe { multiply_adds_avx2(steps) },
            Vectors::Baseline => multiply_adds(steps),
        });
    };
    Contender::timed("peak", vec![], move |calls| together(vec![(); threads], calls, |(), calls| multiply_adds(calls)))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn multiply_adds_avx512(steps: usize) -> f32 {
    use std::arch::x86_64::*;
    let (factor, term) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(1.0)));
    let mut chains = [term; CHAINS];
    for _ in 0..steps {
        for x in &mut chains {
            *x = _mm512_fmadd_ps(*x, factor, term);
        }
    }
    chains.into_iter().map(|x| _mm512_reduce_add_ps(x)).sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_adds_avx2(steps: usize) -> f32 {
    use std::arch::x86_64::*;
    let (factor, term) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(1.0)));
    let mut chains = [term; CHAINS];
    for _ in 0..steps {
        for x in &mut chains {
            *x = _mm256_fmadd_ps(*x, factor, term);
        }
    }
    chains.into_iter().map(|x| _mm256_cvtss_f32(x)).sum()
}

/// Of the vectors that every processor of the target has: 128 bits.
const LANES: usize = 4;

fn multiply_adds(steps: usize) -> f32 {
    let (factor, term) = (black_box(0.5_f32), black_box(1.0_f32));
    let mut chains = [[term; LANES]; CHAINS];
    for _ in 0..steps {
        for x in chains.as_flattened_mut() {
            // The baseline of x86-64 has no fused multiply-add.
            *x = if cfg!(target_arch = "x86_64") { *x * factor + term } else { x.mul_add(factor, term) };
        }
    }
    chains.as_flattened().iter().sum()
}

fn memory(stream: Stream, len: usize, threads: usize) -> Contender {
    let vectors = Vectors::detect();
    let (mut a, b, c) = (vec![1.0; len], vec![2.0; len], vec![3.0; len]);
    let part = len.div_ceil(threads);
    Contender::timed("peak", vec![], move |calls| {
        // Each thread keeps its part, and nobody waits for the others between calls.
        let parts = a.chunks_mut(part).zip(b.chunks(part)).zip(c.chunks(part));
        together(parts.collect(), calls, |((a, b), c), calls| {
            for _ in 0..calls {
                let (a, b, c) = black_box((&mut **a, *b, *c));
                black_box(match vectors {
                    // SAFETY: `detect` has found these instructions.
                    #[cfg(target_arch = "x86_64")]
                    Vectors::Avx512 => unsafe { pass_avx512(stream, a, b, c) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Vectors::Avx2 => unsafe { pass_avx2(stream, a, b, c) },
                    Vectors::Baseline => pass(stream, a, b, c),
                });
            }
        })
    })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn pass_avx512(stream: Stream, a: &mut [f32], b: &[f32], c: &[f32]) -> f32 {
    pass(stream, a, b, c)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn pass_avx2(stream: Stream, a: &mut [f32], b: &[f32], c: &[f32]) -> f32 {
    pass(stream, a, b, c)
}

/// Once over the elements; inlined above, and so compiled for each instruction set.
#[inline(always)]
fn pass(stream: Stream, a: &mut [f32], b: &[f32], c: &[f32]) -> f32 {
    match stream {
        Stream::Read => {
            let mut sums = [0.0; 128];
            for chunk in a.chunks_exact(sums.len()) {
                for (sum, a) in sums.iter_mut().zip(chunk) {
                    *sum += a;
                }
            }
            return sums.iter().sum();
        }
        Stream::Copy => a.copy_from_slice(b),
        Stream::Triad => a.iter_mut().zip(b).zip(c).for_each(|((a, b), c)| *a = b + 0.5 * c),
        Stream::Update => a.iter_mut().zip(b).for_each(|(a, b)| *a += 0.5 * b),
    }
    0.0
}

/// The longest time that any thread takes for its part of `calls` calls, all of them warm and starting together.
fn together<P: Send>(parts: Vec<P>, calls: usize, work: impl Fn(&mut P, usize) + Sync) -> Duration {
    let barrier = Barrier::new(parts.len());
    let timed = |mut part: P| {
        work(&mut part, 1);
        barrier.wait();
        let start = Instant::now();
        work(&mut part, calls);
        start.elapsed()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = parts.into_iter().map(|part| scope.spawn(|| timed(part))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic in a loop over numbers"))
            .max()
            .unwrap_or_default()
    })
}
