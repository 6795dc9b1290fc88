//! The places of an input, by what a convolution's gradient brings to them.

use crate::kernel::WindowAxis;

/// Along one axis, the places of the input that leave the same remainder by the stride: the first of them, how their windows of the
/// gradient lie, and which taps they meet.
struct Phase {
    first: usize,
    axis: WindowAxis,
    taps: Vec<usize>,
}

/// All phases of an axis whose windows lie so.
fn phases(axis: &WindowAxis) -> Vec<Phase> {
    let step = axis.step as isize;
    (0..axis.step.min(axis.size))
        .map(|first| {
            // Place first + step · t meets a tap in window t + (first − tap) / step, where that is whole.
            let meets = |(i, &tap): (usize, &isize)| {
                let distance = first as isize - tap;
                (distance % step == 0).then_some((i, distance / step))
            };
            let (taps, places) = axis.taps.iter().enumerate().filter_map(meets).unzip();
            let windows = (axis.size - first).div_ceil(axis.step);
            Phase { first, axis: WindowAxis { size: axis.windows, windows, step: 1, taps: places }, taps }
        })
        .collect()
}

/// One phase of each axis: the places of the input that are made of the same taps.
pub(in crate::ops) struct Places {
    /// The first place.
    pub(in crate::ops) first: [usize; 3],
    /// How their windows of the gradient lie.
    pub(in crate::ops) axes: [WindowAxis; 3],
    /// Which taps they meet.
    pub(in crate::ops) taps: Vec<usize>,
}

/// All places of an input with these windows.
pub(in crate::ops) fn places(axes: &[WindowAxis; 3]) -> Vec<Places> {
    let [of_z, of_y, of_x] = [0, 1, 2].map(|axis| phases(&axes[axis]));
    let (ny, nx) = (axes[1].taps.len(), axes[2].taps.len());
    let mut all = Vec::with_capacity(of_z.len() * of_y.len() * of_x.len());
    for z in &of_z {
        for y in &of_y {
            for x in &of_x {
                let mut taps = Vec::with_capacity(z.taps.len() * y.taps.len() * x.taps.len());
                for tap_z in &z.taps {
                    for tap_y in &y.taps {
                        taps.extend(x.taps.iter().map(|tap_x| (tap_z * ny + tap_y) * nx + tap_x));
                    }
                }
                let axes = [z.axis.clone(), y.axis.clone(), x.axis.clone()];
                all.push(Places { first: [z.first, y.first, x.first], axes, taps });
            }
        }
    }
    all
}
