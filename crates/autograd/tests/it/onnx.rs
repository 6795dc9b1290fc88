//! ONNX's own cases of the ops that are on the tape, which `tests/golden/onnx_cases.py` has written: the outputs are compared, and at the
//! same inputs the gradients with differences.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use autograd::{Attention, CellParams, CrossEntropy, NllLoss, Reduction, Tape, Var, check};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Conv, ConvTranspose, Float, Interpolation, Pad, Padding, Pool, Resize, Shape, Tensor, keepdim, npy};

/// An input, or an output that is wanted: all numbers in f64, with the type that they have.
struct Numbers<'a> {
    dtype: &'a str,
    values: Tensor<f64>,
}

struct Case<'a> {
    name: &'a str,
    op: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    inputs: Vec<Option<Numbers<'a>>>,
    outputs: Vec<Numbers<'a>>,
}

impl Case<'_> {
    fn int(&self, name: &str, otherwise: i64) -> i64 {
        self.attributes.get(name).map_or(otherwise, |value| value.parse().unwrap())
    }

    fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attributes
            .get(name)
            .map(|value| value.split(',').filter(|word| !word.is_empty()).map(|word| word.parse().unwrap()).collect())
    }

    fn float(&self, name: &str, otherwise: f64) -> f64 {
        self.attributes.get(name).map_or(otherwise, |value| value.parse().unwrap())
    }

    fn text(&self, name: &str, otherwise: &'static str) -> &str {
        self.attributes.get(name).copied().unwrap_or(otherwise)
    }

    fn has(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(Option::is_some)
    }

    /// An input of numbers that choose, such as axes.
    fn indices(&self, input: usize) -> Option<Vec<i64>> {
        let numbers = self.inputs.get(input)?.as_ref()?;
        Some(numbers.values.iter().map(|x| x as i64).collect())
    }

    /// The axes of an input, or of an attribute in older versions.
    fn axes(&self, input: usize) -> Option<Vec<isize>> {
        let axes = self.indices(input).or_else(|| self.ints("axes"))?;
        Some(axes.into_iter().map(|axis| axis as isize).collect())
    }

    fn index_tensor(&self, input: usize) -> Tensor<i64> {
        self.inputs[input].as_ref().unwrap().values.map(|x| x as i64)
    }

    fn mask(&self, input: usize) -> Tensor<bool> {
        self.inputs[input].as_ref().unwrap().values.map(|x| x != 0.0)
    }
}

/// Why a case is passed over.
type Outcome<'t, T> = Result<Vec<Var<'t, T>>, &'static str>;

/// Ops that bring elements to other places: of whole numbers too.
const MOVING: [&str; 13] = [
    "Reshape",
    "Transpose",
    "Slice",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Expand",
    "Concat",
    "Split",
    "Tile",
    "Trilu",
    "Identity",
    "Gather",
];

/// The outputs of a case by the ops of the tape, of inputs that are on it.
fn run<'t, T: Float>(case: &Case<'_>, tape: &'t Tape<T>, value: &dyn Fn(usize) -> Var<'t, T>) -> Outcome<'t, T> {
    let is_float = |input: usize| case.inputs[input].as_ref().is_some_and(|x| x.dtype.starts_with('f'));
    if !(is_float(0) || case.op == "Where" || MOVING.contains(&case.op)) {
        return Err("of whole numbers, which have no gradient");
    }
    let number = |x: f64| T::from_f64(x);
    let all = || (0..case.inputs.len()).map(value).collect::<Vec<_>>();
    let x = || value(0);
    let rank = case.inputs[0].as_ref().map_or(0, |x| x.values.rank());
    let y = match case.op {
        "Add" => x() + value(1),
        "Sub" => x() - value(1),
        "Mul" => x() * value(1),
        "Div" => x() / value(1),
        "Neg" => -x(),
        "Abs" => x().abs(),
        "Exp" => x().exp(),
        "Log" => x().ln(),
        "Sqrt" => x().sqrt(),
        "Reciprocal" => x().recip(),
        "Pow" => x().pow(value(1)),
        "Sin" => x().sin(),
        "Cos" => x().cos(),
        "Erf" => x().erf(),
        "Clip" => {
            let low = if case.has(1) { x().maximum(value(1)) } else { x() };
            if case.has(2) { low.minimum(value(2)) } else { low }
        }
        "Max" => all().into_iter().reduce(|a, b| a.maximum(b)).unwrap(),
        "Min" => all().into_iter().reduce(|a, b| a.minimum(b)).unwrap(),
        "Sum" => all().into_iter().reduce(|a, b| a + b).unwrap(),
        "Mean" => all().into_iter().reduce(|a, b| a + b).unwrap() / number(case.inputs.len() as f64),
        "Where" => value(1).where_cond(&case.mask(0), value(2)),
        "Identity" => x(),
        "Dropout" if case.has(2) && case.mask(2).item() => return Err("that draw other numbers"),
        "Dropout" => x(),
        "Tanh" => x().tanh(),
        "Sigmoid" => x().sigmoid(),
        "Relu" => x().relu(),
        "LeakyRelu" => x().leaky_relu(case.float("alpha", 0.01)),
        "Elu" => x().elu(case.float("alpha", 1.0)),
        "Selu" if case.attributes.contains_key("alpha") => {
            // Other constants make it another function, of which elu is a part.
            x().elu(case.float("alpha", 0.0)).scale(number(case.float("gamma", 1.0)))
        }
        "Selu" => x().selu(),
        "Gelu" if case.text("approximate", "none") == "tanh" => x().gelu_tanh(),
        "Gelu" => x().gelu(),
        "Mish" => x().mish(),
        "Swish" => x().silu(),
        "Softplus" => x().softplus(),
        "HardSigmoid" => {
            let line = x().scale(number(case.float("alpha", 0.2))) + number(case.float("beta", 0.5));
            line.clamp(number(0.0), number(1.0))
        }
        "HardSwish" => x().hard_swish(),
        "PRelu" => {
            let above = x().value().gt(T::ZERO);
            let x = x();
            x.where_cond(&above, x * value(1))
        }
        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1" | "ReduceL2"
        | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" => return reduced(case, x()),
        "CumSum" => {
            let (x, axis) = (x(), case.indices(1).unwrap()[0] as isize);
            let turned = |x: Var<'t, T>| if case.int("reverse", 0) == 1 { x.flip(&[axis]) } else { x };
            let sum = turned(turned(x).cumsum(axis));
            if case.int("exclusive", 0) == 1 { sum - x } else { sum }
        }
        "MatMul" => x().matmul(value(1)),
        "Gemm" => {
            let turned = |x: Var<'t, T>, name| if case.int(name, 0) == 1 { x.t() } else { x };
            let product = turned(x(), "transA").matmul(turned(value(1), "transB"));
            let product = product.scale(number(case.float("alpha", 1.0)));
            if case.has(2) { product + value(2).scale(number(case.float("beta", 1.0))) } else { product }
        }
        "Einsum" => Var::einsum(case.text("equation", ""), &all()),
        "Reshape" => {
            let (x, wanted) = (x(), case.indices(1).unwrap());
            let keeps = |(axis, size): (usize, &i64)| match *size {
                0 if case.int("allowzero", 0) == 0 => x.shape().dims()[axis],
                -1 => usize::MAX,
                size => size as usize,
            };
            let mut dims: Vec<usize> = wanted.iter().enumerate().map(keeps).collect();
            let known: usize = dims.iter().filter(|size| **size != usize::MAX).product();
            let rest = x.shape().numel().checked_div(known).unwrap_or(0);
            dims.iter_mut().filter(|size| **size == usize::MAX).for_each(|size| *size = rest);
            x.reshape(dims)
        }
        "Transpose" => {
            let reverse = || (0..rank as i64).rev().collect();
            let order: Vec<isize> =
                case.ints("perm").unwrap_or_else(reverse).into_iter().map(|axis| axis as isize).collect();
            x().permute(&order)
        }
        "Slice" => {
            let (starts, ends) = (case.indices(1).unwrap(), case.indices(2).unwrap());
            let axes = case.indices(3).unwrap_or_else(|| (0..starts.len() as i64).collect());
            let steps = case.indices(4).unwrap_or_else(|| vec![1; starts.len()]);
            let mut y = x();
            for (i, &axis) in axes.iter().enumerate() {
                let (axis, size) = (axis as isize, y.value().size(axis as isize) as i64);
                let place = |at: i64| (if at < 0 { at + size } else { at }).clamp(0, size) as usize;
                let (start, end, step) = (starts[i], ends[i], steps[i]);
                if step < 0 {
                    // From the end of a flipped one.
                    let last = |at: i64| size - 1 - (if at < 0 { at + size } else { at }).clamp(-1, size - 1);
                    let (from, to) = (last(start) as usize, last(end) as usize);
                    y = y.flip(&[axis]).slice_step(axis, from..to.max(from), -step as usize);
                } else {
                    let from = place(start);
                    y = y.slice_step(axis, from..place(end).max(from), step as usize);
                }
            }
            y
        }
        "Squeeze" => {
            let axes = case.axes(1).unwrap_or_default();
            let mut axes: Vec<isize> = axes.into_iter().map(|axis| axis.rem_euclid(rank as isize)).collect();
            if axes.is_empty() {
                axes = (0..rank as isize).filter(|&axis| x().value().size(axis) == 1).collect();
            }
            axes.sort_unstable();
            axes.into_iter().rev().fold(x(), |x, axis| x.squeeze(axis))
        }
        "Unsqueeze" => {
            let axes = case.axes(1).unwrap();
            let full = (rank + axes.len()) as isize;
            let mut axes: Vec<isize> = axes.into_iter().map(|axis| axis.rem_euclid(full)).collect();
            axes.sort_unstable();
            axes.into_iter().fold(x(), |x, axis| x.unsqueeze(axis))
        }
        "Flatten" => {
            let axis =
                case.int("axis", 1).rem_euclid(rank.max(1) as i64 + i64::from(case.int("axis", 1) == rank as i64))
                    as usize;
            let rows: usize = x().shape().dims()[..axis].iter().product();
            x().reshape([rows, x().shape().numel() / rows.max(1)])
        }
        "Expand" => {
            let wanted: Vec<usize> = case.indices(1).unwrap().into_iter().map(|size| size as usize).collect();
            // Either may be the larger one.
            let wide = (x() + tape.constant(Tensor::zeros(&wanted[..]))).shape();
            x().expand(&wide)
        }
        "Concat" => Var::cat(&all(), case.int("axis", 0) as isize),
        "Split" => {
            let axis = case.int("axis", 0) as isize;
            return Ok(match case.indices(1).or_else(|| case.ints("split")) {
                Some(sizes) => x().split(&sizes.into_iter().map(|size| size as usize).collect::<Vec<_>>(), axis),
                None => x().chunk(case.int("num_outputs", case.outputs.len() as i64) as usize, axis),
            });
        }
        "Pad" => {
            let pads = case.indices(1).unwrap();
            let axes = case.indices(3).unwrap_or_else(|| (0..rank as i64).collect());
            let mut widths = vec![(0, 0); rank];
            for (i, axis) in axes.iter().enumerate() {
                widths[axis.rem_euclid(rank as i64) as usize] = (pads[i] as usize, pads[i + axes.len()] as usize);
            }
            if case.indices(1).unwrap().iter().any(|&width| width < 0) {
                return Err("of paddings below 0, which cut off");
            }
            x().pad(
                &widths,
                match case.text("mode", "constant") {
                    "reflect" => Pad::Reflect,
                    "edge" => Pad::Replicate,
                    "wrap" => Pad::Circular,
                    _ => Pad::Constant(if case.has(2) { value(2).item() } else { T::ZERO }),
                },
            )
        }
        "Tile" => x().repeat(&case.indices(1).unwrap().into_iter().map(|size| size as usize).collect::<Vec<_>>()),
        "Gather" => {
            let (x, indices, axis) = (x(), case.index_tensor(1), case.int("axis", 0) as isize);
            let axis = axis.rem_euclid(rank as isize) as usize;
            let size = x.shape().dims()[axis] as i64;
            let flat = indices.reshape([indices.numel()]).map(move |at| at.rem_euclid(size));
            let dims = x.shape();
            let shape = [&dims.dims()[..axis], indices.dims(), &dims.dims()[axis + 1..]].concat();
            x.index_select(axis as isize, &flat).reshape(shape)
        }
        "GatherElements" => {
            let (x, axis) = (x(), case.int("axis", 0) as isize);
            let size = x.value().size(axis) as i64;
            x.gather(axis, &case.index_tensor(1).map(move |at| at.rem_euclid(size)))
        }
        "ScatterElements" => {
            if case.text("reduction", "none") != "add" {
                return Err("of scattering that replaces, multiplies or compares");
            }
            let (x, axis) = (x(), case.int("axis", 0) as isize);
            let size = x.value().size(axis) as i64;
            x.scatter_add(axis, &case.index_tensor(1).map(move |at| at.rem_euclid(size)), value(2))
        }
        "Trilu" => {
            let k = case.indices(1).map_or(0, |k| k[0]) as isize;
            if case.int("upper", 1) == 1 { x().triu(k) } else { x().tril(k) }
        }
        "TopK" => {
            let (k, axis) = (case.indices(1).unwrap()[0] as usize, case.int("axis", -1) as isize);
            let (best, indices) = x().topk(k, axis, case.int("largest", 1) == 1);
            return Ok(vec![best, tape.constant(indices.cast::<T>())]);
        }
        "LpNormalization" => {
            let (x, axis) = (x(), case.int("axis", -1) as isize);
            let norm = x.norm(case.int("p", 2) as f64, keepdim(axis));
            // Of length 0 it is 0.
            (x / norm).masked_fill(&norm.value().eq(T::ZERO), T::ZERO)
        }
        "Softmax" => x().softmax(case.int("axis", -1) as isize),
        "LogSoftmax" => x().log_softmax(case.int("axis", -1) as isize),
        "SoftmaxCrossEntropyLoss" | "NegativeLogLikelihoodLoss" => return classified(case, x()),
        "LayerNormalization" | "RMSNormalization" => {
            let first = case.int("axis", -1).rem_euclid(rank as i64) as usize;
            let (eps, x) = (case.float("epsilon", 1e-5), x());
            let features = Shape::from(&x.shape().dims()[first..]);
            let weight = value(1).reshape(&features);
            if case.op == "RMSNormalization" {
                x.rms_norm(weight, eps)
            } else {
                let bias =
                    if case.has(2) { value(2).reshape(&features) } else { tape.constant(Tensor::zeros(&features)) };
                x.layer_norm(weight, bias, eps)
            }
        }
        "BatchNormalization" => {
            let eps = case.float("epsilon", 1e-5);
            match case.int("training_mode", 0) {
                1 => x().batch_norm(value(1), value(2), eps).0,
                _ => x().batch_norm_by(value(3), value(4), value(1), value(2), eps),
            }
        }
        "GroupNormalization" => {
            x().group_norm(case.int("num_groups", 1) as usize, value(1), value(2), case.float("epsilon", 1e-5))
        }
        "InstanceNormalization" => {
            let channels = x().shape().dims()[1];
            x().group_norm(channels, value(1), value(2), case.float("epsilon", 1e-5))
        }
        "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool" | "Resize" => {
            return match rank {
                3 => spatial::<T, 1>(case, tape, value),
                4 => spatial::<T, 2>(case, tape, value),
                5 => spatial::<T, 3>(case, tape, value),
                _ => Err("of other than three to five axes"),
            };
        }
        "GlobalAveragePool" => x().mean(keepdim(&(2..rank as isize).collect::<Vec<_>>()[..])),
        "GlobalMaxPool" => x().max(keepdim(&(2..rank as isize).collect::<Vec<_>>()[..])),
        "DepthToSpace" if case.text("mode", "DCR") == "CRD" => x().pixel_shuffle(case.int("blocksize", 1) as usize),
        "DepthToSpace" => return Err("of pixels in another order"),
        "SpaceToDepth" => return Err("of pixels in another order"),
        "Col2Im" => {
            let [sizes, kernel] = [1, 2].map(|input| case.indices(input).unwrap());
            let (Ok(sizes), Ok(kernel)) = (<[i64; 2]>::try_from(sizes), <[i64; 2]>::try_from(kernel)) else {
                return Err("of windows of volumes");
            };
            let how = windows::<2>(case, sizes.map(|size| size as usize), kernel.map(|size| size as usize))?;
            x().col2im(sizes.map(|size| size as usize), kernel.map(|size| size as usize), how)
        }
        "RNN" | "GRU" | "LSTM" => return recurrent(case, tape, value),
        "Attention" => return attention(case, value),
        _ => return Err("of an op that this test does not know"),
    };
    Ok(vec![y])
}

fn reduced<'t, T: Float>(case: &Case<'_>, x: Var<'t, T>) -> Outcome<'t, T> {
    let axes = case.axes(1).unwrap_or_default();
    if axes.is_empty() && case.int("noop_with_empty_axes", 0) == 1 {
        return Err("of a reduction over nothing");
    }
    let axes: Vec<isize> = if axes.is_empty() { (0..x.shape().rank() as isize).collect() } else { axes };
    if ["ReduceMax", "ReduceMin"].contains(&case.op) && x.shape().numel() == 0 {
        return Err("of the largest of nothing");
    }
    // All of them keep their axes, which are then dropped.
    let over = keepdim(&axes[..]);
    let y = match case.op {
        "ReduceSum" => x.sum(over),
        "ReduceMean" => x.mean(over),
        "ReduceMax" => x.max(over),
        "ReduceMin" => x.min(over),
        "ReduceProd" => x.prod(over),
        "ReduceL1" => x.norm(1.0, over),
        "ReduceL2" => x.norm(2.0, over),
        "ReduceLogSum" => x.sum(over).ln(),
        "ReduceLogSumExp" => x.logsumexp(over),
        _ => x.square().sum(over),
    };
    match case.int("keepdims", 1) {
        1 => Ok(vec![y]),
        _ => {
            let rank = x.shape().rank() as isize;
            let mut axes: Vec<isize> = axes.into_iter().map(|axis| axis.rem_euclid(rank)).collect();
            axes.sort_unstable();
            Ok(vec![axes.into_iter().rev().fold(y, |y, axis| y.squeeze(axis))])
        }
    }
}

/// A loss of `[N, C, …]`, whose classes are axis 1 there and the last one here.
fn classified<'t, T: Float>(case: &Case<'_>, x: Var<'t, T>) -> Outcome<'t, T> {
    let rank = x.shape().rank() as isize;
    let order: Vec<isize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    let last = x.permute(&order);
    let classes = case.index_tensor(1);
    let weight = case.has(2).then(|| case.inputs[2].as_ref().unwrap().values.cast::<T>());
    let ignore_index = case.attributes.get("ignore_index").map(|index| index.parse().unwrap());
    let reduction = match case.text("reduction", "mean") {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        _ => Reduction::None,
    };
    let weight = weight.as_ref();
    if case.op == "NegativeLogLikelihoodLoss" {
        return Ok(vec![last.nll_loss_with(&classes, NllLoss { weight, ignore_index, reduction })]);
    }
    let options = CrossEntropy { weight, ignore_index, reduction, ..CrossEntropy::default() };
    Ok(vec![last.cross_entropy_with(&classes, options), x.log_softmax(1)])
}

fn recurrent<'t, T: Float>(case: &Case<'_>, tape: &'t Tape<T>, value: &dyn Fn(usize) -> Var<'t, T>) -> Outcome<'t, T> {
    if case.text("direction", "forward") != "forward" {
        return Err("of networks that run both ways");
    }
    if case.op == "GRU" && case.int("linear_before_reset", 0) == 0 {
        return Err("of a reset gate before the product, where PyTorch's is behind it");
    }
    if case.has(4) || case.has(7) {
        return Err("of sequences of several lengths, or gates that see the memory");
    }
    let batch_first = case.int("layout", 0) == 1;
    let x = if batch_first { value(0).transpose(0, 1) } else { value(0) };
    let [steps, batch, _] = x.shape().dims().try_into().unwrap();
    let width = case.int("hidden_size", 0) as usize;
    // The order of the gates there, in that of here.
    let order: &[usize] = match case.op {
        "RNN" => &[0],
        "GRU" => &[1, 0, 2],
        _ => &[0, 2, 3, 1],
    };
    let gates = |of: Var<'t, T>| {
        let parts = of.split(&vec![width; order.len()], 0);
        Var::cat(&order.iter().map(|&gate| parts[gate]).collect::<Vec<_>>(), 0)
    };
    let biases = case.has(3).then(|| value(3).select(0, 0).split(&[order.len() * width; 2], 0));
    let cell = CellParams {
        w_ih: gates(value(1).select(0, 0)).t(),
        w_hh: gates(value(2).select(0, 0)).t(),
        b_ih: biases.as_ref().map(|biases| gates(biases[0])),
        b_hh: biases.as_ref().map(|biases| gates(biases[1])),
    };
    let initial = |input: usize| {
        if !case.has(input) {
            return tape.constant(Tensor::zeros([batch, width]));
        }
        if batch_first { value(input).select(1, 0) } else { value(input).select(0, 0) }
    };
    let (mut h, mut c, mut all) = (initial(5), initial(6), Vec::new());
    for step in 0..steps {
        let x = x.select(0, step);
        match case.op {
            "RNN" => h = x.rnn_cell(h, cell),
            "GRU" => h = x.gru_cell(h, cell),
            _ => (h, c) = x.lstm_cell((h, c), cell),
        }
        all.push(h);
    }
    // [steps, directions, batch, width], or with the batch first.
    let (whole, last) = match batch_first {
        true => (Var::stack(&all, 1).unsqueeze(2), h.unsqueeze(1)),
        false => (Var::stack(&all, 0).unsqueeze(1), h.unsqueeze(0)),
    };
    // Outputs that nobody asked for are not among those of the case.
    let one = case.outputs.len() == 1;
    let is_whole = case.outputs[0].values.shape() == &whole.shape();
    Ok(if one && !is_whole { vec![last] } else { vec![whole, last] })
}

fn attention<'t, T: Float>(case: &Case<'_>, value: &dyn Fn(usize) -> Var<'t, T>) -> Outcome<'t, T> {
    if case.has(4) || case.has(5) || case.has(6) {
        return Err("of attention to keys of before");
    }
    if case.int("left_window_size", -1) >= 0 || case.int("right_window_size", -1) >= 0 {
        return Err("of attention to near keys only, which is a mask");
    }
    if case.float("softcap", 0.0) != 0.0 {
        return Err("of attention with a soft limit");
    }
    // [batch, heads, length, width], of which three axes are given as [batch, length, heads · width].
    let flat = value(0).shape().rank() == 3;
    let by_head = |x: Var<'t, T>, heads: &str| {
        if !flat {
            return x;
        }
        let [batch, length, width] = x.shape().dims().try_into().unwrap();
        let heads = case.int(heads, 1) as usize;
        x.reshape([batch, length, heads, width / heads]).transpose(1, 2)
    };
    let q = by_head(value(0), "q_num_heads");
    // Fewer heads of keys and values serve several of queries.
    let repeated = |x: Var<'t, T>| {
        let [batch, heads, length, width] = x.shape().dims().try_into().unwrap();
        let times = q.shape().dims()[1] / heads;
        x.unsqueeze(2).expand([batch, heads, times, length, width]).reshape([batch, heads * times, length, width])
    };
    let [k, v] = [1, 2].map(|input| repeated(by_head(value(input), "kv_num_heads")));
    let mut options = Attention { causal: case.int("is_causal", 0) == 1, ..Attention::default() };
    if let Some(scale) = case.attributes.get("scale") {
        options.scale = Some(scale.parse().unwrap());
    }
    let mask;
    if case.has(3) {
        let given = case.inputs[3].as_ref().unwrap();
        if given.values.size(-1) != k.shape().dims()[2] {
            return Err("of a mask that is shorter than the keys");
        }
        match given.dtype {
            "bool" => {
                mask = case.mask(3);
                options.mask = Some(&mask);
            }
            _ => options.bias = Some(value(3)),
        }
    }
    let y = q.attention(k, v, options);
    let [batch, heads, length, width] = y.shape().dims().try_into().unwrap();
    Ok(vec![if flat { y.transpose(1, 2).reshape([batch, length, heads * width]) } else { y }])
}

/// ONNX allows 1e-3; these are relative to each number, and absolute.
const TOLERANCE: (f64, f64) = (1e-5, 1e-6);

/// What differs from the wanted outputs, as far as they are the op's first ones.
fn difference<T: Float>(case: &Case<'_>) -> Result<Option<String>, &'static str> {
    let tape = Tape::default();
    let got = run::<T>(case, &tape, &|input| tape.leaf(case.inputs[input].as_ref().unwrap().values.cast::<T>()))?;
    for (place, (got, want)) in got.iter().zip(&case.outputs).enumerate() {
        let value = got.value();
        let is_near = |(got, want): (T, f64)| {
            let got = got.to_f64();
            got == want || got.is_nan() && want.is_nan() || (got - want).abs() <= TOLERANCE.1 + TOLERANCE.0 * want.abs()
        };
        if value.shape() != want.values.shape() || !value.iter().zip(want.values.iter()).all(is_near) {
            return Ok(Some(format!("{}: output {place}: {value:?} is not {:?}", case.name, want.values)));
        }
    }
    Ok(None)
}

/// Cases in which differences mean nothing: at a kink, at 0 or next to it, of a result that is infinite; and of a padding, which is a number
/// here.
const WITHOUT_DIFFERENCES: [&str; 15] = [
    "test_batchnorm_example",
    "test_constant_pad",
    "test_constant_pad_axes",
    "test_constant_pad_negative_axes",
    "test_elu_example",
    "test_l1normalization_axis_last",
    "test_l2normalization_axis_0",
    "test_leakyrelu_example",
    "test_pow",
    "test_reduce_log_sum_empty_set",
    "test_reduce_log_sum_exp_empty_set",
    "test_reduce_min_default_axes_keepdims_example",
    "test_selu_example",
    // Slices that are equal.
    "test_maxpool_3d_dilations",
    "test_maxpool_3d_dilations_use_ref_impl",
];

/// What is wrong with the gradients of the first output, by differences.
fn gradient_error(case: &Case<'_>) -> Option<String> {
    let is_float = |x: &&Numbers<'_>| x.dtype.starts_with('f') && x.values.isfinite().all(..).item();
    let places: Vec<usize> =
        (0..case.inputs.len()).filter(|&input| case.inputs[input].as_ref().is_some_and(|x| is_float(&x))).collect();
    let inputs: Vec<Tensor<f64>> =
        places.iter().map(|&input| case.inputs[input].as_ref().unwrap().values.clone()).collect();
    if inputs.is_empty() || WITHOUT_DIFFERENCES.contains(&case.name) {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let result = check::gradients(&inputs, &mut rng, |x| {
        let tape = x[0].tape();
        let value = |input: usize| match places.iter().position(|&place| place == input) {
            Some(place) => x[place],
            None => tape.constant(case.inputs[input].as_ref().unwrap().values.clone()),
        };
        run(case, tape, &value).expect("it ran before")[0]
    });
    result.err().map(|error| format!("{}: {error}", case.name))
}

fn with_cases<R>(f: impl FnOnce(&[&str], Vec<Case<'_>>) -> R) -> R {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = fs::read_to_string(folder.join("onnx.txt")).unwrap();
    let numbers = npy::read_npz(folder.join("onnx.npz")).unwrap();
    let numbers = numbers["numbers"].get::<f64>().unwrap().clone();
    let mut at = 0;
    let (mut cases, mut passed) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(why) = line.strip_prefix("# ") {
            passed.push(why);
            continue;
        }
        let [name, op, attributes, inputs, outputs] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let mut read = |word: &'_ str| -> Tensor<f64> {
            let dims = word.split_once(':').unwrap().1;
            let dims: Vec<usize> =
                dims.split(',').filter(|size| !size.is_empty()).map(|size| size.parse().unwrap()).collect();
            let shape = Shape::from(&dims[..]);
            at += shape.numel();
            numbers.narrow(0, at - shape.numel(), shape.numel()).reshape(&shape)
        };
        let mut of = |word| Numbers { dtype: str::split_once(word, ':').unwrap().0, values: read(word) };
        cases.push(Case {
            name,
            op,
            attributes: attributes.split(';').filter_map(|pair| pair.split_once('=')).collect(),
            inputs: inputs.split(';').map(|word| (word != "-").then(|| of(word))).collect(),
            outputs: outputs.split(';').map(&mut of).collect(),
        });
    }
    assert_eq!(at, numbers.numel());
    f(&passed, cases)
}

fn per_axis<const D: usize>(case: &Case<'_>, name: &str, otherwise: usize) -> [usize; D] {
    case.ints(name).map_or([otherwise; D], |all| std::array::from_fn(|axis| all[axis] as usize))
}

/// Stride, padding, dilation and groups, for an input of these sizes.
fn windows<const D: usize>(case: &Case<'_>, sizes: [usize; D], kernel: [usize; D]) -> Result<Conv<D>, &'static str> {
    let (stride, dilation) = (per_axis(case, "strides", 1), per_axis(case, "dilations", 1));
    let sides = std::array::from_fn(|axis| {
        let span = dilation[axis] * (kernel[axis] - 1) + 1;
        // As many as it takes for a window at each stride.
        let all = ((sizes[axis].div_ceil(stride[axis]) - 1) * stride[axis] + span).saturating_sub(sizes[axis]);
        match (case.text("auto_pad", "NOTSET"), case.ints("pads")) {
            ("SAME_UPPER", _) => [all / 2, all.div_ceil(2)],
            ("SAME_LOWER", _) => [all.div_ceil(2), all / 2],
            (_, Some(pads)) => [pads[axis] as usize, pads[D + axis] as usize],
            _ => [0, 0],
        }
    });
    Ok(Conv { stride, padding: Padding::Zeros(sides), dilation, groups: case.int("group", 1) as usize })
}

/// What works on D spatial axes.
fn spatial<'t, T: Float, const D: usize>(
    case: &Case<'_>,
    tape: &'t Tape<T>,
    value: &dyn Fn(usize) -> Var<'t, T>,
) -> Outcome<'t, T> {
    let x = value(0);
    let sizes: [usize; D] = x.shape().dims()[2..].try_into().unwrap();
    let y = match case.op {
        "Conv" => {
            let (w, b) = (value(1), case.has(2).then(|| value(2)));
            let how = windows::<D>(case, sizes, w.shape().dims()[2..].try_into().unwrap())?;
            convolved(x, w, b, how)
        }
        "ConvTranspose" => {
            let (w, b) = (value(1), case.has(2).then(|| value(2)));
            let (stride, dilation) = (per_axis::<D>(case, "strides", 1), per_axis(case, "dilations", 1));
            let mut output_padding = per_axis::<D>(case, "output_padding", 0);
            let kernel = &w.shape().dims()[2..].to_vec();
            let wanted: Vec<usize> = case.outputs[0].values.dims()[2..].to_vec();
            let whole = |axis: usize, more: usize| {
                (sizes[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 + more
            };
            let pads = case.ints("pads").unwrap_or(vec![0; 2 * D]);
            let mut cut = [0; D];
            for axis in 0..D {
                cut[axis] = pads[axis] as usize;
                if case.attributes.contains_key("output_shape") || case.text("auto_pad", "NOTSET").starts_with("SAME") {
                    let Some(all) = whole(axis, output_padding[axis]).checked_sub(wanted[axis]) else {
                        output_padding[axis] = wanted[axis] - whole(axis, 0);
                        continue;
                    };
                    cut[axis] = if case.text("auto_pad", "NOTSET") == "SAME_UPPER" { all / 2 } else { all.div_ceil(2) };
                }
            }
            if (0..D).any(|axis| output_padding[axis] >= stride[axis].max(dilation[axis])) {
                return Err("of an output that no input makes");
            }
            let groups = case.int("group", 1) as usize;
            let how = ConvTranspose { stride, padding: [0; D], output_padding, dilation, groups };
            let y = transposed(x, w, b, how);
            (0..D).fold(y, |y, axis| y.narrow(axis as isize + 2, cut[axis], wanted[axis]))
        }
        "Resize" => return resized::<T, D>(case, x),
        _ if case.name == "test_averagepool_2d_ceil_last_window_starts_on_pad" => {
            return Err("whose output has four digits");
        }
        _ => {
            let kernel: [usize; D] = per_axis(case, "kernel_shape", 1);
            let Conv { stride, padding, dilation, .. } = windows(case, sizes, kernel)?;
            let (ceil_mode, count_include_pad) = (case.int("ceil_mode", 0) == 1, case.int("count_include_pad", 0) == 1);
            let pool = Pool { stride, padding, dilation, ceil_mode, count_include_pad, ..Pool::new(kernel) };
            if case.op == "AveragePool" {
                x.avg_pool(pool)
            } else if case.outputs.len() == 1 {
                x.max_pool(pool)
            } else if case.int("storage_order", 0) == 1 {
                return Err("of places counted by columns");
            } else {
                let places = x.value().max_pool_with_indices(pool).1;
                return Ok(vec![x.max_pool(pool), tape.constant(places.cast())]);
            }
        }
    };
    Ok(vec![y])
}

fn convolved<'t, T: Float, const D: usize>(
    x: Var<'t, T>,
    w: Var<'t, T>,
    b: Option<Var<'t, T>>,
    how: Conv<D>,
) -> Var<'t, T> {
    let Conv { stride, padding: Padding::Zeros(sides), dilation, groups } = how else { unreachable!() };
    macro_rules! by {
        ($op:ident $($axis:literal)*) => {
            x.$op(w, b, Conv {
                stride: [$(stride[$axis]),*], padding: Padding::Zeros([$(sides[$axis]),*]), dilation: [$(dilation[$axis]),*], groups,
            })
        };
    }
    match D {
        1 => by!(conv1d 0),
        2 => by!(conv2d 0 1),
        _ => by!(conv3d 0 1 2),
    }
}

fn transposed<'t, T: Float, const D: usize>(
    x: Var<'t, T>,
    w: Var<'t, T>,
    b: Option<Var<'t, T>>,
    how: ConvTranspose<D>,
) -> Var<'t, T> {
    let ConvTranspose { stride, output_padding, dilation, groups, .. } = how;
    macro_rules! by {
        ($op:ident $($axis:literal)*) => {
            x.$op(w, b, ConvTranspose {
                stride: [$(stride[$axis]),*], padding: [$({ let _ = $axis; 0 }),*], output_padding: [$(output_padding[$axis]),*],
                dilation: [$(dilation[$axis]),*], groups,
            })
        };
    }
    match D {
        1 => by!(conv_transpose1d 0),
        2 => by!(conv_transpose2d 0 1),
        _ => by!(conv_transpose3d 0 1 2),
    }
}

fn resized<'t, T: Float, const D: usize>(case: &Case<'_>, x: Var<'t, T>) -> Outcome<'t, T> {
    let wanted = case.outputs[0].values.dims();
    if wanted[..2] != x.shape().dims()[..2] {
        return Err("of channels or examples");
    }
    let is_plain = case.int("antialias", 0) == 0
        && case.int("exclude_outside", 0) == 0
        && case.float("cubic_coeff_a", -0.75) == -0.75;
    let coordinates = case.text("coordinate_transformation_mode", "half_pixel");
    let (mode, align) = match (case.text("mode", "nearest"), coordinates) {
        ("nearest", "asymmetric") if case.text("nearest_mode", "round_prefer_floor") == "floor" => {
            (Interpolation::Nearest, false)
        }
        ("linear", "half_pixel") => (Interpolation::Linear, false),
        ("linear", "align_corners") => (Interpolation::Linear, true),
        ("cubic", "half_pixel") => (Interpolation::Cubic, false),
        ("cubic", "align_corners") => (Interpolation::Cubic, true),
        _ => return Err("of another rounding or place of pixels"),
    };
    if !is_plain {
        return Err("of another cubic, or smoothed before");
    }
    let scales = case.inputs.get(2).and_then(Option::as_ref).filter(|scales| scales.values.numel() > 0);
    let resize = match scales {
        Some(_) if align => return Err("of corners at places that are no whole pixels"),
        Some(scales) => {
            let all: Vec<f64> = scales.values.iter().collect();
            Resize::<D>::by_each(all[all.len() - D..].try_into().unwrap(), mode)
        }
        None => Resize::to(<[usize; D]>::try_from(&wanted[2..]).unwrap(), mode),
    };
    Ok(vec![x.interpolate(if align { resize.align_corners() } else { resize })])
}

#[test]
fn the_ops_agree_with_onnx() {
    with_cases(|before, cases| {
        let (mut failed, mut count) = (Vec::new(), 0);
        let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &cases {
            let is_double = case.inputs.iter().flatten().any(|x| x.dtype == "f64");
            match if is_double { difference::<f64>(case) } else { difference::<f32>(case) } {
                Ok(wrong) => {
                    count += 1;
                    failed.extend(wrong);
                    failed.extend(gradient_error(case));
                }
                Err(why) => *passed.entry(why).or_default() += 1,
            }
        }
        assert!(failed.is_empty(), "{} of {count} cases:\n{}", failed.len(), failed.join("\n"));
        println!("{count} cases run; passed over are");
        before.iter().for_each(|why| println!("  {why}"));
        passed.iter().for_each(|(why, count)| println!("  {count} {why}"));
        assert!(count >= 400, "{count} cases");
    });
}

#[test]
fn a_wrong_output_is_found() {
    with_cases(|_, mut cases| {
        let case = cases.iter_mut().find(|case| case.name == "test_sin").unwrap();
        assert_eq!(difference::<f32>(case), Ok(None));
        case.outputs[0].values.map_assign(|y| y * 1.0001);
        assert!(difference::<f32>(case).unwrap().is_some());
        // And another op.
        let case = cases.iter_mut().find(|case| case.name == "test_cos").unwrap();
        case.op = "Sin";
        assert!(difference::<f32>(case).unwrap().is_some());
    });
}
