//! What the zoo's networks are made of: layers in lists, draws of one stream, and a few ops of a user's own.

use autograd::{Baseline, Op, Role, Tape, Var};
use diagnose::{Cure, Fault, Inspector, Report, Severity};
use init::{Gain, Initializer, kaiming_normal, normal, uniform};
use nn::{BatchNorm1d, Conv1d, Conv2d, ConvTranspose2d, Embedding, Layer, LayerNorm, Linear, Param};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Float, Shape, Tensor};

/// Layers by kind; what is done with them is up to each network.
#[derive(Default)]
pub(super) struct Net<T: Float = f32> {
    pub(super) l: Vec<Linear<T>>,
    pub(super) norm: Vec<LayerNorm<T>>,
    pub(super) batch: Vec<BatchNorm1d<T>>,
    pub(super) table: Vec<Embedding<T>>,
    pub(super) p: Vec<Param<T>>,
    pub(super) conv: Vec<Conv2d<T>>,
    pub(super) signal: Vec<Conv1d<T>>,
    pub(super) up: Vec<ConvTranspose2d<T>>,
}

nn::module!(impl<T: Float> Net<T> { l, norm, batch, table, p, conv, signal, up });

impl<T: Float> Net<T> {
    /// Layers with an activation after each but the last.
    pub(super) fn mlp<'t>(&self, x: Var<'t, T>, f: impl Fn(Var<'t, T>) -> Var<'t, T>) -> Var<'t, T> {
        let (last, hidden) = self.l.split_last().expect("there is a layer");
        last.forward(hidden.iter().fold(x, |x, layer| f(layer.forward(x))))
    }
}

/// A stream of draws. The order of examples can be turned round, and values that nobody needs put on the tape.
pub(super) struct Draw {
    pub(super) rng: ChaCha8Rng,
    pub(super) reversed: bool,
    pub(super) unrelated: bool,
    pub(super) step: u64,
    pub(super) inspector: Inspector,
}

/// What an inspection said, and what came of its cure.
pub(super) struct Outcome {
    pub(super) report: Report,
    pub(super) cure: Cure,
    pub(super) cured: Report,
    /// What a second call of the cure would do.
    pub(super) again: Cure,
    /// Where the first loss is higher than before: the losses after a short training, as it was and cured.
    pub(super) trained: Option<[f64; 2]>,
}

pub(super) type Findings = Vec<(Severity, Fault, String)>;

impl Outcome {
    /// What is above a note.
    pub(super) fn findings(&self) -> Findings {
        above_a_note(&self.report)
    }
}

pub(super) fn above_a_note(report: &Report) -> Findings {
    let serious = report.findings.iter().filter(|finding| finding.severity > Severity::Note);
    serious.map(|finding| (finding.severity, finding.fault, finding.place.clone())).collect()
}

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Draw { rng, reversed: false, unrelated: false, step: 0, inspector: Inspector::new() }
    }

    fn ordered<T: tensor::Element>(&self, data: Tensor<T>) -> Tensor<T> {
        if self.reversed { data.flip(&[0]) } else { data }
    }

    /// Standard normal data.
    pub(super) fn x<T: Float>(&mut self, dims: impl Into<Shape>) -> Tensor<T> {
        let x = normal(1.0).init(&dims.into(), &mut self.rng).expect("the deviation is finite");
        self.ordered(x)
    }

    /// So many class numbers.
    pub(super) fn y(&mut self, count: usize, classes: usize) -> Tensor<i64> {
        self.shares([count]).map(|u| (u * classes as f32) as i64)
    }

    /// Zeros and ones, of which this share are ones.
    pub(super) fn bits(&mut self, dims: impl Into<Shape>, share: f64) -> Tensor {
        self.shares(dims).map(|u| if f64::from(u) < share { 1.0 } else { 0.0 })
    }

    /// Numbers in [0, 1).
    pub(super) fn shares(&mut self, dims: impl Into<Shape>) -> Tensor {
        let shares = uniform(0.0, 1.0).init(&dims.into(), &mut self.rng).expect("the ends are in order");
        self.ordered(shares)
    }

    pub(super) fn linear<T: Float>(&mut self, fan_in: usize, fan_out: usize, weight: &dyn Initializer<T>) -> Linear<T> {
        Linear::try_new(fan_in, fan_out, weight, &mut self.rng).expect("the fan is not 0")
    }

    pub(super) fn param<T: Float>(&mut self, dims: impl Into<Shape>, weight: &dyn Initializer<T>) -> Param<T> {
        Param::new(weight.init(&dims.into(), &mut self.rng).expect("the fan is not 0"))
    }

    pub(super) fn table(&mut self, rows: usize, width: usize, weight: &dyn Initializer) -> Embedding {
        Embedding::new(rows, width, weight, &mut self.rng).expect("the deviation is finite")
    }

    /// Layers of these widths: all of one scheme but the last.
    pub(super) fn stack(&mut self, widths: &[usize], hidden: &dyn Initializer, last: &dyn Initializer) -> Net {
        self.stack_of(widths, hidden, last)
    }

    /// The same of any float.
    pub(super) fn stack_of<T: Float>(
        &mut self,
        widths: &[usize],
        hidden: &dyn Initializer<T>,
        last: &dyn Initializer<T>,
    ) -> Net<T> {
        let count = widths.len() - 1;
        let layer = |(index, pair): (usize, &[usize])| {
            self.linear(pair[0], pair[1], if index + 1 == count { last } else { hidden })
        };
        Net { l: widths.windows(2).enumerate().map(layer).collect(), ..Net::default() }
    }

    /// `depth` hidden layers of 100 for ten classes, all made for an activation.
    pub(super) fn deep(&mut self, depth: usize, gain: Gain) -> Net {
        self.stack(&widths(100, depth), &kaiming_normal(gain), &normal(0.01))
    }

    /// Inspects a network, cures it, and inspects it again.
    pub(super) fn look<T, F>(&self, net: Net<T>, forward: F) -> Outcome
    where
        T: Float,
        F: for<'t> Fn(&Net<T>, &'t Tape<T>) -> Var<'t, T>,
    {
        self.look_at(net, forward)
    }

    /// The same of any model.
    pub(super) fn look_at<T, M, F>(&self, mut net: M, forward: F) -> Outcome
    where
        T: Float,
        M: nn::Module<T>,
        F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
    {
        let inspector = self.inspector.clone().at_step(self.step);
        let inspect = |net: &M| {
            inspector.inspect(net, |net, tape| {
                if self.unrelated {
                    let x = tape.constant(Tensor::full([3, 4], T::from_f64(1e9)));
                    let _ = x.matmul(tape.leaf(Tensor::ones([4, 2]))).tanh().mean(..);
                }
                forward(net, tape)
            })
        };
        let (untreated, report) = (net.values(), inspect(&net));
        let cure = report.cure(&mut net);
        let cured = inspect(&net);
        let is_dearer = !cure.applied.is_empty() && cured.loss.compared > report.loss.compared;
        let trained = is_dearer.then(|| {
            let treated = net.values();
            let mut after = |values: &[Tensor<T>]| {
                net.assign(values);
                self.descend(&mut net, &forward)
            };
            let losses = [after(&untreated), after(&treated)];
            net.assign(&treated);
            losses
        });
        let again = cured.cure(&mut net);
        Outcome { report, cure, cured, again, trained }
    }

    /// The loss after thirty steps of plain descent, whose gradients are no longer than 1.
    fn descend<T, M, F>(&self, net: &mut M, forward: &F) -> f64
    where
        T: Float,
        M: nn::Module<T>,
        F: for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
    {
        let mut last = f64::NAN;
        for _ in 0..30 {
            let tape = Tape::default();
            tape.seed(0, self.step);
            let loss = forward(net, &tape);
            let gradients = loss.backward();
            last = loss.value().item().to_f64();
            let rate = T::from_f64(0.1 / gradients.norm().max(1.0));
            net.visit_mut(nn::ParamPath::root(), &mut |_, param| {
                if let Some(gradient) = gradients.named(param.id()).filter(|_| param.is_trained()) {
                    *param.value_mut() = param.value() - gradient * rate;
                }
            });
        }
        last
    }
}

/// An input, hidden layers, and ten classes.
pub(super) fn widths(width: usize, depth: usize) -> Vec<usize> {
    [vec![width; depth + 1], vec![10]].concat()
}

/// The mean of squared differences, written by hand.
pub(super) fn mse<'t, T: Float>(y: Var<'t, T>, target: &Tensor<T>) -> Var<'t, T> {
    let d = y - y.tape().constant(target.clone());
    (d * d).mean(..)
}

/// The mean binary cross-entropy of logits, as an op of a user's own: ln (1 + eˣ) − t x.
pub(super) fn bce<'t>(x: Var<'t>, target: &Tensor) -> Var<'t> {
    let (value, target) = (x.value(), target.clone());
    let share = 1.0 / value.numel() as f32;
    let role = Role::Loss { predictions: 0, baseline: Baseline::Value(std::f64::consts::LN_2) };
    x.record(Op::new("bce", role), (value.softplus() - &target * &value).mean(..))
        .wrt(x, move |g| (value.sigmoid() - &target) * (g.item() * share))
        .done()
}

/// The mean binary cross-entropy of probabilities.
pub(super) fn bce_of_shares<'t>(p: Var<'t>, target: &Tensor) -> Var<'t> {
    let (value, target) = (p.value(), target.clone());
    let share = 1.0 / value.numel() as f32;
    let role = Role::Loss { predictions: 0, baseline: Baseline::Value(std::f64::consts::LN_2) };
    let (yes, no) = (value.ln(), (-&value + 1.0).ln());
    let loss = -(&target * yes + (-&target + 1.0) * no).mean(..);
    p.record(Op::new("bce_of_shares", role), loss)
        .wrt(p, move |g| (&value - &target) / (&value * (-&value + 1.0)) * (g.item() * share))
        .done()
}

/// Huber's loss without a role: |d| − ½ far from the target, ½ d² near it.
pub(super) fn huber<'t>(y: Var<'t>, target: &Tensor) -> Var<'t> {
    let d = y - y.tape().constant(target.clone());
    let value = d.value();
    let share = 1.0 / value.numel() as f32;
    let loss = value.map(|d| if d.abs() < 1.0 { 0.5 * d * d } else { d.abs() - 0.5 }).mean(..);
    d.record("huber", loss).wrt(d, move |g| value.clamp(-1.0, 1.0) * (g.item() * share)).done()
}

/// The transpose of a matrix.
pub(super) fn t(x: Var<'_>) -> Var<'_> {
    x.record(Op::new("t", Role::Keeping), x.value().t()).wrt(x, |g| g.t()).done()
}

/// The rows that a step of a sequence reads.
pub(super) fn step(x: &Tensor, at: usize) -> Tensor {
    x.select(0, at)
}

/// Features beside each other, as an op without a role.
pub(super) fn cat<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
    let w = a.shape().dims()[1];
    let n = w + b.shape().dims()[1];
    a.record("cat", Tensor::cat(&[&a.value(), &b.value()], 1))
        .wrt(a, move |g| g.slice(1, 0..w).contiguous())
        .wrt(b, move |g| g.slice(1, w..n).contiguous())
        .done()
}
/// eˣ, as an op without a role.
pub(super) fn exp(x: Var<'_>) -> Var<'_> {
    let y = x.value().exp();
    x.record("exp", y.clone()).wrt(x, move |g| g * &y).done()
}

/// One head of attention over a sequence: rows are places. `scale` is that of the scores.
pub(super) fn attend<'t>(net: &Net, x: Var<'t>, at: usize, scale: f32, mask: Option<&Tensor>) -> Var<'t> {
    let [q, k, v] = [0, 1, 2].map(|layer| net.l[at + layer].forward(x));
    let mut scores = q.matmul(t(k)).scale(scale);
    if let Some(mask) = mask {
        scores = scores + x.tape().constant(mask.clone());
    }
    net.l[at + 3].forward(scores.softmax(-1).matmul(v))
}

/// −∞ above the diagonal.
pub(super) fn causal(places: usize) -> Tensor {
    Tensor::from_fn([places, places], |i| if i[1] > i[0] { f32::NEG_INFINITY } else { 0.0 })
}
