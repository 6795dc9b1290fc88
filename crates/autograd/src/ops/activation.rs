//! Functions of one element that make a network more than a product of matrices.

use tensor::Float;

use crate::Var;

impl<T: Float> Var<'_, T> {
    /// Hyperbolic tangent of each element: y = tanh x,  x̄ = ȳ (1 − y²).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0, 20.0]));
    /// let gradients = x.tanh().sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([1.0, 0.0]))); // the second is saturated
    /// ```
    pub fn tanh(self) -> Self {
        let y = self.value().tanh();
        self.record("tanh", y.clone()).wrt(self, move |g| g.tanh_backward(&y)).done()
    }

    /// The logistic function of each element: y = σ(x) = 1 / (1 + e⁻ˣ),  x̄ = ȳ y (1 − y).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0, 100.0]));
    /// let gradients = x.sigmoid().sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([0.25, 0.0]))); // the second is saturated
    /// ```
    pub fn sigmoid(self) -> Self {
        let y = self.value().sigmoid();
        self.record("sigmoid", y.clone()).wrt(self, move |g| g.sigmoid_backward(&y)).done()
    }

    /// The rectifier of each element: y = max(x, 0),  x̄ = ȳ where y > 0, else 0. At the kink x̄ is 0, as in PyTorch.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1.0, 0.0, 2.0]));
    /// let gradients = x.relu().sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([0.0, 0.0, 1.0])));
    /// ```
    pub fn relu(self) -> Self {
        let y = self.value().relu();
        self.record("relu", y.clone()).wrt(self, move |g| g.relu_backward(&y)).done()
    }

    /// The Gaussian error linear unit of each element (Hendrycks and Gimpel, 2016, *Gaussian Error Linear Units*):
    /// y = x Φ(x),  x̄ = ȳ (Φ(x) + x φ(x)), with the standard normal distribution function Φ and its density φ.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-100.0, 0.0, 100.0]));
    /// let gradients = x.gelu().sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([0.0, 0.5, 1.0])));
    /// ```
    pub fn gelu(self) -> Self {
        let x = self.value();
        self.record("gelu", x.gelu()).wrt(self, move |g| g.gelu_backward(&x)).done()
    }
}

#[cfg(test)]
mod tests {
    use tensor::Tensor;

    use crate::Tape;
    use crate::check::testing::assert_gradients;

    const SHAPES: [&[usize]; 3] = [&[3, 4], &[], &[0, 4]];

    #[test]
    fn tanh() {
        for dims in SHAPES {
            assert_gradients(&[dims], |x| x[0].tanh());
        }
    }

    #[test]
    fn sigmoid() {
        for dims in SHAPES {
            assert_gradients(&[dims], |x| x[0].sigmoid());
        }
    }

    #[test]
    fn relu() {
        for dims in SHAPES {
            assert_gradients(&[dims], |x| x[0].relu());
        }
    }

    #[test]
    fn gelu() {
        for dims in SHAPES {
            assert_gradients(&[dims], |x| x[0].gelu());
            assert_gradients(&[dims], |x| x[0].scale(4.0).gelu());
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so_on_the_way_back() {
        for op in 0..4 {
            let tape = Tape::new();
            let x = tape.leaf(Tensor::from([f32::NAN, 1.0]));
            let y = [x.relu(), x.gelu(), x.sigmoid(), x.tanh()][op];
            let gradients = (y * x).sum(..).backward();
            let gradient = gradients.get(x).unwrap().to_vec();
            assert!(gradient[0].is_nan() && gradient[1].is_finite());
        }
    }
}
