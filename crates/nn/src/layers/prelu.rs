//! The activation with a parameter.

use autograd::Var;
use tensor::{Float, Shape, Tensor};

use crate::{Error, Layer, Param, module};

/// max(x, 0) + w min(x, 0) with a slope w that is trained: one for all, or one for each channel (He et al., 2015,
/// *Delving Deep into Rectifiers*). It begins at 0.25. PyTorch's `nn.PReLU`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, PRelu};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// let y = PRelu::new().forward(tape.constant(Tensor::from([[-4.0, 4.0]])));
/// assert_eq!(y.value(), Tensor::from([[-1.0, 4.0]]));
/// ```
#[doc(alias = "PReLU")]
#[derive(Clone)]
pub struct PRelu<T: Float = f32> {
    /// w, `[1]` or `[C]`
    pub weight: Param<T>,
}

module!(impl<T> PRelu<T> { weight });

impl PRelu {
    /// One slope for all, in f32. For another float or more slopes there is [`of_channels`](PRelu::of_channels).
    #[allow(clippy::new_without_default, reason = "it is a new parameter each time")]
    pub fn new() -> Self {
        PRelu { weight: Param::new(Tensor::full([1], 0.25)) }
    }
}

impl<T: Float> PRelu<T> {
    /// Makes a slope for each of the channels, which are axis 1; one channel is one slope for all.
    ///
    /// # Errors
    /// There are more channels than memory can hold.
    pub fn of_channels(channels: usize) -> Result<Self, Error> {
        let start = Tensor::try_full(Shape::try_new(&[channels])?, T::from_f64(0.25))?;
        Ok(PRelu { weight: Param::new(start) })
    }
}

impl<T: Float> Layer<T> for PRelu<T> {
    /// Each element by the slope of its channel.
    ///
    /// # Panics
    /// There is a slope for each channel, and the input has another number of them.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.prelu(self.weight.used_by("PRelu::forward", "weight", x.tape()))
    }
}
