//! tanh and its pullback on random data.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evenkeel::prelude::*;
use evenkeel::tensor::Activation;

/// Shapes by what they are: a hidden layer of the lecture's model, in cache, beyond the cache.
const SHAPES: [(&str, [usize; 2]); 3] = [("32x200", [32, 200]), ("256x256", [256, 256]), ("4096x4096", [4096, 4096])];

fn random(shape: [usize; 2]) -> Tensor {
    init::normal(1.0).init(&Shape::from(shape), &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
}

fn tanh(c: &mut Criterion) {
    let mut group = c.benchmark_group("tanh");
    group.sample_size(20);
    for (name, shape) in SHAPES {
        let x = random(shape);
        group.throughput(Throughput::Elements(x.numel() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| black_box(&x).tanh()));
    }
    group.finish();
}

fn tanh_backward(c: &mut Criterion) {
    let mut group = c.benchmark_group("tanh_backward");
    group.sample_size(20);
    for (name, shape) in SHAPES {
        let y = random(shape).tanh();
        group.throughput(Throughput::Elements(y.numel() as u64));
        let gradient = random(shape);
        // The gradient's only owner is the op, which so changes it in place. One at a time: they may be large, and
        // changing the same one over and over would end in denormal numbers.
        let owned = || {
            let mut own = gradient.clone();
            own.as_mut_slice();
            own
        };
        group.bench_function(BenchmarkId::new("in_place", name), |b| {
            b.iter_batched(owned, |g| g.pullback(Activation::Tanh, black_box(&y)), BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("fresh", name), |b| {
            b.iter_batched(
                || gradient.clone(),
                |g| g.pullback(Activation::Tanh, black_box(&y)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, tanh, tanh_backward);
criterion_main!(benches);
