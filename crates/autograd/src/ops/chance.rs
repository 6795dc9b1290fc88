//! Numbers by chance: functions of the seed, of the step and of the place on the tape, with no gradient.

use tensor::{Error, Float, IntoShape, Tensor, Whereabouts, ensure};

use crate::{Tape, Var};

impl<T: Float> Tape<T> {
    /// Standard normal numbers of this shape, by the next [key](Self::draw_key): the noise of a variational autoencoder (Kingma and Welling,
    /// 2014, *Auto-Encoding Variational Bayes*), z = μ + σ ε. They are drawn in training and in evaluation alike.
    ///
    /// # Panics
    /// The tape has nothing to draw by (see [`seed`](Self::seed)), or the shape has more elements than there is memory for.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.seed(42, 0); // the run's seed, and the step
    /// let (mean, std) = (tape.leaf(Tensor::zeros([2, 3])), tape.leaf(Tensor::ones([2, 3])));
    /// let z = mean + std * tape.randn([2, 3]);
    /// assert_eq!(z.sum(..).backward().get(std).unwrap(), &z.value()); // ε, as the mean is 0 and the deviation 1
    /// ```
    #[track_caller]
    pub fn randn(&self, shape: impl IntoShape) -> Var<'_, T> {
        let numbers = Tensor::keyed_normal(&self.draw_key("randn"), shape, T::ZERO, T::ONE);
        self.constant(drawn("randn", numbers))
    }

    /// Uniform numbers of this shape, from `low` up to but without `high`, by the next [key](Self::draw_key).
    ///
    /// # Panics
    /// As [`randn`](Self::randn), or an end is infinite or NaN, or `low` is above `high`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    ///
    /// let tape = Tape::new();
    /// tape.seed(42, 0);
    /// assert!(tape.uniform([100], -1.0, 1.0).value().iter().all(|x| (-1.0..1.0).contains(&x)));
    /// ```
    #[track_caller]
    pub fn uniform(&self, shape: impl IntoShape, low: f64, high: f64) -> Var<'_, T> {
        let [low, high] = [low, high].map(T::from_f64);
        let numbers = Tensor::keyed_uniform(&self.draw_key("uniform"), shape, low, high);
        self.constant(drawn("uniform", numbers))
    }

    /// For each probability 1 by that chance, else 0, by the next [key](Self::draw_key).
    ///
    /// # Panics
    /// The tape has nothing to draw by (see [`seed`](Self::seed)), or a number is not in 0..=1.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.seed(42, 0);
    /// assert_eq!(tape.bernoulli(&Tensor::from([0.0, 1.0])).value(), Tensor::from([0.0, 1.0]));
    /// ```
    #[track_caller]
    pub fn bernoulli(&self, probabilities: &Tensor<T>) -> Var<'_, T> {
        // A NaN is neither.
        let valid = probabilities.ge(T::ZERO).logical_and(&probabilities.le(T::ONE));
        if !valid.all(..).item() {
            let at = valid.iter().position(|valid| !valid).expect("not all are");
            let p = probabilities.iter().nth(at).expect("its place");
            panic!(
                "bernoulli: probability {at} of {} is {p}, but must be in 0..=1{Whereabouts}",
                probabilities.shape()
            );
        }
        let key = self.draw_key("bernoulli");
        let numbers = drawn("bernoulli", Tensor::keyed_uniform(&key, probabilities.shape(), T::ZERO, T::ONE));
        self.constant(numbers.lt(probabilities).cast())
    }

    /// `count` class numbers for each row of weights, which need not add up to 1, by the next [key](Self::draw_key): each by the share of its
    /// class in the row. Without `replacement`, no class twice. Of weights `[classes]` a tensor `[count]`, of `[rows, classes]` `[rows, count]`.
    ///
    /// With replacement, where the running sum of weights passes u Σ w; without, the `count` least of −ln u / w, in that order (Efraimidis and
    /// Spirakis, 2006, *Weighted random sampling with a reservoir*). All in f64.
    ///
    /// # Panics
    /// The tape has nothing to draw by (see [`seed`](Self::seed)); there are not one or two axes; a weight is negative, infinite or NaN; a row has
    /// no positive weight, or without replacement fewer than `count`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::no_grad();
    /// tape.seed(42, 0);
    /// let drawn = tape.multinomial(&Tensor::from([[0.0, 3.0, 0.0], [1.0, 1.0, 1.0]]), 1, true);
    /// assert_eq!((drawn.shape().dims(), drawn.select(0, 0).select(0, 0).item()), (&[2, 1][..], 1));
    /// ```
    #[track_caller]
    pub fn multinomial(&self, weights: &Tensor<T>, count: usize, replacement: bool) -> Tensor<i64> {
        let shape = weights.shape();
        let (rows, classes) = match *shape.dims() {
            [classes] => (1, classes),
            [rows, classes] => (rows, classes),
            _ => panic!("multinomial: needs weights [classes] or [rows, classes], got {shape}{Whereabouts}"),
        };
        let weights: Vec<f64> = weights.iter().map(T::to_f64).collect();
        for row in 0..rows {
            let weights = &weights[row * classes..][..classes];
            for (class, &w) in weights.iter().enumerate() {
                ensure!(
                    (0.0..f64::INFINITY).contains(&w),
                    "multinomial: the weight of class {class} in row {row} of {shape} is {w}, but must be finite and not negative"
                );
            }
            let (positive, least) = (weights.iter().filter(|&&w| w > 0.0).count(), if replacement { 1 } else { count });
            ensure!(
                positive >= least,
                "multinomial: row {row} of {shape} has {positive} positive weights, but {least} are needed"
            );
        }
        let key = self.draw_key("multinomial");
        let of_row = if replacement { count } else { classes };
        let numbers = drawn("multinomial", Tensor::keyed_uniform(&key, [rows, of_row], 0.0_f64, 1.0));
        // 1 − u is never 0, and so its logarithm is finite.
        let numbers = if replacement { numbers } else { -(Tensor::ones([rows, of_row]) - numbers).ln() };
        let (numbers, mut found) = (numbers.to_vec(), Vec::with_capacity(rows * count));
        for row in 0..rows {
            let (weights, numbers) = (&weights[row * classes..][..classes], &numbers[row * of_row..][..of_row]);
            let classes =
                if replacement { with_replacement(weights, numbers) } else { at_most_once(weights, numbers, count) };
            found.extend(classes.into_iter().map(|class| class as i64));
        }
        let found = Tensor::from_slice(&found);
        if shape.rank() == 1 { found } else { found.reshape([rows, count]) }
    }
}

/// For each u the class at which the running sum of weights passes u of their sum.
fn with_replacement(weights: &[f64], numbers: &[f64]) -> Vec<usize> {
    // Of the largest: so no sum is infinite.
    let (largest, mut sum) = (largest(weights), 0.0);
    let mut sums = Vec::with_capacity(weights.len());
    for weight in weights {
        sum += weight / largest;
        sums.push(sum);
    }
    let last = weights.iter().rposition(|&w| w > 0.0).unwrap_or(0);
    // What rounds to the whole sum is the last class that has a weight.
    numbers.iter().map(|u| sums.partition_point(|&before| before <= u * sum).min(last)).collect()
}

/// The `count` classes of the least numbers, each divided by its weight, in that order.
fn at_most_once(weights: &[f64], numbers: &[f64], count: usize) -> Vec<usize> {
    let largest = largest(weights);
    let all = (0..weights.len()).filter(|&class| weights[class] > 0.0);
    let mut order: Vec<(f64, usize)> = all.map(|class| (numbers[class] / (weights[class] / largest), class)).collect();
    let earlier = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if count > 0 && count < order.len() {
        order.select_nth_unstable_by(count - 1, earlier);
    }
    order.truncate(count);
    order.sort_unstable_by(earlier);
    order.into_iter().map(|(_, class)| class).collect()
}

fn largest(weights: &[f64]) -> f64 {
    weights.iter().copied().fold(0.0, f64::max)
}

#[track_caller]
fn drawn<T: Float>(op: &str, numbers: Result<Tensor<T>, Error>) -> Tensor<T> {
    match numbers {
        Ok(numbers) => numbers,
        Err(error) => panic!("{op}: {error}{Whereabouts}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    /// Σ (found − expected)² / expected
    fn chi_square(found: &[f64], expected: &[f64]) -> f64 {
        found.iter().zip(expected).filter(|&(_, &e)| e > 0.0).map(|(f, e)| (f - e).powi(2) / e).sum()
    }

    /// How often each of `len` numbers comes.
    fn counts(numbers: impl IntoIterator<Item = i64>, len: usize) -> Vec<f64> {
        let mut counts = vec![0.0; len];
        numbers.into_iter().for_each(|number| counts[number as usize] += 1.0);
        counts
    }

    /// Of χ² with 3 and with 11 degrees of freedom, what one in 10⁴ exceeds.
    const OF_3: f64 = 21.1;
    const OF_11: f64 = 37.4;

    fn seeded() -> Tape<f32> {
        let tape = Tape::no_grad();
        tape.seed(42, 7);
        tape
    }

    const N: usize = 20_000;
    const WEIGHTS: [f32; 5] = [1.0, 0.0, 4.0, 2.0, 3.0];

    fn shares(weights: &[f32]) -> Vec<f64> {
        let sum: f32 = weights.iter().sum();
        weights.iter().map(|w| f64::from(w / sum) * N as f64).collect()
    }

    #[test]
    fn with_replacement_classes_come_by_their_weights() {
        let drawn = seeded().multinomial(&Tensor::from(WEIGHTS), N, true);
        let counts = counts(drawn.iter(), 5);
        assert!(counts[1] == 0.0 && chi_square(&counts, &shares(&WEIGHTS)) < OF_3, "{counts:?}");
        // Others are told from them, by a twentieth of a weight.
        let other = [1.0, 0.0, 4.2, 2.0, 2.8];
        assert!(chi_square(&counts, &shares(&other)) > OF_3, "{counts:?}");
    }

    #[test]
    fn without_replacement_no_class_comes_twice_and_pairs_by_their_chance() {
        let rows = Tensor::from([WEIGHTS]).expand([N, 5]);
        let drawn = seeded().multinomial(&rows, 2, false).to_vec();
        let pairs = counts(drawn.chunks(2).map(|pair| 5 * pair[0] + pair[1]), 25);
        let (sum, mut expected) = (10.0, vec![0.0; 25]);
        for (i, &a) in WEIGHTS.iter().enumerate() {
            for (j, &b) in WEIGHTS.iter().enumerate().filter(|&(j, _)| j != i) {
                expected[5 * i + j] = N as f64 * f64::from(a / sum * b / (sum - a));
            }
        }
        assert!(pairs.iter().zip(&expected).all(|(&found, &e)| e > 0.0 || found == 0.0), "{pairs:?}");
        assert!(chi_square(&pairs, &expected) < OF_11, "{pairs:?}");
        // In the other order they are others.
        let turned: Vec<f64> = (0..25).map(|i| expected[i % 5 * 5 + i / 5]).collect();
        assert!(chi_square(&pairs, &turned) > OF_11);
        // However large or small weights are, only their shares count: these add up to infinity, or are below the normal numbers.
        for scale in [f64::MAX / 4.0, f64::from_bits(1)] {
            let draw = |scale: f64, replacement| {
                let tape = Tape::<f64>::in_mode(Mode::Eval);
                tape.seed(1, 2);
                tape.multinomial(&Tensor::from([1.0, 4.0, 2.0]).map(|w| w * scale), 2, replacement)
            };
            assert!([true, false].iter().all(|&replacement| draw(scale, replacement) == draw(1.0, replacement)));
        }
        // All that have a weight.
        let all = seeded().multinomial(&Tensor::from(WEIGHTS), 4, false);
        assert_eq!(counts(all.iter(), 5), [1.0, 0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn ones_come_by_their_probability() {
        let p = Tensor::from([[0.25_f32], [0.0], [1.0]]).expand([3, N]).contiguous();
        let ones = seeded().bernoulli(&p).value().sum(1).to_vec();
        let chi = |p: f64| {
            let (one, n) = (f64::from(ones[0]), N as f64);
            chi_square(&[one, n - one], &[p * n, (1.0 - p) * n])
        };
        assert!(ones[1] == 0.0 && ones[2] == N as f32 && chi(0.25) < OF_3 && chi(0.27) > OF_3, "{ones:?}");
    }

    #[test]
    fn numbers_are_those_of_the_tapes_key_with_no_gradient() {
        for mode in [Mode::Train, Mode::Eval] {
            let (tape, other) = (Tape::<f64>::in_mode(mode), Tape::<f64>::in_mode(mode));
            for tape in [&tape, &other] {
                tape.seed(1, 2);
            }
            let (x, key) = (tape.randn([3, 4]), other.draw_key("randn"));
            assert_eq!(x.value(), Tensor::keyed_normal(&key, [3, 4], 0.0, 1.0).unwrap());
            assert!(!x.needs_gradient());
            // Another place, other numbers.
            assert_ne!(tape.randn([3, 4]).value(), x.value());
            let uniform = tape.uniform([3, 4], 2.0, 3.0).value();
            assert!(uniform.iter().all(|x| (2.0..3.0).contains(&x)));
        }
        // Two draws that leave nothing on the tape differ.
        let tape = seeded();
        let draw = || tape.multinomial(&Tensor::ones([1000]), 10, true);
        assert_ne!(draw(), draw());
    }

    #[test]
    fn a_segment_that_is_computed_again_draws_the_same() {
        let run = |recomputed: bool| {
            let tape = Tape::<f64>::default();
            tape.seed(3, 4);
            let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
            fn noisy(x: Var<'_, f64>) -> Var<'_, f64> {
                let noise = x.tape().randn([3]);
                (x * noise).tanh() * x.tape().bernoulli(&Tensor::full([3], 0.5))
            }
            let y = if recomputed { x.recomputed(noisy) } else { noisy(x) };
            let gradients = y.sum(..).backward();
            (y.value(), gradients.get(x).unwrap().clone())
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_with_its_place() {
        let said = |draw: &(dyn Fn(&Tape) + std::panic::RefUnwindSafe)| {
            let tape = std::panic::AssertUnwindSafe(seeded());
            let error = std::panic::catch_unwind(move || draw(&tape)).unwrap_err();
            error.downcast_ref::<String>().expect("a sentence").clone()
        };
        let weights = |rows: [[f32; 2]; 2]| Tensor::from(rows);
        assert_eq!(
            said(&|tape| _ = tape.bernoulli(&weights([[0.5, 1.0], [0.0, 1.5]]))),
            "bernoulli: probability 3 of [2, 2] is 1.5, but must be in 0..=1"
        );
        assert!(said(&|tape| _ = tape.bernoulli(&Tensor::from([f32::NAN]))).contains("probability 0 of [1] is NaN"));
        assert_eq!(
            said(&|tape| _ = tape.multinomial(&weights([[0.5, 1.0], [0.0, -1.0]]), 1, true)),
            "multinomial: the weight of class 1 in row 1 of [2, 2] is -1, but must be finite and not negative"
        );
        assert_eq!(
            said(&|tape| _ = tape.multinomial(&weights([[1.0, 1.0], [0.0, 2.0]]), 2, false)),
            "multinomial: row 1 of [2, 2] has 1 positive weights, but 2 are needed"
        );
        assert!(
            said(&|tape| _ = tape.multinomial(&Tensor::scalar(1.0), 1, true))
                .contains("[classes] or [rows, classes], got []")
        );
        assert!(
            said(&|tape| _ = tape.uniform([2], 1.0, 0.0)).contains("from 1 to 0: the ends must be finite and in order")
        );
        let unseeded = std::panic::catch_unwind(|| Tape::new().randn([2]).value()).unwrap_err();
        assert!(unseeded.downcast_ref::<String>().unwrap().starts_with("randn: the tape has nothing to draw by"));
    }
}
