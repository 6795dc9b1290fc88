//! Writing into a part of a tensor: a slice, rows by number, elements by a mask; and growing a tensor around itself.

use super::copy::copy_run;
use super::index::checked;
use crate::create::room;
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel;
use crate::layout::Layout;
use crate::ops::Operand;
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::view::Span;
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
        let (axis, start, end) = range.within("slice_assign", self.shape(), axis).or_panic();
        T::slice_assign(self, axis, [start, end], &source.tensor()).or_panic()
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
        T::index_copy(self, axis, indices, source).or_panic()
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
        T::index_put(self, indices, &source.tensor()).or_panic()
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
        T::masked_scatter(self, mask, source).or_panic()
    }

    /// The tensor with `value` around it: for each axis, how many indices come before and how many after.
    ///
    /// # Panics
    /// There is not one pair for each axis, or the shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2]]).pad(&[(1, 0), (0, 2)], 0);
    /// assert_eq!(x, Tensor::from([[0, 0, 0, 0], [1, 2, 0, 0]]));
    /// ```
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)], value: T) -> Self {
        T::pad(self, widths, value).or_panic()
    }
}

/// Writes `source`, row by row, where `target`, a layout of the same shape, says.
fn write<T: Element>(out: &mut [T], target: &Layout, source: &Tensor<T>) {
    let walk = Walk::new([target, source.layout()]);
    let [out_stride, stride] = walk.row_strides();
    walk.rows(0..target.shape().numel(), |flat, [to, at]| {
        kernel::copy_between((source.storage(), at, stride), (out, to, out_stride), flat.len());
    });
}

pub(crate) fn slice_assign<T: Element>(
    mut x: Tensor<T>,
    axis: usize,
    [start, end]: [usize; 2],
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let mut dims = x.dims().to_vec();
    let (outer, size, inner): (usize, usize, usize) =
        (dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product());
    dims[axis] = end - start;
    let shape = Shape::try_new(&dims)?;
    let wide = source.layout().broadcast_in("slice_assign", &shape)?;
    if shape.numel() == 0 {
        return Ok(x);
    }
    let (walk, data) = (Walk::new([&wide]), source.storage());
    let (row, len) = (size * inner, (end - start) * inner);
    if outer == 1 {
        let part = &mut x.as_mut_slice()[start * inner..][..len];
        par::split(part, 1, par::STREAM, |from, part| copy_run(&walk, data, from, part));
        return Ok(x);
    }
    par::split(x.as_mut_slice(), row, par::STREAM * len as f64 / row as f64, |from, x| {
        for (i, x) in x.chunks_exact_mut(row).enumerate() {
            copy_run(&walk, data, (from / row + i) * len, &mut x[start * inner..][..len]);
        }
    });
    Ok(x)
}

pub(crate) fn index_copy<T: Element>(
    mut x: Tensor<T>,
    axis: isize,
    indices: &Tensor<i64>,
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let axis = x.shape().axis("index_copy", axis)?;
    super::index::vector("index_copy", indices)?;
    let size = x.dims()[axis];
    let indices = checked("index_copy", indices, size)?;
    let indices = indices.as_slice().expect("made contiguous");
    let mut dims = x.dims().to_vec();
    dims[axis] = indices.len();
    source.expect_shape("index_copy", &Shape::try_new(&dims).map_err(|error| error.of("index_copy"))?)?;
    if source.numel() == 0 {
        return Ok(x);
    }
    let source = source.contiguous();
    let source = source.as_slice().expect("made contiguous");
    let len: usize = dims[axis + 1..].iter().product();
    let (row, round) = (size * len, indices.len() * len);
    par::split(x.as_mut_slice(), row, par::STREAM * round as f64 / row as f64, |from, x| {
        for (x, source) in x.chunks_exact_mut(row).zip(source[from / row * round..].chunks_exact(round)) {
            for (&index, source) in indices.iter().zip(source.chunks_exact(len)) {
                x[index as usize * len..][..len].copy_from_slice(source);
            }
        }
    });
    Ok(x)
}

pub(crate) fn index_put<T: Element>(
    mut x: Tensor<T>,
    indices: &[&Tensor<i64>],
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    const OP: &str = "index_put";
    if indices.is_empty() || indices.len() > x.rank() {
        let why = format!("{} index tensors for {}: one for each of its first axes would do", indices.len(), x.shape());
        return Err(Error::new(OP, Reason::Argument { why }));
    }
    let (placed, rest) = x.dims().split_at(indices.len());
    let mut entries = indices[0].shape().clone();
    for (indices, &size) in indices.iter().zip(placed) {
        super::index::check(OP, indices, size)?;
        entries = entries.broadcast_in(OP, indices.shape())?;
    }
    let all = Shape::try_new(&[entries.dims(), rest].concat()).map_err(|error| error.of(OP))?;
    let wide = source.layout().broadcast_in(OP, &all)?;
    let len: usize = rest.iter().product();
    // Where each entry's block begins.
    let mut at = vec![0; entries.numel()];
    for (indices, &size) in indices.iter().zip(placed) {
        for (at, index) in at.iter_mut().zip(indices.expand(&entries).iter()) {
            *at = *at * size + index as usize;
        }
    }
    let (walk, data) = (Walk::new([&wide]), source.storage());
    let x_data = x.as_mut_slice();
    if len > 0 {
        // In turn: the last of several in one place stays.
        for (i, at) in at.into_iter().enumerate() {
            copy_run(&walk, data, i * len, &mut x_data[at * len..][..len]);
        }
    }
    Ok(x)
}

pub(crate) fn masked_scatter<T: Element>(
    mut x: Tensor<T>,
    mask: &Tensor<bool>,
    source: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let wide = mask.view(mask.layout().broadcast_in("masked_scatter", x.shape())?);
    let count = wide.iter().fold(0, |count, masked| count + usize::from(masked));
    if count > source.numel() {
        let why = format!("the mask is true {count} times, and the source {} has fewer elements", source.shape());
        return Err(Error::new("masked_scatter", Reason::Argument { why }));
    }
    let mut elements = source.iter();
    for (x, masked) in x.as_mut_slice().iter_mut().zip(wide.iter()) {
        if masked {
            *x = elements.next().expect("as many as were counted");
        }
    }
    Ok(x)
}

pub(crate) fn pad<T: Element>(x: &Tensor<T>, widths: &[(usize, usize)], value: T) -> Result<Tensor<T>, Error> {
    if widths.len() != x.rank() {
        let why = format!("{} pairs of widths for {}: one for each axis would do", widths.len(), x.shape());
        return Err(Error::new("pad", Reason::Argument { why }));
    }
    let grown =
        x.dims().iter().zip(widths).map(|(&size, &(before, after))| size.saturating_add(before).saturating_add(after));
    let shape = Shape::checked(grown.collect()).map_err(|error| error.of("pad"))?;
    let mut out = room("pad", &shape)?;
    out.fill(value);
    let mut target = Layout::contiguous(shape.clone());
    for (axis, (&size, &(before, _))) in x.dims().iter().zip(widths).enumerate() {
        target = target.slice(axis as isize, before, before + size, 1)?;
    }
    write(&mut out, &target, x);
    Ok(Tensor::from_buffer(out, shape))
}
