//! The operators + − × ÷ between tensors, and between a tensor and a number on either side.
//!
//! An owned operand whose storage nobody else sees gives its buffer to the result, if it has the result's shape.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use super::elementwise::{map, map_assign, zip, zip_assign, zip_owned};
use crate::element::{Number, Signed};
use crate::error::OrPanic;
use crate::par;
use crate::tensor::Tensor;

/// Stamps one operator for owned and borrowed operands; all of them come down to `zip` and `zip_owned`.
macro_rules! operator {
    ($Trait:ident $method:ident $Assign:ident $assign:ident $name:literal $symbol:tt) => {
        impl<T: Number> $Trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;

            /// Element by element; the shapes broadcast.
            ///
            /// # Panics
            /// The shapes do not broadcast.
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                zip($name, self, other, |x, y| x $symbol y).or_panic()
            }
        }

        impl<T: Number> $Trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                zip_owned($name, self, other, |x, y| x $symbol y).or_panic()
            }
        }

        impl<T: Number> $Trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                if self.shape().broadcast(other.shape()).is_err() {
                    // In the order in which the caller wrote them, for the message.
                    return self $symbol &other;
                }
                zip_owned($name, other, self, |y, x| x $symbol y).or_panic()
            }
        }

        impl<T: Number> $Trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                let mut other = other;
                // The buffer of the left one, unless only the right one can give its own.
                let right = other.numel() > self.numel() || (other.shape() == self.shape() && other.unique_range().is_some());
                if right { &self $symbol other } else { self $symbol &other }
            }
        }

        impl<T: Number> $Trait<T> for Tensor<T> {
            type Output = Tensor<T>;

            /// Each element with a number.
            fn $method(self, number: T) -> Tensor<T> {
                self $symbol &Tensor::scalar(number)
            }
        }

        impl<T: Number> $Trait<T> for &Tensor<T> {
            type Output = Tensor<T>;

            /// Each element with a number.
            fn $method(self, number: T) -> Tensor<T> {
                self $symbol &Tensor::scalar(number)
            }
        }

        operator!(@left $Trait $method $symbol f32 f64 i32 i64 u8);

        impl<T: Number> $Assign<&Tensor<T>> for Tensor<T> {
            /// In place if this tensor is the only owner of its storage.
            ///
            /// # Panics
            /// The other shape does not broadcast to this one.
            #[track_caller]
            fn $assign(&mut self, other: &Tensor<T>) {
                zip_assign(concat!($name, "_assign"), self, other, |x, y| x $symbol y).or_panic();
            }
        }

        impl<T: Number> $Assign<T> for Tensor<T> {
            /// In place if this tensor is the only owner of its storage.
            fn $assign(&mut self, number: T) {
                map_assign(self, par::STREAM, &|x| x $symbol number);
            }
        }
    };
    // Inlined, so that they are compiled where they are used: not all of them here.
    (@left $Trait:ident $method:ident $symbol:tt $($t:ident)*) => {$(
        impl $Trait<&Tensor<$t>> for $t {
            type Output = Tensor<$t>;

            /// A number with each element.
            #[inline]
            fn $method(self, tensor: &Tensor<$t>) -> Tensor<$t> {
                &Tensor::scalar(self) $symbol tensor
            }
        }

        impl $Trait<Tensor<$t>> for $t {
            type Output = Tensor<$t>;

            #[inline]
            fn $method(self, tensor: Tensor<$t>) -> Tensor<$t> {
                &Tensor::scalar(self) $symbol tensor
            }
        }
    )*};
}

operator!(Add add AddAssign add_assign "add" +);
operator!(Sub sub SubAssign sub_assign "sub" -);
operator!(Mul mul MulAssign mul_assign "mul" *);
operator!(Div div DivAssign div_assign "div" /);

impl<T: Signed> Neg for &Tensor<T> {
    type Output = Tensor<T>;

    fn neg(self) -> Tensor<T> {
        map(self, par::STREAM, &|x: T| -x)
    }
}

impl<T: Signed> Neg for Tensor<T> {
    type Output = Tensor<T>;

    fn neg(mut self) -> Tensor<T> {
        if self.unique_range().is_none() {
            return -&self;
        }
        map_assign(&mut self, par::STREAM, &|x: T| -x);
        self
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
