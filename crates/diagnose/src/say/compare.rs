//! Several reports side by side.

use std::fmt;

use crate::report::{Activation, Report};
use crate::say::table::Table;
use crate::say::text::{NONE, figure, percent};

/// Two or more reports in one table: a column each, such as before and after.
///
/// # Example
/// ```
/// use diagnose::Comparison;
/// use tensor::Tensor;
///
/// let inspect = |x: f32| diagnose::inspect_graph(|tape| tape.leaf(Tensor::from([[x, -x]])).tanh().mean(..));
/// let (before, after) = (inspect(5.0), inspect(0.5));
/// let table = Comparison::new([("before", &before), ("after", &after)]).to_string();
/// assert!(table.contains("tanh(1) saturated     100.0 %   0.0 %"), "{table}");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub(crate) table: Table,
}

impl Comparison {
    /// Compares reports with their names. A figure that one report lacks is a dash; a figure that all lack is left out.
    pub fn new<'a>(runs: impl IntoIterator<Item = (&'a str, &'a Report)>) -> Self {
        let (names, reports): (Vec<&str>, Vec<&Report>) = runs.into_iter().unzip();
        let row = |title: String, cell: &dyn Fn(&Report) -> Option<String>| {
            let cells = reports.iter().map(|report| cell(report).unwrap_or_else(|| NONE.into()));
            [title].into_iter().chain(cells).collect::<Vec<String>>()
        };
        let mut rows = Vec::new();
        rows.push(row("loss".into(), &|report| {
            report.loss.value.is_finite().then(|| format!("{:.4}", report.loss.value))
        }));
        rows.push(row("expected".into(), &|report| report.loss.expected.map(|loss| format!("{loss:.4}"))));
        rows.push(row("std of the logits".into(), &|report| report.loss.logits_std.map(figure)));
        let mut places: Vec<&str> = Vec::new();
        for a in reports.iter().flat_map(|report| &report.activations) {
            if !places.contains(&a.place.as_str()) {
                places.push(&a.place);
            }
        }
        for place in places {
            rows.push(row(format!("{place} input std"), &|report| {
                activation(report, place).map(|a| figure(a.input.std))
            }));
            rows.push(row(format!("{place} saturated"), &|report| {
                activation(report, place).map(|a| percent(a.saturated))
            }));
            rows.push(row(format!("{place} gradient std"), &|report| {
                activation(report, place).and_then(|a| Some(figure(a.gradient.as_ref()?.std)))
            }));
        }
        rows.push(row("signal × per layer".into(), &|report| report.depth.signal.map(|slope| figure(slope.exp()))));
        rows.push(row("gradient × per layer back".into(), &|report| {
            report.depth.gradient.map(|slope| figure((-slope).exp()))
        }));
        rows.push(row("faults".into(), &|report| {
            let faults = report.findings.iter().filter(|finding| finding.severity > crate::Severity::Note);
            Some(faults.count().to_string())
        }));
        rows.retain(|row| row[1..].iter().any(|cell| cell != NONE));
        Comparison { table: Table::new([""].into_iter().chain(names)).with_rows(rows.into_iter()) }
    }

    /// The rows; the first is the header.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.table.rows
    }
}

fn activation<'a>(report: &'a Report, place: &str) -> Option<&'a Activation> {
    report.activations.iter().find(|activation| activation.place == place)
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}
