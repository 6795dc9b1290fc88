//! A convolution, measured out.

use crate::element::Float;
use crate::error::{Error, Reason};
use crate::kernel::{Spots, WindowAxis};
use crate::shape::Shape;
use crate::spatial::{Along, Conv, ConvTranspose, argument, three};
use crate::tensor::Tensor;

/// How many results of one channel are made by themselves; with more, a product is faster.
const FEW: usize = 4;

/// A convolution, measured out: the sizes along three spatial axes, of which those that are missing have size 1.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Moves {
    pub(super) op: &'static str,
    pub(super) images: usize,
    pub(super) groups: usize,
    /// Channels of the input and of the result, of one group.
    pub(super) channels: [usize; 2],
    pub(super) input: [usize; 3],
    pub(super) windows: [usize; 3],
    pub(super) kernel: [usize; 3],
    pub(super) stride: [usize; 3],
    pub(super) dilation: [usize; 3],
    /// Zeros before the input.
    pub(super) before: [usize; 3],
    /// The shapes of x, w and y.
    pub(super) shapes: [Shape; 3],
}

/// Which channels and sizes there are, of an input with or without N.
fn parts<const D: usize>(op: &'static str, x: &Shape, w: &Shape) -> Result<(usize, usize, [usize; D]), Error> {
    let wanted =
        ["a signal [N, C, L] and a weight", "images [N, C, H, W] and a weight", "volumes [N, C, D, H, W] and a weight"]
            [D - 1];
    let dims = x.dims();
    if !(dims.len() == D + 1 || dims.len() == D + 2) || w.rank() != D + 2 {
        return Err(argument(op, format!("needs {wanted} of {} axes, got {x} and {w}", D + 2)));
    }
    let images = if dims.len() == D + 2 { dims[0] } else { 1 };
    let sizes = dims[dims.len() - D..].try_into().expect("D axes");
    Ok((images, dims[dims.len() - D - 1], sizes))
}

/// `[N, C, sizes]`, without N if `like` has none.
fn shape<const D: usize>(op: &'static str, like: &Shape, channels: usize, sizes: [usize; 3]) -> Result<Shape, Error> {
    let batch = &like.dims()[..like.rank() - D - 1];
    Shape::try_new(&[batch, &[channels], &sizes[3 - D..]].concat()).map_err(|error| error.of(op))
}

impl Moves {
    /// Of `conv1d` to `conv3d`.
    pub(in crate::ops) fn of_conv<const D: usize>(
        op: &'static str,
        x: &Shape,
        w: &Shape,
        bias: Option<&Shape>,
        how: Conv<D>,
    ) -> Result<Self, Error> {
        let (images, channels, input) = parts::<D>(op, x, w)?;
        let (out, of_group, groups) = (w.dims()[0], w.dims()[1], how.groups);
        check_groups(op, groups, [("input channels", channels), ("output channels", out)], [x, w])?;
        if of_group != channels / groups {
            let of_groups = if groups > 1 { format!(" of {groups} groups") } else { String::new() };
            return Err(argument(
                op,
                format!(
                    "the input {x} has {channels} channels and the weight {w}{of_groups} is for {}",
                    of_group.saturating_mul(groups)
                ),
            ));
        }
        let kernel: [usize; D] = w.dims()[2..].try_into().expect("D axes");
        let (input, kernel) = (three(input, 1), three(kernel, 1));
        let (stride, dilation) = (three(how.stride, 1), three(how.dilation, 1));
        let (mut windows, mut before) = ([1; 3], [0; 3]);
        for (axis, sides) in how.padding.sides().into_iter().enumerate().skip(3 - D) {
            let along =
                Along { size: input[axis], kernel: kernel[axis], stride: stride[axis], dilation: dilation[axis] };
            let fit = along.fit(op, sides).map_err(|error| at_axis(error, axis + D - 3, [x, w]))?;
            (windows[axis], before[axis]) = (fit.windows, fit.before);
        }
        check_bias(op, bias, out, w)?;
        let y = shape::<D>(op, x, out, windows)?;
        let channels = [of_group, out / groups];
        let shapes = [x.clone(), w.clone(), y];
        Ok(Moves { op, images, groups, channels, input, windows, kernel, stride, dilation, before, shapes })
    }

    /// Of `conv_transpose1d` to `conv_transpose3d`: of the convolution whose input this gives.
    pub(in crate::ops) fn of_transposed<const D: usize>(
        op: &'static str,
        y: &Shape,
        w: &Shape,
        bias: Option<&Shape>,
        how: ConvTranspose<D>,
    ) -> Result<Self, Error> {
        let (images, out, windows) = parts::<D>(op, y, w)?;
        let (of_weight, of_group, groups) = (w.dims()[0], w.dims()[1], how.groups);
        check_groups(op, groups, [("input channels", out)], [y, w])?;
        if of_weight != out {
            return Err(argument(
                op,
                format!("the input {y} has {out} channels and the weight {w} is for {of_weight}"),
            ));
        }
        let kernel: [usize; D] = w.dims()[2..].try_into().expect("D axes");
        let (windows, kernel) = (three(windows, 1), three(kernel, 1));
        let (stride, dilation, before) = (three(how.stride, 1), three(how.dilation, 1), three(how.padding, 0));
        let extra = three(how.output_padding, 0);
        let mut input = [1; 3];
        for axis in 3 - D..3 {
            let along =
                Along { size: windows[axis], kernel: kernel[axis], stride: stride[axis], dilation: dilation[axis] };
            input[axis] =
                grown(op, along, before[axis], extra[axis]).map_err(|error| at_axis(error, axis + D - 3, [y, w]))?;
        }
        let channels = of_group
            .checked_mul(groups)
            .ok_or_else(|| argument(op, format!("{groups} groups of {of_group} channels overflow")))?;
        check_bias(op, bias, channels, w)?;
        let x = shape::<D>(op, y, channels, input)?;
        let channels = [of_group, out / groups];
        let shapes = [x, w.clone(), y.clone()];
        Ok(Moves { op, images, groups, channels, input, windows, kernel, stride, dilation, before, shapes })
    }

    /// Whether some elements of the input between the first window and the last are in none.
    #[doc(hidden)]
    pub fn skips(&self) -> bool {
        // The places of a window leave so many remainders by the stride.
        let remainders =
            |axis: usize| self.kernel[axis].min(self.stride[axis] / gcd(self.stride[axis], self.dilation[axis]));
        (0..3).any(|axis| self.windows[axis] > 1 && remainders(axis) < self.stride[axis])
    }

    /// Of x, w and y.
    #[doc(hidden)]
    pub fn shapes(&self) -> &[Shape; 3] {
        &self.shapes
    }

    pub(in crate::ops) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// How many windows there are of an image.
    pub(in crate::ops) fn positions(&self) -> usize {
        self.windows.iter().product()
    }

    /// How the windows of the input lie.
    pub(in crate::ops) fn axes(&self) -> [WindowAxis; 3] {
        std::array::from_fn(|axis| WindowAxis {
            size: self.input[axis],
            windows: self.windows[axis],
            step: self.stride[axis],
            taps: (0..self.kernel[axis])
                .map(|i| (i * self.dilation[axis]) as isize - self.before[axis] as isize)
                .collect(),
        })
    }

    /// Where the places of one phase lie in a plane of the input.
    pub(super) fn spots(&self, first: [usize; 3]) -> Spots {
        let ([_, y, x], stride) = (self.input, self.stride);
        Spots { at: (first[0] * y + first[1]) * x + first[2], strides: [stride[0] * y * x, stride[1] * x, stride[2]] }
    }

    /// Whether each group is one channel that makes few others: tiles of a product would be all but empty.
    pub(super) fn is_by_channel(&self) -> bool {
        self.groups > 1 && self.channels[0] == 1 && self.channels[1] <= FEW
    }

    /// Whether there is one window, as large as the input.
    pub(super) fn is_product(&self) -> bool {
        self.groups == 1 && self.windows == [1; 3] && self.before == [0; 3] && self.kernel == self.input && {
            (0..3).all(|axis| self.kernel[axis] == 1 || self.dilation[axis] == 1)
        }
    }

    /// The input, the weight or the result of one image as a row.
    pub(super) fn flat<T: Float>(x: &Tensor<T>, rows: usize) -> Tensor<T> {
        let width = x.numel().checked_div(rows).unwrap_or(0);
        x.contiguous().reshape([rows, width])
    }
}

/// Names the axis and both shapes.
fn at_axis(error: Error, axis: usize, [x, w]: [&Shape; 2]) -> Error {
    let op = error.op();
    match error.reason() {
        Reason::Argument { why } => argument(op, format!("spatial axis {axis} of {x} with the weight {w}: {why}")),
        _ => error,
    }
}

fn check_groups<const N: usize>(
    op: &'static str,
    groups: usize,
    parted: [(&str, usize); N],
    [x, w]: [&Shape; 2],
) -> Result<(), Error> {
    match parted.into_iter().find(|&(_, channels)| groups == 0 || !channels.is_multiple_of(groups)) {
        _ if groups == 0 => Err(argument(op, "the number of groups is 0, but must be at least 1".to_owned())),
        Some((what, channels)) => {
            Err(argument(op, format!("{groups} groups do not divide the {channels} {what} (input {x}, weight {w})")))
        }
        None => Ok(()),
    }
}

fn check_bias(op: &'static str, bias: Option<&Shape>, channels: usize, w: &Shape) -> Result<(), Error> {
    match bias {
        Some(bias) if bias.dims() != [channels] => {
            Err(argument(op, format!("the weight {w} needs a bias of [{channels}], got {bias}")))
        }
        _ => Ok(()),
    }
}

/// How large the result of a transposed convolution is along an axis.
fn grown(op: &'static str, along: Along, padding: usize, extra: usize) -> Result<usize, Error> {
    let span = along.span(op)?;
    let Along { size, stride, dilation, kernel } = along;
    if extra >= stride.max(dilation) {
        return Err(argument(
            op,
            format!("an output padding of {extra} must be less than the stride {stride} or the dilation {dilation}"),
        ));
    }
    if size == 0 {
        return Ok(0);
    }
    let whole = (size - 1).checked_mul(stride).and_then(|whole| whole.checked_add(span)?.checked_add(extra));
    let (Some(whole), Some(cut)) = (whole, padding.checked_mul(2)) else {
        return Err(argument(
            op,
            format!("the result of {size} elements with a stride of {stride} is larger than can be addressed"),
        ));
    };
    whole.checked_sub(cut).filter(|&size| size > 0).ok_or_else(|| {
        argument(op, format!("a padding of {padding} cuts all of the {whole} elements that {size} make with a kernel of {kernel}: less than {} would fit", whole.div_ceil(2)))
    })
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
