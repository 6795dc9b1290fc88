//! One pass forward and backward, and what it shows.

use autograd::{Mode, Role, Saved, Tape, Var};
use nn::{Module, Param};
use tensor::Float;

use crate::graph::{Affine, Graph, Objective, Parameter, distinct};
use crate::judge::judge;
use crate::limits::Limits;
use crate::report::{Activation, Depth, Loss, Map, Report, Signal, Weight};
use crate::saturation::{Curve, Rules, Saturation};
use crate::stats::{Stats, mean_std, rms};

/// Inspects a model by one pass forward and backward with a batch: the loss beside what it should be, every activation,
/// signal and gradients along depth, and what is wrong with them. The model stays as it is.
///
/// `forward` makes the loss on the tape that it is given, as in a step of training. [`Inspector`] has the settings.
///
/// # Panics
/// The loss has more than one element; and where `forward` does.
///
/// # Example
/// ```
/// use diagnose::Fault;
/// use init::normal;
/// use nn::{Layer, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
/// # use init::Initializer;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let model = vec![Linear::new(30, 200, &normal(1.0), &mut rng)?, Linear::new(200, 27, &normal(1.0), &mut rng)?];
/// let x: Tensor = normal(1.0).init(&Shape::from([32, 30]), &mut rng)?;
/// let classes = Tensor::from_fn([32], |i| (i[0] % 27) as i64);
/// let report = diagnose::inspect(&model, |model, tape| {
///     model[1].forward(model[0].forward(tape.constant(x.clone())).tanh()).cross_entropy(&classes)
/// });
/// assert!(report.has(Fault::Loss) && report.has(Fault::Saturation));
/// assert!(report.loss.value > 10.0 && report.activations[0].saturated > 0.5);
/// println!("{report}");
/// # Ok::<(), nn::Error>(())
/// ```
#[track_caller]
pub fn inspect<T, M, F>(model: &M, forward: F) -> Report
where
    T: Float,
    M: Module<T> + ?Sized,
    F: for<'t> FnOnce(&M, &'t Tape<T>) -> Var<'t, T>,
{
    Inspector::new().inspect(model, forward)
}

/// Inspects what a closure builds on a tape in f32, without a model: places are ops and their positions on the tape. For another
/// float there is [`Inspector::inspect_graph`].
///
/// # Panics
/// The loss has more than one element; and where `forward` does.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let report = diagnose::inspect_graph(|tape| tape.leaf(Tensor::from([[4.0, -0.1], [3.0, 0.2]])).tanh().mean(..));
/// assert_eq!((report.activations[0].saturated, report.activations[0].place.as_str()), (0.5, "tanh(1)"));
/// ```
#[track_caller]
pub fn inspect_graph<F>(forward: F) -> Report
where
    F: for<'t> FnOnce(&'t Tape) -> Var<'t>,
{
    Inspector::new().inspect_graph(forward)
}

/// The settings of an inspection.
///
/// # Example
/// ```
/// use diagnose::{Inspector, Saturation};
/// use nn::Param;
/// use tensor::{Activation, Tensor};
///
/// // The mean square error of a target of variance 1 should start at about 1.
/// let rule = Saturation::unless_output(-0.99..=0.99);
/// let inspector = Inspector::new().with_expected_loss(1.0).with_saturation(Activation::Tanh.name(), rule);
/// let w = Param::new(Tensor::from([[5.0, -5.0]]));
/// let report = inspector.inspect(&w, |w, tape| {
///     let y = w.on(tape).tanh() - tape.constant(Tensor::from([[1.0, 1.0]]));
///     (y * y).mean(..)
/// });
/// assert_eq!(report.loss.expected, Some(1.0));
/// # let _: &Param<f32> = &w;
/// ```
#[derive(Clone, Debug)]
pub struct Inspector {
    step: u64,
    seed: u64,
    mode: Mode,
    expected_loss: Option<f64>,
    rules: Rules,
    limits: Limits,
}

impl Default for Inspector {
    fn default() -> Self {
        Inspector::new()
    }
}

impl Inspector {
    /// The usual settings: the pass is one of training, and the first loss should be what its op costs those who know nothing: ln C
    /// for a classifier.
    pub fn new() -> Self {
        Inspector {
            step: 0,
            seed: 0,
            mode: Mode::Train,
            expected_loss: None,
            rules: Rules::default(),
            limits: Limits::default(),
        }
    }

    /// Of which step of training it is. After step 0, no loss is expected.
    #[must_use]
    pub fn at_step(self, step: u64) -> Self {
        Inspector { step, ..self }
    }

    /// What the loss should be before training, in place of what its op says.
    #[must_use]
    pub fn with_expected_loss(self, loss: f64) -> Self {
        Inspector { expected_loss: Some(loss), ..self }
    }

    /// When units of the op with this name are saturated, in place of what its role says. An op without a role becomes an
    /// activation.
    #[must_use]
    pub fn with_saturation(mut self, op: &'static str, rule: Saturation) -> Self {
        self.rules.set(op, rule);
        self
    }

    /// Where figures begin to be faults.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Inspector { limits, ..self }
    }

    /// The seed of what dropout draws.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Inspector { seed, ..self }
    }

    /// What the pass is for.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Inspector { mode, ..self }
    }

    /// As the function [`inspect`].
    ///
    /// # Panics
    /// The loss has more than one element; and where `forward` does.
    #[track_caller]
    pub fn inspect<T, M, F>(&self, model: &M, forward: F) -> Report
    where
        T: Float,
        M: Module<T> + ?Sized,
        F: for<'t> FnOnce(&M, &'t Tape<T>) -> Var<'t, T>,
    {
        let tape = self.tape();
        model.label(&tape);
        let pass = Graph::new(forward(model, &tape));
        let weights = trained(model).into_iter().map(|(name, param)| {
            let gradient = pass.gradients.as_ref().and_then(|gradients| gradients.named(param.id()));
            Parameter { name, data: param.value().clone(), gradient }
        });
        self.report(&pass, weights.collect())
    }

    /// As the function [`inspect_graph`].
    ///
    /// # Panics
    /// The loss has more than one element; and where `forward` does.
    #[track_caller]
    pub fn inspect_graph<T, F>(&self, forward: F) -> Report
    where
        T: Float,
        F: for<'t> FnOnce(&'t Tape<T>) -> Var<'t, T>,
    {
        let tape = self.tape();
        let pass = Graph::new(forward(&tape));
        let leaves = pass.vars.iter().filter(|var| matches!(var.role(), Role::Leaf));
        let weights =
            leaves.map(|&var| Parameter { name: pass.place(var), data: var.value(), gradient: pass.gradient(var) });
        self.report(&pass, weights.collect())
    }

    fn tape<T: Float>(&self) -> Tape<T> {
        let tape = Tape::default().with_mode(self.mode);
        tape.seed(self.seed, self.step);
        tape.retain_gradients(true);
        tape
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    fn report<T: Float>(&self, pass: &Graph<'_, T>, weights: Vec<Parameter<'_, T>>) -> Report {
        let activations = activations(&self.rules, pass);
        let signal = signal(pass);
        let mut report = Report {
            step: self.step,
            loss: self.loss(pass),
            depth: depth(&activations, &signal),
            activations,
            signal,
            weights: weights.iter().map(weight).collect(),
            anomaly: pass.anomaly(),
            findings: Vec::new(),
        };
        report.findings = judge(&self.limits, pass, &report, &weights);
        report
    }

    fn loss<T: Float>(&self, pass: &Graph<'_, T>) -> Loss {
        let objective = pass.objective();
        let value = pass.loss.item().to_f64();
        let ignorance = objective.as_ref().and_then(|objective| objective.ignorance);
        Loss {
            value,
            compared: objective.as_ref().map_or(value, |objective| objective.loss.item().to_f64()),
            expected: self.expected_loss.or(ignorance).filter(|_| self.step == 0),
            classes: objective.as_ref().and_then(|objective| objective.classes),
            examples: objective.as_ref().map(Objective::examples),
            logits_std: objective
                .map(|objective| mean_std(&objective.predictions.value()).1)
                .filter(|std| std.is_finite()),
        }
    }
}

/// The weights of a model that are trained, with their paths.
pub(crate) fn trained<T: Float, M: Module<T> + ?Sized>(model: &M) -> Vec<(String, &Param<T>)> {
    model.parameters().into_iter().filter(|(_, param)| param.is_trained()).collect()
}

/// Every activation that the loss depends on.
pub(crate) fn activations<T: Float>(rules: &Rules, pass: &Graph<'_, T>) -> Vec<Activation> {
    let found: Vec<_> = pass.relevant().filter_map(|var| Some((var, rules.of(var.op(), var.role())?))).collect();
    let names = distinct(found.iter().map(|&(var, _)| pass.place(var)));
    let read = |((var, rule), place): ((Var<'_, T>, Saturation), String)| {
        let (output, input) = (var.value(), pass.input(var, 0)?.value());
        let judged = if rule.side == Saved::Output { &output } else { &input };
        let units = judged.dims().last().copied().unwrap_or(1);
        let rows = judged.numel() / units.max(1);
        let saturated = judged.map(|x| rule.holds(x.to_f64())).reshape([rows, units]);
        let share = saturated.count_nonzero(..).item() as f64 / saturated.numel() as f64;
        // One example cannot show whether a unit is saturated for all.
        let dead = if rows < 2 { 0 } else { saturated.all(0).count_nonzero(..).item() as usize };
        Some(Activation {
            index: var.index(),
            place,
            kind: var.op(),
            output: Stats::of(&output),
            input: Stats::of(&input),
            saturated: share,
            units,
            dead,
            map: Map::new(&saturated),
            rule,
            curve: Curve::of(var.role()),
            gradient: pass.gradient(var).map(Stats::of),
        })
    };
    found.into_iter().zip(names).filter_map(read).collect()
}

/// Every linear layer.
fn signal<T: Float>(pass: &Graph<'_, T>) -> Vec<Signal> {
    let linears: Vec<Affine<'_, T>> = pass.affines().into_iter().filter(|affine| !affine.normalizes).collect();
    let names = distinct(linears.iter().map(|linear| pass.place(linear.output)));
    let read = |(index, (linear, place)): (usize, (&Affine<'_, T>, String))| {
        let (input, output) = (linear.input.value(), linear.output.value());
        let ((mean_in, std_in), (mean_out, std_out)) = (mean_std(&input), mean_std(&output));
        Signal {
            place,
            std_in,
            rms_in: rms(mean_in, std_in, input.numel()),
            mean_out,
            std_out,
            gradient_std: pass.gradient(linear.output).map(|gradient| mean_std(gradient).1),
            // Another layer comes after it.
            hidden: index + 1 < linears.len(),
            normalized: pass.feeds_a_normalization(linear.output),
        }
    };
    linears.iter().zip(names).enumerate().map(read).collect()
}

fn weight<T: Float>(parameter: &Parameter<'_, T>) -> Weight {
    Weight {
        name: parameter.name.clone(),
        shape: parameter.data.dims().to_vec(),
        std: mean_std(&parameter.data).1,
        gradient: parameter.gradient.map(Stats::of),
    }
}

fn depth(activations: &[Activation], signal: &[Signal]) -> Depth {
    let hidden = || signal.iter().filter(|layer| layer.hidden);
    let (outputs, gradients): (Vec<f64>, Vec<Option<f64>>) = if activations.is_empty() {
        hidden().map(|layer| (layer.std_out, layer.gradient_std)).unzip()
    } else {
        activations.iter().map(|a| (a.output.std, a.gradient.as_ref().map(|gradient| gradient.std))).unzip()
    };
    let gradients: Option<Vec<f64>> = gradients.into_iter().collect();
    let gains: Vec<f64> = hidden().filter(|layer| !layer.normalized).map(Signal::gain).collect();
    Depth {
        layers: outputs.len(),
        signal: slope(&outputs),
        gradient: gradients.and_then(|gradients| slope(&gradients)),
        gain: (gains.len() >= 2)
            .then(|| (gains.iter().map(|gain| gain.ln()).sum::<f64>() / gains.len() as f64).exp())
            .filter(|gain| gain.is_finite()),
    }
}

/// The slope of ln y by its place, by least squares; `None` for fewer than three, and where one has no logarithm.
fn slope(y: &[f64]) -> Option<f64> {
    if y.len() < 3 {
        return None;
    }
    let middle = (y.len() - 1) as f64 / 2.0;
    let by_place = y.iter().enumerate().map(|(i, y)| (i as f64 - middle, y.ln()));
    let (products, squares) = by_place.fold((0.0, 0.0), |(xy, xx), (x, ln)| (xy + x * ln, xx + x * x));
    let slope = products / squares;
    slope.is_finite().then_some(slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_logarithm() {
        assert!((slope(&[1.0, 2.0, 4.0, 8.0]).unwrap() - 2_f64.ln()).abs() < 1e-12);
        assert_eq!(slope(&[3.0, 3.0, 3.0]), Some(0.0));
        assert_eq!(slope(&[1.0, 2.0]), None);
        assert_eq!(slope(&[1.0, 0.0, 2.0]), None);
    }
}
