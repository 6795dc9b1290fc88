//! Images: LeNet-5 (LeCun et al., 1998), or a small residual network (He et al., 2016), learns digits that the example draws, or MNIST or
//! CIFAR-10 from a folder with their own files; and a page shows its first filters and what it confuses.
//!
//! cargo run --release --example 10_images -- --page images.html
//!
//! cargo run --release --features images --example 10_images -- --data mnist/ --model resnet --augment

#![allow(unreachable_pub, reason = "a program has no users but itself")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use evenkeel::nn::Augment;
use evenkeel::prelude::*;

#[path = "../common/mod.rs"]
mod common;
mod data;
mod model;
mod page;
use common::failure::{Failure, exit};
use data::Set;

#[derive(Parser)]
struct Args {
    /// A folder with MNIST's files (train-images-idx3-ubyte, …, also .gz) or CIFAR-10's (data_batch_1.bin, …)
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// What learns them
    #[arg(long, value_enum, default_value_t = Model::Lenet)]
    model: Model,
    /// Passes over the images
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images of a batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(2..))]
    batch: u64,
    /// Trained with so many images, the first ones; all, if not said
    #[arg(long)]
    train: Option<usize>,
    /// Moves and mirrors the images at random
    #[arg(long)]
    augment: bool,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Writes a page of filters and confusions
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    Lenet,
    Resnet,
}

/// How many images are judged at once.
const AT_ONCE: usize = 256;

/// The class of each image, of the largest logit.
fn predicted(model: &Sequential, x: &Tensor) -> Tensor<i64> {
    let parts: Vec<usize> = (0..x.size(0)).step_by(AT_ONCE).collect();
    let part =
        |&at: &usize| nn::predict(model, &x.slice(0, at as isize..(at + AT_ONCE).min(x.size(0)) as isize)).argmax(1);
    let parts: Vec<Tensor<i64>> = parts.iter().map(part).collect();
    Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0)
}

fn run(args: &Args) -> Result<(), Failure> {
    let Set { x, y, held_out, classes, mirrors } =
        data::read(args.data.as_deref(), args.seed).map_err(Failure::Input)?;
    let count = args.train.unwrap_or(usize::MAX).min(x.size(0));
    let (rng, sides) = (&mut ChaCha8Rng::seed_from_u64(args.seed), [x.size(1), x.size(2)]);
    let mut model = match args.model {
        Model::Lenet => model::lenet(sides, classes.len(), rng)?,
        Model::Resnet => model::resnet(sides[0], classes.len(), rng)?,
    };
    println!("{model:?}");
    let mut batches = Batches::new(0..count, args.batch as usize)?.shuffled(args.seed).drop_last();
    let per_epoch = batches.steps_per_epoch();
    let first = batches.rows(0).clone();
    let start = Inspector::new().inspect(&model, |model, tape| {
        model.forward(tape.constant(x.index_select(0, &first))).cross_entropy(&y.index_select(0, &first))
    });
    println!("at step 0: {}", start.verdict());

    let steps = args.epochs * per_epoch;
    let schedule = Schedule::cosine(2e-3, steps).warmup((steps / 10).min(100));
    let mut adamw = Optimizer::new(AdamW::default(), schedule)?;
    let augment = Augment::default().shifted(x.size(2) / 8);
    let augment = if mirrors { augment.flipped() } else { augment };
    let mut tape = Tape::new();
    for epoch in 0..args.epochs {
        let (began, mut losses) = (Instant::now(), 0.0);
        for step in epoch * per_epoch..(epoch + 1) * per_epoch {
            let rows = batches.rows(step);
            let (images, targets) = (x.index_select(0, rows), y.index_select(0, rows));
            let images = if args.augment { augment.apply(&images, args.seed, step) } else { images };
            let loss = model.forward(tape.constant(images)).cross_entropy(&targets);
            losses += f64::from(loss.item());
            let gradients = loss.backward();
            tape.reset();
            adamw.step(&mut model, &gradients);
        }
        let (seconds, loss) = (began.elapsed().as_secs_f64(), losses / per_epoch as f64);
        if !loss.is_finite() {
            return Err(Failure::Diverged("the loss is no number any more; try another seed".into()));
        }
        let right = accuracy(&model, &held_out);
        println!(
            "epoch {}: loss {loss:.4}, {:.2} % of held-out images right, {seconds:.2} s",
            epoch + 1,
            100.0 * right
        );
    }
    if let Some(path) = &args.page {
        let page = page::page(&model, &held_out, &predicted(&model, &held_out.0), &classes);
        std::fs::write(path, page).map_err(|why| Failure::Input(format!("cannot write {}: {why}", path.display())))?;
        println!("{} shows the filters and the confusions", path.display());
    }
    Ok(())
}

/// The share of images whose class is right.
fn accuracy(model: &Sequential, (x, y): &(Tensor, Tensor<i64>)) -> f64 {
    predicted(model, x).eq(y).count_nonzero(..).item() as f64 / y.numel() as f64
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}
