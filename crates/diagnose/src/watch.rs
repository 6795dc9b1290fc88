//! Watching a model while it trains.

use autograd::{Gradients, Var};
use nn::Module;
use tensor::{Float, Tensor};

use crate::anomaly::Anomaly;
use crate::finding::{Fault, Finding, Severity, sort};
use crate::graph::Graph;
use crate::history::{ActivationSample, History, Sample, WeightSample};
use crate::inspect::{Inspector, activations, trained};
use crate::limits::Limits;
use crate::stats::{all_finite, elements, mean_std};
use crate::text::figure;

/// Watches a training loop: the loss of each step, and at every hundredth the activations and how far the weights move.
///
/// It takes two calls in each step, and only reads. How far a step moves a weight is measured by what the optimizer did,
/// whichever it is: std(update) / std(data), of which log₁₀ should be about −3 (Karpathy, 2022). Parameters that do not vary,
/// such as a bias of zeros, are left out.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use diagnose::{Fault, Watch};
/// use init::normal;
/// use nn::{Layer, Linear, Sgd};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let mut model: Linear = Linear::new(2, 3, &normal(0.1), &mut rng)?;
/// let (x, classes) = (Tensor::from([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), Tensor::from([0, 1, 2]));
/// let (mut sgd, mut tape, mut watch) = (Sgd::new(1e-6)?, Tape::new(), Watch::new().every(10));
/// for _ in 0..30 {
///     let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
///     let gradients = loss.backward();
///     watch.before_step(&model, loss, &gradients);
///     tape.reset();
///     sgd.step(&mut model, &gradients);
///     watch.after_step(&model);
/// }
/// assert_eq!(watch.findings()[0].fault, Fault::RateTooLow);
/// assert_eq!((watch.history().loss.len(), watch.history().samples.len()), (30, 3));
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Watch<T: Float = f32> {
    every: u64,
    inspector: Inspector,
    history: History,
    /// The first NaN or infinity, and its step.
    anomaly: Option<(u64, Anomaly)>,
    /// The parameters before a step that is sampled.
    before: Option<Vec<Tensor<T>>>,
}

impl<T: Float> Default for Watch<T> {
    fn default() -> Self {
        Watch::new()
    }
}

impl<T: Float> Watch<T> {
    /// Samples every hundredth step.
    pub fn new() -> Self {
        Watch { every: 100, inspector: Inspector::new(), history: History::default(), anomaly: None, before: None }
    }

    /// Samples every so many steps, beginning with the first; 0 counts as 1.
    #[must_use]
    pub fn every(self, steps: u64) -> Self {
        Watch { every: steps.max(1), ..self }
    }

    /// Uses the saturation rules and the limits of an inspector.
    #[must_use]
    pub fn with_inspector(self, inspector: Inspector) -> Self {
        Watch { inspector, ..self }
    }

    /// Looks at a step after its backward pass, and before the tape is reset.
    pub fn before_step<M: Module<T> + ?Sized>(&mut self, model: &M, loss: Var<'_, T>, gradients: &Gradients<T>) {
        let step = self.history.loss.len() as u64;
        let value = loss.value().iter().next().map_or(f64::NAN, T::to_f64);
        self.history.loss.push(value);
        let sampled = step.is_multiple_of(self.every);
        if self.anomaly.is_none() && !value.is_finite() {
            model.label(loss.tape());
            self.anomaly = Graph::with_gradients(loss, None).anomaly().map(|anomaly| (step, anomaly));
        }
        if sampled {
            self.sample(step, model, loss, gradients);
        }
    }

    fn sample<M: Module<T> + ?Sized>(&mut self, step: u64, model: &M, loss: Var<'_, T>, gradients: &Gradients<T>) {
        model.label(loss.tape());
        let pass = Graph::with_gradients(loss, None);
        let parameters = trained(model);
        let gradient = |id| gradients.named(id);
        let lost = parameters.iter().find(|(_, p)| gradient(p.id()).is_some_and(|g| !all_finite(&elements(g))));
        if let (None, Some((name, param))) = (&self.anomaly, lost) {
            self.anomaly = Some((step, Anomaly::of_gradient(name, param.value().dims())));
        }
        let weights = parameters.iter().map(|(name, param)| WeightSample {
            name: name.clone(),
            shape: param.value().dims().to_vec(),
            std: mean_std(param.value()).1,
            gradient_std: gradient(param.id()).map(|gradient| mean_std(gradient).1),
            update_data_log10: None,
        });
        let activations = activations(self.inspector.rules(), &pass).into_iter().map(|a| ActivationSample {
            place: a.place,
            kind: a.kind,
            mean: a.output.mean,
            std: a.output.std,
            saturated: a.saturated,
            units: a.units,
            dead: a.dead,
            one_sided: a.rule.is_one_sided(),
        });
        let sample = Sample { step, activations: activations.collect(), weights: weights.collect() };
        self.history.samples.push(sample);
        self.before = Some(parameters.iter().map(|(_, param)| param.value().clone()).collect());
    }

    /// Looks at the model after the optimizer's step.
    pub fn after_step<M: Module<T> + ?Sized>(&mut self, model: &M) {
        let (Some(before), Some(sample)) = (self.before.take(), self.history.samples.last_mut()) else { return };
        for (((_, param), before), weight) in trained(model).iter().zip(&before).zip(&mut sample.weights) {
            if param.value().shape() == before.shape() {
                let ratio = mean_std(&(param.value() - before)).1 / weight.std;
                weight.update_data_log10 = Some(ratio.log10()).filter(|log| log.is_finite());
            }
        }
    }

    /// What it has seen.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What is wrong, by all that it has seen: the most harmful first.
    pub fn findings(&self) -> Vec<Finding> {
        let limits = self.inspector.limits();
        let mut findings: Vec<Finding> = self.not_finite().into_iter().collect();
        findings.extend(self.rising());
        // One finding about the learning rate is enough.
        if findings.is_empty() {
            findings.extend(self.rate(limits));
        }
        findings.extend(self.dying(limits));
        sort(&mut findings);
        findings
    }

    fn not_finite(&self) -> Option<Finding> {
        let (step, anomaly) = self.anomaly.as_ref()?;
        Some(Finding {
            severity: Severity::Error,
            fault: Fault::NotFinite,
            place: anomaly.place.clone(),
            figure: *step as f64,
            brief: format!("{} at step {step}", anomaly.what),
            message: format!("at step {step}, {anomaly}"),
            rule: "every value and every gradient is a finite number",
            remedy: "begin again with a learning rate of a third, nn::Sgd::new(lr / 3.0)".into(),
            actions: Vec::new(),
        })
    }

    /// A loss that is higher at the end than at the beginning.
    fn rising(&self) -> Option<Finding> {
        let loss = &self.history.loss;
        let window = (loss.len() / 10).max(1);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        if loss.len() < 20 {
            return None;
        }
        let (first, last) = (mean(&loss[..window]), mean(&loss[loss.len() - window..]));
        (last > 1.2 * first).then(|| Finding {
            severity: Severity::Error,
            fault: Fault::RateTooHigh,
            place: "the loss".into(),
            figure: last,
            brief: "the loss rises".into(),
            message: format!("the loss rises, from {} to {}", figure(first), figure(last)),
            rule: "training makes the loss smaller",
            remedy: "lower the learning rate to a third, nn::Sgd::set_lr".into(),
            actions: Vec::new(),
        })
    }

    /// Weights that move too fast or too slowly. Only matrices: biases begin at zero and move by a large share of themselves.
    fn rate(&self, limits: &Limits) -> Option<Finding> {
        let logs = |samples: &[Sample], biases: bool| -> Vec<f64> {
            let weights = samples.iter().flat_map(|sample| &sample.weights);
            let taken = weights.filter(|weight| biases || weight.shape.len() > 1);
            taken.filter_map(|weight| weight.update_data_log10).collect()
        };
        let typical = |samples: &[Sample]| median(logs(samples, false)).or_else(|| median(logs(samples, true)));
        let samples = &self.history.samples;
        // A last layer that begins near zero, as it should, at first moves by a large share of itself. So only the later half is
        // judged, unless a step moved weights by more than ten times the limit.
        let jump = samples.chunks(1).filter_map(typical).find(|log| *log > limits.update_high + 1.0);
        let median = jump.or_else(|| typical(&samples[samples.len() / 2..]))?;
        let (fault, words, remedy) = if median > limits.update_high {
            (Fault::RateTooHigh, "too high", "lower")
        } else if median < limits.update_low {
            (Fault::RateTooLow, "too low", "raise")
        } else {
            return None;
        };
        Some(Finding {
            severity: Severity::Warn,
            fault,
            place: "the learning rate".into(),
            figure: median,
            brief: format!("learning rate {words}"),
            message: format!("the learning rate is {words}: a step moves weights by 10^{median:.1} of themselves"),
            rule: "a step moves a weight by about a thousandth of itself",
            remedy: format!(
                "{remedy} it by a factor of about {}, nn::Sgd::set_lr",
                figure(10_f64.powf((median + 3.0).abs()))
            ),
            actions: Vec::new(),
        })
    }

    /// Units that have died since the first sample.
    fn dying(&self, limits: &Limits) -> Vec<Finding> {
        let (Some(first), Some(last)) = (self.history.samples.first(), self.history.samples.last()) else {
            return Vec::new();
        };
        let find = |(then, now): (&ActivationSample, &ActivationSample)| {
            let limit = if now.one_sided { limits.dead_one_sided } else { limits.dead };
            let died = now.dead.saturating_sub(then.dead);
            (then.place == now.place && died as f64 > limit * now.units as f64).then(|| Finding {
                severity: Severity::Warn,
                fault: Fault::Dead,
                place: now.place.clone(),
                figure: died as f64,
                brief: format!("{died} units died"),
                message: format!("{died} of {} units have died by step {}", now.units, last.step),
                rule: "a unit that is flat for every example gets no gradient and does not learn",
                remedy: "train with a lower learning rate, nn::Sgd::set_lr".into(),
                actions: Vec::new(),
            })
        };
        first.activations.iter().zip(&last.activations).filter_map(find).collect()
    }
}

/// The middle number, or the mean of the middle two.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let (low, high) = (numbers.get(numbers.len().saturating_sub(1) / 2)?, numbers.get(numbers.len() / 2)?);
    Some((low + high) / 2.0)
}
