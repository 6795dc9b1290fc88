//! What faults of the start do to a training, over networks that are drawn at random.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use autograd::{Tape, Var};
use diagnose::{Evidence, Fault, Finding, Inspector, Report, Severity};
use init::{Gain, Initializer, kaiming_normal, normal, torch_linear, xavier_uniform};
use nn::{Adam, Layer, Linear, Optimizer, Sgd};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tensor::{Activation, Shape, Tensor};

const STEPS: u64 = 300;
const EXAMPLES: usize = 128;

/// A network does harm by its start if the mended twin ends at this share of its loss or below.
const CLEARLY: f64 = 0.8;

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
    Drawn { net, f, x, y }
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

/// One network, what was found above a note, and what the mended twin makes of its loss.
struct Row {
    findings: Vec<Finding>,
    hidden: usize,
    harm: [f64; 2],
}

impl Row {
    fn is_harmed(&self) -> bool {
        self.harm.iter().any(|harm| *harm <= CLEARLY)
    }

    fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// What is told of it, by kind and size.
    fn kinds(&self) -> Vec<String> {
        let between = |x: f64, ends: &[f64], unit: &str| {
            // In the order of sizes; the first letter is not printed.
            let at = ends.iter().position(|end| x < *end).unwrap_or(ends.len());
            match (at.checked_sub(1).map(|at| ends[at]), ends.get(at)) {
                (Some(from), Some(end)) => format!("{at}{from} to {end}{unit}"),
                (Some(from), None) => format!("{at}{from}{unit} and more"),
                (None, _) => format!("{at}below {}{unit}", ends[0]),
            }
        };
        let all = |factor: f64| (factor.ln().abs() * self.hidden as f64).exp();
        let only = self.findings.iter().all(|finding| finding.fault == Fault::Loss);
        let kind = |finding: &Finding| match &finding.evidence {
            Evidence::SignalScale { factor, .. } => {
                let way = if *factor < 1.0 { "fades" } else { "grows" };
                format!(
                    "1 signal {way} | {} times in all",
                    between(all(*factor), &[10.0, 30.0, 100.0, 1000.0, 1e5], "")
                )
            }
            Evidence::GradientScale { factor, .. } => {
                let way = if *factor < 1.0 { "vanishes" } else { "explodes" };
                format!(
                    "2 gradient {way} | {} times in all",
                    between(all(*factor), &[10.0, 30.0, 100.0, 1000.0, 1e5], "")
                )
            }
            Evidence::Excess { loss, expected, classes, .. } if only => {
                let of = if classes.is_some() { "3 loss alone, of classes" } else { "4 loss alone, of numbers" };
                format!("{of} | {} times", between(loss / expected, &[2.0, 5.0, 10.0, 50.0, 200.0], ""))
            }
            Evidence::Saturated { share, one_sided, .. } => {
                let of = if *one_sided { "6 most of relu and its like off" } else { "5 tanh saturated" };
                format!("{of} | {}", between(100.0 * share, &[50.0, 60.0, 74.0], " %"))
            }
            evidence => format!("7 other | 0{:?}", evidence.fault()),
        };
        let mut kinds: Vec<String> = self.findings.iter().map(kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

/// Networks that are drawn, trained as they are, and mended.
fn measure(seeds: std::ops::Range<u64>) -> Vec<Row> {
    let half = seeds.start + (seeds.end - seeds.start) / 2;
    let of = |seeds: std::ops::Range<u64>| -> Vec<Row> {
        seeds
            .map(|seed| {
                let drawn = draw(seed);
                let report = drawn.inspect(&drawn.net);
                let harm = drawn.harm(&drawn.mended(&report, seed));
                let findings = report.findings.into_iter().filter(|finding| finding.severity > Severity::Note);
                Row { findings: findings.collect(), hidden: drawn.net.len() - 1, harm }
            })
            .collect()
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| of(seeds.start..half));
        let second = of(half..seeds.end);
        first.join().unwrap().into_iter().chain(second).collect()
    })
}

fn share(rows: &[&Row], is: impl Fn(&Row) -> bool) -> f64 {
    rows.iter().filter(|row| is(row)).count() as f64 / rows.len().max(1) as f64
}

/// Others with another `EVENKEEL_HARM_SEED`.
#[test]
fn an_error_does_harm_and_what_is_let_alone_hardly_any() {
    let from = 1_000_000 * std::env::var("EVENKEEL_HARM_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let rows = measure(from..from + 240);
    let of = |severity: Option<Severity>| rows.iter().filter(|row| row.worst() == severity).collect::<Vec<_>>();
    let (errors, warned, alone) = (of(Some(Severity::Error)), of(Some(Severity::Warn)), of(None));
    let harmed = share(&errors, Row::is_harmed);
    assert!(errors.len() > 30 && harmed >= 0.9, "{harmed} of {} errors do harm", errors.len());
    let slowed = share(&warned, Row::is_harmed);
    assert!(slowed >= 0.5, "{slowed} of {} warnings do harm", warned.len());
    // With either optimizer: that weights drawn anew end lower with one of them is often chance. Two standard errors are, too.
    let missed = share(&alone, |row| row.harm.iter().all(|harm| *harm <= CLEARLY));
    let chance = 2.0 * (0.05 * 0.95 / alone.len() as f64).sqrt();
    assert!(alone.len() > 60 && missed <= 0.05 + chance, "{missed} of {} that are let alone are harmed", alone.len());
}

/// `EVENKEEL_WRITE_HARM=1 cargo test --release -p evenkeel-diagnose harm` makes the table anew, in some minutes.
#[test]
fn the_table_of_harm_is_checked_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/HARM.md");
    if std::env::var_os("EVENKEEL_WRITE_HARM").is_some() {
        std::fs::write(path, table(&measure(0..4000))).unwrap();
    }
    let table = std::fs::read_to_string(path).unwrap();
    assert!(table.contains("| signal fades |") && table.contains("| **error** |"), "{table}");
}

fn table(rows: &[Row]) -> String {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let worst = match row.worst() {
            Some(Severity::Error) => "0 **error** | 0",
            Some(_) => "0 **warn** | 0",
            None => "0 **let alone** | 0",
        };
        for kind in row.kinds().into_iter().chain([worst.to_owned()]) {
            groups.entry(kind).or_default().push(row);
        }
    }
    let mut text = format!(
        "# What faults of the start do to a training\n\n\
         {} stacks drawn at random ({EXAMPLES} examples, {STEPS} steps): one to ten hidden layers of 16 to 64 units of relu, tanh,\n\
         gelu or silu; weights of PyTorch, Glorot, Kaiming, or of another size; classes or numbers of a teacher. Each was trained as\n\
         it is, and mended: by `Report::cure`, or else by the words of its remedy; those that are let alone were drawn anew.\n\
         A training ends *clearly worse* where the mended twin ends at {CLEARLY} of its loss or below; to both is added a\n\
         twentieth of what it costs to know nothing. Plain descent has a rate of 0.1 (numbers: 0.02), Adam of 1e-3.\n\n\
         | fault | size | networks | clearly worse with either | with descent | with Adam | with both | loss × (descent) | loss × (Adam) |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        rows.len()
    );
    for (kind, rows) in groups.iter().filter(|(_, rows)| rows.len() > 4) {
        let median = |at: usize| {
            let mut ratios: Vec<f64> = rows.iter().map(|row| row.harm[at]).collect();
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        let (fault, size) = kind[2..].split_once(" | ").unwrap_or_default();
        let percent = |is: &dyn Fn(&Row) -> bool| format!("{:.0} %", 100.0 * share(rows, is));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.2} |",
            fault,
            &size[1..],
            rows.len(),
            percent(&Row::is_harmed),
            percent(&|row| row.harm[0] <= CLEARLY),
            percent(&|row| row.harm[1] <= CLEARLY),
            percent(&|row| row.harm.iter().all(|harm| *harm <= CLEARLY)),
            median(0),
            median(1)
        );
    }
    text
}
