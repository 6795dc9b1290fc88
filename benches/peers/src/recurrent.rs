//! Recurrent layers over whole sequences, there and back to the gradients of the input and of all weights.

use burn::tensor::{Device, TensorData, activation};

use autograd::{CellParams, Steps, Tape, Var};
use tensor::Tensor;

use crate::bench::{Bound, Contender, Row};
use crate::data::normals;

#[derive(Clone, Copy)]
enum Kind {
    Rnn,
    Gru,
    Lstm,
}

#[derive(Clone, Copy)]
struct Shape {
    kind: Kind,
    /// Of the input, and of the state.
    width: usize,
    steps: usize,
    batch: usize,
}

type Matrix = burn::Tensor<2>;

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in [Kind::Rnn, Kind::Gru, Kind::Lstm] {
        for width in [64, 128, 256] {
            for steps in [16, 64, 256] {
                rows.extend([1, 32].map(|batch| row(Shape { kind, width, steps, batch })));
            }
        }
    }
    rows
}

impl Shape {
    fn name(&self) -> String {
        let kind = ["rnn", "gru", "lstm"][self.kind as usize];
        format!("{kind} of {}, {} steps, batch {}, and back", self.width, self.steps, self.batch)
    }

    fn gates(&self) -> usize {
        [1, 3, 4][self.kind as usize]
    }

    /// The input, the weights of the input and of the state with their biases, and the gradient of what comes out.
    fn arrays(&self) -> Vec<(Vec<f32>, Vec<usize>)> {
        let Shape { width, steps, batch, .. } = *self;
        let gates = self.gates() * width;
        let dims = [
            vec![batch, steps, width],
            vec![width, gates],
            vec![width, gates],
            vec![gates],
            vec![gates],
            vec![batch, steps, width],
        ];
        let scale = 0.5 / (width as f32).sqrt();
        let fill = |(i, dims): (usize, Vec<usize>)| {
            let mut data = normals(dims.iter().product(), i as u64 + 1);
            if (1..5).contains(&i) {
                data.iter_mut().for_each(|x| *x *= scale);
            }
            (data, dims)
        };
        dims.into_iter().enumerate().map(fill).collect()
    }
}

fn row(shape: Shape) -> Row {
    // Six products of as many multiply-adds: of the input and of the state, there, and twice each on the way back.
    let flops = 12 * shape.batch * shape.steps * shape.width * shape.gates() * shape.width;
    Row::new(shape.name(), Bound::Flops(flops), move |_| vec![ours(shape), burns(shape)])
}

fn ours(shape: Shape) -> Contender {
    let all: Vec<Tensor> =
        shape.arrays().into_iter().map(|(data, dims)| Tensor::from_vec(data, &dims[..])).collect();
    let mut tape = Tape::new();
    Contender::new("evenkeel", move || {
        tape.reset();
        let leaves: Vec<Var<'_>> = all[..5].iter().map(|x| tape.leaf(x.clone())).collect();
        let [x, w_ih, w_hh, b_ih, b_hh] = leaves[..] else { unreachable!() };
        let cell = CellParams { w_ih, w_hh, b_ih: Some(b_ih), b_hh: Some(b_hh) };
        let y = match shape.kind {
            Kind::Rnn => x.rnn_tanh(None, cell, Steps::default()).0,
            Kind::Gru => x.gru(None, cell, Steps::default()).0,
            Kind::Lstm => x.lstm(None, cell, Steps::default()).0,
        };
        let gradients = y.backward_with(all[5].clone());
        assert!(leaves.iter().all(|&leaf| gradients.get(leaf).is_some()));
        gradients.get(w_hh).expect("it has one").clone()
    })
}

/// By its ops: one product for all inputs, then step by step.
fn burns(shape: Shape) -> Contender {
    let Shape { kind, width, steps, batch } = shape;
    let gates = shape.gates() * width;
    let of = |(data, dims): &(Vec<f32>, Vec<usize>)| {
        let rows: usize = dims[..dims.len() - 1].iter().product();
        let columns = dims[dims.len() - 1];
        Matrix::from_data(TensorData::new(data.clone(), [rows, columns]), &Device::flex())
    };
    let all: Vec<Matrix> = shape.arrays().iter().map(of).collect();
    Contender::new("burn", move || {
        let leaves: Vec<Matrix> = all[..5].iter().map(|x| x.clone().autodiff().require_grad()).collect();
        let [x, w_ih, w_hh, b_ih, b_hh] = &leaves[..] else { unreachable!() };
        let inputs = x.clone().matmul(w_ih.clone()) + b_ih.clone();
        let inputs = inputs.reshape([batch, steps, gates]);
        let zeros = || Matrix::zeros([batch, width], &x.device());
        let (mut h, mut c) = (zeros(), zeros());
        let mut outputs: Vec<burn::Tensor<3>> = Vec::with_capacity(steps);
        for step in 0..steps {
            let of_input = inputs.clone().narrow(1, step, 1).flatten::<2>(1, 2);
            let of_state = h.clone().matmul(w_hh.clone()) + b_hh.clone();
            let part = |x: &Matrix, i: usize| x.clone().narrow(1, i * width, width);
            let sum = |i| part(&of_input, i) + part(&of_state, i);
            match kind {
                Kind::Rnn => h = (of_input + of_state).tanh(),
                Kind::Gru => {
                    let (r, z) = (activation::sigmoid(sum(0)), activation::sigmoid(sum(1)));
                    let n = (part(&of_input, 2) + r * part(&of_state, 2)).tanh();
                    h = n.clone() + z * (h - n);
                }
                Kind::Lstm => {
                    let [i, f, o] = [0, 1, 3].map(|i| activation::sigmoid(sum(i)));
                    c = f * c + i * sum(2).tanh();
                    h = o * c.clone().tanh();
                }
            }
            outputs.push(h.clone().unsqueeze_dim(1));
        }
        let y = burn::Tensor::cat(outputs, 1).reshape([batch * steps, width]);
        let gradients = (y * all[5].clone().autodiff()).sum().backward();
        assert!(leaves.iter().all(|leaf| leaf.grad(&gradients).is_some()));
        w_hh.grad(&gradients).expect("it has one")
    })
}
