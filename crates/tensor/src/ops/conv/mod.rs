//! Convolutions over one to three spatial axes, the other way round too, and the gradients of both.

mod by_channel;
mod moves;
mod places;

pub use moves::Moves;
pub(super) use places::{Places, places};

use crate::buffer::Buffer;
use crate::create::room;
use crate::element::Float;
use crate::error::{Error, OrPanic};
use crate::kernel::{self, Channels, Placed, Spots, Turned, Weights, Windows};
use crate::spatial::{Conv, ConvTranspose};
use crate::tensor::Tensor;

/// Stamps PyTorch's name for each number of spatial axes.
macro_rules! by_axes {
    ($($(#[$doc:meta])* $name:ident $D:literal $Options:ident $general:ident;)*) => {
        impl<T: Float> Tensor<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name<'a>(&self, weight: &Self, bias: impl Into<Option<&'a Self>>, how: $Options<$D>) -> Self
                where
                    T: 'a,
                {
                    self.$general(stringify!($name), weight, bias.into(), how).or_panic()
                }
            )*
        }
    };
}

by_axes! {
    /// The convolution of signals x `[N, C, L]` with a weight w `[O, C / groups, K]`, and a bias `[O]`: y `[N, O, L′]`.
    ///
    /// yₙₒₜ = bₒ + Σ w\[o, c, i] x\[n, c, t · stride + i · dilation − padding], over the channels c of the group of o and all i; what lies
    /// outside of x is 0. L′ = ⌊(L + padding on both sides − dilation (K − 1) − 1) / stride⌋ + 1. As everywhere, the kernel is not
    /// turned round. N may be missing on both sides.
    ///
    /// # Panics
    /// The ranks or channels do not fit, the groups do not divide the channels, a window is larger than the padded input, or a stride, a
    /// dilation or the groups are 0.
    ///
    /// # Example
    /// ```
    /// use tensor::{Conv, Tensor};
    ///
    /// let x = Tensor::from([[[1.0, 2.0, 3.0, 4.0]]]);
    /// let differences = Tensor::from([[[-1.0, 1.0]]]);
    /// assert_eq!(x.conv1d(&differences, None, Conv::default()), Tensor::from([[[1.0, 1.0, 1.0]]]));
    /// ```
    conv1d 1 Conv correlation;
    /// The convolution of images x `[N, C, H, W]` with a weight w `[O, C / groups, K₁, K₂]`, and a bias `[O]`: y `[N, O, H′, W′]`; see
    /// [`conv1d`](Self::conv1d), of which this is the same along two axes.
    ///
    /// # Panics
    /// As [`conv1d`](Self::conv1d).
    ///
    /// # Example
    /// ```
    /// use tensor::{Conv, Tensor};
    ///
    /// let (x, w) = (Tensor::<f32>::ones([2, 3, 5, 5]), Tensor::ones([4, 3, 3, 3]));
    /// let y = x.conv2d(&w, &Tensor::from([0.0, 1.0, 2.0, 3.0]), Conv::default().stride(2).padding(1));
    /// assert_eq!(y.dims(), [2, 4, 3, 3]);
    /// assert_eq!((y.get(&[0, 0, 1, 1]), y.get(&[0, 1, 0, 0])), (Some(27.0), Some(13.0)));
    /// ```
    conv2d 2 Conv correlation;
    /// The convolution of volumes x `[N, C, D, H, W]` with a weight w `[O, C / groups, K₁, K₂, K₃]`, and a bias `[O]`; see
    /// [`conv1d`](Self::conv1d), of which this is the same along three axes.
    ///
    /// # Panics
    /// As [`conv1d`](Self::conv1d).
    ///
    /// # Example
    /// ```
    /// use tensor::{Conv, Tensor};
    ///
    /// let (x, w) = (Tensor::<f32>::ones([1, 1, 3, 3, 3]), Tensor::ones([1, 1, 2, 2, 2]));
    /// assert_eq!(x.conv3d(&w, None, Conv::default()), Tensor::full([1, 1, 2, 2, 2], 8.0));
    /// ```
    conv3d 3 Conv correlation;
    /// The transposed convolution of signals x `[N, C, L]` with a weight w `[C, O / groups, K]`, and a bias `[O]`: y `[N, O, L′]`.
    ///
    /// Each element of x adds its multiple of the kernel to the result, `stride` after the one before: x\[n, c, t] w\[c, o, i] to
    /// y\[n, o, t · stride + i · dilation − padding]. It is what a convolution's gradient goes back through. L′ = (L − 1) stride −
    /// 2 padding + dilation (K − 1) + output padding + 1. N may be missing on both sides.
    ///
    /// # Panics
    /// The ranks or channels do not fit, the groups do not divide the channels, the padding is larger than the result, the output padding is
    /// not less than the stride or the dilation, or one that must be at least 1 is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let (x, w) = (Tensor::from([[[1.0, 2.0]]]), Tensor::from([[[10.0, 20.0, 30.0]]]));
    /// let y = x.conv_transpose1d(&w, None, ConvTranspose::default().stride(2));
    /// assert_eq!(y, Tensor::from([[[10.0, 20.0, 50.0, 40.0, 60.0]]]));
    /// ```
    conv_transpose1d 1 ConvTranspose transposed;
    /// The transposed convolution of images x `[N, C, H, W]` with a weight w `[C, O / groups, K₁, K₂]`, and a bias `[O]`; see
    /// [`conv_transpose1d`](Self::conv_transpose1d).
    ///
    /// # Panics
    /// As [`conv_transpose1d`](Self::conv_transpose1d).
    ///
    /// # Example
    /// ```
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let (x, w) = (Tensor::<f32>::ones([1, 2, 3, 3]), Tensor::ones([2, 4, 2, 2]));
    /// let y = x.conv_transpose2d(&w, None, ConvTranspose::default().stride(2));
    /// assert_eq!(y, Tensor::full([1, 4, 6, 6], 2.0));
    /// ```
    conv_transpose2d 2 ConvTranspose transposed;
    /// The transposed convolution of volumes x `[N, C, D, H, W]` with a weight w `[C, O / groups, K₁, K₂, K₃]`, and a bias `[O]`; see
    /// [`conv_transpose1d`](Self::conv_transpose1d).
    ///
    /// # Panics
    /// As [`conv_transpose1d`](Self::conv_transpose1d).
    ///
    /// # Example
    /// ```
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let (x, w) = (Tensor::<f32>::ones([1, 1, 2, 2, 2]), Tensor::ones([1, 1, 2, 2, 2]));
    /// let y = x.conv_transpose3d(&w, None, ConvTranspose::default().stride(2));
    /// assert_eq!(y, Tensor::ones([1, 1, 4, 4, 4]));
    /// ```
    conv_transpose3d 3 ConvTranspose transposed;
}

impl<T: Float> Tensor<T> {
    fn correlation<const D: usize>(
        &self,
        op: &'static str,
        weight: &Self,
        bias: Option<&Self>,
        how: Conv<D>,
    ) -> Result<Self, Error> {
        let moves = Moves::of_conv(op, self.shape(), weight.shape(), bias.map(Tensor::shape), how)?;
        T::conv(self, weight, bias, &moves)
    }

    fn transposed<const D: usize>(
        &self,
        op: &'static str,
        weight: &Self,
        bias: Option<&Self>,
        how: ConvTranspose<D>,
    ) -> Result<Self, Error> {
        let moves = Moves::of_transposed(op, self.shape(), weight.shape(), bias.map(Tensor::shape), how)?;
        T::conv_input(self, weight, bias, &moves)
    }

    /// Measures out a convolution of this tensor.
    #[doc(hidden)]
    #[track_caller]
    pub fn conv_moves<const D: usize>(
        &self,
        op: &'static str,
        weight: &Self,
        bias: Option<&Self>,
        how: Conv<D>,
    ) -> Moves {
        Moves::of_conv(op, self.shape(), weight.shape(), bias.map(Tensor::shape), how).or_panic()
    }

    /// Measures out a transposed convolution of this tensor.
    #[doc(hidden)]
    #[track_caller]
    pub fn conv_transpose_moves<const D: usize>(
        &self,
        op: &'static str,
        weight: &Self,
        bias: Option<&Self>,
        how: ConvTranspose<D>,
    ) -> Moves {
        Moves::of_transposed(op, self.shape(), weight.shape(), bias.map(Tensor::shape), how).or_panic()
    }

    /// A convolution that has been measured out: y of x, w and b.
    #[doc(hidden)]
    #[track_caller]
    pub fn conv(&self, weight: &Self, bias: Option<&Self>, moves: &Moves) -> Self {
        T::conv(self, weight, bias, moves).or_panic()
    }

    /// The gradient of a convolution's input, where self is that of its result: x̄ of ȳ and w. A transposed convolution, with its bias.
    #[doc(hidden)]
    #[track_caller]
    pub fn conv_input(&self, weight: &Self, bias: Option<&Self>, moves: &Moves) -> Self {
        T::conv_input(self, weight, bias, moves).or_panic()
    }

    /// The gradient of a convolution's weight, where self is that of its result: w̄ of ȳ and x.
    #[doc(hidden)]
    #[track_caller]
    pub fn conv_weight(&self, x: &Self, moves: &Moves) -> Self {
        T::conv_weight(self, x, moves).or_panic()
    }
}

pub(crate) fn conv<T: Float>(
    x: &Tensor<T>,
    w: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    moves: &Moves,
) -> Result<Tensor<T>, Error> {
    let Moves { op, images, groups, channels: [of_in, of_out], windows, .. } = *moves;
    let y = &moves.shapes[2];
    if moves.is_product() && y.numel() > 0 {
        let (x, w) = (Moves::flat(x, images), Moves::flat(w, of_out));
        return Ok(match bias {
            Some(bias) => x.linear(&w.t(), bias),
            None => x.matmul(&w.t()),
        }
        .reshape(y));
    }
    let mut out = room(op, y)?;
    if y.numel() == 0 {
        return Ok(Tensor::from_buffer(out, y.clone()));
    }
    let (x, w, bias) = (x.contiguous(), w.contiguous(), bias.map(Tensor::contiguous));
    let (x, w) = (slice(&x), slice(&w));
    let bias = bias.as_ref().map(slice);
    if moves.is_by_channel() {
        by_channel::conv(x, w, bias, moves, &mut out);
        return Ok(Tensor::from_buffer(out, y.clone()));
    }
    let axes = moves.axes();
    let (plane, positions) = (moves.input.iter().product::<usize>(), moves.positions());
    let strides = [groups * of_in * plane, plane, moves.input[1] * moves.input[2], moves.input[2]];
    let width = of_in * moves.taps();
    for group in 0..groups {
        let from = Windows::new((x, group * of_in * plane), [images, of_in], strides, &axes);
        let weights = Weights { data: &w[group * of_out * width..][..of_out * width], rows: of_out, width };
        let place = Placed {
            at: group * of_out * positions,
            row: positions,
            strides: [groups * of_out * positions, windows[1] * windows[2], windows[2], 1],
            counts: windows,
        };
        let bias = bias.map(|bias| &bias[group * of_out..][..of_out]);
        kernel::correlate(weights, &from, &mut out, place, bias);
    }
    Ok(Tensor::from_buffer(out, y.clone()))
}

pub(crate) fn conv_input<T: Float>(
    gradient: &Tensor<T>,
    w: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    moves: &Moves,
) -> Result<Tensor<T>, Error> {
    let Moves { op, images, groups, channels: [of_in, of_out], windows, input, .. } = *moves;
    let x = &moves.shapes[0];
    if moves.is_product() && bias.is_none() && x.numel() > 0 {
        return Ok(Moves::flat(gradient, images).matmul(&Moves::flat(w, of_out)).reshape(x));
    }
    let mut out = room(op, x)?;
    if x.numel() == 0 {
        return Ok(Tensor::from_buffer(out, x.clone()));
    }
    let (gradient, w, bias) = (gradient.contiguous(), w.contiguous(), bias.map(Tensor::contiguous));
    let (gradient, w) = (slice(&gradient), slice(&w));
    let bias = bias.as_ref().map(slice);
    if moves.is_by_channel() {
        by_channel::input_gradient(gradient, w, bias, moves, &mut out);
        return Ok(Tensor::from_buffer(out, x.clone()));
    }
    let (plane, positions) = (input.iter().product::<usize>(), moves.positions());
    let strides = [groups * of_out * positions, positions, windows[1] * windows[2], windows[2]];
    let of_group = of_out * of_in * moves.taps();
    for Places { first, axes, taps } in places(&moves.axes()) {
        for group in 0..groups {
            let from = Windows::new((gradient, group * of_out * positions), [images, of_out], strides, &axes);
            let data = &w[group * of_group..][..of_group];
            let weights = Turned { data, rows: of_in, all_taps: moves.taps(), taps: &taps };
            let Spots { at, strides: [z, y, x] } = moves.spots(first);
            let place = Placed {
                at: group * of_in * plane + at,
                row: plane,
                strides: [groups * of_in * plane, z, y, x],
                counts: [axes[0].windows, axes[1].windows, axes[2].windows],
            };
            let bias = bias.map(|bias| &bias[group * of_in..][..of_in]);
            kernel::correlate_turned(weights, &from, &mut out, place, bias);
        }
    }
    Ok(Tensor::from_buffer(out, moves.shapes[0].clone()))
}

pub(crate) fn conv_weight<T: Float>(gradient: &Tensor<T>, x: &Tensor<T>, moves: &Moves) -> Result<Tensor<T>, Error> {
    let Moves { op, images, groups, channels: [of_in, of_out], .. } = *moves;
    let w = &moves.shapes[1];
    if moves.is_product() && w.numel() > 0 && images > 0 {
        return Ok(Moves::flat(gradient, images).t().matmul(&Moves::flat(x, images)).reshape(w));
    }
    let mut out: Buffer<T> = room(op, w)?;
    if w.numel() == 0 {
        return Ok(Tensor::from_buffer(out, w.clone()));
    }
    let (gradient, x) = (gradient.contiguous(), x.contiguous());
    let (gradient, x) = (slice(&gradient), slice(&x));
    let axes = moves.axes();
    let (plane, positions) = (moves.input.iter().product::<usize>(), moves.positions());
    let strides = [groups * of_in * plane, plane, moves.input[1] * moves.input[2], moves.input[2]];
    let windows = Windows::new((x, 0), [images, of_in], strides, &axes);
    let image = groups * of_out * positions;
    let gradient = Channels { data: gradient, at: 0, images, channels: of_out, len: positions, image };
    kernel::weight_gradient(&windows, &gradient, groups, &mut out);
    Ok(Tensor::from_buffer(out, w.clone()))
}

fn slice<T: Float>(x: &Tensor<T>) -> &[T] {
    x.as_slice().expect("made contiguous")
}

#[cfg(test)]
mod tests;
