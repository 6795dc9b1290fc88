//! Elements by number, by mask, by place and by size.

use tensor::{Float, Tensor, ensure};

use crate::tape::Place;
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
        self.rows("embedding", indices, None)
    }

    /// As [`embedding`](Self::embedding), where the row `padding` stands for nothing: w̄ is 0 there.
    ///
    /// # Panics
    /// As [`embedding`](Self::embedding), or `padding` is no row.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let table = tape.leaf(Tensor::from([[0.0, 0.0], [3.0, 4.0]]));
    /// let rows = table.embedding_with_padding(&Tensor::from([1, 0, 0]), 0);
    /// assert_eq!(rows.sum(..).backward().get(table), Some(&Tensor::from([[0.0, 0.0], [1.0, 1.0]])));
    /// ```
    #[track_caller]
    pub fn embedding_with_padding(self, indices: &Tensor<i64>, padding: usize) -> Self {
        let table = self.shape();
        let count = table.dims().first().copied().unwrap_or(0);
        ensure!(
            padding < count,
            "embedding_with_padding: {padding} is no row of the table {table}: 0 ≤ padding < {count}"
        );
        self.rows("embedding_with_padding", indices, Some(padding))
    }

    #[track_caller]
    fn rows(self, op: &'static str, indices: &Tensor<i64>, padding: Option<usize>) -> Self {
        let (table, flat) = (self.shape(), indices.reshape(indices.numel()));
        let found = self.tape().stand_in_for(self.value().embedding(indices));
        let rows = [&[flat.numel()], &table.dims()[1..]].concat();
        // Of the row of padding, no entry has a gradient.
        let silent = padding
            .map(|padding| flat.eq(padding as i64).reshape([&[flat.numel()], &vec![1; rows.len() - 1][..]].concat()));
        self.record(Op::new(op, Role::Lookup), found)
            .wrt_part(self, Place::Rows { axis: 0, indices: flat }, move |g| {
                let g = g.reshape(&rows);
                match &silent {
                    Some(silent) => g.masked_fill(silent, T::ZERO),
                    None => g,
                }
            })
            .done()
    }

    /// The slices at `indices` of an axis: along it, yᵢ = xₜ with t = indicesᵢ;  x̄ₜ = Σ ȳᵢ over all i with indicesᵢ = t.
    ///
    /// # Panics
    /// The axis is out of range, `indices` is no vector, or an index is negative or not below the axis's size.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.index_select(0, &Tensor::from([2, 2]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 0.0, 2.0])));
    /// ```
    #[track_caller]
    pub fn index_select(self, axis: isize, indices: &Tensor<i64>) -> Self {
        self.record(Op::new("index_select", Role::Keeping), self.value().index_select(axis, indices))
            .wrt_part(self, Place::Rows { axis, indices: indices.clone() }, |g| g)
            .done()
    }

    /// For each entry of `indices`, the element at that index of the axis and at the entry's own place along the others: for axis 0 of a
    /// matrix, yᵢⱼ = x\[indicesᵢⱼ, j]. x̄ has ȳ added up at these places.
    ///
    /// # Panics
    /// The axis is out of range, `indices` has another rank or is larger along another axis, or an index is negative or not below
    /// the axis's size.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = x.gather(1, &Tensor::from([[1], [0]]));
    /// assert_eq!(y.value(), Tensor::from([[2.0], [3.0]]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([[0.0, 1.0], [1.0, 0.0]])));
    /// ```
    #[track_caller]
    pub fn gather(self, axis: isize, indices: &Tensor<i64>) -> Self {
        let y = self.peek().gather(axis, indices);
        self.picked("gather", y, axis, indices.clone())
    }

    /// Records what was picked along an axis, an index for each element.
    #[track_caller]
    fn picked(self, name: &'static str, y: Tensor<T>, axis: isize, indices: Tensor<i64>) -> Self {
        self.record(Op::new(name, Role::Keeping), y).wrt_part(self, Place::Elements { axis, indices }, |g| g).done()
    }

    /// This value with each element of `source` added at its index of the axis and at its own place along the others: for axis 0 of a
    /// matrix, y\[indicesᵢⱼ, j] = x\[…] + Σ sourceᵢⱼ.  x̄ = ȳ; that of the source is ȳ at these places.
    ///
    /// # Panics
    /// As `Tensor::scatter_add`, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, source) = (tape.leaf(Tensor::zeros([3])), tape.leaf(Tensor::from([1.0, 2.0])));
    /// assert_eq!(x.scatter_add(0, &Tensor::from([2, 2]), source).value(), Tensor::from([0.0, 0.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn scatter_add(self, axis: isize, indices: &Tensor<i64>, source: Self) -> Self {
        let (indices, shape) = (indices.clone(), source.shape());
        let y = self.value().scatter_add(axis, &indices, &source.value());
        self.record("scatter_add", y)
            .wrt(self, |g| g)
            .wrt(source, move |g| {
                // What lies beyond the indices was not used.
                let widths: Vec<(usize, usize)> =
                    shape.dims().iter().zip(indices.dims()).map(|(all, used)| (0, all - used)).collect();
                g.gather(axis, &indices).pad(&widths, T::ZERO)
            })
            .done()
    }

    /// A vector of the elements where the mask, which broadcasts, is true, in row-major order; x̄ is 0 for all others.
    ///
    /// # Panics
    /// The mask has other sizes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.masked_select(&Tensor::from([true, false, true])).value(), Tensor::from([1.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn masked_select(self, mask: &Tensor<bool>) -> Self {
        let x = self.value();
        let y = x.masked_select(mask);
        let (shape, mask) = (x.shape().clone(), mask.clone());
        self.record(Op::new("masked_select", Role::Keeping), y)
            .wrt(self, move |g| {
                let wide = Tensor::<T>::zeros(&shape).masked_fill(&mask, T::ZERO);
                wide.masked_scatter(&mask, &g).sum_to(&shape)
            })
            .done()
    }

    /// The lower triangle of the last two axes, up to the diagonal that is `diagonal` above the main one; 0 elsewhere, in x̄ too.
    ///
    /// # Panics
    /// There are fewer than two axes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::ones([2, 2]));
    /// assert_eq!(x.tril(0).value(), Tensor::from([[1.0, 0.0], [1.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn tril(self, diagonal: isize) -> Self {
        self.record(Op::new("tril", Role::Masking), self.value().tril(diagonal))
            .wrt(self, move |g| g.tril(diagonal))
            .done()
    }

    /// The upper triangle of the last two axes, from the diagonal that is `diagonal` above the main one on; 0 elsewhere, in x̄ too.
    ///
    /// # Panics
    /// There are fewer than two axes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::ones([2, 2]));
    /// assert_eq!(x.triu(1).value(), Tensor::from([[0.0, 1.0], [0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn triu(self, diagonal: isize) -> Self {
        self.record(Op::new("triu", Role::Masking), self.value().triu(diagonal))
            .wrt(self, move |g| g.triu(diagonal))
            .done()
    }

    /// The elements in order along an axis, and where each was. Equals keep their order; x̄ is ȳ brought back to where each was.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (sorted, indices) = tape.leaf(Tensor::from([3.0, 1.0, 2.0])).sort(0, false);
    /// assert_eq!((sorted.value(), indices), (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([1, 2, 0])));
    /// ```
    #[track_caller]
    pub fn sort(self, axis: isize, descending: bool) -> (Self, Tensor<i64>) {
        let (y, indices) = self.peek().sort(axis, descending);
        (self.picked("sort", y, axis, indices.clone()), indices)
    }

    /// The k largest elements along an axis, or the smallest, in order, and where each was; x̄ is ȳ there and 0 elsewhere.
    ///
    /// # Panics
    /// The axis is out of range, or has fewer elements than k.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (best, indices) = tape.leaf(Tensor::from([3.0, 1.0, 2.0])).topk(2, 0, true);
    /// assert_eq!((best.value(), indices), (Tensor::from([3.0, 2.0]), Tensor::from([0, 2])));
    /// ```
    #[track_caller]
    pub fn topk(self, k: usize, axis: isize, largest: bool) -> (Self, Tensor<i64>) {
        let (y, indices) = self.peek().topk(k, axis, largest);
        (self.picked("topk", y, axis, indices.clone()), indices)
    }
}
