//! The innermost loop: a tile of C in registers.

use std::marker::PhantomData;

use crate::element::Float;
use crate::kernel::isa::Kernel;
use crate::kernel::simd::{Simd, Vector};

/// The tiles of an instruction set.
pub struct TileSizes {
    /// Elements of a vector.
    pub(super) lanes: usize,
    /// The most rows, by vectors across less one.
    pub(super) rows: &'static [usize],
}

/// Asks for the [`TileSizes`] of a float.
pub(super) struct TileSizesOf<T>(pub(super) PhantomData<T>);

impl<T: Float> Kernel for TileSizesOf<T> {
    type Output = TileSizes;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> TileSizes {
        TileSizes { lanes: <T::Vector<S> as Vector<T>>::LANES, rows: S::TILES }
    }
}

/// How a tile reads the rows of its panel of B.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Panel {
    /// Where they lie in B, which may end with the last column.
    InPlace,
    /// Likewise, and copies them in whole vectors.
    Copy,
    /// From a copy, in whole vectors.
    Copied,
}

/// The operands of one tile: where they begin, and how far it is to the next row or the next k.
pub(super) struct Tile<T> {
    /// How many products are summed.
    pub(super) k: usize,
    pub(super) a: *const T,
    /// From one row of A to the next, and from one column to the next.
    pub(super) a_strides: [isize; 2],
    /// A row of B is contiguous.
    pub(super) b: *const T,
    /// From one row of B to the next.
    pub(super) b_k: isize,
    /// Where a tile that copies B puts the rows, in whole vectors.
    pub(super) copy: *mut T,
    /// A row of C is contiguous.
    pub(super) c: *mut T,
    /// From one row of C to the next.
    pub(super) c_row: usize,
    /// Whether the products are added to C, or replace it.
    pub(super) add: bool,
}

impl<T: Float> Tile<T> {
    /// Computes a tile of `rows` × `columns`, at least 1 and at most those of the largest tile. One that copies B has the
    /// most rows for its columns.
    ///
    /// # Safety
    /// The processor has the instructions of `S`; A, B, C and the copy are valid where the tile reaches.
    #[inline(always)]
    pub(super) unsafe fn compute<S: Simd>(self, rows: usize, columns: usize, panel: Panel) {
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let (vectors, last) = (columns.div_ceil(lanes), (columns - 1) % lanes + 1);
        // SAFETY: the caller's promise is that of the functions below.
        unsafe {
            match vectors {
                1 => self.of_vectors::<S, 1>(rows, last, panel),
                2 if const { S::TILES.len() >= 2 } => self.of_vectors::<S, 2>(rows, last, panel),
                3 if const { S::TILES.len() >= 3 } => self.of_vectors::<S, 3>(rows, last, panel),
                4 if const { S::TILES.len() >= 4 } => self.of_vectors::<S, 4>(rows, last, panel),
                _ => unreachable!("a tile of {columns} columns"),
            }
        }
    }

    /// # Safety
    /// As [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_vectors<S: Simd, const NV: usize>(self, rows: usize, last: usize, panel: Panel) {
        // Loading the whole of a padded vector does no harm; loading a part of it never does, but may take longer.
        let whole = panel == Panel::Copied || last == <T::Vector<S> as Vector<T>>::LANES;
        // SAFETY: the caller's promise is that of the functions below.
        unsafe {
            match panel {
                Panel::Copy => self.of_rows::<S, NV, false, true>(rows, last),
                _ if const { !S::FREE_MASKS } && whole => self.of_rows::<S, NV, true, false>(rows, last),
                _ => self.of_rows::<S, NV, false, false>(rows, last),
            }
        }
    }

    /// # Safety
    /// As [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_rows<S: Simd, const NV: usize, const FULL: bool, const COPY: bool>(self, rows: usize, last: usize) {
        // SAFETY: the caller's promise is that of the functions below.
        unsafe {
            match rows {
                1 if const { exists(S::TILES, NV, COPY, 1) } => S::call(OfSize::<T, 1, NV, FULL, COPY>(self, last)),
                2 if const { exists(S::TILES, NV, COPY, 2) } => S::call(OfSize::<T, 2, NV, FULL, COPY>(self, last)),
                3 if const { exists(S::TILES, NV, COPY, 3) } => S::call(OfSize::<T, 3, NV, FULL, COPY>(self, last)),
                4 if const { exists(S::TILES, NV, COPY, 4) } => S::call(OfSize::<T, 4, NV, FULL, COPY>(self, last)),
                6 if const { exists(S::TILES, NV, COPY, 6) } => S::call(OfSize::<T, 6, NV, FULL, COPY>(self, last)),
                8 if const { exists(S::TILES, NV, COPY, 8) } => S::call(OfSize::<T, 8, NV, FULL, COPY>(self, last)),
                _ => unreachable!("a tile of {rows} rows"),
            }
        }
    }
}

/// Whether there are tiles of `rows` and as many vectors: what is constant here is not even compiled where it is false.
const fn exists(tiles: &[usize], vectors: usize, copy: bool, rows: usize) -> bool {
    vectors <= tiles.len() && if copy { rows == tiles[vectors - 1] } else { rows <= tiles[vectors - 1] }
}

/// The rows that a tile can have, up to those of the largest.
const HEIGHTS: [usize; 6] = [1, 2, 3, 4, 6, 8];

/// How many of `left` rows the next tile takes, at most `most`: heights are about even, so that no tile is too small to
/// keep the arithmetic units busy.
#[inline(always)]
pub(super) fn height(left: usize, most: usize) -> usize {
    let even = left.div_ceil(left.div_ceil(most));
    // Nothing but 5 and 7 is not a height itself.
    if HEIGHTS.contains(&even) { even } else { even.div_ceil(2) }
}

/// A tile whose size the compiler knows: MR × NV accumulators stay in registers for the whole loop. Its last vector of a
/// row of B has as many elements as the number beside it says, unless `FULL`; its last one of C has as many.
///
/// Each element is one chain of fused multiply-adds, in the order of k: its bits depend neither on the size of the
/// tile nor on the width of the vectors.
struct OfSize<T, const MR: usize, const NV: usize, const FULL: bool, const COPY: bool>(Tile<T>, usize);

impl<T: Float, const MR: usize, const NV: usize, const FULL: bool, const COPY: bool> Kernel
    for OfSize<T, MR, NV, FULL, COPY>
{
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        type Of<T, S> = <T as super::Vectorized>::Vector<S>;
        let OfSize(tile, last) = self;
        let lanes = <Of<T, S> as Vector<T>>::LANES;
        // SAFETY: i < MR, v < NV and p < k stay within what the caller of `Tile::compute` vouches for.
        unsafe {
            let mut sums = [[Of::<T, S>::splat(T::ZERO); NV]; MR];
            let (mut a, mut b, mut copy) = (tile.a, tile.b, tile.copy);
            for _ in 0..tile.k {
                let mut row = [Of::<T, S>::splat(T::ZERO); NV];
                for (v, x) in row.iter_mut().enumerate() {
                    *x = if FULL || v + 1 < NV {
                        Vector::load(b.add(v * lanes))
                    } else {
                        Vector::load_first(b.add(v * lanes), last)
                    };
                    if COPY {
                        x.store(copy.add(v * lanes));
                    }
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = Of::<T, S>::splat(*a.offset(i as isize * tile.a_strides[0]));
                    for (sum, &y) in sums.iter_mut().zip(&row) {
                        *sum = sum.add_product(x, y);
                    }
                }
                a = a.wrapping_offset(tile.a_strides[1]);
                b = b.wrapping_offset(tile.b_k);
                if COPY {
                    copy = copy.wrapping_add(NV * lanes);
                }
            }
            for (i, sums) in sums.into_iter().enumerate() {
                for (v, mut sum) in sums.into_iter().enumerate() {
                    let c = tile.c.add(i * tile.c_row + v * lanes);
                    let whole = v + 1 < NV || last == lanes;
                    if tile.add {
                        let old = if whole { Vector::load(c) } else { Vector::load_first(c, last) };
                        sum = Of::<T, S>::add(old, sum);
                    }
                    if whole { sum.store(c) } else { sum.store_first(c, last) }
                }
            }
        }
    }
}
