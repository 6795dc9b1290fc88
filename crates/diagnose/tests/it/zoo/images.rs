//! Networks of convolutions: channels are units.

use autograd::Var;
use diagnose::{Fault, Severity};
use init::{Gain, Initializer, constant, kaiming_normal, normal, torch_linear, zeros};
use nn::{BatchNorm1d, Conv1d, Conv2d, ConvTranspose2d, Layer, Linear};
use tensor::{Conv, ConvTranspose, Interpolation, Padding, Pool, Resize, Tensor};

use super::nets::{Draw, Net, Outcome, mse};
use super::{healthy, sick};

const ERROR: Severity = Severity::Error;
const WARN: Severity = Severity::Warn;

/// Smooth images of 8 × 8 whose pixels are about standard normal.
fn images(d: &mut Draw, count: usize, channels: usize) -> Tensor {
    let coarse: Tensor = d.x([count, channels, 2, 2]);
    let x = coarse.interpolate(Resize::<2>::by(4.0, Interpolation::Linear));
    let std = x.std(.., 1).item();
    x / std
}

fn conv(d: &mut Draw, inputs: usize, outputs: usize, size: usize, weight: &dyn Initializer) -> Conv2d {
    let how = Conv::default().padding(size / 2);
    Conv2d::new(inputs, outputs, size, how, weight, &mut d.rng).expect("it can be")
}

fn relu_gain() -> impl Initializer {
    kaiming_normal(Gain::Relu)
}

/// Convolutions of 3 × 3 with these channels, and a head for ten classes.
fn plain(d: &mut Draw, channels: &[usize], weight: &dyn Initializer, head: f64) -> Net {
    let mut net = Net::default();
    for pair in channels.windows(2) {
        net.conv.push(conv(d, pair[0], pair[1], 3, weight));
    }
    net.l.push(d.linear(channels[channels.len() - 1], 10, &normal(head)));
    net
}

fn norms(net: &mut Net, channels: &[usize]) {
    net.batch.extend(channels.iter().map(|&channels| BatchNorm1d::new(channels)));
}

/// One number of each channel.
fn global(x: Var<'_>) -> Var<'_> {
    x.mean([-1, -2])
}

/// What comes of convolutions with an activation after each, halved by a pool after every second.
fn features<'t>(net: &Net, mut h: Var<'t>, f: fn(Var<'t>) -> Var<'t>) -> Var<'t> {
    for (i, conv) in net.conv.iter().enumerate() {
        h = conv.forward(h);
        h = f(net.batch.get(i).map_or(h, |norm| norm.forward(h)));
        if i % 2 == 1 && i < 4 {
            h = h.max_pool(Pool::<2>::new(2));
        }
    }
    h
}

/// A stack for ten classes.
macro_rules! stack {
    ($channels:expr, $weight:expr, $head:expr, $f:expr) => {
        |d| {
            let net = plain(d, &$channels, &$weight, $head);
            let (x, y) = (images(d, 32, $channels[0]), d.y(32, 10));
            d.look(net, |net, tape| {
                net.l[0].forward(global(features(net, tape.constant(x.clone()), $f))).cross_entropy(&y)
            })
        }
    };
}

/// A stack with batch norms.
macro_rules! normed {
    ($channels:expr, $weight:expr, $head:expr) => {
        |d| {
            let mut net = plain(d, &$channels, &$weight, $head);
            norms(&mut net, &$channels[1..]);
            let (x, y) = (images(d, 32, $channels[0]), d.y(32, 10));
            d.look(net, |net, tape| {
                net.l[0].forward(global(features(net, tape.constant(x.clone()), |h| h.relu()))).cross_entropy(&y)
            })
        }
    };
}

/// Blocks x + f(x) of two convolutions behind a first one; the norms, if there are any, are one for each.
fn blocks<'t>(net: &Net, x: Var<'t>) -> Var<'t> {
    let layer = |i: usize, h: Var<'t>| {
        let h = net.conv[i].forward(h);
        net.batch.get(i).map_or(h, |norm| norm.forward(h))
    };
    let mut h = layer(0, x).relu();
    for first in (1..net.conv.len()).step_by(2) {
        h = (h + layer(first + 1, layer(first, h).relu())).relu();
    }
    net.l[0].forward(global(h))
}

fn residual_net(d: &mut Draw, [count, width]: [usize; 2], first: &dyn Initializer, second: &dyn Initializer) -> Net {
    let mut net = plain(d, &[3, width], &relu_gain(), 0.01);
    for _ in 0..count {
        net.conv.push(conv(d, width, width, 3, first));
        net.conv.push(conv(d, width, width, 3, second));
    }
    net
}

macro_rules! residual {
    ($count:expr, $first:expr, $second:expr, |$net:ident| $change:expr) => {
        |d| {
            let mut net = residual_net(d, $count, &$first, &$second);
            let $net = &mut net;
            $change;
            let (x, y) = (images(d, 32, 3), d.y(32, 10));
            d.look(net, |net, tape| blocks(net, tape.constant(x.clone())).cross_entropy(&y))
        }
    };
}

/// LeNet-5 for images of 8 × 8.
fn lenet(d: &mut Draw, weight: &dyn Initializer, head: &dyn Initializer) -> Net {
    Net {
        conv: vec![conv(d, 1, 6, 5, weight), conv(d, 6, 16, 5, weight)],
        l: vec![d.linear(16 * 4, 120, weight), d.linear(120, 84, weight), d.linear(84, 10, head)],
        ..Net::default()
    }
}

fn lenet_forward<'t>(net: &Net, x: Var<'t>, f: fn(Var<'t>) -> Var<'t>) -> Var<'t> {
    let h = net.conv.iter().fold(x, |h, conv| f(conv.forward(h)).max_pool(Pool::<2>::new(2)));
    net.mlp(h.flatten(1), f)
}

macro_rules! lenet {
    ($weight:expr, $head:expr, $f:expr, |$d:ident| $x:expr) => {
        |$d| {
            let net = lenet($d, &$weight, &$head);
            let (x, y): (Tensor, _) = ($x, $d.y(32, 10));
            $d.look(net, |net, tape| lenet_forward(net, tape.constant(x.clone()), $f).cross_entropy(&y))
        }
    };
}

/// A small stack that is well, to be broken in one thing.
macro_rules! broken {
    (|$net:ident| $break:expr) => {
        |d| {
            let mut net = plain(d, &[3, 16, 32], &relu_gain(), 0.01);
            let $net = &mut net;
            $break;
            let (x, y) = (images(d, 32, 3), d.y(32, 10));
            d.look(net, |net, tape| {
                net.l[0].forward(global(features(net, tape.constant(x.clone()), |h| h.relu()))).cross_entropy(&y)
            })
        }
    };
}

/// A small stack that is well, with images that are not.
macro_rules! fed {
    (|$d:ident| $x:expr) => {
        |$d| {
            let net = plain($d, &[3, 16, 32], &relu_gain(), 0.01);
            let (x, y): (Tensor, _) = ($x, $d.y(32, 10));
            $d.look(net, |net, tape| {
                net.l[0].forward(global(features(net, tape.constant(x.clone()), |h| h.relu()))).cross_entropy(&y)
            })
        }
    };
}

/// A stack of causal convolutions, each twice as dilated as the one before, of the steps of a sequence.
fn wavenet(d: &mut Draw, weight: &dyn Initializer) -> Outcome {
    let mut net = Net::default();
    for (i, inputs) in [4, 32, 32, 32].into_iter().enumerate() {
        let how = Conv::default().dilation(1 << i).padding(Padding::Causal);
        net.signal.push(Conv1d::new(inputs, 32, 2, how, weight, &mut d.rng).expect("it can be"));
    }
    net.l.push(d.linear(32, 10, &normal(0.01)));
    let (x, y): (Tensor, _) = (d.x([16, 4, 24]), d.y(16, 10));
    d.look(net, |net, tape| {
        let h = net.signal.iter().fold(tape.constant(x.clone()), |h, conv| conv.forward(h).tanh());
        net.l[0].forward(h.select(-1, -1)).cross_entropy(&y)
    })
}

pub(super) const HEALTHY: &[healthy::Case] = &[
    ("LeNet with tanh", lenet!(kaiming_normal(Gain::Tanh), normal(0.01), |h| h.tanh(), |d| images(d, 32, 1))),
    ("LeNet with relu", lenet!(relu_gain(), zeros(), |h| h.relu(), |d| images(d, 32, 1))),
    ("a convolution and two layers as PyTorch makes them", |d| {
        let mut net =
            Net { conv: vec![Conv2d::new_torch(1, 32, 3, Conv::default(), &mut d.rng).unwrap()], ..Net::default() };
        net.l = [(32 * 9, 64), (64, 10)].map(|(from, to)| Linear::new_torch(from, to, &mut d.rng).unwrap()).into();
        let (x, y) = (images(d, 32, 1), d.y(32, 10));
        d.look(net, |net, tape| {
            let h = net.conv.iter().fold(tape.constant(x.clone()), |h, conv| conv.forward(h).relu());
            net.mlp(h.max_pool(Pool::<2>::new(2)).flatten(1), |h| h.relu()).cross_entropy(&y)
        })
    }),
    ("two convolutions", stack!([3, 16, 32], relu_gain(), 0.01, |h| h.relu())),
    ("eight convolutions", stack!([3, 32, 32, 32, 32, 32, 32, 32, 32], relu_gain(), 0.01, |h| h.relu())),
    ("eight convolutions with norms", normed!([3, 16, 16, 16, 16, 16, 16, 16, 16], relu_gain(), 0.01)),
    ("norms behind weights of any size", normed!([3, 16, 32, 32], normal(1.0), 0.01)),
    ("a residual network with norms", residual!([4, 16], relu_gain(), relu_gain(), |net| norms(net, &[16; 9]))),
    (
        "a residual network whose branches begin as nothing",
        residual!([8, 16], relu_gain(), relu_gain(), |net| {
            norms(net, &[16; 17]);
            for norm in net.batch.iter_mut().skip(2).step_by(2) {
                *norm.weight.as_mut().unwrap().value_mut() = Tensor::zeros([16]);
            }
        }),
    ),
    (
        "Fixup: no norms, and a last convolution of zeros in each branch",
        residual!([8, 16], relu_gain(), zeros(), |net| {
            for conv in net.conv.iter_mut().skip(1).step_by(2) {
                *conv.weight.value_mut() *= 8.0_f32.powf(-0.5);
            }
        }),
    ),
    ("channels by themselves, and then across", |d| {
        let mut net = plain(d, &[3, 16], &relu_gain(), 0.01);
        for _ in 0..2 {
            let how = Conv::default().padding(1).groups(16);
            net.conv.push(Conv2d::new(16, 16, 3, how, &relu_gain(), &mut d.rng).unwrap());
            net.conv.push(conv(d, 16, 16, 1, &relu_gain()));
        }
        norms(&mut net, &[16; 5]);
        let (x, y) = (images(d, 32, 3), d.y(32, 10));
        d.look(net, |net, tape| {
            net.l[0].forward(global(features(net, tape.constant(x.clone()), |h| h.relu()))).cross_entropy(&y)
        })
    }),
    ("strides in place of pools, and a shortcut that skips", |d| {
        let mut net = plain(d, &[3, 16], &relu_gain(), 0.01);
        let how = Conv::default().padding(1).stride(2);
        net.conv.push(Conv2d::new(16, 32, 3, how, &relu_gain(), &mut d.rng).unwrap());
        net.conv.push(Conv2d::new(16, 32, 1, how.padding(0), &kaiming_normal(Gain::Linear), &mut d.rng).unwrap());
        net.conv.push(conv(d, 32, 32, 3, &relu_gain()));
        norms(&mut net, &[16, 32, 32, 32]);
        net.l = vec![d.linear(32, 10, &normal(0.01))];
        let (x, y) = (images(d, 32, 3), d.y(32, 10));
        d.look(net, |net, tape| {
            let h = net.batch[0].forward(net.conv[0].forward(tape.constant(x.clone()))).relu();
            let main = net.batch[1].forward(net.conv[1].forward(h)).relu();
            let main = net.batch[3].forward(net.conv[3].forward(main));
            let h = (main + net.batch[2].forward(net.conv[2].forward(h))).relu();
            net.l[0].forward(global(h)).cross_entropy(&y)
        })
    }),
    ("causal convolutions of a signal", |d| wavenet(d, &kaiming_normal(Gain::Tanh))),
    ("an autoencoder", |d| {
        let mut net = Net { conv: vec![], ..Net::default() };
        let down = Conv::default().padding(1).stride(2);
        net.conv.push(Conv2d::new(1, 16, 4, down, &relu_gain(), &mut d.rng).unwrap());
        net.conv.push(Conv2d::new(16, 32, 4, down, &relu_gain(), &mut d.rng).unwrap());
        let up = ConvTranspose::default().padding(1).stride(2);
        // Of the 4 × 4 places of a kernel, each element of the result meets 2 × 2.
        let weight = |inputs: usize, gain: f64| normal((gain / (4 * inputs) as f64).sqrt());
        net.up.push(ConvTranspose2d::new(32, 16, 4, up, &weight(32, 2.0), &mut d.rng).unwrap());
        net.up.push(ConvTranspose2d::new(16, 1, 4, up, &weight(16, 0.1), &mut d.rng).unwrap());
        let x = images(d, 32, 1);
        d.look(net, |net, tape| {
            let h = net.conv.iter().fold(tape.constant(x.clone()), |h, conv| conv.forward(h).relu());
            mse(net.up[1].forward(net.up[0].forward(h).relu()), &x)
        })
    }),
    ("a U with a bridge", |d| {
        let mut net = Net::default();
        net.conv.push(conv(d, 1, 16, 3, &relu_gain()));
        net.conv.push(conv(d, 16, 16, 3, &relu_gain()));
        net.conv.push(conv(d, 32, 1, 3, &normal(0.01)));
        let x = images(d, 32, 1);
        d.look(net, |net, tape| {
            let wide = net.conv[0].forward(tape.constant(x.clone())).relu();
            let deep = net.conv[1].forward(wide.max_pool(Pool::<2>::new(2))).relu();
            let up = deep.interpolate(Resize::<2>::by(2.0, Interpolation::Nearest));
            mse(net.conv[2].forward(Var::cat(&[wide, up], 1)), &x)
        })
    }),
    ("channels that are dropped", |d| {
        let net = plain(d, &[3, 32, 32], &relu_gain(), 0.01);
        let (x, y) = (images(d, 32, 3), d.y(32, 10));
        d.look(net, |net, tape| {
            let h = net.conv[0].forward(tape.constant(x.clone())).relu().dropout_channels(0.2);
            net.l[0].forward(global(net.conv[1].forward(h).relu())).cross_entropy(&y)
        })
    }),
    ("a class for each pixel", |d| {
        let net =
            Net { conv: vec![conv(d, 3, 32, 3, &relu_gain()), conv(d, 32, 5, 1, &normal(0.01))], ..Net::default() };
        let (x, y) = (images(d, 8, 3), d.y(8 * 8 * 8, 5));
        d.look(net, |net, tape| {
            let logits = net.conv[1].forward(net.conv[0].forward(tape.constant(x.clone())).relu());
            logits.permute(&[0, 2, 3, 1]).reshape([8 * 8 * 8, 5]).cross_entropy(&y)
        })
    }),
];

pub(super) const SICK: &[sick::Case] = &[
    (
        "weights of 1",
        stack!([3, 32, 32, 32], normal(1.0), 0.2, |h| h.relu()),
        &[
            (ERROR, Fault::Loss, "l.0"),
            (ERROR, Fault::Signal, "conv.0 … conv.2"),
            (ERROR, Fault::Gradient, "conv.0 … conv.2"),
        ],
    ),
    (
        "weights that are far too small",
        stack!([3, 32, 32, 32, 32, 32, 32], normal(0.005), 0.01, |h| h.relu()),
        &[(ERROR, Fault::Signal, "conv.0 … conv.5"), (ERROR, Fault::Gradient, "conv.0 … conv.5")],
    ),
    (
        "weights that are too large before tanh",
        stack!([3, 16, 32], normal(2.0), 0.01, |h| h.tanh()),
        &[
            (ERROR, Fault::Saturation, "conv.1"),
            (ERROR, Fault::Signal, "conv.0 … conv.1"),
            (WARN, Fault::Saturation, "conv.0"),
        ],
    ),
    (
        "logits that are far too large",
        stack!([3, 16, 32], relu_gain(), 30.0, |h| h.relu()),
        &[(ERROR, Fault::Loss, "l.0")],
    ),
    (
        "all kernels are equal",
        stack!([3, 16, 32], constant(0.05), 0.01, |h| h.relu()),
        &[(ERROR, Fault::Symmetry, "conv.0.weight")],
    ),
    (
        "channels that are off",
        broken!(|net| *net.conv[0].bias.as_mut().unwrap().value_mut() = Tensor::full([16], -20.0)),
        &[(ERROR, Fault::Saturation, "conv.0"), (ERROR, Fault::Saturation, "conv.1")],
    ),
    (
        "most of the channels are off",
        broken!(|net| {
            let bias = Tensor::from_fn([32], |i| if i[0] % 8 == 0 { 0.0 } else { -20.0 });
            *net.conv[1].bias.as_mut().unwrap().value_mut() = bias;
        }),
        &[(ERROR, Fault::Saturation, "conv.1")],
    ),
    (
        "pixels from 0 to 255",
        fed!(|d| (images(d, 32, 3) * 40.0 + 120.0).clamp(0.0, 255.0)),
        &[(ERROR, Fault::Data, "constant(0)"), (WARN, Fault::Loss, "l.0")],
    ),
    (
        "images that are all the same",
        fed!(|d| images(d, 1, 3).expand([32, 3, 8, 8]).contiguous()),
        &[(ERROR, Fault::Data, "constant(0)")],
    ),
    (
        "a pixel that is not a number",
        fed!(|d| images(d, 32, 3).index_put(&[&Tensor::from([3]), &Tensor::from([1]), &Tensor::from([2])], f32::NAN)),
        &[(ERROR, Fault::NotFinite, "constant(0)")],
    ),
    (
        "a residual network without norms, and deep",
        residual!([10, 48], kaiming_normal(Gain::Custom(2.8)), kaiming_normal(Gain::Custom(2.8)), |net| _ = net),
        &[(ERROR, Fault::Signal, "conv.0 … conv.20")],
    ),
    (
        "twenty convolutions as PyTorch makes them",
        stack!(
            [3, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16],
            torch_linear(),
            0.01,
            |h| h.relu()
        ),
        &[(ERROR, Fault::Signal, "conv.0 … conv.19"), (ERROR, Fault::Gradient, "conv.0 … conv.19")],
    ),
    (
        "causal convolutions that saturate",
        |d| wavenet(d, &normal(0.9)),
        &[
            (WARN, Fault::Saturation, "signal.1"),
            (WARN, Fault::Saturation, "signal.2"),
            (WARN, Fault::Saturation, "signal.3"),
            (WARN, Fault::Signal, "signal.0 … signal.3"),
            (WARN, Fault::Gradient, "signal.0 … signal.3"),
        ],
    ),
    (
        "a stride that skips pixels",
        |d| {
            let first = Conv2d::new(3, 16, 2, Conv::default().stride(3), &relu_gain(), &mut d.rng).unwrap();
            let mut net = Net { conv: vec![first, conv(d, 16, 32, 3, &relu_gain())], ..Net::default() };
            net.l.push(d.linear(32, 10, &normal(0.01)));
            let (x, y) = (images(d, 32, 3), d.y(32, 10));
            d.look(net, |net, tape| {
                let h = net.conv[1].forward(net.conv[0].forward(tape.constant(x.clone())).relu()).relu();
                net.l[0].forward(global(h)).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Data, "conv.0")],
    ),
];
