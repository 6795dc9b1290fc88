//! Columns as runs: the windows (image, z, y, x) that follow each other along x.

use std::ops::Range;

/// Columns that are neighbours along x.
pub(super) struct Run {
    /// The place of the first, from the first of all columns asked for.
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) image: usize,
    pub(super) z: usize,
    pub(super) y: usize,
    pub(super) x: usize,
}

/// The runs of some columns, in order.
pub(super) struct Runs {
    /// How many windows there are along z, y and x.
    counts: [usize; 3],
    columns: Range<usize>,
    start: usize,
}

impl Runs {
    #[inline(always)]
    pub(super) fn new(counts: [usize; 3], columns: Range<usize>) -> Self {
        Runs { counts, start: columns.start, columns }
    }

    /// The next one. No iterator, since its closures might come from another codegen unit and not be inlined.
    #[inline(always)]
    pub(super) fn next_run(&mut self) -> Option<Run> {
        if self.columns.is_empty() {
            return None;
        }
        let [of_z, of_y, of_x] = self.counts;
        let column = self.columns.start;
        let (row, x) = (column / of_x, column % of_x);
        let (plane, y) = (row / of_y, row % of_y);
        let len = (of_x - x).min(self.columns.len());
        self.columns.start += len;
        Some(Run { at: column - self.start, len, image: plane / of_z, z: plane % of_z, y, x })
    }
}
