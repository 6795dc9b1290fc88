//! The memory of a tensor.

use std::ops::{Deref, DerefMut};

use crate::element::Element;

/// A run of elements of fixed length; reads as a slice.
pub(crate) struct Buffer<T: Element>(Vec<T>);

impl<T: Element> Buffer<T> {
    /// Zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        Buffer(vec![T::default(); len])
    }

    /// Elements that the caller is about to overwrite, every one: what they hold until then is unspecified.
    pub(crate) fn stale(len: usize) -> Self {
        Buffer::zeroed(len)
    }
}

impl<T: Element> From<Vec<T>> for Buffer<T> {
    fn from(data: Vec<T>) -> Self {
        Buffer(data)
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}
