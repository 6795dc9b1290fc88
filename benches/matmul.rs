//! The matrix product on random data, in GFLOP/s (criterion prints Gelem/s; an element is a floating-point operation).

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evenkeel::prelude::*;

/// m × k × n: the products of the lecture's model, squares, and a large layer.
const SHAPES: [[usize; 3]; 8] = [
    [32, 30, 200],
    [32, 200, 27],
    [64, 64, 64],
    [128, 128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [1024, 1024, 1024],
    [128, 784, 512],
];

fn matmul(c: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut random =
        |rows, columns| -> Tensor { init::normal(1.0).init(&Shape::from([rows, columns]), &mut rng).unwrap() };
    let mut group = c.benchmark_group("matmul");
    group.sample_size(20);
    for [m, k, n] in SHAPES {
        let (x, w, wt) = (random(m, k), random(k, n), random(n, k));
        // x · w, and x · wᵀ with w transposed as a view.
        group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
        let shape = format!("{m}x{k}x{n}");
        group.bench_function(BenchmarkId::new("xw", &shape), |b| b.iter(|| black_box(&x).matmul(black_box(&w))));
        group.bench_function(BenchmarkId::new("xwt", &shape), |b| b.iter(|| black_box(&x).matmul(&black_box(&wt).t())));
        let (x, w, mut out) = (x.to_vec(), w.to_vec(), vec![0.0; m * n]);
        group.bench_function(BenchmarkId::new("xw by matrixmultiply, one thread", &shape), |b| {
            b.iter(|| matrixmultiply_product([m, k, n], black_box(&x), black_box(&w), &mut out))
        });
    }
    group.finish();
}

/// The crate that is the feature `matrixmultiply`, called as it is: without that feature's threads.
fn matrixmultiply_product([m, k, n]: [usize; 3], x: &[f32], w: &[f32], out: &mut [f32]) {
    assert!(x.len() == m * k && w.len() == k * n && out.len() == m * n);
    let (k_stride, n_stride) = (k as isize, n as isize);
    // SAFETY: the slices have the elements of matrices of these sizes in row-major order.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            x.as_ptr(),
            k_stride,
            1,
            w.as_ptr(),
            n_stride,
            1,
            0.0,
            out.as_mut_ptr(),
            n_stride,
            1,
        )
    }
}

criterion_group!(benches, matmul);
criterion_main!(benches);
