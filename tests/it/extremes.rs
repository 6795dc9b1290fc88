//! The tensor's ops at the extremes of the floats, against PyTorch's and NumPy's, written by `tests/golden/extremes.py`: of
//! operands in order, cut out of larger ones, stepped, flipped and transposed.

use evenkeel::tensor::{Float, Tensor};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    op: String,
    dtype: String,
    inputs: Vec<Vec<Value>>,
    output: Vec<Value>,
}

/// A number; what JSON does not have is in quotes.
fn number(value: &Value) -> f64 {
    match value {
        Value::String(x) => x.parse().unwrap(),
        _ => value.as_f64().unwrap(),
    }
}

/// The same vector, as it lies in memory in five ways.
fn laid<T: Float>(x: &Tensor<T>) -> [Tensor<T>; 5] {
    let n = x.numel();
    let beside = Tensor::full([n], T::ONE);
    let pairs = Tensor::stack(&[x, &beside], 1);
    [
        x.clone(),
        Tensor::cat(&[&beside, x, &beside], 0).narrow(0, n, n),
        pairs.reshape([2 * n]).slice_step(0, .., 2),
        x.flip(&[0]).contiguous().flip(&[0]),
        pairs.t().select(0, 0),
    ]
}

fn result<T: Float>(op: &str, x: &Tensor<T>, y: &Tensor<T>) -> Tensor<T> {
    let (op, parameter) = op.split_once(' ').unwrap_or((op, "0"));
    let parameter: f64 = parameter.parse().unwrap();
    let of = T::from_f64;
    match op {
        "exp" => x.exp(),
        "exp2" => x.exp2(),
        "exp_m1" => x.exp_m1(),
        "ln" => x.ln(),
        "ln_1p" => x.ln_1p(),
        "log2" => x.log2(),
        "sqrt" => x.sqrt(),
        "rsqrt" => x.rsqrt(),
        "recip" => x.recip(),
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tanh" => x.tanh(),
        "sigmoid" => x.sigmoid(),
        "relu" => x.relu(),
        "gelu" => x.gelu(),
        "silu" => x.silu(),
        "softplus" => x.softplus(),
        "square" => x.square(),
        "abs" => x.abs(),
        "sign" => x.sign(),
        "floor" => x.floor(),
        "ceil" => x.ceil(),
        "trunc" => x.trunc(),
        "round" => x.round(),
        "erf" => x.erf(),
        "powi" => x.powi(parameter as i32),
        "powf" => x.powf(of(parameter)),
        "nan_to_num" => x.nan_to_num(of(1.5), of(7.0), of(-8.0)),
        "clamp" => x.clamp(of(-1.0), of(1.0)),
        "add" => x + y,
        "sub" => x - y,
        "mul" => x * y,
        "div" => x / y,
        "pow" => x.pow(y),
        "atan2" => x.atan2(y),
        "maximum" => x.maximum(y),
        "minimum" => x.minimum(y),
        "remainder" => x.remainder(y),
        "std" => x.std(.., 0).reshape([1]),
        "norm" => x.norm(2.0, ..).reshape([1]),
        "max" => x.max(..).reshape([1]),
        "min" => x.min(..).reshape([1]),
        "median" => x.median(..).reshape([1]),
        "logsumexp" => x.logsumexp(..).reshape([1]),
        "argmax" => x.argmax(..).cast::<T>().reshape([1]),
        "softmax" => x.softmax(0),
        "log_softmax" => x.log_softmax(0),
        "sort" => x.sort(0, false).0,
        "cumprod" => x.cumprod(0),
        other => panic!("no op {other}"),
    }
}

/// Whether a result is the number that is wanted, up to rounding: the type's, what is below its normal numbers, and some slack.
fn near<T: Float>(got: T, want: f64, slack: f64) -> bool {
    let (got, want) = (got.to_f64(), T::from_f64(want).to_f64());
    if want.is_nan() || want.is_infinite() || got.is_infinite() {
        // What is within rounding of the end of the range may be beyond it.
        let at_the_end = |x: f64| x.abs() >= T::MAX.to_f64() * (1.0 - 8.0 * T::EPSILON.to_f64());
        return got == want || got.is_nan() && want.is_nan() || at_the_end(got) && at_the_end(want) && got * want > 0.0;
    }
    let least = T::MIN_POSITIVE.to_f64() * T::EPSILON.to_f64();
    (got - want).abs() <= 8.0 * T::EPSILON.to_f64() * want.abs() + 2.0 * least + slack
}

/// The results that are not those of the case.
fn misses<T: Float>(case: &Case) -> Vec<String> {
    let vector = |values: &[Value]| values.iter().map(|x| T::from_f64(number(x))).collect::<Tensor<T>>();
    let x = vector(&case.inputs[0]);
    let y = case.inputs.get(1).map(|y| vector(y)).unwrap_or_else(|| x.clone());
    let slack = match &case.op[..] {
        // A logarithm of a sum is as exact as the sum: near 0, what the largest term swallows is lost.
        "log_softmax" | "logsumexp" => 4.0 * T::EPSILON.to_f64(),
        // At −103.5 the sigmoid, which is a factor of it, has a single digit.
        "silu" => 100.0 * T::MIN_POSITIVE.to_f64() * T::EPSILON.to_f64(),
        _ => 0.0,
    };
    let mut misses = Vec::new();
    for (how, (x, y)) in laid(&x).iter().zip(&laid(&y)).enumerate() {
        let got = result(&case.op, x, y);
        assert_eq!(got.numel(), case.output.len());
        for (at, (got, want)) in got.iter().zip(case.output.iter().map(number)).enumerate() {
            if !near(got, want, slack) {
                misses.push(format!("{} of {} laid {how}: {got:?} for {want:e} at {at} of {x:?}", case.op, case.dtype));
            }
        }
    }
    misses
}

#[test]
fn at_the_extremes_ops_agree_with_pytorch_and_numpy() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/extremes.json")).unwrap();
    assert!(cases.len() > 300);
    let misses: Vec<String> = cases
        .iter()
        .flat_map(|case| if case.dtype == "f32" { misses::<f32>(case) } else { misses::<f64>(case) })
        .collect();
    assert!(misses.is_empty(), "{} misses:\n{}", misses.len(), misses.join("\n"));
}

#[test]
fn the_measure_rejects_what_is_not_nearly() {
    fn nearly<T: Float>(got: T, want: f64) -> bool {
        near(got, want, 0.0)
    }
    let inf = f64::INFINITY;
    assert!(nearly(1.0_f32, 1.0) && nearly(f32::INFINITY, inf) && nearly(f32::NAN, f64::NAN) && nearly(-0.0_f32, 0.0));
    assert!(nearly(f32::INFINITY, f32::MAX.into()) && !nearly(f32::INFINITY, 1e38) && !nearly(5.0_f32, inf));
    assert!(!nearly(f32::NEG_INFINITY, inf) && !nearly(0.0_f32, f64::NAN) && !nearly(f32::NAN, 0.0));
    assert!(!nearly(1.0_f32 + 2e-6, 1.0) && !nearly(0.0_f32, 1e-40) && !nearly(1e-300_f64, 2e-300));
}
