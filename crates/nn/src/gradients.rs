//! Gradients together with the model that they are of.

use std::collections::HashSet;

use autograd::{Gradients, Id};
use tensor::{Float, Tensor};

use crate::error::{Error, list};
use crate::model::ParamPath;
use crate::model::{Module, none_of};

/// What is asked of [`Gradients`] with the model at hand that they are of. In scope, these are methods of theirs.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{ModelGradients, Param};
/// use tensor::Tensor;
///
/// let model = vec![Param::new(Tensor::from([3.0, 4.0])), Param::new(Tensor::from([1.0]))];
/// let tape = Tape::new();
/// let w = model[0].on(&tape);
/// let mut gradients = (w * w).sum(..).backward();
/// assert_eq!(gradients.missing(&model), ["1"]);
/// assert_eq!(gradients.clip_norm(&model, 1.0)?, 10.0); // the norm before
/// assert_eq!(gradients.of(&model, "0"), Some(&Tensor::from([0.6, 0.8])));
/// # Ok::<(), nn::Error>(())
/// ```
pub trait ModelGradients<T: Float> {
    /// The paths of the trained weights that got no gradient: the result does not depend on them.
    fn missing(&self, model: &(impl Module<T> + ?Sized)) -> Vec<String>;

    /// The leaves with a gradient that the model does not list, by their shapes: an optimizer would not move them. A field that
    /// `..` in [`module!`](crate::module!) leaves out is such a one.
    fn unlisted(&self, model: &(impl Module<T> + ?Sized)) -> Vec<String>;

    /// Makes sure that each trained weight has a gradient, and that the model lists each leaf that has one: what an optimizer
    /// does before its first step.
    ///
    /// # Panics
    /// There are others, whose paths or shapes the message lists.
    fn expect_complete(&self, model: &(impl Module<T> + ?Sized));

    /// The gradient of the weight with this path.
    fn of(&self, model: &(impl Module<T> + ?Sized), path: &str) -> Option<&Tensor<T>>;

    /// The weights of the model that have a gradient, by path, in the model's order.
    fn by_path(&self, model: &(impl Module<T> + ?Sized)) -> Vec<(String, &Tensor<T>)>;

    /// Scales the gradients of the model's trained weights down if the norm of these as one vector is above `max`, so that it is `max`,
    /// and returns what it was: PyTorch's `clip_grad_norm_`, which divides by 10⁻⁶ more than the norm. Gradients of other leaves, such as
    /// those of an input or of another model, neither count nor change.
    ///
    /// # Errors
    /// A gradient of these holds NaN or infinity, these are gradients of another model, or `max` is not above 0. Nothing is changed.
    #[doc(alias = "clip_grad_norm_")]
    #[doc(alias = "clip_grad_norm")]
    fn clip_norm(&mut self, model: &(impl Module<T> + ?Sized), max: f64) -> Result<f64, Error>;

    /// Brings every element of every gradient into −max..=max; PyTorch's `clip_grad_value_`. NaN stays.
    ///
    /// # Errors
    /// `max` is not above 0; nothing is changed.
    #[doc(alias = "clip_grad_value_")]
    fn clip_value(&mut self, max: f64) -> Result<(), Error>;
}

impl<T: Float> ModelGradients<T> for Gradients<T> {
    fn missing(&self, model: &(impl Module<T> + ?Sized)) -> Vec<String> {
        let mut missing = Vec::new();
        model.visit(ParamPath::root(), &mut |path, param| {
            if param.is_trained() && self.named(param.id()).is_none() {
                missing.push(path.to_string());
            }
        });
        missing
    }

    fn unlisted(&self, model: &(impl Module<T> + ?Sized)) -> Vec<String> {
        let mut listed: Vec<Id> = Vec::new();
        model.visit(ParamPath::root(), &mut |_, param| listed.push(param.id()));
        let mut others = Vec::new();
        for (id, gradient) in self.iter() {
            if !listed.contains(&id) {
                others.push(format!("a leaf of the shape {}", gradient.shape()));
            }
        }
        others
    }

    #[track_caller]
    fn expect_complete(&self, model: &(impl Module<T> + ?Sized)) {
        let (missing, unlisted) = (self.missing(model), self.unlisted(model));
        if !(missing.is_empty() && unlisted.is_empty()) {
            refuse(&missing, &unlisted, self.by_path(model).is_empty());
        }
    }

    fn of(&self, model: &(impl Module<T> + ?Sized), path: &str) -> Option<&Tensor<T>> {
        let (_, param) = model.parameters().into_iter().find(|(at, _)| at == path)?;
        self.named(param.id())
    }

    fn by_path(&self, model: &(impl Module<T> + ?Sized)) -> Vec<(String, &Tensor<T>)> {
        let mut found = Vec::new();
        model.visit(ParamPath::root(), &mut |path, param| {
            if let Some(gradient) = self.named(param.id()) {
                found.push((path.to_string(), gradient));
            }
        });
        found
    }

    fn clip_norm(&mut self, model: &(impl Module<T> + ?Sized), max: f64) -> Result<f64, Error> {
        above_0(max)?;
        // A weight that the model lists twice is one of the vector's parts.
        let (mut weights, mut in_order) = (HashSet::new(), Vec::new());
        model.visit(ParamPath::root(), &mut |_, param| {
            if param.is_trained() && weights.insert(param.id()) {
                in_order.push(param.id());
            }
        });
        let Some(norm) = norm_of(self, &in_order) else {
            let weights = model.parameters().into_iter().map(|(path, _)| path).collect();
            return Err(Error::OtherModel { weights });
        };
        // That of finite numbers may be beyond f64.
        if let Some(weight) = Some(norm).filter(|norm| !norm.is_finite()).and_then(|_| first_lost(model, self)) {
            return Err(Error::NotFinite { weight });
        }
        let mut scale = |factor: f64| {
            let factor = T::from_f64(factor);
            self.iter_mut().filter(|(id, _)| weights.contains(id)).for_each(|(_, gradient)| *gradient *= factor);
            norm_of(self, &in_order).unwrap_or(0.0)
        };
        if norm.is_finite() && norm > max {
            scale(max / norm);
        } else if norm > max {
            // That of their parts is not.
            const PART: f64 = 1e-100;
            let part = scale(PART);
            scale(max / part);
        }
        Ok(norm)
    }

    fn clip_value(&mut self, max: f64) -> Result<(), Error> {
        above_0(max)?;
        let max = T::from_f64(max);
        self.map_assign(|gradient| *gradient = gradient.clamp(-max, max));
        Ok(())
    }
}

/// The path of the first trained weight of a model whose gradient holds NaN or infinity.
pub(crate) fn first_lost<T: Float>(model: &(impl Module<T> + ?Sized), gradients: &Gradients<T>) -> Option<String> {
    let mut first = None;
    model.visit(ParamPath::root(), &mut |path, param| {
        if first.is_none() && param.is_trained() && gradients.named(param.id()).is_some_and(|of| !of.all_finite()) {
            first = Some(path.to_string());
        }
    });
    first
}

/// The norm of the gradients of these as one vector, in f64, if there are any: in the order of the model, whichever pass they came from.
fn norm_of<T: Float>(gradients: &Gradients<T>, of: &[Id]) -> Option<f64> {
    let norms: Vec<f64> = of.iter().filter_map(|&id| gradients.named(id)).map(Tensor::norm_f64).collect();
    (!norms.is_empty()).then(|| Tensor::from_slice(&norms).norm_f64())
}

/// Says what is missing. It is not generic, as what is generic is compiled in the user's crate.
#[track_caller]
fn refuse(missing: &[String], unlisted: &[String], none: bool) -> ! {
    if none {
        panic!("{}", none_of(missing));
    }
    let mut why = Vec::new();
    if !missing.is_empty() {
        why.push(format!(
            "no gradient has come to {}: use them in `forward`, freeze them, or let the optimizer `allow_missing`",
            list(missing)
        ));
    }
    if !unlisted.is_empty() {
        why.push(format!(
            "the model does not list {}, which has a gradient: name its field in `module!`; or, if `backward` has reached another model, such \
             as one that takes turns with this, let the optimizer `allow_missing`",
            list(unlisted)
        ));
    }
    panic!("step: {}", why.join("; "));
}

/// Whether gradients can be clipped to a number.
pub(crate) fn above_0(max: f64) -> Result<(), Error> {
    if max > 0.0 {
        return Ok(());
    }
    Err(Error::Range { what: "what gradients are clipped to", value: max, rule: "above 0" })
}

#[cfg(test)]
mod tests {
    use autograd::Tape;

    use super::*;
    use crate::Param;

    fn model() -> Vec<Param<f64>> {
        vec![Param::new(Tensor::from([3.0, -4.0])), Param::new(Tensor::from([12.0]))]
    }

    /// Gradients that are `by` times the weights.
    fn gradients(model: &[Param<f64>], by: f64) -> Gradients<f64> {
        let tape = Tape::default();
        let square = |param: &Param<f64>| (param.on(&tape) * param.on(&tape)).sum(..).scale(by / 2.0);
        model.iter().map(square).reduce(|a, b| a + b).unwrap().backward()
    }

    #[test]
    fn a_norm_above_the_limit_is_brought_to_it_and_one_below_stays() {
        let model = model();
        let mut large = gradients(&model, 1.0);
        assert_eq!(large.clip_norm(&model, 6.5), Ok(13.0));
        let got: Vec<_> = large.by_path(&model).into_iter().map(|(path, g)| (path, g.to_vec())).collect();
        assert_eq!(got, [("0".into(), vec![1.5, -2.0]), ("1".into(), vec![6.0])]);
        let mut small = gradients(&model, 1.0);
        assert_eq!(small.clip_norm(&model, 13.0), Ok(13.0));
        assert_eq!(small.of(&model, "1"), Some(&Tensor::from([12.0])));
        small.clip_value(3.5).unwrap();
        assert_eq!(small.of(&model, "0"), Some(&Tensor::from([3.0, -3.5])));
        // Near the end of the range, where a sum of squares would be infinite.
        let mut huge = gradients(&model, 1e300);
        assert!((huge.clip_norm(&model, 1.0).unwrap() / 1.3e301 - 1.0).abs() < 1e-12);
        assert!((huge.norm() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bad_gradients_and_limits_are_refused_by_name_and_nothing_is_changed() {
        let model = model();
        for bad in [f64::NAN, f64::INFINITY] {
            let mut gradients = gradients(&model, 1.0);
            let mut count = 0;
            gradients.map_assign(|g| {
                count += 1;
                if count == 2 {
                    *g = Tensor::from([bad]);
                }
            });
            let error = gradients.clip_norm(&model, 1.0).unwrap_err();
            assert_eq!(error.to_string(), "the gradient of 1 holds NaN or infinity");
            assert_eq!(gradients.of(&model, "0"), Some(&Tensor::from([3.0, -4.0])));
        }
        let mut own = gradients(&model, 1.0);
        for max in [0.0, -1.0, f64::NAN] {
            assert!(own.clip_norm(&model, max).is_err() && own.clip_value(max).is_err());
        }
        let other = self::model();
        let error = own.clip_norm(&other, 1.0).unwrap_err();
        assert_eq!(error.to_string(), "these are gradients of another model: there is none of 0, 1");
        assert_eq!(own.norm(), 13.0);
    }

    #[test]
    fn a_norm_beyond_f64_is_clipped_too() {
        let model = model();
        let mut gradients = gradients(&model, 1.0);
        gradients.map_assign(|g| *g = Tensor::full(g.shape(), 1.7e308));
        assert_eq!(gradients.clip_norm(&model, 3.0).unwrap(), f64::INFINITY);
        assert!((gradients.norm() - 3.0).abs() < 1e-12);
    }

    #[test]
    fn what_the_model_does_not_have_neither_counts_nor_changes() {
        let (model, other) = (model(), vec![Param::new(Tensor::from([2.0]))]);
        for bad in [399.0, 1e300, f64::NAN, f64::INFINITY] {
            let tape = Tape::default();
            let x = tape.leaf(Tensor::from([bad, bad]));
            let named = other[0].on(&tape) * tape.constant(Tensor::from([bad]));
            let first = model[0].on(&tape) * tape.constant(Tensor::from([3.0, 0.0]));
            let of_model = (first + x * x).sum(..) + model[1].on(&tape).scale(4.0).sum(..) + named.sum(..);
            let mut gradients = of_model.backward();
            assert_eq!(gradients.clip_norm(&model, 2.5), Ok(5.0), "{bad}");
            assert_eq!(gradients.of(&model, "0"), Some(&Tensor::from([1.5, 0.0])));
            assert_eq!(gradients.of(&model, "1"), Some(&Tensor::from([2.0])));
            // Those of the other model are clipped by themselves.
            let theirs = gradients.of(&other, "0").unwrap().item();
            assert!(theirs == bad || theirs.is_nan() && bad.is_nan());
            match gradients.clip_norm(&other, 1.0) {
                Ok(norm) => assert_eq!((norm, gradients.of(&other, "0").unwrap().item()), (bad, 1.0)),
                Err(error) => {
                    assert!(!bad.is_finite());
                    assert_eq!(error.to_string(), "the gradient of 0 holds NaN or infinity");
                }
            }
            assert_eq!(gradients.of(&model, "1"), Some(&Tensor::from([2.0])));
        }
        // A frozen weight's gradient is of a pass before, and moves nothing.
        let mut shared = vec![Param::new(Tensor::from([3.0])), Param::new(Tensor::from([4.0]))];
        let mut of_shared = gradients(&shared, 1.0);
        shared[1].set_frozen(true);
        assert_eq!(of_shared.clip_norm(&shared, 1.0), Ok(3.0));
    }

    #[test]
    fn what_is_missing_and_what_is_not_listed_is_named() {
        let mut model = model();
        let all = gradients(&model, 1.0);
        all.expect_complete(&model);
        assert!(all.missing(&model).is_empty() && all.unlisted(&model).is_empty());
        let one = gradients(&model[1..], 1.0);
        assert_eq!(one.missing(&model), ["0"]);
        assert_eq!(all.unlisted(&model[1..]), ["a leaf of the shape [2]"]);
        model[0].set_frozen(true);
        assert!(one.missing(&model).is_empty());
    }

    #[test]
    #[should_panic(
        expected = "step: no gradient has come to 0: use them in `forward`, freeze them, or let the optimizer"
    )]
    fn a_missing_gradient_is_not_passed_over() {
        let model = model();
        gradients(&model[1..], 1.0).expect_complete(&model);
    }

    #[test]
    #[should_panic(
        expected = "step: the model does not list a leaf of the shape [2], which has a gradient: name its field"
    )]
    fn nor_is_one_that_no_optimizer_would_see() {
        let model = model();
        gradients(&model, 1.0).expect_complete(&model[1..]);
    }
}
