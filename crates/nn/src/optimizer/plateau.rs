//! Lowering the learning rate when nothing gets better.

use crate::Error;

/// What lowers the learning rate when a metric, such as the loss on held-out rows, no longer gets better. It gives a factor for
/// [`Optimizer::set_scale`](crate::Optimizer::set_scale), and has counters of its own. PyTorch's `ReduceLROnPlateau`,
/// whose defaults it has, but that no change is too small to be made (`eps`), and that a share of a negative best has no sign: there,
/// PyTorch calls what is the same or a little worse better.
///
/// # Example
/// ```
/// use nn::ReduceOnPlateau;
///
/// let mut plateau = ReduceOnPlateau::new(0.5, 2)?;
/// let scales = [1.0, 0.9, 0.95, 0.95, 0.95, 0.8].map(|loss| plateau.observe(loss));
/// assert_eq!(scales, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]); // the third in a row that is not better than 0.9
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "ReduceLROnPlateau")]
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    factor: f64,
    patience: u64,
    threshold: f64,
    cooldown: u64,
    least: f64,
    maximize: bool,
    best: Option<f64>,
    bad: u64,
    cooling: u64,
    scale: f64,
}

impl ReduceOnPlateau {
    /// Multiplies the learning rate by `factor` when the metric was not better than the best for more than `patience`
    /// observations in a row.
    ///
    /// # Errors
    /// The factor is not in [0, 1).
    pub fn new(factor: f64, patience: u64) -> Result<Self, Error> {
        if !(0.0..1.0).contains(&factor) {
            return Err(Error::Range {
                what: "the factor of a plateau",
                value: factor,
                rule: "at least 0 and below 1",
            });
        }
        let (threshold, cooldown, least, maximize) = (1e-4, 0, 0.0, false);
        Ok(ReduceOnPlateau {
            factor,
            patience,
            threshold,
            cooldown,
            least,
            maximize,
            best: None,
            bad: 0,
            cooling: 0,
            scale: 1.0,
        })
    }

    /// Sets the relative improvement that counts as better: 1e-4 by default.
    ///
    /// # Errors
    /// It is not in [0, 1).
    pub fn threshold(self, threshold: f64) -> Result<Self, Error> {
        if !(0.0..1.0).contains(&threshold) {
            let what = "the threshold of a plateau";
            return Err(Error::Range { what, value: threshold, rule: "at least 0 and below 1" });
        }
        Ok(ReduceOnPlateau { threshold, ..self })
    }

    /// Sets how many observations are ignored after the learning rate was lowered: 0 by default.
    #[must_use]
    pub fn cooldown(self, observations: u64) -> Self {
        ReduceOnPlateau { cooldown: observations, ..self }
    }

    /// Sets the smallest factor: 0 by default. PyTorch's `min_lr` is a learning rate; this is a factor of it.
    ///
    /// # Errors
    /// It is not in 0..=1.
    #[doc(alias = "min_lr")]
    pub fn least(self, least: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&least) {
            return Err(Error::Range { what: "the least factor of a plateau", value: least, rule: "in 0..=1" });
        }
        Ok(ReduceOnPlateau { least, ..self })
    }

    /// Observes a metric that should grow, such as an accuracy. PyTorch's `mode="max"`.
    #[must_use]
    pub fn maximize(self) -> Self {
        ReduceOnPlateau { maximize: true, ..self }
    }

    /// Takes note of a metric, and returns the factor of the learning rate from now on. NaN is not better than anything.
    pub fn observe(&mut self, metric: f64) -> f64 {
        // Relative to the size of the best, whatever its sign.
        let margin = |best: f64| if best.is_finite() { self.threshold * best.abs() } else { 0.0 };
        let better = match self.best {
            None => !metric.is_nan(),
            Some(best) if self.maximize => metric > best + margin(best),
            Some(best) => metric < best - margin(best),
        };
        if better {
            (self.best, self.bad) = (Some(metric), 0);
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.bad) = (self.cooling - 1, 0);
        }
        if self.bad > self.patience {
            self.scale = (self.scale * self.factor).max(self.least);
            (self.cooling, self.bad) = (self.cooldown, 0);
        }
        self.scale
    }

    /// Forgets the best, and not what the learning rate was lowered by: what is observed from now on is another figure.
    pub(crate) fn begin_anew(&mut self) {
        (self.best, self.bad, self.cooling) = (None, 0, 0);
    }

    /// The factor of the learning rate.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The best metric so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }
}

#[cfg(feature = "checkpoint")]
impl<T: tensor::Float> crate::Stateful<T> for ReduceOnPlateau {
    fn walk(&self, at: &mut crate::Archive<'_, T>) -> Self {
        ReduceOnPlateau {
            best: at.optional("best", self.best),
            bad: at.number("bad", self.bad),
            cooling: at.number("cooling", self.cooling),
            scale: at.number("scale", self.scale),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cooldown_does_not_count_and_the_least_factor_holds() {
        let mut plateau = ReduceOnPlateau::new(0.1, 0).unwrap().cooldown(2).least(0.05).unwrap();
        let scales: Vec<f64> = (0..8).map(|_| plateau.observe(1.0)).collect();
        assert_eq!(scales, [1.0, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]);
    }

    #[test]
    fn what_is_no_number_is_not_better_and_what_is_large_may_be() {
        let mut plateau = ReduceOnPlateau::new(0.5, 1).unwrap();
        assert_eq!([f64::NAN, f64::NAN, f64::NAN].map(|metric| plateau.observe(metric)), [1.0, 0.5, 0.5]);
        assert_eq!((plateau.best(), plateau.observe(3.0), plateau.best()), (None, 0.5, Some(3.0)));
        let mut accuracy = ReduceOnPlateau::new(0.5, 0).unwrap().maximize();
        assert_eq!([0.5, 0.6, 0.60001, 0.7].map(|metric| accuracy.observe(metric)), [1.0, 1.0, 0.5, 0.5]);
    }

    #[test]
    fn below_0_better_is_better_too() {
        // Log-likelihoods: the same eight times, then worse and worse, then better.
        let mut plateau = ReduceOnPlateau::new(0.5, 2).unwrap();
        let scales: Vec<f64> = (0..8).map(|_| plateau.observe(-1.0)).collect();
        assert_eq!(scales, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
        let mut plateau = ReduceOnPlateau::new(0.5, 0).unwrap();
        let worse = [-1.0, -0.97, -0.94, -0.91].map(|metric| plateau.observe(metric));
        assert_eq!((worse, plateau.best()), ([1.0, 0.5, 0.25, 0.125], Some(-1.0)));
        assert_eq!((plateau.observe(-1.1), plateau.best()), (0.125, Some(-1.1)));
        let mut rising = ReduceOnPlateau::new(0.5, 0).unwrap().maximize();
        assert_eq!([-1.0, -1.0, -0.99, -0.98999].map(|metric| rising.observe(metric)), [1.0, 0.5, 0.5, 0.25]);
        // From 0 on, anything below is better, and from −∞ nothing.
        let mut ends = ReduceOnPlateau::new(0.5, 0).unwrap();
        assert_eq!([0.0, -1e-300, f64::NEG_INFINITY, -1e308].map(|m| ends.observe(m)), [1.0, 1.0, 1.0, 0.5]);
        let mut ends = ReduceOnPlateau::new(0.5, 0).unwrap();
        assert_eq!([f64::INFINITY, 5.0].map(|m| ends.observe(m)), [1.0, 1.0]);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for bad in [-0.1, 1.0, f64::NAN] {
            assert!(
                ReduceOnPlateau::new(bad, 1).is_err() && ReduceOnPlateau::new(0.1, 1).unwrap().threshold(bad).is_err(),
                "{bad}"
            );
        }
        assert!(ReduceOnPlateau::new(0.1, 1).unwrap().least(1.1).is_err());
    }
}
