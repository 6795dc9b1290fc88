//! One error for a program that uses the whole family.

use std::fmt;

/// Whatever a crate of the family refuses; `?` makes one of each crate's own error. These are boxed, as results travel on the hot
/// path and errors do not.
///
/// # Example
/// ```no_run
/// use evenkeel::prelude::*;
///
/// fn main() -> evenkeel::Result<()> {
///     let mut rng = ChaCha8Rng::seed_from_u64(42);
///     let layer = Linear::new(30, 200, &init::kaiming_normal(Gain::Tanh), &mut rng)?; // nn::Error
///     let more: Tensor = init::normal(1.0).init(&Shape::try_new(&[30, 200])?, &mut rng)?; // init::Error, tensor::Error
///     println!("{layer:?} {more}");
///     Ok(())
/// }
/// ```
#[non_exhaustive]
pub enum Error {
    /// A shape, an index or a size.
    Tensor(Box<tensor::Error>),
    /// A file of tensors, or a table.
    #[cfg(any(feature = "csv", feature = "npy", feature = "safetensors"))]
    File(Box<tensor::io::Error>),
    /// A pullback that disagrees with finite differences.
    Gradient(Box<autograd::check::GradientError>),
    /// A gradient of a module that disagrees with finite differences.
    Module(Box<nn::check::ModuleError>),
    /// Initial values.
    Init(Box<init::Error>),
    /// A layer, an optimizer or a model, or a start that could not be found.
    Nn(Box<nn::Error>),
    /// A page or a picture that could not be written.
    #[cfg(feature = "html")]
    Page(Box<diagnose::WriteError>),
}

/// What a program's functions return that may fail by an [`Error`] of the family.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Stamps what an error does by doing it to the error inside.
macro_rules! errors {
    ($($(#[$cfg:meta])* $Variant:ident($Inner:ty);)*) => {
        impl Error {
            fn inner(&self) -> &(dyn std::error::Error + 'static) {
                match self {
                    $($(#[$cfg])* Error::$Variant(error) => &**error,)*
                }
            }
        }

        $(
            $(#[$cfg])*
            impl From<$Inner> for Error {
                fn from(error: $Inner) -> Self {
                    Error::$Variant(Box::new(error))
                }
            }
        )*
    };
}

errors! {
    Tensor(tensor::Error);
    #[cfg(any(feature = "csv", feature = "npy", feature = "safetensors"))]
    File(tensor::io::Error);
    Gradient(autograd::check::GradientError);
    Module(nn::check::ModuleError);
    Init(init::Error);
    Nn(nn::Error);
    #[cfg(feature = "html")]
    Page(diagnose::WriteError);
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner().source()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.inner(), f)
    }
}

tensor::debug_as_display!(Error);
