//! Trainings in which nothing is learned, and others that are well.

use std::fmt::Debug;

use autograd::{CrossEntropy, Tape, Var};
use diagnose::{Fault, Severity, Watch};
use init::{Gain, Initializer, normal, xavier_uniform};
use nn::{Adam, LSTM, Layer, Linear, Optimizer, Sgd};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

const SEEDS: u64 = 5;

/// A model of two layers and what it is trained on.
struct Case {
    net: Vec<Linear>,
    x: Tensor,
}

fn case(seed: u64, widths: &[usize], examples: usize) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let layer =
        |pair: &[usize], rng: &mut ChaCha8Rng| Linear::new(pair[0], pair[1], &xavier_uniform(Gain::Linear), rng);
    let net = widths.windows(2).map(|pair| layer(pair, &mut rng).unwrap()).collect();
    let x = normal(1.0).init(&Shape::from([examples, widths[0]]), &mut rng).unwrap();
    Case { net, x }
}

impl Case {
    /// Trains, and watches every `every`-th step.
    fn train(
        &mut self,
        mut optimizer: Optimizer,
        steps: u64,
        every: u64,
        loss: impl for<'t> Fn(Var<'t>) -> Var<'t>,
    ) -> Watch {
        let (mut tape, mut watch) = (Tape::new(), Watch::new().every(every));
        for _ in 0..steps {
            let (last, hidden) = self.net.split_last().unwrap();
            let x = tape.constant(self.x.clone());
            let loss = loss(last.forward(hidden.iter().fold(x, |h, layer| layer.forward(h).relu())));
            let gradients = loss.backward();
            watch.before_step(&self.net, loss, &gradients);
            tape.reset();
            optimizer.step(&mut self.net, &gradients);
            watch.after_step(&self.net);
        }
        watch
    }
}

fn adam(lr: f64) -> Optimizer {
    Optimizer::new(Adam::default(), lr).unwrap()
}

fn sgd(lr: f64) -> Optimizer {
    Optimizer::new(Sgd::default(), lr).unwrap()
}

fn faults(watch: &Watch) -> Vec<Fault> {
    let serious = watch.findings().into_iter().filter(|finding| finding.severity > Severity::Note);
    serious.map(|finding| finding.fault).collect()
}

/// The sign of the first column.
fn answers(x: &Tensor) -> Tensor {
    x.select(1, 0).map(|v| f32::from(v > 0.0)).unsqueeze(1)
}

#[track_caller]
fn assert_all<X: PartialEq + Debug>(want: &X, of: impl Fn(u64) -> X) {
    for seed in 0..SEEDS {
        assert_eq!(of(seed), *want, "seed {seed}");
    }
}

#[test]
fn what_learns_is_let_alone() {
    let none: Vec<Fault> = Vec::new();
    // An answer that has become sure, by a sigmoid or by logits; every step sampled, or few.
    for every in [1, 20, 100] {
        assert_all(&none, |seed| {
            let mut case = case(seed, &[10, 16, 1], 64);
            let y = answers(&case.x);
            faults(&case.train(adam(0.01), 500, every, |h| h.sigmoid().bce_loss(&y)))
        });
    }
    assert_all(&none, |seed| {
        let mut case = case(seed, &[10, 16, 4], 64);
        let c = case.x.slice(1, 0..4).argmax(1);
        faults(&case.train(adam(1e-3), 500, 100, |h| h.cross_entropy(&c)))
    });
    // A regression, and one whose targets are far away, and are reached.
    for (scale, lr) in [(1.0, 1e-2), (40.0, 0.3)] {
        assert_all(&none, |seed| {
            let mut case = case(seed, &[10, 16, 1], 64);
            let y = case.x.slice(1, 0..1) * scale;
            faults(&case.train(adam(lr), 600, 100, |h| h.mse_loss(&y)))
        });
    }
    // One in ten is positive: less than ln 2 is known by that alone, and more is learned.
    assert_all(&none, |seed| {
        let mut case = case(seed, &[10, 16, 1], 256);
        let y = case.x.select(1, 0).map(|v| f32::from(v > 1.28)).unsqueeze(1);
        faults(&case.train(adam(0.01), 400, 100, |h| h.bce_with_logits_loss(&y)))
    });
}

#[test]
fn an_lstm_of_small_weights_may_move_by_much_of_them() {
    for seed in 0..SEEDS {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut lstm: LSTM = LSTM::new_torch(4, 64, &mut rng).unwrap();
        let x: Tensor = normal(1.0).init(&Shape::from([32, 10, 4]), &mut rng).unwrap();
        // Nothing is to be learned, so that the loss does not fall for long.
        let y: Tensor = normal(0.01).init(&Shape::from([32, 64]), &mut rng).unwrap();
        let (mut optimizer, mut tape, mut watch) = (adam(1e-3), Tape::new(), Watch::new().every(10));
        for _ in 0..100 {
            let loss = lstm.run(tape.constant(x.clone()), None).1.hidden.mse_loss(&y);
            let gradients = loss.backward();
            watch.before_step(&lstm, loss, &gradients);
            tape.reset();
            optimizer.step(&mut lstm, &gradients);
            watch.after_step(&lstm);
        }
        assert!(!faults(&watch).contains(&Fault::RateTooHigh), "{watch}");
    }
}

#[test]
fn what_learns_nothing_is_told_with_its_cause() {
    // Targets that the output cannot reach, and no gradient at all.
    assert_all(&vec![Fault::Output, Fault::NotLearning], |seed| {
        let mut case = case(seed, &[10, 16, 1], 64);
        let y = answers(&case.x);
        faults(&case.train(adam(1e-3), 400, 100, |h| h.softmax(-1).bce_loss(&y)))
    });
    assert_all(&vec![Fault::Output, Fault::NotLearning], |seed| {
        let mut case = case(seed, &[10, 16, 1], 64);
        let y = case.x.slice(1, 0..1).square() * 16.0 + 3.0;
        faults(&case.train(sgd(0.01), 400, 100, |h| h.sigmoid().mse_loss(&y)))
    });
    // Targets beyond what the loss takes: it falls without end.
    assert_all(&vec![Fault::Targets, Fault::Objective], |seed| {
        let mut case = case(seed, &[10, 16, 1], 64);
        let y = answers(&case.x) * 2.0 - 1.0;
        faults(&case.train(adam(0.01), 400, 100, |h| h.bce_with_logits_loss(&y)))
    });
    assert_all(&vec![Fault::Logits, Fault::Objective], |seed| {
        let mut case = case(seed, &[10, 16, 4], 64);
        let c = case.x.slice(1, 0..4).argmax(1);
        faults(&case.train(adam(0.001), 400, 100, |h| h.nll_loss(&c)))
    });
    // A minus before it.
    assert_all(&vec![Fault::Objective], |seed| {
        let mut case = case(seed, &[10, 16, 4], 64);
        let c = case.x.slice(1, 0..4).argmax(1);
        let found = faults(&case.train(sgd(0.01), 50, 10, |h| -h.cross_entropy(&c)));
        found.into_iter().filter(|fault| *fault == Fault::Objective).collect()
    });
    // Labels that do not count, and those that a view has mixed up.
    assert_all(&vec![Fault::NotLearning], |seed| {
        let mut case = case(seed, &[10, 16, 4], 64);
        let c = case.x.slice(1, 0..4).argmax(1);
        let options = || CrossEntropy { label_smoothing: 1.0, ..CrossEntropy::default() };
        faults(&case.train(adam(0.001), 500, 100, |h| h.cross_entropy_with(&c, options())))
    });
    assert_all(&vec![Fault::NotLearning], |seed| {
        let mut case = case(seed, &[10, 1], 64);
        let y = case.x.select(1, 0);
        faults(&case.train(adam(0.05), 500, 100, |h| (h - h.tape().constant(y.clone())).square().mean(..)))
    });
    // The absolute error of XOR by a network that begins at almost nothing.
    assert_all(&vec![Fault::NotLearning], |seed| {
        let mut case = case(seed, &[2, 4, 1], 4);
        case.x = Tensor::from([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]);
        let y = Tensor::from([[0.0], [1.0], [0.0], [1.0]]);
        case.net.iter_mut().for_each(|layer| layer.weight.value_mut().map_assign(|w| w * 0.01));
        let found = faults(&case.train(sgd(0.05), 1000, 100, |h| h.sigmoid().l1_loss(&y)));
        // Some of its four units may die of it.
        found.into_iter().filter(|fault| *fault != Fault::Dead).collect()
    });
    // Targets of 1e7: not a rate to be lowered.
    assert_all(&vec![Fault::NotLearning, Fault::Loss], |seed| {
        let mut case = case(seed, &[1, 50, 1], 400);
        let y = (&case.x * 50.0).powi(4);
        faults(&case.train(adam(1e-3), 500, 100, |h| h.mse_loss(&y)))
    });
}

#[test]
fn a_watch_is_read_in_a_terminal_and_knows_where_a_training_is() {
    let mut case = case(0, &[10, 16, 1], 64);
    let y = answers(&case.x);
    let watch = case.train(adam(1e-3), 400, 100, |h| h.softmax(-1).bce_loss(&y));
    let text = watch.to_string();
    assert!(text.starts_with("step 400, not on an even keel: loss "), "{text}");
    assert!(text.contains("`softmax` over one value") && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(Watch::<f32>::new().to_string(), "no step was watched");
    let mut later: Watch = Watch::new().at_step(1000).every(10);
    let (tape, w) = (Tape::new(), nn::Param::new(Tensor::from([1.0])));
    let loss = w.on(&tape).square().sum(..);
    later.before_step(&w, loss, &loss.backward());
    assert_eq!((later.history().samples[0].step, later.history().first_step), (1000, 1000));
    assert!(later.to_string().starts_with("step 1001, on an even keel: "), "{later}");
    assert!(later.history().to_csv().contains("\n1000,loss,,1\n"));
}
