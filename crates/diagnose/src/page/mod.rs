//! Reports as pictures: one page that needs nothing but itself, or SVG files one by one.

mod draw;
mod layers;

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::read::graph::distinct;
use crate::report::finding::{Fault, Finding, Severity};
use crate::report::history::History;
use crate::report::{Activation, Report};
use crate::say::compare::Comparison;
use crate::say::groups::Group;
use crate::say::table::Table;
use crate::say::text::percent;
use crate::say::{rows, tables};
use draw::escaped;
use layers::Layers;

const STYLE: &str = include_str!("style.css");

/// A page that shows one report, or compares several side by side: the verdict first, then what is wrong, then a row for each layer in
/// the order of the signal, in which what a layer gives after a cure stands before what it gave, in grey.
///
/// The page is one file of HTML with its pictures inside. It loads nothing, so that it works from a disk, and follows the
/// reader's preference for light or dark.
///
/// # Example
/// ```
/// use diagnose::Page;
/// use tensor::Tensor;
///
/// let report = diagnose::inspect_graph(|tape| tape.leaf(Tensor::from([[4.0, -0.1], [3.0, 0.2]])).tanh().mean(..));
/// let page = Page::new("Two units").run("at the start", &report, None);
/// assert!(page.to_html().starts_with("<!DOCTYPE html>"));
/// assert!(page.pictures().iter().any(|picture| picture.name == "at-the-start-layers"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    title: String,
    runs: Vec<Run>,
}

#[derive(Clone, Debug, PartialEq)]
struct Run {
    name: String,
    report: Report,
    history: Option<History>,
    /// Whether it is of the model of the run before, later on.
    follows: bool,
}

/// A picture by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Picture {
    /// What to call the file, without its ending: letters, digits and `-`.
    pub name: String,
    /// SVG, with its own style for light and dark.
    pub svg: String,
}

/// A file that could not be written.
#[non_exhaustive]
pub struct WriteError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

tensor::debug_as_display!(WriteError);

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Page {
    /// A page without runs.
    pub fn new(title: impl Into<String>) -> Self {
        Page { title: title.into(), runs: Vec::new() }
    }

    /// Adds a run: its report, and its history if it was watched.
    #[must_use]
    pub fn run(mut self, name: impl Into<String>, report: &Report, history: Option<&History>) -> Self {
        let (name, report, history) = (name.into(), report.clone(), history.cloned());
        self.runs.push(Run { name, report, history, follows: false });
        self
    }

    /// Adds a run of the same model as the one before, later on: after a cure, or a training. What that one gave in each layer is in grey
    /// behind what this one gives.
    #[must_use]
    pub fn then(self, name: impl Into<String>, report: &Report, history: Option<&History>) -> Self {
        let mut page = self.run(name, report, history);
        if let Some(run) = page.runs.last_mut() {
            run.follows = true;
        }
        page
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n\
             <style>\n{STYLE}{}\n</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
            draw::STYLE
        );
        let (labels, named, axis) = (self.labels(), self.runs.len() > 1, self.axis());
        html += "<div class=\"runs\">\n";
        // What each kind of fault breaks is said once on a page.
        let mut rules = HashSet::new();
        for (at, (run, label)) in self.runs.iter().zip(&labels).enumerate() {
            let layers = Layers::new(&run.report, run.history.as_ref(), self.before(at), axis);
            let _ = writeln!(html, "<section>\n{}</section>", run.section(named, label, &layers, &mut rules));
        }
        html += "</div>\n";
        if named {
            let runs = self.runs.iter().map(|run| (run.name.as_str(), &run.report));
            let table = Comparison::new(runs).table.to_html();
            html += &format!(
                "<details><summary>All runs side by side, in numbers</summary><div class=\"card many\">{table}</div></details>\n"
            );
        }
        html += "</main>\n</body>\n</html>\n";
        html
    }

    /// The report of the run that this one follows.
    fn before(&self, at: usize) -> Option<&Report> {
        at.checked_sub(1).filter(|_| self.runs[at].follows).map(|before| &self.runs[before].report)
    }

    /// The axis of scales that suits all runs.
    fn axis(&self) -> Option<draw::LogAxis> {
        self.runs.iter().filter_map(|run| layers::axis(&run.report)).reduce(draw::LogAxis::with)
    }

    /// Writes the page to a file; one that is there is replaced when the new one is whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        replace(path.as_ref(), &self.to_html())
    }

    /// Every picture by itself, the names of the runs before theirs: the `loss` of a training, the `layers`, and the `saturation` of each
    /// activation that has any.
    pub fn pictures(&self) -> Vec<Picture> {
        let (style, axis) = (format!("<style>{}{}</style>", root_style(), draw::STYLE), self.axis());
        let mut pictures = Vec::new();
        for (at, (run, label)) in self.runs.iter().zip(self.labels()).enumerate() {
            let mut add = |name: String, svg: String| {
                let svg = svg.replacen('>', &format!(">{style}"), 1);
                pictures.push(Picture { name: format!("{label}-{name}"), svg });
            };
            if let Some(svg) = run.loss() {
                add("loss".into(), svg);
            }
            let layers = Layers::new(&run.report, run.history.as_ref(), self.before(at), axis);
            layers.to_svg().into_iter().for_each(|svg| add("layers".into(), svg));
            for (number, activation) in run.saturated() {
                if let Some((svg, _)) = draw::map(&activation.map) {
                    add(format!("saturation-{number}"), draw::placed(&svg, [0.0, 0.0, 400.0, 160.0]));
                }
            }
        }
        pictures
    }

    /// What the runs are called in ids and file names; no two are the same.
    fn labels(&self) -> Vec<String> {
        let of_run = |run: &Run| Some(file_name(&run.name)).filter(|name| !name.is_empty()).unwrap_or("run".into());
        distinct(self.runs.iter().map(of_run)).iter().map(|name| file_name(name)).collect()
    }

    /// Writes every picture to a file of its own in a folder, and returns their paths.
    ///
    /// # Errors
    /// A file cannot be written; those before it are.
    pub fn write_pictures(&self, folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, WriteError> {
        let write = |picture: Picture| {
            let path = folder.as_ref().join(format!("{}.svg", picture.name));
            replace(&path, &picture.svg).map(|()| path)
        };
        self.pictures().into_iter().map(write).collect()
    }
}

/// The part of the style sheet that names colours.
fn root_style() -> &'static str {
    STYLE.split("* {").next().unwrap_or_default()
}

/// Gives `path` these contents, whole or not at all.
fn replace(path: &Path, contents: &str) -> Result<(), WriteError> {
    let written = tensor::replace_file(path, |out| out.write_all(contents.as_bytes()));
    written.map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Letters, digits, and single dashes.
fn file_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

impl Run {
    /// All of a run: the verdict, what is wrong, its layers and its course, and the numbers for who wants them.
    fn section(&self, named: bool, label: &str, layers: &Layers<'_>, rules: &mut HashSet<&'static str>) -> String {
        let report = &self.report;
        let mut html = if named { format!("<h2>{}</h2>\n", escaped(&self.name)) } else { String::new() };
        let class = match report.worst() {
            Some(Severity::Error) => "error",
            Some(Severity::Warn) => "warn",
            _ => "good",
        };
        let scale = report.loss.expected.and_then(|nothing| draw::loss_scale(report.loss.compared, nothing));
        let verdict = escaped(&sentence(&report.verdict()));
        let _ = writeln!(
            html,
            "<div class=\"card verdict\"><p class=\"{class}\">{verdict}</p>{}</div>",
            scale.unwrap_or_default()
        );
        if let Some(how) = report.loss.unjudged() {
            let _ = writeln!(html, "<p class=\"dim\">{}.</p>", escaped(&sentence(how)));
        }
        let groups = Group::all(&report.findings);
        if !groups.is_empty() {
            html += "<ol class=\"card findings\">\n";
            groups.iter().for_each(|group| write_group(&mut html, group, rules.insert(group.findings[0].rule)));
            html += "</ol>\n";
        }
        if let Some(table) = layers.to_html(&groups) {
            let depth = tables::depth(report);
            let depth =
                if depth.is_empty() { depth } else { format!("<p class=\"dim\">{}.</p>", escaped(&sentence(&depth))) };
            let _ = writeln!(html, "<div class=\"card\" id=\"{label}-layers\">{table}{depth}</div>");
        }
        let mut figures = String::new();
        if let Some(svg) = self.loss() {
            let _ = writeln!(figures, "<figure class=\"card wide\" id=\"{label}-loss\">{svg}</figure>");
        }
        for (number, activation) in self.saturated() {
            let Some((svg, is_part)) = draw::map(&activation.map) else { continue };
            let part = if is_part { ", the first of them" } else { "" };
            let caption = format!(
                "{} {}: {} saturated (white), {} of {} units for all examples{part}",
                escaped(&activation.place),
                activation.kind,
                percent(activation.saturated),
                activation.dead,
                activation.units
            );
            let _ = writeln!(
                figures,
                "<figure class=\"card\" id=\"{label}-saturation-{number}\"><figcaption>{caption}</figcaption>{svg}</figure>"
            );
        }
        if !figures.is_empty() {
            let _ = writeln!(html, "<div class=\"figures\">\n{figures}</div>");
        }
        let numbers = self.numbers();
        if !numbers.is_empty() {
            let _ = writeln!(html, "<details><summary>In numbers</summary>\n{numbers}</details>");
        }
        html
    }

    /// The course of the loss.
    fn loss(&self) -> Option<String> {
        let history = self.history.as_ref()?;
        draw::loss(&history.loss, history.first_step, self.report.loss.expected)
    }

    /// The activations of which too much is saturated, with their numbers.
    fn saturated(&self) -> impl Iterator<Item = (usize, &Activation)> {
        let is_accused = |activation: &Activation| {
            let of = |finding: &Finding| {
                let is_meant = matches!(finding.fault, Fault::Saturation | Fault::Dead);
                finding.place == activation.place && is_meant && finding.severity > Severity::Note
            };
            activation.saturated > 0.0 && self.report.findings.iter().any(of)
        };
        (1..).zip(&self.report.activations).filter(move |(_, activation)| is_accused(activation))
    }

    fn numbers(&self) -> String {
        let mut html = String::new();
        let paths = tables::paths(&self.report).into_iter();
        for table in
            paths.chain([rows::table(&self.report), tables::weights(&self.report)]).filter(|table| !table.is_empty())
        {
            let _ = writeln!(html, "<div class=\"card\">{}</div>", table.to_html());
        }
        html
    }
}

impl Table {
    fn to_html(&self) -> String {
        let row = |(index, row): (usize, &Vec<String>)| {
            let cell = if index == 0 { "th" } else { "td" };
            let cells: String = row.iter().map(|text| format!("<{cell}>{}</{cell}>", escaped(text))).collect();
            format!("<tr>{cells}</tr>")
        };
        format!("<table>{}</table>", self.rows.iter().enumerate().map(row).collect::<String>())
    }
}

fn write_group(html: &mut String, group: &Group<'_>, with_rule: bool) {
    let severity = group.severity;
    let _ = write!(
        html,
        "<li><b class=\"{severity}\">{severity}</b> <b>{}</b>: {}.",
        escaped(&group.place),
        escaped(&group.message)
    );
    if with_rule {
        let _ = write!(html, " <span class=\"dim\">{}.</span>", escaped(&sentence(group.findings[0].rule)));
    }
    let _ = writeln!(html, " <span class=\"cure\">Cure: {}.</span></li>", escaped(&group.remedy));
}

/// Begins with a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
