//! Adam and its kin: all divide an average of gradients by the root of an average of their squares.

use tensor::{Float, Tensor, Update};

use super::{check_betas, check_decay, check_eps};
use crate::optimizer::power;
use crate::{At, Error, Rule};

/// What a step of one of them is made of, in f64.
struct Moments {
    betas: (f64, f64),
    eps: f64,
    /// λ, and whether it is apart from the loss.
    decay: (f64, bool),
    m_scale: f64,
    g_scale: f64,
    v_scale: f64,
}

impl Moments {
    fn step<T: Float>(self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let number = T::from_f64;
        let (decay, apart) = self.decay;
        let (l2, keep) = if apart { (0.0, 1.0 - at.lr * decay) } else { (decay, 1.0) };
        let how = Update::Moments {
            one_minus_betas: [number(1.0 - self.betas.0), number(1.0 - self.betas.1)],
            beta_2: number(self.betas.1),
            l2: number(l2),
            decay: number(keep),
            m_scale: number(self.m_scale),
            g_scale: number(self.g_scale),
            v_scale: number(self.v_scale),
            eps: number(self.eps),
        };
        weight.update(gradient, slots, how);
    }
}

/// Stamps a rule of this family: its name, its slots, its checks.
macro_rules! rule {
    ($Rule:ident, $name:literal, |$self:ident| $slots:expr, $step:item) => {
        impl<T: Float> Rule<T> for $Rule {
            fn name(&self) -> &'static str {
                $name
            }

            fn describe(&self) -> String {
                format!("{self:?}")
            }

            fn is_elementwise(&self) -> bool {
                true
            }

            fn slots(&$self) -> &'static [&'static str] {
                $slots
            }

            fn weight_decay(&self) -> f64 {
                self.weight_decay
            }

            fn check(&self) -> Result<(), Error> {
                check_betas(self.betas)?;
                check_eps(self.eps)?;
                check_decay(self.weight_decay)
            }

            $step
        }
    };
}

const TWO: &[&str] = &["m", "v"];
const THREE: &[&str] = &["m", "v", "v_max"];

/// Adam with weight decay apart from the loss (Loshchilov and Hutter, 2019, *Decoupled Weight Decay Regularization*): m
/// ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², and w ← (1 − lr · weight_decay) w − lr · m̂ / (√v̂ + eps) with m̂ =
/// m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ). PyTorch's `optim.AdamW`.
///
/// # Example
/// ```
/// use nn::{AdamW, Optimizer};
///
/// let adamw = AdamW { betas: (0.9, 0.95), weight_decay: 0.1, ..AdamW::default() };
/// let optimizer: Optimizer = Optimizer::new(adamw, 3e-4)?;
/// assert!(Optimizer::<f32>::new(AdamW { betas: (0.9, 1.0), ..AdamW::default() }, 3e-4).is_err());
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Decay rates of the two moving averages, β₁ and β₂, in [0, 1): 0.9 and 0.999 by default.
    pub betas: (f64, f64),
    /// What is added to the root, above 0: 1e-8 by default.
    pub eps: f64,
    /// Decoupled weight decay λ: each step multiplies weights by 1 − lr · λ. 0.01 by default.
    pub weight_decay: f64,
    /// Whether the largest v so far stands under the root (Reddi et al., 2018, *On the Convergence of Adam and Beyond*).
    pub amsgrad: bool,
}

impl Default for AdamW {
    fn default() -> Self {
        AdamW { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.01, amsgrad: false }
    }
}

rule!(
    AdamW,
    "adamw",
    |self| if self.amsgrad { THREE } else { TWO },
    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        adam(self.betas, self.eps, (at.weight_decay, true), at).step(at, weight, gradient, slots);
    }
);

/// Adam (Kingma and Ba, 2015, *Adam: A Method for Stochastic Optimization*): as [`AdamW`], but weight decay is a part
/// of the gradient, g + weight_decay · w. PyTorch's `optim.Adam`.
///
/// # Example
/// ```
/// let optimizer: nn::Optimizer = nn::Optimizer::new(nn::Adam::default(), 1e-3)?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Decay rates of the two moving averages, β₁ and β₂, in [0, 1): 0.9 and 0.999 by default.
    pub betas: (f64, f64),
    /// What is added to the root, above 0: 1e-8 by default.
    pub eps: f64,
    /// How much of a weight is added to its gradient: 0 by default.
    pub weight_decay: f64,
    /// Whether the largest v so far stands under the root.
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, amsgrad: false }
    }
}

rule!(
    Adam,
    "adam",
    |self| if self.amsgrad { THREE } else { TWO },
    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        adam(self.betas, self.eps, (at.weight_decay, false), at).step(at, weight, gradient, slots);
    }
);

fn adam(betas: (f64, f64), eps: f64, decay: (f64, bool), at: &At) -> Moments {
    let (m_scale, v_scale) = (at.lr / at.correction(betas.0), 1.0 / at.correction(betas.1).sqrt());
    Moments { betas, eps, decay, m_scale, g_scale: 0.0, v_scale }
}

/// Adam with Nesterov's momentum (Dozat, 2016, *Incorporating Nesterov Momentum into Adam*): with μₜ = β₁ (1 − ½ ·
/// 0.96^(t · momentum_decay)) and v̂ as of [`Adam`], w ← w − lr · ((1 − μₜ) g / (1 − Πμ) + μₜ₊₁ m / (1 − μₜ₊₁ Πμ)) /
/// (√v̂ + eps), where Πμ is the product of μ₁ to μₜ. PyTorch's `optim.NAdam`.
///
/// # Example
/// ```
/// let optimizer: nn::Optimizer = nn::Optimizer::new(nn::NAdam::default(), 2e-3)?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NAdam {
    /// Decay rates of the two moving averages, β₁ and β₂, in [0, 1): 0.9 and 0.999 by default.
    pub betas: (f64, f64),
    /// What is added to the root, above 0: 1e-8 by default.
    pub eps: f64,
    /// The weight decay: 0 by default.
    pub weight_decay: f64,
    /// How fast the momentum grows to β₁: 0.004 by default.
    pub momentum_decay: f64,
    /// Whether weight decay is apart from the loss, as [`AdamW`]'s.
    pub decoupled: bool,
}

impl Default for NAdam {
    fn default() -> Self {
        NAdam { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, momentum_decay: 4e-3, decoupled: false }
    }
}

impl NAdam {
    /// μₜ₊₁, and the product of μ₁ to μₜ, after μₜ.
    fn momenta(&self, t: u64) -> [f64; 3] {
        let decay = libm::pow(0.96, self.momentum_decay);
        let of = |t: u64| self.betas.0 * (1.0 - 0.5 * libm::pow(0.96, t as f64 * self.momentum_decay));
        // Each factor is below 1: soon the rest of the product no longer counts beside 1.
        let (mut product, mut rest, mut i) = (1.0, 1.0, 0);
        while i < t && product > f64::EPSILON / 1024.0 {
            (rest, i) = (rest * decay, i + 1);
            product *= self.betas.0 * (1.0 - 0.5 * rest);
        }
        [of(t), of(t + 1), product]
    }
}

rule!(
    NAdam,
    "nadam",
    |self| TWO,
    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let [now, next, product] = self.momenta(at.t);
        let (g_scale, m_scale) = (at.lr * (1.0 - now) / (1.0 - product), at.lr * next / (1.0 - product * next));
        let v_scale = 1.0 / at.correction(self.betas.1).sqrt();
        let decay = (at.weight_decay, self.decoupled);
        Moments { betas: self.betas, eps: self.eps, decay, m_scale, g_scale, v_scale }
            .step(at, weight, gradient, slots);
    }
);

/// Adam whose first steps are rectified (Liu et al., 2020, *On the Variance of the Adaptive Learning Rate and Beyond*):
/// as [`Adam`] with the learning rate multiplied by r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ)), ρ∞ = 2 / (1 − β₂) − 1 and ρ
/// = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ); while ρ ≤ 5, by m̂ alone. As PyTorch's `optim.RAdam`, eps is added to √v before the
/// correction.
///
/// # Example
/// ```
/// let optimizer: nn::Optimizer = nn::Optimizer::new(nn::RAdam::default(), 1e-3)?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RAdam {
    /// Decay rates of the two moving averages, β₁ and β₂, in [0, 1): 0.9 and 0.999 by default.
    pub betas: (f64, f64),
    /// What is added to the root, above 0: 1e-8 by default.
    pub eps: f64,
    /// The weight decay: 0 by default.
    pub weight_decay: f64,
    /// Whether weight decay is apart from the loss, as [`AdamW`]'s.
    pub decoupled: bool,
}

impl Default for RAdam {
    fn default() -> Self {
        RAdam { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, decoupled: false }
    }
}

rule!(
    RAdam,
    "radam",
    |self| TWO,
    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let (beta_2, m_scale) = (self.betas.1, at.lr / at.correction(self.betas.0));
        let most = 2.0 / (1.0 - beta_2) - 1.0;
        let rho = most - 2.0 * at.t as f64 * power(beta_2, at.t) / at.correction(beta_2);
        // While the variance is not to be known, the root counts for nothing and the divisor is 1.
        let (m_scale, v_scale, eps) = if rho > 5.0 {
            let rectified = (rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho);
            (m_scale * (rectified * at.correction(beta_2)).sqrt(), 1.0, self.eps)
        } else {
            (m_scale, 0.0, 1.0)
        };
        let decay = (at.weight_decay, self.decoupled);
        Moments { betas: self.betas, eps, decay, m_scale, g_scale: 0.0, v_scale }.step(at, weight, gradient, slots);
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_of_momenta_is_that_of_all_until_it_no_longer_counts() {
        for beta in [0.0, 0.5, 0.9, 0.999999] {
            let rule = NAdam { betas: (beta, 0.9), ..NAdam::default() };
            let mut product = 1.0;
            for t in 1..2000 {
                let [now, next, got] = rule.momenta(t);
                let want = |t: u64| beta * (1.0 - 0.5 * libm::pow(0.96, t as f64 * 4e-3));
                product *= want(t);
                assert!((now - want(t)).abs() < 1e-14 && (next - want(t + 1)).abs() < 1e-14);
                assert!((got - product).abs() <= 1e-15, "{beta}, {t}: {got} and {product}");
            }
        }
    }
}
