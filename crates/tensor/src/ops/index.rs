//! Rows by number: picking them, and adding to them.

use crate::buffer::Buffer;
use crate::create::room;
use crate::dims::Dims;
use crate::element::{Element, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Line, Row};
use crate::par::{self, Hands};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

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
        T::index_select(self, axis, indices).or_panic()
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
        T::embedding(self, indices).or_panic()
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
        T::index_add(self, axis, indices, source).or_panic()
    }
}

pub(crate) fn index_select<T: Element>(x: &Tensor<T>, axis: isize, indices: &Tensor<i64>) -> Result<Tensor<T>, Error> {
    let axis = x.shape().axis("index_select", axis)?;
    let (before, after) = (&x.dims()[..axis], &x.dims()[axis + 1..]);
    vector("index_select", indices)?;
    let shape = Shape::checked(before.iter().chain(indices.dims()).chain(after).copied().collect())
        .map_err(|error| error.of("index_select"))?;
    Ok(Tensor::from_buffer(pick("index_select", x, axis, indices, &shape)?, shape))
}

pub(crate) fn embedding<T: Element>(table: &Tensor<T>, indices: &Tensor<i64>) -> Result<Tensor<T>, Error> {
    let Some((_, row)) = table.dims().split_first() else {
        return Err(Error::new("embedding", Reason::Rank { want: "at least one axis", got: table.shape().clone() }));
    };
    let shape =
        Shape::checked(indices.dims().iter().chain(row).copied().collect()).map_err(|error| error.of("embedding"))?;
    Ok(Tensor::from_buffer(pick("embedding", table, 0, indices, &shape)?, shape))
}

/// The slices along `axis` at all `indices`, whose shape may be any, in row-major order, for a result of `shape`.
fn pick<T: Element>(
    op: &'static str,
    x: &Tensor<T>,
    axis: usize,
    indices: &Tensor<i64>,
    shape: &Shape,
) -> Result<Buffer<T>, Error> {
    let indices = checked(op, indices, x.dims()[axis])?;
    let order: Dims<usize> = (0..x.rank()).collect();
    let (outer, inner) = (x.layout().reorder(&order[..axis]), x.layout().reorder(&order[axis + 1..]));
    let together = inner.is_contiguous();
    // Slices whose elements lie apart are brought together once, if most of them are picked.
    if !together && !x.is_contiguous() && 2 * indices.numel() >= x.dims()[axis] {
        return pick(op, &x.contiguous(), axis, &indices, shape);
    }
    let indices = indices.as_slice().expect("made contiguous");
    let (count, len) = (outer.shape().numel(), inner.shape().numel());
    let (data, stride) = (x.storage(), x.layout().strides()[axis]);
    let mut out = room(op, shape)?;
    if out.is_empty() {
        return Ok(out);
    }
    let (outer, rows) = (Walk::new([&outer]), Walk::new([&inner]));
    let [outer_stride] = outer.row_strides();
    // A task goes a whole number of times through the indices; if they are gone through only once, it has whole blocks.
    let round = indices.len() * len;
    let unit = if count == 1 { len } else { round };
    par::split(&mut out, unit, par::STREAM, |start, out| {
        let indices = if count == 1 { &indices[start / len..] } else { indices };
        let first = start / round;
        outer.rows(first..first + out.len().div_ceil(round), |flat, [at]| {
            let end = out.len().min((flat.end - first) * round);
            let out = &mut out[(flat.start - first) * round..end];
            for (i, out) in out.chunks_mut(round).enumerate() {
                let at = at.wrapping_add_signed(i as isize * outer_stride);
                let from = indices.iter().map(|&index| at.wrapping_add_signed(index as isize * stride));
                if len == 1 {
                    kernel::gather_row(data, Line { at, step: 0, stride }, Row::Contiguous(indices), out);
                    continue;
                }
                if together {
                    kernel::copy_blocks(data, len, from, out);
                    continue;
                }
                for (out, from) in out.chunks_exact_mut(len).zip(from) {
                    // The walk begins at the layout's offset.
                    let data = (data, from.wrapping_sub(x.layout().offset()));
                    copy_block(&rows, data, out);
                }
            }
        });
    });
    Ok(out)
}

/// Writes the elements of a walk that is moved on by some places.
fn copy_block<T: Copy>(walk: &Walk<1>, (data, by): (&[T], usize), out: &mut [T]) {
    let [stride] = walk.row_strides();
    walk.rows(0..out.len(), |flat, [at]| kernel::copy_row(data, at.wrapping_add(by), stride, &mut out[flat]));
}

pub(crate) fn index_add<T: Number>(
    mut x: Tensor<T>,
    axis: isize,
    indices: &Tensor<i64>,
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let axis = x.shape().axis("index_add", axis)?;
    vector("index_add", indices)?;
    let size = x.dims()[axis];
    let indices = checked("index_add", indices, size)?;
    let indices = indices.as_slice().expect("made contiguous");
    let picked = x.dims().iter().enumerate().map(|(a, &size)| if a == axis { indices.len() } else { size });
    let picked = Shape::checked(picked.collect()).map_err(|error| error.of("index_add"))?;
    source.expect_shape("index_add", &picked)?;
    if source.numel() == 0 {
        return Ok(x);
    }
    let source = source.contiguous();
    let source = source.as_slice().expect("made contiguous");
    let len: usize = x.dims()[axis + 1..].iter().product();
    let outer: usize = x.dims()[..axis].iter().product();
    let round = indices.len() * len;
    // What an element of the output costs: far more elements than it has may be added.
    let cost = par::STREAM * indices.len() as f64 / size as f64;
    if outer > 1 {
        par::split(x.as_mut_slice(), size * len, cost, |start, x| {
            let first = start / (size * len);
            for (o, x) in x.chunks_exact_mut(size * len).enumerate() {
                let source = &source[(first + o) * round..][..round];
                let pairs = indices.iter().enumerate().map(|(i, &index)| (index as usize * len, i * len));
                kernel::add_blocks(x, source, len, pairs);
            }
        });
        return Ok(x);
    }
    let hands = if len < SHORT { Hands::NONE } else { Hands::for_work(par::STREAM * source.len() as f64) };
    if hands.tasks() == 1 {
        let pairs = indices.iter().enumerate().map(|(i, &index)| (index as usize * len, i * len));
        kernel::add_blocks(x.as_mut_slice(), source, len, pairs);
        return Ok(x);
    }
    let (starts, order) = by_row(indices, size);
    hands.split(x.as_mut_slice(), len, cost, &|start, x| {
        let (first, rows) = (start / len, x.len() / len);
        let own = &order[starts[first]..starts[first + rows]];
        kernel::add_blocks(x, source, len, own.iter().map(|&i| ((indices[i] as usize - first) * len, i * len)));
    });
    Ok(x)
}

/// For slices below this length, it takes longer to sort the indices than to add on one thread. (Chosen, not measured.)
const SHORT: usize = 8;

/// For each row, in turn, the positions of its indices, in order; and where the positions of each row begin.
fn by_row(indices: &[i64], rows: usize) -> (Vec<usize>, Vec<usize>) {
    let mut starts = vec![0; rows + 1];
    for &index in indices {
        starts[index as usize + 1] += 1;
    }
    for row in 0..rows {
        starts[row + 1] += starts[row];
    }
    let (mut next, mut order) = (starts.clone(), vec![0; indices.len()]);
    for (i, &index) in indices.iter().enumerate() {
        let next = &mut next[index as usize];
        order[*next] = i;
        *next += 1;
    }
    (starts, order)
}

/// An error unless the indices are a vector.
pub(super) fn vector(op: &'static str, indices: &Tensor<i64>) -> Result<(), Error> {
    if indices.rank() == 1 {
        return Ok(());
    }
    Err(Error::new(op, Reason::Rank { want: "indices in a vector", got: indices.shape().clone() }))
}

/// The indices in row-major order, if each is below `size` and none is negative.
pub(super) fn checked(op: &'static str, indices: &Tensor<i64>, size: usize) -> Result<Tensor<i64>, Error> {
    check(op, indices, size)?;
    Ok(indices.contiguous())
}

/// An error unless each index is below `size` and none is negative.
pub(super) fn check(op: &'static str, indices: &Tensor<i64>, size: usize) -> Result<(), Error> {
    // What is repeated is looked at once.
    let once = indices.view(indices.layout().once()).contiguous();
    if kernel::all_within(once.as_slice().expect("made contiguous"), size) {
        return Ok(());
    }
    let wrong = indices.iter().enumerate().find(|&(_, index)| index as u64 >= size as u64);
    let (position, index) = wrong.expect("one is out of range");
    Err(Error::new(op, Reason::Index { index, position, size }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

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
    fn large_tables_are_shared_among_threads_without_a_trace() {
        let table = Tensor::from_fn([3000, 70], |i| ((i[0] * 31 + i[1]) % 1013) as f32 / 7.0);
        let indices = Tensor::from_fn([10_001], |i| (i[0] * i[0] % 2999) as i64);
        let source = Tensor::from_fn([10_001, 70], |i| ((i[0] * 7919 + i[1] * 31) % 1013) as f32 / 507.0);
        // The oracle: row after row.
        let mut want = vec![0.0; 3000 * 70];
        for (row, index) in source.axis_iter(0).zip(&indices) {
            for (sum, x) in want[index as usize * 70..].iter_mut().zip(&row) {
                *sum += x;
            }
        }
        for threads in [1, 2, 3] {
            let (rows, sums, columns) = crate::with_threads(threads, || {
                let zeros = || Tensor::zeros([3000, 70]);
                let columns = zeros().t().contiguous().index_add(1, &indices, &source.t());
                (table.embedding(&indices), zeros().index_add(0, &indices, &source), columns)
            })
            .unwrap();
            assert!(rows.axis_iter(0).zip(&indices).all(|(row, index)| row == table.select(0, index as usize)));
            assert!(sums.as_slice() == Some(&want[..]), "{threads}");
            assert!(columns.t() == sums, "{threads}");
            assert!(rows == table.t().index_select(1, &indices).t(), "{threads}");
        }
    }

    proptest! {
        #[test]
        fn rows_of_any_length_and_stride_are_picked(x in any_view(1..4), counts in any_view(1..2)) {
            for axis in (0..x.rank()).filter(|&axis| x.dims()[axis] > 0) {
                let indices = counts.map(|i| i * 7 % x.dims()[axis] as i64);
                let got = x.index_select(axis as isize, &indices);
                let want = Tensor::from_fn(got.shape(), |index| {
                    let mut own = index.to_vec();
                    own[axis] = indices.get(&index[axis..=axis]).unwrap() as usize;
                    x.get(&own).unwrap()
                });
                prop_assert_eq!(got, want);
            }
        }

        #[test]
        fn blocks_of_every_length_are_copied_and_added(len in 0usize..70, rows in 1usize..5) {
            let x = Tensor::<i64>::arange(rows * len).reshape([rows, len]);
            let indices = Tensor::from_fn([7], |i| (i[0] * 5 % rows) as i64);
            let got = x.index_select(0, &indices);
            prop_assert!(got.axis_iter(0).zip(&indices).all(|(row, index)| row == x.select(0, index as usize)));
            let added = x.clone().index_add(0, &Tensor::from([0, 0]), &Tensor::ones([2, len]));
            prop_assert_eq!(added.select(0, 0), x.select(0, 0) + 2);
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
