#![deny(unsafe_code)]
//! A strided tensor for the CPU.
//!
//! [`Tensor<T>`](Tensor) is an array of any rank over shared storage. Reshaping, transposing, permuting, slicing and
//! broadcasting make views and copy nothing; arithmetic broadcasts on both sides; large work is shared among threads,
//! and the result has the same bits at any number of them. Names are PyTorch's where it has one.
//!
//! ```
//! use tensor::{Tensor, keepdim};
//!
//! let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
//! let centred = &x - x.mean(keepdim(0));
//! assert_eq!(centred, Tensor::from([[-1.5, -1.5, -1.5], [1.5, 1.5, 1.5]]));
//! assert_eq!(x.matmul(&x.t()).dims(), [2, 2]);
//! ```
//!
//! A shape mistake is a bug in the program and panics at the caller's line with the op and both shapes. Shapes and
//! data from outside go through [`Tensor::try_from_vec`] and [`Tensor::try_reshape`], which return an [`Error`].
//!
//! # Features
//! None is on by default, and each brings the crate that it is named after or needs.
//! - `csv`: tables in `.csv` files, in the module `csv`.
//! - `images`: MNIST's and CIFAR's own files, in the module `images`.
//! - `npy`: NumPy's `.npy` and `.npz` files, in the module `npy`.
//! - `safetensors`: `.safetensors` files, in the module `safetensors`.
//! - `ndarray`: conversions from and into the arrays of `ndarray`.
//! - `approx`: `assert_relative_eq!` and its like on tensors.
//! - `matrixmultiply`: matrix products by that crate instead of our own loops, for processors that ours are not tuned for (it
//!   has kernels for NEON), and for its very rounding. Given up is that a product has the same bits on every machine and at
//!   any number of threads, and on x86-64 speed.

#[cfg(feature = "approx")]
mod approx;
mod axes;
mod buffer;
mod compiled;
mod convert;
mod create;
mod dims;
mod display;
mod element;
mod error;
mod file;
#[cfg(any(feature = "csv", feature = "images", feature = "npy", feature = "safetensors"))]
pub mod io;
mod iter;
#[allow(unsafe_code)]
mod kernel;
mod layout;
#[cfg(feature = "ndarray")]
mod ndarray;
mod operand;
mod ops;
mod par;
mod place;
mod random;
mod ranges;
mod shape;
mod span;
mod spatial;
mod split;
mod tensor;
#[cfg(test)]
mod testing;
mod view;
mod walk;

pub use buffer::{clear_pool, set_pool_limit};
pub use element::{Element, Float, Number, Signed};
pub use error::{Error, Reason};
pub use file::replace_file;
#[cfg(feature = "csv")]
pub use io::csv;
#[cfg(feature = "images")]
pub use io::images;
#[cfg(feature = "npy")]
pub use io::npy;
#[cfg(feature = "safetensors")]
pub use io::safetensors;
pub use iter::{AxisIter, Iter};
#[doc(hidden)]
pub use kernel::Cell;
#[doc(hidden)]
pub use kernel::ElementwiseLoss;
pub use kernel::{Activation, Arithmetic, Dtype, Isa, Live, Real, Saved, Scalar, Update, WithSign, isa};
pub use layout::Layout;
pub use operand::Operand;
pub use ops::{Accum, Axes, KeepDim, Pad, Pullback, keepdim};
#[doc(hidden)]
pub use ops::{Moves, Recurrence, RecurrentGradients, Resampling, adaptive_windows};
pub use par::{for_each, threads, with_threads};
#[doc(hidden)]
pub use place::{Whereabouts, Within};
pub use shape::{INFER, IntoShape, Shape};
pub use span::{Position, Span};
pub use spatial::{Conv, ConvTranspose, Each, Interpolation, Padding, Pool, Resize};
pub use tensor::Tensor;
