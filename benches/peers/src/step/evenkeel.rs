//! Evenkeel.

use std::marker::PhantomData;

use autograd::{Attention, CellParams, Steps, Tape, Var};
use nn::{AdamW, Optimizer, Param, Sgd};
use tensor::{Conv, Pool, Tensor};

use super::library::Library;
use super::ops::{Convolution, DECAY, EPS, Input, Ops};
use super::models::{Model, Rule};

pub struct Evenkeel {
    model: Model,
    weights: Vec<Param>,
    optimizer: Optimizer,
    symbols: Tensor<i64>,
    features: Tensor,
    targets: Tensor<i64>,
    tape: Tape,
}

impl Library for Evenkeel {
    const NAME: &'static str = "evenkeel";

    fn new(model: Model) -> Self {
        let weights = model.net.weights().into_iter().map(|weight| {
            let values = Tensor::from_slice(&weight.values);
            Param::new(if weight.dims[0] == 1 { values } else { values.reshape(weight.dims) })
        });
        let optimizer = match model.rule {
            Rule::Sgd(rate) => Optimizer::new(Sgd::default(), rate),
            Rule::AdamW(rate) => Optimizer::new(AdamW { weight_decay: DECAY, ..AdamW::default() }, rate),
        };
        let data = model.net.data();
        let examples = data.targets.len() / data.predictions;
        Evenkeel {
            model,
            weights: weights.collect(),
            optimizer: optimizer.unwrap(),
            symbols: Tensor::from_slice(&data.symbols).reshape([data.symbols.len() / data.width, data.width]),
            features: Tensor::from_slice(&data.features).reshape([data.features.len() / data.width, data.width]),
            targets: Tensor::from_slice(&data.targets).reshape([examples, data.predictions]),
            tape: Tape::new(),
        }
    }

    fn step(&mut self, batch: &[i64]) -> f32 {
        let rows = Tensor::from_slice(batch);
        let weights: Vec<Var> = self.weights.iter().map(|weight| weight.on(&self.tape)).collect();
        let input: Input<OnTape> = match self.symbols.numel() {
            0 => Input::Features(self.tape.constant(self.features.index_select(0, &rows))),
            _ => Input::Symbols(self.symbols.index_select(0, &rows)),
        };
        let targets = self.targets.index_select(0, &rows).flatten(0);
        let loss = self.model.net.logits::<OnTape>(&weights, &input, batch.len()).cross_entropy(&targets);
        let (value, gradients) = (loss.item(), loss.backward());
        self.tape.reset();
        self.optimizer.step(&mut self.weights, &gradients);
        value
    }
}

struct OnTape<'t>(PhantomData<&'t ()>);

impl<'t> Ops for OnTape<'t> {
    type Value = Var<'t>;
    type Symbols = Tensor<i64>;

    fn embedding(table: &Var<'t>, symbols: &Tensor<i64>) -> Var<'t> {
        table.embedding(symbols).flatten(1)
    }

    fn linear(x: &Var<'t>, weight: &Var<'t>, bias: Option<&Var<'t>>) -> Var<'t> {
        x.linear(*weight, bias.copied())
    }

    fn reshape(x: &Var<'t>, dims: [usize; 2]) -> Var<'t> {
        x.reshape(dims)
    }

    fn tanh(x: &Var<'t>) -> Var<'t> {
        x.tanh()
    }

    fn gelu(x: &Var<'t>) -> Var<'t> {
        x.gelu()
    }

    fn add(x: &Var<'t>, y: &Var<'t>) -> Var<'t> {
        *x + *y
    }

    fn batch_norm(x: &Var<'t>, gain: &Var<'t>, bias: &Var<'t>) -> Var<'t> {
        x.batch_norm(*gain, *bias, EPS).0
    }

    fn layer_norm(x: &Var<'t>, gain: &Var<'t>, bias: &Var<'t>) -> Var<'t> {
        x.layer_norm(*gain, *bias, EPS)
    }

    fn gru(x: &Var<'t>, steps: usize, [w_ih, b_ih, w_hh, b_hh]: [&Var<'t>; 4]) -> Var<'t> {
        let [batch, all] = x.shape().dims().try_into().expect("a matrix");
        let width = all / steps;
        let cell = CellParams { w_ih: *w_ih, w_hh: *w_hh, b_ih: Some(*b_ih), b_hh: Some(*b_hh) };
        x.reshape([batch, steps, width]).gru(None, cell, Steps::default()).1
    }

    fn attention(x: &Var<'t>, length: usize, heads: usize) -> Var<'t> {
        let [rows, all] = x.shape().dims().try_into().expect("a matrix");
        let width = all / 3;
        let x = x.reshape([rows / length, length, 3, heads, width / heads]).permute(&[2, 0, 3, 1, 4]);
        let [q, k, v] = [0, 1, 2].map(|part| x.select(0, part));
        let seen = q.attention(k, v, Attention { causal: true, ..Attention::default() });
        seen.permute(&[0, 2, 1, 3]).reshape([rows, width])
    }

    fn relu(x: &Var<'t>) -> Var<'t> {
        x.relu()
    }

    fn convolution(x: &Var<'t>, weight: &Var<'t>, bias: Option<&Var<'t>>, of: Convolution) -> Var<'t> {
        let Convolution { channels, out, side, kernel, stride, padding } = of;
        let weight = weight.reshape([out, channels, kernel, kernel]);
        let x = x.reshape([x.shape().dims()[0], channels, side, side]);
        x.conv2d(weight, bias.copied(), Conv::default().stride(stride).padding(padding)).flatten(1)
    }

    fn max_pool(x: &Var<'t>, channels: usize, side: usize) -> Var<'t> {
        x.reshape([x.shape().dims()[0], channels, side, side]).max_pool(Pool::<2>::new(2)).flatten(1)
    }

    fn channel_norm(x: &Var<'t>, gain: &Var<'t>, bias: &Var<'t>) -> Var<'t> {
        let [batch, all] = x.shape().dims().try_into().expect("a matrix");
        let channels = gain.shape().dims()[0];
        x.reshape([batch, channels, all / channels]).batch_norm(*gain, *bias, EPS).0.flatten(1)
    }

    fn channel_mean(x: &Var<'t>, channels: usize) -> Var<'t> {
        let [batch, all] = x.shape().dims().try_into().expect("a matrix");
        x.reshape([batch, channels, all / channels]).mean(2)
    }
}
