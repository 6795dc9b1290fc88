//! Names as sequences: a GRU, or a small transformer, reads each symbol and says what may come next. After 20,000 steps
//! on the lecture's file, the GRU has a validation loss of 2.00 and the transformer, of the sizes of the lecture's
//! `makemore.py`, one of 1.98. Its test loss, of another split and a longer training, is published as about 1.92.
//!
//! cargo run --release --example 09_sequences -- --transformer --data names.txt --steps 20000

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use evenkeel::autograd::CrossEntropy;
use evenkeel::nn::{GRU, TransformerBlock};
use evenkeel::prelude::*;

#[path = "common/mod.rs"]
mod common;
use common::data::{self, SYMBOLS};
use common::failure::{Failure, exit};
use common::random::{Numbers, shuffle};

#[derive(Parser)]
struct Args {
    /// Read by a transformer, not a GRU
    #[arg(long)]
    transformer: bool,
    /// Names, one per line; those that come with the example otherwise
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Steps of training
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(2..))]
    steps: u64,
}

const WIDTH: usize = 64;
const NOTHING: i64 = -1; // behind the end of a name: no class

struct Net {
    symbols: Embedding,
    places: Param,
    layers: Sequential,
    output: Linear,
}

module!(Net { symbols, places, layers, output });

impl Net {
    fn new(transformer: bool, longest: usize, rng: &mut ChaCha8Rng) -> Result<Self, nn::Error> {
        let (small, std) = (init::normal(0.02), if transformer { 0.02 } else { 1.0 });
        let symbols = Embedding::new(SYMBOLS, WIDTH, &init::normal(std), rng)?;
        let block = |rng: &mut _| TransformerBlock::new(WIDTH, 4, 4 * WIDTH, &small, rng)?.causal().with_dropout(0.1);
        let mut layers = match transformer {
            true => seq![block(rng)?, block(rng)?, block(rng)?, block(rng)?],
            false => seq![GRU::new_torch(WIDTH, WIDTH, rng)?],
        };
        layers.push(LayerNorm::new(WIDTH));
        let (places, output) = (Param::new(Tensor::zeros([longest, WIDTH])), Linear::new(WIDTH, SYMBOLS, &small, rng)?);
        Ok(Net { symbols, places, layers, output })
    }

    /// The mean loss of names `[N, L]`, by what follows each of their symbols.
    fn loss<'t>(&self, tape: &'t Tape, names: &Tensor<i64>, next: &Tensor<i64>) -> Var<'t> {
        let x = self.symbols.forward(tape, names) + self.places.on(tape);
        let logits = self.output.forward(self.layers.forward(x));
        let options = CrossEntropy { ignore_index: Some(NOTHING), ..CrossEntropy::default() };
        logits.reshape([next.numel(), SYMBOLS]).cross_entropy_with(&next.reshape(next.numel()), options)
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut words = data::names(args.data.as_deref()).map_err(Failure::Input)?;
    shuffle(&mut words, Numbers::Torch);
    let (inputs, next) = data::sequences(&words, NOTHING);
    let (trained, n, mut rng) = (words.len() * 8 / 10, words.len(), ChaCha8Rng::seed_from_u64(42));
    let mut net = Net::new(args.transformer, inputs.size(1), &mut rng)?;
    println!("{net:?}");
    let mut batches = Batches::new(0..trained, 32)?.shuffled(42);
    let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(2e-3, args.steps).warmup(args.steps / 20))?;
    let mut tape = Tape::new();
    for step in 0..args.steps {
        tape.seed(42, step); // for the dropout
        let rows = batches.rows(step);
        let loss = net.loss(&tape, &inputs.index_select(0, rows), &next.index_select(0, rows));
        if step % 500 == 0 {
            println!("step {step:6}: loss {:.4}", loss.item());
        }
        let mut gradients = loss.backward();
        tape.reset();
        gradients.clip_norm(&net, 1.0)?;
        adamw.step(&mut net, &gradients);
    }
    for (what, rows) in [("validation", trained..n * 9 / 10), ("test", n * 9 / 10..n)] {
        let [inputs, next] = [&inputs, &next].map(|x| x.slice(0, rows.clone()));
        println!("{what} loss {:.4}", net.loss(&Tape::no_grad(), &inputs, &next).item());
    }
    Ok(())
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}
