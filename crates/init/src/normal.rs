//! A normal distribution whose standard deviation is given.

use rand::Rng;
use tensor::{Float, Shape, Tensor};

use crate::{Error, Initializer, Reason, sample};

/// Normal with mean 0; made by [`normal`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    std: f64,
}

/// Normal with mean 0 and the standard deviation `std`, for any shape; PyTorch's `normal_`.
///
/// With 1 it is how a naive network starts; with 0.01 it is the usual cure for an output layer that is confidently
/// wrong.
///
/// # Errors
/// On use: `std` is negative, infinite or not a number.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::normal(1.0).init(&Shape::from([100, 100]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(w.mean(..).item().abs() < 0.04);
/// # Ok::<(), init::Error>(())
/// ```
pub fn normal(std: f64) -> Normal {
    Normal { std }
}

impl<T: Float> Initializer<T> for Normal {
    fn init(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>, Error> {
        if !self.std.is_finite() || self.std < 0.0 {
            return Err(Error { scheme: "normal", reason: Reason::Std(self.std) });
        }
        Ok(sample::normal(0.0, self.std, shape, rng))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn draw<T: Float>(std: f64, len: usize) -> Result<Tensor<T>, Error> {
        normal(std).init(&Shape::from([len]), &mut ChaCha8Rng::seed_from_u64(7))
    }

    #[test]
    fn first_values_for_a_seed_are_a_contract() {
        let first: Tensor<f32> = draw(1.0, 4).unwrap();
        assert_eq!(first.to_vec(), FIRST);
        // An f32 is its f64 twin rounded, and a longer tensor begins like a shorter one.
        let longer: Tensor<f64> = draw(1.0, 9).unwrap();
        assert_eq!(longer.slice(0, ..4).map(|x| x as f32), first);
    }

    const FIRST: [f32; 4] = [0.288_801_85, 0.509_960_53, -0.227_308_53, -1.544_341];

    #[test]
    fn moments_are_those_of_a_normal_distribution() {
        let n = 1_000_000;
        let z: Tensor<f64> = draw(2.0, n).unwrap();
        let moment = |power: i32| z.map(|z| (z / 2.0).powi(power)).mean(..).item();
        // Four standard errors each: √(Var[zᵏ] / n).
        for (power, want, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let allowed = 4.0 * f64::sqrt(variance / n as f64);
            assert!((moment(power) - want).abs() < allowed, "moment {power}: {}", moment(power));
        }
    }

    #[test]
    fn bad_deviations_are_named() {
        for std in [-1.0, f64::NAN, f64::INFINITY] {
            let error = draw::<f32>(std, 3).unwrap_err();
            assert!(error.to_string().contains(&format!("deviation is {std}, but")), "{error}");
        }
        assert_eq!(draw::<f32>(0.0, 3).unwrap(), Tensor::zeros([3]));
    }
}
