//! A vector of the processor, as loops see it.

#![allow(unreachable_pub, reason = "in the private bounds that keep the public `Float` sealed")]

use super::scalar::Real;

/// A vector of `T`. Every function is `#[inline(always)]`, so that it is compiled for the caller's instruction set.
///
/// # Safety
/// All functions are unsafe to call where the processor lacks the vector's instructions. Beyond that, `load` and
/// `store` need `LANES` elements, and `load_first` and `store_first` need `count` elements behind the pointer; it need
/// not be aligned.
pub trait Vector<T>: Copy {
    const LANES: usize;
    unsafe fn splat(x: T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    unsafe fn store(self, to: *mut T);
    /// a · b + self, rounded once.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// Of each lane the other one where that is larger or NaN, else its own.
    unsafe fn larger(self, other: Self) -> Self;

    /// The first `count` lanes, the rest zero.
    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self
    where
        T: Real,
    {
        let mut lanes = [T::ZERO; MAX_LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: the caller has `count` elements behind the pointer.
            *lane = unsafe { *from.add(i) };
        }
        // SAFETY: no vector has more lanes than the array.
        unsafe { Self::load(lanes.as_ptr()) }
    }

    /// The lanes `from..to` of those behind the pointer, the rest zero. Only they need to be there.
    #[inline(always)]
    unsafe fn load_between(behind: *const T, from: usize, to: usize) -> Self
    where
        T: Real,
    {
        let mut lanes = [T::ZERO; MAX_LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(to).skip(from) {
            // SAFETY: the caller has these elements behind the pointer.
            *lane = unsafe { *behind.wrapping_add(i) };
        }
        // SAFETY: no vector has more lanes than the array.
        unsafe { Self::load(lanes.as_ptr()) }
    }

    /// Stores the first `count` lanes.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize)
    where
        T: Real,
    {
        let mut lanes = [T::ZERO; MAX_LANES];
        // SAFETY: no vector has more lanes than the array.
        unsafe { self.store(lanes.as_mut_ptr()) };
        for (i, &lane) in lanes.iter().enumerate().take(count) {
            // SAFETY: the caller has `count` elements behind the pointer.
            unsafe { *to.add(i) = lane };
        }
    }
}

/// The most lanes of any vector: 16 f32 in 512 bits.
pub(crate) const MAX_LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::matmul::Vectorized;
    use crate::kernel::simd::{self, Baseline, Simd, VectorKernel, run_for_each_set};

    /// The larger of each pair of lanes.
    struct Larger<T>([T; MAX_LANES], [T; MAX_LANES]);

    impl<T: Vectorized> VectorKernel for Larger<T> {
        type Output = Vec<T>;

        run_for_each_set!();

        #[inline(always)]
        unsafe fn run_with<S: Simd>(self) -> Vec<T> {
            let mut out = [T::ZERO; MAX_LANES];
            // SAFETY: the caller has the instructions; no vector has more lanes than the arrays.
            unsafe {
                let [own, other] = [self.0, self.1].map(|x| T::Vector::<S>::load(x.as_ptr()));
                own.larger(other).store(out.as_mut_ptr());
            }
            out[..<T::Vector<S> as Vector<T>>::LANES].to_vec()
        }
    }

    #[test]
    fn the_larger_is_nan_where_either_is_and_the_first_of_equal_ones() {
        fn check<T: Vectorized>() {
            let numbers = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-30].map(T::from_f64);
            for own in numbers {
                for turned in 0..numbers.len() {
                    let others = std::array::from_fn(|i| numbers[(i + turned) % numbers.len()]);
                    let kernel = || Larger([own; MAX_LANES], others);
                    // SAFETY: every processor has the baseline.
                    for found in [simd::dispatch(kernel()), unsafe { kernel().run_with::<Baseline>() }] {
                        for (&found, &other) in found.iter().zip(&others) {
                            let want = if other > own || other.is_nan() { other } else { own };
                            // Of a zero, the sign too.
                            let same = found == want && (T::ONE / found == T::ONE / want);
                            assert!(same || found.is_nan() && want.is_nan(), "{own} and {other}: {found}");
                        }
                    }
                }
            }
        }
        check::<f32>();
        check::<f64>();
    }
}
