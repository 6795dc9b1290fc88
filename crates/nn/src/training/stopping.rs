//! Ending a training in time.

/// What ends a training when a loss, such as that on held-out rows, no longer gets better. [`Fit`](crate::Fit) has one
/// by [`stop_after`](crate::Fit::stop_after).
///
/// # Example
/// ```
/// use nn::EarlyStopping;
///
/// let mut stopping = EarlyStopping::after(2);
/// let mut best = Vec::new();
/// for (step, loss) in [1.0, 0.8, 0.9, 0.7, 0.7, 0.9, 0.1].into_iter().enumerate() {
///     if stopping.observe(loss) {
///         best = vec![step]; // the place to keep the weights
///     }
///     if stopping.is_over() {
///         break;
///     }
/// }
/// assert_eq!((best, stopping.best()), (vec![3], Some(0.7)));
/// ```
#[doc(alias = "early_stopping")]
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStopping {
    patience: u64,
    best: Option<f64>,
    bad: u64,
}

impl EarlyStopping {
    /// Ends after `patience` losses in a row that were not better than the best.
    pub fn after(patience: u64) -> Self {
        EarlyStopping { patience, best: None, bad: 0 }
    }

    /// Takes note of a loss, and returns whether it is the best so far. NaN is not better than anything.
    pub fn observe(&mut self, loss: f64) -> bool {
        let better = self.best.map_or(!loss.is_nan(), |best| loss < best);
        if better {
            (self.best, self.bad) = (Some(loss), 0);
        } else {
            self.bad += 1;
        }
        better
    }

    /// Forgets the best: what is observed from now on is another figure.
    pub(crate) fn begin_anew(&mut self) {
        (self.best, self.bad) = (None, 0);
    }

    /// Whether the training should end.
    pub fn is_over(&self) -> bool {
        self.bad >= self.patience.max(1)
    }

    /// The best loss so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }
}

#[cfg(feature = "checkpoint")]
impl<T: tensor::Float> crate::Stateful<T> for EarlyStopping {
    fn walk(&self, at: &mut crate::Archive<'_, T>) -> Self {
        EarlyStopping { best: at.optional("best", self.best), bad: at.number("bad", self.bad), patience: self.patience }
    }
}
