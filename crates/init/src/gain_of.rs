//! The gain of any activation, by integrating it against the normal distribution.

use crate::error::Error;

/// What an activation does to the variance of a signal; made by [`gain_of`].
///
/// Take a deep stack of wide layers y = h W, h = f(y), whose weights have the variance gain² / fan_in. If y is normal with
/// variance q, the next layer's y is normal with the variance gain² E\[f(√q z)²], z standard normal (Poole et al., 2016,
/// *Exponential Expressivity in Deep Neural Networks through Transient Chaos*). This map from q to q decides everything. A
/// variance that it does not change is a fixed point, and the map's slope there says whether a stack returns to it.
#[derive(Clone, Copy, Debug)]
pub struct GainOf<F> {
    f: F,
}

/// The gain of the activation `f`, a closure too.
///
/// It answers two questions. [`forward`](GainOf::forward) answers how much one layer makes up for `f` at inputs of
/// variance 1. [`fixed_point`](GainOf::fixed_point) answers which gain holds a deep stack at a variance, and
/// [`slope`](GainOf::slope) whether it holds it firmly; [`settles`](GainOf::settles) goes the other way and tells where a
/// stack with a given gain ends up.
///
/// The story of tanh and 5/3: the forward gain is 1.5925, and as tanh grows slower than its argument, a stack with it returns
/// to the variance 1 from wherever it starts. With the gain 1, a signal fades from layer to layer. 5/3 is a little more
/// than necessary and settles at 1.18, with outputs of standard deviation 0.65, whatever comes in: so it works, though it
/// saturates a little more. ReLU is different: √2 holds any variance and returns to none, so errors stay as they
/// are. And GELU and SiLU grow faster than their argument: their forward gain holds the variance 1 as a pencil on its
/// tip, so a deep stack of them needs a normalization.
///
/// # Example
/// ```
/// use init::{Gain, gain_of, kaiming_normal};
///
/// let tanh = gain_of(f64::tanh);
/// assert!((tanh.forward()? - 1.5925).abs() < 1e-4);
/// assert!(tanh.slope(1.0)? < 1.0); // it comes back
/// let settled = tanh.settles(5.0 / 3.0).unwrap();
/// assert!((settled - 1.18).abs() < 0.01);
/// assert!((tanh.fixed_point(settled)? - 5.0 / 3.0).abs() < 1e-6);
///
/// let gain = gain_of(|z| if z > 0.0 { z.sqrt() } else { 0.1 * z }).forward()?;
/// let scheme = kaiming_normal(Gain::Custom(gain));
/// # let _ = scheme;
/// # Ok::<(), init::Error>(())
/// ```
pub fn gain_of<F: Fn(f64) -> f64>(f: F) -> GainOf<F> {
    GainOf { f }
}

impl<F: Fn(f64) -> f64> GainOf<F> {
    /// The forward gain, 1 / √E\[f(z)²] with z standard normal: the next layer's variance is 1 if this one's is. Equal to
    /// `fixed_point(1.0)`.
    ///
    /// # Errors
    /// E\[f(z)²] is 0, infinite or not a number.
    pub fn forward(&self) -> Result<f64, Error> {
        self.fixed_point(1.0)
    }

    /// The fixed-point gain, √(q / E\[f(√q z)²]): a deep stack with it keeps the variance q = `variance` before each
    /// activation, once it has it.
    ///
    /// # Errors
    /// `variance` is not a number above 0, or E\[f(√q z)²] is 0, infinite or not a number.
    pub fn fixed_point(&self, variance: f64) -> Result<f64, Error> {
        if !variance.is_finite() || variance <= 0.0 {
            return Err(Error::number("gain_of", "the variance", variance, "above 0 and finite"));
        }
        let square = self.mean_square(variance);
        if square.is_finite() && square > 0.0 {
            return Ok((variance / square).sqrt());
        }
        Err(Error::number("gain_of", "the mean of f(z)² over normal z", square, "above 0 and finite"))
    }

    /// The slope of the map from one layer's variance to the next at its fixed point `variance`: below 1, a deviation from
    /// it shrinks by that factor from layer to layer; at 1, as for ReLU, it stays; above, it grows.
    ///
    /// By a central difference, accurate to some 1e-6 for functions that are smooth except in single points.
    ///
    /// # Errors
    /// As [`fixed_point`](Self::fixed_point).
    pub fn slope(&self, variance: f64) -> Result<f64, Error> {
        const STEP: f64 = 1e-3;
        let gain = self.fixed_point(variance)?;
        let [above, below] = [1.0 + STEP, 1.0 - STEP].map(|by| self.mean_square(variance * by));
        Ok(gain * gain * (above - below) / (2.0 * STEP * variance))
    }

    /// The variance before each activation at which a deep stack with this gain settles; `None` if it fades, grows or stays
    /// wherever it was: if stacks that begin at a quarter and at four times the variance 1 do not end up at the same after
    /// 1000 layers.
    pub fn settles(&self, gain: f64) -> Option<f64> {
        /// Relative.
        const SAME: f64 = 1e-9;
        let end = |mut variance: f64| {
            for _ in 0..1000 {
                let next = gain * gain * self.mean_square(variance);
                if !next.is_finite() || next <= f64::MIN_POSITIVE {
                    return None;
                }
                if (next - variance).abs() <= SAME / 100.0 * variance {
                    return Some(next);
                }
                variance = next;
            }
            None
        };
        let (low, high) = (end(0.25)?, end(4.0)?);
        ((high - low).abs() <= SAME * high).then_some(high)
    }

    /// E\[f(√q z)²], by the midpoint rule within ±13 standard deviations.
    ///
    /// For smooth functions the rule's error vanishes faster than any power of its step. A kink costs some 1e-6, and none
    /// at 0, where a cell begins; a jump up to 4e-4.
    fn mean_square(&self, variance: f64) -> f64 {
        const STEP: f64 = 1.0 / 512.0;
        const CELLS: i32 = 13 * 512;
        let std = variance.sqrt();
        let term = |cell: i32| {
            let z = (f64::from(cell) + 0.5) * STEP;
            let y = (self.f)(std * z);
            y * y * libm::exp(-0.5 * z * z)
        };
        let sum: f64 = (-CELLS..CELLS).map(term).sum();
        // What has not died away at the ends has no mean.
        let ends = term(-CELLS) + term(CELLS - 1);
        if ends > 1e-9 * sum { f64::INFINITY } else { sum * STEP / std::f64::consts::TAU.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gain;

    fn forward(f: impl Fn(f64) -> f64) -> f64 {
        gain_of(f).forward().unwrap()
    }

    fn gelu(z: f64) -> f64 {
        z * crate::quantile::probability(z)
    }

    fn silu(z: f64) -> f64 {
        z / (1.0 + (-z).exp())
    }

    #[test]
    fn forward_gains_are_those_of_closed_forms() {
        assert!((forward(|z| z) - 1.0).abs() < 1e-12);
        assert!((forward(|z| z.max(0.0)) - Gain::Relu.value()).abs() < 1e-9);
        assert!((forward(|z| if z < 0.0 { 0.2 * z } else { z }) - Gain::LeakyRelu(0.2).value()).abs() < 1e-9);
        assert!((forward(gelu) - Gain::Gelu.value()).abs() < 1e-12);
        assert!((forward(silu) - Gain::Silu.value()).abs() < 1e-12, "{}", forward(silu));
        // Those of the family's list.
        for &activation in tensor::Activation::ALL {
            let exact = !matches!(
                activation,
                tensor::Activation::Tanh | tensor::Activation::Sigmoid | tensor::Activation::HardSigmoid
            );
            let got = forward(|z| activation.at(z));
            // What a kink costs, where it is within a cell.
            let error = if activation.kinks().iter().all(|&kink| kink == 0.0) { 1e-9 } else { 1e-6 };
            assert!(!exact || (got / activation.gain() - 1.0).abs() < error, "{activation:?}: {got}");
            assert_eq!(Gain::from(activation).value(), activation.gain());
        }
        assert!((forward(|z| (z / 2.0).exp()) - (-0.25_f64).exp()).abs() < 1e-12); // E[e^z] = √e
        assert!((forward(f64::signum) - 1.0).abs() < 1e-12);
        // A jump in the middle of a cell.
        let beyond = crate::quantile::probability(-0.3 - 1.0 / 1024.0);
        assert!((forward(|z| f64::from(z > 0.3)) - beyond.powf(-0.5)).abs() < 2e-3);
        // SELU normalizes itself: its own constants give exactly 1.
        let (alpha, scale) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
        assert!((forward(|z| scale * if z > 0.0 { z } else { alpha * z.exp_m1() }) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn fixed_points_hold_firmly_loosely_or_not_at_all() {
        let slope = |f: fn(f64) -> f64| gain_of(f).slope(1.0).unwrap();
        assert!((slope(|z| z.max(0.0)) - 1.0).abs() < 1e-6);
        assert!(slope(f64::tanh) < 0.7 && slope(gelu) > 1.05 && slope(silu) > 1.05);
        let tanh = gain_of(f64::tanh);
        for variance in [0.1, 1.0, 3.0] {
            let gain = tanh.fixed_point(variance).unwrap();
            assert!((tanh.settles(gain).unwrap() / variance - 1.0).abs() < 1e-8);
        }
        // It fades, any variance stays, and it dies or explodes.
        assert_eq!(tanh.settles(1.0), None);
        assert_eq!(gain_of(|z: f64| z.max(0.0)).settles(2.0_f64.sqrt()), None);
        assert_eq!(gain_of(gelu).settles(Gain::Gelu.value()), None);
    }

    #[test]
    fn functions_without_a_gain_are_refused() {
        let message = |f: fn(f64) -> f64| gain_of(f).forward().unwrap_err().to_string();
        assert_eq!(message(|_| 0.0), "gain_of: the mean of f(z)² over normal z is 0, but must be above 0 and finite");
        assert!(message(|_| f64::NAN).contains("is NaN"));
        assert!(message(|z| (z * z).exp()).contains("is inf"));
        assert!(gain_of(f64::tanh).fixed_point(-1.0).unwrap_err().to_string().contains("the variance is -1"));
        assert!(gain_of(f64::tanh).fixed_point(f64::NAN).is_err());
    }
}
