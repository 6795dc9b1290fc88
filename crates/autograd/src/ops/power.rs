//! Powers and roots.

use tensor::{Float, Tensor};

use super::arithmetic::{Operand, OperandValue};
use crate::{Op, Role, Var};

impl<'t, T: Float> Var<'t, T> {
    /// The square of each element: y = x²,  x̄ = 2 x ȳ.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([3.0, -4.0]));
    /// assert_eq!(x.square().value(), Tensor::from([9.0, 16.0]));
    /// ```
    pub fn square(self) -> Self {
        let x = self.value();
        self.record(Op::new("square", Role::Squaring), x.square()).wrt(self, move |g| g * &x * T::from_f64(2.0)).done()
    }

    /// A whole power of each element: y = xⁿ,  x̄ = n xⁿ⁻¹ ȳ, which is 0 for n = 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([2.0, -1.0]));
    /// assert_eq!(x.powi(3).value(), Tensor::from([8.0, -1.0]));
    /// ```
    pub fn powi(self, n: i32) -> Self {
        let x = self.value();
        let op = Op::new("powi", if n == 2 { Role::Squaring } else { Role::Other });
        self.record(op, x.powi(n))
            .wrt(self, move |g| match n {
                0 => Tensor::zeros_like(&x),
                // The least number has none below it; of so large a power one more or less is the same.
                _ => g * x.powi(n.saturating_sub(1)) * T::from_f64(n.into()),
            })
            .done()
    }

    /// A power of each element, with the same exponent for all: y = xᵖ,  x̄ = p xᵖ⁻¹ ȳ, which is 0 for p = 0. NaN below 0 unless p
    /// is whole.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([4.0, 9.0]));
    /// assert_eq!(x.powf(1.5).value(), Tensor::from([8.0, 27.0]));
    /// ```
    pub fn powf(self, exponent: T) -> Self {
        let x = self.value();
        self.record("powf", x.powf(exponent))
            .wrt(self, move |g| match exponent == T::ZERO {
                true => Tensor::zeros_like(&x),
                false => g * x.powf(exponent - T::ONE) * exponent,
            })
            .done()
    }

    /// The power of each pair of elements, the exponents on the tape too: y = aᵇ,  ā = ȳ b aᵇ⁻¹,  b̄ = ȳ y ln a; the shapes broadcast.
    ///
    /// Where b is 0, ā is 0; where a is 0 and b is not negative, b̄ is 0, as in PyTorch.
    ///
    /// # Panics
    /// The shapes do not broadcast, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (a, b) = (tape.leaf(Tensor::from([2.0, 9.0])), tape.leaf(Tensor::from([3.0, 0.5])));
    /// assert_eq!(a.pow(b).value(), Tensor::from([8.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn pow(self, exponent: impl Operand<'t, T>) -> Self {
        let exponent = match exponent.into_operand(self.tape()) {
            OperandValue::Number(exponent) => return self.powf(exponent),
            OperandValue::Var(exponent) => exponent,
        };
        let (a, b) = (self.value(), exponent.value());
        let y = a.pow(&b);
        self.record("pow", y.clone())
            .wrt(self, {
                let (a, b) = (a.clone(), b.clone());
                move |g| {
                    let slope = (&b * a.pow(&b - T::ONE)).masked_fill(&b.eq(T::ZERO), T::ZERO);
                    (g * slope).sum_to(a.shape())
                }
            })
            .wrt(exponent, move |g| {
                let none = a.eq(T::ZERO).logical_and(&b.ge(T::ZERO));
                (g * (&y * a.ln()).masked_fill(&none, T::ZERO)).sum_to(b.shape())
            })
            .done()
    }

    /// The square root of each element: y = √x,  x̄ = ȳ / 2y; NaN below 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([4.0]));
    /// assert_eq!(x.sqrt().backward().get(x), Some(&Tensor::from([0.25])));
    /// ```
    pub fn sqrt(self) -> Self {
        let y = self.peek().sqrt();
        self.record("sqrt", y.clone()).wrt(self, move |g| g * T::from_f64(0.5) / &y).done()
    }

    /// One over the square root of each element: y = 1 / √x,  x̄ = −½ ȳ y³.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([4.0])).rsqrt().item(), 0.5);
    /// ```
    pub fn rsqrt(self) -> Self {
        let y = self.peek().rsqrt();
        self.record("rsqrt", y.clone()).wrt(self, move |g| g * T::from_f64(-0.5) * y.powi(3)).done()
    }

    /// One over each element: y = 1 / x,  x̄ = −ȳ y²; PyTorch's `reciprocal`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([4.0])).recip().item(), 0.25);
    /// ```
    #[doc(alias = "reciprocal")]
    pub fn recip(self) -> Self {
        let y = self.peek().recip();
        self.record("recip", y.clone()).wrt(self, move |g| -(g * y.square())).done()
    }
}
