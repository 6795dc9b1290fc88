//! What holds of every pullback.

use autograd::Var;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

use crate::gradients::input;
use crate::table::{rows, tape};

/// Uniform in −1..1.
fn seed(dims: &[usize], rng: &mut ChaCha8Rng) -> Tensor<f64> {
    Tensor::from_fn(dims, |_| rng.random_range(-1.0..1.0))
}

#[test]
fn every_pullback_is_linear() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for row in rows::<f64>() {
        for shapes in row.shapes {
            let tape = tape();
            let inputs: Vec<Var<'_, f64>> = shapes
                .iter()
                .enumerate()
                .map(|(place, dims)| tape.leaf(input(place, dims, row.domain(place), &mut rng)))
                .collect();
            let y = (row.function)(&inputs);
            if !y.needs_gradient() {
                continue;
            }
            let [u, v] = [0, 1].map(|_| seed(y.shape().dims(), &mut rng));
            let of = |seed: &Tensor<f64>| {
                let gradients = y.backward_with(seed.clone());
                inputs.iter().map(|x| gradients.get(*x).cloned()).collect::<Vec<_>>()
            };
            let (of_u, of_v, of_both) = (of(&u), of(&v), of(&(&u * 2.0 - &v * 3.0)));
            for ((u, v), both) in of_u.into_iter().zip(of_v).zip(of_both) {
                let Some(both) = both else { continue };
                let want = u.unwrap() * 2.0 - v.unwrap() * 3.0;
                let size = want.abs().sum(..).item() + 1.0;
                for (got, want) in both.iter().zip(want.iter()) {
                    assert!((got - want).abs() <= 1e-12 * size, "{}: {got} is not {want}", row.name);
                }
            }
        }
    }
}
