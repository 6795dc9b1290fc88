//! Whether, and how many times.

use super::{Axes, Over, over, read, reduce, reduced};
use crate::element::Element;
use crate::error::OrPanic;
use crate::kernel::{Count, Largest, Smallest};
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
        reduced(self, &over("any", self.shape(), &axes).or_panic(), &Largest, false)
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
        reduced(self, &over("all", self.shape(), &axes).or_panic(), &Smallest, true)
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
        T::count_nonzero(self, &over("count_nonzero", self.shape(), &axes).or_panic())
    }
}

pub(crate) fn count_nonzero<T: Element>(x: &Tensor<T>, over: &Over) -> Tensor<i64> {
    count_true(&x.cast(), over, 0, &|counts, out| out.copy_from_slice(counts))
}

/// What `finish` makes of how many are true.
pub(super) fn count_true<O: Element>(
    x: &Tensor<bool>,
    over: &Over,
    of_nothing: O,
    finish: &(dyn Fn(&[i64], &mut [O]) + Sync),
) -> Tensor<O> {
    reduce(x, over, read::<bool>(), &Count, of_nothing, finish)
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
