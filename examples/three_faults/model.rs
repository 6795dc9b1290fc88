//! The lecture's model, with weights of any scale.

use evenkeel::nn::Error;
use evenkeel::prelude::*;

use crate::Case;
use crate::common::data::SYMBOLS;
use crate::common::random::Random;

/// Symbols that the next one is guessed from.
pub const CONTEXT: usize = 3;

/// Numbers that stand for one symbol.
const EMBEDDING: usize = 10;

/// Units of each hidden layer.
const HIDDEN: usize = 200;

pub struct Names {
    embedding: Embedding,
    hidden: Vec<Linear>,
    output: Linear,
}

module!(Names { embedding, hidden, output });

impl Names {
    pub fn new(case: &Case, random: &mut Random) -> Result<Self, Error> {
        let embedding = Param::new(random.tensor(&init::normal(1.0), &Shape::from([SYMBOLS, EMBEDDING]))?);
        let mut linear = |fan_in: usize, fan_out: usize, std: f64| {
            let weight = Param::new(random.tensor(&init::normal(std), &Shape::from([fan_in, fan_out]))?);
            Ok::<_, Error>(Linear { weight, bias: Some(Param::new(Tensor::zeros([fan_out]))) })
        };
        let mut hidden = Vec::new();
        let mut fan_in = CONTEXT * EMBEDDING;
        for _ in 0..case.layers {
            hidden.push(linear(fan_in, HIDDEN, case.hidden / (fan_in as f64).sqrt())?);
            fan_in = HIDDEN;
        }
        let output = linear(fan_in, SYMBOLS, case.output)?;
        Ok(Names { embedding: Embedding::of(embedding), hidden, output })
    }

    /// Contexts `[B, 3]` to logits `[B, 27]`.
    pub fn forward<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        let x = self.embedding.forward(tape, contexts).flatten(1);
        self.output.forward(self.hidden.iter().fold(x, |x, layer| layer.forward(x).tanh()))
    }
}
