//! What an inspection found, as one JSON object per line.

use std::io::{self, Write};

use evenkeel::diagnose::{Activation, Report, Signal, Weight};
use serde::Serialize;

/// One thing that a report tells.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Activation {
        step: u64,
        /// From 1, in the order of the pass.
        layer: usize,
        place: &'a str,
        kind: &'a str,
        mean: Figure,
        std: Figure,
        input_std: Figure,
        saturated: Figure,
        dead: usize,
        grad_mean: Figure,
        grad_std: Figure,
    },
    Weight {
        step: u64,
        name: &'a str,
        shape: &'a [usize],
        grad_std: Figure,
        grad_data_ratio: Figure,
        update_data_log10: Figure,
    },
    Finding {
        step: u64,
        severity: String,
        place: &'a str,
        message: &'a str,
        remedy: &'a str,
    },
}

/// A number with seven significant digits: what single precision can tell. `null` where there is none.
#[derive(Serialize)]
struct Figure(Option<f64>);

impl From<f64> for Figure {
    fn from(x: f64) -> Self {
        Figure(format!("{x:.6e}").parse().ok().filter(|x: &f64| x.is_finite()))
    }
}

impl From<Option<f64>> for Figure {
    fn from(x: Option<f64>) -> Self {
        Figure::from(x.unwrap_or(f64::NAN))
    }
}

/// Prints the activations, the weights, if the learning rate is given, and the findings. A model without activations has
/// its linear layers in their place.
pub fn tell_report(report: &Report, lr: Option<f64>) -> io::Result<()> {
    let step = report.step;
    for (index, activation) in report.activations.iter().enumerate() {
        print(&of_activation(step, index + 1, activation))?;
    }
    if report.activations.is_empty() {
        for (index, layer) in report.signal.iter().filter(|layer| layer.hidden).enumerate() {
            print(&of_signal(step, index + 1, layer))?;
        }
    }
    if let Some(lr) = lr {
        for weight in &report.weights {
            print(&of_weight(step, weight, lr))?;
        }
    }
    for finding in &report.findings {
        let severity = finding.severity.to_string();
        let (place, message, remedy) = (&finding.place, &finding.message, &finding.remedy);
        print(&Event::Finding { step, severity, place, message, remedy })?;
    }
    Ok(())
}

fn print(event: &Event<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, event)?;
    writeln!(out)
}

fn of_activation(step: u64, layer: usize, activation: &Activation) -> Event<'_> {
    let gradient = activation.gradient.as_ref();
    Event::Activation {
        step,
        layer,
        place: &activation.place,
        kind: activation.kind,
        mean: activation.output.mean.into(),
        std: activation.output.std.into(),
        input_std: activation.input.std.into(),
        saturated: activation.saturated.into(),
        dead: activation.dead,
        grad_mean: gradient.map(|gradient| gradient.mean).into(),
        grad_std: gradient.map(|gradient| gradient.std).into(),
    }
}

fn of_signal(step: u64, layer: usize, signal: &Signal) -> Event<'_> {
    Event::Activation {
        step,
        layer,
        place: &signal.place,
        kind: "linear",
        mean: signal.mean_out.into(),
        std: signal.std_out.into(),
        input_std: signal.std_in.into(),
        saturated: 0.0.into(),
        dead: 0,
        grad_mean: None.into(),
        grad_std: signal.gradient_std.into(),
    }
}

fn of_weight(step: u64, weight: &Weight, lr: f64) -> Event<'_> {
    Event::Weight {
        step,
        name: &weight.name,
        shape: &weight.shape,
        grad_std: weight.gradient.as_ref().map(|gradient| gradient.std).into(),
        grad_data_ratio: weight.grad_data_ratio().into(),
        update_data_log10: weight.update_data_log10(lr).into(),
    }
}
