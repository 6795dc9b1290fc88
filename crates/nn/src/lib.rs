#![forbid(unsafe_code)]
//! Parameters, layers, optimizers, schedules, batches.
//!
//! A model is a struct of layers with a `forward` of its own; the macro [`module!`] names its parts, so that
//! optimizers can reach every parameter. A training step is four lines: forward, backward, reset, update.
//!
//! ```
//! use autograd::{Tape, Var};
//! use init::{Gain, kaiming_normal};
//! use nn::{Layer, Linear, Optimizer, Sgd};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tensor::Tensor;
//!
//! struct Mlp {
//!     hidden: Linear,
//!     output: Linear,
//! }
//!
//! nn::module!(Mlp { hidden, output });
//!
//! impl Mlp {
//!     fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
//!         self.output.forward(self.hidden.forward(x).tanh())
//!     }
//! }
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(42);
//! let mut model = Mlp {
//!     hidden: Linear::new(2, 8, &kaiming_normal(Gain::Tanh), &mut rng)?,
//!     output: Linear::new(8, 2, &kaiming_normal(Gain::Linear), &mut rng)?,
//! };
//! let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
//! let xor = Tensor::from([0, 1, 1, 0]);
//! let mut sgd = Optimizer::new(Sgd::default(), 0.5)?;
//! let mut tape = Tape::new();
//! for step in 0..=300 {
//!     let loss = model.forward(tape.constant(x.clone())).cross_entropy(&xor);
//!     assert!(step < 300 || loss.item() < 0.05);
//!     let gradients = loss.backward();
//!     tape.reset();
//!     sgd.step(&mut model, &gradients);
//! }
//! # Ok::<(), nn::Error>(())
//! ```
//!
//! The tape knows what a pass is for and what it draws by: `Tape::new()` trains, `Tape::no_grad()` evaluates, and
//! [`Dropout`] draws what `tape.seed(seed, step)` says. A model's *state*, such as the running statistics of
//! [`BatchNorm1d`], is a [`Param`] that is not trained; what a pass finds for it comes to the model with the
//! optimizer's step. So the loop above stays as it is.
//!
//! | what | is |
//! |---|---|
//! | layers | [`Linear`], [`Bilinear`], [`Embedding`], [`BatchNorm1d`], [`LayerNorm`], [`RMSNorm`], [`GroupNorm`], [`Dropout`], [`PRelu`], [`Flatten`], [`FlattenConsecutive`], [`Residual`], [`RNN`], [`GRU`], [`LSTM`], [`MultiheadAttention`], [`TransformerBlock`], the [`activations`], and [`Sequential`], which holds them: [`seq!`] |
//! | optimizers | [`Optimizer`] with a [`Rule`]: [`Sgd`], [`Adam`], [`AdamW`], [`RMSprop`], [`Adagrad`], [`Adadelta`], [`NAdam`], [`RAdam`], [`Lion`], [`Muon`]; [`Lbfgs`] by itself |
//! | the rate | [`Schedule`], which shows them all in a picture; [`Plateau`] |
//! | averages | [`Average`], [`refresh_statistics`] |
//! | data | [`Batches`], [`split()`], [`folds`] |
//!
//! [`ModelGradients`] clips gradients and says which are missing, [`Module::freeze`] takes weights out of the training,
//! and `println!("{model:?}")` shows a model in PyTorch's manner.
//!
//! # Schedules
//! The rates of 100 steps, by [`Schedule`]:
//!
#![doc = include_str!("schedules.svg")]

mod average;
mod batches;
pub mod check;
#[cfg(feature = "checkpoint")]
mod checkpoint;
mod error;
mod fit;
mod gradients;
mod layer;
mod layers;
mod macros;
mod module;
mod optimizer;
mod param;
mod path;
mod picture;
mod plateau;
mod rules;
mod schedule;
mod stopping;

pub use average::{Average, refresh_statistics};
pub use batches::{Batches, Prefetch, folds, folds_stratified, split, split_stratified};
#[cfg(feature = "checkpoint")]
pub use checkpoint::{Checkpoint, Loaded, ModelFile, Numbered, load, save};
pub use error::Error;
pub use fit::{Best, Fit, Flow, Pass, Progress, Record, Report, Stopped, Weights};
#[cfg(feature = "checkpoint")]
pub use fit::{CheckpointAt, Resume};
pub use gradients::ModelGradients;
pub use layer::{Func, Layer, func};
pub use layers::{
    Attend, BatchNorm1d, Bilinear, Dropout, Embedding, Flatten, FlattenConsecutive, GRU, GroupNorm, LSTM, LayerNorm,
    Linear, LstmState, MultiheadAttention, PRelu, RMSNorm, RNN, Residual, Sequential, TransformerBlock,
};
pub use module::Module;
pub use optimizer::{At, Group, Optimizer, Plan, Planned, Rule};
pub use param::{Kind, Param};
pub use path::Path;
pub use plateau::Plateau;
pub use rules::{Adadelta, Adagrad, Adam, AdamW, Lbfgs, Lion, Muon, MuonRate, NAdam, RAdam, RMSprop, Sgd};
pub use schedule::{OneCycle, Schedule};
pub use stopping::Stopping;

/// The activations as layers, by their own names: for `seq![…, Tanh]`.
pub mod activations {
    pub use tensor::Activation::{self, *};
}

/// What the macro [`module!`] needs in the crate that calls it.
#[doc(hidden)]
pub mod private {
    pub use tensor::Float;

    pub use crate::path::InTorch;
    pub use crate::picture::picture;
}
