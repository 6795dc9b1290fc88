//! Softmax, its logarithm and their pullbacks: lines of elements that are changed by something summed over each of them.

use std::marker::PhantomData;

use super::isa::{self, Kernel};
use super::reduce::{Fold, Reduction, WIDE, larger};
use super::simd::Simd;
use crate::buffer::Buffer;
use crate::element::Float;
use crate::par;

/// What is done with a line of x, given a line of y. Every function is `#[inline(always)]`.
pub(crate) trait Normalize<T>: Sync {
    /// Whether x is not read, but begins as y less the largest y of the line.
    const SHIFT: bool;
    /// What an element costs, in nanoseconds.
    const COST: f64;

    /// What is left in the place of x, and what is summed.
    fn term(x: T, y: T) -> (T, T);

    /// What is made of the sum, once for a line.
    fn total(sum: T) -> T;

    /// The result, from what `term` left.
    fn finish(x: T, y: T, total: T) -> T;
}

/// exp y / Σ exp y
#[derive(Clone, Copy)]
pub(crate) struct Softmax;

impl<T: Float> Normalize<T> for Softmax {
    const SHIFT: bool = true;
    const COST: f64 = par::TRANSCENDENTAL;

    #[inline(always)]
    fn term(x: T, _: T) -> (T, T) {
        let exp = x.exp();
        (exp, exp)
    }

    #[inline(always)]
    fn total(sum: T) -> T {
        T::ONE / sum
    }

    #[inline(always)]
    fn finish(exp: T, _: T, total: T) -> T {
        exp * total
    }
}

/// y − ln Σ exp y
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmax;

impl<T: Float> Normalize<T> for LogSoftmax {
    const SHIFT: bool = true;
    const COST: f64 = par::TRANSCENDENTAL;

    #[inline(always)]
    fn term(x: T, _: T) -> (T, T) {
        (x, x.exp())
    }

    #[inline(always)]
    fn total(sum: T) -> T {
        sum.ln()
    }

    #[inline(always)]
    fn finish(x: T, _: T, total: T) -> T {
        x - total
    }
}

/// y (x − Σ x y)
#[derive(Clone, Copy)]
pub(crate) struct SoftmaxBackward;

impl<T: Float> Normalize<T> for SoftmaxBackward {
    const SHIFT: bool = false;
    const COST: f64 = par::STREAM;

    #[inline(always)]
    fn term(x: T, y: T) -> (T, T) {
        (x, x * y)
    }

    #[inline(always)]
    fn total(sum: T) -> T {
        sum
    }

    #[inline(always)]
    fn finish(x: T, y: T, total: T) -> T {
        y * (x - total)
    }
}

/// x − exp y Σ x
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmaxBackward;

impl<T: Float> Normalize<T> for LogSoftmaxBackward {
    const SHIFT: bool = false;
    const COST: f64 = par::TRANSCENDENTAL;

    #[inline(always)]
    fn term(x: T, _: T) -> (T, T) {
        (x, x)
    }

    #[inline(always)]
    fn total(sum: T) -> T {
        sum
    }

    #[inline(always)]
    fn finish(x: T, y: T, total: T) -> T {
        x - y.exp() * total
    }
}

/// Elements that are gone through several times, while they are close to the processor.
const CLOSE: usize = 4096;

/// Lines of `width` neighbours; `each(i, largest, sum)` is called once for line i. The largest is 0 without `SHIFT`.
pub(crate) fn normalize_rows<T: Float, N: Normalize<T>>(
    x: &mut [T],
    y: &[T],
    width: usize,
    _: N,
    each: impl FnMut(usize, T, T),
) {
    assert!(width > 0 && x.len() == y.len() && x.len().is_multiple_of(width), "lines must be whole");
    let rows = (CLOSE / width).max(1);
    let terms = Buffer::stale(x.len().min(rows * width));
    isa::dispatch(NormalizeRows { x, y, width, terms, each, op: PhantomData::<N> });
}

struct NormalizeRows<'a, T: Float, F, N> {
    x: &'a mut [T],
    y: &'a [T],
    width: usize,
    /// As many as are gone through at once.
    terms: Buffer<T>,
    each: F,
    op: PhantomData<N>,
}

impl<T: Float, F: FnMut(usize, T, T), N: Normalize<T>> Kernel for NormalizeRows<'_, T, F, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let NormalizeRows { x, y, width, mut terms, mut each, .. } = self;
        let max = Fold { empty: None, start: |x: T| x, fold: larger::<T>, join: larger::<T>, finish: |x: T| x };
        let sum = Fold {
            empty: None,
            start: |_: T| T::ZERO,
            fold: |sum: T, x: T| sum + x,
            join: |a: T, b: T| a + b,
            finish: |sum: T| sum,
        };
        let len = terms.len();
        let mut largest = Buffer::stale(len / width);
        for (block, (x, y)) in x.chunks_mut(len).zip(y.chunks(len)).enumerate() {
            if N::SHIFT {
                for ((x, y), largest) in x.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(largest.iter_mut()) {
                    *largest = max.block(y);
                    for (x, &y) in x.iter_mut().zip(y) {
                        *x = y - *largest;
                    }
                }
            }
            // All lines in one loop, so that none has a rest that does not fill a vector.
            let terms = &mut terms[..x.len()];
            for ((x, &y), term) in x.iter_mut().zip(y).zip(terms.iter_mut()) {
                (*x, *term) = N::term(*x, y);
            }
            let lines = x.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(terms.chunks_exact(width));
            for (i, ((x, y), terms)) in lines.enumerate() {
                let sum = terms.chunks(CLOSE).fold(T::ZERO, |before, terms| before + sum.block(terms));
                let total = N::total(sum);
                for (x, &y) in x.iter_mut().zip(y) {
                    *x = N::finish(*x, y, total);
                }
                each(block * (len / width) + i, if N::SHIFT { largest[i] } else { T::ZERO }, sum);
            }
        }
    }
}

/// out = x, each line of which is multiplied by its own factor; there are as many lines as factors.
pub(crate) fn scale_rows<T: Float>(out: &mut [T], x: &[T], factors: &[T]) {
    assert!(
        !factors.is_empty() && x.len() == out.len() && x.len().is_multiple_of(factors.len()),
        "lines must be whole"
    );
    isa::dispatch(ScaleRows { out, x, factors });
}

struct ScaleRows<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    factors: &'a [T],
}

impl<T: Float> Kernel for ScaleRows<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = (self.x.len() / self.factors.len()).max(1);
        let rows = self.out.chunks_exact_mut(width).zip(self.x.chunks_exact(width));
        for ((out, x), &factor) in rows.zip(self.factors) {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x * factor;
            }
        }
    }
}

/// Elements of a block of columns that is gone through several times, while it is in the second level of the cache.
const NEAR: usize = 1 << 16;

/// Lines along the middle axis of x and y, both of shape [outer, len, inner].
pub(crate) fn normalize_columns<T: Float, N: Normalize<T>>(
    x: &mut [T],
    y: &[T],
    [outer, len, inner]: [usize; 3],
    _: N,
) {
    assert!(x.len() == y.len() && x.len() == outer * len * inner && !x.is_empty(), "lines must be whole");
    // Narrow rows are read several at once.
    let many = if inner < WIDE { (4 * WIDE / inner).min(len) } else { 1 };
    let columns = (NEAR / len).next_multiple_of(WIDE).clamp(WIDE, 16 * WIDE).min(inner);
    let across = inner.div_ceil(columns);
    let shared = Shared(x.as_mut_ptr());
    par::ranges(outer * across, 1, (len * columns) as f64 * N::COST, |from, to| {
        for block in from..to {
            let (outer, column) = (block / across, block % across * columns);
            let period = columns.min(inner - column);
            let block = Block {
                x: &shared,
                y,
                at: outer * len * inner + column,
                pitch: many * inner,
                rows: len.div_ceil(many),
                width: many * period,
                last: ((len - 1) % many + 1) * period,
                period,
            };
            isa::dispatch(NormalizeColumns { block, op: PhantomData::<N> });
        }
    });
}

/// Elements that several threads change, none that another does.
struct Shared<T>(*mut T);

// SAFETY: blocks of columns are disjoint, and each is the work of one thread.
unsafe impl<T: Send> Sync for Shared<T> {}

/// Some columns of x and y.
struct Block<'a, T> {
    x: &'a Shared<T>,
    y: &'a [T],
    at: usize,
    /// Elements from one row to the next.
    pitch: usize,
    rows: usize,
    width: usize,
    /// How long the last row is.
    last: usize,
    /// Elements of a row that are this far apart belong to the same line.
    period: usize,
}

impl<'a, T> Block<'a, T> {
    #[inline(always)]
    fn y(&self, i: usize) -> &'a [T] {
        let len = if i + 1 == self.rows { self.last } else { self.width };
        &self.y[self.at + i * self.pitch..][..len]
    }

    /// # Safety
    /// There is no other reference to row i of the block.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the caller's promise")]
    unsafe fn x(&self, i: usize) -> &mut [T] {
        // SAFETY: x is as long as y, within which this row lies; no other block has elements of it.
        unsafe { std::slice::from_raw_parts_mut(self.x.0.add(self.at + i * self.pitch), self.y(i).len()) }
    }
}

struct NormalizeColumns<'a, T, N> {
    block: Block<'a, T>,
    op: PhantomData<N>,
}

impl<T: Float, N: Normalize<T>> Kernel for NormalizeColumns<'_, T, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        /// Rows that are summed straight; their sums are added to those before.
        const ROWS: usize = 64;
        let block = self.block;
        let [mut largest, mut part, mut sums] = std::array::from_fn(|_| Buffer::<T>::stale(block.width));
        if N::SHIFT {
            largest.copy_from_slice(&block.y(0)[..block.width]);
            for i in 1..block.rows {
                for (largest, &y) in largest.iter_mut().zip(block.y(i)) {
                    *largest = larger(*largest, y);
                }
            }
            by_period(&mut largest, block.period, larger);
        }
        sums.fill(T::ZERO);
        for start in (0..block.rows).step_by(ROWS) {
            part.fill(T::ZERO);
            for i in start..(start + ROWS).min(block.rows) {
                // SAFETY: the only reference within this pass of the loop.
                let x = unsafe { block.x(i) };
                if N::SHIFT {
                    for ((x, &y), &largest) in x.iter_mut().zip(block.y(i)).zip(&*largest) {
                        *x = y - largest;
                    }
                }
                for ((x, &y), part) in x.iter_mut().zip(block.y(i)).zip(part.iter_mut()) {
                    let term;
                    (*x, term) = N::term(*x, y);
                    *part += term;
                }
            }
            for (sum, &part) in sums.iter_mut().zip(&*part) {
                *sum += part;
            }
        }
        by_period(&mut sums, block.period, |a, b| a + b);
        for sum in sums.iter_mut() {
            *sum = N::total(*sum);
        }
        for i in 0..block.rows {
            // SAFETY: the only reference within this pass of the loop.
            let x = unsafe { block.x(i) };
            for ((x, &y), &total) in x.iter_mut().zip(block.y(i)).zip(&*sums) {
                *x = N::finish(*x, y, total);
            }
        }
    }
}

/// Joins elements that are `period` apart, and puts what they come to in each of their places.
#[inline(always)]
fn by_period<T: Copy>(x: &mut [T], period: usize, join: impl Fn(T, T) -> T) {
    for j in period..x.len() {
        x[j % period] = join(x[j % period], x[j]);
    }
    for j in period..x.len() {
        x[j] = x[j - period];
    }
}
