//! What a scheme refuses.

use std::fmt;

use tensor::Shape;

/// A scheme that cannot be carried out: which, what is wrong, and what would be right.
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
#[derive(Clone, PartialEq)]
pub struct Error {
    scheme: &'static str,
    reason: Reason,
}

/// Why a scheme cannot be carried out; see [`Error::reason`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A number that is not in the range of what it is for.
    Number {
        /// What it is for, such as `"the gain"`.
        what: &'static str,
        /// The number.
        value: f64,
        /// Which numbers would do, in words.
        rule: String,
    },
    /// A shape that the scheme does not fit.
    Shape {
        /// The shape.
        shape: Shape,
        /// Which shapes would do, in words.
        rule: String,
    },
    /// A tensor that cannot be made, such as one that is larger than memory.
    Tensor(tensor::Error),
}

impl Error {
    pub(crate) fn number(scheme: &'static str, what: &'static str, value: f64, rule: impl Into<String>) -> Self {
        Error { scheme, reason: Reason::Number { what, value, rule: rule.into() } }
    }

    pub(crate) fn shape(scheme: &'static str, shape: &Shape, rule: impl Into<String>) -> Self {
        Error { scheme, reason: Reason::Shape { shape: shape.clone(), rule: rule.into() } }
    }

    /// For `map_err`.
    pub(crate) fn tensor(scheme: &'static str) -> impl Fn(tensor::Error) -> Self {
        move |error| Error { scheme, reason: Reason::Tensor(error) }
    }

    /// The scheme, such as `"kaiming_normal"`.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Why it cannot be carried out.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Tensor(error) => Some(error),
            _ => None,
        }
    }
}

tensor::debug_as_display!(Error);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.scheme)?;
        match &self.reason {
            Reason::Number { what, value, rule } => write!(f, "{what} is {value}, but must be {rule}"),
            Reason::Shape { shape, rule } => write!(f, "the shape is {shape}, but must {rule}"),
            Reason::Tensor(error) => error.fmt(f),
        }
    }
}
