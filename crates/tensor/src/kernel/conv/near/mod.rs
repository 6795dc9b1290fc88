//! Convolutions of few channels, whose panels would take as long to copy as to compute with.
//!
//! A strip of a plane is copied once, with the zeros around it, and tiles read all of its windows there: a tap is the same place in each
//! row, so that a list says where the rows of the windows' matrix begin. Columns go through the strip without regard to its edges; those
//! between two rows of results are computed for nothing. For a stride, what has the same remainder by it lies side by side.
//!
//! Each element is the chain that `product` makes: which of the two computes it leaves no trace.

mod forward;
mod gradient;

use std::ops::Range;

pub(super) use self::forward::{correlate, pays};
pub(super) use self::gradient::{gradient_pays, weight_gradient};
use super::planes::within;
use super::windows::Windows;
use crate::kernel::copy::{Lines, copy_rows};
use crate::kernel::matmul::Vectorized;

/// The most bytes of a strip, which stays in the L2 cache.
const STRIP: usize = 192 << 10;

/// How a plane is cut into strips, and how a strip lies in its copy.
struct Strips {
    /// Zeros before the input along y and x.
    before: [usize; 2],
    step: [usize; 2],
    /// Elements of a row that have the same remainder by the step.
    part: usize,
    /// Rows of the input from the first of a window to its last, and one.
    span: usize,
}

impl Strips {
    fn new<T>(windows: &Windows<'_, T>) -> Self {
        let [_, y, x] = windows.axes();
        let before = [y, x].map(|axis| axis.taps.iter().min().map_or(0, |&tap| (-tap).max(0).unsigned_abs()));
        let last = |axis: usize| {
            let taps = [y, x][axis].taps.iter().max();
            taps.map_or(0, |&tap| before[axis].saturating_add_signed(tap))
        };
        let part = (x.windows.saturating_sub(1) * x.step + last(1) + 1).div_ceil(x.step);
        Strips { before, step: [y.step, x.step], part, span: last(0) + 1 }
    }

    /// Rows of each remainder, for so many rows of windows.
    fn rows(&self, windows: usize) -> usize {
        ((windows - 1) * self.step[0] + self.span).div_ceil(self.step[0])
    }

    /// Elements of a layer's copy: of one channel, where one tap along z is.
    fn layer(&self, windows: usize) -> usize {
        self.step[0] * self.step[1] * self.rows(windows) * self.part
    }

    /// Elements of a strip: of all layers.
    fn plane<T>(&self, windows: &Windows<'_, T>, rows: usize) -> usize {
        windows.layers() * self.layer(rows)
    }

    /// Bytes of a strip that a row of windows takes.
    fn row<T>(&self, windows: &Windows<'_, T>) -> usize {
        self.step[0] * self.step[0] * self.step[1] * self.part * windows.layers() * size_of::<T>()
    }

    /// Where each row of the windows' matrix begins in the copy of a strip.
    fn offsets<T>(&self, windows: &Windows<'_, T>, rows: usize) -> Vec<usize> {
        let [_, y, x] = windows.axes();
        let [step_y, step_x] = self.step;
        let plane = self.rows(rows) * self.part;
        let mut offsets = Vec::with_capacity(windows.rows());
        for layer in 0..windows.layers() {
            for &tap_y in &y.taps {
                for &tap_x in &x.taps {
                    let [at_y, at_x] =
                        [self.before[0].wrapping_add_signed(tap_y), self.before[1].wrapping_add_signed(tap_x)];
                    let remainders = at_y % step_y * step_x + at_x % step_x;
                    let at = layer * step_y * step_x + remainders;
                    offsets.push(at * plane + at_y / step_y * self.part + at_x / step_x);
                }
            }
        }
        offsets
    }

    /// Copies what some rows of windows of a plane are of.
    fn copy<T: Vectorized>(&self, windows: &Windows<'_, T>, plane: usize, rows: Range<usize>, copy: &mut [T]) {
        let ([_, of_y, of_x], [step_y, step_x]) = (windows.axes(), self.step);
        let of_remainder = self.rows(rows.len()) * self.part;
        for (i, out) in copy[..self.plane(windows, rows.len())].chunks_exact_mut(of_remainder).enumerate() {
            let (layer, at) = (i / (step_y * step_x), rows.start * step_y + i / step_x % step_y);
            let [first_y, y, of_rows] = within(of_y.size, self.before[0], at, step_y, self.rows(rows.len()));
            let [first_x, x, count] = within(of_x.size, self.before[1], i % step_x, step_x, self.part);
            let layer = windows.layer(plane, layer).filter(|_| of_rows * count > 0);
            if layer.is_none() || of_rows * count < of_remainder {
                out.fill(T::ZERO);
            }
            if let Some((plane, pitch)) = layer {
                let from = Lines { at: y * pitch + x, pitch: (step_y * pitch) as isize, stride: step_x as isize };
                let to = Lines { at: first_y * self.part + first_x, pitch: self.part as isize, stride: 1 };
                copy_rows(plane, from, out, to, of_rows, count);
            }
        }
    }
}
