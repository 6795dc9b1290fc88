//! Multiply-adds of f32 that are rounded once, on an x86-64 processor without instructions for them.

#![allow(unreachable_pub, reason = "in the private bounds that keep the public `Float` sealed")]

use std::arch::x86_64::*;

use super::vector::Vector;

/// Four f32 as f64.
///
/// A product of two f32 is exact in f64. The sum is rounded there, and then to f32: which is right but where the first rounding has
/// led to the middle between two f32, and where f32 has fewer digits, below its normal numbers.
#[derive(Clone, Copy)]
pub struct InF64([__m128d; 2]);

/// As f32 and back.
#[inline(always)]
fn rounded(x: __m128d) -> __m128d {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { _mm_cvtps_pd(_mm_cvtpd_ps(x)) }
}

/// Marks lanes of a sum in f64 that could be wrong if it was rounded again.
#[inline(always)]
fn is_in_doubt(sum: __m128d) -> __m128i {
    // SAFETY: as above.
    unsafe {
        // The exponent, and the digits that f32 has not.
        let parts = _mm_and_si128(_mm_castpd_si128(sum), _mm_set1_epi64x(0x7ff0_0000_1fff_ffff));
        let middle = _mm_cmpeq_epi32(parts, _mm_set1_epi64x(-1 << 32 | 0x1000_0000));
        // 2⁻¹²⁶, and in the other half what nothing there is below.
        let small = _mm_cmpgt_epi32(_mm_set1_epi64x(0x3810_0000 << 32), parts);
        _mm_or_si128(middle, small)
    }
}

/// product + c, rounded to f32 once: the sum in f64 is rounded to odd (that is, to the neighbour whose last bit is 1, unless it is
/// exact), after which rounding to f32 is right (Boldo and Melquiond, 2008, *Emulation of FMA and Correctly Rounded Sums: Proved
/// Algorithms Using Rounding to Odd*).
#[cold]
#[inline(never)]
fn by_odd(product: __m128d, c: __m128d) -> __m128d {
    // SAFETY: as above.
    unsafe {
        let sum = _mm_add_pd(product, c);
        // What it has lost, exactly (Knuth, 1969); no number where the sum is none.
        let of_c = _mm_sub_pd(sum, product);
        let lost = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, of_c)), _mm_sub_pd(c, of_c));
        // Away from 0 or towards it: 1 or −1 as an integer, where anything was lost.
        let outward = _mm_xor_pd(lost, _mm_and_pd(sum, _mm_set1_pd(-0.0)));
        let [more, less] = [_mm_cmpgt_pd(outward, _mm_setzero_pd()), _mm_cmplt_pd(outward, _mm_setzero_pd())];
        let step = _mm_sub_epi64(_mm_castpd_si128(less), _mm_castpd_si128(more));
        // No step from a sum that is odd.
        let bits = _mm_castpd_si128(sum);
        let one = _mm_set1_epi64x(1);
        let even = _mm_sub_epi64(_mm_and_si128(bits, one), one);
        rounded(_mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(step, even))))
    }
}

impl Vector<f32> for InF64 {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: every x86-64 processor has SSE2, here and below.
        InF64(unsafe { [_mm_set1_pd(f64::from(x)); 2] })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has LANES elements behind the pointer.
        unsafe {
            let x = _mm_loadu_ps(from);
            InF64([_mm_cvtps_pd(x), _mm_cvtps_pd(_mm_movehl_ps(x, x))])
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        let InF64([low, high]) = self;
        // SAFETY: the caller has LANES elements behind the pointer.
        unsafe { _mm_storeu_ps(to, _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high))) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        let (InF64([c, d]), InF64([a, e]), InF64([b, f])) = (self, a, b);
        // SAFETY: see `splat`.
        unsafe {
            let products = [_mm_mul_pd(a, b), _mm_mul_pd(e, f)];
            let sums = [_mm_add_pd(products[0], c), _mm_add_pd(products[1], d)];
            let doubt = _mm_or_si128(is_in_doubt(sums[0]), is_in_doubt(sums[1]));
            InF64(match _mm_movemask_epi8(doubt) {
                0 => [rounded(sums[0]), rounded(sums[1])],
                _ => [by_odd(products[0], c), by_odd(products[1], d)],
            })
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        let (InF64([a, b]), InF64([c, d])) = (self, other);
        // Rounding twice does no harm to a sum of two f32: f64 has more than twice their digits (Figueroa, 1995).
        // SAFETY: see `splat`.
        InF64(unsafe { [rounded(_mm_add_pd(a, c)), rounded(_mm_add_pd(b, d))] })
    }

    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        let (InF64(own), InF64(other)) = (self, other);
        let larger = |own, other| {
            // SAFETY: see `splat`. The maximum is its second operand where either is NaN.
            unsafe {
                let (is_nan, larger) = (_mm_cmpunord_pd(other, other), _mm_max_pd(other, own));
                _mm_or_pd(_mm_and_pd(is_nan, other), _mm_andnot_pd(is_nan, larger))
            }
        };
        InF64([larger(own[0], other[0]), larger(own[1], other[1])])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// In the lane before last; others are in doubt or not.
    fn emulated(a: f32, b: f32, c: f32, other: f32) -> f32 {
        let mut out = [0.0; 4];
        let [a, b, c] = [a, b, c].map(|x| [other, other, x, other]);
        // SAFETY: every x86-64 processor has SSE2, and an array of four has as many elements.
        unsafe {
            let [a, b, c] = [a, b, c].map(|x| InF64::load(x.as_ptr()));
            c.add_product(a, b).store(out.as_mut_ptr());
        }
        out[2]
    }

    fn same(a: f32, b: f32, c: f32) {
        let want = a.mul_add(b, c);
        for got in [emulated(a, b, c, 1.0), emulated(a, b, c, 0.0)] {
            assert!(
                got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                "{a:e} · {b:e} + {c:e}: {got:e}, {want:e}"
            );
        }
    }

    #[test]
    fn multiply_adds_by_way_of_f64_are_rounded_once_at_every_edge() {
        let tiny = f32::from_bits(1);
        let edges = [
            0.0,
            tiny,
            3.0 * tiny,
            f32::MIN_POSITIVE,
            f32::MIN_POSITIVE - tiny,
            1e-30,
            f32::EPSILON / 2.0,
            1.0 - f32::EPSILON / 2.0,
            1.0,
            1.0 + f32::EPSILON,
            1.5,
            16_777_215.0,
            16_777_216.0,
            1e30,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
        ];
        let edges: Vec<f32> = edges.iter().flat_map(|&x| [x, -x]).collect();
        for &a in &edges {
            for &b in &edges {
                for &c in &edges {
                    same(a, b, c);
                    // Sums that nearly cancel.
                    same(a, b, -(a * b));
                }
            }
        }
        // A sum that in f64 lies halfway between two f32, but for what it has lost: to round it twice is wrong.
        let (a, c) = (1.0 + 2f32.powi(-12), 2f32.powi(-80));
        let twice = (f64::from(a) * f64::from(a) + f64::from(c)) as f32;
        assert_ne!(twice, a.mul_add(a, c));
        same(a, a, c);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 200_000 }))]

        #[test]
        fn multiply_adds_by_way_of_f64_are_rounded_once(bits: [u32; 3], near in 0..80_i32) {
            let [a, b, c] = bits.map(f32::from_bits);
            same(a, b, c);
            // Of about one size, where digits of all three meet.
            let [a, b, c] = bits.map(|bits| f32::from_bits(bits & 0x807f_ffff | 127 << 23));
            same(a, b, c * 2f32.powi(near - 40));
        }
    }
}
