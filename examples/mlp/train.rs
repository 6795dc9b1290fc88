//! The run: split, start, train, evaluate, and sample.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use evenkeel::diagnose::{History, Page, Saturation, Watch};
use evenkeel::prelude::*;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::cli::Args;
use crate::common::data::{Examples, SYMBOLS, Split, letter};
use crate::common::events::tell_report;
use crate::common::failure::Failure;
use crate::common::random::{Random, shuffle};
use crate::model::Mlp;
use crate::output::{Event, tell};

/// The lecture's steps, which suit its data: 228,146 examples, of which 80 % are trained on, 32 at a time.
const LECTURE_STEPS: f64 = 200_000.0;
const LECTURE_EXAMPLES: f64 = 228_146.0;
const LECTURE_BATCH: f64 = 32.0;

/// Steps from one report to the next.
const REPORT: u64 = 1_000;

/// Examples that are evaluated at once.
const CHUNK: usize = 4_096;

/// Where an endless name is cut.
const LONGEST_NAME: usize = 50;

pub fn run(args: &Args, mut names: Vec<String>) -> Result<(), Failure> {
    shuffle(&mut names, args.rng);
    let split = Split::new(&names, args.context);
    let mut random = Random::new(args.rng, args.seed);
    let mut model = Mlp::new(args, &mut random)?;
    let sgd = Sgd::new(args.lr)?;
    let examples = split.train.len() + split.validation.len() + split.test.len();
    let steps = args.steps.unwrap_or_else(|| suitable_steps(examples, args.batch));

    let trained = train(args, &mut model, sgd, &split, steps, &mut random)?;
    trained.bar.set_message("evaluating");
    let (train_loss, val_loss) = (evaluate(&model, &split.train), evaluate(&model, &split.validation));
    trained.bar.finish_and_clear();
    check(train_loss + val_loss, steps, args.lr)?;
    let seconds = trained.took.as_secs_f64();
    let us_per_step = seconds * 1e6 / steps.max(1) as f64;
    tell(&Event::Final { steps, train_loss, val_loss, seconds, us_per_step }, args.json)?;
    if train_loss > trained.first_loss.max(1.5 * (SYMBOLS as f64).ln()) {
        eprintln!("warning: training made the loss worse: the learning rate {:?} is too high, try --lr 0.1", args.lr);
    }
    if steps > 0 {
        sample(args, &model, names.into_iter().collect(), &mut random)?;
    }
    Ok(())
}

/// Prints names that are not in the data, and none twice.
fn sample(args: &Args, model: &Mlp, mut known: HashSet<String>, random: &mut Random) -> Result<(), Failure> {
    /// A model that has learned the data by heart may find nothing new.
    const TRIES: u64 = 100;
    let mut found = 0;
    for _ in 0..args.samples.saturating_mul(TRIES) {
        if found == args.samples {
            break;
        }
        let name =
            model.name(args.context, LONGEST_NAME, random).map_err(|error| Failure::Diverged(error.to_string()))?;
        let name: String = name.into_iter().map(letter).collect();
        if !name.is_empty() && known.insert(name.clone()) {
            tell(&Event::Sample { name }, args.json)?;
            found += 1;
        }
    }
    Ok(())
}

/// How long to train, in thousands of steps: the lecture's steps for its number of examples, fewer for less data.
///
/// Less data is also gone through less often, in proportion to its root, or the model learns it by heart: on the list
/// that comes with the example (13,446 examples to train on) the validation loss is lowest after 4,000 to 6,000 steps of up to
/// 15,000, and the rule gives 4,000. More data needs no more steps than the lecture's.
fn suitable_steps(examples: usize, batch: usize) -> u64 {
    let share = examples as f64 / LECTURE_EXAMPLES;
    let steps = LECTURE_STEPS * share.powf(1.5) * LECTURE_BATCH / batch as f64;
    ((steps / 1e3).round() * 1e3).clamp(1e3, LECTURE_STEPS) as u64
}

/// What training tells.
struct Trained {
    /// Before the first step.
    first_loss: f64,
    took: Duration,
    /// Still shown.
    bar: ProgressBar,
}

/// Trains by plain gradient descent.
fn train(
    args: &Args,
    model: &mut Mlp,
    mut sgd: Sgd,
    split: &Split,
    steps: u64,
    random: &mut Random,
) -> Result<Trained, Failure> {
    let mut tape = Tape::new();
    let mut draw = || Ok::<_, Failure>(split.train.batch(&random.batch(split.train.len(), args.batch)?));

    // How it starts, before anything is learned, by its first batch.
    let mut batch = draw()?;
    let start = inspector().inspect(model, |model, tape| model.forward(tape, &batch.0).cross_entropy(&batch.1));
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
    // Before the training too: so a path that cannot be written is known at once.
    let write = |history: Option<&History>| match &args.report {
        Some(path) => {
            Page::new(format!("mlp --init {}", args.init.name())).run("the start", &start, history).write(path)
        }
        None => Ok(()),
    };
    write(None)?;
    let mut watch = args.report.as_ref().map(|_| Watch::new().with_inspector(inspector()));

    let bar = progress_bar(steps);
    let mut loss_sum = 0.0;
    let began = Instant::now();
    let mut outcome = Ok(());
    for step in 1..=steps {
        if step == steps / 2 + 1 {
            sgd.set_lr(args.lr / 10.0).expect("a tenth of a valid rate is one");
        }
        let loss = model.forward(&tape, &batch.0).cross_entropy(&batch.1);
        loss_sum += f64::from(loss.item());
        let gradients = loss.backward();
        if let Some(watch) = &mut watch {
            watch.before_step(model, loss, &gradients);
        }
        tape.reset();
        sgd.step(model, &gradients);
        if let Some(watch) = &mut watch {
            watch.after_step(model);
        }
        if step < steps {
            batch = draw()?;
        }
        bar.inc(1);
        if step % REPORT == 0 || step == steps {
            let loss = loss_sum / ((step - 1) % REPORT + 1) as f64;
            loss_sum = 0.0;
            outcome = check(loss, step, args.lr);
            if outcome.is_err() {
                break;
            }
            bar.set_message(format!("loss {loss:.4}"));
            if step % REPORT == 0 {
                bar.suspend(|| tell(&Event::Step { step, loss }, args.json))?;
            }
        }
    }
    let took = began.elapsed();
    // A training that went wrong is the one to look at.
    if let Some(watch) = &watch {
        write(Some(watch.history()))?;
        for finding in watch.findings() {
            bar.suspend(|| eprintln!("{}: {}; {}", finding.severity, finding.message, finding.remedy));
        }
    }
    outcome?;
    Ok(Trained { first_loss: start.loss.value, took, bar })
}

/// Units count as saturated where the lecture's map is white.
fn inspector() -> Inspector {
    Inspector::new().with_saturation("tanh", Saturation::unless_output(-0.99..=0.99))
}

/// An error where the loss has left the numbers.
fn check(loss: f64, step: u64, lr: f64) -> Result<(), Failure> {
    if loss.is_finite() {
        return Ok(());
    }
    let why = format!("the loss is {loss} by step {step}: the learning rate {lr:?} is too high, try --lr 0.1");
    Err(Failure::Diverged(why))
}

/// The mean loss over all examples.
fn evaluate(model: &Mlp, examples: &Examples) -> f64 {
    let mut tape = Tape::no_grad();
    let mut sum = 0.0;
    for (contexts, targets) in examples.chunks(CHUNK) {
        let loss = model.forward(&tape, &contexts).cross_entropy(&targets).item();
        sum += f64::from(loss) * targets.numel() as f64;
        tape.reset();
    }
    sum / examples.len() as f64
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
