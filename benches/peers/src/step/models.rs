//! The models, each written once for all libraries.

use super::ops::{Convolution, Input, Ops};
use super::numbers::{uniform, whole};

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
    /// Two convolutions of 5 × 5 with relu and max pools of 2 × 2, on 28 × 28 pixels, and three linear layers (LeCun et al. 1998).
    LeNet,
    /// So many residual blocks each of 16, 32 and 64 channels on three channels of 32 × 32 pixels, batch norm after each convolution, a
    /// convolution of 1 × 1 beside the first block of a stage (He et al. 2015: with three blocks, ResNet-20 with shortcuts B).
    Residual(usize),
}

pub fn all() -> [Model; 10] {
    let model = |name, net, batch, rule| Model { name, net, batch, rule };
    [
        model("lecture 30-200-27, batch 32", Net::Lecture(&[200]), 32, Rule::Sgd(0.1)),
        model("wide 30-1024-27, batch 512", Net::Lecture(&[1024]), 512, Rule::Sgd(0.1)),
        model("dense 784-1024-1024-10, batch 256, AdamW", Net::Dense(&[784, 1024, 1024, 10]), 256, Rule::AdamW(1e-3)),
        model("deep 30-5x100-27, batch 32", Net::Lecture(&[100; 5]), 32, Rule::Sgd(0.1)),
        model("hierarchical, batch 32", Net::Hierarchical, 32, Rule::Sgd(0.1)),
        model("gru 64, 16 steps, batch 32", Net::Gru, 32, Rule::Sgd(0.1)),
        model("transformer block 64, batch 32, AdamW", Net::Transformer, 32, Rule::AdamW(1e-3)),
        model("lenet-5, batch 64", Net::LeNet, 64, Rule::Sgd(0.1)),
        model("lenet-5, batch 1", Net::LeNet, 1, Rule::Sgd(0.01)),
        model("resnet-20, batch 128", Net::Residual(3), 128, Rule::Sgd(0.01)),
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
    /// How many examples there are to choose from.
    pub fn examples(self) -> usize {
        if matches!(self, Net::Residual(_)) { 2_000 } else { 20_000 }
    }

    /// In the order in which their weights come.
    fn convolutions(self) -> Vec<Convolution> {
        match self {
            Net::LeNet => vec![
                Convolution { channels: 1, out: 6, side: 28, kernel: 5, stride: 1, padding: 2 },
                Convolution { channels: 6, out: 16, side: 14, kernel: 5, stride: 1, padding: 0 },
            ],
            Net::Residual(blocks) => {
                let mut all = vec![Convolution { channels: 3, out: 16, side: 32, kernel: 3, stride: 1, padding: 1 }];
                for (width, side) in [(16, 32), (32, 16), (64, 8)] {
                    for block in 0..blocks {
                        let is_new = block == 0 && width > 16;
                        let (channels, stride) = if is_new { (width / 2, 2) } else { (width, 1) };
                        let first =
                            Convolution { channels, out: width, side: side * stride, kernel: 3, stride, padding: 1 };
                        let second = Convolution { channels: width, side, stride: 1, ..first };
                        all.extend([first, second]);
                        if is_new {
                            all.push(Convolution { kernel: 1, padding: 0, ..first });
                        }
                    }
                }
                all
            }
            _ => vec![],
        }
    }

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
            Net::LeNet | Net::Residual(_) => {
                let is_residual = matches!(self, Net::Residual(_));
                for Convolution { channels, out, kernel, .. } in self.convolutions() {
                    let fan_in = channels * kernel * kernel;
                    weights.push(matrix([out, fan_in], (fan_in as f64).powf(-0.5)));
                    weights.extend(is_residual.then(|| constant(out, 1.0)));
                    weights.push(constant(out, 0.0));
                }
                let widths: &[usize] = if is_residual { &[64, 10] } else { &[400, 120, 84, 10] };
                for pair in widths.windows(2) {
                    weights.push(matrix([pair[0], pair[1]], (pair[0] as f64).powf(-0.5)));
                    weights.push(constant(pair[1], 0.0));
                }
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
            Net::LeNet => (28 * 28, 1, 10),
            Net::Residual(_) => (3 * 32 * 32, 1, 10),
        };
        let (examples, has_features) = (self.examples(), self.has_features());
        Data {
            symbols: if has_features { vec![] } else { whole(101, examples * width, SYMBOLS) },
            features: if has_features { uniform(102, examples * width, 1.0) } else { vec![] },
            width,
            targets: whole(103, examples * predictions, classes),
            predictions,
        }
    }

    fn has_features(self) -> bool {
        matches!(self, Net::Dense(_) | Net::LeNet | Net::Residual(_))
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
            Net::LeNet => {
                for of in self.convolutions() {
                    let y = O::relu(&O::convolution(&x, next(), Some(next()), of));
                    x = O::max_pool(&y, of.out, of.out_side());
                }
                for _ in 0..2 {
                    x = O::relu(&O::linear(&x, next(), Some(next())));
                }
            }
            Net::Residual(blocks) => {
                let mut convolutions = self.convolutions().into_iter();
                let mut normal = |x: &O::Value| {
                    let of = convolutions.next().expect("one for each call");
                    O::channel_norm(&O::convolution(x, next(), None, of), next(), next())
                };
                x = O::relu(&normal(&x));
                for block in 0..3 * blocks {
                    let y = O::relu(&normal(&x));
                    let y = normal(&y);
                    let shortcut = if block > 0 && block % blocks == 0 { normal(&x) } else { x };
                    x = O::relu(&O::add(&y, &shortcut));
                }
                x = O::channel_mean(&x, 64);
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
        let convolutions = self.net.convolutions();
        let rows = |i: usize, matrices: usize| match self.net {
            Net::Hierarchical => self.batch * [4, 2, 1, 1][i],
            Net::Gru if i + 1 == matrices => self.batch,
            Net::Gru | Net::Transformer => self.batch * LENGTH,
            Net::LeNet | Net::Residual(_) => self.batch * convolutions.get(i).map_or(1, |of| of.out_side().pow(2)),
            Net::Lecture(_) | Net::Dense(_) => self.batch,
        };
        let skipped = usize::from(!self.net.has_features());
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
