//! What a step of training consists of, on one thread: its ops alone, and what recording, going back and the optimizer add.

mod models;

use std::hint::black_box;
use std::time::{Duration, Instant};

use evenkeel::nn::GRU;
use evenkeel::prelude::*;
use models::{EXAMPLES, SYMBOLS, hierarchical, net, rng, sgd, tanh, whole};

/// The median time of a call among some turns, in µs.
fn measure(mut work: impl FnMut()) -> f64 {
    const TURN: Duration = Duration::from_millis(2);
    let mut turn = |calls: u32| {
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        start.elapsed()
    };
    let mut calls = 1;
    while turn(calls) < TURN {
        calls *= 2;
    }
    let mut turns: Vec<f64> = (0..31).map(|_| turn(calls).as_secs_f64() * 1e6 / f64::from(calls)).collect();
    turns.sort_by(f64::total_cmp);
    turns[turns.len() / 2]
}

/// Prints the budget of a model whose logits are computed from the rows of a batch.
fn budget<M: Module>(
    name: &str,
    batch: usize,
    mut model: M,
    logits: impl for<'t> Fn(&M, &'t Tape, &Tensor<i64>) -> Var<'t>,
) {
    let (targets, rows) = (whole(SYMBOLS, &[EXAMPLES], 1), whole(EXAMPLES, &[batch], 1000));
    let next = targets.index_select(0, &rows);
    let mut sgd = sgd();
    let (mut silent, mut tape) = (Tape::no_grad(), Tape::new());
    let forward = measure(|| {
        black_box(logits(&model, &silent, &rows).cross_entropy(&next).value());
        silent.reset();
    });
    let recorded = measure(|| {
        black_box(logits(&model, &tape, &rows).cross_entropy(&next).value());
        tape.reset();
    });
    let there_and_back = measure(|| {
        black_box(logits(&model, &tape, &rows).cross_entropy(&next).backward());
        tape.reset();
    });
    let step = measure(|| {
        let gradients = logits(&model, &tape, &rows).cross_entropy(&next).backward();
        tape.reset();
        sgd.step(&mut model, &gradients);
    });
    // Each pullback by itself, of the gradient that comes to it.
    tape.retain_gradients(true);
    let loss = logits(&model, &tape, &rows).cross_entropy(&next);
    let gradients = loss.backward();
    println!("{name}\n  {:<28}{:>8}", "pullback of", "µs");
    let mut pullbacks = 0.0;
    for var in tape.vars() {
        if let (Some(gradient), true) = (gradients.get(var), !var.inputs().is_empty()) {
            let alone = measure(|| _ = black_box(var.pull(gradient)));
            pullbacks += alone;
            if alone > 0.02 * step {
                println!("  {:<28}{alone:>8.2}", format!("{} {}", var.op(), var.shape()));
            }
        }
    }
    let ops = forward + pullbacks;
    for (what, time) in [
        ("forward, without a record", forward),
        ("all pullbacks alone", pullbacks),
        ("recording", recorded - forward),
        ("going back, besides", there_and_back - recorded - pullbacks),
        ("the optimizer", step - there_and_back),
        ("the step", step),
    ] {
        println!("  {what:<28}{time:>8.2}");
    }
    println!("  the step is {:.2} times its ops alone\n", step / ops);
}

fn main() {
    evenkeel::tensor::with_threads(1, || {
        let (threes, eights, long) =
            (whole(SYMBOLS, &[EXAMPLES, 3], 4), whole(SYMBOLS, &[EXAMPLES, 8], 5), whole(SYMBOLS, &[EXAMPLES, 16], 6));
        budget("lecture 30-200-27, batch 32", 32, net(10, tanh(&[30, 200]), 200), |model, tape, rows| {
            let x = model.embedding.forward(tape, &threes.index_select(0, rows)).flatten(1);
            model.output.forward(model.layers.forward(x))
        });
        budget("hierarchical, batch 32", 32, net(24, hierarchical(), 128), |model, tape, rows| {
            model.output.forward(model.layers.forward(model.embedding.forward(tape, &eights.index_select(0, rows))))
        });
        let gru = net(64, GRU::new_torch(64, 64, &mut rng(9)).expect("it is small"), 64);
        budget("gru 64, 16 steps, batch 32", 32, gru, |model, tape, rows| {
            let x = model.embedding.forward(tape, &long.index_select(0, rows));
            model.output.forward(model.layers.run(x, None).1)
        });
    })
    .expect("one thread");
}
