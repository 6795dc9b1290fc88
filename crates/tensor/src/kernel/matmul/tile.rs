//! The innermost loop: a tile of C in registers.

use std::marker::PhantomData;

use super::Vectorized;
use super::prefetch_copy::PrefetchCopy;
use crate::kernel::simd::{Simd, Vector, VectorKernel, prefetch, run_for_each_set};

/// The tiles of an instruction set.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct TileSizes {
    /// Elements of a vector.
    pub(in crate::kernel) lanes: usize,
    /// The most rows of a tile that is 1, 2, … vectors across.
    pub(in crate::kernel) rows: &'static [usize],
}

/// Asks for the [`TileSizes`] of a float.
pub(in crate::kernel) struct TileSizesOf<T>(pub(in crate::kernel) PhantomData<T>);

impl<T: Vectorized> VectorKernel for TileSizesOf<T> {
    type Output = TileSizes;

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) -> TileSizes {
        TileSizes { lanes: <T::Vector<S> as Vector<T>>::LANES, rows: S::TILES }
    }
}

/// The operands of one tile: where they begin, and how far it is to the next row or the next k.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Tile<T> {
    /// How many products each element of the tile sums.
    pub(in crate::kernel) k: usize,
    pub(in crate::kernel) a: *const T,
    /// From one row of A to the next, and from one column to the next.
    pub(in crate::kernel) a_strides: [isize; 2],
    /// A row of B is contiguous.
    pub(in crate::kernel) b: *const T,
    /// From one row of B to the next.
    pub(in crate::kernel) b_k: isize,
    /// In place of that, how far each row of B lies from `b`; or null.
    pub(in crate::kernel) b_offsets: *const usize,
    /// Whether the rows of B come from beyond the L1 cache, and are asked for before they are needed.
    pub(in crate::kernel) far: bool,
    /// For this many rows at the end of B, the last vector is loaded only up to the last column. Earlier rows are loaded whole: a
    /// partial load costs a slot of the multiply-add units.
    pub(in crate::kernel) tail_rows: usize,
    /// Where a tile that copies B puts the rows, in whole vectors.
    pub(in crate::kernel) copy: *mut T,
    /// Rows of the next panel, which the tile copies as it goes.
    pub(in crate::kernel) prefetch: PrefetchCopy<T>,
    /// A row of C is contiguous.
    pub(in crate::kernel) c: *mut T,
    /// From one row of C to the next.
    pub(in crate::kernel) c_row: usize,
    /// Whether the products are added to C, or replace it.
    pub(in crate::kernel) add: bool,
    /// What is added to each row of the tile then, or null.
    pub(in crate::kernel) bias: *const T,
}

impl<T: Vectorized> Tile<T> {
    /// Computes a tile of `rows` × `columns`, each at least 1 and at most that of the largest tile. A tile that copies B has
    /// the most rows that its width allows.
    ///
    /// # Safety
    /// The processor has the instructions of `S`; A, B, C and the copy are valid where the tile reaches.
    #[inline(always)]
    pub(in crate::kernel) unsafe fn compute<S: Simd>(&self, rows: usize, columns: usize, copy: bool) {
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let (vectors, last) = (columns.div_ceil(lanes), (columns - 1) % lanes + 1);
        // SAFETY: the processor has the instructions of `S`, and the operands are valid for a tile of this many vectors across.
        unsafe {
            match vectors {
                1 => self.of_vectors::<S, 1>(rows, last, copy),
                2 if const { S::TILES.len() >= 2 } => self.of_vectors::<S, 2>(rows, last, copy),
                3 if const { S::TILES.len() >= 3 } => self.of_vectors::<S, 3>(rows, last, copy),
                4 if const { S::TILES.len() >= 4 } => self.of_vectors::<S, 4>(rows, last, copy),
                _ => unreachable!("a tile of {columns} columns"),
            }
        }
    }

    /// # Safety
    /// As [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_vectors<S: Simd, const NV: usize>(&self, rows: usize, last: usize, copy: bool) {
        // SAFETY: the tile and the operands are those of this function's caller.
        unsafe {
            match copy {
                true => self.of_rows::<S, NV, COPYING>(rows, last),
                false if self.b_offsets.is_null() => self.of_rows::<S, NV, EVEN>(rows, last),
                false => self.of_rows::<S, NV, BY_OFFSETS>(rows, last),
            }
        }
    }

    /// # Safety
    /// As [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_rows<S: Simd, const NV: usize, const B: usize>(&self, rows: usize, last: usize) {
        // SAFETY: the processor has the instructions of `S`, and the operands are valid for a tile of this many rows.
        unsafe {
            match rows {
                1 if const { exists(S::TILES, NV, B, 1) } => S::call(OfSize::<T, 1, NV, B>(self, last)),
                2 if const { exists(S::TILES, NV, B, 2) } => S::call(OfSize::<T, 2, NV, B>(self, last)),
                3 if const { exists(S::TILES, NV, B, 3) } => S::call(OfSize::<T, 3, NV, B>(self, last)),
                4 if const { exists(S::TILES, NV, B, 4) } => S::call(OfSize::<T, 4, NV, B>(self, last)),
                6 if const { exists(S::TILES, NV, B, 6) } => S::call(OfSize::<T, 6, NV, B>(self, last)),
                8 if const { exists(S::TILES, NV, B, 8) } => S::call(OfSize::<T, 8, NV, B>(self, last)),
                _ => unreachable!("a tile of {rows} rows"),
            }
        }
    }
}

/// Whether a tile may have this many rows and vectors. It is a constant: tiles for which it is false are not compiled.
const fn exists(tiles: &[usize], vectors: usize, b: usize, rows: usize) -> bool {
    vectors <= tiles.len() && if b == COPYING { rows == tiles[vectors - 1] } else { rows <= tiles[vectors - 1] }
}

/// How a tile reads the rows of B: each as far from the one before,
const EVEN: usize = 0;
/// and copied as it goes,
const COPYING: usize = 1;
/// or where a list of offsets says.
const BY_OFFSETS: usize = 2;

/// The rows that a tile can have, up to those of the largest.
const HEIGHTS: [usize; 6] = [1, 2, 3, 4, 6, 8];

/// How many of `left` rows the next tile takes, at most `most`. Heights are about even, so that no tile is too small to keep
/// the arithmetic units busy.
#[inline(always)]
pub(in crate::kernel) fn height(left: usize, most: usize) -> usize {
    let even = left.div_ceil(left.div_ceil(most));
    // Every number but 5 and 7 is a height.
    if HEIGHTS.contains(&even) {
        even
    } else if left > even {
        even + 1
    } else {
        even.div_ceil(2)
    }
}

/// A row of B is asked for so many products before it is used. A panel of 64 columns and 256 to 512 rows is then read 5 to 7 % faster
/// from the L2 cache; 8 and 16 do as well (Granite Rapids, one thread).
const DISTANCE: isize = 4;

/// A tile whose size the compiler knows: MR × NV accumulators stay in registers for the whole loop. The number beside it is how
/// many elements of C the last vector of a row has. By reference, since each of the fifty calls would copy it.
///
/// Each element is one chain of fused multiply-adds, in the order of k: its bits depend neither on the size of the
/// tile nor on the width of the vectors.
struct OfSize<'a, T, const MR: usize, const NV: usize, const B: usize>(&'a Tile<T>, usize);

type Of<T, S> = <T as super::Vectorized>::Vector<S>;

impl<T: Vectorized, const MR: usize, const NV: usize, const B: usize> OfSize<'_, T, MR, NV, B> {
    /// Adds the next product to each sum. Unless `WHOLE`, the last vector of B is loaded only as far as C has columns. Where
    /// `FAR`, a later row of B is asked for.
    ///
    /// # Safety
    /// As [`Tile::compute`]; there is a product left, and where `WHOLE`, whole vectors of B may be read.
    #[inline(always)]
    unsafe fn step<S: Simd, const WHOLE: bool, const FAR: bool>(
        tile: &mut Tile<T>,
        last: usize,
        sums: &mut [[Of<T, S>; NV]; MR],
    ) {
        let lanes = <Of<T, S> as Vector<T>>::LANES;
        // SAFETY: i < MR and v < NV stay within what the caller vouches for.
        unsafe {
            let mut row = [Of::<T, S>::splat(T::ZERO); NV];
            let from = if B == BY_OFFSETS { tile.b.add(*tile.b_offsets) } else { tile.b };
            for (v, x) in row.iter_mut().enumerate() {
                let b = from.add(v * lanes);
                if FAR {
                    prefetch(b.wrapping_offset(DISTANCE * tile.b_k));
                }
                *x = if WHOLE || v + 1 < NV { Vector::load(b) } else { Vector::load_first(b, last) };
                if B == COPYING {
                    x.store(tile.copy.add(v * lanes));
                }
            }
            // By index: the functions of a zipped iterator may come from another codegen unit, and not be inlined.
            #[allow(clippy::needless_range_loop, reason = "the comment above")]
            for i in 0..MR {
                let x = Of::<T, S>::splat(*tile.a.offset(i as isize * tile.a_strides[0]));
                for v in 0..NV {
                    sums[i][v] = sums[i][v].add_product(x, row[v]);
                }
            }
        }
        tile.a = tile.a.wrapping_offset(tile.a_strides[1]);
        if B == BY_OFFSETS {
            tile.b_offsets = tile.b_offsets.wrapping_add(1);
        } else {
            tile.b = tile.b.wrapping_offset(tile.b_k);
        }
        if B == COPYING {
            tile.copy = tile.copy.wrapping_add(NV * lanes);
        }
    }

    /// Adds all products to each sum, and copies the rows of the next panel between them.
    ///
    /// # Safety
    /// As [`Tile::compute`].
    #[inline(always)]
    unsafe fn all_steps<S: Simd>(tile: &mut Tile<T>, last: usize, sums: &mut [[Of<T, S>; NV]; MR]) {
        // SAFETY: this function's caller ensures it; there are `left` products left.
        unsafe {
            let (mut left, mut prefetch) = (tile.k, tile.prefetch);
            let steps = prefetch.steps(left);
            while left > 0 || prefetch.rows > 0 {
                if prefetch.rows > 0 {
                    prefetch = prefetch.copy_row::<S>();
                }
                let now = left.min(steps);
                let whole = now.min(left.saturating_sub(tile.tail_rows));
                if tile.far {
                    for _ in 0..whole {
                        Self::step::<S, true, true>(tile, last, sums);
                    }
                } else {
                    for _ in 0..whole {
                        Self::step::<S, true, false>(tile, last, sums);
                    }
                }
                for _ in whole..now {
                    Self::step::<S, false, false>(tile, last, sums);
                }
                left -= now;
            }
        }
    }
}

impl<T: Vectorized, const MR: usize, const NV: usize, const B: usize> VectorKernel for OfSize<'_, T, MR, NV, B> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "as in `step`")]
    unsafe fn run_with<S: Simd>(self) {
        let (mut tile, last) = (*self.0, self.1);
        let lanes = <Of<T, S> as Vector<T>>::LANES;
        // SAFETY: i < MR, v < NV and p < k stay within what the caller of `Tile::compute` vouches for.
        unsafe {
            let mut sums = [[Of::<T, S>::splat(T::ZERO); NV]; MR];
            for i in 0..MR {
                for v in 0..NV {
                    prefetch(tile.c.wrapping_add(i * tile.c_row + v * lanes));
                }
            }
            if B == BY_OFFSETS {
                // Strips are near, and have whole vectors everywhere: what is not asked for is not compiled.
                for _ in 0..tile.k {
                    Self::step::<S, true, false>(&mut tile, last, &mut sums);
                }
            } else {
                Self::all_steps::<S>(&mut tile, last, &mut sums);
            }
            // Three passes, and not one with branches for each vector, which was 1.7 times as much code.
            if tile.add {
                for i in 0..MR {
                    for v in 0..NV {
                        let c = tile.c.add(i * tile.c_row + v * lanes);
                        let old =
                            if v + 1 < NV || last == lanes { Vector::load(c) } else { Vector::load_first(c, last) };
                        sums[i][v] = Of::<T, S>::add(old, sums[i][v]);
                    }
                }
            }
            if !tile.bias.is_null() {
                for v in 0..NV {
                    let bias = tile.bias.add(v * lanes);
                    let bias =
                        if v + 1 < NV || last == lanes { Vector::load(bias) } else { Vector::load_first(bias, last) };
                    for i in 0..MR {
                        sums[i][v] = Of::<T, S>::add(sums[i][v], bias);
                    }
                }
            }
            for i in 0..MR {
                for v in 0..NV {
                    let c = tile.c.add(i * tile.c_row + v * lanes);
                    if v + 1 < NV || last == lanes { sums[i][v].store(c) } else { sums[i][v].store_first(c, last) }
                }
            }
        }
    }
}
