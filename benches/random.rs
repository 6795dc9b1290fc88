//! Random fills, in elements per second, and matrices that take more than that.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evenkeel::init::torch::Generator;
use evenkeel::init::{sparse, trunc_normal};
use evenkeel::prelude::*;

/// A hidden layer of the lecture's model, in the L2 cache, in the L3 cache.
const SHAPES: [[usize; 2]; 3] = [[32, 200], [256, 256], [1024, 1024]];

fn schemes(c: &mut Criterion) {
    let schemes: [(&str, &dyn Initializer); 5] = [
        ("normal", &init::normal(1.0)),
        ("uniform", &init::uniform(-1.0, 1.0)),
        ("trunc_normal", &trunc_normal(0.0, 1.0, -2.0, 2.0)),
        ("orthogonal", &init::orthogonal(Gain::Linear)),
        ("sparse", &sparse(0.9, 1.0)),
    ];
    let mut group = c.benchmark_group("random");
    group.sample_size(10);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for shape in SHAPES {
        let [rows, columns] = shape;
        group.throughput(Throughput::Elements((rows * columns) as u64));
        for (name, scheme) in schemes {
            group.bench_function(BenchmarkId::new(name, format!("{rows}x{columns}")), |b| {
                b.iter(|| scheme.init(black_box(&Shape::from(shape)), &mut rng).unwrap());
            });
        }
        let mut generator = Generator::manual_seed(1);
        group.bench_function(BenchmarkId::new("torch_randn", format!("{rows}x{columns}")), |b| {
            b.iter(|| -> Tensor { generator.randn(black_box(shape)).unwrap() });
        });
    }
    group.finish();
}

criterion_group!(benches, schemes);
criterion_main!(benches);
