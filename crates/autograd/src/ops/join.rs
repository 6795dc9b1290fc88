//! Several values as one, and one as several.

use tensor::{Float, Tensor, ensure};

use crate::{Op, Role, Var};

impl<'t, T: Float> Var<'t, T> {
    /// Values one after the other along an axis; the gradient of each is its own part of ȳ. A negative axis counts from the last.
    ///
    /// # Panics
    /// There are none, the axis is out of range, the shapes differ along another axis, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Tape, Var};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.leaf(Tensor::from([1.0])), tape.leaf(Tensor::from([2.0, 3.0])));
    /// assert_eq!(Var::cat(&[x, y], 0).value(), Tensor::from([1.0, 2.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn cat(values: &[Self], axis: isize) -> Self {
        let tensors: Vec<Tensor<T>> = values.iter().map(|x| x.value()).collect();
        let y = Tensor::cat(&tensors, axis);
        let sizes: Vec<usize> = tensors.iter().map(|x| x.size(axis)).collect();
        values[0]
            .record(Op::new("cat", Role::Joining), y)
            .joint(values, move |g, shares| {
                let mut start = 0;
                for (place, &size) in sizes.iter().enumerate() {
                    shares.give(place, || g.narrow(axis, start, size));
                    start += size;
                }
            })
            .done()
    }

    /// Values of one shape along a new axis; the gradient of each is its own part of ȳ.
    ///
    /// # Panics
    /// There are none, the place is out of range, the shapes differ, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Tape, Var};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.leaf(Tensor::from([1.0, 2.0])), tape.leaf(Tensor::from([3.0, 4.0])));
    /// assert_eq!(Var::stack(&[x, y], 1).value(), Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
    /// ```
    #[track_caller]
    pub fn stack(values: &[Self], axis: isize) -> Self {
        let tensors: Vec<Tensor<T>> = values.iter().map(|x| x.value()).collect();
        let (y, count) = (Tensor::stack(&tensors, axis), values.len());
        values[0]
            .record(Op::new("stack", Role::Joining), y)
            .joint(values, move |g, shares| {
                for place in 0..count {
                    shares.give(place, || g.select(axis, place));
                }
            })
            .done()
    }

    /// Parts of these sizes along an axis, which are views.
    ///
    /// # Panics
    /// The axis is out of range, or the sizes do not add up to its own.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let parts = tape.leaf(Tensor::from([1.0, 2.0, 3.0])).split(&[1, 2], 0);
    /// assert_eq!(parts[1].value(), Tensor::from([2.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn split(self, sizes: &[usize], axis: isize) -> Vec<Self> {
        let size = self.peek().size(axis);
        let sum: usize = sizes.iter().sum();
        ensure!(sum == size, "split: sizes {sizes:?} add up to {sum}, but axis {axis} of {} has {size}", self.shape());
        let (mut start, mut parts) = (0, Vec::with_capacity(sizes.len()));
        for &len in sizes {
            parts.push(self.narrow(axis, start, len));
            start += len;
        }
        parts
    }

    /// `count` parts of equal size along an axis, which are views; where it does not divide, the last is smaller or missing, as in PyTorch.
    ///
    /// # Panics
    /// The axis is out of range, or `count` is 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let gates = tape.leaf(Tensor::zeros([5, 12])).chunk(4, -1);
    /// assert_eq!((gates.len(), gates[0].shape().dims()), (4, &[5, 3][..]));
    /// ```
    #[track_caller]
    pub fn chunk(self, count: usize, axis: isize) -> Vec<Self> {
        ensure!(count > 0, "chunk: 0 parts of {}; at least 1 would do", self.shape());
        let size = self.peek().size(axis);
        let len = size.div_ceil(count).max(1);
        let sizes: Vec<usize> = (0..size.div_ceil(len).max(1)).map(|part| len.min(size - part * len)).collect();
        self.split(&sizes, axis)
    }
}
