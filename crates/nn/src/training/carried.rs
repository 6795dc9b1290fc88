//! What a model hands from one step of a training to the next.

use std::cell::RefCell;

use autograd::{Tape, Var};
use tensor::{Float, Tensor};

/// Values that a recurrent network carries from the end of one batch to the beginning of the next, so that each step goes back through its
/// own batch alone: truncated backpropagation through time (Williams and Peng, 1990).
///
/// [`Fit::carry`](crate::Fit::carry) sets it back where an epoch and an evaluation begin, and keeps it in checkpoints. Passes of
/// evaluation have values of their own, which those of training do not see. Rows must follow each other from batch to batch, so these are
/// not shuffled, and a smaller last batch is [left out](crate::Batches::drop_last).
///
/// # Example
/// Counting on from step to step:
///
/// ```
/// use autograd::Tape;
/// use nn::Carried;
/// use tensor::Tensor;
///
/// let carried = Carried::new([Tensor::zeros([2])]);
/// for step in 0..3 {
///     let tape = Tape::new();
///     let [sum] = carried.on(&tape)[..] else { unreachable!() };
///     assert_eq!(sum.value(), Tensor::full([2], step as f32));
///     carried.set(&[sum + 1.0]); // no gradient goes back beyond
/// }
/// ```
#[doc(alias = "TBPTT")]
#[doc(alias = "stateful")]
#[derive(Clone, Debug)]
pub struct Carried<T: Float = f32> {
    start: Passed<T>,
    pub(crate) training: RefCell<Passed<T>>,
    evaluation: RefCell<Passed<T>>,
}

/// The values that a pass hands to the next.
#[derive(Clone, Debug)]
pub(crate) struct Passed<T: Float>(Vec<Tensor<T>>);

impl<T: Float> Carried<T> {
    /// Begins with these values, such as zeros for the hidden state of each layer.
    pub fn new(start: impl Into<Vec<Tensor<T>>>) -> Self {
        let start = Passed(start.into());
        Carried { training: RefCell::new(start.clone()), evaluation: RefCell::new(start.clone()), start }
    }

    fn of(&self, tape: &Tape<T>) -> &RefCell<Passed<T>> {
        if tape.is_training() { &self.training } else { &self.evaluation }
    }

    /// The values that the pass before has left, as constants on the tape.
    pub fn on<'t>(&self, tape: &'t Tape<T>) -> Vec<Var<'t, T>> {
        self.of(tape).borrow().0.iter().map(|value| tape.constant(value.clone())).collect()
    }

    /// Leaves values for the next pass.
    ///
    /// # Panics
    /// They are not as many as at the start, or have other shapes.
    #[track_caller]
    pub fn set(&self, values: &[Var<'_, T>]) {
        let (n, m) = (values.len(), self.start.0.len());
        assert!(n == m, "Carried::set: {n} values are left for the next pass, but there were {m} at the start");
        for (at, (value, start)) in values.iter().zip(&self.start.0).enumerate() {
            let (new, old) = (value.shape(), start.shape());
            assert!(
                new == *old,
                "Carried::set: value {at} is {new}, but was {old} at the start; is the last batch smaller? `drop_last` leaves it out"
            );
        }
        if let Some(first) = values.first() {
            self.of(first.tape()).borrow_mut().0 = values.iter().map(|value| value.value()).collect();
        }
    }

    /// Goes back to the start, of training.
    pub fn reset(&self) {
        *self.training.borrow_mut() = self.start.clone();
    }

    /// Goes back to the start, of evaluation.
    pub(crate) fn reset_evaluation(&self) {
        *self.evaluation.borrow_mut() = self.start.clone();
    }
}

#[cfg(feature = "checkpoint")]
impl<T: Float> crate::Stateful<T> for Passed<T> {
    fn walk(&self, at: &mut crate::Archive<'_, T>) -> Self {
        let walk = |(index, value): (usize, &Tensor<T>)| {
            at.tensor(&index.to_string(), value.shape(), Some(value)).unwrap_or_else(|| value.clone())
        };
        Passed(self.0.iter().enumerate().map(walk).collect())
    }
}
