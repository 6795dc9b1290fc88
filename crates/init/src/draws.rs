//! Where the random numbers of a scheme come from: a key from any stream, or PyTorch's generator.

use rand::Rng;
use tensor::{Error, Float, Shape, Tensor};

use crate::quantile;

/// A source of whole tensors. The scheme has checked the parameters, and puts its name to errors.
pub trait Draws {
    /// Uniform from `low` to `high`.
    fn uniform<T: Float>(&mut self, shape: &Shape, ends: [f64; 2]) -> Result<Tensor<T>, Error>;

    /// Normal.
    fn normal<T: Float>(&mut self, shape: &Shape, law: Bell) -> Result<Tensor<T>, Error>;

    /// Normal on the condition that it is between two ends, of which the first is below the second.
    fn truncated<T: Float>(&mut self, shape: &Shape, law: Bell, ends: [f64; 2]) -> Result<Tensor<T>, Error>;

    /// The numbers below `n` in an order of which all are equally likely.
    fn permutation(&mut self, n: usize) -> Vec<usize>;
}

/// Mean and standard deviation of a normal distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bell {
    pub mean: f64,
    pub std: f64,
}

/// Each tensor has a stream of its own, whose key is drawn from a stream.
pub(crate) struct Keyed<'a>(pub(crate) &'a mut dyn Rng);

impl Keyed<'_> {
    fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        self.0.fill_bytes(&mut key);
        key
    }
}

impl Draws for Keyed<'_> {
    fn uniform<T: Float>(&mut self, shape: &Shape, ends: [f64; 2]) -> Result<Tensor<T>, Error> {
        let [low, high] = inside(ends);
        // Above `high`, so that `high` lies within the interval.
        if T::from_f64(ends[1]) > high {
            return Tensor::keyed_uniform_inclusive(&self.key(), shape, low, high);
        }
        Tensor::keyed_uniform(&self.key(), shape, low, high)
    }

    fn normal<T: Float>(&mut self, shape: &Shape, law: Bell) -> Result<Tensor<T>, Error> {
        let [mean, std] = [law.mean, law.std].map(T::from_f64);
        Tensor::keyed_normal(&self.key(), shape, mean, std)
    }

    /// By the inverse of the distribution function: one random number for each element, however narrow the interval.
    fn truncated<T: Float>(&mut self, shape: &Shape, law: Bell, ends: [f64; 2]) -> Result<Tensor<T>, Error> {
        let [low, high] = inside::<T>(ends);
        let [a, b] = ends.map(|end| (end - law.mean) / law.std);
        // Where both ends are above the mean, both probabilities may round to 1: there the mirror image is drawn.
        let sign = if a > 0.0 { -1.0 } else { 1.0 };
        let [p, q] = if a > 0.0 { [-b, -a] } else { [a, b] }.map(quantile::probability);
        let u = Tensor::keyed_uniform(&self.key(), shape, 0.0_f64, 1.0)?;
        Ok(u.map(|u| {
            let x = T::from_f64(law.mean + law.std * sign * quantile::quantile(p + (q - p) * u));
            if x < low {
                low
            } else if x > high {
                high
            } else {
                x
            }
        }))
    }

    fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, below(self.0, i as u64 + 1) as usize);
        }
        order
    }
}

/// The interval's ends in `T`, rounded inwards, so that no number lies beyond the interval. Where it contains no `T`, both are the
/// nearest.
fn inside<T: Float>([low, high]: [f64; 2]) -> [T; 2] {
    // Only an f32 is rounded at all.
    let up = |x: f64| if f64::from(x as f32) < x { (x as f32).next_up() } else { x as f32 };
    let [low_in, high_in]: [T; 2] = match size_of::<T>() {
        4 => [up(low), -up(-high)].map(|x| T::from_f64(x.into())),
        _ => [low, high].map(T::from_f64),
    };
    if low_in <= high_in { [low_in, high_in] } else { [T::from_f64(low); 2] }
}

/// A whole number below `n`, each equally likely (Lemire, 2019, *Fast Random Integer Generation in an Interval*). `rand` has this
/// too, but may change the numbers with a new version, and here what a seed gives is a contract.
pub(crate) fn below(rng: &mut dyn Rng, n: u64) -> u64 {
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        // Some results are one word more likely than others. The words whose lower half is below 2⁶⁴ mod n are drawn again.
        if product as u64 >= n.wrapping_neg() % n {
            return (product >> 64) as u64;
        }
    }
}
