//! Softmax along one axis.

use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel;
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
        let axis = self.shape().axis("softmax", axis).or_panic() as isize;
        // The rows are computed where they lie together.
        let mut p = self.transpose(axis, -1).copied();
        let classes = p.size(-1);
        if p.numel() > 0 {
            for row in p.as_mut_slice().chunks_exact_mut(classes) {
                kernel::softmax(row);
            }
        }
        p.transpose(axis, -1)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::keepdim;

    #[test]
    fn agrees_with_the_definition_along_any_axis_and_strides() {
        let x = Tensor::from_fn([3, 4, 5], |i| (i[0] * 20 + i[1] * 5 + i[2]) as f64 / 9.0 - 2.0).permute(&[1, 2, 0]);
        for axis in -3..3 {
            let exp = x.map(f64::exp);
            let want = &exp / exp.sum(keepdim(axis));
            for (got, want) in x.softmax(axis).iter().zip(want.iter()) {
                assert_relative_eq!(got, want, max_relative = 1e-14);
            }
        }
    }

    #[test]
    fn empty_and_not_a_number() {
        assert_eq!(Tensor::<f32>::zeros([0, 3]).softmax(1).dims(), [0, 3]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).softmax(1).dims(), [2, 0]);
        assert!(Tensor::from([1.0, f32::NAN]).softmax(0).iter().all(f32::is_nan));
        assert!(Tensor::from([f32::NAN, 1.0]).softmax(0).iter().all(f32::is_nan));
    }
}
