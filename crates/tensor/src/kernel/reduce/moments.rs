//! Mean and variance.

use super::{Blockwise, Reduction, Rows, Run, reduction};
use crate::kernel::Real;
use crate::kernel::isa::kernel;

/// The count, the mean and the sum of squared deviations from it.
///
/// A block sums the deviations of its elements from a shift, and the squares of these deviations. Then the sums are corrected for
/// the distance between the shift and the mean (Chan, Golub and LeVeque, 1983, *Algorithms for Computing the Sample
/// Variance*). The shift is the mean of a quarter of the block. Whatever the elements are, its distance from the mean is then
/// at most twice the standard deviation, and at most two bits are lost. Blocks are joined in f64 by the pairwise formula of
/// the same authors.
#[derive(Clone, Copy)]
pub(crate) struct Moments;

reduction!(Moments[T: Real] -> Moment, arithmetic T, arithmetic T);

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

/// Columns that are reduced at once.
const WIDTH: usize = 256;

/// Lanes of a block.
const LANES: usize = 32;

/// Rows that are added at once: each sum is loaded and stored once for all of them.
const TOGETHER: usize = 8;

impl<T: Real> Blockwise<T> for Moments {
    type Part = Moment;

    #[inline(always)]
    fn block(self, x: &[T]) -> Moment {
        if x.len() < LANES {
            let shift = x.iter().fold(T::ZERO, |sum, &x| sum + x) / T::from_f64(x.len() as f64);
            let [mut sum, mut squares] = [T::ZERO; 2];
            for &x in x {
                let d = x - shift;
                sum += d;
                squares += d * d;
            }
            return Moment::new(x.len(), shift, sum, squares, x.iter().copied());
        }
        let (rows, rest) = x.as_chunks::<LANES>();
        let sample = rows.len().div_ceil(4);
        let mut sum = [T::ZERO; LANES];
        for row in &rows[..sample] {
            for (sum, &x) in sum.iter_mut().zip(row) {
                *sum += x;
            }
        }
        let shift = total(sum) / T::from_f64((sample * LANES) as f64);
        let mut sums = Sums::<T, LANES>::new([shift; LANES]);
        let (whole, rows) = rows.as_chunks::<TOGETHER>();
        for rows in whole {
            sums.add(LANES, rows);
        }
        for row in rows {
            sums.add(LANES, &[row]);
        }
        sums.add(rest.len(), &[rest]);
        Moment::new(x.len(), shift, total(sums.sums), total(sums.squares), x.iter().copied())
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_, T>, parts: &mut [Moment]) {
        let sample = rows.len().div_ceil(4);
        let share = T::ONE / T::from_f64(sample as f64);
        for (chunk, parts) in parts.chunks_mut(WIDTH).enumerate() {
            let width = parts.len();
            let rows = rows.columns(chunk * WIDTH, width);
            let mut shifts = [T::ZERO; WIDTH];
            for i in 0..sample {
                for (shift, &x) in shifts.iter_mut().zip(rows.row(i)) {
                    *shift += x;
                }
            }
            shifts.iter_mut().for_each(|shift| *shift *= share);
            let mut sums = Sums::new(shifts);
            let whole = rows.len() - rows.len() % TOGETHER;
            for i in (0..whole).step_by(TOGETHER) {
                sums.add(width, &std::array::from_fn::<_, TOGETHER, _>(|k| rows.row(i + k)));
            }
            for i in whole..rows.len() {
                sums.add(width, &[rows.row(i)]);
            }
            for (j, part) in parts.iter_mut().enumerate() {
                let column = (0..rows.len()).map(|i| rows.row(i)[j]);
                *part = Moment::new(rows.len(), shifts[j], sums.sums[j], sums.squares[j], column);
            }
        }
    }

    #[inline(always)]
    fn join(self, a: Moment, b: Moment) -> Moment {
        let count = a.count + b.count;
        let step = b.mean - a.mean;
        if !step.is_finite() {
            // A mean is infinite or NaN. So is the mean of both parts, and deviations from it are NaN.
            return Moment { count, mean: a.mean + b.mean, squares: f64::NAN };
        }
        let share = b.count / count;
        Moment { count, mean: a.mean + step * share, squares: a.squares + b.squares + step * step * a.count * share }
    }
}

impl Moment {
    /// Of `count` `elements`, whose deviations from `shift` have these sums.
    #[inline(always)]
    fn new<T: Real>(count: usize, shift: T, sum: T, squares: T, elements: impl Iterator<Item = T> + Clone) -> Moment {
        if !squares.is_finite() {
            return Moment::of_extremes(count, elements);
        }
        let (count, sum) = (count as f64, sum.to_f64());
        let off = sum / count;
        let squares = squares.to_f64() - off * sum;
        // By rounding, the sum of squares may be slightly negative. Written so that a NaN passes.
        Moment { count, mean: shift.to_f64() + off, squares: if squares < 0.0 { 0.0 } else { squares } }
    }

    /// Of elements some of which are infinite, NaN, or so large that their squares overflow: in f64, by the definition. Where the
    /// mean is infinite, the sum of squares is NaN.
    #[cold]
    #[inline(never)]
    fn of_extremes<T: Real>(count: usize, elements: impl Iterator<Item = T> + Clone) -> Moment {
        let count = count as f64;
        let mean = elements.clone().map(T::to_f64).sum::<f64>() / count;
        let squares = elements.map(|x| x.to_f64() - mean).map(|d| d * d).sum();
        Moment { count, mean, squares }
    }
}

/// Sums of deviations from a shift and of their squares, for each column.
struct Sums<T, const N: usize> {
    shifts: [T; N],
    sums: [T; N],
    squares: [T; N],
}

impl<T: Real, const N: usize> Sums<T, N> {
    #[inline(always)]
    fn new(shifts: [T; N]) -> Self {
        Sums { shifts, sums: [T::ZERO; N], squares: [T::ZERO; N] }
    }

    /// Adds the first `width` elements of some rows.
    #[inline(always)]
    fn add<R: AsRef<[T]>, const ROWS: usize>(&mut self, width: usize, rows: &[R; ROWS]) {
        let rows: [&[T]; ROWS] = std::array::from_fn(|k| &rows[k].as_ref()[..width]);
        let columns = self.shifts[..width].iter().zip(&mut self.sums).zip(&mut self.squares);
        for (j, ((&shift, sum), squares)) in columns.enumerate() {
            for row in rows {
                let d = row[j] - shift;
                *sum += d;
                *squares += d * d;
            }
        }
    }
}

/// The sum of the lanes, by halves.
#[inline(always)]
fn total<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}
