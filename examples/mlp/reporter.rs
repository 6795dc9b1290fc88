//! What is told of a training while it runs: the start, a bar, the loss, and a page.

use std::time::Duration;

use evenkeel::diagnose::{History, Page, Report, Saturation, Watch, WriteError};
use evenkeel::prelude::*;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::cli::Args;
use crate::common::data::{SYMBOLS, Split};
use crate::common::events::tell_report;
use crate::common::failure::Failure;
use crate::model::Mlp;
use crate::output::{Event, tell};
use crate::train::Batch;

/// Steps from one report to the next.
const EVERY: u64 = 1_000;

/// Looks on while a model trains.
pub struct Reporter<'a> {
    args: &'a Args,
    steps: u64,
    /// How it started.
    start: Report,
    /// For the page, if there is to be one.
    watch: Option<Watch>,
    bar: ProgressBar,
    /// Of the losses since the last report.
    loss_sum: f64,
    /// How many these are.
    losses: u64,
}

impl<'a> Reporter<'a> {
    /// Tells how a model starts, before anything is learned, by its first batch.
    pub fn start(
        args: &'a Args,
        steps: u64,
        model: &Mlp,
        split: &Split,
        (contexts, next): &Batch,
    ) -> Result<Self, Failure> {
        let start = inspector().inspect(model, |model, tape| model.forward(tape, contexts).cross_entropy(next));
        tell(
            &Event::Init {
                loss: start.loss.value,
                verdict: start.verdict(),
                uniform_loss: (SYMBOLS as f64).ln(),
                parameters: model.parameter_count(),
                train_examples: split.train.len(),
                val_examples: split.validation.len(),
                test_examples: split.test.len(),
            },
            args.json,
        )?;
        if args.json {
            tell_report(&start, None)?;
        }
        let watch = args.report.as_ref().map(|_| Watch::new().with_inspector(inspector()));
        let reporter = Reporter { args, steps, start, watch, bar: progress_bar(steps), loss_sum: 0.0, losses: 0 };
        // Before the training too: so a path that cannot be written is known at once.
        reporter.write(None)?;
        Ok(reporter)
    }

    /// Tells at which step a training goes on.
    pub fn resumed(&self, step: u64) -> Result<(), Failure> {
        self.bar.set_position(step);
        self.bar.reset_eta();
        Ok(self.bar.suspend(|| tell(&Event::Resume { step }, self.args.json))?)
    }

    /// The loss before the first step.
    pub fn first_loss(&self) -> f64 {
        self.start.loss.value
    }

    /// Looks at a step after its backward pass, and before the tape is reset.
    pub fn before_step(&mut self, model: &Mlp, loss: Var<'_>, gradients: &Gradients) {
        self.loss_sum += f64::from(loss.item());
        self.losses += 1;
        if let Some(watch) = &mut self.watch {
            watch.before_step(model, loss, gradients);
        }
    }

    /// Looks at the model after the optimizer's step; an error where the loss has left the numbers.
    pub fn after_step(&mut self, model: &Mlp, step: u64) -> Result<(), Failure> {
        if let Some(watch) = &mut self.watch {
            watch.after_step(model);
        }
        self.bar.inc(1);
        if !step.is_multiple_of(EVERY) && step != self.steps {
            return Ok(());
        }
        let loss = self.loss_sum / self.losses as f64;
        (self.loss_sum, self.losses) = (0.0, 0);
        check(loss, step, self.args.lr)?;
        self.bar.set_message(format!("loss {loss:.4}"));
        if step.is_multiple_of(EVERY) {
            self.bar.suspend(|| tell(&Event::Step { step, loss }, self.args.json))?;
        }
        Ok(())
    }

    /// Tells what went wrong, and draws the page: a training that went wrong is the one to look at.
    pub fn finish(&self) -> Result<(), Failure> {
        if let Some(watch) = &self.watch {
            self.write(Some(watch.history()))?;
            for finding in watch.findings() {
                self.bar.suspend(|| eprintln!("{}: {}; {}", finding.severity, finding.message, finding.remedy));
            }
        }
        self.bar.set_message("evaluating");
        Ok(())
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn write(&self, history: Option<&History>) -> Result<(), WriteError> {
        let Some(path) = &self.args.report else { return Ok(()) };
        Page::new(format!("mlp --init {}", self.args.init.name())).run("the start", &self.start, history).write(path)
    }
}

/// Units count as saturated where the lecture's map is white.
fn inspector() -> Inspector {
    Inspector::new().with_saturation(Activation::Tanh.name(), Saturation::unless_output(-0.99..=0.99))
}

/// An error where the loss has left the numbers.
pub fn check(loss: f64, step: u64, lr: f64) -> Result<(), Failure> {
    if loss.is_finite() {
        return Ok(());
    }
    let why = format!("the loss is {loss} by step {step}: the learning rate {lr:?} is too high, try --lr 0.1");
    Err(Failure::Diverged(why))
}

/// A bar on standard error, where that is a terminal; it moves by itself.
fn progress_bar(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}  {speed}")
        .expect("the template is well-formed")
        .with_key("speed", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0} steps/s", state.per_sec());
        });
    let bar = ProgressBar::new(steps).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
