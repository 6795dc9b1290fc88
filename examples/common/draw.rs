//! One of several, by their probabilities.

/// The first index at which the sum of the probabilities exceeds `u`, which is in 0..1.
pub fn draw(p: impl Iterator<Item = f32>, u: f64) -> usize {
    let mut sum = 0.0;
    let mut last = 0;
    for (i, p) in p.enumerate() {
        sum += f64::from(p);
        last = i;
        if u < sum {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_drawn_by_its_share() {
        let p = [0.25_f32, 0.0, 0.5, 0.25];
        let drawn = |u| draw(p.into_iter(), u);
        assert_eq!([0.0, 0.24, 0.25, 0.74, 0.75, 0.999_999].map(drawn), [0, 0, 2, 2, 3, 3]);
        // Rounding may leave the sum short of 1.
        assert_eq!(draw([0.5_f32, 0.499_99].into_iter(), 0.999_999_9), 1);
    }
}
