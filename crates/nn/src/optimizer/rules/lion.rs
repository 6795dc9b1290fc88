//! Lion.

use tensor::{Float, Tensor, Update};

use super::{check_betas, check_decay};
use crate::{At, Error, Rule};

/// Lion (Chen et al., 2023, *Symbolic Discovery of Optimization Algorithms*): w ← (1 − lr · weight_decay) w − lr ·
/// sign(β₁ m + (1 − β₁) g), then m ← β₂ m + (1 − β₂) g. Its learning rate is a third to a tenth of [`AdamW`](crate::AdamW)'s,
/// and its weight decay as many times larger.
///
/// PyTorch has none. Every step moves an element by the learning rate, or not at all where the sign is that of 0.
///
/// # Example
/// ```
/// let optimizer: nn::Optimizer = nn::Optimizer::new(nn::Lion::default(), 1e-4)?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Lion {
    /// β₁ and β₂, in [0, 1): 0.9 and 0.99 by default.
    pub betas: (f64, f64),
    /// Decoupled weight decay λ: each step multiplies weights by 1 − lr · λ. 0 by default.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Lion { betas: (0.9, 0.99), weight_decay: 0.0 }
    }
}

impl<T: Float> Rule<T> for Lion {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m"]
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn check(&self) -> Result<(), Error> {
        check_betas(self.betas)?;
        check_decay(self.weight_decay)
    }

    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let [lr, decay] = [at.lr, 1.0 - at.lr * at.weight_decay].map(T::from_f64);
        let one_minus_betas = [1.0 - self.betas.0, 1.0 - self.betas.1].map(T::from_f64);
        weight.update(gradient, slots, Update::Sign { lr, decay, one_minus_betas });
    }
}
