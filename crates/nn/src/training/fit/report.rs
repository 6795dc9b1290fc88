//! What a fit has done.

use std::fmt;
use std::path::PathBuf;

pub use super::course::Best;
use super::history;
use crate::model::grouped;

/// What a [`Fit`](crate::Fit) has done. It prints as a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct FitReport {
    /// The steps that the optimizer has made, those before the fit too.
    pub steps: u64,
    /// The steps that had been made when it began, where it went on.
    pub resumed_at: u64,
    /// The checkpoint that it went on from.
    pub resumed_from: Option<PathBuf>,
    /// What was set otherwise when that checkpoint was written, a sentence each.
    pub changed: Vec<String>,
    /// Why it ended.
    pub stopped: Stopped,
    /// The name of the figure that evaluations are judged by.
    pub judged_by: String,
    /// Whether larger values of it are better.
    pub maximized: bool,
    /// The best evaluation, if there was one.
    pub best: Option<Best>,
    /// Which weights the model has.
    pub weights: Weights,
    /// The names of the figures of an evaluation, in the order of [`HistoryRow::figures`].
    pub figures: Vec<String>,
    /// The loss over the steps.
    pub history: Vec<HistoryRow>,
    /// Old checkpoints that could not be removed, each with its path and why.
    pub unremoved: Vec<String>,
}

impl FitReport {
    /// The history as CSV, with a line of names first; see [`Fit::log`](crate::Fit::log).
    #[must_use]
    pub fn to_csv(&self) -> String {
        history::csv(&self.figures, &self.history)
    }

    /// The history as JSON Lines: an object for each record.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        history::json_lines(&self.figures, &self.history)
    }
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
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRow {
    /// The steps made.
    pub step: u64,
    /// The mean loss of the rows that were trained with since the record before.
    pub train: f64,
    /// The learning rate of the last of these steps.
    pub lr: f64,
    /// What the evaluation is judged by: the mean loss of the held-out rows, unless that is another figure.
    pub held_out: Option<f64>,
    /// All figures of the evaluation; none where there was none, and NaN for one that it did not give.
    pub figures: Vec<f64>,
}

impl fmt::Display for FitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = grouped(self.steps);
        match (self.made(), &self.resumed_from) {
            (0, from) if self.steps > 0 => {
                write!(f, "no step was made, as ")?;
                match from {
                    Some(path) => write!(f, "{}", path.display())?,
                    None => f.write_str("the optimizer")?,
                }
                match self.stopped {
                    Stopped::NoBetter => write!(f, " has stopped at step {steps}, as nothing got better")?,
                    _ => write!(f, " has made {steps} steps already")?,
                }
            }
            (_, from) => {
                match self.stopped {
                    Stopped::Steps => write!(f, "{steps} steps")?,
                    Stopped::NoBetter => write!(f, "stopped at step {steps}, as nothing got better")?,
                    Stopped::Asked => write!(f, "stopped at step {steps}, as asked")?,
                }
                if let Some(path) = from {
                    write!(f, ", the first {} of them from {}", grouped(self.resumed_at), path.display())?;
                }
            }
        }
        match (self.best, self.history.last()) {
            (Some(Best { step, value }), _) => {
                let (name, end) = (&self.judged_by, if self.maximized { "highest" } else { "lowest" });
                write!(f, ": the {name} on held-out rows was {end}, {value:.4}, at step {}", grouped(step))?;
            }
            (None, Some(last)) => write!(f, ": the loss in training was {:.4} at last", last.train)?,
            (None, None) => {}
        }
        f.write_str(match self.weights {
            Weights::Best => ", whose weights the model has",
            Weights::Average => "; the model has the averaged weights",
            Weights::Last => "; the model has the last weights",
        })?;
        if self.made() == 0 && self.resumed_from.is_some() {
            f.write_str("; more `steps` would go on from it, and `resume(Resume::Never)` begins anew")?;
        }
        self.unremoved.iter().try_for_each(|why| write!(f, "; {why}"))?;
        self.changed.iter().try_for_each(|what| write!(f, "\nchanged since then: {what}"))
    }
}

impl FitReport {
    /// The steps that this fit has made itself.
    fn made(&self) -> u64 {
        self.steps - self.resumed_at
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
            resumed_from: None,
            changed: vec![],
            stopped: Stopped::NoBetter,
            judged_by: "loss".into(),
            maximized: false,
            best: Some(Best { step: 900, value: 0.02131 }),
            weights: Weights::Best,
            figures: vec!["loss".into()],
            history: vec![],
            unremoved: vec![],
        };
        assert_eq!(
            report.to_string(),
            "stopped at step 1,400, as nothing got better: the loss on held-out rows was lowest, 0.0213, at step 900, whose \
             weights the model has"
        );
        (report.judged_by, report.maximized) = ("accuracy".into(), true);
        (report.resumed_at, report.resumed_from) = (1400, Some("a.safetensors".into()));
        report.changed = vec!["the rate was constant(0.1), and is constant(0.2)".into()];
        assert_eq!(
            report.to_string(),
            "no step was made, as a.safetensors has stopped at step 1,400, as nothing got better: the accuracy on held-out rows was \
             highest, 0.0213, at step 900, whose weights the model has; more `steps` would go on from it, and \
             `resume(Resume::Never)` begins anew\nchanged since then: the rate was constant(0.1), and is constant(0.2)"
        );
        report.changed.clear();
        (report.best, report.stopped, report.weights) = (None, Stopped::Steps, Weights::Last);
        report.history.push(HistoryRow { step: 1_234_567, train: 0.5, lr: 0.1, held_out: None, figures: vec![] });
        report.steps = 1_234_567;
        let want = "1,234,567 steps, the first 1,400 of them from a.safetensors: the loss in training was 0.5000 at last; the model \
                    has the last weights";
        assert_eq!(report.to_string(), want);
        (report.resumed_at, report.resumed_from) = (1_234_567, None);
        assert!(
            report
                .to_string()
                .starts_with("no step was made, as the optimizer has made 1,234,567 steps already: the loss")
        );
    }
}
