//! Whole steps of training of models that are made of layers: a batch is taken from the data, goes forward and backward, and the weights
//! are moved. `peers/` has the same models beside other libraries.

use criterion::{Criterion, criterion_group, criterion_main};
use evenkeel::nn::{GRU, TransformerBlock};
use evenkeel::prelude::*;

mod models;

use models::{EXAMPLES, SYMBOLS, adamw, hierarchical, net, rng, sgd, tanh, whole};

/// A step of a model whose logits are computed from the rows of a batch.
fn bench<M: Module>(
    c: &mut Criterion,
    name: &str,
    [batch, predictions, classes]: [usize; 3],
    mut model: M,
    mut optimizer: Optimizer,
    logits: impl for<'t> Fn(&M, &'t Tape, &Tensor<i64>) -> Var<'t>,
) {
    let targets = whole(classes, &[EXAMPLES, predictions], 1);
    let batches: Vec<Tensor<i64>> = (0..100).map(|step| whole(EXAMPLES, &[batch], 1000 + step)).collect();
    let (mut batches, mut tape) = (batches.iter().cycle(), Tape::new());
    c.benchmark_group("step").bench_function(name, |b| {
        b.iter(|| {
            let rows = batches.next().expect("they begin again");
            let next = targets.index_select(0, rows).flatten(0);
            let gradients = logits(&model, &tape, rows).cross_entropy(&next).backward();
            tape.reset();
            optimizer.step(&mut model, &gradients);
        });
    });
}

fn steps(c: &mut Criterion) {
    let (threes, eights, long) =
        (whole(SYMBOLS, &[EXAMPLES, 3], 4), whole(SYMBOLS, &[EXAMPLES, 8], 5), whole(SYMBOLS, &[EXAMPLES, 16], 6));
    for (name, batch, widths) in [
        ("lecture 30-200-27, batch 32", 32, &[30, 200][..]),
        ("wide 30-1024-27, batch 512", 512, &[30, 1024]),
        ("deep 30-5x100-27, batch 32", 32, &[30, 100, 100, 100, 100, 100]),
    ] {
        let model = net(10, tanh(widths), widths[widths.len() - 1]);
        bench(c, name, [batch, 1, SYMBOLS], model, sgd(), |model, tape, rows| {
            let x = model.embedding.forward(tape, &threes.index_select(0, rows)).flatten(1);
            model.output.forward(model.layers.forward(x))
        });
    }
    let features: Tensor = init::randn([EXAMPLES, 784], &mut rng(7)).expect("it is small");
    let mut dense = tanh(&[784, 1024, 1024]);
    dense.push(Linear::new_torch(1024, 10, &mut rng(8)).expect("it is small"));
    bench(c, "dense 784-1024-1024-10, batch 256, AdamW", [256, 1, 10], dense, adamw(), |model, tape, rows| {
        model.forward(tape.constant(features.index_select(0, rows)))
    });
    bench(c, "hierarchical, batch 32", [32, 1, SYMBOLS], net(24, hierarchical(), 128), sgd(), |model, tape, rows| {
        model.output.forward(model.layers.forward(model.embedding.forward(tape, &eights.index_select(0, rows))))
    });
    let gru = net(64, GRU::new_torch(64, 64, &mut rng(9)).expect("it is small"), 64);
    bench(c, "gru 64, 16 steps, batch 32", [32, 1, SYMBOLS], gru, sgd(), |model, tape, rows| {
        let x = model.embedding.forward(tape, &long.index_select(0, rows));
        model.output.forward(model.layers.run(x, None).1)
    });
    let block = TransformerBlock::new_torch(64, 4, 256, &mut rng(10)).expect("it is small").causal();
    let transformer = net(64, block, 64);
    bench(c, "transformer block 64, batch 32, AdamW", [32, 16, SYMBOLS], transformer, adamw(), |model, tape, rows| {
        let x = model.embedding.forward(tape, &long.index_select(0, rows));
        model.output.forward(model.layers.forward(x).reshape([512, 64]))
    });
}

criterion_group!(benches, steps);
criterion_main!(benches);
