//! A tensor of either float, measured in f64: what is generic in the float ends here.

use std::any::Any;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::rc::Rc;

use autograd::NonFinite;
use tensor::{Float, Tensor};

/// The values of one node, and what was measured of them so far. Figures are f64; what takes long for large tensors is measured in the
/// tensor's own float, since to make an f64 of each element first takes an inspection of large layers twice as long.
#[derive(Clone)]
pub(crate) struct Numbers {
    own: Rc<dyn Measures>,
    wide: OnceCell<Tensor<f64>>,
    moments: OnceCell<(f64, f64)>,
    lost: OnceCell<NonFinite>,
}

/// What is measured of a tensor of either float.
trait Measures: Any {
    fn dims(&self) -> &[usize];
    fn wide(&self) -> Tensor<f64>;
    fn mean_std(&self) -> (f64, f64);
    fn lost(&self) -> NonFinite;
    fn range(&self) -> (f64, f64);
    fn is_zero(&self) -> bool;
    fn units(&self, axis: Option<usize>) -> Units;
    fn matrix(&self, axis: Option<usize>) -> Numbers;
    fn stacked(&self, parts: &[Numbers]) -> Numbers;
    fn outside(&self, from: f64, to: f64) -> Tensor<bool>;
    fn bins(&self, from: f64, scale: f64, last: f64) -> Tensor<u8>;
    fn least_of_rows(&self, largest: bool) -> Vec<(usize, f64)>;
    fn shares_at(&self, places: &[(usize, f64)]) -> Vec<f64>;
}

/// Mean and standard deviation over the examples, unit by unit; NaN where there are too few examples.
pub(crate) struct Units {
    pub(crate) mean: Vec<f64>,
    pub(crate) std: Vec<f64>,
    /// How many examples there are.
    pub(crate) examples: usize,
}

impl<T: Float> Measures for Tensor<T> {
    fn dims(&self) -> &[usize] {
        self.dims()
    }

    fn wide(&self) -> Tensor<f64> {
        self.cast()
    }

    fn mean_std(&self) -> (f64, f64) {
        let (var, mean) = self.var_mean(.., 1);
        let (var, mean) = (var.item(), mean.item().to_f64());
        if (T::MIN_POSITIVE..T::INFINITY).contains(&var) || self.numel() < 2 {
            return (mean, var.to_f64().sqrt());
        }
        // The variance may have left the range of the type, where the deviation has not.
        let wide = self.wide();
        (wide.mean(..).item(), wide.std(.., 1).item())
    }

    fn lost(&self) -> NonFinite {
        NonFinite::of(self)
    }

    fn range(&self) -> (f64, f64) {
        (self.min(..).item().to_f64(), self.max(..).item().to_f64())
    }

    fn is_zero(&self) -> bool {
        self.iter().all(|x| x == T::ZERO)
    }

    fn units(&self, axis: Option<usize>) -> Units {
        let numbers = |of: &Tensor<T>| of.iter().map(T::to_f64).collect::<Vec<_>>();
        let count = axis.map_or(1, |axis| self.size(axis as isize));
        let examples = self.numel() / count.max(1);
        if examples < 2 {
            return Units { mean: numbers(self), std: vec![f64::NAN; count], examples };
        }
        let others = (0..self.rank()).filter(|&other| Some(other) != axis);
        let others: Vec<isize> = others.map(|axis| axis as isize).collect();
        let (var, mean) = self.var_mean(&others[..], 1);
        // As for all elements at once.
        let std = match var.iter().all(|var| (T::MIN_POSITIVE..T::INFINITY).contains(&var)) {
            true => var.sqrt(),
            false => self.std(&others[..], 1),
        };
        Units { mean: numbers(&mean), std: numbers(&std), examples }
    }

    fn matrix(&self, axis: Option<usize>) -> Numbers {
        let units = axis.map_or(1, |axis| self.size(axis as isize));
        let others = (0..self.rank()).filter(|&other| Some(other) != axis);
        let order: Vec<isize> = others.chain(axis).map(|axis| axis as isize).collect();
        Numbers::of(&self.permute(&order).reshape([self.numel() / units.max(1), units]))
    }

    fn stacked(&self, parts: &[Numbers]) -> Numbers {
        let own = |part: &Numbers| (part.own.as_ref() as &dyn Any).downcast_ref::<Self>().cloned();
        let parts: Vec<Self> = parts.iter().map(|part| own(part).expect("a tape has one float")).collect();
        Numbers::of(&Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0))
    }

    fn outside(&self, from: f64, to: f64) -> Tensor<bool> {
        self.map(move |x| {
            let x = x.to_f64();
            x < from || x > to
        })
    }

    fn bins(&self, from: f64, scale: f64, last: f64) -> Tensor<u8> {
        // The tensor's loops run in vectors and on several threads, if a bin is not made by a cast, which is not: a whole number and
        // 2⁵² has that number in its last bits. 0.2 ns per element where a loop here takes 8.
        let bins = self.map(move |x| {
            let bin = ((x.to_f64() / 2.0 - from / 2.0) * scale).min(last).floor();
            (bin + f64::from_bits(1075 << 52)).to_bits() as u8
        });
        bins.contiguous()
    }

    fn least_of_rows(&self, largest: bool) -> Vec<(usize, f64)> {
        let (places, values) = match largest {
            true => (self.argmax(-1), self.max(-1)),
            false => (self.argmin(-1), self.min(-1)),
        };
        places.iter().zip(values.iter()).map(|(place, value)| (place as usize, value.to_f64())).collect()
    }

    fn shares_at(&self, places: &[(usize, f64)]) -> Vec<f64> {
        let shares = self.softmax(-1).contiguous().reshape([places.len(), self.size(-1)]);
        places.iter().enumerate().map(|(row, (place, _))| shares.get(&[row, *place]).map_or(0.0, T::to_f64)).collect()
    }
}

impl Numbers {
    pub(crate) fn of<T: Float>(values: &Tensor<T>) -> Self {
        let (wide, moments, lost) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Numbers { own: Rc::new(values.clone()), wide, moments, lost }
    }

    /// All of them in f64.
    pub(crate) fn values(&self) -> &Tensor<f64> {
        self.wide.get_or_init(|| self.own.wide())
    }

    pub(crate) fn dims(&self) -> &[usize] {
        self.own.dims()
    }

    pub(crate) fn numel(&self) -> usize {
        self.dims().iter().product()
    }

    /// The mean, and the unbiased standard deviation; NaN where there are too few elements.
    pub(crate) fn mean_std(&self) -> (f64, f64) {
        *self.moments.get_or_init(|| self.own.mean_std())
    }

    pub(crate) fn rms(&self) -> f64 {
        let (mean, std) = self.mean_std();
        rms(mean, std, self.numel())
    }

    pub(crate) fn first(&self) -> f64 {
        self.values().iter().next().unwrap_or(f64::NAN)
    }

    /// The least and the largest; NaN without elements.
    pub(crate) fn range(&self) -> (f64, f64) {
        if self.numel() == 0 { (f64::NAN, f64::NAN) } else { self.own.range() }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.own.is_zero()
    }

    pub(crate) fn lost(&self) -> NonFinite {
        let is_known = self.moments.get().is_some_and(|(mean, _)| mean.is_finite());
        *self.lost.get_or_init(|| if is_known { NonFinite::default() } else { self.own.lost() })
    }

    /// By the units along an axis, or all as the examples of one unit.
    pub(crate) fn units(&self, axis: Option<usize>) -> Units {
        self.own.units(axis)
    }

    /// Which of `last` + 1 bins each element is in: (x/2 − from/2) · scale, rounded down.
    pub(crate) fn bins(&self, from: f64, scale: f64, last: f64) -> Tensor<u8> {
        self.own.bins(from, scale, last)
    }

    /// The place and the value of the least, or of the largest, element of each row of the last axis.
    pub(crate) fn least_of_rows(&self, largest: bool) -> Vec<(usize, f64)> {
        if self.numel() == 0 { Vec::new() } else { self.own.least_of_rows(largest) }
    }

    /// The softmax of each row at a place.
    pub(crate) fn shares_at(&self, places: &[(usize, f64)]) -> Vec<f64> {
        self.own.shares_at(places)
    }

    /// Each row of the last axis, bit by bit.
    pub(crate) fn bits_of_rows(&self) -> Vec<Vec<u64>> {
        self.rows().into_iter().map(|row| row.into_iter().map(f64::to_bits).collect()).collect()
    }

    /// ln Σ eˣ of each row of the last axis.
    pub(crate) fn row_logs(&self) -> Vec<f64> {
        let sum = |row: &Vec<f64>| {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            most + row.iter().map(|x| (x - most).exp()).sum::<f64>().ln()
        };
        self.rows().iter().map(sum).collect()
    }

    /// The sum of each row of the last axis.
    pub(crate) fn row_sums(&self) -> Vec<f64> {
        self.rows().iter().map(|row| row.iter().sum()).collect()
    }

    /// As `[examples, units]`.
    pub(crate) fn matrix(&self, axis: Option<usize>) -> Numbers {
        self.own.matrix(axis)
    }

    /// The numbers of each unit along an axis, or all as those of one.
    pub(crate) fn columns(&self, axis: Option<usize>) -> Vec<Vec<f64>> {
        self.matrix(axis).values().axis_iter(1).map(|unit| unit.to_vec()).collect()
    }

    /// Matrices of as many columns, below each other.
    pub(crate) fn stacked(parts: &[Numbers]) -> Numbers {
        if parts.windows(2).any(|pair| pair[0].dims()[1] != pair[1].dims()[1]) {
            // Of several widths, as where a layer is given its input in two shapes, all numbers are one unit's.
            let columns: Vec<Numbers> = parts.iter().map(|part| part.matrix(None)).collect();
            return Numbers::stacked(&columns);
        }
        parts[0].own.stacked(parts)
    }

    /// Which elements are outside of a range.
    pub(crate) fn outside(&self, from: f64, to: f64) -> Tensor<bool> {
        self.own.outside(from, to)
    }

    /// Without a bias along its last axes, where that fits.
    pub(crate) fn without(&self, bias: &Numbers) -> Option<Numbers> {
        self.dims().ends_with(bias.dims()).then(|| Numbers::of(&(self.values() - bias.values())))
    }

    /// The rows of the last axis.
    fn rows(&self) -> Vec<Vec<f64>> {
        let width = self.dims().last().copied().unwrap_or(1).max(1);
        self.values().to_vec().chunks(width).map(<[f64]>::to_vec).collect()
    }

    /// For each row of the last axis how many of its elements are meant to count, and not masked by a number that is far below
    /// all others; and the mean over rows of the logarithm of that.
    pub(crate) fn ln_unmasked(&self) -> f64 {
        const MASKED: f64 = -1e4;
        let rows = self.rows();
        let counts = rows.iter().map(|row| (row.iter().filter(|x| **x > MASKED).count().max(1) as f64).ln());
        counts.sum::<f64>() / rows.len().max(1) as f64
    }

    /// −Σ p ln p over the last axis, as a mean over rows.
    pub(crate) fn entropy(&self) -> f64 {
        let width = self.dims().last().copied().unwrap_or(1).max(1);
        let terms = self.values().iter().filter(|p| *p > 0.0).map(|p| -p * p.ln());
        terms.sum::<f64>() / (self.numel() / width).max(1) as f64
    }

    /// Whether each example has one 1, and zeros.
    pub(crate) fn is_one_hot(&self) -> bool {
        let width = self.dims().last().copied().unwrap_or(1);
        let is_one_hot = |row: &Vec<f64>| row.iter().sum::<f64>() == 1.0;
        width > 1
            && self.numel() > 0
            && self.values().iter().all(|x| x == 0.0 || x == 1.0)
            && self.rows().iter().all(is_one_hot)
    }

    /// How many units a weight makes: the columns of a matrix, the first axis of a convolution's.
    pub(crate) fn made(&self) -> usize {
        match *self.dims() {
            [] => 1,
            [_, ref between @ .., _] if !between.is_empty() => self.dims()[0],
            [.., last] => last,
        }
    }

    /// Whether an example, which is an index of the first axis, differs from the first one.
    pub(crate) fn differs(&self) -> bool {
        let x = self.values();
        let first = x.slice(0, 0..1);
        x.axis_iter(0).any(|example| example.iter().zip(first.iter()).any(|(a, b)| a != b))
    }

    /// Of the units that a weight makes, the share that is an exact copy of one before; 0 for what is no matrix of two columns, nor the weight
    /// of a convolution.
    pub(crate) fn copies(&self) -> f64 {
        let matrix = match self.values() {
            kernels if kernels.rank() > 2 => &kernels.flatten(1).t(),
            matrix => matrix,
        };
        if matrix.rank() != 2 || matrix.size(1) < 2 || matrix.size(0) == 0 {
            return 0.0;
        }
        let bits = |x: f64| (x + 0.0).to_bits();
        // The first numbers tell most columns apart.
        let first: HashSet<u64> = matrix.slice(0, 0..1).iter().map(bits).collect();
        if first.len() == matrix.size(1) {
            return 0.0;
        }
        let different: HashSet<Vec<u64>> =
            matrix.axis_iter(1).map(|column| column.iter().map(bits).collect()).collect();
        1.0 - different.len() as f64 / matrix.size(1) as f64
    }
}

/// The root of the mean of `count` squares, from their mean and unbiased standard deviation.
pub(crate) fn rms(mean: f64, std: f64, count: usize) -> f64 {
    let spread = if count < 2 { 0.0 } else { std * (1.0 - 1.0 / count as f64).sqrt() };
    mean.hypot(spread)
}

/// NaN of none.
pub(crate) fn mean(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.into_iter().fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    sum / count
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
