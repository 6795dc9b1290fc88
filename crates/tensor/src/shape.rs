//! The dimensions of a tensor, and how two shapes broadcast.

use std::fmt;

use crate::dims::Dims;
use crate::error::{Error, OrPanic, Reason};

/// The dimensions of a tensor, outermost first; rank 0 is a scalar.
///
/// Invariant: the product of the non-zero dimensions fits an `isize`, so that no size or stride overflows later.
/// Up to rank 6 a shape allocates nothing.
///
/// # Example
/// ```
/// use tensor::Shape;
///
/// let shape = Shape::from([32, 200]);
/// assert_eq!((shape.rank(), shape.numel()), (2, 6400));
/// assert_eq!(shape.to_string(), "[32, 200]");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Shape(Dims<usize>);

impl Shape {
    /// The shape of a scalar, `[]`.
    pub fn scalar() -> Self {
        Shape(Dims::new())
    }

    /// The shape with these dimensions, if the number of elements can be addressed.
    ///
    /// # Errors
    /// The product of the non-zero dimensions does not fit an `isize`.
    pub fn try_new(dims: &[usize]) -> Result<Self, Error> {
        Shape::checked(dims.iter().copied().collect())
    }

    /// The shape of so many elements with these dimensions, of which one may be [`INFER`].
    #[inline(never)]
    fn inferred(dims: &[usize], numel: usize) -> Result<Self, Error> {
        let is_free = |&&dim: &&usize| dim == INFER;
        let known = dims.iter().filter(|dim| !is_free(dim)).try_fold(1_usize, |n, &dim| n.checked_mul(dim));
        let rest = match (dims.iter().filter(is_free).count(), known) {
            (0, _) => return Shape::try_new(dims),
            // Of nothing times something, any size would do.
            (1, Some(known)) if known > 0 && numel.is_multiple_of(known) => numel / known,
            _ => return Err(Error::new("shape", Reason::Infer { numel, dims: dims.to_vec() })),
        };
        Shape::checked(dims.iter().map(|&dim| if dim == INFER { rest } else { dim }).collect())
    }

    #[inline(never)]
    pub(crate) fn checked(dims: Dims<usize>) -> Result<Self, Error> {
        let product = dims.iter().filter(|&&d| d != 0).try_fold(1usize, |n, &d| n.checked_mul(d));
        match product {
            Some(n) if isize::try_from(n).is_ok() => Ok(Shape(dims)),
            _ => Err(Error::new("shape", Reason::TooLarge { dims: dims.to_vec() })),
        }
    }

    /// The dimensions as a slice.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements: the product of the dimensions, 1 for a scalar.
    pub fn numel(&self) -> usize {
        self.0.iter().product()
    }

    /// The index of `axis`, where −1 is the last one.
    pub(crate) fn axis(&self, op: &'static str, axis: isize) -> Result<usize, Error> {
        let rank = self.rank() as isize;
        let index = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&index) {
            Ok(index as usize)
        } else {
            Err(Error::new(op, Reason::Axis { axis, shape: self.clone() }))
        }
    }

    /// The shape that both broadcast to, by NumPy's rule: axes are matched from the last, and 1 fits any size.
    ///
    /// # Errors
    /// Two sizes differ and neither is 1.
    ///
    /// # Example
    /// ```
    /// use tensor::Shape;
    ///
    /// let both = Shape::from([32, 1, 5]).broadcast(&Shape::from([7, 1]))?;
    /// assert_eq!(both.dims(), [32, 7, 5]);
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn broadcast(&self, other: &Shape) -> Result<Shape, Error> {
        self.broadcast_in("broadcast", other)
    }

    #[inline(never)]
    pub(crate) fn broadcast_in(&self, op: &'static str, other: &Shape) -> Result<Shape, Error> {
        if self == other {
            return Ok(self.clone());
        }
        let rank = self.rank().max(other.rank());
        let size = |shape: &Shape, axis: usize| match (axis + shape.rank()).checked_sub(rank) {
            Some(own) => shape.0[own],
            None => 1,
        };
        let mut dims = Dims::new();
        for axis in 0..rank {
            dims.push(match (size(self, axis), size(other, axis)) {
                (l, r) if l == r => l,
                (1, r) => r,
                (l, 1) => l,
                _ => {
                    let (left, right) = (self.clone(), other.clone());
                    return Err(Error::new(op, Reason::Broadcast { left, right }));
                }
            });
        }
        Shape::checked(dims).map_err(|error| error.of(op))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An axis whose size follows from the number of elements, in [`Tensor::reshape`](crate::Tensor::reshape): PyTorch's −1. It is
/// `usize::MAX`.
///
/// # Example
/// ```
/// use tensor::{INFER, Tensor};
///
/// let x = Tensor::<f32>::zeros([32, 3, 10]);
/// assert_eq!(x.reshape([INFER, 30]).dims(), [32, 30]);
/// ```
pub const INFER: usize = usize::MAX;

/// What can be given as a shape: `[2, 3]`, a slice, a `Vec`, a `usize` for a vector, `()` for a scalar, or a [`Shape`].
pub trait IntoShape: Sized {
    /// The shape.
    ///
    /// # Errors
    /// The product of the non-zero dimensions does not fit an `isize`.
    fn into_shape(self) -> Result<Shape, Error>;

    /// The shape of so many elements, where one axis may be [`INFER`].
    ///
    /// # Errors
    /// As [`into_shape`](Self::into_shape); or an axis cannot be inferred.
    fn into_shape_of(self, _numel: usize) -> Result<Shape, Error> {
        self.into_shape()
    }
}

impl IntoShape for Shape {
    fn into_shape(self) -> Result<Shape, Error> {
        Ok(self)
    }
}

impl IntoShape for &Shape {
    fn into_shape(self) -> Result<Shape, Error> {
        Ok(self.clone())
    }
}

impl IntoShape for () {
    fn into_shape(self) -> Result<Shape, Error> {
        Ok(Shape::scalar())
    }
}

impl IntoShape for usize {
    fn into_shape(self) -> Result<Shape, Error> {
        Shape::try_new(&[self])
    }

    fn into_shape_of(self, numel: usize) -> Result<Shape, Error> {
        Shape::inferred(&[self], numel)
    }
}

/// Stamps what may be given where a slice of dimensions may.
macro_rules! into_shape {
    ($([$($generics:tt)*] $t:ty;)*) => {$(
        impl<$($generics)*> IntoShape for $t {
            fn into_shape(self) -> Result<Shape, Error> {
                Shape::try_new(&self[..])
            }

            fn into_shape_of(self, numel: usize) -> Result<Shape, Error> {
                Shape::inferred(&self[..], numel)
            }
        }
    )*};
}

into_shape! {
    [] &[usize];
    [] Vec<usize>;
    [] &Vec<usize>;
    [const N: usize] [usize; N];
    [const N: usize] &[usize; N];
}

/// Stamps conversions for where a `Shape` itself is asked.
macro_rules! shape_from {
    ($([$($generics:tt)*] $t:ty;)*) => {$(
        impl<$($generics)*> From<$t> for Shape {
            /// # Panics
            /// The product of the non-zero dimensions does not fit an `isize`; [`Shape::try_new`] returns that instead.
            #[track_caller]
            fn from(dims: $t) -> Self {
                dims.into_shape().or_panic()
            }
        }
    )*};
}

shape_from! {
    [] ();
    [] usize;
    [] &[usize];
    [] Vec<usize>;
    [] &Vec<usize>;
    [const N: usize] [usize; N];
    [const N: usize] &[usize; N];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        type Case = (&'static [usize], &'static [usize], Option<&'static [usize]>);
        let cases: [Case; 8] = [
            (&[], &[], Some(&[])),
            (&[3], &[], Some(&[3])),
            (&[2, 3], &[3], Some(&[2, 3])),
            (&[2, 1], &[1, 3], Some(&[2, 3])),
            (&[0, 1], &[1, 4], Some(&[0, 4])),
            (&[5, 1, 7], &[6, 1], Some(&[5, 6, 7])),
            (&[2, 3], &[2], None),
            (&[0], &[2], None),
        ];
        for (l, r, want) in cases {
            let (l, r) = (Shape::try_new(l).unwrap(), Shape::try_new(r).unwrap());
            for got in [l.broadcast(&r), r.broadcast(&l)] {
                assert_eq!(got.ok().as_ref().map(Shape::dims), want, "{l} with {r}");
            }
        }
    }

    #[test]
    fn errors_say_both_shapes_and_what_fits() {
        let error = Shape::from([32, 200]).broadcast_in("add", &Shape::from([100])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "add: shapes do not broadcast: [32, 200] and [100] (axis -1: 200 and 100; equal sizes, or 1, would fit)"
        );
    }

    #[test]
    fn one_axis_is_inferred_where_the_others_divide_the_elements() {
        let of = |dims: &[usize], numel| Shape::inferred(dims, numel);
        assert_eq!(of(&[INFER, 4], 12).unwrap().dims(), [3, 4]);
        assert_eq!(of(&[2, INFER, 3], 0).unwrap().dims(), [2, 0, 3]);
        assert_eq!(of(&[3, 4], 12).unwrap().dims(), [3, 4]);
        let why = |dims: &[usize], numel| of(dims, numel).unwrap_err().of("reshape").to_string();
        assert_eq!(why(&[INFER, 5], 12), "reshape: 12 elements cannot be [_, 5]: they are no multiple of 5");
        assert_eq!(
            why(&[INFER, 5, INFER], 20),
            "reshape: 20 elements cannot be [_, 5, _]: only one axis can be inferred"
        );
        assert_eq!(why(&[INFER, 0], 0), "reshape: 0 elements cannot be [_, 0]: any size would do");
        // Elsewhere, there is nothing to infer it from.
        assert!([INFER, 2].into_shape().is_err());
    }

    #[test]
    fn a_product_that_overflows_is_refused_even_beside_a_zero() {
        assert!(Shape::try_new(&[usize::MAX, 2]).is_err());
        assert!(Shape::try_new(&[0, usize::MAX, 2]).is_err());
        assert!(Shape::try_new(&[isize::MAX as usize]).is_ok());
        assert_eq!(Shape::try_new(&[0, 5]).unwrap().numel(), 0);
    }
}
