//! Which instructions this processor has, and loops that are compiled for them.
//!
//! A loop is written once, within [`kernel!`](kernel), and compiled for each instruction set. Compiled there, plain Rust is
//! vectorized for that set, and `mul_add` is one fused instruction. No flags are needed to build. The matrix product, which
//! the compiler is not left to vectorize, is a [`VectorKernel`](super::simd::VectorKernel).
//!
//! Results are the same bits on all of them: every multiply-add is fused (in software where the processor cannot), and
//! the order of operations never depends on the width of a vector.

use std::sync::OnceLock;

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

/// The instruction set in use: the most able that this processor has, or the one that the environment variable
/// `EVENKEEL_ISA` names (`baseline`, `avx2` or `avx512`).
///
/// # Panics
/// `EVENKEEL_ISA` names none of them, or one that this processor lacks: results on another instruction set than the one asked for
/// would prove nothing.
///
/// # Example
/// ```
/// assert!(tensor::isa() >= tensor::Isa::Baseline);
/// ```
pub fn isa() -> Isa {
    static CHOSEN: OnceLock<Isa> = OnceLock::new();
    *CHOSEN.get_or_init(|| match std::env::var_os("EVENKEEL_ISA") {
        None => detected(),
        Some(name) => forced_isa(&name.to_string_lossy(), detected()).unwrap_or_else(|why| panic!("{why}")),
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

/// Defines a function whose body is compiled for every instruction set: `fn name[generics](arguments) -> Result { … }`.
///
/// What the body calls is `#[inline(always)]`: only then is it compiled for the same set. A closure is inlined only if the
/// compiler chooses to; where it did not, each fused multiply-add in it was a call.
///
/// Each copy takes time to compile; so the arguments are followed by what kind of loop it is, which says where it gains:
/// - `memory`: it waits for loads and stores, of which processors do as many bytes with AVX2 as with AVX-512.
/// - `arithmetic T`: it waits for instructions, which AVX-512 helps, and is compiled for that set if T is a float.
/// - `few`: it has too few elements to matter, and is compiled for the baseline alone.
/// - `closure`: nobody knows.
/// - `functions T`: the function is ours and vectorized for f32, and the library's for f64, which gains nothing.
///
/// The costs of `par` are kinds too, so that a function of one element says both at once: `STREAM` is `memory`, `DIVISION`
/// `arithmetic`, `TRANSCENDENTAL` and `POWER` `functions`.
///
/// Each function has copies of its own, such as `name::avx2`, so that a profile names the loop that ran.
macro_rules! kernel {
    (
        $(#[$attribute:meta])*
        $visible:vis fn $name:ident[$($generics:tt)*]($($arg:ident: $Arg:ty),* $(,)?) , $kind:ident $($T:ident)? $body:block
    ) => {
        $(#[$attribute])*
        $visible fn $name<$($generics)*>($($arg: $Arg),*) {
            #[inline(always)]
            fn baseline<$($generics)*>($($arg: $Arg),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[inline(never)]
            fn avx2<$($generics)*>($($arg: $Arg),*) {
                baseline($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            #[inline(never)]
            fn avx512<$($generics)*>($($arg: $Arg),*) {
                baseline($($arg),*)
            }

            match $crate::kernel::isa() {
                // SAFETY: `isa` returns no set that this processor lacks.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::Isa::Avx512 if kernel!(@avx512 $kind $($T)?) => unsafe { avx512($($arg),*) },
                // SAFETY: as above; AVX-512 includes AVX2.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::Isa::Avx512 | $crate::kernel::Isa::Avx2 if kernel!(@avx2 $kind $($T)?) => unsafe { avx2($($arg),*) },
                _ => baseline($($arg),*),
            }
        }
    };
    // Constants: what they rule out is not compiled.
    (@$set:ident STREAM $T:ident) => { kernel!(@$set memory) };
    (@$set:ident DIVISION $T:ident) => { kernel!(@$set arithmetic $T) };
    (@$set:ident TRANSCENDENTAL $T:ident) => { kernel!(@$set functions $T) };
    (@$set:ident POWER $T:ident) => { kernel!(@$set functions $T) };
    (@avx512 memory) => { false };
    (@avx2 memory) => { true };
    (@$set:ident few) => { false };
    (@$set:ident closure) => { true };
    (@avx512 arithmetic $T:ident) => { const { <$T as $crate::kernel::Scalar>::DTYPE.is_float() } };
    (@avx2 arithmetic $T:ident) => { true };
    (@$set:ident functions $T:ident) => {
        const { matches!(<$T as $crate::kernel::Scalar>::DTYPE, $crate::kernel::Dtype::F32) }
    };
}

pub(super) use kernel;

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
