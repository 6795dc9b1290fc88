//! Comparisons to booleans, logic on them, and choosing by them.
//!
//! The other operand is a tensor, by value or reference, or a number.

use std::ops::{BitAnd, BitOr, BitXor, Not};

use super::elementwise::{map, zip};
use crate::element::{Element, Number};
use crate::error::OrPanic;
use crate::kernel::{Closure, Comparison, OfNumber};
use crate::operand::Operand;
use crate::tensor::Tensor;

/// Comparisons, element by element; the shapes broadcast. Nothing but `ne` is true of NaN.
///
/// The operator `==` compares whole tensors instead, and gives one `bool`.
impl<T: Element> Tensor<T> {
    /// Whether x = y, for each element.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).eq(2), Tensor::from([false, true]));
    /// ```
    #[track_caller]
    pub fn eq(&self, other: impl Operand<T>) -> Tensor<bool> {
        T::compare("eq", self, &other.tensor(), Comparison::Eq).or_panic()
    }

    /// Whether x ≠ y, for each element.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).ne(2), Tensor::from([true, false]));
    /// ```
    #[track_caller]
    pub fn ne(&self, other: impl Operand<T>) -> Tensor<bool> {
        T::compare("ne", self, &other.tensor(), Comparison::Ne).or_panic()
    }

    /// Whether x < y, for each element.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).lt(2), Tensor::from([true, false]));
    /// ```
    #[track_caller]
    pub fn lt(&self, other: impl Operand<T>) -> Tensor<bool> {
        T::compare("lt", self, &other.tensor(), Comparison::Lt).or_panic()
    }

    /// Whether x ≤ y, for each element.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).le(2), Tensor::from([true, true]));
    /// ```
    #[track_caller]
    pub fn le(&self, other: impl Operand<T>) -> Tensor<bool> {
        T::compare("le", self, &other.tensor(), Comparison::Le).or_panic()
    }

    /// Whether x > y, for each element.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).gt(2), Tensor::from([false, false]));
    /// ```
    #[track_caller]
    pub fn gt(&self, other: impl Operand<T>) -> Tensor<bool> {
        let other = other.tensor();
        self.shape().broadcast_in("gt", other.shape()).or_panic();
        T::compare("gt", &other, self, Comparison::Lt).or_panic()
    }

    /// Whether x ≥ y, for each element.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).ge(2), Tensor::from([false, true]));
    /// ```
    #[track_caller]
    pub fn ge(&self, other: impl Operand<T>) -> Tensor<bool> {
        let other = other.tensor();
        self.shape().broadcast_in("ge", other.shape()).or_panic();
        T::compare("ge", &other, self, Comparison::Le).or_panic()
    }
}

impl<T: Number> Tensor<T> {
    /// Each element, raised to `least` and then lowered to `most`: `most` everywhere where it is below `least`, as in
    /// PyTorch. NaN stays.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-7, 1, 9]).clamp(0, 5), Tensor::from([0, 1, 5]));
    /// ```
    pub fn clamp(&self, least: T, most: T) -> Self {
        T::map_number(self, OfNumber::Clamp { least, most })
    }
}

/// Logic, element by element; the shapes broadcast. The operators `&`, `|`, `^` and `!` do the same.
impl Tensor<bool> {
    /// Whether both are true.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (x, y) = (Tensor::from([true, false, true]), Tensor::from([true, true, false]));
    /// assert_eq!(x.logical_and(&y), Tensor::from([true, false, false]));
    /// ```
    #[track_caller]
    pub fn logical_and(&self, other: &Self) -> Self {
        zip("logical_and", self, other, Closure(&|x: bool, y: bool| x & y)).or_panic()
    }

    /// Whether either is true.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (x, y) = (Tensor::from([true, false, true]), Tensor::from([true, true, false]));
    /// assert_eq!(x.logical_or(&y), Tensor::from([true, true, true]));
    /// ```
    #[track_caller]
    pub fn logical_or(&self, other: &Self) -> Self {
        zip("logical_or", self, other, Closure(&|x: bool, y: bool| x | y)).or_panic()
    }

    /// Whether just one of them is true.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (x, y) = (Tensor::from([true, false, true]), Tensor::from([true, true, false]));
    /// assert_eq!(x.logical_xor(&y), Tensor::from([false, true, true]));
    /// ```
    #[track_caller]
    pub fn logical_xor(&self, other: &Self) -> Self {
        zip("logical_xor", self, other, Closure(&|x: bool, y: bool| x ^ y)).or_panic()
    }

    /// Whether it is false.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(!&Tensor::from([true, false]), Tensor::from([false, true]));
    /// ```
    pub fn logical_not(&self) -> Self {
        map(self, Closure(&|x: bool| !x))
    }

    /// An element of `x` wherever this mask is true, of `y` where it is not; all shapes broadcast. PyTorch's `where`, which
    /// is a word of Rust's.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([-2.0, 3.0]);
    /// assert_eq!(x.gt(0.0).where_cond(&x, 0.1 * &x), Tensor::from([-0.2, 3.0]));
    /// ```
    #[doc(alias = "where")]
    #[track_caller]
    pub fn where_cond<T: Element>(&self, x: impl Operand<T>, y: impl Operand<T>) -> Tensor<T> {
        T::choose("where_cond", self, &x.tensor(), &y.tensor()).or_panic()
    }
}

/// Stamps an operator of logic.
macro_rules! logic {
    ($Trait:ident $method:ident $name:ident) => {
        impl $Trait for &Tensor<bool> {
            type Output = Tensor<bool>;

            #[track_caller]
            fn $method(self, other: Self) -> Tensor<bool> {
                self.$name(other)
            }
        }
    };
}

logic!(BitAnd bitand logical_and);
logic!(BitOr bitor logical_or);
logic!(BitXor bitxor logical_xor);

impl Not for &Tensor<bool> {
    type Output = Tensor<bool>;

    fn not(self) -> Tensor<bool> {
        self.logical_not()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_broadcast_and_read_any_strides() {
        let x = Tensor::from_fn([30, 50], |i| ((i[0] * 7 + i[1] * 3) % 11) as f32);
        let y = Tensor::from_fn([50], |i| (i[0] % 11) as f32);
        for x in [x.clone(), x.t().contiguous().t(), x.flip(&[0, 1])] {
            let pairs = || x.iter().zip(y.expand([30, 50]).to_vec());
            assert!(x.lt(&y).iter().eq(pairs().map(|(x, y)| x < y)));
            assert!(x.le(&y).iter().eq(pairs().map(|(x, y)| x <= y)));
            assert!(x.gt(&y).iter().eq(pairs().map(|(x, y)| x > y)));
            assert!(x.ge(&y).iter().eq(pairs().map(|(x, y)| x >= y)));
            assert!(x.eq(&y).iter().eq(pairs().map(|(x, y)| x == y)));
            assert!(x.ne(&y).iter().eq(pairs().map(|(x, y)| x != y)));
            assert!(x.maximum(&y).iter().eq(pairs().map(|(x, y)| x.max(y))));
            assert!(x.minimum(&y).iter().eq(pairs().map(|(x, y)| x.min(y))));
            assert!(x.clamp(2.0, 7.0).iter().eq(pairs().map(|(x, _)| x.clamp(2.0, 7.0))));
        }
        assert_eq!(Tensor::<f32>::zeros([0, 3]).gt(1.0).dims(), [0, 3]);
    }

    #[test]
    fn not_a_number_is_unequal_and_stays() {
        let x = Tensor::from([f32::NAN, 1.0]);
        assert_eq!([x.eq(&x), x.le(&x), x.ne(&x)].map(|x| x.to_vec()), [[false, true], [false, true], [true, false]]);
        for y in [x.maximum(0.0), x.minimum(0.0), Tensor::scalar(0.0).maximum(&x), x.clamp(0.0, 2.0)] {
            assert!(y.get(&[0]).unwrap().is_nan() && !y.get(&[1]).unwrap().is_nan());
        }
        assert_eq!(Tensor::from([3, 9]).clamp(5, 2), Tensor::from([2, 2]));
    }

    #[test]
    fn a_mask_chooses_between_operands_of_any_kind() {
        let x = Tensor::from_fn([40, 60], |i| (i[0] * 60 + i[1]) as i64);
        let mask = x.map(|x| x % 3 == 0);
        for (mask, x) in [(mask.clone(), x.clone()), (mask.t(), x.t()), (mask.select(0, 1), x.clone())] {
            let wide = mask.expand(x.shape());
            let choose = |no: i64| wide.to_vec().into_iter().zip(x.to_vec()).map(move |(m, x)| if m { x } else { no });
            assert!(mask.where_cond(&x, -1).iter().eq(choose(-1)));
            assert!(mask.logical_not().where_cond(-1, &x).iter().eq(choose(-1)));
            assert_eq!(mask.where_cond(&x, &x), x);
        }
        assert_eq!(Tensor::scalar(true).where_cond(1, 2).item(), 1);
    }

    #[test]
    fn logic_has_operators() {
        let (x, y) = (Tensor::from([true, true, false, false]), Tensor::from([true, false, true, false]));
        assert_eq!(&x & &y, Tensor::from([true, false, false, false]));
        assert_eq!(&x | &y, Tensor::from([true, true, true, false]));
        assert_eq!(&x ^ &y, Tensor::from([false, true, true, false]));
        assert_eq!(!&x, Tensor::from([false, false, true, true]));
    }
}
