//! One element type as another.

use super::order::{in_order, memory_order, out_of_order};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::par;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The elements as another type, by the rules of Rust's `as`; PyTorch's `to(dtype)`. To the same type, it is a clone.
    ///
    /// A float is truncated to an integer; one out of range becomes the nearest integer of the type, and NaN becomes 0. An integer that
    /// is too large for an integer type loses its upper bits. A `bool` is 0 or 1, and becomes true from everything but 0, NaN too.
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
            None => T::cast_all(self),
        }
    }
}

/// An element whose tensors can be cast to any type.
pub trait Cast: Sized {
    #[doc(hidden)]
    fn cast_all<U: Element>(x: &Tensor<Self>) -> Tensor<U>
    where
        Self: Element;
}

/// Stamps a cast to any type: the source type chooses the function, the target type implements it.
macro_rules! cast {
    ($($t:ident $of:ident)*) => {$(
        impl Cast for $t {
            fn cast_all<U: Element>(x: &Tensor<Self>) -> Tensor<U> {
                U::$of(x)
            }
        }
    )*};
}

cast!(f32 of_f32s f64 of_f64s i32 of_i32s i64 of_i64s u8 of_u8s bool of_bools);

pub(crate) fn cast<T: Element, U: Element>(x: &Tensor<T>) -> Tensor<U> {
    let order = memory_order(&[x.layout()]);
    let x = in_order(x, &order).contiguous();
    let elements = x.as_slice().expect("made contiguous");
    let mut out = Buffer::stale(elements.len());
    // These 30 loops are compiled for the baseline alone: they wait for memory more than for instructions.
    par::split(&mut out, 1, par::STREAM, |start, out| {
        for (out, x) in out.iter_mut().zip(&elements[start..]) {
            *out = x.convert();
        }
    });
    out_of_order(Tensor::from_buffer(out, x.shape().clone()), &order)
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
}
