//! Many elements become one: sums, extremes, moments.
//!
//! A [`Reduction`] says what a block of elements comes to and how the parts of two blocks are joined; how elements lie in
//! memory is settled here, once. Blocks are joined by halves (pairwise summation), so that the rounding error of a sum
//! grows with the logarithm of its length. Blocks, and the lanes within one, depend on the length alone: the bits are the
//! same on every instruction set. Only blocks are compiled for each of these: they are where the time goes.

mod extreme;
mod fold;
mod log_sum_exp;
mod moments;

pub(crate) use extreme::{arg, larger, nan_or, smaller};
pub(crate) use fold::Fold;
pub(crate) use log_sum_exp::LogSumExp;
pub(crate) use moments::{Moment, Moments};

use super::isa::{self, Kernel};

/// Neighbours that are reduced straight, in lanes.
const BLOCK: usize = 2048;

/// Rows that are reduced straight, column by column: fewer, since each column has a single partial result.
pub(crate) const ROWS: usize = 64;

/// Columns whose partial results are kept close to the processor: a page of f32.
const COLUMNS: usize = 1024;

/// Columns from which on a row of them is wide enough for vectors.
pub(crate) const WIDE: usize = 64;

/// What becomes of many elements. `block`, `columns` and what they call are `#[inline(always)]`: only so are they compiled
/// for the instruction set of the loop around them.
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

/// `len` elements of `data` from `at` on, `step` apart.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) at: usize,
    pub(crate) step: isize,
    pub(crate) len: usize,
}

impl<'a, T: Copy> Run<'a, T> {
    /// The elements, where the step is 1.
    #[inline(always)]
    fn slice(&self) -> &'a [T] {
        &self.data[self.at..][..self.len]
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

    /// The part from element `start` on, of `len` elements.
    #[inline(always)]
    fn part(&self, start: usize, len: usize) -> Self {
        Run { len, ..self.moved(start as isize * self.step) }
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
        Rows { run: self.run.part(start, len), ..*self }
    }

    /// The columns from `start` on.
    #[inline(always)]
    pub(super) fn columns(&self, start: usize, width: usize) -> Self {
        Rows { run: self.run.moved(start as isize), width }
    }
}

/// parts\[i] of the neighbours that begin `stride` elements after those of parts\[i − 1]; `run` is the first of them.
struct Blocks<'a, T, R: Reduction<T>> {
    r: &'a R,
    run: Run<'a, T>,
    stride: isize,
    parts: &'a mut [R::Part],
}

impl<T: Copy, R: Reduction<T>> Kernel for Blocks<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, part) in self.parts.iter_mut().enumerate() {
            *part = self.r.block(self.run.moved(i as isize * self.stride).slice());
        }
    }
}

/// parts\[j] of the elements j of some rows.
struct Columns<'a, T, R: Reduction<T>> {
    r: &'a R,
    rows: Rows<'a, T>,
    parts: &'a mut [R::Part],
}

impl<T: Copy, R: Reduction<T>> Kernel for Columns<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.r.columns(&self.rows, self.parts);
    }
}

/// parts\[i] of the run that lies `stride` elements after that of parts\[i − 1]; `run`, which is not empty, is the first.
pub(crate) fn reduce_rows<T: Copy, R: Reduction<T>>(r: &R, run: Run<'_, T>, stride: isize, parts: &mut [R::Part]) {
    if run.step == 1 && run.len <= BLOCK {
        return isa::dispatch(Blocks { r, run, stride, parts });
    }
    let mut near = vec![run.get(0); if run.step == 1 { 0 } else { run.len }];
    let mut blocks = vec![parts[0]; run.len.div_ceil(BLOCK)];
    for (i, part) in parts.iter_mut().enumerate() {
        let mut run = run.moved(i as isize * stride);
        if run.step != 1 {
            // Elements that are apart are brought together before anything is computed.
            for (i, x) in near.iter_mut().enumerate() {
                *x = run.get(i);
            }
            run = Run { data: &near, at: 0, step: 1, len: run.len };
        }
        let (whole, rest) = blocks.split_at_mut(run.len / BLOCK);
        let last = run.part(whole.len() * BLOCK, run.len % BLOCK);
        for (run, parts) in [(run.part(0, BLOCK), &mut *whole), (last, &mut *rest)] {
            isa::dispatch(Blocks { r, run, stride: BLOCK as isize, parts });
        }
        join(r, &mut blocks, 1);
        *part = blocks[0];
    }
}

/// parts\[j] joined with later\[j]
struct Join<'a, T, R: Reduction<T>> {
    r: &'a R,
    parts: &'a mut [R::Part],
    later: &'a [R::Part],
}

impl<T, R: Reduction<T>> Kernel for Join<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (part, &later) in self.parts.iter_mut().zip(self.later) {
            *part = self.r.join(*part, later);
        }
    }
}

/// Joins rows of `width` parts by halves, into the first.
pub(crate) fn join<T, R: Reduction<T>>(r: &R, parts: &mut [R::Part], width: usize) {
    // The distance between rows that are still to be joined.
    let mut step = width;
    while step < parts.len() {
        for pair in parts.chunks_mut(2 * step) {
            if let Some((a, b)) = pair.split_at_mut_checked(step) {
                let len = width.min(b.len());
                isa::dispatch(Join { r, parts: &mut a[..len], later: &b[..len] });
            }
        }
        step *= 2;
    }
}

/// parts\[j] of the elements j of rows that begin where the elements of `run`, which is not empty, lie.
pub(crate) fn reduce_columns<T: Copy, R: Reduction<T>>(r: &R, run: Run<'_, T>, parts: &mut [R::Part]) {
    let width = parts.len();
    let rows = Rows { run, width };
    // Short rows without gaps are read as longer ones, for the sake of vectors.
    let many = 1 << (4 * WIDE / width).max(1).ilog2();
    if width >= WIDE || run.step != width as isize || run.len < 2 * many {
        for (i, parts) in parts.chunks_mut(COLUMNS).enumerate() {
            columns_by_halves(r, &rows.columns(i * COLUMNS, parts.len()), parts);
        }
        return;
    }
    let long = Run { step: (many * width) as isize, len: run.len / many, ..run };
    let mut joined = vec![parts[0]; many * width];
    columns_by_halves(r, &Rows { run: long, width: many * width }, &mut joined);
    join(r, &mut joined, width);
    let left = run.len % many;
    if left > 0 {
        columns_by_halves(r, &rows.rows(run.len - left, left), parts);
        isa::dispatch(Join { r, parts: &mut joined[..width], later: parts });
    }
    parts.copy_from_slice(&joined[..width]);
}

/// The blocks of rows joined by halves. Two parts of the same number of blocks become one as soon as there are two: no
/// more are kept than a logarithm of their number.
fn columns_by_halves<T: Copy, R: Reduction<T>>(r: &R, rows: &Rows<'_, T>, parts: &mut [R::Part]) {
    let (width, blocks) = (rows.width, rows.len().div_ceil(ROWS));
    let block = |i: usize, parts: &mut [R::Part]| {
        let start = i * ROWS;
        let rows = rows.rows(start, ROWS.min(rows.len() - start));
        isa::dispatch(Columns { r, rows, parts });
    };
    if blocks == 1 {
        return block(0, parts);
    }
    // Level i of the stack stands for 2ⁱ blocks; the newest block is beyond the last.
    let levels = blocks.ilog2() as usize + 1;
    let mut stack = vec![parts[0]; (levels + 1) * width];
    let join = |stack: &mut [R::Part], level: usize, later: usize| {
        let (at, later_at) = (level * width, later * width);
        let (parts, later) = if later > level {
            let (parts, later) = stack.split_at_mut(later_at);
            (&mut parts[at..][..width], &later[..width])
        } else {
            let (later, parts) = stack.split_at_mut(at);
            (&mut parts[..width], &later[later_at..][..width])
        };
        isa::dispatch(Join { r, parts, later });
    };
    for i in 0..blocks {
        block(i, &mut stack[levels * width..]);
        let (mut newest, full) = (levels, i.trailing_ones() as usize);
        for level in 0..full {
            join(&mut stack, level, newest);
            newest = level;
        }
        stack.copy_within(newest * width..(newest + 1) * width, full * width);
    }
    let mut newest = blocks.trailing_zeros() as usize;
    for level in (newest + 1..levels).filter(|level| blocks >> level & 1 == 1) {
        join(&mut stack, level, newest);
        newest = level;
    }
    parts.copy_from_slice(&stack[newest * width..][..width]);
}
