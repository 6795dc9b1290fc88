//! What optimizers, averages and schedules do to each other: to a model that is cloned, frozen, resumed or swapped, and to numbers at the end
//! of their range.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::{Gradients, Tape};
use nn::{
    Adadelta, Adagrad, Adam, AdamW, Batches, Fit, Lbfgs, Linear, Lion, ModelGradients, Module, NAdam, Optimizer, Param,
    RAdam, RMSprop, ReduceOnPlateau, Rule, Sgd, WeightAverage, module,
};
use tensor::{Float, Tensor};

#[derive(Clone)]
struct Two {
    a: Param,
    b: Param,
}

module!(Two { a, b });

fn two() -> Two {
    Two { a: Param::new(Tensor::from([1.0, 2.0])), b: Param::new(Tensor::from([3.0])) }
}

/// The gradients of what uses `a`, and `b` too unless not.
fn gradients(model: &Two, with_b: bool) -> Gradients {
    let tape = Tape::new();
    let a = model.a.on(&tape).square().sum(..);
    if with_b { (a + model.b.on(&tape).square().sum(..)).backward() } else { a.backward() }
}

/// The message that it panics with.
fn says(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it should panic");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
    }
}

fn adamw() -> Optimizer {
    Optimizer::new(AdamW::default(), 0.01).unwrap()
}

#[test]
fn a_clone_in_the_models_place_goes_on_with_its_moments() {
    // A large gradient first, so that moments that start anew would show.
    let run = |clones: &[usize]| {
        let (mut model, mut optimizer) = (two(), adamw());
        for step in 0..6 {
            if clones.contains(&step) {
                let best = model.clone();
                model = best.clone();
            }
            let mut gradients = gradients(&model, true);
            gradients.scale(if step == 0 { 100.0 } else { 1.0 });
            optimizer.step(&mut model, &gradients);
        }
        (model.a.value().to_vec(), model.b.value().to_vec(), optimizer)
    };
    let (a, b, _) = run(&[]);
    for clones in [&[1][..], &[3], &[1, 2, 3, 4, 5]] {
        let (got_a, got_b, _) = run(clones);
        assert_eq!((&got_a, &got_b), (&a, &b), "{clones:?}");
    }
}

#[test]
fn a_model_of_clones_goes_on_too_each_with_its_own_moments() {
    let layer = || Param::new(Tensor::from([1.0]));
    let run = |clone: bool| {
        // The blocks are clones of one another, of which each is a weight of its own.
        let first = layer();
        let (mut model, mut optimizer) = (vec![first.clone(), first.clone(), first], adamw());
        for step in 0..4 {
            if clone && step == 2 {
                model = model.clone();
            }
            let tape = Tape::new();
            let terms =
                model.iter().enumerate().map(|(i, w)| w.on(&tape).scale(10_f32.powi(i as i32)).square().sum(..));
            let loss = terms.reduce(|a, b| a + b).unwrap();
            optimizer.step(&mut model, &loss.backward());
        }
        model.iter().map(|w| w.value().item()).collect::<Vec<_>>()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_model_that_goes_on_beside_its_clone_or_another_one_is_refused() {
    let (mut model, mut optimizer) = (two(), adamw());
    let step = |optimizer: &mut Optimizer, model: &mut Two| {
        let gradients = gradients(model, true);
        optimizer.step(model, &gradients);
    };
    step(&mut optimizer, &mut model);
    let mut other = model.clone();
    step(&mut optimizer, &mut other);
    let before = model.a.value().clone();
    let why = says(|| step(&mut optimizer, &mut model));
    assert!(why.starts_with("step: what the optimizer keeps of a, b has gone over to a clone of the model"), "{why}");
    let why = says(|| step(&mut optimizer, &mut two()));
    assert!(why.starts_with("step: the model is another one than before"), "{why}");
    assert_eq!(model.a.value(), &before);
    // Models that take turns keep their moments apart.
    let mut turns = adamw().allow_missing();
    let (mut a, mut b) = (two(), two());
    for _ in 0..3 {
        step(&mut turns, &mut a);
        step(&mut turns, &mut b);
    }
    assert_eq!(a.a.value(), b.a.value());
    // What keeps nothing of a weight has nothing to lose.
    let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
    step(&mut sgd, &mut a);
    step(&mut sgd, &mut two());
}

#[test]
fn a_part_that_is_replaced_starts_anew_and_the_rest_goes_on() {
    let (mut model, mut optimizer) = (two(), adamw());
    for _ in 0..5 {
        let gradients = gradients(&model, true);
        optimizer.step(&mut model, &gradients);
    }
    model.b = Param::new(Tensor::from([3.0]));
    let a = model.a.value().clone();
    let of = gradients(&model, true);
    optimizer.step(&mut model, &of);
    // The first step of Adam is as long as the learning rate.
    assert!((model.b.value().item() - (3.0 * (1.0 - 1e-4) - 0.01)).abs() < 1e-6);
    assert_ne!(model.a.value(), &a);
}

#[test]
fn what_the_first_step_checks_is_checked_of_each_new_weight_and_nothing_moves() {
    // A weight that is unfrozen later, and used nowhere.
    let (mut model, mut optimizer) = (two(), adamw());
    model.freeze("b").unwrap();
    let of = gradients(&model, false);
    optimizer.step(&mut model, &of);
    model.unfreeze("b").unwrap();
    let (before, of) = (model.a.value().clone(), gradients(&model, false));
    let why = says(|| optimizer.step(&mut model, &of));
    assert!(why.starts_with("step: no gradient has come to b"), "{why}");
    assert_eq!(model.a.value(), &before);
    let of = gradients(&model, true);
    optimizer.step(&mut model, &of);
    assert_ne!(model.b.value().item(), 3.0);

    // One that a rule cannot move.
    let mut muon = Optimizer::new(nn::Muon::default(), 0.01).unwrap();
    let mut layer = Linear::new(2, 3, &init::normal(0.1), &mut rng()).unwrap();
    layer.freeze("bias").unwrap();
    let of_layer = |layer: &Linear| {
        let tape = Tape::new();
        nn::Layer::forward(layer, tape.constant(Tensor::ones([1, 2]))).sum(..).backward()
    };
    let of = of_layer(&layer);
    muon.step(&mut layer, &of);
    layer.unfreeze("bias").unwrap();
    let of = of_layer(&layer);
    let why = says(|| muon.step(&mut layer, &of));
    assert!(why.starts_with("step: muon cannot move bias, which is [3]"), "{why}");

    // A weight of another shape, before any other has moved.
    let of = gradients(&model, true);
    let before = model.a.value().clone();
    *model.b.value_mut() = Tensor::from([3.0, 3.0]);
    let why = says(|| optimizer.step(&mut model, &of));
    assert!(why.starts_with("step: b is [2], but was [1] before"), "{why}");
    assert_eq!(model.a.value(), &before);
}

fn rng() -> rand_chacha::ChaCha8Rng {
    rand_chacha::rand_core::SeedableRng::seed_from_u64(42)
}

#[test]
fn while_an_average_is_in_the_models_place_nothing_moves_it() {
    let (mut model, mut optimizer, mut average) = (two(), adamw(), WeightAverage::mean());
    average.update(&model);
    let of = gradients(&model, true);
    average.swap(&mut model).unwrap();
    let why = says(|| optimizer.step(&mut model, &of));
    assert!(why.starts_with("step: an average is in the place of the model's weights; swap it out"), "{why}");
    let mut lbfgs = Lbfgs::new(0.1).unwrap();
    let why = says(|| _ = lbfgs.step(&mut model, |model| (1.0, gradients(model, true))));
    assert!(why.starts_with("step: an average is in"), "{why}");
    let why = says(|| WeightAverage::mean().update(&model));
    assert!(why.starts_with("update: an average is in"), "{why}");
    #[cfg(feature = "checkpoint")]
    {
        let path = std::env::temp_dir().join(format!("evenkeel-nn-{}-lent.safetensors", std::process::id()));
        let why = nn::Checkpoint::new(&mut model).optimizer(&mut optimizer).save(&path).unwrap_err().to_string();
        assert!(why.starts_with("the checkpoint would keep an average as the weights"), "{why}");
        assert!(!path.exists());
    }
    assert_eq!(model.a.value(), &Tensor::from([1.0, 2.0]));
    average.swap(&mut model).unwrap();
    optimizer.step(&mut model, &of);
    // A clone of the average is a model like any other, and so is the model where the average is gone.
    average.swap(&mut model).unwrap();
    let mut clone = model.clone();
    let of = gradients(&clone, true);
    adamw().step(&mut clone, &of);
    drop(average);
    let of = gradients(&model, true);
    optimizer.step(&mut model, &of);
}

#[test]
fn an_average_goes_on_with_a_clone_and_not_with_another_model() {
    for new in [WeightAverage::mean, || WeightAverage::exponential(0.9).unwrap()] {
        let run = |clone: bool| {
            let (mut model, mut average) = (two(), new());
            for step in 0..5 {
                if clone && step == 3 {
                    model = model.clone();
                }
                *model.a.value_mut() = Tensor::from([step as f32, 1.0]);
                average.update(&model);
            }
            average.of(&model.a).unwrap().to_vec()
        };
        assert_eq!(run(true), run(false));
        let (model, mut average) = (two(), new());
        average.update(&model);
        let why = says(|| average.update(&two()));
        assert!(why.starts_with("update: the average is of another model, which has no a, b"), "{why}");
        average.update(&model.clone());
        let why = says(|| average.update(&model));
        assert!(why.starts_with("update: the average of a, b has gone over to a clone"), "{why}");
    }
}

#[test]
fn an_evaluation_that_panics_leaves_the_model_its_own_weights() {
    let mut model = two();
    let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
    let own = std::cell::RefCell::new(None);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let fit = Fit::steps(10).batches(Batches::new(0..4, 2).unwrap()).evaluate(0..4, 5).average(0.9);
        let run = fit.run(&mut model, &mut sgd, |model, tape, _| {
            assert!(tape.is_training(), "no such file");
            *own.borrow_mut() = Some(model.a.value().clone());
            model.a.on(tape).square().sum(..) + model.b.on(tape).square().sum(..)
        });
        run.map(|_| ())
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"no such file"));
    // One step on from where the last pass saw them.
    let last = own.into_inner().unwrap();
    assert!(model.a.value().allclose(&(&last - &last * 0.2), 0.0, 1e-6), "{:?}", model.a.value());
    // And it may be trained on.
    let of = gradients(&model, true);
    adamw().step(&mut model, &of);
}

#[test]
fn averages_are_as_near_as_their_float_allows() {
    // Against f64, of weights that move.
    let at = |step: u64| 7.7 + libm_free_wave(step);
    for (decay, most) in [(0.9999, 1e-5), (0.999999, 1e-3)] {
        let mut average = WeightAverage::exponential(decay).unwrap();
        let (mut w, mut want) = (Param::new(Tensor::from([0.0_f32])), 0.0);
        for step in 0..200_000 {
            let value = at(step) as f32;
            *w.value_mut() = Tensor::from([value]);
            average.update(&w);
            want = if step == 0 { f64::from(value) } else { want + (1.0 - decay) * (f64::from(value) - want) };
        }
        let got = f64::from(average.of(&w).unwrap().item());
        assert!((got - want).abs() < most, "{decay}: {got} and {want}");
    }
    for mut average in [
        WeightAverage::mean(),
        WeightAverage::exponential(0.999).unwrap(),
        WeightAverage::exponential(0.9999).unwrap().with_warmup(),
    ] {
        let w = Param::new(Tensor::from([7.7_f32]));
        (0..100_000).for_each(|_| average.update(&w));
        assert_eq!(average.of(&w).unwrap().item(), 7.7);
    }
    // A decay of 0 is the last, and of 1 the first, whatever came between.
    let mut w = Param::new(Tensor::from([1.0_f32]));
    let mut averages = [0.0, 1.0].map(|decay| WeightAverage::exponential(decay).unwrap());
    for value in [1.0, f32::NAN, 3.0] {
        *w.value_mut() = Tensor::from([value]);
        averages.iter_mut().for_each(|average| average.update(&w));
    }
    assert_eq!(averages.map(|average| average.of(&w).unwrap().item()), [3.0, 1.0]);
}

/// Something between −1 and 1 that looks like noise.
fn libm_free_wave(step: u64) -> f64 {
    let x = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    x as f64 / f64::from(1 << 23) - 1.0
}

#[test]
fn a_fit_that_averages_forgets_its_first_weights() {
    let mut w = Param::new(Tensor::from([100.0_f32]));
    let mut sgd = Optimizer::new(Sgd::default(), 0.2).unwrap();
    let fit = Fit::steps(200).batches(Batches::new(0..4, 2).unwrap()).average(0.9999);
    fit.run(&mut w, &mut sgd, |w, tape, _| w.on(tape).square().sum(..)).unwrap();
    assert!(w.value().item().abs() < 0.5, "{}", w.value().item());
}

#[test]
fn gradients_whose_squares_overflow_do_not_end_a_weight() {
    type New = fn() -> Box<dyn Rule>;
    let rules: [(&str, New); 10] = [
        ("adam", || Box::new(Adam::default())),
        ("adamw amsgrad", || Box::new(AdamW { amsgrad: true, ..AdamW::default() })),
        ("nadam", || Box::new(NAdam::default())),
        ("radam", || Box::new(RAdam::default())),
        ("adagrad", || Box::new(Adagrad::default())),
        ("adadelta", || Box::new(Adadelta::default())),
        ("rmsprop", || Box::new(RMSprop::default())),
        ("rmsprop centered", || Box::new(RMSprop { momentum: 0.5, centered: true, ..RMSprop::default() })),
        ("lion", || Box::new(Lion::default())),
        ("muon", || Box::new(nn::Muon::default())),
    ];
    for (name, rule) in rules {
        for large in [3e19, 1e25, -3e38] {
            let mut w = Param::new(Tensor::from([[1.0_f32, 2.0], [3.0, -1.0]]));
            let mut optimizer = Optimizer::new(Boxed(rule()), 1e-3).unwrap();
            let mut step = |w: &mut Param, by: f32| {
                let tape = Tape::new();
                let scale = tape.constant(Tensor::from([[by, 1.0], [1.0, 1.0]]));
                let gradients = (w.on(&tape) * scale).sum(..).backward();
                optimizer.step(w, &gradients);
            };
            step(&mut w, large);
            step(&mut w, large);
            let first = w.value().get(&[0, 0]).unwrap();
            // The others are as if there had been none such, and it is where a step leads.
            assert!(w.value().iter().all(f32::is_finite), "{name}, {large}: {:?}", w.value());
            let bounded = if name == "radam" { f32::MAX } else { 1.1 };
            assert!((first - 1.0).abs() < bounded, "{name}, {large}: {first}");
            (0..3).for_each(|_| step(&mut w, 1.0));
            assert!(w.value().iter().all(f32::is_finite), "{name}, {large}: {:?}", w.value());
        }
        // What is infinite is not made finite.
        let mut w = Param::new(Tensor::from([[1.0_f32]]));
        let mut optimizer = Optimizer::new(Boxed(rule()), 1e-3).unwrap();
        let tape = Tape::new();
        let gradients = (w.on(&tape) * tape.constant(Tensor::from([[f32::INFINITY]]))).sum(..).backward();
        optimizer.step(&mut w, &gradients);
        assert!(name == "lion" || !w.value().item().is_finite(), "{name}");
    }
}

/// A rule in a box.
struct Boxed(Box<dyn Rule>);

impl Rule for Boxed {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn slots(&self) -> &'static [&'static str] {
        self.0.slots()
    }

    fn weight_decay(&self) -> f64 {
        self.0.weight_decay()
    }

    fn refuses(&self, shape: &tensor::Shape) -> Option<String> {
        self.0.refuses(shape)
    }

    fn step(&self, at: &nn::At, weight: &mut Tensor, gradient: &Tensor, slots: &mut [Tensor]) {
        self.0.step(at, weight, gradient, slots);
    }
}

#[test]
fn an_evaluation_that_never_comes_is_said() {
    let fit = |steps: u64, every: u64| Fit::steps(steps).batches(Batches::new(0..4, 2).unwrap()).evaluate(0..4, every);
    let run = |fit: Fit<'_, Param>| {
        let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
        fit.run(&mut Param::new(Tensor::from([1.0])), &mut sgd, |w, tape, _| w.on(tape).square().sum(..)).map(|_| ())
    };
    let said = "the fit is to go by evaluations every 100 steps, and ends after 50, before the first";
    for fit in [fit(50, 100).stop_after(3), fit(50, 100).plateau(ReduceOnPlateau::new(0.5, 1).unwrap())] {
        let why = run(fit).unwrap_err().to_string();
        assert!(why.starts_with(said), "{why}");
    }
    for fit in [fit(100, 100).stop_after(3), fit(50, 100), fit(0, 100).stop_after(3)] {
        assert_eq!(run(fit), Ok(()));
    }
}

#[test]
fn accumulated_gradients_are_no_larger_than_the_largest() {
    let mut w = Param::new(Tensor::from([1.0_f32]));
    let mut sgd = Optimizer::new(Sgd::default(), 1e-38).unwrap();
    let fit = Fit::steps(3).batches(Batches::new(0..256, 64).unwrap()).accumulate(4);
    fit.run(&mut w, &mut sgd, |w, tape, _| (w.on(tape) * tape.constant(Tensor::from([1e37]))).sum(..)).unwrap();
    assert!((w.value().item() - (1.0 - 3.0 * 0.1)).abs() < 1e-6, "{}", w.value().item());
}

#[test]
fn lbfgs_never_leaves_a_model_where_the_loss_is_lost() {
    fn run<T: Float>(lr: f64, iterations: usize, wolfe: bool) {
        // 5 √w + w, whose gradient grows without end towards 0; below it there is no loss.
        let mut w = Param::<T>::new(Tensor::full([1], T::from_f64(1.0)));
        let mut lbfgs = Lbfgs::new(lr).unwrap();
        (lbfgs.iterations, lbfgs.wolfe) = (iterations, wolfe);
        for _ in 0..4 {
            let before = w.value().item().to_f64();
            let loss = |w: &Param<T>| {
                let tape = Tape::default();
                let w = w.on(&tape);
                let loss = w.sqrt().scale(T::from_f64(5.0)) + w;
                (loss.item(), loss.backward())
            };
            let result = lbfgs.step(&mut w, loss);
            let (after, now) = (w.value().item().to_f64(), loss(&w).0.to_f64());
            match result {
                Ok(first) => assert!(first.is_finite() && now.is_finite(), "{lr}, {iterations}: {after}"),
                Err(error) => {
                    assert!(
                        after.is_finite() && now.is_finite() && !wolfe,
                        "{lr}, {iterations}: {after} from {before}"
                    );
                    assert!(error.to_string().contains("is not finite, and was taken back; `wolfe`"), "{error}");
                    return;
                }
            }
        }
    }
    for lr in [0.01, 0.3, 1.0, 10.0] {
        for iterations in [1, 2, 3, 20] {
            for wolfe in [false, true] {
                run::<f32>(lr, iterations, wolfe);
                run::<f64>(lr, iterations, wolfe);
            }
        }
    }
}

#[test]
fn gradients_of_what_the_model_does_not_have_do_not_clip_a_fit() {
    let run = |bad: f32| {
        let mut w = Param::new(Tensor::from([1.0_f32]));
        let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap().allow_missing();
        let other = Param::new(Tensor::from([2.0_f32]));
        let fit = Fit::steps(3).batches(Batches::new(0..4, 2).unwrap()).clip_norm(1.0).accumulate(2);
        fit.run(&mut w, &mut sgd, |w, tape, _| {
            let x = tape.leaf(Tensor::from([1.0]));
            // Their gradients are `bad`, their part of the loss is 0.
            let [once, twice] = [bad, 2.0 * bad].map(|number| tape.constant(Tensor::from([number])));
            (w.on(tape).scale(3.0) + (x * once - once) + (other.on(tape) * once - twice)).sum(..)
        })
        .unwrap();
        w.value().item()
    };
    let want = 1.0 - 3.0 * 0.1 * 1.0;
    for bad in [0.0, 399.0, 1e30] {
        assert!((run(bad) - want).abs() < 1e-6, "{bad}: {}", run(bad));
    }
    let model = two();
    assert_eq!(gradients(&model, true).clip_norm(&model, f64::INFINITY).unwrap(), gradients(&model, true).norm());
}

#[test]
fn cumulative_statistics_are_means_and_counts_go_on() {
    let mut norm = nn::BatchNorm1d::new(1).cumulative();
    let step = |norm: &mut nn::BatchNorm1d| {
        let tape = Tape::new();
        nn::Layer::forward(norm, tape.constant(Tensor::from([[6.7_f32], [8.7]])));
        norm.apply(&tape.updates());
    };
    (0..20_000).for_each(|_| step(&mut norm));
    let mean = norm.running_mean.as_ref().unwrap().value().item();
    assert!((mean - 7.7).abs() < 1e-6, "{mean}");
    assert_eq!(norm.num_batches_tracked.as_ref().unwrap().value().item(), 20_000.0);
    // From where f32 no longer tells a number from the next.
    *norm.num_batches_tracked.as_mut().unwrap().value_mut() = Tensor::scalar(16_777_216.0);
    (0..6).for_each(|_| step(&mut norm));
    assert_eq!(norm.num_batches_tracked.as_ref().unwrap().value().item(), 16_777_222.0);
    let clone = norm.clone();
    assert_eq!(clone.num_batches_tracked.unwrap().value().item(), 16_777_222.0);
}

#[test]
fn gradients_of_a_recomputed_layer_are_checked_as_they_are() {
    let layer = nn::Recomputed::new(Linear::<f64>::try_new(3, 2, &init::normal(1.0), &mut rng()).unwrap());
    let x = Tensor::from([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]]);
    let check = |scale: f64| {
        nn::check::module(&layer, std::slice::from_ref(&x), &mut rng(), |layer, x| {
            let y = nn::Layer::forward(layer, x[0]).tanh();
            // A wrong pullback is found out all the same.
            y.record("scaled", y.value()).wrt(y, move |g| g * scale).done()
        })
    };
    assert_eq!(check(1.0), Ok(()));
    assert!(check(1.001).is_err());
}

#[cfg(feature = "checkpoint")]
#[test]
fn what_the_first_step_checks_is_checked_after_a_resume_too() {
    let path = std::env::temp_dir().join(format!("evenkeel-nn-{}-checked.safetensors", std::process::id()));
    let (mut model, mut optimizer) = (two(), adamw());
    let of = gradients(&model, true);
    optimizer.step(&mut model, &of);
    nn::Checkpoint::new(&mut model).optimizer(&mut optimizer).save(&path).unwrap();
    let resumed = |group: &str| {
        let mut optimizer = adamw().group(group, |g| g.lr_scale(0.5)).unwrap();
        let mut model = two();
        nn::Checkpoint::new(&mut model).optimizer(&mut optimizer).load(&path).unwrap();
        (model, optimizer)
    };
    let (mut model, mut optimizer) = resumed("typo*");
    let of = gradients(&model, true);
    let why = says(|| optimizer.step(&mut model, &of));
    assert!(why.starts_with("step: no weight matches the pattern \"typo*\""), "{why}");
    let (mut model, mut optimizer) = resumed("a");
    let of = gradients(&model, false);
    let why = says(|| optimizer.step(&mut model, &of));
    assert!(why.starts_with("step: no gradient has come to b"), "{why}");
    let tape = Tape::new();
    let other = Param::new(Tensor::from([1.0]));
    let loss = model.a.on(&tape).sum(..) + model.b.on(&tape).sum(..) + other.on(&tape).sum(..);
    let of = loss.backward();
    drop(tape);
    let why = says(|| optimizer.step(&mut model, &of));
    assert!(why.starts_with("step: the model does not list a leaf of the shape [1]"), "{why}");
    let of = gradients(&model, true);
    optimizer.step(&mut model, &of);
    assert_eq!(optimizer.step_number(), 2);
    std::fs::remove_file(path).unwrap();
}

#[cfg(feature = "checkpoint")]
#[test]
fn what_a_group_freezes_has_no_moments_and_nothing_in_a_file() {
    let path = std::env::temp_dir().join(format!("evenkeel-nn-{}-frozen.safetensors", std::process::id()));
    let names = |path: &std::path::Path| -> Vec<String> {
        tensor::safetensors::read(path)
            .unwrap()
            .tensors
            .into_keys()
            .filter(|name| name.starts_with("optimizer"))
            .collect()
    };
    let train = |mut optimizer: Optimizer| {
        let mut model = two();
        let of = gradients(&model, true);
        optimizer.step(&mut model, &of);
        nn::Checkpoint::new(&mut model).optimizer(&mut optimizer).save(&path).unwrap();
        model
    };
    let frozen = || adamw().group("a", |g| g.freeze(true)).unwrap();
    let model = train(frozen());
    assert_eq!(model.a.value(), &Tensor::from([1.0, 2.0]));
    assert_eq!(names(&path), ["optimizer.m.b", "optimizer.t.b", "optimizer.v.b"]);
    // A file of a training in which it was not frozen has more than is needed.
    train(adamw());
    assert_eq!(names(&path).len(), 6);
    let (mut model, mut optimizer) = (two(), frozen());
    nn::Checkpoint::new(&mut model).optimizer(&mut optimizer).load(&path).unwrap();
    let of = gradients(&model, true);
    optimizer.step(&mut model, &of);
    assert_eq!(optimizer.step_number(), 2);
    std::fs::remove_file(path).unwrap();
}
