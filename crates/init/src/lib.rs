#![forbid(unsafe_code)]
//! Weight initializers: what a network starts from decides whether it can learn.
//!
//! Each product x · W multiplies the standard deviation of its input by √fan_in. An initializer takes that factor
//! back, times the [`Gain`] that makes up for the non-linearity that follows, so that signals neither grow nor fade
//! from layer to layer.
//!
//! Weights are stored `[fan_in, fan_out]` and used as x · W. The random stream is always passed in: the same seed
//! gives the same weights.
//!
//! ```
//! use init::{Gain, Initializer};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tensor::{Shape, Tensor};
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(42);
//! let w: Tensor = init::kaiming_normal(Gain::Tanh).init(&Shape::from([30, 200]), &mut rng)?;
//! let variance = w.map(|x| x * x).mean(..).item();
//! let wanted = (5.0_f32 / 3.0).powi(2) / 30.0;
//! assert!((variance / wanted - 1.0).abs() < 0.05);
//! # Ok::<(), init::Error>(())
//! ```

mod constant;
mod error;
mod gain;
mod normal;
mod sample;
mod variance;

use rand::Rng;
use tensor::{Float, Shape, Tensor};

pub use constant::{Constant, constant, zeros};
pub use error::{Error, Reason};
pub use gain::Gain;
pub use normal::{Normal, normal};
pub use variance::{Distribution, FanMode, VarianceScaling, kaiming_normal, kaiming_uniform};

/// A scheme that fills a tensor of a given shape.
///
/// Schemes of your own implement it as ours do.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor<f64> = init::normal(0.01).init(&Shape::from([200, 27]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(w.iter().all(|x| x.abs() < 0.1));
/// # Ok::<(), init::Error>(())
/// ```
pub trait Initializer<T: Float = f32> {
    /// A tensor of this shape; random numbers are drawn from `rng` in row-major order.
    ///
    /// # Errors
    /// A parameter of the scheme is out of its range, or the scheme does not know the shape's fans.
    fn init(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>, Error>;
}
