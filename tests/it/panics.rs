//! A mistake in a program panics at the program's line, and says which op it was.

use std::panic::{self, UnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use evenkeel::autograd::Id;
use evenkeel::prelude::*;

/// What a closure that panics says, and in which file.
fn panic_of(f: impl FnOnce() + UnwindSafe) -> (String, String) {
    // The hook is the process's: one caller at a time, and panics of other threads are none of ours.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = Arc::new(Mutex::new(String::new()));
    let (own, sink, before) = (std::thread::current().id(), Arc::clone(&found), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == own {
            *sink.lock().unwrap() = info.location().map(|l| l.file().to_owned()).unwrap_or_default();
        }
    }));
    let result = panic::catch_unwind(f);
    panic::set_hook(before);
    let payload = result.expect_err("the closure should panic");
    let message = payload.downcast_ref::<String>().cloned();
    let message = message.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap();
    let file = found.lock().unwrap().clone();
    (message, file)
}

/// The message that a mistake begins with, and the mistake.
type Mistake = (&'static str, fn());

/// What a mistake would give, if it gave anything.
fn omit<R>(_: R) {}

fn matrix() -> Tensor {
    Tensor::zeros([2, 3])
}

fn mask() -> Tensor<bool> {
    Tensor::full([2, 3], true)
}

fn indices() -> Tensor<i64> {
    Tensor::from([7])
}

fn on_tape(mistake: fn(Var<'_>, Var<'_>)) {
    let tape = Tape::new();
    mistake(tape.leaf(matrix()), tape.leaf(Tensor::zeros([4, 5])));
}

#[test]
fn tensors_panic_at_the_callers_line() {
    let mistakes: &[Mistake] = &[
        ("shape: ", || omit(Tensor::<f32>::zeros([usize::MAX, 2]))),
        ("shape: ", || omit(Shape::from([usize::MAX, 2]))),
        ("from_vec: 2 elements do not fill [3]", || omit(Tensor::from_vec(vec![1.0, 2.0], 3))),
        ("size: axis 2", || omit(matrix().size(2))),
        ("item: needs exactly one element, got [2, 3] of 6", || omit(matrix().item())),
        ("reshape: [2, 3] has 6", || omit(matrix().reshape([4]))),
        ("flatten: axis 2", || omit(matrix().flatten(2))),
        ("transpose: axis -3", || omit(matrix().transpose(0, -3))),
        ("permute: the axes [0] do not fit [2, 3]: name each axis exactly once", || omit(matrix().permute(&[0]))),
        ("slice: 1..9 by 1 does not fit axis 1 of [2, 3]", || omit(matrix().slice(1, 1..9))),
        ("slice_step: 0..3 by 0", || omit(matrix().slice_step(1, .., 0))),
        ("narrow: 2..4", || omit(matrix().narrow(1, 2, 2))),
        ("select: index 5 is out of range: 0 ≤ index < 2", || omit(matrix().select(0, 5))),
        ("unsqueeze: axis 3 is out of range for [2, 3, 1]", || omit(matrix().unsqueeze(3))),
        ("squeeze: axis 0 of [2, 3] has size 2", || omit(matrix().squeeze(0))),
        ("expand: [2, 3] does not broadcast to [3] (it has more axes)", || omit(matrix().expand([3]))),
        ("zip: shapes", || omit(matrix().zip(&Tensor::<f32>::zeros([4]), |x, _| x))),
        ("add: shapes do not broadcast: [2, 3] and [3, 1] (axis -2: 2 and 3;", || {
            omit(matrix() + Tensor::zeros([3, 1]))
        }),
        ("sub: shapes", || omit(&matrix() - &Tensor::zeros([4]))),
        ("mul: shapes", || omit(matrix() * &Tensor::zeros([4]))),
        ("div: shapes", || omit(&matrix() / Tensor::zeros([4]))),
        ("eq: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().eq(Tensor::zeros([4])))),
        ("ne: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().ne(Tensor::zeros([4])))),
        ("lt: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().lt(Tensor::zeros([4])))),
        ("le: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().le(Tensor::zeros([4])))),
        ("gt: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().gt(Tensor::zeros([4])))),
        ("ge: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().ge(Tensor::zeros([4])))),
        ("maximum: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().maximum(Tensor::zeros([4])))),
        ("minimum: shapes do not broadcast: [2, 3] and [4]", || omit(matrix().minimum(Tensor::zeros([4])))),
        ("logical_and: shapes", || omit(mask().logical_and(&Tensor::from([true; 4])))),
        ("logical_or: shapes", || omit(mask().logical_or(&Tensor::from([true; 4])))),
        ("logical_xor: shapes", || omit(mask().logical_xor(&Tensor::from([true; 4])))),
        ("where_cond: shapes", || omit(mask().where_cond(Tensor::<f32>::zeros([4]), 0.0))),
        ("add_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x += &Tensor::zeros([4]);
        }),
        ("sub_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x -= &Tensor::zeros([4]);
        }),
        ("mul_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x *= &Tensor::zeros([4]);
        }),
        ("div_assign: [4] does not broadcast to [2, 3]", || {
            let mut x = matrix();
            x /= &Tensor::zeros([4]);
        }),
        ("zip_assign: [4]", || matrix().zip_assign(&Tensor::<f32>::zeros([4]), |x, _| x)),
        ("axpy: [4]", || matrix().axpy(1.0, &Tensor::zeros([4]))),
        ("tanh_backward: needs the shape [2, 3], got [4]", || omit(matrix().tanh_backward(&Tensor::zeros([4])))),
        ("matmul: inner dimensions differ: [2, 3] × [2, 3] (3 ≠ 2)", || omit(matrix().matmul(&matrix()))),
        ("matmul_into: needs the shape [2, 2], got [2, 3]", || {
            matrix().matmul_into(&matrix().t(), &mut matrix(), evenkeel::tensor::Accum::Add);
        }),
        ("dot: needs vectors on both sides", || omit(matrix().dot(&matrix()))),
        ("dot: needs the shape [4], got [5]", || omit(Tensor::<f32>::zeros([4]).dot(&Tensor::zeros([5])))),
        ("outer: needs vectors on both sides", || omit(matrix().outer(&matrix()))),
        ("sum: axis 2", || omit(matrix().sum(2))),
        ("mean: axis 2", || omit(matrix().mean(2))),
        ("prod: axis 2", || omit(matrix().prod(2))),
        ("var: axis 2", || omit(matrix().var(2, 1))),
        ("std: axis -3", || omit(matrix().std(-3, 1))),
        ("var_mean: the axes [0, 0]", || omit(matrix().var_mean([0, 0], 1))),
        ("min: nothing to choose from in [0, 3]", || omit(Tensor::<f32>::zeros([0, 3]).min(0))),
        ("max: axis 2", || omit(matrix().max(2))),
        ("argmin: the axes [0, 1] do not fit [2, 3, 1]: name one axis", || {
            omit(matrix().unsqueeze(2).argmin([0, 1]));
        }),
        ("argmax: nothing to choose from in [0]", || omit(Tensor::<f32>::zeros([0]).argmax(..))),
        ("norm: axis 2", || omit(matrix().norm(2.0, 2))),
        ("any: axis 2", || omit(matrix().map(|x| x > 0.0).any(2))),
        ("all: axis 2", || omit(matrix().map(|x| x > 0.0).all(2))),
        ("count_nonzero: axis 2", || omit(matrix().count_nonzero(2))),
        ("logsumexp: axis 2", || omit(matrix().logsumexp(2))),
        ("cumsum: axis 2", || omit(matrix().cumsum(2))),
        ("cumprod: axis 2", || omit(matrix().cumprod(2))),
        ("sum_to: [4] does not broadcast to [2, 3]", || omit(matrix().sum_to(&Shape::from([4])))),
        ("softmax: axis 2", || omit(matrix().softmax(2))),
        ("log_softmax: axis 2", || omit(matrix().log_softmax(2))),
        ("softmax_backward: needs the shape [2, 3], got [4]", || {
            omit(matrix().softmax_backward(&Tensor::zeros([4]), 0));
        }),
        ("log_softmax_backward: axis 2", || omit(matrix().log_softmax_backward(&matrix(), 2))),
        ("cross_entropy: needs the shape [2], got [1]", || omit(matrix().cross_entropy(&indices()))),
        ("cross_entropy_backward: ", || omit(matrix().cross_entropy_backward(&indices(), &matrix()))),
        ("index_select: index 7 (entry 0", || omit(matrix().index_select(0, &indices()))),
        ("index_add: index 7", || omit(matrix().index_add(0, &indices(), &matrix()))),
        ("embedding: index 7", || omit(matrix().embedding(&indices()))),
        ("arange_step: no step of -1 leads from 0 to 3: a finite one", || omit(Tensor::arange_step(0, 3, -1))),
        ("axis_iter: axis 2", || omit(matrix().axis_iter(2).count())),
        ("split: parts of size 0 do not make up axis 1 of [2, 3]", || omit(matrix().split(1, 0))),
        ("split_sizes: the sizes [1, 1] do not make up axis 1 of [2, 3]: a sum of 3 would", || {
            omit(matrix().split_sizes(1, &[1, 1]))
        }),
        ("chunk: 0 parts", || omit(matrix().chunk(1, 0))),
        ("unbind: axis 2", || omit(matrix().unbind(2))),
        ("movedim: axis 2", || omit(matrix().movedim(0, 2))),
        ("flip: the axes [0, -2] do not fit [2, 3]: name each axis at most once", || omit(matrix().flip(&[0, -2]))),
        ("diagonal: the axes [0, -2] do not fit [2, 3]: name two", || omit(matrix().diagonal(0, 0, -2))),
        ("unfold: windows of 4, one every 1, do not fit axis 1 of [2, 3]: a size of at most 3", || {
            omit(matrix().unfold(1, 4, 1))
        }),
        ("cat: no tensors: at least one is needed", || omit(Tensor::<f32>::cat(&[] as &[Tensor], 0))),
        ("cat: [2, 3] and [3, 2] do not fit along axis 0", || omit(Tensor::cat(&[matrix(), matrix().t()], 0))),
        ("stack: needs the shape [2, 3], got [3, 2]", || omit(Tensor::stack(&[matrix(), matrix().t()], 0))),
        ("stack: axis 3 is out of range for [2, 3, 1]", || omit(Tensor::stack(&[matrix()], 3))),
        ("repeat: [2] does not repeat [2, 3]", || omit(matrix().repeat(&[2]))),
        ("tile: a shape of", || omit(matrix().tile(&[usize::MAX]))),
        ("repeat_interleave: a shape of", || omit(matrix().repeat_interleave(usize::MAX, 0))),
        ("roll: axis 2", || omit(matrix().roll(1, 2))),
        ("gather: indices [1] do not fit [2, 3] along axis 0", || omit(matrix().gather(0, &indices()))),
        ("take: index 7 (entry 0", || omit(matrix().take(&indices()))),
        ("scatter: indices [1] do not fit [2, 3]", || omit(matrix().scatter(0, &indices(), &matrix()))),
        ("scatter_add: index 7", || omit(matrix().scatter_add(0, &indices().unsqueeze(0), &matrix()))),
        ("one_hot: index 7", || omit(Tensor::<f32>::one_hot(&indices(), 7))),
        ("masked_fill: shapes", || omit(matrix().masked_fill(&Tensor::full([4], true), 0.0))),
        ("masked_select: shapes", || omit(matrix().masked_select(&Tensor::full([4], true)))),
        ("sort: axis 2", || omit(matrix().sort(2, false))),
        ("argsort: axis 2", || omit(matrix().argsort(2, false))),
        ("topk: 4 elements along axis 1 of [2, 3], which has 3", || omit(matrix().topk(4, 1, true))),
        ("tril: needs at least two axes", || omit(indices().tril(0))),
        ("triu: needs at least two axes", || omit(indices().triu(0))),
        ("allclose: shapes", || omit(matrix().allclose(&Tensor::zeros([4]), 0.0, 0.0))),
    ];
    for (start, mistake) in mistakes {
        let (message, file) = panic_of(*mistake);
        assert!(message.starts_with(start), "{message:?} does not start with {start:?}");
        assert_eq!(file, file!(), "{message}");
    }
}

#[test]
fn gradients_and_layers_panic_at_the_callers_line() {
    let mistakes: &[Mistake] = &[
        ("add: shapes", || on_tape(|x, y| omit(x + y))),
        ("sub: shapes", || on_tape(|x, y| omit(x - y))),
        ("mul: shapes", || on_tape(|x, y| omit(x * y))),
        ("matmul: inner", || on_tape(|x, y| omit(x.matmul(y)))),
        ("linear: the input [2, 3] does not fit the weight [4, 5]", || on_tape(|x, y| omit(x.linear(y, y.sum(0))))),
        ("linear: the weight [4, 5] needs a bias of [5]", || on_tape(|x, y| omit(y.linear(y, x)))),
        ("reshape: [2, 3]", || on_tape(|x, _| omit(x.reshape([4])))),
        ("flatten: axis 2", || on_tape(|x, _| omit(x.flatten(2)))),
        ("sum: axis 2", || on_tape(|x, _| omit(x.sum(2)))),
        ("mean: axis 2", || on_tape(|x, _| omit(x.mean(2)))),
        ("embedding: index 7", || on_tape(|x, _| omit(x.embedding(&indices())))),
        ("cross_entropy: needs", || on_tape(|x, _| omit(x.cross_entropy(&indices())))),
        ("item: needs", || on_tape(|x, _| omit(x.item()))),
        ("backward: needs", || on_tape(|x, _| omit(x.backward()))),
        ("backward_with: the value is [2, 3]", || on_tape(|x, _| omit(x.backward_with(Tensor::ones([3]))))),
        ("add: its inputs are on two tapes", || omit(Tape::new().leaf(matrix()) + Tape::new().leaf(matrix()))),
        ("named_leaf: the value has changed", || {
            let (tape, id) = (Tape::new(), Id::new());
            tape.named_leaf(id, &matrix());
            tape.named_leaf(id, &matrix());
        }),
        ("the pullback of `wrong` gave", || {
            on_tape(|x, _| omit(x.record("wrong", x.value()).wrt(x, |g| g.sum(0)).done().sum(..).backward()))
        }),
        ("linear: the input [2, 3] does not fit the weight [5, 2]", || {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let layer: Linear = Linear::new(5, 2, &normal(1.0), &mut rng).unwrap();
            layer.forward(Tape::new().constant(matrix()));
        }),
        ("step: no parameter", || {
            let (mut one, other) = (Param::new(matrix()), Param::new(matrix()));
            let gradients = other.on(&Tape::new()).sum(..).backward();
            Sgd::new(0.1).unwrap().step(&mut one, &gradients);
        }),
    ];
    for (start, mistake) in mistakes {
        let (message, file) = panic_of(*mistake);
        assert!(message.starts_with(start), "{message:?} does not start with {start:?}");
        assert_eq!(file, file!(), "{message}");
    }
}
