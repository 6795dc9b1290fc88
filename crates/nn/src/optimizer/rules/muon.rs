//! Muon.

use tensor::{Float, Shape, Tensor};

use super::{check_beta, check_decay, check_eps};
use crate::{At, Error, Rule};

/// Muon (Jordan et al., 2024, *Muon: An Optimizer for Hidden Layers in Neural Networks*), for matrices: m ← m + (1 −
/// momentum)(g − m), and w ← (1 − lr · weight_decay) w − lr · factor · O, where O is g + momentum · (m − g), or m
/// without Nesterov, brought near the orthogonal matrix that is closest to it. PyTorch's `optim.Muon`.
///
/// That is done by `steps` steps of X ← a X + (b A + c A²) X with A = X Xᵀ, from X = that matrix over its norm: its
/// singular values, which are then between 0 and 1, all come near 1. PyTorch computes this in bfloat16; here it is in
/// the weight's float, so that the numbers differ in the third digit.
///
/// It moves matrices alone. Biases, norms, embeddings and the output layer are for another rule, by groups:
///
/// ```
/// use nn::{AdamW, Muon, Optimizer};
///
/// let optimizer: Optimizer = Optimizer::new(Muon::default(), 0.02)?
///     .group("*bias", |g| g.rule(AdamW::default()).lr_scale(0.05))?;
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Muon {
    /// What stays of the average of gradients, in [0, 1): 0.95 by default.
    pub momentum: f64,
    /// Whether the step looks ahead: it does by default.
    pub nesterov: bool,
    /// Decoupled weight decay λ: each step multiplies weights by 1 − lr · λ. 0.1 by default.
    pub weight_decay: f64,
    /// How often the matrix is brought nearer: 5 by default.
    pub steps: usize,
    /// a, b and c.
    pub coefficients: [f64; 3],
    /// The least norm that is divided by, above 0: 1e-7 by default.
    pub eps: f64,
    /// How the learning rate depends on the shape of a matrix.
    pub lr: MuonLr,
}

/// How [`Muon`]'s learning rate depends on the shape `[fan_in, fan_out]` of a matrix; PyTorch's `adjust_lr_fn`.
#[doc(alias = "adjust_lr_fn")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MuonLr {
    /// √max(1, fan_out / fan_in); PyTorch's `"original"`.
    #[default]
    Original,
    /// 0.2 √max(fan_in, fan_out), so that a step is as large as one of AdamW (Liu et al., 2025, *Muon Is Scalable for
    /// LLM Training*).
    MatchAdamW,
}

impl Default for Muon {
    fn default() -> Self {
        Muon {
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.1,
            steps: 5,
            coefficients: [3.4445, -4.775, 2.0315],
            eps: 1e-7,
            lr: MuonLr::Original,
        }
    }
}

impl Muon {
    fn orthogonalized<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
        // Of the two products with itself, the smaller one.
        let wide = x.size(0) <= x.size(1);
        let mut x = if wide { x.clone() } else { x.t() };
        let [a, b, c] = self.coefficients.map(T::from_f64);
        let norm = x.norm(2.0, ..).item().to_f64();
        x *= T::from_f64(1.0 / norm.max(self.eps));
        for _ in 0..self.steps {
            let square = x.matmul(&x.t());
            let of_x = &square * b + square.matmul(&square) * c;
            x = &x * a + of_x.matmul(&x);
        }
        if wide { x } else { x.t() }
    }
}

impl<T: Float> Rule<T> for Muon {
    fn name(&self) -> &'static str {
        "muon"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m"]
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn check(&self) -> Result<(), Error> {
        check_beta("the momentum", self.momentum)?;
        check_eps(self.eps)?;
        if let Some(&value) = self.coefficients.iter().find(|x| !x.is_finite()) {
            return Err(Error::Range { what: "a coefficient of Muon", value, rule: "finite" });
        }
        check_decay(self.weight_decay)
    }

    fn refuses(&self, shape: &Shape) -> Option<String> {
        let why = "only a matrix can be made orthogonal; give the others a rule of their own, `.group(pattern, |g| g.rule(…))`";
        (shape.rank() != 2).then(|| why.into())
    }

    fn step(&self, at: &At, weight: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        if weight.is_empty() {
            return;
        }
        let (m, momentum) = (&mut slots[0], T::from_f64(self.momentum));
        *m += &((gradient - &*m) * T::from_f64(1.0 - self.momentum));
        let ahead = if self.nesterov { gradient + (&*m - gradient) * momentum } else { m.clone() };
        let [fan_in, fan_out] = [weight.size(0) as f64, weight.size(1) as f64];
        let factor = match self.lr {
            MuonLr::Original => (fan_out / fan_in).max(1.0).sqrt(),
            MuonLr::MatchAdamW => 0.2 * fan_in.max(fan_out).sqrt(),
        };
        *weight *= T::from_f64(1.0 - at.lr * at.weight_decay);
        weight.axpy(T::from_f64(-at.lr * factor), &self.orthogonalized(&ahead));
    }
}
