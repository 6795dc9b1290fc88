//! The model: an embedding of each symbol of the context, a hidden layer of tanh units, and the logits.

use evenkeel::prelude::*;
use rand::{Rng, RngExt};

use crate::cli::{Args, Scheme};
use crate::data::SYMBOLS;
use crate::draw::draw;

pub struct Mlp {
    embedding: Embedding,
    hidden: Linear,
    output: Linear,
}

module!(Mlp { embedding, hidden, output });

impl Mlp {
    /// Every scheme draws the same numbers in the same order and differs only in what it multiplies them with.
    pub fn new(args: &Args, rng: &mut impl Rng) -> Result<Self, evenkeel::nn::Error> {
        let fan_in = args.context * args.embedding;
        let hidden_weight: &dyn Initializer = match args.init {
            Scheme::Original | Scheme::SoftmaxFix => &normal(1.0),
            Scheme::TanhFix => &normal(0.2),
            Scheme::Kaiming => &kaiming_normal(Gain::Tanh),
        };
        let hidden_bias = match args.init {
            Scheme::Original | Scheme::SoftmaxFix => normal(1.0),
            Scheme::TanhFix | Scheme::Kaiming => normal(0.01),
        };
        let (output_weight, output_bias) = match args.init {
            Scheme::Original => (normal(1.0), normal(1.0)),
            Scheme::SoftmaxFix | Scheme::TanhFix | Scheme::Kaiming => (normal(0.01), normal(0.0)),
        };
        Ok(Mlp {
            embedding: Embedding::new(SYMBOLS, args.embedding, &normal(1.0), rng)?,
            hidden: Linear::new(fan_in, args.hidden, hidden_weight, rng)?.with_bias(&hidden_bias, rng)?,
            output: Linear::new(args.hidden, SYMBOLS, &output_weight, rng)?.with_bias(&output_bias, rng)?,
        })
    }

    /// Contexts `[B, context]` to logits `[B, 27]`.
    pub fn forward<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        let x = self.embedding.forward(tape, contexts).flatten(1); // [B, context · embedding]
        let h = self.hidden.forward(x).tanh(); // [B, hidden]
        self.output.forward(h)
    }

    /// The symbols of a new name, drawn one after the other until its end or `most`.
    pub fn name(&self, context: usize, most: usize, rng: &mut impl Rng) -> Vec<usize> {
        let mut tape = Tape::no_grad();
        let mut window = vec![0; context];
        let mut name = Vec::new();
        while name.len() < most {
            let contexts = Tensor::from_vec(window.clone(), [1, context]);
            let p = self.forward(&tape, &contexts).value().softmax(-1);
            tape.reset();
            let symbol = draw(p.iter(), rng.random());
            if symbol == 0 {
                break;
            }
            name.push(symbol);
            window.rotate_left(1);
            window[context - 1] = symbol as i64;
        }
        name
    }
}
