//! The focal loss.

use tensor::{Float, Tensor};

use super::{Reduction, targets};
use crate::ops::Operand;
use crate::{Baseline, Op, Role, Var};

/// Options of [`Var::sigmoid_focal_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focal {
    /// What the loss of the positives, t = 1, is multiplied by, and that of the negatives by the rest to 1. `None` weighs neither.
    pub alpha: Option<f64>,
    /// How much less counts what is known already; 0 is the binary cross-entropy.
    pub gamma: f64,
    /// What is made of the losses.
    pub reduction: Reduction,
}

impl Default for Focal {
    fn default() -> Self {
        Focal { alpha: Some(0.25), gamma: 2.0, reduction: Reduction::Mean }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The focal loss of logits x with targets t of the same shape: the binary cross-entropy, of which less counts the more probable the
    /// target is already, for classes of which one is rare (Lin et al., 2017, *Focal Loss for Dense Object Detection*). torchvision's
    /// function of this name, whose reduction is none by default.
    ///
    /// y = a qᵞ b with b the loss of [`bce_with_logits_loss`](Self::bce_with_logits_loss), q = (1 − t) σ(x) + t σ(−x), which is what the target
    /// is not expected by, and a = α t + (1 − α) (1 − t). x̄ = ȳ a (qᵞ (σ(x) − t) + γ qᵞ⁻¹ b (1 − 2t) σ(x) σ(−x)).
    ///
    /// # Panics
    /// The targets have another shape, `alpha` is not in 0..=1, `gamma` is below 0 or no number, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Focal, Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0, 3.0]));
    /// let t = Tensor::from([1.0, 1.0]);
    /// let all = Focal { reduction: Reduction::None, ..Focal::default() };
    /// let losses = x.sigmoid_focal_loss(&t, all).value();
    /// assert!((losses.get(&[0]).unwrap() - 0.25 * 0.25 * 2.0_f32.ln()).abs() < 1e-7);
    /// assert!(losses.get(&[1]).unwrap() < 1e-4); // is known already
    /// ```
    #[track_caller]
    pub fn sigmoid_focal_loss(self, target: impl Operand<'t, T>, options: Focal) -> Self {
        const OP: &str = "sigmoid_focal_loss";
        let Focal { alpha, gamma, reduction } = options;
        let target = targets(OP, self, target);
        if let Some(alpha) = alpha.filter(|alpha| !(0.0..=1.0).contains(alpha)) {
            panic!("{OP}: alpha is {alpha}, but must be in 0..=1{}", tensor::Whereabouts);
        }
        assert!(
            gamma >= 0.0 && gamma.is_finite(),
            "{OP}: gamma is {gamma}, but must be at least 0{}",
            tensor::Whereabouts
        );
        let (x, t) = (self.value(), target.value());
        let others = -&t + T::ONE;
        let (yes, no) = (x.sigmoid(), (-&x).sigmoid());
        // Each class by itself: of what is not a target, nothing is multiplied, however improbable it is.
        let surprise = x.softplus().masked_mul(&others) + (-&x).softplus().masked_mul(&t);
        let miss = &others * &yes + &t * &no;
        let power = miss.powf(T::from_f64(gamma));
        let balance = alpha.map(|alpha| &t * T::from_f64(2.0 * alpha - 1.0) + T::from_f64(1.0 - alpha));
        // As the target becomes certain, its share falls faster than its surprise grows.
        let plain = power.clone().masked_mul(&surprise);
        let losses = balance.as_ref().map_or_else(|| plain.clone(), |balance| &plain * balance);
        // With no knowledge, both are as probable.
        let value = std::f64::consts::LN_2 * tensor::Real::powf(0.5, gamma);
        let factor = balance.as_ref().map(|balance| self.tape().constant(balance.clone()));
        let baseline = match factor {
            None => Baseline::Value(value),
            Some(_) => Baseline::Weighted { value, factors: [Some(2), None] },
        };
        let mut inputs = vec![self, target];
        inputs.extend(factor);
        let record = self.record(Op::new(OP, Role::Loss { predictions: 0, baseline }), losses).joint(
            &inputs,
            move |g, shares| {
                let weigh = |x: Tensor<T>| balance.as_ref().map_or_else(|| x.clone(), |balance| &x * balance);
                // γ qᵞ⁻¹ b: where nothing is missed, there is nothing to win.
                let certain = miss.eq(T::ZERO);
                let steep = (miss.powf(T::from_f64(gamma - 1.0)) * T::from_f64(gamma)).masked_mul(&surprise);
                let steep = steep.masked_fill(&certain, T::ZERO);
                shares.give(1, || {
                    let mut slope =
                        weigh((&no - &yes) * &steep - (&power * &x).masked_fill(&power.eq(T::ZERO), T::ZERO));
                    if let Some(alpha) = alpha {
                        slope = slope + &plain * T::from_f64(2.0 * alpha - 1.0);
                    }
                    &g * slope
                });
                shares.give(0, || {
                    let of_miss = (&t * T::from_f64(-2.0) + T::ONE) * (&yes * &no) * &steep;
                    &g * weigh(&power * (&others * &yes - &t * &no) + of_miss)
                });
            },
        );
        reduction.of(record.done())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bce, Tape};

    #[test]
    fn without_a_focus_it_is_the_cross_entropy() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([-3.0, 0.5, 200.0, -200.0]));
        let t = Tensor::from([1.0, 0.0, 1.0, 1.0]);
        let focal = x.sigmoid_focal_loss(&t, Focal { alpha: None, gamma: 0.0, reduction: Reduction::None });
        let bce = x.bce_with_logits_loss_with(&t, Bce { reduction: Reduction::None, ..Bce::default() });
        assert_eq!(focal.value(), bce.value());
        let [a, b] = [focal, bce].map(|y| y.backward_with(Tensor::ones([4])).get(x).unwrap().clone());
        assert!(a.allclose(&b, 1e-6, 0.0));
    }

    #[test]
    fn what_is_certain_costs_nothing_and_pulls_at_nothing() {
        for gamma in [0.5, 1.0, 2.0] {
            let tape = Tape::new();
            let x = tape.leaf(Tensor::from([f32::INFINITY, f32::NEG_INFINITY, 200.0, f32::INFINITY]));
            let t = Tensor::from([1.0, 0.0, 1.0, 0.0]);
            let losses = x.sigmoid_focal_loss(&t, Focal { alpha: None, gamma, reduction: Reduction::None });
            assert_eq!(losses.value(), Tensor::from([0.0, 0.0, 0.0, f32::INFINITY]));
            let gradients = losses.backward_with(Tensor::from([1.0, 1.0, 1.0, 0.0]));
            assert_eq!(gradients.get(x).unwrap().slice(0, ..3), Tensor::zeros([3]), "{gamma}");
        }
    }

    #[test]
    #[should_panic(expected = "sigmoid_focal_loss: alpha is 2, but must be in 0..=1")]
    fn a_share_is_one() {
        let tape = Tape::new();
        tape.leaf(Tensor::zeros([2]))
            .sigmoid_focal_loss(Tensor::zeros([2]), Focal { alpha: Some(2.0), ..Focal::default() });
    }
}
