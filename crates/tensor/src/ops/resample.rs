//! Images of another size: interpolated, or means of their parts.

use crate::create::{check_room, room};
use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Mixture};
use crate::par;
use crate::shape::Shape;
use crate::spatial::{Interpolation, Pool, Resize, Target, argument};
use crate::tensor::Tensor;

/// What each axis of a tensor is mixed by.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Resampling<T> {
    op: &'static str,
    from: Shape,
    to: Shape,
    /// The mixtures, each with its axis.
    axes: Vec<(usize, Mixture<T>)>,
}

impl<T: Float> Resampling<T> {
    /// Of an interpolation.
    ///
    /// # Panics
    /// As [`Tensor::interpolate`].
    #[doc(hidden)]
    #[track_caller]
    pub fn interpolation<const D: usize>(x: &Shape, resize: Resize<D>) -> Self {
        Resampling::of_resize(x, resize).or_panic()
    }

    /// Of means of equal parts, as far as they are.
    ///
    /// # Panics
    /// As [`Tensor::adaptive_avg_pool`].
    #[doc(hidden)]
    #[track_caller]
    pub fn adaptive<const D: usize>(x: &Shape, to: [usize; D]) -> Self {
        Resampling::new("adaptive_avg_pool", x, to, |_, from, to| part(from, to)).or_panic()
    }

    fn of_resize<const D: usize>(x: &Shape, resize: Resize<D>) -> Result<Self, Error> {
        let op = "interpolate";
        let sizes = spatial::<D>(op, x)?;
        let mut factors = [None; D];
        let to = match resize.target {
            Target::Sizes(sizes) => sizes,
            Target::Factors(by) => {
                let mut to = [0; D];
                for axis in 0..D {
                    let size = (sizes[axis] as f64 * by[axis]).floor();
                    if !(by[axis] > 0.0 && size < isize::MAX as f64) {
                        return Err(argument(
                            op,
                            format!("{} times the size of axis {axis} of {x} is no size", by[axis]),
                        ));
                    }
                    (to[axis], factors[axis]) = (size as usize, Some(by[axis]));
                }
                to
            }
        };
        if resize.align_corners && !matches!(resize.mode, Interpolation::Linear | Interpolation::Cubic) {
            return Err(argument(
                op,
                format!("{:?} has no corners to align: linear and cubic interpolation have", resize.mode),
            ));
        }
        Resampling::new(op, x, to, |axis, from, to| match resize.mode {
            Interpolation::Area => part(from, to),
            mode => Box::new(entries(mode, resize.align_corners, from, to, factors[axis])),
        })
    }

    fn new<const D: usize>(
        op: &'static str,
        x: &Shape,
        to: [usize; D],
        entries: impl Fn(usize, usize, usize) -> Box<dyn Iterator<Item = Vec<(usize, f64)>>>,
    ) -> Result<Self, Error> {
        let sizes = spatial::<D>(op, x)?;
        let first = x.rank() - D;
        let mut axes = Vec::with_capacity(D);
        let shape = Shape::try_new(&[&x.dims()[..first], &to].concat()).map_err(|error| error.of(op))?;
        check_room::<T>(op, &shape)?;
        for axis in 0..D {
            if sizes[axis] == 0 || to[axis] == 0 {
                return Err(argument(
                    op,
                    format!("{x} cannot become {shape}: spatial axes need at least one element before and after"),
                ));
            }
            if sizes[axis] != to[axis] || op == "interpolate" {
                axes.push((first + axis, Mixture::new(sizes[axis], entries(axis, sizes[axis], to[axis]))));
            }
        }
        Ok(Resampling { op, from: x.clone(), to: shape, axes })
    }

    /// The way back.
    #[doc(hidden)]
    #[must_use]
    pub fn back(&self) -> Self {
        let axes = self.axes.iter().rev().map(|(axis, mixture)| (*axis, mixture.back())).collect();
        Resampling { op: self.op, from: self.to.clone(), to: self.from.clone(), axes }
    }
}

/// The sizes of the last D axes of a tensor of D + 1 or D + 2.
fn spatial<const D: usize>(op: &'static str, x: &Shape) -> Result<[usize; D], Error> {
    if x.rank() != D + 1 && x.rank() != D + 2 {
        let want = ["[N, C, L] or [C, L]", "[N, C, H, W] or [C, H, W]", "[N, C, D, H, W] or [C, D, H, W]"][D - 1];
        return Err(Error::new(op, Reason::Rank { want, got: x.clone() }));
    }
    Ok(x.dims()[x.rank() - D..].try_into().expect("D axes"))
}

/// Index i of `to` is the mean of ⌊i · from / to⌋ .. ⌈(i + 1) · from / to⌉.
fn part(from: usize, to: usize) -> Box<dyn Iterator<Item = Vec<(usize, f64)>>> {
    Box::new((0..to).map(move |i| {
        let indices = part_of(from, to, i);
        let share = 1.0 / indices.len() as f64;
        indices.map(|index| (index, share)).collect()
    }))
}

/// The part of an axis that index i of `to` stands for.
fn part_of(from: usize, to: usize, i: usize) -> std::ops::Range<usize> {
    let at = |i: usize| (i as u128 * from as u128, to as u128);
    let (start, end) = (at(i).0 / at(i).1, at(i + 1).0.div_ceil(at(i + 1).1));
    start as usize..end as usize
}

/// What each index is mixed from.
fn entries(
    mode: Interpolation,
    align: bool,
    from: usize,
    to: usize,
    factor: Option<f64>,
) -> impl Iterator<Item = Vec<(usize, f64)>> + 'static {
    let last = from - 1;
    // How far apart neighbours of the result are, in elements of the input.
    let apart = match factor {
        _ if align => {
            if to > 1 {
                last as f64 / (to - 1) as f64
            } else {
                0.0
            }
        }
        Some(factor) => 1.0 / factor,
        None => from as f64 / to as f64,
    };
    let nearest = move |half: usize, i: usize| match factor {
        // Of sizes alone, without rounding.
        None => ((2 * i + half) as u128 * from as u128 / (2 * to as u128)) as usize,
        Some(_) => ((i as f64 + half as f64 / 2.0) * apart).floor() as usize,
    };
    let place = move |i: usize| if align { i as f64 * apart } else { (i as f64 + 0.5) * apart - 0.5 };
    (0..to).map(move |i| match mode {
        Interpolation::Nearest => vec![(nearest(0, i).min(last), 1.0)],
        Interpolation::NearestExact => vec![(nearest(1, i).min(last), 1.0)],
        Interpolation::Cubic => {
            let place = place(i);
            let t = place - place.floor();
            // Near, and one further away.
            let near = |t: f64| (1.25 * t - 2.25) * t * t + 1.0;
            let far = |t: f64| ((-0.75 * t + 3.75) * t - 6.0) * t + 3.0;
            let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
            let index = |offset: i64| (place.floor() as i64 + offset).clamp(0, last as i64) as usize;
            (-1..3).map(index).zip(weights).collect()
        }
        _ => {
            let place = place(i).max(0.0);
            let low = (place.floor() as usize).min(last);
            let t = (place - low as f64).clamp(0.0, 1.0);
            vec![(low, 1.0 - t), ((low + 1).min(last), t)]
        }
    })
}

impl<T: Float> Tensor<T> {
    /// Images of another size: `[N, C, H, W]` to `[N, C, H′, W′]` by a `Resize<2>`, signals by a `Resize<1>`. N may be missing.
    ///
    /// Where corners are not aligned, element i lies at (i + ½) from / to − ½.
    ///
    /// # Panics
    /// The rank does not fit, an axis is empty before or after, a factor is not above 0, or corners are to be aligned of a mode that has none.
    ///
    /// # Example
    /// ```
    /// use tensor::{Interpolation, Resize, Tensor};
    ///
    /// let x = Tensor::from([[0.0, 4.0]]);
    /// assert_eq!(x.interpolate(Resize::<1>::to(4, Interpolation::Nearest)), Tensor::from([[0.0, 0.0, 4.0, 4.0]]));
    /// assert_eq!(x.interpolate(Resize::<1>::by(2.0, Interpolation::Linear)), Tensor::from([[0.0, 1.0, 3.0, 4.0]]));
    /// ```
    #[doc(alias = "upsample")]
    #[track_caller]
    pub fn interpolate<const D: usize>(&self, resize: Resize<D>) -> Self {
        self.resampled(&Resampling::interpolation(self.shape(), resize))
    }

    /// Means of parts of D spatial axes, as many as asked for: index i is the mean of ⌊i · from / to⌋ .. ⌈(i + 1) · from / to⌉.
    /// `[N, C, H, W]` gives `[N, C, to]`; for one part, the mean of the whole. N may be missing.
    ///
    /// # Panics
    /// The rank does not fit, or an axis is empty before or after.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0, 3.0]]);
    /// assert_eq!(x.adaptive_avg_pool([2]), Tensor::from([[1.5, 2.5]]));
    /// ```
    #[doc(alias = "adaptive_avg_pool2d")]
    #[track_caller]
    pub fn adaptive_avg_pool<const D: usize>(&self, to: [usize; D]) -> Self {
        self.resampled(&Resampling::adaptive(self.shape(), to))
    }

    /// The largest elements of parts of D spatial axes, as many as asked for; see [`adaptive_avg_pool`](Self::adaptive_avg_pool).
    ///
    /// # Panics
    /// As [`adaptive_avg_pool`](Self::adaptive_avg_pool).
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 3.0, 2.0]]);
    /// assert_eq!(x.adaptive_max_pool([2]), Tensor::from([[3.0, 3.0]]));
    /// ```
    #[doc(alias = "adaptive_max_pool2d")]
    #[track_caller]
    pub fn adaptive_max_pool<const D: usize>(&self, to: [usize; D]) -> Self {
        let (spread, pool) = adaptive_windows(self.shape(), to);
        spread.iter().fold(self.clone(), |x, (axis, indices)| x.index_select(*axis, indices)).max_pool(pool)
    }

    /// Mixtures of its axes that have been measured out.
    #[doc(hidden)]
    #[track_caller]
    pub fn resampled(&self, how: &Resampling<T>) -> Self {
        T::resampled(self, how).or_panic()
    }
}

/// Parts as windows of a pool: which indices stand side by side then, for axes whose parts are not equal.
#[doc(hidden)]
#[track_caller]
pub fn adaptive_windows<const D: usize>(x: &Shape, to: [usize; D]) -> (Vec<(isize, Tensor<i64>)>, Pool<D>) {
    windows_of_parts(x, to).or_panic()
}

#[allow(clippy::type_complexity, reason = "indices, each with its axis, and the pool")]
fn windows_of_parts<const D: usize>(x: &Shape, to: [usize; D]) -> Result<(Vec<(isize, Tensor<i64>)>, Pool<D>), Error> {
    let op = "adaptive_max_pool";
    let sizes = spatial::<D>(op, x)?;
    let shape = Shape::try_new(&[&x.dims()[..x.rank() - D], &to].concat()).map_err(|error| error.of(op))?;
    check_room::<f32>(op, &shape)?;
    let (mut spread, mut kernel) = (Vec::new(), [1; D]);
    for axis in 0..D {
        let (from, to) = (sizes[axis], to[axis]);
        if from == 0 || to == 0 {
            return Err(argument(
                op,
                format!("{x} cannot become {to:?}: spatial axes need at least one element before and after"),
            ));
        }
        kernel[axis] = from / to;
        if !from.is_multiple_of(to) {
            let parts: Vec<_> = (0..to).map(|i| part_of(from, to, i)).collect();
            kernel[axis] = parts.iter().map(ExactSizeIterator::len).max().unwrap_or(1);
            // A shorter part ends with its last index again, which is not larger.
            let padded =
                parts.iter().flat_map(|part| (0..kernel[axis]).map(|i| (part.start + i).min(part.end - 1) as i64));
            spread.push(((x.rank() - D + axis) as isize, padded.collect()));
        }
    }
    Ok((spread, Pool::new(kernel)))
}

pub(crate) fn resampled<T: Float>(x: &Tensor<T>, how: &Resampling<T>) -> Result<Tensor<T>, Error> {
    x.expect_shape(how.op, &how.from)?;
    let mut x = x.contiguous();
    for (axis, mixture) in &how.axes {
        let mut dims = x.dims().to_vec();
        dims[*axis] = mixture.to();
        let shape = Shape::try_new(&dims).map_err(|error| error.of(how.op))?;
        let mut out = room(how.op, &shape)?;
        let inner: usize = dims[axis + 1..].iter().product();
        let (from, to) = (mixture.from() * inner, mixture.to() * inner);
        if !out.is_empty() {
            let data = x.as_slice().expect("contiguous");
            par::split(&mut out, to, mixture.density() * par::STREAM, |start, out| {
                for (i, out) in out.chunks_exact_mut(to).enumerate() {
                    kernel::mix(&data[(start / to + i) * from..][..from], mixture, inner, out);
                }
            });
        }
        x = Tensor::from_buffer(out, shape);
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(dims: &[usize]) -> Tensor<f64> {
        let mut i = 0;
        Tensor::from_fn(dims, |_| {
            i += 1;
            ((i * 7919) % 1013) as f64 / 507.0 - 1.0
        })
    }

    #[test]
    fn a_line_stays_a_line() {
        let line = Tensor::from_fn([1, 5, 7], |i| 3.0 * i[1] as f64 - 2.0 * i[2] as f64);
        let y = line.interpolate(Resize::to([9, 13], Interpolation::Linear).align_corners());
        let want = Tensor::from_fn([1, 9, 13], |i| 1.5 * i[1] as f64 - i[2] as f64);
        assert!(y.allclose(&want, 1e-12, 1e-12));
        // In the middle of it, a cubic one too.
        let y = line.interpolate(Resize::to([9, 13], Interpolation::Cubic).align_corners());
        assert!(y.slice(1, 2..7).slice(2, 2..11).allclose(&want.slice(1, 2..7).slice(2, 2..11), 1e-12, 1e-12));
    }

    #[test]
    fn the_way_back_is_the_transpose() {
        let x = numbers(&[2, 3, 5, 7]);
        for mode in [
            Interpolation::Nearest,
            Interpolation::NearestExact,
            Interpolation::Linear,
            Interpolation::Cubic,
            Interpolation::Area,
        ] {
            for to in [[3, 9], [10, 7], [1, 1]] {
                let how = Resampling::interpolation(x.shape(), Resize::to(to, mode));
                let y = x.resampled(&how);
                let g = numbers(y.dims());
                let back = g.resampled(&how.back());
                let (forward, backward) = ((&y * &g).sum(..).item(), (&x * &back).sum(..).item());
                assert!((forward - backward).abs() < 1e-10, "{mode:?} {to:?}: {forward} {backward}");
            }
        }
    }

    #[test]
    fn parts_cover_the_whole() {
        let x = numbers(&[2, 3, 7, 5]);
        assert!(x.adaptive_avg_pool([1, 1]).allclose(&x.mean([2, 3]).reshape([2, 3, 1, 1]), 1e-12, 1e-12));
        assert_eq!(x.adaptive_max_pool([1, 1]), x.max([2, 3]).reshape([2, 3, 1, 1]));
        assert_eq!(x.adaptive_avg_pool([7, 5]), x);
        let y = x.adaptive_max_pool([3, 2]);
        for i in 0..3 {
            for j in 0..2 {
                let part = x.slice(2, part_of(7, 3, i)).slice(3, part_of(5, 2, j));
                assert_eq!(y.select(2, i as isize).select(2, j as isize), part.max([2, 3]));
            }
        }
    }

    #[test]
    fn an_image_that_nobody_has_memory_for_is_refused() {
        for to in [1 << 45, usize::MAX] {
            let resize = Resize::<1>::to(to, Interpolation::Linear);
            assert!(std::panic::catch_unwind(|| Tensor::<f32>::zeros([1, 5]).interpolate(resize)).is_err());
            assert!(std::panic::catch_unwind(|| Tensor::<f32>::zeros([1, 5]).adaptive_avg_pool([to])).is_err());
            assert!(std::panic::catch_unwind(|| Tensor::<f32>::zeros([1, 5]).adaptive_max_pool([to])).is_err());
        }
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let resize = Resize::<1>::by(factor, Interpolation::Nearest);
            assert!(std::panic::catch_unwind(|| Tensor::<f32>::zeros([1, 5]).interpolate(resize)).is_err());
        }
    }

    #[test]
    #[should_panic(expected = "interpolate: [1, 2, 3] cannot become [1, 0, 3]")]
    fn an_empty_image_is_refused() {
        Tensor::<f32>::zeros([1, 2, 3]).interpolate(Resize::to([0, 3], Interpolation::Nearest));
    }
}
