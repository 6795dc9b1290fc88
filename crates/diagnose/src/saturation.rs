//! When a unit counts as saturated: where its activation is so flat that hardly any gradient passes.

use std::ops::RangeInclusive;

/// Which values of an activation let a gradient pass; the others are *saturated*.
///
/// The lecture's rule for tanh is |t| > 0.97: there, its slope 1 − t² is below 1 − 0.97² = 5.91 % of its steepest. That
/// share is the rule for the others too, on the side where they are flat:
///
/// | op | saturated where | with a standard normal input |
/// |---|---|---|
/// | `tanh` | the output is outside ±0.97 | 3.6 % |
/// | `sigmoid` | the output is outside 0.015 … 0.985: s (1 − s) is below 5.91 % of ¼ | 0.003 % |
/// | `relu` | the output is 0 | 50 % |
/// | `gelu` | the input is below −2.1755: \|Φ(z) + z φ(z)\| stays below 5.91 % of 1.129, the steepest | 1.5 % |
///
/// [`Inspector::with_saturation`](crate::Inspector::with_saturation) takes the rule for another op, such as one of your own.
#[derive(Clone, Debug, PartialEq)]
pub struct Saturation {
    pub(crate) side: Side,
    pub(crate) live: RangeInclusive<f64>,
    /// The share that is saturated when the input is standard normal, as it is after a good start.
    pub(crate) at_rest: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Input,
    Output,
}

impl Saturation {
    /// Units whose output is in `live` are not saturated.
    ///
    /// # Example
    /// ```
    /// use diagnose::{Inspector, Saturation};
    ///
    /// let inspector = Inspector::new().with_saturation("tanh", Saturation::unless_output(-0.99..=0.99));
    /// # let _ = inspector;
    /// ```
    pub fn unless_output(live: RangeInclusive<f64>) -> Self {
        Saturation { side: Side::Output, live, at_rest: 0.0 }
    }

    /// Units whose input is in `live` are not saturated.
    pub fn unless_input(live: RangeInclusive<f64>) -> Self {
        Saturation { side: Side::Input, live, at_rest: 0.0 }
    }

    /// The same rule, of which a share of 0 to 1 is saturated when all is well, as half of the outputs of relu are.
    #[must_use]
    pub fn at_rest(self, share: f64) -> Self {
        Saturation { at_rest: share, ..self }
    }

    /// Whether one value is saturated. NaN is not.
    pub(crate) fn holds(&self, value: f64) -> bool {
        value < *self.live.start() || value > *self.live.end()
    }

    /// Whether something like half of the units are off in a healthy layer.
    pub(crate) fn is_one_sided(&self) -> bool {
        self.live.end().is_infinite() || self.live.start().is_infinite()
    }
}

/// When units are saturated, by op: which ops are activations.
#[derive(Clone, Debug)]
pub(crate) struct Rules(Vec<(&'static str, Saturation)>);

impl Rules {
    /// Those of the ops on this family's tape.
    pub(crate) fn new() -> Self {
        Rules(vec![
            ("tanh", Saturation::unless_output(-0.97..=0.97).at_rest(0.0364)),
            ("sigmoid", Saturation::unless_output(0.015..=0.985).at_rest(0.000_03)),
            ("relu", Saturation::unless_output(f64::MIN_POSITIVE..=f64::INFINITY).at_rest(0.5)),
            ("gelu", Saturation::unless_input(-2.1755..=f64::INFINITY).at_rest(0.0148)),
        ])
    }

    /// That of an op; `None` where it is no activation.
    pub(crate) fn of(&self, op: &str) -> Option<&Saturation> {
        self.0.iter().find(|(known, _)| *known == op).map(|(_, rule)| rule)
    }

    /// Replaces the rule of an op, or adds one.
    pub(crate) fn set(&mut self, op: &'static str, rule: Saturation) {
        match self.0.iter_mut().find(|(known, _)| *known == op) {
            // What is saturated at rest stays as it was, unless it is given.
            Some((_, old)) => *old = Saturation { at_rest: rule.at_rest.max(old.at_rest), ..rule },
            None => self.0.push((op, rule)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal_cdf(z: f64) -> f64 {
        0.5 + 0.5 * tensor::Float::erf(z / 2_f64.sqrt())
    }

    /// The share of standard normal inputs for which `output` is saturated, by the rule itself.
    fn share(saturated: impl Fn(f64) -> bool) -> f64 {
        let steps = -80_000..80_000;
        let weight = |z: f64| normal_cdf(z + 5e-5) - normal_cdf(z - 5e-5);
        steps.map(|i| f64::from(i) * 1e-4).filter(|&z| saturated(z)).map(weight).sum()
    }

    #[test]
    fn the_share_at_rest_is_that_of_a_standard_normal_input() {
        for (op, rule) in Rules::new().0 {
            let output = |z: f64| match op {
                "tanh" => z.tanh(),
                "sigmoid" => 1.0 / (1.0 + (-z).exp()),
                "relu" => z.max(0.0),
                _ => z,
            };
            let got = share(|z| rule.holds(output(z)));
            assert!((got - rule.at_rest).abs() < 1e-4, "{op}: {got}");
        }
    }

    #[test]
    fn at_each_threshold_the_slope_is_the_same_share_of_the_steepest() {
        let flat = 1.0 - 0.97 * 0.97;
        assert!((0.985_f64 * 0.015 / 0.25 - flat).abs() < 1e-12);
        let slope = |z: f64| normal_cdf(z) + z * (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let steepest = slope(2_f64.sqrt());
        assert!((slope(-2.1755).abs() / steepest - flat).abs() < 1e-4);
        // And it stays below.
        assert!((22..80).all(|i| slope(-f64::from(i) / 10.0).abs() / steepest < flat));
    }
}
