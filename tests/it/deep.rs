//! The example `deep`: signal and gradients in the lecture's deep network.

use serde_json::Value;

use crate::mlp::{example, lines};

fn deep(args: &[&str]) -> Vec<Value> {
    lines(&example("deep", &[args, &["--json"]].concat()))
}

/// The activations at a step, in their order.
fn activations(events: &[Value], step: u64) -> Vec<&Value> {
    events.iter().filter(|event| event["event"] == "activation" && event["step"] == step).collect()
}

fn figures(activations: &[&Value], key: &str) -> Vec<f64> {
    activations.iter().map(|a| a[key].as_f64().unwrap_or_else(|| panic!("{key} of {a}"))).collect()
}

#[test]
fn events_come_in_order_and_the_same_seed_gives_the_same_output() {
    let args = ["--layers", "2", "--hidden", "20", "--steps", "3"];
    let events = deep(&args);
    let kinds: Vec<(&str, u64)> =
        events.iter().map(|event| (event["event"].as_str().unwrap(), event["step"].as_u64().unwrap())).collect();
    let at = |step| [vec![("init", step); 1], vec![("activation", step); 2], vec![("weight", step); 7]].concat();
    assert_eq!(kinds, [at(0), at(3)].concat());
    let weight = events.iter().find(|event| event["name"] == "layers.0.linear.weight").unwrap();
    assert_eq!(weight["shape"], serde_json::json!([30, 20]));
    let (ratio, update) = (weight["grad_data_ratio"].as_f64().unwrap(), weight["update_data_log10"].as_f64().unwrap());
    assert!(((0.1 * ratio).log10() - update).abs() < 1e-5, "{weight}");
    // A bias of zeros has nothing to compare its update with.
    let bias = events.iter().find(|event| event["name"] == "layers.0.linear.bias").unwrap();
    assert!(bias["update_data_log10"].is_null() && bias["grad_std"].as_f64().unwrap() > 0.0, "{bias}");
    assert_eq!(events, deep(&args));
    assert_ne!(events, deep(&[&args[..], &["--seed", "7"]].concat()));
    // One step: before it, and what it is computed from.
    let events = deep(&["--layers", "1", "--steps", "1"]);
    assert_eq!([0, 1].map(|step| activations(&events, step).len()), [1, 1]);
}

#[test]
fn what_breaks_the_network_is_found_and_batch_normalization_does_not_mind() {
    let messages = |args: &[&str]| -> Vec<String> {
        let events = deep(args);
        let findings = events.iter().filter(|event| event["event"] == "finding" && event["severity"] != "note");
        findings.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
    };
    for good in
        [&[][..], &["--gain", "1"], &["--linear", "--gain", "1"], &["--batchnorm"], &["--batchnorm", "--no-fan-in"]]
    {
        assert_eq!(messages(good), [""; 0], "{good:?}");
    }
    let found = |args: &[&str], words: &str| {
        let messages = messages(args);
        assert!(messages.iter().any(|message| message.contains(words)), "{args:?}: {messages:?}");
    };
    found(&["--no-fan-in"], "each layer multiplies the signal by 1");
    found(&["--no-fan-in"], "are saturated (input std 1");
    found(&["--gain", "3"], "are saturated (input std");
    found(&["--gain", "0.5"], "the signal fades to ×0.4");
    found(&["--linear"], "the signal grows to ×1.6");
    found(&["--linear"], "the gradient explodes");
    found(&["--linear", "--gain", "0.5"], "the gradient vanishes");
}

#[test]
fn bad_arguments_are_refused_in_one_line() {
    for args in [&["--gain", "-1"][..], &["--layers", "0"], &["--hidden", "x"], &["--lr", "nan"], &["--no-such"]] {
        let output = example("deep", args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{args:?}: {stderr}");
    }
}

mod lecture {
    use super::{activations, deep, figures};
    use crate::lecture::{SEED, lecture_names};

    fn assert_within(what: &str, got: &[f64], want: &[f64], absolute: f64, relative: f64) {
        assert_eq!(got.len(), want.len(), "{what}");
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() <= absolute + relative * want.abs(), "{what}: {got}, not {want}");
        }
    }

    struct Want<'a> {
        loss: f64,
        std: &'a [f64],
        saturated: &'a [f64],
        gradient: &'a [f64],
    }

    /// Runs the example as the lecture does; the tolerances are those of the rounded figures.
    fn check(args: &[&str], step: u64, want: &Want<'_>) {
        let Some(names) = lecture_names() else { return };
        let run = ["--rng", "torch", "--seed", SEED, "--data", &names];
        let events = deep(&[&run, args].concat());
        let loss = events.iter().find(|event| event["event"] == "init" && event["step"] == step).unwrap();
        let at = activations(&events, step);
        let late = if step == 0 { 0.0 } else { 1.0 };
        assert_within("loss", &[loss["loss"].as_f64().unwrap()], &[want.loss], 1e-4 + 0.01 * late, 0.0);
        assert_within("std", &figures(&at, "std"), want.std, 0.006, 0.0);
        let percent: Vec<f64> = figures(&at, "saturated").iter().map(|share| 100.0 * share).collect();
        assert_within("saturated", &percent, want.saturated, 0.02 + 0.28 * late, 0.0);
        assert_within("grad_std", &figures(&at, "grad_std"), want.gradient, 0.0, 0.001 + 0.009 * late);
    }

    #[test]
    fn the_deep_net_starts_as_in_the_lecture() {
        let want = Want {
            loss: 3.2962,
            std: &[0.75, 0.69, 0.67, 0.66, 0.66],
            saturated: &[20.25, 8.38, 6.62, 5.47, 6.12],
            gradient: &[4.205_588e-4, 3.991_179e-4, 3.743_020e-4, 3.290_473e-4, 3.054_035e-4],
        };
        check(&[], 0, &want);
        let want = Want {
            loss: 3.2988,
            std: &[0.62, 0.48, 0.41, 0.35, 0.32],
            saturated: &[3.50, 0.03, 0.06, 0.00, 0.00],
            gradient: &[1.753_627e-4, 2.183_581e-4, 2.588_459e-4, 2.806_324e-4, 3.054_209e-4],
        };
        check(&["--gain", "1"], 0, &want);
    }

    #[test]
    fn the_deep_net_is_after_a_thousand_steps_as_in_the_lecture() {
        let want = Want {
            loss: 2.27,
            std: &[0.76, 0.72, 0.73, 0.73, 0.72],
            saturated: &[21.97, 11.00, 13.00, 13.34, 10.53],
            gradient: &[3.353_992e-3, 3.157_344e-3, 2.925_863e-3, 2.715_700e-3, 2.308_167e-3],
        };
        check(&["--steps", "1001"], 1001, &want);
    }
}
