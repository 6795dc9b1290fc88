//! Weights with settings of their own.

use std::fmt;
use std::sync::Arc;

use tensor::Float;

use super::Rule;
use crate::{Error, Schedule};

/// How the weights of a group are treated; [`Optimizer::group`](super::Optimizer::group) makes one.
#[derive(Clone)]
pub struct Group<T: Float = f32> {
    pub(super) pattern: String,
    pub(super) lr_scale: Option<f64>,
    pub(super) weight_decay: Option<f64>,
    pub(super) frozen: Option<bool>,
    pub(super) rule: Option<Arc<dyn Rule<T>>>,
}

impl<T: Float> Group<T> {
    pub(super) fn new(pattern: &str) -> Self {
        Group { pattern: pattern.into(), lr_scale: None, weight_decay: None, frozen: None, rule: None }
    }

    /// Multiplies the learning rate by `factor`.
    #[must_use]
    pub fn lr_scale(self, factor: f64) -> Self {
        Group { lr_scale: Some(factor), ..self }
    }

    /// Sets the weight decay, in place of the rule's.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Group { weight_decay: Some(weight_decay), ..self }
    }

    /// Keeps the weights where they are, though they have gradients. [`Module::freeze`](crate::Module::freeze)
    /// saves the gradients too.
    #[must_use]
    pub fn freeze(self, frozen: bool) -> Self {
        Group { frozen: Some(frozen), ..self }
    }

    /// Sets another rule than the optimizer's, such as [`AdamW`](crate::AdamW) for what [`Muon`](crate::Muon) cannot move.
    #[must_use]
    pub fn rule(self, rule: impl Rule<T> + 'static) -> Self {
        Group { rule: Some(Arc::new(rule)), ..self }
    }

    /// Its pattern with what is set of it.
    #[cfg(feature = "checkpoint")]
    pub(super) fn describe(&self) -> String {
        let lr_scale = self.lr_scale.map(|factor| format!("rate × {factor}"));
        let weight_decay = self.weight_decay.map(|decay| format!("weight decay {decay}"));
        let frozen = self.frozen.map(|frozen| if frozen { "frozen".to_owned() } else { "trained".to_owned() });
        let set: Vec<String> = [lr_scale, weight_decay, frozen, self.rule.as_ref().map(|rule| rule.describe())]
            .into_iter()
            .flatten()
            .collect();
        format!("{} ({})", self.pattern, set.join(", "))
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(lr_scale) = self.lr_scale {
            Schedule::check_lr(lr_scale).map_err(|_| Error::Range {
                what: "the factor of a group's learning rate",
                value: lr_scale,
                rule: "at least 0 and finite in f32",
            })?;
        }
        if let Some(weight_decay) = self.weight_decay {
            Error::unless_at_least_0("the weight decay of a group", weight_decay)?;
        }
        self.rule.as_ref().map_or(Ok(()), |rule| rule.check())
    }
}

impl<T: Float> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = f.debug_struct("Group");
        group
            .field("pattern", &self.pattern)
            .field("learning rate", &self.lr_scale)
            .field("weight_decay", &self.weight_decay);
        group.field("frozen", &self.frozen).field("rule", &self.rule.as_ref().map(|rule| rule.name())).finish()
    }
}
