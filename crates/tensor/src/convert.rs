//! One element as another type, and the order of elements as an order of integers.

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

// The bits of a positive float are in the order of the floats, those of a negative one in the reverse. Zeros are made one by a sum. Without
// branches, which signs of no order would mislead.
convert! {
    f32 of_f32 |x| {
        let bits = (x + 0.0).to_bits();
        let key = bits ^ ((bits.cast_signed() >> 31).cast_unsigned() | 1 << 31);
        u64::from(std::hint::select_unpredictable(x.is_nan(), u32::MAX, key))
    };
    f64 of_f64 |x| {
        let bits = (x + 0.0).to_bits();
        let key = bits ^ ((bits.cast_signed() >> 63).cast_unsigned() | 1 << 63);
        std::hint::select_unpredictable(x.is_nan(), u64::MAX, key)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Element;

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
