//! Whether a tensor holds NaN or infinity.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::element::Float;
use crate::kernel;
use crate::par;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Whether all elements are neither infinite nor NaN: `isfinite().all(..)`, as fast as they can be read.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert!(Tensor::from([1.0, f32::MAX]).all_finite());
    /// assert!(!Tensor::from([1.0, f32::NAN]).all_finite());
    /// ```
    pub fn all_finite(&self) -> bool {
        T::all_finite(self)
    }
}

/// [`Tensor::all_finite`], compiled in this crate.
pub(crate) fn all_finite<T: Float>(x: &Tensor<T>) -> bool {
    let x = x.contiguous();
    let elements = x.as_slice().expect("made contiguous");
    let lost = AtomicBool::new(false);
    par::ranges(elements.len(), 1, par::READ * size_of::<T>() as f64, &|from, to| {
        if !lost.load(Ordering::Relaxed) {
            let mut here = false;
            kernel::find_lost(&elements[from..to], &mut here);
            if here {
                lost.store(true, Ordering::Relaxed);
            }
        }
    });
    !lost.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds_what_is_lost_anywhere<T: Float>() {
        let large = Tensor::<T>::ones([1_000_000]);
        assert!(large.all_finite() && Tensor::<T>::zeros([0]).all_finite());
        for lost in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(T::from_f64) {
            for len in [1, 7, 64, 4096, 4097, 1_000_000] {
                for at in [0, len / 2, len - 1] {
                    let mut x = Tensor::<T>::full([len], T::from_f64(-1e30));
                    x.as_mut_slice()[at] = lost;
                    assert!(!x.all_finite(), "{len} {at}");
                    x.as_mut_slice()[at] = T::from_f64(1e-42);
                    assert!(x.all_finite(), "{len} {at}");
                }
            }
            // What lies between the elements of a view does not count.
            let mut x = Tensor::<T>::ones([30, 40]);
            x.as_mut_slice()[41] = lost;
            assert!(x.slice(1, 2..).t().all_finite() && !x.t().all_finite());
        }
    }

    #[test]
    fn what_is_lost_is_found_wherever_it_is() {
        finds_what_is_lost_anywhere::<f32>();
        finds_what_is_lost_anywhere::<f64>();
    }
}
