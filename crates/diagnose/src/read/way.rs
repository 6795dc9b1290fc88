//! The way of the signal from the inputs to one end of the network, block by block.

use std::collections::HashMap;

use autograd::Role;

use crate::read::graph::Graph;
use crate::read::numbers::range;
use crate::report::{Depth, SignalPath, Stage, slope};

/// The way to an end, as the blocks that it goes through.
pub(crate) struct Way {
    pub(crate) end: usize,
    pub(crate) blocks: Vec<Block>,
}

/// A layer, a normalization, or branches that meet; and what follows up to the next.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// The value that begins it.
    pub(crate) head: usize,
    /// Where its scale is read: after its activation, if it has one, else after the numbers that it is multiplied by.
    pub(crate) station: usize,
    pub(crate) kind: Kind,
    /// Whether a normalization comes later on, so that the scale of the signal does not matter here.
    pub(crate) normalized: bool,
    /// Whether one comes next.
    pub(crate) normalized_next: bool,
    /// What stands for the scale at its end.
    pub(crate) scale: f64,
    /// By how much it multiplies the signal.
    pub(crate) gain: Option<f64>,
}

/// By how much blocks multiply the signal, as a geometric mean; `None` where fewer than `least` blocks say it.
pub(crate) fn mean_gain<'a>(blocks: impl Iterator<Item = &'a Block>, least: usize) -> Option<f64> {
    let logs: Vec<f64> = blocks.filter_map(|block| block.gain).map(f64::ln).collect();
    (logs.len() >= least).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp()).filter(|gain| !gain.is_nan())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Layer,
    Norm,
    Join,
}

impl Graph {
    /// The way to a value; blocks are those after which another layer comes.
    pub(crate) fn way(&self, end: usize) -> Way {
        let nodes = self.path_to(end);
        let kind = |index: usize| match self.nodes[index].role {
            Role::Affine { .. } | Role::AffineChannels { .. } => Some(Kind::Layer).filter(|_| !self.is_lookup(index)),
            Role::Normalizing { .. } | Role::NormalizingChannels { .. } => Some(Kind::Norm),
            _ => self.route[index].joins.then_some(Kind::Join),
        };
        let heads: Vec<(usize, Kind)> =
            nodes.iter().enumerate().filter_map(|(at, &index)| Some((at, kind(index)?))).collect();
        let last_norm = heads.iter().rposition(|(_, kind)| *kind == Kind::Norm);
        let block = |(number, &(at, kind)): (usize, &(usize, Kind))| {
            let next = heads.get(number + 1).map_or(nodes.len(), |&(at, _)| at);
            let is_activation =
                |&&index: &&usize| matches!(self.nodes[index].role, Role::Activation(_) | Role::Function { .. });
            let output = self.scaled(&nodes[at..next]);
            let station = nodes[at..next].iter().rfind(is_activation).copied().unwrap_or(output);
            let normalized = kind != Kind::Norm && last_norm.is_some_and(|norm| norm > number);
            let normalized_next = heads.get(number + 1).is_some_and(|(_, kind)| *kind == Kind::Norm);
            Block {
                head: nodes[at],
                station,
                kind,
                normalized,
                normalized_next,
                scale: self.scale(output, station),
                gain: self.gain(nodes[at], output, kind),
            }
        };
        let blocks = heads.iter().enumerate().map(block).filter(|block| self.reach[block.head].hidden).collect();
        Way { end, blocks }
    }

    /// By how much a block multiplies the signal; `None` where that says nothing, as of an input whose scale is arbitrary and
    /// whose result is not.
    fn gain(&self, head: usize, output: usize, kind: Kind) -> Option<f64> {
        if kind == Kind::Norm || !self.reach[head].hidden {
            return None;
        }
        let before = self.unscaled(self.route[head].back?);
        let (from, to) = (self.spread(before), self.spread(output));
        if kind == Kind::Join {
            return Some(to / from).filter(|gain| gain.is_finite());
        }
        if self.raw_input(before).is_some() && (1.0 / 3.0..3.0).contains(&to) {
            return None;
        }
        // Where nothing varies any more, the weights still tell.
        if from > f64::MIN_POSITIVE && to > f64::MIN_POSITIVE { Some(to / from) } else { self.gain_by_weight(head) }
    }

    /// The last of the numbers that a result is multiplied by before anything else is done with it: an activation gets that.
    fn scaled(&self, nodes: &[usize]) -> usize {
        let follows = |&&index: &&usize| match self.nodes[index].role {
            Role::Scaling | Role::Keeping => true,
            Role::Adding => !self.route[index].joins,
            _ => false,
        };
        let run = nodes[1..].iter().take_while(follows);
        run.filter(|&&index| matches!(self.nodes[index].role, Role::Scaling)).last().copied().unwrap_or(nodes[0])
    }

    /// What a value was before it was multiplied by a number, unless that belongs to the layer or the sum before.
    fn unscaled(&self, index: usize) -> usize {
        let (mut at, mut before) = (index, index);
        loop {
            let Some(back) = self.route[at].back else { return before };
            match self.nodes[at].role {
                Role::Scaling => (at, before) = (back, back),
                Role::Keeping => at = back,
                Role::Adding if !self.route[at].joins => at = back,
                Role::Adding | Role::Affine { .. } | Role::AffineChannels { .. } => return index,
                _ => return before,
            }
        }
    }

    /// Whether a product with a weight only chooses rows of it, as an embedding does.
    pub(crate) fn is_lookup(&self, head: usize) -> bool {
        if let Role::Lookup = self.nodes[head].role {
            return true;
        }
        let data = self.input(head, 0).and_then(|input| self.raw_input(input));
        data.is_some_and(|data| self.nodes[data].value.is_one_hot())
    }

    /// √fan_in times the root mean square of the weights.
    fn gain_by_weight(&self, head: usize) -> Option<f64> {
        let (Role::Affine { weight, .. } | Role::AffineChannels { weight, .. }) = self.nodes[head].role else {
            return None;
        };
        let (weight, output) = (&self.nodes[self.input(head, weight)?].value, &self.nodes[head].value);
        let units = self.unit[head].axis.map_or(1, |axis| output.dims()[axis]);
        let gain = (weight.numel() as f64 / units.max(1) as f64).sqrt() * weight.rms();
        Some(gain).filter(|gain| *gain > 0.0 && gain.is_finite())
    }

    /// The data that a value is, if nothing was done to it but to put it into another shape, and to mask some of it, such as padding.
    pub(crate) fn raw_input(&self, index: usize) -> Option<usize> {
        let mut at = index;
        loop {
            at = match self.nodes[at].role {
                Role::Keeping => self.route[at].back?,
                Role::Masking => self.input(at, 0)?,
                _ => break,
            };
        }
        let is_data = matches!(self.nodes[at].role, Role::Constant | Role::Leaf) && self.route[at].data;
        is_data.then_some(at)
    }

    /// The data that a value is, or that stand in it beside each other and beside what a model made.
    pub(crate) fn raw_inputs(&self, index: usize) -> Vec<usize> {
        match self.nodes[index].role {
            Role::Keeping if self.raw_input(index).is_none() => {
                self.input(index, 0).map_or(Vec::new(), |input| self.raw_inputs(input))
            }
            Role::Joining => self.nodes[index].inputs.iter().flat_map(|&input| self.raw_inputs(input)).collect(),
            _ => self.raw_input(index).into_iter().collect(),
        }
    }

    /// What varies over examples at the end of a block; after an activation, which may be off for most units, all that varies.
    fn scale(&self, head: usize, station: usize) -> f64 {
        let spread = if station == head { self.spread(station) } else { f64::NAN };
        if spread.is_nan() { self.nodes[station].value.mean_std().1 } else { spread }
    }

    pub(crate) fn depth(&self, way: &Way) -> Depth {
        let gradient = |block: &Block| self.gradient_std(block.station);
        let judged = || way.blocks.iter().filter(|block| !block.normalized);
        let scales: Vec<f64> = judged().map(|block| block.scale).collect();
        let back: Vec<&Block> =
            way.blocks.iter().filter(|block| block.kind != Kind::Layer || !block.normalized_next).collect();
        let gradients: Option<Vec<f64>> = back.iter().map(|block| gradient(block)).collect();
        Depth {
            layers: back.len(),
            signal: slope(&scales),
            gradient: gradients.and_then(|gradients| slope(&gradients)),
            gain: mean_gain(judged(), 2).filter(|gain| gain.is_finite()),
        }
    }

    /// For people to read: what is on the way more than once is one stage.
    pub(crate) fn path(&self, way: &Way) -> SignalPath {
        let mut stages: Vec<(String, Kind, Vec<&Block>)> = Vec::new();
        let mut known: HashMap<(String, Kind), usize> = HashMap::new();
        for block in &way.blocks {
            let place = match self.affine(block.head) {
                Some(_) => self.place(block.head),
                None => self.place(self.nodes[block.head].inputs.iter().copied().max().unwrap_or(block.head)),
            };
            let at = *known.entry((place.clone(), block.kind)).or_insert(stages.len());
            if at == stages.len() {
                stages.push((place, block.kind, Vec::new()));
            }
            stages[at].2.push(block);
        }
        let gradient = |block: &&Block| self.gradient_std(block.station);
        let stage = |(place, kind, blocks): (String, Kind, Vec<&Block>)| Stage {
            place,
            kind: match kind {
                Kind::Layer => "layer",
                Kind::Norm => "norm",
                Kind::Join => "sum",
            },
            uses: blocks.len(),
            std: range(blocks.iter().map(|block| block.scale)),
            gain: mean_gain(blocks.iter().copied(), 1).filter(|gain| gain.is_finite()),
            gradient_std: blocks.iter().filter_map(gradient).reduce(f64::max),
        };
        let stages = stages.into_iter().map(stage).collect();
        let end = self.scaled_by(way.end).map_or(way.end, |affine| affine.output);
        SignalPath { place: self.place(end), stages }
    }

    /// Whether a value goes into a normalization, directly or after a bias is added.
    pub(crate) fn feeds_a_normalization(&self, index: usize) -> bool {
        self.relevant()
            .filter_map(|norm| self.affine(norm))
            .any(|affine| affine.normalizes && self.scaled_by(affine.input).is_some_and(|by| by.output == index))
    }
}

#[cfg(test)]
mod tests {
    use autograd::Op;
    use tensor::Tensor;

    use super::*;
    use crate::read::node::Node;

    const LAYER: Role = Role::Affine { weight: 1, bias: None };

    /// Nodes without a tape: each by its role, its inputs, and the size of what it holds.
    fn graph(nodes: &[(Role, &[usize], f32)]) -> Graph {
        let node = |&(role, inputs, size): &(Role, &[usize], f32)| {
            Node::of_test(Op::new("op", role), inputs, &Tensor::from([[size, -size], [-size, size]]))
        };
        Graph::new(nodes.iter().map(node).collect())
    }

    fn heads(graph: &Graph) -> Vec<(usize, Kind)> {
        graph.way(graph.loss).blocks.iter().map(|block| (block.head, block.kind)).collect()
    }

    #[test]
    fn of_a_branch_and_its_trunk_the_sum_is_on_the_way() {
        // x + W₂ W₁ x, and W₃ of that.
        let (data, weight) = (Role::Constant, Role::Leaf);
        let graph = graph(&[
            (data, &[], 1.0),
            (weight, &[], 1.0),
            (LAYER, &[0, 1], 5.0),
            (LAYER, &[2, 1], 0.1),
            (Role::Adding, &[3, 0], 2.0),
            (LAYER, &[4, 1], 1.0),
        ]);
        assert_eq!(heads(&graph), [(4, Kind::Join)]);
        let block = graph.way(graph.loss).blocks[0];
        assert!((block.gain.unwrap() - 2.0).abs() < 1e-6 && !block.normalized);
        // All three are one weight, used three times.
        assert_eq!(graph.uses([2, 3, 5].into_iter()), [[2, 3, 5]]);
        assert!(graph.reach[3].hidden && !graph.reach[5].hidden);
    }

    #[test]
    fn of_two_inputs_the_way_is_that_through_more_layers_and_a_norm_begins_anew() {
        let (data, weight) = (Role::Constant, Role::Leaf);
        let graph = graph(&[
            (data, &[], 1.0),
            (data, &[], 1.0),
            (weight, &[], 1.0),
            (LAYER, &[0, 2], 3.0),
            (LAYER, &[3, 2], 9.0),
            (LAYER, &[1, 2], 1.0),
            (Role::Adding, &[5, 4], 9.0),
            (Role::Normalizing { weight: 1, bias: Some(2) }, &[6, 2, 2], 1.0),
            (LAYER, &[7, 2], 1.0),
        ]);
        assert_eq!(heads(&graph), [(3, Kind::Layer), (4, Kind::Layer), (7, Kind::Norm)]);
        assert!(graph.way(graph.loss).blocks[..2].iter().all(|block| block.normalized));
    }
}
