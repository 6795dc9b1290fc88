#![forbid(unsafe_code)]
//! Weight initializers: what a network starts from decides whether it can learn.
//!
//! Each product x · W multiplies the standard deviation of its input by √fan_in. An initializer takes that factor
//! back, times the [`Gain`] that makes up for the non-linearity that follows, so that signals neither grow nor fade
//! from layer to layer.
//!
//! ```
//! use init::{Gain, Initializer};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tensor::{Shape, Tensor};
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(42);
//! let w: Tensor = init::kaiming_normal(Gain::Tanh).init(&Shape::from([30, 200]), &mut rng)?;
//! let wanted = (5.0 / 3.0) / 30_f32.sqrt();
//! assert!((w.std(.., 1).item() / wanted - 1.0).abs() < 0.03);
//! # Ok::<(), init::Error>(())
//! ```
//!
//! # Which one
//!
//! | weights | scheme |
//! |---|---|
//! | before ReLU, GELU, SiLU | [`kaiming_normal`] with [`Gain::Relu`], [`Gain::Gelu`], [`Gain::Silu`] |
//! | before tanh | [`kaiming_normal`] or [`xavier_normal`] with [`Gain::Tanh`] |
//! | before SELU | [`lecun_normal`] with [`Gain::Linear`] |
//! | before an activation of your own | [`kaiming_normal`] with the gain that [`gain_of`] computes |
//! | of the output, before a softmax | [`normal`] with a small standard deviation such as 0.01: a first loss of ln C |
//! | of an embedding | [`normal`] with 1 |
//! | at the end of a residual branch | [`residual`] |
//! | recurrent | [`orthogonal`] |
//! | of a model whose width will grow | [`mup_input`], [`mup_hidden`], [`mup_output`] |
//! | biases | [`zeros`] |
//!
//! The rest is for comparing, and for special cases: [`variance_scaling`], which is the one formula behind most of these,
//! [`uniform`], [`trunc_normal`], [`constant`], [`ones`], [`eye`], [`dirac`], [`sparse`], and what other libraries do by
//! default: [`torch_linear`], [`candle_linear`].
//!
//! The gain of an activation of your own is computed:
//!
//! ```
//! let bump = init::gain_of(|z| z * (-z * z).exp()); // any function of a number
//! let scheme = init::kaiming_normal(init::Gain::Custom(bump.forward()?)); // makes up for it at variance 1
//! assert!(bump.slope(1.0)? < 1.0); // a deep stack returns to that variance
//! # let _ = scheme;
//! # Ok::<(), init::Error>(())
//! ```
//!
//! # Fans
//!
//! Weights are stored `[fan_in, fan_out]` and used as x · W. Convolutions are `[out, in, k₁, …]`. [`FanAxes`] says
//! otherwise.
//!
//! # Random numbers
//!
//! The stream is always passed in, any `Rng` of the crate `rand`. A scheme draws 256 bits from it, the key of a stream of its own
//! ([`Tensor::keyed_normal`](method@tensor::Tensor::keyed_normal)). So large tensors are filled by several threads, and the same
//! seed gives the same bits at any number of them. What a seed gives is a contract, and a change of it is a change of the
//! version. [`torch`] has PyTorch's own generator. [`randn`], [`rand()`] and [`randperm`] make tensors that are no weights.

mod check;
mod constant;
mod draws;
mod error;
mod fan;
mod gain;
mod gain_of;
mod identity;
mod libraries;
mod mup;
mod normal;
mod orthogonal;
mod quantile;
mod scheme;
mod sparse;
mod tensors;
pub mod torch;
mod truncated;
mod uniform;
mod variance;

pub use constant::{Constant, constant, ones, zeros};
pub use error::{Error, Reason};
pub use fan::{FanAxes, FanMode, fans};
pub use gain::Gain;
pub use gain_of::{GainOf, gain_of};
pub use identity::{Dirac, Eye, dirac, eye};
pub use libraries::{candle_linear, torch_linear, torch_linear_bias};
pub use mup::{mup_hidden, mup_input, mup_output};
pub use normal::{Normal, normal, residual};
pub use orthogonal::{Orthogonal, orthogonal};
pub use scheme::{Initializer, Scheme};
pub use sparse::{Sparse, sparse};
pub use tensors::{rand, randint, randn, randperm};
pub use truncated::{TruncatedNormal, trunc_normal};
pub use uniform::{Uniform, uniform};
#[doc(inline)]
pub use variance::{
    Distribution, VarianceScaling, kaiming_normal, kaiming_uniform, lecun_normal, lecun_uniform, variance_scaling,
    xavier_normal, xavier_normal as glorot_normal, xavier_uniform, xavier_uniform as glorot_uniform,
};
