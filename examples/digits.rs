//! Handwritten digits: the set of 1,797 pictures of 8 × 8 that scikit-learn ships, which one line of Python writes as
//! two files:
//!
//! python -c "import numpy as n, sklearn.datasets as s; d = s.load_digits(); n.save('x.npy', d.data.astype('f4')); n.save('y.npy', d.target)"
//!
//! cargo run --release --features npy --example digits -- --data x.npy y.npy
//!
//! Without `--data`, the same network learns three spirals.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use evenkeel::nn::split_stratified;
use evenkeel::prelude::*;

#[derive(Parser)]
struct Args {
    /// The pictures `[n, features]` in f32 and their classes `[n]` in i64, as .npy files
    #[arg(long, num_args = 2, value_names = ["PICTURES", "CLASSES"])]
    data: Option<Vec<PathBuf>>,
    /// Trainings, each with another seed
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Epochs of training
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
}

type Data = (Tensor, Tensor<i64>);

#[cfg(feature = "npy")]
fn read(files: &[PathBuf]) -> Result<Data, Box<dyn Error>> {
    use evenkeel::tensor::npy;
    let (x, y): Data = (npy::read(&files[0])?, npy::read(&files[1])?);
    if x.rank() != 2 || x.is_empty() || y.dims() != [x.size(0)] || y.min(..).item() < 0 {
        let (x, y) = (x.shape(), y.shape());
        return Err(format!("pictures {x} and classes {y} do not fit: give [n, features] and [n], from 0 on").into());
    }
    let most = x.abs().max(..).item();
    Ok((x / most, y))
}

#[cfg(not(feature = "npy"))]
fn read(_: &[PathBuf]) -> Result<Data, Box<dyn Error>> {
    Err("to read .npy files, build with --features npy".into())
}

fn spirals() -> Data {
    let y = Tensor::from_fn([1500], |i| (i[0] % 3) as i64);
    let x = Tensor::from_fn([1500, 2], |i| {
        let radius = (i[0] / 3) as f32 / 500.0;
        let angle = 4.0 * radius + 2.1 * (i[0] % 3) as f32 + 0.2 * (i[0] as f32 * 1.7).sin();
        radius * if i[1] == 0 { angle.sin() } else { angle.cos() }
    });
    (x, y)
}

/// The share of held-out examples that are right after the training, and the seconds of an epoch.
fn train((x, y): &Data, seed: u64, epochs: u64) -> Result<(f64, f64), nn::Error> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let classes = y.max(..).item() as usize + 1;
    let relu = init::kaiming_normal(Gain::Relu);
    let mut model: Sequential = seq![
        Linear::new(x.size(1), 128, &relu, rng)?,
        Activation::Relu,
        Linear::new(128, 64, &relu, rng)?,
        Activation::Relu,
        Linear::new(64, classes, &init::normal(0.01), rng)?,
    ];
    let (train, held_out) = split_stratified(y, 0.8, seed)?;
    let mut batches = Batches::new(train, 32)?.shuffled(seed);
    let steps = epochs * batches.steps_per_epoch();
    let mut adamw = Optimizer::new(AdamW::default(), 1e-3)?;
    let (mut tape, start) = (Tape::new(), Instant::now());
    for step in 0..steps {
        let rows = batches.rows(step);
        let logits = model.forward(tape.constant(x.index_select(0, rows)));
        let gradients = logits.cross_entropy(&y.index_select(0, rows)).backward();
        tape.reset();
        adamw.step(&mut model, &gradients);
    }
    let seconds = start.elapsed().as_secs_f64() / epochs as f64;
    let predicted = nn::predict(&model, &x.index_select(0, &held_out)).argmax(1);
    let right = predicted.eq(y.index_select(0, &held_out)).count_nonzero(..).item();
    Ok((right as f64 / held_out.numel() as f64, seconds))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let data = args.data.as_deref().map_or_else(|| Ok(spirals()), read)?;
    for seed in 0..args.seeds {
        let (right, seconds) = train(&data, seed, args.epochs)?;
        println!("seed {seed}: {:.2} % right, {:.2} ms an epoch", 100.0 * right, 1e3 * seconds);
    }
    Ok(())
}
