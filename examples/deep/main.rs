//! A deep network of tanh layers, and how signal and gradient fare in it.
//!
//! `cargo run --release --example deep` shows the network before it trains: 30 → 100 × 5 → 27 with the lecture's gain of 5/3.
//! `--gain 0.5`, `--no-fan-in`, `--linear` break it; `--batchnorm` makes it indifferent to all of these. `--steps N` trains,
//! and shows it again.
//!
//! The network is that of the public lecture notebook "makemore part 3: activations & gradients, batchnorm" (Karpathy,
//! 2022).

#![allow(unreachable_pub, reason = "a program has no users but itself")]

#[path = "../common/mod.rs"]
mod common;
mod model;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use common::args::{self, between, positive, whole};
use common::data;
use common::failure::{Failure, exit};
use common::random::Numbers;

/// Show how signal and gradient fare in a deep network.
#[derive(Parser)]
#[command(name = "deep", version, allow_negative_numbers = true)]
pub struct Args {
    /// A file with one name per line, spelled in a-z; `-` is standard input [default: a list of first names from many languages]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// What the weights of the hidden layers are multiplied with
    #[arg(long, value_name = "GAIN", default_value = "1.6667", value_parser = positive)]
    pub gain: f64,

    /// Hidden layers
    #[arg(long, value_name = "N", default_value = "5", value_parser = between::<1, 200>)]
    pub layers: usize,

    /// Units of each hidden layer
    #[arg(long, value_name = "N", default_value = "100", value_parser = between::<1, 4_096>)]
    pub hidden: usize,

    /// Leave out the division by √fan_in
    #[arg(long)]
    pub no_fan_in: bool,

    /// Batch normalization after each linear layer
    #[arg(long)]
    pub batchnorm: bool,

    /// No tanh
    #[arg(long)]
    pub linear: bool,

    /// Steps of training
    #[arg(long, value_name = "N", default_value = "0", value_parser = whole)]
    pub steps: u64,

    /// Learning rate
    #[arg(long, value_name = "RATE", default_value = "0.1", value_parser = positive)]
    pub lr: f64,

    /// Where random numbers come from
    #[arg(long, value_name = "GENERATOR", default_value = "chacha", ignore_case = true)]
    pub rng: Numbers,

    /// Seed of the random numbers: the same seed gives the same output
    #[arg(long, value_name = "N", default_value = "42", value_parser = whole)]
    pub seed: u64,

    /// Write a page that shows how the network starts and how it trains
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,

    /// Print one JSON object per line and nothing else
    #[arg(long)]
    pub json: bool,
}

fn main() -> ExitCode {
    exit(args::parse().and_then(|args: Option<Args>| {
        let Some(args) = args else { return Ok(()) };
        let names = data::names(args.data.as_deref()).map_err(Failure::Input)?;
        run::run(&args, names)
    }))
}
