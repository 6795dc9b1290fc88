//! Where random numbers come from.

use clap::ValueEnum;
use evenkeel::init::torch::{Generator, PythonRandom};
use evenkeel::init::{Error, Initializer, Normal};
use evenkeel::prelude::*;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::draw::draw;

/// Where random numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// ChaCha8, as everywhere in Evenkeel
    Chacha,
    /// As in the lecture's notebook: PyTorch's generator, and Python's for the split
    Torch,
}

/// The random numbers of a run, by what they are for.
pub enum Random {
    /// Independent streams of one seed, so that a change of the initialization leaves the batches as they are.
    Chacha { weights: Box<ChaCha8Rng>, batches: Box<ChaCha8Rng>, samples: Box<ChaCha8Rng> },
    /// As the lecture's notebook does it: one generator of PyTorch's for the weights, then the batches; another for the
    /// samples.
    Torch { generator: Box<Generator>, samples: Box<Generator> },
}

impl Random {
    pub fn new(numbers: Numbers, seed: u64) -> Self {
        match numbers {
            Numbers::Chacha => {
                let [weights, batches, samples] = [0, 1, 2].map(|stream| {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream(stream);
                    Box::new(rng)
                });
                Random::Chacha { weights, batches, samples }
            }
            Numbers::Torch => {
                let [generator, samples] =
                    [0, 10].map(|more| Box::new(Generator::manual_seed(seed.wrapping_add(more))));
                Random::Torch { generator, samples }
            }
        }
    }

    /// A weight or a bias.
    pub fn tensor(&mut self, scheme: &Normal, shape: &Shape) -> Result<Tensor, Error> {
        match self {
            Random::Chacha { weights, .. } => scheme.init(shape, weights),
            Random::Torch { generator, .. } => generator.init(scheme, shape),
        }
    }

    /// So many indices below `len`, drawn with replacement.
    pub fn batch(&mut self, len: usize, size: usize) -> Result<Vec<usize>, Error> {
        match self {
            Random::Chacha { batches, .. } => Ok((0..size).map(|_| batches.random_range(0..len)).collect()),
            Random::Torch { generator, .. } => {
                Ok(generator.randint(0, len as i64, [size])?.iter().map(|i| i as usize).collect())
            }
        }
    }

    /// One of several, by their probabilities `[n]`.
    pub fn choice(&mut self, p: &Tensor) -> Result<usize, Error> {
        match self {
            Random::Chacha { samples, .. } => Ok(draw(p.iter(), samples.random())),
            Random::Torch { samples, .. } => Ok(samples.multinomial(p, 1, true)?.item() as usize),
        }
    }
}

/// Brings names into an order that no `--seed` changes, so that runs are compared on the same split: which names are set
/// aside moves the validation loss by ±0.01 on the lecture's data, more than the weights do.
pub fn shuffle(names: &mut [String], numbers: Numbers) {
    match numbers {
        Numbers::Chacha => {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            for i in (1..names.len()).rev() {
                names.swap(i, rng.random_range(0..=i));
            }
        }
        // The lecture's: random.seed(42); random.shuffle(words).
        Numbers::Torch => PythonRandom::seed(42).shuffle(names),
    }
}
