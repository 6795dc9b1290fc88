//! The learning rate as a function of the step.

use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;

use crate::Error;

/// A learning rate as a function of the number of the step, from 0: a value, which holds no state, so that a training that is
/// resumed goes on with the same learning rates.
///
/// Past the end of a schedule that has one, its last value holds. All are checked by
/// [`Optimizer::new`](crate::Optimizer::new), or by [`check`](Self::check).
///
#[doc = include_str!("schedules.svg")]
///
/// # Example
/// ```
/// use nn::Schedule;
///
/// let schedule = Schedule::cosine(0.1, 1000).warmup(10).down_to(0.01);
/// let thousandths = |steps: [u64; 4]| steps.map(|step| (schedule.at(step) * 1e3).round());
/// assert_eq!(thousandths([0, 4, 9, 10]), [10.0, 50.0, 100.0, 100.0]);
/// assert_eq!(thousandths([505, 900, 1000, 9999]), [55.0, 12.0, 10.0, 10.0]);
/// ```
#[doc(alias = "lr_scheduler")]
#[doc(alias = "LearningRateScheduler")]
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(Kind);

#[derive(Clone, PartialEq)]
enum Kind {
    Constant(f64),
    Steps {
        lr: f64,
        milestones: Vec<u64>,
        factor: f64,
    },
    Every {
        lr: f64,
        every: u64,
        factor: f64,
    },
    Exponential {
        lr: f64,
        factor: f64,
    },
    Polynomial {
        lr: f64,
        n: u64,
        power: f64,
        floor: f64,
    },
    Linear {
        from: f64,
        to: f64,
        n: u64,
    },
    Cosine {
        lr: f64,
        n: u64,
        floor: f64,
        restarts: Option<u64>,
    },
    OneCycle(OneCycle),
    Of(Function),
    WarmUp {
        steps: u64,
        of: Box<Kind>,
    },
    Then {
        at: u64,
        first: Box<Kind>,
        second: Box<Kind>,
    },
    /// What a method was called for that does not have it.
    Without {
        what: &'static str,
        of: Box<Kind>,
    },
}

/// A closure, which is equal to itself alone.
#[derive(Clone)]
struct Function(Arc<dyn Fn(u64) -> f64 + Send + Sync>);

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// One cycle of the learning rate (Smith and Topin, 2018, *Super-Convergence*): it rises from `peak` / `start_factor` to `peak`
/// and falls to `peak` / (`start_factor` · `final_factor`), each as a half wave of a cosine, or in a line. PyTorch's
/// `OneCycleLR`, without its cycling of the momentum.
///
/// # Example
/// ```
/// use nn::{OneCycle, Schedule};
///
/// let schedule = Schedule::from(OneCycle { rise: 0.5, ..OneCycle::new(0.1, 100) });
/// assert_eq!([0, 49, 99].map(|step| (schedule.at(step) * 1e6).round()), [4000.0, 100_000.0, 0.0]);
/// ```
#[doc(alias = "OneCycleLR")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// The largest learning rate.
    pub peak: f64,
    /// How many steps there are; the last has the smallest learning rate.
    pub steps: u64,
    /// The share of steps in which it rises: 0.3 by default. PyTorch's `pct_start`.
    pub rise: f64,
    /// How many times smaller than the peak it begins: 25 by default. PyTorch's `div_factor`.
    pub start_factor: f64,
    /// How many times smaller than that it ends: 10,000 by default. PyTorch's `final_div_factor`.
    pub final_factor: f64,
    /// Whether it rises and falls in lines.
    pub linear: bool,
}

impl OneCycle {
    /// With PyTorch's defaults.
    pub fn new(peak: f64, steps: u64) -> Self {
        OneCycle { peak, steps, rise: 0.3, start_factor: 25.0, final_factor: 1e4, linear: false }
    }

    fn at(&self, step: u64) -> f64 {
        let end = self.steps as f64 - 1.0;
        // The rise ends one step before its share, as PyTorch has it.
        let top = self.rise * self.steps as f64 - 1.0;
        let (start, least) = (self.peak / self.start_factor, self.peak / self.start_factor / self.final_factor);
        let step = (step as f64).min(end);
        let (from, to, share) = match step <= top {
            true => (start, self.peak, if top > 0.0 { step / top } else { 1.0 }),
            false => (self.peak, least, (step - top) / (end - top)),
        };
        if self.linear { from + (to - from) * share } else { wave(from, to, share) }
    }
}

/// From one value to another along half a wave of a cosine.
fn wave(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * (1.0 + libm::cos(PI * share)) / 2.0
}

impl From<OneCycle> for Schedule {
    fn from(cycle: OneCycle) -> Self {
        Schedule(Kind::OneCycle(cycle))
    }
}

impl From<f64> for Schedule {
    fn from(lr: f64) -> Self {
        Schedule::constant(lr)
    }
}

impl Schedule {
    /// As it is written, by which a resumed fit tells whether it has changed.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn describe(&self) -> String {
        format!("{:?}", self.0)
    }

    /// Keeps the learning rate constant. PyTorch has no name for it; its `ConstantLR` is `constant(factor * lr).then(n,
    /// constant(lr))`.
    pub fn constant(lr: f64) -> Self {
        Schedule(Kind::Constant(lr))
    }

    /// Multiplies the learning rate by `factor` at each of the milestones, which rise. PyTorch's `MultiStepLR`.
    ///
    /// # Example
    /// ```
    /// let schedule = nn::Schedule::steps(1.0, [30, 60], 0.1);
    /// assert_eq!([29, 30, 59, 60].map(|step| schedule.at(step)), [1.0, 0.1, 0.1, 0.010000000000000002]);
    /// ```
    #[doc(alias = "MultiStepLR")]
    pub fn steps(lr: f64, milestones: impl Into<Vec<u64>>, factor: f64) -> Self {
        Schedule(Kind::Steps { lr, milestones: milestones.into(), factor })
    }

    /// Multiplies the learning rate by `factor` every `every` steps. PyTorch's `StepLR`.
    #[doc(alias = "StepLR")]
    pub fn every(lr: f64, every: u64, factor: f64) -> Self {
        Schedule(Kind::Every { lr, every, factor })
    }

    /// Decays the learning rate to lr · factorᵏ at step k. PyTorch's `ExponentialLR`.
    #[doc(alias = "ExponentialLR")]
    pub fn exponential(lr: f64, factor: f64) -> Self {
        Schedule(Kind::Exponential { lr, factor })
    }

    /// Decays the learning rate to lr · (1 − k / n)^power at step k, and 0 from step n on. PyTorch's `PolynomialLR`.
    #[doc(alias = "PolynomialLR")]
    pub fn polynomial(lr: f64, n: u64, power: f64) -> Self {
        Schedule(Kind::Polynomial { lr, n, power, floor: 0.0 })
    }

    /// Goes in a line from the learning rate `from` at step 0 to `to` at step n. PyTorch's `LinearLR`.
    #[doc(alias = "LinearLR")]
    pub fn linear(from: f64, to: f64, n: u64) -> Self {
        Schedule(Kind::Linear { from, to, n })
    }

    /// Falls from `lr` at step 0 along half a wave of a cosine to 0 at step n, or to what [`down_to`](Self::down_to) sets
    /// (Loshchilov and Hutter, 2017, *SGDR: Stochastic Gradient Descent with Warm Restarts*). PyTorch's
    /// `CosineAnnealingLR`, which rises again after its `T_max`; here the last value holds.
    #[doc(alias = "CosineAnnealingLR")]
    pub fn cosine(lr: f64, n: u64) -> Self {
        Schedule(Kind::Cosine { lr, n, floor: 0.0, restarts: None })
    }

    /// Makes one cycle with PyTorch's defaults: [`OneCycle`].
    pub fn one_cycle(peak: f64, n: u64) -> Self {
        OneCycle::new(peak, n).into()
    }

    /// Takes the learning rate from a closure, which must be a pure function of the step. PyTorch's `LambdaLR`, whose closure gives a
    /// factor.
    ///
    /// A learning rate that is negative or not finite makes the optimizer's step panic. Two such schedules are equal if one is a
    /// clone of the other.
    #[doc(alias = "LambdaLR")]
    pub fn of(lr: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        Schedule(Kind::Of(Function(Arc::new(lr))))
    }

    /// Ends a cosine or a polynomial at `floor` instead of 0. PyTorch's `eta_min`.
    #[doc(alias = "eta_min")]
    #[must_use]
    pub fn down_to(self, floor: f64) -> Self {
        self.changed("a floor", &|kind| match kind {
            Kind::Cosine { floor: old, .. } | Kind::Polynomial { floor: old, .. } => {
                *old = floor;
                true
            }
            _ => false,
        })
    }

    /// Restarts a cosine at its peak after n steps, each period `factor` times as long as the one before. PyTorch's
    /// `CosineAnnealingWarmRestarts(T_0=n, T_mult=factor)`.
    ///
    /// # Example
    /// ```
    /// let schedule = nn::Schedule::cosine(1.0, 10).restarts(2);
    /// assert_eq!([0, 5, 10, 20, 30].map(|step| (schedule.at(step) * 10.0).round()), [10.0, 5.0, 10.0, 5.0, 10.0]);
    /// ```
    #[doc(alias = "CosineAnnealingWarmRestarts")]
    #[must_use]
    pub fn restarts(self, factor: u64) -> Self {
        self.changed("restarts", &|kind| match kind {
            Kind::Cosine { restarts, .. } => {
                *restarts = Some(factor);
                true
            }
            _ => false,
        })
    }

    /// Warms up for `steps` steps: step k of them has (k + 1) / steps of the learning rate that the schedule begins with.
    /// Lengths and milestones count all steps, those of the warm-up too; the decay of a cosine, line or polynomial starts after
    /// the warm-up. 0 is none.
    ///
    /// PyTorch's `LinearLR` in front of another, by `SequentialLR`.
    #[doc(alias = "LinearLR")]
    #[must_use]
    pub fn warmup(self, steps: u64) -> Self {
        match self.0 {
            _ if steps == 0 => self,
            // It is the first that begins.
            Kind::Then { at, first, second } => {
                Schedule(Kind::Then { at, first: Box::new(Schedule(*first).warmup(steps).0), second })
            }
            of @ (Kind::OneCycle(_) | Kind::WarmUp { .. }) => {
                Schedule(Kind::Without { what: "a warm-up besides its own", of: Box::new(of) })
            }
            of => Schedule(Kind::WarmUp { steps, of: Box::new(of) }),
        }
    }

    /// Switches to another schedule at step `at`, which is its step 0. PyTorch's `SequentialLR`.
    #[doc(alias = "SequentialLR")]
    #[must_use]
    pub fn then(self, at: u64, other: impl Into<Schedule>) -> Self {
        Schedule(Kind::Then { at, first: Box::new(self.0), second: Box::new(other.into().0) })
    }

    fn changed(mut self, what: &'static str, change: &dyn Fn(&mut Kind) -> bool) -> Self {
        let kind = match &mut self.0 {
            Kind::WarmUp { of, .. } => of,
            kind => kind,
        };
        if change(kind) { self } else { Schedule(Kind::Without { what, of: Box::new(self.0) }) }
    }

    /// The learning rate of a step.
    pub fn at(&self, step: u64) -> f64 {
        self.0.at(step)
    }

    /// Makes sure that every number of it is in range.
    ///
    /// # Errors
    /// A learning rate or a factor is negative or not finite, a length is 0, milestones do not rise, a warm-up is as long as the
    /// whole, or a method was called that the schedule does not have, such as [`down_to`](Self::down_to) of a constant.
    pub fn check(&self) -> Result<(), Error> {
        self.0.check()
    }

    /// Whether a number can be a learning rate.
    pub(crate) fn check_lr(value: f64) -> Result<(), Error> {
        if (0.0..=f64::from(f32::MAX)).contains(&value) {
            return Ok(());
        }
        Err(Error::Range { what: "the learning rate", value, rule: "at least 0 and finite in f32" })
    }
}

impl Kind {
    fn at(&self, step: u64) -> f64 {
        let k = step as f64;
        match *self {
            Kind::Constant(lr) => lr,
            Kind::Steps { lr, ref milestones, factor } => {
                lr * libm::pow(factor, milestones.partition_point(|&at| at <= step) as f64)
            }
            Kind::Every { lr, every, factor } => lr * libm::pow(factor, (step / every.max(1)) as f64),
            Kind::Exponential { lr, factor } => lr * libm::pow(factor, k),
            Kind::Polynomial { floor, n, .. } if step >= n => floor,
            Kind::Polynomial { lr, n, power, floor } => floor + (lr - floor) * libm::pow(1.0 - k / n as f64, power),
            Kind::Linear { to, n, .. } if step >= n => to,
            Kind::Linear { from, to, n } => from + (to - from) * (k / n as f64),
            Kind::Cosine { lr, n, floor, restarts: Some(factor) } => {
                let (mut start, mut len) = (0, n.max(1));
                if factor == 1 {
                    start = step / len * len;
                }
                while step - start >= len {
                    start += len;
                    len = len.saturating_mul(factor.max(1));
                }
                wave(lr, floor, (step - start) as f64 / len as f64)
            }
            Kind::Cosine { n, floor, .. } if step >= n => floor,
            Kind::Cosine { lr, n, floor, .. } => wave(lr, floor, k / n as f64),
            Kind::OneCycle(ref cycle) => cycle.at(step),
            Kind::Of(ref function) => (function.0)(step),
            Kind::WarmUp { steps, ref of } if step < steps => of.at(0) * ((k + 1.0) / steps as f64),
            Kind::WarmUp { steps, ref of } => of.after(steps).at(if of.is_absolute() { step } else { step - steps }),
            Kind::Then { at, ref first, .. } if step < at => first.at(step),
            Kind::Then { at, ref second, .. } => second.at(step - at),
            Kind::Without { ref of, .. } => of.at(step),
        }
    }

    /// Whether it names steps rather than a course: a warm-up does not move these.
    fn is_absolute(&self) -> bool {
        matches!(self, Kind::Steps { .. } | Kind::Every { .. } | Kind::Of(_))
    }

    /// What is left of its course after a warm-up, since its length counts all steps.
    fn after(&self, steps: u64) -> Kind {
        let mut rest = self.clone();
        match &mut rest {
            Kind::Polynomial { n, .. } | Kind::Linear { n, .. } | Kind::Cosine { n, restarts: None, .. } => {
                *n = n.saturating_sub(steps);
            }
            _ => {}
        }
        rest
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |why: String| Err(Error::Invalid { what: "the schedule", why });
        let lrs = |lrs: &[f64]| lrs.iter().try_for_each(|&lr| Schedule::check_lr(lr));
        let factor = |factor| Error::unless_at_least_0("the factor of a schedule", factor);
        let long = |n: u64| if n == 0 { invalid("is 0 steps long, but must have at least 1".into()) } else { Ok(()) };
        match *self {
            Kind::Constant(lr) => lrs(&[lr]),
            Kind::Steps { lr, ref milestones, factor: by } => {
                lrs(&[lr])?;
                factor(by)?;
                match milestones.windows(2).find(|pair| pair[0] >= pair[1]) {
                    Some(pair) => invalid(format!("has milestones that do not rise: {}, then {}", pair[0], pair[1])),
                    None => Ok(()),
                }
            }
            Kind::Every { lr, every, factor: by } => {
                lrs(&[lr])?;
                factor(by)?;
                long(every)
            }
            Kind::Exponential { lr, factor: by } => {
                lrs(&[lr])?;
                if by > 1.0 {
                    return Err(Error::Range {
                        what: "the factor of an exponential schedule",
                        value: by,
                        rule: "in 0..=1",
                    });
                }
                factor(by)
            }
            Kind::Polynomial { lr, n, power, floor } => {
                lrs(&[lr, floor])?;
                Error::unless_at_least_0("the power of a schedule", power)?;
                long(n)
            }
            Kind::Linear { from, to, n } => {
                lrs(&[from, to])?;
                long(n)
            }
            Kind::Cosine { lr, n, floor, restarts } => {
                lrs(&[lr, floor])?;
                long(n)?;
                match restarts {
                    Some(0) => invalid("restarts after 0 times as many steps, but must after at least as many".into()),
                    _ => Ok(()),
                }
            }
            Kind::OneCycle(OneCycle { peak, steps, rise, start_factor, final_factor, .. }) => {
                lrs(&[peak])?;
                if !(0.0..=1.0).contains(&rise) {
                    return Err(Error::Range {
                        what: "the share of one cycle that rises",
                        value: rise,
                        rule: "in 0..=1",
                    });
                }
                for value in [start_factor, final_factor] {
                    if !(value >= 1.0 && value.is_finite()) {
                        return Err(Error::Range {
                            what: "a factor of one cycle",
                            value,
                            rule: "at least 1 and finite",
                        });
                    }
                }
                long(steps)
            }
            Kind::Of(_) => Ok(()),
            Kind::WarmUp { steps, ref of } => {
                of.check()?;
                match of.len() {
                    Some(n) if steps >= n => invalid(format!(
                        "has a warm-up of {steps} steps, but must be longer than that: it is {n} steps long"
                    )),
                    _ => Ok(()),
                }
            }
            Kind::Then { at, ref first, ref second } => {
                first.check()?;
                second.check()?;
                match **first {
                    Kind::WarmUp { steps, .. } if steps > at => {
                        invalid(format!("goes over to another at step {at}, before its warm-up of {steps} steps ends"))
                    }
                    Kind::Then { at: before, .. } if before >= at => {
                        invalid(format!("goes over to another at step {before}, and then at step {at}: they must rise"))
                    }
                    _ => long(at),
                }
            }
            Kind::Without { what, .. } => invalid(format!("has none for {what}")),
        }
    }

    /// The steps of one that has an end.
    fn len(&self) -> Option<u64> {
        match *self {
            Kind::Polynomial { n, .. } | Kind::Linear { n, .. } | Kind::Cosine { n, restarts: None, .. } => Some(n),
            _ => None,
        }
    }
}

impl fmt::Debug for Kind {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Constant(lr) => write!(f, "constant({lr})"),
            Kind::Steps { lr, milestones, factor } => write!(f, "steps({lr}, {milestones:?}, {factor})"),
            Kind::Every { lr, every, factor } => write!(f, "every({lr}, {every}, {factor})"),
            Kind::Exponential { lr, factor } => write!(f, "exponential({lr}, {factor})"),
            Kind::Polynomial { lr, n, power, floor } => {
                write!(f, "polynomial({lr}, {n}, {power})")?;
                if *floor == 0.0 { Ok(()) } else { write!(f, ".down_to({floor})") }
            }
            Kind::Linear { from, to, n } => write!(f, "linear({from}, {to}, {n})"),
            Kind::Cosine { lr, n, floor, restarts } => {
                write!(f, "cosine({lr}, {n})")?;
                if *floor != 0.0 {
                    write!(f, ".down_to({floor})")?;
                }
                restarts.map_or(Ok(()), |factor| write!(f, ".restarts({factor})"))
            }
            Kind::OneCycle(cycle) => cycle.fmt(f),
            Kind::Of(_) => f.write_str("of(a closure)"),
            Kind::WarmUp { steps, of } => write!(f, "{of:?}.warmup({steps})"),
            Kind::Then { at, first, second } => write!(f, "{first:?}.then({at}, {second:?})"),
            Kind::Without { what, of } => write!(f, "{of:?} without {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(schedule: &Schedule) -> String {
        schedule.check().unwrap_err().to_string()
    }

    #[test]
    fn a_warm_up_rises_to_the_peak_and_all_steps_are_counted() {
        let all = [
            Schedule::constant(0.5),
            Schedule::steps(0.5, [50, 60], 0.1),
            Schedule::every(0.5, 50, 0.1),
            Schedule::exponential(0.5, 0.9),
            Schedule::polynomial(0.5, 100, 2.0),
            Schedule::linear(0.5, 0.1, 100),
            Schedule::cosine(0.5, 100).down_to(0.1),
            Schedule::cosine(0.5, 100).restarts(2),
            Schedule::of(|_| 0.5),
        ];
        for schedule in all {
            let warm = schedule.clone().warmup(10);
            assert_eq!(warm.check(), Ok(()));
            for step in 0..10 {
                assert_eq!(warm.at(step), 0.5 * ((step + 1) as f64 / 10.0), "{warm:?}");
            }
            assert_eq!(warm.at(10), 0.5, "{warm:?}");
            let last = |schedule: &Schedule| schedule.at(100);
            if schedule.0.len().is_some() || schedule.0.is_absolute() {
                assert_eq!(last(&warm), last(&schedule), "{warm:?}");
            }
            assert_eq!(schedule.clone().warmup(0), schedule);
        }
        let then = Schedule::constant(1.0).then(20, Schedule::linear(1.0, 0.0, 10)).warmup(5);
        assert_eq!([0, 4, 19, 20, 25, 30, 31].map(|k| then.at(k)), [0.2, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn the_last_value_holds() {
        for (schedule, last) in [
            (Schedule::polynomial(1.0, 7, 0.5).down_to(0.25), 0.25),
            (Schedule::linear(1.0, 3.0, 7), 3.0),
            (Schedule::cosine(1.0, 7), 0.0),
            (Schedule::one_cycle(1.0, 7), 4e-6),
            (Schedule::steps(1.0, [2, 4], 0.5), 0.25),
        ] {
            assert_eq!(schedule.check(), Ok(()));
            assert!([7, 8, 1000, u64::MAX].map(|k| schedule.at(k)).iter().all(|lr| (lr - last).abs() < 1e-12));
        }
        let restarts = Schedule::cosine(1.0, 7).restarts(1);
        assert_eq!((restarts.at(7 << 40), restarts.at(0)), (1.0, 1.0));
        assert!(Schedule::cosine(1.0, 7).restarts(3).at(u64::MAX).is_finite());
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for lr in [-1e-3, f64::NAN, f64::INFINITY, 1e39] {
            let all = [
                Schedule::constant(lr),
                Schedule::steps(lr, [1], 0.1),
                Schedule::every(lr, 1, 0.1),
                Schedule::exponential(lr, 0.1),
                Schedule::polynomial(lr, 1, 1.0),
                Schedule::linear(lr, 1.0, 1),
                Schedule::linear(1.0, lr, 1),
                Schedule::cosine(lr, 1),
                Schedule::cosine(1.0, 1).down_to(lr),
                Schedule::one_cycle(lr, 1),
                Schedule::constant(lr).warmup(3),
                Schedule::constant(1.0).then(3, lr),
            ];
            for schedule in all {
                let why = refused(&schedule);
                assert_eq!(why, format!("the learning rate is {lr}, but must be at least 0 and finite in f32"));
            }
        }
        let milestones = Schedule::steps(1.0, [30, 60, 60], 0.1);
        assert_eq!(refused(&milestones), "the schedule has milestones that do not rise: 60, then 60");
        let warm = Schedule::cosine(1.0, 100).warmup(100);
        assert_eq!(
            refused(&warm),
            "the schedule has a warm-up of 100 steps, but must be longer than that: it is 100 steps long"
        );
        for none in [
            Schedule::every(1.0, 0, 0.1),
            Schedule::polynomial(1.0, 0, 1.0),
            Schedule::linear(1.0, 0.0, 0),
            Schedule::cosine(1.0, 0),
            Schedule::one_cycle(1.0, 0),
            Schedule::constant(1.0).then(0, 1.0),
        ] {
            assert_eq!(refused(&none), "the schedule is 0 steps long, but must have at least 1");
            assert!(none.at(0).is_finite() || none == Schedule::one_cycle(1.0, 0));
        }
        for bad in [
            Schedule::steps(1.0, [1], -0.1),
            Schedule::every(1.0, 1, f64::NAN),
            Schedule::exponential(1.0, 1.1),
            Schedule::polynomial(1.0, 1, -1.0),
            Schedule::cosine(1.0, 1).restarts(0),
            Schedule::constant(1.0).down_to(0.1),
            Schedule::constant(1.0).restarts(2),
            Schedule::one_cycle(1.0, 10).warmup(2),
            Schedule::constant(1.0).warmup(2).warmup(2),
            OneCycle { rise: 1.5, ..OneCycle::new(1.0, 10) }.into(),
            OneCycle { start_factor: 0.5, ..OneCycle::new(1.0, 10) }.into(),
            Schedule::constant(1.0).warmup(9).then(5, 1.0),
            Schedule::constant(1.0).then(9, 1.0).then(5, 1.0),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn it_is_shown_as_it_is_written() {
        let schedule = Schedule::cosine(0.1, 100).down_to(0.01).warmup(10).then(100, 0.01);
        assert_eq!(
            format!("{schedule:?}"),
            "Schedule(cosine(0.1, 100).down_to(0.01).warmup(10).then(100, constant(0.01)))"
        );
    }
}
