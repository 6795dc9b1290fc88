//! The models, each written once for all libraries.

use super::ops::{Input, Ops};
use super::numbers::{EXAMPLES, uniform, whole};

/// Letters, and the mark of an end.
const SYMBOLS: usize = 27;
/// The lecture's width of the hierarchical net's layers.
const HIDDEN: usize = 128;
/// Of the recurrent net and the transformer: their width and the length of their sequences.
const WIDTH: usize = 64;
const LENGTH: usize = 16;
const HEADS: usize = 4;

#[derive(Clone, Copy)]
pub struct Model {
    pub name: &'static str,
    pub net: Net,
    pub batch: usize,
    pub rule: Rule,
}

/// A rule with its rate.
#[derive(Clone, Copy)]
pub enum Rule {
    Sgd(f64),
    AdamW(f64),
}

#[derive(Clone, Copy)]
pub enum Net {
    /// An embedding of 10 of three symbols, tanh layers of these widths, and a linear one.
    Lecture(&'static [usize]),
    /// Features, tanh layers and a linear one, of these widths.
    Dense(&'static [usize]),
    /// Eight symbols of an embedding of 24, joined in pairs three times, with batch norm before each tanh.
    Hierarchical,
    /// An embedding, gated recurrent units, and a linear layer on the last state.
    Gru,
    /// An embedding, one block with the norms before attention and GELU, and a linear layer, which predicts every symbol.
    Transformer,
}

pub fn all() -> [Model; 7] {
    let model = |name, net, batch, rule| Model { name, net, batch, rule };
    [
        model("lecture 30-200-27, batch 32", Net::Lecture(&[200]), 32, Rule::Sgd(0.1)),
        model("wide 30-1024-27, batch 512", Net::Lecture(&[1024]), 512, Rule::Sgd(0.1)),
        model("dense 784-1024-1024-10, batch 256, AdamW", Net::Dense(&[784, 1024, 1024, 10]), 256, Rule::AdamW(1e-3)),
        model("deep 30-5x100-27, batch 32", Net::Lecture(&[100; 5]), 32, Rule::Sgd(0.1)),
        model("hierarchical, batch 32", Net::Hierarchical, 32, Rule::Sgd(0.1)),
        model("gru 64, 16 steps, batch 32", Net::Gru, 32, Rule::Sgd(0.1)),
        model("transformer block 64, batch 32, AdamW", Net::Transformer, 32, Rule::AdamW(1e-3)),
    ]
}

/// A weight as it is before the first step.
pub struct Weight {
    pub dims: [usize; 2],
    pub values: Vec<f32>,
}

/// The examples, and as many targets for each as the model has predictions.
pub struct Data {
    /// None where the model has features.
    pub symbols: Vec<i64>,
    /// None where it has symbols.
    pub features: Vec<f32>,
    /// How many of either make an example.
    pub width: usize,
    pub targets: Vec<i64>,
    pub predictions: usize,
}

impl Net {
    /// A matrix is uniform, with a bound of 1 / √fan_in, an embedding with a bound of 1; gains are one, biases zero.
    pub fn weights(self) -> Vec<Weight> {
        let mut weights: Vec<Weight> = Vec::new();
        let constant = |width, x| Weight { dims: [1, width], values: vec![x; width] };
        let mut seed = 0;
        let mut matrix = |dims: [usize; 2], bound: f64| {
            seed += 1;
            Weight { dims, values: uniform(seed, dims[0] * dims[1], bound) }
        };
        let mut linear = |weights: &mut Vec<Weight>, from: usize, to: usize| {
            weights.extend([matrix([from, to], (from as f64).powf(-0.5)), constant(to, 0.0)]);
        };
        match self {
            Net::Lecture(hidden) => {
                weights.push(table(10));
                let widths: Vec<usize> = [&[30], hidden, &[SYMBOLS]].concat();
                widths.windows(2).for_each(|pair| linear(&mut weights, pair[0], pair[1]));
            }
            Net::Dense(widths) => widths.windows(2).for_each(|pair| linear(&mut weights, pair[0], pair[1])),
            Net::Hierarchical => {
                weights.push(table(24));
                for from in [48, 2 * HIDDEN, 2 * HIDDEN] {
                    linear(&mut weights, from, HIDDEN);
                    // The norm's bias is the layer's.
                    let bias = weights.pop().expect("it was just pushed");
                    weights.extend([constant(HIDDEN, 1.0), bias]);
                }
                linear(&mut weights, HIDDEN, SYMBOLS);
            }
            Net::Gru => {
                weights.push(table(WIDTH));
                linear(&mut weights, WIDTH, 3 * WIDTH);
                linear(&mut weights, WIDTH, 3 * WIDTH);
                linear(&mut weights, WIDTH, SYMBOLS);
            }
            Net::Transformer => {
                weights.push(table(WIDTH));
                weights.extend([constant(WIDTH, 1.0), constant(WIDTH, 0.0)]);
                linear(&mut weights, WIDTH, 3 * WIDTH);
                linear(&mut weights, WIDTH, WIDTH);
                weights.extend([constant(WIDTH, 1.0), constant(WIDTH, 0.0)]);
                linear(&mut weights, WIDTH, 4 * WIDTH);
                linear(&mut weights, 4 * WIDTH, WIDTH);
                linear(&mut weights, WIDTH, SYMBOLS);
            }
        }
        weights
    }

    pub fn data(self) -> Data {
        let (width, predictions, classes) = match self {
            Net::Lecture(_) => (3, 1, SYMBOLS),
            Net::Dense(widths) => (widths[0], 1, widths[widths.len() - 1]),
            Net::Hierarchical => (8, 1, SYMBOLS),
            Net::Gru => (LENGTH, 1, SYMBOLS),
            Net::Transformer => (LENGTH, LENGTH, SYMBOLS),
        };
        let is_dense = matches!(self, Net::Dense(_));
        Data {
            symbols: if is_dense { vec![] } else { whole(101, EXAMPLES * width, SYMBOLS) },
            features: if is_dense { uniform(102, EXAMPLES * width, 1.0) } else { vec![] },
            width,
            targets: whole(103, EXAMPLES * predictions, classes),
            predictions,
        }
    }

    /// The logits, a row for each prediction.
    pub fn logits<O: Ops>(self, weights: &[O::Value], input: &Input<O>, batch: usize) -> O::Value {
        let mut weights = weights.iter();
        let mut next = || weights.next().expect("as many weights as `weights` makes");
        let mut x = match input {
            Input::Symbols(symbols) => O::embedding(next(), symbols),
            Input::Features(x) => x.clone(),
        };
        match self {
            Net::Lecture(hidden) => {
                for _ in hidden {
                    x = O::tanh(&O::linear(&x, next(), Some(next())));
                }
            }
            Net::Dense(widths) => {
                for _ in 0..widths.len() - 2 {
                    x = O::tanh(&O::linear(&x, next(), Some(next())));
                }
            }
            Net::Hierarchical => {
                for (places, from) in [(4, 48), (2, 2 * HIDDEN), (1, 2 * HIDDEN)] {
                    let pairs = O::reshape(&x, [batch * places, from]);
                    x = O::tanh(&O::batch_norm(&O::linear(&pairs, next(), None), next(), next()));
                }
            }
            Net::Gru => x = O::gru(&x, LENGTH, [next(), next(), next(), next()]),
            Net::Transformer => {
                x = O::reshape(&x, [batch * LENGTH, WIDTH]);
                let qkv = O::linear(&O::layer_norm(&x, next(), next()), next(), Some(next()));
                let seen = O::attention(&qkv, LENGTH, HEADS);
                x = O::add(&x, &O::linear(&seen, next(), Some(next())));
                let wide = O::gelu(&O::linear(&O::layer_norm(&x, next(), next()), next(), Some(next())));
                x = O::add(&x, &O::linear(&wide, next(), Some(next())));
            }
        }
        O::linear(&x, next(), Some(next()))
    }
}

impl Model {
    /// Roughly what a step takes: each weight of a matrix meets each of its rows forward, and twice backward.
    pub fn flops(&self) -> usize {
        let rows = |i: usize, matrices: usize| match self.net {
            Net::Hierarchical => self.batch * [4, 2, 1, 1][i],
            Net::Gru if i + 1 == matrices => self.batch,
            Net::Gru | Net::Transformer => self.batch * LENGTH,
            Net::Lecture(_) | Net::Dense(_) => self.batch,
        };
        let skipped = usize::from(!matches!(self.net, Net::Dense(_)));
        let weights = self.net.weights();
        let matrices: Vec<usize> =
            weights.iter().skip(skipped).filter(|w| w.dims[0] > 1).map(|w| w.values.len()).collect();
        matrices.iter().enumerate().map(|(i, len)| 6 * len * rows(i, matrices.len())).sum()
    }
}

/// The embedding.
fn table(width: usize) -> Weight {
    Weight { dims: [SYMBOLS, width], values: uniform(100, SYMBOLS * width, 1.0) }
}
