//! Random numbers from a key: the stream cipher ChaCha with 8 rounds (Bernstein, 2008, *ChaCha, a variant of Salsa20*) in
//! counter mode, and what its words are made into.
//!
//! Every element is a function of the key and of its index, so a tensor may be filled in any order, by any number of
//! threads, and a longer one begins like a shorter one. Elements come in groups of 256, which are 16 blocks of 16 words.
//! Row r of a group, elements 16 r to 16 r + 15, holds word r of each block: so the blocks of a group lie side by side in
//! vectors, from the cipher to the result, and nothing is ever transposed.
//!
//! An f32 takes 24 bits of a word. An f64 takes 53: the same 24, and more from the word in the same place of a second
//! stream. So a tensor of f32 is close to its twin of f64.

#![allow(clippy::excessive_precision, reason = "the digits of the f32 nearest to each coefficient")]
#![allow(unreachable_pub, reason = "a supertrait of the public `Float`, which keeps it sealed")]

use super::isa::kernel;
use super::math::horner;
use crate::kernel::Real;

/// Elements that are made together.
pub(crate) const GROUP: usize = 256;

/// Blocks of the cipher in a group, and words of a block.
const SIDE: usize = 16;

/// A float that words of a stream are made into. Every function is `#[inline(always)]`.
pub trait Drawn: Real {
    /// The largest float below this one.
    #[doc(hidden)]
    fn next_down(self) -> Self;

    /// Whether an element takes words of the second stream too.
    #[doc(hidden)]
    const WIDE: bool;
    /// What a normal number costs, in nanoseconds.
    #[doc(hidden)]
    const NORMAL_COST: f64;
    /// What a uniform number costs, in nanoseconds.
    #[doc(hidden)]
    const UNIFORM_COST: f64;

    /// A uniform number between 0 and 1, neither of which it is before rounding: the middle of one of 2²⁴ or 2⁵³ parts.
    #[doc(hidden)]
    fn unit(high: u32, low: u32) -> Self;

    /// √(−2 ln u) of such a number.
    #[doc(hidden)]
    fn radius(high: u32, low: u32) -> Self;

    /// Cosine and sine of a uniform angle: of one in the right quarter of the circle, in two bits' choice mirrored to the
    /// left, and with both exchanged.
    #[doc(hidden)]
    fn direction(high: u32, low: u32) -> (Self, Self);
}

/// The bits of a word that no number is made of: they choose a quarter of the circle.
const EXCHANGE: u32 = 1;
const MIRROR: u32 = 2;

// Measured on an AMD EPYC with AVX2: 3.0 and 1.7 ns, in f64 21 and 4.2, where an exp takes 1.4. That is four times as much
// as on the machine of the other costs in `par`, so these are a quarter.
impl Drawn for f32 {
    const WIDE: bool = false;
    const NORMAL_COST: f64 = 0.75;
    const UNIFORM_COST: f64 = 0.4;

    fn next_down(self) -> f32 {
        self.next_down()
    }

    #[inline(always)]
    fn unit(high: u32, _: u32) -> f32 {
        const PART: f32 = 1.0 / (1 << 24) as f32;
        // Below 2²⁴: signed, since most instruction sets have no conversion of unsigned numbers.
        ((high >> 8) as i32 as f32).mul_add(PART, PART / 2.0)
    }

    /// −2 ln u = −2 n ln 2 − 2 ln(1 + f), with 1 + f between √½ and √2, as in `math::ln`. u is a normal number.
    #[inline(always)]
    fn radius(high: u32, low: u32) -> f32 {
        /// −2 ln(1 + f) / f, to a relative error of 2⁻²⁵; fitted like the polynomials in `math`.
        const P: [f32; 9] = [
            -2.0,
            0.999_999_821_186_065_7,
            -0.666_678_905_487_060_5,
            0.500_035_524_368_286_1,
            -0.399_244_785_308_837_9,
            0.331_406_265_497_207_64,
            -0.298_327_118_158_340_45,
            0.286_154_478_788_375_85,
            -0.174_775_838_851_928_7,
        ];
        const ROOT_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
        const EXPONENT: u32 = 0xff80_0000;
        /// −2 ln 2, for an exponent that lies 23 bits up in an integer.
        const LN_2: f32 = -2.0 * std::f32::consts::LN_2 / (1 << 23) as f32;
        let bits = Self::unit(high, low).to_bits();
        let exponent = bits.wrapping_sub(ROOT_HALF) & EXPONENT;
        let f = f32::from_bits(bits.wrapping_sub(exponent)) - 1.0;
        let square = (exponent as i32 as f32).mul_add(LN_2, f * horner(f, P));
        square.sqrt()
    }

    #[inline(always)]
    fn direction(high: u32, _: u32) -> (f32, f32) {
        /// A turn in parts of the word's upper 24 bits, of which there are a quarter.
        const PART: f32 = 0.25 / (1 << 24) as f32;
        /// sin 2πt / t and cos 2πt in t², |t| ≤ ⅛, to relative errors of 2⁻²⁵ and 2⁻³¹; fitted like the polynomials in
        /// `math`.
        const SIN: [f32; 4] =
            [6.283_185_482_025_146_5, -41.341_861_724_853_516, 81.624_671_936_035_16, -76.726_058_959_960_94];
        const COS: [f32; 5] =
            [1.0, -19.739_208_221_435_547, 64.939_147_949_218_75, -85.424_514_770_507_81, 58.620_212_554_931_64];
        let t = ((high as i32 >> 8) as f32).mul_add(PART, PART / 2.0);
        let square = t * t;
        let sin = t * horner(square, SIN);
        let cos = f32::from_bits(horner(square, COS).to_bits() ^ ((high & MIRROR) << 30));
        if high & EXCHANGE == 0 { (cos, sin) } else { (sin, cos) }
    }
}

/// Of both words, 53 bits: the upper 24 of one and the upper 29 of the other.
#[inline(always)]
fn wide(high: u32, low: u32) -> u64 {
    u64::from(high >> 8) << 29 | u64::from(low >> 3)
}

impl Drawn for f64 {
    const WIDE: bool = true;
    const NORMAL_COST: f64 = 5.0;
    const UNIFORM_COST: f64 = 1.0;

    fn next_down(self) -> f64 {
        self.next_down()
    }

    #[inline(always)]
    fn unit(high: u32, low: u32) -> f64 {
        const PART: f64 = 1.0 / (1_u64 << 53) as f64;
        (wide(high, low) as f64).mul_add(PART, PART / 2.0)
    }

    #[inline(always)]
    fn radius(high: u32, low: u32) -> f64 {
        (-2.0 * libm::log(Self::unit(high, low))).sqrt()
    }

    #[inline(always)]
    fn direction(high: u32, low: u32) -> (f64, f64) {
        const PART: f64 = 0.25 / (1_u64 << 53) as f64;
        // The sign of the upper word moves the middle of the range to 0.
        let t = (wide(high ^ 1 << 31, low) as i64 - (1 << 52)) as f64;
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * t.mul_add(PART, PART / 2.0));
        let cos = if high & MIRROR == 0 { cos } else { -cos };
        if high & EXCHANGE == 0 { (cos, sin) } else { (sin, cos) }
    }
}

#[inline(always)]
fn quarter_round(x: &mut [u32; SIDE], [a, b, c, d]: [usize; 4]) {
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(16);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(12);
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(8);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(7);
}

/// A round over the columns of the state and one over its diagonals.
#[inline(always)]
fn double_round(x: &mut [u32; SIDE]) {
    quarter_round(x, [0, 4, 8, 12]);
    quarter_round(x, [1, 5, 9, 13]);
    quarter_round(x, [2, 6, 10, 14]);
    quarter_round(x, [3, 7, 11, 15]);
    quarter_round(x, [0, 5, 10, 15]);
    quarter_round(x, [1, 6, 11, 12]);
    quarter_round(x, [2, 7, 8, 13]);
    quarter_round(x, [3, 4, 9, 14]);
}

/// words\[16 w + i] = word w of block 16 `group` + i of a stream.
#[inline(always)]
fn cipher(key: &[u32; 8], stream: u32, group: u64, words: &mut [u32; GROUP]) {
    /// "expand 32-byte k"
    const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
    let first = group * SIDE as u64;
    let [k0, k1, k2, k3, k4, k5, k6, k7] = *key;
    let [c0, c1, c2, c3] = CONSTANTS;
    // This is a loop over blocks: the compiler turns each word of the state into a vector over the blocks, and keeps as many
    // vectors as it can in registers. Written with arrays of lanes, it took 1.2 to 2 times as long (AMD EPYC, AVX2).
    for i in 0..SIDE {
        // The first is a multiple of 16, and its lower half does not overflow. A check of that, as a dev build makes, would keep the
        // loop from vectors: a mask of dropout took five times as long.
        let (counter, above) = ((first as u32).wrapping_add(i as u32), (first >> 32) as u32);
        let start = [c0, c1, c2, c3, k0, k1, k2, k3, k4, k5, k6, k7, counter, above, stream, 0];
        let mut x = start;
        double_round(&mut x);
        double_round(&mut x);
        double_round(&mut x);
        double_round(&mut x);
        for w in 0..SIDE {
            words[w * SIDE + i] = x[w].wrapping_add(start[w]);
        }
    }
}

/// What the words of a group are made into.
pub(crate) trait Law<T>: Copy {
    fn fill(self, words: &[[u32; GROUP]; 2], out: &mut [T; GROUP]);
}

/// Uniform from `low`, which rounding may reach, up to but without `high`.
#[derive(Clone, Copy)]
pub(crate) struct Uniform<T> {
    low: T,
    /// The largest number below `high`.
    most: T,
    width: T,
    /// 1; or 2, where the distance between the ends is no number, and `low` and `width` are halves.
    scale: T,
}

impl<T: Drawn> Uniform<T> {
    /// In an interval without a number, as is that from `low` to `low`, every element is `low`.
    pub(crate) fn new(low: T, high: T) -> Self {
        Uniform::up_to(if low < high { high.next_down() } else { low }, low, high)
    }

    /// The same where numbers from `most` to `high` are `most`.
    pub(crate) fn up_to(most: T, low: T, high: T) -> Self {
        let (whole, half) = (T::ONE, T::from_f64(0.5));
        match high - low {
            width if width.is_finite() => Uniform { low, most, width, scale: whole },
            _ => Uniform { low: low * half, most: most * half, width: high * half - low * half, scale: whole + whole },
        }
    }
}

impl<T: Drawn> Law<T> for Uniform<T> {
    #[inline(always)]
    fn fill(self, [high, low]: &[[u32; GROUP]; 2], out: &mut [T; GROUP]) {
        for i in 0..GROUP {
            let x = T::unit(high[i], low[i]).mul_add(self.width, self.low);
            let x = if x < self.low { self.low } else { x };
            out[i] = self.scale * if x > self.most { self.most } else { x };
        }
    }
}

/// 0 with probability `p`, and else `kept`: a mask of dropout.
#[derive(Clone, Copy)]
pub(crate) struct Mask<T> {
    pub(crate) p: T,
    pub(crate) kept: T,
}

impl<T: Drawn> Law<T> for Mask<T> {
    #[inline(always)]
    fn fill(self, [high, low]: &[[u32; GROUP]; 2], out: &mut [T; GROUP]) {
        for i in 0..GROUP {
            out[i] = if T::unit(high[i], low[i]) < self.p { T::ZERO } else { self.kept };
        }
    }
}

/// Normal, by Box and Muller (1958, *A Note on the Generation of Random Normal Deviates*): the first half of a group are
/// radii times cosines, the second half the same radii times sines.
#[derive(Clone, Copy)]
pub(crate) struct Normal<T> {
    pub(crate) mean: T,
    pub(crate) std: T,
}

impl<T: Drawn> Law<T> for Normal<T> {
    #[inline(always)]
    fn fill(self, [high, low]: &[[u32; GROUP]; 2], out: &mut [T; GROUP]) {
        let (first, second) = out.split_at_mut(GROUP / 2);
        for i in 0..GROUP / 2 {
            first[i] = self.std * T::radius(high[i], low[i]);
        }
        for i in 0..GROUP / 2 {
            let radius = first[i];
            let (cos, sin) = T::direction(high[GROUP / 2 + i], low[GROUP / 2 + i]);
            first[i] = radius.mul_add(cos, self.mean);
            second[i] = radius.mul_add(sin, self.mean);
        }
    }
}

/// Fills `out` with elements from `start` on, which is a multiple of [`GROUP`].
pub(crate) fn draw<T: Drawn>(key: &[u32; 8], start: usize, law: impl Law<T>, out: &mut [T]) {
    debug_assert_eq!(start % GROUP, 0);
    groups(key, (start / GROUP) as u64, law, out);
}

kernel! {
    fn groups[T: Drawn, L: Law<T>](key: &[u32; 8], first: u64, law: L, out: &mut [T]), functions T {
        let (mut words, mut whole) = ([[0; GROUP]; 2], [T::ZERO; GROUP]);
        for (group, out) in (first..).zip(out.chunks_mut(GROUP)) {
            cipher(key, 0, group, &mut words[0]);
            if T::WIDE {
                cipher(key, 1, group, &mut words[1]);
            }
            // The last group may be cut short.
            match <&mut [T; GROUP]>::try_from(&mut *out) {
                Ok(out) => law.fill(&words, out),
                Err(_) => {
                    law.fill(&words, &mut whole);
                    out.copy_from_slice(&whole[..out.len()]);
                }
            }
        }
    }
}
