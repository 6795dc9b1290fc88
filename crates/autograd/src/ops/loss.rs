//! What a model is trained to make small.

use tensor::{Float, Pullback, Tensor};

use crate::{Ignorance, Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// The mean cross-entropy of logits `[…, C]` with class numbers `[…]`, in nats: with no knowledge, ln C.
    ///
    /// y = mean of ln Σₖ exp xₖ − xₜ, computed together with the softmax p so that nothing overflows;
    /// x̄ᵢⱼ = ȳ (pᵢⱼ − \[j = tᵢ]) / N. Without examples it is NaN, as in PyTorch.
    ///
    /// # Panics
    /// The shapes do not fit, or a class is negative or not below C.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let logits = tape.leaf(Tensor::<f32>::zeros([2, 27]));
    /// let loss = logits.cross_entropy(&Tensor::from([0, 26]));
    /// assert!((loss.item() - 27.0_f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn cross_entropy(self, classes: &Tensor<i64>) -> Self {
        let (losses, p) = self.value().cross_entropy(classes);
        let (classes, share) = (classes.clone(), T::from_f64(1.0 / losses.numel() as f64));
        let role = Role::Loss { predictions: 0, ignorance: Ignorance::Classes(p.size(-1)) };
        self.record(Op::new("cross_entropy", role), losses.mean(..))
            .wrt(self, move |g| (g * share).expand(classes.shape()).pullback(Pullback::CrossEntropy(&classes), &p))
            .done()
    }
}

#[cfg(test)]
mod tests {
    use tensor::Tensor;

    use crate::check::testing::assert_gradients;

    #[test]
    fn cross_entropy() {
        assert_gradients(&[&[3, 4]], |x| x[0].cross_entropy(&Tensor::from([0, 3, 3])));
        assert_gradients(&[&[4]], |x| x[0].cross_entropy(&Tensor::scalar(2)));
        assert_gradients(&[&[2, 3, 4]], |x| x[0].cross_entropy(&Tensor::from([[0, 1, 2], [3, 2, 1]])));
        assert_gradients(&[&[3, 1]], |x| x[0].cross_entropy(&Tensor::from([0, 0, 0])));
        assert_gradients(&[&[3, 4]], |x| x[0].scale(3.0).cross_entropy(&Tensor::from([0, 3, 3])).scale(2.0));
    }

    #[test]
    fn without_examples_the_mean_is_not_a_number() {
        let tape = crate::Tape::new();
        let logits = tape.leaf(Tensor::zeros([0, 4]));
        let loss = logits.cross_entropy(&Tensor::zeros([0]));
        assert!(loss.item().is_nan());
        assert_eq!(loss.backward().get(logits).unwrap().dims(), [0, 4]);
    }
}
