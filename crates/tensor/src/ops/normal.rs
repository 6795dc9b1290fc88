//! The passes of the norms, each of several operands at once; for the tape.

use super::elementwise::fused;
use crate::element::Float;
use crate::error::{Error, OrPanic};
use crate::kernel::{Affine, Centered, Normalized, Standardized, WeightedCentered};
use crate::tensor::Tensor;

#[doc(hidden)]
impl<T: Float> Tensor<T> {
    /// (self − mean) · rstd; all broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[track_caller]
    pub fn standardized(&self, mean: &Self, rstd: &Self) -> Self {
        T::standardized(self, mean, rstd).or_panic()
    }

    /// self · weight + bias, each rounded; all broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[track_caller]
    pub fn affine(&self, weight: &Self, bias: &Self) -> Self {
        T::affine(self, weight, bias).or_panic()
    }

    /// (self − mean) · rstd · weight + bias, each rounded: [`affine`](Self::affine) of [`standardized`](Self::standardized) in one pass;
    /// all broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[track_caller]
    pub fn normalized(&self, mean: &Self, rstd: &Self, weight: &Self, bias: &Self) -> Self {
        T::normalized(self, [mean, rstd, weight, bias]).or_panic()
    }

    /// (self − mean − x · along) · slope: the pullback of a norm with respect to its input; all broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[track_caller]
    pub fn centered(&self, mean: &Self, x: &Self, along: &Self, slope: &Self) -> Self {
        T::centered(self, [mean, x, along, slope]).or_panic()
    }

    /// As [`centered`](Self::centered), of self · weight.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    #[track_caller]
    pub fn weighted_centered(&self, weight: &Self, mean: &Self, x: &Self, along: &Self, slope: &Self) -> Self {
        T::weighted_centered(self, [weight, mean, x, along, slope]).or_panic()
    }
}

pub(crate) fn standardized<T: Float>(x: &Tensor<T>, mean: &Tensor<T>, rstd: &Tensor<T>) -> Result<Tensor<T>, Error> {
    fused("standardized", [x, mean, rstd], Standardized)
}

pub(crate) fn affine<T: Float>(x: &Tensor<T>, weight: &Tensor<T>, bias: &Tensor<T>) -> Result<Tensor<T>, Error> {
    fused("affine", [x, weight, bias], Affine)
}

pub(crate) fn normalized<T: Float>(x: &Tensor<T>, rest: [&Tensor<T>; 4]) -> Result<Tensor<T>, Error> {
    let [mean, rstd, weight, bias] = rest;
    fused("normalized", [x, weight, bias, mean, rstd], Normalized)
}

pub(crate) fn centered<T: Float>(g: &Tensor<T>, rest: [&Tensor<T>; 4]) -> Result<Tensor<T>, Error> {
    let [mean, x, along, slope] = rest;
    fused("centered", [g, x, mean, along, slope], Centered)
}

pub(crate) fn weighted_centered<T: Float>(g: &Tensor<T>, rest: [&Tensor<T>; 5]) -> Result<Tensor<T>, Error> {
    let [weight, mean, x, along, slope] = rest;
    fused("weighted_centered", [g, weight, x, mean, along, slope], WeightedCentered)
}
