//! What `Fit` costs over the same loop by hand: both in turns, in runs of some hundred steps, and the median of the ratios. By
//! criterion, one after the other, the machine's mood would be larger than what is sought.

use std::time::Instant;

use evenkeel::nn::Fit;
use evenkeel::prelude::*;

/// The lecture's network on random contexts.
struct Lecture {
    embedding: Embedding,
    hidden: Linear,
    output: Linear,
}

module!(Lecture { embedding, hidden, output });

impl Lecture {
    fn loss<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>, next: &Tensor<i64>) -> Var<'t> {
        let x = self.embedding.forward(tape, contexts).flatten(1);
        self.output.forward(self.hidden.forward(x).tanh()).cross_entropy(next)
    }
}

const ROWS: usize = 20_000;

/// Prints by how much the fit is slower than the loop by hand, of batches of so many rows and runs of so many steps.
fn compare<M: Module>(
    name: &str,
    [size, steps]: [usize; 2],
    clip: Option<f64>,
    make: impl Fn() -> (M, Optimizer),
    loss: impl for<'t> Fn(&M, &'t Tape, &Tensor<i64>) -> Var<'t>,
) -> evenkeel::Result {
    let steps = steps as u64;
    let batches = || Batches::new(0..ROWS, size).map(|batches| batches.shuffled(1));
    let ((mut by_hand, mut own), (mut fitted, mut optimizer)) = (make(), make());
    let (mut rows, mut tape) = (batches()?, Tape::new());
    let drawn = batches()?;
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for run in 0..40 {
        let mut by_hand = || {
            for step in run * steps..(run + 1) * steps {
                tape.seed(1, step);
                let loss = loss(&by_hand, &tape, rows.rows(step));
                assert!(loss.item().is_finite());
                let mut gradients = loss.backward();
                tape.reset();
                if let Some(max) = clip {
                    gradients.clip_norm(&by_hand, max).expect("it is finite");
                }
                own.step(&mut by_hand, &gradients);
            }
        };
        let mut fit = || {
            let mut fit = Fit::steps((run + 1) * steps).batches(drawn.clone()).seed(1);
            if let Some(max) = clip {
                fit = fit.clip_norm(max);
            }
            fit.run(&mut fitted, &mut optimizer, &loss).map(|_| ())
        };
        // Each is the first as often as the other.
        let [mut first, mut second] = [0.0; 2];
        for turn in 0..2 {
            let began = Instant::now();
            if (turn + run) % 2 == 0 {
                by_hand();
                first = began.elapsed().as_secs_f64();
            } else {
                fit()?;
                second = began.elapsed().as_secs_f64();
            }
        }
        ratios.push(second / first);
        times.push(first / steps as f64);
    }
    ratios.sort_by(f64::total_cmp);
    times.sort_by(f64::total_cmp);
    let middle = ratios.len() / 2;
    let percent = |at: usize| 100.0 * (ratios[at] - 1.0);
    println!(
        "{name:26} {:9.1} µs a step; a fit takes {:+.2} % (half of the runs: {:+.2} to {:+.2} %)",
        times[middle] * 1e6,
        percent(middle),
        percent(middle / 2),
        percent(middle + middle / 2),
    );
    Ok(())
}

fn main() -> evenkeel::Result {
    let rng = || ChaCha8Rng::seed_from_u64(42);
    let kaiming = init::kaiming_normal(Gain::Tanh);
    let contexts = init::randint(27, [ROWS, 3], &mut rng())?;
    let next = init::randint(27, [ROWS], &mut rng())?;
    let lecture = || {
        let rng = &mut rng();
        let hidden = Linear::new(30, 200, &kaiming, rng).expect("it is small");
        let output = Linear::new(200, 27, &init::normal(0.01), rng).expect("it is small");
        let embedding = Embedding::new_torch(27, 10, rng).expect("it is small");
        let sgd = Optimizer::new(Sgd::default(), 0.01).expect("a rate");
        (Lecture { embedding, hidden, output }, sgd)
    };
    for (name, clip) in [("the lecture's step", None), ("… with clipping", Some(1.0))] {
        compare(name, [32, 2_000], clip, lecture, |model: &Lecture, tape, rows| {
            model.loss(tape, &contexts.index_select(0, rows), &next.index_select(0, rows))
        })?;
    }
    let x: Tensor = init::randn([ROWS, 784], &mut rng())?;
    let digits = || {
        let rng = &mut rng();
        let mut layer = |from, to| Linear::new(from, to, &kaiming, rng).expect("it is small");
        let model: Sequential = seq![layer(784, 256), Activation::Relu, layer(256, 27)];
        (model, Optimizer::new(AdamW::default(), 1e-4).expect("a rate"))
    };
    for (name, clip) in [("784→256→27, batch 128", None), ("… with clipping", Some(1.0))] {
        compare(name, [128, 300], clip, digits, |model: &Sequential, tape, rows| {
            model.forward(tape.constant(x.index_select(0, rows))).cross_entropy(&next.index_select(0, rows))
        })?;
    }
    Ok(())
}
