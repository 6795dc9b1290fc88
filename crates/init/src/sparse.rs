//! Weights that are mostly zero.

use tensor::{Float, Shape, Tensor};

use crate::check;
use crate::draws::{Bell, Draws};
use crate::error::Error;
use crate::scheme::{Sealed, initializer};

/// Normal with zeros in each column; made by [`sparse`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sparse {
    sparsity: f64,
    std: f64,
}

/// Normal with standard deviation `std`, and ⌈sparsity · rows⌉ zeros in each column, at random; PyTorch's `sparse_`.
///
/// With `[fan_in, fan_out]`, a column is what one unit sums. Each unit has few inputs, and does not saturate however many there
/// are. Source: Martens, 2010, *Deep Learning via Hessian-Free Optimization*. (PyTorch's columns are those of its
/// `[out, in]`, and so the other axis.)
///
/// # Errors
/// On use: the shape is not a matrix, `sparsity` is not in 0..=1, or `std` is negative, infinite or not a number.
///
/// # Example
/// ```
/// use init::Initializer;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
///
/// let w: Tensor = init::sparse(0.9, 1.0).init(&Shape::from([100, 5]), &mut ChaCha8Rng::seed_from_u64(1))?;
/// let inputs_heard: Vec<usize> = (0..5).map(|j| w.select(1, j).iter().filter(|&x| x != 0.0).count()).collect();
/// assert_eq!(inputs_heard, [10; 5]);
/// # Ok::<(), init::Error>(())
/// ```
#[doc(alias = "sparse_")]
pub fn sparse(sparsity: f64, std: f64) -> Sparse {
    Sparse { sparsity, std }
}

initializer!(Sparse);

impl Sealed for Sparse {
    fn draw<T: Float>(&self, shape: &Shape, draws: &mut impl Draws) -> Result<Tensor<T>, Error> {
        let &[rows, columns] = shape.dims() else {
            return Err(Error::shape("sparse", shape, "be a matrix"));
        };
        if !(0.0..=1.0).contains(&self.sparsity) {
            return Err(Error::number("sparse", "the sparsity", self.sparsity, "in 0..=1"));
        }
        check::std::<T>("sparse", self.std)?;
        let zeros = (self.sparsity * rows as f64).ceil() as usize;
        let mut w = draws.normal(shape, Bell { mean: 0.0, std: self.std }).map_err(Error::tensor("sparse"))?;
        for column in 0..columns {
            let order = draws.permutation(rows);
            let elements = w.as_mut_slice();
            for row in &order[..zeros] {
                elements[row * columns + column] = T::ZERO;
            }
        }
        Ok(w)
    }
}
