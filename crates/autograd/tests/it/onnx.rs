//! ONNX's own cases of the ops that are on the tape, which `tests/golden/onnx_cases.py` has written: the outputs are compared, and at the
//! same inputs the gradients with differences.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use autograd::{Attention, CellParams, CrossEntropy, NllLoss, Reduction, Tape, Var, check};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Float, Shape, Tensor, keepdim, npy};

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
            if case.text("mode", "constant") != "constant" {
                return Err("of paddings by reflection or repetition");
            }
            let pads = case.indices(1).unwrap();
            let axes = case.indices(3).unwrap_or_else(|| (0..rank as i64).collect());
            let mut widths = vec![(0, 0); rank];
            for (i, axis) in axes.iter().enumerate() {
                widths[axis.rem_euclid(rank as i64) as usize] = (pads[i] as usize, pads[i + axes.len()] as usize);
            }
            let with = if case.has(2) { value(2).item() } else { T::ZERO };
            x().pad(&widths, with)
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
const WITHOUT_DIFFERENCES: [&str; 13] = [
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
