//! Whether, and how many times.

use super::{Axes, read, reduce, reduced};
use crate::element::Element;
use crate::error::OrPanic;
use crate::kernel::Fold;
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// Whether any element over `axes` is true: all axes with `..`, one such as `-1`, several as `[0, 2]`. Of nothing,
    /// none is.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[false, true], [false, false]]);
    /// assert_eq!(x.any(1), Tensor::from([true, false]));
    /// ```
    #[track_caller]
    pub fn any<A: Axes>(&self, axes: A) -> Self {
        let reduced = reduced("any", self.shape(), &axes).or_panic();
        let any = Fold {
            empty: Some(false),
            start: |_: bool| false,
            fold: |any: bool, x: bool| any | x,
            join: |a: bool, b: bool| a | b,
            finish: |any: bool| any,
        };
        reduce(self, &reduced, A::KEEP, read::<bool>(), &any)
    }

    /// Whether every element over `axes` is true: all axes with `..`, one such as `-1`, several as `[0, 2]`. Of nothing,
    /// every one is.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[true, true], [false, true]]);
    /// assert_eq!(x.all(1), Tensor::from([true, false]));
    /// ```
    #[track_caller]
    pub fn all<A: Axes>(&self, axes: A) -> Self {
        let reduced = reduced("all", self.shape(), &axes).or_panic();
        let all = Fold {
            empty: Some(true),
            start: |_: bool| true,
            fold: |all: bool, x: bool| all & x,
            join: |a: bool, b: bool| a & b,
            finish: |all: bool| all,
        };
        reduce(self, &reduced, A::KEEP, read::<bool>(), &all)
    }
}

impl<T: Element> Tensor<T> {
    /// How many elements over `axes` are not 0, or true: all axes with `..`, one such as `-1`, several as `[0, 2]`. A NaN
    /// is not 0.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[0.0, 2.0], [1.0, 3.0]]).count_nonzero(0), Tensor::from([1, 2]));
    /// assert_eq!(Tensor::from([true, false, true]).count_nonzero(..).item(), 2);
    /// ```
    #[track_caller]
    pub fn count_nonzero<A: Axes>(&self, axes: A) -> Tensor<i64> {
        let reduced = reduced("count_nonzero", self.shape(), &axes).or_panic();
        let zero = T::default();
        let number = Fold {
            empty: Some(0),
            start: |_: T| 0_i64,
            fold: |number: i64, x: T| number + i64::from(x != zero),
            join: |a: i64, b: i64| a + b,
            finish: |number: i64| number,
        };
        reduce(self, &reduced, A::KEEP, read::<T>(), &number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepdim;
    use crate::ops::reduce::tests::{naive, sets, views};

    #[test]
    fn agree_with_the_definition_over_any_axes_and_strides() {
        for (of, modulus) in [(1, 1), (0, 1), (1, 7), (6, 7), (2, 3)] {
            let base = Tensor::from_fn([4, 5, 6], |i| (i[0] * 30 + i[1] * 6 + i[2]) % modulus < of);
            for x in views(&base) {
                for axes in sets() {
                    assert_eq!(x.any(axes).to_vec(), naive(&x, axes, |x| x.contains(&true)));
                    assert_eq!(x.all(axes).to_vec(), naive(&x, axes, |x| !x.contains(&false)));
                    let number = naive(&x, axes, |x| x.iter().filter(|x| **x).count() as i64);
                    assert_eq!(x.count_nonzero(keepdim(axes)).to_vec(), number);
                }
            }
        }
        let long = Tensor::from_fn([300_001], |i| [0.0, -0.0, f32::NAN, 1.0][i[0] % 4]);
        assert_eq!(long.count_nonzero(..).item(), 150_000);
    }
}
