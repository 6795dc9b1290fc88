//! The rows: what is measured of each op. `ops.py` has the same names, as PyTorch computes them.

use std::hint::black_box;

use evenkeel::autograd::{
    Attention, Bce, CellParams, CrossEntropy, Ctc, Focal, GaussianNll, KlDiv, NllLoss, PoissonNll, Reduction, Steps,
    TripletMargin, Var,
};
use evenkeel::prelude::*;
use evenkeel::tensor::{
    Accum, Activation, Conv, ConvTranspose, Interpolation, Pad, Pool, Pullback, Resize, Update, keepdim,
};

use crate::data::Data;

/// An op of the tape, which is measured forward, and there and back; or one of tensors, which is measured forward.
pub(crate) enum Op {
    OfTape(Box<dyn for<'t> Fn(&On<'t>) -> Var<'t>>),
    OfTensors(Box<dyn Fn(&Data)>),
}

pub(crate) struct Row {
    /// The name of the method, and what more there is to say behind a colon.
    pub(crate) name: String,
    /// Whether it is of matrices alone, and not of more axes.
    pub(crate) matrix: bool,
    pub(crate) op: Op,
}

/// What an op of the tape is given: leaves, and data that has no gradient.
pub(crate) struct On<'t> {
    pub(crate) x: Var<'t>,
    pub(crate) y: Var<'t>,
    /// From 0.1 to 0.9.
    pub(crate) share: Var<'t>,
    /// As many as x has columns.
    pub(crate) row: Var<'t>,
    /// As many as x has rows, each a row of one.
    pub(crate) column: Var<'t>,
    /// Weights of a cell that reads 16 columns and keeps 16.
    pub(crate) w_ih: Var<'t>,
    pub(crate) w_hh: Var<'t>,
    pub(crate) data: &'t Data,
}

/// Lets the compiler see that the function is one for every lifetime.
fn of_tape(f: impl for<'t> Fn(&On<'t>) -> Var<'t> + 'static) -> Op {
    Op::OfTape(Box::new(f))
}

macro_rules! of_tape {
    ($matrix:literal |$o:ident| $($name:literal $result:expr;)*) => {
        vec![$(Row { name: $name.to_owned(), matrix: $matrix, op: of_tape(|$o| $result) }),*]
    };
}

macro_rules! of_tensors {
    ($matrix:literal |$d:ident| $($name:literal $result:expr;)*) => {
        vec![$(Row {
            name: $name.to_owned(),
            matrix: $matrix,
            op: Op::OfTensors(Box::new(|$d| _ = black_box($result))),
        }),*]
    };
}

pub(crate) fn rows() -> Vec<Row> {
    let mut all = elementwise();
    all.extend(whole());
    all.extend(by_place());
    all.extend(images());
    all.extend(losses());
    all.extend(of_matrices());
    all.extend(tensors());
    all.extend(tensors_of_matrices());
    for &f in Activation::ALL {
        all.push(Row { name: f.name().to_owned(), matrix: false, op: of_tape(move |o| o.x.activation(f)) });
    }
    all
}

fn elementwise() -> Vec<Row> {
    of_tape! { false |o|
        "add" o.x + o.y;
        "add: row" o.x + o.row;
        "add: column" o.x + o.column;
        "add: number" o.x + 0.7;
        "sub" o.x - o.y;
        "sub: row" o.x - o.row;
        "mul" o.x * o.y;
        "mul: row" o.x * o.row;
        "mul: column" o.x * o.column;
        "div" o.x / o.share;
        "div: row" o.x / o.row;
        "div: column" o.x / o.column;
        "neg" -o.x;
        "scale" o.x.scale(2.5);
        "square" o.x.square();
        "powi: 3" o.x.powi(3);
        "powi: -2" o.share.powi(-2);
        "powf: 2.5" o.share.powf(2.5);
        "pow" o.share.pow(o.y);
        "sqrt" o.share.sqrt();
        "rsqrt" o.share.rsqrt();
        "recip" o.share.recip();
        "exp" o.x.exp();
        "exp_m1" o.x.exp_m1();
        "ln" o.share.ln();
        "ln_1p" o.share.ln_1p();
        "sin" o.x.sin();
        "cos" o.x.cos();
        "erf" o.x.erf();
        "abs" o.x.abs();
        "clamp" o.x.clamp(-0.5, 0.8);
        "maximum" o.x.maximum(o.y);
        "maximum: number" o.x.maximum(0.01);
        "minimum" o.x.minimum(o.y);
        "where_cond" o.x.where_cond(&o.data.mask, o.y);
        "masked_fill" o.x.masked_fill(&o.data.mask, 7.0);
        "chain" o.x.chain([2.0, 3.0], |by, h| (h * by).tanh());
        "scoped" o.x.scoped(|x| x.tanh() * x);
        "recomputed" o.x.recomputed(|x| x.tanh() * x.sin());
        "dropout" o.x.dropout(0.3);
        "randn" o.x * o.x.tape().randn(o.x.shape());
        "uniform" o.x * o.x.tape().uniform(o.x.shape(), -1.0, 1.0);
        "bernoulli" o.x * o.x.tape().bernoulli(&o.share.value());
        "multinomial" o.x.flatten(0).gather(0, &o.x.tape().multinomial(&o.share.flatten(0).value(), 64, true));
        "multinomial: no class twice" o.x.flatten(0).gather(0, &o.x.tape().multinomial(&o.share.flatten(0).value(), 64, false));
        "detach" o.x + o.x.detach();
        "activation" o.x.activation(Activation::Tanh);
        "glu" o.x.glu(-1);
        "softmax: last" o.x.softmax(-1);
        "softmax: first" o.x.softmax(0);
        "softmax: second" o.x.softmax(1);
        "log_softmax: last" o.x.log_softmax(-1);
        "log_softmax: first" o.x.log_softmax(0);
        "normalize: last" o.x.normalize(-1, 1e-12);
        "normalize: first" o.x.normalize(0, 1e-12);
        "layer_norm" o.x.layer_norm(o.row, o.row, 1e-5);
        "rms_norm" o.x.rms_norm(o.row, 1e-5);
    }
}

fn whole() -> Vec<Row> {
    of_tape! { false |o|
        "sum" o.x.sum(..);
        "sum: first" o.x.sum(0);
        "sum: last" o.x.sum(-1);
        "mean" o.x.mean(..);
        "mean: first" o.x.mean(0);
        "mean: last, kept" o.x.mean(keepdim(-1));
        "var" o.x.var(.., 1);
        "var: first" o.x.var(0, 1);
        "var: last" o.x.var(-1, 1);
        "std" o.x.std(.., 1);
        "std: last" o.x.std(-1, 1);
        "max: first" o.x.max(0);
        "max: last" o.x.max(-1);
        "min: last" o.x.min(-1);
        "prod: first" o.x.prod(0);
        "prod: last" o.x.prod(-1);
        "norm" o.x.norm(2.0, ..);
        "norm: last" o.x.norm(2.0, -1);
        "norm: first" o.x.norm(2.0, 0);
        "norm: 1" o.x.norm(1.0, -1);
        "norm: 3" o.x.norm(3.0, -1);
        "norm: infinity" o.x.norm(f64::INFINITY, -1);
        "logsumexp: first" o.x.logsumexp(0);
        "logsumexp: last" o.x.logsumexp(-1);
        "cumsum: first" o.x.cumsum(0);
        "cumsum: last" o.x.cumsum(-1);
        "cosine_similarity" o.x.cosine_similarity(o.y, -1, 1e-8);
    }
}

fn by_place() -> Vec<Row> {
    of_tape! { false |o|
        "reshape" o.x.reshape([o.data.x.numel()]);
        "flatten" o.x.flatten(0);
        "t" o.x.t();
        "transpose" o.x.transpose(0, -1);
        "permute" if o.data.x.rank() == 2 { o.x.permute(&[1, 0]) } else { o.x.permute(&[2, 0, 1]) };
        "slice" o.x.slice(-1, 1..3);
        "slice: rows" o.x.slice(0, 1..3);
        "slice_step" o.x.slice_step(-1, 1.., 2);
        "narrow" o.x.narrow(-1, 1, 2);
        "select" o.x.select(-1, 1);
        "unsqueeze" o.x.unsqueeze(-1);
        "squeeze" o.column.squeeze(-1);
        "expand: row" o.row.expand(o.data.x.shape());
        "expand: column" o.column.expand(o.data.x.shape());
        "flip" o.x.flip(&[0, -1]);
        "roll: last" o.x.roll(3, -1);
        "roll: first" o.x.roll(3, 0);
        "pad" o.x.pad(&vec![(1, 2); o.data.x.rank()], 7.0);
        "cat: first" Var::cat(&[o.x, o.y], 0);
        "cat: last" Var::cat(&[o.x, o.y], -1);
        "stack" Var::stack(&[o.x, o.y], 1);
        "split" { let parts = o.x.split(&[1, o.data.row.numel() - 1], -1); parts[1] };
        "chunk" { let parts = o.x.chunk(2, -1); parts[0] * parts[1] };
        "index_select: first" o.x.index_select(0, &o.data.rows);
        "index_select: last" o.x.index_select(-1, &o.data.columns);
        "gather: first" o.x.gather(0, &o.data.at_rows);
        "gather: last" o.x.gather(-1, &o.data.at_columns);
        "scatter_add: first" o.x.scatter_add(0, &o.data.at_rows, o.y);
        "scatter_add: last" o.x.scatter_add(-1, &o.data.at_columns, o.y);
        "masked_select" o.x.masked_select(&o.data.mask);
        "tril" o.x.tril(0);
        "triu" o.x.triu(1);
        "sort: last" o.x.sort(-1, false).0;
        "topk" o.x.topk(2, -1, true).0;
    }
}

/// As images of four channels of 32 × 32.
fn image<'t>(x: Var<'t>) -> Var<'t> {
    x.reshape([x.shape().numel() / 4096, 4, 32, 32])
}

/// As many numbers as a weight of this shape takes.
fn filter<'t>(x: Var<'t>, dims: &[usize]) -> Var<'t> {
    x.flatten(0).slice(0, ..dims.iter().product::<usize>()).reshape(dims)
}

fn images() -> Vec<Row> {
    of_tape! { false |o|
        "conv1d" image(o.x).reshape([o.x.shape().numel() / 4096, 4, 1024]).conv1d(filter(o.y, &[8, 4, 9]), None, Conv::default().padding(4));
        "conv2d" image(o.x).conv2d(filter(o.y, &[4, 4, 3, 3]), None, Conv::default().padding(1));
        "conv2d: depthwise" image(o.x).conv2d(filter(o.y, &[4, 1, 3, 3]), None, Conv::default().padding(1).groups(4));
        "conv2d: stride" image(o.x).conv2d(filter(o.y, &[8, 4, 3, 3]), None, Conv::default().padding(1).stride(2));
        "conv3d" image(o.x).unsqueeze(1).conv3d(filter(o.y, &[2, 1, 3, 3, 3]), None, Conv::default().padding(1));
        "conv_transpose1d" {
            let x = image(o.x).reshape([o.x.shape().numel() / 4096, 4, 1024]);
            x.conv_transpose1d(filter(o.y, &[4, 4, 4]), None, ConvTranspose::default().stride(2))
        };
        "conv_transpose2d" image(o.x).conv_transpose2d(filter(o.y, &[4, 4, 2, 2]), None, ConvTranspose::default().stride(2));
        "conv_transpose3d" image(o.x).unsqueeze(1).conv_transpose3d(filter(o.y, &[1, 2, 3, 3, 3]), None, ConvTranspose::default());
        "dropout_channels" image(o.x).dropout_channels(0.3);
        "max_pool" image(o.x).max_pool(Pool::<2>::new(2));
        "max_pool: overlapping" image(o.x).max_pool(Pool::<2>::new(3).stride(2).padding(1));
        "avg_pool" image(o.x).avg_pool(Pool::<2>::new(2));
        "adaptive_avg_pool" image(o.x).adaptive_avg_pool([7, 7]);
        "adaptive_avg_pool: one" image(o.x).adaptive_avg_pool([1, 1]);
        "adaptive_max_pool" image(o.x).adaptive_max_pool([7, 7]);
        "interpolate: nearest" image(o.x).interpolate(Resize::<2>::by(2.0, Interpolation::Nearest));
        "interpolate: linear" image(o.x).interpolate(Resize::<2>::by(2.0, Interpolation::Linear));
        "pixel_shuffle" image(o.x).pixel_shuffle(2);
        "pixel_unshuffle" image(o.x).pixel_unshuffle(2);
        "im2col" image(o.x).im2col([3, 3], Conv::default().padding(1));
        "col2im" image(o.x).reshape([o.x.shape().numel() / 4096, 4, 1024]).col2im([64, 64], 2, Conv::default().stride(2));
        "pad: reflect" image(o.x).pad(&[(0, 0), (0, 0), (1, 1), (1, 1)], Pad::Reflect);
    }
}

fn losses() -> Vec<Row> {
    of_tape! { false |o|
        "mse_loss" o.x.mse_loss(o.y);
        "mse_loss_with" o.x.mse_loss_with(o.y, Reduction::None);
        "l1_loss" o.x.l1_loss(o.y);
        "l1_loss_with" o.x.l1_loss_with(o.y, Reduction::Sum);
        "huber_loss" o.x.huber_loss(o.y, 0.7, Reduction::Mean);
        "smooth_l1_loss" o.x.smooth_l1_loss(o.y, 0.7, Reduction::Mean);
        "bce_loss" o.share.bce_loss(&o.data.share);
        "bce_with_logits_loss" o.x.bce_with_logits_loss(&o.data.share);
        "bce_loss_with" o.share.bce_loss_with(&o.data.share, Bce { weight: Some(&o.data.row), ..Bce::default() });
        "bce_with_logits_loss_with" {
            o.x.bce_with_logits_loss_with(&o.data.share, Bce { pos_weight: Some(&o.data.row), ..Bce::default() })
        };
        "kl_div" o.x.kl_div(&o.data.share, KlDiv::default());
        "hinge_loss" o.x.hinge_loss(&o.data.signs, Reduction::Mean);
        "hinge_embedding_loss" o.x.hinge_embedding_loss(&o.data.signs, 1.0, Reduction::Mean);
        "gaussian_nll_loss" o.x.gaussian_nll_loss(&o.data.y, o.share, GaussianNll::default());
        "pairwise_distance" o.x.pairwise_distance(&o.data.y, 2.0, 1e-6);
        "triplet_margin_loss" o.x.triplet_margin_loss(&o.data.y, &o.data.share, TripletMargin::default());
        "negative_binomial_nll_loss" o.x.negative_binomial_nll_loss(&o.data.share, 2.5, Reduction::Mean);
        "sigmoid_focal_loss" o.x.sigmoid_focal_loss(&o.data.share, Focal::default());
        "ctc_loss" o.x.unsqueeze(0).log_softmax(-1).ctc_loss(&Tensor::from([[1, 2]]), Ctc::default());
        "poisson_nll_loss" o.x.poisson_nll_loss(&o.data.share, PoissonNll::default());
    }
}

fn of_matrices() -> Vec<Row> {
    of_tape! { true |o|
        "prelu" o.x.prelu(o.row);
        "batch_norm" o.x.batch_norm(o.row, o.row, 1e-5).0;
        "batch_norm_by" o.x.batch_norm_by(o.row, o.row, o.row, o.row, 1e-5);
        "group_norm" o.x.group_norm(4, o.row, o.row, 1e-5);
        "diagonal" o.x.diagonal(0, 0, 1);
        "repeat" o.x.repeat(&[2, 3]);
        "embedding" o.x.embedding(&o.data.rows);
        "embedding_with_padding" o.x.embedding_with_padding(&o.data.rows, 0);
        "dot" o.row.dot(o.row);
        "outer" o.row.outer(o.row.slice(0, ..16));
        "matmul" o.x.matmul(o.y.slice(0, ..16).t());
        "matmul: turned" o.x.t().matmul(o.y.slice(1, ..16));
        "matmul: vector" o.x.matmul(o.row);
        "matmul: vector, turned" o.x.t().matmul(o.column.squeeze(-1));
        "linear" o.x.linear(o.y.slice(0, ..16).t(), o.row.slice(0, ..16));
        "einsum" Var::einsum("ij,ij->i", &[o.x, o.y]);
        "attention" o.x.slice(0, ..16).attention(o.y.slice(0, ..16), o.y.slice(0, ..16), Attention::default());
        "rnn_cell" o.x.slice(1, ..16).rnn_cell(o.y.slice(1, ..16), cell(o, 16));
        "gru_cell" o.x.slice(1, ..16).gru_cell(o.y.slice(1, ..16), cell(o, 48));
        "lstm_cell" o.x.slice(1, ..16).lstm_cell((o.y.slice(1, ..16), o.y.slice(1, ..16)), cell(o, 64)).0;
        "rnn_relu_cell" o.x.slice(1, ..16).rnn_relu_cell(o.y.slice(1, ..16), cell(o, 16));
        "rnn_tanh" sequence(o).rnn_tanh(None, cell(o, 16), Steps::default()).0;
        "rnn_relu" sequence(o).rnn_relu(None, cell(o, 16), Steps::default()).0;
        "gru" sequence(o).gru(None, cell(o, 48), Steps::default()).0;
        "lstm" sequence(o).lstm(None, cell(o, 64), Steps::default()).0;
        "cross_entropy" o.x.cross_entropy(&o.data.classes);
        "cross_entropy_with: smoothing" {
            let options = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
            o.x.cross_entropy_with(&o.data.classes, options)
        };
        "cross_entropy_with: weight" {
            let options = CrossEntropy { weight: Some(&o.data.row), ..CrossEntropy::default() };
            o.x.cross_entropy_with(&o.data.classes, options)
        };
        "soft_cross_entropy" o.x.soft_cross_entropy(&o.data.share, CrossEntropy::default());
        "nll_loss" o.x.nll_loss(&o.data.classes);
        "nll_loss_with" o.x.nll_loss_with(&o.data.classes, NllLoss { weight: Some(&o.data.row), ..NllLoss::default() });
        "cosine_embedding_loss" {
            o.x.cosine_embedding_loss(o.y, &o.data.signs_of_rows, 0.1, Reduction::Mean)
        };
    }
}

fn cell<'t>(o: &On<'t>, gates: usize) -> CellParams<'t, f32> {
    let [w_ih, w_hh] = [o.w_ih, o.w_hh].map(|w| w.slice(1, ..gates));
    CellParams { w_ih, w_hh, b_ih: None, b_hh: None }
}

/// The rows as one sequence.
fn sequence<'t>(o: &On<'t>) -> Var<'t> {
    o.x.slice(1, ..16).unsqueeze(0)
}

/// What the tape has not.
fn tensors() -> Vec<Row> {
    of_tensors! { false |d|
        "contiguous" d.x.contiguous();
        "contiguous: flipped" d.x.flip(&[0, -1]).contiguous();
        "contiguous: turned" d.x.transpose(0, -1).contiguous();
        "exp2" d.x.exp2();
        "log2" d.share.log2();
        "tan" d.x.tan();
        "floor" d.x.floor();
        "ceil" d.x.ceil();
        "trunc" d.x.trunc();
        "round" d.x.round();
        "sign" d.x.sign();
        "isnan" d.x.isnan();
        "isinf" d.x.isinf();
        "isfinite" d.x.isfinite();
        "nan_to_num" d.x.nan_to_num(0.0, 1.0, -1.0);
        "atan2" d.x.atan2(&d.y);
        "remainder" d.x.remainder(&d.share);
        "eq" d.x.eq(&d.y);
        "ne" d.x.ne(&d.y);
        "lt" d.x.lt(&d.y);
        "lt: row" d.x.lt(&d.row);
        "le" d.x.le(&d.y);
        "gt" d.x.gt(&d.y);
        "gt: number" d.x.gt(0.0);
        "ge" d.x.ge(&d.y);
        "logical_and" d.mask.logical_and(&d.other_mask);
        "logical_or" d.mask.logical_or(&d.other_mask);
        "logical_xor" d.mask.logical_xor(&d.other_mask);
        "logical_not" d.mask.logical_not();
        "masked_mul" d.x.clone().masked_mul(&d.ones);
        "cast: f64" d.x.cast::<f64>();
        "cast: i64" d.x.cast::<i64>();
        "cast: of truth values" d.mask.cast::<f32>();
        "axpy" { let mut z = d.x.clone(); z.axpy(0.7, &d.y); z };
        "lerp_assign" { let mut z = d.x.clone(); z.lerp_assign(&d.y, 0.3); z };
        "sum_to" d.x.clone().sum_to(d.row.shape());
        "var_mean" d.x.var_mean(-1, 1);
        "argmin" d.x.argmin(-1);
        "argmax: first" d.x.argmax(0);
        "argmax: last" d.x.argmax(-1);
        "max: all" d.x.max(..);
        "min_with_indices" d.x.min_with_indices(-1);
        "max_with_indices" d.x.max_with_indices(0);
        "any" d.mask.any(-1);
        "all" d.mask.all(0);
        "count_nonzero" d.x.count_nonzero(-1);
        "norm_f64" d.x.norm_f64();
        "cumprod" d.x.cumprod(-1);
        "cumprod: first" d.x.cumprod(0);
        "median" d.x.median(-1);
        "quantile" d.x.quantile(0.3, -1);
        "argsort" d.x.argsort(-1, false);
        "sort: first" d.x.sort(0, false);
        "pullback" d.y.clone().pullback(Pullback::Softmax(-1), &d.share);
        "slice_assign" d.x.clone().slice_assign(-1, 1..3, 7.0);
        "slice_add" d.x.clone().slice_add(0, 1..3, 7.0);
        "index_copy" d.x.clone().index_copy(0, &d.rows, &d.y);
        "index_add" d.x.clone().index_add(0, &d.rows, &d.y);
        "index_put" d.x.clone().index_put(&[&d.rows], 7.0);
        "masked_scatter" d.x.clone().masked_scatter(&d.mask, &d.x);
        "scatter" d.x.clone().scatter(-1, &d.at_columns, &d.y);
        "take" d.x.take(&d.at_columns);
        "repeat_interleave" d.x.repeat_interleave(2, 0);
        "repeat_interleave: last" d.x.repeat_interleave(2, -1);
        "nonzero" d.mask.nonzero();
        "max_pool_with_indices" d.x.contiguous().reshape([d.x.numel() / 1024, 32, 32]).max_pool_with_indices(Pool::<2>::new(2));
        "max_pool_backward" {
            let (x, g) = (d.x.contiguous(), d.y.contiguous());
            let planes = x.numel() / 1024;
            let g = g.reshape([x.numel()]).slice(0, ..x.numel() / 4).reshape([planes, 16, 16]);
            g.max_pool_backward(&x.reshape([planes, 32, 32]), Pool::<2>::new(2))
        };
        "avg_pool_backward" {
            let planes = d.y.numel() / 1024;
            let g = d.y.contiguous().reshape([d.y.numel()]).slice(0, ..planes * 256).reshape([planes, 16, 16]);
            g.avg_pool_backward(&Shape::from([planes, 32, 32]), Pool::<2>::new(2))
        };
        "unfold" d.x.unfold(0, 4, 2).contiguous();
    }
}

fn tensors_of_matrices() -> Vec<Row> {
    of_tensors! { true |d|
        "tile" d.x.tile(&[2]);
        "one_hot" Tensor::<f32>::one_hot(&d.classes, d.x.size(1));
        "diag" d.row.diag(0);
        "trace" d.x.trace();
        "meshgrid" Tensor::meshgrid(&[&d.row, &d.row.slice(0, ..16)]);
        "tensordot" d.x.tensordot(&d.y.slice(0, ..16), &[1], &[1]);
        "matmul_into" {
            let w = d.y.slice(0, ..16).t();
            let mut out = Tensor::zeros([d.x.size(0), 16]);
            d.x.matmul_into(&w, &mut out, Accum::Add);
            out
        };
        "bincount" d.rows.bincount(0);
        "unique" d.rows.unique();
        "unique_with_counts" d.rows.unique_with_counts();
        "searchsorted" d.sorted.searchsorted(&d.y, false);
        "linspace" Tensor::<f32>::linspace(0.0, 1.0, d.x.numel());
        "arange_step" Tensor::<f32>::arange_step(0.0, d.x.numel() as f32, 1.0);
        "keyed_uniform" Tensor::<f32>::keyed_uniform(&[7; 32], d.x.shape(), 0.0, 1.0).unwrap();
        "keyed_normal" Tensor::<f32>::keyed_normal(&[7; 32], d.x.shape(), 0.0, 1.0).unwrap();
        "keyed_mask" Tensor::<f32>::keyed_mask(&[7; 32], d.x.shape(), 0.3).unwrap();
        "add_assign" { let mut z = d.x.clone(); z += &d.row; z };
        "update" { let mut w = d.x.clone(); w.update(&d.y, &mut [], Update::Descent { lr: 0.1, l2: 0.0 }); w };
    }
}
