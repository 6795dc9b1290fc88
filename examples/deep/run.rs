//! The run: inspect, train, and inspect again.

use std::io::{self, Write};

use evenkeel::prelude::*;

use crate::Args;
use crate::common::data::Split;
use crate::common::events::tell_report;
use crate::common::failure::Failure;
use crate::common::random::{Random, shuffle};
use crate::model::{CONTEXT, Deep};

/// Examples per step.
const BATCH: usize = 32;

pub fn run(args: &Args, mut names: Vec<String>) -> Result<(), Failure> {
    shuffle(&mut names, args.rng);
    let split = Split::new(&names, CONTEXT);
    let mut random = Random::new(args.rng, args.seed);
    let mut model = Deep::new(args, &mut random)?;
    let sgd = Sgd::new(args.lr)?;
    let mut tape = Tape::new();
    for step in 1..=args.steps.max(1) {
        let (contexts, next) = split.train.batch(&random.batch(split.train.len(), BATCH)?);
        // Before the first update, and once more with what the last one is computed from.
        if step == 1 || step == args.steps {
            let taken = if step == args.steps { args.steps } else { 0 };
            for at in if step == 1 && args.steps == 1 { vec![0, 1] } else { vec![taken] } {
                let inspector = Inspector::new().at_step(at);
                let report =
                    inspector.inspect(&model, |model, tape| model.forward(tape, &contexts).cross_entropy(&next));
                tell(args, &report)?;
            }
        }
        if args.steps == 0 {
            break;
        }
        let loss = model.forward(&tape, &contexts).cross_entropy(&next);
        let gradients = loss.backward();
        tape.reset();
        sgd.step(&mut model, &gradients);
    }
    Ok(())
}

fn tell(args: &Args, report: &evenkeel::diagnose::Report) -> io::Result<()> {
    if !args.json {
        report.print()?;
        return writeln!(io::stdout());
    }
    let event = serde_json::json!({"event": "init", "step": report.step, "loss": report.loss.value});
    writeln!(io::stdout(), "{event}")?;
    tell_report(report, Some(args.lr))
}
