//! The run: split, start or go on, train, evaluate, and sample.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use evenkeel::prelude::*;

use crate::cli::Args;
use crate::common::data::{self, Examples, SYMBOLS, Split, letter};
use crate::common::failure::Failure;
use crate::common::interrupt;
use crate::common::random::{Random, shuffle};
use crate::keep::{self, Settings};
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

/// Steps from one checkpoint to the next.
const SAVE_EVERY: u64 = 10_000;

pub fn run(args: &Args, mut names: Vec<String>) -> Result<(), Failure> {
    interrupt::note()?;
    let settings = settings(args, &names)?;
    shuffle(&mut names, args.rng);
    let split = Split::new(&names, args.context);
    let mut random = Random::new(args.rng, args.seed);
    let mut model = Mlp::new(&settings, &mut random)?;
    let steps = args.steps.unwrap_or_else(|| suitable_steps(split.len(), args.batch));
    let mut sgd = Optimizer::new(Sgd::default(), Schedule::steps(args.lr, [settings.decay], 0.1))?;

    let mut draw = || random.batch(split.train.len(), args.batch);
    let mut rows = draw()?;
    let mut reporter = Reporter::start(args, steps, &model, &split, &split.train.batch(&rows))?;
    if let Some(file) = &args.resume {
        keep::load(file, &mut model, &mut sgd)?;
        // The batches of the steps that were made; the last of these draws is the next.
        for _ in 0..sgd.step_number() {
            rows = draw()?;
        }
        reporter.resumed(sgd.step_number())?;
    }
    let save = |model: &mut Mlp, sgd: &mut Optimizer| {
        args.save.as_ref().map_or(Ok(()), |file| keep::save(file, model, sgd, &settings))
    };
    // Before the training too, so that a path that cannot be written is known at once; but a file that is there may be an
    // earlier training, which stays until this one has come somewhere.
    if args.save.as_ref().is_some_and(|file| !file.exists()) {
        save(&mut model, &mut sgd)?;
    }
    let (began, first) = (Instant::now(), sgd.step_number());
    let mut training = || {
        let mut tape = Tape::new();
        while sgd.step_number() < steps {
            let (contexts, next) = split.train.batch(&rows);
            let loss = model.forward(&tape, &contexts).cross_entropy(&next);
            let gradients = loss.backward();
            reporter.before_step(&model, loss, &gradients);
            tape.reset();
            sgd.step(&mut model, &gradients);
            reporter.after_step(&model, sgd.step_number())?;
            rows = draw()?;
            if interrupt::asked() {
                break;
            }
            if sgd.step_number().is_multiple_of(SAVE_EVERY) {
                save(&mut model, &mut sgd)?;
            }
        }
        save(&mut model, &mut sgd)
    };
    let trained = training();
    let (seconds, made) = (began.elapsed().as_secs_f64(), sgd.step_number());
    reporter.finish()?;
    trained?;
    if made < steps && interrupt::asked() {
        reporter.clear();
        return Err(Failure::Stopped(match &args.save {
            Some(file) => format!("stopped after step {made}; --resume {} goes on", file.display()),
            None => format!("stopped after step {made}; with --save FILE, the training would be kept"),
        }));
    }

    let [train_loss, val_loss, test_loss] =
        [&split.train, &split.validation, &split.test].map(|examples| evaluate(&model, examples));
    reporter.clear();
    check(train_loss + val_loss + test_loss, made, args.lr)?;
    let us_per_step = seconds * 1e6 / made.saturating_sub(first).max(1) as f64;
    tell(&Event::Final { steps: made, train_loss, val_loss, test_loss, seconds, us_per_step }, args.json)?;
    if train_loss > reporter.first_loss().max(1.5 * (SYMBOLS as f64).ln()) {
        eprintln!("warning: training made the loss worse: the learning rate {:?} is too high, try --lr 0.1", args.lr);
    }
    if made > 0 {
        sample(args, args.context, &model, names.into_iter().collect(), &mut random)?;
    }
    Ok(())
}

/// The settings of this training; an error if it is to go on with others than it had.
fn settings(args: &Args, names: &[String]) -> Result<Settings, Failure> {
    let examples = names.iter().map(|name| name.len() + 1).sum();
    let &Args { init, batch, lr, hidden, embedding, context, rng, seed, .. } = args;
    let decay = args.decay.unwrap_or_else(|| suitable_steps(examples, batch) / 2);
    // A path that leads to the same file from another folder.
    let data = args.data.as_ref().filter(|file| file.as_os_str() != "-");
    let data = data.map(|file| std::path::absolute(file).unwrap_or(file.clone()));
    let names = keep::in_short(names);
    let settings = Settings { init, batch, lr, decay, hidden, embedding, context, rng, seed, data, names };
    let Some(file) = args.resume.as_ref().filter(|_| !args.change) else { return Ok(settings) };
    let differences = settings.differences(&Settings::read(file)?);
    if differences.is_empty() {
        return Ok(settings);
    }
    let (file, differences) = (file.display(), differences.join("; "));
    Err(Failure::Input(format!("{file} is of another training: {differences}; give --change to go on all the same")))
}

/// Prints names that the model in a file makes up; none of the data, if it is given.
pub fn print_names(args: &Args, file: &Path) -> Result<(), Failure> {
    let settings = Settings::read(file)?;
    let model = keep::model(file, &settings)?;
    let known = args.data.as_deref().map_or(Ok(Vec::new()), |data| data::names(Some(data))).map_err(Failure::Input)?;
    let mut random = Random::new(settings.rng, args.seed);
    sample(args, settings.context, &model, known.into_iter().collect(), &mut random)
}

/// Contexts and the symbols that follow them.
pub type Batch = (Tensor<i64>, Tensor<i64>);

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
fn sample(
    args: &Args,
    context: usize,
    model: &Mlp,
    mut known: HashSet<String>,
    random: &mut Random,
) -> Result<(), Failure> {
    /// A model that has learned the data by heart may find nothing new.
    const TRIES: u64 = 100;
    let mut found = 0;
    for _ in 0..args.samples.saturating_mul(TRIES) {
        if found == args.samples {
            break;
        }
        let name = model.name(context, LONGEST_NAME, random).map_err(|error| Failure::Diverged(error.to_string()))?;
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
