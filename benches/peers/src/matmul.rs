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
            let (x, w) = (for_gemm.0.as_ptr(), for_gemm.1.as_ptr());
            let (k_stride, n_stride) = (k as isize, n as isize);
            // SAFETY: the slices hold m·n, m·k and k·n numbers, with these strides in row-major order.
            unsafe {
                let (y, no) = (y.as_mut_ptr(), false);
                gemm::gemm(
                    m,
                    n,
                    k,
                    y,
                    1,
                    n_stride,
                    no,
                    x,
                    1,
                    k_stride,
                    w,
                    1,
                    n_stride,
                    0.0,
                    1.0,
                    no,
                    no,
                    no,
                    parallelism,
                );
            }
        }),
        Contender::overwriting("matrixmultiply", m * n, move |y| {
            let (x, w) = (for_matrixmultiply.0.as_ptr(), for_matrixmultiply.1.as_ptr());
            let (k_stride, n_stride) = (k as isize, n as isize);
            // SAFETY: as above.
            unsafe {
                matrixmultiply::sgemm(m, k, n, 1.0, x, k_stride, 1, w, n_stride, 1, 0.0, y.as_mut_ptr(), n_stride, 1);
            }
        }),
        Contender::new("ndarray", move || x.ndarray.dot(&w.ndarray)),
        Contender::new("candle", move || x.candle.matmul(&w.candle)),
        Contender::new("burn", move || x.burn.clone().matmul(w.burn.clone())),
    ]
}
