//! A row for each layer, in the order of the signal: what it gives, how much of it is saturated, and the scales of signal and gradient as
//! points on one axis that runs through all rows.

use std::fmt::Write as _;

use super::draw::{self, LogAxis, escaped};
use crate::report::Report;
use crate::report::finding::{Action, Finding};
use crate::report::history::{History, Sample};
use crate::report::stats::Histogram;
use crate::say::groups::Group;
use crate::say::rows::Row;
use crate::say::text::{figure, percent};

/// The axis that suits the scales of a report.
pub(super) fn axis(report: &Report) -> Option<LogAxis> {
    let rows = Row::all(report);
    LogAxis::of(rows.iter().flat_map(|row| [Some(row.std()), row.gradient()]).flatten())
}

/// The layers of a run.
pub(super) struct Layers<'a> {
    rows: Vec<Row<'a>>,
    /// Those of the run before.
    before: Vec<Row<'a>>,
    samples: &'a [Sample],
    axis: Option<LogAxis>,
}

/// From where to where update:data is drawn: log₁₀.
const UPDATES: [f64; 2] = [-5.5, -0.5];
/// What it should be about.
const HEALTHY: f64 = -3.0;

impl<'a> Layers<'a> {
    pub(super) fn new(
        report: &'a Report,
        history: Option<&'a History>,
        before: Option<&'a Report>,
        axis: Option<LogAxis>,
    ) -> Self {
        let (rows, before) = (Row::all(report), before.map(Row::all).unwrap_or_default());
        Layers { rows, before, samples: history.map_or(&[], |history| &history.samples), axis }
    }

    /// What a layer gives, before what it gave in the run before.
    fn histogram(&self, row: &Row<'_>) -> String {
        let before = self.before.iter().find(|before| (before.place, before.kind()) == (row.place, row.kind()));
        let of = |row: &Row<'a>| -> Option<&'a Histogram> { Some(&row.output()?.histogram) };
        row.output().map_or(String::new(), |own| draw::histogram(&own.histogram, before.and_then(of)))
    }

    /// The scales at a row, above and below it.
    fn scales(&self, at: usize) -> String {
        let Some(axis) = self.axis else { return String::new() };
        let row = |at: Option<usize>| at.and_then(|at| self.rows.get(at));
        let places = [at.checked_sub(1), Some(at), Some(at + 1)];
        axis.row([places.map(|at| row(at).map(Row::std)), places.map(|at| row(at)?.gradient())])
    }

    /// log₁₀ of update:data of a layer's weight, over the samples.
    fn updates(&self, row: &Row<'_>) -> Vec<f64> {
        let name = format!("{}.weight", row.place);
        let of = |sample: &Sample| {
            let weight = sample.weights.iter().find(|weight| weight.name == name)?;
            weight.update_data_log10
        };
        self.samples.iter().map(|sample| of(sample).unwrap_or(f64::NAN)).collect()
    }

    /// The share of saturated units of a row's activation, over the samples.
    fn saturation(&self, row: &Row<'_>) -> Vec<f64> {
        let Some(own) = row.activation else { return Vec::new() };
        let of = |sample: &Sample| {
            sample.activations.iter().find(|a| a.place == own.place && a.kind == own.kind).map(|a| a.saturated)
        };
        self.samples.iter().map(|sample| of(sample).unwrap_or(f64::NAN)).collect()
    }

    /// Whether a finding is about a row: about its module, a range of modules that it is in, or a parameter of it.
    fn is_accused(&self, row: usize, finding: &Finding) -> bool {
        let place = self.rows[row].place;
        let is_own = |name: &str| name == place || name.strip_prefix(place).is_some_and(|rest| rest.starts_with('.'));
        let at = |place: &str| self.rows.iter().position(|row| row.place == place);
        let ends = finding.place.split_once(" … ").and_then(|(first, last)| at(first).zip(at(last)));
        let is_within = ends.is_some_and(|(first, last)| (first..=last).contains(&row));
        let is_moved = finding.actions.iter().map(Action::parameter).any(is_own);
        !place.is_empty() && (is_own(&finding.place) || is_within || is_moved)
    }

    /// The table; `None` where there are no layers.
    pub(super) fn to_html(&self, groups: &[Group<'_>]) -> Option<String> {
        if self.rows.is_empty() {
            return None;
        }
        let (has_activations, is_watched) =
            (self.rows.iter().any(|row| row.activation.is_some()), self.samples.len() > 1);
        let mut html = String::from("<table class=\"layers\"><tr><th>layer</th><th>gives</th>");
        if has_activations {
            html += "<th>saturated</th><th>dead</th>";
        }
        let ticks = self.axis.map_or(Vec::new(), LogAxis::labels).into_iter().fold(
            String::new(),
            |mut ticks, (share, label)| {
                let _ = write!(ticks, "<i style=\"left:{:.1}%\">{label}</i>", 100.0 * share);
                ticks
            },
        );
        let _ = write!(
            html,
            "<th class=\"axis\">std of <span class=\"signal-key\">● signal</span>, <span class=\"gradient-key\">■ gradient</span>\
             <div>{ticks}</div></th>"
        );
        if is_watched {
            html += "<th>update:data</th>";
        }
        html += "</tr>\n";
        for (at, row) in self.rows.iter().enumerate() {
            let _ = write!(html, "<tr><td>{} <span class=\"dim\">{}</span>", escaped(row.place), escaped(&row.kind()));
            for (number, group) in (1..).zip(groups) {
                if group.findings.iter().any(|finding| self.is_accused(at, finding)) {
                    let severity = group.severity;
                    let _ = write!(html, " <b class=\"tag {severity}\">{severity} {number}</b>");
                }
            }
            let _ = write!(html, "</td><td>{}</td>", self.histogram(row));
            match row.activation {
                Some(activation) if has_activations => {
                    let saturation = self.saturation(row);
                    let course = if is_watched { draw::course(&saturation, None, [0.0, 1.0]) } else { String::new() };
                    let _ = write!(
                        html,
                        "<td>{}<small>{}</small>{course}</td><td class=\"number\">{}/{}</td>",
                        draw::bar(activation.saturated),
                        percent(activation.saturated),
                        activation.dead,
                        activation.units
                    );
                }
                _ if has_activations => html += "<td></td><td></td>",
                _ => {}
            }
            let _ = write!(html, "<td class=\"scales\">{}</td>", self.scales(at));
            if is_watched {
                let updates = self.updates(row);
                let last = updates.iter().rev().find(|log| log.is_finite());
                let last = last.map_or(String::new(), |log| format!("<small>{}</small>", figure(10_f64.powf(*log))));
                let _ = write!(html, "<td>{}{last}</td>", draw::course(&updates, Some(HEALTHY), UPDATES));
            }
            html += "</tr>\n";
        }
        Some(html + "</table>")
    }

    /// The same as a picture by itself; `None` where there are no layers.
    pub(super) fn to_svg(&self) -> Option<String> {
        const ROW: f64 = 36.0;
        let axis = self.axis.filter(|_| !self.rows.is_empty())?;
        let name = |row: &Row<'_>| format!("{} {}", row.place, row.kind());
        let letters = self.rows.iter().map(|row| name(row).chars().count()).max().unwrap_or(0);
        let left = 16.0 + 7.5 * letters as f64;
        let (bars, scales) = (left + 120.0, left + 230.0);
        let (width, height) = (scales + 250.0, 34.0 + ROW * self.rows.len() as f64);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
             <text x=\"8\" y=\"14\">layer</text><text x=\"{left}\" y=\"14\">gives</text><text x=\"{bars}\" y=\"14\">saturated</text>\
             <text x=\"{scales}\" y=\"14\">std of ● signal, ■ gradient</text>"
        );
        for (share, label) in axis.labels() {
            let _ =
                write!(svg, "<text x=\"{:.1}\" y=\"28\" text-anchor=\"middle\">{label}</text>", scales + 240.0 * share);
        }
        for (at, row) in self.rows.iter().enumerate() {
            let y = 34.0 + ROW * at as f64;
            let _ = write!(svg, "<text class=\"name\" x=\"8\" y=\"{}\">{}</text>", y + 22.0, escaped(&name(row)));
            svg += &draw::placed(&self.histogram(row), [left, y + 3.0, 100.0, 30.0]);
            if let Some(activation) = row.activation {
                svg += &draw::placed(&draw::bar(activation.saturated), [bars, y + 8.0, 60.0, 10.0]);
                let _ = write!(svg, "<text x=\"{bars}\" y=\"{}\">{}</text>", y + 30.0, percent(activation.saturated));
            }
            svg += &draw::placed(&self.scales(at), [scales, y, 240.0, ROW]);
        }
        Some(svg + "</svg>")
    }
}
