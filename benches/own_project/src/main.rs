//! Two spirals, told apart by a network of 2 → 64 → 2 units: a project as a user writes it.

use std::time::Instant;

use evenkeel::prelude::*;

struct Model {
    hidden: Linear,
    output: Linear,
}

module!(Model { hidden, output });

impl Model {
    fn new(rng: &mut ChaCha8Rng) -> Result<Self, evenkeel::nn::Error> {
        Ok(Model {
            hidden: Linear::new(2, 64, &init::kaiming_normal(Gain::Tanh), rng)?,
            output: Linear::new(64, 2, &init::normal(0.01), rng)?,
        })
    }

    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.output.forward(self.hidden.forward(x).tanh())
    }
}

const POINTS: usize = 1000;
const BATCH: usize = 50;
const EPOCHS: usize = 300;

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

fn main() -> Result<(), evenkeel::nn::Error> {
    let start = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut model = Model::new(&mut rng)?;
    let (x, class) = spirals();
    let (mut sgd, mut tape) = (Sgd::new(0.5)?, Tape::new());
    let mut last = 0.0;
    for _ in 0..EPOCHS {
        for batch in (0..POINTS).step_by(BATCH) {
            let logits = model.forward(tape.constant(x.narrow(0, batch, BATCH)));
            let loss = logits.cross_entropy(&class.narrow(0, batch, BATCH));
            last = loss.item();
            let gradients = loss.backward();
            tape.reset();
            sgd.step(&mut model, &gradients);
        }
    }
    let evaluation = Tape::no_grad();
    let right = model.forward(evaluation.constant(x)).value().argmax(1).eq(&class).count_nonzero(..).item();
    println!("loss {last:.4}, {right} of {POINTS} right, {:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
