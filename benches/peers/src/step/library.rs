//! What the libraries have in common.

use super::models::Model;

/// A library that trains a model.
pub trait Library: Sized {
    const NAME: &'static str;

    /// With the model's weights and data, which are the same numbers in each library.
    fn new(model: Model) -> Self;

    /// A step on the examples of those numbers; its loss.
    fn step(&mut self, batch: &[i64]) -> f32;
}
