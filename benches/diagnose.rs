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
        let output = Linear::new(fan_in, 27, &init::normal(0.01), &mut rng).expect("the std is finite");
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

/// A recurrent model: 20 → 32 units for many steps, a batch of 4.
struct Recurrent {
    input: Linear,
    hidden: Linear,
    output: Linear,
}

module!(Recurrent { input, hidden, output });

impl Recurrent {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(42);
        let mut layer = |fan_in, fan_out, weight: &dyn Initializer| {
            Linear::new(fan_in, fan_out, weight, &mut rng).expect("the fan is not 0")
        };
        Recurrent {
            input: layer(20, 32, &init::lecun_normal(Gain::Linear)),
            hidden: layer(32, 32, &init::orthogonal(Gain::Linear)),
            output: layer(32, 10, &init::normal(0.01)),
        }
    }

    fn loss<'t>(&self, tape: &'t Tape, (x, y): &(Vec<Tensor>, Tensor<i64>)) -> Var<'t> {
        let begin = tape.constant(Tensor::zeros([4, 32]));
        let step =
            |h: Var<'t>, x: &Tensor| (self.hidden.forward(h) + self.input.forward(tape.constant(x.clone()))).tanh();
        self.output.forward(x.iter().fold(begin, step)).cross_entropy(y)
    }
}

fn recurrent(c: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = || init::normal(1.0).init(&Shape::from([4, 20]), &mut rng).expect("the std is finite");
    let batch = ((0..4000).map(|_| draw()).collect(), Tensor::from([0, 1, 2, 3]));
    let model = Recurrent::new();
    let mut tape = Tape::new();
    let mut group = c.benchmark_group("recurrent, 4000 steps");
    group.sample_size(10);
    group.bench_function("step", |b| {
        b.iter(|| {
            black_box(model.loss(&tape, &batch).backward());
            tape.reset();
        });
    });
    group.bench_function("inspect", |b| b.iter(|| black_box(inspect(&model, |model, tape| model.loss(tape, &batch)))));
    group.finish();
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
        let mut sgd = Optimizer::new(Sgd::default(), 0.01).expect("the rate is finite");
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
            // As it starts: the steps have trained the other.
            let model = Model::new(widths);
            b.iter(|| black_box(inspect(&model, |model, tape| model.loss(tape, &batch))))
        });
        group.finish();
    }
}

criterion_group!(benches, diagnose, recurrent);
criterion_main!(benches);
