//! The smallest and the largest element, and where they are.

use super::{BLOCK, Fold, Reduction, Rows, Run};
use crate::kernel::isa::{self, Kernel};

/// The larger one, the first if they are equal, or if the second is a NaN.
#[inline(always)]
pub(crate) fn larger<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

/// The smaller one, the first if they are equal, or if the second is a NaN.
#[inline(always)]
pub(crate) fn smaller<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if b < a { b } else { a }
}

/// The second if it is a NaN, else the first.
#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
pub(crate) fn nan_or<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if b != b { b } else { a }
}

/// Whether both are equal, or both are NaN.
#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
fn same<T: Copy + PartialEq>(a: T, b: T) -> bool {
    a == b || (a != a && b != b)
}

/// out\[i] = the first index, in the run that lies `stride` elements after that of out\[i − 1], of its best element; `run`,
/// which is not empty, is the first, and `better` is [`larger`] or [`smaller`].
pub(crate) fn arg<T: Copy + PartialOrd + Sync + Send>(
    better: &(impl Fn(T, T) -> T + Sync),
    run: Run<'_, T>,
    stride: isize,
    out: &mut [i64],
) {
    isa::dispatch(Arg { better, run, stride, out });
}

struct Arg<'a, T, B> {
    better: &'a B,
    run: Run<'a, T>,
    stride: isize,
    out: &'a mut [i64],
}

impl<T: Copy + PartialOrd + Sync + Send, B: Fn(T, T) -> T + Sync> Kernel for Arg<'_, T, B> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Arg { better, run, stride, out } = self;
        if stride == 1 && run.step != 1 {
            for (chunk, out) in out.chunks_mut(WIDTH).enumerate() {
                columns(better, run.moved((chunk * WIDTH) as isize), out);
            }
            return;
        }
        for (i, out) in out.iter_mut().enumerate() {
            let run = run.moved(i as isize * stride);
            *out = if run.step == 1 { slice(better, run.slice()) } else { single(better, run) } as i64;
        }
    }
}

/// Columns whose best elements are kept close to the processor.
const WIDTH: usize = 256;

/// Of neighbours: first the block, then the place in it.
#[inline(always)]
fn slice<T: Copy + PartialOrd + Sync + Send>(better: &(impl Fn(T, T) -> T + Sync), x: &[T]) -> usize {
    let strict = |a: T, b: T| nan_or(better(a, b), b);
    let fold = Fold { empty: None, start: |x: T| x, fold: strict, join: strict, finish: |x: T| x };
    let (mut best, mut at) = (x[0], 0);
    for (i, block) in x.chunks(BLOCK).enumerate() {
        let value = strict(best, fold.block(block));
        if !same(value, best) {
            (best, at) = (value, i * BLOCK);
        }
    }
    /// Elements that are compared at once.
    const TOGETHER: usize = 64;
    let chunks = x[at..].chunks(TOGETHER);
    for (i, chunk) in chunks.enumerate() {
        if chunk.iter().fold(false, |found, &x| found | same(x, best)) {
            let within = chunk.iter().position(|&x| same(x, best)).unwrap_or_default();
            return at + i * TOGETHER + within;
        }
    }
    unreachable!("the best is one of them")
}

/// Of elements that are apart.
#[inline(always)]
fn single<T: Copy + PartialOrd>(better: &impl Fn(T, T) -> T, run: Run<'_, T>) -> usize {
    let (mut best, mut at) = (run.get(0), 0);
    for i in 1..run.len {
        let x = run.get(i);
        let value = nan_or(better(best, x), x);
        if !same(value, best) {
            (best, at) = (value, i);
        }
    }
    at
}

/// Of columns, row by row.
#[inline(always)]
fn columns<T: Copy + PartialOrd>(better: &impl Fn(T, T) -> T, run: Run<'_, T>, out: &mut [i64]) {
    let mut best = [run.get(0); WIDTH];
    let best = &mut best[..out.len()];
    let rows = Rows { run, width: out.len() };
    best.copy_from_slice(rows.row(0));
    out.fill(0);
    for i in 1..run.len {
        for ((best, at), &x) in best.iter_mut().zip(out.iter_mut()).zip(rows.row(i)) {
            let value = nan_or(better(*best, x), x);
            *at = if same(value, *best) { *at } else { i as i64 };
            *best = value;
        }
    }
}
