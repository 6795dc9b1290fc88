//! A training from the first step to the best weights.

#[cfg(feature = "checkpoint")]
mod autosave;
mod course;
mod hooks;
mod lost;
mod report;

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use autograd::{Gradients, Mode, Tape, Var};
#[cfg(feature = "checkpoint")]
use autosave::{Autosave, HookState};
#[cfg(feature = "checkpoint")]
pub use autosave::{CheckpointAt, Resume};
use course::Course;
pub use hooks::{Flow, Observer, Pass, Progress};
use hooks::{OnGradients, OnStep};
pub use report::{Best, FitReport, HistoryRow, Stopped, Weights};
use tensor::{Float, Tensor};

#[cfg(feature = "checkpoint")]
use crate::Stateful;
#[cfg(feature = "checkpoint")]
use crate::files::checkpoint::{Held, Part};
use crate::gradients::above_0;
use crate::{Batches, Error, ModelGradients, Module, Optimizer, ReduceOnPlateau};

/// A training: steps over batches, with evaluations on held-out rows, an end when nothing gets better, checkpoints, and
/// the best weights in the end. The loop of the [crate's page](crate) with what most trainings add to it, and no more: a model
/// that needs another loop is trained by that, with the same parts.
///
/// The closure that gives the loss of some rows serves training and evaluation; the tape knows which it is. Steps are those of
/// the optimizer, counted in all: a fit of 2,000 steps with an optimizer that has made 500 makes 1,500.
///
/// # Example
/// ```
/// use nn::{AdamW, Batches, Fit, Layer, Linear, Optimizer, Schedule, split};
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// # let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let x: Tensor = init::randn([500, 2], &mut rng)?;
/// let y = x.prod(1).map(|xy| i64::from(xy > 0.0));
/// let mut model = nn::seq![
///     Linear::new(2, 32, &init::kaiming_normal(init::Gain::Tanh), &mut rng)?,
///     nn::activations::Tanh,
///     Linear::new(32, 2, &init::normal(0.01), &mut rng)?,
/// ];
/// let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(1e-2, 400))?;
/// let (train, held_out) = split(500, 0.8, 42)?;
/// let report = Fit::steps(400)
///     .batches(Batches::of(train, 32)?.shuffled(42))
///     .evaluate(held_out, 50)
///     .stop_after(4)
///     .clip_norm(1.0)
///     .run(&mut model, &mut adamw, |model, tape, rows| {
///         model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&y.index_select(0, rows))
///     })?;
/// println!("{report}"); // 400 steps; the loss on the held-out rows was lowest at step …
/// assert!(report.best.unwrap().loss < 0.3);
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "Trainer")]
pub struct Fit<'a, T: Float = f32> {
    steps: u64,
    batches: Option<Batches>,
    evaluate: Option<Evaluation>,
    stop_after: Option<u64>,
    plateau: Option<ReduceOnPlateau>,
    average: Option<f64>,
    clip_norm: Option<f64>,
    accumulate: u64,
    seed: u64,
    on_gradients: Vec<OnGradients<'a, T>>,
    on_step: Vec<OnStep<'a, T>>,
    #[cfg(feature = "checkpoint")]
    checkpoint: Option<autosave::Saves>,
    #[cfg(feature = "checkpoint")]
    resume: Resume,
    #[cfg(feature = "checkpoint")]
    states: Vec<HookState<'a, T>>,
}

/// What a step was made with.
struct Step<T: Float> {
    gradients: Gradients<T>,
    loss: f64,
    lr: f64,
}

/// Which rows are evaluated, and every how many steps.
struct Evaluation {
    rows: Tensor<i64>,
    every: u64,
}

/// The steps from one record of the loss to the next where nothing is evaluated.
const RECORD_EVERY: u64 = 100;
/// What evaluations draw by instead of a shard's number, so that they share no numbers with the passes of the training.
const EVALUATION: u32 = u32::MAX;
/// The rows that are evaluated at once at least.
const ROWS_AT_ONCE: usize = 256;

/// Parts of `size` rows; one row alone goes with the part before, as it has no statistics of its own.
fn chunks(rows: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let count = (rows / size + usize::from(rows % size > 1)).max(1);
    (0..count).map(move |chunk| chunk * size..if chunk + 1 == count { rows } else { (chunk + 1) * size })
}

impl<'a, T: Float> Fit<'a, T> {
    /// Sets how many steps the optimizer has made in the end, counting those that it has made before.
    pub fn steps(steps: u64) -> Self {
        Fit {
            steps,
            batches: None,
            evaluate: None,
            stop_after: None,
            plateau: None,
            average: None,
            clip_norm: None,
            accumulate: 1,
            seed: 0,
            on_gradients: Vec::new(),
            on_step: Vec::new(),
            #[cfg(feature = "checkpoint")]
            checkpoint: None,
            #[cfg(feature = "checkpoint")]
            resume: Resume::IfThere,
            #[cfg(feature = "checkpoint")]
            states: Vec::new(),
        }
    }

    /// Sets the rows of each step.
    #[must_use]
    pub fn batches(self, batches: Batches) -> Self {
        Fit { batches: Some(batches), ..self }
    }

    /// Takes the mean loss of these rows every `every` steps; the model has the weights with the lowest in the end. Choose a number
    /// that divides the steps, or the last weights are not evaluated. No evaluation changes the model's state.
    #[must_use]
    pub fn evaluate(self, rows: Tensor<i64>, every: u64) -> Self {
        Fit { evaluate: Some(Evaluation { rows, every }), ..self }
    }

    /// Ends when this many evaluations in a row were not better than the best: early stopping.
    #[must_use]
    pub fn stop_after(self, evaluations: u64) -> Self {
        Fit { stop_after: Some(evaluations), ..self }
    }

    /// Lowers the learning rate when the evaluations no longer get better.
    #[must_use]
    pub fn plateau(self, plateau: ReduceOnPlateau) -> Self {
        Fit { plateau: Some(plateau), ..self }
    }

    /// Averages the weights with this decay, see [`WeightAverage::exponential`](crate::WeightAverage::exponential), which
    /// [warms up](crate::WeightAverage::with_warmup), so that the first weights are soon forgotten; the averages are evaluated, and are
    /// what the model has in the end.
    #[must_use]
    pub fn average(self, decay: f64) -> Self {
        Fit { average: Some(decay), ..self }
    }

    /// Scales the gradients of a step down to this norm, see [`ModelGradients::clip_norm`].
    #[must_use]
    pub fn clip_norm(self, max: f64) -> Self {
        Fit { clip_norm: Some(max), ..self }
    }

    /// Makes each step with the gradients of this many batches, each weighted by its rows: gradient accumulation.
    #[doc(alias = "gradient_accumulation_steps")]
    #[must_use]
    pub fn accumulate(self, batches: u64) -> Self {
        Fit { accumulate: batches, ..self }
    }

    /// Sets the seed of what a pass draws, such as the masks of dropout: 0 by default. Pass n of the training has
    /// `tape.seed(seed, n)`; evaluations draw other numbers, the same each time.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Fit { seed, ..self }
    }

    /// Writes a checkpoint every `every` steps and in the end, and goes on from the one that is there: a training that was
    /// ended at any moment is resumed by running the program again, and comes to the same bits. Feature `checkpoint`.
    ///
    /// The file's `model.` is what the fit would give the model if it ended then, which is what [`load`](crate::load) reads.
    /// A path stands for one file; with [`Numbered`](crate::Numbered), there are several.
    ///
    /// # Example
    /// ```
    /// use nn::{Batches, Fit, Numbered, Optimizer, Param, Sgd};
    /// # use tensor::Tensor;
    ///
    /// # let folder = std::env::temp_dir().join(format!("evenkeel-fit-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let file = folder.join("run.safetensors");
    /// # let mut w = Param::new(Tensor::from([1.0]));
    /// for steps in [50, 80] {
    ///     let mut sgd = Optimizer::new(Sgd::default(), 0.1)?;
    ///     let report = Fit::steps(steps)
    ///         .batches(Batches::new(10, 2)?)
    ///         .checkpoint(Numbered::new(&file).keep(3), 20)
    ///         .run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    ///     assert_eq!((report.resumed_at, report.steps), if steps == 50 { (0, 50) } else { (50, 80) });
    /// }
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "ModelCheckpoint")]
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub fn checkpoint(self, at: impl Into<CheckpointAt>, every: u64) -> Self {
        Fit { checkpoint: Some(autosave::Saves { at: at.into(), every }), ..self }
    }

    /// Sets what becomes of a checkpoint that is there: by default, the training goes on from it, and it must be of the same
    /// training. Feature `checkpoint`.
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub fn resume(self, resume: Resume) -> Self {
        Fit { resume, ..self }
    }

    /// Keeps a state that hooks change, such as a `Watch` of the crate `diagnose`, in the checkpoints too, under a name without dots.
    /// Feature `checkpoint`.
    ///
    /// # Example
    /// ```
    /// use std::cell::RefCell;
    /// use nn::{Batches, Fit, Optimizer, Param, Sgd, EarlyStopping};
    /// # use tensor::Tensor;
    ///
    /// # let path = std::env::temp_dir().join(format!("evenkeel-state-{}.safetensors", std::process::id()));
    /// # let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// let smallest = RefCell::new(EarlyStopping::after(3));
    /// Fit::steps(100)
    ///     .batches(Batches::new(10, 2)?)
    ///     .checkpoint(&path, 50)
    ///     .with_state("smallest", &smallest)
    ///     .on_step(|p| _ = smallest.borrow_mut().observe(p.loss))
    ///     .run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub fn with_state(mut self, name: &str, state: &'a RefCell<impl Stateful<T>>) -> Self {
        let part = Box::new(move || Box::new(Held { state: state.borrow_mut(), read: None }) as Box<dyn Part<T> + 'a>);
        self.states.push(HookState { name: name.to_owned(), part });
        self
    }

    /// Calls `hook` after each step: for a bar, a log, or to end the training by returning [`Flow::Stop`]. There may be several.
    ///
    /// # Example
    /// ```
    /// # use nn::{Batches, Fit, Optimizer, Param, Sgd};
    /// # use tensor::Tensor;
    /// # let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// use nn::{Flow, Stopped};
    ///
    /// let report = Fit::steps(100)
    ///     .batches(Batches::new(10, 2)?)
    ///     .on_step(|p| println!("step {}: {}", p.step, p.loss))
    ///     .on_step(|p| if p.loss < 0.1 { Flow::Stop } else { Flow::Continue })
    ///     .run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    /// assert_eq!((report.stopped, report.steps), (Stopped::Asked, 7));
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "callbacks")]
    #[must_use]
    pub fn on_step<R: Into<Flow>>(mut self, mut hook: impl FnMut(&Progress<'_, T>) -> R + 'a) -> Self {
        self.on_step.push(Box::new(move |progress| hook(progress).into()));
        self
    }

    /// Calls `hook` in each step when the gradients are there and the weights have not yet moved: with the values of the
    /// pass, for what looks into the model. There may be several.
    #[must_use]
    pub fn on_gradients(mut self, hook: impl FnMut(&Pass<'_, T>) + 'a) -> Self {
        self.on_gradients.push(Box::new(hook));
        self
    }

    /// Has an observer look on, such as diagnose's `Watch`: in each step before the weights move, and after. After the run, `observer` has
    /// what it saw. With the feature `checkpoint`, `with_state` keeps it in the checkpoint too.
    ///
    /// # Example
    /// ```
    /// use std::cell::RefCell;
    ///
    /// use nn::{Batches, Fit, Observer, Optimizer, Param, Pass, Progress, Sgd};
    /// use tensor::Tensor;
    ///
    /// #[derive(Default)]
    /// struct Losses(Vec<f64>);
    ///
    /// impl Observer for Losses {
    ///     fn before_step(&mut self, _: &Pass<'_>) {}
    ///
    ///     fn after_step(&mut self, progress: &Progress<'_>) {
    ///         self.0.push(progress.loss);
    ///     }
    /// }
    ///
    /// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// let losses = RefCell::new(Losses::default());
    /// let fit = Fit::steps(20).batches(Batches::new(10, 2)?).watch(&losses);
    /// fit.run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    /// assert_eq!(losses.borrow().0.len(), 20);
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[must_use]
    pub fn watch(self, observer: &'a RefCell<impl Observer<T>>) -> Self {
        self.on_gradients(|pass| observer.borrow_mut().before_step(pass))
            .on_step(|progress| observer.borrow_mut().after_step(progress))
    }

    /// Trains the model by the mean loss of some rows, a number. Write the closure inside the call: bound to a variable first, it
    /// is inferred for a single lifetime and does not compile. A function does too.
    ///
    /// In the end, the model has the weights of the best evaluation; without any, the average or else the last.
    ///
    /// # Errors
    /// What was set is out of range, or there are no batches, or no rows to evaluate. Or a loss or a gradient is not
    /// finite: then the model has the weights before that step; where the step before it has led out of the finite numbers,
    /// those of the last record. Its checkpoint stays as it is. Or a checkpoint cannot be written, or one that is there does not fit.
    ///
    /// # Panics
    /// As [`Optimizer::step`], and where `loss` panics.
    #[track_caller]
    pub fn run<M: Module<T>>(
        mut self,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        mut loss_of: impl for<'t> FnMut(&M, &'t Tape<T>, &Tensor<i64>) -> Var<'t, T>,
    ) -> Result<FitReport, Error> {
        let mut course = Course::new(&self)?;
        #[cfg(feature = "checkpoint")]
        let (mut autosave, resume) = (Autosave::of(&mut self), self.resume);
        #[cfg(feature = "checkpoint")]
        autosave.resume(&mut course, model, optimizer, resume)?;
        let resumed_at = optimizer.step_number();
        course.start(model);
        let (mut tape, mut evaluation) = (Tape::in_mode(Mode::Train), Tape::in_mode(Mode::Eval));
        let stopped = loop {
            if optimizer.step_number() >= self.steps {
                break Stopped::Steps;
            }
            if course.stopping.is_over() {
                break Stopped::NoBetter;
            }
            let step = self.step(&mut course, model, optimizer, &mut tape, &mut loss_of)?;
            let made = optimizer.step_number();
            let held_out = self.evaluate_if_due(&mut course, model, optimizer, &mut evaluation, &mut loss_of)?;
            course.record(model, made, self.evaluate.as_ref().map_or(RECORD_EVERY, |of| of.every), held_out);
            let progress = Progress {
                step: made,
                steps: self.steps,
                model: &*model,
                gradients: &step.gradients,
                loss: step.loss,
                lr: step.lr,
                held_out,
                best: course.ledger.best,
            };
            let flow = self.on_step.iter_mut().fold(Flow::Continue, |flow, hook| flow.max(hook(&progress)));
            #[cfg(feature = "checkpoint")]
            autosave.save_when_due(&mut course, model, optimizer)?;
            if flow == Flow::Stop {
                break Stopped::Asked;
            }
        };
        course.check(model, optimizer.step_number())?;
        #[cfg(feature = "checkpoint")]
        autosave.save(&mut course, model, optimizer)?;
        let report = course.finish(model, optimizer.step_number(), resumed_at, stopped);
        #[cfg(feature = "checkpoint")]
        let report = FitReport { unremoved: autosave.unremoved, ..report };
        Ok(report)
    }

    /// Makes a step, by one batch or several.
    #[track_caller]
    fn step<M: Module<T>>(
        &mut self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        tape: &mut Tape<T>,
        loss_of: &mut impl for<'t> FnMut(&M, &'t Tape<T>, &Tensor<i64>) -> Var<'t, T>,
    ) -> Result<Step<T>, Error> {
        let batches = self.batches.as_mut().expect("checked");
        let step = optimizer.step_number();
        let (mut sum, mut loss_sum) = (None::<Gradients<T>>, 0.0);
        let passes = step * self.accumulate..(step + 1) * self.accumulate;
        let rows_sum: f64 = passes.clone().map(|pass| batches.rows(pass).numel() as f64).sum();
        for pass in passes.clone() {
            tape.seed(self.seed, pass);
            let rows = batches.rows(pass);
            let (loss, n) = (loss_of(model, tape, rows), rows.numel() as f64);
            let value = loss.item().to_f64();
            if !value.is_finite() {
                let what = lost::forward(model, loss, "the loss");
                return Err(course.diverged(model, step, what));
            }
            let mut gradients = loss.backward();
            loss_sum += value * n;
            // By shares, and not by rows and then divided: so no sum is larger than what it is of.
            let sum = match &mut sum {
                Some(sum) => {
                    sum.add_weighted(&gradients, n / rows_sum);
                    sum
                }
                None => {
                    if self.accumulate > 1 {
                        gradients.scale(n / rows_sum);
                    }
                    sum.insert(gradients)
                }
            };
            if pass + 1 == passes.end {
                for hook in &mut self.on_gradients {
                    hook(&Pass { step, model: &*model, loss, gradients: sum });
                }
            }
            // Lets go of the values, so that they change in place.
            tape.reset();
        }
        let mut gradients = sum.expect("there is at least one pass");
        let lost = match self.clip_norm {
            // It looks at every number itself.
            Some(max) => match gradients.clip_norm(model, max) {
                Err(error @ Error::NotFinite { .. }) => Some(error.to_string()),
                result => result.map(|_| None)?,
            },
            None => lost::backward(model, &gradients),
        };
        if let Some(what) = lost {
            return Err(course.diverged(model, step, what));
        }
        let lr = optimizer.lr();
        optimizer.step(model, &gradients);
        course.stepped(model, loss_sum, rows_sum);
        Ok(Step { gradients, loss: loss_sum / rows_sum, lr })
    }

    /// Evaluates the held-out rows, with the average where there is one, if it is time to.
    fn evaluate_if_due<M: Module<T>>(
        &self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        tape: &mut Tape<T>,
        loss_of: &mut impl for<'t> FnMut(&M, &'t Tape<T>, &Tensor<i64>) -> Var<'t, T>,
    ) -> Result<Option<f64>, Error> {
        let step = optimizer.step_number();
        let Some(Evaluation { rows, .. }) = self.evaluate.as_ref().filter(|of| step.is_multiple_of(of.every)) else {
            return Ok(None);
        };
        let size = self.batches.as_ref().map_or(0, Batches::size).max(ROWS_AT_ONCE);
        course.swap(model)?;
        // A panic of the user's closure leaves the model with its own weights.
        let mean = catch_unwind(AssertUnwindSafe(|| {
            tape.reset();
            let mut sum = 0.0;
            for (chunk, part) in chunks(rows.numel(), size).enumerate() {
                let rows = rows.slice(0, part);
                tape.seed_shard(self.seed, chunk as u64, EVALUATION);
                let loss = loss_of(model, tape, &rows);
                let value = loss.item().to_f64();
                if !value.is_finite() {
                    return Err(lost::forward(model, loss, "the loss on held-out rows"));
                }
                sum += value * rows.numel() as f64;
                tape.reset();
            }
            Ok(sum / rows.numel() as f64)
        }));
        if let Ok(Ok(mean)) = mean {
            course.evaluated(model, step, mean, optimizer);
        }
        course.swap(model)?;
        match mean {
            Err(panic) => resume_unwind(panic),
            Ok(Err(what)) => Err(course.diverged(model, step, what)),
            Ok(Ok(mean)) => Ok(Some(mean)),
        }
    }

    /// Whether evaluations are to end the training or to lower its learning rate, and no later run goes on with it, in which they come.
    fn waits_for_evaluations(&self) -> bool {
        #[cfg(feature = "checkpoint")]
        let goes_on = self.checkpoint.is_some();
        #[cfg(not(feature = "checkpoint"))]
        let goes_on = false;
        !goes_on && self.steps > 0 && (self.stop_after.is_some() || self.plateau.is_some())
    }

    /// Makes sure that what was set is in range.
    fn check(&self) -> Result<(), Error> {
        let invalid = |why: &str| Err(Error::Invalid { what: "the fit", why: why.into() });
        if self.batches.is_none() {
            return invalid("has no batches; give it some by `batches(Batches::new(rows, size)?)`");
        }
        if self.accumulate == 0 {
            return invalid("accumulates 0 batches, but must take at least 1 for a step");
        }
        self.clip_norm.map_or(Ok(()), above_0)?;
        match &self.evaluate {
            None if self.stop_after.is_some() => {
                return invalid("is to stop by evaluations, and makes none; add `evaluate(rows, every)`");
            }
            None if self.plateau.is_some() => {
                return invalid(
                    "has a plateau, which goes by evaluations, and makes none; add `evaluate(rows, every)`",
                );
            }
            Some(Evaluation { rows, .. }) if rows.rank() != 1 => {
                let why = format!("is to evaluate the rows {}, but these must be a vector of indices", rows.shape());
                return Err(Error::Invalid { what: "the fit", why });
            }
            Some(Evaluation { rows, .. }) if rows.is_empty() => {
                return invalid("is to evaluate no rows: the set of held-out rows is empty");
            }
            Some(Evaluation { every: 0, .. }) => {
                return invalid("is to evaluate every 0 steps, but must make at least 1 between");
            }
            Some(Evaluation { every, .. }) if *every > self.steps && self.waits_for_evaluations() => {
                let why = format!(
                    "is to go by evaluations every {every} steps, and ends after {}, before the first; evaluate more often, or make more \
                     steps",
                    self.steps
                );
                return Err(Error::Invalid { what: "the fit", why });
            }
            _ => {}
        }
        #[cfg(feature = "checkpoint")]
        if self.checkpoint.as_ref().is_some_and(|saves| saves.every == 0) {
            return invalid("is to save every 0 steps, but must make at least 1 between");
        }
        if self.stop_after == Some(0) {
            return invalid("is to stop after 0 evaluations, but must see at least 1");
        }
        Ok(())
    }
}
