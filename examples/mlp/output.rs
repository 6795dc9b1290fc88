//! What the example prints: text for people, or one JSON object per line for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::common::data::counted;

/// One thing to tell, in the order in which they happen.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    Init {
        #[serde(serialize_with = "rounded")]
        loss: f64,
        #[serde(serialize_with = "rounded")]
        uniform_loss: f64,
        /// Whether the model is on an even keel, in words.
        verdict: String,
        parameters: usize,
        train_examples: usize,
        val_examples: usize,
        test_examples: usize,
    },
    /// A training goes on after this many steps.
    Resume {
        step: u64,
    },
    /// The mean loss of the steps since the last such event.
    Step {
        step: u64,
        #[serde(serialize_with = "rounded")]
        loss: f64,
    },
    Final {
        steps: u64,
        #[serde(serialize_with = "rounded")]
        train_loss: f64,
        #[serde(serialize_with = "rounded")]
        val_loss: f64,
        #[serde(serialize_with = "rounded")]
        test_loss: f64,
        #[serde(serialize_with = "rounded")]
        seconds: f64,
        #[serde(serialize_with = "rounded")]
        us_per_step: f64,
    },
    Sample {
        name: String,
    },
}

/// Six decimals: what single precision can tell.
fn rounded<S: serde::Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((x * 1e6).round() / 1e6)
}

/// Prints an event on standard output.
pub fn tell(event: &Event, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, event)?;
        return writeln!(out);
    }
    match event {
        Event::Init { loss, uniform_loss, verdict, parameters, train_examples, val_examples, test_examples } => {
            writeln!(out, "parameters       {parameters}")?;
            writeln!(
                out,
                "examples         {train_examples} to train, {val_examples} to validate, {test_examples} to test"
            )?;
            writeln!(out, "loss at step 0   {loss:.4}  (ln 27 = {uniform_loss:.4} is to know nothing)")?;
            writeln!(out, "verdict          {verdict}")
        }
        Event::Resume { step } => writeln!(out, "resumed at       step {step}"),
        // The progress bar shows it.
        Event::Step { .. } => Ok(()),
        Event::Final { steps, train_loss, val_loss, test_loss, seconds, us_per_step } => {
            if *steps > 0 {
                let steps = counted(*steps as usize, "step");
                writeln!(out, "trained          {steps} in {seconds:.1} s, {us_per_step:.0} µs each")?;
            }
            writeln!(out, "training loss    {train_loss:.4}")?;
            writeln!(out, "validation loss  {val_loss:.4}")?;
            writeln!(out, "test loss        {test_loss:.4}")?;
            writeln!(out)
        }
        Event::Sample { name } => writeln!(out, "{name}"),
    }
}
