//! What goes in: its scale, and whether it differs.

use autograd::Role;

use super::Judge;
use crate::read::numbers::{Units, mean, range};
use crate::read::way::Block;
use crate::report::evidence::Column;
use crate::report::finding::{Evidence, Finding, Severity};

/// A feature is out of scale if it is this many times as large as most, and larger than this.
const FEATURE: f64 = 10.0;
const LARGE: f64 = 3.0;

/// A mean is far if it is so many deviations away from 0.
const MEAN: f64 = 8.0;

/// Columns are uneven where the deviation of one is so many times that of another.
const UNEVEN: f64 = 5.0;

/// A code for what is missing lies so many deviations away from all else, and stands in this share of the rows.
const CODE: f64 = 6.0;
const SHARE: f64 = 0.01;

/// An identifier is as large as this.
const IDENTIFIER: f64 = 1e5;

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
                let features = self.features(data);
                let scale = if features.iter().all(|finding| finding.severity == Severity::Note) {
                    self.scale_of(data, output)
                } else {
                    None
                };
                findings.extend(features.into_iter().chain(scale));
            }
        }
        findings.extend(self.skipped());
        if let Some(first) = self.alike() {
            let evidence = Evidence::ExamplesAlike { zero: graph.nodes[first].value.is_zero() };
            findings.push(Finding::new(Severity::Error, graph.place(first), evidence));
        }
        findings
    }

    /// A layer whose windows leave out elements of the data, which nothing else reads.
    fn skipped(&self) -> Option<Finding> {
        let graph = self.graph;
        let uses = graph.uses_of_each();
        let skips = |&index: &usize| {
            let data = graph.input(index, 0).filter(|&input| graph.raw_input(input).is_some());
            matches!(graph.nodes[index].role, Role::AffineChannels { skips: true, .. })
                && data.is_some_and(|data| uses[data] == 1)
        };
        let index = graph.relevant().find(skips)?;
        Some(Finding::new(Severity::Warn, graph.place(index), Evidence::SkippedData { op: graph.nodes[index].op }))
    }

    /// The first of the inputs, if no example of any differs from another.
    fn alike(&self) -> Option<usize> {
        let graph = self.graph;
        let input = |index: usize| match graph.nodes[index].role {
            // That a table is zero is not the batch's doing.
            Role::Lookup => Some(index).filter(|&index| !graph.nodes[index].value.is_zero()),
            Role::Affine { .. } | Role::AffineChannels { .. } => graph.raw_input(graph.input(index, 0)?),
            _ => None,
        };
        // Pixels of an image differ, whether images do or not.
        let is_image = |input: usize| {
            let takes = |index: usize| matches!(graph.nodes[index].role, Role::AffineChannels { .. });
            graph
                .relevant()
                .any(|index| takes(index) && graph.input(index, 0).and_then(|of| graph.raw_input(of)) == Some(input))
        };
        let mut inputs = graph.relevant().filter_map(input);
        let alike = |index: usize| match &graph.nodes[index].value {
            images if is_image(index) => images.dims()[0] > 1 && !images.differs(),
            _ => graph.units(index).examples > 1 && !graph.varies(index),
        };
        let first = inputs.next().filter(|&first| alike(first))?;
        inputs.all(alike).then_some(first)
    }

    /// What is wrong with single features.
    fn features(&self, data: usize) -> Vec<Finding> {
        let (graph, place) = (self.graph, self.graph.place(data));
        let units = graph.units(data);
        let is_finite = units.mean.iter().chain(&units.std).all(|x| x.is_finite());
        if self.is_trained() || !is_finite || units.std.len() < 2 {
            return Vec::new();
        }
        let column = |index: usize| Column { index, mean: units.mean[index], std: units.std[index] };
        let mut findings = Vec::new();
        let mut odd = Vec::new();
        for (index, numbers) in self.suspects(data, units) {
            let found = identifier(&numbers).or_else(|| code(&numbers));
            odd.extend(found.is_some().then_some(index));
            findings.extend(found.map(|of| {
                let evidence = match of {
                    Odd::Identifier => Evidence::Identifier { index, mean: units.mean[index] },
                    Odd::Code { value, share } => Evidence::Code { index, value, share },
                };
                Finding::new(Severity::Error, &place, evidence)
            }));
        }
        let size = |index: &usize| units.mean[*index].hypot(units.std[*index]);
        let mut sizes: Vec<f64> = (0..units.std.len()).map(|index| size(&index)).filter(|size| *size > 0.0).collect();
        sizes.sort_by(f64::total_cmp);
        let Some(&typical) = sizes.get(sizes.len().saturating_sub(1) / 2).filter(|_| sizes.len() > 1) else {
            return findings;
        };
        let is_large =
            |index: &usize| size(index) > FEATURE * typical && size(index) > LARGE && size(index).is_finite();
        let even = |index: &usize| !odd.contains(index) && units.std[*index] > 0.0;
        let large: Vec<usize> = (0..units.std.len()).filter(|index| even(index) && is_large(index)).collect();
        if let Some(most) = large.iter().map(size).reduce(f64::max) {
            let columns = large.iter().map(|&index| column(index)).collect();
            findings.push(Finding::new(
                Severity::Error,
                &place,
                Evidence::LargeFeatures { columns, times: most / typical },
            ));
        }
        let is_off = |index: &usize| units.mean[*index].abs() > MEAN * units.std[*index] && size(index) > LARGE;
        let off: Vec<usize> =
            (0..units.std.len()).filter(|index| even(index) && is_off(index) && !is_large(index)).collect();
        // Where most are so, the scale of all is at fault.
        if !off.is_empty() && 2 * off.len() < units.std.len() {
            let columns = off.into_iter().map(column).collect();
            findings.push(Finding::new(Severity::Warn, &place, Evidence::OffsetFeatures { columns }));
        }
        let constant: Vec<usize> =
            (0..units.std.len()).filter(|&index| units.std[index] == 0.0 && units.mean[index] != 0.0).collect();
        if !constant.is_empty() && constant.len() < units.std.len() && units.examples >= 8 {
            findings.push(Finding::new(Severity::Note, &place, Evidence::ConstantFeatures { columns: constant }));
        }
        findings
    }

    /// The numbers of features that are large: what is odd in others does no harm.
    fn suspects(&self, data: usize, units: &Units) -> Vec<(usize, Vec<f64>)> {
        let (values, axis) = (&self.graph.nodes[data].value, self.graph.unit[data].axis);
        let is_suspect = |index: &usize| units.mean[*index].hypot(units.std[*index]) > LARGE;
        let suspects: Vec<usize> = (0..units.std.len()).filter(is_suspect).collect();
        if suspects.is_empty() {
            return Vec::new();
        }
        let columns = values.columns(axis);
        suspects.into_iter().map(|index| (index, columns[index].clone())).collect()
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
        // Columns of several scales are not mended by one.
        let units = graph.units(data);
        let vary: Vec<usize> = (0..units.std.len()).filter(|&index| units.std[index] > 0.0).collect();
        let [least, most] = range(vary.iter().map(|&index| units.std[index]));
        let columns = match most > UNEVEN * least {
            true => {
                vary.iter().map(|&index| Column { index, mean: units.mean[index], std: units.std[index] }).collect()
            }
            false => Vec::new(),
        };
        Some(Finding::new(Severity::Error, graph.place(data), Evidence::InputScale { rms: size, mean, std, columns }))
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

/// What a feature is that is no quantity.
enum Odd {
    Identifier,
    Code { value: f64, share: f64 },
}

/// Large whole numbers, hardly any of them twice.
fn identifier(numbers: &[f64]) -> Option<Odd> {
    let is_whole = numbers.iter().all(|x| x.fract() == 0.0);
    let mut sorted: Vec<f64> = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2)?.abs();
    sorted.dedup();
    let is_identifier = is_whole && middle >= IDENTIFIER && sorted.len() * 10 >= numbers.len() * 9;
    is_identifier.then_some(Odd::Identifier)
}

/// The least or the largest number, if it stands in several rows and far away from all others.
fn code(numbers: &[f64]) -> Option<Odd> {
    let count = numbers.len() as f64;
    let ends = numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let of = |end: f64| {
        let rest: Vec<f64> = numbers.iter().copied().filter(|x| *x != end).collect();
        let times = numbers.len() - rest.len();
        let middle = mean(rest.iter().copied());
        let std = mean(rest.iter().map(|x| (x - middle).powi(2))).sqrt();
        let is_code = times > 2 && times as f64 >= SHARE * count && 2 * times < numbers.len();
        let mut values = rest.clone();
        values.sort_by(f64::total_cmp);
        values.dedup();
        // The others have to vary, and not to be one value and a few others, as the brightness of a pixel is.
        let is_code = is_code && 4 * values.len() > rest.len();
        (is_code && std > 0.0 && (end - middle).abs() > CODE * std && rest.len() > 4)
            .then_some(Odd::Code { value: end, share: times as f64 / count })
    };
    of(ends.0).or_else(|| of(ends.1))
}
