//! Where in a sequence of layers a program is: what a panic within one says beside its own line, which is that of a call through `dyn`.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;

thread_local! {
    /// The number of the layer in each sequence that the thread is in, and who called that sequence.
    static PLACES: RefCell<Vec<(usize, &'static Location<'static>)>> = const { RefCell::new(Vec::new()) };
}

/// Within a layer of a sequence, until it is dropped. For the family's crates.
#[doc(hidden)]
#[must_use = "it is the place as long as it lives"]
pub struct Within(());

impl Within {
    /// Enters a layer by its number in a sequence, which was called from there.
    #[inline]
    pub fn layer(number: usize, called: &'static Location<'static>) -> Self {
        PLACES.with_borrow_mut(|places| places.push((number, called)));
        Within(())
    }
}

impl Drop for Within {
    #[inline]
    fn drop(&mut self) {
        PLACES.with_borrow_mut(|places| _ = places.pop());
    }
}

/// Where the thread is, as the end of a sentence; nothing outside of any sequence. For the family's crates.
#[doc(hidden)]
pub struct Whereabouts;

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PLACES.with_borrow(|places| {
            let Some((_, called)) = places.first() else { return Ok(()) };
            let path: Vec<String> = places.iter().map(|(number, _)| number.to_string()).collect();
            write!(f, " (in layer {}, by the `forward` at {}:{})", path.join("."), called.file(), called.line())
        })
    }
}

/// `assert!`, whose sentence says too in which layer of a sequence that is. For the family's crates.
#[doc(hidden)]
#[macro_export]
macro_rules! ensure {
    ($holds:expr, $format:literal $(, $($arg:tt)*)?) => {
        if !$holds {
            ::std::panic!("{}{}", ::std::format_args!($format $(, $($arg)*)?), $crate::Whereabouts);
        }
    };
}
