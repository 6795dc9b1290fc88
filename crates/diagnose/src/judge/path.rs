//! Signal and gradients along the ways through the network. All is reckoned in logarithms, where nothing left is −∞.

use std::collections::{HashMap, HashSet};

use autograd::Role;

use super::{Judge, gain_name};
use crate::read::graph::Affine;
use crate::read::saturation;
use crate::read::way::{Block, Kind, Way, mean_gain};
use crate::report::finding::{Action, Evidence, Fault, Finding, Severity};
use crate::report::{self, slope};

/// A signal has died where its examples differ by less than this share of its size: what single precision can hold.
const NOTHING: f64 = 1e-6;

/// Branches that have made a trunk so many times larger are why the logits are too large.
const TRUNK: f64 = 5.0;

/// A hidden layer that is the only one is out of scale where it makes the signal so many times smaller.
const ALONE: f64 = 8.0;

/// The gradient explodes over the uses of a layer that grows by this factor from the last to the first.
const USES: f64 = 1000.0;

/// A normalization gives less than this share of its weight where eps is larger than the variance.
const EPS: f64 = 0.1;

/// A weight of a state.
struct State {
    /// Its first use.
    layer: Affine,
    /// By what it multiplies the state: √fan_in times its root mean square.
    gain: f64,
    /// How many steps there are.
    uses: usize,
}

impl Judge<'_> {
    pub(super) fn signal(&self, already_reported: &[Finding]) -> Vec<Finding> {
        let has_told = |faults: &[Fault]| already_reported.iter().any(|finding| faults.contains(&finding.fault));
        if has_told(&[Fault::NotFinite, Fault::Constant, Fault::Symmetry]) || self.no_examples() {
            return Vec::new();
        }
        let mut findings: Vec<Finding> = Vec::new();
        // What is dead is found where it dies; what fades on the way there is a part of it.
        let flat = already_reported.iter().filter(|finding| matches!(finding.fault, Fault::Saturation | Fault::Dead));
        let flat: Vec<&str> = flat.map(|finding| finding.place.as_str()).collect();
        let died = self.first_constant().filter(|&index| !flat.contains(&self.graph.place(index).as_str()));
        let is_dear = already_reported.iter().any(|finding| matches!(finding.evidence, Evidence::Excess { .. }));
        for way in &self.pass.ways {
            let found = self.off_scale(way, died, is_dear);
            findings.extend(found.filter(|finding| findings.iter().all(|other| other.place != finding.place)));
        }
        if let (Some(index), true) = (died, findings.is_empty()) {
            let evidence = Evidence::SignalDies { gain: self.gain_name() };
            findings.push(Finding::new(Severity::Error, self.graph.place(index), evidence));
        }
        findings
    }

    fn no_examples(&self) -> bool {
        self.graph.relevant().any(|index| self.graph.route[index].data && self.graph.nodes[index].value.numel() == 0)
    }

    /// The first value that is the same for all examples although its inputs differ. A branch or output with a zero weight is meant to be,
    /// and is skipped.
    fn first_constant(&self) -> Option<usize> {
        let graph = self.graph;
        let on_the_way: HashSet<usize> = self.pass.ways.iter().flat_map(|way| graph.path_to(way.end)).collect();
        let alive = |index: usize| {
            let (spread, size) = (graph.spread(index), graph.nodes[index].value.rms());
            spread.is_nan() || spread > NOTHING * size
        };
        let may_be_zero = |index: usize| {
            let is_zero = |&input: &usize| !graph.route[input].data && graph.nodes[input].value.is_zero();
            let is_end = !graph.reach[index].hidden;
            is_end && graph.only_adds_up(index)
                || (is_end || !on_the_way.contains(&index)) && graph.nodes[index].inputs.iter().any(is_zero)
        };
        let lost_to_eps = |affine: Affine| {
            let (weight, given) = (graph.nodes[affine.weight].value.rms(), graph.nodes[affine.output].value.rms());
            affine.normalizes
                && affine.bias.is_some_and(|bias| graph.nodes[bias].value.is_zero())
                && given < EPS * weight
                && graph.spread(affine.input) < EPS * EPS
        };
        graph.relevant().find(|&index| {
            let node = &graph.nodes[index];
            let is_judged = match node.role {
                Role::Affine { .. }
                | Role::AffineChannels { .. }
                | Role::Normalizing { .. }
                | Role::NormalizingChannels { .. } => true,
                Role::Activation(_) | Role::Function { .. } | Role::Multiplying | Role::Scaling => true,
                Role::Adding => graph.route[index].joins,
                _ => false,
            };
            let signals: Vec<usize> = node.inputs.iter().copied().filter(|&input| graph.route[input].data).collect();
            is_judged
                && graph.route[index].data
                && graph.route[index].model
                && !signals.is_empty()
                && graph.units(index).examples > 1
                && (!alive(index) || graph.affine(index).is_some_and(lost_to_eps))
                && signals.iter().all(|&input| alive(input))
                && !may_be_zero(index)
        })
    }

    /// A way on which the signal grows or fades.
    fn off_scale(&self, way: &Way, died: Option<usize>, is_dear: bool) -> Option<Finding> {
        let judged: Vec<&Block> = way.blocks.iter().filter(|block| !block.normalized).collect();
        let scales: Vec<f64> = judged.iter().map(|block| block.scale).collect();
        // Beyond where nothing is left, there is nothing to compare.
        let left = scales.iter().take_while(|scale| **scale > 0.0).count();
        let joined = judged.iter().any(|block| block.kind == Kind::Join);
        // Where the logits are too large, a trunk that its branches have made larger is why.
        let is_why = |slope: &f64| joined && is_dear && slope * left as f64 > TRUNK.ln();
        let slope = slope(&scales[..left]).filter(|slope| is_why(slope) || self.is_steep(*slope, &judged[..left]));
        let gain = mean_gain(judged.iter().copied(), 2);
        let by_gain = gain.filter(|gain| !(1.0 / self.limits.gain..=self.limits.gain).contains(gain));
        // One layer alone has to be very small to be slow.
        let is_once = |block: &&Block| block.station != block.head && self.is_used_once(block.head);
        let alone = judged.first().filter(|_| judged.len() == 1).copied().filter(is_once).and_then(|block| block.gain);
        let by_gain = by_gain.or(alone.filter(|gain| *gain < 1.0 / ALONE));
        let factor = match (by_gain, slope) {
            (Some(gain), Some(slope)) if slope.abs() > gain.ln().abs() => slope.exp(),
            (Some(gain), _) => gain,
            (None, slope) => slope?.exp(),
        };
        let fades = factor < 1.0 && died.is_none();
        if let Some(weight) = fades.then(|| self.gates()).flatten() {
            let evidence = Evidence::GatesFade { factor, weight };
            return Some(Finding::new(Severity::Note, self.stretch(way), evidence));
        }
        let dies_at = died.filter(|_| factor < 1.0).map(|index| self.graph.place(index));
        // Where activations end what grows, as tanh does, the scales themselves say how far it goes.
        let ends =
            report::slope(&scales[..left]).filter(|_| factor > 1.0).map_or(f64::INFINITY, |slope| slope.max(0.0));
        let severity = match dies_at {
            Some(_) => Severity::Error,
            None => self.severity(factor.ln().min(ends), judged.len()),
        };
        let gain = self.gain_on(way);
        let evidence = Evidence::SignalScale { factor, by_gain: by_gain == Some(factor), joined, dies_at, gain };
        Some(Finding::new(severity, self.stretch(way), evidence).actions(self.keep_scale(way)))
    }

    /// Brings every layer to the gain that makes up for the non-linearity after it, and every branch to what it may add.
    fn keep_scale(&self, way: &Way) -> Vec<Action> {
        let judged = || way.blocks.iter().filter(|block| !block.normalized);
        let joins = judged().filter(|block| block.kind == Kind::Join).count() as f64;
        let mut factors: HashMap<usize, Vec<f64>> = HashMap::new();
        let mut affines: Vec<Affine> = Vec::new();
        let mut add = |affine: Affine, factor: f64| {
            if !factors.contains_key(&affine.weight) {
                affines.push(affine);
            }
            factors.entry(affine.weight).or_default().push(factor.ln());
        };
        for block in judged() {
            if block.kind == Kind::Join {
                for (branch, share) in self.branches(block) {
                    add(branch, (1.0 / (share * joins.sqrt())).min(1.0));
                }
            } else if let (Some(affine), Some(gain)) = (self.graph.affine(block.head), block.gain) {
                add(affine, saturation::gain(self.role(block.station)).value() / gain);
            }
        }
        let scale = |affine: &Affine| {
            let factors = &factors[&affine.weight];
            let ln = factors.iter().sum::<f64>() / factors.len() as f64;
            // A layer stays as it is if its scale is off by no more than two draws differ by chance.
            self.scale(affine, ln.exp()).filter(|_| ln.abs() > 0.1)
        };
        affines.iter().filter_map(scale).collect()
    }

    /// The layers that end the branches of a sum, each with the size of what it adds beside that of the trunk.
    fn branches(&self, block: &Block) -> Vec<(Affine, f64)> {
        let (graph, trunk) = (self.graph, self.graph.route[block.head].back);
        let size = trunk.map_or(f64::NAN, |trunk| graph.spread(trunk));
        let branch = |&input: &usize| {
            let affine = graph.scaled_by(input).filter(|affine| !affine.normalizes && Some(input) != trunk)?;
            Some((affine, graph.spread(input) / size)).filter(|(_, share)| *share > 0.0 && share.is_finite())
        };
        graph.nodes[block.head].inputs.iter().filter_map(branch).collect()
    }

    pub(super) fn gradient(&self, already_reported: &[Finding]) -> Vec<Finding> {
        let has_told = |faults: &[Fault]| already_reported.iter().any(|finding| faults.contains(&finding.fault));
        if has_told(&[Fault::NotFinite, Fault::Constant, Fault::Symmetry]) || self.no_examples() {
            return Vec::new();
        }
        let flat = already_reported.iter().filter(|finding| finding.severity > Severity::Note);
        let flat: Vec<&str> = flat.map(|finding| finding.place.as_str()).collect();
        let mut findings: Vec<Finding> = Vec::new();
        // Where the signal dies, the gradient does too.
        let is_judged = !self.is_trained() && !has_told(&[Fault::Signal]);
        for way in &self.pass.ways {
            let lost = is_judged.then(|| self.lost_gradient(way, &flat)).flatten();
            let found = lost.or_else(|| self.off_gradient(way));
            findings.extend(found.filter(|finding| findings.iter().all(|other| other.place != finding.place)));
        }
        findings
    }

    /// A weight that a state goes through at each step of a sequence, and that makes it larger each time: gates and tanh hide it, until they
    /// pass nothing.
    pub(super) fn recurrent(&self, already_reported: &[Finding]) -> Vec<Finding> {
        let told = |finding: &Finding| finding.severity > Severity::Note && finding.fault == Fault::Signal;
        if self.is_trained() || already_reported.iter().any(told) {
            return Vec::new();
        }
        let find = |state: State| {
            let State { layer, gain, uses } = state;
            let actions = self.scale(&layer, 1.0 / gain).into_iter().collect();
            let evidence = Evidence::RecurrentGain { gain, uses };
            Finding::new(Severity::Error, self.graph.place(layer.weight), evidence).actions(actions)
        };
        self.states().filter(|state| state.gain > self.limits.gain).map(find).collect()
    }

    /// The weights that a state goes through at each step of a sequence: square ones, or several beside each other, whose results come to
    /// their own input again.
    fn states(&self) -> impl Iterator<Item = State> {
        let graph = self.graph;
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut layers: Vec<(Affine, Affine, usize)> = Vec::new();
        for affine in graph.relevant().filter_map(|index| graph.affine(index)).filter(|affine| !affine.normalizes) {
            match places.get(&affine.weight) {
                Some(&at) => (layers[at].1, layers[at].2) = (affine, layers[at].2 + 1),
                None => {
                    places.insert(affine.weight, layers.len());
                    layers.push((affine, affine, 1));
                }
            }
        }
        layers.into_iter().filter_map(move |(first, last, uses)| {
            let values = &graph.nodes[first.weight].value;
            let &[state, gates] = values.dims() else { return None };
            let is_square = state > 0 && gates % state == 0 && uses > 2;
            let gain = values.rms() * (state as f64).sqrt();
            (is_square && graph.comes_from(last.input, first.output)).then_some(State { layer: first, gain, uses })
        })
    }

    /// Where no gradient comes back, unless a weight of zero stops it that will move.
    fn lost_gradient(&self, way: &Way, already_reported: &[&str]) -> Option<Finding> {
        let graph = self.graph;
        // A hinge of distances that are all beyond their margin wants nothing.
        let is_hinge = |index: usize| {
            let is_last = matches!(self.role(index), Role::Activation(_)) && !graph.reach[index].hidden;
            is_last && graph.nodes[index].value.is_zero() && graph.only_adds_up(index)
        };
        if graph.relevant().any(is_hinge) {
            return None;
        }
        let none = |index: usize| graph.gradient_rms(index) == Some(0.0);
        let nodes = graph.path_to(way.end);
        let is_zero = |index: usize| graph.nodes[index].value.is_zero();
        let will_move =
            |parameter: usize| is_zero(parameter) && graph.nodes[parameter].gradient.is_some() && !none(parameter);
        let (place, by) = if none(way.end) {
            if already_reported.contains(&graph.place(way.end).as_str()) {
                return None;
            }
            (graph.place(way.end), graph.loss)
        } else {
            let pair =
                nodes.windows(2).rev().find(|pair| graph.route[pair[0]].model && none(pair[0]) && !none(pair[1]))?;
            // A weight that other uses of it give a gradient is not dead.
            let before = nodes.iter().take_while(|&&index| index != pair[1]).filter_map(|&index| graph.affine(index));
            let mut weights = before.map(|affine| affine.weight).peekable();
            let lives = weights.peek().is_some()
                && weights.all(|weight| graph.gradient_rms(weight).is_some_and(|rms| rms > 0.0));
            let stops = lives || graph.nodes[pair[1]].inputs.iter().any(|&input| will_move(input));
            if stops || already_reported.contains(&graph.place(pair[1]).as_str()) {
                return None;
            }
            (graph.place(pair[1]), pair[1])
        };
        Some(Finding::new(Severity::Error, place, Evidence::GradientDies { op: graph.nodes[by].op }))
    }

    /// A way on which the gradient grows or fades. Of a layer that is used often, the use counts where it is largest: that is what
    /// its weight gets.
    fn off_gradient(&self, way: &Way) -> Option<Finding> {
        let blocks: Vec<&Block> =
            way.blocks.iter().filter(|block| block.kind != Kind::Layer || !block.normalized_next).collect();
        let mut largest: Vec<(usize, f64, &Block)> = Vec::new();
        let mut uses: HashMap<usize, (f64, f64, i32)> = HashMap::new();
        for block in &blocks {
            let Some(gradient) = self.graph.nodes[block.station].gradient.as_ref() else { continue };
            let size = self.graph.gradient_std(block.station).unwrap_or(f64::NAN);
            let size = if size.is_nan() { gradient.rms() } else { size };
            let layer = self.graph.affine(block.head).map_or(block.head, |affine| affine.weight);
            uses.entry(layer)
                .and_modify(|(_, last, count)| (*last, *count) = (size, *count + 1))
                .or_insert((size, size, 0));
            match largest.iter_mut().find(|(known, _, _)| *known == layer) {
                Some((_, known, _)) => *known = known.max(size),
                None => largest.push((layer, size, block)),
            }
        }
        let sizes: Vec<f64> = largest.iter().map(|(_, size, _)| *size).filter(|size| *size > 0.0).collect();
        let judged: Vec<&Block> = largest.iter().map(|(_, _, block)| *block).collect();
        // From one use of a layer to the next, the gradient may fade: there are others. It may not explode.
        let explodes = |(first, last, count): &(f64, f64, i32)| {
            (first / last > USES && *last > 0.0).then(|| (last / first).ln() / f64::from(*count))
        };
        let slope = slope(&sizes).filter(|slope| self.is_steep(*slope, &judged[..sizes.len()]));
        // Of several layers, the one in which it explodes the most: their order in a map is chance.
        // Through half open gates it fades.
        let slope = slope.filter(|slope| *slope < 0.0 || self.gates().is_none());
        let slope = slope.or_else(|| uses.values().filter_map(explodes).min_by(f64::total_cmp))?;
        let evidence = Evidence::GradientScale { factor: (-slope).exp(), gain: self.gain_on(way) };
        let severity = self.severity(slope, judged.len());
        Some(Finding::new(severity, self.stretch(way), evidence).actions(self.keep_scale(way)))
    }

    /// The weight of the state of a gated recurrent layer, such as an LSTM, if its gain is neither large nor small: half open gates
    /// let less through at every step, and training opens them.
    fn gates(&self) -> Option<String> {
        let graph = self.graph;
        let is_share = |&input: &usize| saturation::is_share(self.role(input));
        let is_gate = |index: &usize| {
            let node = &graph.nodes[*index];
            matches!(node.role, Role::Multiplying) && node.inputs.iter().any(is_share)
        };
        // Where states are put beside each other, the way leads past them.
        graph.relevant().find(is_gate)?;
        let even = 1.0 / self.limits.gain..=self.limits.gain;
        let state = self.states().find(|state| even.contains(&state.gain))?;
        Some(graph.place(state.layer.weight))
    }

    /// Whether the weight of a layer is used by it alone.
    fn is_used_once(&self, head: usize) -> bool {
        let weight = |index: usize| self.graph.affine(index).map(|affine| affine.weight);
        self.graph.relevant().filter(|&index| weight(index).is_some() && weight(index) == weight(head)).count() == 1
    }

    /// By what the scale changes over all blocks together.
    fn severity(&self, slope: f64, blocks: usize) -> Severity {
        let in_all = slope.abs() * blocks as f64;
        if in_all >= self.limits.growth_error.ln() { Severity::Error } else { Severity::Warn }
    }

    /// Whether a slope of the logarithm along blocks is a fault. What a few narrow layers do by chance is let through, and so is what
    /// sums grow by, and what a trained model has made of its scales, as long as that is little in all.
    fn is_steep(&self, slope: f64, blocks: &[&Block]) -> bool {
        let width = |block: &&Block| {
            let dims = self.graph.nodes[block.head].value.dims();
            self.graph.unit[block.head].axis.map_or(1, |axis| dims[axis]).max(1)
        };
        let steps = blocks.len().saturating_sub(1) as f64;
        let chance = 2.0 / (blocks.iter().map(width).min().unwrap_or(1) as f64 * steps.max(1.0)).sqrt();
        let sums = blocks.iter().any(|block| block.kind == Kind::Join);
        let beyond = slope.abs() - chance;
        beyond >= self.limits.growth.ln() && !sums && !self.is_trained()
            || beyond * steps >= self.limits.growth_in_all.ln()
    }

    /// The gain for the first activation on a way, which stands for the others.
    fn gain_on(&self, way: &Way) -> String {
        let first = way.blocks.iter().find(|block| block.station != block.head && block.kind == Kind::Layer);
        first.map_or_else(|| self.gain_name(), |block| gain_name(self.role(block.station)))
    }

    /// From the first layer of a way to its last.
    fn stretch(&self, way: &Way) -> String {
        let mut heads =
            way.blocks.iter().filter(|block| block.kind != Kind::Norm).map(|block| self.graph.place(block.head));
        match (heads.next(), heads.next_back()) {
            (Some(first), Some(last)) if first != last => format!("{first} … {last}"),
            (Some(only), _) => only,
            _ => "the model".into(),
        }
    }
}
