//! The embedding: a row of numbers for each symbol.

use autograd::{Tape, Var};
use init::Initializer;
use rand::Rng;
use tensor::{Float, Shape, Tensor};

use crate::{Error, Param, module};

/// A table with a row for each symbol, `[symbols, width]`; PyTorch's `nn.Embedding`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::Embedding;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let embedding: Embedding = Embedding::new(27, 10, &init::normal(1.0), &mut rng)?;
/// let tape = Tape::new();
/// let contexts = Tensor::from([[0, 0, 5], [0, 5, 13]]); // ..e, .em
/// assert_eq!(embedding.forward(&tape, &contexts).shape().dims(), [2, 3, 10]);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding<T: Float = f32> {
    /// The table, `[symbols, width]`
    pub weight: Param<T>,
}

module!(impl<T> Embedding<T> { weight });

impl<T: Float> Embedding<T> {
    /// A table of `symbols` rows of `width` numbers, drawn by `weight`.
    ///
    /// # Errors
    /// The initializer refuses.
    pub fn new(symbols: usize, width: usize, weight: &dyn Initializer<T>, rng: &mut impl Rng) -> Result<Self, Error> {
        Ok(Embedding { weight: Param::new(weight.init(&Shape::from([symbols, width]), rng)?) })
    }

    /// The rows of the symbols `indices`: `[…]` gives `[…, width]`.
    ///
    /// # Panics
    /// An index is negative or not below the number of symbols.
    #[track_caller]
    pub fn forward<'t>(&self, tape: &'t Tape<T>, indices: &Tensor<i64>) -> Var<'t, T> {
        self.weight.on(tape).embedding(indices)
    }
}
