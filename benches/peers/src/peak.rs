//! What the machine can do at most: arithmetic in registers, and streams through memory.
//!
//! Each row has such a loop, which takes its turns beside the contenders: a share of the peak is one of the peak at
//! that moment.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use tensor::Isa;

use crate::bench::{Bound, Contender, Row, Stream};

/// The peaks themselves, with arrays beyond all caches.
pub fn rows() -> Vec<Row> {
    let none = |_| vec![];
    let stream = |name: &str, stream| Row::new(format!("{name} 16Mi"), Bound::Elements(stream, 16 << 20), none);
    vec![
        Row::new("fma peak".into(), Bound::Flops(1 << 20), none),
        stream("read", Stream::Read),
        stream("copy", Stream::Copy),
        stream("triad", Stream::Triad),
    ]
}

impl Bound {
    /// Floating-point operations, or bytes: those that the program asks for, as the STREAM benchmark counts them.
    pub fn amount(self) -> f64 {
        let (accesses, elements) = match self {
            Bound::Flops(flops) | Bound::Step(flops) => return flops as f64,
            Bound::Elements(Stream::Read, len) => (1, len),
            Bound::Elements(Stream::Copy, len) => (2, len),
            Bound::Elements(Stream::Triad | Stream::Update, len) => (3, len),
        };
        (accesses * elements * size_of::<f32>()) as f64
    }

    /// This much work at the peak, on so many threads.
    pub fn contender(self, threads: usize) -> Contender {
        match self {
            Bound::Flops(flops) | Bound::Step(flops) => Contender::timed("peak", vec![], move |calls| {
                together(vec![(); threads], calls, |(), calls| run(Loop::MultiplyAdds(flops * calls / threads)))
            }),
            Bound::Elements(stream, len) => {
                let (mut a, b, c) = (vec![1.0; len], vec![2.0; len], vec![3.0; len]);
                let part = len.div_ceil(threads);
                // Each thread keeps its part, and waits for the others at the start only.
                Contender::timed("peak", vec![], move |calls| {
                    let parts = a.chunks_mut(part).zip(b.chunks(part)).zip(c.chunks(part)).collect();
                    together(parts, calls, |((a, b), c), calls| {
                        (0..calls).for_each(|_| run(Loop::Stream(stream, a, b, c)));
                    })
                })
            }
        }
    }
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
        threads.into_iter().map(|thread| thread.join().expect("it cannot panic")).max().unwrap_or_default()
    })
}

enum Loop<'a> {
    /// So many floating-point operations.
    MultiplyAdds(usize),
    Stream(Stream, &'a mut [f32], &'a [f32], &'a [f32]),
}

/// Runs the loop as it is compiled for the instruction set that Evenkeel uses.
fn run(work: Loop) {
    black_box(match tensor::isa() {
        // SAFETY: `isa` returns no set that this processor lacks.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(black_box(work)) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(black_box(work)) },
        _ => with_lanes::<4>(black_box(work)),
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn avx512(work: Loop) -> f32 {
    with_lanes::<16>(work)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(work: Loop) -> f32 {
    with_lanes::<8>(work)
}

/// Inlined above, and so compiled for each instruction set; a vector has that many lanes there.
#[inline(always)]
fn with_lanes<const LANES: usize>(work: Loop) -> f32 {
    /// Vectors in flight at a time: two units of a latency of four need eight, and AVX2 has registers for fourteen
    /// beside the two factors.
    const VECTORS: usize = 12;
    let mut x = [[1.0_f32; LANES]; VECTORS];
    match work {
        Loop::MultiplyAdds(flops) => {
            let (factor, term) = (black_box(0.5_f32), black_box(1.0_f32));
            for _ in 0..flops.div_ceil(2 * VECTORS * LANES) {
                x.as_flattened_mut().iter_mut().for_each(|x| *x = x.mul_add(factor, term));
            }
        }
        Loop::Stream(Stream::Read, a, ..) => {
            for a in a.chunks_exact(VECTORS * LANES) {
                x.as_flattened_mut().iter_mut().zip(a).for_each(|(x, a)| *x += a);
            }
        }
        Loop::Stream(Stream::Copy, a, b, _) => a.copy_from_slice(b),
        Loop::Stream(Stream::Triad, a, b, c) => a.iter_mut().zip(b).zip(c).for_each(|((a, b), c)| *a = b + 0.5 * c),
        Loop::Stream(Stream::Update, a, b, _) => a.iter_mut().zip(b).for_each(|(a, b)| *a += 0.5 * b),
    }
    x.as_flattened().iter().sum()
}
