//! What a fit shows while it runs.

use autograd::{Gradients, Tape, Var};
use tensor::Float;

use super::course::Best;
use crate::Module;
#[cfg(feature = "checkpoint")]
use crate::files::checkpoint::{Held, Part};

pub(super) type OnStep<'a, M, T> = Box<dyn FnMut(&Progress<'_, M, T>) -> Flow + 'a>;
pub(super) type OnGradients<'a, M, T> = Box<dyn FnMut(&Pass<'_, M, T>) + 'a>;

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
pub struct Progress<'a, M, T: Float = f32> {
    /// The steps made, this one too.
    pub step: u64,
    /// The steps to be made in all.
    pub steps: u64,
    /// The model, with the weights after the step.
    pub model: &'a M,
    /// The gradients that the step was made with: clipped, if they are to be.
    pub gradients: &'a Gradients<T>,
    /// The mean loss of the step's rows, before the step.
    pub loss: f64,
    /// The learning rate of the step.
    pub lr: f64,
    /// What the evaluation is judged by, if this step was followed by one: the mean loss of the held-out rows, unless
    /// [`judge_by`](crate::Fit::judge_by) names another figure.
    pub held_out: Option<f64>,
    /// All figures of that evaluation, by name; none where there was none.
    pub figures: &'a [(String, f64)],
    /// The best evaluation so far.
    pub best: Option<Best>,
}

/// A fit within a step: after the backward pass, and before the weights move.
pub struct Pass<'a, M, T: Float = f32> {
    /// The steps made before.
    pub step: u64,
    /// The model, with the weights of the pass.
    pub model: &'a M,
    /// The loss of the last batch, on its tape.
    pub loss: Var<'a, T>,
    /// The gradients of the step, of all its batches and not yet clipped.
    pub gradients: &'a Gradients<T>,
}

/// A fit before its first step, of a training that is not resumed.
pub struct Start<'a, M, T: Float = f32> {
    /// The model as it begins.
    pub model: &'a M,
    /// The loss of the first batch: by a model, on a tape.
    #[allow(clippy::type_complexity, reason = "a name for it would have to be looked up")]
    pub loss: &'a dyn for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
}

/// What looks on while a model trains: given to a fit by [`Fit::watch`](crate::Fit::watch).
pub trait Observer<T: Float = f32> {
    /// Looks at a training before its first step. One that is resumed has none.
    fn before_training<M: Module<T>>(&mut self, _start: &Start<'_, M, T>) {}

    /// Looks at a step after its backward pass, before the weights move.
    fn before_step<M: Module<T>>(&mut self, pass: &Pass<'_, M, T>);

    /// Looks at the model after the step.
    fn after_step<M: Module<T>>(&mut self, progress: &Progress<'_, M, T>);

    /// What it has found since it was last asked, for people to read: the fit prints it, unless it is quiet.
    fn news(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// What of it goes into checkpoints. Feature `checkpoint`.
    #[cfg(feature = "checkpoint")]
    fn kept(&mut self) -> Option<Kept<'_, T>> {
        None
    }
}

/// What an [`Observer`] keeps in checkpoints. Feature `checkpoint`.
#[cfg(feature = "checkpoint")]
pub struct Kept<'a, T: Float = f32>(pub(super) Box<dyn Part<T> + 'a>);

#[cfg(feature = "checkpoint")]
impl<'a, T: Float> Kept<'a, T> {
    /// This state, which may be the observer itself.
    pub fn new(state: &'a mut (impl crate::Stateful<T> + 'a)) -> Self {
        Kept(Box::new(Held { state, read: None }))
    }
}

/// An observer of a model of some type.
pub(super) trait Observing<M, T: Float> {
    fn before_training(&mut self, start: &Start<'_, M, T>);
    fn before_step(&mut self, pass: &Pass<'_, M, T>);
    fn after_step(&mut self, progress: &Progress<'_, M, T>);
    fn news(&mut self) -> Vec<String>;
    #[cfg(feature = "checkpoint")]
    fn kept(&mut self) -> Option<Kept<'_, T>>;
}

impl<M: Module<T>, T: Float, O: Observer<T>> Observing<M, T> for &mut O {
    fn before_training(&mut self, start: &Start<'_, M, T>) {
        (**self).before_training(start);
    }

    fn before_step(&mut self, pass: &Pass<'_, M, T>) {
        (**self).before_step(pass);
    }

    fn after_step(&mut self, progress: &Progress<'_, M, T>) {
        (**self).after_step(progress);
    }

    fn news(&mut self) -> Vec<String> {
        (**self).news()
    }

    #[cfg(feature = "checkpoint")]
    fn kept(&mut self) -> Option<Kept<'_, T>> {
        (**self).kept()
    }
}
