//! What PyTorch does, from `tests/golden/make.py`, and the numbers that both compute.

use std::sync::LazyLock;

use serde_json::Value;
use tensor::{Float, IntoShape, Tensor};

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../golden/golden.json")).expect("it is JSON"));

/// The cases of a kind, by name.
pub(crate) fn names(kind: &str) -> Vec<String> {
    GOLDEN[kind].as_object().expect("a kind").keys().cloned().collect()
}

/// Rows of numbers.
pub(crate) fn rows(kind: &str, name: &str) -> Vec<Vec<f64>> {
    let rows = GOLDEN[kind][name].as_array().unwrap_or_else(|| panic!("no golden {kind} {name}"));
    rows.iter().map(numbers).collect()
}

/// One row of them; what is none is NaN.
pub(crate) fn row(kind: &str, name: &str) -> Vec<f64> {
    numbers(&GOLDEN[kind][name])
}

fn numbers(row: &Value) -> Vec<f64> {
    row.as_array().expect("a row").iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

/// As the script's: multiples of a sixteenth from −11/16 to 11/16.
pub(crate) fn fill<T: Float>(shape: impl IntoShape, k: usize) -> Tensor<T> {
    let shape = shape.into_shape().unwrap();
    let number = |i: usize| T::from_f64((((i * 37 + k * 11) % 23) as f64 - 11.0) / 16.0);
    Tensor::from_vec((0..shape.numel()).map(number).collect(), shape)
}

/// Requires numbers to be those of PyTorch, up to a share of the largest.
#[track_caller]
pub(crate) fn assert_close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance * largest, "{what}, number {i}: {got}, PyTorch has {want}");
    }
}

#[test]
#[should_panic(expected = "a mistake, number 1: 2.00001, PyTorch has 2")]
fn what_is_off_is_seen() {
    assert_close("a mistake", &[1.0, 2.00001], &[1.0, 2.0], 1e-6);
}
