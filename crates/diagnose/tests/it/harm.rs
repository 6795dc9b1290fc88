//! What faults of the start do to a training, over networks that are drawn at random.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use autograd::{Tape, Var};
use diagnose::{Fault, Finding, Inspector, Report, Severity};
use init::{Gain, Initializer, kaiming_normal, normal, torch_linear, xavier_uniform};
use nn::{Adam, Layer, Linear, Module, Optimizer, Sgd};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tensor::{Activation, Shape, Tensor};

const STEPS: u64 = 300;
const EXAMPLES: usize = 128;

/// A network does harm by its start if the mended twin ends at this share of its loss or below.
const CLEARLY: f64 = 0.8;

#[derive(Clone)]
enum Targets {
    Classes(Tensor<i64>),
    Numbers(Tensor),
}

/// A stack with data, drawn at random.
struct Drawn {
    net: Vec<Linear>,
    f: Activation,
    x: Tensor,
    y: Targets,
    name: String,
}

fn pick<X: Copy>(from: &[X], rng: &mut ChaCha8Rng) -> X {
    from[(rng.next_u32() as usize) % from.len()]
}

/// Weights of PyTorch, Glorot, Kaiming, or of one deviation, times a factor; for the head too, or small.
fn draw(seed: u64) -> Drawn {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let r = &mut rng;
    let (inputs, width, depth) = (pick(&[8, 20, 50], r), pick(&[16, 32, 64], r), pick(&[1, 2, 3, 4, 6, 10], r));
    let f = pick(&[Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Silu], r);
    let outputs = pick(&[1, 2, 4, 10], r);
    let start = pick(&["torch", "torch", "glorot", "kaiming", "normal", "scaled"], r);
    let (factor, deviation) = (pick(&[0.1, 0.3, 0.6, 1.5, 2.5, 4.0], r), pick(&[0.01, 0.05, 0.3, 1.0], r));
    let scheme: Box<dyn Initializer> = match start {
        "torch" => Box::new(torch_linear()),
        "glorot" => Box::new(xavier_uniform(Gain::Linear)),
        "kaiming" => Box::new(kaiming_normal(Gain::from(f))),
        "normal" => Box::new(normal(deviation)),
        _ => Box::new(kaiming_normal(Gain::Custom(Gain::from(f).value() * factor))),
    };
    let small = pick(&[true, false], r);
    let widths: Vec<usize> = [vec![inputs], vec![width; depth], vec![outputs]].concat();
    let layer = |(at, pair): (usize, &[usize])| match (at == depth && small, start) {
        (true, _) => Linear::new(pair[0], pair[1], &normal(0.01), r),
        (false, "torch") => Linear::new_torch(pair[0], pair[1], r),
        _ => Linear::new(pair[0], pair[1], &*scheme, r),
    };
    let net = widths.windows(2).enumerate().map(layer).collect::<Result<Vec<Linear>, _>>().unwrap();
    let x: Tensor = normal(1.0).init(&Shape::from([EXAMPLES, inputs]), &mut rng).unwrap();
    // A teacher that is not linear.
    let teacher = |from: usize, to: usize, rng: &mut ChaCha8Rng| -> Tensor {
        kaiming_normal(Gain::Linear).init(&Shape::from([from, to]), rng).unwrap()
    };
    let (a, b) = (teacher(inputs, 12, &mut rng), teacher(12, outputs.max(2), &mut rng));
    let scores = (x.matmul(&a) * 1.5).tanh().matmul(&b);
    let y = match outputs {
        1 => Targets::Numbers(scores.slice(1, 0..1).contiguous()),
        _ => Targets::Classes(scores.argmax(1)),
    };
    let of = if start == "normal" { deviation } else { factor };
    let of = if ["normal", "scaled"].contains(&start) { format!(" {of}") } else { String::new() };
    let head = if small { "small" } else { "same" };
    let name = format!("{} × {depth}, width {width}, {start}{of}, head {head}, {outputs} outputs", f.name());
    Drawn { net, f, x, y, name }
}

impl Drawn {
    fn loss<'t>(&self, net: &[Linear], tape: &'t Tape) -> Var<'t> {
        let (last, hidden) = net.split_last().unwrap();
        let x = tape.constant(self.x.clone());
        let h = last.forward(hidden.iter().fold(x, |h, layer| layer.forward(h).activation(self.f)));
        match &self.y {
            Targets::Classes(y) => h.cross_entropy(y),
            Targets::Numbers(y) => h.mse_loss(y),
        }
    }

    fn inspect(&self, net: &Vec<Linear>) -> Report {
        Inspector::new().inspect(net, |net: &Vec<Linear>, tape: &Tape| self.loss(net, tape))
    }

    /// The loss after a training, as a mean over the last steps.
    fn train(&self, net: &[Linear], mut optimizer: Optimizer) -> f64 {
        let (mut net, mut tape, mut losses) = (net.to_vec(), Tape::new(), Vec::new());
        for _ in 0..STEPS {
            let loss = self.loss(&net, &tape);
            losses.push(f64::from(loss.item()));
            let gradients = loss.backward();
            tape.reset();
            if !losses[losses.len() - 1].is_finite() {
                return f64::INFINITY;
            }
            optimizer.step(&mut net, &gradients);
        }
        losses[losses.len() - 10..].iter().sum::<f64>() / 10.0
    }

    /// What is advised: what the cure does, or else what the words say.
    fn mended(&self, report: &Report, seed: u64) -> Vec<Linear> {
        let mut net = self.net.clone();
        if report.cure(&mut net).applied.is_empty() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed + 1_000_000);
            let (last, hidden) = net.split_last_mut().unwrap();
            for layer in hidden {
                let shape = layer.weight.value().shape().clone();
                *layer.weight.value_mut() = kaiming_normal(Gain::from(self.f)).init(&shape, &mut rng).unwrap();
                if let Some(bias) = &mut layer.bias {
                    *bias.value_mut() = Tensor::zeros(bias.value().shape());
                }
            }
            let shape = last.weight.value().shape().clone();
            *last.weight.value_mut() = normal(0.01).init(&shape, &mut rng).unwrap();
        }
        net
    }

    /// The loss of the mended twin, as a share of that of the network as it is: with plain descent, and with Adam.
    fn harm(&self, mended: &[Linear]) -> [f64; 2] {
        let of = |optimizer: fn() -> Optimizer| {
            let (as_is, better) = (self.train(&self.net, optimizer()), self.train(mended, optimizer()));
            // Both have learned where they are below a share of what it costs to know nothing.
            let known = 0.05 * self.inspect(&self.net).loss.expected.unwrap_or(1.0);
            match (as_is.is_finite(), better.is_finite()) {
                (true, _) => (better + known) / (as_is + known),
                (false, true) => 0.0,
                (false, false) => 1.0,
            }
        };
        // Squares have a gradient that is as large as they are.
        let sgd: fn() -> Optimizer = match self.y {
            Targets::Classes(_) => || Optimizer::new(Sgd::default(), 0.1).unwrap(),
            Targets::Numbers(_) => || Optimizer::new(Sgd::default(), 0.02).unwrap(),
        };
        [of(sgd), of(|| Optimizer::new(Adam::default(), 1e-3).unwrap())]
    }
}

#[test]
#[ignore]
fn heads() {
    for seed in 0..std::env::var("COUNT").map_or(100, |n| n.parse().unwrap()) {
        let mut drawn = draw(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let times = pick(&[3.0_f32, 6.0, 10.0, 20.0, 40.0, 80.0, 160.0], &mut rng);
        for layer in &mut drawn.net {
            let shape = layer.weight.value().shape().clone();
            *layer.weight.value_mut() = kaiming_normal(Gain::from(drawn.f)).init(&shape, &mut rng).unwrap();
        }
        drawn.net.last_mut().unwrap().weight.value_mut().map_assign(|w| w * times);
        let report = drawn.inspect(&drawn.net);
        let harm = drawn.harm(&drawn.mended(&report, seed));
        let said: Vec<String> =
            report.findings.iter().map(|f| format!("{} {:?} {}", f.severity, f.fault, f.brief)).collect();
        println!("{seed}|{}|{:.3}|{:.3}|{}", drawn.name, harm[0], harm[1], said.join("; "));
    }
}

#[test]
#[ignore]
fn explore() {
    let from: u64 = std::env::var("FROM").map_or(0, |n| n.parse().unwrap());
    let count: u64 = std::env::var("COUNT").map_or(100, |n| n.parse().unwrap());
    for seed in from..from + count {
        let drawn = draw(seed);
        let report = drawn.inspect(&drawn.net);
        let mended = drawn.mended(&report, seed);
        let harm = drawn.harm(&mended);
        let said: Vec<String> =
            report.findings.iter().map(|f| format!("{} {:?} {}", f.severity, f.fault, f.brief)).collect();
        println!("{seed}|{}|{:.3}|{:.3}|{}", drawn.name, harm[0], harm[1], said.join("; "));
    }
}
