//! The rows of the table. To add an op is to add a line.

use autograd::{Tape, Var};
use tensor::{
    Accum, Activation, Conv, ConvTranspose, Float, Interpolation, Pad, Pool, Pullback, Resize, Tensor, Update, keepdim,
};

use crate::{Bits, Row, hash};

/// Stamps rows: `"name" result;`, or several results in a tuple or a vector, of `x` and `y`, which have one shape `[r, c]`.
macro_rules! rows {
    ($T:ident, $x:ident, $y:ident: $($name:literal $result:expr;)*) => {
        vec![$((
            $name.to_owned(),
            Box::new(|$x: &Tensor<$T>, $y: &Tensor<$T>| {
                let (_, _) = ($x, $y);
                hash(&$result)
            }),
        )),*]
    };
}

pub(crate) fn rows<T: Float + Bits>() -> Vec<Row<T>> {
    let mut all = elementwise::<T>();
    all.extend(reductions());
    all.extend(by_place());
    all.extend(images());
    all.extend(tape());
    for &f in Activation::ALL {
        all.push((
            f.name().to_owned(),
            Box::new(move |x, y| hash(&(x.activation(f), y.clone().pullback(f, &x.activation(f))))),
        ));
        all.push((format!("large.{}", f.name()), Box::new(move |x, y| both_ways([x, y], |[x, _]| x.activation(f)))));
    }
    all
}

fn of<T: Float>(x: f64) -> T {
    T::from_f64(x)
}

/// Row i mod `below` for each of `len`.
fn places(len: usize, below: usize) -> Tensor<i64> {
    Tensor::from_fn([len], |i| (i[0] * 5 % below) as i64)
}

/// As many rows and columns as a product of all pairs of rows may have.
fn few<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    x.slice(0, ..x.size(0).min(300)).slice(1, ..x.size(1).min(600))
}

fn elementwise<T: Float + Bits>() -> Vec<Row<T>> {
    rows! { T, x, y:
        "add" (x + y, (x + of::<T>(0.7), x + &y.slice(0, ..1)));
        "sub" (x - y, (x - of::<T>(0.7), x.slice(0, ..1) - y.clone()));
        "mul" (x * y, (x * of::<T>(0.7), x * &y.slice(1, ..1)));
        "div" (x / y, (x.slice(0, ..1) / y.clone(), x / of::<T>(0.7)));
        "neg" -x;
        "add_assign" { let mut z = x.clone(); z += y; z -= &y.slice(0, ..1); z *= y; z /= of::<T>(0.7); z };
        "update" {
            // What is kept is the square of y or of other numbers, as a mean of squares is not below 0.
            let [lr, l2, part, eps] = [0.1, 0.01, 0.9, 1e-3].map(of::<T>);
            let take = of(0.1);
            let steps = [
                (0, Update::Descent { lr, l2 }),
                (1, Update::Momentum { lr, l2, momentum: part, one_minus_dampening: take, nesterov: false }),
                (1, Update::Momentum { lr, l2, momentum: part, one_minus_dampening: take, nesterov: true }),
                (2, Update::Moments { one_minus_betas: [take; 2], beta_2: part, l2, decay: part, m_scale: lr, g_scale: l2, v_scale: lr, eps }),
                (3, Update::Moments { one_minus_betas: [take; 2], beta_2: part, l2, decay: part, m_scale: lr, g_scale: l2, v_scale: lr, eps }),
                (1, Update::MeanSquare { lr, l2, alpha: part, one_minus_alpha: take, eps, momentum: part, centered: true }),
                (3, Update::MeanSquare { lr, l2, alpha: part, one_minus_alpha: take, eps, momentum: part, centered: true }),
                (1, Update::SumOfSquares { lr, l2, eps }),
                (2, Update::Ratio { lr, l2, rho: part, one_minus_rho: take, eps }),
                (1, Update::Sign { lr, decay: part, one_minus_betas: [take; 2] }),
            ];
            steps.into_iter().map(|(kept, how)| {
                let (mut w, mut kept) = (x.clone(), vec![y * y; kept]);
                w.update(y, &mut kept, how);
                (w, kept)
            }).collect::<Vec<_>>()
        };
        "axpy" { let mut z = x.clone(); z.axpy(of(0.7), y); z };
        "lerp_assign" { let mut z = x.clone(); z.lerp_assign(y, 0.3); z };
        "square" x.square();
        "abs" x.abs();
        "sign" x.sign();
        "exp" x.exp();
        "exp2" x.exp2();
        "exp_m1" x.exp_m1();
        "ln" x.ln();
        "ln_1p" x.ln_1p();
        "log2" x.log2();
        "sqrt" x.sqrt();
        "rsqrt" x.rsqrt();
        "recip" x.recip();
        "sin" x.sin();
        "cos" x.cos();
        "tan" x.tan();
        "erf" x.erf();
        "floor" x.floor();
        "ceil" x.ceil();
        "trunc" x.trunc();
        "round" x.round();
        "isnan" x.isnan();
        "isinf" x.isinf();
        "isfinite" x.isfinite();
        "nan_to_num" x.nan_to_num(of(1.0), of(2.0), of(3.0));
        "powi" (x.powi(3), x.powi(-2));
        "powf" (x.powf(of(2.5)), x.powf(of(-0.5)));
        "pow" x.pow(y);
        "atan2" x.atan2(y);
        "remainder" (x.remainder(y), x.remainder(of::<T>(0.7)));
        "maximum" x.maximum(y);
        "minimum" x.minimum(y);
        "prelu" x.prelu(&y.slice(0, ..1));
        "clamp" x.clamp(of(-1.0), of(1.0));
        "eq" x.eq(y);
        "ne" x.ne(y);
        "lt" x.lt(y);
        "le" x.le(y);
        "gt" x.gt(y);
        "ge" x.ge(y);
        "logical_and" x.gt(of::<T>(0.0)).logical_and(&y.gt(of::<T>(0.0)));
        "logical_or" x.gt(of::<T>(0.0)).logical_or(&y.gt(of::<T>(0.0)));
        "logical_xor" x.gt(of::<T>(0.0)).logical_xor(&y.gt(of::<T>(0.0)));
        "logical_not" x.gt(of::<T>(0.0)).logical_not();
        "where_cond" x.gt(of::<T>(0.0)).where_cond(x, y);
        "masked_mul" x.clone().masked_mul(&y.gt(of::<T>(0.0)).cast::<T>());
        "masked_fill" x.clone().masked_fill(&y.gt(of::<T>(0.0)), of(7.0));
        "activation" x.activation(Activation::Tanh);
        "cast" (x.cast::<f32>(), (x.cast::<f64>(), x.cast::<i64>()));
    }
}

fn reductions<T: Float + Bits>() -> Vec<Row<T>> {
    rows! { T, x, y:
        "sum" (x.sum(..), (x.sum(0), x.sum(keepdim(1))));
        "sum_to" (x.clone().sum_to(&[1, x.size(1)].into()), x.clone().sum_to(&[x.size(0), 1].into()));
        "prod" (x.prod(..), (x.prod(0), x.prod(1)));
        "mean" (x.mean(..), (x.mean(0), x.mean(1)));
        "var" (x.var(.., 1), (x.var(0, 1), x.var(1, 0)));
        "std" (x.std(.., 1), (x.std(0, 1), x.std(1, 0)));
        "var_mean" (x.var_mean(.., 1), (x.var_mean(0, 1), x.var_mean(1, 0)));
        "min" (x.min(..), (x.min(0), x.min(1)));
        "max" (x.max(..), (x.max(0), x.max(1)));
        "argmin" (x.argmin(..), (x.argmin(0), x.argmin(1)));
        "argmax" (x.argmax(..), (x.argmax(0), x.argmax(1)));
        "min_with_indices" (x.min_with_indices(0), x.min_with_indices(1));
        "max_with_indices" (x.max_with_indices(0), x.max_with_indices(1));
        "any" (x.gt(of::<T>(2.9)).any(0), x.gt(of::<T>(2.9)).any(1));
        "all" (x.gt(of::<T>(-2.9)).all(0), x.gt(of::<T>(-2.9)).all(1));
        "count_nonzero" (x.count_nonzero(0), x.count_nonzero(1));
        "norm_f64" Tensor::scalar(of::<T>(x.norm_f64()));
        "norm" vec![x.norm(2.0, 0), x.norm(2.0, 1), x.norm(1.0, ..), x.norm(3.0, 1), x.norm(f64::INFINITY, 0), x.norm(0.0, 1)];
        "logsumexp" (x.logsumexp(..), (x.logsumexp(0), x.logsumexp(1)));
        "cumsum" (x.cumsum(0), x.cumsum(1));
        "cumprod" (x.cumprod(0), x.cumprod(1));
        "median" (x.median(0), x.median(1));
        "quantile" (x.quantile(0.3, 0), x.quantile(0.8, 1));
        "trace" few(x).matmul(&few(x).t()).trace();
        "softmax" (x.softmax(0), x.softmax(1));
        "log_softmax" (x.log_softmax(0), x.log_softmax(1));
        "cross_entropy" x.cross_entropy(&places(x.size(0), x.size(1)));
        "pullback" vec![
            x.clone().pullback(Pullback::Softmax(0), &y.softmax(0)),
            x.clone().pullback(Pullback::Softmax(1), &y.softmax(1)),
            x.clone().pullback(Pullback::LogSoftmax(0), &y.log_softmax(0)),
            x.clone().pullback(Pullback::LogSoftmax(1), &y.log_softmax(1)),
            x.select(1, 0).pullback(Pullback::CrossEntropy(&places(x.size(0), x.size(1))), &y.softmax(1)),
        ];
        "matmul" vec![
            few(x).matmul(&few(y).t()),
            few(x).t().matmul(&few(y)),
            few(x).matmul(&few(y).t().contiguous()),
            few(x).t().contiguous().matmul(&few(y)),
            x.matmul(&y.t().narrow(1, 0, 1)),
            x.t().matmul(&y.narrow(1, 0, 1)),
        ];
        "linear" vec![few(x).linear(&few(y).t(), &few(y).select(1, 0))];
        "matmul_into" {
            let (a, b) = (few(x), few(y).t());
            let mut out = a.matmul(&b);
            a.matmul_into(&b, &mut out, Accum::Add);
            out
        };
        "dot" x.reshape([x.numel()]).dot(&y.reshape([y.numel()]));
        "outer" few(x).select(1, 0).outer(&few(y).select(0, 0));
        "tensordot" few(x).tensordot(&few(y), &[1], &[1]);
        "einsum" vec![
            Tensor::einsum("ij,kj->ik", &[&few(x), &few(y)]),
            Tensor::einsum("ij,ij->i", &[x, y]),
            Tensor::einsum("ij,ij->ji", &[x, y]),
        ];
    }
}

/// What brings elements to other places, and chooses among them.
fn by_place<T: Float + Bits>() -> Vec<Row<T>> {
    rows! { T, x, y:
        "slice_assign" x.clone().slice_assign(0, ..1, y.slice(0, ..1));
        "slice_add" x.clone().slice_add(1, 1.., y.slice(1, 1..));
        "index_copy" x.clone().index_copy(0, &places(1, x.size(0)), &y.slice(0, ..1));
        "index_put" x.clone().index_put(&[&places(2, x.size(0))], of::<T>(7.0));
        "masked_scatter" x.clone().masked_scatter(&x.gt(of::<T>(0.0)), y);
        "pad" x.pad(&[(1, 0), (0, 2)], of::<T>(7.0));
        "gather" x.gather(1, &places(x.size(0), x.size(1)).unsqueeze(1));
        "take" x.take(&places(10, x.numel()));
        "scatter" x.clone().scatter(0, &places(x.size(1), x.size(0)).unsqueeze(0), y);
        "scatter_add" x.clone().scatter_add(0, &places(x.size(1), x.size(0)).unsqueeze(0), y);
        "one_hot" Tensor::<T>::one_hot(&places(7, 5), 5);
        "index_select" x.index_select(0, &places(7, x.size(0)));
        "embedding" x.embedding(&places(7, x.size(0)));
        "index_add" x.clone().index_add(0, &places(2 * x.size(0), x.size(0)), &Tensor::cat(&[x, y], 0));
        "cat" Tensor::cat(&[x, y], 1);
        "stack" Tensor::stack(&[x, y], 1);
        "repeat" few(x).repeat(&[2, 3]);
        "tile" few(x).tile(&[2]);
        "repeat_interleave" few(x).repeat_interleave(2, 1);
        "roll" x.roll(3, 1);
        "diag" few(x).select(1, 0).diag(1);
        "meshgrid" Tensor::meshgrid(&[&few(x).select(1, 0), &few(y).select(0, 0)]);
        "tril" x.tril(0);
        "triu" x.triu(1);
        "masked_select" x.masked_select(&y.gt(of::<T>(0.0)));
        "nonzero" few(x).nonzero();
        "unique" few(x).unique();
        "unique_with_counts" few(x).unique_with_counts();
        "searchsorted" few(x).reshape([few(x).numel()]).sort(0, false).0.searchsorted(&few(y), true);
        "bincount" places(20, 7).bincount(3);
        "sort" (x.sort(0, false), x.sort(1, true));
        "argsort" x.argsort(1, false);
        "topk" x.topk(x.size(1).min(3), 1, true);
        "keyed_uniform" Tensor::<T>::keyed_uniform(&[7; 32], x.shape(), of(-0.1), of(0.7)).unwrap();
        "keyed_normal" Tensor::<T>::keyed_normal(&[7; 32], x.shape(), of(0.1), of(0.7)).unwrap();
        "keyed_mask" Tensor::<T>::keyed_mask(&[7; 32], x.shape(), 0.3).unwrap();
        "linspace" Tensor::<T>::linspace(of(-0.1), of(0.7), x.size(1));
        "arange_step" Tensor::<T>::arange_step(of(-0.1), of(0.7), of(0.01));
    }
}

/// A weight of this shape, of numbers between −1 and 1.
fn filter<T: Float>(dims: &[usize]) -> Tensor<T> {
    let mut i = 0;
    Tensor::from_fn(dims, |_| {
        i = (i * 37 + 11) % 101;
        of(f64::from(i) / 50.0 - 1.0)
    })
}

/// One image of one channel.
fn image<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    x.reshape([1, 1, x.size(0), x.size(1)])
}

/// The rows as channels of one signal.
fn signal<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    x.unsqueeze(0)
}

fn pool() -> Pool<2> {
    Pool::new([2, 3]).stride([1, 2]).padding(1)
}

fn images<T: Float + Bits>() -> Vec<Row<T>> {
    rows! { T, x, y:
        "conv1d" vec![
            signal(x).conv1d(&filter(&[5, x.size(0), 3]), &filter(&[5]), Conv::default().padding(1)),
            signal(x).conv1d(&filter(&[x.size(0), 1, 3]), None, Conv::default().padding(2).dilation(2).groups(x.size(0))),
        ];
        "conv2d" vec![
            image(x).conv2d(&filter(&[19, 1, 3, 3]), None, Conv::default().padding(1)),
            Tensor::stack(&[x, y], 0).conv2d(&filter(&[3, 2, 1, 1]), None, Conv::default().stride([1, 2])),
        ];
        "conv3d" image(x).unsqueeze(0).conv3d(&filter(&[2, 1, 1, 2, 3]), None, Conv::default().padding(1));
        "conv_transpose1d" signal(x).conv_transpose1d(&filter(&[x.size(0), 4, 3]), &filter(&[4]), ConvTranspose::default().stride(2));
        "conv_transpose2d" image(x).conv_transpose2d(&filter(&[1, 3, 2, 2]), None, ConvTranspose::default().stride([1, 2]));
        "conv_transpose3d" image(x).unsqueeze(0).conv_transpose3d(&filter(&[1, 2, 2, 1, 2]), None, ConvTranspose::default());
        "conv_input" {
            let w = filter(&[5, x.size(0), 3]);
            let moves = signal(x).conv_moves("conv1d", &w, None, Conv::<1>::default().padding(1));
            signal(x).conv(&w, None, &moves).conv_input(&w, None, &moves)
        };
        "conv_weight" {
            let (x, y) = (few(x), few(y));
            let w = filter(&[y.size(0), x.size(0), 3]);
            let moves = signal(&x).conv_moves("conv1d", &w, None, Conv::<1>::default().padding(1));
            signal(&y).conv_weight(&signal(&x), &moves)
        };
        "max_pool" image(x).max_pool(pool());
        "max_pool_with_indices" image(x).max_pool_with_indices(pool());
        "max_pool_backward" image(x).max_pool(pool()).max_pool_backward(&image(x), pool());
        "avg_pool" image(x).avg_pool(pool());
        "avg_pool_backward" image(x).avg_pool(pool()).avg_pool_backward(image(x).shape(), pool());
        "adaptive_avg_pool" image(x).adaptive_avg_pool([2, 3]);
        "adaptive_max_pool" image(x).adaptive_max_pool([2, 3]);
        "interpolate" vec![
            image(x).interpolate(Resize::to([3, 7], Interpolation::Linear)),
            signal(x).interpolate(Resize::<1>::by(1.5, Interpolation::Cubic)),
        ];
        "im2col" image(x).im2col([2, 3], Conv::default().padding(1));
        "col2im" image(x).im2col([2, 3], Conv::default().padding(1)).col2im([x.size(0), x.size(1)], [2, 3], Conv::default().padding(1));
        "pixel_shuffle" Tensor::stack(&[x, y, x, y], 0).pixel_shuffle(2);
        "pixel_unshuffle" Tensor::stack(&[x, y, x, y], 0).pixel_shuffle(2).pixel_unshuffle(2);
        "pad: edges" vec![x.pad(&[(0, 0), (1, 1)], Pad::Replicate), x.pad(&[(1, 0), (0, 1)], Pad::Circular)];
    }
}

/// The result of an op of the tape and the gradients of both inputs, for one of the result that varies.
fn both_ways<T: Float + Bits>(inputs: [&Tensor<T>; 2], op: impl for<'t> FnOnce([Var<'t, T>; 2]) -> Var<'t, T>) -> u64 {
    let tape = Tape::default();
    tape.seed(42, 0);
    let inputs = inputs.map(|x| tape.leaf(x.clone()));
    let y = op(inputs);
    let mut i = 0;
    let seed = Tensor::from_fn(y.shape(), |_| {
        i = (i * 5 + 3) % 64;
        of(i as f64 / 23.0 - 1.3)
    });
    let gradients = y.backward_with(seed);
    let of_inputs: Vec<Tensor<T>> = inputs.into_iter().filter_map(|x| gradients.get(x).cloned()).collect();
    hash(&(y.value(), of_inputs))
}

/// Stamps rows of the tape: `"name" result;` of the variables `x` and `y`.
macro_rules! tape_rows {
    ($T:ident, $x:ident, $y:ident: $($name:literal $result:expr;)*) => {
        vec![$((
            $name.to_owned(),
            Box::new(|x: &Tensor<$T>, y: &Tensor<$T>| both_ways([x, y], |[$x, $y]| {
                let _ = $y;
                $result
            })),
        )),*]
    };
}

/// Ops of the tape at the sizes of this table, those that threads share among them. All of its ops, at smaller ones, are the rows `tape.…`,
/// which come from the table that their gradients are proven by.
/// Probabilities of this shape.
fn share<T: Float>(dims: &[usize]) -> Tensor<T> {
    Tensor::keyed_uniform(&[7; 32], dims, of(0.1), of(0.9)).unwrap()
}

fn tape<T: Float + Bits>() -> Vec<Row<T>> {
    let mut all: Vec<Row<T>> = tape_rows! { T, x, y:
        "large.add" x + y + of::<T>(0.7);
        "large.sub" x - y - of::<T>(0.7);
        "large.mul" x * y * of::<T>(0.7);
        "large.div" x / y / of::<T>(0.7);
        "large.neg" -x;
        "large.scale" x.scale(of(0.7));
        "large.sum" x.sum(1) + y.sum(1);
        "large.mean" x.mean(0) + y.mean(0);
        "large.softmax" x.softmax(1) * y.softmax(0);
        "large.log_softmax" x.log_softmax(1) * y.log_softmax(0);
        "large.reshape" x.reshape([x.shape().numel()]);
        "large.flatten" x.flatten(0);
        "large.dropout" x.dropout(0.3);
        "large.randn" x + x.tape().randn(x.shape());
        "large.uniform" x + x.tape().uniform(x.shape(), -2.0, 3.0);
        "large.bernoulli" x * x.tape().bernoulli(&share(x.shape().dims()));
        "large.multinomial" x.index_select(0, &x.tape().multinomial(&share(&x.shape().dims()[..1]), x.shape().dims()[0], true));
        "large.multinomial: no class twice" x.index_select(0, &x.tape().multinomial(&share(&x.shape().dims()[..1]), 1, false));
        "large.cross_entropy" x.cross_entropy(&places(x.shape().dims()[0], x.shape().dims()[1]));
        "large.embedding" x.embedding(&places(40, x.shape().dims()[0]));
    };
    // Products, of few rows and columns.
    let small: Vec<Row<T>> = vec![
        ("large.matmul".to_owned(), Box::new(|x, y| both_ways([&few(x), &few(y).t()], |[x, y]| x.matmul(y)))),
        (
            "large.linear".to_owned(),
            Box::new(|x, y| {
                let (x, w) = (few(x), few(y).t());
                let bias = w.select(0, 0);
                both_ways([&x, &w], |[x, w]| {
                    let bias = x.tape().leaf(bias.clone());
                    x.linear(w, bias)
                })
            }),
        ),
        ("large.batch_norm".to_owned(), Box::new(|x, y| normalized(x, y, |[x, w, b]| x.batch_norm(w, b, 1e-5).0))),
        (
            "large.batch_norm_by".to_owned(),
            Box::new(|x, y| normalized(x, y, |[x, w, b]| x.batch_norm_by(b, w * w, w, b, 1e-5))),
        ),
        ("large.layer_norm".to_owned(), Box::new(|x, y| normalized(x, y, |[x, w, b]| x.layer_norm(w, b, 1e-5)))),
    ];
    all.extend(small);
    all
}

/// A norm of `x`, of which it needs two rows, with a weight and a bias of rows of `y`.
fn normalized<T: Float + Bits>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    norm: impl for<'t> Fn([Var<'t, T>; 3]) -> Var<'t, T>,
) -> u64 {
    let x = if x.size(0) < 2 { Tensor::cat(&[x, y], 0) } else { x.clone() };
    let (weight, bias) = (y.select(0, 0), y.select(0, -1));
    both_ways([&x, &weight], |[x, weight]| {
        let bias = x.tape().leaf(bias.clone());
        norm([x, weight, bias])
    })
}
