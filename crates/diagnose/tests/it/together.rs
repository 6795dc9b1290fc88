//! What an inspection says of layers that are cut, reused, computed again, or out of sight.

use autograd::{Tape, Var};
use diagnose::{Evidence, Fault, Inspector, Report, Severity, Watch};
use init::{Gain, Initializer, kaiming_normal, normal};
use nn::{Layer, Linear, MinMaxScale, Module, Optimizer, Param, Recomputed, Sequential, Sgd, Standardize, module, seq};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Activation, Shape, Tensor};

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(42)
}

fn x(dims: [usize; 2]) -> Tensor {
    normal(1.0).init(&Shape::from(dims), &mut rng()).unwrap()
}

/// Trains a few steps and watches each.
fn watched<M: Module<f32>>(model: &mut M, forward: impl for<'t> Fn(&M, &'t Tape) -> Var<'t>) -> Watch {
    let (mut tape, mut watch) = (Tape::new(), Watch::new().every(1));
    let mut sgd = Optimizer::new(Sgd::default(), 1e-3).unwrap();
    for _ in 0..3 {
        let loss = forward(model, &tape);
        let gradients = loss.backward();
        watch.before_step(model, loss, &gradients);
        tape.reset();
        sgd.step(model, &gradients);
        watch.after_step(model);
    }
    watch
}

fn has_unjudged(findings: &[diagnose::Finding]) -> bool {
    findings.iter().any(|finding| finding.brief == "not judged")
}

#[test]
fn gates_of_two_widths_out_of_one_layer_are_judged_apart() {
    fn pass<'t>(layer: &Linear, tape: &'t Tape) -> Var<'t> {
        let both = layer.forward(tape.constant(x([32, 20])));
        let (small, large) = (both.narrow(1, 0, 10).sigmoid(), both.narrow(1, 10, 20).sigmoid());
        small.sum(..) + large.square().mean(..)
    }
    let mut layer = Linear::new(20, 30, &kaiming_normal(Gain::Linear), &mut rng()).unwrap();
    let report = diagnose::inspect(&layer, pass);
    assert!(!has_unjudged(&report.findings), "{report}");
    let units: Vec<usize> = report.activations.iter().map(|activation| activation.units).collect();
    assert_eq!(units, [10, 20]);
    // Two of one width are two uses, as they are elsewhere.
    let even = diagnose::inspect(&layer, |layer: &Linear, tape| {
        let both = layer.forward(tape.constant(x([32, 20])));
        both.narrow(1, 0, 15).sigmoid().sum(..) + both.narrow(1, 15, 15).sigmoid().sum(..)
    });
    assert_eq!(even.activations.iter().map(|a| (a.units, a.uses)).collect::<Vec<_>>(), [(15, 2)]);
    let watch = watched(&mut layer, pass);
    assert!(!has_unjudged(&watch.findings()), "{:?}", watch.findings());
    assert_eq!(watch.history().samples[2].activations.len(), 2);
}

#[test]
fn a_layer_that_is_used_in_two_shapes_is_judged() {
    fn pass<'t>(layer: &Linear, tape: &'t Tape) -> Var<'t> {
        let x = tape.constant(x([32, 12]));
        let sequence = x.reshape([32, 2, 6]);
        let by_step = layer.forward(sequence).tanh();
        let flat = layer.forward(by_step.reshape([64, 6])).tanh();
        (by_step.mean(1).sum(..) + flat.reshape([32, 12]).square().sum(..)).square()
    }
    let mut layer = Linear::new(6, 6, &kaiming_normal(Gain::Tanh), &mut rng()).unwrap();
    let report = diagnose::inspect(&layer, pass);
    assert!(!has_unjudged(&report.findings) && !report.activations.is_empty(), "{report}");
    assert!(!has_unjudged(&watched(&mut layer, pass).findings()));
}

/// Tanh layers of N(0, 1) weights, each in a box of its own or not.
fn sick(recomputed: bool) -> Sequential {
    let rng = &mut rng();
    let mut model: Sequential = seq![];
    for width in [30, 100, 100] {
        let block: Sequential = seq![Linear::new(width, 100, &normal(1.0), rng).unwrap(), Activation::Tanh];
        match recomputed {
            true => model.0.push(Box::new(Recomputed::new(block))),
            false => model.0.push(Box::new(block)),
        }
    }
    model.0.push(Box::new(Linear::new(100, 5, &normal(0.01), rng).unwrap()));
    model
}

fn classes() -> Tensor<i64> {
    (0..64).map(|i| i * 7 % 5).collect()
}

#[test]
fn layers_that_are_computed_again_are_looked_into() {
    let look = |model: &Sequential| {
        diagnose::inspect(model, |model: &Sequential, tape| {
            model.forward(tape.constant(x([64, 30]))).cross_entropy(&classes())
        })
    };
    let (plain, again) = (look(&sick(false)), look(&sick(true)));
    assert!(plain.has(Fault::Saturation) && plain.activations.len() == 3, "{plain}");
    assert_eq!(format!("{again:?}"), format!("{plain:?}"));

    // On a tape of one's own, where they are not, that is said.
    let mut model = sick(true);
    let watch = watched(&mut model, |model, tape| model.forward(tape.constant(x([64, 30]))).cross_entropy(&classes()));
    let notes: Vec<_> = watch.findings().into_iter().filter(|finding| finding.fault == Fault::Unseen).collect();
    assert_eq!(notes.iter().map(|note| note.place.as_str()).collect::<Vec<_>>(), ["0.0", "1.0", "2.0"]);
    assert!(notes.iter().all(|note| note.severity == Severity::Note && note.message.contains("`recomputed`")));
    let plain =
        watched(&mut sick(false), |model, tape| model.forward(tape.constant(x([64, 30]))).cross_entropy(&classes()));
    assert!(plain.findings().iter().all(|finding| finding.fault != Fault::Unseen));
}

#[test]
fn a_start_by_data_reaches_layers_that_are_computed_again() {
    let tuned = |recomputed: bool| {
        let mut model = sick(recomputed);
        diagnose::lsuv(&mut model, diagnose::Lsuv::default(), &mut rng(), |model: &Sequential, tape| {
            model.forward(tape.constant(x([64, 30])))
        })
        .unwrap();
        diagnose::calibrate_output(&mut model, 0.01, |model: &Sequential, tape| {
            model.forward(tape.constant(x([64, 30]))).cross_entropy(&classes())
        })
        .unwrap();
        model.parameters().into_iter().map(|(_, param)| param.value().to_vec()).collect::<Vec<_>>()
    };
    let plain = tuned(false);
    assert_eq!(tuned(true), plain);
    let before: Vec<Vec<f32>> = sick(false).parameters().into_iter().map(|(_, param)| param.value().to_vec()).collect();
    assert_ne!(plain[2], before[2]);
}

#[test]
fn what_a_scope_computes_is_said_to_be_out_of_sight() {
    let model = sick(false);
    let report = diagnose::inspect(&model, |model: &Sequential, tape| {
        let h = tape.scope(|tape| model.0[0].forward(tape.constant(x([64, 30]))).value());
        let h = model.0[1].forward(tape.constant(h));
        model.0[3].forward(model.0[2].forward(h)).cross_entropy(&classes())
    });
    let note = report.findings.iter().find(|finding| finding.fault == Fault::Unseen).expect("it is said");
    assert_eq!((note.severity, &note.evidence), (Severity::Note, &Evidence::Scopes { count: 1 }));
    // A model that is well but for what nobody saw.
    let healthy: Sequential = seq![Linear::new(30, 5, &kaiming_normal(Gain::Linear), &mut rng()).unwrap()];
    let report = diagnose::inspect(&healthy, |model: &Sequential, tape| {
        let h = tape.scope(|tape| tape.constant(x([64, 30])).tanh().value());
        model.forward(tape.constant(h)).square().sum(..)
    });
    assert!(
        report.is_healthy() && report.verdict().starts_with("on an even keel, as far as it was looked into"),
        "{report}"
    );
}

#[test]
fn a_report_is_the_same_each_time() {
    struct Twice {
        one: Param,
        two: Param,
        head: Param,
    }
    module!(Twice { one, two, head });
    let square = |gain: f32| {
        let values = normal(1.0).init(&Shape::from([16, 16]), &mut rng()).unwrap();
        Param::new(values * (gain / 4.0))
    };
    // Two layers that are used twelve times each, whose gradients explode by 2 and by 3 with each use.
    let model = Twice { one: square(2.0), two: square(3.0), head: square(0.1) };
    let look = |model: &Twice| -> Report {
        Inspector::new().inspect(model, |model: &Twice, tape| {
            let mut h = tape.constant(x([32, 16]));
            for _ in 0..12 {
                h = h.matmul(model.one.on(tape)).layer_norm_of();
                h = h.matmul(model.two.on(tape));
            }
            h.matmul(model.head.on(tape)).square().mean(..)
        })
    };
    let first = format!("{:?}", look(&model).findings);
    for _ in 0..40 {
        assert_eq!(format!("{:?}", look(&model).findings), first);
    }
}

trait Normed {
    fn layer_norm_of(self) -> Self;
}

impl Normed for Var<'_> {
    /// A division by its own size, so that nothing overflows.
    fn layer_norm_of(self) -> Self {
        self * (self.square().mean(tensor::keepdim(..)) + 1e-6).rsqrt()
    }
}

#[test]
fn a_model_that_panics_with_other_weights_is_judged_by_its_own() {
    // It refuses a loss that is small, to which the cure would bring it.
    let model = Linear::new(100, 27, &normal(1.0), &mut rng()).unwrap();
    let targets: Tensor<i64> = (0..32).map(|i| i % 27).collect();
    let report = diagnose::inspect(&model, |model: &Linear, tape| {
        let loss = model.forward(tape.constant(x([32, 100]))).cross_entropy(&targets);
        assert!(loss.item() > 5.0, "too good to be true");
        loss
    });
    assert!(report.has(Fault::Loss), "{report}");
    let mut model = model;
    assert!(report.cure(&mut model).applied.is_empty());
}

/// Raw columns are accused, and a layer that scales them is the cure.
#[test]
fn a_model_that_scales_its_columns_is_not_accused_of_their_scale() {
    let columns = [(30.0, 10.0), (3.0, 2.0), (120.0, 30.0), (1e6, 2e5), (0.5, 0.3), (1998.0, 8.0)];
    let data = Tensor::from_fn([64, 6], |i| {
        let (mean, std) = columns[i[1]];
        let unit = (((i[0] * 37 + i[1] * 11) % 64) as f32 - 31.5) / 18.5;
        mean + std * unit
    });
    let labels = Tensor::from_fn([64], |i| (i[0] * 7 % 3) as i64);
    let report = |first: Option<Box<dyn Layer>>| {
        let rng = &mut rng();
        let mut model: Sequential = seq![];
        model.extend(first);
        model.push(Linear::new(6, 32, &kaiming_normal(Gain::Relu), rng).unwrap());
        model.push(Activation::Relu);
        model.push(Linear::new(32, 3, &normal(0.01), rng).unwrap());
        diagnose::inspect(&model, |m, tape| m.forward(tape.constant(data.clone())).cross_entropy(&labels))
    };
    let raw = report(None);
    assert!(raw.has(Fault::Data), "{raw}");
    assert!(raw.findings.iter().any(|finding| finding.remedy.contains("`nn::Standardize`")), "{raw}");
    for scaled in [
        report(Some(Box::new(Standardize::fit(&data).unwrap()))),
        report(Some(Box::new(MinMaxScale::fit(&data).unwrap()))),
    ] {
        assert!(scaled.findings.iter().all(|finding| finding.severity == Severity::Note), "{scaled}");
        assert!(!has_unjudged(&scaled.findings), "{scaled}");
    }
}
