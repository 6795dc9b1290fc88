//! A net of 784, 1,024, 1,024 and 10 units, on all processes that `mpirun` starts:
//!
//! mpirun -n 2 cargo run --release --example wide -- --batch 512 --shard 256
//!
//! Its pictures are drawn: ten blurred patterns with noise. What it shows is how long a step takes.

mod common;

use std::error::Error;
use std::time::Instant;

use common::{Args, hash};
use evenkeel::nn::ranks::Ranks;
use evenkeel::prelude::*;

/// Pictures, as many of each class.
const PICTURES: usize = 5_000;

fn pictures(seed: u64) -> Result<(Tensor, Tensor<i64>), nn::Error> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let (patterns, noise): (Tensor, Tensor) = (init::randn([10, 784], rng)?, init::randn([PICTURES, 784], rng)?);
    let y = Tensor::from_fn([PICTURES], |i| (i[0] % 10) as i64);
    Ok((patterns.index_select(0, &y) + noise * 2.0, y))
}

fn train(args: &Args, ranks: Ranks) -> Result<String, nn::Error> {
    let (x, y) = pictures(args.seed)?;
    let rng = &mut ChaCha8Rng::seed_from_u64(args.seed);
    let he = init::kaiming_normal(Gain::Relu);
    let mut model: Sequential = seq![
        Linear::new(784, 1024, &he, rng)?,
        Activation::Relu,
        Dropout::new(args.dropout)?,
        Linear::new(1024, 1024, &he, rng)?,
        Activation::Relu,
        Linear::new(1024, 10, &init::normal(0.01), rng)?,
    ];
    let mut adamw = Optimizer::new(AdamW::default(), 1e-3)?;
    let mut fit = |steps, args: &Args| {
        let batches = Batches::new(0..PICTURES, args.batch)?.drop_last();
        let fit = args.fit(steps, batches, ranks.clone()).data("x", &x);
        fit.run(&mut model, &mut adamw, |model, tape, rows| {
            model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&y.index_select(0, rows))
        })
    };
    // The first steps take longer, as memory is asked for.
    let warm = args.steps.min(20);
    let before = fit(warm, args)?.steps;
    let began = Instant::now();
    let report = fit(args.steps, args)?;
    let step = 1e3 * began.elapsed().as_secs_f64() / (report.steps - before).max(1) as f64;
    Ok(format!("{step:.3} ms a step, weights {:016x}\n{report}", hash(&model)))
}

fn main() -> Result<(), Box<dyn Error>> {
    common::main(train)
}
