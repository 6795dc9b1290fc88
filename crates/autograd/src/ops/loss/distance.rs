//! Losses by the difference of a prediction from its target.

use tensor::{ElementwiseLoss, Float, ensure};

use super::{Reduction, targets};
use crate::ops::Operand;
use crate::{Baseline, Distance, Op, Role, Var};

impl<'t, T: Float> Var<'t, T> {
    /// The mean of the squared differences from targets of the same shape: y = Σ (x − t)² / n,  x̄ = 2 ȳ (x − t) / n = −t̄.
    ///
    /// # Panics
    /// The targets have another shape: they do not broadcast, as in PyTorch, where that is a warning. Or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 5.0]));
    /// let loss = x.mse_loss(&Tensor::from([0.0, 2.0]));
    /// assert_eq!(loss.item(), 5.0);
    /// assert_eq!(loss.backward().get(x), Some(&Tensor::from([1.0, 3.0])));
    /// ```
    #[track_caller]
    pub fn mse_loss(self, targets: impl Operand<'t, T>) -> Self {
        self.mse_loss_with(targets, Reduction::Mean)
    }

    /// As [`mse_loss`](Self::mse_loss), with another reduction than the mean.
    ///
    /// # Panics
    /// As [`mse_loss`](Self::mse_loss).
    #[track_caller]
    pub fn mse_loss_with(self, targets: impl Operand<'t, T>, reduction: Reduction) -> Self {
        self.by_distance("mse_loss", targets, Baseline::Variance(1), reduction, ElementwiseLoss::Squared)
    }

    /// The mean of the absolute differences from targets of the same shape: y = Σ |x − t| / n,  x̄ = ȳ sign(x − t) / n = −t̄, which is 0
    /// where the two are equal.
    ///
    /// # Panics
    /// The targets have another shape, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 5.0]));
    /// assert_eq!(x.l1_loss(&Tensor::from([0.0, 2.0])).item(), 2.0);
    /// ```
    #[track_caller]
    pub fn l1_loss(self, targets: impl Operand<'t, T>) -> Self {
        self.l1_loss_with(targets, Reduction::Mean)
    }

    /// As [`l1_loss`](Self::l1_loss), with another reduction than the mean.
    ///
    /// # Panics
    /// As [`l1_loss`](Self::l1_loss).
    #[track_caller]
    pub fn l1_loss_with(self, targets: impl Operand<'t, T>, reduction: Reduction) -> Self {
        let baseline = Baseline::Constant { targets: 1, distance: Distance::Absolute };
        self.by_distance("l1_loss", targets, baseline, reduction, ElementwiseLoss::Absolute)
    }

    /// Half the square of each difference d from the targets up to |d| = δ, and linear beyond (Huber, 1964, *Robust Estimation of a
    /// Location Parameter*): y = d²/2, or δ (|d| − δ/2);  x̄ = ȳ d between −δ and δ, and ±δ ȳ beyond. PyTorch's default δ is 1.
    ///
    /// # Panics
    /// The targets have another shape, δ is not above 0, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 5.0]));
    /// let losses = x.huber_loss(&Tensor::from([0.0, 2.0]), 2.0, Reduction::None);
    /// assert_eq!(losses.value(), Tensor::from([0.5, 4.0]));
    /// ```
    #[track_caller]
    pub fn huber_loss(self, targets: impl Operand<'t, T>, delta: f64, reduction: Reduction) -> Self {
        ensure!(delta > 0.0, "huber_loss: δ is {delta}, but must be above 0");
        // An infinite one would be compared with an infinite distance.
        let limit = T::from_f64(delta.min(T::MAX.to_f64()));
        let baseline = Baseline::Constant { targets: 1, distance: Distance::Huber(delta) };
        self.by_distance("huber_loss", targets, baseline, reduction, ElementwiseLoss::Huber { delta: limit })
    }

    /// [`huber_loss`](Self::huber_loss) divided by its δ, which is called β here: y = d²/2β up to |d| = β, |d| − β/2 beyond; with β = 0,
    /// |d|. PyTorch's default β is 1.
    ///
    /// # Panics
    /// The targets have another shape, β is negative, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 5.0]));
    /// let losses = x.smooth_l1_loss(&Tensor::from([0.0, 2.0]), 2.0, Reduction::None);
    /// assert_eq!(losses.value(), Tensor::from([0.25, 2.0]));
    /// ```
    #[track_caller]
    pub fn smooth_l1_loss(self, targets: impl Operand<'t, T>, beta: f64, reduction: Reduction) -> Self {
        ensure!(beta >= 0.0, "smooth_l1_loss: β is {beta}, but must not be negative");
        let limit = T::from_f64(beta.min(T::MAX.to_f64()));
        // As small as the float's least number, it is none.
        if limit < T::MIN_POSITIVE {
            return self.l1_loss_with(targets, reduction);
        }
        let distance = Baseline::Constant { targets: 1, distance: Distance::SmoothL1(beta) };
        self.by_distance("smooth_l1_loss", targets, distance, reduction, ElementwiseLoss::SmoothL1 { beta: limit })
    }

    /// Records a loss of differences d = x − t, with its slope at d.
    #[track_caller]
    fn by_distance(
        self,
        name: &'static str,
        target: impl Operand<'t, T>,
        baseline: Baseline,
        reduction: Reduction,
        loss: ElementwiseLoss<T>,
    ) -> Self {
        let target = targets(name, self, target);
        let (x, t) = (self.value(), target.value());
        let losses = self
            .record(Op::new(name, Role::Loss { predictions: 0, baseline }), x.elementwise_loss(&t, loss))
            .joint(&[self, target], move |g, shares| {
                let share = g * x.elementwise_loss_slope(&t, loss);
                if shares.wants(1) {
                    shares.give(1, || -&share);
                }
                shares.give(0, || share);
            })
            .done();
        reduction.of(losses)
    }
}
