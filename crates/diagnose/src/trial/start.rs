//! Initial weights chosen by data: a pass shows the outputs of each layer, and its weights are scaled until these are right.

use autograd::{Tape, Var};
use init::{Gain, Initializer, orthogonal};
use nn::{Error, Module, Param, ParamPath};
use rand::Rng;
use tensor::{Float, Tensor};

use crate::read::graph::Graph;
use crate::trial::experiment::trained;

/// Why no start could be found.
fn refused(why: impl Into<String>) -> Error {
    Error::Invalid { what: "the start", why: why.into() }
}

fn no_layer() -> Error {
    refused("needs a linear layer of the model that has a share in the result of `forward`")
}

fn no_classifier() -> Error {
    refused("needs a result of `forward` that depends on one classifier's loss, and on no other")
}

/// What [`lsuv`] did to a layer.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Tuned {
    /// The layer's weight.
    pub weight: String,
    /// The variance of its output, when it was done.
    pub variance: f64,
    /// How often the weight was scaled.
    pub scaled: u32,
}

/// How near to a variance of 1 [`lsuv`] goes, and how long it tries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lsuv {
    /// A layer is done when the variance of its output is within this distance of 1: 0.02 by default.
    pub tolerance: f64,
    /// It is also done when its weight has been scaled this many times: 10 by default.
    pub tries: u32,
}

impl Default for Lsuv {
    fn default() -> Self {
        Lsuv { tolerance: 0.02, tries: 10 }
    }
}

/// Layer-sequential unit-variance initialization (Mishkin and Matas, 2015, *All you need is a good init*): every linear
/// layer's weight becomes orthogonal and its bias zero; then, one layer after the other in the order of the pass, the weight is
/// divided by the standard deviation of its output until that has a variance of 1.
///
/// `forward` runs the model on a batch, as for [`inspect`](crate::inspect); its result may be a loss or the model's output.
///
/// # Errors
/// The tolerance is not above 0, the pass has no linear layer, or an output does not vary. The model may then be changed in
/// part.
///
/// # Example
/// ```
/// use diagnose::{Lsuv, lsuv};
/// use init::normal;
/// use nn::{Layer, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
/// use init::Initializer;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let mut model = vec![Linear::new(30, 100, &normal(1.0), &mut rng)?, Linear::new(100, 100, &normal(1.0), &mut rng)?];
/// let x: Tensor = normal(3.0).init(&Shape::from([64, 30]), &mut rng)?;
/// let tuned = lsuv(&mut model, Lsuv::default(), &mut rng, |model, tape| {
///     model[1].forward(model[0].forward(tape.constant(x.clone())).relu())
/// })?;
/// assert_eq!(tuned[1].weight, "1.weight");
/// assert!(tuned.iter().all(|layer| (layer.variance - 1.0).abs() < 0.02));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lsuv<T, M, F>(model: &mut M, settings: Lsuv, rng: &mut impl Rng, forward: F) -> Result<Vec<Tuned>, Error>
where
    T: Float,
    M: Module<T> + ?Sized,
    F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
{
    positive(settings.tolerance)?;
    let layers: Vec<Layer> = with_pass(model, &forward, None, layers);
    if layers.is_empty() {
        return Err(no_layer());
    }
    for layer in &layers {
        let shape = parameter(model, &layer.weight).ok_or(no_layer())?.value().shape().clone();
        let weight: Tensor<T> = orthogonal(Gain::Linear).init(&shape, rng)?;
        change(model, &layer.weight, |value| *value = weight.clone());
        if let Some(bias) = &layer.bias {
            change(model, bias, |value| *value = Tensor::zeros(value.shape()));
        }
    }
    let tune = |layer: &Layer| {
        let mut scaled = 0;
        loop {
            let output = |graph: &Graph| graph.nodes[layer.output].value.mean_std().1;
            let variance = with_pass(model, &forward, None, output).powi(2);
            if (variance - 1.0).abs() <= settings.tolerance || scaled == settings.tries {
                return Ok(Tuned { weight: layer.weight.clone(), variance, scaled });
            }
            let factor = T::from_f64(1.0 / variance.sqrt());
            if !(factor.is_finite() && factor > T::ZERO) {
                let why = format!(
                    "cannot scale {}, whose output has a variance of {variance}, to a variance of 1",
                    layer.weight
                );
                return Err(refused(why));
            }
            change(model, &layer.weight, |value| value.map_assign(|x| x * factor));
            scaled += 1;
        }
    };
    layers.iter().map(tune).collect()
}

/// What [`calibrate_output`] did.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Calibrated {
    /// The parameters that were scaled: the weight of the last layer, and its bias.
    pub parameters: Vec<String>,
    /// By this.
    pub factor: f64,
    /// The loss that came of it.
    pub loss: f64,
}

/// Scales the last layer of a classifier, weight and bias, so that the loss of a batch is within `within` of ln C: the
/// smaller the logits, the nearer. A model whose loss is that near, or lower, stays as it is. A bias that alone costs less than ln C,
/// such as one of log frequencies, stays too: the weight is then scaled until the loss is that of the bias.
///
/// # Errors
/// The distance is not above 0, there is no cross-entropy or no layer that makes its logits, or the loss is no number.
///
/// # Example
/// ```
/// use diagnose::calibrate_output;
/// use init::normal;
/// use nn::{Layer, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Shape, Tensor};
/// use init::Initializer;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let mut model: Linear = Linear::new(100, 27, &normal(1.0), &mut rng)?;
/// let x: Tensor = normal(1.0).init(&Shape::from([32, 100]), &mut rng)?;
/// let classes = Tensor::from_fn([32], |i| (i[0] % 27) as i64);
/// let done = calibrate_output(&mut model, 0.01, |model, tape| {
///     model.forward(tape.constant(x.clone())).cross_entropy(&classes)
/// })?;
/// assert!((done.loss - 27_f64.ln()).abs() <= 0.01 && done.factor < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn calibrate_output<T, M, F>(model: &mut M, within: f64, forward: F) -> Result<Calibrated, Error>
where
    T: Float,
    M: Module<T> + ?Sized,
    F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
{
    const TRIES: u32 = 60;
    positive(within)?;
    let read = |model: &M, zero: Option<&str>| with_pass(model, &forward, zero, output);
    let first = read(model, None).ok_or(no_classifier())?;
    let mut parameters = first.parameters.ok_or(no_layer())?;
    if !parameters.iter().all(|name| parameter(model, name).is_some()) {
        return Err(no_layer());
    }
    let mut expected = first.expected;
    let by_bias = read(model, Some(&parameters[0])).map_or(f64::NAN, |output| output.loss);
    if by_bias < expected {
        expected = by_bias;
        parameters.truncate(1);
    }
    if first.loss < first.expected {
        return Ok(Calibrated { parameters, factor: 1.0, loss: first.loss });
    }
    let mut factor = 1.0;
    for tries in 0.. {
        let loss = read(model, None).ok_or(no_classifier())?.loss;
        let distance = (loss - expected).abs();
        if distance <= within {
            return Ok(Calibrated { parameters, factor, loss });
        }
        if tries == TRIES || !distance.is_finite() {
            return Err(refused(format!("leaves the loss at {loss}, where it should be {expected}")));
        }
        // The excess of the loss grows with the square of small logits. Large ones are at least halved.
        let shrink = (within / 2.0 / distance).sqrt().min(0.5);
        for name in &parameters {
            change(model, name, |value: &mut Tensor<T>| value.map_assign(|x| x * T::from_f64(shrink)));
        }
        factor *= shrink;
    }
    unreachable!("the loop ends by its tries")
}

/// What the only head of a network costs, what it should, and the weight and the bias of its layer.
struct Output {
    loss: f64,
    expected: f64,
    parameters: Option<Vec<String>>,
}

fn output(graph: &Graph) -> Option<Output> {
    let heads = graph.heads(&graph.loss_terms());
    let [head] = &heads[..] else { return None };
    let last = graph.scaled_by(head.predictions);
    let parameters =
        last.map(|last| [Some(last.weight), last.bias].into_iter().flatten().map(|p| graph.place(p)).collect());
    Some(Output { loss: head.value, expected: head.expected?, parameters })
}

/// A linear layer of a pass.
struct Layer {
    weight: String,
    bias: Option<String>,
    /// Where on the tape its output is.
    output: usize,
}

/// The linear layers, each weight once.
fn layers(graph: &Graph) -> Vec<Layer> {
    let is_linear = |&index: &usize| graph.affine(index).is_some_and(|affine| !affine.normalizes);
    let layer = |uses: Vec<usize>| {
        let affine = graph.affine(uses[0])?;
        let bias = affine.bias.map(|bias| graph.place(bias));
        Some(Layer { weight: graph.place(affine.weight), bias, output: affine.output })
    };
    graph.uses(graph.relevant().filter(is_linear)).into_iter().filter_map(layer).collect()
}

/// Runs the model forward, with a parameter at zero if one is named, and reads the tape. Dropout draws the same each time.
fn with_pass<T, M, F, R>(model: &M, forward: &F, zero: Option<&str>, read: impl FnOnce(&Graph) -> R) -> R
where
    T: Float,
    M: Module<T> + ?Sized,
    F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
{
    let tape = Tape::default();
    tape.seed(0, 0);
    tape.keep_segments(true);
    model.label(&tape);
    if let Some(param) = zero.and_then(|name| parameter(model, name)) {
        tape.substitute(param.id(), Tensor::zeros(param.value().shape()));
    }
    read(&Graph::read(forward(model, &tape), None, None))
}

fn parameter<'a, T: Float>(model: &'a (impl Module<T> + ?Sized), name: &str) -> Option<&'a Param<T>> {
    trained(model).into_iter().find(|(path, _)| path == name).map(|(_, param)| param)
}

fn change<T: Float>(model: &mut (impl Module<T> + ?Sized), name: &str, change: impl Fn(&mut Tensor<T>)) {
    model.visit_mut(ParamPath::root(), &mut |path, param| {
        if path.to_string() == name {
            change(param.value_mut());
        }
    });
}

fn positive(value: f64) -> Result<(), Error> {
    let what = "the tolerance of a start";
    if value > 0.0 { Ok(()) } else { Err(Error::Range { what, value, rule: "above 0" }) }
}
