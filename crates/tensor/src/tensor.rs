//! The type itself: storage shared by reference count, and a layout.

use std::fmt;
use std::ops::Range;

use crate::buffer::{Buffer, Storage};
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::layout::Layout;
use crate::shape::{IntoShape, Shape};

/// A strided array of any rank: shared storage and a [`Layout`].
///
/// - Clones and views share the storage and cost no copy.
/// - A tensor whose storage is shared is never changed: operations that work in place copy first, unless this tensor
///   is the only owner.
/// - Every element that the layout reaches lies within the storage.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// let y = &x.t() * 10.0 + Tensor::from([0.5, 0.25]);
/// assert_eq!(y, Tensor::from([[10.5, 40.25], [20.5, 50.25], [30.5, 60.25]]));
/// ```
pub struct Tensor<T: Element = f32> {
    storage: Storage<T>,
    layout: Layout,
}

impl<T: Element> Tensor<T> {
    /// A tensor over all of a buffer, in row-major order.
    pub(crate) fn from_buffer(buffer: Buffer<T>, shape: Shape) -> Self {
        debug_assert_eq!(buffer.len(), shape.numel());
        Tensor { storage: buffer.into_storage(), layout: Layout::contiguous(shape) }
    }

    /// Another view of the same storage; `layout` was made from this one's.
    pub(crate) fn view(&self, layout: Layout) -> Self {
        Tensor { storage: self.storage.clone(), layout }
    }

    /// As [`view`](Self::view), without another owner of the storage.
    pub(crate) fn into_view(self, layout: Layout) -> Self {
        Tensor { storage: self.storage, layout }
    }

    /// The whole storage, in which [`layout`](Self::layout) finds the elements.
    pub(crate) fn storage(&self) -> &[T] {
        &self.storage
    }

    /// Where the elements lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The dimensions.
    pub fn shape(&self) -> &Shape {
        self.layout.shape()
    }

    /// The dimensions as a slice.
    pub fn dims(&self) -> &[usize] {
        self.shape().dims()
    }

    /// The number of axes; 0 for a scalar.
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape().numel()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.numel() == 0
    }

    /// The size along `axis`, where −1 is the last.
    ///
    /// # Panics
    /// The axis is out of range.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.dims()[self.shape().axis("size", axis).or_panic()]
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }

    /// The elements in row-major order, where they lie so. What is computed of transposed tensors, element by element, lies transposed too;
    /// [`contiguous`](Self::contiguous) brings it into order.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.as_slice(), Some(&[1, 2, 3, 4][..]));
    /// assert_eq!(x.t().as_slice(), None);
    /// ```
    pub fn as_slice(&self) -> Option<&[T]> {
        self.is_contiguous().then(|| match self.numel() {
            0 => &[],
            len => &self.storage[self.layout.offset()..][..len],
        })
    }

    /// The elements in row-major order, to be changed in place.
    ///
    /// Copies first if the storage is shared or not contiguous: no other tensor ever sees the change.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([1, 2, 3]);
    /// let mut y = x.clone();
    /// y.as_mut_slice()[0] = 9;
    /// assert_eq!((x.to_vec(), y.to_vec()), (vec![1, 2, 3], vec![9, 2, 3]));
    /// ```
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let range = self.unique_range().unwrap_or_else(|| {
            *self = self.copied();
            0..self.numel()
        });
        self.storage.get_mut().map_or(&mut [], |elements| &mut elements[range])
    }

    /// Where in the storage the elements lie, if they lie in row-major order and nobody else can see them.
    pub(crate) fn unique_range(&mut self) -> Option<Range<usize>> {
        if !self.storage.is_unique() || !self.is_contiguous() {
            return None;
        }
        // Without elements, the offset may point anywhere.
        let start = if self.numel() == 0 { 0 } else { self.layout.offset() };
        Some(start..start + self.numel())
    }

    /// Memory with the elements in row-major order, and where in it they begin; its own if it is the only owner.
    #[cfg(feature = "ndarray")]
    pub(crate) fn into_parts(mut self) -> (Vec<T>, usize) {
        let start = match self.unique_range() {
            Some(range) => range.start,
            None => {
                self = self.copied();
                0
            }
        };
        let (data, first) = self.storage.into_parts().expect("the only owner");
        (data, first + start)
    }

    /// The elements in row-major order.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).t().to_vec(), [1, 3, 2, 4]);
    /// ```
    pub fn to_vec(&self) -> Vec<T> {
        self.as_slice().map_or_else(
            || {
                let mut elements = vec![T::default(); self.numel()];
                T::copy_into(self, &mut elements);
                elements
            },
            <[T]>::to_vec,
        )
    }

    /// The element at `index`, or `None` where it lies outside the shape.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!((x.get(&[1, 0]), x.get(&[2, 0])), (Some(3), None));
    /// ```
    pub fn get(&self, index: &[usize]) -> Option<T> {
        self.layout.position(index).map(|at| self.storage[at])
    }

    /// The only element of a tensor of one.
    ///
    /// # Panics
    /// There are more elements, or none; [`try_item`](Self::try_item) returns that instead.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([3.0, 4.0]).sum(..).item(), 7.0);
    /// ```
    #[track_caller]
    pub fn item(&self) -> T {
        self.try_item().or_panic()
    }

    /// The only element of a tensor of one.
    ///
    /// # Errors
    /// There are more elements, or none.
    pub fn try_item(&self) -> Result<T, Error> {
        if self.numel() != 1 {
            return Err(Error::new("item", Reason::Elements { got: self.shape().clone() }));
        }
        Ok(self.storage[self.layout.offset()])
    }

    /// Whether two tensors share their storage.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::<f32>::zeros([2, 3]);
    /// assert!(x.shares_storage(&x.t()));
    /// ```
    pub fn shares_storage(&self, other: &Self) -> bool {
        self.storage.is(&other.storage)
    }

    /// An error unless the shape is `want`.
    pub(crate) fn expect_shape(&self, op: &'static str, want: &Shape) -> Result<(), Error> {
        if self.shape() == want {
            return Ok(());
        }
        Err(Error::new(op, Reason::Differ { want: want.clone(), got: self.shape().clone() }))
    }

    /// The same elements in the same order in another shape; copies only where strides cannot say it. The size of one axis may be left to
    /// [`INFER`](crate::INFER).
    ///
    /// # Errors
    /// The numbers of elements differ.
    pub fn try_reshape(&self, shape: impl IntoShape) -> Result<Self, Error> {
        let shape = shape.into_shape_of(self.numel()).map_err(|error| error.of("reshape"))?;
        Ok(match self.layout.reshape(&shape)? {
            Some(layout) => self.view(layout),
            None => {
                let copy = self.copied();
                let layout = Layout::contiguous(shape);
                copy.view(layout)
            }
        })
    }
}

impl<T: Element> Tensor<T> {
    /// As another shape of as many elements, without another owner of the storage.
    pub(crate) fn into_shape(self, shape: &Shape) -> Self {
        let x = if self.is_contiguous() { self } else { self.copied() };
        let layout = Layout::contiguous(shape.clone()).at(x.layout.offset());
        Tensor { storage: x.storage, layout }
    }
}

impl<T: Element> Clone for Tensor<T> {
    /// Shares the storage.
    fn clone(&self) -> Self {
        self.view(self.layout.clone())
    }
}

impl<T: Element> Default for Tensor<T> {
    /// An empty vector, of shape `[0]`.
    fn default() -> Self {
        Tensor::from_buffer(Buffer::from(vec![]), Shape::from([0]))
    }
}

impl<T: Element> PartialEq for Tensor<T> {
    /// The same shape and equal elements; a NaN equals nothing.
    fn eq(&self, other: &Self) -> bool {
        let equal = || match (self.as_slice(), other.as_slice()) {
            (Some(own), Some(other)) => own == other,
            _ => self.iter().eq(other.iter()),
        };
        self.shape() == other.shape() && equal()
    }
}

impl<T: Element> fmt::Debug for Tensor<T> {
    /// As [`Display`](fmt::Display), with shape and dtype, and with as many decimals as an element near 1 has: 8 of f32 and 16
    /// of f64. A precision shows as many: `{x:.2?}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 2 * size_of::<T>(), false)?;
        write!(f, " {} {}", self.shape(), T::DTYPE)
    }
}
