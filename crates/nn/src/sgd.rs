//! Stochastic gradient descent.

use autograd::Gradients;
use tensor::Float;

use crate::{Error, ModelGradients, Module};

/// Plain stochastic gradient descent: w ← w − lr · w̄ (Robbins and Monro, 1951, *A Stochastic Approximation Method*).
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Param, Sgd};
/// use tensor::Tensor;
///
/// let mut w = Param::new(Tensor::from([3.0]));
/// let tape = Tape::new();
/// let gradients = w.on(&tape).scale(2.0).sum(..).backward();
/// drop(tape);
/// Sgd::new(0.5)?.step(&mut w, &gradients);
/// assert_eq!(w.value(), &Tensor::from([2.0]));
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    lr: f64,
    /// Whether it is still to be made sure that no gradient is missing.
    checks: bool,
}

impl Sgd {
    /// Descent with the learning rate `lr`.
    ///
    /// # Errors
    /// `lr` is negative, not a number, or infinite in single precision.
    pub fn new(lr: f64) -> Result<Self, Error> {
        let mut sgd = Sgd { lr: 0.0, checks: true };
        sgd.set_lr(lr)?;
        Ok(sgd)
    }

    /// The same, which does not mind if a weight gets no gradient, or if the model does not list one that does: where a part of
    /// a model is trained, or the parts take turns.
    #[must_use]
    pub fn allow_missing(self) -> Self {
        Sgd { checks: false, ..self }
    }

    /// The learning rate.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Changes the learning rate.
    ///
    /// # Errors
    /// `lr` is negative, not a number, or infinite in single precision; the old one stays.
    pub fn set_lr(&mut self, lr: f64) -> Result<(), Error> {
        if lr.is_nan() || !(0.0..=f64::from(f32::MAX)).contains(&lr) {
            return Err(Error::Range { what: "the learning rate", value: lr, rule: "at least 0 and finite in f32" });
        }
        self.lr = lr;
        Ok(())
    }

    /// Moves every trained weight of `model` that has a gradient; the others stay. The changes that the pass has deferred for
    /// the model's state, such as running statistics, are applied too.
    ///
    /// In place, if nothing else holds the values: reset the tape before, or each is copied first.
    ///
    /// # Panics
    /// It is the first step, and a trained weight has no gradient, or a leaf that the model does not list has one (see
    /// [`allow_missing`](Self::allow_missing)). Or no weight has a gradient: these are the gradients of another model.
    #[track_caller]
    pub fn step<T: Float>(&mut self, model: &mut (impl Module<T> + ?Sized), gradients: &Gradients<T>) {
        if self.checks {
            gradients.expect_complete(model);
            self.checks = false;
        }
        let lr = T::from_f64(self.lr);
        model.update(gradients, &mut |_, weight, gradient| weight.value_mut().axpy(-lr, gradient));
    }
}

#[cfg(test)]
mod tests {
    use autograd::Tape;
    use tensor::Tensor;

    use super::*;
    use crate::Param;

    #[test]
    fn parameters_without_a_gradient_stay() {
        let mut params = vec![Param::new(Tensor::from([1.0])), Param::new(Tensor::from([1.0]))];
        let tape = Tape::new();
        let gradients = params[1].on(&tape).scale(3.0).sum(..).backward();
        Sgd::new(0.1).unwrap().allow_missing().step(&mut params, &gradients);
        assert_eq!((params[0].value().item(), params[1].value().item()), (1.0, 1.0 - 0.1 * 3.0));
    }

    #[test]
    #[should_panic(expected = "step: no gradient has come to 0: use them in `forward`")]
    fn the_first_step_names_a_weight_without_a_gradient() {
        let mut params = vec![Param::new(Tensor::from([1.0])), Param::new(Tensor::from([1.0]))];
        let gradients = params[1].on(&Tape::new()).scale(3.0).sum(..).backward();
        Sgd::new(0.1).unwrap().step(&mut params, &gradients);
    }

    #[test]
    #[should_panic(expected = "step: no weight of the model has a gradient")]
    fn gradients_of_a_clone_are_refused() {
        let mut w = Param::new(Tensor::<f32>::ones([4]));
        let tape = Tape::new();
        let gradients = w.clone().on(&tape).scale(2.0).sum(..).backward();
        Sgd::new(0.1).unwrap().allow_missing().step(&mut w, &gradients);
    }

    #[test]
    fn a_reset_tape_lets_go_of_the_values_so_that_they_change_in_place() {
        let mut w = Param::new(Tensor::<f32>::ones([4]));
        let mut tape = Tape::new();
        let gradients = w.on(&tape).sum(..).backward();
        let held = w.value().clone();
        tape.reset();
        drop(held);
        let before = w.value().as_slice().unwrap().as_ptr();
        Sgd::new(0.1).unwrap().step(&mut w, &gradients);
        assert_eq!(w.value().as_slice().unwrap().as_ptr(), before);
    }

    #[test]
    fn bad_learning_rates_are_refused_and_the_old_one_stays() {
        let mut sgd = Sgd::new(0.1).unwrap();
        for lr in [-0.1, f64::NAN, f64::INFINITY, 1e300] {
            assert!(sgd.set_lr(lr).is_err());
            assert_eq!(sgd.lr(), 0.1);
        }
    }
}
