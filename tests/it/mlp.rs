//! The example's command line, from outside.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// An example, which `cargo test` builds beside this test.
fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test has a path");
    let folder = own.parent().and_then(|deps| deps.parent()).expect("a test lies in target/PROFILE/deps");
    let path = folder.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: run the whole suite, which builds the examples", path.display());
    path
}

/// Runs an example.
pub(crate) fn example(name: &str, args: &[&str]) -> Output {
    Command::new(binary(name)).args(args).output().expect("the example starts")
}

pub(crate) fn mlp(args: &[&str]) -> Output {
    example("mlp", args)
}

/// The lines that it prints with `--json`, without what differs from run to run.
pub(crate) fn events(args: &[&str]) -> Vec<Value> {
    lines(&mlp(&[args, &["--json"]].concat()))
}

/// The JSON that a run has printed, line by line, without what differs from run to run.
pub(crate) fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let parse = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        for key in ["seconds", "us_per_step"] {
            if let Some(time) = event.as_object_mut().unwrap().remove(key) {
                assert!(time.as_f64().unwrap() >= 0.0);
            }
        }
        event
    };
    text.lines().map(parse).collect()
}

pub(crate) fn temporary(name: &str, contents: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("evenkeel-{}-{name}", std::process::id()));
    std::fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn events_come_in_order_and_the_same_seed_gives_the_same_output() {
    let args = ["--steps", "2000", "--samples", "5"];
    let first = events(&args);
    let kinds: Vec<&str> = first.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["init", "activation", "step", "step", "final", "sample", "sample", "sample", "sample", "sample"]
    );
    assert_eq!(first[0]["parameters"], 11_897);
    assert!((first[0]["loss"].as_f64().unwrap() - 27_f64.ln()).abs() < 0.1);
    let (early, late) = (first[2]["loss"].as_f64().unwrap(), first[3]["loss"].as_f64().unwrap());
    assert!(late < early && early < 3.0, "{early} then {late}");

    assert_eq!(first, events(&args));
    assert_eq!(first, events(&[&args[..], &["--threads", "3"]].concat()));
    assert_ne!(first, events(&[&args[..], &["--seed", "7"]].concat()));
}

#[test]
fn without_steps_there_is_a_start_and_an_end() {
    let events = events(&["--steps", "0"]);
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["init", "activation", "final"]);
    assert_eq!(events[2]["steps"], 0);
}

#[test]
fn the_number_of_steps_suits_the_built_in_list() {
    let events = events(&["--samples", "0"]);
    assert_eq!(events.last().unwrap()["steps"], 4000);
    let loss = events.last().unwrap()["val_loss"].as_f64().unwrap();
    assert!(loss < 2.55, "{loss}");
}

#[test]
fn every_scheme_starts_where_it_should() {
    let loss = |scheme| events(&["--steps", "0", "--init", scheme])[0]["loss"].as_f64().unwrap();
    assert!(loss("original") > 15.0);
    for scheme in ["softmax-fix", "tanh-fix", "kaiming", "batchnorm"] {
        assert!((loss(scheme) - 27_f64.ln()).abs() < 0.1, "{scheme}");
    }
}

#[test]
fn a_bad_start_is_found_and_said() {
    let events = events(&["--steps", "0", "--init", "original"]);
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["init", "activation", "finding", "finding", "final"]);
    assert!(events[0]["verdict"].as_str().unwrap().starts_with("not on an even keel: loss "));
    let places: Vec<&Value> = events[2..4].iter().map(|event| &event["place"]).collect();
    assert_eq!(places, ["output", "hidden"]);
    assert!(events[3]["remedy"].as_str().unwrap().contains("init::kaiming_normal(Gain::Tanh)"));
    let text = String::from_utf8(mlp(&["--steps", "0"]).stdout).unwrap();
    assert!(text.contains("\nverdict          on an even keel: loss 3."), "{text}");
}

#[test]
fn a_report_is_a_page_and_changes_nothing_of_the_run() {
    let path = temporary("mlp.html", b"");
    let args = ["--steps", "300", "--samples", "2"];
    assert_eq!(events(&[&args[..], &["--report", &path]].concat()), events(&args));
    let page = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for part in
        ["<figure class=\"card wide\" id=\"the-start-loss\">", "id=\"the-start-layers\"", ">update:data<", ">hidden <"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    // One learning rate and one histogram for each of the two layers, and one row.
    assert_eq!(page.matches("class=\"spread\"").count(), 2);
    assert_eq!(page.matches("class=\"scale\"").count(), 2);
}

#[test]
fn batch_normalization_learns_too() {
    let events = events(&["--init", "batchnorm", "--samples", "0"]);
    assert_eq!(events[0]["parameters"], 11_897 + 400);
    let loss = events.last().unwrap()["val_loss"].as_f64().unwrap();
    assert!(loss < 2.55, "{loss}");
}

#[test]
fn pytorchs_numbers_are_other_ones_and_the_same_each_time() {
    let args = ["--rng", "torch", "--steps", "1000", "--samples", "3"];
    let first = events(&args);
    assert_eq!(first, events(&[&args[..], &["--threads", "3"]].concat()));
    assert_ne!(first, events(&["--rng", "chacha", "--steps", "1000", "--samples", "3"]));
    assert_ne!(first, events(&[&args[..], &["--seed", "7"]].concat()));
}

#[test]
fn people_get_text() {
    let output = mlp(&["--steps", "1000", "--samples", "3"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("loss at step 0") && text.contains("ln 27 = 3.2958"), "{text}");
    assert!(text.contains("validation loss"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(text.lines().rev().take_while(|line| !line.is_empty()).count(), 3, "{text}");
}

#[test]
fn lists_as_people_write_them_are_accepted() {
    let names = "Anna\r\n\r\nBEN\r\ncarla\r\n dora \r\nemil\r\nfay\r\ngus\r\nhana\r\nivo\r\njan\r\n";
    let path = temporary("windows.txt", names.as_bytes());
    let events = events(&["--data", &path, "--steps", "0"]);
    let examples = ["train_examples", "val_examples", "test_examples"].map(|key| events[0][key].as_u64().unwrap());
    // One for each letter, and one for the end of each name.
    assert_eq!(examples.iter().sum::<u64>(), 36 + 10);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn names_come_from_standard_input_too() {
    use std::io::Write;
    use std::process::Stdio;
    let run = |names: &str| {
        let mut example = Command::new(binary("mlp"))
            .args(["--data", "-", "--steps", "0", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        example.stdin.take().unwrap().write_all(names.as_bytes()).unwrap();
        example.wait_with_output().unwrap()
    };
    let names = "anna\nben\ncarla\ndora\nemil\nfay\ngus\nhana\nivo\njan\n";
    let events = lines(&run(names));
    assert_eq!(events[0]["event"], "init");
    let end = events.last().unwrap();
    assert!(["train_loss", "val_loss", "test_loss"].iter().all(|key| end[key].as_f64().unwrap() > 0.0), "{end}");
    let refused = run("anna\n");
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains("standard input has 1 name, too few"), "{message}");
}

#[test]
fn bad_input_is_one_line_that_says_what_to_do() {
    let odd = temporary("odd.txt", "anna\nzoë\n".as_bytes());
    let empty = temporary("empty.txt", b"");
    let few = temporary("few.txt", b"anna\nben\n");
    let binary = temporary("binary.txt", b"anna\n\xff\xfe\n");
    let folder = std::env::temp_dir().to_str().unwrap().to_owned();
    let cases: [(&[&str], &[&str]); 18] = [
        (&["--data", "no/such/file.txt"], &["no/such/file.txt", "--data"]),
        (&["--data", &folder], &["cannot read"]),
        (&["--data", &empty], &["has 0 names", "at least 10"]),
        (&["--data", &few], &["has 2 names", "at least 10"]),
        (&["--data", &odd], &["line 2", "'ë'", "a-z"]),
        (&["--data", &binary], &["line 2", "UTF-8"]),
        (&["--steps", "-1"], &["--steps", "-1", "from 0"]),
        (&["--hidden", "0"], &["--hidden", "0", "from 1"]),
        (&["--hidden", "99999999999999999999"], &["--hidden", "to 65536"]),
        (&["--hidden", "65536", "--batch", "65536"], &["--hidden 65536", "GiB", "smaller"]),
        (&["--batch", "many"], &["--batch", "many", "whole number"]),
        (&["--lr", "nan"], &["--lr", "above 0"]),
        (&["--lr", "-0.1"], &["--lr", "-0.1", "above 0"]),
        (&["--threads", "0"], &["--threads", "from 1"]),
        (&["--init", "best"], &["best", "original", "softmax-fix", "tanh-fix", "kaiming", "batchnorm"]),
        (&["--init", "batchnorm", "--batch", "1"], &["batchnorm", "--batch of at least 2"]),
        (&["--rng", "dice"], &["dice", "chacha", "torch"]),
        (&["--layers", "3"], &["--layers", "--help"]),
    ];
    for (args, wanted) in cases {
        let output = mlp(args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(output.stdout.is_empty(), "{args:?} printed something");
        assert_eq!(message.lines().count(), 1, "{args:?}: {message}");
        for part in wanted {
            assert!(message.contains(part), "{args:?}: {part} is not in: {message}");
        }
    }
    for path in [odd, empty, few, binary] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_rate_that_blows_up_is_said_to() {
    // In the middle of training, and in its last step, which only the evaluation sees.
    for steps in ["1000", "1"] {
        let output = mlp(&["--lr", "1e38", "--steps", steps, "--json"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("learning rate") && message.contains("too high"), "{message}");
        assert!(!String::from_utf8(output.stdout).unwrap().contains("null"));
    }
}

/// A path of a test's own, where nothing is.
fn fresh(name: &str) -> String {
    let path = temporary(name, b"");
    std::fs::remove_file(&path).unwrap();
    path
}

#[test]
fn a_training_that_goes_on_in_another_process_comes_to_the_same_bits() {
    let [whole, part, rest, list] = ["whole", "part", "rest", "list"].map(|name| fresh(&format!("{name}.safetensors")));
    let names: String = ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}{a}\n"))).collect();
    std::fs::write(&list, names).unwrap();
    for (scheme, rng) in [("kaiming", "chacha"), ("batchnorm", "torch")] {
        let run = |args: &[&str]| {
            let output = mlp(&[args, &["--samples", "3"]].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let own = ["--data", &list, "--init", scheme, "--rng", rng, "--decay", "400", "--batch", "16", "--seed", "5"];
        let at_once = run(&[&own[..], &["--steps", "600", "--save", &whole]].concat());
        run(&[&own[..], &["--steps", "250", "--save", &part]].concat());
        // With the settings and the data of the file, and other threads.
        let text = run(&["--resume", &part, "--steps", "600", "--save", &rest, "--threads", "3"]);
        assert!(text.contains("resumed at       step 250"), "{text}");
        let bytes = [&whole, &rest].map(|path| std::fs::read(path).unwrap());
        assert!(bytes[0] == bytes[1], "{scheme}");
        let losses =
            |text: &str| text.lines().filter(|line| line.contains(" loss ")).map(String::from).collect::<Vec<_>>();
        assert_eq!(losses(&at_once), losses(&text));
        // A finished training makes no further step.
        run(&["--resume", &rest, "--steps", "600", "--save", &part]);
        assert!(std::fs::read(&part).unwrap() == bytes[0]);
        // The names of the model are those that were printed after the training.
        let names = run(&["--model", &whole, "--data", &list, "--seed", "5"]);
        assert!(at_once.ends_with(&names) && names.lines().count() == 3, "{names} of {at_once}");
    }
    let refused = |args: &[&str], wanted: &[&str]| {
        let before = std::fs::read(&part).unwrap();
        let output = mlp(args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(wanted.iter().all(|part| message.contains(part)), "{message}");
        assert!(std::fs::read(&part).unwrap() == before);
    };
    let seed = ["--resume", &part, "--steps", "700", "--save", &part, "--seed", "6", "--batch", "32"];
    refused(&seed, &["batch is 16 in the file, and 32 here; seed is 5 in the file, and 6 here", "--change"]);
    refused(&["--resume", &part, "--change", "--hidden", "30"], &["model.hidden.weight is [30, 200] in the file"]);
    refused(&["--resume", &list], &[&list, "this is text"]);
    refused(&["--model", &list], &["this is text"]);
    refused(&["--model", &part, "--steps", "3"], &["--steps"]);
    refused(&["--save", "/no/such/folder/x", "--steps", "1"], &["/no/such/folder/x"]);
    std::fs::write(&list, "anna\n".repeat(20)).unwrap();
    refused(&["--resume", &part, "--save", &part], &["names is \"676 names", "and \"20 names"]);
    std::fs::remove_file(&list).unwrap();
    refused(&["--resume", &part], &["cannot read", &list]);
    for path in [whole, part, rest] {
        std::fs::remove_file(path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_after_a_step_with_the_training_kept() {
    use std::process::Stdio;

    let path = fresh("interrupted.safetensors");
    for round in 0..3 {
        let go_on = ["--resume", &path];
        let args = ["--steps", "1000000", "--save", &path];
        let args = if round == 0 { args.to_vec() } else { [&args[..], &go_on[..]].concat() };
        let mut child =
            Command::new(binary("mlp")).args(args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400));
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let status = child.wait().unwrap();
        let mut message = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut message).unwrap();
        assert_eq!(status.code(), Some(130), "{message}");
        let step: u64 =
            message.split("stopped after step ").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
        let kept = evenkeel::nn::Loaded::peek(&path).unwrap();
        assert!(kept.step == step && step > 0, "{} in the file; {message}", kept.step);
    }
    std::fs::remove_file(path).unwrap();
}
