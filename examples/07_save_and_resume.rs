//! A training that cannot be lost: it writes checkpoints, ends early when nothing gets better, and goes on from its file when
//! it is run again, to the same bits. Stop it with Ctrl-C, and run it once more.
//!
//! cargo run --release --example 07_save_and_resume -- --file ring.safetensors --steps 20000

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use evenkeel::diagnose::Watch;
use evenkeel::nn::{Flow, Resume, Stopped, split_stratified};
use evenkeel::prelude::*;

#[path = "common/mod.rs"]
mod common;
use common::failure::{Failure, exit};
use common::interrupt;

#[derive(Parser)]
struct Args {
    /// Where the training is kept
    #[arg(long, default_value = "ring.safetensors")]
    file: PathBuf,
    /// Steps of training in all, those before a break too
    #[arg(long, default_value_t = 2000)]
    steps: u64,
    /// Begin anew, whatever the file has
    #[arg(long)]
    anew: bool,
}

/// A network that tells whether a point lies in a ring.
fn network() -> Result<Sequential, nn::Error> {
    let (mut rng, kaiming) = (ChaCha8Rng::seed_from_u64(42), init::kaiming_normal(Gain::Relu));
    let mut layer = |from, to| Linear::new(from, to, &kaiming, &mut rng);
    Ok(seq![layer(2, 64)?, Activation::Relu, Dropout::new(0.1)?, layer(64, 64)?, Activation::Relu, layer(64, 2)?,])
}

fn run(args: &Args) -> Result<(), Failure> {
    interrupt::note()?;
    let x: Tensor = init::rand([4000, 2], &mut ChaCha8Rng::seed_from_u64(1))? * 2.0 - 1.0;
    let y = x.square().sum(1).map(|r| i64::from((0.2..0.6).contains(&r)));
    let (train, held_out) = split_stratified(&y, 0.8, 42)?;

    let mut model = network()?;
    let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(3e-3, args.steps).warmup(100))?;
    let mut watch = Watch::new().inspecting();
    let report = Fit::steps(args.steps)
        .batches(Batches::new(train, 64)?.shuffled(42))
        .evaluate(held_out.clone(), 100)
        .stop_after(20)
        .clip_norm(1.0)
        .seed(42)
        .data("x", &x)
        .data("y", &y)
        .checkpoint(&args.file, 500)
        .resume(if args.anew { Resume::Never } else { Resume::IfThere })
        .watch(&mut watch)
        .on_step(|_| if interrupt::asked() { Flow::Stop } else { Flow::Continue })
        .run(&mut model, &mut adamw, |model, tape, rows| {
            model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&y.index_select(0, rows))
        })?;
    println!("{report}");
    for finding in watch.findings() {
        println!("{}: {}; {}", finding.severity, finding.message, finding.remedy);
    }
    if report.stopped == Stopped::Asked {
        return Err(Failure::Stopped(format!("run it again to go on; {} has the training", args.file.display())));
    }

    // Whoever wants the model alone loads it from the same file.
    let mut loaded = network()?;
    nn::load(&args.file, &mut loaded)?;
    let logits = nn::predict(&loaded, &x.index_select(0, &held_out));
    let accuracy = metrics::accuracy(&logits, &y.index_select(0, &held_out));
    println!("{:.1} % of {} held-out points are right", 100.0 * accuracy.value(), held_out.numel());
    Ok(())
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}
