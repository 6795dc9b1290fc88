//! Tensors joined to larger ones.

use std::borrow::Borrow;

use crate::create::room;
use crate::element::Element;
use crate::error::{Error, OrPanic, Reason};
use crate::layout::Layout;
use crate::ops::copy::{copy_run, copy_to};
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

impl<T: Element> Tensor<T> {
    /// The tensors one after the other along `axis`: a slice of tensors or of references to them, whose other sizes
    /// are equal.
    ///
    /// A vector without elements, `[0]`, fits everything and adds nothing, as in PyTorch.
    ///
    /// # Panics
    /// There are no tensors, the axis is out of range, or their sizes differ along another axis.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (x, y) = (Tensor::from([[1, 2], [3, 4]]), Tensor::from([[5], [6]]));
    /// assert_eq!(Tensor::cat(&[&x, &y], 1), Tensor::from([[1, 2, 5], [3, 4, 6]]));
    /// ```
    #[track_caller]
    pub fn cat(tensors: &[impl Borrow<Self>], axis: isize) -> Self {
        let tensors: Vec<&Self> = tensors.iter().map(Borrow::borrow).collect();
        T::cat("cat", &tensors, axis).or_panic()
    }

    /// The tensors, all of one shape, side by side along a new axis; −1 puts it last.
    ///
    /// # Panics
    /// There are no tensors, their shapes differ, or the axis is out of range for the result.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (x, y) = (Tensor::from([1, 2]), Tensor::from([3, 4]));
    /// assert_eq!(Tensor::stack(&[&x, &y], 0), Tensor::from([[1, 2], [3, 4]]));
    /// assert_eq!(Tensor::stack(&[x, y], -1), Tensor::from([[1, 3], [2, 4]]));
    /// ```
    #[track_caller]
    pub fn stack(tensors: &[impl Borrow<Self>], axis: isize) -> Self {
        let tensors: Vec<&Self> = tensors.iter().map(Borrow::borrow).collect();
        T::stack(&tensors, axis).or_panic()
    }
}

pub(crate) fn stack<T: Element>(tensors: &[&Tensor<T>], axis: isize) -> Result<Tensor<T>, Error> {
    let Some(first) = tensors.first() else { return Err(none("stack")) };
    let mut slices = Vec::with_capacity(tensors.len());
    for x in tensors {
        x.expect_shape("stack", first.shape())?;
        slices.push(x.view(x.layout().unsqueeze(axis).map_err(|error| error.of("stack"))?));
    }
    let axis = slices[0].shape().axis("stack", axis)?;
    join("stack", &slices.iter().collect::<Vec<_>>(), axis)
}

pub(crate) fn cat<T: Element>(op: &'static str, tensors: &[&Tensor<T>], axis: isize) -> Result<Tensor<T>, Error> {
    let Some(&first) = tensors.first() else { return Err(none(op)) };
    let parts: Vec<&Tensor<T>> = tensors.iter().copied().filter(|x| x.dims() != [0]).collect();
    let Some(&model) = parts.first() else {
        first.shape().axis(op, axis)?;
        return Ok(first.clone());
    };
    let axis = model.shape().axis(op, axis)?;
    for x in &parts {
        let fits = |(a, (size, wanted)): (usize, (&usize, &usize))| a == axis || size == wanted;
        if x.rank() != model.rank() || !x.dims().iter().zip(model.dims()).enumerate().all(fits) {
            let why = format!("{} and {} do not fit along axis {axis}", model.shape(), x.shape());
            return Err(Error::new(op, Reason::Argument { why: format!("{why}: the same other sizes would") }));
        }
    }
    join(op, &parts, axis)
}

fn none(op: &'static str) -> Error {
    Error::new(op, Reason::Argument { why: "no tensors: at least one is needed".into() })
}

/// The parts, which fit each other, one after the other along `axis`.
fn join<T: Element>(op: &'static str, parts: &[&Tensor<T>], axis: usize) -> Result<Tensor<T>, Error> {
    let mut dims = parts[0].dims().to_vec();
    let sizes = || parts.iter().map(|x| x.dims()[axis]);
    dims[axis] = sizes().fold(0, usize::saturating_add);
    let shape = Shape::try_new(&dims).map_err(|error| error.of(op))?;
    let mut out = room(op, &shape)?;
    let (outer, inner): (usize, usize) = (dims[..axis].iter().product(), dims[axis + 1..].iter().product());
    // The output is `outer` rows, each a run of every part.
    let row = dims[axis] * inner;
    if out.is_empty() {
        return Ok(Tensor::from_buffer(out, shape));
    }
    let mut ends: Vec<usize> = sizes().map(|size| size * inner).collect();
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    if outer == 1 && out.len() / parts.len() >= LARGE {
        let mut rest = &mut out[..];
        for x in parts {
            let (now, later) = rest.split_at_mut(x.numel());
            T::copy_into(x, now);
            rest = later;
        }
        return Ok(Tensor::from_buffer(out, shape));
    }
    let parts: Vec<Tensor<T>> = parts.iter().map(|x| x.readable_at(x.layout().clone())).collect();
    if outer == 1 || row > SHORT_ROW {
        runs(&parts, &ends, row, &mut out);
    } else {
        columns(&parts, &ends, row, &Layout::contiguous(shape.clone()), axis, &mut out)?;
    }
    Ok(Tensor::from_buffer(out, shape))
}

/// From this many elements on, each part is shared among threads.
const LARGE: usize = 1 << 19;

/// Rows of up to this many elements are not cut between tasks. (Chosen, far below the size of a task.)
const SHORT_ROW: usize = 1 << 14;

/// Row by row, and within a row run by run: for few or long rows.
fn runs<T: Element>(parts: &[Tensor<T>], ends: &[usize], row: usize, out: &mut [T]) {
    let walks: Vec<Walk<1>> = parts.iter().map(|x| Walk::new([x.layout()])).collect();
    par::split(out, 1, par::STREAM, |start, mut out| {
        let (mut outer, mut at) = (start / row, start % row);
        let mut part = ends.partition_point(|&end| end <= at);
        while !out.is_empty() {
            let begin = if part == 0 { 0 } else { ends[part - 1] };
            let run = (ends[part] - at).min(out.len());
            let (now, later) = out.split_at_mut(run);
            copy_run(&walks[part], parts[part].storage(), outer * (ends[part] - begin) + at - begin, now);
            (out, at, part) = (later, at + run, part + 1);
            if part == ends.len() {
                (outer, at, part) = (outer + 1, 0, 0);
            }
        }
    });
}

/// Part by part, through all rows of a task: for short rows.
fn columns<T: Element>(
    parts: &[Tensor<T>],
    ends: &[usize],
    row: usize,
    whole: &Layout,
    axis: usize,
    out: &mut [T],
) -> Result<(), Error> {
    let mut walks = Vec::with_capacity(parts.len());
    let mut begin = 0;
    for x in parts {
        let end = begin + x.dims()[axis];
        walks.push(Walk::new([&whole.slice(axis as isize, begin, end, 1)?, x.layout()]));
        begin = end;
    }
    par::split(out, row, par::STREAM, |start, out| {
        let (first, last) = (start / row, (start + out.len()) / row);
        let mut begin = 0;
        for ((x, walk), &end) in parts.iter().zip(&walks).zip(ends) {
            let len = end - begin;
            copy_to(walk, first * len..last * len, x.storage(), out, start);
            begin = end;
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{any_view, dims, view};

    /// Tensors that differ along one axis only, and that axis.
    fn parts() -> impl Strategy<Value = (Vec<Tensor<i64>>, usize)> {
        (dims(1..5), any::<u32>(), prop::collection::vec(0usize..4, 1..4)).prop_flat_map(|(shape, axis, sizes)| {
            let axis = axis as usize % shape.len();
            let part = |size: usize| {
                let mut dims = shape.clone();
                dims[axis] = size;
                view(dims)
            };
            (sizes.into_iter().map(part).collect::<Vec<_>>(), Just(axis))
        })
    }

    proptest! {
        #[test]
        fn joining_is_undone_by_splitting((parts, axis) in parts()) {
            let joined = Tensor::cat(&parts, axis as isize);
            prop_assert!(joined.is_contiguous());
            let mut start = 0;
            for x in &parts {
                prop_assert_eq!(&joined.narrow(axis as isize, start, x.dims()[axis]), x);
                start += x.dims()[axis];
            }
            prop_assert_eq!(joined.dims()[axis], start);
            // Long rows take another way.
            let sizes = parts.iter().map(|x| x.dims()[axis]);
            let inner: usize = parts[0].dims()[axis + 1..].iter().product();
            let ends: Vec<usize> = sizes.scan(0, |end, size| { *end += size * inner; Some(*end) }).collect();
            if joined.numel() > 0 {
                let mut out = vec![0; joined.numel()];
                runs(&parts, &ends, start * inner, &mut out);
                prop_assert_eq!(&out[..], joined.as_slice().unwrap());
            }
        }

        #[test]
        fn stacked_tensors_are_slices_of_the_new_axis(x in any_view(0..4), count in 1usize..4) {
            let tensors: Vec<_> = (0..count as i64).map(|i| &x + i).collect();
            for axis in 0..=x.rank() as isize {
                let stacked = Tensor::stack(&tensors, axis);
                prop_assert!(stacked.axis_iter(axis).eq(tensors.iter().cloned()));
                prop_assert_eq!(Tensor::stack(&tensors, axis - x.rank() as isize - 1), stacked);
            }
        }
    }

    #[test]
    fn empty_vectors_add_nothing() {
        let (none, x) = (Tensor::default(), Tensor::from([[1, 2]]));
        assert_eq!(Tensor::cat(&[&none, &x, &none], 0), x);
        assert_eq!(Tensor::cat(&[&none, &none], 0), none);
        assert_eq!(Tensor::cat(&[Tensor::<i64>::zeros([0, 2]), x.clone()], 0), x);
    }

    #[test]
    fn large_tensors_are_shared_among_threads_without_a_trace() {
        let x = Tensor::<i64>::arange(700 * 400).reshape([700, 400]);
        let wide = x.expand([3, 700, 400]);
        for (parts, axis) in [
            (vec![x.clone(), x.t().reshape([700, 400]), x.flip(&[0])], 0),
            (vec![x.clone(), x.slice(1, ..3), x.t().reshape([700, 400])], 1),
            (vec![x.reshape([2, 140_000]), x.reshape([2, 140_000]).slice(1, ..7)], 1),
            (vec![wide.clone(), wide.flip(&[1, 2])], 0),
        ] {
            for threads in [1, 3] {
                let joined = crate::with_threads(threads, || Tensor::cat(&parts, axis)).unwrap();
                let sizes: Vec<usize> = parts.iter().map(|x| x.size(axis)).collect();
                assert!(joined.split_sizes(axis, &sizes) == parts, "{axis}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "cat: [2, 3] and [2, 4] do not fit along axis 0: the same other sizes would")]
    fn sizes_that_differ_elsewhere_are_refused() {
        Tensor::cat(&[Tensor::<f32>::zeros([2, 3]), Tensor::zeros([2, 4])], 0);
    }
}
