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
