//! Which axes a reduction takes, and the shape that it leaves.

use std::ops::RangeFull;

use crate::dims::Dims;
use crate::error::{Error, Reason};
use crate::shape::Shape;

/// The axes of a reduction: `..` for all of them, one such as `0` or `-1`, several as `[0, 2]`; wrapped in
/// [`keepdim`], the reduced axes stay with size 1.
///
/// A scalar has no axes: neither 0 nor −1, which PyTorch accepts for one; `..` is right for any rank.
pub trait Axes {
    /// Calls `push` with each axis; returns false where every axis is meant.
    #[doc(hidden)]
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool;

    #[doc(hidden)]
    const KEEP: bool = false;
}

impl Axes for RangeFull {
    fn each(&self, _: &mut dyn FnMut(isize)) -> bool {
        false
    }
}

impl Axes for isize {
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        push(*self);
        true
    }
}

impl<A: Axes> Axes for &A {
    const KEEP: bool = A::KEEP;

    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        (**self).each(push)
    }
}

impl Axes for &[isize] {
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        self.iter().for_each(|&axis| push(axis));
        true
    }
}

impl<const N: usize> Axes for [isize; N] {
    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        self.as_slice().each(push)
    }
}

/// Axes that stay with size 1 when they are reduced; made by [`keepdim`].
#[derive(Clone, Copy, Debug)]
pub struct KeepDim<A>(A);

impl<A: Axes> Axes for KeepDim<A> {
    const KEEP: bool = true;

    fn each(&self, push: &mut dyn FnMut(isize)) -> bool {
        self.0.each(push)
    }
}

/// The same axes, kept with size 1 by the reduction, so that its result broadcasts against its input.
///
/// # Example
/// ```
/// use tensor::{Tensor, keepdim};
///
/// let x = Tensor::from([[1.0, 3.0], [2.0, 6.0]]);
/// assert_eq!(&x - x.mean(keepdim(-1)), Tensor::from([[-1.0, 1.0], [-2.0, 2.0]]));
/// ```
pub fn keepdim<A: Axes>(axes: A) -> KeepDim<A> {
    KeepDim(axes)
}

impl Shape {
    /// This shape with `axes` reduced to size 1.
    ///
    /// # Errors
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Shape;
    ///
    /// assert_eq!(Shape::from([32, 200]).reduced(-1)?.dims(), [32, 1]);
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn reduced(&self, axes: impl Axes) -> Result<Shape, Error> {
        Ok(kept(self, &reduced("reduced", self, &axes)?))
    }
}

/// Whether each axis is reduced.
pub(super) fn reduced(op: &'static str, shape: &Shape, axes: &impl Axes) -> Result<Dims<bool>, Error> {
    let mut named = Dims::<isize>::new();
    if !axes.each(&mut |axis| named.push(axis)) {
        return Ok(Dims::filled(true, shape.rank()));
    }
    let mut reduced = Dims::filled(false, shape.rank());
    for &axis in &*named {
        let index = shape.axis(op, axis)?;
        if std::mem::replace(&mut reduced[index], true) {
            let (axes, shape) = (named.to_vec(), shape.clone());
            return Err(Error::new(op, Reason::Axes { axes, shape, rule: "name each axis at most once" }));
        }
    }
    Ok(reduced)
}

/// The shape in which the reduced axes have size 1.
pub(super) fn kept(shape: &Shape, reduced: &[bool]) -> Shape {
    let kept = shape.dims().iter().zip(reduced).map(|(&size, &reduced)| if reduced { 1 } else { size });
    Shape::checked(kept.collect()).expect("a reduction has no larger shape than its input")
}

/// The shape without the reduced axes.
pub(super) fn dropped(shape: &Shape, reduced: &[bool]) -> Shape {
    let kept = shape.dims().iter().zip(reduced).filter(|(_, reduced)| !**reduced).map(|(&size, _)| size);
    Shape::checked(kept.collect()).expect("a reduction has no larger shape than its input")
}

/// How many elements become one.
pub(super) fn count(shape: &Shape, reduced: &[bool]) -> usize {
    shape.dims().iter().zip(reduced).filter(|(_, reduced)| **reduced).map(|(&size, _)| size).product()
}
