//! A value of a pass, without element type.

use std::cell::OnceCell;
use std::sync::Arc;

use autograd::Role;

use super::numbers::{Numbers, Units, root_mean_square};
use super::route::Route;

/// A value, and what it was computed by.
pub(crate) struct Node {
    pub(crate) op: &'static str,
    pub(crate) role: Role,
    pub(crate) inputs: Vec<usize>,
    /// The module that it belongs to.
    pub(crate) path: Option<Arc<str>>,
    /// Whether it is a part of the model, and then whether that is trained.
    pub(crate) parameter: Option<bool>,
    /// Whether it is a leaf that the model does not list, and has a name.
    pub(crate) unlisted: Option<bool>,
    pub(crate) value: Numbers,
    /// That of the loss with respect to it.
    pub(crate) gradient: Option<Numbers>,
    pub(crate) units: OnceCell<Units>,
}

impl Node {
    /// The inputs that come from data, each once where it stands twice in a row.
    pub(super) fn signals(&self, routes: &[Route]) -> Vec<usize> {
        let mut signals: Vec<usize> = self.inputs.iter().copied().filter(|&input| routes[input].data).collect();
        signals.dedup();
        signals
    }

    pub(super) fn last_axis(&self) -> Option<usize> {
        self.value.dims().len().checked_sub(1)
    }

    /// Each unit over the examples, where units are counted along `axis`.
    pub(super) fn units(&self, axis: Option<usize>) -> &Units {
        self.units.get_or_init(|| self.value.units(axis))
    }

    /// The root mean square over units of how much each varies over the examples. NaN for one example.
    pub(super) fn spread(&self, axis: Option<usize>) -> f64 {
        root_mean_square(&self.units(axis).std)
    }
}

#[cfg(test)]
impl Node {
    /// Without a tape: leaves are trained.
    pub(crate) fn of_test(op: autograd::Op, inputs: &[usize], value: &tensor::Tensor<f32>) -> Self {
        Node {
            op: op.name,
            role: op.role,
            inputs: inputs.to_vec(),
            path: None,
            parameter: matches!(op.role, Role::Leaf).then_some(true),
            unlisted: None,
            value: Numbers::of(value),
            gradient: None,
            units: OnceCell::new(),
        }
    }
}
