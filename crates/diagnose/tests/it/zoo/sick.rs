//! Networks that must be found out, with what is wrong and where.

use diagnose::{Fault, Severity};
use init::{Gain, constant, kaiming_normal, lecun_normal, normal, orthogonal, torch_linear, zeros};
use nn::{BatchNorm1d, Layer, LayerNorm, Param};
use tensor::Tensor;

use super::nets::{Draw, Net, Outcome, attend, bce, causal, huber, mse, step, widths};

/// A network by its name, and what is wrong with it above a note: each fault with its place.
pub(super) type Case = (&'static str, fn(&mut Draw) -> Outcome, &'static [(Severity, Fault, &'static str)]);

/// A stack of one scheme with an activation, for ten classes.
macro_rules! plain {
    ($depth:expr, $weight:expr, $f:expr) => {
        |d| {
            let net = d.stack(&widths(100, $depth), &$weight, &normal(0.01));
            let (x, y) = (d.x([64, 100]), d.y(64, 10));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), $f).cross_entropy(&y))
        }
    };
}

/// A network of one hidden layer that is well, to be broken in one thing.
macro_rules! broken {
    ($f:expr, |$net:ident| $break:expr) => {
        |d| {
            let mut net = d.stack(&[30, 100, 27], &kaiming_normal(Gain::Relu), &normal(0.01));
            let $net = &mut net;
            $break;
            let (x, y) = (d.x([64, 30]), d.y(64, 27));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), $f).cross_entropy(&y))
        }
    };
}

/// A network that is well, with a batch that is not.
macro_rules! fed {
    (|$d:ident| $x:expr) => {
        |$d| {
            let net = $d.stack(&[30, 100, 100, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            let (x, y): (Tensor, _) = ($x, $d.y(64, 10));
            $d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
        }
    };
}

/// A network that is well, with a loss that is not.
macro_rules! judged {
    ($outputs:expr, $head:expr, |$d:ident| $target:expr, |$y:ident, $t:ident| $loss:expr) => {
        |$d| {
            let net = $d.stack(&[20, 64, $outputs], &kaiming_normal(Gain::Relu), &$head);
            let (x, $t): (Tensor, _) = ($d.x([64, 20]), $target);
            $d.look(net, |net, tape| {
                let $y = net.mlp(tape.constant(x.clone()), |h| h.relu());
                $loss
            })
        }
    };
}

/// The bias of a layer.
fn bias(param: &mut Option<Param>) -> &mut Tensor {
    param.as_mut().expect("it has a bias").value_mut()
}

const ERROR: Severity = Severity::Error;
const WARN: Severity = Severity::Warn;

pub(super) const CASES: &[Case] = &[
    (
        "linear × 5, gain 0.1",
        plain!(5, kaiming_normal(Gain::Custom(0.1)), |h| h),
        &[(ERROR, Fault::Signal, "l.0 … l.4"), (ERROR, Fault::Gradient, "l.0 … l.4")],
    ),
    (
        "linear × 60, gain 0.1",
        plain!(60, kaiming_normal(Gain::Custom(0.1)), |h| h),
        &[(ERROR, Fault::Signal, "l.0 … l.59"), (ERROR, Fault::Gradient, "l.0 … l.59")],
    ),
    (
        "tanh × 60, gain 0.1",
        plain!(60, kaiming_normal(Gain::Custom(0.1)), |h| h.tanh()),
        &[(ERROR, Fault::Signal, "l.0 … l.59"), (ERROR, Fault::Gradient, "l.0 … l.59")],
    ),
    (
        "tanh × 20, gain 0.5",
        plain!(20, kaiming_normal(Gain::Custom(0.5)), |h| h.tanh()),
        &[(ERROR, Fault::Signal, "l.0 … l.19"), (ERROR, Fault::Gradient, "l.0 … l.19")],
    ),
    (
        "tanh × 200, gain 0.5",
        plain!(200, kaiming_normal(Gain::Custom(0.5)), |h| h.tanh()),
        &[(ERROR, Fault::Signal, "l.0 … l.199"), (ERROR, Fault::Gradient, "l.0 … l.199")],
    ),
    (
        "linear × 200, gain 0.5",
        plain!(200, kaiming_normal(Gain::Custom(0.5)), |h| h),
        &[(ERROR, Fault::Signal, "l.0 … l.199"), (ERROR, Fault::Gradient, "l.0 … l.199")],
    ),
    (
        "relu × 10, PyTorch's weights",
        plain!(10, torch_linear(), |h| h.relu()),
        &[(ERROR, Fault::Signal, "l.0 … l.9"), (ERROR, Fault::Gradient, "l.0 … l.9")],
    ),
    (
        "gelu × 20, PyTorch's weights",
        plain!(20, torch_linear(), |h| h.gelu()),
        &[(ERROR, Fault::Signal, "l.0 … l.19"), (ERROR, Fault::Gradient, "l.0 … l.19")],
    ),
    (
        "linear × 6, gain 3",
        plain!(6, kaiming_normal(Gain::Custom(3.5)), |h| h),
        &[(ERROR, Fault::Loss, "l.6"), (ERROR, Fault::Signal, "l.0 … l.5"), (ERROR, Fault::Gradient, "l.0 … l.5")],
    ),
    (
        "relu × 20, gain 3",
        plain!(20, kaiming_normal(Gain::Custom(3.0)), |h| h.relu()),
        &[(ERROR, Fault::Loss, "l.20"), (ERROR, Fault::Signal, "l.0 … l.19"), (ERROR, Fault::Gradient, "l.0 … l.19")],
    ),
    (
        "tanh × 6, standard normal",
        plain!(6, normal(1.0), |h| h.tanh()),
        &[
            (ERROR, Fault::Saturation, "l.0"),
            (ERROR, Fault::Saturation, "l.1"),
            (ERROR, Fault::Saturation, "l.2"),
            (ERROR, Fault::Saturation, "l.3"),
            (ERROR, Fault::Saturation, "l.4"),
            (ERROR, Fault::Saturation, "l.5"),
            (ERROR, Fault::Gradient, "l.0 … l.5"),
            (WARN, Fault::Signal, "l.0 … l.5"),
        ],
    ),
    (
        "sigmoid × 3, weights of 3",
        plain!(3, normal(3.0), |h| h.sigmoid()),
        &[
            (ERROR, Fault::Saturation, "l.0"),
            (ERROR, Fault::Saturation, "l.1"),
            (ERROR, Fault::Saturation, "l.2"),
            (WARN, Fault::Signal, "l.0 … l.2"),
            (WARN, Fault::Gradient, "l.0 … l.2"),
        ],
    ),
    (
        "200 layers at gain 0.5 in f64",
        |d| {
            let net = d.stack_of::<f64>(&widths(50, 200), &kaiming_normal(Gain::Custom(0.5)), &normal(0.01));
            let (x, y) = (d.x([64, 50]), d.y(64, 10));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
        },
        &[(ERROR, Fault::Signal, "l.0 … l.199"), (ERROR, Fault::Gradient, "l.0 … l.199")],
    ),
    (
        "the lecture's original",
        |d| {
            let mut net = d.stack(&[30, 200, 27], &normal(1.0), &normal(1.0));
            for layer in 0..2 {
                let width = net.l[layer].weight.value().size(1);
                net.l[layer].bias = Some(d.param([width], &normal(1.0)));
            }
            let (x, y) = (d.x([32, 30]), d.y(32, 27));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
        },
        &[(WARN, Fault::Loss, "l.1"), (WARN, Fault::Saturation, "l.0")],
    ),
    (
        "all zero",
        broken!(|h| h.tanh(), |net| for layer in &mut net.l {
            *layer.weight.value_mut() = Tensor::zeros(layer.weight.value().shape());
        }),
        &[(ERROR, Fault::Symmetry, "l.0.weight")],
    ),
    (
        "a first layer of zeros",
        broken!(|h| h.tanh(), |net| *net.l[0].weight.value_mut() = Tensor::zeros([30, 100])),
        &[(ERROR, Fault::Signal, "l.0")],
    ),
    (
        "a first layer of zeros before relu",
        broken!(|h| h.relu(), |net| *net.l[0].weight.value_mut() = Tensor::zeros([30, 100])),
        &[(ERROR, Fault::Symmetry, "l.0.weight"), (ERROR, Fault::Saturation, "l.0")],
    ),
    (
        "columns all alike",
        |d| {
            let mut net = d.stack(&[30, 100, 27], &constant(0.1), &constant(0.02));
            net.l[1].bias = None;
            let (x, y) = (d.x([64, 30]), d.y(64, 27));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
        },
        &[(ERROR, Fault::Symmetry, "l.0.weight")],
    ),
    (
        "half of the units copies of others",
        broken!(|h| h.tanh(), |net| {
            let half = net.l[0].weight.value().slice(1, 0..50);
            *net.l[0].weight.value_mut() = Tensor::cat(&[&half, &half], 1);
            let half = net.l[1].weight.value().slice(0, 0..50);
            *net.l[1].weight.value_mut() = Tensor::cat(&[&half, &half], 0);
        }),
        &[(WARN, Fault::Symmetry, "l.0.weight")],
    ),
    (
        "logits too large",
        broken!(|h| h.relu(), |net| net.l[1].weight.value_mut().map_assign(|w| w * 100.0)),
        &[(WARN, Fault::Loss, "l.1")],
    ),
    (
        "a bias of the head too large",
        broken!(|h| h.relu(), |net| *bias(&mut net.l[1].bias) = Tensor::from_fn([27], |i| i[0] as f32)),
        &[(WARN, Fault::Loss, "l.1")],
    ),
    (
        "two fifths of relu off by their bias",
        broken!(|h| h.relu(), |net| {
            *bias(&mut net.l[0].bias) = Tensor::from_fn([100], |i| if i[0] < 40 { -20.0 } else { 0.0 });
        }),
        &[(WARN, Fault::Dead, "l.0")],
    ),
    (
        "all of relu off by their bias",
        broken!(|h| h.relu(), |net| *bias(&mut net.l[0].bias) = Tensor::full([100], -50.0)),
        &[(ERROR, Fault::Saturation, "l.0")],
    ),
    (
        "a fifth of tanh saturated by their bias",
        broken!(|h| h.tanh(), |net| {
            *bias(&mut net.l[0].bias) = Tensor::from_fn([100], |i| if i[0] < 20 { 20.0 } else { 0.0 });
        }),
        &[(WARN, Fault::Dead, "l.0")],
    ),
    (
        "one unit whose weights are zero",
        broken!(|h| h.relu(), |net| {
            let keep = Tensor::from_fn([100], |i| if i[0] == 3 { 0.0 } else { 1.0 });
            *net.l[0].weight.value_mut() = net.l[0].weight.value() * keep;
        }),
        &[(WARN, Fault::Dead, "l.0")],
    ),
    (
        "a dead channel of [N, C, L]",
        |d| {
            let mut net = d.stack(&[48, 48, 10], &kaiming_normal(Gain::Linear), &normal(0.01));
            net.batch = vec![BatchNorm1d::new(6)];
            *net.batch[0].bias.as_mut().unwrap().value_mut() = Tensor::from([0.0, 0.0, -20.0, 0.0, 0.0, 0.0]);
            let (x, y) = (d.x([64, 48]), d.y(64, 10));
            d.look(net, |net, tape| {
                let h = net.l[0].forward(tape.constant(x.clone())).reshape([64, 6, 8]);
                net.l[1].forward(net.batch[0].forward(h).relu().flatten(1)).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Dead, "batch.0")],
    ),
    (
        "a dead channel of [N, C, L] by a bias of [C, 1]",
        |d| {
            let mut net = d.stack(&[48, 48, 10], &kaiming_normal(Gain::Linear), &normal(0.01));
            net.p = vec![Param::new(Tensor::from([[0.0], [0.0], [0.0], [-20.0], [0.0], [0.0]]))];
            let (x, y) = (d.x([64, 48]), d.y(64, 10));
            d.look(net, |net, tape| {
                let h = net.l[0].forward(tape.constant(x.clone())).reshape([64, 6, 8]);
                net.l[1].forward((h + net.p[0].on(tape)).relu().flatten(1)).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Dead, "p")],
    ),
    (
        "one of two features of 10,000",
        |d| {
            let net = d.stack(&[2, 64, 64, 3], &kaiming_normal(Gain::Relu), &normal(0.01));
            let (x, y): (Tensor, _) = (d.x([100, 2]), d.y(100, 3));
            let x = x * Tensor::from([1.0, 1e4]);
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
        },
        &[(ERROR, Fault::Data, "constant(0)"), (ERROR, Fault::Loss, "l.2")],
    ),
    (
        "a weight that is a leaf without a name",
        |d| {
            let net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            let (x, y, w): (_, _, Param) = (d.x([64, 30]), d.y(64, 10), d.param([30, 30], &orthogonal(Gain::Linear)));
            d.look(net, |net, tape| {
                let h = tape.constant(x.clone()).matmul(tape.leaf(w.value().clone())).tanh();
                net.mlp(h, |h| h.relu()).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Unlisted, "leaf(1)")],
    ),
    (
        "tanh saturated behind batch norm",
        |d| {
            let mut net = d.stack(&[30, 100, 10], &kaiming_normal(Gain::Tanh), &normal(0.01));
            net.batch = vec![BatchNorm1d::new(100)];
            *net.batch[0].weight.as_mut().unwrap().value_mut() = Tensor::full([100], 8.0);
            let (x, y) = (d.x([64, 30]), d.y(64, 10));
            d.look(net, |net, tape| {
                let h = net.batch[0].forward(net.l[0].forward(tape.constant(x.clone()))).tanh();
                net.l[1].forward(h).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Saturation, "batch.0")],
    ),
    (
        "a mask that leaves four of ten classes",
        |d| {
            let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            // Surely the wrong one.
            *bias(&mut net.l[1].bias) = Tensor::from([5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
            let (x, y) = (d.x([64, 30]), d.y(64, 3).map(|class| class + 1));
            let mask = Tensor::from_fn([10], |i| if i[0] < 4 { 0.0 } else { f32::NEG_INFINITY });
            d.look(net, |net, tape| {
                (net.mlp(tape.constant(x.clone()), |h| h.relu()) + tape.constant(mask.clone())).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Loss, "l.1")],
    ),
    (
        "a class that the mask leaves out",
        |d| {
            let net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            let (x, y) = (d.x([64, 30]), d.y(64, 10));
            let mask = Tensor::from_fn([10], |i| if i[0] < 4 { 0.0 } else { f32::NEG_INFINITY });
            d.look(net, |net, tape| {
                (net.mlp(tape.constant(x.clone()), |h| h.relu()) + tape.constant(mask.clone())).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::NotFinite, "l.1")],
    ),
    (
        "squares 16,000 times the variance",
        judged!(1, normal(20.0), |d| d.x([64, 1]), |y, t| mse(y, &t)),
        &[(ERROR, Fault::Loss, "l.1")],
    ),
    (
        "targets near 100, squares",
        judged!(1, normal(0.05), |d| d.x([64, 1]) + 100.0, |y, t| mse(y, &t)),
        &[(ERROR, Fault::Loss, "l.1")],
    ),
    (
        "targets near 100, Huber",
        judged!(1, normal(0.05), |d| d.x([64, 1]) + 100.0, |y, t| huber(y, &t)),
        &[(ERROR, Fault::Loss, "l.1")],
    ),
    ("[64, 1] − [64]", judged!(1, normal(0.05), |d| d.x([64]), |y, t| mse(y, &t)), &[(ERROR, Fault::Broadcast, "l.1")]),
    (
        "one logit too large",
        judged!(1, normal(3.0), |d| d.bits([64, 1], 0.5), |y, t| bce(y, &t)),
        &[(WARN, Fault::Loss, "l.1")],
    ),
    (
        "many labels, logits too large",
        judged!(12, normal(3.0), |d| d.bits([64, 12], 0.2), |y, t| bce(y, &t)),
        &[(WARN, Fault::Loss, "l.1")],
    ),
    (
        "softmax before cross-entropy",
        judged!(10, normal(0.01), |d| d.y(64, 10), |y, t| y.softmax(-1).cross_entropy(&t)),
        &[(ERROR, Fault::Logits, "l.1")],
    ),
    (
        "sigmoid before cross-entropy",
        judged!(10, normal(0.01), |d| d.y(64, 10), |y, t| y.sigmoid().cross_entropy(&t)),
        &[(ERROR, Fault::Logits, "l.1")],
    ),
    (
        "sigmoid before a loss of logits",
        judged!(1, normal(0.05), |d| d.bits([64, 1], 0.5), |y, t| bce(y.sigmoid(), &t)),
        &[(ERROR, Fault::Logits, "l.1")],
    ),
    (
        "a loss × 0",
        judged!(10, normal(0.01), |d| d.y(64, 10), |y, t| y.cross_entropy(&t).scale(0.0)),
        &[(ERROR, Fault::Gradient, "l.1")],
    ),
    (
        "a scaled loss too high",
        judged!(10, normal(1.0), |d| d.y(64, 10), |y, t| y.cross_entropy(&t).scale(0.01)),
        &[(WARN, Fault::Loss, "l.1")],
    ),
    (
        "four losses, heads of normal(1)",
        |d| {
            let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(1.0));
            net.l.extend((0..3).map(|_| d.linear(64, 10, &normal(1.0))));
            let (x, y) = (d.x([32, 30]), d.y(32, 10));
            d.look(net, |net, tape| {
                let h = net.l[0].forward(tape.constant(x.clone())).relu();
                let losses = net.l[1..].iter().map(|head| head.forward(h).cross_entropy(&y));
                losses.reduce(|sum, loss| sum + loss).unwrap()
            })
        },
        &[
            (WARN, Fault::Loss, "l.1"),
            (WARN, Fault::Loss, "l.2"),
            (WARN, Fault::Loss, "l.3"),
            (WARN, Fault::Loss, "l.4"),
        ],
    ),
    (
        "one of two heads too large",
        |d| {
            let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            net.l.push(d.linear(64, 5, &normal(1.0)));
            let (x, y, z) = (d.x([32, 30]), d.y(32, 10), d.y(32, 5));
            d.look(net, |net, tape| {
                let h = net.l[0].forward(tape.constant(x.clone())).relu();
                net.l[1].forward(h).cross_entropy(&y) + net.l[2].forward(h).cross_entropy(&z)
            })
        },
        &[(WARN, Fault::Loss, "l.2")],
    ),
    (
        "attention whose scores are not scaled",
        |d| {
            let net =
                Net { l: (0..5).map(|_| d.linear(64, 64, &lecun_normal(Gain::Linear))).collect(), ..Net::default() };
            let (x, y) = (d.x([24, 64]), d.y(24, 64));
            d.look(net, |net, tape| {
                net.l[4].forward(attend(net, tape.constant(x.clone()), 0, 1.0, None).tanh()).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Saturation, "l.1")],
    ),
    (
        "residual × 50, branches as large as the trunk",
        |d| {
            let mut net: Net = Net::default();
            for _ in 0..50 {
                net.l.push(d.linear(64, 64, &kaiming_normal(Gain::Relu)));
                net.l.push(d.linear(64, 64, &lecun_normal(Gain::Linear)));
            }
            net.l.push(d.linear(64, 10, &zeros()));
            let (x, y) = (d.x([64, 64]), d.y(64, 10));
            d.look(net, |net, tape| {
                let mut h = tape.constant(x.clone());
                for pair in net.l[..100].chunks(2) {
                    h = h + pair[1].forward(pair[0].forward(h).relu());
                }
                net.l[100].forward(h).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Signal, "l.1 … l.99")],
    ),
    (
        "one layer used 50 times, gain 0.5",
        |d| {
            let net = d.stack(&[64, 64, 10], &orthogonal(Gain::Custom(0.5)), &normal(0.01));
            let (x, y) = (d.x([64, 64]), d.y(64, 10));
            d.look(net, |net, tape| {
                let h = (0..50).fold(tape.constant(x.clone()), |h, _| net.l[0].forward(h).tanh());
                net.l[1].forward(h).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Signal, "l.0")],
    ),
    (
        "recurrent, saturated",
        |d| {
            let mut net = d.stack(&[20, 64, 10], &normal(1.0), &normal(0.01));
            net.l.push(d.linear(64, 64, &normal(1.0)));
            let (x, y): (Tensor, _) = (d.x([6, 32, 20]), d.y(32, 10));
            d.look(net, |net, tape| {
                let mut h = tape.constant(Tensor::zeros([32, 64]));
                for at in 0..6 {
                    h = (net.l[2].forward(h) + net.l[0].forward(tape.constant(step(&x, at)))).tanh();
                }
                net.l[1].forward(h).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Saturation, "l.0"), (WARN, Fault::Signal, "l.0 … l.2")],
    ),
    (
        "recurrent and linear, exploding",
        |d| {
            let mut net = d.stack(&[20, 64, 10], &lecun_normal(Gain::Linear), &normal(0.01));
            net.l.push(d.linear(64, 64, &orthogonal(Gain::Custom(1.5))));
            let (x, y): (Tensor, _) = (d.x([40, 32, 20]), d.y(32, 10));
            d.look(net, |net, tape| {
                let mut h = tape.constant(Tensor::zeros([32, 64]));
                for at in 0..40 {
                    h = net.l[2].forward(h) + net.l[0].forward(tape.constant(step(&x, at)));
                }
                net.l[1].forward(h).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Loss, "l.1"), (ERROR, Fault::Signal, "l.0 … l.2"), (WARN, Fault::Gradient, "l.0 … l.2")],
    ),
    (
        "recurrent, chaotic",
        |d| {
            let mut net = d.stack(&[20, 64, 10], &lecun_normal(Gain::Linear), &normal(0.01));
            net.l[0] = d.linear(20, 64, &normal(0.02));
            net.l.push(d.linear(64, 64, &orthogonal(Gain::Custom(2.5))));
            let (x, y): (Tensor, _) = (d.x([80, 32, 20]), d.y(32, 10));
            d.look(net, |net, tape| {
                let mut h = tape.constant(Tensor::zeros([32, 64]));
                for at in 0..80 {
                    h = (net.l[2].forward(h) + net.l[0].forward(tape.constant(step(&x, at)))).tanh();
                }
                net.l[1].forward(h).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Gradient, "l.0 … l.2")],
    ),
    (
        "layer norm of what eps swallows",
        |d| {
            let mut net = d.stack(&[32, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            net.table = vec![d.table(27, 32, &normal(1e-5))];
            net.norm = vec![LayerNorm::new(32)];
            let (x, y) = (d.y(64, 27), d.y(64, 10));
            d.look(net, |net, tape| {
                net.mlp(net.norm[0].forward(net.table[0].forward(tape, &x)), |h| h.relu()).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Signal, "norm.0")],
    ),
    (
        "siamese, standard normal",
        |d| {
            let net = d.stack(&[30, 64, 64, 2], &normal(1.0), &normal(0.01));
            let (a, b, y): (Tensor, Tensor, _) = (d.x([32, 30]), d.x([32, 30]), d.y(32, 2));
            d.look(net, |net, tape| {
                let [a, b] =
                    [&a, &b].map(|x| net.l[1].forward(net.l[0].forward(tape.constant(x.clone())).tanh()).tanh());
                net.l[2].forward(a - b).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Saturation, "l.0"), (WARN, Fault::Saturation, "l.1"), (WARN, Fault::Signal, "l.0 … l.1")],
    ),
    (
        "an autoencoder whose output is too large",
        |d| {
            let net = d.stack(&[40, 16, 4, 16, 40], &kaiming_normal(Gain::Tanh), &normal(5.0));
            let x: Tensor = d.x([64, 40]);
            d.look(net, |net, tape| mse(net.mlp(tape.constant(x.clone()), |h| h.tanh()), &x))
        },
        &[(ERROR, Fault::Loss, "l.3")],
    ),
    (
        "raw pixels",
        fed!(|d| d.shares([64, 30]) * 255.0),
        &[(ERROR, Fault::Data, "constant(0)"), (WARN, Fault::Loss, "l.2")],
    ),
    (
        "one feature of 10,000",
        fed!(|d| {
            let x: Tensor = d.x([64, 30]);
            x * Tensor::from_fn([30], |i| if i[0] == 7 { 1e4 } else { 1.0 })
        }),
        &[(ERROR, Fault::Data, "constant(0)"), (ERROR, Fault::Loss, "l.2")],
    ),
    (
        "one feature a thousand times the others",
        fed!(|d| {
            let x: Tensor = d.x([64, 30]);
            x * Tensor::from_fn([30], |i| if i[0] == 0 { 1e3 } else { 1.0 })
        }),
        &[(ERROR, Fault::Data, "constant(0)"), (WARN, Fault::Loss, "l.2")],
    ),
    ("an input of zeros", fed!(|d| Tensor::zeros([64, 30])), &[(ERROR, Fault::Data, "constant(0)")]),
    (
        "the same example 64 times",
        fed!(|d| {
            let x: Tensor = d.x([1, 30]);
            x.expand([64, 30]).contiguous()
        }),
        &[(ERROR, Fault::Data, "constant(0)")],
    ),
    (
        "an input a millionth of what it should be",
        fed!(|d| d.x([64, 30]) * 1e-6),
        &[(ERROR, Fault::Data, "constant(0)")],
    ),
    (
        "NaN in the data",
        fed!(|d| {
            let x: Tensor = d.x([64, 30]);
            x.map(|x| if x > 2.5 { f32::NAN } else { x })
        }),
        &[(ERROR, Fault::NotFinite, "constant(0)")],
    ),
    (
        "an infinity in the data",
        fed!(|d| {
            let x: Tensor = d.x([64, 30]);
            x.map(|x| if x > 2.5 { f32::INFINITY } else { x })
        }),
        &[(ERROR, Fault::NotFinite, "constant(0)")],
    ),
    (
        "−∞ in the data",
        fed!(|d| {
            let x: Tensor = d.x([64, 30]);
            x.map(|x| if x > 2.5 { f32::NEG_INFINITY } else { x })
        }),
        &[(ERROR, Fault::NotFinite, "constant(0)")],
    ),
    (
        "weights near the end of f32",
        broken!(|h| h.relu(), |net| net.l[0].weight.value_mut().map_assign(|w| w * 1e38)),
        &[(ERROR, Fault::NotFinite, "l.0")],
    ),
    (
        "a batch without examples",
        |d| {
            let net = d.stack(&[30, 100, 27], &kaiming_normal(Gain::Relu), &normal(0.01));
            d.look(net, |net, tape| {
                net.mlp(tape.constant(Tensor::zeros([0, 30])), |h| h.relu()).cross_entropy(&Tensor::zeros([0]))
            })
        },
        &[(ERROR, Fault::NotFinite, "l.1")],
    ),
    (
        "a loss that is a constant",
        |d| {
            let net = d.stack(&[30, 10], &normal(0.1), &normal(0.1));
            d.look(net, |_, tape| tape.constant(Tensor::scalar(2.0)))
        },
        &[
            (ERROR, Fault::Constant, "constant(0)"),
            (WARN, Fault::Unused, "l.0.weight"),
            (WARN, Fault::Unused, "l.0.bias"),
        ],
    ),
    (
        "a forward pass without the parameters",
        |d| {
            let (net, x) = (d.stack(&[30, 10], &normal(0.1), &normal(0.1)), d.x([8, 30]));
            d.look(net, |_, tape| tape.constant(x.clone()).tanh().mean(..))
        },
        &[(ERROR, Fault::Constant, "mean(2)"), (WARN, Fault::Unused, "l.0.weight"), (WARN, Fault::Unused, "l.0.bias")],
    ),
    (
        "a parameter that is not used",
        |d| {
            let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            net.p = vec![d.param([3], &normal(1.0))];
            let (x, y) = (d.x([64, 30]), d.y(64, 10));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
        },
        &[(WARN, Fault::Unused, "p.0")],
    ),
    (
        "a parameter that is not listed",
        |d| {
            let net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            let (x, y, extra): (_, _, Param) = (d.x([64, 30]), d.y(64, 10), d.param([30], &constant(1.0)));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()) * extra.on(tape), |h| h.relu()).cross_entropy(&y))
        },
        &[(WARN, Fault::Unlisted, "leaf(1)")],
    ),
    (
        "a gated cell, standard normal",
        |d| {
            let mut net = Net::default();
            for _ in 0..2 {
                net.l.push(d.linear(20, 32, &normal(1.0)));
                net.l.push(d.linear(32, 32, &normal(1.0)));
            }
            net.l.push(d.linear(32, 10, &normal(0.01)));
            let (x, y): (Tensor, _) = (d.x([10, 32, 20]), d.y(32, 10));
            d.look(net, |net, tape| {
                let mut h = tape.constant(Tensor::zeros([32, 32]));
                for at in 0..10 {
                    let x = tape.constant(step(&x, at));
                    let z = (net.l[0].forward(x) + net.l[1].forward(h)).sigmoid();
                    let new = (net.l[2].forward(x) + net.l[3].forward(h)).tanh();
                    h = h + z * (new - h);
                }
                net.l[4].forward(h).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Signal, "l.1.weight"), (ERROR, Fault::Signal, "l.3.weight")],
    ),
    (
        "pre-norm, a head of normal(1)",
        |d| {
            let mut net = Net::default();
            for _ in 0..4 {
                net.l.push(d.linear(64, 64, &normal(0.02)));
                net.l.push(d.linear(64, 64, &normal(0.02)));
            }
            net.l.push(d.linear(64, 10, &normal(1.0)));
            net.norm = (0..5).map(|_| LayerNorm::new(64)).collect();
            let (x, y) = (d.x([64, 64]), d.y(64, 10));
            d.look(net, |net, tape| {
                let mut h = tape.constant(x.clone());
                for block in 0..4 {
                    let wide = net.l[2 * block].forward(net.norm[block].forward(h)).gelu();
                    h = h + net.l[2 * block + 1].forward(wide);
                }
                net.l[8].forward(net.norm[4].forward(h)).cross_entropy(&y)
            })
        },
        &[(WARN, Fault::Loss, "l.8")],
    ),
    (
        "logits straight from a table, standard normal",
        |d| {
            let net = Net { table: vec![d.table(27, 27, &normal(2.0))], ..Net::default() };
            let (x, y) = (d.y(256, 27), d.y(256, 27));
            d.look(net, |net, tape| net.table[0].forward(tape, &x).cross_entropy(&y))
        },
        &[(WARN, Fault::Loss, "table.0")],
    ),
    (
        "an embedding too large for its tanh",
        |d| {
            let mut net = d.stack(&[16, 10], &normal(0.1), &normal(0.01));
            net.table = vec![d.table(27, 16, &normal(8.0))];
            let (x, y) = (d.y(64, 27), d.y(64, 10));
            d.look(net, |net, tape| net.l[0].forward(net.table[0].forward(tape, &x).tanh()).cross_entropy(&y))
        },
        &[(WARN, Fault::Saturation, "table.0")],
    ),
    (
        "an input of mean 300",
        fed!(|d| d.x([64, 30]) + 300.0),
        &[(ERROR, Fault::Data, "constant(0)"), (WARN, Fault::Loss, "l.2")],
    ),
    (
        "a trunk multiplied by zero",
        |d| {
            let mut net = d.stack(&[30, 64, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            net.p = vec![d.param([64], &zeros())];
            let (x, y) = (d.x([64, 30]), d.y(64, 10));
            d.look(net, |net, tape| {
                let h = net.l[0].forward(tape.constant(x.clone())).relu() * net.p[0].on(tape);
                net.l[2].forward(net.l[1].forward(h).relu()).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Saturation, "l.1"), (ERROR, Fault::Signal, "p")],
    ),
    (
        "layer norm with a weight of zero",
        |d| {
            let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
            net.norm = vec![LayerNorm::new(64)];
            *net.norm[0].weight.value_mut() = Tensor::zeros([64]);
            let (x, y) = (d.x([64, 30]), d.y(64, 10));
            d.look(net, |net, tape| {
                let h = net.norm[0].forward(net.l[0].forward(tape.constant(x.clone()))).relu();
                net.l[1].forward(h).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Saturation, "norm.0")],
    ),
    (
        "weights that are all positive",
        plain!(5, init::uniform(0.0, 0.5), |h| h.relu()),
        &[(ERROR, Fault::Loss, "l.5"), (ERROR, Fault::Signal, "l.0 … l.4"), (ERROR, Fault::Gradient, "l.0 … l.4")],
    ),
    (
        "attention with a causal mask, not scaled",
        |d| {
            let net =
                Net { l: (0..5).map(|_| d.linear(64, 64, &lecun_normal(Gain::Linear))).collect(), ..Net::default() };
            let (x, y) = (d.x([24, 64]), d.y(24, 64));
            let mask = causal(24);
            d.look(net, |net, tape| {
                net.l[4].forward(attend(net, tape.constant(x.clone()), 0, 1.0, Some(&mask)).tanh()).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::Saturation, "l.1")],
    ),
    (
        "a mask that leaves nothing",
        |d| {
            let net =
                Net { l: (0..5).map(|_| d.linear(16, 16, &lecun_normal(Gain::Linear))).collect(), ..Net::default() };
            let (x, y) = (d.x([24, 16]), d.y(24, 16));
            let mask = Tensor::full([24, 24], f32::NEG_INFINITY);
            d.look(net, |net, tape| {
                net.l[4].forward(attend(net, tape.constant(x.clone()), 0, 0.25, Some(&mask))).cross_entropy(&y)
            })
        },
        &[(ERROR, Fault::NotFinite, "l.1")],
    ),
    (
        "width 4, weights of 30",
        |d| {
            let net = d.stack(&[10, 4, 4, 3], &normal(30.0), &normal(0.01));
            let (x, y) = (d.x([64, 10]), d.y(64, 3));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
        },
        &[(ERROR, Fault::Signal, "l.0 … l.1"), (WARN, Fault::Saturation, "l.0"), (WARN, Fault::Saturation, "l.1")],
    ),
    (
        "a batch of one, saturated",
        |d| {
            let net = d.stack(&[30, 100, 10], &normal(3.0), &normal(0.01));
            let (x, y) = (d.x([1, 30]), d.y(1, 10));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
        },
        &[(WARN, Fault::Saturation, "l.0")],
    ),
    (
        "a batch of 512, logits too large",
        |d| {
            let net = d.stack(&[30, 100, 10], &kaiming_normal(Gain::Relu), &normal(1.0));
            let (x, y) = (d.x([512, 30]), d.y(512, 10));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
        },
        &[(WARN, Fault::Loss, "l.1")],
    ),
];
