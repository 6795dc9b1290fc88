//! Line charts, drawn by `plotters`.
//!
//! A chart has its title and legend above the plot, each in a row of its own, so that nothing is drawn over a line. Ink, grid
//! and background are colours that the style sheet of a page, or of a picture by itself, turns round in the dark.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) const WIDTH: u32 = 400;
const PLOT_HEIGHT: u32 = 230;
const ROW: i32 = 17;
/// The size of the text, in pixels; plotters divides what it is told by 1.24.
const TEXT: f64 = 11.0;
const TITLE: f64 = 13.0;
/// The width of a wide sans-serif letter, as a share of the text's size.
const LETTER: f64 = 0.6;
/// Names in a legend; more cannot be told apart by colour.
const NAMES: usize = 12;

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2F);
const GRID: RGBColor = RGBColor(0xD0, 0xD7, 0xDE);
const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFE);

/// How the colours above look, by the reader's preference; the colours of series suit both.
pub(super) const STYLE: &str = "\
[fill=\"#24292F\"]{fill:var(--ink)}[stroke=\"#24292F\"]{stroke:var(--ink)}\
[stroke=\"#D0D7DE\"]{stroke:var(--line)}[fill=\"#FFFFFE\"]{fill:var(--paper)}";

/// A chart of lines.
#[derive(Default)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) lines: Vec<Line>,
    /// Where a dashed line goes across.
    pub(super) guide: Option<f64>,
    /// Whether the x axis counts: steps, or layers.
    pub(super) counts: bool,
    /// Whether points are marked: there are few.
    pub(super) marks: bool,
    /// Whether the y axis begins at 0.
    pub(super) from_zero: bool,
}

/// From where to where the axes go.
#[derive(Clone)]
pub(super) struct Axes {
    x: Range<f64>,
    y: Range<f64>,
}

impl Axes {
    /// Those that suit both of two charts.
    pub(super) fn with(self, other: Axes) -> Axes {
        let both = |one: Range<f64>, other: Range<f64>| one.start.min(other.start)..one.end.max(other.end);
        Axes { x: both(self.x, other.x), y: both(self.y, other.y) }
    }
}

/// A line, with its name in the legend.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

impl Chart {
    /// The axes that suit it; `None` where there is nothing to draw.
    pub(super) fn axes(&self) -> Option<Axes> {
        let all = || self.lines.iter().flat_map(|line| drawable(&line.points));
        let (x, mut y) = (range(all().map(|(x, _)| x))?, range(all().map(|(_, y)| y).chain(self.guide))?);
        if self.from_zero && y.end > 0.0 {
            y.start = 0.0;
        }
        Some(Axes { x, y })
    }

    /// The chart as SVG.
    pub(super) fn to_svg(&self, Axes { x, y }: Axes) -> String {
        let lines: Vec<(&str, Vec<(f64, f64)>)> =
            self.lines.iter().map(|line| (&*line.name, drawable(&line.points))).collect();
        let lines: Vec<_> = lines.into_iter().filter(|(_, points)| !points.is_empty()).collect();
        let legend = legend(&lines.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let rows = legend.last().map_or(0, |entry| entry.row + 1);
        let top = 8 + ROW + rows * ROW;
        let mut svg = String::new();
        let size = (WIDTH, PLOT_HEIGHT + top as u32);
        self.draw(&mut svg, size, top, &legend, (x, y), &lines).expect("drawing into a string cannot fail");
        svg
    }

    fn draw(
        &self,
        svg: &mut String,
        size: (u32, u32),
        top: i32,
        legend: &[Entry],
        (x, y): (Range<f64>, Range<f64>),
        lines: &[(&str, Vec<(f64, f64)>)],
    ) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let root = SVGBackend::with_string(svg, size).into_drawing_area();
        root.fill(&PAPER)?;
        let text = |size: f64| ("sans-serif", size * 1.24).into_font().color(&INK);
        let title = text(TITLE).pos(Pos::new(HPos::Left, VPos::Top));
        root.draw_text(&self.title, &title, (10, 6))?;
        for (index, entry) in legend.iter().enumerate() {
            let (left, above) = (10 + entry.x, 8 + ROW + entry.row * ROW);
            if entry.is_line {
                let line = [(left, above + 6), (left + 14, above + 6)];
                root.draw(&PathElement::new(line, colour(index, lines.len()).stroke_width(3)))?;
            }
            root.draw_text(&entry.name, &text(TEXT).pos(Pos::new(HPos::Left, VPos::Top)), (left + 18, above))?;
        }
        let (_, below) = root.split_vertically(top);
        let mut chart = ChartBuilder::on(&below)
            .margin_right(14)
            .margin_top(8)
            .margin_left(4)
            .x_label_area_size(38)
            .y_label_area_size(58)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .axis_style(GRID)
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .label_style(text(TEXT))
            .axis_desc_style(text(TEXT))
            .x_desc(self.x)
            .y_desc(self.y)
            .x_labels(5)
            .y_labels(6)
            .x_label_formatter(&|at| if self.counts { count(*at) } else { label(*at, x.end - x.start) })
            .y_label_formatter(&|at| label(*at, y.end - y.start))
            .draw()?;
        if let Some(guide) = self.guide {
            // Seventeen dashes, and as many gaps.
            let dash = (x.end - x.start) / 33.0;
            for start in (0..17).map(|i| x.start + f64::from(2 * i) * dash) {
                chart.draw_series([PathElement::new([(start, guide), (start + dash, guide)], INK)])?;
            }
        }
        for (index, (_, points)) in lines.iter().enumerate() {
            let colour = colour(index, lines.len());
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            if self.marks {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
            }
        }
        root.present()
    }
}

/// From blue for the first line over green to red for the last, as light as suits both black and white.
fn colour(index: usize, of: usize) -> RGBColor {
    let share = if of < 2 { 0.0 } else { index as f64 / (of - 1) as f64 };
    let (r, g, b) = HSLColor(0.6 * (1.0 - share), 0.62, 0.5).rgb();
    RGBColor(r, g, b)
}

/// A name in a legend, and where it stands.
struct Entry {
    name: String,
    x: i32,
    row: i32,
    is_line: bool,
}

/// Places names in rows. A single line needs none.
fn legend(names: &[&str]) -> Vec<Entry> {
    if names.len() < 2 {
        return Vec::new();
    }
    let (mut x, mut row) = (0, 0);
    let mut place = |name: String, is_line: bool| {
        let width = 30 + (name.chars().count() as f64 * LETTER * TEXT) as i32;
        if x > 0 && x + width > WIDTH as i32 - 20 {
            (x, row) = (0, row + 1);
        }
        let entry = Entry { name, x, row, is_line };
        x += width;
        entry
    };
    let mut entries: Vec<Entry> = names.iter().take(NAMES).map(|name| place(shortened(name), true)).collect();
    if names.len() > NAMES {
        entries.push(place(format!("and {} more", names.len() - NAMES), false));
    }
    entries
}

/// A name, cut to its last 48 characters, which tell more than the first.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= 48 { name.to_owned() } else { format!("…{}", name.chars().skip(length - 47).collect::<String>()) }
}

/// The points that can be drawn: finite ones, and no larger than leaves room for an axis.
fn drawable(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const MOST: f64 = 1e100;
    points.iter().copied().filter(|(x, y)| x.abs() < MOST && y.abs() < MOST).collect()
}

/// From the least to the largest, and a little more; wide enough that an axis can be divided.
fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| (least.min(x), most.max(x)));
    if least > most {
        return None;
    }
    let narrow = 1e-3 * least.abs().max(most.abs());
    let span = most - least;
    let margin = if span > narrow {
        0.04 * span
    } else if narrow > 0.0 {
        50.0 * narrow
    } else {
        0.5
    };
    Some(least - margin..most + margin)
}

/// A label on an axis that is `span` long.
fn label(x: f64, span: f64) -> String {
    // Where 0 is meant, rounding leaves a tiny number.
    if x.abs() < 1e-9 * span {
        return "0".into();
    }
    // All labels of one axis have the same form.
    if !(0.02..1e5).contains(&span) {
        let text = format!("{x:.1e}");
        return text.replace(".0e", "e");
    }
    // As many digits as tell neighbours apart.
    let digits = (2.0 - span.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A label on an axis that counts; none between whole numbers.
fn count(x: f64) -> String {
    let whole = x.round();
    if (x - whole).abs() > 1e-6 || whole < 0.0 {
        String::new()
    } else if whole >= 10_000.0 {
        format!("{}k", whole / 1000.0)
    } else {
        format!("{whole}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_counts_are_whole() {
        assert_eq!([-2e-16, -0.5, 1.0, 0.25, 120.0].map(|x| label(x, 2.0)), ["0", "-0.5", "1", "0.25", "120"]);
        assert_eq!([1e-20, -1e-3, 5.5e-4].map(|x| label(x, 2e-3)), ["0", "-1e-3", "5.5e-4"]);
        assert_eq!([-4.04, -4.035].map(|x| label(x, 0.03)), ["-4.04", "-4.035"]);
        assert_eq!([0.0, 2.5, 500.0, 150_000.0].map(count), ["0", "", "500", "150k"]);
    }

    #[test]
    fn any_points_can_be_drawn() {
        let draw = |points: &[(f64, f64)]| {
            let lines =
                vec![Line { name: "a<b".into(), points: points.to_vec() }, Line { name: "c".into(), points: vec![] }];
            let chart = Chart { title: "t & t".into(), x: "x", y: "y", lines, marks: true, ..Chart::default() };
            chart.axes().map(|axes| chart.to_svg(axes))
        };
        assert_eq!(draw(&[]), None);
        assert_eq!(draw(&[(0.0, f64::NAN), (f64::INFINITY, 1.0)]), None);
        let ends = [0.0, 1.0, -1.0, 1e-300, 1e-38, 1e30, 1e99, 1.0 + 1e-12, f64::MAX];
        for a in ends {
            for b in ends {
                let Some(svg) = draw(&[(a, b), (b, a)]) else { continue };
                let parsed = roxmltree::Document::parse(&svg).unwrap_or_else(|why| panic!("{why}: {svg}"));
                assert!(
                    parsed.descendants().any(|node| node.text().is_some_and(|text| text.trim() == "t & t")),
                    "{a}, {b}"
                );
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{a}, {b}: {svg}");
            }
        }
    }
}
