//! Many elements become one: sums, extremes, moments.
//!
//! A [`Reduction`] says what a block of elements comes to and how the parts of two blocks are joined; how elements lie in
//! memory is settled here, once. Blocks are joined by halves (pairwise summation), so that the rounding error of a sum
//! grows with the logarithm of its length. Blocks, and the lanes within one, depend on the length alone: the bits are the
//! same on every instruction set.

mod extreme;
mod fold;
mod log_sum_exp;
mod moments;

pub(crate) use extreme::{larger, smaller};
pub(crate) use fold::Fold;
pub(crate) use log_sum_exp::LogSumExp;
pub(crate) use moments::{Moment, Moments};

use super::isa::{self, Kernel};
use super::simd::Simd;

/// Elements of a row that are reduced straight, in lanes.
const BLOCK: usize = 2048;

/// Rows that are reduced straight, column by column: fewer, since each column has a single partial result.
pub(crate) const ROWS: usize = 32;

/// Columns whose partial results are kept close to the processor: a page of f32.
const COLUMNS: usize = 1024;

/// Columns from which on a row of them is wide enough for vectors.
pub(crate) const WIDE: usize = 64;

/// What becomes of many elements. Every function is `#[inline(always)]`, so that it is compiled for the instruction set of
/// the loop that calls it.
pub(crate) trait Reduction<T>: Sync {
    /// What some of the elements come to.
    type Part: Copy + Send + Sync;
    type Output;

    /// Of nothing, if that has a value.
    fn empty(&self) -> Option<Self::Output>;

    /// Of one to `BLOCK` neighbours.
    fn block(&self, x: &[T]) -> Self::Part;

    /// parts\[j] of the elements j of one to [`ROWS`] rows.
    fn columns(&self, rows: &Rows<'_, T>, parts: &mut [Self::Part]);

    /// Of two parts, `a` before `b`.
    fn join(&self, a: Self::Part, b: Self::Part) -> Self::Part;

    fn finish(&self, part: Self::Part) -> Self::Output;
}

/// A reduction that stops at its parts, which are still to be joined.
pub(crate) struct Unfinished<'a, R>(pub(crate) &'a R);

impl<T, R: Reduction<T>> Reduction<T> for Unfinished<'_, R> {
    type Part = R::Part;
    type Output = R::Part;

    #[inline(always)]
    fn empty(&self) -> Option<R::Part> {
        None
    }

    #[inline(always)]
    fn block(&self, x: &[T]) -> R::Part {
        self.0.block(x)
    }

    #[inline(always)]
    fn columns(&self, rows: &Rows<'_, T>, parts: &mut [R::Part]) {
        self.0.columns(rows, parts);
    }

    #[inline(always)]
    fn join(&self, a: R::Part, b: R::Part) -> R::Part {
        self.0.join(a, b)
    }

    #[inline(always)]
    fn finish(&self, part: R::Part) -> R::Part {
        part
    }
}

/// `len` elements of `data` from `at` on, `step` apart.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) at: usize,
    pub(crate) step: isize,
    pub(crate) len: usize,
}

impl<'a, T: Copy> Run<'a, T> {
    /// The neighbours from `start` on, where the step is 1.
    #[inline(always)]
    fn slice(&self, start: usize, len: usize) -> &'a [T] {
        &self.data[self.at + start..][..len]
    }

    #[inline(always)]
    fn get(&self, i: usize) -> T {
        self.data[self.at.wrapping_add_signed(i as isize * self.step)]
    }

    /// The same run, `stride` elements on.
    #[inline(always)]
    fn moved(&self, stride: isize) -> Self {
        Run { at: self.at.wrapping_add_signed(stride), ..*self }
    }
}

/// Rows of `width` neighbours that begin where the elements of a run lie.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    run: Run<'a, T>,
    width: usize,
}

impl<'a, T: Copy> Rows<'a, T> {
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.run.len
    }

    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> &'a [T] {
        &self.run.data[self.run.at.wrapping_add_signed(i as isize * self.run.step)..][..self.width]
    }

    /// The rows from `start` on.
    #[inline(always)]
    fn rows(&self, start: usize, len: usize) -> Self {
        Rows { run: Run { len, ..self.run.moved(start as isize * self.run.step) }, ..*self }
    }

    /// The columns from `start` on.
    #[inline(always)]
    pub(super) fn columns(&self, start: usize, width: usize) -> Self {
        Rows { run: self.run.moved(start as isize), width }
    }
}

/// out\[i] of the run that lies `stride` elements after that of out\[i − 1]; `run`, which is not empty, is the first.
pub(crate) fn reduce_rows<T: Copy, R: Reduction<T>>(r: &R, run: Run<'_, T>, stride: isize, out: &mut [R::Output]) {
    isa::dispatch(ReduceRows { r, run, stride, out });
}

struct ReduceRows<'a, T, R: Reduction<T>> {
    r: &'a R,
    run: Run<'a, T>,
    stride: isize,
    out: &'a mut [R::Output],
}

impl<T: Copy, R: Reduction<T>> Kernel for ReduceRows<'_, T, R> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ReduceRows { r, run, stride, out } = self;
        // Elements that are apart are brought together before anything is computed.
        let mut near = vec![run.get(0); if run.step == 1 { 0 } else { run.len.min(BLOCK) }];
        for (i, out) in out.iter_mut().enumerate() {
            *out = r.finish(row(r, run.moved(i as isize * stride), &mut near));
        }
    }
}

/// The blocks of a run joined by halves: a stack of parts in place of a recursion, which would not be compiled for the
/// caller's instruction set. (Nor would a closure that is called twice.)
#[inline(always)]
fn row<T: Copy, R: Reduction<T>>(r: &R, run: Run<'_, T>, near: &mut [T]) -> R::Part {
    if run.len <= BLOCK {
        return block(r, run, 0, near);
    }
    // Two parts of the same number of blocks become one: entry i of the stack stands for 2ⁱ blocks.
    let mut stack = [r.block(&[run.get(0)]); LEVELS];
    let blocks = run.len.div_ceil(BLOCK);
    for count in 0..blocks {
        let mut part = block(r, run, count * BLOCK, near);
        let level = count.trailing_ones() as usize;
        for &before in &stack[..level] {
            part = r.join(before, part);
        }
        stack[level] = part;
    }
    let last = blocks.trailing_zeros() as usize;
    let rest = (last + 1..LEVELS).filter(|level| blocks >> level & 1 == 1);
    rest.fold(stack[last], |part, level| r.join(stack[level], part))
}

/// Numbers of blocks are below 2 to this power: more than fit an address space.
const LEVELS: usize = 54;

/// The block of a run that begins at `start`.
#[inline(always)]
fn block<T: Copy, R: Reduction<T>>(r: &R, run: Run<'_, T>, start: usize, near: &mut [T]) -> R::Part {
    let len = BLOCK.min(run.len - start);
    if run.step == 1 {
        return r.block(run.slice(start, len));
    }
    let near = &mut near[..len];
    for (i, x) in near.iter_mut().enumerate() {
        *x = run.get(start + i);
    }
    r.block(near)
}

/// out\[j] of the elements j of rows that begin where the elements of `run`, which is not empty, lie.
pub(crate) fn reduce_columns<T: Copy, R: Reduction<T>>(r: &R, run: Run<'_, T>, out: &mut [R::Output]) {
    isa::dispatch(ReduceColumns { r, rows: Rows { run, width: out.len() }, out });
}

struct ReduceColumns<'a, T, R: Reduction<T>> {
    r: &'a R,
    rows: Rows<'a, T>,
    out: &'a mut [R::Output],
}

impl<T: Copy, R: Reduction<T>> Kernel for ReduceColumns<'_, T, R> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ReduceColumns { r, rows, out } = self;
        let Rows { run, width } = rows;
        // Short rows without gaps are read as longer ones, for the sake of vectors.
        let many = (4 * WIDE / width).max(1).ilog2();
        let dense = width < WIDE && run.step == width as isize && run.len >= 2 << many;
        let many = if dense { 1 << many } else { 1 };
        let most = if dense { many * width } else { width.min(COLUMNS) };
        let all = match dense {
            true => Rows { run: Run { step: most as isize, len: run.len / many, ..run }, width: most },
            false => rows,
        };
        let mut stack = vec![r.block(&[run.get(0)]); levels(all.len()) * most];
        for start in (0..all.width).step_by(most) {
            let columns = all.columns(start, most.min(all.width - start));
            let level = columns_by_halves(r, &columns, &mut stack, most);
            let parts = &mut stack[level * most..][..columns.width];
            let mut half = many / 2;
            while half > 0 {
                // The rows that had become one, by halves too.
                let (parts, after) = parts.split_at_mut(half * width);
                join_after(r, parts, &after[..half * width]);
                half /= 2;
            }
            let left = run.len % many;
            if left > 0 {
                let rows = rows.rows(run.len - left, left);
                let mut stack = vec![parts[0]; levels(left) * width];
                let level = columns_by_halves(r, &rows, &mut stack, width);
                join_after(r, &mut parts[..width], &stack[level * width..][..width]);
            }
            for (out, &part) in out[start..].iter_mut().zip(&*parts) {
                *out = r.finish(part);
            }
        }
    }
}

/// How many levels of parts it takes to join the blocks of that many rows by halves.
#[inline(always)]
fn levels(rows: usize) -> usize {
    rows.div_ceil(ROWS).ilog2() as usize + 1
}

/// The blocks of rows joined by halves; returns which level of the stack, whose levels have `most` columns, holds the parts.
#[inline(always)]
fn columns_by_halves<T: Copy, R: Reduction<T>>(r: &R, rows: &Rows<'_, T>, stack: &mut [R::Part], most: usize) -> usize {
    let blocks = rows.len().div_ceil(ROWS);
    for count in 0..blocks {
        let level = count.trailing_ones() as usize;
        let (before, parts) = stack.split_at_mut(level * most);
        let parts = &mut parts[..rows.width];
        let start = count * ROWS;
        r.columns(&rows.rows(start, ROWS.min(rows.len() - start)), parts);
        for before in before.chunks_exact(most) {
            for (part, &before) in parts.iter_mut().zip(before) {
                *part = r.join(before, *part);
            }
        }
    }
    let last = blocks.trailing_zeros() as usize;
    for level in (last + 1..usize::BITS as usize).filter(|level| blocks >> level & 1 == 1) {
        let (parts, before) = stack.split_at_mut(level * most);
        for (part, &before) in parts[last * most..].iter_mut().zip(&before[..rows.width]) {
            *part = r.join(before, *part);
        }
    }
    last
}

/// Joins each part with the one after it.
#[inline(always)]
fn join_after<T, R: Reduction<T>>(r: &R, parts: &mut [R::Part], after: &[R::Part]) {
    for (part, &after) in parts.iter_mut().zip(after) {
        *part = r.join(*part, after);
    }
}
