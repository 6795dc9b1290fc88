//! Why a program ends early, and with which exit code.

use std::io;
use std::process::ExitCode;

/// Why the program ends early.
pub enum Failure {
    /// Arguments or data that cannot be used, or a file that cannot be written; what to do about it.
    Input(String),
    /// Training left the numbers behind; what to do about it.
    Diverged(String),
    /// Ctrl-C was pressed; what is kept of the training.
    Stopped(String),
    /// Standard output is gone or full.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl From<evenkeel::nn::Error> for Failure {
    fn from(error: evenkeel::nn::Error) -> Self {
        Failure::Input(error.to_string())
    }
}

impl From<evenkeel::diagnose::WriteError> for Failure {
    fn from(error: evenkeel::diagnose::WriteError) -> Self {
        Failure::Input(format!("{error}; give a path that can be written to --report"))
    }
}

impl From<evenkeel::init::Error> for Failure {
    fn from(error: evenkeel::init::Error) -> Self {
        Failure::Input(error.to_string())
    }
}

/// Reports a failure on standard error.
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    let why = match result {
        Ok(()) => return ExitCode::SUCCESS,
        // Whoever read the output has had enough, as in `mlp | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Failure::Output(error)) => format!("cannot write the output: {error}"),
        Err(Failure::Diverged(why)) => why,
        Err(Failure::Stopped(what)) => {
            eprintln!("{what}");
            return ExitCode::from(130);
        }
        Err(Failure::Input(why)) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    eprintln!("error: {why}");
    ExitCode::FAILURE
}
