//! What a scheme refuses.

use std::fmt;

use tensor::Shape;

/// A scheme that cannot be carried out: which, and why.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let scheme = init::kaiming_normal(Gain::Custom(-1.0));
/// let result: Result<Tensor, _> = scheme.init(&Shape::from([3, 4]), &mut ChaCha8Rng::seed_from_u64(1));
/// assert_eq!(result.unwrap_err().to_string(), "kaiming_normal: the gain is -1, but must be above 0 and finite");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    pub(crate) scheme: &'static str,
    pub(crate) reason: Reason,
}

/// Why a scheme cannot be carried out; see [`Error::reason`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A gain that is not a number above 0.
    Gain(f64),
    /// A standard deviation that is not a number of at least 0.
    Std(f64),
    /// A shape that is not `[fan_in, fan_out]`.
    Shape(Shape),
    /// A shape whose fan is 0.
    Fan(Shape),
}

impl Error {
    /// The scheme, such as `"kaiming_normal"`.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Why it cannot be carried out.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.scheme)?;
        match &self.reason {
            Reason::Gain(gain) => write!(f, "the gain is {gain}, but must be above 0 and finite"),
            Reason::Std(std) => write!(f, "the standard deviation is {std}, but must be at least 0 and finite"),
            Reason::Shape(shape) => write!(f, "the shape is {shape}, but fans are known for [fan_in, fan_out]"),
            Reason::Fan(shape) => write!(f, "the shape is {shape}, but a weight needs a fan of at least 1"),
        }
    }
}
