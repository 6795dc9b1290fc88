//! Adagrad, and Adadelta, which forgets.

use tensor::{Float, Tensor, Update};

use super::{check_beta, check_decay, check_eps};
use crate::{At, Error, Rule};

/// Adagrad (Duchi, Hazan and Singer, 2011, *Adaptive Subgradient Methods for Online Learning and Stochastic
/// Optimization*): with ĝ = g + weight_decay · w, s ← s + ĝ², and w ← w − lr / (1 + (t − 1) lr_decay) · ĝ / (√s +
/// eps). PyTorch's `optim.Adagrad`.
///
/// # Example
/// ```
/// let optimizer: nn::Optimizer = nn::Optimizer::new(nn::Adagrad::default(), 0.01)?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adagrad {
    /// How the learning rate falls with a weight's steps: 0 by default. PyTorch's `lr_decay`.
    pub lr_decay: f64,
    /// What s begins at: 0 by default. PyTorch's `initial_accumulator_value`.
    pub initial: f64,
    /// What is added to the root, above 0: 1e-10 by default.
    pub eps: f64,
    /// How much of a weight is added to its gradient: 0 by default.
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad { lr_decay: 0.0, initial: 0.0, eps: 1e-10, weight_decay: 0.0 }
    }
}

impl<T: Float> Rule<T> for Adagrad {
    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn initial(&self, _: usize) -> f64 {
        self.initial
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn check(&self) -> Result<(), Error> {
        Error::unless_at_least_0("the decay of the learning rate", self.lr_decay)?;
        Error::unless_at_least_0("the initial sum of squares", self.initial)?;
        check_eps(self.eps)?;
        check_decay(self.weight_decay)
    }

    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let lr = at.lr / (1.0 + (at.t - 1) as f64 * self.lr_decay);
        let [lr, l2, eps] = [lr, at.weight_decay, self.eps].map(T::from_f64);
        weight.update(gradient, slots, Update::SumOfSquares { lr, l2, eps });
    }
}

/// Adadelta (Zeiler, 2012, *ADADELTA: An Adaptive Learning Rate Method*): with ĝ = g + weight_decay · w, v ← ρ v + (1 −
/// ρ) ĝ², d = ĝ √(u + eps) / √(v + eps), u ← ρ u + (1 − ρ) d², and w ← w − lr · d; its learning rate is 1. PyTorch's
/// `optim.Adadelta`.
///
/// # Example
/// ```
/// let optimizer: nn::Optimizer = nn::Optimizer::new(nn::Adadelta::default(), 1.0)?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adadelta {
    /// ρ, what stays of the averages, in [0, 1): 0.9 by default.
    pub rho: f64,
    /// What is added under the roots, above 0: 1e-6 by default.
    pub eps: f64,
    /// How much of a weight is added to its gradient: 0 by default.
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Adadelta { rho: 0.9, eps: 1e-6, weight_decay: 0.0 }
    }
}

impl<T: Float> Rule<T> for Adadelta {
    fn name(&self) -> &'static str {
        "adadelta"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn slots(&self) -> &'static [&'static str] {
        &["v", "u"]
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn check(&self) -> Result<(), Error> {
        check_beta("the rho", self.rho)?;
        check_eps(self.eps)?;
        check_decay(self.weight_decay)
    }

    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let [lr, l2, rho, one_minus_rho, eps] =
            [at.lr, at.weight_decay, self.rho, 1.0 - self.rho, self.eps].map(T::from_f64);
        weight.update(gradient, slots, Update::Ratio { lr, l2, rho, one_minus_rho, eps });
    }
}
