//! How far a fit has come.

use tensor::{Float, Tensor};

use super::{Fit, FitReport, HistoryRow, Stopped, Weights, lost};
use crate::{EarlyStopping, Error, Module, Optimizer, ReduceOnPlateau, WeightAverage};

/// The best evaluation of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The steps made before it.
    pub step: u64,
    /// What it was judged by: the mean loss of the held-out rows, unless that is another figure.
    pub value: f64,
}

/// An evaluation: its figures, and which of them it is judged by.
pub(super) struct Evaluated {
    pub(super) figures: Vec<(String, f64)>,
    pub(super) judged_by: usize,
    pub(super) maximized: bool,
}

impl Evaluated {
    pub(super) fn value(&self) -> f64 {
        self.figures[self.judged_by].1
    }
}

/// The losses of a fit so far.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    pub(super) best: Option<Best>,
    /// The losses since the last record, each times its rows, and the rows.
    loss_sum: f64,
    rows_sum: f64,
    pub(super) history: Vec<HistoryRow>,
    /// The names of the figures in the history.
    pub(super) figures: Vec<String>,
    /// By which of them evaluations are judged, once there was one, and whether larger is better.
    pub(super) judged_by: Option<String>,
    pub(super) maximized: bool,
}

#[cfg(feature = "checkpoint")]
impl Ledger {
    /// As [`Stateful::walk`](crate::Stateful::walk), by names of two kinds.
    pub(super) fn walk<T: Float>(&self, at: &mut crate::Archive<'_, T>) -> Self {
        let judged_by = self.judged_by.clone();
        let (best, loss_sum, rows_sum, judged_by, maximized) = at.within("fit", |at| {
            let judged_by = if at.is_reading() || judged_by.is_some() {
                at.text("judged_by", &judged_by.unwrap_or_default())
            } else {
                None
            };
            let maximized = at.optional("maximized", Some(self.maximized)).unwrap_or(false);
            let step = at.optional("best.step", self.best.map(|best| best.step));
            let value = at.optional("best.loss", self.best.map(|best| best.value));
            let best = step.zip(value).map(|(step, value)| Best { step, value });
            (best, at.number("loss_sum", self.loss_sum), at.number("rows_sum", self.rows_sum), judged_by, maximized)
        });
        let (history, figures) = at.within("history", |at| {
            let of = |of: &dyn Fn(&HistoryRow) -> f64| self.history.iter().map(of).collect::<Vec<f64>>();
            let steps: Vec<i64> = self.history.iter().map(|of| of.step as i64).collect();
            let (steps, train) = (at.vector("step", &steps), at.vector("train", &of(&|of| of.train)));
            // Where there was no evaluation, NaN.
            let held_out = at.vector("held_out", &of(&|of| of.held_out.unwrap_or(f64::NAN)));
            if [train.len(), held_out.len()] != [steps.len(); 2] {
                at.mismatch("has histories of several lengths");
            }
            // Files of before had neither learning rates nor figures.
            let is_old = at.is_reading() && !at.has("lr");
            let lrs = if is_old { vec![f64::NAN; steps.len()] } else { at.vector("lr", &of(&|of| of.lr)) };
            let figures = if is_old { vec![LOSS.to_owned()] } else { at.texts("figures", &self.figures) };
            let width = figures.len();
            let row = |of: &HistoryRow| {
                (0..width).map(|at| of.figures.get(at).copied().unwrap_or(f64::NAN)).collect::<Vec<_>>()
            };
            let values: Vec<f64> = self.history.iter().flat_map(row).collect();
            let values = if is_old { held_out.clone() } else { at.vector("values", &values) };
            let row = |(at, step): (usize, &i64)| HistoryRow {
                step: step.unsigned_abs(),
                train: train.get(at).copied().unwrap_or(f64::NAN),
                lr: lrs.get(at).copied().unwrap_or(f64::NAN),
                held_out: held_out.get(at).copied().filter(|loss| !loss.is_nan()),
                figures: values
                    .get(at * width..(at + 1) * width)
                    .filter(|row| !row.iter().all(|x| x.is_nan()))
                    .unwrap_or(&[])
                    .to_vec(),
            };
            (steps.iter().enumerate().map(row).collect(), figures)
        });
        Ledger { best, loss_sum, rows_sum, history, figures, judged_by, maximized }
    }
}

/// What evaluations are judged by, if nothing else is said.
pub(super) const LOSS: &str = "loss";

/// The state of a fit, from step to step.
pub(super) struct Course<T: Float> {
    pub(super) stopping: EarlyStopping,
    plateau: Option<ReduceOnPlateau>,
    average: Option<WeightAverage<T>>,
    pub(super) ledger: Ledger,
    /// The step from which on weights are averaged.
    average_from: u64,
    /// The model's values at the best evaluation.
    pub(super) best_values: Vec<Tensor<T>>,
    /// The model's values at the last record, to go back to.
    good: Vec<Tensor<T>>,
}

impl<T: Float> Course<T> {
    /// At the start of a fit, whose settings are in range.
    pub(super) fn new<M: Module<T>>(fit: &Fit<'_, M, T>) -> Result<Self, Error> {
        fit.check()?;
        Ok(Course {
            stopping: EarlyStopping::after(fit.stop_after.unwrap_or(u64::MAX)),
            plateau: fit.plateau.clone(),
            average: fit.average.clone().transpose()?,
            average_from: fit.average_from,
            ledger: Ledger::default(),
            best_values: Vec::new(),
            good: Vec::new(),
        })
    }

    /// What a checkpoint keeps of it beside the ledger.
    #[cfg(feature = "checkpoint")]
    pub(super) fn parts(&mut self) -> crate::files::checkpoint::Parts<'_, T> {
        use crate::files::checkpoint::held;
        let average = self.average.as_mut().map(|average| held("average", average));
        let plateau = self.plateau.as_mut().map(|plateau| held("plateau", plateau));
        average.into_iter().chain(plateau).chain([held("stopping", &mut self.stopping)]).collect()
    }

    /// Takes note of the model before the first step.
    pub(super) fn start(&mut self, model: &dyn Module<T>) {
        self.good = model.values();
    }

    /// Takes note of a step.
    pub(super) fn stepped(&mut self, model: &impl Module<T>, made: u64, loss_sum: f64, rows: f64) {
        if let Some(average) = self.average.as_mut().filter(|_| made > self.average_from) {
            average.update(model);
        }
        self.ledger.loss_sum += loss_sum;
        self.ledger.rows_sum += rows;
    }

    /// Puts the average in the model's place, or back, once there is one.
    pub(super) fn swap(&mut self, model: &mut impl Module<T>) -> Result<(), Error> {
        let average = self.average.as_mut().filter(|average| average.updates() > 0);
        average.map_or(Ok(()), |average| average.swap(model))
    }

    /// Takes note of an evaluation.
    pub(super) fn evaluated(&mut self, model: &dyn Module<T>, step: u64, of: &Evaluated, optimizer: &mut Optimizer<T>) {
        let (value, name) = (of.value(), &of.figures[of.judged_by].0);
        let judged = (self.ledger.judged_by.as_ref(), self.ledger.maximized);
        if judged.0.is_some() && judged != (Some(name), of.maximized) {
            // The best by another figure, of a training that goes on with this one, is none to compare with.
            self.ledger.best = None;
            self.stopping.begin_anew();
            self.plateau.iter_mut().for_each(ReduceOnPlateau::begin_anew);
        }
        (self.ledger.judged_by, self.ledger.maximized) = (Some(name.clone()), of.maximized);
        if self.stopping.observe(if of.maximized { -value } else { value }) {
            (self.ledger.best, self.best_values) = (Some(Best { step, value }), model.values());
        }
        if let Some(plateau) = self.plateau.take() {
            let mut plateau = if of.maximized { plateau.maximize() } else { plateau };
            optimizer.set_scale(plateau.observe(value)).expect("a plateau's scale is in 0..=1");
            self.plateau = Some(plateau);
        }
    }

    /// Records the loss where it is time to, and returns whether it was.
    pub(super) fn record(
        &mut self,
        model: &dyn Module<T>,
        [step, every]: [u64; 2],
        lr: f64,
        evaluated: Option<&Evaluated>,
    ) -> bool {
        if !step.is_multiple_of(every) {
            return false;
        }
        let Ledger { loss_sum, rows_sum, history, figures, .. } = &mut self.ledger;
        let mut row = vec![f64::NAN; figures.len()];
        for (name, value) in evaluated.iter().flat_map(|of| &of.figures) {
            let at = figures.iter().position(|known| known == name).unwrap_or_else(|| {
                figures.push(name.clone());
                row.push(f64::NAN);
                figures.len() - 1
            });
            row[at] = *value;
        }
        let held_out = evaluated.map(Evaluated::value);
        let figures = if evaluated.is_some() { row } else { Vec::new() };
        history.push(HistoryRow { step, train: *loss_sum / *rows_sum, lr, held_out, figures });
        (*loss_sum, *rows_sum) = (0.0, 0.0);
        if lost::weights(model).is_none() {
            self.good = model.values();
        }
        true
    }

    /// An error that says where a number was lost. The model's weights are the last that are finite.
    pub(super) fn diverged(&self, model: &mut dyn Module<T>, step: u64, what: String) -> Error {
        if lost::weights(model).is_some() {
            model.assign(&self.good);
        }
        Error::Diverged { step, what }
    }

    /// Makes sure that the last step has left the weights finite, before they are kept or given away.
    pub(super) fn check(&self, model: &mut dyn Module<T>, step: u64) -> Result<(), Error> {
        lost::weights(model).map_or(Ok(()), |what| Err(self.diverged(model, step, what)))
    }

    /// Which weights the model is to have in the end.
    fn weights(&self) -> Weights {
        match () {
            () if self.ledger.best.is_some() => Weights::Best,
            () if self.average.as_ref().is_some_and(|average| average.updates() > 0) => Weights::Average,
            () => Weights::Last,
        }
    }

    /// What the model is to have in the end, if not its last weights.
    #[cfg(feature = "checkpoint")]
    pub(super) fn outcome(&mut self, model: &mut impl Module<T>) -> Result<Option<Vec<Tensor<T>>>, Error> {
        Ok(match self.weights() {
            Weights::Best => Some(self.best_values.clone()),
            Weights::Average => {
                self.swap(model)?;
                let outcome = model.values();
                self.swap(model)?;
                Some(outcome)
            }
            Weights::Last => None,
        })
    }

    /// Gives the model its weights.
    pub(super) fn finish(mut self, model: &mut impl Module<T>, steps: u64, stopped: Stopped) -> FitReport {
        let weights = self.weights();
        match weights {
            Weights::Best => model.assign(&self.best_values),
            Weights::Average => self.swap(model).expect("it has been updated with the model"),
            Weights::Last => {}
        }
        let Ledger { best, history, figures, judged_by, maximized, .. } = self.ledger;
        let judged_by = judged_by.unwrap_or_else(|| LOSS.to_owned());
        FitReport {
            steps,
            resumed_at: 0,
            resumed_from: None,
            changed: Vec::new(),
            stopped,
            judged_by,
            maximized,
            best,
            weights,
            figures,
            history,
            unremoved: Vec::new(),
        }
    }
}
