//! Dropout as a layer.

use autograd::Var;
use tensor::Float;

use super::without_parameters;
use crate::{Error, Layer};

/// Dropout (Srivastava et al., 2014, *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*): in training,
/// each element is 0 with probability p and else multiplied by 1 / (1 − p); in evaluation it stays. PyTorch's
/// `nn.Dropout`.
///
/// What it draws is a function of the tape's seed, which a tape for training must have.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Dropout, Layer};
/// use tensor::Tensor;
///
/// let dropout = Dropout::new(0.5)?;
/// let tape = Tape::new();
/// tape.seed(42, 0); // the run's seed, and the step
/// let y = dropout.forward(tape.constant(Tensor::ones([100])));
/// assert!(y.value().iter().all(|y| y == 0.0 || y == 2.0));
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// One that drops with probability `p`.
    ///
    /// # Errors
    /// `p` is not in 0..=1.
    pub fn new(p: f64) -> Result<Self, Error> {
        if (0.0..=1.0).contains(&p) {
            return Ok(Dropout { p });
        }
        Err(Error::Range { what: "the probability of dropout", value: p, rule: "in 0..=1" })
    }

    /// One that drops nothing.
    pub(super) fn none() -> Self {
        Dropout { p: 0.0 }
    }
}

without_parameters!(Dropout, |self| format!("Dropout({})", self.p));

impl<T: Float> Layer<T> for Dropout {
    /// The input with some elements dropped, in training; see [`Var::dropout`].
    ///
    /// # Panics
    /// The tape is for training and has nothing to draw by.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.dropout(self.p)
    }
}

/// Dropout of whole channels of `[N, C, …]` (Tompson et al., 2015, *Efficient Object Localization Using Convolutional Networks*): neighbours
/// within a channel are so alike that single ones would not be missed. PyTorch's `nn.Dropout2d`, also for signals and volumes.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Dropout2d, Layer};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// tape.seed(42, 0);
/// let y = Dropout2d::new(0.5)?.forward(tape.constant(Tensor::ones([8, 16, 5, 5]))).value();
/// assert_eq!(y.max([2, 3]), y.min([2, 3])); // each channel is dropped, or is not
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout2d(Dropout);

/// [`Dropout2d`] of signals `[N, C, L]`: the same layer.
pub type Dropout1d = Dropout2d;

impl Dropout2d {
    /// One that drops a channel with probability `p`.
    ///
    /// # Errors
    /// `p` is not in 0..=1.
    pub fn new(p: f64) -> Result<Self, Error> {
        Dropout::new(p).map(Dropout2d)
    }
}

without_parameters!(Dropout2d, |self| format!("Dropout2d({})", self.0.p));

impl<T: Float> Layer<T> for Dropout2d {
    /// The input with some channels dropped, in training; see [`Var::dropout_channels`].
    ///
    /// # Panics
    /// There are fewer than two axes, or the tape is for training and has nothing to draw by.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.dropout_channels(self.0.p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_that_are_none_are_refused() {
        for p in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Dropout::new(p).is_err(), "{p}");
        }
        let error = Dropout::new(1.5).unwrap_err();
        assert_eq!(error.to_string(), "the probability of dropout is 1.5, but must be in 0..=1");
    }
}
