//! Watching a model while it trains.

#[cfg(feature = "checkpoint")]
mod state;
mod trend;

use std::fmt;

use autograd::{Gradients, Tape, Var};
use nn::Module;
use tensor::{Float, Tensor};
use trend::Trend;

use crate::inspect::{Inspector, activations, cannot_be_judged};
use crate::judge::ends::{Ends, Misfits};
use crate::judge::limits::Limits;
use crate::judge::unseen;
use crate::read::anomaly::Anomaly;
use crate::read::graph::Graph;
use crate::read::numbers::Numbers;
use crate::read::trace::Trace;
use crate::report::Report;
use crate::report::finding::{Evidence, Fault, Finding, Severity, sort};
use crate::report::history::{ActivationSample, History, Sample, WeightSample};
use crate::say::text::loss;
use crate::trial::experiment::{quietly, trained};

/// Watches a training loop: the loss of each step, and at every hundredth the activations and how far the weights move.
///
/// A fit takes it by [`Fit::watch`](nn::Fit::watch), prints what it finds as it arises, and keeps it in checkpoints; a loop by hand makes
/// two calls in each step. It only reads. With the feature `checkpoint` it is `nn::Stateful`: given to a checkpoint by `with_state`, it goes
/// on after a resume with the steps and samples of before. How far a step moves a weight is measured by what the
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
    /// What does not fit between output, loss and targets, by the first look.
    misfits: Vec<Finding>,
    /// The seed and the step that the last step has drawn by, and how many there were of it in a row; and whether that were too many.
    draws: Option<([u64; 2], u64)>,
    same_draws: Option<([u64; 2], u64)>,
    /// What the last look did not see.
    unseen: Vec<Finding>,
    /// Whether a fit's model is inspected before its first step, and what that has shown.
    inspects: bool,
    start: Option<Report>,
    /// What was said of it already, and what is to be said.
    told: Vec<String>,
    news: Vec<String>,
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
            misfits: Vec::new(),
            draws: None,
            same_draws: None,
            unseen: Vec::new(),
            inspects: false,
            start: None,
            told: Vec::new(),
            news: Vec::new(),
        }
    }

    /// [Inspects](crate::inspect()) the model of a fit before its first step too, by the loss of the first batch, which is computed some more
    /// times for that; [`start`](Self::start) is what that has shown.
    ///
    /// # Example
    /// ```
    /// use diagnose::Watch;
    /// use nn::{Batches, Fit, Layer, Linear, Optimizer, Sgd};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let (x, y) = (init::randn([64, 8], &mut rng)?, init::randint(5, [64], &mut rng)?);
    /// let mut model: Linear = Linear::new(8, 5, &init::normal(3.0), &mut rng)?; // not small
    /// let mut watch = Watch::new().inspecting();
    /// Fit::steps(20)
    ///     .batches(Batches::new(0..64, 16)?)
    ///     .watch(&mut watch) // prints: warn   the first loss is …
    ///     .run(&mut model, &mut Optimizer::new(Sgd::default(), 0.1)?, |model, tape, rows| {
    ///         model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&y.index_select(0, rows))
    ///     })?;
    /// assert!(watch.start().unwrap().has(diagnose::Fault::Loss));
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[must_use]
    pub fn inspecting(self) -> Self {
        Watch { inspects: true, ..self }
    }

    /// What the inspection before the first step has shown, if there was one.
    pub fn start(&self) -> Option<&Report> {
        self.start.as_ref()
    }

    /// Says what has not been said yet of some findings.
    fn tell(&mut self, findings: &[Finding], at: &str) {
        for finding in findings.iter().filter(|finding| finding.severity > Severity::Note) {
            let key = format!("{:?} {}", finding.fault, finding.place);
            if !self.told.contains(&key) {
                self.told.push(key);
                self.news.push(format!("{at}\n{}", finding.to_string().trim_end()));
            }
        }
    }

    /// Samples every `steps` steps, beginning with the first; 0 counts as 1.
    #[must_use]
    pub fn every(self, steps: u64) -> Self {
        Watch { every: steps.max(1), ..self }
    }

    /// Begins at a step of a training that goes on, so that what it says names the steps of that. With a checkpoint or a `Fit` it knows.
    #[must_use]
    pub fn at_step(mut self, step: u64) -> Self {
        self.history.first_step = step;
        self
    }

    /// Uses the saturation rules and the limits of an inspector.
    #[must_use]
    pub fn with_inspector(self, inspector: Inspector) -> Self {
        Watch { inspector, ..self }
    }

    /// Looks at a step after its backward pass, and before the tape is reset.
    pub fn before_step<M: Module<T> + ?Sized>(&mut self, model: &M, loss: Var<'_, T>, gradients: &Gradients<T>) {
        let seen = self.history.loss.len() as u64;
        let step = self.history.first_step + seen;
        let value = loss.value().iter().next().map_or(f64::NAN, T::to_f64);
        self.history.loss.push(value);
        self.look_at_draws(loss.tape());
        let sampled = seen.is_multiple_of(self.every);
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

    /// Steps in a row that draw by the same seed and step draw the same numbers.
    fn look_at_draws(&mut self, tape: &Tape<T>) {
        /// So many may be chance: a step that is made again.
        const CHANCE: u64 = 2;
        let before = self.draws.take();
        self.draws = tape.drawn_by().map(|by| match before {
            Some((last, count)) if last == by => (by, count + 1),
            _ => (by, 1),
        });
        self.same_draws = self.draws.filter(|(_, count)| *count > CHANCE).or(self.same_draws);
    }

    fn sample<M: Module<T> + ?Sized>(&mut self, step: u64, model: &M, loss: Var<'_, T>, gradients: &Gradients<T>) {
        model.label(loss.tape());
        let graph = Graph::read(loss, None, None);
        self.unseen = unseen(&graph);
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
        let pass = Trace::new(graph, Vec::new());
        self.look_at_ends(&pass);
        let graph = &pass.graph;
        let activations = activations(self.inspector.rules(), graph, false).into_iter().map(|a| ActivationSample {
            hidden: graph.reach[a.nodes[0]].hidden,
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

    /// What it costs to know nothing, as a mean over the samples; and what does not fit.
    fn look_at_ends(&mut self, pass: &Trace) {
        if pass.parts.len() == 1 {
            let (seen, now) = (self.history.samples.len() as f64, pass.baseline());
            self.baseline = now.map(|now| self.baseline.map_or(now, |known| (known * seen + now) / (seen + 1.0)));
        }
        let ends = Ends::new(self.inspector.limits(), pass);
        let Misfits { findings: found, ends: misfits } = ends.misfits();
        // Where outputs are later on is what training has made of them.
        let is_first = self.history.samples.is_empty();
        let offset = if is_first { ends.offset_targets(&misfits) } else { Vec::new() };
        let offset = offset.into_iter().map(|(_, finding)| finding);
        let found = found.into_iter().chain(offset).chain(ends.below_zero());
        let found = found.filter(|finding| finding.severity > Severity::Note);
        for finding in found {
            if self.misfits.iter().all(|known| (known.fault, &known.place) != (finding.fault, &finding.place)) {
                self.misfits.push(finding);
            }
        }
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
        let learns = trend
            .as_ref()
            .is_some_and(|trend| trend.falls() && self.baseline.is_none_or(|baseline| trend.last < 0.8 * baseline));
        // Targets that were far away at first are no fault where the outputs have come to them.
        findings.extend(self.misfits.iter().filter(|finding| !(learns && finding.fault == Fault::Loss)).cloned());
        // One finding about the learning rate is enough, and none where a cause is known.
        if findings.is_empty() {
            let rising = trend.as_ref().filter(|trend| trend.rises()).map(rising);
            let rate = self.still().or(rising).or_else(|| self.step_size(limits, trend.as_ref()));
            findings.extend(rate);
        }
        if findings.iter().all(|finding| !matches!(finding.fault, Fault::RateTooHigh | Fault::RateTooLow)) {
            findings.extend(self.nothing_learned(!findings.is_empty()));
        }
        if let Some(([seed, step], steps)) = self.same_draws {
            findings.push(Finding::new(Severity::Warn, "the seed", Evidence::SameDraws { seed, step, steps }));
        }
        findings.extend(self.dying(limits));
        let is_slow = findings.iter().any(|finding| matches!(finding.fault, Fault::RateTooLow | Fault::NotLearning));
        if self.misfits.is_empty() && !is_slow && trend.is_some_and(|trend| !trend.falls()) {
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

    /// A loss that has come to what it costs to know nothing, and no farther.
    fn nothing_learned(&self, is_explained: bool) -> Option<Finding> {
        /// So many steps are waited for.
        const PATIENCE: usize = 300;
        /// From this share of what it costs to know nothing on, nothing is known; a fall by the rest since half of the steps is a beginning.
        const NOTHING: f64 = 0.97;
        const SAME: f64 = 0.005;
        let losses = &self.history.loss;
        if losses.len() < PATIENCE {
            return None;
        }
        let window = losses.len() / 10;
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (middle, last) = (&losses[losses.len() / 2 - window..][..window], &losses[losses.len() - window..]);
        let (middle, loss) = (mean(middle), mean(last));
        let has_gradient = |weight: &WeightSample| weight.gradient_std.is_some_and(|std| std > 0.0);
        let mut weights = self.history.samples.iter().flat_map(|sample| &sample.weights);
        let no_gradient = weights.clone().next().is_some() && !weights.any(has_gradient);
        let baseline = self.baseline.filter(|baseline| *baseline > 0.0);
        let first = mean(&losses[..window]);
        let knows_nothing = match baseline {
            Some(baseline) => loss > NOTHING * baseline && middle - loss < (1.0 - NOTHING) * baseline,
            // Where nobody can say what that costs, it is where it was.
            None => first.is_finite() && (first - loss).abs() < SAME * first.abs(),
        };
        let steps = losses.len() as u64;
        let evidence = Evidence::NothingLearned { loss, first, baseline, steps, no_gradient, is_explained };
        (no_gradient || knows_nothing).then(|| Finding::new(Severity::Error, "the loss", evidence))
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
            taken.filter_map(pace).collect()
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
            // An output may be sure of itself.
            (then.place == now.place && now.hidden && died as f64 > limit * units as f64)
                .then(|| Finding::new(Severity::Warn, &now.place, Evidence::UnitsDied { died, units, step }))
        };
        first.activations.iter().zip(&last.activations).filter_map(find).collect()
    }
}

/// What is wrong, in a terminal of 80 columns.
impl<T: Float> fmt::Display for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let losses = &self.history.loss;
        let (Some(first), Some(last)) = (losses.first(), losses.last()) else {
            return f.write_str("no step was watched");
        };
        let step = self.history.first_step + losses.len() as u64;
        let findings = self.findings();
        let verdict = if findings.iter().any(|finding| finding.severity > Severity::Note) { "not " } else { "" };
        write!(f, "step {step}, {verdict}on an even keel: loss {} → {}", loss(*first), loss(*last))?;
        findings.iter().try_for_each(|finding| write!(f, "\n\n{}", finding.to_string().trim_end()))
    }
}

/// A watch is given to a fit by `Fit::watch`.
impl<T: Float> nn::Observer<T> for Watch<T> {
    fn before_training<M: Module<T>>(&mut self, start: &nn::Start<'_, M, T>) {
        if self.inspects {
            let report = self.inspector.inspect(start.model, start.loss);
            self.tell(&report.findings, "before the first step");
            self.start = Some(report);
        }
    }

    fn before_step<M: Module<T>>(&mut self, pass: &nn::Pass<'_, M, T>) {
        if self.history.loss.is_empty() {
            self.history.first_step = pass.step;
        }
        Watch::before_step(self, pass.model, pass.loss, pass.gradients);
    }

    fn after_step<M: Module<T>>(&mut self, progress: &nn::Progress<'_, M, T>) {
        let is_sampled = self.before.is_some();
        Watch::after_step(self, progress.model);
        if is_sampled {
            let findings = self.findings();
            self.tell(&findings, &format!("step {}", progress.step));
        }
    }

    fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    #[cfg(feature = "checkpoint")]
    fn kept(&mut self) -> Option<nn::Kept<'_, T>> {
        Some(nn::Kept::new(self))
    }
}

/// How far a step moves a weight, as a share of what a weight of its fan_in usually is where that is more than it is: a small one may move
/// by much of itself.
fn pace(weight: &WeightSample) -> Option<f64> {
    let fan_in = match weight.shape[..] {
        [] | [_] => f64::INFINITY,
        [fan_in, _] => fan_in.max(1) as f64,
        // Of a convolution, [out, in, …].
        [_, ref inputs @ ..] => inputs.iter().product::<usize>().max(1) as f64,
    };
    let usual = 0.5 / fan_in.sqrt();
    Some(weight.update_data_log10? + (weight.std / weight.std.max(usual)).log10())
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
