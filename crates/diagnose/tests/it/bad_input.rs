//! What a report makes of models and batches that are not as they should be: never a panic, and no "NaN" for a figure.

use diagnose::{Direction, Fault, Severity};
use nn::{Layer, Linear, Param};
use tensor::Tensor;

use crate::model::{Mlp, batch, rng};

fn inspect(model: &Mlp, x: Tensor, classes: &Tensor<i64>) -> diagnose::Report {
    diagnose::inspect(model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(classes))
}

/// No figure in the text is NaN or infinity; sentences may speak of them.
fn assert_no_nan(report: &diagnose::Report) {
    let text = report.to_string();
    let tables = text.lines().filter(|line| !line.contains("give NaN") && !line.contains("the data hold NaN"));
    for line in tables {
        assert!(!line.contains("NaN") && !line.contains("inf "), "{line}\n{text}");
    }
}

#[test]
fn a_batch_of_one_is_said_to_tell_little() {
    let (x, classes) = batch(1);
    let report = inspect(&Mlp::kaiming(), x, &classes);
    assert_eq!(
        report.findings.iter().map(|f| (f.severity, f.fault)).collect::<Vec<_>>(),
        [(Severity::Note, Fault::Batch)]
    );
    assert!(report.is_healthy());
    assert_eq!(report.activations[0].dead, 0);
    assert_no_nan(&report);
    // With one unit too, there is nothing to deviate.
    let layer: Linear = Linear::new(3, 1, &init::normal(1.0), &mut rng()).unwrap();
    let report =
        diagnose::inspect(&layer, |layer, tape| layer.forward(tape.constant(Tensor::ones([1, 3]))).tanh().mean(..));
    assert!(report.activations[0].output.std.is_nan());
    assert_no_nan(&report);
}

#[test]
fn a_batch_without_examples_is_named_as_what_makes_the_loss_not_a_number() {
    let report = inspect(&Mlp::kaiming(), Tensor::zeros([0, 30]), &Tensor::zeros([0]));
    assert_eq!(report.findings[0].fault, Fault::NotFinite);
    assert_eq!(
        report.findings[0].message,
        "the batch has no examples: `cross_entropy` of [0, 27] is the first to give NaN"
    );
    assert_eq!(report.activations[0].output.count, 0);
    assert_no_nan(&report);
}

#[test]
fn a_nan_anywhere_is_found_with_the_op_that_made_it() {
    let (mut x, classes) = batch(32);
    x = x.map(|v| if v > 2.0 { f32::NAN } else { v });
    let report = inspect(&Mlp::kaiming(), x, &classes);
    let anomaly = report.anomaly.as_ref().unwrap();
    assert_eq!((anomaly.op, anomaly.direction), ("constant", Direction::Forward));
    assert_eq!(report.findings[0].fault, Fault::NotFinite);
    assert!(report.activations[0].output.non_finite > 0);
    assert_no_nan(&report);

    let mut model = Mlp::kaiming();
    *model.hidden.weight.value_mut() = Tensor::full([30, 200], 1e38);
    let (x, classes) = batch(32);
    let report = inspect(&model, x, &classes);
    let anomaly = report.anomaly.as_ref().unwrap();
    assert_eq!(
        (anomaly.op, anomaly.place.as_str(), &anomaly.inputs[..2]),
        ("linear", "hidden", &[vec![32, 30], vec![30, 200]][..])
    );
    assert_no_nan(&report);
}

#[test]
fn a_model_without_activations_or_parameters_has_a_report() {
    let w = Param::new(Tensor::from([[1.0_f32, 2.0]]));
    let report = diagnose::inspect(&w, |w, tape| w.on(tape).mean(..));
    assert!(report.activations.is_empty() && report.signal.is_empty() && report.findings.is_empty(), "{report}");
    assert_eq!(report.verdict(), "on an even keel: loss 1.5000, not judged");
    let how = "the first loss was not judged: Inspector::with_expected_loss says what to expect";
    assert_eq!(report.to_string().lines().nth(1), Some(how));
    let report = diagnose::inspect_graph(|tape| tape.constant(Tensor::from([2.0_f32])).mean(..));
    assert!(report.weights.is_empty() && report.has(Fault::Constant) && !report.is_healthy(), "{report}");
    assert_no_nan(&report);
}

#[test]
fn what_the_loss_does_not_depend_on_is_named() {
    let (x, classes) = batch(32);
    let model = vec![Mlp::kaiming(), Mlp::kaiming()];
    let report =
        diagnose::inspect(&model, |model, tape| model[0].forward(tape.constant(x.clone())).cross_entropy(&classes));
    let unused: Vec<&str> = report.findings.iter().map(|f| f.place.as_str()).collect();
    assert_eq!(unused, ["1.hidden.weight", "1.hidden.bias", "1.output.weight", "1.output.bias"], "{report}");
}

#[test]
fn scales_at_the_ends_of_the_floats_do_no_harm() {
    for scale in [1e-38, 1e-30, 1e15, 1e30] {
        let (x, classes) = batch(32);
        assert_no_nan(&inspect(&Mlp::kaiming(), x * scale, &classes));
        let model = Mlp::new([f64::from(scale), 0.0], [f64::from(scale), 0.0]);
        let (x, classes) = batch(32);
        let mut model = model;
        let report = inspect(&model, x, &classes);
        assert_no_nan(&report);
        report.cure(&mut model);
    }
}

#[test]
#[should_panic(expected = "backward: needs a value of one element, got [32, 27]")]
fn a_loss_of_many_elements_is_a_bug_at_the_callers_line() {
    let (x, _) = batch(32);
    diagnose::inspect(&Mlp::kaiming(), |model, tape| model.forward(tape.constant(x.clone())));
}
