//! Numbers that are not random.

use tensor::{Float, Shape, Tensor};

use crate::check;
use crate::draws::Draws;
use crate::error::Error;
use crate::scheme::{Sealed, initializer};

/// Every element the same number; made by [`constant`], [`zeros`] and [`ones`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    value: f64,
}

/// Every element `value`; PyTorch's `constant_`.
///
/// Not for the weights of a hidden layer: its units would all stay the same.
///
/// # Errors
/// On use: `value` is infinite or not a number.
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
#[doc(alias = "constant_")]
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
#[doc(alias = "zeros_")]
pub fn zeros() -> Constant {
    constant(0.0)
}

/// Every element 1, the usual start of the weight of a normalization; PyTorch's `ones_`.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::ones().init(&Shape::from([2]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert_eq!(w, Tensor::ones([2]));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "ones_")]
pub fn ones() -> Constant {
    constant(1.0)
}

initializer!(Constant);

impl Sealed for Constant {
    fn draw<T: Float>(&self, shape: &Shape, _: &mut impl Draws) -> Result<Tensor<T>, Error> {
        check::finite::<T>("constant", "the value", self.value)?;
        Tensor::try_full(shape, T::from_f64(self.value)).map_err(Error::tensor("constant"))
    }
}
