//! A gradient: a tape records what is computed, and goes back over it.
//!
//! cargo run --release --example 02_gradient

use evenkeel::prelude::*;

fn main() -> evenkeel::Result {
    // f(w, b) = (tanh(w x + b) − y)² at x = 2, y = -0.5.
    let tape = Tape::new();
    let (w, b) = (tape.leaf(Tensor::scalar(0.3)), tape.leaf(Tensor::scalar(-0.1)));
    let error = (w * 2.0 + b).tanh() + 0.5;
    let f = error * error;
    println!("f = {:.6}\n{tape:?}", f.item());

    let gradients = f.backward();
    let [of_w, of_b] = [w, b].map(|leaf| gradients.get(leaf).expect("f depends on it").item());
    println!("df/dw = {of_w:.6}, df/db = {of_b:.6}");

    // By hand: with t = tanh(2 w + b), df/db = 2 (t − y)(1 − t²), and df/dw is x times that.
    let t = (0.3_f32 * 2.0 - 0.1).tanh();
    let want = 2.0 * (t + 0.5) * (1.0 - t * t);
    assert!((of_b - want).abs() < 1e-6 && (of_w - 2.0 * want).abs() < 1e-6);

    // And by differences in f64, along random directions: the check that every op of the family passes.
    let at = [Tensor::scalar(0.3), Tensor::scalar(-0.1)];
    autograd::check::gradients(&at, &mut ChaCha8Rng::seed_from_u64(1), |x| {
        let error = (x[0] * 2.0 + x[1]).tanh() + 0.5;
        error * error
    })?;

    // A step down the gradient makes f smaller.
    let step = |value: f32, slope: f32| value - 0.1 * slope;
    let next = ((step(0.3, of_w) * 2.0 + step(-0.1, of_b)).tanh() + 0.5).powi(2);
    println!("f after a step = {next:.6}");
    assert!(next < f.item());
    Ok(())
}
