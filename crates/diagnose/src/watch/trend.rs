//! How the loss goes in a training.

/// How the loss goes, from the first steps to the last.
pub(super) struct Trend {
    pub(super) first: f64,
    pub(super) last: f64,
    /// The changes that are taken for one: above this, and more than chance explains.
    least: f64,
    /// How far the largest mean of five in a row is above twice the very first.
    overshoot: f64,
    /// By how many standard deviations the last losses rank above the first, for two draws of the same losses.
    rank: f64,
}

impl Trend {
    /// A change counts from this rank on.
    const SURE: f64 = 3.0;

    pub(super) fn rises(&self) -> bool {
        self.last - self.first > self.least.max(0.2 * self.first.abs()) && self.rank > Trend::SURE
    }

    /// A loss without noise falls surely, however little: a share of it is asked for too.
    pub(super) fn falls(&self) -> bool {
        self.first - self.last > self.least.max(0.02 * self.first.abs()) && self.rank < -Trend::SURE
    }

    /// Whether the loss at some time was far above that of the beginning.
    pub(super) fn overshoots(&self) -> bool {
        self.overshoot > self.least
    }

    /// Of two or more windows of losses; by Mann and Whitney (1947), which knows no shape of the noise.
    pub(super) fn of(losses: &[f64], baseline: Option<f64>) -> Option<Trend> {
        let window = (losses.len() / 10).max(10);
        if losses.len() < 2 * window {
            return None;
        }
        let (first, last) = (&losses[..window], &losses[losses.len() - window..]);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let above = |last: f64| {
            first
                .iter()
                .map(|&first| {
                    if last > first {
                        1.0
                    } else if last == first {
                        0.5
                    } else {
                        0.0
                    }
                })
                .sum::<f64>()
        };
        let n = window as f64;
        let peak = losses.windows(5).map(mean).fold(f64::NEG_INFINITY, f64::max);
        let overshoot = peak - losses[0] - losses[0].abs();
        let rank =
            (last.iter().map(|&last| above(last)).sum::<f64>() - n * n / 2.0) / (n * n * (2.0 * n + 1.0) / 12.0).sqrt();
        Some(Trend {
            first: mean(first),
            last: mean(last),
            least: baseline.map_or(1e-3, |loss| 0.02 * loss.abs()),
            overshoot,
            rank,
        })
    }
}
