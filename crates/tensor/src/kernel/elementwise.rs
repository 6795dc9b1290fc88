//! Elementwise loops over one row, compiled for every instruction set. Rows of stride 1 and repeated elements get loops
//! that the compiler vectorizes.

use super::isa::{self, Kernel};
use super::simd::prefetch_lines;
use crate::par;

/// One row of an operand: `len` elements of `data` from `at` on, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a, T> {
    /// Neighbours in memory.
    Contiguous(&'a [T]),
    /// One element, repeated.
    Splat(T),
    /// Any other stride.
    Strided { data: &'a [T], at: usize, stride: isize },
}

impl<'a, T: Copy> Row<'a, T> {
    /// The row of a non-empty walk; `len` is at least 1.
    #[inline]
    pub(crate) fn new(data: &'a [T], at: usize, stride: isize, len: usize) -> Self {
        match stride {
            1 => Row::Contiguous(&data[at..][..len]),
            0 => Row::Splat(data[at]),
            _ => Row::Strided { data, at, stride },
        }
    }

    /// `len` of its elements, from `start` on.
    #[inline]
    pub(crate) fn part(&self, start: usize, len: usize) -> Self {
        match *self {
            Row::Contiguous(row) => Row::Contiguous(&row[start..][..len]),
            Row::Splat(x) => Row::Splat(x),
            Row::Strided { data, at, stride } => {
                Row::Strided { data, at: at.wrapping_add_signed(start as isize * stride), stride }
            }
        }
    }

    /// `len` of its elements, from `start` on, which are about to be read; asks for some that come after.
    #[inline(always)]
    fn block(&self, start: usize, len: usize) -> Self {
        let block = self.part(start, len);
        if let Row::Contiguous(row) = block {
            ask_ahead(row);
        }
        block
    }

    #[inline(always)]
    pub(crate) fn get(&self, i: usize) -> T {
        match *self {
            Row::Contiguous(row) => row[i],
            Row::Splat(x) => x,
            Row::Strided { data, at, stride } => data[at.wrapping_add_signed(i as isize * stride)],
        }
    }
}

/// Elements that a loop goes through at once, and then asks for more.
const BLOCK: usize = 256;

/// How far ahead memory is asked for, in bytes. The processor itself foresees what comes within a page of 4 KiB, and not
/// the next page. Of a relu of 64 MiB that took 17 % of the time, 39 % on two threads, of one of 4 MiB 1 to 3 % (Emerald
/// Rapids); 1 and 2 KiB did no better, 8 KiB harmed what lies in the L2 cache.
const AHEAD: usize = 4096;

/// Asks for as many elements as a whole block has, [`AHEAD`] of it.
#[inline(always)]
fn ask_ahead<T>(block: &[T]) {
    if block.len() == BLOCK {
        prefetch_lines(block.as_ptr().wrapping_byte_add(AHEAD), BLOCK);
    }
}

/// Consecutive blocks of an output, each with where it begins.
///
/// An iterator, and not a function that takes what is done to a block: a closure within a kernel is compiled for the
/// kernel's instruction set only if it is inlined, which the compiler may choose not to do. It then ran without AVX2, and
/// each fused multiply-add was a call. What is done to a block is a function, as the compiler knows of parameters, and not of
/// what an iterator gives, that a mutable one is no other: without, a sigmoid took 11 % longer (AMD EPYC, AVX2).
struct Blocks<'a, T> {
    start: usize,
    left: &'a mut [T],
}

impl<'a, T> Blocks<'a, T> {
    #[inline(always)]
    fn of(out: &'a mut [T]) -> Self {
        Blocks { start: 0, left: out }
    }
}

impl<'a, T> Iterator for Blocks<'a, T> {
    type Item = (usize, &'a mut [T]);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let left = std::mem::take(&mut self.left);
        if left.is_empty() {
            return None;
        }
        let (block, rest) = left.split_at_mut(BLOCK.min(left.len()));
        ask_ahead(block);
        let start = self.start;
        (self.start, self.left) = (start + BLOCK, rest);
        Some((start, block))
    }
}

/// A function of one element. A closure is one; functions of some length are types, whose `apply` is
/// `#[inline(always)]`: only so are they sure to be compiled for the instruction set of the loop.
///
/// Kernels take functions by value, so that what they hold, such as a factor, is in a register during the loop. Behind a
/// reference it might be changed by what the loop writes, as far as the compiler knows, and it then does not vectorize:
/// axpy took 0.5 ns an element in cache, and takes a fifth.
pub(crate) trait Unary<T>: Copy {
    type Output;

    /// What an element costs, in nanoseconds.
    const COST: f64;

    fn apply(&self, x: T) -> Self::Output;
}

impl<T, U, F: Fn(T) -> U + Copy> Unary<T> for F {
    type Output = U;

    /// What it is of a closure nobody knows.
    const COST: f64 = par::STREAM;

    #[inline(always)]
    fn apply(&self, x: T) -> U {
        self(x)
    }
}

/// A function of two elements, as [`Unary`] is of one.
pub(crate) trait Binary<T, U>: Copy {
    type Output;

    /// What a pair costs, in nanoseconds.
    const COST: f64;

    fn apply(&self, x: T, y: U) -> Self::Output;
}

impl<T, U, V, F: Fn(T, U) -> V + Copy> Binary<T, U> for F {
    type Output = V;

    const COST: f64 = par::STREAM;

    #[inline(always)]
    fn apply(&self, x: T, y: U) -> V {
        self(x, y)
    }
}

/// out\[i] = f(x\[i])
#[inline]
pub(crate) fn map<T: Copy, F: Unary<T>>(x: Row<'_, T>, out: &mut [F::Output], f: F) {
    isa::dispatch(Map { x, out, f });
}

struct Map<'a, T, F: Unary<T>> {
    x: Row<'a, T>,
    out: &'a mut [F::Output],
    f: F,
}

impl<T: Copy, F: Unary<T>> Kernel for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Map { x, out, f } = self;
        for (start, out) in Blocks::of(out) {
            map_block(x.block(start, out.len()), out, f);
        }
    }
}

#[inline(always)]
fn map_block<T: Copy, F: Unary<T>>(x: Row<'_, T>, out: &mut [F::Output], f: F) {
    match x {
        Row::Contiguous(x) => {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = f.apply(x);
            }
        }
        x => {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f.apply(x.get(i));
            }
        }
    }
}

/// x\[i] = f(x\[i])
#[inline]
pub(crate) fn map_assign<T: Copy, F: Unary<T, Output = T>>(x: &mut [T], f: F) {
    isa::dispatch(MapAssign { x, f });
}

struct MapAssign<'a, T, F> {
    x: &'a mut [T],
    f: F,
}

impl<T: Copy, F: Unary<T, Output = T>> Kernel for MapAssign<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let MapAssign { x, f } = self;
        for (_, x) in Blocks::of(x) {
            for x in x {
                *x = f.apply(*x);
            }
        }
    }
}

/// out\[i] = f(x\[i], y\[i])
#[inline]
pub(crate) fn zip<T: Copy, U: Copy, F: Binary<T, U>>(x: Row<'_, T>, y: Row<'_, U>, out: &mut [F::Output], f: F) {
    isa::dispatch(Zip { x, y, out, f });
}

struct Zip<'a, T, U, F: Binary<T, U>> {
    x: Row<'a, T>,
    y: Row<'a, U>,
    out: &'a mut [F::Output],
    f: F,
}

impl<T: Copy, U: Copy, F: Binary<T, U>> Kernel for Zip<'_, T, U, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Zip { x, y, out, f } = self;
        for (start, out) in Blocks::of(out) {
            zip_block(x.block(start, out.len()), y.block(start, out.len()), out, f);
        }
    }
}

#[inline(always)]
fn zip_block<T: Copy, U: Copy, F: Binary<T, U>>(x: Row<'_, T>, y: Row<'_, U>, out: &mut [F::Output], f: F) {
    match (x, y) {
        (Row::Contiguous(x), Row::Contiguous(y)) => {
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = f.apply(x, y);
            }
        }
        (Row::Contiguous(x), Row::Splat(y)) => {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = f.apply(x, y);
            }
        }
        (Row::Splat(x), Row::Contiguous(y)) => {
            for (out, &y) in out.iter_mut().zip(y) {
                *out = f.apply(x, y);
            }
        }
        (x, y) => {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f.apply(x.get(i), y.get(i));
            }
        }
    }
}

/// x\[i] = f(x\[i], y\[i])
#[inline]
pub(crate) fn zip_assign<T: Copy, U: Copy>(x: &mut [T], y: Row<'_, U>, f: impl Binary<T, U, Output = T>) {
    isa::dispatch(ZipAssign { x, y, f });
}

struct ZipAssign<'a, T, U, F> {
    x: &'a mut [T],
    y: Row<'a, U>,
    f: F,
}

impl<T: Copy, U: Copy, F: Binary<T, U, Output = T>> Kernel for ZipAssign<'_, T, U, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let ZipAssign { x, y, f } = self;
        for (start, x) in Blocks::of(x) {
            let y = y.block(start, x.len());
            zip_assign_block(x, y, f);
        }
    }
}

#[inline(always)]
fn zip_assign_block<T: Copy, U: Copy>(x: &mut [T], y: Row<'_, U>, f: impl Binary<T, U, Output = T>) {
    match y {
        Row::Contiguous(y) => {
            for (x, &y) in x.iter_mut().zip(y) {
                *x = f.apply(*x, y);
            }
        }
        y => {
            for (i, x) in x.iter_mut().enumerate() {
                *x = f.apply(*x, y.get(i));
            }
        }
    }
}

/// out\[i] = f(x\[i], y\[i], z\[i])
#[inline]
pub(crate) fn zip3<T: Copy, U: Copy, V: Copy, W>(
    rows: (Row<'_, T>, Row<'_, U>, Row<'_, V>),
    out: &mut [W],
    f: impl Fn(T, U, V) -> W + Copy,
) {
    isa::dispatch(Zip3 { rows, out, f });
}

struct Zip3<'a, T, U, V, W, F> {
    rows: (Row<'a, T>, Row<'a, U>, Row<'a, V>),
    out: &'a mut [W],
    f: F,
}

impl<T: Copy, U: Copy, V: Copy, W, F: Fn(T, U, V) -> W + Copy> Kernel for Zip3<'_, T, U, V, W, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Zip3 { rows: (x, y, z), out, f } = self;
        for (start, out) in Blocks::of(out) {
            let len = out.len();
            zip3_block((x.block(start, len), y.block(start, len), z.block(start, len)), out, f);
        }
    }
}

#[inline(always)]
fn zip3_block<T: Copy, U: Copy, V: Copy, W>(
    rows: (Row<'_, T>, Row<'_, U>, Row<'_, V>),
    out: &mut [W],
    f: impl Fn(T, U, V) -> W,
) {
    match rows {
        (Row::Contiguous(x), Row::Contiguous(y), Row::Contiguous(z)) => {
            for (((out, &x), &y), &z) in out.iter_mut().zip(x).zip(y).zip(z) {
                *out = f(x, y, z);
            }
        }
        (Row::Contiguous(x), Row::Contiguous(y), Row::Splat(z)) => {
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = f(x, y, z);
            }
        }
        (Row::Contiguous(x), Row::Splat(y), Row::Contiguous(z)) => {
            for ((out, &x), &z) in out.iter_mut().zip(x).zip(z) {
                *out = f(x, y, z);
            }
        }
        (x, y, z) => {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f(x.get(i), y.get(i), z.get(i));
            }
        }
    }
}
