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
    /// Whether the largest y of a line is taken off from each. Then x is written, but not read.
    const SHIFT: bool;
    /// What is summed.
    const TERMS: Terms;
    /// What an element costs, in nanoseconds.
    const COST: f64;

    /// What is summed.
    fn term(x: T, y: T) -> T;

    /// What is made of the sum, once for a line.
    fn total(sum: T) -> T;

    /// The result.
    fn finish(x: T, y: T, total: T) -> T;
}

/// Where terms go.
#[derive(PartialEq)]
pub(crate) enum Terms {
    /// In the place of x.
    InPlace,
    /// Nowhere: x is needed again.
    Aside,
    /// Each is x.
    Own,
}

/// exp y / Σ exp y
#[derive(Clone, Copy)]
pub(crate) struct Softmax;

impl<T: Float> Normalize<T> for Softmax {
    const SHIFT: bool = true;
    const TERMS: Terms = Terms::InPlace;
    const COST: f64 = par::TRANSCENDENTAL;

    #[inline(always)]
    fn term(_: T, y: T) -> T {
        y.exp()
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
    const TERMS: Terms = Terms::Aside;
    const COST: f64 = par::TRANSCENDENTAL;

    #[inline(always)]
    fn term(_: T, y: T) -> T {
        y.exp()
    }

    #[inline(always)]
    fn total(sum: T) -> T {
        sum.ln()
    }

    #[inline(always)]
    fn finish(_: T, y: T, total: T) -> T {
        y - total
    }
}

/// y (x − Σ x y)
#[derive(Clone, Copy)]
pub(crate) struct SoftmaxBackward;

impl<T: Float> Normalize<T> for SoftmaxBackward {
    const SHIFT: bool = false;
    const TERMS: Terms = Terms::Aside;
    const COST: f64 = par::STREAM;

    #[inline(always)]
    fn term(x: T, y: T) -> T {
        x * y
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
    const TERMS: Terms = Terms::Own;
    const COST: f64 = par::TRANSCENDENTAL;

    #[inline(always)]
    fn term(x: T, _: T) -> T {
        x
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

// The loops over neighbours are functions, so that the compiler knows the slices to be apart.

/// x\[i] = the term of x\[i] and y\[i] − shift
#[inline(always)]
fn terms_in_place<T: Float, N: Normalize<T>>(x: &mut [T], y: &[T], shift: T) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = N::term(*x, if N::SHIFT { y - shift } else { y });
    }
}

/// out\[i] = the term of x\[i] and y\[i] − shift
#[inline(always)]
fn terms_aside<T: Float, N: Normalize<T>>(out: &mut [T], x: &[T], y: &[T], shift: T) {
    for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
        *out = N::term(x, if N::SHIFT { y - shift } else { y });
    }
}

/// x\[i] = y\[i] − shift
#[inline(always)]
fn shifted<T: Float>(x: &mut [T], y: &[T], shift: T) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = y - shift;
    }
}

/// x\[i] = the result
#[inline(always)]
fn finished<T: Float, N: Normalize<T>>(x: &mut [T], y: &[T], shift: T, total: T) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = N::finish(*x, if N::SHIFT { y - shift } else { y }, total);
    }
}

/// Elements that are gone through several times, while they are close to the processor.
const CLOSE: usize = 2048;

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
        let mut shifts = Buffer::stale(len / width);
        for (block, (x, y)) in x.chunks_mut(len).zip(y.chunks(len)).enumerate() {
            let terms = &mut terms[..x.len()];
            let lines = x.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(terms.chunks_exact_mut(width));
            if N::SHIFT {
                for (((x, y), terms), shift) in lines.zip(shifts.iter_mut()) {
                    *shift = max.block(y);
                    match N::TERMS {
                        _ if width < WIDE => shifted(x, y, *shift),
                        Terms::InPlace => terms_in_place::<T, N>(x, y, *shift),
                        _ => terms_aside::<T, N>(terms, x, y, *shift),
                    }
                }
            }
            // Short lines all in one loop, so that none has a rest that does not fill a vector.
            if !N::SHIFT && N::TERMS == Terms::Aside {
                terms_aside::<T, N>(terms, x, y, T::ZERO);
            } else if N::SHIFT && width < WIDE {
                for (x, term) in x.iter_mut().zip(terms.iter_mut()) {
                    *term = N::term(*x, *x);
                }
                if N::TERMS == Terms::InPlace {
                    x.copy_from_slice(terms);
                }
            }
            let lines = x.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(terms.chunks_exact(width));
            for (i, ((x, y), terms)) in lines.enumerate() {
                let terms = if N::TERMS == Terms::Aside { terms } else { &*x };
                let sum = terms.chunks(CLOSE).fold(T::ZERO, |before, terms| before + sum.block(terms));
                let shift = if N::SHIFT { shifts[i] } else { T::ZERO };
                finished::<T, N>(x, y, shift, N::total(sum));
                each(block * (len / width) + i, shift, sum);
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

/// Columns of a block. Narrower ones suit the cache worse, whatever their length: rows that are a power of two apart
/// push each other out (1024 × 1024 in f32: 1470 µs with 64 columns, 790 with 256, 700 with 512; Zen 4).
const COLUMNS: usize = 512;

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
    let columns = COLUMNS.min(inner);
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
                add_terms::<T, N>(&mut part, x, block.y(i), &largest);
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
            finished_columns::<T, N>(x, block.y(i), &largest, &sums);
        }
    }
}

/// Adds a row's terms to the sums of their columns, and leaves them in place where they belong.
#[inline(always)]
fn add_terms<T: Float, N: Normalize<T>>(sums: &mut [T], x: &mut [T], y: &[T], shifts: &[T]) {
    for (((sum, x), &y), &shift) in sums.iter_mut().zip(x).zip(y).zip(shifts) {
        let term = N::term(*x, if N::SHIFT { y - shift } else { y });
        if N::TERMS == Terms::InPlace {
            *x = term;
        }
        *sum += term;
    }
}

/// The results of a row.
#[inline(always)]
fn finished_columns<T: Float, N: Normalize<T>>(x: &mut [T], y: &[T], shifts: &[T], totals: &[T]) {
    for (((x, &y), &shift), &total) in x.iter_mut().zip(y).zip(shifts).zip(totals) {
        *x = N::finish(*x, if N::SHIFT { y - shift } else { y }, total);
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
