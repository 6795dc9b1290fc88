//! Many elements to few: sums, standard deviation, softmax, cross-entropy.

use autograd::Tape;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, TensorData};
use candle_core::{Device::Cpu, Var};
use ndarray::Axis;
use tensor::Tensor;

use crate::bench::{Bound, Contender, Row};
use crate::data::{self, Everywhere};
use crate::peak::Stream;

const ROWS: usize = 1024;
const COLUMNS: usize = 1024;

pub fn rows() -> Vec<Row> {
    let read = Bound::Elements(Stream::Read, ROWS * COLUMNS);
    let copy = Bound::Elements(Stream::Copy, ROWS * COLUMNS);
    let row = |work: &str, bound, contenders: fn(Everywhere) -> Vec<Contender>| {
        Row::new(work.into(), bound, move |_| contenders(Everywhere::normals([ROWS, COLUMNS], 1)))
    };
    vec![
        row("sum axis 0 1024x1024", read, sum_over_rows),
        row("sum axis 1 1024x1024", read, sum_over_columns),
        row("sum of all 1024x1024", read, sum_of_all),
        row("std 1Mi", read, std),
        row("softmax 1024x1024", copy, softmax),
        cross_entropy([32, 27]),
        cross_entropy([512, 1000]),
    ]
}

fn sum_over_rows(x: Everywhere) -> Vec<Contender> {
    vec![
        Contender::new("evenkeel", move || x.evenkeel.sum(0)),
        Contender::new("ndarray", move || x.ndarray.sum_axis(Axis(0))),
        Contender::new("candle", move || x.candle.sum(0)),
        Contender::new("burn", move || x.burn.clone().sum_dim(0)),
    ]
}

fn sum_over_columns(x: Everywhere) -> Vec<Contender> {
    vec![
        Contender::new("evenkeel", move || x.evenkeel.sum(1)),
        Contender::new("ndarray", move || x.ndarray.sum_axis(Axis(1))),
        Contender::new("candle", move || x.candle.sum(1)),
        Contender::new("burn", move || x.burn.clone().sum_dim(1)),
    ]
}

fn sum_of_all(x: Everywhere) -> Vec<Contender> {
    vec![
        Contender::new("evenkeel", move || x.evenkeel.sum(..)),
        Contender::new("ndarray", move || x.ndarray.sum()),
        Contender::new("candle", move || x.candle.sum_all()),
        Contender::new("burn", move || x.burn.clone().sum()),
    ]
}

/// With Bessel's correction.
fn std(x: Everywhere) -> Vec<Contender> {
    vec![
        Contender::new("evenkeel", move || {
            let centred = &x.evenkeel - x.evenkeel.mean(..);
            ((&centred * &centred).sum(..) / (ROWS * COLUMNS - 1) as f32).map(f32::sqrt)
        }),
        Contender::new("ndarray", move || x.ndarray.std(1.0)),
        Contender::new("candle", move || x.candle.flatten_all()?.var(0)?.sqrt()),
        Contender::new("burn", move || x.burn.clone().reshape([ROWS * COLUMNS]).var(0).sqrt()),
    ]
}

/// ndarray has none.
fn softmax(x: Everywhere) -> Vec<Contender> {
    vec![
        Contender::new("evenkeel", move || x.evenkeel.softmax(-1)),
        Contender::new("candle", move || candle_nn::ops::softmax_last_dim(&x.candle)),
        Contender::new("burn", move || burn::tensor::activation::softmax(x.burn.clone(), 1)),
    ]
}

/// The mean over a batch, forward and backward to the logits, through each library's tape or graph; ndarray has none.
fn cross_entropy([batch, classes]: [usize; 2]) -> Row {
    let bound = Bound::Elements(Stream::Copy, batch * classes);
    Row::new(format!("cross-entropy {batch}x{classes}"), bound, move |_| {
        let x = Everywhere::normals([batch, classes], 1);
        let targets = data::classes(batch, classes as i64);

        let ours = Tensor::from_slice(&targets);
        let mut tape = Tape::new();

        let theirs: Vec<u32> = targets.iter().map(|&class| class as u32).collect();
        let theirs = candle_core::Tensor::from_vec(theirs, batch, &Cpu).unwrap();
        let variable = Var::from_tensor(&x.candle).unwrap();

        let device = Device::flex().autodiff();
        let burns = burn::Tensor::<1, Int>::from_data(TensorData::new(targets, [batch]), &device);
        let tracked = x.burn.autodiff().require_grad();
        let loss = CrossEntropyLossConfig::new().init(&device);

        vec![
            Contender::new("evenkeel", move || {
                let logits = tape.leaf(x.evenkeel.clone());
                let gradients = logits.cross_entropy(&ours).backward();
                let gradient = gradients.get(logits).expect("a leaf has a gradient").clone();
                tape.reset();
                gradient
            }),
            Contender::new("candle", move || {
                let mut gradients = candle_nn::loss::cross_entropy(&variable, &theirs)?.backward()?;
                Ok(gradients.remove(&variable).expect("a variable has a gradient"))
            }),
            Contender::new("burn", move || {
                let mut gradients = loss.forward(tracked.clone(), burns.clone()).backward();
                tracked.grad_remove(&mut gradients).expect("a tracked tensor has a gradient")
            }),
        ]
    })
}
