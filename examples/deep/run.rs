//! The run: inspect, train, and inspect again.

use std::io::{self, Write};

use evenkeel::diagnose::{Page, Report, Watch};
use evenkeel::prelude::*;

use crate::Args;
use crate::common::data::Split;
use crate::common::events::tell_report;
use crate::common::failure::Failure;
use crate::common::random::{Random, shuffle};
use crate::model::{CONTEXT, Deep};

/// Examples per step.
const BATCH: usize = 32;

/// Samples of the training for the page.
const SAMPLES: u64 = 200;

pub fn run(args: &Args, mut names: Vec<String>) -> Result<(), Failure> {
    shuffle(&mut names, args.rng);
    let split = Split::new(&names, CONTEXT);
    let mut random = Random::new(args.rng, args.seed);
    let mut model = Deep::new(args, &mut random)?;
    let mut draw = || Ok::<_, Failure>(split.train.batch(&random.batch(split.train.len(), BATCH)?));

    let mut batch = draw()?;
    let start = inspect(&model, &batch, 0);
    tell(args, &start)?;
    let mut page = Page::new(format!("deep, {} layers", args.layers));
    write(args, &page.clone().run("the start", &start, None))?;

    let (mut sgd, mut tape) = (Optimizer::new(Sgd::default(), args.lr)?, Tape::new());
    let mut watch = Watch::new().every(args.steps.div_ceil(SAMPLES));
    let mut end = None;
    for step in 1..=args.steps {
        if step == args.steps {
            // As the lecture does it: what the last step is computed from.
            end = Some(inspect(&model, &batch, step));
        }
        let loss = forward(&model, &tape, &batch);
        let gradients = loss.backward();
        watch.before_step(&model, loss, &gradients);
        tape.reset();
        sgd.step(&mut model, &gradients);
        watch.after_step(&model);
        batch = draw()?;
    }
    page = page.run("the start", &start, Some(watch.history()).filter(|_| args.steps > 0));
    if let Some(mut end) = end {
        // What went wrong on the way comes first.
        end.findings.splice(0..0, watch.findings());
        tell(args, &end)?;
        page = page.then(format!("after {} steps", args.steps), &end, None);
    }
    write(args, &page)
}

/// Contexts, and the symbols that follow them.
type Batch = (Tensor<i64>, Tensor<i64>);

fn forward<'t>(model: &Deep, tape: &'t Tape, (contexts, next): &Batch) -> Var<'t> {
    model.forward(tape, contexts).cross_entropy(next)
}

fn inspect(model: &Deep, batch: &Batch, step: u64) -> Report {
    Inspector::new().at_step(step).inspect(model, |model, tape| forward(model, tape, batch))
}

fn write(args: &Args, page: &Page) -> Result<(), Failure> {
    match &args.report {
        Some(path) => Ok(page.write(path)?),
        None => Ok(()),
    }
}

fn tell(args: &Args, report: &Report) -> io::Result<()> {
    if !args.json {
        report.print()?;
        return writeln!(io::stdout());
    }
    let loss = Some(report.loss.value).filter(|loss| loss.is_finite());
    writeln!(io::stdout(), "{}", serde_json::json!({"event": "init", "step": report.step, "loss": loss}))?;
    tell_report(report, Some(args.lr))
}
