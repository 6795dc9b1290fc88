//! Normal distributions whose standard deviation is given.

use tensor::{Float, Shape, Tensor};

use crate::check;
use crate::draws::{Bell, Draws};
use crate::error::Error;
use crate::scheme::{Sealed, initializer};

/// Normal; made by [`normal`] and [`residual`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    scheme: &'static str,
    law: Bell,
    /// The layers of a residual network: the standard deviation is divided by √(2 · layers).
    layers: Option<usize>,
}

/// Normal with mean 0 and the standard deviation `std`, for any shape; PyTorch's `normal_`.
///
/// With 1 it is how a naive network starts, and how an embedding does; with 0.01 it is the usual cure for an output layer
/// that is confidently wrong. 0 gives zeros.
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
#[doc(alias = "normal_")]
pub fn normal(std: f64) -> Normal {
    Normal { scheme: "normal", law: Bell { mean: 0.0, std }, layers: None }
}

/// Normal with mean 0 and standard deviation std / √(2 · layers), for the last weight of each branch of a residual network
/// with this many layers, each of which adds two branches to the stream (in a transformer, attention and MLP).
///
/// The sum of all branches then has the variance that one would have: the stream does not grow with depth. GPT-2 uses it
/// with 0.02 for the output projections (Radford et al., 2019, *Language Models are Unsupervised Multitask Learners*,
/// section 2.3). PyTorch has no name for it.
///
/// # Errors
/// On use: `std` is negative, infinite or not a number, or there are no layers.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::residual(0.02, 8).init(&Shape::from([256, 64]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!((w.std(.., 1).item() - 0.005).abs() < 1e-4); // 0.02 / √16
/// # Ok::<(), init::Error>(())
/// ```
pub fn residual(std: f64, layers: usize) -> Normal {
    Normal { scheme: "residual", layers: Some(layers), ..normal(std) }
}

impl Normal {
    /// Sets the mean: 0 by default.
    ///
    /// # Example
    /// ```
    /// let warm_gates = init::normal(0.1).with_mean(1.0);
    /// # let _ = warm_gates;
    /// ```
    #[must_use]
    pub fn with_mean(self, mean: f64) -> Self {
        Normal { law: Bell { mean, ..self.law }, ..self }
    }
}

initializer!(Normal);

impl Sealed for Normal {
    fn draw<T: Float>(&self, shape: &Shape, draws: &mut impl Draws) -> Result<Tensor<T>, Error> {
        let Bell { mean, std } = self.law;
        if self.layers == Some(0) {
            return Err(Error::number(self.scheme, "the number of layers", 0.0, "at least 1"));
        }
        check::std::<T>(self.scheme, std)?;
        check::finite::<T>(self.scheme, "the mean", mean)?;
        let std = self.layers.map_or(std, |layers| std / (2.0 * layers as f64).sqrt());
        draws.normal(shape, Bell { mean, std }).map_err(Error::tensor(self.scheme))
    }
}
