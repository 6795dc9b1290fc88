//! Tensors in files: what the formats have in common. Features `npy` and `safetensors`; `images`, of data sets; and
//! `csv`, whose files hold text.
//!
//! The formats themselves are in the modules `tensor::npy`, `tensor::safetensors` and `tensor::csv`, each
//! behind the feature of its name. They keep to the same rules:
//!
//! - The dtype of a tensor is a type parameter; that of a file is known only when it is read. An `AnyTensor` holds
//!   what came, and its `get` asks for a type.
//! - A broken file is an [`Error`] with the path and the reason, never a panic. Memory is taken for what a file
//!   holds, not for what its header claims.
//! - Files are written beside their path and renamed when they are complete and on disk: an interrupted write leaves
//!   the old file, or none, but never half of one.
//! - Elements are written in row-major order and as little endian, views included.

#[cfg(any(feature = "npy", feature = "safetensors"))]
mod any;
#[cfg(any(feature = "npy", feature = "safetensors"))]
mod bytes;
#[cfg(feature = "csv")]
pub mod csv;
mod error;
#[cfg(any(feature = "images", feature = "npy", feature = "safetensors"))]
mod foreign;
#[cfg(feature = "images")]
pub mod images;
#[cfg(feature = "npy")]
pub mod npy;
#[cfg(feature = "npy")]
mod npz;
#[cfg(feature = "safetensors")]
pub mod safetensors;

#[cfg(any(feature = "npy", feature = "safetensors"))]
pub use any::AnyTensor;
pub use error::{Error, Reason};
