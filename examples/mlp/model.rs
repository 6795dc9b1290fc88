//! The model: an embedding of each symbol of the context, a hidden layer of tanh units, and the logits.

use evenkeel::init::Error;
use evenkeel::prelude::*;

use crate::cli::Scheme;
use crate::common::data::SYMBOLS;
use crate::common::random::Random;
use crate::keep::Settings;

pub struct Mlp {
    embedding: Embedding,
    hidden: Linear,
    norm: Option<BatchNorm1d>,
    output: Linear,
}

module!(Mlp { embedding, hidden, norm, output });

impl Mlp {
    /// Every scheme draws the same numbers in the same order and differs only in what it multiplies them with.
    pub fn new(settings: &Settings, random: &mut Random) -> Result<Self, evenkeel::nn::Error> {
        let (fan_in, hidden) = (settings.context * settings.embedding, settings.hidden);
        let w1 = match settings.init {
            Scheme::Original | Scheme::SoftmaxFix => 1.0,
            Scheme::TanhFix => 0.2,
            Scheme::Kaiming | Scheme::BatchNorm => {
                init::kaiming_normal(Gain::Tanh).std(&Shape::try_new(&[fan_in, hidden])?)?
            }
        };
        let b1 = match settings.init {
            Scheme::Original | Scheme::SoftmaxFix => 1.0,
            Scheme::TanhFix | Scheme::Kaiming | Scheme::BatchNorm => 0.01,
        };
        let (w2, b2) = if settings.init == Scheme::Original { (1.0, 1.0) } else { (0.01, 0.0) };
        let mut param = |std, dims| {
            Ok::<_, evenkeel::nn::Error>(Param::new(random.tensor(&init::normal(std), &Shape::try_new(dims)?)?))
        };
        Ok(Mlp {
            embedding: Embedding::of(param(1.0, &[SYMBOLS, settings.embedding])?),
            hidden: Linear { weight: param(w1, &[fan_in, hidden])?, bias: Some(param(b1, &[hidden])?) },
            norm: match settings.init {
                // As in the lecture: the running statistics are those of some thousand batches.
                Scheme::BatchNorm => Some(BatchNorm1d::new(hidden).with_momentum(0.001)?),
                _ => None,
            },
            output: Linear { weight: param(w2, &[hidden, SYMBOLS])?, bias: Some(param(b2, &[SYMBOLS])?) },
        })
    }

    /// Contexts `[B, context]` to logits `[B, 27]`.
    pub fn forward<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        let x = self.embedding.forward(tape, contexts).flatten(1); // [B, context · embedding]
        let mut h = self.hidden.forward(x); // [B, hidden]
        if let Some(norm) = &self.norm {
            h = norm.forward(h);
        }
        self.output.forward(h.tanh())
    }

    /// The symbols of a new name, drawn one after the other until its end or `most`.
    pub fn name(&self, context: usize, most: usize, random: &mut Random) -> Result<Vec<usize>, Error> {
        let mut tape = Tape::no_grad();
        let mut window = vec![0; context];
        let mut name = Vec::new();
        while name.len() < most {
            let contexts = Tensor::from_vec(window.clone(), [1, context]);
            let p = self.forward(&tape, &contexts).value().softmax(-1);
            tape.reset();
            let symbol = random.choice(&p.select(0, 0))?;
            if symbol == 0 {
                break;
            }
            name.push(symbol);
            window.rotate_left(1);
            window[context - 1] = symbol as i64;
        }
        Ok(name)
    }
}
