//! A character-level model that learns names and makes up new ones.
//!
//! `cargo run --release --example mlp` trains on a list of first names from many languages; `--data FILE` on yours.
//! `--init` chooses how the weights start, and the loss at step 0 shows what that does: with 27 symbols it should be
//! ln 27 = 3.2958, and with `original` it is many times that. `--save FILE` keeps the training, `--resume FILE` goes on with
//! it, to the same bits as if it had not ended, and `--model FILE` only prints names.
//!
//! The model and its schemes are those of the public lecture notebook "makemore part 3: activations & gradients,
//! batchnorm" (Karpathy, 2022), after Bengio et al., 2003, *A Neural Probabilistic Language Model*.

#![allow(unreachable_pub, reason = "a program has no users but itself")]

mod cli;
#[path = "../common/mod.rs"]
mod common;
mod keep;
mod model;
mod output;
mod reporter;
mod train;

use std::process::ExitCode;

use common::data;
use common::failure::{Failure, exit};

fn main() -> ExitCode {
    exit(run())
}

fn run() -> Result<(), Failure> {
    let Some(args) = cli::parse()? else { return Ok(()) };
    if let Some(file) = &args.model {
        return train::print_names(&args, file);
    }
    let names = data::names(args.data.as_deref()).map_err(Failure::Input)?;
    let threads = args.threads;
    let work = move || train::run(&args, names);
    match threads {
        Some(threads) => evenkeel::tensor::with_threads(threads, work).map_err(|e| Failure::Input(e.to_string()))?,
        None => work(),
    }
}
