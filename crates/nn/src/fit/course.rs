//! How far a fit has come.

use tensor::{Float, Tensor};

use super::{Fit, Record, Report, Stopped, Weights, lost};
use crate::{Average, Error, Module, Optimizer, Path, Plateau, Stopping};

/// The best evaluation of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The steps made before it.
    pub step: u64,
    /// The mean loss of the held-out rows.
    pub loss: f64,
}

/// The state of a fit, from step to step.
pub(super) struct Course<T: Float> {
    pub(super) stopping: Stopping,
    pub(super) plateau: Option<Plateau>,
    pub(super) average: Option<Average<T>>,
    /// The best evaluation, and the model's values then.
    pub(super) best: Option<(Best, Vec<Tensor<T>>)>,
    /// The model's values at the last record, to go back to.
    good: Vec<Tensor<T>>,
    /// The losses since the last record, each times its rows, and the rows.
    pub(super) loss_sum: f64,
    pub(super) rows_sum: f64,
    pub(super) history: Vec<Record>,
    #[cfg(feature = "checkpoint")]
    pub(super) kept: super::keep::Kept,
}

/// A model's values, in its order. They share its memory until it changes.
pub(super) fn values<T: Float>(model: &dyn Module<T>) -> Vec<Tensor<T>> {
    let mut values = Vec::new();
    model.visit(Path::root(), &mut |_, param| values.push(param.value().clone()));
    values
}

fn set<T: Float>(model: &mut dyn Module<T>, values: &[Tensor<T>]) {
    let mut values = values.iter();
    model.visit_mut(Path::root(), &mut |_, param| {
        if let Some(value) = values.next() {
            *param.value_mut() = value.clone();
        }
    });
}

impl<T: Float> Course<T> {
    /// At the start of a fit, whose settings are in range.
    pub(super) fn new(fit: &Fit<'_, T>) -> Result<Self, Error> {
        fit.check()?;
        Ok(Course {
            stopping: Stopping::after(fit.stop_after.unwrap_or(u64::MAX)),
            plateau: fit.plateau.clone(),
            average: fit.average.map(Average::exponential).transpose()?.map(Average::with_warmup),
            best: None,
            good: Vec::new(),
            loss_sum: 0.0,
            rows_sum: 0.0,
            history: Vec::new(),
            #[cfg(feature = "checkpoint")]
            kept: super::keep::Kept::of(fit),
        })
    }

    /// Takes note of the model before the first step.
    pub(super) fn start(&mut self, model: &dyn Module<T>) {
        self.good = values(model);
    }

    pub(super) fn best(&self) -> Option<Best> {
        self.best.as_ref().map(|(best, _)| *best)
    }

    /// Takes note of a step.
    pub(super) fn stepped(&mut self, model: &impl Module<T>, loss_sum: f64, rows: f64) {
        if let Some(average) = &mut self.average {
            average.update(model);
        }
        (self.loss_sum, self.rows_sum) = (self.loss_sum + loss_sum, self.rows_sum + rows);
    }

    /// Puts the average in the model's place, or back.
    pub(super) fn swap(&mut self, model: &mut impl Module<T>) -> Result<(), Error> {
        self.average.as_mut().map_or(Ok(()), |average| average.swap(model))
    }

    /// Takes note of an evaluation.
    pub(super) fn evaluated(&mut self, model: &dyn Module<T>, step: u64, loss: f64, optimizer: &mut Optimizer<T>) {
        if self.stopping.observe(loss) {
            self.best = Some((Best { step, loss }, values(model)));
        }
        if let Some(plateau) = &mut self.plateau {
            optimizer.set_scale(plateau.observe(loss)).expect("a plateau's scale is in 0..=1");
        }
    }

    /// Records the loss where it is time to.
    pub(super) fn record(&mut self, model: &dyn Module<T>, step: u64, every: u64, held_out: Option<f64>) {
        if step.is_multiple_of(every) {
            self.history.push(Record { step, train: self.loss_sum / self.rows_sum, held_out });
            (self.loss_sum, self.rows_sum) = (0.0, 0.0);
            if lost::weights(model).is_none() {
                self.good = values(model);
            }
        }
    }

    /// An error that says where a number was lost. The model's weights are the last that are finite.
    pub(super) fn diverged(&self, model: &mut dyn Module<T>, step: u64, what: String) -> Error {
        if lost::weights(model).is_some() {
            set(model, &self.good);
        }
        Error::Diverged { step, what }
    }

    /// Makes sure that the last step has left the weights finite, before they are kept or given away.
    pub(super) fn check(&self, model: &mut dyn Module<T>, step: u64) -> Result<(), Error> {
        lost::weights(model).map_or(Ok(()), |what| Err(self.diverged(model, step, what)))
    }

    /// Which weights the model is to have in the end.
    pub(super) fn weights(&self) -> Weights {
        match () {
            () if self.best.is_some() => Weights::Best,
            () if self.average.as_ref().is_some_and(|average| average.updates() > 0) => Weights::Average,
            () => Weights::Last,
        }
    }

    /// Gives the model its weights.
    pub(super) fn finish(
        mut self,
        model: &mut impl Module<T>,
        steps: u64,
        resumed_at: u64,
        stopped: Stopped,
    ) -> Report {
        let weights = self.weights();
        match weights {
            Weights::Best => set(model, &self.best.as_ref().expect("it is some").1),
            Weights::Average => self.swap(model).expect("it has been updated with the model"),
            Weights::Last => {}
        }
        #[cfg(feature = "checkpoint")]
        let unremoved = self.kept.unremoved;
        #[cfg(not(feature = "checkpoint"))]
        let unremoved = Vec::new();
        Report {
            steps,
            resumed_at,
            stopped,
            best: self.best.map(|(best, _)| best),
            weights,
            history: self.history,
            unremoved,
        }
    }
}
