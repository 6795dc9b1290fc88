//! Elementwise loops over rows whose elements are neighbours or all the same, compiled for every instruction set.

use std::mem::MaybeUninit;

use super::isa::kernel;
use super::simd::prefetch_bytes;
use crate::element::Element;
use crate::par;

/// One row of an operand.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a, T> {
    /// Neighbours in memory.
    Contiguous(&'a [T]),
    /// One element, repeated.
    Splat(T),
}

impl<'a, T: Copy> Row<'a, T> {
    /// `len` elements, at least 1, of `data` from `at` on, `stride` apart.
    ///
    /// # Panics
    /// The stride is neither 0 nor 1: operands with another one are copied before (`Tensor::readable`).
    #[inline]
    pub(crate) fn new(data: &'a [T], at: usize, stride: isize, len: usize) -> Self {
        match stride {
            1 => Row::Contiguous(&data[at..][..len]),
            0 => Row::Splat(data[at]),
            _ => unreachable!("a row with a stride of {stride}"),
        }
    }

    /// `len` of its elements, from `start` on.
    #[inline(always)]
    pub(crate) fn part(&self, start: usize, len: usize) -> Self {
        match *self {
            Row::Contiguous(row) => Row::Contiguous(&row[start..][..len]),
            Row::Splat(x) => Row::Splat(x),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, i: usize) -> T {
        match *self {
            Row::Contiguous(row) => row[i],
            Row::Splat(x) => x,
        }
    }
}

/// Elements that a loop goes through at once, and then asks for more.
const BLOCK: usize = 256;

/// How far ahead memory is asked for, in bytes. The processor itself looks ahead within a page of 4 KiB, but not into the next
/// page. Asking saved 17 % of a relu of 64 MiB (39 % on two threads) and 1 to 3 % of one of 4 MiB (Emerald Rapids). Asking 1
/// or 2 KiB ahead was no better, and 8 KiB slowed down what lies in the L2 cache.
const AHEAD: usize = 4096;

/// How many bytes of such a row are asked for with each block: none of one that may well lie in the L1 cache.
#[inline(always)]
fn asked<T>(row: &[T]) -> usize {
    if size_of_val(row) < 32 << 10 { 0 } else { BLOCK * size_of::<T>() }
}

/// Asks for so many bytes, [`AHEAD`] of this block. Without a condition, for which the compiler would write each loop twice.
#[inline(always)]
fn ask_ahead<T>(block: &[T], bytes: usize) {
    prefetch_bytes(block.as_ptr().wrapping_byte_add(AHEAD).cast(), bytes);
}

/// Consecutive blocks of an output, each with where it begins.
///
/// An iterator, and not a function that takes a closure: a closure within a kernel may not be inlined, and is then compiled
/// without AVX2. What is done to a block is a function of its slices, since the compiler knows only of a function's
/// parameters that they do not overlap: a sigmoid took 11 % longer without that (AMD EPYC, AVX2).
struct Blocks<'a, T> {
    start: usize,
    left: &'a mut [T],
    asked: usize,
}

impl<'a, T> Blocks<'a, T> {
    #[inline(always)]
    fn of(out: &'a mut [T]) -> Self {
        Blocks { start: 0, asked: asked(out), left: out }
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
        ask_ahead(block, self.asked);
        let start = self.start;
        (self.start, self.left) = (start + BLOCK, rest);
        Some((start, block))
    }
}

/// Room for a block of an operand whose one element is repeated. It makes loops simple: they read neighbours only. A block is in the
/// L1 cache, from which a processor loads two vectors while it stores one.
struct Repeated<T>([MaybeUninit<T>; BLOCK]);

impl<T: Copy> Repeated<T> {
    #[inline(always)]
    fn new() -> Self {
        Repeated([MaybeUninit::uninit(); BLOCK])
    }

    /// The row, if it is one of neighbours; else as many of its elements as a loop over `len` takes at once, which are written
    /// here.
    #[inline(always)]
    fn operand<'a>(&'a mut self, row: Row<'a, T>, len: usize) -> Operand<'a, T> {
        match row {
            Row::Contiguous(row) => Operand { elements: row, step: 1, asked: asked(row) },
            Row::Splat(x) => {
                let room = &mut self.0[..len.min(BLOCK)];
                fill(room, x);
                // SAFETY: `fill` has written every element.
                let elements = unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<T>(), room.len()) };
                Operand { elements, step: 0, asked: 0 }
            }
        }
    }
}

/// Apart from the loops, of which there are many.
#[inline(never)]
fn fill<T: Copy>(room: &mut [MaybeUninit<T>], x: T) {
    for element in room {
        element.write(x);
    }
}

/// An operand that is read block by block.
#[derive(Clone, Copy)]
struct Operand<'a, T> {
    elements: &'a [T],
    /// 1 if blocks follow each other, 0 if all of them are the first.
    step: usize,
    asked: usize,
}

impl<'a, T> Operand<'a, T> {
    /// `len` elements from `start` on, which are about to be read; asks for some that come after.
    #[inline(always)]
    fn block(self, start: usize, len: usize) -> &'a [T] {
        let block = &self.elements[start * self.step..][..len];
        ask_ahead(block, self.asked);
        block
    }
}

/// What is computed of elements: `(T,)` for one, `(T, U)` for two.
///
/// `apply` is `#[inline(always)]`, so that it is compiled for the instruction set of the loop. Loops take a formula by value, so
/// that what it holds, such as a factor, is in a register: behind a reference it might be changed by what the loop writes,
/// as far as the compiler knows, and the loop is not vectorized. An axpy took five times as long (0.5 ns an element).
pub(crate) trait Formula<X>: Copy {
    type Output;

    fn apply(self, x: X) -> Self::Output;
}

/// A function of one element, by its loops.
pub(crate) trait Unary<T>: Sync {
    type Output;

    /// What an element costs, in nanoseconds.
    fn cost(&self) -> f64;

    /// out\[i] = f(x\[i])
    fn map(&self, x: Row<'_, T>, out: &mut [Self::Output]);
}

/// A function of two elements, by its loops.
pub(crate) trait Binary<T, U>: Sync {
    type Output;

    /// What a pair costs, in nanoseconds.
    fn cost(&self) -> f64;

    /// out\[i] = f(x\[i], y\[i])
    fn zip(&self, x: Row<'_, T>, y: Row<'_, U>, out: &mut [Self::Output]);
}

/// A function of two elements whose result may take the place of the first.
pub(crate) trait BinaryAssign<T, U>: Binary<T, U, Output = T> {
    /// x\[i] = f(x\[i], y\[i])
    fn zip_assign(&self, x: &mut [T], y: Row<'_, U>);
}

/// A user's closure, whose loops are compiled in the user's crate. The functions that have a name are in `functions`.
pub(crate) struct Closure<'a, F>(pub(crate) &'a F);

impl<F> Clone for Closure<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Closure<'_, F> {}

impl<T, U, F: Fn(T) -> U> Formula<(T,)> for Closure<'_, F> {
    type Output = U;

    #[inline(always)]
    fn apply(self, (x,): (T,)) -> U {
        (self.0)(x)
    }
}

impl<T, U, V, F: Fn(T, U) -> V> Formula<(T, U)> for Closure<'_, F> {
    type Output = V;

    #[inline(always)]
    fn apply(self, (x, y): (T, U)) -> V {
        (self.0)(x, y)
    }
}

impl<T: Copy, U, F: Fn(T) -> U + Sync> Unary<T> for Closure<'_, F> {
    type Output = U;

    /// Nobody knows what a closure costs.
    fn cost(&self) -> f64 {
        par::STREAM
    }

    fn map(&self, x: Row<'_, T>, out: &mut [U]) {
        kernel! {
            fn closure[T: Copy, F: Formula<(T,)>](x: Row<'_, T>, out: &mut [F::Output], f: F), closure {
                map(x, out, f);
            }
        }
        closure(x, out, *self);
    }
}

impl<T: Copy, U: Copy, V, F: Fn(T, U) -> V + Sync> Binary<T, U> for Closure<'_, F> {
    type Output = V;

    fn cost(&self) -> f64 {
        par::STREAM
    }

    fn zip(&self, x: Row<'_, T>, y: Row<'_, U>, out: &mut [V]) {
        kernel! {
            fn closure[T: Copy, U: Copy, F: Formula<(T, U)>](
                x: Row<'_, T>, y: Row<'_, U>, out: &mut [F::Output], f: F
            ), closure {
                zip(x, y, out, f);
            }
        }
        closure(x, y, out, *self);
    }
}

impl<T: Copy, U: Copy, F: Fn(T, U) -> T + Sync> BinaryAssign<T, U> for Closure<'_, F> {
    fn zip_assign(&self, x: &mut [T], y: Row<'_, U>) {
        kernel! {
            fn closure[T: Copy, U: Copy, F: Formula<(T, U), Output = T>](x: &mut [T], y: Row<'_, U>, f: F), closure {
                zip_assign(x, y, f);
            }
        }
        closure(x, y, *self);
    }
}

/// out\[i] = f(x\[i])
#[inline(always)]
pub(super) fn map<T: Copy, F: Formula<(T,)>>(x: Row<'_, T>, out: &mut [F::Output], f: F) {
    let mut repeated = Repeated::new();
    let x = repeated.operand(x, out.len());
    for (start, out) in Blocks::of(out) {
        map_block(x.block(start, out.len()), out, f);
    }
}

#[inline(always)]
fn map_block<T: Copy, F: Formula<(T,)>>(x: &[T], out: &mut [F::Output], f: F) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f.apply((x,));
    }
}

kernel! {
    /// x\[i] = f(x\[i])
    pub(crate) fn map_assign[T: Copy, F: Formula<(T,), Output = T>](x: &mut [T], f: F), closure {
        for (_, x) in Blocks::of(x) {
            for x in x {
                *x = f.apply((*x,));
            }
        }
    }
}

/// out\[i] = f(x\[i], y\[i])
#[inline(always)]
pub(super) fn zip<T: Copy, U: Copy, F: Formula<(T, U)>>(x: Row<'_, T>, y: Row<'_, U>, out: &mut [F::Output], f: F) {
    let (mut repeated_x, mut repeated_y) = (Repeated::new(), Repeated::new());
    let (x, y) = (repeated_x.operand(x, out.len()), repeated_y.operand(y, out.len()));
    for (start, out) in Blocks::of(out) {
        zip_block(x.block(start, out.len()), y.block(start, out.len()), out, f);
    }
}

#[inline(always)]
fn zip_block<T: Copy, U: Copy, F: Formula<(T, U)>>(x: &[T], y: &[U], out: &mut [F::Output], f: F) {
    for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
        *out = f.apply((x, y));
    }
}

/// x\[i] = f(x\[i], y\[i])
#[inline(always)]
pub(super) fn zip_assign<T: Copy, U: Copy, F: Formula<(T, U), Output = T>>(x: &mut [T], y: Row<'_, U>, f: F) {
    let mut repeated = Repeated::new();
    let y = repeated.operand(y, x.len());
    for (start, x) in Blocks::of(x) {
        zip_assign_block(x, y.block(start, x.len()), f);
    }
}

#[inline(always)]
fn zip_assign_block<T: Copy, U: Copy, F: Formula<(T, U), Output = T>>(x: &mut [T], y: &[U], f: F) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = f.apply((*x, y));
    }
}

kernel! {
    /// out\[i] = x\[i] where mask\[i], else y\[i]
    pub(crate) fn choose[T: Element](mask: Row<'_, bool>, x: Row<'_, T>, y: Row<'_, T>, out: &mut [T]), memory T {
        let (mut repeated_mask, mut repeated_x, mut repeated_y) = (Repeated::new(), Repeated::new(), Repeated::new());
        let mask = repeated_mask.operand(mask, out.len());
        let (x, y) = (repeated_x.operand(x, out.len()), repeated_y.operand(y, out.len()));
        for (start, out) in Blocks::of(out) {
            let len = out.len();
            choose_block(mask.block(start, len), x.block(start, len), y.block(start, len), out);
        }
    }
}

#[inline(always)]
fn choose_block<T: Copy>(mask: &[bool], x: &[T], y: &[T], out: &mut [T]) {
    for (((out, &mask), &x), &y) in out.iter_mut().zip(mask).zip(x).zip(y) {
        *out = if mask { x } else { y };
    }
}
