//! What is printed: one JSON object per row, or Markdown tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bench;

/// How the names of products begin.
const PRODUCT: &str = "matmul ";

/// One row at a number of threads, and one line of JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    pub work: String,
    pub threads: usize,
    /// Of the times: "us".
    pub unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evenkeel: Option<f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_peer: Option<String>,
    /// The best peer's time in ours: above 1, we are faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Of the first steps, where the row is one of training.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<f32>,
    /// Ours, and as a share of what the machine can do: `gflops` and `peak_share`, or `gbs` and `bandwidth_share`.
    #[serde(flatten)]
    pub speed: BTreeMap<String, f64>,
}

impl Figures {
    /// Takes in the peers that another program has measured on the same row, and finds the best of all.
    ///
    /// # Errors
    /// It has trained another model: its losses are others.
    pub fn join(&mut self, others: &[Figures]) -> Result<(), String> {
        let same =
            |other: &&Figures| (&other.work, other.threads, &other.unit) == (&self.work, self.threads, &self.unit);
        for other in others.iter().filter(|other| same(other) && !self.losses.is_empty()) {
            bench::compare(&self.work, &self.losses, &other.losses, other.peers.keys().next().map_or("", |name| name))?;
        }
        let joined: Vec<_> = others.iter().filter(same).flat_map(|other| other.peers.clone()).collect();
        self.peers.extend(joined);
        let best = self.peers.iter().min_by(|(_, x), (_, y)| x.total_cmp(y));
        self.ratio = best.zip(self.evenkeel).map(|((_, theirs), ours)| four_digits(theirs / ours));
        self.best_peer = best.map(|(name, _)| name.clone());
        Ok(())
    }

    fn speed(&self, name: &str) -> Option<f64> {
        self.speed.get(name).copied()
    }
}

/// Figures that were printed as JSON, one object per line.
pub fn read(path: &Path) -> Result<Vec<Figures>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let parse = |(i, line)| serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", path.display(), i + 1));
    text.lines().enumerate().map(parse).collect()
}

/// Everything at one number of threads, in Markdown.
pub fn print_tables(threads: usize, rows: &[Figures]) {
    println!("\n### {threads} thread{}\n", if threads == 1 { "" } else { "s" });
    let (ours, peaks): (Vec<&Figures>, Vec<_>) = rows.iter().partition(|row| row.evenkeel.is_some());
    for peak in peaks {
        let (gflops, gbs) = (peak.speed("gflops"), peak.speed("gbs"));
        let unit = if gflops.is_some() { "GFLOP/s" } else { "GB/s" };
        println!("- {}: {} {unit}", peak.work, gflops.or(gbs).map_or(String::new(), digits));
    }
    let (products, others): (Vec<_>, Vec<_>) = ours.into_iter().partition(|row| row.work.starts_with(PRODUCT));
    let (arithmetic, memory): (Vec<_>, Vec<_>) = others.into_iter().partition(|row| row.speed("gflops").is_some());
    print_table("matmul, GFLOP/s", "of peak", &products);
    print_table("µs", "of memory", &memory);
    print_table("µs", "of peak", &arithmetic);
}

fn print_table(unit: &str, share: &str, rows: &[&Figures]) {
    if rows.is_empty() {
        return;
    }
    let peers: BTreeSet<&str> = rows.iter().flat_map(|row| row.peers.keys().map(String::as_str)).collect();
    let head = [unit, "evenkeel"].into_iter().chain(peers.iter().copied()).chain(["ratio", share]);
    let mut table: Vec<Vec<String>> = vec![head.map(String::from).collect()];
    table.extend(rows.iter().map(|row| cells(row, &peers)));

    let width = |column: usize| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
    // Names to the left, numbers to the right.
    let rule = |i: usize| if i == 0 { "-".repeat(widths[i]) } else { format!("{}:", "-".repeat(widths[i] - 1)) };
    table.insert(1, (0..widths.len()).map(rule).collect());
    println!();
    for cells in table {
        print!("| {:<1$} |", cells[0], widths[0]);
        cells.iter().zip(&widths).skip(1).for_each(|(cell, &width)| print!(" {cell:>width$} |"));
        println!();
    }
}

/// Products are shown by their speed, everything else by its time.
fn cells(row: &Figures, peers: &BTreeSet<&str>) -> Vec<String> {
    let is_product = row.work.starts_with(PRODUCT);
    let work = row.speed("gflops").filter(|_| is_product).zip(row.evenkeel).map(|(gflops, time)| gflops * time);
    let shown = |time: f64| digits(work.map_or(time, |work| work / time));
    let share = row.speed("peak_share").or(row.speed("bandwidth_share"));
    let mut cells = vec![row.work.strip_prefix(PRODUCT).unwrap_or(&row.work).to_owned()];
    cells.push(row.evenkeel.map_or(String::new(), shown));
    cells.extend(peers.iter().map(|&peer| row.peers.get(peer).copied().map_or(String::new(), shown)));
    cells.push(row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
    cells.push(share.map_or(String::new(), |share| format!("{:.0} %", share * 100.0)));
    cells
}

/// Three digits, or all that stand before the point.
fn digits(x: f64) -> String {
    let decimals = (2.0 - x.abs().max(1.0).log10().floor()).max(0.0) as usize;
    format!("{x:.decimals$}")
}

pub fn four_digits(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_of_another_program_joins_the_same_row_only() {
        let row = |threads, evenkeel, peer: &str, time| Figures {
            work: "exp 1Mi".into(),
            threads,
            evenkeel,
            peers: [(peer.into(), time)].into(),
            ..Figures::default()
        };
        let mut ours = row(1, Some(200.0), "burn", 300.0);
        ours.join(&[row(2, None, "torch", 50.0)]).unwrap();
        assert_eq!((ours.best_peer.as_deref(), ours.ratio), (Some("burn"), Some(1.5)));
        ours.join(&[row(2, None, "torch", 50.0), row(1, None, "torch", 100.0)]).unwrap();
        assert_eq!((ours.best_peer.as_deref(), ours.ratio), (Some("torch"), Some(0.5)));
        let trained = |losses: [f32; 2]| Figures { losses: losses.into(), ..row(1, Some(200.0), "jax", 300.0) };
        assert!(trained([3.3, 3.2]).join(&[trained([3.3, 3.2001])]).is_ok());
        assert!(trained([3.3, 3.2]).join(&[trained([3.3, 3.1])]).unwrap_err().contains("jax differs"));
    }

    #[test]
    fn numbers_keep_the_digits_that_mean_something() {
        assert_eq!([0.123, 1.234, 12.34, 123.4, 12345.6].map(digits), ["0.12", "1.23", "12.3", "123", "12346"]);
        assert_eq!([123_456.0, 0.012_345_6].map(four_digits), [123_500.0, 0.012_35]);
    }
}
