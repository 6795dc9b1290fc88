//! Tables whose columns are of several kinds.

use autograd::Var;
use diagnose::{Fault, Severity};
use init::{Gain, kaiming_normal, normal, zeros};
use nn::Layer;
use tensor::Tensor;

use super::nets::{Draw, Net, Outcome};
use super::{healthy, sick};

/// Eight standardized columns, of which a closure makes others: of a number that is standard normal, a row and a column.
fn table(d: &mut Draw, of: impl Fn(f32, usize, usize) -> f32) -> Tensor {
    let z: Tensor = d.x([128, 8]);
    Tensor::from_fn([128, 8], |i| of(z.get(&[i[0], i[1]]).expect("it is there"), i[0], i[1]))
}

fn look(d: &mut Draw, x: Tensor) -> Outcome {
    let net = d.stack(&[8, 64, 3], &kaiming_normal(Gain::Relu), &zeros());
    let y = d.y(128, 3);
    d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
}

/// A table with one column that a closure makes of a standard normal one.
pub(super) fn with_odd(d: &mut Draw, at: usize, odd: fn(f32) -> f32) -> Outcome {
    let x = table(d, |z, _, _| z);
    // The same column, wherever it stands.
    let column = x.slice(1, 3..4).map(odd);
    let others = Tensor::cat(&[&x.slice(1, 0..3), &x.slice(1, 4..8)], 1);
    let x = Tensor::cat(&[&others.slice(1, 0..at as isize), &column, &others.slice(1, at as isize..7)], 1);
    look(d, x)
}

/// A table with one column that is not like the others.
macro_rules! with {
    (|$z:ident, $row:ident| $odd:expr) => {
        |d| {
            let x = table(d, |$z, $row, column| {
                let _ = $row;
                if column == 3 { $odd } else { $z }
            });
            look(d, x)
        }
    };
}

/// What is said of one input beside an embedding.
fn joined(d: &mut Draw, scale: f32, sum_of_heads: bool) -> Outcome {
    let mut net = Net { table: vec![d.table(50, 8, &normal(1.0)), d.table(50, 1, &zeros())], ..Net::default() };
    net.l = vec![d.linear(9, 32, &kaiming_normal(Gain::Relu)), d.linear(32, 1, &zeros())];
    let (ids, price, y) = (d.y(64, 50), d.shares([64, 1]) * scale, d.bits([64, 1], 0.5));
    if !sum_of_heads {
        net.table.pop();
    }
    d.look(net, |net, tape| {
        let h = Var::cat(&[net.table[0].forward(tape, &ids), tape.constant(price.clone())], -1);
        let deep = net.l[1].forward(net.l[0].forward(h).relu());
        let out = if sum_of_heads { deep + net.table[1].forward(tape, &ids) } else { deep };
        out.bce_with_logits_loss(&y)
    })
}

pub(super) const HEALTHY: &[healthy::Case] = &[
    ("standardized columns", with!(|z, row| z)),
    ("a column of 0 and 1", with!(|z, row| f32::from(z > 0.0))),
    ("a column that is seldom 1", with!(|z, row| f32::from(z > 1.9))),
    ("a column that is always 1, for a bias", with!(|z, row| 1.0 + 0.0 * z)),
    ("a column of zeros", with!(|z, row| 0.0 * z)),
    ("a column of 2 ± 1", with!(|z, row| 2.0 + z)),
    ("a column of shares", with!(|z, row| 0.5 + 0.1 * z.tanh())),
    ("a column of a few hours, all small", with!(|z, row| (z * 2.0).round())),
    ("a price between 0 and 1 beside an embedding", |d| joined(d, 1.0, false)),
    ("a wide table of zeros beside a deep head", |d| joined(d, 1.0, true)),
];

const ERROR: Severity = Severity::Error;
const WARN: Severity = Severity::Warn;
const DATA: (Severity, Fault, &str) = (ERROR, Fault::Data, "constant(0)");

pub(super) const SICK: &[sick::Case] = &[
    ("a column of 38 ± 13", with!(|z, row| 38.0 + 13.0 * z), &[DATA]),
    ("a column of 0 ± 40", with!(|z, row| 40.0 * z), &[DATA]),
    ("a column of 5 ± 0.3", with!(|z, row| 5.0 + 0.3 * z), &[(WARN, Fault::Data, "constant(0)")]),
    ("years beside standardized columns", with!(|z, row| 1990.0 + (8.0 * z).round()), &[DATA]),
    ("a code of −999 in some rows", with!(|z, row| if row % 20 == 7 { -999.0 } else { z }), &[DATA]),
    ("identifiers beside standardized columns", with!(|z, row| 3.0e9 + 4096.0 * row as f32 + 0.0 * z), &[DATA]),
    ("strings of digits beside standardized columns", with!(|z, row| 1e6 + (9e6 * z.tanh()).round()), &[DATA]),
    ("a price of 5,000 beside an embedding", |d| joined(d, 5000.0, false), &[(ERROR, Fault::Data, "constant(2)")]),
    ("the same with a wide table", |d| joined(d, 5000.0, true), &[(ERROR, Fault::Data, "constant(2)")]),
    ("a code of 99 in some rows", with!(|z, row| if row % 16 == 7 { 99.0 } else { z }), &[DATA]),
];
