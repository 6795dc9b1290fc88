//! The lecture's model, with weights of any scale, and a deep one.

use autograd::{Tape, Var};
use diagnose::Report;
use init::{Initializer, normal};
use nn::{Layer, Linear, Param};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

/// 30 → 200 → 27, by default broken in two of the ways that the lecture mends.
pub(crate) struct Mlp {
    pub(crate) hidden: Linear,
    pub(crate) output: Linear,
}

nn::module!(Mlp { hidden, output });

pub(crate) fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(42)
}

pub(crate) fn draw(std: f64, dims: &[usize]) -> Tensor {
    normal(std).init(&Shape::try_new(dims).unwrap(), &mut rng()).unwrap()
}

impl Mlp {
    /// Everything standard normal.
    pub(crate) fn original() -> Self {
        Mlp::new([1.0, 1.0], [1.0, 1.0])
    }

    /// As it should be.
    pub(crate) fn kaiming() -> Self {
        Mlp::new([5.0 / 3.0 / 30_f64.sqrt(), 0.01], [0.01, 0.0])
    }

    /// Each layer by the standard deviations of its weight and bias.
    pub(crate) fn new(hidden: [f64; 2], output: [f64; 2]) -> Self {
        let mut rng = rng();
        let mut layer = |fan_in, fan_out, [weight, bias]: [f64; 2]| {
            Linear::new(fan_in, fan_out, &normal(weight), &mut rng).unwrap().with_bias(&normal(bias), &mut rng).unwrap()
        };
        Mlp { hidden: layer(30, 200, hidden), output: layer(200, 27, output) }
    }

    pub(crate) fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.output.forward(self.hidden.forward(x).tanh())
    }
}

/// A batch: inputs `[n, 30]`, and classes.
pub(crate) fn batch(n: usize) -> (Tensor, Tensor<i64>) {
    (draw(1.0, &[n, 30]), Tensor::from_fn([n], |i| (i[0] * 11 % 27) as i64))
}

pub(crate) fn inspect(model: &Mlp) -> Report {
    let (x, classes) = batch(32);
    diagnose::inspect(model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&classes))
}

/// Layers of 100, each followed by the non-linearity, and ten classes.
pub(crate) struct Stack {
    layers: Vec<Linear>,
    output: Linear,
    f: for<'t> fn(Var<'t>) -> Var<'t>,
}

nn::module!(Stack { layers, output, .. });

impl Stack {
    pub(crate) fn new(depth: usize, weight: &dyn Initializer, f: for<'t> fn(Var<'t>) -> Var<'t>) -> Self {
        let mut rng = rng();
        let layers = (0..depth).map(|_| Linear::new(100, 100, weight, &mut rng).unwrap()).collect();
        Stack { layers, output: Linear::new(100, 10, &normal(0.01), &mut rng).unwrap(), f }
    }

    pub(crate) fn forward<'t>(&self, tape: &'t Tape) -> Var<'t> {
        let x = tape.constant(draw(1.0, &[64, 100]));
        let h = self.layers.iter().fold(x, |x, layer| (self.f)(layer.forward(x)));
        self.output.forward(h).cross_entropy(&Tensor::from_fn([64], |i| (i[0] % 10) as i64))
    }

    pub(crate) fn inspect(&self) -> Report {
        diagnose::inspect(self, |model, tape| model.forward(tape))
    }
}

/// Sets a parameter to zero.
pub(crate) fn zero(param: &mut Param) {
    *param.value_mut() = Tensor::zeros(param.value().shape());
}
