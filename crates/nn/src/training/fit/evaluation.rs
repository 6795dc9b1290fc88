//! Evaluations of a fit: figures of held-out rows.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use autograd::{Mode, Tape};
use tensor::{Float, Tensor};

use super::course::{Course, Evaluated, LOSS};
use super::run::LossOf;
use super::{Fit, lost};
use crate::ranks::{Reader, Writer, part};
use crate::training::metrics::{self, Metric};
use crate::{Batches, Error, Module, Optimizer, Rows};

/// The figures of some rows, by name.
pub(super) type Figures<'a, M, T> = Box<dyn FnMut(&M, &Tape<T>, &Tensor<i64>) -> Vec<(String, Metric)> + 'a>;

/// Which rows are evaluated, every how many steps, and by what, if not by the loss alone.
pub(super) struct Evaluation<'a, M, T: Float> {
    pub(super) rows: Rows,
    pub(super) every: u64,
    pub(super) figures: Option<Figures<'a, M, T>>,
}

impl<M, T: Float> Evaluation<'_, M, T> {
    /// Makes sure that there is something to evaluate; in batches of this size, where values are carried from one to the next.
    pub(super) fn check(&self, batch: Option<usize>) -> Result<(), Error> {
        let invalid = |why: String| Err(Error::Invalid { what: "the fit", why });
        self.rows.check("the fit", "is to evaluate the")?;
        match (self.rows.len(), self.every) {
            (0, _) => invalid("is to evaluate no rows: the set of held-out rows is empty".into()),
            (_, 0) => invalid("is to evaluate every 0 steps, but must make at least 1 between".into()),
            (n, _) if batch.is_some_and(|batch| n < batch) => invalid(format!(
                "is to evaluate {n} rows, and carries values over batches of {}: hold out as many at least",
                batch.unwrap_or(0)
            )),
            _ => Ok(()),
        }
    }
}

/// What evaluations draw by instead of a shard's number, so that they share no numbers with the passes of the training.
const EVALUATION: u32 = u32::MAX;
/// The rows that are evaluated at once at least.
const ROWS_AT_ONCE: usize = 256;

/// Parts of `size` rows; one row alone goes with the part before, as it has no statistics of its own.
fn chunks(rows: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let count = (rows / size + usize::from(rows % size > 1)).max(1);
    (0..count).map(move |chunk| chunk * size..if chunk + 1 == count { rows } else { (chunk + 1) * size })
}

/// Why an evaluation has no value.
enum Lost {
    /// A loss that is not finite, which is the end of a training.
    Loss(String),
    /// Something else.
    Other(String),
}

impl<M: Module<T>, T: Float> Fit<'_, M, T> {
    /// Evaluates the held-out rows, with the average where there is one, if it is time to.
    pub(super) fn evaluate_if_due(
        &mut self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        tape: &mut Tape<T>,
        loss_of: &mut LossOf<'_, M, T>,
    ) -> Result<Option<Evaluated>, Error> {
        let step = optimizer.step_number();
        let Some(mut evaluation) = self.evaluation.take_if(|of| step.is_multiple_of(of.every)) else { return Ok(None) };
        course.swap(model)?;
        // A panic of the user's closure leaves the model with its own weights.
        let figures = catch_unwind(AssertUnwindSafe(|| self.evaluate_all(&mut evaluation, model, tape, loss_of)));
        self.evaluation = Some(evaluation);
        if let Ok(Ok(figures)) = &figures {
            course.evaluated(model, step, figures, optimizer);
        }
        course.swap(model)?;
        match figures {
            Err(panic) => resume_unwind(panic),
            Ok(Err(Lost::Loss(what))) => Err(course.diverged(model, step, what)),
            Ok(Err(Lost::Other(what))) => {
                let why = format!("after step {step} {what}; the model has the weights of that step");
                Err(Error::Invalid { what: "the evaluation", why })
            }
            Ok(Ok(figures)) => Ok(Some(figures)),
        }
    }

    /// The figures of some rows.
    fn evaluate_rows(
        &self,
        evaluation: &mut Evaluation<'_, M, T>,
        model: &M,
        tape: &Tape<T>,
        rows: &Tensor<i64>,
        chunk: usize,
        loss_of: &mut LossOf<'_, M, T>,
    ) -> Result<Vec<(String, Metric)>, Lost> {
        tape.seed_shard(self.seed, chunk as u64, EVALUATION);
        if let Some(figures) = &mut evaluation.figures {
            return Ok(figures(model, tape, rows));
        }
        let loss = loss_of(model, tape, rows);
        let value = loss.item().to_f64();
        if value.is_finite() {
            return Ok(vec![(LOSS.to_owned(), metrics::weighted(value, self.weight(rows)))]);
        }
        const CALLED: &str = "the loss on held-out rows";
        if tape.scopes() == 0 {
            return Err(Lost::Loss(lost::forward(model, loss, CALLED)));
        }
        // Of what was let go of, once more with all on the tape.
        let tape = Tape::in_mode(Mode::Eval);
        tape.keep_segments(true);
        tape.seed_shard(self.seed, chunk as u64, EVALUATION);
        Err(Lost::Loss(lost::forward(model, loss_of(model, &tape, rows), CALLED)))
    }

    fn evaluate_all(
        &self,
        evaluation: &mut Evaluation<'_, M, T>,
        model: &M,
        tape: &mut Tape<T>,
        loss_of: &mut LossOf<'_, M, T>,
    ) -> Result<Evaluated, Lost> {
        let batch = self.batches.as_ref().map_or(0, Batches::size);
        let (all, carries) = (evaluation.rows.indices(), !self.carried.is_empty());
        let (n, size) =
            if carries { (all.numel() / batch * batch, batch) } else { (all.numel(), batch.max(ROWS_AT_ONCE)) };
        self.carried.iter().for_each(|carried| carried.reset_evaluation());
        tape.reset();
        let link = &self.ranks.link;
        let chunks: Vec<_> = chunks(n, size).enumerate().collect();
        // What is carried goes from each to the next: all on each rank.
        let own = if carries { 0..chunks.len() } else { part(chunks.len(), link.rank(), link.size()) };
        let mut found = Vec::new();
        for (chunk, part) in chunks[own].iter().cloned() {
            let rows = all.slice(0, part);
            let figures = self.evaluate_rows(evaluation, model, tape, &rows, chunk, loss_of);
            let is_lost = figures.is_err();
            found.push(figures);
            if is_lost {
                break;
            }
            tape.reset();
        }
        if !carries && link.size() > 1 {
            let all = link.gather(&told(&found)).map_err(|error| Lost::Other(error.to_string()))?;
            found = all.iter().flat_map(|bytes| heard(bytes)).collect();
        }
        let mut sums = Vec::<(String, Metric)>::new();
        found.into_iter().try_for_each(|figures| add(&mut sums, figures?))?;
        let judged_by = match &self.judge_by {
            None if sums.is_empty() => return Err(Lost::Other("has given no figure to be judged by".into())),
            None => 0,
            Some(name) => sums.iter().position(|(known, _)| known == name).ok_or_else(|| {
                let names: Vec<&str> = sums.iter().map(|(name, _)| name.as_str()).collect();
                Lost::Other(format!("is to be judged by {name:?}, and gives {}", names.join(", ")))
            })?,
        };
        let (maximized, value) = (sums[judged_by].1.is_maximized(), sums[judged_by].1.value());
        if value.is_nan() {
            let name = &sums[judged_by].0;
            return Err(Lost::Other(format!("has no value to be judged by: {name} is NaN")));
        }
        let figures = sums.into_iter().map(|(name, metric)| (name, metric.value())).collect();
        Ok(Evaluated { figures, judged_by, maximized })
    }
}

/// The figures of chunks of rows, or what was lost in the last of them, for other ranks.
fn told(found: &[Result<Vec<(String, Metric)>, Lost>]) -> Vec<u8> {
    let mut told = Writer::default();
    for figures in found {
        match figures {
            Err(Lost::Loss(what)) => {
                told.number(0);
                told.text(what);
            }
            Err(Lost::Other(what)) => {
                told.number(1);
                told.text(what);
            }
            Ok(figures) => {
                told.number(2);
                told.number(figures.len());
                for (name, metric) in figures {
                    told.text(name);
                    metric.tell(&mut told);
                }
            }
        }
    }
    told.0
}

/// What [`told`] has told.
fn heard(bytes: &[u8]) -> Vec<Result<Vec<(String, Metric)>, Lost>> {
    let (mut reader, mut found) = (Reader(bytes), Vec::new());
    while !reader.0.is_empty() {
        found.push(match reader.number() {
            0 => Err(Lost::Loss(reader.text())),
            1 => Err(Lost::Other(reader.text())),
            _ => Ok((0..reader.number()).map(|_| (reader.text(), Metric::heard(&mut reader))).collect()),
        });
    }
    found
}

/// Adds the figures of some rows to those of the rows before.
fn add(sums: &mut Vec<(String, Metric)>, figures: Vec<(String, Metric)>) -> Result<(), Lost> {
    if sums.is_empty() {
        let mut names: Vec<&String> = figures.iter().map(|(name, _)| name).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Lost::Other(format!("gives two figures of the name {:?}", pair[0])));
        }
        *sums = figures;
        return Ok(());
    }
    if !sums.iter().map(|(name, _)| name).eq(figures.iter().map(|(name, _)| name)) {
        return Err(Lost::Other(
            "gives other figures for some rows than for others: all must have the same names".into(),
        ));
    }
    sums.iter_mut().zip(figures).for_each(|((_, sum), (_, more))| *sum += more);
    Ok(())
}
