//! A layer and an optimizer of one's own, which are what the family's are: a struct with `module!` and `forward`, and a
//! rule.
//!
//! cargo run --release --example 06_custom_layer_and_optimizer

use evenkeel::nn::{At, Rule, check};
use evenkeel::prelude::*;

/// A gated layer: y = (x V + c) ⊙ σ(x W + b).
struct Gated<T: Float = f32> {
    value: Linear<T>,
    gate: Linear<T>,
}

module!(impl<T> Gated<T> { value, gate });

impl<T: Float> Gated<T> {
    fn new(from: usize, to: usize, rng: &mut ChaCha8Rng) -> Result<Self, nn::Error> {
        let mut layer = || Linear::try_new(from, to, &init::kaiming_normal(Gain::Linear), rng);
        Ok(Gated { value: layer()?, gate: layer()? })
    }
}

impl<T: Float> Layer<T> for Gated<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.value.forward(x) * self.gate.forward(x).sigmoid()
    }
}

/// Normalized descent: w ← w − lr · m / ‖m‖ · √n, with the average m of the gradients.
struct Normalized {
    momentum: f64,
}

impl<T: Float> Rule<T> for Normalized {
    fn name(&self) -> &'static str {
        "normalized"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m"]
    }

    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        let (m, keep) = (&mut slots[0], self.momentum);
        *m *= T::from_f64(keep);
        m.axpy(T::from_f64(1.0 - keep), gradient);
        let norm = m.norm(2.0, ..).item().to_f64();
        if norm > 0.0 {
            weight.axpy(T::from_f64(-at.lr / norm * (m.numel() as f64).sqrt()), m);
        }
    }
}

fn main() -> evenkeel::Result {
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    // The layer's gradients, those of its parameters too, against finite differences.
    let layer: Gated<f64> = Gated::new(3, 4, &mut rng)?;
    let x: Tensor<f64> = init::randn([5, 3], &mut rng)?;
    check::module(&layer, &[x], &mut rng, |layer, x| layer.forward(x[0]))?;
    println!("the gradients of {layer:?} agree with finite differences");

    // Whether the product of two numbers is above 0: what one gate of a number can tell.
    let x: Tensor = init::randn([512, 2], &mut rng)?;
    let y: Tensor<i64> = (0..512).map(|i| i64::from(x.select(0, i).prod(..).item() > 0.0)).collect();
    let mut model: Sequential = seq![Gated::new(2, 32, &mut rng)?, Linear::new(32, 2, &init::normal(0.01), &mut rng)?];
    let mut optimizer = Optimizer::new(Normalized { momentum: 0.9 }, Schedule::linear(0.02, 0.0, 400))?;
    println!("{}", optimizer.plan(&model)?);
    let mut tape = Tape::new();
    for step in 0..=400 {
        let logits = model.forward(tape.constant(x.clone()));
        let right = logits.value().argmax(1).eq(&y).count_nonzero(..).item();
        let loss = logits.cross_entropy(&y);
        if step % 100 == 0 {
            println!("step {step:3}: loss {:.4}, {right} of 512 right", loss.item());
        }
        assert!(step < 400 || right > 490);
        let gradients = loss.backward();
        tape.reset();
        optimizer.step(&mut model, &gradients);
    }
    Ok(())
}
