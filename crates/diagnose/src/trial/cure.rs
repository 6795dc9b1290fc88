//! Remedies: tried on a copy, and applied.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fmt;

use nn::{Module, ParamPath};
use tensor::Float;

use crate::report::Report;
use crate::report::finding::{Action, Fault, Finding, Severity};
use crate::say::words;

/// How often what is left is mended once more: what one layer gives changes the next.
const ROUNDS: usize = 8;

/// What another draw of the weights changes in the first loss, as a share of it.
const CHANCE: f64 = 0.005;

/// What was tried on a copy of a model, and found to help.
#[derive(Default)]
pub(crate) struct Trial {
    changes: Vec<Action>,
    /// What is wrong after that.
    left: Vec<Finding>,
}

impl Trial {
    /// Tries what the findings propose, and what an inspection after that proposes, as long as it helps.
    ///
    /// What costs more at first than before is kept if a short training makes it cost less: `train` gives the loss after that.
    pub(crate) fn of(
        before: &Report,
        attempt: impl Fn(&[Action]) -> Option<Report>,
        train: impl Fn(&[Action]) -> f64,
    ) -> Self {
        let faults = |report: &Report| -> Vec<Finding> {
            report.findings.iter().filter(|finding| finding.severity > Severity::Note).cloned().collect()
        };
        let mut best = Trial { changes: Vec::new(), left: faults(before) };
        let (mut harm, mut loss, mut changes) = (harm(before), before.loss.compared, merge(&[], &before.findings));
        let mut tried = None;
        let untreated = OnceCell::new();
        for _ in 0..ROUNDS {
            if changes.is_empty() || tried.as_ref() == Some(&changes) {
                break;
            }
            let Some(after) = attempt(&changes) else { break };
            let now = self::harm(&after);
            // A network that was dead begins to guess, and may cost more than one that says the same of everything.
            let pays_off = || train(&changes) < *untreated.get_or_init(|| train(&[]));
            if now.is_less_than(harm) && (!is_dearer(before, &after) || pays_off()) {
                best = Trial { changes: changes.clone(), left: faults(&after) };
                (harm, loss) = (now, after.loss.compared);
            }
            let more = merge(&changes, &after.findings);
            tried = Some(changes);
            changes = more;
        }
        best.keep_prior_bias(before, (harm, loss), attempt)
    }

    /// The output bias may hold the class frequencies: it is kept if the loss is lower with it.
    fn keep_prior_bias(
        mut self,
        before: &Report,
        (least, loss): (Harm, f64),
        attempt: impl Fn(&[Action]) -> Option<Report>,
    ) -> Self {
        let of_loss = before.findings.iter().filter(|finding| finding.fault == Fault::Loss);
        let zeros: Vec<&Action> = of_loss
            .flat_map(|finding| &finding.actions)
            .filter(|action| matches!(action, Action::Zero { .. }))
            .collect();
        let rest: Vec<Action> = self.changes.iter().filter(|action| !zeros.contains(action)).cloned().collect();
        if rest.len() < self.changes.len() {
            let without = attempt(&rest);
            let as_well = |without: &Report| {
                let now = harm(without);
                (now == least || now.is_less_than(least)) && without.loss.compared < loss
            };
            if without.as_ref().is_some_and(as_well) {
                self.changes = rest;
            }
        }
        self
    }

    /// Leaves to each finding what is done about it, and says where nothing helps.
    pub(crate) fn apply_trial(self, report: &mut Report, tried: bool) {
        let mut open: Vec<&Action> = self.changes.iter().collect();
        for finding in report.findings.iter_mut().filter(|finding| !finding.actions.is_empty()) {
            let proposed = std::mem::take(&mut finding.actions);
            if !tried {
                finding.remedy = words::mended_by(&proposed, &finding.remedy);
                continue;
            }
            let is_its = |action: &&Action| proposed.iter().any(|own| own.parameter() == action.parameter());
            finding.actions = self.changes.iter().filter(is_its).cloned().collect();
            open.retain(|action| !is_its(action));
            let is_left = self.left.iter().any(|left| (left.fault, &left.place) == (finding.fault, &finding.place));
            finding.remedy = match (finding.actions.is_empty(), is_left) {
                (true, true) => words::not_mended(&finding.remedy),
                (true, false) => words::mended_with_others(&finding.remedy),
                (false, _) => words::mended_by(&finding.actions, &finding.remedy),
            };
        }
        // What only the second look showed.
        if let Some(first) = report.findings.iter_mut().find(|finding| !finding.actions.is_empty()) {
            first.actions.extend(open.into_iter().cloned());
        }
        (report.cure, report.left) = (self.changes, self.left);
    }
}

/// What is wrong with a model, in numbers.
#[derive(Clone, Copy, PartialEq)]
struct Harm {
    errors: usize,
    faults: usize,
}

impl Harm {
    /// Fewer faults and no more errors, or as many faults with fewer errors among them.
    fn is_less_than(self, other: Harm) -> bool {
        self.faults <= other.faults && self.errors <= other.errors && self != other
    }
}

fn harm(report: &Report) -> Harm {
    let count = |least| report.findings.iter().filter(|finding| finding.severity >= least).count();
    Harm { errors: count(Severity::Error), faults: count(Severity::Warn) }
}

/// Whether a loss is higher than before, and than chance explains.
fn is_dearer(before: &Report, after: &Report) -> bool {
    let allowed = before.loss.expected.map_or(f64::NEG_INFINITY, f64::abs).max(before.loss.compared);
    let allowed = allowed + CHANCE * allowed.abs();
    // What is no number is dearer than any number, and no dearer than what was none.
    before.loss.compared.is_finite() && after.loss.compared.partial_cmp(&allowed).is_none_or(Ordering::is_gt)
}

/// Changes with those that findings propose: one for each parameter.
fn merge(changes: &[Action], findings: &[Finding]) -> Vec<Action> {
    let mut all = changes.to_vec();
    let mut due: Vec<&Action> = Vec::new();
    // The loss comes last: what is mended before it changes the outputs too.
    let is_last = |finding: &&Finding| finding.fault == Fault::Loss;
    let before = findings.iter().any(|finding| !is_last(&finding) && !finding.actions.is_empty());
    let taken = findings.iter().filter(|finding| !(before && is_last(finding)));
    for action in taken.flat_map(|finding| &finding.actions) {
        // Of two remedies for one parameter, that of the more harmful fault.
        if due.iter().all(|other| other.parameter() != action.parameter()) {
            due.push(action);
        }
    }
    for action in due {
        match (all.iter_mut().find(|known| known.parameter() == action.parameter()), action) {
            (None, _) => all.push(action.clone()),
            (Some(Action::Scale { factor, .. }), Action::Scale { factor: more, .. }) => *factor *= more,
            (Some(known), Action::Zero { .. }) => *known = action.clone(),
            (Some(Action::Zero { .. }), _) => {}
        }
    }
    all
}

/// What [`Report::cure`] did, and what it left to its caller.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Cure {
    /// What was changed.
    pub applied: Vec<Action>,
    /// What is still wrong after that, with the remedies that a person must choose between.
    pub left: Vec<(Fault, String)>,
}

impl Report {
    /// Applies the remedies that need no human choice to the model that was inspected, and says what it did, and what is left to do.
    ///
    /// Each was tried on a copy by the inspection, together with the others: what is applied leaves fewer faults, or as many with fewer
    /// errors among them, and no higher loss, or a lower one after thirty steps of plain descent.
    /// Where one change shows the need of another, that is a part of it, so that a second call finds nothing more to do.
    ///
    /// # Example
    /// ```
    /// use init::{Gain, normal};
    /// use nn::{Layer, Linear};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{Shape, Tensor};
    /// use init::Initializer;
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let mut model: Linear = Linear::new(100, 27, &normal(1.0), &mut rng)?;
    /// let x: Tensor = normal(1.0).init(&Shape::from([32, 100]), &mut rng)?;
    /// let classes = Tensor::from_fn([32], |i| (i[0] % 27) as i64);
    /// let inspect = |model: &Linear| {
    ///     diagnose::inspect(model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&classes))
    /// };
    /// let report = inspect(&model);
    /// assert!(report.loss.value > 10.0);
    /// println!("{}", report.cure(&mut model));
    /// assert!((inspect(&model).loss.value - 27_f64.ln()).abs() < 0.05);
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn cure<T: Float>(&self, model: &mut (impl Module<T> + ?Sized)) -> Cure {
        let mut applied = Vec::new();
        model.visit_mut(ParamPath::root(), &mut |path, param| {
            let path = path.to_string();
            if let Some(action) = self.cure.iter().find(|action| action.parameter() == path) {
                action.apply(param.value_mut());
                applied.push(action.clone());
            }
        });
        let mut left: Vec<_> = self.left.iter().map(|finding| (finding.fault, finding.remedy.clone())).collect();
        left.dedup();
        Cure { applied, left }
    }
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.applied.is_empty() && self.left.is_empty() {
            return f.write_str("nothing to cure");
        }
        let done = self.applied.iter().map(|action| format!("cured: {action}"));
        let left = self.left.iter().map(|(_, remedy)| format!("left to you: {remedy}"));
        f.write_str(&done.chain(left).collect::<Vec<_>>().join("\n"))
    }
}
