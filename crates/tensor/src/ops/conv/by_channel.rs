//! Convolutions of each channel by itself (depthwise): plane by plane, without a product.

use super::{Moves, places};
use crate::element::Float;
use crate::kernel::{self, PlaneWindows, Spots, Weighted};
use crate::par;

/// What a tap of a window costs, in nanoseconds.
const TAP: f64 = 2.0 * par::MULTIPLY_ADD;

pub(super) fn conv<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, moves: &Moves, out: &mut [T]) {
    let axes = moves.axes();
    let windows = PlaneWindows::new(&axes);
    let (size, count, taps, of_out) = (windows.size(), windows.count(), windows.taps(), moves.channels[1]);
    let channels = moves.groups * of_out;
    par::split(out, count, taps as f64 * TAP + par::STREAM, |start, out| {
        let mut copy = vec![T::ZERO; windows.room()];
        for (i, out) in out.chunks_exact_mut(count).enumerate() {
            let plane = start / count + i;
            let channel = plane % channels;
            if i == 0 || channel.is_multiple_of(of_out) {
                windows.copy(&x[plane / of_out * size..][..size], T::ZERO, &mut copy);
            }
            let spots = Spots::contiguous(&windows);
            kernel::fold_windows(&copy, &windows, &w[channel * taps..][..taps], Weighted, out, spots);
            if let Some(bias) = bias {
                out.iter_mut().for_each(|y| *y += bias[channel]);
            }
        }
    });
}

/// The gradient of x, and a bias for each of its channels.
pub(super) fn input_gradient<T: Float>(gradient: &[T], w: &[T], bias: Option<&[T]>, moves: &Moves, out: &mut [T]) {
    let axes = moves.axes();
    let places = places(&axes);
    let all: Vec<PlaneWindows<'_>> = places.iter().map(|places| PlaneWindows::new(&places.axes)).collect();
    let [size, count] = [moves.input, moves.windows].map(|sizes| sizes.iter().product::<usize>());
    let (taps, of_out) = (moves.taps(), moves.channels[1]);
    let room = all.iter().map(PlaneWindows::room).max().unwrap_or(0);
    par::split(out, size, (taps * of_out * count) as f64 / size as f64 * TAP + par::STREAM, |start, out| {
        let mut copy = vec![T::ZERO; room];
        let (mut weights, mut more) = (Vec::with_capacity(taps), vec![T::ZERO; if of_out > 1 { size } else { 0 }]);
        for (i, out) in out.chunks_exact_mut(size).enumerate() {
            let plane = start / size + i;
            let group = plane % moves.groups;
            for o in 0..of_out {
                let gradient = &gradient[(plane * of_out + o) * count..][..count];
                let w = &w[(group * of_out + o) * taps..][..taps];
                let to: &mut [T] = if o == 0 { &mut *out } else { &mut more };
                for (places, windows) in places.iter().zip(&all) {
                    weights.clear();
                    weights.extend(places.taps.iter().map(|&tap| w[tap]));
                    windows.copy(gradient, T::ZERO, &mut copy);
                    kernel::fold_windows(&copy, windows, &weights, Weighted, to, moves.spots(places.first));
                }
                if o > 0 {
                    out.iter_mut().zip(&more).for_each(|(x, &more)| *x += more);
                }
            }
            if let Some(bias) = bias {
                out.iter_mut().for_each(|x| *x += bias[group]);
            }
        }
    });
}
