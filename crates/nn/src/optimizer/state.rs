//! What an optimizer keeps, in a file: the names of its rules, its counts, and what it keeps of each weight, by path.

use tensor::{Float, Shape, Tensor};

use super::{ByWeight, Optimizer, Slot};
use crate::archive::{Archive, Stateful};
use crate::error::named;

/// Whether a file that is read is of the same rule.
pub(super) fn has_rule<T: Float>(at: &mut Archive<'_, T>, here: &str) -> bool {
    match at.text("rule", here) {
        Some(said) if said == here => return true,
        Some(said) => at.mismatch(format!("the optimizer is {said} in the file, and {here} here")),
        None => at.mismatch("does not say the optimizer's rule"),
    }
    at.ignore(|_| true);
    false
}

impl<T: Float> Optimizer<T> {
    /// What is kept of a weight.
    fn walk_slot(&self, path: &str, shape: &Shape, kept: Option<&Slot<T>>, at: &mut Archive<'_, T>) -> Option<Slot<T>> {
        let (rules, of_weight) = (self.rules(), |name: &str| format!("{name}.{path}"));
        let setting = rules.setting(path);
        let rule = rules.of(setting.rule);
        let (t, suffix) = (of_weight("t"), of_weight(""));
        // Files of a training in which it was not frozen have some.
        let is_there = match at.is_reading() {
            true => !setting.frozen && (at.has(&t) || rule.slots().iter().any(|slot| at.has(&of_weight(slot)))),
            false => kept.is_some(),
        };
        if !is_there {
            at.ignore(|name| name.ends_with(&suffix));
            return None;
        }
        let is_said = setting.rule.is_some() || at.is_reading();
        let said = is_said.then(|| at.text(&of_weight("rule"), rule.name())).flatten();
        let said = said.unwrap_or_else(|| self.rule.name().to_owned());
        if said != rule.name() {
            at.mismatch(format!("{} is moved by {said} in the file, and by {} here", named(path), rule.name()));
            at.ignore(|name| name.ends_with(&suffix));
            return None;
        }
        let count = kept.map(|slot| Tensor::scalar(i64::try_from(slot.t).unwrap_or(i64::MAX)));
        let count = at.tensor::<i64>(&t, &Shape::from(()), count.as_ref());
        let is_other = |slot: &str| !slot.contains('.') && !rule.slots().contains(&slot);
        for other in at.ignore(|name| name.strip_suffix(&suffix).is_some_and(is_other)) {
            at.mismatch(format!(
                "keeps `{}` of {}, which {said} does not use as it is set here: a number such as its momentum is 0, or an \
                 option is not chosen, that was when the file was written",
                other.trim_end_matches(&suffix),
                named(path)
            ));
        }
        if kept.is_some_and(|slot| slot.is_part) {
            let why = "keeps a part of the moments, as ranks have shared them and were ended by an error".into();
            at.refuse(crate::Error::Invalid { what: "the optimizer", why });
        }
        let own = |index: usize| kept.and_then(|slot| slot.kept.get(index));
        let slots = rule.slots().iter().enumerate();
        let kept: Vec<_> = slots.map(|(index, slot)| at.floats(&of_weight(slot), shape, own(index))).collect();
        let kept = kept.into_iter().collect::<Option<_>>()?;
        Some(Slot { kept, is_part: false, t: count?.item().unsigned_abs(), setting })
    }
}

impl<T: Float> Stateful<T> for Optimizer<T> {
    fn walk(&self, at: &mut Archive<'_, T>) -> Self {
        let mut read = self.with(self.step, self.scale, ByWeight::new());
        if !has_rule(at, self.rule.name()) {
            return read;
        }
        (read.step, read.scale) = (at.number("step", self.step), at.number("scale", self.scale));
        for (path, param) in at.model().parameters() {
            let kept = self.slots.of(&path, param).filter(|slot| slot.t > 0);
            if let Some(slot) = self.walk_slot(&path, param.value().shape(), kept, at) {
                read.slots.insert(path, param, slot);
            }
        }
        read
    }
}
