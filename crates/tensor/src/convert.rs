//! One element type as another, and the order of elements as an order of integers.

use crate::element::Element;
use crate::tensor::Tensor;

/// What every element can be made from and turned into.
pub trait Convert: Sized {
    #[doc(hidden)]
    fn of_f32(x: f32) -> Self;
    #[doc(hidden)]
    fn of_f64(x: f64) -> Self;
    #[doc(hidden)]
    fn of_i32(x: i32) -> Self;
    #[doc(hidden)]
    fn of_i64(x: i64) -> Self;
    #[doc(hidden)]
    fn of_u8(x: u8) -> Self;
    #[doc(hidden)]
    fn of_bool(x: bool) -> Self;

    /// As another type.
    #[doc(hidden)]
    fn convert<U: Convert>(self) -> U;

    /// An integer that is larger where the element is; NaN is the largest, −0 and 0 are one. It takes no more bits than
    /// the element does.
    #[doc(hidden)]
    fn key(self) -> u64;
}

/// Stamps the conversions between numbers, which are Rust's `as`.
macro_rules! convert {
    ($($t:ident $of:ident $key:expr;)*) => {$(
        impl Convert for $t {
            #[inline(always)]
            fn of_f32(x: f32) -> Self {
                x as $t
            }
            #[inline(always)]
            fn of_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn of_i32(x: i32) -> Self {
                x as $t
            }
            #[inline(always)]
            fn of_i64(x: i64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn of_u8(x: u8) -> Self {
                x as $t
            }
            #[inline(always)]
            fn of_bool(x: bool) -> Self {
                u8::from(x) as $t
            }
            #[inline(always)]
            fn convert<U: Convert>(self) -> U {
                U::$of(self)
            }
            #[inline(always)]
            fn key(self) -> u64 {
                let key: fn($t) -> u64 = $key;
                key(self)
            }
        }
    )*};
}

// The bits of a positive float are in the order of the floats, those of a negative one in the reverse.
convert! {
    f32 of_f32 |x| u64::from(match x.to_bits() {
        _ if x.is_nan() => u32::MAX,
        _ if x == 0.0 => 1 << 31,
        bits if x < 0.0 => !bits,
        bits => bits | 1 << 31,
    });
    f64 of_f64 |x| match x.to_bits() {
        _ if x.is_nan() => u64::MAX,
        _ if x == 0.0 => 1 << 63,
        bits if x < 0.0 => !bits,
        bits => bits | 1 << 63,
    };
    i32 of_i32 |x| u64::from(x as u32 ^ 1 << 31);
    i64 of_i64 |x| x as u64 ^ 1 << 63;
    u8 of_u8 u64::from;
}

impl Convert for bool {
    #[inline(always)]
    fn of_f32(x: f32) -> Self {
        x != 0.0
    }
    #[inline(always)]
    fn of_f64(x: f64) -> Self {
        x != 0.0
    }
    #[inline(always)]
    fn of_i32(x: i32) -> Self {
        x != 0
    }
    #[inline(always)]
    fn of_i64(x: i64) -> Self {
        x != 0
    }
    #[inline(always)]
    fn of_u8(x: u8) -> Self {
        x != 0
    }
    #[inline(always)]
    fn of_bool(x: bool) -> Self {
        x
    }
    #[inline(always)]
    fn convert<U: Convert>(self) -> U {
        U::of_bool(self)
    }
    #[inline(always)]
    fn key(self) -> u64 {
        self.into()
    }
}

impl<T: Element> Tensor<T> {
    /// The elements as another type, by the rules of Rust's `as`; PyTorch's `to(dtype)`. To the same type, it is a clone.
    ///
    /// A float becomes the integer next to it towards 0, or the nearest that there is where it is out of range; NaN
    /// becomes 0. An integer that is too large for an integer type loses its upper bits. A `bool` is 0 or 1, and becomes
    /// true from everything but 0, NaN too.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([0.0_f32, 1.75, -1.75, 300.0]);
    /// assert_eq!(x.cast::<i64>(), Tensor::from([0, 1, -1, 300]));
    /// assert_eq!(x.cast::<u8>(), Tensor::from([0, 1, 0, 255]));
    /// assert_eq!(x.cast::<bool>().cast::<f32>(), Tensor::from([0.0, 1.0, 1.0, 1.0]));
    /// ```
    pub fn cast<U: Element>(&self) -> Tensor<U> {
        let this: &dyn std::any::Any = self;
        match this.downcast_ref::<Tensor<U>>() {
            Some(same) => same.clone(),
            None => self.map(|x| x.convert()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_becomes_every_other() {
        fn to_all<T: Element>(x: &Tensor<T>) {
            assert_eq!(x.cast::<f32>(), Tensor::from([0.0, 1.0, 1.0]));
            assert_eq!(x.cast::<f64>(), Tensor::from([0.0, 1.0, 1.0]));
            assert_eq!(x.cast::<i32>(), Tensor::from([0, 1, 1]));
            assert_eq!(x.cast::<i64>(), Tensor::from([0, 1, 1]));
            assert_eq!(x.cast::<u8>(), Tensor::from([0, 1, 1]));
            assert_eq!(x.cast::<bool>(), Tensor::from([false, true, true]));
        }
        let x = Tensor::from([false, true, true]);
        to_all(&x);
        to_all(&x.cast::<f32>());
        to_all(&x.cast::<f64>());
        to_all(&x.cast::<i32>());
        to_all(&x.cast::<i64>());
        to_all(&x.cast::<u8>());
    }

    #[test]
    fn values_out_of_range_follow_the_rules_of_as() {
        let x = Tensor::from([f64::NAN, f64::INFINITY, -1.5, 1e10, -0.0]);
        assert_eq!(x.cast::<i32>(), Tensor::from([0, i32::MAX, -1, i32::MAX, 0]));
        assert_eq!(x.cast::<bool>(), Tensor::from([true, true, true, true, false]));
        assert_eq!(Tensor::from([-1_i64, 256, 1 << 40]).cast::<u8>(), Tensor::from([255, 0, 0]));
        assert_eq!(Tensor::from([(1_i64 << 24) + 1]).cast::<f32>(), Tensor::from([16_777_216.0]));
    }

    #[test]
    fn a_cast_to_the_same_type_copies_nothing_and_others_read_any_strides() {
        let x = Tensor::<i64>::arange(6).reshape([2, 3]).t();
        assert!(x.cast::<i64>().shares_storage(&x));
        assert_eq!(x.cast::<f32>(), Tensor::from([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]));
        assert_eq!(x.slice(0, 1..1).cast::<u8>().dims(), [0, 2]);
        assert_eq!(Tensor::scalar(2.5).cast::<i32>().item(), 2);
    }

    #[test]
    fn keys_are_in_the_order_of_the_elements() {
        fn ascend<T: Element>(elements: &[T], bits: u32) {
            for pair in elements.windows(2) {
                assert!(pair[0].key() < pair[1].key(), "{pair:?}");
            }
            for x in elements {
                assert!(bits == 64 || x.key() < 1 << bits, "{x}");
            }
        }
        ascend(&[f32::NEG_INFINITY, f32::MIN, -1.0, -1e-45, 0.0, 1e-45, 1.0, f32::MAX, f32::INFINITY, f32::NAN], 32);
        ascend(&[f64::NEG_INFINITY, f64::MIN, -1.0, -5e-324, -0.0, 5e-324, 1.0, f64::MAX, f64::INFINITY, f64::NAN], 64);
        ascend(&[i32::MIN, -1, 0, 1, i32::MAX], 32);
        ascend(&[i64::MIN, -1, 0, 1, i64::MAX], 64);
        ascend(&[0_u8, 1, 255], 8);
        ascend(&[false, true], 8);
        assert_eq!((0.0_f32.key(), f32::NAN.key()), ((-0.0_f32).key(), (-f32::NAN).key()));
        assert_eq!((0.0_f64.key(), f64::NAN.key()), ((-0.0_f64).key(), (-f64::NAN).key()));
    }
}
