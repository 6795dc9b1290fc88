//! The saturation map: rows are examples, columns units, white where a unit is saturated.

use std::fmt::Write as _;

use super::chart::WIDTH;
use crate::report::Map;

/// How many rows and columns are shown: the first ones.
const EXAMPLES: usize = 64;
const UNITS: usize = 400;

/// The map as SVG. Black and white are those of the figures, in the dark too. `None` where there is nothing to show.
///
/// It is one path of rectangles, a run of saturated units each: a chart of so many elements would be megabytes.
pub(super) fn to_svg(title: &str, map: &Map) -> Option<String> {
    let (rows, columns) = (map.examples.min(EXAMPLES), map.units.min(UNITS));
    if rows == 0 || columns == 0 {
        return None;
    }
    // The cells fill the width, and are no taller than wide where there are few.
    let width = f64::from(WIDTH - 20);
    let cell = width / columns as f64;
    let height = (rows as f64 * cell).clamp(40.0, 230.0);
    let mut path = String::new();
    for example in 0..rows {
        let row = &map.row(example)[..columns];
        let mut unit = 0;
        while unit < columns {
            let run = row[unit..].iter().take_while(|&&white| white).count();
            if run > 0 {
                let _ = write!(path, "M{unit} {example}h{run}v1h-{run}z");
            }
            unit += run.max(1);
        }
    }
    let mut title = escaped(title);
    if (rows, columns) != (map.examples, map.units) {
        let _ = write!(title, " (the first {rows} examples, {columns} units)");
    }
    let total = height + 36.0;
    Some(format!(
        "<svg width=\"{WIDTH}\" height=\"{total:.0}\" viewBox=\"0 0 {WIDTH} {total:.0}\" xmlns=\"http://www.w3.org/2000/svg\">\n\
         <rect width=\"{WIDTH}\" height=\"{total:.0}\" fill=\"#FFFFFE\"/>\n\
         <text x=\"10\" y=\"18\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#24292F\">{title}</text>\n\
         <svg x=\"10\" y=\"28\" width=\"{width}\" height=\"{height:.1}\" viewBox=\"0 0 {columns} {rows}\" preserveAspectRatio=\"none\">\
         <rect width=\"{columns}\" height=\"{rows}\" fill=\"#000000\"/>\
         <path d=\"{path}\" fill=\"#FFFFFF\" shape-rendering=\"crispEdges\"/></svg>\n\
         <rect x=\"10\" y=\"28\" width=\"{width}\" height=\"{height:.1}\" fill=\"none\" stroke=\"#D0D7DE\"/>\n</svg>\n"
    ))
}

/// A text that may stand in HTML and in SVG, also within quotes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_white_is_one_rectangle() {
        let map = Map { examples: 2, units: 4, saturated: [1, 1, 0, 1, 0, 0, 0, 0].map(|x| x == 1).to_vec() };
        let svg = to_svg("<t>", &map).unwrap();
        assert!(svg.contains("d=\"M0 0h2v1h-2zM3 0h1v1h-1z\""), "{svg}");
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(to_svg("t", &Map { examples: 0, units: 4, saturated: vec![] }), None);
    }
}
