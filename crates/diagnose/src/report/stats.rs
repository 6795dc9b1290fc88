//! Mean, standard deviation, extremes and histogram of a tensor.

use tensor::{Float, Tensor};

use crate::read::numbers::{Numbers, rms};

/// How many bins a [`Histogram`] has: as in the lecture's.
pub const BINS: usize = 50;

/// What the elements of a tensor look like. Elements that are NaN or infinite are counted and left out of the rest.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stats {
    /// How many elements there are.
    pub count: usize,
    /// How many of them are NaN or infinite.
    pub non_finite: usize,
    /// Their mean; NaN without elements.
    pub mean: f64,
    /// Their standard deviation, unbiased (divided by n − 1); NaN for fewer than two elements.
    pub std: f64,
    /// The least; NaN without elements.
    pub min: f64,
    /// The largest; NaN without elements.
    pub max: f64,
    /// How they are spread from the least to the largest.
    pub histogram: Histogram,
}

/// Counts of elements in [`BINS`] bins of equal width, from `from` to `to`. Each bin holds its lower edge; the last one its
/// upper edge too.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Histogram {
    /// The lower edge of the first bin.
    pub from: f64,
    /// The upper edge of the last bin.
    pub to: f64,
    /// How many elements each bin holds.
    pub counts: Vec<usize>,
}

impl Stats {
    /// Those of a tensor.
    ///
    /// # Example
    /// ```
    /// use diagnose::Stats;
    /// use tensor::Tensor;
    ///
    /// let stats = Stats::of(&Tensor::from([1.0, 2.0, 3.0, 4.0]));
    /// assert_eq!((stats.mean, stats.min, stats.max), (2.5, 1.0, 4.0));
    /// assert!((stats.std - (5.0_f64 / 3.0).sqrt()).abs() < 1e-6); // n − 1 = 3
    /// ```
    pub fn of<T: Float>(values: &Tensor<T>) -> Self {
        Stats::new(&Numbers::of(values), true)
    }

    /// Those of a tensor; the histogram takes most of the time.
    pub(crate) fn new(values: &Numbers, with_histogram: bool) -> Self {
        // A mean that is finite says that all of them are.
        values.mean_std();
        let left = values.lost().any().then(|| {
            let finite: Vec<f64> = values.values().iter().filter(|x| x.is_finite()).collect();
            Numbers::of(&Tensor::from_slice(&finite))
        });
        let finite = left.as_ref().unwrap_or(values);
        let ((mean, std), (min, max)) = (finite.mean_std(), finite.range());
        let histogram = match with_histogram {
            true => Histogram::new(finite, min, max),
            false => Histogram { from: min, to: max, counts: vec![0; BINS] },
        };
        let (count, non_finite) = (values.numel(), values.numel() - finite.numel());
        Stats { count, non_finite, mean, std, min, max, histogram }
    }

    /// The root of the mean of the squares.
    pub fn rms(&self) -> f64 {
        rms(self.mean, self.std, self.count - self.non_finite)
    }
}

impl Histogram {
    /// Of values that are finite and between `from` and `to`.
    pub(crate) fn new(values: &Numbers, from: f64, to: f64) -> Self {
        // Of halves, since the difference of the largest numbers would overflow.
        let half = to / 2.0 - from / 2.0;
        let scale = if half > 0.0 { BINS as f64 / half } else { 0.0 };
        let bins = values.bins(from, scale, BINS as f64 - 1.0);
        // Eight counts side by side: neighbours often fall into the same bin, and each would have to wait for the one before.
        let mut counts = [[0_u32; 64]; 8];
        let mut parts = bins.as_slice().unwrap_or_default().chunks_exact(8);
        for part in &mut parts {
            for lane in 0..8 {
                counts[lane][usize::from(part[lane] & 63)] += 1;
            }
        }
        parts.remainder().iter().for_each(|bin| counts[0][usize::from(bin & 63)] += 1);
        let counts = (0..BINS).map(|bin| counts.iter().map(|counts| counts[bin] as usize).sum()).collect();
        Histogram { from, to, counts }
    }

    /// How many elements there are.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The middle of each bin, and the density there: the share of elements per unit of value. Empty where all elements are
    /// equal, or there are none.
    pub fn density(&self) -> Vec<(f64, f64)> {
        let width = (self.to - self.from) / self.counts.len() as f64;
        let total = self.total() as f64;
        if !(width.is_finite() && width > 0.0 && total > 0.0) {
            return Vec::new();
        }
        let at =
            |(bin, &count): (usize, &usize)| (self.from + (bin as f64 + 0.5) * width, count as f64 / total / width);
        self.counts.iter().enumerate().map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn bins_hold_every_element_once_and_the_edges_belong_where_they_should() {
        let stats = Stats::of(&Tensor::<f64>::from_fn([101], |i| i[0] as f64 / 100.0));
        assert_eq!(stats.histogram.total(), 101);
        assert_eq!((stats.histogram.counts[0], stats.histogram.counts[BINS - 1]), (2, 3));
        let area: f64 = stats.histogram.density().iter().map(|(_, density)| density * 0.02).sum();
        assert_relative_eq!(area, 1.0, max_relative = 1e-12);
    }

    #[test]
    fn equal_few_and_no_elements_are_no_special_case() {
        let equal = Stats::of(&Tensor::<f32>::full([7], 3.0));
        assert_eq!((equal.mean, equal.std, equal.histogram.counts[0]), (3.0, 0.0, 7));
        assert!(equal.histogram.density().is_empty());
        let one = Stats::of(&Tensor::from([2.0_f32]));
        assert_eq!((one.mean, one.rms(), one.std.is_nan()), (2.0, 2.0, true));
        let none = Stats::of(&Tensor::<f32>::zeros([0, 5]));
        assert_eq!(none.count, 0);
        assert!(none.mean.is_nan() && none.min.is_nan() && none.histogram.density().is_empty());
    }

    #[test]
    fn what_is_not_finite_is_counted_and_left_out() {
        let stats = Stats::of(&Tensor::from([1.0_f32, f32::NAN, 3.0, f32::INFINITY]));
        assert_eq!((stats.count, stats.non_finite, stats.mean, stats.max), (4, 2, 2.0, 3.0));
        // Their squares overflow single precision.
        let large = Stats::of(&Tensor::from([-1e30_f32, 1e30]));
        assert_relative_eq!(large.std, 1e30 * 2_f64.sqrt(), max_relative = 1e-6);
        let small = Stats::of(&Tensor::from([-1e-25_f32, 1e-25]));
        assert_relative_eq!(small.std, 1e-25 * 2_f64.sqrt(), max_relative = 1e-6);
        assert_eq!(Stats::of(&Tensor::<f32>::zeros([3])).std, 0.0);
        let largest = Stats::of(&Tensor::from([-f64::MAX, f64::MAX]));
        assert_eq!(largest.histogram.total(), 2);
    }

    #[test]
    fn views_are_read_in_place() {
        let x = Tensor::<f32>::from_fn([4, 6], |i| (i[0] * 6 + i[1]) as f32);
        assert_eq!(Stats::of(&x.t()), Stats { ..Stats::of(&x.t().contiguous()) });
        assert_eq!(Stats::of(&x.slice(1, 2..3)).min, 2.0);
    }
}
