//! The same random numbers in every library's own type, and back.

use burn::tensor::{Device, TensorData};
use candle_core::{Device::Cpu, Result};
use ndarray::{Array, Array2, Dimension};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rand_distr::StandardNormal;
use tensor::Tensor;

pub type Candle = candle_core::Tensor;
pub type Burn = burn::Tensor<2>;

/// Standard normal numbers.
pub fn normals(len: usize, seed: u64) -> Vec<f32> {
    StdRng::seed_from_u64(seed).sample_iter(StandardNormal).take(len).collect()
}

/// A class for each of `len` examples.
pub fn classes(len: usize, classes: i64) -> Vec<i64> {
    let mut rng = StdRng::seed_from_u64(3);
    (0..len).map(|_| rng.random_range(0..classes)).collect()
}

/// One matrix, in each library.
pub struct Everywhere {
    pub evenkeel: Tensor,
    pub ndarray: Array2<f32>,
    pub candle: Candle,
    pub burn: Burn,
}

impl Everywhere {
    pub fn normals(dims: [usize; 2], seed: u64) -> Self {
        Everywhere::of(dims, normals(dims[0] * dims[1], seed))
    }

    pub fn of(dims: [usize; 2], data: Vec<f32>) -> Self {
        Everywhere {
            candle: Candle::from_slice(&data, &dims, &Cpu).unwrap(),
            burn: Burn::from_data(TensorData::new(data.clone(), dims), &Device::flex()),
            ndarray: Array2::from_shape_vec(dims, data.clone()).unwrap(),
            evenkeel: Tensor::from_slice(&data).reshape(dims),
        }
    }
}

/// A result, to be compared: its numbers in row-major order.
pub trait Values {
    fn values(&self) -> Vec<f32>;
}

impl Values for f32 {
    fn values(&self) -> Vec<f32> {
        vec![*self]
    }
}

impl Values for Tensor {
    fn values(&self) -> Vec<f32> {
        self.to_vec()
    }
}

impl<D: Dimension> Values for Array<f32, D> {
    fn values(&self) -> Vec<f32> {
        self.iter().copied().collect()
    }
}

impl Values for Result<Candle> {
    fn values(&self) -> Vec<f32> {
        self.as_ref().unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }
}

impl<const D: usize> Values for burn::Tensor<D> {
    fn values(&self) -> Vec<f32> {
        self.try_to_vec_as().unwrap()
    }
}

/// Mean and standard deviation to one decimal, which is all that fills by different generators have in common.
pub fn moments(numbers: &impl Values) -> Vec<f32> {
    let numbers = numbers.values();
    let mean = |numbers: &mut dyn Iterator<Item = f64>| {
        let (sum, n) = numbers.fold((0.0, 0.0), |(sum, n), x| (sum + x, n + 1.0));
        sum / n
    };
    let centre = mean(&mut numbers.iter().map(|&x| f64::from(x)));
    let variance = mean(&mut numbers.iter().map(|&x| (f64::from(x) - centre).powi(2)));
    [centre, variance.sqrt()].map(|x| ((x * 10.0).round() / 10.0) as f32).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_distribution_is_told_from_the_normal_one() {
        let zeros = Tensor::<f32>::zeros([2]);
        assert_eq!(moments(&zeros), [0.0, 0.0]);
        assert_eq!(moments(&Tensor::from([3.0, 5.0])), [4.0, 1.0]);
    }
}
