//! What both examples are told on the command line, and what they say in the end.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use evenkeel::nn::ranks::Ranks;
use evenkeel::prelude::*;
use evenkeel_mpi::World;

/// Train on all processes that `mpirun` starts.
#[derive(Parser)]
pub(crate) struct Args {
    /// Steps of training
    #[arg(long, default_value_t = 500)]
    pub(crate) steps: u64,
    /// Rows of a batch, of all ranks together
    #[arg(long, default_value_t = 64)]
    pub(crate) batch: usize,
    /// Rows of a shard: a batch has as many shards as ranks at least, or some have nothing to do
    #[arg(long, default_value_t = 8)]
    pub(crate) shard: usize,
    /// Batches that make a step
    #[arg(long, default_value_t = 1)]
    pub(crate) accumulate: u64,
    /// Scale gradients down to this norm
    #[arg(long)]
    pub(crate) clip: Option<f64>,
    /// Share of the hidden units that dropout leaves out
    #[arg(long, default_value_t = 0.0)]
    pub(crate) dropout: f64,
    /// Whether each rank keeps a part of the moments [default: where nobody looks at all gradients]
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) shard_moments: Option<bool>,
    /// Add gradients in the order that MPI likes best: other bits
    #[arg(long)]
    pub(crate) any_order: bool,
    /// Whether gradients are sent while the backward pass goes on [default: where there is a core to spare]
    #[arg(long)]
    pub(crate) overlap: Option<bool>,
    /// Bytes of gradients that are sent at once
    #[arg(long, default_value_t = 4 << 20)]
    pub(crate) bucket: usize,
    /// Threads of each rank [default: all of the machine's]
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Seed of weights, batches and dropout
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Write the training to a file, and go on from the one that is there
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Steps from one such file to the next
    #[arg(long, default_value_t = 100)]
    pub(crate) save_every: u64,
    /// Seconds that a rank is waited for
    #[arg(long, default_value_t = 300.0)]
    pub(crate) patience: f64,
    /// Print nothing until the end
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl Args {
    /// The ranks, with what is set of them.
    fn ranks(&self, world: &World) -> Ranks {
        let mut ranks = world.ranks().bucket_bytes(self.bucket);
        if let Some(shards) = self.shard_moments {
            ranks = ranks.shard_moments(shards);
        }
        if self.any_order {
            ranks = ranks.any_order();
        }
        if let Some(overlap) = self.overlap {
            ranks = ranks.overlap(overlap);
        }
        ranks
    }

    /// A fit with all that is set alike for both nets.
    pub(crate) fn fit<'a, M: Module>(&self, steps: u64, batches: Batches, ranks: Ranks) -> Fit<'a, M> {
        let mut fit = Fit::steps(steps)
            .batches(batches.shuffled(self.seed))
            .shards(self.shard)
            .accumulate(self.accumulate)
            .seed(self.seed)
            .ranks(ranks);
        if let Some(norm) = self.clip {
            fit = fit.clip_norm(norm);
        }
        if let Some(file) = &self.save {
            fit = fit.checkpoint(file, self.save_every);
        }
        if self.quiet { fit.quiet() } else { fit }
    }
}

/// Trains on all ranks; rank 0 prints what `train` says in the end.
pub(crate) fn main(train: impl FnOnce(&Args, Ranks) -> Result<String, nn::Error> + Send) -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let world = World::init()?.patience(Duration::try_from_secs_f64(args.patience)?);
    let ranks = args.ranks(&world);
    let train = || train(&args, ranks);
    let said = match args.threads {
        Some(threads) => tensor::with_threads(threads, train)?,
        None => train(),
    };
    match said {
        Err(why) => world.end_all(why),
        Ok(said) if world.is_first() => println!("{} ranks, {said}", world.size()),
        Ok(_) => {}
    }
    Ok(())
}

/// A hash of all weights, by which two trainings can be told apart (FNV-1a).
pub(crate) fn hash(model: &impl Module) -> u64 {
    let bytes = |value: &Tensor| value.to_vec().into_iter().flat_map(|x| x.to_bits().to_le_bytes()).collect::<Vec<_>>();
    let all = model.state_dict().into_iter().flat_map(|(_, param)| bytes(param.value()));
    all.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
