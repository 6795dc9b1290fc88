//! A fit in files: saving it as it goes, and going on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tensor::Float;
use tensor::io::AnyTensor;
use tensor::safetensors::{self, Contents};

use super::course::{Course, LOSS};
use super::evaluation::Evaluation;
use super::hooks::Observing;
use super::{Fit, FitReport};
use crate::archive::Archive;
use crate::files::checkpoint::{self, LAST, Part, Parts, SEED, has_last};
use crate::files::format::{self, FileKind};
use crate::files::model::{self, MODEL};
use crate::model::grouped;
use crate::ranks::{Link, Reader, Writer};
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
    /// Goes on from it; that the seed, the batches, the evaluations or the [data](Fit::data) are others is an error.
    IfThere,
    /// Goes on from it, with what was set now.
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

/// What some data are, in words by which others can be told from them.
fn told(data: &AnyTensor) -> String {
    format!("{} of {} (sum {:08x})", data.shape(), data.dtype(), data.checksum())
}

/// What the names of an observer's states begin with in a file.
const WATCH: &str = "watch";

/// Where a fit is saved as it goes, and what else is kept with it.
pub(super) struct Autosave<'a, T: Float> {
    /// The ranks, of which the first reads and writes.
    link: Link<T>,
    saves: Option<Saves>,
    states: Vec<HookState<'a, T>>,
    /// What must be as it was if the training is to go on as it would have.
    same: Vec<(String, String)>,
    /// What may be otherwise, and is told.
    told: Vec<(&'static str, String)>,
    /// What was otherwise when the file was written.
    changed: Vec<String>,
    /// The checkpoint that the fit goes on from, and the steps that it has.
    resumed: Option<(PathBuf, u64)>,
    /// The step of the last checkpoint.
    at: Option<u64>,
    /// How often a training was begun anew in place of another.
    begun: u64,
    /// Whether there are still the files of a training in whose place this one begins.
    anew: bool,
    /// Old files that could not be removed, each once.
    unremoved: Vec<String>,
}

impl<'a, T: Float> Autosave<'a, T> {
    /// Of a fit, whose states it takes.
    pub(super) fn of<M>(fit: &mut Fit<'a, M, T>, optimizer: &Optimizer<T>) -> Self {
        let evaluated = fit.evaluation.as_ref().map_or("none".to_owned(), |of| {
            format!("{} rows ({}) every {} steps", of.rows.len(), sum_of(&of.rows.indices()), of.every)
        });
        let mut same = vec![
            (SEED.to_owned(), fit.seed.to_string()),
            ("batches".into(), fit.batches.as_ref().map_or(String::new(), |batches| batches.described())),
            ("accumulated".into(), fit.accumulate.to_string()),
            ("evaluated".into(), evaluated),
        ];
        let judge_by = match (&fit.judge_by, &fit.evaluation) {
            (Some(name), _) => name.as_str(),
            (None, Some(Evaluation { figures: Some(_), .. })) => "the first figure",
            _ => LOSS,
        };
        same.push(("judge_by".into(), judge_by.to_owned()));
        same.push(("shards".into(), fit.shards.map_or("none".to_owned(), |rows| rows.to_string())));
        // Of much data, a sum takes a moment: only where there is a file to keep it, or another process to have the same.
        let is_compared = fit.checkpoint.is_some() || fit.ranks.size() > 1;
        let data = fit.data.iter().filter(|_| is_compared);
        same.extend(data.map(|(name, data)| (format!("data {name}"), told(data))));
        fn set(value: Option<impl ToString>) -> String {
            value.map_or("none".to_owned(), |value| value.to_string())
        }
        let average = fit.average.as_ref().and_then(|average| average.as_ref().ok());
        let told = vec![
            ("rate", optimizer.schedule().describe()),
            ("rule", optimizer.rule_described()),
            ("groups", optimizer.groups_described()),
            ("clip_norm", set(fit.clip_norm)),
            ("stop_after", set(fit.stop_after)),
            ("average", set(average.map(|average| format!("{} from step {}", average.describe(), fit.average_from)))),
        ];
        let (saves, states) = (fit.checkpoint.clone(), std::mem::take(&mut fit.states));
        let (changed, unremoved) = (Vec::new(), Vec::new());
        let link = fit.ranks.link.clone();
        Autosave { link, saves, states, same, told, changed, resumed: None, at: None, begun: 0, anew: false, unremoved }
    }

    /// What all ranks must have set alike.
    pub(super) fn settings(&self) -> Vec<(String, String)> {
        let saves = self.saves.as_ref().map_or(String::from("never"), |saves| format!("every {} steps", saves.every));
        let told = self.told.iter().map(|(name, text)| ((*name).to_owned(), text.clone()));
        self.same.iter().cloned().chain(told).chain([("saved".to_owned(), saves)]).collect()
    }

    /// What there is to say before the first step: where it goes on, and with what that is new.
    pub(super) fn said(&self) -> Vec<String> {
        let Some((path, step)) = &self.resumed else { return Vec::new() };
        let on = format!("goes on from {}, which has {} steps", path.display(), grouped(*step));
        let changed = self.changed.iter().map(|what| format!("changed since then: {what}"));
        std::iter::once(on).chain(changed).collect()
    }

    /// Adds to a report what was found in files.
    pub(super) fn report(self, report: FitReport) -> FitReport {
        let resumed_from = self.resumed.map(|(path, _)| path);
        FitReport { resumed_from, changed: self.changed, unremoved: self.unremoved, ..report }
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

    /// The checkpoint to go on from, and what is in it: rank 0 reads the file for all.
    fn latest_of_first(&mut self) -> Result<Option<(PathBuf, Contents)>, Error> {
        if self.saves.is_none() {
            return Ok(None);
        }
        if self.link.size() == 1 {
            let path = self.latest()?;
            return path.map(|path| format::read_checkpoint(&path).map(|contents| (path, contents))).transpose();
        }
        let found = match self.link.is_first() {
            true => self.latest().and_then(|path| {
                let read = |path: PathBuf| match std::fs::read(&path) {
                    Ok(bytes) => Ok((path, bytes)),
                    Err(error) => Err(tensor::io::Error::from(error).at(&path).into()),
                };
                path.map(read).transpose()
            }),
            false => Ok(None),
        };
        self.link.outcome_of_first(found.as_ref().map(|_| ()).map_err(Error::clone))?;
        let mut told = Writer::default();
        if let Some((path, bytes)) = found? {
            told.text(&path.to_string_lossy());
            told.0.extend(bytes);
        }
        let told = self.link.told_by_first(told.0)?;
        if told.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader(&told);
        let path = PathBuf::from(reader.text());
        format::read_checkpoint_from(&path, reader.0).map(|contents| Some((path, contents)))
    }

    /// All that a checkpoint has beside the model.
    fn parts<'p, M>(
        &'p self,
        course: &'p mut Course<T>,
        optimizer: &'p mut Optimizer<T>,
        observers: &'p mut [Box<dyn Observing<M, T> + 'a>],
    ) -> Parts<'p, T> {
        let mut parts = course.parts();
        parts.insert(0, checkpoint::held("optimizer", optimizer));
        parts.extend(self.states.iter().map(|state| (state.name.clone(), (state.part)() as Box<dyn Part<T> + 'p>)));
        let kept = observers.iter_mut().filter_map(|observer| observer.kept()).enumerate();
        parts
            .extend(kept.map(|(at, kept)| (if at == 0 { WATCH.into() } else { format!("{WATCH}{}", at + 1) }, kept.0)));
        parts
    }

    /// Goes on from the checkpoint, if there is one; if not, writes the first, so that a path that cannot be written is known at
    /// once.
    pub(super) fn resume<M: Module<T>>(
        &mut self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        observers: &mut [Box<dyn Observing<M, T> + 'a>],
        resume: Resume,
    ) -> Result<(), Error> {
        let Some((path, contents)) = self.latest_of_first()? else {
            return self.save(course, model, optimizer, observers);
        };
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
        let mut refused = 0;
        for (name, here) in &self.same {
            // A file of before says nothing of data.
            let said = at.within("fit", |at| at.text(name, here));
            let Some(said) = said.filter(|said| said != here) else { continue };
            if resume == Resume::IfThere {
                at.mismatch(format!("{name}: {said} in the file, and {here} here"));
                refused += 1;
            } else {
                self.changed.push(format!("{name}: {said} then, and {here} now"));
            }
        }
        for (name, here) in &self.told {
            if let Some(said) = at.within("fit", |at| at.text(name, here)).filter(|said| said != here) {
                self.changed.push(format!("{name}: {said} then, and {here} now"));
            }
        }
        let ledger = course.ledger.walk(&mut at);
        let last = has_last(&contents);
        let best = ledger.best.map(|_| model::walk(&mut at, &*model, MODEL, false));
        if last {
            at.ignore(|name| name.starts_with(MODEL));
        }
        // Who looks on may come and go.
        let there = at.parts();
        let mut parts = self.parts(course, optimizer, observers);
        parts.retain(|(name, _)| !is_watch(name) || there.contains(name));
        let gone: Vec<&str> = there.iter().map(String::as_str).filter(|name| is_watch(name)).collect();
        let values = checkpoint::read(if last { LAST } else { MODEL }, &mut parts, &gone, &mut at);
        if refused > 0 && at.has_mismatches(refused) {
            at.advise(
                "`resume(Resume::Changed)` goes on all the same, and `resume(Resume::Never)` begins anew in its place",
            );
        }
        at.finish(&path)?;
        parts.into_iter().for_each(|(_, part)| part.replace());
        model.assign(&values);
        (course.ledger, course.best_values) = (ledger, best.unwrap_or_default());
        self.at = Some(optimizer.step_number());
        self.resumed = Some((path, optimizer.step_number())).filter(|(_, step)| *step > 0);
        Ok(())
    }

    /// Writes a checkpoint if it is time to.
    pub(super) fn save_when_due<M: Module<T>>(
        &mut self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        observers: &mut [Box<dyn Observing<M, T> + 'a>],
    ) -> Result<(), Error> {
        let due = |saves: &Saves| optimizer.step_number().is_multiple_of(saves.every);
        if self.saves.as_ref().is_some_and(due) { self.save(course, model, optimizer, observers) } else { Ok(()) }
    }

    /// Writes a checkpoint, if there is to be one and this step has none.
    pub(super) fn save<M: Module<T>>(
        &mut self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        observers: &mut [Box<dyn Observing<M, T> + 'a>],
    ) -> Result<(), Error> {
        let step = optimizer.step_number();
        let Some(Saves { at: place, .. }) = self.saves.clone().filter(|_| self.at != Some(step)) else {
            return Ok(());
        };
        course.check(model, step)?;
        let is_first = self.link.is_first();
        let parts = optimizer.put_together(model, &self.link, is_first)?;
        let written = match is_first {
            true => self.write(&place, step, course, model, optimizer, observers),
            false => Ok(()),
        };
        optimizer.take_apart(parts);
        self.link.outcome_of_first(written)?;
        self.at = Some(step);
        Ok(())
    }

    /// Writes a checkpoint.
    fn write<M: Module<T>>(
        &mut self,
        place: &CheckpointAt,
        step: u64,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        observers: &mut [Box<dyn Observing<M, T> + 'a>],
    ) -> Result<(), Error> {
        let (mut contents, outcome) = (Contents::default(), course.outcome(model)?);
        let mut at = Archive::writing(Some(&*model), &mut contents);
        at.within("fit", |at| {
            self.same.iter().for_each(|(name, text)| _ = at.text(name, text));
            self.told.iter().for_each(|(name, text)| _ = at.text(name, text));
        });
        let _ = at.text(SEED, &self.same[0].1);
        if self.begun > 0 {
            let _ = at.number(BEGUN, self.begun);
        }
        let _ = course.ledger.walk(&mut at);
        let prefix = if outcome.is_some() { LAST } else { MODEL };
        checkpoint::write(&*model, prefix, &self.parts(course, optimizer, observers), &mut contents)?;
        for ((path, _), value) in model.state_dict().into_iter().zip(outcome.iter().flatten()) {
            contents.tensors.insert(format!("{MODEL}{path}"), value.into());
        }
        match place {
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
        Ok(())
    }
}

/// Whether this is what an observer's state is called.
fn is_watch(name: &str) -> bool {
    name.strip_prefix(WATCH).is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()))
}
