//! The net that learns names (Bengio et al., 2003), on all processes that `mpirun` starts:
//!
//! mpirun -n 4 cargo run --release --example mlp
//!
//! Whatever their number, the hash of the weights in the end is the same.

mod common;

use std::error::Error;
use std::time::Instant;

use common::{Args, hash};
use evenkeel::nn::ranks::Ranks;
use evenkeel::prelude::*;

/// First names from many languages, one in a line.
const NAMES: &str = include_str!("../../../examples/common/names.txt");
/// Symbols that the next one is guessed from.
const CONTEXT: usize = 3;

struct Mlp {
    embedding: Embedding,
    hidden: Linear,
    dropout: Dropout,
    output: Linear,
}

nn::module!(Mlp { embedding, hidden, output, .. });

impl Mlp {
    fn new(seed: u64, dropout: f64) -> Result<Self, nn::Error> {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        Ok(Mlp {
            embedding: Embedding::new(27, 10, &init::normal(1.0), rng)?,
            hidden: Linear::new(10 * CONTEXT, 200, &init::kaiming_normal(Gain::Tanh), rng)?,
            dropout: Dropout::new(dropout)?,
            output: Linear::new(200, 27, &init::normal(0.01), rng)?,
        })
    }

    /// Contexts `[N, 3]` to logits `[N, 27]`.
    fn forward<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        let h = self.hidden.forward(self.embedding.forward(tape, contexts).flatten(1)).tanh();
        self.output.forward(self.dropout.forward(h))
    }
}

/// Contexts `[N, 3]` and the symbols that follow them `[N]`: 0 begins and ends a name.
fn examples() -> (Tensor<i64>, Tensor<i64>) {
    let (mut contexts, mut next) = (Vec::new(), Vec::new());
    for name in NAMES.lines() {
        let mut context = [0; CONTEXT];
        for symbol in name.bytes().map(|letter| i64::from(letter - b'a') + 1).chain([0]) {
            contexts.extend(context);
            next.push(symbol);
            context.rotate_left(1);
            context[CONTEXT - 1] = symbol;
        }
    }
    let count = next.len();
    (Tensor::from_vec(contexts, [count, CONTEXT]), Tensor::from_vec(next, [count]))
}

fn train(args: &Args, ranks: Ranks) -> Result<String, nn::Error> {
    let (x, y) = examples();
    let mut model = Mlp::new(args.seed, args.dropout)?;
    let mut adamw = Optimizer::new(AdamW::default(), 3e-3)?;
    let (train, held_out) = nn::split(y.numel(), 0.9, args.seed)?;
    let began = Instant::now();
    let report = args
        .fit(args.steps, Batches::new(train, args.batch)?, ranks)
        .evaluate(held_out, 100)
        .data("x", &x)
        .data("y", &y)
        .run(&mut model, &mut adamw, |model, tape, rows| {
            model.forward(tape, &x.index_select(0, rows)).cross_entropy(&y.index_select(0, rows))
        })?;
    Ok(format!("{:.1} s, weights {:016x}\n{report}", began.elapsed().as_secs_f64(), hash(&model)))
}

fn main() -> Result<(), Box<dyn Error>> {
    common::main(train)
}
