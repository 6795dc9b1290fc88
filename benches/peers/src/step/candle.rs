//! candle. Its fused layers (`LayerNorm`, `softmax_last_dim`) have no way back, so their parts are used where gradients are wanted.

use candle_core::{DType, Device::Cpu, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, SGD};

use super::library::Library;
use super::ops::{Convolution, DECAY, EPS, Input, Ops};
use super::models::{Model, Rule};

pub struct Candles {
    model: Model,
    weights: Vec<Tensor>,
    optimizer: Rules,
    symbols: Option<Tensor>,
    features: Option<Tensor>,
    targets: Tensor,
}

enum Rules {
    Sgd(SGD),
    AdamW(AdamW),
}

impl Library for Candles {
    const NAME: &'static str = "candle";

    fn new(model: Model) -> Self {
        Candles::try_new(model).unwrap()
    }

    fn step(&mut self, batch: &[i64]) -> f32 {
        self.try_step(batch).unwrap()
    }
}

impl Candles {
    fn try_new(model: Model) -> Result<Self> {
        let vars = model.net.weights().into_iter().map(|weight| {
            let values = Tensor::from_vec(weight.values, &weight.dims, &Cpu)?;
            Var::from_tensor(&values)
        });
        let vars: Vec<Var> = vars.collect::<Result<_>>()?;
        let weights = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let data = model.net.data();
        let examples = data.targets.len() / data.predictions;
        let symbols: Vec<u32> = data.symbols.iter().map(|&x| x as u32).collect();
        let targets: Vec<u32> = data.targets.iter().map(|&x| x as u32).collect();
        let some = |is: bool| is.then_some((examples, data.width));
        Ok(Candles {
            model,
            weights,
            optimizer: match model.rule {
                Rule::Sgd(rate) => Rules::Sgd(SGD::new(vars, rate)?),
                Rule::AdamW(lr) => {
                    Rules::AdamW(AdamW::new(vars, ParamsAdamW { lr, weight_decay: DECAY, ..ParamsAdamW::default() })?)
                }
            },
            symbols: some(!symbols.is_empty()).map(|dims| Tensor::from_vec(symbols, dims, &Cpu)).transpose()?,
            features: some(!data.features.is_empty())
                .map(|dims| Tensor::from_vec(data.features, dims, &Cpu))
                .transpose()?,
            targets: Tensor::from_vec(targets, (examples, data.predictions), &Cpu)?,
        })
    }

    fn try_step(&mut self, batch: &[i64]) -> Result<f32> {
        let rows = Tensor::from_iter(batch.iter().map(|&row| row as u32), &Cpu)?;
        let input: Input<OfCandle> = match (&self.symbols, &self.features) {
            (Some(symbols), _) => Input::Symbols(symbols.index_select(&rows, 0)?),
            (_, Some(features)) => Input::Features(features.index_select(&rows, 0)?),
            _ => unreachable!("a model has one or the other"),
        };
        let targets = self.targets.index_select(&rows, 0)?.flatten_all()?;
        let logits = self.model.net.logits::<OfCandle>(&self.weights, &input, batch.len());
        let loss = candle_nn::loss::cross_entropy(&logits, &targets)?;
        let gradients = loss.backward()?;
        match &mut self.optimizer {
            Rules::Sgd(sgd) => sgd.step(&gradients)?,
            Rules::AdamW(adamw) => adamw.step(&gradients)?,
        }
        loss.to_scalar()
    }
}

struct OfCandle;

fn width(x: &Tensor) -> usize {
    x.dims()[x.rank() - 1]
}

impl Ops for OfCandle {
    type Value = Tensor;
    type Symbols = Tensor;

    fn embedding(table: &Tensor, symbols: &Tensor) -> Tensor {
        let rows = symbols.dims()[0];
        let flat = symbols.flatten_all().and_then(|ids| table.embedding(&ids));
        flat.and_then(|x| x.reshape((rows, ()))).unwrap()
    }

    fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let product = x.matmul(weight).unwrap();
        bias.map_or(product.clone(), |bias| product.broadcast_add(bias).unwrap())
    }

    fn reshape(x: &Tensor, dims: [usize; 2]) -> Tensor {
        x.reshape(&dims).unwrap()
    }

    fn tanh(x: &Tensor) -> Tensor {
        x.tanh().unwrap()
    }

    fn gelu(x: &Tensor) -> Tensor {
        x.gelu_erf().unwrap()
    }

    fn add(x: &Tensor, y: &Tensor) -> Tensor {
        (x + y).unwrap()
    }

    fn batch_norm(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Tensor {
        normal(x, 0, gain, bias).unwrap()
    }

    fn layer_norm(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Tensor {
        normal(x, 1, gain, bias).unwrap()
    }

    fn gru(x: &Tensor, steps: usize, weights: [&Tensor; 4]) -> Tensor {
        gru(x, steps, weights).unwrap()
    }

    fn attention(x: &Tensor, length: usize, heads: usize) -> Tensor {
        attention(x, length, heads).unwrap()
    }

    fn relu(x: &Tensor) -> Tensor {
        x.relu().unwrap()
    }

    fn convolution(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, of: Convolution) -> Tensor {
        convolution(x, weight, bias, of).unwrap()
    }

    fn max_pool(x: &Tensor, channels: usize, side: usize) -> Tensor {
        let images = x.reshape((x.dims()[0], channels, side, side));
        images.and_then(|x| x.max_pool2d(2)?.flatten_from(1)).unwrap()
    }

    fn channel_norm(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Tensor {
        channel_norm(x, gain, bias).unwrap()
    }

    fn channel_mean(x: &Tensor, channels: usize) -> Tensor {
        x.reshape((x.dims()[0], channels, ())).and_then(|x| x.mean(2)).unwrap()
    }
}

fn normal(x: &Tensor, axis: usize, gain: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(axis)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(axis)? + EPS)?.sqrt()?;
    centred.broadcast_div(&deviation)?.broadcast_mul(gain)?.broadcast_add(bias)
}

fn channel_norm(x: &Tensor, gain: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let channels = width(gain);
    let x = x.reshape((x.dims()[0], channels, ()))?;
    let centred = x.broadcast_sub(&x.mean_keepdim((0, 2))?)?;
    let deviation = (centred.sqr()?.mean_keepdim((0, 2))? + EPS)?.sqrt()?;
    let [gain, bias] = [gain.reshape((1, channels, 1))?, bias.reshape((1, channels, 1))?];
    centred.broadcast_div(&deviation)?.broadcast_mul(&gain)?.broadcast_add(&bias)?.flatten_from(1)
}

fn convolution(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, of: Convolution) -> Result<Tensor> {
    let Convolution { channels, out, side, kernel, stride, padding } = of;
    let x = x.reshape((x.dims()[0], channels, side, side))?;
    let y = x.conv2d(&weight.reshape((out, channels, kernel, kernel))?, padding, stride, 1, 1)?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, out, 1, 1))?)?.flatten_from(1),
        None => y.flatten_from(1),
    }
}

fn gru(x: &Tensor, steps: usize, [w_ih, b_ih, w_hh, b_hh]: [&Tensor; 4]) -> Result<Tensor> {
    let (batch, width) = (x.dims()[0], width(x) / steps);
    let of_inputs = x.reshape((batch * steps, width))?.matmul(w_ih)?.broadcast_add(b_ih)?;
    let of_inputs = of_inputs.reshape((batch, steps, 3 * width))?;
    let mut state = Tensor::zeros((batch, width), DType::F32, &Cpu)?;
    for step in 0..steps {
        let of_input = of_inputs.narrow(1, step, 1)?.squeeze(1)?;
        let of_state = state.matmul(w_hh)?.broadcast_add(b_hh)?;
        let part = |x: &Tensor, i: usize| x.narrow(1, i * width, width);
        let gate = |i| candle_nn::ops::sigmoid(&(part(&of_input, i)? + part(&of_state, i)?)?);
        let (r, z) = (gate(0)?, gate(1)?);
        let n = (part(&of_input, 2)? + (r * part(&of_state, 2)?)?)?.tanh()?;
        state = (&n + (z * (state - &n)?)?)?;
    }
    Ok(state)
}

fn attention(x: &Tensor, length: usize, heads: usize) -> Result<Tensor> {
    let (rows, width) = (x.dims()[0], width(x) / 3);
    let x = x.reshape((rows / length, length, 3, heads, width / heads))?.permute((2, 0, 3, 1, 4))?;
    let part = |i| x.get(i)?.contiguous();
    let scores = (part(0)?.matmul(&part(1)?.t()?.contiguous()?)? * ((width / heads) as f64).powf(-0.5))?;
    let hidden = (0..length * length).map(|i| if i % length > i / length { f32::NEG_INFINITY } else { 0.0 });
    let hidden = Tensor::from_iter(hidden, &Cpu)?.reshape((1, 1, length, length))?;
    let weights = candle_nn::ops::softmax(&scores.broadcast_add(&hidden)?, 3)?;
    weights.matmul(&part(2)?)?.permute((0, 2, 1, 3))?.reshape((rows, width))
}
