//! ln Σ exp x, computed so that nothing overflows.

use super::{Blockwise, Fold, LargestNumber, Reduction, Rows, Run, block, larger, reduction};
use crate::kernel::Real;
use crate::kernel::isa::kernel;

/// The largest element m and s = Σ exp(x − m): the result is m + ln s. A block is read twice, while it is in the L1 cache.
#[derive(Clone, Copy)]
pub(crate) struct LogSumExp;

reduction!(LogSumExp[T: Real] -> Part<T>, functions T, functions T);

kernel! {
    /// The results.
    pub(crate) fn finish_log_sum_exp[T: Real](parts: &[Part<T>], out: &mut [T]), functions T {
        for (out, &(largest, sum)) in out.iter_mut().zip(parts) {
            *out = largest + sum.ln();
        }
    }
}

/// Σ exp(x − shift)
#[derive(Clone, Copy)]
struct Exponentials<T> {
    shift: T,
}

impl<T: Real> Fold<T> for Exponentials<T> {
    type Part = T;

    #[inline(always)]
    fn start(self, _: T) -> T {
        T::ZERO
    }

    #[inline(always)]
    fn fold(self, sum: T, x: T) -> T {
        sum + (x - self.shift).exp()
    }

    #[inline(always)]
    fn join(self, a: T, b: T) -> T {
        a + b
    }
}

/// The largest of some of the elements, and Σ exp(x − largest).
type Part<T> = (T, T);

/// What is subtracted from each element. Where the largest is infinite, it is 0: infinities stay what they are.
#[inline(always)]
fn shift<T: Real>(largest: T) -> T {
    if largest.is_finite() { largest } else { T::ZERO }
}

/// exp(own − both), which is 1 where both are the same infinity.
#[inline(always)]
fn scale<T: Real>(own: T, both: T) -> T {
    if own == both { T::ONE } else { (own - both).exp() }
}

/// sums\[j] = sums\[j] + exp(x\[j] − largest\[j]). A function, so that the compiler knows the slices to be apart.
#[inline(always)]
fn add_exp<T: Real>(sums: &mut [T], x: &[T], largest: &[T]) {
    for ((sum, &x), &largest) in sums.iter_mut().zip(x).zip(largest) {
        *sum += (x - shift(largest)).exp();
    }
}

impl<T: Real> Blockwise<T> for LogSumExp {
    type Part = Part<T>;

    #[inline(always)]
    fn block(self, x: &[T]) -> Part<T> {
        // The largest skips NaN, but the sum is NaN where an element is.
        let largest = block(LargestNumber, x);
        (largest, block(Exponentials { shift: shift(largest) }, x))
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_, T>, parts: &mut [Part<T>]) {
        /// Columns that are reduced at once.
        const COLUMNS_AT_ONCE: usize = 256;
        for (chunk, parts) in parts.chunks_mut(COLUMNS_AT_ONCE).enumerate() {
            let rows = rows.columns(chunk * COLUMNS_AT_ONCE, parts.len());
            let [mut largest, mut sums] = [[T::ZERO; COLUMNS_AT_ONCE]; 2];
            let (largest, sums) = (&mut largest[..parts.len()], &mut sums[..parts.len()]);
            largest.copy_from_slice(rows.row(0));
            for i in 1..rows.len() {
                for (largest, &x) in largest.iter_mut().zip(rows.row(i)) {
                    *largest = larger(*largest, x);
                }
            }
            for i in 0..rows.len() {
                add_exp(sums, rows.row(i), largest);
            }
            for ((part, &largest), &sum) in parts.iter_mut().zip(&*largest).zip(&*sums) {
                *part = (largest, sum);
            }
        }
    }

    #[inline(always)]
    fn join(self, a: Part<T>, b: Part<T>) -> Part<T> {
        let both = larger(a.0, b.0);
        (both, a.1 * scale(a.0, both) + b.1 * scale(b.0, both))
    }
}
