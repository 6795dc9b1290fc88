//! A model that can be run as it is, and as it would be with other weights.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::{Gradients, Id, Tape, Var};
use nn::{Module, Param};
use tensor::{Float, Tensor};

use crate::read::graph::Graph;
use crate::read::numbers::Numbers;
use crate::read::trace::{Parameter, Trace};
use crate::report::finding::Action;

/// A model and a batch, without the float: what a judgement tries things on.
pub(crate) trait Experiment {
    /// A pass after these changes.
    fn after(&self, changes: &[Action]) -> Option<Trace>;

    /// For each parameter, the share of its columns that are copies after some steps of plain descent.
    fn copies_after(&self, changes: &[Action], steps: usize) -> HashMap<String, f64>;

    /// The loss after some steps of plain descent.
    fn loss_after(&self, changes: &[Action], steps: usize) -> f64;
}

/// Other values for parameters.
type Values<T> = HashMap<Id, Tensor<T>>;

pub(crate) struct Runs<'a, T: Float, M: ?Sized, F> {
    /// Makes a tape for a pass.
    tape: Box<dyn Fn() -> Tape<T> + 'a>,
    model: &'a M,
    forward: F,
    parameters: Vec<(String, &'a Param<T>)>,
}

impl<'a, T, M, F> Runs<'a, T, M, F>
where
    T: Float,
    M: Module<T> + ?Sized,
    F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
{
    pub(crate) fn new(tape: impl Fn() -> Tape<T> + 'a, model: &'a M, forward: F) -> Self {
        Runs { tape: Box::new(tape), model, forward, parameters: trained(model) }
    }

    #[track_caller]
    pub(crate) fn pass(&self, values: &Values<T>) -> Trace {
        let tape = self.tape(values);
        let loss = (self.forward)(self.model, &tape);
        let gradients = backward(loss);
        let gradients = gradients.as_ref();
        let listed = |id| self.parameters.iter().any(|(_, param)| param.id() == id);
        let parameters = self.parameters.iter().map(|(name, param)| Parameter {
            name: name.clone(),
            data: Numbers::of(values.get(&param.id()).unwrap_or(param.value())),
            gradient: gradients.and_then(|gradients| gradients.named(param.id())).map(Numbers::of),
        });
        let parameters = parameters.collect();
        Trace::new(Graph::read(loss, gradients, Some(&listed)), parameters)
    }

    /// The values of the parameters that are changed.
    fn changed(&self, changes: &[Action]) -> Values<T> {
        let mut values = Values::new();
        for action in changes {
            if let Some((_, param)) = self.parameters.iter().find(|(name, _)| name == action.parameter()) {
                let value = values.entry(param.id()).or_insert_with(|| param.value().clone());
                action.apply(value);
            }
        }
        values
    }

    fn tape(&self, values: &Values<T>) -> Tape<T> {
        let tape = (self.tape)();
        self.model.label(&tape);
        values.iter().for_each(|(&id, value)| tape.substitute(id, value.clone()));
        tape
    }
}

impl<T, M, F> Experiment for Runs<'_, T, M, F>
where
    T: Float,
    M: Module<T> + ?Sized,
    F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
{
    fn after(&self, changes: &[Action]) -> Option<Trace> {
        quietly(|| self.pass(&self.changed(changes))).ok()
    }

    fn copies_after(&self, changes: &[Action], steps: usize) -> HashMap<String, f64> {
        // A step that moves everything together by no more than a tenth.
        let values = self.descend(changes, steps, |norm| 0.1 / norm.max(1.0)).0;
        let share = |(name, param): &(String, &Param<T>)| (name.clone(), Numbers::of(&values[&param.id()]).copies());
        self.parameters.iter().map(share).collect()
    }

    fn loss_after(&self, changes: &[Action], steps: usize) -> f64 {
        self.descend(changes, steps, |norm| 0.1 / norm.max(1.0)).1
    }
}

impl<T, M, F> Runs<'_, T, M, F>
where
    T: Float,
    M: Module<T> + ?Sized,
    F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
{
    /// The weights after some steps of plain descent, and the loss before the last of them. The rate is by the norm of the gradients.
    fn descend(&self, changes: &[Action], steps: usize, rate: impl Fn(f64) -> f64) -> (Values<T>, f64) {
        let (mut values, mut last) = (self.changed(changes), f64::NAN);
        for (_, param) in &self.parameters {
            values.entry(param.id()).or_insert_with(|| param.value().clone());
        }
        for _ in 0..steps {
            let tape = self.tape(&values);
            tape.retain_gradients(false);
            let pass = quietly(|| {
                let loss = (self.forward)(self.model, &tape);
                (loss.value().iter().next().map_or(f64::NAN, T::to_f64), backward(loss))
            });
            let Ok((loss, Some(gradients))) = pass else { break };
            last = loss;
            let lr = T::from_f64(rate(gradients.norm()));
            for (id, gradient) in gradients.iter() {
                if let Some(value) = values.get_mut(&id) {
                    *value = &*value - gradient * lr;
                }
            }
        }
        (values, last)
    }
}

/// The gradients of a loss, if it depends on anything.
///
/// # Panics
/// The loss has more than one element.
#[track_caller]
pub(crate) fn backward<T: Float>(loss: Var<'_, T>) -> Option<Gradients<T>> {
    let shape = loss.shape();
    if loss.needs_gradient() {
        return Some(loss.backward());
    }
    assert!(shape.numel() == 1, "inspect: the loss needs to be one number, got {shape}; reduce it");
    None
}

/// What `f` gives, or why it panics: a look at a model ends no training.
pub(crate) fn quietly<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(|| "it panics".into(), |text| (*text).to_owned()),
    })
}

/// The weights of a model that are trained, with their paths.
pub(crate) fn trained<T: Float, M: Module<T> + ?Sized>(model: &M) -> Vec<(String, &Param<T>)> {
    model.parameters().into_iter().filter(|(_, param)| param.is_trained()).collect()
}
