//! What a pass finds out for the state of a model, such as running statistics.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tensor::{Float, Tensor};

use crate::id::Id;

/// What is to be done with a state, and its name.
type Update<T> = (Id, Box<dyn FnOnce(&mut Tensor<T>) + Send>);

/// Changes of a model's state that a pass has put aside (see [`Tape::put_aside`](crate::Tape::put_aside)), for whoever
/// may change the model. Clones are the same updates: each is applied once.
///
/// [`Gradients`](crate::Gradients) carry them to the optimizer, so that a training loop need not know of them.
///
/// # Example
/// ```
/// use autograd::{Id, Tape};
/// use tensor::Tensor;
///
/// let (id, mut passes) = (Id::new(), Tensor::scalar(0.0));
/// let mut tape = Tape::new();
/// let loss = tape.leaf(Tensor::scalar(2.0)).scale(3.0);
/// tape.put_aside(id, |passes| *passes += 1.0);
/// let gradients = loss.backward();
/// tape.reset();
/// gradients.updates().apply(id, &mut passes);
/// gradients.updates().apply(id, &mut passes); // there is nothing left to do
/// assert_eq!(passes.item(), 1.0);
/// ```
pub struct Updates<T: Float = f32>(Arc<Mutex<Vec<Update<T>>>>);

impl<T: Float> Updates<T> {
    pub(crate) fn push(&self, update: Update<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(update);
    }

    /// Changes `value`, the state that is named `id`, as the pass found, in the order in which it found. What is applied is
    /// done with: a second call changes nothing.
    pub fn apply(&self, id: Id, value: &mut Tensor<T>) {
        // Taken out first: a change is another crate's closure, and not called with the lock held.
        let due: Vec<_> = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.extract_if(.., |(of, _)| *of == id).collect()
        };
        for (_, change) in due {
            change(value);
        }
    }

    /// Nothing to apply, and shared with nobody.
    pub(crate) fn renew(&mut self) {
        if Arc::strong_count(&self.0) > 1 || !self.is_empty() {
            *self = Updates::default();
        }
    }

    /// How many changes have not been applied yet.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether all changes have been applied, or there were none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Float> Clone for Updates<T> {
    /// The same updates.
    fn clone(&self) -> Self {
        Updates(Arc::clone(&self.0))
    }
}

impl<T: Float> Default for Updates<T> {
    fn default() -> Self {
        Updates(Arc::default())
    }
}

impl<T: Float> fmt::Debug for Updates<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Updates({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn each_pass_has_updates_of_its_own_which_are_applied_once_and_in_order() {
        let (id, other) = (Id::new(), Id::new());
        let mut tape = Tape::<f64>::new();
        let pass = |tape: &Tape<f64>, by: f64| {
            tape.put_aside(id, move |x| *x += by);
            tape.put_aside(id, |x| *x *= 10.0);
            tape.leaf(Tensor::scalar(1.0)).scale(2.0).backward()
        };
        let first = pass(&tape, 1.0);
        tape.reset();
        let mut state = Tensor::scalar(0.0);
        first.updates().apply(other, &mut state);
        assert_eq!((state.item(), first.updates().len()), (0.0, 2));
        first.updates().apply(id, &mut state);
        assert_eq!((state.item(), first.updates().len()), (10.0, 0));
        // The gradients of the first pass know nothing of the second.
        let second = pass(&tape, 2.0);
        first.updates().apply(id, &mut state);
        assert_eq!(state.item(), 10.0);
        second.updates().apply(id, &mut state);
        assert_eq!(state.item(), 120.0);
        // Two gradients of one pass bring the same updates.
        let (a, b) = (pass(&tape, 0.0), tape.leaf(Tensor::scalar(1.0)).scale(2.0).backward());
        b.updates().apply(id, &mut state);
        a.updates().apply(id, &mut state);
        assert_eq!(state.item(), 1200.0);
        // What nobody applied is forgotten.
        pass(&tape, 1.0);
        tape.reset();
        assert!(tape.updates().is_empty());
    }

    #[test]
    fn a_change_may_itself_ask_for_the_updates() {
        let (id, tape) = (Id::new(), Tape::<f64>::new());
        let updates = tape.updates();
        tape.put_aside(id, move |x| *x += updates.len() as f64);
        let mut state = Tensor::scalar(1.0);
        tape.updates().apply(id, &mut state);
        assert_eq!(state.item(), 1.0);
    }
}
