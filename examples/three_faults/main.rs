//! Three faults, three cures.
//!
//! `cargo run --release --example three_faults` breaks a network in the three classic ways: output weights that are too large,
//! hidden weights that are too large, and layers that multiply the signal. It shows each fault, applies each remedy, and
//! shows what that has done. `--report FILE.html` draws before and after side by side.

#![allow(unreachable_pub, reason = "a program has no users but itself")]

#[path = "../common/mod.rs"]
mod common;
mod model;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use common::args::{self, whole};
use common::data::{self, Split};
use common::failure::{Failure, exit};
use common::random::{Numbers, Random, shuffle};
use evenkeel::diagnose::{Page, Report, Severity};
use model::{CONTEXT, Names};

/// Break a network in three ways, and cure it.
#[derive(Parser)]
#[command(name = "three_faults", version)]
struct Args {
    /// A file with one name per line, spelled in a-z; `-` is standard input [default: a list of first names from many languages]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// Seed of the random numbers: the same seed gives the same output
    #[arg(long, value_name = "N", default_value = "42", value_parser = whole)]
    seed: u64,

    /// Write a page that shows before and after
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// A network, by what is wrong with it.
struct Case {
    name: &'static str,
    /// Hidden layers.
    layers: usize,
    /// The standard deviation of the hidden weights, times √fan_in.
    hidden: f64,
    /// That of the output weights.
    output: f64,
    /// The figure that gives it away, in words, and before and after.
    shows: &'static str,
    figure: fn(&Report, &Report) -> [f64; 2],
}

/// A gain of 1 for tanh, and outputs near zero, are a good start; each network is off in one thing.
const CASES: [Case; 3] = [
    Case {
        name: "confidently wrong",
        layers: 1,
        hidden: 1.0,
        output: 1.0,
        shows: "first loss",
        figure: |before, after| [before, after].map(|report| report.loss.value),
    },
    Case {
        name: "saturated",
        layers: 1,
        hidden: 5.5,
        output: 0.01,
        shows: "saturated units, %",
        figure: |before, after| [before, after].map(|report| 100.0 * report.activations[0].saturated),
    },
    Case {
        name: "growing",
        layers: 6,
        hidden: 10.0,
        output: 0.01,
        shows: "signal × per layer",
        figure: |before, after| [before, after].map(|report| report.depth.gain.unwrap_or(f64::NAN)),
    },
];

fn main() -> ExitCode {
    exit(args::parse().and_then(|args: Option<Args>| args.map_or(Ok(()), |args| run(&args))))
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut names = data::names(args.data.as_deref()).map_err(Failure::Input)?;
    shuffle(&mut names, Numbers::Chacha);
    let split = Split::new(&names, CONTEXT);
    let mut random = Random::new(Numbers::Chacha, args.seed);
    let (contexts, next) = split.train.batch(&random.batch(split.train.len(), 32)?);
    let inspect = |model: &Names| -> Report {
        evenkeel::diagnose::inspect(model, |model, tape| model.forward(tape, &contexts).cross_entropy(&next))
    };

    let mut page = Page::new("Three faults, three cures");
    let mut out = io::stdout().lock();
    let mut rows = Vec::new();
    for case in CASES {
        let mut model = Names::new(&case, &mut random)?;
        let before = inspect(&model);
        writeln!(out, "{}: {}\n", case.name, before.verdict())?;
        // The same fault of further layers is left to the page.
        let mut told = Vec::new();
        for finding in before.findings.iter().filter(|finding| finding.severity > Severity::Note) {
            if !told.contains(&finding.fault) {
                told.push(finding.fault);
                writeln!(out, "{finding}")?;
            }
        }
        writeln!(out, "{}\n", before.cure(&mut model))?;
        let after = inspect(&model);
        writeln!(out, "{}: {}\n\n", case.name, after.verdict())?;
        rows.push((case.figure)(&before, &after));
        page = page.run(format!("{}: before", case.name), &before, None);
        page = page.then(format!("{}: after", case.name), &after, None);
    }
    writeln!(out, "{:<24}{:>10}{:>10}", "", "before", "after")?;
    for (case, [before, after]) in CASES.iter().zip(rows) {
        writeln!(out, "{:<24}{before:>10.2}{after:>10.2}", case.shows)?;
    }
    match &args.report {
        Some(path) => Ok(page.write(path)?),
        None => Ok(()),
    }
}
