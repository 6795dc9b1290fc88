//! Keeping a model, or all of a training, in a file. Feature `checkpoint`.

mod model;
mod numbered;
mod stored;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use model::{MODEL, read};
pub use model::{ModelFile, load, save};
pub use numbered::Numbered;
pub(crate) use stored::{Holds, Reader, Stored};
use tensor::{Float, Tensor};

use crate::module::lent;
use crate::{Average, Error, Lbfgs, Module, Optimizer, Plateau, Stopping};

/// All of a training in one `.safetensors` file: the model, what the optimizer keeps of each weight and its counts,
/// averages, the counters of a [`Plateau`] and a [`Stopping`], the seed, and notes of your own. A training that is
/// loaded goes on with the very bits that it would have had. Feature `checkpoint`.
///
/// Tensors are called `model.hidden.weight`, `optimizer.m.hidden.weight`, `optimizer.t.hidden.weight` (the steps of
/// the weight), `average.hidden.weight`; whatever reads the format reads them, such as `safetensors.numpy.load_file`.
/// Numbers and a checksum of the whole are in the file's metadata.
///
/// What is a function of the step, the rate of a [`Schedule`](crate::Schedule), the rows of
/// [`Batches`](crate::Batches), what dropout draws, needs no keeping. Numbers that a program sets, such as a rate or a
/// momentum, are those of the program, not of the file: a training may go on with others.
///
/// # Example
/// ```
/// use nn::{Adam, Checkpoint, Module, Optimizer, Param};
/// # use autograd::{Gradients, Tape};
/// use tensor::Tensor;
///
/// # let path = std::env::temp_dir().join(format!("evenkeel-checkpoint-{}.safetensors", std::process::id()));
/// # fn gradients(w: &Param) -> Gradients {
/// #     let tape = Tape::new();
/// #     let w = w.on(&tape);
/// #     (w * w).sum(..).backward()
/// # }
/// let mut w = Param::new(Tensor::from([1.0, 2.0]));
/// let mut adam = Optimizer::new(Adam::default(), 0.1)?;
/// # let step = gradients(&w);
/// adam.step(&mut w, &step);
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
    optimizer: Option<Moves<'a, T>>,
    averages: Vec<&'a mut Average<T>>,
    plateau: Option<&'a mut Plateau>,
    stopping: Option<&'a mut Stopping>,
    seed: Option<u64>,
    notes: BTreeMap<String, String>,
    converts: bool,
}

/// What moves the weights.
enum Moves<'a, T: Float> {
    Optimizer(&'a mut Optimizer<T>),
    Lbfgs(&'a mut Lbfgs),
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
        let stored = Stored::read_checkpoint(path.as_ref())?;
        Ok(Loaded::said_by(&stored))
    }

    fn said_by(stored: &Stored) -> Self {
        let number = |name: &str| stored.texts.get(name).and_then(|text| text.parse().ok());
        let note = |(name, text): (&String, &String)| Some((name.strip_prefix(NOTE)?.to_owned(), text.clone()));
        Loaded {
            step: number("optimizer.step").unwrap_or(0),
            seed: number("seed"),
            notes: stored.texts.iter().filter_map(note).collect(),
        }
    }
}

/// Where a note is in a file.
const NOTE: &str = "note.";

impl<'a, T: Float> Checkpoint<'a, T> {
    /// A checkpoint of a model, to be saved or loaded.
    pub fn new(model: &'a mut impl Module<T>) -> Self {
        Checkpoint {
            model,
            optimizer: None,
            averages: Vec::new(),
            plateau: None,
            stopping: None,
            seed: None,
            notes: BTreeMap::new(),
            converts: false,
        }
    }

    /// The same with the optimizer.
    #[must_use]
    pub fn optimizer(self, optimizer: &'a mut Optimizer<T>) -> Self {
        Checkpoint { optimizer: Some(Moves::Optimizer(optimizer)), ..self }
    }

    /// The same with L-BFGS in an optimizer's place.
    #[must_use]
    pub fn lbfgs(self, lbfgs: &'a mut Lbfgs) -> Self {
        Checkpoint { optimizer: Some(Moves::Lbfgs(lbfgs)), ..self }
    }

    /// The same with an average of the weights; there may be several, in this order.
    #[must_use]
    pub fn average(mut self, average: &'a mut Average<T>) -> Self {
        self.averages.push(average);
        self
    }

    /// The same with the counters of a plateau.
    #[must_use]
    pub fn plateau(self, plateau: &'a mut Plateau) -> Self {
        Checkpoint { plateau: Some(plateau), ..self }
    }

    /// The same with the counters of what ends the training.
    #[must_use]
    pub fn stopping(self, stopping: &'a mut Stopping) -> Self {
        Checkpoint { stopping: Some(stopping), ..self }
    }

    /// The same with the seed that all draws of the training follow from: loading a file with another is an error.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Checkpoint { seed: Some(seed), ..self }
    }

    /// The same with a text under a name; loading gives it back.
    #[must_use]
    pub fn note(mut self, name: &str, text: impl std::fmt::Display) -> Self {
        self.notes.insert(name.to_owned(), text.to_string());
        self
    }

    /// The same, which loads floats of another type too: f64 are rounded to f32.
    #[must_use]
    pub fn convert(self) -> Self {
        Checkpoint { converts: true, ..self }
    }

    /// Writes the file: whole or not at all, and on disk when this returns.
    ///
    /// # Errors
    /// It cannot be written, and what was there before is still there; or an average is
    /// [swapped in](Average::swap), whether it is a part of the checkpoint or not; or a slot of a rule of your own is called `t`.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let mut stored = Stored::default();
        self.keep(MODEL, &mut stored)?;
        stored.write(path.as_ref(), Holds::Checkpoint)
    }

    /// Puts all that it has into a file, where the names of the model begin so.
    pub(crate) fn keep(&self, model: &str, stored: &mut Stored) -> Result<(), Error> {
        model::keep(self.model, model, false, stored)?;
        match &self.optimizer {
            Some(Moves::Optimizer(optimizer)) => optimizer.keep(self.model, stored)?,
            Some(Moves::Lbfgs(lbfgs)) => lbfgs.keep(stored)?,
            None => {}
        }
        for (name, average) in average_names().zip(&self.averages) {
            average.keep(&name, self.model, stored)?;
        }
        if let Some(why) = lent(&*self.model) {
            return Err(Error::Invalid {
                what: "the checkpoint",
                why: format!("would keep an average as the weights: {why}"),
            });
        }
        if let Some(plateau) = &self.plateau {
            plateau.keep(stored);
        }
        if let Some(stopping) = &self.stopping {
            stopping.keep(stored);
        }
        if let Some(seed) = self.seed {
            stored.say("seed", seed);
        }
        for (name, text) in &self.notes {
            stored.say(format!("{NOTE}{name}"), text);
        }
        Ok(())
    }

    /// Reads the file. Everything is read and compared before anything is changed.
    ///
    /// A file of [`Fit`](crate::Fit)'s has two sets of weights; this goes on from the last, where [`load`] takes the
    /// best.
    ///
    /// # Errors
    /// The file cannot be read, is damaged or of a newer format; or it does not fit, or lacks what is to be loaded, or
    /// has what nothing here takes: then all differences are listed. Nothing has changed.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Loaded, Error> {
        let path = path.as_ref();
        let stored = Stored::read_checkpoint(path)?;
        let mut reader = Reader::new(path, &stored, self.converts);
        let last = reader.names().any(|name| name.starts_with(LAST));
        if last {
            reader.pass_over(MODEL);
        }
        reader.pass_over(HISTORY);
        let found = self.read(if last { LAST } else { MODEL }, &mut reader);
        let loaded = Loaded::said_by(&stored);
        if let (Some(want), Some(got)) = (self.seed, loaded.seed)
            && want != got
        {
            reader.differs(format!("the seed is {got} in the file, and {want} here"));
        }
        reader.finish()?;
        self.restore(found);
        Ok(loaded)
    }

    /// What the file has for it, where the names of the model begin so. The reader knows what differs.
    pub(crate) fn read(&self, model: &str, reader: &mut Reader<'_>) -> Found<T> {
        for (part, is_here) in [("plateau", self.plateau.is_some()), ("stopping", self.stopping.is_some())] {
            if !is_here && reader.says(&format!("{part}.bad")).is_some() {
                reader.has_more(part);
            }
        }
        for name in average_names()
            .skip(self.averages.len())
            .take_while(|name| reader.says(&format!("{name}.updates")).is_some())
            .collect::<Vec<_>>()
        {
            reader.has_more(&name);
        }
        let values = model::read(&*self.model, model, false, reader);
        let (mut optimizer, mut lbfgs) = (None, None);
        match &self.optimizer {
            Some(Moves::Optimizer(of)) => optimizer = of.read(&*self.model, reader),
            Some(Moves::Lbfgs(of)) => lbfgs = of.read(&*self.model, reader),
            None => {}
        }
        let mut averages = Vec::new();
        for (name, average) in average_names().zip(&self.averages) {
            averages.push(average.read(&name, &*self.model, reader));
        }
        let plateau = self.plateau.as_ref().and_then(|plateau| plateau.read(reader));
        let stopping = self.stopping.as_ref().and_then(|stopping| stopping.read(reader));
        Found { values, optimizer, lbfgs, averages, plateau, stopping }
    }

    /// Takes what was found, of which nothing differs.
    pub(crate) fn restore(self, found: Found<T>) {
        model::assign(self.model, found.values);
        match (self.optimizer, found.optimizer, found.lbfgs) {
            (Some(Moves::Optimizer(own)), Some(kept), _) => own.restore(kept),
            (Some(Moves::Lbfgs(own)), _, Some(kept)) => *own = kept,
            _ => {}
        }
        for (own, kept) in self.averages.into_iter().zip(found.averages) {
            if let Some(kept) = kept {
                own.restore(kept);
            }
        }
        if let (Some(own), Some(kept)) = (self.plateau, found.plateau) {
            *own = kept;
        }
        if let (Some(own), Some(kept)) = (self.stopping, found.stopping) {
            *own = kept;
        }
    }
}

/// What a file has for a checkpoint.
pub(crate) struct Found<T: Float> {
    values: Vec<Option<Tensor<T>>>,
    optimizer: Option<crate::optimizer::Kept<T>>,
    lbfgs: Option<Lbfgs>,
    averages: Vec<Option<crate::average::Kept<T>>>,
    plateau: Option<Plateau>,
    stopping: Option<Stopping>,
}

/// The last weights of a fit, where these are not the best; its best are `model.`.
pub(crate) const LAST: &str = "last.";
/// What a fit notes of its course.
pub(crate) const HISTORY: &str = "history.";

/// What the averages of a checkpoint are called: `average`, `average2`, `average3`.
fn average_names() -> impl Iterator<Item = String> {
    (1..).map(|number| if number == 1 { "average".to_owned() } else { format!("average{number}") })
}
