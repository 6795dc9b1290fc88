//! What a layer or an optimizer refuses.

use std::fmt;

/// A layer or an optimizer that cannot be made.
///
/// # Example
/// ```
/// let error = nn::Sgd::new(-0.1).unwrap_err();
/// assert_eq!(error.to_string(), "the learning rate is -0.1, but must be at least 0 and finite in f32");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A learning rate that is not a number of at least 0, or too large for single precision.
    LearningRate(f64),
    /// A number that is not in the range of what it is for.
    Range {
        /// What it is for, such as `"the probability of dropout"`.
        what: &'static str,
        /// The number.
        value: f64,
        /// Which numbers would do, in words.
        rule: &'static str,
    },
    /// A layer that is larger than memory can be.
    Size(tensor::Error),
    /// Initial values that cannot be drawn.
    Init(init::Error),
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::LearningRate(_) | Error::Range { .. } => None,
            Error::Size(error) => Some(error),
            Error::Init(error) => Some(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::LearningRate(lr) => write!(f, "the learning rate is {lr}, but must be at least 0 and finite in f32"),
            Error::Range { what, value, rule } => write!(f, "{what} is {value}, but must be {rule}"),
            Error::Size(error) => error.fmt(f),
            Error::Init(error) => error.fmt(f),
        }
    }
}

impl From<tensor::Error> for Error {
    fn from(error: tensor::Error) -> Self {
        Error::Size(error)
    }
}

impl From<init::Error> for Error {
    fn from(error: init::Error) -> Self {
        Error::Init(error)
    }
}
