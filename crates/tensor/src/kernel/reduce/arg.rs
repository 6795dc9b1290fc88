//! Where the smallest and the largest element are.

use super::fold::{Fold, Largest, Smallest};
use super::{BLOCK, Reduction, Rows, Run};
use crate::element::Element;
use crate::kernel::isa::kernel;

/// Whether both are equal, or both are NaN.
#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
fn same<T: Copy + PartialEq>(a: T, b: T) -> bool {
    a == b || (a != a && b != b)
}

/// out\[i] = the first index, in the run that lies `stride` elements after that of out\[i − 1], of its largest element, or of its
/// smallest; `run`, which is not empty, is the first.
pub(crate) fn arg<T: Element>(largest: bool, run: Run<'_, T>, stride: isize, out: &mut [i64]) {
    if largest { arg_by(Largest, run, stride, out) } else { arg_by(Smallest, run, stride, out) }
}

/// A fold to the best element.
trait Best<T>: Fold<T, Part = T> + Reduction<T, Part = T> {}

impl<T, F: Fold<T, Part = T> + Reduction<T, Part = T>> Best<T> for F {}

fn arg_by<T: Element>(f: impl Best<T>, run: Run<'_, T>, stride: isize, out: &mut [i64]) {
    if stride == 1 && run.step != 1 {
        for (chunk, out) in out.chunks_mut(WIDTH).enumerate() {
            columns(f, run.moved((chunk * WIDTH) as isize), out);
        }
        return;
    }
    for (i, out) in out.iter_mut().enumerate() {
        let run = run.moved(i as isize * stride);
        *out = if run.step == 1 { neighbours(f, run) } else { apart(f, run) } as i64;
    }
}

/// Of neighbours: first the block, then the place in it.
fn neighbours<T: Element>(f: impl Best<T>, run: Run<'_, T>) -> usize {
    let (mut best, mut block) = (run.get(0), 0);
    for start in (0..run.len).step_by(BLOCK) {
        let mut value = [best];
        f.blocks(run.part(start, BLOCK.min(run.len - start)), 0, &mut value);
        let value = Fold::join(f, best, value[0]);
        if !same(value, best) {
            (best, block) = (value, start);
        }
    }
    let mut at = 0;
    find(&run.slice()[block..], best, &mut at);
    block + at
}

kernel! {
    /// at = the first index of an element that is in x.
    fn find[T: Element](x: &[T], element: T, at: &mut usize), memory {
        /// Elements that are compared at once.
        const TOGETHER: usize = 64;
        for (i, chunk) in x.chunks(TOGETHER).enumerate() {
            if chunk.iter().fold(false, |found, &x| found | same(x, element)) {
                *at = i * TOGETHER + chunk.iter().position(|&x| same(x, element)).unwrap_or_default();
                return;
            }
        }
    }
}

/// Of elements that are apart.
fn apart<T: Element>(f: impl Best<T>, run: Run<'_, T>) -> usize {
    let (mut best, mut at) = (run.get(0), 0);
    for i in 1..run.len {
        let x = run.get(i);
        let value = f.fold(best, x);
        if !same(value, best) {
            (best, at) = (value, i);
        }
    }
    at
}

/// Columns whose best elements are kept close to the processor.
const WIDTH: usize = 256;

kernel! {
    /// Of columns, row by row.
    fn columns[T: Element, F: Fold<T, Part = T>](f: F, run: Run<'_, T>, out: &mut [i64]), memory {
        let mut best = [run.get(0); WIDTH];
        let best = &mut best[..out.len()];
        let rows = Rows { run, width: out.len() };
        best.copy_from_slice(rows.row(0));
        out.fill(0);
        for i in 1..run.len {
            for ((best, at), &x) in best.iter_mut().zip(out.iter_mut()).zip(rows.row(i)) {
                let value = f.fold(*best, x);
                *at = if same(value, *best) { *at } else { i as i64 };
                *best = value;
            }
        }
    }
}
