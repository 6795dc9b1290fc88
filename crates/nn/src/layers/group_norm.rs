//! Group normalization as a layer.

use autograd::Var;
use tensor::{Float, Shape, Tensor};

use super::in_f32;
use crate::{Error, Layer, Param, module};

/// Normalization of `[N, C, …]` by groups of channels of each example by itself (Wu and He, 2018, *Group
/// Normalization*): y = w (x − μ) / √(σ² + eps) + b, with w and b of each channel, and σ² divided by the number of a
/// group's elements. PyTorch's `nn.GroupNorm`.
///
/// It begins with w = 1 and b = 0; eps is 1e-5. It does the same in training and in evaluation.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{GroupNorm, Layer};
/// use tensor::Tensor;
///
/// let norm = GroupNorm::new(2, 4)?;
/// let tape = Tape::new();
/// let y = norm.forward(tape.constant(Tensor::from([[1.0, 3.0, 10.0, 30.0]])));
/// assert!(y.value().allclose(&Tensor::from([[-1.0, 1.0, -1.0, 1.0]]), 0.0, 1e-4));
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone)]
pub struct GroupNorm<T: Float = f32> {
    /// w, `[C]`
    pub weight: Param<T>,
    /// b, `[C]`
    pub bias: Param<T>,
    groups: usize,
    eps: f64,
}

module!(impl<T> GroupNorm<T> { weight, bias, .. });

in_f32!(
    GroupNorm,
    /// Makes a layer in f32 of `groups` groups of `channels` channels. For another float there is
    /// [`try_new`](GroupNorm::try_new).
    ///
    /// # Errors
    /// The groups do not divide the channels, or there are more than memory can hold.
    new => try_new(groups: usize, channels: usize)
);

impl<T: Float> GroupNorm<T> {
    /// A layer for any float; see [`new`](GroupNorm::new).
    ///
    /// # Errors
    /// As [`new`](GroupNorm::new).
    pub fn try_new(groups: usize, channels: usize) -> Result<Self, Error> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let why = format!("has {groups} groups, which do not divide its {channels} channels");
            return Err(Error::Invalid { what: "the group norm", why });
        }
        let shape = Shape::try_new(&[channels])?;
        let (ones, zeros) = (Tensor::try_full(&shape, T::ONE)?, Tensor::try_full(&shape, T::ZERO)?);
        Ok(GroupNorm { weight: Param::new(ones), bias: Param::new(zeros), groups, eps: 1e-5 })
    }

    /// Sets eps, which is added to the variance.
    ///
    /// # Errors
    /// It is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<Self, Error> {
        Error::unless_at_least_0("the eps of group norm", eps)?;
        Ok(GroupNorm { eps, ..self })
    }
}

impl<T: Float> Layer<T> for GroupNorm<T> {
    /// `[N, C, …]`, normalized, in the same shape.
    ///
    /// # Panics
    /// The input has another number of channels.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let weight = self.weight.used_by("GroupNorm::forward", "weight", x.tape());
        let bias = self.bias.used_by("GroupNorm::forward", "bias", x.tape());
        x.group_norm(self.groups, weight, bias, self.eps)
    }
}
