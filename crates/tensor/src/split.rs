//! Tensors cut into views along one axis.

use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Views of `size` indices each along `axis`, one after the other; the last may have fewer.
    ///
    /// # Panics
    /// The axis is out of range, or the size is 0 and the axis has indices.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let parts = Tensor::<i64>::arange(5).split(0, 2);
    /// assert_eq!(parts, [Tensor::from([0, 1]), Tensor::from([2, 3]), Tensor::from([4])]);
    /// ```
    #[track_caller]
    pub fn split(&self, axis: isize, size: usize) -> Vec<Self> {
        let axis = self.shape().axis("split", axis).or_panic();
        let len = self.dims()[axis];
        if size == 0 && len > 0 {
            let why = format!("parts of size 0 do not make up axis {axis} of {}: at least 1 would", self.shape());
            Err(Error::new("split", Reason::Argument { why })).or_panic()
        }
        // An axis without indices is one part.
        let starts = (0..len.max(1)).step_by(size.max(1));
        starts.map(|start| self.slice(axis as isize, start..len.min(start.saturating_add(size)))).collect()
    }

    /// Views of the given sizes along `axis`, one after the other.
    ///
    /// # Panics
    /// The axis is out of range, or the sizes do not add up to its own.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let parts = Tensor::<i64>::arange(3).split_sizes(0, &[1, 2]);
    /// assert_eq!(parts, [Tensor::from([0]), Tensor::from([1, 2])]);
    /// ```
    #[track_caller]
    pub fn split_sizes(&self, axis: isize, sizes: &[usize]) -> Vec<Self> {
        let axis = self.shape().axis("split_sizes", axis).or_panic();
        let sum = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
        if sum != Some(self.dims()[axis]) {
            let why = format!("the sizes {sizes:?} do not make up axis {axis} of {}", self.shape());
            let right = format!("a sum of {} would", self.dims()[axis]);
            Err(Error::new("split_sizes", Reason::Argument { why: format!("{why}: {right}") })).or_panic()
        }
        let mut start = 0;
        let part = |&size: &usize| {
            start += size;
            self.slice(axis as isize, start - size..start)
        };
        sizes.iter().map(part).collect()
    }

    /// At most `count` views of equal size along `axis`, of which the last may be smaller: all have ⌈size / count⌉
    /// indices, so that there may be fewer than `count`. An axis without indices gives `count` views without any.
    ///
    /// # Panics
    /// The axis is out of range, or the count is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let parts = Tensor::<i64>::arange(5).chunk(0, 4); // 5 / 4, rounded up: 2 each
    /// assert_eq!(parts, [Tensor::from([0, 1]), Tensor::from([2, 3]), Tensor::from([4])]);
    /// ```
    #[track_caller]
    pub fn chunk(&self, axis: isize, count: usize) -> Vec<Self> {
        let axis = self.shape().axis("chunk", axis).or_panic();
        if count == 0 {
            let why = format!("0 parts do not make up axis {axis} of {}: at least 1 would", self.shape());
            Err(Error::new("chunk", Reason::Argument { why })).or_panic()
        }
        match self.dims()[axis] {
            0 => vec![self.clone(); count],
            size => self.split(axis as isize, size.div_ceil(count)),
        }
    }

    /// The slices along `axis` as views without that axis.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let columns = Tensor::from([[1, 2], [3, 4]]).unbind(1);
    /// assert_eq!(columns, [Tensor::from([1, 3]), Tensor::from([2, 4])]);
    /// ```
    #[track_caller]
    pub fn unbind(&self, axis: isize) -> Vec<Self> {
        let axis = self.shape().axis("unbind", axis).or_panic();
        self.axis_iter(axis as isize).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

    proptest! {
        #[test]
        fn parts_follow_each_other_without_a_copy(x in any_view(1..4), size in 1usize..6) {
            for axis in 0..x.rank() as isize {
                let len = x.size(axis);
                let parts = x.split(axis, size);
                prop_assert_eq!(parts.len(), len.div_ceil(size).max(1));
                for (i, part) in parts.iter().enumerate() {
                    prop_assert!(part.shares_storage(&x));
                    prop_assert_eq!(part, &x.narrow(axis, i * size, size.min(len - i * size)));
                }
                let sizes: Vec<usize> = parts.iter().map(|part| part.size(axis)).collect();
                prop_assert_eq!(&x.split_sizes(axis, &sizes), &parts);
                prop_assert_eq!(Tensor::cat(&parts, axis), x.clone());
                prop_assert_eq!(Tensor::cat(&x.chunk(axis, size), axis), x.clone());
                prop_assert!(x.unbind(axis).iter().enumerate().all(|(i, part)| *part == x.select(axis, i)));
            }
        }
    }

    #[test]
    fn chunks_follow_pytorch() {
        // len(torch.arange(size).chunk(count)) and the size of the first
        for (size, count, parts, first) in [(12, 5, 4, 3), (5, 5, 5, 1), (5, 9, 5, 1), (7, 2, 2, 4), (6, 4, 3, 2)] {
            let got = Tensor::<i64>::arange(size).chunk(0, count);
            assert_eq!((got.len(), got[0].numel()), (parts, first), "{size} {count}");
        }
        assert_eq!(Tensor::<i64>::arange(0).chunk(0, 3).len(), 3);
    }

    #[test]
    fn an_axis_without_indices_is_one_part() {
        for size in [0, 1, 5] {
            assert_eq!(Tensor::<i64>::zeros([2, 0]).split(1, size), [Tensor::zeros([2, 0])]);
        }
        assert_eq!(Tensor::<i64>::zeros([2, 0]).split_sizes(1, &[]), []);
        assert_eq!(Tensor::<i64>::arange(2).split(0, usize::MAX).len(), 1);
    }
}
