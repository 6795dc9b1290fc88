//! What a pass through a model is for.

/// What a pass is for: layers such as dropout and batch norm do one thing while a model is trained, and another when it
/// is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: dropout drops, batch norm measures the batch. That of [`Tape::new`](crate::Tape::new).
    Train,
    /// Evaluation: dropout does nothing, batch norm uses its running statistics. That of
    /// [`Tape::no_grad`](crate::Tape::no_grad).
    Eval,
}
