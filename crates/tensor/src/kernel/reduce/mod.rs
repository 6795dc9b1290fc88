//! Many elements become one: sums, extremes, moments.
//!
//! A reduction is a type that says what a block of elements comes to and how two parts are joined ([`Blockwise`]). How
//! elements lie in memory is settled here, once for all reductions, which are a [`Reduction`] behind a reference: only their
//! loops over blocks are compiled for each of them, and for each instruction set.
//!
//! Blocks are joined by halves (pairwise summation), so that the rounding error of a sum grows with the logarithm of its
//! length. Blocks, and the lanes within one, depend on the length alone: the bits are the same on every instruction set.

mod arg;
mod fold;
mod log_sum_exp;
mod moments;

pub(crate) use arg::arg;
pub(crate) use fold::{Count, Fold, Largest, LargestNumber, Product, Sizes, Smallest, Squares, Sum, block, larger};
pub(crate) use log_sum_exp::{LogSumExp, finish_log_sum_exp};
pub(crate) use moments::{Moment, Moments};

/// Neighbours that are folded in one go, in lanes.
const BLOCK: usize = 2048;

/// Rows that are folded in one go, column by column. They are fewer than neighbours, since a column has one lane.
pub(crate) const ROWS: usize = 64;

/// Columns whose partial results stay in the L1 cache: a page of f32.
const COLUMNS: usize = 1024;

/// From this many columns on, a row is wide enough for vectors.
pub(crate) const WIDE: usize = 64;

/// How many elements become one. Every function is `#[inline(always)]`: only then is it compiled for the instruction set of the
/// loop around it.
pub(crate) trait Blockwise<T>: Copy {
    /// What some of the elements come to.
    type Part: Copy;

    /// Of one to `BLOCK` neighbours.
    fn block(self, x: &[T]) -> Self::Part;

    /// parts\[j] of the elements j of one to [`ROWS`] rows.
    fn columns(self, rows: &Rows<'_, T>, parts: &mut [Self::Part]);

    /// Of two parts, `a` before `b`.
    fn join(self, a: Self::Part, b: Self::Part) -> Self::Part;
}

/// The loops of a [`Blockwise`] reduction, by [`reduction!`](reduction).
pub(crate) trait Reduction<T>: Sync {
    type Part;

    /// parts\[i] of the neighbours, one to `BLOCK`, that begin `stride` elements after those of parts\[i − 1]; `run` is the first
    /// of them.
    fn blocks(&self, run: Run<'_, T>, stride: isize, parts: &mut [Self::Part]);

    /// parts\[j] of the elements j of one to [`ROWS`] rows.
    fn columns(&self, rows: Rows<'_, T>, parts: &mut [Self::Part]);

    /// parts\[j] joined with later\[j]
    fn join(&self, parts: &mut [Self::Part], later: &[Self::Part]);
}

/// Stamps the loops of a reduction.
macro_rules! reduction {
    ($Name:ident[$T:ident: $Bound:path] -> $Part:ty, $kind:ident $($of:ident)?, $join:ident $($join_of:ident)?) => {
        impl<$T: $Bound> Reduction<$T> for $Name {
            type Part = $Part;

            fn blocks(&self, run: Run<'_, $T>, stride: isize, parts: &mut [$Part]) {
                kernel! {
                    fn blocks[$T: $Bound](r: $Name, run: Run<'_, $T>, stride: isize, parts: &mut [$Part]), $kind $($of)? {
                        for (i, part) in parts.iter_mut().enumerate() {
                            *part = r.block(run.moved(i as isize * stride).slice());
                        }
                    }
                }
                blocks(*self, run, stride, parts);
            }

            fn columns(&self, rows: Rows<'_, $T>, parts: &mut [$Part]) {
                kernel! {
                    fn columns[$T: $Bound](r: $Name, rows: Rows<'_, $T>, parts: &mut [$Part]), $kind $($of)? {
                        Blockwise::columns(r, &rows, parts);
                    }
                }
                columns(*self, rows, parts);
            }

            fn join(&self, parts: &mut [$Part], later: &[$Part]) {
                kernel! {
                    fn join[$T: $Bound](r: $Name, parts: &mut [$Part], later: &[$Part], _of: std::marker::PhantomData<$T>), $join $($join_of)? {
                        for (part, &later) in parts.iter_mut().zip(later) {
                            *part = Blockwise::<$T>::join(r, *part, later);
                        }
                    }
                }
                join(*self, parts, later, std::marker::PhantomData::<$T>);
            }
        }
    };
}

use super::copy::{Lines, copy_row, copy_rows};
use reduction;

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

    /// The elements as neighbours: where they are apart, they are brought together, before anything is computed.
    fn near<'b>(self, room: &'b mut Vec<T>) -> Run<'b, T>
    where
        'a: 'b,
    {
        if self.step == 1 {
            return self;
        }
        room.resize(self.len, self.data[self.at]);
        copy_row(self.data, self.at, self.step, room);
        Run { data: room, at: 0, step: 1, len: self.len }
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

/// parts\[i] of the run that lies `stride` elements after that of parts\[i − 1]; `run`, which is not empty, is the first.
pub(crate) fn reduce_rows<T: Copy, P: Copy>(
    r: &dyn Reduction<T, Part = P>,
    run: Run<'_, T>,
    stride: isize,
    parts: &mut [P],
) {
    if let ([first, rest @ ..], 0) = (&mut *parts, stride)
        && !rest.is_empty()
    {
        reduce_rows(r, run, 0, std::slice::from_mut(first));
        rest.fill(*first);
        return;
    }
    if run.step == 1 && run.len <= BLOCK {
        return r.blocks(run, stride, parts);
    }
    if run.len <= BLOCK {
        return near_blocks(run, stride, parts, |run, stride, parts| r.blocks(run, stride, parts));
    }
    let mut room = Vec::new();
    let mut blocks = vec![parts[0]; run.len.div_ceil(BLOCK)];
    for (i, part) in parts.iter_mut().enumerate() {
        blocks_of(r, run.moved(i as isize * stride).near(&mut room), &mut blocks);
        join(r, &mut blocks, 1);
        *part = blocks[0];
    }
}

/// Calls `blocks` for short runs whose elements lie apart, of which as many are brought together at a time as a block has room for.
fn near_blocks<T: Copy, P>(
    run: Run<'_, T>,
    stride: isize,
    parts: &mut [P],
    mut blocks: impl FnMut(Run<'_, T>, isize, &mut [P]),
) {
    let (len, many) = (run.len, BLOCK / run.len);
    let mut room = vec![run.get(0); parts.len().min(many) * len];
    for (i, parts) in parts.chunks_mut(many).enumerate() {
        let from = Lines { at: run.moved((i * many) as isize * stride).at, pitch: stride, stride: run.step };
        copy_rows(run.data, from, &mut room, Lines::of(len), parts.len(), len);
        blocks(Run { data: &room, at: 0, step: 1, len }, len as isize, parts);
    }
}

/// The parts of the blocks of a run of neighbours.
fn blocks_of<T: Copy, P>(r: &dyn Reduction<T, Part = P>, run: Run<'_, T>, blocks: &mut [P]) {
    let (whole, rest) = blocks.split_at_mut(run.len / BLOCK);
    r.blocks(run.part(0, BLOCK), BLOCK as isize, whole);
    r.blocks(run.part(run.len - run.len % BLOCK, run.len % BLOCK), 0, rest);
}

/// Joins rows of `width` parts by halves, into the first.
pub(crate) fn join<T, P: Copy>(r: &dyn Reduction<T, Part = P>, parts: &mut [P], width: usize) {
    // The distance between rows that are still to be joined.
    let mut step = width;
    while step < parts.len() {
        for pair in parts.chunks_mut(2 * step) {
            if let Some((a, b)) = pair.split_at_mut_checked(step) {
                let len = width.min(b.len());
                r.join(&mut a[..len], &b[..len]);
            }
        }
        step *= 2;
    }
}

/// parts\[j] of the elements j of rows that begin where the elements of `run`, which is not empty, lie.
pub(crate) fn reduce_columns<T: Copy, P: Copy>(r: &dyn Reduction<T, Part = P>, run: Run<'_, T>, parts: &mut [P]) {
    let width = parts.len();
    let rows = Rows { run, width };
    // Short rows without gaps are read as longer ones, so that they fill vectors.
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
        r.join(&mut joined[..width], parts);
    }
    parts.copy_from_slice(&joined[..width]);
}

/// The blocks of rows, joined by halves. Two parts of the same number of blocks are joined as soon as both are there, so that
/// the number of parts kept is a logarithm of the number of blocks.
fn columns_by_halves<T: Copy, P: Copy>(r: &dyn Reduction<T, Part = P>, rows: &Rows<'_, T>, parts: &mut [P]) {
    let (width, blocks) = (rows.width, rows.len().div_ceil(ROWS));
    let block = |i: usize, parts: &mut [P]| {
        let start = i * ROWS;
        let rows = rows.rows(start, ROWS.min(rows.len() - start));
        r.columns(rows, parts);
    };
    if blocks == 1 {
        return block(0, parts);
    }
    // Level i of the stack stands for 2ⁱ blocks; the newest block is beyond the last.
    let levels = blocks.ilog2() as usize + 1;
    let mut stack = vec![parts[0]; (levels + 1) * width];
    let join = |stack: &mut [P], level: usize, later: usize| {
        let (at, later_at) = (level * width, later * width);
        let (parts, later) = if later > level {
            let (parts, later) = stack.split_at_mut(later_at);
            (&mut parts[at..][..width], &later[..width])
        } else {
            let (later, parts) = stack.split_at_mut(at);
            (&mut parts[..width], &later[later_at..][..width])
        };
        r.join(parts, later);
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
