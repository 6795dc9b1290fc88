//! All that is read of one pass.

use super::graph::Graph;
use super::losses::LossTerm;
use super::numbers::Numbers;
use super::way::Way;

/// One pass, read off the tape: its graph, what is trained, and the losses at its ends.
pub(crate) struct Trace {
    pub(crate) graph: Graph,
    /// What is trained, in the model's order.
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) parts: Vec<LossTerm>,
    pub(crate) heads: Vec<LossTerm>,
    /// The way to each head, or to the loss where none is known.
    pub(crate) ways: Vec<Way>,
}

impl Trace {
    pub(crate) fn new(graph: Graph, parameters: Vec<Parameter>) -> Self {
        let parts = graph.loss_terms();
        let heads = graph.heads(&parts);
        let mut ways: Vec<Way> = heads.iter().map(|head| graph.way(head.predictions)).collect();
        if ways.is_empty() {
            ways.push(graph.way(graph.loss));
        }
        Trace { graph, parameters, parts, heads, ways }
    }

    /// What it costs to know nothing, if there is one loss that says so: in the result, which may be a multiple of that.
    pub(crate) fn baseline(&self) -> Option<f64> {
        let [part] = &self.parts[..] else { return None };
        let times = self.graph.nodes[self.graph.loss].value.first() / part.value;
        Some(self.graph.best_constant(part)? * if times.is_finite() { times } else { 1.0 })
    }
}

/// A parameter by its path, and its gradient if there is one.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) data: Numbers,
    pub(crate) gradient: Option<Numbers>,
}
