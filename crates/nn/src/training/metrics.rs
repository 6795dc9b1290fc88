//! Figures by which predictions are judged: accuracy, F₁, perplexity, R² and their like.
//!
//! Each function measures a part of the data, such as a batch; the parts add up by `+=` to that of all of them, whatever their
//! sizes. [`Fit::evaluate_by`](crate::Fit::evaluate_by) does so by itself.
//!
//! ```
//! use nn::metrics;
//! use tensor::Tensor;
//!
//! let logits = Tensor::from([[2.0, 1.0], [0.0, 3.0], [1.0, 0.5]]);
//! let mut accuracy = metrics::accuracy(&logits, &Tensor::from([0, 1, 1]));
//! accuracy += metrics::accuracy(&Tensor::from([[0.0, 1.0]]), &Tensor::from([1]));
//! assert_eq!(accuracy.value(), 0.75);
//! ```

use std::ops::AddAssign;

use tensor::{Float, Tensor};

use crate::ranks::{Reader, Writer};

/// A figure of some rows, which adds up with that of others. It prints as its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    kind: Kind,
    /// What adds up, by kind.
    sums: Vec<f64>,
    maximize: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A sum, and what it is divided by.
    Mean,
    /// The same, and its root.
    RootMean,
    /// The same, and e to its power.
    ExpMean,
    /// Of each class: hits, false alarms, misses.
    F1,
    /// The number of targets, their mean and the sum of squares about it; and the sum of squared errors.
    R2,
}

/// A label that stands for none, as PyTorch's `ignore_index` has it.
const IGNORED: i64 = -100;

impl Metric {
    fn new(kind: Kind, sums: Vec<f64>, maximize: bool) -> Self {
        Metric { kind, sums, maximize }
    }

    /// Its value; NaN where it is of nothing.
    pub fn value(&self) -> f64 {
        let mean = || self.sums[0] / self.sums[1];
        match self.kind {
            Kind::Mean => mean(),
            Kind::RootMean => mean().sqrt(),
            Kind::ExpMean => mean().exp(),
            Kind::F1 => {
                // A class that neither is nor was predicted has no share.
                let of = |class: &[f64]| {
                    (class.iter().sum::<f64>() > 0.0).then(|| 2.0 * class[0] / (class[0] + class.iter().sum::<f64>()))
                };
                let scores: Vec<f64> = self.sums.chunks_exact(3).filter_map(of).collect();
                scores.iter().sum::<f64>() / scores.len() as f64
            }
            Kind::R2 if self.sums[2] == 0.0 => f64::NAN,
            Kind::R2 => 1.0 - self.sums[3] / self.sums[2],
        }
    }

    /// Makes larger values the better ones, for a [`mean`] that should grow.
    #[must_use]
    pub fn maximize(self) -> Self {
        Metric { maximize: true, ..self }
    }

    /// Whether larger values are better.
    pub fn is_maximized(&self) -> bool {
        self.maximize
    }
}

/// The kinds, by the numbers that ranks tell each other.
const KINDS: [Kind; 5] = [Kind::Mean, Kind::RootMean, Kind::ExpMean, Kind::F1, Kind::R2];

impl Metric {
    pub(crate) fn tell(&self, to: &mut Writer) {
        to.number(KINDS.iter().position(|kind| *kind == self.kind).expect("all are listed"));
        to.number(self.maximize.into());
        to.number(self.sums.len());
        self.sums.iter().for_each(|&sum| to.float(sum));
    }

    pub(crate) fn heard(from: &mut Reader<'_>) -> Self {
        let (kind, maximize, len) = (KINDS[from.number()], from.number() == 1, from.number());
        Metric { kind, maximize, sums: (0..len).map(|_| from.float()).collect() }
    }
}

impl AddAssign for Metric {
    /// Adds that of other rows.
    ///
    /// # Panics
    /// It is of another kind, or of other classes.
    #[track_caller]
    fn add_assign(&mut self, other: Metric) {
        let alike = self.kind == other.kind && self.sums.len() == other.sums.len() && self.maximize == other.maximize;
        assert!(alike, "a metric cannot be added to one of another kind: {self:?} += {other:?}");
        if self.kind == Kind::R2 {
            // Means and squares of two parts (Chan et al., 1979), which loses no digits where the mean is large.
            let ([n, mean], [m, other_mean]) = ([self.sums[0], self.sums[1]], [other.sums[0], other.sums[1]]);
            let (all, apart) = (n + m, other_mean - mean);
            if all > 0.0 {
                self.sums[1] += apart * m / all;
                self.sums[2] += other.sums[2] + apart * apart * n * m / all;
            }
            self.sums[0] = all;
            self.sums[3] += other.sums[3];
            return;
        }
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| *sum += more);
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value().fmt(f)
    }
}

/// A mean over so many rows or tokens, such as a loss: value · weight adds up. Lower is better, unless it is
/// [`maximize`](Metric::maximize)d.
///
/// # Example
/// ```
/// let mut loss = nn::metrics::mean(2.0, 30); // of 30 rows
/// loss += nn::metrics::mean(1.0, 10);
/// assert_eq!(loss.value(), 1.75);
/// ```
pub fn mean(value: impl Into<f64>, weight: usize) -> Metric {
    weighted(value.into(), weight as f64)
}

/// The same, by a weight that is any number.
pub(crate) fn weighted(value: f64, weight: f64) -> Metric {
    Metric::new(Kind::Mean, vec![value * weight, weight], false)
}

/// e to the mean of a loss over so many tokens, of cross-entropies in nats: among how many equally likely tokens the model is as good as
/// choosing.
///
/// # Example
/// ```
/// let mut perplexity = nn::metrics::perplexity(27_f64.ln(), 100);
/// perplexity += nn::metrics::perplexity(27_f64.ln(), 50);
/// assert!((perplexity.value() - 27.0).abs() < 1e-9);
/// ```
pub fn perplexity(loss: impl Into<f64>, tokens: usize) -> Metric {
    Metric { kind: Kind::ExpMean, ..mean(loss, tokens) }
}

/// The share of rows whose label has the largest logit. Logits are `[…, C]` and labels `[…]`; or both are `[…]`, and a logit above 0 says
/// that the label is 1. A label of −100 is passed over.
///
/// # Panics
/// The shapes do not fit.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let labels = Tensor::from([0, 1, -100]);
/// assert_eq!(nn::metrics::accuracy(&Tensor::from([[2.0, 1.0], [4.0, 3.0], [0.0, 1.0]]), &labels).value(), 0.5);
/// assert_eq!(nn::metrics::accuracy(&Tensor::from([-0.1, 7.0, 0.0]), &labels).value(), 1.0);
/// ```
#[doc(alias = "accuracy_score")]
#[track_caller]
pub fn accuracy<T: Float>(logits: &Tensor<T>, labels: &Tensor<i64>) -> Metric {
    let (predicted, _) = predicted("accuracy", logits, labels);
    let pairs = predicted.into_iter().zip(labels.iter()).filter(|(_, label)| *label != IGNORED);
    let (mut right, mut all) = (0.0, 0.0);
    for (predicted, label) in pairs {
        (right, all) = (right + f64::from(predicted == label), all + 1.0);
    }
    Metric::new(Kind::Mean, vec![right, all], true)
}

/// The share of rows whose label is among the `k` largest logits; see [`accuracy`].
///
/// # Panics
/// The shapes do not fit, or there are fewer than `k` classes.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let logits = Tensor::from([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]);
/// assert_eq!(nn::metrics::top_k_accuracy(&logits, &Tensor::from([1, 2]), 2).value(), 0.5);
/// ```
#[track_caller]
pub fn top_k_accuracy<T: Float>(logits: &Tensor<T>, labels: &Tensor<i64>, k: usize) -> Metric {
    let classes = classes("top_k_accuracy", logits, labels);
    assert!((1..=classes).contains(&k), "top_k_accuracy: k is {k}, but must be from 1 to the {classes} classes");
    let logits: Vec<T> = logits.iter().collect();
    let (mut right, mut all) = (0.0, 0.0);
    for (row, label) in logits.chunks_exact(classes).zip(labels.iter()).filter(|(_, label)| *label != IGNORED) {
        all += 1.0;
        let own = usize::try_from(label).ok().and_then(|label| row.get(label));
        right += f64::from(own.is_some_and(|own| row.iter().filter(|other| *other > own).count() < k));
    }
    Metric::new(Kind::Mean, vec![right, all], true)
}

/// F₁ = 2 · hits / (2 · hits + false alarms + misses): of class 1 where there are two classes, and else the mean over the classes
/// (macro). Logits and labels are those of [`accuracy`]. A class that neither is nor is predicted does not count.
///
/// # Panics
/// The shapes do not fit.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let logits = Tensor::from([3.0, 2.0, -1.0, -2.0]);
/// assert_eq!(nn::metrics::f1(&logits, &Tensor::from([1, 0, 1, 0])).value(), 0.5);
/// ```
#[doc(alias = "f1_score")]
#[track_caller]
pub fn f1<T: Float>(logits: &Tensor<T>, labels: &Tensor<i64>) -> Metric {
    let (predicted, classes) = predicted("f1", logits, labels);
    let mut sums = vec![0.0; 3 * classes];
    for (predicted, label) in predicted.into_iter().zip(labels.iter()).filter(|(_, label)| *label != IGNORED) {
        let mut count = |class: i64, what: usize| {
            if let Some(sum) = usize::try_from(class).ok().and_then(|class| sums.get_mut(3 * class + what)) {
                *sum += 1.0;
            }
        };
        if predicted == label {
            count(label, 0);
        } else {
            count(predicted, 1);
            count(label, 2);
        }
    }
    if classes == 2 {
        sums.drain(..3);
    }
    Metric::new(Kind::F1, sums, true)
}

/// R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²: the share of the targets' variance that predictions explain. NaN where the targets do not vary.
///
/// # Panics
/// The shapes are not the same.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let y = Tensor::from([1.0, 2.0, 3.0, 6.0]);
/// assert_eq!(nn::metrics::r2(&y, &y).value(), 1.0);
/// assert_eq!(nn::metrics::r2(&Tensor::full([4], 3.0), &y).value(), 0.0); // the mean
/// ```
#[doc(alias = "r2_score")]
#[track_caller]
pub fn r2<T: Float>(predictions: &Tensor<T>, targets: &Tensor<T>) -> Metric {
    let errors = errors("r2", predictions, targets);
    let targets: Vec<f64> = targets.iter().map(T::to_f64).collect();
    let n = targets.len() as f64;
    let mean = targets.iter().sum::<f64>() / n;
    let squares = targets.iter().map(|y| (y - mean).powi(2)).sum();
    let sums = vec![n, if n > 0.0 { mean } else { 0.0 }, squares, errors.iter().map(|e| e * e).sum()];
    Metric::new(Kind::R2, sums, true)
}

/// The mean absolute error.
///
/// # Panics
/// The shapes are not the same.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// assert_eq!(nn::metrics::mae(&Tensor::from([1.0, 5.0]), &Tensor::from([2.0, 2.0])).value(), 2.0);
/// ```
#[doc(alias = "mean_absolute_error")]
#[track_caller]
pub fn mae<T: Float>(predictions: &Tensor<T>, targets: &Tensor<T>) -> Metric {
    let errors = errors("mae", predictions, targets);
    Metric::new(Kind::Mean, vec![errors.iter().map(|e| e.abs()).sum(), errors.len() as f64], false)
}

/// The root of the mean squared error, in the unit of the targets.
///
/// # Panics
/// The shapes are not the same.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// assert_eq!(nn::metrics::rmse(&Tensor::from([5.0, 1.0]), &Tensor::from([2.0, 5.0])).value(), 12.5_f64.sqrt());
/// ```
#[doc(alias = "root_mean_squared_error")]
#[track_caller]
pub fn rmse<T: Float>(predictions: &Tensor<T>, targets: &Tensor<T>) -> Metric {
    let errors = errors("rmse", predictions, targets);
    Metric::new(Kind::RootMean, vec![errors.iter().map(|e| e * e).sum(), errors.len() as f64], false)
}

/// Each prediction less its target.
#[track_caller]
fn errors<T: Float>(what: &str, predictions: &Tensor<T>, targets: &Tensor<T>) -> Vec<f64> {
    let (a, b) = (predictions.shape(), targets.shape());
    assert!(a == b, "{what}: predictions {a} and targets {b} must have one shape");
    predictions.iter().zip(targets.iter()).map(|(a, b)| a.to_f64() - b.to_f64()).collect()
}

/// The classes of logits `[…, C]`.
#[track_caller]
fn classes<T: Float>(what: &str, logits: &Tensor<T>, labels: &Tensor<i64>) -> usize {
    let (of, to) = (logits.shape().dims(), labels.shape().dims());
    let fits = of.split_last().is_some_and(|(classes, rows)| *classes > 0 && rows == to);
    assert!(fits, "{what}: logits {} and labels {} do not fit: […, C] and […]", logits.shape(), labels.shape());
    of[of.len() - 1]
}

/// The class of each row with the largest logit, and how many there are.
#[track_caller]
fn predicted<T: Float>(what: &str, logits: &Tensor<T>, labels: &Tensor<i64>) -> (Vec<i64>, usize) {
    if logits.shape() == labels.shape() {
        return (logits.iter().map(|x| i64::from(x > T::ZERO)).collect(), 2);
    }
    let classes = classes(what, logits, labels);
    (logits.argmax(-1).to_vec(), classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let logits = Tensor::from_fn([60, 4], |i| ((i[0] * 7 + i[1] * 5) % 11) as f32);
        let labels = Tensor::from_fn([60], |i| (i[0] * 3 % 4) as i64);
        let y = Tensor::from_fn([60], |i| 1e4 + ((i[0] * 13) % 17) as f32);
        let guess = Tensor::from_fn([60], |i| 1e4 + ((i[0] * 13 + 2) % 17) as f32);
        type Of<'a> = Box<dyn Fn(std::ops::Range<usize>) -> Metric + 'a>;
        let of: [Of<'_>; 7] = [
            Box::new(|r| accuracy(&logits.slice(0, r.clone()), &labels.slice(0, r))),
            Box::new(|r| top_k_accuracy(&logits.slice(0, r.clone()), &labels.slice(0, r), 2)),
            Box::new(|r| f1(&logits.slice(0, r.clone()), &labels.slice(0, r))),
            Box::new(|r| r2(&guess.slice(0, r.clone()), &y.slice(0, r))),
            Box::new(|r| mae(&guess.slice(0, r.clone()), &y.slice(0, r))),
            Box::new(|r| rmse(&guess.slice(0, r.clone()), &y.slice(0, r))),
            Box::new(|r| perplexity(1.0 + r.len() as f64 / 60.0, r.len())),
        ];
        for (at, of) in of.iter().enumerate() {
            let mut parts = of(0..7);
            for range in [7..8, 8..8, 8..60] {
                if at < 6 || !range.is_empty() {
                    parts += of(range);
                }
            }
            if at < 6 {
                assert!((parts.value() / of(0..60).value() - 1.0).abs() < 1e-9, "{at}: {parts:?}");
            }
        }
    }

    #[test]
    fn values_are_those_of_the_definitions() {
        // scikit-learn 1.5: f1_score([0, 1, 2, 2, 1], [0, 2, 2, 2, 1], average="macro") = 0.8222…
        let hot = |labels: [usize; 5]| Tensor::from_fn([5, 3], |i| if labels[i[0]] == i[1] { 1.0_f32 } else { 0.0 });
        let labels = Tensor::from([0, 1, 2, 2, 1]);
        let predicted = hot([0, 2, 2, 2, 1]);
        assert!((f1(&predicted, &labels).value() - (1.0 + 2.0 / 3.0 + 0.8) / 3.0).abs() < 1e-12);
        assert_eq!(accuracy(&predicted, &labels).value(), 0.8);
        let all_wrong = f1(&Tensor::from([-1.0, 1.0]), &Tensor::from([1, 0]));
        assert_eq!(all_wrong.value(), 0.0);
        assert!(f1(&Tensor::from([-1.0]), &Tensor::from([0])).value().is_nan());
        assert!(r2(&Tensor::from([1.0, 2.0]), &Tensor::from([3.0, 3.0])).value().is_nan());
        assert!(accuracy(&Tensor::<f32>::zeros([0, 3]), &Tensor::zeros([0])).value().is_nan());
    }

    #[test]
    #[should_panic(expected = "accuracy: logits [5, 3] and labels [4] do not fit: […, C] and […]")]
    fn shapes_that_do_not_fit_are_said() {
        accuracy(&Tensor::<f32>::zeros([5, 3]), &Tensor::zeros([4]));
    }

    #[test]
    #[should_panic(expected = "a metric cannot be added to one of another kind")]
    fn kinds_do_not_mix() {
        let mut a = mean(1.0, 2);
        a += perplexity(1.0, 2);
    }
}
