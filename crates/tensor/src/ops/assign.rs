//! Writing into a part of a tensor: a slice, rows by number, elements by a mask; and growing a tensor around itself.

use super::index::{check, vector};
use crate::dims::Dims;
use crate::element::{Element, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, OfNumbers, Row};
use crate::layout::Layout;
use crate::operand::Operand;
use crate::ops::copy::copy_to;
use crate::ops::order::{in_order, memory_order, out_of_order};
use crate::par;
use crate::shape::Shape;
use crate::span::Span;
use crate::tensor::Tensor;
use crate::walk::Walk;

impl<T: Element> Tensor<T> {
    /// This tensor with `source` in the place of the indices in `range` along `axis`; `source`, a tensor or a number, broadcasts
    /// to their shape. Negative indices count from the end.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The axis is out of range, the range leaves it or runs backwards, or `source` does not broadcast to the slice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]).slice_assign(1, 1.., &Tensor::from([8, 9]));
    /// assert_eq!(x, Tensor::from([[1, 8, 9], [4, 8, 9]]));
    /// assert_eq!(x.slice_assign(0, -1.., 0), Tensor::from([[1, 8, 9], [0, 0, 0]]));
    /// ```
    #[track_caller]
    pub fn slice_assign(self, axis: isize, range: impl Span, source: impl Operand<T>) -> Self {
        let (axis, start, end) = range.within("slice_assign", self.shape(), axis, 1).or_panic();
        slice_assign(self, axis, [start, end], &source.tensor()).or_panic()
    }

    /// This tensor with the slices of `source` along `axis` in the place of those at `indices`, a vector. Where several
    /// indices are equal, the last slice stays.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The axis is out of range, `indices` is no vector, `source` does not have this shape but for one slice for each index,
    /// or an index is negative or not below the axis's size.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let source = Tensor::from([[1, 1], [2, 2]]);
    /// let x = Tensor::zeros([3, 2]).index_copy(0, &Tensor::from([2, 0]), &source);
    /// assert_eq!(x, Tensor::from([[2, 2], [0, 0], [1, 1]]));
    /// ```
    #[track_caller]
    pub fn index_copy(self, axis: isize, indices: &Tensor<i64>, source: &Self) -> Self {
        index_copy(self, axis, indices, source).or_panic()
    }

    /// This tensor with `source` written where `indices` say: entry e of these tensors, which broadcast together, is a place
    /// along the first axes, one axis for each. `source`, a tensor or a number, broadcasts to their shape and the rest of
    /// this one's. Where several places are equal, the last entry stays.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// There are more index tensors than axes, or none; they or the source do not broadcast; an index is negative or not
    /// below its axis's size.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (rows, columns) = (Tensor::from([0, 1]), Tensor::from([2, 0]));
    /// let x = Tensor::zeros([2, 3]).index_put(&[&rows, &columns], &Tensor::from([7, 8]));
    /// assert_eq!(x, Tensor::from([[0, 0, 7], [8, 0, 0]]));
    /// ```
    #[track_caller]
    pub fn index_put(self, indices: &[&Tensor<i64>], source: impl Operand<T>) -> Self {
        index_put(self, indices, &source.tensor()).or_panic()
    }

    /// This tensor with the elements of `source`, in row-major order, where `mask` is true; the mask broadcasts to this shape.
    /// `source` may have more elements than are taken.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The mask does not broadcast to this shape, or `source` has too few elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([1, 2, 3]).masked_scatter(&Tensor::from([true, false, true]), &Tensor::from([8, 9]));
    /// assert_eq!(x, Tensor::from([8, 2, 9]));
    /// ```
    #[track_caller]
    pub fn masked_scatter(self, mask: &Tensor<bool>, source: &Self) -> Self {
        masked_scatter(self, mask, source).or_panic()
    }
}

impl<T: Number> Tensor<T> {
    /// This tensor with `source` added to the indices in `range` along `axis`; `source`, a tensor or a number, broadcasts to their
    /// shape. Negative indices count from the end. The pullback of [`slice`](Self::slice), for one part after the other.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The axis is out of range, the range leaves it or runs backwards, or `source` does not broadcast to the slice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]).slice_add(1, 1.., &Tensor::from([10, 20]));
    /// assert_eq!(x, Tensor::from([[1, 12, 23], [4, 15, 26]]));
    /// ```
    #[track_caller]
    pub fn slice_add(self, axis: isize, range: impl Span, source: impl Operand<T>) -> Self {
        let (axis, start, end) = range.within("slice_add", self.shape(), axis, 1).or_panic();
        T::slice_add(self, axis, [start, end], &source.tensor()).or_panic()
    }
}

/// Writes `source`, row by row, where `target`, a layout of the same shape, says.
pub(crate) fn write<T: Element>(out: &mut [T], target: &Layout, source: &Tensor<T>) {
    let source = source.readable_at(source.layout().clone());
    let walk = Walk::new([target, source.layout()]);
    copy_to(&walk, 0..target.shape().numel(), source.storage(), out, 0);
}

/// The part of a tensor whose indices along an axis are from `start` on and before `end`, its axes in the order in which they lie.
struct Part<T: Element> {
    x: Tensor<T>,
    axis: usize,
    /// What is to be written there.
    source: Tensor<T>,
    order: Option<Dims<usize>>,
}

impl<T: Element> Part<T> {
    fn new(
        op: &'static str,
        x: Tensor<T>,
        axis: usize,
        [start, end]: [usize; 2],
        source: &Tensor<T>,
    ) -> Result<Self, Error> {
        let mut dims = x.dims().to_vec();
        dims[axis] = end - start;
        let source = source.view(source.layout().broadcast_in(op, &Shape::try_new(&dims)?)?);
        let order = memory_order(&[x.layout()]);
        let axis = order.as_ref().map_or(axis, |order| order.iter().position(|&own| own == axis).expect("one of them"));
        // One owner goes, so that the other may be the only one.
        let turned = in_order(&x, &order);
        drop(x);
        Ok(Part { x: turned, axis, source: in_order(&source, &order), order })
    }
}

fn slice_assign<T: Element>(
    x: Tensor<T>,
    axis: usize,
    range @ [start, end]: [usize; 2],
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let Part { mut x, axis, source, order } = Part::new("slice_assign", x, axis, range, source)?;
    let target = Layout::contiguous(x.shape().clone()).slice(axis as isize, start, end, 1)?;
    T::write(x.as_mut_slice(), &target, &source);
    Ok(out_of_order(x, &order))
}

pub(crate) fn slice_add<T: Number>(
    x: Tensor<T>,
    axis: usize,
    range @ [start, end]: [usize; 2],
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let Part { mut x, axis, source, order } = Part::new("slice_add", x, axis, range, source)?;
    let source = source.contiguous();
    let source = source.as_slice().expect("made contiguous");
    if source.is_empty() {
        return Ok(out_of_order(x, &order));
    }
    let inner: usize = x.dims()[axis + 1..].iter().product();
    // The tensor is blocks along the axes before, each of which has a part that grows.
    let (block, len) = (x.dims()[axis] * inner, (end - start) * inner);
    let grow = |part: &mut [T], from: usize| {
        kernel::zip_assign(&OfNumbers::Add, part, Row::Contiguous(&source[from..][..part.len()]), false);
    };
    let out = x.as_mut_slice();
    if out.len() == block {
        par::split(&mut out[start * inner..][..len], 1, par::STREAM, |from, part| grow(part, from));
    } else {
        par::split(out, block, par::STREAM * len as f64 / block as f64, |first, out| {
            for (i, out) in out.chunks_exact_mut(block).enumerate() {
                grow(&mut out[start * inner..][..len], (first / block + i) * len);
            }
        });
    }
    Ok(out_of_order(x, &order))
}

fn index_copy<T: Element>(
    x: Tensor<T>,
    axis: isize,
    indices: &Tensor<i64>,
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    const OP: &str = "index_copy";
    let axis = x.shape().axis(OP, axis)?;
    vector(OP, indices)?;
    check(OP, indices, x.dims()[axis])?;
    let mut dims = x.dims().to_vec();
    dims[axis] = indices.numel();
    let shape = Shape::try_new(&dims).map_err(|error| error.of(OP))?;
    source.expect_shape(OP, &shape)?;
    // The same index for a whole slice.
    dims.fill(1);
    dims[axis] = indices.numel();
    x.try_scatter(axis as isize, &indices.try_reshape(dims)?.expand(&shape), source)
}

fn index_put<T: Element>(x: Tensor<T>, indices: &[&Tensor<i64>], source: &Tensor<T>) -> Result<Tensor<T>, Error> {
    const OP: &str = "index_put";
    if indices.is_empty() || indices.len() > x.rank() {
        let why = format!("{} index tensors for {}: one for each of its first axes would do", indices.len(), x.shape());
        return Err(Error::new(OP, Reason::Argument { why }));
    }
    let shape = x.shape().clone();
    let (placed, rest) = shape.dims().split_at(indices.len());
    let mut entries = indices[0].shape().clone();
    for (indices, &size) in indices.iter().zip(placed) {
        check(OP, indices, size)?;
        entries = entries.broadcast_in(OP, indices.shape())?;
    }
    let all = Shape::try_new(&[entries.dims(), rest].concat()).map_err(|error| error.of(OP))?;
    let source = source.view(source.layout().broadcast_in(OP, &all)?);
    // The axes with indices as one, and each entry's place along it.
    let mut places = Tensor::<i64>::zeros(&entries);
    for (indices, &size) in indices.iter().zip(placed) {
        places = places * size as i64 + *indices;
    }
    let flat = |first: usize| [&[first], rest].concat();
    let x = x.into_shape(&Shape::try_new(&flat(placed.iter().product()))?);
    let places = places.try_reshape(entries.numel())?;
    Ok(index_copy(x, 0, &places, &source.try_reshape(flat(entries.numel()))?)?.into_shape(&shape))
}

fn masked_scatter<T: Element>(x: Tensor<T>, mask: &Tensor<bool>, source: &Tensor<T>) -> Result<Tensor<T>, Error> {
    let places = mask.view(mask.layout().broadcast_in("masked_scatter", x.shape())?).reshape(x.numel()).nonzero();
    let count = places.dims()[0];
    if count > source.numel() {
        let why = format!("the mask is true {count} times, and the source {} has fewer elements", source.shape());
        return Err(Error::new("masked_scatter", Reason::Argument { why }));
    }
    let (shape, flat) = (x.shape().clone(), Shape::from(x.numel()));
    let source = source.reshape(source.numel());
    Ok(x.into_shape(&flat).try_scatter(0, &places.reshape(count), &source)?.into_shape(&shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with_threads;

    #[test]
    fn what_is_added_to_a_slice_is_in_its_place_along_any_axis_and_on_any_threads() {
        // Of some thousands of elements, and so many that they are shared among threads.
        for shape in [vec![5, 4, 7], vec![3], vec![6, 1 << 17], vec![1 << 17, 6], vec![300, 9, 200]] {
            let x = Tensor::<f32>::from_fn(shape.as_slice(), |i| i.iter().sum::<usize>() as f32);
            for axis in 0..shape.len() {
                let (start, end) = (shape[axis] / 3, (2 * shape[axis]).div_ceil(3));
                let part = x.slice(axis as isize, start..end);
                // In an order of its own, as a transposed gradient has.
                let source = part.transpose(0, -1).contiguous().transpose(0, -1) * 3.0;
                let want = x.clone().slice_assign(axis as isize, start..end, &part + &source);
                for threads in [1, 3] {
                    let sum = with_threads(threads, || x.clone().slice_add(axis as isize, start..end, &source));
                    assert_eq!(sum.unwrap(), want, "{shape:?} along {axis}");
                }
                assert_eq!(x.clone().slice_add(axis as isize, start..start, 1.0), x);
            }
        }
        let (x, rows) = (Tensor::<i32>::zeros([2, 3]), Tensor::from([1, 2]));
        assert_eq!(x.slice_add(-1, 1.., &rows), Tensor::from([[0, 1, 2], [0, 1, 2]]));
    }

    #[test]
    fn what_is_turned_stays_turned_and_is_changed_in_place() {
        let base = Tensor::<i64>::arange(24).reshape([2, 3, 4]);
        for order in [[2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let x = base.permute(&order);
            for axis in 0..3 {
                let source = x.narrow(axis, 1, 1) * 100;
                let (assigned, added) =
                    (x.clone().slice_assign(axis, 1..2, &source), x.clone().slice_add(axis, 1..2, &source));
                let own = x.contiguous();
                assert_eq!(assigned, own.clone().slice_assign(axis, 1..2, &source));
                assert_eq!(added, own.slice_add(axis, 1..2, &source));
                assert_eq!(
                    (assigned.layout().strides(), added.layout().strides()),
                    (x.layout().strides(), x.layout().strides())
                );
            }
        }
        let x = Tensor::<f32>::zeros([3, 2]);
        let place = x.as_slice().unwrap().as_ptr();
        let turned = x.t();
        drop(x);
        let x = turned.slice_assign(0, ..1, 1.0);
        assert_eq!((x.t().as_slice().unwrap().as_ptr(), x.sum(..).item()), (place, 3.0));
    }

    #[test]
    fn an_only_owner_grows_in_place_and_a_shared_one_does_not() {
        let x = Tensor::<f32>::zeros([2, 3]);
        let shared = x.clone();
        let sum = x.slice_add(0, ..1, 1.0);
        assert_eq!((shared.sum(..).item(), sum.sum(..).item()), (0.0, 3.0));
        let place = sum.as_slice().unwrap().as_ptr();
        assert_eq!(sum.slice_add(1, 2.., 1.0).as_slice().unwrap().as_ptr(), place);
    }
}
