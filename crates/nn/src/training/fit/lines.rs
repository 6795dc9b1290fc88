//! What a fit prints as it goes: to standard error, so that a program's output is its own.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use crate::model::grouped;

/// How often the line of a terminal is drawn anew; and how long a fit runs before there is one.
const REDRAWN: Duration = Duration::from_millis(200);
/// How often there is another line elsewhere, where there is something to say.
const LINES: Duration = Duration::from_secs(1);
/// A terminal has at least so many columns, and a line that is rewritten must not be longer.
const COLUMNS: usize = 79;

/// Where a fit prints how far it has come: in a terminal one line that is rewritten, elsewhere a line at evaluations.
pub(super) struct Lines {
    out: Option<Box<dyn Write>>,
    is_terminal: bool,
    /// When the fit began, and with which step.
    began: Instant,
    first: u64,
    /// The step and the time of the last look at the clock, which may take as long as a hundredth of a step; and the step of the next.
    looked: (u64, Duration),
    next_look: u64,
    /// When it last printed.
    printed: Duration,
    /// The columns of the line that is to be rewritten.
    width: usize,
    /// The figures of the last evaluation, in words.
    evaluation: Vec<String>,
}

/// What a line says.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    pub(super) step: u64,
    pub(super) steps: u64,
    pub(super) loss: f64,
    pub(super) lr: f64,
    /// The figures of an evaluation that was made now.
    pub(super) figures: &'a [(String, f64)],
    /// Whether the loss is recorded now.
    pub(super) is_record: bool,
}

impl Lines {
    /// To standard error, or nowhere.
    pub(super) fn new(is_quiet: bool, first: u64) -> Self {
        let out = (!is_quiet).then(|| Box::new(stderr()) as Box<dyn Write>);
        // A terminal that cannot move its cursor says so.
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Lines::to(out, !is_quiet && !is_dumb && stderr().is_terminal(), first)
    }

    fn to(out: Option<Box<dyn Write>>, is_terminal: bool, first: u64) -> Self {
        let (began, printed, evaluation) = (Instant::now(), Duration::ZERO, Vec::new());
        Lines {
            out,
            is_terminal,
            began,
            first,
            looked: (first, Duration::ZERO),
            next_look: 0,
            printed,
            width: 0,
            evaluation,
        }
    }

    /// Takes note of a step, and prints where it is time to.
    pub(super) fn step(&mut self, now: &Now<'_>) {
        let is_due = now.step >= self.next_look;
        if self.out.is_none() || !(is_due || now.is_record) {
            return;
        }
        let time = self.began.elapsed();
        if is_due {
            self.next_look = now.step + ahead(now.step - self.looked.0, time - self.looked.1);
            self.looked = (now.step, time);
        }
        self.at(now, time);
    }

    fn at(&mut self, now: &Now<'_>, time: Duration) {
        if !now.figures.is_empty() {
            self.evaluation = now.figures.iter().map(|(name, value)| format!(" {name} {value:.4}")).collect();
        }
        let is_due = time - self.printed >= if self.is_terminal { REDRAWN } else { LINES };
        if !is_due || !(self.is_terminal || now.is_record) {
            return;
        }
        self.printed = time;
        let line = self.line(now, time);
        if self.is_terminal {
            self.rewrite(&line);
        } else {
            self.print(&format!("{line}\n"));
        }
    }

    fn line(&self, now: &Now<'_>, time: Duration) -> String {
        let Now { step, steps, loss, lr, .. } = *now;
        let speed = (step - self.first) as f64 / time.as_secs_f64();
        let left = Duration::from_secs_f64(((steps.saturating_sub(step)) as f64 / speed).clamp(0.0, 1e9));
        let speed = if speed >= 10.0 { format!("{speed:.0}") } else { format!("{speed:.2}") };
        let mut line = format!("{}/{}  loss {loss:.4}", grouped(step), grouped(steps));
        let end = format!("  lr {}  {speed}/s  {} left", short(lr), spoken(left));
        // In a terminal, figures that do not fit are left out.
        let room = if self.is_terminal { COLUMNS.saturating_sub(end.chars().count()) } else { usize::MAX };
        for count in (1..=self.evaluation.len()).rev() {
            let figures = format!("  held-out{}", self.evaluation[..count].concat());
            if line.chars().count() + figures.chars().count() <= room {
                line += &figures;
                break;
            }
        }
        line += &end;
        if self.is_terminal { line.chars().take(COLUMNS).collect() } else { line }
    }

    /// Writes over the line that is there.
    fn rewrite(&mut self, line: &str) {
        let width = line.chars().count();
        let blank = " ".repeat(self.width.saturating_sub(width));
        self.width = width;
        self.print(&format!("\r{line}{blank}"));
    }

    /// Prints a sentence, on lines of its own.
    pub(super) fn say(&mut self, sentence: &str) {
        if self.out.is_some() {
            self.clear();
            self.print(&format!("{sentence}\n"));
        }
    }

    /// Takes the line away that would be rewritten.
    fn clear(&mut self) {
        if self.width > 0 {
            let blank = " ".repeat(self.width);
            self.width = 0;
            self.print(&format!("\r{blank}\r"));
        }
    }

    fn print(&mut self, text: &str) {
        // Nobody may be reading: that is no reason to end a training.
        if let Some(out) = &mut self.out {
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }
}

impl Drop for Lines {
    /// What is printed afterwards, the message of a panic too, begins a line.
    fn drop(&mut self) {
        self.clear();
    }
}

/// The steps to the next look at the clock, by those since the last: as many as take an eighth of the time between two drawings.
fn ahead(steps: u64, took: Duration) -> u64 {
    let each = took.as_secs_f64() / steps.max(1) as f64;
    ((REDRAWN.as_secs_f64() / 8.0 / each.max(1e-9)) as u64).clamp(1, 1000)
}

/// A learning rate in few digits.
fn short(lr: f64) -> String {
    match lr {
        0.0 => "0".into(),
        lr if lr.abs() < 1e-3 => format!("{lr:.1e}"),
        lr => format!("{lr:.4}").trim_end_matches('0').trim_end_matches('.').into(),
    }
}

/// A time as people say it.
pub(super) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, ..) if h >= 1000 => "long".into(),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::rc::Rc;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printed(is_terminal: bool) -> String {
        let out = Shared::default();
        let mut lines = Lines::to(Some(Box::new(out.clone())), is_terminal, 0);
        let figures = ["accuracy", "perplexity", "another long figure"].map(|name| (name.to_owned(), 0.5));
        for step in 1..=1600 {
            let is_record = step % 400 == 0;
            let figures = if is_record { &figures[..] } else { &[] };
            let now = Now { step, steps: 12_000, loss: 0.25, lr: 3e-2, figures, is_record };
            lines.at(&now, Duration::from_millis(5 * step));
            if step == 900 {
                lines.say("warn   something");
            }
        }
        drop(lines);
        String::from_utf8(out.0.borrow().clone()).unwrap()
    }

    #[test]
    fn a_terminal_has_one_line_of_at_most_79_columns() {
        let text = printed(true);
        assert_eq!(text.matches('\n').count(), 1); // that of what was said
        let frames: Vec<&str> = text.split(['\r', '\n']).filter(|frame| !frame.trim().is_empty()).collect();
        assert_eq!(frames.len(), 40 + 1);
        assert!(frames.iter().all(|frame| frame.chars().count() <= COLUMNS), "{frames:?}");
        assert_eq!(frames[0].trim_end(), "40/12,000  loss 0.2500  lr 0.03  200/s  1 min 00 s left");
        let want = "840/12,000  loss 0.2500  held-out accuracy 0.5000  lr 0.03  200/s  56 s left";
        assert_eq!(frames[20].trim_end(), want);
        assert!(text.ends_with('\r'));
    }

    #[test]
    fn elsewhere_there_is_a_line_at_records_and_no_more_than_one_a_second() {
        let text = printed(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4 + 1, "{text}");
        assert_eq!(
            lines[0],
            "400/12,000  loss 0.2500  held-out accuracy 0.5000 perplexity 0.5000 another long figure 0.5000  lr 0.03  200/s  58 s left"
        );
        assert!(!text.contains('\r') && lines[2] == "warn   something");
    }

    #[test]
    fn the_clock_is_looked_at_the_less_the_shorter_steps_are() {
        let of = |micros: u64| ahead(10, Duration::from_micros(10 * micros));
        assert_eq!([0, 1, 250, 25_000, 3_000_000].map(of), [1000, 1000, 100, 1, 1]);
    }

    #[test]
    fn times_are_as_people_say_them() {
        let of = |s: u64| spoken(Duration::from_secs(s));
        assert_eq!([0, 61, 3700, 1_000_000_000].map(of), ["0 s", "1 min 01 s", "1 h 01 min", "long"]);
        assert_eq!([0.0, 3e-2, 1e-5, 0.1234567].map(short), ["0", "0.03", "1.0e-5", "0.1235"]);
    }
}
