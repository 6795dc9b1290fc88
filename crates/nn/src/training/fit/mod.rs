//! A training from the first step to the best weights.

#[cfg(feature = "checkpoint")]
mod autosave;
mod course;
mod evaluation;
mod history;
mod hooks;
mod lines;
mod lost;
mod report;
mod run;
mod sharded;

#[cfg(feature = "checkpoint")]
use std::cell::RefCell;
use std::path::PathBuf;

use autograd::Tape;
#[cfg(feature = "checkpoint")]
use autosave::HookState;
#[cfg(feature = "checkpoint")]
pub use autosave::{CheckpointAt, Resume};
use evaluation::{Evaluation, Figures};
#[cfg(feature = "checkpoint")]
pub use hooks::Kept;
pub use hooks::{Flow, Observer, Pass, Progress, Start};
use hooks::{Observing, OnGradients, OnStep};
pub use report::{Best, FitReport, HistoryRow, Stopped, Weights};
use tensor::{Float, Tensor};

#[cfg(feature = "checkpoint")]
use crate::Stateful;
#[cfg(feature = "checkpoint")]
use crate::files::checkpoint::{Held, Part};
use crate::gradients::above_0;
use crate::ranks::Ranks;
use crate::training::metrics::Metric;
use crate::{Batches, Carried, Error, Module, ReduceOnPlateau, Rows, WeightAverage};

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
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
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
///     .batches(Batches::new(train, 32)?.shuffled(42))
///     .evaluate(held_out, 50)
///     .stop_after(4)
///     .clip_norm(1.0)
///     .run(&mut model, &mut adamw, |model, tape, rows| {
///         model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&y.index_select(0, rows))
///     })?;
/// println!("{report}"); // 400 steps; the loss on the held-out rows was lowest at step …
/// assert!(report.best.unwrap().value < 0.3);
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "Trainer")]
pub struct Fit<'a, M, T: Float = f32> {
    steps: u64,
    batches: Option<Batches>,
    evaluation: Option<Evaluation<'a, M, T>>,
    judge_by: Option<String>,
    stop_after: Option<u64>,
    plateau: Option<ReduceOnPlateau>,
    average: Option<Result<WeightAverage<T>, Error>>,
    average_from: u64,
    clip_norm: Option<f64>,
    accumulate: u64,
    /// The rows of a shard, where batches are cut.
    shards: Option<usize>,
    ranks: Ranks<T>,
    weigh: Option<Weigh<'a>>,
    seed: u64,
    quiet: bool,
    log: Option<PathBuf>,
    carried: Vec<&'a Carried<T>>,
    observers: Vec<Box<dyn Observing<M, T> + 'a>>,
    on_gradients: Vec<OnGradients<'a, M, T>>,
    on_step: Vec<OnStep<'a, M, T>>,
    #[cfg(feature = "checkpoint")]
    checkpoint: Option<autosave::Saves>,
    #[cfg(feature = "checkpoint")]
    resume: Resume,
    #[cfg(feature = "checkpoint")]
    states: Vec<HookState<'a, T>>,
    /// What the data are, by name.
    #[cfg(feature = "checkpoint")]
    data: Vec<(String, tensor::io::AnyTensor)>,
}

/// How much some rows count.
type Weigh<'a> = Box<dyn Fn(&Tensor<i64>) -> f64 + 'a>;

impl<'a, M: Module<T>, T: Float> Fit<'a, M, T> {
    /// Sets how many steps the optimizer has made in the end, counting those that it has made before.
    pub fn steps(steps: u64) -> Self {
        Fit {
            steps,
            batches: None,
            evaluation: None,
            judge_by: None,
            stop_after: None,
            plateau: None,
            average: None,
            average_from: 0,
            clip_norm: None,
            accumulate: 1,
            shards: None,
            ranks: Ranks::alone(),
            weigh: None,
            seed: 0,
            quiet: false,
            log: None,
            carried: Vec::new(),
            observers: Vec::new(),
            on_gradients: Vec::new(),
            on_step: Vec::new(),
            #[cfg(feature = "checkpoint")]
            checkpoint: None,
            #[cfg(feature = "checkpoint")]
            resume: Resume::IfThere,
            #[cfg(feature = "checkpoint")]
            states: Vec::new(),
            #[cfg(feature = "checkpoint")]
            data: Vec::new(),
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
    pub fn evaluate(self, rows: impl Into<Rows>, every: u64) -> Self {
        Fit { evaluation: Some(Evaluation { rows: rows.into(), every, figures: None }), ..self }
    }

    /// As [`evaluate`](Self::evaluate), by figures of your own in place of the loss: `figures` gives those of some rows by name, made by
    /// [`metrics`](crate::metrics), which add up to those of all. The first is what the evaluation is judged by, unless
    /// [`judge_by`](Self::judge_by) names another. Say which type the model has, as the call does not know yet.
    ///
    /// # Example
    /// ```
    /// use nn::{Adam, Batches, Fit, Layer, Linear, Optimizer, metrics, split};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let x: Tensor = init::randn([500, 2], &mut rng)?;
    /// let y = x.sum(1).map(|sum| i64::from(sum > 0.0));
    /// let part = |rows: &Tensor<i64>| (x.index_select(0, rows), y.index_select(0, rows));
    /// let mut model: Linear = Linear::new(2, 2, &init::normal(0.01), &mut rng)?;
    /// let (train, held_out) = split(500, 0.8, 42)?;
    /// let report = Fit::steps(200)
    ///     .batches(Batches::new(train, 32)?.shuffled(42))
    ///     .evaluate_by(held_out, 50, |model: &Linear, tape, rows| {
    ///         let (x, y) = part(rows);
    ///         let logits = model.forward(tape.constant(x));
    ///         let loss = metrics::mean(logits.cross_entropy(&y).item(), y.numel());
    ///         [("accuracy", metrics::accuracy(&logits.value(), &y)), ("loss", loss)]
    ///     })
    ///     .run(&mut model, &mut Optimizer::new(Adam::default(), 0.05)?, |model, tape, rows| {
    ///         let (x, y) = part(rows);
    ///         model.forward(tape.constant(x)).cross_entropy(&y)
    ///     })?;
    /// assert_eq!((report.judged_by.as_str(), report.maximized), ("accuracy", true));
    /// assert!(report.best.unwrap().value > 0.95);
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "metrics")]
    #[must_use]
    pub fn evaluate_by<N, F>(
        self,
        rows: impl Into<Rows>,
        every: u64,
        mut figures: impl FnMut(&M, &Tape<T>, &Tensor<i64>) -> F + 'a,
    ) -> Self
    where
        N: Into<String>,
        F: IntoIterator<Item = (N, Metric)>,
    {
        let named = move |model: &M, tape: &Tape<T>, rows: &Tensor<i64>| -> Vec<(String, Metric)> {
            figures(model, tape, rows).into_iter().map(|(name, metric)| (name.into(), metric)).collect()
        };
        let figures: Option<Figures<'a, M, T>> = Some(Box::new(named));
        Fit { evaluation: Some(Evaluation { rows: rows.into(), every, figures }), ..self }
    }

    /// Names the figure of [`evaluate_by`](Self::evaluate_by) that decides which weights are the best, when to
    /// [stop](Self::stop_after), and when a [plateau](Self::plateau) is reached: the first, unless this is said.
    #[must_use]
    pub fn judge_by(self, figure: impl Into<String>) -> Self {
        Fit { judge_by: Some(figure.into()), ..self }
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
        let average = WeightAverage::exponential(decay).map(WeightAverage::with_warmup);
        Fit { average: Some(average), average_from: 0, ..self }
    }

    /// Averages the weights in this way, see [`average`](Self::average), from the end of step `from` on: stochastic weight averaging is
    /// `average_by(WeightAverage::mean(), from)`. Before, the weights themselves are evaluated.
    #[must_use]
    pub fn average_by(self, average: WeightAverage<T>, from: u64) -> Self {
        Fit { average: Some(Ok(average)), average_from: from, ..self }
    }

    /// Scales the gradients of a step down to this norm, see [`ModelGradients::clip_norm`](crate::ModelGradients::clip_norm).
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

    /// Cuts each batch into shards of so many rows, of which the last may have fewer: each is a pass of its own, as by
    /// [`Shards`](crate::Shards), and the gradients of all shards of a step are added by one tree. Dropout draws for each shard, batch norm
    /// goes by the rows of each, and of the changes of state those of each batch's first shard count. What looks on
    /// ([`watch`](Self::watch), [`on_gradients`](Self::on_gradients)) sees the step's first shard.
    ///
    /// So less memory is needed at a time; and [ranks](Self::ranks) can share the shards.
    #[must_use]
    pub fn shards(self, rows: usize) -> Self {
        Fit { shards: Some(rows), ..self }
    }

    /// Shares the training among processes, each with some [shards](Self::shards) of every batch: the same bits at any number of them. Give
    /// every process the same fit, model and data. Rank 0 alone prints, saves and logs, and calls hooks and observers; the
    /// [`Flow`] of its hooks is that of all. Evaluations are shared. A checkpoint is that of one process, and goes on at any number of them;
    /// only rank 0 needs to reach the file.
    ///
    /// `evenkeel-mpi` reaches other processes; see [`Ranks`](crate::ranks::Ranks) for what can be set, and an example.
    #[doc(alias = "DistributedDataParallel")]
    #[must_use]
    pub fn ranks(self, ranks: impl Into<Ranks<T>>) -> Self {
        Fit { ranks: ranks.into(), ..self }
    }

    /// Sets how much the mean loss of some rows counts beside that of others, in accumulated steps, in evaluations and in the history: as
    /// many as there are rows, unless this is said. For a mean over tokens, their number.
    ///
    /// # Example
    /// ```
    /// use nn::{Batches, Fit, Optimizer, Param, Sgd};
    /// use tensor::Tensor;
    ///
    /// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// let lengths = Tensor::from([3, 12, 7, 5]);
    /// let fit = Fit::steps(10)
    ///     .batches(Batches::new(0..4, 2)?)
    ///     .accumulate(2)
    ///     .weigh(|rows| lengths.index_select(0, rows).sum(..).item() as f64);
    /// fit.run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[must_use]
    pub fn weigh(self, rows: impl Fn(&Tensor<i64>) -> f64 + 'a) -> Self {
        Fit { weigh: Some(Box::new(rows)), ..self }
    }

    /// Sets what a model carries from batch to batch back where an epoch and an evaluation begin, and keeps it in checkpoints under this
    /// name, which has no dots. An evaluation then takes batches as large as those of training, and leaves out a smaller last one.
    ///
    /// # Example
    /// ```
    /// use nn::{Batches, Carried, Fit, Optimizer, RNN, Sgd};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// // Two streams of 60 numbers, in windows of 5: rows 0 and 1 are the first windows, 2 and 3 those that follow.
    /// let stream: Tensor = init::randn([2, 12, 5, 1], &mut rng)?;
    /// let windows = stream.transpose(0, 1).reshape([24, 5, 1]);
    /// let mut rnn: RNN = RNN::new_torch(1, 8, &mut rng)?;
    /// let carried = Carried::new([Tensor::zeros([2, 8])]);
    /// Fit::steps(24)
    ///     .batches(Batches::new(0..24, 2)?) // not shuffled
    ///     .carry("state", &carried)
    ///     .run(&mut rnn, &mut Optimizer::new(Sgd::default(), 0.01)?, |rnn, tape, rows| {
    ///         let x = tape.constant(windows.index_select(0, rows));
    ///         let (outputs, last) = rnn.run(x, carried.on(tape)[0]);
    ///         carried.set(&[last]);
    ///         (outputs.sum(-1) - x.reshape([2, 5])).square().mean(..)
    ///     })?;
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[must_use]
    #[cfg_attr(not(feature = "checkpoint"), allow(unused_variables, reason = "files alone have names"))]
    pub fn carry(mut self, name: &str, carried: &'a Carried<T>) -> Self {
        self.carried.push(carried);
        #[cfg(feature = "checkpoint")]
        return self.with_state(name, &carried.training);
        #[cfg(not(feature = "checkpoint"))]
        self
    }

    /// Prints nothing. Otherwise, a fit that takes longer than a moment shows on standard error how far it is: in a terminal by a line that
    /// is rewritten, elsewhere by a line at evaluations, no more than one a second. It also says what its observers find, and where it goes
    /// on from a checkpoint.
    #[doc(alias = "verbose")]
    #[doc(alias = "tqdm")]
    #[must_use]
    pub fn quiet(self) -> Self {
        Fit { quiet: true, ..self }
    }

    /// Writes the history to a file as it grows: a `.csv` file, or JSON Lines to a `.jsonl` file. A training that is resumed goes on with
    /// the history of its checkpoint. [`FitReport::to_csv`] gives it in the end.
    #[doc(alias = "CSVLogger")]
    #[must_use]
    pub fn log(self, path: impl Into<PathBuf>) -> Self {
        Fit { log: Some(path.into()), ..self }
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
    /// use tensor::Tensor;
    ///
    /// let folder = std::env::temp_dir().join(format!("evenkeel-fit-{}", std::process::id()));
    /// std::fs::create_dir_all(&folder).unwrap();
    /// let file = folder.join("run.safetensors");
    /// let mut w = Param::new(Tensor::from([1.0]));
    /// for steps in [50, 80] {
    ///     let mut sgd = Optimizer::new(Sgd::default(), 0.1)?;
    ///     let report = Fit::steps(steps)
    ///         .batches(Batches::new(0..10, 2)?)
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

    /// Says what the training is made with, such as inputs and labels: a checkpoint keeps a checksum of it, and is not gone on from with
    /// other data. The rows of batches and evaluations are compared in any case. Feature `checkpoint`.
    ///
    /// # Example
    /// ```no_run
    /// use nn::{Batches, Fit, Optimizer, Param, Sgd};
    /// use tensor::Tensor;
    /// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// let (x, y) = (Tensor::from([[1.0]]), Tensor::from([1]));
    /// let fit = Fit::steps(100).batches(Batches::new(0..1, 1)?).data("x", &x).data("y", &y).checkpoint("run.safetensors", 50);
    /// fit.run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub fn data<E: tensor::Element>(mut self, name: &str, data: &Tensor<E>) -> Self {
        self.data.push((name.to_owned(), data.into()));
        self
    }

    /// Keeps a state that hooks change in the checkpoints too, under a name without dots.
    /// Feature `checkpoint`.
    ///
    /// # Example
    /// ```
    /// use std::cell::RefCell;
    /// use nn::{Batches, Fit, Optimizer, Param, Sgd, EarlyStopping};
    /// use tensor::Tensor;
    ///
    /// let path = std::env::temp_dir().join(format!("evenkeel-state-{}.safetensors", std::process::id()));
    /// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// let smallest = RefCell::new(EarlyStopping::after(3));
    /// Fit::steps(100)
    ///     .batches(Batches::new(0..10, 2)?)
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

    /// Calls `hook` after each step: for a log of your own, or to end the training by returning [`Flow::Stop`]. There may be several. One
    /// that calls methods of the model says its type: `|p: &Progress<'_, Mlp>| …`.
    ///
    /// # Example
    /// ```
    /// use nn::{Batches, Fit, Optimizer, Param, Sgd};
    /// use tensor::Tensor;
    /// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// use nn::{Flow, Stopped};
    ///
    /// let report = Fit::steps(100)
    ///     .batches(Batches::new(0..10, 2)?)
    ///     .on_step(|p| println!("step {}: {}", p.step, p.loss))
    ///     .on_step(|p| if p.loss < 0.1 { Flow::Stop } else { Flow::Continue })
    ///     .run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    /// assert_eq!((report.stopped, report.steps), (Stopped::Asked, 7));
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "callbacks")]
    #[must_use]
    pub fn on_step<R: Into<Flow>>(mut self, mut hook: impl FnMut(&Progress<'_, M, T>) -> R + 'a) -> Self {
        self.on_step.push(Box::new(move |progress| hook(progress).into()));
        self
    }

    /// Calls `hook` in each step when the gradients are there and the weights have not yet moved: with the values of the
    /// pass, for what looks into the model. There may be several.
    #[must_use]
    pub fn on_gradients(mut self, hook: impl FnMut(&Pass<'_, M, T>) + 'a) -> Self {
        self.on_gradients.push(Box::new(hook));
        self
    }

    /// Has an observer look on, such as diagnose's `Watch` or `Inspector`: before the training, and in each step before the weights move,
    /// and after. What it finds is printed as it arises, and what it keeps (`Observer::kept`) goes into the checkpoints. There may be
    /// several, and a training may be resumed with others or none.
    ///
    /// # Example
    /// ```
    /// use nn::{Batches, Fit, Module, Observer, Optimizer, Param, Pass, Progress, Sgd};
    /// use tensor::Tensor;
    ///
    /// #[derive(Default)]
    /// struct Losses(Vec<f64>);
    ///
    /// impl Observer for Losses {
    ///     fn before_step<M: Module>(&mut self, _: &Pass<'_, M>) {}
    ///
    ///     fn after_step<M: Module>(&mut self, progress: &Progress<'_, M>) {
    ///         self.0.push(progress.loss);
    ///     }
    /// }
    ///
    /// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// let mut losses = Losses::default();
    /// let fit = Fit::steps(20).batches(Batches::new(0..10, 2)?).watch(&mut losses);
    /// fit.run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..))?;
    /// assert_eq!(losses.0.len(), 20);
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[must_use]
    pub fn watch(mut self, observer: &'a mut impl Observer<T>) -> Self {
        self.observers.push(Box::new(observer));
        self
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
        if self.batches.as_ref().is_some_and(Batches::is_of_rank) {
            return invalid(
                "shares whole batches among ranks by itself, and has those of one rank; leave out `of_rank`",
            );
        }
        match self.shards {
            Some(0) => return invalid("cuts batches into shards of 0 rows, but each must have at least 1"),
            Some(_) if !self.carried.is_empty() => {
                return invalid(
                    "carries values from batch to batch, of which shards would each have a part; leave out `shards`, or `carry`",
                );
            }
            None if self.ranks.size() > 1 => {
                return invalid(
                    "is shared among ranks by shards, and has none; add `shards(rows)`, such as an eighth of a batch",
                );
            }
            _ => {}
        }
        self.clip_norm.map_or(Ok(()), above_0)?;
        match &self.evaluation {
            None if self.stop_after.is_some() => {
                return invalid("is to stop by evaluations, and makes none; add `evaluate(rows, every)`");
            }
            None if self.plateau.is_some() => {
                return invalid(
                    "has a plateau, which goes by evaluations, and makes none; add `evaluate(rows, every)`",
                );
            }
            None if self.judge_by.is_some() => {
                return invalid(
                    "is to be judged by a figure of evaluations, and makes none; add `evaluate_by(rows, every, …)`",
                );
            }
            Some(evaluation) => {
                let batch = self.batches.as_ref().filter(|_| !self.carried.is_empty()).map(Batches::size);
                evaluation.check(batch)?;
                if evaluation.every > self.steps && self.waits_for_evaluations() {
                    let why = format!(
                        "is to go by evaluations every {} steps, and ends after {}, before the first; evaluate more often, or make \
                         more steps",
                        evaluation.every, self.steps
                    );
                    return Err(Error::Invalid { what: "the fit", why });
                }
            }
            None => {}
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
