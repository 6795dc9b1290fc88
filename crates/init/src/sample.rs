//! Random numbers of the two distributions that all schemes come down to.
//!
//! Numbers are computed in f64 and then rounded, so an f32 weight is its f64 twin rounded. What a seed gives is a
//! contract, kept by tests.

use rand::Rng;
use tensor::{Float, Shape, Tensor};

/// Uniform in low..high: low + (high − low) u.
pub(crate) fn uniform<T: Float>(low: f64, high: f64, shape: &Shape, rng: &mut dyn Rng) -> Tensor<T> {
    let draw = |_: &[usize]| T::from_f64(low + (high - low) * unit(rng));
    Tensor::from_fn(shape, draw)
}

/// Normal with this mean and standard deviation (Box and Muller, 1958, *A Note on the Generation of Random Normal
/// Deviates*): of two uniform numbers u and v, √(−2 ln(1 − u)) times cos 2πv and sin 2πv.
pub(crate) fn normal<T: Float>(mean: f64, std: f64, shape: &Shape, rng: &mut dyn Rng) -> Tensor<T> {
    let mut second = None;
    let draw = |_: &[usize]| {
        let z = second.take().unwrap_or_else(|| {
            // Functions of `Float`: f64's own are the system's, and differ between machines.
            let radius = (-2.0 * Float::ln(1.0 - unit(rng))).sqrt();
            let angle = std::f64::consts::TAU * unit(rng);
            second = Some(radius * Float::sin(angle));
            radius * Float::cos(angle)
        });
        T::from_f64(mean + std * z)
    };
    Tensor::from_fn(shape, draw)
}

/// Uniform in 0..1, a multiple of 2⁻⁵³.
fn unit(rng: &mut dyn Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}
