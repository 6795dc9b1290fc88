//! A variational autoencoder (Kingma and Welling, 2014, *Auto-Encoding Variational Bayes*): digits become ten numbers of noise and back, and
//! noise alone becomes new digits. After 30 epochs of MNIST's first 4,000, the next 1,000 cost 120.5 nats each.
//!
//! cargo run --release --features images --example 12_vae -- --data mnist/ --epochs 30

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use evenkeel::{autograd::Bce, autograd::Reduction, nn::distributions::Normal, prelude::*};

#[path = "common/mod.rs"]
mod common;
#[path = "10_images/data.rs"]
#[allow(dead_code, unreachable_pub, reason = "classes are not needed here")]
mod data;
use common::failure::{Failure, exit};

#[derive(Parser)]
struct Args {
    /// A folder with MNIST's files; without, digits are drawn
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[arg(long, default_value_t = 10)]
    epochs: u64,
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

struct Vae(Sequential, Sequential);
module!(Vae { 0, 1 });

impl Vae {
    /// What a picture costs at most, in nats: what it lacks, and how far its noise is from a standard normal's.
    fn loss<'t>(&self, x: Var<'t>) -> Var<'t> {
        let [mean, log_std] = self.0.forward(x).chunk(2, -1)[..] else { unreachable!() };
        let noise = Normal::new(mean, log_std.exp());
        let lacks = Bce { reduction: Reduction::BatchMean, ..Bce::default() };
        let kl = noise.kl(&Normal::standard(x.tape(), mean.shape()));
        self.1.forward(noise.rsample()).bce_with_logits_loss_with(x, lacks) + kl.sum(-1).mean(0)
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let set = data::read(args.data.as_deref(), args.seed).map_err(Failure::Input)?;
    let (low, high, n) = (set.x.min(..).item(), set.x.max(..).item(), set.x.size(0));
    let x = ((Tensor::cat(&[&set.x, &set.held_out.0], 0) - low) / (high - low)).clamp(0.0, 1.0).flatten(1);
    let rng = &mut ChaCha8Rng::seed_from_u64(args.seed);
    let mut layer = |inputs, outputs| Linear::new_torch(inputs, outputs, rng);
    let encoder = seq![layer(x.size(1), 256)?, Activation::Relu, layer(256, 20)?];
    let mut vae = Vae(encoder, seq![layer(10, 256)?, Activation::Relu, layer(256, x.size(1))?]);
    let batches = Batches::new(0..n, 64)?.shuffled(args.seed);
    let epoch = batches.steps_per_epoch();
    let fit = Fit::steps(args.epochs * epoch).batches(batches).evaluate(n..x.size(0), epoch).seed(args.seed);
    let report = fit.run(&mut vae, &mut Optimizer::new(Adam::default(), 1e-3)?, |vae, tape, rows| {
        vae.loss(tape.constant(x.index_select(0, rows)))
    })?;
    println!("{report}");
    let tape = Tape::no_grad();
    tape.seed(args.seed, 0);
    let digit = vae.1.forward(tape.randn([1, 10])).sigmoid().value();
    for row in digit.to_vec().chunks(set.x.size(-1)).step_by(2) {
        println!("{}", row.iter().map(|&light| if light > 0.5 { '#' } else { ' ' }).collect::<String>());
    }
    Ok(())
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}
