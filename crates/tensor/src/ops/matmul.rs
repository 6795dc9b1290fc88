//! The product of matrices, of batches of them, and of vectors.

use crate::buffer::Buffer;
use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Matrix};
use crate::layout::Layout;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

impl<T: Float> Tensor<T> {
    /// The matrix product, yᵢⱼ = Σₖ xᵢₖ wₖⱼ, of any strides on both sides.
    ///
    /// The axes before the last two are a batch and broadcast: `[…, m, k] · […, k, n]` gives `[…, m, n]`. A vector
    /// counts as one row on the left, as one column on the right, and that axis is dropped from the result.
    ///
    /// # Panics
    /// An operand is a scalar, the inner dimensions differ, or the batches do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.matmul(&x.t()), Tensor::from([[5.0, 11.0], [11.0, 25.0]]));
    /// assert_eq!(x.matmul(&Tensor::from([1.0, 10.0])), Tensor::from([21.0, 43.0]));
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Self {
        matmul(self, other).or_panic()
    }
}

fn matmul<T: Float>(x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>, Error> {
    if let ([m, k], [l, n]) = (x.dims(), y.dims())
        && k == l
    {
        let shape = Shape::from([*m, *n]);
        let mut out = Buffer::stale(shape.numel());
        kernel::matmul(matrix(x), matrix(y), &mut out, false);
        return Ok(Tensor::from_buffer(out, shape));
    }
    if let Some(scalar) = [x, y].into_iter().find(|operand| operand.rank() == 0) {
        let got = scalar.shape().clone();
        return Err(Error::new("matmul", Reason::Rank { want: "at least one axis on either side", got }));
    }
    // A vector gets the axis that it lacks.
    let left = if x.rank() == 1 { x.layout().unsqueeze(0)? } else { x.layout().clone() };
    let right = if y.rank() == 1 { y.layout().unsqueeze(1)? } else { y.layout().clone() };
    let (batch_x, [m, k]) = split(left.shape());
    let (batch_y, [l, n]) = split(right.shape());
    if k != l {
        let (left, right) = (x.shape().clone(), y.shape().clone());
        return Err(Error::new("matmul", Reason::Inner { left, right }));
    }
    let batch = Shape::try_new(batch_x)?.broadcast_in("matmul", &Shape::try_new(batch_y)?)?;
    let axes = |m: &[usize], n: &[usize]| Shape::checked(batch.dims().iter().chain(m).chain(n).copied().collect());
    let full = axes(&[m], &[n])?;

    let mut out = Buffer::stale(full.numel());
    if !out.is_empty() {
        // A batch on the left alone is one product of more rows, if they lie evenly.
        let rows = Shape::try_new(&[batch.numel() * m, k])?;
        let folded = if batch_y.is_empty() { left.reshape(&rows)? } else { None };
        match folded {
            Some(left) => products(x, &left, y, &right, &Shape::scalar(), &mut out)?,
            None => products(x, &left, y, &right, &batch, &mut out)?,
        }
    }
    let dropped = |rank: usize| if rank == 1 { 0 } else { 1 };
    let shape = axes(&[m][..dropped(x.rank())], &[n][..dropped(y.rank())])?;
    Ok(Tensor::from_buffer(out, shape))
}

/// One product after the other, along the batch.
fn products<T: Float>(
    x: &Tensor<T>,
    left: &Layout,
    y: &Tensor<T>,
    right: &Layout,
    batch: &Shape,
    out: &mut [T],
) -> Result<(), Error> {
    let ([m, k], [_, n]) = (split(left.shape()).1, split(right.shape()).1);
    let batches = |layout: &Layout| {
        let outer: Vec<usize> = (0..layout.shape().rank() - 2).collect();
        layout.reorder(&outer).broadcast_to(batch)
    };
    let walk = Walk::new([&batches(left)?, &batches(right)?]);
    let [x_stride, y_stride] = walk.row_strides();
    let last_two = |layout: &Layout| {
        let strides = layout.strides();
        [strides[strides.len() - 2], strides[strides.len() - 1]]
    };
    let (x_strides, y_strides) = (last_two(left), last_two(right));
    walk.rows(0..batch.numel(), |flat, [x_at, y_at]| {
        for (i, out) in out[flat.start * m * n..flat.end * m * n].chunks_exact_mut(m * n).enumerate() {
            let step = |at: usize, stride: isize| at.wrapping_add_signed(i as isize * stride);
            let x = Matrix::new(x.storage(), step(x_at, x_stride), [m, k], x_strides);
            let y = Matrix::new(y.storage(), step(y_at, y_stride), [k, n], y_strides);
            kernel::matmul(x, y, out, false);
        }
    });
    Ok(())
}

fn matrix<T: Float>(x: &Tensor<T>) -> Matrix<'_, T> {
    let (dims, strides) = (x.dims(), x.layout().strides());
    Matrix::new(x.storage(), x.layout().offset(), [dims[0], dims[1]], [strides[0], strides[1]])
}

/// The batch, and the matrix.
fn split(shape: &Shape) -> (&[usize], [usize; 2]) {
    let (batch, matrix) = shape.dims().split_at(shape.rank() - 2);
    (batch, [matrix[0], matrix[1]])
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// The oracle: three loops.
    fn naive(x: &Tensor<f64>, y: &Tensor<f64>) -> Tensor<f64> {
        let ([m, k], n) = ([x.dims()[0], x.dims()[1]], y.dims()[1]);
        Tensor::from_fn([m, n], |i| (0..k).map(|l| x.get(&[i[0], l]).unwrap() * y.get(&[l, i[1]]).unwrap()).sum())
    }

    /// A matrix of varied numbers, stored in one of four ways.
    fn matrix(rows: usize, columns: usize, storage: usize) -> Tensor<f64> {
        let number = |i: usize, j: usize| ((i * 31 + j * 17) % 23) as f64 / 7.0 - 1.5;
        match storage {
            0 => Tensor::from_fn([rows, columns], |i| number(i[0], i[1])),
            1 => Tensor::from_fn([columns, rows], |i| number(i[1], i[0])).t(),
            2 => Tensor::from_fn([rows + 2, columns + 3], |i| number(i[0], i[1]))
                .slice(0, 1..=rows)
                .slice(1, 2..columns + 2),
            _ => Tensor::from_fn([rows, 1], |i| number(i[0], 0)).expand([rows, columns]),
        }
    }

    #[test]
    fn equals_three_loops_at_every_size_and_stride() {
        let sizes = [0, 1, 2, 3, 5, 8, 9, 16, 17, 20, 33];
        for m in sizes {
            for k in sizes {
                for n in sizes {
                    for storage in 0..16 {
                        let (x, y) = (matrix(m, k, storage % 4), matrix(k, n, storage / 4));
                        let (got, want) = (x.matmul(&y), naive(&x, &y));
                        assert_eq!(got.dims(), want.dims());
                        for (got, want) in got.iter().zip(want.iter()) {
                            assert_abs_diff_eq!(got, want, epsilon = 1e-12);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn large_products_have_the_same_bits_at_any_number_of_threads() {
        for (m, k, n) in [(300, 200, 100), (100, 200, 300), (1, 3000, 700), (700, 3000, 1)] {
            let (x, y) = (matrix(m, k, 1), matrix(k, n, 2));
            let want = crate::with_threads(1, || x.matmul(&y)).unwrap();
            for threads in [2, 3, 8] {
                assert_eq!(crate::with_threads(threads, || x.matmul(&y)).unwrap(), want);
            }
            for (got, want) in want.iter().zip(naive(&x, &y).iter()) {
                assert_abs_diff_eq!(got, want, epsilon = 1e-9);
            }
        }
    }

    #[test]
    fn batches_broadcast_and_vectors_lose_their_axis() {
        let x = Tensor::from_fn([3, 1, 4, 5], |i| (i[0] + 2 * i[2] + 3 * i[3]) as f64);
        let y = Tensor::from_fn([2, 5, 6], |i| (i[0] * 7 + i[1]) as f64 - i[2] as f64);
        let product = x.matmul(&y);
        assert_eq!(product.dims(), [3, 2, 4, 6]);
        for i in 0..3 {
            for j in 0..2 {
                let want = naive(&x.select(0, i).select(0, 0), &y.select(0, j));
                assert_eq!(product.select(0, i).select(0, j), want);
            }
        }
        let v = Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(v.matmul(&y).dims(), [2, 6]);
        assert_eq!(x.matmul(&v).dims(), [3, 1, 4]);
        assert_eq!(v.matmul(&v).item(), 55.0);
        assert_eq!(Tensor::<f64>::zeros([2, 0]).matmul(&Tensor::zeros([0, 3])), Tensor::zeros([2, 3]));
    }

    #[test]
    #[should_panic(expected = "matmul: inner dimensions differ: [32, 784] × [512, 10] (784 ≠ 512)")]
    fn both_shapes_are_named() {
        Tensor::<f32>::zeros([32, 784]).matmul(&Tensor::zeros([512, 10]));
    }

    #[test]
    #[should_panic(expected = "matmul: inner dimensions differ: [3] × [4] (3 ≠ 4)")]
    fn vectors_are_named_as_they_are() {
        Tensor::<f32>::zeros([3]).matmul(&Tensor::zeros([4]));
    }
}
