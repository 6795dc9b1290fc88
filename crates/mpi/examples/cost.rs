//! What it costs to add up gradients, as a formula of the number of ranks and of bytes, and what that says of networks that are not here:
//!
//! for n in 2 4; do mpirun -n $n cargo run --release --example cost -- measure costs.txt; done
//! cargo run --release --example cost -- fit costs.txt
//!
//! The formula is that of Thakur, Rabenseifner and Gropp (2005, *Optimization of Collective Communication Operations in MPICH*) for what
//! [`Ranks`] does: each rank sends a part to each other, adds up what it gets, and sends each other the sum,
//!
//! t = 2 (p − 1) α + (p − 1)/p · n (2 β + γ)
//!
//! with p ranks, n bytes, α seconds for a message, β for a byte of it, and γ for adding a byte.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use evenkeel::nn::ranks::Ranks;
use evenkeel::prelude::*;
use evenkeel_mpi::World;

#[derive(Parser)]
struct Args {
    /// What to do
    what: What,
    /// Measurements: ranks, bytes, seconds
    file: std::path::PathBuf,
    /// Seconds of a step of one rank alone, of the net that learns names, and of 784, 1,024, 1,024 and 10 units
    #[arg(long, num_args = 2, default_values_t = [37e-6, 12.5e-3])]
    steps: Vec<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Adds a measurement of each size to the file
    Measure,
    /// Fits the formula to all that the file has
    Fit,
}

/// The median seconds that the sum of gradients of so many numbers takes, on these ranks.
fn seconds(ranks: &mut Ranks, numbers: usize) -> Result<f64, nn::Error> {
    let model = Param::new(Tensor::ones([numbers]));
    let rows: Tensor<i64> = (0..ranks.size() as i64).collect();
    let times = (0..if numbers > 1 << 18 { 40 } else { 400 }).map(|step| {
        let began = Instant::now();
        ranks.backward(&model, &rows, 1, [0, step], |w, tape, _| w.on(tape).sum(..))?;
        Ok(began.elapsed().as_secs_f64())
    });
    let mut times = times.collect::<Result<Vec<_>, nn::Error>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn measure(file: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let world = World::init()?;
    let mut lines = String::new();
    for power in 8..=22 {
        let numbers = 1 << power;
        let own = tensor::with_threads(1, || seconds(&mut Ranks::alone(), numbers))??;
        let mut ranks: Ranks = world.ranks().overlap(false);
        let all = tensor::with_threads(1, || seconds(&mut ranks, numbers))??;
        lines += &format!("{} {} {:e}\n", world.size(), 4 * numbers, (all - own).max(0.0));
    }
    if world.is_first() {
        OpenOptions::new().create(true).append(true).open(file)?.write_all(lines.as_bytes())?;
    }
    Ok(())
}

/// Seconds of a message, and of a byte that is sent twice and added once.
struct Cost {
    message: f64,
    byte: f64,
}

impl Cost {
    /// What each is multiplied by.
    fn terms(ranks: f64, bytes: f64) -> [f64; 2] {
        [2.0 * (ranks - 1.0), (ranks - 1.0) / ranks * bytes]
    }

    fn seconds(&self, ranks: f64, bytes: f64) -> f64 {
        let [messages, moved] = Cost::terms(ranks, bytes);
        messages * self.message + moved * self.byte
    }

    /// The costs whose relative errors have the least squares.
    fn fitted(points: &[[f64; 3]]) -> Self {
        let (mut square, mut mixed, mut other, mut right) = (0.0, 0.0, 0.0, [0.0; 2]);
        for &[ranks, bytes, seconds] in points {
            let [a, b] = Cost::terms(ranks, bytes).map(|term| term / seconds);
            (square, mixed, other) = (square + a * a, mixed + a * b, other + b * b);
            right = [right[0] + a, right[1] + b];
        }
        let determinant = square * other - mixed * mixed;
        let message = (right[0] * other - right[1] * mixed) / determinant;
        Cost { message, byte: (square * right[1] - mixed * right[0]) / determinant }
    }
}

/// Seconds for adding a byte.
fn adding() -> f64 {
    let (mut sum, more) = (vec![1.0_f32; 1 << 20], vec![1.0_f32; 1 << 20]);
    let times = (0..50).map(|_| {
        let began = Instant::now();
        sum.iter_mut().zip(&more).for_each(|(sum, more)| *sum += more);
        began.elapsed().as_secs_f64()
    });
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    assert!(sum[7] > 1.0);
    times[25] / (4 << 20) as f64
}

/// Networks: what they are called, seconds for a message, and for a byte, as they are usually measured.
const NETWORKS: [(&str, f64, f64); 3] = [
    ("1 Gbit/s Ethernet", 50e-6, 1.0 / 118e6),
    ("25 Gbit/s Ethernet", 15e-6, 1.0 / 2.9e9),
    ("InfiniBand, 100 Gbit/s", 1.5e-6, 1.0 / 12e9),
];

fn fit(file: &std::path::Path, steps: &[f64]) -> Result<(), Box<dyn Error>> {
    let (text, mut out) = (std::fs::read_to_string(file)?, std::io::stdout().lock());
    let line = |line: &str| -> Option<[f64; 3]> {
        let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
        numbers.try_into().ok()
    };
    let points: Vec<[f64; 3]> = text.lines().filter_map(line).filter(|[_, _, seconds]| *seconds > 0.0).collect();
    for ranks in [2.0, 4.0] {
        let own: Vec<[f64; 3]> = points.iter().copied().filter(|[of, ..]| *of == ranks).collect();
        if own.len() < 2 {
            continue;
        }
        let cost = Cost::fitted(&own);
        writeln!(
            out,
            "{ranks} ranks: {:.2} us a message, {:.3} ns a byte there and back",
            1e6 * cost.message,
            1e9 * cost.byte
        )?;
        let error = |&[ranks, bytes, seconds]: &[f64; 3]| (cost.seconds(ranks, bytes) / seconds - 1.0).abs();
        let mut errors: Vec<f64> = own.iter().map(error).collect();
        errors.sort_by(f64::total_cmp);
        writeln!(
            out,
            "  off by {:.0} % in the median, {:.0} % at most, from {} to {} bytes",
            100.0 * errors[errors.len() / 2],
            100.0 * errors[errors.len() - 1],
            own[0][1],
            own[own.len() - 1][1]
        )?;
    }
    let adding = adding();
    writeln!(out, "adding a byte: {:.3} ns", 1e9 * adding)?;
    writeln!(out, "\nA prediction, of machines with a rank each: ms of a step, and efficiency beside one rank alone")?;
    writeln!(out, "with nothing sent meanwhile.")?;
    for ((net, bytes), step) in
        [("the names", 4.0 * 11_897.0), ("784-1024-1024-10", 4.0 * 1_863_690.0)].into_iter().zip(steps)
    {
        writeln!(out, "\n| {net}, ranks | {} |", NETWORKS.map(|(name, ..)| name).join(" | "))?;
        writeln!(out, "|---|---|---|---|")?;
        for ranks in [8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0] {
            let cells = NETWORKS.map(|(_, message, byte)| {
                let cost = Cost { message, byte: 2.0 * byte + adding };
                // And the losses, which all gather from all in log₂ p messages.
                let all = step + cost.seconds(ranks, bytes) + ranks.log2().ceil() * message;
                format!("{:.2}, {:.0} %", 1e3 * all, 100.0 * step / all)
            });
            writeln!(out, "| {ranks} | {} |", cells.join(" | "))?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    match args.what {
        What::Measure => measure(&args.file),
        What::Fit => fit(&args.file, &args.steps),
    }
}
