//! A fit against the loop by hand, and what can go wrong in one.

use std::cell::RefCell;

use autograd::{Mode, Tape, Var};
use nn::{
    Adam, BatchNorm1d, Batches, Best, Dropout, Error, Fit, Flow, Layer, Linear, ModelGradients, Module, Optimizer,
    Param, Progress, ReduceOnPlateau, Schedule, Sgd, Stopped, WeightAverage, Weights, module,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Float, Tensor};

struct Net<T: Float> {
    hidden: Linear<T>,
    norm: BatchNorm1d<T>,
    dropout: Dropout,
    output: Linear<T>,
}

module!(impl<T> Net<T> { hidden, norm, output, .. });

const ROWS: usize = 40;

impl<T: Float> Net<T> {
    fn new() -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(7);
        Net {
            hidden: Linear::try_torch(3, 16, rng).unwrap(),
            norm: BatchNorm1d::try_new(16).unwrap(),
            dropout: Dropout::new(0.2).unwrap(),
            output: Linear::try_torch(16, 4, rng).unwrap(),
        }
    }

    fn loss<'t>(&self, tape: &'t Tape<T>, rows: &Tensor<i64>) -> Var<'t, T> {
        let x = Tensor::from_fn([ROWS, 3], |i| T::from_f64(((i[0] * 7 + i[1] * 5) % 11) as f64 / 5.0 - 1.0));
        let y = Tensor::from_fn([ROWS], |i| (i[0] % 4) as i64);
        let h = self.norm.forward(self.hidden.forward(tape.constant(x.index_select(0, rows)))).tanh();
        self.output.forward(self.dropout.forward(h)).cross_entropy(&y.index_select(0, rows))
    }

    fn bits(&self) -> Vec<u64> {
        let of =
            |(_, param): (String, &Param<T>)| param.value().iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
        self.state_dict().into_iter().flat_map(of).collect()
    }
}

fn rows(range: std::ops::Range<i64>) -> Tensor<i64> {
    range.collect()
}

fn batches() -> Batches {
    Batches::new(rows(0..28), 10).unwrap().shuffled(3)
}

fn adam<T: Float>() -> Optimizer<T> {
    Optimizer::new(Adam::default(), Schedule::cosine(0.05, 30)).unwrap()
}

/// A fit, and the same by hand, end with the same bits; the means are those of all rows.
fn is_the_loop_by_hand<T: Float>(accumulate: u64, clip: Option<f64>) {
    let (mut net, mut optimizer) = (Net::<T>::new(), adam());
    let mut fit = Fit::steps(30).batches(batches()).evaluate(rows(28..40), 10).accumulate(accumulate).seed(5);
    if let Some(max) = clip {
        fit = fit.clip_norm(max);
    }
    let report = fit.run(&mut net, &mut optimizer, |net, tape, rows| net.loss(tape, rows)).unwrap();

    let (mut by_hand, mut optimizer, mut batches) = (Net::<T>::new(), adam(), batches());
    let (mut best, mut kept, mut history) = (f64::INFINITY, Vec::new(), Vec::new());
    let (mut sum, mut count) = (0.0, 0.0);
    let mut tape = Tape::in_mode(Mode::Train);
    for step in 0..30 {
        let mut gradients = None::<autograd::Gradients<T>>;
        let passes = step * accumulate..(step + 1) * accumulate;
        let all: f64 = passes.clone().map(|pass| batches.rows(pass).numel() as f64).sum();
        for pass in passes {
            tape.seed(5, pass);
            let rows = batches.rows(pass);
            let loss = by_hand.loss(&tape, rows);
            let n = rows.numel() as f64;
            (sum, count) = (sum + loss.item().to_f64() * n, count + n);
            let mut these = loss.backward();
            if accumulate == 1 {
                gradients = Some(these);
            } else if let Some(gradients) = &mut gradients {
                gradients.add_weighted(&these, n / all);
            } else {
                these.scale(n / all);
                gradients = Some(these);
            }
            tape.reset();
        }
        let mut gradients = gradients.unwrap();
        if let Some(max) = clip {
            gradients.clip_norm(&by_hand, max).unwrap();
        }
        optimizer.step(&mut by_hand, &gradients);
        if step % 10 == 9 {
            let held_out = by_hand.loss(&Tape::in_mode(Mode::Eval), &rows(28..40)).item().to_f64();
            history.push((step + 1, sum / count, held_out));
            (sum, count) = (0.0, 0.0);
            if held_out < best {
                (best, kept) = (held_out, by_hand.bits());
            }
        }
    }
    assert!(net.bits() == kept);
    assert_eq!((report.steps, report.stopped, report.weights), (30, Stopped::Steps, Weights::Best));
    assert_eq!(report.best.map(|best| best.value), Some(best));
    for (got, want) in report.history.iter().zip(&history) {
        assert_eq!((got.step, got.held_out), (want.0, Some(want.2)));
        assert!((got.train / want.1 - 1.0).abs() < 1e-12);
    }
    assert_eq!(report.history.len(), 3);
}

#[test]
fn a_fit_is_the_loop_by_hand() {
    is_the_loop_by_hand::<f32>(1, None);
    is_the_loop_by_hand::<f32>(3, Some(0.1));
    is_the_loop_by_hand::<f64>(1, Some(0.1));
    is_the_loop_by_hand::<f64>(2, None);
}

#[test]
fn the_mean_of_an_evaluation_counts_rows_and_changes_nothing() {
    // More rows than are evaluated at once, whose last part is small; the loss of a row is its number.
    let mut w = Param::<f64>::new(Tensor::from([0.0]));
    let mut sgd = Optimizer::new(Sgd::default(), 0.0).unwrap();
    let passes = RefCell::new(Vec::new());
    let report = Fit::steps(2)
        .batches(Batches::new(0..10, 2).unwrap())
        .evaluate(rows(0..1001), 2)
        .run(&mut w, &mut sgd, |w, tape, rows| {
            passes.borrow_mut().push((tape.is_training(), rows.numel()));
            let numbers: Tensor<f64> = rows.iter().map(|row| row as f64).collect();
            (w.on(tape) + tape.constant(numbers)).mean(..)
        })
        .unwrap();
    assert_eq!(report.best, Some(Best { step: 2, value: 500.0 }));
    let evaluated = [256, 256, 256, 233].map(|rows| (false, rows));
    assert_eq!(*passes.borrow(), [vec![(true, 2); 2], evaluated.to_vec()].concat());

    // With an evaluation after each step, the last weights are those of a fit without.
    let run = |every| {
        let (mut net, mut optimizer) = (Net::<f32>::new(), adam());
        let last = RefCell::new(Vec::new());
        Fit::steps(7)
            .batches(batches())
            .evaluate(rows(28..40), every)
            .on_step(|p: &Progress<'_, Net<f32>>| {
                *last.borrow_mut() = p.model.state_dict().iter().map(|(_, p)| p.value().clone()).collect()
            })
            .run(&mut net, &mut optimizer, |net, tape, rows| net.loss(tape, rows))
            .unwrap();
        last.into_inner()
    };
    assert!(run(1) == run(100));
}

#[test]
fn a_fit_ends_when_nothing_gets_better_and_lowers_the_rate_before() {
    // It goes away from where it should.
    let mut w = Param::<f64>::new(Tensor::from([1.0]));
    let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
    let lrs = RefCell::new(Vec::new());
    let report = Fit::steps(100)
        .batches(Batches::new(0..4, 2).unwrap())
        .evaluate(rows(0..4), 2)
        .stop_after(3)
        .plateau(ReduceOnPlateau::new(0.5, 1).unwrap())
        .on_step(|p| lrs.borrow_mut().push(p.lr))
        .run(&mut w, &mut sgd, |w, tape, _| match tape.is_training() {
            true => w.on(tape).sum(..),
            false => w.on(tape).square().sum(..) * -1.0 + 5.0,
        })
        .unwrap();
    assert_eq!((report.stopped, report.steps, report.best.unwrap().step), (Stopped::NoBetter, 8, 2));
    assert!((w.value().item_at() - 0.8).abs() < 1e-12);
    assert_eq!(*lrs.borrow(), [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]);
    assert!(report.to_string().starts_with("stopped at step 8, as nothing got better"), "{report}");
}

/// The only number of a tensor.
trait Only {
    fn item_at(&self) -> f64;
}

impl Only for Tensor<f64> {
    fn item_at(&self) -> f64 {
        self.reshape(()).item()
    }
}

#[test]
fn without_an_evaluation_the_average_or_the_last_weights_stay() {
    let run = |average: Option<f64>| {
        let (mut w, mut by_hand) = (Param::<f64>::new(Tensor::from([1.0])), WeightAverage::exponential(0.5).unwrap());
        let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
        let mut fit = Fit::steps(250).batches(Batches::new(0..4, 2).unwrap()).on_step(|p| {
            by_hand.update(p.model);
        });
        if let Some(decay) = average {
            fit = fit.average(decay);
        }
        let report = fit.run(&mut w, &mut sgd, |w, tape, _| (w.on(tape) - 3.0).square().sum(..)).unwrap();
        assert_eq!(report.history.iter().map(|record| record.step).collect::<Vec<_>>(), [100, 200]);
        (w.value().item_at(), report.weights)
    };
    assert_eq!((run(None).1, run(Some(0.9)).1), (Weights::Last, Weights::Average));
    assert!(run(Some(0.9)).0 < run(None).0);
}

#[test]
fn hooks_see_the_pass_and_the_step_in_their_order() {
    let (mut net, mut optimizer) = (Net::<f32>::new(), adam());
    let seen = RefCell::new(Vec::new());
    let report = Fit::steps(10)
        .batches(batches())
        .on_gradients(|p| {
            assert!(p.gradients.of_norm(p.model) > 0.0);
            seen.borrow_mut().push(format!("{} {}", p.step, p.loss.op()));
        })
        .on_step(|p| seen.borrow_mut().push(format!("after {} of {}", p.step, p.steps)))
        .on_step(|p| if p.step == 2 { Flow::Stop } else { Flow::Continue })
        .on_step(|p| assert!(p.loss > 0.0 && p.lr > 0.04 && p.gradients.of_norm(p.model) > 0.0))
        .run(&mut net, &mut optimizer, |net, tape, rows| net.loss(tape, rows))
        .unwrap();
    assert_eq!(*seen.borrow(), ["0 cross_entropy", "after 1 of 10", "1 cross_entropy", "after 2 of 10"]);
    assert_eq!((report.stopped, report.steps), (Stopped::Asked, 2));
    // The steps are the optimizer's: it goes on where it was.
    let more = Fit::steps(5).batches(batches()).run(&mut net, &mut optimizer, |net, tape, rows| net.loss(tape, rows));
    assert_eq!(more.map(|report| (report.resumed_at, report.steps)), Ok((2, 5)));
}

/// The norm of the gradients, which must be the model's.
trait OfNorm {
    fn of_norm(&self, model: &dyn Module) -> f64;
}

impl OfNorm for autograd::Gradients {
    fn of_norm(&self, model: &dyn Module) -> f64 {
        self.expect_complete(model);
        self.norm()
    }
}

/// How a fit fails at step 3; the weights are those before it.
fn failure(clip: bool, loss: impl for<'t> Fn(&Net<f64>, Var<'t, f64>, u64) -> Var<'t, f64>) -> String {
    let (mut net, mut optimizer) = (Net::<f64>::new(), adam());
    let (pass, before) = (std::cell::Cell::new(0), RefCell::new(Vec::new()));
    let mut fit = Fit::steps(10).batches(batches()).evaluate(28..40, 3).on_step(|p: &Progress<'_, Net<f64>, f64>| {
        *before.borrow_mut() = p.model.state_dict().iter().map(|(_, p)| p.value().clone()).collect::<Vec<_>>();
    });
    if clip {
        fit = fit.clip_norm(1.0);
    }
    let error = fit
        .run(&mut net, &mut optimizer, |net, tape, rows| {
            let now = pass.replace(pass.get() + 1);
            loss(net, net.loss(tape, rows), now)
        })
        .unwrap_err();
    assert!(matches!(error, Error::Diverged { step: 3, .. }), "{error}");
    assert_eq!(optimizer.step_number(), 3);
    let after: Vec<Tensor<f64>> = net.state_dict().iter().map(|(_, p)| p.value().clone()).collect();
    assert!(after == *before.borrow());
    error.to_string()
}

#[test]
fn a_number_that_is_lost_is_an_error_with_its_place_and_the_weights_stay() {
    // Forward: the logarithm of a negative number, infinity, and what came with the data. Three steps have an evaluation.
    const AT: u64 = 4;
    let why = failure(false, |_, loss, pass| if pass == AT { (loss * -1.0).ln() } else { loss });
    assert_eq!(
        why,
        "step 3 was not made: the loss is NaN, and `ln` of output is the first to give NaN; the last good weights stay"
    );
    let why = failure(false, |_, loss, pass| if pass == AT { loss * f64::INFINITY } else { loss });
    assert!(why.contains("the loss is inf, and `scale` of output is the first to give infinity"), "{why}");
    let why = failure(false, |_, loss, pass| match pass {
        AT => loss + loss.tape().constant(Tensor::scalar(f64::NAN)),
        _ => loss,
    });
    assert!(why.contains("the loss is NaN, as the data hold NaN: the constant []"), "{why}");
    // A mask of −∞ is no number that was lost, whichever way it is laid on.
    for by_sum in [true, false] {
        let why = failure(false, |_, loss, pass| {
            let x = loss.expand([2]);
            let masked = match by_sum {
                true => x + x.tape().constant(Tensor::from([f64::NEG_INFINITY, 0.0])),
                false => x.masked_fill(&Tensor::from([true, false]), f64::NEG_INFINITY),
            };
            let attention = masked.softmax(0).sum(..);
            if pass == AT { (loss * -1.0 * attention).ln() } else { loss }
        });
        assert!(why.contains("`ln` of"), "{why}");
    }
    // Backward: the root of 0 is 0, and its slope infinite.
    for clip in [false, true] {
        let why = failure(clip, |net, loss, pass| match pass {
            AT => loss + (net.hidden.bias.as_ref().unwrap().on(loss.tape()) * 0.0).square().sqrt().sum(..),
            _ => loss,
        });
        assert!(why.contains("the gradient of hidden.bias holds NaN or infinity"), "{why}");
    }
}

#[test]
fn a_number_that_is_lost_in_an_evaluation_is_an_error_too() {
    let (mut net, mut optimizer) = (Net::<f64>::new(), adam());
    let error = Fit::steps(10)
        .batches(batches())
        .evaluate(rows(28..40), 3)
        .run(&mut net, &mut optimizer, |net, tape, rows| match tape.is_training() {
            true => net.loss(tape, rows),
            false => (net.loss(tape, rows) * 0.0 - 1.0).ln(),
        })
        .unwrap_err();
    assert!(matches!(error, Error::Diverged { step: 3, .. }), "{error}");
    assert!(error.to_string().contains("the loss on held-out rows is NaN, and `ln` of"), "{error}");
}

/// How a training of so many steps ends whose step 150, or another, is finite and far too large, and what the weight is then.
fn overflows(steps: u64, at: u64, set: impl FnOnce(Fit<'_, Vec<Param>>) -> Fit<'_, Vec<Param>>) -> (Error, f32) {
    // A state that is infinite on purpose is no number that was lost.
    let mut w = vec![Param::new(Tensor::from([1.0_f32])), Param::state(Tensor::from([f32::NEG_INFINITY]))];
    let mut sgd =
        Optimizer::new(Sgd::default(), Schedule::of(move |step| if step == at { 1e38 } else { 0.1 })).unwrap();
    let fit = set(Fit::steps(steps).batches(Batches::new(0..4, 2).unwrap()));
    let error = fit.run(&mut w, &mut sgd, |w, tape, _| (w[0].on(tape) * 1e3).sum(..)).unwrap_err();
    (error, w[0].value().reshape(()).item())
}

#[test]
fn weights_that_have_left_the_numbers_are_brought_back() {
    // Seen by the next loss; and in the last step, which no loss follows. The weights are those of step 100, the last record.
    for (steps, want) in [(1000, "the loss is -inf, as 0 [1] holds infinity"), (151, "has made 0 [1] NaN or infinite")]
    {
        let (error, weight) = overflows(steps, 150, |fit| fit);
        assert!(matches!(error, Error::Diverged { step: 151, .. }) && error.to_string().contains(want), "{error}");
        assert!((weight + 1e4).abs() < 10.0, "{weight}");
    }
    // At the step of a record itself.
    let (error, weight) = overflows(1000, 199, |fit| fit);
    assert!(matches!(error, Error::Diverged { step: 200, .. }) && (weight + 1e4).abs() < 10.0, "{error} {weight}");
    #[cfg(feature = "checkpoint")]
    {
        let path = crate::files::folder("overflows").join("run");
        let (error, _) = overflows(1000, 149, |fit| fit.checkpoint(&path, 50));
        assert!(matches!(error, Error::Diverged { step: 150, .. }), "{error}");
        assert_eq!(nn::Loaded::peek(&path).unwrap().step, 100, "what is kept is not the last that was good");
    }
}

#[test]
fn what_cannot_be_fitted_is_refused_before_anything_moves() {
    let why = |set: &dyn Fn(Fit<'static, Param>) -> Fit<'static, Param>| {
        let mut w = Param::new(Tensor::from([1.0]));
        let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
        let fit = set(Fit::steps(10).batches(Batches::new(0..4, 2).unwrap()));
        let error = fit.run(&mut w, &mut sgd, |w, tape, _| w.on(tape).sum(..)).unwrap_err();
        assert_eq!((w.value(), sgd.step_number()), (&Tensor::from([1.0]), 0));
        error.to_string()
    };
    let rows = |n| (0..n).collect::<Tensor<i64>>();
    assert_eq!(
        why(&|fit| fit.evaluate(rows(0), 10)),
        "the fit is to evaluate no rows: the set of held-out rows is empty"
    );
    assert!(why(&|fit| fit.evaluate(rows(2), 0)).contains("every 0 steps"));
    assert!(why(&|fit| fit.evaluate(rows(4).reshape([2, 2]), 1)).contains("the rows [2, 2]"));
    assert!(why(&|fit| fit.stop_after(3)).contains("makes none; add `evaluate(rows, every)`"));
    assert!(why(&|fit| fit.plateau(ReduceOnPlateau::new(0.5, 1).unwrap())).contains("makes none"));
    assert!(why(&|fit| fit.evaluate(rows(2), 1).stop_after(0)).contains("after 0 evaluations"));
    assert!(why(&|fit| fit.accumulate(0)).contains("accumulates 0 batches"));
    for bad in [0.0, -1.0, f64::NAN] {
        assert!(why(&|fit| fit.clip_norm(bad)).contains("but must be above 0"));
    }
    assert!(why(&|fit| fit.average(1.5)).contains("in 0..=1"));
    assert!(why(&|_| Fit::steps(10)).contains("has no batches"));
    #[cfg(feature = "checkpoint")]
    {
        assert!(why(&|fit| fit.checkpoint("never", 0)).contains("to save every 0 steps"));
        let said = why(&|fit| fit.checkpoint(std::env::temp_dir().join("evenkeel/no/such/folder/x"), 1));
        assert!(said.contains("No such file") || said.contains("cannot find"), "{said}");
    }
}
