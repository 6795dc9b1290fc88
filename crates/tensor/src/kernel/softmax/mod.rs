//! Softmax, its logarithm and their pullbacks. All of them change a line of elements, given a sum over the line.

mod columns;
mod rows;

pub(crate) use columns::normalize_columns;
pub(crate) use rows::{add_logarithms, normalize_rows, scale_rows};

use crate::kernel::Real;
use crate::par;

/// What is done with a line of x, given a line of y. Every function is `#[inline(always)]`.
pub(crate) trait Normalize<T>: Copy + Sync {
    /// Whether the largest y of a line is subtracted from each y. Then x is only written, and not read.
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
    /// Not over x, which is still needed: into a buffer of their own, or straight into the sum.
    Aside,
    /// Each is x.
    Own,
}

/// exp y / Σ exp y
#[derive(Clone, Copy)]
pub(crate) struct Softmax;

impl<T: Real> Normalize<T> for Softmax {
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

impl<T: Real> Normalize<T> for LogSoftmax {
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

impl<T: Real> Normalize<T> for SoftmaxBackward {
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

impl<T: Real> Normalize<T> for LogSoftmaxBackward {
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
