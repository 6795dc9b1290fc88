//! Exponential and other functions of one element.

use tensor::{Float, Saved};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// y = eˣ of each element,  x̄ = ȳ y.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([0.0])).exp().item(), 1.0);
    /// ```
    pub fn exp(self) -> Self {
        let y = self.peek().exp();
        self.record("exp", y.clone()).wrt(self, move |g| g * &y).done()
    }

    /// y = eˣ − 1 of each element, accurate near 0,  x̄ = ȳ (y + 1); PyTorch's `expm1`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1e-20])).exp_m1().item(), 1e-20);
    /// ```
    #[doc(alias = "expm1")]
    pub fn exp_m1(self) -> Self {
        let y = self.peek().exp_m1();
        self.record("exp_m1", y.clone()).wrt(self, move |g| g * (&y + T::ONE)).done()
    }

    /// The natural logarithm of each element: y = ln x,  x̄ = ȳ / x; PyTorch's `log`. −∞ of 0, NaN of less.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0])).ln().item(), 0.0);
    /// ```
    #[doc(alias = "log")]
    pub fn ln(self) -> Self {
        let x = self.value();
        self.record("ln", x.ln()).wrt(self, move |g| g / &x).done()
    }

    /// y = ln(1 + x) of each element, accurate near 0,  x̄ = ȳ / (1 + x); PyTorch's `log1p`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1e-20])).ln_1p().item(), 1e-20);
    /// ```
    #[doc(alias = "log1p")]
    pub fn ln_1p(self) -> Self {
        let x = self.value();
        self.record("ln_1p", x.ln_1p()).wrt(self, move |g| g / (&x + T::ONE)).done()
    }

    /// The sine of each element, in radians: y = sin x,  x̄ = ȳ cos x.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.0]));
    /// assert_eq!(x.sin().backward().get(x), Some(&Tensor::from([1.0])));
    /// ```
    pub fn sin(self) -> Self {
        let x = self.value();
        let role = Role::Function { f: f64::sin, slope: f64::cos, saves: Saved::Input };
        self.record(Op::new("sin", role), x.sin()).wrt(self, move |g| g * x.cos()).done()
    }

    /// The cosine of each element, in radians: y = cos x,  x̄ = −ȳ sin x.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([0.0])).cos().item(), 1.0);
    /// ```
    pub fn cos(self) -> Self {
        let x = self.value();
        let role = Role::Function { f: f64::cos, slope: |x| -x.sin(), saves: Saved::Input };
        self.record(Op::new("cos", role), x.cos()).wrt(self, move |g| -(g * x.sin())).done()
    }

    /// The error function of each element: y = 2/√π ∫₀ˣ exp(−t²) dt,  x̄ = 2/√π exp(−x²) ȳ.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([0.0, 10.0])).erf().value(), Tensor::from([0.0, 1.0]));
    /// ```
    pub fn erf(self) -> Self {
        let x = self.value();
        self.record("erf", x.erf())
            .wrt(self, move |g| g * (-x.square()).exp() * T::from_f64(std::f64::consts::FRAC_2_SQRT_PI))
            .done()
    }

    /// The size of each element: y = |x|,  x̄ = ȳ sign x, which is 0 at 0, as in PyTorch.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-2.0, 0.0]));
    /// assert_eq!(x.abs().sum(..).backward().get(x), Some(&Tensor::from([-1.0, 0.0])));
    /// ```
    pub fn abs(self) -> Self {
        let x = self.value();
        self.record("abs", x.abs()).wrt(self, move |g| g * x.sign()).done()
    }
}
