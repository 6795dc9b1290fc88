//! All of a training in a file.

use std::collections::BTreeMap;
use std::ops::DerefMut;
use std::path::Path;

use tensor::safetensors::Contents;
use tensor::{Float, Tensor};

use super::format::{self, FileKind, read_checkpoint};
use super::model::{self, MODEL};
use crate::archive::{Archive, Stateful};
use crate::model::lent;
use crate::{EarlyStopping, Error, Lbfgs, Module, Optimizer, ReduceOnPlateau, WeightAverage};

/// All of a training in one `.safetensors` file: the model, what the optimizer keeps of each weight and its counts,
/// averages, the counters of a [`ReduceOnPlateau`] and an [`EarlyStopping`], whatever else is [`Stateful`], the seed, and notes of your
/// own. A training that is loaded goes on with the very bits that it would have had. Feature `checkpoint`.
///
/// Tensors are called `model.hidden.weight`, `optimizer.m.hidden.weight`, `optimizer.t.hidden.weight` (the steps of
/// the weight), `average.hidden.weight`; whatever reads the format reads them, such as `safetensors.numpy.load_file`.
/// Numbers and a checksum of the whole are in the file's metadata.
///
/// What is a function of the step is not saved: the learning rate of a [`Schedule`](crate::Schedule), the rows of
/// [`Batches`](crate::Batches), what dropout draws. Hyperparameters, such as a learning rate or a momentum, are not saved either: the
/// program's values are used, and a training may go on with others.
///
/// # Example
/// ```
/// use nn::{Adam, Checkpoint, Module, Optimizer, Param};
/// use autograd::Tape;
/// use tensor::Tensor;
///
/// let path = std::env::temp_dir().join(format!("evenkeel-checkpoint-{}.safetensors", std::process::id()));
/// let mut w = Param::new(Tensor::from([1.0, 2.0]));
/// let mut adam = Optimizer::new(Adam::default(), 0.1)?;
/// let gradients = w.on(&Tape::new()).square().sum(..).backward();
/// adam.step(&mut w, &gradients);
/// Checkpoint::new(&mut w).optimizer(&mut adam).seed(42).note("data", "v3").save(&path)?;
///
/// // In another process:
/// let mut again = Param::new(Tensor::zeros([2]));
/// let mut adam = Optimizer::new(Adam::default(), 0.1)?;
/// let loaded = Checkpoint::new(&mut again).optimizer(&mut adam).seed(42).load(&path)?;
/// assert_eq!((adam.step_number(), loaded.notes["data"].as_str()), (1, "v3"));
/// assert_eq!(again.value(), w.value());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), nn::Error>(())
/// ```
pub struct Checkpoint<'a, T: Float = f32> {
    model: &'a mut dyn Module<T>,
    parts: Parts<'a, T>,
    seed: Option<u64>,
    notes: BTreeMap<String, String>,
    converts: bool,
}

/// The parts of a training beside the model, and what their names begin with.
pub(crate) type Parts<'a, T> = Vec<(String, Box<dyn Part<T> + 'a>)>;

/// A state of some type that is written, or read and then replaced.
pub(crate) trait Part<T: Float> {
    fn write(&self, name: &str, at: &mut Archive<'_, T>);

    /// Takes note of what the file has.
    fn read(&mut self, name: &str, at: &mut Archive<'_, T>);

    /// Takes what was read.
    fn replace(self: Box<Self>);
}

/// A state in somebody's hands, and what was read for it.
pub(crate) struct Held<S, D> {
    pub(crate) state: D,
    pub(crate) read: Option<S>,
}

impl<T: Float, S: Stateful<T>, D: DerefMut<Target = S>> Part<T> for Held<S, D> {
    fn write(&self, name: &str, at: &mut Archive<'_, T>) {
        let _ = at.part(name, &*self.state);
    }

    fn read(&mut self, name: &str, at: &mut Archive<'_, T>) {
        self.read = at.part(name, &*self.state);
    }

    fn replace(mut self: Box<Self>) {
        if let Some(read) = self.read {
            *self.state = read;
        }
    }
}

/// A state of a training under a name.
pub(crate) fn held<'a, T: Float, S: Stateful<T> + 'a>(name: &str, state: &'a mut S) -> (String, Box<dyn Part<T> + 'a>) {
    (name.to_owned(), Box::new(Held { state, read: None }))
}

/// What a [`Checkpoint`] says besides what is loaded. Feature `checkpoint`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// The steps that the optimizer had made.
    pub step: u64,
    /// The seed of the training, if it was given one.
    pub seed: Option<u64>,
    /// Notes, by name.
    pub notes: BTreeMap<String, String>,
}

impl Loaded {
    /// What a checkpoint says of itself, before anything is made that it could be loaded into.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is no checkpoint.
    ///
    /// # Example
    /// ```no_run
    /// let kept = nn::Loaded::peek("run.safetensors")?;
    /// println!("{} steps; its data are {}", kept.step, kept.notes["data"]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn peek(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Loaded::said_by(&read_checkpoint(path.as_ref())?))
    }

    fn said_by(contents: &Contents) -> Self {
        let number = |name: &str| contents.metadata.get(name).and_then(|text| text.parse().ok());
        let note = |(name, text): (&String, &String)| Some((name.strip_prefix(NOTE)?.to_owned(), text.clone()));
        Loaded {
            step: number("optimizer.step").unwrap_or(0),
            seed: number(SEED),
            notes: contents.metadata.iter().filter_map(note).collect(),
        }
    }
}

/// Where a note is in a file.
const NOTE: &str = "note.";
/// Where the seed is.
pub(crate) const SEED: &str = "seed";

/// What the names of a file begin with beside those of the parts.
const OTHERS: [&str; 6] = ["model", "last", "fit", "history", "note", "evenkeel"];

impl<'a, T: Float> Checkpoint<'a, T> {
    /// A checkpoint of a model, to be saved or loaded.
    pub fn new(model: &'a mut impl Module<T>) -> Self {
        Checkpoint { model, parts: Vec::new(), seed: None, notes: BTreeMap::new(), converts: false }
    }

    /// Adds the optimizer.
    #[must_use]
    pub fn optimizer(self, optimizer: &'a mut Optimizer<T>) -> Self {
        self.with_state("optimizer", optimizer)
    }

    /// Adds an L-BFGS, in place of an optimizer.
    #[must_use]
    pub fn lbfgs(self, lbfgs: &'a mut Lbfgs) -> Self {
        self.with_state("optimizer", lbfgs)
    }

    /// Adds an average of the weights; there may be several, and their order counts.
    #[must_use]
    pub fn average(self, average: &'a mut WeightAverage<T>) -> Self {
        let number = 1 + self.parts.iter().filter(|(name, _)| name.starts_with("average")).count();
        let name = if number == 1 { "average".to_owned() } else { format!("average{number}") };
        self.with_state(&name, average)
    }

    /// Adds the counters of a plateau.
    #[must_use]
    pub fn plateau(self, plateau: &'a mut ReduceOnPlateau) -> Self {
        self.with_state("plateau", plateau)
    }

    /// Adds the counters of what ends the training.
    #[must_use]
    pub fn stopping(self, stopping: &'a mut EarlyStopping) -> Self {
        self.with_state("stopping", stopping)
    }

    /// Adds anything else that is [`Stateful`], such as a `Watch` of the crate `diagnose`, under a name without dots.
    #[must_use]
    pub fn with_state(mut self, name: &str, state: &'a mut (impl Stateful<T> + 'a)) -> Self {
        self.parts.push(held(name, state));
        self
    }

    /// Sets the seed that all draws of the training follow from: loading a file with another is an error.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Checkpoint { seed: Some(seed), ..self }
    }

    /// Adds a text under a name, which loading gives back.
    #[must_use]
    pub fn note(mut self, name: &str, text: impl std::fmt::Display) -> Self {
        self.notes.insert(name.to_owned(), text.to_string());
        self
    }

    /// Accepts floats of another type when it loads: f64 are rounded to f32.
    #[must_use]
    pub fn convert(self) -> Self {
        Checkpoint { converts: true, ..self }
    }

    /// Writes the file: whole or not at all, and on disk when this returns.
    ///
    /// # Errors
    /// It cannot be written, and what was there before is still there; or an average is
    /// [swapped in](WeightAverage::swap), whether it is a part of the checkpoint or not; or a slot of a rule of your own is called `t`;
    /// or two parts have one name.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let mut contents = Contents::default();
        write(&*self.model, MODEL, &self.parts, &mut contents)?;
        if let Some(seed) = self.seed {
            contents.metadata.insert(SEED.into(), seed.to_string());
        }
        contents.metadata.extend(self.notes.iter().map(|(name, text)| (format!("{NOTE}{name}"), text.clone())));
        format::write(path.as_ref(), contents, FileKind::Checkpoint)
    }

    /// Reads the file. Everything is read and compared before anything is changed.
    ///
    /// A file of [`Fit`](crate::Fit)'s has two sets of weights; this goes on from the last, where [`load`](crate::load) takes the
    /// best.
    ///
    /// # Errors
    /// The file cannot be read, is damaged or of a newer format; or it does not fit, or lacks what is to be loaded, or
    /// has what nothing here takes: then all differences are listed. Nothing has changed.
    pub fn load(mut self, path: impl AsRef<Path>) -> Result<Loaded, Error> {
        check(&self.parts)?;
        let path = path.as_ref();
        let contents = read_checkpoint(path)?;
        let loaded = Loaded::said_by(&contents);
        let mut at = Archive::reading(Some(&*self.model), &contents, self.converts);
        at.ignore(|name| name.starts_with(HISTORY));
        let last = has_last(&contents);
        if last {
            at.ignore(|name| name.starts_with(MODEL));
        }
        let values = read(if last { LAST } else { MODEL }, &mut self.parts, &[], &mut at);
        if let (Some(want), Some(got)) = (self.seed, loaded.seed)
            && want != got
        {
            at.mismatch(format!("the seed is {got} in the file, and {want} here"));
        }
        at.finish(path)?;
        self.model.assign(&values);
        self.parts.into_iter().for_each(|(_, part)| part.replace());
        Ok(loaded)
    }
}

/// Makes sure that no part is called as another, or as what a file has beside them.
pub(crate) fn check<T: Float>(parts: &Parts<'_, T>) -> Result<(), Error> {
    let is_taken = |index: usize, name: &str| {
        let is_other = OTHERS.contains(&name) || name.is_empty() || name.contains('.');
        is_other || parts[..index].iter().any(|(before, _)| before == name)
    };
    match parts.iter().enumerate().find(|(index, (name, _))| is_taken(*index, name)) {
        None => Ok(()),
        Some((_, (name, _))) => {
            let why = format!("cannot keep a state by the name {name:?}, which is taken or has a dot; choose another");
            Err(Error::Invalid { what: "the checkpoint", why })
        }
    }
}

/// Puts a model, whose names are to begin so, and parts into a file.
pub(crate) fn write<T: Float>(
    model: &dyn Module<T>,
    prefix: &str,
    parts: &Parts<'_, T>,
    contents: &mut Contents,
) -> Result<(), Error> {
    check(parts)?;
    let mut at = Archive::writing(Some(model), contents);
    let _ = model::walk(&mut at, model, prefix, false);
    parts.iter().for_each(|(name, part)| part.write(name, &mut at));
    at.finish(Path::new(""))?;
    match lent(model) {
        None => Ok(()),
        Some(why) => {
            let why = format!("would keep an average as the weights: {why}");
            Err(Error::Invalid { what: "the checkpoint", why })
        }
    }
}

/// What a file has for a model, whose names begin so, and for parts, which take note of theirs. Of the parts that there are in the file
/// and not here, some may be passed over.
pub(crate) fn read<T: Float>(
    prefix: &str,
    parts: &mut Parts<'_, T>,
    passed_over: &[&str],
    at: &mut Archive<'_, T>,
) -> Vec<Tensor<T>> {
    let is_known = |name: &str| OTHERS.contains(&name) || parts.iter().any(|(known, _)| known == name);
    for name in at.parts().into_iter().filter(|name| !is_known(name)) {
        if passed_over.contains(&&*name) {
            at.ignore(|tensor| tensor.split_once('.').is_some_and(|(part, _)| part == name));
        } else {
            at.has_more(&name);
        }
    }
    let values = model::walk(at, at.model(), prefix, false);
    parts.iter_mut().for_each(|(name, part)| part.read(name, at));
    values
}

/// The last weights of a fit, where these are not the best; its best are `model.`.
pub(crate) const LAST: &str = "last.";
/// What a fit notes of its course.
pub(crate) const HISTORY: &str = "history.";

pub(crate) fn has_last(contents: &Contents) -> bool {
    contents.tensors.keys().any(|name| name.starts_with(LAST))
}
