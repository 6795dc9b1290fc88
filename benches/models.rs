//! The models whose steps are measured, made of layers.

#![allow(dead_code, reason = "not every bench uses all of them")]

use evenkeel::nn::FlattenConsecutive;
use evenkeel::prelude::*;

pub(crate) const EXAMPLES: usize = 20_000;
pub(crate) const SYMBOLS: usize = 27;

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Numbers of symbols or of examples.
pub(crate) fn whole(end: usize, dims: &[usize], seed: u64) -> Tensor<i64> {
    init::randint(end as i64, dims, &mut rng(seed)).expect("it is small")
}

pub(crate) fn sgd() -> Optimizer {
    Optimizer::new(Sgd::default(), 0.1).expect("a rate")
}

pub(crate) fn adamw() -> Optimizer {
    Optimizer::new(AdamW::default(), 1e-3).expect("a rate")
}

/// An embedding, and layers.
pub(crate) struct Net<L> {
    pub(crate) embedding: Embedding,
    pub(crate) layers: L,
    pub(crate) output: Linear,
}

module!(impl<L: Module> Net<L> { embedding, layers, output });

pub(crate) fn net<L>(width: usize, layers: L, last: usize) -> Net<L> {
    let rng = &mut rng(2);
    let embedding = Embedding::new_torch(SYMBOLS, width, rng).expect("it is small");
    Net { embedding, layers, output: Linear::new_torch(last, SYMBOLS, rng).expect("it is small") }
}

/// Tanh layers of these widths.
pub(crate) fn tanh(widths: &[usize]) -> Sequential {
    let mut layers = Sequential(Vec::new());
    for pair in widths.windows(2) {
        layers.push(Linear::new_torch(pair[0], pair[1], &mut rng(3)).expect("it is small"));
        layers.push(Activation::Tanh);
    }
    layers
}

pub(crate) fn hierarchical() -> Sequential {
    let mut layers = Sequential(Vec::new());
    for fan_in in [48, 256, 256] {
        layers.push(FlattenConsecutive::new(2).expect("two is enough"));
        layers.push(Linear { bias: None, ..Linear::new_torch(fan_in, 128, &mut rng(3)).expect("it is small") });
        layers.push(BatchNorm1d::new(128).channels_last());
        layers.push(Activation::Tanh);
    }
    layers
}
