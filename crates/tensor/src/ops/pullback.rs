//! The pullbacks that are one fused loop: from the gradient of a result to that of its input.

use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::Activation;
use crate::ops::Normalization;
use crate::tensor::Tensor;

/// What [`Tensor::pullback`] goes back through, and what of it is needed for that besides the gradient.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Pullback<'a> {
    /// An activation; saved is what [`Activation::saves`] says.
    ///
    /// x̄ = ȳ f′(x)
    Activation(Activation),
    /// [`Tensor::softmax`] along this axis; saved is y.
    ///
    /// x̄ⱼ = yⱼ (ȳⱼ − Σₖ ȳₖ yₖ)
    Softmax(isize),
    /// [`Tensor::log_softmax`] along this axis; saved is y.
    ///
    /// x̄ⱼ = ȳⱼ − exp yⱼ Σₖ ȳₖ
    LogSoftmax(isize),
    /// [`Tensor::cross_entropy`] with these classes t; saved are the probabilities p, and the gradient has the shape of the
    /// classes.
    ///
    /// x̄ᵢⱼ = ȳᵢ (pᵢⱼ − \[j = tᵢ])
    CrossEntropy(&'a Tensor<i64>),
}

impl From<Activation> for Pullback<'_> {
    fn from(activation: Activation) -> Self {
        Pullback::Activation(activation)
    }
}

impl<T: Float> Tensor<T> {
    /// The gradient x̄ of an op's input, where self is ȳ, the gradient of its result, and `saved` is what the op keeps for
    /// the way back.
    ///
    /// Changes its own buffer if it is the only owner and has the shape of the input.
    ///
    /// # Panics
    /// The shapes do not fit, an axis is out of range, or a class is negative or too large.
    ///
    /// # Example
    /// ```
    /// use tensor::{Activation, Pullback, Tensor};
    ///
    /// let y = Tensor::from([0.0, 0.5, 1.0]);
    /// let gradient = Tensor::from([2.0, 2.0, 2.0]);
    /// assert_eq!(gradient.pullback(Activation::Tanh, &y), Tensor::from([2.0, 1.5, 0.0])); // 1 − y²
    ///
    /// let p = Tensor::from([0.25, 0.75]);
    /// assert_eq!(Tensor::from([1.0, 0.0]).pullback(Pullback::Softmax(0), &p), Tensor::from([0.1875, -0.1875]));
    /// ```
    #[track_caller]
    pub fn pullback<'a>(self, of: impl Into<Pullback<'a>>, saved: &Self) -> Self {
        match of.into() {
            Pullback::Activation(f) => T::pullback(f.pullback_name(), self, saved, f).or_panic(),
            Pullback::Softmax(axis) => {
                let axis = self.line("softmax_backward", saved, axis);
                T::normalize(self, saved, axis, Normalization::SoftmaxBackward)
            }
            Pullback::LogSoftmax(axis) => {
                let axis = self.line("log_softmax_backward", saved, axis);
                T::normalize(self, saved, axis, Normalization::LogSoftmaxBackward)
            }
            Pullback::CrossEntropy(classes) => T::cross_entropy_backward(saved, classes, &self).or_panic(),
        }
    }

    /// The axis, if there is one, of two tensors of the same shape.
    #[track_caller]
    fn line(&self, op: &'static str, saved: &Self, axis: isize) -> usize {
        saved.expect_shape(op, self.shape()).or_panic();
        self.shape().axis(op, axis).or_panic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "gelu_backward: ")]
    fn other_shapes_are_refused() {
        Tensor::<f32>::ones([2]).pullback(Activation::Gelu, &Tensor::ones([3]));
    }
}
