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
        let rows = (CLOSE / width).max(1);
        // As many as are gone through at once.
        let mut terms = Buffer::stale(x.len().min(rows * width));
        let len = terms.len();
        let mut shifts = Buffer::stale(len / width);
        for (chunk, (x, y)) in x.chunks_mut(len).zip(y.chunks(len)).enumerate() {
            let terms = &mut terms[..x.len()];
            let lines = x.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(terms.chunks_exact_mut(width));
            if N::SHIFT {
                for (((x, y), terms), shift) in lines.zip(shifts.iter_mut()) {
                    // The largest skips NaN, but the sum is NaN where an element is.
                    *shift = block(LargestNumber, y);
                    match N::TERMS {
                        _ if width < WIDE => shifted(x, y, *shift),
                        Terms::InPlace => terms_in_place::<T, N>(x, y, *shift),
                        _ => terms_aside::<T, N>(terms, x, y, *shift),
                    }
                }
            }
            // All short lines in one loop: separate loops would each have a rest that fills no vector.
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
                let sum = terms.chunks(CLOSE).fold(T::ZERO, |before, terms| before + block(Sum, terms));
                let shift = if N::SHIFT { shifts[i] } else { T::ZERO };
                finished::<T, N>(x, y, shift, N::total(sum));
                each(chunk * (len / width) + i, shift, sum);
            }
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

/// x\[i] = the term of x\[i] and y\[i] − shift
#[inline(always)]
fn terms_in_place<T: Real + Pooled, N: Normalize<T>>(x: &mut [T], y: &[T], shift: T) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = N::term(*x, if N::SHIFT { y - shift } else { y });
    }
}

/// out\[i] = the term of x\[i] and y\[i] − shift
#[inline(always)]
fn terms_aside<T: Real + Pooled, N: Normalize<T>>(out: &mut [T], x: &[T], y: &[T], shift: T) {
    for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
        *out = N::term(x, if N::SHIFT { y - shift } else { y });
    }
}

/// x\[i] = y\[i] − shift
#[inline(always)]
fn shifted<T: Real>(x: &mut [T], y: &[T], shift: T) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = y - shift;
    }
}

/// x\[i] = the result
#[inline(always)]
fn finished<T: Real + Pooled, N: Normalize<T>>(x: &mut [T], y: &[T], shift: T, total: T) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x = N::finish(*x, if N::SHIFT { y - shift } else { y }, total);
    }
}
