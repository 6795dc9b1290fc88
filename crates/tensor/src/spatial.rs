//! Options of what works on D spatial axes: convolutions, pools, images of another size.

use crate::error::{Error, Reason};

/// A number for each of D spatial axes, or one for all of them.
pub trait Each<const D: usize> {
    /// The number of each axis.
    fn each(self) -> [usize; D];
}

impl<const D: usize> Each<D> for usize {
    fn each(self) -> [usize; D] {
        [self; D]
    }
}

impl<const D: usize> Each<D> for [usize; D] {
    fn each(self) -> [usize; D] {
        self
    }
}

/// What is put around the input of a convolution over D spatial axes: zeros.
///
/// Made of a number for both sides of all axes, an array with one for both sides of each, or an array of pairs: before and behind.
///
/// # Example
/// ```
/// use tensor::Padding;
///
/// assert_eq!(Padding::<2>::from(1), Padding::Zeros([[1, 1], [1, 1]]));
/// assert_eq!(Padding::from([1, 2]), Padding::Zeros([[1, 1], [2, 2]]));
/// assert_eq!(Padding::from([[2, 0]]), Padding::Zeros([[2, 0]]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const D: usize> {
    /// So many zeros before and behind each axis; 0 is PyTorch's `"valid"`.
    Zeros([[usize; 2]; D]),
    /// As many as make the result as large as the input, for a stride of 1; where their number is odd, the one more stands behind, as in
    /// PyTorch.
    Same,
    /// As many as make the result as large as the input, all of them before it: no element sees one that comes later.
    Causal,
}

impl<const D: usize> From<usize> for Padding<D> {
    fn from(both: usize) -> Self {
        Padding::Zeros([[both; 2]; D])
    }
}

impl<const D: usize> From<[usize; D]> for Padding<D> {
    fn from(both: [usize; D]) -> Self {
        Padding::Zeros(both.map(|both| [both; 2]))
    }
}

impl<const D: usize> From<[[usize; 2]; D]> for Padding<D> {
    fn from(sides: [[usize; 2]; D]) -> Self {
        Padding::Zeros(sides)
    }
}

/// How a convolution over D spatial axes moves: PyTorch's arguments of `conv1d`, `conv2d` and `conv3d`, and its defaults.
///
/// # Example
/// ```
/// use tensor::{Conv, Padding};
///
/// let how = Conv::<2>::default().stride(2).padding([1, 2]);
/// assert_eq!((how.stride, how.groups), ([2, 2], 1));
/// let causal = Conv::<1> { padding: Padding::Causal, ..Conv::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv<const D: usize> {
    /// From one window to the next; at least 1.
    pub stride: [usize; D],
    /// What is put around the input.
    pub padding: Padding<D>,
    /// From one element of a window to the next; at least 1.
    pub dilation: [usize; D],
    /// Into how many groups the channels are parted, each with weights of its own; as many as channels is a depthwise convolution.
    pub groups: usize,
}

impl<const D: usize> Default for Conv<D> {
    fn default() -> Self {
        Conv { stride: [1; D], padding: Padding::from(0), dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> Conv<D> {
    /// Sets the stride, of all axes or of each.
    #[must_use]
    pub fn stride(self, stride: impl Each<D>) -> Self {
        Conv { stride: stride.each(), ..self }
    }

    /// Sets the padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding<D>>) -> Self {
        Conv { padding: padding.into(), ..self }
    }

    /// Sets the dilation, of all axes or of each.
    #[must_use]
    pub fn dilation(self, dilation: impl Each<D>) -> Self {
        Conv { dilation: dilation.each(), ..self }
    }

    /// Sets the number of groups.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Conv { groups, ..self }
    }
}

/// How a transposed convolution over D spatial axes moves: PyTorch's arguments of `conv_transpose1d` to `3d`, and its defaults.
///
/// # Example
/// ```
/// use tensor::ConvTranspose;
///
/// let how = ConvTranspose::<2>::default().stride(2).padding(1).output_padding(1);
/// assert_eq!(how.output_padding, [1, 1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose<const D: usize> {
    /// From one window of the result to the next; at least 1.
    pub stride: [usize; D],
    /// How much of the result is cut off on both sides.
    pub padding: [usize; D],
    /// By how much the result grows behind, since a convolution of stride 2 makes 4 of 7 as of 8; less than the stride or the dilation.
    pub output_padding: [usize; D],
    /// From one element of a window to the next; at least 1.
    pub dilation: [usize; D],
    /// Into how many groups the channels are parted.
    pub groups: usize,
}

impl<const D: usize> Default for ConvTranspose<D> {
    fn default() -> Self {
        ConvTranspose { stride: [1; D], padding: [0; D], output_padding: [0; D], dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> ConvTranspose<D> {
    /// Sets the stride, of all axes or of each.
    #[must_use]
    pub fn stride(self, stride: impl Each<D>) -> Self {
        ConvTranspose { stride: stride.each(), ..self }
    }

    /// Sets the padding, of all axes or of each.
    #[must_use]
    pub fn padding(self, padding: impl Each<D>) -> Self {
        ConvTranspose { padding: padding.each(), ..self }
    }

    /// Sets the output padding, of all axes or of each.
    #[must_use]
    pub fn output_padding(self, output_padding: impl Each<D>) -> Self {
        ConvTranspose { output_padding: output_padding.each(), ..self }
    }

    /// Sets the dilation, of all axes or of each.
    #[must_use]
    pub fn dilation(self, dilation: impl Each<D>) -> Self {
        ConvTranspose { dilation: dilation.each(), ..self }
    }

    /// Sets the number of groups.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        ConvTranspose { groups, ..self }
    }
}

/// The windows of a pool over D spatial axes: PyTorch's arguments of `max_pool2d` and `avg_pool2d`.
///
/// # Example
/// ```
/// use tensor::Pool;
///
/// let pool = Pool::<2>::new(3).stride(2).padding(1);
/// assert_eq!((pool.kernel, pool.stride, pool.ceil_mode), ([3, 3], [2, 2], false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool<const D: usize> {
    /// The size of a window.
    pub kernel: [usize; D],
    /// From one window to the next; as much as the kernel, if not said.
    pub stride: [usize; D],
    /// What is put around the input: −∞ for the largest, 0 for means; less than a window.
    pub padding: Padding<D>,
    /// From one element of a window to the next.
    pub dilation: [usize; D],
    /// Whether a last window that is not full counts, if it begins within the input or the padding before it.
    pub ceil_mode: bool,
    /// Whether the zeros of the padding count as elements of a mean.
    pub count_include_pad: bool,
    /// What sums are divided by, in place of the number of elements.
    pub divisor: Option<usize>,
}

impl<const D: usize> Pool<D> {
    /// Windows of this size, along all axes or each, that follow each other.
    pub fn new(kernel: impl Each<D>) -> Self {
        let kernel = kernel.each();
        Pool {
            kernel,
            stride: kernel,
            padding: Padding::from(0),
            dilation: [1; D],
            ceil_mode: false,
            count_include_pad: true,
            divisor: None,
        }
    }

    /// Sets the stride, of all axes or of each.
    #[must_use]
    pub fn stride(self, stride: impl Each<D>) -> Self {
        Pool { stride: stride.each(), ..self }
    }

    /// Sets the padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding<D>>) -> Self {
        Pool { padding: padding.into(), ..self }
    }

    /// Sets the dilation, of all axes or of each.
    #[must_use]
    pub fn dilation(self, dilation: impl Each<D>) -> Self {
        Pool { dilation: dilation.each(), ..self }
    }

    /// Takes in a last window that is not full.
    #[must_use]
    pub fn ceil_mode(self) -> Self {
        Pool { ceil_mode: true, ..self }
    }

    /// Leaves the padding out of the number of elements that a sum is divided by: PyTorch's `count_include_pad=False`.
    #[must_use]
    pub fn without_padding(self) -> Self {
        Pool { count_include_pad: false, ..self }
    }
}

/// How an element between others is computed; PyTorch's modes of `functional.interpolate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The element at ⌊i · from / to⌋.
    Nearest,
    /// The element at ⌊(i + ½) · from / to⌋, whose middle is nearest.
    NearestExact,
    /// A mixture of the two neighbours along each axis, by their distance.
    Linear,
    /// By the four neighbours along each axis, a cubic polynomial (Keys, 1981, *Cubic Convolution Interpolation*; a = −0.75).
    Cubic,
    /// The mean of the part that it stands for, as [`adaptive_avg_pool`](crate::Tensor::adaptive_avg_pool).
    Area,
}

/// To which size D spatial axes are interpolated, and how: PyTorch's arguments of `functional.interpolate`.
///
/// # Example
/// ```
/// use tensor::{Interpolation, Resize};
///
/// let twice = Resize::<2>::by(2.0, Interpolation::Linear).align_corners();
/// let fixed = Resize::to([32, 48], Interpolation::Nearest);
/// assert!(twice.align_corners && !fixed.align_corners);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resize<const D: usize> {
    pub(crate) target: Target<D>,
    /// How elements are mixed.
    pub mode: Interpolation,
    /// Whether the first and the last element of an axis stay where they are, and not the edges of their squares.
    pub align_corners: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target<const D: usize> {
    Sizes([usize; D]),
    Factors([f64; D]),
}

impl<const D: usize> Resize<D> {
    /// To this size, of all axes or of each.
    pub fn to(size: impl Each<D>, mode: Interpolation) -> Self {
        Resize { target: Target::Sizes(size.each()), mode, align_corners: false }
    }

    /// To this multiple of the size along each axis, rounded down: PyTorch's `scale_factor`.
    pub fn by(factor: f64, mode: Interpolation) -> Self {
        Resize { target: Target::Factors([factor; D]), mode, align_corners: false }
    }

    /// To a multiple of its own along each axis.
    pub fn by_each(factors: [f64; D], mode: Interpolation) -> Self {
        Resize { target: Target::Factors(factors), mode, align_corners: false }
    }

    /// Lets the corners stay where they are.
    #[must_use]
    pub fn align_corners(self) -> Self {
        Resize { align_corners: true, ..self }
    }
}

/// Numbers of D axes as those of three, of which the first may be missing.
pub(crate) fn three<const D: usize>(of: [usize; D], missing: usize) -> [usize; 3] {
    let mut all = [missing; 3];
    all[3 - D..].copy_from_slice(&of);
    all
}

/// Along one axis: how many windows of a kernel fit, and how many zeros stand before the input.
pub(crate) struct Fit {
    pub(crate) windows: usize,
    pub(crate) before: usize,
}

/// A kernel's way along an axis.
#[derive(Clone, Copy)]
pub(crate) struct Along {
    pub(crate) size: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
}

impl Along {
    /// Elements from the first of a window to its last one, and one.
    pub(crate) fn span(&self, op: &'static str) -> Result<usize, Error> {
        if self.kernel == 0 || self.stride == 0 || self.dilation == 0 {
            let what = [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)];
            let (name, _) = what.into_iter().find(|&(_, size)| size == 0).expect("one of them is 0");
            return Err(argument(op, format!("the {name} is 0, but must be at least 1")));
        }
        let span = (self.kernel - 1).checked_mul(self.dilation).and_then(|span| span.checked_add(1));
        span.filter(|&span| isize::try_from(span).is_ok()).ok_or_else(|| {
            argument(
                op,
                format!(
                    "a kernel of {} with a dilation of {} is larger than can be addressed",
                    self.kernel, self.dilation
                ),
            )
        })
    }

    /// How many windows fit into the input with these zeros around it.
    pub(crate) fn fit(&self, op: &'static str, padding: Sides) -> Result<Fit, Error> {
        let span = self.span(op)?;
        let [before, behind] = match padding {
            Sides::Zeros(sides) => sides,
            Sides::Same | Sides::Causal if self.stride != 1 => {
                let name = if matches!(padding, Sides::Same) { "same" } else { "causal" };
                return Err(argument(op, format!("{name} padding needs a stride of 1, got {}", self.stride)));
            }
            Sides::Same => [(span - 1) / 2, (span - 1).div_ceil(2)],
            Sides::Causal => [span - 1, 0],
        };
        let padded = self.size.checked_add(before).and_then(|size| size.checked_add(behind));
        let Some(padded) = padded.filter(|&padded| isize::try_from(padded).is_ok()) else {
            return Err(argument(
                op,
                format!("{before} and {behind} zeros around {} are more than can be addressed", self.size),
            ));
        };
        if span > padded {
            let Along { kernel, dilation, size, .. } = self;
            let spread =
                if *dilation > 1 { format!(" with a dilation of {dilation} spans {span} and") } else { String::new() };
            return Err(argument(
                op,
                format!(
                    "a kernel of {kernel}{spread} does not fit into {size} elements and {before} + {behind} of padding: at least {} \
                     more would fit",
                    span - padded
                ),
            ));
        }
        Ok(Fit { windows: (padded - span) / self.stride + 1, before })
    }
}

/// [`Padding`] along one axis.
#[derive(Clone, Copy)]
pub(crate) enum Sides {
    Zeros([usize; 2]),
    Same,
    Causal,
}

impl<const D: usize> Padding<D> {
    /// Along each of three axes.
    pub(crate) fn sides(self) -> [Sides; 3] {
        let mut all = [Sides::Zeros([0, 0]); 3];
        for (axis, all) in all[3 - D..].iter_mut().enumerate() {
            *all = match self {
                Padding::Zeros(sides) => Sides::Zeros(sides[axis]),
                Padding::Same => Sides::Same,
                Padding::Causal => Sides::Causal,
            };
        }
        all
    }
}

pub(crate) fn argument(op: &'static str, why: String) -> Error {
    Error::new(op, Reason::Argument { why })
}
