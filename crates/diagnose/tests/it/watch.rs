//! Watching a training.

use autograd::Tape;
use diagnose::{Direction, Fault, Watch};
use nn::{Module, Sgd};
use tensor::Tensor;

use crate::model::{Mlp, batch};

/// Trains for so many steps with a learning rate, and watches every tenth.
fn train(model: &mut Mlp, lr: f64, steps: usize) -> Watch {
    let (x, classes) = batch(64);
    let (mut sgd, mut tape, mut watch) = (Sgd::new(lr).unwrap(), Tape::new(), Watch::new().every(10));
    for _ in 0..steps {
        let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
        let gradients = loss.backward();
        watch.before_step(model, loss, &gradients);
        tape.reset();
        sgd.step(model, &gradients);
        watch.after_step(model);
    }
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
    let (mut sgd, mut tape) = (Sgd::new(0.1).unwrap(), Tape::new());
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
    assert_eq!((finding.figure, finding.place.as_str()), (50.0, "hidden"));
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
    assert_eq!((findings[0].fault, findings[0].figure, findings[0].place.as_str()), (Fault::NotFinite, 3.0, "output"));
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
