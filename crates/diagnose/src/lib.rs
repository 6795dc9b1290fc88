#![forbid(unsafe_code)]
//! See how a neural network starts, what is wrong with it, and what cures it.
//!
//! [`inspect`] runs one pass forward and backward with a batch and reads everything off the tape: the loss beside ln C, each
//! activation, signal and gradients along depth. What is wrong is a [`Finding`], with the figure, the rule and the remedy;
//! [`Report::cure`] applies the remedies that need no human choice.

mod compare;
mod cure;
mod display;
mod finding;
mod history;
mod inspect;
mod judge;
#[cfg(feature = "html")]
mod page;
mod pass;
mod report;
mod saturation;
mod start;
mod stats;
mod table;
mod watch;

pub use compare::Comparison;
pub use cure::Cure;
pub use finding::{Action, Fault, Finding, Severity};
pub use history::{ActivationSample, History, Sample, WeightSample};
pub use inspect::{Inspector, inspect, inspect_graph};
pub use judge::Limits;
#[cfg(feature = "html")]
pub use page::{Page, Picture, WriteError};
pub use pass::{Anomaly, Direction};
pub use report::{Activation, Depth, Loss, Map, Report, Signal, Weight};
pub use saturation::Saturation;
pub use start::{Calibrated, Error, Lsuv, Tuned, calibrate_output, lsuv};
pub use stats::{BINS, Histogram, Stats};
pub use watch::Watch;
