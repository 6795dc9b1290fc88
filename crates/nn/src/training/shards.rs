//! A batch in shards, each on a tape and a thread of its own.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use autograd::{Gradients, Tape, Var};
use tensor::{Float, Tensor};

use crate::Error;
use crate::ranks::tree::{Fold, Node};

/// A batch that is cut into shards, each with a tape of its own, which are computed side by side: for models whose single ops are too small
/// to be shared among threads. PyTorch's `DistributedDataParallel`, within a process.
///
/// The cut depends on the size of the batch alone, and the gradients of the shards are added in a fixed tree; so the result has the same
/// bits at any number of threads. It is the gradient of the mean over the batch where `loss` is the mean over its rows, and differs from
/// that of the whole batch by rounding; where rows of a batch depend on each other, as by batch norm, by more. Of the changes of state
/// that the passes defer, those of the first shard count.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Linear, Optimizer, Sgd, Shards, Layer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut model = Linear::new(2, 1, &init::normal(0.1), &mut ChaCha8Rng::seed_from_u64(42))?;
/// let x = Tensor::from_fn([100, 2], |i| (i[0] + 3 * i[1]) as f32 / 50.0);
/// let y = x.sum(1).unsqueeze(1);
/// let mut sgd = Optimizer::new(Sgd::default(), 0.1)?;
/// let mut shards = Shards::of(32)?; // of 100 rows: 32, 32, 32 and 4
/// let rows: Tensor<i64> = (0..100).collect();
/// for step in 0..300 {
///     shards.seed(1, step);
///     let (loss, gradients) = shards.backward(&rows, |tape, rows| {
///         let out = model.forward(tape.constant(x.index_select(0, rows)));
///         out.mse_loss(tape.constant(y.index_select(0, rows)))
///     });
///     assert!(loss.is_finite());
///     sgd.step(&mut model, &gradients);
/// }
/// assert!(model.weight.value().iter().all(|w| (w - 1.0).abs() < 0.1));
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "DistributedDataParallel")]
pub struct Shards<T: Float = f32> {
    rows: usize,
    tapes: Vec<Mutex<Tape<T>>>,
    seed: Option<(u64, u64)>,
    /// What a shard took the last time, in nanoseconds: how many threads it pays to ask.
    cost: f64,
}

/// What a shard gives: its loss, its gradients and its nanoseconds.
type Shard<T> = (f64, Gradients<T>, f64);

impl<T: Float> Shards<T> {
    /// Makes shards of `rows` rows; the last may have fewer.
    ///
    /// # Errors
    /// `rows` is 0.
    pub fn of(rows: usize) -> Result<Self, Error> {
        if rows == 0 {
            return Err(Error::Invalid { what: "the shards", why: "must have a row at least, not 0".into() });
        }
        // Until a pass has been measured: more than what is shared at least.
        Ok(Shards { rows, tapes: Vec::new(), seed: None, cost: 50_000.0 })
    }

    /// What the next pass draws by, as [`Tape::seed`]; each shard draws numbers of its own.
    pub fn seed(&mut self, seed: u64, step: u64) {
        self.seed = Some((seed, step));
    }

    /// The mean loss over `rows`, a vector of the examples' numbers, and its gradients. `loss` computes the mean over some of the rows,
    /// on a fresh tape; it is called once for each shard, on any thread.
    ///
    /// # Panics
    /// There are no rows, `rows` is no vector, or `loss` panics.
    #[track_caller]
    pub fn backward(
        &mut self,
        rows: &Tensor<i64>,
        loss: impl for<'t> Fn(&'t Tape<T>, &Tensor<i64>) -> Var<'t, T> + Sync,
    ) -> (f64, Gradients<T>) {
        assert!(
            rows.rank() == 1 && rows.numel() > 0,
            "Shards::backward: needs the numbers of some rows, got {}",
            rows.shape()
        );
        let (parts, seed) = (rows.split(0, self.rows), self.seed.take());
        let (count, len) = (parts.len(), rows.numel() as f64);
        if self.tapes.len() < count {
            self.tapes.resize_with(count, || Mutex::new(Tape::default()));
        }
        let done: Vec<Mutex<Option<Shard<T>>>> = (0..count).map(|_| Mutex::new(None)).collect();
        let tapes = &self.tapes;
        tensor::for_each(count, self.cost, &|shard| {
            let begin = Instant::now();
            let mut tape = tapes[shard].lock().unwrap_or_else(PoisonError::into_inner);
            // Also where a pass has panicked, it begins with nothing.
            tape.reset();
            if count > 1 {
                tape.reach_shards(|_| {
                    panic!("shards of one process cannot be synchronized: take `Tape` for the whole batch, or ranks")
                });
            }
            if let Some((seed, step)) = seed {
                tape.seed_shard(seed, step, u32::try_from(shard).expect("fewer than 2³² shards"));
            }
            let share = parts[shard].numel() as f64 / len;
            let loss = loss(&tape, &parts[shard]);
            let value = loss.item().to_f64() * share;
            let gradients = loss.backward_with(Tensor::full(loss.shape(), T::from_f64(share)));
            tape.reset();
            let took = begin.elapsed().as_nanos() as f64;
            *done[shard].lock().unwrap_or_else(PoisonError::into_inner) = Some((value, gradients, took));
        });
        let shards = done.into_iter().map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner));
        let shards: Vec<Shard<T>> =
            shards.map(|shard| shard.expect("each was computed, or the panic went on")).collect();
        self.cost = shards.iter().map(|&(.., took)| took).fold(f64::INFINITY, f64::min);
        let mut tree = Fold::new(count);
        for (shard, (loss, gradients, _)) in shards.into_iter().enumerate() {
            tree.push(Node::leaf(shard), (loss, gradients), |(loss, mut gradients), (more, others)| {
                gradients.add_shard(&others, 1.0);
                (loss + more, gradients)
            });
        }
        tree.sum().expect("there is a shard")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::{Dropout, Layer, Linear, ModelGradients, Module, Sequential, seq};

    fn model() -> Sequential {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let mut linear = |from, to| Linear::new(from, to, &init::normal(0.4), rng).unwrap();
        seq![linear(6, 20), tensor::Activation::Tanh, Dropout::new(0.3).unwrap(), linear(20, 3)]
    }

    fn loss<'t>(model: &Sequential, tape: &'t Tape, rows: &Tensor<i64>) -> Var<'t> {
        let x = Tensor::from_fn([200, 6], |i| ((i[0] * 7 + i[1] * 3) % 11) as f32 / 5.0 - 1.0);
        let classes: Tensor<i64> = (0..200).map(|i| i * 5 % 3).collect();
        model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&classes.index_select(0, rows))
    }

    #[test]
    fn the_bits_are_the_same_at_any_number_of_threads() {
        let (model, rows) = (model(), (0..150).map(|i| i * 7 % 200).collect::<Tensor<i64>>());
        let run = |threads| {
            let pass = || {
                let mut shards = Shards::of(16).unwrap();
                // So that helpers are asked whatever the shards cost.
                shards.cost = 1e9;
                shards.seed(4, 2);
                let (value, gradients) = shards.backward(&rows, |tape, rows| loss(&model, tape, rows));
                let gradients: Vec<_> = gradients.by_path(&model).into_iter().map(|(_, g)| g.clone()).collect();
                (value, gradients)
            };
            tensor::with_threads(threads, pass).unwrap()
        };
        let want = run(1);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads), want);
        }
    }

    #[test]
    fn their_sum_is_the_gradient_of_the_whole_and_each_draws_for_itself() {
        let mut model = model();
        let rows: Tensor<i64> = (0..50).collect();
        let mut shards = Shards::of(16).unwrap();
        let mut dropped = |step| {
            shards.seed(4, step);
            shards.backward(&rows, |tape, rows| loss(&model, tape, rows)).0
        };
        assert!(dropped(1) == dropped(1) && dropped(1) != dropped(2));
        model.0.remove(2);
        let (value, gradients) = shards.backward(&rows, |tape, rows| loss(&model, tape, rows));
        let tape = Tape::new();
        let whole = loss(&model, &tape, &rows);
        assert!((value - f64::from(whole.item())).abs() < 1e-6);
        let want = whole.backward();
        for (path, _) in model.parameters() {
            let (got, want) = (gradients.of(&model, &path).unwrap(), want.of(&model, &path).unwrap());
            assert!(got.iter().zip(want.iter()).all(|(x, y)| (x - y).abs() < 1e-6), "{path}");
        }
        // One shard is the pass itself.
        let (one, gradients) = Shards::of(50).unwrap().backward(&rows, |tape, rows| loss(&model, tape, rows));
        assert_eq!(one, f64::from(whole.item()));
        assert_eq!(gradients.of(&model, "0.weight"), want.of(&model, "0.weight"));
    }

    #[test]
    fn no_two_shards_of_any_steps_draw_the_same() {
        // The last batch of an epoch is smaller, and has fewer shards.
        let (mut shards, seen) = (Shards::of(16).unwrap(), Mutex::new(std::collections::HashSet::new()));
        for (step, rows) in [64, 64, 48, 64, 64, 48, 16, 1].into_iter().enumerate() {
            shards.seed(4, step as u64);
            let rows: Tensor<i64> = (0..rows).collect();
            shards.backward(&rows, |tape: &Tape, _| {
                assert!(seen.lock().unwrap().insert(tape.draw_key("test")), "step {step}");
                tape.leaf(Tensor::scalar(1.0))
            });
        }
        assert_eq!(seen.into_inner().unwrap().len(), 4 + 4 + 3 + 4 + 4 + 3 + 1 + 1);
    }

    #[test]
    fn what_panics_reaches_the_caller_and_the_next_pass_begins_anew() {
        let (model, rows) = (model(), (0..50).collect::<Tensor<i64>>());
        let mut shards = Shards::of(16).unwrap();
        shards.seed(1, 1);
        let pass = std::panic::AssertUnwindSafe(|| {
            shards.backward(&rows, |tape, rows| {
                let loss = loss(&model, tape, rows);
                assert!(rows.numel() == 16, "a shard of {}", rows.numel());
                loss
            })
        });
        let panic = std::panic::catch_unwind(pass).map(|_| ()).expect_err("the last shard is smaller");
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "a shard of 2");
        shards.seed(1, 2);
        shards.backward(&rows, |tape, rows| loss(&model, tape, rows));
        assert!(Shards::<f32>::of(0).err().unwrap().to_string().contains("the shards must have a row at least"));
    }
}
