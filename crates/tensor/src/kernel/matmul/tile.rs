//! The innermost loop: a tile of C in registers.

use crate::element::Float;
use crate::kernel::simd::{Simd, Vector};

/// Columns of C in a tile, at most.
pub(super) const fn columns_of_tile<T: Float, S: Simd>() -> usize {
    S::TILE[1] * <T::Vector<S> as Vector<T>>::LANES
}

/// The operands of one tile: where they begin, and how far it is to the next row or the next k.
#[derive(Clone, Copy)]
pub(super) struct Tile<T> {
    /// How many products are summed.
    pub(super) k: usize,
    pub(super) a: *const T,
    /// From one row of A to the next.
    pub(super) a_row: isize,
    /// From one column of A to the next.
    pub(super) a_k: isize,
    /// A row of B is contiguous.
    pub(super) b: *const T,
    /// From one row of B to the next.
    pub(super) b_k: isize,
    /// A row of C is contiguous.
    pub(super) c: *mut T,
    /// From one row of C to the next.
    pub(super) c_row: usize,
    /// Whether the products are added to C, or replace it.
    pub(super) add: bool,
}

/// Computes a tile of `rows` × `columns`, at least 1 and at most those of a tile.
///
/// Rows of B hold `columns` elements, or where `padded`, as many as fill whole vectors.
///
/// # Safety
/// The processor has the instructions of `S`; A, B and C are valid where the tile reaches.
#[inline(always)]
pub(super) unsafe fn tile<T: Float, S: Simd>(t: Tile<T>, rows: usize, columns: usize, padded: bool) {
    let lanes = <T::Vector<S> as Vector<T>>::LANES;
    let (vectors, last) = (columns.div_ceil(lanes), (columns - 1) % lanes + 1);
    // Loading the whole of a padded vector does no harm; loading a part of it never does, but may take longer.
    let whole = padded || last == lanes;
    // SAFETY: the caller's promise is that of the functions below.
    unsafe {
        match (vectors, whole) {
            (1, true) if !S::FREE_MASKS => of_vectors::<T, S, 1, true>(t, rows, last),
            (1, _) => of_vectors::<T, S, 1, false>(t, rows, last),
            (2, true) if S::TILE[1] >= 2 && !S::FREE_MASKS => of_vectors::<T, S, 2, true>(t, rows, last),
            (2, _) if S::TILE[1] >= 2 => of_vectors::<T, S, 2, false>(t, rows, last),
            (3, true) if S::TILE[1] >= 3 && !S::FREE_MASKS => of_vectors::<T, S, 3, true>(t, rows, last),
            (3, _) if S::TILE[1] >= 3 => of_vectors::<T, S, 3, false>(t, rows, last),
            _ => unreachable!("a tile of {columns} columns"),
        }
    }
}

/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn of_vectors<T: Float, S: Simd, const NV: usize, const FULL: bool>(t: Tile<T>, rows: usize, last: usize) {
    // SAFETY: the caller's promise is that of the functions below.
    unsafe {
        match rows {
            1 => of_size::<T, S, 1, NV, FULL>(t, last),
            2 => of_size::<T, S, 2, NV, FULL>(t, last),
            3 if S::TILE[0] >= 3 => of_size::<T, S, 3, NV, FULL>(t, last),
            4 if S::TILE[0] >= 4 => of_size::<T, S, 4, NV, FULL>(t, last),
            5 if S::TILE[0] >= 5 => of_size::<T, S, 5, NV, FULL>(t, last),
            6 if S::TILE[0] >= 6 => of_size::<T, S, 6, NV, FULL>(t, last),
            7 if S::TILE[0] >= 7 => of_size::<T, S, 7, NV, FULL>(t, last),
            8 if S::TILE[0] >= 8 => of_size::<T, S, 8, NV, FULL>(t, last),
            _ => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// A tile whose size the compiler knows: MR × NV accumulators stay in registers for the whole loop.
///
/// Each element is one chain of fused multiply-adds, in the order of k: its bits depend neither on the size of the tile
/// nor on the width of the vectors.
///
/// # Safety
/// As [`tile`]; the last vector of a row of B has `last` elements unless `FULL`, the last of C has `last`.
#[inline(always)]
unsafe fn of_size<T: Float, S: Simd, const MR: usize, const NV: usize, const FULL: bool>(t: Tile<T>, last: usize) {
    type Of<T, S> = <T as super::Vectorized>::Vector<S>;
    let lanes = <Of<T, S> as Vector<T>>::LANES;
    // SAFETY: i < MR, v < NV and p < k stay within what the caller vouches for.
    unsafe {
        let mut sums = [[Of::<T, S>::splat(T::ZERO); NV]; MR];
        let (mut a, mut b) = (t.a, t.b);
        for _ in 0..t.k {
            let mut row = [Of::<T, S>::splat(T::ZERO); NV];
            for (v, x) in row.iter_mut().enumerate() {
                *x = if FULL || v + 1 < NV {
                    Vector::load(b.add(v * lanes))
                } else {
                    Vector::load_first(b.add(v * lanes), last)
                };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = Of::<T, S>::splat(*a.offset(i as isize * t.a_row));
                for (sum, &y) in sums.iter_mut().zip(&row) {
                    *sum = sum.add_product(x, y);
                }
            }
            a = a.wrapping_offset(t.a_k);
            b = b.wrapping_offset(t.b_k);
        }
        for (i, sums) in sums.into_iter().enumerate() {
            for (v, mut sum) in sums.into_iter().enumerate() {
                let c = t.c.add(i * t.c_row + v * lanes);
                let whole = v + 1 < NV || last == lanes;
                if t.add {
                    let old = if whole { Vector::load(c) } else { Vector::load_first(c, last) };
                    sum = Of::<T, S>::add(old, sum);
                }
                if whole { sum.store(c) } else { sum.store_first(c, last) }
            }
        }
    }
}
