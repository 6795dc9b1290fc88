//! The figures of a report in tables: for text and for pages.

use crate::report::{Report, SignalPath};
use crate::say::table::Table;
use crate::say::text::{NONE, figure};

/// How often a place is used, if it is more than once.
fn times(uses: usize) -> String {
    if uses > 1 { format!(" × {uses}") } else { String::new() }
}

fn optional(x: Option<f64>) -> String {
    x.map_or(NONE.into(), figure)
}

/// The ways through a network that is no stack.
pub(crate) fn paths(report: &Report) -> Vec<Table> {
    let stages = |path: &SignalPath| {
        let table = Table::new([&format!("path to {}", path.place), "", "std", "factor", "grad std"]);
        table.with_rows(path.stages.iter().map(|stage| {
            let kind = format!("{}{}", stage.kind, times(stage.uses));
            let [least, most] = stage.std.map(figure);
            let std = if least == most { least } else { format!("{least} … {most}") };
            vec![stage.place.clone(), kind, std, optional(stage.gain), optional(stage.gradient_std)]
        }))
    };
    report.paths.iter().filter(|_| !report.is_stack()).map(stages).collect()
}

pub(crate) fn weights(report: &Report) -> Table {
    let table = Table::new(["parameter", "shape", "std", "grad std", "grad:data"]);
    table.with_rows(report.weights.iter().map(|weight| {
        vec![
            weight.name.clone(),
            format!("{:?}", weight.shape),
            figure(weight.std),
            optional(weight.gradient.as_ref().map(|gradient| gradient.std)),
            optional(weight.grad_data_ratio()),
        ]
    }))
}

/// How signal and gradient change along depth, in one line; empty where there are too few layers to tell.
pub(crate) fn depth(report: &Report) -> String {
    let depth = &report.depth;
    let signal = depth.signal.map(|slope| format!("signal × {} with each layer", figure(slope.exp())));
    let gradient = depth.gradient.map(|slope| format!("gradient × {} with each layer back", figure((-slope).exp())));
    signal.into_iter().chain(gradient).collect::<Vec<_>>().join(", ")
}
