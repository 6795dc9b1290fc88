//! Views: other layouts of the same storage. None of them copies, but `reshape` and `flatten` where they must.

use std::ops::{Bound, RangeBounds};

use crate::dims::Dims;
use crate::element::Element;
use crate::error::OrPanic;
use crate::shape::IntoShape;
use crate::tensor::Tensor;

/// Axes are counted from 0, or back from −1, the last.
impl<T: Element> Tensor<T> {
    /// The same elements in the same order in another shape; copies only where strides cannot say it.
    ///
    /// # Panics
    /// The numbers of elements differ; [`try_reshape`](Self::try_reshape) returns that instead.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::<i64>::arange(6).reshape([2, 3]);
    /// assert_eq!(x, Tensor::from([[0, 1, 2], [3, 4, 5]]));
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoShape) -> Self {
        self.try_reshape(shape).or_panic()
    }

    /// The axes from `start` on joined into one.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([32, 3, 10]).flatten(1).dims(), [32, 30]);
    /// ```
    #[track_caller]
    pub fn flatten(&self, start: isize) -> Self {
        let start = self.shape().axis("flatten", start).or_panic();
        let (kept, joined) = self.dims().split_at(start);
        let joined: usize = joined.iter().product();
        let dims: Dims<usize> = kept.iter().copied().chain([joined]).collect();
        self.reshape(&dims[..])
    }

    /// The matrix with rows and columns exchanged; for more axes, the last two. A vector stays as it is.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).t(), Tensor::from([[1, 3], [2, 4]]));
    /// ```
    pub fn t(&self) -> Self {
        if self.rank() < 2 { self.clone() } else { self.transpose(-2, -1) }
    }

    /// The axes `a` and `b` exchanged.
    ///
    /// # Panics
    /// An axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).transpose(0, -1).dims(), [4, 3, 2]);
    /// ```
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Self {
        self.view(self.layout().transpose(a, b).or_panic())
    }

    /// The axes in a new order: axis i of the result is `axes[i]` of this one.
    ///
    /// # Panics
    /// `axes` does not name each axis once.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).permute(&[2, 0, 1]).dims(), [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn permute(&self, axes: &[isize]) -> Self {
        self.view(self.layout().permute(axes).or_panic())
    }

    /// The indices in `range` along `axis`.
    ///
    /// # Panics
    /// The axis is out of range, or the range leaves it or runs backwards.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.slice(1, 1..), Tensor::from([[2, 3], [5, 6]]));
    /// ```
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl RangeBounds<usize>) -> Self {
        self.sliced("slice", axis, range, 1)
    }

    /// Every `step`-th index in `range` along `axis`.
    ///
    /// # Panics
    /// The axis is out of range, the range leaves it or runs backwards, or the step is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<i64>::arange(7).slice_step(0, 1.., 2), Tensor::from([1, 3, 5]));
    /// ```
    #[track_caller]
    pub fn slice_step(&self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Self {
        self.sliced("slice_step", axis, range, step)
    }

    #[track_caller]
    fn sliced(&self, op: &'static str, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Self {
        let size = self.dims()[self.shape().axis(op, axis).or_panic()];
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => size,
        };
        self.view(self.layout().slice_in(op, axis, start, end, step).or_panic())
    }

    /// `len` indices from `start` on along `axis`.
    ///
    /// # Panics
    /// The axis is out of range, or the indices leave it.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<i64>::arange(7).narrow(0, 2, 3), Tensor::from([2, 3, 4]));
    /// ```
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Self {
        self.sliced("narrow", axis, start..start.saturating_add(len), 1)
    }

    /// The elements at `index` of `axis`, which is dropped.
    ///
    /// # Panics
    /// The axis or the index is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).select(1, 0), Tensor::from([1, 3]));
    /// ```
    #[track_caller]
    pub fn select(&self, axis: isize, index: usize) -> Self {
        self.view(self.layout().select(axis, index).or_panic())
    }

    /// A new axis of size 1 before `axis` of this one; −1 puts it last.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([5]).unsqueeze(-1).dims(), [5, 1]);
    /// ```
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Self {
        self.view(self.layout().unsqueeze(axis).or_panic())
    }

    /// Without `axis`, whose size must be 1.
    ///
    /// # Panics
    /// The axis is out of range or its size is not 1.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([5, 1]).squeeze(1).dims(), [5]);
    /// ```
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Self {
        self.view(self.layout().squeeze(axis).or_panic())
    }

    /// The elements repeated to `shape`: axes of size 1 grow, new axes come first. Nothing is copied.
    ///
    /// # Panics
    /// An axis of another size than 1 differs, or `shape` has fewer axes.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).expand([2, 2]), Tensor::from([[1, 2], [1, 2]]));
    /// ```
    #[track_caller]
    pub fn expand(&self, shape: impl IntoShape) -> Self {
        let shape = shape.into_shape().or_panic();
        self.view(self.layout().broadcast_to(&shape).or_panic())
    }

    /// The same elements in row-major order without gaps; copies only where they do not lie so already.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert!(x.contiguous().shares_storage(&x));
    /// assert!(x.t().contiguous().is_contiguous());
    /// ```
    pub fn contiguous(&self) -> Self {
        if self.is_contiguous() { self.clone() } else { self.copied() }
    }
}
