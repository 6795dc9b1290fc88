//! How the units of each value are counted, and which layer they are of.

use std::cmp::Ordering;

use autograd::Role;

use super::node::Node;
use super::route::Route;

/// How the units of a value are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitAxis {
    /// Which axis counts units; all others count examples. `None`: each element is an example of one unit.
    pub(crate) axis: Option<usize>,
    /// The latest layer before it, and how many activations ago.
    pub(crate) source: Option<usize>,
    pub(super) after: u32,
}

impl UnitAxis {
    /// Of all nodes, in their order.
    pub(super) fn of(nodes: &[Node], routes: &[Route]) -> Vec<Self> {
        let mut all: Vec<UnitAxis> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let signals = if routes[index].back.is_some() { node.signals(routes) } else { Vec::new() };
            // Of several layers whose results are added, the latest is it, as it is for paths.
            let Some(latest) = signals.into_iter().max_by_key(|&input| all[input].source) else {
                all.push(UnitAxis { axis: node.last_axis(), source: None, after: 0 });
                continue;
            };
            let UnitAxis { axis: before_axis, source, after } = all[latest];
            let (source, after) = match node.role {
                Role::Affine { .. }
                | Role::AffineChannels { .. }
                | Role::Normalizing { .. }
                | Role::NormalizingChannels { .. } => (Some(index), 0),
                Role::Activation(_) | Role::Function { .. } => (source, after + 1),
                _ => (source, after),
            };
            all.push(UnitAxis { axis: axis(index, latest, nodes, before_axis), source, after });
        }
        all
    }
}

/// Which axis counts units: by the op's own convention, else as in what it was computed from, else the last.
fn axis(index: usize, from: usize, nodes: &[Node], before_axis: Option<usize>) -> Option<usize> {
    let node = &nodes[index];
    let last = node.last_axis();
    let (dims, before) = (node.value.dims(), nodes[from].value.dims());
    match node.role {
        Role::NormalizingChannels { .. } => return Some(1),
        Role::AffineChannels { axes, .. } => return dims.len().checked_sub(axes + 1),
        // The weight of a convolution is [out, in, …].
        Role::Affine { weight, .. } => {
            let weight = nodes[node.inputs[weight]].value.dims();
            let is_convolution =
                weight.len() > 2 && dims.len() > 2 && weight[0] == dims[1] && weight.last() != dims.last();
            return if is_convolution { Some(1) } else { last };
        }
        // A parameter that is a vector along one axis is one number for each unit.
        Role::Adding | Role::Multiplying => {
            let vector = |&input: &usize| {
                let of = nodes[input].parameter.and(Some(nodes[input].value.dims()))?;
                let mut wide = (0..of.len()).filter(|&axis| of[axis] > 1);
                Some(wide.next()? + dims.len() - of.len()).filter(|_| wide.next().is_none())
            };
            if let Some(axis) = node.inputs.iter().find_map(vector) {
                return Some(axis);
            }
        }
        // Where units are summed up, what is left is one of each example; where others are, the units stay.
        Role::Reducing if dims.len() < before.len() => {
            let without = |gone: usize| [&before[..gone], &before[gone + 1..]].concat();
            let gone = (0..before.len()).rev().find(|&gone| without(gone) == dims);
            if let (Some(gone), Some(units)) = (gone, before_axis) {
                return match gone.cmp(&units) {
                    Ordering::Equal => None,
                    Ordering::Less => Some(units - 1),
                    Ordering::Greater => Some(units),
                };
            }
        }
        _ => {}
    }
    let axis = before_axis;
    let units = axis.map_or(1, |axis| before[axis]);
    match axis {
        _ if dims == before => axis,
        Some(axis) if dims.len() == before.len() && dims[axis] == units => Some(axis),
        _ if dims.iter().product::<usize>() == before.iter().product::<usize>() => match dims.last() {
            Some(&width) if units == 1 && width != 1 => None,
            _ => last,
        },
        _ => last,
    }
}
