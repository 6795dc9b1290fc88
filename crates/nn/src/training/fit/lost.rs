//! Where a number was lost: the first NaN or infinity of a pass.

use autograd::{Gradients, Var, first_not_finite};
use tensor::Float;

use crate::Module;
use crate::error::named;
use crate::gradients::first_lost;

/// What a loss is that is not finite, and where on its tape that begins.
pub(super) fn forward<T: Float>(model: &dyn Module<T>, loss: Var<'_, T>, called: &str) -> String {
    model.label(loss.tape());
    let loss_is = format!("{called} is {}", loss.item());
    let Some((first, held)) = first_not_finite(loss) else { return loss_is };
    let (op, shape, is_put_there) = (first.op(), first.shape(), first.inputs().is_empty());
    // What was put on the tape and has no path is the data; that of a model which is a parameter is empty.
    let path = match first.path() {
        Some(path) if is_put_there => Some(named(&path).to_owned()),
        path => path.filter(|path| !path.is_empty()).map(|path| path.to_string()),
    };
    let what = held.what();
    match (is_put_there, path) {
        (true, Some(path)) => format!("{loss_is}, as {path} {shape} holds {what}"),
        (true, None) => format!("{loss_is}, as the data hold {what}: the {op} {shape}"),
        (false, Some(path)) => format!("{loss_is}, and `{op}` of {path} is the first to give {what}"),
        (false, None) => format!("{loss_is}, and `{op}` {shape} is the first to give {what}"),
    }
}

/// What is wrong with the weights of a model of which one is not finite.
pub(super) fn weights<T: Float>(model: &dyn Module<T>) -> Option<String> {
    let (path, param) =
        model.parameters().into_iter().find(|(_, param)| param.is_trained() && !param.value().all_finite())?;
    Some(format!("the step before has made {} {} NaN or infinite", named(&path), param.value().shape()))
}

/// What is wrong with gradients of which one is not finite.
pub(super) fn backward<T: Float>(model: &dyn Module<T>, gradients: &Gradients<T>) -> Option<String> {
    let weight = first_lost(model, gradients)?;
    Some(crate::Error::NotFinite { weight }.to_string())
}
