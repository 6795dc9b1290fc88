//! The normal distribution between two ends.

use tensor::{Float, Shape, Tensor};

use crate::check;
use crate::draws::{Bell, Draws};
use crate::error::Error;
use crate::scheme::{Sealed, initializer};

/// Normal between two ends; made by [`trunc_normal`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    law: Bell,
    ends: [f64; 2],
}

/// Normal with this mean and standard deviation on the condition of being between `a` and `b`, for any shape; PyTorch's
/// `trunc_normal_`.
///
/// For weights without outliers, as in vision transformers (Dosovitskiy et al., 2021, *An Image is Worth 16x16 Words*). As in
/// PyTorch, the ends are absolute and not in standard deviations, and `std` is that of the distribution before it is cut:
/// `trunc_normal(0.0, 0.02, -2.0, 2.0)`, which many models use, cuts off nothing that ever occurs. For a given
/// variance after the cut, use [`variance_scaling`](crate::variance_scaling) with
/// [`Distribution::TruncatedNormal`](crate::Distribution::TruncatedNormal).
///
/// # Errors
/// On use: `std` is not above 0, `a` is not below `b`, one of the numbers is infinite or not a number, or the interval is so
/// far off the mean (37 standard deviations) that its probability is 0.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let scheme = init::trunc_normal(0.0, 0.02, -0.04, 0.04);
/// let w: Tensor = scheme.init(&Shape::from([100, 10]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(w.iter().all(|x| x.abs() <= 0.04));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "trunc_normal_")]
pub fn trunc_normal(mean: f64, std: f64, a: f64, b: f64) -> TruncatedNormal {
    TruncatedNormal { law: Bell { mean, std }, ends: [a, b] }
}

initializer!(TruncatedNormal);

impl Sealed for TruncatedNormal {
    fn draw<T: Float>(&self, shape: &Shape, draws: &mut impl Draws) -> Result<Tensor<T>, Error> {
        const SCHEME: &str = "trunc_normal";
        /// Beyond, the distribution function in f64 is 0.
        const FARTHEST: f64 = 37.0;
        let (Bell { mean, std }, [a, b]) = (self.law, self.ends);
        check::std::<T>(SCHEME, std)?;
        check::finite::<T>(SCHEME, "the mean", mean)?;
        check::interval::<T>(SCHEME, self.ends)?;
        if std == 0.0 {
            return Err(Error::number(SCHEME, "the standard deviation", std, "above 0, or the cut is without effect"));
        }
        if a == b {
            return Err(Error::number(SCHEME, "the lower end a", a, format!("below the upper end b, {b}")));
        }
        for (what, end, outside) in [("the lower end a", a, (a - mean) / std), ("the upper end b", b, (mean - b) / std)]
        {
            if outside > FARTHEST {
                let rule = format!("at most {FARTHEST} standard deviations of {std} beyond the mean, {mean}");
                return Err(Error::number(SCHEME, what, end, rule));
            }
        }
        draws.truncated(shape, self.law, self.ends).map_err(Error::tensor(SCHEME))
    }
}
