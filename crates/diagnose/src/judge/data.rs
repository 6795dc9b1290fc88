//! What goes in: its scale, and whether it differs.

use autograd::Role;

use super::Judge;
use crate::read::way::Block;
use crate::report::finding::{Evidence, Finding, Severity};

/// A feature this many times larger than most is out of scale.
const FEATURE: f64 = 100.0;

/// The scale of the data is left alone between the inverse of this and this, and where the first layer makes up for it.
const SCALE: f64 = 10.0;

impl Judge<'_> {
    pub(super) fn data(&self) -> Vec<Finding> {
        let graph = self.graph;
        let is_layer = |&index: &usize| graph.affine(index).is_some_and(|affine| !affine.normalizes);
        let layers = graph.uses(graph.relevant().filter(is_layer));
        let raw = |uses: &Vec<usize>| graph.input(uses[0], 0).map(|input| (graph.raw_inputs(input), uses[0]));
        let first_inputs = layers.iter().filter_map(raw);
        let each = first_inputs.flat_map(|(inputs, output)| inputs.into_iter().map(move |data| (data, output)));
        let (mut findings, mut seen) = (Vec::new(), Vec::new());
        for (data, output) in each {
            if !seen.contains(&data) {
                seen.push(data);
                findings.extend(self.features(data).or_else(|| self.scale_of(data, output)));
            }
        }
        if let Some(first) = self.alike() {
            let evidence = Evidence::ExamplesAlike { zero: graph.nodes[first].value.is_zero() };
            findings.push(Finding::new(Severity::Error, graph.place(first), evidence));
        }
        findings
    }

    /// The first of the inputs, if no example of any differs from another.
    fn alike(&self) -> Option<usize> {
        let graph = self.graph;
        let input = |index: usize| match graph.nodes[index].role {
            // That a table is zero is not the batch's doing.
            Role::Lookup => Some(index).filter(|&index| !graph.nodes[index].value.is_zero()),
            Role::Affine { .. } => graph.raw_input(graph.input(index, 0)?),
            _ => None,
        };
        let mut inputs = graph.relevant().filter_map(input);
        let alike = |index: usize| graph.units(index).examples > 1 && !graph.varies(index);
        let first = inputs.next().filter(|&first| alike(first))?;
        inputs.all(alike).then_some(first)
    }

    /// Features of very different sizes.
    fn features(&self, data: usize) -> Option<Finding> {
        let mut sizes = self.graph.nodes[data].value.sizes(self.graph.unit[data].axis);
        let largest = sizes.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
        sizes.retain(|size| *size > 0.0);
        sizes.sort_by(f64::total_cmp);
        let typical = *sizes.get(sizes.len().saturating_sub(1) / 2)?;
        if sizes.len() < 2 || !(largest.1 > FEATURE * typical && largest.1.is_finite() && largest.1 > SCALE) {
            return None;
        }
        let evidence = Evidence::LargeFeature { index: largest.0, times: largest.1 / typical };
        Some(Finding::new(Severity::Error, self.graph.place(data), evidence))
    }

    /// Data whose scale, or whose mean, the first layer does not make up for.
    fn scale_of(&self, data: usize, output: usize) -> Option<Finding> {
        let graph = self.graph;
        let (size, result) = (graph.nodes[data].value.rms(), graph.nodes[output].value.rms());
        let is_this = |block: &Block| block.head == output && block.normalized_next;
        let is_normalized = self.pass.ways.iter().flat_map(|way| &way.blocks).any(is_this);
        let out_of_scale = |x: f64| !(1.0 / SCALE..=SCALE).contains(&x) && x.is_finite() && x > 0.0;
        if is_normalized || !out_of_scale(size) || !out_of_scale(result) || (size > 1.0) != (result > 1.0) {
            return None;
        }
        let (mean, std) = graph.nodes[data].value.mean_std();
        Some(Finding::new(Severity::Error, graph.place(data), Evidence::InputScale { rms: size, mean, std }))
    }

    /// Predictions and targets of as many elements that were broadcast against each other.
    pub(super) fn broadcast(&self) -> Vec<Finding> {
        let find = |index: usize| {
            let (predictions, targets) = self.graph.difference(index)?;
            let [a, b, both] = [predictions, targets, index].map(|index| &self.graph.nodes[index].value);
            if a.numel() != b.numel() || a.numel() < 2 || both.numel() != a.numel() * b.numel() {
                return None;
            }
            let [predictions, targets, result] = [a, b, both].map(|values| values.dims().to_vec());
            let evidence = Evidence::Broadcast { op: self.graph.nodes[index].op, predictions, targets, result };
            Some(Finding::new(Severity::Error, self.graph.place(index), evidence))
        };
        self.graph.relevant().filter_map(find).collect()
    }

    /// Two products with a weight in a row, where neither makes the signal narrower.
    pub(super) fn linear(&self) -> Option<Finding> {
        let graph = self.graph;
        let width = |index: usize| graph.unit[index].axis.map_or(1, |axis| graph.nodes[index].value.dims()[axis]);
        let pair = |index: usize| {
            let second = graph.affine(index).filter(|affine| !affine.normalizes)?;
            let first = graph.scaled_by(second.input).filter(|affine| !affine.normalizes)?;
            let narrow = width(first.output) < width(first.input).min(width(second.output));
            let is_pair = !narrow && first.weight != second.weight && !graph.is_lookup(first.output);
            is_pair.then_some((first, second))
        };
        let pairs: Vec<_> = graph.relevant().filter_map(pair).collect();
        let (first, second) = pairs.first()?;
        let [first, second] = [first.output, second.output].map(|index| graph.place(index));
        let evidence = Evidence::LinearPair { first: first.clone(), second, pairs: pairs.len() };
        Some(Finding::new(Severity::Note, first, evidence))
    }
}
