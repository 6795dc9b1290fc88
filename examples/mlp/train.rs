//! The run: split, start, train, evaluate, and sample.

use std::collections::HashSet;
use std::time::Instant;

use evenkeel::prelude::*;

use crate::cli::Args;
use crate::common::data::{Examples, SYMBOLS, Split, letter};
use crate::common::failure::Failure;
use crate::common::random::{Random, shuffle};
use crate::model::Mlp;
use crate::output::{Event, tell};
use crate::reporter::{Reporter, check};

/// The lecture's steps, which suit its data: 228,146 examples, of which 80 % are trained on, 32 at a time.
const LECTURE_STEPS: f64 = 200_000.0;
const LECTURE_EXAMPLES: f64 = 228_146.0;
const LECTURE_BATCH: f64 = 32.0;

/// Examples that are evaluated at once.
const CHUNK: usize = 4_096;

/// Where an endless name is cut.
const LONGEST_NAME: usize = 50;

pub fn run(args: &Args, mut names: Vec<String>) -> Result<(), Failure> {
    shuffle(&mut names, args.rng);
    let split = Split::new(&names, args.context);
    let mut random = Random::new(args.rng, args.seed);
    let mut model = Mlp::new(args, &mut random)?;
    let examples = split.train.len() + split.validation.len() + split.test.len();
    let steps = args.steps.unwrap_or_else(|| suitable_steps(examples, args.batch));

    let mut draw = || Ok(split.train.batch(&random.batch(split.train.len(), args.batch)?));
    let first = draw()?;
    let mut reporter = Reporter::start(args, steps, &model, &split, &first)?;
    let began = Instant::now();
    let trained = train(&mut model, args.lr, steps, first, draw, &mut reporter);
    let seconds = began.elapsed().as_secs_f64();
    reporter.finish()?;
    trained?;

    let [train_loss, val_loss, test_loss] =
        [&split.train, &split.validation, &split.test].map(|examples| evaluate(&model, examples));
    reporter.clear();
    check(train_loss + val_loss + test_loss, steps, args.lr)?;
    let us_per_step = seconds * 1e6 / steps.max(1) as f64;
    tell(&Event::Final { steps, train_loss, val_loss, test_loss, seconds, us_per_step }, args.json)?;
    if train_loss > reporter.first_loss().max(1.5 * (SYMBOLS as f64).ln()) {
        eprintln!("warning: training made the loss worse: the learning rate {:?} is too high, try --lr 0.1", args.lr);
    }
    if steps > 0 {
        sample(args, &model, names.into_iter().collect(), &mut random)?;
    }
    Ok(())
}

/// Contexts and the symbols that follow them.
pub type Batch = (Tensor<i64>, Tensor<i64>);

/// Trains by plain gradient descent, with a tenth of the rate in the second half.
fn train(
    model: &mut Mlp,
    lr: f64,
    steps: u64,
    first: Batch,
    mut draw: impl FnMut() -> Result<Batch, Failure>,
    reporter: &mut Reporter<'_>,
) -> Result<(), Failure> {
    let (mut sgd, mut tape, mut batch) =
        (Optimizer::new(Sgd::default(), Schedule::steps(lr, [steps / 2], 0.1))?, Tape::new(), first);
    for step in 1..=steps {
        let (contexts, next) = &batch;
        let loss = model.forward(&tape, contexts).cross_entropy(next);
        let gradients = loss.backward();
        reporter.before_step(model, loss, &gradients);
        tape.reset();
        sgd.step(model, &gradients);
        reporter.after_step(model, step)?;
        batch = draw()?;
    }
    Ok(())
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
