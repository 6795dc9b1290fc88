//! A step of a fit by shards, which ranks may share.

use autograd::{Finished, Tape, Var};
use tensor::{Float, Tensor};

use super::course::Course;
use super::hooks::Pass;
use super::run::{LossOf, Step};
use super::{Fit, lost};
use crate::ranks::{Found, Gathered, Item, Session};
use crate::{Error, Module, Optimizer};

impl<M: Module<T>, T: Float> Fit<'_, M, T> {
    /// What ranks must have set alike, beside what a checkpoint is compared by.
    pub(super) fn settings_of_ranks(&self) -> Vec<(String, String)> {
        let settings = self.ranks.settings;
        vec![
            ("steps".into(), self.steps.to_string()),
            ("the set of ranks".into(), format!("{settings:?}")),
            ("hooks".into(), format!("{} and {}", self.on_step.len(), self.on_gradients.len() + self.observers.len())),
        ]
    }

    /// How much of the gradients each rank needs: all of them where somebody looks at them, or at their norm.
    pub(super) fn gathered(&self, optimizer: &Optimizer<T>) -> Gathered {
        let is_looked_at = self.clip_norm.is_some()
            || !(self.observers.is_empty() && self.on_gradients.is_empty() && self.on_step.is_empty());
        let is_shared = self.ranks.size() > 1 && self.ranks.settings.shards_moments != Some(false);
        if is_shared && !is_looked_at && optimizer.is_elementwise() { Gathered::Parts } else { Gathered::Whole }
    }

    /// Whether each rank moves its own part of the weights.
    pub(super) fn shards_moments(&self, optimizer: &Optimizer<T>) -> bool {
        let is_set = self.ranks.settings.shards_moments;
        self.ranks.size() > 1 && is_set.unwrap_or_else(|| self.gathered(optimizer) == Gathered::Parts)
    }

    /// Makes a step by the shards of one batch or several: of which ranks have some each.
    #[track_caller]
    #[allow(clippy::too_many_arguments, reason = "all that a fit has from step to step")]
    pub(super) fn step_by_shards(
        &mut self,
        rows: usize,
        course: &mut Course<T>,
        model: &mut M,
        optimizer: &mut Optimizer<T>,
        [tape, first_tape]: &mut [Tape<T>; 2],
        session: &mut Session<T>,
        loss_of: &mut LossOf<'_, M, T>,
    ) -> Result<Step<T>, Error> {
        let step = optimizer.step_number();
        let mut batches = self.batches.take().expect("checked");
        let mut items = Vec::new();
        for pass in step * self.accumulate..(step + 1) * self.accumulate {
            let parts = batches.rows(pass).split(0, rows);
            items.extend((0..).zip(parts).map(|(shard, rows)| Item::new(pass, shard, self.weight(&rows), rows)));
        }
        self.batches = Some(batches);
        let weights: Vec<f64> = items.iter().map(|item| item.share).collect();
        let weight_sum: f64 = weights.iter().sum();
        if !(weight_sum > 0.0 && weight_sum.is_finite()) {
            let why = format!("weighs the rows of step {step} by {weight_sum}, but must by more than 0");
            return Err(Error::Invalid { what: "the fit", why });
        }
        items.iter_mut().for_each(|item| item.share /= weight_sum);
        // Who looks on sees the step's first shard, which stays on its tape until all are in.
        let is_looked_at = self.ranks.rank() == 0 && !(self.observers.is_empty() && self.on_gradients.is_empty());
        first_tape.reset();
        let (of_first, mut shown, mut is_first) = (&*first_tape, None, is_looked_at);
        let sum = session.sum(&*model, &items, self.gathered(optimizer), |item, finished| {
            tape.reset();
            let is_shown = std::mem::take(&mut is_first);
            self.ranks.link.reach_shards(if is_shown { of_first } else { tape }, items.len());
            if !is_shown {
                return pass(loss_of, model, tape, self.seed, item, finished).0;
            }
            let (found, loss) = pass(loss_of, model, of_first, self.seed, item, finished);
            shown = Some(loss);
            found
        })?;
        if let Some(what) = sum.why {
            return Err(course.diverged(model, step, what));
        }
        if let Some(lost) = sum.lost {
            let found = model.parameters().into_iter().find(|(_, param)| param.id() == lost);
            let weight = found.map_or_else(String::new, |(path, _)| path);
            return Err(course.diverged(model, step, Error::NotFinite { weight }.to_string()));
        }
        let mut gradients = sum.gradients;
        if let Some(loss) = shown {
            gradients = gradients.placed_on(of_first);
            let pass = Pass { step, model: &*model, loss, gradients: &gradients };
            self.observers.iter_mut().for_each(|observer| observer.before_step(&pass));
            self.on_gradients.iter_mut().for_each(|hook| hook(&pass));
        }
        // Lets go of the values, so that they change in place.
        first_tape.reset();
        tape.reset();
        let loss_sum = weights.iter().zip(&sum.losses).map(|(weight, loss)| weight * loss).sum();
        self.move_weights(course, model, optimizer, gradients, [loss_sum, weight_sum])
    }
}

/// The pass of a shard, and its loss on the tape.
fn pass<'t, M: Module<T>, T: Float>(
    loss_of: &mut LossOf<'_, M, T>,
    model: &M,
    tape: &'t Tape<T>,
    seed: u64,
    item: &Item,
    finished: Finished<'_, T>,
) -> (Found<T>, Var<'t, T>) {
    tape.seed_shard(seed, item.pass, item.shard);
    let loss = loss_of(model, tape, &item.rows);
    let value = loss.item().to_f64();
    let why = (!value.is_finite()).then(|| lost::forward(model, loss, "the loss"));
    let gradients = loss.backward_handing(Tensor::full(loss.shape(), T::from_f64(item.share)), finished);
    (Found { loss: value, why, gradients }, loss)
}
