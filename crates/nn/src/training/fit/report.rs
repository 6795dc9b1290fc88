//! What a fit has done.

use std::fmt;

pub use super::course::Best;
use crate::model::grouped;

/// What a [`Fit`](crate::Fit) has done. It prints as a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct FitReport {
    /// The steps that the optimizer has made, those before the fit too.
    pub steps: u64,
    /// The steps that had been made when it began, where it went on.
    pub resumed_at: u64,
    /// Why it ended.
    pub stopped: Stopped,
    /// The best evaluation, if there was one.
    pub best: Option<Best>,
    /// Which weights the model has.
    pub weights: Weights,
    /// The loss over the steps.
    pub history: Vec<HistoryRow>,
    /// Old checkpoints that could not be removed, each with its path and why.
    pub unremoved: Vec<String>,
}

/// Why a fit has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All steps were made.
    Steps,
    /// Evaluations were no longer better.
    NoBetter,
    /// A hook said so.
    Asked,
}

/// Which weights a model has after a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Those of the best evaluation.
    Best,
    /// The average.
    Average,
    /// Those of the last step.
    Last,
}

/// The loss over some steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistoryRow {
    /// The steps made.
    pub step: u64,
    /// The mean loss of the rows that were trained with since the record before.
    pub train: f64,
    /// The mean loss of the held-out rows.
    pub held_out: Option<f64>,
}

impl fmt::Display for FitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stopped {
            Stopped::Steps => write!(f, "{} steps", grouped(self.steps))?,
            Stopped::NoBetter => write!(f, "stopped at step {}, as nothing got better", grouped(self.steps))?,
            Stopped::Asked => write!(f, "stopped at step {}, as asked", grouped(self.steps))?,
        }
        match (self.best, self.history.last()) {
            (Some(Best { step, loss }), _) => {
                write!(f, ": the loss on held-out rows was lowest, {loss:.4}, at step {}", grouped(step))?;
            }
            (None, Some(last)) => write!(f, ": the loss in training was {:.4} at last", last.train)?,
            (None, None) => {}
        }
        f.write_str(match self.weights {
            Weights::Best => ", whose weights the model has",
            Weights::Average => "; the model has the averaged weights",
            Weights::Last => "; the model has the last weights",
        })?;
        self.unremoved.iter().try_for_each(|why| write!(f, "; {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_sentence() {
        let mut report = FitReport {
            steps: 1400,
            resumed_at: 0,
            stopped: Stopped::NoBetter,
            best: Some(Best { step: 900, loss: 0.02131 }),
            weights: Weights::Best,
            history: vec![],
            unremoved: vec![],
        };
        assert_eq!(
            report.to_string(),
            "stopped at step 1,400, as nothing got better: the loss on held-out rows was lowest, 0.0213, at step 900, whose \
             weights the model has"
        );
        (report.best, report.stopped, report.weights) = (None, Stopped::Steps, Weights::Last);
        report.history.push(HistoryRow { step: 1_234_567, train: 0.5, held_out: None });
        report.steps = 1_234_567;
        let want = "1,234,567 steps: the loss in training was 0.5000 at last; the model has the last weights";
        assert_eq!(report.to_string(), want);
    }
}
