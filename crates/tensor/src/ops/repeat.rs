//! Tensors repeated, and rolled around.

use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The tensor `repeats[axis]` times along each axis; additional repeats come first, as new axes. A copy, where
    /// [`expand`](Self::expand) makes a view.
    ///
    /// # Panics
    /// There are fewer repeats than axes, or the shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).repeat(&[2, 2]), Tensor::from([[1, 2, 1, 2], [1, 2, 1, 2]]));
    /// ```
    #[track_caller]
    pub fn repeat(&self, repeats: &[usize]) -> Self {
        repeat("repeat", self, repeats).or_panic()
    }

    /// As [`repeat`](Self::repeat), where missing repeats are for the first axes, and are 1.
    ///
    /// # Panics
    /// The shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1], [2]]).tile(&[3]), Tensor::from([[1, 1, 1], [2, 2, 2]]));
    /// ```
    #[track_caller]
    pub fn tile(&self, repeats: &[usize]) -> Self {
        let missing = vec![1; self.rank().saturating_sub(repeats.len())];
        repeat("tile", self, &[&missing, repeats].concat()).or_panic()
    }

    /// Each slice along `axis` `repeats` times in a row.
    ///
    /// # Panics
    /// The axis is out of range, or the shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).repeat_interleave(2, 0), Tensor::from([1, 1, 2, 2]));
    /// ```
    #[track_caller]
    pub fn repeat_interleave(&self, repeats: usize, axis: isize) -> Self {
        let axis = self.shape().axis("repeat_interleave", axis).or_panic();
        let (before, after) = self.dims().split_at(axis + 1);
        let wide = Shape::try_new(&[before, &[repeats], after].concat());
        let wide = wide.map_err(|error| error.of("repeat_interleave")).or_panic();
        let mut dims = self.dims().to_vec();
        dims[axis] = dims[axis].saturating_mul(repeats);
        self.unsqueeze(axis as isize + 1).expand(wide).copied().reshape(dims)
    }

    /// The elements moved on by `shift` along `axis`, backwards if it is negative; those that leave the end come in at
    /// the beginning.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2, 3, 4]).roll(1, 0), Tensor::from([4, 1, 2, 3]));
    /// ```
    #[track_caller]
    pub fn roll(&self, shift: isize, axis: isize) -> Self {
        let axis = self.shape().axis("roll", axis).or_panic();
        let size = self.dims()[axis];
        if size == 0 {
            return self.clone();
        }
        // No more elements than an isize counts.
        let first = size - shift.rem_euclid(size as isize) as usize;
        let (head, tail) = (self.slice(axis as isize, first..), self.slice(axis as isize, ..first));
        T::cat("roll", &[&head, &tail], axis as isize).or_panic()
    }
}

fn repeat<T: Element>(op: &'static str, x: &Tensor<T>, repeats: &[usize]) -> Result<Tensor<T>, Error> {
    let Some(new) = repeats.len().checked_sub(x.rank()) else {
        let why = format!("{repeats:?} does not repeat {}: one number for each axis, at least, would", x.shape());
        return Err(Error::new(op, Reason::Argument { why }));
    };
    // Each axis of size d that is repeated r times is two, [r, d], until it is copied.
    let mut layout = x.layout().clone();
    for axis in (0..x.rank()).rev() {
        layout = layout.unsqueeze(axis as isize)?;
    }
    let (mut wide, mut dims) = (repeats[..new].to_vec(), repeats[..new].to_vec());
    for (&size, &repeats) in x.dims().iter().zip(&repeats[new..]) {
        wide.extend([repeats, size]);
        dims.push(repeats.saturating_mul(size));
    }
    let wide = Shape::try_new(&wide).map_err(|error| error.of(op))?;
    x.view(layout.broadcast_to(&wide)?).copied().try_reshape(dims)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

    proptest! {
        #[test]
        fn repeats_agree_with_their_definition(x in any_view(0..4), repeats in prop::collection::vec(0usize..4, 3..5)) {
            let new = repeats.len() - x.rank();
            let got = x.repeat(&repeats);
            let want: Vec<usize> =
                (0..repeats.len()).map(|a| if a < new { repeats[a] } else { repeats[a] * x.dims()[a - new] }).collect();
            prop_assert_eq!(got.dims(), &want[..]);
            let want = Tensor::from_fn(got.shape(), |index| {
                let own: Vec<usize> = index[new..].iter().zip(x.dims()).map(|(i, size)| i % size).collect();
                x.get(&own).unwrap()
            });
            prop_assert_eq!(got, want);
            if x.rank() > 0 {
                prop_assert_eq!(x.tile(&repeats[..1]), x.repeat(&[&vec![1; x.rank() - 1], &repeats[..1]].concat()));
            }
        }

        #[test]
        fn slices_are_interleaved_and_rolled(x in any_view(1..4), repeats in 0usize..4, shift in -9isize..9) {
            for axis in 0..x.rank() {
                let got = x.repeat_interleave(repeats, axis as isize);
                prop_assert_eq!(got.dims()[axis], repeats * x.dims()[axis]);
                let want = Tensor::from_fn(got.shape(), |index| {
                    let mut own = index.to_vec();
                    own[axis] /= repeats;
                    x.get(&own).unwrap()
                });
                prop_assert_eq!(got, want);
                let rolled = Tensor::from_fn(x.shape(), |index| {
                    let mut own = index.to_vec();
                    own[axis] = (index[axis] as isize - shift).rem_euclid(x.dims()[axis] as isize) as usize;
                    x.get(&own).unwrap()
                });
                prop_assert_eq!(x.roll(shift, axis as isize), rolled);
            }
        }
    }
}
