//! What a layer, an optimizer or a model refuses.

use std::fmt;

/// What a layer, an optimizer or a model refuses.
///
/// # Example
/// ```
/// let error = nn::Optimizer::<f32>::new(nn::Sgd::default(), -0.1).unwrap_err();
/// assert_eq!(error.to_string(), "the learning rate is -0.1, but must be at least 0 and finite in f32");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// A number that is not in the range of what it is for.
    Range {
        /// What it is for, such as `"the learning rate"`.
        what: &'static str,
        /// The number.
        value: f64,
        /// Which numbers would do, in words.
        rule: &'static str,
    },
    /// Something that cannot be made of what it was given.
    Invalid {
        /// What it is, such as `"the schedule"`.
        what: &'static str,
        /// What is wrong with it, and what would be right: the rest of the sentence.
        why: String,
    },
    /// A pattern that matches none of a model's weights.
    NoMatch {
        /// The pattern.
        pattern: String,
        /// The weights that there are.
        weights: Vec<String>,
    },
    /// A gradient that holds NaN or infinity.
    NotFinite {
        /// The path of the first weight that has such a gradient.
        weight: String,
    },
    /// Gradients of another model: none of this one's weights is among them.
    OtherModel {
        /// The weights that there are.
        weights: Vec<String>,
    },
    /// A training in which a number was lost: the loss or a gradient is NaN or infinite. The model has its last good weights.
    Diverged {
        /// The optimizer's step, from 0, that was not made.
        step: u64,
        /// What is not finite, and where.
        what: String,
    },
    /// What went wrong between the processes that train a model together: a sentence that names the rank.
    Ranks(String),
    /// A file that could not be read or written.
    #[cfg(feature = "checkpoint")]
    File(std::sync::Arc<tensor::io::Error>),
    /// A file that holds something else than what it is to be loaded into. Nothing was loaded.
    #[cfg(feature = "checkpoint")]
    Unfit {
        /// The file.
        path: std::path::PathBuf,
        /// Everything that differs.
        differences: Vec<String>,
        /// What could be done, if there is something: a sentence.
        remedy: Option<&'static str>,
    },
    /// A layer that is larger than memory can be.
    Size(tensor::Error),
    /// Initial values that cannot be drawn.
    Init(init::Error),
}

impl Error {
    /// A number that must be at least 0 and finite, such as an eps.
    pub(crate) fn unless_at_least_0(what: &'static str, value: f64) -> Result<(), Self> {
        if value >= 0.0 && value.is_finite() {
            return Ok(());
        }
        Err(Error::Range { what, value, rule: "at least 0 and finite" })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Size(error) => Some(error),
            Error::Init(error) => Some(error),
            #[cfg(feature = "checkpoint")]
            Error::File(error) => Some(&**error),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Range { what, value, rule } => write!(f, "{what} is {value}, but must be {rule}"),
            Error::Invalid { what, why } => write!(f, "{what} {why}"),
            Error::NoMatch { pattern, weights } => {
                write!(f, "no weight matches the pattern {pattern:?}; there are {}", list(weights))
            }
            Error::NotFinite { weight } => write!(f, "the gradient of {} holds NaN or infinity", named(weight)),
            Error::OtherModel { weights } => {
                write!(f, "these are gradients of another model: there is none of {}", list(weights))
            }
            Error::Diverged { step, what } => write!(f, "step {step} was not made: {what}; the last good weights stay"),
            Error::Ranks(sentence) => f.write_str(sentence),
            #[cfg(feature = "checkpoint")]
            Error::File(error) => error.fmt(f),
            #[cfg(feature = "checkpoint")]
            Error::Unfit { path, differences, remedy } => {
                write!(f, "{}: ", path.display())?;
                match &differences[..] {
                    [only] => f.write_str(only)?,
                    all => {
                        write!(f, "does not fit, in {} ways:", all.len())?;
                        all.iter().try_for_each(|difference| write!(f, "\n  {difference}"))?;
                    }
                }
                match remedy {
                    Some(remedy) if differences.len() > 1 => write!(f, "\n{remedy}"),
                    Some(remedy) => write!(f, "; {remedy}"),
                    None => Ok(()),
                }
            }
            Error::Size(error) => error.fmt(f),
            Error::Init(error) => error.fmt(f),
        }
    }
}

impl PartialEq for Error {
    /// Whether they say the same.
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.to_string() == other.to_string()
    }
}

tensor::debug_as_display!(Error);

/// What a weight is called in a sentence: a model that is a parameter has no path to it.
pub(crate) fn named(path: &str) -> &str {
    if path.is_empty() { "the weight" } else { path }
}

/// The first paths of a list, which may be long.
pub(crate) fn list(paths: &[String]) -> String {
    const MOST: usize = 8;
    match paths {
        [] => "none".into(),
        // A model that is a parameter.
        [only] if only.is_empty() => "its own".into(),
        _ if paths.len() <= MOST => paths.join(", "),
        _ => format!("{} and {} more", paths[..MOST].join(", "), paths.len() - MOST),
    }
}

impl From<tensor::Error> for Error {
    fn from(error: tensor::Error) -> Self {
        Error::Size(error)
    }
}

#[cfg(feature = "checkpoint")]
impl From<tensor::io::Error> for Error {
    fn from(error: tensor::io::Error) -> Self {
        Error::File(std::sync::Arc::new(error))
    }
}

impl From<init::Error> for Error {
    fn from(error: init::Error) -> Self {
        Error::Init(error)
    }
}
