//! The history of a fit as text, in lines that other programs read.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::HistoryRow;
use crate::Error;

/// How a history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

impl Format {
    /// By the end of a file's name.
    fn of(path: &Path) -> Result<Self, Error> {
        match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => Ok(Format::Csv),
            Some("jsonl") => Ok(Format::JsonLines),
            _ => {
                let why = format!("is to be written to {}, but must be to a .csv or a .jsonl file", path.display());
                Err(Error::Invalid { what: "the history", why })
            }
        }
    }

    fn header(self, figures: &[String]) -> String {
        match self {
            Format::Csv => {
                let named = figures.iter().map(|name| field(&format!("held_out {name}")));
                ["step".into(), "train".into(), "lr".into()].into_iter().chain(named).collect::<Vec<_>>().join(",")
                    + "\n"
            }
            Format::JsonLines => String::new(),
        }
    }

    fn row(self, figures: &[String], row: &HistoryRow) -> String {
        let mut text = String::new();
        // Where there was no evaluation, or what is no number: an empty field, and null.
        let or = |value: f64, none: &str| if value.is_finite() { value.to_string() } else { none.to_owned() };
        let of = |at: usize| row.figures.get(at).copied().unwrap_or(f64::NAN);
        let _ = match self {
            Format::Csv => {
                let _ = write!(text, "{},{},{}", row.step, row.train, or(row.lr, ""));
                for at in 0..figures.len() {
                    let _ = write!(text, ",{}", or(of(at), ""));
                }
                writeln!(text)
            }
            Format::JsonLines => {
                let _ = write!(text, "{{\"step\":{},\"train\":{},\"lr\":{}", row.step, row.train, or(row.lr, "null"));
                for (at, name) in figures.iter().enumerate().filter(|_| !row.figures.is_empty()) {
                    let _ = write!(text, ",{}:{}", quoted(&format!("held_out {name}")), or(of(at), "null"));
                }
                writeln!(text, "}}")
            }
        };
        text
    }
}

/// A field of a CSV file (RFC 4180).
fn field(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.into() }
}

/// A text of JSON (RFC 8259).
fn quoted(name: &str) -> String {
    let escaped = name.chars().fold(String::new(), |mut text, c| {
        let _ = match c {
            '"' | '\\' => write!(text, "\\{c}"),
            c if c.is_control() => write!(text, "\\u{:04x}", c as u32),
            c => write!(text, "{c}"),
        };
        text
    });
    format!("\"{escaped}\"")
}

/// A history as CSV.
pub(super) fn csv(figures: &[String], rows: &[HistoryRow]) -> String {
    whole(Format::Csv, figures, rows)
}

/// A history as lines of JSON.
pub(super) fn json_lines(figures: &[String], rows: &[HistoryRow]) -> String {
    whole(Format::JsonLines, figures, rows)
}

fn whole(format: Format, figures: &[String], rows: &[HistoryRow]) -> String {
    rows.iter().fold(format.header(figures), |text, row| text + &format.row(figures, row))
}

/// A file that has the history as far as it has come.
pub(super) struct Log {
    path: PathBuf,
    format: Format,
    file: Option<File>,
    /// The rows that are in it, and the figures that its first line names.
    rows: usize,
    figures: usize,
}

impl Log {
    pub(super) fn at(path: PathBuf) -> Result<Self, Error> {
        Ok(Log { format: Format::of(&path)?, path, file: None, rows: 0, figures: 0 })
    }

    /// Writes the rows that are new: at first all, so that after a resume the file has what the checkpoint has.
    pub(super) fn write(&mut self, figures: &[String], rows: &[HistoryRow]) -> Result<(), Error> {
        let failed = |path: &Path, error: &io::Error| {
            let why = format!("cannot be written to {}: {error}", path.display());
            Error::Invalid { what: "the history", why }
        };
        if self.file.is_some() && self.rows == rows.len() {
            return Ok(());
        }
        // With a figure that was not there before, all of it is written anew.
        if self.figures != figures.len() {
            (self.file, self.figures) = (None, figures.len());
        }
        let text = match self.file {
            Some(_) => rows[self.rows..].iter().map(|row| self.format.row(figures, row)).collect(),
            None => whole(self.format, figures, rows),
        };
        let open = || OpenOptions::new().write(true).create(true).truncate(true).open(&self.path);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open().map_err(|error| failed(&self.path, &error))?),
        };
        file.write_all(text.as_bytes()).map_err(|error| failed(&self.path, &error))?;
        self.rows = rows.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_lines_that_programs_read() {
        let figures = ["loss".to_owned(), "a \"b\", c".to_owned()];
        let row = |step, figures: &[f64]| HistoryRow {
            step,
            train: 0.5,
            lr: 1e-3,
            held_out: None,
            figures: figures.to_vec(),
        };
        let rows = [row(10, &[]), row(20, &[0.25, f64::NAN])];
        assert_eq!(
            csv(&figures, &rows),
            "step,train,lr,held_out loss,\"held_out a \"\"b\"\", c\"\n10,0.5,0.001,,\n20,0.5,0.001,0.25,\n"
        );
        assert_eq!(
            json_lines(&figures, &rows),
            "{\"step\":10,\"train\":0.5,\"lr\":0.001}\n{\"step\":20,\"train\":0.5,\"lr\":0.001,\"held_out loss\":0.25,\"held_out a \
             \\\"b\\\", c\":null}\n"
        );
    }

    #[test]
    fn a_log_has_a_column_for_each_figure_from_when_there_is_one() {
        let path = std::env::temp_dir().join(format!("evenkeel-log-{}.csv", std::process::id()));
        let mut log = Log::at(path.clone()).unwrap();
        let row =
            |step, figures: &[f64]| HistoryRow { step, train: 1.0, lr: 0.5, held_out: None, figures: figures.to_vec() };
        log.write(&["a".into()], &[row(1, &[2.0])]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "step,train,lr,held_out a\n1,1,0.5,2\n");
        log.write(&["a".into(), "b".into()], &[row(1, &[2.0]), row(2, &[3.0, 4.0])]).unwrap();
        let want = "step,train,lr,held_out a,held_out b\n1,1,0.5,2,\n2,1,0.5,3,4\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), want);
        std::fs::remove_file(path).unwrap();
    }
}
