//! Convolutions and pools of the shapes that networks have, forward, and there and back to the gradients of input and weight.

use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, TensorData};
use candle_core::{Device::Cpu, Result, Var};

use autograd::Tape;
use tensor::{Conv, Pool, Tensor};

use crate::bench::{Bound, Contender, Row, Stream};
use crate::data::{Candle, normals};

/// Images and channels, output channels, sides, kernel, stride, padding, groups.
struct Shape {
    name: &'static str,
    x: [usize; 4],
    out: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    groups: usize,
}

const fn shape(name: &'static str, x: [usize; 4], out: usize, kernel: usize) -> Shape {
    Shape { name, x, out, kernel, stride: 1, padding: 0, groups: 1 }
}

const SHAPES: [Shape; 10] = [
    shape("1-6 5x5 on 28, batch 64", [64, 1, 28, 28], 6, 5),
    shape("6-16 5x5 on 14, batch 64", [64, 6, 14, 14], 16, 5),
    Shape { padding: 1, ..shape("3-16 3x3 on 320, batch 2", [2, 3, 320, 320], 16, 3) },
    Shape { padding: 3, stride: 2, ..shape("3-64 7x7 stride 2 on 224, batch 4", [4, 3, 224, 224], 64, 7) },
    Shape { padding: 1, ..shape("64-64 3x3 on 56, batch 8", [8, 64, 56, 56], 64, 3) },
    Shape { padding: 1, ..shape("128-128 3x3 on 28, batch 8", [8, 128, 28, 28], 128, 3) },
    Shape { padding: 1, ..shape("256-256 3x3 on 14, batch 8", [8, 256, 14, 14], 256, 3) },
    Shape { padding: 1, ..shape("512-512 3x3 on 7, batch 8", [8, 512, 7, 7], 512, 3) },
    shape("256-64 1x1 on 56, batch 8", [8, 256, 56, 56], 64, 1),
    Shape { padding: 1, groups: 96, ..shape("depthwise 96 3x3 on 56, batch 8", [8, 96, 56, 56], 96, 3) },
];

/// A signal of 64 channels and 1024 steps, batch 8.
const SIGNAL: [usize; 3] = [8, 64, 1024];
const SIGNAL_WEIGHT: [usize; 3] = [128, 64, 9];
const DILATION: usize = 4;

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = SHAPES.iter().flat_map(|shape| [forward(shape), back(shape)]).collect();
    rows.extend([signal(), pool("max pool 2x2 of 64 on 56, batch 8", 2, 2, 0), pool("max pool 3x3 stride 2 of 64 on 56, batch 8", 3, 2, 1)]);
    rows
}

impl Shape {
    fn w(&self) -> [usize; 4] {
        [self.out, self.x[1] / self.groups, self.kernel, self.kernel]
    }

    fn y(&self) -> [usize; 4] {
        let out = |size: usize| (size + 2 * self.padding - self.kernel) / self.stride + 1;
        [self.x[0], self.out, out(self.x[2]), out(self.x[3])]
    }

    fn flops(&self) -> usize {
        2 * self.y().iter().product::<usize>() * self.w()[1..].iter().product::<usize>()
    }

    fn how(&self) -> Conv<2> {
        Conv::default().stride(self.stride).padding(self.padding).groups(self.groups)
    }

    fn burns(&self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.padding; 2], [1; 2], self.groups)
    }
}

fn ours(dims: &[usize], seed: u64) -> Tensor {
    Tensor::from_slice(&normals(dims.iter().product(), seed)).reshape(dims)
}

fn candles(dims: &[usize], seed: u64) -> Candle {
    Candle::from_vec(normals(dims.iter().product(), seed), dims, &Cpu).unwrap()
}

fn burns<const D: usize>(dims: [usize; D], seed: u64) -> burn::Tensor<D> {
    burn::Tensor::from_data(TensorData::new(normals(dims.iter().product(), seed), dims), &Device::flex())
}

fn forward(shape: &'static Shape) -> Row {
    Row::new(format!("conv {}", shape.name), Bound::Flops(shape.flops()), move |_| {
        let ([x, w], how) = ([ours(&shape.x, 1), ours(&shape.w(), 2)], shape.how());
        let [cx, cw] = [candles(&shape.x, 1), candles(&shape.w(), 2)];
        let [bx, bw] = [burns(shape.x, 1), burns(shape.w(), 2)];
        vec![
            Contender::new("evenkeel", move || x.conv2d(&w, None, how)),
            Contender::new("candle", move || cx.conv2d(&cw, shape.padding, shape.stride, 1, shape.groups)),
            Contender::new("burn", move || module::conv2d(bx.clone(), bw.clone(), None, shape.burns())),
        ]
    })
}

/// To both gradients, of which that of the weight is compared.
fn back(shape: &'static Shape) -> Row {
    Row::new(format!("conv {}, and back", shape.name), Bound::Flops(3 * shape.flops()), move |_| {
        let [x, w, g] = [ours(&shape.x, 1), ours(&shape.w(), 2), ours(&shape.y(), 3)];
        let mut tape = Tape::new();
        let mut all = vec![Contender::new("evenkeel", move || {
            tape.reset();
            let [x, w] = [&x, &w].map(|x| tape.leaf(x.clone()));
            let gradients = x.conv2d(w, None, shape.how()).backward_with(g.clone());
            gradients.get(x).expect("it has one");
            gradients.get(w).expect("it has one").clone()
        })];
        // candle has no way back through groups.
        if shape.groups == 1 {
            let [x, w] = [candles(&shape.x, 1), candles(&shape.w(), 2)].map(|x| Var::from_tensor(&x).unwrap());
            let g = candles(&shape.y(), 3);
            all.push(Contender::new("candle", move || -> Result<Candle> {
                let y = x.conv2d(&w, shape.padding, shape.stride, 1, shape.groups)?;
                let gradients = (y * &g)?.sum_all()?.backward()?;
                Ok(gradients.get(&w).expect("it has one").clone())
            }));
        }
        let [x, w, g] = [burns(shape.x, 1), burns(shape.w(), 2), burns(shape.y(), 3)];
        all.push(Contender::new("burn", move || {
            let [x, w] = [&x, &w].map(|x| x.clone().autodiff().require_grad());
            let y = module::conv2d(x.clone(), w.clone(), None, shape.burns());
            let gradients = (y * g.clone().autodiff()).sum().backward();
            x.grad(&gradients).expect("it has one");
            w.grad(&gradients).expect("it has one")
        }));
        all
    })
}

fn signal() -> Row {
    let flops = 2 * SIGNAL[0] * SIGNAL[2] * SIGNAL_WEIGHT.iter().product::<usize>();
    Row::new("conv1d 64-128 9, dilation 4, on 1024, batch 8".into(), Bound::Flops(flops), move |_| {
        let padding = DILATION * (SIGNAL_WEIGHT[2] / 2);
        let ([x, w], how) = ([ours(&SIGNAL, 1), ours(&SIGNAL_WEIGHT, 2)], Conv::default().dilation(DILATION).padding(padding));
        let [cx, cw] = [candles(&SIGNAL, 1), candles(&SIGNAL_WEIGHT, 2)];
        let [bx, bw] = [burns(SIGNAL, 1), burns(SIGNAL_WEIGHT, 2)];
        let options = ConvOptions::new([1], [padding], [DILATION], 1);
        vec![
            Contender::new("evenkeel", move || x.conv1d(&w, None, how)),
            Contender::new("candle", move || cx.conv1d(&cw, padding, 1, DILATION, 1)),
            Contender::new("burn", move || module::conv1d(bx.clone(), bw.clone(), None, options.clone())),
        ]
    })
}

fn pool(name: &'static str, kernel: usize, stride: usize, padding: usize) -> Row {
    const X: [usize; 4] = [8, 64, 56, 56];
    Row::new(name.into(), Bound::Elements(Stream::Copy, X.iter().product()), move |_| {
        let (x, bx) = (ours(&X, 1), burns(X, 1));
        let how = Pool::<2>::new(kernel).stride(stride).padding(padding);
        let mut all = vec![Contender::new("evenkeel", move || x.max_pool(how))];
        // candle pads no pool.
        if padding == 0 {
            let x = candles(&X, 1);
            all.push(Contender::new("candle", move || x.max_pool2d_with_stride(kernel, stride)));
        }
        all.push(Contender::new("burn", move || {
            let options = MaxPoolOptions::new([kernel; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
            module::max_pool2d(bx.clone(), options)
        }));
        all
    })
}
