//! A layer's gradients against finite differences, those of its parameters too.

use std::fmt;

use autograd::{Tape, Var, check};
use rand::Rng;
use tensor::Tensor;

use crate::Module;

/// A gradient of a module that disagrees with finite differences.
#[derive(Clone, PartialEq)]
pub struct ModuleError {
    /// The path of the parameter, unless it is the gradient of an input.
    pub path: Option<String>,
    /// Which of the inputs, or of the inputs and the trained parameters after them, and by how much.
    pub error: check::GradientError,
}

impl std::error::Error for ModuleError {}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        fmt::Display::fmt(&self.error, f)
    }
}

tensor::debug_as_display!(ModuleError);

/// Checks the gradients of what `forward` makes of a module and inputs, with respect to the inputs and to every parameter that is
/// trained, as [`autograd::check::gradients`] does. Tapes are in training mode, and what draws by chance draws the same on each.
///
/// # Errors
/// Pullbacks and differences disagree.
///
/// # Example
/// ```
/// use init::{Gain, kaiming_normal};
/// use nn::{Layer, Linear, check};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// let layer = Linear::<f64>::try_new(2, 3, &kaiming_normal(Gain::Tanh), &mut rng)?;
/// check::module(&layer, &[Tensor::from([[0.5, -1.0]])], &mut rng, |layer, x| layer.forward(x[0]).tanh())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn module<M: Module<f64> + ?Sized>(
    module: &M,
    inputs: &[Tensor<f64>],
    rng: &mut impl Rng,
    forward: impl for<'t> Fn(&M, &[Var<'t, f64>]) -> Var<'t, f64>,
) -> Result<(), ModuleError> {
    let parameters = module.parameters();
    let trained: Vec<_> = parameters.iter().filter(|(_, param)| param.is_trained()).collect();
    let values = trained.iter().map(|(_, param)| param.value());
    let all: Vec<Tensor<f64>> = inputs.iter().chain(values).cloned().collect();
    let tape = || {
        let tape = Tape::default();
        tape.seed(42, 0);
        tape
    };
    let result = check::gradients_on(tape, &all, rng, |x| {
        let (inputs, values) = x.split_at(inputs.len());
        for ((_, param), value) in trained.iter().zip(values) {
            value.tape().bind(param.id(), *value);
        }
        forward(module, inputs)
    });
    result.map_err(|error| {
        let path = error.input.checked_sub(inputs.len()).map(|place| trained[place].0.clone());
        ModuleError { path, error }
    })
}

#[cfg(test)]
mod tests {
    use init::{Gain, kaiming_normal};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::{BatchNorm1d, Dropout, Layer, LayerNorm, Linear, Param};

    struct Net<T: tensor::Float> {
        first: Linear<T>,
        norm: LayerNorm<T>,
        batch: BatchNorm1d<T>,
        drop: Dropout,
        scale: Param<T>,
    }

    crate::module!(impl<T> Net<T> { first, norm, batch, drop, scale });

    fn net() -> Net<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        Net {
            first: Linear::try_new(3, 4, &kaiming_normal(Gain::Tanh), &mut rng).unwrap(),
            norm: LayerNorm::try_new(4).unwrap().with_eps(1e-2).unwrap(),
            batch: BatchNorm1d::try_new(4).unwrap().with_eps(1e-2).unwrap(),
            drop: Dropout::new(0.3).unwrap(),
            scale: Param::new(Tensor::from([0.5, 1.0, 2.0, -1.0])),
        }
    }

    fn check_net(slope: f64) -> Result<(), ModuleError> {
        let x = Tensor::from_fn([5, 3], |i| ((i[0] * 7 + i[1] * 5) % 11) as f64 / 4.0 - 1.0);
        module(&net(), &[x], &mut ChaCha8Rng::seed_from_u64(2), |net, x| {
            let h = net.batch.forward(net.norm.forward(net.first.forward(x[0])).tanh());
            let scale = net.scale.on(x[0].tape());
            let (a, b) = (h.value(), scale.value());
            let scaled = h.record("scaled", &a * &b);
            let scaled = scaled.wrt(h, move |g| g * &b).wrt(scale, move |g| (g * &a * slope).sum(0)).done();
            net.drop.forward(scaled)
        })
    }

    #[test]
    fn a_network_of_right_layers_passes_and_a_wrong_gradient_of_a_parameter_is_named() {
        assert_eq!(check_net(1.0), Ok(()));
        let error = check_net(1.0001).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("scale"));
        assert!(error.to_string().starts_with("scale: the gradient of input 7 is wrong"), "{error}");
    }
}
