//! The windows of an input as a matrix that is nowhere in memory: a row for each element of a window, a column for each window.
//!
//! Parts of it are copied in the order in which tiles read them. What lies outside of the input is 0.

use std::ops::Range;

use super::runs::Runs;
use crate::kernel::Real;
use crate::kernel::matmul::{Matrix, Vectorized};
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};
use crate::kernel::vector::MAX_LANES;

/// How windows lie along one axis of an input.
#[derive(Clone, Debug)]
pub(crate) struct WindowAxis {
    /// Elements of the input along it.
    pub(crate) size: usize,
    /// How many windows there are.
    pub(crate) windows: usize,
    /// From one window to the next.
    pub(crate) step: usize,
    /// Where the elements of the first window lie, some maybe outside of the input.
    pub(crate) taps: Vec<isize>,
}

impl WindowAxis {
    /// Which of the windows `some` have this tap within the input.
    #[inline(always)]
    pub(super) fn within(&self, tap: isize, some: Range<usize>) -> Range<usize> {
        let step = self.step as isize;
        // The first window whose element is not below 0, and the first whose element is not below the size.
        let from = (-tap).max(0).unsigned_abs().div_ceil(self.step);
        let to = (self.size as isize - tap).max(0).unsigned_abs().div_ceil(step.unsigned_abs());
        let start = from.clamp(some.start, some.end);
        start..to.clamp(start, some.end)
    }

    /// Where this tap of a window lies, if that is within the input.
    #[inline(always)]
    pub(crate) fn place(&self, window: usize, tap: isize) -> Option<usize> {
        let place = (window * self.step).wrapping_add_signed(tap);
        (place < self.size).then_some(place)
    }
}

/// A product for each image pays from so many positions on; with fewer, images share a panel.
const POSITIONS: usize = 256;

/// The windows of a batch `[images, channels, z, y, x]`, whose x are neighbours in memory.
///
/// Row (c, tap of z, tap of y, tap of x) of the matrix; column (image, window of z, of y, of x).
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a, T> {
    data: &'a [T],
    at: usize,
    /// From one image, channel, z and y to the next.
    strides: [usize; 4],
    images: usize,
    channels: usize,
    axes: &'a [WindowAxis; 3],
}

impl<'a, T> Windows<'a, T> {
    /// # Panics
    /// An element of the input lies outside `data`.
    pub(crate) fn new(
        (data, at): (&'a [T], usize),
        [images, channels]: [usize; 2],
        strides: [usize; 4],
        axes: &'a [WindowAxis; 3],
    ) -> Self {
        let sizes = [images, channels, axes[0].size, axes[1].size];
        if sizes.iter().all(|&size| size > 0) && axes[2].size > 0 {
            let last: usize = sizes.iter().zip(strides).map(|(&size, stride)| (size - 1) * stride).sum();
            assert!(at + last + axes[2].size <= data.len(), "an input must lie within its data");
        }
        Windows { data, at, strides, images, channels, axes }
    }

    pub(crate) fn rows(&self) -> usize {
        self.channels * self.taps()
    }

    pub(crate) fn columns(&self) -> usize {
        self.images * self.counts().iter().product::<usize>()
    }

    pub(super) fn axes(&self) -> &'a [WindowAxis; 3] {
        self.axes
    }

    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Each image as a matrix `[channels, positions]`, where windows are single elements one after the other and an image has enough of them.
    pub(super) fn as_images(&self) -> Option<impl Iterator<Item = Matrix<'a, T>> + use<'a, T>> {
        let [_, channel, z, y] = self.strides;
        let [of_z, of_y, of_x] = self.axes;
        let is_single = |axis: &WindowAxis| axis.taps == [0] && axis.step == 1 && axis.windows == axis.size;
        let joined = (of_y.size == 1 || y == of_x.size) && (of_z.size == 1 || z == of_y.size * of_x.size);
        let positions = of_z.size * of_y.size * of_x.size;
        let pays = self.axes.iter().all(is_single) && joined && positions >= POSITIONS;
        let Windows { data, at, strides, images, channels, .. } = *self;
        let matrix = move |image: usize| {
            Matrix::new(data, at + image * strides[0], [channels, positions], [channel as isize, 1])
        };
        pays.then(|| (0..images).map(matrix))
    }

    /// How many planes of windows there are.
    pub(super) fn planes(&self) -> usize {
        self.images * self.axes[0].windows
    }

    /// How many planes of the input a plane of windows is of: one for each channel and tap along z.
    pub(super) fn layers(&self) -> usize {
        self.channels * self.axes[0].taps.len()
    }

    /// The data from one of those planes on, and from one of its rows to the next; `None` where it is outside.
    pub(super) fn layer(&self, plane: usize, layer: usize) -> Option<(&'a [T], usize)> {
        let of_z = &self.axes[0];
        let (image, channel) = (plane / of_z.windows, layer / of_z.taps.len());
        let z = of_z.place(plane % of_z.windows, of_z.taps[layer % of_z.taps.len()])?;
        let [of_image, of_channel, z_stride, y_stride] = self.strides;
        let at = self.at + image * of_image + channel * of_channel + z * z_stride;
        self.data.get(at..).map(|data| (data, y_stride))
    }

    /// The windows of that group of as many channels, where these are the first one's.
    pub(super) fn group(&self, group: usize) -> Self {
        let at = self.at + group * self.channels * self.strides[1];
        Windows::new((self.data, at), [self.images, self.channels], self.strides, self.axes)
    }

    pub(super) fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps.len()).product()
    }

    pub(super) fn counts(&self) -> [usize; 3] {
        [self.axes[0].windows, self.axes[1].windows, self.axes[2].windows]
    }

    /// Copies a part of the matrix, each row `pitch` elements after the one before. Columns past the last one are left as they are.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    #[inline(always)]
    pub(super) unsafe fn copy<S: Simd>(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [T], pitch: usize)
    where
        T: Vectorized,
    {
        let columns = columns.start..columns.end.min(self.columns());
        assert!(
            rows.end <= self.rows() && columns.len() <= pitch && rows.len() * pitch <= out.len(),
            "room for a part"
        );
        // SAFETY: the processor has the instructions of `S`: this function's caller ensures it.
        unsafe { S::call(CopyPart { windows: self, rows, columns, out, pitch }) }
    }
}

/// A part of the matrix that is copied, as [`Windows::copy`] has checked it.
struct CopyPart<'a, 'b, T> {
    windows: &'a Windows<'b, T>,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &'a mut [T],
    pitch: usize,
}

impl<T: Vectorized> VectorKernel for CopyPart<'_, '_, T> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let CopyPart { windows, rows, columns, out, pitch } = self;
        let Windows { data, at, strides, axes, .. } = *windows;
        let [of_z, of_y, of_x] = axes;
        let taps = windows.taps();
        let out = out.as_mut_ptr();
        // A run goes through all rows, and then comes the next one: what it writes beyond its end is overwritten.
        let mut runs = Runs::new(windows.counts(), columns);
        while let Some(run) = runs.next_run() {
            let mut tap = 0;
            for &tap_z in &of_z.taps {
                let z = of_z.place(run.z, tap_z);
                for &tap_y in &of_y.taps {
                    let y = of_y.place(run.y, tap_y);
                    for &tap_x in &of_x.taps {
                        let channels =
                            rows.start.saturating_sub(tap).div_ceil(taps)..rows.end.saturating_sub(tap).div_ceil(taps);
                        let all = run.x..run.x + run.len;
                        let within = if z.is_some() && y.is_some() {
                            of_x.within(tap_x, all.clone())
                        } else {
                            all.start..all.start
                        };
                        let [image, channel, z_stride, y_stride] = strides;
                        let row = at + run.image * image + z.unwrap_or(0) * z_stride + y.unwrap_or(0) * y_stride;
                        let segment = Segment {
                            // Where the first window of the run would lie: maybe before the data, where nothing is read.
                            from: data.as_ptr().wrapping_add(row).wrapping_offset((run.x * of_x.step) as isize + tap_x),
                            step: of_x.step,
                            within: within.start - run.x..within.end - run.x,
                            to: out.wrapping_add(
                                (channels.start * taps + tap).wrapping_sub(rows.start).wrapping_mul(pitch) + run.at,
                            ),
                            len: run.len,
                            room: pitch - run.at,
                        };
                        let channels =
                            Rows { first: channels.start, count: channels.len(), from: channel, to: taps * pitch };
                        // SAFETY: the processor has the instructions. `within` are the windows whose element is within the input, which is
                        // within the data (`Windows::new`); the rows and their room are within `out` (`Windows::copy`).
                        unsafe { segment.copy::<S>(channels) }
                        tap += 1;
                    }
                }
            }
        }
    }
}

/// A run of one row: where it is read and written.
struct Segment<T> {
    /// Where the first element is read, if it is `within`.
    from: *const T,
    step: usize,
    /// Which elements are within the input; the others are 0.
    within: Range<usize>,
    to: *mut T,
    len: usize,
    /// How many elements may be written, of which those beyond the run do not matter.
    room: usize,
}

/// The rows of several channels.
struct Rows {
    first: usize,
    count: usize,
    /// From one channel to the next in the input.
    from: usize,
    /// And in the copy.
    to: usize,
}

impl<T: Vectorized> Segment<T> {
    /// Copies the run of each of these channels.
    ///
    /// # Safety
    /// The processor has the instructions of `S`; the elements `within` may be read for each channel, and `len` be written, as well as what
    /// there is room for.
    #[inline(always)]
    unsafe fn copy<S: Simd>(&self, channels: Rows) {
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let mut at = 0;
        while at < self.len {
            let read = self.within.start.clamp(at, at + lanes) - at..self.within.end.clamp(at, at + lanes) - at;
            let write = if at + lanes <= self.room { lanes } else { self.len.min(at + lanes) - at };
            let mut from = self.from.wrapping_add(at * self.step + channels.first * channels.from);
            let mut to = self.to.wrapping_add(at);
            // Of every second element: what lies from the first that is read to the last, in two vectors.
            let both = 2 * read.start..(2 * read.end).saturating_sub(1).max(2 * read.start);
            let first = both.start.min(lanes)..both.end.min(lanes);
            let second = both.start.saturating_sub(lanes)..both.end.saturating_sub(lanes);
            for _ in 0..channels.count {
                // SAFETY: this function's caller ensures it: no lane but those within is read, and none beyond the run or its room written.
                unsafe {
                    let vector = if self.step == 1 {
                        T::Vector::<S>::load_between(from, read.start, read.end)
                    } else if self.step == 2 {
                        let (mut both, mut apart) = ([T::ZERO; 2 * MAX_LANES], [T::ZERO; MAX_LANES]);
                        T::Vector::<S>::load_between(from, first.start, first.end).store(both.as_mut_ptr());
                        let next = from.wrapping_add(lanes);
                        T::Vector::<S>::load_between(next, second.start, second.end)
                            .store(both.as_mut_ptr().add(lanes));
                        for (i, x) in apart.iter_mut().enumerate().take(lanes) {
                            *x = both[2 * i];
                        }
                        T::Vector::<S>::load(apart.as_ptr())
                    } else {
                        let mut apart = [T::ZERO; MAX_LANES];
                        for i in read.clone() {
                            apart[i] = *from.wrapping_add(i * self.step);
                        }
                        T::Vector::<S>::load(apart.as_ptr())
                    };
                    if write == lanes { vector.store(to) } else { vector.store_first(to, write) }
                }
                from = from.wrapping_add(channels.from);
                to = to.wrapping_add(channels.to);
            }
            at += lanes;
        }
    }
}

/// Copies the whole matrix.
pub(crate) fn copy_windows<T: Vectorized>(windows: &Windows<'_, T>, out: &mut [T]) {
    let (rows, columns) = (windows.rows(), windows.columns());
    assert_eq!(out.len(), rows * columns, "room for the matrix");
    simd::dispatch(CopyPart { windows, rows: 0..rows, columns: 0..columns, out, pitch: columns });
}

/// Adds the rows of the matrix of a plane's windows to the elements that they are of.
pub(crate) fn add_windows<T: Real>(columns: &[T], axes: &[WindowAxis; 3], plane: &mut [T]) {
    let [of_z, of_y, of_x] = axes;
    let mut rows = columns.chunks_exact(of_x.windows);
    for &tap_z in &of_z.taps {
        for &tap_y in &of_y.taps {
            for &tap_x in &of_x.taps {
                let within = of_x.within(tap_x, 0..of_x.windows);
                for (z, y) in (0..of_z.windows).flat_map(|z| (0..of_y.windows).map(move |y| (z, y))) {
                    let row = rows.next().expect("a row for each tap and line");
                    if let (Some(z), Some(y)) = (of_z.place(z, tap_z), of_y.place(y, tap_y)) {
                        let line = &mut plane[(z * of_y.size + y) * of_x.size..][..of_x.size];
                        for x in within.clone() {
                            line[(x * of_x.step).wrapping_add_signed(tap_x)] += row[x];
                        }
                    }
                }
            }
        }
    }
}
