//! Many trainings at once: nets of the lecture's size over learning rates and seeds, one to a thread, on all cores. A table of their
//! losses on held-out names, and a page of the best of each rate.
//!
//! cargo run --release --example sweep -- --report sweep.html

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use evenkeel::diagnose::{History, Page, Report, Watch, inspect};
use evenkeel::prelude::*;
use evenkeel::tensor::{for_each, with_threads};

#[path = "common/mod.rs"]
mod common;

use common::args::{between, parse};
use common::data::{Examples, SYMBOLS, Split, names};
use common::failure::{Failure, exit};
use common::random::{Numbers, Random, shuffle};

const CONTEXT: usize = 3;
const BATCH: usize = 32;
const RATES: [f64; 8] = [0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.6];

#[derive(Parser)]
struct Args {
    /// Names, one per line; those that come with the example otherwise
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Steps of each training
    #[arg(long, default_value = "2000", value_parser = between::<1, 1_000_000>)]
    steps: usize,
    /// Trainings for each rate
    #[arg(long, default_value = "8", value_parser = between::<1, 1000>)]
    seeds: usize,
    /// Threads; all cores otherwise
    #[arg(long, value_parser = between::<1, 1024>)]
    threads: Option<usize>,
    /// Where to write the page
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

struct Net {
    embedding: Embedding,
    layers: Sequential,
}
module!(Net { embedding, layers });

impl Net {
    fn new(seed: u64) -> Result<Self, nn::Error> {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let embedding = Embedding::new(SYMBOLS, 10, &init::normal(1.0), rng)?;
        let layers = seq![
            Flatten,
            Linear::new(10 * CONTEXT, 200, &init::kaiming_normal(Gain::Tanh), rng)?,
            Activation::Tanh,
            Linear::new(200, SYMBOLS, &init::normal(0.01), rng)?,
        ];
        Ok(Net { embedding, layers })
    }

    fn loss<'t>(&self, tape: &'t Tape, (contexts, next): &(Tensor<i64>, Tensor<i64>)) -> Var<'t> {
        self.layers.forward(self.embedding.forward(tape, contexts)).cross_entropy(next)
    }

    /// The mean loss of all examples.
    fn mean_loss(&self, examples: &Examples) -> f64 {
        let losses = examples
            .chunks(1024)
            .map(|chunk| f64::from(self.loss(&Tape::no_grad(), &chunk).item()) * chunk.1.numel() as f64);
        losses.sum::<f64>() / examples.len() as f64
    }
}

/// A training that has ended: its loss on held-out names, how it began, and what was seen on the way.
struct Trained {
    held_out: f64,
    start: Report,
    history: History,
}

fn train(split: &Split, steps: usize, lr: f64, seed: u64) -> Result<Trained, Failure> {
    let (mut net, mut random) = (Net::new(seed)?, Random::new(Numbers::Chacha, seed));
    let mut batch = || Ok::<_, Failure>(split.train.batch(&random.batch(split.train.len(), BATCH)?));
    let first = batch()?;
    let start = inspect(&net, |net, tape| net.loss(tape, &first));
    let mut sgd = Optimizer::new(Sgd::default(), Schedule::steps(lr, [steps as u64 * 3 / 4], 0.1))?;
    let (mut tape, mut watch) = (Tape::new(), Watch::new());
    for _ in 0..steps {
        let loss = net.loss(&tape, &batch()?);
        let gradients = loss.backward();
        watch.before_step(&net, loss, &gradients);
        tape.reset();
        sgd.step(&mut net, &gradients);
        watch.after_step(&net);
    }
    Ok(Trained { held_out: net.mean_loss(&split.validation), start, history: watch.history().clone() })
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut words = names(args.data.as_deref()).map_err(Failure::Input)?;
    shuffle(&mut words, Numbers::Chacha);
    let split = Split::new(&words, CONTEXT);
    // Each training is one item, and its ops are too small to be shared: so as many are at work as there are threads.
    let results: Vec<Mutex<Option<Result<Trained, Failure>>>> =
        (0..RATES.len() * args.seeds).map(|_| Mutex::new(None)).collect();
    let one = |i: usize| {
        let trained = train(&split, args.steps, RATES[i / args.seeds], (i % args.seeds) as u64);
        *results[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(trained);
    };
    let (began, cost) = (Instant::now(), args.steps as f64 * 20e3);
    match args.threads {
        Some(threads) => with_threads(threads, || for_each(results.len(), cost, &one))
            .map_err(|why| Failure::Input(format!("{why}; give fewer to --threads")))?,
        None => for_each(results.len(), cost, &one),
    }
    let seconds = began.elapsed().as_secs_f64();
    let trained = results.into_iter().filter_map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner));
    let trained = trained.collect::<Result<Vec<Trained>, Failure>>()?;

    println!("loss on held-out names, of {} seeds each\n    lr     best   median    worst", args.seeds);
    let mut page = Page::new("The best of each learning rate");
    for (lr, of_rate) in RATES.iter().zip(trained.chunks(args.seeds)) {
        let mut order: Vec<&Trained> = of_rate.iter().collect();
        order.sort_by(|a, b| a.held_out.total_cmp(&b.held_out));
        let [best, median, worst] = [0, (order.len() - 1) / 2, order.len() - 1].map(|i| order[i].held_out);
        println!("{lr:6}   {best:.4}   {median:.4}   {worst:.4}");
        page = page.run(format!("lr {lr}, {best:.4}"), &order[0].start, Some(&order[0].history));
    }
    let steps = (trained.len() * args.steps) as f64;
    println!(
        "{} trainings of {} steps in {seconds:.1} s: {:.1} µs a step",
        trained.len(),
        args.steps,
        seconds / steps * 1e6
    );
    if let Some(path) = &args.report {
        page.write(path)?;
        println!("{} has their losses", path.display());
    }
    Ok(())
}

fn main() -> ExitCode {
    exit(parse::<Args>().and_then(|args| args.map_or(Ok(()), |args| run(&args))))
}
