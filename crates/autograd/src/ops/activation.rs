//! Functions of one element that make a network more than a product of matrices.

use tensor::{Activation, Float, Saved, ensure};

use crate::{Op, Role, Var};

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
        let y = self.peek().activation(f);
        let saved = if f.saves() == Saved::Input { self.value() } else { y.clone() };
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

    /// The exponential linear unit of each element, with this α (Clevert et al., 2016, *Fast and Accurate Deep Network Learning by
    /// Exponential Linear Units*): y = x above 0, else α (eˣ − 1);  x̄ = ȳ above 0, else α eˣ ȳ, also at the kink. PyTorch's default α is
    /// 1.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1000.0, 0.0, 3.0]));
    /// let y = x.elu(2.0);
    /// assert_eq!(y.value(), Tensor::from([-2.0, 0.0, 3.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 2.0, 1.0])));
    /// ```
    pub fn elu(self, alpha: f64) -> Self {
        self.activation(Activation::Elu(alpha))
    }

    /// The scaled exponential linear unit of each element (Klambauer et al., 2017, *Self-Normalizing Neural Networks*): λ times
    /// [`elu`](Self::elu) of α, with λ = 1.0507… and α = 1.6733…, by which a normal signal keeps its mean and its variance.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0, 1.0]));
    /// assert_eq!(x.selu().value(), Tensor::from([0.0, 1.050_701]));
    /// ```
    pub fn selu(self) -> Self {
        self.activation(Activation::Selu)
    }

    /// [`gelu`](Self::gelu) by its approximation of Hendrycks and Gimpel (2016), as GPT-2 has it and PyTorch's `approximate="tanh"`:
    /// y = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-100.0, 0.0, 100.0]));
    /// let y = x.gelu_tanh();
    /// assert_eq!(y.value(), Tensor::from([0.0, 0.0, 100.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 0.5, 1.0])));
    /// ```
    #[doc(alias = "approximate")]
    pub fn gelu_tanh(self) -> Self {
        self.activation(Activation::GeluTanh)
    }

    /// Mish of each element (Misra, 2020, *Mish: A Self Regularized Non-Monotonic Activation Function*): y = x tanh ln(1 + eˣ).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1000.0, 0.0, 1000.0]));
    /// let y = x.mish();
    /// assert_eq!(y.value(), Tensor::from([0.0, 0.0, 1000.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 0.6, 1.0])));
    /// ```
    pub fn mish(self) -> Self {
        self.activation(Activation::Mish)
    }

    /// Each element between −1 and 1 (Collobert, 2004): y = −1 below, 1 above;  x̄ = ȳ between them, 0 beyond and at both kinks, as in
    /// PyTorch. Between other ends there is [`clamp`](Self::clamp).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-2.0, 0.5, 1.0]));
    /// let y = x.hardtanh();
    /// assert_eq!(y.value(), Tensor::from([-1.0, 0.5, 1.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 1.0, 0.0])));
    /// ```
    pub fn hardtanh(self) -> Self {
        self.activation(Activation::Hardtanh)
    }

    /// A line between 0 and 1 of each element (Howard et al., 2019, *Searching for MobileNetV3*): y = (x + 3)/6 from −3 to 3;  x̄ = ȳ/6
    /// between them, 0 beyond and at both kinks, as in PyTorch.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-4.0, 0.0, 3.0]));
    /// let y = x.hard_sigmoid();
    /// assert_eq!(y.value(), Tensor::from([0.0, 0.5, 1.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 1.0 / 6.0, 0.0])));
    /// ```
    pub fn hard_sigmoid(self) -> Self {
        self.activation(Activation::HardSigmoid)
    }

    /// x times [`hard_sigmoid`](Self::hard_sigmoid) of each element (Howard et al., 2019, *Searching for MobileNetV3*): x̄ = ȳ (2x + 3)/6
    /// from −3 to 3, 0 below, ȳ above; at −3 it is 0 and at 3 ȳ, as in PyTorch.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-4.0, 0.0, 4.0]));
    /// let y = x.hard_swish();
    /// assert_eq!(y.value(), Tensor::from([0.0, 0.0, 4.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 0.5, 1.0])));
    /// ```
    pub fn hard_swish(self) -> Self {
        self.activation(Activation::HardSwish)
    }

    /// The logarithm of [`sigmoid`](Self::sigmoid) of each element, without loss: y = −ln(1 + e⁻ˣ),  x̄ = ȳ σ(−x).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1000.0, 1000.0]));
    /// let y = x.log_sigmoid();
    /// assert_eq!(y.value(), Tensor::from([-1000.0, 0.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([1.0, 0.0])));
    /// ```
    pub fn log_sigmoid(self) -> Self {
        self.activation(Activation::LogSigmoid)
    }

    /// The leaky rectifier with a slope that is trained (He et al., 2015, *Delving Deep into Rectifiers*), one for all or one for each
    /// channel, which is axis 1: y = x above 0, else w x;  x̄ = ȳ above 0, else w ȳ;  w̄ = Σ ȳ x where x ≤ 0. PyTorch begins with 0.25.
    ///
    /// # Panics
    /// The weight is neither `[1]` nor `[C]`, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, w) = (tape.leaf(Tensor::from([-4.0, 3.0])), tape.leaf(Tensor::from([0.25])));
    /// let y = x.prelu(w);
    /// assert_eq!(y.value(), Tensor::from([-1.0, 3.0]));
    /// assert_eq!(y.sum(..).backward().get(w), Some(&Tensor::from([-4.0])));
    /// ```
    #[track_caller]
    pub fn prelu(self, weight: Self) -> Self {
        let (x, w) = (self.value(), weight.value());
        let channels = if x.rank() < 2 { 1 } else { x.dims()[1] };
        ensure!(
            w.dims() == [1] || w.dims() == [channels],
            "prelu: {} needs one slope, or one for each of {channels} channels, got {}",
            x.shape(),
            w.shape()
        );
        // Along axis 1 of x.
        let wide = match w.numel() {
            1 => w.reshape([1; 0]),
            _ => w.reshape([&[channels][..], &vec![1; x.rank() - 2]].concat()),
        };
        // To a reader of the tape it is the rectifier with the mean of the slopes.
        let mean = w.iter().map(|w| w.to_f64()).sum::<f64>() / w.numel() as f64;
        let op = Op::new("prelu", Role::Activation(Activation::LeakyRelu(mean)));
        self.record(op, x.prelu(&wide))
            .wrt(self, {
                let (x, wide) = (x.clone(), wide.clone());
                move |g| g * x.prelu_slope(&wide)
            })
            .wrt(weight, move |g| g.masked_mul(&x.minimum(T::ZERO)).sum_to(wide.shape()).reshape(w.shape()))
            .done()
    }

    /// Half of an axis, gated by the other half (Dauphin et al., 2017, *Language Modeling with Gated Convolutional Networks*): a σ(b)
    /// with a and b the two halves.
    ///
    /// # Panics
    /// The axis is out of range, or its size is odd.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([3.0, 0.0])).glu(0).value(), Tensor::from([1.5]));
    /// ```
    #[track_caller]
    pub fn glu(self, axis: isize) -> Self {
        let size = self.peek().size(axis);
        ensure!(
            size.is_multiple_of(2),
            "glu: axis {axis} of {} has {size} indices, which are no two halves",
            self.shape()
        );
        self.narrow(axis, 0, size / 2) * self.narrow(axis, size / 2, size / 2).sigmoid()
    }
}

#[cfg(test)]
mod tests {
    use tensor::{Activation, Tensor};

    use crate::Tape;

    #[test]
    fn each_has_a_method_of_its_name() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([-1.0, 2.0]));
        let methods = [
            x.tanh(),
            x.sigmoid(),
            x.relu(),
            x.gelu(),
            x.silu(),
            x.leaky_relu(0.01),
            x.gelu_tanh(),
            x.mish(),
            x.elu(1.0),
            x.selu(),
            x.softplus(),
            x.log_sigmoid(),
            x.hardtanh(),
            x.hard_sigmoid(),
            x.hard_swish(),
        ];
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
