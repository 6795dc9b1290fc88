//! Losses of what is counted.

use tensor::{Float, Tensor};

use super::{Reduction, targets};
use crate::ops::Operand;
use crate::{Baseline, Distance, Op, Role, Var};

/// Options of [`Var::poisson_nll_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNll {
    /// Whether the predictions are logarithms of rates, and not rates.
    pub log_input: bool,
    /// Whether ln t!, which changes no gradient of predictions, is in the loss: by Stirling's formula, for t above 1.
    pub full: bool,
    /// What is added to rates, whose logarithm is taken.
    pub eps: f64,
    /// What is made of the losses.
    pub reduction: Reduction,
}

impl Default for PoissonNll {
    fn default() -> Self {
        PoissonNll { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The negative logarithm of the probability of counts t under Poisson distributions (1837, *Recherches sur la probabilité des
    /// jugements*), of which the predictions x are the logarithms of the rates: eˣ − t x, and eˣ alone where t is 0;
    /// x̄ = ȳ (eˣ − t),  t̄ = −ȳ x. Where they are the rates, x − t ln (x + eps);  x̄ = ȳ (1 − t / (x + eps)),  t̄ = −ȳ ln (x + eps). With
    /// [`full`](PoissonNll::full), t ln t − t + ½ ln 2πt more where t is above 1;  t̄ more by ȳ (ln t + 1 / 2t).
    ///
    /// # Panics
    /// The targets have another shape, a count or a rate is negative, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{PoissonNll, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0, 0.0])); // a rate of 1
    /// let loss = x.poisson_nll_loss(&Tensor::from([0.0, 3.0]), PoissonNll::default());
    /// assert_eq!(loss.item(), 1.0);
    /// assert_eq!(loss.backward().get(x).unwrap(), &Tensor::from([0.5, -1.0]));
    /// ```
    #[doc(alias = "PoissonNLLLoss")]
    #[track_caller]
    pub fn poisson_nll_loss(self, target: impl Operand<'t, T>, options: PoissonNll) -> Self {
        let target = targets("poisson_nll_loss", self, target);
        let PoissonNll { log_input, full, eps, reduction } = options;
        let (x, t) = (self.value(), target.value());
        none_negative("count", &t);
        let (rate, ln) = if log_input {
            (x.exp(), x)
        } else {
            none_negative("rate", &x);
            (x.clone(), (x + T::from_f64(eps)).ln())
        };
        // Of no count, the logarithm has no weight, even where the rate is 0.
        let mut losses = &rate - (&t * &ln).masked_fill(&t.eq(T::ZERO), T::ZERO);
        let few = t.le(T::ONE);
        if full {
            let of_two_pi = (&t * T::from_f64(std::f64::consts::TAU)).ln() * T::from_f64(0.5);
            losses = losses + (t.ln() * &t - &t + of_two_pi).masked_fill(&few, T::ZERO);
        }
        let baseline = Baseline::Constant { targets: 1, distance: Distance::Poisson { full } };
        let record = self.record(Op::new("poisson_nll_loss", Role::Loss { predictions: 0, baseline }), losses).joint(
            &[self, target],
            move |g, shares| {
                shares.give(1, || {
                    let slope = -&ln;
                    let more = |t: &Tensor<T>| (t.ln() + t.recip() * T::from_f64(0.5)).masked_fill(&few, T::ZERO);
                    &g * if full { slope + more(&t) } else { slope }
                });
                shares.give(0, || match log_input {
                    true => g * (&rate - &t),
                    false => g * (-(&t / (&rate + T::from_f64(eps))) + T::ONE),
                });
            },
        );
        reduction.of(record.done())
    }
}

#[track_caller]
fn none_negative<T: Float>(what: &str, x: &Tensor<T>) {
    if let Some((place, x)) = x.iter().enumerate().find(|&(_, x)| x < T::ZERO) {
        panic!("poisson_nll_loss: {what} {place} is {}, but none may be negative", x.to_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn no_count_at_no_rate_costs_nothing_and_one_costs_all() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0]));
        let options = PoissonNll { reduction: Reduction::None, ..PoissonNll::default() };
        let losses = x.poisson_nll_loss(Tensor::from([0.0, 1.0, 2.0]), options);
        assert_eq!(losses.value(), Tensor::from([0.0, f32::INFINITY, 1.0]));
        let gradients = losses.backward_with(Tensor::ones([3]));
        assert_eq!(gradients.get(x), Some(&Tensor::from([0.0, -1.0, -1.0])));
        // Of no losses the mean is none.
        let none = tape.leaf(Tensor::zeros([0]));
        assert!(none.poisson_nll_loss(Tensor::zeros([0]), PoissonNll::default()).item().is_nan());
    }
}
