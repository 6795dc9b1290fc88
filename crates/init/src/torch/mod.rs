//! PyTorch's generator for the CPU, bit by bit: for reproducing what somebody has run there.
//!
//! `torch.Generator().manual_seed(s)` and [`Generator::manual_seed`] give the same numbers from the same calls, in the same
//! order. Where PyTorch's code is scalar they have the same bits; where it uses vectors (normal numbers in f32 of 16 elements
//! or more) they differ by up to 1e-6.
//!
//! Checked against PyTorch 2.15. `rand`, `randn`, `normal_`, `uniform_` and `randperm` are the same in all of PyTorch 2; other
//! versions may draw truncated normal numbers, `multinomial`, and `randint` of 2²⁸ numbers or more otherwise. On Intel's
//! processors PyTorch may take the exponential numbers behind `multinomial` from another library.
//!
//! ```
//! use init::torch::Generator;
//! use tensor::Tensor;
//!
//! let mut g = Generator::manual_seed(2147483647);
//! let w: Tensor = g.randn([27, 10])?; // torch.randn((27, 10), generator=g)
//! assert!((w.to_vec()[0] - 1.5674).abs() < 1e-4);
//! let batch = g.randint(0, 182_625, [32])?; // torch.randint(0, 182625, (32,), generator=g)
//! # let _ = batch;
//! # Ok::<(), init::Error>(())
//! ```
//!
//! Schemes of this crate take PyTorch's numbers by [`Generator::init`]:
//!
//! ```
//! use init::torch::Generator;
//! use init::{Gain, FanAxes, kaiming_normal};
//! use tensor::{Shape, Tensor};
//!
//! let mut g = Generator::manual_seed(42);
//! // torch.nn.init.kaiming_normal_(torch.empty(200, 30), nonlinearity="tanh", generator=g), stored as there
//! let scheme = kaiming_normal(Gain::Tanh).fan_axes(FanAxes::OutIn);
//! let w: Tensor = g.init(&scheme, &Shape::from([200, 30]))?;
//! let x_times_w = w.t(); // [fan_in, fan_out]
//! # let _ = x_times_w;
//! # Ok::<(), init::Error>(())
//! ```
//!
//! [`PythonRandom`] is Python's own generator, by which scripts shuffle their data.

mod discrete;
mod fill;
mod python;

use std::convert::Infallible;

use rand::{SeedableRng, TryRng};
use rand_mt::Mt;
use tensor::{Float, IntoShape, Shape, Tensor};

pub use python::PythonRandom;

use crate::draws::{Bell, Draws};
use crate::error::Error;
use crate::scheme::Scheme;

/// `torch.Generator` for the CPU; see the [module's](self) page.
///
/// It is a generator of `rand` too: `next_u32` is the Mersenne Twister's word, and
/// `next_u64` is two of them, the first above. `rand` makes other numbers of these words than PyTorch;
/// the methods below make PyTorch's. A scheme that is given it as `&mut dyn Rng` draws a key from it like from any
/// other; [`init`](Self::init) gives PyTorch's numbers.
#[doc(alias = "manual_seed")]
#[derive(Clone, Debug)]
pub struct Generator {
    mt: Mt,
    /// The second of a pair of normal numbers, of which the first was used.
    next_normal: Option<f64>,
}

/// Most shapes are the program's own, but its user may ask for one.
fn shape_of(scheme: &'static str, shape: impl IntoShape) -> Result<Shape, Error> {
    shape.into_shape().map_err(Error::tensor(scheme))
}

impl Generator {
    /// A generator with this seed, of which PyTorch too takes the lower 32 bits.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use rand_chacha::rand_core::Rng;
    ///
    /// assert_eq!(Generator::manual_seed(5489).next_u32(), 3_499_211_612); // the Mersenne Twister's first word
    /// ```
    pub fn manual_seed(seed: u64) -> Self {
        Generator { mt: Mt::new(seed as u32), next_normal: None }
    }

    /// Uniform numbers from 0 to below 1: `torch.rand`.
    ///
    /// # Errors
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// let x: Tensor = Generator::manual_seed(42).rand([2])?;
    /// assert_eq!(x, Tensor::from([0.882_269_26, 0.915_003_96])); // torch.rand(2)
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn rand<T: Float>(&mut self, shape: impl IntoShape) -> Result<Tensor<T>, Error> {
        self.uniform(&shape_of("torch::rand", shape)?, [0.0, 1.0]).map_err(Error::tensor("torch::rand"))
    }

    /// Standard normal numbers: `torch.randn`.
    ///
    /// # Errors
    /// The shape has more elements than can be addressed, or than the system has memory for.
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::Tensor;
    ///
    /// let x: Tensor = Generator::manual_seed(42).randn([2])?;
    /// assert_eq!(x, Tensor::from([0.336_690_37, 0.128_809_41])); // torch.randn(2)
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn randn<T: Float>(&mut self, shape: impl IntoShape) -> Result<Tensor<T>, Error> {
        let law = Bell { mean: 0.0, std: 1.0 };
        self.normal(&shape_of("torch::randn", shape)?, law).map_err(Error::tensor("torch::randn"))
    }

    /// A tensor by one of this crate's schemes with PyTorch's numbers: what the function of that name in `torch.nn.init`
    /// fills a tensor of this shape with.
    ///
    /// From the same numbers, [`orthogonal`](crate::orthogonal) computes its matrix in another way than PyTorch: it is the same to
    /// 1e-5. A scheme that PyTorch does not have draws normal or uniform numbers in row-major order.
    ///
    /// # Errors
    /// As [`Initializer::init`](crate::Initializer::init).
    ///
    /// # Example
    /// ```
    /// use init::torch::Generator;
    /// use tensor::{Shape, Tensor};
    ///
    /// let mut g = Generator::manual_seed(42);
    /// let w: Tensor = g.init(&init::xavier_uniform(init::Gain::Linear), &Shape::from([3, 5]))?;
    /// # let _ = w;
    /// # Ok::<(), init::Error>(())
    /// ```
    pub fn init<T: Float>(&mut self, scheme: &impl Scheme, shape: &Shape) -> Result<Tensor<T>, Error> {
        scheme.draw(shape, self)
    }

    fn word(&mut self) -> u32 {
        self.mt.next_u32()
    }

    fn long_word(&mut self) -> u64 {
        let first = u64::from(self.word());
        first << 32 | u64::from(self.word())
    }

    /// Uniform in 0..1, a multiple of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        (self.long_word() & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64
    }
}

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.long_word())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl SeedableRng for Generator {
    type Seed = [u8; 8];

    /// [`manual_seed`](Generator::manual_seed) of the number with these bytes, the least significant first.
    fn from_seed(seed: [u8; 8]) -> Self {
        Generator::manual_seed(u64::from_le_bytes(seed))
    }

    /// [`manual_seed`](Generator::manual_seed).
    fn seed_from_u64(seed: u64) -> Self {
        Generator::manual_seed(seed)
    }
}
