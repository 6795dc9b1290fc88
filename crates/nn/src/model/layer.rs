//! Modules that map one value to another, and sequences of them.

use std::panic::Location;

use autograd::Var;
use tensor::{Activation, Float, Within};

use crate::model::Module;
use crate::model::Param;
use crate::model::ParamPath;

/// A module that maps one value to another.
///
/// A vector, an array or a slice of layers is a layer too, which applies one after the other: PyTorch's `nn.Sequential`. An
/// option may leave a layer out, and an [`Activation`] is a layer, as is a closure by [`func`].
///
/// # Example
/// ```
/// use autograd::Tape;
/// use init::{Gain, kaiming_normal};
/// use nn::{Dropout, Layer, Linear, func};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::{Activation, Tensor};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let model: Vec<Box<dyn Layer>> = vec![
///     Box::new(Linear::new(2, 16, &kaiming_normal(Gain::Relu), &mut rng)?),
///     Box::new(Activation::Relu),
///     Box::new(Dropout::new(0.1)?),
///     Box::new(Linear::new(16, 2, &init::normal(0.01), &mut rng)?),
///     Box::new(func(|x| 0.5 * x)),
/// ];
/// let tape = Tape::new();
/// tape.seed(42, 0); // for the dropout
/// assert_eq!(model.forward(tape.constant(Tensor::ones([3, 2]))).shape().dims(), [3, 2]);
/// # Ok::<(), nn::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer of `{T}`",
    label = "cannot map one value on a tape to another",
    note = "`func(|x| …)` makes a layer of a closure; a struct that is a module needs `impl Layer`, with its `forward`"
)]
pub trait Layer<T: Float = f32>: Module<T> + Send + Sync {
    /// The layer's result for `x`, on the tape of `x`.
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T>;
}

impl<T: Float, L: Layer<T>> Layer<T> for [L] {
    #[track_caller]
    fn forward<'t>(&self, mut x: Var<'t, T>) -> Var<'t, T> {
        let called = Location::caller();
        if x.tape().is_training() {
            for (number, layer) in self.iter().enumerate() {
                let _within = Within::layer(number, called);
                x = layer.forward(x);
            }
            return x;
        }
        x.chain(self.iter().enumerate(), |(number, layer), x| {
            let _within = Within::layer(number, called);
            layer.forward(x)
        })
    }
}

impl<T: Float, L: Layer<T>> Layer<T> for Vec<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.as_slice().forward(x)
    }
}

impl<T: Float, L: Layer<T>, const N: usize> Layer<T> for [L; N] {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.as_slice().forward(x)
    }
}

impl<T: Float, L: Layer<T>> Layer<T> for Option<L> {
    /// The input itself, if there is no layer.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        match self {
            Some(layer) => layer.forward(x),
            None => x,
        }
    }
}

impl<T: Float, L: Layer<T> + ?Sized> Layer<T> for Box<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        (**self).forward(x)
    }
}

impl<T: Float> Module<T> for Activation {
    fn visit<'a>(&'a self, _: ParamPath<'_>, _: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {}

    fn visit_mut<'a>(&'a mut self, _: ParamPath<'_>, _: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {}

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

impl<T: Float> Layer<T> for Activation {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.activation(*self)
    }
}

/// A closure as a layer without parameters; [`func`] makes it.
#[derive(Clone, Copy)]
pub struct Func<F>(F);

/// Makes a layer of a closure.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, func};
/// use tensor::Tensor;
///
/// let shift = func(|x| x + 1.0);
/// assert_eq!(shift.forward(Tape::new().constant(Tensor::from([1.0]))).value(), Tensor::from([2.0]));
/// ```
pub fn func<T: Float, F>(f: F) -> Func<F>
where
    F: for<'t> Fn(Var<'t, T>) -> Var<'t, T> + Send + Sync,
{
    Func(f)
}

impl<T: Float, F> Module<T> for Func<F> {
    fn visit<'a>(&'a self, _: ParamPath<'_>, _: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {}

    fn visit_mut<'a>(&'a mut self, _: ParamPath<'_>, _: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {}
}

impl<T: Float, F> Layer<T> for Func<F>
where
    F: for<'t> Fn(Var<'t, T>) -> Var<'t, T> + Send + Sync,
{
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.0(x)
    }
}

impl<F> std::fmt::Debug for Func<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Func")
    }
}

#[cfg(test)]
mod tests {
    use autograd::Tape;
    use tensor::Tensor;

    use super::*;

    #[test]
    fn containers_apply_their_layers_in_order() {
        let tape = Tape::new();
        let x = tape.constant(Tensor::from([2.0]));
        let (twice, more) = (func(|x| 2.0 * x), func(|x| x + 1.0));
        let boxed: Vec<Box<dyn Layer>> =
            vec![Box::new(twice), Box::new(more), Box::new(Some(twice)), Box::new([more; 2])];
        assert_eq!(boxed.forward(x).value(), Tensor::from([12.0]));
        let none: Option<Activation> = None;
        assert_eq!(none.forward(x).value(), x.value());
        assert_eq!(Some(Activation::Tanh).forward(x).value(), x.tanh().value());
        assert_eq!(Vec::<Box<dyn Layer>>::new().forward(x).value(), x.value());
        fn sent<S: Send + Sync>(_: &S) {}
        sent(&boxed);
    }
}
