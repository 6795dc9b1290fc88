//! What an expert tries before a training: whether one batch can be learned by heart, what inputs are worth, and what depends on what.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use autograd::{Mode, Role, Tape, Var};
use nn::{Module, Optimizer};
use tensor::{Float, Tensor};

use super::experiment::{Runs, backward, quietly};
use crate::inspect::Inspector;
use crate::read::graph::Graph;
use crate::read::losses::LossTerm;
use crate::read::numbers::mean;
use crate::read::trace::Trace;
use crate::report::finding::{Evidence, Finding, Severity, sort};
use crate::say::text::figure;

/// Steps that a batch is learned in, if it can be.
const STEPS: u64 = 300;

/// It is learned where its loss has come below this share of what it costs to know nothing; and nothing is learned above the next. What lies
/// between is told where the loss falls no more.
const LEARNED: f64 = 0.05;
const HALF: f64 = 0.5;
const NOTHING: f64 = 0.9;

/// Inputs are used where the loss with them is below this share of that without.
const USED: f64 = 0.9;

/// What [`Inspector::recipe`] has tried, and found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recipe {
    /// The first loss of the batch.
    pub first: f64,
    /// The last, when it was learned by heart.
    pub last: f64,
    /// The last without inputs: all examples were alike. `None` where no input was found.
    pub without_inputs: Option<f64>,
    /// How many steps were made at most in each of the two trainings.
    pub steps: u64,
    /// How long all of it took.
    pub took: Duration,
    /// What failed, the most harmful first.
    pub findings: Vec<Finding>,
}

impl Recipe {
    /// Whether all that was tried went well: there is no finding above a note.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { first, last, steps, .. } = self;
        write!(f, "one batch: loss {} → {} in {steps} steps", figure(*first), figure(*last))?;
        if let Some(without) = self.without_inputs {
            write!(f, ", without inputs {}", figure(without))?;
        }
        write!(f, " ({:.1} s)", self.took.as_secs_f64())?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n\n{}", finding.to_string().trim_end()))
    }
}

impl Inspector {
    /// Tries what an expert tries before a training (Karpathy, 2019, *A Recipe for Training Neural Networks*), with one batch and the
    /// optimizer that is meant:
    ///
    /// 1. The batch is learned by heart: where it cannot be, the program is wrong and not the data.
    /// 2. The same without inputs, where each example has the same: a model that learns from its inputs comes farther with them.
    /// 3. Who depends on whom: the output for one example changes with no other's input, and that at a time with no later input where the
    ///    next symbol is predicted. This is seen in evaluation, where batch norm has its running means.
    ///
    /// It makes at most 300 steps in each of two trainings: give it some ten examples. A small network takes a second. Each optimizer is new.
    /// The model has its weights and its state again afterwards.
    ///
    /// # Errors
    /// Those of `optimizer`.
    ///
    /// # Panics
    /// The loss has more than one element; and where `forward` or the optimizer's step does, with the model as it was then.
    ///
    /// # Example
    /// ```
    /// use diagnose::Inspector;
    /// use init::{Initializer, kaiming_normal, normal, Gain};
    /// use nn::{Adam, Layer, Linear, Optimizer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{Shape, Tensor};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let layer = |fan_in, fan_out, rng: &mut ChaCha8Rng| Linear::new(fan_in, fan_out, &kaiming_normal(Gain::Relu), rng);
    /// let mut model = vec![layer(10, 32, &mut rng)?, layer(32, 4, &mut rng)?];
    /// let x: Tensor = normal(1.0).init(&Shape::from([16, 10]), &mut rng)?;
    /// let classes = Tensor::from_fn([16], |i| (i[0] % 4) as i64);
    /// let recipe = Inspector::new().recipe(&mut model, || Optimizer::new(Adam::default(), 1e-2), |model, tape| {
    ///     model[1].forward(model[0].forward(tape.constant(x.clone())).relu()).cross_entropy(&classes)
    /// })?;
    /// assert!(recipe.is_healthy() && recipe.last < 0.1, "{recipe}");
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "overfit_one_batch")]
    pub fn recipe<T, M, F>(
        &self,
        model: &mut M,
        optimizer: impl Fn() -> Result<Optimizer<T>, nn::Error>,
        forward: F,
    ) -> Result<Recipe, nn::Error>
    where
        T: Float,
        M: Module<T> + ?Sized,
        F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
    {
        let begun = Instant::now();
        let mut findings = quietly(|| self.dependences(model, &forward)).unwrap_or_default();
        let pass = Runs::new(|| self.tape(), &*model, &forward).pass(&HashMap::new());
        let known = pass.baseline().filter(|cost| *cost > 0.0);
        let given = inputs(&pass);
        let blank = |tape: &Tape<T>| {
            given.iter().for_each(|&index| tape.stand_in(index, alike(&tape_value::<T>(&pass.graph, index))));
        };
        let values = model.values();
        let end = known.map(|known| LEARNED * known);
        let with = self.train(model, optimizer()?, STEPS, end, &forward, |_| ());
        model.assign(&values);
        let steps = with.len() as u64;
        let without = match given.is_empty() {
            true => None,
            false => Some(self.train(model, optimizer()?, steps, None, &forward, blank)),
        };
        model.assign(&values);
        let (first, last) = (with.first().copied().unwrap_or(f64::NAN), at_end(&with));
        let reference = known.unwrap_or(first);
        let last_without = without.as_deref().map(at_end);
        let still_falls = at_end(&with[..with.len() * 2 / 3]) - last > 0.1 * last.abs();
        let has_begun = last <= NOTHING * reference;
        let is_stuck = !has_begun || last > HALF * reference && !still_falls;
        if is_stuck {
            let severity = if has_begun { Severity::Warn } else { Severity::Error };
            findings.push(Finding::new(severity, "the batch", Evidence::NotMemorized { first, last, known, steps }));
        } else if let Some(without) = last_without.filter(|without| last >= USED * without) {
            let evidence = Evidence::InputsUnused { with: last, without, steps };
            findings.push(Finding::new(Severity::Error, "the inputs", evidence));
        }
        sort(&mut findings);
        Ok(Recipe { first, last, without_inputs: last_without, steps, took: begun.elapsed(), findings })
    }

    /// The losses of a training with one batch.
    fn train<T, M, F>(
        &self,
        model: &mut M,
        mut optimizer: Optimizer<T>,
        steps: u64,
        end: Option<f64>,
        forward: &F,
        prepare: impl Fn(&Tape<T>),
    ) -> Vec<f64>
    where
        T: Float,
        M: Module<T> + ?Sized,
        F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
    {
        let mut losses = Vec::new();
        let mut tape = self.tape();
        tape.retain_gradients(false);
        prepare(&tape);
        for step in 0..steps {
            tape.seed(self.seed(), step);
            let loss = forward(model, &tape);
            losses.push(loss.value().iter().next().map_or(f64::NAN, T::to_f64));
            let gradients = backward(loss);
            tape.reset();
            let done = end.is_some_and(|end| losses[losses.len() - 1] < end);
            match gradients {
                Some(gradients) if !done && losses[losses.len() - 1].is_finite() => optimizer.step(model, &gradients),
                _ => break,
            }
        }
        losses
    }

    /// What depends on what it should not.
    fn dependences<T, M, F>(&self, model: &M, forward: &F) -> Vec<Finding>
    where
        T: Float,
        M: Module<T> + ?Sized,
        F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
    {
        let inspector = self.clone().with_mode(Mode::Eval);
        let pass = Runs::new(|| inspector.tape(), model, forward).pass(&HashMap::new());
        let [head] = &pass.heads[..] else { return Vec::new() };
        let end = head.predictions;
        let given = inputs(&pass);
        // What the end is where inputs are other ones.
        let outputs = |change: &dyn Fn(&Tensor<T>) -> Option<Tensor<T>>| -> Option<Vec<f64>> {
            let tape = inspector.tape();
            model.label(&tape);
            let mut any = false;
            for &index in &given {
                if let Some(other) = change(&tape_value(&pass.graph, index)) {
                    any = true;
                    tape.stand_in(index, other);
                }
            }
            let loss = any.then(|| forward(model, &tape))?;
            let var = loss.tape().vars().nth(end)?;
            Some(var.value().iter().map(T::to_f64).collect())
        };
        let before = pass.graph.nodes[end].value.values().to_vec();
        let (dims, rows) = (pass.graph.nodes[end].value.dims(), before.len());
        let examples = given.iter().filter_map(|&index| pass.graph.nodes[index].value.dims().first().copied()).max();
        let Some(examples) = examples.filter(|count| *count > 1 && rows % count == 0) else { return Vec::new() };
        let place = pass.graph.output_layer(end).map_or(end, |(affine, _)| affine.output);
        let place = pass.graph.place(place);
        let mut findings = Vec::new();
        let differs = |a: f64, b: f64| (a - b).abs() > 1e-4 * (a.abs() + b.abs()) + 1e-12;
        // The first example is replaced by another: what the others give stays.
        let of_each = rows / examples;
        let swapped = outputs(&|x| {
            let is_given = x.rank() > 1 && x.dims()[0] == examples;
            is_given.then(|| Tensor::cat(&[&x.slice(0, examples - 1..examples), &x.slice(0, 1..examples)], 0))
        });
        let is_square = dims.len() == 2 && dims[0] == dims[1];
        let mixed = swapped.filter(|_| !is_square).map_or(0, |after| {
            let changed =
                |&row: &usize| (0..of_each).any(|at| differs(before[row * of_each + at], after[row * of_each + at]));
            (1..examples).filter(changed).count()
        });
        if mixed > 0 {
            let is_attention = |&index: &usize| {
                matches!(pass.graph.nodes[index].role, Role::Softmax(_)) && pass.graph.reach[index].hidden
            };
            // Rows may be the places of one sequence, which see each other on purpose.
            let is_sequence = pass.graph.relevant().any(|index| is_attention(&index));
            let severity = if is_sequence { Severity::Note } else { Severity::Error };
            findings.push(Finding::new(severity, &place, Evidence::ExamplesMix { mixed, examples }));
            return findings;
        }
        // The last of a sequence is replaced by the first: what is given before it stays.
        let long = |dims: &[usize]| (dims.len() > 2 && dims[0] == examples && dims[1] > 1).then(|| dims[1]);
        let times = given.iter().find_map(|&index| long(pass.graph.nodes[index].value.dims()));
        let classes = dims.last().copied().unwrap_or(1);
        let Some(times) = times.filter(|times| rows == examples * times * classes) else { return findings };
        let later = outputs(&|x| {
            (long(x.dims()) == Some(times)).then(|| Tensor::cat(&[&x.slice(1, 0..times - 1), &x.slice(1, 0..1)], 1))
        });
        let sees = later.is_some_and(|after| {
            let early = |at: &usize| (at / classes) % times < times - 1;
            (0..rows).filter(early).any(|at| differs(before[at], after[at]))
        });
        if sees {
            let next = is_next(&pass, head, &given, times);
            let severity = if next { Severity::Error } else { Severity::Note };
            findings.push(Finding::new(severity, &place, Evidence::FutureSeen { next }));
        }
        findings
    }
}

/// The loss at the end, as a mean of up to five: it is noisy where units drop out.
fn at_end(losses: &[f64]) -> f64 {
    let count = (losses.len() / 20 + 1).min(5);
    mean(losses[losses.len().saturating_sub(count)..].iter().copied())
}

/// The data that predictions are computed from, by their places on the tape.
fn inputs(pass: &Trace) -> Vec<usize> {
    let graph = &pass.graph;
    let (mut open, mut seen) = (pass.heads.iter().map(|head| head.predictions).collect::<Vec<_>>(), HashSet::new());
    let mut found = Vec::new();
    while let Some(at) = open.pop() {
        if !seen.insert(at) {
            continue;
        }
        let node = &graph.nodes[at];
        let is_data = match node.role {
            Role::Lookup => true,
            Role::Constant | Role::Leaf => node.parameter.is_none() && node.value.numel() > 1,
            _ => false,
        };
        // A mask, and a state that begins at zero, are none.
        let is_mask = node.value.lost().negative || node.value.range().0 < -1e4 || node.value.is_zero();
        if is_data && !is_mask {
            found.push(at);
        } else {
            open.extend(&node.inputs);
        }
    }
    found.sort_unstable();
    found
}

/// A value in the model's float.
fn tape_value<T: Float>(graph: &Graph, index: usize) -> Tensor<T> {
    graph.nodes[index].value.values().cast()
}

/// The mean over the examples, for each of them.
fn alike<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    if x.rank() < 2 {
        return Tensor::zeros(x.shape());
    }
    let rows: Vec<isize> = (0..x.rank() as isize - 1).collect();
    x.mean(&rows[..]).expand(x.shape()).contiguous()
}

/// Whether the class at each time is the symbol at the next.
fn is_next(pass: &Trace, head: &LossTerm, given: &[usize], times: usize) -> bool {
    let graph = &pass.graph;
    let Some(labels) = graph.labels(head, &graph.uses_of_each()) else { return false };
    let symbols =
        given.iter().map(|&index| &graph.nodes[index].value).find(|x| x.dims().len() == 3 && x.dims()[1] == times);
    let Some(symbols) = symbols.filter(|x| x.dims()[0] * times == labels.of.len()) else { return false };
    let rows: Vec<Vec<u64>> = symbols.bits_of_rows();
    let (mut symbol_of, mut label_of) = (HashMap::new(), HashMap::new());
    let mut all_fit = true;
    for (at, label) in labels.of.iter().enumerate().filter(|(at, _)| at % times < times - 1) {
        let next = &rows[at + 1];
        all_fit &=
            *symbol_of.entry(*label).or_insert(next) == next && *label_of.entry(next).or_insert(*label) == *label;
    }
    all_fit && symbol_of.len() > 1
}
