//! A fit in files: saving it as it goes, and going on.

use std::path::{Path, PathBuf};

use tensor::{Float, Shape, Tensor};

use super::course::{Best, Course, values};
use super::{Fit, Record, Weights};
use crate::batches::sum_of;
use crate::checkpoint::{self, HISTORY, Holds, LAST, MODEL, Reader, Stored};
use crate::{Checkpoint, Error, Module, Numbered, Optimizer};

/// Where a fit writes its checkpoints: a path, or [`Numbered`] files. Feature `checkpoint`.
#[derive(Clone, Debug)]
pub enum CheckpointAt {
    /// One file, which is replaced each time.
    File(PathBuf),
    /// A file for each.
    Numbered(Numbered),
}

impl From<Numbered> for CheckpointAt {
    fn from(files: Numbered) -> Self {
        CheckpointAt::Numbered(files)
    }
}

/// Stamps what a path may be.
macro_rules! from_paths {
    ($($t:ty)*) => {$(
        impl From<$t> for CheckpointAt {
            fn from(path: $t) -> Self {
                CheckpointAt::File(path.into())
            }
        }
    )*};
}

from_paths!(&str String &Path PathBuf &PathBuf);

/// What a [`Fit`] does with a checkpoint that is there. One of another model is an error in any case, and stays. Feature
/// `checkpoint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Goes on from it; that the seed, the batches or the evaluations are others is an error.
    IfThere,
    /// Goes on from it, with the seed, batches and evaluations that were set now.
    Changed,
    /// Begins anew, and replaces it.
    Never,
}

/// When a fit saves, and where.
#[derive(Clone)]
pub(super) struct Saves {
    pub(super) at: CheckpointAt,
    pub(super) every: u64,
}

/// What a fit knows of its files.
pub(super) struct Kept {
    saves: Option<Saves>,
    /// What must be as it was if the training is to go on as it would have.
    same: Vec<(&'static str, String)>,
    /// The step of the last checkpoint.
    at: Option<u64>,
    /// Whether there are still the files of a training in whose place this one begins.
    anew: bool,
    /// Old files that could not be removed, each once.
    pub(super) unremoved: Vec<String>,
}

impl Kept {
    pub(super) fn of<T: Float>(fit: &Fit<'_, T>) -> Self {
        let evaluated = fit.evaluate.as_ref().map_or("none".to_owned(), |of| {
            format!("{} rows ({}) every {} steps", of.rows.numel(), sum_of(&of.rows), of.every)
        });
        let same = vec![
            ("seed", fit.seed.to_string()),
            ("batches", fit.batches.as_ref().map_or(String::new(), |batches| batches.described())),
            ("accumulated", fit.accumulate.to_string()),
            ("evaluated", evaluated),
        ];
        Kept { saves: fit.checkpoint.clone(), same, at: None, anew: false, unremoved: Vec::new() }
    }

    fn latest(&self) -> Result<Option<PathBuf>, Error> {
        Ok(match self.saves.as_ref().map(|saves| &saves.at) {
            None => None,
            Some(CheckpointAt::File(path)) => Some(path.clone()).filter(|path| path.is_file()),
            Some(CheckpointAt::Numbered(files)) => files.latest()?,
        })
    }
}

/// Where a text of a fit is in a file.
fn fit(name: &str) -> String {
    format!("fit.{name}")
}

impl<T: Float> Course<T> {
    /// Goes on from the checkpoint, if there is one; if not, writes the first, so that a path that cannot be written is known at
    /// once.
    pub(super) fn resume(
        &mut self,
        model: &mut impl Module<T>,
        optimizer: &mut Optimizer<T>,
        resume: Resume,
    ) -> Result<(), Error> {
        let Some(path) = self.kept.latest()? else { return self.save(model, optimizer) };
        let stored = Stored::read_checkpoint(&path)?;
        let mut reader = Reader::new(&path, &stored, false);
        let last = reader.names().any(|name| name.starts_with(LAST));
        if resume == Resume::Never {
            // Of this model, at least.
            checkpoint::read(&*model, MODEL, false, &mut reader);
            reader.pass_over_all_but(MODEL);
            self.kept.anew = true;
            return reader.finish();
        }
        if reader.says(&fit("batches")).is_none() {
            reader.differs("is a checkpoint, but not of a fit");
            checkpoint::read(&*model, MODEL, false, &mut reader);
            return reader.finish();
        }
        let mut changed = 0;
        for (name, here) in self.kept.same.iter().filter(|_| resume == Resume::IfThere) {
            let said = reader.parsed::<String>(&fit(name));
            if let Some(said) = said.filter(|said| said != here) {
                reader.differs(format!("{name}: {said} in the file, and {here} here"));
                changed += 1;
            }
        }
        let (loss_sum, rows_sum) = (reader.parsed(&fit("loss_sum")), reader.parsed(&fit("rows_sum")));
        let mut best = None;
        if reader.says(&fit("best.step")).is_some() {
            let at = (reader.parsed(&fit("best.step")), reader.parsed(&fit("best.loss")));
            let values: Option<Vec<Tensor<T>>> =
                checkpoint::read(&*model, MODEL, false, &mut reader).into_iter().collect();
            if let ((Some(step), Some(loss)), Some(values)) = (at, values) {
                best = Some((Best { step, loss }, values));
            }
        } else if last {
            reader.pass_over(MODEL);
        }
        let history = read_history(&mut reader);
        let parts = self.checkpoint(model, optimizer);
        let found = parts.read(if last { LAST } else { MODEL }, &mut reader);
        if changed > 0 && reader.differs_only_in(changed) {
            reader.advise(
                "`resume(Resume::Changed)` goes on all the same, and `resume(Resume::Never)` begins anew in its place",
            );
        }
        reader.finish()?;
        parts.restore(found);
        (self.loss_sum, self.rows_sum) = (loss_sum.unwrap_or(0.0), rows_sum.unwrap_or(0.0));
        (self.best, self.history) = (best, history);
        self.kept.at = Some(optimizer.step_number());
        Ok(())
    }

    /// All that a checkpoint has of it.
    fn checkpoint<'a>(
        &'a mut self,
        model: &'a mut impl Module<T>,
        optimizer: &'a mut Optimizer<T>,
    ) -> Checkpoint<'a, T> {
        let mut parts = Checkpoint::new(model).optimizer(optimizer).stopping(&mut self.stopping);
        if let Some(average) = &mut self.average {
            parts = parts.average(average);
        }
        if let Some(plateau) = &mut self.plateau {
            parts = parts.plateau(plateau);
        }
        parts
    }

    /// Writes a checkpoint if it is time to.
    pub(super) fn save_when_due(
        &mut self,
        model: &mut impl Module<T>,
        optimizer: &mut Optimizer<T>,
    ) -> Result<(), Error> {
        let due = |saves: &Saves| optimizer.step_number().is_multiple_of(saves.every);
        if self.kept.saves.as_ref().is_some_and(due) { self.save(model, optimizer) } else { Ok(()) }
    }

    /// Writes a checkpoint, if there is to be one and this step has none.
    pub(super) fn save(&mut self, model: &mut impl Module<T>, optimizer: &mut Optimizer<T>) -> Result<(), Error> {
        let step = optimizer.step_number();
        let Some(Saves { at, .. }) = self.kept.saves.clone().filter(|_| self.kept.at != Some(step)) else {
            return Ok(());
        };
        self.check(model, step)?;
        let mut stored = Stored::default();
        for (name, text) in &self.kept.same {
            stored.say(fit(name), text);
        }
        stored.say("seed", &self.kept.same[0].1);
        stored.say_f64(fit("loss_sum"), self.loss_sum);
        stored.say_f64(fit("rows_sum"), self.rows_sum);
        if let Some((Best { step, loss }, _)) = self.best {
            stored.say(fit("best.step"), step);
            stored.say_f64(fit("best.loss"), loss);
        }
        keep_history(&self.history, &mut stored)?;
        let outcome = match self.weights() {
            Weights::Best => self.best.as_ref().map(|(_, values)| values.clone()),
            Weights::Average => {
                self.swap(model)?;
                let outcome = values(&*model);
                self.swap(model)?;
                Some(outcome)
            }
            Weights::Last => None,
        };
        let names: Vec<String> = model.state_dict().into_iter().map(|(path, _)| path).collect();
        self.checkpoint(model, optimizer).keep(if outcome.is_some() { LAST } else { MODEL }, &mut stored)?;
        for (name, value) in names.iter().zip(outcome.iter().flatten()) {
            stored.put(format!("{MODEL}{name}"), value)?;
        }
        match &at {
            CheckpointAt::File(path) => stored.write(path, Holds::Checkpoint)?,
            CheckpointAt::Numbered(files) => {
                stored.write(&files.at(step), Holds::Checkpoint)?;
                let unremoved = if self.kept.anew { files.keep_only(step) } else { files.prune(step) };
                self.kept.anew &= !unremoved.is_empty();
                for why in unremoved {
                    if !self.kept.unremoved.contains(&why) {
                        self.kept.unremoved.push(why);
                    }
                }
            }
        }
        self.kept.at = Some(step);
        Ok(())
    }
}

fn keep_history(history: &[Record], stored: &mut Stored) -> Result<(), Error> {
    let name = |name: &str| format!("{HISTORY}{name}");
    let floats = |of: &dyn Fn(&Record) -> f64| history.iter().map(of).collect::<Tensor<f64>>();
    stored.put(name("step"), history.iter().map(|of| of.step as i64).collect::<Tensor<i64>>())?;
    stored.put(name("train"), floats(&|of| of.train))?;
    stored.put(name("held_out"), floats(&|of| of.held_out.unwrap_or(f64::NAN)))
}

/// The history that a file has; where there was no evaluation, NaN.
fn read_history(reader: &mut Reader<'_>) -> Vec<Record> {
    let name = |name: &str| format!("{HISTORY}{name}");
    let shape = reader.any(&name("step")).map_or(Shape::from([0]), |steps| steps.shape().clone());
    let (step, train) = (reader.tensor::<i64>(&name("step"), &shape), reader.tensor::<f64>(&name("train"), &shape));
    let held_out = reader.tensor::<f64>(&name("held_out"), &shape);
    let (Some(step), Some(train), Some(held_out)) = (step, train, held_out) else { return Vec::new() };
    let records = step.iter().zip(train.iter().zip(held_out.iter()));
    records
        .map(|(step, (train, held_out))| Record {
            step: step.unsigned_abs(),
            train,
            held_out: Some(held_out).filter(|loss| !loss.is_nan()),
        })
        .collect()
}
