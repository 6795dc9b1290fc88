//! Where the smallest and the largest element are.

use super::fold::{Fold, Largest, Smallest};
use super::{BLOCK, Reduction, Rows, Run, blocks_of, near_blocks};
use crate::kernel::Scalar;
use crate::kernel::isa::kernel;

/// Whether both are equal, or both are NaN.
#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
fn same<T: Copy + PartialEq>(a: T, b: T) -> bool {
    a == b || (a != a && b != b)
}

/// Short rows that are gone through at once.
const ROWS_AT_ONCE: usize = 64;

/// out\[i] = the first index, in the run that lies `stride` elements after that of out\[i − 1], of its largest element, or of its
/// smallest; `run`, which is not empty, is the first.
pub(crate) fn arg<T: Scalar>(largest: bool, run: Run<'_, T>, stride: isize, out: &mut [i64]) {
    let r: &dyn Reduction<T, Part = T> = if largest { &Largest } else { &Smallest };
    if stride == 1 && run.step != 1 {
        for (chunk, out) in out.chunks_mut(WIDTH).enumerate() {
            let run = run.moved((chunk * WIDTH) as isize);
            if largest { columns(Largest, run, out) } else { columns(Smallest, run, out) }
        }
    } else if run.step != 1 && run.len <= BLOCK {
        near_blocks(run, stride, out, |run, stride, out| arg(largest, run, stride, out));
    } else if run.len <= BLOCK {
        for (chunk, out) in out.chunks_mut(ROWS_AT_ONCE).enumerate() {
            let run = run.moved((chunk * ROWS_AT_ONCE) as isize * stride);
            let best = &mut [run.get(0); ROWS_AT_ONCE][..out.len()];
            r.blocks(run, stride, best);
            find(run, stride, best, out);
        }
    } else {
        let mut room = Vec::new();
        let mut blocks = vec![run.get(0); run.len.div_ceil(BLOCK)];
        for (i, out) in out.iter_mut().enumerate() {
            let run = run.moved(i as isize * stride).near(&mut room);
            // First the block, then the place in it.
            blocks_of(r, run, &mut blocks);
            let mut best = [blocks[0]];
            blocks.iter().for_each(|&block| r.join(&mut best, &[block]));
            let start = blocks.iter().position(|&block| same(block, best[0])).unwrap_or_default() * BLOCK;
            find(run.part(start, BLOCK.min(run.len - start)), 0, &best, std::slice::from_mut(out));
            *out += start as i64;
        }
    }
}

kernel! {
    /// out\[i] = the first index of the element best\[i], which is in the run that lies `stride` elements after that of
    /// out\[i − 1].
    fn find[T: Scalar](run: Run<'_, T>, stride: isize, best: &[T], out: &mut [i64]), memory {
        /// Elements that are compared at once.
        const COMPARED: usize = 64;
        for (i, (out, &best)) in out.iter_mut().zip(best).enumerate() {
            for (chunk, x) in run.moved(i as isize * stride).slice().chunks(COMPARED).enumerate() {
                if x.iter().fold(false, |found, &x| found | same(x, best)) {
                    *out = (chunk * COMPARED + x.iter().position(|&x| same(x, best)).unwrap_or_default()) as i64;
                    break;
                }
            }
        }
    }
}

/// Columns whose best elements are kept close to the processor.
const WIDTH: usize = 256;

kernel! {
    /// Of columns, row by row.
    fn columns[T: Scalar, F: Fold<T, Part = T>](f: F, run: Run<'_, T>, out: &mut [i64]), memory {
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
