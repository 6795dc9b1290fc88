//! A row for each family of the tape's ops: the tensor's op alone, the same on a tape, and with the way back. `tape.py` beside this file does
//! the same with PyTorch, in rows of the same names.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use evenkeel::autograd::{Attention, CellParams, CrossEntropy};
use evenkeel::prelude::*;
use evenkeel::tensor::keepdim;

/// As large as a layer of a small model, and as large as one that is shared among threads.
const SHAPES: [[usize; 2]; 2] = [[32, 64], [512, 512]];

fn random(shape: [usize; 2], seed: u64) -> Tensor {
    init::normal(1.0).init(&Shape::from(shape), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

/// What an op is on tensors, where it is one op there, and on the tape, of two inputs of one shape.
struct Row {
    name: &'static str,
    on_tensors: Option<fn(&Tensor, &Tensor) -> Tensor>,
    on_tape: for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>,
}

/// Class numbers for rows of logits.
fn classes(x: Var<'_>) -> Tensor<i64> {
    let [rows, width] = x.shape().dims().try_into().expect("a matrix");
    Tensor::from_fn([rows], |i| (i[0] * 7 % width) as i64)
}

/// The first row, as weights.
fn row(x: Var<'_>) -> Var<'_> {
    x.select(0, 0)
}

const ROWS: &[Row] = &[
    Row { name: "mul", on_tensors: Some(|x, y| x * y), on_tape: |x, y| x * y },
    Row { name: "sqrt", on_tensors: Some(|x, _| x.sqrt()), on_tape: |x, _| x.sqrt() },
    Row { name: "exp", on_tensors: Some(|x, _| x.exp()), on_tape: |x, _| x.exp() },
    Row { name: "maximum", on_tensors: Some(|x, y| x.maximum(y)), on_tape: |x, y| x.maximum(y) },
    Row { name: "gelu", on_tensors: Some(|x, _| x.gelu()), on_tape: |x, _| x.gelu() },
    Row { name: "silu", on_tensors: Some(|x, _| x.silu()), on_tape: |x, _| x.silu() },
    Row { name: "var", on_tensors: Some(|x, _| x.var(1, 1)), on_tape: |x, _| x.var(1, 1) },
    Row { name: "max", on_tensors: Some(|x, _| x.max(1)), on_tape: |x, _| x.max(1) },
    Row { name: "logsumexp", on_tensors: Some(|x, _| x.logsumexp(1)), on_tape: |x, _| x.logsumexp(1) },
    Row { name: "norm", on_tensors: Some(|x, _| x.norm(2.0, keepdim(1))), on_tape: |x, _| x.norm(2.0, keepdim(1)) },
    Row { name: "slice", on_tensors: Some(|x, _| x.slice(1, 8..24)), on_tape: |x, _| x.slice(1, 8..24) },
    Row { name: "cat", on_tensors: Some(|x, y| Tensor::cat(&[x, y], 1)), on_tape: |x, y| Var::cat(&[x, y], 1) },
    Row {
        name: "index_select",
        on_tensors: Some(|x, _| x.index_select(0, &Tensor::from([3, 1, 2, 3]))),
        on_tape: |x, _| x.index_select(0, &Tensor::from([3, 1, 2, 3])),
    },
    Row { name: "linear", on_tensors: Some(|x, y| x.matmul(&y.t())), on_tape: |x, y| x.linear(y.t(), None) },
    Row { name: "einsum", on_tensors: None, on_tape: |x, y| Var::einsum("ij,kj->ik", &[x, y]) },
    Row { name: "softmax", on_tensors: Some(|x, _| x.softmax(1)), on_tape: |x, _| x.softmax(1) },
    Row { name: "layer_norm", on_tensors: None, on_tape: |x, y| x.layer_norm(row(y), row(y), 1e-5) },
    Row { name: "rms_norm", on_tensors: None, on_tape: |x, y| x.rms_norm(row(y), 1e-5) },
    Row { name: "group_norm", on_tensors: None, on_tape: |x, y| x.group_norm(8, row(y), row(y), 1e-5) },
    Row {
        name: "attention",
        on_tensors: None,
        on_tape: |x, y| x.attention(y, y, Attention { causal: false, ..Attention::default() }),
    },
    Row {
        name: "gru_cell",
        on_tensors: None,
        on_tape: |x, y| {
            let width = x.shape().dims()[1];
            let weight = y.slice(0, ..1).expand([width, width]).repeat(&[1, 3]);
            x.gru_cell(x, CellParams { w_ih: weight, w_hh: weight, b_ih: None, b_hh: None })
        },
    },
    Row { name: "cross_entropy", on_tensors: None, on_tape: |x, _| x.cross_entropy(&classes(x)) },
    Row {
        name: "smoothed cross_entropy",
        on_tensors: None,
        on_tape: |x, _| {
            x.cross_entropy_with(&classes(x), CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() })
        },
    },
    Row { name: "mse_loss", on_tensors: None, on_tape: |x, y| x.mse_loss(y) },
    Row { name: "bce_with_logits_loss", on_tensors: None, on_tape: |x, y| x.bce_with_logits_loss(y) },
];

fn tape(c: &mut Criterion) {
    let mut group = c.benchmark_group("tape");
    group.sample_size(20);
    for shape in SHAPES {
        let (x, y) = (random(shape, 1).map(|x| x.abs() + 0.1), random(shape, 2).map(|x| x.abs().min(0.9)));
        let size = format!("{}x{}", shape[0], shape[1]);
        for row in ROWS {
            if let Some(op) = row.on_tensors {
                group.bench_function(BenchmarkId::new(format!("{} tensor", row.name), &size), |b| {
                    b.iter(|| op(black_box(&x), black_box(&y)));
                });
            }
            let mut tape = Tape::new();
            group.bench_function(BenchmarkId::new(format!("{} forward", row.name), &size), |b| {
                b.iter(|| {
                    black_box((row.on_tape)(tape.leaf(x.clone()), tape.leaf(y.clone())).value());
                    tape.reset();
                });
            });
            let seed = (row.on_tape)(tape.leaf(x.clone()), tape.leaf(y.clone())).value();
            tape.reset();
            group.bench_function(BenchmarkId::new(format!("{} both", row.name), &size), |b| {
                b.iter(|| {
                    let result = (row.on_tape)(tape.leaf(x.clone()), tape.leaf(y.clone()));
                    black_box(result.backward_with(seed.clone()));
                    tape.reset();
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, tape);
criterion_main!(benches);
