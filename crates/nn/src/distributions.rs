//! Distributions on a tape: what is drawn of them, how likely something is, how uncertain they are and how far apart.
//!
//! A distribution is a handful of values of a tape, made anew in each pass; gradients reach its parameters through all that it computes. The
//! names and the numbers are those of `torch.distributions`.

use std::cmp::Ordering;

use autograd::{Tape, Var};
use tensor::{Float, IntoShape, Tensor, Whereabouts, ensure};

/// ln √(2π)
const LN_ROOT_TAU: f64 = 0.918_938_533_204_672_8;

/// Normal distributions, each element's its own (de Moivre, 1733; Gauss, 1809).
///
/// # Example
/// The two terms of a variational autoencoder's loss that need one (Kingma and Welling, 2014, *Auto-Encoding Variational Bayes*): a code that is
/// drawn, with a gradient, and how far its distribution is from the prior.
///
/// ```
/// use autograd::Tape;
/// use nn::distributions::Normal;
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// tape.seed(42, 0);
/// let (mean, log_std) = (tape.leaf(Tensor::zeros([8, 2])), tape.leaf(Tensor::zeros([8, 2])));
/// let code = Normal::new(mean, log_std.exp());
/// let z = code.rsample();
/// let far = code.kl(&Normal::standard(&tape, [8, 2])).sum(1).mean(0);
/// assert_eq!((z.shape().dims(), far.item()), (&[8, 2][..], 0.0));
/// ```
#[derive(Clone, Copy)]
pub struct Normal<'t, T: Float = f32> {
    mean: Var<'t, T>,
    std: Var<'t, T>,
}

impl<'t, T: Float> Normal<'t, T> {
    /// With these means and standard deviations, whose shapes are broadcast.
    ///
    /// # Panics
    /// A standard deviation is not above 0, the shapes do not fit, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::distributions::Normal;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::no_grad();
    /// let normal = Normal::new(tape.constant(Tensor::from([0.0, 3.0])), tape.constant(Tensor::from([1.0])));
    /// assert_eq!(normal.mean().value(), Tensor::from([0.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn new(mean: Var<'t, T>, std: Var<'t, T>) -> Self {
        let value = std.value();
        if value.numel() > 0
            && value.min(..).item().partial_cmp(&T::ZERO) != Some(Ordering::Greater)
            && let Some((at, x)) = value.iter().enumerate().find(|&(_, x)| x.is_nan() || x <= T::ZERO)
        {
            panic!("normal: standard deviation {at} of {} is {x}, but must be above 0{Whereabouts}", std.shape());
        }
        let shape = mean.shape().broadcast(&std.shape());
        let shape = match shape {
            Ok(shape) => shape,
            Err(error) => panic!("normal: {error}{Whereabouts}"),
        };
        Normal { mean: mean.expand(&shape), std: std.expand(&shape) }
    }

    /// Those of mean 0 and standard deviation 1.
    ///
    /// # Panics
    /// The shape has more elements than there is memory for.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::distributions::Normal;
    ///
    /// let tape = Tape::<f64>::in_mode(autograd::Mode::Eval);
    /// let entropy = Normal::standard(&tape, [2]).entropy();
    /// assert!((entropy.value().mean(..).item() - 1.4189385332).abs() < 1e-9);
    /// ```
    #[track_caller]
    pub fn standard(tape: &'t Tape<T>, shape: impl IntoShape) -> Self {
        let zeros = Tensor::zeros(shape);
        let ones = tape.constant(Tensor::ones(zeros.shape()));
        Normal { mean: tape.constant(zeros), std: ones }
    }

    /// μ
    pub fn mean(&self) -> Var<'t, T> {
        self.mean
    }

    /// σ
    pub fn std(&self) -> Var<'t, T> {
        self.std
    }

    /// A sample that has a gradient: μ + σ ε, with ε of [`Tape::randn`].
    ///
    /// # Panics
    /// The tape has nothing to draw by (see [`Tape::seed`]).
    #[track_caller]
    pub fn rsample(&self) -> Var<'t, T> {
        self.mean + self.std * self.mean.tape().randn(self.mean.shape())
    }

    /// A sample without one: the same numbers.
    ///
    /// # Panics
    /// As [`rsample`](Self::rsample).
    #[track_caller]
    pub fn sample(&self) -> Var<'t, T> {
        self.rsample().detach()
    }

    /// −(x − μ)² / 2 σ² − ln σ − ½ ln 2π, of each element.
    ///
    /// # Panics
    /// The shapes do not fit, or x is on another tape.
    #[track_caller]
    pub fn log_prob(&self, x: Var<'t, T>) -> Var<'t, T> {
        let z = (x - self.mean) / self.std;
        z.square().scale(T::from_f64(-0.5)) - self.std.ln() - T::from_f64(LN_ROOT_TAU)
    }

    /// ½ + ½ ln 2π + ln σ, of each element.
    pub fn entropy(&self) -> Var<'t, T> {
        self.std.ln() + T::from_f64(0.5 + LN_ROOT_TAU)
    }

    /// The Kullback–Leibler divergence from this distribution p to another, q, of each element (1951, *On Information and Sufficiency*):
    /// ½ (σₚ² / σ_q² + (μₚ − μ_q)² / σ_q² − 1) − ln (σₚ / σ_q).
    ///
    /// # Panics
    /// The shapes do not fit, or the other is on another tape.
    #[track_caller]
    pub fn kl(&self, other: &Self) -> Var<'t, T> {
        let ratio = self.std / other.std;
        let far = (self.mean - other.mean) / other.std;
        (ratio.square() + far.square() - T::ONE).scale(T::from_f64(0.5)) - ratio.ln()
    }
}

/// Distributions of 0 and 1, by their logits l: p = σ(l) of each element (Bernoulli, 1713, *Ars Conjectandi*).
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::distributions::Bernoulli;
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// tape.seed(42, 0);
/// let coin = Bernoulli::new(tape.leaf(Tensor::from([0.0])));
/// let heads = coin.sample();
/// assert_eq!(coin.log_prob(heads).item(), -std::f32::consts::LN_2);
/// ```
#[derive(Clone, Copy)]
pub struct Bernoulli<'t, T: Float = f32> {
    logits: Var<'t, T>,
}

impl<'t, T: Float> Bernoulli<'t, T> {
    /// With these logits.
    ///
    /// # Panics
    /// A logit is infinite or NaN.
    #[track_caller]
    pub fn new(logits: Var<'t, T>) -> Self {
        let value = logits.value();
        // The largest is NaN where any is.
        if value.numel() > 0
            && !value.abs().max(..).item().is_finite()
            && let Some((at, x)) = value.iter().enumerate().find(|(_, x)| !x.is_finite())
        {
            panic!("bernoulli: logit {at} of {} is {x}, but must be finite{Whereabouts}", logits.shape());
        }
        Bernoulli { logits }
    }

    /// σ(l)
    pub fn probs(&self) -> Var<'t, T> {
        self.logits.sigmoid()
    }

    /// Ones and zeros, without a gradient.
    ///
    /// # Panics
    /// The tape has nothing to draw by (see [`Tape::seed`]).
    #[track_caller]
    pub fn sample(&self) -> Var<'t, T> {
        self.logits.tape().bernoulli(&self.logits.value().sigmoid())
    }

    /// x ln σ(l) + (1 − x) ln σ(−l), of each element.
    ///
    /// # Panics
    /// The shapes do not fit, or x is on another tape.
    #[track_caller]
    pub fn log_prob(&self, x: Var<'t, T>) -> Var<'t, T> {
        // As ln σ(l) − (1 − x) l, what is nearly sure would lose its digits.
        x * self.logits.log_sigmoid() + (-x + T::ONE) * (-self.logits).log_sigmoid()
    }

    /// −p ln p − (1 − p) ln (1 − p), of each element.
    pub fn entropy(&self) -> Var<'t, T> {
        let [l, other] = [self.logits, -self.logits];
        -(l.sigmoid() * l.log_sigmoid() + other.sigmoid() * other.log_sigmoid())
    }

    /// The Kullback–Leibler divergence to another, of each element: p ln (p / q) + (1 − p) ln ((1 − p) / (1 − q)).
    ///
    /// # Panics
    /// The shapes do not fit, or the other is on another tape.
    #[track_caller]
    pub fn kl(&self, other: &Self) -> Var<'t, T> {
        let term = |p: Var<'t, T>, q: Var<'t, T>| p.sigmoid() * (p.log_sigmoid() - q.log_sigmoid());
        term(self.logits, other.logits) + term(-self.logits, -other.logits)
    }
}

/// Distributions of classes, along the last axis of logits.
///
/// # Example
/// A step of a policy (Williams, 1992, *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*): an action is
/// drawn, and made likelier by what it brought.
///
/// ```
/// use autograd::Tape;
/// use nn::distributions::Categorical;
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// tape.seed(42, 0);
/// let policy = Categorical::new(tape.leaf(Tensor::from([[0.0, 1.0], [2.0, 0.0]])));
/// let actions = policy.sample(); // [2]
/// let reward = tape.constant(Tensor::from([1.0, -0.5]));
/// let loss = -(policy.log_prob(&actions) * reward).mean(0);
/// # loss.backward();
/// ```
#[derive(Clone, Copy)]
pub struct Categorical<'t, T: Float = f32> {
    /// ln p
    log_probs: Var<'t, T>,
}

impl<'t, T: Float> Categorical<'t, T> {
    /// With these logits `[…, classes]`, of which −∞ is that of a class that never comes.
    ///
    /// # Panics
    /// There is no axis, a logit is NaN or ∞, or a row has no finite one.
    #[track_caller]
    pub fn new(logits: Var<'t, T>) -> Self {
        let shape = logits.shape();
        ensure!(shape.rank() > 0, "categorical: needs logits [..., classes], got {shape}");
        let value = logits.value();
        if let Some(row) = value.max([-1]).iter().position(|largest| !largest.is_finite()) {
            if let Some((at, x)) = value.iter().enumerate().find(|(_, x)| x.is_nan() || *x == T::INFINITY) {
                panic!("categorical: logit {at} of {shape} is {x}, but must be below infinity{Whereabouts}");
            }
            panic!("categorical: row {row} of {shape} has no finite logit{Whereabouts}");
        }
        Categorical { log_probs: logits.log_softmax(-1) }
    }

    /// p
    pub fn probs(&self) -> Var<'t, T> {
        self.log_probs.exp()
    }

    /// A class for each row of logits.
    ///
    /// # Panics
    /// The tape has nothing to draw by (see [`Tape::seed`]).
    #[track_caller]
    pub fn sample(&self) -> Tensor<i64> {
        let shape = self.log_probs.shape();
        let (rows, classes) = shape.dims().split_at(shape.rank() - 1);
        let probs = self.log_probs.value().exp().reshape([rows.iter().product(), classes[0]]);
        self.log_probs.tape().multinomial(&probs, 1, true).reshape(rows)
    }

    /// ln p of these classes, one for each row.
    ///
    /// # Panics
    /// The shape is not that of the logits but for the last axis, or there is no such class.
    #[track_caller]
    pub fn log_prob(&self, classes: &Tensor<i64>) -> Var<'t, T> {
        let shape = self.log_probs.shape();
        ensure!(
            classes.dims() == &shape.dims()[..shape.rank() - 1],
            "categorical: logits of shape {shape} need a class for each row, got classes of shape {}",
            classes.shape()
        );
        self.log_probs.gather(-1, &classes.unsqueeze(-1)).squeeze(-1)
    }

    /// −Σ p ln p, of each row.
    pub fn entropy(&self) -> Var<'t, T> {
        // Where p is 0, so is p ln p.
        let never = self.log_probs.value().exp().eq(T::ZERO);
        -(self.probs() * self.log_probs.masked_fill(&never, T::ZERO)).sum([-1])
    }

    /// The Kullback–Leibler divergence to another, of each row: Σ p ln (p / q), ∞ where a class comes here and never there.
    ///
    /// # Panics
    /// The shapes do not fit, or the other is on another tape.
    #[track_caller]
    pub fn kl(&self, other: &Self) -> Var<'t, T> {
        let never = self.log_probs.value().exp().eq(T::ZERO);
        let [p, q] = [self, other].map(|own| own.log_probs.masked_fill(&never, T::ZERO));
        (self.probs() * (p - q)).sum([-1])
    }
}

/// Classes that are nearly drawn, with a gradient: softmax((l + g) / τ) along the last axis, g = −ln (−ln u) (Jang, Gu and Poole, 2017,
/// *Categorical Reparameterization with Gumbel-Softmax*; Maddison, Mnih and Teh, 2017). The lower the temperature τ, the nearer to one class.
/// Where `hard`, the value is that of the largest class alone, and the gradient that of the softmax.
///
/// # Panics
/// τ is not above 0, there is no axis, or the tape has nothing to draw by (see [`Tape::seed`]).
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::distributions::gumbel_softmax;
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// tape.seed(42, 0);
/// let y = gumbel_softmax(tape.leaf(Tensor::zeros([4, 3])), 0.5, true);
/// assert!(y.value().sum(1).allclose(&Tensor::ones([4]), 1e-6, 0.0));
/// ```
#[track_caller]
pub fn gumbel_softmax<'t, T: Float>(logits: Var<'t, T>, temperature: f64, hard: bool) -> Var<'t, T> {
    let shape = logits.shape();
    ensure!(shape.rank() > 0, "gumbel_softmax: needs logits [..., classes], got {shape}");
    ensure!(temperature > 0.0, "gumbel_softmax: the temperature is {temperature}, but must be above 0");
    let uniform = logits.tape().uniform(&shape, T::MIN_POSITIVE.to_f64(), 1.0).value();
    let gumbel = logits.tape().constant(-(-uniform.ln()).ln());
    let soft = (logits + gumbel).scale(T::from_f64(1.0 / temperature)).softmax(-1);
    if !hard {
        return soft;
    }
    let value = soft.value();
    let largest = Tensor::one_hot(&value.argmax(-1), shape.dims()[shape.rank() - 1]);
    soft + (logits.tape().constant(largest) - soft).detach()
}
