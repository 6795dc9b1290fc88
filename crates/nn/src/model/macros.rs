//! The macro that makes a struct a module.

/// Makes a struct a [`Module`](crate::Module) by naming its parts, which are modules: parameters, layers, other structs, and
/// options, vectors, arrays and boxes of them. `Debug` then shows the model in PyTorch's manner, a line for each layer.
///
/// | form | for |
/// |---|---|
/// | `module!(Mlp { hidden, output })` | a struct in f32 |
/// | `module!(Pair { 0, 1 })` | a tuple struct |
/// | `module!(impl<T> Mlp<T> { hidden, output })` | one that is generic in its float, which is the first parameter and has no bound but `Float` |
/// | `module!(impl<T, const N: usize, L: Layer<T>> Net<T, N, L> { layers })` | further parameters, with their bounds |
/// | `module!(impl<L: Layer> Stack<L> { layers })` | one in f32 with other parameters |
/// | `module!(Mlp { hidden, .. })` | a struct with fields that are no modules |
/// | `module!(Scale { factors as "weight" })` | a part with another name in PyTorch |
/// | `module!(Mlp { hidden }, without Debug)` | a struct with a `Debug` of its own |
///
/// A part with another name or another order of axes in PyTorch may say so, for files from and to PyTorch: `weight
/// as "weight_ih_l0" [1, 0]` is `weight_ih_l0` there, and transposed.
///
/// Every field must be named, or the model does not compile: a forgotten one would stay untrained.
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
/// nn::module!(Two { a }); // error: missing field `b` in initializer of `Two`
/// ```
#[macro_export]
macro_rules! module {
    // The parameters of `impl<…>`, token by token up to the `>` that closes them. Of those that are open, each has a `<` in
    // the second brackets.
    (@generics [$($done:tt)*] [] > $Model:ty { $($parts:tt)* } $($debug:tt)*) => {
        $crate::module!(@float [$($done)*] [$Model] [$($debug)*] $($parts)*);
    };
    (@generics [$($done:tt)*] [<] >> $Model:ty { $($parts:tt)* } $($debug:tt)*) => {
        $crate::module!(@float [$($done)* >] [$Model] [$($debug)*] $($parts)*);
    };
    (@generics [$($done:tt)*] [< $($open:tt)*] > $($rest:tt)*) => {
        $crate::module!(@generics [$($done)* >] [$($open)*] $($rest)*);
    };
    (@generics [$($done:tt)*] [< < $($open:tt)*] >> $($rest:tt)*) => {
        $crate::module!(@generics [$($done)* >>] [$($open)*] $($rest)*);
    };
    (@generics [$($done:tt)*] [$($open:tt)*] < $($rest:tt)*) => {
        $crate::module!(@generics [$($done)* <] [< $($open)*] $($rest)*);
    };
    (@generics [$($done:tt)*] [$($open:tt)*] $next:tt $($rest:tt)*) => {
        $crate::module!(@generics [$($done)* $next] [$($open)*] $($rest)*);
    };
    // Which of them is the float.
    (@float [$T:ident $(, $($more:tt)*)?] $($rest:tt)*) => {
        $crate::module!(@parts [$T: $crate::private::Float $(, $($more)*)?] $T $($rest)*);
    };
    (@float [$T:ident: Float $($more:tt)*] $($rest:tt)*) => {
        $crate::module!(@parts [$T: $crate::private::Float $($more)*] $T $($rest)*);
    };
    (@float [$($generics:tt)*] $($rest:tt)*) => {
        $crate::module!(@parts [$($generics)*] f32 $($rest)*);
    };
    // The fields, and whether they are all.
    (@parts [$($generics:tt)*] $T:tt [$Model:ty] $debug:tt $($parts:tt)*) => {
        impl<$($generics)*> $crate::Module<$T> for $Model {
            $crate::module!(@visit $T; []; $($parts)*);
        }

        $crate::module!(@debug $debug [$($generics)*] $T [$Model]);
    };
    (@visit $T:tt; [$({$part:tt $($torch:tt)*})*]; ..) => {
        $crate::module!(@fields $T; []; $({$part $($torch)*})*);
    };
    (@visit $T:tt; [$($done:tt)*]; $next:tt $(as $name:literal)? $([$($axis:literal),*])? $(, $($rest:tt)*)?) => {
        $crate::module!(@visit $T; [$($done)* {$next $(as $name)? $([$($axis),*])?}]; $($($rest)*)?);
    };
    (@visit $T:tt; [$({$part:tt $($torch:tt)*})*];) => {
        // Never run: a field that is not named is an error that names it.
        $crate::module!(@fields $T; [
            #[allow(unreachable_code, clippy::diverging_sub_expression)]
            let _ = || Self { $($part: ::core::unreachable!(),)* };
        ]; $({$part $($torch)*})*);
    };
    // A path in PyTorch, where that is said.
    (@path $path:expr;) => { $path };
    (@path $path:expr; as $name:literal $([$($axis:literal),*])?) => {
        $path.in_torch(&$crate::private::InTorch {
            name: ::core::option::Option::Some($name),
            axes: &[$($($axis),*)?],
        })
    };
    (@path $path:expr; [$($axis:literal),*]) => {
        $path.in_torch(&$crate::private::InTorch { name: ::core::option::Option::None, axes: &[$($axis),*] })
    };
    (@fields $T:tt; [$($check:tt)*]; $({$part:tt $($torch:tt)*})*) => {
        fn visit<'module>(
            &'module self,
            path: $crate::ParamPath<'_>,
            visit: &mut dyn ::core::ops::FnMut($crate::ParamPath<'_>, &'module $crate::Param<$T>),
        ) {
            $($check)*
            let _ = (&path, &visit);
            $({
                let path = path.field(::core::stringify!($part));
                $crate::Module::<$T>::visit(&self.$part, $crate::module!(@path path; $($torch)*), visit);
            })*
        }

        fn visit_mut<'module>(
            &'module mut self,
            path: $crate::ParamPath<'_>,
            visit: &mut dyn ::core::ops::FnMut($crate::ParamPath<'_>, &'module mut $crate::Param<$T>),
        ) {
            let _ = (&path, &visit);
            $({
                let path = path.field(::core::stringify!($part));
                $crate::Module::<$T>::visit_mut(&mut self.$part, $crate::module!(@path path; $($torch)*), visit);
            })*
        }

        fn outline(&self, path: $crate::ParamPath<'_>, tell: &mut dyn ::core::ops::FnMut($crate::ParamPath<'_>, ::std::string::String)) {
            tell(path, $crate::Module::<$T>::describe(self));
            $($crate::Module::<$T>::outline(&self.$part, path.field(::core::stringify!($part)), tell);)*
        }
    };
    (@debug [] [$($generics:tt)*] $T:tt [$Model:ty]) => {
        impl<$($generics)*> ::core::fmt::Debug for $Model {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                $crate::private::picture::<$T>(self, f)
            }
        }
    };
    (@debug [, without Debug] $($rest:tt)*) => {};
    (impl<$($rest:tt)*) => {
        $crate::module!(@generics [] [] $($rest)*);
    };
    ($Model:ty { $($parts:tt)* } $($debug:tt)*) => {
        $crate::module!(@parts [] f32 [$Model] [$($debug)*] $($parts)*);
    };
}

#[cfg(test)]
mod tests {
    use tensor::{Float, Tensor};

    use crate::{Layer, Linear, Module, Param};

    fn paths<T: Float>(module: &dyn Module<T>) -> Vec<String> {
        module.parameters().into_iter().map(|(path, _)| path).collect()
    }

    fn param<T: Float>() -> Param<T> {
        Param::new(Tensor::zeros([1]))
    }

    struct Pair(Param, Vec<Param>);
    module!(Pair { 0, 1 });

    struct Generic<T: Float, const N: usize, L: Layer<T>> {
        layers: [L; N],
        scale: Param<T>,
    }
    module!(impl<T, const N: usize, L: Layer<T>> Generic<T, N, L> { layers, scale });

    struct Bounded<T: Float + Default, M>
    where
        M: Module<T>,
    {
        a: Option<M>,
        b: Param<T>,
    }
    module!(impl<T: Float + Default, M: Module<T> + Send> Bounded<T, M> { a, b });

    struct InF32<'a, L: Layer<f32> + Sync, const N: usize> {
        layers: Vec<L>,
        names: [&'a str; N],
    }
    module!(impl<'a, L: Layer<f32> + Sync, const N: usize> InF32<'a, L, N> { layers, .. });

    struct Nested<L: Layer<f32>> {
        inner: Vec<Option<Box<L>>>,
    }
    module!(impl<L: Layer<f32>> Nested<L> { inner });

    struct Nothing;
    module!(Nothing {});

    /// With a `Debug` of its own.
    #[derive(Debug)]
    struct Derived {
        weight: Param,
    }
    module!(Derived { weight }, without Debug);

    #[test]
    fn structs_of_all_kinds_are_modules() {
        let mut pair = Pair(param(), vec![param(), param()]);
        assert_eq!(paths(&pair), ["0", "1.0", "1.1"]);
        assert_eq!(pair.parameters_mut().len(), 3);
        let linear = || Linear { weight: param(), bias: None };
        let generic = Generic { layers: [linear(), linear()], scale: param() };
        assert_eq!(paths(&generic), ["layers.0.weight", "layers.1.weight", "scale"]);
        assert_eq!(paths::<f64>(&Bounded { a: Some(param()), b: param() }), ["a", "b"]);
        let in_f32 = InF32 { layers: vec![linear()], names: ["one"] };
        assert_eq!((paths(&in_f32).len(), in_f32.names), (1, ["one"]));
        assert_eq!(paths(&Nested { inner: vec![None, Some(Box::new(linear()))] }), ["inner.1.weight"]);
        assert!(paths(&Nothing).is_empty());
        assert!(format!("{:?}", Derived { weight: param() }).starts_with("Derived { weight: Param {"));
    }
}
