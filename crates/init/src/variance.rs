//! Variance scaling: one formula behind the schemes that have names, Var\[w] = gain² / fan.

use rand::Rng;
use tensor::{Float, Shape, Tensor};

use crate::{Error, Gain, Initializer, Reason, sample};

/// Mean 0 and variance gain² / fan; made by [`kaiming_normal`] and [`kaiming_uniform`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceScaling {
    scheme: &'static str,
    gain: f64,
    mode: FanMode,
    distribution: Distribution,
}

/// Which fan of a weight `[fan_in, fan_out]` divides the variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanMode {
    /// How many inputs each output sums: keeps the signal's variance on the way forward.
    In,
    /// How many outputs each input feeds: keeps the gradient's variance on the way back.
    Out,
    /// The mean of both.
    Average,
}

/// The shape of the distribution around its variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Normal.
    Normal,
    /// Uniform within ±√3 standard deviations.
    Uniform,
}

/// Normal with standard deviation gain / √fan_in; PyTorch's `kaiming_normal_`.
///
/// For weights `[fan_in, fan_out]`, used as x · W. Source: He et al., 2015, *Delving Deep into Rectifiers*.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape is not `[fan_in, fan_out]` with a fan of at least 1.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::kaiming_normal(Gain::Relu).init(&Shape::from([512, 256]), &mut rng)?;
/// let std = w.map(|x| x * x).mean(..).item().sqrt();
/// assert!((std - (2.0_f32 / 512.0).sqrt()).abs() < 1e-3);
/// # Ok::<(), init::Error>(())
/// ```
pub fn kaiming_normal(gain: Gain) -> VarianceScaling {
    let (scheme, gain) = ("kaiming_normal", gain.value());
    VarianceScaling { scheme, gain, mode: FanMode::In, distribution: Distribution::Normal }
}

/// Uniform within ±gain √(3 / fan_in); PyTorch's `kaiming_uniform_`.
///
/// For weights `[fan_in, fan_out]`, used as x · W. Source: He et al., 2015, *Delving Deep into Rectifiers*.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape is not `[fan_in, fan_out]` with a fan of at least 1.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let w: Tensor = init::kaiming_uniform(Gain::Linear).init(&Shape::from([300, 100]), &mut rng)?;
/// assert!(w.iter().all(|x| x.abs() <= 0.1));
/// # Ok::<(), init::Error>(())
/// ```
pub fn kaiming_uniform(gain: Gain) -> VarianceScaling {
    VarianceScaling { scheme: "kaiming_uniform", distribution: Distribution::Uniform, ..kaiming_normal(gain) }
}

impl VarianceScaling {
    /// The same scheme with another fan.
    ///
    /// # Example
    /// ```
    /// use init::{FanMode, Gain};
    ///
    /// let keeps_gradients = init::kaiming_normal(Gain::Relu).mode(FanMode::Out);
    /// # let _ = keeps_gradients;
    /// ```
    #[must_use]
    pub fn mode(self, mode: FanMode) -> Self {
        VarianceScaling { mode, ..self }
    }

    /// gain / √fan for a weight of this shape.
    ///
    /// # Errors
    /// The gain is not a number above 0, or the shape is not `[fan_in, fan_out]` with a fan of at least 1.
    ///
    /// # Example
    /// ```
    /// use init::Gain;
    /// use tensor::Shape;
    ///
    /// assert_eq!(init::kaiming_normal(Gain::Linear).std(&Shape::from([100, 7]))?, 0.1);
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn std(&self, shape: &Shape) -> Result<f64, Error> {
        let refuse = |reason| Err(Error { scheme: self.scheme, reason });
        if !self.gain.is_finite() || self.gain <= 0.0 {
            return refuse(Reason::Gain(self.gain));
        }
        let &[fan_in, fan_out] = shape.dims() else {
            return refuse(Reason::Shape(shape.clone()));
        };
        let fan = match self.mode {
            FanMode::In => fan_in as f64,
            FanMode::Out => fan_out as f64,
            FanMode::Average => (fan_in as f64 + fan_out as f64) / 2.0,
        };
        if fan == 0.0 {
            return refuse(Reason::Fan(shape.clone()));
        }
        Ok(self.gain / fan.sqrt())
    }
}

impl<T: Float> Initializer<T> for VarianceScaling {
    fn init(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>, Error> {
        let std = self.std(shape)?;
        Ok(match self.distribution {
            Distribution::Normal => sample::normal(0.0, std, shape, rng),
            Distribution::Uniform => {
                let bound = 3.0_f64.sqrt() * std;
                sample::uniform(-bound, bound, shape, rng)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn draw(scheme: VarianceScaling, shape: [usize; 2]) -> Tensor<f64> {
        scheme.init(&Shape::from(shape), &mut ChaCha8Rng::seed_from_u64(7)).unwrap()
    }

    /// Whether the sample's variance is within four standard errors of what it should be.
    fn has_variance(w: &Tensor<f64>, want: f64) -> bool {
        let squares = w.map(|x| x * x);
        let (mean, n) = (squares.mean(..).item(), w.numel() as f64);
        let error = (squares.map(|s| (s - mean).powi(2)).mean(..).item() / n).sqrt();
        (mean - want).abs() < 4.0 * error
    }

    #[test]
    fn variance_follows_gain_and_fan_of_a_matrix_that_is_not_square() {
        let shape = [800, 500];
        for scheme in [kaiming_normal(Gain::Tanh), kaiming_uniform(Gain::Tanh)] {
            for (mode, fan) in [(FanMode::In, 800.0), (FanMode::Out, 500.0), (FanMode::Average, 650.0)] {
                let w = draw(scheme.mode(mode), shape);
                let gain = 5.0_f64 / 3.0;
                assert!(has_variance(&w, gain * gain / fan));
                // The same test turns away a wrong fan, a wrong gain, and a standard deviation in place of a variance.
                assert!(!has_variance(&w, gain * gain / (1300.0 - fan + 10.0)));
                assert!(!has_variance(&w, 2.0 / fan));
                assert!(!has_variance(&w, gain / fan));
            }
        }
    }

    #[test]
    fn a_product_keeps_the_variance_of_its_input() {
        // x (1000, 10) · w (10, 200), both standard normal, gives 3.16; divided by √10, about 1.
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let x: Tensor<f64> = crate::normal(1.0).init(&Shape::from([1000, 10]), &mut rng).unwrap();
        let std = |w: Tensor<f64>| x.matmul(&w).map(|y| y * y).mean(..).item().sqrt();
        let naive = std(crate::normal(1.0).init(&Shape::from([10, 200]), &mut rng).unwrap());
        let kaiming = std(kaiming_normal(Gain::Linear).init(&Shape::from([10, 200]), &mut rng).unwrap());
        assert!((naive - 10.0_f64.sqrt()).abs() < 0.1, "{naive}");
        assert!((kaiming - 1.0).abs() < 0.05, "{kaiming}");
    }

    #[test]
    fn uniform_stays_within_its_bounds_and_reaches_them() {
        let w = draw(kaiming_uniform(Gain::Relu), [600, 100]);
        let bound = 0.1;
        let largest = w.iter().fold(0.0, |a: f64, x| a.max(x.abs()));
        assert!(largest <= bound && largest > 0.999 * bound, "{largest}");
    }

    #[test]
    fn first_values_for_a_seed_are_a_contract() {
        let first = |scheme| draw(scheme, [2, 2]).map(|x| x as f32).to_vec();
        assert_eq!(first(kaiming_normal(Gain::Tanh)), NORMAL);
        assert_eq!(first(kaiming_uniform(Gain::Tanh)), UNIFORM);
    }

    const NORMAL: [f32; 4] = [0.340_356_23, 0.600_994_3, -0.267_885_68, -1.820_023_3];
    const UNIFORM: [f32; 4] = [-1.397_041_6, -1.355_427_7, 0.833_953_8, 0.925_667_46];

    #[test]
    fn what_cannot_be_scaled_is_refused() {
        let refused = |gain, shape: &[usize]| {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let result: Result<Tensor, _> =
                kaiming_normal(Gain::Custom(gain)).init(&Shape::try_new(shape).unwrap(), &mut rng);
            result.unwrap_err().to_string()
        };
        assert_eq!(refused(0.0, &[2, 2]), "kaiming_normal: the gain is 0, but must be above 0 and finite");
        assert_eq!(refused(f64::NAN, &[2, 2]), "kaiming_normal: the gain is NaN, but must be above 0 and finite");
        assert_eq!(refused(1.0, &[5]), "kaiming_normal: the shape is [5], but fans are known for [fan_in, fan_out]");
        assert_eq!(
            refused(1.0, &[0, 5]),
            "kaiming_normal: the shape is [0, 5], but a weight needs a fan of at least 1"
        );
    }
}
