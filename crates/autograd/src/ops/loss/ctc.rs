//! Connectionist temporal classification.

use std::sync::OnceLock;

use tensor::{Float, Real, Tensor, ensure};

use super::Reduction;
use super::gamma::ln_gamma_ratio;
use crate::{Baseline, Op, Role, Var};

/// Options of [`Var::ctc_loss`].
///
/// # Example
/// ```
/// use autograd::Ctc;
///
/// let options = Ctc { lengths: Some(&[50, 44]), target_lengths: Some(&[7, 5]), ..Ctc::default() };
/// assert_eq!(options.blank, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ctc<'a> {
    /// The class that stands for none, and for the end of one that is repeated.
    pub blank: usize,
    /// How many steps each example has; `None` is all of them.
    pub lengths: Option<&'a [usize]>,
    /// How many targets each example has; `None` is all of them.
    pub target_lengths: Option<&'a [usize]>,
    /// What is made of the losses: of a mean, each is divided by the number of its targets before, as in PyTorch.
    pub reduction: Reduction,
    /// Whether a target that no alignment of so few steps can give costs nothing, and not ∞.
    pub zero_infinity: bool,
}

/// What one example costs, and −1 times its gradient: how probable each class is at each step, given the targets.
struct Aligned {
    loss: f64,
    occupancy: Vec<f64>,
}

impl<'t, T: Float> Var<'t, T> {
    /// The negative logarithm of the probability of a sequence of classes, whatever step each of them stands at (Graves et al., 2006, *Connectionist
    /// Temporal Classification*): the sum over all alignments of the targets with the steps, where classes may last for several steps, and
    /// blanks stand between. This value has log-probabilities `[N, L, C]`, such as [`log_softmax`](Self::log_softmax) gives; PyTorch's are `[L,
    /// N, C]`. Targets are `[N, S]`, of which those beyond an example's number are not read.
    ///
    /// By forward and backward recursions of logarithms: x̄ = −ȳ γ, where γ is the probability of each class at each step, given the targets.
    /// A target that cannot be aligned costs ∞, and has no gradient.
    ///
    /// # Panics
    /// The shapes do not fit, a length is beyond the sequence or the targets, targets are more than steps, or a target is the blank or no class.
    ///
    /// # Example
    /// ```
    /// use autograd::{Ctc, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::<f64>::default();
    /// let x = tape.leaf(Tensor::zeros([1, 3, 2])); // a blank and one class, as probable
    /// let loss = x.log_softmax(-1).ctc_loss(&Tensor::from([[1]]), Ctc::default());
    /// assert!((loss.item() + (6.0_f64 / 8.0).ln()).abs() < 1e-12); // 6 of 8 alignments
    /// ```
    #[doc(alias = "CTCLoss")]
    #[track_caller]
    pub fn ctc_loss(self, targets: &Tensor<i64>, options: Ctc<'_>) -> Self {
        const OP: &str = "ctc_loss";
        let (x, shape) = (self.value(), self.shape());
        let &[examples, steps, classes] = shape.dims() else {
            panic!("{OP}: log-probabilities [N, L, C] are needed, got {shape}{}", tensor::Whereabouts)
        };
        let (of_targets, blank) = (targets.shape(), options.blank);
        ensure!(
            of_targets.rank() == 2 && of_targets.dims()[0] == examples,
            "{OP}: log-probabilities {shape} need targets [{examples}, S], got {of_targets}"
        );
        ensure!(blank < classes, "{OP}: the blank is {blank}, but there are {classes} classes");
        let most = of_targets.dims()[1];
        let lengths = all(OP, "steps", options.lengths, examples, steps);
        let target_lengths = all(OP, "targets", options.target_lengths, examples, most);
        let targets = targets.to_vec();
        let mut words: Vec<&[i64]> = Vec::with_capacity(examples);
        for (n, (&len, &count)) in lengths.iter().zip(&target_lengths).enumerate() {
            let word = &targets[n * most..][..count];
            ensure!(count <= len, "{OP}: example {n} has {count} targets and {len} steps: each takes one at least");
            for (i, &class) in word.iter().enumerate() {
                ensure!(class != blank as i64, "{OP}: target {i} of example {n} is {class}, which is the blank");
                ensure!(
                    (0..classes as i64).contains(&class),
                    "{OP}: target {i} of example {n} is {class}, but of {classes} classes each must be in 0..={}",
                    classes - 1
                );
            }
            words.push(word);
        }
        // Each example is a task.
        let dense = x.contiguous();
        let data = dense.as_slice().expect("contiguous");
        let found: Vec<OnceLock<Aligned>> = (0..examples).map(|_| OnceLock::new()).collect();
        let (wants, cost) = (self.needs_gradient(), (steps * (2 * most + 1)) as f64 * CELL);
        tensor::for_each(examples, cost, &|n| {
            let rows = &data[n * steps * classes..][..lengths[n] * classes];
            let _ = found[n].set(aligned(rows, classes, words[n], blank, wants));
        });
        let found: Vec<Aligned> = found.into_iter().filter_map(OnceLock::into_inner).collect();
        let divisor = |n: usize| match options.reduction {
            Reduction::Mean => target_lengths[n].max(1) as f64,
            _ => 1.0,
        };
        let loss = |(n, of): (usize, &Aligned)| {
            let loss = if options.zero_infinity && of.loss == f64::INFINITY { 0.0 } else { of.loss };
            T::from_f64(loss / divisor(n))
        };
        let losses: Tensor<T> = found.iter().enumerate().map(loss).collect();
        let even = |n: usize| cost_of_even(lengths[n], words[n], classes) / divisor(n);
        let mean = (0..examples).map(even).sum::<f64>() / examples as f64;
        let baseline = if mean.is_finite() { Baseline::Value(mean) } else { Baseline::Unknown };
        let record = self.record(Op::new(OP, Role::Loss { predictions: 0, baseline }), losses);
        let occupancy: Vec<Tensor<T>> = match wants {
            false => Vec::new(),
            true => found.iter().enumerate().map(|(n, of)| spread(of, divisor(n), [steps, classes])).collect(),
        };
        let record = record.wrt(self, move |g| {
            let of = if occupancy.is_empty() { Tensor::zeros(&shape) } else { Tensor::stack(&occupancy, 0) };
            of * -g.reshape([examples, 1, 1])
        });
        options.reduction.of(record.done())
    }
}

/// What a cell of the recursions takes, in nanoseconds, there and back: measured on sequences of 100 steps and 20 targets (Zen 5).
const CELL: f64 = 60.0;

/// The lengths that are given, or `most` for all.
#[track_caller]
fn all(op: &str, what: &str, given: Option<&[usize]>, examples: usize, most: usize) -> Vec<usize> {
    let Some(given) = given else { return vec![most; examples] };
    let count = given.len();
    ensure!(count == examples, "{op}: {count} numbers of {what}, but there are {examples} examples");
    for (n, &len) in given.iter().enumerate() {
        ensure!(len <= most, "{op}: example {n} has {len} {what}, but there are {most}");
    }
    given.to_vec()
}

/// An example's share of the gradient, with zeros for the steps that it has not.
fn spread<T: Float>(of: &Aligned, divisor: f64, [steps, classes]: [usize; 2]) -> Tensor<T> {
    let mut all = vec![T::ZERO; steps * classes];
    for (to, &share) in all.iter_mut().zip(&of.occupancy) {
        *to = T::from_f64(share / divisor);
    }
    Tensor::from_vec(all, [steps, classes])
}

/// ln(eᵃ + eᵇ)
fn ln_add(a: f64, b: f64) -> f64 {
    let (most, least) = if b > a { (b, a) } else { (a, b) };
    if least == f64::NEG_INFINITY { most } else { most + Real::ln_1p(Real::exp(least - most)) }
}

/// The recursions of Graves et al. (2006), equations 6 to 11, of logarithms. `rows` has a row of log-probabilities for each step.
fn aligned<T: Float>(rows: &[T], classes: usize, word: &[i64], blank: usize, wants: bool) -> Aligned {
    const NONE: f64 = f64::NEG_INFINITY;
    let steps = rows.len() / classes;
    let width = 2 * word.len() + 1;
    // A blank stands before, between and behind.
    let class = |s: usize| if s.is_multiple_of(2) { blank } else { word[s / 2] as usize };
    // Whether a class may follow the one before without a blank.
    let skips = |s: usize| s % 2 == 1 && s >= 3 && word[s / 2] != word[s / 2 - 1];
    let log_p = |t: usize, s: usize| rows[t * classes + class(s)].to_f64();
    if steps == 0 {
        // Only a word without a class is there.
        return Aligned { loss: if word.is_empty() { 0.0 } else { f64::INFINITY }, occupancy: Vec::new() };
    }
    let mut alpha = vec![NONE; steps * width];
    for (s, alpha) in alpha.iter_mut().enumerate().take(width.min(2)) {
        *alpha = log_p(0, s);
    }
    for t in 1..steps {
        let (before, now) = alpha[(t - 1) * width..][..2 * width].split_at_mut(width);
        for s in 0..width {
            let mut sum = before[s];
            if s >= 1 {
                sum = ln_add(sum, before[s - 1]);
            }
            if skips(s) {
                sum = ln_add(sum, before[s - 2]);
            }
            now[s] = sum + log_p(t, s);
        }
    }
    let last = &alpha[(steps - 1) * width..];
    let total = if width > 1 { ln_add(last[width - 1], last[width - 2]) } else { last[0] };
    let mut occupancy = vec![0.0; if wants { rows.len() } else { 0 }];
    if wants && total > NONE {
        // What comes after step t, without the step itself.
        let mut beta = vec![NONE; width];
        beta[width - 1] = 0.0;
        if width > 1 {
            beta[width - 2] = 0.0;
        }
        for t in (0..steps).rev() {
            for s in 0..width {
                occupancy[t * classes + class(s)] += Real::exp(alpha[t * width + s] + beta[s] - total);
            }
            if t == 0 {
                break;
            }
            // In this order, those that are read are still those of the step.
            for s in 0..width {
                let mut sum = beta[s] + log_p(t, s);
                if s + 1 < width {
                    sum = ln_add(sum, beta[s + 1] + log_p(t, s + 1));
                }
                if s + 2 < width && skips(s + 2) {
                    sum = ln_add(sum, beta[s + 2] + log_p(t, s + 2));
                }
                beta[s] = sum;
            }
        }
    }
    Aligned { loss: -total, occupancy }
}

/// What a word costs where all classes are as probable at each step: there are as many alignments as ways to choose 2 S of L + S − R, of S
/// targets of which R repeat the one before.
fn cost_of_even(steps: usize, word: &[i64], classes: usize) -> f64 {
    let repeats = word.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let (all, chosen) = ((steps + word.len() - repeats) as f64, 2.0 * word.len() as f64);
    if chosen > all {
        return f64::INFINITY;
    }
    let ways = ln_gamma_ratio(all - chosen + 1.0, chosen) - ln_gamma_ratio(1.0, chosen);
    steps as f64 * Real::ln(classes as f64) - ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    fn numbers(dims: &[usize]) -> Tensor<f64> {
        let mut i = 0;
        Tensor::from_fn(dims, |_| {
            i += 1;
            (i * 7919 % 1013) as f64 / 507.0 - 1.0
        })
    }

    /// The oracle: every sequence of classes that reads as the word.
    fn by_paths(log_p: &Tensor<f64>, word: &[i64], blank: i64) -> (f64, f64) {
        let &[steps, classes] = log_p.dims() else { unreachable!() };
        let (mut sum, mut count) = (0.0, 0.0);
        for path in 0..classes.pow(steps as u32) {
            let path: Vec<i64> = (0..steps as u32).map(|t| (path / classes.pow(t) % classes) as i64).collect();
            let mut read = path.clone();
            read.dedup();
            read.retain(|&class| class != blank);
            if read == word {
                sum += path.iter().enumerate().map(|(t, &c)| log_p.get(&[t, c as usize]).unwrap()).sum::<f64>().exp();
                count += 1.0;
            }
        }
        (-sum.ln(), (steps as f64) * (classes as f64).ln() - f64::ln(count))
    }

    #[test]
    fn it_is_the_sum_over_all_alignments() {
        for (word, blank) in
            [(&[][..], 0), (&[1][..], 0), (&[1, 1], 0), (&[1, 2, 1], 0), (&[2, 2, 1], 0), (&[0, 1], 2), (&[1, 1, 1], 0)]
        {
            let x = numbers(&[1, 5, 3]);
            let tape = Tape::default();
            let log_p = tape.leaf(x).log_softmax(-1);
            let targets = Tensor::from_vec(word.to_vec(), [1, word.len()]);
            let loss = log_p.ctc_loss(&targets, Ctc { blank, reduction: Reduction::Sum, ..Ctc::default() });
            let (want, even) = by_paths(&log_p.value().select(0, 0), word, blank as i64);
            assert!((loss.item() - want).abs() < 1e-12, "{word:?}: {} for {want}", loss.item());
            assert!((cost_of_even(5, word, 3) - even).abs() < 1e-12, "{word:?}");
        }
    }

    #[test]
    fn a_word_without_an_alignment_costs_all_or_nothing() {
        let tape = Tape::<f64>::default();
        let x = tape.leaf(numbers(&[2, 3, 3]));
        let targets = Tensor::from([[1, 1, 1], [1, 2, 1]]); // the first needs five steps
        for zero_infinity in [false, true] {
            let options = Ctc { reduction: Reduction::None, zero_infinity, ..Ctc::default() };
            let losses = x.log_softmax(-1).ctc_loss(&targets, options);
            let first = losses.value().get(&[0]).unwrap();
            assert_eq!(first, if zero_infinity { 0.0 } else { f64::INFINITY });
            let gradients = losses.backward_with(Tensor::ones([2]));
            let of = gradients.get(x).unwrap();
            assert_eq!(of.select(0, 0), Tensor::zeros([3, 3]));
            assert!(of.select(0, 1).iter().all(f64::is_finite));
        }
    }

    #[test]
    fn what_is_impossible_at_a_step_is_no_part_of_a_word() {
        let tape = Tape::<f64>::default();
        let x = tape.leaf(Tensor::from([[[f64::NEG_INFINITY, 0.0], [0.0, f64::NEG_INFINITY]]]));
        let loss = x.ctc_loss(&Tensor::from([[1]]), Ctc::default());
        assert_eq!(loss.item(), 0.0);
        assert_eq!(loss.backward().get(x), Some(&Tensor::from([[[0.0, -1.0], [-1.0, 0.0]]])));
    }

    #[test]
    fn of_no_steps_only_the_empty_word_is_read() {
        let tape = Tape::<f64>::default();
        let x = tape.leaf(numbers(&[2, 4, 3]));
        let options = Ctc { lengths: Some(&[0, 4]), target_lengths: Some(&[0, 1]), ..Ctc::default() };
        let loss = x.log_softmax(-1).ctc_loss(&Tensor::from([[9, 9], [2, 9]]), options);
        assert!(loss.item().is_finite() && loss.backward().get(x).unwrap().select(0, 0) == Tensor::zeros([4, 3]));
    }

    #[test]
    fn threads_leave_no_trace() {
        let of = |threads| {
            let run = || {
                let tape = Tape::<f64>::default();
                let x = tape.leaf(numbers(&[30, 40, 7]));
                let targets = Tensor::from_fn([30, 9], |i| ((i[0] * 5 + i[1] * 3) % 6 + 1) as i64);
                let loss = x.log_softmax(-1).ctc_loss(&targets, Ctc::default());
                (loss.item(), loss.backward().get(x).unwrap().clone())
            };
            tensor::with_threads(threads, run).unwrap()
        };
        assert!(of(1) == of(3));
    }
}
