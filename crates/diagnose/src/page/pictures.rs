//! The pictures of a report and of a history.

use super::chart::{Axes, Chart, Line};
use super::map;
use crate::report::history::{ActivationSample, History, Sample, WeightSample};
use crate::report::stats::Stats;
use crate::report::{Activation, Report, SignalPath, Stage, Weight};
use crate::say::text::percent;

/// A picture that is not drawn yet: charts of several runs have the same axes.
pub(super) enum Drawing {
    Chart(Chart),
    Map(String),
}

impl Drawing {
    pub(super) fn axes(&self) -> Option<Axes> {
        if let Drawing::Chart(chart) = self { chart.axes() } else { None }
    }

    /// As SVG, with these axes if it has any.
    pub(super) fn to_svg(&self, axes: Option<&Axes>) -> String {
        match (self, axes) {
            (Drawing::Map(svg), _) => svg.clone(),
            (Drawing::Chart(chart), Some(axes)) => chart.to_svg(axes.clone()),
            (Drawing::Chart(_), None) => String::new(),
        }
    }
}

/// The pictures that there are, with their names.
pub(super) fn all(report: &Report, history: Option<&History>) -> Vec<(String, Drawing)> {
    let mut pictures = Vec::new();
    let mut add = |name: &str, chart: Option<Chart>| {
        let chart = chart.filter(|chart| chart.axes().is_some());
        pictures.extend(chart.map(|chart| (name.to_owned(), Drawing::Chart(chart))));
    };
    add("loss", history.map(loss));
    add("activations", Some(densities(report, "Activations", "output", |a| Some(&a.output))));
    add("gradients", Some(densities(report, "Gradients of the activations", "gradient", |a| a.gradient.as_ref())));
    add("signal", Some(signal(report)));
    add("gradient-by-layer", Some(gradient_by_layer(report)));
    add("weight-gradients", Some(weight_gradients(report)));
    if let Some(history) = history {
        let title = "Update:data (about −3 is healthy)";
        add("updates", of_weights(history, title, "log₁₀ update:data", Some(-3.0), |weight| weight.update_data_log10));
        let title = "Saturated units over the training";
        add("saturation-over-steps", of_activations(history, title, "saturated, %", |a| 100.0 * a.saturated));
        add("activation-drift", of_activations(history, "Activations over the training", "std", |a| a.std));
        let gradient = |weight: &WeightSample| weight.gradient_std.map(f64::log10);
        add("gradient-drift", of_weights(history, "Gradients over the training", "log₁₀ std", None, gradient));
    }
    let map = |(index, a): (usize, &Activation)| {
        let title = format!("{} {}: {} saturated, {} dead", a.place, a.kind, percent(a.saturated), a.dead);
        Some((format!("saturation-{}", index + 1), Drawing::Map(map::to_svg(&title, &a.map)?)))
    };
    let maps: Vec<_> = report.activations.iter().enumerate().filter_map(map).collect();
    // After what they are of.
    let at =
        pictures.iter().take_while(|(name, _)| ["loss", "activations", "gradients"].contains(&name.as_str())).count();
    pictures.splice(at..at, maps);
    pictures
}

fn loss(history: &History) -> Chart {
    /// Points of the curve; each is the mean of so many steps.
    const POINTS: usize = 400;
    let window = history.loss.len().div_ceil(POINTS).max(1);
    let mean = |(index, part): (usize, &[f64])| {
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        ((index * window) as f64, mean.log10())
    };
    let points = history.loss.chunks(window).enumerate().map(mean).collect();
    let lines = vec![Line { name: "loss".into(), points }];
    let title = if window == 1 { "Loss".to_owned() } else { format!("Loss, mean of {window} steps") };
    Chart { title, x: "step", y: "log₁₀ loss", lines, counts: true, ..Chart::default() }
}

fn densities(report: &Report, title: &str, x: &'static str, of: impl Fn(&Activation) -> Option<&Stats>) -> Chart {
    let line =
        |a: &Activation| Some(Line { name: format!("{} {}", a.place, a.kind), points: of(a)?.histogram.density() });
    let lines = report.activations.iter().filter_map(line).collect();
    density(title, x, lines)
}

fn weight_gradients(report: &Report) -> Chart {
    let matrices = report.weights.iter().filter(|weight| weight.shape.len() > 1);
    let line = |weight: &Weight| {
        Some(Line { name: weight.name.clone(), points: weight.gradient.as_ref()?.histogram.density() })
    };
    let lines = matrices.filter_map(line).collect();
    density("Gradients of the weights", "gradient", lines)
}

fn density(title: &str, x: &'static str, lines: Vec<Line>) -> Chart {
    Chart { title: title.into(), x, y: "density", lines, from_zero: true, ..Chart::default() }
}

/// log₁₀ of figures by layer, counted from 1.
fn by_layer(name: &str, figures: impl Iterator<Item = f64>) -> Line {
    let points = figures.enumerate().map(|(index, std)| ((index + 1) as f64, std.log10())).collect();
    Line { name: name.into(), points }
}

fn signal(report: &Report) -> Chart {
    let lines = match report.is_stack() {
        true => vec![
            by_layer("linear layers", report.signal.iter().map(|layer| layer.std_out)),
            by_layer("activations", report.activations.iter().map(|a| a.output.std)),
        ],
        false => by_path(report, |stage| stage.std[1]),
    };
    Chart { guide: Some(0.0), ..by_depth("Signal by layer", lines) }
}

fn gradient_by_layer(report: &Report) -> Chart {
    let of_activation = |a: &Activation| a.gradient.as_ref().map_or(f64::NAN, |gradient| gradient.std);
    let lines = match report.is_stack() {
        true => vec![
            by_layer("linear layers", report.signal.iter().map(|layer| layer.gradient_std.unwrap_or(f64::NAN))),
            by_layer("activations", report.activations.iter().map(of_activation)),
        ],
        false => by_path(report, |stage| stage.gradient_std.unwrap_or(f64::NAN)),
    };
    by_depth("Gradient by layer", lines)
}

/// A line for each path of a network that is no stack.
fn by_path(report: &Report, figure: fn(&Stage) -> f64) -> Vec<Line> {
    let line = |path: &SignalPath| by_layer(&format!("to {}", path.place), path.stages.iter().map(figure));
    report.paths.iter().map(line).collect()
}

fn by_depth(title: &str, lines: Vec<Line>) -> Chart {
    Chart { title: title.into(), x: "layer", y: "log₁₀ std", lines, counts: true, marks: true, ..Chart::default() }
}

/// One line for each place, by its index in a sample, over the samples.
fn over_steps<'a>(
    history: &'a History,
    places: impl Iterator<Item = (usize, &'a str)>,
    figure: impl Fn(&Sample, usize) -> Option<f64>,
) -> Vec<Line> {
    let points = |index: usize| {
        let point = |sample: &Sample| Some((sample.step as f64, figure(sample, index)?));
        history.samples.iter().filter_map(point).collect()
    };
    places.map(|(index, name)| Line { name: name.to_owned(), points: points(index) }).collect()
}

fn of_activations(
    history: &History,
    title: &str,
    y: &'static str,
    figure: impl Fn(&ActivationSample) -> f64,
) -> Option<Chart> {
    let activations = history.samples.first()?.activations.iter();
    let places = activations.map(|a| a.place.as_str()).enumerate();
    let lines = over_steps(history, places, |sample, index| sample.activations.get(index).map(&figure));
    Some(over_steps_of(history, title, y, lines))
}

fn over_steps_of(history: &History, title: &str, y: &'static str, lines: Vec<Line>) -> Chart {
    let marks = history.samples.len() < 3;
    Chart { title: title.into(), x: "step", y, lines, counts: true, marks, ..Chart::default() }
}

/// Of matrices only, as in the lecture: biases begin at zero, and any step is large relative to them.
fn of_weights(
    history: &History,
    title: &str,
    y: &'static str,
    guide: Option<f64>,
    figure: impl Fn(&WeightSample) -> Option<f64>,
) -> Option<Chart> {
    let weights = history.samples.first()?.weights.iter().enumerate();
    let places =
        weights.filter(|(_, weight)| weight.shape.len() > 1).map(|(index, weight)| (index, weight.name.as_str()));
    let lines = over_steps(history, places, |sample, index| figure(sample.weights.get(index)?));
    Some(Chart { guide, ..over_steps_of(history, title, y, lines) })
}
