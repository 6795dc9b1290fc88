//! L-BFGS, which looks at the loss several times in a step.

use std::collections::VecDeque;

use autograd::Gradients;
#[cfg(feature = "checkpoint")]
use tensor::Shape;
use tensor::{Float, Tensor};

#[cfg(feature = "checkpoint")]
use super::super::state::has_rule;
use super::check_eps;
use crate::model::lent;
use crate::{Error, ModelGradients, Module, ParamPath, Schedule};

/// L-BFGS (Liu and Nocedal, 1989, *On the Limited Memory BFGS Method for Large Scale Optimization*): descent along −H
/// g, where H is what the last steps show of the inverse of the second derivatives. For a loss of all examples that is
/// the same whenever it is asked for. PyTorch's `optim.LBFGS`, whose defaults it has.
///
/// It is no [`Rule`](crate::Rule), since it needs the loss of several points in a step: [`step`](Self::step) takes a
/// closure. It computes in f64.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Lbfgs, Param};
/// use tensor::Tensor;
///
/// // Rosenbrock's valley, (1 − x)² + 100 (y − x²)², least at (1, 1).
/// let mut p = Param::<f64>::new(Tensor::from([-1.2, 1.0]));
/// let mut lbfgs = Lbfgs::new(1.0)?;
/// lbfgs.wolfe = true;
/// for _ in 0..10 {
///     lbfgs.step(&mut p, |p| {
///         let tape = Tape::default();
///         let (x, y) = (p.on(&tape).select(0, 0), p.on(&tape).select(0, 1));
///         let loss = (x - 1.0).square() + (y - x.square()).square() * 100.0;
///         (loss.item(), loss.backward())
///     })?;
/// }
/// assert!(p.value().allclose(&Tensor::from([1.0, 1.0]), 0.0, 1e-4));
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "LBFGS")]
#[derive(Clone, Debug)]
pub struct Lbfgs {
    /// How far a step goes along its direction; where it is searched, how far the search goes first: 1 by default.
    pub lr: f64,
    /// The directions in a step at most: 20 by default. PyTorch's `max_iter`.
    pub iterations: usize,
    /// The looks at the loss in a step at most: 25 by default. PyTorch's `max_eval`.
    pub evaluations: usize,
    /// The moves that are remembered: 100 by default. PyTorch's `history_size`.
    pub history: usize,
    /// It ends where no element of the gradient is larger: 1e-7 by default.
    pub tolerance_grad: f64,
    /// It ends where neither the loss nor any weight changes by more: 1e-9 by default.
    pub tolerance_change: f64,
    /// Whether each direction is searched for a point that fulfils the strong conditions of Wolfe (Nocedal and Wright,
    /// 2006, *Numerical Optimization*, algorithms 3.5 and 3.6). It is not by default, as in PyTorch; with it, few
    /// losses do not fall. PyTorch's `line_search_fn="strong_wolfe"`, whose points are others.
    pub wolfe: bool,
    memory: Memory,
}

/// s, y and 1 / (s · y) of a move.
type Move = (Tensor<f64>, Tensor<f64>, f64);

/// What is remembered from direction to direction, over steps too.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// The last moves, the oldest first.
    moves: VecDeque<Move>,
    /// The last move, and the gradient before it.
    last: Option<(Tensor<f64>, Tensor<f64>)>,
    /// What H begins with, times 1.
    scale: f64,
}

/// A loss and its gradient at a point.
struct Look {
    loss: f64,
    gradient: Tensor<f64>,
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.dot(b).item()
}

fn largest(x: &Tensor<f64>) -> f64 {
    if x.is_empty() { 0.0 } else { x.abs().max(..).item() }
}

impl Memory {
    /// −H g, by the two loops of Nocedal (1980).
    fn direction(&mut self, gradient: &Tensor<f64>, history: usize) -> Tensor<f64> {
        let Some((s, before)) = self.last.clone() else {
            self.scale = 1.0;
            return -gradient;
        };
        let y = gradient - before;
        let along = dot(&y, &s);
        if along > 1e-10 {
            if self.moves.len() == history {
                self.moves.pop_front();
            }
            self.scale = along / dot(&y, &y);
            self.moves.push_back((s, y, 1.0 / along));
        }
        let mut q = -gradient;
        let mut shares = Vec::with_capacity(self.moves.len());
        for (s, y, rho) in self.moves.iter().rev() {
            let share = dot(s, &q) * rho;
            q.axpy(-share, y);
            shares.push(share);
        }
        q *= self.scale;
        for ((s, y, rho), share) in self.moves.iter().zip(shares.iter().rev()) {
            q.axpy(share - dot(y, &q) * rho, s);
        }
        q
    }
}

impl Lbfgs {
    /// With PyTorch's defaults, and this learning rate.
    ///
    /// # Errors
    /// The learning rate is negative or not finite.
    pub fn new(lr: f64) -> Result<Self, Error> {
        Schedule::check_lr(lr)?;
        Ok(Lbfgs {
            lr,
            iterations: 20,
            evaluations: 25,
            history: 100,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            wolfe: false,
            memory: Memory::default(),
        })
    }

    /// Moves every trained weight of `model` along up to [`iterations`](Self::iterations) directions, and returns the
    /// loss before. `look` gives the loss and its gradients, and is called anew for each point. The changes of state
    /// that the first look has deferred are applied.
    ///
    /// Where the loss or a gradient is no longer finite after a move, the model has the weights before it, and what is remembered is
    /// forgotten. So without a search, the last move of a step is looked at too, which PyTorch does not do.
    ///
    /// # Errors
    /// A number of it is out of range, or the loss or a gradient is not finite at the first look, and then nothing is moved; or after a
    /// move, which is taken back.
    ///
    /// # Panics
    /// A trained weight has no gradient, or a leaf that the model does not list has one; the model has other weights than the steps before
    /// were of; or an [average](crate::WeightAverage) is in their place.
    #[track_caller]
    pub fn step<T: Float, M: Module<T> + ?Sized>(
        &mut self,
        model: &mut M,
        mut look: impl FnMut(&M) -> (T, Gradients<T>),
    ) -> Result<f64, Error> {
        Schedule::check_lr(self.lr)?;
        check_eps(self.tolerance_grad)?;
        check_eps(self.tolerance_change)?;
        if self.history == 0 {
            return Err(Error::Range { what: "the history of L-BFGS", value: 0.0, rule: "at least 1" });
        }
        if let Some(why) = lent(model) {
            panic!("step: {why}");
        }
        let (loss, gradients) = look(model);
        gradients.expect_complete(model);
        let mut now = Look { loss: loss.to_f64(), gradient: flat(model, &gradients) };
        let first = now.loss;
        if let Some((weight, _)) = gradients.by_path(model).into_iter().find(|(_, g)| !g.all_finite()) {
            return Err(Error::NotFinite { weight });
        }
        if !first.is_finite() {
            return Err(Error::Invalid {
                what: "the loss",
                why: format!("is {first}, and nothing can be made smaller"),
            });
        }
        let mut x = weights(model);
        let remembered = self.memory.last.as_ref().map_or(x.numel(), |(moved, _)| moved.numel());
        assert!(
            remembered == x.numel(),
            "step: the model has {} trained weights, but {remembered} before: make it an L-BFGS of its own",
            x.numel()
        );
        let mut looks = 1;
        let mut at = |x: &Tensor<f64>| {
            set(model, x);
            let (loss, gradients) = look(model);
            Look { loss: loss.to_f64(), gradient: flat(model, &gradients) }
        };
        for iteration in 1..=self.iterations {
            if largest(&now.gradient) <= self.tolerance_grad {
                break;
            }
            let is_first = self.memory.last.is_none();
            let direction = self.memory.direction(&now.gradient, self.history);
            let slope = dot(&now.gradient, &direction);
            // PyTorch's: the first direction is as long as the gradient, which says nothing of how far to go.
            let length = if is_first { (1.0 / now.gradient.abs().sum(..).item()).min(1.0) } else { 1.0 } * self.lr;
            if slope.is_nan() || slope > -self.tolerance_change {
                break;
            }
            let mut along = |length: f64| at(&(&x + &direction * length));
            let (length, next) = if self.wolfe {
                let (length, next, count) = search(&now, slope, length, &direction, &mut along);
                looks += count;
                (length, next)
            } else {
                looks += usize::from(iteration < self.iterations);
                (length, along(length))
            };
            let moved = direction * length;
            let there = &x + &moved;
            if !(next.loss.is_finite() && next.gradient.all_finite() && there.all_finite()) {
                self.memory = Memory::default();
                set(model, &x);
                let what = if next.loss.is_finite() { "a gradient" } else { "the loss" };
                let cure = if self.wolfe {
                    "a smaller learning rate"
                } else {
                    "`wolfe`, which searches, or a smaller learning rate"
                };
                let why = format!("has led to where {what} is not finite, and was taken back; {cure} may do");
                return Err(Error::Invalid { what: "a move of L-BFGS", why });
            }
            x = there;
            self.memory.last = Some((moved.clone(), now.gradient.clone()));
            let change = (next.loss - now.loss).abs();
            now = next;
            if looks >= self.evaluations || largest(&moved) <= self.tolerance_change || change < self.tolerance_change {
                break;
            }
        }
        set(model, &x);
        model.apply(gradients.updates());
        Ok(first)
    }
}

#[cfg(feature = "checkpoint")]
impl<T: Float> crate::Stateful<T> for Lbfgs {
    fn walk(&self, at: &mut crate::Archive<'_, T>) -> Self {
        let Memory { moves, last, scale } = &self.memory;
        let mut read = Lbfgs { memory: Memory::default(), ..self.clone() };
        if !has_rule(at, "lbfgs") {
            return read;
        }
        let (count, n) = (at.number("moves", moves.len()), weights(at.model()).numel());
        read.memory.scale = at.number("scale", *scale);
        let Ok(each) = Shape::try_new(&[count, n]) else {
            at.mismatch(format!("says that it remembers {count} moves of {n} weights"));
            return read;
        };
        if count > 0 {
            let stacked = |of: &dyn Fn(&Move) -> Tensor<f64>| {
                let rows: Vec<Tensor<f64>> = moves.iter().map(of).collect();
                (!rows.is_empty()).then(|| Tensor::stack(&rows.iter().collect::<Vec<_>>(), 0))
            };
            let s = at.tensor("s", &each, stacked(&|of| of.0.clone()).as_ref());
            let y = at.tensor("y", &each, stacked(&|of| of.1.clone()).as_ref());
            let rho = at.tensor("rho", &Shape::from([count]), stacked(&|of| Tensor::scalar(of.2)).as_ref());
            if let (Some(s), Some(y), Some(rho)) = (s, y, rho) {
                let row = |of: &Tensor<f64>, i: usize| of.select(0, i).contiguous();
                read.memory.moves = rho.iter().enumerate().map(|(i, rho)| (row(&s, i), row(&y, i), rho)).collect();
            }
        }
        if last.is_some() && !at.is_reading() || at.has("last.s") || at.has("last.gradient") {
            let (moved, gradient) = last.as_ref().map(|(moved, gradient)| (moved, gradient)).unzip();
            let moved = at.tensor("last.s", &Shape::from([n]), moved);
            read.memory.last = moved.zip(at.tensor("last.gradient", &Shape::from([n]), gradient));
        }
        read
    }
}

/// A length at which the loss has fallen enough and the slope is nine tenths of what it was at most, or the best that was
/// found; the look there, and how many there were.
fn search(
    start: &Look,
    slope: f64,
    first: f64,
    direction: &Tensor<f64>,
    at: &mut dyn FnMut(f64) -> Look,
) -> (f64, Look, usize) {
    /// Of what the slope promises, how much the loss has to fall; and of the slope, how much may be left.
    const FALLS: f64 = 1e-4;
    const LEFT: f64 = 0.9;
    const MOST: usize = 25;
    let mut low = (0.0, start.loss, slope);
    let mut high: Option<(f64, f64)> = None;
    let mut best: Option<(f64, Look)> = None;
    let mut length = first;
    for count in 1..=MOST {
        let look = at(length);
        let (loss, here) = (look.loss, dot(&look.gradient, direction));
        let falls = loss <= start.loss + FALLS * length * slope;
        if falls && here.abs() <= -LEFT * slope {
            return (length, look, count);
        }
        if loss.is_finite() && look.gradient.all_finite() && best.as_ref().is_none_or(|(_, best)| loss < best.loss) {
            best = Some((length, look));
        }
        if !falls || loss >= low.1 || !here.is_finite() {
            // It rises between: what is sought lies before.
            high = Some((length, loss));
        } else {
            // It rises from here on towards the other end, or has no other end yet and rises: what is sought lies behind.
            if here * high.map_or(1.0, |(end, _)| end - low.0) >= 0.0 {
                high = Some((low.0, low.1));
            }
            low = (length, loss, here);
        }
        length = match high {
            // Where a parabola through both ends is least, kept away from them.
            Some((end, loss)) => {
                let width = end - low.0;
                let share = -low.2 * width / (2.0 * (loss - low.1 - low.2 * width));
                low.0 + width * if share.is_finite() { share.clamp(0.1, 0.9) } else { 0.5 }
            }
            None => 2.0 * length,
        };
        if (length - low.0).abs() * largest(direction) < 1e-12 {
            break;
        }
    }
    let (length, look) = best.unwrap_or_else(|| (0.0, at(0.0)));
    if look.loss <= start.loss { (length, look, MOST) } else { (0.0, at(0.0), MOST) }
}

/// The trained weights, one after the other.
fn weights<T: Float>(model: &(impl Module<T> + ?Sized)) -> Tensor<f64> {
    let mut parts = Vec::new();
    model.visit(ParamPath::root(), &mut |_, param| {
        if param.is_trained() {
            parts.push(param.value().cast::<f64>().reshape(param.value().numel()));
        }
    });
    Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0)
}

/// Their gradients likewise.
fn flat<T: Float>(model: &(impl Module<T> + ?Sized), gradients: &Gradients<T>) -> Tensor<f64> {
    let mut parts = Vec::new();
    model.visit(ParamPath::root(), &mut |_, param| {
        if param.is_trained() {
            let n = param.value().numel();
            let gradient = gradients.named(param.id()).map(|gradient| gradient.cast::<f64>().reshape(n));
            parts.push(gradient.unwrap_or_else(|| Tensor::zeros([n])));
        }
    });
    Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0)
}

fn set<T: Float>(model: &mut (impl Module<T> + ?Sized), x: &Tensor<f64>) {
    let mut start = 0;
    model.visit_mut(ParamPath::root(), &mut |_, param| {
        if param.is_trained() {
            let n = param.value().numel();
            let shape = param.value().shape().clone();
            *param.value_mut() = x.narrow(0, start, n).cast::<T>().reshape(shape);
            start += n;
        }
    });
}
