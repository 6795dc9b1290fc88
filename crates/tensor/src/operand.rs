//! What may stand on the other side of an op of two tensors.

use std::borrow::Cow;

use crate::element::Element;
use crate::tensor::Tensor;

/// What may stand on the other side of an elementwise op: a tensor, by value or reference, or a number.
pub trait Operand<T: Element> {
    /// The operand as a tensor; a number is a scalar.
    #[doc(hidden)]
    fn tensor(&self) -> Cow<'_, Tensor<T>>;
}

impl<T: Element> Operand<T> for T {
    fn tensor(&self) -> Cow<'_, Tensor<T>> {
        Cow::Owned(Tensor::scalar(*self))
    }
}

impl<T: Element> Operand<T> for Tensor<T> {
    fn tensor(&self) -> Cow<'_, Tensor<T>> {
        Cow::Borrowed(self)
    }
}

impl<T: Element> Operand<T> for &Tensor<T> {
    fn tensor(&self) -> Cow<'_, Tensor<T>> {
        Cow::Borrowed(self)
    }
}
