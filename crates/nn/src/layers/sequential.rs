//! Layers of different kinds, one after the other.

use std::fmt;
use std::ops::{Deref, DerefMut};

use autograd::Var;
use tensor::Float;

use crate::{Layer, Module, Param, ParamPath};

/// Layers of any kinds, applied one after the other; [`seq!`](crate::seq!) makes one. The paths of their parameters
/// begin with their numbers, such as `0.weight`. PyTorch's `nn.Sequential`.
///
/// Layers that are all of one type may stand in a vector or an array, which are layers too.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use init::{Gain, kaiming_normal};
/// use nn::activations::Relu;
/// use nn::{Dropout, Layer, Linear, Module, Sequential, func, seq};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let mut model: Sequential = seq![
///     Linear::new(2, 16, &kaiming_normal(Gain::Relu), &mut rng)?,
///     Relu,
///     Dropout::new(0.1)?,
///     func(|x| x.square()),
/// ];
/// model.push(Linear::new(16, 2, &init::normal(0.01), &mut rng)?);
/// assert_eq!(model.parameters()[0].0, "0.weight");
/// let tape = Tape::new();
/// tape.seed(42, 0);
/// # assert_eq!(model.forward(tape.constant(Tensor::ones([3, 2]))).shape().dims(), [3, 2]);
/// # Ok::<(), nn::Error>(())
/// ```
pub struct Sequential<T: Float = f32>(pub Vec<Box<dyn Layer<T>>>);

impl<T: Float> Sequential<T> {
    /// Adds a layer at the end.
    pub fn push(&mut self, layer: impl Layer<T> + 'static) {
        self.0.push(Box::new(layer));
    }
}

/// Makes a [`Sequential`](crate::Sequential) of layers.
///
/// # Example
/// ```
/// use nn::activations::Tanh;
/// use nn::{BatchNorm1d, Sequential, seq};
///
/// let model: Sequential = seq![BatchNorm1d::new(8), Tanh];
/// assert_eq!(model.len(), 2);
/// ```
#[macro_export]
macro_rules! seq {
    ($($layer:expr),* $(,)?) => {
        // Without a cast, so that the float is known where a closure is looked at.
        $crate::Sequential(::std::vec![$(::std::boxed::Box::new($layer)),*])
    };
}

impl<T: Float> Deref for Sequential<T> {
    type Target = Vec<Box<dyn Layer<T>>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Float> DerefMut for Sequential<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<T: Float> Module<T> for Sequential<T> {
    fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
        self.0.visit(path, visit);
    }

    fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
        self.0.visit_mut(path, visit);
    }

    fn outline(&self, path: ParamPath<'_>, tell: &mut dyn FnMut(ParamPath<'_>, String)) {
        self.0.outline(path, tell);
    }
}

impl<T: Float> Layer<T> for Sequential<T> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.0.forward(x)
    }
}

impl<T: Float> fmt::Debug for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::model::picture::<T>(self, f)
    }
}
