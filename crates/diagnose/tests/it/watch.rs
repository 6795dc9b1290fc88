//! Watching a training.

use autograd::Tape;
use diagnose::{Direction, Evidence, Fault, Watch};
use init::{Initializer, normal, uniform};
use nn::{Module, Optimizer, Param, Schedule, Sgd};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

use crate::model::{Mlp, batch};

/// Trains up to this step, and watches.
fn go(model: &mut Mlp, sgd: &mut Optimizer, watch: &mut Watch, to: u64) {
    let ((x, classes), mut tape) = (batch(64), Tape::new());
    while sgd.step_number() < to {
        let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
        let gradients = loss.backward();
        watch.before_step(model, loss, &gradients);
        tape.reset();
        sgd.step(model, &gradients);
        watch.after_step(model);
    }
}

/// Trains for so many steps with a learning rate, and watches every tenth.
fn train(model: &mut Mlp, lr: f64, steps: u64) -> Watch {
    let (mut sgd, mut watch) = (Optimizer::new(Sgd::default(), lr).unwrap(), Watch::new().every(10));
    go(model, &mut sgd, &mut watch, steps);
    watch
}

fn faults(watch: &Watch) -> Vec<Fault> {
    watch.findings().iter().map(|finding| finding.fault).collect()
}

#[test]
fn a_good_learning_rate_is_let_alone_and_others_are_flagged() {
    assert_eq!(faults(&train(&mut Mlp::kaiming(), 0.1, 100)), []);
    assert_eq!(faults(&train(&mut Mlp::kaiming(), 1e-5, 100)), [Fault::RateTooLow]);
    assert!(faults(&train(&mut Mlp::kaiming(), 30.0, 100)).contains(&Fault::RateTooHigh));
    assert!(train(&mut Mlp::kaiming(), 1e-5, 100).findings()[0].remedy.starts_with("raise it by a factor of about "));
}

#[test]
fn the_update_is_that_of_gradient_descent_where_that_is_the_optimizer() {
    let mut model = Mlp::kaiming();
    let (x, classes) = batch(64);
    let report =
        diagnose::inspect(&model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&classes));
    let watch = train(&mut model, 0.1, 1);
    let sample = &watch.history().samples[0];
    for (weight, sample) in report.weights.iter().zip(&sample.weights) {
        let (want, got) = (weight.update_data_log10(0.1), sample.update_data_log10);
        assert_eq!(weight.name, sample.name);
        assert_eq!(want.is_some(), got.is_some(), "{}", weight.name);
        if let (Some(want), Some(got)) = (want, got) {
            assert!((want - got).abs() < 1e-3, "{}: {got}, not {want}", weight.name);
        }
    }
    // A bias of zeros does not vary.
    assert_eq!(sample.weights[3].update_data_log10, None);
    assert_eq!(watch.history().loss, [report.loss.value]);
}

#[test]
fn watching_changes_no_bit_of_the_training() {
    let (mut watched, mut alone) = (Mlp::kaiming(), Mlp::kaiming());
    train(&mut watched, 0.1, 25);
    let (x, classes) = batch(64);
    let (mut sgd, mut tape) = (Optimizer::new(Sgd::default(), 0.1).unwrap(), Tape::new());
    for _ in 0..25 {
        let gradients = alone.forward(tape.constant(x.clone())).cross_entropy(&classes).backward();
        tape.reset();
        sgd.step(&mut alone, &gradients);
    }
    for ((_, a), (_, b)) in watched.parameters().iter().zip(alone.parameters()) {
        assert_eq!(a.value(), b.value());
    }
}

#[test]
fn units_that_die_on_the_way_are_flagged() {
    let mut model = Mlp::kaiming();
    let (x, classes) = batch(64);
    let (mut tape, mut watch) = (Tape::new(), Watch::new().every(1));
    for step in 0..2 {
        let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
        watch.before_step(&model, loss, &loss.backward());
        tape.reset();
        if step == 0 {
            *model.hidden.bias.as_mut().unwrap().value_mut() =
                Tensor::from_fn([200], |i| if i[0] < 50 { 30.0 } else { 0.0 });
        }
        watch.after_step(&model);
    }
    let finding = watch.findings().into_iter().find(|finding| finding.fault == Fault::Dead).unwrap();
    assert!(
        matches!(finding.evidence, Evidence::UnitsDied { died: 50, .. }) && finding.place == "hidden",
        "{finding:?}"
    );
}

#[test]
fn the_first_nan_on_the_way_is_named_with_its_step() {
    let mut model = Mlp::kaiming();
    let (x, classes) = batch(64);
    let (mut tape, mut watch) = (Tape::new(), Watch::new());
    for step in 0..5 {
        if step == 3 {
            *model.output.weight.value_mut() = Tensor::full([200, 27], 3e38);
        }
        let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
        watch.before_step(&model, loss, &loss.backward());
        tape.reset();
        watch.after_step(&model);
    }
    let findings = watch.findings();
    assert!(matches!(findings[0].evidence, Evidence::NotFinite { step: Some(3), .. }) && findings[0].place == "output");
    assert!(
        findings[0].message.starts_with("at step 3, `linear` of [64, 200], [200, 27], [27]"),
        "{}",
        findings[0].message
    );
    assert!(!watch.history().to_csv().contains("NaN"));
}

#[test]
fn a_gradient_that_is_no_number_is_noticed_though_the_loss_is_one() {
    /// y = x, with a pullback that is none.
    fn broken(x: autograd::Var<'_>) -> autograd::Var<'_> {
        x.record("broken", x.value()).wrt(x, |g| g * f32::NAN).done()
    }
    let mut watch = Watch::new();
    let model = Mlp::kaiming();
    let (x, classes) = batch(64);
    let tape = Tape::new();
    let loss = broken(model.forward(tape.constant(x)).cross_entropy(&classes));
    watch.before_step(&model, loss, &loss.backward());
    assert_eq!((watch.findings()[0].fault, watch.findings()[0].place.as_str()), (Fault::NotFinite, "hidden.weight"));
    // An inspection names the op.
    let (x, classes) = batch(64);
    let report = diagnose::inspect(&model, |model, tape| {
        broken(model.forward(tape.constant(x.clone())).cross_entropy(&classes))
    });
    let anomaly = report.anomaly.unwrap();
    assert_eq!((anomaly.direction, anomaly.op), (Direction::Backward, "broken"));
}

/// What is said of a training with these losses, in which weights move as they should.
fn of_losses(losses: impl Iterator<Item = f32>) -> Vec<Fault> {
    let mut model = Param::new(Tensor::from_fn([4, 4], |i| (i[0] * 4 + i[1]) as f32));
    let (mut watch, mut tape) = (Watch::new().every(1), Tape::new());
    for loss in losses {
        let value = (model.on(&tape) * 0.0).sum(..) + loss;
        watch.before_step(&model, value, &value.backward());
        tape.reset();
        model.value_mut().map_assign(|w| w * 1.001);
        watch.after_step(&model);
    }
    faults(&watch)
}

#[test]
fn a_loss_rises_where_it_does_so_by_more_than_its_noise() {
    let steps = || (0..200).map(|step| step as f32);
    assert_eq!(of_losses(steps().map(|step| -1.0 - 0.05 * step)), [], "a negative loss that falls");
    assert_eq!(of_losses(steps().map(|_| -10.0)), [], "a constant");
    assert_eq!(of_losses(steps().map(|step| 1e-6 + 1.5e-9 * step)), [], "next to nothing");
    assert_eq!(of_losses(steps().map(|step| 2.0 - 0.005 * step)), [], "one that falls");
    // A trained model at a batch of one: losses that are nearly always small, and sometimes large.
    for seed in 0..30 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shares: Tensor = uniform(0.0, 1.0).init(&Shape::from([200]), &mut rng).unwrap();
        assert_eq!(of_losses(shares.iter().map(|u| 0.3 * (-(1.0 - u).ln()).powi(3))), [], "noise, seed {seed}");
    }
    for rising in [0.02_f32, 0.2] {
        assert_eq!(of_losses(steps().map(|step| 1.0 + rising * step)), [Fault::RateTooHigh]);
        assert_eq!(of_losses(steps().map(|step| -20.0 + rising * 5.0 * step)), [Fault::RateTooHigh], "a negative one");
    }
}

#[test]
fn a_scale_that_drifts_is_told() {
    let mut model = Mlp::kaiming();
    let (x, classes) = batch(64);
    let (mut tape, mut watch) = (Tape::new(), Watch::new().every(5));
    for _ in 0..40 {
        let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
        watch.before_step(&model, loss, &loss.backward());
        tape.reset();
        model.hidden.weight.value_mut().map_assign(|w| w * 0.9);
        model.hidden.bias.as_mut().unwrap().value_mut().map_assign(|w| w * 0.9);
        watch.after_step(&model);
    }
    let findings = watch.findings();
    let drift =
        findings.iter().find(|finding| finding.fault == Fault::Signal).unwrap_or_else(|| panic!("{findings:?}"));
    let Evidence::Drift { from, to } = drift.evidence else { panic!("{drift:?}") };
    assert!(drift.place == "hidden" && to < 0.1 * from, "{drift:?}");
}

#[test]
fn a_rate_of_zero_is_told_from_a_warm_up() {
    let train = |rate: fn(u64) -> f64| {
        let (mut model, (x, classes)) = (Mlp::kaiming(), batch(64));
        let (mut sgd, mut tape, mut watch) =
            (Optimizer::new(Sgd::default(), Schedule::of(rate)).unwrap(), Tape::new(), Watch::new().every(5));
        for _ in 0..60 {
            let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
            let gradients = loss.backward();
            watch.before_step(&model, loss, &gradients);
            tape.reset();
            sgd.step(&mut model, &gradients);
            watch.after_step(&model);
        }
        watch.findings()
    };
    let findings = train(|_| 0.0);
    assert_eq!((findings.len(), findings[0].fault), (1, Fault::RateTooLow));
    assert_eq!(findings[0].message, "no step moves any weight, though there are gradients");
    assert!(train(|step| 0.1 * (step as f64 / 30.0).min(1.0)).is_empty());
}

#[test]
fn what_a_batch_brings_is_not_laid_to_the_rate() {
    let look = |x: Tensor, classes: Tensor<i64>| {
        let (model, tape, mut watch) = (Mlp::kaiming(), Tape::new(), Watch::new());
        let loss = model.forward(tape.constant(x)).cross_entropy(&classes);
        watch.before_step(&model, loss, &loss.backward());
        watch.findings().remove(0)
    };
    let empty = look(Tensor::zeros([0, 30]), Tensor::zeros([0]));
    assert_eq!((empty.fault, empty.remedy.as_str()), (Fault::NotFinite, "give it a batch with examples"));
    let (x, classes) = batch(8);
    let nan = look(x.map(|x| if x > 1.0 { f32::NAN } else { x }), classes);
    assert_eq!(nan.message, "at step 0, the data hold NaN: the constant [8, 30]");
    assert!(nan.remedy.starts_with("look for it in the data"), "{}", nan.remedy);
}

/// A model and what it is trained on: a loss for a step.
type Task = for<'t> fn(&[Param], &'t Tape, &[Tensor], &Tensor<i64>) -> autograd::Var<'t>;

/// Trains by plain descent, and returns what is found and the mean of the last losses.
fn trained(task: Task, rate: f64, steps: usize, seed: u64) -> (Vec<diagnose::Finding>, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |std: f64, dims: [usize; 2]| normal(std).init(&Shape::from(dims), &mut rng).unwrap();
    let mut model: Vec<Param> = [[16, 32], [32, 16], [16, 16], [16, 16]]
        .map(|dims: [usize; 2]| Param::new(draw(1.0 / (dims[0] as f64).sqrt(), dims)))
        .into();
    let data = [draw(1.0, [64, 16]), draw(1.0, [64, 16])];
    let classes = Tensor::from_fn([64], |i| (i[0] * 7 % 16) as i64);
    let (mut sgd, mut tape, mut watch) =
        (Optimizer::new(Sgd::default(), rate).unwrap().allow_missing(), Tape::new(), Watch::new().every(10));
    for _ in 0..steps {
        let loss = task(&model, &tape, &data, &classes);
        let gradients = loss.backward();
        watch.before_step(&model, loss, &gradients);
        tape.reset();
        sgd.step(&mut model, &gradients);
        watch.after_step(&model);
    }
    let losses = &watch.history().loss;
    (watch.findings(), losses[losses.len() - 10..].iter().sum::<f64>() / 10.0)
}

/// Advice about a rate is followed: training with it ends no higher. And a rate whose training goes well is let alone.
#[test]
fn advice_about_a_rate_leads_to_a_lower_loss() {
    let tasks: [(&str, Task, &[f64]); 4] = [
        (
            "classes",
            |w, tape, data, y| {
                tape.constant(data[0].clone()).matmul(w[0].on(tape)).tanh().matmul(w[1].on(tape)).cross_entropy(y)
            },
            &[0.1, 0.5],
        ),
        (
            "squares",
            |w, tape, data, _| {
                let d = tape.constant(data[0].clone()).matmul(w[0].on(tape)).relu().matmul(w[1].on(tape)) - &data[1];
                (d * d).mean(..)
            },
            &[0.05, 0.3],
        ),
        // log cosh d is as Huber's loss: d²/2 near 0, |d| far from it.
        (
            "Huber",
            |w, tape, data, _| {
                let d = tape.constant(data[0].clone()).matmul(w[0].on(tape)).tanh().matmul(w[1].on(tape)) - &data[1];
                ((d.scale(2.0).softplus() + d.scale(-2.0).softplus()) * 0.5 - std::f32::consts::LN_2).mean(..)
            },
            &[0.1, 0.3, 1.0],
        ),
        (
            "attention",
            |w, tape, data, y| {
                let x = tape.constant(data[0].clone());
                let scores = x.matmul(w[2].on(tape)).matmul(tape.constant(data[0].t())).scale(0.25);
                (x + scores.softmax(-1).matmul(x.matmul(w[3].on(tape))))
                    .matmul(w[0].on(tape))
                    .relu()
                    .matmul(w[1].on(tape))
                    .cross_entropy(y)
            },
            &[0.03, 0.1],
        ),
    ];
    let mut advised = 0;
    for (name, task, good) in tasks {
        for &rate in good {
            let (findings, _) = trained(task, rate, 300, 1);
            assert!(findings.is_empty(), "{name} at {rate}: {findings:?}");
        }
        for rate in [1e-6, 1e-4, 1e-3, 0.01, 3.0, 10.0, 100.0] {
            for seed in 0..3 {
                let (findings, end) = trained(task, rate, 300, seed);
                let advice = findings.iter().find_map(|finding| match finding.fault {
                    Fault::RateTooLow => Some(10.0),
                    Fault::RateTooHigh if finding.remedy.contains("a third") => Some(1.0 / 3.0),
                    Fault::NotFinite => Some(1.0 / 3.0),
                    _ => None,
                });
                let Some(factor) = advice else { continue };
                let (_, better) = trained(task, rate * factor, 300, seed);
                let is_better = better < end || !end.is_finite();
                assert!(
                    is_better,
                    "{name} at {rate}: {} says × {factor}, and that ends at {better}, not {end}",
                    findings[0].message
                );
                advised += 1;
            }
        }
    }
    assert!(advised > 20, "{advised}");
}

/// A training that is resumed is judged by all of it.
#[cfg(feature = "checkpoint")]
#[test]
fn a_watch_goes_on_after_a_resume() {
    let path = std::env::temp_dir().join(format!("evenkeel-watch-{}.safetensors", std::process::id()));
    let new = || (Mlp::kaiming(), Optimizer::new(Sgd::default(), 1e-5).unwrap(), Watch::new().every(10));
    let (mut model, mut sgd, mut whole) = new();
    go(&mut model, &mut sgd, &mut whole, 60);
    let (mut model, mut sgd, mut part) = new();
    go(&mut model, &mut sgd, &mut part, 25);
    nn::Checkpoint::new(&mut model).optimizer(&mut sgd).with_state("watch", &mut part).save(&path).unwrap();
    let (mut model, mut sgd, mut rest) = new();
    nn::Checkpoint::new(&mut model).optimizer(&mut sgd).with_state("watch", &mut rest).load(&path).unwrap();
    go(&mut model, &mut sgd, &mut rest, 60);
    assert_eq!(rest.history(), whole.history());
    assert_eq!((rest.findings(), faults(&rest)), (whole.findings(), vec![Fault::RateTooLow]));
    let samples: Vec<u64> = rest.history().samples.iter().map(|sample| sample.step).collect();
    assert_eq!(samples, [0, 10, 20, 30, 40, 50]);
    std::fs::remove_file(path).unwrap();
}

#[cfg(feature = "checkpoint")]
#[path = "../../../nn/tests/it/ranks/threads.rs"]
mod threads;

/// On ranks, a watch sees the first shard of each step, wherever the others are computed.
#[cfg(feature = "checkpoint")]
#[test]
fn a_watch_on_ranks_finds_what_it_finds_in_one_process() {
    let folder = std::env::temp_dir().join(format!("evenkeel-watch-ranks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let fit = |steps, path: &std::path::Path, ranks: nn::ranks::Ranks| {
        let (mut model, mut sgd, mut watch) =
            (Mlp::kaiming(), Optimizer::new(Sgd::default(), 1e-5).unwrap(), Watch::new().every(10));
        let (x, classes) = batch(64);
        let fit = nn::Fit::steps(steps).batches(nn::Batches::new(0..64, 32).unwrap()).shards(8).ranks(ranks).quiet();
        fit.watch(&mut watch)
            .checkpoint(path, 20)
            .run(&mut model, &mut sgd, |model, tape, rows| {
                model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&classes.index_select(0, rows))
            })
            .unwrap();
        (watch.history().clone(), faults(&watch))
    };
    let whole = folder.join("whole.st");
    let want = fit(60, &whole, nn::ranks::Ranks::alone());
    assert_eq!((want.0.samples.len(), &want.1), (6, &vec![Fault::RateTooLow]));
    for size in [2, 3] {
        let path = folder.join("ranks.st");
        let _ = std::fs::remove_file(&path);
        threads::on_ranks(5 - size, |ranks| fit(25, &path, ranks));
        assert_eq!(threads::on_ranks(size, |ranks| fit(60, &path, ranks))[0], want);
        assert!(std::fs::read(&path).unwrap() == std::fs::read(&whole).unwrap(), "{size} ranks: another file");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_same_numbers_at_each_step_are_told() {
    // By the same step of the seed at each of five, at two, by another each time, and where nothing is drawn.
    let said = |seeds: &[u64], p: f64| {
        let mut model = Mlp::kaiming();
        let (x, classes) = batch(64);
        let (mut tape, mut watch, mut sgd) = (Tape::new(), Watch::new(), Optimizer::new(Sgd::default(), 0.1).unwrap());
        for &step in seeds {
            tape.seed(42, step);
            let x = tape.constant(x.clone());
            let loss = model.forward(if p > 0.0 { x.dropout(p) } else { x }).cross_entropy(&classes);
            let gradients = loss.backward();
            watch.before_step(&model, loss, &gradients);
            tape.reset();
            sgd.step(&mut model, &gradients);
            watch.after_step(&model);
        }
        watch.findings().into_iter().find(|finding| finding.fault == Fault::SameDraws).map(|finding| finding.evidence)
    };
    assert!(matches!(said(&[7; 5], 0.1), Some(Evidence::SameDraws { seed: 42, step: 7, steps: 5 })));
    assert!(matches!(said(&[1, 2, 3, 3, 3, 4], 0.1), Some(Evidence::SameDraws { step: 3, steps: 3, .. })));
    for (seeds, p) in [(&[1, 2, 2, 3, 3][..], 0.1), (&[0, 1, 2, 3, 4], 0.1), (&[7; 5], 0.0)] {
        assert!(said(seeds, p).is_none(), "{seeds:?}");
    }
}

#[test]
fn gates_of_recurrent_layers_are_watched() {
    let kinds = |net: &dyn Fn(&Tape) -> (autograd::Var<'_>, nn::Linear)| {
        let tape = Tape::new();
        let (h, head) = net(&tape);
        let loss = nn::Layer::forward(&head, h).square().mean(..);
        let mut watch = Watch::new();
        watch.before_step(&head, loss, &loss.backward());
        let seen = &watch.history().samples[0].activations;
        seen.iter().map(|a| (a.kind.clone(), a.units, a.hidden)).collect::<Vec<_>>()
    };
    let rng = || ChaCha8Rng::seed_from_u64(1);
    let x: Tensor = normal(1.0).init(&Shape::from([16, 12, 4]), &mut rng()).unwrap();
    let head = || nn::Linear::new_torch(9, 2, &mut rng()).unwrap();
    let (rnn, gru) = (nn::RNN::new_torch(4, 9, &mut rng()).unwrap(), nn::GRU::new_torch(4, 9, &mut rng()).unwrap());
    let lstm = nn::LSTM::new_torch(4, 9, &mut rng()).unwrap();
    let [tanh, sigmoid] = ["tanh", "sigmoid"].map(|kind| (kind.to_owned(), 9, true));
    assert_eq!(kinds(&|tape| (rnn.run(tape.constant(x.clone()), None).1, head())), std::slice::from_ref(&tanh));
    let of_gru = kinds(&|tape| (gru.run(tape.constant(x.clone()), None).1, head()));
    assert!(of_gru.contains(&tanh) && of_gru.contains(&sigmoid), "{of_gru:?}");
    let of_lstm = kinds(&|tape| (lstm.run(tape.constant(x.clone()), None).1.hidden, head()));
    assert!(of_lstm.contains(&tanh) && of_lstm.contains(&sigmoid), "{of_lstm:?}");
}
