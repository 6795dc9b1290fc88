//! Predictions of rows in batches.

use autograd::{Mode, Tape, Var};
use tensor::{Element, Float, Tensor};

use crate::Layer;

/// The rows that are predicted first, by which is seen what a row takes; and how many at once at the least and the most.
const FIRST: usize = 32;
const AT_ONCE: [usize; 2] = [32, 1024];
/// About so much is on the tape at a time, which the caches of most processors hold.
const BYTES: usize = 4 << 20;

/// What a model predicts of each row of `x`, `[n, …]`: in evaluation, without gradients, in batches of some 4 MiB of values, so that
/// memory does not grow with the number of rows. How many rows these are follows from the model and the shape of the rows alone.
///
/// # Panics
/// There are no rows; and where the model does.
///
/// # Example
/// ```
/// use nn::{Linear, predict};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let model: Linear = Linear::new(2, 3, &init::normal(1.0), &mut rng)?;
/// assert_eq!(predict(&model, &Tensor::ones([1000, 2])).dims(), [1000, 3]);
/// # Ok::<(), nn::Error>(())
/// ```
#[track_caller]
pub fn predict<T: Float>(model: &(impl Layer<T> + ?Sized), x: &Tensor<T>) -> Tensor<T> {
    predict_by(x, |tape, rows| model.forward(tape.constant(rows)))
}

/// As [`predict`], by a closure: of a model with a `forward` of its own, or of rows that are no floats, such as tokens.
///
/// # Panics
/// There are no rows; and where the closure does.
///
/// # Example
/// ```
/// use nn::{Embedding, predict_by};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let embedding: Embedding = Embedding::new(27, 10, &init::normal(1.0), &mut rng)?;
/// let y = predict_by(&Tensor::from([[1, 2], [3, 4]]), |tape, tokens| embedding.forward(tape, &tokens).flatten(1));
/// assert_eq!(y.dims(), [2, 20]);
/// # Ok::<(), nn::Error>(())
/// ```
#[track_caller]
pub fn predict_by<T: Float, E: Element>(
    x: &Tensor<E>,
    model: impl for<'t> Fn(&'t Tape<T>, Tensor<E>) -> Var<'t, T>,
) -> Tensor<T> {
    assert!(x.rank() > 0 && x.size(0) > 0, "predict: there are no rows in {}", x.shape());
    let (n, mut tape, mut parts) = (x.size(0), Tape::in_mode(Mode::Eval), Vec::new());
    let (mut start, mut at_once) = (0, FIRST);
    while start < n {
        let rows = x.slice(0, start..n.min(start + at_once));
        let count = rows.size(0);
        start += count;
        let y = model(&tape, rows).value();
        assert!(
            y.rank() > 0 && y.size(0) == count,
            "predict: of {count} rows the model makes {}, which are not as many",
            y.shape()
        );
        parts.push(y);
        if parts.len() == 1 {
            let values = tape.vars().filter(|value| !value.is_parameter()).map(|value| value.shape().numel());
            let row = (values.sum::<usize>() * size_of::<T>() / count).max(1);
            at_once = (BYTES / row).clamp(AT_ONCE[0], AT_ONCE[1]);
        }
        tape.reset();
    }
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm1d, func};

    #[test]
    fn parts_are_joined_and_a_row_alone_is_predicted() {
        let x = Tensor::from_fn([600, 2], |i| (2 * i[0] + i[1]) as f32);
        assert_eq!(predict(&func(|x| x * 2.0), &x), &x * 2.0);
        assert_eq!(predict(&func(|x| x.sum(1)), &x).dims(), [600]);
        // By the running statistics.
        assert_eq!(predict(&BatchNorm1d::new(2), &Tensor::ones([1, 2])).dims(), [1, 2]);
        let tokens = Tensor::from_fn([300], |i| i[0] as i64);
        assert_eq!(predict_by(&tokens, |tape, rows| tape.constant(rows.cast::<f32>())).item_at(299), 299.0);
    }

    trait At {
        fn item_at(&self, i: usize) -> f32;
    }

    impl At for Tensor {
        fn item_at(&self, i: usize) -> f32 {
            self.slice(0, i..i + 1).item()
        }
    }

    #[test]
    #[should_panic(expected = "predict: of 5 rows the model makes [], which are not as many")]
    fn each_row_has_a_prediction() {
        predict(&func(|x: Var<'_>| x.sum(..)), &Tensor::ones([5, 2]));
    }
}
