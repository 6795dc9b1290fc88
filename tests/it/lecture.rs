//! The figures of the lecture, on its own data.
//!
//! The data is not part of the project: these tests run where the environment variable `EVENKEEL_NAMES` names the
//! lecture's file of 32,033 names, and pass over it elsewhere.

use serde_json::Value;

use crate::mlp::events;

/// The lecture's file of names, if it is here.
pub(crate) fn lecture_names() -> Option<String> {
    let path = std::env::var("EVENKEEL_NAMES").ok();
    if path.is_none() {
        println!("skipped: EVENKEEL_NAMES does not name the lecture's file");
    }
    path
}

/// What the lecture's notebook prints, which draws all its numbers from one generator of PyTorch's.
fn as_in_the_lecture(scheme: &str, seed: &str, more: &[&str]) -> Option<Vec<Value>> {
    let names = lecture_names()?;
    let run = ["--rng", "torch", "--seed", seed, "--data", &names, "--init", scheme, "--samples", "0"];
    Some(events(&[&run, more].concat()))
}

pub(crate) const SEED: &str = "2147483647";

#[test]
fn the_loss_at_step_0_is_the_lectures() {
    for (scheme, want) in [
        ("original", 27.8817),
        ("softmax-fix", 3.3221),
        ("tanh-fix", 3.3135),
        ("kaiming", 3.3179),
        ("batchnorm", 3.3147),
    ] {
        let Some(events) = as_in_the_lecture(scheme, SEED, &["--steps", "0"]) else { return };
        let loss = events[0]["loss"].as_f64().unwrap();
        assert!((loss - want).abs() < 2e-4, "{scheme}: {loss}");
    }
}

/// Other sizes, seeds and scalings of the same draws, by a program of PyTorch's; a tensor of less than 16 numbers is drawn
/// otherwise.
#[test]
fn the_loss_at_step_0_is_pytorchs_for_other_models() {
    for (sizes, seed, want) in [
        (["8", "10", "3", "32"], "1", [7.622098, 3.297997, 3.298877, 3.298759, 3.296528]),
        (["13", "3", "2", "7"], "5", [5.046577, 3.283372, 3.288373, 3.282908, 3.279794]),
        (["333", "17", "8", "100"], "9", [44.228195, 3.338162, 3.329821, 3.325366, 3.280698]),
    ] {
        for (scheme, want) in ["original", "softmax-fix", "tanh-fix", "kaiming", "batchnorm"].into_iter().zip(want) {
            let [hidden, embedding, context, batch] = sizes;
            let model = ["--hidden", hidden, "--embedding", embedding, "--context", context, "--batch", batch];
            let more = [&model[..], &["--steps", "0"]].concat();
            let Some(events) = as_in_the_lecture(scheme, seed, &more) else { return };
            let loss = events[0]["loss"].as_f64().unwrap();
            assert!((loss - want).abs() < 1e-6 * want.max(10.0), "{scheme}, {sizes:?}: {loss}, not {want}");
        }
    }
}

/// The hidden layer before training, and what is found fault with.
#[test]
fn the_hidden_layer_starts_as_in_the_lecture() {
    for (scheme, input_std, std, saturated, faults) in [
        ("original", 5.181, 0.918, 60.95, &["output", "hidden"][..]),
        ("softmax-fix", 5.181, 0.918, 60.95, &["hidden"]),
        ("tanh-fix", 1.002, 0.627, 0.98, &[]),
        ("kaiming", 1.524, 0.738, 8.14, &[]),
    ] {
        let Some(events) = as_in_the_lecture(scheme, SEED, &["--steps", "0"]) else { return };
        let hidden = events.iter().find(|event| event["event"] == "activation").unwrap();
        let figure = |key: &str| hidden[key].as_f64().unwrap();
        assert!((figure("input_std") - input_std).abs() < 0.006, "{scheme}: {hidden}");
        assert!((figure("std") - std).abs() < 0.006, "{scheme}: {hidden}");
        assert!((100.0 * figure("saturated") - saturated).abs() < 0.02, "{scheme}: {hidden}");
        assert_eq!(hidden["dead"], 0, "{scheme}");
        let found: Vec<&Value> =
            events.iter().filter(|event| event["event"] == "finding").map(|event| &event["place"]).collect();
        assert_eq!(found, faults, "{scheme}");
    }
}

/// The lecture's model as it is first drawn, cured by the report.
#[test]
fn the_cure_brings_the_lectures_original_onto_an_even_keel() {
    use evenkeel::init::torch::{Generator, PythonRandom};
    use evenkeel::prelude::*;

    use crate::example::data::{Split, names};

    struct Original {
        embedding: Embedding,
        hidden: Linear,
        output: Linear,
    }
    module!(Original { embedding, hidden, output });

    let Some(path) = lecture_names() else { return };
    let mut names = names(Some(path.as_ref())).unwrap();
    PythonRandom::seed(42).shuffle(&mut names);
    let split = Split::new(&names, 3);
    let mut g = Generator::manual_seed(2_147_483_647);
    let mut randn = |dims: &[usize]| Param::new(g.randn(Shape::try_new(dims).unwrap()).unwrap());
    let embedding = Embedding::of(randn(&[27, 10]));
    let hidden = Linear { weight: randn(&[30, 200]), bias: Some(randn(&[200])) };
    let output = Linear { weight: randn(&[200, 27]), bias: Some(randn(&[27])) };
    let mut model = Original { embedding, hidden, output };
    let batch: Tensor<i64> = g.randint(0, split.train.len() as i64, [32]).unwrap();
    let (contexts, next) = split.train.batch(&batch.iter().map(|i| i as usize).collect::<Vec<_>>());
    let look = |model: &Original| {
        diagnose::inspect(model, |model, tape| {
            let x = model.embedding.forward(tape, &contexts).flatten(1);
            model.output.forward(model.hidden.forward(x).tanh()).cross_entropy(&next)
        })
    };
    let before = look(&model);
    assert!((before.loss.value - 27.8817).abs() < 2e-4, "{before}");
    let faults: Vec<(Option<u8>, &str)> =
        before.findings.iter().map(|f| (f.fault.classic(), f.place.as_str())).collect();
    assert_eq!(faults, [(Some(1), "output"), (Some(2), "hidden")], "{before}");
    assert_eq!(before.activations[0].dead, 0);
    before.cure(&mut model);
    let after = look(&model);
    assert!(after.findings.is_empty(), "{after}");
    assert!((after.loss.value - 27_f64.ln()).abs() < 0.05, "{after}");
    assert!(after.activations[0].saturated < 0.1, "{after}");
}

/// The losses after 200,000 steps. One test each, so that they run side by side.
fn ends_as_in_the_lecture(scheme: &str, train: f64, validation: f64) {
    let Some(events) = as_in_the_lecture(scheme, SEED, &[]) else { return };
    let end = events.last().unwrap();
    assert_eq!(end["steps"], 200_000);
    for (key, want) in [("train_loss", train), ("val_loss", validation)] {
        let loss = end[key].as_f64().unwrap();
        assert!((loss - want).abs() < 0.004, "{scheme}: {key} is {loss}, not {want}");
    }
}

#[test]
fn softmax_fix_ends_as_in_the_lecture() {
    ends_as_in_the_lecture("softmax-fix", 2.0696, 2.1311);
}

#[test]
fn tanh_fix_ends_as_in_the_lecture() {
    ends_as_in_the_lecture("tanh-fix", 2.035_60, 2.102_68);
}

#[test]
fn kaiming_ends_as_in_the_lecture() {
    ends_as_in_the_lecture("kaiming", 2.037_66, 2.106_99);
}

#[test]
fn batchnorm_ends_as_in_the_lecture() {
    ends_as_in_the_lecture("batchnorm", 2.066_83, 2.104_84);
}

#[test]
fn evenkeels_own_numbers_lead_to_about_the_same_loss() {
    let Some(names) = lecture_names() else { return };
    let events = events(&["--data", &names]);
    let (init, end) = (&events[0], events.iter().find(|event| event["event"] == "final").unwrap());
    let counts =
        ["parameters", "train_examples", "val_examples", "test_examples"].map(|key| init[key].as_u64().unwrap());
    assert_eq!((counts[0], counts[1..].iter().sum::<u64>()), (11_897, 228_146));
    assert!((init["loss"].as_f64().unwrap() - 3.2958).abs() < 0.1, "{init}");
    assert_eq!(end["steps"], 200_000);
    assert!((end["val_loss"].as_f64().unwrap() - 2.107).abs() < 0.02, "{end}");
}
