//! The product of two matrices of any strides.
//!
//! C is cut into blocks, which are the tasks of `par`; a block goes through k in chunks, through its columns in panels
//! and through its rows in tiles. A tile of C stays in registers while it runs through a chunk of k (`tile`). A is read
//! in place, whatever its strides; B too where its rows are contiguous and few, else panels of it are copied (`pack`).
//!
//! Each element of C is, in each chunk, one chain of fused multiply-adds in the order of k, and chunks are added in
//! order. So its bits depend on k alone: not on blocks, tiles, packing, threads or the instruction set.

mod pack;
mod tile;

use std::ops::Range;

use self::tile::{Tile, columns_of_tile, tile};
use super::isa::{self, Kernel};
use super::simd::{SIDE, Simd, Vector};
use crate::buffer::Buffer;
use crate::element::Float;
use crate::par;

/// A float with vectors on every instruction set.
pub trait Vectorized: Copy {
    /// Its vector on `S`.
    #[doc(hidden)]
    type Vector<S: Simd>: Vector<Self>;

    /// Computes a block. Not generic, so that it is compiled once, in this crate.
    #[doc(hidden)]
    fn block(block: Block<'_, Self>);

    /// out\[p · width + j] = columns\[j]\[p]
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn interleave<S: Simd>(columns: [&[Self]; SIDE], out: &mut [Self], width: usize) {
        pack::interleave(columns, 0..columns[0].len(), out, width);
    }
}

impl Vectorized for f32 {
    type Vector<S: Simd> = S::F32;

    fn block(block: Block<'_, Self>) {
        isa::dispatch(block);
    }

    #[inline(always)]
    unsafe fn interleave<S: Simd>(columns: [&[f32]; SIDE], out: &mut [f32], width: usize) {
        let len = columns[0].len();
        for p in (0..len - len % SIDE).step_by(SIDE) {
            let rows = columns.map(|column| column[p..][..SIDE].as_ptr());
            let out = &mut out[p * width..][..(SIDE - 1) * width + SIDE];
            // SAFETY: the caller's promise, and the slices above have the lengths.
            unsafe { S::transpose(rows, out.as_mut_ptr(), width) }
        }
        pack::interleave(columns, len - len % SIDE..len, out, width);
    }
}

impl Vectorized for f64 {
    type Vector<S: Simd> = S::F64;

    fn block(block: Block<'_, Self>) {
        isa::dispatch(block);
    }
}

/// A strided matrix, all of it within `data`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    data: &'a [T],
    at: usize,
    rows: usize,
    columns: usize,
    strides: [isize; 2],
}

impl<'a, T> Matrix<'a, T> {
    /// The element (i, j) is `data[at + i · strides[0] + j · strides[1]]`.
    ///
    /// # Panics
    /// An element lies outside `data`.
    pub(crate) fn new(data: &'a [T], at: usize, [rows, columns]: [usize; 2], strides: [isize; 2]) -> Self {
        if rows > 0 && columns > 0 {
            let reach = |size: usize, stride: isize| (size as i128 - 1) * stride as i128;
            let steps = [reach(rows, strides[0]), reach(columns, strides[1])];
            let least = at as i128 + steps.iter().map(|s| s.min(&0)).sum::<i128>();
            let most = at as i128 + steps.iter().map(|s| s.max(&0)).sum::<i128>();
            assert!(least >= 0 && most < data.len() as i128, "a matrix must lie within its data");
        }
        Matrix { data, at, rows, columns, strides }
    }

    /// Where in the data the element (i, j) lies.
    fn position(&self, i: usize, j: usize) -> usize {
        self.at.wrapping_add_signed(i as isize * self.strides[0] + j as isize * self.strides[1])
    }

    /// The element (i, j), which must be within the matrix for it to be read.
    fn pointer(&self, i: usize, j: usize) -> *const T {
        self.data.as_ptr().wrapping_add(self.position(i, j))
    }
}

// Measured on one core of an AMD EPYC (Zen 3, AVX2), f32, squares of 512 and 1024 and 768 × 1000 × 1000: chunks of 256,
// 384 and 512, blocks of 192, 384 and 1024 rows, groups of 64, 128 and 256 columns; these are among the best throughout.

/// How much of k a tile runs through at once. It decides how sums are rounded: results change with it.
const CHUNK: usize = 512;

/// Rows of a block, at most: a copied panel of B serves them all.
const BLOCK_ROWS: usize = 384;

/// Columns of B that are copied together, at most.
const GROUP: usize = 64;

/// B is read in place where a chunk of it takes no more than this many bytes, and so stays in the L1 cache however it
/// lies. Copying lost 12 % and more at 24 KiB and below, and won above: 60 against 85 GFLOP/s at 64 KiB with rows of
/// 512 bytes, few of which the cache can hold at once.
const IN_PLACE: usize = 32 << 10;

/// A copy of B pays only if it serves more rows than this.
const FEW_ROWS: usize = 24;

/// C = A · B in row-major order.
///
/// # Panics
/// The sizes do not fit.
pub(crate) fn matmul<T: Float>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(b.rows == k && c.len() == m * n, "the sizes of a product must fit");
    if k == 0 || c.is_empty() {
        return c.fill(T::ZERO);
    }
    let product = Product { a, b, c: Shared(c.as_mut_ptr()) };
    let (block_rows, block_columns) = block_size(m, k, n);
    let (down, across) = (m.div_ceil(block_rows), n.div_ceil(block_columns));
    let cost = (block_rows * block_columns) as f64 * k as f64 * par::MULTIPLY_ADD;
    par::ranges(down * across, 1, cost, |from, to| {
        for block in from..to {
            let (i, j) = (block / across * block_rows, block % across * block_columns);
            let rows = i..(i + block_rows).min(m);
            let columns = j..(j + block_columns).min(n);
            T::block(Block { product: &product, rows, columns });
        }
    });
}

/// How many rows and columns a block of C has, by the shape alone: no more rows than suit the cache, and as many blocks
/// as there is work for.
fn block_size(m: usize, k: usize, n: usize) -> (usize, usize) {
    /// Rows of a block come in whole tiles of every instruction set, columns in whole cache lines.
    const ROWS: usize = 24;
    const COLUMNS: usize = 16;
    let down = m.div_ceil(BLOCK_ROWS);
    let tasks = par::tasks((m * n) as f64 * k as f64 * par::MULTIPLY_ADD);
    let across = tasks.div_ceil(down);
    (m.div_ceil(down).next_multiple_of(ROWS), n.div_ceil(across).next_multiple_of(COLUMNS))
}

struct Product<'a, T> {
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    c: Shared<T>,
}

/// A block of C: the work of one task.
pub struct Block<'a, T> {
    product: &'a Product<'a, T>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<T: Float> Kernel for Block<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Product { a, b, c } = self.product;
        let (rows, n) = (self.rows.len(), b.columns);
        let width = columns_of_tile::<T, S>();
        let tiles = rows.div_ceil(S::TILE[0]);
        // Of even height, so that none is too small to keep the arithmetic units busy.
        let tile_start = |i: usize| rows * i / tiles;

        let chunk = a.columns.min(CHUNK);
        let large = chunk * n * size_of::<T>() > IN_PLACE && rows > FEW_ROWS;
        let pack = b.strides[1] != 1 || large;
        let group = (GROUP / width * width).max(width).min(self.columns.len().next_multiple_of(width));
        let mut packed = Buffer::stale(if pack { group * chunk } else { 0 });

        for start in (0..a.columns).step_by(CHUNK) {
            let k = start..(start + CHUNK).min(a.columns);
            for column in self.columns.clone().step_by(width) {
                let columns = width.min(self.columns.end - column);
                let (b_at, b_k) = if pack {
                    let place = (column - self.columns.start) % group;
                    if place == 0 {
                        let end = self.columns.end.min(column + group);
                        // SAFETY: the caller has the instructions.
                        unsafe { pack::pack::<T, S>(*b, k.clone(), column..end, width, &mut packed) }
                    }
                    (packed[place * k.len()..].as_ptr(), width as isize)
                } else {
                    (b.pointer(k.start, column), b.strides[0])
                };
                for i in 0..tiles {
                    let (from, to) = (tile_start(i), tile_start(i + 1));
                    let a_at = a.pointer(self.rows.start + from, k.start);
                    let c = c.pointer().wrapping_add((self.rows.start + from) * n + column);
                    let [a_row, a_k] = a.strides;
                    let t = Tile { k: k.len(), a: a_at, a_row, a_k, b: b_at, b_k, c, c_row: n, add: start > 0 };
                    // SAFETY: the caller has the instructions. The tile is within A, B and C: `Matrix::new` has checked
                    // A and B, packed panels have the size that the tile reads, `matmul` has checked the length of C.
                    // C is borrowed mutably there, and its blocks, one for each task, are apart.
                    unsafe { tile::<T, S>(t, to - from, columns, pack) }
                }
            }
        }
    }
}

/// A pointer that tasks share, each for elements of its own.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);

impl<T> Shared<T> {
    fn pointer(self) -> *mut T {
        self.0
    }
}

// SAFETY: only `matmul` makes one, and its tasks write disjoint blocks.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "within its data")]
    fn a_matrix_outside_its_data_is_refused() {
        Matrix::new(&[0.0; 6], 1, [2, 3], [3, 1]);
    }

    #[test]
    #[should_panic(expected = "within its data")]
    fn a_negative_stride_below_the_start_is_refused() {
        Matrix::new(&[0.0; 6], 1, [2, 3], [-3, 1]);
    }

    /// The oracle: three loops, with the rounding that the module promises.
    fn chains<T: Float>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
        let mut c = Vec::with_capacity(a.rows * b.columns);
        for i in 0..a.rows {
            for j in 0..b.columns {
                let chunk = |k: Range<usize>| {
                    k.fold(T::ZERO, |sum, p| a.data[a.position(i, p)].mul_add(b.data[b.position(p, j)], sum))
                };
                let chunks = (0..a.columns).step_by(CHUNK).map(|start| chunk(start..a.columns.min(start + CHUNK)));
                c.push(chunks.reduce(|sum, next| sum + next).unwrap_or(T::ZERO));
            }
        }
        c
    }

    /// A matrix stored by rows, by columns, with gaps, backwards, or repeating one row.
    fn stored<T: Float>(data: &[T], size: [usize; 2], storage: usize) -> Matrix<'_, T> {
        let [rows, columns] = size.map(|size| size as isize);
        let (at, strides) = match storage {
            0 => (0, [columns, 1]),
            1 => (0, [1, rows]),
            2 => (3, [2 * columns + 1, 2]),
            3 => ((rows * columns).max(1) - 1, [-columns, -1]),
            _ => (0, [0, 1]),
        };
        Matrix::new(data, at as usize, size, strides)
    }

    fn assert_chains<T: Float>(m: usize, k: usize, n: usize, storage: [usize; 2]) {
        let number = |i: usize| T::from_f64(((i * 7919) % 1013) as f64 / 507.0 - 1.0);
        let data: Vec<T> = (0..2 * (m.max(n) + 2) * (k + 2) + 3).map(number).collect();
        let (a, b) = (stored(&data, [m, k], storage[0]), stored(&data, [k, n], storage[1]));
        let mut c = vec![T::from_f64(f64::NAN); m * n];
        matmul(a, b, &mut c);
        assert!(c == chains(a, b), "{m} × {k} × {n}, stored {storage:?}");
    }

    /// Sizes at and around every edge: of vectors, of tiles, of panels, of blocks, of chunks.
    #[test]
    fn every_bit_is_that_of_three_loops() {
        for m in 0..=20 {
            for n in 0..=20 {
                for storage in 0..25 {
                    assert_chains::<f32>(m, 5, n, [storage / 5, storage % 5]);
                    assert_chains::<f64>(m, 3, n, [storage / 5, storage % 5]);
                }
            }
        }
        for (m, k, n) in [
            (1, 300, 1),
            (2, 0, 2),
            (7, 257, 49),
            (23, 31, 47),
            (25, 256, 48),
            (49, 255, 33),
            (65, 513, 66),
            (30, 1030, 70),
            (193, 520, 130),
            (385, 12, 17),
            (40, 12, 600),
        ] {
            for storage in 0..25 {
                assert_chains::<f32>(m, k, n, [storage / 5, storage % 5]);
                assert_chains::<f64>(m, k, n, [storage / 5, storage % 5]);
            }
        }
    }

    /// AVX-512 in arrays: the largest tiles, on any processor.
    struct Wide;

    impl Simd for Wide {
        type F32 = [f32; 16];
        type F64 = [f64; 8];
        const TILE: [usize; 2] = [8, 3];
        const FREE_MASKS: bool = true;
    }

    #[test]
    fn the_largest_tiles_are_right_where_no_processor_has_them() {
        let data: Vec<f32> = (0..200_000).map(|i| ((i * 7919) % 1013) as f32 / 507.0 - 1.0).collect();
        for (m, k, n) in
            [(1, 3, 1), (7, 5, 15), (8, 5, 16), (9, 2, 17), (15, 3, 33), (17, 4, 48), (20, 3, 49), (61, 520, 131)]
        {
            for storage in [0, 1, 2, 4] {
                let (a, b) = (stored(&data, [m, k], storage), stored(&data, [k, n], storage % 3));
                let mut c = vec![f32::NAN; m * n];
                let product = Product { a, b, c: Shared(c.as_mut_ptr()) };
                // SAFETY: arrays need no instructions.
                unsafe { Block { product: &product, rows: 0..m, columns: 0..n }.run::<Wide>() }
                assert!(c == chains(a, b), "{m} × {k} × {n}, stored {storage}");
            }
        }
    }

    #[test]
    fn threads_leave_no_trace() {
        for (m, k, n) in [(300, 257, 200), (1, 3000, 700), (700, 3000, 1), (64, 4096, 64)] {
            let number = |i: usize| ((i * 7919) % 1013) as f32 / 507.0 - 1.0;
            let data: Vec<f32> = (0..m.max(n) * k).map(number).collect();
            let (a, b) = (stored(&data, [m, k], 0), stored(&data, [k, n], 1));
            let want = chains(a, b);
            for threads in [1, 2, 3, 8] {
                let mut c = vec![f32::NAN; m * n];
                par::with_threads(threads, || matmul(a, b, &mut c)).unwrap();
                assert!(c == want, "{m} × {k} × {n} on {threads} threads");
            }
        }
    }
}
