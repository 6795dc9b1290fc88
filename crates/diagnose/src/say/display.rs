//! A report as text: the verdict, tables, findings.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use crate::report::Report;
use crate::report::finding::{Finding, Severity};
use crate::report::stats::Stats;
use crate::say::groups::Group;
use crate::say::text::{NONE, sparkline};
use crate::say::{rows, tables};

/// The width of the histograms in tables.
const SPREAD: usize = 10;

/// The width of a terminal, and how much of it stands before a finding's text.
const COLUMNS: usize = 80;
const INDENT: usize = 7;

/// Plain text for a terminal of 80 columns; [`Report::print`] adds colour.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl Report {
    /// Prints the report on standard output: in colour if that is a terminal, unless the environment variable `NO_COLOR` is
    /// set.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub fn print(&self) -> io::Result<()> {
        struct Coloured<'a>(&'a Report);
        impl fmt::Display for Coloured<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, true)
            }
        }
        let mut out = io::stdout().lock();
        if out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            write!(out, "{}", Coloured(self))
        } else {
            write!(out, "{self}")
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, colour: bool) -> fmt::Result {
        let of_step = if self.step == 0 { String::new() } else { format!("step {}, ", self.step) };
        match self.worst() {
            Some(Severity::Warn | Severity::Error) => {
                let count = self.findings.iter().filter(|finding| finding.severity > Severity::Note).count();
                let faults = if count == 1 { "fault" } else { "faults" };
                lines(f, &format!("{of_step}not on an even keel: {}, {count} {faults}", self.loss.in_words()))?;
            }
            _ => lines(f, &format!("{of_step}{}", self.verdict()))?,
        }
        if let Some(how) = self.loss.unjudged() {
            writeln!(f, "{how}")?;
        }
        let mut rule = "";
        for group in Group::all(&self.findings) {
            writeln!(f)?;
            // What several findings break is said once.
            group.write(f, colour, group.findings[0].rule != rule)?;
            rule = group.findings[0].rule;
        }
        let spread = |stats: &Stats| sparkline(&stats.histogram, SPREAD);
        let gradients = self.weights.iter().map(|weight| weight.gradient.as_ref().map_or(NONE.into(), spread));
        let tables = [rows::table(self), tables::weights(self).with_column("gradient", gradients)];
        for table in tables::paths(self).iter().chain(&tables).filter(|table| !table.is_empty()) {
            write!(f, "\n{table}")?;
        }
        match tables::depth(self) {
            depth if depth.is_empty() => Ok(()),
            depth => writeln!(f, "\n{depth}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alone = Group::all(std::slice::from_ref(self));
        alone.iter().try_for_each(|group| group.write(f, false, true))
    }
}

impl Group<'_> {
    fn write(&self, f: &mut fmt::Formatter<'_>, colour: bool, with_rule: bool) -> fmt::Result {
        // Red, yellow, cyan.
        let code = match self.severity {
            Severity::Error => "31",
            Severity::Warn => "33",
            Severity::Note => "36",
        };
        let (on, off) = if colour { (format!("\x1b[1;{code}m"), "\x1b[0m") } else { (String::new(), "") };
        let mut label = format!("{on}{:<5}{off}  ", self.severity);
        let rule = with_rule.then(|| format!("rule: {}", self.findings[0].rule));
        let about = format!("{}: {}", self.place, self.message);
        for text in [Some(about), rule, Some(format!("cure: {}", self.remedy))].into_iter().flatten() {
            for line in wrap(&text, COLUMNS - INDENT) {
                writeln!(f, "{label}{line}")?;
                label = " ".repeat(INDENT);
            }
        }
        Ok(())
    }
}

/// A text in lines that are not too long.
fn lines(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    wrap(text, COLUMNS).iter().try_for_each(|line| writeln!(f, "{line}"))
}

/// Breaks a text between words, so that no line has more characters than `width`, unless one word does.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("überlanges wort", 4), ["überlanges", "wort"]);
    }
}
