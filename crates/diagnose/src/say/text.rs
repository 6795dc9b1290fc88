//! Figures and shares as people read them.

use crate::report::stats::Histogram;

/// What stands where there is no figure.
pub(crate) const NONE: &str = "–";

/// Three significant digits, or a power of ten where that is shorter; a dash where it is no number.
pub(crate) fn figure(x: f64) -> String {
    if !x.is_finite() {
        return NONE.into();
    }
    let size = x.abs();
    // A number that rounds up to the next power of ten has one digit more.
    match size {
        0.0 => "0".into(),
        _ if !(9.995e-4..99_950.0).contains(&size) => format!("{x:.2e}"),
        _ if size < 0.009_995 => format!("{x:.5}"),
        _ if size < 0.099_95 => format!("{x:.4}"),
        _ if size < 0.999_5 => format!("{x:.3}"),
        _ if size < 9.995 => format!("{x:.2}"),
        _ if size < 99.95 => format!("{x:.1}"),
        _ => format!("{x:.0}"),
    }
}

/// A loss: four digits behind the point, unless it is very large.
pub(crate) fn loss(x: f64) -> String {
    if x.abs() < 1e6 { format!("{x:.4}") } else { figure(x) }
}

/// A share in percent.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { NONE.into() }
}

/// A histogram in `width` characters.
pub(crate) fn sparkline(histogram: &Histogram, width: usize) -> String {
    const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bins = histogram.counts.len();
    let share =
        |column: usize| -> usize { histogram.counts[column * bins / width..(column + 1) * bins / width].iter().sum() };
    let columns: Vec<usize> = (0..width).map(share).collect();
    let most = columns.iter().copied().max().unwrap_or(0).max(1);
    // A bin that is not empty shows at least the lowest bar.
    columns.iter().map(|&count| LEVELS[(count * 8).div_ceil(most)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_no_figure_is_a_dash() {
        let cases = [
            (0.0, "0"),
            (27.881_7, "27.9"),
            (3.317_9, "3.32"),
            (0.609_5, "0.610"),
            (0.999_6, "1.00"),
            (0.012_34, "0.0123"),
            (4.2e-4, "4.20e-4"),
            (-1234.0, "-1234"),
            (1e30, "1.00e30"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (x, want) in cases {
            assert_eq!(figure(x), want);
        }
        assert_eq!([percent(0.0814), percent(f64::NAN)], ["8.1 %", "–"]);
    }

    #[test]
    fn bars_are_as_high_as_their_share() {
        let mut counts = vec![0; 50];
        (counts[0], counts[49]) = (8, 1);
        assert_eq!(sparkline(&Histogram { from: 0.0, to: 1.0, counts }, 5), "█   ▁");
    }
}
