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

impl fmt::Debug for GradientError {
    /// As `Display`: it is what a failing `main` or `unwrap` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Checks the gradients of `f` with respect to each of `inputs` along random directions.
///
/// The inputs should stay clear of kinks: there a difference means nothing.
///
/// # Errors
/// Pullbacks and differences disagree by more than [`TOLERANCE`], relative to the larger of them, or to a millionth of
/// the result where that is larger.
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
    let gradients = result.needs_gradient().then(|| result.backward_with(seed.clone()));
    let gradient = |input: usize| {
        let found = gradients.as_ref().and_then(|gradients| gradients.get(leaves[input]).cloned());
        // One that is missing counts as zero, and the differences tell whether it is.
        found.unwrap_or_else(|| Tensor::zeros(inputs[input].shape()))
    };
    for (input, x) in inputs.iter().enumerate() {
        // ⟨u, J v⟩ for the direction v, by five points.
        let along = |direction: &Tensor<f64>| {
            let at = |steps: f64| {
                let tape = tape();
                let moved = x + direction * (steps * STEP);
                let moved = inputs.iter().enumerate().map(|(i, x)| if i == input { &moved } else { x });
                let moved: Vec<Var<'_, f64>> = moved.map(|x| tape.constant(x.clone())).collect();
                dot(&f(&moved).value(), &seed)
            };
            (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * STEP)
        };
        let gradient = gradient(input);
        for _ in 0..DIRECTIONS {
            let direction = random(x.clone(), rng);
            let (pullback, difference) = (dot(&gradient, &direction), along(&direction));
            let size = pullback.abs().max(difference.abs()).max(noise);
            let error = if size == 0.0 { 0.0 } else { (pullback - difference).abs() / size };
            if error.is_nan() || error > TOLERANCE {
                return Err(worst(input, x, error, &gradient, along));
            }
        }
    }
    Ok(())
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
