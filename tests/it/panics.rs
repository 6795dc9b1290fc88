//! A mistake in a program panics at the program's line, and says which op it was.

use std::panic::{self, UnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use evenkeel::autograd::{
    Attention, Bce, CellParams, CrossEntropy, Ctc, Focal, GaussianNll, Id, KlDiv, PoissonNll, Reduction, Steps,
    TripletMargin,
};
use evenkeel::prelude::*;
use evenkeel::tensor::{Activation, Pullback};

/// What a closure that panics says, and in which file and line.
fn panic_of(f: impl FnOnce() + UnwindSafe) -> (String, (String, u32)) {
    // The hook is the process's: one caller at a time, and panics of other threads are none of ours.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = Arc::new(Mutex::new((String::new(), 0)));
    let (own, sink, before) = (std::thread::current().id(), Arc::clone(&found), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == own {
            *sink.lock().unwrap() = info.location().map(|l| (l.file().to_owned(), l.line())).unwrap_or_default();
        }
    }));
    let result = panic::catch_unwind(f);
    panic::set_hook(before);
    let Err(payload) = result else { return ("no panic".to_owned(), Default::default()) };
    let message = payload.downcast_ref::<String>().cloned();
    let message = message.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap();
    let place = found.lock().unwrap().clone();
    (message, place)
}

/// The line of a mistake, the message that it begins with, and the mistake.
type Mistake = (u32, &'static str, fn());

macro_rules! at {
    ($message:expr, $mistake:expr $(,)?) => {
        (line!(), $message, $mistake as fn())
    };
}

/// Each mistake panics with its message and at its line: before that of the next one, or `end`.
#[track_caller]
fn assert_all(mistakes: &[Mistake], end: u32) {
    let ends = mistakes[1..].iter().map(|&(line, ..)| line).chain([end]);
    let mut wrong = Vec::new();
    for (&(start, message, mistake), end) in mistakes.iter().zip(ends) {
        let (said, (file, line)) = panic_of(mistake);
        if !said.starts_with(message) {
            wrong.push(format!("{start}: {said:?} does not start with {message:?}"));
        } else if file != file!() || !(start..end).contains(&line) {
            wrong.push(format!("at {file}:{line}, not {start}..{end}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "not as they should be:\n{}", wrong.join("\n"));
}

#[test]
#[should_panic(expected = "not")]
fn another_line_is_noticed() {
    fn elsewhere() -> Tensor {
        matrix().reshape([4])
    }
    assert_all(&[at!("reshape: [2, 3] has 6", || omit(elsewhere()))], line!());
}

/// What a mistake would give, if it gave anything.
fn omit<R>(_: R) {}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn matrix() -> Tensor {
    Tensor::zeros([2, 3])
}

fn mask() -> Tensor<bool> {
    Tensor::full([2, 3], true)
}

fn zero() -> Tensor<i64> {
    Tensor::from([0])
}

fn indices() -> Tensor<i64> {
    Tensor::from([7])
}

fn on_tape(mistake: impl FnOnce(Var<'_>, Var<'_>)) {
    let tape = Tape::new();
    mistake(tape.leaf(matrix()), tape.leaf(Tensor::zeros([4, 5])));
}

/// With a sequence of two steps of one example, and a GRU of two numbers.
fn on_sequence(mistake: impl FnOnce(Var<'_>, CellParams<'_>) -> Tensor) -> Tensor {
    let tape = Tape::new();
    let leaf = |dims: &[usize]| tape.leaf(Tensor::zeros(dims));
    let cell = CellParams { w_ih: leaf(&[3, 6]), w_hh: leaf(&[2, 6]), b_ih: None, b_hh: None };
    mistake(leaf(&[1, 2, 3]), cell)
}

#[test]
fn tensors_panic_at_the_callers_line() {
    let mistakes: &[Mistake] = &[
        at!("zeros: a shape of [18446744073709551615, 2]", || omit(Tensor::<f32>::zeros([usize::MAX, 2]))),
        at!("ones: a shape of", || omit(Tensor::<f32>::ones([usize::MAX, 2]))),
        at!("from_fn: a shape of", || omit(Tensor::from_fn([usize::MAX, 2], |_| 0.0))),
        at!("eye: a shape of", || omit(Tensor::<f32>::eye(usize::MAX))),
        at!("expand: a shape of", || omit(matrix().expand([usize::MAX, 2, 3]))),
        at!("zeros: [35184372088832] of f32 takes 140737488355328 bytes, which the system does not have", || {
            omit(Tensor::<f32>::zeros([1 << 45]));
        }),
        at!("full: [35184372088832] of f64 takes 281474976710656 bytes", || omit(Tensor::full([1 << 45], 0.0_f64))),
        at!("arange: [35184372088832] of i64", || omit(Tensor::<i64>::arange(1 << 45))),
        at!("linspace: [35184372088832] of f32", || omit(Tensor::<f32>::linspace(0.0, 1.0, 1 << 45))),
        at!("add: [1048576, 1048576, 32] of f32 takes 140737488355328 bytes", || {
            let x = Tensor::<f32>::zeros([1 << 20, 1, 1]);
            omit(&x + &Tensor::zeros([1 << 20, 32]));
        }),
        at!("matmul: [4194304, 4194304] of f32", || {
            let x = Tensor::<f32>::zeros([1 << 22, 1]);
            omit(x.matmul(&x.t()));
        }),
        at!("div: [2] ÷ [2] of i64: a divisor is 0", || omit(Tensor::from([1_i64, 2]) / Tensor::from([1_i64, 0]))),
        at!("div: [] ÷ [2] of i32: a divisor is 0", || omit(1_i32 / Tensor::from([1_i32, 0]))),
        at!("div: [2] ÷ [] of u8: a divisor is 0", || omit(&Tensor::from([1_u8, 2]) / 0)),
        at!("div: [2] ÷ [] of i32: the least integer has no quotient by −1", || {
            omit(Tensor::from([i32::MIN, 2]) / -1);
        }),
        at!("div_assign: [2] ÷ [] of i64: a divisor is 0", || {
            let mut x = Tensor::from([1_i64, 2]);
            x /= 0;
        }),
        at!("matmul: batches do not broadcast: [2, 3, 4] × [5, 4, 6] ([2] and [5];", || {
            omit(Tensor::<f32>::zeros([2, 3, 4]).matmul(&Tensor::zeros([5, 4, 6])));
        }),
        at!("shape: ", || omit(Shape::from([usize::MAX, 2]))),
        at!("from_vec: 2 elements do not fill [3]", || omit(Tensor::from_vec(vec![1.0, 2.0], 3))),
        at!("size: axis 2", || omit(matrix().size(2))),
        at!("item: needs exactly one element, got [2, 3] of 6", || omit(matrix().item())),
        at!("reshape: [2, 3] has 6", || omit(matrix().reshape([4]))),
        at!("flatten: axis 2", || omit(matrix().flatten(2))),
        at!("transpose: axis -3", || omit(matrix().transpose(0, -3))),
        at!("permute: the axes [0] do not fit [2, 3]: name each axis exactly once", || omit(matrix().permute(&[0]))),
        at!("slice: 1..9 by 1 does not fit axis 1 of [2, 3]", || omit(matrix().slice(1, 1..9))),
        at!("slice_step: 0..3 by 0", || omit(matrix().slice_step(1, .., 0))),
        at!("narrow: 2..4", || omit(matrix().narrow(1, 2, 2))),
        at!("select: index 5 is out of range: -2 ≤ index < 2", || omit(matrix().select(0, 5))),
        at!("unsqueeze: a new axis 3 is out of range for [2, 3]: it may be -3..=2", || omit(matrix().unsqueeze(3))),
        at!("squeeze: axis 0 of [2, 3] has size 2", || omit(matrix().squeeze(0))),
        at!("expand: [2, 3] does not broadcast to [3] (it has more axes)", || omit(matrix().expand([3]))),
        at!("zip: shapes", || omit(matrix().zip(&Tensor::<f32>::zeros([4]), |x, _| x))),
        at!("add: shapes do not broadcast: [2, 3] and [3, 1] (axis -2: 2 and 3;", || {
            omit(matrix() + Tensor::zeros([3, 1]))
        }),
        at!("sub: shapes", || omit(&matrix() - &Tensor::zeros([4]))),
        at!("mul: shapes", || omit(matrix() * &Tensor::zeros([4]))),
        at!("div: shapes", || omit(&matrix() / Tensor::zeros([4]))),
        at!("eq: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().eq(Tensor::zeros([4])))),
        at!("ne: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().ne(Tensor::zeros([4])))),
        at!("lt: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().lt(Tensor::zeros([4])))),
        at!("le: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().le(Tensor::zeros([4])))),
        at!("gt: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().gt(Tensor::zeros([4])))),
        at!("ge: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().ge(Tensor::zeros([4])))),
        at!("maximum: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().maximum(Tensor::zeros([4])))),
        at!("minimum: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().minimum(Tensor::zeros([4])))),
        at!("logical_and: shapes", || omit(mask().logical_and(&Tensor::from([true; 4])))),
        at!("logical_or: shapes", || omit(mask().logical_or(&Tensor::from([true; 4])))),
        at!("logical_xor: shapes", || omit(mask().logical_xor(&Tensor::from([true; 4])))),
        at!("where_cond: shapes", || omit(mask().where_cond(Tensor::<f32>::zeros([4]), 0.0))),
        at!("add_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x += &Tensor::zeros([4]);
        }),
        at!("sub_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x -= &Tensor::zeros([4]);
        }),
        at!("mul_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x *= &Tensor::zeros([4]);
        }),
        at!("div_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x /= &Tensor::zeros([4]);
        }),
        at!("zip_assign: [4]", || matrix().zip_assign(&Tensor::<f32>::zeros([4]), |x, _| x)),
        at!("axpy: [4]", || matrix().axpy(1.0, &Tensor::zeros([4]))),
        at!("lerp_assign: [4]", || matrix().lerp_assign(&Tensor::zeros([4]), 0.5)),
        at!("tanh_backward: needs the shape [2, 3], got [4]", || omit(
            matrix().pullback(Activation::Tanh, &Tensor::zeros([4]))
        )),
        at!("matmul: inner dimensions differ: [2, 3] × [2, 3] (3 ≠ 2)", || omit(matrix().matmul(&matrix()))),
        at!("matmul_into: needs the shape [2, 2], got [2, 3]", || {
            matrix().matmul_into(&matrix().t(), &mut matrix(), evenkeel::tensor::Accum::Add);
        }),
        at!("dot: needs vectors on both sides", || omit(matrix().dot(&matrix()))),
        at!("dot: needs the shape [4], got [5]", || omit(Tensor::<f32>::zeros([4]).dot(&Tensor::zeros([5])))),
        at!("outer: needs vectors on both sides", || omit(matrix().outer(&matrix()))),
        at!("sum: axis 2", || omit(matrix().sum(2))),
        at!("mean: axis 2", || omit(matrix().mean(2))),
        at!("prod: axis 2", || omit(matrix().prod(2))),
        at!("var: axis 2", || omit(matrix().var(2, 1))),
        at!("std: axis -3", || omit(matrix().std(-3, 1))),
        at!("var_mean: the axes [0, 0]", || omit(matrix().var_mean([0, 0], 1))),
        at!("min: nothing to choose from in [0, 3]", || omit(Tensor::<f32>::zeros([0, 3]).min(0))),
        at!("max: axis 2", || omit(matrix().max(2))),
        at!("argmin: the axes [0, 1] do not fit [2, 3, 1]: name one axis", || {
            omit(matrix().unsqueeze(2).argmin([0, 1]));
        }),
        at!("argmax: nothing to choose from in [0]", || omit(Tensor::<f32>::zeros([0]).argmax(..))),
        at!("norm: axis 2", || omit(matrix().norm(2.0, 2))),
        at!("any: axis 2", || omit(matrix().map(|x| x > 0.0).any(2))),
        at!("all: axis 2", || omit(matrix().map(|x| x > 0.0).all(2))),
        at!("count_nonzero: axis 2", || omit(matrix().count_nonzero(2))),
        at!("logsumexp: axis 2", || omit(matrix().logsumexp(2))),
        at!("cumsum: axis 2", || omit(matrix().cumsum(2))),
        at!("cumprod: axis 2", || omit(matrix().cumprod(2))),
        at!("sum_to: [4] does not broadcast to [2, 3]", || omit(matrix().sum_to(&Shape::from([4])))),
        at!("softmax: axis 2", || omit(matrix().softmax(2))),
        at!("log_softmax: axis 2", || omit(matrix().log_softmax(2))),
        at!("softmax_backward: needs the shape [2, 3], got [4]", || {
            omit(matrix().pullback(Pullback::Softmax(0), &Tensor::zeros([4])));
        }),
        at!("log_softmax_backward: axis 2", || omit(matrix().pullback(Pullback::LogSoftmax(2), &matrix()))),
        at!("cross_entropy: logits [2, 3] need classes of the shape [2], got [1]", || omit(
            matrix().cross_entropy(&indices())
        )),
        at!("cross_entropy_backward: ", || omit(matrix().pullback(Pullback::CrossEntropy(&indices()), &matrix()))),
        at!("index_select: index 7 (entry 0", || omit(matrix().index_select(0, &indices()))),
        at!("index_add: index 7", || omit(matrix().index_add(0, &indices(), &matrix()))),
        at!("embedding: index 7", || omit(matrix().embedding(&indices()))),
        at!("arange_step: no step of -1 leads from 0 to 3: a finite one", || omit(Tensor::arange_step(0, 3, -1))),
        at!("axis_iter: axis 2", || omit(matrix().axis_iter(2).count())),
        at!("split: parts of size 0 do not make up axis 1 of [2, 3]", || omit(matrix().split(1, 0))),
        at!("split_sizes: the sizes [1, 1] do not make up axis 1 of [2, 3]: a sum of 3 would", || {
            omit(matrix().split_sizes(1, &[1, 1]))
        }),
        at!("chunk: 0 parts", || omit(matrix().chunk(1, 0))),
        at!("unbind: axis 2", || omit(matrix().unbind(2))),
        at!("movedim: axis 2", || omit(matrix().movedim(0, 2))),
        at!("flip: the axes [0, -2] do not fit [2, 3]: name each axis at most once", || omit(matrix().flip(&[0, -2]))),
        at!("diagonal: the axes [0, -2] do not fit [2, 3]: name two", || omit(matrix().diagonal(0, 0, -2))),
        at!("unfold: windows of 4, one every 1, do not fit axis 1 of [2, 3]: a size of at most 3", || {
            omit(matrix().unfold(1, 4, 1))
        }),
        at!("cat: no tensors: at least one is needed", || omit(Tensor::<f32>::cat(&[] as &[Tensor], 0))),
        at!("cat: [2, 3] and [3, 2] do not fit along axis 0", || omit(Tensor::cat(&[matrix(), matrix().t()], 0))),
        at!("stack: needs the shape [2, 3], got [3, 2]", || omit(Tensor::stack(&[matrix(), matrix().t()], 0))),
        at!("stack: a new axis 3 is out of range for [2, 3]: it may be -3..=2", || omit(Tensor::stack(&[matrix()], 3))),
        at!("repeat: [2] does not repeat [2, 3]", || omit(matrix().repeat(&[2]))),
        at!("tile: a shape of", || omit(matrix().tile(&[usize::MAX]))),
        at!("repeat_interleave: a shape of", || omit(matrix().repeat_interleave(usize::MAX, 0))),
        at!("roll: axis 2", || omit(matrix().roll(1, 2))),
        at!("gather: indices [1] do not fit [2, 3] along axis 0", || omit(matrix().gather(0, &indices()))),
        at!("take: index 7 (entry 0", || omit(matrix().take(&indices()))),
        at!("scatter: indices [1] do not fit [2, 3]", || omit(matrix().scatter(0, &indices(), &matrix()))),
        at!("scatter_add: index 7", || omit(matrix().scatter_add(0, &indices().unsqueeze(0), &matrix()))),
        at!("one_hot: index 7", || omit(Tensor::<f32>::one_hot(&indices(), 7))),
        at!("masked_fill: shapes", || omit(matrix().masked_fill(&Tensor::full([4], true), 0.0))),
        at!("masked_select: shapes", || omit(matrix().masked_select(&Tensor::full([4], true)))),
        at!("sort: axis 2", || omit(matrix().sort(2, false))),
        at!("argsort: axis 2", || omit(matrix().argsort(2, false))),
        at!("topk: 4 elements along axis 1 of [2, 3], which has 3", || omit(matrix().topk(4, 1, true))),
        at!("tril: needs at least two axes", || omit(indices().tril(0))),
        at!("triu: needs at least two axes", || omit(indices().triu(0))),
        at!("allclose: shapes", || omit(matrix().allclose(&Tensor::zeros([4]), 0.0, 0.0))),
        at!("select: index -3 is out of range: -2 ≤ index < 2", || omit(matrix().select(0, -3))),
        at!("slice_step: 1..9 by 2 does not fit axis 1 of [2, 3]", || omit(matrix().slice_step(1, 1..9, 2))),
        at!("slice: -5..3 by 1 does not fit axis 1 of [2, 3]", || omit(matrix().slice(1, -5..))),
        at!("pow: shapes", || omit(matrix().pow(Tensor::zeros([4])))),
        at!("atan2: shapes", || omit(matrix().atan2(Tensor::zeros([4])))),
        at!("remainder: shapes", || omit(matrix().remainder(Tensor::zeros([4])))),
        at!("remainder: [1] by [] of i64: a divisor is 0", || omit(indices().remainder(0))),
        at!("max_with_indices: axis 2", || omit(matrix().max_with_indices(2))),
        at!("min_with_indices: nothing to choose", || omit(Tensor::<f32>::zeros([2, 0]).min_with_indices(1))),
        at!("median: axis 2", || omit(matrix().median(2))),
        at!("median: nothing to choose", || omit(Tensor::<f32>::zeros([2, 0]).median(1))),
        at!("quantile: the quantile 2 is out of range", || omit(matrix().quantile(2.0, ..))),
        at!("quantile: axis 2", || omit(matrix().quantile(0.5, 2))),
        at!("searchsorted: needs a vector", || omit(matrix().searchsorted(&matrix(), false))),
        at!("bincount: -1 (entry 0) is negative", || omit(Tensor::from([-1_i64]).bincount(0))),
        at!("slice_assign: 0..9 by 1 does not fit axis 1", || omit(matrix().slice_assign(1, ..9, 0.0))),
        at!("slice_add: 0..9 by 1 does not fit axis 1", || omit(matrix().slice_add(1, ..9, 0.0))),
        at!("slice_add: [4] does not broadcast to [2, 2]", || { omit(matrix().slice_add(1, 1.., Tensor::zeros([4]))) }),
        at!("slice_assign: [4] does not broadcast to [2, 2]", || {
            omit(matrix().slice_assign(1, 1.., Tensor::zeros([4])))
        }),
        at!("index_copy: index 7", || omit(matrix().index_copy(0, &indices(), &Tensor::zeros([1, 3])))),
        at!("index_copy: needs the shape [1, 3], got [2, 3]", || omit(matrix().index_copy(0, &zero(), &matrix()))),
        at!("index_put: 3 index tensors for [2, 3]", || omit(matrix().index_put(&[&zero(), &zero(), &zero()], 0.0))),
        at!("index_put: index 7", || omit(matrix().index_put(&[&indices()], 0.0))),
        at!("index_put: [4] does not broadcast to [1, 3]", || omit(matrix().index_put(&[&zero()], Tensor::zeros([4])))),
        at!("masked_scatter: [4] does not broadcast to [2, 3]", || {
            omit(matrix().masked_scatter(&Tensor::full([4], true), &matrix()))
        }),
        at!("masked_scatter: the mask is true 6 times, and the source [1] has fewer", || {
            omit(matrix().masked_scatter(&Tensor::full([3], true), &Tensor::zeros([1])))
        }),
        at!("pad: 1 pairs of widths for [2, 3]", || omit(matrix().pad(&[(1, 1)], 0.0))),
        at!("pad: a shape of", || omit(matrix().pad(&[(usize::MAX, 1), (0, 0)], 0.0))),
        at!("diag: needs a vector or a matrix", || omit(Tensor::<f32>::zeros([1, 1, 1]).diag(0))),
        at!("diag: a shape of", || omit(indices().diag(isize::MAX))),
        at!("trace: needs a matrix", || omit(indices().trace())),
        at!("meshgrid: needs vectors", || omit(Tensor::meshgrid(&[&matrix()]))),
        at!("tensordot: axes [0] and []", || omit(matrix().tensordot(&matrix(), &[0], &[]))),
        at!("tensordot: axis 0 of [2, 3] and axis 1 of [2, 3]", || omit(matrix().tensordot(&matrix(), &[0], &[1]))),
        at!("tensordot: axis 2", || omit(matrix().tensordot(&matrix(), &[2], &[0]))),
        at!("einsum: \"ij\": 2 operands for 1 terms", || omit(Tensor::einsum("ij", &[&matrix(), &matrix()]))),
        at!("einsum: \"ijk\": \"ijk\" does not fit [2, 3]", || omit(Tensor::einsum("ijk", &[&matrix()]))),
        at!("einsum: \"i?\": '?' in \"i?\"", || omit(Tensor::einsum("i?", &[&matrix()]))),
        at!("einsum: \"ij,ji\": \"j\" is 3 and 2", || omit(Tensor::einsum("ij,ji", &[&matrix(), &matrix()]))),
        at!("einsum: \"ij->k\": 'k' of the result", || omit(Tensor::einsum("ij->k", &[&matrix()]))),
        at!("einsum: \"ij->ii\": 'i' occurs twice", || omit(Tensor::einsum("ij->ii", &[&matrix()]))),
    ];
    assert_all(mistakes, line!());
}

#[test]
fn gradients_and_layers_panic_at_the_callers_line() {
    let mistakes: &[Mistake] = &[
        at!("add: shapes", || on_tape(|x, y| omit(x + y))),
        at!("sub: shapes", || on_tape(|x, y| omit(x - y))),
        at!("mul: shapes", || on_tape(|x, y| omit(x * y))),
        at!("matmul: inner", || on_tape(|x, y| omit(x.matmul(y)))),
        at!("linear: the input [2, 3] does not fit the weight [4, 5]", || on_tape(|x, y| omit(x.linear(y, y.sum(0))))),
        at!("linear: the weight [4, 5] needs a bias of [5]", || on_tape(|x, y| omit(y.linear(y, x)))),
        at!("reshape: [2, 3]", || on_tape(|x, _| omit(x.reshape([4])))),
        at!("flatten: axis 2", || on_tape(|x, _| omit(x.flatten(2)))),
        at!("sum: axis 2", || on_tape(|x, _| omit(x.sum(2)))),
        at!("mean: axis 2", || on_tape(|x, _| omit(x.mean(2)))),
        at!("embedding: index 7", || on_tape(|x, _| omit(x.embedding(&indices())))),
        at!("cross_entropy: logits [2, 3] need", || on_tape(|x, _| omit(x.cross_entropy(&indices())))),
        at!("pow: shapes", || on_tape(|x, y| omit(x.pow(y)))),
        at!("maximum: shapes", || on_tape(|x, y| omit(x.maximum(y)))),
        at!("minimum: shapes", || on_tape(|x, y| omit(x.minimum(y)))),
        at!("where_cond: shapes", || on_tape(|x, y| omit(x.where_cond(&Tensor::full([2, 3], true), y)))),
        at!("masked_fill: shapes", || on_tape(|x, _| omit(x.masked_fill(&Tensor::full([4], true), 0.0)))),
        at!("prelu: [2, 3] needs one slope, or one for each of 3 channels, got [5]", || {
            on_tape(|x, y| omit(x.prelu(y.sum(0))))
        }),
        at!("glu: axis 1 of [2, 3] has 3 indices, which are no two halves", || on_tape(|x, _| omit(x.glu(1)))),
        at!("var: axis 2", || on_tape(|x, _| omit(x.var(2, 1)))),
        at!("std: axis 2", || on_tape(|x, _| omit(x.std(2, 1)))),
        at!("max: axis 2", || on_tape(|x, _| omit(x.max(2)))),
        at!("min: axis 2", || on_tape(|x, _| omit(x.min(2)))),
        at!("prod: axis 2", || on_tape(|x, _| omit(x.prod(2)))),
        at!("norm: axis 2", || on_tape(|x, _| omit(x.norm(2.0, 2)))),
        at!("logsumexp: axis 2", || on_tape(|x, _| omit(x.logsumexp(2)))),
        at!("cumsum: axis 2", || on_tape(|x, _| omit(x.cumsum(2)))),
        at!("softmax: axis 2", || on_tape(|x, _| omit(x.softmax(2)))),
        at!("norm: axis 2", || on_tape(|x, _| omit(x.normalize(2, 1e-12)))),
        at!("mul: shapes", || on_tape(|x, y| omit(x.cosine_similarity(y, 0, 1e-8)))),
        at!("transpose: axis 2", || on_tape(|x, _| omit(x.transpose(0, 2)))),
        at!("permute: ", || on_tape(|x, _| omit(x.permute(&[0, 0])))),
        at!("permute: ", || on_tape(|x, _| omit(x.permute(&[])))),
        at!("slice: 0..9 by 1 does not fit axis 1", || on_tape(|x, _| omit(x.slice(1, ..9)))),
        at!("slice_step: ", || on_tape(|x, _| omit(x.slice_step(1, .., 0)))),
        at!("narrow: ", || on_tape(|x, _| omit(x.narrow(1, 2, usize::MAX)))),
        at!("select: ", || on_tape(|x, _| omit(x.select(1, 3)))),
        at!("select: ", || on_tape(|x, _| omit(x.select(1, -4)))),
        at!("select: axis 2", || on_tape(|x, _| omit(x.select(2, 0)))),
        at!("unsqueeze: a new axis 3", || on_tape(|x, _| omit(x.unsqueeze(3)))),
        at!("squeeze: ", || on_tape(|x, _| omit(x.squeeze(1)))),
        at!("expand: ", || on_tape(|x, _| omit(x.expand([2, 4])))),
        at!("flip: axis 2", || on_tape(|x, _| omit(x.flip(&[2])))),
        at!("diagonal: ", || on_tape(|x, _| omit(x.diagonal(0, 1, 1)))),
        at!("roll: axis 2", || on_tape(|x, _| omit(x.roll(1, 2)))),
        at!("repeat: [2] does not repeat [2, 3]", || on_tape(|x, _| omit(x.repeat(&[2])))),
        at!("pad: 1 pairs of widths for [2, 3]", || on_tape(|x, _| omit(x.pad(&[(1, 1)], 0.0)))),
        at!("cat: ", || on_tape(|x, y| omit(Var::cat(&[x, y], 0)))),
        at!("cat: ", || omit(Var::<f32>::cat(&[], 0))),
        at!("cat: its inputs are on two tapes", || {
            omit(Var::cat(&[Tape::new().leaf(matrix()), Tape::new().leaf(matrix())], 0));
        }),
        at!("stack: ", || on_tape(|x, y| omit(Var::stack(&[x, y], 0)))),
        at!("split: sizes [1, 3] add up to 4, but axis 1 of [2, 3] has 3", || on_tape(|x, _| omit(
            x.split(&[1, 3], 1)
        ))),
        at!("chunk: 0 parts of [2, 3]", || on_tape(|x, _| omit(x.chunk(0, 1)))),
        at!("index_select: index 7", || on_tape(|x, _| omit(x.index_select(0, &indices())))),
        at!("gather: ", || on_tape(|x, _| omit(x.gather(1, &Tensor::from([[7]]))))),
        at!("scatter_add: ", || on_tape(|x, y| omit(x.scatter_add(1, &Tensor::from([[7]]), y)))),
        at!("masked_select: shapes", || on_tape(|x, _| omit(x.masked_select(&Tensor::full([4], true))))),
        at!("tril: ", || on_tape(|x, _| omit(x.sum(0).tril(0)))),
        at!("triu: ", || on_tape(|x, _| omit(x.sum(0).triu(0)))),
        at!("sort: axis 2", || on_tape(|x, _| omit(x.sort(2, false)))),
        at!("topk: 4 elements along axis 1 of [2, 3]", || on_tape(|x, _| omit(x.topk(4, 1, true)))),
        at!("dot: ", || on_tape(|x, y| omit(x.dot(y)))),
        at!("outer: ", || on_tape(|x, y| omit(x.outer(y)))),
        at!("einsum: \"i?\": '?' in \"i?\"", || on_tape(|x, _| omit(Var::einsum("i?", &[x])))),
        at!("einsum: \"ij,jk\": \"j\" is 3 and 4", || on_tape(|x, y| omit(Var::einsum("ij,jk", &[x, y])))),
        at!("einsum: \"ij\": 0 operands for 1 terms", || omit(Var::<f32>::einsum("ij", &[]))),
        at!("rms_norm: the input [2, 3] needs a weight of the shape of its last axes, got [5]", || {
            on_tape(|x, y| omit(x.rms_norm(y.sum(0), 1e-5)))
        }),
        at!("group_norm: 2 groups do not divide the 3 channels of [2, 3]", || {
            on_tape(|x, _| omit(x.group_norm(2, x.sum(0), x.sum(0), 1e-5)))
        }),
        at!("dropout: the probability is 1.5, but must be in 0..=1", || on_tape(|x, _| omit(x.dropout(1.5)))),
        at!("attention: queries [..., L, E], keys", || on_tape(|x, y| omit(x.attention(y, y, Attention::default())))),
        at!("attention: queries [..., L, E], keys", || {
            on_tape(|x, _| omit(x.attention(x.sum(0), x, Attention::default())))
        }),
        at!("rnn_cell: an input [2, 3] and a state [2, 3] need w_ih of [3, 3], got [4, 5]", || {
            on_tape(|x, y| omit(x.rnn_cell(x, CellParams { w_ih: y, w_hh: y, b_ih: None, b_hh: None })))
        }),
        at!("gru_cell: an input [2, 3] and a state [2, 3] need w_ih of [3, 9], got [4, 5]", || {
            on_tape(|x, y| omit(x.gru_cell(x, CellParams { w_ih: y, w_hh: y, b_ih: None, b_hh: None })))
        }),
        at!("lstm_cell: the state is [2, 3], its memory [4, 5]", || {
            on_tape(|x, y| omit(x.lstm_cell((x, y), CellParams { w_ih: y, w_hh: y, b_ih: None, b_hh: None })))
        }),
        at!("rnn_tanh: the input must be [N, L, E], got [2, 3]", || {
            on_tape(|x, y| {
                omit(x.rnn_tanh(None, CellParams { w_ih: y, w_hh: y, b_ih: None, b_hh: None }, Steps::default()))
            })
        }),
        at!("rnn_relu: the weight of the state must be [H, 1 H], got [4, 5]", || {
            on_tape(|x, y| {
                let cell = CellParams { w_ih: y, w_hh: y, b_ih: None, b_hh: None };
                omit(x.unsqueeze(0).rnn_relu(None, cell, Steps::default()));
            });
        }),
        at!("gru: an input [1, 2, 3] and a weight of the state [2, 6] need w_ih of [3, 6], got [4, 5]", || {
            on_tape(|x, y| {
                let w_hh = x.tape().leaf(Tensor::zeros([2, 6]));
                let cell = CellParams { w_ih: y, w_hh, b_ih: None, b_hh: None };
                omit(x.unsqueeze(0).gru(None, cell, Steps::default()));
            });
        }),
        at!("gru: b_hh must be [6], got [2, 3]", || omit(on_sequence(|x, cell| {
            x.gru(None, CellParams { b_hh: Some(x.select(0, 0)), ..cell }, Steps::default()).0.value()
        }))),
        at!("gru: an input [1, 2, 3] needs a state of [1, 2], got [2, 3]", || omit(on_sequence(|x, cell| {
            x.gru(x.select(0, 0), cell, Steps::default()).0.value()
        }))),
        at!("gru: 2 lengths, but an input [1, 2, 3] has 1 examples", || omit(on_sequence(|x, cell| {
            x.gru(None, cell, Steps { lengths: Some(&[1, 2]), ..Steps::default() }).0.value()
        }))),
        at!("gru: length 0 is 0, but an input [1, 2, 3] has 1 to 2 steps", || omit(on_sequence(|x, cell| {
            x.gru(None, cell, Steps { lengths: Some(&[0]), ..Steps::default() }).0.value()
        }))),
        at!("gru: length 0 is 3, but an input [1, 2, 3] has 1 to 2 steps", || omit(on_sequence(|x, cell| {
            x.gru(None, cell, Steps { lengths: Some(&[3]), ..Steps::default() }).0.value()
        }))),
        at!("cross_entropy: the class of example 1 is 3, but of 3 each must be in 0..=2", || {
            on_tape(|x, _| omit(x.cross_entropy(&Tensor::from([2, 3]))))
        }),
        at!(
            "cross_entropy: the class of example 0 is -100, but of 3 each must be in 0..=2; to ignore it, as PyTorch does",
            || on_tape(|x, _| omit(x.cross_entropy(&Tensor::from([-100, 3]))))
        ),
        at!("cross_entropy: the class of example 1 is -1", || {
            let options = CrossEntropy { ignore_index: Some(-100), ..CrossEntropy::default() };
            on_tape(|x, _| omit(x.cross_entropy_with(&Tensor::from([-100, -1]), options)))
        }),
        at!("cross_entropy: 3 classes need weights of [3], got [2]", || {
            let weight = Tensor::ones([2]);
            let options = CrossEntropy { weight: Some(&weight), ..CrossEntropy::default() };
            on_tape(|x, _| omit(x.cross_entropy_with(&Tensor::from([0, 1]), options)))
        }),
        at!("cross_entropy: the smoothing is 1.5, but must be in 0..=1", || {
            let options = CrossEntropy { label_smoothing: 1.5, ..CrossEntropy::default() };
            on_tape(|x, _| omit(x.cross_entropy_with(&Tensor::from([0, 1]), options)))
        }),
        at!("soft_cross_entropy: the predictions are [2, 3], the targets [4, 5]", || {
            on_tape(|x, y| omit(x.soft_cross_entropy(y, CrossEntropy::default())))
        }),
        at!("nll_loss: the class of example 0 is 5", || on_tape(|x, _| omit(x.nll_loss(&Tensor::from([5, 0]))))),
        at!("nll_loss: logits [2, 3] need classes of the shape [2], got [1]", || {
            on_tape(|x, _| omit(x.nll_loss(&indices())))
        }),
        at!("mse_loss: the predictions are [2, 3], the targets [2, 1]: both need the same shape", || {
            on_tape(|x, _| omit(x.mse_loss(Tensor::zeros([2, 1]))))
        }),
        at!("l1_loss: the predictions are [2, 3], the targets [3]", || {
            on_tape(|x, _| omit(x.l1_loss(Tensor::zeros([3]))))
        }),
        at!("huber_loss: δ is 0, but must be above 0", || {
            on_tape(|x, _| omit(x.huber_loss(x, 0.0, Reduction::Mean)))
        }),
        at!("smooth_l1_loss: β is -1, but must not be negative", || {
            on_tape(|x, _| omit(x.smooth_l1_loss(x, -1.0, Reduction::Mean)))
        }),
        at!("bce_loss: the predictions are [2, 3], the targets [2]", || {
            on_tape(|x, _| omit(x.bce_loss(Tensor::zeros([2]))))
        }),
        at!("bce_with_logits_loss: the predictions are [2, 3], the targets []", || {
            on_tape(|x, _| omit(x.bce_with_logits_loss(1.0)))
        }),
        at!("a weight [4, 2, 3] does not broadcast to the losses [2, 3]", || {
            let weight = Tensor::ones([4, 2, 3]);
            let options = Bce { weight: Some(&weight), ..Bce::default() };
            on_tape(|x, _| omit(x.bce_loss_with(x, options)))
        }),
        at!("kl_div: the predictions are [2, 3], the targets [4, 5]", || {
            on_tape(|x, y| omit(x.kl_div(y, KlDiv::default())))
        }),
        at!("hinge_loss: labels of the shape [2, 3] are needed, one for each example, got [2]", || {
            on_tape(|x, _| omit(x.hinge_loss(&Tensor::ones([2]), Reduction::Mean)))
        }),
        at!("hinge_loss: the label of example 1 is 0, but must be 1 or -1", || {
            on_tape(|x, _| omit(x.select(1, 0).hinge_loss(&Tensor::from([1.0, 0.0]), Reduction::Mean)))
        }),
        at!("hinge_embedding_loss: the label of example 0 is 2", || {
            on_tape(|x, _| omit(x.select(1, 0).hinge_embedding_loss(&Tensor::from([2.0, 1.0]), 1.0, Reduction::Mean)))
        }),
        at!("cosine_embedding_loss: labels of the shape [2] are needed, one for each example, got [3]", || {
            on_tape(|x, _| omit(x.cosine_embedding_loss(x, &Tensor::ones([3]), 0.0, Reduction::Mean)))
        }),
        at!("gaussian_nll_loss: variances [4, 5] do not broadcast to the means [2, 3]", || {
            on_tape(|x, y| omit(x.gaussian_nll_loss(x, y, GaussianNll::default())))
        }),
        at!("poisson_nll_loss: the predictions are [2, 3], the targets [4, 5]: both need the same shape", || {
            on_tape(|x, y| omit(x.poisson_nll_loss(y, PoissonNll::default())))
        }),
        at!("triplet_margin_loss: the predictions are [2, 3], the targets [4, 5]: both need the same shape", || {
            on_tape(|x, y| omit(x.triplet_margin_loss(x, y, TripletMargin::default())))
        }),
        at!("triplet_margin_loss: the margin is 0, but must be above 0", || {
            on_tape(|x, _| omit(x.triplet_margin_loss(x, x, TripletMargin { margin: 0.0, ..TripletMargin::default() })))
        }),
        at!("pairwise_distance: needs vectors along the last axis, got [] and []", || {
            on_tape(|x, _| omit(x.sum(..).pairwise_distance(x.sum(..), 2.0, 1e-6)))
        }),
        at!("poisson_nll_loss: count 0 is -1, but none may be negative", || {
            on_tape(|x, _| omit(x.poisson_nll_loss(x - 1.0, PoissonNll::default())))
        }),
        at!("negative_binomial_nll_loss: count 0 is -1, but none may be negative", || {
            on_tape(|x, _| omit(x.negative_binomial_nll_loss(x - 1.0, 1.0, Reduction::Mean)))
        }),
        at!("negative_binomial_nll_loss: total count 0 is 0, but must be above 0", || {
            on_tape(|x, _| omit(x.negative_binomial_nll_loss(x, 0.0, Reduction::Mean)))
        }),
        at!("negative_binomial_nll_loss: the total count [4, 5] does not broadcast to the predictions [2, 3]", || {
            on_tape(|x, y| omit(x.negative_binomial_nll_loss(x, y, Reduction::Mean)))
        }),
        at!("sigmoid_focal_loss: gamma is -1, but must be at least 0", || {
            on_tape(|x, _| omit(x.sigmoid_focal_loss(x, Focal { gamma: -1.0, ..Focal::default() })))
        }),
        at!("ctc_loss: log-probabilities [N, L, C] are needed, got [2, 3]", || {
            on_tape(|x, _| omit(x.ctc_loss(&Tensor::from([[1], [1]]), Ctc::default())))
        }),
        at!("ctc_loss: log-probabilities [1, 2, 3] need targets [1, S], got [2, 1]", || {
            on_tape(|x, _| omit(x.unsqueeze(0).ctc_loss(&Tensor::from([[1], [1]]), Ctc::default())))
        }),
        at!("ctc_loss: target 1 of example 0 is 0, which is the blank", || {
            on_tape(|x, _| omit(x.unsqueeze(0).ctc_loss(&Tensor::from([[1, 0]]), Ctc::default())))
        }),
        at!("ctc_loss: target 0 of example 0 is 3, but of 3 classes each must be in 0..=2", || {
            on_tape(|x, _| omit(x.unsqueeze(0).ctc_loss(&Tensor::from([[3, 1]]), Ctc::default())))
        }),
        at!("ctc_loss: example 0 has 3 targets and 2 steps: each takes one at least", || {
            on_tape(|x, _| omit(x.unsqueeze(0).ctc_loss(&Tensor::from([[1, 2, 1]]), Ctc::default())))
        }),
        at!("ctc_loss: example 0 has 3 steps, but there are 2", || {
            let options = Ctc { lengths: Some(&[3]), ..Ctc::default() };
            on_tape(|x, _| omit(x.unsqueeze(0).ctc_loss(&Tensor::from([[1]]), options)))
        }),
        at!("ctc_loss: the blank is 3, but there are 3 classes", || {
            on_tape(|x, _| omit(x.unsqueeze(0).ctc_loss(&Tensor::from([[1]]), Ctc { blank: 3, ..Ctc::default() })))
        }),
        at!("poisson_nll_loss: rate 0 is -1, but none may be negative", || {
            on_tape(|x, _| {
                let options = PoissonNll { log_input: false, ..PoissonNll::default() };
                omit((x - 1.0).poisson_nll_loss(x, options));
            })
        }),
        at!("gaussian_nll_loss: a variance is -1, but none may be negative", || {
            on_tape(|x, _| omit(x.gaussian_nll_loss(x, x - 1.0, GaussianNll::default())))
        }),
        at!("mse_loss: its inputs are on two tapes", || {
            omit(Tape::new().leaf(matrix()).mse_loss(Tape::new().leaf(matrix())));
        }),
        at!("backward: the tape records no gradients, as `Tape::no_grad` makes it", || {
            omit(Tape::no_grad().leaf(matrix()).sum(..).backward());
        }),
        at!("backward: the result of `detach` depends on no leaf", || {
            on_tape(|x, _| omit(x.sum(..).detach().backward()))
        }),
        at!("bind: the name is on the tape already", || {
            let (tape, id) = (Tape::new(), Id::new());
            tape.named_leaf(id, &matrix());
            tape.bind(id, tape.leaf(matrix()));
        }),
        at!("Linear::forward: weight has changed since its first use on this tape; reset the tape", || {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut layer: Linear = Linear::new(3, 2, &init::normal(1.0), &mut rng).unwrap();
            let tape = Tape::new();
            layer.forward(tape.constant(matrix()));
            layer.weight.value_mut().map_assign(|x| x + 1.0);
            layer.forward(tape.constant(matrix()));
        }),
        at!("LayerNorm::forward: norm.bias has changed since its first use", || {
            let mut norm = LayerNorm::new(3);
            let tape = Tape::new();
            tape.set_path(norm.bias.id(), "norm.bias");
            norm.forward(tape.constant(matrix()));
            norm.bias.value_mut().map_assign(|x| x + 1.0);
            norm.forward(tape.constant(matrix()));
        }),
        at!("item: needs", || on_tape(|x, _| omit(x.item()))),
        at!("backward: needs", || on_tape(|x, _| omit(x.backward()))),
        at!("backward_with: the value is [2, 3]", || on_tape(|x, _| omit(x.backward_with(Tensor::ones([3]))))),
        at!("add: its inputs are on two tapes", || omit(Tape::new().leaf(matrix()) + Tape::new().leaf(matrix()))),
        at!("named_leaf: the value has changed", || {
            let (tape, id) = (Tape::new(), Id::new());
            tape.named_leaf(id, &matrix());
            tape.named_leaf(id, &matrix());
        }),
        at!("the pullback of `wrong` gave", || {
            on_tape(|x, _| omit(x.record("wrong", x.value()).wrt(x, |g| g.sum(0)).done().sum(..).backward()))
        }),
        at!("linear: the input [2, 3] does not fit the weight [5, 2]", || {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let layer: Linear = Linear::new(5, 2, &init::normal(1.0), &mut rng).unwrap();
            layer.forward(Tape::new().constant(matrix()));
        }),
        at!("get: the gradient of Var(2 tanh [2, 3]) was not kept", || {
            on_tape(|x, _| {
                let h = x.tanh();
                omit(h.sum(..).backward().get(h).cloned());
            })
        }),
        at!("batch_norm: the input [2, 3] needs a weight of [3], got [5]", || {
            on_tape(|x, y| omit(x.batch_norm(y.sum(0), y.sum(0), 1e-5)))
        }),
        at!("batch_norm: [1, 3] has 1 value per channel", || {
            omit(BatchNorm1d::new(3).forward(Tape::new().leaf(Tensor::<f32>::zeros([1, 3]))));
        }),
        at!(
            "layer_norm: the input [2, 3] needs a weight and a bias of the shape of its last axes, got [5] and [5]",
            || { on_tape(|x, y| omit(x.layer_norm(y.sum(0), y.sum(0), 1e-5))) }
        ),
        at!("softmax: ", || on_tape(|x, _| omit(x.softmax(2)))),
        at!("log_softmax: ", || on_tape(|x, _| omit(x.log_softmax(-3)))),
        at!("dropout: the tape has nothing to draw by; call `tape.seed(seed, step)`", || on_tape(|x, _| omit(
            x.dropout(0.5)
        ))),
        at!("dropout: the probability is 2", || on_tape(|x, _| omit(x.dropout(2.0)))),
        at!("the pullback of `wrong` gave no gradient for its input 0", || {
            on_tape(|x, _| omit(x.record("wrong", x.value()).joint(&[x], |_, _| ()).done().sum(..).backward()))
        }),
        at!("backward: needs a value of one element, got [2, 3]", || {
            omit(diagnose::inspect(&Param::new(matrix()), |w, tape| w.on(tape).tanh()));
        }),
        at!("backward: needs a value of one element, got [2, 3]", || {
            omit(Inspector::new().inspect_graph(|tape| tape.leaf(matrix()).tanh()));
        }),
        at!("inspect: the loss needs to be one number, got [2, 3]; reduce it", || {
            omit(diagnose::inspect(&Param::new(matrix()), |_, tape| tape.constant(matrix())));
        }),
        at!("pull: the value is [2, 3], the gradient [4]", || on_tape(|x, _| omit(x.tanh().pull(&Tensor::zeros([4]))))),
        at!("add: shapes do not broadcast: [2, 3] and [4]", || on_tape(|x, _| omit(x + &Tensor::zeros([4])))),
        at!("sub: shapes do not broadcast: [4] and [2, 3]", || on_tape(|x, _| omit(&Tensor::zeros([4]) - x))),
        at!("mul: shapes do not broadcast: [2, 3] and [4, 5]", || on_tape(|x, y| omit(x * y))),
        at!("div: shapes do not broadcast: [2, 3] and [4, 5]", || on_tape(|x, y| omit(x / y))),
        at!("seed: the tape draws by seed 1 and step 2, and cannot draw by seed 3 and step 4 too", || {
            let tape = Tape::new();
            tape.seed(1, 2);
            tape.seed(3, 4);
        }),
        at!("mine: its role says that input 1 is its weight, but it has 1 input", || {
            let op = autograd::Op::new("mine", autograd::Role::Affine { weight: 1, bias: None });
            let tape = Tape::new();
            let x = tape.leaf(matrix());
            omit(x.record(op, x.value()).wrt(x, |g| g).done());
        }),
        at!("LayerNorm::new: ", || omit(LayerNorm::new(usize::MAX))),
        at!("BatchNorm1d::new: ", || omit(BatchNorm1d::new(usize::MAX))),
        at!("step: no gradient has come to 1: use them in `forward`", || {
            let mut params = [Param::new(matrix()), Param::new(matrix())];
            let gradients = params[0].on(&Tape::new()).sum(..).backward();
            Optimizer::new(Sgd::default(), 0.1).unwrap().step(&mut params, &gradients);
        }),
        at!("step: no weight matches the pattern \"bias\"; there are its own", || {
            let mut w = Param::new(matrix());
            let gradients = w.on(&Tape::new()).sum(..).backward();
            let lost = Optimizer::new(Sgd::default(), 0.1).unwrap().group("bias", |g| g.lr_scale(2.0));
            lost.unwrap().step(&mut w, &gradients);
        }),
        at!("step: muon cannot move 1, which is [2]: only a matrix can be made orthogonal", || {
            let mut model = vec![Param::new(matrix()), Param::new(Tensor::zeros([2]))];
            let tape = Tape::new();
            let gradients = (model[0].on(&tape).sum(..) + model[1].on(&tape).sum(..)).backward();
            Optimizer::new(nn::Muon::default(), 0.1).unwrap().step(&mut model, &gradients);
        }),
        at!("step: at step 0, the learning rate is NaN, but must be at least 0 and finite in f32", || {
            let mut w = Param::new(matrix());
            let gradients = w.on(&Tape::new()).sum(..).backward();
            Optimizer::new(Sgd::default(), Schedule::of(|_| f64::NAN)).unwrap().step(&mut w, &gradients);
        }),
        at!("step: the weight is [4], but was [2, 3] before", || {
            let mut w = Param::new(matrix());
            let mut adamw = Optimizer::new(AdamW::default(), 0.1).unwrap();
            let gradients = w.on(&Tape::new()).sum(..).backward();
            adamw.step(&mut w, &gradients);
            *w.value_mut() = Tensor::zeros([4]);
            let gradients = w.on(&Tape::new()).sum(..).backward();
            adamw.step(&mut w, &gradients);
        }),
        at!("step: 1 is [4], but was [2, 3] before", || {
            let mut model = [Param::new(matrix()), Param::new(matrix())];
            let tape = Tape::new();
            let gradients = (model[0].on(&tape) + model[1].on(&tape)).sum(..).backward();
            *model[1].value_mut() = Tensor::zeros([4]);
            Optimizer::new(Sgd::default(), 0.1).unwrap().step(&mut model, &gradients);
        }),
        at!("update: the average is in the model's place", || {
            let (mut w, mut average) = (Param::new(matrix()), nn::WeightAverage::mean());
            average.update(&w);
            average.swap(&mut w).unwrap();
            average.update(&w);
        }),
        at!("update: needs the shape [2, 3], got [4]", || {
            matrix().update(&Tensor::zeros([4]), &mut [], evenkeel::tensor::Update::Descent { lr: 0.1, l2: 0.0 });
        }),
        at!("update: it keeps two tensors of each weight, but 0 tensors are given", || {
            let [lr, l2, rho, one_minus_rho, eps] = [0.1; 5];
            matrix().update(&matrix(), &mut [], evenkeel::tensor::Update::Ratio { lr, l2, rho, one_minus_rho, eps });
        }),
        at!("update_by: it keeps 1 tensors of each weight, but 0", || matrix().update_by(
            &matrix(),
            &mut [],
            |w, g, [_]| *w -= g
        )),
        at!("RNN::run: needs an input [N, L, 3], got [2, 3]", || {
            omit(nn::RNN::new_torch(3, 4, &mut rng()).unwrap().run(Tape::new().constant(matrix()), None));
        }),
        at!("GRU::run: an input [2, 5, 3] needs a state of [2, 4], got [1, 4]", || {
            let tape = Tape::new();
            let state = tape.constant(Tensor::zeros([1, 4]));
            omit(nn::GRU::new_torch(3, 4, &mut rng()).unwrap().run(tape.constant(Tensor::zeros([2, 5, 3])), state));
        }),
        at!("LSTM::run: an input [2, 5, 3] needs a state of [2, 4], got [3, 4]", || {
            let tape = Tape::new();
            let state = tape.constant(Tensor::zeros([3, 4]));
            let state = nn::LstmState { hidden: state, memory: state };
            omit(nn::LSTM::new_torch(3, 4, &mut rng()).unwrap().run(tape.constant(Tensor::zeros([2, 5, 3])), state));
        }),
        at!("LSTM::run: an input [2, 5, 3] needs a memory of [2, 4], got [2, 5]", || {
            let tape = Tape::new();
            let [hidden, memory] = [4, 5].map(|width| tape.constant(Tensor::zeros([2, width])));
            let lstm = nn::LSTM::new_torch(3, 4, &mut rng()).unwrap();
            omit(lstm.run(tape.constant(Tensor::zeros([2, 5, 3])), nn::LstmState { hidden, memory }));
        }),
        at!("LSTM::run: an input [2, 5, 3] needs a state of [4, 2, 4], got [2, 2, 4]", || {
            let tape = Tape::new();
            let hidden = tape.constant(Tensor::zeros([2, 2, 4]));
            let lstm = nn::LSTM::new_torch(3, nn::Recurrent::new(4).layers(2).bidirectional(), &mut rng()).unwrap();
            omit(lstm.run(tape.constant(Tensor::zeros([2, 5, 3])), nn::LstmState { hidden, memory: hidden }));
        }),
        at!("lstm: length 1 is 6, but an input [2, 5, 3] has 1 to 5 steps", || {
            let lstm = nn::LSTM::new_torch(3, 4, &mut rng()).unwrap();
            omit(lstm.run_padded(Tape::new().constant(Tensor::zeros([2, 5, 3])), None, &[5, 6]));
        }),
        at!("GRU::run: the input [2, 0, 3] has no step", || {
            omit(nn::GRU::new_torch(3, 4, &mut rng()).unwrap().forward(Tape::new().constant(Tensor::zeros([2, 0, 3]))));
        }),
        at!("MultiheadAttention::attend: needs [N, L, 4] and [N, S, 4], got [2, 3] and [2, 3]", || {
            omit(nn::MultiheadAttention::new_torch(4, 2, &mut rng()).unwrap().forward(Tape::new().constant(matrix())));
        }),
        at!("matmul: its inputs are on two tapes", || {
            let attention = nn::MultiheadAttention::new_torch(4, 2, &mut rng()).unwrap();
            let (tape, other) = (Tape::new(), Tape::new());
            let [queries, keys] = [&tape, &other].map(|tape| tape.constant(Tensor::zeros([2, 3, 4])));
            omit(attention.attend(queries, keys, nn::AttentionMask::default()));
        }),
        at!("MultiheadAttention::attend: keys [2, 3, 4] need a mask of [2, 3], got [3]", || {
            let (tape, seen) = (Tape::new(), Tensor::full([3], true));
            let (attention, x) = (nn::MultiheadAttention::new_torch(4, 2, &mut rng()), Tensor::zeros([2, 3, 4]));
            let (x, how) = (tape.constant(x), nn::AttentionMask { causal: false, seen: Some(&seen) });
            omit(attention.unwrap().attend(x, x, how));
        }),
        at!("Bilinear::forward: the inputs [2, 3] and [2, 3] do not fit the weight [3, 4, 5]", || {
            let (layer, tape) = (nn::Bilinear::new_torch([3, 4], 5, &mut rng()).unwrap(), Tape::new());
            omit(layer.forward(tape.constant(matrix()), tape.constant(matrix())));
        }),
        at!("Residual::forward: the layer makes [2, 4] of [2, 3]", || {
            let inner = Linear::new_torch(3, 4, &mut rng()).unwrap();
            omit(nn::Residual { inner }.forward(Tape::new().constant(matrix())));
        }),
        at!("FlattenConsecutive::forward: needs an input [N, L, C], got [2, 3]", || {
            omit(nn::FlattenConsecutive::new(2).unwrap().forward(Tape::new().constant(matrix())));
        }),
        at!("batch_norm: needs an input [..., 4], its channels last, got [2, 3]", || {
            omit(BatchNorm1d::new(4).channels_last().forward(Tape::new().constant(matrix())));
        }),
        at!("embedding_with_padding: 2 is no row of the table [2, 3]", || {
            omit(Tape::new().leaf(matrix()).embedding_with_padding(&Tensor::from([0]), 2));
        }),
        at!(
            "step: the model does not list a leaf of the shape [2, 3], which has a gradient: name its field in `module!`; or, if",
            || {
                let mut pair = [Param::new(matrix()), Param::new(matrix())];
                let tape = Tape::new();
                let gradients = (pair[0].on(&tape) * pair[1].on(&tape)).sum(..).backward();
                Optimizer::new(Sgd::default(), 0.1).unwrap().step(&mut pair[0], &gradients);
            }
        ),
        at!("bce_loss: takes probabilities from 0 to 1, and is given 1.5; of logits", || {
            omit(Tape::new().leaf(Tensor::from([0.5, 1.5])).bce_loss(Tensor::from([0.0, 1.0])));
        }),
        at!("bce_loss: takes probabilities from 0 to 1, and is given -0.1", || {
            omit(Tape::new().leaf(Tensor::from([-0.1, 1.5])).bce_loss(Tensor::from([0.0, 1.0])));
        }),
        at!("bce_loss: takes targets from 0 to 1, and is given 16", || {
            omit(Tape::new().leaf(Tensor::from([0.5, 0.5])).bce_loss(Tensor::from([0.0, 16.0])));
        }),
        at!("batch_norm: [1, 3] has 1 value per channel: by the statistics of a batch, in training", || {
            omit(BatchNorm1d::new(3).forward(Tape::new().constant(Tensor::zeros([1, 3]))));
        }),
        at!("step: no weight of the model has a gradient", || {
            let (mut one, other) = (Param::new(matrix()), Param::new(matrix()));
            let gradients = other.on(&Tape::new()).sum(..).backward();
            Optimizer::new(Sgd::default(), 0.1).unwrap().step(&mut one, &gradients);
        }),
    ];
    assert_all(mistakes, line!());
}

/// A layer of a sequence is called by way of `dyn`, whose line is the crate's own: so the message has the number of the layer, and the
/// line by which the sequence was called.
#[test]
fn a_mistake_within_a_sequence_names_the_layer_and_the_callers_line() {
    /// What is said, before the line that called, which is between these.
    #[track_caller]
    fn said(start: u32, mistake: impl FnOnce()) -> String {
        let end = std::panic::Location::caller().line();
        let (said, _) = panic_of(std::panic::AssertUnwindSafe(mistake));
        let (before, at) = said.split_once(", by the `forward` at ").unwrap_or_else(|| panic!("{said}"));
        let line = at.strip_prefix(file!()).and_then(|at| at.strip_prefix(':')?.strip_suffix(')'));
        let line: u32 = line.and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("{said}"));
        assert!((start..=end + 5).contains(&line), "{line} is not within {start}..={end}: {said}");
        before.to_owned()
    }
    let mut rng = rng();
    let mut layer = |from, to| Linear::new_torch(from, to, &mut rng).unwrap();
    let inner: Sequential = seq![Activation::Relu, layer(4, 5)];
    let mut model: Sequential = seq![layer(3, 4), inner, layer(6, 2)];
    let wrong: Sequential = seq![seq![nn::func(|x: Var<'_>| x.reshape([7]))] as Sequential];
    for tape in [Tape::new(), Tape::no_grad()] {
        let of = said(line!(), || omit(model.forward(tape.constant(matrix()))));
        assert_eq!(of, "linear: the input [2, 5] does not fit the weight [6, 2]: its last axis must be 6 (in layer 2");
        // After a panic, nothing of it is left.
        let (outside, _) =
            panic_of(std::panic::AssertUnwindSafe(|| omit(tape.constant(matrix()) + &Tensor::zeros([7]))));
        assert!(outside.ends_with("would fit)"), "{outside}");
        let of = said(line!(), || omit(model.forward(tape.constant(Tensor::zeros([2, 9])))));
        assert!(of.starts_with("linear: the input [2, 9]") && of.ends_with("(in layer 0"), "{of}");
        // Nested, and what a tensor refuses.
        let of = said(line!(), || omit(wrong.forward(tape.constant(matrix()))));
        assert_eq!(of, "reshape: [2, 3] has 6 elements, [7] has 7 (in layer 0.0");
    }
    // A weight that has changed since its first use on the tape.
    let (tape, x) = (Tape::new(), Tensor::zeros([2, 3]));
    let _ = model[0].forward(tape.constant(x.clone()));
    *model.parameters_mut()[0].1.value_mut() = Tensor::ones([3, 4]);
    let of = said(line!(), || omit(model.forward(tape.constant(x))));
    assert!(
        of.starts_with("Linear::forward: weight has changed since its first use") && of.ends_with("(in layer 0"),
        "{of}"
    );
}
