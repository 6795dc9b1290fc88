//! Whether output, loss and targets fit each other: what the targets are, what the loss takes, and what the output can give.

use std::f64::consts::LN_2;

use autograd::{Baseline, Role};

use crate::judge::limits::Limits;
use crate::read::graph::Graph;
use crate::read::losses::LossTerm;
use crate::read::numbers::Numbers;
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

/// Fewer examples may be alike by chance, or miss a class.
const FEW: usize = 8;
const MANY: usize = 32;

/// A sum of shares is 1 but for this.
const WHOLE: f64 = 0.02;

/// A class is missed by a batch that has so many examples for each.
const FOR_EACH: usize = 20;

/// A penalty that is so many times as large as the loss is a fault, and an error.
const PENALTY: [f64; 2] = [3.0, 30.0];

/// Targets are offset when their mean is off by this many times their deviation and that of the outputs; and from this many times on
/// where squares are known to be compared.
const FAR: f64 = 4.0;
const FAR_FOR_SQUARES: f64 = 2.25;

/// Below this many times it is a note: a usual rate makes up for it, as for houses of 22 ± 9 thousands.
const NEAR: f64 = 3.0;

/// Targets are too large when they vary by this much, and by this many times the size of the outputs.
const LARGE: f64 = 30.0;
const TIMES: f64 = 30.0;

/// The ends of a network: what is known before any figure of it is judged.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    limits: &'a Limits,
    pass: &'a Trace,
    graph: &'a Graph,
}

impl<'a> Ends<'a> {
    pub(crate) fn new(limits: &'a Limits, pass: &'a Trace) -> Self {
        Ends { limits, pass, graph: &pass.graph }
    }

    /// What is wrong between the output, the loss and the targets of each end, by the predictions that it is about.
    pub(crate) fn misfits(&self) -> Vec<(usize, Finding)> {
        let mut findings: Vec<(usize, Finding)> = Vec::new();
        for part in &self.pass.parts {
            let found = self.softmax(part).or_else(|| self.kind_of_prediction(part));
            let found = found.into_iter().chain(self.kind_of_target(part)).chain(self.labels(part));
            let found: Vec<Finding> = found.collect();
            // An output that cannot is one of several reasons, and the least certain.
            let range =
                found.iter().all(|finding| finding.severity == Severity::Note).then(|| self.range(part)).flatten();
            findings.extend(found.into_iter().chain(range).map(|finding| (part.predictions, finding)));
        }
        findings.extend(self.range_by_hand());
        findings.extend(self.sign());
        findings
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
                    Role::Affine { .. } | Role::Activation(_) | Role::Function { .. }
                );
                let may = may && (low < -1e-6 || high > 1.0 + 1e-6);
                let evidence = Evidence::NotProbabilities { loss: node.op, by, least, most };
                (outside || may).then(|| Finding::new(Severity::Error, self.place_of(made), evidence))
            }
            Takes::LogShares => {
                let sums = values.row_logs();
                let evidence = Evidence::NotLogShares { loss: node.op, by, sum: mean(&sums).exp() };
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

    /// Targets that the loss does not take.
    fn kind_of_target(&self, part: &LossTerm) -> Option<Finding> {
        let kind = takes(self.graph.nodes[part.op].op).1?;
        // Targets may be logarithms.
        if matches!(self.graph.nodes[part.op].role, Role::Loss { baseline: Baseline::Unknown, .. }) {
            return None;
        }
        let values = &self.graph.nodes[part.targets?].value;
        let ((least, most), loss) = (values.range(), self.graph.nodes[part.op].op);
        let place = self.place_of(part.predictions);
        if least < -1e-6 || most > 1.0 + 1e-6 {
            let outside = share(values.values().iter(), |t| !(-1e-6..=1.0 + 1e-6).contains(&t));
            return Some(Finding::new(
                Severity::Error,
                place,
                Evidence::TargetsOutside { loss, least, most, share: outside },
            ));
        }
        // A row of zeros does not count.
        let is_whole = |sum: f64| (sum - 1.0).abs() < WHOLE || sum == 0.0;
        let sums = if kind == Targets::Rows { values.row_sums() } else { Vec::new() };
        let sum = sums.iter().copied().find(|sum| !is_whole(*sum))?;
        Some(Finding::new(Severity::Warn, place, Evidence::TargetsNotShares { loss, sum }))
    }

    /// Targets that are all alike, or that say nothing.
    fn labels(&self, part: &LossTerm) -> Vec<Finding> {
        let place = self.place_of(part.predictions);
        let found = |severity, evidence| vec![Finding::new(severity, &place, evidence)];
        // What one end predicts may be compared with other targets elsewhere, as that of a discriminator is.
        let same = |other: &&LossTerm| self.same_end(other.predictions, part.predictions);
        let parts: Vec<&LossTerm> = self.pass.parts.iter().filter(same).collect();
        if parts.first().is_none_or(|first| first.op != part.op) {
            return Vec::new();
        }
        if part.classes.is_none() {
            let values = parts.iter().map(|part| Some(&self.graph.nodes[part.targets?].value));
            let Some(values) = values.collect::<Option<Vec<&Numbers>>>() else { return Vec::new() };
            let (least, most) = values
                .iter()
                .map(|values| values.range())
                .fold((f64::INFINITY, f64::NEG_INFINITY), |all, of| (all.0.min(of.0), all.1.max(of.1)));
            let examples: usize = values.iter().map(|values| values.numel()).sum();
            let is_choice = matches!(takes(self.graph.nodes[part.op].op).1, Some(Targets::Shares));
            return match () {
                () if examples < FEW || least.is_nan() => Vec::new(),
                () if least == most && is_choice => {
                    found(Severity::Warn, Evidence::TargetsAlike { value: least, class: false, examples })
                }
                // That residuals are to be 0 is what some losses want.
                () if least == most && least != 0.0 => {
                    found(Severity::Note, Evidence::TargetsAlike { value: least, class: false, examples })
                }
                () if is_choice && least == 0.0 && most == 1.0 => {
                    let positive = values.iter().map(|values| values.mean_std().0 * values.numel() as f64).sum::<f64>()
                        / examples as f64;
                    self.imbalance(&place, positive.max(1.0 - positive), &[positive, 1.0 - positive])
                }
                () => Vec::new(),
            };
        }
        let classes = part.classes.unwrap_or(0);
        let labels: Vec<_> = parts.iter().filter_map(|part| self.graph.labels(part)).collect();
        let of: Vec<usize> = labels.iter().flat_map(|labels| labels.of.iter().copied()).collect();
        if of.len() < FEW || labels.len() < parts.len() || labels.iter().any(|labels| labels.share.is_nan()) {
            return Vec::new();
        }
        let given = mean(&labels.iter().map(|labels| labels.share).collect::<Vec<_>>());
        if (given - 1.0 / classes as f64).abs() < 1e-3 && self.graph.nodes[part.op].op != "nll_loss" && classes > 1 {
            return found(Severity::Error, Evidence::TargetsEven { classes });
        }
        let mut counts = vec![0_usize; classes];
        of.iter().filter(|class| **class < classes).for_each(|&class| counts[class] += 1);
        let missing = counts.iter().filter(|count| **count == 0).count();
        if missing + 1 == classes {
            let severity = if of.len() >= MANY { Severity::Error } else { Severity::Warn };
            return found(severity, Evidence::TargetsAlike { value: of[0] as f64, class: true, examples: of.len() });
        }
        if missing > 0 && of.len() >= FOR_EACH * classes {
            return found(Severity::Note, Evidence::ClassesMissing { missing, classes, examples: of.len() });
        }
        let shares: Vec<f64> = counts.iter().map(|count| *count as f64 / of.len() as f64).collect();
        self.imbalance(&place, shares.iter().copied().fold(0.0, f64::max), &shares)
    }

    /// One class that most examples are of, with what it costs to say so.
    fn imbalance(&self, place: &str, most: f64, shares: &[f64]) -> Vec<Finding> {
        /// From this share on it is worth a note.
        const HEAVY: f64 = 0.9;
        let entropy = shares.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum();
        let evidence = Evidence::Imbalance { share: most, entropy };
        (most >= HEAVY).then(|| Finding::new(Severity::Note, place, evidence)).into_iter().collect()
    }

    /// Whether two predictions come from the same last layer.
    fn same_end(&self, one: usize, other: usize) -> bool {
        let [one, other] =
            [one, other].map(|index| self.graph.output_layer(index).map_or(index, |(affine, _)| affine.weight));
        one == other
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
                (mean(&targets.values().iter().map(best).collect::<Vec<_>>()) / LN_2, false)
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
        let mut floor = mean(&values.values().iter().map(beyond).collect::<Vec<_>>());
        let is_softmax = matches!(self.graph.nodes[self.graph.maker(predictions)].role, Role::Softmax(_));
        if is_softmax && values.dims() == self.graph.nodes[predictions].value.dims() {
            let count = values.dims().last().copied().unwrap_or(1) as f64;
            // What the shares of a row lack of its sum is missing in each of them.
            floor += mean(&values.row_sums().iter().map(|sum| ((sum - 1.0) / count).powi(2)).collect::<Vec<_>>());
        }
        // Of targets that are all alike, their own size.
        let variance = if std > 0.0 { std * std } else { mean_of * mean_of };
        let severity = self.by_floor(floor / variance)?;
        let (least, most) = values.range();
        let share = share(values.values().iter(), |t| !(low..=high).contains(&t));
        let evidence = Evidence::OutputRange { by: self.graph.nodes[of.by].op, low, high, least, most, share };
        Some(Finding::new(severity, self.graph.place(of.by), evidence))
    }

    /// Targets that are far from the outputs, whatever the loss is, by the targets.
    /// But for those of ends that are misfits already.
    pub(crate) fn offset_targets(&self, misfits: &[usize]) -> Vec<(usize, Finding)> {
        let graph = self.graph;
        let compared = graph.relevant().filter_map(|index| match graph.nodes[index].role {
            Role::Loss { .. } => None,
            // A loss without a role: predictions and targets of the same shape become one number.
            Role::Other if graph.nodes[index].value.numel() == 1 && !graph.reach[index].hidden => {
                let inputs = &graph.nodes[index].inputs;
                let of_model = |model: bool| {
                    inputs.iter().copied().find(|&input| graph.route[input].data && graph.route[input].model == model)
                };
                of_model(true).zip(of_model(false))
            }
            _ => graph.difference(index),
        });
        // Who says what the loss should be has seen the targets.
        let open = self.pass.heads.iter().filter(|head| head.squares || head.expected.is_none());
        let by_role = open.filter_map(|head| Some((head.predictions, head.targets?)));
        let mut findings: Vec<(usize, Finding)> = Vec::new();
        for (predictions, targets) in compared.chain(by_role).filter(|(end, _)| !misfits.contains(end)) {
            let [outputs, wanted] = [predictions, targets].map(|index| &graph.nodes[index].value);
            let ((mean, own), (target, std)) = (outputs.mean_std(), wanted.mean_std());
            let way = (target - mean).abs();
            let squares = self.pass.heads.iter().any(|head| head.squares && head.targets == Some(targets));
            let far = if squares { FAR_FOR_SQUARES } else { FAR };
            // Outputs that are spread as far are too large, and not too far.
            let is_large = std > LARGE && std > TIMES * outputs.rms();
            let is_far = way > far * std.max(own) && std > 0.0 && way.is_finite();
            if !(is_far || is_large)
                || !fits(wanted.dims(), outputs.dims())
                || findings.iter().any(|(known, _)| *known == targets)
            {
                continue;
            }
            let affine = graph.scaled_by(predictions);
            let place = graph.place(affine.map_or(predictions, |affine| affine.output));
            let bias = affine.and_then(|affine| affine.bias).map(|bias| graph.place(bias));
            let evidence = match is_far {
                true => Evidence::FarTargets { outputs: mean, targets: target, std, bias },
                false => Evidence::LargeTargets { outputs: outputs.rms(), targets: std },
            };
            let is_near = is_far && !is_large && way <= NEAR * std.max(own);
            let severity = if is_near { Severity::Note } else { Severity::Error };
            let finding = Finding::new(severity, place, evidence);
            findings.push((targets, finding));
        }
        findings
    }

    /// A loss that training makes large, or that drowns in its penalties.
    fn sign(&self) -> Vec<(usize, Finding)> {
        let parts = &self.pass.parts;
        let is_turned = |part: &LossTerm| match self.graph.nodes[part.op].gradient {
            Some(_) => part.weight < 0.0,
            None => self.is_turned_round(part.op),
        };
        if let (Some(first), true) = (parts.first(), parts.iter().all(is_turned)) {
            let evidence = Evidence::WrongSign { loss: self.graph.nodes[first.op].op };
            let finding = |part: &LossTerm| {
                (part.predictions, Finding::new(Severity::Error, self.place_of(part.predictions), evidence.clone()))
            };
            return parts.iter().map(finding).collect();
        }
        self.penalty().into_iter().collect()
    }

    /// Whether a minus stands between a loss and the result, where gradients are not at hand.
    fn is_turned_round(&self, op: usize) -> bool {
        let (mut at, mut turned) = (self.graph.loss, false);
        while at != op {
            let node = &self.graph.nodes[at];
            let Some(&input) = node.inputs.first() else { return false };
            match node.role {
                Role::Scaling => turned ^= node.value.first() * self.graph.nodes[input].value.first() < 0.0,
                Role::Keeping => turned ^= node.op == "neg",
                Role::Reducing => {}
                _ => return false,
            }
            at = input;
        }
        turned
    }

    /// A loss that is below zero, and is never of what it takes.
    pub(crate) fn below_zero(&self) -> Vec<Finding> {
        let find = |part: &LossTerm| {
            let op = self.graph.nodes[part.op].op;
            let is_bounded = takes(op) != (Takes::Numbers, None) || op.ends_with("mse_loss") || op.ends_with("l1_loss");
            let evidence = Evidence::BelowZero { op, loss: part.value };
            (is_bounded && part.value < -1e-3).then(|| Finding::new(Severity::Error, "the loss", evidence))
        };
        self.pass.parts.iter().filter_map(find).collect()
    }

    /// Terms that depend on weights alone, beside those of data.
    fn penalty(&self) -> Option<(usize, Finding)> {
        let graph = self.graph;
        let mut open = vec![graph.loss];
        let mut terms = Vec::new();
        while let Some(at) = open.pop() {
            let node = &graph.nodes[at];
            match node.role {
                Role::Adding | Role::Keeping | Role::Scaling if node.value.numel() == 1 => open.extend(&node.inputs),
                _ => terms.push(at),
            }
        }
        let size = |index: &usize| {
            let weight = graph.nodes[*index].gradient.as_ref().map_or(0.0, Numbers::first);
            (graph.nodes[*index].value.first() * weight).abs()
        };
        let (of_data, penalties): (Vec<usize>, Vec<usize>) =
            terms.into_iter().filter(|&index| graph.route[index].model).partition(|&index| graph.is_of_data(index));
        let (loss, penalty) = (of_data.iter().map(size).sum::<f64>(), penalties.iter().map(size).sum::<f64>());
        let times = penalty / loss;
        let severity = match times {
            times if times >= PENALTY[1] => Severity::Error,
            times if times >= PENALTY[0] => Severity::Warn,
            _ => return None,
        };
        let evidence = Evidence::Penalty { penalty, loss };
        times.is_finite().then(|| (graph.loss, Finding::new(severity, graph.place(penalties[0]), evidence)))
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
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

/// Whether targets are compared one by one with outputs, or each with several outputs for it.
fn fits(targets: &[usize], outputs: &[usize]) -> bool {
    targets.len() == outputs.len() && targets.iter().zip(outputs).all(|(of, wide)| of == wide || *of == 1)
        || targets.iter().product::<usize>() == outputs.iter().product::<usize>()
}
