//! Pools: the largest or the mean element of windows.

use tensor::{Float, Pool, Resampling, adaptive_windows};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// The largest element of each window over D spatial axes: images `[N, C, H, W]` give `[N, C, H′, W′]`, by a `Pool<2>`. N may be
    /// missing. Where an element is NaN, so is the result.
    ///
    /// x̄ has each ȳ at the largest element of its window, the first of equal ones.
    ///
    /// # Panics
    /// The rank does not fit, a window is larger than the padded input, the padding is as large as a window, or the kernel, the
    /// stride or the dilation is 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Pool, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[[1.0, 2.0], [4.0, 3.0]]]));
    /// let y = x.max_pool(Pool::<2>::new(2));
    /// assert_eq!(y.value(), Tensor::from([[[4.0]]]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([[[0.0, 0.0], [1.0, 0.0]]])));
    /// ```
    #[doc(alias = "max_pool1d")]
    #[doc(alias = "max_pool2d")]
    #[doc(alias = "max_pool3d")]
    #[track_caller]
    pub fn max_pool<const D: usize>(self, pool: Pool<D>) -> Self {
        let x = self.value();
        self.record(Op::new("max_pool", Role::Keeping), x.max_pool(pool))
            .wrt(self, move |g| g.max_pool_backward(&x, pool))
            .done()
    }

    /// The mean of each window over D spatial axes: images `[N, C, H, W]` give `[N, C, H′, W′]`, by a `Pool<2>`. N may be missing.
    ///
    /// x̄ has each ȳ, divided by the number of elements, at all elements of its window.
    ///
    /// # Panics
    /// As [`max_pool`](Self::max_pool), or the divisor is 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Pool, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0, 3.0, 4.0]]));
    /// assert_eq!(x.avg_pool(Pool::<1>::new(2)).value(), Tensor::from([[1.5, 3.5]]));
    /// ```
    #[doc(alias = "avg_pool1d")]
    #[doc(alias = "avg_pool2d")]
    #[doc(alias = "avg_pool3d")]
    #[track_caller]
    pub fn avg_pool<const D: usize>(self, pool: Pool<D>) -> Self {
        let (y, shape) = (self.peek().avg_pool(pool), self.shape());
        self.record(Op::new("avg_pool", Role::Reducing), y).wrt(self, move |g| g.avg_pool_backward(&shape, pool)).done()
    }

    /// Means of parts of D spatial axes, as many as asked for: index i is the mean of ⌊i · from / to⌋ .. ⌈(i + 1) · from / to⌉.
    /// `[N, C, H, W]` gives `[N, C, to]`; N may be missing. x̄ has each ȳ, divided by their number, at all elements of its part.
    ///
    /// # Panics
    /// The rank does not fit, or an axis is empty before or after.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::ones([2, 8, 7, 7]));
    /// assert_eq!(x.adaptive_avg_pool([1, 1]).shape().dims(), [2, 8, 1, 1]); // the mean of each channel
    /// ```
    #[doc(alias = "adaptive_avg_pool2d")]
    #[track_caller]
    pub fn adaptive_avg_pool<const D: usize>(self, to: [usize; D]) -> Self {
        let how = Resampling::adaptive(&self.shape(), to);
        let (y, back) = (self.peek().resampled(&how), how.back());
        self.record(Op::new("adaptive_avg_pool", Role::Reducing), y).wrt(self, move |g| g.resampled(&back)).done()
    }

    /// The largest elements of parts of D spatial axes, as many as asked for; see [`adaptive_avg_pool`](Self::adaptive_avg_pool). x̄ has each
    /// ȳ at the largest element of its part, the first of equal ones.
    ///
    /// # Panics
    /// As [`adaptive_avg_pool`](Self::adaptive_avg_pool).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 3.0, 2.0]]));
    /// let y = x.adaptive_max_pool([2]);
    /// assert_eq!(y.value(), Tensor::from([[3.0, 3.0]]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([[0.0, 2.0, 0.0]])));
    /// ```
    #[doc(alias = "adaptive_max_pool2d")]
    #[track_caller]
    pub fn adaptive_max_pool<const D: usize>(self, to: [usize; D]) -> Self {
        let (spread, pool) = adaptive_windows(&self.shape(), to);
        spread.iter().fold(self, |x, (axis, indices)| x.index_select(*axis, indices)).max_pool(pool)
    }
}
