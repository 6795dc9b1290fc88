//! The example `11_policy` balances its pole.

use crate::mlp::example;

#[test]
fn the_pole_stays_up() {
    // Not optimized, as a test builds it, a round takes 0.1 s.
    for seed in ["1", "2"] {
        let output = example("11_policy", &["--rounds", "25", "--seed", seed]);
        let text = String::from_utf8(output.stdout).expect("text");
        let lengths: Vec<f64> = text
            .lines()
            .map(|line| line.split_whitespace().nth(2).expect("a length").parse().expect("a number"))
            .collect();
        // Pushes by chance keep it up for 22 steps.
        let (first, last) = (lengths[0], lengths[lengths.len() - 3..].iter().copied().fold(0.0, f64::max));
        assert!(first < 60.0 && last > 300.0, "seed {seed}:\n{text}");
    }
}
