//! Comparing tensors within a tolerance, for tests. Feature `approx`.

use approx::{AbsDiffEq, RelativeEq, UlpsEq};

use crate::element::Float;
use crate::tensor::Tensor;

/// The same shape, and all elements within the tolerance of their counterparts. Feature `approx`.
///
/// # Example
/// ```
/// use approx::assert_abs_diff_eq;
/// use tensor::Tensor;
///
/// assert_abs_diff_eq!(Tensor::from([0.1 + 0.2, 1.0]), Tensor::from([0.3, 1.0]), epsilon = 1e-9);
/// ```
impl<T: Float + AbsDiffEq<Epsilon: Copy>> AbsDiffEq for Tensor<T> {
    type Epsilon = T::Epsilon;

    fn default_epsilon() -> T::Epsilon {
        T::default_epsilon()
    }

    fn abs_diff_eq(&self, other: &Self, epsilon: T::Epsilon) -> bool {
        all(self, other, |x, y| x.abs_diff_eq(y, epsilon))
    }
}

/// The same shape, and all elements within the tolerance of their counterparts. Feature `approx`.
///
/// # Example
/// ```
/// use approx::assert_relative_eq;
/// use tensor::Tensor;
///
/// let x = Tensor::from([[1000.0_f32, 1.0], [0.0, -8.0]]);
/// assert_relative_eq!(x, &x * 1.000_000_1, max_relative = 1e-6);
/// ```
impl<T: Float + RelativeEq<Epsilon: Copy>> RelativeEq for Tensor<T> {
    fn default_max_relative() -> T::Epsilon {
        T::default_max_relative()
    }

    fn relative_eq(&self, other: &Self, epsilon: T::Epsilon, max_relative: T::Epsilon) -> bool {
        all(self, other, |x, y| x.relative_eq(y, epsilon, max_relative))
    }
}

/// The same shape, and all elements within the tolerance of their counterparts. Feature `approx`.
///
/// # Example
/// ```
/// use approx::assert_ulps_eq;
/// use tensor::Tensor;
///
/// assert_ulps_eq!(Tensor::from([1.0_f32]), Tensor::from([1.0 + f32::EPSILON]), max_ulps = 1);
/// ```
impl<T: Float + UlpsEq<Epsilon: Copy>> UlpsEq for Tensor<T> {
    fn default_max_ulps() -> u32 {
        T::default_max_ulps()
    }

    fn ulps_eq(&self, other: &Self, epsilon: T::Epsilon, max_ulps: u32) -> bool {
        all(self, other, |x, y| x.ulps_eq(y, epsilon, max_ulps))
    }
}

fn all<T: Float>(x: &Tensor<T>, y: &Tensor<T>, near: impl Fn(&T, &T) -> bool) -> bool {
    x.shape() == y.shape() && x.iter().zip(y.iter()).all(|(x, y)| near(&x, &y))
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq, assert_relative_ne, assert_ulps_eq, assert_ulps_ne};

    use super::*;

    #[test]
    fn one_element_out_of_the_tolerance_is_enough() {
        for i in 0..6 {
            let x = Tensor::<f64>::arange(6).reshape([2, 3]) + 1.0;
            let mut y = x.clone();
            y.as_mut_slice()[i] *= 1.0 + 1e-9;
            assert_relative_eq!(x, y, max_relative = 1e-8);
            assert_relative_ne!(x, y, max_relative = 1e-10);
            assert_abs_diff_eq!(x, y, epsilon = 1e-8);
            assert!(x.abs_diff_ne(&y, 1e-10));
            assert_ulps_eq!(x, y, max_ulps = u32::MAX);
            assert_ulps_ne!(x, y, max_ulps = 4);
        }
    }

    #[test]
    fn shapes_must_be_the_same() {
        let x = Tensor::<f32>::ones([2, 3]);
        assert_relative_ne!(x, x.t());
        assert_relative_ne!(x, x.flatten(0));
        assert_ulps_ne!(Tensor::<f32>::zeros([0, 3]), Tensor::zeros([3, 0]));
        assert!(x.abs_diff_ne(&x.slice(0, 1..), f32::INFINITY));
    }

    #[test]
    fn views_compare_by_their_elements_and_nan_equals_nothing() {
        let x = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]]);
        assert_relative_eq!(x.t(), x.t().contiguous());
        assert_relative_eq!(Tensor::scalar(2.0_f32).expand([2, 2]), Tensor::full([2, 2], 2.0));
        let nan = Tensor::scalar(f32::NAN);
        assert_relative_ne!(nan, nan, max_relative = f32::INFINITY);
    }
}
