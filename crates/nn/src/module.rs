//! Things with parameters and state, and how to reach them.

use std::fmt;

use autograd::{Gradients, Tape, Updates, Var};
use tensor::{Float, Tensor};

use crate::Param;

/// A thing with parameters and state: a layer, a model, a part of one.
///
/// The macro [`module!`](crate::module!) writes the implementation for a struct.
pub trait Module<T: Float = f32> {
    /// Calls `visit` with the path and value of every parameter, state too, in the order in which the model names its
    /// parts.
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>));

    /// Calls `visit` with the path of every parameter and the parameter, to be changed, in the same order.
    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>));

    /// Every weight with its path, such as `hidden.weight`: what is trained.
    ///
    /// # Example
    /// ```
    /// use init::{Gain, kaiming_normal};
    /// use nn::{Linear, Module};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let layer: Linear = Linear::new(30, 200, &kaiming_normal(Gain::Tanh), &mut rng)?;
    /// let shapes: Vec<_> = layer.parameters().into_iter().map(|(path, p)| (path, p.value().shape().clone())).collect();
    /// assert_eq!(format!("{shapes:?}"), r#"[("weight", [30, 200]), ("bias", [200])]"#);
    /// # Ok::<(), nn::Error>(())
    /// ```
    fn parameters(&self) -> Vec<(String, &Param<T>)> {
        self.everything().into_iter().filter(|(_, param)| param.is_trained()).collect()
    }

    /// Every state with its path, such as `norm.running_mean`: what is not trained, and yet a part of the model. PyTorch's
    /// `named_buffers`.
    ///
    /// # Example
    /// ```
    /// use nn::{BatchNorm1d, Module};
    ///
    /// let norm: BatchNorm1d = BatchNorm1d::new(4)?;
    /// let paths: Vec<_> = norm.state().into_iter().map(|(path, _)| path).collect();
    /// assert_eq!(paths, ["running_mean", "running_var"]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    fn state(&self) -> Vec<(String, &Param<T>)> {
        self.everything().into_iter().filter(|(_, param)| !param.is_trained()).collect()
    }

    /// Weights and state, with their paths: what is to be saved. PyTorch's `state_dict`.
    fn everything(&self) -> Vec<(String, &Param<T>)> {
        let mut found = Vec::new();
        self.visit(Path::root(), &mut |path, param| found.push((path.to_string(), param)));
        found
    }

    /// How many numbers are trained: the elements of all weights.
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit(Path::root(), &mut |_, param| count += if param.is_trained() { param.value().numel() } else { 0 });
        count
    }

    /// Tells a tape the paths of all parameters, so that what it prints names the module that each value belongs to. Once
    /// is enough for all passes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use init::normal;
    /// use nn::{Linear, Module, module};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// struct Mlp {
    ///     hidden: Linear,
    ///     output: Linear,
    /// }
    ///
    /// module!(Mlp { hidden, output });
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let mut layer = |fan_in, fan_out| Linear::new(fan_in, fan_out, &normal(1.0), &mut rng);
    /// let model = Mlp { hidden: layer(2, 8)?, output: layer(8, 3)? };
    /// let tape = Tape::new();
    /// model.label(&tape);
    /// let h = model.hidden.forward(tape.constant(Tensor::ones([4, 2]))).tanh();
    /// let y = model.output.forward(h);
    /// assert_eq!([h, y].map(|v| v.path().unwrap().to_string()), ["hidden", "output"]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    fn label(&self, tape: &Tape<T>) {
        self.visit(Path::root(), &mut |path, param| tape.set_path(param.id(), path.to_string()));
    }

    /// Carries out what a pass has put aside for the state of this model: what an optimizer's step does, for a pass that no
    /// step follows.
    fn apply(&mut self, updates: &Updates<T>) {
        if !updates.is_empty() {
            self.visit_mut(Path::root(), &mut |_, param| updates.apply(param.id(), param.value_mut()));
        }
    }

    /// The frame of every optimizer's step: calls `step` with each weight that has a gradient, to be changed, and the
    /// gradient; and carries out what the pass has put aside for the state.
    ///
    /// # Panics
    /// No weight has a gradient: these are the gradients of another model.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Module, Param};
    /// use tensor::Tensor;
    ///
    /// let mut w = Param::new(Tensor::from([3.0]));
    /// let gradients = w.on(&Tape::new()).scale(2.0).sum(..).backward();
    /// w.update(&gradients, &mut |w, gradient| w.value_mut().axpy(-0.5, gradient)); // descent with a rate of 0.5
    /// assert_eq!(w.value(), &Tensor::from([2.0]));
    /// ```
    #[track_caller]
    fn update(&mut self, gradients: &Gradients<T>, step: &mut dyn FnMut(&mut Param<T>, &Tensor<T>)) {
        let mut moved = 0;
        self.visit_mut(Path::root(), &mut |_, param| {
            if let Some(gradient) = gradients.named(param.id()) {
                step(param, gradient);
                moved += 1;
            }
        });
        assert!(moved > 0, "step: no parameter of the model has a gradient; were these taken from a clone of it?");
        self.apply(gradients.updates());
    }
}

/// A module that maps one value to another.
pub trait Layer<T: Float = f32>: Module<T> {
    /// The layer's result for `x`, on the tape of `x`.
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T>;
}

/// Where in a model a parameter is, such as `layers.1.weight`. It lives on the stack and is spelled out only when asked.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    above: Option<&'a Path<'a>>,
    part: Part<'a>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The model itself.
    pub fn root() -> Self {
        Path { above: None, part: Part::Root }
    }

    /// The part of this one that has this name.
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path { above: Some(self), part: Part::Field(name) }
    }

    /// The part of this one that has this number.
    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path { above: Some(self), part: Part::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
            if !matches!(above.part, Part::Root) {
                f.write_str(".")?;
            }
        }
        match self.part {
            Part::Root => Ok(()),
            Part::Field(name) => f.write_str(name),
            Part::Index(index) => write!(f, "{index}"),
        }
    }
}

impl<T: Float> Module<T> for Param<T> {
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>)) {
        visit(path, self);
    }

    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>)) {
        visit(path, self);
    }
}

impl<T: Float, M: Module<T>> Module<T> for Option<M> {
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>)) {
        if let Some(module) = self {
            module.visit(path, visit);
        }
    }

    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>)) {
        if let Some(module) = self {
            module.visit_mut(path, visit);
        }
    }
}

impl<T: Float, M: Module<T>> Module<T> for [M] {
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>)) {
        for (index, module) in self.iter().enumerate() {
            module.visit(path.index(index), visit);
        }
    }

    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>)) {
        for (index, module) in self.iter_mut().enumerate() {
            module.visit_mut(path.index(index), visit);
        }
    }
}

impl<T: Float, M: Module<T>> Module<T> for Vec<M> {
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>)) {
        self.as_slice().visit(path, visit);
    }

    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>)) {
        self.as_mut_slice().visit_mut(path, visit);
    }
}

impl<T: Float, M: Module<T>, const N: usize> Module<T> for [M; N] {
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>)) {
        self.as_slice().visit(path, visit);
    }

    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>)) {
        self.as_mut_slice().visit_mut(path, visit);
    }
}

impl<T: Float, M: Module<T> + ?Sized> Module<T> for Box<M> {
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>)) {
        (**self).visit(path, visit);
    }

    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>)) {
        (**self).visit_mut(path, visit);
    }
}

/// Makes a struct a [`Module`] by naming its parts, which are modules: parameters, layers, and options, vectors, arrays
/// and boxes of them.
///
/// `module!(Mlp { hidden, output })` is for a struct in f32, `module!(impl<T> Mlp<T> { hidden, output })` for one that
/// is generic in its float. Every field must be named, or the model does not compile: a forgotten one would stay
/// untrained. Two dots at the end, `{ hidden, output, .. }`, leave out fields that are not modules.
///
/// # Example
/// ```
/// use nn::{Module, Param};
/// use tensor::{Float, Tensor};
///
/// struct Scale<T: Float> {
///     factors: Vec<Param<T>>,
///     label: String,
/// }
///
/// nn::module!(impl<T> Scale<T> { factors, .. });
///
/// let factors = vec![Param::new(Tensor::<f64>::ones([3]))];
/// let scale = Scale { factors, label: "gain".into() };
/// assert_eq!(scale.parameters()[0].0, "factors.0");
/// ```
///
/// ```compile_fail
/// # use nn::Param;
/// struct Two { a: Param, b: Param }
/// nn::module!(Two { a }); // error: pattern does not mention field `b`
/// ```
#[macro_export]
macro_rules! module {
    (impl<$T:ident> $Model:ty { $($parts:tt)* }) => {
        impl<$T: $crate::private::Float> $crate::Module<$T> for $Model {
            $crate::module!(@visit $T; []; $($parts)*);
        }
    };
    (@visit $T:ident; [$($part:ident)*]; $next:ident $(, $($rest:tt)*)?) => {
        $crate::module!(@visit $T; [$($part)* $next]; $($($rest)*)?);
    };
    (@visit $T:ident; [$($part:ident)*]; $($others:tt)*) => {
        fn visit<'a>(
            &'a self,
            path: $crate::Path<'_>,
            visit: &mut dyn FnMut($crate::Path<'_>, &'a $crate::Param<$T>),
        ) {
            let Self { $($part,)* $($others)* } = self;
            let _ = (&path, &visit);
            $($crate::Module::visit($part, path.field(stringify!($part)), visit);)*
        }

        fn visit_mut(
            &mut self,
            path: $crate::Path<'_>,
            visit: &mut dyn FnMut($crate::Path<'_>, &mut $crate::Param<$T>),
        ) {
            let Self { $($part,)* $($others)* } = self;
            let _ = (&path, &visit);
            $($crate::Module::visit_mut($part, path.field(stringify!($part)), visit);)*
        }
    };
    ($Model:ty { $($parts:tt)* }) => {
        impl $crate::Module<f32> for $Model {
            $crate::module!(@visit f32; []; $($parts)*);
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Part {
        weight: Param,
        bias: Option<Param>,
    }

    struct Whole {
        parts: Vec<Part>,
        scale: Param,
    }

    module!(Part { weight, bias });
    module!(Whole { parts, scale });

    #[test]
    fn every_parameter_is_visited_once_in_order_with_its_path() {
        let param = |n: usize| Param::new(Tensor::zeros([n]));
        let mut whole = Whole {
            parts: vec![Part { weight: param(2), bias: Some(param(3)) }, Part { weight: param(4), bias: None }],
            scale: param(5),
        };
        let paths: Vec<String> = whole.parameters().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["parts.0.weight", "parts.0.bias", "parts.1.weight", "scale"]);
        assert_eq!(whole.parameter_count(), 14);
        let mut again = Vec::new();
        whole.visit_mut(Path::root(), &mut |path, _| again.push(path.to_string()));
        assert_eq!(again, paths);
    }

    #[test]
    fn state_is_visited_and_neither_counted_nor_trained() {
        let mut part =
            Part { weight: Param::new(Tensor::ones([2])), bias: Some(Param::state(Tensor::from([1.0, 2.0]))) };
        let paths = |list: Vec<(String, &Param)>| list.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(paths(part.parameters()), ["weight"]);
        assert_eq!(paths(part.state()), ["bias"]);
        assert_eq!(paths(part.everything()), ["weight", "bias"]);
        assert_eq!(part.parameter_count(), 2);
        assert!(!part.bias.clone().unwrap().is_trained());

        let tape = Tape::new();
        let (weight, state) = (part.weight.on(&tape), part.bias.as_ref().unwrap().on(&tape));
        let twice = |state: &mut Tensor| *state *= 2.0;
        tape.put_aside(part.bias.as_ref().unwrap().id(), twice);
        let gradients = (weight * state).sum(..).backward();
        assert!(gradients.named(part.bias.as_ref().unwrap().id()).is_none());
        drop(tape);
        part.update(&gradients, &mut |w, g| w.value_mut().axpy(1.0, g));
        assert_eq!(part.weight.value(), &Tensor::from([2.0, 3.0]));
        assert_eq!(part.bias.as_ref().unwrap().value(), &Tensor::from([2.0, 4.0]));
        // What the pass found is applied once, whoever brings it.
        part.apply(gradients.updates());
        assert_eq!(part.bias.as_ref().unwrap().value(), &Tensor::from([2.0, 4.0]));
    }
}
