//! Models that nobody has thought of: layers that are used several times and in several shapes, parts of what they give, segments, scopes,
//! heads. Each is a function of its number, and `EVENKEEL_FUZZ` says how many there are.

use autograd::{Reduction, Tape, Var};
use diagnose::{Fault, Report, Severity, Watch};
use nn::{Adam, Optimizer, Param, module};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Tensor, keepdim};

/// A model that does what its number says.
struct Random {
    number: u64,
    weights: Vec<Param>,
    vectors: Vec<Param>,
}

module!(Random { weights, vectors, .. });

/// How many examples there are.
const BATCH: usize = 12;
/// The widths of values.
const WIDTHS: [usize; 4] = [1, 4, 6, 12];

impl Random {
    /// A matrix for each pair of widths, of which a layer takes the one that fits, so that weights are used often; and vectors.
    fn new(number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let gain = *[0.05, 0.5, 1.0, 1.0, 3.0].get(rng.random_range(0..5)).unwrap();
        let mut draw = |dims: &[usize]| {
            let scale = gain / (dims[0] as f32).sqrt();
            let alike = rng.random_range(0..12) == 0;
            let mut number = || scale * 1.7 * (rng.random_range(-1.0..1.0_f32));
            let one = number();
            Param::new(Tensor::from_fn(dims, |_| if alike { one } else { number() }))
        };
        let pairs = WIDTHS.iter().flat_map(|from| WIDTHS.iter().map(move |to| [*from, *to]));
        let weights = pairs.map(|dims| draw(&dims)).collect();
        let vectors = WIDTHS.iter().flat_map(|width| [draw(&[*width]), draw(&[*width])]).collect();
        Random { number, weights, vectors }
    }

    fn width(x: Var<'_>) -> usize {
        x.shape().dims()[1]
    }

    fn place(width: usize) -> usize {
        WIDTHS.iter().position(|known| *known == width).expect("a width of the list")
    }

    fn weight<'t>(&self, tape: &'t Tape, from: usize, to: usize) -> Var<'t> {
        self.weights[Self::place(from) * WIDTHS.len() + Self::place(to)].on(tape)
    }

    fn vector<'t>(&self, tape: &'t Tape, width: usize, which: usize) -> Var<'t> {
        self.vectors[Self::place(width) * 2 + which].on(tape)
    }

    fn forward<'t>(&self, tape: &'t Tape) -> Var<'t> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.number ^ 0xf022);
        let constant = rng.random_range(0..20) == 0;
        let x = Tensor::from_fn([BATCH, 6], |i| {
            let x = ((i[0] * 37 + i[1] * 11) % 23) as f32 / 6.6 - 1.7;
            if constant { 1.0 } else { x }
        });
        let mut known = vec![tape.constant(x)];
        for _ in 0..rng.random_range(2..24) {
            let next = self.next(&known, &mut rng);
            known.push(next);
        }
        let last = *known.last().unwrap();
        let head = last.matmul(self.weight(tape, Self::width(last), 4)) + self.vector(tape, 4, 0);
        let classes: Tensor<i64> = (0..BATCH).map(|i| (i * 5 % 4) as i64).collect();
        let target = |like: Var<'_>| Tensor::from_fn(like.shape(), |i| ((i[0] * 7 + i[1]) % 5) as f32 / 5.0);
        match rng.random_range(0..6) {
            0 | 1 => head.cross_entropy(&classes),
            2 => head.mse_loss(target(head)),
            3 => head.bce_with_logits_loss(target(head)),
            4 => head.smooth_l1_loss(target(head), 0.5, Reduction::Mean),
            // Two heads, of which one comes from the middle.
            _ => {
                let middle = known[known.len() / 2];
                let other = middle.matmul(self.weight(tape, Self::width(middle), 4));
                head.cross_entropy(&classes) + other.mse_loss(target(other)).scale(0.3)
            }
        }
    }

    fn next<'t>(&self, known: &[Var<'t>], rng: &mut ChaCha8Rng) -> Var<'t> {
        let x = if rng.random() { known[known.len() - 1] } else { known[rng.random_range(0..known.len())] };
        let (tape, width) = (x.tape(), Self::width(x));
        let same: Vec<Var<'t>> = known.iter().copied().filter(|y| Self::width(*y) == width).collect();
        let other = same[rng.random_range(0..same.len())];
        let to = WIDTHS[rng.random_range(1..4)];
        let linear = |x: Var<'t>, to: usize| x.matmul(self.weight(tape, Self::width(x), to));
        match rng.random_range(0..28) {
            0..=4 => linear(x, to) + self.vector(tape, to, 0),
            5 => linear(x, to),
            6 => x.tanh(),
            7 => x.relu(),
            8 => x.sigmoid(),
            9 => x.gelu(),
            10 => x + other,
            11 => x * other.sigmoid(),
            12 => x + linear(other, width).tanh(),
            13 => x.layer_norm(self.vector(tape, width, 0), self.vector(tape, width, 1), 1e-5),
            14 => x.batch_norm(self.vector(tape, width, 0), self.vector(tape, width, 1), 1e-5).0,
            15 => x.rms_norm(self.vector(tape, width, 1), 1e-5),
            16 => x.softmax(-1),
            // Gates of two widths out of one layer.
            17 => {
                let both = linear(x, 12);
                let (small, large) = (both.narrow(1, 0, 4).sigmoid(), both.narrow(1, 4, 8).sigmoid());
                Var::cat(&[small, large], 1)
            }
            18 => linear(x, 12).glu(1).matmul(self.weight(tape, 6, to)),
            // The same layer in two shapes: once for each example, once for each half of one.
            19 => {
                let wide = linear(x, 12);
                let halves = wide.reshape([BATCH * 2, 6]);
                let one = linear(halves, 6).tanh().reshape([BATCH, 12]);
                one + Var::cat(&[linear(wide.narrow(1, 0, 6), 6).tanh(), wide.narrow(1, 6, 6)], 1)
            }
            20 => {
                let sequence = linear(x, 12).reshape([BATCH, 3, 4]);
                let h = sequence.matmul(self.weight(tape, 4, 4)).tanh();
                h.select(1, 0) + h.mean(1) + h.matmul(self.weight(tape, 4, 4)).relu().select(1, 2)
            }
            21 => x.dropout(0.2),
            22 => x - x.mean(keepdim(0)),
            23 => x.scale(0.5).clamp(-3.0, 3.0),
            24 => {
                let weight = &self.weights[Self::place(width) * (WIDTHS.len() + 1)];
                let (id, value) = (weight.id(), weight.value().clone());
                x.recomputed(move |x| x.matmul(x.tape().named_leaf(id, &value)).tanh())
            }
            25 => {
                let inner = tape.scope(|tape| tape.constant(x.value()).tanh().value());
                x + tape.constant(inner)
            }
            26 => x.detach() + other,
            _ => x.select(1, 0).unsqueeze(1) * x,
        }
    }
}

fn faults(report: &Report) -> (usize, usize) {
    let count = |least| report.findings.iter().filter(|finding| finding.severity >= least).count();
    (count(Severity::Warn), count(Severity::Error))
}

/// What a model that cannot be judged would be said to be.
fn is_judged(findings: &[diagnose::Finding]) -> bool {
    findings.iter().all(|finding| finding.fault != Fault::Unseen || finding.brief != "not judged")
}

fn try_model(number: u64) {
    let inspector = diagnose::Inspector::new().with_seed(number);
    let look = |model: &Random| inspector.inspect(model, |model: &Random, tape| model.forward(tape));
    let mut model = Random::new(number);
    let report = look(&model);
    assert!(is_judged(&report.findings), "model {number}: {}", report.findings[0].message);
    assert_eq!(format!("{report:?}"), format!("{:?}", look(&model)), "model {number}: two looks differ");
    // It can be told, in lines of a terminal; what names and figures take in tables is theirs.
    let told = report.to_string();
    let told = told.split("\nactivation").next().unwrap_or_default().split("\nlayer").next().unwrap_or_default();
    let told = told.split("\npath").next().unwrap_or_default().split("\nparameter").next().unwrap_or_default();
    assert!(told.lines().all(|line| line.chars().count() <= 80), "model {number}: {told}");

    // A cure that is applied leaves fewer faults, or milder ones, and no higher loss.
    let cure = report.cure(&mut model);
    if !cure.applied.is_empty() {
        let cured = look(&model);
        let ((before, errors), (after, left)) = (faults(&report), faults(&cured));
        let less = after <= before && left <= errors && (after, left) != (before, errors);
        assert!(
            less,
            "model {number}: {before} faults and {errors} errors before, {after} and {left} after\n{report}\n{cured}"
        );
    }

    // A training that is watched.
    let mut watch = Watch::new().every(2);
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3).unwrap().allow_missing();
    let mut tape = Tape::new();
    for step in 0..3 {
        tape.seed(number, step);
        let loss = model.forward(&tape);
        if !loss.needs_gradient() {
            return;
        }
        let gradients = loss.backward();
        watch.before_step(&model, loss, &gradients);
        tape.reset();
        if nn::ModelGradients::by_path(&gradients, &model).is_empty() {
            return;
        }
        optimizer.step(&mut model, &gradients);
        watch.after_step(&model);
    }
    assert!(is_judged(&watch.findings()), "model {number}: {:?}", watch.findings());
}

#[test]
fn no_model_is_too_strange_to_be_looked_at() {
    let count: u64 =
        std::env::var("EVENKEEL_FUZZ").map_or(400, |text| text.parse().expect("EVENKEEL_FUZZ is a number"));
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for half in 0..2 {
            let wrong = &wrong;
            scope.spawn(move || {
                for number in (0..count).filter(|number| number % 2 == half) {
                    if std::panic::catch_unwind(|| try_model(number)).is_err() {
                        wrong.lock().unwrap().push(number);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {count} models: {wrong:?}; what each is, stands above", wrong.len());
}
