//! What an output can be, whatever the weights before it are; and which classes its targets are.

use std::collections::HashSet;

use autograd::Role;

use super::graph::{Affine, Graph};
use super::losses::LossTerm;
use super::saturation;

/// The values that an op can give, which nothing that is trained comes after.
#[derive(Clone, Copy)]
pub(crate) struct Bounded {
    /// The op that bounds them.
    pub(crate) by: usize,
    pub(crate) range: [f64; 2],
}

/// The class of each example that counts.
pub(crate) struct Labels {
    pub(crate) of: Vec<usize>,
    /// The mean of what the targets give to their classes: 1, and 1 / C where they give all the same.
    pub(crate) share: f64,
}

impl Graph {
    /// What a value can be at all; `None` where that is every number.
    pub(crate) fn bounded(&self, index: usize) -> Option<Bounded> {
        let node = &self.nodes[index];
        let own = match node.role {
            Role::Softmax(_) => Some([0.0, 1.0]),
            Role::Squaring => Some([0.0, f64::INFINITY]),
            Role::Other if matches!(node.op, "exp" | "abs") => Some([0.0, f64::INFINITY]),
            role => saturation::image(role),
        };
        if let Some(range) = own {
            return range.iter().any(|end| end.is_finite()).then_some(Bounded { by: index, range });
        }
        if !matches!(node.role, Role::Keeping | Role::Scaling) {
            return None;
        }
        let input = self.input(index, 0)?;
        let Bounded { by, range } = self.bounded(input)?;
        let (slope, offset) = self.line(input, index)?;
        let [low, high] = range.map(|end| slope * end + offset);
        Some(Bounded { by, range: [low.min(high), low.max(high)] })
    }

    /// The a and b of y = a x + b, if that is what an op does to each element.
    fn line(&self, x: usize, y: usize) -> Option<(f64, f64)> {
        let [from, to] = [x, y].map(|index| &self.nodes[index].value);
        if from.range() == to.range() || from.numel() != to.numel() {
            // Parts of it, or all of it in another order.
            let ((low, high), (least, most)) = (from.range(), to.range());
            return (low <= least && most <= high).then_some((1.0, 0.0));
        }
        let [from, to] = [from, to].map(|values| values.values().to_vec());
        let first = (from[0], to[0]);
        let last = from.iter().copied().zip(to.iter().copied()).find(|(x, _)| *x != first.0)?;
        let slope = (last.1 - first.1) / (last.0 - first.0);
        let offset = first.1 - slope * first.0;
        let most = to.iter().fold(0.0, |most: f64, y| most.max(y.abs()));
        from.iter().zip(&to).all(|(x, y)| (slope * x + offset - y).abs() <= 1e-3 * most).then_some((slope, offset))
    }

    /// The op that makes predictions, past what only changes their shape or takes their logarithm.
    pub(crate) fn maker(&self, mut index: usize) -> usize {
        loop {
            let node = &self.nodes[index];
            let passes =
                matches!(node.role, Role::Keeping) && node.op != "log_softmax" || matches!(node.op, "ln" | "clamp");
            match node.inputs.first() {
                Some(&input) if passes => index = input,
                _ => return index,
            }
        }
    }

    /// The layer that makes predictions, past the softmax or sigmoid that makes probabilities of them; and what is given to that. Of two that
    /// are added up, that which gives the larger numbers.
    pub(crate) fn output_layer(&self, index: usize) -> Option<(Affine, usize)> {
        if let Some(affine) = self.scaled_by(index) {
            return Some((affine, index));
        }
        let made = self.maker(index);
        let node = &self.nodes[made];
        let makes_shares = matches!(node.role, Role::Softmax(_)) || saturation::is_share(node.role);
        if makes_shares || made != index && matches!(node.role, Role::Keeping | Role::Adding) {
            return self.output_layer(if makes_shares { self.input(made, 0)? } else { made });
        }
        if matches!(node.role, Role::Adding) && !self.route[made].joins {
            let size = |&index: &usize| self.nodes[index].value.rms();
            let of_model =
                node.inputs.iter().copied().filter(|&input| self.route[input].model && self.route[input].data);
            return self.output_layer(of_model.max_by(|one, other| size(one).total_cmp(&size(other)))?);
        }
        None
    }

    /// Whether all that becomes of a value is a sum or a mean.
    pub(crate) fn only_adds_up(&self, index: usize) -> bool {
        let mut all = self.relevant().filter(|&after| self.nodes[after].inputs.contains(&index));
        all.all(|after| {
            let role = self.nodes[after].role;
            matches!(role, Role::Reducing | Role::Keeping | Role::Scaling | Role::Adding) && self.only_adds_up(after)
        })
    }

    /// Whether elements of logits are masked on purpose: replaced, or moved far down by a constant.
    pub(crate) fn is_masked(&self, index: usize) -> bool {
        let is_far = |&input: &usize| {
            let node = &self.nodes[input];
            let is_constant = matches!(node.role, Role::Constant) && node.parameter.is_none();
            is_constant && (node.value.lost().negative || node.value.range().0 < -1e4)
        };
        let way = std::iter::successors(Some(index), |&index| self.route[index].back);
        let mut way = way
            .take_while(|&index| !matches!(self.nodes[index].role, Role::Affine { .. } | Role::AffineChannels { .. }));
        way.any(|index| matches!(self.nodes[index].role, Role::Masking) || self.nodes[index].inputs.iter().any(is_far))
    }

    /// How many ops that the loss depends on take each value.
    pub(crate) fn uses_of_each(&self) -> Vec<u32> {
        let mut uses = vec![0; self.nodes.len()];
        for index in self.relevant() {
            let inputs = &self.nodes[index].inputs;
            let is_new = |(at, input): &(usize, &usize)| !inputs[..*at].contains(input);
            inputs.iter().enumerate().filter(is_new).for_each(|(_, &input)| uses[input] += 1);
        }
        uses
    }

    /// The classes that a loss has been given, read off its gradient: a classifier's is p − t for probabilities p and targets t, so that
    /// the least of an example's is that of its class. `None` where something else has a share in that gradient, by how many
    /// ops [use](Self::uses_of_each) each value.
    pub(crate) fn labels(&self, part: &LossTerm, uses: &[u32]) -> Option<Labels> {
        let (classes, node) = (part.classes.filter(|classes| *classes > 1)?, &self.nodes[part.op]);
        if uses[part.predictions] != 1 || self.nodes[part.predictions].value.dims().last() != Some(&classes) {
            return None;
        }
        let (gradient, of_loss) = (self.nodes[part.predictions].gradient.as_ref()?, node.gradient.as_ref()?);
        let least = gradient.least_of_rows(of_loss.first() < 0.0);
        let logits = &self.nodes[part.predictions].value;
        let p = if node.op == "nll_loss" { vec![0.0; least.len()] } else { logits.shares_at(&least) };
        let of_loss = of_loss.values().to_vec();
        let mut shares = Vec::new();
        let mut of = Vec::new();
        for (row, ((class, least), p)) in least.iter().zip(p).enumerate() {
            // Of what is ignored nothing comes back.
            if *least != 0.0 {
                let scale = match of_loss[..] {
                    [one] => one / gradient.numel() as f64 * classes as f64,
                    _ => of_loss.get(row).copied().unwrap_or(f64::NAN),
                };
                shares.push(p - least / scale);
                of.push(*class);
            }
        }
        let share = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        Some(Labels { of, share })
    }

    /// Whether a value is computed from another.
    pub(crate) fn comes_from(&self, index: usize, from: usize) -> bool {
        let (mut open, mut seen) = (vec![index], HashSet::new());
        while let Some(at) = open.pop() {
            if at == from {
                return true;
            }
            // Inputs come before results.
            open.extend(self.nodes[at].inputs.iter().filter(|&&input| input >= from && seen.insert(input)));
        }
        false
    }

    /// Whether a value is computed from data, and not from parameters and numbers alone.
    pub(crate) fn is_of_data(&self, index: usize) -> bool {
        let (mut open, mut seen) = (vec![index], HashSet::new());
        while let Some(at) = open.pop() {
            let node = &self.nodes[at];
            let is_data = matches!(node.role, Role::Lookup)
                || matches!(node.role, Role::Constant) && node.parameter.is_none() && node.value.numel() > 1
                || matches!(node.role, Role::Leaf) && node.parameter.is_none();
            if is_data {
                return true;
            }
            open.extend(node.inputs.iter().filter(|&&input| seen.insert(input)));
        }
        false
    }
}
