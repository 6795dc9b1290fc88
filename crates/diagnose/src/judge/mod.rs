//! From figures to findings: the rules, and where they begin to hold.

mod data;
pub(crate) mod ends;
pub(crate) mod limits;
mod loss;
mod path;
mod symmetry;
mod units;

use std::collections::{HashMap, HashSet};

use autograd::Role;

use crate::judge::limits::Limits;
use crate::read::graph::{Affine, Graph};
use crate::read::losses::LossTerm;
use crate::read::saturation;
use crate::read::trace::{Parameter, Trace};
use crate::report::finding::{Action, Evidence, Fault, Finding, Severity, sort};
use crate::report::{Activation, Report};
use crate::say::words;

/// Of each parameter, the share of its columns that are copies after this many steps of plain descent.
pub(crate) type CopiesAfter<'a> = dyn Fn(usize) -> HashMap<String, f64> + 'a;

/// All that is wrong, the most harmful first. What a finding proposes to do is not tried yet.
pub(crate) fn judge(
    limits: &Limits,
    pass: &Trace,
    report: &Report,
    copies_after: Option<&CopiesAfter<'_>>,
) -> Vec<Finding> {
    let judge = Judge { limits, pass, graph: &pass.graph, report };
    let mut findings = Vec::new();
    findings.extend(judge.not_finite());
    findings.extend(judge.constant());
    findings.extend(judge.data());
    findings.extend(judge.broadcast());
    findings.extend(judge.logits());
    let misfits = (judge.report.step == 0).then(|| judge.ends().misfits());
    let (misfits, ends) = misfits.map_or_else(Default::default, |of| (of.findings, of.ends));
    findings.extend(misfits);
    findings.extend(judge.symmetry(copies_after));
    findings.extend(judge.losses(&ends));
    findings.extend(judge.saturation());
    findings.extend(judge.attention());
    findings.extend(report.activations.iter().filter_map(|activation| judge.dead(activation)));
    let signal = judge.signal(&findings);
    // Where branches make a trunk large, the head only shows it.
    let grows = |finding: &Finding| matches!(finding.evidence, Evidence::SignalScale { joined: true, factor, .. } if factor > 1.0);
    let grown: Vec<String> =
        signal.iter().filter(|finding| grows(finding)).map(|finding| finding.place.clone()).collect();
    if !grown.is_empty() {
        findings.retain(|finding| !matches!(finding.evidence, Evidence::Excess { .. }));
    }
    findings.extend(signal);
    let mut gradient = judge.gradient(&findings);
    gradient.retain(|finding| !grown.contains(&finding.place));
    findings.extend(gradient);
    let recurrent = judge.recurrent(&findings);
    // Gates and tanh are flat for what the weight of the state does.
    let module = |place: &str| place.rsplit_once('.').map_or(String::new(), |(module, _)| module.to_owned());
    let of_state: Vec<String> = recurrent.iter().map(|finding| module(&finding.place)).collect();
    let is_shown =
        |place: &str| of_state.iter().any(|module| place == module || place.starts_with(&format!("{module} #")));
    let is_of_units = |fault: Fault| matches!(fault, Fault::Saturation | Fault::Gradient);
    findings.retain(|finding| !(is_of_units(finding.fault) && is_shown(&finding.place)));
    findings.extend(recurrent);
    findings.extend(judge.unused());
    findings.extend(judge.unlisted());
    findings.extend(judge.linear());
    findings.extend(judge.batch());
    findings.extend(unseen(&pass.graph));
    // What data do that are alike, or of another scale, is not for weights to make up for.
    let is_data = |finding: &&Finding| finding.fault == Fault::Data && finding.severity > Severity::Note;
    let data: Vec<&Finding> = findings.iter().filter(is_data).collect();
    if data.iter().any(|finding| matches!(finding.evidence, Evidence::ExamplesAlike { .. })) {
        findings.retain(|finding| {
            !matches!(finding.fault, Fault::Saturation | Fault::Dead | Fault::Signal | Fault::Gradient)
        });
    } else if !data.is_empty() {
        for finding in findings.iter_mut().filter(|finding| !finding.actions.is_empty()) {
            finding.actions.clear();
            finding.remedy = words::DATA_FIRST.into();
        }
    }
    // What is wrong at each use of one place is told once.
    let mut told = HashSet::new();
    // Of data, each feature may have a fault of its own.
    let detail = |finding: &Finding| if finding.fault == Fault::Data { finding.brief.clone() } else { String::new() };
    findings.retain(|finding| told.insert((finding.fault, finding.place.clone(), detail(finding))));
    sort(&mut findings);
    findings
}

/// What was not looked at: what a scope has computed is gone, and a segment that is computed again is not on the tape.
pub(crate) fn unseen(graph: &Graph) -> Vec<Finding> {
    let is_segment = |index: &usize| matches!(graph.nodes[*index].role, Role::Segment);
    let segment = |index| Finding::new(Severity::Note, graph.place(index), Evidence::Segment);
    let mut findings: Vec<Finding> = graph.relevant().filter(is_segment).map(segment).collect();
    if graph.scopes > 0 {
        findings.push(Finding::new(Severity::Note, "the model", Evidence::Scopes { count: graph.scopes }));
    }
    findings
}

pub(super) struct Judge<'a> {
    limits: &'a Limits,
    pass: &'a Trace,
    graph: &'a Graph,
    report: &'a Report,
}

impl Judge<'_> {
    fn ends(&self) -> ends::Ends<'_> {
        ends::Ends::new(self.limits, self.pass)
    }

    fn not_finite(&self) -> Option<Finding> {
        let anomaly = self.report.anomaly.clone()?;
        Some(Finding::new(Severity::Error, anomaly.place.clone(), Evidence::NotFinite { anomaly, step: None }))
    }

    /// Whether the model has learned already: by what the caller said, or by its losses.
    fn is_trained(&self) -> bool {
        /// Below this share of what the best constant prediction costs.
        const LEARNED: f64 = 0.3;
        let has_learned = |head: &LossTerm| head.expected.is_some_and(|expected| head.value < LEARNED * expected);
        self.report.step > 0 || !self.pass.heads.is_empty() && self.pass.heads.iter().all(has_learned)
    }

    /// A loss that nothing trained has a share in.
    fn constant(&self) -> Option<Finding> {
        let place = || self.graph.place(self.graph.loss);
        (!self.graph.route[self.graph.loss].model)
            .then(|| Finding::new(Severity::Error, place(), Evidence::ConstantLoss))
    }

    fn unused(&self) -> Vec<Finding> {
        let is_unused = |parameter: &&Parameter| parameter.gradient.is_none() && parameter.data.numel() > 0;
        let find = |parameter: &Parameter| Finding::new(Severity::Warn, &parameter.name, Evidence::NoGradient);
        self.pass.parameters.iter().filter(is_unused).map(find).collect()
    }

    /// Leaves that are trained like parameters, and not the model's.
    fn unlisted(&self) -> Vec<Finding> {
        let find = |index: usize| {
            let has_name = self.graph.nodes[index].unlisted?;
            // An input whose gradient somebody wants has no name, and goes into a layer as its signal.
            let is_input = !has_name && self.graph.route[index].data;
            let severity = if is_input { Severity::Note } else { Severity::Warn };
            let shape = self.graph.nodes[index].value.dims().to_vec();
            Some(Finding::new(severity, self.graph.place(index), Evidence::Unlisted { shape }))
        };
        self.graph.relevant().filter_map(find).collect()
    }

    fn batch(&self) -> Option<Finding> {
        let single = |activation: &&Activation| activation.map.examples == 1 && activation.units > 1;
        let activation = self.report.activations.iter().find(single)?;
        let evidence = Evidence::OneExample { needed: self.limits.dead_examples };
        Some(Finding::new(Severity::Note, &activation.place, evidence))
    }

    /// Multiplies what an op with weights gives.
    fn scale(&self, affine: &Affine, factor: f64) -> Option<Action> {
        // What is frozen stays as it was trained elsewhere.
        let is_trained = self.graph.nodes[affine.weight].parameter == Some(true);
        let changes = factor.is_finite() && factor > 0.0 && factor != 1.0 && is_trained;
        changes.then(|| Action::Scale { parameter: self.graph.place(affine.weight), factor })
    }

    /// Sets its bias to zero, if it is not.
    fn zero_bias(&self, affine: &Affine) -> Option<Action> {
        let bias = affine.bias.filter(|&bias| self.graph.nodes[bias].parameter == Some(true))?;
        let is_zero = self.graph.nodes[bias].value.is_zero();
        (!is_zero).then(|| Action::Zero { parameter: self.graph.place(bias) })
    }

    /// The standard deviation of the output of an op with weights, without its bias; `None` where it is not known.
    fn without_bias(&self, affine: &Affine) -> Option<f64> {
        let output = &self.graph.nodes[affine.output].value;
        // A bias that is added later is not in its output.
        let bias = affine.bias.filter(|_| affine.bias_within).map(|bias| &self.graph.nodes[bias].value);
        let without = bias.and_then(|bias| output.without(bias));
        let std = without.as_ref().unwrap_or(output).mean_std().1;
        Some(std).filter(|std| std.is_finite() && *std > 0.0)
    }

    /// The same at a value that comes after it, which may be multiplied by numbers on the way.
    fn size_at(&self, index: usize, affine: &Affine) -> Option<f64> {
        let times = self.graph.spread(index) / self.graph.spread(affine.output);
        Some(self.without_bias(affine)? * if times.is_finite() && times > 0.0 { times } else { 1.0 })
    }

    /// The gain of the first activation, which stands for the others.
    fn gain_name(&self) -> String {
        gain_name(self.report.activations.first().map_or(Role::Other, |activation| self.role(activation.nodes[0])))
    }

    /// What function a value was computed by.
    fn role(&self, index: usize) -> Role {
        self.graph.nodes[index].role
    }
}

/// What the gain that makes up for a non-linearity is called, as in `init::Gain::Tanh`.
fn gain_name(role: Role) -> String {
    format!("{:?}", saturation::gain(role))
}
