//! Whole numbers, choices and orders as PyTorch draws them.

use tensor::{Float, IntoShape, Tensor};

use super::{Generator, shape_of};
use crate::draws::Draws;
use crate::error::Error;

impl Generator {
    /// Whole numbers from `low` to below `high`: `torch.randint(low, high, shape)`.
    ///
    /// # Errors
    /// `low` is not below `high`, or the shape has more elements than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// let x = Generator::manual_seed(42).randint(0, 10, [5])?;
    /// assert_eq!(x, Tensor::from([2, 7, 6, 4, 6])); // torch.randint(0, 10, (5,))
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn randint(&mut self, low: i64, high: i64, shape: impl IntoShape) -> Result<Tensor<i64>, Error> {
        const SCHEME: &str = "torch::randint";
        /// With more to choose from, PyTorch takes 64 bits for each.
        const MANY: u64 = 1 << 28;
        if low >= high {
            return Err(Error::number(SCHEME, "the lower end", low as f64, format!("below the upper end, {high}")));
        }
        let range = high.wrapping_sub(low) as u64;
        let mut x = Tensor::try_full(shape_of(SCHEME, shape)?, 0).map_err(Error::tensor(SCHEME))?;
        x.as_mut_slice().fill_with(|| {
            let word = if range < MANY { self.word().into() } else { self.long_word() };
            low.wrapping_add((word % range) as i64)
        });
        Ok(x)
    }

    /// The numbers below `n` in a random order: `torch.randperm(n)`.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Generator::manual_seed(42).randperm(4), Tensor::from([2, 3, 0, 1])); // torch.randperm(4)
    /// ```
    pub fn randperm(&mut self, n: usize) -> Tensor<i64> {
        self.permutation(n).into_iter().map(|i| i as i64).collect()
    }

    /// 1 with the probability that each element of `p` is, else 0: `torch.bernoulli(p)`.
    ///
    /// (`x.bernoulli_(0.3)` with a number in PyTorch is another matter: on Intel's processors it draws from another
    /// library.)
    ///
    /// # Errors
    /// An element is not in 0..=1.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// let coins = Generator::manual_seed(42).bernoulli(&Tensor::full([5], 0.9_f32))?;
    /// assert_eq!(coins, Tensor::from([1.0, 0.0, 1.0, 0.0, 1.0])); // torch.bernoulli(torch.full((5,), 0.9))
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn bernoulli<T: Float>(&mut self, p: &Tensor<T>) -> Result<Tensor<T>, Error> {
        if let Some(p) = p.iter().find(|&p| !(T::ZERO..=T::ONE).contains(&p)) {
            return Err(Error::number("torch::bernoulli", "a probability", p.to_f64(), "in 0..=1"));
        }
        let mut x = p.contiguous();
        for p in x.as_mut_slice() {
            *p = if self.unit_of::<T>() < *p { T::ONE } else { T::ZERO };
        }
        Ok(x)
    }

    /// `count` indices for each row of `weights`, `[n]` or `[rows, n]`, drawn in proportion to its elements, which need not
    /// add up to 1: `torch.multinomial(weights, count, replacement)`, of shape `[count]` or `[rows, count]`.
    ///
    /// # Errors
    /// `weights` has neither one axis nor two; an element, or the sum of a row, is infinite or not a number; an element is
    /// negative; a row has fewer elements above 0 than are drawn without replacement, or none.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// let weights = Tensor::from([0.5, 0.0, 1.5_f32]);
    /// let drawn = Generator::manual_seed(42).multinomial(&weights, 4, true)?;
    /// assert!(drawn.iter().all(|i| i == 0 || i == 2));
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn multinomial<T: Float>(
        &mut self,
        weights: &Tensor<T>,
        count: usize,
        replacement: bool,
    ) -> Result<Tensor<i64>, Error> {
        const SCHEME: &str = "torch::multinomial";
        let (&[ref rows @ .., n], 1..=2) = (weights.dims(), weights.rank()) else {
            return Err(Error::shape(SCHEME, weights.shape(), "have one axis, or two of which the first are rows"));
        };
        let weights = weights.to_vec();
        if let Some(w) = weights.iter().find(|w| !w.is_finite() || **w < T::ZERO) {
            return Err(Error::number(SCHEME, "a weight", w.to_f64(), "at least 0 and finite"));
        }
        let needed = if replacement { count.min(1) } else { count };
        for row in weights.chunks(n.max(1)) {
            let positive = row.iter().filter(|w| **w > T::ZERO).count();
            if positive < needed {
                let rule = format!("at least {needed}, as many as are drawn without coming back, or 1");
                return Err(Error::number(SCHEME, "the number of positive weights in a row", positive as f64, rule));
            }
            let sum: T = row.iter().copied().sum();
            if !sum.is_finite() {
                let rule = format!("finite in {}", T::DTYPE);
                return Err(Error::number(SCHEME, "the sum of a row", sum.to_f64(), rule));
            }
        }
        let drawn: Vec<i64> = match replacement && count != 1 {
            true => weights.chunks(n.max(1)).flat_map(|row| self.with_replacement(row, count)).collect(),
            false => self.without_replacement(&weights, n, count),
        };
        Tensor::try_from_vec(drawn, [rows, &[count]].concat().as_slice()).map_err(Error::tensor(SCHEME))
    }

    /// Each draw is a place on the line of the cumulated weights.
    fn with_replacement<T: Float>(&mut self, row: &[T], count: usize) -> Vec<i64> {
        let mut sum = T::ZERO;
        let cumulated: Vec<T> = row
            .iter()
            .map(|&w| {
                sum += w;
                sum
            })
            .collect();
        let ends: Vec<f64> = cumulated.into_iter().map(|end| (end / sum).to_f64()).collect();
        (0..count)
            .map(|_| {
                let u = self.unit();
                ends.partition_point(|&end| end < u) as i64
            })
            .collect()
    }

    /// The largest of the weights, each divided by an exponential number (the exponential race).
    fn without_replacement<T: Float>(&mut self, weights: &[T], n: usize, count: usize) -> Vec<i64> {
        let race: Vec<T> = weights.iter().map(|&w| w / T::from_f64(-libm::log1p(-self.unit()))).collect();
        let mut drawn = Vec::new();
        for row in race.chunks(n.max(1)) {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&i, &j| row[j].to_f64().total_cmp(&row[i].to_f64()));
            drawn.extend(order[..count].iter().map(|&i| i as i64));
        }
        drawn
    }
}
