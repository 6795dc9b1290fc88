//! The example `deep`: signal and gradients in the lecture's deep network.

use serde_json::Value;

use crate::mlp::{example, lines, temporary};

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

#[test]
fn a_page_of_start_and_end_is_written_and_a_path_that_cannot_be_is_refused() {
    let path = temporary("deep.html", b"");
    let events = deep(&["--layers", "2", "--hidden", "20", "--steps", "3", "--report", &path]);
    let page = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(page.contains("after 3 steps") && page.contains("id=\"the-start-loss\""));
    assert_eq!(events, deep(&["--layers", "2", "--hidden", "20", "--steps", "3"]), "what is printed is the same");
    for name in ["deep", "mlp", "three_faults"] {
        let output = example(name, &["--report", "/no/such/folder/page.html"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{name}: {stderr}");
        assert!(stderr.starts_with("error: cannot write /no/such/folder/page.html: "), "{name}: {stderr}");
    }
}

#[test]
fn three_faults_are_found_cured_and_drawn() {
    let path = temporary("three_faults.html", b"");
    let output = example("three_faults", &["--report", &path]);
    let text = String::from_utf8(output.stdout).unwrap();
    let page = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for (name, fault) in [("confidently wrong", "loss "), ("saturated", "6"), ("growing", "8")] {
        assert!(text.contains(&format!("{name}: not on an even keel: {fault}")), "{text}");
        assert!(text.contains(&format!("{name}: on an even keel: loss 3.")), "{text}");
        assert!(page.contains(&format!("<h2>{name}: before</h2>")));
    }
    // The table at the end: what was too much is less.
    let rows: Vec<Vec<f64>> = text
        .lines()
        .rev()
        .take(3)
        .map(|row| row.split_whitespace().filter_map(|word| word.parse().ok()).collect())
        .collect();
    assert!(rows.iter().all(|row| row.len() == 2 && row[0] > 3.0 * row[1]), "{text}");
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
        assert_within("loss", &[loss["loss"].as_f64().unwrap()], &[want.loss], 2e-4 + 0.01 * late, 0.0);
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

    /// Other gains, no division by √fan_in, no tanh, batch normalization: figures by a program of PyTorch's that draws the
    /// same numbers.
    #[test]
    fn other_networks_start_as_pytorchs() {
        struct Case<'a> {
            args: &'a [&'a str],
            std: [f64; 5],
            saturated: [f64; 5],
            gradient: [f64; 5],
            loss: f64,
        }
        const NONE: [f64; 5] = [0.0; 5];
        let normed = ([0.63352, 0.64628, 0.64197, 0.64366, 0.64052], [3.7813, 2.625, 2.7812, 2.9063, 3.0313]);
        let cases = [
            Case {
                args: &["--gain", "0.5"],
                loss: 3.295_966,
                std: [0.41022, 0.19535, 0.09939, 0.04783, 0.02449],
                saturated: NONE,
                gradient: [1.892_402e-5, 3.943_546e-5, 8.035_369e-5, 1.561_152e-4, 3.053_498e-4],
            },
            Case {
                args: &["--gain", "3"],
                loss: 3.280_081,
                std: [0.85341, 0.83752, 0.8433, 0.84335, 0.84466],
                saturated: [47.6562, 40.4687, 42.375, 42.0, 42.4062],
                gradient: [9.977_49e-4, 7.421_207e-4, 5.569_782e-4, 3.952_166e-4, 3.051_525e-4],
            },
            Case {
                args: &["--no-fan-in"],
                loss: 3.756_056,
                std: [0.95142, 0.97521, 0.97824, 0.97604, 0.97819],
                saturated: [80.6562, 89.0938, 89.8438, 90.4063, 91.2188],
                gradient: [0.270_285_7, 0.069_346_82, 0.022_471_02, 0.008_674_273, 0.003_139_52],
            },
            Case {
                args: &["--linear"],
                loss: 4.023_984,
                std: [1.64889, 2.72306, 4.67267, 7.49548, 12.78071],
                saturated: NONE,
                gradient: [2.619_185e-3, 1.583_188e-3, 9.519_162e-4, 5.457_934e-4, 3.161_244e-4],
            },
            Case {
                args: &["--linear", "--gain", "1"],
                loss: 3.301_873,
                std: [0.98933, 0.9803, 1.0093, 0.97141, 0.99383],
                saturated: NONE,
                gradient: [3.190_493e-4, 3.204_01e-4, 3.229_072e-4, 3.127_774e-4, 3.055_15e-4],
            },
            Case {
                args: &["--batchnorm"],
                loss: 3.286_814,
                std: normed.0,
                saturated: normed.1,
                gradient: [9.157_009e-4, 7.559_153e-4, 6.755_129e-4, 5.575_613e-4, 4.849_81e-4],
            },
            Case {
                args: &["--batchnorm", "--no-fan-in"],
                loss: 3.286_814,
                std: normed.0,
                saturated: normed.1,
                gradient: [9.157_208e-4, 7.559_289e-4, 6.755_242e-4, 5.575_698e-4, 4.849_875e-4],
            },
        ];
        for Case { args, loss, std, saturated, gradient } in cases {
            check(args, 0, &Want { loss, std: &std, saturated: &saturated, gradient: &gradient });
        }
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
