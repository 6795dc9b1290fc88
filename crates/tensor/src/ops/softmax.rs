//! Softmax and its logarithm along one axis, and their pullbacks.

use crate::buffer::Buffer;
use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::{self, LogSoftmax, LogSoftmaxBackward, Normalize, Softmax, SoftmaxBackward};
use crate::par;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Softmax along `axis`: exp xⱼ / Σₖ exp xₖ, with the largest x taken off first, so that nothing overflows.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let p = Tensor::from([[0.0, 0.0], [1000.0, 0.0]]).softmax(-1);
    /// assert_eq!(p, Tensor::from([[0.5, 0.5], [1.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Self {
        let axis = self.shape().axis("softmax", axis).or_panic();
        T::normalize(
            Tensor::from_buffer(Buffer::stale(self.numel()), self.shape().clone()),
            self,
            axis,
            Normalization::Softmax,
        )
    }

    /// The logarithm of softmax along `axis`: xⱼ − ln Σₖ exp xₖ, with the largest x taken off first, so that nothing
    /// overflows and small probabilities keep their digits.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let ln_p = Tensor::from([[0.0, 0.0], [1000.0, 0.0]]).log_softmax(-1);
    /// assert_eq!(ln_p, Tensor::from([[-2.0_f64.ln(), -2.0_f64.ln()], [0.0, -1000.0]]));
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Self {
        let axis = self.shape().axis("log_softmax", axis).or_panic();
        T::normalize(
            Tensor::from_buffer(Buffer::stale(self.numel()), self.shape().clone()),
            self,
            axis,
            Normalization::LogSoftmax,
        )
    }
}

/// What is done with lines.
#[derive(Clone, Copy)]
pub enum Normalization {
    Softmax,
    LogSoftmax,
    SoftmaxBackward,
    LogSoftmaxBackward,
}

/// Changes each line of x along `axis`, given that of y.
pub(crate) fn normalize<T: Float>(x: Tensor<T>, y: &Tensor<T>, axis: usize, how: Normalization) -> Tensor<T> {
    match how {
        Normalization::Softmax => normalize_by(x, y, axis, Softmax),
        Normalization::LogSoftmax => normalize_by(x, y, axis, LogSoftmax),
        Normalization::SoftmaxBackward => normalize_by(x, y, axis, SoftmaxBackward),
        Normalization::LogSoftmaxBackward => normalize_by(x, y, axis, LogSoftmaxBackward),
    }
}

fn normalize_by<T: Float, N: Normalize<T>>(mut x: Tensor<T>, y: &Tensor<T>, axis: usize, op: N) -> Tensor<T> {
    if x.numel() == 0 {
        return x;
    }
    let y = y.contiguous();
    let y = y.as_slice().expect("made contiguous");
    let dims = x.dims();
    let (len, inner) = (dims[axis], dims[axis + 1..].iter().product());
    let outer = dims[..axis].iter().product();
    let x_data = x.as_mut_slice();
    if inner > 1 {
        kernel::normalize_columns(x_data, y, [outer, len, inner], op);
    } else {
        par::split(x_data, len, N::COST, |start, x| {
            kernel::normalize_rows(x, &y[start..][..x.len()], len, op, &mut |_, _, _| {});
        });
    }
    x
}

#[cfg(test)]
mod tests {
    use crate::ops::Pullback;
    use approx::assert_relative_eq;

    use super::*;
    use crate::keepdim;
    use crate::ops::reduce::tests::views;

    #[test]
    fn agrees_with_the_definition_along_any_axis_and_strides() {
        let x = Tensor::from_fn([4, 5, 6], |i| (i[0] * 30 + i[1] * 6 + i[2]) as f64 / 19.0 - 2.0);
        for x in views(&x) {
            for axis in -3..3 {
                let exp = x.map(f64::exp);
                let want = &exp / exp.sum(keepdim(axis));
                let (p, ln_p) = (x.softmax(axis), x.log_softmax(axis));
                for ((got, ln), want) in p.iter().zip(ln_p.iter()).zip(want.iter()) {
                    assert_relative_eq!(got, want, max_relative = 1e-14);
                    assert_relative_eq!(ln, want.ln(), max_relative = 1e-13);
                }
                let g = x.map(|x| (x * 3.0).sin());
                let want = &p * (&g - (&g * &p).sum(keepdim(axis)));
                for (got, want) in g.clone().pullback(Pullback::Softmax(axis), &p).iter().zip(want.iter()) {
                    assert_relative_eq!(got, want, epsilon = 1e-15, max_relative = 1e-13);
                }
                let want = &g - &p * g.sum(keepdim(axis));
                for (got, want) in g.clone().pullback(Pullback::LogSoftmax(axis), &ln_p).iter().zip(want.iter()) {
                    assert_relative_eq!(got, want, epsilon = 1e-14, max_relative = 1e-13);
                }
            }
        }
    }

    #[test]
    fn lines_of_any_length_and_width_agree() {
        let lengths = (1..=20).chain([31, 33, 64, 65, 300, 4095, 4097, 70_001]);
        for len in lengths {
            let widths: &[usize] = if len > 5000 { &[1, 3] } else { &[1, 2, 3, 27, 63, 64, 65, 130] };
            for &width in widths {
                let x = Tensor::from_fn([len, width], |i| ((i[0] * 7919 + i[1] * 31) % 1013) as f32 / 100.0);
                let exp = x.map(|x| f64::from(x).exp());
                let want = &exp / exp.sum(keepdim(0));
                for (got, want) in x.softmax(0).iter().zip(want.iter()) {
                    assert_relative_eq!(f64::from(got), want, max_relative = 2e-6);
                }
                for (got, want) in x.t().log_softmax(1).t().iter().zip(want.iter()) {
                    assert_relative_eq!(f64::from(got), want.ln(), epsilon = 2e-6, max_relative = 1e-6);
                }
            }
        }
    }

    #[test]
    fn threads_leave_no_trace() {
        for dims in [[100_000, 9], [9, 100_000], [700, 1001]] {
            let x = Tensor::from_fn(dims, |i| ((i[0] * 7919 + i[1] * 31) % 1013) as f32 / 100.0);
            let all = || (x.softmax(0), x.softmax(1), x.log_softmax(0), x.clone().pullback(Pullback::Softmax(0), &x));
            let want = crate::with_threads(1, all).unwrap();
            for threads in [2, 3, 8] {
                assert_eq!(crate::with_threads(threads, all).unwrap(), want, "{dims:?}");
            }
        }
    }

    #[test]
    fn an_only_owner_is_changed_in_place() {
        let g = Tensor::<f32>::ones([4, 5]);
        let before = g.as_slice().unwrap().as_ptr();
        let y = Tensor::<f32>::full([4, 5], 0.2);
        assert_eq!(g.pullback(Pullback::Softmax(1), &y).as_slice().unwrap().as_ptr(), before);
    }

    #[test]
    fn empty_and_not_a_number() {
        assert_eq!(Tensor::<f32>::zeros([0, 3]).softmax(1).dims(), [0, 3]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).softmax(1).dims(), [2, 0]);
        assert!(Tensor::from([1.0, f32::NAN]).softmax(0).iter().all(f32::is_nan));
        assert!(Tensor::from([f32::NAN, 1.0]).softmax(0).iter().all(f32::is_nan));
    }
}
