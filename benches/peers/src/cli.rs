//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::RangedI64ValueParser;

/// Measure Evenkeel beside other libraries, in turns within one run. All figures are medians over the rounds.
#[derive(Parser)]
#[command(version)]
pub struct Args {
    /// Print one JSON object per row, as soon as it is measured
    #[arg(long)]
    pub json: bool,

    /// Measure only the rows whose name contains this, such as "tanh"
    #[arg(long, value_name = "SUBSTRING", default_value = "", hide_default_value = true)]
    pub only: String,

    /// How often each contender has its turn
    #[arg(long, value_name = "N", default_value = "15", value_parser = at_least_one())]
    pub rounds: u16,

    /// Numbers of threads, each measured in a process of its own
    #[arg(long, value_name = "N,N", default_value = "1,2", value_delimiter = ',', value_parser = at_least_one())]
    pub threads: Vec<u16>,

    /// What torch_ops.py printed, to be joined in as a peer; it was not measured in turns with the others
    #[arg(long, value_name = "FILE.jsonl")]
    pub torch: Option<PathBuf>,

    /// Measure here, at this number of threads: the environment has been set for it
    #[arg(long, value_name = "N", hide = true)]
    pub child: Option<u16>,
}

fn at_least_one() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}
