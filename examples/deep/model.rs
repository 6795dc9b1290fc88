//! The model: an embedding, hidden layers one after the other, and the logits.

use evenkeel::nn::Error;
use evenkeel::prelude::*;

use crate::Args;
use crate::common::data::SYMBOLS;
use crate::common::random::Random;

/// Symbols that the next one is guessed from.
pub const CONTEXT: usize = 3;

/// Numbers that stand for one symbol.
const EMBEDDING: usize = 10;

/// How small the last layer is: it makes the first loss ln 27.
const LAST: f64 = 0.1;

/// A linear layer, and batch normalization if there is one. Without, its bias is 0; with it, a bias would be without effect.
struct Block {
    linear: Linear,
    norm: Option<BatchNorm1d>,
}

module!(Block { linear, norm });

impl Block {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let y = self.linear.forward(x);
        match &self.norm {
            Some(norm) => norm.forward(y),
            None => y,
        }
    }
}

pub struct Deep {
    embedding: Embedding,
    layers: Vec<Block>,
    output: Block,
    linear: bool,
}

module!(Deep { embedding, layers, output, .. });

impl Deep {
    pub fn new(args: &Args, random: &mut Random) -> Result<Self, Error> {
        let embedding = Param::new(random.tensor(&init::normal(1.0), &Shape::from([SYMBOLS, EMBEDDING]))?);
        let mut block = |fan_in: usize, fan_out: usize, gain: f64| {
            let divisor = if args.no_fan_in { 1.0 } else { (fan_in as f64).sqrt() };
            let weight = random.tensor(&init::normal(gain / divisor), &Shape::try_new(&[fan_in, fan_out])?)?;
            let norm = if args.batchnorm { Some(BatchNorm1d::new(fan_out).with_momentum(0.001)?) } else { None };
            let bias = (!args.batchnorm).then(|| Param::new(Tensor::zeros([fan_out])));
            Ok::<_, Error>(Block { linear: Linear { weight: Param::new(weight), bias }, norm })
        };
        let mut layers = Vec::new();
        let mut fan_in = CONTEXT * EMBEDDING;
        for _ in 0..args.layers {
            layers.push(block(fan_in, args.hidden, args.gain)?);
            fan_in = args.hidden;
        }
        // Where the output is normalized, its scale is that of the normalization.
        let mut output = block(fan_in, SYMBOLS, if args.batchnorm { 1.0 } else { LAST })?;
        if let Some(weight) = output.norm.as_mut().and_then(|norm| norm.weight.as_mut()) {
            *weight.value_mut() *= LAST as f32;
        }
        Ok(Deep { embedding: Embedding::of(embedding), layers, output, linear: args.linear })
    }

    /// Contexts `[B, 3]` to logits `[B, 27]`.
    pub fn forward<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        let mut x = self.embedding.forward(tape, contexts).flatten(1);
        for layer in &self.layers {
            x = layer.forward(x);
            if !self.linear {
                x = x.tanh();
            }
        }
        self.output.forward(x)
    }
}
