//! Rows by number.

use tensor::{Float, Tensor};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// The rows of a table `[N, E]` at `indices` of any shape `[…]`: `[…, E]`.
    ///
    /// yᵢ = wₜ with t = indicesᵢ;  w̄ₜ = Σ ȳᵢ over all i with indicesᵢ = t, in the order of `indices`.
    ///
    /// # Panics
    /// The table has no axis, or an index is negative or not below N.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let table = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let rows = table.embedding(&Tensor::from([1, 1]));
    /// assert_eq!(rows.value(), Tensor::from([[3.0, 4.0], [3.0, 4.0]]));
    /// assert_eq!(rows.sum(..).backward().get(table), Some(&Tensor::from([[0.0, 0.0], [2.0, 2.0]])));
    /// ```
    #[track_caller]
    pub fn embedding(self, indices: &Tensor<i64>) -> Self {
        let (table, flat) = (self.shape(), indices.reshape(indices.numel()));
        self.record(Op::new("embedding", Role::Lookup), self.value().embedding(indices))
            .wrt(self, move |g| {
                let rows = [&[flat.numel()], &table.dims()[1..]].concat();
                Tensor::zeros(&table).index_add(0, &flat, &g.reshape(rows))
            })
            .done()
    }
}

#[cfg(test)]
mod tests {
    use tensor::Tensor;

    use crate::check::testing::assert_gradients;

    #[test]
    fn embedding() {
        for indices in [
            Tensor::from([2, 0, 2, 1]),
            Tensor::from([[0, 1], [1, 1], [3, 0]]),
            Tensor::from([[0, 1, 3], [1, 2, 2]]).t(),
            Tensor::scalar(3),
            Tensor::zeros([0]),
        ] {
            assert_gradients(&[&[4, 3]], |x| x[0].embedding(&indices));
        }
        assert_gradients(&[&[4, 0]], |x| x[0].embedding(&Tensor::from([1, 2])));
    }
}
