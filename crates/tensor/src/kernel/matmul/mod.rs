//! The product of two matrices of any strides.
//!
//! C is cut into blocks, which are the tasks of `par`. A block goes through k in chunks, through its columns in panels
//! and through its rows in tiles. A tile of C stays in registers while it runs through a chunk of k (`tile`). A is read
//! in place unless its elements are far apart. B is read in place where its rows are contiguous and few. Otherwise panels
//! of B are copied. Where rows of B are contiguous, the first tile copies the first panel as it goes, and the tiles of each
//! panel copy the next panel (`prefetch_copy`); where they are not, a panel is copied before its tiles (`pack`). Where it is
//! cheaper, such as for few columns, Bᵀ · Aᵀ is computed and transposed (`transposed`).
//!
//! Each element of C is, in each chunk, one chain of fused multiply-adds in the order of k, and chunks are added in
//! order. So its bits depend on k alone: not on blocks, tiles, packing, threads or the instruction set. One row or one
//! column has another order, where that is the way it lies in memory (`vector`).

#[cfg(any(test, feature = "matrixmultiply"))]
mod foreign;
mod matrix;
mod pack;
mod packed;
mod panels;
mod prefetch_copy;
mod tile;
mod transposed;
mod vector;

use std::marker::PhantomData;
use std::ops::Range;

pub(crate) use self::matrix::Matrix;
pub(super) use self::pack::pack;
pub(super) use self::packed::Packed;
use self::panels::Panels;
pub(super) use self::prefetch_copy::PrefetchCopy;
pub(super) use self::tile::{Tile, TileSizes, TileSizesOf, height};
use super::simd::{self, SIDE, Simd, Vector, VectorKernel, run_for_each_set};
use crate::buffer::{Buffer, Pooled};
use crate::kernel::Real;
use crate::par::{self, Hands, Shared};

/// A float with vectors on every instruction set.
pub trait Vectorized: Real + Pooled {
    /// Its vector on `S`.
    #[doc(hidden)]
    type Vector<S: Simd>: Vector<Self>;

    /// The product by the crate matrixmultiply.
    #[cfg(any(test, feature = "matrixmultiply"))]
    #[doc(hidden)]
    const GEMM: foreign::Gemm<Self>;

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

    #[cfg(any(test, feature = "matrixmultiply"))]
    const GEMM: foreign::Gemm<Self> = matrixmultiply::sgemm;

    #[inline(always)]
    unsafe fn interleave<S: Simd>(columns: [&[f32]; SIDE], out: &mut [f32], width: usize) {
        let len = columns[0].len();
        for p in (0..len - len % SIDE).step_by(SIDE) {
            // By index: the function of a mapped array may come from another codegen unit, and not be inlined.
            let mut rows = [std::ptr::null(); SIDE];
            for j in 0..SIDE {
                rows[j] = columns[j][p..][..SIDE].as_ptr();
            }
            let out = &mut out[p * width..][..(SIDE - 1) * width + SIDE];
            // SAFETY: the processor has the instructions of `S`: this function's caller ensures it. The slices above have
            // SIDE elements each, and `out` room for SIDE at each multiple of `width`.
            unsafe { S::transpose(rows, out.as_mut_ptr(), width) }
        }
        pack::interleave(columns, len - len % SIDE..len, out, width);
    }
}

impl Vectorized for f64 {
    type Vector<S: Simd> = S::F64;

    #[cfg(any(test, feature = "matrixmultiply"))]
    const GEMM: foreign::Gemm<Self> = matrixmultiply::dgemm;
}

/// How much of k a tile runs through at once. It decides how sums are rounded: results change with it. For 1024³ and 2048³, 512
/// is fastest; 256, 384 and 1024 are 7, 2 and 2 % slower (Emerald Rapids, one thread).
pub(super) const CHUNK: usize = 512;

/// The most rows of a block. A copied panel of B serves all of them, while a chunk of these rows of A stays in the L2 cache.
/// For 2048³, 256 is fastest; 192, 384 and 512 are 5, 2 and 6 % slower (Emerald Rapids, one thread).
pub(super) const BLOCK_ROWS: usize = 256;

/// B is read in place where a chunk of it takes no more bytes than this: it then stays in the L1 cache, however it lies.
const IN_PLACE: usize = 32 << 10;

/// What the L1 cache holds of a panel beside everything else, in bytes. Panels of 40 KiB are read no faster for being asked for, those of
/// 64 KiB are (Granite Rapids, which has 48 KiB; others have 32).
const NEAR: usize = 32 << 10;

/// Whether so much of a copied panel is asked for before it is read.
#[inline(always)]
pub(super) fn is_far<T>(k: usize, columns: usize) -> bool {
    k * columns * size_of::<T>() > NEAR
}

/// A copy of B pays only if it serves more rows than this, which is at least the height of every tile.
const FEW_ROWS: usize = 24;

/// Where the rows of A are not contiguous, and a chunk of them spans more bytes than this, they are copied. Without a copy, each
/// step of k reads another page, and all of them fall into the same few sets of the caches. For Aᵀ · B of 1024 × 1024 × 1024,
/// a copy takes the time from 27 ms to 14. It saves 7 % for 784 × 256 × 1024 (0.8 MB), costs 1 % for 512 × 512 × 512 (1 MiB)
/// and costs 30 % for 256 × 512 × 128 (0.5 MiB; Emerald Rapids, one thread). It saves 13 % for 1024 × 512 × 27, but
/// where B is no wider than a vector, of which each element of A is read for one multiply-add, it costs 9 % (Granite Rapids).
const FAR_APART: usize = 768 << 10;

/// What a product does to C.
#[derive(Clone, Copy)]
pub(crate) enum Onto<'a, T> {
    /// C = A · B
    Nothing,
    /// C = C + A · B
    C,
    /// C = A · B + b, a bias for each column.
    Bias(&'a [T]),
}

/// The product A · B in row-major order.
///
/// # Panics
/// The sizes do not fit.
pub(crate) fn matmul<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T], onto: Onto<'_, T>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(b.rows == k && c.len() == m * n, "the sizes of a product must fit");
    let bias = match onto {
        Onto::Bias(bias) => {
            assert_eq!(bias.len(), n, "a bias for each column");
            Some(bias)
        }
        _ => None,
    };
    let add = matches!(onto, Onto::C);
    let bias_left = if k == 0 || c.is_empty() {
        if !add {
            c.fill(T::ZERO);
        }
        bias
    } else if cfg!(feature = "matrixmultiply") {
        #[cfg(feature = "matrixmultiply")]
        foreign::matmul(a, b, c, add);
        bias
    } else {
        native(a, b, c, add, bias)
    };
    if let Some(bias) = bias_left {
        for row in c.chunks_exact_mut(n.max(1)) {
            row.iter_mut().zip(bias).for_each(|(c, &b)| *c += b);
        }
    }
}

/// The product by our own loops, of matrices with elements. Returns the bias where it is still to be added.
#[cfg_attr(feature = "matrixmultiply", allow(dead_code, reason = "the feature puts another in its place"))]
fn native<'b, T: Vectorized>(
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    c: &mut [T],
    add: bool,
    bias: Option<&'b [T]>,
) -> Option<&'b [T]> {
    let (m, n) = (a.rows, b.columns);
    // A vector on the other side of contiguous rows of length k.
    if n == 1 && a.strides[1] == 1 {
        vector::rows_by_vector(a, b, c, add);
        return bias;
    }
    if m == 1 && b.strides[0] == 1 {
        vector::rows_by_vector(b.t(), a.t(), c, add);
        return bias;
    }
    if m == 1 && n == 1 {
        vector::row_by_column(a, b, &mut c[0], add);
        return bias;
    }
    // One column is one row the other way round: tiles are wide.
    if n == 1 {
        native(b.t(), a.t(), c, add, None);
        return bias;
    }
    let sizes = simd::dispatch(TileSizesOf(PhantomData::<T>));
    // Neither way then copies B before it is read. Chunks would be added to a C that is there in another order.
    let can_transpose = !add && a.strides[0] == 1 && b.strides[1] == 1;
    if can_transpose && transposed::pays(a, b, sizes) {
        transposed::transposed(a, b, c, sizes);
        return bias;
    }
    tiled(a, b, c, add, bias, sizes);
    None
}

/// Whether rows of A are read better from a copy, if their elements are read often enough.
fn is_far_apart<T>(a: Matrix<'_, T>) -> bool {
    let width = a.columns.min(CHUNK).next_multiple_of(SIDE);
    a.strides[1] != 1 && a.strides[1].unsigned_abs() * width * size_of::<T>() > FAR_APART
}

/// The product tile by tile.
fn tiled<T: Vectorized>(
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    c: &mut [T],
    add: bool,
    bias: Option<&[T]>,
    sizes: TileSizes,
) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let TileSizes { lanes, rows } = sizes;
    let height = rows[rows.len() - 1];
    let panels = Parts { len: n, unit: lanes, parts: n.div_ceil(lanes * rows.len()) };
    // Columns are parted first: B is then copied once.
    let cost = m as f64 * n as f64 * k as f64 * par::MULTIPLY_ADD;
    let hands = Hands::for_work(cost);
    let (tasks, least) = (hands.tasks(), m.div_ceil(BLOCK_ROWS));
    if tasks == 1 && least == 1 {
        let product = Product { a, b, c: Shared::new(c), panels, add, bias };
        simd::dispatch(Block { product: &product, rows: 0..m, panels: 0..panels.parts });
        return;
    }
    let across = Parts { len: panels.parts, unit: 1, parts: tasks.div_ceil(least).min(panels.parts) };
    let down = tasks.div_ceil(across.parts).max(least).min(m.div_ceil(height));
    let down = Parts { len: m, unit: height, parts: down };

    let product = Product { a, b, c: Shared::new(c), panels, add, bias };
    hands.each(down.parts * across.parts, &|block| {
        let rows = down.range(block / across.parts);
        let panels = across.range(block % across.parts);
        simd::dispatch(Block { product: &product, rows: rows.start..rows.end.min(m), panels });
    });
}

/// A length in even parts of whole units. The last part may reach beyond the length, to fill its last unit.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) len: usize,
    pub(super) unit: usize,
    pub(super) parts: usize,
}

impl Parts {
    #[inline(always)]
    pub(super) fn range(&self, part: usize) -> Range<usize> {
        let start = |part: usize| self.len.div_ceil(self.unit) * part / self.parts * self.unit;
        start(part)..start(part + 1)
    }
}

struct Product<'a, T> {
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    c: Shared<T>,
    /// The columns of B, in panels as wide as a tile.
    panels: Parts,
    add: bool,
    /// What is added to each row of C when all of k is in.
    bias: Option<&'a [T]>,
}

/// A block of C, which is the work of one task.
struct Block<'a, T> {
    product: &'a Product<'a, T>,
    rows: Range<usize>,
    panels: Range<usize>,
}

impl<T: Vectorized> VectorKernel for Block<'_, T> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let Product { a, b, c, panels, add, bias } = *self.product;
        let (k, n) = (a.columns, b.columns);
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let [mut copy, mut next_copy] = Panels::room::<S>(&b, self.rows.len()).map(Buffer::<T>::stale);
        let mut b = Panels::new(b, self.rows.len(), [&mut copy, &mut next_copy]);
        let a_width = k.min(CHUNK).next_multiple_of(SIDE);
        // A row of 2 KiB and no more would begin in one of two sets of the L1 cache.
        let a_row = a_width + SIDE;
        let wide = self.panels.len() > 1 || panels.range(self.panels.start).len() > lanes;
        let packs_a = wide && is_far_apart(a);
        let mut a_copy = Buffer::<T>::stale(if packs_a { self.rows.len() * a_row } else { 0 });
        let a_copy = &mut *a_copy;
        for start in (0..k).step_by(CHUNK) {
            let end = k.min(start + CHUNK);
            if packs_a {
                // SAFETY: the caller has the instructions.
                unsafe { pack::pack::<T, S>(a, self.rows.clone(), start..start + a_width, a_copy, a_row) }
            }
            for panel in self.panels.clone() {
                let columns = panels.range(panel);
                let most = S::TILES[columns.len() / lanes - 1];
                // SAFETY: the caller has the instructions.
                unsafe { b.begin::<S>(start..end, columns.clone()) }
                // After this panel comes the next one, or the first of the next chunk.
                let next = if panel + 1 < self.panels.end { (start, panel + 1) } else { (end, self.panels.start) };
                let mut prefetch_copy = b.next(next.0, panels.range(next.1));
                let tail_rows = self.product.b.tail_rows(start..end, columns.clone());
                let mut row = self.rows.start;
                while row < self.rows.end {
                    // A copying tile has full height.
                    let left = self.rows.end - row;
                    let rows = if b.is_to_be_copied() { most } else { height(left, most) };
                    let source = b.source(&(start..end), &columns, tail_rows);
                    let (rows_of_a, a_strides) = match packs_a {
                        true => (a_copy[(row - self.rows.start) * a_row..].as_ptr(), [a_row as isize, 1]),
                        false => (a.pointer(row, start), a.strides),
                    };
                    let tile = Tile {
                        k: end - start,
                        a: rows_of_a,
                        a_strides,
                        b: source.at,
                        b_k: source.stride,
                        b_offsets: std::ptr::null(),
                        far: source.far,
                        tail_rows: source.tail_rows,
                        copy: source.copy,
                        prefetch: prefetch_copy.share(rows, left),
                        c: c.pointer().wrapping_add(row * n + columns.start),
                        c_row: n,
                        add: add || start > 0,
                        bias: match bias {
                            Some(bias) if end == k => bias[columns.start..].as_ptr(),
                            _ => std::ptr::null(),
                        },
                    };
                    // SAFETY: the caller has the instructions. The tile is within A, B and C: `Matrix::new` has checked
                    // A and B, the copies have room for the widest panel, `matmul` has checked the length of C. C is
                    // borrowed mutably there, and its blocks, one for each task, are apart. The bias has as many elements
                    // as C has columns.
                    unsafe { tile.compute::<S>(rows, columns.end.min(n) - columns.start, source.is_copied_by_tile) }
                    row += rows;
                    b.end_tile();
                }
                b.end();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle: three loops, with the rounding that the module promises.
    fn chains<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
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
    fn stored<T: Vectorized>(data: &[T], size: [usize; 2], storage: usize) -> Matrix<'_, T> {
        let [rows, columns] = size.map(|size| size as isize);
        // Without gaps, it ends where the memory ends, beyond which nothing may be read.
        let data = if storage < 2 { &data[data.len() - size[0] * size[1]..] } else { data };
        let (at, strides) = match storage {
            0 => (0, [columns, 1]),
            1 => (0, [1, rows]),
            2 => (3, [2 * columns + 1, 2]),
            3 => ((rows * columns).max(1) - 1, [-columns, -1]),
            _ => (0, [0, 1]),
        };
        Matrix::new(data, at as usize, size, strides)
    }

    /// Whether the product is one of dot products of contiguous rows, whose order differs from that of `chains`.
    fn is_dots<T>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> bool {
        b.columns == 1 && a.strides[1] == 1 || a.rows == 1 && b.strides[0] == 1
    }

    /// The oracle for those: 64 partial sums, added by halves.
    fn dots<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
        let dot = |i: usize, j: usize| {
            let mut sums = vec![T::ZERO; 64];
            for p in 0..a.columns {
                sums[p % 64] = a.data[a.position(i, p)].mul_add(b.data[b.position(p, j)], sums[p % 64]);
            }
            while sums.len() > 1 {
                let upper = sums.split_off(sums.len() / 2);
                sums.iter_mut().zip(upper).for_each(|(sum, other)| *sum += other);
            }
            sums[0]
        };
        (0..a.rows * b.columns).map(|at| dot(at / b.columns, at % b.columns)).collect()
    }

    fn want<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
        if is_dots(a, b) { dots(a, b) } else { chains(a, b) }
    }

    /// Our own, with what comes before it.
    fn product<T: Vectorized>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T], add: bool) {
        if a.columns == 0 || c.is_empty() {
            matmul(a, b, c, if add { Onto::C } else { Onto::Nothing })
        } else {
            native(a, b, c, add, None);
        }
    }

    /// Another implementation, which rounds in its own way.
    #[test]
    fn another_implementation_agrees() {
        fn agree<T: Vectorized>(epsilon: f64) {
            for [m, k, n] in [[1, 1, 1], [7, 257, 49], [65, 513, 66], [1, 200, 3], [3, 64, 1], [193, 520, 130]] {
                for storage in 0..25 {
                    let number = |i: usize| T::from_f64(((i * 7919) % 1013) as f64 / 507.0 - 1.0);
                    let data: Vec<T> = (0..2 * (m.max(n) + 2) * (k + 2) + 3).map(number).collect();
                    let (a, b) = (stored(&data, [m, k], storage / 5), stored(&data, [k, n], storage % 5));
                    let (mut c, mut theirs) = (vec![T::ONE; m * n], vec![T::ONE; m * n]);
                    for add in [false, true] {
                        native(a, b, &mut c, add, None);
                        foreign::matmul(a, b, &mut theirs, add);
                        // No term is larger than 1: the bound of both errors is k² ε. Far below it, a mistake still shows.
                        let close = |(x, y): (&T, &T)| (x.to_f64() - y.to_f64()).abs() <= 8.0 * k as f64 * epsilon;
                        assert!(c.iter().zip(&theirs).all(close), "{m} × {k} × {n}, stored {storage}, add {add}");
                    }
                }
            }
        }
        agree::<f32>(f32::EPSILON.into());
        agree::<f64>(f64::EPSILON);
    }

    fn assert_chains<T: Vectorized>(m: usize, k: usize, n: usize, storage: [usize; 2]) {
        let number = |i: usize| T::from_f64(((i * 7919) % 1013) as f64 / 507.0 - 1.0);
        let data: Vec<T> = (0..2 * (m.max(n) + 2) * (k + 2) + 3).map(number).collect();
        let (a, b) = (stored(&data, [m, k], storage[0]), stored(&data, [k, n], storage[1]));
        let want = want(a, b);
        let mut c = vec![T::from_f64(f64::NAN); m * n];
        product(a, b, &mut c, false);
        assert!(c == want, "{m} × {k} × {n}, stored {storage:?}");
        // Added to what is there: to a zero, nothing changes but the sign of a zero.
        c.fill(T::ZERO);
        product(a, b, &mut c, true);
        assert!(c == want, "{m} × {k} × {n}, stored {storage:?}, added to zeros");
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
            (1, 200, 3),
            (3, 64, 1),
        ] {
            for storage in 0..25 {
                assert_chains::<f32>(m, k, n, [storage / 5, storage % 5]);
                assert_chains::<f64>(m, k, n, [storage / 5, storage % 5]);
            }
        }
    }

    #[test]
    fn rows_of_a_that_are_far_apart_are_copied() {
        let (m, k, n) = (420, 517, 130);
        assert!(m * CHUNK * size_of::<f32>() > FAR_APART);
        for b in [0, 1] {
            assert_chains::<f32>(m, k, n, [1, b]);
        }
    }

    #[test]
    fn few_columns_go_the_other_way_to_the_same_bits() {
        let data: Vec<f32> = (0..700_000_usize).map(|i| ((i * 7919) % 1013) as f32 / 507.0 - 1.0).collect();
        let sizes = simd::dispatch(TileSizesOf(PhantomData::<f32>));
        for (m, k, n) in [(300, 64, 3), (1000, 517, 5), (37, 200, 2), (5, 3, 9), (1, 7, 1)] {
            let (a, b) = (stored(&data, [m, k], 1), stored(&data, [k, n], 0));
            let want = chains(a, b);
            let mut c = vec![f32::NAN; m * n];
            for threads in [1, 3] {
                c.fill(f32::NAN);
                par::with_threads(threads, || transposed::transposed(a, b, &mut c, sizes)).unwrap();
                assert!(c == want, "{m} × {k} × {n} on {threads} threads");
            }
            // And what is chosen, with a bias, which is added last, and onto what is there.
            let bias: Vec<f32> = data[..n].iter().map(|x| x * 3.0).collect();
            matmul(a, b, &mut c, Onto::Bias(&bias));
            let biased: Vec<f32> = want.iter().enumerate().map(|(i, x)| x + bias[i % n]).collect();
            assert!(c == biased || is_dots(a, b) || cfg!(feature = "matrixmultiply"), "{m} × {k} × {n} and a bias");
            assert_chains::<f32>(m, k, n, [1, 0]);
        }
        // Where it is taken: a head of few classes, and not where columns fill vectors.
        let is_taken = |[m, k, n]: [usize; 3]| {
            let (a, b) = (stored(&data, [m, k], 1), stored(&data, [k, n], 0));
            transposed::pays(a, b, sizes)
        };
        assert!(is_taken([1000, 256, 2]) && !is_taken([256, 256, 64]) && !is_taken([4, 4, 4]));
        assert!(
            [[1000, 256, 2], [1000, 600, 27], [300, 30, 7]]
                .iter()
                .all(|&[m, k, n]| { !(is_taken([m, k, n]) && is_taken([n, k, m])) })
        );
    }

    /// AVX-512 in arrays: the largest tiles, on any processor.
    struct Wide;

    impl Simd for Wide {
        type F32 = [f32; 16];
        type F64 = [f64; 8];
        const TILES: &'static [usize] = &[8, 8, 8, 6];
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
                let panels = Parts { len: n, unit: 16, parts: n.div_ceil(64) };
                let product = Product { a, b, c: Shared::new(&mut c), panels, add: false, bias: None };
                // SAFETY: arrays need no instructions.
                unsafe { Block { product: &product, rows: 0..m, panels: 0..panels.parts }.run_with::<Wide>() }
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
            let want = want(a, b);
            for threads in [1, 2, 3, 8] {
                let mut c = vec![f32::NAN; m * n];
                par::with_threads(threads, || _ = native(a, b, &mut c, false, None)).unwrap();
                assert!(c == want, "{m} × {k} × {n} on {threads} threads");
            }
        }
    }
}
