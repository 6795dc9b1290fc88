//! Reductions, softmax and cross-entropy on random data.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evenkeel::prelude::*;
use evenkeel::tensor::Pullback;

/// Shapes by what they are: a hidden layer of the lecture's model, beyond a core's own cache, long and thin.
const SHAPES: [(&str, [usize; 2]); 3] =
    [("32x200", [32, 200]), ("1024x1024", [1024, 1024]), ("262144x4", [262_144, 4])];

fn random(shape: [usize; 2]) -> Tensor {
    init::normal(1.0).init(&Shape::from(shape), &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
}

/// A group of one op over all shapes, in bytes read per second.
fn each(c: &mut Criterion, op: &str, mut bench: impl FnMut(&mut BenchmarkGroup<'_, WallTime>, &str, Tensor)) {
    let mut group = c.benchmark_group(op);
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for (name, shape) in SHAPES {
        let x = random(shape);
        group.throughput(Throughput::Bytes(size_of_val(x.as_slice().unwrap()) as u64));
        bench(&mut group, name, x);
    }
    group.finish();
}

fn sum(c: &mut Criterion) {
    each(c, "sum", |group, name, x| {
        group.bench_function(BenchmarkId::new("over_rows", name), |b| b.iter(|| black_box(&x).sum(0)));
        group.bench_function(BenchmarkId::new("over_columns", name), |b| b.iter(|| black_box(&x).sum(1)));
        group.bench_function(BenchmarkId::new("all", name), |b| b.iter(|| black_box(&x).sum(..)));
        group.bench_function(BenchmarkId::new("all_transposed", name), |b| b.iter(|| black_box(&x).t().sum(..)));
    });
}

fn others(c: &mut Criterion) {
    each(c, "reduce", |group, name, x| {
        group.bench_function(BenchmarkId::new("max", name), |b| b.iter(|| black_box(&x).max(..)));
        group.bench_function(BenchmarkId::new("argmax_over_columns", name), |b| b.iter(|| black_box(&x).argmax(1)));
        group.bench_function(BenchmarkId::new("std", name), |b| b.iter(|| black_box(&x).std(.., 1)));
        group.bench_function(BenchmarkId::new("std_over_rows", name), |b| b.iter(|| black_box(&x).std(0, 1)));
        group.bench_function(BenchmarkId::new("norm_2", name), |b| b.iter(|| black_box(&x).norm(2.0, ..)));
        group.bench_function(BenchmarkId::new("logsumexp", name), |b| b.iter(|| black_box(&x).logsumexp(1)));
        group.bench_function(BenchmarkId::new("cumsum", name), |b| b.iter(|| black_box(&x).cumsum(1)));
    });
}

fn softmax(c: &mut Criterion) {
    each(c, "softmax", |group, name, x| {
        for axis in [0, 1] {
            group.bench_function(BenchmarkId::new(format!("axis_{axis}"), name), |b| {
                b.iter(|| black_box(&x).softmax(axis));
            });
            group.bench_function(BenchmarkId::new(format!("log_axis_{axis}"), name), |b| {
                b.iter(|| black_box(&x).log_softmax(axis));
            });
        }
    });
}

/// The loss of a batch and its gradient, at the sizes of the lecture's model and of an image classifier.
fn cross_entropy(c: &mut Criterion) {
    let mut group = c.benchmark_group("cross_entropy");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for (name, shape) in [("32x27", [32, 27]), ("512x1000", [512, 1000])] {
        let x = random(shape);
        let classes: Tensor<i64> = (0..shape[0]).map(|i| (i * 7 % shape[1]) as i64).collect();
        let gradient = Tensor::full([shape[0]], 1.0 / shape[0] as f32);
        group.throughput(Throughput::Bytes(size_of_val(x.as_slice().unwrap()) as u64));
        group.bench_function(BenchmarkId::new("forward", name), |b| b.iter(|| black_box(&x).cross_entropy(&classes)));
        group.bench_function(BenchmarkId::new("both", name), |b| {
            b.iter(|| {
                let p = black_box(&x).cross_entropy(&classes).1;
                gradient.clone().pullback(Pullback::CrossEntropy(&classes), &p)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sum, others, softmax, cross_entropy);
criterion_main!(benches);
