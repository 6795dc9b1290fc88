//! Convolutions as layers, and the transposed ones.

use autograd::Var;
use init::Initializer;
use rand::Rng;
use tensor::{Conv, ConvTranspose, Each, Float, Padding, Shape};

use crate::{Error, Layer, Module, Param, ParamPath};

/// How many channels a weight makes whose first axes have these sizes.
macro_rules! outputs_of {
    (Conv, $first:ident, $second:ident, $groups:ident) => {{
        let _ = ($second, $groups);
        $first
    }};
    (ConvTranspose, $first:ident, $second:ident, $groups:ident) => {{
        let _ = $first;
        $second * $groups
    }};
}

/// Stamps a layer over so many spatial axes.
macro_rules! convolution {
    (
        $(#[$doc:meta])* $Layer:ident $D:literal $Options:ident $op:ident, $what:literal,
        weight $weight:literal, |$in:ident, $out:ident, $groups:ident| $shape:expr, gives $gives:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $Layer<T: Float = f32> {
            #[doc = concat!("w, `", $weight, "`, as in PyTorch")]
            pub weight: Param<T>,
            /// b, `[out]`, if the layer has one
            pub bias: Option<Param<T>>,
            /// How the windows move
            pub how: $Options<$D>,
        }

        impl $Layer {
            #[doc = concat!("A layer in f32 from `inputs` to `outputs` channels by a kernel of this size, ", $what, ", whose weight is drawn by")]
            /// `weight` and whose bias is 0. For another float there is [`try_new`](Self::try_new).
            ///
            /// # Errors
            /// The groups do not divide the channels, a number that must be at least 1 is 0, the initializer returns an error, or the weight
            /// is larger than memory can be.
            pub fn new(
                inputs: usize,
                outputs: usize,
                kernel: impl Each<$D>,
                how: $Options<$D>,
                weight: &dyn Initializer,
                rng: &mut impl Rng,
            ) -> Result<Self, Error> {
                $Layer::try_new(inputs, outputs, kernel, how, weight, rng)
            }

            /// A layer in f32 with PyTorch's default: weight and bias uniform within ±1 / √n, for the n numbers of a channel's kernels along
            /// the weight's axis 1.
            ///
            /// # Errors
            /// As [`new`](Self::new).
            pub fn new_torch(
                inputs: usize,
                outputs: usize,
                kernel: impl Each<$D>,
                how: $Options<$D>,
                rng: &mut impl Rng,
            ) -> Result<Self, Error> {
                $Layer::try_torch(inputs, outputs, kernel, how, rng)
            }
        }

        impl<T: Float> $Layer<T> {
            /// A layer for any float; see [`new`](Self::new).
            ///
            /// # Errors
            /// As [`new`](Self::new).
            pub fn try_new(
                inputs: usize,
                outputs: usize,
                kernel: impl Each<$D>,
                how: $Options<$D>,
                weight: &dyn Initializer<T>,
                rng: &mut impl Rng,
            ) -> Result<Self, Error> {
                let kernel = kernel.each();
                let ($in, $out, $groups) = (inputs, outputs, how.groups);
                check(stringify!($Layer), [inputs, outputs, how.groups], &[kernel, how.stride, how.dilation].concat())?;
                let weight = weight.init(&Shape::try_new(&[&$shape[..], &kernel].concat())?, rng)?;
                let bias = init::zeros().init(&Shape::from([outputs]), rng)?;
                Ok($Layer { weight: Param::new(weight), bias: Some(Param::new(bias)), how })
            }

            /// A layer for any float; see [`new_torch`](Self::new_torch).
            ///
            /// # Errors
            /// As [`new`](Self::new).
            pub fn try_torch(
                inputs: usize,
                outputs: usize,
                kernel: impl Each<$D>,
                how: $Options<$D>,
                rng: &mut impl Rng,
            ) -> Result<Self, Error> {
                let layer = $Layer::try_new(inputs, outputs, kernel, how, &init::torch_linear(), rng)?;
                let fan = layer.weight.value().dims()[1..].iter().product();
                layer.with_bias(&init::torch_linear_bias(fan), rng)
            }

            /// Draws the bias by `bias`.
            ///
            /// # Errors
            /// The initializer refuses.
            pub fn with_bias(self, bias: &dyn Initializer<T>, rng: &mut impl Rng) -> Result<Self, Error> {
                let ($in, $out, $groups) = (self.weight.value().size(0), self.weight.value().size(1), self.how.groups);
                let outputs = outputs_of!($Options, $in, $out, $groups);
                let bias = bias.init(&Shape::from([outputs]), rng)?;
                Ok($Layer { bias: Some(Param::new(bias)), ..self })
            }

            /// Leaves out the bias, as before a batch norm, which has one of its own.
            #[must_use]
            pub fn without_bias(self) -> Self {
                $Layer { bias: None, ..self }
            }
        }

        // By hand, for a name that says how the windows move.
        impl<T: Float> Module<T> for $Layer<T> {
            fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
                self.weight.visit(path.field("weight"), visit);
                self.bias.visit(path.field("bias"), visit);
            }

            fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
                self.weight.visit_mut(path.field("weight"), visit);
                self.bias.visit_mut(path.field("bias"), visit);
            }

            fn describe(&self) -> String {
                let told = Told::told(&self.how);
                let told = if told.is_empty() { String::new() } else { format!("[{}]", told.join(", ")) };
                format!("{}{told}", stringify!($Layer))
            }
        }

        impl<T: Float> std::fmt::Debug for $Layer<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::private::picture::<T>(self, f)
            }
        }

        impl<T: Float> Layer<T> for $Layer<T> {
            #[doc = $gives]
            ///
            /// # Panics
            /// The rank or the channels do not fit, or the windows do not.
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let call = concat!(stringify!($Layer), "::forward");
                let weight = self.weight.used_by(call, "weight", x.tape());
                let bias = self.bias.as_ref().map(|bias| bias.used_by(call, "bias", x.tape()));
                x.$op(weight, bias, self.how)
            }
        }
    };
}

/// What is set of how windows move, as words.
trait Told {
    fn told(&self) -> Vec<String>;
}

/// A number for all axes, or a list.
fn each<const D: usize>(numbers: [usize; D]) -> String {
    if numbers.iter().all(|&number| number == numbers[0]) { numbers[0].to_string() } else { format!("{numbers:?}") }
}

fn groups_of(groups: usize) -> Option<String> {
    (groups > 1).then(|| format!("groups {groups}"))
}

impl<const D: usize> Told for Conv<D> {
    fn told(&self) -> Vec<String> {
        let padding = match self.padding {
            Padding::Zeros(sides) if sides == [[0, 0]; D] => None,
            Padding::Zeros(sides) if sides.iter().all(|[before, behind]| before == behind) => {
                Some(format!("padding {}", each(sides.map(|[before, _]| before))))
            }
            Padding::Zeros(sides) => Some(format!("padding {sides:?}")),
            Padding::Same => Some("padding same".to_owned()),
            Padding::Causal => Some("causal".to_owned()),
        };
        let stride = (self.stride != [1; D]).then(|| format!("stride {}", each(self.stride)));
        let dilation = (self.dilation != [1; D]).then(|| format!("dilation {}", each(self.dilation)));
        [stride, padding, dilation, groups_of(self.groups)].into_iter().flatten().collect()
    }
}

impl<const D: usize> Told for ConvTranspose<D> {
    fn told(&self) -> Vec<String> {
        let of = |name: &str, numbers: [usize; D], usual: usize| {
            (numbers != [usual; D]).then(|| format!("{name} {}", each(numbers)))
        };
        let sizes = [
            of("stride", self.stride, 1),
            of("padding", self.padding, 0),
            of("output padding", self.output_padding, 0),
        ];
        sizes.into_iter().chain([of("dilation", self.dilation, 1), groups_of(self.groups)]).flatten().collect()
    }
}

/// Whether there can be such a layer.
fn check(layer: &'static str, [inputs, outputs, groups]: [usize; 3], positive: &[usize]) -> Result<(), Error> {
    let why = if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        format!("has {groups} groups, which do not divide {inputs} and {outputs} channels")
    } else if positive.contains(&0) {
        "has a kernel, a stride or a dilation of 0; each must be at least 1".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Invalid { what: layer, why })
}

convolution! {
    /// A convolution of signals `[N, C, L]`; [`Padding::Causal`] lets no element see one that comes later (van den Oord et al., 2016,
    /// *WaveNet*). PyTorch's `nn.Conv1d`, whose weight is stored as here.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use init::{Gain, kaiming_normal};
    /// use nn::{Conv1d, Layer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{Conv, Padding, Tensor};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let how = Conv::default().dilation(4).padding(Padding::Causal);
    /// let layer = Conv1d::new(64, 128, 9, how, &kaiming_normal(Gain::Relu), &mut rng)?;
    /// let tape = Tape::new();
    /// let y = layer.forward(tape.constant(Tensor::ones([2, 64, 100])));
    /// assert_eq!(y.shape().dims(), [2, 128, 100]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    Conv1d 1 Conv conv1d, "that moves along one axis",
    weight "[out, in / groups, K]", |inputs, outputs, groups| [outputs, inputs / groups],
    gives "`[N, in, L]` gives `[N, out, L′]`; see [`Var::conv1d`]."
}

convolution! {
    /// A convolution of images `[N, C, H, W]` (LeCun et al., 1989, *Backpropagation Applied to Handwritten Zip Code Recognition*). PyTorch's
    /// `nn.Conv2d`, whose weight is stored as here.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use init::{Gain, kaiming_normal};
    /// use nn::{Conv2d, Layer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{Conv, Tensor};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let layer = Conv2d::new(3, 16, 3, Conv::default().stride(2).padding(1), &kaiming_normal(Gain::Relu), &mut rng)?;
    /// let tape = Tape::new();
    /// let y = layer.forward(tape.constant(Tensor::ones([8, 3, 32, 32])));
    /// assert_eq!(y.shape().dims(), [8, 16, 16, 16]);
    /// assert_eq!(format!("{layer:?}"), "Conv2d[stride 2, padding 1](weight [16, 3, 3, 3], bias [16]), 448 parameters");
    /// # Ok::<(), nn::Error>(())
    /// ```
    Conv2d 2 Conv conv2d, "that moves along two axes",
    weight "[out, in / groups, K₁, K₂]", |inputs, outputs, groups| [outputs, inputs / groups],
    gives "`[N, in, H, W]` gives `[N, out, H′, W′]`; see [`Var::conv2d`]."
}

convolution! {
    /// A convolution of volumes `[N, C, D, H, W]`. PyTorch's `nn.Conv3d`, whose weight is stored as here.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Conv3d, Layer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{Conv, Tensor};
    ///
    /// let layer = Conv3d::new_torch(1, 4, 3, Conv::default(), &mut ChaCha8Rng::seed_from_u64(42))?;
    /// let tape = Tape::new();
    /// let y = layer.forward(tape.constant(Tensor::ones([1, 1, 8, 8, 8])));
    /// assert_eq!(y.shape().dims(), [1, 4, 6, 6, 6]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    Conv3d 3 Conv conv3d, "that moves along three axes",
    weight "[out, in / groups, K₁, K₂, K₃]", |inputs, outputs, groups| [outputs, inputs / groups],
    gives "`[N, in, D, H, W]` gives `[N, out, D′, H′, W′]`; see [`Var::conv3d`]."
}

convolution! {
    /// A transposed convolution of signals `[N, C, L]`, which makes them longer. PyTorch's `nn.ConvTranspose1d`, whose weight is stored as
    /// here: for an initializer by fans, `FanAxes::InOut` says so.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{ConvTranspose1d, Layer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let how = ConvTranspose::default().stride(2);
    /// let layer = ConvTranspose1d::new_torch(8, 4, 2, how, &mut ChaCha8Rng::seed_from_u64(42))?;
    /// let tape = Tape::new();
    /// let y = layer.forward(tape.constant(Tensor::ones([1, 8, 10])));
    /// assert_eq!(y.shape().dims(), [1, 4, 20]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    ConvTranspose1d 1 ConvTranspose conv_transpose1d, "that moves along one axis",
    weight "[in, out / groups, K]", |inputs, outputs, groups| [inputs, outputs / groups],
    gives "`[N, in, L]` gives `[N, out, L′]`; see [`Var::conv_transpose1d`]."
}

convolution! {
    /// A transposed convolution of images `[N, C, H, W]`, which makes them larger (Zeiler et al., 2010, *Deconvolutional Networks*).
    /// PyTorch's `nn.ConvTranspose2d`, whose weight is stored as here: for an initializer by fans, `FanAxes::InOut` says so.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{ConvTranspose2d, Layer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{ConvTranspose, Tensor};
    ///
    /// let how = ConvTranspose::default().stride(2).padding(1);
    /// let layer = ConvTranspose2d::new_torch(8, 3, 4, how, &mut ChaCha8Rng::seed_from_u64(42))?;
    /// let tape = Tape::new();
    /// let y = layer.forward(tape.constant(Tensor::ones([1, 8, 7, 7])));
    /// assert_eq!(y.shape().dims(), [1, 3, 14, 14]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    ConvTranspose2d 2 ConvTranspose conv_transpose2d, "that moves along two axes",
    weight "[in, out / groups, K₁, K₂]", |inputs, outputs, groups| [inputs, outputs / groups],
    gives "`[N, in, H, W]` gives `[N, out, H′, W′]`; see [`Var::conv_transpose2d`]."
}

#[cfg(test)]
mod tests {
    use autograd::Tape;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tensor::Tensor;

    use super::*;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(1)
    }

    #[test]
    fn weights_and_biases_have_pytorchs_shapes() {
        let conv = Conv2d::new_torch(6, 8, [3, 2], Conv::default().groups(2), &mut rng()).unwrap();
        assert_eq!(
            (conv.weight.value().dims(), conv.bias.as_ref().unwrap().value().dims()),
            (&[8, 3, 3, 2][..], &[8][..])
        );
        let turned = ConvTranspose2d::new_torch(6, 8, 3, ConvTranspose::default().groups(2), &mut rng()).unwrap();
        assert_eq!(
            (turned.weight.value().dims(), turned.bias.as_ref().unwrap().value().dims()),
            (&[6, 4, 3, 3][..], &[8][..])
        );
        let bound = 1.0 / (3.0_f32 * 6.0).sqrt();
        assert!(
            conv.weight.value().abs().max(..).item() <= bound
                && conv.bias.unwrap().value().abs().max(..).item() <= bound
        );
        let tape = Tape::new();
        let y = turned.forward(conv_input(&tape, &[2, 6, 5, 5]));
        assert_eq!((y.shape().dims(), turned.without_bias().parameter_count()), (&[2, 8, 7, 7][..], 6 * 4 * 9));
    }

    fn conv_input<'t>(tape: &'t Tape, dims: &[usize]) -> Var<'t> {
        tape.constant(Tensor::ones(dims))
    }

    #[test]
    fn layers_that_cannot_be_are_refused() {
        let layer = |groups, kernel, stride| {
            let how = Conv::<2>::default().groups(groups).stride(stride);
            Conv2d::new_torch(6, 4, kernel, how, &mut rng()).map(|_| ()).map_err(|error| error.to_string())
        };
        assert!(layer(4, 3, 1).unwrap_err().contains("4 groups, which do not divide 6 and 4 channels"));
        assert!(layer(0, 3, 1).unwrap_err().contains("0 groups"));
        assert!(layer(1, 0, 1).unwrap_err().contains("must be at least 1"));
        assert!(layer(1, 3, 0).unwrap_err().contains("must be at least 1"));
        assert!(Conv1d::new_torch(usize::MAX, 2, 3, Conv::default(), &mut rng()).is_err());
    }

    #[test]
    fn a_picture_says_how_windows_move() {
        let how = Conv::<2>::default().stride([1, 2]).padding([[0, 1], [2, 2]]).dilation(2).groups(2);
        assert_eq!(how.told().join(", "), "stride [1, 2], padding [[0, 1], [2, 2]], dilation 2, groups 2");
        assert_eq!(Conv::<1>::default().padding(Padding::Causal).told(), ["causal"]);
        assert!(ConvTranspose::<2>::default().told().is_empty());
    }

    #[test]
    #[should_panic(expected = "conv2d: the input [1, 4, 9, 9] has 4 channels and the weight [8, 3, 3, 3] is for 3")]
    fn an_input_of_other_channels_is_refused() {
        let layer = Conv2d::new_torch(3, 8, 3, Conv::default(), &mut rng()).unwrap();
        layer.forward(Tape::new().constant(Tensor::zeros([1, 4, 9, 9])));
    }
}
