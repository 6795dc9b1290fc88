//! One pass through a model as a graph without element type: what each value is, what it was computed from, and how the signal
//! goes from the inputs to the losses.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use autograd::{Gradients, NonFinite, Role, Var, first_not_finite, first_not_finite_gradient};
use tensor::Float;

use super::node::Node;
use super::numbers::{Numbers, Units};
use super::reach::Reach;
use super::route::Route;
use super::unit::UnitAxis;

/// The values on a tape up to the loss, in the order in which they were computed.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) loss: usize,
    /// The op that gave the first value that is not finite, and what it gave.
    pub(crate) lost: Option<(usize, NonFinite)>,
    /// The op whose pullback gave the first gradient that is not finite, and what it gave.
    pub(crate) lost_backward: Option<(usize, NonFinite)>,
    /// How many scopes there were in the pass, whose values are gone.
    pub(crate) scopes: u64,
    /// Where each goes.
    pub(crate) reach: Vec<Reach>,
    /// How the signal comes to each.
    pub(crate) route: Vec<Route>,
    /// How the units of each are counted.
    pub(crate) unit: Vec<UnitAxis>,
}

/// An op with weights that scale its result: a linear layer, or a normalization.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) output: usize,
    pub(crate) input: usize,
    pub(crate) weight: usize,
    pub(crate) bias: Option<usize>,
    /// Whether the bias is a part of the op, and not added to its result.
    pub(crate) bias_within: bool,
    /// Whether it is a normalization, so that its result does not depend on the scale of its input.
    pub(crate) normalizes: bool,
}

impl Graph {
    /// Reads the tape of a loss. `listed` says whether a leaf with this name is the model's; without, all are.
    pub(crate) fn read<T: Float>(
        loss: Var<'_, T>,
        gradients: Option<&Gradients<T>>,
        listed: Option<&dyn Fn(autograd::Id) -> bool>,
    ) -> Self {
        let tape = loss.tape();
        let read = |(var, path): (Var<'_, T>, Option<Arc<str>>)| Node {
            op: var.op(),
            role: var.role(),
            inputs: var.inputs().iter().map(|input| input.index()).collect(),
            path: path.filter(|path| !path.is_empty()),
            parameter: var.is_parameter().then(|| matches!(var.role(), Role::Leaf)),
            unlisted: listed
                .filter(|listed| matches!(var.role(), Role::Leaf) && !var.id().is_some_and(listed))
                .map(|_| var.id().is_some()),
            value: Numbers::of(&var.value()),
            gradient: gradients.and_then(|gradients| gradients.get(var)).map(Numbers::of),
            units: OnceCell::new(),
        };
        let nodes = tape.vars().zip(tape.paths()).take(loss.index() + 1).map(read).collect();
        let by_index = |(var, held): (Var<'_, T>, NonFinite)| (var.index(), held);
        let lost_backward = gradients.and_then(|gradients| first_not_finite_gradient(loss, gradients)).map(by_index);
        let lost = first_not_finite(loss).map(by_index);
        Graph { lost, lost_backward, scopes: tape.scopes(), ..Graph::new(nodes) }
    }

    /// Makes the graph of nodes; the last is the loss.
    pub(crate) fn new(mut nodes: Vec<Node>) -> Self {
        let loss = nodes.len() - 1;
        // A product with what is made of a weight alone, such as its transpose or a multiple, is one with a weight.
        for index in 0..nodes.len() {
            let node = &nodes[index];
            let second = node.inputs.get(1).filter(|_| matches!(node.role, Role::Other) && node.op == "matmul");
            if second.is_some_and(|&second| made_of(&nodes, second).is_some()) {
                nodes[index].role = Role::Affine { weight: 1, bias: None };
            }
        }
        let reach = Reach::of(&nodes);
        let route = Route::of(&nodes, &reach);
        let unit = UnitAxis::of(&nodes, &route);
        Graph { nodes, loss, lost: None, lost_backward: None, scopes: 0, reach, route, unit }
    }

    /// The values that the loss depends on, in the order in which they were computed.
    pub(crate) fn relevant(&self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.nodes.len()).filter(|&index| self.reach[index].behind)
    }

    pub(crate) fn input(&self, index: usize, place: usize) -> Option<usize> {
        self.nodes[index].inputs.get(place).copied()
    }

    /// The way from an input to a value, both included.
    pub(crate) fn path_to(&self, index: usize) -> Vec<usize> {
        let mut way: Vec<usize> = std::iter::successors(Some(index), |&index| self.route[index].back).collect();
        way.reverse();
        way
    }

    /// The products with a weight, and the normalizations.
    pub(crate) fn affine(&self, output: usize) -> Option<Affine> {
        let (weight, bias, normalizes) = match self.nodes[output].role {
            Role::Affine { weight, bias } | Role::AffineChannels { weight, bias, .. } => (weight, bias, false),
            Role::Normalizing { weight, bias } => (weight, bias, true),
            Role::NormalizingChannels { weight, bias } => (weight, Some(bias), true),
            _ => return None,
        };
        let bias = bias.and_then(|bias| self.input(output, bias));
        let (input, weight) = (self.input(output, 0)?, self.input(output, weight)?);
        let weight = made_of(&self.nodes, weight).unwrap_or(weight);
        Some(Affine { output, input, weight, bias, bias_within: bias.is_some(), normalizes })
    }

    /// What scales a value: the nearest op with weights on the way to it, if only ops that leave the scale as it is lie
    /// between. A bias that is added on the way counts as its own.
    pub(crate) fn scaled_by(&self, index: usize) -> Option<Affine> {
        let (mut at, mut added) = (index, None);
        loop {
            if let Some(affine) = self.affine(at) {
                return Some(Affine { bias: affine.bias.or(added), ..affine });
            }
            at = match self.nodes[at].role {
                // The rows of a table are the weights themselves.
                Role::Lookup => {
                    let weight = self.input(at, 0)?;
                    return Some(Affine {
                        output: at,
                        input: at,
                        weight,
                        bias: added,
                        bias_within: false,
                        normalizes: false,
                    });
                }
                Role::Keeping | Role::Scaling | Role::Masking => self.input(at, 0)?,
                Role::Adding if !self.route[at].joins => {
                    let (one, other) = (self.input(at, 0)?, self.input(at, 1)?);
                    let (value, more) =
                        if self.route[one].data && self.route[one].model { (one, other) } else { (other, one) };
                    if self.route[more].data && self.route[more].model {
                        return None;
                    }
                    added = added.or(Some(more).filter(|&more| self.nodes[more].parameter.is_some()));
                    value
                }
                _ => return None,
            };
        }
    }

    /// Each unit over the examples.
    pub(crate) fn units(&self, index: usize) -> &Units {
        self.nodes[index].units(self.unit[index].axis)
    }

    /// The signal: the root mean square over units of how much each varies over the examples. NaN for one example.
    pub(crate) fn spread(&self, index: usize) -> f64 {
        self.nodes[index].spread(self.unit[index].axis)
    }

    /// Whether a value differs from example to example, as far as it can be told.
    pub(crate) fn varies(&self, index: usize) -> bool {
        self.spread(index) != 0.0
    }

    /// The standard deviation of a value's gradient, times √positions: a channel's weights get the sum over all of its positions, so that a
    /// pool that hands the gradient of four on to one of them takes nothing away.
    pub(crate) fn gradient_std(&self, index: usize) -> Option<f64> {
        let node = &self.nodes[index];
        let positions: usize = self.unit[index].axis.map_or(1, |axis| node.value.dims()[axis + 1..].iter().product());
        Some(node.gradient.as_ref()?.mean_std().1 * (positions as f64).sqrt())
    }

    pub(crate) fn gradient_rms(&self, index: usize) -> Option<f64> {
        self.nodes[index].gradient.as_ref().map(Numbers::rms)
    }

    /// A name: the module that it belongs to, or the last on the way to it, or its op and position where no module is known.
    pub(crate) fn place(&self, index: usize) -> String {
        let mut way = std::iter::successors(Some(index), |&index| self.route[index].back);
        let path = way.find_map(|index| self.nodes[index].path.as_ref());
        path.map_or_else(|| format!("{}({index})", self.nodes[index].op), |path| path.to_string())
    }

    /// Values that are one and the same place in the model, used more than once: those of an op after the same weight.
    pub(crate) fn uses(&self, values: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
        let mut places: HashMap<(usize, &str, u32, usize), usize> = HashMap::new();
        let mut uses: Vec<Vec<usize>> = Vec::new();
        for index in values {
            let weight = self.unit[index].source.and_then(|source| self.affine(source)).map(|affine| affine.weight);
            // Parts of what a layer gives have units of their own, such as gates of several widths.
            let units = self.unit[index].axis.map_or(1, |axis| self.nodes[index].value.dims()[axis]);
            let key = (weight.unwrap_or(index), self.nodes[index].op, self.unit[index].after, units);
            match places.get(&key) {
                Some(&place) => uses[place].push(index),
                None => {
                    places.insert(key, uses.len());
                    uses.push(vec![index]);
                }
            }
        }
        uses
    }
}

/// The parameter that a value is, or of which it is a multiple, a transpose, or what a mask leaves.
fn made_of(nodes: &[Node], index: usize) -> Option<usize> {
    let node = &nodes[index];
    let is_constant =
        |&&input: &&usize| matches!(nodes[input].role, Role::Constant) && nodes[input].parameter.is_none();
    match (node.role, &node.inputs[..]) {
        (Role::Leaf | Role::Constant, _) => node.parameter.map(|_| index),
        (Role::Keeping | Role::Scaling, [input, ..]) => made_of(nodes, *input),
        (Role::Multiplying, [one, other]) if is_constant(&other) => made_of(nodes, *one),
        (Role::Multiplying, [one, other]) if is_constant(&one) => made_of(nodes, *other),
        _ => None,
    }
}

/// Makes names distinct: the second `hidden` is `hidden #2`.
pub(crate) fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let number = |name: String| {
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name} #{times}") }
    };
    names.map(number).collect()
}
