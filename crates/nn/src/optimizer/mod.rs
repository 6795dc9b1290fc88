//! The optimizer: a rule, a schedule of its learning rate, groups of weights, and what is kept of each weight from step to step.

mod average;
mod by_weight;
mod group;
mod plan;
mod plateau;
mod rule;
mod rules;
mod schedule;
mod share;
#[cfg(feature = "checkpoint")]
mod state;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use autograd::Gradients;
pub use average::{WeightAverage, refresh_statistics};
pub use group::Group;
pub use plan::{Plan, Planned};
pub use plateau::ReduceOnPlateau;
pub(crate) use rule::power;
pub use rule::{At, Rule};
pub use rules::{Adadelta, Adagrad, Adam, AdamW, Lbfgs, Lion, Muon, MuonLr, NAdam, RAdam, RMSprop, Sgd};
pub use schedule::{OneCycle, Schedule};
use tensor::{Float, Shape, Tensor};

use crate::error::named;
use crate::model::matches;
use crate::{Error, ModelGradients, Module, ParamPath};
use by_weight::ByWeight;
use share::{Moved, Share};

/// What moves the weights of a model: a [`Rule`] such as [`AdamW`](crate::AdamW), a learning rate that is a [`Schedule`] of the
/// number of the step, groups of weights by path with settings of their own, and what the rule keeps of each weight,
/// found by the weight's name. PyTorch's `optim.Optimizer` and its scheduler.
///
/// A weight has steps of its own to count: one whose first gradient comes late begins then. Coefficients, corrections
/// of bias among them, are computed in f64. A step is one pass over each weight, in place, shared among threads where
/// the weight is large; the result has the same bits at any number of them.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{AdamW, Optimizer, Param, Schedule};
/// use tensor::Tensor;
///
/// let mut w = Param::new(Tensor::from([3.0, -2.0]));
/// let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(0.1, 300).warmup(10))?;
/// let mut tape = Tape::new();
/// for _ in 0..300 {
///     let w_on = w.on(&tape);
///     let gradients = (w_on * w_on).sum(..).backward();
///     tape.reset();
///     adamw.step(&mut w, &gradients);
/// }
/// assert!(w.value().iter().all(|w| w.abs() < 0.1));
/// # Ok::<(), nn::Error>(())
/// ```
pub struct Optimizer<T: Float = f32> {
    rule: Arc<dyn Rule<T>>,
    schedule: Schedule,
    groups: Vec<Group<T>>,
    slots: ByWeight<Slot<T>>,
    /// Whether the weights of `slots` were looked at with their gradients: what comes from a file was not.
    checked: bool,
    step: u64,
    /// What the schedule's learning rate is multiplied by.
    scale: f64,
    /// Whether a weight without a gradient is a mistake.
    complete: bool,
}

/// What is known of a weight.
struct Slot<T: Float> {
    /// What the rule keeps, once it has taken a step: in the weight's shape, or of this rank's part alone, as a vector.
    kept: Vec<Tensor<T>>,
    /// Whether it is of a part alone.
    is_part: bool,
    /// The steps that it has taken.
    t: u64,
    setting: Setting,
}

/// The rule, and the groups with settings of their own.
struct Rules<'a, T: Float> {
    rule: &'a dyn Rule<T>,
    groups: &'a [Group<T>],
}

impl<T: Float> Rules<'_, T> {
    /// That of a group, or of all others.
    fn of(&self, group: Option<usize>) -> &dyn Rule<T> {
        let own = group.and_then(|group| self.groups[group].rule.as_deref());
        own.unwrap_or(self.rule)
    }

    fn setting(&self, path: &str) -> Setting {
        let (mut lr_scale, mut decay, mut frozen, mut rule) = (1.0, None, false, None);
        for (index, group) in self.groups.iter().enumerate().filter(|(_, group)| matches(&group.pattern, path)) {
            lr_scale = group.lr_scale.unwrap_or(lr_scale);
            decay = group.weight_decay.or(decay);
            frozen = group.frozen.unwrap_or(frozen);
            rule = group.rule.as_ref().map(|_| index).or(rule);
        }
        let weight_decay = decay.unwrap_or_else(|| self.of(rule).weight_decay());
        Setting { lr_scale, weight_decay, frozen, rule }
    }
}

/// How a weight is treated, by the groups that its path is in.
#[derive(Clone, Copy)]
struct Setting {
    lr_scale: f64,
    weight_decay: f64,
    frozen: bool,
    /// The group that has a rule of its own.
    rule: Option<usize>,
}

impl<T: Float> Optimizer<T> {
    /// Makes an optimizer that moves weights by `rule` with the learning rate `schedule`, which may be one number.
    ///
    /// # Errors
    /// The rule refuses its numbers, or the schedule its own.
    pub fn new(rule: impl Rule<T> + 'static, schedule: impl Into<Schedule>) -> Result<Self, Error> {
        let schedule = schedule.into();
        rule.check()?;
        schedule.check()?;
        let (rule, groups, slots) = (Arc::new(rule), Vec::new(), ByWeight::new());
        Ok(Optimizer { rule, schedule, groups, slots, checked: false, step: 0, scale: 1.0, complete: true })
    }

    /// Gives the weights whose path matches `pattern` (`*` matches any text) their own learning-rate factor, weight decay or
    /// rule, or freezes them. If several groups match, the last that says something wins. PyTorch's parameter groups.
    ///
    /// # Errors
    /// A number is out of range, or the rule refuses its own, or the first step was made already. That no weight
    /// matches a pattern is only seen with a model: [`plan`](Self::plan) says so, and the first step panics.
    ///
    /// # Example
    /// ```
    /// use nn::{AdamW, Optimizer};
    /// use nn::{Linear, Layer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(1);
    /// let model = Linear::new(30, 200, &init::normal(0.1), &mut rng)?;
    /// let adamw = Optimizer::new(AdamW::default(), 1e-3)?
    ///     .group("*bias", |g| g.weight_decay(0.0))?
    ///     .group("weight", |g| g.lr_scale(0.5))?;
    /// println!("{}", adamw.plan(&model)?); // the learning rate and the decay of every weight
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "param_groups")]
    pub fn group(mut self, pattern: &str, set: impl FnOnce(Group<T>) -> Group<T>) -> Result<Self, Error> {
        if !self.slots.is_empty() {
            let why = format!("{pattern:?} comes after the first step, which has settled how each weight is treated");
            return Err(Error::Invalid { what: "the group", why });
        }
        let group = set(Group::new(pattern));
        group.check()?;
        self.groups.push(group);
        Ok(self)
    }

    /// Accepts weights without a gradient and gradients of unlisted parameters: for models trained in part or in turns, such as
    /// GANs.
    #[must_use]
    pub fn allow_missing(self) -> Self {
        Optimizer { complete: false, ..self }
    }

    /// How every weight of the model is treated: its rule, its learning rate at the next step, its weight decay. It prints as a
    /// table.
    ///
    /// # Errors
    /// No weight matches a group's pattern, or a rule cannot move a weight of such a shape.
    pub fn plan(&self, model: &(impl Module<T> + ?Sized)) -> Result<Plan, Error> {
        let parameters = model.parameters();
        for group in &self.groups {
            if !parameters.iter().any(|(path, _)| matches(&group.pattern, path)) {
                let weights = parameters.into_iter().map(|(path, _)| path).collect();
                return Err(Error::NoMatch { pattern: group.pattern.clone(), weights });
            }
        }
        let (rules, mut weights) = (self.rules(), Vec::new());
        for (path, param) in parameters {
            let Setting { lr_scale, weight_decay, frozen, rule } = rules.setting(&path);
            let (rule, shape) = (rules.of(rule), param.value().shape().clone());
            let frozen = frozen || !param.is_trained();
            if let Some(why) = rule.refuses(&shape).filter(|_| !frozen) {
                let why = format!("cannot move {}, which is {shape}: {why}", named(&path));
                return Err(Error::Invalid { what: rule.name(), why });
            }
            let lr = if frozen { 0.0 } else { lr_scale * self.lr() };
            weights.push(Planned { path, shape, rule: rule.name(), lr, weight_decay, frozen });
        }
        Ok(Plan { weights })
    }

    /// The same settings with another state.
    #[cfg(feature = "checkpoint")]
    fn with(&self, step: u64, scale: f64, slots: ByWeight<Slot<T>>) -> Self {
        let Optimizer { rule, schedule, groups, complete, .. } = self;
        let (rule, schedule, groups) = (rule.clone(), schedule.clone(), groups.clone());
        Optimizer { rule, schedule, groups, slots, checked: false, step, scale, complete: *complete }
    }

    fn rules(&self) -> Rules<'_, T> {
        Rules { rule: &*self.rule, groups: &self.groups }
    }

    /// Moves every trained weight of `model` that has a gradient, by the learning rate of this step; the others stay. The
    /// changes that the pass has deferred for the model's state, such as running statistics, are applied too.
    ///
    /// In place, if nothing else holds the values: reset the tape before, or each is copied first.
    ///
    /// A clone that takes the place of the model, as in `model = best.clone()`, goes on with what was kept of the model.
    ///
    /// # Panics
    /// It is the first step of this optimizer, or the first with a weight, such as one that was unfrozen; and a trained weight has no
    /// gradient, or a leaf that the model does not list has one (see [`allow_missing`](Self::allow_missing)), or [`plan`](Self::plan) finds
    /// a mistake. Or the model is another one than before, or goes on beside a clone that has taken its place. Or no weight has a gradient:
    /// these are the gradients of another model. Or a weight has another shape than before, or the schedule's closure gives no learning
    /// rate, or an [`WeightAverage`](crate::WeightAverage) is in the weights' place. No weight has moved.
    #[track_caller]
    pub fn step(&mut self, model: &mut (impl Module<T> + ?Sized), gradients: &Gradients<T>) {
        if self.slots.values().any(|slot| slot.is_part) {
            panic!(
                "step: the optimizer keeps a part of the moments, as ranks have shared them and were ended by an error"
            );
        }
        self.step_of(model, gradients, None);
    }

    /// The step, of all of each weight or a share.
    #[track_caller]
    fn step_of(&mut self, model: &mut (impl Module<T> + ?Sized), gradients: &Gradients<T>, share: Option<Share>) {
        if let Err(why) = self.meet(model, gradients) {
            panic!("step: {why}");
        }
        let now = self.lr();
        if let Err(error) = Schedule::check_lr(now) {
            panic!("step: at step {}, {error}", self.step);
        }
        let Optimizer { rule, groups, slots, .. } = self;
        let (rules, mut number) = (Rules { rule: &**rule, groups }, 0);
        model.update(gradients, &mut |_, param, gradient| {
            let slot = slots.get_mut(param.id()).expect("the optimizer has met all weights");
            let Setting { lr_scale, weight_decay, rule, frozen } = slot.setting;
            if frozen {
                return;
            }
            let rule = rules.of(rule);
            let start = |slot, shape: &Shape| Tensor::full(shape, T::from_f64(rule.initial(slot)));
            let all = 0..rule.slots().len();
            slot.t += 1;
            let at = At { t: slot.t, lr: now * lr_scale, weight_decay };
            let Some(share) = share else {
                if slot.t == 1 {
                    slot.kept = all.map(|slot| start(slot, gradient.shape())).collect();
                }
                return rule.step(&at, param.value_mut(), gradient, &mut slot.kept);
            };
            let own = share.of(number, gradient.numel(), rule.is_elementwise());
            number += 1;
            slot.cut(&own, |slot| start(slot, &Shape::from([own.len()])), all);
            share::step_part(rule, &at, param.value_mut(), gradient, slot, own);
        });
        self.step += 1;
    }

    /// The weights that a step with these gradients moves.
    fn moved<'m>(&self, model: &'m mut (impl Module<T> + ?Sized), gradients: &Gradients<T>) -> Vec<Moved<'m, T>> {
        let (rules, mut moved) = (self.rules(), Vec::new());
        model.visit_mut(ParamPath::root(), &mut |_, param| {
            let slot = self.slots.get(param.id()).filter(|_| gradients.named(param.id()).is_some());
            if let Some(slot) = slot.filter(|slot| param.is_trained() && !slot.setting.frozen) {
                let is_cut = rules.of(slot.setting.rule).is_elementwise();
                moved.push(Moved { number: moved.len(), is_cut, value: param.value_mut().as_mut_slice() });
            }
        });
        moved
    }

    /// Makes sure that all is as a step needs it. What is looked at once is looked at when a weight is new.
    #[track_caller]
    fn meet(&mut self, model: &(impl Module<T> + ?Sized), gradients: &Gradients<T>) -> Result<(), String> {
        let (mut is_new, mut wrong) = (!self.checked, None);
        model.visit(ParamPath::root(), &mut |path, param| {
            if !param.is_trained() {
                return;
            }
            let (shape, slot) = (param.value().shape(), self.slots.get(param.id()));
            is_new |= slot.is_none();
            let kept = slot.filter(|slot| !slot.is_part).map_or(&[][..], |slot| &slot.kept);
            if let Some(other) = kept.iter().chain(gradients.named(param.id())).find(|kept| kept.shape() != shape) {
                wrong.get_or_insert_with(|| {
                    format!("{} is {shape}, but was {} before", named(&path.to_string()), other.shape())
                });
            }
        });
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        if !is_new {
            return Ok(());
        }
        if self.complete {
            gradients.expect_complete(model);
        }
        self.plan(model).map_err(|error| error.to_string())?;
        self.slots.follow(model, "what the optimizer keeps").map_err(|error| error.to_string())?;
        let mut trained = HashMap::new();
        model.visit(ParamPath::root(), &mut |path, param| {
            if param.is_trained() {
                trained.insert(param.id(), (path.to_string(), param));
            }
        });
        if self.complete {
            // One model is moved, and what is no longer in it has been replaced.
            let is_other = !trained.keys().any(|id| self.slots.has(*id));
            if is_other && self.slots.values().any(|slot| !slot.kept.is_empty()) {
                return Err(
                    "the model is another one than before, of whose weights the optimizer has moved none: make it an \
                            optimizer of its own; or let this one `allow_missing`, if models take turns"
                        .into(),
                );
            }
            let mut listed = HashSet::new();
            model.visit(ParamPath::root(), &mut |_, param| _ = listed.insert(param.id()));
            self.slots.retain(|id| listed.contains(&id));
        }
        for (path, param) in trained.into_values().filter(|(_, param)| !self.slots.has(param.id())).collect::<Vec<_>>()
        {
            let setting = self.rules().setting(&path);
            self.slots.insert(path, param, Slot { kept: Vec::new(), is_part: false, t: 0, setting });
        }
        self.checked = true;
        Ok(())
    }

    /// The learning rate of the next step: the schedule's, [scaled](Self::set_scale).
    #[doc(alias = "get_last_lr")]
    pub fn lr(&self) -> f64 {
        self.schedule.at(self.step) * self.scale
    }

    /// The number of the next step, from 0.
    pub fn step_number(&self) -> u64 {
        self.step
    }

    /// Multiplies the schedule's learning rate by `scale` from now on, such as that of a [`ReduceOnPlateau`](crate::ReduceOnPlateau).
    ///
    /// # Errors
    /// It is negative or not finite; the old one stays.
    pub fn set_scale(&mut self, scale: f64) -> Result<(), Error> {
        Error::unless_at_least_0("the scale of the learning rate", scale)?;
        self.scale = scale;
        Ok(())
    }

    /// The learning rate as a function of the step.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Its rule with what is set of it.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn rule_described(&self) -> String {
        self.rule.describe()
    }

    /// Its groups, as they were set.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn groups_described(&self) -> String {
        let groups: Vec<String> = self.groups.iter().map(Group::describe).collect();
        if groups.is_empty() { "none".into() } else { groups.join(", ") }
    }

    /// The name of its rule, such as `"adamw"`.
    pub fn rule_name(&self) -> &'static str {
        self.rule.name()
    }
}

impl<T: Float> fmt::Debug for Optimizer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optimizer")
            .field("rule", &self.rule.name())
            .field("schedule", &self.schedule)
            .field("groups", &self.groups)
            .field("step", &self.step)
            .field("scale", &self.scale)
            .finish_non_exhaustive()
    }
}
