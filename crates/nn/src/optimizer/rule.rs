//! What a rule is.

use tensor::{Float, Real, Shape, Tensor};

use crate::Error;

/// What a rule is told of a step of one weight.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct At {
    /// Which step of this weight it is, from 1.
    pub t: u64,
    /// The learning rate.
    pub lr: f64,
    /// The weight decay: the rule's own, or that of the weight's group.
    pub weight_decay: f64,
}

impl At {
    /// What `beta` ᵗ leaves of 1, by which an average that began at 0 is divided: PyTorch's `bias_correction`.
    #[doc(alias = "bias_correction")]
    pub fn correction(&self, beta: f64) -> f64 {
        1.0 - power(beta, self.t)
    }
}

/// βᵗ, with the same bits everywhere; of steps that no `i32` counts, nothing is left.
pub(crate) fn power(beta: f64, t: u64) -> f64 {
    Real::powi(beta, i32::try_from(t).unwrap_or(i32::MAX))
}

/// How an [`Optimizer`](super::Optimizer) moves one weight. A rule of one's own is this.
///
/// # Example
/// ```
/// use nn::{At, Optimizer, Param, Rule};
/// use tensor::Tensor;
///
/// /// Moves by the sign of the average gradient.
/// struct SignMomentum {
///     momentum: f32,
/// }
///
/// impl Rule for SignMomentum {
///     fn name(&self) -> &'static str {
///         "sign momentum"
///     }
///
///     fn slots(&self) -> &'static [&'static str] {
///         &["m"]
///     }
///
///     fn step(&self, at: &At, weight: &mut Tensor, gradient: &Tensor, slots: &mut [Tensor]) {
///         weight.update_by(gradient, slots, |w, g, [m]| {
///             *m = self.momentum * *m + (1.0 - self.momentum) * g;
///             *w -= at.lr as f32 * m.signum();
///         });
///     }
/// }
///
/// let mut w = Param::new(Tensor::from([3.0, -3.0]));
/// let mut optimizer = Optimizer::new(SignMomentum { momentum: 0.9 }, 0.5)?;
/// let tape = autograd::Tape::new();
/// let gradients = (w.on(&tape) * w.on(&tape)).sum(..).backward();
/// optimizer.step(&mut w, &gradients);
/// assert_eq!(w.value(), &Tensor::from([2.5, -2.5]));
/// # Ok::<(), nn::Error>(())
/// ```
pub trait Rule<T: Float = f32>: Send + Sync {
    /// Its name, such as `"adamw"`.
    fn name(&self) -> &'static str;

    /// Its name with what is set of it, by which a [`Fit`](crate::Fit) that is resumed tells whether it has changed.
    fn describe(&self) -> String {
        self.name().to_owned()
    }

    /// The names of what it keeps of each weight from step to step, each a tensor of the weight's shape, such as `["m",
    /// "v"]`.
    fn slots(&self) -> &'static [&'static str];

    /// What the elements of a slot are before the first step.
    fn initial(&self, _slot: usize) -> f64 {
        0.0
    }

    /// The weight decay, unless a group sets another.
    fn weight_decay(&self) -> f64 {
        0.0
    }

    /// Makes sure that its numbers are in range.
    ///
    /// # Errors
    /// One is not.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Why it cannot move a weight of this shape, if it cannot.
    fn refuses(&self, _shape: &Shape) -> Option<String> {
        None
    }

    /// Whether an element of a weight is moved by its own gradient and what is kept of it alone, so that a part of a weight can be moved by
    /// itself: [`Ranks::shard_moments`](crate::ranks::Ranks::shard_moments) then shares each weight among ranks.
    fn is_elementwise(&self) -> bool {
        false
    }

    /// Moves a weight by its gradient, and changes what is kept of it. [`Tensor::update`] and [`Tensor::update_by`] do
    /// so in one pass.
    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]);
}
