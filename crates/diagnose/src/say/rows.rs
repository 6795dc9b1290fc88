//! A row for each layer, in the order of the signal: what texts and pages show of it.

use crate::report::stats::Stats;
use crate::report::{Activation, Report, Signal};
use crate::say::table::Table;
use crate::say::text::{NONE, figure, percent, sparkline};

/// A linear layer with the activation that takes its result, or an activation of something else.
pub(crate) struct Row<'a> {
    /// The module that it belongs to.
    pub(crate) place: &'a str,
    /// How often it is used.
    pub(crate) uses: usize,
    /// Where it is on the tape.
    node: usize,
    layer: Option<&'a Signal>,
    pub(crate) activation: Option<&'a Activation>,
    /// The shape of its weight.
    weight: Option<&'a [usize]>,
}

impl<'a> Row<'a> {
    /// Those of a report.
    pub(crate) fn all(report: &'a Report) -> Vec<Row<'a>> {
        let weight = |place: &str| {
            let mut weights = report.weights.iter();
            Some(&weights.find(|weight| weight.name.strip_prefix(place) == Some(".weight"))?.shape[..])
        };
        let of_layer = |layer: &'a Signal| {
            let (place, uses, node) = (layer.place.as_str(), layer.uses, layer.node);
            Row { place, uses, node, layer: Some(layer), activation: None, weight: weight(place) }
        };
        let mut rows: Vec<Row<'_>> = report.signal.iter().map(of_layer).collect();
        for activation in &report.activations {
            let (place, uses) = (activation.place.as_str(), activation.uses);
            let node = activation.nodes.first().copied().unwrap_or(0);
            // The first after the layer, if it has several.
            match rows.iter_mut().find(|row| row.place == place && row.activation.is_none() && row.node < node) {
                Some(row) => row.activation = Some(activation),
                None => rows.push(Row { place, uses, node, layer: None, activation: Some(activation), weight: None }),
            }
        }
        rows.sort_by_key(|row| row.node);
        rows
    }

    /// What it is, such as `30 → 200 tanh`, or `16×3×5×5 relu` of a convolution.
    pub(crate) fn kind(&self) -> String {
        let weight = match self.weight {
            Some([fan_in, fan_out]) => Some(format!("{fan_in} → {fan_out}")),
            Some(sizes @ [_, _, _, ..]) => Some(sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("×")),
            _ => None,
        };
        let activation = self.activation.map(|activation| activation.kind.to_owned());
        let uses = (self.uses > 1).then(|| format!("× {}", self.uses));
        [weight, activation, uses].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// What it gives.
    pub(crate) fn output(&self) -> Option<&'a Stats> {
        match self.activation {
            Some(activation) => Some(&activation.output),
            None => self.layer?.output.as_ref(),
        }
    }

    /// The scale of what it gives.
    pub(crate) fn std(&self) -> f64 {
        let of_layer = self.layer.map_or(f64::NAN, |layer| layer.std_out);
        self.activation.map_or(of_layer, |activation| activation.output.std)
    }

    /// The scale of the gradient there.
    pub(crate) fn gradient(&self) -> Option<f64> {
        let of_layer = self.layer.and_then(|layer| layer.gradient_std);
        let of_activation = self.activation.and_then(|activation| Some(activation.gradient.as_ref()?.std));
        of_activation.or(of_layer).filter(|std| std.is_finite())
    }
}

/// The rows as a table for a terminal.
pub(crate) fn table(report: &Report) -> Table {
    /// The width of the histograms.
    const SPREAD: usize = 10;
    let table = Table::new(["layer", "", "gives", "std", "saturated", "dead", "grad std"]);
    table.with_rows(Row::all(report).iter().map(|row| {
        vec![
            row.place.to_owned(),
            row.kind(),
            row.output().map_or(NONE.into(), |output| sparkline(&output.histogram, SPREAD)),
            figure(row.std()),
            row.activation.map_or(NONE.into(), |activation| percent(activation.saturated)),
            row.activation.map_or(NONE.into(), |activation| format!("{}/{}", activation.dead, activation.units)),
            row.gradient().map_or(NONE.into(), figure),
        ]
    }))
}
