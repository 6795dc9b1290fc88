//! A zoo of networks: half of them are well and must be let alone, half are sick and must be found out, with the place.

mod healthy;
mod nets;
mod sick;

use diagnose::{Report, Severity};
use nets::{Draw, Findings, Outcome};

/// Each network is drawn from so many seeds.
const SEEDS: u64 = 20;

#[test]
fn the_healthy_are_let_alone() {
    let mut wrong = Vec::new();
    for (name, look) in healthy::CASES {
        for seed in 0..SEEDS {
            let outcome = look(&mut Draw::new(seed));
            if !outcome.report.is_healthy() {
                wrong.push(format!("{name}, seed {seed}: {:?}\n{}", outcome.findings(), outcome.report.verdict()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_sick_are_found_out_with_the_place() {
    let mut wrong = Vec::new();
    for (name, look, want) in sick::CASES {
        for seed in 0..SEEDS {
            let got = look(&mut Draw::new(seed)).findings();
            let got: Vec<_> = got.iter().map(|(severity, fault, place)| (*severity, *fault, place.as_str())).collect();
            if got != *want {
                wrong.push(format!("{name}, seed {seed}: {got:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// What a verdict must not depend on: the order of the examples, and what else is on the tape.
#[test]
fn the_verdict_is_that_of_the_network() {
    let healthy = healthy::CASES.iter().map(|(name, look)| (name, look));
    for (name, look) in healthy.chain(sick::CASES.iter().map(|(name, look, _)| (name, look))) {
        let seen = |change: fn(&mut Draw)| {
            let mut draw = Draw::new(1);
            change(&mut draw);
            look(&mut draw).findings()
        };
        let want = seen(|_| ());
        assert_eq!(seen(|draw| draw.reversed = true), want, "{name}, in another order");
        // What has no name is called by its place on the tape.
        let named = |findings: Findings| -> Vec<_> {
            findings.into_iter().map(|(severity, fault, _)| (severity, fault)).collect()
        };
        assert_eq!(named(seen(|draw| draw.unrelated = true)), named(want), "{name}, with unrelated values");
    }
}

/// A cure does what it says: fewer faults, no higher loss, nothing more to do; and a word where something is left.
#[test]
fn a_cure_makes_nothing_worse_and_says_what_it_leaves() {
    let mut healed = 0;
    for (name, look, _) in sick::CASES {
        for seed in 0..3 {
            let Outcome { report, cure, cured, again } = look(&mut Draw::new(seed));
            let harm = |report: &Report| {
                let count = |least| report.findings.iter().filter(|finding| finding.severity >= least).count();
                (count(Severity::Error), count(Severity::Warn))
            };
            let (before, after) = (report.loss.compared, cured.loss.compared);
            assert!(harm(&cured) <= harm(&report), "{name}, {seed}: {report}\n{cure}\n{cured}");
            assert!(
                cure.applied.is_empty() || harm(&cured) < harm(&report),
                "{name}, {seed}: {report}\n{cure}\n{cured}"
            );
            // What was dead begins to guess.
            let allowed = before.max(report.loss.expected.unwrap_or(f64::NEG_INFINITY));
            let dearer = after > allowed + 0.005 * allowed.abs();
            assert!(!dearer, "{name}, {seed}: {before} → {after}\n{cure}");
            assert!(again.applied.is_empty(), "{name}, {seed}: {cure}, and then {again}\n{cured}");
            assert_eq!(cured.is_healthy(), cure.left.is_empty(), "{name}, {seed}: {cure}\n{cured}");
            assert_eq!(
                report.findings.iter().all(|finding| finding.actions.is_empty()),
                cure.applied.is_empty(),
                "{name}"
            );
            healed += usize::from(cured.is_healthy());
        }
    }
    assert!(healed > 60, "{healed} were healed");
}

#[test]
fn a_cure_lets_the_healthy_alone() {
    for (name, look) in healthy::CASES {
        let Outcome { cure, .. } = look(&mut Draw::new(0));
        assert!(cure.applied.is_empty() && cure.left.is_empty(), "{name}: {cure}");
    }
}
