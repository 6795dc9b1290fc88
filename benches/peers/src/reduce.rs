//! Many elements to few: sums, standard deviation, softmax, cross-entropy.

use autograd::Tape;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, TensorData, activation};
use candle_core::{Device::Cpu, Var};
use ndarray::Axis;
use tensor::Tensor;

use crate::bench::{Bound, Contender, Row, Stream};
use crate::data::{self, Burn, Candle, Everywhere};
use crate::unary::unary;

const DIMS: [usize; 2] = [1024, 1024];
const LEN: usize = DIMS[0] * DIMS[1];

pub fn rows() -> Vec<Row> {
    let read = Bound::Elements(Stream::Read, LEN);
    let [rows, columns, all, std] = ["sum axis 0 1024x1024", "sum axis 1 1024x1024", "sum of all 1024x1024", "std 1Mi"];
    // With Bessel's correction.
    let candles_std = |x: &Candle| x.flatten_all()?.var(0)?.sqrt();
    let burns_std = |x: Burn| x.reshape([LEN]).var(0).sqrt();
    vec![
        unary(rows.into(), DIMS, read, |x| x.sum(0), |x, _| x.sum_axis(Axis(0)), |x| x.sum(0), |x| x.sum_dim(0)),
        unary(columns.into(), DIMS, read, |x| x.sum(1), |x, _| x.sum_axis(Axis(1)), |x| x.sum(1), |x| x.sum_dim(1)),
        unary(all.into(), DIMS, read, |x| x.sum(..), |x, _| x.sum(), |x| x.sum_all(), |x| x.sum()),
        unary(std.into(), DIMS, read, |x| x.std(.., 1), |x, _| x.std(1.0), candles_std, burns_std),
        softmax(),
        cross_entropy([32, 27]),
        cross_entropy([512, 1000]),
    ]
}

/// ndarray has none.
fn softmax() -> Row {
    Row::new("softmax 1024x1024".into(), Bound::Elements(Stream::Copy, LEN), |_| {
        let x = Everywhere::normals(DIMS, 1);
        vec![
            Contender::new("evenkeel", move || x.evenkeel.softmax(-1)),
            Contender::new("candle", move || candle_nn::ops::softmax_last_dim(&x.candle)),
            Contender::new("burn", move || activation::softmax(x.burn.clone(), 1)),
        ]
    })
}

/// The mean over a batch, forward and backward to the logits, through each library's tape or graph; ndarray has none.
fn cross_entropy([batch, classes]: [usize; 2]) -> Row {
    let bound = Bound::Elements(Stream::Copy, batch * classes);
    Row::new(format!("cross-entropy {batch}x{classes}"), bound, move |_| {
        let x = Everywhere::normals([batch, classes], 1);
        let targets = data::classes(batch, classes as i64);

        let (ours, mut tape) = (Tensor::from_slice(&targets), Tape::new());

        let candles = Candle::from_vec(targets.iter().map(|&t| t as u32).collect(), batch, &Cpu).unwrap();
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
                let mut gradients = candle_nn::loss::cross_entropy(&variable, &candles)?.backward()?;
                Ok(gradients.remove(&variable).expect("a variable has a gradient"))
            }),
            Contender::new("burn", move || {
                let mut gradients = loss.forward(tracked.clone(), burns.clone()).backward();
                tracked.grad_remove(&mut gradients).expect("a tracked tensor has a gradient")
            }),
        ]
    })
}
