//! Blocks of neighbours, copied from and added to given places.

use super::copy::copy_ends;
use super::isa::kernel;
use crate::kernel::Arithmetic;

/// Fills `out` with blocks of `len` elements. The next item of `from` is where in `x` the next block begins.
#[inline]
pub(crate) fn copy_blocks<T: Copy>(x: &[T], len: usize, from: impl Iterator<Item = usize>, out: &mut [T]) {
    // The length is the same for all blocks: one choice for all of them.
    match len {
        0 => {}
        1 => {
            for (out, from) in out.iter_mut().zip(from) {
                *out = x[from];
            }
        }
        2..=4 => copy_short::<T, 2>(x, len, from, out),
        5..=8 => copy_short::<T, 4>(x, len, from, out),
        9..=16 => copy_short::<T, 8>(x, len, from, out),
        17..=32 => copy_short::<T, 16>(x, len, from, out),
        _ => {
            for (out, from) in out.chunks_exact_mut(len).zip(from) {
                out.copy_from_slice(&x[from..][..len]);
            }
        }
    }
}

#[inline]
fn copy_short<T: Copy, const N: usize>(x: &[T], len: usize, from: impl Iterator<Item = usize>, out: &mut [T]) {
    for (out, from) in out.chunks_exact_mut(len).zip(from) {
        copy_ends::<T, N>(&x[from..][..len], out);
    }
}

kernel! {
    /// For each pair (to, from) in turn, adds the block of `len` elements of `y` that begins at `from` to that of `x` which
    /// begins at `to`.
    pub(crate) fn add_blocks[T: Arithmetic, P: Iterator<Item = (usize, usize)>](x: &mut [T], y: &[T], len: usize, pairs: P), memory {
        for (to, from) in pairs {
            for (x, &y) in x[to..][..len].iter_mut().zip(&y[from..][..len]) {
                *x += y;
            }
        }
    }
}
