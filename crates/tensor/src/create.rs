//! Making tensors; of random numbers in `random`.

use crate::buffer::Buffer;
use crate::element::{Element, Float, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::shape::{IntoShape, Shape};
use crate::tensor::Tensor;

/// Stale elements for a result of the op `op`.
pub(crate) fn room<T: Element>(op: &'static str, shape: &Shape) -> Result<Buffer<T>, Error> {
    Buffer::try_stale(shape.numel()).ok_or_else(|| too_much::<T>(op, shape))
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

fn from_fn<T: Element>(
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

/// The vector of what `element` gives for each index below `len`, as the op `op`.
fn vector<T: Element>(op: &'static str, len: usize, mut element: impl FnMut(usize) -> T) -> Result<Tensor<T>, Error> {
    from_fn(op, len, |index| element(index[0]))
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

    /// The vector 0, 1, 2, … of `len` elements, by counting up: past the last whole number that `T` holds, integers
    /// follow Rust's rules of overflow and floats stand still.
    ///
    /// # Panics
    /// The system has no memory for `len` elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::arange(4), Tensor::from([0, 1, 2, 3]));
    /// ```
    #[track_caller]
    pub fn arange(len: usize) -> Self {
        let mut next = T::ZERO;
        let count = |i: usize| {
            // Not one further than asked: it may not exist.
            if i > 0 {
                next += T::ONE;
            }
            next
        };
        vector("arange", len, count).or_panic()
    }

    /// The vector start, start + step, start + 2 step, … up to but without `end`; PyTorch's `arange(start, end, step)`.
    /// There are ⌈(end − start) / step⌉ elements, and none where `end` is `start`.
    ///
    /// The number of floats, and each of them, is computed in f64 and rounded: no error adds up, but where the step is
    /// not exact, such as 0.1, an element close to `end` may appear. [`linspace`](Self::linspace) has no such doubt.
    ///
    /// # Panics
    /// The step is 0 or leads away from `end`, a number is infinite or NaN, or the system has no memory for so many
    /// elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::arange_step(2, 9, 3), Tensor::from([2, 5, 8]));
    /// assert_eq!(Tensor::arange_step(1.0, 0.0, -0.25), Tensor::from([1.0, 0.75, 0.5, 0.25]));
    /// ```
    #[track_caller]
    pub fn arange_step(start: T, end: T, step: T) -> Self {
        arange_step(start, end, step).or_panic()
    }
}

impl<T: Float> Tensor<T> {
    /// The vector of `steps` numbers at equal distances from `start` to `end`, both of them included: one step is
    /// `start`.
    ///
    /// Computed in f64 and rounded, the first half from `start` upwards and the second from `end` downwards, as in
    /// PyTorch: the ends are exact and the distances symmetric. All between an infinite end and another number are infinite,
    /// and all between −∞ and ∞ are NaN.
    ///
    /// # Panics
    /// The system has no memory for `steps` elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::linspace(-1.0, 1.0, 5), Tensor::from([-1.0, -0.5, 0.0, 0.5, 1.0]));
    /// ```
    #[track_caller]
    pub fn linspace(start: T, end: T, steps: usize) -> Self {
        let (first, last) = (start.to_f64(), end.to_f64());
        let parts = steps.saturating_sub(1).max(1) as f64;
        let whole = last - first;
        // The distance between two f64 may be none.
        let distance = if whole.is_finite() { whole / parts } else { last / parts - first / parts };
        let number = |i: usize| match i {
            0 => start,
            i if i + 1 < steps && !distance.is_finite() => start + end,
            i if i < steps / 2 => T::from_f64(first + distance * i as f64),
            i if i + 1 < steps => T::from_f64(last - distance * (steps - 1 - i) as f64),
            _ => end,
        };
        vector("linspace", steps, number).or_panic()
    }
}

fn zeros<T: Number>(op: &'static str, shape: impl IntoShape) -> Result<Tensor<T>, Error> {
    let shape = shape_of(op, shape)?;
    let buffer = Buffer::try_zeroed(shape.numel()).ok_or_else(|| too_much::<T>(op, &shape))?;
    Ok(Tensor::from_buffer(buffer, shape))
}

fn arange_step<T: Number>(start: T, end: T, step: T) -> Result<Tensor<T>, Error> {
    let refused = || {
        let why = format!("no step of {step} leads from {start} to {end}");
        let right = "a finite one that is not 0 and has the sign of end − start would";
        Error::new("arange_step", Reason::Argument { why: format!("{why}: {right}") })
    };
    if T::DTYPE.is_float() {
        let (first, end, by): (f64, f64, f64) = (start.convert(), end.convert(), step.convert());
        let leads = first == end || (first < end) == (by > 0.0);
        if !(leads && first.is_finite() && by.is_finite() && by != 0.0 && end.is_finite()) {
            return Err(refused());
        }
        let whole = end - first;
        // The distance between two f64 may be none; its half is one.
        let count = if whole.is_finite() { whole / by } else { 2.0 * ((end / 2.0 - first / 2.0) / by) };
        let element = |i: usize| match by * i as f64 {
            way if way.is_finite() => first + way,
            _ => 2.0 * (by / 2.0).mul_add(i as f64, first / 2.0),
        };
        return vector("arange_step", count.ceil() as usize, |i| T::of_f64(element(i)));
    }
    let (first, end, by): (i64, i64, i64) = (start.convert(), end.convert(), step.convert());
    // The distance between two i64 may be none.
    let distance = i128::from(end) - i128::from(first);
    if by == 0 || distance.signum() * i128::from(by).signum() < 0 {
        return Err(refused());
    }
    let count = distance.unsigned_abs().div_ceil(u128::from(by.unsigned_abs()));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    // The last is below the end; one step further may be no i64.
    vector("arange_step", count, |i| T::of_i64(first.wrapping_add((i as i64).wrapping_mul(by))))
}

impl<T: Element> From<Vec<T>> for Tensor<T> {
    /// A vector, with this memory.
    fn from(data: Vec<T>) -> Self {
        let len = data.len();
        Tensor::from_vec(data, len)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_up_and_down_and_stop_before_the_end() {
        assert_eq!(Tensor::arange_step(5, -6, -4), Tensor::from([5, 1, -3]));
        assert_eq!(Tensor::arange_step(5, -7, -4), Tensor::from([5, 1, -3]));
        assert_eq!(Tensor::arange_step(3_u8, 3, 1).dims(), [0]);
        assert_eq!(Tensor::arange_step(0_u8, 255, 100), Tensor::from([0, 100, 200]));
        assert_eq!(Tensor::arange_step(i64::MIN, i64::MAX, i64::MAX), Tensor::from([i64::MIN, -1, i64::MAX - 1]));
        // torch.arange(0, 1, 0.1) has 10 elements, and this is each of them
        let tenths = Tensor::arange_step(0.0, 1.0, 0.1_f64);
        assert_eq!(tenths.to_vec(), (0..10).map(|i| 0.1 * f64::from(i)).collect::<Vec<_>>());
        assert_eq!(Tensor::arange_step(0.0, 1.0, 0.1_f32).numel(), 10);
        assert_eq!(Tensor::arange_step(1.0, 1.3, 0.1_f64).numel(), 4); // 1.3000000000000003 < 1.3 + 0.1
    }

    #[test]
    fn a_step_that_leads_nowhere_is_refused() {
        for (start, end, step) in [(0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0, -1.0), (0.0, f64::INFINITY, 1.0)] {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
        }
        for (start, end, step) in [(f64::NAN, 1.0, 1.0), (0.0, f64::NAN, 1.0), (0.0, 1.0, f64::NAN), (0.0, 1.0, 1e-300)]
        {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
        }
        // The quotient of these is above −1, and so is rounded up to −0.
        for (start, end, step) in [(0.0, -0.5, 1.0), (0.0, 0.5, -1.0), (0.0, -1e-300, 1e300)] {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
            assert!(arange_step(start as f32, -0.5, 1.0).is_err());
        }
        for (start, end, step) in [(0, 1, 0), (0, 1, -1), (1, 0, 1), (0, 0, 0)] {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
        }
    }

    #[test]
    fn distances_that_no_float_holds_are_stepped_through() {
        let want = Tensor::from([-1.7e308, -0.7e308, 0.3e308, 1.3e308]);
        assert!(Tensor::arange_step(-1.7e308, 1.7e308, 1e308).allclose(&want, 1e-15, 0.0));
        assert!(Tensor::arange_step(1.7e308, -1.7e308, -1e308).allclose(&-want, 1e-15, 0.0));
        assert_eq!(Tensor::linspace(-1e308, 1e308, 5), Tensor::from([-1e308, -0.5e308, 0.0, 0.5e308, 1e308]));
        let most = Tensor::linspace(f64::MAX, -f64::MAX, 101);
        assert_eq!((most.flip(&[0]), most.to_vec()[50]), (-&most, 0.0));
        assert!(most.iter().all(f64::is_finite));
        assert_eq!(Tensor::linspace(-3e38_f32, 3e38, 5), Tensor::from([-3e38, -1.5e38, 0.0, 1.5e38, 3e38]));
        assert_eq!(Tensor::linspace(-f64::MAX, f64::MAX, 2), Tensor::from([-f64::MAX, f64::MAX]));
    }

    #[test]
    fn all_between_an_infinite_end_and_a_number_is_infinite() {
        fn check<T: Float>() {
            let (inf, two) = (T::INFINITY, T::from_f64(2.0));
            assert_eq!(Tensor::linspace(inf, inf, 4), Tensor::full([4], inf));
            assert_eq!(Tensor::linspace(-inf, -inf, 5), Tensor::full([5], -inf));
            assert_eq!(Tensor::linspace(two, inf, 4), Tensor::from([two, inf, inf, inf]));
            assert_eq!(Tensor::linspace(-inf, two, 4), Tensor::from([-inf, -inf, -inf, two]));
            let both = Tensor::linspace(-inf, inf, 4);
            assert_eq!((both.to_vec()[0], both.to_vec()[3]), (-inf, inf));
            assert!(both.slice(0, 1..3).isnan().all(..).item());
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn the_ends_are_exact_and_the_distances_symmetric() {
        assert_eq!(Tensor::linspace(3.0_f32, 9.0, 0).dims(), [0]);
        assert_eq!(Tensor::linspace(3.0_f32, 9.0, 1), Tensor::from([3.0]));
        assert_eq!(Tensor::linspace(3.0_f32, 9.0, 2), Tensor::from([3.0, 9.0]));
        assert_eq!(Tensor::linspace(9.0_f32, 3.0, 4), Tensor::from([9.0, 7.0, 5.0, 3.0]));
        for steps in 2..40 {
            let x = Tensor::linspace(-0.1_f32, 0.1, steps);
            assert_eq!((x.to_vec()[0], x.to_vec()[steps - 1]), (-0.1, 0.1));
            assert_eq!(x.flip(&[0]), -&x);
            assert!(x.as_slice().unwrap().is_sorted());
        }
    }
}
