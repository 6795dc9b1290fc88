//! Functions of one element that make a network more than a product of matrices.

use tensor::{Activation, Float, Saved};

use crate::Var;

impl<T: Float> Var<'_, T> {
    /// An activation of each element: what [`tanh`](Self::tanh) and the others are, given by name.
    ///
    /// y = f(x),  x̄ = ȳ f′(x).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Activation, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1.0, 2.0]));
    /// assert_eq!(x.activation(Activation::Relu).value(), Tensor::from([0.0, 2.0]));
    /// ```
    pub fn activation(self, f: Activation) -> Self {
        let x = self.value();
        let y = x.activation(f);
        let saved = if f.saves() == Saved::Input { x } else { y.clone() };
        self.record(f, y).wrt(self, move |g| g.pullback(f, &saved)).done()
    }

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
        self.activation(Activation::Tanh)
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
        self.activation(Activation::Sigmoid)
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
        self.activation(Activation::Relu)
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
        self.activation(Activation::Gelu)
    }

    /// The sigmoid linear unit of each element, also called Swish (Ramachandran et al., 2017, *Searching for Activation
    /// Functions*): y = x σ(x),  x̄ = ȳ σ(x) (1 + x (1 − σ(x))).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1000.0, 0.0, 1000.0]));
    /// let gradients = x.silu().sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([0.0, 0.5, 1.0])));
    /// ```
    pub fn silu(self) -> Self {
        self.activation(Activation::Silu)
    }

    /// The leaky rectifier of each element, with this slope below 0 (Maas et al., 2013, *Rectifier Nonlinearities Improve Neural
    /// Network Acoustic Models*): y = max(x, 0) + slope · min(x, 0),  x̄ = ȳ where x > 0, else slope · ȳ, also at the kink, as
    /// in PyTorch, whose usual slope is 0.01.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-4.0, 0.0, 3.0]));
    /// let gradients = x.leaky_relu(0.25).sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([0.25, 0.25, 1.0])));
    /// ```
    pub fn leaky_relu(self, slope: f64) -> Self {
        self.activation(Activation::LeakyRelu(slope))
    }

    /// A smooth rectifier of each element (Dugas et al., 2001, *Incorporating Second-Order Functional Knowledge for Better Option
    /// Pricing*): y = ln(1 + eˣ),  x̄ = ȳ σ(x).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1000.0, 0.0, 1000.0]));
    /// let gradients = x.softplus().sum(..).backward();
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([0.0, 0.5, 1.0])));
    /// ```
    pub fn softplus(self) -> Self {
        self.activation(Activation::Softplus)
    }
}

#[cfg(test)]
mod tests {
    use tensor::{Activation, Tensor};

    use crate::Tape;
    use crate::check::testing::assert_gradients;

    const SHAPES: [&[usize]; 3] = [&[3, 4], &[], &[0, 4]];

    #[test]
    fn every_activation() {
        for &f in Activation::ALL {
            for dims in SHAPES {
                assert_gradients(&[dims], |x| x[0].activation(f));
                assert_gradients(&[dims], |x| x[0].scale(4.0).activation(f));
            }
        }
    }

    #[test]
    fn each_has_a_method_of_its_name() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([-1.0, 2.0]));
        let methods = [x.tanh(), x.sigmoid(), x.relu(), x.gelu(), x.silu(), x.leaky_relu(0.01), x.softplus()];
        assert_eq!(methods.len(), Activation::ALL.len(), "each activation has a method");
        for (y, &f) in methods.iter().zip(Activation::ALL) {
            assert_eq!((y.op(), y.value()), (f.name(), x.value().activation(f)));
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so_on_the_way_back() {
        for &f in Activation::ALL {
            let tape = Tape::new();
            let x = tape.leaf(Tensor::from([f32::NAN, 1.0]));
            let gradients = (x.activation(f) * x).sum(..).backward();
            let gradient = gradients.get(x).unwrap().to_vec();
            assert!(gradient[0].is_nan() && gradient[1].is_finite());
        }
    }
}
