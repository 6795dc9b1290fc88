//! Reductions that take one element after the other.

use super::{Blockwise, Reduction, Rows, Run, reduction};
use crate::kernel::isa::kernel;
use crate::kernel::{Arithmetic, Real, Scalar};

/// A reduction by single elements. Every function is `#[inline(always)]`.
pub(crate) trait Fold<T>: Copy {
    type Part: Copy;

    /// Whether the order of elements leaves no trace in the result.
    const EXACT: bool = false;

    /// The value that a part starts from. `x`, one of its elements, only seeds it (for a minimum) and is folded in again, perhaps
    /// by several lanes.
    fn start(self, x: T) -> Self::Part;

    /// A part and one more element.
    fn fold(self, part: Self::Part, x: T) -> Self::Part;

    /// A part and the part of later elements.
    fn join(self, a: Self::Part, b: Self::Part) -> Self::Part;
}

/// Stamps types that name folds, each with what it may hold.
macro_rules! folds {
    ($(
        $(#[$doc:meta])*
        $Name:ident $(($p:ident: $P:ty))? [$T:ident: $Bound:path] -> $Part:ty, exact: $exact:expr, $kind:ident $($of:ident)? {
            start |$first:pat_param| $start:expr;
            fold |$part:ident, $x:ident| $fold:expr;
            join |$a:ident, $b:ident| $join:expr;
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $Name $((pub(crate) $P))?;

        impl<$T: $Bound> Fold<$T> for $Name {
            type Part = $Part;

            const EXACT: bool = $exact;

            #[inline(always)]
            fn start(self, $first: $T) -> $Part {
                $start
            }

            #[inline(always)]
            fn fold(self, $part: $Part, $x: $T) -> $Part {
                let $Name $(($p))? = self;
                $fold
            }

            #[inline(always)]
            fn join(self, $a: $Part, $b: $Part) -> $Part {
                $join
            }
        }

        impl<$T: $Bound> Blockwise<$T> for $Name {
            type Part = $Part;

            #[inline(always)]
            fn block(self, x: &[$T]) -> $Part {
                block(self, x)
            }

            #[inline(always)]
            fn columns(self, rows: &Rows<'_, $T>, parts: &mut [$Part]) {
                columns(self, rows, parts);
            }

            #[inline(always)]
            fn join(self, a: $Part, b: $Part) -> $Part {
                Fold::<$T>::join(self, a, b)
            }
        }

        reduction!($Name[$T: $Bound] -> $Part, $kind $($of)?, few);
    )*};
}

folds! {
    /// Σ x
    Sum[T: Arithmetic] -> T, exact: !T::DTYPE.is_float(), arithmetic T {
        start |_| T::ZERO;
        fold |sum, x| sum + x;
        join |a, b| a + b;
    }

    /// Π x
    Product[T: Arithmetic] -> T, exact: !T::DTYPE.is_float(), memory {
        start |_| T::ONE;
        fold |product, x| product * x;
        join |a, b| a * b;
    }

    /// The smallest; NaN if any is.
    Smallest[T: Scalar] -> T, exact: !T::DTYPE.is_float(), memory {
        start |x| x;
        fold |least, x| nan_or(smaller(least, x), x);
        join |a, b| nan_or(smaller(a, b), b);
    }

    /// The largest; NaN if any is.
    Largest[T: Scalar] -> T, exact: !T::DTYPE.is_float(), memory {
        start |x| x;
        fold |most, x| nan_or(larger(most, x), x);
        join |a, b| nan_or(larger(a, b), b);
    }

    /// How many are true.
    Count[T: Truth] -> i64, exact: true, memory {
        start |_| 0;
        fold |number, x| number + x.into();
        join |a, b| a + b;
    }

    /// Σ |x|, in f64.
    Sizes[T: Real] -> f64, exact: false, memory {
        start |_| 0.0;
        fold |sum, x| sum + x.to_f64().abs();
        join |a, b| a + b;
    }

    /// Σ x², in f64.
    Squares[T: Real] -> f64, exact: false, memory {
        start |_| 0.0;
        fold |sum, x| sum + x.to_f64() * x.to_f64();
        join |a, b| a + b;
    }
}

/// A bool: folds are stamped for a type parameter.
pub(crate) trait Truth: Scalar + Into<i64> {}

impl Truth for bool {}

/// The largest of those that are no NaN, or the first element.
#[derive(Clone, Copy)]
pub(crate) struct LargestNumber;

impl<T: Real> Fold<T> for LargestNumber {
    type Part = T;

    #[inline(always)]
    fn start(self, x: T) -> T {
        x
    }

    #[inline(always)]
    fn fold(self, most: T, x: T) -> T {
        larger(most, x)
    }

    #[inline(always)]
    fn join(self, a: T, b: T) -> T {
        larger(a, b)
    }
}

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
fn nan_or<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if b != b { b } else { a }
}

/// Below this many elements, one lane is as fast as several that are joined in the end.
const SHORT: usize = 16;

/// Rows that are folded at once: each part is loaded and stored once for all of them.
const ROWS_AT_ONCE: usize = 8;

/// Columns that are folded in registers, down all rows: as many as fill them, and of the rest.
const KEPT: usize = 64;
const FEW_KEPT: usize = 16;

/// Rows up to this length are folded so. Of 4096 rows of 256 it saves a quarter, of 64 of 64 a third; of 1024 of 1024 it would take 1.4
/// times as long (AMD EPYC of Zen 5).
const MOST_KEPT: usize = 512;

/// The fold of some neighbours, at least one.
#[inline(always)]
pub(crate) fn block<T: Copy, F: Fold<T>>(f: F, x: &[T]) -> F::Part {
    // Where the order leaves no trace, the compiler makes the lanes.
    if x.len() < SHORT || F::EXACT {
        return x.iter().fold(f.start(x[0]), |part, &x| f.fold(part, x));
    }
    // The lanes fill four of the widest vectors, since an addition takes four cycles.
    match size_of::<F::Part>() > 4 {
        // Compiled by itself, since what may be left over keeps the compiler from leaving the lanes in registers: a maximum of 16
        // took 20 ns, and takes 7.
        _ if x.len() < 128 && x.len().is_multiple_of(16) => lanes::<16, false, T, F>(f, x),
        _ if x.len() < 128 => lanes::<16, true, T, F>(f, x),
        true => lanes::<32, true, T, F>(f, x),
        false => lanes::<64, true, T, F>(f, x),
    }
}

/// parts\[j] of the elements j of the rows.
#[inline(always)]
fn columns<T: Copy, F: Fold<T>>(f: F, rows: &Rows<'_, T>, parts: &mut [F::Part]) {
    for (part, &x) in parts.iter_mut().zip(rows.row(0)) {
        *part = f.start(x);
    }
    // Of rows that are not long, parts stay in registers. Long ones are read a few at a time, as the processor foresees it.
    let mut kept = 0;
    if parts.len() <= MOST_KEPT {
        kept = keep::<KEPT, T, F>(f, rows, parts);
        kept += keep::<FEW_KEPT, T, F>(f, &rows.columns(kept, parts.len() - kept), &mut parts[kept..]);
    }
    let (rows, parts) = (&rows.columns(kept, parts.len() - kept), &mut parts[kept..]);
    let whole = rows.len() - rows.len() % ROWS_AT_ONCE;
    for i in (0..whole).step_by(ROWS_AT_ONCE) {
        let rows: [&[T]; ROWS_AT_ONCE] = std::array::from_fn(|k| &rows.row(i + k)[..parts.len()]);
        for (j, part) in parts.iter_mut().enumerate() {
            *part = rows.iter().fold(*part, |part, row| f.fold(part, row[j]));
        }
    }
    for i in whole..rows.len() {
        for (part, &x) in parts.iter_mut().zip(rows.row(i)) {
            *part = f.fold(*part, x);
        }
    }
}

/// Goes on with the parts of the first columns, N at a time; returns how many columns these are.
#[inline(always)]
fn keep<const N: usize, T: Copy, F: Fold<T>>(f: F, rows: &Rows<'_, T>, parts: &mut [F::Part]) -> usize {
    let parts = parts.as_chunks_mut::<N>().0;
    for (chunk, parts) in parts.iter_mut().enumerate() {
        let mut kept = *parts;
        for i in 0..rows.len() {
            let row: &[T; N] = rows.row(i)[chunk * N..].first_chunk().expect("as many columns");
            for (part, &x) in kept.iter_mut().zip(row) {
                *part = f.fold(*part, x);
            }
        }
        *parts = kept;
    }
    parts.len() * N
}

/// The fold of some neighbours, at least one, in independent lanes; of whole rows of lanes, unless there may be a `REST`.
#[inline(always)]
fn lanes<const LANES: usize, const REST: bool, T: Copy, F: Fold<T>>(f: F, x: &[T]) -> F::Part {
    let mut lanes = [f.start(x[0]); LANES];
    let (rows, rest) = x.as_chunks::<LANES>();
    let (whole, rows) = rows.as_chunks::<ROWS_AT_ONCE>();
    // Lane by lane, which the compiler turns into vectors; row by row, it would keep the lanes in memory.
    for rows in whole {
        for (j, lane) in lanes.iter_mut().enumerate() {
            *lane = rows.iter().fold(*lane, |lane, row| f.fold(lane, row[j]));
        }
    }
    for row in rows {
        for (lane, &x) in lanes.iter_mut().zip(row) {
            *lane = f.fold(*lane, x);
        }
    }
    if REST {
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane = f.fold(*lane, x);
        }
    }
    halve::<32, T, F>(f, &mut lanes);
    halve::<16, T, F>(f, &mut lanes);
    halve::<8, T, F>(f, &mut lanes);
    halve::<4, T, F>(f, &mut lanes);
    halve::<2, T, F>(f, &mut lanes);
    halve::<1, T, F>(f, &mut lanes);
    lanes[0]
}

/// Joins the upper half of 2 · HALF lanes to the lower, if there are so many lanes. HALF is a constant, so that both halves are
/// vectors.
#[inline(always)]
fn halve<const HALF: usize, T, F: Fold<T>>(f: F, lanes: &mut [F::Part]) {
    if lanes.len() > HALF {
        for j in 0..HALF {
            lanes[j] = f.join(lanes[j], lanes[j + HALF]);
        }
    }
}
