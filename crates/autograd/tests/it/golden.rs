//! Every op of the table against PyTorch's, whose numbers `tests/golden/ops.py` has written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use autograd::{Tape, Var};
use tensor::{Activation, Shape, Tensor, npy};

use crate::table::{Row, rows};

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// What draws, draws other numbers in PyTorch.
const WITHOUT: [&str; 7] =
    ["dropout", "dropout_channels", "attention: bias and dropout", "randn", "uniform", "bernoulli", "multinomial"];

/// Cases of so many numbers at most: the file is a part of the sources.
const MOST: usize = 64;

fn words(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// The cases of the table that the script is to write, one a line.
fn wanted(rows: &[Row<f32>]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        let is_small = |shapes: &&&[&[usize]]| {
            // PyTorch has no masks, targets or statistics of nothing.
            shapes.iter().all(|dims| dims.iter().product::<usize>() <= MOST && !dims.contains(&0))
        };
        for shapes in row.shapes.iter().filter(is_small) {
            let domains: Vec<String> = row.domains.iter().map(|domain| format!("{domain:?}")).collect();
            let shapes: Vec<String> = shapes.iter().map(|dims| words(dims)).collect();
            lines.push([row.name.clone(), domains.join(" "), shapes.join(";")].join("\t"));
        }
    }
    lines
}

/// PyTorch's relative tolerance for f32, here relative to the largest of all: a sum that nearly cancels is as wrong as its terms. And
/// what 1 loses by rounding, since small slopes, such as 1 − y², are computed from it: its absolute tolerance is 1e-5.
const TOLERANCE: f32 = 1.3e-6;

/// Where it is wider, and why.
fn tolerance(row: &str) -> f32 {
    match row {
        // Two inputs are used twice here, and what comes back by both ways nearly cancels.
        "batch_norm_by" => 30.0 * TOLERANCE,
        // PyTorch takes the sum of 1 and a tanh near −1.
        "gelu_tanh: far" => 10.0 * TOLERANCE,
        _ => TOLERANCE,
    }
}

fn close(got: &Tensor, want: &Tensor, tolerance: f32) -> bool {
    let largest = want.iter().filter(|x| x.is_finite()).fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let is_near = |(got, want): (f32, f32)| {
        got == want || got.is_nan() && want.is_nan() || (got - want).abs() <= tolerance * largest + f32::EPSILON
    };
    got.shape() == want.shape() && got.iter().zip(want.iter()).all(is_near)
}

struct Case {
    name: String,
    inputs: Vec<Tensor>,
    output: Tensor,
    seed: Tensor,
    /// None of what has none.
    gradients: Vec<Option<Tensor>>,
}

fn cases(file: &str) -> Vec<Case> {
    let numbers = npy::read::<f32>(path(&format!("{file}.npy"))).unwrap();
    let mut at = 0;
    let mut take = |shape: &str| {
        let dims: Vec<usize> =
            shape.split(',').filter(|size| !size.is_empty()).map(|size| size.parse().unwrap()).collect();
        let shape = Shape::from(&dims[..]);
        at += shape.numel();
        numbers.narrow(0, at - shape.numel(), shape.numel()).reshape(&shape)
    };
    let text = fs::read_to_string(path(&format!("{file}.txt"))).unwrap();
    let mut cases = Vec::new();
    for line in text.lines() {
        let [name, inputs, output, gradients] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let shapes: Vec<&str> = inputs.split(';').collect();
        cases.push(Case {
            name: name.to_owned(),
            inputs: shapes.iter().map(|shape| take(shape)).collect(),
            output: take(output),
            seed: take(output),
            gradients: shapes
                .iter()
                .zip(gradients.chars())
                .map(|(shape, has)| (has == 'g').then(|| take(shape)))
                .collect(),
        });
    }
    assert_eq!(at, numbers.numel());
    cases
}

/// What differs between an op's numbers and those of a case.
fn difference<'t>(case: &Case, tape: &'t Tape, op: impl FnOnce(&[Var<'t>]) -> Var<'t>) -> Option<String> {
    let inputs: Vec<Var<'t>> = case.inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let y = op(&inputs);
    let limit = tolerance(&case.name);
    if !close(&y.value(), &case.output, limit) {
        return Some(format!("{}: {:?} is not {:?}, of {:?}", case.name, y.value(), case.output, case.inputs));
    }
    let gradients = y.needs_gradient().then(|| y.backward_with(case.seed.clone()));
    for (place, (x, want)) in inputs.iter().zip(&case.gradients).enumerate() {
        // What has none there has one of zeros here, or none.
        let want = want.clone().unwrap_or_else(|| Tensor::zeros(x.shape()));
        let got = gradients.as_ref().and_then(|gradients| gradients.get(*x).cloned());
        let got = got.unwrap_or_else(|| Tensor::zeros(x.shape()));
        let want = if case.name.starts_with("cross_entropy_with") { without_ignored(want, &got) } else { want };
        if !close(&got, &want, limit) {
            return Some(format!("{}: gradient {place}: {got:?} is not {want:?}, of {:?}", case.name, case.inputs));
        }
    }
    None
}

/// An example that is ignored has no gradient here, whatever its logits are; there, NaN times 0 is NaN.
fn without_ignored(want: Tensor, got: &Tensor) -> Tensor {
    let lost = want.isnan().all(tensor::keepdim(-1));
    let none = got.eq(0.0).all(tensor::keepdim(-1));
    want.masked_fill(&lost.logical_and(&none), 0.0)
}

#[test]
fn every_op_agrees_with_pytorch() {
    let rows = rows::<f32>();
    let lines = wanted(&rows);
    if env::var_os("EVENKEEL_WRITE_CASES").is_some() {
        fs::write(path("cases.txt"), lines.join("\n") + "\n").unwrap();
        return;
    }
    let known = fs::read_to_string(path("cases.txt")).unwrap();
    assert!(known.lines().eq(lines.iter()), "the table has changed: write the cases and the numbers anew (see ops.py)");
    let cases = cases("ops");
    let mut failed = Vec::new();
    for case in &cases {
        let row = rows.iter().find(|row| row.name == case.name).unwrap();
        let tape = Tape::new();
        failed.extend(difference(case, &tape, |x| (row.function)(x)));
    }
    assert!(failed.is_empty(), "{} cases:\n{}", failed.len(), failed.join("\n"));
    let seen: BTreeSet<&str> = cases.iter().map(|case| &case.name[..]).collect();
    let missing: Vec<&str> =
        rows.iter().map(|row| &row.name[..]).filter(|name| !seen.contains(name) && !WITHOUT.contains(name)).collect();
    assert!(missing.is_empty(), "no case of {missing:?}");
    assert!(cases.len() >= 400, "{}", cases.len());
    println!("{} cases of {} rows", cases.len(), seen.len());
}

#[test]
fn a_wrong_result_and_a_wrong_pullback_are_found() {
    let cases = cases("ops");
    let case = cases.iter().find(|case| case.name == "sin" && case.output.numel() > 1).unwrap();
    let is_found = |value: f32, slope: f32| {
        let tape = Tape::new();
        let op = |x: &[Var<'_>]| {
            let t = x[0].value();
            x[0].record("sin", t.sin() * value).wrt(x[0], move |g| g * t.cos() * slope).done().index()
        };
        difference(case, &tape, |x| {
            let index = op(x);
            x[0].tape().vars().nth(index).unwrap()
        })
        .is_some()
    };
    assert_eq!([is_found(1.0, 1.0), is_found(1.00001, 1.0), is_found(1.0, 1.00001)], [false, true, true]);
}

/// Whether the numbers of a case are others than PyTorch's, for a reason.
fn differs(case: &Case) -> bool {
    let is_finite = case.inputs.iter().all(|x| x.isfinite().all(..).item());
    match &case.name[..] {
        // Of equals, the first are taken here; there it is left open.
        "topk" | "topk: smallest" => true,
        // A power is that of IEEE 754 here; there it is the reciprocal of a root.
        "powf: -0.5" => !is_finite,
        // The product of all others, which may be finite where there a quotient is not a number.
        "prod" | "prod: first" | "prod: ends, kept" => !is_finite,
        // The gradient of what is not a number is none either here, and there 0.
        "norm: infinity" => !is_finite,
        // Each has its limit here, where there is one, and there ∞ · 0; what is not a number passes a slope of pieces. Both are tested
        // where activations are.
        name => !is_finite && Activation::ALL.iter().any(|f| name.split(':').next() == Some(f.name())),
    }
}

#[test]
fn kinks_ties_zeros_and_infinities_are_as_in_pytorch() {
    let rows = rows::<f32>();
    let cases = cases("special");
    let mut failed = Vec::new();
    let mut count = 0;
    for case in cases.iter().filter(|case| !differs(case)) {
        count += 1;
        let row = rows.iter().find(|row| row.name == case.name).unwrap();
        let tape = Tape::new();
        failed.extend(difference(case, &tape, |x| (row.function)(x)));
    }
    assert!(failed.is_empty(), "{} of {count} cases:\n{}", failed.len(), failed.join("\n"));
    assert!(count >= 600, "{count} of {}", cases.len());
    println!("{count} special cases, {} passed over", cases.len() - count);
}
