#![forbid(unsafe_code)]
//! Build and train neural networks on the CPU: the family's crates under one name.
//!
//! - [`tensor`]: a strided array: views without copies, broadcasting, a parallel matrix product
//! - [`autograd`]: a tape of reverse-mode ops, and a checker that proves gradients in f64
//! - [`init`]: every weight initializer of the field, seeded and tested against its exact distribution; PyTorch's generator
//! - [`nn`]: parameters, layers, optimizers, checkpoints, and a training in one call
//! - [`diagnose`]: how a model starts, what is wrong with it, and what cures it
//!
//! The features `csv`, `npy`, `safetensors`, `ndarray`, `approx` and `matrixmultiply` are those of [`tensor`], `checkpoint` is that of
//! [`nn`], `serde` and `html` those of [`diagnose`]; none is on by default.
//!
//! Each example of the family's pages compiles as it stands below one line, which brings the crates by their names and the
//! [`prelude`]:
//!
//! ```
//! use evenkeel::prelude::*;
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(42);
//! let layer = Linear::new(30, 200, &init::kaiming_normal(Gain::Tanh), &mut rng)?;
//! let tape = Tape::new();
//! let h = layer.forward(tape.constant(Tensor::ones([32, 30]))).tanh();
//! assert_eq!(h.shape().dims(), [32, 200]);
//! # Ok::<(), evenkeel::Error>(())
//! ```
//!
//! # In a project of your own
//!
//! Each crate also stands alone: `tensor = { package = "evenkeel-tensor", path = "…/crates/tensor" }` is for arrays only.
//!
//! ```toml
//! [dependencies]
//! evenkeel = { path = "../evenkeel", features = ["checkpoint"] }
//!
//! [profile.release]
//! incremental = true # a build after an edit takes a quarter as long
//! ```
//!
//! A dev build is compiled sooner, and runs some forty times as long. Who works in it, with a debugger or its checks, has it
//! optimized too; the first build then takes four times as long, and what it makes runs as fast as a release build, or nearly:
//!
//! ```toml
//! [profile.dev] # what is generic is compiled with your own crate
//! opt-level = 1
//!
//! [profile.dev.package."*"] # and the crates that you use are optimized
//! opt-level = 3
//! ```

mod error;

pub use error::{Error, Result};
pub use {autograd, diagnose, init, nn, tensor};

/// What most programs need: `use evenkeel::prelude::*;`
///
/// Types and traits come by their names, functions with their module: `init::zeros()` is an initializer, as PyTorch's
/// `nn.init.zeros_` is, and `zeros` is left to you.
pub mod prelude {
    pub use autograd::{self, Gradients, Mode, Tape, Var};
    pub use diagnose::{self, Inspector, Watch};
    pub use init::{self, Gain, Initializer};
    pub use nn::{
        self, Adam, AdamW, BatchNorm1d, BatchNorm2d, Batches, Carried, Conv1d, Conv2d, Dropout, Embedding, Fit,
        Flatten, Flow, GRU, LSTM, Layer, LayerNorm, Linear, LstmState, MaxPool2d, MinMaxScale, ModelGradients, Module,
        MultiheadAttention, Optimizer, Param, Progress, RNN, Recurrent, ReduceOnPlateau, Residual, Schedule,
        Sequential, Sgd, Standardize, TransformerBlock, metrics, module, seq,
    };
    #[cfg(feature = "checkpoint")]
    pub use nn::{Checkpoint, Resume};
    pub use rand_chacha::rand_core::SeedableRng;
    pub use rand_chacha::{self, ChaCha8Rng};
    #[cfg(feature = "csv")]
    pub use tensor::csv::Table;
    pub use tensor::{self, Activation, Conv, Float, INFER, Padding, Pool, Shape, Tensor};
}

/// The README's examples, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
