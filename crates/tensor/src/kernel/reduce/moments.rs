//! Mean and variance.

use std::marker::PhantomData;

use super::{Fold, Reduction, Rows};
use crate::element::Float;

/// The count, the mean and the sum of squared deviations from it, of which `finish` makes the result.
///
/// A block is gone through twice, while it is close: for its mean, and for its deviations from that; what the mean was
/// off by is taken out again (the corrected two-pass algorithm; Chan, Golub and LeVeque, 1983, *Algorithms for Computing
/// the Sample Variance*). Blocks are joined in f64 by their pairwise formula.
pub(crate) struct Moments<T, E> {
    finish: E,
    element: PhantomData<fn(T)>,
}

/// What some of the elements come to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Moment {
    count: f64,
    mean: f64,
    /// Σ (x − mean)²
    squares: f64,
}

impl Moment {
    /// NaN of nothing.
    pub(crate) fn mean(&self) -> f64 {
        if self.count > 0.0 { self.mean } else { f64::NAN }
    }

    /// Σ (x − mean)² / (n − correction); as in PyTorch, the divisor is no less than 0.
    pub(crate) fn variance(&self, correction: usize) -> f64 {
        self.squares / (self.count - correction as f64).max(0.0)
    }
}

impl<T, E> Moments<T, E> {
    pub(crate) fn new(finish: E) -> Self {
        Moments { finish, element: PhantomData }
    }
}

/// Columns that are reduced at once.
const TOGETHER: usize = 64;

impl<T: Float, O, E: Fn(Moment) -> O + Sync> Reduction<T> for Moments<T, E> {
    type Part = Moment;
    type Output = O;

    #[inline(always)]
    fn empty(&self) -> Option<O> {
        Some((self.finish)(Moment::default()))
    }

    #[inline(always)]
    fn block(&self, x: &[T]) -> Moment {
        let shift = total(x, |x| x) / T::from_f64(x.len() as f64);
        let sum = total(x, |x| x - shift);
        let squares = total(x, |x| (x - shift) * (x - shift));
        Moment::new(x.len(), shift, sum, squares)
    }

    #[inline(always)]
    fn columns(&self, rows: &Rows<'_, T>, parts: &mut [Moment]) {
        let count = T::from_f64(rows.len() as f64);
        for (chunk, parts) in parts.chunks_mut(TOGETHER).enumerate() {
            let rows = rows.columns(chunk * TOGETHER, parts.len());
            let [mut shifts, mut sums, mut squares] = [[T::ZERO; TOGETHER]; 3];
            for i in 0..rows.len() {
                for (shift, &x) in shifts.iter_mut().zip(rows.row(i)) {
                    *shift += x;
                }
            }
            for shift in &mut shifts {
                *shift /= count;
            }
            for i in 0..rows.len() {
                let sums = shifts.iter().zip(&mut sums).zip(&mut squares);
                for (((shift, sum), square), &x) in sums.zip(rows.row(i)) {
                    let d = x - *shift;
                    *sum += d;
                    *square += d * d;
                }
            }
            for (j, part) in parts.iter_mut().enumerate() {
                *part = Moment::new(rows.len(), shifts[j], sums[j], squares[j]);
            }
        }
    }

    #[inline(always)]
    fn join(&self, a: Moment, b: Moment) -> Moment {
        let count = a.count + b.count;
        let step = b.mean - a.mean;
        let share = b.count / count;
        Moment { count, mean: a.mean + step * share, squares: a.squares + b.squares + step * step * a.count * share }
    }

    #[inline(always)]
    fn finish(&self, part: Moment) -> O {
        (self.finish)(part)
    }
}

impl Moment {
    /// Of `count` elements whose deviations from `shift` have these sums.
    #[inline(always)]
    fn new<T: Float>(count: usize, shift: T, sum: T, squares: T) -> Moment {
        let (count, sum) = (count as f64, sum.to_f64());
        let off = sum / count;
        let squares = squares.to_f64() - off * sum;
        // Rounding may leave a little less than nothing. Written so that a NaN passes.
        Moment { count, mean: shift.to_f64() + off, squares: if squares < 0.0 { 0.0 } else { squares } }
    }
}

/// Σ f(x)
#[inline(always)]
fn total<T: Float>(x: &[T], f: impl Fn(T) -> T + Sync) -> T {
    Fold {
        empty: None,
        start: |_: T| T::ZERO,
        fold: |sum: T, x: T| sum + f(x),
        join: |a: T, b: T| a + b,
        finish: |sum: T| sum,
    }
    .block(x)
}
