//! Things with parameters, and how to reach them.

use std::fmt;

use autograd::Var;
use tensor::Float;

use crate::Param;

/// A thing with parameters: a layer, a model, a part of one.
///
/// The macro [`module!`](crate::module!) writes the implementation for a struct.
pub trait Module<T: Float = f32> {
    /// Calls `visit` with the path and value of every parameter, in the order in which the model names its parts.
    fn visit<'a>(&'a self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &'a Param<T>));

    /// Calls `visit` with the path of every parameter and the parameter, to be changed, in the same order.
    fn visit_mut(&mut self, path: Path<'_>, visit: &mut dyn FnMut(Path<'_>, &mut Param<T>));

    /// Every parameter with its path, such as `hidden.weight`.
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
        let mut found = Vec::new();
        self.visit(Path::root(), &mut |path, param| found.push((path.to_string(), param)));
        found
    }

    /// How many numbers are trained: the elements of all parameters.
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit(Path::root(), &mut |_, param| count += param.value().numel());
        count
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
    use tensor::Tensor;

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
}
