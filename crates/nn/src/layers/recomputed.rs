//! A layer whose values are computed twice.

use std::sync::Arc;

use autograd::Var;
use tensor::Float;

use crate::{Layer, Module, Param, ParamPath};

/// A layer of whose values the tape keeps the result alone, by [`Var::recomputed`]: what lies between is computed again on the way back.
/// It has the paths, the values and the gradients that the layer has without, dropout included. PyTorch's `torch.utils.checkpoint`.
///
/// A deep model of n such blocks keeps n results and the inside of one block, for a third of the time more.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, Module, Recomputed, TransformerBlock};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let block = TransformerBlock::new(16, 4, 64, &init::normal(0.02), &mut ChaCha8Rng::seed_from_u64(42))?;
/// let tape = Tape::new();
/// let x = tape.leaf(Tensor::ones([2, 3, 16]));
/// let want = block.forward(x);
/// let block = Recomputed::new(block);
/// let values = tape.len();
/// assert_eq!(block.forward(x).value(), want.value());
/// assert_eq!(tape.len(), values + 1);
/// assert_eq!(block.parameters()[0].0, "norm1.weight");
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "checkpoint")]
pub struct Recomputed<L> {
    inner: Arc<L>,
}

impl<L> Recomputed<L> {
    /// Keeps nothing of this layer.
    pub fn new(inner: L) -> Self {
        Recomputed { inner: Arc::new(inner) }
    }

    /// The layer.
    pub fn inner(&self) -> &L {
        &self.inner
    }
}

impl<L: Clone> Clone for Recomputed<L> {
    /// Parameters of its own, as those of a clone are.
    fn clone(&self) -> Self {
        Recomputed::new(L::clone(&self.inner))
    }
}

impl<T: Float, L: Module<T>> Module<T> for Recomputed<L> {
    fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
        self.inner.visit(path, visit);
    }

    /// # Panics
    /// A tape still has the layer's segment: it is to be reset before the weights are moved.
    fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
        let Some(inner) = Arc::get_mut(&mut self.inner) else {
            panic!(
                "Recomputed: a tape still has to compute this layer again; reset the tape before the weights are moved"
            )
        };
        inner.visit_mut(path, visit);
    }

    fn outline(&self, path: ParamPath<'_>, tell: &mut dyn FnMut(ParamPath<'_>, String)) {
        self.inner.outline(path, tell);
    }
}

impl<T: Float, L: Layer<T> + 'static> Layer<T> for Recomputed<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let inner = Arc::clone(&self.inner);
        x.recomputed(move |x| inner.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use autograd::Tape;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tensor::Tensor;

    use super::*;
    use crate::{Adam, BatchNorm1d, Dropout, Linear, ModelGradients, Optimizer, Sequential, seq};

    /// A training of two such blocks, with dropout and running statistics, as it is without.
    #[test]
    fn a_training_has_the_bits_that_it_has_without() {
        let block = |rng: &mut ChaCha8Rng| -> Sequential {
            let linear = Linear::new(6, 6, &init::normal(0.4), rng).unwrap();
            seq![linear, BatchNorm1d::new(6), tensor::Activation::Tanh, Dropout::new(0.3).unwrap()]
        };
        let trained = |recomputed: bool| {
            let rng = &mut ChaCha8Rng::seed_from_u64(1);
            let [one, two] = [block(rng), block(rng)];
            let mut model: Sequential =
                if recomputed { seq![Recomputed::new(one), Recomputed::new(two)] } else { seq![one, two] };
            let mut adam = Optimizer::new(Adam::default(), 0.01).unwrap();
            let x = Tensor::from_fn([5, 6], |i| ((i[0] * 7 + i[1] * 3) % 11) as f32 / 5.0 - 1.0);
            let mut tape = Tape::new();
            for step in 0..20 {
                tape.seed(9, step);
                let gradients = model.forward(tape.constant(x.clone())).square().sum(..).backward();
                tape.reset();
                assert!(gradients.missing(&model).is_empty());
                adam.step(&mut model, &gradients);
            }
            model.state_dict().into_iter().map(|(path, param)| (path, param.value().clone())).collect::<Vec<_>>()
        };
        assert_eq!(trained(true), trained(false));
    }

    #[test]
    #[should_panic(expected = "Recomputed: a tape still has to compute this layer again; reset the tape before")]
    fn weights_do_not_move_under_a_tape() {
        let mut layer = Recomputed::new(Param::new(Tensor::from([1.0_f32])));
        let inner = Arc::clone(&layer.inner);
        let tape = Tape::new();
        let _ = tape.leaf(Tensor::from([2.0])).recomputed(move |x| x * inner.on(x.tape()));
        layer.parameters_mut();
    }
}
