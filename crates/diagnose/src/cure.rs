//! Applying remedies.

use std::collections::HashMap;
use std::fmt;

use nn::{Module, Path};
use tensor::Float;

use crate::finding::{Action, Fault};
use crate::report::Report;

/// What [`Report::cure`] did, and what it left to its caller.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Cure {
    /// What was changed.
    pub applied: Vec<Action>,
    /// The remedies that a person must choose between, in the report's words.
    pub left: Vec<(Fault, String)>,
}

impl Report {
    /// Applies the remedies that need no human choice to the model that was inspected, and says what it did.
    ///
    /// Where two findings would change the same parameter, the remedy of the more harmful one is applied. Inspect again to see what it
    /// has done.
    ///
    /// # Example
    /// ```
    /// use init::{Gain, normal};
    /// use nn::{Layer, Linear};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{Shape, Tensor};
    /// # use init::Initializer;
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
        let mut due: HashMap<&str, &Action> = HashMap::new();
        for action in self.findings.iter().flat_map(|finding| &finding.actions) {
            due.entry(action.parameter()).or_insert(action);
        }
        let mut applied = Vec::new();
        model.visit_mut(Path::root(), &mut |path, param| {
            let Some(action) = due.get(path.to_string().as_str()) else { return };
            let factor = match action {
                Action::Scale { factor, .. } => T::from_f64(*factor),
                Action::Zero { .. } => T::ZERO,
            };
            param.value_mut().map_assign(|x| x * factor);
            applied.push((*action).clone());
        });
        let unchosen = self.findings.iter().filter(|finding| finding.actions.is_empty());
        let mut left: Vec<_> = unchosen.map(|finding| (finding.fault, finding.remedy.clone())).collect();
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
