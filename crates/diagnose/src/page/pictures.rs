//! The pictures of a report and of a history.

use super::chart::{Chart, Line};
use super::map;
use crate::history::{ActivationSample, History, Sample, WeightSample};
use crate::report::{Activation, Report, Weight};
use crate::stats::Stats;
use crate::text::percent;

/// The pictures that there are, with their names.
pub(super) fn all(report: &Report, history: Option<&History>) -> Vec<(String, String)> {
    let mut pictures = Vec::new();
    let mut add = |name: &str, svg: Option<String>| pictures.extend(svg.map(|svg| (name.to_owned(), svg)));
    add("loss", history.and_then(loss));
    add("activations", densities(report, "Activations", "output", |a| Some(&a.output)));
    add("gradients", densities(report, "Gradients of the activations", "gradient", |a| a.gradient.as_ref()));
    for (index, a) in report.activations.iter().enumerate() {
        let title = format!("{} {}: {} saturated, {} dead", a.place, a.kind, percent(a.saturated), a.dead);
        add(&format!("saturation-{}", index + 1), map::to_svg(&title, &a.map));
    }
    add("signal", signal(report));
    add("gradient-by-layer", gradient_by_layer(report));
    add("weight-gradients", weight_gradients(report));
    if let Some(history) = history {
        let title = "Update:data (about −3 is healthy)";
        add("updates", of_weights(history, title, "log₁₀ update:data", Some(-3.0), |weight| weight.update_data_log10));
        let title = "Saturated units over the training";
        add("saturation-over-steps", of_activations(history, title, "saturated, %", |a| 100.0 * a.saturated));
        add("activation-drift", of_activations(history, "Activations over the training", "std", |a| a.std));
        let gradient = |weight: &WeightSample| weight.gradient_std.map(f64::log10);
        add("gradient-drift", of_weights(history, "Gradients over the training", "log₁₀ std", None, gradient));
    }
    pictures
}

fn loss(history: &History) -> Option<String> {
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
    Chart { title: &title, x: "step", y: "log₁₀ loss", lines, guide: None, counts: true, marks: false }.to_svg()
}

fn densities(report: &Report, title: &str, x: &str, of: impl Fn(&Activation) -> Option<&Stats>) -> Option<String> {
    let line =
        |a: &Activation| Some(Line { name: format!("{} {}", a.place, a.kind), points: of(a)?.histogram.density() });
    let lines = report.activations.iter().filter_map(line).collect();
    Chart { title, x, y: "density", lines, guide: None, counts: false, marks: false }.to_svg()
}

fn weight_gradients(report: &Report) -> Option<String> {
    let matrices = report.weights.iter().filter(|weight| weight.shape.len() > 1);
    let line = |weight: &Weight| {
        Some(Line { name: weight.name.clone(), points: weight.gradient.as_ref()?.histogram.density() })
    };
    let lines = matrices.filter_map(line).collect();
    Chart {
        title: "Gradients of the weights",
        x: "gradient",
        y: "density",
        lines,
        guide: None,
        counts: false,
        marks: false,
    }
    .to_svg()
}

/// log₁₀ of figures by layer, counted from 1.
fn by_layer(name: &str, figures: impl Iterator<Item = f64>) -> Line {
    let points = figures.enumerate().map(|(index, std)| ((index + 1) as f64, std.log10())).collect();
    Line { name: name.into(), points }
}

fn signal(report: &Report) -> Option<String> {
    let lines = vec![
        by_layer("linear layers", report.signal.iter().map(|layer| layer.std_out)),
        by_layer("activations", report.activations.iter().map(|a| a.output.std)),
    ];
    let title = "Signal by layer";
    Chart { title, x: "layer", y: "log₁₀ std", lines, guide: Some(0.0), counts: true, marks: true }.to_svg()
}

fn gradient_by_layer(report: &Report) -> Option<String> {
    let of_activation = |a: &Activation| a.gradient.as_ref().map_or(f64::NAN, |gradient| gradient.std);
    let lines = vec![
        by_layer("linear layers", report.signal.iter().map(|layer| layer.gradient_std.unwrap_or(f64::NAN))),
        by_layer("activations", report.activations.iter().map(of_activation)),
    ];
    let title = "Gradient by layer";
    Chart { title, x: "layer", y: "log₁₀ std", lines, guide: None, counts: true, marks: true }.to_svg()
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
    y: &str,
    figure: impl Fn(&ActivationSample) -> f64,
) -> Option<String> {
    let activations = history.samples.first()?.activations.iter();
    let places = activations.map(|a| a.place.as_str()).enumerate();
    let lines = over_steps(history, places, |sample, index| sample.activations.get(index).map(&figure));
    Chart { title, x: "step", y, lines, guide: None, counts: true, marks: history.samples.len() < 3 }.to_svg()
}

/// Of matrices only, as in the lecture: biases begin at zero, and any step is large relative to them.
fn of_weights(
    history: &History,
    title: &str,
    y: &str,
    guide: Option<f64>,
    figure: impl Fn(&WeightSample) -> Option<f64>,
) -> Option<String> {
    let weights = history.samples.first()?.weights.iter().enumerate();
    let places =
        weights.filter(|(_, weight)| weight.shape.len() > 1).map(|(index, weight)| (index, weight.name.as_str()));
    let lines = over_steps(history, places, |sample, index| figure(sample.weights.get(index)?));
    Chart { title, x: "step", y, lines, guide, counts: true, marks: history.samples.len() < 3 }.to_svg()
}
