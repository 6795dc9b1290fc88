//! Every activation, norm and loss of the tape, by its role: well at a good start, and found out at one that is ten times too large.

use autograd::{
    Attention, Bce, CellParams, CrossEntropy, Ctc, Focal, GaussianNll, KlDiv, PoissonNll, Reduction, Tape,
    TripletMargin, Var,
};
use diagnose::{Fault, Severity};
use init::{Gain, kaiming_normal, lecun_normal, normal, orthogonal};
use nn::{Layer, Param};
use tensor::{Activation, Tensor};

use super::nets::{Draw, Net, Outcome};

const SEEDS: u64 = 5;

/// Hidden layers with an activation, whose weights are `times` as large as they should be.
fn activated(net: Net, d: &mut Draw, times: f32, f: impl for<'t> Fn(&Net, Var<'t>) -> Var<'t>) -> Outcome {
    let mut net = net;
    let hidden = net.l.len() - 1;
    net.l[..hidden].iter_mut().for_each(|layer| layer.weight.value_mut().map_assign(|w| w * times));
    let (x, y) = (d.x([64, 100]), d.y(64, 10));
    d.look(net, |net, tape| {
        let (last, hidden) = net.l.split_last().unwrap();
        let h = hidden.iter().fold(tape.constant(x.clone()), |x, layer| f(net, layer.forward(x)));
        last.forward(h).cross_entropy(&y)
    })
}

/// A network that is well at its good start, and not when it is ten times too large, where a fault is found at one of these places.
fn tell_apart(name: &str, places: &[&str], look: impl Fn(u64, f32) -> Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    for seed in 0..SEEDS {
        let good = look(seed, 1.0);
        if !good.report.is_healthy() {
            wrong.push(format!("{name}, seed {seed}, at a good start: {:?}", good.findings()));
        }
        let bad = look(seed, 10.0).findings();
        if !bad.iter().any(|(severity, _, place)| *severity > Severity::Note && places.contains(&place.as_str())) {
            wrong.push(format!("{name}, seed {seed}, ten times too large: {bad:?}"));
        }
    }
    wrong
}

#[test]
fn every_activation_is_known() {
    let mut wrong = Vec::new();
    const PLACES: [&str; 5] = ["l.0", "l.1", "l.2", "l.0 … l.1", "l.0 … l.2"];
    for &f in Activation::ALL {
        // What has no mean of 0, or a slope that is small everywhere, lets less of a gradient through with every layer, as the
        // diagnosis says: of these, one layer is well.
        let shrinks = [Activation::Sigmoid, Activation::HardSigmoid, Activation::Softplus, Activation::LogSigmoid];
        let depth = if shrinks.contains(&f) { 1 } else { 3 };
        let look = |seed, times| {
            let mut d = Draw::new(seed);
            activated(d.deep(depth, Gain::from(f)), &mut d, times, |_, x| x.activation(f))
        };
        wrong.extend(tell_apart(f.name(), &PLACES, look));
    }
    let look = |seed, times| {
        let mut d = Draw::new(seed);
        let mut net = d.deep(3, Gain::LeakyRelu(0.25));
        net.p.push(Param::new(Tensor::from([0.25])));
        activated(net, &mut d, times, |net, x| x.prelu(net.p[0].on(x.tape())))
    };
    wrong.extend(tell_apart("prelu", &PLACES, look));
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_norm_is_known() {
    type Norm = for<'t> fn(&Net, Var<'t>) -> Var<'t>;
    let norms: [(&str, Norm); 4] = [
        ("batch_norm", |net, x| x.batch_norm(net.p[0].on(x.tape()), net.p[1].on(x.tape()), 1e-5).0),
        ("layer_norm", |net, x| x.layer_norm(net.p[0].on(x.tape()), net.p[1].on(x.tape()), 1e-5)),
        ("rms_norm", |net, x| x.rms_norm(net.p[0].on(x.tape()), 1e-5)),
        ("group_norm", |net, x| x.group_norm(4, net.p[0].on(x.tape()), net.p[1].on(x.tape()), 1e-5)),
    ];
    let mut wrong = Vec::new();
    for (name, norm) in norms {
        let look = |seed, times: f32| {
            let mut d = Draw::new(seed);
            let mut net = d.stack(&[50, 100, 100, 10], &kaiming_normal(Gain::Tanh), &normal(0.01));
            net.p = vec![Param::new(Tensor::full([100], times)), Param::new(Tensor::zeros([100]))];
            if name == "rms_norm" {
                net.p.pop();
            }
            let (x, y) = (d.x([64, 50]), d.y(64, 10));
            d.look(net, |net, tape| {
                let h = norm(net, net.l[0].forward(tape.constant(x.clone()))).tanh();
                net.l[2].forward(net.l[1].forward(h).tanh()).cross_entropy(&y)
            })
        };
        wrong.extend(tell_apart(name, &["p.0", "p", "l.0", "p.0.weight"], look));
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// A network for regression or classification, whose last layer is `times` as large as it should be, but for that its head begins at
/// 0.05 or so.
fn judged(
    seed: u64,
    times: f32,
    outputs: usize,
    loss: impl for<'t> Fn(&mut Draw, &'t Tape, Var<'t>) -> Var<'t>,
) -> Outcome {
    let mut d = Draw::new(seed);
    let mut net = d.stack(&[20, 64, outputs], &kaiming_normal(Gain::Relu), &lecun_normal(Gain::Linear));
    let head = if times > 1.0 { times } else { 0.1 };
    net.l[1].weight.value_mut().map_assign(|w| w * head);
    let x = d.x([64, 20]);
    d.look(net, |net, tape| {
        // The same targets in every pass.
        loss(&mut Draw::new(seed + 1000), tape, net.mlp(tape.constant(x.clone()), |h| h.relu()))
    })
}

#[test]
fn every_loss_is_known() {
    type Loss = for<'t> fn(&mut Draw, &'t Tape, Var<'t>) -> Var<'t>;
    const NONE: Reduction = Reduction::None;
    let losses: [(&str, usize, Loss); 29] = [
        ("cross_entropy", 10, |d, _, x| x.cross_entropy(&d.y(64, 10))),
        ("cross_entropy of each", 10, |d, _, x| {
            let options = CrossEntropy { reduction: NONE, ..CrossEntropy::default() };
            x.cross_entropy_with(&d.y(64, 10), options).mean(..)
        }),
        ("a sum of cross_entropy", 10, |d, _, x| {
            let options = CrossEntropy { reduction: Reduction::Sum, ..CrossEntropy::default() };
            x.cross_entropy_with(&d.y(64, 10), options)
        }),
        ("smoothed cross_entropy", 10, |d, _, x| {
            let options = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
            x.cross_entropy_with(&d.y(64, 10), options)
        }),
        ("weighted cross_entropy", 10, |d, _, x| {
            let weight = d.shares([10]) + 0.5;
            let options = CrossEntropy { weight: Some(&weight), ignore_index: Some(3), ..CrossEntropy::default() };
            x.cross_entropy_with(&d.y(64, 10), options)
        }),
        ("soft_cross_entropy", 10, |d, tape, x| {
            let targets = tape.constant(d.x([64, 10]).softmax(1));
            x.soft_cross_entropy(targets, CrossEntropy::default())
        }),
        ("nll_loss", 10, |d, _, x| x.log_softmax(-1).nll_loss(&d.y(64, 10))),
        ("mse_loss", 3, |d, _, x| x.mse_loss(d.x([64, 3]))),
        ("a sum of mse_loss", 3, |d, _, x| x.mse_loss_with(d.x([64, 3]), Reduction::Sum)),
        ("squares", 3, |d, _, x| (x - d.x([64, 3])).square().mean(..)),
        ("l1_loss", 3, |d, _, x| x.l1_loss(d.x([64, 3]))),
        ("huber_loss", 3, |d, _, x| x.huber_loss(d.x([64, 3]), 0.5, Reduction::Mean)),
        ("smooth_l1_loss", 3, |d, _, x| x.smooth_l1_loss(d.x([64, 3]), 0.5, Reduction::Mean)),
        ("bce_loss", 4, |d, _, x| x.sigmoid().bce_loss(d.bits([64, 4], 0.5))),
        ("bce_with_logits_loss", 4, |d, _, x| x.bce_with_logits_loss(d.bits([64, 4], 0.5))),
        ("bce_with_logits_loss of rare ones", 4, |d, _, x| {
            let weight = Tensor::from([9.0]);
            let options = Bce { pos_weight: Some(&weight), ..Bce::default() };
            x.bce_with_logits_loss_with(d.bits([64, 4], 0.1), options)
        }),
        ("bce_with_logits_loss with weights", 4, |d, _, x| {
            let weight = Tensor::from([0.5, 1.0, 2.0, 4.0]);
            let options = Bce { weight: Some(&weight), ..Bce::default() };
            x.bce_with_logits_loss_with(d.bits([64, 4], 0.5), options)
        }),
        ("bce_with_logits_loss with both weights", 4, |d, _, x| {
            let (weight, rare) = (Tensor::from([0.5, 1.0, 2.0, 4.0]), Tensor::from([9.0]));
            let options = Bce { weight: Some(&weight), pos_weight: Some(&rare), ..Bce::default() };
            x.bce_with_logits_loss_with(d.bits([64, 4], 0.1), options)
        }),
        ("kl_div", 10, |d, _, x| {
            let options = KlDiv { reduction: Reduction::BatchMean, ..KlDiv::default() };
            x.log_softmax(-1).kl_div(d.x([64, 10]).softmax(1), options)
        }),
        ("hinge_loss", 1, |d, _, x| x.hinge_loss(&(d.bits([64, 1], 0.5) * 2.0 - 1.0), Reduction::Mean)),
        ("gaussian_nll_loss", 1, |d, tape, x| {
            let variance = tape.constant(Tensor::ones([64, 1]));
            x.gaussian_nll_loss(d.x([64, 1]), variance, GaussianNll::default())
        }),
        ("gaussian_nll_loss, full", 1, |d, tape, x| {
            let variance = tape.constant(Tensor::ones([64, 1]));
            x.gaussian_nll_loss(d.x([64, 1]), variance, GaussianNll { full: true, ..GaussianNll::default() })
        }),
        ("poisson_nll_loss", 3, |d, _, x| {
            let counts = (d.x([64, 3]).exp() * 0.6).round();
            x.poisson_nll_loss(counts, PoissonNll::default())
        }),
        ("poisson_nll_loss, full", 3, |d, _, x| {
            let counts = (d.x([64, 3]).exp() * 0.6).round();
            x.poisson_nll_loss(counts, PoissonNll { full: true, ..PoissonNll::default() })
        }),
        ("poisson_nll_loss of rates", 3, |d, _, x| {
            let counts = (d.x([64, 3]).exp() * 0.6).round();
            x.exp().poisson_nll_loss(counts, PoissonNll { log_input: false, ..PoissonNll::default() })
        }),
        ("negative_binomial_nll_loss", 3, |d, _, x| {
            let counts = (d.x([64, 3]).exp() * 0.6).round();
            x.negative_binomial_nll_loss(counts, 1.0, Reduction::Mean) // a mean of 1 at 0
        }),
        ("sigmoid_focal_loss", 4, |d, _, x| x.sigmoid_focal_loss(d.bits([64, 4], 0.2), Focal::default())),
        ("sigmoid_focal_loss, unbalanced", 4, |d, _, x| {
            x.sigmoid_focal_loss(d.bits([64, 4], 0.5), Focal { alpha: None, ..Focal::default() })
        }),
        // Of 64 examples, eight sequences.
        ("ctc_loss", 6, |d, _, x| {
            let targets = d.y(16, 5).map(|class| class + 1).reshape([8, 2]);
            x.reshape([8, 8, 6]).log_softmax(-1).ctc_loss(&targets, Ctc::default())
        }),
    ];
    let mut wrong = Vec::new();
    for (name, outputs, loss) in losses {
        for seed in 0..SEEDS {
            let good = judged(seed, 1.0, outputs, loss);
            if !good.report.is_healthy() || good.report.loss.expected.is_none() {
                wrong.push(format!(
                    "{name}, seed {seed}, at a good start: {:?}\n{}",
                    good.findings(),
                    good.report.verdict()
                ));
            }
            let bad = judged(seed, 10.0, outputs, loss).findings();
            if !bad.iter().any(|(severity, fault, _)| *severity > Severity::Note && *fault == Fault::Loss) {
                wrong.push(format!("{name}, seed {seed}, ten times too large: {bad:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// What is made of several ops is well at a good start, too.
#[test]
fn cells_attention_gates_and_joined_branches_are_known() {
    type Build = fn(&mut Draw) -> Outcome;
    /// A cell over eight steps, and a head on the last state.
    fn unrolled(
        d: &mut Draw,
        gates: usize,
        step: impl for<'t> Fn(Var<'t>, Var<'t>, Var<'t>, CellParams<'t>) -> (Var<'t>, Var<'t>),
    ) -> Outcome {
        let mut net = Net { l: vec![d.linear(64, 10, &normal(0.01))], ..Net::default() };
        net.p.push(d.param([20, gates * 64], &lecun_normal(Gain::Linear)));
        let turns: Vec<Tensor> =
            (0..gates).map(|_| d.param([64, 64], &orthogonal(Gain::Linear)).value().clone()).collect();
        net.p.push(Param::new(Tensor::cat(&turns, 1)));
        // The second gate is what lets the state stay, of a GRU and of an LSTM alike: it begins open.
        let open = Tensor::from_fn([gates * 64], |i| if i[0] / 64 == 1 { 1.0 } else { 0.0 });
        net.p.extend([open, Tensor::zeros([gates * 64])].map(Param::new));
        let (x, y) = (d.x([64, 8, 20]), d.y(64, 10));
        d.look(net, |net, tape| {
            let [w_ih, w_hh, b_ih, b_hh] = [0, 1, 2, 3].map(|i| net.p[i].on(tape));
            let cell = CellParams { w_ih, w_hh, b_ih: Some(b_ih), b_hh: Some(b_hh) };
            let zero = tape.constant(Tensor::zeros([64, 64]));
            let (mut h, mut c) = (zero, zero);
            for t in 0..8 {
                (h, c) = step(tape.constant(x.select(1, t)), h, c, cell);
            }
            net.l[0].forward(h).cross_entropy(&y)
        })
    }
    let nets: [(&str, Build); 7] = [
        ("rnn_cell", |d| unrolled(d, 1, |x, h, c, cell| (x.rnn_cell(h, cell), c))),
        ("gru_cell", |d| unrolled(d, 3, |x, h, c, cell| (x.gru_cell(h, cell), c))),
        ("lstm_cell", |d| unrolled(d, 4, |x, h, c, cell| x.lstm_cell((h, c), cell))),
        ("attention", |d| {
            let mut net = Net { table: vec![d.table(27, 64, &normal(1.0))], ..Net::default() };
            net.l = (0..4).map(|_| d.linear(64, 64, &lecun_normal(Gain::Linear))).collect();
            net.l.push(d.linear(64, 27, &normal(0.01)));
            net.norm.push(nn::LayerNorm::new(64));
            let (x, y) = (d.y(64 * 8, 27).reshape([64, 8]), d.y(64 * 8, 27).reshape([64, 8]));
            d.look(net, |net, tape| {
                let x = net.table[0].forward(tape, &x);
                let h = net.norm[0].forward(x);
                let [q, k, v] = [0, 1, 2].map(|i| net.l[i].forward(h).reshape([64, 8, 4, 16]).transpose(1, 2));
                let options = Attention { causal: true, ..Attention::default() };
                let mixed = q.attention(k, v, options).transpose(1, 2).reshape([64, 8, 64]);
                net.l[4].forward(x + net.l[3].forward(mixed)).cross_entropy(&y)
            })
        }),
        ("glu", |d| {
            let net = d.stack(&[50, 200], &kaiming_normal(Gain::Linear), &kaiming_normal(Gain::Linear));
            let mut net = net;
            net.l.push(d.linear(100, 10, &normal(0.01)));
            let (x, y) = (d.x([64, 50]), d.y(64, 10));
            d.look(net, |net, tape| {
                net.l[1].forward(net.l[0].forward(tape.constant(x.clone())).glu(-1)).cross_entropy(&y)
            })
        }),
        ("triplets", |d| {
            let net = d.stack(&[20, 64, 16], &kaiming_normal(Gain::Relu), &lecun_normal(Gain::Linear));
            let x = [(); 3].map(|()| d.x([64, 20]));
            d.look(net, |net, tape| {
                let [anchor, alike, other] = x.each_ref().map(|x| net.mlp(tape.constant(x.clone()), |h| h.relu()));
                anchor.triplet_margin_loss(alike, other, TripletMargin::default())
            })
        }),
        ("cat", |d| {
            let mut net: Net = Net::default();
            for (from, to) in [(30, 50), (20, 50)] {
                net.l.push(d.linear(from, to, &kaiming_normal(Gain::Relu)));
            }
            net.l.push(d.linear(100, 64, &kaiming_normal(Gain::Relu)));
            net.l.push(d.linear(64, 10, &normal(0.01)));
            let (a, b, y) = (d.x([64, 30]), d.x([64, 20]), d.y(64, 10));
            d.look(net, |net, tape| {
                let [a, b] = [(0, &a), (1, &b)].map(|(i, x)| net.l[i].forward(tape.constant(x.clone())).relu());
                net.l[3].forward(net.l[2].forward(Var::cat(&[a, b], 1)).relu()).cross_entropy(&y)
            })
        }),
    ];
    let mut wrong = Vec::new();
    for (name, look) in nets {
        for seed in 0..SEEDS {
            let outcome = look(&mut Draw::new(seed));
            if !outcome.report.is_healthy() {
                wrong.push(format!("{name}, seed {seed}: {:?}", outcome.findings()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
