//! The same seed gives the same bits at any number of threads.

use evenkeel::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Two steps of a network large enough that its products, its tanh and its sums are shared among threads: each of them
/// costs more than the 20 µs from which `tensor` shares.
fn train() -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut layers = vec![
        Linear::new(300, 501, &init::kaiming_normal(Gain::Tanh), &mut rng).unwrap(),
        Linear::new(501, 200, &init::kaiming_normal(Gain::Linear), &mut rng).unwrap(),
    ];
    let x: Tensor = init::normal(1.0).init(&Shape::from([1_001, 300]), &mut rng).unwrap();
    let classes: Tensor<i64> = (0..1_001).map(|i| i % 200).collect();
    let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
    let mut tape = Tape::new();
    for _ in 0..2 {
        let hidden = layers[0].forward(tape.constant(x.clone())).tanh();
        let gradients = layers[1].forward(hidden).cross_entropy(&classes).backward();
        tape.reset();
        sgd.step(&mut layers, &gradients);
    }
    layers.parameters().iter().flat_map(|(_, p)| p.value().to_vec()).map(f32::to_bits).collect()
}

#[test]
fn a_training_run_has_the_same_bits_at_1_2_3_and_8_threads() {
    let want = evenkeel::tensor::with_threads(1, train).unwrap();
    assert!(want.iter().any(|&bits| bits != 0));
    for threads in [2, 3, 8] {
        assert!(evenkeel::tensor::with_threads(threads, train).unwrap() == want, "{threads} threads differ from one");
    }
}
