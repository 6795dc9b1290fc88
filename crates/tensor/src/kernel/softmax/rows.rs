//! Lines of neighbours.

use super::{Normalize, Terms};
use crate::buffer::{Buffer, Pooled};
use crate::kernel::Real;
use crate::kernel::isa::kernel;
use crate::kernel::reduce::{LargestNumber, Sum, WIDE, block};

/// Elements that are read several times while they are in the L1 cache.
const CLOSE: usize = 2048;

/// Lines of `width` neighbours; `each(i, largest, sum)` is called once for line i. The largest is 0 without `SHIFT`.
pub(crate) fn normalize_rows<T: Real + Pooled, N: Normalize<T>>(
    x: &mut [T],
    y: &[T],
    width: usize,
    op: N,
    each: &mut dyn FnMut(usize, T, T),
) {
    assert!(width > 0 && x.len() == y.len() && x.len().is_multiple_of(width), "lines must be whole");
    lines(x, y, width, op, each);
}

kernel! {
    fn lines[T: Real + Pooled, N: Normalize<T>](x: &mut [T], y: &[T], width: usize, op: N, each: &mut dyn FnMut(usize, T, T)), functions T {
        let _ = op;
        let len = x.len().min((CLOSE / width).max(1) * width);
        let (mut aside, mut of_lines) = (Buffer::stale(len), Buffer::stale(3 * len / width));
        let (aside, (shifts, of_lines)) = (&mut *aside, of_lines.split_at_mut(len / width));
        let (sums, totals) = of_lines.split_at_mut(len / width);
        for (chunk, (x, y)) in x.chunks_mut(len).zip(y.chunks(len)).enumerate() {
            let aside = &mut aside[..x.len()];
            if N::SHIFT {
                let terms = if N::TERMS == Terms::InPlace { &mut *x } else { &mut *aside };
                shifted_terms::<T, N>(terms, y, width, shifts);
            } else if N::TERMS == Terms::Aside {
                terms_of_both::<T, N>(aside, x, y);
            }
            let count = x.len() / width;
            let terms = if N::TERMS == Terms::Aside { &*aside } else { &*x };
            sums_of(sums, terms, width);
            // Of all lines at once, in vectors.
            totals_of::<T, N>(&mut totals[..count], sums);
            let lines = x.chunks_exact_mut(width).zip(y.chunks_exact(width));
            for (i, (x, y)) in lines.enumerate() {
                let shift = if N::SHIFT { shifts[i] } else { T::ZERO };
                finished::<T, N>(x, y, shift, totals[i]);
                each(chunk * (len / width) + i, shift, sums[i]);
            }
        }
    }
}

// What is folded is compiled once, and not into each of the loops that need it: it is larger than the rest of them.

kernel! {
    /// largest\[i] = the largest element of line i that is no NaN; the sum of its terms is NaN where an element is.
    fn largest_of[T: Real](largest: &mut [T], x: &[T], width: usize), arithmetic T {
        for (largest, x) in largest.iter_mut().zip(x.chunks_exact(width)) {
            *largest = block(LargestNumber, x);
        }
    }
}

kernel! {
    /// sums\[i] = the sum of line i
    fn sums_of[T: Real](sums: &mut [T], x: &[T], width: usize), arithmetic T {
        for (sum, x) in sums.iter_mut().zip(x.chunks_exact(width)) {
            // A loop: a fold may come from another codegen unit, and not be inlined.
            *sum = T::ZERO;
            for x in x.chunks(CLOSE) {
                *sum += block(Sum, x);
            }
        }
    }
}

/// totals\[i] = what is made of sums\[i]
#[inline(always)]
fn totals_of<T: Real + Pooled, N: Normalize<T>>(totals: &mut [T], sums: &[T]) {
    for (total, &sum) in totals.iter_mut().zip(sums) {
        *total = N::total(sum);
    }
}

/// The terms of lines of y, from which their largest elements, the shifts, are taken off.
#[inline(always)]
fn shifted_terms<T: Real + Pooled, N: Normalize<T>>(terms: &mut [T], y: &[T], width: usize, shifts: &mut [T]) {
    largest_of(shifts, y, width);
    for ((terms, y), &shift) in terms.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(&*shifts) {
        if width < WIDE { differences(terms, y, shift) } else { terms_of_differences::<T, N>(terms, y, shift) }
    }
    // All short lines in one loop: separate loops would each have a rest that fills no vector.
    if width < WIDE {
        for term in terms {
            *term = N::term(*term, *term);
        }
    }
}

/// x = ln sum + x, of each line.
pub(crate) fn add_logarithms<T: Real>(x: &mut [T], sums: &[T]) {
    assert_eq!(x.len(), sums.len(), "a sum for each line");
    logarithms(x, sums);
}

kernel! {
    fn logarithms[T: Real](x: &mut [T], sums: &[T]), functions T {
        for (x, &sum) in x.iter_mut().zip(sums) {
            *x = sum.ln() + *x;
        }
    }
}

/// out = x, each line of which is multiplied by its own factor; there are as many lines as factors.
pub(crate) fn scale_rows<T: Real>(out: &mut [T], x: &[T], factors: &[T]) {
    assert!(
        !factors.is_empty() && x.len() == out.len() && x.len().is_multiple_of(factors.len()),
        "lines must be whole"
    );
    scaled(out, x, factors);
}

kernel! {
    fn scaled[T: Real](out: &mut [T], x: &[T], factors: &[T]), memory {
        let width = (x.len() / factors.len()).max(1);
        let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
        for ((out, x), &factor) in rows.zip(factors) {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x * factor;
            }
        }
    }
}

// The loops over neighbours are functions: of a function's parameters, the compiler knows that the slices do not overlap.

/// out\[i] = the term of x\[i] and y\[i]
#[inline(always)]
fn terms_of_both<T: Real + Pooled, N: Normalize<T>>(out: &mut [T], x: &[T], y: &[T]) {
    for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
        *out = N::term(x, y);
    }
}

/// out\[i] = the term of y\[i] − shift
#[inline(always)]
fn terms_of_differences<T: Real + Pooled, N: Normalize<T>>(out: &mut [T], y: &[T], shift: T) {
    for (out, &y) in out.iter_mut().zip(y) {
        *out = N::term(y, y - shift);
    }
}

/// out\[i] = y\[i] − shift
#[inline(always)]
fn differences<T: Real>(out: &mut [T], y: &[T], shift: T) {
    for (out, &y) in out.iter_mut().zip(y) {
        *out = y - shift;
    }
}

/// x\[i] = the result
#[inline(always)]
fn finished<T: Real + Pooled, N: Normalize<T>>(x: &mut [T], y: &[T], shift: T, total: T) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = N::finish(*x, if N::SHIFT { y - shift } else { y }, total);
    }
}
