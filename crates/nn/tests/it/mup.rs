//! μP by groups: what a wide network needs to learn like a narrow one.

use autograd::Tape;
use init::{Gain, Initializer, kaiming_normal, mup_hidden, mup_input, mup_output};
use nn::{Adam, Layer, Linear, Optimizer};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

const BASE: usize = 64;

fn data() -> (Tensor, Tensor<i64>) {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let x: Tensor = init::normal(1.0).init(&Shape::from([64, 32]), rng).unwrap();
    let hidden: Tensor = init::normal(1.0).init(&Shape::from([32, 10]), rng).unwrap();
    let y = x.sin().matmul(&hidden).argmax(1);
    (x, y)
}

/// The last loss, and how far the values of each layer have moved.
fn train(width: usize, lr: f64, steps: usize, mup: bool) -> (f64, [f64; 3]) {
    let (rng, (x, y)) = (&mut ChaCha8Rng::seed_from_u64(7), data());
    let (usual, by_width) = (kaiming_normal(Gain::Linear), mup_output(Gain::Linear, BASE));
    let mut model = vec![
        Linear::new(32, width, &mup_input(Gain::Relu), rng).unwrap(),
        Linear::new(width, width, &mup_hidden(Gain::Relu), rng).unwrap(),
        Linear::new(width, 10, if mup { &by_width } else { &usual }, rng).unwrap(),
    ];
    let factor = if mup { BASE as f64 / width as f64 } else { 1.0 };
    let mut adam = Optimizer::new(Adam::default(), lr)
        .unwrap()
        .group("1.weight", |g| g.lr_scale(factor))
        .unwrap()
        .group("2.weight", |g| g.lr_scale(factor))
        .unwrap();
    let mut tape = Tape::new();
    let mut values = Vec::new();
    for _ in 0..=steps {
        let first = model[0].forward(tape.constant(x.clone()));
        let second = model[1].forward(first.relu());
        let output = model[2].forward(second.relu());
        let loss = output.cross_entropy(&y);
        values.push(([first, second, output].map(|layer| layer.value()), f64::from(loss.item())));
        let gradients = loss.backward();
        tape.reset();
        adam.step(&mut model, &gradients);
    }
    let ((before, _), (after, loss)) = (&values[0], &values[steps]);
    let moved = [0, 1, 2].map(|i| f64::from((&after[i] - &before[i]).square().mean(..).item()).sqrt());
    (*loss, moved)
}

/// The coordinate check: over the widths, the largest move of a layer's values beside the smallest.
fn drift(mup: bool) -> [f64; 3] {
    let moved = [64, 128, 256, 512, 1024].map(|width| train(width, 2_f64.powi(-9), 4, mup).1);
    [0, 1, 2].map(|layer| {
        let of = moved.map(|moved| moved[layer]);
        of.iter().copied().fold(0.0, f64::max) / of.iter().copied().fold(f64::INFINITY, f64::min)
    })
}

#[test]
fn values_do_not_drift_with_the_width_by_mup_and_do_as_usual() {
    let by_mup = drift(true);
    assert!(by_mup.iter().all(|&drift| drift < 2.5), "{by_mup:?}");
    // The control: the same check sees what the usual start and learning rates do.
    let usual = drift(false);
    assert!(usual[1] > 4.0, "{usual:?}");
}

#[test]
fn the_best_rate_stays_where_it_is_by_mup_and_falls_as_usual() {
    let best = |width, mup| {
        let loss = |k: &i32| train(width, 2_f64.powi(*k), 30, mup).0;
        (-11..=-3).min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap()
    };
    let moved = |mup| best(64, mup) - best(512, mup);
    assert!(moved(true) <= 1, "by μP it falls by 2^{}", moved(true));
    assert!(moved(false) >= 2, "as usual it falls by 2^{}", moved(false));
}
