//! Tensors of random numbers that are no weights, by a stream that is passed in.

use rand::Rng;
use tensor::{Float, IntoShape, Shape, Tensor};

use crate::draws::{Bell, Draws, Keyed, below};
use crate::error::Error;

/// Standard normal numbers; PyTorch's `randn`.
///
/// Takes 256 bits from `rng`, whatever the shape: the same seed gives the same bits at any number of threads.
///
/// # Errors
/// The shape has more elements than can be addressed, or than the system has memory for.
///
/// # Example
/// ```
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let x: Tensor = init::randn([100, 100], &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(x.mean(..).item().abs() < 0.04);
/// # Ok::<(), init::Error>(())
/// ```
pub fn randn<T: Float>(shape: impl IntoShape, rng: &mut dyn Rng) -> Result<Tensor<T>, Error> {
    let shape = shape_of("randn", shape)?;
    Keyed(rng).normal(&shape, Bell { mean: 0.0, std: 1.0 }).map_err(Error::tensor("randn"))
}

/// Uniform numbers in \[0, 1): 0 may be among them, and 1 is not; PyTorch's `rand`.
///
/// Takes 256 bits from `rng`, whatever the shape: the same seed gives the same bits at any number of threads.
///
/// # Errors
/// The shape has more elements than can be addressed, or than the system has memory for.
///
/// # Example
/// ```
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let x: Tensor = init::rand(1000, &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(x.iter().all(|x| (0.0..1.0).contains(&x)));
/// # Ok::<(), init::Error>(())
/// ```
pub fn rand<T: Float>(shape: impl IntoShape, rng: &mut dyn Rng) -> Result<Tensor<T>, Error> {
    let shape = shape_of("rand", shape)?;
    Keyed(rng).uniform(&shape, [0.0, 1.0]).map_err(Error::tensor("rand"))
}

/// The numbers below `n` in an order of which all are equally likely; PyTorch's `randperm`.
///
/// # Example
/// ```
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let order = init::randperm(5, &mut ChaCha8Rng::seed_from_u64(1));
/// assert_eq!(order.sort(0, false).0, Tensor::arange(5));
/// ```
pub fn randperm(n: usize, rng: &mut dyn Rng) -> Tensor<i64> {
    Keyed(rng).permutation(n).into_iter().map(|i| i as i64).collect()
}

/// Whole numbers from 0 up to but without `high`, each equally likely; PyTorch's `randint`.
///
/// Takes one word of `rng` for each, and seldom more.
///
/// # Errors
/// `high` is not above 0, or the shape has more elements than can be addressed.
///
/// # Example
/// ```
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let dice = init::randint(6, [2, 3], &mut ChaCha8Rng::seed_from_u64(1))?;
/// assert!(dice.iter().all(|eyes| (0..6).contains(&eyes)));
/// # Ok::<(), init::Error>(())
/// ```
pub fn randint(high: i64, shape: impl IntoShape, rng: &mut dyn Rng) -> Result<Tensor<i64>, Error> {
    let shape = shape_of("randint", shape)?;
    let Some(high) = u64::try_from(high).ok().filter(|&high| high > 0) else {
        return Err(Error::number("randint", "high", high as f64, "above 0"));
    };
    Ok(Tensor::from_fn(shape, |_| below(rng, high) as i64))
}

fn shape_of(what: &'static str, shape: impl IntoShape) -> Result<Shape, Error> {
    shape.into_shape().map_err(Error::tensor(what))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::Initializer;

    #[test]
    fn the_numbers_are_those_of_the_schemes() {
        let rng = || ChaCha8Rng::seed_from_u64(7);
        let shape = Shape::from([30, 20]);
        assert_eq!(randn::<f32>(&shape, &mut rng()).unwrap(), crate::normal(1.0).init(&shape, &mut rng()).unwrap());
        let uniform: Tensor<f64> = crate::uniform(0.0, 1.0).init(&shape, &mut rng()).unwrap();
        assert_eq!(rand([30, 20], &mut rng()), Ok(uniform));
    }

    #[test]
    fn shapes_that_no_system_has_memory_for_are_errors() {
        let error = rand::<f32>([usize::MAX, 2], &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err();
        assert!(error.to_string().contains("rand"), "{error}");
        assert_eq!(randperm(0, &mut ChaCha8Rng::seed_from_u64(1)).dims(), [0]);
    }
}
