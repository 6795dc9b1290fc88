//! Every op of the table against finite differences, however its inputs are stored.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use autograd::{Var, check};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

use crate::table::{Domain, Row, rows, tape};

/// Numbers of a domain, for the input at a place. Those of two places are nowhere nearer each other, or a multiple of 0.1, than a
/// difference reaches: no kink is met by chance.
pub(crate) fn input(place: usize, dims: &[usize], domain: Domain, rng: &mut ChaCha8Rng) -> Tensor<f64> {
    let count = dims.iter().product::<usize>();
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(rng);
    let mut order = order.into_iter();
    let size = |rng: &mut ChaCha8Rng| 0.2 + 0.02 * f64::from(rng.random_range(0..70)) + 0.003 * (place + 1) as f64;
    Tensor::from_fn(dims, |_| {
        let next = order.next().unwrap();
        match domain {
            Domain::Real => size(rng) * if rng.random() { 1.0 } else { -1.0 },
            Domain::Positive => size(rng),
            Domain::Share => rng.random_range(0.05..0.95),
            Domain::Distinct => (next as f64 - count as f64 / 2.0) * 0.1 + 0.03,
        }
    })
}

/// The name of a row's method.
fn op(row: &Row<f64>) -> &str {
    row.name.split(':').next().unwrap()
}

/// A way to store the same elements, or the first of them in the place of others.
type Store = fn(&Tensor<f64>) -> Tensor<f64>;

const STORES: [(&str, Store); 4] =
    [("in order", Tensor::clone), ("transposed", transposed), ("cut out", cut_out), ("stride 0", repeated)];

/// In the reverse order of axes.
fn transposed(x: &Tensor<f64>) -> Tensor<f64> {
    let back: Vec<isize> = (0..x.rank() as isize).rev().collect();
    x.permute(&back).contiguous().permute(&back)
}

/// With others around.
fn cut_out(x: &Tensor<f64>) -> Tensor<f64> {
    let wide = x.pad(&vec![(1, 2); x.rank()], 7.0);
    (0..x.rank()).fold(wide, |wide, axis| wide.narrow(axis as isize, 1, x.dims()[axis]))
}

/// The first of axis 0 in the place of all others.
fn repeated(x: &Tensor<f64>) -> Tensor<f64> {
    if x.rank() == 0 || x.numel() == 0 { x.clone() } else { x.slice(0, ..1).expand(x.shape()) }
}

/// The pullbacks of a row against differences.
fn check_row(row: &Row<f64>, rng: &mut ChaCha8Rng) -> Result<(), String> {
    for shapes in row.shapes {
        let inputs: Vec<Tensor<f64>> =
            shapes.iter().enumerate().map(|(i, dims)| input(i, dims, row.domain(i), rng)).collect();
        for (how, store) in STORES {
            let stored: Vec<Tensor<f64>> = inputs.iter().map(store).collect();
            let result = check::gradients_on(tape, &stored, rng, |x| match op(row) {
                // What is cut off from the tape has no gradient, which differences cannot know.
                "detach" => {
                    let whole = (row.function)(x);
                    assert_eq!(whole.value(), x[0].value() * 2.0);
                    x[0].tanh()
                }
                // Nor that a row has none: here it does not vary.
                "embedding_with_padding" if x[0].shape().dims()[0] > 0 => {
                    let varies = Tensor::from_fn(x[0].shape(), |i| if i[0] == 0 { 0.0 } else { 1.0 });
                    (row.function)(&[x[0] * x[0].tape().constant(varies)])
                }
                _ => (row.function)(x),
            });
            result.map_err(|error| format!("{}: {error}, of {shapes:?} {how}", row.name))?;
        }
    }
    Ok(())
}

#[test]
fn every_pullback_agrees_with_differences() {
    // A stream for each, so that another row moves no numbers of the others.
    let stream = |row: &Row<f64>| {
        ChaCha8Rng::seed_from_u64(row.name.bytes().fold(7, |seed, c| seed * 31 % 65_521 + u64::from(c)))
    };
    let failed: Vec<String> = rows().iter().filter_map(|row| check_row(row, &mut stream(row)).err()).collect();
    assert!(failed.is_empty(), "{} of the rows:\n{}", failed.len(), failed.join("\n"));
}

/// Each of these has a mistake of its own kind, and the check finds it.
#[test]
fn a_wrong_pullback_is_found() {
    type Pull = fn(Tensor<f64>, &Tensor<f64>) -> Tensor<f64>;
    let wrong: [Pull; 4] = [
        |g, x| g * x,
        |g, x| g * x.cos() * 1.00001,
        |g, x| -(g * x.cos()),
        |g, x| if x.is_contiguous() { g * x.cos() } else { g * x.contiguous().reshape(x.shape()).flip(&[0]).cos() },
    ];
    for (i, &pull) in wrong.iter().enumerate() {
        let function = move |x: &[Var<'_, f64>]| {
            let value = x[0].value();
            x[0].record("sin", value.sin()).wrt(x[0], move |g| pull(g, &value)).done().index()
        };
        // A row is for every lifetime, which a closure that returns what it is given is not by itself.
        let row = Row {
            name: "sin".to_owned(),
            domains: &[Domain::Real],
            shapes: &[&[&[3, 4]]],
            function: Box::new(move |x| {
                let index = function(x);
                x[0].tape().vars().nth(index).unwrap()
            }),
        };
        assert!(check_row(&row, &mut ChaCha8Rng::seed_from_u64(1)).is_err(), "mistake {i} passed");
    }
}

/// The text of all files below a folder, but for their tests and comments.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
            continue;
        }
        let text = fs::read_to_string(&entry).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        found.push(lines.collect::<Vec<_>>().join(" "));
    }
    found
}

/// The public methods of the ops, and the names under which they are recorded.
fn ops() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut methods, mut recorded) = (BTreeSet::new(), BTreeSet::new());
    for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")) {
        // Of the tape's values; what is a method of an options struct returns none.
        for after in source.split("pub fn ").skip(1) {
            let name = after.split(['(', '<']).next().unwrap();
            methods.insert(name.to_owned());
        }
        // The name is the first argument of what records, with or without a line break before it.
        for call in ["record(", "Op::new(", "view(", "picked(", "extreme(", "by_distance("] {
            for after in source.split(call).skip(1) {
                if let Some(name) = after.trim_start().strip_prefix('"') {
                    recorded.insert(name.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
    (methods, recorded)
}

#[test]
fn every_op_of_the_sources_is_in_the_table() {
    let rows = rows::<f64>();
    let of_table: BTreeSet<&str> = rows.iter().map(op).collect();
    let mut on_tape = BTreeSet::new();
    for row in &rows {
        let (tape, mut rng) = (tape(), ChaCha8Rng::seed_from_u64(1));
        let inputs: Vec<_> =
            row.shapes[0].iter().enumerate().map(|(i, dims)| input(i, dims, row.domain(i), &mut rng)).collect();
        (row.function)(&inputs.into_iter().map(|x| tape.leaf(x)).collect::<Vec<_>>());
        on_tape.extend(tape.vars().map(|var| var.op()));
    }
    let (methods, recorded) = ops();
    // `activation` is any of them by name; convolutions have names by their number of axes, which are rows.
    let missing: Vec<_> = methods
        .iter()
        .filter(|name| !of_table.contains(&name[..]) && !["activation", "$name"].contains(&&name[..]))
        .collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
    // `chain` is on the tape in evaluation alone.
    let missing: Vec<_> = recorded.iter().filter(|name| !on_tape.contains(&name[..]) && *name != "chain").collect();
    assert!(missing.is_empty(), "recorded by no row: {missing:?}");
    assert!(recorded.len() >= 75 && of_table.len() >= 100, "{} recorded, {} ops", recorded.len(), of_table.len());
    println!("{} ops in {} rows, of {} kinds on the tape", of_table.len(), rows.len(), on_tape.len());
}

/// Of every op there is an input without elements and one of 64 columns or more, and one that broadcasts where the op does.
#[test]
fn every_op_is_tried_on_every_kind_of_shape() {
    let rows = rows::<f64>();
    let of_table: BTreeSet<&str> = rows.iter().map(op).collect();
    let is = |name: &str, kind: &dyn Fn(&[&[usize]]) -> bool| {
        rows.iter().filter(|row| op(row) == name).any(|row| row.shapes.iter().any(|shapes| kind(shapes)))
    };
    let is_empty = |shapes: &[&[usize]]| shapes.iter().any(|dims| dims.contains(&0));
    let is_wide = |shapes: &[&[usize]]| shapes.iter().any(|dims| dims.last().is_some_and(|&size| size >= 64));
    // A column, which is what is tried, has 70 rows.
    let is_tall = |shapes: &[&[usize]]| shapes.iter().any(|dims| dims.iter().any(|&size| size >= 64));
    for name in of_table {
        // A mean over no examples is NaN, which the tests of the losses see.
        let of_classes = ["cross_entropy", "cross_entropy_with", "nll_loss", "nll_loss_with"].contains(&name);
        assert!(is(name, &is_empty) || of_classes, "{name} of nothing");
        assert!(
            is(name, &is_wide) || ["squeeze", "expand"].contains(&name) && is(name, &is_tall),
            "{name} of 64 columns"
        );
    }
    let broadcasts = |shapes: &[&[usize]]| shapes.len() > 1 && shapes[0] != shapes[1];
    for name in
        ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "where_cond", "matmul", "einsum", "cosine_similarity"]
    {
        assert!(is(name, &broadcasts), "{name} of two shapes");
    }
}
