#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

pub use {autograd, init, nn, tensor};

/// What most programs need: `use evenkeel::prelude::*;`
pub mod prelude {
    pub use autograd::{Gradients, Tape, Var};
    pub use init::{Gain, Initializer, kaiming_normal, kaiming_uniform, normal, zeros};
    pub use nn::{Embedding, Layer, Linear, Module, Param, Sgd, module};
    pub use rand_chacha::ChaCha8Rng;
    pub use rand_chacha::rand_core::SeedableRng;
    pub use tensor::{Float, Shape, Tensor, keepdim};
}
