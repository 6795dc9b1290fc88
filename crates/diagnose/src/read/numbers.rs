//! A tensor of either float, measured in f64: what is generic in the float ends here.

use std::any::Any;
use std::cell::OnceCell;
use std::collections::HashSet;

use tensor::{Float, Real, Tensor};

use crate::report::stats::Histogram;

/// The values of one node, and what was measured of them so far.
#[derive(Clone)]
pub(crate) struct Numbers {
    values: Values,
    moments: OnceCell<(f64, f64)>,
    lost: OnceCell<NonFinite>,
}

#[derive(Clone)]
enum Values {
    Single(Tensor<f32>),
    Double(Tensor<f64>),
}

/// The same for tensors of both floats.
macro_rules! each {
    ($values:expr, $x:ident => $of:expr) => {
        match $values {
            Values::Single($x) => $of,
            Values::Double($x) => $of,
        }
    };
}

/// Which a tensor holds: NaN, positive or negative infinity, or none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NonFinite {
    pub(crate) nan: bool,
    pub(crate) positive: bool,
    pub(crate) negative: bool,
}

impl NonFinite {
    pub(crate) fn any(self) -> bool {
        self != NonFinite::default()
    }

    pub(crate) fn what(self) -> &'static str {
        if self.nan { "NaN" } else { "infinity" }
    }
}

/// Mean and standard deviation over the examples, unit by unit; NaN where there are too few examples.
pub(crate) struct Units {
    pub(crate) mean: Vec<f64>,
    pub(crate) std: Vec<f64>,
    /// How many examples there are.
    pub(crate) examples: usize,
}

impl Numbers {
    pub(crate) fn of<T: Float>(values: &Tensor<T>) -> Self {
        let any: &dyn Any = values;
        let values = match any.downcast_ref::<Tensor<f32>>() {
            Some(single) => Values::Single(single.clone()),
            None => Values::Double(values.cast()),
        };
        Numbers { values, moments: OnceCell::new(), lost: OnceCell::new() }
    }

    pub(crate) fn dims(&self) -> &[usize] {
        each!(&self.values, x => x.dims())
    }

    pub(crate) fn numel(&self) -> usize {
        each!(&self.values, x => x.numel())
    }

    /// The mean, and the unbiased standard deviation; NaN where there are too few elements.
    pub(crate) fn mean_std(&self) -> (f64, f64) {
        *self.moments.get_or_init(|| each!(&self.values, x => mean_std(x)))
    }

    pub(crate) fn rms(&self) -> f64 {
        let (mean, std) = self.mean_std();
        rms(mean, std, self.numel())
    }

    pub(crate) fn first(&self) -> f64 {
        each!(&self.values, x => x.iter().next().map_or(f64::NAN, |x| x.to_f64()))
    }

    /// The least and the largest; NaN without elements.
    pub(crate) fn range(&self) -> (f64, f64) {
        if self.numel() == 0 {
            return (f64::NAN, f64::NAN);
        }
        each!(&self.values, x => (x.min(..).item().to_f64(), x.max(..).item().to_f64()))
    }

    pub(crate) fn is_zero(&self) -> bool {
        each!(&self.values, x => x.iter().all(|x| x == 0.0))
    }

    pub(crate) fn lost(&self) -> NonFinite {
        let is_known = self.moments.get().is_some_and(|(mean, _)| mean.is_finite());
        *self.lost.get_or_init(|| if is_known { NonFinite::default() } else { each!(&self.values, x => lost(x)) })
    }

    /// Those of its elements that are finite.
    pub(crate) fn finite(&self) -> Numbers {
        let finite: Vec<f64> =
            each!(&self.values, x => x.iter().map(|x| x.to_f64()).filter(|x| x.is_finite()).collect());
        Numbers::of(&Tensor::from_slice(&finite))
    }

    /// By the units along an axis, or all as the examples of one unit.
    pub(crate) fn units(&self, axis: Option<usize>) -> Units {
        each!(&self.values, x => units(x, axis))
    }

    /// The root mean square of each unit.
    pub(crate) fn sizes(&self, axis: Option<usize>) -> Vec<f64> {
        let units = self.units(axis);
        let size = |(mean, std): (&f64, &f64)| rms(*mean, if std.is_nan() { 0.0 } else { *std }, units.examples);
        units.mean.iter().zip(&units.std).map(size).collect()
    }

    pub(crate) fn histogram(&self, from: f64, to: f64) -> Histogram {
        each!(&self.values, x => Histogram::new(x, from, to))
    }

    /// As `[examples, units]`.
    pub(crate) fn matrix(&self, axis: Option<usize>) -> Numbers {
        let (dims, rank) = (self.dims(), self.dims().len());
        let units = axis.map_or(1, |axis| dims[axis]);
        let order: Vec<isize> =
            (0..rank).filter(|&other| Some(other) != axis).chain(axis).map(|axis| axis as isize).collect();
        let shape = [self.numel() / units.max(1), units];
        each!(&self.values, x => Numbers::of(&x.permute(&order).reshape(shape)))
    }

    /// The numbers of each unit along an axis, or all as those of one.
    pub(crate) fn columns(&self, axis: Option<usize>) -> Vec<Vec<f64>> {
        let matrix = self.matrix(axis);
        let width = matrix.dims()[1];
        let all: Vec<f64> = each!(&matrix.values, x => x.iter().map(|x| x.to_f64()).collect());
        (0..width).map(|unit| all.iter().skip(unit).step_by(width).copied().collect()).collect()
    }

    /// Matrices of as many columns, below each other.
    pub(crate) fn stacked(parts: &[Numbers]) -> Numbers {
        let widths: HashSet<usize> = parts.iter().map(|part| part.dims()[1]).collect();
        if widths.len() > 1 {
            // Of several widths, as where a layer is given its input in two shapes, all numbers are one unit's.
            let columns: Vec<Numbers> = parts.iter().map(|part| part.matrix(None)).collect();
            return Numbers::stacked(&columns);
        }
        let single: Vec<&Tensor<f32>> =
            parts.iter().filter_map(|part| if let Values::Single(x) = &part.values { Some(x) } else { None }).collect();
        let double: Vec<&Tensor<f64>> =
            parts.iter().filter_map(|part| if let Values::Double(x) = &part.values { Some(x) } else { None }).collect();
        if double.is_empty() { Numbers::of(&Tensor::cat(&single, 0)) } else { Numbers::of(&Tensor::cat(&double, 0)) }
    }

    /// Which elements are outside of a range.
    pub(crate) fn outside(&self, from: f64, to: f64) -> Tensor<bool> {
        each!(&self.values, x => x.map(move |x| {
            let x = x.to_f64();
            x < from || x > to
        }))
    }

    /// Without a bias along its last axes, where that fits.
    pub(crate) fn without(&self, bias: &Numbers) -> Option<Numbers> {
        if !self.dims().ends_with(bias.dims()) {
            return None;
        }
        match (&self.values, &bias.values) {
            (Values::Single(x), Values::Single(b)) => Some(Numbers::of(&(x - b))),
            (Values::Double(x), Values::Double(b)) => Some(Numbers::of(&(x - b))),
            _ => None,
        }
    }

    /// For each row of the last axis how many of its elements are meant to count, and not masked by a number that is far below
    /// all others; and the mean over rows of the logarithm of that.
    pub(crate) fn ln_unmasked(&self) -> f64 {
        const MASKED: f64 = -1e4;
        let width = self.dims().last().copied().unwrap_or(1).max(1);
        let values: Vec<f64> = each!(&self.values, x => x.iter().map(|x| x.to_f64()).collect());
        let rows = values.chunks(width).map(|row| (row.iter().filter(|x| **x > MASKED).count().max(1) as f64).ln());
        rows.sum::<f64>() / (values.len() / width).max(1) as f64
    }

    /// −Σ p ln p over the last axis, as a mean over rows.
    pub(crate) fn entropy(&self) -> f64 {
        let width = self.dims().last().copied().unwrap_or(1).max(1);
        let terms = each!(&self.values, x => x.iter().map(|p| p.to_f64()).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum::<f64>());
        terms / (self.numel() / width).max(1) as f64
    }

    /// Whether each example has one 1, and zeros.
    pub(crate) fn is_one_hot(&self) -> bool {
        let width = self.dims().last().copied().unwrap_or(1);
        let is_one_hot = |row: &[f64]| row.iter().sum::<f64>() == 1.0;
        if !each!(&self.values, x => x.iter().all(|x| x == 0.0 || x == 1.0)) {
            return false;
        }
        let rows: Vec<f64> = each!(&self.values, x => x.iter().map(|x| x.to_f64()).collect());
        width > 1 && !rows.is_empty() && rows.chunks(width).all(is_one_hot)
    }

    /// Of the columns of a matrix, the share that is an exact copy of one before; 0 for what is no matrix of two columns.
    pub(crate) fn copies(&self) -> f64 {
        each!(&self.values, x => copies(x))
    }
}

/// As [`Numbers::mean_std`].
pub(crate) fn mean_std<T: Float>(values: &Tensor<T>) -> (f64, f64) {
    let (var, mean) = values.var_mean(.., 1);
    let (var, mean) = (var.item(), mean.item().to_f64());
    if (T::MIN_POSITIVE..T::INFINITY).contains(&var) || values.numel() < 2 {
        return (mean, var.to_f64().sqrt());
    }
    // The variance may have left the range of the type, where the deviation has not.
    let values = values.cast::<f64>();
    (values.var_mean(.., 1).1.item(), values.std(.., 1).item())
}

/// The root of the mean of `count` squares, from their mean and unbiased standard deviation.
pub(crate) fn rms(mean: f64, std: f64, count: usize) -> f64 {
    let spread = if count < 2 { 0.0 } else { std * (1.0 - 1.0 / count as f64).sqrt() };
    mean.hypot(spread)
}

/// Of numbers of any size.
pub(crate) fn root_mean_square(numbers: &[f64]) -> f64 {
    if numbers.is_empty() || numbers.iter().any(|x| x.is_nan()) {
        return f64::NAN;
    }
    let most = numbers.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if most == 0.0 || most.is_infinite() {
        return most;
    }
    let squares: f64 = numbers.iter().map(|x| (x / most) * (x / most)).sum();
    most * (squares / numbers.len() as f64).sqrt()
}

/// The least and the largest.
pub(crate) fn range(numbers: impl Iterator<Item = f64>) -> [f64; 2] {
    numbers.fold([f64::NAN; 2], |[least, most], x| [least.min(x), most.max(x)])
}

fn lost<T: Float>(values: &Tensor<T>) -> NonFinite {
    if values.all_finite() {
        return NonFinite::default();
    }
    let any = |is: fn(f64) -> bool| values.iter().any(|x| is(x.to_f64()));
    NonFinite {
        nan: any(f64::is_nan),
        positive: any(|x| x == f64::INFINITY),
        negative: any(|x| x == f64::NEG_INFINITY),
    }
}

fn units<T: Float>(values: &Tensor<T>, axis: Option<usize>) -> Units {
    let numbers = |of: &Tensor<T>| of.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    let count = axis.map_or(1, |axis| values.size(axis as isize));
    let examples = values.numel() / count.max(1);
    if examples < 2 {
        return Units { mean: numbers(values), std: vec![f64::NAN; count], examples };
    }
    let others: Vec<isize> =
        (0..values.rank()).filter(|&other| Some(other) != axis).map(|axis| axis as isize).collect();
    let (var, mean) = values.var_mean(&others[..], 1);
    // As for all elements at once.
    let std = match var.iter().all(|var| (T::MIN_POSITIVE..T::INFINITY).contains(&var)) {
        true => var.sqrt(),
        false => values.std(&others[..], 1),
    };
    Units { mean: numbers(&mean), std: numbers(&std), examples }
}

fn copies<T: Float>(matrix: &Tensor<T>) -> f64 {
    if matrix.rank() != 2 || matrix.size(1) < 2 || matrix.size(0) == 0 {
        return 0.0;
    }
    // The first numbers tell most columns apart.
    let mut first: Vec<u64> = matrix.slice(0, 0..1).iter().map(|x| (x.to_f64() + 0.0).to_bits()).collect();
    first.sort_unstable();
    if first.windows(2).all(|pair| pair[0] != pair[1]) {
        return 0.0;
    }
    let bits = |column: Tensor<T>| column.iter().map(|x| (x.to_f64() + 0.0).to_bits()).collect::<Vec<u64>>();
    let different: HashSet<Vec<u64>> = matrix.t().axis_iter(0).map(bits).collect();
    1.0 - different.len() as f64 / matrix.size(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: Tensor<f32>, axis: usize) -> f64 {
        root_mean_square(&Numbers::of(&values).units(Some(axis)).std)
    }

    #[test]
    fn a_signal_is_what_varies_over_examples() {
        let by_unit = Tensor::from([[1.0, -20.0], [3.0, -20.0]]);
        assert!((spread(by_unit.clone(), 1) - 1.0).abs() < 1e-6 && (spread(by_unit.t(), 0) - 1.0).abs() < 1e-6);
        assert!(spread(Tensor::ones([1, 3]), 1).is_nan());
        assert_eq!(spread(Tensor::ones([4, 3]), 1), 0.0);
        // Neither too small nor too large for the squares.
        for scale in [1e-30_f32, 1e30] {
            assert!((spread(Tensor::from([[scale], [-scale]]), 1) / f64::from(scale) - 2_f64.sqrt()).abs() < 1e-5);
        }
    }

    #[test]
    fn copies_are_counted_once_each() {
        let share = |columns: Tensor<f32>| Numbers::of(&columns).copies();
        assert_eq!(share(Tensor::zeros([3, 4])), 0.75);
        assert_eq!(share(Tensor::from([[1.0, 2.0, 1.0, 3.0], [0.0, 0.0, 0.0, 0.0]])), 0.25);
        assert_eq!([share(Tensor::ones([3, 1])), share(Tensor::from_fn([8, 8], |i| (i[0] * i[1]) as f32))], [0.0; 2]);
    }

    #[test]
    fn what_is_masked_is_not_counted() {
        let logits = Numbers::of(&Tensor::from([[0.0, -1e9, 1.0, f32::NEG_INFINITY], [0.0, 0.0, 0.0, 0.0]]));
        assert!((logits.ln_unmasked() - (2_f64.ln() + 4_f64.ln()) / 2.0).abs() < 1e-12);
    }
}
