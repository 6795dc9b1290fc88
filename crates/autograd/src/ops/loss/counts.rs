//! Losses of what is counted.

use tensor::{Float, Real, Tensor, ensure};

use super::gamma::{digamma, digamma_difference, ln_factorial, ln_gamma_ratio};
use super::{Reduction, broadcasts, targets};
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
        none_negative("poisson_nll_loss", "count", &t);
        let (rate, ln) = if log_input {
            (x.exp(), x)
        } else {
            none_negative("poisson_nll_loss", "rate", &x);
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

    /// The negative logarithm of the probability of counts t under negative binomial distributions: of so many successes before
    /// `total_count` failures r, where the predictions x are the logits of success, and which vary more than Poisson's (Greenwood and Yule,
    /// 1920, *An Inquiry into the Nature of Frequency Distributions*). Their mean is r eˣ. PyTorch's
    /// `-distributions.NegativeBinomial(total_count, logits=x).log_prob(t)`.
    ///
    /// y = r ln(1 + eˣ) + t ln(1 + e⁻ˣ) − ln Γ(t + r) + ln Γ(r) + ln t!,  x̄ = ȳ (r σ(x) − t σ(−x)),
    /// r̄ = ȳ (ln(1 + eˣ) − ψ(t + r) + ψ(r)),  t̄ = ȳ (ln(1 + e⁻ˣ) − ψ(t + r) + ψ(t + 1)), where ψ is the slope of ln Γ.
    ///
    /// # Panics
    /// The targets have another shape, `total_count` does not broadcast to it or is not above 0 everywhere, a count is negative, or the values
    /// are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::<f64>::default();
    /// let x = tape.leaf(Tensor::from([0.0, 0.0])); // success and failure are as probable
    /// let loss = x.negative_binomial_nll_loss(Tensor::from([0.0, 1.0]), Tensor::from([1.0]), Reduction::None);
    /// assert!(loss.value().allclose(&Tensor::from([2.0_f64.ln(), 4.0_f64.ln()]), 1e-15, 0.0));
    /// ```
    #[track_caller]
    pub fn negative_binomial_nll_loss(
        self,
        target: impl Operand<'t, T>,
        total_count: impl Operand<'t, T>,
        reduction: Reduction,
    ) -> Self {
        const OP: &str = "negative_binomial_nll_loss";
        let target = targets(OP, self, target);
        let total_count = total_count.into_operand(self.tape()).into_var(self.tape());
        let (x, t, r) = (self.value(), target.value(), total_count.value());
        ensure!(
            broadcasts(r.dims(), x.dims()),
            "{OP}: the total count {} does not broadcast to the predictions {}",
            r.shape(),
            x.shape()
        );
        none_negative(OP, "count", &t);
        if let Some((place, r)) = r.iter().enumerate().find(|&(_, r)| r <= T::ZERO) {
            panic!("{OP}: total count {place} is {}, but must be above 0", r.to_f64());
        }
        // The same for all: then the best constant is known.
        let only = r.iter().next().filter(|&first| r.iter().all(|r| r == first));
        let baseline = only.map_or(Baseline::Unknown, |r| Baseline::Constant {
            targets: 1,
            distance: Distance::NegativeBinomial { total_count: r.to_f64() },
        });
        let r_wide = r.expand(x.shape());
        // In f64: what is lost of ln Γ of a large number is more than the loss.
        let of_counts = t.zip(&r_wide, |t, r| {
            let (t, r) = (t.to_f64(), r.to_f64());
            T::from_f64(ln_factorial(t) - ln_gamma_ratio(r, t))
        });
        // Of no success, the logarithm has no weight, even where none is possible.
        let (failure, success) = (x.softplus(), (-&x).softplus());
        let losses = &r_wide * &failure + (&t * &success).masked_fill(&t.eq(T::ZERO), T::ZERO) + of_counts;
        let record = self.record(Op::new(OP, Role::Loss { predictions: 0, baseline }), losses).joint(
            &[self, target, total_count],
            move |g, shares| {
                shares.give(1, || {
                    let slope = |t: T, r: T| T::from_f64(digamma(t.to_f64() + 1.0) - digamma(t.to_f64() + r.to_f64()));
                    &g * (&success + t.zip(&r_wide, slope))
                });
                shares.give(2, || {
                    let slope = |t: T, r: T| T::from_f64(digamma_difference(r.to_f64(), t.to_f64()));
                    (&g * (&failure - t.zip(&r_wide, slope))).sum_to(r.shape())
                });
                shares.give(0, || g * (&r_wide * x.sigmoid() - &t * (-&x).sigmoid()));
            },
        );
        reduction.of(record.done())
    }
}

/// What a prediction x of a count costs by [`Var::negative_binomial_nll_loss`].
pub(crate) fn negative_binomial(x: f64, total_count: f64, count: f64) -> f64 {
    let softplus = |x: f64| x.max(0.0) + Real::ln_1p(Real::exp(-x.abs()));
    let of_successes = if count > 0.0 { count * softplus(-x) } else { 0.0 };
    total_count * softplus(x) + of_successes + ln_factorial(count) - ln_gamma_ratio(total_count, count)
}

#[track_caller]
fn none_negative<T: Float>(op: &str, what: &str, x: &Tensor<T>) {
    if let Some((place, x)) = x.iter().enumerate().find(|&(_, x)| x < T::ZERO) {
        panic!("{op}: {what} {place} is {}, but none may be negative", x.to_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn of_negative_binomials_too() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY]));
        let losses = x.negative_binomial_nll_loss(Tensor::from([0.0, 1.0, 0.0]), 2.0, Reduction::None);
        assert_eq!(losses.value(), Tensor::from([0.0, f32::INFINITY, f32::INFINITY]));
        let gradients = losses.backward_with(Tensor::ones([3]));
        assert_eq!(gradients.get(x), Some(&Tensor::from([0.0, -1.0, 2.0])));
        for (x, count) in [(-0.5, 0.0), (1.5, 7.0)] {
            let loss =
                tape.leaf(Tensor::scalar(x)).negative_binomial_nll_loss(Tensor::scalar(count), 3.5, Reduction::Sum);
            let want = negative_binomial(f64::from(x), 3.5, f64::from(count));
            assert!((f64::from(loss.item()) - want).abs() < 1e-6);
        }
    }

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
