//! How the signal comes to each value, from the inputs on.
//!
//! *The way back.* From each value one step leads back to where its signal comes from. Where several signals meet that come from
//! the same value, such as a residual branch and its trunk, the step leads there, past all branches: what counts is the sum.
//! Where they come from different inputs, it follows the one that went through more layers. So a path is a list, however wide the
//! network, and all of it is found in one pass over the tape.

use autograd::Role;

use super::node::Node;
use super::reach::Reach;

/// How the signal comes to a value.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Whether it depends on data, and not on parameters alone.
    pub(crate) data: bool,
    /// Whether it depends on a parameter.
    pub(crate) model: bool,
    /// One step back on the way from the inputs; `None` at an input.
    pub(crate) back: Option<usize>,
    /// Where that way begins, how many steps ago, and through how many layers it went.
    root: usize,
    steps: u32,
    pub(crate) layers: u32,
    /// Whether branches from one value meet here.
    pub(crate) joins: bool,
}

impl Route {
    /// Of all nodes, in their order.
    pub(super) fn of(nodes: &[Node], reach: &[Reach]) -> Vec<Self> {
        let mut all: Vec<Route> = Vec::with_capacity(nodes.len());
        for (index, reach) in reach.iter().enumerate() {
            let route = Route::to(index, nodes, reach, &all);
            all.push(route);
        }
        all
    }

    /// Of a node, whose inputs' are known.
    fn to(index: usize, nodes: &[Node], reach: &Reach, before: &[Route]) -> Self {
        let node = &nodes[index];
        let begins = match node.role {
            Role::Lookup => true,
            Role::Constant => node.parameter.is_none(),
            Role::Leaf => reach.feeds,
            _ => false,
        };
        let model = node.parameter == Some(true) || node.inputs.iter().any(|&input| before[input].model);
        let mut route = Route { data: begins, model, back: None, root: index, steps: 0, layers: 0, joins: false };
        let signals = if begins { Vec::new() } else { node.signals(before) };
        let Some(&first) = signals.first() else { return route };
        // Which of several ways is followed: one that carries something, and the one through more layers.
        let rank = |index: usize| {
            let Route { root, layers, steps, .. } = before[index];
            (nodes[root].spread(nodes[root].last_axis()) != 0.0, layers, steps)
        };
        let mut back = first;
        for &other in &signals[1..] {
            if before[other].root == before[back].root {
                route.joins = true;
                back = common_ancestor(before, back, other);
            } else if rank(other) > rank(back) {
                back = other;
            }
        }
        (route.back, route.root, route.steps) = (Some(back), before[back].root, before[back].steps + 1);
        let through = signals.iter().map(|&input| before[input].layers).max().unwrap_or(0);
        route.layers = through + u32::from(matches!(node.role, Role::Affine { .. } | Role::AffineChannels { .. }));
        // At a loss the way ends: what many add up to is no place on it.
        let is_number = matches!(node.role, Role::Reducing) && node.value.numel() == 1 && !reach.hidden;
        route.data = !(matches!(node.role, Role::Loss { .. }) || is_number);
        route
    }
}

/// The value from which both ways come.
fn common_ancestor(routes: &[Route], mut one: usize, mut other: usize) -> usize {
    while one != other {
        let (first, second) = (&routes[one], &routes[other]);
        match first.steps >= second.steps {
            true => one = first.back.unwrap_or(other),
            false => other = second.back.unwrap_or(one),
        }
    }
    one
}
