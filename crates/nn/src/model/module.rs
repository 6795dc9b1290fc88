//! Things with parameters and state, and how to reach them.

use autograd::{Gradients, Tape, Updates};
use tensor::{Float, Tensor};

use crate::error::{Error, list, named};
use crate::model::{Kind, Param};
use crate::model::{ParamPath, matches};

/// A thing with parameters and state: a layer, a model, a part of one.
///
/// The macro [`module!`](crate::module!) writes the implementation for a struct.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module of `{T}`",
    label = "has no parameters that an optimizer or a file could find",
    note = "the macro `module!` makes a struct a module, given the names of its parts: `module!(Mlp {{ hidden, output }});`",
    note = "a model in f32 is a `Module`, one that is generic in its float a `Module<T>`"
)]
pub trait Module<T: Float = f32> {
    /// Calls `visit` with the path and value of every parameter, state too, in the order in which the model names its
    /// parts.
    fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>));

    /// Calls `visit` with the path of every parameter and the parameter, to be changed, in the same order.
    fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>));

    /// Calls `tell` with its own path and what it is [called](Self::describe), then so for its parts: for a picture of the model. A
    /// module that tells of no parts is shown by its parameters alone.
    fn outline(&self, path: ParamPath<'_>, tell: &mut dyn FnMut(ParamPath<'_>, String)) {
        tell(path, self.describe());
    }

    /// What it is called in such a picture: the name of its type, with what is set of it.
    fn describe(&self) -> String {
        let name = std::any::type_name::<Self>();
        let name = name.split('<').next().unwrap_or(name);
        name.rsplit("::").next().unwrap_or(name).to_owned()
    }

    /// Every weight with its path, such as `hidden.weight`, frozen ones too. PyTorch's `named_parameters`.
    ///
    /// # Example
    /// ```
    /// use init::{Gain, kaiming_normal};
    /// use nn::{Linear, Module};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let layer = Linear::new(30, 200, &kaiming_normal(Gain::Tanh), &mut rng)?;
    /// let shapes: Vec<_> = layer.parameters().into_iter().map(|(path, p)| (path, p.value().shape().clone())).collect();
    /// assert_eq!(format!("{shapes:?}"), r#"[("weight", [30, 200]), ("bias", [200])]"#);
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "named_parameters")]
    fn parameters(&self) -> Vec<(String, &Param<T>)> {
        let mut found = Vec::new();
        self.visit(ParamPath::root(), &mut |path, param| {
            if param.kind() != Kind::State {
                found.push((path.to_string(), param));
            }
        });
        found
    }

    /// Every weight with its path, to be changed, in the same order.
    ///
    /// # Example
    /// ```
    /// use nn::{Module, Param};
    /// use tensor::Tensor;
    ///
    /// fn load(model: &mut dyn Module, read: impl Fn(&str) -> Result<Tensor, String>) -> Result<(), String> {
    ///     for (path, param) in model.parameters_mut() {
    ///         *param.value_mut() = read(&path)?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let mut model = vec![Param::new(Tensor::zeros([2])), Param::new(Tensor::zeros([2]))];
    /// load(&mut model, |path| Ok(Tensor::full([2], path.parse().map_err(|_| format!("no number: {path}"))?)))?;
    /// assert_eq!(model[1].value(), &Tensor::from([1.0, 1.0]));
    /// # Ok::<(), String>(())
    /// ```
    fn parameters_mut(&mut self) -> Vec<(String, &mut Param<T>)> {
        let mut found = Vec::new();
        self.visit_mut(ParamPath::root(), &mut |path, param| {
            if param.kind() != Kind::State {
                found.push((path.to_string(), param));
            }
        });
        found
    }

    /// Every state with its path, such as `norm.running_mean`: what is not trained, and yet a part of the model. PyTorch's
    /// `named_buffers`.
    ///
    /// # Example
    /// ```
    /// use nn::{BatchNorm1d, Module};
    ///
    /// let norm = BatchNorm1d::new(4);
    /// let paths: Vec<_> = norm.state().into_iter().map(|(path, _)| path).collect();
    /// assert_eq!(paths, ["running_mean", "running_var"]);
    /// ```
    #[doc(alias = "named_buffers")]
    fn state(&self) -> Vec<(String, &Param<T>)> {
        let mut found = Vec::new();
        self.visit(ParamPath::root(), &mut |path, param| {
            if param.kind() == Kind::State {
                found.push((path.to_string(), param));
            }
        });
        found
    }

    /// Weights and state, with their paths: what is to be saved. PyTorch's `state_dict`.
    fn state_dict(&self) -> Vec<(String, &Param<T>)> {
        let mut found = Vec::new();
        self.visit(ParamPath::root(), &mut |path, param| found.push((path.to_string(), param)));
        found
    }

    /// Weights and state, with their paths, to be changed: what is to be loaded.
    fn state_dict_mut(&mut self) -> Vec<(String, &mut Param<T>)> {
        let mut found = Vec::new();
        self.visit_mut(ParamPath::root(), &mut |path, param| found.push((path.to_string(), param)));
        found
    }

    /// The values of weights and state, in the model's order. They share its memory until it changes.
    ///
    /// # Example
    /// ```
    /// use nn::{Module, Param};
    /// use tensor::Tensor;
    ///
    /// let mut w = Param::new(Tensor::from([1.0, 2.0]));
    /// let best = w.values();
    /// *w.value_mut() = Tensor::from([5.0, 5.0]); // steps that lead nowhere
    /// w.assign(&best);
    /// assert_eq!(w.value(), &Tensor::from([1.0, 2.0]));
    /// ```
    fn values(&self) -> Vec<Tensor<T>> {
        let mut values = Vec::new();
        self.visit(ParamPath::root(), &mut |_, param| values.push(param.value().clone()));
        values
    }

    /// Gives weights and state the values that [`values`](Self::values) has given.
    ///
    /// # Panics
    /// There are more or fewer, or one has another shape: they are of another model. Nothing is changed.
    #[track_caller]
    fn assign(&mut self, values: &[Tensor<T>]) {
        let (mut shapes, mut parameters) = (values.iter().map(Tensor::shape), self.state_dict().into_iter());
        if let Some((path, param)) = parameters.find(|(_, param)| shapes.next() != Some(param.value().shape())) {
            panic!("assign: the values are of another model: {} is {}", named(&path), param.value().shape());
        }
        assert!(shapes.next().is_none(), "assign: the values are of another model, which has more of them");
        let mut values = values.iter();
        self.visit_mut(ParamPath::root(), &mut |_, param| {
            *param.value_mut() = values.next().expect("as many as parameters").clone();
            param.clear_padding();
        });
    }

    /// The elements of all weights, frozen ones too.
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit(ParamPath::root(), &mut |_, param| {
            count += if param.kind() == Kind::State { 0 } else { param.value().numel() };
        });
        count
    }

    /// Freezes every weight whose path matches `pattern` (`*` matches any text), and returns how many. Frozen weights stay parts
    /// of the model, are constants on a tape, and no optimizer moves them. PyTorch's `requires_grad_(False)`.
    ///
    /// # Errors
    /// No weight matches the pattern; nothing is changed.
    ///
    /// # Example
    /// ```
    /// use nn::{Embedding, Linear, Module};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// struct Model {
    ///     embedding: Embedding,
    ///     output: Linear,
    /// }
    /// nn::module!(Model { embedding, output });
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let mut model = Model {
    ///     embedding: Embedding::new(27, 10, &init::normal(1.0), &mut rng)?,
    ///     output: Linear::new(10, 27, &init::normal(0.01), &mut rng)?,
    /// };
    /// assert_eq!(model.freeze("embedding*")?, 1);
    /// assert!(!model.embedding.weight.is_trained());
    /// assert_eq!(model.unfreeze("*")?, 3);
    /// assert_eq!(
    ///     model.freeze("embeding*").unwrap_err().to_string(),
    ///     r#"no weight matches the pattern "embeding*"; there are embedding.weight, output.weight, output.bias"#
    /// );
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "trainable")]
    #[doc(alias = "requires_grad_")]
    fn freeze(&mut self, pattern: &str) -> Result<usize, Error> {
        set_frozen(self.parameters_mut(), pattern, true)
    }

    /// Trains every weight whose path matches `pattern` again, and returns how many; see [`freeze`](Self::freeze).
    ///
    /// # Errors
    /// No weight matches the pattern.
    fn unfreeze(&mut self, pattern: &str) -> Result<usize, Error> {
        set_frozen(self.parameters_mut(), pattern, false)
    }

    /// Tells a tape the paths of all parameters, so that what it prints names the module that each value belongs to. Once
    /// is enough for all passes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use init::normal;
    /// use nn::{Layer, Linear, Module, module};
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
        self.visit(ParamPath::root(), &mut |path, param| tape.set_path(param.id(), path.to_string()));
    }

    /// Applies the changes of state that a pass has deferred. An optimizer's step does this; call it after a pass that no step
    /// follows.
    fn apply(&mut self, updates: &Updates<T>) {
        if !updates.is_empty() {
            self.visit_mut(ParamPath::root(), &mut |_, param| param.apply_updates(updates));
        }
    }

    /// The frame of every optimizer's step: calls `step` with each trained weight that has a gradient, its path, and the
    /// gradient; and applies the changes of state that the pass has deferred.
    ///
    /// # Panics
    /// No weight has a gradient: these are the gradients of another model. Or an [average](crate::WeightAverage) is in the weights'
    /// place; nothing is moved.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Module, Param};
    /// use tensor::Tensor;
    ///
    /// let mut w = Param::new(Tensor::from([3.0]));
    /// let gradients = w.on(&Tape::new()).scale(2.0).sum(..).backward();
    /// w.update(&gradients, &mut |_, w, gradient| w.value_mut().axpy(-0.5, gradient)); // descent with a learning rate of 0.5
    /// assert_eq!(w.value(), &Tensor::from([2.0]));
    /// ```
    #[track_caller]
    #[allow(clippy::type_complexity, reason = "a name for it would have to be looked up")]
    fn update(&mut self, gradients: &Gradients<T>, step: &mut dyn FnMut(ParamPath<'_>, &mut Param<T>, &Tensor<T>)) {
        if let Some(why) = lent(self) {
            panic!("step: {why}");
        }
        let mut moved = 0;
        self.visit_mut(ParamPath::root(), &mut |path, param| {
            if let Some(gradient) = gradients.named(param.id()).filter(|_| param.is_trained()) {
                step(path, param, gradient);
                moved += 1;
            }
        });
        if moved == 0 {
            let mut weights = Vec::new();
            self.visit(ParamPath::root(), &mut |path, _| weights.push(path.to_string()));
            panic!("{}", none_of(&weights));
        }
        self.apply(gradients.updates());
    }
}

/// What is said of a model in which an average has taken the weights' place, if one has.
pub(crate) fn lent<T: Float>(model: &(impl Module<T> + ?Sized)) -> Option<&'static str> {
    let mut any = false;
    model.visit(ParamPath::root(), &mut |_, param| any |= param.is_lent());
    any.then_some(
        "an average is in the place of the model's weights; swap it out again before, or drop it to go on with it",
    )
}

/// What is said of gradients among which there is none of a model's weights.
pub(crate) fn none_of(weights: &[String]) -> String {
    let weights = list(weights);
    format!("step: no weight of the model has a gradient: none of {weights}; were these taken from a clone of it?")
}

fn set_frozen<T: Float>(parameters: Vec<(String, &mut Param<T>)>, pattern: &str, frozen: bool) -> Result<usize, Error> {
    let (mut met, mut weights) = (0, Vec::new());
    for (path, param) in parameters {
        if matches(pattern, &path) {
            param.set_frozen(frozen);
            met += 1;
        }
        weights.push(path);
    }
    if met == 0 { Err(Error::NoMatch { pattern: pattern.to_owned(), weights }) } else { Ok(met) }
}

impl<T: Float> Module<T> for Param<T> {
    fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
        visit(path, self);
    }

    fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
        visit(path, self);
    }
}

impl<T: Float, M: Module<T>> Module<T> for Option<M> {
    fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
        if let Some(module) = self {
            module.visit(path, visit);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
        if let Some(module) = self {
            module.visit_mut(path, visit);
        }
    }

    fn outline(&self, path: ParamPath<'_>, tell: &mut dyn FnMut(ParamPath<'_>, String)) {
        if let Some(module) = self {
            module.outline(path, tell);
        }
    }
}

impl<T: Float, M: Module<T>> Module<T> for [M] {
    fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
        for (index, module) in self.iter().enumerate() {
            module.visit(path.index(index), visit);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
        for (index, module) in self.iter_mut().enumerate() {
            module.visit_mut(path.index(index), visit);
        }
    }

    fn outline(&self, path: ParamPath<'_>, tell: &mut dyn FnMut(ParamPath<'_>, String)) {
        tell(path, "Sequential".into());
        for (index, module) in self.iter().enumerate() {
            module.outline(path.index(index), tell);
        }
    }
}

/// Stamps the forwarding of a container to what it holds.
macro_rules! forwarded {
    ([$($generics:tt)*] $Container:ty, $inner:ident => $shared:expr, $unique:expr) => {
        impl<T: Float, M: Module<T> $($generics)*> Module<T> for $Container {
            fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
                let $inner = self;
                $shared.visit(path, visit);
            }

            fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
                let $inner = self;
                $unique.visit_mut(path, visit);
            }

            fn outline(&self, path: ParamPath<'_>, tell: &mut dyn FnMut(ParamPath<'_>, String)) {
                let $inner = self;
                $shared.outline(path, tell);
            }
        }
    };
}

forwarded!([] Vec<M>, vec => vec.as_slice(), vec.as_mut_slice());
forwarded!([, const N: usize] [M; N], array => array.as_slice(), array.as_mut_slice());
forwarded!([+ ?Sized] Box<M>, inner => (**inner), (**inner));

#[cfg(test)]
mod tests {
    use autograd::Tape;

    use super::*;
    use crate::module;

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
        let again: Vec<String> = whole.parameters_mut().into_iter().map(|(path, _)| path).collect();
        assert_eq!(again, paths);
    }

    #[test]
    fn state_is_visited_and_neither_counted_nor_trained() {
        let state = Param::state(Tensor::from([1.0, 2.0]));
        let mut part = Part { weight: Param::new(Tensor::ones([2])), bias: Some(state) };
        let paths = |list: Vec<(String, &Param)>| list.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(paths(part.parameters()), ["weight"]);
        assert_eq!(paths(part.state()), ["bias"]);
        assert_eq!(paths(part.state_dict()), ["weight", "bias"]);
        assert_eq!((part.parameter_count(), part.parameters_mut().len(), part.state_dict_mut().len()), (2, 1, 2));
        assert!(!part.bias.clone().unwrap().is_trained());

        let tape = Tape::new();
        let (weight, state) = (part.weight.on(&tape), part.bias.as_ref().unwrap().on(&tape));
        tape.defer_update(part.bias.as_ref().unwrap().id(), 2.0, Tensor::zeros([2]));
        let gradients = (weight * state).sum(..).backward();
        assert!(gradients.named(part.bias.as_ref().unwrap().id()).is_none());
        drop(tape);
        part.update(&gradients, &mut |_, w, g| w.value_mut().axpy(1.0, g));
        assert_eq!(part.weight.value(), &Tensor::from([2.0, 3.0]));
        assert_eq!(part.bias.as_ref().unwrap().value(), &Tensor::from([2.0, 4.0]));
        // What is not trained is not frozen either, and stays state.
        assert_eq!((part.freeze("*").unwrap(), part.unfreeze("*").unwrap()), (1, 1));
        assert_eq!(part.bias.unwrap().kind(), Kind::State);
    }

    #[test]
    fn a_frozen_weight_is_counted_and_kept_and_neither_has_a_gradient_nor_moves() {
        let mut whole = Whole { parts: vec![], scale: Param::new(Tensor::from([3.0])) };
        whole.parts.push(Part { weight: Param::new(Tensor::from([2.0])), bias: None });
        let pass = |whole: &Whole| {
            let tape = Tape::new();
            (whole.parts[0].weight.on(&tape) * whole.scale.on(&tape)).sum(..).backward()
        };
        let before = pass(&whole);
        assert_eq!(whole.freeze("parts.*"), Ok(1));
        assert_eq!((whole.parameter_count(), whole.parameters().len()), (2, 2));
        let gradients = pass(&whole);
        assert_eq!(gradients.iter().count(), 1);
        // Not even by the gradients of a pass in which it was still trained.
        for gradients in [before, gradients] {
            let mut moved = Vec::new();
            whole.update(&gradients, &mut |path, _, _| moved.push(path.to_string()));
            assert_eq!(moved, ["scale"]);
        }
        let refused = whole.unfreeze("part").unwrap_err();
        assert_eq!(refused.to_string(), "no weight matches the pattern \"part\"; there are parts.0.weight, scale");
        assert_eq!(whole.parts[0].weight.kind(), Kind::Frozen);
    }
}
