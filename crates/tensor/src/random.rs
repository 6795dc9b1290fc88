//! Tensors of random numbers from a key.

use crate::create;
use crate::element::Float;
use crate::error::{Error, Reason};
use crate::kernel::{self, Law, Mask, Normal, Uniform};
use crate::par;
use crate::shape::{IntoShape, Shape};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Uniform numbers from `low` up to but without `high`, as a function of the key. From `low` to `low` all are `low`.
    ///
    /// The crate `init` makes keys from a stream of random numbers; this is for those who have a key of their own. Element
    /// i depends on the key and on i alone: the same key gives the same bits at any number of threads and on any machine,
    /// and a longer tensor begins like a shorter one. Two tensors of one key are not independent.
    ///
    /// With i = 256 g + 16 r + c, element i is made of the upper 24 bits of word r of block 16 g + c of ChaCha8 with this
    /// key, a counter of 64 bits and the stream 0; that is `ChaCha8Rng::from_seed(key)` in the crate `rand_chacha`. An `f64`
    /// has 29 more bits, from the same word of stream 1.
    ///
    /// # Errors
    /// An end is infinite or NaN, `low` is above `high`, or the shape has more elements than can be addressed, or than the
    /// system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::keyed_uniform(&[7; 32], [1000], -2.0_f32, 2.0)?;
    /// assert!(x.iter().all(|x| (-2.0..2.0).contains(&x)));
    /// assert_eq!(x.slice(0, ..10), Tensor::keyed_uniform(&[7; 32], [10], -2.0, 2.0)?);
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn keyed_uniform(key: &[u8; 32], shape: impl IntoShape, low: T, high: T) -> Result<Self, Error> {
        uniform("keyed_uniform", key, shape, low, high, false)
    }

    /// The same numbers as those of [`keyed_uniform`](Self::keyed_uniform), but that what rounds to `high` is `high`: for an
    /// interval whose upper end lies beyond the last number of `T` in it.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let next = 1_f32.next_up();
    /// let x = Tensor::keyed_uniform_inclusive(&[7; 32], [1000], 1.0, next)?;
    /// assert!(x.iter().any(|x| x == 1.0) && x.iter().any(|x| x == next));
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn keyed_uniform_inclusive(key: &[u8; 32], shape: impl IntoShape, low: T, high: T) -> Result<Self, Error> {
        uniform("keyed_uniform_inclusive", key, shape, low, high, true)
    }

    /// Normal numbers with this mean and standard deviation, as a function of the key; see
    /// [`keyed_uniform`](Self::keyed_uniform).
    ///
    /// Elements 256 g + k and 256 g + k + 128, k below 128, are a radius √(−2 ln u) times cosine and sine of an angle, from
    /// the two words of their places (Box and Muller, 1958, *A Note on the Generation of Random Normal Deviates*). So an
    /// `f32` is at most 5.9 standard deviations off the mean, and an `f64` at most 8.7.
    ///
    /// # Errors
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::keyed_normal(&[7; 32], [100, 100], 3.0_f32, 0.5)?;
    /// assert!((x.mean(..).item() - 3.0).abs() < 0.02);
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn keyed_normal(key: &[u8; 32], shape: impl IntoShape, mean: T, std: T) -> Result<Self, Error> {
        let shape = shape.into_shape().map_err(|error| error.of("keyed_normal"))?;
        T::drawn("keyed_normal", key, &shape, Distribution::Normal { mean, std })
    }

    /// A mask of dropout, as a function of the key: each element is 0 with probability `p`, and else 1 / (1 − p). It is 0
    /// where a number of [`keyed_uniform`](Self::keyed_uniform) between 0 and 1 would be below `p`.
    ///
    /// # Errors
    /// `p` is not in 0..=1, or the shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let mask: Tensor = Tensor::keyed_mask(&[7; 32], [1000], 0.5)?;
    /// assert!(mask.iter().all(|x| x == 0.0 || x == 2.0));
    /// # Ok::<(), tensor::Error>(())
    /// ```
    pub fn keyed_mask(key: &[u8; 32], shape: impl IntoShape, p: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&p) {
            let why = format!("the probability is {p}, but must be in 0..=1");
            return Err(Error::new("keyed_mask", Reason::Argument { why }));
        }
        let shape = shape.into_shape().map_err(|error| error.of("keyed_mask"))?;
        let kept = if p < 1.0 { T::from_f64(1.0 / (1.0 - p)) } else { T::ZERO };
        T::drawn("keyed_mask", key, &shape, Distribution::Mask { p: T::from_f64(p), kept })
    }
}

fn uniform<T: Float>(
    op: &'static str,
    key: &[u8; 32],
    shape: impl IntoShape,
    low: T,
    high: T,
    inclusive: bool,
) -> Result<Tensor<T>, Error> {
    let shape = shape.into_shape().map_err(|error| error.of(op))?;
    if !(low <= high && low.is_finite() && high.is_finite()) {
        let why = format!("no uniform numbers lie from {low} to {high}: the ends must be finite and in order");
        return Err(Error::new(op, Reason::Argument { why }));
    }
    T::drawn(op, key, &shape, Distribution::Uniform { low, high, inclusive })
}

/// What the numbers are.
#[allow(unreachable_pub, reason = "in the traits that keep the public `Float` sealed")]
#[derive(Clone, Copy)]
pub enum Distribution<T> {
    Uniform { low: T, high: T, inclusive: bool },
    Normal { mean: T, std: T },
    Mask { p: T, kept: T },
}

pub(crate) fn drawn<T: Float>(
    op: &'static str,
    key: &[u8; 32],
    shape: &Shape,
    distribution: Distribution<T>,
) -> Result<Tensor<T>, Error> {
    match distribution {
        Distribution::Uniform { low, high, inclusive } => {
            let law = if inclusive { Uniform::up_to(high, low, high) } else { Uniform::new(low, high) };
            drawn_by(op, key, shape, law, T::UNIFORM_COST)
        }
        Distribution::Normal { mean, std } => drawn_by(op, key, shape, Normal { mean, std }, T::NORMAL_COST),
        Distribution::Mask { p, kept } => drawn_by(op, key, shape, Mask { p, kept }, T::UNIFORM_COST),
    }
}

fn drawn_by<T: Float>(
    op: &'static str,
    key: &[u8; 32],
    shape: &Shape,
    law: impl Law<T> + Sync,
    cost: f64,
) -> Result<Tensor<T>, Error> {
    let mut key_words = [0; 8];
    for (word, bytes) in key_words.iter_mut().zip(key.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let mut buffer = create::room(op, shape)?;
    par::split(&mut buffer, kernel::GROUP, cost, |start, chunk| kernel::draw(&key_words, start, law, chunk));
    Ok(Tensor::from_buffer(buffer, shape.clone()))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::with_threads;

    const KEY: [u8; 32] = *b"32 bytes that a stream has given";

    /// Word r of block 16 g + c for i = 256 g + 16 r + c, by the cipher of another crate.
    fn word(stream: u64, i: usize) -> u32 {
        let mut rng = ChaCha8Rng::from_seed(KEY);
        rng.set_stream(stream);
        let (group, row, column) = (i / 256, i / 16 % 16, i % 16);
        rng.set_word_pos(((16 * group + column) * 16 + row) as u128);
        rng.next_u32()
    }

    /// By the formulas of the documentation, in f64: from 53 bits, or from the upper 24 of them.
    fn reference(i: usize, wide: bool) -> [f64; 3] {
        let bits = |i| {
            let high = u64::from(word(0, i) >> 8) << 29;
            if wide { high | u64::from(word(1, i) >> 3) } else { high | 1 << 28 }
        };
        let half = if wide { 0.5 } else { 0.0 };
        let unit = |i| (bits(i) as f64 + half) / 2_f64.powi(53);
        let first = i / 256 * 256 + i % 128;
        let turn = (unit(first + 128) + if word(0, first + 128) >> 31 == 0 { 0.0 } else { -1.0 }) / 4.0;
        let (mut sin, mut cos) = (std::f64::consts::TAU * turn).sin_cos();
        let choice = word(0, first + 128);
        if choice & 2 != 0 {
            cos = -cos;
        }
        if choice & 1 != 0 {
            (sin, cos) = (cos, sin);
        }
        let radius = (-2.0 * unit(first).ln()).sqrt();
        [unit(i), radius * if i % 256 < 128 { cos } else { sin }, radius]
    }

    #[test]
    fn elements_are_the_documented_functions_of_the_streams_words() {
        let len = 1000;
        let uniform: Tensor<f32> = Tensor::keyed_uniform(&KEY, len, 0.0, 1.0).unwrap();
        let normal: Tensor<f32> = Tensor::keyed_normal(&KEY, len, 0.0, 1.0).unwrap();
        let uniform_f64: Tensor<f64> = Tensor::keyed_uniform(&KEY, len, 0.0, 1.0).unwrap();
        let normal_f64: Tensor<f64> = Tensor::keyed_normal(&KEY, len, 0.0, 1.0).unwrap();
        for i in 0..len {
            // A u that is rounded by as much as `epsilon` moves √(−2 ln u) by that through its root, for u near 1.
            let close = |got: f64, [_, z, radius]: [f64; 3], epsilon: f64| {
                assert!((got - z).abs() < epsilon * (4.0 * z.abs() + 1.0 / radius), "element {i}: {got} is not {z}");
            };
            let (narrow, wide) = (reference(i, false), reference(i, true));
            assert!((f64::from(uniform.to_vec()[i]) - narrow[0]).abs() < 6e-8, "element {i}");
            assert!((uniform_f64.to_vec()[i] - wide[0]).abs() < 1.2e-16, "element {i}");
            close(normal.to_vec()[i].into(), narrow, 6e-8);
            // The reference rounds as well.
            close(normal_f64.to_vec()[i], wide, 1e-15);
        }
    }

    #[test]
    fn counters_beyond_32_bits_go_on_with_the_upper_word() {
        let key: [u32; 8] = std::array::from_fn(|i| u32::from_le_bytes(KEY[4 * i..][..4].try_into().unwrap()));
        let group = (1_usize << 28) - 1;
        let mut out = [0.0_f64; 2 * kernel::GROUP];
        kernel::draw(&key, group * kernel::GROUP, Uniform::new(0.0, 1.0), &mut out);
        for i in [0, 17, 255, 256, 300, 511] {
            let want = (f64::from(word(0, group * kernel::GROUP + i) >> 8)) / 2_f64.powi(24);
            assert!((out[i] - want).abs() < 1e-7, "element {i}");
        }
    }

    #[test]
    fn the_bits_depend_neither_on_threads_nor_on_the_length() {
        let draw = |len: usize| {
            let normal: Tensor<f32> = Tensor::keyed_normal(&KEY, len, 0.5, 2.0).unwrap();
            let uniform: Tensor<f64> = Tensor::keyed_uniform(&KEY, len, -3.0, 7.0).unwrap();
            (normal, uniform)
        };
        let long = with_threads(1, || draw(100_000)).unwrap();
        for threads in [2, 3, 8] {
            assert_eq!(with_threads(threads, || draw(100_000)).unwrap(), long, "{threads} threads");
        }
        for len in (0..40).chain([127, 128, 129, 255, 256, 257, 511, 513, 5_000, 99_999]) {
            let (normal, uniform) = draw(len);
            assert_eq!(normal, long.0.slice(0, ..len), "{len}");
            assert_eq!(uniform, long.1.slice(0, ..len), "{len}");
        }
    }

    #[test]
    fn every_number_is_below_the_upper_end() {
        fn check<T: Float>(low: f64, high: f64) {
            let [low, high] = [low, high].map(T::from_f64);
            let x: Tensor<T> = Tensor::keyed_uniform(&KEY, 10_000, low, high).unwrap();
            assert!(x.iter().all(|x| low <= x && (x < high || low == high)), "{low} to {high}");
            // Each end is nearly reached, whatever their distance, or the last number before it is.
            let width = high.to_f64() / 2.0 - low.to_f64() / 2.0;
            let near = |end: T, last: T, at: T| at == last || (end.to_f64() - at.to_f64()).abs() <= 1e-3 * width;
            let (least, most) = (x.min(..).item(), x.max(..).item());
            assert!(
                near(low, low, least) && near(high, high.next_down(), most),
                "{least} to {most} for {low} to {high}"
            );
        }
        for (low, high) in [(-0.1, 0.1), (0.0, 1.0), (1.0, 1.000_000_3), (5.0, 5.0), (1e8, 1e8 + 32.0), (-3e38, 3e38)] {
            check::<f32>(low, high);
            check::<f64>(low, high);
        }
        check::<f32>(0.3, 0.300_000_04);
        check::<f32>(-1e-45, 1e-45);
        check::<f64>(1.0, 1.0_f64.next_up());
        check::<f64>(-f64::MAX, f64::MAX);
        let refused = |low: f32, high: f32| Tensor::keyed_uniform(&KEY, 10, low, high).is_err();
        assert!(refused(1.0, 0.0) && refused(f32::NAN, 1.0) && refused(0.0, f32::INFINITY));
    }

    #[test]
    fn what_rounds_to_one_is_the_number_below() {
        // The upper 24 bits of a word are all ones: the middle of the last of 2²⁴ parts rounds to 1.
        let words = [[u32::MAX; kernel::GROUP]; 2];
        let (mut narrow, mut wide) = ([0.0_f32; kernel::GROUP], [0.0_f64; kernel::GROUP]);
        Uniform::new(0.0, 1.0).fill(&words, &mut narrow);
        Uniform::new(0.0, 1.0).fill(&words, &mut wide);
        assert_eq!((narrow[0], wide[0]), (1.0_f32.next_down(), 1.0_f64.next_down()));
    }

    #[test]
    fn too_many_elements_are_an_error() {
        let error = Tensor::<f32>::keyed_normal(&KEY, [usize::MAX >> 4, 1], 0.0, 1.0).unwrap_err();
        assert!(error.to_string().starts_with("keyed_normal: "), "{error}");
        assert!(Tensor::<f64>::keyed_uniform(&KEY, [1 << 40, 1 << 40], 0.0, 1.0).is_err());
    }
}
