//! Fits that are judged by figures of one's own, that carry something, that are watched, and what they say.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::{Tape, Var};
use nn::metrics::{self, Metric};
use nn::{
    Adam, Batches, Carried, Fit, Flow, Layer, Linear, Module, Observer, Optimizer, Param, Pass, Progress, RNN,
    ReduceOnPlateau, Schedule, Sgd, Start, Stopped, WeightAverage, Weights,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

#[cfg(feature = "checkpoint")]
use crate::files::folder;

/// A parameter that goes down a slope by 1 a step from 10.
fn slope() -> (Param, Optimizer) {
    (Param::new(Tensor::from([10.0])), Optimizer::new(Sgd::default(), 1.0).unwrap())
}

fn down<'t>(w: &Param, tape: &'t Tape, _: &Tensor<i64>) -> Var<'t> {
    w.on(tape).sum(..)
}

fn fit<'a>(steps: u64) -> Fit<'a, Param> {
    Fit::steps(steps).batches(Batches::new(0..4, 2).unwrap())
}

/// Highest when the parameter is 6, which it is after 4 steps.
fn accuracy(w: &Param) -> Metric {
    metrics::mean(1.0 - f64::from((w.value().item() - 6.0).abs()) / 10.0, 1).maximize()
}

#[test]
fn any_figure_decides_and_the_higher_one_where_that_is_better() {
    let figures = |w: &Param, _: &Tape, rows: &Tensor<i64>| {
        let n = rows.numel();
        [("loss", metrics::mean(w.value().item(), n)), ("accuracy", accuracy(w)), ("rows", metrics::mean(1.0, n))]
    };
    let run = |judge: &str, more: &dyn Fn(Fit<'static, Param>) -> Fit<'static, Param>| {
        let (mut w, mut sgd) = slope();
        let fit = more(fit(20).evaluate_by(0..300, 1, figures).judge_by(judge));
        let report = fit.run(&mut w, &mut sgd, down).unwrap();
        (w.value().item(), report, sgd.lr())
    };
    let (weight, report, _) = run("accuracy", &|fit| fit);
    assert_eq!(
        (weight, report.weights, report.best.map(|best| (best.step, best.value))),
        (6.0, Weights::Best, Some((4, 1.0)))
    );
    assert_eq!(report.figures, ["loss", "accuracy", "rows"]);
    assert_eq!(report.history[2].figures, [7.0, 0.9, 1.0]);
    assert_eq!((report.history[2].held_out, report.history[2].lr), (Some(0.9), 1.0));
    assert!(report.to_string().contains("the accuracy on held-out rows was highest, 1.0000, at step 4"), "{report}");
    let (weight, report, _) = run("accuracy", &|fit| fit.stop_after(3));
    assert_eq!((weight, report.stopped, report.steps), (6.0, Stopped::NoBetter, 7));
    let (_, _, lr) = run("accuracy", &|fit| fit.plateau(ReduceOnPlateau::new(0.0, 1).unwrap()));
    assert_eq!(lr, 0.0);
    // By the loss, which goes on falling, nothing of that happens.
    let (weight, report, lr) = run("loss", &|fit| fit.stop_after(3).plateau(ReduceOnPlateau::new(0.0, 1).unwrap()));
    assert_eq!((weight, report.maximized, lr), (-10.0, false, 1.0));
}

#[test]
fn figures_that_cannot_be_judged_by_are_said_and_the_weights_stay() {
    type Named = Vec<(&'static str, Metric)>;
    let why = |judge: &str, of: &dyn Fn(&Tensor<i64>) -> Named| {
        let (mut w, mut sgd) = slope();
        let fit = fit(20).evaluate_by(0..300, 3, |_: &Param, _, rows| of(rows)).judge_by(judge);
        let error = fit.run(&mut w, &mut sgd, down).unwrap_err().to_string();
        assert_eq!((w.value().item(), sgd.step_number()), (7.0, 3), "{error}");
        error
    };
    let nan = |_: &Tensor<i64>| vec![("r2", metrics::mean(f64::NAN, 1))];
    let said = why("r2", &nan);
    let want =
        "the evaluation after step 3 has no value to be judged by: r2 is NaN; the model has the weights of that step";
    assert_eq!(said, want);
    assert!(why("f1", &nan).contains("is to be judged by \"f1\", and gives r2"));
    let twice = |_: &Tensor<i64>| vec![("a", metrics::mean(1.0, 1)), ("a", metrics::mean(1.0, 1))];
    assert!(why("a", &twice).contains("gives two figures of the name \"a\""));
    let other = |rows: &Tensor<i64>| vec![(if rows.numel() == 256 { "a" } else { "b" }, metrics::mean(1.0, 1))];
    assert!(why("a", &other).contains("gives other figures for some rows than for others"));
    let (mut w, mut sgd) = slope();
    let none = fit(20).evaluate_by(0..3, 3, |_: &Param, _, _| Vec::<(String, Metric)>::new());
    assert!(none.run(&mut w, &mut sgd, down).unwrap_err().to_string().contains("has given no figure"));
    let error = fit(20).judge_by("a").run(&mut w, &mut sgd, down).unwrap_err().to_string();
    assert!(error.contains("is to be judged by a figure of evaluations, and makes none"), "{error}");
    // What is not judged by may be no number.
    let (mut w, mut sgd) = slope();
    let both = |_: &Param, _: &Tape, _: &Tensor<i64>| [("a", metrics::mean(1.0, 1)), ("b", metrics::mean(f64::NAN, 1))];
    let report = fit(4).evaluate_by(0..3, 2, both).run(&mut w, &mut sgd, down).unwrap();
    assert_eq!(report.to_csv(), "step,train,lr,held_out a,held_out b\n2,9.5,1,1,\n4,7.5,1,1,\n");
    assert!(
        report.to_json_lines().ends_with("{\"step\":4,\"train\":7.5,\"lr\":1,\"held_out a\":1,\"held_out b\":null}\n")
    );
}

#[test]
fn a_mean_may_be_one_of_tokens() {
    // Rows of 1 and 3 tokens, whose losses are 1 and 2: of rows 1.5, of tokens 1.75; so too for gradients.
    let losses = Tensor::from([1.0, 2.0]);
    let run = |weigh: bool| {
        let mut w = Param::new(Tensor::from([1.0]));
        let mut sgd = Optimizer::new(Sgd::default(), 1.0).unwrap();
        let mut fit = Fit::steps(1).batches(Batches::new(0..2, 1).unwrap()).accumulate(2).evaluate(0..2, 1);
        if weigh {
            fit = fit.weigh(|rows| rows.iter().map(|row| 1.0 + 2.0 * row as f64).sum());
        }
        let report = fit
            .run(&mut w, &mut sgd, |w: &Param, tape, rows| {
                (w.on(tape) * tape.constant(losses.index_select(0, rows))).mean(..)
            })
            .unwrap();
        (report.history[0].train, w.value().item())
    };
    assert_eq!((run(false), run(true)), ((1.5, -0.5), (1.75, -0.75)));
    let (mut w, mut sgd) = slope();
    let error = fit(3).weigh(|_| 0.0).run(&mut w, &mut sgd, down).unwrap_err().to_string();
    assert_eq!(error, "the fit weighs the rows of step 0 by 0, but must by more than 0");
}

#[test]
fn averages_may_begin_late() {
    let (mut w, mut sgd) = slope();
    let report = fit(8).average_by(WeightAverage::mean(), 5).run(&mut w, &mut sgd, down).unwrap();
    assert_eq!((report.weights, w.value().item()), (Weights::Average, 3.0)); // of 4, 3, 2
    let (mut w, mut sgd) = slope();
    let report = fit(4).evaluate(0..4, 1).average_by(WeightAverage::mean(), 5).run(&mut w, &mut sgd, down).unwrap();
    assert_eq!((report.weights, w.value().item()), (Weights::Best, 6.0));
}

#[test]
fn hooks_have_the_model_as_what_it_is() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut model: Linear = Linear::new_torch(2, 1, &mut rng).unwrap();
    let seen = RefCell::new(Vec::new());
    Fit::steps(3)
        .batches(Batches::new(0..4, 2).unwrap())
        .on_gradients(|p: &Pass<'_, Linear>| seen.borrow_mut().push(p.model.weight.value().size(0)))
        .on_step(|p: &Progress<'_, Linear>| {
            let y = p.model.forward(Tape::no_grad().constant(Tensor::ones([5, 2]))).shape();
            seen.borrow_mut().push(y.dims()[0]);
        })
        .run(&mut model, &mut Optimizer::new(Sgd::default(), 0.1).unwrap(), |model, tape, _| {
            model.forward(tape.constant(Tensor::ones([1, 2]))).sum(..)
        })
        .unwrap();
    assert_eq!(*seen.borrow(), [2, 5, 2, 5, 2, 5]);
}

#[test]
fn a_hook_that_panics_leaves_the_model_as_the_step_has_made_it() {
    let (mut w, mut sgd) = slope();
    let fit = fit(20).average(0.9).on_step(|p| assert!(p.step < 3, "a hook"));
    let panic = catch_unwind(AssertUnwindSafe(|| fit.run(&mut w, &mut sgd, down))).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "a hook");
    assert_eq!((w.value().item(), sgd.step_number()), (7.0, 3));
    self::fit(5).run(&mut w, &mut sgd, down).unwrap();
    assert_eq!(w.value().item(), 5.0);
}

/// What is seen of a training, and how often.
#[derive(Clone, Debug, Default, PartialEq)]
struct Eyes {
    starts: u64,
    steps: u64,
}

impl Observer for Eyes {
    fn before_training<M: Module>(&mut self, start: &Start<'_, M>) {
        let tape = Tape::new();
        assert_eq!((start.loss)(start.model, &tape).item(), 10.0);
        self.starts += 1;
    }

    fn before_step<M: Module>(&mut self, pass: &Pass<'_, M>) {
        assert_eq!(pass.step, self.steps);
    }

    fn after_step<M: Module>(&mut self, progress: &Progress<'_, M>) {
        self.steps += 1;
        assert_eq!(progress.step, self.steps);
    }

    fn news(&mut self) -> Vec<String> {
        Vec::new()
    }

    #[cfg(feature = "checkpoint")]
    fn kept(&mut self) -> Option<nn::Kept<'_>> {
        Some(nn::Kept::new(self))
    }
}

#[cfg(feature = "checkpoint")]
impl nn::Stateful for Eyes {
    fn walk(&self, at: &mut nn::Archive<'_>) -> Self {
        Eyes { starts: at.number("starts", self.starts), steps: at.number("steps", self.steps) }
    }
}

#[test]
#[cfg(feature = "checkpoint")]
fn observers_are_kept_and_may_come_and_go() {
    let path = folder("observers").join("run.safetensors");
    let run = |steps: u64, observers: &mut [Eyes]| {
        let (mut w, mut sgd) = slope();
        let fit = observers.iter_mut().fold(fit(steps).checkpoint(&path, 2).quiet(), |fit, eyes| fit.watch(eyes));
        fit.run(&mut w, &mut sgd, down).unwrap();
    };
    let mut eyes = [Eyes::default(), Eyes::default()];
    run(3, &mut eyes);
    assert_eq!(eyes[1], Eyes { starts: 1, steps: 3 });
    // A later run goes on with what was seen; one alone, and then none.
    let mut later = [Eyes::default()];
    run(5, &mut later);
    assert_eq!(later, [Eyes { starts: 1, steps: 5 }]);
    run(6, &mut []);
    // One that comes later begins where it comes: its steps are not those of the training.
    let mut late = [Eyes { starts: 0, steps: 6 }];
    run(8, &mut late);
    assert_eq!(late, [Eyes { starts: 0, steps: 8 }]);
}

#[test]
#[cfg(feature = "checkpoint")]
fn a_second_run_says_what_it_finds() {
    let path = folder("second_run").join("run.safetensors");
    let data = Tensor::from([1.0, 2.0, 3.0]);
    let run = |steps: u64, rate: f64, data: &Tensor, resume: nn::Resume, clip: Option<f64>| {
        let (mut w, mut sgd) = (Param::new(Tensor::from([10.0])), Optimizer::new(Adam::default(), rate).unwrap());
        let mut fit = fit(steps).data("x", data).checkpoint(&path, 5).resume(resume).quiet();
        if let Some(max) = clip {
            fit = fit.clip_norm(max);
        }
        fit.run(&mut w, &mut sgd, down).map(|report| report.to_string()).map_err(|error| error.to_string())
    };
    use nn::Resume::{Changed, IfThere, Never};
    let first = run(10, 0.1, &data, IfThere, None).unwrap();
    assert!(first.starts_with("10 steps; the model has the last weights"), "{first}");
    let second = run(10, 0.1, &data, IfThere, None).unwrap();
    let file = path.display();
    let want = format!(
        "no step was made, as {file} has made 10 steps already; the model has the last weights; more `steps` would go on from it, and \
         `resume(Resume::Never)` begins anew"
    );
    assert_eq!(second, want);
    let rate = "\nchanged since then: rate: constant(0.1) then, and constant(0.2) now";
    assert_eq!(run(10, 0.2, &data, IfThere, None).unwrap(), want + rate);
    let on = run(20, 0.2, &data, IfThere, Some(1.0)).unwrap();
    let want = format!("20 steps, the first 10 of them from {file}; the model has the last weights{rate}");
    assert_eq!(on, want + "\nchanged since then: clip_norm: none then, and 1 now");
    // Other data are refused, and stay refused until it is said that they are meant.
    let other = Tensor::from([1.0, 2.0, 4.0]);
    let refused = run(30, 0.2, &other, IfThere, Some(1.0)).unwrap_err();
    assert!(
        refused.contains("data x: [3] of f32 (sum ") && refused.contains("`resume(Resume::Changed)` goes on"),
        "{refused}"
    );
    let meant = run(30, 0.2, &other, Changed, Some(1.0)).unwrap();
    assert!(
        meant.contains("30 steps, the first 20 of them") && meant.contains("changed since then: data x: [3]"),
        "{meant}"
    );
    let anew = run(10, 0.1, &data, Never, None).unwrap();
    assert!(anew.starts_with("10 steps; the model"), "{anew}");
}

#[test]
#[cfg(feature = "checkpoint")]
fn the_figures_of_evaluations_are_kept_and_logged() {
    let folder = folder("logged");
    let [whole, parts] = ["whole", "parts"].map(|name| folder.join(name));
    let run = |steps: u64, name: &std::path::Path| {
        let (mut w, mut sgd) = slope();
        let fit = fit(steps).evaluate_by(0..4, 2, |w: &Param, _, _| [("accuracy", accuracy(w))]).quiet();
        let fit = fit.checkpoint(name.with_extension("safetensors"), 3).log(name.with_extension("csv"));
        let report = fit.run(&mut w, &mut sgd, down).unwrap();
        (w.value().item(), report)
    };
    let want = run(10, &whole);
    run(5, &parts);
    assert!(std::fs::read_to_string(parts.with_extension("csv")).unwrap().ends_with("4,7.5,1,1\n"));
    let (weight, report) = run(10, &parts);
    assert_eq!((weight, &report.history, report.best), (want.0, &want.1.history, want.1.best));
    // A run that makes no step knows what it was judged by.
    let (_, again) = run(10, &parts);
    assert_eq!((again.judged_by.as_str(), again.maximized, &again.history), ("accuracy", true, &want.1.history));
    let [a, b] = [&whole, &parts].map(|name| std::fs::read_to_string(name.with_extension("csv")).unwrap());
    assert_eq!((&a, &a), (&b, &report.to_csv()));
    let (mut w, mut sgd) = slope();
    let why = fit(2).log(folder.join("x.txt")).run(&mut w, &mut sgd, down).unwrap_err().to_string();
    assert!(why.contains("but must be to a .csv or a .jsonl file"), "{why}");
    let why = fit(200).log(folder.join("no/such/x.csv")).run(&mut w, &mut sgd, down).unwrap_err().to_string();
    assert!(why.starts_with("the history cannot be written to "), "{why}");
}

/// A best by one figure is none by another: larger may be worse.
#[test]
#[cfg(feature = "checkpoint")]
fn a_training_is_not_judged_by_another_figure_without_a_word() {
    use nn::Resume::{self, Changed, IfThere};
    let folder = folder("judged_by");
    type Judged<'a> = &'a dyn Fn(Fit<'static, Param>) -> Fit<'static, Param>;
    // 100 − the parameter, which grows: 91, 92 …; and the loss, which falls.
    let named = |name: &'static str| {
        move |w: &Param, _: &Tape, _: &Tensor<i64>| {
            let value = f64::from(w.value().item());
            [(name, if name == "loss" { metrics::mean(value, 1) } else { metrics::mean(100.0 - value, 1).maximize() })]
        }
    };
    let run = |steps: u64, file: &str, resume: Resume, judged: Judged<'_>| {
        let (mut w, mut sgd) = slope();
        let fit = judged(fit(steps)).stop_after(3).checkpoint(folder.join(file), 2).resume(resume).quiet();
        fit.run(&mut w, &mut sgd, down).map(|report| (w.value().item(), report)).map_err(|error| error.to_string())
    };
    let by_loss: Judged<'_> = &|fit| fit.evaluate(0..4, 1);
    let by_height: Judged<'_> = &|fit| fit.evaluate_by(0..4, 1, named("height")).judge_by("height");
    let by_first_height: Judged<'_> = &|fit| fit.evaluate_by(0..4, 1, named("height"));
    let by_first_loss: Judged<'_> = &|fit| fit.evaluate_by(0..4, 1, named("loss"));
    for (file, then, now) in [("a", by_height, by_loss), ("b", by_loss, by_height), ("c", by_first_height, by_loss)] {
        run(4, file, IfThere, then).unwrap();
        let why = run(6, file, IfThere, now).unwrap_err();
        assert!(why.contains("judge_by: ") && why.contains("`resume(Resume::Changed)` goes on"), "{why}");
        // Where that is meant, the best is one of the new figure.
        let (weight, report) = run(6, file, Changed, now).unwrap();
        assert_eq!((weight, report.best.map(|best| best.step)), (4.0, Some(6)), "{file}: {report}");
        assert_eq!(report.steps, 6);
    }
    // Which figure is the first is only seen by an evaluation.
    run(4, "d", IfThere, by_first_height).unwrap();
    let (_, report) = run(6, "d", IfThere, by_first_loss).unwrap();
    assert_eq!(report.best.map(|best| (best.step, best.value)), Some((6, 4.0)));
    assert_eq!(
        (report.judged_by.as_str(), report.maximized, report.figures.join(" ")),
        ("loss", false, "height loss".into())
    );
}

/// Streams of numbers, in windows that follow each other: row w · streams + s is window w of stream s.
fn windows(streams: usize, count: usize) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let all: Tensor = init::randn([streams, count, 4, 1], &mut rng).unwrap();
    all.transpose(0, 1).reshape([streams * count, 4, 1])
}

#[test]
fn what_is_carried_goes_from_batch_to_batch_and_back_at_each_epoch() {
    const STREAMS: usize = 3;
    const WINDOWS: usize = 5;
    let x = windows(STREAMS, WINDOWS);
    let rnn = || RNN::new_torch(1, 6, &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
    let carried = Carried::new([Tensor::zeros([STREAMS, 6])]);
    let (mut fitted, mut sgd) = (rnn(), Optimizer::new(Sgd::default(), 0.05).unwrap());
    let held_out = 0..STREAMS * 3;
    let report = Fit::steps(12)
        .batches(Batches::new(0..STREAMS * WINDOWS, STREAMS).unwrap())
        .evaluate(held_out, 4)
        .carry("state", &carried)
        .run(&mut fitted, &mut sgd, |rnn: &RNN, tape, rows| {
            let x = tape.constant(x.index_select(0, rows));
            let (outputs, last) = rnn.run(x, carried.on(tape)[0]);
            carried.set(&[last]);
            (outputs.sum(-1) - x.reshape([STREAMS, 4])).square().mean(..)
        })
        .unwrap();

    let (mut by_hand, mut sgd, mut held_out) = (rnn(), Optimizer::new(Sgd::default(), 0.05).unwrap(), Vec::new());
    let mut state = Tensor::zeros([STREAMS, 6]);
    for step in 0..12 {
        let window = step % WINDOWS;
        if window == 0 {
            state = Tensor::zeros([STREAMS, 6]);
        }
        let pass = |rnn: &RNN, tape: &Tape, window: usize, state: &mut Tensor| {
            let x = tape.constant(x.slice(0, window * STREAMS..(window + 1) * STREAMS));
            let (outputs, last) = rnn.run(x, tape.constant(state.clone()));
            *state = last.value();
            let loss = (outputs.sum(-1) - x.reshape([STREAMS, 4])).square().mean(..);
            (loss.item(), tape.is_training().then(|| loss.backward()))
        };
        let (_, gradients) = pass(&by_hand, &Tape::new(), window, &mut state);
        sgd.step(&mut by_hand, &gradients.unwrap());
        if step % 4 == 3 {
            let mut own = Tensor::zeros([STREAMS, 6]);
            let losses = (0..3).map(|window| f64::from(pass(&by_hand, &Tape::no_grad(), window, &mut own).0));
            held_out.push(losses.sum::<f64>() / 3.0);
        }
    }
    let got: Vec<f64> = report.history.iter().filter_map(|row| row.held_out).collect();
    assert!(got.iter().zip(&held_out).all(|(a, b)| (a - b).abs() < 1e-9) && got.len() == 3, "{got:?} {held_out:?}");
    let (mut w, mut sgd) = slope();
    let error = fit(3).evaluate(0..1, 1).carry("state", &carried).run(&mut w, &mut sgd, down).unwrap_err().to_string();
    assert!(error.contains("is to evaluate 1 rows, and carries values over batches of 2"), "{error}");
}

#[test]
#[cfg(feature = "checkpoint")]
fn what_is_carried_is_kept_in_checkpoints() {
    let folder = folder("carried");
    let x = windows(2, 7);
    let run = |steps: u64, name: &str, stop: u64| {
        let carried = Carried::new([Tensor::zeros([2, 6])]);
        let mut rnn = RNN::new_torch(1, 6, &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
        let mut adam = Optimizer::new(Adam::default(), Schedule::cosine(0.05, 20)).unwrap();
        Fit::steps(steps)
            .batches(Batches::new(0..14, 2).unwrap())
            .evaluate(0..4, 3)
            .carry("state", &carried)
            .checkpoint(folder.join(name), 4)
            .quiet()
            .on_step(|p| if p.step == stop { Flow::Stop } else { Flow::Continue })
            .run(&mut rnn, &mut adam, |rnn: &RNN, tape, rows| {
                let x = tape.constant(x.index_select(0, rows));
                let (outputs, last) = rnn.run(x, carried.on(tape)[0]);
                carried.set(&[last]);
                (outputs.sum(-1) - x.reshape([2, 4])).square().mean(..)
            })
            .unwrap();
    };
    run(20, "whole", 0);
    for stop in [2, 5, 9, 11, 0] {
        run(20, "parts", stop);
    }
    let [a, b] = ["whole", "parts"].map(|name| std::fs::read(folder.join(name)).unwrap());
    assert!(a == b);
}
