//! RMSprop.

use tensor::{Float, Tensor, Update};

use super::{check_beta, check_decay, check_eps};
use crate::{At, Error, Rule};

/// RMSprop (Tieleman and Hinton, 2012, lecture 6.5 of *Neural Networks for Machine Learning*): with ĝ = g +
/// weight_decay · w, v ← α v + (1 − α) ĝ², and w ← w − lr · ĝ / (√v + eps). PyTorch's `optim.RMSprop`.
///
/// Centered (Graves, 2013, *Generating Sequences with Recurrent Neural Networks*), √(v − a²) stands in the place of √v,
/// with the average a of gradients. With momentum, b ← momentum · b + ĝ / (√v + eps), and w ← w − lr · b.
///
/// Where rounding makes v − a² negative it is 0 here, and NaN in PyTorch.
///
/// # Example
/// ```
/// let rule = nn::RMSprop { momentum: 0.9, ..nn::RMSprop::default() };
/// let optimizer: nn::Optimizer = nn::Optimizer::new(rule, 0.01)?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RMSprop {
    /// α, what stays of the average of squares, in [0, 1): 0.99 by default.
    pub alpha: f64,
    /// What is added to the root, above 0: 1e-8 by default.
    pub eps: f64,
    /// What stays of the average of steps, in [0, 1): 0 by default.
    pub momentum: f64,
    /// Whether the gradients' variance stands under the root.
    pub centered: bool,
    /// How much of a weight is added to its gradient: 0 by default.
    pub weight_decay: f64,
}

impl Default for RMSprop {
    fn default() -> Self {
        RMSprop { alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

impl<T: Float> Rule<T> for RMSprop {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum > 0.0 || self.centered { &["v", "momentum", "mean"] } else { &["v"] }
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn check(&self) -> Result<(), Error> {
        check_beta("the alpha", self.alpha)?;
        check_beta("the momentum", self.momentum)?;
        check_eps(self.eps)?;
        check_decay(self.weight_decay)
    }

    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let how = Update::MeanSquare {
            lr: T::from_f64(at.lr),
            l2: T::from_f64(at.weight_decay),
            alpha: T::from_f64(self.alpha),
            one_minus_alpha: T::from_f64(1.0 - self.alpha),
            eps: T::from_f64(self.eps),
            momentum: T::from_f64(self.momentum),
            centered: self.centered,
        };
        weight.update(gradient, slots, how);
    }
}
