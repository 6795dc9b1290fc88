//! Leaving out elements by chance.

use rand::Rng;
use tensor::{Float, Shape, Tensor};

use crate::Var;

impl<T: Float> Var<'_, T> {
    /// Dropout (Srivastava et al., 2014): in training, each element is 0 with probability `p` and else multiplied by
    /// 1 / (1 − p), so that its mean stays; in evaluation it is the input itself.
    ///
    /// y = m x,  x̄ = m ȳ, with the mask m drawn from the tape's random stream, 32 bits for each element in row-major order.
    ///
    /// # Panics
    /// `p` is not in 0..=1, or the tape is for training and has no random stream (see
    /// [`Tape::with_rng`](crate::Tape::with_rng)).
    ///
    /// # Example
    /// ```
    /// use autograd::{Mode, Tape};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new().with_rng(ChaCha8Rng::seed_from_u64(1));
    /// let y = tape.constant(Tensor::<f32>::ones([100])).dropout(0.5);
    /// assert!(y.value().iter().all(|y| y == 0.0 || y == 2.0));
    ///
    /// let tape = Tape::no_grad();
    /// let y = tape.constant(Tensor::<f32>::ones([100])).dropout(0.5);
    /// assert_eq!(y.value(), Tensor::ones([100]));
    /// ```
    #[track_caller]
    pub fn dropout(self, p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "dropout: the probability is {p}, but must be in 0..=1");
        if !self.tape().is_training() {
            return self;
        }
        let mask = self.tape().draw("dropout", |rng| mask(&self.shape(), p, rng));
        self.record("dropout", self.value() * &mask).wrt(self, move |g| g * &mask).done()
    }
}

/// 0 with probability `p`, and else 1 / (1 − p).
fn mask<T: Float>(shape: &Shape, p: f64, rng: &mut dyn Rng) -> Tensor<T> {
    /// Elements that are drawn at once.
    const DRAWN: usize = 256;
    // Of 2³² draws, so many drop.
    let dropping = (p * 4_294_967_296.0) as u64;
    let kept = if p < 1.0 { T::from_f64(1.0 / (1.0 - p)) } else { T::ZERO };
    let mut mask = Tensor::zeros(shape);
    let mut draws = [[0; 4]; DRAWN];
    for elements in mask.as_mut_slice().chunks_mut(DRAWN) {
        let draws = &mut draws[..elements.len()];
        rng.fill_bytes(draws.as_flattened_mut());
        for (element, &draw) in elements.iter_mut().zip(&*draws) {
            if u64::from(u32::from_le_bytes(draw)) >= dropping {
                *element = kept;
            }
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::check::testing::{input, rng};
    use crate::{Mode, Tape, check};

    fn tape() -> Tape<f64> {
        Tape::new().with_rng(ChaCha8Rng::seed_from_u64(7))
    }

    #[test]
    fn dropout() {
        for dims in [&[3, 4][..], &[], &[0, 4]] {
            let inputs = [input(dims, &mut rng())];
            assert_eq!(check::gradients_on(tape, &inputs, &mut rng(), |x| x[0].dropout(0.3).tanh()), Ok(()));
        }
        // Without the same stream for every pass, the check fails: it does see the mask.
        let inputs = [input(&[3, 4], &mut rng())];
        let seed = std::cell::Cell::new(0);
        let other = || {
            seed.set(seed.get() + 1);
            Tape::new().with_rng(ChaCha8Rng::seed_from_u64(seed.get()))
        };
        assert!(check::gradients_on(other, &inputs, &mut rng(), |x| x[0].dropout(0.3)).is_err());
    }

    #[test]
    fn as_many_are_dropped_as_asked_and_the_mean_stays() {
        let n = 100_000;
        for p in [0.0, 0.1, 0.5, 0.9] {
            let tape = tape();
            let y = tape.constant(Tensor::ones([n])).dropout(p).value();
            let dropped = y.eq(0.0).count_nonzero(..).item() as f64;
            // Within five standard deviations of a binomial.
            let spread = 5.0 * (n as f64 * p * (1.0 - p)).sqrt();
            assert!((dropped - p * n as f64).abs() <= spread, "{p}: {dropped}");
            assert!(y.iter().all(|y| y == 0.0 || y == 1.0 / (1.0 - p)));
        }
        let tape = tape();
        assert_eq!(tape.constant(Tensor::ones([n])).dropout(1.0).value(), Tensor::zeros([n]));
    }

    #[test]
    fn each_pass_draws_anew_and_the_first_draws_of_a_seed_are_a_contract() {
        let mut tape = tape();
        let draw = |tape: &Tape<f64>| tape.constant(Tensor::ones([16])).dropout(0.5).value().ne(0.0).to_vec();
        let first = draw(&tape);
        tape.reset();
        assert_ne!(draw(&tape), first);
        let bits = first.iter().fold(0_u32, |bits, &kept| 2 * bits + u32::from(kept));
        assert_eq!(bits, CONTRACT, "{bits:#018b}");
    }

    const CONTRACT: u32 = 0b0000010101100001;

    #[test]
    fn evaluation_draws_nothing() {
        let tape = Tape::<f32>::new().with_mode(Mode::Eval);
        let x = tape.leaf(Tensor::ones([3]));
        assert_eq!(x.dropout(0.5).value(), x.value());
        assert_eq!(tape.len(), 1);
    }

    #[test]
    #[should_panic(expected = "dropout: the tape has no random stream; make it by `Tape::new().with_rng(rng)`")]
    fn training_needs_a_stream() {
        Tape::<f32>::new().leaf(Tensor::ones([3])).dropout(0.5);
    }

    #[test]
    #[should_panic(expected = "dropout: the probability is 1.5, but must be in 0..=1")]
    fn a_probability_beyond_one_is_refused() {
        tape().leaf(Tensor::ones([3])).dropout(1.5);
    }
}
