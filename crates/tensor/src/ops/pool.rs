//! Pools: the largest or the mean element of each window of a plane, and the ways back.

use super::conv::places;
use crate::buffer::Buffer;
use crate::create::{check_room, room};
use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Maximum, PlaneWindows, Real, Spots, Total, WindowAxis};
use crate::par;
use crate::shape::Shape;
use crate::spatial::{Along, Fit, Pool, Sides, argument, three};
use crate::tensor::Tensor;

/// The windows of a pool, measured out.
#[derive(Clone, Debug)]
#[allow(unreachable_pub, reason = "in a trait that keeps the public `Float` sealed")]
pub struct Windowed {
    /// Shapes of the input and the result.
    shapes: [Shape; 2],
    axes: [WindowAxis; 3],
    /// What each window's sum is divided by, as a factor for each window along each axis.
    divisors: [Vec<usize>; 3],
    divisor: Option<usize>,
}

impl Windowed {
    fn new<const D: usize>(op: &'static str, x: &Shape, pool: Pool<D>) -> Result<Self, Error> {
        let rank = x.rank();
        if rank != D + 1 && rank != D + 2 {
            let want = ["[N, C, L] or [C, L]", "[N, C, H, W] or [C, H, W]", "[N, C, D, H, W] or [C, D, H, W]"][D - 1];
            return Err(Error::new(op, Reason::Rank { want, got: x.clone() }));
        }
        if pool.divisor == Some(0) {
            return Err(argument(op, "the divisor is 0, but must be at least 1".to_owned()));
        }
        let sizes: [usize; D] = x.dims()[rank - D..].try_into().expect("D axes");
        let (sizes, kernel) = (three(sizes, 1), three(pool.kernel, 1));
        let (stride, dilation) = (three(pool.stride, 1), three(pool.dilation, 1));
        let along = |axis: usize| Along {
            size: sizes[axis],
            kernel: kernel[axis],
            stride: stride[axis],
            dilation: dilation[axis],
        };
        let (mut out, mut padding) = ([1; 3], [[0; 2]; 3]);
        for (axis, sides) in pool.padding.sides().into_iter().enumerate().skip(3 - D) {
            let named = |error: Error| match error.reason() {
                Reason::Argument { why } => argument(op, format!("spatial axis {} of {x}: {why}", axis + D - 3)),
                _ => error,
            };
            (out[axis], padding[axis]) = fit(op, along(axis), sides, pool.ceil_mode).map_err(named)?;
        }
        let elements = kernel.iter().fold(1_usize, |all, &size| all.saturating_mul(size));
        if elements >= MOST_TAPS {
            return Err(argument(op, format!("a window of {elements} elements: less than {MOST_TAPS} would fit")));
        }
        let shape = Shape::try_new(&[&x.dims()[..rank - D], &out[3 - D..]].concat()).map_err(|error| error.of(op))?;
        check_room::<f32>(op, &shape)?;
        let axes = std::array::from_fn(|axis| {
            let Along { size, kernel, stride, dilation } = along(axis);
            let taps = (0..kernel).map(|i| (i * dilation) as isize - padding[axis][0] as isize).collect();
            WindowAxis { size, windows: out[axis], step: stride, taps }
        });
        let divisors = std::array::from_fn(|axis| {
            let WindowAxis { size, windows, step, taps } = &axes[axis];
            let [before, behind] = if pool.count_include_pad { padding[axis] } else { [0, 0] };
            let counted = -(before as isize)..(size + behind) as isize;
            let count =
                |window: usize| taps.iter().filter(|&&tap| counted.contains(&((window * step) as isize + tap))).count();
            (0..*windows).map(count).collect()
        });
        Ok(Windowed { shapes: [x.clone(), shape], axes, divisors, divisor: pool.divisor })
    }

    /// Divides a plane of windows by how many elements each has.
    fn divide<T: Real>(&self, out: &mut [T]) {
        let [z, y, x] = &self.divisors;
        let along: Vec<T> = x.iter().map(|&x| T::from_f64(x as f64)).collect();
        for (row, out) in out.chunks_exact_mut(along.len().max(1)).enumerate() {
            let rows = T::from_f64((z[row / y.len()] * y[row % y.len()]) as f64);
            match self.divisor {
                Some(divisor) => out.iter_mut().for_each(|sum| *sum /= T::from_f64(divisor as f64)),
                // A window without an element has a sum of 0.
                None => (out.iter_mut().zip(&along)).for_each(|(sum, &count)| {
                    *sum = if rows * count > T::ZERO { *sum / (rows * count) } else { *sum };
                }),
            }
        }
    }
}

/// Taps are counted by u32, of which the last is for none.
const MOST_TAPS: usize = 1 << 31;

/// How many windows there are, and how much padding before and behind.
fn fit(op: &'static str, along: Along, sides: Sides, ceil: bool) -> Result<(usize, [usize; 2]), Error> {
    let span = along.span(op)?;
    let [before, behind] = match sides {
        Sides::Zeros([before, behind]) if before.max(behind) >= span => {
            let padding = before.max(behind);
            let why = format!("a padding of {padding} holds whole windows of {span}: {} at most would fit", span - 1);
            return Err(argument(op, why));
        }
        Sides::Zeros(sides) => sides,
        Sides::Same => [(span - 1) / 2, (span - 1).div_ceil(2)],
        Sides::Causal => [span - 1, 0],
    };
    // Rounded up, as if there were so much more behind; a last window has to begin before what stands behind.
    let more = Sides::Zeros([before, behind.saturating_add(along.stride - 1)]);
    let windows = match along.fit(op, more) {
        Ok(Fit { windows, .. }) if ceil => windows - usize::from((windows - 1) * along.stride >= along.size + before),
        _ => along.fit(op, sides)?.windows,
    };
    Ok((windows, [before, behind]))
}

impl<T: Float> Tensor<T> {
    /// The largest element of each window over D spatial axes: images `[N, C, H, W]` give `[N, C, H′, W′]`, by a `Pool<2>`. N may be
    /// missing. Where an element is NaN, so is the result.
    ///
    /// # Panics
    /// The rank does not fit, a window is larger than the padded input, the padding is as large as a window, or the kernel, the stride
    /// or the dilation is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::{Pool, Tensor};
    ///
    /// let x = Tensor::from([[[1.0, 2.0, 5.0, 4.0], [0.0, 3.0, 1.0, 1.0]]]);
    /// assert_eq!(x.max_pool(Pool::<2>::new(2)), Tensor::from([[[3.0, 5.0]]]));
    /// ```
    #[doc(alias = "max_pool1d")]
    #[doc(alias = "max_pool2d")]
    #[doc(alias = "max_pool3d")]
    #[track_caller]
    pub fn max_pool<const D: usize>(&self, pool: Pool<D>) -> Self {
        let windowed = Windowed::new("max_pool", self.shape(), pool).or_panic();
        T::pooled("max_pool", self, &windowed, true).or_panic()
    }

    /// As [`max_pool`](Self::max_pool), and where each of them lies: its place within the plane of its channel, in row-major order; of equal
    /// ones the first, and a NaN before all others.
    ///
    /// # Panics
    /// As [`max_pool`](Self::max_pool), or a window lies within the padding alone.
    ///
    /// # Example
    /// ```
    /// use tensor::{Pool, Tensor};
    ///
    /// let x = Tensor::from([[1.0, 3.0, 2.0, 2.0]]);
    /// let (largest, places) = x.max_pool_with_indices(Pool::<1>::new(2));
    /// assert_eq!((largest, places), (Tensor::from([[3.0, 2.0]]), Tensor::from([[1, 2]])));
    /// ```
    #[track_caller]
    pub fn max_pool_with_indices<const D: usize>(&self, pool: Pool<D>) -> (Self, Tensor<i64>) {
        let windowed = Windowed::new("max_pool_with_indices", self.shape(), pool).or_panic();
        let places = T::pool_places("max_pool_with_indices", self, &windowed).or_panic();
        (T::pooled("max_pool_with_indices", self, &windowed, true).or_panic(), places)
    }

    /// The gradient of [`max_pool`](Self::max_pool)'s input, where self is that of its result: each goes to the first of the largest elements.
    ///
    /// # Panics
    /// As [`max_pool`](Self::max_pool), or self has another shape than its result.
    ///
    /// # Example
    /// ```
    /// use tensor::{Pool, Tensor};
    ///
    /// let x = Tensor::from([[1.0, 3.0, 2.0, 2.0]]);
    /// let gradient = Tensor::from([[10.0, 20.0]]).max_pool_backward(&x, Pool::<1>::new(2));
    /// assert_eq!(gradient, Tensor::from([[0.0, 10.0, 20.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn max_pool_backward<const D: usize>(&self, x: &Self, pool: Pool<D>) -> Self {
        let windowed = Windowed::new("max_pool_backward", x.shape(), pool).or_panic();
        T::unpooled("max_pool_backward", self, Some(x), &windowed).or_panic()
    }

    /// The mean of each window over D spatial axes: images `[N, C, H, W]` give `[N, C, H′, W′]`, by a `Pool<2>`. N may be missing.
    ///
    /// # Panics
    /// As [`max_pool`](Self::max_pool), or the divisor is 0.
    ///
    /// # Example
    /// ```
    /// use tensor::{Pool, Tensor};
    ///
    /// let x = Tensor::from([[1.0, 3.0, 2.0, 2.0]]);
    /// assert_eq!(x.avg_pool(Pool::<1>::new(2)), Tensor::from([[2.0, 2.0]]));
    /// ```
    #[doc(alias = "avg_pool1d")]
    #[doc(alias = "avg_pool2d")]
    #[doc(alias = "avg_pool3d")]
    #[track_caller]
    pub fn avg_pool<const D: usize>(&self, pool: Pool<D>) -> Self {
        let windowed = Windowed::new("avg_pool", self.shape(), pool).or_panic();
        T::pooled("avg_pool", self, &windowed, false).or_panic()
    }

    /// The gradient of the input of [`avg_pool`](Self::avg_pool), which has the shape `shape`, where self is that of its result.
    ///
    /// # Panics
    /// As [`avg_pool`](Self::avg_pool), or self has another shape than its result.
    ///
    /// # Example
    /// ```
    /// use tensor::{Pool, Tensor};
    ///
    /// let gradient = Tensor::from([[10.0, 20.0]]).avg_pool_backward(&[1, 4].into(), Pool::<1>::new(2));
    /// assert_eq!(gradient, Tensor::from([[5.0, 5.0, 10.0, 10.0]]));
    /// ```
    #[track_caller]
    pub fn avg_pool_backward<const D: usize>(&self, shape: &Shape, pool: Pool<D>) -> Self {
        let windowed = Windowed::new("avg_pool_backward", shape, pool).or_panic();
        T::unpooled("avg_pool_backward", self, None, &windowed).or_panic()
    }
}

/// What a tap of a window costs, in nanoseconds.
const TAP: f64 = 2.0 * par::MULTIPLY_ADD;

/// The largest elements of windows, or their means.
pub(crate) fn pooled<T: Float>(
    op: &'static str,
    x: &Tensor<T>,
    windowed: &Windowed,
    largest: bool,
) -> Result<Tensor<T>, Error> {
    let mut out = room(op, &windowed.shapes[1])?;
    let x = x.contiguous();
    let data = x.as_slice().expect("made contiguous");
    let windows = PlaneWindows::new(&windowed.axes);
    let (size, count) = (windows.size(), windows.count());
    if !out.is_empty() {
        let cost = windows.taps() as f64 * TAP + size as f64 / count as f64 * par::STREAM;
        par::split(&mut out, count, cost, |start, out| {
            let mut copy = vec![T::ZERO; windows.room()];
            let spots = Spots::contiguous(&windows);
            for (i, out) in out.chunks_exact_mut(count).enumerate() {
                let plane = &data[(start / count + i) * size..][..size];
                if largest {
                    windows.copy(plane, -T::INFINITY, &mut copy);
                    kernel::fold_windows(&copy, &windows, &[], Maximum, out, spots);
                } else {
                    windows.copy(plane, T::ZERO, &mut copy);
                    kernel::fold_windows(&copy, &windows, &[], Total, out, spots);
                    windowed.divide(out);
                }
            }
        });
    }
    Ok(Tensor::from_buffer(out, windowed.shapes[1].clone()))
}

/// Where the largest element of each window lies in its plane.
pub(crate) fn pool_places<T: Float>(
    op: &'static str,
    x: &Tensor<T>,
    windowed: &Windowed,
) -> Result<Tensor<i64>, Error> {
    let mut out: Buffer<i64> = room(op, &windowed.shapes[1])?;
    let x = x.contiguous();
    let data = x.as_slice().expect("made contiguous");
    let windows = PlaneWindows::new(&windowed.axes);
    let (size, count) = (windows.size(), windows.count());
    let has_element = |axis: &WindowAxis| {
        (0..axis.windows).all(|window| axis.taps.iter().any(|&tap| axis.place(window, tap).is_some()))
    };
    if !windowed.axes.iter().all(has_element) {
        return Err(argument(op, format!("a window of {} lies within the padding alone", windowed.shapes[0])));
    }
    if !out.is_empty() {
        par::split(&mut out, count, 2.0 * windows.taps() as f64 * par::STREAM, |start, out| {
            let (mut copy, mut taps) = (vec![T::ZERO; windows.room()], vec![0; count]);
            for (i, out) in out.chunks_exact_mut(count).enumerate() {
                windows.copy(&data[(start / count + i) * size..][..size], -T::INFINITY, &mut copy);
                kernel::largest_taps(&copy, &windows, &mut taps);
                windows.each_place(&taps, |window, place| out[window] = place as i64);
            }
        });
    }
    Ok(Tensor::from_buffer(out, windowed.shapes[1].clone()))
}

/// The gradient of a pool's input: of the largest elements of `x`, or of means.
pub(crate) fn unpooled<T: Float>(
    op: &'static str,
    gradient: &Tensor<T>,
    x: Option<&Tensor<T>>,
    windowed: &Windowed,
) -> Result<Tensor<T>, Error> {
    gradient.expect_shape(op, &windowed.shapes[1])?;
    let mut out: Buffer<T> = room(op, &windowed.shapes[0])?;
    let (gradient, x) = (gradient.contiguous(), x.map(Tensor::contiguous));
    let gradient = gradient.as_slice().expect("made contiguous");
    if !out.is_empty() {
        match &x {
            Some(x) => to_largest(gradient, x.as_slice().expect("made contiguous"), windowed, &mut out),
            None => to_all(gradient, windowed, &mut out),
        }
    }
    Ok(Tensor::from_buffer(out, windowed.shapes[0].clone()))
}

/// Each gradient to the largest element of its window.
fn to_largest<T: Float>(gradient: &[T], x: &[T], windowed: &Windowed, out: &mut [T]) {
    let windows = PlaneWindows::new(&windowed.axes);
    let (size, count) = (windows.size(), windows.count());
    let cost = (windows.taps() * count) as f64 / size as f64 * 2.0 * TAP + par::STREAM;
    par::split(out, size, cost, |start, out| {
        let (mut copy, mut taps) = (vec![T::ZERO; windows.room()], vec![0; count]);
        for (i, out) in out.chunks_exact_mut(size).enumerate() {
            let plane = start / size + i;
            let gradient = &gradient[plane * count..][..count];
            windows.copy(&x[plane * size..][..size], -T::INFINITY, &mut copy);
            kernel::largest_taps(&copy, &windows, &mut taps);
            out.fill(T::ZERO);
            windows.each_place(&taps, |window, place| out[place] += gradient[window]);
        }
    });
}

/// Each gradient, divided, to all elements of its window.
fn to_all<T: Float>(gradient: &[T], windowed: &Windowed, out: &mut [T]) {
    let places = places(&windowed.axes);
    let all: Vec<PlaneWindows<'_>> = places.iter().map(|places| PlaneWindows::new(&places.axes)).collect();
    let (size, count) = (PlaneWindows::new(&windowed.axes).size(), PlaneWindows::new(&windowed.axes).count());
    let room = all.iter().map(PlaneWindows::room).max().unwrap_or(0);
    let [z, y, x] = &windowed.axes;
    par::split(out, size, 2.0 * par::STREAM, |start, out| {
        let (mut copy, mut shares) = (vec![T::ZERO; room], vec![T::ZERO; count]);
        for (i, out) in out.chunks_exact_mut(size).enumerate() {
            shares.copy_from_slice(&gradient[(start / size + i) * count..][..count]);
            windowed.divide(&mut shares);
            for (places, windows) in places.iter().zip(&all) {
                windows.copy(&shares, T::ZERO, &mut copy);
                let at = (places.first[0] * y.size + places.first[1]) * x.size + places.first[2];
                let spots = Spots { at, strides: [z.step * y.size * x.size, y.step * x.size, x.step] };
                kernel::fold_windows(&copy, windows, &[], Total, out, spots);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(dims: &[usize]) -> Tensor<f64> {
        let mut i = 0;
        Tensor::from_fn(dims, |_| {
            i += 1;
            // Some are equal.
            ((i * 7919) % 11) as f64 / 5.0 - 1.0
        })
    }

    /// The elements of a window of two axes, each with its place, as far as they are within the input.
    fn window(x: &Tensor<f64>, pool: Pool<2>, before: [usize; 2], at: [usize; 2]) -> Vec<(usize, f64)> {
        let mut all = Vec::new();
        for i in 0..pool.kernel[0] {
            for j in 0..pool.kernel[1] {
                let place = |axis: usize, tap: usize| {
                    (at[axis] * pool.stride[axis] + tap * pool.dilation[axis])
                        .checked_sub(before[axis])
                        .filter(|&at| at < x.dims()[axis])
                };
                if let (Some(y), Some(z)) = (place(0, i), place(1, j)) {
                    all.push((y * x.dims()[1] + z, x.get(&[y, z]).unwrap()));
                }
            }
        }
        all
    }

    proptest! {
        #[test]
        fn pools_are_what_they_say(
            sizes in [1..12usize, 1..30usize],
            kernel in [1..5usize, 1..5usize],
            stride in [1..4usize, 1..4usize],
            dilation in [1..3usize, 1..3usize],
            padding in [0..3usize, 0..3usize],
            ceil_mode in any::<bool>(),
            count_include_pad in any::<bool>(),
        ) {
            let fits = |axis: usize| padding[axis] <= dilation[axis] * (kernel[axis] - 1)
                && dilation[axis] * (kernel[axis] - 1) < sizes[axis] + 2 * padding[axis];
            prop_assume!(fits(0) && fits(1));
            let pool = Pool { kernel, stride, padding: padding.into(), dilation, ceil_mode, count_include_pad, divisor: None };
            let x = numbers(&sizes);
            let planes = Tensor::stack(&[&x, &(&x * 0.5), &x.flip(&[0])], 0);
            let (largest, means) = (planes.max_pool(pool), planes.avg_pool(pool));
            let gradient = numbers(largest.dims());
            let (of_largest, of_means) = (gradient.max_pool_backward(&planes, pool), gradient.avg_pool_backward(planes.shape(), pool));
            for channel in 0..3 {
                let x = planes.select(0, channel as isize);
                let (mut to_largest, mut to_means) = (vec![0.0; x.numel()], vec![0.0; x.numel()]);
                for i in 0..largest.dims()[1] {
                    for j in 0..largest.dims()[2] {
                        let all = window(&x, pool, padding, [i, j]);
                        let most = all.iter().map(|&(_, x)| x).fold(f64::NEG_INFINITY, f64::max);
                        assert_eq!(largest.get(&[channel, i, j]), Some(most));
                        let count: usize = [(0, i), (1, j)].into_iter().map(|(axis, at)| {
                            let end = x.dims()[axis] + padding[axis];
                            let places = (0..kernel[axis]).map(|tap| at * stride[axis] + tap * dilation[axis]);
                            places.filter(|&place| if count_include_pad {
                                place < end + padding[axis]
                            } else {
                                (padding[axis]..end).contains(&place)
                            }).count()
                        }).product();
                        let sum: f64 = all.iter().map(|&(_, x)| x).sum();
                        let mean = if count > 0 { sum / count as f64 } else { 0.0 };
                        assert!((means.get(&[channel, i, j]).unwrap() - mean).abs() < 1e-12);
                        let g = gradient.get(&[channel, i, j]).unwrap();
                        if let Some(&(first, _)) = all.iter().find(|&&(_, x)| x == most) {
                            to_largest[first] += g;
                        }
                        all.iter().for_each(|&(place, _)| to_means[place] += g / count as f64);
                    }
                }
                let close = |got: Tensor<f64>, want: Vec<f64>| got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12);
                assert!(close(of_largest.select(0, channel as isize), to_largest));
                assert!(close(of_means.select(0, channel as isize), to_means));
            }
        }
    }

    #[test]
    fn nan_is_the_largest() {
        let x = Tensor::from([[1.0, f64::NAN, 2.0, 7.0], [f64::NEG_INFINITY; 4]]);
        let (largest, places) = x.max_pool_with_indices(Pool::<1>::new(3).stride(1));
        assert!(largest.select(0, 0).iter().all(f64::is_nan));
        assert_eq!(largest.select(0, 1), Tensor::full([2], f64::NEG_INFINITY));
        assert_eq!(places, Tensor::from([[1, 1], [0, 1]]));
    }

    #[test]
    #[should_panic(
        expected = "max_pool: spatial axis 1 of [1, 5, 2]: a kernel of 3 does not fit into 2 elements and 0 + 0 of padding"
    )]
    fn windows_that_are_too_large_are_refused() {
        Tensor::<f32>::zeros([1, 5, 2]).max_pool(Pool::<2>::new(3));
    }

    #[test]
    #[should_panic(
        expected = "avg_pool: spatial axis 0 of [1, 5]: a padding of 3 holds whole windows of 3: 2 at most would fit"
    )]
    fn windows_of_padding_alone_are_refused() {
        Tensor::<f32>::zeros([1, 5]).avg_pool(Pool::<1>::new(3).padding(3));
    }

    #[test]
    fn windows_that_nobody_has_memory_for_are_refused() {
        let refused = |pool: Pool<1>| std::panic::catch_unwind(|| Tensor::<f32>::zeros([1, 5]).max_pool(pool)).is_err();
        assert!(refused(Pool::new(usize::MAX)));
        assert!(refused(Pool::new(1 << 40).padding(1 << 39)));
        assert!(refused(Pool::new(2).stride(usize::MAX / 2).dilation(usize::MAX / 2)));
    }
}
