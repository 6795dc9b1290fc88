//! The tensor's ops against PyTorch's and NumPy's, written by `tests/golden/ops.py`: of operands in order, transposed and cut
//! out of larger ones.

use evenkeel::tensor::{Element, Tensor};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    op: String,
    inputs: Vec<Values>,
    outputs: Vec<Values>,
}

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    data: Vec<Value>,
}

/// A number; what JSON does not have is in quotes.
fn number(value: &Value) -> f64 {
    match value {
        Value::Bool(x) => f64::from(u8::from(*x)),
        Value::String(x) => x.parse().unwrap(),
        _ => value.as_f64().unwrap(),
    }
}

/// The same elements, where they lie in order, in the reverse order of axes, and with others around.
fn laid<T: Element>(x: Tensor<T>) -> [Tensor<T>; 3] {
    let back: Vec<isize> = (0..x.rank() as isize).rev().collect();
    let transposed = x.permute(&back).contiguous().permute(&back);
    let mut cut = x.pad(&vec![(1, 2); x.rank()], T::default());
    for axis in 0..x.rank() {
        cut = cut.narrow(axis as isize, 1, x.dims()[axis]);
    }
    let cut = if x.rank() == 0 { x.clone() } else { cut };
    [x, transposed, cut]
}

impl Values {
    fn floats(&self, how: usize) -> Tensor<f64> {
        laid(Tensor::from_vec(self.data.iter().map(number).collect(), &self.shape))[how].clone()
    }

    fn ints(&self, how: usize) -> Tensor<i64> {
        laid(self.floats(0).cast::<i64>())[how].clone()
    }

    fn bools(&self, how: usize) -> Tensor<bool> {
        laid(self.floats(0).cast::<bool>())[how].clone()
    }

    /// The same shape, and the same numbers up to rounding.
    fn check<T: Element>(&self, got: &Tensor<T>, what: &str) {
        assert_eq!(got.dims(), self.shape, "{what}");
        for (got, want) in got.cast::<f64>().iter().zip(self.data.iter().map(number)) {
            let near = want.is_finite() && (got - want).abs() <= 1e-12 * want.abs().max(1.0);
            let close = got == want || (got.is_nan() && want.is_nan()) || near;
            assert!(close, "{what}: {got} for {want}");
        }
    }
}

#[test]
fn ops_agree_with_pytorch_and_numpy() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/ops.json")).unwrap();
    assert!(cases.len() > 100);
    for case in &cases {
        for how in 0..3 {
            let what =
                format!("{} of {:?}, laid {how}", case.op, case.inputs.iter().map(|x| &x.shape).collect::<Vec<_>>());
            agrees(case, how, &what);
        }
    }
}

fn agrees(case: &Case, how: usize, what: &str) {
    let (op, of) = case.op.split_once(' ').unwrap_or((&case.op, ""));
    let [x, y] = [0, 1].map(|i| case.inputs.get(i).map(|x| x.floats(how)).unwrap_or_default());
    let [x_int, y_int] = [0, 1].map(|i| case.inputs.get(i).map(|x| x.ints(how)).unwrap_or_default());
    let axis = || of.parse::<isize>().unwrap();
    let one = |got: &Tensor<f64>| case.outputs[0].check(got, what);
    let two = |(values, indices): (Tensor<f64>, Tensor<i64>)| {
        case.outputs[0].check(&values, what);
        case.outputs[1].check(&indices, what);
    };
    let source = || case.inputs[case.inputs.len() - 1].floats(how);
    match op {
        "isnan" => case.outputs[0].check(&x.isnan(), what),
        "isinf" => case.outputs[0].check(&x.isinf(), what),
        "isfinite" => case.outputs[0].check(&x.isfinite(), what),
        "floor" => one(&x.floor()),
        "ceil" => one(&x.ceil()),
        "round" => one(&x.round()),
        "trunc" => one(&x.trunc()),
        "tan" => one(&x.tan()),
        "log2" => one(&x.log2()),
        "exp2" => one(&x.exp2()),
        "nan_to_num" => one(&x.nan_to_num(1.5, 7.0, -8.0)),
        "pow" => one(&x.pow(&y)),
        "atan2" => one(&x.atan2(&y)),
        "remainder" => one(&x.remainder(&y)),
        "remainder_int" => case.outputs[0].check(&x_int.remainder(&y_int), what),
        "max_with_indices" => two(x.max_with_indices(axis())),
        "min_with_indices" => two(x.min_with_indices(axis())),
        "median" if of == "all" => one(&x.median(..)),
        "median" => one(&x.median(axis())),
        "quantile" if of == "all" => one(&x.quantile(0.3, ..)),
        "quantile" => one(&x.quantile(0.3, axis())),
        "unique" => {
            let (elements, counts) = x_int.unique_with_counts();
            case.outputs[0].check(&elements, what);
            case.outputs[1].check(&counts, what);
        }
        "bincount" => case.outputs[0].check(&x_int.bincount(3), what),
        "searchsorted" => case.outputs[0].check(&x_int.searchsorted(&y_int, of == "right"), what),
        "pad" => one(&x.pad(&[(1, 0), (2, 3)], 9.5)),
        "slice_assign" => one(&x.slice_assign(1, 1..3, source())),
        "index_copy" => one(&x.index_copy(0, &y_int, &source())),
        "index_put" => one(&x.index_put(&[&y_int, &case.inputs[2].ints(how)], source())),
        "masked_scatter" => one(&x.masked_scatter(&case.inputs[1].bools(how), &source())),
        "diag" => one(&x.diag(axis())),
        "trace" => one(&x.trace()),
        "meshgrid" => {
            let vectors: Vec<_> = case.inputs.iter().map(|x| x.floats(how)).collect();
            let grid = Tensor::meshgrid(&vectors.iter().collect::<Vec<_>>());
            grid.iter().zip(&case.outputs).for_each(|(got, want)| want.check(got, what));
        }
        "tensordot" => one(&x.tensordot(&y, &[1, 2], &[1, 0])),
        "einsum" => {
            let operands: Vec<_> = case.inputs.iter().map(|x| x.floats(how)).collect();
            one(&Tensor::einsum(of, &operands.iter().collect::<Vec<_>>()));
        }
        other => panic!("no op {other}"),
    }
}
