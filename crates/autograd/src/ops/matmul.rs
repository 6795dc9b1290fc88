//! Products of matrices.

use tensor::{Float, Shape, Tensor, ensure};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// The matrix product: y = a b,  ā = ȳ bᵀ,  b̄ = aᵀ ȳ.
    ///
    /// `[…, m, k] · […, k, n]` gives `[…, m, n]`; the batches broadcast, and the pullbacks sum over what grew. A
    /// vector counts as one row on the left, as one column on the right, and that axis is dropped from the result.
    ///
    /// # Panics
    /// An operand is a scalar, the inner dimensions differ, the batches do not broadcast, or the two are on different
    /// tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0]]));
    /// let w = tape.leaf(Tensor::from([[3.0], [4.0]]));
    /// assert_eq!(x.matmul(w).value(), Tensor::from([[11.0]]));
    /// ```
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        let (a, b) = (self.value(), other.value());
        let short = a.matmul(&b);
        // A vector's missing axis, for the pullbacks: a row on the left, a column on the right.
        let (row, y) = if a.rank() == 1 {
            (a.unsqueeze(0), short.unsqueeze(if b.rank() == 1 { -1 } else { -2 }))
        } else {
            (a.clone(), short.clone())
        };
        let (column, y) = if b.rank() == 1 { (b.unsqueeze(1), y.unsqueeze(-1)) } else { (b.clone(), y) };
        let full = y.shape().clone();
        // A product of two activations, as in attention, has no weight.
        let role = if other.is_parameter() { Role::Affine { weight: 1, bias: None } } else { Role::Other };
        self.record(Op::new("matmul", role), short)
            .wrt(self, {
                let (full, shape, row, column) = (full.clone(), a.shape().clone(), row.shape().clone(), column.clone());
                move |g| g.reshape(&full).matmul(&column.t()).sum_to(&row).reshape(&shape)
            })
            .wrt(other, move |g| {
                let g = g.reshape(&full);
                // A batch on the left alone is one product of more rows.
                let share = if column.rank() == 2 { weight_gradient(&row, &g, &column) } else { row.t().matmul(&g) };
                share.sum_to(column.shape()).reshape(b.shape())
            })
            .done()
    }

    /// A linear layer: y = x w + b with x `[…, in]`, w `[in, out]` and b `[out]`, or without a bias: `x.linear(w, None)`.
    ///
    /// x̄ = ȳ wᵀ,  w̄ = xᵀ ȳ,  b̄ = Σ ȳ over the batch.
    ///
    /// # Panics
    /// The inner dimensions differ, the weight is not a matrix, the bias does not have its columns, or the values are on
    /// different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, 2.0]]));
    /// let w = tape.leaf(Tensor::from([[3.0], [4.0]]));
    /// let b = tape.leaf(Tensor::from([0.5]));
    /// assert_eq!(x.linear(w, b).value(), Tensor::from([[11.5]]));
    /// ```
    #[track_caller]
    pub fn linear(self, weight: Self, bias: impl Into<Option<Self>>) -> Self {
        let (x, w, bias) = (self.value(), weight.value(), bias.into());
        ensure!(w.rank() == 2, "linear: the weight must be [in, out], got {}", w.shape());
        if let Some(bias) = bias {
            ensure!(
                bias.shape().dims() == &w.dims()[1..],
                "linear: the weight {} needs a bias of [{}], got {}",
                w.shape(),
                w.dims()[1],
                bias.shape()
            );
        }
        ensure!(
            x.rank() > 0 && x.size(-1) == w.dims()[0],
            "linear: the input {} does not fit the weight {}: its last axis must be {}",
            x.shape(),
            w.shape(),
            w.dims()[0]
        );
        let y = match bias {
            Some(bias) => x.linear(&w, &bias.value()),
            None => x.matmul(&w),
        };
        let (role, width) = (Role::Affine { weight: 1, bias: bias.map(|_| 2) }, w.dims()[1]);
        let record = self
            .record(Op::new("linear", role), y)
            .wrt(self, {
                let w = w.clone();
                move |g| g.matmul(&w.t())
            })
            .wrt(weight, move |g| weight_gradient(&x, &g, &w));
        match bias {
            None => record.done(),
            Some(bias) => record.wrt(bias, move |g| g.sum_to(&Shape::from([width]))).done(),
        }
    }

    /// The sum of products of two vectors: y = Σ aᵢ bᵢ,  ā = ȳ b,  b̄ = ȳ a.
    ///
    /// # Panics
    /// The two are no vectors of one length, or on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (a, b) = (tape.leaf(Tensor::from([1.0, 2.0])), tape.leaf(Tensor::from([3.0, 4.0])));
    /// assert_eq!(a.dot(b).item(), 11.0);
    /// ```
    #[track_caller]
    pub fn dot(self, other: Self) -> Self {
        let (a, b) = (self.value(), other.value());
        self.record("dot", a.dot(&b)).wrt(self, move |g| g * &b).wrt(other, move |g| g * &a).done()
    }

    /// The products of all pairs of two vectors' elements: yᵢⱼ = aᵢ bⱼ,  ā = ȳ b,  b̄ = ȳᵀ a.
    ///
    /// # Panics
    /// An operand is no vector, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (a, b) = (tape.leaf(Tensor::from([1.0, 2.0])), tape.leaf(Tensor::from([3.0, 4.0])));
    /// assert_eq!(a.outer(b).value(), Tensor::from([[3.0, 4.0], [6.0, 8.0]]));
    /// ```
    #[track_caller]
    pub fn outer(self, other: Self) -> Self {
        let (a, b) = (self.value(), other.value());
        self.record("outer", a.outer(&b)).wrt(self, move |g| g.matmul(&b)).wrt(other, move |g| g.t().matmul(&a)).done()
    }
}

/// xᵀ ȳ over all rows, laid out as the weight is: of a transposed view, such as that of a table of words, the gradient is one too, and no
/// copy is needed to add it to others of the table.
pub(in crate::ops) fn weight_gradient<T: Float>(x: &Tensor<T>, g: &Tensor<T>, weight: &Tensor<T>) -> Tensor<T> {
    let (x, g) = (rows(x), rows(g));
    let is_turned = !weight.is_contiguous() && weight.t().is_contiguous();
    if is_turned { g.t().matmul(&x).t() } else { x.t().matmul(&g) }
}

/// All axes but the last as one: the examples of a batch as the rows of a matrix.
fn rows<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    let width = x.size(-1);
    let count: usize = x.dims()[..x.rank() - 1].iter().product();
    x.reshape([count, width])
}

#[cfg(test)]
mod tests {
    use tensor::Tensor;

    use crate::Tape;

    #[test]
    #[should_panic(expected = "linear: the weight [3, 4] needs a bias of [4], got [3]")]
    fn a_bias_of_another_size_is_refused() {
        let tape = Tape::new();
        let leaf = |dims: &[usize]| tape.leaf(Tensor::zeros(dims));
        leaf(&[2, 3]).linear(leaf(&[3, 4]), leaf(&[3]));
    }
}
