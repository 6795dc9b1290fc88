//! Windows as columns, and back; and channels as squares of pixels.

use super::conv::Moves;
use crate::buffer::Buffer;
use crate::create::room;
use crate::element::{Element, Float};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Windows};
use crate::par;
use crate::shape::Shape;
use crate::spatial::{Conv, Each, argument};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// All windows of images, one after the other: `[N, C, H, W]` gives `[N, C · K₁ · K₂, windows]`, by a kernel `[K₁, K₂]`; signals and
    /// volumes likewise. PyTorch's `functional.unfold`. The groups do not matter.
    ///
    /// # Panics
    /// The input is not `[N, C, …]` with D spatial axes, a window is larger than the padded input, or a number is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::{Conv, Tensor};
    ///
    /// let x = Tensor::from([[[1.0, 2.0, 3.0]]]);
    /// assert_eq!(x.im2col([2], Conv::default()), Tensor::from([[[1.0, 2.0], [2.0, 3.0]]]));
    /// ```
    #[doc(alias = "unfold")]
    #[track_caller]
    pub fn im2col<const D: usize>(&self, kernel: impl Each<D>, how: Conv<D>) -> Self {
        let moves = moves("im2col", self.shape(), kernel.each(), how).or_panic();
        T::im2col(self, &moves).or_panic()
    }

    /// The sum of windows at their places: `[N, C · K₁ · K₂, windows]` gives `[N, C, sizes]`. What [`im2col`](Self::im2col) goes back
    /// through; PyTorch's `functional.fold`.
    ///
    /// # Panics
    /// It is not what windows of an input of these sizes make, or a number is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::{Conv, Tensor};
    ///
    /// let windows = Tensor::from([[[1.0, 2.0], [2.0, 3.0]]]);
    /// assert_eq!(windows.col2im([3], [2], Conv::default()), Tensor::from([[[1.0, 4.0, 3.0]]]));
    /// ```
    #[doc(alias = "fold")]
    #[track_caller]
    pub fn col2im<const D: usize>(&self, sizes: [usize; D], kernel: impl Each<D>, how: Conv<D>) -> Self {
        let kernel = kernel.each();
        let op = "col2im";
        let &[images, rows, windows] = self.dims() else {
            let want = "windows [N, C · kernel, windows]";
            Err(Error::new(op, Reason::Rank { want, got: self.shape().clone() })).or_panic()
        };
        let taps = kernel.iter().fold(1_usize, |taps, &size| taps.saturating_mul(size)).max(1);
        let shape = Shape::try_new(&[&[images, rows / taps], &sizes[..]].concat()).or_panic();
        let moves = moves(op, &shape, kernel, how).or_panic();
        if !rows.is_multiple_of(taps) || moves.positions() != windows {
            let why = format!(
                "{} are no windows of {kernel:?} of {shape}: [{images}, C · {taps}, {}] would be",
                self.shape(),
                moves.positions()
            );
            Err(argument(op, why)).or_panic()
        }
        T::col2im(self, &moves).or_panic()
    }
}

impl<T: Element> Tensor<T> {
    /// Channels as squares of pixels: `[…, C · r², H, W]` gives `[…, C, H · r, W · r]` (Shi et al., 2016, *Real-Time Single Image and Video
    /// Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network*).
    ///
    /// # Panics
    /// There are fewer than three axes, r is 0, or r² does not divide the channels.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[[1]], [[2]], [[3]], [[4]]]);
    /// assert_eq!(x.pixel_shuffle(2), Tensor::from([[[1, 2], [3, 4]]]));
    /// ```
    #[track_caller]
    pub fn pixel_shuffle(&self, r: usize) -> Self {
        let (batch, [channels, h, w]) = image("pixel_shuffle", self.shape(), r).or_panic();
        if r.checked_mul(r).is_none_or(|square| !channels.is_multiple_of(square)) {
            Err(argument("pixel_shuffle", format!("{r}² does not divide the {channels} channels of {}", self.shape())))
                .or_panic()
        }
        let (b, channels) = (batch.len() as isize, channels / r / r);
        let apart = self.reshape([batch, &[channels, r, r, h, w]].concat());
        let order: Vec<isize> = (0..b).chain([b, b + 3, b + 1, b + 4, b + 2]).collect();
        apart.permute(&order).reshape([batch, &[channels, h * r, w * r]].concat())
    }

    /// Squares of pixels as channels: `[…, C, H · r, W · r]` gives `[…, C · r², H, W]`. The way back of
    /// [`pixel_shuffle`](Self::pixel_shuffle).
    ///
    /// # Panics
    /// There are fewer than three axes, r is 0, or r does not divide the last two.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[[1, 2], [3, 4]]]);
    /// assert_eq!(x.pixel_unshuffle(2), Tensor::from([[[1]], [[2]], [[3]], [[4]]]));
    /// ```
    #[track_caller]
    pub fn pixel_unshuffle(&self, r: usize) -> Self {
        let (batch, [channels, h, w]) = image("pixel_unshuffle", self.shape(), r).or_panic();
        if !h.is_multiple_of(r) || !w.is_multiple_of(r) {
            Err(argument("pixel_unshuffle", format!("{r} does not divide the last two axes of {}", self.shape())))
                .or_panic()
        }
        let (b, (h, w)) = (batch.len() as isize, (h / r, w / r));
        let apart = self.reshape([batch, &[channels, h, r, w, r]].concat());
        let order: Vec<isize> = (0..b).chain([b, b + 2, b + 4, b + 1, b + 3]).collect();
        apart.permute(&order).reshape([batch, &[channels * r * r, h, w]].concat())
    }
}

/// The batch, and channels, height and width.
fn image<'a>(op: &'static str, x: &'a Shape, r: usize) -> Result<(&'a [usize], [usize; 3]), Error> {
    if r == 0 {
        return Err(argument(op, "the factor is 0, but must be at least 1".to_owned()));
    }
    match x.dims() {
        [batch @ .., channels, h, w] => Ok((batch, [*channels, *h, *w])),
        _ => Err(Error::new(op, Reason::Rank { want: "images [..., C, H, W]", got: x.clone() })),
    }
}

/// The windows of each channel by itself.
fn moves<const D: usize>(op: &'static str, x: &Shape, kernel: [usize; D], how: Conv<D>) -> Result<Moves, Error> {
    let want = ["signals [N, C, L]", "images [N, C, H, W]", "volumes [N, C, D, H, W]"][D - 1];
    if x.rank() != D + 2 {
        return Err(Error::new(op, Reason::Rank { want, got: x.clone() }));
    }
    let w = Shape::try_new(&[&[1, x.dims()[1]], &kernel[..]].concat()).map_err(|error| error.of(op))?;
    Moves::of_conv(op, x, &w, None, how.groups(1))
}

pub(crate) fn im2col<T: Float>(x: &Tensor<T>, moves: &Moves) -> Result<Tensor<T>, Error> {
    let x = x.contiguous();
    let (data, axes) = (x.as_slice().expect("made contiguous"), moves.axes());
    let (planes, taps, positions) = (x.dims()[0] * x.dims()[1], moves.taps(), moves.positions());
    let shape = Shape::try_new(&[x.dims()[0], x.dims()[1] * taps, positions]).map_err(|error| error.of("im2col"))?;
    let mut out: Buffer<T> = room("im2col", &shape)?;
    let plane: usize = axes.iter().map(|axis| axis.size).product();
    if !out.is_empty() {
        debug_assert_eq!(planes * taps * positions, out.len());
        par::split(&mut out, taps * positions, par::STREAM, |start, out| {
            for (i, out) in out.chunks_exact_mut(taps * positions).enumerate() {
                let at = (start / (taps * positions) + i) * plane;
                let strides = [0, 0, axes[1].size * axes[2].size, axes[2].size];
                kernel::copy_windows(&Windows::new((data, at), [1, 1], strides, &axes), out);
            }
        });
    }
    Ok(Tensor::from_buffer(out, shape))
}

pub(crate) fn col2im<T: Float>(x: &Tensor<T>, moves: &Moves) -> Result<Tensor<T>, Error> {
    let x = x.contiguous();
    let (data, axes) = (x.as_slice().expect("made contiguous"), moves.axes());
    let (taps, positions) = (moves.taps(), moves.positions());
    let shape = &moves.shapes()[0];
    let mut out: Buffer<T> = room("col2im", shape)?;
    let plane: usize = axes.iter().map(|axis| axis.size).product();
    if !out.is_empty() {
        par::split(&mut out, plane, par::STREAM * taps as f64, |start, out| {
            for (i, out) in out.chunks_exact_mut(plane).enumerate() {
                let columns = &data[(start / plane + i) * taps * positions..][..taps * positions];
                out.fill(T::ZERO);
                kernel::add_windows(columns, &axes, out);
            }
        });
    }
    Ok(Tensor::from_buffer(out, shape.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(dims: &[usize]) -> Tensor<f64> {
        let mut i = 0;
        Tensor::from_fn(dims, |_| {
            i += 1;
            ((i * 7919) % 1013) as f64 / 507.0 - 1.0
        })
    }

    #[test]
    fn a_convolution_is_a_product_with_all_windows() {
        let (x, w) = (numbers(&[2, 3, 7, 9]), numbers(&[4, 3, 2, 3]));
        let how = Conv::default().stride([2, 1]).padding([[1, 0], [2, 1]]).dilation([1, 2]);
        let y = x.conv2d(&w, None, how);
        let columns = x.im2col([2, 3], how);
        let product = w.reshape([4, 18]).matmul(&columns);
        assert!(product.reshape(y.shape()).allclose(&y, 1e-12, 1e-12));
        // The way back is the transpose.
        let g = numbers(columns.dims());
        let back = g.col2im([7, 9], [2, 3], how);
        assert!(((&columns * &g).sum(..).item() - (&x * &back).sum(..).item()).abs() < 1e-10);
    }

    #[test]
    fn pixels_go_back() {
        let x = numbers(&[2, 8, 3, 5]);
        let y = x.pixel_shuffle(2);
        assert_eq!((y.dims(), y.pixel_unshuffle(2)), (&[2, 2, 6, 10][..], x.clone()));
        assert_eq!(y.get(&[1, 1, 3, 8]), x.get(&[1, 4 + 2, 1, 4]));
    }

    #[test]
    #[should_panic(expected = "col2im: [1, 4, 3] are no windows of [2] of [1, 2, 3]: [1, C · 2, 2] would be")]
    fn other_windows_are_refused() {
        Tensor::<f32>::zeros([1, 4, 3]).col2im([3], [2], Conv::default());
    }
}
