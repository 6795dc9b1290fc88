//! What a tensor may hold: the dtype is a type parameter.
//!
//! Arithmetic on one value is in `kernel::scalar`. What is added here are the tables of functions that are compiled in this
//! crate for each of the types (`compiled`), and with them the seal: nobody else can implement these traits.

use crate::buffer::Pooled;
use crate::compiled::{ElementOps, FloatOps, NumberOps, SignedOps};
use crate::convert::Convert;
use crate::kernel::{Arithmetic, Carried, Drawn, Real, Scalar, Vectorized, WithSign};
use crate::ops::Cast;

/// A type that a [`Tensor`](crate::Tensor) can hold: `f32`, `f64`, `i32`, `i64`, `u8` and `bool`.
///
/// # Example
/// ```
/// use tensor::{Dtype, Element, Tensor};
///
/// fn dtype<T: Element>(_: &Tensor<T>) -> Dtype {
///     T::DTYPE
/// }
/// assert_eq!(dtype(&Tensor::from([1.0_f32])), Dtype::F32);
/// ```
pub trait Element: Scalar + Pooled + Convert + Cast + ElementOps {}

/// An element with [arithmetic](Arithmetic).
pub trait Number: Element + Arithmetic + Carried + NumberOps {}

/// An element with a sign: `f32`, `f64`, `i32` and `i64`.
pub trait Signed: Number + WithSign + SignedOps {}

/// A floating-point element: `f32`, in which models run, and `f64`, in which gradients can be checked. Its functions, such as
/// `exp`, are those of [`Real`].
pub trait Float: Signed + Real + FloatOps + Vectorized + Drawn {}

macro_rules! elements {
    ($Trait:ident for $($t:ident)*) => {
        $(impl $Trait for $t {})*
    };
}

elements!(Element for f32 f64 i32 i64 u8 bool);
elements!(Number for f32 f64 i32 i64 u8);
elements!(Signed for f32 f64 i32 i64);
elements!(Float for f32 f64);
