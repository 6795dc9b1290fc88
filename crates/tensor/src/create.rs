//! Making tensors. Random fills live in the `init` crate.

use crate::buffer::Buffer;
use crate::element::{Element, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::shape::{IntoShape, Shape};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Every element `value`.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::full([2], 7), Tensor::from([7, 7]));
    /// ```
    #[track_caller]
    pub fn full(shape: impl IntoShape, value: T) -> Self {
        let shape = shape.into_shape().or_panic();
        let mut buffer = Buffer::stale(shape.numel());
        buffer.fill(value);
        Tensor::from_buffer(buffer, shape)
    }

    /// A tensor of rank 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::scalar(2.5).item(), 2.5);
    /// ```
    pub fn scalar(value: T) -> Self {
        Tensor::full((), value)
    }

    /// The elements of `data` in row-major order.
    ///
    /// # Panics
    /// Their number does not fit the shape; [`try_from_vec`](Self::try_from_vec) returns that instead.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from_vec(vec![1, 2, 3, 4, 5, 6], [2, 3]);
    /// assert_eq!(x, Tensor::from([[1, 2, 3], [4, 5, 6]]));
    /// ```
    #[track_caller]
    pub fn from_vec(data: Vec<T>, shape: impl IntoShape) -> Self {
        Tensor::try_from_vec(data, shape).or_panic()
    }

    /// The elements of `data` in row-major order.
    ///
    /// # Errors
    /// Their number does not fit the shape.
    pub fn try_from_vec(data: Vec<T>, shape: impl IntoShape) -> Result<Self, Error> {
        let shape = shape.into_shape()?;
        if data.len() != shape.numel() {
            return Err(Error::new("from_vec", Reason::Length { len: data.len(), shape }));
        }
        Ok(Tensor::from_buffer(Buffer::from(data), shape))
    }

    /// A vector of the elements of `data`.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from_slice(&[1, 2]), Tensor::from([1, 2]));
    /// ```
    pub fn from_slice(data: &[T]) -> Self {
        let len = data.len();
        Tensor::from_vec(data.to_vec(), len)
    }

    /// The element at each index is what `value` returns for it; called in row-major order.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from_fn([2, 3], |index| 10 * index[0] as i64 + index[1] as i64);
    /// assert_eq!(x, Tensor::from([[0, 1, 2], [10, 11, 12]]));
    /// ```
    #[track_caller]
    pub fn from_fn(shape: impl IntoShape, mut value: impl FnMut(&[usize]) -> T) -> Self {
        let shape = shape.into_shape().or_panic();
        let mut buffer = Buffer::stale(shape.numel());
        let mut index = vec![0; shape.rank()];
        for out in buffer.iter_mut() {
            *out = value(&index);
            for (entry, &size) in index.iter_mut().zip(shape.dims()).rev() {
                *entry += 1;
                if *entry < size {
                    break;
                }
                *entry = 0;
            }
        }
        Tensor::from_buffer(buffer, shape)
    }
}

impl<T: Number> Tensor<T> {
    /// Every element 0.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3]).sum(..).item(), 0.0);
    /// ```
    #[track_caller]
    pub fn zeros(shape: impl IntoShape) -> Self {
        let shape = shape.into_shape().or_panic();
        Tensor::from_buffer(Buffer::zeroed(shape.numel()), shape)
    }

    /// Every element 1.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::ones([2, 3]).sum(..).item(), 6.0);
    /// ```
    #[track_caller]
    pub fn ones(shape: impl IntoShape) -> Self {
        Tensor::full(shape, T::ONE)
    }

    /// The identity matrix of `n` rows.
    ///
    /// # Panics
    /// `n`² elements cannot be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::eye(2), Tensor::from([[1, 0], [0, 1]]));
    /// ```
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        Tensor::from_fn([n, n], |index| if index[0] == index[1] { T::ONE } else { T::ZERO })
    }

    /// The vector 0, 1, 2, … of `len` elements, by counting up: past the last whole number that `T` holds, integers
    /// follow Rust's rules of overflow and floats stand still.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::arange(4), Tensor::from([0, 1, 2, 3]));
    /// ```
    pub fn arange(len: usize) -> Self {
        let mut next = T::ZERO;
        let count = |i: usize| {
            // Not one further than asked: it may not exist.
            if i > 0 {
                next += T::ONE;
            }
            next
        };
        (0..len).map(count).collect()
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor<T> {
    /// A vector.
    fn from(data: [T; N]) -> Self {
        Tensor::from_vec(data.to_vec(), N)
    }
}

impl<T: Element, const N: usize, const M: usize> From<[[T; N]; M]> for Tensor<T> {
    /// A matrix of M rows and N columns.
    fn from(data: [[T; N]; M]) -> Self {
        Tensor::from_vec(data.as_flattened().to_vec(), [M, N])
    }
}

impl<T: Element, const N: usize, const M: usize, const L: usize> From<[[[T; N]; M]; L]> for Tensor<T> {
    /// L matrices of M rows and N columns.
    fn from(data: [[[T; N]; M]; L]) -> Self {
        Tensor::from_vec(data.as_flattened().as_flattened().to_vec(), [L, M, N])
    }
}

impl<T: Element> FromIterator<T> for Tensor<T> {
    /// A vector.
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let data: Vec<T> = elements.into_iter().collect();
        let shape = Shape::from([data.len()]);
        Tensor::from_buffer(Buffer::from(data), shape)
    }
}
