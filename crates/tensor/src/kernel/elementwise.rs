//! Elementwise loops over one row, compiled for every instruction set. Rows of stride 1 and repeated elements get loops
//! that the compiler vectorizes.

use super::isa::{self, Kernel};
use super::simd::Simd;
use crate::element::Float;

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

    #[inline(always)]
    pub(crate) fn get(&self, i: usize) -> T {
        match *self {
            Row::Contiguous(row) => row[i],
            Row::Splat(x) => x,
            Row::Strided { data, at, stride } => data[at.wrapping_add_signed(i as isize * stride)],
        }
    }
}

/// A function of one element. A closure is one; functions of some length are types, whose `apply` is
/// `#[inline(always)]`: only so are they sure to be compiled for the instruction set of the loop.
pub(crate) trait Unary<T> {
    type Output;

    fn apply(&self, x: T) -> Self::Output;
}

impl<T, U, F: Fn(T) -> U> Unary<T> for F {
    type Output = U;

    #[inline(always)]
    fn apply(&self, x: T) -> U {
        self(x)
    }
}

/// Hyperbolic tangent.
pub(crate) struct Tanh;

impl<T: Float> Unary<T> for Tanh {
    type Output = T;

    #[inline(always)]
    fn apply(&self, x: T) -> T {
        x.tanh()
    }
}

/// out\[i] = f(x\[i])
#[inline]
pub(crate) fn map<T: Copy, F: Unary<T>>(x: Row<'_, T>, out: &mut [F::Output], f: &F) {
    isa::dispatch(Map { x, out, f });
}

struct Map<'a, T, F: Unary<T>> {
    x: Row<'a, T>,
    out: &'a mut [F::Output],
    f: &'a F,
}

impl<T: Copy, F: Unary<T>> Kernel for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        match self.x {
            Row::Contiguous(x) => {
                for (out, &x) in self.out.iter_mut().zip(x) {
                    *out = self.f.apply(x);
                }
            }
            x => {
                for (i, out) in self.out.iter_mut().enumerate() {
                    *out = self.f.apply(x.get(i));
                }
            }
        }
    }
}

/// out\[i] = f(x\[i], y\[i])
#[inline]
pub(crate) fn zip<T: Copy, U: Copy, V>(x: Row<'_, T>, y: Row<'_, U>, out: &mut [V], f: &impl Fn(T, U) -> V) {
    isa::dispatch(Zip { x, y, out, f });
}

struct Zip<'a, T, U, V, F> {
    x: Row<'a, T>,
    y: Row<'a, U>,
    out: &'a mut [V],
    f: &'a F,
}

impl<T: Copy, U: Copy, V, F: Fn(T, U) -> V> Kernel for Zip<'_, T, U, V, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Zip { x, y, out, f } = self;
        match (x, y) {
            (Row::Contiguous(x), Row::Contiguous(y)) => {
                for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                    *out = f(x, y);
                }
            }
            (Row::Contiguous(x), Row::Splat(y)) => {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = f(x, y);
                }
            }
            (Row::Splat(x), Row::Contiguous(y)) => {
                for (out, &y) in out.iter_mut().zip(y) {
                    *out = f(x, y);
                }
            }
            (x, y) => {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = f(x.get(i), y.get(i));
                }
            }
        }
    }
}

/// x\[i] = f(x\[i], y\[i])
#[inline]
pub(crate) fn zip_assign<T: Copy, U: Copy>(x: &mut [T], y: Row<'_, U>, f: &impl Fn(T, U) -> T) {
    isa::dispatch(ZipAssign { x, y, f });
}

struct ZipAssign<'a, T, U, F> {
    x: &'a mut [T],
    y: Row<'a, U>,
    f: &'a F,
}

impl<T: Copy, U: Copy, F: Fn(T, U) -> T> Kernel for ZipAssign<'_, T, U, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ZipAssign { x, y, f } = self;
        match y {
            Row::Contiguous(y) => {
                for (x, &y) in x.iter_mut().zip(y) {
                    *x = f(*x, y);
                }
            }
            y => {
                for (i, x) in x.iter_mut().enumerate() {
                    *x = f(*x, y.get(i));
                }
            }
        }
    }
}
