//! What a fit only shows, keeps or judges by changes no step, whatever the steps are made with.

use std::cell::RefCell;

use autograd::{Tape, Var};
use nn::{
    AdamW, Batches, Carried, Fit, Layer, Linear, Module, Observer, Optimizer, Pass, Progress, RNN, ReduceOnPlateau,
    Schedule, WeightAverage, metrics, module,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

#[cfg(feature = "checkpoint")]
use crate::files::folder;

struct Net {
    rnn: RNN,
    output: Linear,
}

module!(Net { rnn, output });

const STREAMS: usize = 2;
const WINDOWS: usize = 5;
const STEPS: u64 = 12;

impl Net {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        Net { rnn: RNN::new_torch(1, 5, &mut rng).unwrap(), output: Linear::new_torch(5, 1, &mut rng).unwrap() }
    }

    fn loss<'t>(&self, tape: &'t Tape, rows: &Tensor<i64>, carried: Option<&Carried>) -> Var<'t> {
        let all = Tensor::from_fn([STREAMS * WINDOWS, 4, 1], |i| ((i[0] * 7 + i[1] * 3) % 11) as f32 / 5.0 - 1.0);
        let x = tape.constant(all.index_select(0, rows));
        let (outputs, last) = self.rnn.run(x.dropout(0.2), carried.map(|carried| carried.on(tape)[0]));
        if let Some(carried) = carried {
            carried.set(&[last]);
        }
        self.output.forward(outputs).mse_loss(x)
    }
}

/// What changes the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Makes {
    Plain,
    Accumulated,
    Clipped,
    Averaged,
    AveragedLate,
    Carried,
    Weighed,
    Sharded,
}

/// What does not.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shows {
    Nothing,
    Evaluated,
    ByFigures,
    Patient,
    AtPlateau,
    Watched,
    Logged,
    Quiet,
    #[cfg(feature = "checkpoint")]
    Kept,
    #[cfg(feature = "checkpoint")]
    Resumed,
}

struct Looks(u64);

impl Observer for Looks {
    fn before_step<M: Module>(&mut self, pass: &Pass<'_, M>) {
        assert!(pass.gradients.norm() > 0.0);
    }

    fn after_step<M: Module>(&mut self, _: &Progress<'_, M>) {
        self.0 += 1;
    }

    #[cfg(feature = "checkpoint")]
    fn kept(&mut self) -> Option<nn::Kept<'_>> {
        Some(nn::Kept::new(self))
    }
}

#[cfg(feature = "checkpoint")]
impl nn::Stateful for Looks {
    fn walk(&self, at: &mut nn::Archive<'_>) -> Self {
        Looks(at.number("steps", self.0))
    }
}

/// The bits of the weights after each step.
fn course(makes: Makes, shows: Shows) -> Vec<u32> {
    let seen = RefCell::new(Vec::new());
    #[cfg(feature = "checkpoint")]
    let folder = folder(&format!("pairs_{makes:?}_{shows:?}"));
    #[cfg(not(feature = "checkpoint"))]
    let folder = std::env::temp_dir();
    let is_resumed = format!("{shows:?}") == "Resumed";
    let legs: &[u64] = if is_resumed { &[5, STEPS] } else { &[STEPS] };
    let mut looks = Looks(0);
    for steps in legs {
        let carried = Carried::new([Tensor::zeros([STREAMS, 5])]);
        let (mut net, mut adamw) = (Net::new(), Optimizer::new(AdamW::default(), Schedule::cosine(0.05, 20)).unwrap());
        let mut fit = Fit::steps(*steps).batches(Batches::new(0..STREAMS * WINDOWS, STREAMS).unwrap()).seed(9).on_step(
            |p: &Progress<'_, Net>| {
                let bits = p.model.parameters().into_iter().flat_map(|(_, w)| w.value().to_vec());
                seen.borrow_mut().extend(bits.map(f32::to_bits));
            },
        );
        fit = match makes {
            Makes::Plain => fit,
            Makes::Accumulated => fit.accumulate(3),
            Makes::Clipped => fit.clip_norm(0.05),
            Makes::Averaged => fit.average(0.8),
            Makes::AveragedLate => fit.average_by(WeightAverage::mean(), 6),
            Makes::Carried => fit.carry("state", &carried),
            Makes::Sharded => fit.accumulate(2).shards(1).clip_norm(0.05).average(0.8),
            Makes::Weighed => fit.accumulate(2).weigh(|rows| 1.0 + rows.sum(..).item() as f64),
        };
        let own = Some(&carried).filter(|_| makes == Makes::Carried);
        let figures = move |net: &Net, tape: &Tape, rows: &Tensor<i64>| {
            let loss = net.loss(tape, rows, own).item();
            [("half", metrics::mean(loss / 2.0, rows.numel())), ("loss", metrics::mean(loss, rows.numel()))]
        };
        let rows = 0..STREAMS * 3;
        fit = match shows {
            Shows::Nothing => fit,
            Shows::Evaluated => fit.evaluate(rows, 2),
            Shows::ByFigures => fit.evaluate_by(rows, 3, figures).judge_by("loss"),
            Shows::Patient => fit.evaluate(rows, 2).stop_after(100),
            Shows::AtPlateau => fit.evaluate(rows, 4).plateau(ReduceOnPlateau::new(0.5, 100).unwrap()),
            Shows::Watched => fit.watch(&mut looks),
            Shows::Logged => fit.log(folder.join(format!("{}.csv", std::process::id()))),
            Shows::Quiet => fit.quiet(),
            #[cfg(feature = "checkpoint")]
            Shows::Kept => fit.checkpoint(folder.join("kept"), 5).data("x", &Tensor::from([1.0])),
            #[cfg(feature = "checkpoint")]
            Shows::Resumed => {
                fit.checkpoint(folder.join("kept"), 3).evaluate_by(rows, 2, figures).watch(&mut looks).quiet()
            }
        };
        fit.run(&mut net, &mut adamw, |net, tape, rows| net.loss(tape, rows, own)).unwrap();
    }
    let is_watched = shows == Shows::Watched || is_resumed;
    assert_eq!(looks.0, if is_watched { STEPS } else { 0 }, "{makes:?}, {shows:?}");
    seen.into_inner()
}

#[test]
fn what_a_fit_shows_changes_no_step() {
    use Makes::*;
    let shows = [
        Shows::Evaluated,
        Shows::ByFigures,
        Shows::Patient,
        Shows::AtPlateau,
        Shows::Watched,
        Shows::Logged,
        Shows::Quiet,
        #[cfg(feature = "checkpoint")]
        Shows::Kept,
        #[cfg(feature = "checkpoint")]
        Shows::Resumed,
    ];
    let plain = course(Plain, Shows::Nothing);
    for makes in [Plain, Accumulated, Clipped, Averaged, AveragedLate, Carried, Weighed, Sharded] {
        let alone = course(makes, Shows::Nothing);
        // An average is beside the weights, and everything else changes them.
        assert_eq!(alone == plain, matches!(makes, Plain | Averaged | AveragedLate), "{makes:?}");
        for shows in shows {
            assert!(course(makes, shows) == alone, "{makes:?} with {shows:?}");
        }
    }
}
