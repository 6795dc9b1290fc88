//! What the targets are: what the loss takes, labels that say something, numbers that the outputs come to.

use autograd::{Baseline, Role};

use super::{Ends, Targets, WHOLE, share, takes};
use crate::read::losses::LossTerm;
use crate::read::numbers::{Numbers, mean};
use crate::report::finding::{Evidence, Finding, Severity};

/// Fewer examples may be alike by chance, or miss a class.
const FEW: usize = 8;
const MANY: usize = 32;

/// A class is missed by a batch that has so many examples for each.
const FOR_EACH: usize = 20;

/// Targets are offset when their mean is off by this many times their deviation and that of the outputs; and from this many times on
/// where squares are known to be compared.
const FAR: f64 = 4.0;
const FAR_FOR_SQUARES: f64 = 2.25;

/// Below this many times it is a note: a usual rate makes up for it, as for houses of 22 ± 9 thousands.
const NEAR: f64 = 3.0;

/// Targets are too large when they vary by this much, and by this many times the size of the outputs.
const LARGE: f64 = 30.0;
const TIMES: f64 = 30.0;

impl Ends<'_> {
    /// Targets that the loss does not take.
    pub(super) fn kind_of_target(&self, part: &LossTerm) -> Option<Finding> {
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

    /// Targets that are all alike, or that say nothing: all that one end is compared with, as a discriminator is with those of real and of made
    /// examples.
    pub(super) fn labels(&self, parts: &[&LossTerm], uses: &[u32]) -> Vec<Finding> {
        let part = parts[0];
        let place = self.place_of(part.predictions);
        let found = |severity, evidence| vec![Finding::new(severity, &place, evidence)];
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
        let labels: Vec<_> = parts.iter().filter_map(|part| self.graph.labels(part, uses)).collect();
        let of: Vec<usize> = labels.iter().flat_map(|labels| labels.of.iter().copied()).collect();
        if of.len() < FEW || labels.len() < parts.len() || labels.iter().any(|labels| labels.share.is_nan()) {
            return Vec::new();
        }
        let given = mean(labels.iter().map(|labels| labels.share));
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
}

/// Whether targets are compared one by one with outputs, or each with several outputs for it.
fn fits(targets: &[usize], outputs: &[usize]) -> bool {
    targets.len() == outputs.len() && targets.iter().zip(outputs).all(|(of, wide)| of == wide || *of == 1)
        || targets.iter().product::<usize>() == outputs.iter().product::<usize>()
}
