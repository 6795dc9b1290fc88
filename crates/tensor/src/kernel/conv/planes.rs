//! Windows of one plane, folded: pools, and convolutions of each channel by itself.
//!
//! A plane is copied with what is around it, and with every `step`-th element of a row side by side: there, each tap of neighbouring windows
//! is a row of neighbours, and nothing is outside. The windows' results stay in registers while one tap after the other is folded in.

use super::windows::WindowAxis;
use crate::kernel::Real;
use crate::kernel::copy::{Lines, copy_rows};
use crate::kernel::isa::kernel;
use crate::kernel::matmul::Vectorized;
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};
use crate::kernel::vector::MAX_LANES;

/// The most windows whose results are in registers at once.
const WIDE: usize = 64;

/// How the windows of a plane `[z, y, x]` lie in its copy.
pub(crate) struct PlaneWindows<'a> {
    axes: &'a [WindowAxis; 3],
    /// What there is before the plane, along each axis.
    before: [usize; 3],
    /// Rows of the copy along z and y.
    rows: [usize; 2],
    /// Elements of the copy from one remainder by the step to the next, and from one row to the next.
    part: usize,
    row: usize,
    /// Where each tap of the first window lies.
    offsets: Vec<usize>,
}

impl<'a> PlaneWindows<'a> {
    pub(crate) fn new(axes: &'a [WindowAxis; 3]) -> Self {
        let before = [0, 1, 2].map(|axis: usize| axes[axis].taps.iter().min().map_or(0, |&tap| (-tap).max(0) as usize));
        // From the first element of the copy to the last that a window reaches.
        let reach = |axis: usize| {
            let WindowAxis { windows, step, ref taps, .. } = axes[axis];
            let last = taps.iter().max().map_or(0, |&tap| (tap + before[axis] as isize).max(0) as usize);
            windows.saturating_sub(1) * step + last + 1
        };
        let step = axes[2].step;
        let part = reach(2).div_ceil(step);
        let (rows, row) = ([reach(0), reach(1)], part * step);
        let [of_z, of_y, of_x] = axes;
        let mut offsets = Vec::with_capacity(of_z.taps.len() * of_y.taps.len() * of_x.taps.len());
        let place = |axis: usize, tap: isize| before[axis].wrapping_add_signed(tap);
        for &z in &of_z.taps {
            for &y in &of_y.taps {
                for &x in &of_x.taps {
                    let x = place(2, x);
                    offsets.push((place(0, z) * rows[1] + place(1, y)) * row + x % step * part + x / step);
                }
            }
        }
        PlaneWindows { axes, before, rows, part, row, offsets }
    }

    /// Elements of the plane.
    pub(crate) fn size(&self) -> usize {
        self.axes.iter().map(|axis| axis.size).product()
    }

    /// Windows of the plane.
    pub(crate) fn count(&self) -> usize {
        self.axes.iter().map(|axis| axis.windows).product()
    }

    pub(crate) fn taps(&self) -> usize {
        self.offsets.len()
    }

    /// Elements of a copy, of which the last are never more than read.
    pub(crate) fn room(&self) -> usize {
        self.rows[0] * self.rows[1] * self.row + WIDE
    }

    /// Copies a plane, with `outside` around it.
    pub(crate) fn copy<T: Real>(&self, plane: &[T], outside: T, copy: &mut [T]) {
        let ([of_z, of_y, of_x], [_, rows], step) = (self.axes, self.rows, self.axes[2].step);
        let [first_y, y, of_rows] = within(of_y.size, self.before[1], 0, 1, rows);
        let along = |remainder| within(of_x.size, self.before[2], remainder, step, self.part);
        let is_whole = of_rows == rows && (0..step).all(|remainder| along(remainder)[2] == self.part);
        for (z, copy) in copy[..self.rows[0] * rows * self.row].chunks_exact_mut(rows * self.row).enumerate() {
            let z = z.checked_sub(self.before[0]).filter(|&z| z < of_z.size);
            if z.is_none() || !is_whole {
                copy.fill(outside);
            }
            let Some(z) = z else { continue };
            for remainder in 0..step {
                let [first, x, count] = along(remainder);
                let from = Lines { at: y * of_x.size + x, pitch: of_x.size as isize, stride: step as isize };
                let at = first_y * self.row + remainder * self.part + first;
                let to = Lines { at, pitch: self.row as isize, stride: 1 };
                if of_rows > 0 && count > 0 {
                    copy_rows(&plane[z * of_y.size * of_x.size..], from, copy, to, of_rows, count);
                }
            }
        }
    }

    /// Where the first tap of a row of windows would lie, if it were that of the first element of the copy.
    #[inline(always)]
    fn base(&self, z: usize, y: usize) -> usize {
        (z * self.axes[0].step * self.rows[1] + y * self.axes[1].step) * self.row
    }

    /// Calls `f` with each window and the place in the plane of this tap of it. Where a window's first tap is meant, and outside, it is the
    /// first one within the plane, if there is one.
    pub(crate) fn each_place(&self, taps: &[u32], mut f: impl FnMut(usize, usize)) {
        let [of_z, of_y, of_x] = self.axes;
        let (ny, nx) = (of_y.taps.len(), of_x.taps.len());
        let (row, plane) = (of_x.size as isize, (of_y.size * of_x.size) as isize);
        let offset =
            |tap: usize| of_z.taps[tap / nx / ny] * plane + of_y.taps[tap / nx % ny] * row + of_x.taps[tap % nx];
        let offsets: Vec<isize> = (0..self.taps()).map(offset).collect();
        let first_of = |axis: &WindowAxis, window: usize| {
            (0..axis.taps.len()).find(|&i| axis.place(window, axis.taps[i]).is_some())
        };
        let mut window = 0;
        for z in 0..of_z.windows {
            for y in 0..of_y.windows {
                let first = (z * of_z.step * of_y.size + y * of_y.step) * of_x.size;
                for x in 0..of_x.windows {
                    let tap = match taps[window] {
                        0 => match (first_of(of_z, z), first_of(of_y, y), first_of(of_x, x)) {
                            (Some(z), Some(y), Some(x)) => Some((z * ny + y) * nx + x),
                            _ => None,
                        },
                        tap => Some(tap as usize),
                    };
                    if let Some(tap) = tap {
                        f(window, (first + x * of_x.step).wrapping_add_signed(offsets[tap]));
                    }
                    window += 1;
                }
            }
        }
    }
}

/// Of every `step`-th element along an axis that has so much before it: the first of `len` that lies within, its place, and how many do.
#[inline(always)]
pub(super) fn within(size: usize, before: usize, at: usize, step: usize, len: usize) -> [usize; 3] {
    let first = before.saturating_sub(at).div_ceil(step).min(len);
    let place = (at + first * step).saturating_sub(before);
    [first, place, size.saturating_sub(place).div_ceil(step).min(len - first)]
}

/// Where the results of a plane's windows go: `at + z · strides[0] + y · strides[1] + x · strides[2]`.
#[derive(Clone, Copy)]
pub(crate) struct Spots {
    pub(crate) at: usize,
    pub(crate) strides: [usize; 3],
}

impl Spots {
    /// One after the other.
    pub(crate) fn contiguous(windows: &PlaneWindows<'_>) -> Self {
        let [_, y, x] = windows.axes;
        Spots { at: 0, strides: [y.windows * x.windows, x.windows, 1] }
    }
}

/// How a tap is folded into the results of its windows.
pub(crate) trait TapFold<T: Vectorized>: Copy + Sync {
    /// What is folded into where there is no tap yet, and outside of the plane.
    fn start(self) -> T;

    /// With a tap more, which has this weight.
    ///
    /// # Safety
    /// The processor has the instructions of the vector.
    unsafe fn fold<V: Vector<T>>(self, results: V, x: V, weight: V) -> V;
}

/// Σ w x
#[derive(Clone, Copy)]
pub(crate) struct Weighted;

/// Σ x
#[derive(Clone, Copy)]
pub(crate) struct Total;

/// The largest, or NaN where there is one.
#[derive(Clone, Copy)]
pub(crate) struct Maximum;

impl<T: Vectorized> TapFold<T> for Weighted {
    #[inline(always)]
    fn start(self) -> T {
        T::ZERO
    }

    #[inline(always)]
    unsafe fn fold<V: Vector<T>>(self, results: V, x: V, weight: V) -> V {
        // SAFETY: this function's caller ensures it, here and below.
        unsafe { results.add_product(weight, x) }
    }
}

impl<T: Vectorized> TapFold<T> for Total {
    #[inline(always)]
    fn start(self) -> T {
        T::ZERO
    }

    #[inline(always)]
    unsafe fn fold<V: Vector<T>>(self, results: V, x: V, _: V) -> V {
        // SAFETY: as above.
        unsafe { results.add(x) }
    }
}

impl<T: Vectorized> TapFold<T> for Maximum {
    #[inline(always)]
    fn start(self) -> T {
        -T::INFINITY
    }

    #[inline(always)]
    unsafe fn fold<V: Vector<T>>(self, results: V, x: V, _: V) -> V {
        // SAFETY: as above.
        unsafe { results.larger(x) }
    }
}

/// The fold of each window of a plane, of which `copy` is the copy, to its spot. There is a weight for each tap, or none.
pub(crate) fn fold_windows<T: Vectorized, F: TapFold<T>>(
    copy: &[T],
    windows: &PlaneWindows<'_>,
    weights: &[T],
    f: F,
    out: &mut [T],
    spots: Spots,
) {
    simd::dispatch(FoldWindows { copy, windows, weights, f, out, spots });
}

/// In vectors: what the compiler makes of arrays in registers changes with what stands around them, by a factor of three.
struct FoldWindows<'a, T, F> {
    copy: &'a [T],
    windows: &'a PlaneWindows<'a>,
    weights: &'a [T],
    f: F,
    out: &'a mut [T],
    spots: Spots,
}

impl<T: Vectorized, F: TapFold<T>> VectorKernel for FoldWindows<'_, T, F> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(mut self) {
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let [of_z, of_y, of_x] = self.windows.axes;
        let [z_stride, y_stride, x_stride] = self.spots.strides;
        for z in 0..of_z.windows {
            for y in 0..of_y.windows {
                let (base, at) = (self.windows.base(z, y), self.spots.at + z * z_stride + y * y_stride);
                let mut x = 0;
                while x < of_x.windows {
                    let (base, to, left) = (base + x, at + x * x_stride, of_x.windows - x);
                    // SAFETY: the caller has the instructions.
                    let vectors = unsafe {
                        match left.div_ceil(lanes) {
                            1 => self.block::<S, 1>(base, to, left),
                            2 => self.block::<S, 2>(base, to, left),
                            3..=4 => self.block::<S, 4>(base, to, left),
                            _ if lanes * 8 > WIDE => self.block::<S, 4>(base, to, left),
                            _ => self.block::<S, 8>(base, to, left),
                        }
                    };
                    x += vectors * lanes;
                }
            }
        }
    }
}

impl<T: Vectorized, F: TapFold<T>> FoldWindows<'_, T, F> {
    /// The results of some windows that are neighbours, of whose taps the first lies at `base`: those of NV vectors, of which `left` are stored
    /// from `to` on. Returns NV.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "the functions of an iterator may come from another codegen unit, and not be inlined"
    )]
    unsafe fn block<S: Simd, const NV: usize>(&mut self, base: usize, to: usize, left: usize) -> usize {
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let (offsets, weighted) = (&*self.windows.offsets, !self.weights.is_empty());
        // SAFETY: this function's caller ensures it; NV vectors are read of a slice of as many elements.
        let results = unsafe {
            let mut results = [T::Vector::<S>::splat(self.f.start()); NV];
            for i in 0..offsets.len() {
                let x = self.copy[base + offsets[i]..][..NV * lanes].as_ptr();
                let weight = T::Vector::<S>::splat(if weighted { self.weights[i] } else { T::ZERO });
                for v in 0..NV {
                    results[v] = self.f.fold(results[v], T::Vector::<S>::load(x.add(v * lanes)), weight);
                }
            }
            results
        };
        let step = self.spots.strides[2];
        for (v, results) in results.into_iter().enumerate() {
            let count = left.saturating_sub(v * lanes).min(lanes);
            if count == 0 {
                break;
            }
            let out = &mut self.out[to + v * lanes * step..][..(count - 1) * step + 1];
            // SAFETY: this function's caller ensures it; `out` has as many elements, and the room those of any vector.
            unsafe {
                match (step, count == lanes) {
                    (1, true) => results.store(out.as_mut_ptr()),
                    (1, false) => results.store_first(out.as_mut_ptr(), count),
                    _ => {
                        let mut room = [T::ZERO; MAX_LANES];
                        results.store(room.as_mut_ptr());
                        for (i, &x) in room[..count].iter().enumerate() {
                            *out.as_mut_ptr().add(i * step) = x;
                        }
                    }
                }
            }
        }
        NV
    }
}

kernel! {
    /// Which tap of each window is its largest element: the first of equal ones, and of NaNs; outside of the plane there is −∞. Of a
    /// window in which no element is larger, it is the first tap.
    pub(crate) fn largest_taps[T: Real](copy: &[T], windows: &PlaneWindows<'_>, taps: &mut [u32]), arithmetic T {
        const N: usize = 16;
        let [of_z, of_y, of_x] = windows.axes;
        for z in 0..of_z.windows {
            for y in 0..of_y.windows {
                let (base, row) = (windows.base(z, y), (z * of_y.windows + y) * of_x.windows);
                let mut x = 0;
                while x < of_x.windows {
                    let (mut best, mut found) = ([-T::INFINITY; N], [0_u32; N]);
                    for i in 0..windows.offsets.len() {
                        let x: &[T; N] = copy[base + x + windows.offsets[i]..].first_chunk().expect("there is room behind the copy");
                        for l in 0..N {
                            let better = (x[l] > best[l]) | (x[l].is_nan() & !best[l].is_nan());
                            best[l] = if better { x[l] } else { best[l] };
                            found[l] = if better { i as u32 } else { found[l] };
                        }
                    }
                    let count = N.min(of_x.windows - x);
                    taps[row + x..][..count].copy_from_slice(&found[..count]);
                    x += N;
                }
            }
        }
    }
}
