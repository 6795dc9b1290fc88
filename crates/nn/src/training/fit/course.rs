//! How far a fit has come.

use tensor::{Float, Tensor};

use super::{Fit, FitReport, HistoryRow, Stopped, Weights, lost};
use crate::{EarlyStopping, Error, Module, Optimizer, ReduceOnPlateau, WeightAverage};

/// The best evaluation of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The steps made before it.
    pub step: u64,
    /// The mean loss of the held-out rows.
    pub loss: f64,
}

/// The losses of a fit so far.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    pub(super) best: Option<Best>,
    /// The losses since the last record, each times its rows, and the rows.
    loss_sum: f64,
    rows_sum: f64,
    history: Vec<HistoryRow>,
}

#[cfg(feature = "checkpoint")]
impl Ledger {
    /// As [`Stateful::walk`](crate::Stateful::walk), by names of two kinds.
    pub(super) fn walk<T: Float>(&self, at: &mut crate::Archive<'_, T>) -> Self {
        let (best, loss_sum, rows_sum) = at.within("fit", |at| {
            let step = at.optional("best.step", self.best.map(|best| best.step));
            let loss = at.optional("best.loss", self.best.map(|best| best.loss));
            let best = step.zip(loss).map(|(step, loss)| Best { step, loss });
            (best, at.number("loss_sum", self.loss_sum), at.number("rows_sum", self.rows_sum))
        });
        let history = at.within("history", |at| {
            let of = |of: &dyn Fn(&HistoryRow) -> f64| self.history.iter().map(of).collect::<Vec<f64>>();
            let steps: Vec<i64> = self.history.iter().map(|of| of.step as i64).collect();
            let (steps, train) = (at.vector("step", &steps), at.vector("train", &of(&|of| of.train)));
            // Where there was no evaluation, NaN.
            let held_out = at.vector("held_out", &of(&|of| of.held_out.unwrap_or(f64::NAN)));
            if [train.len(), held_out.len()] != [steps.len(); 2] {
                at.mismatch("has histories of several lengths");
            }
            let row = |((step, train), held_out): ((&i64, f64), f64)| HistoryRow {
                step: step.unsigned_abs(),
                train,
                held_out: Some(held_out).filter(|loss| !loss.is_nan()),
            };
            steps.iter().zip(train).zip(held_out).map(row).collect()
        });
        Ledger { best, loss_sum, rows_sum, history }
    }
}

/// The state of a fit, from step to step.
pub(super) struct Course<T: Float> {
    pub(super) stopping: EarlyStopping,
    plateau: Option<ReduceOnPlateau>,
    average: Option<WeightAverage<T>>,
    pub(super) ledger: Ledger,
    /// The model's values at the best evaluation.
    pub(super) best_values: Vec<Tensor<T>>,
    /// The model's values at the last record, to go back to.
    good: Vec<Tensor<T>>,
}

impl<T: Float> Course<T> {
    /// At the start of a fit, whose settings are in range.
    pub(super) fn new(fit: &Fit<'_, T>) -> Result<Self, Error> {
        fit.check()?;
        Ok(Course {
            stopping: EarlyStopping::after(fit.stop_after.unwrap_or(u64::MAX)),
            plateau: fit.plateau.clone(),
            average: fit.average.map(WeightAverage::exponential).transpose()?.map(WeightAverage::with_warmup),
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
    pub(super) fn stepped(&mut self, model: &impl Module<T>, loss_sum: f64, rows: f64) {
        if let Some(average) = &mut self.average {
            average.update(model);
        }
        self.ledger.loss_sum += loss_sum;
        self.ledger.rows_sum += rows;
    }

    /// Puts the average in the model's place, or back.
    pub(super) fn swap(&mut self, model: &mut impl Module<T>) -> Result<(), Error> {
        self.average.as_mut().map_or(Ok(()), |average| average.swap(model))
    }

    /// Takes note of an evaluation.
    pub(super) fn evaluated(&mut self, model: &dyn Module<T>, step: u64, loss: f64, optimizer: &mut Optimizer<T>) {
        if self.stopping.observe(loss) {
            (self.ledger.best, self.best_values) = (Some(Best { step, loss }), model.values());
        }
        if let Some(plateau) = &mut self.plateau {
            optimizer.set_scale(plateau.observe(loss)).expect("a plateau's scale is in 0..=1");
        }
    }

    /// Records the loss where it is time to.
    pub(super) fn record(&mut self, model: &dyn Module<T>, step: u64, every: u64, held_out: Option<f64>) {
        if step.is_multiple_of(every) {
            let Ledger { loss_sum, rows_sum, history, .. } = &mut self.ledger;
            history.push(HistoryRow { step, train: *loss_sum / *rows_sum, held_out });
            (*loss_sum, *rows_sum) = (0.0, 0.0);
            if lost::weights(model).is_none() {
                self.good = model.values();
            }
        }
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
    pub(super) fn finish(
        mut self,
        model: &mut impl Module<T>,
        steps: u64,
        resumed_at: u64,
        stopped: Stopped,
    ) -> FitReport {
        let weights = self.weights();
        match weights {
            Weights::Best => model.assign(&self.best_values),
            Weights::Average => self.swap(model).expect("it has been updated with the model"),
            Weights::Last => {}
        }
        let Ledger { best, history, .. } = self.ledger;
        FitReport { steps, resumed_at, stopped, best, weights, history, unremoved: Vec::new() }
    }
}
