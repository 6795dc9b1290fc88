//! Gradients against finite differences, in f64.
//!
//! For a random direction v of an input and a random seed u of the result, ⟨u, J v⟩ is measured by differences of the
//! forward pass and ⟨Jᵀ u, v⟩ is computed by the pullbacks. So one pair of numbers tests every element of the Jacobian J
//! at once; if they disagree, each element is compared, to name the worst.
//!
//! Source: the check of one random direction is that of HIPS autograd (Maclaurin, 2016, *Modeling, Inference and
//! Optimization with Composable Differentiable Procedures*); the five-point formula is Fornberg, 1988, *Generation of
//! Finite Difference Formulas on Arbitrarily Spaced Grids*.

use std::fmt;

use rand::{Rng, RngExt};
use tensor::Tensor;

use crate::tape::{Tape, Var};

/// Relative errors up to this are rounding; a wrong pullback is off by far more.
pub const TOLERANCE: f64 = 1e-6;

/// The step of the differences. With five points, their error is of order STEP⁴; rounding adds 1e-16 / STEP.
const STEP: f64 = 1e-3;

/// Steps that are tried in turn, as parts of [`STEP`], where the first disagrees: what turns fast needs shorter ones.
const FINER: [f64; 3] = [1.0, 0.25, 0.0625];

/// Where a result is constant but for rounding, so are its differences, and both gradients are below this part of what the result is
/// computed from: rounding of values of size 1 gives differences of 1e-16 / STEP.
const ROUNDING: f64 = 1e-10;

/// Gradients below this part of the result are compared as if they were that large: rounding makes the differences of
/// the result uncertain by about 1e-16 / STEP of it, and [`TOLERANCE`] is relative.
const NOISE: f64 = 1e-6;

/// How many random directions each input is tried in.
const DIRECTIONS: usize = 3;

/// A pullback that disagrees with finite differences.
#[derive(Clone, PartialEq)]
pub struct GradientError {
    /// Which of the inputs.
    pub input: usize,
    /// The relative error along a random direction, which should be at most [`TOLERANCE`].
    pub error: f64,
    /// The element of the input with the worst gradient.
    pub index: Vec<usize>,
    /// The gradient there by the pullbacks.
    pub pullback: f64,
    /// The gradient there by finite differences.
    pub difference: f64,
}

impl std::error::Error for GradientError {}

impl fmt::Display for GradientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradientError { input, error, index, pullback, difference } = self;
        write!(
            f,
            "the gradient of input {input} is wrong (relative error {error:.1e}): at {index:?} the pullbacks say \
             {pullback}, finite differences {difference} (which mean nothing at a kink)"
        )
    }
}

tensor::debug_as_display!(GradientError);

/// Checks the gradients of `f` with respect to each of `inputs` along random directions.
///
/// The inputs should stay clear of kinks: there a difference means nothing.
///
/// # Errors
/// Pullbacks and differences disagree by more than [`TOLERANCE`], relative to the larger of them, or to a millionth of
/// the result where that is larger. Where the result is constant but for rounding, both gradients are 0 but for rounding, and agree.
///
/// # Example
/// ```
/// use autograd::check;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// let inputs = [Tensor::from([[0.5, -1.0]]), Tensor::from([[2.0], [3.0]])];
/// check::gradients(&inputs, &mut rng, |x| x[0].matmul(x[1]).tanh())?;
/// # Ok::<(), check::GradientError>(())
/// ```
#[doc(alias = "gradcheck")]
pub fn gradients<F>(inputs: &[Tensor<f64>], rng: &mut impl Rng, f: F) -> Result<(), GradientError>
where
    F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
{
    gradients_on(Tape::default, inputs, rng, f)
}

/// As [`gradients`], on tapes that `tape` makes: for what asks its tape whether it trains, or what to draw by. Each
/// pass gets a tape of its own, which must be in the same mode and draw the same numbers.
///
/// # Errors
/// As [`gradients`].
///
/// # Example
/// ```
/// use autograd::{Tape, check};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let seeded = || {
///     let tape = Tape::default();
///     tape.seed(42, 0);
///     tape
/// };
/// let inputs = [Tensor::from([0.5, -1.0, 2.0])];
/// check::gradients_on(seeded, &inputs, &mut ChaCha8Rng::seed_from_u64(1), |x| x[0].dropout(0.5).tanh())?;
/// # Ok::<(), check::GradientError>(())
/// ```
pub fn gradients_on<F>(
    tape: impl Fn() -> Tape<f64>,
    inputs: &[Tensor<f64>],
    rng: &mut impl Rng,
    f: F,
) -> Result<(), GradientError>
where
    F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
{
    let own = tape();
    let leaves: Vec<Var<'_, f64>> = inputs.iter().map(|x| own.leaf(x.clone())).collect();
    let result = f(&leaves);
    let seed = random(result.value(), rng);
    // Differences are off by the rounding of the result: far below that, gradients cannot be measured.
    let noise = NOISE * (&seed * result.value()).map(f64::abs).sum(..).item();
    // And by that of what the result is computed from, which it may be far below.
    let largest = own.vars().map(|var| size_of(&var.value())).fold(1.0, f64::max);
    let rounding = ROUNDING * largest * seed.map(f64::abs).sum(..).item();
    let gradients = result.needs_gradient().then(|| result.backward_with(seed.clone()));
    let gradient = |input: usize| {
        let found = gradients.as_ref().and_then(|gradients| gradients.get(leaves[input]).cloned());
        // One that is missing counts as zero, and the differences tell whether it is.
        found.unwrap_or_else(|| Tensor::zeros(inputs[input].shape()))
    };
    for (input, x) in inputs.iter().enumerate() {
        // ⟨u, J v⟩ for the direction v, by five points.
        let along = |direction: &Tensor<f64>, step: f64| {
            let at = |steps: f64| {
                let tape = tape();
                let moved = x + direction * (steps * step);
                let moved = inputs.iter().enumerate().map(|(i, x)| if i == input { &moved } else { x });
                let moved: Vec<Var<'_, f64>> = moved.map(|x| tape.constant(x.clone())).collect();
                dot(&f(&moved).value(), &seed)
            };
            (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * step)
        };
        let gradient = gradient(input);
        for _ in 0..DIRECTIONS {
            let direction = random(x.clone(), rng);
            let pullback = dot(&gradient, &direction);
            let error = |difference: f64| {
                let size = pullback.abs().max(difference.abs()).max(noise);
                if size == 0.0 { 0.0 } else { (pullback - difference).abs() / size }
            };
            let mut differences: Vec<f64> = Vec::with_capacity(FINER.len());
            let agrees = FINER.iter().any(|part| {
                differences.push(along(&direction, part * STEP));
                error(differences[differences.len() - 1]) <= TOLERANCE
            });
            if !agrees && !is_rounding(pullback, &differences, rounding) {
                return Err(worst(input, x, error(differences[0]), &gradient, |unit| along(unit, STEP)));
            }
        }
    }
    Ok(())
}

/// Whether a gradient and its differences are 0 but for rounding: all are tiny, and the differences are chance. Those of a gradient that
/// is there are the same for each step, however small it is.
fn is_rounding(pullback: f64, differences: &[f64], rounding: f64) -> bool {
    let steady = differences.iter().all(|d| (d - differences[0]).abs() < 0.1 * differences[0].abs());
    !steady && differences.iter().chain([&pullback]).all(|x| x.abs() <= rounding)
}

/// The largest finite number of a tensor, without its sign.
fn size_of(x: &Tensor<f64>) -> f64 {
    x.iter().map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

/// Compares element by element, and returns the worst.
fn worst(
    input: usize,
    x: &Tensor<f64>,
    error: f64,
    gradient: &Tensor<f64>,
    along: impl Fn(&Tensor<f64>) -> f64,
) -> GradientError {
    let mut worst = GradientError { input, error, index: vec![], pullback: f64::NAN, difference: f64::NAN };
    let mut largest = -1.0;
    Tensor::from_fn(x.shape(), |index| {
        let unit = Tensor::from_fn(x.shape(), |other| f64::from(u8::from(other == index)));
        let (pullback, difference) = (gradient.get(index).unwrap_or(f64::NAN), along(&unit));
        let off = (pullback - difference).abs();
        if off > largest || off.is_nan() {
            largest = off;
            worst = GradientError { index: index.to_vec(), pullback, difference, ..worst.clone() };
        }
        false
    });
    worst
}

fn dot(x: &Tensor<f64>, y: &Tensor<f64>) -> f64 {
    (x * y).sum(..).item()
}

/// Uniform in −1..1, in the shape of another.
fn random(like: Tensor<f64>, rng: &mut impl Rng) -> Tensor<f64> {
    Tensor::from_fn(like.shape(), |_| rng.random_range(-1.0..1.0))
}

/// What the tests of the ops share.
#[cfg(test)]
pub(crate) mod testing {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    pub(crate) fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(42)
    }

    /// Numbers in −1.5..1.5, none of which is near 0.
    pub(crate) fn input(dims: &[usize], rng: &mut ChaCha8Rng) -> Tensor<f64> {
        Tensor::from_fn(dims, |_| rng.random_range(0.1..1.5) * if rng.random() { 1.0 } else { -1.0 })
    }
}

#[cfg(test)]
mod tests {
    use tensor::Activation;

    use super::testing::{input, rng};
    use super::*;

    /// tanh with a pullback to choose.
    fn faulty<'t>(
        x: Var<'t, f64>,
        pullback: impl Fn(Tensor<f64>, &Tensor<f64>) -> Tensor<f64> + Send + 'static,
    ) -> Var<'t, f64> {
        let y = x.value().tanh();
        x.record("faulty", y.clone()).wrt(x, move |g| pullback(g, &y)).done()
    }

    #[test]
    fn accepts_a_right_pullback() {
        let result = gradients(&[input(&[3, 4], &mut rng())], &mut rng(), |x| {
            faulty(x[0], |g, y| g.pullback(Activation::Tanh, y))
        });
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn rejects_wrong_pullbacks() {
        type Pullback = fn(Tensor<f64>, &Tensor<f64>) -> Tensor<f64>;
        let wrong: [Pullback; 5] = [
            |g, y| g * (y * y),
            |g, y| g.pullback(Activation::Tanh, y) * 1.00001,
            |g, y| -g.pullback(Activation::Tanh, y),
            |g, _| g * 0.0,
            |g, y| g.pullback(Activation::Tanh, y) * f64::NAN,
        ];
        for (i, &pullback) in wrong.iter().enumerate() {
            let result = gradients(&[input(&[3, 4], &mut rng())], &mut rng(), move |x| faulty(x[0], pullback));
            assert!(result.is_err(), "wrong pullback {i} passed");
        }
    }

    #[test]
    fn accepts_gradients_that_are_0_but_for_rounding() {
        use rand::SeedableRng;
        for seed in 0..200 {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let x = [input(&[3, 5], &mut rng)];
            let constant: [fn(Var<'_, f64>) -> Var<'_, f64>; 5] = [
                |x| x.log_softmax(-1).logsumexp(-1),
                |x| x.normalize(-1, 0.0).sum(-1),
                |x| x.softmax(1).sum(..),
                |x| x - x.scale(0.5) - x.scale(0.5),
                |x| (x.scale(1e6) + 1.0) - x.scale(1e6),
            ];
            for (place, f) in constant.into_iter().enumerate() {
                assert_eq!(gradients(&x, &mut rng, |x| f(x[0])), Ok(()), "{place}, seed {seed}");
            }
            // What turns fast is measured by shorter steps.
            assert_eq!(gradients(&x, &mut rng, |x| x[0].scale(60.0).sin()), Ok(()), "seed {seed}");
        }
    }

    #[test]
    fn rejects_what_is_wrong_however_small_it_is() {
        // Gradients as small as rounding would be, of results that are small themselves or are not.
        for (scale, offset) in [(1e-6, 0.0), (1e-9, 0.0), (1e-12, 0.0), (1e-5, 1.0)] {
            for wrong in [0.0, 0.9, 1.001, -1.0] {
                let result = gradients(&[input(&[3, 4], &mut rng())], &mut rng(), move |x| {
                    faulty(x[0], move |g, y| g.pullback(Activation::Tanh, y) * wrong).scale(scale) + offset
                });
                assert!(result.is_err(), "a pullback of {wrong} times the right one passed at {scale} + {offset}");
            }
        }
    }

    #[test]
    fn rejects_a_single_wrong_element_and_names_it() {
        let result = gradients(&[input(&[2, 2], &mut rng()), input(&[3, 4], &mut rng())], &mut rng(), |x| {
            let y = faulty(x[1], |g, y| {
                let mut g = g.pullback(Activation::Tanh, y);
                g.as_mut_slice()[6] += 0.001;
                g
            });
            y.sum(..) + x[0].sum(..)
        });
        let error = result.unwrap_err();
        assert_eq!((error.input, error.index.as_slice()), (1, &[1, 2][..]));
        assert!(error.to_string().starts_with("the gradient of input 1 is wrong"), "{error}");
    }

    #[test]
    fn rejects_a_gradient_that_is_missing() {
        let result =
            gradients(&[input(&[3], &mut rng())], &mut rng(), |x| x[0].record("lost", x[0].value().tanh()).done());
        assert!(result.is_err());
        let result = gradients(&[input(&[3], &mut rng())], &mut rng(), |x| {
            let half = x[0].tape().constant(x[0].value());
            x[0] * half
        });
        assert!(result.is_err());
    }
}
