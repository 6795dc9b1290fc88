//! Statistics of order: medians, quantiles, distinct elements, counts, and places in a sorted vector.

use crate::buffer::Buffer;
use crate::dims::Dims;
use crate::element::{Element, Float, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::ops::Axes;
use crate::ops::reduce::over;
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Number> Tensor<T> {
    /// The median over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`. Of an even number of elements it is the lower
    /// of the two in the middle, as in PyTorch; NaN if any is.
    ///
    /// # Panics
    /// An axis is out of range or named twice, or there are no elements to choose from.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[5, 1, 3], [2, 8, 4]]);
    /// assert_eq!(x.median(1), Tensor::from([3, 4]));
    /// assert_eq!(x.median(..).item(), 3);
    /// ```
    #[track_caller]
    pub fn median<A: Axes>(&self, axes: A) -> Self {
        let (sorted, shape) = sorted("median", self, &axes).or_panic();
        if sorted.numel() == 0 {
            return sorted.reshape(shape);
        }
        let last = sorted.size(-1) - 1;
        with_nan(&sorted, sorted.narrow(-1, last / 2, 1)).reshape(shape)
    }
}

impl<T: Float> Tensor<T> {
    /// The quantile q, 0 ≤ q ≤ 1, over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`. Between two elements it is
    /// interpolated: x\[i] + (x\[i + 1] − x\[i]) f, where q (n − 1) = i + f. NaN if any element is, and between −∞ and ∞.
    ///
    /// # Panics
    /// q is out of range, an axis is out of range or named twice, or there are no elements to choose from.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([4.0, 1.0, 3.0, 2.0]);
    /// assert_eq!(x.quantile(0.5, ..).item(), 2.5);
    /// ```
    #[track_caller]
    pub fn quantile<A: Axes>(&self, q: f64, axes: A) -> Self {
        if !(0.0..=1.0).contains(&q) {
            let why = format!("the quantile {q} is out of range: 0 ≤ q ≤ 1");
            Err(Error::new("quantile", Reason::Argument { why })).or_panic()
        }
        let (sorted, shape) = sorted("quantile", self, &axes).or_panic();
        if sorted.numel() == 0 {
            return sorted.reshape(shape);
        }
        let last = sorted.size(-1) - 1;
        let place = q * last as f64;
        let (below, part) = (place.floor(), place - place.floor());
        let low = sorted.narrow(-1, below as usize, 1);
        let high = sorted.narrow(-1, (below as usize + 1).min(last), 1);
        let between = low.zip(&high, |low, high| interpolated(low, high, part));
        with_nan(&sorted, between).reshape(shape)
    }
}

/// low + (high − low) part, 0 ≤ part < 1, from the nearer end, as PyTorch's lerp. No distance need be finite.
fn interpolated<T: Float>(low: T, high: T, part: f64) -> T {
    let (above, below) = (T::from_f64(part), T::from_f64(1.0 - part));
    let distance = high - low;
    match () {
        _ if low == high || above == T::ZERO => low,
        _ if !distance.is_finite() => low * below + high * above,
        _ if part < 0.5 => low + distance * above,
        _ => high - distance * below,
    }
}

/// The elements of each result in order, along the last axis, and the shape of the results.
fn sorted<T: Number, A: Axes>(op: &'static str, x: &Tensor<T>, axes: &A) -> Result<(Tensor<T>, Shape), Error> {
    let over = over(op, x.shape(), axes)?;
    let (shape, count) = (over.shape(x.shape()), over.count(x.shape()));
    if shape.numel() > 0 && count == 0 {
        return Err(Error::new(op, Reason::Nothing { shape: x.shape().clone() }));
    }
    let mut order: Dims<isize> = (0..x.rank() as isize).collect();
    // The reduced axes last; the others keep their order.
    order.sort_by_key(|axis| over.reduced[axis as usize]);
    let rows = x.permute(&order).try_reshape([shape.numel(), count])?;
    Ok((rows.sort(-1, false).0, shape))
}

/// NaN where the largest of the sorted elements is NaN.
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
fn with_nan<T: Number>(sorted: &Tensor<T>, of_numbers: Tensor<T>) -> Tensor<T> {
    if !T::DTYPE.is_float() {
        return of_numbers;
    }
    let largest = sorted.narrow(-1, sorted.size(-1) - 1, 1);
    largest.ne(&largest).where_cond(&largest, &of_numbers)
}

impl<T: Element> Tensor<T> {
    /// The distinct elements in ascending order, whatever the shape. NaN comes last, and once.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[3, 1], [1, 2]]).unique(), Tensor::from([1, 2, 3]));
    /// ```
    pub fn unique(&self) -> Self {
        self.unique_with_counts().0
    }

    /// As [`unique`](Self::unique), and how many times each element occurs.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (elements, counts) = Tensor::from([3, 1, 1]).unique_with_counts();
    /// assert_eq!((elements, counts), (Tensor::from([1, 3]), Tensor::from([2, 1])));
    /// ```
    pub fn unique_with_counts(&self) -> (Self, Tensor<i64>) {
        let (sorted, _) = self.reshape(self.numel()).sort(0, false);
        let (mut elements, mut counts) = (vec![], vec![]);
        let mut last = None;
        for x in sorted.iter() {
            match counts.last_mut() {
                Some(count) if last == Some(x.key()) => *count += 1,
                _ => {
                    elements.push(x);
                    counts.push(1);
                    last = Some(x.key());
                }
            }
        }
        (Tensor::from(elements), Tensor::from(counts))
    }

    /// Where in this vector, whose elements ascend, each of `values` would have to stand: how many elements are below it, or with
    /// `right`, how many are not above it. NaN is above all numbers.
    ///
    /// # Panics
    /// This tensor is no vector. Whether its elements ascend is not checked.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([1, 3, 3, 5]);
    /// assert_eq!(x.searchsorted(&Tensor::from([3, 9]), false), Tensor::from([1, 4]));
    /// assert_eq!(x.searchsorted(&Tensor::from([3, 9]), true), Tensor::from([3, 4]));
    /// ```
    #[track_caller]
    pub fn searchsorted(&self, values: &Self, right: bool) -> Tensor<i64> {
        if self.rank() != 1 {
            let got = self.shape().clone();
            Err(Error::new("searchsorted", Reason::Rank { want: "a vector to search in", got })).or_panic()
        }
        let sorted = self.contiguous();
        let sorted = sorted.as_slice().expect("made contiguous");
        // What is repeated is looked up once.
        let once = values.view(values.layout().once()).contiguous();
        let mut places = Buffer::stale(once.numel());
        let wanted = once.as_slice().expect("made contiguous");
        // Each step waits for the cache.
        let cost = par::RANDOM * f64::from(sorted.len().max(2).ilog2());
        par::split(&mut places, 1, cost, |start, places| {
            search(sorted, &wanted[start..][..places.len()], right, places)
        });
        let places = Tensor::from_buffer(places, once.shape().clone());
        if places.shape() == values.shape() { places } else { places.expand(values.shape()).copied() }
    }
}

/// places\[i] = how many of the ascending elements are below values\[i], or with `right`, not above it.
fn search<T: Element>(sorted: &[T], values: &[T], right: bool, places: &mut [i64]) {
    /// Values that are looked up side by side: while one waits for memory, the others go on.
    const ABREAST: usize = 8;
    for (values, places) in values.chunks(ABREAST).zip(places.chunks_mut(ABREAST)) {
        let (mut wanted, mut at) = ([0; ABREAST], [0; ABREAST]);
        wanted.iter_mut().zip(values).for_each(|(wanted, value)| *wanted = value.key());
        let mut len = sorted.len();
        while len > 0 {
            let half = len.div_ceil(2);
            for (at, &wanted) in at.iter_mut().zip(&wanted) {
                let key = sorted[*at + half - 1].key();
                let is_before = if right { key <= wanted } else { key < wanted };
                *at = std::hint::select_unpredictable(is_before, *at + half, *at);
            }
            len -= half;
        }
        places.iter_mut().zip(at).for_each(|(place, at)| *place = at as i64);
    }
}

impl Tensor<i64> {
    /// How many times each number from 0 on occurs, whatever the shape: a vector up to the largest number, and of at least
    /// `least` entries.
    ///
    /// # Panics
    /// A number is negative, or the largest is more than can be counted to in memory.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 3, 1]).bincount(0), Tensor::from([0, 2, 0, 1]));
    /// ```
    #[track_caller]
    pub fn bincount(&self, least: usize) -> Tensor<i64> {
        bincount(self, least).or_panic()
    }
}

fn bincount(x: &Tensor<i64>, least: usize) -> Result<Tensor<i64>, Error> {
    if let Some((position, number)) = x.iter().enumerate().find(|(_, number)| *number < 0) {
        let why = format!("{number} (entry {position}) is negative: none may be");
        return Err(Error::new("bincount", Reason::Argument { why }));
    }
    let bins = x.iter().fold(0, |bins, number| bins.max((number as usize).saturating_add(1)));
    let shape = Shape::try_new(&[bins.max(least)]).map_err(|error| error.of("bincount"))?;
    let mut out = crate::create::room("bincount", &shape)?;
    let counts = &mut out[..];
    counts.fill(0);
    for number in x.iter() {
        counts[number as usize] += 1;
    }
    Ok(Tensor::from_buffer(out, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_an_infinite_element_and_a_number_a_quantile_is_infinite() {
        fn check<T: Float>() {
            let (inf, of) = (T::INFINITY, T::from_f64);
            let quantile = |x: &[T], q: f64| Tensor::from(x).quantile(q, ..).item();
            assert_eq!(quantile(&[-inf, of(1.0), of(2.0)], 0.0), -inf);
            assert_eq!(quantile(&[-inf, of(1.0), of(2.0)], 0.5), of(1.0));
            assert_eq!(quantile(&[-inf, of(1.0), of(2.0)], 1.0), of(2.0));
            assert_eq!(quantile(&[-inf, of(1.0)], 0.3), -inf);
            assert_eq!(quantile(&[of(4.0), inf, of(5.0)], 0.5), of(5.0));
            for q in [1e-300, 0.4, 0.5, 0.6, 1.0] {
                assert_eq!(quantile(&[inf, inf], q), inf);
                // No part of an f32 is as small as 1e-300.
                let want = if of(q) == T::ZERO { T::ZERO } else { inf };
                assert_eq!(quantile(&[inf, T::ZERO], q), want, "{q}");
            }
            assert!(quantile(&[-inf, inf], 0.5).is_nan());
            assert_eq!((quantile(&[-inf, inf], 0.0), quantile(&[-inf, inf], 1.0)), (-inf, inf));
            assert!(quantile(&[of(f64::NAN), inf], 0.0).is_nan());
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn between_elements_whose_distance_overflows_a_quantile_is_finite() {
        for (q, want) in [(0.0, -1.0_f64), (0.25, -0.5), (0.5, 0.0), (0.75, 0.5), (1.0, 1.0)] {
            let wide = Tensor::from([-1.7e308, 1.7e308]).quantile(q, ..).item();
            let narrow = Tensor::from([3e38_f32, -3e38]).quantile(q, ..).item();
            assert!((wide / 1.7e308 - want).abs() < 1e-15 && (f64::from(narrow) / 3e38 - want).abs() < 1e-7, "{q}");
        }
        assert_eq!(Tensor::from([1.0, 2.0, 4.0]).quantile(0.75, ..).item(), 3.0);
    }

    #[test]
    fn places_in_sorted_vectors_of_any_length_agree_with_their_definition() {
        let values = Tensor::from([[f32::NAN, -1.0, 0.0, -0.0, 0.5, 3.0, f32::INFINITY, 100.0, f32::NEG_INFINITY]]);
        for len in 0..40 {
            // With ties, and NaN at the end.
            let numbers = Tensor::from_fn([len], |i| if i[0] > 30 { f32::NAN } else { (i[0] / 3) as f32 - 1.0 });
            let below = |x: f32, y: f32| x < y || (y.is_nan() && !x.is_nan());
            let number = |is: &dyn Fn(f32) -> bool| numbers.iter().filter(|&x| is(x)).count() as i64;
            for values in [values.clone(), values.t(), values.expand([3, 9]), values.slice(1, 2..2)] {
                let want = values.map(|value| number(&|x| below(x, value)));
                assert_eq!(numbers.searchsorted(&values, false), want, "{len}");
                let want = values.map(|value| number(&|x| !below(value, x)));
                assert_eq!(numbers.searchsorted(&values, true), want, "{len}");
            }
        }
    }
}
