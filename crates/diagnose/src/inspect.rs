//! One pass forward and backward, and what it shows.

use std::borrow::Cow;
use std::collections::HashMap;

use autograd::{Mode, Role, Saved, Tape, Var};
use nn::Module;
use tensor::{Float, Tensor};

use crate::judge::limits::Limits;
use crate::judge::{CopiesAfter, judge};
use crate::read::graph::{Graph, distinct};
use crate::read::losses::LossTerm;
use crate::read::node::Node;
use crate::read::numbers::{Numbers, range};
use crate::read::saturation::{Rules, Saturation};
use crate::read::trace::{Parameter, Trace};
use crate::report::finding::{Action, Evidence, Finding, Severity};
use crate::report::stats::Stats;
use crate::report::{Activation, Depth, Loss, Map, Report, Signal, Weight};
use crate::trial::cure::Trial;
use crate::trial::experiment::{Experiment, Runs, backward, quietly};

/// Steps that tell which of two starts trains better, where the first loss alone does not.
const TRAINED: usize = 30;

/// Inspects a model by one pass forward and backward with a batch: the loss beside what it should be, every activation,
/// signal and gradients along depth, and what is wrong with them. The model stays as it is.
///
/// `forward` makes the loss on the tape that it is given, as in a step of training. Where something is wrong, it runs again with other
/// weights in place of the model's, as no remedy is offered that was not tried. [`Inspector`] has the settings.
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
/// use init::Initializer;
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
    F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
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
    /// Makes the usual settings: the pass is one of training, and the first loss should be what the best constant prediction costs: ln C
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

    /// Sets the step of training that is inspected. After step 0, no loss is expected.
    #[must_use]
    pub fn at_step(self, step: u64) -> Self {
        Inspector { step, ..self }
    }

    /// Sets what the loss should be before training, in place of what its op says.
    #[must_use]
    pub fn with_expected_loss(self, loss: f64) -> Self {
        Inspector { expected_loss: Some(loss), ..self }
    }

    /// Sets when units of the op with this name are saturated, in place of what its role says. An op without a role becomes an
    /// activation.
    #[must_use]
    pub fn with_saturation(mut self, op: &'static str, rule: Saturation) -> Self {
        self.rules.set(op, rule);
        self
    }

    /// Sets where figures begin to be faults.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Inspector { limits, ..self }
    }

    /// Sets the seed of what dropout draws.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Inspector { seed, ..self }
    }

    /// Sets what the pass is for: training or evaluation.
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
        F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
    {
        let runs = Runs::new(|| self.tape(), model, forward);
        let pass = runs.pass(&HashMap::new());
        self.report(&pass, Some(&runs))
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
        let loss = forward(&tape);
        let gradients = backward(loss);
        let graph = Graph::read(loss, gradients.as_ref(), None);
        let leaf = |var: Var<'_, T>| Parameter {
            name: graph.place(var.index()),
            data: Numbers::of(&var.value()),
            gradient: gradients.as_ref().and_then(|gradients| gradients.get(var)).map(Numbers::of),
        };
        let leaves = tape.vars().take(graph.nodes.len()).filter(|var| matches!(var.role(), Role::Leaf));
        let parameters = leaves.map(leaf).collect();
        self.report(&Trace::new(graph, parameters), None)
    }

    pub(crate) fn tape<T: Float>(&self) -> Tape<T> {
        let tape = Tape::default().with_mode(self.mode);
        tape.seed(self.seed, self.step);
        tape.retain_gradients(true);
        tape.keep_segments(true);
        tape
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is wrong, and which of the remedies hold what they promise.
    fn report(&self, pass: &Trace, subject: Option<&dyn Experiment>) -> Report {
        let judged = |pass: &Trace, changes: &[Action], whole: bool| {
            let mut report = self.figures(pass, whole);
            let copies_after = subject.map(|subject| |steps| subject.copies_after(changes, steps));
            let copies_after = copies_after.as_ref().map(|after| after as &CopiesAfter<'_>);
            report.findings = judge(&self.limits, pass, &report, copies_after);
            report
        };
        let report = || {
            let mut report = judged(pass, &[], true);
            let trial = subject.map(|subject| {
                let attempt = |changes: &[Action]| Some(judged(&subject.after(changes)?, changes, false));
                Trial::of(&report, attempt, |changes| subject.loss_after(changes, TRAINED))
            });
            trial.unwrap_or_default().apply_trial(&mut report, subject.is_some());
            report
        };
        // Whatever a model is like, it is no reason to end the program that looks at it.
        quietly(report).unwrap_or_else(|why| self.without_judgement(pass, why))
    }

    /// What is left to say of a model that cannot be judged.
    fn without_judgement(&self, pass: &Trace, why: String) -> Report {
        let value = pass.graph.nodes[pass.graph.loss].value.first();
        let loss = Loss {
            value,
            compared: value,
            expected: None,
            classes: None,
            examples: None,
            logits_std: None,
            parts: 0,
            given: false,
            first: self.step == 0,
        };
        Report {
            step: self.step,
            loss,
            activations: Vec::new(),
            signal: Vec::new(),
            depth: Depth::default(),
            paths: Vec::new(),
            weights: Vec::new(),
            anomaly: None,
            findings: vec![cannot_be_judged(&why)],
            cure: Vec::new(),
            left: Vec::new(),
        }
    }

    /// The figures of a pass: all of them, or those that are judged.
    pub(crate) fn figures(&self, pass: &Trace, whole: bool) -> Report {
        let graph = &pass.graph;
        let weight = |parameter: &Parameter| Weight {
            name: parameter.name.clone(),
            shape: parameter.data.dims().to_vec(),
            std: parameter.data.mean_std().1,
            gradient: parameter.gradient.as_ref().map(|gradient| Stats::new(gradient, true)),
        };
        let longest = pass.ways.iter().max_by_key(|way| way.blocks.len());
        let activations = activations(&self.rules, graph, whole);
        Report {
            step: self.step,
            loss: self.loss(graph, &pass.parts),
            signal: if whole { signal(graph, &activations) } else { Vec::new() },
            activations,
            depth: longest.map_or(Depth::default(), |way| graph.depth(way)),
            paths: pass.ways.iter().filter(|_| whole).map(|way| graph.path(way)).collect(),
            weights: pass.parameters.iter().filter(|_| whole).map(weight).collect(),
            anomaly: graph.anomaly(),
            findings: Vec::new(),
            cure: Vec::new(),
            left: Vec::new(),
        }
    }

    fn loss(&self, graph: &Graph, parts: &[LossTerm]) -> Loss {
        let value = graph.nodes[graph.loss].value.first();
        let one = if let [one] = parts { Some(one) } else { None };
        let known = !parts.is_empty() && parts.iter().all(|part| part.expected.is_some());
        let sum = |of: &dyn Fn(&LossTerm) -> f64| parts.iter().map(|part| part.weight * of(part)).sum::<f64>();
        let costs = |part: &LossTerm| part.expected.unwrap_or(f64::NAN);
        let (compared, expected) = match one {
            Some(one) => (one.value, one.expected),
            None if known => (sum(&|part| part.value), Some(sum(&costs))),
            None => (value, None),
        };
        Loss {
            value,
            compared,
            expected: self.expected_loss.or(expected).filter(|_| self.step == 0),
            classes: one.and_then(|one| one.classes),
            examples: one.map(|one| one.examples),
            logits_std: one.map(|one| graph.nodes[one.predictions].value.mean_std().1).filter(|std| std.is_finite()),
            parts: parts.len(),
            given: self.expected_loss.is_some(),
            first: self.step == 0,
        }
    }
}

/// Every activation that the loss depends on, with all of its uses in one.
pub(crate) fn activations(rules: &Rules, graph: &Graph, whole: bool) -> Vec<Activation> {
    let rule = |index: usize| rules.of(graph.nodes[index].op, graph.nodes[index].role);
    let uses = graph.uses(graph.relevant().filter(|&index| rule(index).is_some() && graph.input(index, 0).is_some()));
    let names = distinct(uses.iter().map(|uses| graph.place(uses[0])));
    let read = |(nodes, place): (Vec<usize>, String)| {
        let (first, rule) = (nodes[0], rule(nodes[0])?);
        let inputs: Vec<usize> = nodes.iter().filter_map(|&index| graph.input(index, 0)).collect();
        let (output, input) = (together(graph, &nodes, value)?, together(graph, &inputs, value)?);
        let judged = if rule.side == Saved::Output { &output } else { &input };
        // All uses are below each other already.
        let axis = if nodes.len() == 1 { graph.unit[first].axis } else { Some(1) };
        let map = judged.matrix(axis).outside(*rule.live.start(), *rule.live.end());
        let (rows, units) = (map.size(0), map.size(1));
        // Of a row of zeros, or of what another relu has cut off, relu lets as much through as there is: such a unit has nothing to pass.
        let given = rule
            .is_one_sided()
            .then(|| input.matrix(axis).outside(0.0, 0.0))
            .filter(|given| given.shape() == map.shape());
        let count = |map: &Tensor<bool>| map.count_nonzero(..).item() as f64;
        let share = |map: &Tensor<bool>| count(map) / map.numel() as f64;
        let given = given.filter(|given| count(given) > 0.0);
        let saturated = match &given {
            Some(given) => count(&map.logical_and(given)) / count(given),
            None => share(&map),
        };
        // What a layer gives as 0 for all examples has weights of zero.
        let is_after_another = matches!(graph.nodes[inputs[0]].role, Role::Activation(_) | Role::Function { .. });
        let dead = match &given {
            Some(given) if is_after_another => map.all(0).logical_and(&given.any(0)),
            _ => map.all(0),
        };
        let of_use = rows / nodes.len().max(1);
        let uses: Vec<Tensor<bool>> = match nodes.len() {
            1 => vec![map.clone()],
            count => (0..count).map(|at| map.slice(0, at * of_use..(at + 1) * of_use)).collect(),
        };
        let worst = uses.iter().max_by(|one, other| share(one).total_cmp(&share(other)))?;
        Some(Activation {
            place,
            kind: graph.nodes[first].op,
            saturated,
            uses: nodes.len(),
            saturated_range: range(uses.iter().map(share)),
            units,
            // One example cannot show whether a unit is saturated for all.
            dead: if of_use < 2 { 0 } else { count(&dead) as usize },
            map: Map::new(worst),
            rule,
            gradient: together(graph, &nodes, gradient).map(|gradient| Stats::new(&gradient, whole)),
            output: Stats::new(&output, whole),
            input: Stats::new(&input, whole),
            nodes,
        })
    };
    uses.into_iter().zip(names).filter_map(read).collect()
}

/// Every linear layer.
fn signal(graph: &Graph, activations: &[Activation]) -> Vec<Signal> {
    let is_linear = |&index: &usize| graph.affine(index).is_some_and(|affine| !affine.normalizes);
    let uses = graph.uses(graph.relevant().filter(is_linear));
    let names = distinct(uses.iter().map(|uses| graph.place(uses[0])));
    let read = |(uses, place): (Vec<usize>, String)| {
        let inputs: Vec<usize> = uses.iter().filter_map(|&index| graph.input(index, 0)).collect();
        let (input, output) = (together(graph, &inputs, value)?, together(graph, &uses, value)?);
        let ((_, std_in), (mean_out, std_out)) = (input.mean_std(), output.mean_std());
        let is_shown = activations.iter().any(|activation| activation.place == place);
        Some(Signal {
            node: uses[0],
            output: (!is_shown).then(|| Stats::new(&output, true)),
            place,
            uses: uses.len(),
            std_in,
            rms_in: input.rms(),
            mean_out,
            std_out,
            std_out_range: range(uses.iter().map(|&index| graph.nodes[index].value.mean_std().1)),
            gradient_std: together(graph, &uses, gradient).map(|gradient| gradient.mean_std().1),
            hidden: graph.reach[uses[0]].hidden,
            normalized: graph.feeds_a_normalization(uses[0]),
        })
    };
    uses.into_iter().zip(names).filter_map(read).collect()
}

/// What is said of a model that makes the judgement itself fail, which is a fault of this crate.
pub(crate) fn cannot_be_judged(why: &str) -> Finding {
    Finding::new(Severity::Note, "the model", Evidence::NotJudged { why: why.to_owned() })
}

fn value(node: &Node) -> Option<&Numbers> {
    Some(&node.value)
}

fn gradient(node: &Node) -> Option<&Numbers> {
    node.gradient.as_ref()
}

/// The numbers of all uses of one place, below each other.
fn together<'a>(graph: &'a Graph, uses: &[usize], of: fn(&Node) -> Option<&Numbers>) -> Option<Cow<'a, Numbers>> {
    if let [one] = uses {
        return of(&graph.nodes[*one]).map(Cow::Borrowed);
    }
    let matrix = |&index: &usize| Some(of(&graph.nodes[index])?.matrix(graph.unit[index].axis));
    let parts: Option<Vec<Numbers>> = uses.iter().map(matrix).collect();
    Some(Cow::Owned(Numbers::stacked(&parts?)))
}
