//! Pullbacks of activations, fused.

use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::OfFloats;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The pullback of tanh: self · (1 − y²), where y = tanh x and self is the gradient with respect to y.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The shapes differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0, 0.5, 1.0]);
    /// let gradient = Tensor::from([2.0, 2.0, 2.0]);
    /// assert_eq!(gradient.tanh_backward(&y), Tensor::from([2.0, 1.5, 0.0]));
    /// ```
    #[track_caller]
    pub fn tanh_backward(self, y: &Self) -> Self {
        y.expect_shape("tanh_backward", self.shape()).or_panic();
        T::zip_floats_owned("tanh_backward", self, y, OfFloats::TanhBackward).or_panic()
    }

    /// The pullback of sigmoid: self · y (1 − y), where y = σ(x) and self is the gradient with respect to y.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The shapes differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5, 1.0]);
    /// assert_eq!(Tensor::from([4.0, 4.0]).sigmoid_backward(&y), Tensor::from([1.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn sigmoid_backward(self, y: &Self) -> Self {
        y.expect_shape("sigmoid_backward", self.shape()).or_panic();
        T::zip_floats_owned("sigmoid_backward", self, y, OfFloats::SigmoidBackward).or_panic()
    }

    /// The pullback of relu: self where y = relu(x) is above 0, else 0, also at the kink; self is the gradient with respect to
    /// y.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The shapes differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0, 3.0]);
    /// assert_eq!(Tensor::from([2.0, 2.0]).relu_backward(&y), Tensor::from([0.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn relu_backward(self, y: &Self) -> Self {
        y.expect_shape("relu_backward", self.shape()).or_panic();
        T::zip_floats_owned("relu_backward", self, y, OfFloats::ReluBackward).or_panic()
    }

    /// The pullback of gelu: self · (Φ(x) + x φ(x)), with the standard normal distribution function Φ and its density φ; self is
    /// the gradient with respect to gelu(x).
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The shapes differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([0.0, 100.0, -100.0]);
    /// assert_eq!(Tensor::from([2.0, 2.0, 2.0]).gelu_backward(&x), Tensor::from([1.0, 2.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn gelu_backward(self, x: &Self) -> Self {
        x.expect_shape("gelu_backward", self.shape()).or_panic();
        T::zip_floats_owned("gelu_backward", self, x, OfFloats::GeluBackward).or_panic()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    type Pullback = fn(Tensor<f64>, &Tensor<f64>) -> Tensor<f64>;
    type Slope = fn(f64) -> f64;

    /// Each with the slope that its formula has at y, or for gelu at x.
    fn pullbacks() -> [(Pullback, Slope); 4] {
        [
            (Tensor::tanh_backward, |y| 1.0 - y * y),
            (Tensor::sigmoid_backward, |y| y * (1.0 - y)),
            (Tensor::relu_backward, |y| f64::from(y > 0.0)),
            (Tensor::gelu_backward, |x| {
                let gelu = |x: f64| Tensor::scalar(x).gelu().item();
                (gelu(x - 2e-3) - 8.0 * gelu(x - 1e-3) + 8.0 * gelu(x + 1e-3) - gelu(x + 2e-3)) / 12e-3
            }),
        ]
    }

    #[test]
    fn pullbacks_are_their_formulas_on_any_strides() {
        let g = Tensor::from_fn([7, 5], |i| (i[0] * 5 + i[1]) as f64 / 9.0 - 2.0);
        let y = Tensor::from_fn([5, 7], |i| ((i[0] * 7 + i[1] * 3) % 11) as f64 / 4.0 - 1.2).t();
        for (pullback, slope) in pullbacks() {
            for (g, y) in [(g.clone(), y.clone()), (g.t(), y.t()), (g.slice(0, 3..3), y.slice(0, 3..3))] {
                let got = pullback(g.clone(), &y);
                assert_eq!(got.dims(), g.dims());
                for ((got, g), y) in got.iter().zip(g.iter()).zip(y.iter()) {
                    assert_relative_eq!(got, g * slope(y), epsilon = 1e-10);
                }
            }
        }
    }

    #[test]
    fn the_buffer_of_a_gradient_that_nobody_else_owns_is_used_again() {
        for (pullback, _) in pullbacks() {
            let g = Tensor::full([100], 2.0);
            let before = g.as_slice().unwrap().as_ptr();
            let x = pullback(g, &Tensor::full([100], 0.5));
            assert_eq!(x.as_slice().unwrap().as_ptr(), before);
        }
    }

    #[test]
    #[should_panic(expected = "gelu_backward: ")]
    fn other_shapes_are_refused() {
        Tensor::<f32>::ones([2]).gelu_backward(&Tensor::ones([3]));
    }
}
