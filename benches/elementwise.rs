//! Elementwise ops and copies on random data, in GB/s that are read and written.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evenkeel::prelude::*;

/// Shapes by what they are: a hidden layer of the lecture's model, in the L2 cache, in the L3 cache.
const SHAPES: [[usize; 2]; 3] = [[32, 200], [256, 256], [1024, 1024]];

fn random(shape: [usize; 2]) -> Tensor {
    init::normal(1.0).init(&Shape::from(shape), &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
}

fn elementwise(c: &mut Criterion) {
    type Op = (&'static str, usize, fn(&Tensor, &Tensor) -> Tensor);
    // With how many tensors of the shape each reads and writes.
    let ops: [Op; 10] = [
        ("exp", 2, |x, _| x.exp()),
        ("ln", 2, |x, _| x.ln()),
        ("sigmoid", 2, |x, _| x.sigmoid()),
        ("relu", 2, |x, _| x.relu()),
        ("add", 3, |x, y| x + y),
        ("add_transposed", 3, |x, y| x + y.reshape([y.size(1), y.size(0)]).t()),
        ("bias_add", 2, |x, y| x + y.select(0, 0)),
        ("where", 3, |x, y| x.gt(0.0).where_cond(x, y)),
        ("copy", 2, |x, _| x.map(|x| x)),
        ("copy_transposed", 2, |x, _| x.t().contiguous()),
    ];
    let mut group = c.benchmark_group("elementwise");
    group.sample_size(20);
    for shape in SHAPES {
        let (x, y) = (random(shape), random(shape));
        for (name, tensors, op) in ops {
            group.throughput(Throughput::Bytes((tensors * x.numel() * size_of::<f32>()) as u64));
            group.bench_function(BenchmarkId::new(name, format!("{}x{}", shape[0], shape[1])), |b| {
                b.iter(|| op(black_box(&x), black_box(&y)));
            });
        }
    }
    group.finish();
}

/// w + α x in place, which is what a step of gradient descent does to each weight.
fn axpy(c: &mut Criterion) {
    let mut group = c.benchmark_group("axpy");
    group.sample_size(20);
    for shape in SHAPES {
        let (mut w, x) = (random(shape), random(shape));
        group.throughput(Throughput::Elements(w.numel() as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{}x{}", shape[0], shape[1])), |b| {
            b.iter(|| black_box(&mut w).axpy(1e-6, black_box(&x)));
        });
    }
    group.finish();
}

criterion_group!(benches, elementwise, axpy);
criterion_main!(benches);
