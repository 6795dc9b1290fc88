//! Convolutions of few channels, whose panels would take as long to copy as to compute with.
//!
//! A strip of a plane is copied once, with the zeros around it, and tiles read all of its windows there: a tap is the same place in each
//! row, so that a list says where the rows of the windows' matrix begin. Columns go through the strip without regard to its edges; those
//! between two rows of results are computed for nothing. Where they are many, each tap along x has a copy without them. For a stride, what
//! has the same remainder by it lies side by side.
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
    /// The elements of a row that lie side by side, those of the same remainder by the step or those that one tap meets: the first of them
    /// that lies within the input, its place there, and how many do.
    parts: Vec<[usize; 3]>,
    /// How many they are with what is around the input.
    part: usize,
    /// For each tap along x, which part it meets, and from where on.
    taps: Vec<[usize; 2]>,
    /// Rows of the input from the first of a window to its last, and one.
    span: usize,
}

impl Strips {
    /// Where each element is copied once, and rows of windows have gaps between them.
    fn sparse<T>(windows: &Windows<'_, T>) -> Self {
        let (before, [span, reach]) = Strips::around(windows);
        let x = &windows.axes()[2];
        let part = ((x.windows.max(1) - 1) * x.step + reach).div_ceil(x.step);
        let at = |&tap: &isize| before[1].wrapping_add_signed(tap);
        let taps = x.taps.iter().map(|tap| [at(tap) % x.step, at(tap) / x.step]).collect();
        let parts = (0..x.step).map(|start| within(x.size, before[1], start, x.step, part)).collect();
        Strips { before, step: [windows.axes()[1].step, x.step], parts, part, taps, span }
    }

    /// Where each tap along x has a copy of its own, and rows of windows follow each other.
    fn dense<T>(windows: &Windows<'_, T>) -> Self {
        let (before, [span, _]) = Strips::around(windows);
        let x = &windows.axes()[2];
        let at = |&tap: &isize| before[1].wrapping_add_signed(tap);
        let parts = x.taps.iter().map(|tap| within(x.size, before[1], at(tap), x.step, x.windows)).collect();
        let taps = (0..x.taps.len()).map(|tap| [tap, 0]).collect();
        Strips { before, step: [windows.axes()[1].step, x.step], parts, part: x.windows, taps, span }
    }

    /// What there is before the input along y and x, and from the first element of a window to its last.
    fn around<T>(windows: &Windows<'_, T>) -> ([usize; 2], [usize; 2]) {
        let [_, y, x] = windows.axes();
        let before = [y, x].map(|axis| axis.taps.iter().min().map_or(0, |&tap| (-tap).max(0).unsigned_abs()));
        let last = |axis: usize| {
            let taps = [y, x][axis].taps.iter().max();
            taps.map_or(0, |&tap| before[axis].saturating_add_signed(tap))
        };
        (before, [last(0) + 1, last(1) + 1])
    }

    /// Whether rows of windows follow each other.
    fn is_dense<T>(&self, windows: &Windows<'_, T>) -> bool {
        self.part == windows.axes()[2].windows
    }

    /// Rows of each remainder, for so many rows of windows.
    fn rows(&self, windows: usize) -> usize {
        ((windows - 1) * self.step[0] + self.span).div_ceil(self.step[0])
    }

    /// Elements of a strip: of all layers.
    fn plane<T>(&self, windows: &Windows<'_, T>, rows: usize) -> usize {
        windows.layers() * self.step[0] * self.parts.len() * self.rows(rows) * self.part
    }

    /// Bytes of a strip that a row of windows takes.
    fn row<T>(&self, windows: &Windows<'_, T>) -> usize {
        self.step[0] * self.step[0] * self.parts.len() * self.part * windows.layers() * size_of::<T>()
    }

    /// Where each row of the windows' matrix begins in the copy of a strip.
    fn offsets<T>(&self, windows: &Windows<'_, T>, rows: usize) -> Vec<usize> {
        let (step, plane) = (self.step[0], self.rows(rows) * self.part);
        let mut offsets = Vec::with_capacity(windows.rows());
        for layer in 0..windows.layers() {
            for &tap in &windows.axes()[1].taps {
                let y = self.before[0].wrapping_add_signed(tap);
                for [part, x] in &self.taps {
                    let at = (layer * step + y % step) * self.parts.len() + part;
                    offsets.push(at * plane + y / step * self.part + x);
                }
            }
        }
        offsets
    }

    /// Copies what some rows of windows of a plane are of.
    fn copy<T: Vectorized>(&self, windows: &Windows<'_, T>, plane: usize, rows: Range<usize>, copy: &mut [T]) {
        let (of_y, [step_y, step_x]) = (&windows.axes()[1], self.step);
        let (count, part) = (self.rows(rows.len()), self.part);
        let mut copies = copy[..self.plane(windows, rows.len())].chunks_exact_mut(count * part);
        for layer in 0..windows.layers() {
            let from = windows.layer(plane, layer);
            for remainder in 0..step_y {
                let at = rows.start * step_y + remainder;
                let [first_y, y, of_rows] = within(of_y.size, self.before[0], at, step_y, count);
                for &[first_x, x, of_part] in &self.parts {
                    let out = copies.next().expect("one for each part");
                    let from = from.filter(|_| of_rows > 0 && of_part > 0);
                    if from.is_none() || of_rows < count || of_part < part {
                        out.fill(T::ZERO);
                    }
                    if let Some((plane, pitch)) = from {
                        let from =
                            Lines { at: y * pitch + x, pitch: (step_y * pitch) as isize, stride: step_x as isize };
                        let to = Lines { at: first_y * part + first_x, pitch: part as isize, stride: 1 };
                        copy_rows(plane, from, out, to, of_rows, of_part);
                    }
                }
            }
        }
    }
}
