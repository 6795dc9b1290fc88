//! Axes that several layouts have in common, joined where all of them allow it.

use crate::dims::Dims;

/// Sizes of axes, outermost first, and what `N` layouts have for strides along them.
pub(crate) struct Axes<const N: usize> {
    pub(crate) sizes: Dims<usize>,
    pub(crate) strides: [Dims<isize>; N],
}

impl<const N: usize> Axes<N> {
    pub(crate) fn new() -> Self {
        Axes { sizes: Dims::new(), strides: std::array::from_fn(|_| Dims::new()) }
    }

    /// Adds an axis inside the others. One of size 1 vanishes; one that continues the last axis in every layout becomes a
    /// part of it.
    pub(crate) fn push(&mut self, size: usize, strides: [isize; N]) {
        if size == 1 {
            return;
        }
        let continues = |(own, stride): (&Dims<isize>, isize)| {
            own.last().is_some_and(|&last| last == stride.wrapping_mul(size as isize))
        };
        if size != 0 && self.strides.iter().zip(strides).all(continues) {
            *self.sizes.last_mut().expect("strides and sizes have one length") *= size;
            for (own, stride) in self.strides.iter_mut().zip(strides) {
                *own.last_mut().expect("checked by `continues`") = stride;
            }
        } else {
            self.sizes.push(size);
            for (own, stride) in self.strides.iter_mut().zip(strides) {
                own.push(stride);
            }
        }
    }
}
