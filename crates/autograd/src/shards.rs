//! What a pass over one shard of a batch asks of the passes over the others.

use std::cell::RefCell;
use std::sync::Arc;

use tensor::{Float, Tensor};

use crate::{Tape, Var};

/// Adds up what the passes over all shards of a batch have, each of which calls it as often, and gives all of them the sum.
type SumOverShards<T> = Arc<dyn Fn(Tensor<T>) -> Tensor<T> + Send + Sync>;

/// How a pass reaches those over the other shards of its batch, where it is not all of it.
pub(crate) struct OtherShards<T: Float>(RefCell<Option<SumOverShards<T>>>);

impl<T: Float> Clone for OtherShards<T> {
    fn clone(&self) -> Self {
        OtherShards(self.0.clone())
    }
}

impl<T: Float> OtherShards<T> {
    /// Where there are none.
    pub(crate) fn none() -> Self {
        OtherShards(RefCell::new(None))
    }
}

impl<T: Float> Tape<T> {
    /// Says how values are summed over the shards of a batch, of which this tape has one: `sum` is called by the passes over all shards,
    /// as often and in the same order, waits for them, and gives each the sum. Until it is said, and after a reset, a pass is over the whole
    /// batch.
    ///
    /// # Example
    /// See [`Var::sum_over_shards`].
    pub fn reach_shards(&self, sum: impl Fn(Tensor<T>) -> Tensor<T> + Send + Sync + 'static) {
        *self.other_shards.0.borrow_mut() = Some(Arc::new(sum));
    }
}

impl<T: Float> Var<'_, T> {
    /// The sum of this value and those that the passes over the other shards of the batch have in its place, by which batch norm can go by
    /// the whole batch: y = Σₛ xₛ,  x̄ = Σₛ ȳₛ. The value itself, where the pass is over the whole batch.
    ///
    /// # Example
    /// Two shards that have the same:
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.reach_shards(|x| x * 2.0);
    /// let x = tape.leaf(Tensor::from([3.0]));
    /// let y = x.sum_over_shards();
    /// assert_eq!((y.value().item(), y.backward().get(x).unwrap().item()), (6.0, 2.0));
    /// ```
    pub fn sum_over_shards(self) -> Self {
        let Some(sum) = self.tape.other_shards.0.borrow().clone() else { return self };
        let value = sum(self.value());
        self.record("sum_over_shards", value).wrt(self, move |g| sum(g)).done()
    }
}
