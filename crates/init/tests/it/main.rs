//! What the schemes promise, from outside.

mod contract;
mod distributions;
mod refusals;
mod signal;
mod torch;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}
