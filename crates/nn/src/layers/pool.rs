//! Pools, and images of another size, as layers.

use autograd::Var;
use tensor::{Each, Float, Pool, Resize, ensure};

use super::without_parameters;
use crate::{Error, Layer};

/// Stamps a pool over D spatial axes.
macro_rules! pool {
    ($(#[$doc:meta])* $Layer:ident $op:ident $($alias:ident $D:literal)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $Layer<const D: usize>(pub Pool<D>);

        impl<const D: usize> $Layer<D> {
            /// One of windows of this size, along all axes or each, that follow each other. Else: of a [`Pool`].
            pub fn new(kernel: impl Each<D>) -> Self {
                $Layer(Pool::new(kernel))
            }
        }

        $(
            #[doc = concat!("[`", stringify!($Layer), "`] over so many spatial axes.")]
            pub type $alias = $Layer<$D>;
        )*

        impl<T: Float, const D: usize> crate::Module<T> for $Layer<D> {
            fn visit<'a>(&'a self, _: crate::ParamPath<'_>, _: &mut dyn FnMut(crate::ParamPath<'_>, &'a crate::Param<T>)) {}

            fn visit_mut<'a>(&'a mut self, _: crate::ParamPath<'_>, _: &mut dyn FnMut(crate::ParamPath<'_>, &'a mut crate::Param<T>)) {}

            fn describe(&self) -> String {
                let Pool { kernel, stride, .. } = self.0;
                let stride = if stride == kernel { String::new() } else { format!(", stride {stride:?}") };
                format!("{}{D}d({kernel:?}{stride})", stringify!($Layer))
            }
        }

        impl<T: Float, const D: usize> Layer<T> for $Layer<D> {
            /// The input with fewer elements along its spatial axes.
            ///
            /// # Panics
            /// The rank or the windows do not fit.
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                x.$op(self.0)
            }
        }
    };
}

pool! {
    /// The largest element of each window; see [`Var::max_pool`]. PyTorch's `nn.MaxPool1d` to `MaxPool3d`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Layer, MaxPool, MaxPool2d};
    /// use tensor::{Pool, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones([32, 6, 28, 28]));
    /// assert_eq!(MaxPool2d::new(2).forward(x).shape().dims(), [32, 6, 14, 14]);
    /// assert_eq!(MaxPool(Pool::<2>::new(3).stride(2).padding(1)).forward(x).shape().dims(), [32, 6, 14, 14]);
    /// ```
    MaxPool max_pool MaxPool1d 1 MaxPool2d 2 MaxPool3d 3
}

pool! {
    /// The mean of each window; see [`Var::avg_pool`]. PyTorch's `nn.AvgPool1d` to `AvgPool3d`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{AvgPool2d, Layer};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let y = AvgPool2d::new(2).forward(tape.constant(Tensor::ones([32, 6, 28, 28])));
    /// assert_eq!(y.shape().dims(), [32, 6, 14, 14]);
    /// ```
    AvgPool avg_pool AvgPool1d 1 AvgPool2d 2 AvgPool3d 3
}

/// Stamps a pool to so many parts of D spatial axes.
macro_rules! adaptive {
    ($(#[$doc:meta])* $Layer:ident $op:ident $($alias:ident $D:literal)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $Layer<const D: usize> {
            to: [usize; D],
        }

        impl<const D: usize> $Layer<D> {
            /// To so many parts, of all axes or of each; 1 for one number of each channel.
            ///
            /// # Errors
            /// One is 0.
            pub fn new(to: impl Each<D>) -> Result<Self, Error> {
                let to = to.each();
                if to.contains(&0) {
                    return Err(Error::Range { what: "the number of parts", value: 0.0, rule: "at least 1" });
                }
                Ok($Layer { to })
            }
        }

        $(
            #[doc = concat!("[`", stringify!($Layer), "`] over so many spatial axes.")]
            pub type $alias = $Layer<$D>;
        )*

        impl<T: Float, const D: usize> crate::Module<T> for $Layer<D> {
            fn visit<'a>(&'a self, _: crate::ParamPath<'_>, _: &mut dyn FnMut(crate::ParamPath<'_>, &'a crate::Param<T>)) {}

            fn visit_mut<'a>(&'a mut self, _: crate::ParamPath<'_>, _: &mut dyn FnMut(crate::ParamPath<'_>, &'a mut crate::Param<T>)) {}

            fn describe(&self) -> String {
                format!("{}{D}d({:?})", stringify!($Layer), self.to)
            }
        }

        impl<T: Float, const D: usize> Layer<T> for $Layer<D> {
            /// `[N, C, …]` gives `[N, C, to]`.
            ///
            /// # Panics
            /// The rank does not fit, or a spatial axis is empty.
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                x.$op(self.to)
            }
        }
    };
}

adaptive! {
    /// Means of equal parts, as many as said; see [`Var::adaptive_avg_pool`]. PyTorch's `nn.AdaptiveAvgPool1d` to `3d`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{AdaptiveAvgPool2d, Layer};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let y = AdaptiveAvgPool2d::new(1)?.forward(tape.constant(Tensor::ones([8, 64, 7, 7])));
    /// assert_eq!(y.shape().dims(), [8, 64, 1, 1]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "GlobalAvgPool")]
    AdaptiveAvgPool adaptive_avg_pool AdaptiveAvgPool1d 1 AdaptiveAvgPool2d 2 AdaptiveAvgPool3d 3
}

adaptive! {
    /// The largest elements of equal parts, as many as said; see [`Var::adaptive_max_pool`]. PyTorch's `nn.AdaptiveMaxPool1d` to `3d`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{AdaptiveMaxPool2d, Layer};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let y = AdaptiveMaxPool2d::new([2, 3])?.forward(tape.constant(Tensor::ones([8, 64, 7, 7])));
    /// assert_eq!(y.shape().dims(), [8, 64, 2, 3]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    AdaptiveMaxPool adaptive_max_pool AdaptiveMaxPool1d 1 AdaptiveMaxPool2d 2 AdaptiveMaxPool3d 3
}

/// Images of another size; see [`Var::interpolate`]. PyTorch's `nn.Upsample`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, Upsample};
/// use tensor::{Interpolation, Resize, Tensor};
///
/// let twice = Upsample(Resize::<2>::by(2.0, Interpolation::Nearest));
/// let tape = Tape::new();
/// let y = twice.forward(tape.constant(Tensor::ones([1, 8, 7, 7])));
/// assert_eq!(y.shape().dims(), [1, 8, 14, 14]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upsample<const D: usize>(pub Resize<D>);

impl<T: Float, const D: usize> crate::Module<T> for Upsample<D> {
    fn visit<'a>(&'a self, _: crate::ParamPath<'_>, _: &mut dyn FnMut(crate::ParamPath<'_>, &'a crate::Param<T>)) {}

    fn visit_mut<'a>(
        &'a mut self,
        _: crate::ParamPath<'_>,
        _: &mut dyn FnMut(crate::ParamPath<'_>, &'a mut crate::Param<T>),
    ) {
    }

    fn describe(&self) -> String {
        format!("Upsample({:?})", self.0.mode)
    }
}

impl<T: Float, const D: usize> Layer<T> for Upsample<D> {
    /// `[N, C, …]` gives `[N, C, …]` of another size.
    ///
    /// # Panics
    /// The rank does not fit, or an axis is empty.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.interpolate(self.0)
    }
}

/// Channels as squares of pixels: `[N, C · r², H, W]` gives `[N, C, H · r, W · r]`; see [`Var::pixel_shuffle`]. PyTorch's
/// `nn.PixelShuffle`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, PixelShuffle};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// let y = PixelShuffle::new(2)?.forward(tape.constant(Tensor::ones([1, 12, 5, 5])));
/// assert_eq!(y.shape().dims(), [1, 3, 10, 10]);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelShuffle {
    r: usize,
}

impl PixelShuffle {
    /// Squares of r by r pixels.
    ///
    /// # Errors
    /// `r` is 0.
    pub fn new(r: usize) -> Result<Self, Error> {
        if r > 0 {
            return Ok(PixelShuffle { r });
        }
        Err(Error::Range { what: "the factor of a pixel shuffle", value: 0.0, rule: "at least 1" })
    }
}

without_parameters!(PixelShuffle, |self| format!("PixelShuffle({})", self.r));

impl<T: Float> Layer<T> for PixelShuffle {
    /// `[N, C · r², H, W]` gives `[N, C, H · r, W · r]`.
    ///
    /// # Panics
    /// There are fewer than three axes, or r² does not divide the channels.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let shape = x.shape();
        ensure!(shape.rank() >= 3, "PixelShuffle::forward: needs images [N, C, H, W], got {shape}");
        x.pixel_shuffle(self.r)
    }
}
