//! What is put around a tensor.

use crate::create::{check_room, room};
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::layout::Layout;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What is put around a tensor: a number, or elements of its own. PyTorch's modes of `functional.pad`.
///
/// # Example
/// ```
/// use tensor::{Pad, Tensor};
///
/// let x = Tensor::from([1, 2, 3]);
/// let all = [Pad::from(0), Pad::Reflect, Pad::Replicate, Pad::Circular].map(|with| x.pad(&[(2, 1)], with));
/// assert_eq!(all[0], Tensor::from([0, 0, 1, 2, 3, 0]));
/// assert_eq!(all[1], Tensor::from([3, 2, 1, 2, 3, 2]));
/// assert_eq!(all[2], Tensor::from([1, 1, 1, 2, 3, 3]));
/// assert_eq!(all[3], Tensor::from([2, 3, 1, 2, 3, 1]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pad<T> {
    /// This number.
    Constant(T),
    /// The elements mirrored at the first and the last, which are not repeated: fewer than there are.
    Reflect,
    /// The first and the last element.
    Replicate,
    /// The elements from the other end, as if the tensor were a ring: at most as many as there are.
    Circular,
}

impl<T> From<T> for Pad<T> {
    fn from(value: T) -> Self {
        Pad::Constant(value)
    }
}

impl<T: Element> Pad<T> {
    /// Which index of an axis of `size` stands at each place of the padded one; `None` if it is the number.
    #[doc(hidden)]
    #[track_caller]
    pub fn indices(self, size: usize, (before, after): (usize, usize)) -> Option<Tensor<i64>> {
        self.places(size, (before, after)).or_panic()
    }

    fn places(self, size: usize, (before, after): (usize, usize)) -> Result<Option<Tensor<i64>>, Error> {
        let (most, name) = match self {
            Pad::Constant(_) => return Ok(None),
            Pad::Reflect => (size.saturating_sub(1), "reflected"),
            Pad::Replicate => (if size == 0 { 0 } else { usize::MAX }, "replicated"),
            Pad::Circular => (size, "circular"),
        };
        if before.max(after) > most {
            let why = format!(
                "{name} padding of {before} and {after} around an axis of {size} elements: at most {most} on either side would fit"
            );
            return Err(Error::new("pad", Reason::Argument { why }));
        }
        let len = before.saturating_add(size).saturating_add(after);
        Shape::try_new(&[len]).map_err(|error| error.of("pad"))?;
        let (size, before) = (size as i64, before as i64);
        let place = |i: i64| match self {
            Pad::Replicate => i.clamp(0, size - 1),
            Pad::Circular => i.rem_euclid(size),
            _ if i < 0 => -i,
            _ if i >= size => 2 * (size - 1) - i,
            _ => i,
        };
        Ok(Some((0..len as i64).map(|i| place(i - before)).collect()))
    }
}

impl<T: Element> Tensor<T> {
    /// The tensor with something around it: for each axis, how many indices come before and how many after. A number `with` is what
    /// stands there; see [`Pad`] for the rest.
    ///
    /// # Panics
    /// There is not one pair for each axis, the shape has more elements than can be addressed, or an axis has too few elements to be
    /// mirrored or repeated so far.
    ///
    /// # Example
    /// ```
    /// use tensor::{Pad, Tensor};
    ///
    /// let x = Tensor::from([[1, 2]]).pad(&[(1, 0), (0, 2)], 0);
    /// assert_eq!(x, Tensor::from([[0, 0, 0, 0], [1, 2, 0, 0]]));
    /// assert_eq!(Tensor::from([1, 2, 3]).pad(&[(0, 2)], Pad::Reflect), Tensor::from([1, 2, 3, 2, 1]));
    /// ```
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)], with: impl Into<Pad<T>>) -> Self {
        pad(self, widths, with.into()).or_panic()
    }
}

fn pad<T: Element>(x: &Tensor<T>, widths: &[(usize, usize)], with: Pad<T>) -> Result<Tensor<T>, Error> {
    if widths.len() != x.rank() {
        let why = format!("{} pairs of widths for {}: one for each axis would do", widths.len(), x.shape());
        return Err(Error::new("pad", Reason::Argument { why }));
    }
    let sizes = x.dims().iter().zip(widths);
    let grown = sizes.map(|(&size, &(before, after))| size.saturating_add(before).saturating_add(after));
    let shape = Shape::checked(grown.collect()).map_err(|error| error.of("pad"))?;
    check_room::<T>("pad", &shape)?;
    let Pad::Constant(value) = with else {
        let mut padded = x.clone();
        for (axis, &width) in widths.iter().enumerate().filter(|&(_, &width)| width != (0, 0)) {
            if let Some(places) = with.places(x.dims()[axis], width)? {
                padded = T::index_select(&padded, axis as isize, &places)?;
            }
        }
        return Ok(padded);
    };
    let mut out = room("pad", &shape)?;
    out.fill(value);
    let mut target = Layout::contiguous(shape.clone());
    for (axis, (&size, &(before, _))) in x.dims().iter().zip(widths).enumerate() {
        target = target.slice(axis as isize, before, before + size, 1)?;
    }
    T::write(&mut out, &target, x);
    Ok(Tensor::from_buffer(out, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(
        expected = "pad: reflected padding of 3 and 0 around an axis of 3 elements: at most 2 on either side would fit"
    )]
    fn a_mirror_does_not_reach_beyond_the_other_end() {
        Tensor::from([1, 2, 3]).pad(&[(3, 0)], Pad::Reflect);
    }

    #[test]
    fn nothing_can_be_repeated_only_if_nothing_is_asked_for() {
        let none = Tensor::<f32>::zeros([0, 2]);
        assert_eq!(none.pad(&[(0, 0), (1, 1)], Pad::Reflect).dims(), [0, 4]);
        assert!(std::panic::catch_unwind(|| none.pad(&[(1, 0), (0, 0)], Pad::Replicate)).is_err());
    }
}
