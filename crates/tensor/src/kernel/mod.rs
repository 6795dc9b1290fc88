//! The loops over numbers, on slices: nothing here knows of tensors, shapes or threads.
//!
//! All of the crate's `unsafe` lives in this folder.

mod elementwise;
mod matmul;
mod sum;

pub(crate) use elementwise::{Row, map, zip, zip_assign};
#[allow(unreachable_pub, reason = "a supertrait of the public `Float`, which keeps it sealed")]
pub use matmul::Gemm;
pub(crate) use matmul::{Matrix, matmul};
pub(crate) use sum::{add_rows, sum};
