//! Changes of a model's state that a pass has deferred, such as those of running statistics.

use tensor::{Float, Tensor};

use crate::id::Id;

/// Changes of state that passes have [deferred](crate::Tape::defer_update): r ← keep · r + add, in the order in which the
/// passes found them. They are data: whoever may change the model applies them.
///
/// [`Gradients`](crate::Gradients) bring them to the optimizer, whose step applies them. Those of several passes add up, each
/// pass once.
///
/// # Example
/// ```
/// use autograd::{Id, Tape};
/// use tensor::Tensor;
///
/// let (id, mut passes) = (Id::new(), Tensor::scalar(0.0));
/// let mut tape = Tape::new();
/// let loss = tape.leaf(Tensor::scalar(2.0)).scale(3.0);
/// tape.defer_update(id, 1.0, Tensor::scalar(1.0)); // counts
/// let gradients = loss.backward();
/// tape.reset();
/// gradients.updates().apply(id, &mut passes);
/// assert_eq!(passes.item(), 1.0);
/// ```
#[derive(Clone, Debug)]
pub struct Updates<T: Float = f32> {
    changes: Vec<Change<T>>,
    /// The pass whose changes these are.
    own: Id,
    /// Those whose changes were added.
    others: Vec<Id>,
}

#[derive(Clone, Debug)]
struct Change<T: Float> {
    pass: Id,
    of: Id,
    how: Update<T>,
}

/// A change of a state that a pass has deferred.
#[derive(Clone, Debug, PartialEq)]
pub enum Update<T: Float = f32> {
    /// r ← keep · r + add
    Affine {
        /// What is kept of the state.
        keep: f64,
        /// What is added to it, in its shape.
        add: Tensor<T>,
    },
    /// r ← r + share · (found − r)
    Running {
        /// How far the state moves.
        share: RunningWeight,
        /// What it moves towards, in its shape.
        found: Tensor<T>,
    },
}

/// The weight of the new value in a running average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunningWeight {
    /// Always this one, so that what was found long ago is forgotten.
    Momentum(f64),
    /// 1 / (n + 1), so that the average is the plain mean of all values; n of them are in it already.
    Mean {
        /// n, before the pass.
        seen: u64,
    },
}

impl<T: Float> Updates<T> {
    /// None so far, of one pass.
    pub(crate) fn of_pass(pass: Id) -> Self {
        Updates { changes: Vec::new(), own: pass, others: Vec::new() }
    }

    pub(crate) fn push(&mut self, of: Id, keep: f64, add: Tensor<T>) {
        self.changes.push(Change { pass: self.own, of, how: Update::Affine { keep, add } });
    }

    pub(crate) fn push_running(&mut self, of: Id, share: RunningWeight, found: Tensor<T>) {
        self.changes.push(Change { pass: self.own, of, how: Update::Running { share, found } });
    }

    /// Adds the changes of passes that are not in already.
    pub(crate) fn append(&mut self, other: &Self) {
        let is_new = |pass: &Id| *pass != self.own && !self.others.contains(pass);
        let new: Vec<Id> = other.others.iter().copied().chain([other.own]).filter(is_new).collect();
        self.changes.extend(other.changes.iter().filter(|change| new.contains(&change.pass)).cloned());
        self.others.extend(new);
    }

    /// Applies every deferred change of the state `id` to `value`, in the order of the passes.
    ///
    /// # Panics
    /// What is to be added has another shape than the state.
    #[track_caller]
    pub fn apply(&self, id: Id, value: &mut Tensor<T>) {
        // All passes since the last step saw the same count; each one applied here adds one.
        let mut more = 0;
        for change in self.changes.iter().filter(|change| change.of == id) {
            let (Update::Affine { add: new, .. } | Update::Running { found: new, .. }) = &change.how;
            let (want, got) = (value.shape(), new.shape());
            assert!(want == got, "an update of the shape {got} for a state of the shape {want}");
            let share = match change.how {
                Update::Affine { keep, .. } => {
                    // Of what is not kept, nothing is multiplied.
                    *value = if keep == 0.0 { new.clone() } else { &*value * T::from_f64(keep) + new };
                    continue;
                }
                Update::Running { share: RunningWeight::Momentum(share), .. } => share,
                Update::Running { share: RunningWeight::Mean { seen }, .. } => 1.0 / (seen + more + 1) as f64,
            };
            more += 1;
            value.lerp_assign(new, share);
        }
    }

    /// What the passes have found for the running average that is named `id`, in their order.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, RunningWeight, Tape};
    /// use tensor::Tensor;
    ///
    /// let (id, tape) = (Id::new(), Tape::new());
    /// tape.defer_running(id, RunningWeight::Momentum(0.1), Tensor::scalar(3.0));
    /// assert_eq!(tape.updates().found(id).next(), Some(&Tensor::scalar(3.0)));
    /// ```
    pub fn found(&self, id: Id) -> impl Iterator<Item = &Tensor<T>> {
        self.changes.iter().filter(move |change| change.of == id).filter_map(|change| match &change.how {
            Update::Running { found, .. } => Some(found),
            Update::Affine { .. } => None,
        })
    }

    /// The changes in their order, each with the name of the state that it is of: to be told to another process.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Update<T>)> {
        self.changes.iter().map(|change| (change.of, &change.how))
    }

    /// How many changes there are of the state that is named `id`.
    pub fn count(&self, id: Id) -> usize {
        self.changes.iter().filter(|change| change.of == id).count()
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl<T: Float> FromIterator<(Id, Update<T>)> for Updates<T> {
    /// Those of a pass that was made elsewhere, such as in another process.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape, Updates};
    /// use tensor::Tensor;
    ///
    /// let (id, tape, mut passes) = (Id::new(), Tape::new(), Tensor::scalar(0.0));
    /// tape.defer_update(id, 1.0, Tensor::scalar(1.0));
    /// let told = tape.updates();
    /// let again: Updates = told.iter().map(|(of, change)| (of, change.clone())).collect();
    /// again.apply(id, &mut passes);
    /// assert_eq!(passes.item(), 1.0);
    /// ```
    fn from_iter<I: IntoIterator<Item = (Id, Update<T>)>>(changes: I) -> Self {
        let mut updates = Updates::of_pass(Id::new());
        let pass = updates.own;
        updates.changes.extend(changes.into_iter().map(|(of, how)| Change { pass, of, how }));
        updates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn each_pass_has_updates_of_its_own_which_add_up_in_order_and_once() {
        let (id, other) = (Id::new(), Id::new());
        let mut tape = Tape::<f64>::default();
        let pass = |tape: &Tape<f64>, by: f64| {
            tape.defer_update(id, 1.0, Tensor::scalar(by));
            tape.defer_update(id, 10.0, Tensor::scalar(0.0));
            tape.leaf(Tensor::scalar(1.0)).scale(2.0).backward()
        };
        let mut all = pass(&tape, 1.0);
        let same = tape.leaf(Tensor::scalar(1.0)).scale(2.0).backward();
        tape.reset();
        let second = pass(&tape, 2.0);
        let applied = |updates: &Updates<f64>, to: Id| {
            let mut state = Tensor::scalar(0.0);
            updates.apply(to, &mut state);
            state.item()
        };
        assert_eq!((applied(all.updates(), other), applied(all.updates(), id)), (0.0, 10.0));
        assert_eq!(applied(second.updates(), id), 20.0);
        // Two gradients of one pass bring the same updates, which count once.
        all += same;
        assert_eq!(all.updates().len(), 2);
        all += second;
        assert_eq!(applied(all.updates(), id), 120.0);
        // What nobody took is forgotten.
        tape.reset();
        assert!(tape.updates().is_empty());
    }

    #[test]
    #[should_panic(expected = "an update of the shape [2] for a state of the shape [3]")]
    fn another_shape_is_refused() {
        let (id, tape) = (Id::new(), Tape::new());
        tape.defer_update(id, 1.0, Tensor::zeros([2]));
        tape.updates().apply(id, &mut Tensor::zeros([3]));
    }
}
