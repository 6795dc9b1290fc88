//! Output, loss and targets, which fit each other or do not.

use autograd::{Bce, CrossEntropy, KlDiv, Reduction, Var};
use diagnose::{Fault, Severity};
use init::{Gain, kaiming_normal, lecun_normal, normal, zeros};
use tensor::Tensor;

use super::nets::{Draw, Outcome, mse};
use super::{healthy, sick};

/// A hidden layer of relu, and a head; the loss of what that gives, with the targets that a closure draws.
macro_rules! end {
    ($outputs:expr, |$d:ident| $targets:expr, |$h:ident, $t:ident| $loss:expr) => {
        end!($outputs, lecun_normal(Gain::Linear), |$d| $targets, |$h, $t| $loss)
    };
    ($outputs:expr, $head:expr, |$d:ident| $targets:expr, |$h:ident, $t:ident| $loss:expr) => {
        |$d| {
            let net = $d.stack(&[20, 64, $outputs], &kaiming_normal(Gain::Relu), &$head);
            let (x, $t): (Tensor, _) = ($d.x([64, 20]), $targets);
            $d.look(net, |net, tape| {
                let $h = net.mlp(tape.constant(x.clone()), |h| h.relu());
                $loss
            })
        }
    };
}

/// Zeros and ones, or other classes.
fn bits(d: &mut Draw, dims: [usize; 2]) -> Tensor {
    d.bits(dims, 0.5)
}

fn one_hot(d: &mut Draw, classes: usize) -> Tensor {
    Tensor::one_hot(&d.y(64, classes), classes)
}

fn ce<'t>(h: Var<'t>, options: CrossEntropy<'_>, y: &Tensor<i64>) -> Var<'t> {
    h.cross_entropy_with(y, options)
}

/// A small head, as a classifier should have.
fn small() -> impl init::Initializer {
    normal(0.01)
}

pub(super) const HEALTHY: &[healthy::Case] = &[
    ("sigmoid and bce_loss", end!(1, |d| bits(d, [64, 1]), |h, t| h.sigmoid().bce_loss(&t))),
    ("sigmoid and squares of shares", end!(1, |d| d.shares([64, 1]), |h, t| h.sigmoid().mse_loss(&t))),
    ("sigmoid and squares of 0 and 1", end!(1, |d| bits(d, [64, 1]), |h, t| h.sigmoid().mse_loss(&t))),
    ("several labels with logits", end!(5, |d| bits(d, [64, 5]), |h, t| h.bce_with_logits_loss(&t))),
    ("several labels with sigmoids", end!(5, |d| bits(d, [64, 5]), |h, t| h.sigmoid().bce_loss(&t))),
    ("softmax and bce_loss of one label", end!(5, small(), |d| one_hot(d, 5), |h, t| h.softmax(-1).bce_loss(&t))),
    ("softmax and squares of one label", end!(5, small(), |d| one_hot(d, 5), |h, t| h.softmax(-1).mse_loss(&t))),
    (
        "softmax, ln and nll_loss",
        end!(5, small(), |d| d.y(64, 5), |h, t| h.softmax(-1).clamp(1e-7, 1.0).ln().nll_loss(&t)),
    ),
    (
        "shares made by hand and nll_loss",
        end!(5, small(), |d| d.y(64, 5), |h, t| {
            let p = h.softmax(-1);
            (p / p.sum(-1).unsqueeze(-1)).clamp(1e-7, 1.0).ln().nll_loss(&t)
        }),
    ),
    ("log_softmax and nll_loss", end!(5, small(), |d| d.y(64, 5), |h, t| h.log_softmax(-1).nll_loss(&t))),
    (
        "log_softmax and kl_div of shares",
        end!(5, small(), |d| d.x([64, 5]).softmax(1), |h, t| h
            .log_softmax(-1)
            .kl_div(&t, KlDiv { reduction: Reduction::BatchMean, ..KlDiv::default() })),
    ),
    (
        "kl_div of logarithms",
        end!(5, small(), |d| d.x([64, 5]).log_softmax(1), |h, t| h
            .log_softmax(-1)
            .kl_div(&t, KlDiv { log_target: true, reduction: Reduction::BatchMean })),
    ),
    ("a loss less a constant", end!(5, small(), |d| d.y(64, 5), |h, t| h.cross_entropy(&t) - 3.0)),
    (
        "cross-entropy of shares",
        end!(5, small(), |d| d.x([64, 5]).softmax(1), |h, t| h.soft_cross_entropy(&t, CrossEntropy::default())),
    ),
    (
        "labels smoothed by 0.1",
        end!(5, small(), |d| d.y(64, 5), |h, t| ce(
            h,
            CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() },
            &t
        )),
    ),
    (
        "labels of which some are ignored",
        end!(5, small(), |d| d.y(64, 5), |h, t| ce(
            h,
            CrossEntropy { ignore_index: Some(2), ..CrossEntropy::default() },
            &t
        )),
    ),
    ("relu for numbers above 0", end!(1, |d| d.x([64, 1]).abs(), |h, t| h.relu().mse_loss(&t))),
    ("softplus for numbers above 0", end!(1, |d| d.x([64, 1]).abs(), |h, t| h.softplus().mse_loss(&t))),
    ("exp for numbers above 0", end!(1, small(), |d| d.x([64, 1]).exp(), |h, t| h.exp().l1_loss(&t))),
    ("tanh for numbers between −1 and 1", end!(1, |d| d.shares([64, 1]) * 2.0 - 1.0, |h, t| h.tanh().mse_loss(&t))),
    (
        "tanh × 10 for numbers of ±10",
        end!(1, |d| (d.shares([64, 1]) * 2.0 - 1.0) * 10.0, |h, t| h.tanh().scale(10.0).mse_loss(&t)),
    ),
    (
        "5 σ + 1 for stars from 1 to 5",
        end!(1, |d| d.shares([64, 1]) * 4.0 + 1.0, |h, t| (h.sigmoid() * 5.0 + 0.5).mse_loss(&t)),
    ),
    (
        "logits between −30 and 30",
        end!(10, small(), |d| d.y(64, 10), |h, t| (h / 30.0).tanh().scale(30.0).cross_entropy(&t)),
    ),
    (
        "a residual that is to be 0",
        end!(1, |d| d.x([64, 1]), |h, t| (h - h.tape().constant(t.clone())).mse_loss(Tensor::zeros([64, 1]))),
    ),
    ("a small penalty", |d| {
        let net = d.stack(&[20, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.x([64, 20]), d.y(64, 10));
        d.look(net, |net, tape| {
            let loss = net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y);
            loss + net.l[0].weight.on(tape).square().sum(..).scale(1e-3)
        })
    }),
    ("real and made examples of a discriminator", |d| {
        let net = d.stack(&[20, 64, 1], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (real, made) = (d.x([64, 20]), d.x([64, 20]));
        d.look(net, |net, tape| {
            let [real, made] = [&real, &made].map(|x| net.mlp(tape.constant(x.clone()), |h| h.relu()));
            real.bce_with_logits_loss(Tensor::ones([64, 1])) + made.bce_with_logits_loss(Tensor::zeros([64, 1]))
        })
    }),
    (
        "one of ten is positive",
        end!(1, small(), |d| d.bits([64, 1], 0.1), |h, t| {
            let rare = Tensor::from([9.0]);
            h.bce_with_logits_loss_with(&t, Bce { pos_weight: Some(&rare), ..Bce::default() })
        }),
    ),
    (
        "a hinge of scores by hand",
        end!(1, |d| bits(d, [64, 1]) * 2.0 - 1.0, |h, t| (h * h.tape().constant(t.clone()) * -1.0 + 1.0)
            .relu()
            .mean(..)),
    ),
    (
        "distances beyond a margin",
        end!(8, |d| bits(d, [64, 1]), |h, _t| (h.square().sum(-1) * -1.0 + 1.0).relu().mean(..)),
    ),
];

const ERROR: Severity = Severity::Error;
const WARN: Severity = Severity::Warn;

pub(super) const SICK: &[sick::Case] = &[
    (
        "softmax of one value, bce_loss",
        end!(1, |d| bits(d, [64, 1]), |h, t| h.softmax(-1).bce_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "softmax of one value, squares",
        end!(1, |d| bits(d, [64, 1]), |h, t| h.softmax(-1).mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "softmax of one value, squares by hand",
        end!(1, |d| bits(d, [64, 1]), |h, t| mse(h.softmax(-1), &t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "cross-entropy of one class",
        end!(1, |d| d.y(64, 1), |h, t| h.cross_entropy(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "softmax over the batch",
        end!(5, small(), |d| d.y(64, 5), |h, t| h.softmax(0).clamp(1e-7, 1.0).ln().nll_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "log_softmax over the batch",
        end!(5, small(), |d| d.y(64, 5), |h, t| h.log_softmax(0).nll_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "softmax for labels that are independent",
        end!(5, small(), |d| bits(d, [64, 5]), |h, t| h.softmax(-1).bce_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "softmax for numbers",
        end!(3, |d| d.x([64, 3]) * 5.0, |h, t| h.softmax(-1).mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "sigmoid for numbers of 3 to 103",
        end!(1, |d| d.shares([64, 1]) * 100.0 + 3.0, |h, t| h.sigmoid().mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "sigmoid for numbers of 3 to 103, l1_loss",
        end!(1, |d| d.shares([64, 1]) * 100.0 + 3.0, |h, t| h.sigmoid().l1_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "sigmoid for numbers of 3 to 103, by hand",
        end!(1, |d| d.shares([64, 1]) * 100.0 + 3.0, |h, t| mse(h.sigmoid(), &t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "tanh for numbers of ±10",
        end!(1, |d| d.x([64, 1]) * 10.0, |h, t| h.tanh().mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "tanh × 2 for numbers of ±10",
        end!(1, |d| d.x([64, 1]) * 10.0, |h, t| h.tanh().scale(2.0).mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "relu for numbers of both signs",
        end!(8, |d| d.x([64, 8]), |h, t| h.relu().mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "exp for numbers of both signs",
        end!(8, small(), |d| d.x([64, 8]), |h, t| h.exp().mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "squares for numbers of both signs",
        end!(8, |d| d.x([64, 8]), |h, t| h.square().mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "sin for numbers of ±10",
        end!(1, |d| d.x([64, 1]) * 10.0, |h, t| h.sin().mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "relu before logits of yes and no",
        end!(2, |d| one_hot(d, 2), |h, t| h.relu().bce_with_logits_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "tanh before logits of yes and no",
        end!(2, |d| one_hot(d, 2), |h, t| h.tanh().bce_with_logits_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "tanh before cross-entropy",
        end!(10, small(), |d| d.y(64, 10), |h, t| h.tanh().cross_entropy(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
    (
        "relu before cross-entropy",
        end!(10, small(), |d| d.y(64, 10), |h, t| h.relu().cross_entropy(&t)),
        &[(WARN, Fault::Output, "l.1")],
    ),
    (
        "targets of −1 and 1 for yes and no",
        end!(1, |d| bits(d, [64, 1]) * 2.0 - 1.0, |h, t| h.bce_with_logits_loss(&t)),
        &[(ERROR, Fault::Targets, "l.1")],
    ),
    (
        "classes 0, 1, 2 for yes and no",
        end!(1, |d| d.y(64, 3).map(|c| c as f32).unsqueeze(1), |h, t| h.sigmoid().bce_loss(&t)),
        &[(ERROR, Fault::Targets, "l.1")],
    ),
    (
        "several labels for cross-entropy",
        end!(5, small(), |d| bits(d, [64, 5]), |h, t| h.soft_cross_entropy(&t, CrossEntropy::default())),
        &[(WARN, Fault::Targets, "l.1")],
    ),
    (
        "labels that are all of one class",
        end!(10, |_d| Tensor::<i64>::full([64], 3), |h, t| h.cross_entropy(&t)),
        &[(ERROR, Fault::Targets, "l.1")],
    ),
    (
        "answers that are all no",
        end!(1, |_d| Tensor::zeros([64, 1]), |h, t| h.bce_with_logits_loss(&t)),
        &[(WARN, Fault::Targets, "l.1")],
    ),
    (
        "labels smoothed by 1",
        end!(5, |d| d.y(64, 5), |h, t| ce(h, CrossEntropy { label_smoothing: 1.0, ..CrossEntropy::default() }, &t)),
        &[(ERROR, Fault::Targets, "l.1")],
    ),
    ("nll_loss of logits", end!(5, |d| d.y(64, 5), |h, t| h.nll_loss(&t)), &[(ERROR, Fault::Logits, "l.1")]),
    (
        "nll_loss of probabilities",
        end!(5, |d| d.y(64, 5), |h, t| h.softmax(-1).nll_loss(&t)),
        &[(ERROR, Fault::Logits, "l.1")],
    ),
    (
        "the logarithm of relu",
        end!(5, |d| d.y(64, 5), |h, t| (h / h.sum(-1).unsqueeze(-1)).clamp(1e-7, 1.0).ln().nll_loss(&t)),
        &[(ERROR, Fault::Logits, "l.1")],
    ),
    (
        "kl_div of logits",
        end!(5, |d| d.x([64, 5]).softmax(1), |h, t| h.kl_div(&t, KlDiv::default())),
        &[(ERROR, Fault::Logits, "l.1")],
    ),
    (
        "a minus before cross-entropy",
        end!(5, small(), |d| d.y(64, 5), |h, t| -h.cross_entropy(&t)),
        &[(ERROR, Fault::Objective, "l.1")],
    ),
    (
        "a minus before squares",
        end!(1, |d| d.x([64, 1]), |h, t| h.mse_loss(&t).scale(-0.5)),
        &[(ERROR, Fault::Objective, "l.1")],
    ),
    (
        "a penalty of a hundred times the loss",
        |d: &mut Draw| -> Outcome {
            let net = d.stack(&[20, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            let (x, y) = (d.x([64, 20]), d.y(64, 10));
            d.look(net, |net, tape| {
                let loss = net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y);
                loss + net.l[0].weight.on(tape).square().sum(..).scale(2.0)
            })
        },
        &[(ERROR, Fault::Objective, "l.0")],
    ),
    (
        "zero head, and targets of 3 to 103 behind a sigmoid",
        end!(1, zeros(), |d| d.shares([64, 1]) * 100.0 + 3.0, |h, t| h.sigmoid().mse_loss(&t)),
        &[(ERROR, Fault::Output, "l.1")],
    ),
];
