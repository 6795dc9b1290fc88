//! Averages of a model's weights over a training.

use std::collections::HashMap;

use autograd::{Id, Mode, Tape};
use tensor::{Float, Tensor};

use crate::param::Kind;
use crate::path::Path;
use crate::{Error, Module, Param};

/// An average of a model's weights over the steps of a training, which often does better than the last ones:
/// exponential (Polyak and Juditsky, 1992), or the plain mean (Izmailov et al., 2018, *Averaging Weights Leads to Wider
/// Optima and Better Generalization*: SWA). PyTorch's `optim.swa_utils.AveragedModel`.
///
/// It is held by the names of the parameters, so that no second model is needed: [`swap`](Self::swap) puts it into the
/// model, and by a second call the weights back. State, such as running statistics, is as it was at the last
/// [`update`](Self::update); [`refresh_statistics`](crate::refresh_statistics) finds it anew.
///
/// # Example
/// ```
/// use nn::{Average, Param};
/// use tensor::Tensor;
///
/// let mut w = Param::new(Tensor::from([0.0]));
/// let mut average = Average::mean();
/// for value in [1.0, 2.0, 6.0] {
///     *w.value_mut() = Tensor::from([value]); // an optimizer's step
///     average.update(&w);
/// }
/// average.swap(&mut w)?; // for an evaluation
/// assert_eq!(w.value(), &Tensor::from([3.0]));
/// average.swap(&mut w)?; // and on with the training
/// assert_eq!(w.value(), &Tensor::from([6.0]));
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Average<T: Float = f32> {
    kind: Averaging,
    values: HashMap<Id, Tensor<T>>,
    updates: u64,
    swapped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Averaging {
    Exponential { decay: f64, warms_up: bool },
    Mean,
}

impl<T: Float> Average<T> {
    /// a ← decay · a + (1 − decay) w, where the first w is the first a. PyTorch's `get_ema_multi_avg_fn(decay)`.
    ///
    /// # Errors
    /// `decay` is not in 0..=1.
    pub fn exponential(decay: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&decay) {
            return Err(Error::Range { what: "the decay of an average", value: decay, rule: "in 0..=1" });
        }
        Ok(Average::new(Averaging::Exponential { decay, warms_up: false }))
    }

    /// The mean of all w. PyTorch's `get_swa_multi_avg_fn()`.
    pub fn mean() -> Self {
        Average::new(Averaging::Mean)
    }

    fn new(kind: Averaging) -> Self {
        Average { kind, values: HashMap::new(), updates: 0, swapped: false }
    }

    /// An exponential average whose decay is (1 + n) / (10 + n) after n updates, while that is smaller: so that the
    /// first weights are soon forgotten. A mean stays as it is.
    #[must_use]
    pub fn with_warmup(mut self) -> Self {
        if let Averaging::Exponential { warms_up, .. } = &mut self.kind {
            *warms_up = true;
        }
        self
    }

    /// Takes the model's weights into the average, after a step; and its state as it is.
    ///
    /// # Panics
    /// The average is [swapped](Self::swap) into the model, or a weight has another shape than before.
    #[track_caller]
    pub fn update(&mut self, model: &(impl Module<T> + ?Sized)) {
        assert!(!self.swapped, "update: the average is in the model's place; swap it out again before");
        let n = self.updates;
        let keep = match self.kind {
            Averaging::Exponential { decay, warms_up: true } => decay.min((1 + n) as f64 / (10 + n) as f64),
            Averaging::Exponential { decay, .. } => decay,
            Averaging::Mean => n as f64 / (n + 1) as f64,
        };
        let mut changed = None;
        model.visit(Path::root(), &mut |path, param| match self.values.get_mut(&param.id()) {
            Some(average) if average.shape() != param.value().shape() => changed = Some(path.to_string()),
            Some(average) if param.kind() != Kind::State => {
                *average *= T::from_f64(keep);
                average.axpy(T::from_f64(1.0 - keep), param.value());
            }
            Some(state) => *state = param.value().clone(),
            None => {
                self.values.insert(param.id(), param.value().clone());
            }
        });
        if let Some(path) = changed {
            panic!("update: {path} has another shape than before");
        }
        self.updates += 1;
    }

    /// Exchanges the model's weights and state with those of the average. A second call brings them back.
    ///
    /// # Errors
    /// The average has not been updated with this model; nothing is changed.
    pub fn swap(&mut self, model: &mut (impl Module<T> + ?Sized)) -> Result<(), Error> {
        let mut unknown = Vec::new();
        model.visit(Path::root(), &mut |path, param| {
            if self.values.get(&param.id()).is_none_or(|value| value.shape() != param.value().shape()) {
                unknown.push(path.to_string());
            }
        });
        if !unknown.is_empty() {
            let why = format!("has not been updated with this model: it lacks {}", crate::error::list(&unknown));
            return Err(Error::Invalid { what: "the average", why });
        }
        model.visit_mut(Path::root(), &mut |_, param| {
            if let Some(value) = self.values.get_mut(&param.id()) {
                std::mem::swap(value, param.value_mut());
            }
        });
        self.swapped = !self.swapped;
        Ok(())
    }

    /// How often it has been updated.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Whether it is in the model's place now.
    pub fn is_swapped(&self) -> bool {
        self.swapped
    }

    /// The average of a parameter; while it is swapped in, the parameter's own value.
    pub fn of(&self, param: &Param<T>) -> Option<&Tensor<T>> {
        self.values.get(&param.id())
    }
}

#[cfg(feature = "checkpoint")]
mod keep {
    //! An average in a file.

    use std::collections::HashMap;

    use autograd::Id;
    use tensor::{Float, Tensor};

    use super::Average;
    use crate::checkpoint::{Reader, Stored};
    use crate::{Error, Module, Path};

    /// What was read for an average.
    pub(crate) struct Kept<T: Float> {
        updates: u64,
        values: HashMap<Id, Tensor<T>>,
    }

    impl<T: Float> Average<T> {
        pub(crate) fn keep(&self, name: &str, model: &dyn Module<T>, into: &mut Stored) -> Result<(), Error> {
            if self.swapped {
                let why = "is in the model's place; swap it out again before it is saved".into();
                return Err(Error::Invalid { what: "the average", why });
            }
            into.say(format!("{name}.updates"), self.updates);
            for (path, param) in model.state_dict() {
                if let Some(value) = self.values.get(&param.id()) {
                    into.put(format!("{name}.{path}"), value)?;
                }
            }
            Ok(())
        }

        /// What the file has for an average of this model's.
        pub(crate) fn read(&self, name: &str, model: &dyn Module<T>, reader: &mut Reader<'_>) -> Option<Kept<T>> {
            let (updates, mut values) = (reader.parsed(&format!("{name}.updates")), HashMap::new());
            model.visit(Path::root(), &mut |path, param| {
                if updates.is_some_and(|updates: u64| updates > 0)
                    && let Some(value) = reader.floats(&format!("{name}.{path}"), param.value().shape())
                {
                    values.insert(param.id(), value);
                }
            });
            Some(Kept { updates: updates?, values })
        }

        pub(crate) fn restore(&mut self, Kept { updates, values }: Kept<T>) {
            (self.updates, self.values, self.swapped) = (updates, values, false);
        }
    }
}

#[cfg(feature = "checkpoint")]
pub(crate) use keep::Kept;

/// Finds the running statistics of batch norms anew, for weights that no pass has seen, such as an [`Average`]: the
/// mean of what `passes` passes in training mode show, each by `forward`, which is given the number of the pass; counts
/// begin at 0. PyTorch's `optim.swa_utils.update_bn`.
///
/// # Example
/// ```
/// use nn::{BatchNorm1d, Layer, refresh_statistics};
/// use tensor::Tensor;
///
/// let mut norm = BatchNorm1d::new(1);
/// let batches = [[[0.0], [2.0]], [[4.0], [6.0]]].map(Tensor::from);
/// refresh_statistics(&mut norm, 2, |norm, tape, pass| {
///     norm.forward(tape.constant(batches[pass].clone()));
/// });
/// assert_eq!(norm.running_mean.as_ref().unwrap().value(), &Tensor::from([3.0]));
/// ```
pub fn refresh_statistics<T: Float, M: Module<T> + ?Sized>(
    model: &mut M,
    passes: usize,
    mut forward: impl FnMut(&M, &Tape<T>, usize),
) {
    let mut tape = Tape::in_mode(Mode::Eval).with_mode(Mode::Train);
    let mut seen: HashMap<Id, usize> = HashMap::new();
    for pass in 0..passes {
        tape.reset();
        tape.seed(0, pass as u64);
        forward(model, &tape, pass);
        let updates = tape.updates();
        model.visit_mut(Path::root(), &mut |_, param| {
            let id = param.id();
            let n = seen.entry(id).or_insert(0);
            // What is no running average, such as a count, begins at 0.
            if updates.count(id) > updates.found(id).count() {
                if *n == 0 {
                    *param.value_mut() = Tensor::zeros(param.value().shape());
                }
                *n += 1;
                updates.apply(id, param.value_mut());
                return;
            }
            for found in updates.found(id) {
                *n += 1;
                let share = T::from_f64(1.0 / *n as f64);
                let mean = param.value() + (found - param.value()) * share;
                *param.value_mut() = if *n == 1 { found.clone() } else { mean };
            }
        });
    }
}
