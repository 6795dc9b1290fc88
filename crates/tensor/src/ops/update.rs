//! Steps of optimizers, in place and in one pass.

use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Runs, Step, Update};
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
    /// let momentum = Update::Momentum { rate: 0.5, l2: 0.0, momentum: 0.5, take: 1.0, nesterov: false };
    /// w.update(&Tensor::from([1.0]), &mut m, momentum);
    /// assert_eq!((w, m), (Tensor::from([0.0]), [Tensor::from([2.0])]));
    /// ```
    #[track_caller]
    pub fn update(&mut self, gradient: &Self, kept: &mut [Self], how: Update<T>) {
        T::updated(self, gradient, kept, how).or_panic();
    }

    /// The same by a formula of one's own, of an element's weight, its gradient, and the N numbers that are kept of it,
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
        run("update_by", self, gradient, kept, &By(formula), par::DIVISION).or_panic();
    }
}

/// [`Tensor::update`], compiled in this crate.
pub(crate) fn updated<T: Float>(
    w: &mut Tensor<T>,
    gradient: &Tensor<T>,
    kept: &mut [Tensor<T>],
    how: Update<T>,
) -> Result<(), Error> {
    struct Over<'a, T: Float> {
        w: &'a mut Tensor<T>,
        gradient: &'a Tensor<T>,
        kept: &'a mut [Tensor<T>],
        result: &'a mut Result<(), Error>,
    }
    impl<T: Float> Runs<T> for Over<'_, T> {
        fn run<const N: usize>(self, formula: &impl Step<T, N>, cost: f64) {
            *self.result = run("update", self.w, self.gradient, self.kept, formula, cost);
        }
    }
    let (mut result, count) = (Ok(()), kept.len());
    let over = Over { w, gradient, kept, result: &mut result };
    how.with_formula(count, over).map_err(|want| wrong_count("update", want, count))?;
    result
}

fn wrong_count(op: &'static str, want: &str, count: usize) -> Error {
    Error::new(op, Reason::Argument { why: format!("it keeps {want} of each weight, but {count} tensors are given") })
}

fn run<T: Float, const N: usize>(
    op: &'static str,
    w: &mut Tensor<T>,
    gradient: &Tensor<T>,
    kept: &mut [Tensor<T>],
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
