//! Stochastic gradient descent, with momentum.

use tensor::{Float, Tensor, Update};

use super::{check_beta, check_decay};
use crate::{At, Error, Rule};

/// Stochastic gradient descent (Robbins and Monro, 1951, *A Stochastic Approximation Method*): with ĝ = g +
/// weight_decay · w, and without momentum, w ← w − lr · ĝ. PyTorch's `optim.SGD`.
///
/// With momentum (Polyak, 1964): m ← momentum · m + (1 − dampening) ĝ, where m is ĝ at the first step; w ← w − lr ·
/// m, or by Nesterov (as in Sutskever et al., 2013, *On the Importance of Initialization and Momentum in Deep
/// Learning*) w − lr · (ĝ + momentum · m).
///
/// All is 0 and off by default.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Optimizer, Param, Sgd};
/// use tensor::Tensor;
///
/// let mut w = Param::new(Tensor::from([3.0]));
/// let tape = Tape::new();
/// let gradients = w.on(&tape).scale(2.0).sum(..).backward();
/// drop(tape);
/// let mut sgd = Optimizer::new(Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() }, 0.5)?;
/// sgd.step(&mut w, &gradients);
/// assert_eq!(w.value(), &Tensor::from([3.0 - 0.5 * (2.0 + 0.9 * 2.0)]));
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "SGD")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sgd {
    /// What stays of the average of gradients, in [0, 1).
    pub momentum: f64,
    /// What is kept of a gradient from this average, in 0..=1.
    pub dampening: f64,
    /// Whether the step looks ahead; that takes momentum, and no dampening.
    pub nesterov: bool,
    /// How much of a weight is added to its gradient.
    pub weight_decay: f64,
}

impl<T: Float> Rule<T> for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["m"] }
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn check(&self) -> Result<(), Error> {
        check_beta("the momentum", self.momentum)?;
        check_decay(self.weight_decay)?;
        if !(0.0..=1.0).contains(&self.dampening) {
            return Err(Error::Range { what: "the dampening", value: self.dampening, rule: "in 0..=1" });
        }
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let why = format!("needs momentum and no dampening, got {} and {}", self.momentum, self.dampening);
            return Err(Error::Invalid { what: "Nesterov", why });
        }
        Ok(())
    }

    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let [lr, l2, momentum] = [at.lr, at.weight_decay, self.momentum].map(T::from_f64);
        let how = if slots.is_empty() {
            Update::Descent { lr, l2 }
        } else {
            let one_minus_dampening = T::from_f64(if at.t == 1 { 1.0 } else { 1.0 - self.dampening });
            Update::Momentum { lr, l2, momentum, one_minus_dampening, nesterov: self.nesterov }
        };
        weight.update(gradient, slots, how);
    }
}
