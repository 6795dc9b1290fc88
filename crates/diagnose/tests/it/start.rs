//! Starts found with data.

use diagnose::{Lsuv, calibrate_output, lsuv};
use init::{Initializer, kaiming_normal, normal};
use nn::{BatchNorm1d, Error, Layer, Linear, Module};
use tensor::{Shape, Tensor};

use crate::model::{Mlp, Stack, batch, inspect, rng};

#[test]
fn lsuv_gives_every_layer_of_any_model_unit_variance() {
    let f: [for<'t> fn(autograd::Var<'t>) -> autograd::Var<'t>; 4] = [|x| x.tanh(), |x| x.relu(), |x| x.gelu(), |x| x];
    for f in f {
        let mut model = Stack::new(8, &normal(1.0), f);
        let tuned = lsuv(&mut model, Lsuv::default(), &mut rng(), |model, tape| model.forward(tape)).unwrap();
        assert_eq!(tuned.len(), 9);
        assert!(tuned.iter().all(|layer| (layer.variance - 1.0).abs() <= 0.02), "{tuned:?}");
        let report = model.inspect();
        assert!(report.signal.iter().all(|layer| (layer.std_out - 1.0).abs() < 0.02), "{report}");
    }
}

#[test]
fn lsuv_is_orthogonal_up_to_scale_and_repeats_its_bits() {
    let tuned = || {
        let mut model = Mlp::original();
        let (x, _) = batch(64);
        lsuv(&mut model, Lsuv::default(), &mut rng(), |model, tape| model.forward(tape.constant(x.clone()))).unwrap();
        model
    };
    let (one, other) = (tuned(), tuned());
    for ((_, a), (_, b)) in one.parameters().iter().zip(other.parameters()) {
        assert_eq!(a.value(), b.value());
    }
    let w = one.hidden.weight.value();
    let product = w.matmul(&w.t());
    let unit = &product / product.get(&[0, 0]).unwrap();
    let identity = Tensor::from_fn([30, 30], |i| if i[0] == i[1] { 1.0 } else { 0.0 });
    assert!(unit.allclose(&identity, 0.0, 1e-5));
    assert!(one.hidden.bias.unwrap().value().iter().all(|b| b == 0.0));
}

#[test]
fn the_bound_on_tries_holds_and_what_cannot_be_scaled_is_named() {
    let (x, _) = batch(64);
    let mut model = Mlp::original();
    let never = Lsuv { tolerance: 1e-12, tries: 2 };
    let tuned = lsuv(&mut model, never, &mut rng(), |model, tape| model.forward(tape.constant(x.clone()))).unwrap();
    assert!(tuned.iter().all(|layer| layer.scaled <= 2), "{tuned:?}");
    let mut run = |settings, x: Tensor| {
        lsuv(&mut model, settings, &mut rng(), |model, tape| model.forward(tape.constant(x.clone()))).unwrap_err()
    };
    assert_eq!(
        run(Lsuv { tolerance: 0.0, tries: 1 }, x.clone()),
        Error::Range { what: "the tolerance of a start", value: 0.0, rule: "above 0" }
    );
    let error = run(Lsuv::default(), Tensor::zeros([64, 30]));
    let flat = "the start cannot scale hidden.weight, whose output has a variance of ";
    assert_eq!(error.to_string(), format!("{flat}0, to a variance of 1"));
    assert!(run(Lsuv::default(), Tensor::full([64, 30], f32::NAN)).to_string().starts_with(flat));
    assert!(run(Lsuv::default(), Tensor::zeros([1, 30])).to_string().starts_with(flat));
    let none = lsuv(&mut model, Lsuv::default(), &mut rng(), |_, tape| tape.constant(Tensor::ones([2])).tanh());
    assert!(none.unwrap_err().to_string().starts_with("the start needs a linear layer"));
}

#[test]
fn the_output_is_calibrated_to_any_distance() {
    let (x, classes) = batch(32);
    for within in [0.5, 0.05, 1e-3, 1e-5] {
        let mut model = Mlp::original();
        let forward = |model: &Mlp, tape: &_| -> f32 {
            model.forward(autograd::Tape::constant(tape, x.clone())).cross_entropy(&classes).item()
        };
        let done = calibrate_output(&mut model, within, |model, tape| {
            model.forward(tape.constant(x.clone())).cross_entropy(&classes)
        });
        let done = done.unwrap();
        assert!((done.loss - 27_f64.ln()).abs() <= within && done.factor < 0.5, "{done:?}");
        assert_eq!(done.parameters, ["output.weight", "output.bias"]);
        let tape = autograd::Tape::new();
        assert_eq!(f64::from(forward(&model, &tape)), done.loss);
    }
    // What is near enough is left alone.
    let mut model = Mlp::kaiming();
    let before = model.output.weight.value().clone();
    let done = calibrate_output(&mut model, 0.05, |model, tape| {
        model.forward(tape.constant(x.clone())).cross_entropy(&classes)
    });
    assert_eq!((done.unwrap().factor, model.output.weight.value()), (1.0, &before));
    assert!(inspect(&model).is_healthy());
}

#[test]
fn an_output_behind_a_normalization_is_calibrated_by_that() {
    struct Normed {
        output: Linear,
        norm: BatchNorm1d,
    }
    nn::module!(Normed { output, norm });
    let output = Linear::new(30, 27, &kaiming_normal(init::Gain::Linear), &mut rng()).unwrap();
    let mut model = Normed { output, norm: BatchNorm1d::new(27) };
    let (x, classes) = batch(32);
    let done = calibrate_output(&mut model, 0.02, |model, tape| {
        model.norm.forward(model.output.forward(tape.constant(x.clone()))).cross_entropy(&classes)
    });
    assert_eq!(done.unwrap().parameters, ["norm.weight", "norm.bias"]);
}

#[test]
fn what_is_no_classifier_is_refused() {
    let (x, classes) = batch(32);
    let mut model = Mlp::original();
    let error = calibrate_output(&mut model, 0.05, |model, tape| model.forward(tape.constant(x.clone())).mean(..));
    assert!(error.unwrap_err().to_string().contains("one classifier's loss"));
    let error = calibrate_output(&mut model, f64::NAN, |model, tape| model.forward(tape.constant(x.clone())).mean(..));
    assert!(matches!(error, Err(Error::Range { .. })));
    let logits: Tensor = normal(1.0).init(&Shape::from([32, 27]), &mut rng()).unwrap();
    let error = calibrate_output(&mut model, 0.05, |_, tape| tape.leaf(logits.clone()).cross_entropy(&classes));
    assert!(error.unwrap_err().to_string().starts_with("the start needs a linear layer"));
    let error = calibrate_output(&mut model, 0.05, |model, tape| {
        model.forward(tape.constant(x.map(|_| f32::NAN))).cross_entropy(&classes)
    });
    assert!(error.unwrap_err().to_string().starts_with("the start leaves the loss at"));
}

#[test]
fn a_bias_of_log_frequencies_is_kept() {
    let (x, _) = batch(256);
    let classes = Tensor::from_fn([256], |i| i64::from(i[0] % 10 == 0));
    let look = |model: &Linear| {
        let tape = autograd::Tape::new();
        let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
        f64::from(loss.item())
    };
    for std in [0.0, 0.01, 1.0] {
        let mut model: Linear = Linear::new(30, 2, &normal(std), &mut rng()).unwrap();
        let bias = Tensor::from([0.9_f32.ln(), 0.1_f32.ln()]);
        *model.bias.as_mut().unwrap().value_mut() = bias.clone();
        let done = calibrate_output(&mut model, 0.02, |model: &Linear, tape| {
            model.forward(tape.constant(x.clone())).cross_entropy(&classes)
        });
        // The entropy of a tenth is 0.325.
        assert!((look(&model) - 0.325).abs() < 0.025, "{std}: {}", look(&model));
        assert_eq!((done.unwrap().parameters, model.bias.unwrap().value()), (vec!["weight".to_owned()], &bias));
    }
}
