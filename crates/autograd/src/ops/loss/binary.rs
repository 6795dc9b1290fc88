//! Losses of choices between two.

use tensor::{Float, Tensor, ensure};

use super::{Reduction, broadcasts, targets};
use crate::ops::Operand;
use crate::{Baseline, Op, Role, Tape, Var};

/// Options of [`Var::bce_loss_with`] and [`Var::bce_with_logits_loss_with`].
///
/// # Example
/// ```
/// use autograd::{Bce, Reduction};
/// use tensor::Tensor;
///
/// let rare = Tensor::from([9.0]);
/// let options = Bce { pos_weight: Some(&rare), reduction: Reduction::Sum, ..Bce::default() };
/// # let _: Bce<f32> = options;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bce<'a, T: Float = f32> {
    /// By what the loss of each element is multiplied; it broadcasts to the losses.
    pub weight: Option<&'a Tensor<T>>,
    /// By what the loss of the positives, t = 1, is multiplied, such as negatives / positives; it broadcasts to the losses. Only for
    /// logits, as in PyTorch.
    pub pos_weight: Option<&'a Tensor<T>>,
    /// What is made of the losses.
    pub reduction: Reduction,
}

impl<T: Float> Default for Bce<'_, T> {
    fn default() -> Self {
        Bce { weight: None, pos_weight: None, reduction: Reduction::Mean }
    }
}

/// The role of a loss in which a prediction of one half costs ln 2, times these factors, which are put on the tape for its readers.
fn role<'t, T: Float>(tape: &'t Tape<T>, factors: [Option<&Tensor<T>>; 2]) -> (Role, Vec<Var<'t, T>>) {
    let mut inputs = Vec::new();
    let places = factors.map(|factor| {
        inputs.push(tape.constant(factor?.clone()));
        Some(1 + inputs.len())
    });
    let value = std::f64::consts::LN_2;
    let baseline =
        if inputs.is_empty() { Baseline::Value(value) } else { Baseline::Weighted { value, factors: places } };
    (Role::Loss { predictions: 0, baseline }, inputs)
}

impl<'t, T: Float> Var<'t, T> {
    /// The mean binary cross-entropy of probabilities x with targets t of the same shape, in nats: with no knowledge, ln 2.
    ///
    /// y = −Σ (t ln x + (1 − t) ln(1 − x)) / n, where logarithms are at least −100, as in PyTorch;  x̄ = ȳ (x − t) / (x (1 − x)) / n, where
    /// the divisor is at least 1e-12;  t̄ = ȳ (ln(1 − x) − ln x) / n. Of logits there is
    /// [`bce_with_logits_loss`](Self::bce_with_logits_loss), which loses nothing near 0 and 1.
    ///
    /// # Panics
    /// The targets have another shape, or the two are on different tapes. A probability or a target is below 0 or above 1, unless a
    /// diagnosis looks on, which says so itself; NaN is let through.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.5_f32, 0.5]));
    /// let loss = x.bce_loss(&Tensor::from([0.0, 1.0])).item();
    /// assert!((loss - 2.0_f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn bce_loss(self, targets: impl Operand<'t, T>) -> Self {
        self.bce_loss_with(targets, Bce::default())
    }

    /// As [`bce_loss`](Self::bce_loss), with options.
    ///
    /// # Panics
    /// As there, or with a weight that does not broadcast, or with one of the positives.
    #[track_caller]
    pub fn bce_loss_with(self, target: impl Operand<'t, T>, options: Bce<'_, T>) -> Self {
        ensure!(options.pos_weight.is_none(), "bce_loss: a weight of the positives is for bce_with_logits_loss");
        let target = targets("bce_loss", self, target);
        let (x, t) = (self.value(), target.value());
        // A diagnosis says more of it than a panic can.
        if !self.tape().keeps_segments.get() {
            within_0_and_1("probabilities", &x, "; of logits there is `bce_with_logits_loss`");
            within_0_and_1("targets", &t, ": is it a loss of classes that is meant, or of squares?");
        }
        let least = Tensor::scalar(T::from_f64(-100.0));
        let (yes, no) = (x.ln().maximum(&least), (-&x).ln_1p().maximum(&least));
        let losses = -(&t * &yes + (-&t + T::ONE) * &no);
        let weight = options.weight.cloned();
        let losses = weighted(losses, &weight);
        let (role, factors) = role(self.tape(), [None, weight.as_ref()]);
        let record = self.record(Op::new("bce_loss", role), losses).joint(
            &[&[self, target], &factors[..]].concat(),
            move |g, shares| {
                let g = weighted(g, &weight);
                shares.give(1, || counted(&g * (&no - &yes), &weight));
                shares.give(0, || {
                    let divisor = (&x * (-&x + T::ONE)).maximum(T::from_f64(1e-12));
                    counted(g * (&x - &t) / divisor, &weight)
                });
            },
        );
        options.reduction.of(record.done())
    }

    /// The mean binary cross-entropy of logits x with targets t of the same shape, in nats: with no knowledge, ln 2. It is
    /// [`bce_loss`](Self::bce_loss) of σ(x), and nothing is lost.
    ///
    /// y = Σ ((1 − t) x + ln(1 + e⁻ˣ)) / n,  x̄ = ȳ (σ(x) − t) / n,  t̄ = −ȳ x / n.
    ///
    /// # Panics
    /// The targets have another shape, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1000.0, 0.0]));
    /// let loss = x.bce_with_logits_loss(&Tensor::from([0.0, 1.0]));
    /// assert_eq!(loss.backward().get(x), Some(&Tensor::from([0.5, -0.25])));
    /// ```
    #[track_caller]
    pub fn bce_with_logits_loss(self, targets: impl Operand<'t, T>) -> Self {
        self.bce_with_logits_loss_with(targets, Bce::default())
    }

    /// As [`bce_with_logits_loss`](Self::bce_with_logits_loss), with options. With a weight p of the positives:
    /// y = (1 − t) x + (1 + (p − 1) t) ln(1 + e⁻ˣ), and t̄ = ȳ (p ln(1 + e⁻ˣ) − ln(1 + eˣ)).
    ///
    /// # Panics
    /// As there, or with a weight that does not broadcast.
    #[track_caller]
    pub fn bce_with_logits_loss_with(self, target: impl Operand<'t, T>, options: Bce<'_, T>) -> Self {
        let target = targets("bce_with_logits_loss", self, target);
        let (x, t) = (self.value(), target.value());
        let positive = options.pos_weight.cloned();
        // 1 + (p − 1) t
        let factor = positive.as_ref().map(|p| &t * (p - T::ONE) + T::ONE);
        let rest = (-&x).softplus();
        let others = -&t + T::ONE;
        let mut losses = &others * &x + factor.as_ref().map_or_else(|| rest.clone(), |factor| &rest * factor);
        let infinite = x.isinf();
        if infinite.any(..).item() {
            // Each class by itself: of what is not a target, nothing is multiplied, however improbable it is.
            let of_yes = positive.as_ref().map_or_else(|| rest.clone(), |p| rest.clone().masked_mul(p));
            let apart = of_yes.masked_mul(&t) + x.softplus().masked_mul(&others);
            losses = infinite.where_cond(&apart, &losses);
        }
        let weight = options.weight.cloned();
        let losses = weighted(losses, &weight);
        let (role, factors) = role(self.tape(), [factor.as_ref(), weight.as_ref()]);
        let record = self.record(Op::new("bce_with_logits_loss", role), losses).joint(
            &[&[self, target], &factors[..]].concat(),
            move |g, shares| {
                let g = weighted(g, &weight);
                shares.give(1, || {
                    let slope = match &positive {
                        None => -(&g * &x),
                        Some(p) => &g * (rest.clone().masked_mul(p) - x.softplus()),
                    };
                    counted(slope, &weight)
                });
                shares.give(0, || {
                    // σ(−x), which loses nothing where σ(x) is near 1.
                    let unlikely = (-&x).sigmoid();
                    let taken = factor.as_ref().map_or_else(|| unlikely.clone(), |factor| &unlikely * factor);
                    counted(g * (&others - taken), &weight)
                });
            },
        );
        options.reduction.of(record.done())
    }
}

/// Makes sure that what is no NaN is a share. A loss beyond would fall without end.
#[track_caller]
fn within_0_and_1<T: Float>(what: &str, x: &Tensor<T>, hint: &str) {
    if x.is_empty() {
        return;
    }
    let (min, max) = (x.min(..).item(), x.max(..).item());
    let beyond = if min < T::ZERO { min } else { max };
    ensure!(!(min < T::ZERO || max > T::ONE), "bce_loss: takes {what} from 0 to 1, and is given {beyond}{hint}");
}

#[track_caller]
fn weighted<T: Float>(losses: Tensor<T>, weight: &Option<Tensor<T>>) -> Tensor<T> {
    let Some(weight) = weight else { return losses };
    ensure!(
        broadcasts(weight.dims(), losses.dims()),
        "a weight {} does not broadcast to the losses {}",
        weight.shape(),
        losses.shape()
    );
    losses.masked_mul(weight)
}

/// A gradient without what has no weight, whatever it was: infinite or NaN.
fn counted<T: Float>(gradient: Tensor<T>, weight: &Option<Tensor<T>>) -> Tensor<T> {
    match weight.as_ref().map(|weight| weight.eq(T::ZERO)).filter(|none| none.any(..).item()) {
        Some(none) => gradient.masked_fill(&none, T::ZERO),
        None => gradient,
    }
}
