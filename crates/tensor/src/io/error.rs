//! What can be wrong with a file, in words.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::kernel::Dtype;

/// A file that could not be read or written: its path, the name of the tensor in it, and the reason.
///
/// # Example
/// ```
/// # #[cfg(feature = "npy")] {
/// use tensor::npy;
///
/// let error = npy::read::<f32>("no such file.npy").unwrap_err();
/// assert!(error.to_string().starts_with("no such file.npy: "));
/// # }
/// ```
pub struct Error {
    path: Option<PathBuf>,
    name: Option<String>,
    reason: Reason,
}

/// What stands in place of a type where there is no array.
pub(super) const NO_ARRAY: &str = "no array";

/// What exactly is wrong; see [`Error::reason`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// An error of the system, or of the reader or writer that was passed in; a wrong checksum in an archive is one of these.
    Io(std::io::Error),
    /// Another element type than the one asked for.
    Dtype {
        /// The type asked for.
        want: Dtype,
        /// The type that is there.
        got: Dtype,
    },
    /// An element type that this crate does not have, as the format calls it.
    Unsupported(String),
    /// Fewer elements than the header claims.
    Truncated {
        /// The element type that the header claims.
        dtype: &'static str,
        /// How many elements the header claims.
        elements: usize,
        /// How many bytes those take.
        bytes: u128,
        /// How many bytes are there.
        holds: u64,
    },
    /// More elements than the system has memory for.
    Memory {
        /// The element type.
        dtype: &'static str,
        /// How many elements there are.
        elements: usize,
    },
    /// More memory than the caller allows.
    Limit {
        /// The bytes that the elements would take.
        bytes: u128,
        /// How many are still allowed.
        allowed: u64,
    },
    /// Not a file of its format, for the reason given.
    Malformed(String),
    /// A tensor that the format cannot hold under its name, for the reason given.
    Refused(String),
}

impl Error {
    /// The file, where there is one: not when a reader or writer was passed in.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The name of the tensor within the file, where it has one and the error is about it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What exactly is wrong.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The same, said of the file with this path.
    pub fn at(self, path: &Path) -> Self {
        Error { path: Some(path.to_owned()), ..self }
    }

    #[cfg(any(feature = "npy", feature = "safetensors"))]
    pub(super) fn named(self, name: &str) -> Self {
        Error { name: Some(name.to_owned()), ..self }
    }

    pub(super) fn malformed(why: impl fmt::Display) -> Self {
        Reason::Malformed(why.to_string()).into()
    }

    #[cfg(any(feature = "npy", feature = "safetensors"))]
    pub(super) fn refused(why: impl fmt::Display) -> Self {
        Reason::Refused(why.to_string()).into()
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Error { path: None, name: None, reason }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Reason::Io(error).into()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Io(error) => Some(error),
            _ => None,
        }
    }
}

crate::debug_as_display!(Error);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        if let Some(name) = &self.name {
            // Names come from files, and could hold what controls a terminal.
            write!(f, "{}: ", name.escape_debug())?;
        }
        match &self.reason {
            Reason::Io(error) => write!(f, "{error}"),
            Reason::Dtype { want, got } => write!(f, "holds {got}, not {want}"),
            Reason::Unsupported(dtype) if dtype == NO_ARRAY => f.write_str("holds no array"),
            Reason::Unsupported(dtype) => {
                write!(f, "holds {dtype}, which is none of f32, f64, i32, i64, u8 and bool")
            }
            Reason::Truncated { dtype, elements, bytes, holds } => write!(
                f,
                "the header claims {elements} elements of {dtype}, which take {bytes} bytes; {holds} bytes are there"
            ),
            Reason::Memory { dtype, elements } => {
                write!(f, "holds {elements} elements of {dtype}, which are more than the system has memory for")
            }
            Reason::Limit { bytes, allowed } => write!(f, "takes {bytes} bytes, where {allowed} are allowed"),
            Reason::Malformed(why) | Reason::Refused(why) => f.write_str(why),
        }
    }
}
