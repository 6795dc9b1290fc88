//! Images of another size, and as windows.

use tensor::{Conv, Each, Float, Resampling, Resize};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// Images of another size: `[N, C, H, W]` to `[N, C, H′, W′]` by a `Resize<2>`, signals by a `Resize<1>`; see
    /// [`Tensor::interpolate`](tensor::Tensor::interpolate). y is linear in x; x̄ has the same weights the other way round.
    ///
    /// # Panics
    /// The rank does not fit, an axis is empty before or after, a factor is not above 0, or corners are to be aligned of a mode that has
    /// none.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Interpolation, Resize, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[0.0, 4.0]]));
    /// let y = x.interpolate(Resize::<1>::by(2.0, Interpolation::Linear));
    /// assert_eq!(y.value(), Tensor::from([[0.0, 1.0, 3.0, 4.0]]));
    /// ```
    #[doc(alias = "upsample")]
    #[track_caller]
    pub fn interpolate<const D: usize>(self, resize: Resize<D>) -> Self {
        let how = Resampling::interpolation(&self.shape(), resize);
        let (y, back) = (self.peek().resampled(&how), how.back());
        self.record(Op::new("interpolate", Role::Keeping), y).wrt(self, move |g| g.resampled(&back)).done()
    }

    /// Channels as squares of pixels: `[…, C · r², H, W]` gives `[…, C, H · r, W · r]`; see
    /// [`Tensor::pixel_shuffle`](tensor::Tensor::pixel_shuffle). x̄ is ȳ, [back](Self::pixel_unshuffle).
    ///
    /// # Panics
    /// There are fewer than three axes, r is 0, or r² does not divide the channels.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::ones([2, 12, 5, 5])).pixel_shuffle(2).shape().dims(), [2, 3, 10, 10]);
    /// ```
    #[track_caller]
    pub fn pixel_shuffle(self, r: usize) -> Self {
        let y = self.peek().pixel_shuffle(r);
        self.record(Op::new("pixel_shuffle", Role::Keeping), y).wrt(self, move |g| g.pixel_unshuffle(r)).done()
    }

    /// Squares of pixels as channels: `[…, C, H · r, W · r]` gives `[…, C · r², H, W]`; see
    /// [`Tensor::pixel_unshuffle`](tensor::Tensor::pixel_unshuffle). x̄ is ȳ, [back](Self::pixel_shuffle).
    ///
    /// # Panics
    /// There are fewer than three axes, r is 0, or r does not divide the last two.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::ones([2, 3, 10, 10])).pixel_unshuffle(2).shape().dims(), [2, 12, 5, 5]);
    /// ```
    #[track_caller]
    pub fn pixel_unshuffle(self, r: usize) -> Self {
        let y = self.peek().pixel_unshuffle(r);
        self.record(Op::new("pixel_unshuffle", Role::Keeping), y).wrt(self, move |g| g.pixel_shuffle(r)).done()
    }

    /// All windows of images, one after the other: `[N, C, H, W]` gives `[N, C · K₁ · K₂, windows]`, by a kernel `[K₁, K₂]`; see
    /// [`Tensor::im2col`](tensor::Tensor::im2col). x̄ has [each ȳ](Self::col2im) added at its place.
    ///
    /// # Panics
    /// The input is not `[N, C, …]` with D spatial axes, a window is larger than the padded input, or a number is 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Conv, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::ones([2, 3, 8, 8]));
    /// assert_eq!(x.im2col([3, 3], Conv::default()).shape().dims(), [2, 27, 36]);
    /// ```
    #[doc(alias = "unfold")]
    #[track_caller]
    pub fn im2col<const D: usize>(self, kernel: impl Each<D>, how: Conv<D>) -> Self {
        let (x, kernel) = (self.shape(), kernel.each());
        let y = self.peek().im2col(kernel, how);
        let sizes: [usize; D] = x.dims()[x.rank() - D..].try_into().expect("D spatial axes");
        self.record(Op::new("im2col", Role::Keeping), y).wrt(self, move |g| g.col2im(sizes, kernel, how)).done()
    }

    /// The sum of windows at their places: `[N, C · K₁ · K₂, windows]` gives `[N, C, sizes]`; see
    /// [`Tensor::col2im`](tensor::Tensor::col2im). x̄ is [all windows](Self::im2col) of ȳ.
    ///
    /// # Panics
    /// It is not what windows of an input of these sizes make, or a number is 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Conv, Tensor};
    ///
    /// let tape = Tape::new();
    /// let windows = tape.leaf(Tensor::ones([2, 27, 36]));
    /// assert_eq!(windows.col2im([8, 8], 3, Conv::default()).shape().dims(), [2, 3, 8, 8]);
    /// ```
    #[doc(alias = "fold")]
    #[track_caller]
    pub fn col2im<const D: usize>(self, sizes: [usize; D], kernel: impl Each<D>, how: Conv<D>) -> Self {
        let kernel = kernel.each();
        let y = self.peek().col2im(sizes, kernel, how);
        self.record(Op::new("col2im", Role::Other), y).wrt(self, move |g| g.im2col(kernel, how)).done()
    }
}
