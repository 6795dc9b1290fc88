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
        Ok(Over { keep: true, ..over("reduced", self, &axes)? }.shape(self))
    }
}

/// The axes that a reduction takes, of the shape that it is given.
pub struct Over {
    /// Whether each axis is reduced.
    pub(crate) reduced: Dims<bool>,
    /// Whether they stay, with a size of 1.
    pub(super) keep: bool,
}

/// What `axes` are of `shape`.
///
/// # Errors
/// An axis is out of range or named twice.
pub(crate) fn over<A: Axes>(op: &'static str, shape: &Shape, axes: &A) -> Result<Over, Error> {
    let mut named = Dims::<isize>::new();
    let some = axes.each(&mut |axis| named.push(axis));
    Over::new(op, shape, some.then_some(&*named), A::KEEP)
}

impl Over {
    /// Those that are named, or all.
    fn new(op: &'static str, shape: &Shape, named: Option<&[isize]>, keep: bool) -> Result<Self, Error> {
        let Some(named) = named else { return Ok(Over { reduced: Dims::filled(true, shape.rank()), keep }) };
        let mut reduced = Dims::filled(false, shape.rank());
        for &axis in named {
            let index = shape.axis(op, axis)?;
            if std::mem::replace(&mut reduced[index], true) {
                let (axes, shape) = (named.to_vec(), shape.clone());
                return Err(Error::new(op, Reason::Axes { axes, shape, rule: "name each axis at most once" }));
            }
        }
        Ok(Over { reduced, keep })
    }

    /// The shape of the result.
    pub(crate) fn shape(&self, of: &Shape) -> Shape {
        let axes = of.dims().iter().zip(&*self.reduced);
        let left = axes.filter(|(_, reduced)| self.keep || !**reduced);
        let dims = left.map(|(&size, &reduced)| if reduced { 1 } else { size });
        Shape::checked(dims.collect()).expect("a reduction has no larger shape than its input")
    }

    /// How many elements each result is made of.
    pub(crate) fn count(&self, of: &Shape) -> usize {
        of.dims().iter().zip(&*self.reduced).filter(|(_, reduced)| **reduced).map(|(&size, _)| size).product()
    }
}
