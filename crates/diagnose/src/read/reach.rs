//! Where each value goes, from the loss back.

use autograd::Role;

use super::node::Node;

/// Where a value goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Whether the loss depends on it.
    pub(crate) behind: bool,
    /// Whether another layer comes after it.
    pub(crate) hidden: bool,
    /// Whether it goes into a product with another value, as a gate does.
    pub(crate) gates: bool,
    /// Whether it goes into any op with another value.
    pub(crate) mixes: bool,
    /// Whether it goes into a layer as its signal, and has no name: a leaf is then data.
    pub(super) feeds: bool,
}

impl Reach {
    /// Of all nodes; the last is the loss.
    pub(super) fn of(nodes: &[Node]) -> Vec<Self> {
        let mut all = vec![Reach::default(); nodes.len()];
        if let Some(loss) = all.last_mut() {
            loss.behind = true;
        }
        for (index, node) in nodes.iter().enumerate().rev() {
            let takes_signal = matches!(
                node.role,
                Role::Affine { .. } | Role::AffineChannels { .. } | Role::Activation(_) | Role::Function { .. }
            );
            if let (true, Some(&input)) = (takes_signal, node.inputs.first()) {
                all[input].feeds |= nodes[input].path.is_none();
            }
            let Reach { behind, hidden, .. } = all[index];
            if !behind {
                continue;
            }
            let hides = hidden
                || matches!(node.role, Role::Affine { .. } | Role::AffineChannels { .. } | Role::Recurrent { .. });
            let inputs = &node.inputs;
            let others = inputs.len() > 1 && inputs[0] != inputs[1] && !matches!(node.role, Role::Loss { .. });
            for &input in inputs {
                let reach = &mut all[input];
                reach.behind = true;
                reach.hidden |= hides;
                reach.gates |= others && matches!(node.role, Role::Multiplying);
                reach.mixes |= others;
            }
        }
        all
    }
}
