//! Vectors of floats, for the matrix product and for folds of windows: the loops whose vectors are not left to the compiler.

#![allow(unreachable_pub, reason = "in the private bounds that keep the public `Float` sealed")]

#[cfg(target_arch = "x86_64")]
use super::isa::{Isa, isa};
pub use super::vector::Vector;
use crate::kernel::Real;

/// A loop that uses the vectors of an instruction set itself.
pub trait VectorKernel: Sized {
    type Output;

    /// The loop. Implementations are `#[inline(always)]`: only then are they compiled for the set of the caller.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    unsafe fn run_with<S: Simd>(self) -> Self::Output;

    /// The loop as a function of its own, compiled for AVX-512.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[cfg(target_arch = "x86_64")]
    unsafe fn run_avx512(self) -> Self::Output;

    /// The loop as a function of its own, compiled for AVX2 and FMA.
    ///
    /// # Safety
    /// The processor has them.
    #[cfg(target_arch = "x86_64")]
    unsafe fn run_avx2(self) -> Self::Output;
}

/// Stamps the functions for the sets of x86-64 into an implementation of [`VectorKernel`]. They are not in the trait, so that each
/// copy is compiled in the module of its kernel, in parallel with others, and so that a profile names the kernel.
macro_rules! run_for_each_set {
    () => {
        run_for_each_set! {
            run_avx512 "avx512f,avx2,fma" Avx512;
            run_avx2 "avx2,fma" Avx2;
        }
    };
    ($($run:ident $features:literal $Set:ident;)*) => {$(
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = $features)]
        #[inline(never)]
        unsafe fn $run(self) -> Self::Output {
            // SAFETY: this function's caller ensures that the processor has these instructions.
            unsafe { self.run_with::<$crate::kernel::simd::$Set>() }
        }
    )*};
}

pub(super) use run_for_each_set;

/// Runs the loop as it is compiled for the instruction set in use.
#[inline]
pub(crate) fn dispatch<K: VectorKernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match isa() {
        // SAFETY: `isa` returns no set that this processor lacks.
        Isa::Avx512 => return unsafe { kernel.run_avx512() },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { kernel.run_avx2() },
        Isa::Baseline => {}
    }
    // SAFETY: every processor has the baseline.
    unsafe { kernel.run_with::<Baseline>() }
}

/// An instruction set, by its vectors.
pub trait Simd: 'static {
    type F32: Vector<f32>;
    type F64: Vector<f64>;
    /// The tiles of the matrix product: the most rows (at most 8) of a tile that is 1, 2, … (at most 4) vectors across. Its
    /// accumulators leave registers free for the operands, and are more than the 8 that it takes to keep two multiply-add
    /// units of four cycles' latency busy.
    const TILES: &'static [usize];

    /// Runs a loop from within another, as a function of its own. A function in which one of many loops is chosen would take
    /// long to compile if it contained all of them.
    ///
    /// # Safety
    /// The processor has these instructions.
    unsafe fn call<K: VectorKernel>(kernel: K) -> K::Output
    where
        Self: Sized,
    {
        // SAFETY: this function's caller ensures that the processor has the instructions of `Self`.
        unsafe { kernel.run_with::<Self>() }
    }

    /// out\[i · width + j] = rows\[j]\[i] for i and j below SIDE.
    ///
    /// # Safety
    /// The processor has these instructions; each of `rows` is valid for SIDE reads, and `out` for SIDE writes at each
    /// multiple of `width`.
    #[inline(always)]
    unsafe fn transpose(rows: [*const f32; SIDE], out: *mut f32, width: usize) {
        for (j, row) in rows.into_iter().enumerate() {
            for i in 0..SIDE {
                // SAFETY: i, j < SIDE: the caller's rows and `out` are valid there.
                unsafe { *out.add(i * width + j) = *row.add(i) };
            }
        }
    }
}

/// The side of a square that is transposed in registers.
pub const SIDE: usize = 8;

/// Any processor. A vector is an array, which the compiler turns into what the processor has.
pub(crate) struct Baseline;

impl Simd for Baseline {
    #[cfg(target_arch = "x86_64")]
    type F32 = super::in_f64::InF64;
    #[cfg(not(target_arch = "x86_64"))]
    type F32 = [f32; 4];
    type F64 = [f64; 2];
    /// On x86-64, the baseline computes multiply-adds in software: larger tiles would gain nothing, and take time to compile.
    const TILES: &'static [usize] = if cfg!(target_arch = "x86_64") { &[4] } else { &[8, 6] };
}

impl<T: Real, const N: usize> Vector<T> for [T; N] {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        [x; N]
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller has LANES elements behind the pointer; an array has no alignment beyond theirs.
        unsafe { from.cast::<Self>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<Self>().write(self) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        std::array::from_fn(|i| a[i].mul_add(b[i], self[i]))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        std::array::from_fn(|i| if (other[i] > self[i]) | other[i].is_nan() { other[i] } else { self[i] })
    }
}

/// Asks for the cache line at an address, which may be any, to be brought into the caches.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    ask_for::<3, T>(at);
}

/// As [`prefetch`], into the L2 cache only.
#[inline(always)]
pub(crate) fn prefetch_far<T>(at: *const T) {
    ask_for::<2, T>(at);
}

/// The hint is 3 for all caches (`_MM_HINT_T0`), and 2 for those beyond the first (`_MM_HINT_T1`).
#[inline(always)]
fn ask_for<const HINT: i32, T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, which never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<HINT>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{SIDE, Simd, Vector, VectorKernel};

    /// AVX2 and FMA: 16 registers of 256 bits.
    pub(crate) struct Avx2;

    impl Simd for Avx2 {
        type F32 = __m256;
        type F64 = __m256d;
        const TILES: &'static [usize] = &[6, 6];

        #[inline(always)]
        unsafe fn call<K: VectorKernel>(kernel: K) -> K::Output {
            // SAFETY: `Self` is AVX2 with FMA, and the caller of `Simd::call` ensures that the processor has them.
            unsafe { kernel.run_avx2() }
        }

        #[inline(always)]
        unsafe fn transpose(rows: [*const f32; SIDE], out: *mut f32, width: usize) {
            // SAFETY: `Self` is AVX2, which the processor has; the rows and `out` are valid as this function's caller says.
            unsafe { transpose(rows, out, width) }
        }
    }

    /// AVX-512 F: 32 registers of 512 bits.
    pub(crate) struct Avx512;

    impl Simd for Avx512 {
        type F32 = __m512;
        type F64 = __m512d;
        const TILES: &'static [usize] = &[8, 8, 8, 6];

        #[inline(always)]
        unsafe fn call<K: VectorKernel>(kernel: K) -> K::Output {
            // SAFETY: `Self` is AVX-512, and the caller of `Simd::call` ensures that the processor has it.
            unsafe { kernel.run_avx512() }
        }

        #[inline(always)]
        unsafe fn transpose(rows: [*const f32; SIDE], out: *mut f32, width: usize) {
            // SAFETY: AVX-512, which the processor has, includes AVX2; the rows and `out` are valid as this function's
            // caller says.
            unsafe { transpose(rows, out, width) }
        }
    }

    /// Transposes by 24 shuffles: pairs of rows are interleaved by one element, then by two, then by four.
    ///
    /// # Safety
    /// As [`Simd::transpose`], on a processor with AVX2.
    #[inline(always)]
    unsafe fn transpose(rows: [*const f32; SIDE], out: *mut f32, width: usize) {
        // SAFETY: the processor has AVX2; each row is valid for the SIDE = 8 elements of a load, and `out` for as many at
        // i · width and (i + 4) · width, as i < 4.
        unsafe {
            let mut r = [_mm256_setzero_ps(); SIDE];
            for j in 0..SIDE {
                r[j] = _mm256_loadu_ps(rows[j]);
            }
            for j in (0..SIDE).step_by(2) {
                (r[j], r[j + 1]) = (_mm256_unpacklo_ps(r[j], r[j + 1]), _mm256_unpackhi_ps(r[j], r[j + 1]));
            }
            for j in (0..SIDE).step_by(4) {
                let [a, b, c, d] = [r[j], r[j + 1], r[j + 2], r[j + 3]];
                r[j] = _mm256_shuffle_ps::<0x44>(a, c);
                r[j + 1] = _mm256_shuffle_ps::<0xEE>(a, c);
                r[j + 2] = _mm256_shuffle_ps::<0x44>(b, d);
                r[j + 3] = _mm256_shuffle_ps::<0xEE>(b, d);
            }
            for i in 0..4 {
                _mm256_storeu_ps(out.add(i * width), _mm256_permute2f128_ps::<0x20>(r[i], r[i + 4]));
                _mm256_storeu_ps(out.add((i + 4) * width), _mm256_permute2f128_ps::<0x31>(r[i], r[i + 4]));
            }
        }
    }

    /// Stamps the forwarding to intrinsics.
    macro_rules! vector {
        ($V:ident $T:ident $lanes:literal $splat:ident $load:ident $store:ident $fma:ident $add:ident $max:ident $or_nan:ident { $($first:tt)* }) => {
            impl Vector<$T> for $V {
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn splat(x: $T) -> Self {
                    // SAFETY: the caller's processor has the instruction, here and below.
                    unsafe { $splat(x) }
                }

                #[inline(always)]
                unsafe fn load(from: *const $T) -> Self {
                    // SAFETY: the caller has LANES elements behind the pointer.
                    unsafe { $load(from) }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut $T) {
                    // SAFETY: the caller has LANES elements behind the pointer.
                    unsafe { $store(to, self) }
                }

                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    // SAFETY: see `splat`.
                    unsafe { $fma(a, b, self) }
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: see `splat`.
                    unsafe { $add(self, other) }
                }

                #[inline(always)]
                unsafe fn larger(self, other: Self) -> Self {
                    // SAFETY: see `splat`. The instruction returns its second operand where either is NaN.
                    unsafe { $or_nan(other, $max(other, self)) }
                }

                $($first)*
            }
        };
    }

    // x where it is NaN, else y.

    #[inline(always)]
    unsafe fn or_nan_256_ps(x: __m256, y: __m256) -> __m256 {
        // SAFETY: the caller's processor has AVX, here and below.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x)) }
    }

    #[inline(always)]
    unsafe fn or_nan_256_pd(x: __m256d, y: __m256d) -> __m256d {
        // SAFETY: as above.
        unsafe { _mm256_blendv_pd(y, x, _mm256_cmp_pd::<_CMP_UNORD_Q>(x, x)) }
    }

    #[inline(always)]
    unsafe fn or_nan_512_ps(x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller's processor has AVX-512, here and below.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x), y, x) }
    }

    #[inline(always)]
    unsafe fn or_nan_512_pd(x: __m512d, y: __m512d) -> __m512d {
        // SAFETY: as above.
        unsafe { _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_UNORD_Q>(x, x), y, x) }
    }

    /// Eight set lanes and eight that are not: a window of 8 begins with as many set lanes as one wants.
    static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    vector!(__m256 f32 8 _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps _mm256_max_ps or_nan_256_ps {
        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            // SAFETY: count ≤ 8 keeps the window within MASK; lanes that are not set are not read.
            unsafe { _mm256_maskload_ps(from, _mm256_loadu_si256(MASK.as_ptr().add(8 - count).cast())) }
        }

        #[inline(always)]
        unsafe fn load_between(behind: *const f32, from: usize, to: usize) -> Self {
            // SAFETY: from, to ≤ 8 keep the windows within MASK; lanes that are not set in one, or set in the other, are not read.
            unsafe {
                let [below_to, below_from] = [to, from].map(|count| _mm256_loadu_si256(MASK.as_ptr().add(8 - count).cast()));
                _mm256_maskload_ps(behind, _mm256_andnot_si256(below_from, below_to))
            }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            // SAFETY: as in `load_first`; lanes that are not set are not written.
            unsafe { _mm256_maskstore_ps(to, _mm256_loadu_si256(MASK.as_ptr().add(8 - count).cast()), self) }
        }
    });
    vector!(__m256d f64 4 _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_add_pd _mm256_max_pd or_nan_256_pd {});
    vector!(__m512 f32 16 _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_add_ps _mm512_max_ps or_nan_512_ps {
        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            // SAFETY: lanes that are not set are not read.
            unsafe { _mm512_maskz_loadu_ps(((1_u32 << count) - 1) as u16, from) }
        }

        #[inline(always)]
        unsafe fn load_between(behind: *const f32, from: usize, to: usize) -> Self {
            // SAFETY: lanes that are not set are not read.
            unsafe { _mm512_maskz_loadu_ps(((1_u32 << to) - (1_u32 << from)) as u16, behind) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            // SAFETY: lanes that are not set are not written.
            unsafe { _mm512_mask_storeu_ps(to, ((1_u32 << count) - 1) as u16, self) }
        }
    });
    vector!(__m512d f64 8 _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_add_pd _mm512_max_pd or_nan_512_pd {
        #[inline(always)]
        unsafe fn load_first(from: *const f64, count: usize) -> Self {
            // SAFETY: lanes that are not set are not read.
            unsafe { _mm512_maskz_loadu_pd(((1_u32 << count) - 1) as u8, from) }
        }

        #[inline(always)]
        unsafe fn load_between(behind: *const f64, from: usize, to: usize) -> Self {
            // SAFETY: lanes that are not set are not read.
            unsafe { _mm512_maskz_loadu_pd(((1_u32 << to) - (1_u32 << from)) as u8, behind) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f64, count: usize) {
            // SAFETY: lanes that are not set are not written.
            unsafe { _mm512_mask_storeu_pd(to, ((1_u32 << count) - 1) as u8, self) }
        }
    });
}
