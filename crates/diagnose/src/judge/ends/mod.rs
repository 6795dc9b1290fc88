//! Whether output, loss and targets fit each other: what the loss takes, and what the output can give.

mod objective;
mod targets;

use std::f64::consts::LN_2;

use autograd::{Baseline, Role};

use crate::judge::limits::Limits;
use crate::read::graph::Graph;
use crate::read::losses::LossTerm;
use crate::read::numbers::mean;
use crate::read::output::Bounded;
use crate::read::trace::Trace;
use crate::report::finding::{Evidence, Finding, Severity};

/// What a loss of the family takes, beyond numbers of the right shape.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Logits,
    /// Each between 0 and 1.
    Probabilities,
    /// Whose rows add up to 1.
    LogShares,
    Numbers,
}

/// By the name of the op: what predictions it takes, and whether targets are shares.
fn takes(op: &str) -> (Takes, Option<Targets>) {
    match op {
        "cross_entropy" => (Takes::Logits, None),
        "soft_cross_entropy" => (Takes::Logits, Some(Targets::Rows)),
        "bce_with_logits_loss" => (Takes::Logits, Some(Targets::Shares)),
        "bce_loss" => (Takes::Probabilities, Some(Targets::Shares)),
        "nll_loss" => (Takes::LogShares, None),
        "kl_div" => (Takes::LogShares, Some(Targets::Rows)),
        _ => (Takes::Numbers, None),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Targets {
    /// Between 0 and 1.
    Shares,
    /// And whose rows add up to 1.
    Rows,
}

/// A sum of shares is 1 but for this.
const WHOLE: f64 = 0.02;

/// The ends of a network: what is known before any figure of it is judged.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    limits: &'a Limits,
    pass: &'a Trace,
    graph: &'a Graph,
}

/// What does not fit.
pub(crate) struct Misfits {
    pub(crate) findings: Vec<Finding>,
    /// The predictions that more than a note is about: what these cost says nothing.
    pub(crate) ends: Vec<usize>,
}

impl<'a> Ends<'a> {
    pub(crate) fn new(limits: &'a Limits, pass: &'a Trace) -> Self {
        Ends { limits, pass, graph: &pass.graph }
    }

    /// What is wrong between the output, the loss and the targets of each end.
    pub(crate) fn misfits(&self) -> Misfits {
        let mut all: Vec<(usize, Finding)> = Vec::new();
        let uses = self.graph.uses_of_each();
        for parts in self.graph.by_end(&self.pass.parts) {
            let mut labels = self.labels(&parts, &uses);
            for part in parts {
                let found = self.softmax(part).or_else(|| self.kind_of_prediction(part));
                let found = found.into_iter().chain(self.kind_of_target(part)).chain(std::mem::take(&mut labels));
                let found: Vec<Finding> = found.collect();
                // An output that cannot is one of several reasons, and the least certain.
                let is_open = found.iter().all(|finding| finding.severity == Severity::Note);
                let range = if is_open { self.range(part) } else { None };
                all.extend(found.into_iter().chain(range).map(|finding| (part.predictions, finding)));
            }
        }
        all.extend(self.range_by_hand());
        all.extend(self.objective());
        let serious = all.iter().filter(|(_, finding)| finding.severity > Severity::Note);
        let ends = serious.map(|(end, _)| *end).collect();
        Misfits { findings: all.into_iter().map(|(_, finding)| finding).collect(), ends }
    }

    /// The place of what makes an output.
    fn place_of(&self, index: usize) -> String {
        self.graph.place(self.graph.output_layer(index).map_or(index, |(affine, _)| affine.output))
    }

    /// A softmax that makes shares of nothing, of the examples, or of labels that do not exclude each other.
    fn softmax(&self, part: &LossTerm) -> Option<Finding> {
        let made = self.graph.maker(part.predictions);
        let node = &self.graph.nodes[made];
        let dims = node.value.dims();
        let axis = match node.role {
            Role::Softmax(axis) => Some(axis),
            _ if node.op == "log_softmax" => None,
            _ if part.classes == Some(1) => {
                let evidence = Evidence::SoftmaxOfOne { op: self.graph.nodes[part.op].op };
                return Some(Finding::new(Severity::Error, self.place_of(made), evidence));
            }
            _ => return None,
        };
        let error = |evidence| Some(Finding::new(Severity::Error, self.place_of(made), evidence));
        if dims.get(axis.unwrap_or(dims.len().saturating_sub(1))) == Some(&1) && node.value.numel() > 1 {
            return error(Evidence::SoftmaxOfOne { op: node.op });
        }
        let over_rows = || {
            let exp = node.value.values().exp();
            dims.len() > 1 && exp.sum(0).iter().all(|sum| (sum - 1.0).abs() < WHOLE)
        };
        if dims.len() > 1
            && dims[0] > 1
            && (axis == Some(0) || axis.is_none() && !is_of_shares(node.value.row_logs()) && over_rows())
        {
            return error(Evidence::SoftmaxOverBatch { op: node.op, examples: dims[0] });
        }
        let targets = &self.graph.nodes[part.targets?].value;
        let op = self.graph.nodes[part.op].op;
        if op == "bce_loss" && axis == dims.len().checked_sub(1) && targets.dims() == dims {
            let (sums, count) = (targets.row_sums(), dims[dims.len() - 1] as f64);
            // The best shares of k labels are 1/k each.
            let cost = |&k: &f64| if k > 0.0 { k * k.ln().max(0.0) } else { -count * (1.0 - 1.0 / count).ln() };
            let floor = sums.iter().map(cost).sum::<f64>() / sums.len().max(1) as f64 / count / LN_2;
            let severity = self.by_floor(floor)?;
            let labels = sums.iter().sum::<f64>() / sums.len() as f64;
            return Some(Finding::new(severity, self.place_of(made), Evidence::SoftmaxOfLabels { labels }));
        }
        None
    }

    /// Predictions of another kind than the loss takes.
    fn kind_of_prediction(&self, part: &LossTerm) -> Option<Finding> {
        let (node, values) = (&self.graph.nodes[part.op], &self.graph.nodes[part.predictions].value);
        let made = self.graph.maker(part.predictions);
        let by = self.graph.nodes[made].op;
        match takes(node.op).0 {
            Takes::Probabilities => {
                let [low, high] =
                    self.graph.bounded(part.predictions).map_or([f64::NEG_INFINITY, f64::INFINITY], |of| of.range);
                let (least, most) = values.range();
                let outside = least < 0.0 || most > 1.0;
                // What has no end, and is made by a layer or an activation, may leave it at the next step.
                let may = matches!(
                    self.graph.nodes[made].role,
                    Role::Affine { .. } | Role::AffineChannels { .. } | Role::Activation(_) | Role::Function { .. }
                );
                let may = may && (low < -1e-6 || high > 1.0 + 1e-6);
                let evidence = Evidence::NotProbabilities { loss: node.op, by, least, most };
                (outside || may).then(|| Finding::new(Severity::Error, self.place_of(made), evidence))
            }
            Takes::LogShares => {
                let sums = values.row_logs();
                let evidence = Evidence::NotLogShares { loss: node.op, by, sum: mean(sums.iter().copied()).exp() };
                if !is_of_shares(sums) {
                    return Some(Finding::new(Severity::Error, self.place_of(made), evidence));
                }
                let (of, share) = self.logarithm_of_what_is_no_share(part.predictions)?;
                let evidence = Evidence::SharesByHand { by: self.graph.nodes[of].op, share };
                Some(Finding::new(Severity::Error, self.graph.place(of), evidence))
            }
            _ => None,
        }
    }

    /// The x of shares that were made by hand, x / Σ x, where it may be below zero or is often cut off to 0; and how much of it is.
    fn logarithm_of_what_is_no_share(&self, index: usize) -> Option<(usize, f64)> {
        let graph = self.graph;
        let made = &graph.nodes[graph.maker(index)];
        let &shared = made.inputs.first().filter(|_| made.op == "div")?;
        let ends_at_zero = graph.bounded(shared).is_some_and(|of| of.range[0] >= 0.0);
        // What relu has cut off has the logarithm of nothing, and gets no gradient.
        let cut = share(graph.nodes[shared].value.values().iter(), |x| x <= 0.0);
        (!ends_at_zero || cut > 0.1).then_some((shared, cut))
    }

    fn by_floor(&self, floor: f64) -> Option<Severity> {
        match floor {
            floor if floor >= self.limits.floor_error => Some(Severity::Error),
            floor if floor >= self.limits.floor => Some(Severity::Warn),
            _ => None,
        }
    }

    /// An output that ends before the targets do, or before it can be sure of anything.
    fn range(&self, part: &LossTerm) -> Option<Finding> {
        let of = self.graph.bounded(part.predictions)?;
        let [low, high] = of.range;
        let by = self.graph.nodes[of.by].op;
        let loss = self.graph.nodes[part.op].op;
        let Role::Loss { baseline, .. } = self.graph.nodes[part.op].role else {
            return self.out_of_range(of, part.predictions, part.targets?);
        };
        // Probabilities where logits are wanted are another finding.
        let is_share = low >= -1e-6 && high <= 1.0 + 1e-6;
        let (cost, flat) = match (takes(loss).0, baseline) {
            (Takes::Logits, _) if is_share => return None,
            (Takes::Logits, Baseline::Classes(classes)) if classes > 1 => {
                let others = (classes - 1) as f64;
                ((others * (low - high).exp()).ln_1p() / (classes as f64).ln(), low.is_finite() != high.is_finite())
            }
            (Takes::Logits, _) => {
                let targets = &self.graph.nodes[part.targets?].value;
                let best = |t: f64| {
                    let x = (t / (1.0 - t)).ln().clamp(low, high);
                    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
                    // At the ends x may be infinite.
                    let cost = |t: f64, x: f64| if t > 0.0 { t * softplus(x) } else { 0.0 };
                    cost(t, -x) + cost(1.0 - t, x)
                };
                (mean(targets.values().iter().map(best)) / LN_2, false)
            }
            (Takes::Numbers, Baseline::Variance(_) | Baseline::Constant { .. }) => {
                return self.out_of_range(of, part.predictions, part.targets?);
            }
            _ => return None,
        };
        let severity = self.by_floor(cost).or(flat.then_some(Severity::Warn))?;
        let evidence = Evidence::BoundedLogits { loss, by, low, high, floor: cost };
        Some(Finding::new(severity, self.graph.place(of.by), evidence))
    }

    /// The same where the loss is written by hand, as a difference of predictions and targets.
    fn range_by_hand(&self) -> Vec<(usize, Finding)> {
        let known = |predictions: usize| self.pass.parts.iter().any(|part| part.predictions == predictions);
        let find = |(predictions, targets): (usize, usize)| {
            let of = self.graph.bounded(predictions).filter(|_| !known(predictions))?;
            Some((predictions, self.out_of_range(of, predictions, targets)?))
        };
        self.graph.relevant().filter_map(|index| self.graph.difference(index)).filter_map(find).collect()
    }

    /// Targets outside of what the output can be, by what their squares cost at least, as a share of the targets' variance.
    fn out_of_range(&self, of: Bounded, predictions: usize, targets: usize) -> Option<Finding> {
        let [low, high] = of.range;
        let values = &self.graph.nodes[targets].value;
        let (mean_of, std) = values.mean_std();
        let beyond = |t: f64| (t - t.clamp(low, high)).powi(2);
        let mut floor = mean(values.values().iter().map(beyond));
        let is_softmax = matches!(self.graph.nodes[self.graph.maker(predictions)].role, Role::Softmax(_));
        if is_softmax && values.dims() == self.graph.nodes[predictions].value.dims() {
            let count = values.dims().last().copied().unwrap_or(1) as f64;
            // What the shares of a row lack of its sum is missing in each of them.
            floor += mean(values.row_sums().iter().map(|sum| ((sum - 1.0) / count).powi(2)));
        }
        // Of targets that are all alike, their own size.
        let variance = if std > 0.0 { std * std } else { mean_of * mean_of };
        let severity = self.by_floor(floor / variance)?;
        let (least, most) = values.range();
        let share = share(values.values().iter(), |t| !(low..=high).contains(&t));
        let evidence = Evidence::OutputRange { by: self.graph.nodes[of.by].op, low, high, least, most, share };
        Some(Finding::new(severity, self.graph.place(of.by), evidence))
    }
}

fn share(numbers: impl Iterator<Item = f64>, is: impl Fn(f64) -> bool) -> f64 {
    let (count, all) = numbers.fold((0_usize, 0_usize), |(count, all), x| (count + usize::from(is(x)), all + 1));
    count as f64 / all.max(1) as f64
}

/// Whether the logarithms of rows' sums are 0, but for a few.
fn is_of_shares(logs: Vec<f64>) -> bool {
    let off = logs.iter().filter(|log| log.abs() > 5.0 * WHOLE).count();
    2 * off <= logs.len()
}
