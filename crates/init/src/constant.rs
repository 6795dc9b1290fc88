//! One number everywhere.

use rand::Rng;
use tensor::{Float, Shape, Tensor};

use crate::{Error, Initializer};

/// Every element the same number; made by [`constant`] and [`zeros`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    value: f64,
}

/// Every element `value`; PyTorch's `constant_`.
///
/// Not for the weights of a hidden layer: its units would all stay the same.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let b: Tensor = init::constant(0.5).init(&Shape::from([2]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert_eq!(b, Tensor::from([0.5, 0.5]));
/// # Ok::<(), init::Error>(())
/// ```
pub fn constant(value: f64) -> Constant {
    Constant { value }
}

/// Every element 0, the usual start of a bias; PyTorch's `zeros_`.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let b: Tensor = init::zeros().init(&Shape::from([2]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert_eq!(b, Tensor::zeros([2]));
/// # Ok::<(), init::Error>(())
/// ```
pub fn zeros() -> Constant {
    constant(0.0)
}

impl<T: Float> Initializer<T> for Constant {
    fn init(&self, shape: &Shape, _: &mut dyn Rng) -> Result<Tensor<T>, Error> {
        Ok(Tensor::full(shape, T::from_f64(self.value)))
    }
}
