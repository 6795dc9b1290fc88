//! Factors, rows of zeros, recurrent cells and branches: signal where it acts.

use diagnose::{Fault, Severity};
use init::{Gain, Initializer, kaiming_normal, lecun_normal, normal, torch_linear, uniform, xavier_uniform};
use nn::{GRU, LSTM, Layer};
use tensor::Tensor;

use super::nets::{Draw, Net, Outcome};
use super::{healthy, sick};

/// How a factor c may be written: x·(W·c), (x·W)·c, (x·c)·W.
#[derive(Clone, Copy)]
pub(super) enum Factor {
    Weight,
    Result,
    Input,
}

/// A stack whose layers are multiplied by a factor, in one of three ways.
pub(super) fn factored(d: &mut Draw, depth: usize, std: f64, factor: f32, way: Factor) -> Outcome {
    let net = d.stack(&[vec![64; depth + 1], vec![10]].concat(), &normal(std), &normal(0.01));
    let (x, y) = (d.x([64, 64]), d.y(64, 10));
    d.look(net, |net, tape| {
        let (last, hidden) = net.l.split_last().expect("there is a layer");
        let h = hidden.iter().fold(tape.constant(x.clone()), |h, layer| {
            let weight = layer.weight.on(tape);
            let z = match way {
                Factor::Weight => h.matmul(weight.scale(factor)),
                Factor::Result => h.matmul(weight).scale(factor),
                Factor::Input => h.scale(factor).matmul(weight),
            };
            (z + layer.bias.as_ref().expect("it has one").on(tape)).tanh()
        });
        last.forward(h).cross_entropy(&y)
    })
}

/// Sitzmann et al. (2020): sin(30 (x W + b)).
fn siren(d: &mut Draw, ω: f64) -> Outcome {
    let width = (6.0_f64 / 128.0).sqrt() / ω;
    let mut net = d.stack(&[2, 128, 128, 128, 1], &uniform(-width, width), &uniform(-width, width));
    net.l[0] = d.linear(2, 128, &uniform(-0.5, 0.5));
    let (x, y) = (d.shares([128, 2]) * 2.0 - 1.0, d.x([128, 1]) * 0.3);
    d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.scale(ω as f32).sin()).mse_loss(&y))
}

/// Three layers of PyTorch's start, one on the other.
fn stacked(d: &mut Draw) -> Outcome {
    struct Stacked {
        cells: Vec<LSTM>,
        head: nn::Linear,
    }
    nn::module!(Stacked { cells, head });
    let cells = [8, 32, 32].map(|inputs| LSTM::new_torch(inputs, 32, &mut d.rng).expect("the fan is not 0"));
    let net = Stacked { cells: cells.into(), head: d.linear(32, 4, &normal(0.01)) };
    let (x, y) = (d.x([64, 12, 8]), d.y(64, 4));
    d.look_at(net, |net, tape| {
        let h = net.cells.iter().fold(tape.constant(x.clone()), |h, cell| cell.run(h, None).0);
        net.head.forward(h.select(1, 11)).cross_entropy(&y)
    })
}

/// A recurrent layer, and a head on its last state.
macro_rules! cell {
    ($Cell:ident, $w:expr) => {
        |d| {
            struct Recurrent {
                cell: $Cell,
                head: nn::Linear,
            }
            nn::module!(Recurrent { cell, head });
            let cell = $Cell::new(4, 32, &$w, &$w, &mut d.rng).expect("the deviation is finite");
            let net = Recurrent { cell, head: d.linear(32, 4, &normal(0.01)) };
            let (x, y) = (d.x([64, 30, 4]), d.y(64, 4));
            d.look_at(net, |net, tape| {
                let state = net.cell.run(tape.constant(x.clone()), None).1;
                net.head.forward(last!($Cell, state)).cross_entropy(&y)
            })
        }
    };
}

macro_rules! last {
    (LSTM, $state:ident) => {
        $state.hidden
    };
    (GRU, $state:ident) => {
        $state
    };
}

/// Two layers in both directions, padded; the weight of the state of one of the four cells may be drawn from N(0, 1).
fn both_ways(d: &mut Draw, loud: Option<usize>) -> Outcome {
    struct Net {
        lstm: LSTM,
        head: nn::Linear,
    }
    nn::module!(Net { lstm, head });
    let mut lstm =
        LSTM::new_torch(4, nn::Recurrent::new(32).layers(2).bidirectional(), &mut d.rng).expect("two layers");
    if let Some(cell) = loud {
        *lstm.cells[cell].weight_hh.value_mut() = d.x([32, 128]);
    }
    let net = Net { lstm, head: d.linear(64, 4, &normal(0.01)) };
    let (x, y) = (d.x([64, 20, 4]), d.y(64, 4));
    let lengths: Vec<usize> = (0..64).map(|i| 12 + i % 9).collect();
    d.look_at(net, |net, tape| {
        let outputs = net.lstm.run_padded(tape.constant(x.clone()), None, &lengths).0;
        net.head.forward(outputs.select(1, 10)).cross_entropy(&y)
    })
}

/// Residual blocks without norms, whose branches are as large as their trunk, or what a factor makes of them.
fn blocks(d: &mut Draw, count: usize, factor: f32, head: &dyn Initializer) -> Outcome {
    let mut net = Net::default();
    for _ in 0..count {
        net.l.push(d.linear(64, 64, &kaiming_normal(Gain::Relu)));
        net.l.push(d.linear(64, 64, &lecun_normal(Gain::Linear)));
    }
    net.l.push(d.linear(64, 10, head));
    let (x, y) = (d.x([64, 64]), d.y(64, 10));
    d.look(net, |net, tape| {
        let mut h = tape.constant(x.clone());
        for pair in net.l[..2 * count].chunks(2) {
            let b = pair[1].forward(pair[0].forward(h).relu()).scale(factor);
            h = h + b;
        }
        net.l[2 * count].forward(h).cross_entropy(&y)
    })
}

pub(super) const HEALTHY: &[healthy::Case] = &[
    ("SIREN", |d| siren(d, 30.0)),
    ("SIREN of ω = 10", |d| siren(d, 10.0)),
    ("equalized rates", |d| factored(d, 4, 1.0, (1.0_f32 / 64.0).sqrt() * 1.3, Factor::Result)),
    ("the same on the weights", |d| factored(d, 4, 1.0, (1.0_f32 / 64.0).sqrt() * 1.3, Factor::Weight)),
    ("the same on the inputs", |d| factored(d, 4, 1.0, (1.0_f32 / 64.0).sqrt() * 1.3, Factor::Input)),
    ("half of the rows are zero", |d| {
        let net = d.stack(&[10, 50, 50, 4], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.x([64, 10]), d.y(64, 4));
        let x = Tensor::from_fn([64, 10], |i| if i[0] % 2 == 0 { x.get(&[i[0], i[1]]).unwrap_or(0.0) } else { 0.0 });
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("nine of ten rows are zero", |d| {
        let net = d.stack(&[10, 50, 50, 4], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.x([160, 10]), d.y(160, 4));
        let x = Tensor::from_fn([160, 10], |i| if i[0] % 10 == 0 { x.get(&[i[0], i[1]]).unwrap_or(0.0) } else { 0.0 });
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("relu after relu, of numbers above 0", |d| {
        let net = d.stack(&[10, 84, 4], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.x([64, 10]).abs(), d.y(64, 4));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu().relu()).cross_entropy(&y))
    }),
    ("two LSTMs in both directions", |d| both_ways(d, None)),
    ("an LSTM of Glorot", cell!(LSTM, xavier_uniform(Gain::Linear))),
    ("a GRU of Glorot", cell!(GRU, xavier_uniform(Gain::Linear))),
    ("an LSTM of PyTorch", cell!(LSTM, torch_linear())),
    ("a GRU of PyTorch", cell!(GRU, torch_linear())),
    ("three LSTMs of PyTorch", stacked),
    ("residual × 12, branches × 1/√12", |d| blocks(d, 12, 0.29, &normal(0.01))),
    ("a table tied to the head, small, before a norm", |d| tied(d, 0.02)),
];

/// A table, a norm, and the table's transpose as the head.
fn tied(d: &mut Draw, std: f64) -> Outcome {
    let net = Net { table: vec![d.table(65, 64, &normal(std))], norm: vec![nn::LayerNorm::new(64)], ..Net::default() };
    let (x, y) = (d.y(128, 65), d.y(128, 65));
    d.look(net, |net, tape| {
        let h = net.norm[0].forward(net.table[0].forward(tape, &x));
        h.matmul(net.table[0].weight.on(tape).t()).cross_entropy(&y)
    })
}

/// Logits by a sigmoid, whose head is drawn from N(0, 1).
fn large_sigmoid(d: &mut Draw) -> Outcome {
    let net = d.stack(&[10, 32, 1], &kaiming_normal(Gain::Relu), &normal(3.0));
    let (x, y) = (d.x([64, 10]), d.bits([64, 1], 0.5));
    d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).sigmoid().bce_loss(&y))
}

const ERROR: Severity = Severity::Error;
const WARN: Severity = Severity::Warn;

pub(super) const SICK: &[sick::Case] = &[
    ("an LSTM of N(0, 1)", cell!(LSTM, normal(1.0)), &[(ERROR, Fault::Signal, "cell.weight_hh")]),
    (
        "two LSTMs in both directions, one of N(0, 1)",
        |d| both_ways(d, Some(3)),
        &[(ERROR, Fault::Signal, "lstm.weight_hh_l1_reverse")],
    ),
    ("the same, the first", |d| both_ways(d, Some(0)), &[(ERROR, Fault::Signal, "lstm.weight_hh")]),
    ("a GRU of N(0, 1)", cell!(GRU, normal(1.0)), &[(ERROR, Fault::Signal, "cell.weight_hh")]),
    ("a table tied to the head, N(0, 1), before a norm", |d| tied(d, 1.0), &[(WARN, Fault::Loss, "table.0")]),
    ("a head too large before a sigmoid", large_sigmoid, &[(WARN, Fault::Loss, "l.1")]),
    (
        "logits of 100,000",
        |d| {
            let net = d.stack(&[10, 32, 4], &normal(1.0), &normal(30_000.0));
            let (x, y) = (d.x([64, 10]), d.y(64, 4));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
        },
        &[(ERROR, Fault::Loss, "l.1")],
    ),
    (
        "residual × 12, branches as large as the trunk",
        |d| blocks(d, 12, 1.0, &lecun_normal(Gain::Linear)),
        &[(WARN, Fault::Signal, "l.1 … l.23")],
    ),
];
