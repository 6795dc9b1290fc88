//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::common::args::{self, between, positive, whole};
use crate::common::failure::Failure;
use crate::common::random::Numbers;
use crate::keep::Settings;

/// Arguments that a model which is only asked for names has no use for.
const OF_A_TRAINING: [&str; 13] = [
    "resume",
    "save",
    "steps",
    "report",
    "init",
    "batch",
    "lr",
    "decay",
    "hidden",
    "embedding",
    "context",
    "rng",
    "change",
];

/// Train a small network on names, then print new ones.
#[derive(Parser)]
#[command(name = "mlp", version, allow_negative_numbers = true)]
pub struct Args {
    /// A file with one name per line, spelled in a-z; `-` is standard input [default: a list of first names from many languages]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// How the weights start
    #[arg(long, value_name = "SCHEME", default_value = "kaiming", ignore_case = true)]
    pub init: Scheme,

    /// Steps of training [default: as many as suit the size of the data]
    #[arg(long, value_name = "N", value_parser = whole)]
    pub steps: Option<u64>,

    /// Examples per step
    #[arg(long, value_name = "N", default_value = "32", value_parser = between::<1, 65_536>)]
    pub batch: usize,

    /// Learning rate, until it falls to a tenth
    #[arg(long, value_name = "RATE", default_value = "0.1", value_parser = positive)]
    pub lr: f64,

    /// Step from which the learning rate is a tenth [default: half of the steps that suit the size of the data]
    #[arg(long, value_name = "STEP", value_parser = whole)]
    pub decay: Option<u64>,

    /// Units of the hidden layer
    #[arg(long, value_name = "N", default_value = "200", value_parser = between::<1, 65_536>)]
    pub hidden: usize,

    /// Numbers that stand for one symbol
    #[arg(long, value_name = "N", default_value = "10", value_parser = between::<1, 1_024>)]
    pub embedding: usize,

    /// Symbols that the next one is guessed from
    #[arg(long, value_name = "N", default_value = "3", value_parser = between::<1, 64>)]
    pub context: usize,

    /// Where random numbers come from
    #[arg(long, value_name = "GENERATOR", default_value = "chacha", ignore_case = true)]
    pub rng: Numbers,

    /// Seed of the random numbers: the same seed gives the same output
    #[arg(long, value_name = "N", default_value = "42", value_parser = whole)]
    pub seed: u64,

    /// Threads to use [default: all]; the output does not depend on it
    #[arg(long, value_name = "N", value_parser = between::<1, 1_024>)]
    pub threads: Option<usize>,

    /// How many new names to print
    #[arg(long, value_name = "N", default_value = "20", value_parser = whole)]
    pub samples: u64,

    /// Write the training to a file: every 10,000 steps, at the end, and when Ctrl-C ends it
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Go on with a training that --save wrote, with its data and its settings, up to --steps
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,

    /// Go on with it even if the settings given are others than it had
    #[arg(long, requires = "resume")]
    pub change: bool,

    /// Print names that the model in a file makes up, and train none
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_A_TRAINING)]
    pub model: Option<PathBuf>,

    /// Write a page that shows how the model starts and how it trains
    #[arg(long, value_name = "FILE.html", conflicts_with = "resume")]
    pub report: Option<PathBuf>,

    /// Print one JSON object per line and nothing else; progress goes to standard error
    #[arg(long)]
    pub json: bool,
}

/// How the weights start. Each scheme mends one more thing than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Everything standard normal: confidently wrong, and saturated
    Original,
    /// The output layer starts near zero: W2 × 0.01, b2 = 0
    SoftmaxFix,
    /// And the hidden layer small: W1 × 0.2, b1 × 0.01
    TanhFix,
    /// And W1 by the rule in place of a magic number: × (5/3)/√fan_in
    Kaiming,
    /// And batch normalization before tanh, which takes the place of all care
    #[value(name = "batchnorm")]
    #[serde(rename = "batchnorm")]
    BatchNorm,
}

impl Scheme {
    /// What it is called on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
    }
}

impl Args {
    /// Batch normalization has nothing to compare a single example with.
    fn check_batch(&self) -> Result<(), Failure> {
        if self.init != Scheme::BatchNorm || self.batch > 1 {
            return Ok(());
        }
        Err(Failure::Input("--init batchnorm normalizes over a batch; give a --batch of at least 2".into()))
    }

    /// Refuses sizes that are fine one by one and together take more memory than most machines have.
    fn check_memory(&self) -> Result<(), Failure> {
        const MOST_GIB: usize = 8;
        let fan_in = self.context * self.embedding;
        // The hidden weight, its gradient and a packed copy; of each example its input and, forward and backward, the
        // hidden layer.
        let numbers = 3 * fan_in * self.hidden + self.batch * (3 * fan_in + 5 * self.hidden);
        let gib = (numbers * size_of::<f32>()) >> 30;
        if gib < MOST_GIB {
            return Ok(());
        }
        Err(Failure::Input(format!(
            "--batch {}, --hidden {}, --context {} and --embedding {} take {gib} GiB together; make them smaller to stay \
             below {MOST_GIB}",
            self.batch, self.hidden, self.context, self.embedding
        )))
    }
}

/// The arguments; `None` where help or the version was asked for and printed. Those of a training that is resumed are as
/// they were, unless others were given.
pub fn parse() -> Result<Option<Args>, Failure> {
    let Some((mut args, matches)) = args::parse_and_tell::<Args>()? else { return Ok(None) };
    if let Some(file) = &args.resume {
        let Settings { init, batch, lr, decay, hidden, embedding, context, rng, seed, data, names: _ } =
            Settings::read(file)?;
        let given = |name| args::is_given(&matches, name);
        let keep = Args {
            init: if given("init") { args.init } else { init },
            batch: if given("batch") { args.batch } else { batch },
            lr: if given("lr") { args.lr } else { lr },
            decay: args.decay.or(Some(decay)),
            hidden: if given("hidden") { args.hidden } else { hidden },
            embedding: if given("embedding") { args.embedding } else { embedding },
            context: if given("context") { args.context } else { context },
            rng: if given("rng") { args.rng } else { rng },
            seed: if given("seed") { args.seed } else { seed },
            data: args.data.clone().or(data),
            ..args
        };
        args = keep;
    }
    args.check_memory()?;
    args.check_batch()?;
    Ok(Some(args))
}
