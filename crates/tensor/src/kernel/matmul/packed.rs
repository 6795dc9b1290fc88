//! A matrix that stands on the right of many products, such as a weight that each step of a sequence goes through: its panels are copied
//! once.

use super::{CHUNK, Matrix, Vectorized, is_far, pack};
use crate::buffer::Buffer;
use crate::kernel::matmul::{PrefetchCopy, Tile, height};
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};

/// B, panel after panel: each has all rows of k, in whole vectors.
pub(in crate::kernel) struct Packed<T: Vectorized> {
    copy: Buffer<T>,
    k: usize,
    n: usize,
}

impl<T: Vectorized> Packed<T> {
    pub(in crate::kernel) fn new(b: Matrix<'_, T>) -> Self {
        simd::dispatch(Copying(b))
    }

    /// C = A · B + b, or C + A · B where `add`, of some rows whose elements lie side by side. Each element is the chain that
    /// [`matmul`](super::matmul) computes.
    ///
    /// # Safety
    /// The processor has the instructions of `S`, which are those that the copy was made for; `a` is valid for the k elements of each row,
    /// and `c` for n of each, which nobody else touches.
    #[inline(always)]
    pub(in crate::kernel) unsafe fn multiply<S: Simd>(
        &self,
        rows: usize,
        (a, a_row): (*const T, usize),
        (c, c_row): (*mut T, usize),
        add: bool,
        bias: Option<&[T]>,
    ) {
        let &Packed { ref copy, k, n } = self;
        let lanes = <T::Vector<S> as Vector<T>>::LANES;
        let panel = S::TILES.len() * lanes;
        for column in (0..n).step_by(panel) {
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
                    // SAFETY: this function's caller ensures that the instructions are there, and that A and C reach so far. The copy
                    // has whole vectors of each row of the panel; the bias as many elements as C has columns, or the index of its last
                    // panel would have been out of its range.
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
        Packed { copy, k, n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::matmul::{Onto, matmul};

    struct Multiply<'a, T: Vectorized> {
        a: &'a [T],
        b: &'a Packed<T>,
        c: &'a mut [T],
        add: bool,
        bias: Option<&'a [T]>,
    }

    impl<T: Vectorized> VectorKernel for Multiply<'_, T> {
        type Output = ();

        run_for_each_set!();

        #[inline(always)]
        unsafe fn run_with<S: Simd>(self) {
            let Packed { k, n, .. } = *self.b;
            let rows = self.a.len() / k;
            assert!(self.c.len() == rows * n);
            // SAFETY: the caller has the instructions; A and C have so many rows.
            unsafe {
                self.b.multiply::<S>(rows, (self.a.as_ptr(), k), (self.c.as_mut_ptr(), n), self.add, self.bias);
            }
        }
    }

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
                    simd::dispatch(Multiply { a: &a, b: &packed, c: &mut got, add, bias });
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
