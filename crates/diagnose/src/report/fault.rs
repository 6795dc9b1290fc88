//! What can be wrong.

/// What can be wrong, the most harmful first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Fault {
    /// A value or a gradient is NaN or infinite.
    NotFinite,
    /// The loss does not depend on what is trained.
    Constant,
    /// The data want scaling, or do not differ.
    Data,
    /// Two shapes were broadcast against each other that have as many elements.
    Broadcast,
    /// A loss that takes logits is given probabilities, or the other way round.
    Logits,
    /// The output cannot be what the targets or the loss want, whatever its weights are.
    Output,
    /// The targets are not what the loss takes, or say nothing.
    Targets,
    /// What is made small is not what is wanted: a loss with the wrong sign, or one that drowns in penalties.
    Objective,
    /// Units have the same weights and get the same gradients: they stay the same for ever.
    Symmetry,
    /// An output depends on what it should not see: other examples, or what comes later.
    Leak,
    /// Each step of a training draws the same numbers: the same mask, the same noise.
    SameDraws,
    /// Nothing is learned: the loss stays at what it costs to know nothing.
    NotLearning,
    /// The learning rate is too high: weights move by too large a share of themselves.
    RateTooHigh,
    /// The learning rate is too low.
    RateTooLow,
    /// The loss is far above ln C, that of a guess without knowledge: the first of the classic faults.
    Loss,
    /// Units are so flat that they pass hardly any gradient: the second of the classic faults.
    Saturation,
    /// Units are saturated for every example.
    Dead,
    /// The signal grows or fades from layer to layer: the third of the classic faults.
    Signal,
    /// Gradients grow or fade from layer to layer: the third of the classic faults, on the way back.
    Gradient,
    /// A parameter has no gradient: the loss does not depend on it.
    Unused,
    /// A parameter has a gradient, and the model does not list it: no optimizer will train it.
    Unlisted,
    /// Two linear layers with nothing between them are no more than one.
    Linear,
    /// The batch is too small to tell.
    Batch,
    /// A part of the model was not looked at, or could not be judged.
    Unseen,
}

impl Fault {
    /// Which of the three classic faults it is, if any.
    ///
    /// # Example
    /// ```
    /// use diagnose::Fault;
    ///
    /// assert_eq!([Fault::Loss, Fault::Saturation, Fault::Gradient].map(Fault::classic), [Some(1), Some(2), Some(3)]);
    /// assert_eq!(Fault::Symmetry.classic(), None);
    /// ```
    pub fn classic(self) -> Option<u8> {
        match self {
            Fault::Loss => Some(1),
            Fault::Saturation => Some(2),
            Fault::Signal | Fault::Gradient => Some(3),
            _ => None,
        }
    }
}
