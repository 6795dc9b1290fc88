//! What a layer or an optimizer refuses.

use std::fmt;

/// A layer or an optimizer that cannot be made.
///
/// # Example
/// ```
/// let error = nn::Sgd::new(-0.1).unwrap_err();
/// assert_eq!(error.to_string(), "the learning rate is -0.1, but must be at least 0 and finite");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A learning rate that is not a number of at least 0.
    LearningRate(f64),
    /// Initial values that cannot be drawn.
    Init(init::Error),
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::LearningRate(_) => None,
            Error::Init(error) => Some(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::LearningRate(lr) => write!(f, "the learning rate is {lr}, but must be at least 0 and finite"),
            Error::Init(error) => error.fmt(f),
        }
    }
}

impl From<init::Error> for Error {
    fn from(error: init::Error) -> Self {
        Error::Init(error)
    }
}
