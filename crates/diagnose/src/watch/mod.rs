//! Watching a model while it trains.

#[cfg(feature = "checkpoint")]
mod state;
mod trend;

use autograd::{Gradients, Var};
use nn::Module;
use tensor::{Float, Tensor};
use trend::Trend;

use crate::inspect::{Inspector, activations, cannot_be_judged};
use crate::judge::limits::Limits;
use crate::judge::unseen;
use crate::read::anomaly::Anomaly;
use crate::read::graph::Graph;
use crate::read::numbers::Numbers;
use crate::report::finding::{Evidence, Finding, Severity, sort};
use crate::report::history::{ActivationSample, History, Sample, WeightSample};
use crate::trial::experiment::{quietly, trained};

/// Watches a training loop: the loss of each step, and at every hundredth the activations and how far the weights move.
///
/// It takes two calls in each step, and only reads. With the feature `checkpoint` it is `nn::Stateful`: given to a checkpoint or a fit by
/// `with_state`, it goes on after a resume with the steps and samples of before. How far a step moves a weight is measured by what the
/// optimizer did, whichever it is: std(update) / std(data), whose log₁₀ should be about −3 (Karpathy, 2022). Parameters that do not vary,
/// such as a bias of zeros, are left out. A learning rate is called too high or too low only where the loss says so too: it rises, or does not
/// fall, by more than its own noise.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use diagnose::{Fault, Watch};
/// use init::normal;
/// use nn::{Layer, Linear, Optimizer, Sgd};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let mut model: Linear = Linear::new(2, 3, &normal(0.1), &mut rng)?;
/// let (x, classes) = (Tensor::from([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), Tensor::from([0, 1, 2]));
/// let (mut sgd, mut tape, mut watch) = (Optimizer::new(Sgd::default(), 1e-6)?, Tape::new(), Watch::new().every(10));
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
    /// For each sample, whether its step moved any weight.
    moved: Vec<bool>,
    /// What the best constant prediction costs, if the loss says so.
    baseline: Option<f64>,
    /// What the last look did not see.
    unseen: Vec<Finding>,
}

impl<T: Float> Default for Watch<T> {
    fn default() -> Self {
        Watch::new()
    }
}

impl<T: Float> Watch<T> {
    /// Samples every hundredth step.
    pub fn new() -> Self {
        Watch {
            every: 100,
            inspector: Inspector::new(),
            history: History::default(),
            anomaly: None,
            before: None,
            moved: Vec::new(),
            baseline: None,
            unseen: Vec::new(),
        }
    }

    /// Samples every `steps` steps, beginning with the first; 0 counts as 1.
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
            let anomaly = quietly(|| Graph::read(loss, None, None).anomaly());
            self.anomaly = anomaly.ok().flatten().map(|anomaly| (step, anomaly));
        }
        if sampled {
            // Whatever a model is like, it is no reason to end its training.
            if let Err(why) = quietly(|| self.sample(step, model, loss, gradients)) {
                self.before = None;
                self.unseen = vec![cannot_be_judged(&why)];
            }
        }
    }

    fn sample<M: Module<T> + ?Sized>(&mut self, step: u64, model: &M, loss: Var<'_, T>, gradients: &Gradients<T>) {
        model.label(loss.tape());
        let graph = Graph::read(loss, None, None);
        self.unseen = unseen(&graph);
        if let [part] = &graph.loss_terms()[..] {
            self.baseline = part.expected;
        }
        let parameters = trained(model);
        let gradient = |id| gradients.named(id);
        let lost = parameters.iter().find(|(_, p)| gradient(p.id()).is_some_and(|g| !g.all_finite()));
        if let (None, Some((name, param))) = (&self.anomaly, lost) {
            self.anomaly = Some((step, Anomaly::of_gradient(name, param.value().dims())));
        }
        let weights = parameters.iter().map(|(name, param)| WeightSample {
            name: name.clone(),
            shape: param.value().dims().to_vec(),
            std: Numbers::of(param.value()).mean_std().1,
            gradient_std: gradient(param.id()).map(|gradient| Numbers::of(gradient).mean_std().1),
            update_data_log10: None,
        });
        let activations = activations(self.inspector.rules(), &graph, false).into_iter().map(|a| ActivationSample {
            place: a.place,
            kind: a.kind.to_owned(),
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
        let has_moved = trained(model).iter().zip(&before).any(|((_, param), before)| param.value() != before);
        self.moved.push(has_moved);
        for (((_, param), before), weight) in trained(model).iter().zip(&before).zip(&mut sample.weights) {
            if param.value().shape() == before.shape() {
                let ratio = Numbers::of(&(param.value() - before)).mean_std().1 / weight.std;
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
        let trend = Trend::of(&self.history.loss, self.baseline);
        // One finding about the learning rate is enough.
        if findings.is_empty() {
            let rising = trend.as_ref().filter(|trend| trend.rises()).map(rising);
            findings.extend(self.still().or(rising).or_else(|| self.step_size(limits, trend.as_ref())));
        }
        findings.extend(self.dying(limits));
        if trend.is_some_and(|trend| !trend.falls()) {
            findings.extend(self.drifting());
        }
        findings.extend(self.unseen.iter().cloned());
        sort(&mut findings);
        findings
    }

    /// Activations whose scale is another than it was at first, where the loss is no better for it.
    fn drifting(&self) -> Vec<Finding> {
        /// By this factor, or its inverse.
        const DRIFT: f64 = 10.0;
        let (Some(first), Some(last)) = (self.history.samples.first(), self.history.samples.last()) else {
            return Vec::new();
        };
        let find = |(then, now): (&ActivationSample, &ActivationSample)| {
            let factor = now.std / then.std;
            let drifts = then.place == now.place && !(1.0 / DRIFT..=DRIFT).contains(&factor) && factor.is_finite();
            let evidence = Evidence::Drift { from: then.std, to: now.std };
            drifts.then(|| Finding::new(Severity::Warn, &now.place, evidence))
        };
        first.activations.iter().zip(&last.activations).filter_map(find).collect()
    }

    fn not_finite(&self) -> Option<Finding> {
        let (step, anomaly) = self.anomaly.clone()?;
        let (place, step) = (anomaly.place.clone(), Some(step));
        Some(Finding::new(Severity::Error, place, Evidence::NotFinite { anomaly, step }))
    }

    /// Steps that move nothing. One alone may be the first of a warm-up.
    fn still(&self) -> Option<Finding> {
        let later = &self.moved[self.moved.len() / 2..];
        let has_gradient = |weight: &WeightSample| weight.gradient_std.is_some_and(|std| std > 0.0);
        let wants = self.history.samples.last()?.weights.iter().any(has_gradient);
        let is_still = later.len() > 1 && later.iter().all(|moved| !moved) && wants;
        is_still.then(|| Finding::new(Severity::Error, "the learning rate", Evidence::NoWeightMoves))
    }

    /// Weights that move too fast or too slowly, where the loss is no better for it. Only matrices: biases begin at zero and move by a
    /// large share of themselves.
    fn step_size(&self, limits: &Limits, trend: Option<&Trend>) -> Option<Finding> {
        let logs = |samples: &[Sample], biases: bool| -> Vec<f64> {
            let weights = samples.iter().flat_map(|sample| &sample.weights);
            let taken = weights.filter(|weight| biases || weight.shape.len() > 1);
            taken.filter_map(|weight| weight.update_data_log10).collect()
        };
        let typical = |samples: &[Sample]| median(logs(samples, false)).or_else(|| median(logs(samples, true)));
        let samples = &self.history.samples;
        let trend = trend?;
        // A last layer that begins near zero, as it should, at first moves by a large share of itself. So only the later half is
        // judged, unless a step moved weights by more than ten times the limit and the loss rose by it.
        let jump = samples.chunks(1).filter_map(typical).find(|log| *log > limits.update_high + 1.0);
        let jump = jump.filter(|_| trend.overshoots());
        let median = jump.or_else(|| typical(&samples[samples.len() / 2..]).filter(|_| !trend.falls()))?;
        // Who knows more than nothing may move little: there is little left to learn.
        let is_trained = self.baseline.is_some_and(|baseline| trend.first < 0.8 * baseline);
        let high = median > limits.update_high;
        let low = median < limits.update_low && !is_trained;
        let evidence = Evidence::StepSize { log10: median, high, overshoots: jump.is_some() };
        (high || low).then(|| Finding::new(Severity::Warn, "the learning rate", evidence))
    }

    /// Units that have died since the first sample.
    fn dying(&self, limits: &Limits) -> Vec<Finding> {
        let (Some(first), Some(last)) = (self.history.samples.first(), self.history.samples.last()) else {
            return Vec::new();
        };
        let find = |(then, now): (&ActivationSample, &ActivationSample)| {
            let limit = if now.one_sided { limits.dead_one_sided } else { limits.dead };
            let died = now.dead.saturating_sub(then.dead);
            let (units, step) = (now.units, last.step);
            (then.place == now.place && died as f64 > limit * units as f64)
                .then(|| Finding::new(Severity::Warn, &now.place, Evidence::UnitsDied { died, units, step }))
        };
        first.activations.iter().zip(&last.activations).filter_map(find).collect()
    }
}

/// A loss that is higher at the end than at the beginning.
fn rising(&Trend { first, last, .. }: &Trend) -> Finding {
    Finding::new(Severity::Error, "the loss", Evidence::LossRises { first, last })
}

/// The middle number, or the mean of the middle two.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let (low, high) = (numbers.get(numbers.len().saturating_sub(1) / 2)?, numbers.get(numbers.len() / 2)?);
    Some((low + high) / 2.0)
}
