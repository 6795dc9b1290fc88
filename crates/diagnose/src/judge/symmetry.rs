//! Units that are alike, and stay so.

use autograd::Role;

use super::{CopiesAfter, Judge};
use crate::read::trace::Parameter;
use crate::report::finding::{Evidence, Finding, Severity};

/// Steps of plain descent that tell whether what is alike parts: with a head and a branch that are both zero, the third moves the
/// branch.
const STEPS: usize = 3;

impl Judge<'_> {
    /// Weights with columns, or kernels, that are copies of others and get the same gradients.
    pub(super) fn symmetry(&self, copies_after: Option<&CopiesAfter<'_>>) -> Option<Finding> {
        let is_alike = |parameter: &&Parameter| {
            let Some(gradient) = parameter.gradient.as_ref() else { return false };
            // A gradient of zero says nothing: the weight may move after the next step.
            let known = copies_after.is_some() || !gradient.is_zero();
            let share = parameter.data.copies();
            let share = if share > 0.0 { share.min(gradient.copies()) } else { share };
            known && share > 0.0 && (share > whole(parameter) || !self.is_end(parameter))
        };
        let mut alike: Vec<&Parameter> = self.pass.parameters.iter().filter(is_alike).collect();
        if alike.is_empty() {
            return None;
        }
        if let Some(later) = copies_after.map(|after| after(STEPS)) {
            alike.retain(|parameter| later.get(&parameter.name).is_some_and(|share| *share > 0.0));
        }
        let first = alike.first()?;
        let all = |parameter: &&Parameter| parameter.data.copies() > whole(parameter);
        let evidence = Evidence::UnitsAlike {
            parameters: alike.iter().map(|parameter| parameter.name.clone()).collect(),
            share: first.data.copies(),
            all: alike.iter().any(all),
            zero: alike.iter().all(|parameter| parameter.data.is_zero()),
            gain: self.gain_name(),
        };
        let severity = if alike.iter().any(all) { Severity::Error } else { Severity::Warn };
        Some(Finding::new(severity, &first.name, evidence))
    }

    /// Whether no layer comes after it: outputs for classes that the batch lacks are alike until an example comes.
    fn is_end(&self, parameter: &Parameter) -> bool {
        let of_it = |index: &usize| {
            let is_table = matches!(self.graph.nodes[*index].role, Role::Lookup);
            let table = self.graph.input(*index, 0).filter(|_| is_table);
            let weight = table.or(self.graph.affine(*index).map(|affine| affine.weight));
            weight.is_some_and(|weight| self.graph.place(weight) == parameter.name)
        };
        self.graph.relevant().find(of_it).is_some_and(|index| !self.graph.reach[index].hidden)
    }
}

/// The share of copies above which all units are the same: of n, n − 1 are copies.
fn whole(parameter: &Parameter) -> f64 {
    1.0 - 1.5 / parameter.data.made() as f64
}
