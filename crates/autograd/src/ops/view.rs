//! The same elements in another shape or order, or some of them.

use tensor::{Float, IntoShape, Layout, Pad, Position, Shape, Span, Tensor};

use crate::tape::Place;
use crate::{Op, Role, Var};

impl<'t, T: Float> Var<'t, T> {
    /// Records a view; `back` brings a gradient of its shape into that of this value.
    #[track_caller]
    fn view(
        self,
        name: &'static str,
        y: Tensor<T>,
        back: impl Fn(Tensor<T>, &Shape) -> Tensor<T> + Send + 'static,
    ) -> Self {
        let shape = self.shape();
        self.record(Op::new(name, Role::Keeping), y).wrt(self, move |g| back(g, &shape)).done()
    }

    /// Records `y`, which is of an axis of this value, from `start` on; `back` gives a gradient the rank that this value has.
    #[track_caller]
    fn part(
        self,
        name: &'static str,
        y: Tensor<T>,
        [axis, start]: [usize; 2],
        back: impl Fn(Tensor<T>) -> Tensor<T> + Send + 'static,
    ) -> Self {
        self.record(Op::new(name, Role::Keeping), y).wrt_part(self, Place::Slice { axis, start }, back).done()
    }

    /// The same value, from which no gradient goes back: y = x, and nothing for x.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([3.0]));
    /// let y = x * x.detach();
    /// assert_eq!(y.backward().get(x), Some(&Tensor::from([3.0]))); // and not 6
    /// ```
    #[doc(alias = "stop_gradient")]
    pub fn detach(self) -> Self {
        self.record(Op::new("detach", Role::Keeping), self.value()).without(self).done()
    }

    /// The same elements in another shape: y = x,  x̄ = ȳ in the shape of x.
    ///
    /// # Panics
    /// The numbers of elements differ.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::zeros([32, 3, 10]));
    /// assert_eq!(x.reshape([32, 30]).shape().dims(), [32, 30]);
    /// ```
    #[track_caller]
    pub fn reshape(self, shape: impl IntoShape) -> Self {
        self.view("reshape", self.value().reshape(shape), |g, own| g.reshape(own))
    }

    /// The axes from `start` on joined into one.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::zeros([32, 3, 10]));
    /// assert_eq!(x.flatten(1).shape().dims(), [32, 30]);
    /// ```
    #[track_caller]
    pub fn flatten(self, start: isize) -> Self {
        self.view("flatten", self.value().flatten(start), |g, own| g.reshape(own))
    }

    /// The last two axes exchanged; what has fewer stays as it is.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::zeros([2, 3])).t().shape().dims(), [3, 2]);
    /// ```
    #[track_caller]
    pub fn t(self) -> Self {
        self.view("t", self.value().t(), |g, _| g.t())
    }

    /// Two axes exchanged.
    ///
    /// # Panics
    /// An axis is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::zeros([2, 3, 4])).transpose(0, 1).shape().dims(), [3, 2, 4]);
    /// ```
    #[track_caller]
    pub fn transpose(self, a: isize, b: isize) -> Self {
        self.view("transpose", self.value().transpose(a, b), move |g, _| g.transpose(a, b))
    }

    /// The axes in another order: axis i of the result is axis `axes[i]`.
    ///
    /// # Panics
    /// `axes` does not name each axis once.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::zeros([2, 3, 4])).permute(&[2, 0, 1]).shape().dims(), [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn permute(self, axes: &[isize]) -> Self {
        let y = self.peek().permute(axes);
        let mut back = vec![0; axes.len()];
        for (to, &from) in axes.iter().enumerate() {
            back[from.rem_euclid(axes.len() as isize) as usize] = to as isize;
        }
        self.view("permute", y, move |g, _| g.permute(&back))
    }

    /// The elements of a range of an axis, such as `1..3` or `-2..`; x̄ is 0 for all others.
    ///
    /// # Panics
    /// The axis is out of range, or the range reaches beyond it.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.slice(0, 1..);
    /// assert_eq!(y.value(), Tensor::from([2.0, 3.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 1.0, 1.0])));
    /// ```
    #[track_caller]
    pub fn slice(self, axis: isize, range: impl Span) -> Self {
        let x = self.value();
        let from = start(&range, "slice", &x, axis, 1);
        self.part("slice", x.slice(axis, range), [place(axis, x.rank()), from], |g| g)
    }

    /// Every `step`-th element of a range of an axis; x̄ is 0 for all others.
    ///
    /// # Panics
    /// The axis is out of range, the range reaches beyond it, or the step is 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.slice_step(0, .., 2).value(), Tensor::from([1.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn slice_step(self, axis: isize, range: impl Span, step: usize) -> Self {
        let x = self.value();
        let from = start(&range, "slice_step", &x, axis, step);
        let (y, axis) = (x.slice_step(axis, range, step), place(axis, x.rank()));
        self.part("slice_step", y, [axis, from], move |g| stretched(g, axis, step))
    }

    /// `len` indices of an axis from `start` on; x̄ is 0 for all others.
    ///
    /// # Panics
    /// The axis is out of range, or there are not as many indices.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0, 2.0, 3.0])).narrow(0, 1, 2).value(), Tensor::from([2.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn narrow(self, axis: isize, start: usize, len: usize) -> Self {
        let y = self.peek().narrow(axis, start, len);
        let axis = place(axis, y.rank());
        self.part("narrow", y, [axis, start], |g| g)
    }

    /// The elements at one index of an axis, which is dropped; −1 is the last index. x̄ is 0 for all others.
    ///
    /// # Panics
    /// The axis or the index is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.select(0, -1).value(), Tensor::from([3.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn select(self, axis: isize, index: impl Position) -> Self {
        let x = self.value();
        let y = x.select(axis, index);
        // A negative axis counts from the last of x, which has one more.
        let axis = place(axis, x.rank());
        let from = index.position().rem_euclid(x.dims()[axis] as isize) as usize;
        self.part("select", y, [axis, from], move |g| g.unsqueeze(axis as isize))
    }

    /// A new axis of size 1 at this place.
    ///
    /// # Panics
    /// The place is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::zeros([2, 3])).unsqueeze(1).shape().dims(), [2, 1, 3]);
    /// ```
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        self.view("unsqueeze", self.value().unsqueeze(axis), |g, own| g.reshape(own))
    }

    /// Without this axis, whose size is 1.
    ///
    /// # Panics
    /// The axis is out of range, or its size is not 1.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::zeros([2, 1])).squeeze(-1).shape().dims(), [2]);
    /// ```
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Self {
        self.view("squeeze", self.value().squeeze(axis), |g, own| g.reshape(own))
    }

    /// The elements repeated along axes of size 1, and along new ones in front, to this shape; x̄ is the sum over them.
    ///
    /// # Panics
    /// The shape does not broadcast to that.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.expand([3, 2]).sum(..).backward().get(x), Some(&Tensor::from([3.0, 3.0])));
    /// ```
    #[track_caller]
    pub fn expand(self, shape: impl IntoShape) -> Self {
        self.view("expand", self.value().expand(shape), |g, own| g.sum_to(own))
    }

    /// The order along each of `axes` reversed.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0, 2.0])).flip(&[0]).value(), Tensor::from([2.0, 1.0]));
    /// ```
    #[track_caller]
    pub fn flip(self, axes: &[isize]) -> Self {
        let y = self.peek().flip(axes);
        let axes = axes.to_vec();
        self.view("flip", y, move |g, _| g.flip(&axes))
    }

    /// The diagonal of the plane of axes a and b, `offset` above the main one, as a last axis instead of the two. x̄ is 0 elsewhere.
    ///
    /// # Panics
    /// An axis is out of range, or the two are the same.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.diagonal(0, 0, 1).value(), Tensor::from([1.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn diagonal(self, offset: isize, a: isize, b: isize) -> Self {
        let y = self.peek().diagonal(offset, a, b);
        self.view("diagonal", y, move |g, own| on_diagonal(g, own, offset, a, b))
    }

    /// The elements moved on by `shift` along an axis; those that leave the end come in at the beginning.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0, 2.0, 3.0])).roll(1, 0).value(), Tensor::from([3.0, 1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn roll(self, shift: isize, axis: isize) -> Self {
        self.view("roll", self.value().roll(shift, axis), move |g, _| g.roll(-shift, axis))
    }

    /// The value `repeats[axis]` times along each axis; additional repeats come first, as new axes. x̄ is the sum over all repeats.
    ///
    /// # Panics
    /// There are fewer repeats than axes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0, 2.0])).repeat(&[2]).value(), Tensor::from([1.0, 2.0, 1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn repeat(self, repeats: &[usize]) -> Self {
        let y = self.peek().repeat(repeats);
        let repeats = repeats.to_vec();
        self.view("repeat", y, move |g, own| {
            let new = repeats.len() - own.rank();
            // Each axis is two, that of the repeats and its own; the new ones have a size of 1.
            let sizes = (0..repeats.len()).map(|axis| axis.checked_sub(new).map_or(1, |axis| own.dims()[axis]));
            let (wide, kept): (Vec<[usize; 2]>, Vec<[usize; 2]>) =
                repeats.iter().zip(sizes).map(|(&repeats, size)| ([repeats, size], [1, size])).unzip();
            g.reshape(wide.as_flattened()).sum_to(&Shape::from(kept.as_flattened())).reshape(own)
        })
    }

    /// The value with something around it: for each axis, how many indices come before and how many after. A number `with` is what stands
    /// there; see [`Pad`] for the rest. x̄ has each ȳ added where it was taken from.
    ///
    /// # Panics
    /// There is not one pair for each axis, or an axis has too few elements to be mirrored or repeated so far.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::{Pad, Tensor};
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.pad(&[(1, 2)], 7.0).value(), Tensor::from([7.0, 1.0, 2.0, 7.0, 7.0]));
    /// assert_eq!(x.pad(&[(1, 0)], Pad::Reflect).value(), Tensor::from([2.0, 1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn pad(self, widths: &[(usize, usize)], with: impl Into<Pad<T>>) -> Self {
        let with = with.into();
        let y = self.peek().pad(widths, with);
        let widths = widths.to_vec();
        self.view("pad", y, move |g, own| {
            (0..own.rank()).rev().fold(g, |g, axis| match with.indices(own.dims()[axis], widths[axis]) {
                None => g.narrow(axis as isize, widths[axis].0, own.dims()[axis]),
                Some(_) if widths[axis] == (0, 0) => g,
                Some(indices) => {
                    let mut dims = g.dims().to_vec();
                    dims[axis] = own.dims()[axis];
                    Tensor::zeros(dims).index_add(axis as isize, &indices, &g)
                }
            })
        })
    }
}

/// Where a range begins; one that the tensor will refuse begins anywhere.
fn start<T: Float>(range: &impl Span, op: &'static str, x: &Tensor<T>, axis: isize, step: usize) -> usize {
    range.within(op, x.shape(), axis, step).map_or(0, |(_, start, _)| start)
}

/// The axis with this number, from the last one on where it is negative.
fn place(axis: isize, rank: usize) -> usize {
    axis.rem_euclid(rank as isize) as usize
}

/// A gradient with zeros between the indices of an axis, so that `step` are from one of its own to the next.
fn stretched<T: Float>(g: Tensor<T>, axis: usize, step: usize) -> Tensor<T> {
    let mut dims = g.dims().to_vec();
    if step == 1 || dims[axis] <= 1 {
        return g;
    }
    // Zeros behind each element, but for the last.
    let last = (dims[axis] - 1) * step;
    dims[axis] *= step;
    let mut widths = vec![(0, 0); g.rank() + 1];
    widths[axis + 1] = (0, step - 1);
    let spread = g.unsqueeze(axis as isize + 1).pad(&widths, T::ZERO).reshape(&dims[..]);
    spread.narrow(axis as isize, 0, last + 1)
}

/// A gradient on a diagonal, and 0 elsewhere.
pub(super) fn on_diagonal<T: Float>(g: Tensor<T>, own: &Shape, offset: isize, a: isize, b: isize) -> Tensor<T> {
    let diagonal = Layout::contiguous(own.clone()).diagonal(offset, a, b).expect("it was taken before");
    let places = Tensor::from_fn(g.shape(), |index| diagonal.position(index).expect("of its shape") as i64);
    let count = g.numel();
    Tensor::zeros([own.numel()]).index_add(0, &places.reshape([count]), &g.reshape([count])).reshape(own)
}
