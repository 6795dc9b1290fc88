//! A zoo of networks: half of them are well and must be let alone, half are sick and must be found out, with the place.

mod columns;
mod ends;
mod healthy;
mod images;
mod known;
mod nets;
mod sick;
mod signal;

use diagnose::{Report, Severity};
use init::{Gain, kaiming_normal, normal};
use nets::{Draw, Findings, Outcome, widths};
use nn::{Layer, Linear, Param};
use tensor::Tensor;

/// All that are well.
fn healthy() -> impl Iterator<Item = &'static healthy::Case> {
    [healthy::CASES, ends::HEALTHY, columns::HEALTHY, signal::HEALTHY, images::HEALTHY].into_iter().flatten()
}

/// All that are sick, with what is wrong.
fn sick() -> impl Iterator<Item = &'static sick::Case> {
    [sick::CASES, ends::SICK, columns::SICK, signal::SICK, images::SICK].into_iter().flatten()
}

/// Each network is drawn from so many seeds.
const SEEDS: u64 = 20;

#[test]
fn the_healthy_are_let_alone() {
    let mut wrong = Vec::new();
    for (name, look) in healthy() {
        for seed in 0..SEEDS {
            let outcome = look(&mut Draw::new(seed));
            assert!(outcome.report.to_string().lines().all(|line| line.chars().count() <= 80), "{}", outcome.report);
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
    for (name, look, want) in sick() {
        for seed in 0..SEEDS {
            let outcome = look(&mut Draw::new(seed));
            assert!(outcome.report.to_string().lines().all(|line| line.chars().count() <= 80), "{}", outcome.report);
            let got = outcome.findings();
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
    let healthy = healthy().map(|(name, look)| (name, look));
    for (name, look) in healthy.chain(sick().map(|(name, look, _)| (name, look))) {
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

/// A cure does what it says: fewer faults, no higher loss or a lower one after a short training, nothing more to do; and a word where something is left.
#[test]
fn a_cure_makes_nothing_worse_and_says_what_it_leaves() {
    let (mut healed, mut paid_off) = (0, 0);
    for (name, look, _) in sick() {
        for seed in 0..3 {
            let Outcome { report, cure, cured, again, trained } = look(&mut Draw::new(seed));
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
            // What was dead begins to guess: what that costs more at first, it costs less after a short training.
            let allowed = before.max(report.loss.expected.unwrap_or(f64::NEG_INFINITY));
            let dearer = after > allowed + 0.005 * allowed.abs();
            let pays_off = trained.is_some_and(|[as_it_was, cured]| cured < as_it_was);
            assert!(!dearer || pays_off, "{name}, {seed}: {before} → {after}, then {trained:?}\n{cure}");
            paid_off += usize::from(dearer);
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
    assert!(healed > 60 && paid_off > 0, "{healed} were healed, {paid_off} cost more at first");
}

#[test]
fn a_cure_lets_the_healthy_alone() {
    for (name, look) in healthy() {
        let Outcome { cure, .. } = look(&mut Draw::new(0));
        assert!(cure.applied.is_empty() && cure.left.is_empty(), "{name}: {cure}");
    }
}

/// The same network written in two ways has one verdict.
fn assert_alike(one: &Outcome, other: &Outcome) {
    let kinds = |outcome: &Outcome| -> Vec<_> {
        outcome.findings().into_iter().map(|(severity, fault, _)| (severity, fault)).collect()
    };
    assert_eq!(kinds(one), kinds(other), "{}\n{}", one.report, other.report);
}

#[test]
fn an_embedding_is_a_product_with_one_hot_rows() {
    for (weight, hidden) in [(1.0, 0.2), (1.0, 1.0), (1.0, 0.01)] {
        let look = |one_hot: bool| {
            let mut d = Draw::new(3);
            let mut net = d.stack(&[27, 32, 64, 64, 27], &normal(hidden), &normal(0.01));
            net.table = vec![d.table(27, 32, &normal(weight))];
            net.l[0] = Linear { weight: Param::new(net.table[0].weight.value().clone()), bias: None };
            let (x, y) = (d.y(64, 27), d.y(64, 27));
            let rows: Tensor =
                Tensor::from_fn([64, 27], |i| if x.get(&[i[0]]) == Some(i[1] as i64) { 1.0 } else { 0.0 });
            net.l[0].weight.set_frozen(!one_hot);
            net.table[0].weight.set_frozen(one_hot);
            d.look(net, |net, tape| {
                let h = if one_hot {
                    net.l[0].forward(tape.constant(rows.clone()))
                } else {
                    net.table[0].forward(tape, &x)
                };
                net.l[3].forward(net.l[2].forward(net.l[1].forward(h).tanh()).tanh()).cross_entropy(&y)
            })
        };
        assert_alike(&look(true), &look(false));
    }
}

/// A layer in other words.
fn by_parts<'t>(layer: &Linear, x: autograd::Var<'t>) -> autograd::Var<'t> {
    let bias = layer.bias.as_ref().expect("it has a bias").on(x.tape());
    (x.matmul(layer.weight.on(x.tape())) + bias).scale(1.0)
}

#[test]
fn a_layer_is_a_product_and_a_sum() {
    for gain in [0.1, 1.0, 3.5] {
        let look = |by_hand: bool| {
            let mut d = Draw::new(5);
            let net = d.stack(&widths(50, 6), &kaiming_normal(Gain::Custom(gain)), &normal(0.01));
            let (x, y) = (d.x([64, 50]), d.y(64, 10));
            d.look(net, |net, tape| {
                let (last, hidden) = net.l.split_last().unwrap();
                let layer = if by_hand { by_parts } else { Linear::forward };
                let h = hidden.iter().fold(tape.constant(x.clone()), |h, of| layer(of, h).tanh());
                layer(last, h).cross_entropy(&y)
            })
        };
        assert_alike(&look(true), &look(false));
    }
}

/// A gain that is accused at one depth is accused at every greater depth.
#[test]
fn deeper_is_not_better() {
    let gains = [0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.5];
    for (name, f) in [("linear", (|h| h) as for<'t> fn(autograd::Var<'t>) -> autograd::Var<'t>), ("tanh", |h| h.tanh())]
    {
        for gain in gains {
            let mut accused = None;
            for depth in [2, 3, 4, 6, 10, 20, 60, 120] {
                let mut d = Draw::new(2);
                let net = d.stack(&widths(50, depth), &kaiming_normal(Gain::Custom(gain)), &normal(0.01));
                let (x, y) = (d.x([64, 50]), d.y(64, 10));
                let report = d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), f).cross_entropy(&y)).report;
                let is_accused = report.findings.iter().any(|finding| finding.severity > Severity::Note);
                assert!(
                    is_accused || accused.is_none(),
                    "{name}, gain {gain}: at {accused:?}, not at {depth}\n{}",
                    report.verdict()
                );
                accused = accused.or(is_accused.then_some(depth));
            }
            let healthy = gain == 1.0 || name == "tanh" && gain == 1.5;
            assert!(healthy || accused.is_some(), "{name}, gain {gain}");
        }
    }
}

/// However long the sequence, a weight is one row, and a page stays small.
#[test]
fn a_weight_that_is_used_often_is_one_row() {
    let (_, look) = healthy::CASES.iter().find(|(name, _)| *name == "recurrent, 60 steps").expect("it is there");
    let report = look(&mut Draw::new(0)).report;
    let uses: Vec<usize> = report.signal.iter().map(|layer| layer.uses).collect();
    assert_eq!((report.activations.len(), report.activations[0].uses, uses), (1, 60, vec![60, 60, 1]), "{report}");
    let [least, most] = report.activations[0].saturated_range;
    assert!(least <= report.activations[0].saturated && report.activations[0].saturated <= most && least < most);
    assert!(report.to_string().lines().count() < 40, "{report}");
    assert_eq!(report.paths.len(), 1);
    #[cfg(feature = "html")]
    assert!(diagnose::Page::new("long").run("run", &report, None).to_html().len() < 100_000);
}

/// x·(W·c), (x·W)·c and (x·c)·W are one layer.
#[test]
fn a_factor_may_be_written_in_three_ways() {
    use signal::{Factor, factored};
    for (std, factor) in [(1.0, 0.16), (1.0, 0.5), (1.0, 0.02), (0.1, 3.0), (0.125, 1.0)] {
        for seed in 0..3 {
            let [weight, result, input] = [Factor::Weight, Factor::Result, Factor::Input]
                .map(|way| factored(&mut Draw::new(seed), 4, std, factor, way));
            assert_alike(&weight, &result);
            assert_alike(&result, &input);
            let changes = |outcome: &Outcome| outcome.cure.applied.len();
            assert_eq!([changes(&weight), changes(&input)], [changes(&result); 2], "{}", weight.cure);
        }
    }
}

/// The verdict on a table does not depend on the order of its columns, nor on where the odd one is.
#[test]
fn columns_may_stand_in_any_order() {
    for odd in [|z: f32| z, |z| 38.0 + 13.0 * z, |z| 5.0 + 0.3 * z, |z| if z > 1.8 { -999.0 } else { z }] {
        for seed in 0..3 {
            let [first, last] = [0, 7].map(|at| columns::with_odd(&mut Draw::new(seed), at, odd));
            let seen = |outcome: &Outcome| -> Vec<_> {
                outcome.findings().into_iter().map(|(severity, fault, _)| (severity, fault)).collect()
            };
            assert_eq!(seen(&first), seen(&last), "{}\n{}", first.report, last.report);
        }
    }
}

/// A fault of one end is the same whether there is another end beside it.
#[test]
fn of_two_heads_each_is_judged_by_itself() {
    let look = |both: bool| {
        let mut d = Draw::new(3);
        let mut net = d.stack(&[20, 64, 1], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.l.push(d.linear(64, 4, &normal(0.01)));
        let (x, y) = (d.x([64, 20]), d.y(64, 4));
        d.look(net, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone())).relu();
            let sick = net.l[1].forward(h).sigmoid().mse_loss(&(x.slice(1, 0..1).square() * 100.0 + 3.0));
            if both { sick + net.l[2].forward(h).cross_entropy(&y) } else { sick }
        })
    };
    for both in [false, true] {
        let findings = look(both).findings();
        let ends: Vec<_> = findings.iter().filter(|(_, fault, _)| *fault == diagnose::Fault::Output).collect();
        assert_eq!(ends, [&(Severity::Error, diagnose::Fault::Output, "l.1".to_owned())], "{findings:?}");
    }
}
