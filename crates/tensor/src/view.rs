//! Views: other layouts of the same storage. None of them copies, but `reshape` and `flatten` where they must.

use crate::dims::Dims;
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::shape::IntoShape;
use crate::span::{Position, Span};
use crate::tensor::Tensor;

/// Axes are counted from 0, or back from −1, the last; so are indices.
impl<T: Element> Tensor<T> {
    /// The same elements in the same order in another shape; copies only where strides cannot say it. The size of one axis may be left to
    /// [`INFER`](crate::INFER): `x.reshape([INFER, 8])`.
    ///
    /// # Panics
    /// The numbers of elements differ; [`try_reshape`](Self::try_reshape) returns that instead.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::<i64>::arange(6).reshape([2, 3]);
    /// assert_eq!(x, Tensor::from([[0, 1, 2], [3, 4, 5]]));
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoShape) -> Self {
        self.try_reshape(shape).or_panic()
    }

    /// The axes from `start` on joined into one.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([32, 3, 10]).flatten(1).dims(), [32, 30]);
    /// ```
    #[track_caller]
    pub fn flatten(&self, start: isize) -> Self {
        let start = self.shape().axis("flatten", start).or_panic();
        let (kept, joined) = self.dims().split_at(start);
        let joined: usize = joined.iter().product();
        let dims: Dims<usize> = kept.iter().copied().chain([joined]).collect();
        self.reshape(&dims[..])
    }

    /// The matrix with rows and columns exchanged; for more axes, the last two. A vector stays as it is.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).t(), Tensor::from([[1, 3], [2, 4]]));
    /// ```
    pub fn t(&self) -> Self {
        if self.rank() < 2 { self.clone() } else { self.transpose(-2, -1) }
    }

    /// The axes `a` and `b` exchanged.
    ///
    /// # Panics
    /// An axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).transpose(0, -1).dims(), [4, 3, 2]);
    /// ```
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Self {
        self.view(self.layout().transpose(a, b).or_panic())
    }

    /// The axes in a new order: axis i of the result is `axes[i]` of this one.
    ///
    /// # Panics
    /// `axes` does not name each axis once.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).permute(&[2, 0, 1]).dims(), [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn permute(&self, axes: &[isize]) -> Self {
        self.view(self.layout().permute(axes).or_panic())
    }

    /// The indices in `range` along `axis`.
    ///
    /// # Panics
    /// The axis is out of range, or the range leaves it or runs backwards.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.slice(1, 1..), Tensor::from([[2, 3], [5, 6]]));
    /// assert_eq!(x.slice(1, -1..), Tensor::from([[3], [6]]));
    /// ```
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl Span) -> Self {
        self.sliced("slice", axis, range, 1)
    }

    /// Every `step`-th index in `range` along `axis`.
    ///
    /// # Panics
    /// The axis is out of range, the range leaves it or runs backwards, or the step is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<i64>::arange(7).slice_step(0, 1.., 2), Tensor::from([1, 3, 5]));
    /// ```
    #[track_caller]
    pub fn slice_step(&self, axis: isize, range: impl Span, step: usize) -> Self {
        self.sliced("slice_step", axis, range, step)
    }

    #[track_caller]
    fn sliced(&self, op: &'static str, axis: isize, range: impl Span, step: usize) -> Self {
        let (axis, start, end) = range.within(op, self.shape(), axis, step).or_panic();
        self.view(self.layout().slice_in(op, axis as isize, start, end, step).or_panic())
    }

    /// `len` indices from `start` on along `axis`.
    ///
    /// # Panics
    /// The axis is out of range, or the indices leave it.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<i64>::arange(7).narrow(0, 2, 3), Tensor::from([2, 3, 4]));
    /// ```
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Self {
        self.sliced("narrow", axis, start..start.saturating_add(len), 1)
    }

    /// The elements at `index` of `axis`, which is dropped.
    ///
    /// # Panics
    /// The axis or the index is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).select(1, 0), Tensor::from([1, 3]));
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).select(0, -1), Tensor::from([3, 4]));
    /// ```
    #[track_caller]
    pub fn select(&self, axis: isize, index: impl Position) -> Self {
        let size = self.dims()[self.shape().axis("select", axis).or_panic()];
        let index = index.position();
        let from_start = if index < 0 { index.checked_add_unsigned(size) } else { Some(index) };
        match from_start.and_then(|index| usize::try_from(index).ok()) {
            Some(index) if index < size => self.view(self.layout().select(axis, index).or_panic()),
            _ => Err(Error::new("select", Reason::Select { index, size })).or_panic(),
        }
    }

    /// A new axis of size 1 before `axis` of this one; −1 puts it last.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([5]).unsqueeze(-1).dims(), [5, 1]);
    /// ```
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Self {
        self.view(self.layout().unsqueeze(axis).or_panic())
    }

    /// Without `axis`, whose size must be 1.
    ///
    /// # Panics
    /// The axis is out of range or its size is not 1.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([5, 1]).squeeze(1).dims(), [5]);
    /// ```
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Self {
        self.view(self.layout().squeeze(axis).or_panic())
    }

    /// Without all axes of size 1.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([1, 5, 1]).squeeze_all().dims(), [5]);
    /// ```
    pub fn squeeze_all(&self) -> Self {
        let order: Dims<usize> = (0..self.rank()).filter(|&axis| self.dims()[axis] != 1).collect();
        self.view(self.layout().reorder(&order))
    }

    /// The axis `from` moved to the place `to`; the others keep their order.
    ///
    /// # Panics
    /// An axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).movedim(0, -1).dims(), [3, 4, 2]);
    /// ```
    #[track_caller]
    pub fn movedim(&self, from: isize, to: isize) -> Self {
        let from = self.shape().axis("movedim", from).or_panic();
        let to = self.shape().axis("movedim", to).or_panic();
        let mut order: Dims<usize> = (0..self.rank()).collect();
        if from < to {
            order[from..=to].rotate_left(1)
        } else {
            order[to..=from].rotate_right(1)
        }
        self.view(self.layout().reorder(&order))
    }

    /// From the last index to the first along each of `axes`. A view, where PyTorch copies.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.flip(&[0]), Tensor::from([[3, 4], [1, 2]]));
    /// assert_eq!(x.flip(&[0, 1]), Tensor::from([[4, 3], [2, 1]]));
    /// ```
    #[track_caller]
    pub fn flip(&self, axes: &[isize]) -> Self {
        self.view(self.layout().flip(axes).or_panic())
    }

    /// The elements whose index along `b` is that along `a` plus `offset`; the two axes give way to one, the last. Where
    /// the offset leaves the matrix there are none.
    ///
    /// # Panics
    /// An axis is out of range, or both are one.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.diagonal(0, 0, 1), Tensor::from([1, 5]));
    /// assert_eq!(x.diagonal(1, 0, 1), Tensor::from([2, 6]));
    /// ```
    #[track_caller]
    pub fn diagonal(&self, offset: isize, a: isize, b: isize) -> Self {
        self.view(self.layout().diagonal(offset, a, b).or_panic())
    }

    /// Windows of `size` indices along `axis`, one every `step`: the axis counts windows, and a new one, the last, the
    /// indices within a window. They may overlap: nothing is copied. What does not fill a last window is left out.
    ///
    /// # Panics
    /// The axis is out of range or shorter than a window, or the step is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let windows = Tensor::<i64>::arange(4).unfold(0, 3, 1);
    /// assert_eq!(windows, Tensor::from([[0, 1, 2], [1, 2, 3]]));
    /// ```
    #[track_caller]
    pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Self {
        self.view(self.layout().unfold(axis, size, step).or_panic())
    }

    /// The elements repeated to `shape`: axes of size 1 grow, new axes come first. Nothing is copied.
    ///
    /// # Panics
    /// An axis of another size than 1 differs, or `shape` has fewer axes.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2]).expand([2, 2]), Tensor::from([[1, 2], [1, 2]]));
    /// ```
    #[track_caller]
    pub fn expand(&self, shape: impl IntoShape) -> Self {
        let shape = shape.into_shape().map_err(|error| error.of("expand")).or_panic();
        self.view(self.layout().broadcast_to(&shape).or_panic())
    }

    /// The same elements in row-major order without gaps; copies only where they do not lie so already.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert!(x.contiguous().shares_storage(&x));
    /// assert!(x.t().contiguous().is_contiguous());
    /// ```
    pub fn contiguous(&self) -> Self {
        if self.is_contiguous() { self.clone() } else { self.copied() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::any_view;

    /// The tensor of `dims` whose element at an index is that of `x` at what `from` makes of it.
    fn naive(x: &Tensor<i64>, dims: &[usize], from: impl Fn(&mut Vec<usize>)) -> Tensor<i64> {
        Tensor::from_fn(dims, |index| {
            let mut index = index.to_vec();
            from(&mut index);
            x.get(&index).unwrap()
        })
    }

    proptest! {
        #[test]
        fn flip_turns_its_axes_only(x in any_view(0..4), turned in any::<[bool; 4]>()) {
            let axes: Vec<isize> = (0..x.rank()).filter(|&axis| turned[axis]).map(|axis| axis as isize).collect();
            let want = naive(&x, x.dims(), |index| {
                for axis in (0..x.rank()).filter(|&axis| turned[axis]) {
                    index[axis] = x.dims()[axis] - 1 - index[axis];
                }
            });
            let got = x.flip(&axes);
            prop_assert!(got.shares_storage(&x));
            prop_assert_eq!(got, want);
        }

        #[test]
        fn the_diagonal_comes_last(x in any_view(2..5), offset in -5isize..6) {
            let rank = x.rank();
            for a in 0..rank {
                for b in (0..rank).filter(|&b| b != a) {
                    let (rows, columns) = (x.dims()[a] as isize, x.dims()[b] as isize);
                    let size = (0..rows).filter(|i| (0..columns).contains(&(i + offset))).count();
                    let others: Vec<usize> = (0..rank).filter(|axis| ![a, b].contains(axis)).collect();
                    let dims: Vec<usize> = others.iter().map(|&axis| x.dims()[axis]).chain([size]).collect();
                    let want = naive(&x, &dims, |index| {
                        let own = index.clone();
                        let i = own[rank - 2] + (-offset).max(0) as usize;
                        *index = vec![0; rank];
                        others.iter().zip(own).for_each(|(&axis, i)| index[axis] = i);
                        index[a] = i;
                        index[b] = i.wrapping_add_signed(offset);
                    });
                    let got = x.diagonal(offset, a as isize, b as isize - rank as isize);
                    prop_assert!(got.shares_storage(&x));
                    prop_assert_eq!(got, want);
                }
            }
        }

        #[test]
        fn windows_are_slices_at_every_step(x in any_view(1..4), size in 0usize..5, step in 1usize..4) {
            for axis in 0..x.rank() {
                let len = x.dims()[axis];
                if size > len {
                    continue;
                }
                let windows = (0..=len - size).step_by(step).count();
                let mut dims = x.dims().to_vec();
                dims[axis] = windows;
                dims.push(size);
                let want = naive(&x, &dims, |index| {
                    let within = index.pop().unwrap();
                    index[axis] = index[axis] * step + within;
                });
                let got = x.unfold(axis as isize, size, step);
                prop_assert!(got.shares_storage(&x));
                prop_assert_eq!(got, want);
            }
        }

        #[test]
        fn an_axis_moves_and_the_others_keep_their_order(x in any_view(1..5)) {
            for from in 0..x.rank() {
                for to in 0..x.rank() {
                    let mut order: Vec<isize> = (0..x.rank() as isize).filter(|&axis| axis != from as isize).collect();
                    order.insert(to, from as isize);
                    prop_assert_eq!(x.movedim(from as isize, to as isize), x.permute(&order));
                }
            }
        }

        #[test]
        fn squeezed_tensors_have_the_same_elements(x in any_view(0..5)) {
            let got = x.squeeze_all();
            prop_assert!(!got.dims().contains(&1) && got.shares_storage(&x));
            prop_assert_eq!(got.to_vec(), x.to_vec());
        }
    }

    #[test]
    fn ops_read_flipped_and_overlapping_views_as_they_read_copies() {
        let x = Tensor::from_fn([33, 33], |i| ((i[0] * 31 + i[1] * 7) % 17) as f64 / 8.0 - 1.0);
        let windows = x.reshape(33 * 33).unfold(0, 33, 5).slice(0, ..33);
        for y in [x.flip(&[0]), x.flip(&[1]), x.flip(&[0, 1]), x.t().flip(&[0]), windows] {
            let copy = y.copied();
            assert!(!y.is_contiguous());
            assert!(y.matmul(&x).allclose(&copy.matmul(&x), 1e-12, 1e-12));
            assert!(x.matmul(&y).allclose(&x.matmul(&copy), 1e-12, 1e-12));
            assert!(y.sum(0).allclose(&copy.sum(0), 1e-12, 1e-12));
            assert!(y.sum(1).allclose(&copy.sum(1), 1e-12, 1e-12));
            assert_eq!(y.tanh(), copy.tanh());
            assert_eq!(&y + &x, &copy + &x);
            assert_eq!(y.softmax(0), copy.softmax(0));
            assert_eq!(y.to_string(), copy.to_string());
            let (mut own, mut other) = (y.clone(), copy);
            own.axpy(2.0, &x);
            other.axpy(2.0, &x);
            assert_eq!(own, other);
        }
    }

    #[test]
    fn windows_and_diagonals_of_the_farthest_kind() {
        let x = Tensor::<i64>::arange(6).reshape([2, 3]);
        assert_eq!(x.unfold(1, 3, usize::MAX).dims(), [2, 1, 3]);
        assert_eq!(x.diagonal(isize::MIN, 0, 1).dims(), [0]);
        assert_eq!(x.diagonal(isize::MAX, 0, 1).dims(), [0]);
        // A view that shows an element twice is never written to.
        let mut windows = x.reshape(6).unfold(0, 2, 1);
        drop(x);
        windows.as_mut_slice()[1] = 9;
        assert_eq!(windows, Tensor::from([[0, 9], [1, 2], [2, 3], [3, 4], [4, 5]]));
    }
}
