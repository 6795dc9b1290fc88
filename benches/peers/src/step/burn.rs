//! burn, with its CPU backend `flex`.

use burn::optim::{AdamW, AdamWConfig, Optimizer};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData, activation, module};

use super::library::Library;
use super::ops::{Convolution, DECAY, EPS, Input, Ops};
use super::models::{Model, Rule};

type Matrix = Tensor<2>;

pub struct Burns {
    model: Model,
    weights: Vec<Matrix>,
    states: Vec<Option<<AdamW as Optimizer>::State<2>>>,
    adamw: AdamW,
    symbols: Option<Tensor<2, Int>>,
    features: Option<Matrix>,
    targets: Tensor<2, Int>,
}

impl Library for Burns {
    const NAME: &'static str = "burn";

    fn new(model: Model) -> Self {
        let device = Device::flex();
        let weights: Vec<Matrix> = model
            .net
            .weights()
            .into_iter()
            .map(|weight| Matrix::from_data(TensorData::new(weight.values, weight.dims), &device))
            .collect();
        let data = model.net.data();
        let examples = data.targets.len() / data.predictions;
        let dims = [examples, data.width];
        let tracked = device.clone().autodiff();
        let whole =
            |values: Vec<i64>, dims: [usize; 2]| Tensor::<2, Int>::from_data(TensorData::new(values, dims), &tracked);
        Burns {
            model,
            states: weights.iter().map(|_| None).collect(),
            weights,
            adamw: AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(DECAY as f32).build(),
            symbols: (!data.symbols.is_empty()).then(|| whole(data.symbols, dims)),
            features: (!data.features.is_empty())
                .then(|| Matrix::from_data(TensorData::new(data.features, dims), &tracked)),
            targets: whole(data.targets, [examples, data.predictions]),
        }
    }

    fn step(&mut self, batch: &[i64]) -> f32 {
        let device = self.targets.device();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(batch.to_vec(), [batch.len()]), &device);
        let input: Input<OfBurn> = match (&self.symbols, &self.features) {
            (Some(symbols), _) => Input::Symbols(symbols.clone().select(0, rows.clone())),
            (_, Some(features)) => Input::Features(features.clone().select(0, rows.clone())),
            _ => unreachable!("a model has one or the other"),
        };
        let targets = self.targets.clone().select(0, rows).flatten::<1>(0, 1);
        let leaves: Vec<Matrix> = self.weights.drain(..).map(|weight| weight.autodiff().require_grad()).collect();
        let logits = self.model.net.logits::<OfBurn>(&leaves, &input, batch.len());
        let loss = burn::nn::loss::CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
        let mut gradients = loss.backward();
        for (leaf, state) in leaves.into_iter().zip(&mut self.states) {
            let gradient = leaf.grad_remove(&mut gradients).expect("a leaf has a gradient");
            let weight = leaf.inner();
            self.weights.push(match self.model.rule {
                Rule::Sgd(rate) => weight - gradient.mul_scalar(rate),
                Rule::AdamW(rate) => {
                    let (weight, next) = self.adamw.step(rate, weight, gradient, state.take());
                    *state = next;
                    weight
                }
            });
        }
        loss.into_scalar()
    }
}

struct OfBurn;

fn vector(x: &Matrix) -> Tensor<1> {
    x.clone().flatten(0, 1)
}

impl Ops for OfBurn {
    type Value = Matrix;
    type Symbols = Tensor<2, Int>;

    fn embedding(table: &Matrix, symbols: &Tensor<2, Int>) -> Matrix {
        module::embedding(table.clone(), symbols.clone()).flatten(1, 2)
    }

    fn linear(x: &Matrix, weight: &Matrix, bias: Option<&Matrix>) -> Matrix {
        module::linear(x.clone(), weight.clone(), bias.map(vector))
    }

    fn reshape(x: &Matrix, dims: [usize; 2]) -> Matrix {
        x.clone().reshape(dims)
    }

    fn tanh(x: &Matrix) -> Matrix {
        x.clone().tanh()
    }

    fn gelu(x: &Matrix) -> Matrix {
        activation::gelu(x.clone())
    }

    fn add(x: &Matrix, y: &Matrix) -> Matrix {
        x.clone() + y.clone()
    }

    fn batch_norm(x: &Matrix, gain: &Matrix, bias: &Matrix) -> Matrix {
        let centred = x.clone() - x.clone().mean_dim(0);
        let deviation = centred.clone().square().mean_dim(0).add_scalar(EPS).sqrt();
        centred.div(deviation).mul(gain.clone()).add(bias.clone())
    }

    fn layer_norm(x: &Matrix, gain: &Matrix, bias: &Matrix) -> Matrix {
        module::layer_norm(x.clone(), vector(gain), Some(vector(bias)), EPS)
    }

    fn gru(x: &Matrix, steps: usize, [w_ih, b_ih, w_hh, b_hh]: [&Matrix; 4]) -> Matrix {
        let [batch, all] = x.dims();
        let width = all / steps;
        let inputs = x.clone().reshape([batch * steps, width]);
        let of_inputs = OfBurn::linear(&inputs, w_ih, Some(b_ih)).reshape([batch, steps, 3 * width]);
        let mut state = Matrix::zeros([batch, width], &x.device());
        for step in 0..steps {
            let of_input = of_inputs.clone().narrow(1, step, 1).flatten::<2>(1, 2);
            let of_state = OfBurn::linear(&state, w_hh, Some(b_hh));
            let part = |x: &Matrix, i: usize| x.clone().narrow(1, i * width, width);
            let gate = |i| activation::sigmoid(part(&of_input, i) + part(&of_state, i));
            let (r, z) = (gate(0), gate(1));
            let n = (part(&of_input, 2) + r * part(&of_state, 2)).tanh();
            state = n.clone() + z * (state - n);
        }
        state
    }

    fn attention(x: &Matrix, length: usize, heads: usize) -> Matrix {
        let [rows, all] = x.dims();
        let width = all / 3;
        let x = x.clone().reshape([rows / length, length, 3, heads, width / heads]).permute([2, 0, 3, 1, 4]);
        let part = |i: usize| -> Tensor<4> { x.clone().narrow(0, i, 1).squeeze_dim(0) };
        let options = AttentionModuleOptions { is_causal: true, ..AttentionModuleOptions::default() };
        let seen = module::attention(part(0), part(1), part(2), None::<Tensor<4, Bool>>, None, options);
        seen.permute([0, 2, 1, 3]).reshape([rows, width])
    }

    fn relu(x: &Matrix) -> Matrix {
        activation::relu(x.clone())
    }

    fn convolution(x: &Matrix, weight: &Matrix, bias: Option<&Matrix>, of: Convolution) -> Matrix {
        let Convolution { channels, out, side, kernel, stride, padding } = of;
        let x = x.clone().reshape([x.dims()[0], channels, side, side]);
        let weight = weight.clone().reshape([out, channels, kernel, kernel]);
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        module::conv2d(x, weight, bias.map(vector), options).flatten(1, 3)
    }

    fn max_pool(x: &Matrix, channels: usize, side: usize) -> Matrix {
        let x = x.clone().reshape([x.dims()[0], channels, side, side]);
        module::max_pool2d(x, MaxPoolOptions::new([2; 2]).with_stride([2; 2])).flatten(1, 3)
    }

    fn channel_norm(x: &Matrix, gain: &Matrix, bias: &Matrix) -> Matrix {
        let ([batch, all], [_, channels]) = (x.dims(), gain.dims());
        let x = x.clone().reshape([batch, channels, all / channels]);
        let mean = |x: Tensor<3>| x.mean_dim(0).mean_dim(2);
        let centred = x.clone() - mean(x);
        let deviation = mean(centred.clone().square()).add_scalar(EPS).sqrt();
        let [gain, bias] = [gain, bias].map(|x| x.clone().reshape([1, channels, 1]));
        centred.div(deviation).mul(gain).add(bias).flatten(1, 2)
    }

    fn channel_mean(x: &Matrix, channels: usize) -> Matrix {
        let [batch, all] = x.dims();
        x.clone().reshape([batch, channels, all / channels]).mean_dim(2).flatten(1, 2)
    }
}
