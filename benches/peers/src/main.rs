//! Evenkeel beside other libraries: `BENCHMARKS.md` has the method.
//!
//! Most libraries read their number of threads from the environment once. So the program starts itself anew for each
//! number, and that child measures everyone.

mod bench;
mod cli;
mod conv;
mod data;
mod elementwise;
mod matmul;
mod peak;
mod random;
mod recurrent;
mod reduce;
mod report;
mod step;
mod unary;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;

use bench::{Bound, Row};
use cli::Args;
use report::{Figures, four_digits};

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.child {
        Some(threads) => measure(&args, threads.into()),
        None => start_children(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn rows(only: &str) -> Vec<Row> {
    let all = [
        peak::rows(),
        matmul::rows(),
        conv::rows(),
        recurrent::rows(),
        elementwise::rows(),
        reduce::rows(),
        random::rows(),
        step::rows(),
    ];
    all.into_iter().flatten().filter(|row| row.work.contains(only)).collect()
}

fn start_children(args: &Args) -> Result<(), Box<dyn Error>> {
    if rows(&args.only).is_empty() {
        return Err(format!("no row's name contains {:?}", args.only).into());
    }
    let torch = args.torch.as_deref().map_or(Ok(vec![]), report::read)?;
    for &threads in &args.threads {
        let count = threads.to_string();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--child", &count, "--only", &args.only, "--rounds", &args.rounds.to_string()])
            .envs(["RAYON_NUM_THREADS", "MATMUL_NUM_THREADS"].map(|name| (name, &count)))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut measured = Vec::new();
        for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            let mut figures: Figures = serde_json::from_str(&line?)?;
            figures.join(&torch)?;
            if args.json {
                println!("{}", serde_json::to_string(&figures)?);
            } else {
                eprintln!("measured: {}, threads: {threads}", figures.work);
            }
            measured.push(figures);
        }
        if !child.wait()?.success() {
            return Err(format!("measuring with --threads {threads} failed").into());
        }
        if !args.json {
            report::print_tables(threads.into(), &measured);
        }
    }
    Ok(())
}

/// Prints what was measured, row by row.
fn measure(args: &Args, threads: usize) -> Result<(), Box<dyn Error>> {
    for row in rows(&args.only) {
        println!("{}", serde_json::to_string(&figures(&row, threads, args.rounds.into())?)?);
    }
    Ok(())
}

fn figures(row: &Row, threads: usize, rounds: usize) -> Result<Figures, String> {
    let mut contenders = (row.contenders)(threads);
    let losses = if matches!(row.bound, Bound::Step(_)) { contenders[0].result.clone() } else { vec![] };
    bench::check(&row.work, &mut contenders)?;
    contenders.push(row.bound.contender(threads));
    let times = bench::measure(&mut contenders, rounds);
    let mut peers: Vec<_> = contenders.iter().map(|c| c.name.to_owned()).zip(times).collect();
    let bound = peers.pop().map_or(f64::NAN, |(_, time)| time);
    // The rows of the peak itself have nobody else.
    let ours = (!peers.is_empty()).then(|| peers.remove(0).1);
    let speed = row.bound.amount() / ours.unwrap_or(bound) / 1e9;
    let names = match row.bound {
        Bound::Flops(_) | Bound::Step(_) => ["gflops", "peak_share"],
        Bound::Elements(..) => ["gbs", "bandwidth_share"],
    };
    let speed = names.into_iter().zip([Some(speed), ours.map(|ours| bound / ours)]);
    let microseconds = |time: f64| four_digits(time * 1e6);
    Ok(Figures {
        work: row.work.clone(),
        threads,
        unit: "us".into(),
        evenkeel: ours.map(microseconds),
        peers: peers.into_iter().map(|(name, time)| (name, microseconds(time))).collect(),
        speed: speed.filter_map(|(name, x)| Some((name.to_owned(), four_digits(x?)))).collect(),
        losses,
        ..Figures::default()
    })
}
