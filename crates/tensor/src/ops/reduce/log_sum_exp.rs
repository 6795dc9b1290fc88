//! ln Σ exp x.

use super::{Axes, Over, over, read, reduce};
use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::{self, LogSumExp};
use crate::par;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// ln Σ exp x over `axes`: all with `..`, one such as `-1`, several as `[0, 2]`. The largest x is taken off first, so
    /// that nothing overflows; of nothing, or of −∞ alone, it is −∞.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[0.0, 0.0], [1000.0, 0.0]]);
    /// assert_eq!(x.logsumexp(1), Tensor::from([2.0_f64.ln(), 1000.0]));
    /// ```
    #[track_caller]
    pub fn logsumexp<A: Axes>(&self, axes: A) -> Self {
        T::log_sum_exp(self, &over("logsumexp", self.shape(), &axes).or_panic())
    }
}

pub(crate) fn log_sum_exp<T: Float>(x: &Tensor<T>, over: &Over) -> Tensor<T> {
    let cost = read::<T>() + par::TRANSCENDENTAL;
    reduce(x, over, cost, &LogSumExp, T::ZERO.ln(), &kernel::finish_log_sum_exp)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::keepdim;
    use crate::ops::reduce::tests::{base, naive, sets, views};

    #[test]
    fn agrees_with_the_definition_over_any_axes_and_strides() {
        for x in views(&base()) {
            for axes in sets() {
                let want = naive(&x, axes, |x| x.iter().map(|x| x.exp()).sum::<f64>().ln());
                for (got, want) in x.logsumexp(axes).iter().zip(want) {
                    assert!(got == want || (got - want).abs() < 1e-13 * want.abs().max(1.0), "{got} {want}");
                }
            }
        }
    }

    #[test]
    fn nothing_overflows_and_infinities_stay() {
        let large = Tensor::from_fn([5000, 3], |i| (i[0] % 10) as f32 * 1e4 + i[1] as f32);
        for (i, got) in large.logsumexp(keepdim(0)).iter().enumerate() {
            assert_relative_eq!(got, 9e4 + i as f32 + 500.0_f32.ln(), max_relative = 1e-6);
        }
        let (none, all) = (f32::NEG_INFINITY, f32::INFINITY);
        for len in [1, 3, 40, 5000] {
            for (value, want) in [(none, none), (all, all)] {
                assert_eq!(Tensor::full([len, 2], value).logsumexp(0).to_vec(), [want; 2]);
                assert_eq!(Tensor::full([2, len], value).logsumexp(1).to_vec(), [want; 2]);
            }
            // One among finite ones, in any of the blocks.
            for at in [0, len / 2, len - 1] {
                let mut x = Tensor::<f32>::zeros([len + 1]);
                x.as_mut_slice()[at] = all;
                assert_eq!(x.logsumexp(0).item(), all);
                x.as_mut_slice()[at] = none;
                assert_relative_eq!(x.logsumexp(0).item(), (len as f32).ln(), max_relative = 1e-6);
                x.as_mut_slice()[at] = f32::NAN;
                assert!(
                    x.logsumexp(0).item().is_nan()
                        && x.unsqueeze(1).expand([len + 1, 2]).logsumexp(0).iter().all(f32::is_nan)
                );
            }
        }
        assert_eq!(Tensor::<f32>::zeros([0]).logsumexp(0).item(), none);
    }
}
