//! Which instructions this processor has, and running a loop that is compiled for them.
//!
//! A loop is written once, as a [`Kernel`] whose `run` is inlined into one function for each instruction set. Compiled
//! there, plain Rust is vectorized for that set, and `mul_add` is one fused instruction. No flags are needed to build.
//! The matrix product, which the compiler is not left to vectorize, is a [`VectorKernel`].
//!
//! Results are the same bits on all of them: every multiply-add is fused (in software where the processor cannot), and
//! the order of operations never depends on the width of a vector.

use std::sync::OnceLock;

use super::simd::{Baseline, Simd};

/// An instruction set that kernels are compiled for, from the least to the most able.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Isa {
    /// What every processor of the target has; fused multiply-adds may be computed in software.
    Baseline,
    /// AVX2 and FMA: vectors of 256 bits.
    Avx2,
    /// AVX-512 F: vectors of 512 bits.
    Avx512,
}

/// The instruction set in use: the most able that this processor has, or that which the environment variable
/// `EVENKEEL_ISA` forces (`baseline`, `avx2` or `avx512`).
///
/// # Panics
/// `EVENKEEL_ISA` names none of them, or one that this processor lacks: a test that forces one must not run on another.
///
/// # Example
/// ```
/// assert!(tensor::isa() >= tensor::Isa::Baseline);
/// ```
pub fn isa() -> Isa {
    static CHOSEN: OnceLock<Isa> = OnceLock::new();
    *CHOSEN.get_or_init(|| match std::env::var("EVENKEEL_ISA") {
        Ok(forced) => forced_isa(&forced, detected()).unwrap_or_else(|why| panic!("{why}")),
        Err(_) => detected(),
    })
}

fn forced_isa(name: &str, detected: Isa) -> Result<Isa, String> {
    let isa = match name {
        "baseline" => Isa::Baseline,
        "avx2" => Isa::Avx2,
        "avx512" => Isa::Avx512,
        _ => return Err(format!("EVENKEEL_ISA is {name:?}, but must be baseline, avx2 or avx512")),
    };
    if isa > detected {
        return Err(format!("EVENKEEL_ISA is {name}, but this processor has {detected:?} at most"));
    }
    Ok(isa)
}

fn detected() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if avx2 && is_x86_feature_detected!("avx512f") {
            return Isa::Avx512;
        }
        if avx2 {
            return Isa::Avx2;
        }
    }
    Isa::Baseline
}

/// A loop in plain Rust, to be compiled for every instruction set.
#[allow(unreachable_pub, reason = "in a bound of `Simd`")]
pub trait Kernel {
    type Output;

    /// The loop. Implementations are `#[inline(always)]`: only so are they compiled for the set of the caller.
    fn run(self) -> Self::Output;
}

/// A loop that uses the vectors of an instruction set itself. All others are one too.
#[allow(unreachable_pub, reason = "in a bound of `Simd`")]
pub trait VectorKernel: Sized {
    type Output;

    /// The loop, as [`Kernel::run`].
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    unsafe fn run_with<S: Simd>(self) -> Self::Output;

    // Methods, and not functions of a kernel: so each is compiled with the module of its kernel, all of them side by side.

    /// The loop, compiled for AVX-512.
    ///
    /// # Safety
    /// The processor has it.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    unsafe fn run_avx512(self) -> Self::Output {
        // SAFETY: whoever calls this sees to it that the processor has AVX-512.
        unsafe { self.run_with::<super::simd::Avx512>() }
    }

    /// The loop, compiled for AVX2 and FMA.
    ///
    /// # Safety
    /// The processor has them.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn run_avx2(self) -> Self::Output {
        // SAFETY: whoever calls this sees to it that the processor has AVX2 and FMA.
        unsafe { self.run_with::<super::simd::Avx2>() }
    }

    /// As `run_avx512`, and never a part of its caller.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    #[inline(never)]
    unsafe fn run_avx512_apart(self) -> Self::Output {
        // SAFETY: as in `run_avx512`.
        unsafe { self.run_with::<super::simd::Avx512>() }
    }

    /// As `run_avx2`, and never a part of its caller.
    ///
    /// # Safety
    /// The processor has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    #[inline(never)]
    unsafe fn run_avx2_apart(self) -> Self::Output {
        // SAFETY: as in `run_avx2`.
        unsafe { self.run_with::<super::simd::Avx2>() }
    }
}

impl<K: Kernel> VectorKernel for K {
    type Output = K::Output;

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) -> K::Output {
        self.run()
    }
}

/// Runs the loop as it is compiled for the instruction set in use.
#[inline]
pub(crate) fn dispatch<K: VectorKernel>(kernel: K) -> K::Output {
    match isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `isa` returns no set that this processor lacks.
        Isa::Avx512 => unsafe { kernel.run_avx512() },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { kernel.run_avx2() },
        // SAFETY: every processor has the baseline.
        _ => unsafe { kernel.run_with::<Baseline>() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sets_that_exist_here_can_be_forced() {
        assert_eq!(forced_isa("avx2", Isa::Avx512), Ok(Isa::Avx2));
        assert_eq!(forced_isa("baseline", Isa::Baseline), Ok(Isa::Baseline));
        assert!(forced_isa("avx512", Isa::Avx2).unwrap_err().contains("at most"));
        assert!(forced_isa("sse9", Isa::Avx512).unwrap_err().contains("must be baseline, avx2 or avx512"));
    }
}
