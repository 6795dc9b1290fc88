//! The embedding: a row of numbers for each symbol.

use autograd::{Tape, Var};
use init::Initializer;
use rand::Rng;
use tensor::{Float, Shape, Tensor};

use super::in_f32;
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
/// let embedding = Embedding::new(27, 10, &init::normal(1.0), &mut rng)?;
/// let tape = Tape::new();
/// let contexts = Tensor::from([[0, 0, 5], [0, 5, 13]]); // ..e, .em
/// assert_eq!(embedding.forward(&tape, &contexts).shape().dims(), [2, 3, 10]);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Embedding<T: Float = f32> {
    /// The table, `[symbols, width]`
    pub weight: Param<T>,
    padding: Option<usize>,
}

module!(impl<T> Embedding<T> { weight, .. });

in_f32!(
    Embedding,
    /// A table in f32 of `symbols` rows of `width` numbers, drawn by `weight`. For another float there is
    /// [`try_new`](Embedding::try_new).
    ///
    /// # Errors
    /// The initializer returns an error, or the table is larger than memory can be.
    new => try_new(symbols: usize, width: usize, weight: &dyn Initializer, rng: &mut impl Rng)
);

in_f32!(
    Embedding,
    /// A table in f32 with PyTorch's default: standard normal.
    ///
    /// # Errors
    /// As [`new`](Embedding::new).
    new_torch => try_torch(symbols: usize, width: usize, rng: &mut impl Rng)
);

impl<T: Float> Embedding<T> {
    /// A table for any float, such as `Embedding::<f64>::try_new(…)`; see [`new`](Embedding::new).
    ///
    /// # Errors
    /// As [`new`](Embedding::new).
    pub fn try_new(
        symbols: usize,
        width: usize,
        weight: &dyn Initializer<T>,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let weight = Param::new(weight.init(&Shape::try_new(&[symbols, width])?, rng)?);
        Ok(Embedding { weight, padding: None })
    }

    /// A table for any float; see [`new_torch`](Embedding::new_torch).
    ///
    /// # Errors
    /// As [`new`](Embedding::new).
    pub fn try_torch(symbols: usize, width: usize, rng: &mut impl Rng) -> Result<Self, Error> {
        Embedding::try_new(symbols, width, &init::normal(1.0), rng)
    }

    /// A table of these rows, such as those of a file.
    pub fn of(weight: Param<T>) -> Self {
        Embedding { weight, padding: None }
    }

    /// Makes the symbol `padding` stand for nothing: its row is 0, also after a file was loaded, and gets no gradient.
    /// PyTorch's `padding_idx`.
    ///
    /// # Errors
    /// There is no such symbol.
    ///
    /// # Example
    /// ```
    /// use nn::Embedding;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let table = Embedding::new_torch(5, 2, &mut ChaCha8Rng::seed_from_u64(1))?.with_padding(0)?;
    /// assert_eq!(table.weight.value().select(0, 0).to_vec(), [0.0, 0.0]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "padding_idx")]
    pub fn with_padding(mut self, padding: usize) -> Result<Self, Error> {
        let symbols = self.weight.value().size(0);
        if padding >= symbols {
            let why = format!("has no symbol {padding} for padding: there are {symbols}");
            return Err(Error::Invalid { what: "the embedding", why });
        }
        self.weight.set_padding(padding);
        Ok(Embedding { padding: Some(padding), ..self })
    }

    /// The rows of the symbols `indices`: `[…]` gives `[…, width]`.
    ///
    /// # Panics
    /// An index is negative or not below the number of symbols.
    #[track_caller]
    pub fn forward<'t>(&self, tape: &'t Tape<T>, indices: &Tensor<i64>) -> Var<'t, T> {
        let weight = self.weight.used_by("Embedding::forward", "weight", tape);
        match self.padding {
            Some(padding) => weight.embedding_with_padding(indices, padding),
            None => weight.embedding(indices),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::Module;

    fn table() -> Embedding<f64> {
        Embedding::try_new(5, 2, &init::normal(1.0), &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
    }

    #[test]
    fn a_row_stands_for_a_symbol_and_gets_the_gradients_of_its_places() {
        let (embedding, tape) = (table(), Tape::default());
        let rows = embedding.forward(&tape, &Tensor::from([[4, 0], [4, 4]]));
        assert_eq!(rows.value().select(0, 1).select(0, 0), embedding.weight.value().select(0, 4));
        let gradients = rows.sum(..).backward();
        let counts = gradients.named(embedding.weight.id()).unwrap().select(1, 0);
        assert_eq!(counts, Tensor::from([1.0, 0.0, 0.0, 0.0, 3.0]));
        assert_eq!(embedding.parameters()[0].0, "weight");
    }

    #[test]
    #[should_panic(expected = "embedding: index 5 (entry 1 of the indices) is out of range: 0 ≤ index < 5")]
    fn a_symbol_that_the_table_lacks_is_refused() {
        table().forward(&Tape::default(), &Tensor::from([0, 5]));
    }
}
