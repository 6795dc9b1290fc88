//! Ops of a user's own, which say by their role what they are.

use autograd::{Baseline, Op, Role, Saved, Tape, Var};
use diagnose::{Fault, Inspector, inspect, inspect_graph};
use init::{Initializer, normal};
use nn::{Module, Param};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

fn random(std: f64, dims: &[usize], seed: u64) -> Tensor {
    normal(std).init(&Shape::from(dims), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

/// y = x / (1 + |x|),  x̄ = ȳ / (1 + |x|)²
fn softsign(x: Var<'_>) -> Var<'_> {
    let role = Role::Function { f: |x| x / (1.0 + x.abs()), slope: |x| (1.0 + x.abs()).powi(-2), saves: Saved::Input };
    let size = x.value().abs() + 1.0;
    x.record(Op::new("softsign", role), x.value() / &size).wrt(x, move |g| g / (&size * &size)).done()
}

/// y = w x, with the weight first, and transposed.
fn mine<'t>(weight: Var<'t>, x: Var<'t>) -> Var<'t> {
    let (w, value) = (weight.value(), x.value());
    x.record(Op::new("mine", Role::Affine { weight: 1, bias: None }), value.matmul(&w.t()))
        .wrt(x, {
            let w = w.clone();
            move |g| g.matmul(&w)
        })
        .wrt(weight, move |g| g.t().matmul(&value))
        .done()
}

/// The mean of (y − t)².
fn mse<'t>(y: Var<'t>, target: Var<'t>, baseline: Baseline) -> Var<'t> {
    let difference = y.value() - target.value();
    let share = 2.0 / difference.numel() as f32;
    let role = Role::Loss { predictions: 0, baseline };
    y.record(Op::new("mse", role), difference.square().mean(..))
        .wrt(y, {
            let difference = difference.clone();
            move |g| &difference * (g.item() * share)
        })
        .wrt(target, move |g| &difference * (-g.item() * share))
        .done()
}

struct Net {
    hidden: Param,
    output: Param,
}

nn::module!(Net { hidden, output });

impl Net {
    fn new(hidden: f64, output: f64) -> Self {
        Net { hidden: Param::new(random(hidden, &[64, 20], 1)), output: Param::new(random(output, &[1, 64], 2)) }
    }

    fn loss<'t>(&self, tape: &'t Tape, baseline: Baseline) -> Var<'t> {
        let x = tape.constant(random(1.0, &[256, 20], 3));
        let h = softsign(mine(self.hidden.on(tape), x));
        mse(mine(self.output.on(tape), h), tape.constant(random(2.0, &[256, 1], 4) + 5.0), baseline)
    }
}

#[test]
fn an_own_linear_layer_and_an_own_activation_are_judged_and_cured() {
    let look = |net: &Net| inspect(net, |net, tape| net.loss(tape, Baseline::Value(29.0)));
    let mut net = Net::new(4.0, 0.01);
    let report = look(&net);
    assert_eq!((report.signal.len(), report.activations.len()), (2, 1));
    assert_eq!(report.activations[0].kind, "softsign");
    // The slope 1 / (1 + |x|)² is below 5.91 % of its steepest from |x| = 3.11 on, where 17.9 wide inputs mostly are.
    assert!(report.activations[0].saturated > 0.8, "{report}");
    assert!(report.has(Fault::Saturation) && !report.has(Fault::Loss), "{report}");
    report.cure(&mut net);
    let cured = look(&net);
    assert!(cured.is_healthy() && (cured.activations[0].input.std - 1.0).abs() < 0.05, "{cured}");
    assert!(look(&Net::new(0.2, 0.01)).is_healthy());
}

#[test]
fn a_loss_says_what_it_costs_to_know_nothing() {
    // Targets of mean 5 and standard deviation 2: the mean costs 4, and 0, which a small output gives, some 29.
    let report = |baseline| inspect(&Net::new(0.2, 0.01), |net, tape| net.loss(tape, baseline));
    let variance = report(Baseline::Variance(1));
    assert!((variance.loss.expected.unwrap() - 4.0).abs() < 0.5, "{variance}");
    assert!(variance.has(Fault::Loss) && variance.loss.classes.is_none());
    let value = report(Baseline::Value(29.0));
    assert_eq!(value.loss.expected, Some(29.0));
    assert!(value.is_healthy(), "{value}");
    let own = Inspector::new().with_expected_loss(1.0);
    let own = own.inspect(&Net::new(0.2, 0.01), |net, tape| net.loss(tape, Baseline::Value(29.0)));
    assert_eq!(own.loss.expected, Some(1.0));
}

#[test]
fn what_is_masked_may_be_infinite_and_what_is_not_may_not() {
    let masked = |role| {
        inspect_graph(move |tape: &Tape| {
            let x = tape.leaf(Tensor::from([[1.0, 2.0], [0.5, -1.0]]));
            let mask = Tensor::from([[false, true], [false, false]]);
            let value = x.value().masked_fill(&mask, f32::NEG_INFINITY);
            let y = x.record(Op::new("masked", role), value).wrt(x, move |g| g.masked_fill(&mask, 0.0)).done();
            (y.softmax(-1) * tape.constant(Tensor::from([1.0, 2.0]))).sum(..)
        })
    };
    assert_eq!(masked(Role::Masking).anomaly, None);
    assert_eq!(masked(Role::Other).anomaly.unwrap().op, "masked");
}

#[test]
fn a_frozen_weight_is_neither_missed_nor_cured() {
    let mut net = Net::new(4.0, 0.01);
    net.freeze("hidden").unwrap();
    let before = net.hidden.value().clone();
    let report = inspect(&net, |net, tape| net.loss(tape, Baseline::Value(29.0)));
    assert!(report.has(Fault::Saturation) && !report.has(Fault::Unused), "{report}");
    assert!(report.weights.iter().all(|weight| weight.name == "output"));
    report.cure(&mut net);
    assert_eq!(net.hidden.value(), &before);
}
