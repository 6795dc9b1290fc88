//! Averages of a model's weights over a training.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use autograd::{Id, Mode, Tape};
use tensor::{Float, Tensor};

use super::by_weight::ByWeight;
use crate::error::{list, named};
use crate::model::Kind;
use crate::model::ParamPath;
use crate::model::lent;
use crate::{Error, Module, Param};

/// An average of a model's weights over the steps of a training, which often does better than the last ones:
/// exponential (Polyak and Juditsky, 1992), or the plain mean (Izmailov et al., 2018, *Averaging Weights Leads to Wider
/// Optima and Better Generalization*: SWA). PyTorch's `optim.swa_utils.AveragedModel`.
///
/// It is held by the names of the parameters, so that no second model is needed: [`swap`](Self::swap) puts it into the
/// model, and by a second call the weights back. Until then no optimizer moves the model, unless the average is dropped. With a clone in
/// the model's place, it goes on. State, such as running statistics, is as it was at the last [`update`](Self::update);
/// [`refresh_statistics`](crate::refresh_statistics) finds it anew.
///
/// # Example
/// ```
/// use nn::{WeightAverage, Param};
/// use tensor::Tensor;
///
/// let mut w = Param::new(Tensor::from([0.0]));
/// let mut average = WeightAverage::mean();
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
#[doc(alias = "EMA")]
#[doc(alias = "SWA")]
#[doc(alias = "ModelEMA")]
#[doc(alias = "AveragedModel")]
#[derive(Clone, Debug)]
pub struct WeightAverage<T: Float = f32> {
    kind: Averaging,
    values: ByWeight<Tensor<T>>,
    updates: u64,
    /// What it leaves with the weights while it is in their place.
    swapped: Option<Arc<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Averaging {
    Exponential { decay: f64, warms_up: bool },
    Mean,
}

impl<T: Float> WeightAverage<T> {
    /// a ← a + (1 − decay)(w − a), where the first w is the first a. PyTorch's `get_ema_multi_avg_fn(decay)`.
    ///
    /// # Errors
    /// `decay` is not in 0..=1.
    #[doc(alias = "get_ema_multi_avg_fn")]
    pub fn exponential(decay: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&decay) {
            return Err(Error::Range { what: "the decay of an average", value: decay, rule: "in 0..=1" });
        }
        Ok(WeightAverage::new(Averaging::Exponential { decay, warms_up: false }))
    }

    /// The mean of all w. PyTorch's `get_swa_multi_avg_fn()`.
    #[doc(alias = "get_swa_multi_avg_fn")]
    pub fn mean() -> Self {
        WeightAverage::new(Averaging::Mean)
    }

    fn new(kind: Averaging) -> Self {
        WeightAverage { kind, values: ByWeight::new(), updates: 0, swapped: None }
    }

    /// What it is, in words by which a resumed fit tells whether that has changed.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn describe(&self) -> String {
        match self.kind {
            Averaging::Mean => "mean".into(),
            Averaging::Exponential { decay, warms_up: false } => format!("exponential({decay})"),
            Averaging::Exponential { decay, warms_up: true } => format!("exponential({decay}) with warm-up"),
        }
    }

    /// Warms up: after n updates, the decay of an exponential average is (1 + n) / (10 + n) while that is smaller, so that the
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
    /// An average is [swapped](Self::swap) into the model, or a weight has another shape than before, or is none of those that the average
    /// is of.
    #[track_caller]
    pub fn update(&mut self, model: &(impl Module<T> + ?Sized)) {
        assert!(self.swapped.is_none(), "update: the average is in the model's place; swap it out again before");
        if let Some(why) = lent(model) {
            panic!("update: {why}");
        }
        let n = self.updates;
        let share = match self.kind {
            Averaging::Exponential { decay, warms_up: true } => 1.0 - decay.min((1 + n) as f64 / (10 + n) as f64),
            Averaging::Exponential { decay, .. } => 1.0 - decay,
            Averaging::Mean => 1.0 / (n + 1) as f64,
        };
        if let Err(why) = self.check(model) {
            panic!("update: {why}");
        }
        model.visit(ParamPath::root(), &mut |path, param| match self.values.get_mut(param.id()) {
            Some(average) if param.kind() != Kind::State => average.lerp_assign(param.value(), share),
            Some(state) => *state = param.value().clone(),
            None => self.values.insert(path.to_string(), param, param.value().clone()),
        });
        self.updates += 1;
    }

    /// Makes sure that the average is of this model, if it is of any.
    fn check(&mut self, model: &(impl Module<T> + ?Sized)) -> Result<(), String> {
        if self.values.is_empty() {
            return Ok(());
        }
        self.values.follow(model, "the average").map_err(|error| error.to_string())?;
        let (mut changed, mut unknown) = (Vec::new(), Vec::new());
        model.visit(ParamPath::root(), &mut |path, param| match self.values.get(param.id()) {
            None => unknown.push(named(&path.to_string()).to_owned()),
            Some(average) if average.shape() != param.value().shape() => {
                changed.push(named(&path.to_string()).to_owned())
            }
            Some(_) => {}
        });
        match (&changed[..], &unknown[..]) {
            ([], []) => Ok(()),
            ([], new) => Err(format!("the average is of another model, which has no {}; begin another", list(new))),
            (changed, _) => Err(format!("{} has another shape than before", list(changed))),
        }
    }

    /// Exchanges the model's weights and state with those of the average. A second call brings them back.
    ///
    /// # Errors
    /// The average has not been updated with this model; nothing is changed.
    pub fn swap(&mut self, model: &mut (impl Module<T> + ?Sized)) -> Result<(), Error> {
        let mut unknown = Vec::new();
        model.visit(ParamPath::root(), &mut |path, param| {
            if self.values.get(param.id()).is_none_or(|value| value.shape() != param.value().shape()) {
                unknown.push(path.to_string());
            }
        });
        if !unknown.is_empty() {
            let why = format!("has not been updated with this model: it lacks {}", list(&unknown));
            return Err(Error::Invalid { what: "the average", why });
        }
        self.swapped = if self.swapped.is_none() { Some(Arc::new(())) } else { None };
        let mark = self.swapped.as_ref().map_or_else(Weak::new, Arc::downgrade);
        model.visit_mut(ParamPath::root(), &mut |_, param| {
            if let Some(value) = self.values.get_mut(param.id()) {
                std::mem::swap(value, param.value_mut());
                param.lend(mark.clone());
            }
        });
        Ok(())
    }

    /// How often it has been updated.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Whether it is in the model's place now.
    pub fn is_swapped(&self) -> bool {
        self.swapped.is_some()
    }

    /// The average of a parameter; while it is swapped in, the parameter's own value.
    pub fn of(&self, param: &Param<T>) -> Option<&Tensor<T>> {
        self.values.get(param.id())
    }
}

#[cfg(feature = "checkpoint")]
impl<T: Float> crate::Stateful<T> for WeightAverage<T> {
    fn walk(&self, at: &mut crate::Archive<'_, T>) -> Self {
        if self.swapped.is_some() {
            let why = "is in the model's place; swap it out again before it is saved".into();
            at.refuse(Error::Invalid { what: "the average", why });
        }
        let (updates, mut values) = (at.number("updates", self.updates), ByWeight::new());
        let parameters = if updates > 0 { at.model().state_dict() } else { Vec::new() };
        for (path, param) in parameters {
            if let Some(value) = at.floats(&path, param.value().shape(), self.values.of(&path, param)) {
                values.insert(path, param, value);
            }
        }
        WeightAverage { kind: self.kind, values, updates, swapped: None }
    }
}

/// Finds the running statistics of batch norms anew, for weights that no pass has seen, such as an [`WeightAverage`]: the
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
#[doc(alias = "update_bn")]
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
        model.visit_mut(ParamPath::root(), &mut |_, param| {
            let id = param.id();
            let n = seen.entry(id).or_insert(0);
            // What is no running average, such as a count, begins at 0.
            if updates.count(id) > updates.found(id).count() {
                if *n == 0 {
                    *param.value_mut() = Tensor::zeros(param.value().shape());
                }
                *n += 1;
                param.apply_updates(&updates);
                return;
            }
            for found in updates.found(id) {
                *n += 1;
                param.value_mut().lerp_assign(found, 1.0 / *n as f64);
            }
        });
    }
}
