//! Uniform and normal numbers as PyTorch makes them, and what its `torch.nn.init` draws with them.

use tensor::{Float, Shape, Tensor};

use super::Generator;
use crate::check;
use crate::draws::{Bell, Draws};
use crate::error::Error;
use crate::quantile;

/// How many normal numbers PyTorch makes at once. If a tensor has fewer, it makes one after the other.
const BLOCK: usize = 16;

impl Generator {
    /// Overwrites `x` with normal numbers: `x.normal_(mean, std, generator=g)`.
    ///
    /// # Errors
    /// `std` is negative, or one of the numbers is infinite or not a number.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// let mut w: Tensor = Tensor::zeros([3, 7]);
    /// Generator::manual_seed(42).normal_(&mut w, 0.0, 0.01)?;
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn normal_<T: Float>(&mut self, x: &mut Tensor<T>, mean: f64, std: f64) -> Result<(), Error> {
        check::std::<T>("torch::normal_", std)?;
        check::finite::<T>("torch::normal_", "the mean", mean)?;
        *x = self.normal(x.shape(), Bell { mean, std }).map_err(Error::tensor("torch::normal_"))?;
        Ok(())
    }

    /// Overwrites `x` with uniform numbers: `x.uniform_(a, b, generator=g)`. All are below `b`: what rounds to it is `a`.
    ///
    /// # Errors
    /// `a` is above `b`, or one of them, or their distance, is infinite or not a number.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// let mut b: Tensor = Tensor::zeros([7]);
    /// Generator::manual_seed(42).uniform_(&mut b, -0.1, 0.1)?;
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn uniform_<T: Float>(&mut self, x: &mut Tensor<T>, a: f64, b: f64) -> Result<(), Error> {
        check::interval::<T>("torch::uniform_", [a, b])?;
        *x = self.uniform(x.shape(), [a, b]).map_err(Error::tensor("torch::uniform_"))?;
        Ok(())
    }

    /// Uniform in 0..1: 24 bits for an f32, 53 for an f64.
    pub(super) fn unit_of<T: Float>(&mut self) -> T {
        match size_of::<T>() {
            4 => T::from_f64(f64::from(self.word() & 0xff_ffff) / f64::from(1 << 24)),
            _ => T::from_f64(self.unit()),
        }
    }

    /// A standard normal number. They are made in pairs: every second call returns what is left of a pair.
    fn single(&mut self) -> f64 {
        if let Some(z) = self.next_normal.take() {
            return z;
        }
        let (u, v) = (self.unit(), self.unit());
        let radius = (-2.0 * libm::log1p(-v)).sqrt();
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * u);
        self.next_normal = Some(radius * sin);
        radius * cos
    }
}

/// Turns 16 uniform numbers into normal ones, in place: half of them are radii, half are angles.
///
/// The uniform numbers and 1 − u are rounded to T, as in PyTorch; what follows is done in f64, since what PyTorch's vectors
/// round on the way cannot be followed.
fn normal_block<T: Float>(x: &mut [T], law: Bell) {
    let (radii, angles) = x.split_at_mut(BLOCK / 2);
    for (a, b) in radii.iter_mut().zip(angles) {
        let radius = (-2.0 * libm::log((T::ONE - *a).to_f64())).sqrt();
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * b.to_f64());
        (*a, *b) = (T::from_f64(radius * cos * law.std + law.mean), T::from_f64(radius * sin * law.std + law.mean));
    }
}

impl Draws for Generator {
    fn uniform<T: Float>(&mut self, shape: &Shape, ends: [f64; 2]) -> Result<Tensor<T>, tensor::Error> {
        let [low, high] = ends.map(T::from_f64);
        let mut x = Tensor::try_full(shape, T::ZERO)?;
        x.as_mut_slice().fill_with(|| match self.unit_of::<T>() * (high - low) + low {
            x if x < high => x,
            // What rounds to the upper end is the lower one, as in PyTorch.
            _ => low,
        });
        Ok(x)
    }

    fn normal<T: Float>(&mut self, shape: &Shape, law: Bell) -> Result<Tensor<T>, tensor::Error> {
        let mut x = Tensor::try_full(shape, T::ZERO)?;
        let elements: &mut [T] = x.as_mut_slice();
        if elements.len() < BLOCK {
            elements.fill_with(|| T::from_f64(self.single() * law.std + law.mean));
            return Ok(x);
        }
        elements.fill_with(|| self.unit_of());
        for block in elements.chunks_exact_mut(BLOCK) {
            normal_block(block, law);
        }
        if !elements.len().is_multiple_of(BLOCK) {
            // The last 16 are all made anew, even those that are there already.
            let start = elements.len() - BLOCK;
            elements[start..].fill_with(|| self.unit_of());
            normal_block(&mut elements[start..], law);
        }
        Ok(x)
    }

    /// By rejection: of normal numbers where most are accepted, otherwise of uniform ones. As long as one is rejected, numbers are
    /// drawn for all elements, and used where they are missing.
    fn truncated<T: Float>(&mut self, shape: &Shape, law: Bell, ends: [f64; 2]) -> Result<Tensor<T>, tensor::Error> {
        let [a, b] = ends.map(|end| (end - law.mean) / law.std);
        let [low, high] = ends.map(T::from_f64);
        let within = quantile::probability(b) - quantile::probability(a);
        if within > 0.3 {
            let mut x: Tensor<T> = self.normal(shape, law)?;
            let outside = |x: T| x < low || x > high;
            while x.iter().any(outside) {
                let fresh = self.normal(shape, law)?;
                x.zip_assign(&fresh, |x, fresh| if outside(x) { fresh } else { x });
            }
            return Ok(x);
        }
        // ln of the density, in units of its peak.
        let peak = -0.5 * ((law.mean.clamp(ends[0], ends[1]) - law.mean) / law.std).powi(2);
        let [mean, std, peak, half] = [law.mean, law.std, peak, -0.5].map(T::from_f64);
        let refused = |x: T, u: T| {
            let z = (x - mean) / std;
            u.ln() > z * z * half - peak
        };
        let mut x = self.uniform(shape, ends)?;
        let chance: Tensor<T> = self.uniform(shape, [0.0, 1.0])?;
        let mut pending: Tensor<bool> = x.zip(&chance, refused);
        while pending.iter().any(|pending| pending) {
            let fresh: Tensor<T> = self.uniform(shape, ends)?;
            let chance = self.uniform(shape, [0.0, 1.0])?;
            x = pending.where_cond(&fresh, &x);
            let again = fresh.zip(&chance, refused);
            pending = pending.zip(&again, |pending, again| pending && again);
        }
        Ok(x)
    }

    fn permutation(&mut self, n: usize) -> Vec<usize> {
        /// Of more numbers than this, 32 bits would choose some too often.
        const FEW: usize = u32::MAX as usize / 20;
        let mut order: Vec<usize> = (0..n).collect();
        for i in 0..n.saturating_sub(1) {
            let left = (n - i) as u64;
            let choice = if n < FEW { u64::from(self.word()) % left } else { self.long_word() % left };
            order.swap(i, i + choice as usize);
        }
        order
    }
}
