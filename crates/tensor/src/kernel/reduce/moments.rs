//! Mean and variance.

use std::ops::Range;

use super::{Blockwise, Reduction, Rows, Run, Sum, block, reduction};
use crate::kernel::isa::kernel;
use crate::kernel::{Dtype, Real};

/// The count, the mean and the sum of squared deviations from it.
///
/// A block sums the deviations of its elements from a shift, and the squares of these deviations. Then the sums are corrected for
/// the distance between the shift and the mean (Chan, Golub and LeVeque, 1983, *Algorithms for Computing the Sample
/// Variance*). The shift is the mean of a quarter of the block. Whatever the elements are, its distance from the mean is then
/// at most twice the standard deviation, and at most two bits are lost. Blocks are joined in f64 by the pairwise formula of
/// the same authors.
///
/// Where the squares of a block leave the range of `T`, its deviations are measured again in a unit of their size, a power of two.
#[derive(Clone, Copy)]
pub(crate) struct Moments;

reduction!(Moments[T: Real] -> Moment, arithmetic T, arithmetic T);

/// What some of the elements come to.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    count: f64,
    /// In units.
    mean: f64,
    /// Σ (x − mean)², in square units.
    squares: f64,
    /// 1, or a power of two near the largest element where squares of elements are no normal numbers.
    unit: f64,
}

impl Default for Moment {
    fn default() -> Self {
        Moment { count: 0.0, mean: 0.0, squares: 0.0, unit: 1.0 }
    }
}

impl Moment {
    /// NaN of nothing.
    pub(crate) fn mean(&self) -> f64 {
        if self.count > 0.0 { self.mean * self.unit } else { f64::NAN }
    }

    /// Σ (x − mean)² / (n − correction); as in PyTorch, the divisor is no less than 0.
    pub(crate) fn variance(&self, correction: usize) -> f64 {
        self.in_square_units(correction) * self.unit * self.unit
    }

    /// The square root of the variance, which may itself be out of range.
    pub(crate) fn deviation(&self, correction: usize) -> f64 {
        self.in_square_units(correction).sqrt() * self.unit
    }

    fn in_square_units(&self, correction: usize) -> f64 {
        self.squares / (self.count - correction as f64).max(0.0)
    }
}

/// Columns that are reduced at once.
const COLUMNS_AT_ONCE: usize = 256;

/// Lanes of a block.
const LANES: usize = 32;

/// Rows that are added at once: each sum is loaded and stored once for all of them.
const ROWS_AT_ONCE: usize = 8;

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
            return if out_of_range(shift, squares) {
                Moment::measured_again(x)
            } else {
                Moment::new(x.len(), shift, sum, squares)
            };
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
        let (whole, rows) = rows.as_chunks::<ROWS_AT_ONCE>();
        for rows in whole {
            sums.add(LANES, rows);
        }
        for row in rows {
            sums.add(LANES, &[row]);
        }
        sums.add(rest.len(), &[rest]);
        let (sum, squares) = (total(sums.sums), total(sums.squares));
        if out_of_range(shift, squares) { Moment::measured_again(x) } else { Moment::new(x.len(), shift, sum, squares) }
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_, T>, parts: &mut [Moment]) {
        let sample = rows.len().div_ceil(4);
        let share = T::ONE / T::from_f64(sample as f64);
        for (chunk, parts) in parts.chunks_mut(COLUMNS_AT_ONCE).enumerate() {
            let width = parts.len();
            let rows = rows.columns(chunk * COLUMNS_AT_ONCE, width);
            let mut shifts = [T::ZERO; COLUMNS_AT_ONCE];
            for i in 0..sample {
                for (shift, &x) in shifts.iter_mut().zip(rows.row(i)) {
                    *shift += x;
                }
            }
            shifts.iter_mut().for_each(|shift| *shift *= share);
            let mut sums = Sums::new(shifts);
            let whole = rows.len() - rows.len() % ROWS_AT_ONCE;
            for i in (0..whole).step_by(ROWS_AT_ONCE) {
                sums.add(width, &std::array::from_fn::<_, ROWS_AT_ONCE, _>(|k| rows.row(i + k)));
            }
            for i in whole..rows.len() {
                sums.add(width, &[rows.row(i)]);
            }
            let mut all_in_range = true;
            for (j, part) in parts.iter_mut().enumerate() {
                *part = Moment::new(rows.len(), shifts[j], sums.sums[j], sums.squares[j]);
                all_in_range &= !out_of_range(shifts[j], sums.squares[j]);
            }
            if !all_in_range {
                columns_again(&rows, &sums, parts);
            }
        }
    }

    #[inline(always)]
    fn join(self, a: Moment, b: Moment) -> Moment {
        let (a, b) = if in_range_of_f64::<T>() || a.unit == b.unit { (a, b) } else { Moment::in_one_unit(a, b) };
        let count = a.count + b.count;
        let step = b.mean - a.mean;
        if !step.is_finite() {
            // A mean is infinite or NaN. So is the mean of both parts, and deviations from it are NaN.
            return Moment { count, mean: a.mean + b.mean, squares: f64::NAN, unit: 1.0 };
        }
        let share = b.count / count;
        let squares = a.squares + b.squares + step * step * a.count * share;
        Moment { count, mean: a.mean + step * share, squares, unit: a.unit }
    }
}

impl Moment {
    /// Of `count` elements, whose deviations from `shift` have these sums.
    #[inline(always)]
    fn new<T: Real>(count: usize, shift: T, sum: T, squares: T) -> Moment {
        let (count, sum) = (count as f64, sum.to_f64());
        let off = sum / count;
        let squares = squares.to_f64() - off * sum;
        // By rounding, the sum of squares may be slightly negative. Written so that a NaN passes.
        Moment { count, mean: shift.to_f64() + off, squares: if squares < 0.0 { 0.0 } else { squares }, unit: 1.0 }
    }

    fn of_one_number<T: Real>(count: usize, x: T) -> Moment {
        // From an infinite mean, none has a distance.
        let squares = if x.is_finite() { 0.0 } else { f64::NAN };
        Moment { count: count as f64, mean: x.to_f64(), squares, ..Moment::default() }
    }

    /// Of elements of which some are infinite or NaN, or whose squares overflow or underflow, or are 0: in f64, and in a unit of
    /// their size. Where the mean is infinite, the sum of squares is NaN.
    #[cold]
    #[inline(never)]
    fn measured_again<T: Real>(elements: &[T]) -> Moment {
        let count = elements.len() as f64;
        if joins(elements[0]) && all_are(elements, elements[0]) {
            return Moment::of_one_number(elements.len(), elements[0]);
        }
        let mut elements: Vec<f64> = elements.iter().map(|x| x.to_f64()).collect();
        if !elements.iter().all(|x| x.is_finite()) {
            return Moment { count, mean: elements.iter().sum::<f64>() / count, squares: f64::NAN, unit: 1.0 };
        }
        let unit = match in_range_of_f64::<T>() {
            true => 1.0,
            false => power_of_two_near(elements.iter().fold(0.0, |largest, x| largest.max(x.abs()))),
        };
        elements.iter_mut().for_each(|x| *x /= unit);
        Moment { unit, ..Moment::by_definition(&elements) }
    }

    /// In two passes, over elements that are in range.
    fn by_definition(elements: &[f64]) -> Moment {
        let count = elements.len() as f64;
        let mean = block(Sum, elements) / count;
        let squares: Vec<f64> = elements.iter().map(|x| (x - mean) * (x - mean)).collect();
        Moment { count, mean, squares: block(Sum, &squares), unit: 1.0 }
    }

    /// Both in the larger of their units, in which what is lost of the other does not count. Zeros have any unit.
    #[cold]
    #[inline(never)]
    fn in_one_unit(a: Moment, b: Moment) -> (Moment, Moment) {
        let zeros = |m: Moment| m.mean == 0.0 && m.squares == 0.0;
        let unit = match (a, b) {
            _ if zeros(a) => b.unit,
            _ if zeros(b) => a.unit,
            _ => a.unit.max(b.unit),
        };
        let of = |m: Moment| {
            let ratio = if zeros(m) { 0.0 } else { m.unit / unit };
            Moment { mean: m.mean * ratio, squares: m.squares * ratio * ratio, unit, ..m }
        };
        (of(a), of(b))
    }
}

/// Whether an f64 holds the square of every finite `T` but 0 as a normal number.
#[inline(always)]
fn in_range_of_f64<T: Real>() -> bool {
    T::DTYPE == Dtype::F32
}

/// The sizes of numbers whose squares are surely normal numbers: so are those of the distances by which parts are joined.
const JOINED: Range<f64> = 1e-140..1e140;

/// Whether too much may have been lost of this sum of squares of deviations from `shift`, or the square of the distance to another
/// mean may be none. So it is where all elements are the same.
#[inline(always)]
fn out_of_range<T: Real>(shift: T, squares: T) -> bool {
    // A block has at most 2¹¹ squares, each of which is off by half the least number: of this sum, by a share of 2¹⁰ ε² in all.
    let least = T::MIN_POSITIVE / T::EPSILON;
    let joins = in_range_of_f64::<T>() || shift.to_f64().abs() < JOINED.end;
    // Written so that a NaN is out of range.
    !(squares >= least && squares < T::INFINITY && joins)
}

/// Whether elements that are all `x` need no unit.
fn joins<T: Real>(x: T) -> bool {
    in_range_of_f64::<T>() || x == T::ZERO || JOINED.contains(&x.to_f64().abs())
}

/// The columns that are out of range.
#[cold]
#[inline(never)]
fn columns_again<T: Real>(rows: &Rows<'_, T>, sums: &Sums<T, COLUMNS_AT_ONCE>, parts: &mut [Moment]) {
    let first = &rows.row(0)[..parts.len()];
    let mut same = [true; COLUMNS_AT_ONCE];
    for i in 1..rows.len() {
        for ((same, &x), &first) in same.iter_mut().zip(rows.row(i)).zip(first) {
            *same &= x == first;
        }
    }
    for (j, part) in parts.iter_mut().enumerate() {
        if out_of_range(sums.shifts[j], sums.squares[j]) {
            let column = || (0..rows.len()).map(|i| rows.row(i)[j]).collect::<Vec<T>>();
            *part = match same[j] && joins(first[j]) {
                true => Moment::of_one_number(rows.len(), first[j]),
                false => Moment::measured_again(&column()),
            };
        }
    }
}

/// Whether each is `x`. Without a way out, so that the loop is one of vectors.
fn all_are<T: Real>(elements: &[T], x: T) -> bool {
    elements.iter().fold(true, |all, &element| all & (element == x))
}

/// The power of two at or below a finite number; of those that have fewer digits, the least of the others.
fn power_of_two_near(x: f64) -> f64 {
    const EXPONENT: u64 = f64::INFINITY.to_bits();
    f64::from_bits(x.to_bits() & EXPONENT).max(f64::MIN_POSITIVE)
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
