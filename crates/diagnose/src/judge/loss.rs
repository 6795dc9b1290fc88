//! The first loss, part by part, beside what the best constant prediction costs.

use std::f64::consts::LN_2;

use autograd::{Baseline, Role};

use super::Judge;
use crate::read::losses::LossTerm;
use crate::read::saturation;
use crate::report::finding::{Evidence, Finding, Severity};

/// The standard deviation that the logits are brought to. The loss is then 0.005 above ln C.
const LOGITS: f64 = 0.1;

impl Judge<'_> {
    /// But for ends whose output and targets do not fit: what these cost says nothing.
    pub(super) fn losses(&self, misfits: &[usize]) -> Vec<Finding> {
        if self.report.step > 0 {
            return Vec::new();
        }
        let far = self.ends().offset_targets(misfits);
        let whole = self.report.loss.given.then(|| {
            let loss = &self.report.loss;
            let head = self.pass.heads.first().filter(|_| self.pass.heads.len() == 1);
            LossTerm {
                op: self.graph.loss,
                predictions: head.map_or(self.graph.loss, |head| head.predictions),
                targets: None,
                value: loss.compared,
                expected: loss.expected,
                classes: loss.classes,
                squares: head.is_some_and(|head| head.squares),
                examples: loss.examples.unwrap_or(1),
                std: loss.logits_std.unwrap_or(f64::NAN),
                weight: 1.0,
            }
        });
        let heads: Vec<&LossTerm> =
            whole.as_ref().map_or_else(|| self.pass.heads.iter().collect(), |whole| vec![whole]);
        // What is far from its targets costs as much as that.
        let told = |head: &LossTerm| {
            misfits.contains(&head.predictions) || far.iter().any(|(targets, _)| Some(*targets) == head.targets)
        };
        let dear = heads.iter().filter(|head| !told(head)).filter_map(|head| self.excess_loss(head, whole.is_some()));
        let mut findings: Vec<Finding> = dear.collect();
        findings.extend(far.into_iter().map(|(_, finding)| finding));
        findings
    }

    /// A loss above what the best constant prediction costs.
    fn excess_loss(&self, head: &LossTerm, given: bool) -> Option<Finding> {
        let (value, expected) = (head.value, head.expected?);
        let (excess, scale) = (value - expected, expected.abs());
        let root = (head.examples.max(1) as f64).sqrt();
        // What chance explains, and what does no harm: a small loss of nats is allowed a quarter of one, and squares, which are
        // not bounded, several times the variance.
        let (limit, error, noise) = if head.squares {
            (self.limits.squares * scale, 100.0 * scale, 4.0 * scale / root)
        } else {
            let nats = 0.25 * (scale / LN_2).min(1.0);
            // No more than a nat or the loss itself: what is not of logits, such as a rate, varies as it is wrong.
            let noise = (2.0 * head.std / root).min(scale.max(1.0));
            (
                (self.limits.loss * scale).max(if given { 0.0 } else { nats }),
                (self.limits.loss_error - 1.0) * scale,
                if noise.is_finite() { noise } else { 0.0 },
            )
        };
        // NaN and infinity are another finding.
        if !(excess.is_finite() && excess - noise > limit) {
            return None;
        }
        let affine = self.graph.output_layer(head.predictions);
        let place = self.graph.place(affine.map_or(head.predictions, |(affine, _)| affine.output));
        let (mut actions, mut weight) = (Vec::new(), None);
        if let Some((affine, logits)) = &affine {
            // Weights that are small enough stay as they are: the bias alone may be the cause.
            let size = head
                .targets
                .filter(|_| head.squares)
                .map_or(1.0, |targets| self.graph.nodes[targets].value.mean_std().1);
            let factor = (LOGITS * size / self.size_at(*logits, affine).unwrap_or(head.std)).min(1.0);
            actions.extend(self.scale(affine, factor));
            actions.extend(self.zero_bias(affine));
            if !affine.normalizes && factor < 1.0 {
                weight = Some(self.graph.place(affine.weight));
            }
        }
        let is_uniform = |classes: &usize| (expected - (*classes as f64).ln()).abs() < 1e-12 && !given;
        let evidence = Evidence::Excess { loss: value, expected, classes: head.classes.filter(is_uniform), weight };
        let severity = if excess > error { Severity::Error } else { Severity::Warn };
        Some(Finding::new(severity, place, evidence).actions(actions))
    }

    /// Probabilities where logits are wanted: the loss takes their softmax once more.
    pub(super) fn logits(&self) -> Vec<Finding> {
        let graph = self.graph;
        let find = |index: usize| {
            let Role::Loss { predictions, baseline } = graph.nodes[index].role else { return None };
            let predictions = graph.input(index, predictions)?;
            let mut made = predictions;
            while matches!(graph.nodes[made].role, Role::Keeping) {
                made = graph.input(made, 0)?;
            }
            let by_softmax = matches!(graph.nodes[made].role, Role::Softmax(_));
            if !(by_softmax || saturation::is_share(graph.nodes[made].role)) {
                return None;
            }
            let classes = if let Baseline::Classes(classes) = baseline { classes } else { 1 };
            let values = &graph.nodes[predictions].value;
            let examples = (values.numel() / classes.max(1)) as f64;
            // By logits, a gradient is a difference of probabilities; by probabilities, it is at least their inverse.
            let (gradient, of_loss) =
                (graph.nodes[predictions].gradient.as_ref()?, graph.nodes[index].gradient.as_ref()?);
            let (least, most) = gradient.range();
            // A mean over the examples has divided by them; the losses of all have not.
            let shared = if of_loss.numel() == 1 { examples } else { 1.0 };
            let largest = most.max(-least) * shared / of_loss.first().abs();
            if !matches!(baseline, Baseline::Classes(_) | Baseline::Value(_) | Baseline::Weighted { .. })
                || largest.partial_cmp(&1.0)? == std::cmp::Ordering::Greater
            {
                return None;
            }
            let evidence = Evidence::Probabilities { loss: graph.nodes[index].op, by: graph.nodes[made].op };
            Some(Finding::new(Severity::Error, graph.place(made), evidence))
        };
        graph.relevant().filter_map(find).collect()
    }
}
