//! Steps of optimizers, in place and in one pass.

use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::update::{
    Descent, LargestMoments, MeanSquare, MeanSquareMomentum, Moments, Momentum, Ratio, Sign, SumOfSquares,
};
use crate::kernel::{self, Step, Update};
use crate::par;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// One step of an optimizer over this weight, in place, element by element in one pass, shared among threads where
    /// it is large. `kept` is what the optimizer keeps of it from step to step, in the order in which the [`Update`]
    /// names it.
    ///
    /// A tensor that shares its storage is copied first, as by [`as_mut_slice`](Self::as_mut_slice).
    ///
    /// # Panics
    /// The gradient or what is kept has another shape than the weight, or the update keeps another number of tensors.
    ///
    /// # Example
    /// ```
    /// use tensor::{Tensor, Update};
    ///
    /// let (mut w, mut m) = (Tensor::from([1.0]), [Tensor::from([2.0])]);
    /// let momentum = Update::Momentum { lr: 0.5, l2: 0.0, momentum: 0.5, one_minus_dampening: 1.0, nesterov: false };
    /// w.update(&Tensor::from([1.0]), &mut m, momentum);
    /// assert_eq!((w, m), (Tensor::from([0.0]), [Tensor::from([2.0])]));
    /// ```
    #[track_caller]
    pub fn update(&mut self, gradient: &Self, kept: &mut [Self], how: Update<T>) {
        T::updated(self, gradient, kept, how).or_panic();
    }

    /// Updates by a formula of your own: of an element's weight, its gradient, and the N numbers that are kept of it,
    /// all to be changed.
    ///
    /// # Panics
    /// The gradient or what is kept has another shape than the weight, or there are not N tensors of the latter.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (mut w, mut m): (Tensor, _) = (Tensor::from([1.0, 2.0]), [Tensor::from([0.5, 0.0])]);
    /// w.update_by(&Tensor::from([1.0, -1.0]), &mut m, |w, g, [m]| {
    ///     *m = 0.5 * *m + g;
    ///     *w -= 0.1 * m.signum();
    /// });
    /// assert_eq!((w, m), (Tensor::from([0.9, 2.1]), [Tensor::from([1.25, -1.0])]));
    /// ```
    #[track_caller]
    pub fn update_by<const N: usize>(
        &mut self,
        gradient: &Self,
        kept: &mut [Self],
        formula: impl Fn(&mut T, T, &mut [T; N]) + Sync,
    ) {
        struct By<F>(F);
        impl<T: Float, const N: usize, F: Fn(&mut T, T, &mut [T; N]) + Sync> Step<T, N> for By<F> {
            #[inline(always)]
            fn step(&self, mut w: T, g: T, mut kept: [T; N]) -> (T, [T; N]) {
                self.0(&mut w, g, &mut kept);
                (w, kept)
            }
        }
        run("update_by", (self, gradient, kept), &By(formula), par::DIVISION).or_panic();
    }
}

/// [`Tensor::update`], compiled in this crate.
pub(crate) fn updated<T: Float>(
    w: &mut Tensor<T>,
    gradient: &Tensor<T>,
    kept: &mut [Tensor<T>],
    how: Update<T>,
) -> Result<(), Error> {
    /// What an element costs beside the memory, in nanoseconds: a division, and a root.
    const DIVISION: f64 = par::DIVISION;
    const PASS: f64 = 2.0 * par::STREAM;
    let count = kept.len();
    let wrong = |want| Err(wrong_count("update", want, count));
    let into = (w, gradient, kept);
    match (how, count) {
        (Update::Descent { lr, l2 }, 0) => run("update", into, &Descent { lr, l2 }, PASS),
        (Update::Descent { .. }, _) => wrong("nothing"),
        (Update::Momentum { lr, l2, momentum, one_minus_dampening, nesterov }, 1) => {
            let (now, ahead) = if nesterov { (T::ONE, momentum) } else { (T::ZERO, T::ONE) };
            run("update", into, &Momentum { lr, l2, momentum, one_minus_dampening, ahead, now }, PASS)
        }
        (Update::Moments { one_minus_betas, beta_2, l2, decay, m_scale, g_scale, v_scale, eps }, 2 | 3) => {
            let [one_minus_beta_1, one_minus_beta_2] = one_minus_betas;
            let moments =
                Moments { one_minus_beta_1, one_minus_beta_2, beta_2, l2, decay, m_scale, g_scale, v_scale, eps };
            match count {
                2 => run("update", into, &moments, PASS + 2.0 * DIVISION),
                _ => run("update", into, &LargestMoments(moments), PASS + 2.0 * DIVISION),
            }
        }
        (Update::Moments { .. }, _) => wrong("two or three tensors"),
        (Update::MeanSquare { lr, l2, alpha, one_minus_alpha, eps, .. }, 1) => {
            run("update", into, &MeanSquare { lr, l2, alpha, one_minus_alpha, eps }, PASS + 2.0 * DIVISION)
        }
        (Update::MeanSquare { lr, l2, alpha, one_minus_alpha, eps, momentum, centered }, 3) => {
            let centered = if centered { T::ONE } else { T::ZERO };
            let formula = MeanSquareMomentum { lr, l2, alpha, one_minus_alpha, eps, momentum, centered };
            run("update", into, &formula, PASS + 2.0 * DIVISION)
        }
        (Update::MeanSquare { .. }, _) => wrong("one or three tensors"),
        (Update::SumOfSquares { lr, l2, eps }, 1) => {
            run("update", into, &SumOfSquares { lr, l2, eps }, PASS + 2.0 * DIVISION)
        }
        (Update::Ratio { lr, l2, rho, one_minus_rho, eps }, 2) => {
            run("update", into, &Ratio { lr, l2, rho, one_minus_rho, eps }, PASS + 3.0 * DIVISION)
        }
        (Update::Ratio { .. }, _) => wrong("two tensors"),
        (Update::Sign { lr, decay, one_minus_betas: [one_minus_beta_1, one_minus_beta_2] }, 1) => {
            run("update", into, &Sign { lr, decay, one_minus_beta_1, one_minus_beta_2 }, PASS)
        }
        (Update::Momentum { .. } | Update::SumOfSquares { .. } | Update::Sign { .. }, _) => wrong("one tensor"),
    }
}

fn wrong_count(op: &'static str, want: &str, count: usize) -> Error {
    Error::new(op, Reason::Argument { why: format!("it keeps {want} of each weight, but {count} tensors are given") })
}

fn run<T: Float, const N: usize>(
    op: &'static str,
    (w, gradient, kept): (&mut Tensor<T>, &Tensor<T>, &mut [Tensor<T>]),
    formula: &impl Step<T, N>,
    cost: f64,
) -> Result<(), Error> {
    gradient.expect_shape(op, w.shape())?;
    for kept in &*kept {
        kept.expect_shape(op, w.shape())?;
    }
    let count = kept.len();
    let kept: &mut [Tensor<T>; N] = kept.try_into().map_err(|_| wrong_count(op, &format!("{N} tensors"), count))?;
    let gradient = gradient.contiguous();
    let g = gradient.as_slice().expect("it is contiguous");
    par::split_with(w.as_mut_slice(), kept.each_mut().map(Tensor::as_mut_slice), cost, &|start, w, kept| {
        kernel::update(formula, w, &g[start..][..w.len()], kept);
    });
    Ok(())
}
