//! The lecture's hierarchical net: eight symbols of context, joined in pairs three times. With the lecture's file of
//! names and all its steps, 76,579 parameters end at a validation loss of about 1.99, where its notebook has 1.993.
//!
//! cargo run --release --example 08_hierarchical -- --data names.txt --rng torch --steps 200000

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use evenkeel::nn::FlattenConsecutive;
use evenkeel::prelude::*;

#[path = "common/mod.rs"]
mod common;

use common::data::{Examples, SYMBOLS, Split, names};
use common::failure::{Failure, exit};
use common::random::{Numbers, Random, shuffle};

const CONTEXT: usize = 8;

#[derive(Parser)]
struct Args {
    /// Names, one per line; those that come with the example otherwise
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Steps of training
    #[arg(long, default_value_t = 4000)]
    steps: u64,
    /// Where random numbers come from
    #[arg(long, value_enum, default_value = "chacha")]
    rng: Numbers,
}

struct Net {
    embedding: Embedding,
    layers: Sequential,
}
module!(Net { embedding, layers });

impl Net {
    fn new(embedding: usize, hidden: usize, random: &mut Random) -> Result<Self, Failure> {
        let mut weight = |from, to, std| random.tensor(&init::normal(std), &Shape::from([from, to])).map(Param::new);
        let table = Embedding::of(weight(SYMBOLS, embedding, 1.0)?);
        let mut layers = Sequential(Vec::new());
        for fan_in in [2 * embedding, 2 * hidden, 2 * hidden] {
            layers.push(FlattenConsecutive::new(2)?);
            layers.push(Linear { weight: weight(fan_in, hidden, (fan_in as f64).powf(-0.5))?, bias: None });
            layers.push(BatchNorm1d::new(hidden).channels_last());
            layers.push(Activation::Tanh);
        }
        let last = weight(hidden, SYMBOLS, 0.1 * (hidden as f64).powf(-0.5))?;
        layers.push(Linear { weight: last, bias: Some(Param::new(Tensor::zeros([SYMBOLS]))) });
        Ok(Net { embedding: table, layers })
    }

    /// The mean loss of examples, chunk by chunk.
    fn loss(&self, examples: &Examples) -> f64 {
        let mut tape = Tape::no_grad();
        let mut sum = 0.0;
        for (contexts, next) in examples.chunks(1024) {
            sum += f64::from(self.logits(&tape, &contexts).cross_entropy(&next).item()) * next.numel() as f64;
            tape.reset();
        }
        sum / examples.len() as f64
    }

    fn logits<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        self.layers.forward(self.embedding.forward(tape, contexts))
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut words = names(args.data.as_deref()).map_err(Failure::Input)?;
    shuffle(&mut words, args.rng);
    let (split, mut random) = (Split::new(&words, CONTEXT), Random::new(args.rng, 2147483647));
    let mut net = Net::new(24, 128, &mut random)?;
    println!("{net:?}");
    let mut sgd = Optimizer::new(Sgd::default(), Schedule::steps(0.1, [args.steps / 4 * 3], 0.1))?;
    let mut tape = Tape::new();
    for step in 0..args.steps {
        let (contexts, next) = split.train.batch(&random.batch(split.train.len(), 32)?);
        let loss = net.logits(&tape, &contexts).cross_entropy(&next);
        if step % (args.steps / 10).max(1) == 0 {
            println!("step {step:6}: loss {:.4}", loss.item());
        }
        let gradients = loss.backward();
        tape.reset();
        sgd.step(&mut net, &gradients);
    }
    let [train, validation, test] = [&split.train, &split.validation, &split.test].map(|part| net.loss(part));
    println!("loss: {train:.4} in training, {validation:.4} in validation, {test:.4} in test");
    Ok(())
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}
