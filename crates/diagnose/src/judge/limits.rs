//! Where each figure begins to be a fault, and why there.

/// Where each figure begins to be a fault. [`Inspector::with_limits`](crate::Inspector::with_limits) takes other limits.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The first loss is a fault from this share above what it should be: 0.1, where logits have a standard deviation of
    /// about 0.8 for 27 classes, since normal logits of deviation s cost about s²/2.
    /// What chance explains in a small batch, two standard errors, is let through, and so is a quarter of a nat for few classes.
    pub loss: f64,
    /// It is an error from so many times what it should be: 50. Below, plain descent makes up for it in some hundred steps, and Adam is slowed by it
    /// (table of harm).
    pub loss_error: f64,
    /// A mean of squares is a fault from this many variances of the targets above one: 9. It is an error from 100 on. Outputs as large
    /// as the targets double it, and a mean that is off by their deviation does so too; neither does harm.
    pub squares: f64,
    /// An output that is bounded is a fault where the least loss that it can reach is this share of what it costs to know nothing: 0.25.
    /// So tanh is accused before `cross_entropy` of ten classes, which then stays above 0.35 of ln 10, and let alone for standardized targets,
    /// whose squares can come down to 0.15.
    pub floor: f64,
    /// From this share on, it is an error: 0.3.
    pub floor_error: f64,
    /// 0.7: a layer is saturated when it has fewer than 70 % of the live units that a standard normal input would leave. So
    /// tanh is accused from 32 % of |t| > 0.97 on: the lecture's gain of 5/3 gives 20 % (Karpathy, 2022) and is not, a gain
    /// of 3 gives 48 % and is. Relu is accused from 65 % of zeros on.
    pub live: f64,
    /// Below this share, saturation is an error: 0.27, which for tanh is 74 % of |t| > 0.97.
    pub live_error: f64,
    /// A stack fades or grows when the standard deviation changes by this factor from layer to layer: e^0.3 = 1.35, which
    /// in ten layers is 20. A tanh stack of gain 1 fades by 1.18 at first and ever more slowly, and is not accused. What a few narrow layers do by chance is let through: 2 / √(width · layers) in the logarithm.
    pub growth: f64,
    /// It also does when it changes by this factor over all layers together: 30. Sums of a trunk and its branches are judged by this
    /// alone, as each adds to what was there.
    pub growth_in_all: f64,
    /// It is an error when it changes by this factor over all layers together: 100. From there on, nine of ten trainings end clearly worse
    /// than mended, and more where it fades; below, many do with plain descent alone, as PyTorch's start of three or four layers of relu does (table of harm).
    pub growth_error: f64,
    /// Linear layers are out of scale when each multiplies what varies over examples by more than this, or by less than its
    /// inverse: 3. Every gain in use is between 1/2 and 1.8 (see `init::Gain`). It is judged over two or more hidden layers.
    pub gain: f64,
    /// Units of tanh or sigmoid that are saturated for every example are a fault from this share on, and a note below: 0.05.
    pub dead: f64,
    /// Units of relu or gelu that are off for every example: 0.65. The examples of a batch are alike in very deep layers, so that half of
    /// the units are off for all of them in a network that is well. A unit that lies ten times farther off than most are large is
    /// a fault by itself.
    pub dead_one_sided: f64,
    /// Dead units are looked for in batches of at least this many examples: 32. In smaller ones some are so by chance.
    pub dead_examples: usize,
    /// Weights move too fast when the median of log₁₀ update:data is above this: −2, and too slowly when it is below
    /// [`update_low`](Self::update_low). About −3 is healthy (Karpathy, 2022).
    pub update_high: f64,
    /// −5.
    pub update_low: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            loss: 0.1,
            loss_error: 50.0,
            squares: 9.0,
            floor: 0.25,
            floor_error: 0.3,
            live: 0.7,
            live_error: 0.27,
            growth: 0.3_f64.exp(),
            growth_in_all: 30.0,
            growth_error: 100.0,
            gain: 3.0,
            dead: 0.05,
            dead_one_sided: 0.65,
            dead_examples: 32,
            update_high: -2.0,
            update_low: -5.0,
        }
    }
}
