//! Layers that only change the shape.

use autograd::Var;
use tensor::{Float, ensure};

use super::without_parameters;
use crate::{Error, Layer};

/// Makes one axis of all from axis 1 on: `[N, …]` gives `[N, features]`. PyTorch's `nn.Flatten`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Flatten, Layer};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// let y = Flatten.forward(tape.constant(Tensor::zeros([32, 3, 10])));
/// assert_eq!(y.shape().dims(), [32, 30]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flatten;

without_parameters!(Flatten);

impl<T: Float> Layer<T> for Flatten {
    /// `[N, …]` gives `[N, features]`.
    ///
    /// # Panics
    /// The input has no axis 1.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.flatten(1)
    }
}

/// Joins each n neighbours of a sequence: `[N, L, C]` gives `[N, L / n, n C]`, or `[N, n C]` where one is left. The
/// layer of WaveNet-like models that fuse a sequence step by step (van den Oord et al., 2016, *WaveNet: A Generative
/// Model for Raw Audio*; as in the lecture).
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{FlattenConsecutive, Layer};
/// use tensor::Tensor;
///
/// let (tape, pairs) = (Tape::new(), FlattenConsecutive::new(2)?);
/// let y = pairs.forward(tape.constant(Tensor::zeros([32, 4, 10])));
/// assert_eq!(y.shape().dims(), [32, 2, 20]);
/// assert_eq!(pairs.forward(y).shape().dims(), [32, 40]);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlattenConsecutive {
    n: usize,
}

impl FlattenConsecutive {
    /// Joins each `n`.
    ///
    /// # Errors
    /// `n` is 0.
    pub fn new(n: usize) -> Result<Self, Error> {
        if n > 0 {
            return Ok(FlattenConsecutive { n });
        }
        Err(Error::Range { what: "how many are joined", value: 0.0, rule: "at least 1" })
    }
}

without_parameters!(FlattenConsecutive, |self| format!("FlattenConsecutive({})", self.n));

impl<T: Float> Layer<T> for FlattenConsecutive {
    /// `[N, L, C]` gives `[N, L / n, n C]`, or `[N, n C]` where one is left.
    ///
    /// # Panics
    /// The input has another rank, or n does not divide L.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (shape, n) = (x.shape(), self.n);
        let &[examples, len, channels] = shape.dims() else {
            panic!("FlattenConsecutive::forward: needs an input [N, L, C], got {shape}")
        };
        ensure!(len.is_multiple_of(n), "FlattenConsecutive::forward: {n} do not divide the {len} steps of {shape}");
        match len / n {
            1 => x.reshape([examples, n * channels]),
            rest => x.reshape([examples, rest, n * channels]),
        }
    }
}

#[cfg(test)]
mod tests {
    use autograd::Tape;
    use tensor::Tensor;

    use super::*;

    #[test]
    fn neighbours_are_joined() {
        let tape = Tape::<f64>::default();
        let x = tape.constant(Tensor::from_fn([1, 4, 2], |i| (2 * i[1] + i[2]) as f64));
        let y = FlattenConsecutive::new(2).unwrap().forward(x);
        assert_eq!(y.value(), Tensor::from([[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]]));
        assert!(FlattenConsecutive::new(0).is_err());
    }

    #[test]
    #[should_panic(expected = "FlattenConsecutive::forward: 3 do not divide the 4 steps of [1, 4, 2]")]
    fn what_does_not_divide_is_refused() {
        FlattenConsecutive::new(3).unwrap().forward(Tape::new().constant(Tensor::zeros([1, 4, 2])));
    }
}
