//! Names as sequences: a GRU, or a small transformer, reads each symbol and says what may come next. On the lecture's file of names the transformer is
//! the model of the lecture's `makemore.py`, whose test loss is published as about 1.92.
//!
//! cargo run --release --example 09_sequences -- --model transformer --data names.txt --steps 20000

#![allow(unreachable_pub, reason = "a program has no users but itself")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use evenkeel::autograd::CrossEntropy;
use evenkeel::nn::{Error, GRU, TransformerBlock};
use evenkeel::prelude::*;

#[path = "common/mod.rs"]
mod common;

use common::data::{SYMBOLS, names, sequences};
use common::failure::{Failure, exit};
use common::random::{Numbers, shuffle};

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Kind {
    Gru,
    Transformer,
}

#[derive(Parser)]
struct Args {
    /// What reads the names
    #[arg(long, value_enum, default_value = "gru")]
    model: Kind,
    /// Names, one per line; those that come with the example otherwise
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Steps of training
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(2..))]
    steps: u64,
}

const WIDTH: usize = 64;
/// What stands behind the end of a name, and is no class.
const NOTHING: i64 = -1;

struct Net {
    symbols: Embedding,
    places: Param,
    gru: Option<GRU>,
    blocks: Vec<TransformerBlock>,
    norm: LayerNorm,
    output: Linear,
}

module!(Net { symbols, places, gru, blocks, norm, output });

impl Net {
    fn new(kind: Kind, longest: usize, rng: &mut ChaCha8Rng) -> Result<Self, Error> {
        let small = init::normal(0.02);
        let block = |_| TransformerBlock::new(WIDTH, 4, 4 * WIDTH, &small, rng)?.causal().with_dropout(0.1);
        let blocks = (0..if kind == Kind::Gru { 0 } else { 4 }).map(block).collect::<Result<_, Error>>()?;
        let gru = (kind == Kind::Gru).then(|| GRU::new_torch(WIDTH, WIDTH, rng)).transpose()?;
        Ok(Net {
            symbols: Embedding::new(SYMBOLS, WIDTH, &init::normal(if gru.is_some() { 1.0 } else { 0.02 }), rng)?,
            places: Param::new(Tensor::zeros([longest, WIDTH])),
            gru,
            blocks,
            norm: LayerNorm::new(WIDTH),
            output: Linear::new(WIDTH, SYMBOLS, &small, rng)?,
        })
    }

    /// The mean loss of a symbol: names `[N, L]`, and what follows each of their symbols.
    fn loss<'t>(&self, tape: &'t Tape, names: &Tensor<i64>, next: &Tensor<i64>) -> Var<'t> {
        let mut x = self.symbols.forward(tape, names) + self.places.on(tape);
        x = self.gru.forward(x);
        let logits = self.output.forward(self.norm.forward(self.blocks.forward(x)));
        let options = CrossEntropy { ignore_index: Some(NOTHING), ..CrossEntropy::default() };
        logits.reshape([next.numel(), SYMBOLS]).cross_entropy_with(&next.reshape(next.numel()), options)
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut words = names(args.data.as_deref()).map_err(Failure::Input)?;
    shuffle(&mut words, Numbers::Torch);
    let (inputs, next) = sequences(&words, NOTHING);
    let (trained, n) = (words.len() * 8 / 10, words.len());
    let mut net = Net::new(args.model, inputs.size(1), &mut ChaCha8Rng::seed_from_u64(42))?;
    println!("{net:?}");
    let mut batches = Batches::new(trained, 32)?.shuffled(42);
    let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(2e-3, args.steps).warmup(args.steps / 20))?;
    let mut tape = Tape::new();
    for step in 0..args.steps {
        tape.seed(42, step); // for the dropout
        let rows = batches.rows(step);
        let loss = net.loss(&tape, &inputs.index_select(0, rows), &next.index_select(0, rows));
        if step % (args.steps / 10).max(1) == 0 {
            println!("step {step:6}: loss {:.4}", loss.item());
        }
        let mut gradients = loss.backward();
        tape.reset();
        gradients.clip_norm(&net, 1.0)?;
        adamw.step(&mut net, &gradients);
    }
    for (what, rows) in [("validation", trained..n * 9 / 10), ("test", n * 9 / 10..n)] {
        let part = |x: &Tensor<i64>| x.slice(0, rows.clone());
        println!("{what} loss {:.4}", net.loss(&Tape::no_grad(), &part(&inputs), &part(&next)).item());
    }
    Ok(())
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}
