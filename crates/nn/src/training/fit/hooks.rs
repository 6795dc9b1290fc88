//! What a fit shows while it runs.

use autograd::{Gradients, Var};
use tensor::Float;

use super::course::Best;
use crate::Module;

pub(super) type OnStep<'a, T> = Box<dyn FnMut(&Progress<'_, T>) -> Flow + 'a>;
pub(super) type OnGradients<'a, T> = Box<dyn FnMut(&Pass<'_, T>) + 'a>;

/// Whether a [`Fit`](crate::Fit) goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends after this step; its checkpoint is written.
    Stop,
}

impl From<()> for Flow {
    /// What only looks on goes on.
    fn from((): ()) -> Self {
        Flow::Continue
    }
}

/// A fit after a step.
pub struct Progress<'a, T: Float = f32> {
    /// The steps made, this one too.
    pub step: u64,
    /// The steps to be made in all.
    pub steps: u64,
    /// The model, with the weights after the step.
    pub model: &'a dyn Module<T>,
    /// The gradients that the step was made with: clipped, if they are to be.
    pub gradients: &'a Gradients<T>,
    /// The mean loss of the step's rows, before the step.
    pub loss: f64,
    /// The learning rate of the step.
    pub lr: f64,
    /// The mean loss of the held-out rows, if this step was followed by an evaluation.
    pub held_out: Option<f64>,
    /// The best evaluation so far.
    pub best: Option<Best>,
}

/// A fit within a step: after the backward pass, and before the weights move.
pub struct Pass<'a, T: Float = f32> {
    /// The steps made before.
    pub step: u64,
    /// The model, with the weights of the pass.
    pub model: &'a dyn Module<T>,
    /// The loss of the last batch, on its tape.
    pub loss: Var<'a, T>,
    /// The gradients of the step, of all its batches and not yet clipped.
    pub gradients: &'a Gradients<T>,
}

/// What looks on while a model trains: given to a fit by [`Fit::watch`](crate::Fit::watch).
pub trait Observer<T: Float = f32> {
    /// Looks at a step after its backward pass, before the weights move.
    fn before_step(&mut self, pass: &Pass<'_, T>);

    /// Looks at the model after the step.
    fn after_step(&mut self, progress: &Progress<'_, T>);
}
