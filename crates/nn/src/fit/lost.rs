//! Where a number was lost: the first NaN or infinity of a pass.

use autograd::{Gradients, Var};
use tensor::Float;

use crate::{ModelGradients, Module};

/// What a loss is that is not finite, and where on its tape that begins.
pub(super) fn forward<T: Float>(model: &dyn Module<T>, loss: Var<'_, T>, called: &str) -> String {
    model.label(loss.tape());
    let loss_is = format!("{called} is {}", loss.item());
    // −∞ alone is the mask of an attention.
    let lost = |var: &Var<'_, T>| var.value().iter().any(|x| !x.is_finite() && x.to_f64() != f64::NEG_INFINITY);
    let Some(first) = loss.tape().vars().find(lost) else { return loss_is };
    let (op, shape, path) = (first.op(), first.shape(), first.path().filter(|path| !path.is_empty()));
    let what = if first.value().isnan().any(..).item() { "NaN" } else { "infinity" };
    match (first.inputs().is_empty(), path) {
        (true, Some(path)) => format!("{loss_is}, as {path} {shape} holds {what}"),
        (true, None) => format!("{loss_is}, as the data hold {what}: the {op} {shape}"),
        (false, Some(path)) => format!("{loss_is}, and `{op}` of {path} is the first to give {what}"),
        (false, None) => format!("{loss_is}, and `{op}` {shape} is the first to give {what}"),
    }
}

/// What is wrong with gradients of which one is not finite.
pub(super) fn backward<T: Float>(model: &dyn Module<T>, gradients: &Gradients<T>) -> Option<String> {
    if gradients.iter().all(|(_, gradient)| gradient.all_finite()) {
        return None;
    }
    let listed = gradients.by_path(model).into_iter().find(|(_, gradient)| !gradient.all_finite());
    let weight = listed.map_or("a leaf that the model does not list".into(), |(path, _)| path);
    Some(crate::Error::NotFinite { weight }.to_string())
}
