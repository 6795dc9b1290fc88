//! A fit in files: saving it as it goes, and going on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tensor::Float;
use tensor::safetensors::{self, Contents};

use super::Fit;
use super::course::Course;
use crate::archive::Archive;
use crate::files::checkpoint::{self, LAST, Part, Parts, SEED, has_last};
use crate::files::format::{self, FileKind};
use crate::files::model::{self, MODEL};
use crate::training::batches::sum_of;
use crate::{Error, Module, Numbered, Optimizer};

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

/// Where the file of a training that was begun anew says how often that was done.
const BEGUN: &str = "fit.begun";

fn begun(texts: &BTreeMap<String, String>) -> u64 {
    texts.get(BEGUN).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A state that a fit keeps and that hooks have in hand too: asked for when a file is written or read.
pub(super) struct HookState<'a, T: Float> {
    pub(super) name: String,
    pub(super) part: Box<dyn Fn() -> Box<dyn Part<T> + 'a> + 'a>,
}

/// Where a fit is saved as it goes, and what else is kept with it.
pub(super) struct Autosave<'a, T: Float> {
    saves: Option<Saves>,
    states: Vec<HookState<'a, T>>,
    /// What must be as it was if the training is to go on as it would have.
    same: Vec<(&'static str, String)>,
    /// The step of the last checkpoint.
    at: Option<u64>,
    /// How often a training was begun anew in place of another.
    begun: u64,
    /// Whether there are still the files of a training in whose place this one begins.
    anew: bool,
    /// Old files that could not be removed, each once.
    pub(super) unremoved: Vec<String>,
}

impl<'a, T: Float> Autosave<'a, T> {
    /// Of a fit, whose states it takes.
    pub(super) fn of(fit: &mut Fit<'a, T>) -> Self {
        let evaluated = fit.evaluate.as_ref().map_or("none".to_owned(), |of| {
            format!("{} rows ({}) every {} steps", of.rows.numel(), sum_of(&of.rows), of.every)
        });
        let same = vec![
            (SEED, fit.seed.to_string()),
            ("batches", fit.batches.as_ref().map_or(String::new(), |batches| batches.described())),
            ("accumulated", fit.accumulate.to_string()),
            ("evaluated", evaluated),
        ];
        let (saves, states) = (fit.checkpoint.clone(), std::mem::take(&mut fit.states));
        Autosave { saves, states, same, at: None, begun: 0, anew: false, unremoved: Vec::new() }
    }

    /// The checkpoint to go on from. Of numbered files, that of the training that was begun last; a process that was killed may have left
    /// others beside it, which are removed with the next.
    fn latest(&mut self) -> Result<Option<PathBuf>, Error> {
        match self.saves.as_ref().map(|saves| &saves.at) {
            None => Ok(None),
            Some(CheckpointAt::File(path)) => Ok(Some(path.clone()).filter(|path| path.is_file())),
            Some(CheckpointAt::Numbered(files)) => {
                // What cannot be read is read again, and is an error, if it is the only one.
                let begun = |path: &Path| begun(&safetensors::read_metadata(path).unwrap_or_default());
                let mut files: Vec<_> =
                    files.files()?.into_iter().map(|(step, path)| (begun(&path), step, path)).collect();
                files.sort();
                self.anew = files.first().zip(files.last()).is_some_and(|(first, last)| first.0 != last.0);
                Ok(files.pop().map(|(_, _, path)| path))
            }
        }
    }

    /// All that a checkpoint has beside the model.
    fn parts<'p>(&'p self, course: &'p mut Course<T>, optimizer: &'p mut Optimizer<T>) -> Parts<'p, T> {
        let mut parts = course.parts();
        parts.insert(0, checkpoint::held("optimizer", optimizer));
        parts.extend(self.states.iter().map(|state| (state.name.clone(), (state.part)() as Box<dyn Part<T> + 'p>)));
        parts
    }

    /// Goes on from the checkpoint, if there is one; if not, writes the first, so that a path that cannot be written is known at
    /// once.
    pub(super) fn resume(
        &mut self,
        course: &mut Course<T>,
        model: &mut impl Module<T>,
        optimizer: &mut Optimizer<T>,
        resume: Resume,
    ) -> Result<(), Error> {
        let Some(path) = self.latest()? else { return self.save(course, model, optimizer) };
        let contents = format::read_checkpoint(&path)?;
        self.begun = begun(&contents.metadata) + u64::from(resume == Resume::Never);
        let mut at = Archive::reading(Some(&*model), &contents, false);
        if resume == Resume::Never {
            // Of this model, at least.
            let _ = model::walk(&mut at, &*model, MODEL, false);
            at.ignore(|name| !name.starts_with(MODEL));
            self.anew = true;
            return at.finish(&path);
        }
        if !contents.metadata.contains_key("fit.batches") {
            at.mismatch("is a checkpoint, but not of a fit");
            let _ = model::walk(&mut at, &*model, MODEL, false);
            return at.finish(&path);
        }
        let mut changed = 0;
        for (name, here) in self.same.iter().filter(|_| resume == Resume::IfThere) {
            let said = at.within("fit", |at| at.text(name, here)).unwrap_or_default();
            if said != *here {
                at.mismatch(format!("{name}: {said} in the file, and {here} here"));
                changed += 1;
            }
        }
        let ledger = course.ledger.walk(&mut at);
        let last = has_last(&contents);
        let best = ledger.best.map(|_| model::walk(&mut at, &*model, MODEL, false));
        if last {
            at.ignore(|name| name.starts_with(MODEL));
        }
        let mut parts = self.parts(course, optimizer);
        let values = checkpoint::read(if last { LAST } else { MODEL }, &mut parts, &mut at);
        if changed > 0 && at.has_mismatches(changed) {
            at.advise(
                "`resume(Resume::Changed)` goes on all the same, and `resume(Resume::Never)` begins anew in its place",
            );
        }
        at.finish(&path)?;
        parts.into_iter().for_each(|(_, part)| part.replace());
        model.assign(&values);
        (course.ledger, course.best_values) = (ledger, best.unwrap_or_default());
        self.at = Some(optimizer.step_number());
        Ok(())
    }

    /// Writes a checkpoint if it is time to.
    pub(super) fn save_when_due(
        &mut self,
        course: &mut Course<T>,
        model: &mut impl Module<T>,
        optimizer: &mut Optimizer<T>,
    ) -> Result<(), Error> {
        let due = |saves: &Saves| optimizer.step_number().is_multiple_of(saves.every);
        if self.saves.as_ref().is_some_and(due) { self.save(course, model, optimizer) } else { Ok(()) }
    }

    /// Writes a checkpoint, if there is to be one and this step has none.
    pub(super) fn save(
        &mut self,
        course: &mut Course<T>,
        model: &mut impl Module<T>,
        optimizer: &mut Optimizer<T>,
    ) -> Result<(), Error> {
        let step = optimizer.step_number();
        let Some(Saves { at: place, .. }) = self.saves.clone().filter(|_| self.at != Some(step)) else {
            return Ok(());
        };
        course.check(model, step)?;
        let (mut contents, outcome) = (Contents::default(), course.outcome(model)?);
        let mut at = Archive::writing(Some(&*model), &mut contents);
        at.within("fit", |at| self.same.iter().for_each(|(name, text)| _ = at.text(name, text)));
        let _ = at.text(SEED, &self.same[0].1);
        if self.begun > 0 {
            let _ = at.number(BEGUN, self.begun);
        }
        let _ = course.ledger.walk(&mut at);
        let prefix = if outcome.is_some() { LAST } else { MODEL };
        checkpoint::write(&*model, prefix, &self.parts(course, optimizer), &mut contents)?;
        for ((path, _), value) in model.state_dict().into_iter().zip(outcome.iter().flatten()) {
            contents.tensors.insert(format!("{MODEL}{path}"), value.into());
        }
        match &place {
            CheckpointAt::File(path) => format::write(path, contents, FileKind::Checkpoint)?,
            CheckpointAt::Numbered(files) => {
                format::write(&files.at(step), contents, FileKind::Checkpoint)?;
                let unremoved = if self.anew { files.keep_only(step) } else { files.prune(step) };
                self.anew &= !unremoved.is_empty();
                for why in unremoved {
                    if !self.unremoved.contains(&why) {
                        self.unremoved.push(why);
                    }
                }
            }
        }
        self.at = Some(step);
        Ok(())
    }
}
