//! A matrix that stands on the right of many products, such as a weight that each step of a sequence goes through: its panels are copied
//! once.

use std::ops::Range;

use super::{CHUNK, Matrix, Vectorized, is_far, pack};
use crate::buffer::Buffer;
use crate::kernel::matmul::{PrefetchCopy, Tile, height};
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};

/// B, panel after panel: each has all rows of k, in whole vectors.
pub(in crate::kernel) struct Packed<T: Vectorized> {
    copy: Buffer<T>,
    k: usize,
    n: usize,
    /// The columns of a panel, but for the last.
    panel: usize,
}

impl<T: Vectorized> Packed<T> {
    pub(in crate::kernel) fn new(b: Matrix<'_, T>) -> Self {
        simd::dispatch(Copying(b))
    }

    /// How many panels there are.
    pub(in crate::kernel) fn panels(&self) -> usize {
        self.n.div_ceil(self.panel)
    }

    /// C = A · B + b, or C + A · B where `add`, of some rows whose elements lie side by side, and of the columns of some panels. Each element
    /// is the chain that [`matmul`](super::matmul) computes.
    ///
    /// # Safety
    /// `a` is valid for the k elements of each row, and `c` for n of each, of which nobody else touches these columns.
    pub(in crate::kernel) unsafe fn multiply(
        &self,
        (rows, panels): (usize, Range<usize>),
        a: (*const T, usize),
        c: (*mut T, usize),
        add: bool,
        bias: Option<&[T]>,
    ) {
        simd::dispatch(Multiply { b: self, rows, panels, a, c, add, bias });
    }
}

/// A product with some panels of B; see [`Packed::multiply`].
struct Multiply<'a, T: Vectorized> {
    b: &'a Packed<T>,
    rows: usize,
    panels: Range<usize>,
    /// Where A begins, and how far it is from row to row.
    a: (*const T, usize),
    c: (*mut T, usize),
    add: bool,
    bias: Option<&'a [T]>,
}

impl<T: Vectorized> VectorKernel for Multiply<'_, T> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let Multiply { b: &Packed { ref copy, k, n, panel }, rows, panels, a: (a, a_row), c: (c, c_row), add, bias } =
            self;
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        for column in panels.map(|place| place * panel) {
            let width = panel.min((n - column).next_multiple_of(lanes));
            let most = S::TILES[width / lanes - 1];
            for start in (0..k).step_by(CHUNK) {
                let end = k.min(start + CHUNK);
                let mut row = 0;
                while row < rows {
                    let rows = height(rows - row, most);
                    let tile = Tile {
                        k: end - start,
                        a: a.wrapping_add(row * a_row + start),
                        a_strides: [a_row as isize, 1],
                        b: copy[column * k + start * width..].as_ptr(),
                        b_k: width as isize,
                        b_offsets: std::ptr::null(),
                        far: is_far::<T>(k, n),
                        tail_rows: 0,
                        copy: std::ptr::null_mut(),
                        prefetch: PrefetchCopy::none(),
                        c: c.wrapping_add(row * c_row + column),
                        c_row,
                        add: add || start > 0,
                        bias: match bias {
                            Some(bias) if end == k => bias[column..].as_ptr(),
                            _ => std::ptr::null(),
                        },
                    };
                    // SAFETY: the caller has the instructions, and A and C reach so far, as that of `multiply` ensures. The copy has whole
                    // vectors of each row of the panel, which were made for this set: there is one in a process. The bias has as many
                    // elements as C has columns.
                    unsafe { tile.compute::<S>(rows, width.min(n - column), false) }
                    row += rows;
                }
            }
        }
    }
}

/// Copies B.
struct Copying<'a, T>(Matrix<'a, T>);

impl<T: Vectorized> VectorKernel for Copying<'_, T> {
    type Output = Packed<T>;

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) -> Packed<T> {
        let b = self.0;
        let (k, n) = (b.rows, b.columns);
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let panel = S::TILES.len() * lanes;
        let mut copy = Buffer::<T>::stale(k * n.next_multiple_of(lanes));
        for column in (0..n).step_by(panel) {
            let width = panel.min((n - column).next_multiple_of(lanes));
            let out = &mut copy[column * k..][..k * width];
            if b.strides[1] == 1 {
                let inside = width.min(n - column);
                for (p, out) in out.chunks_exact_mut(width).enumerate() {
                    out[..inside].copy_from_slice(&b.data[b.position(p, column)..][..inside]);
                    out[inside..].fill(T::ZERO);
                }
            } else {
                // SAFETY: the caller has the instructions.
                unsafe { pack::pack::<T, S>(b, 0..k, column..column + width, out, width) }
            }
        }
        Packed { copy, k, n, panel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::matmul::{Onto, matmul};

    fn check<T: Vectorized>() {
        let number = |i: usize| T::from_f64(((i * 7919) % 1013) as f64 / 507.0 - 1.0);
        for (m, k, n) in [(1, 3, 1), (2, 64, 256), (7, 5, 15), (9, 33, 17), (13, 700, 70), (3, 1, 130)] {
            let [a, b, bias] = [m * k, k * n, n].map(|len| (0..len).map(number).collect::<Vec<T>>());
            for turned in [false, true] {
                let strides = if turned { [1, k as isize] } else { [n as isize, 1] };
                let b = Matrix::new(&b, 0, [k, n], strides);
                let packed = Packed::new(b);
                for (add, bias) in [(false, None), (false, Some(&bias[..])), (true, None)] {
                    let mut want: Vec<T> = (0..m * n).map(number).collect();
                    let mut got = want.clone();
                    let onto = bias.map_or(if add { Onto::C } else { Onto::Nothing }, Onto::Bias);
                    // One row has another order in a product where columns lie side by side.
                    let b = if turned && m == 1 { None } else { Some(b) };
                    let Some(b) = b else { continue };
                    matmul(Matrix::new(&a, 0, [m, k], [k as isize, 1]), b, &mut want, onto);
                    for part in 0..packed.panels() {
                        // SAFETY: A and C have so many rows, one after the other.
                        unsafe {
                            let (a, c) = ((a.as_ptr(), k), (got.as_mut_ptr(), n));
                            packed.multiply((m, part..part + 1), a, c, add, bias);
                        }
                    }
                    if cfg!(not(feature = "matrixmultiply")) {
                        assert!(got == want, "{m} × {k} × {n}, turned {turned}, add {add}");
                    }
                }
            }
        }
    }

    #[test]
    fn it_has_the_bits_of_a_product() {
        check::<f32>();
        check::<f64>();
    }
}
