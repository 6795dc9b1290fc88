//! A character-level model that learns names and makes up new ones.
//!
//! `cargo run --release --example mlp` trains on a list of first names from many languages; `--data FILE` on yours.
//! `--init` chooses how the weights start, and the loss at step 0 shows what that does: with 27 symbols it should be
//! ln 27 = 3.2958, and with `original` it is many times that.
//!
//! The model and its schemes are those of the public lecture notebook "makemore part 3: activations & gradients,
//! batchnorm" (Karpathy, 2022), after Bengio et al., 2003, *A Neural Probabilistic Language Model*.

#![allow(unreachable_pub, reason = "a program has no users but itself")]

mod cli;
mod data;
mod draw;
mod model;
mod output;
mod random;
mod train;

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has had enough, as in `mlp | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprintln!("error: cannot write the output: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Diverged(why)) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
        Err(Failure::Input(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// Why the program ends early.
enum Failure {
    /// Arguments or data that cannot be used; what to do about it.
    Input(String),
    /// Training left the numbers behind; what to do about it.
    Diverged(String),
    /// Standard output is gone or full.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

fn run() -> Result<(), Failure> {
    let Some(args) = cli::parse()? else { return Ok(()) };
    let names = data::names(args.data.as_deref()).map_err(Failure::Input)?;
    let threads = args.threads;
    let work = move || train::run(&args, names);
    match threads {
        Some(threads) => evenkeel::tensor::with_threads(threads, work).map_err(|e| Failure::Input(e.to_string()))?,
        None => work(),
    }
}
