//! An optimizer in a file: the names of its rules, its counts, and what it keeps of each weight, by path.

use tensor::{Float, Shape, Tensor};

use super::{Optimizer, Slot};
use crate::by_weight::ByWeight;
use crate::checkpoint::{Reader, Stored};
use crate::error::named;
use crate::{Error, Module};

/// Where a slot is in a file.
fn slot_name(slot: &str, path: &str) -> String {
    format!("optimizer.{slot}.{path}")
}

/// Where the steps of a weight are counted.
fn steps_name(path: &str) -> String {
    slot_name("t", path)
}

/// What was read for an optimizer.
pub(crate) struct Kept<T: Float> {
    step: u64,
    scale: f64,
    slots: ByWeight<Slot<T>>,
}

impl<T: Float> Optimizer<T> {
    pub(crate) fn keep(&self, model: &dyn Module<T>, into: &mut Stored) -> Result<(), Error> {
        into.say("optimizer.rule", self.rule.name());
        into.say("optimizer.step", self.step);
        into.say_f64("optimizer.scale", self.scale);
        let rules = self.rules();
        for (path, param) in model.parameters() {
            let Some(slot) = self.slots.of(&path, param).filter(|slot| slot.t > 0) else { continue };
            let rule = rules.of(slot.setting.rule);
            if slot.setting.rule.is_some() {
                into.say(format!("optimizer.rule.{path}"), rule.name());
            }
            into.put(steps_name(&path), Tensor::scalar(i64::try_from(slot.t).unwrap_or(i64::MAX)))?;
            for (name, kept) in rule.slots().iter().zip(&slot.kept) {
                into.put(slot_name(name, &path), kept)?;
            }
        }
        Ok(())
    }

    /// What the file has for an optimizer of this model's.
    pub(crate) fn read(&self, model: &dyn Module<T>, reader: &mut Reader<'_>) -> Option<Kept<T>> {
        let Some(said) = reader.says("optimizer.rule") else {
            reader.differs("keeps no optimizer");
            return None;
        };
        if said != self.rule.name() {
            reader.differs(format!("the optimizer is {said} in the file, and {} here", self.rule.name()));
            reader.pass_over("optimizer.");
            return None;
        }
        let (step, scale) = (reader.parsed("optimizer.step"), reader.parsed("optimizer.scale"));
        let (rules, mut slots) = (self.rules(), ByWeight::new());
        for (path, param) in model.parameters() {
            let setting = rules.setting(&path);
            let rule = rules.of(setting.rule);
            if setting.frozen {
                // Files of a training in which it was not.
                reader.pass_over_slots(&path);
                continue;
            }
            // A weight that has had no gradient yet.
            if !reader.has(&steps_name(&path)) && !rule.slots().iter().any(|slot| reader.has(&slot_name(slot, &path))) {
                continue;
            }
            let said = reader.says(&format!("optimizer.rule.{path}")).unwrap_or(said);
            if said != rule.name() {
                reader.differs(format!("{} is moved by {said} in the file, and by {} here", named(&path), rule.name()));
                reader.pass_over_slots(&path);
                continue;
            }
            let t = reader.tensor::<i64>(&steps_name(&path), &Shape::from(()));
            for other in reader.slots_of(&path, rule.slots()) {
                reader.differs(format!(
                    "keeps `{other}` of {}, which {said} does not use as it is set here: a number such as its momentum is 0, or an \
                     option is not chosen, that was when the file was written",
                    named(&path)
                ));
            }
            let kept: Vec<Option<Tensor<T>>> =
                rule.slots().iter().map(|slot| reader.floats(&slot_name(slot, &path), param.value().shape())).collect();
            if let (Some(t), Some(kept)) = (t, kept.into_iter().collect()) {
                slots.insert(path, param, Slot { kept, t: t.item().unsigned_abs(), setting });
            }
        }
        Some(Kept { step: step?, scale: scale?, slots })
    }

    pub(crate) fn restore(&mut self, Kept { step, scale, slots }: Kept<T>) {
        (self.step, self.scale, self.slots, self.checked) = (step, scale, slots, false);
    }
}
