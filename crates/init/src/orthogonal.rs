//! Matrices that keep every length.

use tensor::{Accum, Float, Shape, Tensor};

use crate::check;
use crate::draws::{Bell, Draws};
use crate::error::Error;
use crate::scheme::{Sealed, initializer};

/// Orthonormal rows or columns; made by [`orthogonal`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orthogonal {
    gain: f64,
}

/// A matrix with orthonormal rows or columns, whichever are fewer, times `gain`: of all such matrices none is likelier than
/// another; PyTorch's `orthogonal_`.
///
/// A stack of linear layers keeps every length exactly, not only on average; it is how recurrent weights start. All axes
/// but the first are taken as one: a convolution `[out, in, k₁, …]` is a matrix `[out, in · k₁ · …]`. For a matrix the
/// layout does not matter.
///
/// It is the Q of a QR decomposition of normal numbers in which R has a positive diagonal: with that, Q is uniform over the
/// Stiefel manifold (Mezzadri, 2007, *How to Generate Random Matrices from the Classical Compact Groups*). Source: Saxe et
/// al., 2013, *Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks*. Orthogonal to 1e-6
/// in f32 and to 1e-14 in f64.
///
/// # Errors
/// On use: the gain is not a number above 0, or the shape has fewer than two axes or no elements.
///
/// # Example
/// ```
/// use init::{Gain, Initializer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::orthogonal(Gain::Linear).init(&Shape::from([30, 20]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(w.t().matmul(&w).allclose(&Tensor::eye(20), 0.0, 1e-6));
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "orthogonal_")]
pub fn orthogonal(gain: crate::Gain) -> Orthogonal {
    Orthogonal { gain: gain.value() }
}

initializer!(Orthogonal);

impl Sealed for Orthogonal {
    fn draw<T: Float>(&self, shape: &Shape, draws: &mut impl Draws) -> Result<Tensor<T>, Error> {
        const SCHEME: &str = "orthogonal";
        check::positive(SCHEME, ("the gain", self.gain))?;
        check::std::<T>(SCHEME, self.gain)?;
        if shape.rank() < 2 || shape.numel() == 0 {
            return Err(Error::shape(SCHEME, shape, "have at least two axes and no axis of size 0"));
        }
        let (rows, columns) = (shape.dims()[0], shape.numel() / shape.dims()[0]);
        let normal: Tensor<T> = draws.normal(shape, Bell { mean: 0.0, std: 1.0 }).map_err(Error::tensor(SCHEME))?;
        // In f64, whatever T is, so that only the result is rounded.
        let wide = normal.reshape([rows, columns]).map(T::to_f64);
        let q = match rows < columns {
            true => orthonormal_rows(wide)?,
            false => orthonormal_rows(wide.t().contiguous())?.t().contiguous(),
        };
        Ok(q.map(|x| T::from_f64(self.gain * x)).reshape(shape))
    }
}

/// Makes the rows of `a` orthonormal, from the first to the last, by Gram and Schmidt. Each row keeps the direction of what it adds:
/// Q of QR = Aᵀ with a positive diagonal of R.
///
/// It takes two passes. After the first, rounding leaves rows that were almost dependent not quite orthogonal; the second makes
/// them orthonormal to the last digit (Giraud et al., 2005, *The Loss of Orthogonality in the Gram-Schmidt Orthogonalization Process*).
fn orthonormal_rows(a: Tensor<f64>) -> Result<Tensor<f64>, Error> {
    gram_schmidt(gram_schmidt(a)?)
}

/// One such pass. It goes by halves, so that most of the work is matrix products: what the lower half has of the upper one is
/// subtracted.
fn gram_schmidt(mut a: Tensor<f64>) -> Result<Tensor<f64>, Error> {
    /// So few rows are taken one by one.
    const FEW: usize = 8;
    let (rows, columns) = (a.size(0), a.size(1));
    if rows <= FEW {
        one_by_one(a.as_mut_slice(), columns)?;
        return Ok(a);
    }
    let upper = gram_schmidt(a.slice(0, ..rows / 2).contiguous())?;
    let mut lower = a.slice(0, rows / 2..).contiguous();
    drop(a);
    let shares = -lower.matmul(&upper.t());
    shares.matmul_into(&upper, &mut lower, Accum::Add);
    Ok(Tensor::cat(&[upper, gram_schmidt(lower)?], 0))
}

fn one_by_one(rows: &mut [f64], columns: usize) -> Result<(), Error> {
    for i in 0..rows.len() / columns {
        let (earlier, rest) = rows.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for other in earlier.chunks(columns) {
            let share = dot(row, other);
            row.iter_mut().zip(other).for_each(|(x, y)| *x -= share * y);
        }
        let length = dot(row, row).sqrt();
        if length == 0.0 || !length.is_finite() {
            let rule = "above 0: the stream of random numbers repeats itself";
            return Err(Error::number("orthogonal", "what a row adds to those before it", length, rule));
        }
        row.iter_mut().for_each(|x| *x /= length);
    }
    Ok(())
}

/// In several sums, none of which waits for another.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (x, y) in x.iter().zip(y) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f64>()
}
