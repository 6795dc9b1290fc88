//! Windows of one plane, folded: pools, and convolutions of each channel by itself.
//!
//! A plane is copied with what is around it, and with every `step`-th element of a row side by side: there, each tap of neighbouring windows
//! is a row of neighbours, and nothing is outside. The windows' results stay in registers while one tap after the other is folded in.

use super::windows::WindowAxis;
use crate::kernel::Real;
use crate::kernel::copy::copy_row;
use crate::kernel::isa::kernel;

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
        let [of_z, of_y, of_x] = self.axes;
        let step = of_x.step;
        for (i, out) in copy[..self.rows[0] * self.rows[1] * self.row].chunks_exact_mut(self.row).enumerate() {
            let [z, y] = [i / self.rows[1], i % self.rows[1]];
            let line = match (z.checked_sub(self.before[0]), y.checked_sub(self.before[1])) {
                (Some(z), Some(y)) if z < of_z.size && y < of_y.size => {
                    &plane[(z * of_y.size + y) * of_x.size..][..of_x.size]
                }
                _ => {
                    out.fill(outside);
                    continue;
                }
            };
            for (remainder, out) in out.chunks_exact_mut(self.part).enumerate() {
                copy_line(line, [self.before[2], remainder], step, outside, out);
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

/// Copies every `step`-th element of a line that has `outside` around it: out\[t] is that at remainder + t · step − before.
#[inline(always)]
pub(super) fn copy_line<T: Copy>(line: &[T], [before, remainder]: [usize; 2], step: usize, outside: T, out: &mut [T]) {
    let first = before.saturating_sub(remainder).div_ceil(step).min(out.len());
    let from = (remainder + first * step).saturating_sub(before);
    let count = line.len().saturating_sub(from).div_ceil(step).min(out.len() - first);
    out[..first].fill(outside);
    copy_row(line, from, step as isize, &mut out[first..first + count]);
    out[first + count..].fill(outside);
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

/// How a tap is folded into the result of its window.
pub(crate) trait TapFold<T>: Copy + Sync {
    /// What is folded into where there is no tap yet, and outside of the plane.
    fn start(self) -> T;

    /// With a tap more, which has this weight.
    fn fold(self, sum: T, x: T, weight: T) -> T;
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

impl<T: Real> TapFold<T> for Weighted {
    #[inline(always)]
    fn start(self) -> T {
        T::ZERO
    }

    #[inline(always)]
    fn fold(self, sum: T, x: T, weight: T) -> T {
        weight.mul_add(x, sum)
    }
}

impl<T: Real> TapFold<T> for Total {
    #[inline(always)]
    fn start(self) -> T {
        T::ZERO
    }

    #[inline(always)]
    fn fold(self, sum: T, x: T, _: T) -> T {
        sum + x
    }
}

impl<T: Real> TapFold<T> for Maximum {
    #[inline(always)]
    fn start(self) -> T {
        -T::INFINITY
    }

    #[inline(always)]
    fn fold(self, largest: T, x: T, _: T) -> T {
        if (x > largest) | x.is_nan() { x } else { largest }
    }
}

/// The results of N windows that are neighbours, of whose taps the first lies at `base`.
#[inline(always)]
fn fold_block<T: Real, F: TapFold<T>, const N: usize>(
    copy: &[T],
    base: usize,
    offsets: &[usize],
    weights: &[T],
    f: F,
) -> [T; N] {
    let mut sums = [f.start(); N];
    for i in 0..offsets.len() {
        let x: &[T; N] = copy[base + offsets[i]..].first_chunk().expect("there is room behind the copy");
        let weight = if weights.is_empty() { T::ZERO } else { weights[i] };
        for l in 0..N {
            sums[l] = f.fold(sums[l], x[l], weight);
        }
    }
    sums
}

/// out\[at + i · step] = sums\[i] for i below `count`
#[inline(always)]
fn store_block<T: Copy, const N: usize>(sums: [T; N], out: &mut [T], at: usize, step: usize, count: usize) {
    if step == 1 && count >= N {
        out[at..][..N].copy_from_slice(&sums);
    } else if step == 1 {
        out[at..][..count].copy_from_slice(&sums[..count]);
    } else {
        for i in 0..count.min(N) {
            out[at + i * step] = sums[i];
        }
    }
}

kernel! {
    /// The fold of each window of a plane, of which `copy` is the copy, to its spot. There is a weight for each tap, or none.
    pub(crate) fn fold_windows[T: Real, F: TapFold<T>](
        copy: &[T], windows: &PlaneWindows<'_>, weights: &[T], f: F, out: &mut [T], spots: Spots,
    ), arithmetic T {
        let [of_z, of_y, of_x] = windows.axes;
        let [z_stride, y_stride, x_stride] = spots.strides;
        for z in 0..of_z.windows {
            for y in 0..of_y.windows {
                let (base, at) = (windows.base(z, y), spots.at + z * z_stride + y * y_stride);
                let mut x = 0;
                while x < of_x.windows {
                    let (left, to) = (of_x.windows - x, at + x * x_stride);
                    if left > 16 {
                        let sums = fold_block::<T, F, WIDE>(copy, base + x, &windows.offsets, weights, f);
                        store_block(sums, out, to, x_stride, left);
                        x += WIDE;
                    } else {
                        let sums = fold_block::<T, F, 16>(copy, base + x, &windows.offsets, weights, f);
                        store_block(sums, out, to, x_stride, left);
                        x += 16;
                    }
                }
            }
        }
    }
}

/// In how many parts sums of products are kept.
pub(crate) const PARTS: usize = 16;

kernel! {
    /// Adds Σ x ȳ over all windows of a plane to the sums of each tap, in 16 parts: window i of a row to part i mod 16.
    pub(crate) fn window_products[T: Real](copy: &[T], gradient: &[T], windows: &PlaneWindows<'_>, sums: &mut [[T; PARTS]]), arithmetic T {
        let [of_z, of_y, of_x] = windows.axes;
        let width = of_x.windows;
        let whole = width - width % PARTS;
        for z in 0..of_z.windows {
            for y in 0..of_y.windows {
                let (base, row) = (windows.base(z, y), (z * of_y.windows + y) * width);
                let gradient = &gradient[row..][..width];
                let mut last = [T::ZERO; PARTS];
                last[..width - whole].copy_from_slice(&gradient[whole..]);
                for i in 0..windows.offsets.len() {
                    let x = &copy[base + windows.offsets[i]..];
                    let mut sum = sums[i];
                    let mut at = 0;
                    while at < whole {
                        let x: &[T; PARTS] = x[at..].first_chunk().expect("a row of windows");
                        let gradient: &[T; PARTS] = gradient[at..].first_chunk().expect("whole");
                        for l in 0..PARTS {
                            sum[l] = x[l].mul_add(gradient[l], sum[l]);
                        }
                        at += PARTS;
                    }
                    if whole < width {
                        let x: &[T; PARTS] = x[whole..].first_chunk().expect("there is room behind the copy");
                        for l in 0..PARTS {
                            // What is beyond the row of windows may be infinite.
                            let x = if l < width - whole { x[l] } else { T::ZERO };
                            sum[l] = x.mul_add(last[l], sum[l]);
                        }
                    }
                    sums[i] = sum;
                }
            }
        }
    }
}

/// Adds the parts of each tap by halves.
pub(crate) fn add_parts<T: Real>(sums: &[[T; PARTS]], out: &mut [T]) {
    for (out, sums) in out.iter_mut().zip(sums) {
        let (mut sums, mut len) = (*sums, PARTS);
        while len > 1 {
            len /= 2;
            for l in 0..len {
                sums[l] += sums[l + len];
            }
        }
        *out = sums[0];
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
