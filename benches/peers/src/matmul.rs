//! The product of matrices in row-major order.

use faer::linalg::matmul::matmul as faer_matmul;
use faer::{Accum, MatMut, MatRef, Par};
use gemm::Parallelism;

use crate::bench::{Bound, Contender, Row};
use crate::data::{self, Everywhere};

/// m × k × n: the products of the lecture's model, squares, a large layer, and two that are long in one dimension.
const SHAPES: [[usize; 3]; 11] = [
    [32, 30, 200],
    [32, 200, 27],
    [64, 64, 64],
    [128, 128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
    [128, 784, 512],
    [4096, 64, 64],
    [64, 4096, 64],
];

pub fn rows() -> Vec<Row> {
    let row = |[m, k, n]: [usize; 3]| {
        let work = format!("matmul {m}x{k}x{n}");
        Row::new(work, Bound::Flops(2 * m * k * n), move |threads| contenders([m, k, n], threads))
    };
    SHAPES.map(row).into()
}

fn contenders([m, k, n]: [usize; 3], threads: usize) -> Vec<Contender> {
    let (x, w) = (Everywhere::normals([m, k], 1), Everywhere::normals([k, n], 2));
    // Three of them multiply slices.
    let slices = || (data::normals(m * k, 1), data::normals(k * n, 2));
    let (for_faer, for_gemm, for_matrixmultiply) = (slices(), slices(), slices());
    let (par, parallelism) = match threads {
        1 => (Par::Seq, Parallelism::None),
        _ => (Par::rayon(threads), Parallelism::Rayon(threads)),
    };
    vec![
        Contender::new("evenkeel", move || x.evenkeel.matmul(&w.evenkeel)),
        Contender::overwriting("faer", m * n, move |y| {
            let (x, w) = &for_faer;
            let (x, w) = (MatRef::from_row_major_slice(x, m, k), MatRef::from_row_major_slice(w, k, n));
            faer_matmul(MatMut::from_row_major_slice_mut(y, m, n), Accum::Replace, x, w, 1.0, par);
        }),
        Contender::overwriting("gemm", m * n, move |y| {
            by_gemm([m, k, n], &for_gemm.0, &for_gemm.1, y, parallelism);
        }),
        Contender::overwriting("matrixmultiply", m * n, move |y| {
            by_matrixmultiply([m, k, n], &for_matrixmultiply.0, &for_matrixmultiply.1, y);
        }),
        Contender::new("ndarray", move || x.ndarray.dot(&w.ndarray)),
        Contender::new("candle", move || x.candle.matmul(&w.candle)),
        Contender::new("burn", move || x.burn.clone().matmul(w.burn.clone())),
    ]
}

#[rustfmt::skip]
fn by_gemm([m, k, n]: [usize; 3], x: &[f32], w: &[f32], y: &mut [f32], parallelism: Parallelism) {
    assert_eq!([x.len(), w.len(), y.len()], [m * k, k * n, m * n]);
    let (k_stride, n_stride) = (k as isize, n as isize);
    // SAFETY: the slices have these lengths, and so these strides in row-major order.
    unsafe {
        gemm::gemm(
            m, n, k, y.as_mut_ptr(), 1, n_stride, false, x.as_ptr(), 1, k_stride, w.as_ptr(), 1, n_stride,
            0.0, 1.0, false, false, false, parallelism,
        );
    }
}

#[rustfmt::skip]
fn by_matrixmultiply([m, k, n]: [usize; 3], x: &[f32], w: &[f32], y: &mut [f32]) {
    assert_eq!([x.len(), w.len(), y.len()], [m * k, k * n, m * n]);
    let (k_stride, n_stride) = (k as isize, n as isize);
    // SAFETY: as above.
    unsafe {
        matrixmultiply::sgemm(
            m, k, n, 1.0, x.as_ptr(), k_stride, 1, w.as_ptr(), n_stride, 1, 0.0, y.as_mut_ptr(), n_stride, 1,
        );
    }
}
