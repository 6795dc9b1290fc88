//! Small pictures in SVG, of which a page and its rows are made. What they show has a shape of its own beside its colour: a line and a dashed
//! one, round points and square ones, dark before grey.
//!
//! Rows may be of any height and width: so pictures stretch, and strokes keep their width.

use std::fmt::Write as _;

use crate::report::Map;
use crate::report::stats::Histogram;

/// The classes of the pictures in the reader's colours.
pub(super) const STYLE: &str = "\
svg{overflow:visible}text{font:11px system-ui,sans-serif;fill:var(--dim);paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}text.name{font-size:13px;fill:var(--ink)}\
.back{fill:var(--line)}.area{fill:var(--soft);stroke:var(--ink)}.ink{fill:var(--ink)}.rule{stroke:var(--line)}.frame{fill:none;stroke:var(--dim)}\
.mark{stroke:var(--dim);stroke-dasharray:3 3}.signal{fill:none;stroke:var(--signal);stroke-width:2}\
.gradient{fill:none;stroke:var(--gradient);stroke-width:2;stroke-dasharray:5 3}\
.point{stroke-width:7;stroke-linecap:round;stroke-dasharray:none}.gradient.point{stroke-linecap:square;stroke-width:6}\
.area,.rule,.mark,.signal,.gradient{vector-effect:non-scaling-stroke}";

/// A picture of this size, which stretches to the room that it has.
fn svg(class: &str, [width, height]: [f64; 2], inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{class}\" viewBox=\"0 0 {width} {height}\" \
         preserveAspectRatio=\"none\">{inside}</svg>"
    )
}

/// A picture at a place of another, and of a size of its own.
pub(super) fn placed(svg: &str, [x, y, width, height]: [f64; 4]) -> String {
    svg.replacen("<svg ", &format!("<svg x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" "), 1)
}

/// The height of each step of a histogram, from the left to the right of these ends.
fn steps(histogram: &Histogram, [from, to]: [f64; 2], size: [f64; 2]) -> String {
    let [width, height] = size;
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let bins = histogram.counts.len() as f64;
    let x = |value: f64| ((value - from) / (to - from) * width).clamp(0.0, width);
    let at = |bin: f64| x(histogram.from + (histogram.to - histogram.from) * bin / bins.max(1.0));
    let mut path = format!("M{:.1} {height}", at(0.0));
    for (bin, &count) in histogram.counts.iter().enumerate() {
        let _ = write!(path, "V{:.1}H{:.1}", height * (1.0 - count as f64 / most), at(bin as f64 + 1.0));
    }
    path + &format!("V{height}z")
}

/// A histogram, and behind it, in grey, another one. Nothing where all values are equal.
pub(super) fn histogram(own: &Histogram, before: Option<&Histogram>) -> String {
    const SIZE: [f64; 2] = [100.0, 30.0];
    let varies = |of: &&Histogram| of.to > of.from && (of.to - of.from).is_finite();
    let (Some(own), before) = (Some(own).filter(varies), before.filter(varies)) else { return String::new() };
    let [mut from, mut to] = [own.from, own.to];
    if let Some(before) = before {
        (from, to) = (from.min(before.from), to.max(before.to));
    }
    if !(to - from).is_finite() {
        return String::new();
    }
    let back =
        before.map_or(String::new(), |of| format!("<path class=\"back\" d=\"{}\"/>", steps(of, [from, to], SIZE)));
    let zero = (-from / (to - from) * SIZE[0]).clamp(0.0, SIZE[0]);
    let area = format!("<path class=\"area\" d=\"{}\"/>", steps(own, [from, to], SIZE));
    svg("spread", SIZE, &format!("{back}{area}<path class=\"mark\" d=\"M{zero:.1} 0V30\"/>"))
}

/// A share as a bar.
pub(super) fn bar(share: f64) -> String {
    let width = if share.is_finite() { 100.0 * share.clamp(0.0, 1.0) } else { 0.0 };
    let inside = format!(
        "<rect class=\"back\" width=\"100\" height=\"10\"/><rect class=\"ink\" width=\"{width:.1}\" height=\"10\"/>"
    );
    svg("share", [100.0, 10.0], &inside)
}

/// A logarithmic axis from one power of ten to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LogAxis {
    from: f64,
    to: f64,
}

impl LogAxis {
    /// One that has room for these values; those that have no logarithm are left out. `None` where there are none.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let logs = values.map(f64::log10).filter(|log| log.is_finite());
        let (least, most) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), log| (a.min(log), b.max(log)));
        (least <= most).then(|| LogAxis { from: (least - 0.15).floor(), to: (most + 0.15).ceil() })
    }

    pub(super) fn with(self, other: LogAxis) -> LogAxis {
        LogAxis { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// Where a value is, as a share of the axis.
    fn share(self, value: f64) -> Option<f64> {
        let log = value.log10();
        log.is_finite().then(|| (log - self.from) / (self.to - self.from))
    }

    /// The powers of ten that are marked: five at most, so that their names have room.
    fn ticks(self) -> Vec<f64> {
        let span = (self.to - self.from) as usize;
        let every = span.div_ceil(4).max(1);
        (0..=span).step_by(every).map(|step| self.from + step as f64).collect()
    }

    /// Its marks, for above the rows: text, which must not stretch, at shares of the width.
    pub(super) fn labels(self) -> Vec<(f64, String)> {
        self.ticks().into_iter().map(|log| ((log - self.from) / (self.to - self.from), power(log))).collect()
    }

    /// A row of it: lines at the marks, and for each series its point and the way to it from the row above and to that below.
    pub(super) fn row(self, series: [[Option<f64>; 3]; 2]) -> String {
        const SIZE: [f64; 2] = [200.0, 36.0];
        let mut inside = String::new();
        for (share, _) in self.labels() {
            let _ = write!(inside, "<path class=\"rule\" d=\"M{:.1} 0V36\"/>", share * SIZE[0]);
        }
        for (class, values) in ["signal", "gradient"].into_iter().zip(series) {
            let [above, own, below] =
                values.map(|value| value.and_then(|value| self.share(value)).map(|share| share * SIZE[0]));
            let Some(x) = own else { continue };
            // Half of the way to the neighbour's point, in a row of the same height.
            let mut path = String::new();
            if let Some(above) = above {
                let _ = write!(path, "M{:.1} 0L{x:.1} 18", f64::midpoint(above, x));
            }
            if let Some(below) = below {
                let _ = write!(path, "M{x:.1} 18L{:.1} 36", f64::midpoint(below, x));
            }
            if !path.is_empty() {
                let _ = write!(inside, "<path class=\"{class}\" d=\"{path}\"/>");
            }
            let _ = write!(inside, "<path class=\"{class} point\" d=\"M{x:.1} 18h.01\"/>");
        }
        svg("scale", SIZE, &inside)
    }
}

/// A power of ten as people write it.
fn power(log: f64) -> String {
    match log {
        log if (-2.0..=3.0).contains(&log) => format!("{}", 10_f64.powf(log)),
        log => format!("1e{log:.0}"),
    }
}

/// Values over the steps of a training, with a mark at one, between these ends.
pub(super) fn course(values: &[f64], mark: Option<f64>, [low, high]: [f64; 2]) -> String {
    const SIZE: [f64; 2] = [100.0, 30.0];
    let y = |value: f64| SIZE[1] * (1.0 - ((value - low) / (high - low)).clamp(0.0, 1.0));
    let every = SIZE[0] / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    for (at, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { 'M' } else { 'L' }, at as f64 * every, y(*value));
    }
    if path.is_empty() {
        return String::new();
    }
    let mark = mark.map_or(String::new(), |mark| format!("<path class=\"mark\" d=\"M0 {:.1}H100\"/>", y(mark)));
    svg("course", SIZE, &format!("{mark}<path class=\"signal\" d=\"{path}h.01\"/>"))
}

/// The loss over the steps on a logarithmic axis, beside what it costs to know nothing.
pub(super) fn loss(losses: &[f64], first_step: u64, nothing: Option<f64>) -> Option<String> {
    /// Points of the curve; each is the mean of so many steps.
    const POINTS: usize = 400;
    const PLOT: [f64; 4] = [56.0, 24.0, 560.0, 150.0];
    let window = losses.len().div_ceil(POINTS).max(1);
    let points: Vec<f64> = losses.chunks(window).map(|part| part.iter().sum::<f64>() / part.len() as f64).collect();
    let nothing = nothing.filter(can_be_drawn);
    let all = || points.iter().copied().chain(nothing).filter(can_be_drawn);
    let (least, most) = all().fold((f64::INFINITY, 0.0_f64), |(a, b), loss| (a.min(loss), b.max(loss)));
    if points.len() < 2 || least > most {
        return None;
    }
    let (from, to) = ((least * 0.92).ln(), (most * 1.08).ln());
    let [left, top, width, height] = PLOT;
    let y = |loss: f64| top + height * (1.0 - (loss.ln() - from) / (to - from));
    let x = |at: f64| left + width * at / (points.len() - 1) as f64;
    let mut inside = String::new();
    for mark in marks(from.exp(), to.exp()) {
        let at = y(mark);
        let _ = write!(
            inside,
            "<path class=\"rule\" d=\"M{left} {at:.1}h{width}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{mark}</text>",
            left - 6.0,
            at + 4.0
        );
    }
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let step = first_step as f64 + share * (losses.len() - 1) as f64;
        let anchor = if share == 0.0 {
            "start"
        } else if share == 1.0 {
            "end"
        } else {
            "middle"
        };
        let _ = write!(
            inside,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{step:.0}</text>",
            left + share * width,
            top + height + 16.0
        );
    }
    let mut path = String::new();
    for (at, loss) in points.iter().enumerate().filter(|(_, loss)| can_be_drawn(loss)) {
        let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { 'M' } else { 'L' }, x(at as f64), y(*loss));
    }
    let _ = write!(inside, "<path class=\"signal\" d=\"{path}\"/>");
    if let Some(nothing) = nothing {
        let at = y(nothing);
        let _ = write!(
            inside,
            "<path class=\"mark\" d=\"M{left} {at:.1}h{width}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">to know nothing: {nothing:.4}</text>",
            left + width,
            at - 5.0
        );
    }
    let of = if window == 1 { String::new() } else { format!(", means of {window} steps") };
    let title = format!("<text class=\"name\" x=\"8\" y=\"15\">Loss by step{of}</text>");
    Some(format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 200\">{title}{inside}</svg>"))
}

/// Whether a loss has a place on an axis.
fn can_be_drawn(loss: &f64) -> bool {
    (1e-100..1e100).contains(loss)
}

/// Round numbers between two: 1, 2 and 5 times powers of ten, and where there are few, tenths between.
fn marks(from: f64, to: f64) -> Vec<f64> {
    let of = |parts: &[f64]| -> Vec<f64> {
        let decades = from.log10().floor() as i32..=to.log10().ceil() as i32;
        let all = decades.flat_map(|decade| parts.iter().map(move |part| part * 10_f64.powi(decade)));
        all.filter(|mark| (from..=to).contains(mark)).collect()
    };
    let rounded = |marks: Vec<f64>| -> Vec<f64> {
        marks.into_iter().map(|mark| format!("{mark:.3e}").parse().unwrap_or(mark)).collect()
    };
    let every = |marks: Vec<f64>| -> Vec<f64> {
        let step = marks.len().div_ceil(6).max(1);
        marks.into_iter().step_by(step).collect()
    };
    match (of(&[1.0]), of(&[1.0, 2.0, 5.0])) {
        (ones, _) if ones.len() >= 4 => rounded(every(ones)),
        (_, few) if few.len() >= 3 => rounded(few),
        _ => rounded(every(of(&[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]))),
    }
}

/// Where the loss is on its own scale, beside what it costs to know nothing.
pub(super) fn loss_scale(loss: f64, nothing: f64) -> Option<String> {
    let axis = Some([loss, nothing]).filter(|both| both.iter().all(can_be_drawn))?;
    let (from, to) = (axis[0].min(axis[1]).ln() - 0.7, axis[0].max(axis[1]).ln() + 0.7);
    let x = |loss: f64| 10.0 + 300.0 * (loss.ln() - from) / (to - from);
    let (at, of_nothing) = (x(loss), x(nothing));
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"loss\" viewBox=\"0 0 320 44\"><path class=\"rule\" d=\"M10 22H310\"/>\
         <path class=\"mark\" d=\"M{of_nothing:.1} 12V32\"/><text x=\"{of_nothing:.1}\" y=\"42\" text-anchor=\"middle\">to know nothing: {nothing:.2}</text>\
         <path class=\"signal point\" d=\"M{at:.1} 22h.01\"/><text class=\"name\" x=\"{at:.1}\" y=\"11\" text-anchor=\"middle\">{loss:.2}</text></svg>"
    ))
}

/// How many rows and columns of a map are shown: the first ones.
const EXAMPLES: usize = 64;
const UNITS: usize = 400;

/// The saturation map: rows are examples, columns units, white where a unit is saturated; and whether it is a part of it. Black and white are
/// those of the figures, in the dark too. `None` where there is nothing to show.
///
/// It is one path of rectangles, a run of saturated units each: a chart of so many elements would be megabytes.
pub(super) fn map(map: &Map) -> Option<(String, bool)> {
    let (rows, columns) = (map.examples.min(EXAMPLES), map.units.min(UNITS));
    if rows == 0 || columns == 0 {
        return None;
    }
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
    let inside = format!(
        "<rect width=\"{columns}\" height=\"{rows}\" fill=\"#000\"/><path d=\"{path}\" fill=\"#fff\" shape-rendering=\"crispEdges\"/>"
    );
    let is_part = (rows, columns) != (map.examples, map.units);
    Some((svg("map", [columns as f64, rows as f64], &inside), is_part))
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
        let of = Map { examples: 2, units: 4, saturated: [1, 1, 0, 1, 0, 0, 0, 0].map(|x| x == 1).to_vec() };
        let (svg, is_part) = map(&of).unwrap();
        assert!(svg.contains("d=\"M0 0h2v1h-2zM3 0h1v1h-1z\"") && !is_part, "{svg}");
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(map(&Map { examples: 0, units: 4, saturated: vec![] }), None);
    }

    #[test]
    fn growth_is_a_slope_that_goes_on_from_row_to_row() {
        let axis = LogAxis::of([0.02, 30.0, f64::NAN, 0.0].into_iter()).unwrap();
        assert_eq!(
            axis.labels().into_iter().map(|(_, label)| label).collect::<Vec<_>>(),
            ["0.01", "0.1", "1", "10", "100"]
        );
        let [one, two, three] = [0.1, 1.0, 10.0].map(Some);
        let first = axis.row([[None, one, two], [None; 3]]);
        let second = axis.row([[one, two, three], [None; 3]]);
        // The first row's line ends where the second's begins.
        assert!(
            first.contains("M50.0 18L75.0 36") && second.contains("M75.0 0L100.0 18M100.0 18L125.0 36"),
            "{first} {second}"
        );
        assert_eq!(LogAxis::of([0.0, f64::NAN].into_iter()), None);
    }

    #[test]
    fn any_numbers_can_be_drawn() {
        let ends = [0.0, 1.0, -1.0, 1e-300, 1e-38, 1e30, f64::MAX, f64::NAN, f64::INFINITY];
        let mut drawn = 0;
        for a in ends {
            for b in ends {
                let of = Histogram { from: a, to: b, counts: vec![1, 5, 0] };
                let axis = LogAxis::of([a, b].into_iter());
                let all = [
                    Some(histogram(&of, Some(&of))),
                    Some(bar(a)),
                    axis.map(|axis| axis.row([[Some(a), Some(b), None]; 2])),
                    Some(course(&[a, b, a], Some(-3.0), [-5.0, 0.0])),
                    loss(&[a, b, a], 7, Some(b)),
                    loss_scale(a, b),
                ];
                for svg in all.into_iter().flatten().filter(|svg| !svg.is_empty()) {
                    roxmltree::Document::parse(&svg).unwrap_or_else(|why| panic!("{why}: {svg}"));
                    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{a}, {b}: {svg}");
                    drawn += 1;
                }
            }
        }
        assert!(drawn > 150, "{drawn}");
    }

    #[test]
    fn the_marks_of_an_axis_are_round_and_few() {
        assert_eq!(marks(0.001, 20.0), [0.001, 0.01, 0.1, 1.0, 10.0]);
        assert_eq!(marks(2.1, 3.4), [2.5, 3.0]);
        assert_eq!(marks(0.8, 30.0), [1.0, 2.0, 5.0, 10.0, 20.0]);
    }
}
