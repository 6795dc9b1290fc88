//! The loop of a fit: steps, and what comes between them.

use std::cell::RefCell;

use autograd::{Gradients, Mode, Tape, Var};
use tensor::{Float, Tensor};

#[cfg(feature = "checkpoint")]
use super::autosave::Autosave;
use super::course::{Course, Evaluated};
use super::history::Log;
use super::hooks::{Flow, Pass, Progress, Start};
use super::lines::{Lines, Now};
use super::report::{FitReport, Stopped};
use super::{Fit, lost};
use crate::ranks::{Gathered, Session};
use crate::{Error, ModelGradients, Module, Optimizer};

/// The mean loss of some rows, by a model and on a tape.
pub(super) type LossOf<'f, M, T> = dyn for<'t> FnMut(&M, &'t Tape<T>, &Tensor<i64>) -> Var<'t, T> + 'f;

/// What a step was made with.
pub(super) struct Step<T: Float> {
    gradients: Gradients<T>,
    loss: f64,
    lr: f64,
}

/// Writes what is new of the history, where there is a file for it.
fn written<T: Float>(log: &mut Option<Log>, course: &Course<T>) -> Result<(), Error> {
    log.as_mut().map_or(Ok(()), |log| log.write(&course.ledger.figures, &course.ledger.history))
}

/// The steps from one record of the loss to the next where nothing is evaluated.
const RECORD_EVERY: u64 = 100;

impl<M: Module<T>, T: Float> Fit<'_, M, T> {
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
    pub fn run(
        mut self,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        mut loss_of: impl for<'t> FnMut(&M, &'t Tape<T>, &Tensor<i64>) -> Var<'t, T>,
    ) -> Result<FitReport, Error> {
        let link = self.ranks.link.clone();
        let report = self.run_all(model, optimizer, &mut loss_of);
        // Whoever goes on with it has all that it keeps; of other errors, not every rank says the same.
        if matches!(report, Ok(_) | Err(Error::Diverged { .. })) {
            optimizer.put_together(model, &link, true)?;
        }
        report
    }

    #[track_caller]
    fn run_all(
        &mut self,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        loss_of: &mut LossOf<'_, M, T>,
    ) -> Result<FitReport, Error> {
        let mut course = Course::new(self)?;
        let link = self.ranks.link.clone();
        let (has_log, is_first) = (self.log.is_some(), link.is_first());
        let log = self.log.take().filter(|_| is_first).map(Log::at).transpose();
        let mut log = match has_log {
            true => link.outcome_of_first(log.as_ref().map(|_| ()).map_err(Clone::clone)).and(log)?,
            false => None,
        };
        #[cfg(feature = "checkpoint")]
        let (mut autosave, resume) = (Autosave::of(self, optimizer), self.resume);
        #[cfg(feature = "checkpoint")]
        let settings = autosave.settings();
        #[cfg(not(feature = "checkpoint"))]
        let settings = vec![("the seed".to_owned(), self.seed.to_string())];
        link.agree([settings, self.settings_of_ranks()].concat(), model)?;
        #[cfg(feature = "checkpoint")]
        autosave.resume(&mut course, model, optimizer, &mut self.observers, resume)?;
        let mut session = Session::new(link.clone(), self.ranks.settings);
        let resumed_at = optimizer.step_number();
        let mut lines = Lines::new(self.quiet || !is_first, resumed_at);
        #[cfg(feature = "checkpoint")]
        autosave.said().iter().for_each(|sentence| lines.say(sentence));
        if resumed_at == 0 && self.steps > 0 && is_first {
            self.start(model, loss_of, &mut lines);
        }
        course.start(model);
        let mut tapes = [(); 2].map(|()| Tape::in_mode(Mode::Train));
        let mut evaluation = Tape::in_mode(Mode::Eval);
        let stopped = loop {
            if optimizer.step_number() >= self.steps {
                break Stopped::Steps;
            }
            if course.stopping.is_over() {
                break Stopped::NoBetter;
            }
            let step = match self.shards {
                Some(rows) => {
                    self.step_by_shards(rows, &mut course, model, optimizer, &mut tapes, &mut session, loss_of)?
                }
                None => self.step(&mut course, model, optimizer, &mut tapes[0], loss_of)?,
            };
            let made = optimizer.step_number();
            let evaluated = self.evaluate_if_due(&mut course, model, optimizer, &mut evaluation, loss_of)?;
            let every = self.evaluation.as_ref().map_or(RECORD_EVERY, |of| of.every);
            let is_record = course.record(model, [made, every], step.lr, evaluated.as_ref());
            if has_log && is_record {
                link.outcome_of_first(written(&mut log, &course))?;
            }
            let progress = Progress {
                step: made,
                steps: self.steps,
                model: &*model,
                gradients: &step.gradients,
                loss: step.loss,
                lr: step.lr,
                held_out: evaluated.as_ref().map(Evaluated::value),
                figures: evaluated.as_ref().map_or(&[], |of| &of.figures),
                best: course.ledger.best,
            };
            let Progress { steps, loss, lr, figures, .. } = progress;
            lines.step(&Now { step: made, steps, loss, lr, figures, is_record });
            for observer in self.observers.iter_mut().filter(|_| is_first) {
                observer.after_step(&progress);
                observer.news().iter().for_each(|news| lines.say(news));
            }
            let hooks = self.on_step.iter_mut().filter(|_| is_first);
            let mut flow = hooks.fold(Flow::Continue, |flow, hook| flow.max(hook(&progress)));
            if !self.on_step.is_empty() {
                let said = link.told_by_first(vec![u8::from(flow == Flow::Stop)])?;
                flow = if said == [1] { Flow::Stop } else { Flow::Continue };
            }
            #[cfg(feature = "checkpoint")]
            autosave.save_when_due(&mut course, model, optimizer, &mut self.observers)?;
            if flow == Flow::Stop {
                break Stopped::Asked;
            }
        };
        course.check(model, optimizer.step_number())?;
        #[cfg(feature = "checkpoint")]
        autosave.save(&mut course, model, optimizer, &mut self.observers)?;
        if has_log {
            link.outcome_of_first(written(&mut log, &course))?;
        }
        let report = course.finish(model, optimizer.step_number(), stopped);
        let report = FitReport { resumed_at, ..report };
        #[cfg(feature = "checkpoint")]
        let report = autosave.report(report);
        Ok(report)
    }

    /// Shows observers the model as it begins.
    fn start(&mut self, model: &M, loss_of: &mut LossOf<'_, M, T>, lines: &mut Lines) {
        let rows = self.batches.as_mut().expect("checked").rows(0).clone();
        let loss_of = RefCell::new(loss_of);
        let loss: &dyn for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T> =
            &|model, tape| (loss_of.borrow_mut())(model, tape, &rows);
        for observer in &mut self.observers {
            observer.before_training(&Start { model, loss });
            observer.news().iter().for_each(|news| lines.say(news));
        }
    }

    /// How much some rows count.
    pub(super) fn weight(&self, rows: &Tensor<i64>) -> f64 {
        self.weigh.as_ref().map_or(rows.numel() as f64, |weigh| weigh(rows))
    }

    /// Makes a step, by one batch or several.
    #[track_caller]
    fn step(
        &mut self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        tape: &mut Tape<T>,
        loss_of: &mut LossOf<'_, M, T>,
    ) -> Result<Step<T>, Error> {
        let mut batches = self.batches.take().expect("checked");
        let step = optimizer.step_number();
        let (mut sum, mut loss_sum) = (None::<Gradients<T>>, 0.0);
        let passes = step * self.accumulate..(step + 1) * self.accumulate;
        let weight_sum: f64 = passes.clone().map(|pass| self.weight(batches.rows(pass))).sum();
        if !(weight_sum > 0.0 && weight_sum.is_finite()) {
            let why = format!("weighs the rows of step {step} by {weight_sum}, but must by more than 0");
            return Err(Error::Invalid { what: "the fit", why });
        }
        for pass in passes.clone() {
            if pass.is_multiple_of(batches.steps_per_epoch()) {
                self.carried.iter().for_each(|carried| carried.reset());
            }
            tape.seed(self.seed, pass);
            let rows = batches.rows(pass);
            let (loss, weight) = (loss_of(model, tape, rows), self.weight(rows));
            let value = loss.item().to_f64();
            if !value.is_finite() {
                let what = lost::forward(model, loss, "the loss");
                return Err(course.diverged(model, step, what));
            }
            let mut gradients = loss.backward();
            loss_sum += value * weight;
            // By shares, and not by rows and then divided: so no sum is larger than what it is of.
            let sum = match &mut sum {
                Some(sum) => {
                    sum.add_weighted(&gradients, weight / weight_sum);
                    sum
                }
                None => {
                    if self.accumulate > 1 {
                        gradients.scale(weight / weight_sum);
                    }
                    sum.insert(gradients)
                }
            };
            if pass + 1 == passes.end {
                let pass = Pass { step, model: &*model, loss, gradients: sum };
                self.observers.iter_mut().for_each(|observer| observer.before_step(&pass));
                self.on_gradients.iter_mut().for_each(|hook| hook(&pass));
            }
            // Lets go of the values, so that they change in place.
            tape.reset();
        }
        self.batches = Some(batches);
        let gradients = sum.expect("there is at least one pass");
        self.move_weights(course, model, optimizer, gradients, [loss_sum, weight_sum])
    }

    /// Clips the gradients, makes sure that they are finite, and makes the step.
    #[track_caller]
    pub(super) fn move_weights(
        &mut self,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        mut gradients: Gradients<T>,
        [loss_sum, weight_sum]: [f64; 2],
    ) -> Result<Step<T>, Error> {
        let step = optimizer.step_number();
        let lost = match self.clip_norm {
            // It looks at every number itself.
            Some(max) => match gradients.clip_norm(model, max) {
                Err(error @ Error::NotFinite { .. }) => Some(error.to_string()),
                result => result.map(|_| None)?,
            },
            // Each rank has looked at its own.
            None if self.gathered(optimizer) == Gathered::Parts => None,
            None => lost::backward(model, &gradients),
        };
        if let Some(what) = lost {
            return Err(course.diverged(model, step, what));
        }
        let lr = optimizer.lr();
        match self.shards_moments(optimizer) {
            true => optimizer.step_shared(model, &gradients, &self.ranks.link)?,
            false => optimizer.step(model, &gradients),
        }
        course.stepped(model, optimizer.step_number(), loss_sum, weight_sum);
        Ok(Step { gradients, loss: loss_sum / weight_sum, lr })
    }
}
