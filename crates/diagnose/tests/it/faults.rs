//! Models that are broken in one way, and what the report says of each; and models that are well.

use diagnose::{Action, Evidence, Fault, Inspector, Saturation, Severity};
use init::{Gain, kaiming_normal, normal, torch_linear, xavier_normal};
use nn::Module;
use tensor::Tensor;

use crate::model::{Mlp, Stack, batch, inspect, zero};

fn faults(report: &diagnose::Report) -> Vec<(Severity, Fault, &str)> {
    report.findings.iter().map(|f| (f.severity, f.fault, f.place.as_str())).collect()
}

#[test]
fn a_standard_normal_start_is_guilty_of_the_first_two_faults_and_of_nothing_else() {
    let report = inspect(&Mlp::original());
    let want = [(Severity::Warn, Fault::Loss, "output"), (Severity::Warn, Fault::Saturation, "hidden")];
    assert_eq!(faults(&report), want, "{report}");
    assert_eq!(report.findings.iter().map(|f| f.fault.classic()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(!report.is_healthy() && report.verdict().starts_with("not on an even keel: loss "));
    assert!(report.to_string().lines().all(|line| line.chars().count() <= 80), "{report}");
}

#[test]
fn each_fault_is_found_alone() {
    let report = inspect(&Mlp::new([0.18, 0.0], [1.0, 0.0]));
    assert_eq!(faults(&report), [(Severity::Warn, Fault::Loss, "output")], "{report}");
    let report = inspect(&Mlp::new([1.0, 0.0], [0.01, 0.0]));
    assert_eq!(faults(&report), [(Severity::Warn, Fault::Saturation, "hidden")], "{report}");
    // A bias alone is enough, and the cure is for the bias alone.
    let report = inspect(&Mlp::new([0.18, 0.0], [0.01, 3.0]));
    assert_eq!(faults(&report), [(Severity::Warn, Fault::Loss, "output")], "{report}");
    assert_eq!(report.findings[0].actions, [Action::Zero { parameter: "output.bias".into() }]);
}

#[test]
fn good_starts_are_let_alone() {
    for report in [inspect(&Mlp::kaiming()), inspect(&Mlp::new([0.2, 0.01], [0.01, 0.0]))] {
        assert!(report.findings.is_empty(), "{report}");
        assert!(report.verdict().starts_with("on an even keel: loss 3."), "{}", report.verdict());
    }
    for depth in [1, 2, 5, 10] {
        for gain in [Gain::Tanh, Gain::Linear] {
            let report = Stack::new(depth, &kaiming_normal(gain), |x| x.tanh()).inspect();
            assert!(report.findings.is_empty(), "tanh × {depth}, {gain:?}: {report}");
        }
        let report = Stack::new(depth, &xavier_normal(Gain::Tanh), |x| x.tanh()).inspect();
        assert!(report.findings.is_empty(), "tanh × {depth}: {report}");
        let report = Stack::new(depth, &kaiming_normal(Gain::Relu), |x| x.relu()).inspect();
        assert!(report.findings.is_empty(), "relu × {depth}: {report}");
        let report = Stack::new(depth, &kaiming_normal(Gain::Gelu), |x| x.gelu()).inspect();
        assert!(report.findings.is_empty(), "gelu × {depth}: {report}");
        // That linear layers in a row are one is worth a note.
        let report = Stack::new(depth, &kaiming_normal(Gain::Linear), |x| x).inspect();
        assert_eq!(faults(&report), [(Severity::Note, Fault::Linear, "layers.0")], "linear × {depth}: {report}");
    }
}

#[test]
fn a_signal_that_grows_or_fades_is_found_and_cured() {
    let layers = |weight: &dyn init::Initializer,
                  f: for<'t> fn(autograd::Var<'t>) -> autograd::Var<'t>,
                  grows: bool| {
        let mut model = Stack::new(6, weight, f);
        let report = model.inspect();
        let finding = report.findings.iter().find(|f| f.fault == Fault::Signal).unwrap_or_else(|| panic!("{report}"));
        assert_eq!(finding.place, "layers.0 … layers.5");
        let Evidence::SignalScale { factor, .. } = finding.evidence else { panic!("{finding:?}") };
        assert_eq!(factor > 1.0, grows, "{report}");
        // What the change of one layer has done to the next is a part of it.
        report.cure(&mut model);
        let report = model.inspect();
        assert!(report.is_healthy(), "{report}");
        assert!(report.cure(&mut model).applied.is_empty());
    };
    layers(&normal(1.0), |x| x.tanh(), true);
    layers(&normal(1.0), |x| x, true);
    layers(&normal(1.0), |x| x.relu(), true);
    layers(&normal(0.03), |x| x.tanh(), false);
    // PyTorch's default, std 1 / √(3 fan_in).
    layers(&torch_linear(), |x| x.relu(), false);
    layers(&torch_linear(), |x| x, false);
}

#[test]
fn gradients_that_vanish_are_told_from_those_that_explode() {
    let figure = |weight| {
        let report = Stack::new(6, &normal(weight), |x| x).inspect();
        let finding = report.findings.iter().find(|f| f.fault == Fault::Gradient).unwrap_or_else(|| panic!("{report}"));
        let Evidence::GradientScale { factor, .. } = finding.evidence else { panic!("{finding:?}") };
        factor
    };
    assert!((0.25..0.35).contains(&figure(0.03)));
    assert!((2.5..3.5).contains(&figure(0.3)));
}

#[test]
fn the_cure_brings_the_original_onto_an_even_keel() {
    let mut model = Mlp::original();
    let cure = inspect(&model).cure(&mut model);
    assert_eq!(cure.applied.len(), 4, "{cure}");
    assert!(cure.left.is_empty(), "{cure}");
    assert!(cure.to_string().contains("cured: hidden.weight × 0.1"), "{cure}");
    let report = inspect(&model);
    assert!(report.findings.is_empty(), "{report}");
    assert!((report.loss.value - 27_f64.ln()).abs() < 0.05, "{report}");
    assert!(report.activations[0].saturated < 0.1, "{report}");
    assert_eq!(inspect(&model).cure(&mut model).to_string(), "nothing to cure");
}

#[test]
fn all_zero_is_symmetric_and_a_zero_output_alone_is_not() {
    let mut model = Mlp::kaiming();
    for param in [&mut model.output.weight, model.output.bias.as_mut().unwrap()] {
        zero(param);
    }
    let report = inspect(&model);
    assert!(report.findings.is_empty(), "{report}");
    for param in [&mut model.hidden.weight, model.hidden.bias.as_mut().unwrap()] {
        zero(param);
    }
    let report = inspect(&model);
    assert_eq!(faults(&report), [(Severity::Error, Fault::Symmetry, "hidden.weight")], "{report}");
    assert!(report.findings[0].message.contains("hidden.weight, output.weight are all zero"), "{report}");
    // That needs a random stream, and so a human choice.
    assert!(report.cure(&mut model).applied.is_empty());
    // Alike, and not zero.
    *model.hidden.weight.value_mut() = Tensor::full([30, 200], 0.1);
    *model.output.weight.value_mut() = Tensor::from_fn([200, 27], |i| i[1] as f32 * 0.001);
    let report = inspect(&model);
    assert_eq!(faults(&report)[0], (Severity::Error, Fault::Symmetry, "hidden.weight"), "{report}");
}

#[test]
fn units_that_are_saturated_for_every_example_are_dead() {
    let mut model = Mlp::kaiming();
    *model.hidden.bias.as_mut().unwrap().value_mut() = Tensor::from_fn([200], |i| if i[0] < 40 { 20.0 } else { 0.0 });
    let report = inspect(&model);
    let dead = report.findings.iter().find(|f| f.fault == Fault::Dead).unwrap_or_else(|| panic!("{report}"));
    assert!(matches!(dead.evidence, Evidence::DeadUnits { dead: 40, units: 200, examples: 32, .. }), "{dead:?}");
    assert_eq!((dead.severity, report.activations[0].dead), (Severity::Warn, 40));
    let map = &report.activations[0].map;
    assert!((0..32).all(|example| map.row(example)[..40].iter().all(|&white| white)));
}

#[test]
fn thresholds_are_adjustable_and_an_op_of_ones_own_becomes_an_activation() {
    let (x, classes) = batch(32);
    let model = Mlp::original();
    let share = |most: f64| {
        let inspector = Inspector::new().with_saturation("tanh", Saturation::unless_output(-most..=most));
        let report =
            inspector.inspect(&model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&classes));
        report.activations[0].saturated
    };
    assert!(share(0.9) > share(0.97) && share(0.97) > share(0.99));
    let inspector = Inspector::new().with_saturation("square", Saturation::unless_output(0.0..=4.0));
    let report = inspector.inspect_graph(|tape| {
        let x = tape.leaf(Tensor::from([[1.0_f32, 3.0]]));
        let value = x.value();
        x.record("square", &value * &value).wrt(x, move |g| g * &value * 2.0).done().mean(..)
    });
    assert_eq!((report.activations[0].kind, report.activations[0].saturated), ("square", 0.5));
}

#[test]
fn an_inspection_changes_nothing_and_its_figures_repeat() {
    let model = Mlp::original();
    let before: Vec<Tensor> = model.parameters().iter().map(|(_, param)| param.value().clone()).collect();
    let (one, other) = (inspect(&model), inspect(&model));
    assert_eq!(one, other);
    assert!(model.parameters().iter().zip(&before).all(|((_, param), before)| param.value() == before));
}

#[test]
fn a_loss_that_the_caller_expects_takes_the_place_of_ln_c() {
    let (x, classes) = batch(32);
    let look = |inspector: Inspector| {
        inspector
            .inspect(&Mlp::kaiming(), |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&classes))
    };
    let report = look(Inspector::new().with_expected_loss(1.0));
    assert!(report.findings[0].message.starts_with("the first loss is 3."), "{report}");
    assert!(report.findings[0].message.ends_with(" times the 1.0000 expected"), "{report}");
    let report = look(Inspector::new().with_expected_loss(0.0));
    assert!(report.findings[0].message.ends_with(", not the 0.0000 expected"), "{report}");
    assert!(look(Inspector::new().with_expected_loss(5.0)).findings.is_empty());
    // After step 0, a model knows something.
    assert_eq!(look(Inspector::new().at_step(1).with_expected_loss(1.0)).loss.expected, None);
}
