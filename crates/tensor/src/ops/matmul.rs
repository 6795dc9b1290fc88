//! The product of matrices, of batches of them, and of vectors.

use crate::buffer::Buffer;
use crate::create::room;
use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Matrix, Onto};
use crate::layout::Layout;
use crate::par;
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
        T::matmul(self, other).or_panic()
    }

    /// The matrix product into `out`: out = x · w, or with [`Accum::Add`], out = out + x · w. Shapes as in
    /// [`matmul`](Self::matmul).
    ///
    /// Changes the buffer of `out` in place if it is the only owner.
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul), or `out` has another shape than the product.
    ///
    /// # Example
    /// ```
    /// use tensor::{Accum, Tensor};
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let mut out = Tensor::eye(2);
    /// x.matmul_into(&x, &mut out, Accum::Add);
    /// assert_eq!(out, Tensor::from([[8.0, 10.0], [15.0, 23.0]]));
    /// ```
    #[track_caller]
    pub fn matmul_into(&self, other: &Self, out: &mut Self, accum: Accum) {
        T::matmul_into(self, other, out, accum).or_panic();
    }

    /// A linear layer, y = x w + b with x `[…, in]`, w `[in, out]` and b `[out]`: the bias is added as the product is written. The bits
    /// are those of `&x.matmul(w) + b`. PyTorch's `functional.linear`, whose weight is the transpose.
    ///
    /// # Panics
    /// The weight is no matrix, the input is a scalar, the inner dimensions differ, or the bias has not one element for each column.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (w, b) = (Tensor::from([[3.0], [4.0]]), Tensor::from([0.5]));
    /// assert_eq!(Tensor::from([[1.0, 2.0]]).linear(&w, &b), Tensor::from([[11.5]]));
    /// ```
    #[track_caller]
    pub fn linear(&self, weight: &Self, bias: &Self) -> Self {
        T::linear(self, weight, bias).or_panic()
    }

    /// The dot product of two vectors of one length, Σᵢ xᵢ yᵢ: a scalar.
    ///
    /// # Panics
    /// An operand is not a vector, or their lengths differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 2.0]).dot(&Tensor::from([3.0, 4.0])).item(), 11.0);
    /// ```
    #[track_caller]
    pub fn dot(&self, other: &Self) -> Self {
        vectors("dot", [self, other]).or_panic();
        other.expect_shape("dot", self.shape()).or_panic();
        T::matmul(self, other).or_panic()
    }

    /// The products of each element of a vector with each of another, yᵢⱼ = xᵢ wⱼ: `[m]` and `[n]` give `[m, n]`.
    ///
    /// # Panics
    /// An operand is not a vector.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let y = Tensor::from([1.0, 2.0]).outer(&Tensor::from([3.0, 4.0]));
    /// assert_eq!(y, Tensor::from([[3.0, 4.0], [6.0, 8.0]]));
    /// ```
    #[track_caller]
    pub fn outer(&self, other: &Self) -> Self {
        vectors("outer", [self, other]).or_panic();
        self.unsqueeze(1) * other
    }
}

/// What a product does to its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accum {
    /// Takes the place of what was there.
    Replace,
    /// Is added to what was there.
    Add,
}

impl Accum {
    fn onto<'a, T>(self) -> Onto<'a, T> {
        match self {
            Accum::Replace => Onto::Nothing,
            Accum::Add => Onto::C,
        }
    }
}

fn vectors<T: Float>(op: &'static str, operands: [&Tensor<T>; 2]) -> Result<(), Error> {
    match operands.into_iter().find(|operand| operand.rank() != 1) {
        Some(other) => Err(Error::new(op, Reason::Rank { want: "vectors on both sides", got: other.shape().clone() })),
        None => Ok(()),
    }
}

pub(crate) fn matmul<T: Float>(x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>, Error> {
    if let Some([x, y]) = matrices(x, y) {
        let shape = Shape::try_new(&[x.rows(), y.columns()]).map_err(|error| error.of("matmul"))?;
        let mut out = room("matmul", &shape)?;
        kernel::matmul(x, y, &mut out, Onto::Nothing);
        return Ok(Tensor::from_buffer(out, shape));
    }
    let plan = Plan::new("matmul", x, y)?;
    let mut out = room("matmul", &plan.shape)?;
    plan.run(x, y, &mut out, Onto::Nothing)?;
    Ok(Tensor::from_buffer(out, plan.shape))
}

pub(crate) fn linear<T: Float>(x: &Tensor<T>, w: &Tensor<T>, bias: &Tensor<T>) -> Result<Tensor<T>, Error> {
    if w.rank() != 2 || x.rank() == 0 {
        let (want, other) =
            if w.rank() == 2 { ("an input of one axis or more", x) } else { ("a weight of two axes", w) };
        return Err(Error::new("linear", Reason::Rank { want, got: other.shape().clone() }));
    }
    bias.expect_shape("linear", &Shape::try_new(&w.dims()[1..])?)?;
    let bias = bias.contiguous();
    let onto = Onto::Bias(bias.as_slice().expect("made contiguous"));
    if let Some([x, w]) = matrices(x, w) {
        let shape = Shape::try_new(&[x.rows(), w.columns()]).map_err(|error| error.of("linear"))?;
        let mut out = room("linear", &shape)?;
        kernel::matmul(x, w, &mut out, onto);
        return Ok(Tensor::from_buffer(out, shape));
    }
    let plan = Plan::new("linear", x, w)?;
    let mut out = room("linear", &plan.shape)?;
    plan.run(x, w, &mut out, onto)?;
    Ok(Tensor::from_buffer(out, plan.shape))
}

pub(crate) fn matmul_into<T: Float>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    out: &mut Tensor<T>,
    accum: Accum,
) -> Result<(), Error> {
    // The elements of an output that others see would be copied only to be overwritten.
    let own = |out: &mut Tensor<T>| {
        if accum == Accum::Replace && out.unique_range().is_none() {
            *out = Tensor::from_buffer(Buffer::stale(out.numel()), out.shape().clone());
        }
    };
    if let Some([x, y]) = matrices(x, y)
        && out.dims() == [x.rows(), y.columns()]
    {
        own(out);
        kernel::matmul(x, y, out.as_mut_slice(), accum.onto());
        return Ok(());
    }
    let plan = Plan::new("matmul_into", x, y)?;
    out.expect_shape("matmul_into", &plan.shape)?;
    own(out);
    plan.run(x, y, out.as_mut_slice(), accum.onto())
}

/// The operands of the most common kind of product, which needs no plan.
fn matrices<'a, T: Float>(x: &'a Tensor<T>, y: &'a Tensor<T>) -> Option<[Matrix<'a, T>; 2]> {
    match (x.dims(), y.dims()) {
        ([_, k], [l, _]) if k == l => Some([x, y].map(|x| {
            let (size, strides) = (x.dims(), x.layout().strides());
            Matrix::new(x.storage(), x.layout().offset(), [size[0], size[1]], [strides[0], strides[1]])
        })),
        _ => None,
    }
}

/// The operands of a product as batches of matrices, and the shape of the result.
struct Plan {
    left: Layout,
    right: Layout,
    batch: Shape,
    shape: Shape,
}

impl Plan {
    fn new<T: Float>(op: &'static str, x: &Tensor<T>, y: &Tensor<T>) -> Result<Self, Error> {
        if let Some(scalar) = [x, y].into_iter().find(|operand| operand.rank() == 0) {
            let got = scalar.shape().clone();
            return Err(Error::new(op, Reason::Rank { want: "at least one axis on either side", got }));
        }
        // A vector gets the axis that it lacks.
        let left = if x.rank() == 1 { x.layout().unsqueeze(0)? } else { x.layout().clone() };
        let right = if y.rank() == 1 { y.layout().unsqueeze(1)? } else { y.layout().clone() };
        let (batch_x, [m, k]) = split(left.shape());
        let (batch_y, [l, n]) = split(right.shape());
        if k != l {
            let (left, right) = (x.shape().clone(), y.shape().clone());
            return Err(Error::new(op, Reason::Inner { left, right }));
        }
        let batch = Shape::try_new(batch_x)?.broadcast_in(op, &Shape::try_new(batch_y)?).map_err(|_| {
            let (left, right) = (x.shape().clone(), y.shape().clone());
            Error::new(op, Reason::Batches { left, right })
        })?;
        let axes = |m: &[usize], n: &[usize]| {
            let dims = batch.dims().iter().chain(m).chain(n).copied().collect();
            Shape::checked(dims).map_err(|error| error.of(op))
        };
        let dropped = |rank: usize| if rank == 1 { 0 } else { 1 };
        let shape = axes(&[m][..dropped(x.rank())], &[n][..dropped(y.rank())])?;
        // If only the left side is a batch, and its rows lie evenly, it is one product of more rows.
        if batch_y.is_empty() && shape.numel() > 0 {
            let rows = Shape::try_new(&[batch.numel() * m, k])?;
            if let Some(left) = left.reshape(&rows)? {
                return Ok(Plan { left, right, batch: Shape::scalar(), shape });
            }
        }
        Ok(Plan { left, right, batch, shape })
    }

    /// One product after the other, along the batch.
    fn run<T: Float>(&self, x: &Tensor<T>, y: &Tensor<T>, out: &mut [T], onto: Onto<'_, T>) -> Result<(), Error> {
        let Plan { left, right, batch, .. } = self;
        let ([m, k], [_, n]) = (split(left.shape()).1, split(right.shape()).1);
        if batch.rank() == 0 {
            let x = Matrix::new(x.storage(), left.offset(), [m, k], last_two(left));
            let y = Matrix::new(y.storage(), right.offset(), [k, n], last_two(right));
            kernel::matmul(x, y, out, onto);
            return Ok(());
        }
        if out.is_empty() {
            return Ok(());
        }
        let batches = |layout: &Layout| {
            let outer: Vec<usize> = (0..layout.shape().rank() - 2).collect();
            layout.reorder(&outer).broadcast_to(batch)
        };
        let walk = Walk::new([&batches(left)?, &batches(right)?]);
        let [x_stride, y_stride] = walk.row_strides();
        let cost = m as f64 * n as f64 * k as f64 * par::MULTIPLY_ADD;
        let size = m * n;
        par::split(out, size, cost / size as f64, |start, out| {
            walk.rows(start / size..(start + out.len()) / size, |flat, [x_at, y_at]| {
                let out = &mut out[flat.start * size - start..flat.end * size - start];
                for (i, out) in out.chunks_exact_mut(size).enumerate() {
                    let step = |at: usize, stride: isize| at.wrapping_add_signed(i as isize * stride);
                    let x = Matrix::new(x.storage(), step(x_at, x_stride), [m, k], last_two(left));
                    let y = Matrix::new(y.storage(), step(y_at, y_stride), [k, n], last_two(right));
                    kernel::matmul(x, y, out, onto);
                }
            });
        });
        Ok(())
    }
}

fn last_two(layout: &Layout) -> [isize; 2] {
    let strides = layout.strides();
    [strides[strides.len() - 2], strides[strides.len() - 1]]
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
    fn products_go_into_an_output_or_are_added_to_it() {
        let (x, y) = (matrix(5, 4, 1), matrix(4, 3, 2));
        for (x, y) in [(x.clone(), y.clone()), (x.expand([2, 5, 4]), y.unsqueeze(0))] {
            let product = x.matmul(&y);
            let mut out = Tensor::full(product.shape(), 2.0);
            let shared = out.clone();
            x.matmul_into(&y, &mut out, Accum::Replace);
            assert_eq!(out, product);
            let place = out.as_slice().unwrap().as_ptr();
            x.matmul_into(&y, &mut out, Accum::Add);
            assert_eq!(out, &product + &product);
            assert_eq!(out.as_slice().unwrap().as_ptr(), place);
            assert_eq!(shared, Tensor::full(product.shape(), 2.0));
        }
        let mut none = Tensor::zeros([0, 3]);
        Tensor::<f64>::zeros([0, 4]).matmul_into(&y, &mut none, Accum::Add);
        let mut kept = Tensor::<f64>::ones([2, 3]);
        Tensor::zeros([2, 0]).matmul_into(&Tensor::zeros([0, 3]), &mut kept, Accum::Add);
        assert_eq!(kept, Tensor::ones([2, 3]));
    }

    /// At every size and stride, of one panel and several, of one chunk and several, of vectors and of nothing.
    #[test]
    fn a_bias_has_the_bits_of_a_sum_afterwards() {
        for (m, k, n) in [
            (1, 5, 7),
            (5, 1, 1),
            (7, 5, 1),
            (3, 0, 4),
            (0, 3, 4),
            (3, 4, 0),
            (33, 20, 70),
            (30, 1100, 90),
            (300, 70, 130),
        ] {
            for storage in [0, 1, 2, 5, 10, 15] {
                let (x, w) = (matrix(m, k, storage % 4), matrix(k, n, storage / 4));
                let b = Tensor::from_fn([n], |i| i[0] as f64 / 3.0 - 5.0);
                assert_eq!(x.linear(&w, &b), &x.matmul(&w) + &b, "{m} × {k} × {n}");
                let b = Tensor::from_fn([n, 2], |i| i[0] as f64 / 3.0 - 5.0).select(1, 1);
                let batch = x.expand([2, m, k]);
                assert_eq!(batch.linear(&w, &b), &batch.matmul(&w) + &b);
            }
        }
        let v = matrix(1, 5, 0).select(0, 0);
        assert_eq!(v.linear(&matrix(5, 3, 1), &Tensor::ones([3])), &v.matmul(&matrix(5, 3, 1)) + 1.0);
    }

    #[test]
    #[should_panic(expected = "linear: ")]
    fn a_bias_has_an_element_for_each_column() {
        Tensor::<f32>::zeros([2, 3]).linear(&Tensor::zeros([3, 4]), &Tensor::zeros([3]));
    }

    #[test]
    fn batches_are_shared_among_threads_without_a_trace() {
        let x = Tensor::from_fn([40, 1, 30, 20], |i| (i[0] * 3 + i[2] + i[3] % 7) as f32 / 9.0);
        let y = Tensor::from_fn([2, 20, 30], |i| (i[0] + i[1] * 5 + i[2]) as f32 / 90.0);
        let want = crate::with_threads(1, || x.matmul(&y)).unwrap();
        assert_eq!(crate::with_threads(3, || x.matmul(&y)).unwrap(), want);
        assert_eq!(want.select(0, 7).select(0, 1), x.select(0, 7).select(0, 0).matmul(&y.select(0, 1)));
    }

    #[test]
    fn dot_and_outer_take_vectors_of_any_stride() {
        let x = Tensor::from_fn([200, 3], |i| (i[0] * 3 + i[1]) as f64 / 100.0).select(1, 1);
        let y = Tensor::from_fn([200], |i| 1.0 - i[0] as f64 / 50.0);
        let want: f64 = x.iter().zip(y.iter()).map(|(x, y)| x * y).sum();
        assert_abs_diff_eq!(x.dot(&y).item(), want, epsilon = 1e-10);
        assert_eq!(x.outer(&y).get(&[3, 5]), Some(x.get(&[3]).unwrap() * y.get(&[5]).unwrap()));
        assert_eq!(Tensor::<f64>::zeros([0]).dot(&Tensor::zeros([0])).item(), 0.0);
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
