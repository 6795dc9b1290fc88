//! Sums, differences and products, element by element. Shapes broadcast, and the pullback sums over what grew.

use std::ops::{Add, Mul, Neg, Sub};

use tensor::Float;

use crate::Var;

impl<T: Float> Add for Var<'_, T> {
    type Output = Self;

    /// y = a + b,  ā = ȳ,  b̄ = ȳ.
    ///
    /// # Panics
    /// The shapes do not broadcast, or the two are on different tapes.
    #[track_caller]
    fn add(self, other: Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        self.record("add", self.value() + other.value())
            .wrt(self, move |g| g.sum_to(&a))
            .wrt(other, move |g| g.sum_to(&b))
            .done()
    }
}

impl<T: Float> Sub for Var<'_, T> {
    type Output = Self;

    /// y = a − b,  ā = ȳ,  b̄ = −ȳ.
    ///
    /// # Panics
    /// The shapes do not broadcast, or the two are on different tapes.
    #[track_caller]
    fn sub(self, other: Self) -> Self {
        let (a, b) = (self.shape(), other.shape());
        self.record("sub", self.value() - other.value())
            .wrt(self, move |g| g.sum_to(&a))
            .wrt(other, move |g| -g.sum_to(&b))
            .done()
    }
}

impl<T: Float> Mul for Var<'_, T> {
    type Output = Self;

    /// y = a b,  ā = ȳ b,  b̄ = ȳ a.
    ///
    /// # Panics
    /// The shapes do not broadcast, or the two are on different tapes.
    #[track_caller]
    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.value(), other.value());
        self.record("mul", &a * &b)
            .wrt(self, {
                let (shape, b) = (a.shape().clone(), b.clone());
                move |g| (g * &b).sum_to(&shape)
            })
            .wrt(other, move |g| (g * &a).sum_to(b.shape()))
            .done()
    }
}

impl<T: Float> Neg for Var<'_, T> {
    type Output = Self;

    /// y = −x,  x̄ = −ȳ.
    fn neg(self) -> Self {
        self.record("neg", -self.value()).wrt(self, |g| -g).done()
    }
}

impl<T: Float> Mul<T> for Var<'_, T> {
    type Output = Self;

    /// [`scale`](Var::scale)
    fn mul(self, factor: T) -> Self {
        self.scale(factor)
    }
}

impl<T: Float> Var<'_, T> {
    /// Each element times a number: y = c x,  x̄ = c ȳ.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.scale(3.0).value(), Tensor::from([3.0, 6.0]));
    /// ```
    pub fn scale(self, factor: T) -> Self {
        self.record("scale", self.value() * factor).wrt(self, move |g| g * factor).done()
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::assert_gradients;

    /// Pairs of shapes that broadcast, among them empty ones.
    const PAIRS: [(&[usize], &[usize]); 8] = [
        (&[2, 3], &[2, 3]),
        (&[2, 3], &[3]),
        (&[3], &[2, 3]),
        (&[2, 1], &[1, 3]),
        (&[], &[2, 3]),
        (&[4, 1, 3], &[2, 1]),
        (&[0, 3], &[3]),
        (&[], &[]),
    ];

    #[test]
    fn add() {
        for (a, b) in PAIRS {
            assert_gradients(&[a, b], |x| x[0] + x[1]);
        }
    }

    #[test]
    fn sub() {
        for (a, b) in PAIRS {
            assert_gradients(&[a, b], |x| x[0] - x[1]);
        }
    }

    #[test]
    fn mul() {
        for (a, b) in PAIRS {
            assert_gradients(&[a, b], |x| x[0] * x[1]);
        }
        assert_gradients(&[&[2, 3]], |x| x[0] * x[0]);
    }

    #[test]
    fn neg_and_scale() {
        for dims in [&[2, 3][..], &[], &[0]] {
            assert_gradients(&[dims], |x| -x[0]);
            assert_gradients(&[dims], |x| x[0] * 2.5);
        }
    }
}
