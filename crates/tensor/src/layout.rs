//! Shape, strides and offset: every view is arithmetic on these, and no data is touched.

use crate::axes::Axes;
use crate::dims::Dims;
use crate::error::{Error, Reason};
use crate::shape::Shape;

/// Where each element of a tensor lies in its storage: shape, strides (in elements; 0 repeats one) and offset.
///
/// The element at `index` is `storage[offset + Σ index[axis] · strides[axis]]`.
///
/// # Example
/// ```
/// use tensor::{Layout, Shape};
///
/// let layout = Layout::contiguous(Shape::from([2, 3]));
/// assert_eq!(layout.strides(), [3, 1]);
/// assert_eq!(layout.transpose(0, 1)?.strides(), [1, 3]);
/// # Ok::<(), tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    shape: Shape,
    strides: Dims<isize>,
    offset: usize,
}

impl Layout {
    /// The callers ensure that every element lies within the storage.
    pub(crate) fn new(shape: Shape, strides: Dims<isize>, offset: usize) -> Self {
        debug_assert_eq!(shape.rank(), strides.len());
        Layout { shape, strides, offset }
    }

    /// Row-major from offset 0: the last axis has stride 1.
    #[inline(never)]
    pub fn contiguous(shape: Shape) -> Self {
        let strides = match *shape.dims() {
            // What most tensors are, without a loop over a list.
            [] => Dims::filled(0, 0),
            [_] => Dims::filled(1, 1),
            [_, columns] => {
                let mut strides = Dims::filled(1, 2);
                strides[0] = columns.max(1) as isize;
                strides
            }
            ref dims => {
                let mut strides = Dims::filled(1, dims.len());
                for axis in (1..dims.len()).rev() {
                    strides[axis - 1] = strides[axis] * dims[axis].max(1) as isize;
                }
                strides
            }
        };
        Layout { shape, strides, offset: 0 }
    }

    /// The same layout from another offset on.
    pub(crate) fn at(self, offset: usize) -> Self {
        Layout { offset, ..self }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many elements of the storage lie between neighbours, for each axis.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Where in the storage the first element lies.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the elements lie in row-major order without gaps. The strides of axes of size 1 do not matter.
    pub fn is_contiguous(&self) -> bool {
        if self.shape.dims().contains(&0) {
            return true;
        }
        let mut step = 1;
        for (&stride, &size) in self.strides.iter().zip(self.shape.dims()).rev() {
            if size != 1 && stride != step {
                return false;
            }
            step *= size as isize;
        }
        true
    }

    /// Whether rows, which are runs along the last axis of more than one index, are neighbours in memory or one element
    /// repeated.
    pub(crate) fn has_rows(&self) -> bool {
        let last = self.shape.dims().iter().rposition(|&size| size != 1);
        self.shape.dims().contains(&0) || last.is_none_or(|axis| matches!(self.strides[axis], 0 | 1))
    }

    /// The same elements, each of those that are repeated along an axis once.
    pub(crate) fn once(&self) -> Self {
        let dims = self.shape.dims().iter().zip(&*self.strides);
        let dims = dims.map(|(&size, &stride)| if stride == 0 { size.min(1) } else { size }).collect();
        let shape = Shape::checked(dims).expect("no more elements");
        Layout { shape, strides: self.strides.clone(), offset: self.offset }
    }

    /// The position in the storage of the element at `index`, or `None` where it lies outside the shape.
    pub fn position(&self, index: &[usize]) -> Option<usize> {
        if index.len() != self.shape.rank() || index.iter().zip(self.shape.dims()).any(|(i, size)| i >= size) {
            return None;
        }
        let steps: isize = index.iter().zip(&*self.strides).map(|(&i, &stride)| i as isize * stride).sum();
        Some(self.offset.wrapping_add_signed(steps))
    }

    /// The same elements with `a` and `b` exchanged.
    ///
    /// # Errors
    /// An axis is out of range.
    pub fn transpose(&self, a: isize, b: isize) -> Result<Self, Error> {
        let (a, b) = (self.shape.axis("transpose", a)?, self.shape.axis("transpose", b)?);
        let mut order: Dims<usize> = (0..self.shape.rank()).collect();
        order.swap(a, b);
        Ok(self.reorder(&order))
    }

    /// The axes in a new order: axis i of the result is `axes[i]` of this one.
    ///
    /// # Errors
    /// `axes` does not name each axis once.
    pub fn permute(&self, axes: &[isize]) -> Result<Self, Error> {
        let mut order = Dims::new();
        for &axis in axes {
            order.push(self.shape.axis("permute", axis)?);
        }
        let all_named = (0..self.shape.rank()).all(|axis| order.contains(&axis));
        if !all_named || order.len() != self.shape.rank() {
            let (axes, shape) = (axes.to_vec(), self.shape.clone());
            return Err(Error::new("permute", Reason::Axes { axes, shape, rule: "name each axis exactly once" }));
        }
        Ok(self.reorder(&order))
    }

    /// Only the named axes, in that order. The callers ensure that the other axes may be left out.
    #[inline(never)]
    pub(crate) fn reorder(&self, order: &[usize]) -> Self {
        let dims = order.iter().map(|&axis| self.shape.dims()[axis]).collect();
        let shape = Shape::checked(dims).expect("a choice of axes has no larger product than all of them");
        Layout { shape, strides: order.iter().map(|&axis| self.strides[axis]).collect(), offset: self.offset }
    }

    /// From the last index to the first along each of `axes`.
    ///
    /// # Errors
    /// An axis is out of range or named twice.
    pub fn flip(&self, axes: &[isize]) -> Result<Self, Error> {
        let mut flipped = self.clone();
        let mut named = Dims::filled(false, self.shape.rank());
        for &axis in axes {
            let axis = self.shape.axis("flip", axis)?;
            if std::mem::replace(&mut named[axis], true) {
                let (axes, shape) = (axes.to_vec(), self.shape.clone());
                return Err(Error::new("flip", Reason::Axes { axes, shape, rule: "name each axis at most once" }));
            }
            // Without elements, the first one is also the last.
            let last = self.shape.dims()[axis].saturating_sub(1) as isize;
            flipped.offset = flipped.offset.wrapping_add_signed(last * self.strides[axis]);
            flipped.strides[axis] = self.strides[axis].wrapping_neg();
        }
        Ok(flipped)
    }

    /// The elements whose index along `b` is that along `a` plus `offset`; the two axes give way to one, the last.
    ///
    /// # Errors
    /// An axis is out of range, or both are one.
    pub fn diagonal(&self, offset: isize, a: isize, b: isize) -> Result<Self, Error> {
        let (first, second) = (self.shape.axis("diagonal", a)?, self.shape.axis("diagonal", b)?);
        if first == second {
            let (axes, shape) = (vec![a, b], self.shape.clone());
            return Err(Error::new("diagonal", Reason::Axes { axes, shape, rule: "name two of its axes" }));
        }
        let (rows, columns) = (self.shape.dims()[first], self.shape.dims()[second]);
        // Where the diagonal begins.
        let (row, column) = if offset < 0 { (offset.unsigned_abs(), 0) } else { (0, offset.unsigned_abs()) };
        let size = rows.saturating_sub(row).min(columns.saturating_sub(column));
        let order: Dims<usize> = (0..self.shape.rank()).filter(|axis| ![first, second].contains(axis)).collect();
        let mut diagonal = self.reorder(&order);
        if size > 0 {
            let start = row as isize * self.strides[first] + column as isize * self.strides[second];
            diagonal.offset = self.offset.wrapping_add_signed(start);
        }
        let stride = self.strides[first].wrapping_add(self.strides[second]);
        diagonal.push(size, stride)?;
        Ok(diagonal)
    }

    /// Windows of `size` indices along `axis`, one every `step`: the axis counts windows, and a new one, the last, the
    /// indices within a window.
    ///
    /// # Errors
    /// The axis is out of range or shorter than a window, or the step is zero.
    pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Result<Self, Error> {
        let axis = self.shape.axis("unfold", axis)?;
        let len = self.shape.dims()[axis];
        if size > len || step == 0 {
            let why = format!("windows of {size}, one every {step}, do not fit axis {axis} of {}", self.shape);
            let right = format!("a size of at most {len} and a step of at least 1 would");
            return Err(Error::new("unfold", Reason::Argument { why: format!("{why}: {right}") }));
        }
        let windows = (len - size) / step + 1;
        let mut unfolded = self.with_size(axis, windows).map_err(|error| error.of("unfold"))?;
        // One window needs no stride; a step near usize::MAX could not multiply one.
        unfolded.strides[axis] = if windows > 1 { self.strides[axis] * step as isize } else { 1 };
        unfolded.push(size, self.strides[axis]).map_err(|error| error.of("unfold"))?;
        Ok(unfolded)
    }

    /// Adds a last axis.
    fn push(&mut self, size: usize, stride: isize) -> Result<(), Error> {
        self.shape = Shape::checked(self.shape.dims().iter().copied().chain([size]).collect())?;
        self.strides.push(stride);
        Ok(())
    }

    /// Every `step`-th index of `start..end` along `axis`.
    ///
    /// # Errors
    /// The axis is out of range, the range leaves it or runs backwards, or the step is zero.
    pub fn slice(&self, axis: isize, start: usize, end: usize, step: usize) -> Result<Self, Error> {
        self.slice_in("slice", axis, start, end, step)
    }

    #[inline(never)]
    pub(crate) fn slice_in(
        &self,
        op: &'static str,
        axis: isize,
        start: usize,
        end: usize,
        step: usize,
    ) -> Result<Self, Error> {
        let axis = self.shape.axis(op, axis)?;
        if start > end || end > self.shape.dims()[axis] || step == 0 {
            let shape = self.shape.clone();
            return Err(Error::new(op, Reason::Slice { start: start as isize, end: end as isize, step, axis, shape }));
        }
        let size = (end - start).div_ceil(step);
        let mut sliced = self.with_size(axis, size)?;
        // An empty slice may start at the end, where no element lies.
        if size > 0 {
            sliced.offset = self.offset.wrapping_add_signed(start as isize * self.strides[axis]);
        }
        // One element needs no stride; a step near usize::MAX could not multiply one.
        sliced.strides[axis] = if size > 1 { self.strides[axis] * step as isize } else { 1 };
        Ok(sliced)
    }

    /// The elements at `index` of `axis`, which is dropped.
    ///
    /// # Errors
    /// The axis or the index is out of range.
    pub fn select(&self, axis: isize, index: usize) -> Result<Self, Error> {
        let axis = self.shape.axis("select", axis)?;
        let size = self.shape.dims()[axis];
        if index >= size {
            return Err(Error::new("select", Reason::Select { index: index as isize, size }));
        }
        let order: Dims<usize> = (0..self.shape.rank()).filter(|&a| a != axis).collect();
        let mut selected = self.reorder(&order);
        selected.offset = self.offset.wrapping_add_signed(index as isize * self.strides[axis]);
        Ok(selected)
    }

    /// A new axis of size 1 before `axis`; −1 puts it last.
    ///
    /// # Errors
    /// The axis is out of range for the result.
    pub fn unsqueeze(&self, axis: isize) -> Result<Self, Error> {
        let with = |axis: usize| -> Result<Shape, Error> {
            let (before, after) = self.shape.dims().split_at(axis);
            Shape::checked(before.iter().chain(&[1]).chain(after).copied().collect())
        };
        // The axis is one of the result's.
        let axis = with(self.shape.rank())?.axis("unsqueeze", axis).map_err(|_| {
            let shape = self.shape.clone();
            Error::new("unsqueeze", Reason::NewAxis { axis, shape })
        })?;
        let (before, after) = self.strides.split_at(axis);
        let strides = before.iter().chain(&[1]).chain(after).copied().collect();
        Ok(Layout { shape: with(axis)?, strides, offset: self.offset })
    }

    /// Without `axis`, whose size must be 1.
    ///
    /// # Errors
    /// The axis is out of range or its size is not 1.
    pub fn squeeze(&self, axis: isize) -> Result<Self, Error> {
        let axis = self.shape.axis("squeeze", axis)?;
        if self.shape.dims()[axis] != 1 {
            return Err(Error::new("squeeze", Reason::Squeeze { axis, shape: self.shape.clone() }));
        }
        let order: Dims<usize> = (0..self.shape.rank()).filter(|&a| a != axis).collect();
        Ok(self.reorder(&order))
    }

    /// The same elements repeated to `shape`: an axis of size 1 gets stride 0, new axes come first.
    ///
    /// # Errors
    /// An axis of another size than 1 differs, or `shape` has fewer axes.
    pub fn broadcast_to(&self, shape: &Shape) -> Result<Self, Error> {
        self.broadcast_in("expand", shape)
    }

    #[inline(never)]
    pub(crate) fn broadcast_in(&self, op: &'static str, shape: &Shape) -> Result<Self, Error> {
        if &self.shape == shape {
            return Ok(self.clone());
        }
        let error = || Error::new(op, Reason::Expand { from: self.shape.clone(), to: shape.clone() });
        let new = shape.rank().checked_sub(self.shape.rank()).ok_or_else(error)?;
        let mut strides = Dims::filled(0, new);
        for (axis, (&own, &stride)) in self.shape.dims().iter().zip(&*self.strides).enumerate() {
            strides.push(match shape.dims()[new + axis] {
                size if size == own => stride,
                _ if own == 1 => 0,
                _ => return Err(error()),
            });
        }
        Ok(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// The layout in which the same storage reads as `shape`; `None` if that takes a copy.
    ///
    /// # Errors
    /// The numbers of elements differ.
    pub fn reshape(&self, shape: &Shape) -> Result<Option<Self>, Error> {
        if self.shape.numel() != shape.numel() {
            let (from, to) = (self.shape.clone(), shape.clone());
            return Err(Error::new("reshape", Reason::Reshape { from, to }));
        }
        let reshaped = |strides| Layout { shape: shape.clone(), strides, offset: self.offset };
        if self.is_contiguous() {
            return Ok(Some(reshaped(Layout::contiguous(shape.clone()).strides)));
        }
        // From the last axis to the first, old and new axes fall into groups with equal products. The old axes of a group must
        // run evenly, so that they can be cut into the new ones.
        let mut strides = Dims::filled(1, shape.rank());
        let mut new = shape.rank();
        let joined = self.joined();
        for (&size, &stride) in joined.shape.dims().iter().zip(&*joined.strides).rev() {
            let mut cut = 1;
            while cut < size {
                let Some(axis) = new.checked_sub(1) else { return Ok(None) };
                strides[axis] = stride * cut as isize;
                cut *= shape.dims()[axis];
                new = axis;
            }
            if cut != size {
                return Ok(None);
            }
        }
        Ok(Some(reshaped(strides)))
    }

    /// The same elements in the same order, without axes of size 1 and with neighbours joined where one continues the
    /// other; at least one axis.
    pub(crate) fn joined(&self) -> Self {
        let mut axes = Axes::new();
        for (&size, &stride) in self.shape.dims().iter().zip(&*self.strides) {
            axes.push(size, [stride]);
        }
        if axes.sizes.is_empty() {
            axes.sizes.push(1);
            axes.strides[0].push(1);
        }
        let Axes { sizes: dims, strides: [strides] } = axes;
        let shape = Shape::checked(dims).expect("joining axes keeps the number of elements");
        Layout { shape, strides, offset: self.offset }
    }

    fn with_size(&self, axis: usize, size: usize) -> Result<Self, Error> {
        let mut dims: Dims<usize> = self.shape.dims().iter().copied().collect();
        dims[axis] = size;
        Ok(Layout { shape: Shape::checked(dims)?, ..self.clone() })
    }
}
