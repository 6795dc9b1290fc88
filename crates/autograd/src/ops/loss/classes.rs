//! Losses of choices among classes.

use tensor::{Float, Pullback, Tensor, ensure};

use super::{Reduction, targets};
use crate::ops::Operand;
use crate::{Baseline, Op, Role, Var};

/// Options of [`Var::cross_entropy_with`] and [`Var::soft_cross_entropy`].
///
/// # Example
/// ```
/// use autograd::{CrossEntropy, Tape};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// let logits = tape.leaf(Tensor::<f32>::zeros([2, 27]));
/// let options = CrossEntropy { ignore_index: Some(-100), label_smoothing: 0.1, ..CrossEntropy::default() };
/// let loss = logits.cross_entropy_with(&Tensor::from([3, -100]), options);
/// assert!((loss.item() - 27.0_f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy<'a, T: Float = f32> {
    /// By what the loss of each class is multiplied, `[C]`. A mean is then divided by the weights of the targets' classes, as in PyTorch.
    pub weight: Option<&'a Tensor<T>>,
    /// Examples of this class have no loss and no gradient, and do not count in a mean. PyTorch's default is −100; here each class must be
    /// one, unless this is given.
    pub ignore_index: Option<i64>,
    /// The share ε of each target that is spread over all C classes (Szegedy et al., 2016, *Rethinking the Inception Architecture for
    /// Computer Vision*).
    pub label_smoothing: f64,
    /// What is made of the losses.
    pub reduction: Reduction,
}

impl<T: Float> Default for CrossEntropy<'_, T> {
    fn default() -> Self {
        CrossEntropy { weight: None, ignore_index: None, label_smoothing: 0.0, reduction: Reduction::Mean }
    }
}

/// Options of [`Var::nll_loss_with`], which are those of [`CrossEntropy`] but for the smoothing.
#[derive(Clone, Copy, Debug)]
pub struct NllLoss<'a, T: Float = f32> {
    /// By what the loss of each class is multiplied, `[C]`.
    pub weight: Option<&'a Tensor<T>>,
    /// Examples of this class have no loss.
    pub ignore_index: Option<i64>,
    /// What is made of the losses.
    pub reduction: Reduction,
}

impl<T: Float> Default for NllLoss<'_, T> {
    fn default() -> Self {
        NllLoss { weight: None, ignore_index: None, reduction: Reduction::Mean }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The mean cross-entropy of logits `[…, C]` with class numbers `[…]`, in nats: with no knowledge, ln C.
    ///
    /// y = mean of ln Σₖ exp xₖ − xₜ, computed together with the softmax p so that nothing overflows;
    /// x̄ᵢⱼ = ȳ (pᵢⱼ − \[j = tᵢ]) / N. Without examples it is NaN, as in PyTorch.
    ///
    /// # Panics
    /// The shapes do not fit, or a class is negative or not below C.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let logits = tape.leaf(Tensor::<f32>::zeros([2, 27]));
    /// let loss = logits.cross_entropy(&Tensor::from([0, 26]));
    /// assert!((loss.item() - 27.0_f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn cross_entropy(self, classes: &Tensor<i64>) -> Self {
        let (losses, p) = self.peek().cross_entropy(classes);
        let (classes, share) = (classes.clone(), T::from_f64(1.0 / losses.numel() as f64));
        self.record(Op::new("cross_entropy", by_classes(p.size(-1))), losses.mean(..))
            .wrt(self, move |g| (g * share).expand(classes.shape()).pullback(Pullback::CrossEntropy(&classes), &p))
            .done()
    }

    /// As [`cross_entropy`](Self::cross_entropy), with options.
    ///
    /// The loss of an example of class t is (1 − ε) wₜ lₜ + ε Σₖ wₖ lₖ / C with l = −ln softmax x; a mean is divided by the sum of all
    /// wₜ, which are 1 without weights and 0 where t is ignored. If all are ignored, the mean is NaN, as in PyTorch.
    ///
    /// # Panics
    /// As there, or the weight is not `[C]`, or ε not in 0..=1.
    #[track_caller]
    pub fn cross_entropy_with(self, classes: &Tensor<i64>, options: CrossEntropy<'_, T>) -> Self {
        let CrossEntropy { weight, ignore_index, label_smoothing, reduction } = options;
        if weight.is_none() && ignore_index.is_none() && label_smoothing == 0.0 && reduction == Reduction::Mean {
            return self.cross_entropy(classes);
        }
        let smoothing = self.check_smoothing(label_smoothing);
        let chosen = Chosen::of("cross_entropy", self, classes, weight, ignore_index);
        let losses = if smoothing == T::ZERO {
            let (losses, p) = self.peek().cross_entropy(&chosen.classes);
            let (factor, classes) = (chosen.factor.clone(), chosen.classes.clone());
            let losses = losses.masked_mul(&factor);
            // From a row that does not count nothing goes back, even if its logits are infinite or NaN.
            let p = match p.all_finite() {
                true => p,
                false => p.masked_fill(&factor.eq(T::ZERO).unsqueeze(-1), T::ZERO),
            };
            self.record(Op::new("cross_entropy", by_classes(p.size(-1))), losses)
                .wrt(self, move |g| g.masked_mul(&factor).pullback(Pullback::CrossEntropy(&classes), &p))
                .done()
        } else {
            let size = self.shape().dims().last().copied().unwrap_or(0);
            let of_class = Tensor::one_hot(&chosen.classes, size) * (T::ONE - smoothing);
            let spread = smoothing / T::from_f64(size as f64);
            self.cross_entropy_of(of_class + spread, weight, Some(&chosen.is_ignored))
        };
        chosen.reduced(losses, reduction)
    }

    /// The cross-entropy of logits `[…, C]` with probabilities of the same shape: −Σₖ tₖ wₖ ln softmax(x)ₖ of each example, and of these
    /// the mean, with weights too, as in PyTorch. The probabilities of an example need not add up to 1: what they add up to counts.
    ///
    /// x̄ⱼ = ȳ (pⱼ Σₖ tₖ wₖ − tⱼ wⱼ);  t̄ⱼ = −ȳ wⱼ ln pⱼ, with p = softmax x.
    ///
    /// # Panics
    /// The targets have another shape, there is an index to ignore, the weight is not `[C]`, ε is not in 0..=1, or the two are on
    /// different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{CrossEntropy, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let logits = tape.leaf(Tensor::<f32>::zeros([1, 2]));
    /// let loss = logits.soft_cross_entropy(&Tensor::from([[0.25, 0.75]]), CrossEntropy::default());
    /// assert!((loss.item() - 2.0_f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn soft_cross_entropy(self, probabilities: impl Operand<'t, T>, options: CrossEntropy<'_, T>) -> Self {
        let CrossEntropy { weight, ignore_index, label_smoothing, reduction } = options;
        ensure!(ignore_index.is_none(), "soft_cross_entropy: probabilities have no index to ignore");
        let target = targets("soft_cross_entropy", self, probabilities);
        let smoothing = self.check_smoothing(label_smoothing);
        let size = target.shape().dims().last().copied().unwrap_or(0);
        let target = match smoothing == T::ZERO {
            true => target,
            false => target * (T::ONE - smoothing) + smoothing / T::from_f64(size as f64),
        };
        reduction.of(self.cross_entropy_of(target, weight, None))
    }

    /// −Σₖ tₖ wₖ ln softmax(x)ₖ of each example that is not ignored.
    #[track_caller]
    fn cross_entropy_of(
        self,
        target: impl Operand<'t, T>,
        weight: Option<&Tensor<T>>,
        is_ignored: Option<&Tensor<bool>>,
    ) -> Self {
        let x = self.value();
        ensure!(x.rank() > 0, "cross_entropy: needs logits [..., C], got {}", x.shape());
        let target = target.into_operand(self.tape()).into_var(self.tape());
        let (ln, size) = (x.log_softmax(-1), x.size(-1));
        let weight = weight.map(|weight| checked("cross_entropy", weight, size).clone());
        let wanted = weight.as_ref().map_or_else(|| target.value(), |weight| target.value() * weight);
        let mut losses = -ln.clone().masked_mul(&wanted).sum(-1);
        if let Some(is_ignored) = is_ignored {
            losses = losses.masked_fill(is_ignored, T::ZERO);
        }
        let is_ignored = is_ignored.cloned();
        self.record(Op::new("soft_cross_entropy", by_classes(size)), losses)
            .joint(&[self, target], move |g, shares| {
                let g = match &is_ignored {
                    Some(is_ignored) => g.masked_fill(is_ignored, T::ZERO),
                    None => g,
                };
                let g = g.unsqueeze(-1);
                shares.give(1, || {
                    let share = -(&g * &ln);
                    weight.as_ref().map_or_else(|| share.clone(), |weight| share.clone().masked_mul(weight))
                });
                shares.give(0, || {
                    let share = (ln.exp() * wanted.sum(tensor::keepdim(-1)) - &wanted) * &g;
                    if share.all_finite() {
                        return share;
                    }
                    // A row without targets, or whose targets have no weight, does not count either.
                    let silent = wanted.eq(T::ZERO).all(tensor::keepdim(-1));
                    let silent = match &is_ignored {
                        Some(is_ignored) => silent.logical_or(&is_ignored.unsqueeze(-1)),
                        None => silent,
                    };
                    share.masked_fill(&silent, T::ZERO)
                });
            })
            .done()
    }

    #[track_caller]
    fn check_smoothing(self, smoothing: f64) -> T {
        ensure!((0.0..=1.0).contains(&smoothing), "cross_entropy: the smoothing is {smoothing}, but must be in 0..=1");
        T::from_f64(smoothing)
    }

    /// The mean negative of the logarithms of probabilities `[…, C]` at class numbers `[…]`: y = −Σ xₜ / N, with x̄ = −ȳ / N there and 0
    /// elsewhere. What [`cross_entropy`](Self::cross_entropy) makes of logits in one op.
    ///
    /// # Panics
    /// The shapes do not fit, or a class is negative or not below C.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[-0.5, -1.0], [-2.0, -0.25]]));
    /// assert_eq!(x.nll_loss(&Tensor::from([0, 0])).item(), 1.25);
    /// ```
    #[track_caller]
    pub fn nll_loss(self, classes: &Tensor<i64>) -> Self {
        self.nll_loss_with(classes, NllLoss::default())
    }

    /// As [`nll_loss`](Self::nll_loss), with options; a mean is divided as that of [`cross_entropy_with`](Self::cross_entropy_with).
    ///
    /// # Panics
    /// As there, or the weight is not `[C]`.
    #[track_caller]
    pub fn nll_loss_with(self, classes: &Tensor<i64>, options: NllLoss<'_, T>) -> Self {
        let chosen = Chosen::of("nll_loss", self, classes, options.weight, options.ignore_index);
        let (places, factor, shape) = (chosen.classes.unsqueeze(-1), chosen.factor.clone(), self.shape());
        let losses = -self.value().gather(-1, &places).squeeze(-1).masked_mul(&factor);
        let record = self
            .record(Op::new("nll_loss", by_classes(shape.dims().last().copied().unwrap_or(0))), losses)
            .wrt(self, move |g| Tensor::zeros(&shape).scatter_add(-1, &places, &-g.masked_mul(&factor).unsqueeze(-1)));
        chosen.reduced(record.done(), options.reduction)
    }
}

/// What a mean is called that is NaN, as it is of nothing: so whoever looks for the first NaN finds the reason.
const OF_NONE: &str = "mean over targets that are all ignored or without weight";

fn by_classes(classes: usize) -> Role {
    Role::Loss { predictions: 0, baseline: Baseline::Classes(classes) }
}

#[track_caller]
fn checked<'a, T: Float>(op: &str, weight: &'a Tensor<T>, classes: usize) -> &'a Tensor<T> {
    ensure!(weight.dims() == [classes], "{op}: {classes} classes need weights of [{classes}], got {}", weight.shape());
    weight
}

/// The classes of examples, and how much each of these counts.
struct Chosen<T: Float> {
    /// Those that are ignored are 0.
    classes: Tensor<i64>,
    is_ignored: Tensor<bool>,
    /// The weight of the class, or 0 where it is ignored.
    factor: Tensor<T>,
}

impl<T: Float> Chosen<T> {
    #[track_caller]
    fn of(
        op: &'static str,
        x: Var<'_, T>,
        classes: &Tensor<i64>,
        weight: Option<&Tensor<T>>,
        ignore_index: Option<i64>,
    ) -> Self {
        let x = x.value();
        let is_ignored = match ignore_index {
            Some(index) => classes.eq(index),
            None => Tensor::full(classes.shape(), false),
        };
        let classes = classes.clone().masked_fill(&is_ignored, 0);
        let size = x.check_classes(op, &classes);
        let factor = match weight {
            Some(weight) => checked(op, weight, size).take(&classes),
            None => Tensor::ones(classes.shape()),
        };
        let factor = factor.masked_fill(&is_ignored, T::ZERO);
        Chosen { classes, is_ignored, factor }
    }

    /// A mean is one of what counts.
    #[track_caller]
    fn reduced<'t>(&self, losses: Var<'t, T>, reduction: Reduction) -> Var<'t, T> {
        match reduction {
            Reduction::Mean => {
                let (sum, count) = (losses.sum(..), self.factor.sum(..).item());
                if count == T::ZERO {
                    // NaN, as in PyTorch.
                    return sum
                        .record(Op::new(OF_NONE, Role::Scaling), sum.value() / count)
                        .wrt(sum, move |g| g / count)
                        .done();
                }
                sum / count
            }
            _ => reduction.of(losses),
        }
    }
}

#[cfg(test)]
mod tests {
    use tensor::Tensor;

    #[test]
    fn without_examples_the_mean_is_not_a_number() {
        let tape = crate::Tape::new();
        let logits = tape.leaf(Tensor::zeros([0, 4]));
        let loss = logits.cross_entropy(&Tensor::zeros([0]));
        assert!(loss.item().is_nan());
        assert_eq!(loss.backward().get(logits).unwrap().dims(), [0, 4]);
    }
}
