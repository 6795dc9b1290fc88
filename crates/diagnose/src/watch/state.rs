//! What a watch has seen, in a checkpoint.

use nn::{Archive, Stateful};
use tensor::Float;

use super::Watch;
use crate::report::history::{ActivationSample, History, Sample, WeightSample};

/// Names, each once, and which of them stand in a row.
#[derive(Default)]
struct Names {
    known: Vec<String>,
    row: Vec<i64>,
}

impl Names {
    fn push(&mut self, name: &str) {
        let at = self.known.iter().position(|known| known == name).unwrap_or_else(|| {
            self.known.push(name.to_owned());
            self.known.len() - 1
        });
        self.row.push(at as i64);
    }

    /// The names in the row, after they went to a file or came from one.
    fn walk<T: Float>(&self, name: &str, at: &mut Archive<'_, T>) -> Vec<String> {
        let known = at.texts(&format!("{name}.names"), &self.known);
        let row = at.vector(&format!("{name}.row"), &self.row);
        let place = |index: i64| usize::try_from(index).ok().and_then(|index| known.get(index));
        row.into_iter().map(|index| place(index).cloned().unwrap_or_default()).collect()
    }
}

/// The history of the losses and the samples goes with a training; the first NaN, after which none goes on, does not.
impl<T: Float> Stateful<T> for Watch<T> {
    fn walk(&self, at: &mut Archive<'_, T>) -> Self {
        let samples = &self.history.samples;
        let (mut places, mut kinds, mut names) = (Names::default(), Names::default(), Names::default());
        for a in samples.iter().flat_map(|sample| &sample.activations) {
            places.push(&a.place);
            kinds.push(&a.kind);
        }
        let weights = || samples.iter().flat_map(|sample| &sample.weights);
        weights().for_each(|weight| names.push(&weight.name));
        let counts = |of: &dyn Fn(&Sample) -> usize| samples.iter().map(|sample| of(sample) as i64).collect::<Vec<_>>();
        let steps = at.vector("samples.step", &counts(&|sample| sample.step as usize));
        let activations_in = at.vector("samples.activations", &counts(&|sample| sample.activations.len()));
        let weights_in = at.vector("samples.weights", &counts(&|sample| sample.weights.len()));
        let of_activation = |a: &ActivationSample| {
            let kind = u8::from(a.one_sided) + 2 * u8::from(!a.hidden);
            [a.mean, a.std, a.saturated, a.units as f64, a.dead as f64, f64::from(kind)]
        };
        let figures: Vec<f64> = samples.iter().flat_map(|s| &s.activations).flat_map(of_activation).collect();
        let (places, kinds) = (places.walk("activations.place", at), kinds.walk("activations.kind", at));
        let activations = at.vector("activations.figures", &figures);
        // What is not there is NaN.
        let of_weight =
            |w: &WeightSample| [w.std, w.gradient_std.unwrap_or(f64::NAN), w.update_data_log10.unwrap_or(f64::NAN)];
        let figures: Vec<f64> = weights().flat_map(of_weight).collect();
        let (ranks, dims): (Vec<i64>, Vec<Vec<usize>>) =
            weights().map(|w| (w.shape.len() as i64, w.shape.clone())).unzip();
        let dims: Vec<i64> = dims.into_iter().flatten().map(|dim| dim as i64).collect();
        let (ranks, dims) = (at.vector("weights.rank", &ranks), at.vector("weights.dims", &dims));
        let (names, weights) = (names.walk("weights.name", at), at.vector("weights.figures", &figures));

        let mut activations =
            places.into_iter().zip(kinds).zip(activations.chunks_exact(6)).map(|((place, kind), of)| {
                let (mean, std, saturated) = (of[0], of[1], of[2]);
                let (units, dead, bits) = (of[3] as usize, of[4] as usize, of[5] as u8);
                let (one_sided, hidden) = (bits & 1 != 0, bits & 2 == 0);
                ActivationSample { place, kind, mean, std, saturated, units, dead, hidden, one_sided }
            });
        let mut dims = dims.into_iter().map(|dim| dim.unsigned_abs() as usize);
        let some = |x: f64| Some(x).filter(|x| !x.is_nan());
        let mut weights = names.into_iter().zip(ranks).zip(weights.chunks_exact(3)).map(|((name, rank), of)| {
            let shape = dims.by_ref().take(rank.unsigned_abs() as usize).collect();
            WeightSample { name, shape, std: of[0], gradient_std: some(of[1]), update_data_log10: some(of[2]) }
        });
        let sample = |((step, activations_in), weights_in): ((i64, i64), i64)| Sample {
            step: step.unsigned_abs(),
            activations: activations.by_ref().take(activations_in.unsigned_abs() as usize).collect(),
            weights: weights.by_ref().take(weights_in.unsigned_abs() as usize).collect(),
        };
        let samples = steps.into_iter().zip(activations_in).zip(weights_in).map(sample).collect();
        // Files of before do not say what was told.
        let says = !at.is_reading() || at.text("told", "").is_some();
        let told = if says { at.texts("told", &self.told) } else { Vec::new() };
        Watch {
            told,
            history: History {
                first_step: at.optional("first_step", Some(self.history.first_step)).unwrap_or(0),
                loss: at.vector("loss", &self.history.loss),
                samples,
            },
            moved: at.vector("moved", &self.moved),
            baseline: at.optional("baseline", self.baseline),
            ..self.clone()
        }
    }
}
