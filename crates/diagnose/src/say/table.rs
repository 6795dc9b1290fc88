//! A table, aligned for a terminal; a page writes it in HTML.

use std::fmt;

/// Rows of cells; the first is the header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        Table { rows: vec![header.into_iter().map(str::to_owned).collect()] }
    }

    pub(crate) fn with_rows(mut self, rows: impl Iterator<Item = Vec<String>>) -> Self {
        self.rows.extend(rows);
        self
    }

    /// One more cell in each row.
    pub(crate) fn with_column(mut self, title: &str, cells: impl Iterator<Item = String>) -> Self {
        let cells = [title.to_owned()].into_iter().chain(cells);
        self.rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
        self
    }

    /// There is nothing but the header.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

/// As lines: the first column to the left, the others to the right.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = vec![0; self.rows.iter().map(Vec::len).max().unwrap_or(0)];
        for row in &self.rows {
            row.iter().zip(&mut widths).for_each(|(cell, width)| *width = cell.chars().count().max(*width));
        }
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["hidden", "0.62"], ["é", "11"]].map(|row| row.map(str::to_owned).to_vec());
        let table = Table::new(["layer", "std"]).with_rows(rows.into_iter());
        assert_eq!(table.to_string(), "layer    std\nhidden  0.62\né         11\n");
        let wide = table.with_column("n", ["1", "23"].map(str::to_owned).into_iter());
        assert_eq!(wide.to_string(), "layer    std   n\nhidden  0.62   1\né         11  23\n");
        assert!(!wide.is_empty() && Table::new(["layer"]).is_empty());
    }
}
