//! Writing and adding by number: one index for each element of a source.

use crate::create::room;
use crate::element::{Element, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Line, Row};
use crate::layout::Layout;
use crate::ops::gather::{fits, lines};
use crate::ops::index::{check, checked};
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::{Walk, moved};

impl<T: Element> Tensor<T> {
    /// This tensor, in which each element of `source` has replaced the one at its index of `axis` and at its own place
    /// along the others: for axis 0 of a matrix, x\[indicesᵢⱼ, j] = sourceᵢⱼ.
    ///
    /// Changes its own buffer if it is the only owner. Elements are written in row-major order of `indices`: where
    /// several meet, the last one stays. `source` may be larger than `indices`; what lies beyond is not used.
    ///
    /// # Panics
    /// The axis is out of range, `indices` has another rank or is larger than this tensor along another axis, `source`
    /// has another rank or is smaller than `indices`, or an index is negative or not below the axis's size.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::zeros([2, 3]).scatter(1, &Tensor::from([[2], [0]]), &Tensor::from([[5], [7]]));
    /// assert_eq!(x, Tensor::from([[0, 0, 5], [7, 0, 0]]));
    /// ```
    #[track_caller]
    pub fn scatter(self, axis: isize, indices: &Tensor<i64>, source: &Self) -> Self {
        self.try_scatter(axis, indices, source).or_panic()
    }

    pub(super) fn try_scatter(self, axis: isize, indices: &Tensor<i64>, source: &Self) -> Result<Self, Error> {
        T::scatter(self, axis, Scattered { indices, source })
    }
}

impl<T: Number> Tensor<T> {
    /// This tensor, with each element of `source` added to the one at its index of `axis` and at its own place along the
    /// others: for axis 0 of a matrix, x\[indicesᵢⱼ, j] += sourceᵢⱼ. The pullback of [`gather`](Self::gather).
    ///
    /// Changes its own buffer if it is the only owner. Elements are added in row-major order of `indices`. `source` may
    /// be larger than `indices`; what lies beyond is not used.
    ///
    /// # Panics
    /// The axis is out of range, `indices` has another rank or is larger than this tensor along another axis, `source`
    /// has another rank or is smaller than `indices`, or an index is negative or not below the axis's size.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let indices = Tensor::from([[0, 0, 2]]);
    /// let x = Tensor::ones([1, 3]).scatter_add(1, &indices, &Tensor::from([[10, 20, 30]]));
    /// assert_eq!(x, Tensor::from([[31, 1, 31]]));
    /// ```
    #[track_caller]
    pub fn scatter_add(self, axis: isize, indices: &Tensor<i64>, source: &Self) -> Self {
        T::scatter_add(self, axis, Scattered { indices, source }).or_panic()
    }

    /// For each class a vector of `classes` zeros, but for a one at the class: `[…]` gives `[…, classes]`.
    ///
    /// # Panics
    /// A class is negative or not below `classes`, or the shape has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let one_hot = Tensor::one_hot(&Tensor::from([2, 0]), 3);
    /// assert_eq!(one_hot, Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn one_hot(indices: &Tensor<i64>, classes: usize) -> Self {
        T::one_hot(indices, classes).or_panic()
    }
}

pub(crate) fn one_hot<T: Number>(indices: &Tensor<i64>, classes: usize) -> Result<Tensor<T>, Error> {
    let shape = Shape::checked(indices.dims().iter().copied().chain([classes]).collect())
        .map_err(|error| error.of("one_hot"))?;
    let indices = checked("one_hot", indices, classes)?;
    let indices = indices.as_slice().expect("made contiguous");
    let mut out = room("one_hot", &shape)?;
    par::split(&mut out, classes.max(1), par::STREAM, |start, out| {
        let rows = out.chunks_exact_mut(classes.max(1));
        for (row, &class) in rows.zip(&indices[start / classes.max(1)..]) {
            row.fill(T::ZERO);
            row[class as usize] = T::ONE;
        }
    });
    Ok(Tensor::from_buffer(out, shape))
}

/// What is written, and where along an axis.
pub struct Scattered<'a, T: Element> {
    indices: &'a Tensor<i64>,
    source: &'a Tensor<T>,
}

pub(crate) fn scatter<T: Element>(x: Tensor<T>, axis: isize, what: Scattered<'_, T>) -> Result<Tensor<T>, Error> {
    scatter_by("scatter", x, axis, what, |_, y| y)
}

pub(crate) fn scatter_add<T: Number>(x: Tensor<T>, axis: isize, what: Scattered<'_, T>) -> Result<Tensor<T>, Error> {
    scatter_by("scatter_add", x, axis, what, |x, y| x + y)
}

fn scatter_by<T: Element>(
    op: &'static str,
    mut x: Tensor<T>,
    axis: isize,
    Scattered { indices, source }: Scattered<'_, T>,
    f: impl Fn(T, T) -> T + Copy + Sync,
) -> Result<Tensor<T>, Error> {
    let axis = x.shape().axis(op, axis)?;
    fits(op, x.shape(), axis, indices.shape())?;
    if source.rank() != indices.rank() || source.dims().iter().zip(indices.dims()).any(|(size, used)| size < used) {
        let why = format!("a source of {} does not cover indices {}", source.shape(), indices.shape());
        return Err(Error::new(op, Reason::Argument { why: format!("{why}: the same shape would") }));
    }
    let mut used = source.clone();
    for (a, &size) in indices.dims().iter().enumerate() {
        used = used.narrow(a as isize, 0, size);
    }
    let size = x.dims()[axis];
    check(op, indices, size)?;
    if indices.numel() == 0 {
        return Ok(x);
    }
    let own = Layout::contiguous(x.shape().clone());
    let (indices, source) = (indices.readable(), used.readable());
    let walk = Walk::new([indices.layout(), source.layout(), &lines(&own, axis, indices.shape())?]);
    let ([index_stride, source_stride, step], pitches) = (walk.row_strides(), walk.pitches());
    // Lines that share no element are independent. So tasks are cut along the axes before `axis`, if the indices cover all of
    // these axes.
    let whole = x.dims()[..axis] == indices.dims()[..axis];
    let unit = if whole { x.dims()[axis..].iter().product() } else { x.numel() };
    let round: usize = indices.dims()[axis..].iter().product();
    let cost = par::RANDOM * indices.numel() as f64 / x.numel() as f64;
    par::split(x.as_mut_slice(), unit, cost, |start, x| {
        let entries = if whole { start / unit * round..(start + x.len()) / unit * round } else { 0..indices.numel() };
        walk.blocks(entries, usize::MAX, false, &mut |flat, rows, at| {
            let len = flat.len() / rows;
            for i in 0..rows {
                let [index_at, source_at, at] = moved(at, i, pitches);
                let index = Row::new(indices.storage(), index_at, index_stride, len);
                let source = Row::new(source.storage(), source_at, source_stride, len);
                let line = Line { at: at - start, step, stride: own.strides()[axis] };
                kernel::scatter_row(x, line, index, source, len, f);
            }
        });
    });
    Ok(x)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{dims, view};

    /// A tensor, one of its axes, indices that fit it, and a source that covers them.
    fn cases() -> impl Strategy<Value = (Tensor<i64>, usize, Tensor<i64>, Tensor<i64>)> {
        let sizes = prop::collection::vec(0usize..5, 4);
        (dims(1..5), any::<u32>(), sizes, 0usize..2).prop_flat_map(|(shape, axis, sizes, more)| {
            let axis = axis as usize % shape.len();
            let own = |(a, &size): (usize, &usize)| if a == axis { sizes[a] } else { sizes[a].min(size) };
            let mut entries: Vec<usize> = shape.iter().enumerate().map(own).collect();
            let size = shape[axis] as i64;
            if size == 0 {
                entries[axis] = 0;
            }
            let covers: Vec<usize> = entries.iter().map(|size| size + more).collect();
            let indices = view(entries).prop_map(move |counts| counts.map(|i| i * 7 % size.max(1)));
            (view(shape), Just(axis), indices, view(covers))
        })
    }

    /// The oracle: one entry after the other.
    fn naive(
        x: &Tensor<i64>,
        axis: usize,
        indices: &Tensor<i64>,
        source: &Tensor<i64>,
        f: fn(i64, i64) -> i64,
    ) -> Tensor<i64> {
        let mut out = x.to_vec();
        Tensor::from_fn(indices.shape(), |index| {
            let mut at = index.to_vec();
            at[axis] = indices.get(index).unwrap() as usize;
            let flat = at.iter().zip(x.dims()).fold(0, |flat, (i, size)| flat * size + i);
            out[flat] = f(out[flat], source.get(index).unwrap());
            false
        });
        Tensor::from_vec(out, x.shape())
    }

    proptest! {
        #[test]
        fn scattering_agrees_with_its_definition((x, axis, indices, source) in cases()) {
            let want = naive(&x, axis, &indices, &source, |_, y| y);
            prop_assert_eq!(x.clone().scatter(axis as isize, &indices, &source), want);
            let want = naive(&x, axis, &indices, &source, |x, y| x + y);
            prop_assert_eq!(x.clone().scatter_add(axis as isize, &indices, &source), want);
        }
    }

    #[test]
    fn an_only_owner_is_changed_in_place_and_a_shared_one_is_not() {
        let x = Tensor::<f32>::zeros([2, 100]);
        let place = x.as_slice().unwrap().as_ptr();
        let (indices, source) = (Tensor::from([[3]]), Tensor::from([[1.0]]));
        let x = x.scatter_add(1, &indices, &source);
        assert_eq!(x.as_slice().unwrap().as_ptr(), place);
        assert_eq!(x.clone().scatter_add(1, &indices, &source).get(&[0, 3]), Some(2.0));
        assert_eq!(x.get(&[0, 3]), Some(1.0));
    }

    #[test]
    fn threads_leave_no_trace() {
        let indices = Tensor::from_fn([600, 301], |i| ((i[0] * 7919 + i[1] * 31) % 50) as i64);
        let source = Tensor::from_fn([600, 301], |i| ((i[0] * 31 + i[1]) % 1013) as f32 / 7.0);
        for (axis, shape) in [(1, [600, 50]), (0, [50, 301])] {
            let sums = |threads| {
                crate::with_threads(threads, || Tensor::zeros(shape).scatter_add(axis, &indices, &source)).unwrap()
            };
            assert_eq!(sums(1), sums(3));
            // Each element is added once.
            let total = sums(2).cast::<f64>().sum(..).item();
            approx::assert_relative_eq!(total, source.cast::<f64>().sum(..).item(), max_relative = 1e-6);
        }
    }

    #[test]
    fn one_hot_rows_have_their_one_in_place() {
        let indices = Tensor::from([[2, 0], [1, 1]]).t();
        let got = Tensor::<i32>::one_hot(&indices, 3);
        let want = Tensor::from_fn([2, 2, 3], |i| i32::from(indices.get(&i[..2]).unwrap() == i[2] as i64));
        assert_eq!(got, want);
        assert_eq!(Tensor::<f32>::one_hot(&Tensor::zeros([0, 2]), 0).dims(), [0, 2, 0]);
        assert_eq!(Tensor::<u8>::one_hot(&Tensor::scalar(1), 2), Tensor::from([0, 1]));
    }

    #[test]
    #[should_panic(expected = "scatter: a source of [1, 1] does not cover indices [1, 2]: the same shape would")]
    fn a_source_that_is_too_small_is_refused() {
        Tensor::<f32>::zeros([2, 3]).scatter(1, &Tensor::from([[0, 2]]), &Tensor::zeros([1, 1]));
    }
}
