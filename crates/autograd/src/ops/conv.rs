//! Convolutions, and the transposed ones.

use tensor::{Conv, ConvTranspose, Float, Tensor};

use crate::{Op, Role, Var};

/// Stamps PyTorch's name for each number of spatial axes.
macro_rules! by_axes {
    ($($(#[$doc:meta])* $name:ident $D:literal $Options:ident $general:ident;)*) => {
        impl<T: Float> Var<'_, T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(self, weight: Self, bias: impl Into<Option<Self>>, how: $Options<$D>) -> Self {
                    self.$general(stringify!($name), weight, bias.into(), how)
                }
            )*
        }
    };
}

by_axes! {
    /// The convolution of signals x `[N, C, L]` with a weight w `[O, C / groups, K]`, and maybe a bias `[O]`: y `[N, O, L′]`; see
    /// [`Tensor::conv1d`].
    ///
    /// yₙₒₜ = bₒ + Σ w\[o, c, i] x\[n, c, t · stride + i · dilation − padding] over the channels c of the group of o and all i. x̄ is the
    /// [transposed convolution](Self::conv_transpose1d) of ȳ with w; w̄\[o, c, i] = Σ ȳₙₒₜ x\[n, c, …] over n and t;  b̄ₒ = Σ ȳₙₒₜ.
    ///
    /// # Panics
    /// The ranks or channels do not fit, the groups do not divide the channels, a window is larger than the padded input, a stride, a dilation
    /// or the groups are 0, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Conv, Padding, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[[1.0, 2.0, 3.0, 4.0]]]));
    /// let w = tape.leaf(Tensor::from([[[1.0, 10.0]]]));
    /// let y = x.conv1d(w, None, Conv::default().padding(Padding::Causal));
    /// assert_eq!(y.value(), Tensor::from([[[10.0, 21.0, 32.0, 43.0]]]));
    /// ```
    conv1d 1 Conv convolution;
    /// The convolution of images x `[N, C, H, W]` with a weight w `[O, C / groups, K₁, K₂]`, and maybe a bias `[O]`: y `[N, O, H′, W′]`; see
    /// [`conv1d`](Self::conv1d), of which this is the same along two axes, and [`Tensor::conv2d`].
    ///
    /// # Panics
    /// As [`conv1d`](Self::conv1d).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Conv, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones([32, 3, 28, 28]));
    /// let (w, b) = (tape.leaf(Tensor::ones([6, 3, 5, 5])), tape.leaf(Tensor::zeros([6])));
    /// assert_eq!(x.conv2d(w, b, Conv::default().padding(2)).shape().dims(), [32, 6, 28, 28]);
    /// ```
    conv2d 2 Conv convolution;
    /// The convolution of volumes x `[N, C, D, H, W]` with a weight w `[O, C / groups, K₁, K₂, K₃]`, and maybe a bias `[O]`; see
    /// [`conv1d`](Self::conv1d), of which this is the same along three axes, and [`Tensor::conv3d`].
    ///
    /// # Panics
    /// As [`conv1d`](Self::conv1d).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Conv, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones([2, 1, 8, 8, 8]));
    /// let w = tape.leaf(Tensor::ones([4, 1, 3, 3, 3]));
    /// assert_eq!(x.conv3d(w, None, Conv::default()).shape().dims(), [2, 4, 6, 6, 6]);
    /// ```
    conv3d 3 Conv convolution;
    /// The transposed convolution of signals x `[N, C, L]` with a weight w `[C, O / groups, K]`, and maybe a bias `[O]`: y `[N, O, L′]`; see
    /// [`Tensor::conv_transpose1d`].
    ///
    /// y\[n, o, t · stride + i · dilation − padding] is the sum of x\[n, c, t] w\[c, o, i], and bₒ. x̄ is the [convolution](Self::conv1d) of ȳ
    /// with w; w̄\[c, o, i] = Σ xₙ꜀ₜ ȳ\[n, o, …] over n and t;  b̄ₒ = Σ ȳₙₒₜ.
    ///
    /// # Panics
    /// The ranks or channels do not fit, the groups do not divide the channels, the padding is larger than the result, the output padding is
    /// not less than the stride or the dilation, one that must be at least 1 is 0, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[[1.0, 2.0]]]));
    /// let w = tape.leaf(Tensor::from([[[10.0, 20.0]]]));
    /// let y = x.conv_transpose1d(w, None, ConvTranspose::default().stride(2));
    /// assert_eq!(y.value(), Tensor::from([[[10.0, 20.0, 20.0, 40.0]]]));
    /// ```
    conv_transpose1d 1 ConvTranspose transposed_convolution;
    /// The transposed convolution of images x `[N, C, H, W]` with a weight w `[C, O / groups, K₁, K₂]`, and maybe a bias `[O]`; see
    /// [`conv_transpose1d`](Self::conv_transpose1d) and [`Tensor::conv_transpose2d`].
    ///
    /// # Panics
    /// As [`conv_transpose1d`](Self::conv_transpose1d).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones([2, 8, 7, 7]));
    /// let w = tape.leaf(Tensor::ones([8, 3, 4, 4]));
    /// let y = x.conv_transpose2d(w, None, ConvTranspose::default().stride(2).padding(1));
    /// assert_eq!(y.shape().dims(), [2, 3, 14, 14]);
    /// ```
    conv_transpose2d 2 ConvTranspose transposed_convolution;
    /// The transposed convolution of volumes x `[N, C, D, H, W]` with a weight w `[C, O / groups, K₁, K₂, K₃]`, and maybe a bias `[O]`; see
    /// [`conv_transpose1d`](Self::conv_transpose1d) and [`Tensor::conv_transpose3d`].
    ///
    /// # Panics
    /// As [`conv_transpose1d`](Self::conv_transpose1d).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones([2, 1, 2, 2, 2]));
    /// let w = tape.leaf(Tensor::ones([1, 3, 2, 2, 2]));
    /// assert_eq!(x.conv_transpose3d(w, None, ConvTranspose::default()).shape().dims(), [2, 3, 3, 3, 3]);
    /// ```
    conv_transpose3d 3 ConvTranspose transposed_convolution;
}

impl<T: Float> Var<'_, T> {
    #[track_caller]
    fn convolution<const D: usize>(self, op: &'static str, weight: Self, bias: Option<Self>, how: Conv<D>) -> Self {
        let (x, w, b) = (self.value(), weight.value(), bias.map(|bias| bias.value()));
        let moves = x.conv_moves(op, &w, b.as_ref(), how);
        let y = x.conv(&w, b.as_ref(), &moves);
        let role = Role::AffineChannels { weight: 1, bias: bias.map(|_| 2), axes: D, skips: moves.skips() };
        let record = self
            .record(Op::new(op, role), y)
            .wrt(self, {
                let moves = moves.clone();
                move |g| g.conv_input(&w, None, &moves)
            })
            .wrt(weight, move |g| g.conv_weight(&x, &moves));
        match bias {
            None => record.done(),
            Some(bias) => record.wrt(bias, by_channel::<T, D>).done(),
        }
    }

    #[track_caller]
    fn transposed_convolution<const D: usize>(
        self,
        op: &'static str,
        weight: Self,
        bias: Option<Self>,
        how: ConvTranspose<D>,
    ) -> Self {
        let (x, w, b) = (self.value(), weight.value(), bias.map(|bias| bias.value()));
        let moves = x.conv_transpose_moves(op, &w, b.as_ref(), how);
        let y = x.conv_input(&w, b.as_ref(), &moves);
        let role = Role::AffineChannels { weight: 1, bias: bias.map(|_| 2), axes: D, skips: false };
        let record = self
            .record(Op::new(op, role), y)
            .wrt(self, {
                let moves = moves.clone();
                move |g| g.conv(&w, None, &moves)
            })
            .wrt(weight, move |g| x.conv_weight(&g, &moves));
        match bias {
            None => record.done(),
            Some(bias) => record.wrt(bias, by_channel::<T, D>).done(),
        }
    }
}

/// The sum over all axes but the channels, which come before D spatial ones.
fn by_channel<T: Float, const D: usize>(g: Tensor<T>) -> Tensor<T> {
    let channels = g.rank() - D - 1;
    let others: Vec<isize> = (0..g.rank()).filter(|&axis| axis != channels).map(|axis| axis as isize).collect();
    g.sum(&others[..])
}
