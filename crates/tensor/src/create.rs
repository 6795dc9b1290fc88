//! Making tensors; of numbers at equal distances in `ranges`, of random ones in `random`.

use crate::buffer::Buffer;
use crate::element::{Element, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::shape::{IntoShape, Shape};
use crate::tensor::Tensor;

/// Stale elements for a result of the op `op`.
pub(crate) fn room<T: Element>(op: &'static str, shape: &Shape) -> Result<Buffer<T>, Error> {
    Buffer::try_stale(shape.numel()).ok_or_else(|| too_much::<T>(op, shape))
}

/// Whether there is memory for a result of the op `op`, before lists as long as it are made.
pub(crate) fn check_room<T: Element>(op: &'static str, shape: &Shape) -> Result<(), Error> {
    const LARGE: usize = 1 << 24;
    if shape.numel() < LARGE { Ok(()) } else { room::<T>(op, shape).map(drop) }
}

#[cold]
fn too_much<T: Element>(op: &'static str, shape: &Shape) -> Error {
    let bytes = shape.numel() as u128 * size_of::<T>() as u128;
    Error::new(op, Reason::Memory { shape: shape.clone(), dtype: T::DTYPE, bytes })
}

/// The shape of what the op `op` makes.
fn shape_of(op: &'static str, shape: impl IntoShape) -> Result<Shape, Error> {
    shape.into_shape().map_err(|error| error.of(op))
}

fn full<T: Element>(op: &'static str, shape: impl IntoShape, value: T) -> Result<Tensor<T>, Error> {
    let shape = shape_of(op, shape)?;
    let mut buffer = room(op, &shape)?;
    buffer.fill(value);
    Ok(Tensor::from_buffer(buffer, shape))
}

pub(crate) fn from_fn<T: Element>(
    op: &'static str,
    shape: impl IntoShape,
    mut value: impl FnMut(&[usize]) -> T,
) -> Result<Tensor<T>, Error> {
    let shape = shape_of(op, shape)?;
    let mut buffer = room(op, &shape)?;
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
    Ok(Tensor::from_buffer(buffer, shape))
}

impl<T: Element> Tensor<T> {
    /// Every element `value`.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::full([2], 7), Tensor::from([7, 7]));
    /// ```
    #[track_caller]
    pub fn full(shape: impl IntoShape, value: T) -> Self {
        full("full", shape, value).or_panic()
    }

    /// Every element `value`.
    ///
    /// # Errors
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::try_full([2], 7)?, Tensor::from([7, 7]));
    /// assert!(Tensor::try_full([1 << 40, 1 << 20], 0.0_f32).is_err());
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn try_full(shape: impl IntoShape, value: T) -> Result<Self, Error> {
        full("full", shape, value)
    }

    /// Every element `value`, in the shape of `x`.
    ///
    /// # Panics
    /// The system has no memory for it.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(Tensor::full_like(&x, 7), Tensor::from([[7, 7], [7, 7]]));
    /// ```
    #[track_caller]
    pub fn full_like(x: &Self, value: T) -> Self {
        full("full_like", x.shape(), value).or_panic()
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
        let shape = shape_of("from_vec", shape)?;
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
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from_fn([2, 3], |index| 10 * index[0] as i64 + index[1] as i64);
    /// assert_eq!(x, Tensor::from([[0, 1, 2], [10, 11, 12]]));
    /// ```
    #[track_caller]
    pub fn from_fn(shape: impl IntoShape, value: impl FnMut(&[usize]) -> T) -> Self {
        from_fn("from_fn", shape, value).or_panic()
    }
}

impl<T: Number> Tensor<T> {
    /// Every element 0.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3]).sum(..).item(), 0.0);
    /// ```
    #[track_caller]
    pub fn zeros(shape: impl IntoShape) -> Self {
        zeros("zeros", shape).or_panic()
    }

    /// Every element 1.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::ones([2, 3]).sum(..).item(), 6.0);
    /// ```
    #[track_caller]
    pub fn ones(shape: impl IntoShape) -> Self {
        full("ones", shape, T::ONE).or_panic()
    }

    /// Every element 0, in the shape of `x`.
    ///
    /// # Panics
    /// The system has no memory for it.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::zeros_like(&Tensor::from([1, 2])), Tensor::from([0, 0]));
    /// ```
    #[track_caller]
    pub fn zeros_like(x: &Self) -> Self {
        zeros("zeros_like", x.shape()).or_panic()
    }

    /// Every element 1, in the shape of `x`.
    ///
    /// # Panics
    /// The system has no memory for it.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::ones_like(&Tensor::from([7, 8])), Tensor::from([1, 1]));
    /// ```
    #[track_caller]
    pub fn ones_like(x: &Self) -> Self {
        full("ones_like", x.shape(), T::ONE).or_panic()
    }

    /// The identity matrix of `n` rows.
    ///
    /// # Panics
    /// `n`² elements cannot be addressed, or the system has no memory for them.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::eye(2), Tensor::from([[1, 0], [0, 1]]));
    /// ```
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        from_fn("eye", [n, n], |index| if index[0] == index[1] { T::ONE } else { T::ZERO }).or_panic()
    }
}

fn zeros<T: Number>(op: &'static str, shape: impl IntoShape) -> Result<Tensor<T>, Error> {
    let shape = shape_of(op, shape)?;
    let buffer = Buffer::try_zeroed(shape.numel()).ok_or_else(|| too_much::<T>(op, &shape))?;
    Ok(Tensor::from_buffer(buffer, shape))
}

impl<T: Element> From<Vec<T>> for Tensor<T> {
    /// A vector, with this memory.
    fn from(data: Vec<T>) -> Self {
        let len = data.len();
        Tensor::from_vec(data, len)
    }
}

impl<T: Element> From<Vec<Vec<T>>> for Tensor<T> {
    /// A matrix of these rows.
    ///
    /// # Panics
    /// The rows are not all as long as the first.
    #[track_caller]
    fn from(rows: Vec<Vec<T>>) -> Self {
        let width = rows.first().map_or(0, Vec::len);
        for (row, elements) in rows.iter().enumerate() {
            let length = elements.len();
            assert!(length == width, "Tensor::from: row {row} has {length} elements, and row 0 has {width}");
        }
        let shape = [rows.len(), width];
        Tensor::from_vec(rows.concat(), shape)
    }
}

impl<T: Element> From<&[T]> for Tensor<T> {
    /// A vector.
    fn from(data: &[T]) -> Self {
        Tensor::from_slice(data)
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
