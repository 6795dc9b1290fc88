//! Softmax of one row.

use super::isa::{self, Kernel};
use super::simd::Simd;
use super::sum::sum_slice;
use crate::element::Float;

/// Turns a row x, which is not empty, into its softmax; returns its largest element and ln Σₖ exp(xₖ − largest).
///
/// Apart, since their sum would round the second away where the first is large.
pub(crate) fn softmax<T: Float>(x: &mut [T]) -> (T, T) {
    isa::dispatch(Softmax(x))
}

struct Softmax<'a, T>(&'a mut [T]);

impl<T: Float> Kernel for Softmax<'_, T> {
    type Output = (T, T);

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> (T, T) {
        let Softmax(x) = self;
        let largest = x.iter().copied().fold(x[0], |a, b| if b > a { b } else { a });
        for x in x.iter_mut() {
            *x = (*x - largest).exp();
        }
        let sum = sum_slice(x);
        for x in x.iter_mut() {
            *x /= sum;
        }
        (largest, sum.ln())
    }
}
