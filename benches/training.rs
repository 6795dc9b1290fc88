//! What a step of training consists of beside the tape: a step of each optimizer over a million weights, and dropout,
//! forward and back. `training.py` beside this file does the same with PyTorch, in rows of the same names.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use evenkeel::nn::{Adadelta, Adagrad, Adam, Checkpoint, Lion, Muon, NAdam, RAdam, RMSprop, Rule};
use evenkeel::prelude::*;

fn random(shape: &[usize], seed: u64) -> Tensor {
    init::normal(1.0).init(&Shape::from(shape), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

fn optimizers(c: &mut Criterion) {
    let mut group = c.benchmark_group("training");
    let mut row = |name: &str, shape: &[usize], optimizer: &mut Optimizer| {
        let mut w = Param::new(random(shape, 1));
        let tape = Tape::new();
        let gradients = (w.on(&tape) * tape.constant(random(shape, 2))).sum(..).backward();
        drop(tape);
        group.throughput(Throughput::Elements(w.value().numel() as u64));
        group.bench_function(name, |b| b.iter(|| optimizer.step(black_box(&mut w), black_box(&gradients))));
    };
    fn of(rule: impl Rule + 'static) -> Optimizer {
        Optimizer::new(rule, 1e-9).unwrap()
    }
    let million: &[usize] = &[1 << 20];
    row("adamw of a lecture's layer", &[30, 200], &mut of(AdamW::default()));
    row("adamw", million, &mut of(AdamW::default()));
    row("sgd", million, &mut of(Sgd::default()));
    row("sgd with momentum", million, &mut of(Sgd { momentum: 0.9, ..Sgd::default() }));
    row("adam", million, &mut of(Adam::default()));
    row("rmsprop", million, &mut of(RMSprop::default()));
    row("adagrad", million, &mut of(Adagrad::default()));
    row("adadelta", million, &mut of(Adadelta::default()));
    row("nadam", million, &mut of(NAdam::default()));
    row("radam", million, &mut of(RAdam::default()));
    row("lion", million, &mut of(Lion::default()));
    row("muon", &[1024, 1024], &mut of(Muon::default()));
}

fn dropout(c: &mut Criterion) {
    let mut group = c.benchmark_group("training");
    for (name, shape) in [("dropout of 12288", [64, 192]), ("dropout of a million", [1024, 1024])] {
        let (x, seed) = (random(&shape, 1), random(&shape, 2));
        group.throughput(Throughput::Elements(x.numel() as u64));
        let mut tape = Tape::new();
        let mut step = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                step += 1;
                tape.reset();
                tape.seed(1, step);
                black_box(tape.leaf(x.clone()).dropout(black_box(0.5)));
            });
        });
        group.bench_function(format!("{name} and back"), |b| {
            b.iter_batched(
                || seed.clone(),
                |seed| {
                    step += 1;
                    tape.reset();
                    tape.seed(1, step);
                    black_box(tape.leaf(x.clone()).dropout(black_box(0.5)).backward_with(seed));
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// A model of a million weights with its moments, to a file and back.
fn checkpoint(c: &mut Criterion) {
    let path = std::env::temp_dir().join(format!("evenkeel-bench-{}.safetensors", std::process::id()));
    let (mut w, mut adamw) = (Param::new(random(&[1 << 20], 1)), Optimizer::new(AdamW::default(), 1e-9).unwrap());
    let tape = Tape::new();
    let gradients = w.on(&tape).square().sum(..).backward();
    drop(tape);
    adamw.step(&mut w, &gradients);
    let mut group = c.benchmark_group("training");
    group.throughput(Throughput::Bytes(3 << 22));
    group.bench_function("checkpoint of a million weights, saved", |b| {
        b.iter(|| Checkpoint::new(&mut w).optimizer(&mut adamw).save(&path).unwrap());
    });
    group.bench_function("checkpoint of a million weights, loaded", |b| {
        b.iter(|| Checkpoint::new(&mut w).optimizer(&mut adamw).load(&path).unwrap());
    });
    std::fs::remove_file(&path).unwrap();
}

criterion_group!(benches, optimizers, dropout, checkpoint);
criterion_main!(benches);
