//! What holds of every pullback, and of graphs that nobody has thought of.

use autograd::{Var, check};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

use crate::gradients::input;
use crate::table::{Domain, rows, tape};

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

/// A value made of others by an op that a number chooses, and scaled so that nothing grows; all have the shape `[3, 4]`.
fn next<'t>(known: &[Var<'t, f64>], rng: &mut ChaCha8Rng) -> Var<'t, f64> {
    let pick = |rng: &mut ChaCha8Rng| known[rng.random_range(0..known.len())];
    let (a, b) = (pick(rng), pick(rng));
    let y = match rng.random_range(0..20) {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => a / (b.square() + 1.0),
        4 => a.tanh(),
        5 => a.sigmoid() * b,
        6 => a.gelu(),
        7 => (-a.square()).exp(),
        8 => (a.square() + 0.5).ln(),
        9 => (a.square() + 0.5).sqrt(),
        10 => a.softmax(-1),
        11 => a.log_softmax(0),
        12 => a.matmul(b.t()).matmul(a),
        13 => a.layer_norm(b.select(0, 0), b.select(0, 1), 0.1),
        14 => a.sum(tensor::keepdim(0)) * b,
        15 => a.var(tensor::keepdim(-1), 1) + b,
        16 => Var::cat(&[a, b], 0).slice_step(0, .., 2),
        17 => a.permute(&[1, 0]).reshape([3, 4]),
        18 => a.roll(1, 1) + b.flip(&[0]),
        _ => a.index_select(0, &Tensor::from([2, 0, 2])) + b.cumsum(1),
    };
    y.scale(0.5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn graphs_of_any_ops_agree_with_differences(seed: u64, ops in 1_usize..16) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let inputs: Vec<Tensor<f64>> =
            (0..3).map(|place| input(place, &[3, 4], Domain::Real, &mut rng)).collect();
        let result = check::gradients(&inputs, &mut rng, |x| {
            // The same graph in every pass.
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut known = x.to_vec();
            for _ in 0..ops {
                known.push(next(&known, &mut rng));
            }
            // All of them count: none is without a gradient.
            known[1..].iter().fold(known[0], |sum, x| sum + *x)
        });
        prop_assert_eq!(result, Ok(()));
    }
}
