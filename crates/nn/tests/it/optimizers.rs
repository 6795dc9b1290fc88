//! Every rule with every option for ten steps of two weights; and what an optimizer does besides.

use autograd::{Gradients, Tape};
use nn::{
    Adadelta, Adagrad, Adam, AdamW, At, Lbfgs, Lion, Module, Muon, MuonLr, NAdam, Optimizer, Param, RAdam, RMSprop,
    Rule, Schedule, Sgd,
};
use tensor::{Float, Tensor, with_threads};

use crate::golden::{assert_close, fill, names, rows};

/// The optimizer of a golden case, whose name begins with it.
pub(crate) fn optimizer<T: Float>(name: &str) -> Optimizer<T> {
    fn of<T: Float>(rule: impl Rule<T> + 'static, lr: f64) -> Optimizer<T> {
        Optimizer::new(rule, lr).unwrap()
    }
    let name = name.split(", ").next().unwrap();
    match name {
        "sgd" => of(Sgd::default(), 0.1),
        "sgd: weight decay" => of(Sgd { weight_decay: 0.3, ..Sgd::default() }, 0.1),
        "sgd: momentum" => of(Sgd { momentum: 0.9, ..Sgd::default() }, 0.1),
        "sgd: dampening" => of(Sgd { momentum: 0.8, dampening: 0.3, weight_decay: 0.1, ..Sgd::default() }, 0.1),
        "sgd: nesterov" => of(Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1, ..Sgd::default() }, 0.1),
        "adam" => of(Adam::default(), 0.05),
        "adam: weight decay" => of(Adam { weight_decay: 0.3, eps: 1e-3, ..Adam::default() }, 0.05),
        "adam: amsgrad" => of(Adam { betas: (0.5, 0.6), amsgrad: true, ..Adam::default() }, 0.05),
        "adam: betas of 0" => of(Adam { betas: (0.0, 0.0), ..Adam::default() }, 0.05),
        "adamw" => of(AdamW::default(), 0.05),
        "adamw: weight decay" => of(AdamW { weight_decay: 0.5, betas: (0.8, 0.9), ..AdamW::default() }, 0.05),
        "adamw: amsgrad" => of(AdamW { betas: (0.5, 0.6), amsgrad: true, ..AdamW::default() }, 0.05),
        "rmsprop" => of(RMSprop::default(), 0.01),
        "rmsprop: centered" => of(RMSprop { centered: true, alpha: 0.9, ..RMSprop::default() }, 0.01),
        "rmsprop: momentum" => of(RMSprop { momentum: 0.9, ..RMSprop::default() }, 0.01),
        "rmsprop: both" => {
            let rule = RMSprop { momentum: 0.9, centered: true, weight_decay: 0.1, eps: 1e-4, ..RMSprop::default() };
            of(rule, 0.01)
        }
        "adagrad" => of(Adagrad::default(), 0.1),
        "adagrad: all" => of(Adagrad { lr_decay: 0.2, initial: 0.5, weight_decay: 0.1, eps: 1e-5 }, 0.1),
        "adadelta" => of(Adadelta::default(), 1.0),
        "adadelta: all" => of(Adadelta { rho: 0.8, eps: 1e-3, weight_decay: 0.1 }, 0.7),
        "nadam" => of(NAdam::default(), 0.05),
        "nadam: weight decay" => of(NAdam { weight_decay: 0.2, momentum_decay: 0.1, ..NAdam::default() }, 0.05),
        "nadam: decoupled" => of(NAdam { weight_decay: 0.2, decoupled: true, ..NAdam::default() }, 0.05),
        "radam" => of(RAdam::default(), 0.05),
        "radam: weight decay" => of(RAdam { betas: (0.8, 0.9), weight_decay: 0.2, ..RAdam::default() }, 0.05),
        "radam: decoupled" => of(RAdam { weight_decay: 0.2, decoupled: true, ..RAdam::default() }, 0.05),
        "lion" => of(Lion::default(), 0.05),
        "lion: weight decay" => of(Lion { betas: (0.8, 0.9), weight_decay: 0.3 }, 0.05),
        "muon" | "muon: all" => {
            let lr = MuonLr::MatchAdamW;
            let rule = match name {
                "muon" => Muon::default(),
                _ => Muon { momentum: 0.5, nesterov: false, weight_decay: 0.5, lr, ..Muon::default() },
            };
            of(rule, 0.05).group("1", |g| g.rule(AdamW::default())).unwrap()
        }
        _ => panic!("no optimizer for {name}"),
    }
}

fn model<T: Float>() -> Vec<Param<T>> {
    vec![Param::new(fill([3, 4], 1)), Param::new(fill([4], 2))]
}

/// The gradients of a step, and of the second weight only if it has one.
fn gradients<T: Float>(model: &[Param<T>], step: usize, both: bool, factor: f64) -> Gradients<T> {
    let tape = Tape::default();
    let of = |i: usize, k: usize| {
        let gradient = fill(model[i].value().shape(), k) * T::from_f64(factor);
        (model[i].on(&tape) * tape.constant(gradient)).sum(..)
    };
    let first = of(0, 3 * step + 5);
    (if both { first + of(1, 5 * step + 1) } else { first }).backward()
}

fn numbers<T: Float>(model: &[Param<T>]) -> Vec<f64> {
    model.iter().flat_map(|param| param.value().iter().map(|x| x.to_f64()).collect::<Vec<_>>()).collect()
}

fn check_all<T: Float>(tolerance: f64) {
    for name in names("optimizers") {
        let (mut optimizer, mut model) = (optimizer::<T>(&name), model::<T>());
        let (late, zero) = (name.ends_with(", late"), name.ends_with(", zero gradients"));
        if late {
            optimizer = optimizer.allow_missing();
        }
        for (step, want) in rows("optimizers", &name).iter().enumerate() {
            let gradients = gradients(&model, step, !late || step >= 4, if zero { 0.0 } else { 1.0 });
            optimizer.step(&mut model, &gradients);
            assert_close(&format!("{name}, step {step}"), &numbers(&model), want, tolerance);
        }
    }
}

#[test]
fn trajectories_are_those_of_pytorch() {
    assert!(names("optimizers").len() >= 40);
    check_all::<f64>(1e-12);
    check_all::<f32>(1e-6);
}

fn lbfgs(lr: f64, set: impl FnOnce(&mut Lbfgs)) -> Lbfgs {
    let mut lbfgs = Lbfgs::new(lr).unwrap();
    set(&mut lbfgs);
    lbfgs
}

#[test]
fn l_bfgs_without_a_search_is_that_of_pytorch() {
    let all = [
        ("default", Lbfgs::new(0.3).unwrap()),
        (
            "short",
            lbfgs(0.1, |l| {
                l.iterations = 3;
                l.evaluations = 3;
                l.history = 2;
            }),
        ),
        (
            "few",
            lbfgs(0.2, |l| {
                l.iterations = 10;
                l.evaluations = 4;
            }),
        ),
    ];
    for (name, mut lbfgs) in all {
        let mut model = model::<f64>();
        for (step, want) in rows("lbfgs", name).iter().enumerate() {
            lbfgs.step(&mut model, |model| valley(model)).unwrap();
            assert_close(&format!("{name}, step {step}"), &numbers(&model), want, 1e-9);
        }
    }
}

/// Rosenbrock's, and a bowl of four numbers; as the script has it.
fn valley<T: Float>(model: &[Param<T>]) -> (T, Gradients<T>) {
    let (tape, of) = (Tape::default(), |x: f64| T::from_f64(x));
    let (p, q) = (model[0].on(&tape), model[1].on(&tape));
    let [x, y] = [0, 1].map(|i| p.select(0, 0).select(0, i));
    let steep = (y - x.square()).square() * of(5.0);
    let bowl = (p - of(0.5)).square().sum(..);
    let rest = (q * tape.constant(fill([4], 3))).sum(..) + q.square().square().sum(..);
    let loss = (x - of(1.0)).square() + steep + bowl + rest;
    (loss.item(), loss.backward())
}

#[test]
fn l_bfgs_with_a_search_finds_the_bottom_and_never_rises() {
    fn check<T: Float>(tolerance: f64) {
        let mut model = model::<T>();
        let mut lbfgs = lbfgs(1.0, |l| {
            l.tolerance_change = 1e-18;
            l.wolfe = true;
            l.iterations = 5;
        });
        let mut before = f64::INFINITY;
        for _ in 0..12 {
            let loss = lbfgs.step(&mut model, |model| valley(model)).unwrap();
            assert!(loss <= before * (1.0 + tolerance) + tolerance, "{loss} after {before}");
            before = loss;
        }
        let (_, gradients) = valley(&model);
        assert!(gradients.norm() < tolerance.sqrt(), "{}", gradients.norm());
    }
    check::<f64>(1e-12);
    check::<f32>(1e-6);
    // Of other valleys too, from far away and with a first length that is far off.
    for (lr, start) in [(1.0, -1.2), (1e-3, 3.0), (100.0, -2.0)] {
        let mut p = Param::<f64>::new(Tensor::from([start, 1.0]));
        let mut lbfgs = lbfgs(lr, |l| {
            l.wolfe = true;
            l.iterations = 200;
            l.evaluations = 500;
        });
        let mut losses = Vec::new();
        for _ in 0..10 {
            let loss = lbfgs.step(&mut p, |p| {
                let tape = Tape::default();
                let [x, y] = [0, 1].map(|i| p.on(&tape).select(0, i));
                let loss = (x - 1.0).square() + (y - x.square()).square() * 100.0;
                (loss.item(), loss.backward())
            });
            losses.push(loss.unwrap());
        }
        assert!(p.value().allclose(&Tensor::from([1.0, 1.0]), 0.0, 1e-4), "{lr}: {:?}, {losses:?}", p.value());
    }
}

#[test]
fn l_bfgs_refuses_what_it_cannot_make_smaller() {
    assert!(Lbfgs::new(-1.0).is_err() && Lbfgs::new(f64::NAN).is_err());
    let mut model = model::<f64>();
    let before = numbers(&model);
    let none = lbfgs(1.0, |l| {
        l.history = 0;
    })
    .step(&mut model, |model| valley(model));
    assert_eq!(none.unwrap_err().to_string(), "the history of L-BFGS is 0, but must be at least 1");
    let nan = Lbfgs::new(1.0).unwrap().step(&mut model, |model| (f64::NAN, valley(model).1));
    assert_eq!(nan.unwrap_err().to_string(), "the loss is NaN, and nothing can be made smaller");
    assert_eq!(numbers(&model), before);
}

/// The rules, each with all that it can keep.
const KINDS: [&str; 12] = [
    "sgd",
    "sgd: nesterov",
    "adam",
    "adamw: amsgrad",
    "rmsprop",
    "rmsprop: both",
    "adagrad",
    "adadelta",
    "nadam",
    "radam",
    "lion",
    "muon",
];

#[test]
fn a_rate_of_0_moves_nothing_and_zeros_make_no_nan() {
    for name in KINDS {
        let (mut optimizer, mut model) = (optimizer::<f32>(name), model());
        optimizer.set_scale(0.0).unwrap();
        let before = numbers(&model);
        for step in 0..3 {
            let gradients = gradients(&model, step, true, if step == 0 { 0.0 } else { 1.0 });
            optimizer.step(&mut model, &gradients);
            assert_eq!(numbers(&model), before, "{name}");
        }
        optimizer.set_scale(1.0).unwrap();
        let gradients = gradients(&model, 3, true, 1.0);
        optimizer.step(&mut model, &gradients);
        let after = numbers(&model);
        assert!(after.iter().all(|x| x.is_finite()) && after != before, "{name}");
    }
}

/// A net whose weights are large enough to be shared among threads, and its loss of the data of a step.
fn large() -> Vec<Param> {
    vec![Param::new(fill([300, 257], 1)), Param::new(fill([257, 5], 2))]
}

fn loss_of(model: &[Param], step: usize) -> (f32, Gradients) {
    let tape = Tape::new();
    let x = tape.constant(fill([64, 300], step));
    let classes = Tensor::from_fn([64], |i| ((i[0] + step) % 5) as i64);
    let h = x.matmul(model[0].on(&tape).scale(0.1)).tanh();
    let loss = h.matmul(model[1].on(&tape)).cross_entropy(&classes);
    (loss.item(), loss.backward())
}

/// The bits that so many threads end with.
fn trained(threads: usize, mut step: impl FnMut(&mut Vec<Param>, usize) + Send) -> Vec<u32> {
    with_threads(threads, || {
        let mut model = large();
        (0..4).for_each(|number| step(&mut model, number));
        model.iter().flat_map(|param| param.value().iter().map(f32::to_bits).collect::<Vec<_>>()).collect()
    })
    .unwrap()
}

#[test]
fn a_training_has_the_same_bits_at_any_number_of_threads() {
    for name in names("optimizers").iter().filter(|name| !name.contains(", ")) {
        let run = |threads| {
            let mut optimizer = optimizer::<f32>(name);
            trained(threads, move |model, step| optimizer.step(model, &loss_of(model, step).1))
        };
        let one = run(1);
        assert!([2, 3, 8].iter().all(|&threads| run(threads) == one), "{name}");
    }
    for wolfe in [false, true] {
        let run = |threads| {
            let mut lbfgs = lbfgs(0.5, |l| (l.iterations, l.wolfe) = (3, wolfe));
            trained(threads, move |model, _| {
                lbfgs.step(model, |model| loss_of(model, 0)).unwrap();
            })
        };
        let one = run(1);
        assert!([2, 3, 8].iter().all(|&threads| run(threads) == one), "L-BFGS");
        assert!(one.iter().all(|bits| f32::from_bits(*bits).is_finite()));
    }
}

#[test]
fn groups_are_met_by_path_and_the_last_that_says_something_holds() {
    let model: Vec<Vec<Param>> = vec![vec![Param::new(fill([2, 2], 1)), Param::new(fill([2], 1))]; 3];
    let optimizer = Optimizer::new(AdamW::default(), Schedule::constant(0.1))
        .unwrap()
        .group("*.1", |g| g.weight_decay(0.0))
        .unwrap()
        .group("1.*", |g| g.lr_scale(0.5).weight_decay(0.25))
        .unwrap()
        .group("2.*", |g| g.freeze(true))
        .unwrap()
        .group("2.1", |g| g.freeze(false).rule(Sgd::default()))
        .unwrap();
    let want = "\
weight  shape   rule   lr      weight decay
0.0     [2, 2]  adamw  0.1     0.01
0.1     [2]     adamw  0.1     0
1.0     [2, 2]  adamw  0.05    0.25
1.1     [2]     adamw  0.05    0.25
2.0     [2, 2]  adamw  frozen
2.1     [2]     sgd    0.1     0";
    assert_eq!(optimizer.plan(&model).unwrap().to_string(), want);
    let lost = optimizer.group("4.*", |g| g.lr_scale(2.0)).unwrap();
    let why = lost.plan(&model).unwrap_err().to_string();
    assert_eq!(why, "no weight matches the pattern \"4.*\"; there are 0.0, 0.1, 1.0, 1.1, 2.0, 2.1");
    let muon: Optimizer = Optimizer::new(Muon::default(), 0.1).unwrap();
    let why = muon.plan(&model).unwrap_err().to_string();
    assert!(why.starts_with("muon cannot move 0.1, which is [2]: only a matrix can be made orthogonal"), "{why}");
}

#[test]
fn a_group_moves_as_an_optimizer_of_its_own_would() {
    let mut together = model::<f64>();
    let mut optimizer = Optimizer::new(Adam::default(), Schedule::exponential(0.1, 0.9))
        .unwrap()
        .group("1", |g| g.lr_scale(0.5).weight_decay(0.3))
        .unwrap();
    let (mut alone, mut second) = (
        Optimizer::new(Adam { weight_decay: 0.3, ..Adam::default() }, Schedule::exponential(0.05, 0.9)).unwrap(),
        model::<f64>().remove(1),
    );
    for step in 0..5 {
        let gradients = gradients(&together, step, true, 1.0);
        optimizer.step(&mut together, &gradients);
        let tape = Tape::default();
        let own = (second.on(&tape) * tape.constant(fill([4], 5 * step + 1))).sum(..).backward();
        alone.step(&mut second, &own);
        assert_close("a group", &numbers(&together)[12..], &numbers(&[second.clone()]), 1e-15);
    }
    assert_eq!(optimizer.step_number(), 5);
    assert!((optimizer.lr() - 0.1 * 0.9_f64.powi(5)).abs() < 1e-15);
}

#[test]
fn weights_move_in_place_where_nothing_else_holds_them() {
    for name in KINDS.iter().filter(|&&name| name != "muon") {
        let (mut optimizer, mut model) = (optimizer::<f32>(name), model());
        let gradients = gradients(&model, 0, true, 1.0);
        let before: Vec<_> = model.iter().map(|p| p.value().as_slice().unwrap().as_ptr()).collect();
        let shared = model[1].value().clone();
        optimizer.step(&mut model, &gradients);
        assert_eq!(model[0].value().as_slice().unwrap().as_ptr(), before[0], "{name}");
        // What others hold stays as it is.
        assert!(shared == fill([4], 2) && model[1].value() != &shared, "{name}");
    }
}

#[test]
fn a_transposed_weight_is_moved_like_any_other() {
    for name in KINDS {
        let run = |value: Tensor| {
            let (mut optimizer, mut model) =
                (optimizer::<f32>(name), vec![Param::new(value), Param::new(fill([4], 2))]);
            for step in 0..3 {
                let gradients = gradients(&model, step, true, 1.0);
                optimizer.step(&mut model, &gradients);
            }
            numbers(&model)
        };
        let value = fill::<f32>([3, 4], 1);
        assert_eq!(run(value.t().contiguous().t()), run(value), "{name}");
    }
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let why = |result: Result<Optimizer, nn::Error>| result.unwrap_err().to_string();
    for lr in [-0.1, f64::NAN, f64::INFINITY] {
        let refused = why(Optimizer::new(Sgd::default(), lr));
        assert_eq!(refused, format!("the learning rate is {lr}, but must be at least 0 and finite in f32"));
    }
    for beta in [-0.1, 1.0, 1.5, f64::NAN] {
        let both = [(beta, 0.9), (0.9, beta)];
        for betas in both {
            assert!(Optimizer::<f32>::new(Adam { betas, ..Adam::default() }, 0.1).is_err());
            assert!(Optimizer::<f32>::new(AdamW { betas, ..AdamW::default() }, 0.1).is_err());
            assert!(Optimizer::<f32>::new(NAdam { betas, ..NAdam::default() }, 0.1).is_err());
            assert!(Optimizer::<f32>::new(RAdam { betas, ..RAdam::default() }, 0.1).is_err());
            assert!(Optimizer::<f32>::new(Lion { betas, ..Lion::default() }, 0.1).is_err());
        }
        assert!(Optimizer::<f32>::new(Sgd { momentum: beta, ..Sgd::default() }, 0.1).is_err());
        assert!(Optimizer::<f32>::new(RMSprop { alpha: beta, ..RMSprop::default() }, 0.1).is_err());
        assert!(Optimizer::<f32>::new(RMSprop { momentum: beta, ..RMSprop::default() }, 0.1).is_err());
        assert!(Optimizer::<f32>::new(Adadelta { rho: beta, ..Adadelta::default() }, 0.1).is_err());
        assert!(Optimizer::<f32>::new(Muon { momentum: beta, ..Muon::default() }, 0.1).is_err());
    }
    for decay in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(Optimizer::<f32>::new(AdamW { weight_decay: decay, ..AdamW::default() }, 0.1).is_err());
        assert!(Optimizer::<f32>::new(Sgd { weight_decay: decay, ..Sgd::default() }, 0.1).is_err());
        let optimizer = || Optimizer::<f32>::new(Adam::default(), 0.1).unwrap();
        assert!(optimizer().group("*", |g| g.weight_decay(decay)).is_err());
        assert!(optimizer().group("*", |g| g.lr_scale(decay)).is_err());
        assert!(optimizer().set_scale(decay).is_err());
    }
    for eps in [0.0, -1e-8, 1e-60, f64::NAN] {
        assert!(Optimizer::<f32>::new(Adam { eps, ..Adam::default() }, 0.1).is_err(), "{eps}");
    }
    let nesterov = Sgd { nesterov: true, ..Sgd::default() };
    assert_eq!(why(Optimizer::new(nesterov, 0.1)), "Nesterov needs momentum and no dampening, got 0 and 0");
    let both = Sgd { nesterov: true, momentum: 0.9, dampening: 0.1, ..Sgd::default() };
    assert!(Optimizer::<f32>::new(both, 0.1).is_err());
    let (mut late, mut model) = (Optimizer::<f32>::new(Sgd::default(), 0.1).unwrap(), model());
    let gradients = gradients(&model, 0, true, 1.0);
    late.step(&mut model, &gradients);
    assert!(why(late.group("*", |g| g.lr_scale(2.0))).starts_with("the group \"*\" comes after the first step"));
    let grouped = Optimizer::<f32>::new(Sgd::default(), 0.1).unwrap();
    assert!(grouped.group("*", |g| g.rule(Adam { betas: (2.0, 0.0), ..Adam::default() })).is_err());
}

/// What `run` panics with.
fn panics(run: impl FnOnce()) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("it panics");
    payload.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_step_that_cannot_be_made_says_why() {
    let mut model = model::<f32>();
    let one = gradients(&model, 0, false, 1.0);
    let mut optimizer = Optimizer::new(AdamW::default(), 0.1).unwrap();
    assert!(panics(|| optimizer.step(&mut model, &one)).starts_with("step: no gradient has come to 1: use them in"));
    let both = gradients(&model, 0, true, 1.0);
    let mut lost = Optimizer::new(AdamW::default(), 0.1).unwrap().group("bias", |g| g.lr_scale(0.0)).unwrap();
    assert_eq!(panics(|| lost.step(&mut model, &both)), "step: no weight matches the pattern \"bias\"; there are 0, 1");
    let mut closure = Optimizer::new(Sgd::default(), Schedule::of(|step| 1.0 - step as f64)).unwrap();
    closure.step(&mut model, &both);
    closure.step(&mut model, &both);
    let why = panics(|| closure.step(&mut model, &both));
    assert_eq!(why, "step: at step 2, the learning rate is -1, but must be at least 0 and finite in f32");
    let mut other = self::model::<f32>();
    let mut allows = Optimizer::new(Sgd::default(), 0.1).unwrap().allow_missing();
    assert!(panics(|| allows.step(&mut other, &both)).starts_with("step: no weight of the model has a gradient"));
    // What a panic has interrupted goes on where it was.
    optimizer.step(&mut model, &both);
    let other_pass = gradients(&other, 0, true, 1.0);
    assert!(panics(|| optimizer.step(&mut model, &other_pass)).starts_with("step: no weight of the model"));
    let start = numbers(&model);
    optimizer.step(&mut model, &both);
    assert_eq!(optimizer.step_number(), 2);
    // Of equal gradients, each step of Adam is as long as the learning rate.
    let moved = numbers(&model).iter().zip(&start).map(|(now, before)| (now - before).abs()).fold(0.0, f64::max);
    assert!((moved - 0.1).abs() < 1e-3, "{moved}");
    *model[1].value_mut() = fill([2], 1);
    let changed = gradients(&model, 0, true, 1.0);
    assert_eq!(panics(|| optimizer.step(&mut model, &changed)), "step: 1 is [2], but was [4] before");
}

/// A rule of a user's own, in ten lines.
#[test]
fn a_rule_of_ones_own_is_one_like_the_others() {
    struct Halving;
    impl<T: Float> Rule<T> for Halving {
        fn name(&self) -> &'static str {
            "halving"
        }
        fn slots(&self) -> &'static [&'static str] {
            &["steps"]
        }
        fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
            let half = T::from_f64(0.5 * at.lr);
            weight
                .update_by(gradient, slots, |w, g, [steps]| (*w, *steps) = (*w * half + g * T::ZERO, *steps + T::ONE));
        }
    }
    let mut model = model::<f64>();
    let mut optimizer = Optimizer::new(Halving, 1.0).unwrap();
    for step in 0..2 {
        let gradients = gradients(&model, step, true, 1.0);
        optimizer.step(&mut model, &gradients);
    }
    assert_eq!(model[0].value(), &(fill::<f64>([3, 4], 1) / 4.0));
    assert_eq!(optimizer.rule_name(), "halving");
    assert_eq!(model.parameters().len(), 2);
}
