//! The uniform distribution over a given interval.

use tensor::{Float, Shape, Tensor};

use crate::check;
use crate::draws::Draws;
use crate::error::Error;
use crate::scheme::{Sealed, initializer};

/// Uniform over an interval; made by [`uniform`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    ends: [f64; 2],
}

/// Uniform from `a` to `b`, for any shape, with the standard deviation (b − a) / √12; PyTorch's `uniform_`. All are below `b`,
/// and rounding may reach `a`.
///
/// For what needs bounds of its own, such as small biases; a weight is better off with a scheme that knows its fan.
///
/// # Errors
/// On use: `a` is above `b`, or one of them, or their distance, is infinite or not a number, or `T` cannot tell the ends
/// apart.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let b: Tensor = init::uniform(-0.1, 0.3).init(&Shape::from([1000]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(b.iter().all(|x| (-0.1..0.3).contains(&x)));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "uniform_")]
pub fn uniform(a: f64, b: f64) -> Uniform {
    Uniform { ends: [a, b] }
}

initializer!(Uniform);

impl Sealed for Uniform {
    fn draw<T: Float>(&self, shape: &Shape, draws: &mut impl Draws) -> Result<Tensor<T>, Error> {
        check::interval::<T>("uniform", self.ends)?;
        draws.uniform(shape, self.ends).map_err(Error::tensor("uniform"))
    }
}
