//! The operators + − × ÷, element by element, between values, tensors and numbers. Shapes broadcast, and the pullback sums
//! over what grew.

use std::ops::{Add, Div, Mul, Neg, Sub};

use tensor::{Float, Tensor};

use crate::{Op, Role, Tape, Var};

/// What may stand on the other side of an operator of a [`Var`]: a `Var`, a number, or a tensor, which is a constant then;
/// values and tensors also by reference.
///
/// On the left of a `Var` the same may stand, but a number only if it is an `f32` or an `f64`: in code that is generic in the
/// float, Rust lets a foreign type have no operator, so that 1 − x is written `-x + T::ONE` there.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use tensor::Tensor;
///
/// let (tape, t) = (Tape::new(), Tensor::from([1.0, 2.0]));
/// let x = tape.leaf(Tensor::from([3.0, 4.0]));
/// let y = (1.0 - x) / 2.0 + &t * x;
/// assert_eq!(y.value(), Tensor::from([2.0, 6.5]));
/// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.5, 1.5])));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand beside a `Var` of `{T}`",
    label = "neither a `Var<{T}>`, nor a `Tensor<{T}>`, nor a number of the type `{T}`"
)]
pub trait Operand<'t, T: Float> {
    /// The operand, on the tape of the other one.
    #[doc(hidden)]
    fn into_operand(self, tape: &'t Tape<T>) -> OperandValue<'t, T>;
}

/// An operand: a number takes no place on the tape.
#[doc(hidden)]
pub enum OperandValue<'t, T: Float> {
    Var(Var<'t, T>),
    Number(T),
}

impl<'t, T: Float> OperandValue<'t, T> {
    /// The operand as a value; a number is a constant without axes.
    pub(super) fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
        match self {
            OperandValue::Var(x) => x,
            OperandValue::Number(x) => tape.constant(Tensor::scalar(x)),
        }
    }
}

impl<'t, T: Float> Operand<'t, T> for Var<'t, T> {
    fn into_operand(self, _: &'t Tape<T>) -> OperandValue<'t, T> {
        OperandValue::Var(self)
    }
}

impl<'t, T: Float> Operand<'t, T> for &Var<'t, T> {
    fn into_operand(self, _: &'t Tape<T>) -> OperandValue<'t, T> {
        OperandValue::Var(*self)
    }
}

impl<'t, T: Float> Operand<'t, T> for T {
    fn into_operand(self, _: &'t Tape<T>) -> OperandValue<'t, T> {
        OperandValue::Number(self)
    }
}

impl<'t, T: Float> Operand<'t, T> for &Tensor<T> {
    fn into_operand(self, tape: &'t Tape<T>) -> OperandValue<'t, T> {
        OperandValue::Var(tape.constant(self.clone()))
    }
}

impl<'t, T: Float> Operand<'t, T> for Tensor<T> {
    fn into_operand(self, tape: &'t Tape<T>) -> OperandValue<'t, T> {
        OperandValue::Var(tape.constant(self))
    }
}

#[track_caller]
fn add<'t, T: Float>(x: Var<'t, T>, other: OperandValue<'t, T>) -> Var<'t, T> {
    let y = match other {
        OperandValue::Number(c) => return x.record(Op::new("add", Role::Keeping), x.value() + c).wrt(x, |g| g).done(),
        OperandValue::Var(y) => y,
    };
    let (a, b) = (x.shape(), y.shape());
    let sum = &*x.peek() + &*y.peek();
    x.record(Op::new("add", Role::Adding), sum).wrt(x, move |g| g.sum_to(&a)).wrt(y, move |g| g.sum_to(&b)).done()
}

#[track_caller]
fn sub<'t, T: Float>(x: Var<'t, T>, other: OperandValue<'t, T>) -> Var<'t, T> {
    let y = match other {
        OperandValue::Number(c) => return x.record(Op::new("sub", Role::Keeping), x.value() - c).wrt(x, |g| g).done(),
        OperandValue::Var(y) => y,
    };
    let (a, b) = (x.shape(), y.shape());
    let difference = &*x.peek() - &*y.peek();
    x.record(Op::new("sub", Role::Adding), difference)
        .wrt(x, move |g| g.sum_to(&a))
        .wrt(y, move |g| -g.sum_to(&b))
        .done()
}

#[track_caller]
fn mul<'t, T: Float>(x: Var<'t, T>, other: OperandValue<'t, T>) -> Var<'t, T> {
    let y = match other {
        OperandValue::Number(c) => return x.scale(c),
        OperandValue::Var(y) => y,
    };
    let (a, b) = (x.value(), y.value());
    let (of_a, of_b) = (a.shape().clone(), b.shape().clone());
    x.record(Op::new("mul", Role::Multiplying), &a * &b)
        .wrt(x, move |g| (g * &b).sum_to(&of_a))
        .wrt(y, move |g| (g * &a).sum_to(&of_b))
        .done()
}

#[track_caller]
fn div<'t, T: Float>(x: Var<'t, T>, other: OperandValue<'t, T>) -> Var<'t, T> {
    let y = match other {
        OperandValue::Number(c) => {
            return x.record(Op::new("div", Role::Scaling), x.value() / c).wrt(x, move |g| g / c).done();
        }
        OperandValue::Var(y) => y,
    };
    let (a, b) = (x.shape(), y.value());
    let quotient = &*x.peek() / &b;
    x.record("div", quotient.clone())
        .wrt(x, {
            let b = b.clone();
            move |g| (g / &b).sum_to(&a)
        })
        .wrt(y, move |g| -(g * &quotient / &b).sum_to(b.shape()))
        .done()
}

/// c − x
fn sub_from<T: Float>(c: T, x: Var<'_, T>) -> Var<'_, T> {
    x.record(Op::new("sub", Role::Keeping), -x.value() + c).wrt(x, |g| -g).done()
}

/// c / x
fn div_from<T: Float>(c: T, x: Var<'_, T>) -> Var<'_, T> {
    let value = x.value();
    let quotient = &Tensor::scalar(c) / &value;
    x.record("div", quotient.clone()).wrt(x, move |g| -(g * &quotient / &value)).done()
}

/// Stamps one operator for what may stand on either side; `$from` is number ∘ value.
macro_rules! operator {
    ($(#[$doc:meta])* $Trait:ident $method:ident $from:expr) => {
        impl<'t, T: Float, R: Operand<'t, T>> $Trait<R> for Var<'t, T> {
            type Output = Self;

            $(#[$doc])*
            ///
            /// # Panics
            /// The shapes do not broadcast, or the two are on different tapes.
            #[track_caller]
            fn $method(self, other: R) -> Self {
                $method(self, other.into_operand(self.tape()))
            }
        }

        impl<'t, T: Float, R: Operand<'t, T>> $Trait<R> for &Var<'t, T> {
            type Output = Var<'t, T>;

            #[track_caller]
            fn $method(self, other: R) -> Var<'t, T> {
                $method(*self, other.into_operand(self.tape()))
            }
        }

        impl<'t, T: Float> $Trait<Var<'t, T>> for &Tensor<T> {
            type Output = Var<'t, T>;

            #[track_caller]
            fn $method(self, other: Var<'t, T>) -> Var<'t, T> {
                $method(other.tape().constant(self.clone()), OperandValue::Var(other))
            }
        }

        operator!(@left $Trait $method f32 $from);
        operator!(@left $Trait $method f64 $from);
    };
    (@left $Trait:ident $method:ident $T:ident $from:expr) => {
        impl<'t> $Trait<Var<'t, $T>> for $T {
            type Output = Var<'t, $T>;

            #[track_caller]
            fn $method(self, other: Var<'t, $T>) -> Var<'t, $T> {
                $from(self, other)
            }
        }

        impl<'t> $Trait<&Var<'t, $T>> for $T {
            type Output = Var<'t, $T>;

            #[track_caller]
            fn $method(self, other: &Var<'t, $T>) -> Var<'t, $T> {
                $from(self, *other)
            }
        }
    };
}

operator! {
    /// y = a + b,  ā = ȳ,  b̄ = ȳ.
    Add add
    |c, x| add(x, OperandValue::Number(c))
}
operator! {
    /// y = a − b,  ā = ȳ,  b̄ = −ȳ.
    Sub sub
    sub_from
}
operator! {
    /// y = a b,  ā = ȳ b,  b̄ = ȳ a. By a number it is [`scale`](Var::scale).
    Mul mul
    |c, x| mul(x, OperandValue::Number(c))
}
operator! {
    /// y = a / b,  ā = ȳ / b,  b̄ = −ȳ y / b.
    Div div
    div_from
}

impl<T: Float> Neg for Var<'_, T> {
    type Output = Self;

    /// y = −x,  x̄ = −ȳ.
    fn neg(self) -> Self {
        self.record(Op::new("neg", Role::Keeping), -self.value()).wrt(self, |g| -g).done()
    }
}

impl<'t, T: Float> Neg for &Var<'t, T> {
    type Output = Var<'t, T>;

    fn neg(self) -> Var<'t, T> {
        -*self
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
        let scaled = &*self.peek() * factor;
        self.record(Op::new("scale", Role::Scaling), scaled).wrt(self, move |g| g * factor).done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::op_ref, reason = "references are what is tested")]
    fn every_pair_of_operands_has_the_value_that_it_says() {
        let tape = Tape::new();
        let (x, t) = (tape.leaf(Tensor::from([4.0])), Tensor::from([2.0]));
        let y = tape.constant(t.clone());
        let results = [
            (x + y, 6.0),
            (&x + &y, 6.0),
            (x + &y, 6.0),
            (&x + y, 6.0),
            (x + 2.0, 6.0),
            (&x + 2.0, 6.0),
            (2.0 + x, 6.0),
            (2.0 + &x, 6.0),
            (x + &t, 6.0),
            (&x + t.clone(), 6.0),
            (&t + x, 6.0),
            (x - y, 2.0),
            (x - 2.0, 2.0),
            (1.0 - x, -3.0),
            (1.0 - &x, -3.0),
            (&t - x, -2.0),
            (x * 2.0, 8.0),
            (2.0 * x, 8.0),
            (&t * x, 8.0),
            (x / y, 2.0),
            (x / 2.0, 2.0),
            (2.0 / x, 0.5),
            (2.0 / &x, 0.5),
            (&t / x, 0.5),
            (-x, -4.0),
            (-&x, -4.0),
        ];
        for (i, (result, want)) in results.into_iter().enumerate() {
            assert_eq!(result.value(), Tensor::from([want]), "{i}");
        }
        // In f64 as well, and in code that is generic in the float.
        fn complement<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
            -x + T::ONE
        }
        let tape = Tape::<f64>::default();
        let x = tape.leaf(Tensor::from([4.0]));
        assert_eq!((1.0 - x).value(), complement(x).value());
        // A number takes no place on the tape.
        assert_eq!(tape.len(), 4);
    }
}
