//! A tensor whose element type is known only when the program runs.

use std::any::Any;

use super::error::{Error, Reason};
use crate::element::Element;
use crate::kernel::Dtype;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A tensor of one of the element types: what a file holds before anyone has asked for a type. Features `npy` and
/// `safetensors`.
///
/// # Example
/// ```
/// use tensor::{Tensor, io::AnyTensor};
///
/// let any = AnyTensor::from(Tensor::from([1.5_f32, 2.5]));
/// assert_eq!((any.dtype(), any.shape().dims()), ("f32", &[2][..]));
/// assert!(any.get::<f64>().is_none());
///
/// let error = Tensor::<f64>::try_from(&any).unwrap_err();
/// assert_eq!(error.to_string(), "holds f32, not f64");
/// let x: Tensor<f32> = any.try_into()?;
/// assert_eq!(x, Tensor::from([1.5, 2.5]));
/// # Ok::<(), tensor::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum AnyTensor {
    /// Single precision.
    F32(Tensor<f32>),
    /// Double precision.
    F64(Tensor<f64>),
    /// 32-bit integers.
    I32(Tensor<i32>),
    /// 64-bit integers.
    I64(Tensor<i64>),
    /// Bytes.
    U8(Tensor<u8>),
    /// Truth values.
    Bool(Tensor<bool>),
    /// In a file of several tensors, one of a type that this crate does not have, or what is none at all. Its elements are not
    /// read.
    Other {
        /// The element type, as the format calls it, or `no array`.
        dtype: String,
        /// The dimensions; of what is no array, its number of bytes.
        shape: Shape,
    },
}

/// Runs the same code on the tensor within, whatever its type, and other code where there is none.
macro_rules! with_tensor {
    ($any:expr, $x:ident => $body:expr, ($dtype:pat, $shape:pat) => $other:expr) => {
        match $any {
            $crate::io::AnyTensor::Other { dtype: $dtype, shape: $shape } => $other,
            $crate::io::AnyTensor::F32($x) => $body,
            $crate::io::AnyTensor::F64($x) => $body,
            $crate::io::AnyTensor::I32($x) => $body,
            $crate::io::AnyTensor::I64($x) => $body,
            $crate::io::AnyTensor::U8($x) => $body,
            $crate::io::AnyTensor::Bool($x) => $body,
        }
    };
}

pub(super) use with_tensor;

impl AnyTensor {
    /// The name of the element type, such as `"f32"`; for a type that this crate does not have, the format's name.
    pub fn dtype(&self) -> &str {
        with_tensor!(self, x => dtype(x).name(), (other, _) => other)
    }

    /// The dimensions.
    pub fn shape(&self) -> &Shape {
        with_tensor!(self, x => x.shape(), (_, shape) => shape)
    }

    /// The tensor, if its elements are of type `T`.
    pub fn get<T: Element>(&self) -> Option<&Tensor<T>> {
        let any: &dyn Any = with_tensor!(self, x => x, (_, _) => return None);
        any.downcast_ref()
    }
}

fn dtype<T: Element>(_: &Tensor<T>) -> Dtype {
    T::DTYPE
}

impl<T: Element> From<&Tensor<T>> for AnyTensor {
    /// Shares the storage.
    fn from(x: &Tensor<T>) -> Self {
        fn cast<U: Element>(x: &dyn Any) -> Option<Tensor<U>> {
            x.downcast_ref().cloned()
        }
        None.or_else(|| cast(x).map(AnyTensor::F32))
            .or_else(|| cast(x).map(AnyTensor::F64))
            .or_else(|| cast(x).map(AnyTensor::I32))
            .or_else(|| cast(x).map(AnyTensor::I64))
            .or_else(|| cast(x).map(AnyTensor::U8))
            .or_else(|| cast(x).map(AnyTensor::Bool))
            .expect("Element is sealed, and these are all")
    }
}

impl<T: Element> From<Tensor<T>> for AnyTensor {
    fn from(x: Tensor<T>) -> Self {
        AnyTensor::from(&x)
    }
}

impl From<&AnyTensor> for AnyTensor {
    /// Shares the storage.
    fn from(any: &AnyTensor) -> Self {
        any.clone()
    }
}

impl<T: Element> TryFrom<&AnyTensor> for Tensor<T> {
    type Error = Error;

    /// Shares the storage.
    ///
    /// # Errors
    /// The elements are of another type, or of one that this crate does not have, and so were not read.
    fn try_from(any: &AnyTensor) -> Result<Self, Error> {
        let reason = || {
            let wrong = |got| Reason::Dtype { want: T::DTYPE, got };
            with_tensor!(any, x => wrong(dtype(x)), (other, _) => Reason::Unsupported(other.clone()))
        };
        Ok(any.get().cloned().ok_or_else(reason)?)
    }
}

impl<T: Element> TryFrom<AnyTensor> for Tensor<T> {
    type Error = Error;

    /// # Errors
    /// The elements are of another type.
    fn try_from(any: AnyTensor) -> Result<Self, Error> {
        Tensor::try_from(&any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_in_and_out<T: Element>(x: &Tensor<T>) {
        let any = AnyTensor::from(x);
        assert_eq!((any.dtype(), any.shape()), (T::DTYPE.name(), x.shape()));
        assert!(any.get::<T>().unwrap().shares_storage(x));
        assert_eq!(&Tensor::<T>::try_from(&any).unwrap(), x);
        assert_eq!(AnyTensor::from(&any), any);
        let others = [
            any.get::<f32>().is_some(),
            any.get::<f64>().is_some(),
            any.get::<i32>().is_some(),
            any.get::<i64>().is_some(),
            any.get::<u8>().is_some(),
            any.get::<bool>().is_some(),
        ];
        assert_eq!(others.iter().filter(|&&some| some).count(), 1);
    }

    #[test]
    fn every_element_type_goes_in_and_comes_out_as_itself_only() {
        goes_in_and_out(&Tensor::<f32>::zeros([2, 3]).t());
        goes_in_and_out(&Tensor::<f64>::scalar(1.0));
        goes_in_and_out(&Tensor::<i32>::zeros([0, 3]));
        goes_in_and_out(&Tensor::<i64>::arange(3));
        goes_in_and_out(&Tensor::<u8>::zeros([4]).expand([2, 4]));
        goes_in_and_out(&Tensor::from([true, false]));
    }

    #[test]
    fn a_tensor_that_is_taken_out_owns_its_storage_alone() {
        let mut x: Tensor<f32> = AnyTensor::from(Tensor::from([1.0_f32, 2.0])).try_into().unwrap();
        assert!(x.unique_range().is_some());
    }
}
