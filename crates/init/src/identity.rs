//! Weights that pass their input on unchanged.

use tensor::{Float, Shape, Tensor};

use crate::draws::Draws;
use crate::error::Error;
use crate::scheme::{Sealed, initializer};

/// The identity matrix; made by [`eye`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eye;

/// 1 on the diagonal and 0 elsewhere, for a matrix of any sizes; PyTorch's `eye_`.
///
/// The layer passes on as many of its inputs as it can. For the recurrent weights of networks of ReLU: Le et al., 2015, *A Simple Way to
/// Initialize Recurrent Networks of Rectified Linear Units*.
///
/// # Errors
/// On use: the shape is not a matrix.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::eye().init(&Shape::from([2, 3]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert_eq!(w, Tensor::from([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "eye_")]
pub fn eye() -> Eye {
    Eye
}

initializer!(Eye);

impl Sealed for Eye {
    fn draw<T: Float>(&self, shape: &Shape, _: &mut impl Draws) -> Result<Tensor<T>, Error> {
        let &[rows, columns] = shape.dims() else {
            return Err(Error::shape("eye", shape, "be a matrix"));
        };
        with_ones("eye", shape, (0..rows.min(columns)).map(|i| i * columns + i))
    }
}

/// The identity of a convolution; made by [`dirac`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dirac {
    groups: usize,
}

/// A convolution `[out, in / groups, k₁, …]` with 1, 2 or 3 axes of a receptive field that passes on as many channels of
/// each group as it can: 1 in the middle of the field where a group's output has the number of an input, and 0 elsewhere;
/// PyTorch's `dirac_`.
///
/// A deep stack of them passes its input through, and learns from there (Zagoruyko and Komodakis, 2017, *DiracNets: Training
/// Very Deep Neural Networks Without Skip-Connections*). The middle of an even size k is k / 2.
///
/// # Errors
/// On use: the shape is not one of a convolution, or the groups do not divide its outputs.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::dirac(1).init(&Shape::from([2, 2, 3]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert_eq!(w, Tensor::from([[[0.0, 1.0, 0.0], [0.0; 3]], [[0.0; 3], [0.0, 1.0, 0.0]]]));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "dirac_")]
pub fn dirac(groups: usize) -> Dirac {
    Dirac { groups }
}

initializer!(Dirac);

impl Sealed for Dirac {
    fn draw<T: Float>(&self, shape: &Shape, _: &mut impl Draws) -> Result<Tensor<T>, Error> {
        let (&[outputs, inputs, ref field @ ..], 3..=5) = (shape.dims(), shape.rank()) else {
            return Err(Error::shape(
                "dirac",
                shape,
                "be that of a convolution, [out, in / groups, k₁, …] of 3 to 5 axes",
            ));
        };
        if self.groups == 0 || !outputs.is_multiple_of(self.groups) {
            let rule = format!("a divisor of the outputs, of which {shape} has {outputs}");
            return Err(Error::number("dirac", "the number of groups", self.groups as f64, rule));
        }
        let of_a_group = outputs / self.groups;
        let size: usize = field.iter().product();
        let middle = field.iter().fold(0, |at, k| at * k + k / 2);
        let inputs_kept = if size == 0 { 0 } else { of_a_group.min(inputs) };
        let place = |group: usize, channel: usize| ((group * of_a_group + channel) * inputs + channel) * size + middle;
        with_ones("dirac", shape, (0..self.groups).flat_map(|group| (0..inputs_kept).map(move |c| place(group, c))))
    }
}

/// Zeros, but for ones at these places in row-major order.
fn with_ones<T: Float>(
    scheme: &'static str,
    shape: &Shape,
    places: impl Iterator<Item = usize>,
) -> Result<Tensor<T>, Error> {
    let mut w = Tensor::try_full(shape, T::ZERO).map_err(Error::tensor(scheme))?;
    let elements = w.as_mut_slice();
    for place in places {
        elements[place] = T::ONE;
    }
    Ok(w)
}
