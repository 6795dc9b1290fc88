//! What it costs to look: an inspection, and a watched step, beside an ordinary step of training.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use evenkeel::diagnose::{Watch, inspect};
use evenkeel::prelude::*;

/// The lecture's model, or a larger one.
struct Model {
    embedding: Embedding,
    hidden: Vec<Linear>,
    output: Linear,
}

module!(Model { embedding, hidden, output });

impl Model {
    fn new(widths: &[usize]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(42);
        let mut fan_in = 30;
        let mut layer = |width: usize| {
            let layer =
                Linear::new(fan_in, width, &init::kaiming_normal(Gain::Tanh), &mut rng).expect("the fan is not 0");
            fan_in = width;
            layer
        };
        let hidden: Vec<Linear> = widths.iter().map(|&width| layer(width)).collect();
        let output = layer(27);
        Model {
            embedding: Embedding::new(27, 10, &init::normal(1.0), &mut rng).expect("the std is finite"),
            hidden,
            output,
        }
    }

    fn loss<'t>(&self, tape: &'t Tape, (contexts, next): &(Tensor<i64>, Tensor<i64>)) -> Var<'t> {
        let x = self.embedding.forward(tape, contexts).flatten(1);
        self.output.forward(self.hidden.iter().fold(x, |x, layer| layer.forward(x).tanh())).cross_entropy(next)
    }
}

fn diagnose(c: &mut Criterion) {
    let sizes = [
        ("30-200-27, batch 32", &[200][..], 32),
        ("30-100x5-27, batch 32", &[100; 5], 32),
        ("30-1024-27, batch 512", &[1024], 512),
    ];
    for (name, widths, batch) in sizes {
        let batch = (
            Tensor::from_fn([batch, 3], |i| ((i[0] * 7 + i[1] * 5) % 27) as i64),
            Tensor::from_fn([batch], |i| (i[0] * 11 % 27) as i64),
        );
        let mut model = Model::new(widths);
        let mut sgd = Sgd::new(0.01).expect("the rate is finite");
        let mut tape = Tape::new();
        let mut group = c.benchmark_group(name);
        group.bench_function("step", |b| {
            b.iter(|| {
                let gradients = model.loss(&tape, &batch).backward();
                tape.reset();
                sgd.step(&mut model, &gradients);
            });
        });
        let mut watch = Watch::new();
        group.bench_function("step, watched", |b| {
            b.iter(|| {
                let loss = model.loss(&tape, &batch);
                let gradients = loss.backward();
                watch.before_step(&model, loss, &gradients);
                tape.reset();
                sgd.step(&mut model, &gradients);
                watch.after_step(&model);
            });
        });
        group.bench_function("inspect", |b| {
            b.iter(|| black_box(inspect(&model, |model, tape| model.loss(tape, &batch))))
        });
        group.finish();
    }
}

criterion_group!(benches, diagnose);
criterion_main!(benches);
