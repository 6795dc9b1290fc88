//! Rows by number: picking them, and adding to them.

use crate::buffer::Buffer;
use crate::element::{Element, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The slices along `axis` that `indices`, a vector, names, in its order.
    ///
    /// # Panics
    /// The axis is out of range, `indices` is not a vector, or an index is negative or not below the axis's size.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let table = Tensor::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(table.index_select(0, &Tensor::from([2, 0])), Tensor::from([[5, 6], [1, 2]]));
    /// ```
    #[track_caller]
    pub fn index_select(&self, axis: isize, indices: &Tensor<i64>) -> Self {
        index_select("index_select", self, axis, indices).or_panic()
    }

    /// The rows of a table `[N, …]` at `indices` of any shape: `[indices…, …]`; PyTorch's `functional.embedding`.
    ///
    /// # Panics
    /// The table is a scalar, or an index is negative or not below N.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let table = Tensor::from([[1, 2], [3, 4], [5, 6]]);
    /// let rows = table.embedding(&Tensor::from([[2, 0], [0, 0]]));
    /// assert_eq!(rows, Tensor::from([[[5, 6], [1, 2]], [[1, 2], [1, 2]]]));
    /// ```
    #[track_caller]
    pub fn embedding(&self, indices: &Tensor<i64>) -> Self {
        let rows = index_select("embedding", self, 0, &indices.reshape(indices.numel())).or_panic();
        rows.reshape([indices.dims(), &self.dims()[1..]].concat())
    }
}

impl<T: Number> Tensor<T> {
    /// Adds the slices of `source` along `axis` to the slices of this tensor that `indices`, a vector, names; one that
    /// is named twice gets both. The pullback of [`index_select`](Self::index_select).
    ///
    /// Changes its own buffer if it is the only owner. Slices are added one after the other in the order of `indices`.
    ///
    /// # Panics
    /// The axis is out of range, `indices` is not a vector, an index is out of range, or `source` is not this tensor's
    /// shape with the number of indices along `axis`.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let source = Tensor::from([[1, 1], [2, 2], [3, 3]]);
    /// let sums = Tensor::zeros([2, 2]).index_add(0, &Tensor::from([1, 0, 1]), &source);
    /// assert_eq!(sums, Tensor::from([[2, 2], [4, 4]]));
    /// ```
    #[track_caller]
    pub fn index_add(self, axis: isize, indices: &Tensor<i64>, source: &Self) -> Self {
        index_add(self, axis, indices, source).or_panic()
    }
}

fn index_select<T: Element>(
    op: &'static str,
    x: &Tensor<T>,
    axis: isize,
    indices: &Tensor<i64>,
) -> Result<Tensor<T>, Error> {
    let axis = x.shape().axis(op, axis)?;
    let blocks = Blocks::new(op, x.shape(), axis, indices)?;
    let x = x.contiguous();
    let x = x.as_slice().expect("made contiguous");
    let mut out = Buffer::stale(blocks.picked.numel());
    for (to, from) in blocks.pairs() {
        out[to..][..blocks.len].copy_from_slice(&x[from..][..blocks.len]);
    }
    Ok(Tensor::from_buffer(out, blocks.picked))
}

fn index_add<T: Number>(
    mut x: Tensor<T>,
    axis: isize,
    indices: &Tensor<i64>,
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let axis = x.shape().axis("index_add", axis)?;
    let blocks = Blocks::new("index_add", x.shape(), axis, indices)?;
    source.expect_shape("index_add", &blocks.picked)?;
    let source = source.contiguous();
    let source = source.as_slice().expect("made contiguous");
    let x_data = x.as_mut_slice();
    for (from, to) in blocks.pairs() {
        for (x, &y) in x_data[to..][..blocks.len].iter_mut().zip(&source[from..][..blocks.len]) {
            *x += y;
        }
    }
    Ok(x)
}

/// A contiguous tensor as `[outer, size, len]`, where `size` is the indexed axis.
struct Blocks {
    outer: usize,
    size: usize,
    /// Elements that belong to one index and lie together.
    len: usize,
    /// Each below `size`.
    indices: Vec<usize>,
    /// The tensor's shape with the number of indices along the axis.
    picked: Shape,
}

impl Blocks {
    fn new(op: &'static str, shape: &Shape, axis: usize, indices: &Tensor<i64>) -> Result<Self, Error> {
        if indices.rank() != 1 {
            let got = indices.shape().clone();
            return Err(Error::new(op, Reason::Rank { want: "indices in a vector", got }));
        }
        let size = shape.dims()[axis];
        let check = |(position, index): (usize, i64)| match usize::try_from(index) {
            Ok(index) if index < size => Ok(index),
            _ => Err(Error::new(op, Reason::Index { index, position, size })),
        };
        let indices = indices.iter().enumerate().map(check).collect::<Result<Vec<_>, _>>()?;
        let mut dims = shape.dims().to_vec();
        dims[axis] = indices.len();
        Ok(Blocks {
            outer: shape.dims()[..axis].iter().product(),
            size,
            len: shape.dims()[axis + 1..].iter().product(),
            indices,
            picked: Shape::try_new(&dims)?,
        })
    }

    /// For each picked block, where it begins among the picked ones and where in the tensor.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let outer =
            (0..self.outer).flat_map(move |outer| self.indices.iter().map(move |index| outer * self.size + index));
        outer.enumerate().map(|(picked, own)| (picked * self.len, own * self.len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_axis_and_any_strides_can_be_indexed() {
        let base = Tensor::<i64>::arange(60).reshape([3, 4, 5]);
        for x in [base.clone(), base.permute(&[2, 0, 1]), base.slice_step(2, .., 2)] {
            for axis in 0..3 {
                let indices = Tensor::from([1, 0, 1, 2]);
                let got = x.index_select(axis, &indices);
                for (i, index) in indices.iter().enumerate() {
                    assert_eq!(got.select(axis, i), x.select(axis, index as usize));
                }
                let added = Tensor::zeros(x.shape()).index_add(axis, &indices, &got);
                assert_eq!(added.select(axis, 1), x.select(axis, 1) * 2);
                assert_eq!(added.select(axis, 2), x.select(axis, 2));
            }
        }
    }

    #[test]
    fn no_indices_pick_nothing() {
        let x = Tensor::<f32>::ones([3, 2]);
        let none = Tensor::from_vec(vec![], 0);
        assert_eq!(x.index_select(0, &none).dims(), [0, 2]);
        assert_eq!(x.clone().index_add(0, &none, &Tensor::zeros([0, 2])), x);
    }

    #[test]
    #[should_panic(expected = "index_select: index 27 (entry 1 of the indices) is out of range: 0 ≤ index < 27")]
    fn an_index_out_of_range_is_named() {
        Tensor::<f32>::zeros([27, 10]).index_select(0, &Tensor::from([3, 27]));
    }

    #[test]
    #[should_panic(expected = "index -1 (entry 0 of the indices)")]
    fn a_negative_index_is_refused() {
        Tensor::<f32>::zeros([27, 10]).index_select(0, &Tensor::from([-1]));
    }

    #[test]
    #[should_panic(expected = "index_add: needs the shape [2, 3], got [2, 4]")]
    fn a_source_of_another_shape_is_refused() {
        Tensor::<f32>::zeros([5, 3]).index_add(0, &Tensor::from([0, 1]), &Tensor::zeros([2, 4]));
    }
}
