//! What a scheme is, and where its numbers come from.

use rand::Rng;
use tensor::{Float, Shape, Tensor};

use crate::draws::Draws;
use crate::error::Error;

/// A rule that fills a tensor of a given shape.
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
    /// A tensor of this shape.
    ///
    /// A scheme with random numbers takes 256 bits from `rng`, whatever the shape, as the key of a stream of its own. So several
    /// threads fill a large tensor, and another width of one layer does not change the numbers of the next. The same seed gives the same
    /// bits at any number of threads and on any machine.
    ///
    /// # Errors
    /// A parameter of the scheme is out of its range, the scheme does not fit the shape, or the system has no memory for
    /// the tensor.
    fn init(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>, Error>;
}

/// A scheme of this crate, whose numbers may also come from PyTorch's generator
/// ([`torch::Generator::init`](crate::torch::Generator::init)). Sealed.
pub trait Scheme: Sealed {}

mod sealed {
    use super::{Draws, Error, Float, Shape, Tensor};

    /// The one place where a scheme says what it does.
    pub trait Sealed {
        fn draw<T: Float>(&self, shape: &Shape, draws: &mut impl Draws) -> Result<Tensor<T>, Error>;
    }
}

pub(crate) use sealed::Sealed;

/// Stamps what follows from `Sealed::draw`.
macro_rules! initializer {
    ($scheme:ty) => {
        impl $crate::Scheme for $scheme {}

        impl<T: tensor::Float> $crate::Initializer<T> for $scheme {
            fn init(&self, shape: &tensor::Shape, rng: &mut dyn rand::Rng) -> Result<tensor::Tensor<T>, $crate::Error> {
                $crate::scheme::Sealed::draw(self, shape, &mut $crate::draws::Keyed(rng))
            }
        }
    };
}

pub(crate) use initializer;
