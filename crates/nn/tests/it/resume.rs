//! A training that was ended and goes on comes to the same bits as one that was not.

use std::path::{Path, PathBuf};

use autograd::{Gradients, Tape, Var};
use nn::{
    Adam, AdamW, BatchNorm1d, Batches, Checkpoint, Dropout, EarlyStopping, Embedding, Fit, FitReport, Flow, Layer,
    Lbfgs, Linear, Module, Muon, Numbered, OneCycle, Optimizer, Param, ReduceOnPlateau, Resume, Schedule, Stopped,
    WeightAverage, Weights, module,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Tensor, with_threads};

use crate::files::folder;
use crate::golden::names;
use crate::optimizers::optimizer;
use crate::training::Training;

const ROWS: usize = 60;

/// Weights of all kinds: rows that are rarely used, state, dropout, a part that is used only later, one that is frozen; and
/// large enough to be shared among threads.
struct Net {
    embedding: Embedding,
    hidden: Linear,
    norm: BatchNorm1d,
    dropout: Dropout,
    late: Linear,
    output: Linear,
}

module!(Net { embedding, hidden, norm, late, output, .. });

fn net() -> Net {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let mut net = Net {
        embedding: Embedding::new_torch(9, 40, rng).unwrap(),
        hidden: Linear::new_torch(80, 700, rng).unwrap(),
        norm: BatchNorm1d::new(700).cumulative(),
        dropout: Dropout::new(0.3).unwrap(),
        late: Linear::new_torch(700, 6, rng).unwrap(),
        output: Linear::new_torch(700, 6, rng).unwrap(),
    };
    nn::Module::freeze(&mut net, "output.bias").unwrap();
    net
}

impl Net {
    fn loss<'t>(&self, tape: &'t Tape, rows: &Tensor<i64>, with_late: bool) -> Var<'t> {
        let symbols = Tensor::from_fn([ROWS, 2], |i| ((i[0] * 5 + i[1] * 3) % 9) as i64);
        let classes = Tensor::from_fn([ROWS], |i| (i[0] % 6) as i64);
        let x = self.embedding.forward(tape, &symbols.index_select(0, rows)).flatten(1);
        let h = self.dropout.forward(self.norm.forward(self.hidden.forward(x)).tanh());
        let mut logits = self.output.forward(h);
        if with_late {
            logits = logits + self.late.forward(h);
        }
        logits.cross_entropy(&classes.index_select(0, rows))
    }
}

/// Every schedule.
fn schedules() -> Vec<Schedule> {
    vec![
        Schedule::constant(0.02),
        Schedule::steps(0.02, [3, 6], 0.5),
        Schedule::every(0.02, 2, 0.7),
        Schedule::exponential(0.02, 0.9),
        Schedule::polynomial(0.02, 9, 2.0).down_to(0.001),
        Schedule::linear(0.02, 0.001, 7),
        Schedule::cosine(0.02, 9).warmup(2),
        Schedule::cosine(0.02, 3).restarts(2),
        Schedule::from(OneCycle::new(0.02, 10)),
        Schedule::constant(0.01).then(4, Schedule::linear(0.02, 0.0, 5)),
        Schedule::of(|step| 0.02 / (1 + step) as f64),
    ]
}

fn training(optimizer: Optimizer) -> Training<Net> {
    Training::new(net(), optimizer.allow_missing())
}

/// Steps up to this number, of two batches each.
fn train(training: &mut Training<Net>, to: u64) {
    let (mut tape, mut batches) = (Tape::new(), Batches::new(0..ROWS, 16).unwrap().shuffled(3));
    for step in training.optimizer.step_number()..to {
        let (mut sum, mut of) = (None::<Gradients>, 0.0);
        for pass in 2 * step..2 * step + 2 {
            tape.seed(5, pass);
            let loss = training.net.loss(&tape, batches.rows(pass), step >= 6);
            of += f64::from(loss.item()) / 2.0;
            let gradients = loss.backward();
            match &mut sum {
                Some(sum) => *sum += gradients,
                None => sum = Some(gradients),
            }
            tape.reset();
        }
        training.step(&sum.unwrap(), of);
    }
}

fn same(a: &Path, b: &Path, what: &str) {
    assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap(), "{what}: {} and {}", a.display(), b.display());
}

/// Ten steps at once, and four and six in another life and with another number of threads.
fn check(what: &str, folder: &Path, make: &(dyn Fn() -> Optimizer + Sync)) {
    let [whole, part, rest] = ["whole", "part", "rest"].map(|name| folder.join(format!("{name}.safetensors")));
    let run = |threads, from: Option<&Path>, steps, to: &Path| {
        with_threads(threads, || {
            let mut training = training(make());
            if let Some(from) = from {
                let loaded = training.checkpoint().load(from).unwrap();
                assert_eq!((loaded.step, loaded.seed), (4, Some(5)));
            }
            train(&mut training, steps);
            training.checkpoint().save(to).unwrap();
            assert!(training.net.output.weight.value().all_finite());
        })
        .unwrap();
    };
    run(1, None, 10, &whole);
    run(2, None, 4, &part);
    run(3, Some(&part), 10, &rest);
    same(&whole, &rest, what);
    assert!(std::fs::read(&whole).unwrap() != std::fs::read(&part).unwrap());
}

#[test]
fn every_rule_goes_on_as_if_it_had_not_ended() {
    let folder = folder("every_rule");
    for name in names("optimizers").iter().filter(|name| !name.contains(", ")) {
        if name.starts_with("muon") {
            let muon = || Optimizer::new(Muon::default(), 0.02).unwrap();
            let by_adam = |pattern| {
                move |optimizer: Optimizer| {
                    optimizer.group(pattern, |g| g.rule(AdamW::default()).lr_scale(0.5)).unwrap()
                }
            };
            check(name, &folder, &|| by_adam("norm.*")(by_adam("*.bias")(muon())));
        } else {
            check(name, &folder, &|| optimizer::<f32>(name));
        }
    }
}

#[test]
fn what_was_not_taken_from_the_file_would_be_noticed() {
    let folder = folder("noticed");
    let [whole, part, rest] = ["whole", "part", "rest"].map(|name| folder.join(name));
    let new = || training(Optimizer::new(Adam::default(), 0.02).unwrap());
    let mut training = new();
    train(&mut training, 4);
    training.checkpoint().save(&part).unwrap();
    train(&mut training, 10);
    training.checkpoint().save(&whole).unwrap();
    type Change = fn(&mut Training<Net>);
    let changes: [Change; 5] = [
        |of| of.averages[0] = WeightAverage::exponential(0.7).unwrap().with_warmup(),
        |of| of.plateau = ReduceOnPlateau::new(0.5, 0).unwrap().cooldown(1),
        |of| assert!(of.stopping.observe(-1.0)),
        |of| of.optimizer.set_scale(0.9).unwrap(),
        |of| *of.net.embedding.weight.value_mut() *= 1.000001,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut training = new();
        training.checkpoint().load(&part).unwrap();
        change(&mut training);
        train(&mut training, 10);
        training.checkpoint().save(&rest).unwrap();
        assert!(std::fs::read(&whole).unwrap() != std::fs::read(&rest).unwrap(), "change {number}");
    }
}

#[test]
fn every_schedule_goes_on_as_if_it_had_not_ended() {
    let folder = folder("every_schedule");
    for schedule in schedules() {
        check(&format!("{schedule:?}"), &folder, &|| Optimizer::new(Adam::default(), schedule.clone()).unwrap());
    }
}

#[test]
fn l_bfgs_goes_on_as_if_it_had_not_ended() {
    let folder = folder("l_bfgs");
    for wolfe in [false, true] {
        let [whole, part, rest] = ["whole", "part", "rest"].map(|name| folder.join(format!("{name}.safetensors")));
        let run = |from: Option<&Path>, steps, to: &Path| {
            let mut w = vec![Param::<f64>::new(Tensor::from([-1.2, 1.0])), Param::new(Tensor::from([0.5]))];
            let mut lbfgs = Lbfgs::new(0.3).unwrap();
            (lbfgs.wolfe, lbfgs.iterations, lbfgs.history) = (wolfe, 3, 4);
            if let Some(from) = from {
                Checkpoint::new(&mut w).lbfgs(&mut lbfgs).load(from).unwrap();
            }
            for _ in 0..steps {
                let look = |w: &Vec<Param<f64>>| {
                    let tape = Tape::default();
                    let (x, y, z) = (w[0].on(&tape).select(0, 0), w[0].on(&tape).select(0, 1), w[1].on(&tape));
                    let loss = (x - 1.0).square() + (y - x.square()).square() * 10.0 + (z * x).square().sum(..);
                    (loss.item(), loss.backward())
                };
                lbfgs.step(&mut w, look).unwrap();
            }
            Checkpoint::new(&mut w).lbfgs(&mut lbfgs).save(to).unwrap();
        };
        run(None, 6, &whole);
        run(None, 2, &part);
        run(Some(&part), 4, &rest);
        same(&whole, &rest, "L-BFGS");
        run(None, 0, &part);
        run(Some(&part), 6, &rest);
        same(&whole, &rest, "L-BFGS from the start");
    }
}

/// A fit with all that it has, up to a step; `stop` ends it before.
fn fit(
    steps: u64,
    path: &Path,
    stop: Option<u64>,
    set: &dyn Fn(Fit<'static, Net>) -> Fit<'static, Net>,
) -> (Net, FitReport) {
    let mut net = net();
    let mut optimizer = Optimizer::new(AdamW::default(), Schedule::cosine(0.03, 40).warmup(4)).unwrap();
    let rows = |range: std::ops::Range<i64>| range.collect::<Tensor<i64>>();
    let fit = Fit::steps(steps)
        .batches(Batches::new((0..48).collect::<Tensor<i64>>(), 10).unwrap().shuffled(3))
        .evaluate(rows(48..60), 3)
        .stop_after(4)
        .plateau(ReduceOnPlateau::new(0.5, 1).unwrap())
        .clip_norm(1.0)
        .accumulate(2)
        .average(0.8)
        .seed(5)
        .checkpoint(path, 4)
        .on_step(move |p| if stop == Some(p.step) { Flow::Stop } else { Flow::Continue });
    // The part that comes late is always used: a fit has one loss.
    let report = set(fit).run(&mut net, &mut optimizer, |net, tape, rows| net.loss(tape, rows, true)).unwrap();
    (net, report)
}

fn weights(net: &Net) -> Vec<u32> {
    nn::Module::state_dict(net)
        .iter()
        .flat_map(|(_, p)| p.value().iter().map(f32::to_bits).collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_fit_goes_on_as_if_it_had_not_ended() {
    let folder = folder("fit");
    let [whole, parts] = ["whole", "parts"].map(|name| folder.join(format!("{name}.safetensors")));
    let (net, report) = fit(40, &whole, None, &|fit| fit);
    assert_eq!((report.resumed_at, report.weights), (0, Weights::Best));
    assert!(report.best.is_some() && report.history.iter().all(|record| record.held_out.is_some()));
    // Ended before any evaluation, between two, at one, and as a step was saved anyway; with other threads each time.
    let mut before = 0;
    for (threads, stop) in [(1, 1), (3, 5), (2, 6), (1, 8), (2, 11), (3, u64::MAX)] {
        let (_, part) = with_threads(threads, || fit(40, &parts, Some(stop), &|fit| fit)).unwrap();
        assert_eq!(part.resumed_at, before);
        before = part.steps;
        assert_eq!(part.stopped == Stopped::Asked, stop < u64::MAX);
    }
    same(&whole, &parts, "fit");
    let (again, finished) = fit(40, &parts, None, &|fit| fit);
    assert_eq!((finished.steps, finished.resumed_at), (report.steps, report.steps), "it took a further step");
    let said = format!("no step was made, as {} has stopped at step ", parts.display());
    assert!(finished.to_string().starts_with(&said), "{finished}");
    assert_eq!(FitReport { resumed_at: 0, resumed_from: None, ..finished }, report);
    assert!(weights(&again) == weights(&net));
    // The file's model is what the fit gives.
    let mut loaded = self::net();
    nn::load(&parts, &mut loaded).unwrap();
    assert!(weights(&loaded) == weights(&net));
}

#[test]
fn a_fit_may_be_gone_on_from_by_hand() {
    let path = folder("by_hand").join("run");
    let last = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = last.clone();
    fit(7, &path, None, &move |fit| {
        let seen = seen.clone();
        fit.on_step(move |p| {
            let values = p.model.state_dict().into_iter().map(|(_, param)| param.value().clone());
            *seen.borrow_mut() = values.collect::<Vec<_>>();
        })
    });
    let (mut net, mut adamw) = (net(), Optimizer::new(AdamW::default(), 0.01).unwrap());
    let (mut average, mut stopping) = (WeightAverage::exponential(0.8).unwrap(), EarlyStopping::after(4));
    let mut plateau = ReduceOnPlateau::new(0.5, 1).unwrap();
    let checkpoint = Checkpoint::new(&mut net).optimizer(&mut adamw).average(&mut average);
    let loaded = checkpoint.stopping(&mut stopping).plateau(&mut plateau).load(&path).unwrap();
    assert_eq!((loaded.step, loaded.seed, average.updates()), (7, Some(5), 7));
    let values: Vec<Tensor> = nn::Module::state_dict(&net).iter().map(|(_, param)| param.value().clone()).collect();
    assert!(values == *last.borrow(), "the weights are not the last");
    // What the fit gives is others: those of an evaluation, averaged.
    nn::load(&path, &mut net).unwrap();
    assert!(
        nn::Module::state_dict(&net)
            .iter()
            .any(|(path, param)| path.starts_with("hidden") && !values.contains(param.value()))
    );
}

#[test]
fn a_fit_that_is_killed_at_whatever_moment_goes_on_from_its_last_checkpoint() {
    let folder = folder("killed");
    let [whole, parts] = ["whole", "parts"].map(|name| folder.join(format!("{name}.safetensors")));
    fit(14, &whole, None, &|fit| fit);
    for killed in [2, 5, 7, 13] {
        let killed_in = std::panic::AssertUnwindSafe(|| {
            fit(14, &parts, None, &|fit| fit.on_step(move |p| assert!(p.step != killed, "killed")))
        });
        assert!(std::panic::catch_unwind(killed_in).is_err());
    }
    fit(14, &parts, None, &|fit| fit);
    same(&whole, &parts, "killed");
}

#[test]
fn numbered_checkpoints_are_gone_on_from_too_and_old_ones_removed() {
    let folder = folder("numbered");
    let files = Numbered::new(folder.join("run.st")).keep(2);
    let own = files.clone();
    let numbered = move |fit: Fit<'static, Net>| fit.checkpoint(own.clone(), 4);
    fit(6, &folder, None, &numbered);
    let names = || -> Vec<PathBuf> {
        let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), [files.at(4), files.at(6)]);
    std::fs::write(folder.join("run-notes.st"), "mine").unwrap();
    assert_eq!(fit(9, &folder, None, &numbered).1.resumed_at, 6);
    assert_eq!(names(), [files.at(8), files.at(9), folder.join("run-notes.st")]);
    assert_eq!(files.latest().unwrap(), Some(files.at(9)));
    // Begun anew, the files of before go once there is a new one.
    assert_eq!(fit(2, &folder, None, &|of| numbered(of).resume(Resume::Never)).1.resumed_at, 0);
    assert_eq!(names(), [files.at(2), folder.join("run-notes.st")]);
    assert_eq!(fit(3, &folder, None, &numbered).1.resumed_at, 2);
    assert_eq!(Numbered::new(folder.join("other.st")).latest().unwrap(), None);
    assert_eq!(Numbered::new(folder.join("missing/other.st")).latest().unwrap(), None);
}

#[test]
fn killed_before_old_numbered_files_were_removed_it_goes_on_from_the_newest_training() {
    let folder = folder("killed_before_removal");
    let files = Numbered::new(folder.join("run.st")).keep(2);
    let own = files.clone();
    let numbered = move |fit: Fit<'static, Net>| fit.checkpoint(own.clone(), 4);
    fit(9, &folder, None, &numbered);
    let old = [8, 9].map(|step| (files.at(step), std::fs::read(files.at(step)).unwrap()));
    // One file more than is to be kept: as if it had been killed before the oldest was removed.
    std::fs::copy(files.at(8), files.at(4)).unwrap();
    assert_eq!(fit(9, &folder, None, &numbered).1.resumed_at, 9);
    // Begun anew, and killed when the first file was there, and none of the old was removed.
    assert_eq!(fit(2, &folder, None, &|of| numbered(of).resume(Resume::Never)).1.resumed_at, 0);
    let left = |old: &[(PathBuf, Vec<u8>)]| old.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    left(&old);
    let (net, report) = fit(6, &folder, None, &numbered);
    assert_eq!(report.resumed_at, 2);
    assert!(!files.at(8).exists() && !files.at(9).exists(), "files of the other training are left");
    // And anew once more.
    let second = [4, 6].map(|step| (files.at(step), std::fs::read(files.at(step)).unwrap()));
    assert_eq!(fit(3, &folder, None, &|of| numbered(of).resume(Resume::Never)).1.resumed_at, 0);
    left(&old);
    left(&second);
    let (again, report) = fit(6, &folder, None, &numbered);
    assert_eq!(report.resumed_at, 3);
    assert!(weights(&again) == weights(&net), "it has not come to the same");
}

#[test]
fn a_fit_with_other_settings_or_of_another_model_is_refused_and_its_file_stays() {
    let folder = folder("other_settings");
    let path = folder.join("run.safetensors");
    fit(5, &path, None, &|fit| fit);
    let old = std::fs::read(&path).unwrap();
    let refused = |set: &dyn Fn(Fit<'static, Net>) -> Fit<'static, Net>| {
        let mut net = net();
        let mut optimizer = Optimizer::new(AdamW::default(), 0.03).unwrap();
        let rows: Tensor<i64> = (48..60).collect();
        let fit = Fit::steps(9)
            .batches(Batches::new((0..48).collect::<Tensor<i64>>(), 10).unwrap().shuffled(3))
            .evaluate(rows, 3)
            .plateau(ReduceOnPlateau::new(0.5, 1).unwrap())
            .accumulate(2)
            .average(0.8)
            .seed(5)
            .checkpoint(&path, 4);
        let before = weights(&net);
        let result = set(fit).run(&mut net, &mut optimizer, |net, tape, rows| net.loss(tape, rows, true));
        let why = result.map_err(|error| error.to_string());
        if why.is_err() {
            assert!(std::fs::read(&path).unwrap() == old && weights(&net) == before);
        }
        why
    };
    let why = refused(&|fit| fit.seed(6)).unwrap_err();
    assert!(why.contains("seed: 5 in the file, and 6 here; `resume(Resume::Changed)` goes on all the same"), "{why}");
    let batches = |of: Tensor<i64>, size| Batches::new(of, size).unwrap();
    type Set<'a> = &'a dyn Fn(Fit<'static, Net>) -> Fit<'static, Net>;
    let cases: [(&str, Set<'_>); 6] = [
        ("batches: 10 of 48 rows", &|fit| fit.batches(batches((0..48).collect(), 12).shuffled(3))),
        ("batches: 10 of 48 rows", &|fit| fit.batches(batches((0..48).collect(), 10).shuffled(4))),
        ("batches: 10 of 48 rows", &|fit| fit.batches(batches((1..49).collect(), 10).shuffled(3))),
        ("accumulated: 2 in the file, and 3 here", &|fit| fit.accumulate(3)),
        ("evaluated: 12 rows", &|fit| fit.evaluate(40..52, 3)),
        ("average", &|fit| {
            // As if it had never been asked for.
            let _ = fit;
            Fit::steps(9)
                .batches(Batches::new((0..48).collect::<Tensor<i64>>(), 10).unwrap().shuffled(3))
                .evaluate(48..60, 3)
                .accumulate(2)
                .seed(5)
        }),
    ];
    for (want, set) in &cases[..5] {
        let why = refused(set).unwrap_err();
        assert!(why.contains(want), "{why}");
        assert_eq!(refused(&|fit| set(fit).resume(Resume::Changed)).map(|report| report.resumed_at), Ok(5), "{want}");
        std::fs::write(&path, &old).unwrap();
    }
    let why = refused(&|fit| (cases[5].1)(fit).checkpoint(folder.join("run.safetensors"), 4)).unwrap_err();
    assert!(
        why.contains("keeps the state of average, and there is none here")
            && why.contains("keeps the state of plateau, and there is none here"),
        "{why}"
    );
    assert_eq!(refused(&|fit| fit.seed(6).resume(Resume::Never)).map(|report| report.resumed_at), Ok(0));

    // Another model's file is in no case taken or replaced.
    nn::save(&path, &Linear::new_torch(2, 3, &mut ChaCha8Rng::seed_from_u64(1)).unwrap()).unwrap();
    let file = std::fs::read(&path).unwrap();
    let mut other = vec![Param::<f32>::new(Tensor::zeros([2]))];
    let mut sgd = Optimizer::new(nn::Sgd::default(), 0.1).unwrap();
    Checkpoint::new(&mut other).optimizer(&mut sgd).save(folder.join("other")).unwrap();
    for (path, file) in [(&path, file), (&folder.join("other"), std::fs::read(folder.join("other")).unwrap())] {
        for resume in [Resume::IfThere, Resume::Changed, Resume::Never] {
            let mut optimizer = Optimizer::new(AdamW::default(), 0.03).unwrap();
            let result = Fit::steps(9)
                .batches(Batches::new(0..ROWS, 10).unwrap())
                .checkpoint(path, 4)
                .resume(resume)
                .run(&mut net(), &mut optimizer, |net, tape, rows| net.loss(tape, rows, true));
            assert!(matches!(result, Err(nn::Error::Unfit { .. })), "{resume:?}: {result:?}");
            assert!(!result.unwrap_err().to_string().contains("goes on all the same"));
            assert!(std::fs::read(path).unwrap() == file);
        }
    }
}
