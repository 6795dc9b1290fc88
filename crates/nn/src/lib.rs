#![forbid(unsafe_code)]
//! Parameters, layers, optimizers, schedules, batches, checkpoints, and a training in one call.
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
//! | layers | [`Linear`], [`Bilinear`], [`Conv1d`], [`Conv2d`], [`Conv3d`], [`ConvTranspose1d`], [`ConvTranspose2d`], [`MaxPool`], [`AvgPool`], [`AdaptiveAvgPool`], [`AdaptiveMaxPool`], [`Upsample`], [`PixelShuffle`], [`Embedding`], [`BatchNorm1d`], [`LayerNorm`], [`RMSNorm`], [`GroupNorm`], [`Dropout`], [`Dropout2d`], [`PRelu`], [`Flatten`], [`FlattenConsecutive`], [`Residual`], [`Recomputed`], [`RNN`], [`GRU`], [`LSTM`], [`MultiheadAttention`], [`TransformerBlock`], [`Standardize`], [`MinMaxScale`], the [`activations`], and [`Sequential`], which holds them: [`seq!`] |
//! | optimizers | [`Optimizer`] with a [`Rule`]: [`Sgd`], [`Adam`], [`AdamW`], [`RMSprop`], [`Adagrad`], [`Adadelta`], [`NAdam`], [`RAdam`], [`Lion`], [`Muon`]; [`Lbfgs`] by itself |
//! | the learning rate | [`Schedule`], which shows them all in a picture; [`ReduceOnPlateau`] |
//! | averages | [`WeightAverage`], [`refresh_statistics`] |
//! | data | [`Batches`] of [`Rows`], [`split()`], [`folds`]; [`Augment`] for images |
//! | a training | [`Fit`], which has evaluations, an early end, averages and checkpoints; [`EarlyStopping`] by itself; [`metrics`]; [`Carried`] state; [`Shards`], a batch side by side on several threads |
//! | several processes | [`ranks`], which share each batch: [`Fit::ranks`]; `evenkeel-mpi` starts them |
//! | sequences | [`sequences`]: padding, windows, streams, generation; [`RNN`], [`GRU`], [`LSTM`] |
//! | chance | [`distributions`]: normal, Bernoulli, categorical, and Gumbel-softmax |
//! | predictions | [`predict`], [`predict_by`], in batches; [`Var::chain`](autograd::Var::chain) for loops of one's own |
//! | files | with the feature `checkpoint`: `save`, `load`, `ModelFile` (PyTorch's state dicts), `Checkpoint`, `Numbered` |
//!
//! [`ModelGradients`] clips gradients and says which are missing, [`Module::freeze`] takes weights out of the training,
//! and `println!("{model:?}")` shows a model in PyTorch's manner:
//!
//! ```
//! use nn::{Dropout, Linear, Module, Sequential, activations::Relu, seq};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(42);
//! let mut model: Sequential = seq![
//!     Linear::new(784, 128, &init::kaiming_normal(init::Gain::Relu), &mut rng)?,
//!     Relu,
//!     Dropout::new(0.2)?,
//!     Linear::new(128, 10, &init::normal(0.01), &mut rng)?,
//! ];
//! model.freeze("0.*")?; // trains the rest alone
//! let picture = "\
//! Sequential(
//!   (0): Linear(weight [784, 128] frozen, bias [128] frozen), 100,480
//!   (1): Relu
//!   (2): Dropout(0.2)
//!   (3): Linear(weight [128, 10], bias [10]), 1,290
//! ), 101,770 parameters, 100,480 of them frozen";
//! assert_eq!(format!("{model:?}"), picture);
//! # Ok::<(), nn::Error>(())
//! ```
//!
//! # Keeping a training
//!
//! With the feature `checkpoint`, a training of any loop is kept in one `.safetensors` file and goes on from it to the very
//! bits that it would have had: what changes over time is a function of a seed and the step, and the rest is in the file.
//!
//! ```
//! # #[cfg(feature = "checkpoint")] {
//! use autograd::Tape;
//! use nn::{AdamW, Checkpoint, Optimizer, Param};
//! use tensor::Tensor;
//!
//! let path = std::env::temp_dir().join(format!("evenkeel-page-{}.safetensors", std::process::id()));
//! let mut w = Param::new(Tensor::from([3.0, -2.0]));
//! let mut adamw = Optimizer::new(AdamW::default(), 0.1)?;
//! if path.exists() {
//!     Checkpoint::new(&mut w).optimizer(&mut adamw).load(&path)?;
//! }
//! while adamw.step_number() < 200 {
//!     let tape = Tape::new();
//!     let gradients = w.on(&tape).square().sum(..).backward();
//!     drop(tape);
//!     adamw.step(&mut w, &gradients);
//!     if adamw.step_number() % 100 == 0 {
//!         Checkpoint::new(&mut w).optimizer(&mut adamw).save(&path)?;
//!     }
//! }
//! # std::fs::remove_file(&path).unwrap();
//! # }
//! # Ok::<(), nn::Error>(())
//! ```
//!
//! Files are written whole or not at all, and loaded whole or not at all: everything is read, checked by a checksum and
//! compared, and what does not fit is listed, before anything is changed.
//!
//! # Schedules
//! The learning rates of 100 steps, by [`Schedule`]:
//!
#![doc = include_str!("optimizer/schedules.svg")]

#[cfg(feature = "checkpoint")]
mod archive;
pub mod check;
pub mod distributions;
mod error;
#[cfg(feature = "checkpoint")]
mod files;
mod gradients;
mod layers;
mod model;
mod optimizer;
pub mod ranks;
pub mod sequences;
mod training;

#[cfg(feature = "checkpoint")]
pub use archive::{Archive, Stateful};
pub use error::Error;
#[cfg(feature = "checkpoint")]
pub use files::{Checkpoint, Loaded, ModelFile, Numbered, load, save};
pub use gradients::ModelGradients;
pub use layers::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool, AdaptiveMaxPool1d,
    AdaptiveMaxPool2d, AdaptiveMaxPool3d, AttentionMask, AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, BatchNorm1d,
    BatchNorm2d, BatchNorm3d, Bilinear, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, Dropout, Dropout1d,
    Dropout2d, Embedding, Flatten, FlattenConsecutive, GRU, GroupNorm, LSTM, LayerNorm, Linear, LstmState, MaxPool,
    MaxPool1d, MaxPool2d, MaxPool3d, MinMaxScale, MultiheadAttention, PRelu, PixelShuffle, RMSNorm, RNN, Recomputed,
    Recurrent, RecurrentCell, Residual, Sequential, Standardize, TransformerBlock, Upsample,
};
pub use model::{Func, Kind, Layer, Module, Param, ParamPath, func, predict, predict_by};
pub use optimizer::{
    Adadelta, Adagrad, Adam, AdamW, At, Group, Lbfgs, Lion, Muon, MuonLr, NAdam, OneCycle, Optimizer, Plan, Planned,
    RAdam, RMSprop, ReduceOnPlateau, Rule, Schedule, Sgd, WeightAverage, refresh_statistics,
};
pub use training::fit::{Best, Fit, FitReport, Flow, HistoryRow, Observer, Pass, Progress, Start, Stopped, Weights};
#[cfg(feature = "checkpoint")]
pub use training::fit::{CheckpointAt, Kept, Resume};
pub use training::{
    Augment, Batches, Carried, EarlyStopping, Prefetch, Rows, Shards, folds, folds_stratified, metrics, split,
    split_stratified,
};

/// The activations as layers, by their own names: for `seq![…, Tanh]`.
pub mod activations {
    pub use tensor::Activation::{self, *};
}

/// What the macro [`module!`] needs in the crate that calls it.
#[doc(hidden)]
pub mod private {
    pub use tensor::Float;

    pub use crate::model::{InTorch, picture};
}
