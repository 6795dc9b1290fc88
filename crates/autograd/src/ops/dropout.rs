//! Leaving out elements by chance.

use tensor::{Float, Shape, Tensor, ensure};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// Dropout (Srivastava et al., 2014): in training, each element is 0 with probability `p` and else multiplied by
    /// 1 / (1 − p), so that its mean stays; in evaluation it is the input itself.
    ///
    /// y = m x,  x̄ = m ȳ, both 0 where m is 0, even of ∞ or NaN, with the mask m of [`Tensor::keyed_mask`] by a
    /// [key](crate::Tape::draw_key) of the tape's.
    ///
    /// # Panics
    /// `p` is not in 0..=1, or the tape is for training and has nothing to draw by (see [`Tape::seed`](crate::Tape::seed)).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.seed(42, 0); // the run's seed, and the step
    /// let y = tape.constant(Tensor::ones([100])).dropout(0.5);
    /// assert!(y.value().iter().all(|y| y == 0.0 || y == 2.0));
    ///
    /// let tape = Tape::no_grad();
    /// let y = tape.constant(Tensor::ones([100])).dropout(0.5);
    /// assert_eq!(y.value(), Tensor::ones([100]));
    /// ```
    #[track_caller]
    pub fn dropout(self, p: f64) -> Self {
        ensure!((0.0..=1.0).contains(&p), "dropout: the probability is {p}, but must be in 0..=1");
        if !self.tape().is_training() {
            return self;
        }
        let key = self.tape().draw_key("dropout");
        let mask = Tensor::keyed_mask(&key, self.shape(), p).expect("the input has that shape");
        let op = Op::new("dropout", Role::Keeping);
        self.record(op, self.value().masked_mul(&mask)).wrt(self, move |g| g.masked_mul(&mask)).done()
    }

    /// [Dropout](Self::dropout) of whole channels of `[N, C, …]`: the mask m is one number for each channel of each example (Tompson et al.,
    /// 2015, *Efficient Object Localization Using Convolutional Networks*).
    ///
    /// # Panics
    /// As [`dropout`](Self::dropout), or there are fewer than two axes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.seed(42, 0);
    /// let y = tape.constant(Tensor::ones([8, 16, 5, 5])).dropout_channels(0.5).value();
    /// assert_eq!(y.max([2, 3]), y.min([2, 3]));
    /// ```
    #[track_caller]
    pub fn dropout_channels(self, p: f64) -> Self {
        let shape = self.shape();
        ensure!(shape.rank() >= 2, "dropout_channels: needs an input [N, C, ...], got {shape}");
        ensure!((0.0..=1.0).contains(&p), "dropout_channels: the probability is {p}, but must be in 0..=1");
        if !self.tape().is_training() {
            return self;
        }
        let key = self.tape().draw_key("dropout_channels");
        let channels: Vec<usize> =
            (0..shape.rank()).map(|axis| if axis < 2 { shape.dims()[axis] } else { 1 }).collect();
        let mask = Tensor::keyed_mask(&key, Shape::from(&channels[..]), p).expect("the input is larger").expand(&shape);
        let op = Op::new("dropout_channels", Role::Keeping);
        self.record(op, self.value().masked_mul(&mask)).wrt(self, move |g| g.masked_mul(&mask)).done()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::check::testing::{input, rng};
    use crate::{Mode, Tape, check};

    fn tape() -> Tape<f64> {
        Tape::default().with_rng(ChaCha8Rng::seed_from_u64(7))
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
            Tape::default().with_rng(ChaCha8Rng::seed_from_u64(seed.get()))
        };
        assert!(check::gradients_on(other, &inputs, &mut rng(), |x| x[0].dropout(0.3)).is_err());
    }

    #[test]
    fn what_is_dropped_is_0_whatever_it_was() {
        let tape = tape();
        let mask = tape.constant(Tensor::ones([200])).dropout(0.5).value();
        for bad in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let tape = self::tape();
            let x = tape.leaf(Tensor::full([200], bad));
            let y = x.dropout(0.5);
            let gradients = y.backward_with(Tensor::full([200], bad));
            for (of_x, m) in [(y.value(), &mask), (gradients.get(x).unwrap().clone(), &mask)] {
                for (y, m) in of_x.iter().zip(m.iter()) {
                    assert!(if m == 0.0 { y == 0.0 } else { y == bad || y.is_nan() && bad.is_nan() }, "{y} of {bad}");
                }
            }
        }
        let tape = self::tape();
        assert_eq!(tape.constant(Tensor::full([3], f64::NAN)).dropout(1.0).value(), Tensor::zeros([3]));
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
        let draw = |tape: &Tape<f64>| {
            let kept = tape.constant(Tensor::ones([16])).dropout(0.5).value().ne(0.0).to_vec();
            kept.iter().fold(0_u32, |bits, &kept| 2 * bits + u32::from(kept))
        };
        let first = draw(&tape);
        tape.reset();
        assert_ne!(draw(&tape), first);
        let seeded = |seed, step| {
            let tape = Tape::default();
            tape.seed(seed, step);
            draw(&tape)
        };
        let got = [first, seeded(7, 0), seeded(7, 1)];
        assert_eq!(got, CONTRACT, "{got:?}");
    }

    const CONTRACT: [u32; 3] = [37252, 16485, 19156];

    #[test]
    fn two_dropouts_of_one_pass_differ_and_f32_drops_what_f64_does() {
        let tape = Tape::new();
        tape.seed(1, 2);
        let x = tape.leaf(Tensor::ones([64]));
        let (one, other) = (x.dropout(0.5).value(), x.dropout(0.5).value());
        assert_ne!(one, other);
        let tape = Tape::<f64>::default();
        tape.seed(1, 2);
        assert_eq!(tape.leaf(Tensor::ones([64])).dropout(0.5).value().cast::<f32>(), one);
    }

    #[test]
    fn evaluation_draws_nothing() {
        let tape = Tape::new().with_mode(Mode::Eval);
        let x = tape.leaf(Tensor::ones([3]));
        assert_eq!(x.dropout(0.5).value(), x.value());
        assert_eq!(tape.len(), 1);
    }

    #[test]
    #[should_panic(
        expected = "dropout: the tape has nothing to draw by; call `tape.seed(seed, step)` after each reset"
    )]
    fn training_needs_a_seed() {
        Tape::new().leaf(Tensor::ones([3])).dropout(0.5);
    }

    #[test]
    #[should_panic(expected = "dropout: the probability is 1.5, but must be in 0..=1")]
    fn a_probability_beyond_one_is_refused() {
        tape().leaf(Tensor::ones([3])).dropout(1.5);
    }
}
