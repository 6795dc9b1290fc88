//! Examples that learn by chance and from sequences: a policy, an autoencoder, a text.

use std::fs;
use std::path::PathBuf;

use crate::mlp::example;

fn text_of(name: &str, args: &[&str]) -> String {
    let output = example(name, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_pole_stays_up() {
    // Not optimized, as a test builds it, a round takes 0.1 s.
    for seed in ["1", "2"] {
        let text = text_of("11_policy", &["--rounds", "25", "--seed", seed]);
        let lengths: Vec<f64> = text
            .lines()
            .map(|line| line.split_whitespace().nth(2).expect("a length").parse().expect("a number"))
            .collect();
        // Pushes by chance keep it up for 22 steps.
        let (first, last) = (lengths[0], lengths[lengths.len() - 3..].iter().copied().fold(0.0, f64::max));
        assert!(first < 60.0 && last > 300.0, "seed {seed}:\n{text}");
    }
}

/// The lowest loss on held-out rows, as a fit says it.
fn lowest(text: &str) -> f64 {
    let (_, loss) = text.split_once("was lowest, ").unwrap_or_else(|| panic!("{text}"));
    loss.split(", at").next().expect("a number").parse().expect("a number")
}

#[test]
fn pictures_cost_less_than_their_noise_and_come_of_noise() {
    let text = text_of("12_vae", &["--epochs", "1"]);
    // Of 784 pixels nothing is known at first, and each costs ln 2: 543 nats.
    assert!(lowest(&text) < 380.0, "{text}");
    let picture: Vec<&str> = text.lines().skip(1).collect();
    let ink = picture.concat().matches('#').count();
    assert!(picture.len() == 14 && (1..200).contains(&ink), "{text}");
}

#[test]
fn a_text_that_is_read_in_two_parts_is_written_on_as_in_one() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("characters");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().expect("text").to_owned();
    let (twice, once) = (file("twice.safetensors"), file("once.safetensors"));
    let run = |file: &str, steps| text_of("13_characters", &["--file", file, "--steps", steps, "--write", "40"]);
    run(&twice, "9");
    let (resumed, whole) = (run(&twice, "18"), run(&once, "18"));
    let written = |text: &str| text.lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(written(&resumed), written(&whole));
    assert_eq!(written(&whole).chars().count(), 40);
    // Of 27 characters that all were as probable, each would cost 3.3.
    assert!(lowest(&whole) < 3.15, "{whole}");
}
