//! What is printed: one JSON object per row, or Markdown tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

/// One line of JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Machine(Machine),
    Figures(Figures),
}

/// What the processor and the memory can do at a number of threads.
#[derive(Serialize, Deserialize)]
pub struct Machine {
    pub machine: String,
    pub threads: usize,
    #[serde(serialize_with = "rounded")]
    pub fma_gflops: f64,
    #[serde(serialize_with = "rounded")]
    pub read_gbs: f64,
    #[serde(serialize_with = "rounded")]
    pub copy_gbs: f64,
    #[serde(serialize_with = "rounded")]
    pub triad_gbs: f64,
}

/// One row at a number of threads.
#[derive(Serialize, Deserialize)]
pub struct Figures {
    pub work: String,
    pub threads: usize,
    pub unit: String,
    /// Ours is missing where peers were measured on their own.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "rounded_if_any")]
    pub evenkeel: Option<f64>,
    #[serde(serialize_with = "rounded_values")]
    pub peers: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_peer: Option<String>,
    /// The best peer's time in ours: above 1, we are faster.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "rounded_if_any")]
    pub ratio: Option<f64>,
    #[serde(flatten)]
    pub speed: Option<Speed>,
}

/// Ours, and as a share of what the machine can do: FLOP against the peak, bytes against a stream of as many elements.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Speed {
    Arithmetic {
        #[serde(serialize_with = "rounded")]
        gflops: f64,
        #[serde(serialize_with = "rounded")]
        peak_share: f64,
    },
    Memory {
        #[serde(serialize_with = "rounded")]
        gbs: f64,
        #[serde(serialize_with = "rounded")]
        bandwidth_share: f64,
    },
}

impl Figures {
    /// Takes in the peers that another program has measured on the same row, and finds the best of all.
    pub fn join(&mut self, others: &[Figures]) {
        let same =
            |other: &&Figures| (&other.work, other.threads, &other.unit) == (&self.work, self.threads, &self.unit);
        let joined = others.iter().filter(same).flat_map(|other| other.peers.clone());
        self.peers.extend(joined.collect::<Vec<_>>());
        let best = self.peers.iter().min_by(|(_, x), (_, y)| x.total_cmp(y));
        self.ratio = best.zip(self.evenkeel).map(|((_, theirs), ours)| theirs / ours);
        self.best_peer = best.map(|(name, _)| name.clone());
    }
}

/// Figures that were printed as JSON, one object per line.
pub fn read(path: &Path) -> Result<Vec<Figures>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let parse = |(i, line)| serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", path.display(), i + 1));
    text.lines().enumerate().map(parse).collect()
}

/// Everything at one number of threads, in Markdown.
pub fn print_tables(lines: &[Line]) {
    let mut rows = Vec::new();
    for line in lines {
        match line {
            Line::Machine(machine) => print_machine(machine),
            Line::Figures(figures) => rows.push(figures),
        }
    }
    let (products, others): (Vec<&Figures>, Vec<_>) =
        rows.into_iter().partition(|row| matches!(row.speed, Some(Speed::Arithmetic { .. })));
    print_table("matmul, GFLOP/s", "of peak", &products);
    print_table("µs", "of memory", &others);
}

fn print_machine(machine: &Machine) {
    let Machine { machine: name, threads, .. } = machine;
    let [fma, read, copy, triad] =
        [machine.fma_gflops, machine.read_gbs, machine.copy_gbs, machine.triad_gbs].map(digits);
    println!("\n### {name}, {threads} thread{}\n", if *threads == 1 { "" } else { "s" });
    println!("FMA peak {fma} GFLOP/s; beyond all caches: read {read}, copy {copy}, triad {triad} GB/s.");
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
    let (work, share) = match row.speed {
        Some(Speed::Arithmetic { gflops, peak_share }) => (row.evenkeel.map(|time| gflops * time), Some(peak_share)),
        Some(Speed::Memory { bandwidth_share, .. }) => (None, Some(bandwidth_share)),
        None => (None, None),
    };
    let shown = |time: f64| digits(work.map_or(time, |work| work / time));
    let name = row.work.strip_prefix("matmul ").unwrap_or(&row.work).to_owned();
    let times = [row.evenkeel].into_iter().chain(peers.iter().map(|&peer| row.peers.get(peer).copied()));
    let mut cells: Vec<String> =
        [name].into_iter().chain(times.map(|time| time.map_or(String::new(), shown))).collect();
    cells.push(row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
    cells.push(share.map_or(String::new(), |share| format!("{:.0} %", share * 100.0)));
    cells
}

/// Three digits, or all that stand before the point.
fn digits(x: f64) -> String {
    let decimals = (2.0 - x.abs().max(1.0).log10().floor()).max(0.0) as usize;
    format!("{x:.decimals$}")
}

/// Four digits.
fn rounded<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(four_digits(*x))
}

fn rounded_if_any<S: Serializer>(x: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    x.map(four_digits).serialize(serializer)
}

fn rounded_values<S: Serializer>(map: &BTreeMap<String, f64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, &x)| (name, four_digits(x))))
}

fn four_digits(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_program_joins_its_peer_into_the_same_row_only() {
        let parse = |text: &str| serde_json::from_str::<Figures>(text).unwrap();
        let torch = r#"{"work": "exp 1Mi", "threads": 1, "unit": "us", "peers": {"torch": 100.0}}"#;
        let other = r#"{"work": "exp 1Mi", "threads": 2, "unit": "us", "peers": {"torch": 50.0}}"#;
        let mut row = parse(r#"{"work":"exp 1Mi","threads":1,"unit":"us","evenkeel":200.0,"peers":{"burn":300.0}}"#);
        row.join(&[]);
        assert_eq!((row.best_peer.as_deref(), row.ratio), (Some("burn"), Some(1.5)));
        row.join(&[parse(other), parse(torch)]);
        assert_eq!((row.best_peer.as_deref(), row.ratio), (Some("torch"), Some(0.5)));
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!([0.123, 1.234, 12.34, 123.4, 12345.6].map(digits), ["0.12", "1.23", "12.3", "123", "12346"]);
        assert_eq!([123_456.0, 0.012_345_6].map(four_digits), [123_500.0, 0.012_35]);
    }
}
