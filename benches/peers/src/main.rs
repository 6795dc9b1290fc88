//! Evenkeel beside other libraries: see `BENCHMARKS.md` for the method.
//!
//! Most libraries read their number of threads from the environment once. So the program starts itself anew for each
//! number, and that child measures everyone.

mod bench;
mod cli;
mod data;
mod elementwise;
mod matmul;
mod peak;
mod reduce;
mod report;

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;

use bench::{Bound, Row};
use cli::Args;
use peak::Stream;
use report::{Figures, Line, Machine, Speed};

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.child {
        Some(threads) => measure(&args, threads),
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
    let all = [matmul::rows(), elementwise::rows(), reduce::rows()];
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
        let mut lines = Vec::new();
        for text in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            let mut line = serde_json::from_str(&text?)?;
            if let Line::Figures(figures) = &mut line {
                figures.join(&torch);
                if !args.json {
                    eprintln!("{}, threads: {threads}", figures.work);
                }
            }
            if args.json {
                println!("{}", serde_json::to_string(&line)?);
            }
            lines.push(line);
        }
        if !child.wait()?.success() {
            return Err(format!("measuring with --threads {threads} failed").into());
        }
        if !args.json {
            report::print_tables(&lines);
        }
    }
    Ok(())
}

/// Prints what was measured, line by line.
fn measure(args: &Args, threads: usize) -> Result<(), Box<dyn Error>> {
    let rounds = args.rounds.into();
    let print = |line: Line| -> serde_json::Result<()> {
        println!("{}", serde_json::to_string(&line)?);
        Ok(())
    };
    print(Line::Machine(machine(threads, rounds)))?;
    for row in rows(&args.only) {
        print(Line::Figures(figures(&row, threads, rounds)?))?;
    }
    Ok(())
}

fn machine(threads: usize, rounds: usize) -> Machine {
    /// Beyond every cache, in elements.
    const LARGE: usize = 16 << 20;
    let stream = |stream| Bound::Elements(stream, LARGE);
    let bounds = [Bound::Flops(1 << 20), stream(Stream::Read), stream(Stream::Copy), stream(Stream::Triad)];
    let times = bench::measure(&mut bounds.map(|bound| bound.contender(threads)), rounds);
    let speed = |i: usize| bounds[i].amount() / times[i] / 1e9;
    Machine {
        machine: processor(),
        threads,
        fma_gflops: speed(0),
        read_gbs: speed(1),
        copy_gbs: speed(2),
        triad_gbs: speed(3),
    }
}

fn figures(row: &Row, threads: usize, rounds: usize) -> Result<Figures, String> {
    let mut contenders = (row.contenders)(threads);
    bench::check(&row.work, &mut contenders)?;
    contenders.push(row.bound.contender(threads));
    let times = bench::measure(&mut contenders, rounds);
    let [ours, peers @ .., bound] = &times[..] else { unreachable!("there is ours, and the bound") };
    let names = contenders[1..].iter().map(|contender| contender.name.to_owned());
    let (speed, share) = (row.bound.amount() / ours / 1e9, bound / ours);
    Ok(Figures {
        work: row.work.clone(),
        threads,
        unit: "us".into(),
        evenkeel: Some(ours * 1e6),
        peers: names.zip(peers.iter().map(|time| time * 1e6)).collect(),
        best_peer: None,
        ratio: None,
        speed: Some(match row.bound {
            Bound::Flops(_) => Speed::Arithmetic { gflops: speed, peak_share: share },
            Bound::Elements(..) => Speed::Memory { gbs: speed, bandwidth_share: share },
        }),
    })
}

/// The processor's name, where the system tells it.
fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or(std::env::consts::ARCH, |(_, name)| name).to_owned()
}
