//! When a unit counts as saturated: where its activation is so flat that hardly any gradient passes.

use std::ops::RangeInclusive;

use autograd::{Role, Saved};
use init::{Gain, gain_of};
use tensor::{Activation, Live, Real};

/// Which values of an activation let a gradient pass; the others are *saturated*.
///
/// The lecture's rule for tanh is |t| > 0.97: there, its slope 1 − t² is below 1 − 0.97² = 5.91 % of its steepest. That
/// share is the rule for the others too, on the side where they are flat:
///
/// | activation | saturated where | with a standard normal input |
/// |---|---|---|
/// | tanh | the output is outside ±0.97 | 3.6 % |
/// | sigmoid | the output is outside 0.015 … 0.985: s (1 − s) is below 5.91 % of ¼ | 0.003 % |
/// | relu | the output is 0 | 50 % |
/// | gelu | the input is below −2.1755: \|Φ(z) + z φ(z)\| stays below 5.91 % of 1.129, the steepest | 1.5 % |
/// | silu | the input is below −3.6442 | 0.013 % |
/// | leaky_relu | the input is below 0, if the slope there is below 5.91 % | 50 % |
/// | softplus | the input is below −2.7676: σ(x) is below 5.91 % | 0.28 % |
///
/// Each is a part of the activation's row ([`Activation::live`](method@tensor::Activation::live)). An op of your own whose
/// [`Role`](autograd::Role) is that of a function is looked at in the same way: by its slope.
///
/// [`Inspector::with_saturation`](crate::Inspector::with_saturation) takes the rule for another op, such as one of your own.
#[derive(Clone, Debug, PartialEq)]
pub struct Saturation {
    pub(crate) side: Saved,
    pub(crate) live: RangeInclusive<f64>,
    /// The share that is saturated when the input is standard normal, as it is after a good start.
    pub(crate) at_rest: Option<f64>,
}

impl Saturation {
    /// Units whose output is in `live` are not saturated.
    ///
    /// # Example
    /// ```
    /// use diagnose::{Inspector, Saturation};
    /// use tensor::Activation;
    ///
    /// let rule = Saturation::unless_output(-0.99..=0.99);
    /// let inspector = Inspector::new().with_saturation(Activation::Tanh.name(), rule);
    /// # let _ = inspector;
    /// ```
    pub fn unless_output(live: RangeInclusive<f64>) -> Self {
        Saturation { side: Saved::Output, live, at_rest: None }
    }

    /// Units whose input is in `live` are not saturated.
    pub fn unless_input(live: RangeInclusive<f64>) -> Self {
        Saturation { side: Saved::Input, live, at_rest: None }
    }

    /// Sets the share, of 0 to 1, that is saturated when all is well, as half of the outputs of relu are.
    #[must_use]
    pub fn at_rest(self, share: f64) -> Self {
        Saturation { at_rest: Some(share), ..self }
    }

    /// The share that is live when all is well.
    pub(crate) fn live_at_rest(&self) -> f64 {
        1.0 - self.at_rest.unwrap_or(0.0)
    }

    /// Whether something like half of the units are off in a healthy layer.
    pub(crate) fn is_one_sided(&self) -> bool {
        self.live.end().is_infinite() || self.live.start().is_infinite()
    }
}

impl From<Live> for Saturation {
    fn from(live: Live) -> Self {
        Saturation { side: live.of, live: live.range, at_rest: Some(live.flat_at_rest) }
    }
}

/// The rules that a user has set, by op. All other ops have that of their role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<(&'static str, Saturation)>);

impl Rules {
    /// That of an op with this role; `None` where it is no activation.
    pub(crate) fn of(&self, op: &str, role: Role) -> Option<Saturation> {
        let own = match role {
            Role::Activation(activation) => Some(activation.live().into()),
            Role::Function { f, slope, saves } => of_slope(|x| slope(if saves == Saved::Input { x } else { f(x) })),
            _ => None,
        };
        let Some((_, set)) = self.0.iter().find(|(known, _)| *known == op) else { return own };
        // What is saturated at rest stays as it was, unless it is given.
        let at_rest = set.at_rest.or(own.and_then(|own: Saturation| own.at_rest));
        Some(Saturation { at_rest, ..set.clone() })
    }

    /// Replaces the rule of an op, or makes it an activation.
    pub(crate) fn set(&mut self, op: &'static str, rule: Saturation) {
        self.0.retain(|(known, _)| *known != op);
        self.0.push((op, rule));
    }
}

/// The rule of an activation with this slope at x: flat is where the slope is, and from there on stays, below its share of the
/// steepest. `None` where it is flat everywhere.
fn of_slope(slope: impl Fn(f64) -> f64) -> Option<Saturation> {
    /// How far a unit is looked at, and in which steps: normal inputs are within 6 standard deviations.
    const END: i32 = 20;
    const PARTS: i32 = 128;
    let grid: Vec<(f64, f64)> =
        (-END * PARTS..=END * PARTS).map(|i| f64::from(i) / f64::from(PARTS)).map(|x| (x, slope(x).abs())).collect();
    let steepest = grid.iter().map(|&(_, slope)| slope).fold(0.0, f64::max);
    let lives = |&&(_, slope): &&(f64, f64)| slope >= Live::FLAT * steepest && steepest > 0.0;
    let (first, last) = (grid.iter().find(lives)?.0, grid.iter().rfind(lives)?.0);
    let end = f64::from(END);
    let start = if first > -end { first } else { f64::NEG_INFINITY };
    let end = if last < end { last } else { f64::INFINITY };
    let below = |x: f64| 0.5 + 0.5 * Real::erf(x / std::f64::consts::SQRT_2);
    Some(Saturation::unless_input(start..=end).at_rest(below(start) + 1.0 - below(end)))
}

/// What an activation by this role gives for x; `None` where it is none, or unknown.
fn at(role: Role, x: f64) -> Option<f64> {
    match role {
        Role::Activation(activation) => Some(activation.at(x)),
        Role::Function { f, .. } => Some(f(x)),
        _ => None,
    }
}

/// The least and the largest value of an activation; `None` where it is none.
pub(crate) fn image(role: Role) -> Option<[f64; 2]> {
    at(role, 0.0)?;
    let grid = (-1280..=1280).map(|i| f64::from(i) / 64.0).chain([-1e2, 1e2]);
    let [least, most] = super::numbers::range(grid.filter_map(|x| at(role, x)));
    // What still grows there has no end.
    let far = [-1e4, 1e4].map(|x| at(role, x).unwrap_or(0.0));
    let (low, high) = (far[0].min(far[1]), far[0].max(far[1]));
    // What it comes near to is its end.
    let [least, most] = [least, most].map(|end| if (end - end.round()).abs() < 1e-3 { end.round() } else { end });
    Some([
        if low < least - 1.0 { f64::NEG_INFINITY } else { least },
        if high > most + 1.0 { f64::INFINITY } else { most },
    ])
}

/// Whether an activation lets a share of 0 to 1 through: what a gate is.
pub(crate) fn is_share(role: Role) -> bool {
    [-30.0, 30.0].iter().all(|&end| at(role, end).is_some_and(|end| (-0.01..1.01).contains(&end)))
}

/// The gain of the way forward.
fn forward_gain(role: Role) -> Option<f64> {
    at(role, 0.0).and_then(|_| gain_of(|z| at(role, z).unwrap_or(z)).forward().ok())
}

/// The gain that makes up for an activation.
pub(crate) fn gain(role: Role) -> Gain {
    match role {
        // Its slope is 1/4 at most, which PyTorch's gain of 1 does not make up for (Glorot and Bengio, 2010).
        Role::Activation(Activation::Sigmoid) => Gain::Custom(4.0),
        Role::Activation(activation) => activation.into(),
        // To the digits that a person reads.
        _ => forward_gain(role).map_or(Gain::Linear, |gain| Gain::Custom((gain * 1e4).round() / 1e4)),
    }
}

/// √E\[f(z)²] for a standard normal z, which the gain of the way forward makes up for.
pub(crate) fn rms_at_rest(role: Role) -> f64 {
    forward_gain(role).map_or(1.0, |gain| 1.0 / gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_a_slope_is_that_of_the_familys_list() {
        for &activation in Activation::ALL {
            let slope =
                |x: f64| activation.slope(if activation.saves() == Saved::Input { x } else { activation.at(x) });
            let (got, want) = (of_slope(slope).unwrap(), Saturation::from(activation.live()));
            assert!((got.live_at_rest() - want.live_at_rest()).abs() < 5e-3, "{activation:?}: {got:?}, {want:?}");
            for x in [-10.0, -3.0, -1.0, 0.5, 1.0, 3.0, 10.0] {
                let judged = if want.side == Saved::Input { x } else { activation.at(x) };
                assert_eq!(got.live.contains(&x), want.live.contains(&judged), "{activation:?} at {x}");
            }
        }
        assert_eq!(of_slope(|_| 0.0), None);
        assert_eq!(of_slope(|_| 2.0).unwrap().at_rest, Some(0.0));
    }

    #[test]
    fn a_rule_that_is_set_comes_before_that_of_the_role() {
        let mut rules = Rules::default();
        let role = Role::Activation(Activation::Relu);
        assert_eq!(rules.of(Activation::Relu.name(), role).unwrap().at_rest, Some(0.5));
        rules.set(Activation::Relu.name(), Saturation::unless_output(0.1..=f64::INFINITY));
        let rule = rules.of(Activation::Relu.name(), role).unwrap();
        assert_eq!((rule.at_rest, *rule.live.start()), (Some(0.5), 0.1));
        rules.set(Activation::Relu.name(), rule.at_rest(0.2));
        assert_eq!(rules.of(Activation::Relu.name(), role).unwrap().at_rest, Some(0.2));
        assert_eq!(rules.of("mine", Role::Other), None);
        rules.set("mine", Saturation::unless_output(-1.0..=1.0).at_rest(0.2));
        assert_eq!(rules.of("mine", Role::Other).unwrap().at_rest, Some(0.2));
    }
}
