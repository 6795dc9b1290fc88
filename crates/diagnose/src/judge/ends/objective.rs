//! What is made small: a loss with the right sign, and not its penalties.

use autograd::Role;

use super::{Ends, Takes, takes};
use crate::read::losses::LossTerm;
use crate::read::numbers::Numbers;
use crate::report::finding::{Evidence, Finding, Severity};

/// A penalty that is so many times as large as the loss is a fault, and an error.
const PENALTY: [f64; 2] = [3.0, 30.0];

impl Ends<'_> {
    /// A loss that training makes large, or that drowns in its penalties.
    pub(super) fn objective(&self) -> Vec<(usize, Finding)> {
        let parts = &self.pass.parts;
        let is_turned = |part: &LossTerm| match self.graph.nodes[part.op].gradient {
            Some(_) => part.weight < 0.0,
            None => self.is_turned_round(part.op),
        };
        if let (Some(first), true) = (parts.first(), parts.iter().all(is_turned)) {
            let evidence = Evidence::WrongSign { loss: self.graph.nodes[first.op].op };
            let finding = |part: &LossTerm| {
                (part.predictions, Finding::new(Severity::Error, self.place_of(part.predictions), evidence.clone()))
            };
            return parts.iter().map(finding).collect();
        }
        self.penalty().into_iter().collect()
    }

    /// Whether a minus stands between a loss and the result, where gradients are not at hand.
    fn is_turned_round(&self, op: usize) -> bool {
        let (mut at, mut turned) = (self.graph.loss, false);
        while at != op {
            let node = &self.graph.nodes[at];
            let Some(&input) = node.inputs.first() else { return false };
            match node.role {
                Role::Scaling => turned ^= node.value.first() * self.graph.nodes[input].value.first() < 0.0,
                Role::Keeping => turned ^= node.op == "neg",
                Role::Reducing => {}
                _ => return false,
            }
            at = input;
        }
        turned
    }

    /// A loss that is below zero, and is never of what it takes.
    pub(crate) fn below_zero(&self) -> Vec<Finding> {
        let find = |part: &LossTerm| {
            let op = self.graph.nodes[part.op].op;
            let is_bounded = takes(op) != (Takes::Numbers, None) || op.ends_with("mse_loss") || op.ends_with("l1_loss");
            let evidence = Evidence::BelowZero { op, loss: part.value };
            (is_bounded && part.value < -1e-3).then(|| Finding::new(Severity::Error, "the loss", evidence))
        };
        self.pass.parts.iter().filter_map(find).collect()
    }

    /// Terms that depend on weights alone, beside those of data.
    fn penalty(&self) -> Option<(usize, Finding)> {
        let graph = self.graph;
        let mut open = vec![graph.loss];
        let mut terms = Vec::new();
        while let Some(at) = open.pop() {
            let node = &graph.nodes[at];
            match node.role {
                Role::Adding | Role::Keeping | Role::Scaling if node.value.numel() == 1 => open.extend(&node.inputs),
                _ => terms.push(at),
            }
        }
        let size = |index: &usize| {
            let weight = graph.nodes[*index].gradient.as_ref().map_or(0.0, Numbers::first);
            (graph.nodes[*index].value.first() * weight).abs()
        };
        let (of_data, penalties): (Vec<usize>, Vec<usize>) =
            terms.into_iter().filter(|&index| graph.route[index].model).partition(|&index| graph.is_of_data(index));
        let (loss, penalty) = (of_data.iter().map(size).sum::<f64>(), penalties.iter().map(size).sum::<f64>());
        let times = penalty / loss;
        let severity = match times {
            times if times >= PENALTY[1] => Severity::Error,
            times if times >= PENALTY[0] => Severity::Warn,
            _ => return None,
        };
        let evidence = Evidence::Penalty { penalty, loss };
        times.is_finite().then(|| (graph.loss, Finding::new(severity, graph.place(penalties[0]), evidence)))
    }
}
