//! Reports as pictures: one page that needs nothing but itself, or SVG files one by one.

mod chart;
mod map;
mod pictures;

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::read::graph::distinct;
use crate::report::Report;
use crate::report::finding::{Finding, Severity};
use crate::report::history::History;
use crate::say::compare::Comparison;
use crate::say::table::Table;
use crate::say::tables;
use chart::Axes;
use map::escaped;
use pictures::Drawing;

const STYLE: &str = include_str!("style.css");

/// A page that shows one report, or compares several side by side: the verdict first, then what is wrong, then pictures.
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
/// assert!(page.pictures().iter().any(|picture| picture.name == "at-the-start-saturation-1"));
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
        self.runs.push(Run { name: name.into(), report: report.clone(), history: history.cloned() });
        self
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n\
             <style>\n{STYLE}{}\n</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
            chart::STYLE
        );
        let labels = self.labels();
        let named = self.runs.len() > 1;
        self.columns(&mut html, |run| run.verdict(named));
        // The same picture of each run is in one row, with the same axes; those of a single run follow one another.
        let mut rows = Vec::new();
        for (name, pictures) in self.drawn() {
            let figure = |((run, label), svg): ((&Run, &String), &Option<String>)| match svg {
                Some(svg) => {
                    let caption =
                        if named { format!("<figcaption>{}</figcaption>", escaped(&run.name)) } else { String::new() };
                    format!("<figure class=\"card\" id=\"{label}-{name}\">{caption}{svg}</figure>\n")
                }
                None => "<div></div>\n".to_owned(),
            };
            rows.push(self.runs.iter().zip(&labels).zip(&pictures).map(figure).collect::<String>());
        }
        match named {
            true => rows.iter().for_each(|row| html += &format!("<div class=\"runs\">\n{row}</div>\n")),
            false => html += &format!("<div class=\"figures\">\n{}</div>\n", rows.concat()),
        }
        self.columns(&mut html, Run::tables);
        if named {
            let runs = self.runs.iter().map(|run| (run.name.as_str(), &run.report));
            let table = Comparison::new(runs).table.to_html();
            html += &format!("<h2>Side by side</h2>\n<div class=\"card many\">{table}</div>\n");
        }
        html += "</main>\n</body>\n</html>\n";
        html
    }

    /// Writes the page to a file; one that is there is replaced when the new one is whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        replace(path.as_ref(), &self.to_html())
    }

    /// A part of each run, in columns.
    fn columns(&self, html: &mut String, part: impl Fn(&Run) -> String) {
        *html += "<div class=\"runs\">\n";
        for run in &self.runs {
            let _ = writeln!(html, "<section>\n{}</section>", part(run));
        }
        *html += "</div>\n";
    }

    /// Every picture by its name, of each run that has it.
    fn drawn(&self) -> Vec<(String, Vec<Option<String>>)> {
        let mut names: Vec<String> = Vec::new();
        let of_runs: Vec<HashMap<String, Drawing>> = self
            .runs
            .iter()
            .map(|run| {
                let all = pictures::all(&run.report, run.history.as_ref());
                names.extend(all.iter().map(|(name, _)| name.clone()));
                all.into_iter().collect()
            })
            .collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let draw = |name: String| {
            let drawings = || of_runs.iter().map(|drawings| drawings.get(&name));
            let axes = drawings().flatten().filter_map(Drawing::axes).reduce(Axes::with);
            let svgs = drawings().map(|drawing| drawing.map(|drawing| drawing.to_svg(axes.as_ref()))).collect();
            (name, svgs)
        };
        names.into_iter().map(draw).collect()
    }

    /// Every picture by itself, the names of the runs before theirs.
    pub fn pictures(&self) -> Vec<Picture> {
        let (drawn, style) = (self.drawn(), format!("<style>{}{}</style>", root_style(), chart::STYLE));
        let of_run = |(run, label): (usize, String)| {
            let alone = |(picture, svgs): &(String, Vec<Option<String>>)| {
                let svg = svgs[run].as_ref()?.replacen(">\n", &format!(">\n{style}\n"), 1);
                Some(Picture { name: format!("{label}-{picture}"), svg })
            };
            drawn.iter().filter_map(alone).collect::<Vec<_>>()
        };
        self.labels().into_iter().enumerate().flat_map(of_run).collect()
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
    /// The verdict, and what is wrong.
    fn verdict(&self, named: bool) -> String {
        let mut html = if named { format!("<h2>{}</h2>\n", escaped(&self.name)) } else { String::new() };
        let class = match self.report.worst() {
            Some(Severity::Error) => "error",
            Some(Severity::Warn) => "warn",
            _ => "good",
        };
        let verdict = escaped(&sentence(&self.report.verdict()));
        let _ = writeln!(html, "<p class=\"card verdict {class}\">{verdict}</p>");
        if let Some(how) = self.report.loss.unjudged() {
            let _ = writeln!(html, "<p class=\"card dim\">{}.</p>", escaped(&sentence(how)));
        }
        let mut rule = "";
        for finding in &self.report.findings {
            // What several findings break is said once.
            write_finding(&mut html, finding, finding.rule != rule);
            rule = finding.rule;
        }
        html
    }

    fn tables(&self) -> String {
        let mut html = String::new();
        let depth = tables::depth(&self.report);
        if !depth.is_empty() {
            let _ = writeln!(html, "<p class=\"card\">{}.</p>", escaped(&sentence(&depth)));
        }
        let paths = tables::paths(&self.report).into_iter();
        let tables = [tables::activations(&self.report), tables::signal(&self.report), tables::weights(&self.report)];
        for table in paths.chain(tables).filter(|table| !table.is_empty()) {
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

fn write_finding(html: &mut String, finding: &Finding, with_rule: bool) {
    let severity = finding.severity;
    let _ = writeln!(
        html,
        "<div class=\"card finding\"><p><b class=\"{severity}\">{severity}</b> {}: {}.</p>",
        escaped(&finding.place),
        escaped(&finding.message)
    );
    if with_rule {
        let _ = writeln!(html, "<p class=\"dim\">{}.</p>", escaped(&sentence(finding.rule)));
    }
    let _ = writeln!(html, "<p>Cure: {}.</p></div>", escaped(&finding.remedy));
}

/// Begins with a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
