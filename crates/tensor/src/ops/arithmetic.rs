//! The operators + − × ÷ between tensors, and between a tensor and a number on either side.
//!
//! An owned operand whose storage nobody else sees gives its buffer to the result, if it has the result's shape.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use super::elementwise::zip;
use crate::compiled::NumberOps;
use crate::element::{Number, Signed};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{Closure, OfNumbers, OfSigned};
use crate::tensor::Tensor;

/// Stamps one operator for owned and borrowed operands and numbers: `Trait method AssignTrait method Function Reverse`, with the names
/// of [`OfNumbers`] for the operands as they stand and the other way round.
macro_rules! operator {
    ($Trait:ident $method:ident $Assign:ident $assign:ident $Name:ident $Reverse:ident) => {
        impl<T: Number> $Trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;

            /// Element by element; the shapes broadcast.
            ///
            /// # Panics
            /// The shapes do not broadcast, or an integer is divided by 0.
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                checked(stringify!($method), OfNumbers::$Name, self, other);
                T::zip_numbers(stringify!($method), self, other, OfNumbers::$Name).or_panic()
            }
        }

        impl<T: Number> $Trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                checked(stringify!($method), OfNumbers::$Name, &self, other);
                T::zip_numbers_owned(stringify!($method), self, other, OfNumbers::$Name).or_panic()
            }
        }

        impl<T: Number> $Trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                if self.shape().broadcast(other.shape()).is_err() {
                    // In the order in which the caller wrote them, for the message.
                    return self.$method(&other);
                }
                checked(stringify!($method), OfNumbers::$Name, self, &other);
                T::zip_numbers_owned(stringify!($method), other, self, OfNumbers::$Reverse).or_panic()
            }
        }

        impl<T: Number> $Trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, mut other: Tensor<T>) -> Tensor<T> {
                // The left one gives its buffer, unless only the right one can.
                let right = other.numel() > self.numel() || (other.shape() == self.shape() && other.unique_range().is_some());
                if right { (&self).$method(other) } else { self.$method(&other) }
            }
        }

        impl<T: Number> $Trait<T> for Tensor<T> {
            type Output = Tensor<T>;

            /// Each element with a number.
            #[track_caller]
            fn $method(self, number: T) -> Tensor<T> {
                checked_number(stringify!($method), OfNumbers::$Name, &self, number);
                T::with_number_owned(self, number, OfNumbers::$Name)
            }
        }

        impl<T: Number> $Trait<T> for &Tensor<T> {
            type Output = Tensor<T>;

            /// Each element with a number.
            #[track_caller]
            fn $method(self, number: T) -> Tensor<T> {
                checked_number(stringify!($method), OfNumbers::$Name, self, number);
                T::with_number(self, number, OfNumbers::$Name)
            }
        }

        operator!(@left $Trait $method $Reverse f32 f64 i32 i64 u8);

        impl<T: Number> $Assign<&Tensor<T>> for Tensor<T> {
            /// In place if this tensor is the only owner of its storage.
            ///
            /// # Panics
            /// The other shape does not broadcast to this one, or an integer is divided by 0.
            #[track_caller]
            fn $assign(&mut self, other: &Tensor<T>) {
                checked(stringify!($assign), OfNumbers::$Name, self, other);
                T::zip_numbers_assign(stringify!($assign), self, other, OfNumbers::$Name).or_panic();
            }
        }

        impl<T: Number> $Assign<T> for Tensor<T> {
            /// In place if this tensor is the only owner of its storage.
            ///
            /// # Panics
            /// An integer is divided by 0.
            #[track_caller]
            fn $assign(&mut self, number: T) {
                checked_number(stringify!($assign), OfNumbers::$Name, self, number);
                T::with_number_assign(self, number, OfNumbers::$Name);
            }
        }
    };
    // Inlined, so that each is compiled where it is used, and not all of them here.
    (@left $Trait:ident $method:ident $Reverse:ident $($t:ident)*) => {$(
        impl $Trait<&Tensor<$t>> for $t {
            type Output = Tensor<$t>;

            /// A number with each element.
            #[inline]
            #[track_caller]
            fn $method(self, tensor: &Tensor<$t>) -> Tensor<$t> {
                checked_number(stringify!($method), OfNumbers::$Reverse, tensor, self);
                $t::with_number(tensor, self, OfNumbers::$Reverse)
            }
        }

        impl $Trait<Tensor<$t>> for $t {
            type Output = Tensor<$t>;

            #[inline]
            #[track_caller]
            fn $method(self, tensor: Tensor<$t>) -> Tensor<$t> {
                checked_number(stringify!($method), OfNumbers::$Reverse, &tensor, self);
                $t::with_number_owned(tensor, self, OfNumbers::$Reverse)
            }
        }
    )*};
}

operator!(Add add AddAssign add_assign Add Add);
operator!(Sub sub SubAssign sub_assign Sub ReverseSub);
operator!(Mul mul MulAssign mul_assign Mul Mul);
operator!(Div div DivAssign div_assign Div ReverseDiv);

/// Any two numbers have a sum, a difference and a product (those of integers may overflow, as in Rust), and any two floats a
/// quotient; but no integer has one by 0, nor the least integer by −1.
#[inline(always)]
#[track_caller]
fn checked<T: Number>(op: &'static str, f: OfNumbers, x: &Tensor<T>, y: &Tensor<T>) {
    match f {
        OfNumbers::Div if !T::DTYPE.is_float() => T::divisible(op, x, y).or_panic(),
        OfNumbers::ReverseDiv if !T::DTYPE.is_float() => T::divisible(op, y, x).or_panic(),
        _ => {}
    }
}

/// As [`checked`], of each element and a number.
#[inline(always)]
#[track_caller]
fn checked_number<T: Number>(op: &'static str, f: OfNumbers, x: &Tensor<T>, number: T) {
    if matches!(f, OfNumbers::Div | OfNumbers::ReverseDiv) && !T::DTYPE.is_float() {
        checked(op, f, x, &Tensor::scalar(number));
    }
}

/// Whether each pair of integers has a quotient.
pub(crate) fn integers_divisible<T: Number>(op: &'static str, x: &Tensor<T>, y: &Tensor<T>) -> Result<(), Error> {
    let refused = |why| {
        let why = format!("{} ÷ {} of {}: {why}", x.shape(), y.shape(), T::DTYPE);
        Err(Error::new(op, Reason::Argument { why }))
    };
    if x.numel() > 0 && y.iter().any(|y| y == T::ZERO) {
        return refused("a divisor is 0; none may be");
    }
    let least = -1_i64 << (8 * size_of::<T>() - 1);
    let overflows = |x: T, y: T| y.convert::<i64>() == -1 && x.convert::<i64>() == least;
    if y.iter().any(|y| overflows(T::of_i64(least), y)) && zip(op, x, y, Closure(&overflows))?.any(..).item() {
        return refused("the least integer has no quotient by −1");
    }
    Ok(())
}

impl<T: Signed> Neg for &Tensor<T> {
    type Output = Tensor<T>;

    fn neg(self) -> Tensor<T> {
        T::map_signed(self, OfSigned::Neg)
    }
}

impl<T: Signed> Neg for Tensor<T> {
    type Output = Tensor<T>;

    fn neg(self) -> Tensor<T> {
        T::negate(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_agree_however_their_operands_are_owned() {
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        for y in [Tensor::from([[1.0, 0.5, 2.0], [8.0, 4.0, 0.25]]), Tensor::from([2.0, 4.0, 8.0]), Tensor::scalar(2.0)]
        {
            let want =
                [x.zip(&y, |x, y| x + y), x.zip(&y, |x, y| x - y), x.zip(&y, |x, y| x * y), x.zip(&y, |x, y| x / y)];
            assert_eq!([&x + &y, &x - &y, &x * &y, &x / &y], want);
            let own = || (x.copied(), y.copied());
            let add = |(x, y)| x + y;
            let sub = |(x, y): (Tensor<f64>, Tensor<f64>)| x - y;
            let mul = |(x, y): (Tensor<f64>, Tensor<f64>)| x * y;
            let div = |(x, y): (Tensor<f64>, Tensor<f64>)| x / y;
            assert_eq!([add(own()), sub(own()), mul(own()), div(own())], want);
            assert_eq!([&x + y.copied(), &x - y.copied(), &x * y.copied(), &x / y.copied()], want);
            assert_eq!([x.copied() + &y, x.copied() - &y, x.copied() * &y, x.copied() / &y], want);
            // The smaller operand first.
            assert_eq!(y.copied() - x.copied(), y.zip(&x, |y, x| y - x));
        }
    }

    #[test]
    fn numbers_and_negation() {
        let x = Tensor::from([1, 2, 3]);
        assert_eq!(&x + 1, Tensor::from([2, 3, 4]));
        assert_eq!(&x * 2 - 1, Tensor::from([1, 3, 5]));
        assert_eq!(-Tensor::from([1.0, -2.0]), Tensor::from([-1.0, 2.0]));
        assert_eq!(-&Tensor::from([1, -2]), Tensor::from([-1, 2]));
        assert_eq!(
            (10 - &x, 6 / x.copied(), 2 + x),
            (Tensor::from([9, 8, 7]), Tensor::from([6, 3, 2]), Tensor::from([3, 4, 5]))
        );
    }

    #[test]
    fn assignments_change_a_tensor_in_place_and_no_other() {
        let mut x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        let (place, row) = (x.as_slice().unwrap().as_ptr(), Tensor::from([2.0, 4.0]));
        x += &row;
        x *= 2.0;
        x -= &Tensor::scalar(1.0);
        x /= &row;
        assert_eq!(x, Tensor::from([[2.5, 2.75], [4.5, 3.75]]));
        assert_eq!(x.as_slice().unwrap().as_ptr(), place);
        let shared = x.clone();
        x -= 0.5;
        assert_eq!((x.get(&[0, 0]), shared.get(&[0, 0])), (Some(2.0), Some(2.5)));
    }

    #[test]
    fn an_operand_without_other_owners_gives_its_buffer() {
        let shared = Tensor::<f32>::ones([2, 100]);
        let place = |x: &Tensor| x.as_slice().unwrap().as_ptr();
        let fresh = || {
            let x = shared.copied();
            let at = place(&x);
            (x, at)
        };
        let (x, at) = fresh();
        assert_eq!(place(&(x + &shared)), at);
        let (x, at) = fresh();
        assert_eq!(place(&(&shared - x)), at);
        let (x, at) = fresh();
        assert_eq!(place(&(shared.clone() * x)), at);
        let (x, at) = fresh();
        assert_eq!(place(&-x), at);
        assert_eq!(shared, Tensor::ones([2, 100]));
    }

    #[test]
    fn both_shapes_are_named_in_the_order_written() {
        let message = |f: fn()| *std::panic::catch_unwind(f).unwrap_err().downcast::<String>().unwrap();
        let want = "sub: shapes do not broadcast: [2] and [3]";
        assert!(message(|| drop(&Tensor::<f32>::zeros([2]) - &Tensor::zeros([3]))).starts_with(want));
        assert!(message(|| drop(Tensor::<f32>::zeros([2]) - Tensor::zeros([3]))).starts_with(want));
        assert!(message(|| drop(&Tensor::<f32>::zeros([2]) - Tensor::zeros([3]))).starts_with(want));
    }
}
