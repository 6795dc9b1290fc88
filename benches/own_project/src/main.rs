//! Two spirals, told apart by a network of 2 → 64 → 64 → 2 units: a project as a user writes it, with an optimizer and an op of
//! its own, dropout, some ten ops, and a look at how the network starts.

use std::collections::HashMap;
use std::time::Instant;

use evenkeel::autograd::Id;
use evenkeel::prelude::*;

struct Model {
    layers: Vec<Box<dyn Layer>>,
    gate: Linear,
    output: Linear,
}

module!(Model { layers, gate, output });

impl Model {
    fn new(rng: &mut ChaCha8Rng) -> evenkeel::Result<Self> {
        let mut linear = |from, to, std| Linear::new(from, to, &init::normal(std), rng);
        Ok(Model {
            layers: vec![Box::new(linear(2, 64, 0.7)?), Box::new(Activation::Tanh), Box::new(Dropout::new(0.05)?)],
            gate: linear(64, 64, 0.125)?,
            output: linear(64, 2, 0.01)?,
        })
    }

    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let h = self.layers.forward(x);
        let gate = self.gate.forward(h).sigmoid();
        self.output.forward(gate * square(h).silu() + (1.0 - gate) * h)
    }

    /// Cross-entropy, and a little weight decay.
    fn loss<'t>(&self, tape: &'t Tape, x: &Tensor, class: &Tensor<i64>) -> Var<'t> {
        let w = self.gate.weight.on(tape).reshape([64 * 64]);
        self.forward(tape.constant(x.clone())).cross_entropy(class) + (w * w).mean(..) / 100.0
    }
}

/// y = x²,  x̄ = 2 x ȳ
fn square<'t>(x: Var<'t>) -> Var<'t> {
    let value = x.value();
    x.record("square", value.square()).wrt(x, move |g| g * &value * 2.0).done()
}

/// Descent with momentum: v ← ½ v + w̄,  w ← w − rate · v.
struct Momentum {
    rate: f32,
    velocities: HashMap<Id, Tensor>,
}

impl Momentum {
    fn step(&mut self, model: &mut Model, gradients: &Gradients) {
        model.update(gradients, &mut |_, weight, gradient| {
            let zeros = || Tensor::zeros(gradient.shape());
            let velocity = self.velocities.entry(weight.id()).or_insert_with(zeros);
            velocity.zip_assign(gradient, |v, g| 0.5 * v + g);
            weight.value_mut().axpy(-self.rate, velocity);
        });
    }
}

const POINTS: usize = 1000;
const BATCH: usize = 50;
const EPOCHS: u64 = 100;

/// Points of two spirals, in turn one of each.
fn spirals() -> (Tensor, Tensor<i64>) {
    let x = Tensor::from_fn([POINTS, 2], |index| {
        let (along, arm) = ((index[0] / 2) as f32 / (POINTS / 2) as f32, (index[0] % 2) as f32);
        let angle = 6.0 * along + std::f32::consts::PI * arm;
        let radius = 0.1 + 2.0 * along;
        radius * if index[1] == 0 { angle.cos() } else { angle.sin() }
    });
    (x, Tensor::from_fn([POINTS], |index| (index[0] % 2) as i64))
}

fn main() -> evenkeel::Result {
    let start = Instant::now();
    let mut model = Model::new(&mut ChaCha8Rng::seed_from_u64(1))?;
    let (x, class) = spirals();
    let report = diagnose::inspect(&model, |model, tape| model.loss(tape, &x, &class));
    println!("{}\n{model:?}", report.verdict());
    let (mut momentum, mut tape) = (Momentum { rate: 0.2, velocities: HashMap::new() }, Tape::new());
    let mut last = 0.0;
    for epoch in 0..EPOCHS {
        for batch in (0..POINTS).step_by(BATCH) {
            tape.seed(1, epoch * POINTS as u64 + batch as u64);
            let loss = model.loss(&tape, &x.narrow(0, batch, BATCH), &class.narrow(0, batch, BATCH));
            last = loss.item();
            let mut gradients = loss.backward();
            tape.reset();
            gradients.clip_norm(&model, 1.0)?;
            momentum.step(&mut model, &gradients);
        }
    }
    let evaluation = Tape::no_grad();
    let right = model.forward(evaluation.constant(x)).softmax(-1).value().argmax(1).eq(&class).count_nonzero(..).item();
    println!("loss {last:.4}, {right} of {POINTS} right, {:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
