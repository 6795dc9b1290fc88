//! Regression: a small network learns a curve from noisy points, by mini-batches.
//!
//! cargo run --release --example 03_regression

use evenkeel::nn::split;
use evenkeel::prelude::*;

fn curve(x: f32) -> f32 {
    (3.0 * x).sin() + 0.5 * x
}

fn main() -> evenkeel::Result {
    const NOISE: f32 = 0.1;
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let x: Tensor = init::rand([400, 1], &mut rng)? * 4.0 - 2.0;
    let noise: Tensor = init::randn([400, 1], &mut rng)?;
    let y = x.map(curve) + noise * NOISE;

    let mut model: Sequential = seq![
        Linear::new(1, 64, &init::kaiming_normal(Gain::Tanh), &mut rng)?,
        Activation::Tanh,
        Linear::new(64, 64, &init::kaiming_normal(Gain::Tanh), &mut rng)?,
        Activation::Tanh,
        Linear::new(64, 1, &init::normal(0.01), &mut rng)?,
    ];
    let (train, held_out) = split(400, 0.8, 42)?;
    let mut batches = Batches::new(train, 32)?.shuffled(42);
    let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(1e-2, 1000).warmup(50))?;
    println!("{model:?}\n\n{}\n", adamw.plan(&model)?);

    let held_out_loss = |model: &Sequential| {
        let tape = Tape::no_grad();
        let y = tape.constant(y.index_select(0, &held_out));
        model.forward(tape.constant(x.index_select(0, &held_out))).mse_loss(y).item()
    };
    let mut tape = Tape::new();
    for step in 0..1000 {
        if step % 200 == 0 {
            println!("step {step:4}: loss on held-out points {:.4}", held_out_loss(&model));
        }
        let rows = batches.rows(step);
        let target = tape.constant(y.index_select(0, rows));
        let gradients = model.forward(tape.constant(x.index_select(0, rows))).mse_loss(target).backward();
        tape.reset();
        adamw.step(&mut model, &gradients);
    }
    let loss = held_out_loss(&model);
    println!("in the end: {loss:.4}; the noise alone has a variance of {:.4}", NOISE * NOISE);
    assert!(loss < 2.0 * NOISE * NOISE);

    println!("\n    x   curve   model");
    let tape = Tape::no_grad();
    let at = Tensor::linspace(-2.0, 2.0, 9);
    let learned = model.forward(tape.constant(at.reshape([9, 1]))).value();
    for (x, y) in at.iter().zip(learned.iter()) {
        println!("{x:5.1}  {:6.3}  {y:6.3}", curve(x));
    }
    Ok(())
}
